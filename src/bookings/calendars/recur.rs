//! Repeated events (RFC 5545, 3.3.10): the rules that calendar programs really write, expanded on the wall clock.
//!
//! `DAILY`, `WEEKLY`, `MONTHLY` and `YEARLY` with `INTERVAL`, `COUNT`, `UNTIL`, `BYDAY`, `BYMONTHDAY`, `BYMONTH`,
//! `BYSETPOS` and `WKST`. Any other rule is refused by name: a rule that is half understood would show free time where
//! there is none. What is expanded are dates; the hour is that of the first event, and the zone is the caller's.

use jiff::civil::{Date, DateTime, Weekday};
use jiff::{Span, ToSpan};

/// How much work one file may make: dates that are looked at.
#[derive(Debug)]
pub struct Budget(u32);

impl Budget {
    /// So many dates.
    pub fn new(dates: u32) -> Self {
        Self(dates)
    }

    /// Takes `n` of it; false when nothing is left.
    pub fn take(&mut self, n: usize) -> bool {
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        let left = self.0.checked_sub(n);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

/// Why a rule gives no dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It says something that is not understood.
    Unknown,
    /// It would be too much work.
    TooMuch,
}

/// The unit that repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Day,
    Week,
    Month,
    Year,
}

/// When a rule ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// After this date.
    Date(Date),
    /// After this moment of the wall clock.
    Local(DateTime),
    /// After this instant.
    Instant(jiff::Timestamp),
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    unit: Unit,
    interval: i64,
    count: Option<u32>,
    until: Option<Until>,
    /// Which one of the month or year (0: each), and the weekday.
    by_day: Vec<(i8, Weekday)>,
    by_month_day: Vec<i8>,
    by_month: Vec<i8>,
    by_position: Vec<i32>,
    week_start: Weekday,
    /// Hours, minutes and seconds, which may only repeat what the first event says.
    by_time: Vec<(char, i8)>,
}

impl Rule {
    /// Reads the value of an `RRULE`.
    pub fn read(text: &str) -> Result<Self, Refused> {
        let mut rule = Self {
            unit: Unit::Day,
            interval: 1,
            count: None,
            until: None,
            by_day: Vec::new(),
            by_month_day: Vec::new(),
            by_month: Vec::new(),
            by_position: Vec::new(),
            week_start: Weekday::Monday,
            by_time: Vec::new(),
        };
        let mut has_unit = false;
        for part in text.split(';').filter(|part| !part.trim().is_empty()) {
            let (key, value) = part.split_once('=').ok_or(Refused::Unknown)?;
            let value = value.trim();
            match key.trim().to_ascii_uppercase().as_str() {
                "FREQ" => {
                    has_unit = true;
                    rule.unit = match value.to_ascii_uppercase().as_str() {
                        "DAILY" => Unit::Day,
                        "WEEKLY" => Unit::Week,
                        "MONTHLY" => Unit::Month,
                        "YEARLY" => Unit::Year,
                        _ => return Err(Refused::Unknown),
                    };
                }
                "INTERVAL" => {
                    rule.interval = number(value, 1, 100_000)?;
                }
                "COUNT" => rule.count = Some(number(value, 1, u32::MAX)?),
                "UNTIL" => rule.until = Some(until(value).ok_or(Refused::Unknown)?),
                "BYDAY" => rule.by_day = list(value, weekday)?,
                "BYMONTHDAY" => rule.by_month_day = list(value, |text| signed(text, 31))?,
                "BYMONTH" => rule.by_month = list(value, |text| number(text, 1, 12))?,
                "BYSETPOS" => {
                    rule.by_position = list(value, |text| match number(text, -366, 366)? {
                        0 => Err(Refused::Unknown),
                        position => Ok(position),
                    })?;
                }
                "WKST" => rule.week_start = weekday(value)?.1,
                "BYHOUR" => rule.by_time.push(('h', number(value, 0, 23)?)),
                "BYMINUTE" => rule.by_time.push(('m', number(value, 0, 59)?)),
                "BYSECOND" => rule.by_time.push(('s', number(value, 0, 59)?)),
                key if key.starts_with("X-") => {}
                _ => return Err(Refused::Unknown),
            }
        }
        let is_understood = has_unit
            && !(rule.count.is_some() && rule.until.is_some())
            && (matches!(rule.unit, Unit::Month | Unit::Year)
                || rule.by_day.iter().all(|(nth, _)| *nth == 0))
            && (rule.unit != Unit::Week || rule.by_month_day.is_empty());
        if is_understood { Ok(rule) } else { Err(Refused::Unknown) }
    }

