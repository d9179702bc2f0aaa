//! `GET /v1/slots` and `POST /v1/bookings`.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ContentType, HeaderName};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::book::{self, Wanted};
use crate::base::email::Email;
use crate::base::ids::{BookingId, VisitorId};
use crate::base::language::Language;
use crate::base::time::{DAY_MS, Timestamp, zone};
use crate::bookings::questions;
use crate::bookings::slots::Span;
use crate::bookings::{self, Holder, Time};
use crate::contacts::Consent;
use crate::http::error::Problem;
use crate::http::request::{Proxies, header, origin};
use crate::http::{Shared, cors};
use crate::sites;
use crate::storage::idempotency::Request;
use crate::storage::limits::Quota;

/// What is asked of `GET /v1/slots`.
#[derive(Debug, Deserialize)]
pub struct Asked {
    #[serde(default)]
    meeting: String,
    zone: Option<String>,
    /// Milliseconds, of the lengths that the meeting offers; its first, if it is missing.
    duration_ms: Option<i64>,
    /// Milliseconds; now, if it is missing.
    from: Option<i64>,
    /// Milliseconds; two weeks after `from`, if it is missing.
    to: Option<i64>,
}

/// The body of `POST /v1/bookings`.
#[derive(Debug, Deserialize)]
struct Body {
    site: Option<String>,
    meeting: String,
    starts_at: i64,
    duration_ms: Option<i64>,
    zone: String,
    #[serde(default)]
    language: String,
    #[serde(default)]
    name: String,
    email: String,
    #[serde(default)]
    notes: String,
    /// To the meeting's questions, by their ids.
    #[serde(default)]
    answers: BTreeMap<String, Json>,
    visitor: Option<VisitorId>,
    /// What `POST /v1/holds` answered with; then `visitor` is whose it is, and `starts_at` is not looked at.
    hold: Option<BookingId>,
    #[serde(default)]
    consent: Consent,
    /// Whether she wants to be told when an earlier time is free.
    #[serde(default)]
    earlier: bool,
}

/// Answers with the free slots of a meeting.
pub async fn slots(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    asked: web::Query<Asked>,
) -> HttpResponse {
    let mut response = match free(&app, &proxies, &request, &asked).await {
        Ok(response) => response,
        Err(problem) => problem.error_response(),
    };
    cors::sites(&app, &request, response.headers_mut());
    response
}

async fn free(
    app: &Shared,
    proxies: &Proxies,
    request: &HttpRequest,
    asked: &Asked,
) -> Result<HttpResponse, Problem> {
    let now = app.clock.now();
    let settings = &app.config.bookings;
    let quota = Quota { per_minute: settings.slots_per_minute, burst: settings.slots_burst };
    app.stores.limits.check("slots", &proxies.client(request).to_string(), quota, now).await?;
    if asked.meeting.is_empty() {
        return Err(Problem::new("request.malformed", "`meeting` is missing: which one is to be booked?"));
    }
    let meeting = app.team.meeting(&asked.meeting).ok_or(bookings::Error::MeetingUnknown)?;
    let meeting = &meeting.lasting(asked.duration_ms).ok_or(bookings::Error::DurationUnknown)?;
    let zone_name = asked.zone.as_deref().unwrap_or_else(|| meeting.zone.iana_name().unwrap_or("UTC"));
    let zone = zone(zone_name).ok_or(bookings::Error::ZoneUnknown)?;
    let from = asked.from.map_or(now, Timestamp);
    let window = Span::new(from, asked.to.map_or(from.plus_ms(14 * DAY_MS), Timestamp));
    let found =
        bookings::slots(&mut app.stores.db.read(), &app.team, meeting, window, &Holder::default(), None, now)
            .await?;
    let slots: Vec<Time> = found.iter().map(Time::from).collect();
    let body = json!({
        "meeting": meeting.id, "zone": zone.iana_name().unwrap_or("UTC"), "duration_ms": meeting.duration_ms,
        "durations_ms": meeting.durations_ms,
        "slots": slots,
    });
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(body))
}

/// Books a call.
pub async fn book(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    body: web::Bytes,
) -> HttpResponse {
    let mut response = match booked(&app, &proxies, &request, &body).await {
        Ok(response) => response,
        Err(problem) => problem.error_response(),
    };
    cors::sites(&app, &request, response.headers_mut());
    response
}

