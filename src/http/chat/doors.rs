//! What visitors do.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_LANGUAGE, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::{Hub, refusal};
use crate::base::ids::{ConversationId, VisitorId};
use crate::base::language::Language;
use crate::base::network::network_of;
use crate::base::time::Timestamp;
use crate::chat::body::{Author, Face, Said};
use crate::chat::live::approach;
use crate::chat::{self, Page, Visit, resume, whose};
use crate::contacts::Consent;
use crate::http::error::Problem;
use crate::http::request::{Proxies, bearer, origin};
use crate::http::{Shared, cors};
use crate::storage::limits::Quota;

/// Longest page address and title that are kept.
const PAGE_LENGTH: usize = 500;
/// Most ranges in one report of what was watched.
const RANGES: usize = 200;

#[derive(Deserialize)]
struct Coming {
    site: String,
    visitor: Option<VisitorId>,
    #[serde(default)]
    consent: Consent,
    #[serde(default)]
    page: Page,
    #[serde(default)]
    language: String,
    #[serde(default)]
    zone: String,
    #[serde(default)]
    returning: bool,
    #[serde(default)]
    flow: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    client_id: String,
    body: Said,
}

#[derive(Deserialize)]
struct Seen {
    recording: String,
    #[serde(default)]
    ranges: Vec<(f64, f64)>,
}

#[derive(Deserialize)]
struct Told {
    name: String,
}

