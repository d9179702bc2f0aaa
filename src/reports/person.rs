//! The head of a contact's page: names behind ids, and what lies ahead.

use serde::Serialize;

use super::{Names, name_of};
use crate::base::ids::{BookingId, ContactId, ConversationId};
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

/// The next call, or the last one that still waits for its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NextCall {
    pub id: BookingId,
    pub starts_at: Timestamp,
    pub rep: String,
    pub location: Option<String>,
    pub past: bool,
}

/// What people call a contact: her name, else her address; empty if there is no such contact.
///
/// # Errors
/// As the store says.
pub async fn called(q: &mut impl Queries, contact: ContactId) -> Result<String> {
    let row = q
        .query_opt(sql!("select email, first_name, last_name from contacts where id = $1"), params![contact])
        .await?;
    row.map_or(Ok(String::new()), |row| name_of(&row))
}

/// The call that somebody has to think of now: one without outcome, else the next.
///
/// # Errors
/// As the store says.
pub async fn next_call(
    q: &mut impl Queries,
    names: &Names<'_>,
    contact: ContactId,
    now: Timestamp,
) -> Result<Option<NextCall>> {
    let row = q
        .query_opt(
            sql!(
                "select id, starts_at, rep, location from bookings
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                     and state = 'confirmed' and outcome is null
                 order by starts_at limit 1"
            ),
            params![contact],
        )
        .await?;
    row.map(|row| {
        let starts_at: Timestamp = row.get("starts_at")?;
        Ok(NextCall {
            id: row.get("id")?,
            starts_at,
            rep: names.rep(&row.get::<String>("rep")?),
            location: row.get("location")?,
            past: starts_at <= now,
        })
    })
    .transpose()
}

/// The chat that is open with somebody, if there is one.
///
/// # Errors
/// As the store says.
pub async fn open_chat(q: &mut impl Queries, contact: ContactId) -> Result<Option<ConversationId>> {
    let row = q
        .query_opt(
            sql!(
                "select id from conversations where contact_id in (select own_id from contact_ids where contact_id = $1)
                     and mode <> 'closed'
                 order by updated_at desc limit 1"
            ),
            params![contact],
        )
        .await?;
    row.map(|row| row.get("id")).transpose()
}
