//! The table of holds and bookings. The rows of those who are there, too, are in `store/companion.rs`, the tables beside it
//! in `store/` beside it.

mod companion;
pub mod diary;
pub mod earlier;
pub mod former;
pub mod openings;
pub mod own_weeks;
pub mod page_counts;

use std::collections::HashMap;

use super::assign::Standing;
use super::slots::Span;
use super::zones::Told;
use super::{Booking, Error, Holder, Outcome, State};
use crate::base::email::Email;
use crate::base::ids::{BookingId, ContactId};
use crate::base::time::{DAY_MS, MINUTE_MS, Step, TZDB, Timestamp, offset_s};
use crate::storage::Result;
use crate::storage::db::{Queries, Row, Tx};
use crate::storage::personal::Personal;
use crate::{params, sql};

/// What these tables hold about people.
pub const PERSONAL: &[Personal] = &[
    Personal {
        table: "earlier_wishes",
        export: Some(sql!(
            "select days, from_minute, to_minute, created_at, ended_at
             from earlier_wishes
             where booking_id in (select id from bookings
                 where contact_id in (select own_id from contact_ids where contact_id = $1))
             order by created_at"
        )),
        erase: Some(sql!(
            "delete from earlier_wishes
             where booking_id in (select id from bookings
                 where contact_id in (select own_id from contact_ids where contact_id = $1))"
        )),
        because: "",
    },
    Personal {
        table: "earlier_offers",
        export: Some(sql!(
            "select starts_at, expires_at, answer, created_at
             from earlier_offers
             where booking_id in (select id from bookings
                 where contact_id in (select own_id from contact_ids where contact_id = $1))
             order by created_at"
        )),
        erase: Some(sql!(
            "delete from earlier_offers
             where booking_id in (select id from bookings
                 where contact_id in (select own_id from contact_ids where contact_id = $1))"
        )),
        because: "",
    },
    Personal {
        table: "opening_wishes",
        export: Some(sql!(
            "select meeting, time_zone, language, created_at, told_at
             from opening_wishes
             where contact_id in (select own_id from contact_ids where contact_id = $1)
             order by created_at"
        )),
        erase: Some(sql!(
            "delete from opening_wishes
             where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "",
    },
    Personal {
        table: "bookings",
        export: Some(sql!(
            "select meeting, rep, starts_at, ends_at, state, time_zone, language, location, notes, outcome,
                 cancel_reason, answers, created_at
             from bookings
             where contact_id in (select own_id from contact_ids where contact_id = $1)
             order by starts_at"
        )),
        erase: Some(sql!(
            "update bookings set contact_id = null, visitor_id = null, conversation_id = null, notes = null,
                 location = null, cancel_reason = null, answers = '{}'
             where contact_id in (select own_id from contact_ids where contact_id = $1)
                 or visitor_id in (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1))"
        )),
        because: "when a colleague was busy stays; with whom and about what goes",
    },
];

/// Takes a call away as if it had never been.
pub async fn forget(tx: &mut Tx, id: BookingId) -> Result<()> {
    tx.execute(sql!("delete from bookings where id = $1"), params![id]).await?;
    Ok(())
}

/// How long before the cycle a call still counts for who was assigned last.
const LAST_ASSIGNED_MS: i64 = 31 * DAY_MS;

/// Adds a row; `rep_zone` is the zone in which the rep is told its time.
pub async fn insert(tx: &mut Tx, booking: &Booking, rep_zone: &str) -> Result<()> {
    tx.execute(
        sql!(
            "insert into bookings (id, meeting, rep, contact_id, visitor_id, conversation_id, starts_at, ends_at,
                 block_from, block_to, state, hold_expires_at, sequence, time_zone, language, location, notes,
                 assignment, created_at, updated_at, answers, companion, tzdb, offset_s, rep_zone, rep_offset_s)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
                 $22, $23, $24, $25, $26)"
        ),
        params![
            booking.id,
            &booking.meeting,
            &booking.rep,
            booking.contact,
            booking.visitor,
            booking.conversation,
            booking.starts_at,
            booking.ends_at,
            booking.block.from,
            booking.block.to,
            booking.state.word(),
            booking.hold_expires_at,
            booking.sequence,
            &booking.time_zone,
            booking.language,
            booking.location.as_ref(),
            booking.notes.as_ref(),
            assignment(booking),
            booking.created_at,
            booking.updated_at,
            answers(booking),
            booking.companion.as_ref(),
            TZDB.0,
            offset_s(&booking.time_zone, booking.starts_at),
            rep_zone,
            offset_s(rep_zone, booking.starts_at),
        ],
    )
    .await?;
    match &booking.companion {
        Some(companion) => companion::insert(tx, booking, companion).await,
        None => Ok(()),
    }
}