    /// When the rule ends, if it says so.
    pub fn until(&self) -> Option<Until> {
        self.until
    }

    /// The starts from `first` on that lie within `[from, to]`, in order; `first` itself is one even if the rule would
    /// not have it. `end` is the rule's end on the wall clock.
    pub fn starts(
        &self,
        first: DateTime,
        end: Option<DateTime>,
        (from, to): (DateTime, DateTime),
        budget: &mut Budget,
    ) -> Result<Vec<DateTime>, Refused> {
        let time = first.time();
        let is_time_of_first = self.by_time.iter().all(|(part, value)| match part {
            'h' => time.hour() == *value,
            'm' => time.minute() == *value,
            _ => time.second() == *value,
        });
        if !is_time_of_first {
            return Err(Refused::Unknown);
        }
        let to = end.map_or(to, |end| to.min(end));
        let mut found = Vec::new();
        if (from..=to).contains(&first) {
            found.push(first);
        }
        let Some(beginning) = self.period(first.date(), 0) else { return Ok(found) };
        // Without a count, what lies before the window need not be gone through.
        let mut step = if self.count.is_none() { self.steps_before(beginning, from.date()) } else { 0 };
        let mut left = self.count;
        while let Some(begin) = self.period(first.date(), step) {
            if begin.to_datetime(time) > to {
                break;
            }
            let dates = self.dates(first.date(), begin);
            if !budget.take(dates.len() + 1) {
                return Err(Refused::TooMuch);
            }
            for date in dates {
                let start = date.to_datetime(time);
                if start < first {
                    continue;
                }
                if let Some(left) = &mut left {
                    if *left == 0 {
                        return Ok(found);
                    }
                    *left -= 1;
                }
                if start > to {
                    return Ok(found);
                }
                if start >= from && start != first {
                    found.push(start);
                }
            }
            step += self.interval;
        }
        Ok(found)
    }

    /// The first day of the period that lies `step` units after the one that `first` lies in.
    fn period(&self, first: Date, step: i64) -> Option<Date> {
        match self.unit {
            Unit::Day => first.checked_add(Span::new().try_days(step).ok()?).ok(),
            Unit::Week => {
                let back = i64::from(first.weekday().since(self.week_start));
                let days = step.checked_mul(7)?.checked_sub(back)?;
                first.checked_add(Span::new().try_days(days).ok()?).ok()
            }
            Unit::Month => first.first_of_month().checked_add(Span::new().try_months(step).ok()?).ok(),
            Unit::Year => first.first_of_year().checked_add(Span::new().try_years(step).ok()?).ok(),
        }
    }

    /// How many units, a multiple of the interval, can be left out because they end before `from`.
    fn steps_before(&self, beginning: Date, from: Date) -> i64 {
        if from <= beginning {
            return 0;
        }
        let days = beginning.until(from).map_or(0, |span| i64::from(span.get_days()));
        let units = match self.unit {
            Unit::Day => days,
            Unit::Week => days / 7,
            Unit::Month => {
                let years = i64::from(from.year()) - i64::from(beginning.year());
                years * 12 + i64::from(from.month()) - i64::from(beginning.month())
            }
            Unit::Year => i64::from(from.year()) - i64::from(beginning.year()),
        };
        (units - 1).max(0) / self.interval * self.interval
    }

    /// The dates of the period that begins on `begin`, in order.
    fn dates(&self, first: Date, begin: Date) -> Vec<Date> {
        let mut dates = match self.unit {
            Unit::Day => vec![begin],
            Unit::Week => self.of_week(first, begin),
            Unit::Month => self.of_month(first, begin),
            Unit::Year => self.of_year(first, begin),
        };
        dates.retain(|date| self.by_month.is_empty() || self.by_month.contains(&date.month()));
        if self.unit == Unit::Day {
            dates.retain(|date| self.has_month_day(*date) && self.has_weekday(*date));
        }
        dates.sort_unstable();
        dates.dedup();
        if self.by_position.is_empty() {
            return dates;
        }
        let mut chosen: Vec<Date> = self
            .by_position
            .iter()
            .filter_map(|position| {
                let position = isize::try_from(*position).ok()?;
                let at = if position > 0 {
                    position.checked_sub(1)?
                } else {
                    isize::try_from(dates.len()).ok()?.checked_add(position)?
                };
                dates.get(usize::try_from(at).ok()?).copied()
            })
            .collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }

    fn of_week(&self, first: Date, begin: Date) -> Vec<Date> {
        let days = (0..7).filter_map(|day| begin.checked_add(day.days()).ok());
        days.filter(|date| {
            if self.by_day.is_empty() { date.weekday() == first.weekday() } else { self.has_weekday(*date) }
        })
        .collect()
    }

    fn of_month(&self, first: Date, begin: Date) -> Vec<Date> {
        let days =
            (1..=begin.days_in_month()).filter_map(|day| Date::new(begin.year(), begin.month(), day).ok());
        let matches = |date: &Date| {
            if self.by_day.is_empty() && self.by_month_day.is_empty() {
                return date.day() == first.day();
            }
            let is_nth = self.by_day.is_empty()
                || self.by_day.iter().any(|(nth, weekday)| {
                    date.weekday() == *weekday && is_nth_of(*nth, date.day(), date.days_in_month())
                });
            is_nth && self.has_month_day(*date)
        };
        days.filter(matches).collect()
    }

    fn of_year(&self, first: Date, begin: Date) -> Vec<Date> {
        let months = |months: &[i8]| -> Vec<Date> {
            let begins = months.iter().filter_map(|month| Date::new(begin.year(), *month, 1).ok());
            begins.flat_map(|begin| self.of_month(first, begin)).collect()
        };
        let all: Vec<i8> = (1..=12).collect();
        if !self.by_month.is_empty() {
            return months(&self.by_month);
        }
        if !self.by_month_day.is_empty() {
            return months(&all);
        }
        if self.by_day.is_empty() {
            return months(&[first.month()]);
        }
        let length = begin.days_in_year();
        let days = (0..length).filter_map(|day| begin.checked_add(i32::from(day).days()).ok());
        days.filter(|date| {
            self.by_day.iter().any(|(nth, weekday)| {
                date.weekday() == *weekday && is_nth_of_year(*nth, date.day_of_year(), length)
            })
        })
        .collect()
    }

    fn has_weekday(&self, date: Date) -> bool {
        self.by_day.is_empty() || self.by_day.iter().any(|(_, weekday)| *weekday == date.weekday())
    }

    fn has_month_day(&self, date: Date) -> bool {
        let length = date.days_in_month();
        self.by_month_day.is_empty()
            || self
                .by_month_day
                .iter()
                .any(|day| date.day() == if *day > 0 { *day } else { length + 1 + *day })
    }
}

/// Whether a day is the nth of its weekday in a month; 0 is each, -1 the last.
fn is_nth_of(nth: i8, day: i8, length: i8) -> bool {
    match nth {
        0 => true,
        nth if nth > 0 => (day - 1) / 7 + 1 == nth,
        nth => (length - day) / 7 + 1 == -nth,
    }
}

fn is_nth_of_year(nth: i8, day: i16, length: i16) -> bool {
    match i16::from(nth) {
        0 => true,
        nth if nth > 0 => (day - 1) / 7 + 1 == nth,
        nth => (length - day) / 7 + 1 == -nth,
    }
}

fn list<T>(text: &str, read: impl Fn(&str) -> Result<T, Refused>) -> Result<Vec<T>, Refused> {
    // Longer lists than the days of a year say nothing more.
    let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).take(367).collect();
    if parts.is_empty() || parts.len() > 366 {
        return Err(Refused::Unknown);
    }
    parts.into_iter().map(read).collect()
}

fn number<T: TryFrom<i64>>(text: &str, least: impl Into<i64>, most: impl Into<i64>) -> Result<T, Refused> {
    let number: i64 = text.parse().map_err(|_| Refused::Unknown)?;
    let is_in_range = (least.into()..=most.into()).contains(&number);
    T::try_from(number).ok().filter(|_| is_in_range).ok_or(Refused::Unknown)
}

fn signed(text: &str, most: i8) -> Result<i8, Refused> {
    match number(text, -most, most)? {
        0_i8 => Err(Refused::Unknown),
        number => Ok(number),
    }
}

/// `MO`, `1MO`, `-1SU`.
fn weekday(text: &str) -> Result<(i8, Weekday), Refused> {
    let at = text.len().checked_sub(2).ok_or(Refused::Unknown)?;
    let (nth, name) = text.split_at_checked(at).ok_or(Refused::Unknown)?;
    let weekday = match name.to_ascii_uppercase().as_str() {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return Err(Refused::Unknown),
    };
    let nth = if nth.is_empty() { 0 } else { signed(nth.trim_start_matches('+'), 53)? };
    Ok((nth, weekday))
}

