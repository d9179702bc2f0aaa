//! The doors of gated content: forms, the links that they hand out, and what opening a link confirms.

use std::collections::BTreeMap;
use std::path::Path;

use actix_files::NamedFile;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, ContentDisposition, ContentEncoding, DispositionParam, DispositionType, HeaderName,
    HeaderValue, REFERRER_POLICY,
};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::error::Problem;
use super::pages::{Frame, reading};
use super::request::{Proxies, origin};
use super::{Shared, cors};
use crate::base::ids::VisitorId;
use crate::base::language::Language;
use crate::base::network::network_of;
use crate::base::time::zone;
use crate::contacts::Consent;
use crate::events::{self, Event};
use crate::gates::form::Field;
use crate::gates::{self, Form, Submission, Submitted};
use crate::storage::limits::Quota;
use crate::webinars;

/// Longest page address that is kept with a submission.
const PAGE_MOST: usize = 500;
/// Largest body of a form.
const BODY_MOST: usize = 64 * 1024;
/// Links that one person may ask for again.
const RENEW: Quota = Quota { per_minute: 1, burst: 3 };
/// Forms that one address may be typed into: a flood of mails to a victim stops here.
const PER_ADDRESS: Quota = Quota { per_minute: 1, burst: 8 };

/// Mounts the doors.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors
        .service(
            web::resource("/v1/forms/{form}")
                .route(web::get().to(show))
                .route(web::post().to(take))
                .route(web::method(actix_web::http::Method::OPTIONS).to(cors::preflight)),
        )
        .service(web::resource("/f/{form}").route(reading().to(show_page)).route(web::post().to(take_page)))
        .service(web::resource("/d/renew").route(web::post().to(renew)))
        .service(web::resource("/d/{token}/file").route(reading().to(file)).route(web::post().to(download)))
        .service(web::resource("/d/{token}").route(reading().to(landing)))
        .route("/v1/confirm", web::post().to(confirm))
        .service(web::resource("/r/{token}").route(reading().to(play)))
        .service(web::resource("/r/{token}/poster").route(reading().to(poster)))
        .service(web::resource("/r/{token}/{language}.vtt").route(reading().to(captions)));
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    site: String,
}

/// `GET /v1/forms/{form}`: the form as the snippet draws it, with a fresh nonce.
async fn show(
    app: Shared,
    request: HttpRequest,
    form: web::Path<String>,
    asked: web::Query<Asked>,
) -> HttpResponse {
    let shown = || -> Result<HttpResponse, Problem> {
        let site = app.sites.find_for(&asked.site, origin(&request), app.own_origin())?;
        let form = app.catalog.form(&form)?;
        let language = super::request::language(&request).unwrap_or(site.language);
        let mut fields = described(form, language, &BTreeMap::new(), &BTreeMap::new(), &[]);
        fields["form"] = json!(form.id);
        fields["nonce"] = json!(gates::nonce(&app.keys, form, app.clock.now()));
        Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(fields))
    };
    let mut response = shown().unwrap_or_else(|problem| problem.error_response());
    cors::sites(&app, &request, response.headers_mut());
    response
}

/// A form's words and fields, with what was typed and what is wrong with it.
pub(super) fn described(
    form: &Form,
    language: Language,
    values: &BTreeMap<String, String>,
    errors: &BTreeMap<String, String>,
    agreed: &[String],
) -> Json {
    let fields: Vec<Json> =
        form.fields.iter().map(|field| described_field(field, language, values, errors)).collect();
    let consent = form.consent.as_ref().map(|consent| {
        json!({
            "id": consent.id,
            "text": consent.text.get(language),
            "required": consent.required,
            "checked": agreed.contains(&consent.id),
        })
    });
    json!({
        "id": form.id,
        "title": form.title.get(language),
        "intro": form.intro.as_ref().map(|intro| intro.get(language)),
        "fields": fields,
        "button": form.button.get(language),
        "consent": consent,
        "privacy": form.privacy.as_ref().map(|privacy| privacy.get(language)),
    })
}

