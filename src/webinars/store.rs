//! Registrations, and what was seen of recordings.

use super::{Dates, Ranges, State, Webinar};
use crate::base::ids::{ContactId, VisitorId};
use crate::base::time::Timestamp;
use crate::storage::db::{Queries, Row, Tx};
use crate::storage::personal::Personal;
use crate::storage::{Error, Result};
use crate::{params, sql};

/// What these tables hold about people.
pub const PERSONAL: &[Personal] = &[
    Personal {
        table: "webinar_registrations",
        export: Some(sql!(
            "select webinar, state, minutes, registered_at, state_at from webinar_registrations
             where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        erase: Some(sql!(
            "delete from webinar_registrations where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "",
    },
    Personal {
        table: "watches",
        export: Some(sql!(
            "select recording, seconds, percent, updated_at from watches
             where contact_id in (select own_id from contact_ids where contact_id = $1)
                 or viewer in (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1))"
        )),
        erase: Some(sql!(
            "delete from watches
             where contact_id in (select own_id from contact_ids where contact_id = $1)
                 or viewer in (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1))"
        )),
        because: "",
    },
];

/// One registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The webinar.
    pub webinar: String,
    /// The contact.
    pub contact: ContactId,
    /// What became of it.
    pub state: State,
    /// For how many minutes the contact was there.
    pub minutes: Option<i64>,
    /// When the contact registered.
    pub registered_at: Timestamp,
}

/// What one device has seen of one recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// The person, if she is known.
    pub contact: Option<ContactId>,
    /// The seconds that were seen.
    pub ranges: Ranges,
    /// Their share in whole percent.
    pub percent: u8,
    /// When the first report of it came.
    pub begun_at: Timestamp,
}

/// A person's registration for a webinar, by any of the ids that she has.
///
/// Whoever is two contacts in one may have two: she was there if one of them was; else what was said last counts, but a seat
/// that was given back counts less than one that was kept. The contact of the answer is the one whose row that is.
///
/// # Errors
/// As the store says.
pub async fn registration(
    q: &mut impl Queries,
    webinar: &str,
    contact: ContactId,
) -> Result<Option<Registration>> {
    q.query_opt(
        sql!(
            "select webinar, contact_id, state, minutes, registered_at from webinar_registrations
             where webinar = $1 and contact_id in (
                 select own_id from contact_ids
                 where contact_id = (select coalesce(merged_into, id) from contacts where id = $2))
             order by case state when 'attended' then 0 when 'cancelled' then 2 else 1 end, state_at desc,
                 contact_id
             limit 1"
        ),
        params![webinar, contact],
    )
    .await?
    .map(|row| registration_of(&row))
    .transpose()
}

/// A contact's registrations, one for each webinar as [`registration`] tells it, the one that changed last first.
///
/// # Errors
/// As the store says.
pub async fn registrations(q: &mut impl Queries, contact: ContactId) -> Result<Vec<Registration>> {
    q.query(
        sql!(
            "select webinar, contact_id, state, minutes, registered_at
             from (
                 select webinar, contact_id, state, minutes, registered_at, state_at,
                     row_number() over (
                         partition by webinar
                         order by case state when 'attended' then 0 when 'cancelled' then 2 else 1 end,
                             state_at desc, contact_id) as place
                 from webinar_registrations
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
             ) as known
             where place = 1
             order by state_at desc, webinar"
        ),
        params![contact],
    )
    .await?
    .iter()
    .map(registration_of)
    .collect()
}

/// The rows that are still registered, each with who speaks for it.
pub(super) async fn still_registered(
    q: &mut impl Queries,
    webinar: &str,
) -> Result<Vec<(ContactId, ContactId)>> {
    let rows = q
        .query(
            sql!(
                "select r.contact_id, coalesce(c.merged_into, c.id) as person
                 from webinar_registrations r join contacts c on c.id = r.contact_id
                 where r.webinar = $1 and r.state = 'registered'
                 order by r.contact_id"
            ),
            params![webinar],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get("contact_id")?, row.get("person")?))).collect()
}

