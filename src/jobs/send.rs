//! Takes due jobs from the queue and sends what they say, side by side.

use std::sync::Arc;

use futures_util::future::join_all;

use super::queue::{Claimed, End};
use super::{Worker, queue};
use crate::base::ids::new_key;
use crate::base::time::{HOUR_MS, Timestamp};
use crate::notify::{self, Sent, Work};
use crate::subscriptions;

/// Jobs that are worked on at once.
const AT_ONCE: i64 = 16;
/// After two days nobody wants the message any more.
const GIVE_UP_MS: i64 = 48 * HOUR_MS;

/// Works on what is due; returns how many jobs that were.
pub(super) async fn send_due(worker: &Arc<Worker>) -> anyhow::Result<usize> {
    let now = worker.clock.now();
    let db = &worker.desk.stores.db;
    if !queue::any_due(&mut db.read(), now).await? {
        return Ok(0);
    }
    let claimed = queue::claim(db, &new_key(), AT_ONCE, now).await?;
    let ends = join_all(claimed.iter().map(|job| end_of(worker, job, now))).await;
    let mut ended = 0;
    for (job, end) in claimed.iter().zip(ends) {
        if let End::Again { why, is_trouble: true, .. } | End::Dead(why) = &end {
            tracing::warn!(job.id = %job.id, job.attempts = job.attempts, error = %why, "a message is not out");
        }
        // A job that only waits for a better time is not progress: `drain` would go round for ever.
        ended += usize::from(!matches!(end, End::Again { .. }));
        let mut tx = db.begin().await?;
        queue::finish(&mut tx, job, &end, now).await?;
        tx.commit().await?;
    }
    Ok(ended)
}

async fn end_of(worker: &Worker, job: &Claimed, now: Timestamp) -> End {
    let work: Work = match serde_json::from_value(job.payload.clone()) {
        Ok(work) => work,
        Err(error) => return End::Dead(format!("the job cannot be read: {error}")),
    };
    let (db, id) = (&worker.desk.stores.db, job.id.to_string());
    let end = match notify::send(&worker.desk, &id, &work, job.created_at, now).await {
        Ok(Sent::Out) => return End::Done,
        Ok(Sent::Waits { until, why }) => {
            return End::Again { at: until, why: why.to_owned(), is_trouble: false };
        }
        Ok(Sent::Superseded(why)) => End::Dropped(why.to_owned()),
        Err(error) => match error.pause_ms(job.attempts) {
            Some(pause_ms) if now.since_ms(job.trouble_since.unwrap_or(now)) < GIVE_UP_MS => {
                let at = now.plus_ms(pause_ms + jitter(pause_ms));
                return End::Again { at, why: error.to_string(), is_trouble: true };
            }
            _ => End::Dead(error.to_string()),
        },
    };
    // What does not go out takes up no place among what the reader gets.
    if let Work::Mail { .. } = work
        && let Err(error) = subscriptions::give_slot_back(db, &id).await
    {
        tracing::warn!(job.id = %id, error = %error, "the place of a mail that is not sent is still taken");
    }
    end
}

/// Up to a fifth, so that many jobs that failed together do not come back together.
fn jitter(pause_ms: i64) -> i64 {
    let mut byte = [0_u8; 1];
    if getrandom::fill(&mut byte).is_err() {
        return 0;
    }
    pause_ms * i64::from(byte[0]) / (5 * 255)
}
