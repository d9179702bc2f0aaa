//! The durable queue: claimed under a lease, acknowledged under a fence, tried again with growing pauses.
//!
//! A job that is claimed twice (its worker was slow and the lease ran out) can be acknowledged only by the later claim.

use serde_json::Value as Json;

use crate::base::ids::JobId;
use crate::base::time::{MINUTE_MS, Timestamp};
use crate::storage::Result;
use crate::storage::db::{Db, Queries, Tx};
use crate::storage::personal::Personal;
use crate::{params, sql};

/// What these tables hold about people.
pub const PERSONAL: &[Personal] = &[
    Personal {
        table: "jobs",
        export: None,
        erase: Some(sql!(
            "delete from jobs
             where exists (select 1 from contacts c where c.id in (select own_id from contact_ids where contact_id = $1)
                     and jobs.payload like '%' || c.id || '%')
                 or exists (select 1 from conversations v where v.contact_id in (select own_id from contact_ids where contact_id = $1)
                     and jobs.payload like '%' || v.id || '%')"
        )),
        because: "work that waits; what it sends is exported as a mail",
    },
];

/// Longer than any job may take.
const LEASE_MS: i64 = MINUTE_MS;

/// A job that this worker may do now.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    pub id: JobId,
    pub kind: String,
    pub payload: Json,
    /// How often it was tried, this time included.
    pub attempts: i64,
    pub created_at: Timestamp,
    /// Since when it fails, if it does.
    pub trouble_since: Option<Timestamp>,
    fence: i64,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It is done.
    Done,
    /// It is not wanted any more (a cancelled call's reminder).
    Dropped(String),
    /// Try again later: because something failed, or because its time has not come.
    Again { at: Timestamp, why: String, is_trouble: bool },
    /// It will never work; a person must look.
    Dead(String),
}

/// Puts a job into the queue, in the caller's transaction. A second one with the same key is not added.
///
/// # Errors
/// As the store says.
pub async fn enqueue(
    tx: &mut Tx,
    kind: &str,
    dedupe_key: &str,
    payload: &Json,
    at: Timestamp,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into jobs (id, kind, dedupe_key, payload, state, next_at, created_at)
             values ($1, $2, $3, $4, 'ready', $5, $6) on conflict (dedupe_key) do nothing"
        ),
        params![JobId::new(), kind, dedupe_key, payload, at, now],
    )
    .await?;
    Ok(())
}

/// Puts what can never be done before a person's eyes: a dead job with its reason.
///
/// # Errors
/// As the store says.
pub async fn bury(tx: &mut Tx, dedupe_key: &str, payload: &Json, why: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "insert into jobs (id, kind, dedupe_key, payload, state, next_at, last_error, created_at, done_at)
             values ($1, 'dispatch', $2, $3, 'dead', $4, $5, $4, $4) on conflict (dedupe_key) do nothing"
        ),
        params![JobId::new(), dedupe_key, payload, now, why],
    )
    .await?;
    Ok(())
}

/// Claims up to `most` jobs that are due, the longest waiting first.
///
/// # Errors
/// As the store says.
pub async fn claim(db: &Db, owner: &str, most: i64, now: Timestamp) -> Result<Vec<Claimed>> {
    let mut tx = db.begin().await?;
    let rows = tx
        .query(
            sql!(
                "update jobs set state = 'running', attempts = attempts + 1, fence = fence + 1,
                     lease_until = $1, lease_owner = $2
                 where id in (
                     select id from jobs
                     where (state = 'ready' and next_at <= $3) or (state = 'running' and lease_until <= $3)
                     order by next_at limit $4 {skip_locked})
                 returning id, kind, payload, attempts, fence, created_at, trouble_since"
            ),
            params![now.plus_ms(LEASE_MS), owner, now, most],
        )
        .await?;
    tx.commit().await?;
    rows.iter()
        .map(|row| {
            Ok(Claimed {
                id: row.get("id")?,
                kind: row.get("kind")?,
                payload: row.json("payload")?,
                attempts: row.get("attempts")?,
                created_at: row.get("created_at")?,
                trouble_since: row.get("trouble_since")?,
                fence: row.get("fence")?,
            })
        })
        .collect()
}

