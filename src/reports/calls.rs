//! Calls: today's, those ahead, those without outcome, those that are over, those that are off; and those of a calendar.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Extent, Names, name_of};
use crate::base::ids::{BookingId, ContactId};
use crate::base::time::Timestamp;
use crate::bookings::assign::Reason;
use crate::bookings::former;
use crate::bookings::questions::Answers;
use crate::storage::Result;
use crate::storage::db::{Queries, Row};
use crate::{params, sql};

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Call {
    pub id: BookingId,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    pub contact_id: Option<ContactId>,
    /// The person's name or address; empty while nobody said who they are.
    pub name: String,
    pub company: Option<String>,
    pub stage: Option<String>,
    pub rep: String,
    /// Who else of the team is there.
    pub companion: Option<String>,
    /// The ids of the two.
    #[serde(skip)]
    pub held_by: Vec<String>,
    /// `hold`, `confirmed` or `cancelled`.
    pub state: String,
    pub outcome: Option<String>,
    /// Whether it has begun, so that its outcome can be said.
    pub past: bool,
    /// The visitor's zone.
    pub time_zone: String,
    /// The meeting's id.
    pub meeting: String,
    /// What the visitor said beforehand.
    pub notes: Option<String>,
    /// What was answered to the meeting's questions.
    #[serde(skip)]
    pub answers: Answers,
    /// Why this rep.
    #[serde(skip)]
    pub assignment: Option<Reason>,
}

fn call_of(row: &Row, names: &Names<'_>, now: Timestamp) -> Result<Call> {
    let starts_at: Timestamp = row.get("starts_at")?;
    let (rep, companion): (String, Option<String>) = (row.get("rep")?, row.get("companion")?);
    Ok(Call {
        id: row.get("id")?,
        starts_at,
        ends_at: row.get("ends_at")?,
        contact_id: row.get("contact_id")?,
        name: name_of(row)?,
        company: row.get("company")?,
        stage: row.get("stage")?,
        rep: names.rep(&rep),
        companion: companion.as_deref().map(|id| names.rep(id)),
        held_by: std::iter::once(rep).chain(companion).collect(),
        state: row.get("state")?,
        outcome: row.get("outcome")?,
        past: starts_at <= now,
        time_zone: row.get("time_zone")?,
        meeting: row.get("meeting")?,
        notes: row.get("notes")?,
        answers: row.json("answers").unwrap_or_default(),
        assignment: row.json("assignment").ok(),
    })
}

/// Calls whose reps have their names although they stand in the team's file no more.
async fn told_of_former(q: &mut impl Queries, names: &Names<'_>, mut calls: Vec<Call>) -> Result<Vec<Call>> {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for call in &mut calls {
        for (at, id) in call.held_by.iter().enumerate() {
            if names.team.rep(id).is_some() {
                continue;
            }
            if !known.contains_key(id) {
                known.insert(id.clone(), former::name(q, names.team, id).await?);
            }
            let name = known.get(id).cloned().unwrap_or_default();
            match at {
                0 => call.rep = name,
                _ => call.companion = Some(name),
            }
        }
    }
    Ok(calls)
}

/// The confirmed calls that begin in `[from, to)`, earliest first.
///
/// # Errors
/// As the store says.
pub async fn between(
    q: &mut impl Queries,
    names: &Names<'_>,
    (from, to): (Timestamp, Timestamp),
    now: Timestamp,
) -> Result<Vec<Call>> {
    let rows = q
        .query(
            sql!(
                "select b.id, b.starts_at, b.ends_at, b.rep, b.companion, b.state, b.outcome, b.time_zone, b.meeting, b.notes,
                     b.answers, b.assignment, c.id as contact_id, c.email, c.first_name, c.last_name, c.stage, co.name as company
                 from bookings b
                 left join contacts c on c.id = b.contact_id
                 left join companies co on co.id = c.company_id
                 where b.state = 'confirmed' and b.companion_of is null and b.starts_at >= $1 and b.starts_at < $2
                 order by b.starts_at, b.id limit 200"
            ),
            params![from, to],
        )
        .await?;
    let calls = rows.iter().map(|row| call_of(row, names, now)).collect::<Result<Vec<Call>>>()?;
    told_of_former(q, names, calls).await
}

/// The confirmed calls and the holds that block somebody's calendar and touch `[from, to)`, earliest first.
///
/// # Errors
/// As the store says.
pub async fn of_calendar(
    q: &mut impl Queries,
    names: &Names<'_>,
    (from, to): (Timestamp, Timestamp),
    now: Timestamp,
) -> Result<Vec<Call>> {
    let rows = q
        .query(
            sql!(
                "select b.id, b.starts_at, b.ends_at, b.rep, b.companion, b.state, b.outcome, b.time_zone, b.meeting,
                     b.notes, b.answers, b.assignment, c.id as contact_id, c.email, c.first_name, c.last_name, c.stage, co.name as company
                 from bookings b
                 left join contacts c on c.id = b.contact_id
                 left join companies co on co.id = c.company_id
                 where b.companion_of is null and b.starts_at < $2 and b.ends_at > $1
                     and (b.state = 'confirmed' or (b.state = 'hold' and b.hold_expires_at > $3))
                 order by b.starts_at, b.id
                 limit 2000"
            ),
            params![from, to, now],
        )
        .await?;
    let calls = rows.iter().map(|row| call_of(row, names, now)).collect::<Result<Vec<Call>>>()?;
    told_of_former(q, names, calls).await
}

