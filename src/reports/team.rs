//! What the team has to do: hand-overs that wait, tasks that are open.

use serde::Serialize;

use super::name_of;
use crate::base::ids::{AccountId, ContactId, HandoverId, TaskId};
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::{Queries, Row};
use crate::{params, sql};

/// Rows of one list.
const MOST: i64 = 200;

/// Which hand-overs to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Those that wait for somebody.
    Open,
    /// Those of them whose time is over.
    Late,
    /// Those that were taken.
    Taken,
}

impl View {
    /// Every view, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::Open, Self::Late, Self::Taken];

    /// Its name in addresses and texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Late => "late",
            Self::Taken => "taken",
        }
    }

    /// The view of a name.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.word() == word)
    }
}

/// One hand-over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HandoverRow {
    pub id: HandoverId,
    pub contact_id: ContactId,
    /// The contact's name or address.
    #[serde(skip)]
    pub name: String,
    pub stage: String,
    /// The role that looks after her from now on.
    pub role: String,
    /// Whom it goes to.
    pub account_id: Option<AccountId>,
    pub to: Option<String>,
    /// Who handed her over.
    pub from: Option<String>,
    pub note: Option<String>,
    pub given_at: Timestamp,
    pub due_at: Option<Timestamp>,
    /// Whether it waits, and its time is over.
    pub is_late: bool,
    pub taken_at: Option<Timestamp>,
    pub taken_by: Option<String>,
}

fn handover_of(row: &Row, now: Timestamp) -> Result<HandoverRow> {
    let (due_at, taken_at): (Option<Timestamp>, Option<Timestamp>) =
        (row.get("due_at")?, row.get("taken_at")?);
    Ok(HandoverRow {
        id: row.get("id")?,
        contact_id: row.get("contact_id")?,
        name: name_of(row)?,
        stage: row.get("stage")?,
        role: row.get("role")?,
        account_id: row.get("account_id")?,
        to: row.get("to_name")?,
        from: row.get("from_name")?,
        note: row.get("note")?,
        given_at: row.get("given_at")?,
        due_at,
        is_late: taken_at.is_none() && due_at.is_some_and(|due_at| due_at <= now),
        taken_at,
        taken_by: row.get("taken_name")?,
    })
}

/// The hand-overs of a view: those that wait by when they are due, the others the latest first.
///
/// # Errors
/// As the store says.
pub async fn handovers(q: &mut impl Queries, view: View, now: Timestamp) -> Result<Vec<HandoverRow>> {
    let rows = match view {
        View::Open | View::Late => {
            let until = if view == View::Late { now } else { Timestamp(i64::MAX) };
            q.query(
                sql!(
                    "select h.id, c.id as contact_id, c.first_name, c.last_name, c.email, c.stage, h.role, h.account_id,
                         h.note, h.given_at, h.due_at, h.taken_at, a.name as to_name, f.name as from_name,
                         t.name as taken_name
                     from handovers h
                     join contacts o on o.id = h.contact_id
                     join contacts c on c.id = coalesce(o.merged_into, o.id)
                     left join accounts a on a.id = h.account_id
                     left join accounts f on f.id = h.from_id
                     left join accounts t on t.id = h.taken_by
                     where h.taken_at is null and h.ended_at is null and coalesce(h.due_at, $1) <= $1
                     order by coalesce(h.due_at, h.given_at), h.id limit $2"
                ),
                params![until, MOST],
            )
            .await?
        }
        View::Taken => {
            q.query(
                sql!(
                    "select h.id, c.id as contact_id, c.first_name, c.last_name, c.email, c.stage, h.role, h.account_id,
                         h.note, h.given_at, h.due_at, h.taken_at, a.name as to_name, f.name as from_name,
                         t.name as taken_name
                     from handovers h
                     join contacts o on o.id = h.contact_id
                     join contacts c on c.id = coalesce(o.merged_into, o.id)
                     left join accounts a on a.id = h.account_id
                     left join accounts f on f.id = h.from_id
                     left join accounts t on t.id = h.taken_by
                     where h.taken_at is not null
                     order by h.taken_at desc, h.id desc limit $1"
                ),
                params![MOST],
            )
            .await?
        }
    };
    let mut rows = rows.iter().map(|row| handover_of(row, now)).collect::<Result<Vec<_>>>()?;
    // One without a time is never late.
    rows.retain(|row| view != View::Late || row.is_late);
    Ok(rows)
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskRow {
    pub id: TaskId,
    pub contact_id: ContactId,
    /// The contact's name or address.
    #[serde(skip)]
    pub name: String,
    pub stage: String,
    pub account_id: AccountId,
    /// Who is to do it.
    pub to: String,
    pub kind: String,
    pub title: String,
    pub due_at: Option<Timestamp>,
    pub is_late: bool,
    pub given_at: Timestamp,
    pub done_at: Option<Timestamp>,
}

/// The tasks that are open, those that are due soonest first; of everybody, or of one colleague.
///
/// # Errors
/// As the store says.
pub async fn tasks(q: &mut impl Queries, account: Option<AccountId>, now: Timestamp) -> Result<Vec<TaskRow>> {
    let rows = q
        .query(
            sql!(
                "select t.id, c.id as contact_id, c.first_name, c.last_name, c.email, c.stage, t.account_id, t.kind,
                     t.title, t.due_at, t.given_at, t.done_at, a.name as to_name
                 from tasks t
                 join contacts o on o.id = t.contact_id
                 join contacts c on c.id = coalesce(o.merged_into, o.id)
                 join accounts a on a.id = t.account_id
                 where t.done_at is null and t.account_id = coalesce(cast($1 as text), t.account_id)
                 order by case when t.due_at is null then 1 else 0 end, t.due_at, t.given_at, t.id limit $2"
            ),
            params![account, MOST],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let due_at: Option<Timestamp> = row.get("due_at")?;
            Ok(TaskRow {
                id: row.get("id")?,
                contact_id: row.get("contact_id")?,
                name: name_of(row)?,
                stage: row.get("stage")?,
                account_id: row.get("account_id")?,
                to: row.get("to_name")?,
                kind: row.get("kind")?,
                title: row.get("title")?,
                due_at,
                is_late: due_at.is_some_and(|due_at| due_at <= now),
                given_at: row.get("given_at")?,
                done_at: row.get("done_at")?,
            })
        })
        .collect()
}