fn until(text: &str) -> Option<Until> {
    match super::moments::Moment::read(text)? {
        super::moments::Moment::Date(date) => Some(Until::Date(date)),
        super::moments::Moment::Local(local) => Some(Until::Local(local)),
        super::moments::Moment::Instant(instant) => Some(Until::Instant(instant)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn starts(rule: &str, first: &str, from: &str, to: &str) -> Vec<String> {
        let at = |text: &str| text.parse::<DateTime>().expect("a wall clock");
        let rule = Rule::read(rule).expect("a rule");
        let found =
            rule.starts(at(first), None, (at(from), at(to)), &mut Budget::new(100_000)).expect("dates");
        found.iter().map(|start| start.date().to_string()).collect()
    }

    #[test]
    fn every_other_week_on_two_days() {
        let found = starts(
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;COUNT=5",
            "2026-11-02T09:00",
            "2026-01-01T00:00",
            "2027-12-31T00:00",
        );
        assert_eq!(found, ["2026-11-02", "2026-11-04", "2026-11-16", "2026-11-18", "2026-11-30"]);
    }

    #[test]
    fn the_last_weekday_of_a_month_and_the_second_tuesday() {
        let last = "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1";
        let found = starts(last, "2026-10-30T09:00", "2026-10-01T00:00", "2027-01-31T00:00");
        assert_eq!(found, ["2026-10-30", "2026-11-30", "2026-12-31", "2027-01-29"]);
        let second =
            starts("FREQ=MONTHLY;BYDAY=2TU", "2026-11-10T09:00", "2026-11-01T00:00", "2027-01-31T00:00");
        assert_eq!(second, ["2026-11-10", "2026-12-08", "2027-01-12"]);
    }

    #[test]
    fn a_day_that_a_month_does_not_have_is_left_out() {
        let found = starts("FREQ=MONTHLY", "2026-01-31T09:00", "2026-01-01T00:00", "2026-06-30T00:00");
        assert_eq!(found, ["2026-01-31", "2026-03-31", "2026-05-31"]);
        let leap = starts("FREQ=YEARLY", "2024-02-29T09:00", "2024-01-01T00:00", "2029-01-01T00:00");
        assert_eq!(leap, ["2024-02-29", "2028-02-29"]);
    }

    #[test]
    fn a_rule_that_began_long_ago_is_entered_where_it_is_wanted() {
        let mut budget = Budget::new(30);
        let at = |text: &str| text.parse::<DateTime>().expect("a wall clock");
        let window = (at("2026-11-23T00:00"), at("2026-11-26T00:00"));
        for rule in
            ["FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY;BYDAY=TU", "FREQ=MONTHLY;BYMONTHDAY=24", "FREQ=YEARLY"]
        {
            let rule = Rule::read(rule).expect("a rule");
            assert!(rule.starts(at("1900-11-24T09:00"), None, window, &mut budget).is_ok(), "{rule:?}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for rule in [
            "",
            "FREQ=HOURLY",
            "FREQ=YEARLY;BYWEEKNO=20",
            "FREQ=YEARLY;BYYEARDAY=1",
            "FREQ=DAILY;BYDAY=1MO",
            "FREQ=DAILY;COUNT=2;UNTIL=20270101",
            "FREQ=DAILY;INTERVAL=0",
            "FREQ=DAILY;RSCALE=CHINESE",
            "FREQ=MONTHLY;BYMONTHDAY=0",
        ] {
            assert_eq!(Rule::read(rule), Err(Refused::Unknown), "{rule}");
        }
    }

    #[test]
    fn a_rule_without_an_end_stops_where_the_work_does() {
        let at = |text: &str| text.parse::<DateTime>().expect("a wall clock");
        let rule = Rule::read("FREQ=DAILY;COUNT=4000000000").expect("a rule");
        let all = (at("0001-01-01T00:00"), at("9999-12-31T00:00"));
        assert_eq!(
            rule.starts(at("0001-01-01T00:00"), None, all, &mut Budget::new(1_000)),
            Err(Refused::TooMuch)
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 256, ..ProptestConfig::default() })]

        #[test]
        fn no_rule_makes_it_fall(text in "(FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)(;(INTERVAL|COUNT|BYDAY|BYMONTHDAY|BYMONTH|BYSETPOS|WKST|UNTIL)=[-+0-9MOTUWEHFRSA,]{1,9}){0,4})|\\PC{0,40}", year in 1_i16..9999) {
            if let Ok(rule) = Rule::read(&text) {
                let first = Date::new(year, 1, 31).expect("a date").at(9, 0, 0, 0);
                let window = (first, DateTime::MAX);
                drop(rule.starts(first, None, window, &mut Budget::new(2_000)));
            }
        }
    }
}
