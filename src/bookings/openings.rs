//! The list of those who found no free time at all: they are told by mail when one opens.
//!
//! As many are told as there are free times, whoever asked first first; nothing is kept for them, so the next are told only
//! when those have had a while to choose. Each is told once, by one mail, and is off the list then; nobody is told at
//! night, or when she has a call already. Whoever saw times that did not fit is told only when there is another.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::earlier::{Terms, is_awake};
use super::slots::Span;
use super::store::openings as store;
use super::team::{Meeting, Team};
use super::{Holder, Result};
use crate::base::ids::ContactId;
use crate::base::language::Language;
use crate::base::time::{DAY_MS, Timestamp, zone};
use crate::storage::db::{Queries, Tx};

/// How long a wish stands: after a month she has found another way.
pub const KEPT_MS: i64 = 30 * DAY_MS;
/// How far ahead is looked; a meeting's own window is narrower.
const AHEAD_MS: i64 = 400 * DAY_MS;

/// Somebody who waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The meeting's id.
    pub meeting: String,
    /// Who she is.
    pub contact: ContactId,
    /// Her zone, by its IANA name.
    pub time_zone: String,
    /// The language in which she asked.
    pub language: Language,
    /// Since when.
    pub since: Timestamp,
    /// The times that were free then and did not fit her; empty if none was free.
    pub unfit: BTreeSet<Timestamp>,
}

/// The times of a meeting that are free now, for a wish of somebody whom none of them fits.
///
/// # Errors
/// As the store says.
pub async fn free_now(
    q: &mut impl Queries,
    team: &Team,
    meeting: &Meeting,
    now: Timestamp,
) -> Result<BTreeSet<Timestamp>> {
    let window = Span::new(now, now.plus_ms(AHEAD_MS));
    let slots = super::slots(q, team, meeting, window, &Holder::default(), None, now).await?;
    Ok(slots.iter().map(|slot| slot.starts_at).collect())
}

/// Puts somebody on the list. Whoever is on it keeps her place; whoever was told before gets a new one.
///
/// # Errors
/// As the store says.
pub async fn ask(tx: &mut Tx, wish: &Wish) -> Result<()> {
    Ok(store::ask(tx, wish, wish.since.plus_ms(-KEPT_MS)).await?)
}

/// Her wish of that moment, as long as she was told only of it.
///
/// # Errors
/// As the store says.
pub async fn find(q: &mut impl Queries, meeting: &str, contact: ContactId) -> Result<Option<Wish>> {
    Ok(store::find(q, meeting, contact).await?)
}

/// Those who are to be told now.
///
/// # Errors
/// As the store says.
pub async fn due(q: &mut impl Queries, team: &Team, terms: Terms, now: Timestamp) -> Result<Vec<Wish>> {
    let mut due = Vec::new();
    for meeting in &team.meetings {
        let waiting = store::waiting(q, &meeting.id, now.plus_ms(-KEPT_MS)).await?;
        if waiting.is_empty() {
            continue;
        }
        let free = free_now(q, team, meeting, now).await?;
        let choosing = store::told_since(q, &meeting.id, now.plus_ms(-terms.hold_ms)).await?;
        let choosing = usize::try_from(choosing).unwrap_or(usize::MAX);
        let is_helped = |wish: &Wish| wish.unfit.is_empty() || free.iter().any(|at| !wish.unfit.contains(at));
        let awake = waiting
            .into_iter()
            .filter(|wish| is_awake(&zone(&wish.time_zone).unwrap_or(TimeZone::UTC), now))
            .filter(is_helped);
        due.extend(awake.take(free.len().saturating_sub(choosing)));
    }
    Ok(due)
}

/// Takes somebody off the list because she is told; `false` if another node did.
///
/// # Errors
/// As the store says.
pub async fn tell(tx: &mut Tx, wish: &Wish, now: Timestamp) -> Result<bool> {
    Ok(store::tell(tx, wish, now).await?)
}

/// Forgets the wishes that do not stand any more.
///
/// # Errors
/// As the store says.
pub async fn forget(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    Ok(store::forget(tx, now.plus_ms(-KEPT_MS)).await?)
}
