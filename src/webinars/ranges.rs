//! The seconds of a recording that somebody really saw, as a set of ranges.
//!
//! Jumping to the end is not watching: what counts is the union of the ranges that were played, and seeing one part
//! twice counts once.

use serde::{Deserialize, Serialize};

/// Two ranges closer than this are one: players report with small gaps.
const GAP_S: f64 = 0.25;

/// Most ranges that are kept for one viewer; above it the closest neighbours are joined.
const MOST: usize = 500;

/// Sorted ranges of seconds that neither overlap nor touch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ranges(Vec<(f64, f64)>);

impl Ranges {
    /// Ranges as stored: normalised again, so that a damaged row cannot inflate the count.
    pub fn of(ranges: impl IntoIterator<Item = (f64, f64)>, duration_s: f64) -> Self {
        let mut all = Self::default();
        all.add(ranges, duration_s);
        all
    }

    /// Adds what was seen, cut to `0..duration_s`; ranges that are empty, reversed or no numbers are ignored.
    pub fn add(&mut self, seen: impl IntoIterator<Item = (f64, f64)>, duration_s: f64) {
        let seen = seen.into_iter().filter(|(from, to)| from.is_finite() && to.is_finite());
        self.0.extend(
            seen.map(|(from, to)| (from.max(0.0), to.min(duration_s))).filter(|(from, to)| from < to),
        );
        self.0.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut joined: Vec<(f64, f64)> = Vec::with_capacity(self.0.len());
        for (from, to) in self.0.drain(..) {
            match joined.last_mut() {
                Some(last) if from <= last.1 + GAP_S => last.1 = last.1.max(to),
                _ => joined.push((from, to)),
            }
        }
        // Dropping the shortest keeps the row small and can only count too little, never too much.
        if joined.len() > MOST {
            joined.sort_by(|a, b| (b.1 - b.0).total_cmp(&(a.1 - a.0)));
            joined.truncate(MOST);
            joined.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        self.0 = joined;
    }

    /// Adds what was seen like [`add`](Self::add), but not more than so many seconds that were not seen before.
    pub fn add_at_most(&mut self, most_s: f64, seen: impl IntoIterator<Item = (f64, f64)>, duration_s: f64) {
        let mut left_s = most_s;
        for (from, to) in seen {
            let mut longer = self.clone();
            longer.add([(from, to)], duration_s);
            if longer.seconds() - self.seconds() > left_s {
                // Its beginning, as far as there was time for it.
                longer = self.clone();
                longer.add([(from.max(0.0), to.min(from.max(0.0) + left_s))], duration_s);
            }
            left_s -= longer.seconds() - self.seconds();
            *self = longer;
        }
    }

    /// How many different seconds were seen.
    pub fn seconds(&self) -> f64 {
        self.0.iter().map(|(from, to)| to - from).sum()
    }

    /// The part of `duration_s` that was seen, in whole percent rounded down (0 to 100).
    pub fn percent(&self, duration_s: f64) -> u8 {
        if duration_s <= 0.0 {
            return 0;
        }
        // Half a second of slack: players seldom report the very last frame.
        let share = (self.seconds() + 0.5).min(duration_s) / duration_s;
        (0..=100_u8).rev().find(|percent| f64::from(*percent) / 100.0 <= share + 1e-9).unwrap_or(0)
    }

    /// The ranges, sorted, in seconds.
    pub fn as_slice(&self) -> &[(f64, f64)] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_more_is_added_than_there_was_time_for() {
        let mut ranges = Ranges::of([(0.0, 10.0)], 600.0);
        ranges.add_at_most(20.0, [(-5.0, 1e9)], 600.0);
        assert_eq!(ranges.as_slice(), [(0.0, 20.0)], "what was seen before takes no time");
        ranges.add_at_most(5.0, [(15.0, 22.0), (100.0, 110.0), (200.0, 210.0)], 600.0);
        assert_eq!(ranges.as_slice(), [(0.0, 22.0), (100.0, 103.0)]);
        ranges.add_at_most(-1.0, [(300.0, 310.0)], 600.0);
        ranges.add_at_most(9.0, [(f64::NAN, 310.0), (9.0, 3.0)], 600.0);
        assert_eq!(ranges.seconds(), 25.0);
    }

    #[test]
    fn jumping_to_the_end_is_not_watching_everything() {
        let ranges = Ranges::of([(0.0, 10.0), (590.0, 600.0)], 600.0);
        assert_eq!(ranges.percent(600.0), 3);
    }

    #[test]
    fn watching_the_same_minute_three_times_counts_one_minute() {
        let ranges = Ranges::of([(0.0, 60.0), (0.0, 60.0), (30.0, 60.0)], 600.0);
        assert_eq!(ranges.as_slice(), [(0.0, 60.0)]);
        assert_eq!(ranges.percent(600.0), 10);
    }

    #[test]
    fn a_player_that_stops_a_blink_before_the_end_has_seen_it_all() {
        assert_eq!(Ranges::of([(0.0, 599.7)], 600.0).percent(600.0), 100);
    }

    #[test]
    fn nonsense_from_the_wire_adds_nothing() {
        let ranges = Ranges::of(
            [(f64::NAN, 5.0), (9.0, 3.0), (-20.0, -1.0), (700.0, 800.0), (0.0, f64::INFINITY)],
            600.0,
        );
        assert_eq!(ranges.as_slice(), []);
        assert_eq!(ranges.percent(0.0), 0);
    }

    proptest! {
        #[test]
        fn the_union_equals_counting_second_by_second(seen in prop::collection::vec((0_u16..300, 0_u16..300), 0..40)) {
            let mut by_second = [false; 300];
            for (from, to) in &seen {
                for second in by_second.iter_mut().take(usize::from(*to)).skip(usize::from(*from)) {
                    *second = true;
                }
            }
            let count = by_second.iter().filter(|seen| **seen).count();
            let ranges = Ranges::of(seen.iter().map(|(from, to)| (f64::from(*from), f64::from(*to))), 300.0);
            prop_assert!((ranges.seconds() - count as f64).abs() < 1e-6);
        }

        #[test]
        fn the_order_of_the_reports_does_not_matter(seen in prop::collection::vec((0_u16..300, 0_u16..300), 0..40)) {
            let seen: Vec<(f64, f64)> = seen.iter().map(|(from, to)| (f64::from(*from), f64::from(*to))).collect();
            let at_once = Ranges::of(seen.iter().copied(), 300.0);
            let mut one_by_one = Ranges::default();
            for range in seen.iter().rev() {
                one_by_one.add([*range], 300.0);
            }
            prop_assert_eq!(at_once, one_by_one);
        }
    }
}
