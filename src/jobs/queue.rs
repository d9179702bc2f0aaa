//! The durable queue: claimed under a lease, acknowledged under a fence, tried again with growing pauses.
//!
//! A job that is claimed twice (its worker was slow and the lease ran out) can be acknowledged only by the later claim.
//! Every job has a target; claims are made for one target after the other, so that a long row before one door keeps nobody
//! from another.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::base::ids::{EventId, JobId};
use crate::base::time::{MINUTE_MS, Timestamp};
use crate::events::outbox;
use crate::storage::Result;
use crate::storage::db::{Db, Queries, Tx};
use crate::storage::personal::Personal;
use crate::subscriptions::suppression::Reason as Blocked;
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
    Personal { table: "ended_jobs", export: None, erase: None, because: "numbers of jobs, of nobody" },
    Personal { table: "ended_jobs_since", export: None, erase: None, because: "one moment, of nobody" },
];

/// Longer than any job may take.
pub(super) const LEASE_MS: i64 = MINUTE_MS;

/// By how long a time jobs that are not kept any more are counted.
const QUARTER_MS: i64 = 15 * MINUTE_MS;

/// How far the clocks of two nodes may be apart.
const SKEW_MS: i64 = MINUTE_MS;

/// A job that this worker may do now.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    pub id: JobId,
    pub kind: String,
    /// Whom it goes to: `mail`, `console`, `hook:NAME`, `webhook:NAME`, `calendar:ID`, `crm:NAME`, `push:ID`.
    pub target: String,
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
    Dropped(Reason),
    /// Try again later: because something failed, or because its time has not come.
    Again { at: Timestamp, reason: Reason, is_trouble: bool },
    /// It will never work; a person must look.
    Dead(Reason),
}

/// Why a job is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// A word that stays: `console.outbox.reason.*` says it in every language.
    pub code: &'static str,
    /// What the other side said, or a sentence.
    pub said: String,
}

/// Whom work goes to, by what is written in it: its channel, and the name of whoever stands behind it.
fn target_of(payload: &Json) -> String {
    let text = |name: &str| payload.get(name).and_then(Json::as_str);
    match (text("by").unwrap_or_default(), text("hook")) {
        ("alert" | "digest", _) => "mail".to_owned(),
        ("read_calendar" | "write_call", _) => match text("calendar") {
            Some(calendar) => format!("calendar:{calendar}"),
            None => "calendar".to_owned(),
        },
        ("crm", _) => format!("crm:{}", text("crm").unwrap_or_default()),
        // One at a time for each browser: a push service that hangs keeps no other waiting.
        ("push", _) => match text("device") {
            Some(device) => format!("push:{device}"),
            None => "push".to_owned(),
        },
        (by, Some(name)) => format!("{by}:{name}"),
        (by, None) => by.to_owned(),
    }
}

/// Puts a job into the queue, in the caller's transaction, and wakes the workers when that is committed. A second one with
/// the same key is not added.
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
            "insert into jobs (id, kind, dedupe_key, payload, state, next_at, created_at, target)
             values ($1, $2, $3, $4, 'ready', $5, $6, $7) on conflict (dedupe_key) do nothing"
        ),
        params![JobId::new(), kind, dedupe_key, payload, at, now, target_of(payload)],
    )
    .await?;
    tx.ring();
    Ok(())
}

/// Puts what can never be done before a person's eyes: a dead job with its reason.
///
/// # Errors
/// As the store says.
pub async fn bury(tx: &mut Tx, dedupe_key: &str, payload: &Json, why: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "insert into jobs (id, kind, dedupe_key, payload, state, next_at, last_error, last_code, created_at,
                 done_at)
             values ($1, 'dispatch', $2, $3, 'dead', $4, $5, 'unplanned', $4, $4) on conflict (dedupe_key) do nothing"
        ),
        params![JobId::new(), dedupe_key, payload, now, why],
    )
    .await?;
    Ok(())
}

