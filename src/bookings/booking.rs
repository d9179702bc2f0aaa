//! What a hold or a booking is.

use serde::{Deserialize, Serialize};

use super::assign::Reason;
use super::questions::Answers;
use super::slots::{Slot, Span};
use super::team::Meeting;
use crate::base::ids::{BookingId, ContactId, ConversationId, VisitorId};
use crate::base::language::Language;
use crate::base::localized::Localized;
use crate::base::time::Timestamp;

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

    pub(super) fn of_word(word: &str) -> Option<Self> {
        [Self::Hold, Self::Confirmed, Self::Cancelled, Self::Expired]
            .into_iter()
            .find(|state| state.word() == word)
    }
}

impl Booking {
    /// Where it takes place, as somebody of this language reads it. It was written down in the visitor's; what the meeting
    /// says in both is told in the reader's.
    pub fn place<'a>(&'a self, meeting: Option<&'a Meeting>, language: Language) -> Option<&'a str> {
        let known = meeting.map(|meeting| &meeting.location);
        let Some(stored) = self.location.as_deref() else { return known.map(|text| text.get(language)) };
        let is_said = |text: &&Localized| {
            Language::ALL.iter().any(|other| text.get(*other).eq_ignore_ascii_case(stored))
        };
        Some(known.filter(is_said).map_or(stored, |text| text.get(language)))
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
        self.is(&Self { visitor: booking.visitor, conversation: booking.conversation })
    }

    /// Whether the two are one: the same device, or the same chat.
    pub fn is(&self, other: &Self) -> bool {
        let same_visitor = self.visitor.is_some() && self.visitor == other.visitor;
        let same_conversation = self.conversation.is_some() && self.conversation == other.conversation;
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
    /// The id of whoever else of the team is there, if the meeting asks for two.
    pub companion: Option<String>,
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
    /// What was answered to the meeting's questions.
    pub answers: Answers,
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