/// Notes how a claimed job ended, in the caller's transaction. Returns whether this claim was still the valid one.
///
/// # Errors
/// As the store says.
pub async fn finish(tx: &mut Tx, job: &Claimed, end: &End, now: Timestamp) -> Result<bool> {
    let (state, next_at, why) = match end {
        End::Done => ("done", now, None),
        End::Dropped(why) => ("dropped", now, Some(why)),
        End::Again { at, why, .. } => ("ready", *at, Some(why)),
        End::Dead(why) => ("dead", now, Some(why)),
    };
    let done_at = (state != "ready").then_some(now);
    let (is_trouble, only_waits) = match end {
        End::Again { is_trouble, .. } => (*is_trouble, !*is_trouble),
        End::Done | End::Dropped(_) | End::Dead(_) => (false, false),
    };
    let touched = tx
        .execute(
            sql!(
                "update jobs set state = $3, next_at = $4, last_error = $5, done_at = $6,
                     trouble_since = case when $7 = 1 then coalesce(trouble_since, $8) else null end,
                     attempts = case when $9 = 1 then 0 else attempts end,
                     lease_until = null, lease_owner = null
                 where id = $1 and fence = $2 and state = 'running'"
            ),
            params![job.id, job.fence, state, next_at, why, done_at, is_trouble, now, only_waits],
        )
        .await?;
    Ok(touched == 1)
}

/// How many jobs stand in each state, and since when the oldest waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    pub ready: i64,
    pub dead: i64,
}

/// The depth of the queue.
///
/// # Errors
/// As the store says.
pub async fn depth(q: &mut impl Queries) -> Result<Depth> {
    let row = q
        .query_opt(
            sql!(
                "select coalesce(cast(sum(case when state in ('ready', 'running') then 1 else 0 end) as bigint), 0)
                         as ready,
                     coalesce(cast(sum(case when state = 'dead' then 1 else 0 end) as bigint), 0) as dead
                 from jobs where state in ('ready', 'running', 'dead')"
            ),
            params![],
        )
        .await?;
    row.map_or(Ok(Depth { ready: 0, dead: 0 }), |row| {
        Ok(Depth { ready: row.get("ready")?, dead: row.get("dead")? })
    })
}

/// Deletes jobs that ended well before `before`.
///
/// # Errors
/// As the store says.
pub async fn forget_done(db: &Db, before: Timestamp) -> Result<u64> {
    db.execute(sql!("delete from jobs where state in ('done', 'dropped') and done_at < $1"), params![before])
        .await
}

/// Keeps a job in the queue that is never done: puts it in, or back in if it ended. Returns whether it had to.
///
/// # Errors
/// As the store says.
pub async fn keep(
    tx: &mut Tx,
    kind: &str,
    dedupe_key: &str,
    payload: &Json,
    at: Timestamp,
    now: Timestamp,
) -> Result<bool> {
    let touched = tx
        .execute(
            sql!(
                "insert into jobs (id, kind, dedupe_key, payload, state, next_at, created_at)
                 values ($1, $2, $3, $4, 'ready', $5, $6)
                 on conflict (dedupe_key) do update
                 set state = 'ready', next_at = excluded.next_at, attempts = 0, trouble_since = null, done_at = null
                 where jobs.state in ('done', 'dropped', 'dead')"
            ),
            params![JobId::new(), kind, dedupe_key, payload, at, now],
        )
        .await?;
    Ok(touched > 0)
}

/// Makes a waiting job due now.
///
/// # Errors
/// As the store says.
pub async fn hasten(tx: &mut Tx, dedupe_key: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!("update jobs set next_at = $2 where dedupe_key = $1 and state = 'ready' and next_at > $2"),
        params![dedupe_key, now],
    )
    .await?;
    Ok(())
}

/// Whether any job is due, without a write.
///
/// # Errors
/// As the store says.
pub async fn any_due(q: &mut impl Queries, now: Timestamp) -> Result<bool> {
    let row = q
        .query_opt(
            sql!(
                "select 1 as due from jobs
                 where (state = 'ready' and next_at <= $1) or (state = 'running' and lease_until <= $1) limit 1"
            ),
            params![now],
        )
        .await?;
    Ok(row.is_some())
}