/// The targets for which something is due, without a write. One look into the index for each target, however many jobs
/// wait for it.
///
/// # Errors
/// As the store says.
pub async fn due_targets(q: &mut impl Queries, now: Timestamp) -> Result<Vec<String>> {
    let rows = q
        .query(
            sql!(
                "with recursive known (target) as (
                     select min(target) from jobs where state in ('ready', 'running')
                     union all
                     select (select min(j.target) from jobs j
                             where j.state in ('ready', 'running') and j.target > known.target)
                     from known where known.target is not null)
                 select target from known
                 where target is not null and exists (
                     select 1 from jobs j
                     where j.target = known.target and j.state in ('ready', 'running')
                         and j.next_at <= $1 and (j.state = 'ready' or j.lease_until <= $1))"
            ),
            params![now],
        )
        .await?;
    rows.iter().map(|row| row.get("target")).collect()
}

/// Claims jobs that are due, of each of these targets up to so many, the longest waiting first.
///
/// # Errors
/// As the store says.
pub async fn claim(db: &Db, owner: &str, wanted: &[(String, i64)], now: Timestamp) -> Result<Vec<Claimed>> {
    let mut claimed = Vec::new();
    let mut tx = db.begin().await?;
    for (target, most) in wanted {
        let rows = tx
            .query(
                sql!(
                    "update jobs set state = 'running', attempts = attempts + 1, fence = fence + 1,
                         lease_until = $1, lease_owner = $2
                     where id in (
                         select id from jobs
                         where target = $5 and state in ('ready', 'running')
                             and next_at <= $3 and (state = 'ready' or lease_until <= $3)
                         order by next_at limit $4 {skip_locked})
                     returning id, kind, target, payload, attempts, fence, created_at, trouble_since"
                ),
                params![now.plus_ms(LEASE_MS), owner, now, *most, target.as_str()],
            )
            .await?;
        for row in &rows {
            claimed.push(Claimed {
                id: row.get("id")?,
                kind: row.get("kind")?,
                target: row.get("target")?,
                payload: row.json("payload")?,
                attempts: row.get("attempts")?,
                created_at: row.get("created_at")?,
                trouble_since: row.get("trouble_since")?,
                fence: row.get("fence")?,
            });
        }
    }
    tx.commit().await?;
    Ok(claimed)
}

/// Holds on to a claimed job that is still being worked on; returns until when. Without effect if somebody else has it.
///
/// # Errors
/// As the store says.
pub async fn renew(db: &Db, job: &Claimed, now: Timestamp) -> Result<Timestamp> {
    let until = now.plus_ms(LEASE_MS);
    db.execute(
        sql!("update jobs set lease_until = $3 where id = $1 and fence = $2 and state = 'running'"),
        params![job.id, job.fence, until],
    )
    .await?;
    Ok(until)
}

/// What was put off after a failure waits this much less: the clock by which it was put off was ahead. What was planned for
/// a time of its own (a reminder) stays where it is.
///
/// # Errors
/// As the store says.
pub async fn bring_forward(db: &Db, by_ms: i64) -> Result<u64> {
    db.execute(
        sql!("update jobs set next_at = next_at - $1 where state = 'ready' and last_error is not null"),
        params![by_ms],
    )
    .await
}

/// A claim that ends later than it can, by this clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strange {
    pub id: JobId,
    pub until: Timestamp,
}

/// The claims that end farther ahead than a claim lasts: of somebody whose clock is ahead, or of a process that died before
/// the clock was put back.
///
/// # Errors
/// As the store says.
pub async fn strange(q: &mut impl Queries, now: Timestamp) -> Result<Vec<Strange>> {
    let rows = q
        .query(
            sql!(
                "select id, lease_until from jobs
                 where state = 'running' and lease_until > $1
                 order by id"
            ),
            params![now.plus_ms(LEASE_MS + SKEW_MS)],
        )
        .await?;
    rows.iter().map(|row| Ok(Strange { id: row.get("id")?, until: row.get("lease_until")? })).collect()
}

/// Takes such a claim from whoever has it, if she has not held on to it since; returns whether it was taken.
///
/// # Errors
/// As the store says.
pub async fn set_free(db: &Db, claim: &Strange, now: Timestamp) -> Result<bool> {
    let touched = db
        .execute(
            sql!(
                "update jobs set state = 'ready', fence = fence + 1, lease_until = null, lease_owner = null,
                     next_at = case when next_at > $3 then $3 else next_at end
                 where id = $1 and lease_until = $2 and state = 'running'"
            ),
            params![claim.id, claim.until, now],
        )
        .await?;
    Ok(touched == 1)
}

