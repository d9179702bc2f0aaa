//! Carries what the collector has made durable into the rows, where projections and reports read it.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::follow::Following;
use super::project;
use super::traffic::AtOnce;
use crate::base::time::Timestamp;
use crate::hits::{self, Line, Recorded, Words};
use crate::sessions::{self, OpenVisits};
use crate::storage::db::Tx;
use crate::storage::journal::Group;
use crate::storage::{Result, Stores};

/// Hits in one transaction: large enough that a commit costs nothing, small enough that readers see it soon.
pub(super) const BATCH: usize = 20_000;
/// Of a batch of so many more are expected at once.
const MANY: usize = 1_000;
/// How long hits gather under load: each transaction writes the same pages again, however few rows are new in them.
const GATHER_MANY: Duration = Duration::from_millis(700);
/// How long hits gather before they are carried, so that a trickle is not a transaction each.
pub(super) const GATHER: Duration = Duration::from_millis(50);
/// After a failure.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// Carries a batch of each log; returns how many hits that was. Call again while it is not 0.
///
/// # Errors
/// As the stores say; then the batch stays where it is.
pub async fn drain(stores: &Stores, words: &Words) -> Result<usize> {
    Ok(drain_journal(stores, words).await? + super::streams::drain(stores, words).await?)
}

async fn drain_journal(stores: &Stores, words: &Words) -> Result<usize> {
    let Some(waiting) = Waiting::read(stores, words).await? else { return Ok(0) };
    let (through, hits) = (waiting.through, waiting.hits);
    let mut tx = stores.hits.begin().await?;
    waiting.write(&mut tx, stores).await?;
    tx.commit().await?;
    stores.journal.trim(through).await?;
    Ok(hits)
}

/// As [`drain`] for the journal; where the engine allows it, what is carried is counted and projected at once and never
/// read again.
async fn drain_and_follow(following: &Following<'_>) -> Result<usize> {
    let Following { stores, words, sites, follower } = *following;
    if !stores.hits.tells_new_rows() {
        return drain_journal(stores, words).await;
    }
    let Some(waiting) = Waiting::read(stores, words).await? else { return Ok(0) };
    let (through, hits) = (waiting.through, waiting.hits);
    let mut recent = follower.lock().await;
    let plan = AtOnce::plan(&stores.hits, words, sites, &waiting.lines).await?;
    let mut tx = stores.hits.begin().await?;
    let plan = match plan {
        Some(plan) if plan.still_holds(&mut tx).await? => Some(plan),
        _ => None,
    };
    match plan.zip(waiting.write(&mut tx, stores).await?) {
        Some((plan, new)) => {
            let kept = plan.count(&mut tx, &stores.hits, &new, &mut recent).await?;
            tx.commit().await?;
            kept.keep(&mut recent);
            follower.stir();
            follower.pulse(stores).await;
            tell(stores, words, plan.position(), &new).await;
        }
        None => tx.commit().await?,
    }
    // Should this fail, the cursor passes over what is left behind, and the next trim takes it along.
    stores.journal.trim(through).await?;
    Ok(hits)
}

/// Projects rows that follow `position`, if the journey stands there. Otherwise, or if it fails, whoever follows the rows
/// reads them.
async fn tell(stores: &Stores, words: &Words, position: i64, lines: &[Line]) {
    let told = async {
        if project::position(stores).await? == position {
            project::project(stores, words, position, lines).await?;
        }
        Result::Ok(())
    };
    if let Err(error) = told.await {
        tracing::warn!(error = %error, "the journey is told later: it cannot be written");
    }
}

/// What waits in the journal, as rows.
struct Waiting {
    /// The last group of it.
    through: i64,
    hits: usize,
    lines: Vec<Line>,
}