/// Writes `new` over `old`, if `old` is still what stands there, and the same for whoever else is there.
///
/// # Errors
/// [`Error::Changed`] if somebody else was faster.
pub async fn replace(tx: &mut Tx, old: &Booking, new: &Booking) -> super::Result<()> {
    replace_told(tx, old, new, None).await
}

/// The same where the time or the rep changes, and with that in which zone the rep is told the time.
///
/// # Errors
/// As [`replace`].
pub async fn replace_told(
    tx: &mut Tx,
    old: &Booking,
    new: &Booking,
    rep_zone: Option<&str>,
) -> super::Result<()> {
    // The two rows of a call in the order of their reps, as everybody does: nobody waits in a circle.
    if old.companion.as_ref().is_some_and(|companion| *companion < old.rep) {
        companion::replace(tx, old, new).await?;
        replace_first(tx, old, new, rep_zone).await
    } else {
        replace_first(tx, old, new, rep_zone).await?;
        companion::replace(tx, old, new).await
    }
}

async fn replace_first(
    tx: &mut Tx,
    old: &Booking,
    new: &Booking,
    rep_zone: Option<&str>,
) -> super::Result<()> {
    let touched = tx
        .execute(
            sql!(
                "update bookings
                 set rep = $4, contact_id = $5, starts_at = $6, ends_at = $7, block_from = $8, block_to = $9,
                     state = $10, hold_expires_at = $11, sequence = $12, time_zone = $13, location = $14, notes = $15,
                     assignment = $16, outcome = $17, outcome_at = $18, cancel_reason = $19, updated_at = $20,
                     answers = $21, companion = $22,
                     tzdb = case when state = 'confirmed' and starts_at = $6 then tzdb else $23 end,
                     offset_s = case when state = 'confirmed' and starts_at = $6 then offset_s else $24 end,
                     rep_zone = coalesce($25, rep_zone), rep_offset_s = coalesce($26, rep_offset_s)
                 where id = $1 and state = $2 and sequence = $3"
            ),
            params![
                old.id,
                old.state.word(),
                old.sequence,
                &new.rep,
                new.contact,
                new.starts_at,
                new.ends_at,
                new.block.from,
                new.block.to,
                new.state.word(),
                new.hold_expires_at,
                new.sequence,
                &new.time_zone,
                new.location.as_ref(),
                new.notes.as_ref(),
                assignment(new),
                new.outcome.map(Outcome::word),
                new.outcome_at,
                new.cancel_reason.as_ref(),
                new.updated_at,
                answers(new),
                new.companion.as_ref(),
                // By what her time is told now; what was told of a call that stays where it is was told by another.
                TZDB.0,
                offset_s(&new.time_zone, new.starts_at),
                rep_zone,
                rep_zone.and_then(|zone| offset_s(zone, new.starts_at)),
            ],
        )
        .await?;
    if touched == 1 { Ok(()) } else { Err(Error::Changed) }
}

fn answers(booking: &Booking) -> String {
    serde_json::to_string(&booking.answers).unwrap_or_else(|_| "{}".to_owned())
}

fn assignment(booking: &Booking) -> String {
    booking
        .assignment
        .as_ref()
        .and_then(|reason| serde_json::to_string(reason).ok())
        .unwrap_or_else(|| "{}".to_owned())
}

