//! What is done to many, and what was there before.

use crate::base::ids::{AccountId, ActId, ContactId};
use crate::base::time::Timestamp;
use crate::contacts::acts::{Act, Asked, Kind, Outcome, State};
use crate::storage::db::{Queries, Row, Tx};
use crate::storage::{Error, Result};
use crate::{params, sql};

fn act_of(row: &Row) -> Result<Act> {
    let (state, kind): (String, String) = (row.get("state")?, row.get("kind")?);
    let chosen: Option<String> = row.get("chosen")?;
    let outcome: Option<String> = row.get("outcome")?;
    let shape = |column: &str, wanted| Error::Shape { column: column.to_owned(), wanted };
    Ok(Act {
        id: row.get("id")?,
        account: row.get("account_id")?,
        kind: Kind::of_word(&kind).ok_or_else(|| shape("kind", "a kind of an act"))?,
        subject: row.get("subject")?,
        chosen: chosen
            .map(|ids| serde_json::from_str(&ids).map_err(|_| shape("chosen", "a list of ids")))
            .transpose()?,
        owner: row.get("owner_id")?,
        search: row.get("search")?,
        after: row.get("after_place")?,
        state: State::of_word(&state).ok_or_else(|| shape("state", "a state of an act"))?,
        looked_at: row.get("looked_at")?,
        changed: row.get("changed")?,
        outcome: outcome
            .map(|text| serde_json::from_str(&text).map_err(|_| shape("outcome", "what an erasure came to")))
            .transpose()?
            .unwrap_or_default(),
        created_at: row.get("created_at")?,
        done_at: row.get("done_at")?,
    })
}

/// One of them.
///
/// # Errors
/// As the store says.
pub async fn find(q: &mut impl Queries, id: ActId) -> Result<Option<Act>> {
    let row = q
        .query_opt(
            sql!(
                "select id, account_id, kind, subject, chosen, owner_id, search, after_place, state, looked_at,
                     changed, outcome, created_at, done_at
                 from contact_acts where id = $1"
            ),
            params![id],
        )
        .await?;
    row.as_ref().map(act_of).transpose()
}

/// The one under way that waits longest.
///
/// # Errors
/// As the store says.
pub async fn open(q: &mut impl Queries) -> Result<Option<ActId>> {
    let row = q
        .query_opt(
            sql!(
                "select id from contact_acts where state in ('running', 'undoing')
                 order by created_at, id limit 1"
            ),
            params![],
        )
        .await?;
    row.map(|row| row.get("id")).transpose()
}

pub(in crate::contacts) async fn insert(
    tx: &mut Tx,
    id: ActId,
    account: AccountId,
    asked: &Asked<'_>,
    now: Timestamp,
) -> Result<()> {
    let chosen = asked.chosen.map(|ids| serde_json::json!(ids).to_string());
    tx.execute(
        sql!(
            "insert into contact_acts (id, account_id, kind, subject, chosen, owner_id, search, state, created_at)
             values ($1, $2, $3, $4, $5, $6, $7, 'running', $8)"
        ),
        params![id, account, asked.kind.word(), asked.subject, chosen, asked.owner, asked.search, now],
    )
    .await?;
    Ok(())
}

/// Gives one person to an owner and keeps whom she had; returns whether that was another.
pub(in crate::contacts) async fn give(
    tx: &mut Tx,
    id: ActId,
    contact: ContactId,
    owner: Option<AccountId>,
) -> Result<bool> {
    let kept = tx
        .execute(
            sql!(
                "insert into contact_act_people (act_id, contact_id, owner_before)
                 select $1, c.id, c.owner_id from contacts c
                 where c.id = $2 and coalesce(c.owner_id, '') <> coalesce(cast($3 as text), '')
                 on conflict (act_id, contact_id) do nothing"
            ),
            params![id, contact, owner],
        )
        .await?;
    if kept == 0 {
        return Ok(false);
    }
    tx.execute(sql!("update contacts set owner_id = $2 where id = $1"), params![contact, owner]).await?;
    Ok(true)
}

