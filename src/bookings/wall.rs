//! Wall-clock times of a zone as instants: the only place where local time becomes UTC.
//!
//! A local time is ambiguous twice a year. The rules here keep a working day as long as its owner meant it: an edge
//! in a gap is the first instant after the gap; a start that occurs twice is the earlier one, an end the later one.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::base::time::{MINUTE_MS, Timestamp};

/// Which edge of a stretch of working time is converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Working time begins here.
    Start,
    /// Working time ends here.
    End,
}

/// The instant of `minute` minutes after midnight (0 to 1440, where 1440 is the next midnight) of `date` in `zone`.
///
/// `None` at the ends of the calendar that jiff knows (years -9999 and 9999).
pub fn instant(zone: &TimeZone, date: Date, minute: u16, edge: Edge) -> Option<Timestamp> {
    let wall = date_time(date, minute)?;
    let ambiguous = zone.to_ambiguous_timestamp(wall);
    let instant = match (ambiguous.offset(), edge) {
        (AmbiguousOffset::Unambiguous { .. }, _) => ambiguous.compatible().ok()?,
        (AmbiguousOffset::Fold { .. }, Edge::Start) => ambiguous.earlier().ok()?,
        (AmbiguousOffset::Fold { .. }, Edge::End) => ambiguous.later().ok()?,
        (AmbiguousOffset::Gap { .. }, _) => {
            // Read with the offset from before the gap, the wall time lies at or after the transition.
            let at_or_after = ambiguous.later().ok()?;
            let just_after = at_or_after.checked_add(jiff::SignedDuration::from_millis(1)).ok()?;
            zone.preceding(just_after).next()?.timestamp()
        }
    };
    Some(Timestamp::from_jiff(instant))
}

fn date_time(date: Date, minute: u16) -> Option<DateTime> {
    if minute == 24 * 60 {
        return Some(date.tomorrow().ok()?.to_datetime(Time::midnight()));
    }
    let hour = i8::try_from(minute / 60).ok()?;
    let minute = i8::try_from(minute % 60).ok()?;
    Some(date.to_datetime(Time::new(hour, minute, 0, 0).ok()?))
}

/// The calendar date of an instant in `zone`.
pub fn date(zone: &TimeZone, at: Timestamp) -> Date {
    zone.to_datetime(at.to_jiff()).date()
}

/// A stretch of time in which a zone's distance from UTC does not change: `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steady {
    /// First instant.
    pub from: Timestamp,
    /// First instant after it.
    pub to: Timestamp,
    /// Local time minus UTC, in milliseconds.
    pub offset_ms: i64,
}

/// Cuts `[from, to)` where the zone's offset changes.
pub fn steady_stretches(zone: &TimeZone, from: Timestamp, to: Timestamp) -> Vec<Steady> {
    let mut stretches = Vec::new();
    let mut begin = from;
    let changes = zone.following(from.to_jiff()).map(|change| Timestamp::from_jiff(change.timestamp()));
    for end in changes.take_while(|change| *change < to).chain([to]) {
        if begin < end {
            let offset_ms = i64::from(zone.to_offset(begin.to_jiff()).seconds()) * 1_000;
            stretches.push(Steady { from: begin, to: end, offset_ms });
        }
        begin = end;
    }
    stretches
}

/// The zone's distance from UTC at an instant as people write it: `UTC+01:00`.
pub fn offset_label(zone: &TimeZone, at: Timestamp) -> String {
    let seconds = zone.to_offset(at.to_jiff()).seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// The instant cut to its minute.
pub fn to_the_minute(at: Timestamp) -> Timestamp {
    Timestamp(at.0.div_euclid(MINUTE_MS).saturating_mul(MINUTE_MS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::zone;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_jiff(text.parse().expect("an instant"))
    }

    fn edge(name: &str, date: &str, minute: u16, edge: Edge) -> Timestamp {
        let zone = zone(name).expect("bundled");
        instant(&zone, date.parse().expect("a date"), minute, edge).expect("in range")
    }

    #[test]
    fn an_edge_in_a_gap_is_the_first_instant_after_it() {
        // Madrid, 29 March 2026: 02:00 becomes 03:00.
        for minute in [120, 121, 150, 179, 180] {
            for side in [Edge::Start, Edge::End] {
                assert_eq!(
                    edge("Europe/Madrid", "2026-03-29", minute, side),
                    at("2026-03-29T01:00:00Z"),
                    "{minute}"
                );
            }
        }
        // Lord Howe, 4 October 2026: 02:00 becomes 02:30.
        assert_eq!(edge("Australia/Lord_Howe", "2026-10-04", 125, Edge::Start), at("2026-10-03T15:30:00Z"));
    }

    #[test]
    fn a_time_that_occurs_twice_starts_early_and_ends_late() {
        // Madrid, 25 October 2026: 03:00 becomes 02:00.
        assert_eq!(edge("Europe/Madrid", "2026-10-25", 150, Edge::Start), at("2026-10-25T00:30:00Z"));
        assert_eq!(edge("Europe/Madrid", "2026-10-25", 150, Edge::End), at("2026-10-25T01:30:00Z"));
        // New York, 1 November 2026: 02:00 becomes 01:00.
        assert_eq!(edge("America/New_York", "2026-11-01", 90, Edge::Start), at("2026-11-01T05:30:00Z"));
        assert_eq!(edge("America/New_York", "2026-11-01", 90, Edge::End), at("2026-11-01T06:30:00Z"));
        // Lord Howe, 5 April 2026: 02:00 becomes 01:30.
        assert_eq!(edge("Australia/Lord_Howe", "2026-04-05", 105, Edge::Start), at("2026-04-04T14:45:00Z"));
        assert_eq!(edge("Australia/Lord_Howe", "2026-04-05", 105, Edge::End), at("2026-04-04T15:15:00Z"));
    }

    #[test]
    fn the_end_of_the_day_is_the_next_midnight() {
        assert_eq!(edge("Europe/Madrid", "2026-06-30", 1440, Edge::End), at("2026-06-30T22:00:00Z"));
    }

    #[test]
    fn vancouver_no_longer_changes_its_clocks() {
        assert_eq!(edge("America/Vancouver", "2026-12-01", 540, Edge::Start), at("2026-12-01T16:00:00Z"));
        assert_eq!(edge("America/Vancouver", "2027-07-01", 540, Edge::Start), at("2027-07-01T16:00:00Z"));
    }

    #[test]
    fn a_week_with_a_change_of_clocks_has_two_stretches() {
        let madrid = zone("Europe/Madrid").expect("bundled");
        let stretches = steady_stretches(&madrid, at("2026-10-20T00:00:00Z"), at("2026-10-30T00:00:00Z"));
        let offsets: Vec<_> = stretches.iter().map(|s| s.offset_ms / 3_600_000).collect();
        assert_eq!(offsets, [2, 1]);
        assert_eq!(stretches.first().map(|s| s.to), Some(at("2026-10-25T01:00:00Z")));
        assert_eq!(
            steady_stretches(&madrid, at("2026-10-25T01:00:00Z"), at("2026-10-26T00:00:00Z")).len(),
            1
        );
    }

    #[test]
    fn an_offset_is_written_with_its_minutes() {
        let now = at("2026-11-21T12:00:00Z");
        let label = |name| offset_label(&zone(name).expect("bundled"), now);
        assert_eq!(label("Asia/Kathmandu"), "UTC+05:45");
        assert_eq!(label("America/St_Johns"), "UTC-03:30");
        assert_eq!(label("UTC"), "UTC+00:00");
    }
}
