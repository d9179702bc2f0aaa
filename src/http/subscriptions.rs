//! The doors of letters: the button that confirms, the one click that ends them, and what programs ask and say.
//!
//! Seeing a page changes nothing: programs that look into mails open every link. Only a `POST` does: by the button, by the
//! script of the page in the browser that asked for the letters, or by a mail program's one click (RFC 8058), which needs
//! neither cookie nor login.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde::Deserialize;
use serde_json::json;

use super::Shared;
use super::api::{authorised, is_about};
use super::error::Problem;
use super::pages::{Frame, reading};
use super::request::{Proxies, seen};
use crate::base::email::Email;
use crate::base::ids::{ContactId, VisitorId};
use crate::base::language::Language;
use crate::base::signing::Purpose;
use crate::contacts::{self, Consent, Contact, Identification, Seen, Trust};
use crate::jobs::held::Held;
use crate::subscriptions::suppression::{self, Reason};
use crate::subscriptions::{self, Topic};

/// Mounts the doors.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors
        .service(web::resource("/s/{token}").route(reading().to(ask)).route(web::post().to(confirm)))
        .service(web::resource("/u/{token}").route(reading().to(show_end)).route(web::post().to(end)))
        .service(
            web::resource("/api/v1/subscriptions")
                .route(web::get().to(list))
                .route(web::post().to(subscribe)),
        )
        .route("/api/v1/subscriptions/end", web::post().to(unsubscribe))
        .service(
            web::resource("/api/v1/suppressions")
                .route(web::get().to(suppressed))
                .route(web::post().to(suppress)),
        )
        .route("/api/v1/suppressions/release", web::post().to(release));
}

// --- confirming ----------------------------------------------------------------------------------

async fn ask(app: Shared, request: HttpRequest, token: web::Path<String>) -> HttpResponse {
    let frame = Frame::of(&app, &request, None);
    match subscriptions::read_confirmation(&app.keys, &token, app.clock.now()) {
        Ok(asked) => {
            let names = names(&app, &asked.topics, frame.language);
            let action = format!("/s/{token}?lang={}", frame.language.code());
            let fields = json!({ "done": false, "topics": names, "action": action, "preferences": null });
            frame.page(StatusCode::OK, "pages/subscription", fields)
        }
        Err(error) => frame.problem(&error.into()),
    }
}

fn names(app: &Shared, topics: &[String], language: Language) -> Vec<String> {
    topics.iter().map(|topic| app.desk.topics.name(topic, language).to_owned()).collect()
}

/// What the page sends: nothing by the button, the browser's visitor by its script.
#[derive(Deserialize, Default)]
struct Confirmed {
    #[serde(default)]
    device: String,
}

async fn confirm(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    token: web::Path<String>,
    sent: web::Form<Confirmed>,
) -> HttpResponse {
    let frame = Frame::of(&app, &request, None);
    let is_script = !sent.device.is_empty();
    match confirmed(&app, &token, &sent.device, &seen(&proxies, &request)).await {
        Ok((contact, topics)) => {
            let preferences = subscriptions::preferences_token(&app.keys, contact.id, app.clock.now());
            let preferences = format!("/preferences/{preferences}?lang={}", frame.language.code());
            let names = names(&app, &topics, frame.language);
            let fields = json!({ "done": true, "topics": names, "action": null, "preferences": preferences });
            frame.page(StatusCode::OK, "pages/subscription", fields)
        }
        Err(problem) if is_script => problem.error_response(),
        Err(problem) => frame.problem(&problem),
    }
}

async fn confirmed(
    app: &Shared,
    token: &str,
    device: &str,
    seen: &Seen,
) -> Result<(Contact, Vec<String>), Problem> {
    let now = app.clock.now();
    let device = match device {
        "" => None,
        // A text that is no visitor's is another device's.
        text => Some(VisitorId::parse(text).map_err(|_| subscriptions::Error::OtherDevice)?),
    };
    let mut tx = app.stores.db.begin().await?;
    let (contact, topics) =
        subscriptions::confirm(&mut tx, &app.keys, token, device, Some(seen), now).await?;
    if let Some(device) = device {
        // The browser that asked holds the mail's link: its holder reads the mailbox.
        contacts::raise_trust(&mut tx, device, contact.id, Trust::Confirmed, now).await?;
    }
    tx.commit().await?;
    Ok((contact, topics))
}

// --- ending --------------------------------------------------------------------------------------

