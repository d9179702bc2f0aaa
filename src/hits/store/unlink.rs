//! Takes a person out of the rows: what was counted stays, who it was goes.

use super::NO_DAY;
use crate::base::ids::VisitorId;
use crate::base::time::{DAY_MS, Timestamp};
use crate::storage::Result;
use crate::storage::db::{Db, Queries};
use crate::{params, sql};
use std::collections::BTreeSet;

/// Rows and visits that a device has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traces {
    pub hits: i64,
    pub visits: i64,
}

/// Puts a fresh id into the place of a device's in every row and visit, and drops what pages told about its events: the
/// counts of days stay as they are, also when they are made again, and lead to nobody. With `is_dry` it only counts.
///
/// The days are taken from the visits, and the visits are changed last: broken off and run again, it finds the rest.
///
/// # Errors
/// As the store says.
pub async fn unlink(db: &Db, device: VisitorId, is_dry: bool) -> Result<Traces> {
    let mut traces = Traces::default();
    let visits = db
        .read()
        .query(sql!("select started_at, last_at from visits where visitor = $1"), params![device.to_string()])
        .await?;
    let mut days = BTreeSet::from([NO_DAY]);
    for visit in &visits {
        let (from, to): (Timestamp, Timestamp) = (visit.get("started_at")?, visit.get("last_at")?);
        // A hit's day is that of its id, which was drawn by the browser's clock.
        days.extend(from.as_ms().div_euclid(DAY_MS) - 1..=to.as_ms().div_euclid(DAY_MS) + 1);
    }
    let stand_in = VisitorId::new();
    for day in days {
        if is_dry {
            let row = db
                .read()
                .query_opt(
                    sql!("select count(*) as n from hits where day = $1 and visitor = $2"),
                    params![day, device.uuid().as_bytes().to_vec()],
                )
                .await?;
            traces.hits += row.map_or(Ok(0), |row| row.get::<i64>("n"))?;
        } else {
            let touched = db
                .execute(
                    sql!("update hits set visitor = $3, props = null where day = $1 and visitor = $2"),
                    params![day, device.uuid().as_bytes().to_vec(), stand_in.uuid().as_bytes().to_vec()],
                )
                .await?;
            traces.hits += i64::try_from(touched).unwrap_or(i64::MAX);
        }
    }
    traces.visits = i64::try_from(visits.len()).unwrap_or(i64::MAX);
    if !is_dry {
        db.execute(
            sql!("update visits set visitor = $2 where visitor = $1"),
            params![device.to_string(), stand_in.to_string()],
        )
        .await?;
    }
    Ok(traces)
}
