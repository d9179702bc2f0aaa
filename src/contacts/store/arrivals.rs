//! When contacts were on a site, and when somebody was told of it.

use crate::base::ids::ContactId;
use crate::base::time::{MINUTE_MS, Timestamp};
use crate::storage::Result;
use crate::storage::db::{Queries, Tx};
use crate::{params, sql};

/// What is newer is not written again.
const FINE_MS: i64 = MINUTE_MS;

/// Notes that a contact looks at a page; whether she has come anew: she was not there for `away_ms`.
///
/// # Errors
/// As the store says.
pub async fn note_arrival(tx: &mut Tx, contact: ContactId, at: Timestamp, away_ms: i64) -> Result<bool> {
    let row = tx.query_opt(sql!("select at from arrivals where contact_id = $1"), params![contact]).await?;
    let before: Option<Timestamp> = row.map(|row| row.get("at")).transpose()?;
    let is_new = before.is_none_or(|before| at.since_ms(before) >= away_ms);
    if is_new || before.is_none_or(|before| at.since_ms(before) >= FINE_MS) {
        tx.execute(
            sql!(
                "insert into arrivals (contact_id, at) values ($1, $2)
                 on conflict (contact_id) do update set at = excluded.at"
            ),
            params![contact, at],
        )
        .await?;
    }
    Ok(is_new)
}

/// Whether somebody may be told that a contact is there: nobody was within `every_ms`. Then that is noted.
///
/// # Errors
/// As the store says.
pub async fn may_tell_of(tx: &mut Tx, contact: ContactId, every_ms: i64, at: Timestamp) -> Result<bool> {
    let changed = tx
        .execute(
            sql!(
                "update arrivals set told_at = $2
                 where contact_id = $1 and (told_at is null or told_at <= $3)"
            ),
            params![contact, at, at.plus_ms(-every_ms)],
        )
        .await?;
    Ok(changed > 0)
}
