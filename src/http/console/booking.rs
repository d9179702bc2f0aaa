//! One call, and what the team does with it: moves it, cancels it, passes it on, makes one for a contact.
//!
//! Whoever holds a call changes it; an administrator changes everybody's. Each form says which state of the call it was
//! made of, so that a call which the visitor changed meanwhile is shown again and not changed.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::frame::{Reader, see_done};
use crate::accounts::May;
use crate::base::email::Email;
use crate::base::ids::{BookingId, ContactId};
use crate::base::time::{DAY_MS, Timestamp, zone};
use crate::bookings::by_team::{self, Made, Seen};
use crate::bookings::questions::PHONE;
use crate::bookings::slots::{Slot, Span};
use crate::bookings::team::{Meeting, Rep};
use crate::bookings::wall::{self, Edge};
use crate::bookings::{self, Booking, Desk, Error, State, former};
use crate::contacts::{self, Contact};
use crate::http::error::Problem;
use crate::notify::undelivered;
use crate::notify::why::why;
use crate::privacy::audit::{self, Act, By};
use crate::storage::db::{Reads, Tx};

/// How many days of free times are offered at once.
const OFFERED_DAYS: i64 = 14;
/// Longest reason and note, in characters.
const WORDS_LENGTH: usize = 500;

/// Why something was refused, in a word of the texts, and other times that could be had.
#[derive(Default)]
struct Refusal {
    word: Option<&'static str>,
    alternatives: Vec<Timestamp>,
}

impl Refusal {
    /// What can be said on the page; the rest is a problem as elsewhere.
    fn of(error: Error) -> Result<Self, Problem> {
        let word = match &error {
            Error::SlotTaken { .. } => "taken",
            Error::DayFull { .. } => "full",
            Error::SlotPast | Error::SlotTooSoon | Error::SlotUnknown => "not_offered",
            Error::Changed => "changed",
            Error::TooMany => "too_many",
            _ => return Err(error.into()),
        };
        let alternatives = match error {
            Error::SlotTaken { alternatives } | Error::DayFull { alternatives } => alternatives,
            _ => Vec::new(),
        };
        let alternatives = alternatives.into_iter().map(|time| time.starts_at).collect();
        Ok(Self { word: Some(word), alternatives })
    }

    fn status(&self) -> StatusCode {
        if self.word.is_some() { StatusCode::CONFLICT } else { StatusCode::OK }
    }
}

fn desk(reader: &Reader) -> Desk<'_> {
    Desk { team: &reader.app.team, lifecycle: &reader.app.lifecycle }
}

async fn found(reader: &Reader, id: &str) -> Result<Booking, Problem> {
    let id = BookingId::parse(id).map_err(|_| Error::Unknown)?;
    let booking = bookings::find(&mut reader.app.stores.db.read(), id).await?;
    match booking.state {
        State::Confirmed | State::Cancelled => Ok(booking),
        State::Hold | State::Expired => Err(Error::Unknown.into()),
    }
}

/// Whether the reader may change this call.
fn is_theirs(reader: &Reader, booking: &Booking) -> bool {
    let own = reader.app.team.rep_of_account(&reader.account.email);
    let holds = own.is_some_and(|rep| rep.id == booking.rep || booking.companion.as_ref() == Some(&rep.id));
    reader.may(May::Operate) || (reader.may(May::SetOutcome) && holds)
}

/// The call that a form is about, if the reader may change it.
async fn theirs(reader: &Reader, id: &str) -> Result<Booking, Problem> {
    let booking = found(reader, id).await?;
    if is_theirs(reader, &booking) {
        return Ok(booking);
    }
    let text = "A call is changed by whoever holds it, or by an administrator.";
    Err(Problem::new("account.forbidden", text))
}

/// `GET /console/bookings/{booking}`.
pub async fn show(reader: Reader, booking: web::Path<String>) -> Result<HttpResponse, Problem> {
    let booking = found(&reader, &booking).await?;
    page(&reader, &booking, Refusal::default()).await
}