#[derive(Deserialize)]
struct Answer {
    answer: YesOrNo,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum YesOrNo {
    Yes,
    No,
}

#[derive(Deserialize)]
struct Read {
    seq: i64,
}

/// `POST /v1/chat/trigger`: the flows that want to be opened on this page, and when.
pub async fn trigger(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    body: web::Bytes,
) -> HttpResponse {
    let answer = async {
        let (visit, _, now) = coming(&app, &proxies, &request, &body, "chat.trigger").await?;
        let offers = chat::offer(&app.room, &visit, now).await?;
        // Where somebody takes chats she may want to talk first; her page asks from time to time.
        let asks = visit.visitor.is_some() && !app.room.there(now).await.is_empty();
        if offers.is_empty() && !asks {
            return Ok(HttpResponse::NoContent().finish());
        }
        let offers: Vec<Json> = offers.iter().map(offered).collect();
        let mut told = json!({ "offers": offers });
        if asks {
            told["again_ms"] = json!(approach::ASKED_EVERY_MS);
        }
        Ok(HttpResponse::Ok().json(told))
    };
    begun(&app, &request, &body, answer.await)
}

/// `POST /v1/chat/called`: whether somebody of the company has spoken to this visitor. Pages ask it again and again.
pub async fn called(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    body: web::Bytes,
) -> HttpResponse {
    let answer = async {
        let (visit, _, now) = coming(&app, &proxies, &request, &body, "chat.called").await?;
        let Some(visitor) = visit.visitor else { return Ok(HttpResponse::NoContent().finish()) };
        Ok(match approach::called(&app.room, &visit.site, visitor, now).await.map_err(chat::Error::from)? {
            Some(offer) => HttpResponse::Ok().json(json!({ "offers": [offered(&offer)] })),
            None => HttpResponse::NoContent().finish(),
        })
    };
    begun(&app, &request, &body, answer.await)
}

/// A flow and the moment for which it waits. Where nothing else is waited for there is always a time.
fn offered(offer: &chat::Offered) -> Json {
    let moment = &offer.moment;
    let waits = offer.event.is_some() || moment.is_hers();
    let delay_ms = moment.delay_ms.or((!waits).then_some(0));
    let mut told = json!({ "flow": offer.flow, "open": offer.open });
    for (key, value) in [
        ("delay_ms", delay_ms.map(Json::from)),
        ("scroll", moment.scroll.map(Json::from)),
        ("idle_ms", moment.idle_ms.map(Json::from)),
        ("exit_intent", moment.exit_intent.then_some(Json::Bool(true))),
        ("event", offer.event.clone().map(Json::from)),
    ] {
        if let Some(value) = value {
            told[key] = value;
        }
    }
    told
}

/// `POST /v1/chat`: begins a conversation, or gives back the one that is open.
pub async fn open(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    body: web::Bytes,
) -> HttpResponse {
    let answer = async {
        let (visit, flow, now) = coming(&app, &proxies, &request, &body, "chat.open").await?;
        let opened = chat::open(&app.room, &visit, flow.as_deref(), now).await?;
        let conversation = &opened.conversation;
        let agent = conversation.agent.as_ref().filter(|_| conversation.mode == chat::body::Mode::Human);
        let mut response = if opened.is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
        Ok(response.json(json!({
            "conversation": conversation.id,
            "token": opened.token,
            "visitor": opened.visitor,
            "head": conversation.head,
            "mode": conversation.mode,
            "agent": agent.map(|agent| Face::of(&agent.name)),
            "bot": app.room.face(),
            "language": conversation.language,
            "known": opened.is_known,
        })))
    };
    begun(&app, &request, &body, answer.await)
}

/// `POST /v1/chat/{conversation}/messages`.
pub async fn say(
    app: Shared,
    hub: web::Data<Hub>,
    request: HttpRequest,
    id: web::Path<String>,
    body: web::Bytes,
) -> HttpResponse {
    let answer = async {
        let (id, now) = guest(&app, &request, &id)?;
        let settings = &app.config.chat;
        let quota = Quota { per_minute: settings.messages_per_minute, burst: settings.messages_burst };
        app.stores.limits.check("chat.messages", &id.to_string(), quota, now).await?;
        if let Some(per_minute) = 60_000_u32.checked_div(settings.messages_apart_ms) {
            let pace = Quota { per_minute: per_minute.max(1), burst: 1 };
            app.stores.limits.check("chat.pace", &id.to_string(), pace, now).await?;
        }
        let message: Message = parsed(&body, "chat.message_invalid")?;
        // One way of writing it only: the same id in other letters would be another message.
        let is_id =
            uuid::Uuid::try_parse(&message.client_id).is_ok_and(|id| id.to_string() == message.client_id);
        if !is_id {
            let wanted =
                "client_id must be a UUID in small letters, such as 0197a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b.";
            return Err(Problem::new("chat.message_invalid", wanted));
        }
        let heard = chat::say(&app.room, id, &message.client_id, &message.body, now).await?;
        hub.counts.messages.add(if heard.is_repeated { "repeated" } else { "taken" }, 1);
        let mut response = if heard.is_repeated { HttpResponse::Ok() } else { HttpResponse::Created() };
        // A device on which a mailed link was followed is not told whose the conversation is; another one of hers stays itself.
        let visitor = is_its_own(&app, &request, now).then_some(heard.visitor);
        Ok(response.json(json!({ "event": heard.entry, "visitor": visitor })))
    };
    let answer = answer.await;
    if answer.is_err() {
        hub.counts.messages.add("refused", 1);
    }
    finished(&app, &request, answer)
}

/// `POST /v1/chat/{conversation}/watch`.
pub async fn watch(
    app: Shared,
    request: HttpRequest,
    id: web::Path<String>,
    body: web::Bytes,
) -> HttpResponse {
    let answer = async {
        let (id, now) = guest(&app, &request, &id)?;
        let quota = Quota { per_minute: 60, burst: 30 };
        app.stores.limits.check("chat.watch", &id.to_string(), quota, now).await?;
        let seen: Seen = parsed(&body, "request.malformed")?;
        let ranges: Vec<(f64, f64)> = seen.ranges.into_iter().take(RANGES).collect();
        let percent = chat::watched(&app.room, id, &seen.recording, &ranges, now).await?;
        Ok(HttpResponse::Ok().json(json!({ "percent": percent })))
    };
    finished(&app, &request, answer.await)
}

/// `POST /v1/chat/{conversation}/event`: the page's own `embudo('event', name)`, for a flow that waits for it.
pub async fn event(
    app: Shared,
    request: HttpRequest,
    id: web::Path<String>,
    body: web::Bytes,
) -> HttpResponse {
    let answer = async {
        let (id, now) = guest(&app, &request, &id)?;
        let quota = Quota { per_minute: 60, burst: 30 };
        app.stores.limits.check("chat.event", &id.to_string(), quota, now).await?;
        let told: Told = parsed(&body, "request.malformed")?;
        chat::event(&app.room, id, &told.name, now).await?;
        Ok(HttpResponse::NoContent().finish())
    };
    finished(&app, &request, answer.await)
}

/// `POST /v1/chat/{conversation}/typing`.
pub async fn typing(app: Shared, request: HttpRequest, id: web::Path<String>) -> HttpResponse {
    let answer = async {
        let (id, now) = guest(&app, &request, &id)?;
        let quota = Quota { per_minute: 60, burst: 20 };
        app.stores.limits.check("chat.typing", &id.to_string(), quota, now).await?;
        app.room.typing(id, Author::Visitor, "").await;
        Ok(HttpResponse::NoContent().finish())
    };
    finished(&app, &request, answer.await)
}

/// `POST /v1/chat/{conversation}/whose`: whether it is she whom a link was mailed to that was opened on this device.
pub async fn answer(
    app: Shared,
    request: HttpRequest,
    id: web::Path<String>,
    body: web::Bytes,
) -> HttpResponse {
    let answer = async {
        let (id, now) = guest(&app, &request, &id)?;
        let quota = Quota { per_minute: 10, burst: 5 };
        app.stores.limits.check("chat.whose", &id.to_string(), quota, now).await?;
        let Answer { answer } = parsed(&body, "request.malformed")?;
        if !is_its_own(&app, &request, now) {
            return Err(chat::Error::QuestionOver.into());
        }
        let told = whose::answer(&app.room, id, answer == YesOrNo::Yes, now).await?;
        Ok(HttpResponse::Ok().json(json!({
            "visitor": told.visitor, "trust": told.trust, "goes_on": told.goes_on,
        })))
    };
    finished(&app, &request, answer.await)
}

/// `POST /v1/chat/{conversation}/read`.
pub async fn read(
    app: Shared,
    request: HttpRequest,
    id: web::Path<String>,
    body: web::Bytes,
) -> HttpResponse {
    let answer = async {
        let (id, now) = guest(&app, &request, &id)?;
        let quota = Quota { per_minute: 120, burst: 40 };
        app.stores.limits.check("chat.read", &id.to_string(), quota, now).await?;
        let read: Read = parsed(&body, "request.malformed")?;
        chat::read(&app.room, id, Author::Visitor, read.seq).await?;
        Ok(HttpResponse::NoContent().finish())
    };
    finished(&app, &request, answer.await)
}

/// The visitor who comes, if her site, her page's origin and her address's quota allow it.
async fn coming(
    app: &Shared,
    proxies: &Proxies,
    request: &HttpRequest,
    body: &[u8],
    bucket: &'static str,
) -> Result<(Visit, Option<String>, Timestamp), Problem> {
    let now = app.clock.now();
    let settings = &app.config.chat;
    let quota = match bucket {
        // Asked once a page view or again and again, by whole offices behind one address.
        "chat.trigger" | "chat.called" => {
            Quota { per_minute: app.config.collector.hits_per_minute, burst: app.config.collector.hits_burst }
        }
        _ => Quota { per_minute: settings.opened_per_minute, burst: settings.opened_burst },
    };
    app.stores.limits.check(bucket, &network_of(proxies.client(request)), quota, now).await?;
    let coming: Coming = parsed(body, "request.malformed")?;
    let site = app.sites.find_for(&coming.site, origin(request), app.own_origin())?;
    let visit = Visit {
        site: site.key.clone(),
        visitor: coming.visitor.filter(|_| coming.consent != Consent::None),
        consent: coming.consent,
        page: Page {
            url: coming.page.url.chars().take(PAGE_LENGTH).collect(),
            title: coming.page.title.chars().take(PAGE_LENGTH).collect(),
            returning: coming.returning || coming.page.returning,
        },
        language: Language::of_tag(&coming.language).unwrap_or(site.language),
        zone: coming.zone,
        is_hosted: is_hosted(app, request, &coming.page.url),
    };
    Ok((visit, coming.flow, now))
}

/// Whether she has come by a page of the chat's own. The origin is the browser's word, the path is the page's.
fn is_hosted(app: &Shared, request: &HttpRequest, page: &str) -> bool {
    let is_ours = origin(request).is_some_and(|origin| origin == app.own_origin());
    let path = url::Url::parse(page).map(|url| url.path().to_owned()).unwrap_or_default();
    is_ours && (path == "/chat" || path.starts_with("/chat/"))
}

/// The conversation that the request's token opens.
pub fn guest(app: &Shared, request: &HttpRequest, id: &str) -> Result<(ConversationId, Timestamp), Problem> {
    let now = app.clock.now();
    let id = ConversationId::parse(id).map_err(|_| Problem::from(chat::Error::Unknown))?;
    let token = bearer(request).ok_or_else(|| Problem::from(chat::Error::TokenForged))?;
    chat::authorize(&app.room, id, token, now)?;
    Ok((id, now))
}

/// Whether the request comes from the device whose conversation it is.
pub fn is_its_own(app: &Shared, request: &HttpRequest, now: Timestamp) -> bool {
    resume::is_its_own(&app.room, bearer(request).unwrap_or_default(), now)
}

pub fn parsed<T: DeserializeOwned>(body: &[u8], code: &'static str) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::unread(code, &error))
}

/// An answer with what every answer of these doors carries; a refusal is said to whoever talks.
pub fn finished(app: &Shared, request: &HttpRequest, answer: Result<HttpResponse, Problem>) -> HttpResponse {
    said(app, request, answer, || refusal::language(app, request))
}

/// The same for doors that ask for no token yet: what she sends says in which language.
fn begun(
    app: &Shared,
    request: &HttpRequest,
    body: &[u8],
    answer: Result<HttpResponse, Problem>,
) -> HttpResponse {
    said(app, request, answer, || refusal::language_of(app, request, body))
}

fn said(
    app: &Shared,
    request: &HttpRequest,
    answer: Result<HttpResponse, Problem>,
    language: impl FnOnce() -> Language,
) -> HttpResponse {
    let mut response = answer.unwrap_or_else(|problem| {
        let language = language();
        let mut refused = refusal::told(app, language, problem).error_response();
        refused.headers_mut().insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.code()));
        refused
    });
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    cors::sites(app, request, response.headers_mut());
    response
}
