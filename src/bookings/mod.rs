//! Calls that are booked: who can be booked when, holds, bookings, invitations.
//!
//! Holds and bookings are rows of one table, guarded by one constraint: no two that block the same rep overlap,
//! buffers included. Every writer first takes the locks of the reps it may end up with, in the order of their ids,
//! lets holds that have run out go, and looks under the lock; so nobody waits in a circle, and the constraint only
//! ever speaks when a writer breaks these rules. A booking keeps its id for life; each change that people's calendars
//! must hear of raises its sequence.
//!
//! `slots.rs` and `assign.rs` are pure: what can be offered, and to whom it goes. `place.rs` asks them under the lock.

pub mod assign;
mod error;
pub mod invite;
mod place;
pub mod slots;
mod store;
pub mod team;
mod team_file;
pub mod wall;

use serde::{Deserialize, Serialize};

use self::assign::Reason;
use self::place::{Target, Wish};
use self::slots::{Slot, Span};
use self::team::{Meeting, Team};
use crate::base::ids::{BookingId, ContactId, ConversationId, VisitorId};
use crate::base::language::Language;
use crate::base::signing::{Keys, Purpose};
use crate::base::time::{DAY_MS, MINUTE_MS, Timestamp};
use crate::events::{self, Event};
use crate::storage::db::{Queries, Tx};

pub use self::error::Error;

/// The answer of everything that touches a booking.
pub type Result<T> = std::result::Result<T, Error>;

/// How long a slot is kept for somebody who has not finished.
pub const HOLD_MS: i64 = 5 * MINUTE_MS;
/// How many calls one contact may have ahead; more is no longer an interested person.
pub const MOST_AHEAD: i64 = 5;
/// Longest note, in characters; the rest is cut.
const NOTES_LENGTH: usize = 2_000;

/// A time on offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Time {
    /// When the call would begin.
    pub starts_at: Timestamp,
    /// When it would be over.
    pub ends_at: Timestamp,
}

impl From<&Slot<'_>> for Time {
    fn from(slot: &Slot<'_>) -> Self {
        Self { starts_at: slot.starts_at, ends_at: slot.ends_at }
    }
}

/// Where a booking stands. The first two block the rep's calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Kept for a visitor who has not finished.
    Hold,
    /// It will take place, or did.
    Confirmed,
    /// It will not.
    Cancelled,
    /// A hold that ran out or was let go.
    Expired,
}

impl State {
    /// As it stands in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Confirmed => "confirmed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        [Self::Hold, Self::Confirmed, Self::Cancelled, Self::Expired]
            .into_iter()
            .find(|state| state.word() == word)
    }
}

/// How a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It took place.
    Held,
    /// The visitor did not come.
    NoShow,
}

impl Outcome {
    /// As it stands in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::NoShow => "no_show",
        }
    }

    /// The outcome of this name.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Held, Self::NoShow].into_iter().find(|outcome| outcome.word() == word)
    }
}

/// Whose a hold is. Only the same visitor or the same conversation may let it go or make a booking of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holder {
    /// The device.
    pub visitor: Option<VisitorId>,
    /// The chat in which the slot was picked.
    pub conversation: Option<ConversationId>,
}

impl Holder {
    /// Whether a booking was made by this holder.
    pub fn holds(&self, booking: &Booking) -> bool {
        let same_visitor = self.visitor.is_some() && self.visitor == booking.visitor;
        let same_conversation = self.conversation.is_some() && self.conversation == booking.conversation;
        same_visitor || same_conversation
    }
}

/// A hold or a booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booking {
    /// The same for life.
    pub id: BookingId,
    /// The meeting's id in `team.yaml`.
    pub meeting: String,
    /// The rep's id in `team.yaml`.
    pub rep: String,
    /// Who booked; none yet while it is a hold.
    pub contact: Option<ContactId>,
    /// The device it was picked on.
    pub visitor: Option<VisitorId>,
    /// The chat it was picked in.
    pub conversation: Option<ConversationId>,
    /// When the call begins.
    pub starts_at: Timestamp,
    /// When it is over.
    pub ends_at: Timestamp,
    /// What it takes from the rep's calendar: the call and its buffers.
    pub block: Span,
    /// Where it stands.
    pub state: State,
    /// When a hold runs out.
    pub hold_expires_at: Option<Timestamp>,
    /// Rises with each change that calendars must hear of.
    pub sequence: i64,
    /// The visitor's zone, in which times are written to them.
    pub time_zone: String,
    /// The visitor's language.
    pub language: Language,
    /// Where the call takes place.
    pub location: Option<String>,
    /// What the visitor wants to say beforehand.
    pub notes: Option<String>,
    /// Why this rep; none for rows that were brought in from elsewhere.
    pub assignment: Option<Reason>,
    /// How it went.
    pub outcome: Option<Outcome>,
    /// When that was said.
    pub outcome_at: Option<Timestamp>,
    /// Why it was cancelled, in the words of whoever did.
    pub cancel_reason: Option<String>,
    /// When it was first held.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A slot that somebody picked.
