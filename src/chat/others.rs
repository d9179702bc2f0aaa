//! Other times for whoever picked one that is gone. To look for them takes long, and a turn is one transaction in which
//! others wait: so the turn is dropped, they are looked for when nothing is locked, and it is taken once more.

use super::body::Slot;
use super::{Conversation, Error, Room, turn};
use crate::base::ids::ContactId;
use crate::base::language::Language;
use crate::base::time::{HOUR_MS, Timestamp};
use crate::bookings::{self, Desk, Holder, Pick};

/// How far ahead others are looked for where the picked time was none to begin with, and how many of them are shown.
const AHEAD_MS: i64 = 14 * 24 * HOUR_MS;
const SHOWN: usize = 3;

/// A time that could not be had, and why.
#[derive(Debug)]
pub struct Lost {
    meeting: String,
    starts_at: Timestamp,
    refused: bookings::Error,
    seeker: Seeker,
}

/// Who looks for times.
#[derive(Debug, Clone)]
pub(super) struct Seeker {
    pub holder: Holder,
    pub contact: Option<ContactId>,
    pub time_zone: String,
    pub language: Language,
}

impl Seeker {
    pub fn of(conversation: &Conversation) -> Self {
        Self {
            holder: Holder { visitor: Some(conversation.visitor), conversation: Some(conversation.id) },
            contact: conversation.contact,
            time_zone: conversation.time_zone.clone(),
            language: conversation.language,
        }
    }

    pub fn pick<'a>(&'a self, meeting: &'a str, starts_at: Timestamp) -> Pick<'a> {
        Pick {
            meeting,
            starts_at,
            duration_ms: None,
            time_zone: &self.time_zone,
            language: self.language,
            holder: self.holder,
            contact: self.contact,
        }
    }
}

/// The times that can be had instead of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Other {
    meeting: String,
    starts_at: Timestamp,
    slots: Vec<Slot>,
}

/// What was found for this time, if it was looked for.
pub(super) fn instead_of(others: &[Other], meeting: &str, starts_at: Timestamp) -> Option<Vec<Slot>> {
    let found = others.iter().find(|other| other.meeting == meeting && other.starts_at == starts_at);
    found.map(|other| other.slots.clone())
}

impl Lost {
    pub(super) fn new(meeting: &str, starts_at: Timestamp, seeker: Seeker, refused: bookings::Error) -> Self {
        Self { meeting: meeting.to_owned(), starts_at, refused, seeker }
    }

    /// Why it could not be had.
    pub fn refused(&self) -> &bookings::Error {
        &self.refused
    }

    /// Looks for other times.
    pub(super) async fn look(self, room: &Room, now: Timestamp) -> Result<Other, Error> {
        let Self { meeting, starts_at, refused, seeker } = self;
        let reads = &mut room.stores.db.read();
        let slots = if refused.has_alternatives() {
            let desk = Desk { team: &room.team, lifecycle: &room.lifecycle };
            let pick = seeker.pick(&meeting, starts_at);
            match bookings::nearest(reads, desk, &pick, refused, now).await {
                bookings::Error::SlotTaken { alternatives } | bookings::Error::DayFull { alternatives } => {
                    let slot =
                        |time: &bookings::Time| Slot { starts_at: time.starts_at, ends_at: time.ends_at };
                    alternatives.iter().map(slot).collect()
                }
                _ => Vec::new(),
            }
        } else {
            let wanted = turn::Wanted { after: None, within_ms: AHEAD_MS, offer: SHOWN, by: None };
            turn::free(reads, room, &meeting, &seeker, wanted, now)
                .await?
                .map_or_else(Vec::new, |free| free.0)
        };
        Ok(Other { meeting, starts_at, slots })
    }
}

/// Takes a turn, and takes it anew with other times at hand whenever one that was picked in it is gone.
macro_rules! with_others {
    ($room:expr, $now:expr, |$others:ident| $turn:expr) => {{
        let mut found: Vec<$crate::chat::others::Other> = Vec::new();
        loop {
            let $others = found.as_slice();
            match $turn.await {
                Err($crate::chat::Error::Lost(lost)) => {
                    let other = lost.look($room, $now).await?;
                    found.push(other);
                }
                done => break done,
            }
        }
    }};
}

pub(super) use with_others;
