//! Calls that are booked: who can be booked when, holds, bookings, invitations.
//!
//! Holds and bookings are rows of one table, guarded by one constraint: no two that block the same rep overlap,
//! buffers included; a call of two has a row for each of them. Every writer first takes the lock of the contact, then those of the reps it may end up with, in
//! the order of their ids, lets holds that have run out go, and looks under the locks; so nobody waits in a circle,
//! and the constraint only ever speaks when a writer breaks these rules. A booking keeps its id for life; each change
//! that people's calendars must hear of raises its sequence.
//!
//! `slots.rs` and `assign.rs` are pure: what can be offered, and to whom it goes. `place.rs` asks them under the lock.
//! What takes long, the other times for whoever came too late, is looked for when no lock is held ([`nearest`]).

pub mod absence;
pub mod assign;
mod booking;
pub mod by_team;
pub mod calendars;
pub mod capacity;
pub mod earlier;
mod error;
pub mod former;
mod holidays;
pub mod invite;
pub mod limits;
mod link;
mod location;
mod meeting_file;
pub mod openings;
pub mod own_week;
mod place;
pub mod questions;
mod rotation;
pub mod slots;
mod store;
pub mod team;
mod team_file;
pub mod wall;
pub mod zones;

use serde_json::json;

use self::absence::Absence;
use self::assign::Standing;
use self::place::{Kept, Target, Wish};
use self::questions::Answers;
use self::slots::{Slot, Span};
use self::team::{Meeting, Team};
use crate::base::email::Email;
use crate::base::ids::{AbsenceId, BookingId, ContactId};
use crate::base::language::Language;
use crate::base::time::{DAY_MS, MINUTE_MS, SECOND_MS, Step, Timestamp, zone};
use crate::base::typed::plain;
use crate::contacts;
use crate::deals;
use crate::events::{self, Event};
use crate::stages;
use crate::storage::db::{Queries, Reads, Tx};

pub use self::booking::{Booking, Holder, Outcome, State, Time};
pub use self::error::Error;
pub use self::link::{Link, Linked, read as read_link};
pub use self::store::PERSONAL;

/// The answer of everything that touches a booking.
pub type Result<T> = std::result::Result<T, Error>;

/// How long a slot is kept for somebody who has not finished.
pub const HOLD_MS: i64 = 5 * MINUTE_MS;
/// How many calls one contact may have ahead; more is no longer an interested person.
pub const MOST_AHEAD: i64 = 5;
/// How many calls may be booked for one contact within 24 hours, those that were cancelled counted, and how often a visitor
/// may move one: each sends her mail, and whoever types an address need not be its owner.
pub const MOST_A_DAY: i64 = 6;
const MOST_CHANGES: i64 = 12;
/// Longest note, in characters; the rest is cut.
const NOTES_LENGTH: usize = 2_000;

/// What every change of a booking goes by: who can be booked, and what a booking makes of a contact.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    /// Reps and meetings.
    pub team: &'a Team,
    /// The stages and their rules.
    pub lifecycle: &'a stages::Definition,
}

/// A slot that somebody picked.
#[derive(Debug, Clone, Copy)]
pub struct Pick<'a> {
    /// The meeting's id.
    pub meeting: &'a str,
    /// When it is to begin.
    pub starts_at: Timestamp,
    /// How long it is to take, of the lengths that the meeting offers; none for its first.
    pub duration_ms: Option<i64>,
    /// The visitor's zone, by its IANA name.
    pub time_zone: &'a str,
    /// The visitor's language.
    pub language: Language,
    /// Who picked it.
    pub holder: Holder,
    /// Who they are, as far as it is known: their owner goes first.
    pub contact: Option<ContactId>,
}

/// What somebody says with a booking.
#[derive(Debug, Clone, Copy, Default)]
pub struct Said<'a> {
    /// In their own words.
    pub notes: Option<&'a str>,
    /// To the meeting's questions; none where they were not asked.
    pub answers: Option<&'a Answers>,
}

/// The free slots of a meeting that begin within `window`, earliest first. What `holder` itself holds counts as free. A known
/// contact sees the owner's times alone, if the team's file wants it so and there are any soon.
///
/// # Errors
/// [`Error::Store`].
pub async fn slots<'t>(
    q: &mut impl Queries,
    team: &'t Team,
    meeting: &Meeting,
    window: Span,
    holder: &Holder,
    contact: Option<ContactId>,
    now: Timestamp,
) -> Result<Vec<Slot<'t>>> {
    place::free(q, team, meeting, window, &Wish::looking(holder, contact), now).await
}

/// The slots to which a booking can move, earliest first: those of its own rep and as long as it is, its own time counted
/// as free.
///
/// # Errors
/// [`Error::Store`].
pub async fn slots_to_move<'t>(
    q: &mut impl Queries,
    team: &'t Team,
    meeting: &Meeting,
    booking: &Booking,
    window: Span,
    now: Timestamp,
) -> Result<Vec<Slot<'t>>> {
    let meeting = meeting.as_long_as(booking.ends_at.since_ms(booking.starts_at));
    place::free_for(q, team, &meeting, booking, window, now).await
}

/// Keeps a slot for [`HOLD_MS`]. Whatever the same holder held before is let go.
///
/// # Errors
/// [`Error::MeetingUnknown`], [`Error::DurationUnknown`], [`Error::ZoneUnknown`], [`Error::SlotPast`],
/// [`Error::SlotTooSoon`], [`Error::SlotUnknown`], [`Error::SlotTaken`], [`Error::DayFull`].
pub async fn hold(tx: &mut Tx, desk: Desk<'_>, pick: &Pick<'_>, now: Timestamp) -> Result<Booking> {
    let meeting = &lasting(desk.team, pick)?;
    let blank = blank(meeting, pick, HOLD_MS, now)?;
    place::place(tx, desk.team, meeting, &Wish::of(pick), Target::New(blank), now).await
}

/// A hold that has no rep yet.
fn blank(meeting: &Meeting, pick: &Pick<'_>, hold_ms: i64, now: Timestamp) -> Result<Booking> {
    let zone = zone(pick.time_zone).ok_or(Error::ZoneUnknown)?;
    Ok(Booking {
        id: BookingId::new(),
        meeting: meeting.id.clone(),
        rep: String::new(),
        companion: None,
        contact: pick.contact,
        visitor: pick.holder.visitor,
        conversation: pick.holder.conversation,
        starts_at: pick.starts_at,
        ends_at: pick.starts_at.plus_ms(meeting.duration_ms),
        block: slots::block(meeting, pick.starts_at),
        state: State::Hold,
        hold_expires_at: Some(now.plus_ms(hold_ms)),
        sequence: 0,
        time_zone: zone.iana_name().unwrap_or("UTC").to_owned(),
        language: pick.language,
        location: None,
        notes: None,
        answers: Answers::default(),
        assignment: None,
        outcome: None,
        outcome_at: None,
        cancel_reason: None,
        created_at: now,
        updated_at: now,
    })
}

