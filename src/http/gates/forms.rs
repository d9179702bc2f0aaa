//! `/v1/forms/{form}`: forms in the pages of our sites. Before anybody is let in, the layers stand in the order of their
//! cost: origin, the limit of the network, nonce and fill time, syntax, honeypot, the limits of the address and the form, and
//! then what looks at the address ([`gates::Screen`]). docs/decisions/0016 says why the network's limit comes so early.

use std::collections::BTreeMap;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde::Deserialize;
use serde_json::json;

use super::fields::Drawn;
use crate::base::ids::{ContactId, VisitorId};
use crate::base::language::Language;
use crate::base::network::network_of;
use crate::base::time::zone;
use crate::contacts::{Consent, Seen};
use crate::gates::attribution;
use crate::gates::form::Typed;
use crate::gates::screen::Reason;
use crate::gates::{self, Asked, Form, Submission, Submitted, quarantine};
use crate::http::error::Problem;
use crate::http::request::{Proxies, origin};
use crate::http::{Shared, cors, request};
use crate::storage::limits::Quota;
use crate::webinars;

/// Longest page address that is kept with a submission.
const PAGE_MOST: usize = 500;
/// Largest body of a form.
const BODY_MOST: usize = 64 * 1024;
/// Forms that one address may be typed into: a flood of mails to a victim stops here.
const PER_ADDRESS: Quota = Quota { per_minute: 1, burst: 8 };

/// Forms that are begun from one network: an office behind one address fills in many.
const PER_NETWORK_BEGUN: Quota = Quota { per_minute: 60, burst: 120 };

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    site: String,
    /// The device, if it may be recognised: who is confirmed there is not asked twice.
    #[serde(default)]
    visitor: String,
    /// The page has a form of its own: whichever fields it shows are taken.
    #[serde(default)]
    own: String,
}

/// `GET /v1/forms/{form}`: the form as the snippet draws it, with a fresh nonce.
pub(super) async fn show(
    app: Shared,
    request: HttpRequest,
    form: web::Path<String>,
    wanted: web::Query<Wanted>,
) -> HttpResponse {
    let mut response =
        shown(&app, &request, &form, &wanted).await.unwrap_or_else(|problem| problem.error_response());
    cors::sites(&app, &request, response.headers_mut());
    response
}

async fn shown(
    app: &Shared,
    request: &HttpRequest,
    form: &str,
    wanted: &Wanted,
) -> Result<HttpResponse, Problem> {
    let site = app.sites.find_for(&wanted.site, origin(request), app.own_origin())?;
    let form = app.catalog.form(form)?;
    let language = request::language(request).unwrap_or(site.language);
    let asked = if wanted.own.is_empty() {
        asked_of(app, form, VisitorId::parse(&wanted.visitor).ok()).await?
    } else {
        Asked::Own
    };
    let (typed, errors) = (Typed::new(), BTreeMap::new());
    let drawn = Drawn { form, asked: &asked, language, typed: &typed, errors: &errors, agreed: &[] };
    let mut fields = drawn.described();
    fields["form"] = json!(form.id);
    let now = app.clock.now();
    fields["nonce"] = json!(gates::nonce(&app.keys, form, &asked, now));
    if request::is_by_a_person(app, request) {
        app.shown.viewed(&form.id, &site.key, now);
    }
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(fields))
}

/// What of its queue a form asks on this device.
pub(super) async fn asked_of(
    app: &Shared,
    form: &Form,
    visitor: Option<VisitorId>,
) -> Result<Asked, gates::Error> {
    if form.queue.is_empty() {
        return Ok(Asked::Nothing);
    }
    let visitor = visitor.filter(|_| !form.is_kiosk);
    Ok(form.ask(&gates::known_fields(&mut app.stores.db.read(), visitor).await?))
}

/// What the snippet sends.
#[derive(Deserialize, Default)]
pub(in crate::http) struct Sent {
    #[serde(default)]
    pub site: String,
    #[serde(default)]
    pub(super) values: BTreeMap<String, Value>,
    #[serde(default)]
    pub visitor: Option<String>,
    #[serde(default)]
    pub consent: String,
    #[serde(default)]
    pub page: Option<String>,
    #[serde(default)]
    pub referrer: Option<String>,
    #[serde(default)]
    pub language: String,
    #[serde(default)]
    pub zone: Option<String>,
    #[serde(default)]
    pub nonce: String,
    #[serde(default)]
    pub agreed: Vec<String>,
    /// The visitor has seen a warning and sends the form again.
    #[serde(default)]
    pub warned: bool,
    /// The honeypot: people do not see it.
    #[serde(default)]
    pub website: String,
}

