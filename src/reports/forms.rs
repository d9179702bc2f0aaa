//! What became of a form, day by day: shown, begun, sent, set apart, and how many of the senders were new.
//!
//! Views and beginnings are counted by the hour (`gates::shown`); what was sent stands in the submissions, so whoever was
//! erased is not counted any more.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::base::time::{HOUR_MS, Timestamp};
use crate::bookings::wall;
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

/// What was counted in some time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Numbers {
    /// Times that it was shown to a person.
    pub viewed: i64,
    /// Times that somebody typed into it.
    pub begun: i64,
    /// Times that it was sent and taken.
    pub sent: i64,
    /// Times that it was sent and set apart, whatever became of that.
    pub apart: i64,
    /// Times that whoever sent it became a contact by it.
    pub new: i64,
    /// Times that whoever sent it was one before.
    pub known: i64,
}

impl Numbers {
    fn add(&mut self, other: Self) {
        self.viewed += other.viewed;
        self.begun += other.begun;
        self.sent += other.sent;
        self.apart += other.apart;
        self.new += other.new;
        self.known += other.known;
    }
}

/// One day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    pub date: Date,
    pub numbers: Numbers,
}

/// Some days of a form.
#[derive(Debug, Clone, PartialEq)]
pub struct Days {
    /// Each day, the earliest first; those without anything, too.
    pub days: Vec<Day>,
    pub total: Numbers,
    /// Sent of those that were viewed, from 0 to 1: since views are counted, if that began within these days.
    pub rate: Option<f64>,
    /// The hour of the first view, if something was sent before it: views were not counted then.
    pub counted_since: Option<Timestamp>,
}

/// The last `count` days of a form up to now, as the zone has them.
///
/// # Errors
/// As the store says.
pub async fn days(
    q: &mut impl Queries,
    form: &str,
    zone: &TimeZone,
    count: i64,
    now: Timestamp,
) -> Result<Days> {
    let last = wall::date(zone, now);
    let mut dates: Vec<Date> = std::iter::successors(Some(last), |date| date.yesterday().ok())
        .take(usize::try_from(count).unwrap_or(1))
        .collect();
    dates.reverse();
    let first = dates.first().copied().unwrap_or(last);
    let from = wall::instant(zone, first, 0, wall::Edge::Start).unwrap_or(now);
    Ok(fold(zone, &dates, &hours(q, form, from).await?))
}

fn fold(zone: &TimeZone, dates: &[Date], hours: &BTreeMap<Timestamp, Numbers>) -> Days {
    let mut by_day: BTreeMap<Date, Numbers> = BTreeMap::new();
    let mut total = Numbers::default();
    for (hour, numbers) in hours {
        by_day.entry(wall::date(zone, *hour)).or_default().add(*numbers);
    }
    for numbers in by_day.values_mut() {
        // Whoever sent it without the page's script began it without telling so.
        numbers.begun = numbers.begun.max(numbers.sent + numbers.apart);
        total.add(*numbers);
    }
    let first_view = hours.iter().find(|(_, numbers)| numbers.viewed > 0).map(|(hour, _)| *hour);
    let sent_since = |since: Timestamp| hours.range(since..).map(|(_, numbers)| numbers.sent).sum::<i64>();
    let rate = first_view.map(|since| share(sent_since(since), total.viewed));
    let counted_since = first_view.filter(|since| sent_since(*since) < total.sent);
    let days = dates.iter().map(|date| {
        let numbers = by_day.get(date).copied().unwrap_or_default();
        Day { date: *date, numbers }
    });
    Days { days: days.collect(), total, rate, counted_since }
}

#[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn share(part: i64, of: i64) -> f64 {
    part as f64 / of.max(1) as f64
}

/// The numbers of each hour, by its first moment.
async fn hours(q: &mut impl Queries, form: &str, from: Timestamp) -> Result<BTreeMap<Timestamp, Numbers>> {
    let mut hours: BTreeMap<Timestamp, Numbers> = BTreeMap::new();
    let counted = q
        .query(
            sql!("select hour, viewed, begun, apart from form_counts where form = $1 and hour >= $2"),
            params![form, from],
        )
        .await?;
    for row in &counted {
        let numbers = Numbers {
            viewed: row.get("viewed")?,
            begun: row.get("begun")?,
            apart: row.get("apart")?,
            ..Numbers::default()
        };
        hours.entry(row.get("hour")?).or_default().add(numbers);
    }
    let sent = q
        .query(
            sql!(
                "select s.at / $3 as hour, count(*) as sent, count(case when c.created_at >= s.at then 1 end) as new_ones
                 from form_submissions s join contacts c on c.id = s.contact_id
                 where s.form = $1 and s.at >= $2 group by s.at / $3"
            ),
            params![form, from, HOUR_MS],
        )
        .await?;
    for row in &sent {
        let (hour, sent, new): (i64, i64, i64) = (row.get("hour")?, row.get("sent")?, row.get("new_ones")?);
        let numbers = Numbers { sent, new, known: sent - new, ..Numbers::default() };
        hours.entry(Timestamp(hour * HOUR_MS)).or_default().add(numbers);
    }
    Ok(hours)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(n: i64) -> Timestamp {
        Timestamp(n * HOUR_MS)
    }

    #[test]
    fn hours_are_added_to_the_days_of_the_zone() {
        let zone = TimeZone::get("America/Mexico_City").expect("a zone");
        // 1970-01-02 is a Friday; six hours behind, so 5 o'clock is still the day before.
        let hours = BTreeMap::from([
            (hour(24 + 5), Numbers { viewed: 4, begun: 2, sent: 1, new: 1, ..Numbers::default() }),
            (
                hour(24 + 6),
                Numbers { viewed: 6, begun: 3, sent: 2, known: 2, apart: 1, ..Numbers::default() },
            ),
        ]);
        let dates: Vec<Date> = [1, 2, 3].map(|day| jiff::civil::date(1970, 1, day)).to_vec();
        let told = fold(&zone, &dates, &hours);
        assert_eq!(told.days.iter().map(|day| day.numbers.viewed).collect::<Vec<_>>(), [4, 6, 0]);
        assert_eq!((told.total.sent, told.total.new, told.total.known), (3, 1, 2));
        assert_eq!((told.rate, told.counted_since), (Some(0.3), None));
    }

    #[test]
    fn what_was_sent_before_views_were_counted_is_no_part_of_the_rate() {
        let zone = TimeZone::UTC;
        let hours = BTreeMap::from([
            (hour(1), Numbers { sent: 5, known: 5, ..Numbers::default() }),
            (hour(3), Numbers { viewed: 4, sent: 1, known: 1, ..Numbers::default() }),
        ]);
        let told = fold(&zone, &[jiff::civil::date(1970, 1, 1)], &hours);
        assert_eq!((told.total.sent, told.rate), (6, Some(0.25)));
        assert_eq!(told.counted_since, Some(hour(3)));
        let never = fold(&zone, &[], &BTreeMap::from([(hour(1), Numbers { sent: 5, ..Numbers::default() })]));
        assert_eq!((never.rate, never.counted_since), (None, None));
    }
}
