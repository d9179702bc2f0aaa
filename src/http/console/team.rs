//! Who is away and who stands in, and where everybody stands in the rotation.
//!
//! A rep says of herself when she is away; an administrator says it of everybody, and gives calls back.

use actix_web::{HttpResponse, web};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::frame::{Reader, see_done};
use crate::accounts::May;
use crate::base::ids::AbsenceId;
use crate::base::time::Timestamp;
use crate::bookings::absence::{self, Absence};
use crate::bookings::slots::Span;
use crate::bookings::team::Rep;
use crate::bookings::{self, State};
use crate::http::error::Problem;

/// Where the forms lead back to.
const PATH: &str = "/console/team";
/// Longest note, in characters.
const NOTE_LENGTH: usize = 200;
/// How many calls can be given back, or taken, at once.
const CREDIT_MOST: i64 = 50;

/// `GET /console/team`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    page(&reader).await
}

async fn page(reader: &Reader) -> Result<HttpResponse, Problem> {
    let (team, now) = (&reader.app.team, reader.now);
    let reads = &mut reader.app.stores.db.read();
    let absences = bookings::absences(reads, team, now).await?;
    let mut told = Vec::new();
    for absence in &absences {
        let calls = bookings::between(reads, absence.span).await?;
        let falls =
            calls.iter().filter(|call| call.rep == absence.rep && call.state == State::Confirmed).count();
        told.push(told_absence(reader, absence, falls));
    }
    let mut rotations = Vec::new();
    for meeting in &team.meetings {
        let standings = bookings::standings(reads, team, meeting, now).await?;
        let line = |rep: &&Rep| {
            let standing = standings.get(&rep.id).copied().unwrap_or_default();
            json!({
                "name": rep.name, "weight": rep.weight, "priority": rep.priority,
                "level": standing.level(&team.policy), "standing": standing,
            })
        };
        rotations.push(json!({
            "meeting": meeting.title.get(reader.account.language),
            "reps": team.reps_of(meeting).iter().map(line).collect::<Vec<Json>>(),
            "also": meeting
                .of_companion()
                .map(|theirs| team.reps_of(&theirs).iter().map(line).collect::<Vec<Json>>()),
        }));
    }
    let choices = |reps: Vec<&Rep>| -> Vec<Json> {
        reps.into_iter().map(|rep| json!({ "id": rep.id, "name": rep.name })).collect()
    };
    let body = json!({
        "absences": told,
        "rotations": rotations,
        "reps": choices(subjects(reader)),
        "delegates": choices(team.reps.iter().collect()),
    });
    reader.page("console/team", body).await
}

/// Those whose absences and hours the reader may enter.
pub(super) fn subjects(reader: &Reader) -> Vec<&Rep> {
    let team = &reader.app.team;
    if reader.may(May::Operate) {
        return team.reps.iter().collect();
    }
    team.rep_of_account(&reader.account.email).into_iter().collect()
}

fn told_absence(reader: &Reader, absence: &Absence, calls: usize) -> Json {
    let team = &reader.app.team;
    let name = |id: &str| team.rep_name(id).to_owned();
    json!({
        "id": absence.id,
        "rep": name(&absence.rep),
        "from": absence.span.from,
        // The last instant of it: midnight would read as one day more.
        "to": absence.span.to.plus_ms(-1),
        "zone": team.rep(&absence.rep).and_then(|rep| rep.zone.iana_name()).unwrap_or("UTC"),
        "delegate": absence.delegate.as_deref().map(name),
        "note": absence.note,
        "calls": calls,
        "may_remove": absence.id.is_some() && subjects(reader).iter().any(|rep| rep.id == absence.rep),
    })
}

/// Days away.
#[derive(Deserialize)]
pub struct Away {
    rep: String,
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    delegate: String,
    #[serde(default)]
    note: String,
}