/// What a link out ends: one topic, or invitations.
enum Out {
    Topic(String),
    Invitations,
}

/// Whose link it is, and what it ends.
fn out(app: &Shared, token: &str) -> Result<(ContactId, Out), Problem> {
    let now = app.clock.now();
    match subscriptions::read_token(&app.keys, Purpose::Unsubscribe, token, now) {
        Ok((contact, topic)) => Ok((contact, Out::Topic(topic))),
        Err(_) => {
            let (contact, to) = subscriptions::read_token(&app.keys, Purpose::Objection, token, now)?;
            match to.as_str() {
                // Invitations that were sent before they had a name of their own say `marketing`.
                contacts::INVITATIONS | contacts::MARKETING => Ok((contact, Out::Invitations)),
                _ => Err(Problem::new("token.forged", "The link is for something else.")),
            }
        }
    }
}

async fn show_end(app: Shared, request: HttpRequest, token: web::Path<String>) -> HttpResponse {
    let frame = Frame::of(&app, &request, None);
    match out(&app, &token) {
        Ok((contact, out)) => end_page(&app, &frame, &token, contact, &out, false),
        Err(problem) => frame.problem(&problem),
    }
}

async fn end(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    token: web::Path<String>,
) -> HttpResponse {
    let frame = Frame::of(&app, &request, None);
    let seen = seen(&proxies, &request);
    let ended = async {
        let (contact, out) = out(&app, &token)?;
        let now = app.clock.now();
        let mut tx = app.stores.db.begin().await?;
        let known = contacts::find(&mut tx, contact).await?.ok_or(contacts::Error::Unknown)?;
        match &out {
            Out::Topic(topic) => {
                subscriptions::leave(&mut tx, &app.keys, &known, topic, ("one_click", &seen), now).await?;
            }
            Out::Invitations => {
                subscriptions::refuse_invitations(&mut tx, &app.keys, &known, ("one_click", &seen), now)
                    .await?;
            }
        }
        tx.commit().await?;
        Ok::<_, Problem>((contact, out))
    };
    match ended.await {
        Ok((contact, out)) => end_page(&app, &frame, &token, contact, &out, true),
        Err(problem) => frame.problem(&problem),
    }
}

fn end_page(
    app: &Shared,
    frame: &Frame<'_>,
    token: &str,
    contact: ContactId,
    out: &Out,
    is_done: bool,
) -> HttpResponse {
    let topic = match out {
        Out::Topic(topic) => Some(app.desk.topics.name(topic, frame.language).to_owned()),
        Out::Invitations => None,
    };
    let preferences = subscriptions::preferences_token(&app.keys, contact, app.clock.now());
    let lang = frame.language.code();
    let fields = json!({
        "done": is_done,
        "topic": topic,
        "action": format!("/u/{token}?lang={lang}"),
        "preferences": format!("/preferences/{preferences}?lang={lang}"),
    });
    frame.page(StatusCode::OK, "pages/objection", fields)
}

// --- programs ------------------------------------------------------------------------------------

#[derive(Deserialize)]
struct About {
    email: String,
}

fn address(text: &str) -> Result<Email, Problem> {
    Email::parse(text).map_err(|_| Problem::new("form.invalid", "`email` is not an e-mail address."))
}

fn topic<'a>(app: &'a Shared, id: &str) -> Result<&'a Topic, Problem> {
    Ok(app.desk.topics.find(id).ok_or(subscriptions::Error::NoTopic)?)
}

/// `GET /api/v1/subscriptions?email=…`.
async fn list(app: Shared, request: HttpRequest, about: web::Query<About>) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let mut q = app.stores.db.read();
    let contact = subscriptions::contact_of(&mut q, &address(&about.email)?).await?;
    let all = subscriptions::of_contact(&mut q, contact.id).await?;
    let now = app.clock.now();
    let paused = subscriptions::paused_until(&mut q, contact.id, now).await?;
    let invitations = subscriptions::invites(&mut q, &app.keys, &contact, now).await?;
    Ok(HttpResponse::Ok().json(json!({
        "contact": contact.id, "subscriptions": all, "invitations": invitations, "paused_until": paused,
        "frequency": subscriptions::frequency(&mut q, contact.id).await?,
    })))
}

#[derive(Deserialize)]
struct Subscribe {
    email: String,
    topic: String,
    /// The words that were agreed to, for the ledger.
    consent: String,
    #[serde(default)]
    site: String,
    #[serde(default)]
    language: String,
}

