//! From facts to messages: who hears of what, by which channel.
//!
//! [`plan`] turns one fact into pieces of [`Work`], each with a key that keeps it from being done twice. What a message
//! says is worked out when it is sent: a cancelled or moved call is not announced as it was.

mod alerts;
mod channels;
mod compose;
mod consequences;
pub mod dkim;
pub mod doctor;
mod hooks;
mod mails;
mod manners;
mod outbound;
pub mod push;
mod reason;
mod rules;
mod store;
pub mod undelivered;
pub mod why;
mod words;

pub mod feedback;
pub mod preview;
pub mod trial;

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

pub use channels::console::Notice;
pub use channels::smtp::Mailer;
pub use channels::webhook::Told;
pub use consequences::{Asked, mail_link, plan};
pub use hooks::{Hook, Way, secret};
pub use mails::{Counted, Mail, Row as TrafficRow, Spike, Week};
pub use outbound::{Answer, Outbound};
pub use push::Vapid;
pub use reason::Why;
pub use rules::{ByMail, Fact, Rules, Survey};
pub use store::{
    Endpoint, Letter, Notification, PERSONAL, enable_endpoint, endpoint, letter, letters, mark_line_read,
    mark_read, notifications, unread,
};
pub use words::Wording;

use self::mails::Draft;
use self::manners::Turn;
use crate::base::email::Email;
use crate::base::ids::{AccountId, BookingId, CalendarId, PushDeviceId};
use crate::base::language::Language;
use crate::base::live::Live;
use crate::base::signing::Keys;
use crate::base::time::{MINUTE_MS, SECOND_MS, Timestamp};
use crate::bookings::earlier::Terms;
use crate::bookings::team::Team;
use crate::chat::Running;
use crate::config::Calendars;
use crate::gates::Catalog;
use crate::nurture::Sequences;
use crate::render::Templates;
use crate::sites::Sites;
use crate::storage::db::Queries;
use crate::storage::{self, Stores};
use crate::subscriptions::Topics;
use crate::{accounts, segments, stages, webinars};

/// What messages are made of: the stores, the definitions, and how to reach people.
#[derive(Clone)]
pub struct Desk {
    pub stores: Stores,
    pub keys: Keys,
    pub sites: Arc<Live<Sites>>,
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
    /// By which push services know who sends.
    pub vapid: Arc<Vapid>,
    /// How often calendars are read, and how long they are believed.
    pub calendars: Calendars,
    /// How people are asked who wait for an earlier time.
    pub earlier: Terms,
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
    /// A line to a team's chat.
    Hook {
        /// The hook's name in `notify.yaml`.
        hook: String,
        /// What it tells.
        notice: Notice,
    },
    /// A fact to another program.
    Webhook {
        /// The hook's name in `notify.yaml`.
        hook: String,
        /// What it tells.
        told: Told,
    },
    /// Reads a rep's calendar, again and again.
    ReadCalendar { calendar: CalendarId },
    /// Makes the reps' calendars say of a call what it is now.
    WriteCall { booking: BookingId },
    /// A notice in a colleague's browser.
    Push {
        /// The browser.
        device: PushDeviceId,
        /// What it tells.
        notice: Notice,
    },
    /// A line in the console.
    Console {
        /// What it tells.
        notice: Notice,
    },
}

/// What jobs of the queue are sent by: the first word of their target.
pub const CHANNELS: &[&str] = &["calendar", "console", "crm", "hook", "mail", "other", "push", "webhook"];

impl Work {
    /// Milliseconds to wait before try number `attempts + 1`; none if there is no point in another.
    pub fn pause_ms(&self, error: &Error, attempts: i64) -> Option<i64> {
        match self {
            Self::Webhook { .. } => channels::webhook::pause_ms(error, attempts),
            Self::Mail { .. }
            | Self::Hook { .. }
            | Self::Console { .. }
            | Self::Push { .. }
            | Self::ReadCalendar { .. }
            | Self::WriteCall { .. } => error.pause_ms(attempts),
        }
    }

    /// Whether what has failed for so long is still wanted. Webhooks count their tries instead.
    pub fn has_patience(&self, failing_ms: i64, most_ms: i64) -> bool {
        matches!(self, Self::Webhook { .. }) || failing_ms < most_ms
    }
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
    Waits { until: Timestamp, why: Why },
    /// It is not wanted any more, and why.
    Superseded(Why),
}

/// Why a message is not out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The other side cannot be reached or is busy: every try is welcome.
    #[error("not reachable: {0}")]
    Unreachable(String),
    /// The mail server does not encrypt, and it was not said that it need not: somebody has to set that right.
    #[error("not encrypted: {0}")]
    Unencrypted(String),
    /// The other side asks to try later.
    #[error("put off: {0}")]
    Deferred(String),
    /// The other side asks for so much time.
    #[error("put off: {why}")]
    Throttled { why: String, wait_ms: i64 },
    /// It will never be taken.
    #[error("refused: {0}")]
    Refused(String),
    /// The other side wants no more of anything.
    #[error("refused: {0}")]
    Gone(String),
    /// What it should say cannot be worked out.
    #[error("cannot be written: {0}")]
    Unwritable(String),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

/// So often somebody who puts us off is asked again soon: for half an hour.
const PROMPT_TRIES: i64 = 20;
/// Longest pause of these.
const PROMPT_MS: i64 = 90 * SECOND_MS;

