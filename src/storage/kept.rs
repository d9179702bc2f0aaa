//! Texts that are kept under a name: one each, the latest.

use super::Result;
use super::db::{Queries, Tx};
use crate::base::signing::sha256_hex;
use crate::base::time::Timestamp;
use crate::{params, sql};

/// A text and since when it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The text.
    pub body: String,
    /// When it was put there.
    pub at: Timestamp,
}

/// Keeps a text in the place of the one before; the same text stays what it is, with its time.
///
/// # Errors
/// As the store says.
pub async fn put(tx: &mut Tx, name: &str, body: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "insert into kept_texts (name, hash, body, kept_at)
             values ($1, $2, $3, $4)
             on conflict (name) do update
             set hash = excluded.hash, body = excluded.body, kept_at = excluded.kept_at
             where kept_texts.hash <> excluded.hash"
        ),
        params![name, sha256_hex(body), body, now],
    )
    .await?;
    Ok(())
}

/// The text that is kept under a name.
///
/// # Errors
/// As the store says.
pub async fn get(q: &mut impl Queries, name: &str) -> Result<Option<Kept>> {
    let text = sql!(
        "select body, kept_at
         from kept_texts
         where name = $1"
    );
    let row = q.query_opt(text, params![name]).await?;
    row.map(|row| Ok(Kept { body: row.get("body")?, at: row.get("kept_at")? })).transpose()
}
