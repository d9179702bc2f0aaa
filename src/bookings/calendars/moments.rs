//! Points in time and lengths as calendar files write them (RFC 5545, 3.3.4 to 3.3.6).

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::base::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};

/// A date, a moment of somebody's wall clock, or an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Date(Date),
    Local(DateTime),
    Instant(jiff::Timestamp),
}

impl Moment {
    /// `20261123`, `20261123T090000` or `20261123T090000Z`.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let (day, clock) = match text.split_once(['T', 't']) {
            Some((day, clock)) => (day, Some(clock)),
            None => (text, None),
        };
        if day.len() != 8 {
            return None;
        }
        let year = i16::try_from(digits(day.get(..4)?)?).ok()?;
        let month = i8::try_from(digits(day.get(4..6)?)?).ok()?;
        let date = Date::new(year, month, i8::try_from(digits(day.get(6..)?)?).ok()?).ok()?;
        let Some(clock) = clock else { return Some(Self::Date(date)) };
        let (clock, is_utc) = match clock.strip_suffix(['Z', 'z']) {
            Some(clock) => (clock, true),
            None => (clock, false),
        };
        // Some programs leave the seconds out.
        if !matches!(clock.len(), 4 | 6) {
            return None;
        }
        let part = |from: usize| i8::try_from(digits(clock.get(from..from + 2)?)?).ok();
        // A leap second is the last one of its minute here.
        let second = if clock.len() == 6 { part(4)?.min(59) } else { 0 };
        let (hour, minute) = (part(0)?, part(2)?);
        let time = jiff::civil::Time::new(hour, minute, second, 0).ok()?;
        let local = date.to_datetime(time);
        if is_utc {
            TimeZone::UTC.to_timestamp(local).ok().map(Self::Instant)
        } else {
            Some(Self::Local(local))
        }
    }
}

/// A length in whole days and milliseconds: a day is one of the wall clock, 23 to 25 hours long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    pub days: i64,
    pub ms: i64,
}

impl Length {
    /// `PT30M`, `P1D`, `P1DT2H`, `P2W`; none if it is negative or no length.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('+').unwrap_or(text).strip_prefix(['P', 'p'])?;
        let mut length = Self { days: 0, ms: 0 };
        let (mut number, mut is_time, mut is_empty) = (None::<i64>, false, true);
        for letter in text.chars() {
            if let Some(digit) = letter.to_digit(10) {
                number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(i64::from(digit))?);
                continue;
            }
            let letter = letter.to_ascii_uppercase();
            if letter == 'T' {
                is_time = true;
                continue;
            }
            let count = number.take().filter(|count| *count <= 1_000_000)?;
            is_empty = false;
            match (letter, is_time) {
                ('W', false) => length.days += count * 7,
                ('D', false) => length.days += count,
                ('H', true) => length.ms += count * HOUR_MS,
                ('M', true) => length.ms += count * MINUTE_MS,
                ('S', true) => length.ms += count * SECOND_MS,
                _ => return None,
            }
        }
        (number.is_none() && !is_empty && length.days <= 100_000 && length.ms <= 100_000 * DAY_MS)
            .then_some(length)
    }
}

fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_dates_wall_clocks_or_instants() {
        assert!(matches!(Moment::read("20261123"), Some(Moment::Date(_))));
        assert!(matches!(Moment::read("20261123T0900"), Some(Moment::Local(_))));
        assert!(matches!(Moment::read(" 20261123T090060Z"), Some(Moment::Instant(_))));
        for wrong in
            ["", "2026-11-23", "20261323", "20260230", "20261123T25", "20261123T250000", "20261123Té0000"]
        {
            assert_eq!(Moment::read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn lengths_have_days_of_the_wall_clock_and_exact_hours() {
        assert_eq!(Length::read("P1DT1H30M"), Some(Length { days: 1, ms: 90 * MINUTE_MS }));
        assert_eq!(Length::read("P2W"), Some(Length { days: 14, ms: 0 }));
        for wrong in
            ["", "P", "PT", "-PT5M", "PT5", "P5M", "P99999999999999999999D", "PT1000000H1000000H1000000H"]
        {
            assert!(Length::read(wrong).is_none_or(|length| length.ms <= 100_000 * DAY_MS), "{wrong:?}");
        }
        assert_eq!(Length::read("-PT5M"), None);
    }
}
