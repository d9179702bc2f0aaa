//! How people went through the lifecycle: who went on, how long it took, what brought them, what it cost, and what sales
//! made of it.
//!
//! Each report is a query for plain rows and a pure function over them, so that its arithmetic can be checked by hand.

pub mod acceptance;
pub mod attribution;
pub mod bookings;
pub mod chats;
pub mod churn;
pub mod content;
pub mod costs;
pub mod frequency;
pub mod funnel;
pub mod health;
pub mod letters;
pub mod lives;
pub mod losses;
pub mod people;
pub mod responses;
pub mod shows;
pub mod sparks;
pub mod splits;
pub mod talks;
pub mod velocity;
pub mod ways;
pub mod webinars;

use serde::Serialize;

use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

/// From the first moment up to, and without, the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Span {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Span {
    /// Whether a moment lies in it.
    pub fn has(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

/// Somebody reached a stage on one of her journeys, for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    pub contact: ContactId,
    /// From 1; customers who come back for something new begin another.
    pub journey: i64,
    pub stage: String,
    pub at: Timestamp,
}

/// Every stage that was first reached since a moment, in order of time. A stage that was passed counts as reached. Two
/// contacts that are one person reach it once, when the first of them did; what a merge itself moved is not reached by it.
///
/// # Errors
/// As the store says.
pub async fn reached(q: &mut impl Queries, from: Timestamp) -> Result<Vec<Reached>> {
    let rows = q
        .query(
            sql!(
                "select coalesce(c.merged_into, c.id) as contact_id, i.journey, i.stage, min(i.entered_at) as at
                 from stage_intervals i join contacts c on c.id = i.contact_id
                 where i.rule not in ('merge', 'unmerge')
                 group by coalesce(c.merged_into, c.id), i.journey, i.stage having min(i.entered_at) >= $1
                 order by at, contact_id"
            ),
            params![from],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Reached {
                contact: row.get("contact_id")?,
                journey: row.get("journey")?,
                stage: row.get("stage")?,
                at: row.get("at")?,
            })
        })
        .collect()
}

/// `part` of `whole`, to four places; nothing of nothing.
#[allow(clippy::cast_precision_loss, reason = "people are counted")]
pub fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 10_000.0).round() / 10_000.0)
}
