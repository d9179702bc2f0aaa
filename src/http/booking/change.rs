//! For programs: `POST /v1/holds` keeps a time for five minutes, `POST /v1/holds/{hold}/release` lets it go; and
//! `POST /v1/bookings/{token}/move` and `…/cancel` change a booking by the token of its link. With an `Idempotency-Key`
//! each of them may be repeated.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ContentType};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::api::{idempotency, limit, ours};
use super::book::{Answer, Refused, answered};
use super::desk;
use super::manage::{Opened, opened};
use crate::base::ids::{BookingId, VisitorId};
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::bookings::{self, Booking, Holder, Link, Pick, State};
use crate::http::error::Problem;
use crate::http::request::Proxies;
use crate::http::{Shared, cors};
use crate::storage::db::Tx;
use crate::storage::idempotency::{self, Request};
use crate::storage::limits::Quota;

/// A time to be kept.
#[derive(Debug, Deserialize)]
struct Wanted {
    meeting: String,
    starts_at: i64,
    duration_ms: Option<i64>,
    zone: String,
    #[serde(default)]
    language: String,
    /// The device; without one a name is drawn, under which the time is booked or let go.
    visitor: Option<VisitorId>,
}

/// Whose the hold is.
#[derive(Debug, Deserialize)]
struct Whose {
    visitor: VisitorId,
}

/// Where a booking is to move.
#[derive(Debug, Deserialize)]
struct To {
    starts_at: i64,
}

/// Why it is cancelled.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reason {
    reason: String,
}

/// `POST /v1/holds`: what a visitor held before is let go.
pub async fn hold(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    body: web::Bytes,
) -> HttpResponse {
    let work = async {
        let (now, wanted): (_, Wanted) = asked(&app, &proxies, &request, &body).await?;
        let settings = &app.config.bookings;
        let quota = Quota { per_minute: settings.holds_per_minute, burst: settings.holds_burst };
        app.stores.limits.check("holds", &proxies.client(&request).to_string(), quota, now).await?;
        let client = proxies.client(&request);
        let whose = wanted.visitor.map_or_else(|| client.to_string(), |visitor| visitor.to_string());
        let visitor = wanted.visitor.unwrap_or_else(VisitorId::new);
        let repeat = repeatable(&request, "holds", Some(whose), &body)?;
        let pick = Pick {
            meeting: &wanted.meeting,
            starts_at: Timestamp(wanted.starts_at),
            duration_ms: wanted.duration_ms,
            time_zone: &wanted.zone,
            language: Language::parse(&wanted.language),
            holder: Holder { visitor: Some(visitor), conversation: None },
            contact: None,
        };
        let held = once(&app, repeat.as_ref(), now, async |tx| {
            let held = bookings::hold(tx, desk(&app), &pick, now).await?;
            let body = json!({
                "hold": held.id, "starts_at": held.starts_at, "ends_at": held.ends_at,
                "expires_at": held.hold_expires_at, "visitor": visitor,
            });
            Ok(Answer { status: 201, body: body.to_string() })
        })
        .await;
        match held {
            Err(Refused::Booking(refused)) => {
                let reads = &mut app.stores.db.read();
                Err(bookings::nearest(reads, desk(&app), &pick, refused, now).await.into())
            }
            done => Ok(done?),
        }
    };
    answer(&app, &request, work.await)
}

/// `POST /v1/holds/{hold}/release`: nothing happens if it is gone, or somebody else's.
pub async fn release(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    hold: web::Path<String>,
    body: web::Bytes,
) -> HttpResponse {
    let work = async {
        let (now, whose): (_, Whose) = asked(&app, &proxies, &request, &body).await?;
        let id = BookingId::parse(&hold).map_err(|_| bookings::Error::Unknown)?;
        once(&app, None, now, async |tx| {
            let holder = Holder { visitor: Some(whose.visitor), conversation: None };
            bookings::release(tx, id, &holder, now).await?;
            Ok(Answer { status: 200, body: "{}".to_owned() })
        })
        .await
        .map_err(Problem::from)
    };
    answer(&app, &request, work.await)
}