/// What failed later than it is now did so before the clock was put back: it is tried again now, and its patience begins
/// now.
///
/// # Errors
/// As the store says.
pub async fn forgive_the_future(db: &Db, now: Timestamp) -> Result<u64> {
    db.execute(
        sql!(
            "update jobs set trouble_since = $1, next_at = case when next_at > $1 then $1 else next_at end
             where state = 'ready' and trouble_since > $2"
        ),
        params![now, now.plus_ms(SKEW_MS)],
    )
    .await
}

/// Notes how a claimed job ended, in the caller's transaction. Returns whether this claim was still the valid one.
///
/// # Errors
/// As the store says.
pub async fn finish(tx: &mut Tx, job: &Claimed, end: &End, now: Timestamp) -> Result<bool> {
    let (state, next_at, reason) = match end {
        End::Done => ("done", now, None),
        End::Dropped(reason) => ("dropped", now, Some(reason)),
        End::Again { at, reason, .. } => ("ready", *at, Some(reason)),
        End::Dead(reason) => ("dead", now, Some(reason)),
    };
    let (said, code) = (reason.map(|reason| reason.said.as_str()), reason.map(|reason| reason.code));
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
                     lease_until = null, lease_owner = null, last_code = $10
                 where id = $1 and fence = $2 and state = 'running'"
            ),
            params![job.id, job.fence, state, next_at, said, done_at, is_trouble, now, only_waits, code],
        )
        .await?;
    Ok(touched == 1)
}

/// How it stands with one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depth {
    /// The first word of the target.
    pub channel: String,
    /// Jobs that are due or being worked on.
    pub due: i64,
    /// Jobs whose time has not come.
    pub later: i64,
    pub dead: i64,
    /// Since when the one that is due for the longest waits.
    pub oldest_due: Option<Timestamp>,
}

/// The depth of the queue, channel by channel.
///
/// # Errors
/// As the store says.
pub async fn depth(q: &mut impl Queries, now: Timestamp) -> Result<Vec<Depth>> {
    let rows = q
        .query(
            sql!(
                "select target,
                     cast(sum(case when state <> 'dead' and next_at <= $1 then 1 else 0 end) as bigint) as due,
                     cast(sum(case when state <> 'dead' and next_at > $1 then 1 else 0 end) as bigint) as later,
                     cast(sum(case when state = 'dead' then 1 else 0 end) as bigint) as dead,
                     min(case when state <> 'dead' and next_at <= $1 then next_at end) as oldest_due
                 from jobs where state in ('ready', 'running', 'dead') group by target order by target"
            ),
            params![now],
        )
        .await?;
    let mut channels: Vec<Depth> = Vec::new();
    for row in &rows {
        let target: String = row.get("target")?;
        let channel = channel_of(&target).to_owned();
        let (due, later, dead) = (row.get("due")?, row.get("later")?, row.get("dead")?);
        let oldest_due = row.get("oldest_due")?;
        match channels.iter_mut().find(|known| known.channel == channel) {
            Some(known) => {
                known.due += due;
                known.later += later;
                known.dead += dead;
                known.oldest_due = [known.oldest_due, oldest_due].into_iter().flatten().min();
            }
            None => channels.push(Depth { channel, due, later, dead, oldest_due }),
        }
    }
    Ok(channels)
}

/// The channel of a target: `webhook` of `webhook:crm`. Of rows without one, `other`.
pub fn channel_of(target: &str) -> &str {
    match target.split(':').next().unwrap_or_default() {
        "" => "other",
        channel => channel,
    }
}

/// Which dead jobs are tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    One(JobId),
    /// All that died at or after a moment, of one target or of all.
    Since {
        from: Timestamp,
        target: Option<String>,
    },
}