pub async fn find(q: &mut impl Queries, id: BookingId) -> Result<Option<Booking>> {
    let row = q
        .query_opt(
            sql!(
                "select id, meeting, rep, contact_id, visitor_id, conversation_id, starts_at, ends_at, block_from,
                     block_to, state, hold_expires_at, sequence, time_zone, language, location, notes, assignment,
                     outcome, outcome_at, cancel_reason, created_at, updated_at, answers, companion
                 from bookings
                 where id = $1 and companion_of is null"
            ),
            params![id],
        )
        .await?;
    row.as_ref().map(booking).transpose()
}

/// How far ahead of this machine's clock that of another node may be. What was held later than that was held before the
/// clock was put back: it has run out, or it would stand until the old time comes again.
pub const AHEAD_MS: i64 = MINUTE_MS;

/// What blocks somebody's calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocking {
    /// The call that does; two rows of one call have the same.
    pub booking: BookingId,
    pub meeting: String,
    pub rep: String,
    /// Whether the rep is the second of two.
    pub is_companion: bool,
    pub holder: Holder,
    pub starts_at: Timestamp,
    pub block: Span,
    pub state: State,
}

/// What blocks anybody's calendar and begins within `span`.
pub async fn blocking(q: &mut impl Queries, span: Span, now: Timestamp) -> Result<Vec<Blocking>> {
    let rows = q
        .query(
            sql!(
                "select id, companion_of, meeting, rep, visitor_id, conversation_id, starts_at, block_from, block_to,
                     state
                 from bookings
                 where starts_at >= $1 and starts_at < $2
                   and (state = 'confirmed'
                       or (state = 'hold' and hold_expires_at > $3 and created_at <= $4))"
            ),
            params![span.from, span.to, now, now.plus_ms(AHEAD_MS)],
        )
        .await?;
    let blocking = |row: &Row| -> Result<Blocking> {
        let first: Option<BookingId> = row.get("companion_of")?;
        let own = row.get("id")?;
        Ok(Blocking {
            booking: first.unwrap_or(own),
            meeting: row.get("meeting")?,
            rep: row.get("rep")?,
            is_companion: first.is_some(),
            holder: Holder { visitor: row.get("visitor_id")?, conversation: row.get("conversation_id")? },
            starts_at: row.get("starts_at")?,
            block: Span::new(row.get("block_from")?, row.get("block_to")?),
            state: state_of(row)?,
        })
    };
    rows.iter().map(blocking).collect()
}

pub async fn between(q: &mut impl Queries, span: Span) -> Result<Vec<Booking>> {
    let rows = q
        .query(
            sql!(
                "select id, meeting, rep, contact_id, visitor_id, conversation_id, starts_at, ends_at, block_from,
                     block_to, state, hold_expires_at, sequence, time_zone, language, location, notes, assignment,
                     outcome, outcome_at, cancel_reason, created_at, updated_at, answers, companion
                 from bookings
                 where state in ('confirmed', 'cancelled') and starts_at >= $1 and starts_at < $2
                     and companion_of is null
                 order by starts_at, id"
            ),
            params![span.from, span.to],
        )
        .await?;
    rows.iter().map(booking).collect()
}

pub async fn of_contact(q: &mut impl Queries, contact: ContactId) -> Result<Vec<Booking>> {
    let rows = q
        .query(
            sql!(
                "select id, meeting, rep, contact_id, visitor_id, conversation_id, starts_at, ends_at, block_from,
                     block_to, state, hold_expires_at, sequence, time_zone, language, location, notes, assignment,
                     outcome, outcome_at, cancel_reason, created_at, updated_at, answers, companion
                 from bookings
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                     and state in ('confirmed', 'cancelled')
                 order by starts_at desc, id"
            ),
            params![contact],
        )
        .await?;
    rows.iter().map(booking).collect()
}

