//! The table of tasks.

use super::{Kind, NewTask, Task};
use crate::base::ids::{AccountId, ContactId, TaskId};
use crate::base::time::Timestamp;
use crate::storage::db::{Queries, Row, Tx};
use crate::storage::personal::Personal;
use crate::storage::{Error, Result};
use crate::{params, sql};

/// What this table holds about people.
pub const PERSONAL: &[Personal] = &[Personal {
    table: "tasks",
    export: Some(sql!(
        "select kind, title, due_at, given_at, done_at from tasks
         where contact_id in (select own_id from contact_ids where contact_id = $1) order by given_at"
    )),
    erase: Some(sql!(
        "delete from tasks where contact_id in (select own_id from contact_ids where contact_id = $1)"
    )),
    because: "",
}];

fn task_of(row: &Row) -> Result<Task> {
    let kind: String = row.get("kind")?;
    Ok(Task {
        id: row.get("id")?,
        contact: row.get("contact_id")?,
        account: row.get("account_id")?,
        kind: Kind::of_word(&kind)
            .ok_or_else(|| Error::Shape { column: "kind".to_owned(), wanted: "a kind of task" })?,
        title: row.get("title")?,
        due_at: row.get("due_at")?,
        given_by: row.get("given_by")?,
        given_at: row.get("given_at")?,
        done_at: row.get("done_at")?,
        done_by: row.get("done_by")?,
    })
}

/// The task of this id.
///
/// # Errors
/// As the store says.
pub async fn find(q: &mut impl Queries, id: TaskId) -> Result<Option<Task>> {
    let row = q
        .query_opt(
            sql!(
                "select id, contact_id, account_id, kind, title, due_at, given_by, given_at, done_at, done_by
                 from tasks where id = $1"
            ),
            params![id],
        )
        .await?;
    row.as_ref().map(task_of).transpose()
}

/// What is to be done for a contact, open tasks first, each by when it is due.
///
/// # Errors
/// As the store says.
pub async fn of_contact(q: &mut impl Queries, contact: ContactId) -> Result<Vec<Task>> {
    let rows = q
        .query(
            sql!(
                "select id, contact_id, account_id, kind, title, due_at, given_by, given_at, done_at, done_by
                 from tasks where contact_id in (select own_id from contact_ids where contact_id = $1)
                 order by case when done_at is null then 0 else 1 end, coalesce(due_at, given_at), id limit 100"
            ),
            params![contact],
        )
        .await?;
    rows.iter().map(task_of).collect()
}

/// When each of the company's people was given a task last.
///
/// # Errors
/// As the store says.
pub async fn last_given(q: &mut impl Queries) -> Result<Vec<(AccountId, Timestamp)>> {
    q.query(sql!("select account_id, max(given_at) as at from tasks group by account_id"), params![])
        .await?
        .iter()
        .map(|row| Ok((row.get("account_id")?, row.get("at")?)))
        .collect()
}

pub(super) async fn insert(tx: &mut Tx, new: &NewTask<'_>, now: Timestamp) -> Result<TaskId> {
    let id = TaskId::new();
    tx.execute(
        sql!(
            "insert into tasks (id, contact_id, account_id, kind, title, due_at, given_by, given_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8)"
        ),
        params![id, new.contact, new.account, new.kind.word(), new.title, new.due_at, new.by, now],
    )
    .await?;
    Ok(id)
}

pub(super) async fn finish(tx: &mut Tx, id: TaskId, by: Option<AccountId>, now: Timestamp) -> Result<bool> {
    let done = tx
        .execute(
            sql!("update tasks set done_at = $2, done_by = $3 where id = $1 and done_at is null"),
            params![id, now, by],
        )
        .await?;
    Ok(done > 0)
}