pub(super) fn described_field(
    field: &Field,
    language: Language,
    values: &BTreeMap<String, String>,
    errors: &BTreeMap<String, String>,
) -> Json {
    json!({
        "name": field.name,
        "type": field.kind.html(),
        "multiline": field.kind.name() == "textarea",
        "label": field.label.get(language),
        "placeholder": field.placeholder.as_ref().map_or("", |text| text.get(language)),
        "autocomplete": field.autocomplete(),
        "required": field.required,
        "value": values.get(&field.name).map_or("", String::as_str),
        "error": errors.get(&field.name),
    })
}

/// What the snippet sends.
#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    site: String,
    #[serde(default)]
    values: BTreeMap<String, String>,
    #[serde(default)]
    visitor: Option<String>,
    #[serde(default)]
    consent: String,
    #[serde(default)]
    page: Option<String>,
    #[serde(default)]
    language: String,
    #[serde(default)]
    zone: Option<String>,
    #[serde(default)]
    nonce: String,
    #[serde(default)]
    agreed: Vec<String>,
    /// The honeypot: people do not see it.
    #[serde(default)]
    website: String,
}

/// `POST /v1/forms/{form}`.
async fn take(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    form: web::Path<String>,
    body: web::Bytes,
) -> HttpResponse {
    let mut response = match taken(&app, &proxies, &request, &form, &body).await {
        Ok(response) => response,
        Err(problem) => problem.error_response(),
    };
    cors::sites(&app, &request, response.headers_mut());
    response
}

async fn taken(
    app: &Shared,
    proxies: &Proxies,
    request: &HttpRequest,
    form: &str,
    body: &[u8],
) -> Result<HttpResponse, Problem> {
    if body.len() > BODY_MOST {
        return Err(Problem::new("request.too_large", format!("At most {BODY_MOST} bytes.")));
    }
    let sent: Sent =
        serde_json::from_slice(body).map_err(|error| Problem::new("request.malformed", error.to_string()))?;
    let site = app.sites.find_for(&sent.site, origin(request), app.own_origin())?;
    let form = app.catalog.form(form)?;
    let language = Language::of_tag(&sent.language).unwrap_or(site.language);
    limit(app, proxies, request).await?;
    if !sent.website.is_empty() {
        return Ok(dropped(HttpResponse::Ok().json(json!({
            "visitor": sent.visitor, "title": form.done.title.get(language),
            "message": form.done.message.get(language), "link": null,
        }))));
    }
    let outcome = submit(app, form, &sent, &site.key, language).await;
    match outcome {
        Ok(submitted) => Ok(HttpResponse::Ok().json(json!({
            "visitor": submitted.visitor,
            "title": form.done.title.get(language),
            "message": form.done.message.get(language),
            "link": link(app, form, &submitted, language),
        }))),
        Err(Refused::Invalid(invalid)) => {
            let words = invalid.words(language);
            Err(Problem::new("form.invalid", "Some answers are missing or wrong.")
                .with("fields", json!(words)))
        }
        Err(Refused::Problem(problem)) => Err(problem),
    }
}

/// Why a form was not taken.
pub(super) enum Refused {
    /// Answers are wrong: the form is shown again with words beside the fields.
    Invalid(gates::Invalid),
    /// Anything else.
    Problem(Problem),
}

impl<E: Into<Problem>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Problem(error.into())
    }
}

async fn submit(
    app: &Shared,
    form: &Form,
    sent: &Sent,
    site: &str,
    language: Language,
) -> Result<Submitted, Refused> {
    let now = app.clock.now();
    let answers = form.validate(&sent.values, &sent.agreed).map_err(Refused::Invalid)?;
    let nonce = gates::check_nonce(&app.keys, form, &sent.nonce, now)?;
    app.stores.limits.check("form_address", answers.email.as_str(), PER_ADDRESS, now).await?;
    let page: Option<String> = sent.page.as_ref().map(|page| page.chars().take(PAGE_MOST).collect());
    let submission = Submission {
        form,
        answers: &answers,
        site,
        visitor: sent.visitor.as_deref().and_then(|text| VisitorId::parse(text).ok()),
        consent: Consent::of_word(&sent.consent),
        page: page.as_deref(),
        language,
        time_zone: sent.zone.as_deref().filter(|name| zone(name).is_some()),
        nonce: &nonce,
    };
    register_and_submit(app, &submission, form.registers.as_deref()).await
}