/// The calls that lie ahead and how their times were told, the earliest first.
pub async fn told_ahead(q: &mut impl Queries, now: Timestamp) -> Result<Vec<Told>> {
    let rows = q
        .query(
            sql!(
                "select id, meeting, rep, contact_id, starts_at, time_zone, tzdb, offset_s, rep_zone, rep_offset_s
                 from bookings
                 where state = 'confirmed' and starts_at > $1 and companion_of is null
                 order by starts_at, id"
            ),
            params![now],
        )
        .await?;
    let told = |row: &Row| -> Result<Told> {
        let (edition, offset_s): (Option<String>, Option<i64>) = (row.get("tzdb")?, row.get("offset_s")?);
        let rep_zone: Option<String> = row.get("rep_zone")?;
        let rep_offset_s: Option<i64> = row.get("rep_offset_s")?;
        Ok(Told {
            booking: row.get("id")?,
            meeting: row.get("meeting")?,
            rep: row.get("rep")?,
            contact: row.get("contact_id")?,
            starts_at: row.get("starts_at")?,
            time_zone: row.get("time_zone")?,
            by: edition.zip(offset_s),
            rep_told: rep_zone.zip(rep_offset_s),
        })
    };
    rows.iter().map(told).collect()
}

fn wrong(column: &str, wanted: &'static str) -> crate::storage::Error {
    crate::storage::Error::Shape { column: column.to_owned(), wanted }
}

fn state_of(row: &Row) -> Result<State> {
    let state: String = row.get("state")?;
    State::of_word(&state).ok_or_else(|| wrong("state", "a booking's state"))
}