async fn page(reader: &Reader, booking: &Booking, refusal: Refusal) -> Result<HttpResponse, Problem> {
    let (app, language, now) = (&reader.app, reader.account.language, reader.now);
    let reads = &mut app.stores.db.read();
    let contact = match booking.contact {
        Some(contact) => contacts::find(reads, contact).await?,
        None => None,
    };
    if let Some(contact) = &contact {
        audit::saw(&app.stores.db, By::Account(reader.account.id), contact.id, now).await?;
    }
    let offered = app.team.meeting(&booking.meeting);
    let meeting = former::meeting(reads, &app.team, booking).await?;
    let is_ahead = booking.state == State::Confirmed && booking.starts_at > now;
    let may_change = is_ahead && is_theirs(reader, booking);
    let (mut days, mut takers) = (Vec::new(), Vec::new());
    // One whose kind is not offered any more has no times to move to; it can be passed on, and cancelled.
    let may_move = may_change && offered.is_some();
    if may_change {
        takers = by_team::takers(reads, &app.team, booking, now).await?;
    }
    if may_move {
        let from = asked_day(reader).unwrap_or(now).max(now);
        let window = Span::new(from, from.plus_ms(OFFERED_DAYS * DAY_MS));
        let mut slots = by_team::slots_to_move(reads, &app.team, booking, window, now).await?;
        slots.retain(|slot| slot.starts_at != booking.starts_at);
        days = by_day(reader, &slots, None);
    }
    let answers = booking.answers.told(&meeting.questions, language);
    let rep = former::name(reads, &app.team, &booking.rep).await?;
    let companion = match &booking.companion {
        Some(companion) => Some(former::name(reads, &app.team, companion).await?),
        None => None,
    };
    let there = std::iter::once((&booking.rep, &rep)).chain(booking.companion.iter().zip(&companion));
    let gone: Vec<&String> =
        there.filter(|(id, _)| is_ahead && app.team.rep(id).is_none()).map(|(_, name)| name).collect();
    let title = meeting.title.get(language);
    let reason = booking.assignment.as_ref();
    let failed = undelivered::of_call(reads, booking.id).await?;
    let is_unreached = failed.iter().any(|mail| mail.rep.is_none());
    let mut undelivered: Vec<Json> = Vec::new();
    for mail in failed {
        let rep = match &mail.rep {
            Some(rep) => Some(former::name(reads, &app.team, rep).await?),
            None => None,
        };
        undelivered.push(json!({
            "what": app.desk.wording.title(&mail.template, language), "to": mail.recipient, "how": mail.how,
            "said": mail.said, "at": mail.at, "rep": rep,
        }));
    }
    let phone = match &contact {
        Some(contact) if is_unreached => phone_of(reads, booking, contact).await?,
        _ => None,
    };
    let body = json!({
        "call": {
            "id": booking.id, "sequence": booking.sequence, "state": booking.state, "outcome": booking.outcome,
            "starts_at": booking.starts_at, "ends_at": booking.ends_at, "time_zone": booking.time_zone,
            "past": booking.starts_at <= now, "meeting": title, "rep": rep,
            "companion": companion, "location": booking.place(Some(&meeting), language),
            "notes": booking.notes, "reason": booking.cancel_reason,
        },
        "contact": contact.as_ref().map(|contact| json!({ "id": contact.id, "name": contact.display_name() })),
        "answers": answers.into_iter().map(|(ask, said)| json!({ "ask": ask, "said": said })).collect::<Vec<_>>(),
        "why": reason.map(|reason| why(&app.templates, &app.team, reason, language).text),
        "undelivered": undelivered,
        "is_unreached": is_unreached,
        "phone": phone,
        "gone": gone,
        "is_kind_gone": is_ahead && offered.is_none(),
        "may_change": may_change,
        "may_move": may_move,
        "days": days,
        "takers": takers.iter().map(|rep| json!({ "id": rep.id, "name": rep.name })).collect::<Vec<_>>(),
        "refused": refusal.word,
        "alternatives": refusal.alternatives,
    });
    reader.page_with(refusal.status(), "console/booking", body).await
}

