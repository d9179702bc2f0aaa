//! The tables that the projection keeps: its cursor, and what people did.

use crate::hits::Line;
use crate::storage::Result;
use crate::storage::db::{Queries, Tx};
use crate::{params, sql};

pub(super) async fn cursor(q: &mut impl Queries, name: &str) -> Result<i64> {
    let row =
        q.query_opt(sql!("select position from projection_cursors where name = $1"), params![name]).await?;
    row.map_or(Ok(0), |row| row.get("position"))
}

pub(super) async fn move_cursor(tx: &mut Tx, name: &str, position: i64) -> Result<()> {
    tx.execute(
        sql!(
            "insert into projection_cursors (name, position) values ($1, $2)
             on conflict (name) do update set position = excluded.position"
        ),
        params![name, position],
    )
    .await?;
    Ok(())
}

/// The hit's own id is the activity's, so that a second projection of it would be refused.
pub(super) async fn insert_activity(tx: &mut Tx, line: &Line, name: &str, path: &str) -> Result<()> {
    tx.execute(
        sql!(
            "insert into activities (id, contact_id, visitor_id, kind, subject, props, at)
             values ($1, null, $2, $3, $4, $5, $6) on conflict (id) do nothing"
        ),
        params![line.id, line.visitor, name, path, line.props.as_deref().unwrap_or("{}"), line.at],
    )
    .await?;
    Ok(())
}
