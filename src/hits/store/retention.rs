//! How long rows are kept, by site. What was counted stays; the rows and the visits that it was counted from go.

use super::NO_DAY;
use crate::base::time::{DAY_MS, Timestamp};
use crate::storage::Result;
use crate::storage::db::{Db, Queries, Tx};
use crate::{params, sql};

/// What is too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Surplus {
    pub hits: i64,
    pub visits: i64,
}

/// What of a site (its word's number) is from before `before`; whole UTC days.
///
/// # Errors
/// As the store says.
pub async fn surplus(db: &Db, site: i64, before: Timestamp) -> Result<Surplus> {
    let hits = db
        .read()
        .query_opt(
            sql!(
                "select count(*) as n from hits
                 where site = $1 and ((day >= 0 and day < $2) or (day = $3 and received_at < $4))"
            ),
            params![site, day_of(before), NO_DAY, before],
        )
        .await?;
    let visits = db
        .read()
        .query_opt(
            sql!("select count(*) as n from visits where site = $1 and started_at < $2"),
            params![site, before],
        )
        .await?;
    Ok(Surplus {
        hits: hits.map_or(Ok(0), |row| row.get("n"))?,
        visits: visits.map_or(Ok(0), |row| row.get("n"))?,
    })
}

/// Deletes what of a site is from before `before`, day by day, each in a transaction of its own, so that nobody waits
/// long. A day that nobody has rows in any more is dropped as a whole where the engine has a table for it.
///
/// # Errors
/// As the store says; what was deleted until then is gone.
pub async fn forget(db: &Db, site: i64, before: Timestamp) -> Result<Surplus> {
    let mut gone = Surplus::default();
    let last = day_of(before);
    let mut day = NO_DAY;
    loop {
        let next = db
            .read()
            .query_opt(sql!("select min(day) as day from hits where day > $1"), params![day])
            .await?
            .map_or(Ok(None), |row| row.get::<Option<i64>>("day"))?;
        day = match next {
            Some(next) if next < last => next,
            _ => break,
        };
        let mut tx = db.begin().await?;
        gone.hits += rows(
            tx.execute(sql!("delete from hits where day = $1 and site = $2"), params![day, site]).await?,
        );
        if is_empty(&mut tx, day).await? {
            tx.drop_partition("hits", day).await?;
        }
        tx.commit().await?;
    }
    gone.hits += rows(
        db.execute(
            sql!("delete from hits where day = $1 and site = $2 and received_at < $3"),
            params![NO_DAY, site, before],
        )
        .await?,
    );
    loop {
        let first = db
            .read()
            .query_opt(
                sql!("select min(started_at) as at from visits where site = $1 and started_at < $2"),
                params![site, before],
            )
            .await?
            .map_or(Ok(None), |row| row.get::<Option<Timestamp>>("at"))?;
        let Some(first) = first else { return Ok(gone) };
        let through = first.plus_ms(DAY_MS).min(before);
        gone.visits += rows(
            db.execute(
                sql!("delete from visits where site = $1 and started_at < $2"),
                params![site, through],
            )
            .await?,
        );
    }
}

async fn is_empty(tx: &mut Tx, day: i64) -> Result<bool> {
    Ok(tx.query_opt(sql!("select 1 as one from hits where day = $1 limit 1"), params![day]).await?.is_none())
}

fn day_of(at: Timestamp) -> i64 {
    at.as_ms().div_euclid(DAY_MS)
}

fn rows(touched: u64) -> i64 {
    i64::try_from(touched).unwrap_or(i64::MAX)
}