/// The number to ring: the one that was left for this call, else the contact's.
async fn phone_of(
    reads: &mut Reads<'_>,
    booking: &Booking,
    contact: &Contact,
) -> Result<Option<String>, Problem> {
    if let Some(phone) = booking.answers.get(PHONE) {
        return Ok(Some(phone.to_owned()));
    }
    let fields = contacts::fields(reads, contact.id).await?;
    let known = fields.into_iter().find(|field| field.name == PHONE && !field.is_suggestion);
    Ok(known.map(|field| field.value))
}

/// Midnight of the day that the address names.
fn asked_day(reader: &Reader) -> Option<Timestamp> {
    let date: Date = reader.asked("on")?.parse().ok()?;
    let zone = zone(&reader.zone()).unwrap_or(TimeZone::UTC);
    wall::instant(&zone, date, 0, Edge::Start)
}

/// Times under the reader's days.
fn by_day(reader: &Reader, slots: &[Slot<'_>], chosen: Option<Timestamp>) -> Vec<Json> {
    let mut days: Vec<(Timestamp, Vec<Json>)> = Vec::new();
    for slot in slots {
        let time = json!({ "at": slot.starts_at, "is_chosen": Some(slot.starts_at) == chosen });
        let (midnight, _) = reader.day_of(slot.starts_at);
        match days.last_mut() {
            Some((day, times)) if *day == midnight => times.push(time),
            _ => days.push((midnight, vec![time])),
        }
    }
    days.into_iter().map(|(at, times)| json!({ "at": at, "times": times })).collect()
}

fn words(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(WORDS_LENGTH).collect()
}

async fn note(
    tx: &mut Tx,
    reader: &Reader,
    booking: &Booking,
    (did, mut details): (&str, Json),
) -> Result<(), Problem> {
    let Some(contact) = booking.contact else { return Ok(()) };
    details["booking"] = json!(booking.id);
    details["did"] = json!(did);
    audit::note(tx, By::Account(reader.account.id), Act::Changed, contact, details, reader.now).await?;
    Ok(())
}

/// Another time.
#[derive(Deserialize)]
pub struct Moved {
    sequence: i64,
    starts_at: i64,
}

/// `POST /console/bookings/{booking}/move`.
pub async fn reschedule(
    reader: Reader,
    booking: web::Path<String>,
    to: web::Form<Moved>,
) -> Result<HttpResponse, Problem> {
    let booking = theirs(&reader, &booking).await?;
    let (seen, starts_at) = (Seen { id: booking.id, sequence: to.sequence }, Timestamp(to.starts_at));
    let mut tx = reader.app.stores.db.begin().await?;
    match by_team::reschedule(&mut tx, desk(&reader), seen, starts_at, reader.now).await {
        Ok(moved) => {
            let was = json!({ "from": booking.starts_at, "to": moved.starts_at });
            note(&mut tx, &reader, &moved, ("moved", was)).await?;
            tx.commit().await?;
            Ok(see_done(&path(&moved), "call_moved"))
        }
        Err(refused) => {
            drop(tx);
            let reads = &mut reader.app.stores.db.read();
            let team = &reader.app.team;
            let refused =
                by_team::nearest_to_move(reads, team, &booking, starts_at, refused, reader.now).await;
            again(&reader, booking.id, refused).await
        }
    }
}

/// The page of the call as it is now, with why nothing was done.
async fn again(reader: &Reader, id: BookingId, refused: Error) -> Result<HttpResponse, Problem> {
    let refusal = Refusal::of(refused)?;
    let booking = bookings::find(&mut reader.app.stores.db.read(), id).await?;
    page(reader, &booking, refusal).await
}

fn path(booking: &Booking) -> String {
    format!("/console/bookings/{}", booking.id)
}

/// Why a call does not take place.
#[derive(Deserialize)]
pub struct Off {
    sequence: i64,
    #[serde(default)]
    reason: String,
}

/// `POST /console/bookings/{booking}/cancel`.
pub async fn cancel(
    reader: Reader,
    booking: web::Path<String>,
    off: web::Form<Off>,
) -> Result<HttpResponse, Problem> {
    let booking = theirs(&reader, &booking).await?;
    let (seen, reason) = (Seen { id: booking.id, sequence: off.sequence }, words(&off.reason));
    let mut tx = reader.app.stores.db.begin().await?;
    match by_team::cancel(&mut tx, desk(&reader), seen, &reason, reader.now).await {
        Ok(cancelled) => {
            note(&mut tx, &reader, &cancelled, ("cancelled", json!({ "reason": reason }))).await?;
            tx.commit().await?;
            Ok(see_done(&path(&cancelled), "call_cancelled"))
        }
        Err(refused) => {
            drop(tx);
            again(&reader, booking.id, refused).await
        }
    }
}

/// Who takes a call over.
#[derive(Deserialize)]
pub struct PassedOn {
    sequence: i64,
    rep: String,
    #[serde(default)]
    reason: String,
}

/// `POST /console/bookings/{booking}/reassign`.
pub async fn reassign(
    reader: Reader,
    booking: web::Path<String>,
    to: web::Form<PassedOn>,
) -> Result<HttpResponse, Problem> {
    let booking = theirs(&reader, &booking).await?;
    let rep = rep(&reader, &to.rep)?;
    let (seen, reason) = (Seen { id: booking.id, sequence: to.sequence }, words(&to.reason));
    let mut tx = reader.app.stores.db.begin().await?;
    match by_team::pass_on(&mut tx, desk(&reader), seen, (&rep.id, &reason), reader.now).await {
        Ok(passed) => {
            let was = json!({ "from": booking.rep, "to": passed.rep, "reason": reason });
            note(&mut tx, &reader, &passed, ("passed_on", was)).await?;
            tx.commit().await?;
            Ok(see_done(&path(&passed), "call_passed_on"))
        }
        Err(refused) => {
            drop(tx);
            let mut refusal = Refusal::of(refused)?;
            refusal.word = match refusal.word {
                Some("taken" | "full" | "not_offered") => Some("not_free"),
                word => word,
            };
            let booking = bookings::find(&mut reader.app.stores.db.read(), booking.id).await?;
            page(&reader, &booking, refusal).await
        }
    }
}

fn rep<'a>(reader: &'a Reader, id: &str) -> Result<&'a Rep, Problem> {
    let rep = reader.app.team.rep(id);
    rep.ok_or_else(|| Problem::new("request.malformed", "There is no such rep; choose one of the list."))
}

