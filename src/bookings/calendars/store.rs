//! The tables of calendars, of what they say, and of what was written into them.

use super::{Calendar, Kind, Origin, Said};
use crate::base::ids::{BookingId, CalendarId};
use crate::base::time::Timestamp;
use crate::bookings::slots::Span;
use crate::storage::db::{Queries, Row, Tx};
use crate::storage::{Error, Result};
use crate::{params, sql};

pub async fn insert(tx: &mut Tx, calendar: &Calendar, digest: &str) -> Result<()> {
    tx.execute(
        sql!(
            "insert into calendars (id, rep, kind, origin, sealed_url, url_digest, host, login, sealed_password,
                 is_written, created_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
             on conflict (rep, url_digest) do nothing"
        ),
        params![
            calendar.id,
            &calendar.rep,
            calendar.kind.word(),
            calendar.origin.word(),
            &calendar.sealed_url,
            digest,
            &calendar.host,
            calendar.login.as_ref(),
            calendar.sealed_password.as_ref(),
            calendar.is_written,
            calendar.created_at,
        ],
    )
    .await?;
    Ok(())
}

pub async fn delete(tx: &mut Tx, id: CalendarId) -> Result<()> {
    tx.execute(sql!("delete from calendar_busy where calendar_id = $1"), params![id]).await?;
    tx.execute(sql!("delete from calendar_writes where calendar_id = $1"), params![id]).await?;
    tx.execute(sql!("delete from calendars where id = $1"), params![id]).await?;
    Ok(())
}

pub async fn find(q: &mut impl Queries, id: CalendarId) -> Result<Option<Calendar>> {
    let row = q
        .query_opt(
            sql!(
                "select id, rep, kind, origin, sealed_url, host, login, sealed_password, is_written, etag,
                     last_modified, tried_at, fetched_at, expanded_at, good_until, fault, fault_detail, failures, told_at, created_at
                 from calendars where id = $1"
            ),
            params![id],
        )
        .await?;
    row.as_ref().map(calendar).transpose()
}

pub async fn of_rep(q: &mut impl Queries, rep: &str) -> Result<Vec<Calendar>> {
    let rows = q
        .query(
            sql!(
                "select id, rep, kind, origin, sealed_url, host, login, sealed_password, is_written, etag,
                     last_modified, tried_at, fetched_at, expanded_at, good_until, fault, fault_detail, failures, told_at, created_at
                 from calendars where rep = $1 order by created_at, id"
            ),
            params![rep],
        )
        .await?;
    rows.iter().map(calendar).collect()
}

fn calendar(row: &Row) -> Result<Calendar> {
    let kind: String = row.get("kind")?;
    let origin: String = row.get("origin")?;
    Ok(Calendar {
        id: row.get("id")?,
        rep: row.get("rep")?,
        kind: Kind::of_word(&kind)
            .ok_or_else(|| Error::Shape { column: "kind".to_owned(), wanted: "a calendar's kind" })?,
        origin: if origin == Origin::File.word() { Origin::File } else { Origin::Console },
        sealed_url: row.get("sealed_url")?,
        host: row.get("host")?,
        login: row.get("login")?,
        sealed_password: row.get("sealed_password")?,
        is_written: row.get("is_written")?,
        etag: row.get("etag")?,
        last_modified: row.get("last_modified")?,
        tried_at: row.get("tried_at")?,
        fetched_at: row.get("fetched_at")?,
        expanded_at: row.get("expanded_at")?,
        good_until: row.get("good_until")?,
        fault: row.get("fault")?,
        fault_detail: row.get("fault_detail")?,
        failures: row.get("failures")?,
        told_at: row.get("told_at")?,
        created_at: row.get("created_at")?,
    })
}

pub async fn ids(q: &mut impl Queries) -> Result<Vec<CalendarId>> {
    let rows = q.query(sql!("select id from calendars order by created_at, id"), &[]).await?;
    rows.iter().map(|row| row.get("id")).collect()
}

pub async fn knows(q: &mut impl Queries, rep: &str, digest: &str) -> Result<bool> {
    let row = q
        .query_opt(
            sql!("select 1 as known from calendars where rep = $1 and url_digest = $2"),
            params![rep, digest],
        )
        .await?;
    Ok(row.is_some())
}

/// The calendars of `team.yaml`: id, rep, digest of the address.
pub async fn of_file(q: &mut impl Queries) -> Result<Vec<(CalendarId, String, String)>> {
    let rows = q
        .query(sql!("select id, rep, url_digest from calendars where origin = 'file' order by id"), &[])
        .await?;
    rows.iter().map(|row| Ok((row.get("id")?, row.get("rep")?, row.get("url_digest")?))).collect()
}

pub async fn keep_busy(tx: &mut Tx, calendar: &Calendar, busy: &[Span]) -> Result<()> {
    tx.execute(sql!("delete from calendar_busy where calendar_id = $1"), params![calendar.id]).await?;
    for span in busy {
        tx.execute(
            sql!("insert into calendar_busy (calendar_id, rep, from_at, to_at) values ($1, $2, $3, $4)"),
            params![calendar.id, &calendar.rep, span.from, span.to],
        )
        .await?;
    }
    Ok(())
}