/// `POST /v1/bookings/{token}/move`.
pub async fn reschedule(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    token: web::Path<String>,
    body: web::Bytes,
) -> HttpResponse {
    let work = async {
        let (now, to): (_, To) = asked(&app, &proxies, &request, &body).await?;
        let Opened { booking, link, is_current } = opened(&app, &token).await?;
        if !link.moves() {
            return Err(bookings::Error::LinkOther.into());
        }
        let repeat = repeatable(&request, "move", Some(booking.id.to_string()), &body)?;
        let to = Timestamp(to.starts_at);
        let moved = once(&app, repeat.as_ref(), now, async |tx| {
            if !is_current && booking.starts_at != to {
                return Err(bookings::Error::LinkOld.into());
            }
            let moved = bookings::reschedule(tx, desk(&app), booking.id, to, now).await?;
            Ok(Answer { status: 200, body: told(&app, &moved, link, now).to_string() })
        })
        .await;
        match moved {
            Err(Refused::Booking(refused)) => {
                let reads = &mut app.stores.db.read();
                Err(bookings::nearest_to_move(reads, desk(&app), booking.id, to, refused, now).await.into())
            }
            done => Ok(done?),
        }
    };
    answer(&app, &request, work.await)
}

/// `POST /v1/bookings/{token}/cancel`.
pub async fn cancel(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    token: web::Path<String>,
    body: web::Bytes,
) -> HttpResponse {
    let work = async {
        let (now, why): (_, Reason) = asked(&app, &proxies, &request, &body).await?;
        let Opened { booking, link, is_current } = opened(&app, &token).await?;
        if !link.cancels() {
            return Err(bookings::Error::LinkOther.into());
        }
        let repeat = repeatable(&request, "cancel", Some(booking.id.to_string()), &body)?;
        once(&app, repeat.as_ref(), now, async |tx| {
            if !is_current && booking.state == State::Confirmed {
                return Err(bookings::Error::LinkOld.into());
            }
            let gone = bookings::cancel(tx, desk(&app), booking.id, Some(&why.reason), now).await?;
            Ok(Answer { status: 200, body: told(&app, &gone, link, now).to_string() })
        })
        .await
        .map_err(Problem::from)
    };
    answer(&app, &request, work.await)
}

/// The call as it is now, with the link that takes the place of the one that was used.
fn told(app: &Shared, booking: &Booking, link: Link, now: Timestamp) -> Json {
    json!({
        "booking": booking.id, "state": booking.state, "sequence": booking.sequence,
        "starts_at": booking.starts_at, "ends_at": booking.ends_at,
        "manage": link.path(&app.keys, booking, now),
    })
}

/// What every one of these doors asks first: a page of ours, not too often, and a body that can be read.
async fn asked<T: DeserializeOwned>(
    app: &Shared,
    proxies: &Proxies,
    request: &HttpRequest,
    body: &[u8],
) -> Result<(Timestamp, T), Problem> {
    let now = app.clock.now();
    ours(app, request)?;
    limit(app, proxies, request, now).await?;
    let body = if body.is_empty() { b"{}" } else { body };
    let parsed =
        serde_json::from_slice(body).map_err(|error| Problem::unread("request.malformed", &error))?;
    Ok((now, parsed))
}

fn repeatable(
    request: &HttpRequest,
    door: &str,
    whose: Option<String>,
    body: &[u8],
) -> Result<Option<Request>, Problem> {
    let scope = format!("{door}:{}", whose.unwrap_or_default());
    idempotency(request, scope, &String::from_utf8_lossy(body))
}

/// Does something once for each key: the answer is kept in the transaction that made it true.
async fn once(
    app: &Shared,
    request: Option<&Request>,
    now: Timestamp,
    act: impl AsyncFnOnce(&mut Tx) -> Result<Answer, Refused>,
) -> Result<Answer, Refused> {
    let mut tx = app.stores.db.begin().await?;
    if let Some(request) = request {
        idempotency::lock(&mut tx, request).await?;
        if let Some(answer) = answered(idempotency::recall(&mut tx, request, now).await?)? {
            return Ok(answer);
        }
    }
    let answer = act(&mut tx).await?;
    if let Some(request) = request {
        idempotency::remember(&mut tx, request, answer.status, &answer.body, now).await?;
    }
    tx.commit().await?;
    Ok(answer)
}

fn answer(app: &Shared, request: &HttpRequest, done: Result<Answer, Problem>) -> HttpResponse {
    let mut response = match done {
        Ok(answer) => HttpResponse::build(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK))
            .insert_header(ContentType::json())
            .insert_header((CACHE_CONTROL, "no-store"))
            .body(answer.body),
        Err(problem) => problem.error_response(),
    };
    cors::sites(app, request, response.headers_mut());
    response
}
