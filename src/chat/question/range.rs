//! `min` and `max`: of a number its bounds, of a text its length, of a date or a time the first and the last.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Kind;
use crate::base::time::Timestamp;
use crate::base::yaml::{Map, View};

/// Bounds of an answer; those of its kind are filled in, the others are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    pub min: Option<i64>,
    pub max: Option<i64>,
    first: Option<Day>,
    last: Option<Day>,
    /// Earliest and latest time of day, as `09:00`.
    pub opens: Option<String>,
    pub closes: Option<String>,
}

/// A day, or so many days after the day on which it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Day {
    On(Date),
    Ahead(i64),
}

impl Range {
    /// Reads `min` and `max` as the kind wants them.
    pub fn read(of: Kind, map: &mut Map<'_>) -> Range {
        let (min, max) = (map.optional("min"), map.optional("max"));
        let mut range = Range::default();
        match of {
            Kind::Date => {
                range.first = min.and_then(day);
                range.last = max.and_then(day);
            }
            Kind::Time => {
                range.opens = min.and_then(clock);
                range.closes = max.and_then(clock);
            }
            Kind::Rating => {
                let steps = |view: View<'_>| {
                    view.parsed("a number of steps from 2 to 10", |text| {
                        text.parse().ok().filter(|steps| (2..=10).contains(steps))
                    })
                };
                range.max = max.and_then(steps);
                if let Some(min) = min {
                    min.error("Y003", "a rating begins with 1").hint("take `min` out");
                }
            }
            Kind::Choice | Kind::Text | Kind::Email | Kind::Phone | Kind::Number | Kind::Url | Kind::Code => {
                range.min = min.and_then(View::int);
                range.max = max.and_then(View::int);
            }
        }
        if range.is_empty()
            && let Some(max) = max
        {
            max.error("Y004", "`max` is below `min`: no answer would do")
                .hint("let `max` be the greater of the two");
        }
        range
    }

    /// Whether nothing lies between the two bounds, whenever it is asked.
    fn is_empty(&self) -> bool {
        fn crossed<T: PartialOrd>(from: Option<T>, to: Option<T>) -> bool {
            from.zip(to).is_some_and(|(from, to)| from > to)
        }
        let days = match (self.first, self.last) {
            (Some(Day::On(first)), Some(Day::On(last))) => first > last,
            (Some(Day::Ahead(first)), Some(Day::Ahead(last))) => first > last,
            _ => false,
        };
        days || crossed(self.min, self.max) || crossed(self.opens.as_ref(), self.closes.as_ref())
    }

    /// The first and the last day that may be answered, for a reader who sits in this zone now.
    pub fn days(&self, now: Timestamp, zone: &TimeZone) -> (Option<Date>, Option<Date>) {
        let today = now.to_jiff().to_zoned(zone.clone()).date();
        let of = |day: Option<Day>| match day? {
            Day::On(date) => Some(date),
            Day::Ahead(days) => today.checked_add(jiff::Span::new().try_days(days).ok()?).ok(),
        };
        (of(self.first), of(self.last))
    }
}

fn day(view: View<'_>) -> Option<Day> {
    view.parsed("a day like 2026-12-24, today or today+30d", |text| {
        let Some(rest) = text.strip_prefix("today") else { return text.parse().ok().map(Day::On) };
        let rest: String = rest.split_whitespace().collect();
        if rest.is_empty() {
            return Some(Day::Ahead(0));
        }
        let days: i64 = rest.strip_suffix('d')?.parse().ok()?;
        (rest.starts_with(['+', '-']) && days.abs() <= 3_660).then_some(Day::Ahead(days))
    })
}

fn clock(view: View<'_>) -> Option<String> {
    view.parsed("a time like 09:00", |text| super::hear::time_of(text).filter(|time| time == text))
}