pub async fn note_success(
    tx: &mut Tx,
    id: CalendarId,
    said: &Said,
    good_until: Timestamp,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "update calendars
             set etag = coalesce($2, etag), last_modified = coalesce($3, last_modified), tried_at = $4, fetched_at = $4,
                 good_until = $5, expanded_at = case when $6 = 1 then $4 else expanded_at end, fault = null, fault_detail = null, failures = 0, told_at = null
             where id = $1"
        ),
        params![id, said.etag.as_ref(), said.last_modified.as_ref(), now, good_until, said.busy.is_some()],
    )
    .await?;
    Ok(())
}

pub async fn note_failure(
    tx: &mut Tx,
    id: CalendarId,
    fault: &str,
    detail: &str,
    told_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "update calendars
             set tried_at = $2, fault = $3, fault_detail = $4, failures = failures + 1, told_at = $5
             where id = $1"
        ),
        params![id, now, fault, detail, told_at],
    )
    .await?;
    Ok(())
}

pub async fn begin_again(tx: &mut Tx, id: CalendarId, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "update calendars
             set created_at = $2, good_until = 0, etag = null, last_modified = null, tried_at = null, fetched_at = null,
                 expanded_at = null, fault = null, fault_detail = null, failures = 0, told_at = null
             where id = $1"
        ),
        params![id, now],
    )
    .await?;
    Ok(())
}

pub async fn busy(q: &mut impl Queries, around: Span) -> Result<Vec<(String, Span)>> {
    let rows = q
        .query(
            sql!("select rep, from_at, to_at from calendar_busy where to_at > $1 and from_at < $2"),
            params![around.from, around.to],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get("rep")?, Span::new(row.get("from_at")?, row.get("to_at")?)))).collect()
}

/// The reps who have a calendar that is not believed.
pub async fn in_doubt(q: &mut impl Queries, now: Timestamp) -> Result<Vec<String>> {
    let rows = q
        .query(sql!("select distinct rep from calendars where good_until <= $1 order by rep"), params![now])
        .await?;
    rows.iter().map(|row| row.get("rep")).collect()
}

pub async fn feed(q: &mut impl Queries, rep: &str) -> Result<Option<(String, Timestamp)>> {
    let row = q
        .query_opt(sql!("select nonce, created_at from calendar_feeds where rep = $1"), params![rep])
        .await?;
    row.map(|row| Ok((row.get("nonce")?, row.get("created_at")?))).transpose()
}

pub async fn set_feed(tx: &mut Tx, rep: &str, nonce: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "insert into calendar_feeds (rep, nonce, created_at) values ($1, $2, $3)
             on conflict (rep) do update set nonce = excluded.nonce, created_at = excluded.created_at"
        ),
        params![rep, nonce, now],
    )
    .await?;
    Ok(())
}

pub async fn delete_feed(tx: &mut Tx, rep: &str) -> Result<()> {
    tx.execute(sql!("delete from calendar_feeds where rep = $1"), params![rep]).await?;
    Ok(())
}

/// A call that stands in a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub calendar: CalendarId,
    /// The server's mark of the version that we wrote.
    pub etag: Option<String>,
    /// The booking's sequence in it.
    pub sequence: i64,
}

pub async fn written(q: &mut impl Queries, booking: BookingId) -> Result<Vec<Written>> {
    let rows = q
        .query(
            sql!(
                "select calendar_id, etag, sequence from calendar_writes where booking_id = $1
                 order by calendar_id"
            ),
            params![booking],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Written {
                calendar: row.get("calendar_id")?,
                etag: row.get("etag")?,
                sequence: row.get("sequence")?,
            })
        })
        .collect()
}

pub async fn note_written(tx: &mut Tx, booking: BookingId, written: &Written, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "insert into calendar_writes (booking_id, calendar_id, etag, sequence, written_at)
             values ($1, $2, $3, $4, $5)
             on conflict (booking_id, calendar_id) do update
             set etag = excluded.etag, sequence = excluded.sequence, written_at = excluded.written_at"
        ),
        params![booking, written.calendar, written.etag.as_ref(), written.sequence, now],
    )
    .await?;
    Ok(())
}

pub async fn forget_written(tx: &mut Tx, booking: BookingId, calendar: CalendarId) -> Result<()> {
    tx.execute(
        sql!("delete from calendar_writes where booking_id = $1 and calendar_id = $2"),
        params![booking, calendar],
    )
    .await?;
    Ok(())
}

/// The calendars of a rep into which calls are written.
///
/// # Errors
/// As the store says.
pub async fn writable(q: &mut impl Queries, rep: &str) -> Result<Vec<CalendarId>> {
    let rows = q
        .query(
            sql!("select id from calendars where rep = $1 and is_written = 1 order by created_at, id"),
            params![rep],
        )
        .await?;
    rows.iter().map(|row| row.get("id")).collect()
}

/// Calls that stand in a calendar otherwise than they are: of people who were erased, and those whose change was not
/// heard of. With the sequence they have now.
///
/// # Errors
/// As the store says.
pub async fn to_write_again(q: &mut impl Queries) -> Result<Vec<(BookingId, i64)>> {
    let rows = q
        .query(
            sql!(
                "select distinct b.id as id, b.sequence as sequence
                 from calendar_writes w
                 join bookings b on b.id = w.booking_id
                 where b.state <> 'confirmed' or b.sequence <> w.sequence or b.contact_id is null
                 order by b.id"
            ),
            &[],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get("id")?, row.get("sequence")?))).collect()
}