/// Takes a form and, if it registers for a webinar, registers, in one transaction.
pub(super) async fn register_and_submit(
    app: &Shared,
    submission: &Submission<'_>,
    webinar: Option<&str>,
) -> Result<Submitted, Refused> {
    let now = app.clock.now();
    let mut tx = app.stores.db.begin().await?;
    let submitted = gates::submit(&mut tx, &app.lifecycle, submission, now).await?;
    if let Some(webinar) = webinar {
        let webinar = app.webinars.find(webinar).ok_or(webinars::Error::Unknown)?;
        let visitor = Some(submitted.visitor);
        webinars::register(&mut tx, &app.lifecycle, webinar, submitted.contact, visitor, now).await?;
    }
    tx.commit().await?;
    Ok(submitted)
}

/// The link that the answer to a form holds, if its file is handed out at once.
fn link(app: &Shared, form: &Form, submitted: &Submitted, language: Language) -> Option<String> {
    let asset = app.catalog.delivered_by(form).filter(|asset| asset.deliver.is_inline())?;
    let token = gates::inline_link(&app.keys, asset, submitted.contact, app.clock.now());
    Some(format!("/d/{token}?lang={}", language.code()))
}

pub(super) async fn limit(app: &Shared, proxies: &Proxies, request: &HttpRequest) -> Result<(), Problem> {
    let settings = &app.config.forms;
    let quota = Quota { per_minute: settings.per_minute, burst: settings.burst };
    let network = network_of(proxies.client(request));
    Ok(app.stores.limits.check("forms", &network, quota, app.clock.now()).await?)
}

/// Marks an answer to a machine that fell into the honeypot: it looks like any other, and nothing was kept.
pub(super) fn dropped(mut response: HttpResponse) -> HttpResponse {
    let name = HeaderName::from_static("x-embudo-dropped");
    response.headers_mut().insert(name, HeaderValue::from_static("honeypot"));
    response
}

/// `GET /f/{form}`: the hosted form.
async fn show_page(app: Shared, request: HttpRequest, form: web::Path<String>) -> HttpResponse {
    let frame = Frame::of(&app, &request, None);
    match app.catalog.form(&form) {
        Ok(form) => {
            let blank = BTreeMap::new();
            form_page(&app, &frame, StatusCode::OK, form, &blank, &BTreeMap::new(), &[], None)
        }
        Err(_) => frame.problem(&super::not_found()),
    }
}

#[allow(clippy::too_many_arguments, reason = "a form's page shows all of these")]
fn form_page(
    app: &Shared,
    frame: &Frame<'_>,
    status: StatusCode,
    form: &Form,
    values: &BTreeMap<String, String>,
    errors: &BTreeMap<String, String>,
    agreed: &[String],
    error: Option<&str>,
) -> HttpResponse {
    let mut fields = described(form, frame.language, values, errors, agreed);
    let site = frame.site.map_or("", |site| site.key.as_str());
    fields["action"] = json!(format!("/f/{}?site={site}&lang={}", form.id, frame.language.code()));
    fields["nonce"] = json!(gates::nonce(&app.keys, form, app.clock.now()));
    frame.page(status, "pages/form", json!({"form": fields, "error": error}))
}

/// What a browser sends without JavaScript.
pub(super) struct Typed {
    pub values: BTreeMap<String, String>,
    pub agreed: Vec<String>,
}

impl Typed {
    /// The fields of a posted form; `agreed` may come several times.
    pub fn of(fields: Vec<(String, String)>) -> Self {
        let (agreed, values): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(name, _)| name == "agreed");
        Self { agreed: agreed.into_iter().map(|(_, id)| id).collect(), values: values.into_iter().collect() }
    }

    /// A field, if it was filled in.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    fn sent(&self, site: &str) -> Sent {
        Sent {
            site: site.to_owned(),
            values: self.values.clone(),
            visitor: self.get("visitor").map(str::to_owned),
            consent: self.get("consent").unwrap_or_default().to_owned(),
            page: None,
            language: String::new(),
            zone: self.get("zone").map(str::to_owned),
            nonce: self.get("nonce").unwrap_or_default().to_owned(),
            agreed: self.agreed.clone(),
            website: self.get("website").unwrap_or_default().to_owned(),
        }
    }
}

