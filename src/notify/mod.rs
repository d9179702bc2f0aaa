//! From facts to messages: who hears of what, by which channel.
//!
//! [`plan`] turns one fact into pieces of [`Work`], each with a key that keeps it from being done twice. What a message
//! says is worked out when it is sent: a cancelled or moved call is not announced as it was.

mod channels;
mod compose;
mod consequences;
mod mails;
mod manners;
mod outbound;
mod rules;
mod store;
mod words;

pub mod feedback;
pub mod preview;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use channels::console::Notice;
pub use channels::smtp::Mailer;
pub use consequences::plan;
pub use mails::Mail;
pub use outbound::Outbound;
pub use rules::{ByMail, Fact, Hook, Rules, Survey};
pub use store::{
    Letter, Notification, PERSONAL, letter, letters, mark_line_read, mark_read, notifications, unread,
};
pub use words::Wording;

use self::mails::Draft;
use self::manners::Turn;
use crate::base::email::Email;
use crate::base::ids::{BookingId, CalendarId};
use crate::base::language::Language;
use crate::base::live::Live;
use crate::base::signing::Keys;
use crate::base::time::{MINUTE_MS, SECOND_MS, Timestamp};
use crate::bookings::team::Team;
use crate::chat::Running;
use crate::config::Calendars;
use crate::gates::Catalog;
use crate::nurture::Sequences;
use crate::render::Templates;
use crate::sites::Sites;
use crate::storage::{self, Stores};
use crate::subscriptions::Topics;
use crate::{segments, stages, webinars};

/// What messages are made of: the stores, the definitions, and how to reach people.
#[derive(Clone)]
pub struct Desk {
    pub stores: Stores,
    pub keys: Keys,
    pub sites: Arc<Sites>,
    pub templates: Arc<Templates>,
    pub lifecycle: Arc<Live<stages::Definition>>,
    pub segments: Arc<Live<segments::Definition>>,
    pub segment_costs: Arc<segments::Costs>,
    pub catalog: Arc<Catalog>,
    pub webinars: Arc<webinars::Definition>,
    pub team: Arc<Team>,
    pub rules: Arc<Rules>,
    pub topics: Arc<Topics>,
    pub sequences: Arc<Sequences>,
    pub wording: Arc<Wording>,
    pub flows: Arc<Running>,
    pub mailer: Mailer,
    pub outbound: Outbound,
    /// How often calendars are read, and how long they are believed.
    pub calendars: Calendars,
    /// The sender of every mail and the organiser of every invitation.
    pub from: Email,
    /// Where mails come back to that cannot be delivered, if that is another address.
    pub bounces: Option<Email>,
    /// The company's name, where no site's fits.
    pub company: String,
    /// What links begin with.
    pub public_url: String,
}

/// One message to send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Work {
    /// A mail.
    Mail {
        /// Which one, and about what.
        mail: Mail,
    },
    /// A line to a team's chat (Slack, Mattermost).
    Hook {
        /// The hook's name in `notify.yaml`.
        hook: String,
        /// What it tells.
        notice: Notice,
    },
    /// Reads a rep's calendar, again and again.
    ReadCalendar { calendar: CalendarId },
    /// Makes the reps' calendars say of a call what it is now.
    WriteCall { booking: BookingId },
    /// A line in the console.
    Console {
        /// What it tells.
        notice: Notice,
    },
}

/// A message with its key and its time.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// Two with the same key are one.
    pub key: String,
    /// When it is due.
    pub at: Timestamp,
    pub work: Work,
}

/// How sending ended, if it did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It is out.
    Out,
    /// It may not go out yet.
    Waits { until: Timestamp, why: &'static str },
    /// It is not wanted any more, and why.
    Superseded(&'static str),
}

/// Why a message is not out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The other side cannot be reached or is busy: every try is welcome.
    #[error("not reachable: {0}")]
    Unreachable(String),
    /// The other side asks to try later.
    #[error("put off: {0}")]
    Deferred(String),
    /// It will never be taken.
    #[error("refused: {0}")]
    Refused(String),
    /// What it should say cannot be worked out.
    #[error("cannot be written: {0}")]
    Unwritable(String),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl Error {
    /// Milliseconds to wait before try number `attempts + 1`; none if there is no point in another.
    pub fn pause_ms(&self, attempts: i64) -> Option<i64> {
        let doubled = |first: i64, most: i64| (first << attempts.clamp(0, 20)).min(most);
        match self {
            // Cheap to try and wanted at once when it is back.
            Self::Unreachable(_) | Self::Storage(_) => Some(doubled(5 * SECOND_MS, MINUTE_MS)),
            Self::Deferred(_) => Some(doubled(30 * SECOND_MS, 60 * MINUTE_MS)),
            Self::Refused(_) | Self::Unwritable(_) => None,
        }
    }
}

/// Sends one message. `id` is the job's: the mail's identity for life; `planned_at` is when it was to go out at first.
///
/// # Errors
/// [`Error`]; its [`pause_ms`](Error::pause_ms) says whether and when to try again.
pub async fn send(
    desk: &Desk,
    id: &str,
    work: &Work,
    planned_at: Timestamp,
    now: Timestamp,
) -> Result<Sent, Error> {
    match work {
        Work::Mail { mail } => {
            let ready = match mails::write(desk, id, mail, now).await? {
                Draft::Ready(ready) => ready,
                Draft::Unwanted(why) => return Ok(Sent::Superseded(why)),
            };
            match manners::turn(desk, id, &ready, planned_at, now).await? {
                Turn::Go => channels::smtp::send(desk, id, &ready, now).await.map(|()| Sent::Out),
                Turn::Wait { until, why } => Ok(Sent::Waits { until, why }),
                Turn::Never(why) => Ok(Sent::Superseded(why)),
            }
        }
        Work::Hook { hook, notice } => channels::hook::send(desk, hook, notice).await,
        Work::ReadCalendar { calendar } => channels::calendar::read(desk, *calendar, now).await,
        Work::WriteCall { booking } => channels::calendar::write(desk, *booking, now).await,
        Work::Console { notice } => channels::console::send(desk, notice, now).await.map(|()| Sent::Out),
    }
}

impl Desk {
    /// A stage, or a state after the sale, in words.
    fn state_in_words(&self, id: &str, language: Language) -> String {
        let stage = self.lifecycle.stage(id).map(|stage| &stage.label);
        let track = self.lifecycle.post_sale.as_ref();
        let label = stage.or_else(|| track.and_then(|track| track.state(id)).map(|state| &state.label));
        label.map_or(id, |label| label.get(language)).to_owned()
    }

    /// An address of this server.
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }
}
