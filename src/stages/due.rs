//! What time alone will change, and when: worked out to the millisecond when something happens, and looked at then.
//!
//! Nobody is looked at every night. Each contact has at most one row of each kind in `lifecycle_due`; [`run`] takes those
//! whose time has come and evaluates them again, which works out what is due next.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::definition::{Definition, Sla, Stage};
use super::{Error, Person, store, track};
use crate::base::ids::ContactId;
use crate::base::time::{DAY_MS, Timestamp};
use crate::contacts;
use crate::events::{self, Event};
use crate::scoring::Scorer;
use crate::scoring::condition::{Call, Condition};
use crate::storage::db::{Db, Tx};

/// Contacts that are looked at in one go.
const BATCH: i64 = 200;

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// She has been cool for so long that she leaves her stage.
    Cold,
    /// A rule that waits for something not to happen may hold.
    Rules,
    /// The same on the track after the sale.
    Track,
    /// Somebody should have responded by then.
    Sla,
    /// A new version is asked about everybody.
    Version,
}

impl What {
    /// The word in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Rules => "rules",
            Self::Track => "track",
            Self::Sla => "sla",
            Self::Version => "version",
        }
    }

    /// The kind of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Cold, Self::Rules, Self::Track, Self::Sla, Self::Version]
            .into_iter()
            .find(|what| what.word() == word)
    }
}

/// Something that is due for a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// For whom.
    pub contact: ContactId,
    /// What.
    pub what: What,
    /// When.
    pub at: Timestamp,
    /// What it was worked out from.
    pub basis: String,
}

/// By when somebody must respond, for explanations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deadline {
    /// By when.
    pub due_at: Timestamp,
    /// When somebody did.
    pub answered_at: Option<Timestamp>,
    /// Whether it was too late, or nobody did and the time is over.
    pub is_breached: bool,
}

/// What the stage asks of those who look after the people in it.
pub(super) fn deadline(
    definition: &Definition,
    sla: &Sla,
    person: &Person,
    entered_at: Timestamp,
) -> Deadline {
    let due_at = match sla.in_business_hours {
        true => definition.after_working(entered_at, sla.first_response_ms),
        false => entered_at.plus_ms(sla.first_response_ms),
    };
    // What moved her here happened in the same moment and is no response to it.
    let answer = |kind: &String| {
        let call = Call { kind: kind.clone(), subject: None, window_ms: None };
        person.activities.within(&call, person.now).map(|activity| activity.at).find(|at| *at > entered_at)
    };
    let answered_at = sla.answered_by.iter().filter_map(answer).min();
    Deadline { due_at, answered_at, is_breached: answered_at.unwrap_or(person.now) > due_at }
}

/// Works out what time alone will change for a contact, and notes it where it has changed.
pub(super) async fn plan(
    tx: &mut Tx,
    definition: &Definition,
    contact: ContactId,
    person: &Person,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(open) = store::open_interval(tx, contact).await? else { return Ok(()) };
    let known: BTreeMap<What, Due> =
        store::due_of(tx, contact).await?.into_iter().map(|due| (due.what, due)).collect();
    let mut wanted: BTreeMap<What, (Timestamp, String)> = BTreeMap::new();
    let entered = format!("{}@{}", open.stage, open.entered_at.as_ms());
    let stage = definition.stage(&open.stage);
    let scorer = Scorer::new(&definition.scoring, person.values(), &person.activities);

    if let Some(at) = stage.and_then(|stage| cools_down_at(stage, &scorer, open.entered_at, now, NEVER)) {
        wanted.insert(What::Cold, (at, String::new()));
    }
    let ways = definition.back.iter().filter(|back| back.from == open.stage).map(|back| &back.condition);
    let order = definition.order(&open.stage).unwrap_or(0);
    let ahead = definition.stages.iter().skip(order + 1).filter(|next| next.is_open_from(&open.stage));
    let clauses = ahead.flat_map(|next| &next.clauses).map(|clause| &clause.condition);
    if let Some(at) = ways.chain(clauses).filter_map(|condition| may_hold_at(condition, &scorer, now)).min() {
        wanted.insert(What::Rules, (at, String::new()));
    }
    if let (Some(track), Some(at)) = (&definition.post_sale, store::open_state(tx, contact).await?)
        && let Some(at) = track::changes_at(track, &scorer, &at.state, at.entered_at, now)
    {
        wanted.insert(What::Track, (at, String::new()));
    }
    if let Some(sla) = stage.and_then(|stage| stage.sla.as_ref()) {
        let deadline = deadline(definition, sla, person, open.entered_at);
        if deadline.answered_at.is_none() {
            // Told once for each time the stage is entered: then the row stays, and is never due again.
            let was_told =
                known.get(&What::Sla).filter(|due| due.basis == entered && due.at == NEVER).map(|due| due.at);
            wanted.insert(What::Sla, (was_told.unwrap_or(deadline.due_at), entered));
        }
    }
    for (what, (at, basis)) in &wanted {
        let same = |due: &&Due| due.at == *at && due.basis == *basis;
        if known.get(what).filter(same).is_none() {
            store::put_due(tx, contact, *what, *at, basis).await?;
        }
    }
    // That a new version is to look at her stays until that version has: a server that runs the old one has not.
    let is_waiting = |due: &Due| due.what == What::Version && due.basis != definition.hash;
    for due in known.values().filter(|due| !wanted.contains_key(&due.what) && !is_waiting(due)) {
        store::drop_due(tx, contact, due.what).await?;
    }
    Ok(())
}