async fn booked(
    app: &Shared,
    proxies: &Proxies,
    request: &HttpRequest,
    body: &[u8],
) -> Result<HttpResponse, Problem> {
    let now = app.clock.now();
    // A page of somebody else's must not use up what its visitor may do here.
    ours(app, request)?;
    limit(app, proxies, request, now).await?;
    let text = std::str::from_utf8(body).map_err(|error| Problem::unread("request.malformed", &error))?;
    let parsed: Body =
        serde_json::from_str(text).map_err(|error| Problem::unread("request.malformed", &error))?;
    let site = site(app, request, parsed.site.as_deref())?;
    let email = Email::parse(&parsed.email).map_err(|error| {
        Problem::new("form.invalid", error.to_string()).with("fields", json!({ "email": error.to_string() }))
    })?;
    let meeting = app.team.meeting(&parsed.meeting).ok_or(bookings::Error::MeetingUnknown)?;
    let given = parsed.answers.into_iter().map(|(id, answer)| (id, plain(&answer))).collect();
    let answers = questions::read(&meeting.questions, &given).map_err(|wrong| {
        let fields: BTreeMap<String, &str> =
            wrong.into_iter().map(|(id, why)| (format!("answers.{id}"), why.word())).collect();
        Problem::new("form.invalid", "Some of the meeting's questions are not answered as they ask.")
            .with("fields", json!(fields))
    })?;
    let scope = match parsed.visitor {
        Some(visitor) => format!("bookings:{visitor}"),
        // Programs that have no visitor draw their keys each by itself.
        None => format!("bookings:{}", proxies.client(request)),
    };
    let idempotency = idempotency(request, scope, text)?;
    let wanted = Wanted {
        site,
        meeting: parsed.meeting,
        starts_at: Timestamp(parsed.starts_at),
        hold: parsed.hold,
        duration_ms: parsed.duration_ms,
        answers,
        time_zone: parsed.zone,
        language: Language::parse(&parsed.language),
        name: parsed.name,
        email,
        notes: parsed.notes,
        visitor: parsed.visitor,
        consent: parsed.consent,
        earlier: parsed.earlier,
        is_of_page: false,
    };
    let answer = book::book(app, &wanted, idempotency.as_ref(), now).await?;
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::CREATED);
    Ok(HttpResponse::build(status)
        .insert_header(ContentType::json())
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(answer.body))
}

/// An answer as it would be typed.
fn plain(answer: &Json) -> String {
    match answer {
        Json::String(text) => text.clone(),
        Json::Bool(true) => "yes".to_owned(),
        Json::Bool(false) => "no".to_owned(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

/// Counts one more change by this address.
pub async fn limit(
    app: &Shared,
    proxies: &Proxies,
    request: &HttpRequest,
    now: Timestamp,
) -> Result<(), Problem> {
    let settings = &app.config.bookings;
    let quota = Quota { per_minute: settings.per_minute, burst: settings.burst };
    Ok(app.stores.limits.check("bookings", &proxies.client(request).to_string(), quota, now).await?)
}

/// Refuses a browser on a page of nobody we know.
pub fn ours(app: &Shared, request: &HttpRequest) -> Result<(), Problem> {
    let is_ours = |origin: &str| origin == app.own_origin() || app.sites.any_allows_origin(origin);
    if origin(request).is_none_or(is_ours) { Ok(()) } else { Err(sites::Error::ForeignOrigin.into()) }
}

/// The site's key, if the browser's origin does not speak against it; the first site where none was named.
fn site(app: &Shared, request: &HttpRequest, key: Option<&str>) -> Result<String, Problem> {
    let origin = origin(request);
    if let Some(key) = key {
        return Ok(app.sites.find_for(key, origin, app.own_origin())?.key.clone());
    }
    let named = app.sites.all().find(|site| origin.is_some_and(|origin| site.allows_origin(origin)));
    Ok(named.or_else(|| app.sites.all().next()).map_or_else(String::new, |site| site.key.clone()))
}

/// The request by its `Idempotency-Key`, if it has one; `scope` names the door and whose key it is.
pub fn idempotency(request: &HttpRequest, scope: String, body: &str) -> Result<Option<Request>, Problem> {
    let name = HeaderName::from_static("idempotency-key");
    if !request.headers().contains_key(&name) {
        return Ok(None);
    }
    let problem =
        || Problem::new("booking.idempotency_key_invalid", "Use up to 255 printable ASCII characters.");
    Request::new(scope, header(request, name), body).map(Some).ok_or_else(problem)
}
