//! How many came, from where, to what, and what they did.
//!
//! A question without filters is answered from the counts that the projection keeps for each day and hour; a question with
//! filters from the visits of the period, one by one. Both say the same: a test holds them against each other. Visitors are
//! exact while they are few and estimated after that ([`Sketch`](crate::base::sketch::Sketch)); who allows no identifier is
//! another visitor every day.

mod board;
mod counted;
mod csv;
mod ctas;
mod filter;
mod filtered;
mod funnel;
mod live;
mod pulse;
mod scan;

use std::collections::HashMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::base::sketch::Sketch;
use crate::base::time::{HOUR_MS, Timestamp};
use crate::hits;
use crate::sessions::{Dimension, Known, Measures};
use crate::sites::Site;
use crate::storage::Result;
use crate::storage::db::{Db, Queries};
use crate::{params, sql};

pub use board::{Board, Wanted, board};
pub use csv::csv;
pub use ctas::{Row as CtaRow, ctas};
pub use filter::{Filter, Unreadable};
pub use filtered::{Example, filtered};
pub use funnel::{Goal, Stage, Step, funnels, goals};
pub use live::{Live, here, live};
pub use pulse::{Pulse, pulse};

/// The longest period that can be asked about, in days.
pub const DAYS_MOST: i64 = 3_660;
/// Values of a breakdown that can be asked for.
pub const VALUES_MOST: usize = 500;
/// The name of all values that are not told one by one.
pub const OTHERS: &str = "(others)";
/// The name of no value.
pub const NONE: &str = "(none)";

/// Days of a site, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Period {
    pub from: Date,
    pub to: Date,
}

impl Period {
    /// How many days it has; at least one.
    pub fn days(&self) -> i64 {
        day_number(self.to) - day_number(self.from) + 1
    }

    /// The same number of days just before it.
    #[must_use]
    pub fn previous(&self) -> Self {
        let days = self.days();
        Self { from: date_of(day_number(self.from) - days), to: date_of(day_number(self.to) - days) }
    }

    /// The same days a year before (the 28th of February for the 29th).
    #[must_use]
    pub fn year_before(&self) -> Self {
        let before = |date: Date| date.checked_sub(jiff::Span::new().years(1)).unwrap_or(date);
        Self { from: before(self.from), to: before(self.to) }
    }

    /// From the first day's midnight to the last day's end in a zone.
    pub fn instants(&self, zone: &TimeZone) -> (Timestamp, Timestamp) {
        let midnight = |date: Date| {
            date.to_zoned(zone.clone()).map_or(Timestamp(day_number(date) * 24 * HOUR_MS), |midnight| {
                Timestamp::from_jiff(midnight.timestamp())
            })
        };
        (midnight(self.from), midnight(date_of(day_number(self.to) + 1)))
    }
}

/// The day's number since 1970-01-01.
pub fn day_number(date: Date) -> i64 {
    date.to_zoned(TimeZone::UTC).map_or(0, |midnight| midnight.timestamp().as_second().div_euclid(86_400))
}

/// The date of a day's number.
pub fn date_of(day: i64) -> Date {
    Timestamp(day.saturating_mul(24 * HOUR_MS)).to_jiff().to_zoned(TimeZone::UTC).date()
}

/// What is asked about.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    pub site: &'a Site,
    pub period: Period,
    /// All of them have to hold.
    pub filters: &'a [Filter],
}

/// How a curve is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    Day,
    /// UTC's hours, also where a zone is half an hour off.
    Hour,
    /// From Monday on.
    Week,
}

impl Interval {
    /// The point of the curve to which a day belongs; none for hours.
    fn of_day(self, day: i64) -> Option<i64> {
        match self {
            Self::Day => Some(day),
            Self::Week => Some(monday_of(day)),
            Self::Hour => None,
        }
    }
}

/// The number of the Monday of a day's week (ISO 8601); the epoch was a Thursday.
pub fn monday_of(day: i64) -> i64 {
    day - (day + 3).rem_euclid(7)
}

/// What was counted, as it is told.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Numbers {
    pub visitors: i64,
    pub visits: i64,
    pub views: i64,
    pub events: i64,
    /// Visits with one page and nothing done, in percent of all.
    pub bounce_rate: f64,
    /// Attention per visit (per view of a page), in milliseconds.
    pub engaged_ms: i64,
    /// How far a page was scrolled on average, in percent; 0 for everything that is no page.
    pub scroll: i64,
}

impl Numbers {
    fn of(measures: &Measures, visitors: i64) -> Self {
        let visits = measures.visits.max(0);
        let per = |sum: i64, count: i64| if count > 0 { sum / count } else { 0 };
        Self {
            visitors,
            visits,
            views: measures.views,
            events: measures.events,
            bounce_rate: percent(measures.bounces, visits),
            engaged_ms: per(measures.engaged_ms, visits),
            scroll: per(measures.scroll, visits),
        }
    }
}

/// A share in percent with one decimal.
#[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn percent(part: i64, whole: i64) -> f64 {
    if whole <= 0 {
        return 0.0;
    }
    (part as f64 * 1_000.0 / whole as f64).round() / 10.0
}

/// A point of the curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// The day (`2026-11-23`), or the hour's beginning (RFC 3339, UTC).
    pub at: String,
    #[serde(flatten)]
    pub numbers: Numbers,
}

/// The whole period and its curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    pub period: Period,
    pub total: Numbers,
    pub series: Vec<Point>,
}

/// A value of a dimension.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Value {
    /// What it is called; [`NONE`] and [`OTHERS`] stand for what has no name.
    pub value: String,
    #[serde(flatten)]
    pub numbers: Numbers,
}

