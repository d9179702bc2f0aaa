//! Carries what the collector has made durable into the rows, where projections and reports read it.

use std::time::Duration;

use tokio::sync::watch;

use crate::base::time::Timestamp;
use crate::hits::{self, Words};
use crate::sessions::{self, OpenVisits};
use crate::storage::{Result, Stores};

/// Hits in one transaction: large enough that a commit costs nothing, small enough that readers see it soon.
pub(super) const BATCH: usize = 10_000;
/// Of a batch of so many more are expected at once.
const MANY: usize = 1_000;
/// How long hits gather under load: each transaction writes the same pages again, however few rows are new in them.
const GATHER_MANY: Duration = Duration::from_millis(250);
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
    let journal = &stores.journal;
    let position = hits::cursor(&stores.hits, journal.name()).await?;
    let groups = journal.after(position, BATCH).await?;
    let Some(through) = groups.last().map(|group| group.seq) else { return Ok(0) };
    let batch = unpacked(groups.iter().flat_map(|group| &group.records));
    hits::store(&stores.hits, words, journal.name(), through, &batch).await?;
    // Should this fail, the cursor passes over what is left behind, and the next trim takes it along.
    journal.trim(through).await?;
    Ok(batch.len())
}

/// The hits of records, in order. A record that cannot be read is told and passed over: it would stop all others.
fn unpacked<'a>(records: impl Iterator<Item = &'a Vec<u8>>) -> Vec<hits::Recorded> {
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
pub async fn carry(stores: &Stores, words: &Words, stop: watch::Receiver<bool>) {
    tokio::join!(carry_journal(stores, words, stop.clone()), super::streams::carry(stores, words, stop));
}

/// How long to wait for more after a batch of so many.
pub(super) fn gather_after(batch: usize) -> Duration {
    if batch < MANY { GATHER } else { GATHER_MANY }
}

async fn carry_journal(stores: &Stores, words: &Words, mut stop: watch::Receiver<bool>) {
    loop {
        let is_over = *stop.borrow();
        let mut gather = GATHER;
        loop {
            match drain_journal(stores, words).await {
                Ok(0) => break,
                Ok(batch) if batch < BATCH && !is_over => {
                    gather = gather_after(batch);
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
            () = stores.journal.written() => tokio::time::sleep(gather).await,
            _ = stop.changed() => {}
        }
    }
}