fn booking(row: &Row) -> Result<Booking> {
    let outcome: Option<String> = row.get("outcome")?;
    Ok(Booking {
        id: row.get("id")?,
        meeting: row.get("meeting")?,
        rep: row.get("rep")?,
        companion: row.get("companion")?,
        contact: row.get("contact_id")?,
        visitor: row.get("visitor_id")?,
        conversation: row.get("conversation_id")?,
        starts_at: row.get("starts_at")?,
        ends_at: row.get("ends_at")?,
        block: Span::new(row.get("block_from")?, row.get("block_to")?),
        state: state_of(row)?,
        hold_expires_at: row.get("hold_expires_at")?,
        sequence: row.get("sequence")?,
        time_zone: row.get("time_zone")?,
        language: row.get("language")?,
        location: row.get("location")?,
        notes: row.get("notes")?,
        answers: row.json("answers").unwrap_or_default(),
        assignment: row.json("assignment").ok(),
        outcome: match outcome {
            Some(word) => Some(Outcome::of_word(&word).ok_or_else(|| wrong("outcome", "a call's outcome"))?),
            None => None,
        },
        outcome_at: row.get("outcome_at")?,
        cancel_reason: row.get("cancel_reason")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

pub async fn expire_holds_of(tx: &mut Tx, rep: &str, now: Timestamp) -> Result<u64> {
    tx.execute(
        sql!(
            "update bookings
             set state = 'expired', updated_at = $2
             where rep = $1 and state = 'hold' and (hold_expires_at <= $2 or created_at > $3)"
        ),
        params![rep, now, now.plus_ms(AHEAD_MS)],
    )
    .await
}

/// The reps who have a hold, in the order of their ids.
pub async fn reps_with_holds(q: &mut impl Queries) -> Result<Vec<String>> {
    let rows =
        q.query(sql!("select distinct rep from bookings where state = 'hold' order by rep"), &[]).await?;
    rows.iter().map(|row| row.get("rep")).collect()
}

/// The holds of a rep that stood when the clock was set last as long as they would have. One that had run out by
/// then stays so, and one that was kept until a time which somebody was told keeps that time.
pub async fn shift_holds_of(tx: &mut Tx, rep: &str, step: Step, now: Timestamp) -> Result<u64> {
    // By the clock as it was, held by now and not run out. What was held in the moment since the clock was set goes by the
    // new one already: after a step forward it lies behind the old time; after a step back it cannot be told from what was
    // held as long ago as the step is long, and that little lasts longer.
    let Step { by_ms, within_ms, seen_by: _ } = step;
    let then = now.plus_ms(-by_ms);
    let since = if by_ms < 0 { now.plus_ms(-within_ms) } else { then };
    tx.execute(
        sql!(
            "update bookings
             set created_at = created_at + $2, hold_expires_at = hold_expires_at + $2, updated_at = updated_at + $2
             where rep = $1 and state = 'hold' and hold_expires_at > $3 and (created_at <= $4 or created_at > $5)
                 and not exists (select 1 from earlier_offers o
                     where o.hold_id = bookings.id or o.hold_id = bookings.companion_of)"
        ),
        params![rep, by_ms, then, since, now],
    )
    .await
}

/// The last step of a clock that was noted, and when, by the clock after it.
pub async fn last_step(q: &mut impl Queries) -> Result<Option<(Step, Timestamp)>> {
    let row =
        q.query_opt(sql!("select by_ms, at, seen_by from clock_steps where name = 'last'"), &[]).await?;
    let read = |row: Row| -> Result<(Step, Timestamp)> {
        let step = Step { by_ms: row.get("by_ms")?, within_ms: 0, seen_by: row.get("seen_by")? };
        Ok((step, row.get("at")?))
    };
    row.map(read).transpose()
}

/// Notes it.
pub async fn note_step(tx: &mut Tx, step: Step, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "insert into clock_steps (name, by_ms, at, seen_by) values ('last', $1, $2, $3)
             on conflict (name) do update
             set by_ms = excluded.by_ms, at = excluded.at, seen_by = excluded.seen_by"
        ),
        params![step.by_ms, now, step.seen_by],
    )
    .await?;
    Ok(())
}

/// The reps who have a hold that ran out, in the order of their ids.
pub async fn reps_with_old_holds(q: &mut impl Queries, now: Timestamp) -> Result<Vec<String>> {
    let rows = q
        .query(
            sql!(
                "select distinct rep
                 from bookings
                 where state = 'hold' and (hold_expires_at <= $1 or created_at > $2)
                 order by rep"
            ),
            params![now, now.plus_ms(AHEAD_MS)],
        )
        .await?;
    rows.iter().map(|row| row.get("rep")).collect()
}

/// Lets go of everything that this holder holds.
pub async fn release_holds(tx: &mut Tx, holder: &Holder, now: Timestamp) -> Result<()> {
    if *holder == Holder::default() {
        return Ok(());
    }
    let rows = tx
        .query(
            sql!(
                "select id
                 from bookings
                 where state = 'hold' and (visitor_id = $1 or conversation_id = $2)
                 order by rep, id"
            ),
            params![holder.visitor, holder.conversation],
        )
        .await?;
    // One by one in the order of the reps: a call of two has two rows.
    for row in rows {
        tx.execute(
            sql!("update bookings set state = 'expired', updated_at = $2 where id = $1 and state = 'hold'"),
            params![row.get::<BookingId>("id")?, now],
        )
        .await?;
    }
    Ok(())
}

/// What every rep was assigned since the cycle began. A time that is only held is nobody's call yet: whoever picks and leaves
/// must not move the turn.
pub async fn standings(q: &mut impl Queries, cycle_start: Timestamp) -> Result<HashMap<String, Standing>> {
    let rows = q
        .query(
            sql!(
                "select rep, max(created_at) as last_assigned_at,
                     sum(case when created_at >= $1 then 1 else 0 end) as meetings,
                     sum(case when created_at >= $1 and outcome = 'no_show' then 1 else 0 end) as no_shows,
                     sum(case when created_at >= $1 and state = 'cancelled' then 1 else 0 end) as cancellations
                 from bookings
                 where state in ('confirmed', 'cancelled') and created_at >= $2
                 group by rep"
            ),
            params![cycle_start, cycle_start.plus_ms(-LAST_ASSIGNED_MS)],
        )
        .await?;
    let standing = |row: &Row| -> Result<(String, Standing)> {
        let standing = Standing {
            meetings: row.get("meetings")?,
            no_shows: row.get("no_shows")?,
            cancellations: row.get("cancellations")?,
            calibration: 0,
            credit: 0,
            last_assigned_at: row.get("last_assigned_at")?,
        };
        Ok((row.get("rep")?, standing))
    };
    rows.iter().map(standing).collect()
}

/// The account that owns the contact.
pub async fn owner(q: &mut impl Queries, contact: ContactId) -> Result<Option<Email>> {
    let row = q
        .query_opt(
            sql!(
                "select a.email as email
                 from contacts c
                 join accounts a on a.id = c.owner_id
                 where c.id = $1 and a.disabled_at is null"
            ),
            params![contact],
        )
        .await?;
    let email: Option<String> = row.map(|row| row.get("email")).transpose()?;
    Ok(email.and_then(|email| Email::parse(&email).ok()))
}

/// The account that owns the deal of the contact's company, or one that the contact is part of: an open one before one that
/// was won, the newest first.
pub async fn account_owner(q: &mut impl Queries, contact: ContactId) -> Result<Option<Email>> {
    let row = q
        .query_opt(
            sql!(
                "select a.email as email
                 from deals d
                 join accounts a on a.id = d.owner_id
                 where a.disabled_at is null and d.status in ('open', 'won')
                     and (d.company_id = (select company_id from contacts where id = $1)
                         or d.id in (select deal_id from deal_people where contact_id = $1))
                 order by case when d.status = 'open' then 0 else 1 end, d.opened_at desc, d.id desc limit 1"
            ),
            params![contact],
        )
        .await?;
    let email: Option<String> = row.map(|row| row.get("email")).transpose()?;
    Ok(email.and_then(|email| Email::parse(&email).ok()))
}

/// How many calls a contact has ahead.
pub async fn count_ahead(q: &mut impl Queries, contact: ContactId, now: Timestamp) -> Result<i64> {
    let row = q
        .query_opt(
            sql!(
                "select count(*) as ahead
                 from bookings
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                     and state = 'confirmed' and starts_at > $2"
            ),
            params![contact, now],
        )
        .await?;
    row.map_or(Ok(0), |row| row.get("ahead"))
}

/// How many calls were booked for a contact since then, those included that were cancelled.
pub async fn count_booked(q: &mut impl Queries, contact: ContactId, since: Timestamp) -> Result<i64> {
    let row = q
        .query_opt(
            sql!(
                "select count(*) as booked
                 from bookings
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                     and state in ('confirmed', 'cancelled') and created_at > $2"
            ),
            params![contact, since],
        )
        .await?;
    row.map_or(Ok(0), |row| row.get("booked"))
}

/// Makes the rep who logs in with this account the owner of a contact who has none.
pub async fn adopt(tx: &mut Tx, contact: ContactId, account: &Email, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "update contacts
             set owner_id = (select id from accounts where email = $2 and disabled_at is null), updated_at = $3
             where id = $1 and owner_id is null"
        ),
        params![contact, account.as_str(), now],
    )
    .await?;
    Ok(())
}

