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
pub mod page_counts;
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
mod tests;
