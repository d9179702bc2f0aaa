//! Calls by day, and how they went.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::frame::{Reader, see_done};
use crate::base::ids::BookingId;
use crate::bookings::{self, Desk, Outcome};
use crate::http::error::Problem;
use crate::notify::why::why;
use crate::reports::calls::{self, Call, View};

/// `GET /console/bookings?view=upcoming|open|past`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let asked = reader.asked("view").and_then(|view| View::of_word(&view)).unwrap_or(View::Upcoming);
    let reads = &mut reader.app.stores.db.read();
    let (ahead, open) = calls::counts(reads, reader.now).await?;
    let views: Vec<Json> = View::ALL
        .into_iter()
        .map(|view| {
            let count = match view {
                View::Upcoming => ahead,
                View::Open => open,
                View::Past => 0,
            };
            json!({ "name": view.word(), "count": count, "current": view == asked })
        })
        .collect();
    let (midnight, _) = reader.day_of(reader.now);
    let calls = calls::list(reads, &reader.names(), asked, midnight, reader.now).await?;
    let body = json!({ "view": asked.word(), "views": views, "days": by_day(&reader, calls) });
    reader.page("console/bookings", body).await
}

/// The calls under the reader's days, in the order given.
fn by_day(reader: &Reader, calls: Vec<Call>) -> Vec<Json> {
    let mut days: Vec<(crate::base::time::Timestamp, Vec<Call>)> = Vec::new();
    for call in calls {
        let (midnight, _) = reader.day_of(call.starts_at);
        match days.last_mut() {
            Some((day, list)) if *day == midnight => list.push(call),
            _ => days.push((midnight, vec![call])),
        }
    }
    let told = |call: Call| told(reader, call);
    days.into_iter()
        .map(
            |(at, calls)| json!({ "at": at, "bookings": calls.into_iter().map(told).collect::<Vec<Json>>() }),
        )
        .collect()
}

/// A call with what was answered and why it is whose it is.
fn told(reader: &Reader, call: Call) -> Json {
    let (app, language) = (&reader.app, reader.account.language);
    let questions = app.team.meeting(&call.meeting).map_or(&[][..], |meeting| &meeting.questions[..]);
    let answers: Vec<Json> = call
        .answers
        .told(questions, language)
        .into_iter()
        .map(|(ask, said)| json!({ "ask": ask, "said": said }))
        .collect();
    let why = call.assignment.as_ref().map(|reason| why(&app.templates, &app.team, reason, language));
    let mut told = json!(call);
    told["answers"] = json!(answers);
    told["why"] = json!(why);
    told
}

/// How a call went.
#[derive(Deserialize)]
pub struct Said {
    outcome: String,
    #[serde(default)]
    back: String,
}

/// `POST /console/bookings/{booking}/outcome`.
pub async fn outcome(
    reader: Reader,
    booking: web::Path<String>,
    said: web::Form<Said>,
) -> Result<HttpResponse, Problem> {
    let id = BookingId::parse(&booking).map_err(|_| bookings::Error::Unknown)?;
    let outcome = Outcome::of_word(&said.outcome)
        .ok_or_else(|| Problem::new("request.malformed", "The outcome is held or no_show."))?;
    let app = &reader.app;
    let desk = Desk { team: &app.team, lifecycle: &app.lifecycle };
    let mut tx = app.stores.db.begin().await?;
    bookings::set_outcome(&mut tx, desk, id, outcome, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(&said.back, "outcome"))
}