fn lasting(team: &Team, pick: &Pick<'_>) -> Result<Meeting> {
    let meeting = team.meeting(pick.meeting).ok_or(Error::MeetingUnknown)?;
    meeting.lasting(pick.duration_ms).ok_or(Error::DurationUnknown)
}

/// Whether a slot could be had now, without waiting for those who write. Nothing is promised: [`hold`] decides.
///
/// # Errors
/// As [`hold`].
pub async fn look(q: &mut impl Queries, desk: Desk<'_>, pick: &Pick<'_>, now: Timestamp) -> Result<()> {
    let meeting = lasting(desk.team, pick)?;
    zone(pick.time_zone).ok_or(Error::ZoneUnknown)?;
    place::look(q, desk.team, &meeting, &Wish::of(pick), now).await
}

/// The refusal of [`hold`], [`look`], [`book`] or [`confirm`] with the free times nearest to what was picked, if that helps.
/// It takes long, and so is never asked in a transaction: the one that was refused is dropped before.
pub async fn nearest(
    q: &mut Reads<'_>,
    desk: Desk<'_>,
    pick: &Pick<'_>,
    refused: Error,
    now: Timestamp,
) -> Error {
    if !refused.has_alternatives() {
        return refused;
    }
    let Ok(meeting) = lasting(desk.team, pick) else { return refused };
    refused.with(place::nearest(q, desk.team, &meeting, &Wish::of(pick), None, now).await)
}

/// As [`nearest`], for a refused [`reschedule`]: the times to which the booking can move.
pub async fn nearest_to_move(
    q: &mut Reads<'_>,
    desk: Desk<'_>,
    id: BookingId,
    starts_at: Timestamp,
    refused: Error,
    now: Timestamp,
) -> Error {
    if !refused.has_alternatives() {
        return refused;
    }
    let Ok(booking) = find(q, id).await else { return refused };
    let Some(meeting) = desk.team.meeting(&booking.meeting) else { return refused };
    let meeting = meeting.as_long_as(booking.ends_at.since_ms(booking.starts_at));
    let wish = Wish { starts_at, ..Wish::moving(&booking) };
    refused.with(place::nearest(q, desk.team, &meeting, &wish, Some(&booking), now).await)
}

/// Makes a booking of a hold. Confirming twice gives the same booking.
///
/// # Errors
/// [`Error::Unknown`] if it is not this holder's, [`Error::HoldExpired`], [`Error::SlotPast`],
/// [`Error::AlreadyCancelled`], [`Error::TooMany`], [`Error::DayFull`].
pub async fn confirm(
    tx: &mut Tx,
    desk: Desk<'_>,
    id: BookingId,
    holder: &Holder,
    contact: ContactId,
    said: &Said<'_>,
    now: Timestamp,
) -> Result<Booking> {
    let held = store::find(tx, id).await?.filter(|booking| holder.holds(booking)).ok_or(Error::Unknown)?;
    settle(tx, desk, held, contact, said, now).await
}

/// Holds and confirms in one go, for a form that asks everything at once.
///
/// # Errors
/// As [`hold`] and [`confirm`].
pub async fn book(
    tx: &mut Tx,
    desk: Desk<'_>,
    pick: &Pick<'_>,
    contact: ContactId,
    said: &Said<'_>,
    now: Timestamp,
) -> Result<Booking> {
    let pick = Pick { contact: Some(contact), ..*pick };
    tx.savepoint().await?;
    let held = hold(tx, desk, &pick, now).await?;
    let settled = settle(tx, desk, held, contact, said, now).await;
    if settled.as_ref().is_err_and(|refused| !matches!(refused, Error::Store(_))) {
        // A chat goes on with its transaction: the time is not kept from others for a call that there will not be. The last
        // savepoint is ours, or the one right before the hold was written (`place::write`).
        tx.rollback_to_savepoint().await?;
    }
    settled
}

/// Makes the rep who logs in with this account the owner of a contact who has none.
///
/// # Errors
/// As the store says.
pub async fn adopt(
    tx: &mut Tx,
    contact: ContactId,
    account: &Email,
    now: Timestamp,
) -> crate::storage::Result<()> {
    store::adopt(tx, contact, account, now).await
}

async fn settle(
    tx: &mut Tx,
    desk: Desk<'_>,
    held: Booking,
    contact: ContactId,
    said: &Said<'_>,
    now: Timestamp,
) -> Result<Booking> {
    match held.state {
        State::Hold if held.hold_expires_at.is_none_or(|end| end <= now) => return Err(Error::HoldExpired),
        State::Hold if held.created_at > now.plus_ms(store::AHEAD_MS) => return Err(Error::HoldExpired),
        State::Hold if held.starts_at <= now => return Err(Error::SlotPast),
        State::Hold => {}
        State::Confirmed if held.contact == Some(contact) => return Ok(held),
        State::Confirmed => return Err(Error::Unknown),
        State::Cancelled => return Err(Error::AlreadyCancelled),
        State::Expired => return Err(Error::HoldExpired),
    }
    place::lock_contact(tx, contact).await?;
    if store::count_ahead(tx, contact, now).await? >= MOST_AHEAD {
        return Err(Error::TooMany);
    }
    if store::count_booked(tx, contact, now.plus_ms(-DAY_MS)).await? >= MOST_A_DAY {
        return Err(Error::TooOften);
    }
    if held.contact != Some(contact)
        && let Some(meeting) = desk.team.meeting(&held.meeting)
    {
        place::admit(tx, desk.team, meeting, &held, contact, now).await?;
    }
    let notes = said.notes.map(noted);
    let booking = Booking {
        state: State::Confirmed,
        hold_expires_at: None,
        contact: Some(contact),
        notes: notes.filter(|text| !text.is_empty()),
        answers: said.answers.cloned().unwrap_or_default(),
        updated_at: now,
        ..held.clone()
    };
    store::replace(tx, &held, &booking).await?;
    if let Some(rep) = desk.team.rep(&booking.rep) {
        store::adopt(tx, contact, &rep.account, now).await?;
    }
    events::append(tx, &Event::BookingConfirmed { booking: booking.id, contact }, now).await?;
    note(tx, desk, &booking, contact, "booking.confirmed", now).await?;
    Ok(booking)
}

/// A note as it is kept, shortened: nothing in it turns what is read after it, in mails and calendars too.
fn noted(text: &str) -> String {
    plain(text).trim().chars().take(NOTES_LENGTH).collect()
}

