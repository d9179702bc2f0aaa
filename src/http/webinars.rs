//! The doors of webinars: the page to register on, the entry for the calendar, and who was there.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value as Json, json};

use super::Shared;
use super::api::authorised;
use super::error::Problem;
use super::gates::{Refused, Typed, again, described_field, dropped, limit, register_and_submit};
use super::pages::{Frame, reading};
use super::request::Proxies;
use crate::base::ids::VisitorId;
use crate::base::language::Language;
use crate::base::time::zone;
use crate::contacts::Consent;
use crate::gates::{self, Submission};
use crate::webinars::{self, Webinar, attendance};

/// Mounts the doors.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors
        .service(web::resource("/w/{webinar}").route(reading().to(show)).route(web::post().to(register)))
        .route("/w/{webinar}/calendar.ics", web::get().to(add_to_calendar))
        .service(
            web::resource("/api/v1/webinars/{webinar}/attendance")
                .app_data(web::PayloadConfig::new(attendance::MOST_BYTES))
                .route(web::post().to(attend)),
        );
}

/// `GET /w/{webinar}`: what it is about, and one field (or one click, for who was invited).
async fn show(app: Shared, request: HttpRequest, webinar: web::Path<String>) -> HttpResponse {
    let frame = Frame::of(&app, &request, None);
    let Some(webinar) = app.webinars.find(&webinar) else { return frame.problem(&super::not_found()) };
    let token = url::form_urlencoded::parse(request.query_string().as_bytes())
        .find(|(name, _)| name == "t")
        .map(|(_, token)| token.into_owned());
    let now = app.clock.now();
    // An invitation that does not hold any more is no obstacle: she types her address like everybody else.
    let token = token.filter(|token| webinars::invited(&app.keys, webinar, token, now).is_ok());
    page(&app, &frame, StatusCode::OK, webinar, token.as_deref(), &BTreeMap::new(), &BTreeMap::new(), None)
}

#[allow(clippy::too_many_arguments, reason = "a webinar's page shows all of these")]
fn page(
    app: &Shared,
    frame: &Frame<'_>,
    status: StatusCode,
    webinar: &Webinar,
    token: Option<&str>,
    values: &BTreeMap<String, String>,
    errors: &BTreeMap<String, String>,
    error: Option<&str>,
) -> HttpResponse {
    let now = app.clock.now();
    let form = app.catalog.form(&webinar.form).ok();
    let fields: Vec<Json> = match (form, token) {
        (Some(form), None) if now < webinar.ends_at() => {
            form.fields.iter().map(|field| described_field(field, frame.language, values, errors)).collect()
        }
        _ => Vec::new(),
    };
    let nonce = form.map(|form| gates::nonce(&app.keys, form, now));
    let mut described = described(app, webinar, frame.language);
    // Without an address there is nobody to play it to; with an invitation there is.
    let viewer = token.and_then(|token| webinars::invited(&app.keys, webinar, token, now).ok());
    if let (Some((contact, _)), Some(recording)) =
        (viewer, webinar.recording.as_ref().filter(|_| now >= webinar.ends_at()))
    {
        let token = webinars::recording_link(&app.keys, recording, Some(contact), now);
        described["recording"] = json!(format!("/r/{token}?lang={}", frame.language.code()));
    }
    let context = json!({
        "webinar": described, "token": token, "fields": fields, "nonce": nonce, "error": error,
    });
    frame.page(status, "pages/webinar", context)
}

fn described(app: &Shared, webinar: &Webinar, language: Language) -> Json {
    json!({
        "id": webinar.id,
        "title": webinar.title.get(language),
        "summary": webinar.description.get(language),
        "host": webinar.host.get(language),
        "starts_at": webinar.starts_at,
        "duration_ms": webinar.duration_ms,
        "over": app.clock.now() >= webinar.ends_at(),
        "recording": null,
    })
}

