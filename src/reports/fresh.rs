//! Who became an MQL or an SQL lately.

use serde::Serialize;

use super::{Names, name_of};
use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

/// Somebody who moved up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fresh {
    pub contact_id: ContactId,
    pub name: String,
    pub company: Option<String>,
    pub stage: String,
    /// The rule in words.
    pub reason: String,
    pub at: Timestamp,
}

/// The people who entered one of the two stages since `since` and are still in it, the latest first.
///
/// # Errors
/// As the store says.
pub async fn fresh(
    q: &mut impl Queries,
    names: &Names<'_>,
    since: Timestamp,
    most: i64,
) -> Result<Vec<Fresh>> {
    let rows = q
        .query(
            sql!(
                "select c.id as contact_id, c.email, c.first_name, c.last_name, co.name as company, i.stage, i.rule,
                     i.entered_at
                 from stage_intervals i
                 join contacts c on c.id = i.contact_id
                 left join companies co on co.id = c.company_id
                 where i.left_at is null and c.merged_into is null and i.stage in ('mql', 'sql')
                     and i.entered_at >= $1
                 order by i.entered_at desc, i.id desc limit $2"
            ),
            params![since, most],
        )
        .await?;
    let fresh = rows.iter().map(|row| {
        Ok(Fresh {
            contact_id: row.get("contact_id")?,
            name: name_of(row)?,
            company: row.get("company")?,
            stage: row.get("stage")?,
            reason: names.rule(&row.get::<String>("rule")?),
            at: row.get("entered_at")?,
        })
    });
    fresh.collect()
}
