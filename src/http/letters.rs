//! What comes back of our mails: clicks on their links, and what providers and mail servers tell.

use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, HeaderName, LOCATION, REFERRER_POLICY, USER_AGENT};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value as Json, json};
use subtle::ConstantTimeEq;

use super::Shared;
use super::api::authorised;
use super::error::Problem;
use super::pages::{Frame, reading};
use super::request::header;
use crate::base::ids::{ClickId, ContactId};
use crate::base::signing::{Purpose, TokenError};
use crate::gates::unlock;
use crate::notify::feedback::{self, Heard, providers};
use crate::nurture;
use crate::nurture::State;
use crate::stages;
use crate::subscriptions::{self, clicks};

/// The parameter by which a landing page tells which click led to it.
pub const CLICK: &str = "embudo_c";
/// Largest message or list of events.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Mounts the doors.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors
        .service(web::resource("/l/{token}").route(reading().to(follow)))
        .service(
            web::resource("/v1/mail/{provider}/{secret}")
                .app_data(web::PayloadConfig::new(MOST_BYTES))
                .route(web::post().to(told)),
        )
        .service(
            web::resource("/api/v1/mail/bounces")
                .app_data(web::PayloadConfig::new(MOST_BYTES))
                .route(web::post().to(bounced)),
        )
        .route("/api/v1/nurture", web::get().to(sequences));
}

// --- clicks --------------------------------------------------------------------------------------

/// `GET /l/{token}`: goes on to where a link of a letter leads, and notes that somebody or something followed it. That
/// note alone makes nobody anything: see `subscriptions::clicks`.
async fn follow(app: Shared, request: HttpRequest, token: web::Path<String>) -> HttpResponse {
    match followed(&app, &request, &token).await {
        Ok(address) => HttpResponse::Found()
            .insert_header((LOCATION, address))
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header((REFERRER_POLICY, "no-referrer"))
            .insert_header((HeaderName::from_static("x-robots-tag"), "noindex, nofollow"))
            .finish(),
        Err(problem) => Frame::of(&app, &request, None).problem(&problem),
    }
}

async fn followed(app: &Shared, request: &HttpRequest, token: &str) -> Result<String, Problem> {
    let now = app.clock.now();
    let (contact, subject) = subscriptions::read_token(&app.keys, Purpose::Link, token, now)?;
    let mut parts = subject.splitn(3, ' ');
    let (mail, number, address) = (parts.next(), parts.next(), parts.next());
    let (Some(mail), Some(number), Some(address)) = (mail, number.and_then(|n| n.parse().ok()), address)
    else {
        return Err(TokenError::Forged.into());
    };
    let has_fetch_metadata = !header(request, HeaderName::from_static("sec-fetch-site")).is_empty();
    let is_head = request.method() == Method::HEAD;
    let signs = clicks::signs(is_head, has_fetch_metadata, header(request, USER_AGENT));
    let click = noted(app, mail, contact, (number, address), signs).await;
    // A store that is away must not keep a reader from what she wants to read.
    Ok(click.map_or_else(|| address.to_owned(), |click| landing(app, address, click, mail, contact)))
}

async fn noted(
    app: &Shared,
    mail: &str,
    contact: ContactId,
    link: (i64, &str),
    signs: Vec<String>,
) -> Option<ClickId> {
    let noted = async {
        let mut tx = app.stores.db.begin().await?;
        let click = clicks::note(&mut tx, (mail, contact), link, signs, app.clock.now()).await?;
        tx.commit().await?;
        Ok::<_, subscriptions::Error>(click)
    };
    match noted.await {
        Ok(click) => Some(click),
        Err(error) => {
            tracing::warn!(error = %error, "a click cannot be noted");
            None
        }
    }
}

/// The address with the click's id and whom the letter was sent to, if the page there can tell us what became of it: if it
/// is a site's of ours.
fn landing(app: &Shared, address: &str, click: ClickId, mail: &str, contact: ContactId) -> String {
    let Ok(mut url) = url::Url::parse(address) else { return address.to_owned() };
    let origin = url.origin().ascii_serialization();
    if !app.sites.all().any(|site| site.allows_origin(&origin)) {
        return address.to_owned();
    }
    let passage = unlock::passage_of_letter(&app.keys, mail, contact, app.clock.now());
    url.query_pairs_mut().append_pair(CLICK, &click.to_string()).append_pair(unlock::PASSAGE, &passage);
    url.to_string()
}

/// A visit that a click led to gave attention to its page: the click was a person's. Not part of taking the hit, and the
/// click's id is kept with no hit, so that a visit without consent stays nobody's.
pub fn attended(app: &Shared, click: ClickId, engaged_ms: i64) {
    let app = app.clone();
    actix_web::rt::spawn(async move {
        let now = app.clock.now();
        let attended = async {
            let mut tx = app.stores.db.begin().await?;
            if let Some(contact) = clicks::attended(&mut tx, click, engaged_ms, now).await? {
                stages::evaluate(&mut tx, &app.lifecycle, contact, now)
                    .await
                    .map_err(|error| Problem::new("internal", error.to_string()))?;
            }
            tx.commit().await?;
            Ok::<_, Problem>(())
        };
        if let Err(problem) = attended.await {
            tracing::warn!(error = problem.detail(), "what became of a click cannot be noted");
        }
    });
}

