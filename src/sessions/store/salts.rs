//! The table of salts.

use crate::base::signing::random_text;
use crate::storage::Result;
use crate::storage::db::{Db, Queries};
use crate::{params, sql};

/// Random bytes of a salt.
const SALT_BYTES: usize = 24;

/// The salt of a day, if it was drawn.
pub(in crate::sessions) async fn find(db: &Db, day: i64) -> Result<Option<String>> {
    let row = db.read().query_opt(sql!("select salt from salts where day = $1"), params![day]).await?;
    row.map(|row| row.get("salt")).transpose()
}

/// The salt of a day; the first who asks on any node draws it.
pub(in crate::sessions) async fn find_or_draw(db: &Db, day: i64) -> Result<String> {
    if let Some(salt) = find(db, day).await? {
        return Ok(salt);
    }
    let drawn = random_text(SALT_BYTES);
    db.execute(
        sql!("insert into salts (day, salt) values ($1, $2) on conflict (day) do nothing"),
        params![day, drawn.as_str()],
    )
    .await?;
    Ok(find(db, day).await?.unwrap_or(drawn))
}

/// Throws away the salts of days before this one; returns how many these were.
pub(in crate::sessions) async fn forget_before(db: &Db, day: i64) -> Result<u64> {
    db.execute(sql!("delete from salts where day < $1"), params![day]).await
}