// ---- a new one ------------------------------------------------------------------------------------

/// A call that somebody of the team books.
#[derive(Deserialize)]
pub struct New {
    #[serde(default)]
    contact: String,
    #[serde(default)]
    email: String,
    rep: String,
    meeting: String,
    starts_at: i64,
    #[serde(default)]
    notes: String,
}

/// `GET /console/bookings/new?contact=…&rep=…&meeting=…&on=…&at=…`.
pub async fn ask(reader: Reader) -> Result<HttpResponse, Problem> {
    let text = |name: &str| reader.asked(name).unwrap_or_default();
    let contact = known(&reader, &text("contact"), &text("email")).await?;
    let at = reader.asked("at").and_then(|ms| ms.parse().ok()).map(Timestamp);
    let form = Form { contact, email: text("email"), rep: text("rep"), meeting: text("meeting"), at };
    form.page(&reader, Refusal::default()).await
}

/// The contact of an id, or of an address.
async fn known(reader: &Reader, id: &str, email: &str) -> Result<Option<Contact>, Problem> {
    let reads = &mut reader.app.stores.db.read();
    if let Ok(id) = ContactId::parse(id) {
        return Ok(contacts::find(reads, id).await?);
    }
    let Ok(email) = Email::parse(email) else { return Ok(None) };
    Ok(contacts::find_by_email(reads, &email).await?)
}

/// What is known of the new call while it is asked for.
struct Form {
    contact: Option<Contact>,
    email: String,
    rep: String,
    meeting: String,
    at: Option<Timestamp>,
}

