//! Who belongs to which segment, since when, and when to ask again.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::{Queries, Tx};
use crate::storage::personal::Personal;
use crate::{params, sql};

/// What these tables hold about people.
pub const PERSONAL: &[Personal] = &[Personal {
    table: "segment_states",
    export: Some(sql!(
        "select segment, since from segment_states
             where is_member = 1 and contact_id in (select own_id from contact_ids where contact_id = $1)"
    )),
    erase: Some(sql!(
        "delete from segment_states where contact_id in (select own_id from contact_ids where contact_id = $1)"
    )),
    because: "",
}];

/// What a segment says of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    pub is_member: bool,
    pub since: Timestamp,
    pub due_at: Option<Timestamp>,
}

/// Somebody who belongs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Who.
    pub contact: ContactId,
    /// Her address.
    pub email: String,
    /// Since when she belongs, as far as was looked.
    pub since: Timestamp,
}

/// How far everybody has been asked about a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fill {
    /// The segment.
    pub segment: String,
    /// The condition's hash.
    pub hash: String,
    /// The last contact that was asked about.
    pub after: String,
    /// Everybody was.
    pub is_done: bool,
}

/// Whether a contact belongs to a segment.
///
/// # Errors
/// As the store says.
pub async fn is_member(q: &mut impl Queries, contact: ContactId, segment: &str) -> Result<bool> {
    let row = q
        .query_opt(
            sql!("select since from segment_states where segment = $1 and contact_id = $2 and is_member = 1"),
            params![segment, contact],
        )
        .await?;
    Ok(row.is_some())
}

/// The segments that a contact belongs to, by name.
///
/// # Errors
/// As the store says.
pub async fn of_contact(q: &mut impl Queries, contact: ContactId) -> Result<Vec<String>> {
    let rows = q
        .query(
            sql!(
                "select segment from segment_states where contact_id = $1 and is_member = 1 order by segment"
            ),
            params![contact],
        )
        .await?;
    rows.iter().map(|row| row.get("segment")).collect()
}

/// Who belongs to a segment, the latest to come first.
///
/// # Errors
/// As the store says.
pub async fn members(q: &mut impl Queries, segment: &str, from: i64, most: i64) -> Result<Vec<Member>> {
    let rows = q
        .query(
            sql!(
                "select s.contact_id, c.email, s.since from segment_states s
                 join contacts c on c.id = s.contact_id
                 where s.segment = $1 and s.is_member = 1
                 order by s.since desc, s.contact_id desc limit $2 offset $3"
            ),
            params![segment, most, from],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Member { contact: row.get("contact_id")?, email: row.get("email")?, since: row.get("since")? })
        })
        .collect()
}

/// How many belong to each segment that anybody belongs to.
///
/// # Errors
/// As the store says.
pub async fn members_count(q: &mut impl Queries) -> Result<BTreeMap<String, i64>> {
    let rows = q
        .query(
            sql!("select segment, count(*) as n from segment_states where is_member = 1 group by segment"),
            params![],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get("segment")?, row.get("n")?))).collect()
}

/// How a segment stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// How many belong.
    pub members: i64,
    /// When the latest of them came.
    pub came_at: Option<Timestamp>,
    /// When time alone may change somebody's answer next.
    pub due_at: Option<Timestamp>,
}

/// How each segment stands that anybody belongs to, or will be looked at for.
///
/// # Errors
/// As the store says.
pub async fn standings(q: &mut impl Queries) -> Result<BTreeMap<String, Standing>> {
    let rows = q
        .query(
            sql!(
                "select segment, cast(sum(is_member) as bigint) as n, max(case when is_member = 1 then since end) as came_at,
                     min(due_at) as due_at
                 from segment_states group by segment"
            ),
            params![],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let standing =
                Standing { members: row.get("n")?, came_at: row.get("came_at")?, due_at: row.get("due_at")? };
            Ok((row.get("segment")?, standing))
        })
        .collect()
}

/// How many came to belong to a segment, and how many do no more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Came {
    /// They came.
    pub came: i64,
    /// They went.
    pub went: i64,
}

/// Who came and went since a moment, by segment; of very many changes the latest `most`.
///
/// # Errors
/// As the store says.
pub async fn changes_since(
    q: &mut impl Queries,
    since: Timestamp,
    most: i64,
) -> Result<BTreeMap<String, Came>> {
    let rows = q
        .query(
            sql!(
                "select kind, payload from events
                 where kind in ('segment_entered', 'segment_left') and at >= $1
                 order by at desc limit $2"
            ),
            params![since, most],
        )
        .await?;
    let mut changes: BTreeMap<String, Came> = BTreeMap::new();
    for row in &rows {
        let payload: Option<serde_json::Value> = serde_json::from_str(&row.get::<String>("payload")?).ok();
        let segment = payload.as_ref().and_then(|payload| payload.get("segment")?.as_str());
        let Some(segment) = segment else { continue };
        let change = changes.entry(segment.to_owned()).or_default();
        if row.get::<String>("kind")? == "segment_entered" {
            change.came += 1;
        } else {
            change.went += 1;
        }
    }
    Ok(changes)
}

