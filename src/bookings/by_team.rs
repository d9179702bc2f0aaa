//! What the team does with calls: moves one, cancels one, passes one on to another rep, makes one for somebody.
//!
//! The same locks and the same guard as when visitors do it, and the same consequences; only that the minimum notice and
//! the booking window bind visitors and not the company, that the rep is the one who was asked for, and that whoever acts
//! names the sequence she has seen: a call that the visitor moved meanwhile is left as it is.
//!
//! A call outlives the lines of the team's file: one whose rep is gone moves to the times of those who hold such calls, and
//! one whose kind is gone is passed on or cancelled.

use super::place::{self, Kept, Target, Wish};
use super::slots::{Slot, Span};
use super::team::{Meeting, Rep, Team, Window};
use super::{
    Booking, Desk, Error, HOLD_MS, Holder, Pick, Result, Said, blank, call_off, former, mine, noted, settle,
    shift,
};
use crate::base::ids::{BookingId, ContactId};
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::storage::db::{Queries, Tx};

/// How far ahead the team can book, in days.
const WINDOW_DAYS: u16 = 365;

/// A call as somebody saw it who now changes it.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Which.
    pub id: BookingId,
    /// The sequence it had then.
    pub sequence: i64,
}

/// A call that the team makes.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// The meeting's id.
    pub meeting: &'a str,
    /// Who is to hold it.
    pub rep: &'a str,
    /// With whom.
    pub contact: ContactId,
    /// When it begins.
    pub starts_at: Timestamp,
    /// The contact's zone, by its IANA name.
    pub time_zone: &'a str,
    /// The contact's language.
    pub language: Language,
    /// What is to be known beforehand; the contact reads it, too.
    pub notes: Option<&'a str>,
}

/// The meeting as the team may book it with this rep.
fn unbound(meeting: &Meeting, rep: &str) -> Meeting {
    Meeting { notice_ms: 0, window: Window::Days(WINDOW_DAYS), reps: vec![rep.to_owned()], ..meeting.clone() }
}

/// A booking's meeting, as long as the booking is, with its own rep; with those who hold such meetings, if she is gone.
fn to_move(team: &Team, booking: &Booking) -> Result<Meeting> {
    let meeting = team.meeting(&booking.meeting).ok_or(Error::MeetingGone)?;
    let meeting = meeting.as_long_as(booking.ends_at.since_ms(booking.starts_at));
    let is_there = team.rep(&booking.rep).is_some();
    let reps = if is_there { vec![booking.rep.clone()] } else { meeting.reps.clone() };
    Ok(Meeting { reps, ..unbound(&meeting, &booking.rep) })
}

/// A booking's meeting, as long as the booking is, whether it is still offered or not, with this rep.
async fn to_pass_on(q: &mut impl Queries, team: &Team, booking: &Booking, rep: &str) -> Result<Meeting> {
    let meeting = former::meeting(q, team, booking).await?;
    Ok(unbound(&meeting.as_long_as(booking.ends_at.since_ms(booking.starts_at)), rep))
}

/// Somebody who asks for this rep.
fn with(wish: Wish, rep: &str) -> Wish {
    let companion = wish.keep.and_then(|keep| keep.companion);
    Wish { keep: Some(Kept { rep: rep.to_owned(), companion }), ..wish }
}

/// The times to which the team can move a call; its own time counts as free.
///
/// # Errors
/// [`Error::MeetingGone`], [`Error::Store`].
pub async fn slots_to_move<'t>(
    q: &mut impl Queries,
    team: &'t Team,
    booking: &Booking,
    window: Span,
    now: Timestamp,
) -> Result<Vec<Slot<'t>>> {
    let meeting = to_move(team, booking)?;
    place::free_kept(q, team, &meeting, (&Wish::moving(booking), Some(booking)), window, now).await
}

/// The times at which this rep could hold a meeting.
///
/// # Errors
/// [`Error::Store`].
pub async fn slots<'t>(
    q: &mut impl Queries,
    team: &'t Team,
    (meeting, rep): (&Meeting, &str),
    window: Span,
    now: Timestamp,
) -> Result<Vec<Slot<'t>>> {
    let wish = with(Wish::looking(&Holder::default(), None), rep);
    place::free_kept(q, team, &unbound(meeting, rep), (&wish, None), window, now).await
}

/// The colleagues who could take a call over: they work then and have nothing else. Those whose meeting it is come first.
///
/// # Errors
/// [`Error::Store`].
pub async fn takers<'t>(
    q: &mut impl Queries,
    team: &'t Team,
    booking: &Booking,
    now: Timestamp,
) -> Result<Vec<&'t Rep>> {
    let is_theirs =
        |rep: &Rep| team.meeting(&booking.meeting).is_some_and(|meeting| meeting.reps.contains(&rep.id));
    let is_there = |rep: &Rep| rep.id == booking.rep || booking.companion.as_ref() == Some(&rep.id);
    let mut found = Vec::new();
    for rep in team.reps.iter().filter(|rep| !is_there(rep)) {
        let meeting = to_pass_on(q, team, booking, &rep.id).await?;
        let wish = with(Wish::moving(booking), &rep.id);
        let window = place::at(booking.starts_at);
        if !place::free_kept(q, team, &meeting, (&wish, Some(booking)), window, now).await?.is_empty() {
            found.push(rep);
        }
    }
    found.sort_by_key(|rep| !is_theirs(rep));
    Ok(found)
}

