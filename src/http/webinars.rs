//! The doors of webinars: the page to register on, the entry for the calendar, and who was there.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::Shared;
use super::api::authorised;
use super::error::Problem;
use super::gates::{Posted, Refused, Taken, again, described_fields, later, limit, take_in};
use super::pages::{Frame, reading};
use super::request::{Proxies, seen};
use crate::base::ids::{ContactId, VisitorId};
use crate::base::language::Language;
use crate::contacts::{self, Seen};
use crate::gates::form::Typed;
use crate::gates::{self, Asked};
use crate::webinars::{self, State, Webinar, attendance};

/// Longest reason that registrants are told, in characters.
const REASON_MOST: usize = 500;

/// Mounts the doors.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors
        .service(web::resource("/w/{webinar}").route(reading().to(show)).route(web::post().to(register)))
        .route("/w/{webinar}/calendar.ics", web::get().to(add_to_calendar))
        .service(
            web::resource("/w/{webinar}/place/{token}")
                .route(reading().to(show_place))
                .route(web::post().to(give_back)),
        )
        .route("/api/v1/webinars/{webinar}/cancel", web::post().to(call_off))
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
    let frame = match &token {
        Some(token) => frame.mailed(token),
        None => frame,
    };
    page(&app, &frame, StatusCode::OK, webinar, token.as_deref(), &Typed::new(), &BTreeMap::new(), None).await
}