/// `POST /w/{webinar}`: an address, or an invitation.
async fn register(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    webinar: web::Path<String>,
    body: web::Form<Vec<(String, String)>>,
) -> HttpResponse {
    let typed = Typed::of(body.into_inner());
    let mut frame = Frame::of(&app, &request, typed.get("zone"));
    if let Some(language) = typed.get("lang").and_then(Language::of_tag) {
        frame.language = language;
    }
    let Some(webinar) = app.webinars.find(&webinar) else { return frame.problem(&super::not_found()) };
    if let Err(problem) = limit(&app, &proxies, &request).await {
        return frame.problem(&problem);
    }
    if typed.get("website").is_some() {
        return dropped(done(&app, &frame, webinar, None));
    }
    let outcome = match typed.get("t") {
        Some(token) => accept(&app, webinar, token).await.map(|()| None),
        None => submit(&app, &frame, webinar, &typed).await.map(Some),
    };
    match outcome {
        Ok(visitor) => done(&app, &frame, webinar, visitor),
        Err(refused) => {
            let (status, errors, words) = again(&refused, frame.language);
            match (status, refused) {
                (Some(status), _) => {
                    page(&app, &frame, status, webinar, None, &typed.values, &errors, words.as_deref())
                }
                // The page says that it is over, and what can be watched.
                (None, Refused::Problem(problem)) if problem.code() == "webinar.over" => {
                    let (values, errors) = (BTreeMap::new(), BTreeMap::new());
                    page(&app, &frame, StatusCode::CONFLICT, webinar, typed.get("t"), &values, &errors, None)
                }
                (None, Refused::Problem(problem)) => frame.problem(&problem),
                (None, Refused::Invalid(_)) => frame.problem(&super::not_found()),
            }
        }
    }
}

/// One click by somebody who was invited by mail.
async fn accept(app: &Shared, webinar: &Webinar, token: &str) -> Result<(), Refused> {
    let now = app.clock.now();
    let (contact, _) = webinars::invited(&app.keys, webinar, token, now)?;
    let mut tx = app.stores.db.begin().await?;
    webinars::register(&mut tx, &app.lifecycle, webinar, contact, None, now).await?;
    tx.commit().await?;
    Ok(())
}

async fn submit(
    app: &Shared,
    frame: &Frame<'_>,
    webinar: &Webinar,
    typed: &Typed,
) -> Result<VisitorId, Refused> {
    let now = app.clock.now();
    if now >= webinar.ends_at() {
        return Err(webinars::Error::Over.into());
    }
    let form = app.catalog.form(&webinar.form)?;
    let answers = form.validate(&typed.values, &typed.agreed).map_err(Refused::Invalid)?;
    let nonce = gates::check_nonce(&app.keys, form, typed.get("nonce").unwrap_or_default(), now)?;
    let page = format!("/w/{}", webinar.id);
    let submission = Submission {
        form,
        answers: &answers,
        site: frame.site.map_or("", |site| site.key.as_str()),
        visitor: typed.get("visitor").and_then(|text| VisitorId::parse(text).ok()),
        consent: Consent::of_word(typed.get("consent").unwrap_or_default()),
        page: Some(&page),
        language: frame.language,
        time_zone: typed.get("zone").filter(|name| zone(name).is_some()),
        nonce: &nonce,
    };
    Ok(register_and_submit(app, &submission, Some(&webinar.id)).await?.visitor)
}

fn done(app: &Shared, frame: &Frame<'_>, webinar: &Webinar, visitor: Option<VisitorId>) -> HttpResponse {
    let context = json!({
        "webinar": described(app, webinar, frame.language),
        "calendar": format!("/w/{}/calendar.ics?lang={}", webinar.id, frame.language.code()),
        "visitor": visitor,
    });
    frame.page(StatusCode::OK, "pages/webinar_done", context)
}

/// `GET /w/{webinar}/calendar.ics`: the entry for a calendar. It holds no link to join: that goes by mail.
async fn add_to_calendar(
    app: Shared,
    request: HttpRequest,
    webinar: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let webinar = app.webinars.find(&webinar).ok_or(webinars::Error::Unknown)?;
    let frame = Frame::of(&app, &request, None);
    let public = Webinar { join_url: None, ..webinar.clone() };
    let entry = webinars::calendar_file(&public, frame.language, app.clock.now());
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/calendar; charset=utf-8; method=PUBLISH"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{}.ics\"", webinar.id)))
        .body(entry))
}

/// `POST /api/v1/webinars/{webinar}/attendance`: who was there, as CSV or JSON.
async fn attend(
    app: Shared,
    request: HttpRequest,
    webinar: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let webinar = app.webinars.find(&webinar).ok_or(webinars::Error::Unknown)?;
    let (list, unusable) = attendance::read(&body)
        .map_err(|error| Problem::new("webinar.list_unreadable", error.to_string()))?;
    let mut tx = app.stores.db.begin().await?;
    let mut imported = webinars::attend(&mut tx, &app.lifecycle, webinar, &list, app.clock.now()).await?;
    tx.commit().await?;
    imported.unknown.extend(unusable);
    imported.unknown.sort_by_key(|one| one.line);
    Ok(HttpResponse::Ok().json(imported))
}
