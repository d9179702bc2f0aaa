//! Calls in lists by day, and how they went. `week.rs` shows them in a calendar, `booking.rs` one of them.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::frame::{Reader, address, pages, see_done, see_done_to};
use crate::base::ids::BookingId;
use crate::base::language::Language;
use crate::bookings::earlier::{self, Answer, Waiting};
use crate::bookings::{self, Desk, Outcome, former};
use crate::http::error::Problem;
use crate::notify::why::why;
use crate::privacy::audit::{self, Act, By};
use crate::reports::calls::{self, Call, View};
use crate::reports::person;
use crate::storage::db::Tx;

/// `GET /console/bookings?view=upcoming|open|past|cancelled&page=…`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let asked = reader.asked("view").and_then(|view| View::of_word(&view)).unwrap_or(View::Upcoming);
    let reads = &mut reader.app.stores.db.read();
    let views = views(&reader, Some(asked)).await?;
    let (midnight, _) = reader.day_of(reader.now);
    let page = (asked, reader.asked_page());
    let (calls, extent) = calls::list(reads, &reader.names(), page, midnight, reader.now).await?;
    reader.saw_list("bookings", calls.is_empty()).await?;
    let mut waits = BTreeMap::new();
    for waiting in earlier::queue(reads, reader.now).await? {
        let offers = earlier::offers_of(reads, waiting.booking).await?;
        waits.insert(waiting.booking, told_waiting(&reader, &waiting, &offers));
    }
    let of_page = |page: i64| {
        address(
            "/console/bookings",
            &[("view", Some(asked.word().to_owned())), ("page", Some(page.to_string()))],
        )
    };
    let gone = gone(&reader).await?;
    let body = json!({
        "view": asked.word(), "gone": gone, "views": views, "days": by_day(&reader, calls, &waits),
        "pages": pages(extent, of_page),
    });
    reader.page("console/bookings", body).await
}

/// How many calls that name what the file does not are listed; those that come first matter first.
const GONE_MOST: usize = 20;

/// The calls ahead whose kind, or one of whose reps, stands in the team's file no more; and who of the file has no account.
async fn gone(reader: &Reader) -> Result<Json, Problem> {
    let (app, language) = (&reader.app, reader.account.language);
    let reads = &mut app.stores.db.read();
    let left = former::left(reads, &app.team, reader.now).await?;
    let closed = former::closed(reads, &app.team, reader.now).await?;
    let mut calls = Vec::new();
    for call in left.iter().take(GONE_MOST) {
        let booking = bookings::find(reads, call.call.booking).await?;
        let mut reps = Vec::new();
        for id in &call.lacks_reps {
            reps.push(former::name(reads, &app.team, id).await?);
        }
        let meeting = former::meeting(reads, &app.team, &booking).await?;
        let who = match booking.contact {
            Some(contact) => Some(person::called(reads, contact).await?),
            None => None,
        };
        calls.push(json!({
            "who": who,
            "id": booking.id,
            "starts_at": booking.starts_at,
            "meeting": meeting.title.get(language),
            "lacks_meeting": call.lacks_meeting,
            "reps": reps.join(", "),
        }));
    }
    let more = left.len().saturating_sub(GONE_MOST);
    Ok(json!({ "count": left.len(), "calls": calls, "more": more, "closed": closed }))
}

/// The lists, with how many calls ask for something, and which of them is looked at.
pub async fn views(reader: &Reader, asked: Option<View>) -> Result<Vec<Json>, Problem> {
    let (ahead, open) = calls::counts(&mut reader.app.stores.db.read(), reader.now).await?;
    let told = |view: View| {
        let count = match view {
            View::Upcoming => ahead,
            View::Open => open,
            View::Past | View::Cancelled => 0,
        };
        json!({ "name": view.word(), "count": count, "current": Some(view) == asked })
    };
    Ok(View::ALL.into_iter().map(told).collect())
}