/// Tells the contact's history, and moves the contact where the lifecycle's rules now lead.
async fn note(
    tx: &mut Tx,
    desk: Desk<'_>,
    booking: &Booking,
    contact: ContactId,
    kind: &str,
    now: Timestamp,
) -> Result<()> {
    let props = json!({ "meeting": booking.meeting, "rep": booking.rep, "starts_at": booking.starts_at });
    let subject = booking.id.to_string();
    contacts::record(tx, Some(contact), None, kind, Some(&subject), props, now).await?;
    stages::evaluate(tx, desk.lifecycle, contact, now).await?;
    Ok(())
}

/// Moves a booking to another slot of the same rep ([`slots_to_move`]), as its visitor wishes. Whoever loses the race for
/// the new slot keeps the old one.
///
/// # Errors
/// [`Error::Unknown`], [`Error::AlreadyCancelled`], [`Error::Over`], [`Error::TooOften`], and those of [`hold`].
pub async fn reschedule(
    tx: &mut Tx,
    desk: Desk<'_>,
    id: BookingId,
    starts_at: Timestamp,
    now: Timestamp,
) -> Result<Booking> {
    let old = changeable(tx, id, now).await?;
    if old.starts_at != starts_at && old.sequence >= MOST_CHANGES {
        return Err(Error::TooOften);
    }
    put_off(tx, desk, id, starts_at, now).await
}

/// As [`reschedule`], as a colleague wishes, and so as often as need be.
///
/// # Errors
/// As [`reschedule`], but for [`Error::TooOften`].
pub async fn put_off(
    tx: &mut Tx,
    desk: Desk<'_>,
    id: BookingId,
    starts_at: Timestamp,
    now: Timestamp,
) -> Result<Booking> {
    let old = changeable(tx, id, now).await?;
    if old.starts_at == starts_at {
        return Ok(old);
    }
    let wish = Wish { starts_at, ..Wish::moving(&old) };
    move_to(tx, desk, old, &wish, now).await
}

/// Moves a booking to where somebody wishes it, and lets go what she holds for it.
async fn move_to(tx: &mut Tx, desk: Desk<'_>, old: Booking, wish: &Wish, now: Timestamp) -> Result<Booking> {
    let meeting = desk.team.meeting(&old.meeting).ok_or(Error::MeetingGone)?;
    let meeting = meeting.as_long_as(old.ends_at.since_ms(old.starts_at));
    shift(tx, desk, (&meeting, wish), old, false, now).await
}

/// The same with the meeting as whoever moves it may use it, and who that is.
async fn shift(
    tx: &mut Tx,
    desk: Desk<'_>,
    (meeting, wish): (&Meeting, &Wish),
    old: Booking,
    by_us: bool,
    now: Timestamp,
) -> Result<Booking> {
    let (was_at, left, kept) = (old.starts_at, old.block, Kept::of(&old));
    let moved = place::place(tx, desk.team, meeting, wish, Target::Move(old), now).await?;
    for rep in std::iter::once(&kept.rep).chain(&kept.companion) {
        store::earlier::note_freed(tx, rep, left, now).await?;
    }
    if let Some(contact) = moved.contact {
        let (booking, sequence) = (moved.id, moved.sequence);
        let was_companion = kept.companion.filter(|companion| moved.companion.as_ref() != Some(companion));
        let was_rep = (moved.rep != kept.rep).then_some(kept.rep);
        let event =
            Event::BookingRescheduled { booking, contact, sequence, was_at, was_rep, was_companion, by_us };
        events::append(tx, &event, now).await?;
        note(tx, desk, &moved, contact, "booking.rescheduled", now).await?;
    }
    Ok(moved)
}

