//! When a team is at work: the clock by which a first response is measured.

use std::collections::BTreeMap;

use jiff::Span;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use crate::base::time::{DAY_MS, Timestamp};

/// Days that are looked through for a time at which anybody works.
const DAYS_MOST: i32 = 366;

/// The hours of a whole team; whoever works, the clock runs.
#[derive(Debug, Clone, Default)]
pub struct WorkingHours {
    /// Everybody's.
    pub people: Vec<Working>,
}

/// The hours of one person.
#[derive(Debug, Clone)]
pub struct Working {
    /// The zone of the hours.
    pub zone: TimeZone,
    /// Minutes of the day from which to which, for each day of the week from Monday.
    pub week: [Vec<(u16, u16)>; 7],
    /// Days that differ.
    pub overrides: BTreeMap<Date, Vec<(u16, u16)>>,
}

impl WorkingHours {
    /// The moment at which so many milliseconds of working time have passed since `from`; `from` and so many
    /// milliseconds by the wall clock if nobody works within a year.
    pub fn after(&self, from: Timestamp, ms: i64) -> Timestamp {
        let mut left = ms;
        for day in -1..DAYS_MOST {
            for (begin, end) in self.stretches(from, day) {
                let begin = begin.max(from);
                let length = end.since_ms(begin);
                if length <= 0 {
                    continue;
                }
                if left <= length {
                    return begin.plus_ms(left);
                }
                left -= length;
            }
        }
        from.plus_ms(ms)
    }

    /// How many milliseconds of working time lie between two moments; those of the clock on the wall where nobody's hours are
    /// known, and those of the first year of a longer time.
    pub fn between(&self, from: Timestamp, to: Timestamp) -> i64 {
        if self.people.is_empty() {
            return to.since_ms(from).max(0);
        }
        let mut worked = 0;
        for day in -1..DAYS_MOST {
            // The days after the last one hold nothing.
            if from.plus_ms(i64::from(day - 1) * DAY_MS) > to {
                break;
            }
            let within = |(begin, end): (Timestamp, Timestamp)| end.min(to).since_ms(begin.max(from)).max(0);
            worked += self.stretches(from, day).into_iter().map(within).sum::<i64>();
        }
        worked
    }

    /// When somebody works next: `from` if somebody does, none if nobody will within a year.
    pub fn next(&self, from: Timestamp) -> Option<Timestamp> {
        let stretches = (-1..DAYS_MOST).flat_map(|day| self.stretches(from, day));
        stretches.filter(|(_, end)| *end > from).map(|(begin, _)| begin.max(from)).next()
    }

    /// The stretches that begin on the `day`th UTC day after that of `from`, in order and without overlap. Days are cut in
    /// UTC, so that the days of people in different zones do not count twice.
    fn stretches(&self, from: Timestamp, day: i32) -> Vec<(Timestamp, Timestamp)> {
        let utc = from.to_jiff().to_zoned(TimeZone::UTC).date();
        let Ok(today) = utc.checked_add(Span::new().days(day)) else { return Vec::new() };
        let midnight =
            |date: Date| date.to_zoned(TimeZone::UTC).map(|at| Timestamp::from_jiff(at.timestamp()));
        let (Ok(cut_from), Ok(tomorrow)) = (midnight(today), today.tomorrow()) else { return Vec::new() };
        let Ok(cut_to) = midnight(tomorrow) else { return Vec::new() };
        let mut all = Vec::new();
        for person in &self.people {
            let around = [today.yesterday(), Ok(today), today.tomorrow()];
            for date in around.into_iter().flatten() {
                for (begin, end) in person.on(date) {
                    let stretch = (begin.max(cut_from), end.min(cut_to));
                    if stretch.0 < stretch.1 {
                        all.push(stretch);
                    }
                }
            }
        }
        all.sort_unstable();
        let mut merged: Vec<(Timestamp, Timestamp)> = Vec::new();
        for (begin, end) in all {
            match merged.last_mut() {
                Some(last) if begin <= last.1 => last.1 = last.1.max(end),
                _ => merged.push((begin, end)),
            }
        }
        merged
    }
}

