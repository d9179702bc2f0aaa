//! Merges, and who speaks for whom.

use crate::base::ids::{AccountId, CompanyId, ContactId, new_key};
use crate::base::time::Timestamp;
use crate::contacts::merge::{Change, Merge};
use crate::storage::db::{Queries, Row, Tx};
use crate::storage::{Error, Result};
use crate::{params, sql};

/// Who speaks for a contact that was merged; nothing for one that was not.
pub(in crate::contacts) async fn root(q: &mut impl Queries, contact: ContactId) -> Result<Option<ContactId>> {
    let row = q.query_opt(sql!("select merged_into from contacts where id = $1"), params![contact]).await?;
    row.map_or(Ok(None), |row| row.get("merged_into"))
}

/// The row of this very id, whoever speaks for it.
pub(in crate::contacts) async fn own_row(
    q: &mut impl Queries,
    contact: ContactId,
) -> Result<Option<crate::contacts::Contact>> {
    let row = q
        .query_opt(
            sql!(
                "select id, email, first_name, last_name, company_id, language, time_zone, owner_id, stage,
                     stage_since, created_at, last_seen_at
                 from contacts where id = $1"
            ),
            params![contact],
        )
        .await?;
    row.as_ref().map(super::contact_of).transpose()
}

pub(in crate::contacts) async fn set_root(
    tx: &mut Tx,
    contact: ContactId,
    root: Option<ContactId>,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!("update contacts set merged_into = $2, updated_at = $3 where id = $1"),
        params![contact, root, now],
    )
    .await?;
    Ok(())
}

/// The contacts that were merged into exactly this one.
pub(in crate::contacts) async fn children(
    q: &mut impl Queries,
    contact: ContactId,
) -> Result<Vec<ContactId>> {
    let rows = q
        .query(
            sql!("select merged_id from contact_merges where survivor_id = $1 and undone_at is null"),
            params![contact],
        )
        .await?;
    rows.iter().map(|row| row.get("merged_id")).collect()
}

pub(in crate::contacts) async fn insert(
    tx: &mut Tx,
    survivor: ContactId,
    merged: ContactId,
    actor: &str,
    changes: &[Change],
    now: Timestamp,
) -> Result<String> {
    let id = new_key();
    let changes = serde_json::to_value(changes).map_err(|error| Error::Engine(error.to_string()))?;
    tx.execute(
        sql!(
            "insert into contact_merges (id, survivor_id, merged_id, actor, fields, at)
             values ($1, $2, $3, $4, $5, $6)"
        ),
        params![&id, survivor, merged, actor, changes, now],
    )
    .await?;
    Ok(id)
}

/// Writes down anew what a merge changed.
pub(in crate::contacts) async fn set_changes(tx: &mut Tx, id: &str, changes: &[Change]) -> Result<()> {
    let changes = serde_json::to_value(changes).map_err(|error| Error::Engine(error.to_string()))?;
    tx.execute(sql!("update contact_merges set fields = $2 where id = $1"), params![id, changes]).await?;
    Ok(())
}

fn merge_of(row: &Row) -> Result<Merge> {
    Ok(Merge {
        id: row.get("id")?,
        survivor: row.get("survivor_id")?,
        merged: row.get("merged_id")?,
        merged_email: row.get("email")?,
        actor: row.get("actor")?,
        changes: row.json("fields")?,
        at: row.get("at")?,
    })
}

/// The merge that took a contact away and was not undone.
pub(in crate::contacts) async fn open(q: &mut impl Queries, merged: ContactId) -> Result<Option<Merge>> {
    let row = q
        .query_opt(
            sql!(
                "select m.id, m.survivor_id, m.merged_id, c.email, m.actor, m.fields, m.at
                 from contact_merges m join contacts c on c.id = m.merged_id
                 where m.merged_id = $1 and m.undone_at is null"
            ),
            params![merged],
        )
        .await?;
    row.as_ref().map(merge_of).transpose()
}

/// The contact behind another whose own address this is.
pub(in crate::contacts) async fn behind_with_address(
    q: &mut impl Queries,
    email: &crate::base::email::Email,
) -> Result<Option<ContactId>> {
    let row = q
        .query_opt(
            sql!("select id from contacts where email = $1 and merged_into is not null"),
            params![email.as_str()],
        )
        .await?;
    row.map(|row| row.get("id")).transpose()
}

/// The merges that stand behind a contact, the latest first.
pub(in crate::contacts) async fn standing(q: &mut impl Queries, contact: ContactId) -> Result<Vec<Merge>> {
    let rows = q
        .query(
            sql!(
                "select m.id, m.survivor_id, m.merged_id, c.email, m.actor, m.fields, m.at
                 from contact_merges m join contacts c on c.id = m.merged_id
                 where m.survivor_id in (select own_id from contact_ids where contact_id = $1)
                     and m.undone_at is null
                 order by m.at desc, m.id desc"
            ),
            params![contact],
        )
        .await?;
    rows.iter().map(merge_of).collect()
}

pub(in crate::contacts) async fn undo(tx: &mut Tx, id: &str, actor: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!("update contact_merges set undone_at = $2, undone_by = $3 where id = $1 and undone_at is null"),
        params![id, now, actor],
    )
    .await?;
    Ok(())
}

pub(in crate::contacts) async fn drop_field(
    tx: &mut Tx,
    contact: ContactId,
    name: &str,
    status: &str,
) -> Result<()> {
    tx.execute(
        sql!("delete from contact_fields where contact_id = $1 and name = $2 and status = $3"),
        params![contact, name, status],
    )
    .await?;
    Ok(())
}

pub(in crate::contacts) async fn set_company(
    tx: &mut Tx,
    contact: ContactId,
    company: Option<CompanyId>,
) -> Result<()> {
    tx.execute(sql!("update contacts set company_id = $2 where id = $1"), params![contact, company]).await?;
    Ok(())
}

pub(in crate::contacts) async fn set_owner(
    tx: &mut Tx,
    contact: ContactId,
    owner: Option<AccountId>,
) -> Result<()> {
    tx.execute(sql!("update contacts set owner_id = $2 where id = $1"), params![contact, owner]).await?;
    Ok(())
}

/// How much of a contact goes along with a merge.
pub(in crate::contacts) async fn weight(
    q: &mut impl Queries,
    contact: ContactId,
) -> Result<[(&'static str, i64); 4]> {
    let row = q
        .query_opt(
            sql!(
                "select
                     (select count(*) from activities
                          where contact_id in (select own_id from contact_ids where contact_id = $1)) as activities,
                     (select count(*) from visitors
                          where contact_id in (select own_id from contact_ids where contact_id = $1)) as devices,
                     (select count(*) from consents
                          where contact_id in (select own_id from contact_ids where contact_id = $1)) as consents,
                     (select count(*) from conversations
                          where contact_id in (select own_id from contact_ids where contact_id = $1)) as chats"
            ),
            params![contact],
        )
        .await?;
    let row = row.ok_or_else(|| Error::Engine("counts without a row".to_owned()))?;
    Ok([
        ("activities", row.get("activities")?),
        ("devices", row.get("devices")?),
        ("consents", row.get("consents")?),
        ("chats", row.get("chats")?),
    ])
}