/// Cancels a booking, as its visitor wishes, and frees its time.
///
/// # Errors
/// [`Error::Unknown`], [`Error::AlreadyCancelled`], [`Error::Over`], [`Error::Changed`].
pub async fn cancel(
    tx: &mut Tx,
    desk: Desk<'_>,
    id: BookingId,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<Booking> {
    let old = mine(tx, id, now).await?;
    call_off(tx, desk, old, reason, false, now).await
}

async fn call_off(
    tx: &mut Tx,
    desk: Desk<'_>,
    old: Booking,
    reason: Option<&str>,
    by_us: bool,
    now: Timestamp,
) -> Result<Booking> {
    let reason = reason.map(noted);
    let booking = Booking {
        state: State::Cancelled,
        sequence: old.sequence + 1,
        cancel_reason: reason.filter(|text| !text.is_empty()),
        updated_at: now,
        ..old.clone()
    };
    store::replace(tx, &old, &booking).await?;
    earlier::end(tx, booking.id, now).await?;
    if let Some(contact) = booking.contact {
        let sequence = booking.sequence;
        let event = Event::BookingCancelled { booking: booking.id, contact, sequence, by_us };
        events::append(tx, &event, now).await?;
        note(tx, desk, &booking, contact, "booking.cancelled", now).await?;
    }
    Ok(booking)
}

/// Calls off what a contact who is being erased has ahead, and tells it as facts that name nobody. Returns how many calls and
/// holds that were.
///
/// # Errors
/// As the store says.
pub async fn cancel_ahead(tx: &mut Tx, contact: ContactId, now: Timestamp) -> crate::storage::Result<u64> {
    let calls = store::cancel_ahead(tx, contact, now).await?;
    for call in &calls {
        if !call.was_booked {
            continue;
        }
        let event = Event::BookingWithdrawn { booking: call.booking, sequence: call.sequence };
        events::append(tx, &event, now).await?;
    }
    Ok(u64::try_from(calls.len()).unwrap_or(u64::MAX))
}

/// A booking that can be changed, under the lock of its contact: whoever changes it, or erases her, goes after the other.
async fn mine(tx: &mut Tx, id: BookingId, now: Timestamp) -> Result<Booking> {
    changeable(tx, id, now).await?;
    locked(tx, id).await?;
    changeable(tx, id, now).await
}

/// A booking under the lock of its contact, which everybody takes before the rows of her calls.
async fn locked(tx: &mut Tx, id: BookingId) -> Result<Booking> {
    let found = store::find(tx, id).await?.ok_or(Error::Unknown)?;
    let Some(contact) = found.contact else { return Ok(found) };
    place::lock_contact(tx, contact).await?;
    store::find(tx, id).await?.ok_or(Error::Unknown)
}

async fn changeable(tx: &mut Tx, id: BookingId, now: Timestamp) -> Result<Booking> {
    let booking = store::find(tx, id).await?.ok_or(Error::Unknown)?;
    match booking.state {
        State::Confirmed if booking.starts_at <= now => Err(Error::Over),
        State::Confirmed => Ok(booking),
        State::Cancelled => Err(Error::AlreadyCancelled),
        State::Hold | State::Expired => Err(Error::Unknown),
    }
}

/// Lets a hold go before it runs out. Nothing happens if it is gone already or is not this holder's.
///
/// # Errors
/// [`Error::Store`].
pub async fn release(tx: &mut Tx, id: BookingId, holder: &Holder, now: Timestamp) -> Result<()> {
    let held = store::find(tx, id).await?;
    match held.filter(|booking| booking.state == State::Hold && holder.holds(booking)) {
        Some(held) => let_go(tx, &held, now).await,
        None => Ok(()),
    }
}

async fn let_go(tx: &mut Tx, held: &Booking, now: Timestamp) -> Result<()> {
    let gone = Booking { state: State::Expired, updated_at: now, ..held.clone() };
    match store::replace(tx, held, &gone).await {
        // It ran out this moment.
        Ok(()) | Err(Error::Changed) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Says how a call went. May be said again, when it was a mistake.
///
/// # Errors
/// [`Error::Unknown`], [`Error::OutcomeTooEarly`] before it has begun, [`Error::AlreadyCancelled`], [`Error::Changed`].
pub async fn set_outcome(
    tx: &mut Tx,
    desk: Desk<'_>,
    id: BookingId,
    outcome: Outcome,
    now: Timestamp,
) -> Result<Booking> {
    let old = locked(tx, id).await?;
    match old.state {
        State::Confirmed if old.starts_at > now => return Err(Error::OutcomeTooEarly),
        State::Confirmed if old.outcome == Some(outcome) => return Ok(old),
        State::Confirmed => {}
        State::Cancelled => return Err(Error::AlreadyCancelled),
        State::Hold | State::Expired => return Err(Error::Unknown),
    }
    let booking = Booking { outcome: Some(outcome), outcome_at: Some(now), updated_at: now, ..old.clone() };
    store::replace(tx, &old, &booking).await?;
    if let Some(contact) = booking.contact {
        let kind = format!("booking.{}", outcome.word());
        let outcome = outcome.word().to_owned();
        events::append(tx, &Event::BookingOutcomeSet { booking: booking.id, contact, outcome }, now).await?;
        note(tx, desk, &booking, contact, &kind, now).await?;
        let milestone = former::meeting(tx, desk.team, &booking).await?.milestone;
        if let Some(milestone) = milestone.filter(|_| booking.outcome == Some(Outcome::Held)) {
            deals::met(tx, contact, milestone, now).await.map_err(of_deal)?;
        }
    }
    Ok(booking)
}

/// How long what was said of a call can be taken back.
pub const TAKE_BACK_MS: i64 = MINUTE_MS;

/// Takes back how a call went, while the finger is still on the button: its history and its rep's turn are as they were. What
/// followed from it meanwhile, a stage or a deal that was brought on, stays. Taking back what nobody said changes nothing.
///
/// # Errors
/// [`Error::Unknown`], [`Error::OutcomeKept`] after [`TAKE_BACK_MS`], [`Error::AlreadyCancelled`], [`Error::Changed`].
pub async fn take_outcome_back(
    tx: &mut Tx,
    desk: Desk<'_>,
    id: BookingId,
    now: Timestamp,
) -> Result<Booking> {
    let old = locked(tx, id).await?;
    match old.state {
        State::Confirmed => {}
        State::Cancelled => return Err(Error::AlreadyCancelled),
        State::Hold | State::Expired => return Err(Error::Unknown),
    }
    let (Some(outcome), Some(said_at)) = (old.outcome, old.outcome_at) else { return Ok(old) };
    if now.since_ms(said_at) > TAKE_BACK_MS {
        return Err(Error::OutcomeKept);
    }
    let booking = Booking { outcome: None, outcome_at: None, updated_at: now, ..old.clone() };
    store::replace(tx, &old, &booking).await?;
    if let Some(contact) = booking.contact {
        let kind = format!("booking.{}", outcome.word());
        contacts::take_back(tx, contact, &kind, &booking.id.to_string(), said_at).await?;
        let outcome = "open".to_owned();
        events::append(tx, &Event::BookingOutcomeSet { booking: booking.id, contact, outcome }, now).await?;
        stages::evaluate(tx, desk.lifecycle, contact, now).await?;
    }
    Ok(booking)
}

/// Why a deal was not brought on: only the store can fail where nobody asks for anything impossible.
fn of_deal(error: deals::Error) -> Error {
    match error {
        deals::Error::Store(error) => Error::Store(error),
        deals::Error::Stage(error) => Error::Stage(error),
        deals::Error::Unknown
        | deals::Error::OtherCompany
        | deals::Error::Invalid(_)
        | deals::Error::Closed(_)
        | deals::Error::ReasonNeeded => Error::Changed,
    }
}

/// Lets all holds go that have run out; returns how many. Booking does not wait for this: it does the same for the
/// reps it looks at.
///
/// # Errors
/// [`Error::Store`].
pub async fn expire_holds(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    let mut expired = 0;
    for rep in store::reps_with_old_holds(tx, now).await? {
        place::lock(tx, &rep).await?;
        expired += store::expire_holds_of(tx, &rep, now).await?;
    }
    Ok(expired)
}

/// How far apart two nodes may notice that the clock was set, and how much they may differ about by how much. No node
/// notices one step twice, so what the same one notices again is another.
const SAME_STEP_MS: i64 = 30 * SECOND_MS;

/// Times are held for as long as was promised, though the clock was set meanwhile; returns how many are. Nodes
/// whose clock is one and the same all notice the step, and only the first of them moves anything.
///
/// # Errors
/// [`Error::Store`].
pub async fn follow_clock(tx: &mut Tx, step: Step, now: Timestamp) -> Result<u64> {
    tx.lock("clock").await?;
    let is_followed = store::last_step(tx).await?.is_some_and(|(last, at)| {
        last.seen_by != step.seen_by
            && (step.by_ms - last.by_ms).abs() < SAME_STEP_MS
            && now.since_ms(at).abs() < SAME_STEP_MS
    });
    if is_followed {
        return Ok(0);
    }
    store::note_step(tx, step, now).await?;
    let mut moved = 0;
    for rep in store::reps_with_holds(tx).await? {
        place::lock(tx, &rep).await?;
        moved += store::shift_holds_of(tx, &rep, step, now).await?;
    }
    Ok(moved)
}

/// What each of a meeting's reps, and of those who are there, too, has in the cycle.
///
/// # Errors
/// [`Error::Store`].
pub async fn standings(
    q: &mut impl Queries,
    team: &Team,
    meeting: &Meeting,
    now: Timestamp,
) -> Result<std::collections::HashMap<String, Standing>> {
    let companions = meeting.of_companion().map(|theirs| team.reps_of(&theirs)).unwrap_or_default();
    let reps = [team.reps_of(meeting), companions].concat();
    Ok(rotation::standings(q, team, meeting, &reps, now).await?)
}

/// Gives calls back to a rep, or takes some: she is counted with as many fewer in this cycle.
///
/// # Errors
/// [`Error::Store`].
pub async fn give_credit(
    tx: &mut Tx,
    rep: &str,
    amount: i64,
    note: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    Ok(store::diary::add_credit(tx, rep, amount, note, now).await?)
}

/// The absences that are not over, of the team's file and entered by hand, the earliest first.
///
/// # Errors
/// [`Error::Store`].
pub async fn absences(q: &mut impl Queries, team: &Team, now: Timestamp) -> Result<Vec<Absence>> {
    let mut found = absence::written(team, now);
    found.extend(store::diary::absences(q, now).await?);
    found.sort_by_key(|absence| absence.span);
    Ok(found)
}

/// Notes that a rep is away. What is booked already stays: the rep moves it, or is there.
///
/// # Errors
/// [`Error::Store`].
pub async fn go_away(tx: &mut Tx, absence: &Absence, now: Timestamp) -> Result<AbsenceId> {
    let id = AbsenceId::new();
    // Whoever books at this moment is done before, and seen on the list of what falls into it.
    place::lock(tx, &absence.rep).await?;
    store::diary::add_absence(tx, id, absence, now).await?;
    Ok(id)
}

/// Takes an absence out that was entered by hand; `false` if this rep has none of this id.
///
/// # Errors
/// [`Error::Store`].
pub async fn come_back(tx: &mut Tx, id: AbsenceId, rep: &str, now: Timestamp) -> Result<bool> {
    let absence = store::diary::absences(tx, now).await?.into_iter().find(|absence| absence.id == Some(id));
    let is_there = store::diary::remove_absence(tx, id, rep).await?;
    if let Some(absence) = absence.filter(|_| is_there) {
        store::earlier::note_freed(tx, rep, absence.span, now).await?;
    }
    Ok(is_there)
}

/// The booking of this id.
///
/// # Errors
/// [`Error::Unknown`].
pub async fn find(q: &mut impl Queries, id: BookingId) -> Result<Booking> {
    store::find(q, id).await?.ok_or(Error::Unknown)
}

/// Takes a made-up call away as if it had never been. Real ones are cancelled.
///
/// # Errors
/// As the store says.
pub async fn forget(tx: &mut Tx, id: BookingId) -> crate::storage::Result<()> {
    store::forget(tx, id).await
}

/// The confirmed and cancelled bookings that begin within `span`, earliest first.
///
/// # Errors
/// [`Error::Store`].
pub async fn between(q: &mut impl Queries, span: Span) -> Result<Vec<Booking>> {
    Ok(store::between(q, span).await?)
}

/// The confirmed and cancelled bookings of a contact, latest first.
///
/// # Errors
/// [`Error::Store`].
pub async fn of_contact(q: &mut impl Queries, contact: ContactId) -> Result<Vec<Booking>> {
    Ok(store::of_contact(q, contact).await?)
}

/// Bookings for the tests of this domain.
#[cfg(test)]
mod examples {
    use super::*;

    /// Twenty minutes with Mike on Monday 23 November 2026, 9:00 in Madrid.
    pub fn booking() -> Booking {
        let starts_at = Timestamp::from_jiff("2026-11-23T08:00:00Z".parse().expect("an instant"));
        let ends_at = starts_at.plus_ms(20 * MINUTE_MS);
        Booking {
            id: BookingId::parse("01936d5e-7d5c-7000-8000-000000000001").expect("an id"),
            meeting: "discovery".to_owned(),
            rep: "mike".to_owned(),
            companion: None,
            contact: None,
            visitor: None,
            conversation: None,
            starts_at,
            ends_at,
            block: Span::new(starts_at.plus_ms(-5 * MINUTE_MS), ends_at.plus_ms(5 * MINUTE_MS)),
            state: State::Confirmed,
            hold_expires_at: None,
            sequence: 0,
            time_zone: "Europe/Madrid".to_owned(),
            language: Language::En,
            location: None,
            notes: None,
            answers: Answers::default(),
            assignment: None,
            outcome: None,
            outcome_at: None,
            cancel_reason: None,
            created_at: starts_at.plus_ms(-DAY_MS),
            updated_at: starts_at.plus_ms(-DAY_MS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Report;
    use crate::base::email::Email;
    use crate::base::ids::VisitorId;
    use crate::base::time::HOUR_MS;
    use crate::contacts::{Consent, Identification, Trust};
    use crate::storage::db::{Db, HITS, JOURNEY};

    const TEAM: &str = "
reps:
  - {id: ana, name: Ana, account: ana@faro.example, zone: Europe/Madrid, languages: [en], role: sdr, hours: {weekdays: 09:00-17:00}}
  - {id: ben, name: Ben, account: ben@faro.example, zone: Europe/Madrid, languages: [en], role: sdr, hours: {weekdays: 09:00-13:00}}
meetings:
  - {id: call, title: Call, description: A call, location: here, duration: 30m, buffer_after: 10m, interval: 15m, reps: [ana, ben]}
";

    struct World {
        _folder: tempfile::TempDir,
        db: Db,
        team: Team,
        lifecycle: stages::Definition,
    }

    /// Saturday noon; the first slot is on Monday.
    fn now() -> Timestamp {
        at("2026-11-21T11:00:00Z")
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::from_jiff(text.parse().expect("an instant"))
    }

    fn monday(clock: &str) -> Timestamp {
        at(&format!("2026-11-23T{clock}:00+01:00"))
    }

    async fn world() -> World {
        let folder = tempfile::tempdir().expect("a folder");
        let hits = folder.path().join("hits.db");
        drop(Db::open_sqlite(&hits, HITS).await.expect("opens"));
        let db =
            Db::open_sqlite_beside(&folder.path().join("embudo.db"), &hits, JOURNEY).await.expect("opens");
        let report = Report::new();
        let team = Team::parse("team.yaml", TEAM, &report).unwrap_or_else(|| panic!("{}", report.text()));
        let text = include_str!("../../config/lifecycle.yaml");
        let lifecycle = stages::Definition::parse("lifecycle.yaml", text, &report).expect("valid");
        World { _folder: folder, db, team, lifecycle }
    }

    fn visitor() -> Holder {
        Holder { visitor: Some(VisitorId::new()), conversation: None }
    }

    impl World {
        fn desk(&self) -> Desk<'_> {
            Desk { team: &self.team, lifecycle: &self.lifecycle }
        }

        async fn person(&self, email: &str) -> ContactId {
            let mut tx = self.db.begin().await.expect("begins");
            let who = Identification {
                email: &Email::parse(email).expect("an address"),
                visitor: None,
                site: "faro",
                trust: Trust::Claimed,
                consent: Consent::None,
                language: Language::En,
                time_zone: None,
            };
            let contact = contacts::identify(&mut tx, &who, now()).await.expect("identified").contact.id;
            tx.commit().await.expect("commits");
            contact
        }

        async fn hold(&self, holder: Holder, starts_at: Timestamp, now: Timestamp) -> Result<Booking> {
            let mut tx = self.db.begin().await?;
            let pick = pick(holder, starts_at);
            let held = match hold(&mut tx, self.desk(), &pick, now).await {
                Ok(held) => held,
                Err(refused) => {
                    drop(tx);
                    return Err(nearest(&mut self.db.read(), self.desk(), &pick, refused, now).await);
                }
            };
            tx.commit().await?;
            Ok(held)
        }

        async fn confirm(&self, held: &Booking, holder: Holder, now: Timestamp) -> Result<Booking> {
            let nikki = self.person("nikki@acme.example").await;
            let mut tx = self.db.begin().await?;
            let hi = Said { notes: Some("  Hi  "), answers: None };
            let booked = confirm(&mut tx, self.desk(), held.id, &holder, nikki, &hi, now).await?;
            tx.commit().await?;
            Ok(booked)
        }

        async fn book(&self, email: &str, starts_at: Timestamp) -> Result<Booking> {
            let contact = self.person(email).await;
            let mut tx = self.db.begin().await?;
            let pick = pick(Holder::default(), starts_at);
            let booked = match book(&mut tx, self.desk(), &pick, contact, &Said::default(), now()).await {
                Ok(booked) => booked,
                Err(refused) => {
                    drop(tx);
                    return Err(nearest(&mut self.db.read(), self.desk(), &pick, refused, now()).await);
                }
            };
            tx.commit().await?;
            Ok(booked)
        }

        async fn move_to(&self, id: BookingId, starts_at: Timestamp, now: Timestamp) -> Result<Booking> {
            let mut tx = self.db.begin().await?;
            let moved = match reschedule(&mut tx, self.desk(), id, starts_at, now).await {
                Ok(moved) => moved,
                Err(refused) => {
                    drop(tx);
                    let read = &mut self.db.read();
                    return Err(nearest_to_move(read, self.desk(), id, starts_at, refused, now).await);
                }
            };
            tx.commit().await?;
            Ok(moved)
        }

        async fn cancel(&self, id: BookingId, now: Timestamp) -> Result<Booking> {
            let mut tx = self.db.begin().await?;
            let cancelled = cancel(&mut tx, self.desk(), id, Some("ill"), now).await?;
            tx.commit().await?;
            Ok(cancelled)
        }

        async fn offered(&self, holder: &Holder) -> Vec<String> {
            let meeting = self.team.meeting("call").expect("is there");
            let window = Span::new(monday("00:00"), monday("23:59"));
            let mut read = self.db.read();
            let found =
                slots(&mut read, &self.team, meeting, window, holder, None, now()).await.expect("read");
            found
                .iter()
                .map(|slot| {
                    let reps: Vec<&str> = slot.reps.iter().map(|rep| rep.id.as_str()).collect();
                    format!("{} {}", slot.starts_at, reps.join("+"))
                })
                .collect()
        }

        async fn facts(&self, contact: ContactId) -> Vec<String> {
            let rows = self
                .db
                .read()
                .query(
                    crate::sql!("select kind from events where contact_id = $1 order by id"),
                    crate::params![contact],
                )
                .await
                .expect("read");
            rows.iter().map(|row| row.get("kind").expect("a text")).collect()
        }
    }

    fn pick(holder: Holder, starts_at: Timestamp) -> Pick<'static> {
        Pick {
            meeting: "call",
            starts_at,
            duration_ms: None,
            time_zone: "America/Mexico_City",
            language: Language::En,
            holder,
            contact: None,
        }
    }

    #[tokio::test]
    async fn a_held_slot_is_confirmed_and_its_contact_becomes_an_sql_in_the_same_transaction() {
        let world = world().await;
        let me = visitor();
        let held = world.hold(me, monday("10:00"), now()).await.expect("free");
        assert_eq!((held.state, held.rep.as_str(), held.sequence), (State::Hold, "ana", 0));
        let booked = world.confirm(&held, me, now().plus_ms(HOLD_MS - 1)).await.expect("in time");
        assert_eq!((booked.id, booked.state), (held.id, State::Confirmed));
        assert_eq!(booked.notes.as_deref(), Some("Hi"));
        let contact = booked.contact.expect("has one");
        let known = contacts::find(&mut world.db.read(), contact).await.expect("read").expect("is there");
        assert_eq!(known.stage, "sql");
        assert!(world.facts(contact).await.contains(&"booking_confirmed".to_owned()));
        let read = find(&mut world.db.read(), booked.id).await.expect("is there");
        assert_eq!(read, booked, "what was returned is what is stored");
        assert_eq!(world.confirm(&held, me, now()).await.expect("again").id, booked.id);
    }

    #[tokio::test]
    async fn two_reps_can_have_two_calls_at_one_time_and_the_third_is_offered_others() {
        let world = world().await;
        let first = world.book("a@acme.example", monday("10:00")).await.expect("free");
        let second = world.book("b@acme.example", monday("10:15")).await.expect("the other rep is free");
        assert_eq!((first.rep.as_str(), second.rep.as_str()), ("ana", "ben"));
        let third = world.book("c@acme.example", monday("10:00")).await;
        let Err(Error::SlotTaken { alternatives }) = third else { panic!("{third:?}") };
        let starts: Vec<Timestamp> = alternatives.iter().map(|time| time.starts_at).collect();
        // Ana is free again at 10:40, which is 10:45 on the grid; Ben until 9:35, which is 9:30.
        assert_eq!(starts, [monday("09:15"), monday("09:30"), monday("10:45")]);
        let reason = second.assignment.expect("is recorded");
        assert_eq!((reason.rule, reason.candidates.len()), (assign::Rule::OnlyOneFree, 1));
    }

    #[tokio::test]
    async fn calls_take_turns_between_the_reps_who_are_free() {
        let world = world().await;
        let mut reps = Vec::new();
        for (n, clock) in ["09:00", "10:00", "11:00", "12:00"].iter().enumerate() {
            let email = format!("p{n}@acme.example");
            reps.push(world.book(&email, monday(clock)).await.expect("free").rep);
        }
        assert_eq!(reps, ["ana", "ben", "ana", "ben"]);
    }

    #[tokio::test]
    async fn a_hold_blocks_others_shows_itself_as_free_and_runs_out() {
        let world = world().await;
        let (me, you) = (visitor(), visitor());
        // After 13:00 only Ana works.
        let slot = "2026-11-23T13:00:00Z ana".to_owned();
        world.hold(me, monday("14:00"), now()).await.expect("free");
        assert!(world.offered(&me).await.contains(&slot));
        assert!(!world.offered(&you).await.contains(&slot));
        let late = world.hold(you, monday("14:15"), now().plus_ms(HOLD_MS - 1)).await;
        assert!(matches!(late, Err(Error::SlotTaken { .. })));
        world.hold(you, monday("14:15"), now().plus_ms(HOLD_MS)).await.expect("the hold has run out");
    }

    #[tokio::test]
    async fn a_hold_that_ran_out_cannot_be_confirmed() {
        let world = world().await;
        let me = visitor();
        let held = world.hold(me, monday("10:00"), now()).await.expect("free");
        let late = world.confirm(&held, me, now().plus_ms(HOLD_MS)).await;
        assert!(matches!(late, Err(Error::HoldExpired)), "{late:?}");
    }

    #[tokio::test]
    async fn another_visitor_can_neither_confirm_nor_release_a_hold() {
        let world = world().await;
        let (me, you) = (visitor(), visitor());
        let held = world.hold(me, monday("10:00"), now()).await.expect("free");
        assert!(matches!(world.confirm(&held, you, now()).await, Err(Error::Unknown)));
        assert!(matches!(world.confirm(&held, Holder::default(), now()).await, Err(Error::Unknown)));
        let mut tx = world.db.begin().await.expect("begins");
        release(&mut tx, held.id, &you, now()).await.expect("does nothing");
        tx.commit().await.expect("commits");
        world.confirm(&held, me, now()).await.expect("still mine");
    }

    #[tokio::test]
    async fn picking_another_slot_lets_the_first_one_go() {
        let world = world().await;
        let me = visitor();
        let first = world.hold(me, monday("14:00"), now()).await.expect("free");
        world.hold(me, monday("15:00"), now()).await.expect("free");
        assert!(matches!(world.confirm(&first, me, now()).await, Err(Error::HoldExpired)));
        world.book("b@acme.example", monday("14:00")).await.expect("free again");
    }

    #[tokio::test]
    async fn what_cannot_be_booked_says_why() {
        let world = world().await;
        let me = visitor();
        let refused = |starts_at| {
            let world = &world;
            async move { world.hold(me, starts_at, now()).await.expect_err("refused").to_string() }
        };
        assert_eq!(refused(now()).await, "this time is already past");
        assert_eq!(refused(monday("10:05")).await, "this time is not offered");
        assert_eq!(refused(monday("18:00")).await, "this time is not offered");
        assert_eq!(refused(monday("10:00").plus_ms(21 * DAY_MS)).await, "this time is not offered");
        let mut tx = world.db.begin().await.expect("begins");
        let soon = hold(&mut tx, world.desk(), &pick(me, monday("10:00")), monday("08:01")).await;
        assert!(matches!(soon, Err(Error::SlotTooSoon)), "{soon:?}");
        let nowhere = Pick { time_zone: "Mars/Olympus", ..pick(me, monday("10:00")) };
        assert!(matches!(hold(&mut tx, world.desk(), &nowhere, now()).await, Err(Error::ZoneUnknown)));
        let nothing = Pick { meeting: "lunch", ..pick(me, monday("10:00")) };
        assert!(matches!(hold(&mut tx, world.desk(), &nothing, now()).await, Err(Error::MeetingUnknown)));
    }

    #[tokio::test]
    async fn a_booking_moves_with_its_rep_and_raises_its_sequence() {
        let world = world().await;
        let booked = world.book("a@acme.example", monday("10:00")).await.expect("free");
        let moved = world.move_to(booked.id, monday("10:15"), now()).await.expect("overlaps only itself");
        assert_eq!((moved.id, moved.rep.as_str(), moved.sequence), (booked.id, "ana", 1));
        assert_eq!(moved.assignment.as_ref().map(|reason| reason.rule), Some(assign::Rule::SameRep));
        let same = world.move_to(booked.id, monday("10:15"), now()).await.expect("nothing to do");
        assert_eq!(same.sequence, 1);
        let contact = moved.contact.expect("has one");
        assert_eq!(
            world.facts(contact).await.iter().filter(|kind| *kind == "booking_rescheduled").count(),
            1
        );
    }

    #[tokio::test]
    async fn the_slots_to_move_to_are_those_of_the_rep_and_all_of_them_can_be_had() {
        let world = world().await;
        let booked = world.book("a@acme.example", monday("10:00")).await.expect("free");
        assert_eq!(booked.rep, "ana");
        let meeting = world.team.meeting("call").expect("is there");
        let window = Span::new(monday("09:45"), monday("11:00"));
        let mut read = world.db.read();
        let found =
            slots_to_move(&mut read, &world.team, meeting, &booked, window, now()).await.expect("read");
        assert_eq!(found.len(), 5, "its own time is free to it");
        let starts: Vec<Timestamp> = found.iter().map(|slot| slot.starts_at).collect();
        for (n, starts_at) in starts.into_iter().rev().enumerate() {
            let moved = world.move_to(booked.id, starts_at, now()).await.expect("was offered");
            assert_eq!((moved.rep.as_str(), moved.starts_at), ("ana", starts_at), "{n}");
        }
        world.book("b@acme.example", monday("16:00")).await.expect("free");
        let taken = world.move_to(booked.id, monday("16:00"), now()).await;
        assert!(matches!(taken, Err(Error::SlotTaken { .. })), "{taken:?}");
    }

    #[tokio::test]
    async fn whoever_loses_the_new_slot_keeps_the_old_one() {
        let world = world().await;
        world.book("a@acme.example", monday("14:00")).await.expect("free");
        let mine = world.book("b@acme.example", monday("16:00")).await.expect("free");
        let lost = world.move_to(mine.id, monday("14:15"), now()).await;
        assert!(
            matches!(lost, Err(Error::SlotTaken { ref alternatives }) if alternatives.len() == 3),
            "{lost:?}"
        );
        let kept = find(&mut world.db.read(), mine.id).await.expect("is there");
        assert_eq!(kept, mine);
    }

    #[tokio::test]
    async fn a_cancelled_call_frees_its_time_and_stays_cancelled() {
        let world = world().await;
        let booked = world.book("a@acme.example", monday("14:00")).await.expect("free");
        let cancelled = world.cancel(booked.id, now()).await.expect("can be");
        assert_eq!((cancelled.state, cancelled.sequence), (State::Cancelled, 1));
        assert_eq!(cancelled.cancel_reason.as_deref(), Some("ill"));
        assert!(matches!(world.cancel(booked.id, now()).await, Err(Error::AlreadyCancelled)));
        let moved = world.move_to(booked.id, monday("15:00"), now()).await;
        assert!(matches!(moved, Err(Error::AlreadyCancelled)));
        world.book("b@acme.example", monday("14:00")).await.expect("free again");
    }

    #[tokio::test]
    async fn what_has_begun_is_neither_moved_nor_cancelled_and_then_has_an_outcome() {
        let world = world().await;
        let booked = world.book("a@acme.example", monday("10:00")).await.expect("free");
        let mut tx = world.db.begin().await.expect("begins");
        let early = set_outcome(&mut tx, world.desk(), booked.id, Outcome::Held, now()).await;
        assert!(matches!(early, Err(Error::OutcomeTooEarly)));
        let later = monday("10:00").plus_ms(HOUR_MS);
        let held =
            set_outcome(&mut tx, world.desk(), booked.id, Outcome::Held, later).await.expect("is over");
        assert_eq!((held.outcome, held.outcome_at), (Some(Outcome::Held), Some(later)));
        let corrected = set_outcome(&mut tx, world.desk(), booked.id, Outcome::NoShow, later).await;
        assert_eq!(corrected.expect("a mistake").outcome, Some(Outcome::NoShow));
        tx.commit().await.expect("commits");
        assert!(matches!(world.cancel(booked.id, later).await, Err(Error::Over)));
        assert!(matches!(world.move_to(booked.id, monday("16:00"), later).await, Err(Error::Over)));
    }

    #[tokio::test]
    async fn one_person_cannot_fill_a_calendar() {
        let world = world().await;
        for clock in ["09:00", "10:00", "11:00", "12:00", "14:00"] {
            world.book("greedy@acme.example", monday(clock)).await.expect("free");
        }
        let sixth = world.book("greedy@acme.example", monday("15:00")).await;
        assert!(matches!(sixth, Err(Error::TooMany)), "{sixth:?}");
    }

    #[tokio::test]
    async fn a_time_that_is_only_held_moves_nobodys_turn() {
        let world = world().await;
        let me = visitor();
        let first = world.hold(me, monday("09:00"), now()).await.expect("free");
        let second = world.hold(visitor(), monday("11:00"), now()).await.expect("free");
        assert_eq!(first.rep, second.rep, "whoever picks and leaves does not use up a turn");
        let counted = async || {
            let meeting = world.team.meeting("call").expect("it is in the file");
            let standings =
                standings(&mut world.db.read(), &world.team, meeting, now()).await.expect("counted");
            standings.values().map(|standing| standing.meetings).sum::<i64>()
        };
        assert_eq!(counted().await, 0);
        world.confirm(&first, me, now()).await.expect("still held");
        assert_eq!(counted().await, 1);
    }

    #[tokio::test]
    async fn how_a_call_went_can_be_taken_back_within_a_minute() {
        let world = world().await;
        let booked = world.book("nikki@acme.example", monday("10:00")).await.expect("free");
        let after = monday("10:30");
        let say = async |now| {
            let mut tx = world.db.begin().await.expect("begins");
            set_outcome(&mut tx, world.desk(), booked.id, Outcome::NoShow, now).await.expect("begun");
            tx.commit().await.expect("commits");
        };
        let take_back = async |now| {
            let mut tx = world.db.begin().await.expect("begins");
            let taken = take_outcome_back(&mut tx, world.desk(), booked.id, now).await;
            tx.commit().await.expect("commits");
            taken.map(|booking| booking.outcome)
        };
        let noted = async || {
            let contact = booked.contact.expect("somebody booked");
            let found = contacts::activities(&mut world.db.read(), contact, 50).await.expect("read");
            found.iter().filter(|activity| activity.kind == "booking.no_show").count()
        };
        say(after).await;
        assert_eq!(noted().await, 1);
        assert!(matches!(take_back(after.plus_ms(TAKE_BACK_MS)).await, Ok(None)));
        assert_eq!(noted().await, 0, "her history is as it was");
        assert!(matches!(take_back(after.plus_ms(TAKE_BACK_MS)).await, Ok(None)), "twice is once");
        say(after.plus_ms(2 * TAKE_BACK_MS)).await;
        let late = take_back(after.plus_ms(3 * TAKE_BACK_MS + 1)).await;
        assert!(matches!(late, Err(Error::OutcomeKept)), "{late:?}");
        assert_eq!(noted().await, 1);
    }

    #[tokio::test]
    async fn a_hold_lasts_as_long_as_promised_however_often_and_little_the_clock_is_set() {
        let world = world().await;
        let mut draw: u64 = 0x5eed;
        let mut below = move |most: i64| {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            i64::try_from(draw >> 33).expect("31 bits") % most
        };
        for round in 0..200 {
            let mut wall = now();
            world.hold(visitor(), monday("10:00"), wall).await.expect("free");
            let (mut passed, mut steps) = (0, Vec::new());
            while passed < HOLD_MS - 1 {
                let wait = (1 + below(80 * SECOND_MS)).min(HOLD_MS - 1 - passed);
                (passed, wall) = (passed + wait, wall.plus_ms(wait));
                let mut tx = world.db.begin().await.expect("begins");
                assert_eq!(
                    expire_holds(&mut tx, wall).await.expect("swept"),
                    0,
                    "{round}: {steps:?} {passed}"
                );
                if passed < HOLD_MS - 1 {
                    let by_ms = (MINUTE_MS + below(4 * MINUTE_MS)) * if below(2) == 0 { 1 } else { -1 };
                    wall = wall.plus_ms(by_ms);
                    steps.push((passed, by_ms));
                    assert_eq!(
                        follow_clock(&mut tx, Step { by_ms, within_ms: 0, seen_by: 1 }, wall)
                            .await
                            .expect("followed"),
                        1,
                        "{round}: {steps:?}"
                    );
                    // Another node notices a moment later.
                    let later = wall.plus_ms(below(SECOND_MS));
                    let seen = Step { by_ms: by_ms + 3, within_ms: 250, seen_by: 2 };
                    assert_eq!(follow_clock(&mut tx, seen, later).await.expect("followed"), 0, "{round}");
                }
                tx.commit().await.expect("commits");
            }
            let mut tx = world.db.begin().await.expect("begins");
            assert_eq!(expire_holds(&mut tx, wall).await.expect("swept"), 0, "{round}: {steps:?}");
            assert_eq!(expire_holds(&mut tx, wall.plus_ms(1)).await.expect("swept"), 1, "{round}: {steps:?}");
            tx.commit().await.expect("commits");
        }
    }

    #[tokio::test]
    async fn the_sweeper_lets_old_holds_go() {
        let world = world().await;
        world.hold(visitor(), monday("10:00"), now()).await.expect("free");
        world.hold(visitor(), monday("10:00"), now().plus_ms(1)).await.expect("the other rep");
        let mut tx = world.db.begin().await.expect("begins");
        assert_eq!(expire_holds(&mut tx, now().plus_ms(HOLD_MS)).await.expect("swept"), 1);
        tx.commit().await.expect("commits");
    }
}
