//! Calls: today's, those ahead, those without outcome, those that are over.

use serde::Serialize;

use super::{Names, name_of};
use crate::base::ids::{BookingId, ContactId};
use crate::base::time::{DAY_MS, Timestamp};
use crate::bookings::assign::Reason;
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
    Ok(Call {
        id: row.get("id")?,
        starts_at,
        ends_at: row.get("ends_at")?,
        contact_id: row.get("contact_id")?,
        name: name_of(row)?,
        company: row.get("company")?,
        stage: row.get("stage")?,
        rep: names.rep(&row.get::<String>("rep")?),
        companion: row.get::<Option<String>>("companion")?.map(|id| names.rep(&id)),
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
    rows.iter().map(|row| call_of(row, names, now)).collect()
}

/// Which calls to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Those that are not over, with today's from midnight on; cancelled ones for a day.
    Upcoming,
    /// Those that are over and whose outcome nobody said.
    Open,
    /// Those that are over.
    Past,
}

impl View {
    /// Every view, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::Upcoming, Self::Open, Self::Past];

    /// Its name in addresses and texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Upcoming => "upcoming",
            Self::Open => "open",
            Self::Past => "past",
        }
    }

    /// The view of a name.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.word() == word)
    }
}

/// The calls of a view: those ahead in order, the others the latest first.
///
/// # Errors
/// As the store says.
pub async fn list(
    q: &mut impl Queries,
    names: &Names<'_>,
    view: View,
    midnight: Timestamp,
    now: Timestamp,
) -> Result<Vec<Call>> {
    let rows = match view {
        View::Upcoming => {
            q.query(
                sql!(
                    "select b.id, b.starts_at, b.ends_at, b.rep, b.companion, b.state, b.outcome, b.time_zone, b.meeting,
                         b.notes, b.answers, b.assignment, c.id as contact_id, c.email, c.first_name, c.last_name, c.stage, co.name as company
                     from bookings b
                     left join contacts c on c.id = b.contact_id
                     left join companies co on co.id = c.company_id
                     where b.starts_at >= $1 and b.companion_of is null and (b.state = 'confirmed'
                         or (b.state = 'cancelled' and b.updated_at > $3)
                         or (b.state = 'hold' and b.hold_expires_at > $2))
                     order by b.starts_at, b.id limit 300"
                ),
                params![midnight, now, now.plus_ms(-DAY_MS)],
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
                     order by b.starts_at desc, b.id limit 300"
                ),
                params![now],
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
                     where b.state in ('confirmed', 'cancelled') and b.companion_of is null and b.starts_at <= $1
                         and b.starts_at > $2
                     order by b.starts_at desc, b.id limit 300"
                ),
                params![now, now.plus_ms(-90 * DAY_MS)],
            )
            .await?
        }
    };
    rows.iter().map(|row| call_of(row, names, now)).collect()
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
