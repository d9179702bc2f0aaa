//! The weeks that reps wrote in the console.

use std::collections::HashMap;

use crate::base::ids::AccountId;
use crate::base::time::Timestamp;
use crate::bookings::own_week::Written;
use crate::bookings::team::Week;
use crate::storage::Result;
use crate::storage::db::{Queries, Row, Tx};
use crate::{params, sql};

pub async fn find(q: &mut impl Queries, rep: &str) -> Result<Option<Written>> {
    let row = q
        .query_opt(sql!("select week, version, updated_at from own_weeks where rep = $1"), params![rep])
        .await?;
    let written = |row: &Row| -> Result<Written> {
        Ok(Written { week: week(row)?, version: row.get("version")?, at: Some(row.get("updated_at")?) })
    };
    row.as_ref().map(written).transpose()
}

/// The weeks that hold, by rep.
pub async fn all(q: &mut impl Queries) -> Result<HashMap<String, Week>> {
    let rows = q.query(sql!("select rep, week from own_weeks where week is not null"), &[]).await?;
    let mut weeks = HashMap::new();
    for row in &rows {
        if let Some(week) = week(row)? {
            weeks.insert(row.get("rep")?, week);
        }
    }
    Ok(weeks)
}

/// Puts a week in the place of the one of `version`; `false` if that is not there any more.
pub async fn put(
    tx: &mut Tx,
    (rep, version): (&str, i64),
    week: Option<&Week>,
    by: AccountId,
    now: Timestamp,
) -> Result<bool> {
    let week = week.and_then(|week| serde_json::to_string(week).ok());
    let written = tx
        .execute(
            sql!(
                "insert into own_weeks (rep, week, version, account_id, updated_at)
                 values ($1, $2, 1, $4, $5)
                 on conflict (rep) do update
                 set week = excluded.week, version = own_weeks.version + 1, account_id = excluded.account_id,
                     updated_at = excluded.updated_at
                 where own_weeks.version = $3"
            ),
            params![rep, week, version, by, now],
        )
        .await?;
    Ok(written > 0)
}

fn week(row: &Row) -> Result<Option<Week>> {
    let text: Option<String> = row.get("week")?;
    match text {
        Some(text) => {
            serde_json::from_str(&text).map(Some).map_err(|_| super::wrong("week", "the hours of a week"))
        }
        None => Ok(None),
    }
}
