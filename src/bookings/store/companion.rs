//! The second row of a call that two hold: it blocks the calendar of whoever is there, too, under the same guard, and
//! follows the first row in everything. Nothing is known of it outside of this file but what blocks and what counts for a
//! rep.

use crate::base::ids::BookingId;
use crate::bookings::{Booking, Error, Outcome, Result};
use crate::storage;
use crate::storage::db::Tx;
use crate::{params, sql};

pub async fn insert(tx: &mut Tx, first: &Booking, rep: &str) -> storage::Result<()> {
    tx.execute(
        sql!(
            "insert into bookings (id, meeting, rep, visitor_id, conversation_id, starts_at, ends_at, block_from,
                 block_to, state, hold_expires_at, sequence, time_zone, language, created_at, updated_at,
                 companion_of)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
        ),
        params![
            BookingId::new(),
            &first.meeting,
            rep,
            first.visitor,
            first.conversation,
            first.starts_at,
            first.ends_at,
            first.block.from,
            first.block.to,
            first.state.word(),
            first.hold_expires_at,
            first.sequence,
            &first.time_zone,
            first.language,
            first.created_at,
            first.updated_at,
            first.id,
        ],
    )
    .await?;
    Ok(())
}

/// Brings the second row to where the first one goes.
///
/// # Errors
/// [`Error::Changed`] if it is not where `old` was: a hold that was let go at this moment.
pub async fn replace(tx: &mut Tx, old: &Booking, new: &Booking) -> Result<()> {
    match (&old.companion, &new.companion) {
        (None, None) => Ok(()),
        (None, Some(rep)) => Ok(insert(tx, new, rep).await?),
        (Some(_), None) => {
            tx.execute(sql!("delete from bookings where companion_of = $1"), params![old.id]).await?;
            Ok(())
        }
        (Some(_), Some(rep)) => follow(tx, old, new, rep).await,
    }
}

async fn follow(tx: &mut Tx, old: &Booking, new: &Booking, rep: &str) -> Result<()> {
    let touched = tx
        .execute(
            sql!(
                "update bookings
                 set rep = $3, starts_at = $4, ends_at = $5, block_from = $6, block_to = $7, state = $8,
                     hold_expires_at = $9, sequence = $10, outcome = $11, outcome_at = $12, updated_at = $13
                 where companion_of = $1 and state = $2"
            ),
            params![
                old.id,
                old.state.word(),
                rep,
                new.starts_at,
                new.ends_at,
                new.block.from,
                new.block.to,
                new.state.word(),
                new.hold_expires_at,
                new.sequence,
                new.outcome.map(Outcome::word),
                new.outcome_at,
                new.updated_at,
            ],
        )
        .await?;
    if touched == 1 { Ok(()) } else { Err(Error::Changed) }
}