/// `POST /f/{form}`: the hosted form, sent.
async fn take_page(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    form: web::Path<String>,
    body: web::Form<Vec<(String, String)>>,
) -> HttpResponse {
    let typed = Typed::of(body.into_inner());
    let frame = Frame::of(&app, &request, typed.get("zone"));
    let Ok(form) = app.catalog.form(&form) else { return frame.problem(&super::not_found()) };
    let Some(site) = frame.site else { return frame.problem(&super::not_found()) };
    if let Err(problem) = limit(&app, &proxies, &request).await {
        return frame.problem(&problem);
    }
    let done = |link: Option<String>, visitor: Option<VisitorId>| {
        let fields = json!({
            "title": form.done.title.get(frame.language), "message": form.done.message.get(frame.language),
            "link": link, "visitor": visitor,
        });
        frame.page(StatusCode::OK, "pages/form_done", fields)
    };
    let sent = typed.sent(&site.key);
    if !sent.website.is_empty() {
        return dropped(done(None, None));
    }
    match submit(&app, form, &sent, &site.key, frame.language).await {
        Ok(submitted) => done(link(&app, form, &submitted, frame.language), Some(submitted.visitor)),
        Err(refused) => {
            let (status, errors, words) = again(&refused, frame.language);
            match status {
                Some(status) => form_page(
                    &app,
                    &frame,
                    status,
                    form,
                    &typed.values,
                    &errors,
                    &typed.agreed,
                    words.as_deref(),
                ),
                None => match refused {
                    Refused::Problem(problem) => frame.problem(&problem),
                    Refused::Invalid(_) => frame.problem(&super::not_found()),
                },
            }
        }
    }
}

/// How a refused form is shown again: status, words beside the fields, words for the whole form. Nothing where showing
/// it again would not help.
pub(super) fn again(
    refused: &Refused,
    language: Language,
) -> (Option<StatusCode>, BTreeMap<String, String>, Option<String>) {
    match refused {
        Refused::Invalid(invalid) => {
            let mut words = invalid.words(language);
            let whole = words.remove("agreed");
            (Some(StatusCode::UNPROCESSABLE_ENTITY), words, whole)
        }
        Refused::Problem(problem) => match problem.code() {
            "form.nonce_invalid" | "form.nonce_used" => {
                let words = match language {
                    Language::En => {
                        "Please send it once more: the page had been open for too long or too short."
                    }
                    Language::Es => {
                        "Envíalo otra vez, por favor: la página llevaba abierta demasiado o muy poco tiempo."
                    }
                };
                (Some(problem.status_code()), BTreeMap::new(), Some(words.to_owned()))
            }
            "limit.too_many" => {
                let words = match language {
                    Language::En => "Too many tries in a short time. Please wait a minute and send it again.",
                    Language::Es => {
                        "Demasiados intentos en poco tiempo. Espera un minuto y envíalo otra vez."
                    }
                };
                (Some(problem.status_code()), BTreeMap::new(), Some(words.to_owned()))
            }
            _ => (None, BTreeMap::new(), None),
        },
    }
}

/// `GET /d/{token}`: the page of a file. Changes nothing: mail scanners open links too.
async fn landing(app: Shared, request: HttpRequest, token: web::Path<String>) -> HttpResponse {
    let frame = Frame::of(&app, &request, None);
    let unlocked =
        gates::unlock(&mut app.stores.db.read(), &app.keys, &app.catalog, &token, app.clock.now()).await;
    match unlocked {
        Ok(unlocked) => {
            let asset = unlocked.asset;
            let name = asset.file.get(frame.language);
            let kind = name.rsplit_once('.').map_or(String::new(), |(_, ending)| ending.to_uppercase());
            let size = std::fs::metadata(content_file(&app, name)).map_or(0, |file| file.len());
            let fields = json!({
                "file": {
                    "title": asset.title.get(frame.language),
                    "description": asset.description.as_ref().map(|text| text.get(frame.language)),
                    "kind": kind,
                    "size": size_words(size),
                },
                "token": token.as_str(),
                "expires_at": unlocked.expires,
            });
            frame.page(StatusCode::OK, "pages/download", fields)
        }
        Err(error) => link_problem(&frame, error, &token),
    }
}

