//! What somebody should look at: failed work, calendars that are not believed, visitors who wait, calls without outcome.

use serde::Serialize;

use crate::base::time::{HOUR_MS, MINUTE_MS, Timestamp};
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

/// Every kind, the worst first.
const KINDS: [&str; 7] = [
    "dead_jobs",
    "off_hooks",
    "stuck_events",
    "stale_calendars",
    "failing_calendars",
    "late_chats",
    "open_outcomes",
];

/// A kind of trouble and how often it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// One of [`KINDS`].
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
                     (select count(*) from endpoints where disabled_at is not null) as off_hooks,
                     (select count(*) from calendars
                      where good_until <= $3 and (fetched_at is not null or created_at <= $4)) as stale_calendars,
                     (select count(*) from calendars where good_until > $3 and fault is not null) as failing_calendars,
                     (select count(*) from events where dispatched_at is null and at < $1) as stuck_events,
                     (select count(*) from conversations where mode = 'waiting' and updated_at < $2) as late_chats,
                     (select count(*) from bookings
                      where state = 'confirmed' and outcome is null and ends_at < $3) as open_outcomes"
            ),
            params![now.plus_ms(-10 * MINUTE_MS), now.plus_ms(-MINUTE_MS), now, now.plus_ms(-HOUR_MS)],
        )
        .await?;
    let Some(row) = row else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for kind in KINDS {
        let count: i64 = row.get(kind)?;
        if count > 0 {
            found.push(Trouble { kind, count });
        }
    }
    Ok(found)
}