/// The click that led to the page of this address.
pub fn click_of(query: &str) -> Option<ClickId> {
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == CLICK)
        .and_then(|(_, id)| ClickId::parse(&id).ok())
}

// --- what is told of our mails -------------------------------------------------------------------

/// `POST /v1/mail/{provider}/{secret}`: bounces and complaints as a provider tells them.
async fn told(
    app: Shared,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    body: web::Bytes,
) -> Result<HttpResponse, Problem> {
    let (provider, given) = path.into_inner();
    let secret = app.config.mail.hooks.expose();
    let is_known: bool = given.as_bytes().ct_eq(secret.as_bytes()).into();
    let provider = providers::Provider::of_word(&provider).filter(|_| is_known && !secret.is_empty());
    let provider = provider.ok_or_else(super::not_found)?;
    let told: Json =
        serde_json::from_slice(&body).map_err(|error| Problem::unread("request.malformed", &error))?;
    if !is_signed(&app, &request, provider, &told, &body).await {
        return Err(Problem::new("mail.signature_wrong", "The signature does not hold for this body."));
    }
    if provider == providers::Provider::Ses && told.get("Type").and_then(Json::as_str) != Some("Notification")
    {
        // Amazon asks whether we want to be told; the answer is to fetch what it names.
        let address = told.get("SubscribeURL").and_then(Json::as_str).unwrap_or_default();
        app.desk
            .outbound
            .get_text(address, providers::is_sns_host)
            .await
            .map_err(|error| Problem::new("mail.signature_wrong", error.to_string()))?;
        return Ok(HttpResponse::NoContent().finish());
    }
    let mut news = 0;
    for report in provider.reports(&told) {
        let is_news =
            feedback::take_report(&app.stores.db, &app.keys, provider.word(), &report, app.clock.now())
                .await
                .map_err(|error| Problem::new("store.unavailable", error.to_string()))?;
        news += i64::from(is_news);
    }
    Ok(HttpResponse::Ok().json(json!({ "news": news })))
}

async fn is_signed(
    app: &Shared,
    request: &HttpRequest,
    provider: providers::Provider,
    told: &Json,
    body: &[u8],
) -> bool {
    let (settings, now) = (&app.config.mail, app.clock.now());
    match provider {
        providers::Provider::Ses => {
            let text = |name: &str| told.get(name).and_then(Json::as_str).unwrap_or_default();
            if !settings.ses_topics.iter().any(|topic| topic == text("TopicArn")) {
                return false;
            }
            let certificate =
                app.desk.outbound.get_text(text("SigningCertURL"), providers::is_sns_host).await;
            certificate.is_ok_and(|certificate| providers::sns_signed(told, &certificate))
        }
        providers::Provider::SendGrid if !settings.sendgrid_key.is_empty() => {
            let part = |name: &'static str| header(request, HeaderName::from_static(name));
            let signature = part("x-twilio-email-event-webhook-signature");
            let at = part("x-twilio-email-event-webhook-timestamp");
            providers::sendgrid_signed(&settings.sendgrid_key, signature, at, body, now)
        }
        providers::Provider::Mailgun if !settings.mailgun_key.is_empty() => {
            providers::mailgun_signed(settings.mailgun_key.expose(), told, now)
        }
        providers::Provider::SendGrid
        | providers::Provider::Mailgun
        | providers::Provider::Postmark
        | providers::Provider::Brevo => true,
    }
}

/// `POST /api/v1/mail/bounces`: a message that came to the return path, as it is.
async fn bounced(app: Shared, request: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let heard: Heard = feedback::take_message(&app.stores.db, &app.keys, &body, app.clock.now())
        .await
        .map_err(|error| Problem::new("mail.message_unreadable", error.to_string()))?;
    Ok(HttpResponse::Ok().json(json!({ "heard": heard })))
}

// --- sequences -----------------------------------------------------------------------------------

/// `GET /api/v1/nurture`: every sequence, its steps, and how many walk through it.
async fn sequences(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let counts = nurture::counts(&mut app.stores.db.read()).await?;
    let of = |id: &str, state: State| {
        counts.iter().find(|(name, found, ..)| name == id && *found == state).map(|(_, _, n, at)| (*n, *at))
    };
    let list: Vec<Json> = app
        .desk
        .sequences
        .all()
        .iter()
        .map(|sequence| {
            let count = |state: State| of(&sequence.id, state).map_or(0, |(n, _)| n);
            let steps: Vec<Json> = sequence
                .steps
                .iter()
                .map(|step| {
                    let condition = step.condition.as_ref().map(|condition| condition.text());
                    json!({ "wait_ms": step.wait_ms, "if": condition, "mail": step.mail })
                })
                .collect();
            json!({
                "id": sequence.id,
                "name": sequence.name,
                "topic": sequence.topic,
                "steps": steps,
                "active": count(State::Active),
                "done": count(State::Done),
                "left": count(State::Left),
                "next_at": of(&sequence.id, State::Active).map(|(_, at)| at),
            })
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({ "sequences": list })))
}