/// `POST /api/v1/subscriptions`: asks for a topic on somebody's behalf. Where the topic wants it, she is asked by mail.
async fn subscribe(app: Shared, request: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let asked: Subscribe = read(&body)?;
    let (email, topic) = (address(&asked.email)?, topic(&app, &asked.topic)?);
    if asked.consent.trim().is_empty() {
        return Err(Problem::new("form.invalid", "`consent` must hold the words that were agreed to."));
    }
    let site = app.sites.all().find(|site| asked.site.is_empty() || site.key == asked.site);
    let language = Language::of_tag(&asked.language).or_else(|| site.map(|site| site.language));
    let language = language.unwrap_or_default();
    let now = app.clock.now();
    let mut tx = app.stores.db.begin().await?;
    let who = Identification {
        email: &email,
        visitor: None,
        site: site.map_or("", |site| site.key.as_str()),
        trust: Trust::Claimed,
        consent: Consent::None,
        language,
        time_zone: None,
    };
    let identified = contacts::identify(&mut tx, &who, now).await?;
    let contact = identified.contact.id;
    let text = Some((topic.id.as_str(), language, asked.consent.trim()));
    let page = Some("api");
    contacts::record_consent(&mut tx, Some(contact), None, &topic.id, "granted", text, page, now).await?;
    let outcome = subscriptions::ask(&mut tx, topic, contact, None, "api", now).await?;
    tx.commit().await?;
    is_about(&request, contact);
    Ok(HttpResponse::Accepted().json(json!({ "contact": contact, "outcome": outcome })))
}

#[derive(Deserialize)]
struct Unsubscribe {
    email: String,
    /// None ends all.
    #[serde(default)]
    topic: Option<String>,
}

/// `POST /api/v1/subscriptions/end`.
async fn unsubscribe(app: Shared, request: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let asked: Unsubscribe = read(&body)?;
    let now = app.clock.now();
    let mut tx = app.stores.db.begin().await?;
    let contact = subscriptions::contact_of(&mut tx, &address(&asked.email)?).await?;
    is_about(&request, contact.id);
    match asked.topic {
        Some(id) => {
            let topic = topic(&app, &id)?;
            subscriptions::leave(&mut tx, &app.keys, &contact, &topic.id, "api", now).await?;
        }
        None => subscriptions::leave_all(&mut tx, &app.keys, &contact, "api", now).await?,
    }
    tx.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /api/v1/suppressions?email=…`: why an address is not written to.
async fn suppressed(
    app: Shared,
    request: HttpRequest,
    about: web::Query<About>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let (email, now) = (address(&about.email)?, app.clock.now());
    let lines = suppression::of_address(&mut app.stores.db.read(), &app.keys, &email, now).await?;
    Ok(HttpResponse::Ok().json(json!({ "suppressions": lines })))
}

#[derive(Deserialize)]
struct Suppress {
    email: String,
    #[serde(default)]
    detail: Option<String>,
}

/// `POST /api/v1/suppressions`: nothing goes to this address any more.
async fn suppress(app: Shared, request: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let asked: Suppress = read(&body)?;
    let email = address(&asked.email)?;
    let mut tx = app.stores.db.begin().await?;
    let (scope, detail, now) = (suppression::ALL, asked.detail.as_deref(), app.clock.now());
    suppression::suppress(&mut tx, &app.keys, &email, scope, Reason::Manual, detail, now).await?;
    if let Some(known) = contacts::find_by_email(&mut tx, &email).await? {
        is_about(&request, known.id);
    }
    tx.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /api/v1/suppressions/release`: takes back what was blocked by hand or by bounces, and sends what was
/// held back about calls ahead. A reader's own no stays hers.
async fn release(app: Shared, request: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let asked: Suppress = read(&body)?;
    let (email, now) = (address(&asked.email)?, app.clock.now());
    let held = Held::find(&app.desk, &email, now).await?;
    let mut tx = app.stores.db.begin().await?;
    let released = held.release(&mut tx, &app.desk, now).await?;
    if let Some(known) = contacts::find_by_email(&mut tx, &email).await? {
        is_about(&request, known.id);
    }
    tx.commit().await?;
    Ok(HttpResponse::Ok().json(json!({ "released": released.reasons, "mails": released.mails })))
}

fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::unread("request.malformed", &error))
}