#[allow(clippy::too_many_arguments, reason = "a webinar's page shows all of these")]
async fn page(
    app: &Shared,
    frame: &Frame<'_>,
    status: StatusCode,
    webinar: &Webinar,
    token: Option<&str>,
    values: &Typed,
    errors: &BTreeMap<String, String>,
    error: Option<&str>,
) -> HttpResponse {
    let now = app.clock.now();
    let form = app.catalog.form(&webinar.form).ok();
    let dates = match webinars::dates(&mut app.stores.db.read(), webinar).await {
        Ok(dates) => dates,
        Err(error) => return frame.problem(&error.into()),
    };
    let is_open = now < webinar.ends_at() && dates.cancelled_at.is_none();
    let fields: Vec<Json> = match (form, token) {
        (Some(form), None) if is_open => described_fields(form, frame.language, values, errors),
        _ => Vec::new(),
    };
    let nonce = form.map(|form| gates::nonce(&app.keys, form, &Asked::Nothing, now));
    let mut described = described(app, webinar, frame.language);
    described["called_off"] = json!(dates.cancelled_at.is_some());
    // Without an address there is nobody to play it to; with an invitation there is.
    let viewer = token.and_then(|token| webinars::invited(&app.keys, webinar, token, now).ok());
    let stage = match viewer {
        Some((contact, _)) => contacts::find(&mut app.stores.db.read(), contact).await,
        None => Ok(None),
    };
    let stage = match stage {
        Ok(known) => known.map_or_else(String::new, |known| known.stage),
        Err(error) => return frame.problem(&error.into()),
    };
    if let (Some((contact, _)), Some(_)) =
        (viewer, webinar.recording_for(&stage).filter(|_| now >= webinar.ends_at()))
    {
        let token = webinars::watch_link(&app.keys, webinar, contact, now);
        described["recording"] = json!(format!("/watch/{token}?lang={}", frame.language.code()));
    }
    let warned = values.contains_key("warned");
    let context = json!({
        "webinar": described, "token": token, "fields": fields, "nonce": nonce, "error": error, "warned": warned,
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
        "called_off": false,
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
    let mut posted = Posted::of(body.into_inner());
    let mut frame = Frame::of(&app, &request, posted.get("zone"));
    if let Some(language) = posted.get("lang").and_then(Language::of_tag) {
        frame.language = language;
    }
    let Some(webinar) = app.webinars.find(&webinar) else { return frame.problem(&super::not_found()) };
    let limited = limit(&app, &proxies, &request).await;
    let outcome = match posted.get("t") {
        _ if limited.is_err() => limited.map(|()| None).map_err(Refused::Problem),
        Some(_) if posted.get("website").is_some() => Ok(None),
        Some(token) => accept(&app, webinar, token).await.map(|()| None),
        None => submit(&app, &frame, webinar, &posted, &seen(&proxies, &request)).await,
    };
    match outcome {
        Ok(visitor) => done(&app, &frame, webinar, visitor),
        Err(refused) => {
            let (status, errors, words) = again(&refused, &frame);
            if matches!(&refused, Refused::Invalid(invalid) if invalid.is_warning()) {
                posted.typed.insert("warned".to_owned(), vec!["1".to_owned()]);
            }
            match (status, refused) {
                (Some(status), refused) => {
                    let now = app.clock.now();
                    let token =
                        posted.get("t").filter(|t| webinars::invited(&app.keys, webinar, t, now).is_ok());
                    let (typed, words) = (&posted.typed, words.as_deref());
                    let shown = page(&app, &frame, status, webinar, token, typed, &errors, words).await;
                    later(shown, &refused)
                }
                // The page says that it is over or called off, and what can be watched.
                (None, Refused::Problem(problem))
                    if matches!(problem.code(), "webinar.over" | "webinar.called_off") =>
                {
                    let (typed, errors, token) = (Typed::new(), BTreeMap::new(), posted.get("t"));
                    page(&app, &frame, StatusCode::CONFLICT, webinar, token, &typed, &errors, None).await
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
    posted: &Posted,
    seen: &Seen,
) -> Result<Option<VisitorId>, Refused> {
    if app.clock.now() >= webinar.ends_at() {
        return Err(webinars::Error::Over.into());
    }
    let form = app.catalog.form(&webinar.form)?;
    let site = frame.site.map_or("", |site| site.key.as_str());
    let sent = posted.sent(site, Some(format!("/w/{}", webinar.id)));
    Ok(match take_in(app, form, Some(&webinar.id), &sent, site, (frame.language, seen)).await? {
        Taken::In(submitted) => submitted.visitor,
        Taken::Apart(visitor) => visitor,
    })
}

/// `GET /w/{webinar}/place/{token}`: whether one wants to give one's place back. Changes nothing: mail scanners open links
/// too.
async fn show_place(app: Shared, request: HttpRequest, path: web::Path<(String, String)>) -> HttpResponse {
    place(&app, &request, &path, false).await
}

/// `POST /w/{webinar}/place/{token}`: gives it back.
async fn give_back(app: Shared, request: HttpRequest, path: web::Path<(String, String)>) -> HttpResponse {
    place(&app, &request, &path, true).await
}

async fn place(app: &Shared, request: &HttpRequest, path: &(String, String), is_done: bool) -> HttpResponse {
    let frame = Frame::of(app, request, None);
    let (id, token) = path;
    let Some(webinar) = app.webinars.find(id) else { return frame.problem(&super::not_found()) };
    let held = async {
        let contact = webinars::place_of(&app.keys, webinar, token, app.clock.now())?;
        if is_done { cancel(app, webinar, contact).await } else { holds(app, webinar, contact).await }
    };
    match held.await {
        Ok(has_place) => {
            let language = frame.language.code();
            let context = json!({
                "webinar": described(app, webinar, frame.language),
                "has_place": has_place,
                "action": format!("/w/{id}/place/{token}?lang={language}"),
                "again": format!("/w/{id}?lang={language}"),
            });
            frame.page(StatusCode::OK, "pages/webinar_place", context)
        }
        Err(error) => frame.problem(&error.into()),
    }
}

async fn holds(app: &Shared, webinar: &Webinar, contact: ContactId) -> Result<bool, webinars::Error> {
    let known = webinars::registration(&mut app.stores.db.read(), &webinar.id, contact).await?;
    Ok(known.is_some_and(|known| known.state == State::Registered))
}

async fn cancel(app: &Shared, webinar: &Webinar, contact: ContactId) -> Result<bool, webinars::Error> {
    let mut tx = app.stores.db.begin().await?;
    webinars::cancel(&mut tx, &app.lifecycle, webinar, contact, app.clock.now()).await?;
    tx.commit().await?;
    Ok(false)
}

#[derive(Deserialize, Default)]
struct CallingOff {
    #[serde(default)]
    reason: Option<String>,
}

/// `POST /api/v1/webinars/{webinar}/cancel`: it does not take place; everybody who is registered is told.
async fn call_off(
    app: Shared,
    request: HttpRequest,
    webinar: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let webinar = app.webinars.find(&webinar).ok_or(webinars::Error::Unknown)?;
    let asked: CallingOff = if body.is_empty() {
        CallingOff::default()
    } else {
        serde_json::from_slice(&body).map_err(|error| Problem::unread("request.malformed", &error))?
    };
    let reason = asked.reason.map(|reason| reason.chars().take(REASON_MOST).collect::<String>());
    let mut tx = app.stores.db.begin().await?;
    let now = app.clock.now();
    let told = webinars::call_off(&mut tx, &app.lifecycle, webinar, reason.as_deref(), now).await?;
    tx.commit().await?;
    Ok(HttpResponse::Ok().json(json!({ "told": told })))
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
    let dates = webinars::dates(&mut app.stores.db.read(), webinar).await?;
    if dates.cancelled_at.is_some() {
        return Err(webinars::Error::CalledOff.into());
    }
    let entry = webinars::calendar_file(&public, &dates, frame.language, app.clock.now());
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
    let (list, unusable) = attendance::read(&body, webinar)
        .map_err(|error| Problem::new("webinar.list_unreadable", error.to_string()))?;
    let (db, now) = (&app.stores.db, app.clock.now());
    let mut imported = webinars::import(db, &app.lifecycle, webinar, &list, now).await?;
    imported.unknown.extend(unusable);
    imported.unknown.sort_by_key(|one| one.line);
    Ok(HttpResponse::Ok().json(imported))
}
