//! Saved views, and the columns of the list.

use crate::base::ids::AccountId;
use crate::base::ids::ViewId;
use crate::base::time::Timestamp;
use crate::contacts::views::View;
use crate::storage::Result;
use crate::storage::db::{Queries, Tx};
use crate::{params, sql};

/// An account's views and those that others share, by name.
///
/// # Errors
/// As the store says.
pub async fn list(q: &mut impl Queries, account: AccountId) -> Result<Vec<View>> {
    let rows = q
        .query(
            sql!(
                "select id, account_id, name, query, is_shared from contact_views
                 where account_id = $1 or is_shared = 1 order by name, id"
            ),
            params![account],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(View {
                id: row.get("id")?,
                account: row.get("account_id")?,
                name: row.get("name")?,
                query: row.get("query")?,
                is_shared: row.get("is_shared")?,
            })
        })
        .collect()
}

pub(in crate::contacts) async fn put(tx: &mut Tx, view: &View, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "insert into contact_views (id, account_id, name, query, is_shared, created_at)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (id) do update set query = excluded.query, is_shared = excluded.is_shared"
        ),
        params![view.id, view.account, &view.name, &view.query, view.is_shared, now],
    )
    .await?;
    Ok(())
}

pub(in crate::contacts) async fn delete(tx: &mut Tx, id: ViewId) -> Result<()> {
    tx.execute(sql!("delete from contact_views where id = $1"), params![id]).await?;
    Ok(())
}

/// The columns that an account chose, with blanks between; nothing if it never did.
///
/// # Errors
/// As the store says.
pub async fn columns(q: &mut impl Queries, account: AccountId) -> Result<Option<String>> {
    let row = q
        .query_opt(sql!("select columns from contact_columns where account_id = $1"), params![account])
        .await?;
    row.map(|row| row.get("columns")).transpose()
}

pub(in crate::contacts) async fn put_columns(tx: &mut Tx, account: AccountId, columns: &str) -> Result<()> {
    tx.execute(
        sql!(
            "insert into contact_columns (account_id, columns) values ($1, $2)
             on conflict (account_id) do update set columns = excluded.columns"
        ),
        params![account, columns],
    )
    .await?;
    Ok(())
}
