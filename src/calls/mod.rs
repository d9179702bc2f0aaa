//! What was said: calls by telephone that are noted by hand or by a program, and what any call found out.
//!
//! A booked call has its outcome in `bookings`; [`after`] says it together with what the call found out and what comes next.
//! A call by telephone was never booked; [`note`] writes it down. Both are activities, so that the timeline tells them and
//! rules can ask for them: `event("call.held", "30d")`. What was found out fills in the answers of the contact by the rules
//! of [`contacts::set_field`], the answer about time among them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::base::coded::Coded;
use crate::base::ids::{AccountId, BookingId, ContactId, HandoverId, TaskId};
use crate::base::time::{DAY_MS, MINUTE_MS, Timestamp};
use crate::bookings::{self, team::Team};
use crate::contacts::{self, Trust};
use crate::handovers::{self, Given, Handover};
use crate::stages::{self, Definition};
use crate::storage;
use crate::storage::db::Tx;
use crate::tasks::{self, Kind, NewTask};

/// The facts that a call can find out: the four qualifying answers first.
pub const ASKED: [&str; 8] =
    ["budget", "authority", "need", "timeline", "pain", "competitors", "want", "value"];

/// Longest summary, and longest answer, in characters; the rest is cut.
const SUMMARY_LENGTH: usize = 4_000;
const ANSWER_LENGTH: usize = 500;
/// Calls are written down within a year.
const NOTED_WITHIN_MS: i64 = 366 * DAY_MS;

/// How a call by telephone went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// They talked.
    Reached,
    /// Nobody answered.
    NoAnswer,
    /// A message was left.
    Voicemail,
}

impl Outcome {
    /// All of them, in the order in which forms offer them.
    pub const ALL: [Self; 3] = [Self::Reached, Self::NoAnswer, Self::Voicemail];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Reached => "reached",
            Self::NoAnswer => "no_answer",
            Self::Voicemail => "voicemail",
        }
    }

    /// The outcome of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.word() == word)
    }

    /// What it is recorded as.
    fn kind(self) -> &'static str {
        match self {
            Self::Reached => "call.held",
            Self::NoAnswer | Self::Voicemail => "call.unanswered",
        }
    }
}

/// A call by telephone.
#[derive(Debug, Clone, Copy)]
pub struct Telephone {
    pub outcome: Outcome,
    /// Whether they called us.
    pub is_incoming: bool,
    /// When.
    pub at: Timestamp,
    /// How long, in minutes.
    pub minutes: Option<i64>,
}

/// What a call found out.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// In a few sentences.
    pub summary: String,
    /// Answers by the names of [`ASKED`]; empty ones change nothing.
    pub answers: BTreeMap<String, String>,
}

/// What comes next.
#[derive(Debug, Clone, Default)]
pub enum Next {
    /// Nothing, or nothing that has to be written down.
    #[default]
    Nothing,
    /// Somebody has something to do.
    Task { kind: Kind, title: String, due_at: Option<Timestamp>, account: AccountId },
    /// Another role looks after her; what was found out goes along as the note, if there is none.
    HandOver { role: String, account: Option<AccountId>, note: String },
}

/// What came of the next step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// There was none.
    Nothing,
    /// A task.
    Task(TaskId),
    /// A hand-over.
    HandOver(HandoverId),
}

