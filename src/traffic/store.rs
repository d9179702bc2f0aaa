//! The tables of what people keep of a site's traffic.

use super::{Funnel, Goal, Letters, Share, Wish};
use crate::base::ids::{AccountId, FunnelId, GoalId, ShareId};
use crate::base::time::Timestamp;
use crate::storage::db::{Queries, Row, Tx};
use crate::storage::{Error, Result};
use crate::{params, sql};

/// The goals of a site, by name.
///
/// # Errors
/// As the store says.
pub async fn goals(q: &mut impl Queries, site: &str) -> Result<Vec<Goal>> {
    let rows = q
        .query(
            sql!("select id, name, goal from traffic_goals where site = $1 order by name, id"),
            params![site],
        )
        .await?;
    rows.iter()
        .map(|row| Ok(Goal { id: row.get("id")?, name: row.get("name")?, goal: row.get("goal")? }))
        .collect()
}

pub(super) async fn insert_goal(
    tx: &mut Tx,
    site: &str,
    goal: &Goal,
    by: AccountId,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into traffic_goals (id, site, name, goal, created_at, created_by)
             values ($1, $2, $3, $4, $5, $6)"
        ),
        params![goal.id, site, &goal.name, &goal.goal, now, by],
    )
    .await?;
    Ok(())
}

pub(super) async fn delete_goal(tx: &mut Tx, id: GoalId) -> Result<Option<String>> {
    let gone =
        tx.query_opt(sql!("delete from traffic_goals where id = $1 returning name"), params![id]).await?;
    gone.map(|row| row.get("name")).transpose()
}

fn funnel_of(row: &Row) -> Result<Funnel> {
    let steps: String = row.get("steps")?;
    let steps = serde_json::from_str(&steps)
        .map_err(|_| Error::Shape { column: "steps".to_owned(), wanted: "a list of texts" })?;
    Ok(Funnel {
        id: row.get("id")?,
        site: row.get("site")?,
        name: row.get("name")?,
        steps,
        version: row.get("version")?,
        changed_at: row.get("changed_at")?,
        changed_by: row.get("changed_by")?,
    })
}

/// The funnels of a site, by name.
///
/// # Errors
/// As the store says.
pub async fn funnels(q: &mut impl Queries, site: &str) -> Result<Vec<Funnel>> {
    let rows = q
        .query(
            sql!(
                "select f.id, f.site, f.name, f.steps, f.version, f.changed_at, a.name as changed_by
                 from traffic_funnels f join accounts a on a.id = f.changed_by
                 where f.site = $1
                 order by f.name, f.id"
            ),
            params![site],
        )
        .await?;
    rows.iter().map(funnel_of).collect()
}

/// One funnel.
///
/// # Errors
/// As the store says.
pub async fn funnel(q: &mut impl Queries, id: FunnelId) -> Result<Option<Funnel>> {
    let row = q
        .query_opt(
            sql!(
                "select f.id, f.site, f.name, f.steps, f.version, f.changed_at, a.name as changed_by
                 from traffic_funnels f join accounts a on a.id = f.changed_by
                 where f.id = $1"
            ),
            params![id],
        )
        .await?;
    row.as_ref().map(funnel_of).transpose()
}

pub(super) async fn insert_funnel(
    tx: &mut Tx,
    id: FunnelId,
    site: &str,
    name: &str,
    steps: &[String],
    by: AccountId,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into traffic_funnels (id, site, name, steps, version, changed_at, changed_by)
             values ($1, $2, $3, $4, 1, $5, $6)"
        ),
        params![id, site, name, serde_json::json!(steps), now, by],
    )
    .await?;
    Ok(())
}

pub(super) async fn update_funnel(
    tx: &mut Tx,
    id: FunnelId,
    (was, is): (i64, i64),
    name: &str,
    steps: &[String],
    by: AccountId,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "update traffic_funnels
             set name = $4, steps = $5, version = $3, changed_at = $6, changed_by = $7
             where id = $1 and version = $2"
        ),
        params![id, was, is, name, serde_json::json!(steps), now, by],
    )
    .await?;
    Ok(())
}

pub(super) async fn delete_funnel(tx: &mut Tx, id: FunnelId) -> Result<()> {
    tx.execute(sql!("delete from traffic_funnels where id = $1"), params![id]).await?;
    Ok(())
}

fn share_of(row: &Row) -> Result<Share> {
    Ok(Share {
        id: row.get("id")?,
        site: row.get("site")?,
        name: row.get("name")?,
        nonce: row.get("nonce")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
        revoked_at: row.get("revoked_at")?,
    })
}