pub(super) async fn states(q: &mut impl Queries, contact: ContactId) -> Result<BTreeMap<String, State>> {
    let rows = q
        .query(
            sql!("select segment, is_member, since, due_at from segment_states where contact_id = $1"),
            params![contact],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let is_member = row.get::<i64>("is_member")? == 1;
            Ok((
                row.get("segment")?,
                State { is_member, since: row.get("since")?, due_at: row.get("due_at")? },
            ))
        })
        .collect()
}

pub(super) async fn put(
    tx: &mut Tx,
    segment: &str,
    contact: ContactId,
    is_member: bool,
    since: Timestamp,
    due_at: Option<Timestamp>,
) -> Result<()> {
    if !is_member && due_at.is_none() {
        tx.execute(
            sql!("delete from segment_states where segment = $1 and contact_id = $2"),
            params![segment, contact],
        )
        .await?;
        return Ok(());
    }
    tx.execute(
        sql!(
            "insert into segment_states (segment, contact_id, is_member, since, due_at)
             values ($1, $2, $3, $4, $5)
             on conflict (segment, contact_id) do update set
                 is_member = excluded.is_member, since = excluded.since, due_at = excluded.due_at"
        ),
        params![segment, contact, i64::from(is_member), since, due_at],
    )
    .await?;
    Ok(())
}

/// Those whose moment has come, the longest waiting first.
pub(super) async fn due(q: &mut impl Queries, now: Timestamp, most: i64) -> Result<Vec<ContactId>> {
    let rows = q
        .query(
            sql!("select contact_id from segment_states where due_at <= $1 order by due_at limit $2"),
            params![now, most],
        )
        .await?;
    rows.iter().map(|row| row.get("contact_id")).collect()
}

/// Lets go of all that segments say of somebody.
pub(super) async fn forget_contact(tx: &mut Tx, contact: ContactId) -> Result<()> {
    tx.execute(sql!("delete from segment_states where contact_id = $1"), params![contact]).await?;
    Ok(())
}

/// How far everybody has been asked, by segment.
///
/// # Errors
/// As the store says.
pub(super) async fn fills(q: &mut impl Queries) -> Result<Vec<Fill>> {
    let rows = q
        .query(
            sql!("select segment, hash, after_contact, is_done from segment_fills order by segment"),
            params![],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Fill {
                segment: row.get("segment")?,
                hash: row.get("hash")?,
                after: row.get("after_contact")?,
                is_done: row.get::<i64>("is_done")? == 1,
            })
        })
        .collect()
}

/// How far everybody has been asked about one segment.
///
/// # Errors
/// As the store says.
pub async fn fill_of(q: &mut impl Queries, segment: &str) -> Result<Option<Fill>> {
    Ok(fills(q).await?.into_iter().find(|fill| fill.segment == segment))
}

/// Begins to ask about everybody if the condition is another than the one that was asked last.
pub(super) async fn begin_fill(tx: &mut Tx, segment: &str, hash: &str) -> Result<()> {
    tx.execute(
        sql!(
            "insert into segment_fills (segment, hash, after_contact, is_done) values ($1, $2, '', 0)
             on conflict (segment) do update set hash = excluded.hash, after_contact = '', is_done = 0
             where segment_fills.hash <> excluded.hash"
        ),
        params![segment, hash],
    )
    .await?;
    Ok(())
}

/// Notes the last contact that was asked about; nothing if there were no more.
pub(super) async fn filled_to(tx: &mut Tx, segment: &str, reached: Option<&str>) -> Result<()> {
    match reached {
        Some(reached) => {
            tx.execute(
                sql!("update segment_fills set after_contact = $2 where segment = $1"),
                params![segment, reached],
            )
            .await?
        }
        None => {
            tx.execute(sql!("update segment_fills set is_done = 1 where segment = $1"), params![segment])
                .await?
        }
    };
    Ok(())
}

/// Lets go of a segment that is no more.
pub(super) async fn forget(tx: &mut Tx, segment: &str) -> Result<()> {
    tx.execute(sql!("delete from segment_states where segment = $1"), params![segment]).await?;
    tx.execute(sql!("delete from segment_fills where segment = $1"), params![segment]).await?;
    Ok(())
}

pub(super) async fn contacts_after(q: &mut impl Queries, after: &str, most: i64) -> Result<Vec<ContactId>> {
    let rows = q
        .query(
            sql!("select id from contacts where id > $1 and merged_into is null order by id limit $2"),
            params![after, most],
        )
        .await?;
    rows.iter().map(|row| row.get("id")).collect()
}