/// How many calls a page of a list has.
const SIZE: i64 = 50;

/// Which calls to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Those that will take place, with today's from midnight on.
    Upcoming,
    /// Those that are over and whose outcome nobody said.
    Open,
    /// Those that are over.
    Past,
    /// Those that were cancelled.
    Cancelled,
}

impl View {
    /// Every view, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::Upcoming, Self::Open, Self::Past, Self::Cancelled];

    /// Its name in addresses and texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Upcoming => "upcoming",
            Self::Open => "open",
            Self::Past => "past",
            Self::Cancelled => "cancelled",
        }
    }

    /// The view of a name.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.word() == word)
    }
}

/// A page of a view, from 1: those ahead in order, the others the latest first.
///
/// # Errors
/// As the store says.
pub async fn list(
    q: &mut impl Queries,
    names: &Names<'_>,
    (view, page): (View, i64),
    midnight: Timestamp,
    now: Timestamp,
) -> Result<(Vec<Call>, Extent)> {
    let skipped = (page - 1) * SIZE;
    let rows = match view {
        View::Upcoming => {
            q.query(
                sql!(
                    "select b.id, b.starts_at, b.ends_at, b.rep, b.companion, b.state, b.outcome, b.time_zone, b.meeting,
                         b.notes, b.answers, b.assignment, c.id as contact_id, c.email, c.first_name, c.last_name, c.stage, co.name as company
                     from bookings b
                     left join contacts c on c.id = b.contact_id
                     left join companies co on co.id = c.company_id
                     where b.state = 'confirmed' and b.companion_of is null and b.starts_at >= $1
                     order by b.starts_at, b.id
                     limit $2 offset $3"
                ),
                params![midnight, SIZE, skipped],
            )
            .await?
        }
        View::Open => {
            q.query(
                sql!(
                    "select b.id, b.starts_at, b.ends_at, b.rep, b.companion, b.state, b.outcome, b.time_zone, b.meeting,
                         b.notes, b.answers, b.assignment, c.id as contact_id, c.email, c.first_name, c.last_name, c.stage, co.name as company
                     from bookings b
                     left join contacts c on c.id = b.contact_id
                     left join companies co on co.id = c.company_id
                     where b.state = 'confirmed' and b.companion_of is null and b.outcome is null and b.starts_at <= $1
                     order by b.starts_at desc, b.id
                     limit $2 offset $3"
                ),
                params![now, SIZE, skipped],
            )
            .await?
        }
        View::Past => {
            q.query(
                sql!(
                    "select b.id, b.starts_at, b.ends_at, b.rep, b.companion, b.state, b.outcome, b.time_zone, b.meeting,
                         b.notes, b.answers, b.assignment, c.id as contact_id, c.email, c.first_name, c.last_name, c.stage, co.name as company
                     from bookings b
                     left join contacts c on c.id = b.contact_id
                     left join companies co on co.id = c.company_id
                     where b.state = 'confirmed' and b.companion_of is null and b.starts_at <= $1
                     order by b.starts_at desc, b.id
                     limit $2 offset $3"
                ),
                params![now, SIZE, skipped],
            )
            .await?
        }
        View::Cancelled => {
            q.query(
                sql!(
                    "select b.id, b.starts_at, b.ends_at, b.rep, b.companion, b.state, b.outcome, b.time_zone, b.meeting,
                         b.notes, b.answers, b.assignment, c.id as contact_id, c.email, c.first_name, c.last_name, c.stage, co.name as company
                     from bookings b
                     left join contacts c on c.id = b.contact_id
                     left join companies co on co.id = c.company_id
                     where b.state = 'cancelled' and b.contact_id is not null and b.companion_of is null and b.updated_at <= $1
                     order by b.starts_at desc, b.id
                     limit $2 offset $3"
                ),
                params![now, SIZE, skipped],
            )
            .await?
        }
    };
    let total = q
        .query_opt(
            sql!(
                "select
                     (select count(*) from bookings
                      where state = 'confirmed' and companion_of is null and starts_at >= $1) as upcoming,
                     (select count(*) from bookings
                      where state = 'confirmed' and companion_of is null and outcome is null and starts_at <= $2) as open,
                     (select count(*) from bookings
                      where state = 'confirmed' and companion_of is null and starts_at <= $2) as past,
                     (select count(*) from bookings
                      where state = 'cancelled' and contact_id is not null and companion_of is null
                          and updated_at <= $2) as cancelled"
            ),
            params![midnight, now],
        )
        .await?;
    let total: i64 = total.map_or(Ok(0), |row| row.get(view.word()))?;
    let calls = rows.iter().map(|row| call_of(row, names, now)).collect::<Result<Vec<Call>>>()?;
    let calls = told_of_former(q, names, calls).await?;
    let extent = Extent::of(page, SIZE, calls.len(), total);
    Ok((calls, extent))
}

/// How many calls lie ahead, and how many are over without an outcome.
///
/// # Errors
/// As the store says.
pub async fn counts(q: &mut impl Queries, now: Timestamp) -> Result<(i64, i64)> {
    let row = q
        .query_opt(
            sql!(
                "select
                     (select count(*) from bookings
                      where state = 'confirmed' and companion_of is null and starts_at > $1) as ahead,
                     (select count(*) from bookings
                      where state = 'confirmed' and companion_of is null and outcome is null and starts_at <= $1) as open"
            ),
            params![now],
        )
        .await?;
    row.map_or(Ok((0, 0)), |row| Ok((row.get("ahead")?, row.get("open")?)))
}