impl Error {
    /// The word that stays, for which there are texts in every language (`console.outbox.reason.*`).
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Unencrypted(_) => "no_starttls",
            Self::Deferred(_) => "deferred",
            Self::Throttled { .. } => "throttled",
            Self::Refused(_) => "refused",
            Self::Gone(_) => "gone",
            Self::Unwritable(_) => "unwritable",
            Self::Storage(_) => "storage",
        }
    }

    /// Milliseconds to wait before try number `attempts + 1`; none if there is no point in another.
    pub fn pause_ms(&self, attempts: i64) -> Option<i64> {
        let doubled = |first: i64, most: i64| (first << attempts.clamp(0, 20)).min(most);
        match self {
            // Cheap to try and wanted at once when it is back.
            Self::Unreachable(_) | Self::Unencrypted(_) | Self::Storage(_) => {
                Some(doubled(5 * SECOND_MS, MINUTE_MS))
            }
            // Half an hour of trouble ends within two minutes of its end, chance included; what lasts is asked less often.
            Self::Deferred(_) if attempts <= PROMPT_TRIES => Some(doubled(30 * SECOND_MS, PROMPT_MS)),
            Self::Deferred(_) => {
                let since = (attempts - PROMPT_TRIES).clamp(1, 10);
                Some((PROMPT_MS << since).min(60 * MINUTE_MS))
            }
            Self::Throttled { wait_ms, .. } => {
                Some((*wait_ms).max(SECOND_MS).max(doubled(SECOND_MS, MINUTE_MS)).min(60 * MINUTE_MS))
            }
            Self::Refused(_) | Self::Gone(_) | Self::Unwritable(_) => None,
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
            let disturbs = match mail {
                Mail::Alert { account, notice } => Some((*account, notice.kind.as_str())),
                Mail::TrafficWeek { account, .. } | Mail::TrafficSpike { account, .. } => {
                    Some((*account, mail.name()))
                }
                _ => None,
            };
            if let Some((account, kind)) = disturbs
                && let Some(until) = quiet_until(desk, account, kind, now).await?
            {
                return Ok(Sent::Waits { until, why: Why::QUIET });
            }
            let ready = match mails::write(desk, id, mail, now).await? {
                Draft::Ready(ready) => ready,
                Draft::Unwanted(why) => return Ok(Sent::Superseded(why)),
            };
            match manners::turn(desk, id, &ready, planned_at, now).await? {
                Turn::Go => {
                    let team = mail.team_call().map(|(booking, ..)| booking);
                    let call = mail.call().map(|(booking, _)| booking).or(team);
                    channels::smtp::send(desk, id, (&ready, call), now).await?;
                    if let Mail::Digest { account, .. } = mail {
                        store::forget_digest(&desk.stores.db, *account, id).await?;
                    }
                    Ok(Sent::Out)
                }
                Turn::Wait { until, why } => Ok(Sent::Waits { until, why }),
                Turn::Never(why) => Ok(Sent::Superseded(why)),
            }
        }
        Work::Hook { hook, notice } => {
            let Some(hook) = desk.rules.hook(hook) else {
                return Ok(Sent::Superseded(Why::HOOK_GONE));
            };
            channels::chats::send(&desk.outbound, hook, &notice.line(desk)).await.map(|()| Sent::Out)
        }
        Work::Webhook { hook, told } => channels::webhook::send(desk, id, hook, told, now).await,
        Work::ReadCalendar { calendar } => channels::calendar::read(desk, *calendar, now).await,
        Work::WriteCall { booking } => channels::calendar::write(desk, *booking, now).await,
        Work::Push { device, notice } => channels::push::send(desk, *device, notice, planned_at, now).await,
        Work::Console { notice } => channels::console::send(desk, notice, now).await.map(|()| Sent::Out),
    }
}

/// Whom a mail would go to if it went out now; nobody if it is not wanted any more. `id` is the job's.
///
/// # Errors
/// [`Error::Unwritable`] and [`Error::Storage`].
pub async fn addressee(desk: &Desk, id: &str, mail: &Mail, now: Timestamp) -> Result<Option<Email>, Error> {
    Ok(match mails::write(desk, id, mail, now).await? {
        Draft::Ready(ready) => Some(ready.to),
        Draft::Unwanted(_) => None,
    })
}

/// Until when somebody is let be.
async fn quiet_until(
    desk: &Desk,
    account: AccountId,
    kind: &str,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let zone = zone_of(desk, &mut desk.stores.db.read(), account).await?;
    Ok(desk.rules.quiet.until(kind, zone.as_ref(), now))
}

/// The zone of whoever stands in the team's file.
async fn zone_of(desk: &Desk, q: &mut impl Queries, account: AccountId) -> Result<Option<TimeZone>, Error> {
    let known = accounts::find(q, account).await.map_err(|error| Error::Unwritable(error.to_string()))?;
    let rep = known.and_then(|known| desk.team.rep_of_account(&known.email).map(|rep| rep.zone.clone()));
    Ok(rep)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_puts_us_off_is_asked_soon_for_half_an_hour_and_then_ever_less_often() {
        let error = Error::Deferred("451".to_owned());
        let pauses = [1, 2, 20, 21, 22, 25, 26, 60].map(|tries| error.pause_ms(tries).expect("another try"));
        let seconds = pauses.map(|pause| pause / SECOND_MS);
        assert_eq!(seconds, [60, 90, 90, 180, 360, 2_880, 3_600, 3_600]);
        let prompt: i64 = (1..=20).filter_map(|tries| error.pause_ms(tries)).sum();
        assert!(prompt >= 29 * MINUTE_MS);
        // With a fifth of chance on top it comes within two minutes.
        const { assert!(PROMPT_MS + PROMPT_MS / 5 <= 2 * MINUTE_MS) };
    }
}
