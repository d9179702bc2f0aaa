//! Trials that were asked for, and who would stand elsewhere by them.

use serde_json::Value as Json;

use super::kept::{Kind, Moved, State, Trial, Wanted};
use crate::base::ids::{AccountId, ContactId};
use crate::base::time::Timestamp;
use crate::storage::db::{Queries, Row, Tx};
use crate::storage::{Error, Result};
use crate::{params, sql};

pub(super) async fn begin(
    tx: &mut Tx,
    id: &str,
    hash: &str,
    against: &str,
    wanted: &Wanted,
    account: Option<AccountId>,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into lifecycle_trials
                 (id, kind, hash, against, since, until, stage, outcome, account_id, created_at, state)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $6, 'waiting')"
        ),
        params![
            id,
            wanted.kind.word(),
            hash,
            against,
            wanted.since,
            now,
            &wanted.stage,
            &wanted.outcome,
            account
        ],
    )
    .await?;
    Ok(())
}

/// Whether a trial waits, or the worker of one was last heard of before `silent_since`.
pub(super) async fn is_open(q: &mut impl Queries, silent_since: Timestamp) -> Result<bool> {
    let row = q
        .query_opt(
            sql!(
                "select id from lifecycle_trials
                 where state in ('waiting', 'running') and (state = 'waiting' or alive_at < $1) limit 1"
            ),
            params![silent_since],
        )
        .await?;
    Ok(row.is_some())
}

/// Takes up the trial that waits longest, or one whose worker was last heard of before `silent_since`.
pub(super) async fn claim(
    tx: &mut Tx,
    runner: &str,
    silent_since: Timestamp,
    now: Timestamp,
) -> Result<Option<Trial>> {
    tx.lock("lifecycle_trials").await?;
    let row = tx
        .query_opt(
            sql!(
                "select id from lifecycle_trials
                 where state in ('waiting', 'running') and (state = 'waiting' or alive_at < $1)
                 order by created_at, id limit 1"
            ),
            params![silent_since],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let id: String = row.get("id")?;
    tx.execute(
        sql!("update lifecycle_trials set state = 'running', runner = $2, alive_at = $3, asked = 0 where id = $1"),
        params![&id, runner, now],
    )
    .await?;
    find(tx, &id).await
}

/// Tells how far it is. Returns whether it still is the runner's.
pub(super) async fn tell(
    tx: &mut Tx,
    id: &str,
    runner: &str,
    asked: i64,
    total: i64,
    now: Timestamp,
) -> Result<bool> {
    let told = tx
        .execute(
            sql!(
                "update lifecycle_trials set asked = $3, total = $4, alive_at = $5
                 where id = $1 and runner = $2 and state = 'running'"
            ),
            params![id, runner, asked, total, now],
        )
        .await?;
    Ok(told > 0)
}

/// Keeps the answer, or why there is none. Returns whether the trial still was the runner's.
pub(super) async fn end(
    tx: &mut Tx,
    id: &str,
    runner: &str,
    answer: Option<&Json>,
    error: Option<&str>,
    now: Timestamp,
) -> Result<bool> {
    let state = if answer.is_some() { State::Done } else { State::Failed };
    let ended = tx
        .execute(
            sql!(
                "update lifecycle_trials set state = $3, answer = $4, error = $5, done_at = $6
                 where id = $1 and runner = $2 and state = 'running'"
            ),
            params![id, runner, state.word(), answer.map(Json::to_string), error, now],
        )
        .await?;
    Ok(ended > 0)
}

pub(super) async fn stop(tx: &mut Tx, id: &str, now: Timestamp) -> Result<bool> {
    let stopped = tx
        .execute(
            sql!(
                "update lifecycle_trials set state = 'stopped', done_at = $2
                 where id = $1 and state in ('waiting', 'running')"
            ),
            params![id, now],
        )
        .await?;
    Ok(stopped > 0)
}

pub(super) async fn put_person(tx: &mut Tx, id: &str, position: i64, moved: &Moved) -> Result<()> {
    let part = |way: &Option<(String, String)>| match way {
        Some((stage, rule)) => (Some(stage.clone()), Some(rule.clone())),
        None => (None, None),
    };
    let ((from_stage, from_rule), (to_stage, to_rule)) = (part(&moved.from), part(&moved.to));
    // Whoever was erased meanwhile stands in no list.
    tx.execute(
        sql!(
            "insert into lifecycle_trial_people
                 (trial_id, position, contact_id, what, from_stage, from_rule, to_stage, to_rule)
             select $1, $2, id, $4, $5, $6, $7, $8 from contacts where id = $3"
        ),
        params![id, position, moved.contact, &moved.what, from_stage, from_rule, to_stage, to_rule],
    )
    .await?;
    Ok(())
}

pub(super) async fn people(q: &mut impl Queries, id: &str) -> Result<Vec<Moved>> {
    let rows = q
        .query(
            sql!(
                "select p.contact_id, c.email, p.what, p.from_stage, p.from_rule, p.to_stage, p.to_rule
                 from lifecycle_trial_people p join contacts c on c.id = p.contact_id
                 where p.trial_id = $1 order by p.position"
            ),
            params![id],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let way = |stage: &str, rule: &str| -> Result<Option<(String, String)>> {
                let (stage, rule): (Option<String>, Option<String>) = (row.get(stage)?, row.get(rule)?);
                Ok(stage.zip(rule))
            };
            Ok(Moved {
                contact: row.get::<ContactId>("contact_id")?,
                email: row.get("email")?,
                what: row.get("what")?,
                from: way("from_stage", "from_rule")?,
                to: way("to_stage", "to_rule")?,
            })
        })
        .collect()
}

