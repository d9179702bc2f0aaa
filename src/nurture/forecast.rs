//! Who would get what and when, without writing anything.

use serde::Serialize;

use super::{Enrolment, Exit, Sequence, Sequences, holds, store};
use crate::base::email::Email;
use crate::base::ids::ContactId;
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::contacts;
use crate::storage::db::Queries;
use crate::subscriptions::policy::{self, Letter, Manners};
use crate::subscriptions::{self, Sending};

/// Walks that are looked at.
const WALKS_MOST: i64 = 10_000;

/// One letter that would go out, or would not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coming {
    pub at: Timestamp,
    pub email: Email,
    pub language: Language,
    pub sequence: String,
    /// From 1, as people count.
    pub step: usize,
    pub mail: String,
    /// Why it does not go out at the moment its wait is over, or at all.
    pub note: Option<String>,
    /// The word for that reason.
    #[serde(skip)]
    pub why: Option<&'static str>,
    /// Whether it goes out, as far as can be told now.
    pub goes_out: bool,
}

/// Somebody who is where a sequence begins and would not enter it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outside {
    pub email: Email,
    pub sequence: String,
    /// Why not.
    pub why: &'static str,
}

/// What is to be expected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// The letters, by time.
    pub coming: Vec<Coming>,
    /// Newcomers who get none.
    pub outside: Vec<Outside>,
}

/// What is to be looked at.
#[derive(Debug, Clone, Copy)]
pub struct Outlook {
    pub now: Timestamp,
    pub until: Timestamp,
    /// Also whoever is where a sequence begins and has not entered it: as if she entered now.
    pub with_newcomers: bool,
}

/// The letters of all walks until a moment, by time. Conditions are asked as things stand now: nobody knows what people
/// will do.
///
/// # Errors
/// As the store says.
pub async fn forecast(
    q: &mut impl Queries,
    sequences: &Sequences,
    sending: &Sending,
    outlook: Outlook,
) -> Result<Forecast, subscriptions::Error> {
    let (mut coming, mut outside) = (Vec::new(), Vec::new());
    for walk in store::due(q, outlook.until, WALKS_MOST).await? {
        let Some(sequence) = sequences.find(&walk.sequence) else { continue };
        let from = usize::try_from(walk.step).unwrap_or(usize::MAX);
        let entered = (walk.contact, walk.entered_at);
        coming.extend(of_walk(q, sequence, sending, entered, (from, walk.next_at), outlook).await?);
    }
    if outlook.with_newcomers {
        for sequence in sequences.all() {
            for contact in newcomers(q, sequence).await? {
                if let Some(exit) = super::exit(q, sequence, contact, outlook.now, outlook.now).await? {
                    let Some(known) = contacts::find(q, contact).await? else { continue };
                    let (sequence, why) = (sequence.id.clone(), exit.words());
                    outside.push(Outside { email: known.email, sequence, why });
                    continue;
                }
                let first = outlook.now.plus_ms(sequence.steps.first().map_or(0, |step| step.wait_ms));
                let entered = (contact, outlook.now);
                coming.extend(of_walk(q, sequence, sending, entered, (0, first), outlook).await?);
            }
        }
    }
    coming.sort_by(|a, b| (a.at, a.email.as_str(), a.step).cmp(&(b.at, b.email.as_str(), b.step)));
    Ok(Forecast { coming, outside })
}

/// The next letter of a walk as things stand now; nothing if it has none left.
///
/// # Errors
/// As the store says.
pub async fn next(
    q: &mut impl Queries,
    sequence: &Sequence,
    sending: &Sending,
    walk: &Enrolment,
    now: Timestamp,
) -> Result<Option<Coming>, subscriptions::Error> {
    let outlook = Outlook { now, until: walk.next_at.max(now), with_newcomers: false };
    let from = usize::try_from(walk.step).unwrap_or(usize::MAX);
    let (entered, first) = ((walk.contact, walk.entered_at), (from, walk.next_at));
    Ok(of_walk(q, sequence, sending, entered, first, outlook).await?.into_iter().next())
}

async fn newcomers(
    q: &mut impl Queries,
    sequence: &Sequence,
) -> Result<Vec<ContactId>, subscriptions::Error> {
    let there = match &sequence.enter {
        super::Place::Stage(stage) => store::in_stage(q, stage, WALKS_MOST).await?,
        super::Place::Customer(state) => store::in_state(q, state, WALKS_MOST).await?,
        super::Place::Segment(segment) => store::in_segment(q, segment, WALKS_MOST).await?,
    };
    let mut new = Vec::new();
    for contact in there {
        if store::of_contact(q, contact).await?.iter().all(|walk| walk.sequence != sequence.id) {
            new.push(contact);
        }
    }
    Ok(new)
}

async fn of_walk(
    q: &mut impl Queries,
    sequence: &Sequence,
    sending: &Sending,
    (contact, entered_at): (ContactId, Timestamp),
    (from, first_at): (usize, Timestamp),
    outlook: Outlook,
) -> Result<Vec<Coming>, subscriptions::Error> {
    let Some(contact) = contacts::find(q, contact).await? else { return Ok(Vec::new()) };
    let exit: Option<Exit> = super::exit(q, sequence, contact.id, entered_at, outlook.now).await?;
    let frequency = subscriptions::frequency(q, contact.id).await?;
    let since = outlook.now.plus_ms(-sending.within_ms.max(frequency.pause_ms().unwrap_or(0)));
    let mut sent = subscriptions::sent_since(q, contact.id, since).await?;
    let paused_until = subscriptions::paused_until(q, contact.id, outlook.now).await?;
    let mut coming = Vec::new();
    // The wait before a step counts from when the letter before it leaves.
    let mut due = first_at.max(outlook.now);
    let mut left = due;
    for (index, step) in sequence.steps.iter().enumerate().skip(from) {
        if index > from {
            due = left.plus_ms(step.wait_ms);
        }
        if due > outlook.until {
            break;
        }
        let holds = match &step.condition {
            Some(condition) => holds(q, sequence, condition, contact.id, outlook.now).await?,
            None => true,
        };
        let letter = Letter {
            zone: contact.time_zone.as_deref(),
            country: None,
            planned_at: due,
            is_prompt: false,
            paused_until,
            frequency,
            sent: &sent,
        };
        let manners = policy::manners(sending, &letter, due);
        let (at, note, why, goes_out) = match (exit, holds, manners) {
            (Some(exit), _, _) => (due, Some(exit.words().to_owned()), Some(exit.word()), false),
            (None, false, _) => {
                let condition = step.condition.as_ref().map_or("", |condition| condition.text());
                (
                    due,
                    Some(format!("not for this reader as things stand: {condition}")),
                    Some("condition"),
                    false,
                )
            }
            (None, true, Manners::Now) => (due, None, None, true),
            (None, true, Manners::Wait { until, why }) => {
                (until, Some(why.words().to_owned()), Some(why.word()), true)
            }
            (None, true, Manners::Expired) => {
                (due, Some("waits until it expires".to_owned()), Some("expired"), false)
            }
        };
        left = if goes_out { at } else { due };
        if goes_out {
            sent.push(at);
        }
        coming.push(Coming {
            at,
            email: contact.email.clone(),
            language: contact.language,
            sequence: sequence.id.clone(),
            step: index + 1,
            mail: step.mail.clone(),
            note,
            why,
            goes_out,
        });
    }
    Ok(coming)
}
