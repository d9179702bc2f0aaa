//! The tables beside the bookings: absences, where reps entered the rotation, and credits.

use std::collections::HashMap;

use crate::base::ids::{AbsenceId, new_key};
use crate::base::time::Timestamp;
use crate::bookings::absence::Absence;
use crate::bookings::slots::Span;
use crate::storage::Result;
use crate::storage::db::{Queries, Row, Tx};
use crate::{params, sql};

/// How a rep entered the rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entered {
    /// The calls that she is counted with although she never had them.
    pub calibration: i64,
    /// Since when.
    pub at: Timestamp,
}

/// The absences that were entered by hand and end after `since`, the earliest first.
pub async fn absences(q: &mut impl Queries, since: Timestamp) -> Result<Vec<Absence>> {
    let rows = q
        .query(
            sql!(
                "select id, rep, from_at, to_at, delegate, note
                 from absences
                 where to_at > $1
                 order by from_at, id"
            ),
            params![since],
        )
        .await?;
    rows.iter().map(absence).collect()
}

fn absence(row: &Row) -> Result<Absence> {
    Ok(Absence {
        id: Some(row.get("id")?),
        rep: row.get("rep")?,
        span: Span::new(row.get("from_at")?, row.get("to_at")?),
        delegate: row.get("delegate")?,
        note: row.get("note")?,
    })
}

pub async fn add_absence(tx: &mut Tx, id: AbsenceId, absence: &Absence, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "insert into absences (id, rep, from_at, to_at, delegate, note, created_at)
             values ($1, $2, $3, $4, $5, $6, $7)"
        ),
        params![
            id,
            &absence.rep,
            absence.span.from,
            absence.span.to,
            absence.delegate.as_ref(),
            absence.note.as_ref(),
            now,
        ],
    )
    .await?;
    Ok(())
}

/// Takes a rep's absence out; `false` if there is none of this id.
pub async fn remove_absence(tx: &mut Tx, id: AbsenceId, rep: &str) -> Result<bool> {
    let gone = tx.execute(sql!("delete from absences where id = $1 and rep = $2"), params![id, rep]).await?;
    Ok(gone > 0)
}

pub async fn entered(q: &mut impl Queries) -> Result<HashMap<String, Entered>> {
    let rows = q.query(sql!("select rep, calibration, calibrated_at from rotation"), &[]).await?;
    let entry = |row: &Row| {
        Ok((row.get("rep")?, Entered { calibration: row.get("calibration")?, at: row.get("calibrated_at")? }))
    };
    rows.iter().map(entry).collect()
}

pub async fn enter(tx: &mut Tx, rep: &str, calibration: i64, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "insert into rotation (rep, calibration, calibrated_at)
             values ($1, $2, $3)
             on conflict (rep) do update
             set calibration = excluded.calibration, calibrated_at = excluded.calibrated_at"
        ),
        params![rep, calibration, now],
    )
    .await?;
    Ok(())
}

/// The calls given back since then, by rep; negative where they were taken.
pub async fn credits(q: &mut impl Queries, since: Timestamp) -> Result<HashMap<String, i64>> {
    let rows = q
        .query(
            sql!(
                "select rep, cast(sum(amount) as bigint) as credit
                 from credits
                 where created_at >= $1
                 group by rep"
            ),
            params![since],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get("rep")?, row.get("credit")?))).collect()
}

pub async fn add_credit(
    tx: &mut Tx,
    rep: &str,
    amount: i64,
    note: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into credits (id, rep, amount, note, created_at)
             values ($1, $2, $3, $4, $5)"
        ),
        params![new_key(), rep, amount, note, now],
    )
    .await?;
    Ok(())
}