/// A sum and who it was.
#[derive(Debug, Clone)]
struct Sum {
    measures: Measures,
    visitors: Sketch,
}

impl Sum {
    fn new(precision: u8) -> Self {
        Self { measures: Measures::default(), visitors: Sketch::new(precision) }
    }

    fn numbers(&self) -> Numbers {
        Numbers::of(&self.measures, self.visitors.count())
    }
}

/// Everything and its curve.
///
/// # Errors
/// As the store says.
pub async fn summary(db: &Db, question: &Question<'_>, interval: Interval) -> Result<Summary> {
    let empty = || Summary { period: question.period, total: Sum::new(12).numbers(), series: Vec::new() };
    let Some(site) = number_of(db, &question.site.key).await? else { return Ok(empty()) };
    let (total, mut points) = if question.filters.is_empty() {
        counted::summary(db, site, question, interval).await?
    } else {
        scan::summary(db, site, question, interval).await?
    };
    Ok(told(question, interval, &total, &mut points))
}

/// The whole and every point of the curve, also those at which nothing was.
fn told(question: &Question<'_>, interval: Interval, total: &Sum, points: &mut HashMap<i64, Sum>) -> Summary {
    let (first, last) = (day_number(question.period.from), day_number(question.period.to));
    let slots: Vec<i64> = match interval {
        Interval::Day => (first..=last).collect(),
        Interval::Week => (monday_of(first)..=last).step_by(7).collect(),
        Interval::Hour => {
            let (from, to) = question.period.instants(&question.site.zone());
            (from.as_ms().div_euclid(HOUR_MS)..to.as_ms().div_euclid(HOUR_MS)).collect()
        }
    };
    let series = slots.into_iter().map(|slot| Point {
        at: match interval {
            // A week that began before the period counts from its first day on.
            Interval::Day | Interval::Week => date_of(slot.max(first)).to_string(),
            Interval::Hour => Timestamp(slot * HOUR_MS).to_string(),
        },
        numbers: points.remove(&slot).unwrap_or_else(|| Sum::new(12)).numbers(),
    });
    Summary { period: question.period, total: total.numbers(), series: series.collect() }
}

/// The largest values of a dimension, at most `most`.
///
/// # Errors
/// As the store says.
pub async fn by(db: &Db, question: &Question<'_>, dimension: Dimension, most: usize) -> Result<Vec<Value>> {
    let Some(site) = number_of(db, &question.site.key).await? else { return Ok(Vec::new()) };
    let most = most.clamp(1, VALUES_MOST);
    let values = if question.filters.is_empty() {
        counted::by(db, site, question, dimension, most).await?
    } else {
        scan::by(db, site, question, dimension, most).await?
    };
    named(db, values).await
}

/// Values with their texts.
async fn named(db: &Db, values: Vec<(i64, Sum)>) -> Result<Vec<Value>> {
    let mut texts = hits::texts_of(&mut db.read(), values.iter().map(|(value, _)| *value)).await?;
    let told = values.into_iter().map(|(value, sum)| Value {
        value: match value {
            0 => NONE.to_owned(),
            crate::sessions::store::OTHERS => OTHERS.to_owned(),
            value => texts.remove(&value).unwrap_or_default(),
        },
        numbers: sum.numbers(),
    });
    Ok(told.collect())
}

/// Where a value stands: what is least comes first.
type Rank = (bool, std::cmp::Reverse<(i64, i64)>, i64);

/// The largest first: by visits (events by events), then by views; equals by their number.
fn rank_of(value: i64, sums: &Measures) -> Rank {
    (value < 0, std::cmp::Reverse((sums.visits.max(sums.events), sums.views)), value)
}

fn rank(values: &mut [(i64, Measures)]) {
    values.sort_by_key(|(value, sums)| rank_of(*value, sums));
}

/// The number of a text, if it was ever seen.
async fn number_of(db: &Db, text: &str) -> Result<Option<i64>> {
    let row = db.read().query_opt(sql!("select id from words where text = $1"), params![text]).await?;
    row.map(|row| row.get("id")).transpose()
}

/// The words that mean something to us; what was never seen is 0, which nothing is called by.
async fn known(db: &Db) -> Result<Known> {
    let mut numbers = [0; 7];
    for (number, word) in numbers.iter_mut().zip(Known::WORDS) {
        *number = number_of(db, word).await?.unwrap_or_default();
    }
    Ok(Known::of_numbers(numbers))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().expect("a date")
    }

    #[test]
    fn periods_are_compared_with_as_many_days_before() {
        let period = Period { from: date("2026-11-01"), to: date("2026-11-30") };
        assert_eq!(period.days(), 30);
        assert_eq!(period.previous(), Period { from: date("2026-10-02"), to: date("2026-10-31") });
        let leap = Period { from: date("2028-02-29"), to: date("2028-02-29") };
        assert_eq!(leap.year_before().from, date("2027-02-28"));
    }

    #[test]
    fn a_day_of_the_clock_change_has_its_hours() {
        let zone = crate::base::time::zone("Europe/Madrid").expect("a zone");
        let day = Period { from: date("2026-10-25"), to: date("2026-10-25") };
        let (from, to) = day.instants(&zone);
        assert_eq!(to.since_ms(from), 25 * HOUR_MS);
    }

    #[test]
    fn weeks_begin_on_mondays() {
        for day in ["2026-11-23", "2026-11-26", "2026-11-29"] {
            assert_eq!(date_of(monday_of(day_number(date(day)))), date("2026-11-23"), "{day}");
        }
        assert_eq!(date_of(monday_of(0)), date("1969-12-29"));
    }

    #[test]
    fn days_and_dates_are_the_same() {
        for day in [-1, 0, 20_000, 20_777] {
            assert_eq!(day_number(date_of(day)), day);
        }
    }
}
