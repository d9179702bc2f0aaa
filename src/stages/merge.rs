//! Merging two contacts settles the stage, too: whoever speaks for both stands where the further of the two stood. Undoing
//! leads back, unless she has moved on by herself since.

use super::{Actor, Definition, Error, Grounds, Move, evaluate, lock_name, open_interval, store};
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
    let history = store::intervals(tx, undone.survivor).await?;
    let is_of_merge =
        |interval: &&store::Interval| interval.rule == MERGE && interval.entered_at == undone.at;
    if let Some(open) = history.iter().find(|interval| interval.left_at.is_none()).filter(is_of_merge)
        && let Some(before) =
            history.iter().rfind(|interval| interval.id != open.id && interval.rule != "skipped")
    {
        step(tx, definition, undone.survivor, &before.stage, UNMERGE, actor, now).await?;
    }
    Ok(undone)
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