/// How a call waits for an earlier time, and what it was offered.
fn told_waiting(reader: &Reader, waiting: &Waiting, offers: &[earlier::Offer]) -> Json {
    let text = |key: &str, values: &[(&str, String)]| {
        reader.app.templates.texts().get(reader.account.language, key, values).unwrap_or_default()
    };
    let day = |day: u8| {
        let name = text(&format!("booking.wait.day_{day}"), &[]);
        match reader.account.language {
            Language::En => name,
            Language::Es => name.to_lowercase(),
        }
    };
    let days: Vec<String> = (0..7).filter(|n| waiting.hours.has_day(*n)).map(day).collect();
    let (from, to) = waiting.hours.minutes();
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let values = [("days", days.join(", ")), ("from", clock(from)), ("to", clock(to))];
    let standing = |offer: &earlier::Offer| match offer.answer {
        Some(Answer::Taken) => "taken",
        Some(Answer::Declined) => "declined",
        None if offer.is_open(reader.now) => "open",
        None => "over",
    };
    let told: Vec<Json> =
        offers.iter().map(|offer| json!({ "at": offer.starts_at, "standing": standing(offer) })).collect();
    json!({ "text": text("console.bookings.waits_for", &values), "offers": told })
}

/// The calls under the reader's days, in the order given.
fn by_day(reader: &Reader, calls: Vec<Call>, waits: &BTreeMap<BookingId, Json>) -> Vec<Json> {
    let mut days: Vec<(crate::base::time::Timestamp, Vec<Call>)> = Vec::new();
    for call in calls {
        let (midnight, _) = reader.day_of(call.starts_at);
        match days.last_mut() {
            Some((day, list)) if *day == midnight => list.push(call),
            _ => days.push((midnight, vec![call])),
        }
    }
    let told = |call: Call| {
        let waits = waits.get(&call.id);
        let mut told = told(reader, call);
        told["waits"] = json!(waits);
        told
    };
    days.into_iter()
        .map(
            |(at, calls)| json!({ "at": at, "bookings": calls.into_iter().map(told).collect::<Vec<Json>>() }),
        )
        .collect()
}

/// A call with what was answered and why it is whose it is.
fn told(reader: &Reader, call: Call) -> Json {
    let (app, language) = (&reader.app, reader.account.language);
    let questions = app.team.questions_of(&call.meeting);
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
    /// What was said of it when the page was opened; empty if nothing was.
    was: Option<String>,
    #[serde(default)]
    back: String,
}

/// What somebody else has said meanwhile of a call (empty: it was taken back), so that of two the second sees it: `was` is
/// what stood there when her page was opened. None if nothing is in dispute; the same twice is not.
///
/// # Errors
/// [`bookings::Error::Unknown`].
pub async fn disputed(
    tx: &mut Tx,
    id: BookingId,
    was: Option<&str>,
    outcome: Outcome,
) -> Result<Option<&'static str>, Problem> {
    let Some(was) = was else { return Ok(None) };
    tx.lock(&format!("outcome:{id}")).await?;
    let said = bookings::find(tx, id).await?.outcome;
    let now = said.map_or("", Outcome::word);
    Ok((said != Some(outcome) && now != was).then_some(now))
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
    if disputed(&mut tx, id, said.was.as_deref(), outcome).await?.is_some() {
        let detail = "Somebody else has said meanwhile how this call went.";
        return Err(Problem::new("booking.outcome_changed", detail));
    }
    bookings::set_outcome(&mut tx, desk, id, outcome, reader.now).await?;
    tx.commit().await?;
    Ok(see_done_to(&said.back, "outcome", Some(id)))
}

/// Where somebody is sent afterwards.
#[derive(Deserialize)]
pub struct Back {
    #[serde(default)]
    back: String,
}

/// `POST /console/bookings/{booking}/outcome/undo`: within a minute.
pub async fn undo(
    reader: Reader,
    booking: web::Path<String>,
    form: web::Form<Back>,
) -> Result<HttpResponse, Problem> {
    let id = BookingId::parse(&booking).map_err(|_| bookings::Error::Unknown)?;
    let app = &reader.app;
    let desk = Desk { team: &app.team, lifecycle: &app.lifecycle };
    let mut tx = app.stores.db.begin().await?;
    let was = bookings::find(&mut tx, id).await?.outcome;
    let open = bookings::take_outcome_back(&mut tx, desk, id, reader.now).await?;
    if let (Some(contact), Some(was)) = (open.contact, was) {
        let details = json!({ "booking": id, "did": "outcome_taken_back", "was": was });
        audit::note(&mut tx, By::Account(reader.account.id), Act::Changed, contact, details, reader.now)
            .await?;
    }
    tx.commit().await?;
    Ok(see_done(&form.back, "outcome_taken_back"))
}
