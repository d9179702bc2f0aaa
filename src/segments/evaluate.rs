//! Asks segments about people, and keeps the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::definition::{Changed, Definition, Segment};
use super::{Costs, due, store};
use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::contacts::marks;
use crate::events::{self, Event};
use crate::scoring::condition::Scope;
use crate::stages::{self, Person};
use crate::storage::db::{Db, Tx};

/// People that one transaction looks at.
const AT_ONCE: usize = 25;
/// People that are looked at before other work gets its turn.
const IN_A_TURN: i64 = 200;

/// Somebody came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The segment.
    pub segment: String,
    /// Came, or went.
    pub entered: bool,
}

/// Asks about one person: the segments that the change concerns, and those whose moment has come.
///
/// # Errors
/// [`stages::Error::NoContact`], or as the store says.
pub async fn evaluate(
    tx: &mut Tx,
    lifecycle: &stages::Definition,
    segments: &Definition,
    costs: &Costs,
    contact: ContactId,
    changed: &Changed,
    now: Timestamp,
) -> Result<Vec<Change>, stages::Error> {
    let states = store::states(tx, contact).await?;
    let is_due = |segment: &Segment| {
        states.get(&segment.id).and_then(|state| state.due_at).is_some_and(|due_at| due_at <= now)
    };
    let mut asked: Vec<&Segment> = segments.concerned(changed).collect();
    asked.extend(segments.segments.iter().filter(|segment| is_due(segment)));
    ask(tx, lifecycle, &asked, costs, contact, &states, Told::Everybody, now).await
}

/// Whether the others hear of who comes and goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Everybody,
    /// A condition is new: whoever belongs has belonged already, and nothing follows from it.
    Nobody,
}

#[allow(clippy::too_many_arguments, reason = "one person, all there is to know")]
async fn ask(
    tx: &mut Tx,
    lifecycle: &stages::Definition,
    asked: &[&Segment],
    costs: &Costs,
    contact: ContactId,
    states: &BTreeMap<String, store::State>,
    told: Told,
    now: Timestamp,
) -> Result<Vec<Change>, stages::Error> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let person = stages::person(tx, lifecycle, contact, now).await?;
    let stage = stages::position(tx, lifecycle, contact, now).await?.stage;
    let mut changes = Vec::new();
    for (segment, is_member, due_at) in answers(lifecycle, asked, costs, &person, &stage) {
        let known = states.get(&segment.id);
        let was_member = known.is_some_and(|state| state.is_member);
        if known.is_some_and(|state| state.is_member == is_member && state.due_at == due_at) {
            continue;
        }
        if known.is_some() || is_member || due_at.is_some() {
            let since = known.filter(|_| was_member == is_member).map_or(now, |state| state.since);
            store::put(tx, &segment.id, contact, is_member, since, due_at).await?;
        }
        if was_member != is_member {
            changes.push(Change { segment: segment.id.clone(), entered: is_member });
            if told == Told::Everybody {
                let segment = segment.id.clone();
                let event = match is_member {
                    true => Event::SegmentEntered { contact, segment },
                    false => Event::SegmentLeft { contact, segment },
                };
                events::append(tx, &event, now).await?;
            }
        }
    }
    Ok(changes)
}

/// The answers of segments about a person: whether she belongs, and when to ask again.
fn answers<'a>(
    lifecycle: &stages::Definition,
    asked: &[&'a Segment],
    costs: &Costs,
    person: &Person,
    stage: &str,
) -> Vec<(&'a Segment, bool, Option<Timestamp>)> {
    let scope = Scope::of_stage(&person.facts, &person.activities, &person.score, None, &[], person.now)
        .with_stage(stage);
    let mut seen = BTreeSet::new();
    let mut answers = Vec::new();
    for segment in asked.iter().filter(|segment| seen.insert(segment.id.as_str())) {
        let began = Instant::now();
        let is_member = segment.condition.holds(&scope);
        let due_at = due::next(segment, lifecycle, person, stage, is_member);
        costs.add(&segment.id, began.elapsed());
        answers.push((*segment, is_member, due_at));
    }
    answers
}