/// Whoever is still registered and of whom nothing is known by another of her rows: one of a person's rows answers for all.
/// Once they are two again, the other is asked about for itself.
pub(super) async fn untold(q: &mut impl Queries, webinar: &str) -> Result<Vec<ContactId>> {
    let rows = q
        .query(
            sql!(
                "select r.contact_id
                 from webinar_registrations r join contacts c on c.id = r.contact_id
                 where r.webinar = $1 and r.state = 'registered'
                     and not exists (
                         select 1 from webinar_registrations o
                         where o.webinar = $1
                             and o.contact_id in (
                                 select k.own_id from contact_ids k
                                 where k.contact_id = coalesce(c.merged_into, c.id))
                             and (o.state = 'attended' or (o.state = 'no_show' and o.state_at >= r.state_at)))
                 order by r.contact_id"
            ),
            params![webinar],
        )
        .await?;
    rows.iter().map(|row| row.get("contact_id")).collect()
}

/// When a person was noted as not having come, under any of her ids.
pub(super) async fn missed_at(
    q: &mut impl Queries,
    webinar: &str,
    contact: ContactId,
) -> Result<Vec<Timestamp>> {
    let rows = q
        .query(
            sql!(
                "select state_at from webinar_registrations
                 where webinar = $1 and state = 'no_show' and contact_id in (
                     select own_id from contact_ids
                     where contact_id = (select coalesce(merged_into, id) from contacts where id = $2))
                 order by state_at"
            ),
            params![webinar, contact],
        )
        .await?;
    rows.iter().map(|row| row.get("state_at")).collect()
}

/// The seats that a person has under any of her ids.
pub(super) async fn seats(q: &mut impl Queries, webinar: &str, contact: ContactId) -> Result<Vec<ContactId>> {
    let rows = q
        .query(
            sql!(
                "select contact_id from webinar_registrations
                 where webinar = $1 and state = 'registered' and contact_id in (
                     select own_id from contact_ids
                     where contact_id = (select coalesce(merged_into, id) from contacts where id = $2))
                 order by contact_id"
            ),
            params![webinar, contact],
        )
        .await?;
    rows.iter().map(|row| row.get("contact_id")).collect()
}

/// What stands under this very id.
pub(super) async fn own(
    q: &mut impl Queries,
    webinar: &str,
    contact: ContactId,
) -> Result<Option<Registration>> {
    q.query_opt(
        sql!(
            "select webinar, contact_id, state, minutes, registered_at from webinar_registrations
             where webinar = $1 and contact_id = $2"
        ),
        params![webinar, contact],
    )
    .await?
    .map(|row| registration_of(&row))
    .transpose()
}

/// When a webinar takes place, as its registrants were told last.
pub(super) struct DatesRow {
    pub starts_at: Timestamp,
    pub duration_ms: i64,
    pub dates: Dates,
}

pub(super) async fn dates(q: &mut impl Queries, webinar: &str) -> Result<Option<DatesRow>> {
    q.query_opt(
        sql!(
            "select starts_at, duration_ms, sequence, cancelled_at, reason from webinar_dates
             where webinar = $1"
        ),
        params![webinar],
    )
    .await?
    .map(|row| {
        let dates = Dates {
            sequence: row.get("sequence")?,
            cancelled_at: row.get("cancelled_at")?,
            reason: row.get("reason")?,
        };
        Ok(DatesRow { starts_at: row.get("starts_at")?, duration_ms: row.get("duration_ms")?, dates })
    })
    .transpose()
}

