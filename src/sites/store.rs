//! The table of the websites that were added in the console.

use super::Added;
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::storage::db::{Queries, Row, Tx};
use crate::storage::{Error, Result};
use crate::{params, sql};

pub(super) async fn list(q: &mut impl Queries) -> Result<Vec<Added>> {
    let rows = q
        .query(
            sql!(
                "select key, name, origins, language, time_zone
                 from added_sites
                 order by key"
            ),
            params![],
        )
        .await?;
    rows.iter().map(added_of).collect()
}

fn added_of(row: &Row) -> Result<Added> {
    let language: Language = row.get("language")?;
    Ok(Added {
        key: row.get("key")?,
        name: row.get("name")?,
        origins: row.json("origins")?,
        language,
        time_zone: row.get("time_zone")?,
    })
}

/// Returns whether the key was free.
pub(super) async fn insert(tx: &mut Tx, site: &Added, now: Timestamp) -> Result<bool> {
    let origins = serde_json::to_value(&site.origins).map_err(|error| Error::Engine(error.to_string()))?;
    let rows = tx
        .execute(
            sql!(
                "insert into added_sites (key, name, origins, language, time_zone, added_at)
                 values ($1, $2, $3, $4, $5, $6)
                 on conflict (key) do nothing"
            ),
            params![&site.key, &site.name, origins, site.language, &site.time_zone, now],
        )
        .await?;
    Ok(rows > 0)
}

/// Returns whether there was one.
pub(super) async fn delete(tx: &mut Tx, key: &str) -> Result<bool> {
    let rows = tx.execute(sql!("delete from added_sites where key = $1"), params![key]).await?;
    Ok(rows > 0)
}
