//! Merging two contacts settles the stage, too: whoever speaks for both stands where the further of the two stood. Undoing
//! leads back, unless she has moved on by herself since.

use super::rules::steps;
use super::{Actor, Definition, Error, Grounds, Move, Position, evaluate, lock_name, open_interval, store};
use crate::base::coded::Coded;
use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::contacts::merge::{self, Merge, Preview};
use crate::events::{self, Event};
use crate::storage::db::Tx;

/// The rule under which the history shows it.
const MERGE: &str = "merge";
const UNMERGE: &str = "unmerge";

/// Why a merge was not made or not undone.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The contacts cannot be merged.
    #[error(transparent)]
    Merge(#[from] merge::Error),
    /// The stage cannot be settled.
    #[error(transparent)]
    Stage(#[from] Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] crate::storage::Error),
}

impl Coded for Refused {
    fn code(&self) -> &'static str {
        match self {
            Self::Merge(error) => error.code(),
            Self::Stage(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }
}

/// Lets `survivor` speak for `merged`, and puts her into the further stage of the two.
///
/// # Errors
/// [`Refused`].
pub async fn merge(
    tx: &mut Tx,
    definition: &Definition,
    survivor: ContactId,
    merged: ContactId,
    actor: Actor,
    now: Timestamp,
) -> Result<Preview, Refused> {
    let done = merge::merge(tx, survivor, merged, &actor.word(), now).await?;
    let order = |stage: &str| definition.order(stage).unwrap_or(0);
    if order(&done.merged.stage) > order(&done.survivor.stage) {
        step(tx, definition, survivor, &done.merged.stage, MERGE, actor, now).await?;
    }
    evaluate(tx, definition, survivor, now).await?;
    Ok(done)
}

/// Undoes the merge that took `merged` away.
///
/// # Errors
/// [`Refused`].
pub async fn unmerge(
    tx: &mut Tx,
    definition: &Definition,
    merged: ContactId,
    actor: Actor,
    now: Timestamp,
) -> Result<Merge, Refused> {
    let undone = merge::unmerge(tx, merged, &actor.word(), now).await?;
    fall_back(tx, definition, &undone, actor, now).await?;
    for contact in [undone.survivor, merged] {
        evaluate(tx, definition, contact, now).await?;
    }
    Ok(undone)
}

/// Leads the survivor back to where she would stand without the other: from where she stood before the merge her own
/// evidence moves her on. Whom a person moved meanwhile stays.
async fn fall_back(
    tx: &mut Tx,
    definition: &Definition,
    undone: &Merge,
    actor: Actor,
    now: Timestamp,
) -> Result<(), Error> {
    let history = store::intervals(tx, undone.survivor).await?;
    let is_merge = |interval: &store::Interval| interval.rule == MERGE && interval.entered_at == undone.at;
    let of_merge = history.iter().position(is_merge);
    let first = of_merge.or_else(|| history.iter().position(|interval| interval.entered_at > undone.at));
    let Some((earlier, later)) = first.map(|first| history.split_at(first)) else { return Ok(()) };
    let is_by_rule = |interval: &store::Interval| interval.actor == Actor::Rule.word();
    let before = earlier.iter().rfind(|interval| interval.rule != "skipped");
    let open = later.iter().find(|interval| interval.left_at.is_none());
    let Some((before, open)) = before.zip(open) else { return Ok(()) };
    if !later.iter().all(|interval| is_merge(interval) || is_by_rule(interval)) {
        return Ok(());
    }
    let person = super::person(tx, definition, undone.survivor, now).await?;
    let at = Position {
        stage: before.stage.clone(),
        entered_at: before.entered_at,
        back_at: super::explain::position_in(definition, &history, now).back_at,
    };
    let own = steps(definition, &person, &at).pop().map_or(at.stage, |step| step.to);
    if definition.order(&own) < definition.order(&open.stage) {
        step(tx, definition, undone.survivor, &own, UNMERGE, actor, now).await?;
    }
    Ok(())
}

async fn step(
    tx: &mut Tx,
    definition: &Definition,
    contact: ContactId,
    to: &str,
    rule: &str,
    actor: Actor,
    now: Timestamp,
) -> Result<(), Error> {
    tx.lock(&lock_name(contact)).await?;
    let open = open_interval(tx, definition, contact, now).await?;
    store::keep_version(tx, definition, now).await?;
    store::close(tx, &open, now).await?;
    let grounds = Grounds::default();
    let made = Move { to, actor, rule, reason: None, grounds: &grounds, new_journey: false };
    store::open(tx, definition, contact, open.journey, to, &made, now).await?;
    let event = Event::StageChanged { contact, from: open.stage, to: to.to_owned(), rule: rule.to_owned() };
    events::append(tx, &event, now).await?;
    Ok(())
}
