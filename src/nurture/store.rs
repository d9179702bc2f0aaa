//! The table of who walks through which sequence.

use super::{Enrolment, State};
use crate::base::ids::{ContactId, EnrolmentId};
use crate::base::time::Timestamp;
use crate::storage::db::{Queries, Row, Tx};
use crate::storage::personal::Personal;
use crate::storage::{Error, Result};
use crate::{params, sql};

/// What these tables hold about people.
pub const PERSONAL: &[Personal] = &[Personal {
    table: "enrolments",
    export: Some(sql!(
        "select sequence, state, step, reason, entered_at, ended_at from enrolments
             where contact_id in (select own_id from contact_ids where contact_id = $1) order by entered_at"
    )),
    erase: Some(sql!(
        "delete from enrolments where contact_id in (select own_id from contact_ids where contact_id = $1)"
    )),
    because: "",
}];

fn enrolment_of(row: &Row) -> Result<Enrolment> {
    let state: String = row.get("state")?;
    Ok(Enrolment {
        id: row.get("id")?,
        sequence: row.get("sequence")?,
        contact: row.get("contact_id")?,
        state: State::of_word(&state)
            .ok_or_else(|| Error::Shape { column: "state".to_owned(), wanted: "a state of an enrolment" })?,
        step: row.get("step")?,
        next_at: row.get("next_at")?,
        reason: row.get("reason")?,
        entered_at: row.get("entered_at")?,
        ended_at: row.get("ended_at")?,
    })
}

/// One walk.
///
/// # Errors
/// As the store says.
pub async fn find(q: &mut impl Queries, id: EnrolmentId) -> Result<Option<Enrolment>> {
    let row = q
        .query_opt(
            sql!(
                "select id, sequence, contact_id, state, step, next_at, reason, entered_at, ended_at
                 from enrolments where id = $1"
            ),
            params![id],
        )
        .await?;
    row.as_ref().map(enrolment_of).transpose()
}

/// Every walk of a contact and of those who were merged into it, the latest first.
///
/// # Errors
/// As the store says.
pub async fn of_contact(q: &mut impl Queries, contact: ContactId) -> Result<Vec<Enrolment>> {
    let rows = q
        .query(
            sql!(
                "select id, sequence, contact_id, state, step, next_at, reason, entered_at, ended_at
                 from enrolments
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                 order by entered_at desc, id desc"
            ),
            params![contact],
        )
        .await?;
    rows.iter().map(enrolment_of).collect()
}

/// Walks that are under way and whose next step is due by `until`, the longest waiting first.
///
/// # Errors
/// As the store says.
pub async fn due(q: &mut impl Queries, until: Timestamp, most: i64) -> Result<Vec<Enrolment>> {
    let rows = q
        .query(
            sql!(
                "select id, sequence, contact_id, state, step, next_at, reason, entered_at, ended_at
                 from enrolments where state = 'active' and next_at <= $1 order by next_at, id limit $2"
            ),
            params![until, most],
        )
        .await?;
    rows.iter().map(enrolment_of).collect()
}

/// Whether a contact, or one who was merged into it, is on her way through a sequence or had a walk of this key.
pub(super) async fn has_walk(
    q: &mut impl Queries,
    sequence: &str,
    contact: ContactId,
    once_key: &str,
) -> Result<bool> {
    let row = q
        .query_opt(
            sql!(
                "select id from enrolments
                 where sequence = $1 and (once_key = $3 or state = 'active')
                     and contact_id in (select own_id from contact_ids where contact_id = $2)
                 limit 1"
            ),
            params![sequence, contact, once_key],
        )
        .await?;
    Ok(row.is_some())
}

/// The walks of these very contacts that ended for a reason.
pub(super) async fn ended_for(
    q: &mut impl Queries,
    contacts: [ContactId; 2],
    reason: &str,
) -> Result<Vec<Enrolment>> {
    let [first, second] = contacts;
    let rows = q
        .query(
            sql!(
                "select id, sequence, contact_id, state, step, next_at, reason, entered_at, ended_at
                 from enrolments where contact_id in ($1, $2) and state = 'left' and reason = $3
                 order by entered_at, id"
            ),
            params![first, second, reason],
        )
        .await?;
    rows.iter().map(enrolment_of).collect()
}

/// Begins a walk. Returns its id, or nothing if there was one under the same key.
pub(super) async fn insert(
    tx: &mut Tx,
    sequence: &str,
    contact: ContactId,
    once_key: &str,
    next_at: Timestamp,
    now: Timestamp,
) -> Result<Option<EnrolmentId>> {
    let id = EnrolmentId::new();
    let touched = tx
        .execute(
            sql!(
                "insert into enrolments (id, sequence, contact_id, once_key, state, step, next_at, entered_at)
                 values ($1, $2, $3, $4, 'active', 0, $5, $6)
                 on conflict (sequence, contact_id, once_key) do nothing"
            ),
            params![id, sequence, contact, once_key, next_at, now],
        )
        .await?;
    Ok((touched == 1).then_some(id))
}

/// Goes on from the step that was read. Returns whether nobody else has done so meanwhile.
pub(super) async fn go_on(tx: &mut Tx, walk: &Enrolment, step: i64, next_at: Timestamp) -> Result<bool> {
    let touched = tx
        .execute(
            sql!(
                "update enrolments set step = $3, next_at = $4
                 where id = $1 and step = $2 and state = 'active'"
            ),
            params![walk.id, walk.step, step, next_at],
        )
        .await?;
    Ok(touched == 1)
}

