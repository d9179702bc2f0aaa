//! What somebody should look at: failed work, visitors who wait, calls without outcome.

use serde::Serialize;

use crate::base::time::{MINUTE_MS, Timestamp};
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

/// A kind of trouble and how often it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// `dead_jobs`, `stuck_events`, `late_chats` or `open_outcomes`.
    pub kind: &'static str,
    pub count: i64,
}

/// Every trouble there is now, the worst first.
///
/// # Errors
/// As the store says.
pub async fn attention(q: &mut impl Queries, now: Timestamp) -> Result<Vec<Trouble>> {
    let row = q
        .query_opt(
            sql!(
                "select
                     (select count(*) from jobs where state = 'dead') as dead_jobs,
                     (select count(*) from events where dispatched_at is null and at < $1) as stuck_events,
                     (select count(*) from conversations where mode = 'waiting' and updated_at < $2) as late_chats,
                     (select count(*) from bookings
                      where state = 'confirmed' and companion_of is null and outcome is null and ends_at < $3) as open_outcomes"
            ),
            params![now.plus_ms(-10 * MINUTE_MS), now.plus_ms(-MINUTE_MS), now],
        )
        .await?;
    let Some(row) = row else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for kind in ["dead_jobs", "stuck_events", "late_chats", "open_outcomes"] {
        let count: i64 = row.get(kind)?;
        if count > 0 {
            found.push(Trouble { kind, count });
        }
    }
    Ok(found)
}
