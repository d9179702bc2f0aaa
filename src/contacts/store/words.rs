//! The words by which people are found.

use std::collections::BTreeSet;

use crate::base::ids::ContactId;
use crate::storage::Result;
use crate::storage::db::{Queries, Tx};
use crate::{params, sql};

pub(in crate::contacts) async fn unindexed(q: &mut impl Queries, most: i64) -> Result<Vec<ContactId>> {
    let rows = q
        .query(sql!("select id from contacts where is_indexed = 0 order by id limit $1"), params![most])
        .await?;
    rows.iter().map(|row| row.get("id")).collect()
}

/// Writes down what has changed and nothing else.
pub(in crate::contacts) async fn write(
    tx: &mut Tx,
    contact: ContactId,
    sort_name: &str,
    words: &BTreeSet<String>,
) -> Result<()> {
    let rows =
        tx.query(sql!("select word from contact_words where contact_id = $1"), params![contact]).await?;
    let known: BTreeSet<String> = rows.iter().map(|row| row.get("word")).collect::<Result<_>>()?;
    for gone in known.difference(words) {
        tx.execute(
            sql!("delete from contact_words where contact_id = $1 and word = $2"),
            params![contact, gone],
        )
        .await?;
    }
    for word in words.difference(&known) {
        tx.execute(
            sql!("insert into contact_words (contact_id, word) values ($1, $2) on conflict do nothing"),
            params![contact, word],
        )
        .await?;
    }
    tx.execute(
        sql!("update contacts set sort_name = $2, is_indexed = 1 where id = $1 and (sort_name <> $2 or is_indexed = 0)"),
        params![contact, sort_name],
    )
    .await?;
    Ok(())
}