/// Ends a walk at the step that was read. Returns whether nobody else has gone on or ended it meanwhile.
pub(super) async fn end(
    tx: &mut Tx,
    walk: &Enrolment,
    state: State,
    step: i64,
    reason: &str,
    now: Timestamp,
) -> Result<bool> {
    let touched = tx
        .execute(
            sql!(
                "update enrolments set state = $3, step = $4, reason = $5, ended_at = $6
                 where id = $1 and step = $2 and state = 'active'"
            ),
            params![walk.id, walk.step, state.word(), step, reason, now],
        )
        .await?;
    Ok(touched == 1)
}

/// Goes on with a walk that ended for a reason. Returns whether it had.
pub(super) async fn reopen(tx: &mut Tx, id: EnrolmentId, reason: &str) -> Result<bool> {
    let touched = tx
        .execute(
            sql!(
                "update enrolments set state = 'active', reason = null, ended_at = null
                 where id = $1 and state = 'left' and reason = $2"
            ),
            params![id, reason],
        )
        .await?;
    Ok(touched == 1)
}

/// Which journey through the lifecycle a contact is on.
pub(super) async fn journey(q: &mut impl Queries, contact: ContactId) -> Result<i64> {
    let row = q
        .query_opt(
            sql!("select coalesce(max(journey), 1) as journey from stage_intervals where contact_id = $1"),
            params![contact],
        )
        .await?;
    row.map_or(Ok(1), |row| row.get("journey"))
}

/// How many walks of each sequence are in each state, and when the next step of those under way is due.
///
/// # Errors
/// As the store says.
pub async fn counts(q: &mut impl Queries) -> Result<Vec<(String, State, i64, Timestamp)>> {
    let rows = q
        .query(
            sql!(
                "select sequence, state, count(*) as n, min(next_at) as next_at
                 from enrolments group by sequence, state order by sequence, state"
            ),
            params![],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let state: String = row.get("state")?;
            Ok((
                row.get("sequence")?,
                State::of_word(&state).unwrap_or(State::Left),
                row.get("n")?,
                row.get("next_at")?,
            ))
        })
        .collect()
}

/// Contacts that are in a stage, for a dry run.
pub(super) async fn in_stage(q: &mut impl Queries, stage: &str, most: i64) -> Result<Vec<ContactId>> {
    let rows = q
        .query(
            sql!("select id from contacts where stage = $1 and merged_into is null order by id limit $2"),
            params![stage, most],
        )
        .await?;
    rows.iter().map(|row| row.get("id")).collect()
}

/// Contacts that stand in a state after the sale, for a dry run.
pub(super) async fn in_state(q: &mut impl Queries, state: &str, most: i64) -> Result<Vec<ContactId>> {
    let rows = q
        .query(
            sql!(
                "select contact_id from post_sale_intervals where state = $1 and left_at is null
                 order by contact_id limit $2"
            ),
            params![state, most],
        )
        .await?;
    rows.iter().map(|row| row.get("contact_id")).collect()
}

/// Contacts that belong to a segment, for a dry run.
pub(super) async fn in_segment(q: &mut impl Queries, segment: &str, most: i64) -> Result<Vec<ContactId>> {
    let rows = q
        .query(
            sql!(
                "select contact_id from segment_states where segment = $1 and is_member = 1
                 order by contact_id limit $2"
            ),
            params![segment, most],
        )
        .await?;
    rows.iter().map(|row| row.get("contact_id")).collect()
}

/// Walks of a sequence that are at the same place, or ended for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub state: State,
    /// Of those under way: the step that comes next, from 0.
    pub step: i64,
    /// Of those that ended: why.
    pub reason: Option<String>,
    pub people: i64,
    /// Of those under way: when the first of them goes on.
    pub next_at: Timestamp,
}

/// Where everybody in a sequence is, and why those who are in it no more left.
///
/// # Errors
/// As the store says.
pub async fn groups(q: &mut impl Queries, sequence: &str) -> Result<Vec<Group>> {
    let rows = q
        .query(
            sql!(
                "select state, step, reason, count(*) as people, min(next_at) as next_at
                 from (
                     select state, case when state = 'active' then step else 0 end as step, reason, next_at
                     from enrolments where sequence = $1
                 ) as walks
                 group by state, step, reason order by state, step, count(*) desc, reason"
            ),
            params![sequence],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let state: String = row.get("state")?;
            Ok(Group {
                state: State::of_word(&state).unwrap_or(State::Left),
                step: row.get("step")?,
                reason: row.get("reason")?,
                people: row.get("people")?,
                next_at: row.get("next_at")?,
            })
        })
        .collect()
}

/// Walks of a sequence that are under way, whoever goes on first.
///
/// # Errors
/// As the store says.
pub async fn under_way(q: &mut impl Queries, sequence: &str, most: i64) -> Result<Vec<Enrolment>> {
    let rows = q
        .query(
            sql!(
                "select id, sequence, contact_id, state, step, next_at, reason, entered_at, ended_at
                 from enrolments where sequence = $1 and state = 'active' order by next_at, id limit $2"
            ),
            params![sequence, most],
        )
        .await?;
    rows.iter().map(enrolment_of).collect()
}