/// One value, as forms in JSON may have it.
#[derive(Deserialize, Clone)]
#[serde(untagged)]
pub(super) enum Value {
    Text(String),
    Several(Vec<String>),
    Ticked(bool),
    Number(serde_json::Number),
}

impl Sent {
    /// What was typed, by field.
    fn typed(&self) -> Typed {
        let texts = |value: &Value| match value {
            Value::Text(text) => vec![text.clone()],
            Value::Several(texts) => texts.clone(),
            Value::Ticked(ticked) => vec![ticked.to_string()],
            Value::Number(number) => vec![number.to_string()],
        };
        self.values.iter().map(|(name, value)| (name.clone(), texts(value))).collect()
    }

    /// The same with these values.
    pub fn with(mut self, typed: &Typed) -> Self {
        self.values =
            typed.iter().map(|(name, texts)| (name.clone(), Value::Several(texts.clone()))).collect();
        self
    }
}

/// `POST /v1/forms/{form}`.
pub(super) async fn take(
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
        serde_json::from_slice(body).map_err(|error| Problem::unread("request.malformed", &error))?;
    let site = app.sites.find_for(&sent.site, origin(request), app.own_origin())?;
    let form = app.catalog.form(form)?;
    let language = Language::of_tag(&sent.language).unwrap_or(site.language);
    limit(app, proxies, request).await?;
    let answer = |visitor, message: &str, link: Option<String>| {
        HttpResponse::Ok().json(json!({
            "visitor": visitor,
            "title": form.done.title.get(language),
            "message": message,
            "link": link,
        }))
    };
    let seen = request::seen(proxies, request);
    match take_in(app, form, form.registers.as_deref(), &sent, &site.key, (language, &seen)).await {
        Ok(Taken::In(submitted)) => {
            let visitor = submitted.visitor.map(|visitor| visitor.to_string());
            let message = form.done.message.get(language);
            Ok(answer(visitor, message, link(app, form, submitted.contact, language)))
        }
        Ok(Taken::Apart(visitor)) => {
            let visitor = visitor.map(|visitor| visitor.to_string());
            let message = form.done.message.get(language);
            Ok(answer(visitor, message, link(app, form, ContactId::new(), language)))
        }
        Err(Refused::Invalid(invalid)) => {
            let words = invalid.words(language);
            Err(Problem::new("form.invalid", "Some answers are missing or wrong.")
                .with("fields", json!(words))
                .with("warned", invalid.is_warning()))
        }
        Err(Refused::Problem(problem)) => Err(problem),
    }
}

/// Somebody begins to fill in a form.
#[derive(Deserialize)]
pub(super) struct Begun {
    #[serde(default)]
    site: String,
    #[serde(default)]
    nonce: String,
}

/// `POST /v1/forms/{form}/begun`: counts that somebody begins to fill in a form that was shown to her.
pub(super) async fn begun(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    form: web::Path<String>,
    body: web::Bytes,
) -> HttpResponse {
    let noted = note_begun(&app, &proxies, &request, &form, &body).await;
    let mut response = noted.unwrap_or_else(|problem| problem.error_response());
    cors::sites(&app, &request, response.headers_mut());
    response
}

