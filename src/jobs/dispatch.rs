//! Facts become jobs, in one transaction: a fact is dispatched exactly once.

use super::{Worker, queue};
use crate::events::outbox;
use crate::notify;

/// Facts in one transaction.
const BATCH: i64 = 50;

/// Plans the consequences of waiting facts; returns how many facts that were.
pub(super) async fn dispatch(worker: &Worker) -> anyhow::Result<usize> {
    let now = worker.clock.now();
    if !outbox::any_waiting(&mut worker.desk.stores.db.read()).await? {
        return Ok(0);
    }
    let mut tx = worker.desk.stores.db.begin().await?;
    let waiting = outbox::waiting(&mut tx, BATCH).await?;
    for recorded in &waiting {
        for planned in notify::plan(&worker.desk, &mut tx, recorded).await? {
            let payload = serde_json::to_value(&planned.work)?;
            queue::enqueue(&mut tx, "notify", &planned.key, &payload, planned.at, now).await?;
        }
        outbox::mark_dispatched(&mut tx, recorded.id, now).await?;
    }
    tx.commit().await?;
    Ok(waiting.len())
}
