//! Who waits for an earlier time, what was offered, and what was given back.

use crate::base::ids::{BookingId, EarlierId, new_key};
use crate::base::time::Timestamp;
use crate::bookings::earlier::{Answer, Hours, Offer, Waiting};
use crate::bookings::slots::Span;
use crate::storage::Result;
use crate::storage::db::{Queries, Row, Tx};
use crate::{params, sql};

pub async fn wait(tx: &mut Tx, booking: BookingId, hours: Hours, now: Timestamp) -> Result<()> {
    let (days, from_minute, to_minute) = hours.stored();
    tx.execute(
        sql!(
            "insert into earlier_wishes (booking_id, days, from_minute, to_minute, created_at)
             values ($1, $2, $3, $4, $5)
             on conflict (booking_id) do update
             set days = excluded.days, from_minute = excluded.from_minute, to_minute = excluded.to_minute,
                 created_at = case when earlier_wishes.ended_at is null then earlier_wishes.created_at
                     else excluded.created_at end,
                 ended_at = null"
        ),
        params![booking, days, from_minute, to_minute, now],
    )
    .await?;
    Ok(())
}

pub async fn end(tx: &mut Tx, booking: BookingId, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!("update earlier_wishes set ended_at = $2 where booking_id = $1 and ended_at is null"),
        params![booking, now],
    )
    .await?;
    Ok(())
}

pub async fn waiting(q: &mut impl Queries, booking: BookingId) -> Result<Option<Waiting>> {
    let row = q
        .query_opt(
            sql!(
                "select booking_id, days, from_minute, to_minute, created_at
                 from earlier_wishes
                 where booking_id = $1 and ended_at is null"
            ),
            params![booking],
        )
        .await?;
    row.as_ref().map(waiting_of).transpose()
}

pub async fn queue(q: &mut impl Queries, now: Timestamp) -> Result<Vec<Waiting>> {
    let rows = q
        .query(
            sql!(
                "select w.booking_id, w.days, w.from_minute, w.to_minute, w.created_at
                 from earlier_wishes w
                 join bookings b on b.id = w.booking_id
                 where w.ended_at is null and b.state = 'confirmed' and b.starts_at > $1
                 order by w.created_at, w.booking_id"
            ),
            params![now],
        )
        .await?;
    rows.iter().map(waiting_of).collect()
}

fn waiting_of(row: &Row) -> Result<Waiting> {
    let hours = Hours::of_stored(row.get("days")?, row.get("from_minute")?, row.get("to_minute")?);
    Ok(Waiting {
        booking: row.get("booking_id")?,
        hours: hours.ok_or_else(|| super::wrong("days", "days and hours"))?,
        since: row.get("created_at")?,
    })
}

pub async fn insert_offer(tx: &mut Tx, offer: &Offer, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "insert into earlier_offers (id, booking_id, hold_id, starts_at, expires_at, created_at)
             values ($1, $2, $3, $4, $5, $6)"
        ),
        params![offer.id, offer.booking, offer.hold, offer.starts_at, offer.expires_at, now],
    )
    .await?;
    Ok(())
}

pub async fn find_offer(q: &mut impl Queries, id: EarlierId) -> Result<Option<Offer>> {
    let row = q
        .query_opt(
            sql!(
                "select id, booking_id, hold_id, starts_at, expires_at, answer
                 from earlier_offers
                 where id = $1"
            ),
            params![id],
        )
        .await?;
    row.as_ref().map(offer_of).transpose()
}

pub async fn offers_of(q: &mut impl Queries, booking: BookingId) -> Result<Vec<Offer>> {
    let rows = q
        .query(
            sql!(
                "select id, booking_id, hold_id, starts_at, expires_at, answer
                 from earlier_offers
                 where booking_id = $1
                 order by created_at, id"
            ),
            params![booking],
        )
        .await?;
    rows.iter().map(offer_of).collect()
}

fn offer_of(row: &Row) -> Result<Offer> {
    let answer: Option<String> = row.get("answer")?;
    Ok(Offer {
        id: row.get("id")?,
        booking: row.get("booking_id")?,
        hold: row.get("hold_id")?,
        starts_at: row.get("starts_at")?,
        expires_at: row.get("expires_at")?,
        answer: match answer {
            Some(word) => Some(Answer::of_word(&word).ok_or_else(|| super::wrong("answer", "an answer"))?),
            None => None,
        },
    })
}

pub async fn answer(tx: &mut Tx, id: EarlierId, answer: Answer) -> Result<()> {
    tx.execute(
        sql!("update earlier_offers set answer = $2 where id = $1 and answer is null"),
        params![id, answer.word()],
    )
    .await?;
    Ok(())
}

/// Notes that a rep has time again.
pub async fn note_freed(tx: &mut Tx, rep: &str, span: Span, now: Timestamp) -> Result<()> {
    if span.to > now {
        tx.execute(
            sql!(
                "insert into freed_times (id, rep, from_at, to_at, freed_at)
                 values ($1, $2, $3, $4, $5)"
            ),
            params![new_key(), rep, span.from, span.to, now],
        )
        .await?;
    }
    Ok(())
}

/// What was given back since then and lies within `span`, with the rep whose it was.
pub async fn freed(q: &mut impl Queries, span: Span, since: Timestamp) -> Result<Vec<(String, Span)>> {
    let rows = q
        .query(
            sql!(
                "select rep, block_from as from_at, block_to as to_at
                 from bookings
                 where state in ('cancelled', 'expired') and starts_at >= $1 and starts_at < $2 and updated_at >= $3
                 union all
                 select rep, from_at, to_at
                 from freed_times
                 where to_at > $1 and from_at < $2 and freed_at >= $3"
            ),
            params![span.from, span.to, since],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get("rep")?, Span::new(row.get("from_at")?, row.get("to_at")?)))).collect()
}

pub async fn forget_past(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    tx.execute(sql!("delete from freed_times where to_at <= $1"), params![now]).await
}