async fn note_begun(
    app: &Shared,
    proxies: &Proxies,
    request: &HttpRequest,
    form: &str,
    body: &[u8],
) -> Result<HttpResponse, Problem> {
    let begun: Begun =
        serde_json::from_slice(body).map_err(|error| Problem::unread("request.malformed", &error))?;
    let site = app.sites.find_for(&begun.site, origin(request), app.own_origin())?;
    let form = app.catalog.form(form)?;
    let now = app.clock.now();
    let network = network_of(proxies.client(request));
    app.stores.limits.check("forms_begun", &network, PER_NETWORK_BEGUN, now).await?;
    // Only what was handed out here can be begun; whoever made up a nonce is told nothing and counts for nothing.
    if request::is_by_a_person(app, request) && gates::is_shown(&app.keys, form, &begun.nonce, now) {
        app.shown.begun(&form.id, &site.key, now);
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Why a form was not taken.
pub(in crate::http) enum Refused {
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

/// What became of a form that was sent.
pub(in crate::http) enum Taken {
    /// It was taken.
    In(Submitted),
    /// It looks odd and was set apart. The sender is answered like anybody, with the visitor that anybody would be told, and
    /// learns neither that it was nor by which layer: the reason stands beside what was set apart.
    Apart(Option<VisitorId>),
}

/// Lets a form in through all layers behind the limit of its network, in one transaction; with it goes the registration
/// for a webinar.
pub(in crate::http) async fn take_in(
    app: &Shared,
    form: &Form,
    registers: Option<&str>,
    sent: &Sent,
    site: &str,
    (language, seen): (Language, &Seen),
) -> Result<Taken, Refused> {
    let now = app.clock.now();
    let is_trapped = !sent.website.is_empty();
    // What is wrong is told alike to whoever filled in the trap and to whoever did not: the difference would be the trap.
    let showing = gates::check_nonce(&app.keys, form, &sent.nonce, now)?;
    let answers = form.validate(&sent.typed(), &sent.agreed, &showing.asked).map_err(Refused::Invalid)?;
    app.stores.limits.check("form_address", answers.email.as_str(), PER_ADDRESS, now).await?;
    let settings = &app.config.forms;
    let quota = Quota { per_minute: settings.form_per_minute, burst: settings.form_burst };
    let is_flooded = app.stores.limits.check("form", &form.id, quota, now).await.is_err();
    let odd = match (is_trapped, is_flooded) {
        (true, _) => Some(Reason::Honeypot),
        // Nobody else's name server is asked on behalf of a flood.
        (false, true) => Some(Reason::Flood),
        (false, false) => {
            app.screen.look(form, &answers, sent.warned, now).await.map_err(Refused::Invalid)?
        }
    };
    let consent = if form.is_kiosk { Consent::None } else { Consent::of_word(&sent.consent) };
    let visitor = sent
        .visitor
        .as_deref()
        .and_then(|text| VisitorId::parse(text).ok())
        .filter(|_| consent != Consent::None);
    let page: Option<String> = sent.page.as_ref().map(|page| page.chars().take(PAGE_MOST).collect());
    let way = attribution::of(
        &mut app.stores.db.read(),
        visitor,
        sent.page.as_deref(),
        sent.referrer.as_deref(),
        now,
    )
    .await?;
    let submission = Submission {
        form,
        answers: &answers,
        site,
        visitor,
        consent,
        page: page.as_deref(),
        language,
        time_zone: sent.zone.as_deref().filter(|name| zone(name).is_some()),
        nonce: &showing.nonce,
        attribution: &way,
        registers,
        shows_boxes: showing.asked != Asked::Own,
        seen: Some(seen),
    };
    let mut tx = app.stores.db.begin().await?;
    let taken = match odd {
        Some(reason) => {
            // Taken as any other and undone again, so that the answer is any other's: also where that is a refusal, such as
            // of a nonce that served somebody else, or of a webinar that is over.
            tx.savepoint().await?;
            let answered = webinars::take(&mut tx, &app.lifecycle, &app.webinars, &submission, now).await?;
            tx.rollback_to_savepoint().await?;
            quarantine::keep(&mut tx, &submission, reason, now).await?;
            Taken::Apart(answered.visitor)
        }
        None => Taken::In(webinars::take(&mut tx, &app.lifecycle, &app.webinars, &submission, now).await?),
    };
    tx.commit().await?;
    Ok(taken)
}

/// The link that the answer to a form holds, if its file is handed out at once. Whose form was set apart is nobody yet, and
/// her link is nobody's: it opens the same file, which whoever types an address is given, and leaves no trace.
pub(super) fn link(app: &Shared, form: &Form, contact: ContactId, language: Language) -> Option<String> {
    let asset = app.catalog.delivered_by(form).filter(|asset| asset.deliver.is_inline() && !form.is_kiosk)?;
    let token = gates::inline_link(&app.keys, asset, contact, app.clock.now());
    Some(format!("/d/{token}?lang={}", language.code()))
}

/// Counts a form against the network that it comes from.
pub(in crate::http) async fn limit(
    app: &Shared,
    proxies: &Proxies,
    request: &HttpRequest,
) -> Result<(), Problem> {
    let settings = &app.config.forms;
    let quota = Quota { per_minute: settings.per_minute, burst: settings.burst };
    let network = network_of(proxies.client(request));
    Ok(app.stores.limits.check("forms", &network, quota, app.clock.now()).await?)
}