#[derive(Debug, Clone, Copy)]
pub struct Pick<'a> {
    /// The meeting's id.
    pub meeting: &'a str,
    /// When it is to begin.
    pub starts_at: Timestamp,
    /// The visitor's zone, by its IANA name.
    pub time_zone: &'a str,
    /// The visitor's language.
    pub language: Language,
    /// Who picked it.
    pub holder: Holder,
    /// Who they are, as far as it is known: their owner goes first.
    pub contact: Option<ContactId>,
}

/// The free slots of a meeting that begin within `window`, earliest first. What `holder` itself holds counts as free.
///
/// # Errors
/// [`Error::Store`].
pub async fn slots<'t>(
    q: &mut impl Queries,
    team: &'t Team,
    meeting: &'t Meeting,
    window: Span,
    holder: &Holder,
    now: Timestamp,
) -> Result<Vec<Slot<'t>>> {
    place::free(q, team, meeting, window, &Wish::looking(holder), now).await
}

/// Keeps a slot for [`HOLD_MS`]. Whatever the same holder held before is let go.
///
/// # Errors
/// [`Error::MeetingUnknown`], [`Error::ZoneUnknown`], [`Error::SlotPast`], [`Error::SlotTooSoon`],
/// [`Error::SlotUnknown`], [`Error::SlotTaken`].
pub async fn hold(tx: &mut Tx, team: &Team, pick: &Pick<'_>, now: Timestamp) -> Result<Booking> {
    let meeting = team.meeting(pick.meeting).ok_or(Error::MeetingUnknown)?;
    let zone = crate::base::time::zone(pick.time_zone).ok_or(Error::ZoneUnknown)?;
    let wish = Wish {
        starts_at: pick.starts_at,
        holder: pick.holder,
        contact: pick.contact,
        language: pick.language,
        keep: None,
    };
    let block = slots::block(meeting, pick.starts_at);
    let blank = Booking {
        id: BookingId::new(),
        meeting: meeting.id.clone(),
        rep: String::new(),
        contact: pick.contact,
        visitor: pick.holder.visitor,
        conversation: pick.holder.conversation,
        starts_at: pick.starts_at,
        ends_at: pick.starts_at.plus_ms(meeting.duration_ms),
        block,
        state: State::Hold,
        hold_expires_at: Some(now.plus_ms(HOLD_MS)),
        sequence: 0,
        time_zone: zone.iana_name().unwrap_or("UTC").to_owned(),
        language: pick.language,
        location: Some(meeting.location.get(pick.language).to_owned()).filter(|place| !place.is_empty()),
        notes: None,
        assignment: None,
        outcome: None,
        outcome_at: None,
        cancel_reason: None,
        created_at: now,
        updated_at: now,
    };
    place::place(tx, team, meeting, &wish, Target::New(blank), now).await
}

/// Makes a booking of a hold. Confirming twice gives the same booking.
///
/// # Errors
/// [`Error::Unknown`] if it is not this holder's, [`Error::HoldExpired`], [`Error::SlotPast`],
/// [`Error::AlreadyCancelled`], [`Error::TooMany`].
pub async fn confirm(
    tx: &mut Tx,
    id: BookingId,
    holder: &Holder,
    contact: ContactId,
    notes: Option<&str>,
    now: Timestamp,
) -> Result<Booking> {
    let held = store::find(tx, id).await?.filter(|booking| holder.holds(booking)).ok_or(Error::Unknown)?;
    settle(tx, held, contact, notes, now).await
}

/// Holds and confirms in one go, for a form that asks everything at once.
///
/// # Errors
/// As [`hold`] and [`confirm`].
pub async fn book(
    tx: &mut Tx,
    team: &Team,
    pick: &Pick<'_>,
    contact: ContactId,
    notes: Option<&str>,
    now: Timestamp,
) -> Result<Booking> {
    let held = hold(tx, team, pick, now).await?;
    settle(tx, held, contact, notes, now).await
}

async fn settle(
    tx: &mut Tx,
    held: Booking,
    contact: ContactId,
    notes: Option<&str>,
    now: Timestamp,
) -> Result<Booking> {
    match held.state {
        State::Hold if held.hold_expires_at.is_none_or(|end| end <= now) => return Err(Error::HoldExpired),
        State::Hold if held.starts_at <= now => return Err(Error::SlotPast),
        State::Hold => {}
        State::Confirmed if held.contact == Some(contact) => return Ok(held),
        State::Confirmed => return Err(Error::Unknown),
        State::Cancelled => return Err(Error::AlreadyCancelled),
        State::Expired => return Err(Error::HoldExpired),
    }
    if store::count_ahead(tx, contact, now).await? >= MOST_AHEAD {
        return Err(Error::TooMany);
    }
    let notes = notes.map(|text| text.trim().chars().take(NOTES_LENGTH).collect::<String>());
    let booking = Booking {
        state: State::Confirmed,
        hold_expires_at: None,
        contact: Some(contact),
        notes: notes.filter(|text| !text.is_empty()),
        updated_at: now,
        ..held.clone()
    };
    store::replace(tx, &held, &booking).await?;
    events::append(tx, &Event::BookingConfirmed { booking: booking.id, contact }, now).await?;
    Ok(booking)
}

