//! The table of facts, and of which of them still wait for their consequences.

use super::{Event, Recorded};
use crate::base::ids::EventId;
use crate::base::time::Timestamp;
use crate::storage::db::{Queries, Tx};
use crate::storage::personal::Personal;
use crate::storage::{Error, Result};
use crate::{params, sql};

/// What these tables hold about people.
pub const PERSONAL: &[Personal] = &[Personal {
    table: "events",
    export: None,
    erase: Some(sql!(
        "delete from events where contact_id in (select own_id from contact_ids where contact_id = $1)"
    )),
    because: "facts with ids alone, each of which is exported where it was made",
}];

pub(super) async fn append(tx: &mut Tx, event: &Event, now: Timestamp) -> Result<EventId> {
    let id = EventId::new();
    let payload = serde_json::to_value(event).map_err(|error| Error::Engine(error.to_string()))?;
    tx.execute(
        sql!("insert into events (id, kind, contact_id, payload, at) values ($1, $2, $3, $4, $5)"),
        params![id, event.kind(), event.contact(), payload, now],
    )
    .await?;
    tx.ring();
    Ok(id)
}

/// The oldest facts without consequences, locked for this transaction; other nodes pass over them.
///
/// # Errors
/// As the store says.
pub async fn waiting(tx: &mut Tx, most: i64) -> Result<Vec<Recorded>> {
    let rows = tx
        .query(
            sql!(
                "select id, payload, at from events
                 where dispatched_at is null
                 order by id limit $1 {skip_locked}"
            ),
            params![most],
        )
        .await?;
    rows.iter()
        .map(|row| Ok(Recorded { id: row.get("id")?, event: row.json("payload")?, at: row.get("at")? }))
        .collect()
}

/// Notes that the consequences of a fact stand in the queue.
///
/// # Errors
/// As the store says.
pub async fn mark_dispatched(tx: &mut Tx, id: EventId, now: Timestamp) -> Result<()> {
    tx.execute(sql!("update events set dispatched_at = $2 where id = $1"), params![id, now]).await?;
    Ok(())
}

/// Lets a fact be told once more: its consequences are planned anew, and those that stand in the queue are not doubled.
///
/// # Errors
/// As the store says.
pub async fn tell_again(tx: &mut Tx, id: EventId) -> Result<()> {
    tx.execute(sql!("update events set dispatched_at = null where id = $1"), params![id]).await?;
    tx.ring();
    Ok(())
}

/// Whether any fact waits, without a write.
///
/// # Errors
/// As the store says.
pub async fn any_waiting(q: &mut impl Queries) -> Result<bool> {
    let row = q
        .query_opt(sql!("select 1 as waiting from events where dispatched_at is null limit 1"), params![])
        .await?;
    Ok(row.is_some())
}
