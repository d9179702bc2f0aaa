//! The table of hand-overs.

use super::Handover;
use crate::base::ids::{AccountId, ContactId, HandoverId};
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::{Queries, Row, Tx};
use crate::storage::personal::Personal;
use crate::{params, sql};

/// What this table holds about people.
pub const PERSONAL: &[Personal] = &[Personal {
    table: "handovers",
    export: Some(sql!(
        "select role, stage, note, given_at, taken_at from handovers
         where contact_id in (select own_id from contact_ids where contact_id = $1) order by given_at"
    )),
    erase: Some(sql!(
        "delete from handovers where contact_id in (select own_id from contact_ids where contact_id = $1)"
    )),
    because: "",
}];

fn handover_of(row: &Row) -> Result<Handover> {
    Ok(Handover {
        id: row.get("id")?,
        contact: row.get("contact_id")?,
        role: row.get("role")?,
        stage: row.get("stage")?,
        account: row.get("account_id")?,
        from: row.get("from_id")?,
        note: row.get("note")?,
        given_at: row.get("given_at")?,
        due_at: row.get("due_at")?,
        taken_at: row.get("taken_at")?,
        taken_by: row.get("taken_by")?,
        ended_at: row.get("ended_at")?,
    })
}

/// The hand-over of this id.
///
/// # Errors
/// As the store says.
pub async fn find(q: &mut impl Queries, id: HandoverId) -> Result<Option<Handover>> {
    let row = q
        .query_opt(
            sql!(
                "select id, contact_id, role, stage, account_id, from_id, note, given_at, due_at, taken_at, taken_by,
                     ended_at
                 from handovers where id = $1"
            ),
            params![id],
        )
        .await?;
    row.as_ref().map(handover_of).transpose()
}

/// The hand-over of a contact that waits.
///
/// # Errors
/// As the store says.
pub async fn open_of(q: &mut impl Queries, contact: ContactId) -> Result<Option<Handover>> {
    let row = q
        .query_opt(
            sql!(
                "select id, contact_id, role, stage, account_id, from_id, note, given_at, due_at, taken_at, taken_by,
                     ended_at
                 from handovers
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                     and taken_at is null and ended_at is null
                 order by given_at desc limit 1"
            ),
            params![contact],
        )
        .await?;
    row.as_ref().map(handover_of).transpose()
}

/// Returns whether it stands now: not if another of the contact waits already.
pub(super) async fn insert(tx: &mut Tx, new: &Handover) -> Result<bool> {
    let inserted = tx
        .execute(
        sql!(
            "insert into handovers (id, contact_id, role, stage, account_id, from_id, note, given_at, due_at, taken_at,
                 taken_by)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
             on conflict do nothing"
        ),
        params![
            new.id,
            new.contact,
            &new.role,
            &new.stage,
            new.account,
            new.from,
            new.note.as_deref(),
            new.given_at,
            new.due_at,
            new.taken_at,
            new.taken_by
        ],
    )
    .await?;
    Ok(inserted > 0)
}

pub(super) async fn end(tx: &mut Tx, id: HandoverId, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!("update handovers set ended_at = $2 where id = $1 and taken_at is null and ended_at is null"),
        params![id, now],
    )
    .await?;
    Ok(())
}

/// Of two contacts that are one now, only the latest hand-over goes on waiting.
pub(super) async fn end_but_latest(tx: &mut Tx, contact: ContactId, now: Timestamp) -> Result<()> {
    if let Some(latest) = open_of(tx, contact).await? {
        tx.execute(
            sql!(
                "update handovers set ended_at = $3
                 where contact_id in (select own_id from contact_ids where contact_id = $1) and id <> $2
                     and taken_at is null and ended_at is null"
            ),
            params![contact, latest.id, now],
        )
        .await?;
    }
    Ok(())
}

pub(super) async fn set_taken(tx: &mut Tx, id: HandoverId, by: AccountId, now: Timestamp) -> Result<bool> {
    let taken = tx
        .execute(
            sql!(
                "update handovers set taken_at = $2, taken_by = $3
                 where id = $1 and taken_at is null and ended_at is null"
            ),
            params![id, now, by],
        )
        .await?;
    Ok(taken > 0)
}

/// Those that wait and are due, and nobody was told.
pub(super) async fn late(
    q: &mut impl Queries,
    now: Timestamp,
    most: i64,
) -> Result<Vec<(HandoverId, ContactId)>> {
    let rows = q
        .query(
            sql!(
                "select id, contact_id from handovers
                 where taken_at is null and ended_at is null and due_at <= $1 and late_told_at is null
                 order by due_at limit $2"
            ),
            params![now, most],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get("id")?, row.get("contact_id")?))).collect()
}

pub(super) async fn set_late_told(tx: &mut Tx, id: HandoverId, now: Timestamp) -> Result<bool> {
    let told = tx
        .execute(
            sql!("update handovers set late_told_at = $2 where id = $1 and late_told_at is null"),
            params![id, now],
        )
        .await?;
    Ok(told > 0)
}

/// What somebody was given.
pub(super) struct Load {
    pub account: AccountId,
    /// How many since the beginning of the month.
    pub level: i64,
    pub last_given_at: Option<Timestamp>,
}

pub(super) async fn loads(q: &mut impl Queries, role: &str, since: Timestamp) -> Result<Vec<Load>> {
    let rows = q
        .query(
            sql!(
                "select account_id, cast(sum(case when given_at >= $2 then 1 else 0 end) as bigint) as level,
                     max(given_at) as last_given_at
                 from handovers where role = $1 and account_id is not null group by account_id"
            ),
            params![role, since],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Load {
                account: row.get("account_id")?,
                level: row.get("level")?,
                last_given_at: row.get("last_given_at")?,
            })
        })
        .collect()
}