pub(super) async fn put_dates(tx: &mut Tx, webinar: &Webinar, dates: &Dates) -> Result<()> {
    tx.execute(
        sql!(
            "insert into webinar_dates (webinar, starts_at, duration_ms, sequence, cancelled_at, reason)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (webinar) do update
             set starts_at = excluded.starts_at,
                 duration_ms = excluded.duration_ms,
                 sequence = excluded.sequence,
                 cancelled_at = excluded.cancelled_at,
                 reason = excluded.reason"
        ),
        params![
            &webinar.id,
            webinar.starts_at,
            webinar.duration_ms,
            dates.sequence,
            dates.cancelled_at,
            dates.reason.as_deref()
        ],
    )
    .await?;
    Ok(())
}

/// What every device of a contact has seen of a recording.
pub(super) async fn watches_of(
    q: &mut impl Queries,
    recording: &str,
    contact: ContactId,
) -> Result<Vec<Watched>> {
    q.query(
        sql!("select contact_id, ranges, percent, begun_at from watches where recording = $1 and contact_id = $2"),
        params![recording, contact],
    )
    .await?
    .iter()
    .map(watched_row)
    .collect()
}

pub(super) async fn put(
    tx: &mut Tx,
    webinar: &str,
    contact: ContactId,
    state: State,
    minutes: Option<i64>,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into webinar_registrations (webinar, contact_id, state, minutes, registered_at, state_at)
             values ($1, $2, $3, $4, $5, $5)
             on conflict (webinar, contact_id) do update
             set state = excluded.state,
                 minutes = coalesce(excluded.minutes, webinar_registrations.minutes),
                 state_at = excluded.state_at"
        ),
        params![webinar, contact, state.word(), minutes, now],
    )
    .await?;
    Ok(())
}

/// What a device has seen of a recording.
///
/// # Errors
/// As the store says.
pub async fn watched_of(
    q: &mut impl Queries,
    recording: &str,
    visitor: VisitorId,
) -> Result<Option<Watched>> {
    watched(q, recording, &visitor.to_string()).await
}

pub(super) async fn watched(q: &mut impl Queries, recording: &str, viewer: &str) -> Result<Option<Watched>> {
    q.query_opt(
        sql!(
            "select contact_id, ranges, percent, begun_at from watches where recording = $1 and viewer = $2"
        ),
        params![recording, viewer],
    )
    .await?
    .map(|row| watched_row(&row))
    .transpose()
}

fn watched_row(row: &Row) -> Result<Watched> {
    let percent: i64 = row.get("percent")?;
    Ok(Watched {
        contact: row.get("contact_id")?,
        ranges: row.json("ranges")?,
        percent: u8::try_from(percent.clamp(0, 100)).unwrap_or(100),
        begun_at: row.get("begun_at")?,
    })
}

pub(super) async fn put_watched(
    tx: &mut Tx,
    recording: &str,
    viewer: &str,
    contact: Option<ContactId>,
    ranges: &Ranges,
    percent: u8,
    now: Timestamp,
) -> Result<()> {
    let seconds = ranges.seconds();
    let ranges = serde_json::to_value(ranges).map_err(|error| Error::Engine(error.to_string()))?;
    tx.execute(
        sql!(
            "insert into watches (recording, viewer, contact_id, ranges, seconds, percent, begun_at, updated_at)
             values ($1, $2, $3, $4, $5, $6, $7, $7)
             on conflict (recording, viewer) do update
             set contact_id = coalesce(excluded.contact_id, watches.contact_id),
                 ranges = excluded.ranges,
                 seconds = excluded.seconds,
                 percent = excluded.percent,
                 updated_at = excluded.updated_at"
        ),
        params![recording, viewer, contact, ranges, seconds, i64::from(percent), now],
    )
    .await?;
    Ok(())
}

fn registration_of(row: &Row) -> Result<Registration> {
    let state: String = row.get("state")?;
    Ok(Registration {
        webinar: row.get("webinar")?,
        contact: row.get("contact_id")?,
        state: State::of_word(&state)
            .ok_or(Error::Shape { column: "state".to_owned(), wanted: "a state of a registration" })?,
        minutes: row.get("minutes")?,
        registered_at: row.get("registered_at")?,
    })
}