/// `POST /console/team/absences`.
pub async fn go_away(reader: Reader, away: web::Form<Away>) -> Result<HttpResponse, Problem> {
    let rep = subject(&reader, &away.rep)?;
    let delegate = Some(away.delegate.as_str()).filter(|id| !id.is_empty());
    if delegate.is_some_and(|id| id == rep.id || reader.app.team.rep(id).is_none()) {
        return Err(Problem::new(
            "absence.delegate_invalid",
            "Whoever stands in is another rep of the team.",
        ));
    }
    let note: String = away.note.trim().chars().filter(|c| !c.is_control()).take(NOTE_LENGTH).collect();
    let absence = Absence {
        id: None,
        rep: rep.id.clone(),
        span: days(rep, &away, reader.now)?,
        delegate: delegate.map(str::to_owned),
        note: Some(note).filter(|note| !note.is_empty()),
    };
    let mut tx = reader.app.stores.db.begin().await?;
    bookings::go_away(&mut tx, &absence, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(PATH, "away"))
}

fn days(rep: &Rep, away: &Away, now: Timestamp) -> Result<Span, Problem> {
    let date = |text: &str| {
        let wrong = |_| Problem::new("request.day_unreadable", "A day is written as 2026-12-24.");
        text.parse::<Date>().map_err(wrong)
    };
    let from = date(&away.from)?;
    let to = if away.to.is_empty() { from } else { date(&away.to)? };
    let span = absence::days(rep, from, to).filter(|span| span.to > now);
    span.ok_or_else(|| {
        Problem::new("absence.days_invalid", "The last day lies before the first, or is over.")
    })
}

/// `POST /console/team/absences/{absence}/remove`.
pub async fn come_back(
    reader: Reader,
    absence: web::Path<String>,
    of: web::Form<Of>,
) -> Result<HttpResponse, Problem> {
    let id = AbsenceId::parse(&absence).map_err(|_| bookings::Error::Unknown)?;
    let team = &reader.app.team;
    let rep = team.reps.iter().find(|rep| rep.name == of.rep || rep.id == of.rep);
    let rep = subject(&reader, rep.map_or("", |rep| &rep.id))?;
    let mut tx = reader.app.stores.db.begin().await?;
    let is_there = bookings::come_back(&mut tx, id, &rep.id, reader.now).await?;
    tx.commit().await?;
    if is_there { Ok(see_done(PATH, "back")) } else { Err(bookings::Error::Unknown.into()) }
}

/// Whose it is.
#[derive(Deserialize)]
pub struct Of {
    rep: String,
}

/// Calls given back or taken.
#[derive(Deserialize)]
pub struct Credit {
    rep: String,
    amount: String,
    #[serde(default)]
    note: String,
}

/// `POST /console/team/credits`.
pub async fn credit(reader: Reader, credit: web::Form<Credit>) -> Result<HttpResponse, Problem> {
    let rep = subject(&reader, &credit.rep)?;
    let amount = credit.amount.trim().parse::<i64>().ok();
    let amount = amount.filter(|amount| *amount != 0 && amount.abs() <= CREDIT_MOST).ok_or_else(|| {
        Problem::new("team.credit_invalid", "Calls are given back as a number from -50 to 50, not 0.")
    })?;
    let note: String = credit.note.trim().chars().filter(|c| !c.is_control()).take(NOTE_LENGTH).collect();
    let mut tx = reader.app.stores.db.begin().await?;
    let note = Some(note.as_str()).filter(|note| !note.is_empty());
    bookings::give_credit(&mut tx, &rep.id, amount, note, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(PATH, "credit"))
}

/// The rep of this id, if the reader may say something of them.
pub(super) fn subject<'a>(reader: &'a Reader, id: &str) -> Result<&'a Rep, Problem> {
    let found = subjects(reader).into_iter().find(|rep| rep.id == id);
    found.ok_or_else(|| Problem::new("account.forbidden", "This is said by the rep, or by an administrator."))
}