impl Waiting {
    async fn read(stores: &Stores, words: &Words) -> Result<Option<Self>> {
        let position = hits::cursor(&stores.hits, stores.journal.name()).await?;
        let groups = stores.journal.after(position, BATCH).await?;
        let Some(through) = groups.last().map(|group| group.seq) else { return Ok(None) };
        let batch = unpacked(groups.iter().flat_map(Group::records));
        let lines = hits::lines_of(&stores.hits, words, &batch).await?;
        Ok(Some(Self { through, hits: lines.len(), lines }))
    }

    /// Writes the rows and moves the journal's cursor; those that are new come back where the engine tells.
    async fn write(self, tx: &mut Tx, stores: &Stores) -> Result<Option<Vec<Line>>> {
        let new = hits::append(tx, self.lines).await?;
        hits::move_cursor(tx, stores.journal.name(), self.through).await?;
        Ok(new)
    }
}

/// The hits of records, in order. A record that cannot be read is told and passed over: it would stop all others.
fn unpacked<'a>(records: impl Iterator<Item = &'a [u8]>) -> Vec<Recorded<&'a str>> {
    let mut batch = Vec::new();
    for record in records {
        match hits::unpack(record) {
            Ok(some) => batch.extend(some),
            Err(error) => tracing::error!(error, "a record of the log cannot be read"),
        }
    }
    batch
}

/// Opens the visits again that were under way when this process ended, where it alone kept them.
///
/// # Errors
/// As the stores say.
pub async fn reopen_visits(
    stores: &Stores,
    words: &Words,
    open: &OpenVisits,
    now: Timestamp,
) -> Result<usize> {
    while drain(stores, words).await? > 0 {}
    let visits = hits::visits_since(&stores.hits, words, now.plus_ms(-sessions::IDLE_MS)).await?;
    for visit in &visits {
        open.reopen(&visit.site, visit.visitor, visit.session, visit.last_at);
    }
    Ok(visits.len())
}

/// Carries whatever comes until `stop` says so, and then what is left.
pub async fn carry(following: Following<'_>, stop: watch::Receiver<bool>) {
    let streams = super::streams::carry(following.stores, following.words, stop.clone());
    tokio::join!(carry_journal(&following, stop), streams);
}

/// How long to wait for more after a batch of so many.
pub(super) fn gather_after(batch: usize) -> Duration {
    if batch < MANY { GATHER } else { GATHER_MANY }
}

/// When a hit that comes now is carried: not before what comes after a large batch has gathered, but whoever comes long after
/// it waits no longer than others.
fn carried_at(gathers_until: Instant, now: Instant) -> Instant {
    gathers_until.max(now + GATHER)
}

async fn carry_journal(following: &Following<'_>, mut stop: watch::Receiver<bool>) {
    let mut gathers_until = Instant::now();
    loop {
        let is_over = *stop.borrow();
        loop {
            match drain_and_follow(following).await {
                Ok(0) => break,
                Ok(batch) if batch < BATCH && !is_over => {
                    gathers_until = Instant::now() + gather_after(batch);
                    break;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(error = %error, "hits wait in the journal: the rows cannot be written");
                    tokio::time::sleep(PAUSE).await;
                    break;
                }
            }
        }
        if is_over {
            return;
        }
        tokio::select! {
            () = following.stores.journal.written() => {
                tokio::time::sleep_until(carried_at(gathers_until, Instant::now())).await;
            }
            _ = stop.changed() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_right_after_a_crowd_gathers_for_long() {
        let ended = Instant::now();
        let after = |batch: usize, ms: u64| {
            let now = ended + Duration::from_millis(ms);
            carried_at(ended + gather_after(batch), now).duration_since(now)
        };
        assert_eq!(after(MANY - 1, 0), GATHER);
        assert_eq!(after(MANY, 0), GATHER_MANY);
        assert_eq!(after(MANY, 300), GATHER_MANY - Duration::from_millis(300));
        assert_eq!(after(MANY, 690), GATHER);
        assert_eq!(after(MANY, 60_000), GATHER);
    }
}
