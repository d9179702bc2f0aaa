//! `/console/bookings/{booking}`: a call that lies ahead is moved or called off for the visitor, who is told by the same
//! mails as if she had done it herself.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::frame::{Reader, see_done};
use crate::base::ids::BookingId;
use crate::base::time::{DAY_MS, Timestamp};
use crate::bookings::slots::Span;
use crate::bookings::{self, Desk, State};
use crate::http::Shared;
use crate::http::error::Problem;
use crate::reports::calls;

/// How far ahead other times are offered.
const AHEAD_MS: i64 = 28 * DAY_MS;
/// And how many of them at most: more than anybody reads in one list.
const MOST_TIMES: usize = 400;

/// `GET /console/bookings/{booking}`.
pub async fn show(reader: Reader, booking: web::Path<String>) -> Result<HttpResponse, Problem> {
    let reads = &mut reader.app.stores.db.read();
    let booking = bookings::find(reads, id(&booking)?).await?;
    if !matches!(booking.state, State::Confirmed | State::Cancelled) {
        return Err(bookings::Error::Unknown.into());
    }
    let window = (booking.starts_at, booking.starts_at.plus_ms(1));
    let names = reader.names();
    let calls = calls::between(reads, &names, window, reader.now).await?;
    let call = calls.into_iter().find(|call| call.id == booking.id);
    let is_ahead = booking.state == State::Confirmed && booking.starts_at > reader.now;
    let meeting = reader.app.team.meeting(&booking.meeting);
    let mut times = Vec::new();
    if let Some(meeting) = meeting.filter(|_| is_ahead) {
        let span = Span::new(reader.now, reader.now.plus_ms(AHEAD_MS));
        let team = &reader.app.team;
        let slots = bookings::slots_to_move(reads, team, meeting, &booking, span, reader.now).await?;
        let others = slots.iter().map(|slot| slot.starts_at).filter(|at| *at != booking.starts_at);
        times.extend(others.take(MOST_TIMES));
    }
    let title =
        meeting.map_or(booking.meeting.as_str(), |meeting| meeting.title.get(reader.account.language));
    let body = json!({
        "booking": {
            "id": booking.id, "starts_at": booking.starts_at, "ends_at": booking.ends_at, "meeting": title,
            "time_zone": booking.time_zone,
            "rep": names.rep(&booking.rep),
            "companion": booking.companion.as_deref().map(|id| names.rep(id)),
        },
        "call": call,
        "is_ahead": is_ahead,
        "is_cancelled": booking.state == State::Cancelled,
        "days": by_day(&reader, &times),
    });
    reader.page("console/booking", body).await
}

/// The times under the reader's days.
fn by_day(reader: &Reader, times: &[Timestamp]) -> Vec<Json> {
    let mut days: Vec<(Timestamp, Vec<Timestamp>)> = Vec::new();
    for at in times {
        let (midnight, _) = reader.day_of(*at);
        match days.last_mut() {
            Some((day, list)) if *day == midnight => list.push(*at),
            _ => days.push((midnight, vec![*at])),
        }
    }
    days.into_iter().map(|(at, times)| json!({ "at": at, "times": times })).collect()
}

/// Where it is to move.
#[derive(Deserialize)]
pub struct To {
    #[serde(default)]
    starts_at: String,
}

/// `POST /console/bookings/{booking}/move`.
pub async fn reschedule(
    reader: Reader,
    booking: web::Path<String>,
    to: web::Form<To>,
) -> Result<HttpResponse, Problem> {
    let id = id(&booking)?;
    let starts_at = to.starts_at.parse().map(Timestamp).map_err(|_| bookings::Error::SlotUnknown)?;
    let app = &reader.app;
    let mut tx = app.stores.db.begin().await?;
    bookings::put_off(&mut tx, desk(app), id, starts_at, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(&format!("/console/bookings/{id}"), "call_moved"))
}

/// Why it is called off; the visitor reads it.
#[derive(Deserialize)]
pub struct Why {
    #[serde(default)]
    reason: String,
}

/// `POST /console/bookings/{booking}/cancel`.
pub async fn cancel(
    reader: Reader,
    booking: web::Path<String>,
    why: web::Form<Why>,
) -> Result<HttpResponse, Problem> {
    let id = id(&booking)?;
    let app = &reader.app;
    let mut tx = app.stores.db.begin().await?;
    bookings::call_off(&mut tx, desk(app), id, Some(&why.reason), reader.now).await?;
    tx.commit().await?;
    Ok(see_done(&format!("/console/bookings/{id}"), "call_cancelled"))
}

fn id(booking: &str) -> Result<BookingId, Problem> {
    BookingId::parse(booking).map_err(|_| bookings::Error::Unknown.into())
}

fn desk(app: &Shared) -> Desk<'_> {
    Desk { team: &app.team, lifecycle: &app.lifecycle }
}