/// Why a call was not written down.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It lies ahead, or too far back.
    #[error("a call is noted once it has begun, and within a year")]
    TimeInvalid,
    /// A call lasts minutes, not days.
    #[error("a call lasts 0 to 600 minutes")]
    MinutesInvalid,
    /// Nothing of this name can be found out.
    #[error("a call finds out {}; `{name}` is none of them", ASKED.join(", "))]
    NotAsked {
        /// What was told.
        name: String,
    },
    /// The booked call.
    #[error(transparent)]
    Booking(#[from] bookings::Error),
    /// The task that comes next.
    #[error(transparent)]
    Task(#[from] tasks::Error),
    /// The hand-over that comes next.
    #[error(transparent)]
    Handover(#[from] handovers::Error),
    /// The lifecycle.
    #[error(transparent)]
    Stage(#[from] stages::Error),
    /// The contact.
    #[error(transparent)]
    Contact(#[from] contacts::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] storage::Error),
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::TimeInvalid => "call.time_invalid",
            Self::MinutesInvalid => "call.minutes_invalid",
            Self::NotAsked { .. } => "call.not_asked",
            Self::Booking(error) => error.code(),
            Self::Task(error) => error.code(),
            Self::Handover(error) => error.code(),
            Self::Stage(error) => error.code(),
            Self::Contact(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }

    fn extras(&self) -> Vec<(&'static str, serde_json::Value)> {
        match self {
            Self::Task(error) => error.extras(),
            Self::Booking(error) => error.extras(),
            Self::Stage(error) => error.extras(),
            Self::TimeInvalid
            | Self::MinutesInvalid
            | Self::NotAsked { .. }
            | Self::Handover(_)
            | Self::Contact(_)
            | Self::Store(_) => Vec::new(),
        }
    }
}

/// What calls go by: who works here, and the stages.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    pub team: &'a Team,
    pub lifecycle: &'a Definition,
}

/// Writes down a call by telephone.
///
/// # Errors
/// [`Error`]; the caller then drops the transaction.
#[allow(clippy::too_many_arguments, reason = "a call consists of these")]
pub async fn note(
    tx: &mut Tx,
    desk: Desk<'_>,
    contact: ContactId,
    call: &Telephone,
    findings: &Findings,
    next: &Next,
    by: Option<AccountId>,
    now: Timestamp,
) -> Result<Step, Error> {
    if call.at > now.plus_ms(MINUTE_MS) || call.at < now.plus_ms(-NOTED_WITHIN_MS) {
        return Err(Error::TimeInvalid);
    }
    if call.minutes.is_some_and(|minutes| !(0..=600).contains(&minutes)) {
        return Err(Error::MinutesInvalid);
    }
    let contact = contacts::find(tx, contact).await?.ok_or(contacts::Error::Unknown)?.id;
    let props = json!({
        "by": by,
        "outcome": call.outcome.word(),
        "incoming": call.is_incoming,
        "minutes": call.minutes,
        "summary": shortened(&findings.summary, SUMMARY_LENGTH),
    });
    let (kind, at) = (call.outcome.kind(), call.at.min(now));
    contacts::record(tx, Some(contact), None, kind, Some(call.outcome.word()), props, at).await?;
    keep(tx, contact, &findings.answers, "call", now).await?;
    stages::evaluate(tx, desk.lifecycle, contact, now).await?;
    take_next(tx, desk, contact, findings, next, by, now).await
}

/// Says how a booked call went, what it found out and what comes next. May be said again, when it was a mistake.
///
/// # Errors
/// [`Error`]; the caller then drops the transaction.
#[allow(clippy::too_many_arguments, reason = "a call consists of these")]
pub async fn after(
    tx: &mut Tx,
    desk: Desk<'_>,
    booking: BookingId,
    outcome: bookings::Outcome,
    findings: &Findings,
    next: &Next,
    by: Option<AccountId>,
    now: Timestamp,
) -> Result<Step, Error> {
    let of_bookings = bookings::Desk { team: desk.team, lifecycle: desk.lifecycle };
    let booked = bookings::set_outcome(tx, of_bookings, booking, outcome, now).await?;
    let contact = booked.contact.ok_or(contacts::Error::Unknown)?;
    let contact = contacts::find(tx, contact).await?.ok_or(contacts::Error::Unknown)?.id;
    let summary = shortened(&findings.summary, SUMMARY_LENGTH);
    if !summary.is_empty() {
        let props = json!({"by": by, "outcome": outcome.word(), "summary": summary});
        let subject = booking.to_string();
        contacts::record(tx, Some(contact), None, "call.findings", Some(&subject), props, now).await?;
    }
    keep(tx, contact, &findings.answers, "call", now).await?;
    stages::evaluate(tx, desk.lifecycle, contact, now).await?;
    take_next(tx, desk, contact, findings, next, by, now).await
}

/// Keeps what somebody of the company has learnt about a contact; `source` says how. What is better trusted is not replaced
/// and the answer waits as a suggestion.
///
/// # Errors
/// [`Error::NotAsked`], that there is no such contact.
pub async fn learn(
    tx: &mut Tx,
    lifecycle: &Definition,
    contact: ContactId,
    answers: &BTreeMap<String, String>,
    source: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let contact = contacts::find(tx, contact).await?.ok_or(contacts::Error::Unknown)?.id;
    keep(tx, contact, answers, source, now).await?;
    stages::evaluate(tx, lifecycle, contact, now).await?;
    Ok(())
}

async fn keep(
    tx: &mut Tx,
    contact: ContactId,
    answers: &BTreeMap<String, String>,
    source: &str,
    now: Timestamp,
) -> Result<(), Error> {
    if let Some(name) = answers.keys().find(|name| !ASKED.contains(&name.as_str())) {
        return Err(Error::NotAsked { name: name.clone() });
    }
    for (name, answer) in answers {
        let answer = shortened(answer, ANSWER_LENGTH);
        contacts::set_field(tx, contact, name, &answer, source, Trust::Confirmed, now).await?;
    }
    Ok(())
}

async fn take_next(
    tx: &mut Tx,
    desk: Desk<'_>,
    contact: ContactId,
    findings: &Findings,
    next: &Next,
    by: Option<AccountId>,
    now: Timestamp,
) -> Result<Step, Error> {
    Ok(match next {
        Next::Nothing => Step::Nothing,
        Next::Task { kind, title, due_at, account } => {
            let new = NewTask { contact, account: *account, kind: *kind, title, due_at: *due_at, by };
            Step::Task(tasks::give(tx, desk.lifecycle, &new, now).await?)
        }
        Next::HandOver { role, account, note } => {
            let note = if note.trim().is_empty() { &findings.summary } else { note };
            let given = Given { role, account: *account, from: by, note };
            let desk = handovers::Desk { team: desk.team, lifecycle: desk.lifecycle };
            let Handover { id, .. } = handovers::give(tx, desk, contact, &given, now).await?;
            Step::HandOver(id)
        }
    })
}

/// A text without what surrounds it, at most so long; control characters but line ends are left out.
fn shortened(text: &str, most: usize) -> String {
    text.trim().chars().filter(|c| *c == '\n' || !c.is_control()).take(most).collect()
}