/// Keeps what is noted of somebody.
pub(in crate::contacts) async fn note(
    tx: &mut Tx,
    id: ActId,
    contact: ContactId,
    before: &str,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into contact_act_people (act_id, contact_id, owner_before) values ($1, $2, $3)
             on conflict (act_id, contact_id) do nothing"
        ),
        params![id, contact, before],
    )
    .await?;
    Ok(())
}

pub(in crate::contacts) async fn advance(
    tx: &mut Tx,
    id: ActId,
    after: Option<&str>,
    looked_at: i64,
    changed: i64,
) -> Result<()> {
    tx.execute(
        sql!(
            "update contact_acts set after_place = $2, looked_at = looked_at + $3, changed = changed + $4
             where id = $1"
        ),
        params![id, after, looked_at, changed],
    )
    .await?;
    Ok(())
}

pub(in crate::contacts) async fn set_state(
    tx: &mut Tx,
    id: ActId,
    state: State,
    done_at: Option<Timestamp>,
) -> Result<()> {
    tx.execute(
        sql!("update contact_acts set state = $2, done_at = $3 where id = $1"),
        params![id, state.word(), done_at],
    )
    .await?;
    Ok(())
}

pub(in crate::contacts) async fn set_outcome(tx: &mut Tx, id: ActId, outcome: &Outcome) -> Result<()> {
    let outcome = serde_json::to_value(outcome).map_err(|error| Error::Engine(error.to_string()))?;
    tx.execute(sql!("update contact_acts set outcome = $2 where id = $1"), params![id, outcome]).await?;
    Ok(())
}

/// Forgets whom it concerned.
pub(in crate::contacts) async fn forget_search(tx: &mut Tx, id: ActId) -> Result<()> {
    tx.execute(
        sql!("update contact_acts set search = '', after_place = null, chosen = null where id = $1"),
        params![id],
    )
    .await?;
    Ok(())
}

/// Some of those whom it changed, with what was noted of each.
pub(in crate::contacts) async fn people(
    q: &mut impl Queries,
    id: ActId,
    most: i64,
) -> Result<Vec<(ContactId, Option<String>)>> {
    let rows = q
        .query(
            sql!(
                "select contact_id, owner_before from contact_act_people
                 where act_id = $1 order by contact_id limit $2"
            ),
            params![id, most],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get("contact_id")?, row.get("owner_before")?))).collect()
}

/// Gives one person back, unless somebody else has her by now; returns whether she was.
pub(in crate::contacts) async fn give_back(
    tx: &mut Tx,
    act: &Act,
    contact: ContactId,
    before: Option<&str>,
) -> Result<bool> {
    let given = tx
        .execute(
            sql!(
                "update contacts set owner_id = $2
                 where id = $1 and coalesce(owner_id, '') = coalesce(cast($3 as text), '')"
            ),
            params![contact, before, act.owner],
        )
        .await?;
    Ok(given > 0)
}

/// Forgets what was noted of somebody.
pub(in crate::contacts) async fn forget_person(tx: &mut Tx, id: ActId, contact: ContactId) -> Result<()> {
    tx.execute(
        sql!("delete from contact_act_people where act_id = $1 and contact_id = $2"),
        params![id, contact],
    )
    .await?;
    Ok(())
}

/// Forgets what was done before a moment, but for what is under way; returns whether there was anything.
pub(in crate::contacts) async fn forget_before(tx: &mut Tx, before: Timestamp) -> Result<bool> {
    tx.execute(
        sql!(
            "delete from contact_act_people where act_id in (
                 select id from contact_acts where created_at < $1 and state in ('done', 'undone'))"
        ),
        params![before],
    )
    .await?;
    let gone = tx
        .execute(
            sql!("delete from contact_acts where created_at < $1 and state in ('done', 'undone')"),
            params![before],
        )
        .await?;
    Ok(gone > 0)
}