impl Form {
    async fn page(self, reader: &Reader, refusal: Refusal) -> Result<HttpResponse, Problem> {
        let (team, language, now) = (&reader.app.team, reader.account.language, reader.now);
        let own = team.rep_of_account(&reader.account.email);
        let rep = team.rep(&self.rep).or(own).or_else(|| team.reps.first());
        let is_theirs = |meeting: &&Meeting| rep.is_some_and(|rep| meeting.reps.contains(&rep.id));
        let meeting = team.meeting(&self.meeting);
        let meeting =
            meeting.or_else(|| team.meetings.iter().find(is_theirs)).or_else(|| team.meetings.first());
        let mut days = Vec::new();
        if let (Some(rep), Some(meeting)) = (rep, meeting) {
            let from = asked_day(reader).or(self.at.map(|at| reader.day_of(at).0)).unwrap_or(now).max(now);
            let window = Span::new(from, from.plus_ms(OFFERED_DAYS * DAY_MS));
            let reads = &mut reader.app.stores.db.read();
            let slots = by_team::slots(reads, team, (meeting, &rep.id), window, now).await?;
            days = by_day(reader, &slots, self.at);
        }
        let reps = team.reps.iter().map(|other| {
            json!({ "id": other.id, "name": other.name, "current": rep.is_some_and(|rep| rep.id == other.id) })
        });
        let meetings = team.meetings.iter().map(|other| {
            let title = other.title.get(language);
            json!({ "id": other.id, "name": title, "current": meeting.is_some_and(|meeting| meeting.id == other.id) })
        });
        let body = json!({
            "contact": self.contact.as_ref().map(|contact| json!({
                "id": contact.id, "name": contact.display_name(), "email": contact.email,
            })),
            "email": self.email,
            "is_unknown": self.contact.is_none() && !self.email.is_empty(),
            "rep": rep.map(|rep| rep.id.clone()),
            "meeting": meeting.map(|meeting| meeting.id.clone()),
            "reps": reps.collect::<Vec<Json>>(),
            "meetings": meetings.collect::<Vec<Json>>(),
            "on": reader.asked("on"),
            "days": days,
            "refused": refusal.word,
            "alternatives": refusal.alternatives,
        });
        reader.page_with(refusal.status(), "console/booking_new", body).await
    }
}

/// `POST /console/bookings/new`.
pub async fn make(reader: Reader, new: web::Form<New>) -> Result<HttpResponse, Problem> {
    let contact = known(&reader, &new.contact, &new.email).await?;
    let form = |contact| Form {
        contact,
        email: new.email.clone(),
        rep: new.rep.clone(),
        meeting: new.meeting.clone(),
        at: Some(Timestamp(new.starts_at)),
    };
    let Some(contact) = contact else {
        return form(None).page(&reader, Refusal { word: Some("nobody"), ..Refusal::default() }).await;
    };
    let rep = rep(&reader, &new.rep)?;
    let notes = words(&new.notes);
    let zone = contact.time_zone.clone().or_else(|| rep.zone.iana_name().map(str::to_owned));
    let zone = zone.unwrap_or_else(|| "UTC".to_owned());
    let made = Made {
        meeting: &new.meeting,
        rep: &rep.id,
        contact: contact.id,
        starts_at: Timestamp(new.starts_at),
        time_zone: &zone,
        language: contact.language,
        notes: Some(&notes),
    };
    let mut tx = reader.app.stores.db.begin().await?;
    match by_team::book(&mut tx, desk(&reader), &made, reader.now).await {
        Ok(booked) => {
            note(&mut tx, &reader, &booked, ("booked", json!({ "rep": booked.rep }))).await?;
            tx.commit().await?;
            Ok(see_done(&path(&booked), "call_booked"))
        }
        Err(refused) => {
            drop(tx);
            let reads = &mut reader.app.stores.db.read();
            let refused = by_team::nearest(reads, &reader.app.team, &made, refused, reader.now).await;
            let refusal = Refusal::of(refused)?;
            form(Some(contact)).page(&reader, refusal).await
        }
    }
}