/// Looks at everybody who has a mark or whose moment has come, and goes on with segments that are new. For those whose
/// hits were projected the lifecycle is asked first: nobody did when they came.
///
/// Returns whether there was anything to do.
///
/// # Errors
/// As the store says.
pub async fn look_again(
    db: &Db,
    lifecycle: &stages::Definition,
    segments: &Definition,
    costs: &Costs,
    now: Timestamp,
) -> Result<bool, stages::Error> {
    let marked = marks::marked(&mut db.read(), now, IN_A_TURN).await?;
    let due = store::due(&mut db.read(), now, IN_A_TURN).await?;
    let people: Vec<ContactId> = marked.into_iter().chain(due).collect::<BTreeSet<_>>().into_iter().collect();
    for some in people.chunks(AT_ONCE) {
        let mut tx = db.begin().await?;
        for contact in some {
            look_at(&mut tx, lifecycle, segments, costs, *contact, now).await?;
        }
        tx.commit().await?;
    }
    Ok(fill(db, lifecycle, segments, costs, now).await? || !people.is_empty())
}

async fn look_at(
    tx: &mut Tx,
    lifecycle: &stages::Definition,
    segments: &Definition,
    costs: &Costs,
    contact: ContactId,
    now: Timestamp,
) -> Result<(), stages::Error> {
    tx.lock(&format!("contact:{contact}")).await?;
    let mut what = marks::take_mark(tx, contact).await?.unwrap_or_default();
    if Changed::of_marks(&what).is_of_hits() {
        stages::evaluate(tx, lifecycle, contact, now).await?;
        // A change of the stage that this made is a mark of its own.
        let more = marks::take_mark(tx, contact).await?.unwrap_or_default();
        what = format!("{what} {more}");
    }
    let changed = Changed::of_marks(&what);
    evaluate(tx, lifecycle, segments, costs, contact, &changed, now).await?;
    Ok(())
}

/// Asks about everybody whom a new condition has not been asked about yet, some people at a time.
async fn fill(
    db: &Db,
    lifecycle: &stages::Definition,
    segments: &Definition,
    costs: &Costs,
    now: Timestamp,
) -> Result<bool, stages::Error> {
    let fills = store::fills(&mut db.read()).await?;
    let is_filled = |segment: &Segment| {
        fills.iter().any(|fill| fill.segment == segment.id && fill.hash == segment.hash && fill.is_done)
    };
    let is_gone = |fill: &store::Fill| segments.find(&fill.segment).is_none();
    if segments.segments.iter().all(is_filled) && !fills.iter().any(is_gone) {
        return Ok(false);
    }
    let mut tx = db.begin().await?;
    tx.lock("segments:fill").await?;
    for fill in store::fills(&mut tx).await?.iter().filter(|fill| is_gone(fill)) {
        store::forget(&mut tx, &fill.segment).await?;
    }
    for segment in &segments.segments {
        store::begin_fill(&mut tx, &segment.id, &segment.hash).await?;
    }
    let open: Vec<store::Fill> = store::fills(&mut tx).await?.into_iter().filter(|f| !f.is_done).collect();
    let Some(after) = open.iter().map(|fill| fill.after.clone()).min() else {
        tx.commit().await?;
        return Ok(true);
    };
    let step: Vec<&store::Fill> = open.iter().filter(|fill| fill.after == after).collect();
    let asked: Vec<&Segment> = step.iter().filter_map(|fill| segments.find(&fill.segment)).collect();
    let people = store::contacts_after(&mut tx, &after, IN_A_TURN).await?;
    for contact in &people {
        let states = store::states(&mut tx, *contact).await?;
        ask(&mut tx, lifecycle, &asked, costs, *contact, &states, Told::Nobody, now).await?;
    }
    let reached = people.last().map(ToString::to_string);
    for fill in &step {
        store::filled_to(&mut tx, &fill.segment, reached.as_deref()).await?;
    }
    tx.commit().await?;
    Ok(true)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