/// Lets go of trials of before, unless they go on.
pub(super) async fn forget_before(tx: &mut Tx, before: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "delete from lifecycle_trial_people where trial_id in
                 (select id from lifecycle_trials where created_at < $1 and done_at is not null)"
        ),
        params![before],
    )
    .await?;
    tx.execute(
        sql!("delete from lifecycle_trials where created_at < $1 and done_at is not null"),
        params![before],
    )
    .await?;
    Ok(())
}

pub(super) async fn find(q: &mut impl Queries, id: &str) -> Result<Option<Trial>> {
    let row = q
        .query_opt(
            sql!(
                "select t.id, t.kind, t.hash, a.version, t.against, b.version as against_version, t.since, t.until,
                     t.stage, t.outcome, t.account_id, t.created_at, t.state, t.asked, t.total, t.done_at, t.answer,
                     t.error
                 from lifecycle_trials t
                 join lifecycle_texts a on a.hash = t.hash
                 join lifecycle_texts b on b.hash = t.against
                 where t.id = $1"
            ),
            params![id],
        )
        .await?;
    row.as_ref().map(trial).transpose()
}

/// The trials of a text, or of any, the latest first.
pub(super) async fn list(q: &mut impl Queries, hash: Option<&str>, most: i64) -> Result<Vec<Trial>> {
    let rows = q
        .query(
            sql!(
                "select t.id, t.kind, t.hash, a.version, t.against, b.version as against_version, t.since, t.until,
                     t.stage, t.outcome, t.account_id, t.created_at, t.state, t.asked, t.total, t.done_at, t.answer,
                     t.error
                 from lifecycle_trials t
                 join lifecycle_texts a on a.hash = t.hash
                 join lifecycle_texts b on b.hash = t.against
                 where $1 = '' or t.hash = $1
                 order by t.created_at desc, t.id desc limit $2"
            ),
            params![hash.unwrap_or_default(), most],
        )
        .await?;
    rows.iter().map(trial).collect()
}

fn trial(row: &Row) -> Result<Trial> {
    let unknown = |what: &str| Error::Engine(format!("a trial of the unknown {what}"));
    Ok(Trial {
        id: row.get("id")?,
        kind: Kind::of_word(&row.get::<String>("kind")?).ok_or_else(|| unknown("kind"))?,
        hash: row.get("hash")?,
        version: row.get("version")?,
        against: row.get("against")?,
        against_version: row.get("against_version")?,
        since: row.get("since")?,
        until: row.get("until")?,
        stage: row.get("stage")?,
        outcome: row.get("outcome")?,
        account: row.get("account_id")?,
        created_at: row.get("created_at")?,
        state: State::of_word(&row.get::<String>("state")?).ok_or_else(|| unknown("state"))?,
        asked: row.get("asked")?,
        total: row.get("total")?,
        done_at: row.get("done_at")?,
        answer: row.get::<Option<String>>("answer")?.and_then(|answer| serde_json::from_str(&answer).ok()),
        error: row.get("error")?,
    })
}