/// Tries dead jobs again, from now on and as if for the first time; returns how many. A fact whose messages could not be
/// planned is planned anew.
///
/// # Errors
/// As the store says.
pub async fn replay(tx: &mut Tx, which: &Which, now: Timestamp) -> Result<u64> {
    let (id, from, target) = match which {
        Which::One(id) => (Some(*id), Timestamp::default(), None),
        Which::Since { from, target } => (None, *from, target.as_deref()),
    };
    let unplanned = tx
        .query(
            sql!(
                "delete from jobs
                 where state = 'dead' and kind = 'dispatch' and done_at >= $2
                     and (cast($1 as text) is null or id = $1) and (cast($3 as text) is null or target = $3)
                 returning payload"
            ),
            params![id, from, target],
        )
        .await?;
    let mut replayed = 0;
    for row in &unplanned {
        let payload: Json = row.json("payload")?;
        let event = payload.get("event").and_then(Json::as_str).and_then(|id| EventId::parse(id).ok());
        if let Some(event) = event {
            outbox::tell_again(tx, event).await?;
            replayed += 1;
        }
    }
    replayed += tx
        .execute(
            sql!(
                "update jobs set state = 'ready', next_at = $4, attempts = 0, trouble_since = null, done_at = null,
                     fence = fence + 1
                 where state = 'dead' and done_at >= $2
                     and (cast($1 as text) is null or id = $1) and (cast($3 as text) is null or target = $3)"
            ),
            params![id, from, target, now],
        )
        .await?;
    tx.ring();
    Ok(replayed)
}

/// A mail that did not go out, and what its job says.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub id: JobId,
    pub payload: Json,
}

/// The mails about calls that are not over which were given up, or let be because nothing goes to their address.
///
/// # Errors
/// As the store says.
pub async fn kept(q: &mut impl Queries, now: Timestamp) -> Result<Vec<Kept>> {
    let [hard, soft, manual] =
        [Blocked::HardBounce, Blocked::SoftBounces, Blocked::Manual].map(Blocked::word);
    let rows = q
        .query(
            sql!(
                "select id, payload from jobs
                 where target = 'mail' and kind = 'notify'
                     and (state = 'dead' or (state = 'dropped' and last_code in ($2, $3, $4)))
                     and exists (select 1 from bookings b
                         where b.ends_at > $1 and jobs.payload like '%' || b.id || '%')
                 order by id"
            ),
            params![now, hard, soft, manual],
        )
        .await?;
    rows.iter().map(|row| Ok(Kept { id: row.get("id")?, payload: row.json("payload")? })).collect()
}

/// Sends such a mail now, as if for the first time. Returns whether it still lay there.
///
/// # Errors
/// As the store says.
pub async fn take_up(tx: &mut Tx, id: JobId, now: Timestamp) -> Result<bool> {
    let touched = tx
        .execute(
            sql!(
                "update jobs set state = 'ready', next_at = $2, attempts = 0, trouble_since = null, done_at = null,
                     fence = fence + 1
                 where id = $1 and state in ('dead', 'dropped')"
            ),
            params![id, now],
        )
        .await?;
    tx.ring();
    Ok(touched == 1)
}

/// Deletes jobs that ended well before `before`. Those that were done go on counting, by the quarter of an hour in which
/// they were: what was given up stays, and its share would grow with every day otherwise.
///
/// # Errors
/// As the store says.
pub async fn forget_done(db: &Db, before: Timestamp) -> Result<u64> {
    let mut tx = db.begin().await?;
    let gone = tx
        .query(
            sql!(
                "delete from jobs where state in ('done', 'dropped') and done_at < $1
                 returning case when state = 'done' then done_at end as at"
            ),
            params![before],
        )
        .await?;
    let mut quarters: BTreeMap<i64, i64> = BTreeMap::new();
    for row in &gone {
        if let Some(at) = row.get::<Option<Timestamp>>("at")? {
            *quarters.entry(at.as_ms() - at.as_ms().rem_euclid(QUARTER_MS)).or_default() += 1;
        }
    }
    for (at, done) in quarters {
        tx.execute(
            sql!(
                "insert into ended_jobs (at, done) values ($1, $2)
                 on conflict (at) do update set done = ended_jobs.done + excluded.done"
            ),
            params![at, done],
        )
        .await?;
    }
    tx.commit().await?;
    Ok(u64::try_from(gone.len()).unwrap_or(u64::MAX))
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
                "insert into jobs (id, kind, dedupe_key, payload, state, next_at, created_at, target)
                 values ($1, $2, $3, $4, 'ready', $5, $6, $7)
                 on conflict (dedupe_key) do update
                 set state = 'ready', next_at = excluded.next_at, attempts = 0, trouble_since = null, done_at = null
                 where jobs.state in ('done', 'dropped', 'dead')"
            ),
            params![JobId::new(), kind, dedupe_key, payload, at, now, target_of(payload)],
        )
        .await?;
    tx.ring();
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
    tx.ring();
    Ok(())
}
