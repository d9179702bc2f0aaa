//! The history of stages: append only, but for the end of an interval.

use super::{Definition, Move};
use crate::base::ids::{ContactId, new_key};
use crate::base::time::Timestamp;
use crate::storage::db::{Queries, Row, Tx};
use crate::storage::personal::Personal;
use crate::storage::{Error, Result};
use crate::{params, sql};

/// What these tables hold about people.
pub const PERSONAL: &[Personal] = &[Personal {
    table: "stage_intervals",
    export: Some(sql!(
        "select journey, stage, entered_at, left_at, actor, rule, reason, evidence from stage_intervals
             where contact_id in (select own_id from contact_ids where contact_id = $1)
             order by entered_at"
    )),
    erase: Some(sql!(
        "delete from stage_intervals where contact_id in (select own_id from contact_ids where contact_id = $1)"
    )),
    because: "",
}];

/// One interval of a contact's history.
#[derive(Debug, Clone, PartialEq)]
pub struct Interval {
    /// Its id.
    pub id: String,
    /// The journey it belongs to, from 1.
    pub journey: i64,
    /// The stage.
    pub stage: String,
    /// From.
    pub entered_at: Timestamp,
    /// To, if it is over.
    pub left_at: Option<Timestamp>,
    /// `rule`, `account:ID` or `api`.
    pub actor: String,
    /// The clause or way back; `start` for the first, `skipped` for stages that were passed.
    pub rule: String,
    /// The reason that a person gave.
    pub reason: Option<String>,
    /// The version of the lifecycle that moved the contact.
    pub lifecycle_hash: String,
    /// What the rule saw.
    pub grounds: super::Grounds,
}

/// What stages know of a contact.
#[derive(Debug, Clone)]
pub struct Known {
    /// Her address.
    pub email: String,
    /// The stage, as the contact's row repeats it.
    pub stage: String,
    /// When she or one of her devices was first seen.
    pub first_seen_at: Timestamp,
}

pub(super) async fn contact(q: &mut impl Queries, contact: ContactId) -> Result<Option<Known>> {
    let row = q
        .query_opt(
            sql!(
                "select c.email, c.stage, c.created_at,
                     (select min(v.first_seen_at) from visitors v
                          where v.contact_id in (select own_id from contact_ids where contact_id = c.id)) as first_seen_at,
                     (select min(s.started_at) from visits s join visitors v on v.id = s.visitor
                          where v.contact_id in (select own_id from contact_ids where contact_id = c.id)
                              and s.consent > 0) as first_visit_at
                 from contacts c where c.id = $1"
            ),
            params![contact],
        )
        .await?;
    row.map(|row| {
        let created: Timestamp = row.get("created_at")?;
        let seen: [Option<Timestamp>; 2] = [row.get("first_seen_at")?, row.get("first_visit_at")?];
        Ok(Known {
            email: row.get("email")?,
            stage: row.get("stage")?,
            first_seen_at: seen.into_iter().flatten().fold(created, Timestamp::min),
        })
    })
    .transpose()
}

pub(super) async fn open_interval(q: &mut impl Queries, contact: ContactId) -> Result<Option<Interval>> {
    q.query_opt(
        sql!(
            "select id, journey, stage, entered_at, left_at, actor, rule, reason, lifecycle_hash, evidence
             from stage_intervals where contact_id = $1 and left_at is null"
        ),
        params![contact],
    )
    .await?
    .map(|row| interval(&row))
    .transpose()
}

/// A contact's whole history, oldest first.
///
/// # Errors
/// As the store says.
pub async fn intervals(q: &mut impl Queries, contact: ContactId) -> Result<Vec<Interval>> {
    q.query(
        sql!(
            "select id, journey, stage, entered_at, left_at, actor, rule, reason, lifecycle_hash, evidence
             from stage_intervals where contact_id = $1
             order by entered_at, id"
        ),
        params![contact],
    )
    .await?
    .iter()
    .map(interval)
    .collect()
}