/// Moves a booking to another slot, with the same rep if they are free. Whoever loses the race for the new slot keeps
/// the old one.
///
/// # Errors
/// [`Error::Unknown`], [`Error::AlreadyCancelled`], [`Error::Over`], and those of [`hold`].
pub async fn reschedule(
    tx: &mut Tx,
    team: &Team,
    id: BookingId,
    starts_at: Timestamp,
    now: Timestamp,
) -> Result<Booking> {
    let old = changeable(tx, id, now).await?;
    if old.starts_at == starts_at {
        return Ok(old);
    }
    let meeting = team.meeting(&old.meeting).ok_or(Error::MeetingUnknown)?;
    let wish = Wish {
        starts_at,
        holder: Holder { visitor: old.visitor, conversation: old.conversation },
        contact: old.contact,
        language: old.language,
        keep: Some(old.rep.clone()),
    };
    let moved = place::place(tx, team, meeting, &wish, Target::Move(old), now).await?;
    if let Some(contact) = moved.contact {
        let event = Event::BookingRescheduled { booking: moved.id, contact, sequence: moved.sequence };
        events::append(tx, &event, now).await?;
    }
    Ok(moved)
}

/// Cancels a booking and frees its time.
///
/// # Errors
/// [`Error::Unknown`], [`Error::AlreadyCancelled`], [`Error::Over`], [`Error::Changed`].
pub async fn cancel(tx: &mut Tx, id: BookingId, reason: Option<&str>, now: Timestamp) -> Result<Booking> {
    let old = changeable(tx, id, now).await?;
    let reason = reason.map(|text| text.trim().chars().take(NOTES_LENGTH).collect::<String>());
    let booking = Booking {
        state: State::Cancelled,
        sequence: old.sequence + 1,
        cancel_reason: reason.filter(|text| !text.is_empty()),
        updated_at: now,
        ..old.clone()
    };
    store::replace(tx, &old, &booking).await?;
    if let Some(contact) = booking.contact {
        let event = Event::BookingCancelled { booking: booking.id, contact, sequence: booking.sequence };
        events::append(tx, &event, now).await?;
    }
    Ok(booking)
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
    if let Some(held) = held.filter(|booking| booking.state == State::Hold && holder.holds(booking)) {
        let booking = Booking { state: State::Expired, updated_at: now, ..held.clone() };
        store::replace(tx, &held, &booking).await?;
    }
    Ok(())
}

/// Says how a call went. May be said again, when it was a mistake.
///
/// # Errors
/// [`Error::Unknown`], [`Error::NotOver`] before it has begun, [`Error::AlreadyCancelled`], [`Error::Changed`].
pub async fn set_outcome(tx: &mut Tx, id: BookingId, outcome: Outcome, now: Timestamp) -> Result<Booking> {
    let old = store::find(tx, id).await?.ok_or(Error::Unknown)?;
    match old.state {
        State::Confirmed if old.starts_at > now => return Err(Error::NotOver),
        State::Confirmed if old.outcome == Some(outcome) => return Ok(old),
        State::Confirmed => {}
        State::Cancelled => return Err(Error::AlreadyCancelled),
        State::Hold | State::Expired => return Err(Error::Unknown),
    }
    let booking = Booking { outcome: Some(outcome), outcome_at: Some(now), updated_at: now, ..old.clone() };
    store::replace(tx, &old, &booking).await?;
    if let Some(contact) = booking.contact {
        let outcome = outcome.word().to_owned();
        events::append(tx, &Event::BookingOutcomeSet { booking: booking.id, contact, outcome }, now).await?;
    }
    Ok(booking)
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

/// The booking of this id.
///
/// # Errors
/// [`Error::Unknown`].
pub async fn find(q: &mut impl Queries, id: BookingId) -> Result<Booking> {
    store::find(q, id).await?.ok_or(Error::Unknown)
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

/// Signs the address under which this booking can be seen, moved and cancelled: `/b/TOKEN`. It works until a day after
/// the call.
pub fn manage_path(keys: &Keys, booking: &Booking, now: Timestamp) -> String {
    let mut claims = Keys::claims(booking.id.to_string(), now, booking.ends_at.plus_ms(DAY_MS));
    claims.contact = booking.contact.map(|contact| contact.to_string());
    format!("/b/{}", keys.sign(Purpose::Booking, &claims))
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
            assignment: None,
            outcome: None,
            outcome_at: None,
            cancel_reason: None,
            created_at: starts_at.plus_ms(-DAY_MS),
            updated_at: starts_at.plus_ms(-DAY_MS),
        }
    }
}