fn link_problem(frame: &Frame<'_>, error: gates::Error, token: &str) -> HttpResponse {
    match error {
        gates::Error::LinkExpired(_) => {
            let action = format!("/d/renew?lang={}", frame.language.code());
            let fields = json!({"sent": false, "token": token, "action": action});
            frame.page(StatusCode::GONE, "pages/link_expired", fields)
        }
        gates::Error::LinkRevoked => {
            let fields = json!({"sent": false, "token": null, "action": null});
            frame.page(StatusCode::GONE, "pages/link_expired", fields)
        }
        error => frame.problem(&error.into()),
    }
}

/// `GET /d/{token}/file`: the bytes. Counts nothing.
async fn file(app: Shared, request: HttpRequest, token: web::Path<String>) -> HttpResponse {
    let frame = Frame::of(&app, &request, None);
    let unlocked =
        gates::unlock(&mut app.stores.db.read(), &app.keys, &app.catalog, &token, app.clock.now()).await;
    match unlocked {
        Ok(unlocked) => hand_out(&app, &frame, &request, unlocked.asset),
        Err(error) => link_problem(&frame, error, &token),
    }
}

/// `POST /d/{token}/file`: the button of the page. Records the download and hands the file out.
async fn download(
    app: Shared,
    request: HttpRequest,
    token: web::Path<String>,
    body: web::Form<Vec<(String, String)>>,
) -> HttpResponse {
    let typed = Typed::of(body.into_inner());
    let mut frame = Frame::of(&app, &request, typed.get("zone"));
    if let Some(language) = typed.get("lang").and_then(Language::of_tag) {
        frame.language = language;
    }
    let now = app.clock.now();
    let unlocked = match gates::unlock(&mut app.stores.db.read(), &app.keys, &app.catalog, &token, now).await
    {
        Ok(unlocked) => unlocked,
        Err(error) => return link_problem(&frame, error, &token),
    };
    if typed.get("website").is_none() {
        let recorded = async {
            let mut tx = app.stores.db.begin().await?;
            gates::unlock::downloaded(&mut tx, &app.lifecycle, &unlocked, now).await?;
            Ok::<(), gates::Error>(tx.commit().await?)
        };
        // The person gets her file even if it cannot be noted down just now.
        if let Err(error) = recorded.await {
            tracing::error!(error = %error, "a download was not recorded");
        }
    }
    hand_out(&app, &frame, &request, unlocked.asset)
}

fn hand_out(app: &Shared, frame: &Frame<'_>, request: &HttpRequest, asset: &gates::Asset) -> HttpResponse {
    let name = asset.file.get(frame.language);
    let disposition = ContentDisposition {
        disposition: DispositionType::Attachment,
        parameters: vec![DispositionParam::Filename(name.to_owned())],
    };
    match NamedFile::open(content_file(app, name)) {
        Ok(file) => private(
            file.set_content_disposition(disposition)
                .set_content_encoding(ContentEncoding::Identity)
                .into_response(request),
        ),
        Err(error) => {
            tracing::error!(error = %error, asset.id = %asset.id, "a gated file cannot be read");
            frame.problem(&Problem::new(
                "asset.unknown",
                "The file is not here just now. Please try again later.",
            ))
        }
    }
}

fn content_file(app: &Shared, name: &str) -> std::path::PathBuf {
    app.config.path_of(&app.config.definitions.assets).join(Path::new(name))
}

/// What is gated is neither kept by proxies nor found by search engines, and its address is not passed on.
fn private(mut response: HttpResponse) -> HttpResponse {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=0"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow"));
    response
}

/// A size in words, to one decimal above a megabyte.
fn size_words(bytes: u64) -> String {
    const KB: u64 = 1024;
    const MB: u64 = 1024 * 1024;
    match bytes {
        0..MB => format!("{} KB", bytes.div_ceil(KB)),
        _ => format!("{}.{} MB", bytes / MB, bytes % MB * 10 / MB),
    }
}

/// `POST /d/renew`: the link had run out; a new one goes to the address that it was made for.
async fn renew(app: Shared, request: HttpRequest, body: web::Form<Vec<(String, String)>>) -> HttpResponse {
    let typed = Typed::of(body.into_inner());
    let frame = Frame::of(&app, &request, typed.get("zone"));
    match renewed(&app, typed.get("token").unwrap_or_default()).await {
        Ok(()) => {
            let fields = json!({"sent": true, "token": null, "action": null});
            frame.page(StatusCode::OK, "pages/link_expired", fields)
        }
        Err(problem) => frame.problem(&problem),
    }
}