/// The call, under the lock of its contact, if it still is as it was seen.
async fn as_seen(tx: &mut Tx, seen: Seen, now: Timestamp) -> Result<Booking> {
    let booking = mine(tx, seen.id, now).await?;
    if booking.sequence == seen.sequence { Ok(booking) } else { Err(Error::Changed) }
}

/// Moves a call to another time of the same rep; of whoever else holds such calls, if she is gone.
///
/// # Errors
/// As [`reschedule`](super::reschedule), and [`Error::Changed`] if it is not as it was seen.
pub async fn reschedule(
    tx: &mut Tx,
    desk: Desk<'_>,
    seen: Seen,
    starts_at: Timestamp,
    now: Timestamp,
) -> Result<Booking> {
    let old = as_seen(tx, seen, now).await?;
    if old.starts_at == starts_at {
        return Ok(old);
    }
    let meeting = to_move(desk.team, &old)?;
    let wish = Wish { starts_at, ..Wish::moving(&old) };
    shift(tx, desk, (&meeting, &wish), old, true, now).await
}

/// The refusal of [`reschedule`] with the times nearest to the wished one, if that helps.
pub async fn nearest_to_move(
    q: &mut impl Queries,
    team: &Team,
    booking: &Booking,
    starts_at: Timestamp,
    refused: Error,
    now: Timestamp,
) -> Error {
    let Ok(meeting) = to_move(team, booking) else { return refused };
    if !refused.has_alternatives() {
        return refused;
    }
    let wish = Wish { starts_at, ..Wish::moving(booking) };
    refused.with(place::nearest(q, team, &meeting, &wish, Some(booking), now).await)
}

/// Cancels a call; the visitor reads the reason.
///
/// # Errors
/// As [`cancel`](super::cancel), and [`Error::Changed`] if it is not as it was seen.
pub async fn cancel(
    tx: &mut Tx,
    desk: Desk<'_>,
    seen: Seen,
    reason: &str,
    now: Timestamp,
) -> Result<Booking> {
    let old = as_seen(tx, seen, now).await?;
    call_off(tx, desk, old, Some(reason), true, now).await
}

/// Passes a call on to another rep, at its time. The reason is for colleagues.
///
/// # Errors
/// [`Error::Unknown`] if there is no such rep, [`Error::SlotTaken`] if she is not free then, [`Error::SlotUnknown`] if she
/// does not work then, [`Error::Changed`] if it is not as it was seen, and those of [`cancel`].
pub async fn pass_on(
    tx: &mut Tx,
    desk: Desk<'_>,
    seen: Seen,
    (rep, reason): (&str, &str),
    now: Timestamp,
) -> Result<Booking> {
    let old = as_seen(tx, seen, now).await?;
    if old.rep == rep {
        return Ok(old);
    }
    let rep = desk.team.rep(rep).ok_or(Error::Unknown)?;
    let meeting = to_pass_on(tx, desk.team, &old, &rep.id).await?;
    let words = noted(reason);
    let wish = with(Wish { starts_at: old.starts_at, ..Wish::moving(&old) }, &rep.id);
    let wish = Wish { chosen: Some(words), ..wish };
    shift(tx, desk, (&meeting, &wish), old, true, now).await
}

/// Books a call for a contact with a rep.
///
/// # Errors
/// As [`book`](super::book), and [`Error::Unknown`] if there is no such rep.
pub async fn book(tx: &mut Tx, desk: Desk<'_>, made: &Made<'_>, now: Timestamp) -> Result<Booking> {
    let rep = desk.team.rep(made.rep).ok_or(Error::Unknown)?;
    let meeting = desk.team.meeting(made.meeting).ok_or(Error::MeetingUnknown)?;
    let meeting = unbound(meeting, &rep.id);
    let pick = picked(made);
    let wish = Wish { chosen: Some(String::new()), ..with(Wish::of(&pick), &rep.id) };
    let hold = Target::New(blank(&meeting, &pick, HOLD_MS, now)?);
    let held = place::place(tx, desk.team, &meeting, &wish, hold, now).await?;
    settle(tx, desk, held, made.contact, &Said { notes: made.notes, answers: None }, now).await
}

/// The refusal of [`book`] with the rep's times nearest to the wished one, if that helps.
pub async fn nearest(
    q: &mut impl Queries,
    team: &Team,
    made: &Made<'_>,
    refused: Error,
    now: Timestamp,
) -> Error {
    let Some(meeting) = team.meeting(made.meeting).filter(|_| refused.has_alternatives()) else {
        return refused;
    };
    let wish = with(Wish::of(&picked(made)), made.rep);
    refused.with(place::nearest(q, team, &unbound(meeting, made.rep), &wish, None, now).await)
}

fn picked<'a>(made: &Made<'a>) -> Pick<'a> {
    Pick {
        meeting: made.meeting,
        starts_at: made.starts_at,
        duration_ms: None,
        time_zone: made.time_zone,
        language: made.language,
        holder: Holder::default(),
        contact: Some(made.contact),
    }
}
