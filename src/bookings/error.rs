//! Why a booking was refused.

use serde_json::{Value, json};

use super::Time;
use crate::base::coded::Coded;
use crate::contacts;
use crate::stages;
use crate::storage;

/// What can go wrong with a booking.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no meeting of this name.
    #[error("there is no meeting of this name")]
    MeetingUnknown,
    /// The call stands, but its kind is not offered any more, so there are no times to move it to.
    #[error(
        "this kind of call is not offered any more, so it cannot be moved; cancel it and book another, or answer the mail about it"
    )]
    MeetingGone,
    /// There is no time zone of this name.
    #[error("there is no time zone of this name; write it as Europe/Madrid")]
    ZoneUnknown,
    /// The time lies in the past.
    #[error("this time is already past")]
    SlotPast,
    /// The meeting's minimum notice does not allow it any more.
    #[error("this time is too soon to be booked")]
    SlotTooSoon,
    /// The meeting never begins at this time: outside the hours, the grid or the booking window.
    #[error("this time is not offered")]
    SlotUnknown,
    /// Somebody else has it. The alternatives are the free times nearest to it, earliest first.
    #[error("this time has just been taken")]
    SlotTaken {
        /// Up to three.
        alternatives: Vec<Time>,
    },
    /// It would be free, but that day or week already holds as many calls as it may. The alternatives are as in
    /// [`Error::SlotTaken`].
    #[error("no more calls can be booked on this day")]
    DayFull {
        /// Up to three.
        alternatives: Vec<Time>,
    },
    /// The meeting cannot take this long.
    #[error("this meeting is not offered in this length")]
    DurationUnknown,
    /// There is no booking of this id, or it is not this visitor's.
    #[error("there is no such booking")]
    Unknown,
    /// The hold ran out before it was confirmed.
    #[error("the time was kept for a while and has been released")]
    HoldExpired,
    /// It was cancelled before.
    #[error("this call is already cancelled")]
    AlreadyCancelled,
    /// The call has begun, so that it can be neither moved nor cancelled.
    #[error("this call has already begun")]
    Over,
    /// The call has not begun, so that nobody can say how it went.
    #[error("this call has not begun yet")]
    OutcomeTooEarly,
    /// How it went was said too long ago to be taken back.
    #[error("how the call went can be taken back within a minute; say it anew instead")]
    OutcomeKept,
    /// Somebody else changed it at the same moment.
    #[error("this call was changed at the same moment; look at it again")]
    Changed,
    /// This person has as many calls ahead as one person may.
    #[error("you already have several calls ahead; move or cancel one of them")]
    TooMany,
    /// As many calls were booked for this person within a day, or one was moved as often, as anybody means to.
    #[error("too many changes for one person today; try again tomorrow, or answer the mail about the call")]
    TooOften,
    /// The link was made before the call was moved or called off: it shows the call and changes nothing.
    #[error("this link is older than the last change of the call; use the one in the newest mail about it")]
    LinkOld,
    /// The link is one to look at the call with, or for another deed.
    #[error(
        "this link is not meant for that; the mail about the call has one for moving and one for cancelling it"
    )]
    LinkOther,
    /// The lifecycle refused what the booking makes of the contact.
    #[error(transparent)]
    Stage(stages::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] storage::Error),
}

impl Error {
    /// Whether it carries other times that could be had.
    pub fn has_alternatives(&self) -> bool {
        matches!(self, Self::SlotTaken { .. } | Self::DayFull { .. })
    }

    /// The same with these times; they help, and are no reason for another answer if they could not be found.
    pub(super) fn with(self, found: super::Result<Vec<Time>>) -> Self {
        let alternatives = match found {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(error = %error, "other times could not be looked for");
                Vec::new()
            }
        };
        match self {
            Self::SlotTaken { .. } => Self::SlotTaken { alternatives },
            Self::DayFull { .. } => Self::DayFull { alternatives },
            other => other,
        }
    }
}

impl From<contacts::Error> for Error {
    fn from(error: contacts::Error) -> Self {
        Self::from(stages::Error::from(error))
    }
}

impl From<stages::Error> for Error {
    fn from(error: stages::Error) -> Self {
        match error {
            stages::Error::Store(error) => Self::Store(error),
            refused => Self::Stage(refused),
        }
    }
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::MeetingUnknown => "booking.meeting_unknown",
            Self::MeetingGone => "booking.meeting_gone",
            Self::ZoneUnknown => "booking.zone_unknown",
            Self::SlotPast => "booking.slot_past",
            Self::SlotTooSoon => "booking.slot_too_soon",
            Self::SlotUnknown => "booking.slot_unknown",
            Self::SlotTaken { .. } => "booking.slot_taken",
            Self::DayFull { .. } => "booking.day_full",
            Self::DurationUnknown => "booking.duration_unknown",
            Self::Unknown => "booking.unknown",
            Self::HoldExpired => "booking.hold_expired",
            Self::AlreadyCancelled => "booking.already_cancelled",
            Self::Over => "booking.over",
            Self::OutcomeTooEarly => "booking.outcome_too_early",
            Self::OutcomeKept => "booking.outcome_kept",
            Self::Changed => "booking.changed",
            Self::TooMany => "booking.too_many",
            Self::TooOften => "booking.too_often",
            Self::LinkOld => "booking.link_old",
            Self::LinkOther => "booking.link_other",
            Self::Stage(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }

    fn extras(&self) -> Vec<(&'static str, Value)> {
        match self {
            Self::SlotTaken { alternatives } | Self::DayFull { alternatives } => {
                vec![("alternatives", json!(alternatives))]
            }
            _ => Vec::new(),
        }
    }
}