/// When a way back was last taken.
pub(super) async fn last_back(q: &mut impl Queries, contact: ContactId) -> Result<Option<Timestamp>> {
    let row = q
        .query_opt(
            sql!(
                "select max(entered_at) as back_at from stage_intervals
                 where contact_id = $1 and rule like 'back.%'"
            ),
            params![contact],
        )
        .await?;
    row.map_or(Ok(None), |row| row.get("back_at"))
}

/// Keeps the text of a definition when it is first used.
pub(super) async fn keep_version(tx: &mut Tx, definition: &Definition, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "insert into lifecycle_versions (hash, version, body, activated_at)
             values ($1, $2, $3, $4)
             on conflict (hash) do nothing"
        ),
        params![&definition.hash, definition.version, &definition.body, now],
    )
    .await?;
    Ok(())
}

/// The number of the version with a hash.
pub(super) async fn version(q: &mut impl Queries, hash: &str) -> Result<Option<i64>> {
    let row =
        q.query_opt(sql!("select version from lifecycle_versions where hash = $1"), params![hash]).await?;
    row.map(|row| row.get("version")).transpose()
}

pub(super) async fn close(tx: &mut Tx, open: &Interval, now: Timestamp) -> Result<()> {
    // A clock that was set back must not make an interval end before it began.
    tx.execute(
        sql!("update stage_intervals set left_at = $2 where id = $1 and left_at is null"),
        params![&open.id, now.max(open.entered_at)],
    )
    .await?;
    Ok(())
}

/// Opens an interval and repeats the stage in the contact's row, where lists look for it.
pub(super) async fn open(
    tx: &mut Tx,
    definition: &Definition,
    contact: ContactId,
    journey: i64,
    stage: &str,
    step: &Move<'_>,
    now: Timestamp,
) -> Result<()> {
    insert(tx, definition, contact, journey, stage, step, (now, None)).await?;
    tx.execute(
        sql!("update contacts set stage = $2, stage_since = $3, updated_at = $3 where id = $1"),
        params![contact, stage, now],
    )
    .await?;
    Ok(())
}

/// Notes a stage that was passed: an interval without length, so that the funnel counts it as reached.
pub(super) async fn skip(
    tx: &mut Tx,
    definition: &Definition,
    contact: ContactId,
    journey: i64,
    stage: &str,
    step: &Move<'_>,
    now: Timestamp,
) -> Result<()> {
    let skipped = Move { rule: "skipped", ..step.clone() };
    insert(tx, definition, contact, journey, stage, &skipped, (now, Some(now))).await
}

async fn insert(
    tx: &mut Tx,
    definition: &Definition,
    contact: ContactId,
    journey: i64,
    stage: &str,
    step: &Move<'_>,
    (entered_at, left_at): (Timestamp, Option<Timestamp>),
) -> Result<()> {
    let grounds = serde_json::to_value(step.grounds).map_err(|error| Error::Engine(error.to_string()))?;
    tx.execute(
        sql!(
            "insert into stage_intervals (id, contact_id, journey, stage, entered_at, left_at, actor, rule, reason,
                                          lifecycle_hash, evidence)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        ),
        params![
            new_key(),
            contact,
            journey,
            stage,
            entered_at,
            left_at,
            step.actor.word(),
            step.rule,
            step.reason,
            &definition.hash,
            grounds
        ],
    )
    .await?;
    Ok(())
}

fn interval(row: &Row) -> Result<Interval> {
    Ok(Interval {
        id: row.get("id")?,
        journey: row.get("journey")?,
        stage: row.get("stage")?,
        entered_at: row.get("entered_at")?,
        left_at: row.get("left_at")?,
        actor: row.get("actor")?,
        rule: row.get("rule")?,
        reason: row.get("reason")?,
        lifecycle_hash: row.get("lifecycle_hash")?,
        grounds: row.json("evidence")?,
    })
}
