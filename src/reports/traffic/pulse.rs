//! Whether far more come than usual: the hour that runs, held against the same hour of the days before.

use super::number_of;
use crate::base::time::Timestamp;
use crate::sessions::hour_of;
use crate::sites::Site;
use crate::storage::Result;
use crate::storage::db::{Db, Queries};
use crate::{params, sql};

/// Days that say what is usual.
const DAYS: i64 = 14;

/// The hour that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse {
    /// Visits that have begun in it.
    pub visits: i64,
    /// The median of the visits of the same hour (UTC) in the 14 days before, rounded up.
    pub usual: i64,
}

impl Pulse {
    /// Whether so many are a spike: at least `at_least`, and more than `factor` times the usual.
    pub fn is_spike(&self, factor: i64, at_least: i64) -> bool {
        self.visits >= at_least && self.visits > self.usual.saturating_mul(factor)
    }
}

/// How many come now, and how many usually do.
///
/// # Errors
/// As the store says.
pub async fn pulse(db: &Db, site: &Site, now: Timestamp) -> Result<Pulse> {
    let Some(number) = number_of(db, &site.key).await? else { return Ok(Pulse { visits: 0, usual: 0 }) };
    let hour = hour_of(now);
    let rows = db
        .read()
        .query(
            sql!("select hour, visits from traffic_hours where site = $1 and hour between $2 and $3"),
            params![number, hour - DAYS * 24, hour],
        )
        .await?;
    let (mut visits, mut before) = (0, Vec::new());
    for row in &rows {
        let (at, count): (i64, i64) = (row.at(0)?, row.at(1)?);
        match hour - at {
            0 => visits = count,
            apart if apart % 24 == 0 => before.push(count),
            _ => {}
        }
    }
    Ok(Pulse { visits, usual: median(before) })
}

/// Of the counts of [`DAYS`] days, of which those at which nobody came have none.
fn median(mut counts: Vec<i64>) -> i64 {
    counts.resize(usize::try_from(DAYS).unwrap_or(counts.len()).max(counts.len()), 0);
    counts.sort_unstable();
    let middle = counts.len() / 2;
    let at = |place: usize| counts.get(place).copied().unwrap_or_default();
    (at(middle.saturating_sub(1)) + at(middle) + 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_is_the_middle_and_days_without_anybody_count() {
        assert_eq!(median(vec![10; 14]), 10);
        assert_eq!(median(vec![10; 6]), 0, "on most days nobody came");
        assert_eq!(median([[10; 7], [13; 7]].concat()), 12);
    }

    #[test]
    fn a_spike_is_more_than_so_many_times_the_usual_and_no_trifle() {
        let pulse = |visits, usual| Pulse { visits, usual };
        assert!(pulse(51, 10).is_spike(5, 50) && !pulse(50, 10).is_spike(5, 50));
        assert!(!pulse(49, 0).is_spike(5, 50) && pulse(50, 0).is_spike(5, 50));
    }
}