/// A call of somebody who is being erased, as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalledOff {
    pub booking: BookingId,
    pub sequence: i64,
    /// Whether it was a call, and not only held.
    pub was_booked: bool,
}

/// Calls off what a contact who is being erased has ahead: nobody is left to come.
///
/// # Errors
/// As the store says.
pub async fn cancel_ahead(tx: &mut Tx, contact: ContactId, now: Timestamp) -> Result<Vec<CalledOff>> {
    let rows = tx
        .query(
            sql!(
                "select id, companion_of, state, sequence
                 from bookings
                 where state in ('hold', 'confirmed') and starts_at > $2
                     and (contact_id in (select own_id from contact_ids where contact_id = $1)
                         or companion_of in (select id from bookings
                             where contact_id in (select own_id from contact_ids where contact_id = $1)))
                 order by rep, id"
            ),
            params![contact, now],
        )
        .await?;
    let mut calls = Vec::new();
    for row in &rows {
        let booking: BookingId = row.get("id")?;
        let touched = tx
            .execute(
                sql!(
                    "update bookings
                     set state = 'cancelled', hold_expires_at = null, sequence = sequence + 1, updated_at = $2
                     where id = $1 and state in ('hold', 'confirmed')"
                ),
                params![booking, now],
            )
            .await?;
        let is_first = row.get::<Option<BookingId>>("companion_of")?.is_none();
        if is_first && touched > 0 {
            let sequence: i64 = row.get("sequence")?;
            let was_booked = state_of(row)? == State::Confirmed;
            calls.push(CalledOff { booking, sequence: sequence + 1, was_booked });
        }
    }
    Ok(calls)
}