impl Working {
    fn on(&self, date: Date) -> Vec<(Timestamp, Timestamp)> {
        let index = usize::from(date.weekday().to_monday_zero_offset().unsigned_abs());
        let weekly = self.week.get(index).map_or(&[][..], Vec::as_slice);
        let hours = self.overrides.get(&date).map_or(weekly, Vec::as_slice);
        let at = |minute: u16| {
            let hour = i8::try_from(minute / 60).ok()?;
            let (date, hour) = if hour >= 24 { (date.tomorrow().ok()?, 0) } else { (date, hour) };
            let wall = date.at(hour, i8::try_from(minute % 60).ok()?, 0, 0);
            Some(Timestamp::from_jiff(wall.to_zoned(self.zone.clone()).ok()?.timestamp()))
        };
        hours.iter().filter_map(|(begin, end)| Some((at(*begin)?, at(*end)?))).collect()
    }
}

/// The days of the week in the order of [`Working::week`].
pub const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::{HOUR_MS, MINUTE_MS, zone};

    fn working(name: &str, from: u16, to: u16) -> Working {
        let day = vec![(from * 60, to * 60)];
        let week = [day.clone(), day.clone(), day.clone(), day.clone(), day, vec![], vec![]];
        Working { zone: zone(name).expect("known"), week, overrides: BTreeMap::new() }
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::from_jiff(text.parse().expect("a point in time"))
    }

    #[test]
    fn the_clock_stands_still_at_night_and_at_weekends() {
        let madrid = WorkingHours { people: vec![working("Europe/Madrid", 9, 18)] };
        // Monday 10:00 in Madrid
        assert_eq!(madrid.after(at("2026-11-23T09:00:00Z"), 15 * MINUTE_MS), at("2026-11-23T09:15:00Z"));
        // Friday 17:50: ten minutes are left of the day, five go over to Monday
        assert_eq!(madrid.after(at("2026-11-27T16:50:00Z"), 15 * MINUTE_MS), at("2026-11-30T08:05:00Z"));
        // Sunday
        assert_eq!(madrid.after(at("2026-11-29T12:00:00Z"), 15 * MINUTE_MS), at("2026-11-30T08:15:00Z"));
    }

    #[test]
    fn whoever_works_the_clock_runs_and_only_once() {
        let both = WorkingHours {
            people: vec![working("Europe/Madrid", 9, 18), working("America/Mexico_City", 9, 18)],
        };
        // Madrid ends at 17:00 UTC, Mexico works from 15:00 to 24:00.
        assert_eq!(both.after(at("2026-11-23T16:00:00Z"), 4 * HOUR_MS), at("2026-11-23T20:00:00Z"));
        assert_eq!(both.after(at("2026-11-23T23:30:00Z"), HOUR_MS), at("2026-11-24T08:30:00Z"));
    }

    #[test]
    fn a_change_of_the_clocks_takes_no_working_time_away() {
        let madrid = WorkingHours { people: vec![working("Europe/Madrid", 9, 18)] };
        // The clocks go back on Sunday 25 October 2026.
        assert_eq!(madrid.after(at("2026-10-23T15:30:00Z"), HOUR_MS), at("2026-10-26T08:30:00Z"));
    }

    #[test]
    fn a_day_that_differs_wins_and_nobody_at_all_means_the_wall_clock() {
        let mut madrid = working("Europe/Madrid", 9, 18);
        madrid.overrides.insert("2026-11-23".parse().expect("a date"), vec![]);
        let madrid = WorkingHours { people: vec![madrid] };
        assert_eq!(madrid.after(at("2026-11-23T09:00:00Z"), MINUTE_MS), at("2026-11-24T08:01:00Z"));
        assert_eq!(
            WorkingHours::default().after(at("2026-11-23T09:00:00Z"), 5),
            at("2026-11-23T09:00:00.005Z")
        );
    }
}
