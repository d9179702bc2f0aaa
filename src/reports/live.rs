//! Who is on the site now.

use serde::Serialize;

use super::name_of;
use crate::base::ids::ContactId;
use crate::base::time::{MINUTE_MS, Timestamp};
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

/// Seen within this time is "now".
pub const NOW_MS: i64 = 5 * MINUTE_MS;

/// A visit that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Here {
    pub contact_id: Option<ContactId>,
    /// Empty for a visitor nobody knows.
    pub name: String,
    pub stage: Option<String>,
    pub page: String,
    pub country: Option<String>,
    pub last_at: Timestamp,
}

/// The visitors of the last minutes, people first and the latest first, and how many there are in all.
///
/// # Errors
/// As the store says.
pub async fn live(q: &mut impl Queries, now: Timestamp, most: i64) -> Result<(Vec<Here>, i64)> {
    let since = now.plus_ms(-NOW_MS);
    let count = q
        .query_opt(
            sql!("select count(*) as n from visits where last_at >= $1 and bot is null"),
            params![since],
        )
        .await?
        .map_or(Ok(0), |row| row.get("n"))?;
    let rows = q
        .query(
            sql!(
                "select c.id as contact_id, c.email, c.first_name, c.last_name, c.stage, p.text as page,
                     k.text as country, v.last_at
                 from visits v
                 left join visitors d on d.id = v.visitor and v.consent > 0
                 left join contacts c on c.id = d.contact_id
                 left join words p on p.id = v.exit
                 left join words k on k.id = v.country
                 where v.last_at >= $1 and v.bot is null
                 order by case when c.id is null then 1 else 0 end, v.last_at desc
                 limit $2"
            ),
            params![since, most],
        )
        .await?;
    let here = rows.iter().map(|row| {
        Ok(Here {
            contact_id: row.get("contact_id")?,
            name: name_of(row)?,
            stage: row.get("stage")?,
            page: row.get::<Option<String>>("page")?.unwrap_or_default(),
            country: row.get("country")?,
            last_at: row.get("last_at")?,
        })
    });
    Ok((here.collect::<Result<_>>()?, count))
}