/// The links of a site, the latest first.
///
/// # Errors
/// As the store says.
pub async fn shares(q: &mut impl Queries, site: &str) -> Result<Vec<Share>> {
    let rows = q
        .query(
            sql!(
                "select id, site, name, nonce, created_at, expires_at, revoked_at from traffic_shares
                 where site = $1
                 order by created_at desc, id"
            ),
            params![site],
        )
        .await?;
    rows.iter().map(share_of).collect()
}

pub(super) async fn share(q: &mut impl Queries, id: ShareId) -> Result<Option<Share>> {
    let row = q
        .query_opt(
            sql!(
                "select id, site, name, nonce, created_at, expires_at, revoked_at from traffic_shares
                 where id = $1"
            ),
            params![id],
        )
        .await?;
    row.as_ref().map(share_of).transpose()
}

pub(super) async fn insert_share(tx: &mut Tx, share: &Share, by: AccountId) -> Result<()> {
    tx.execute(
        sql!(
            "insert into traffic_shares (id, site, name, nonce, created_at, created_by, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7)"
        ),
        params![share.id, &share.site, &share.name, &share.nonce, share.created_at, by, share.expires_at],
    )
    .await?;
    Ok(())
}

pub(super) async fn revoke_share(tx: &mut Tx, id: ShareId, now: Timestamp) -> Result<Option<String>> {
    let revoked = tx
        .query_opt(
            sql!(
                "update traffic_shares set revoked_at = $2 where id = $1 and revoked_at is null returning name"
            ),
            params![id, now],
        )
        .await?;
    revoked.map(|row| row.get("name")).transpose()
}

fn letters_row(row: &Row) -> Result<Letters> {
    Ok(Letters {
        account: row.get("account_id")?,
        language: row.get("language")?,
        site: row.get("site")?,
        wish: Wish {
            weekly: row.get("weekly")?,
            spikes: row.get("spikes")?,
            factor: row.get("factor")?,
            at_least: row.get("at_least")?,
        },
        week_told: row.get("week_told")?,
        spike_told: row.get("spike_told")?,
    })
}

/// What somebody wants to be told of a site.
///
/// # Errors
/// As the store says.
pub async fn letters_of(q: &mut impl Queries, account: AccountId, site: &str) -> Result<Option<Letters>> {
    let row = q
        .query_opt(
            sql!(
                "select l.account_id, a.language, l.site, l.weekly, l.spikes, l.factor, l.at_least, l.week_told,
                     l.spike_told
                 from traffic_letters l join accounts a on a.id = l.account_id
                 where l.account_id = $1 and l.site = $2"
            ),
            params![account, site],
        )
        .await?;
    row.as_ref().map(letters_row).transpose()
}

/// Everybody who may still enter and wants to be told of something.
///
/// # Errors
/// As the store says.
pub async fn due_letters(q: &mut impl Queries) -> Result<Vec<Letters>> {
    let rows = q
        .query(
            sql!(
                "select l.account_id, a.language, l.site, l.weekly, l.spikes, l.factor, l.at_least, l.week_told,
                     l.spike_told
                 from traffic_letters l join accounts a on a.id = l.account_id
                 where (l.weekly = 1 or l.spikes = 1) and a.disabled_at is null
                 order by l.site, l.account_id"
            ),
            params![],
        )
        .await?;
    rows.iter().map(letters_row).collect()
}

pub(super) async fn put_letters(
    tx: &mut Tx,
    account: AccountId,
    site: &str,
    wish: Wish,
    monday: i64,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into traffic_letters
                 (account_id, site, weekly, spikes, factor, at_least, week_told, spike_told)
             values ($1, $2, $3, $4, $5, $6, $7, 0)
             on conflict (account_id, site) do update
             set weekly = excluded.weekly, spikes = excluded.spikes, factor = excluded.factor,
                 at_least = excluded.at_least,
                 week_told = case when traffic_letters.weekly = 0 then excluded.week_told
                     else traffic_letters.week_told end"
        ),
        params![account, site, wish.weekly, wish.spikes, wish.factor, wish.at_least, monday],
    )
    .await?;
    Ok(())
}

pub(super) async fn told_week(tx: &mut Tx, account: AccountId, site: &str, monday: i64) -> Result<bool> {
    let told = tx
        .execute(
            sql!(
                "update traffic_letters set week_told = $3
                 where account_id = $1 and site = $2 and week_told < $3"
            ),
            params![account, site, monday],
        )
        .await?;
    Ok(told > 0)
}

pub(super) async fn told_spike(tx: &mut Tx, account: AccountId, site: &str, day: i64) -> Result<bool> {
    let told = tx
        .execute(
            sql!(
                "update traffic_letters set spike_told = $3
                 where account_id = $1 and site = $2 and spike_told < $3"
            ),
            params![account, site, day],
        )
        .await?;
    Ok(told > 0)
}