/// What is due at the end of time is never due.
pub(super) const NEVER: Timestamp = Timestamp(i64::MAX);

/// When somebody leaves a stage by cooling down, if nothing happens any more; looks ahead to `until`.
pub(super) fn cools_down_at(
    stage: &Stage,
    scorer: &Scorer<'_>,
    entered_at: Timestamp,
    now: Timestamp,
    until: Timestamp,
) -> Option<Timestamp> {
    let leave = stage.leave_below.as_ref()?;
    let since = match scorer.below_since(leave.engagement_points, entered_at.min(now), now) {
        Some(since) => since,
        None => {
            // After that everything has left the window.
            let until = until.plus_ms(-leave.after_ms).min(now.plus_ms(super::MEMORY_MS));
            scorer.falls_below(leave.engagement_points, now, until)?
        }
    };
    Some(since.max(entered_at).plus_ms(leave.after_ms)).filter(|at| *at <= until)
}

/// When a condition that does not hold may come to hold by waiting, if nothing happens any more: the next moment at which
/// anything it asks for changes.
fn may_hold_at(condition: &Condition, scorer: &Scorer<'_>, now: Timestamp) -> Option<Timestamp> {
    let waits = condition.may_come_to_hold();
    waits.then(|| scorer.changes_at(condition, now, now.plus_ms(super::MEMORY_MS))).flatten()
}

/// Looks at the contacts for whom something is due, each in a transaction of its own; returns how many.
///
/// # Errors
/// As the store says.
pub async fn run(db: &Db, definition: &Definition, now: Timestamp) -> Result<usize, Error> {
    let due = store::due(&mut db.read(), &definition.hash, now, BATCH).await?;
    for due in &due {
        match look_at(db, definition, due, now).await {
            Ok(()) => {}
            Err(Error::Store(error)) => return Err(error.into()),
            Err(error) => {
                // One contact that cannot be looked at must not keep all others waiting.
                tracing::error!(contact.id = %due.contact, error = %error, "a contact cannot be looked at");
                let mut tx = db.begin().await?;
                store::put_due(&mut tx, due.contact, due.what, now.plus_ms(DAY_MS), &due.basis).await?;
                tx.commit().await?;
            }
        }
    }
    Ok(due.len())
}

async fn look_at(db: &Db, definition: &Definition, due: &Due, now: Timestamp) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    tx.lock(&super::lock_name(due.contact)).await?;
    // Whoever was quicker has done it, or something has happened meanwhile.
    if store::due_of(&mut tx, due.contact).await?.contains(due) {
        match contacts::survivor(&mut tx, due.contact).await? == due.contact {
            true => settle(&mut tx, definition, due, now).await?,
            // Whoever was merged is spoken for by another.
            false => store::drop_due(&mut tx, due.contact, due.what).await?,
        }
    }
    Ok(tx.commit().await?)
}

async fn settle(tx: &mut Tx, definition: &Definition, due: &Due, now: Timestamp) -> Result<(), Error> {
    match due.what {
        What::Sla => {
            let open = store::open_interval(tx, due.contact).await?;
            let stage = open.as_ref().and_then(|open| definition.stage(&open.stage));
            if let (Some(open), Some(stage)) = (&open, stage)
                && due.basis == format!("{}@{}", open.stage, open.entered_at.as_ms())
            {
                let event = Event::SlaBreached {
                    contact: due.contact,
                    stage: stage.id.clone(),
                    owner: stage.owner.clone(),
                    entered_at: open.entered_at,
                    due_at: due.at,
                };
                events::append(tx, &event, now).await?;
            }
            store::put_due(tx, due.contact, What::Sla, NEVER, &due.basis).await?;
        }
        What::Cold | What::Rules | What::Track | What::Version => {
            store::drop_due(tx, due.contact, due.what).await?;
            super::evaluate(tx, definition, due.contact, now).await?;
            // What is due again in this very moment would be looked at for ever.
            let soon = now.plus_ms(DAY_MS);
            let again = store::due_of(tx, due.contact).await?;
            for stuck in again.into_iter().filter(|row| row.what != What::Sla && row.at <= now) {
                store::put_due(tx, due.contact, stuck.what, soon, &stuck.basis).await?;
            }
        }
    }
    Ok(())
}
