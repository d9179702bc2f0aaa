//! Examples of visits that were set aside: what made one take them for a machine's, and what they looked at.

use serde::Serialize;

use super::{Question, number_of};
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::{Db, Queries};
use crate::{params, sql};

/// A visit that counts nowhere. Nothing in it leads to somebody: neither address nor identifier is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    pub at: Timestamp,
    /// The reason's word, see `BotReason`.
    pub reason: String,
    pub page: Option<String>,
    pub browser: Option<String>,
    pub os: Option<String>,
    /// Who runs the network that it came from.
    pub network: Option<String>,
    pub country: Option<String>,
    pub referrer: Option<String>,
    pub hits: i64,
}

/// The latest visits of the period that were set aside.
///
/// # Errors
/// As the store says.
pub async fn filtered(db: &Db, question: &Question<'_>, most: i64) -> Result<Vec<Example>> {
    let Some(site) = number_of(db, &question.site.key).await? else { return Ok(Vec::new()) };
    let (from, to) = question.period.instants(&question.site.zone());
    let rows = db
        .read()
        .query(
            sql!(
                "select v.started_at, b.text as reason, p.text as page, w.text as browser, o.text as os,
                     n.text as network, c.text as country, r.text as referrer, v.hits
                 from visits v
                 join words b on b.id = v.bot
                 left join words p on p.id = v.entry
                 left join words w on w.id = v.browser
                 left join words o on o.id = v.os
                 left join words n on n.id = v.network
                 left join words c on c.id = v.country
                 left join words r on r.id = v.referrer
                 where v.site = $1 and v.bot is not null and v.started_at >= $2 and v.started_at < $3
                 order by v.started_at desc
                 limit $4"
            ),
            params![site, from, to, most],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Example {
                at: row.get("started_at")?,
                reason: row.get("reason")?,
                page: row.get("page")?,
                browser: row.get("browser")?,
                os: row.get("os")?,
                network: row.get("network")?,
                country: row.get("country")?,
                referrer: row.get("referrer")?,
                hits: row.get("hits")?,
            })
        })
        .collect()
}