async fn renewed(app: &Shared, token: &str) -> Result<(), Problem> {
    let now = app.clock.now();
    let unlocked = gates::unlock(&mut app.stores.db.read(), &app.keys, &app.catalog, token, now).await;
    let claims = match unlocked {
        Err(gates::Error::LinkExpired(claims)) => claims,
        // It still works: there is nothing to send.
        Ok(_) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let contact = gates::unlock::contact_of(&claims).ok_or(gates::Error::LinkUnknown)?;
    app.stores.limits.check("link_renew", &contact.to_string(), RENEW, now).await?;
    let mut tx = app.stores.db.begin().await?;
    for form in
        app.catalog.forms.iter().filter(|form| form.delivers.as_deref() == Some(claims.subject.as_str()))
    {
        let Some(earlier) = gates::latest_submission(&mut tx, contact, &form.id).await? else { continue };
        let event = Event::FormSubmitted { contact, submission: earlier.id, form: form.id.clone() };
        events::append(&mut tx, &event, now).await?;
        tx.commit().await?;
        return Ok(());
    }
    Err(gates::Error::LinkUnknown.into())
}

#[derive(Deserialize)]
struct Confirming {
    token: String,
    visitor: String,
}

/// `POST /v1/confirm`: a page that was opened from a mail says on which device.
async fn confirm(app: Shared, request: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Problem> {
    if origin(&request).is_some_and(|origin| origin != app.own_origin()) {
        return Err(crate::sites::Error::ForeignOrigin.into());
    }
    let sent: Confirming = serde_json::from_slice(&body)
        .map_err(|error| Problem::new("request.malformed", error.to_string()))?;
    let visitor = VisitorId::parse(&sent.visitor)
        .map_err(|error| Problem::new("request.malformed", error.to_string()))?;
    let mut tx = app.stores.db.begin().await?;
    let trust = gates::confirm(&mut tx, &app.keys, &sent.token, visitor, app.clock.now()).await?;
    tx.commit().await?;
    Ok(HttpResponse::Ok().json(json!({ "trust": trust })))
}

/// `GET /r/{token}`: a recording, in ranges of bytes.
async fn play(app: Shared, request: HttpRequest, token: web::Path<String>) -> Result<HttpResponse, Problem> {
    let recording = webinars::play(&app.webinars, &app.keys, &token, app.clock.now())?;
    let language = super::request::language(&request).unwrap_or_default();
    stream(&app, &request, recording.file.get(language))
}

/// `GET /r/{token}/poster`: its still image.
async fn poster(
    app: Shared,
    request: HttpRequest,
    token: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let recording = webinars::play(&app.webinars, &app.keys, &token, app.clock.now())?;
    let poster = recording.poster.as_deref().ok_or(webinars::Error::NoRecording)?;
    stream(&app, &request, poster)
}

/// `GET /r/{token}/{language}.vtt`: its captions.
async fn captions(
    app: Shared,
    request: HttpRequest,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (token, language) = path.into_inner();
    let recording = webinars::play(&app.webinars, &app.keys, &token, app.clock.now())?;
    let language = Language::of_tag(&language);
    let found = recording.captions.iter().find(|(known, _)| Some(*known) == language);
    let (_, name) = found.ok_or(webinars::Error::NoRecording)?;
    stream(&app, &request, name)
}

/// Players sit in pages of our sites: the answer may be read there, and holds nothing about a person.
fn stream(app: &Shared, request: &HttpRequest, name: &str) -> Result<HttpResponse, Problem> {
    let file = NamedFile::open(content_file(app, name)).map_err(|error| {
        tracing::error!(error = %error, "a recording cannot be read");
        Problem::new("recording.unknown", "The recording is not here just now.")
    })?;
    let file = file.disable_content_disposition().set_content_encoding(ContentEncoding::Identity);
    let mut response = private(file.into_response(request));
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600"));
    let name = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(name, HeaderValue::from_static("cross-origin"));
    cors::anybody(headers);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_people_say_them() {
        assert_eq!(size_words(1), "1 KB");
        assert_eq!(size_words(290_816), "284 KB");
        assert_eq!(size_words(1_572_864), "1.5 MB");
    }
}
