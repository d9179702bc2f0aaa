//! When a letter may go out: never at night or on a weekend where its reader is, and not more than so many in a week.
//!
//! Pure: the reader's zone, the clock and what went out before come from outside.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use super::frequency::Frequency;
use super::topics::Sending;
use crate::base::time::{MINUTE_MS, Timestamp, zone};

/// Countries with one zone, for people whose browser did not tell theirs.
const ZONES: &[(&str, &str)] = &[
    ("AT", "Europe/Vienna"),
    ("BE", "Europe/Brussels"),
    ("BO", "America/La_Paz"),
    ("CH", "Europe/Zurich"),
    ("CO", "America/Bogota"),
    ("CR", "America/Costa_Rica"),
    ("CU", "America/Havana"),
    ("DE", "Europe/Berlin"),
    ("DK", "Europe/Copenhagen"),
    ("DO", "America/Santo_Domingo"),
    ("ES", "Europe/Madrid"),
    ("FR", "Europe/Paris"),
    ("GB", "Europe/London"),
    ("GT", "America/Guatemala"),
    ("HN", "America/Tegucigalpa"),
    ("IE", "Europe/Dublin"),
    ("IT", "Europe/Rome"),
    ("NI", "America/Managua"),
    ("NL", "Europe/Amsterdam"),
    ("PA", "America/Panama"),
    ("PE", "America/Lima"),
    ("PL", "Europe/Warsaw"),
    ("PT", "Europe/Lisbon"),
    ("PY", "America/Asuncion"),
    ("SE", "Europe/Stockholm"),
    ("SV", "America/El_Salvador"),
    ("UY", "America/Montevideo"),
    ("VE", "America/Caracas"),
];

/// What is to be done with a letter now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manners {
    /// It may go out.
    Now,
    /// It waits.
    Wait { until: Timestamp, why: Why },
    /// It has waited for too long.
    Expired,
}

/// Why a letter waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Night, or a weekend, where the reader is.
    Quiet,
    /// The reader had as many letters as anybody gets.
    Enough,
    /// The reader wants none until then.
    Paused,
    /// The reader wants them less often.
    Wished,
}

impl Why {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Quiet, Self::Enough, Self::Paused, Self::Wished];

    /// The word that stays.
    pub fn word(self) -> &'static str {
        match self {
            Self::Quiet => "quiet_hours",
            Self::Enough => "enough",
            Self::Paused => "paused",
            Self::Wished => "wished",
        }
    }

    /// For the list of what waits.
    pub fn words(self) -> &'static str {
        match self {
            Self::Quiet => "quiet hours",
            Self::Enough => "enough letters for now",
            Self::Paused => "paused by the reader",
            Self::Wished => "as often as the reader wants them",
        }
    }
}

/// What is known of a letter and its reader.
#[derive(Debug, Clone)]
pub struct Letter<'a> {
    /// The browser's zone, if it told one.
    pub zone: Option<&'a str>,
    /// The reader's country (ISO 3166-1 alpha-2), if it is known.
    pub country: Option<&'a str>,
    /// When it was to go out.
    pub planned_at: Timestamp,
    /// Whether the reader caused it a moment ago: then she is awake.
    pub is_prompt: bool,
    /// Until when the reader wants none.
    pub paused_until: Option<Timestamp>,
    /// How often she wants them herself.
    pub frequency: Frequency,
    /// When letters went out to her, in any order.
    pub sent: &'a [Timestamp],
}

/// The zone in which a reader sleeps.
pub fn zone_of(sending: &Sending, known: Option<&str>, country: Option<&str>) -> TimeZone {
    let of_country =
        || ZONES.iter().find(|(code, _)| country == Some(*code)).and_then(|(_, name)| zone(name));
    known.and_then(zone).or_else(of_country).or_else(|| zone(&sending.time_zone)).unwrap_or(TimeZone::UTC)
}

/// What is to be done with the letter at `now`.
pub fn manners(sending: &Sending, letter: &Letter<'_>, now: Timestamp) -> Manners {
    let zone = zone_of(sending, letter.zone, letter.country);
    let mut at = now;
    let mut why = None;
    if let Some(until) = letter.paused_until.filter(|until| *until > at) {
        (at, why) = (until, Some(Why::Paused));
    }
    let enough_at = free_at(sending.most, sending.within_ms, letter.sent, at);
    if enough_at > at {
        (at, why) = (enough_at, Some(Why::Enough));
    }
    let wished_at = letter.frequency.pause_ms().map(|pause_ms| free_at(1, pause_ms, letter.sent, at));
    if let Some(wished_at) = wished_at.filter(|wished_at| *wished_at > at) {
        (at, why) = (wished_at, Some(Why::Wished));
    }
    let is_awake = letter.is_prompt && at == now;
    if !is_awake {
        let loud = after_quiet(sending, &zone, at);
        if loud > at {
            (at, why) = (loud, why.or(Some(Why::Quiet)));
        }
    }
    match why {
        None => Manners::Now,
        Some(_) if at.since_ms(letter.planned_at) > sending.expires_ms => Manners::Expired,
        Some(why) => Manners::Wait { until: at, why },
    }
}

/// When the next place of so many within so long is free.
fn free_at(most: i64, within_ms: i64, sent: &[Timestamp], now: Timestamp) -> Timestamp {
    let mut recent: Vec<Timestamp> = sent.iter().copied().filter(|at| at.plus_ms(within_ms) > now).collect();
    recent.sort_unstable();
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    match recent.len().checked_sub(most).and_then(|surplus| recent.get(surplus)) {
        Some(at) => at.plus_ms(within_ms),
        None => now,
    }
}

/// The first moment from `at` on that is neither night nor weekend.
fn after_quiet(sending: &Sending, zone: &TimeZone, at: Timestamp) -> Timestamp {
    let mut at = at;
    // Each turn leaves a night or a day; a weekend and its nights are fewer.
    for _ in 0..8 {
        let local = zone.to_datetime(at.to_jiff());
        let minute = u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).unwrap_or(0);
        let morning = sending.quiet.map_or(0, |(_, to)| to);
        let is_weekend = matches!(local.date().weekday(), Weekday::Saturday | Weekday::Sunday);
        let next = if is_weekend && !sending.on_weekends {
            start(zone, tomorrow(local.date()), if wraps(sending) { morning } else { 0 })
        } else {
            match sending.quiet {
                Some((from, to)) if from > to && minute >= from => start(zone, tomorrow(local.date()), to),
                Some((from, to)) if from > to && minute < to => start(zone, local.date(), to),
                Some((from, to)) if from < to && (from..to).contains(&minute) => {
                    start(zone, local.date(), to)
                }
                Some(_) | None => return at,
            }
        };
        // A zone's gap cannot lead backwards for ever.
        at = if next > at { next } else { at.plus_ms(MINUTE_MS) };
    }
    at
}

fn wraps(sending: &Sending) -> bool {
    sending.quiet.is_some_and(|(from, to)| from > to)
}

fn tomorrow(date: Date) -> Date {
    date.tomorrow().unwrap_or(date)
}

fn start(zone: &TimeZone, date: Date, minute: u16) -> Timestamp {
    let (hour, minute) = (i8::try_from(minute / 60).unwrap_or(0), i8::try_from(minute % 60).unwrap_or(0));
    let local = date.at(hour, minute, 0, 0);
    zone.to_ambiguous_timestamp(local).compatible().map_or(Timestamp(i64::MAX / 2), Timestamp::from_jiff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::{DAY_MS, HOUR_MS};

    fn at(text: &str) -> Timestamp {
        Timestamp::from_jiff(text.parse().expect("an instant"))
    }

    fn sending() -> Sending {
        Sending { time_zone: "Europe/Madrid".to_owned(), ..Sending::default() }
    }

    fn letter(sent: &[Timestamp], planned_at: Timestamp) -> Letter<'_> {
        let frequency = Frequency::All;
        Letter {
            zone: None,
            country: None,
            planned_at,
            is_prompt: false,
            paused_until: None,
            frequency,
            sent,
        }
    }

    fn waits(zone: Option<&str>, country: Option<&str>, now: &str) -> Option<String> {
        let now = at(now);
        match manners(&sending(), &Letter { zone, country, ..letter(&[], now) }, now) {
            Manners::Now => None,
            Manners::Wait { until, .. } => Some(until.to_string()),
            Manners::Expired => Some("expired".to_owned()),
        }
    }

    #[test]
    fn nothing_goes_out_at_night_where_the_reader_is() {
        // Tuesday, 09:30 in Madrid, 02:30 in Mexico City.
        let now = "2026-11-24T08:30:00Z";
        assert_eq!(waits(None, None, now), None);
        assert_eq!(waits(Some("America/Mexico_City"), None, now).as_deref(), Some("2026-11-24T14:00:00Z"));
        assert_eq!(waits(None, Some("CO"), now).as_deref(), Some("2026-11-24T13:00:00Z"), "by her country");
        assert_eq!(waits(Some("Mars/Base"), None, now), None, "a zone that is none is as good as unknown");
    }

    #[test]
    fn an_evening_waits_for_the_morning_and_a_friday_evening_for_monday() {
        assert_eq!(waits(None, None, "2026-11-24T19:00:00Z").as_deref(), Some("2026-11-25T07:00:00Z"));
        assert_eq!(waits(None, None, "2026-11-27T19:00:00Z").as_deref(), Some("2026-11-30T07:00:00Z"));
        assert_eq!(waits(None, None, "2026-11-29T12:00:00Z").as_deref(), Some("2026-11-30T07:00:00Z"));
    }

    #[test]
    fn the_morning_is_at_eight_on_the_days_on_which_clocks_change_too() {
        // Madrid, Sunday 28 March 2027: 02:00 becomes 03:00; the Monday after is in summer time.
        assert_eq!(waits(None, None, "2027-03-27T12:00:00Z").as_deref(), Some("2027-03-29T06:00:00Z"));
    }

    #[test]
    fn the_third_letter_of_a_week_waits_until_the_first_is_a_week_old() {
        let now = at("2026-11-26T10:00:00Z");
        let sent = [at("2026-11-24T10:00:00Z"), at("2026-11-25T10:00:00Z")];
        assert_eq!(manners(&sending(), &letter(&sent[..1], now), now), Manners::Now);
        let expected = Manners::Wait { until: at("2026-12-01T10:00:00Z"), why: Why::Enough };
        assert_eq!(manners(&sending(), &letter(&sent, now), now), expected);
    }

    #[test]
    fn whoever_did_something_a_moment_ago_is_awake_but_has_no_more_letters_than_others() {
        let night = at("2026-11-24T23:00:00Z");
        let prompt = Letter { is_prompt: true, ..letter(&[], night) };
        assert_eq!(manners(&sending(), &prompt, night), Manners::Now);
        let sent = [night.plus_ms(-HOUR_MS), night.plus_ms(-DAY_MS)];
        let third = Letter { is_prompt: true, ..letter(&sent, night) };
        assert!(matches!(manners(&sending(), &third, night), Manners::Wait { why: Why::Enough, .. }));
    }

    #[test]
    fn whoever_wants_one_letter_a_week_gets_one_and_no_second_within_thirty_days_by_the_month() {
        let now = at("2026-11-26T10:00:00Z");
        let sent = [at("2026-11-24T10:00:00Z")];
        let with = |frequency| Letter { frequency, ..letter(&sent, now) };
        assert_eq!(manners(&sending(), &with(Frequency::All), now), Manners::Now);
        let week = Manners::Wait { until: at("2026-12-01T10:00:00Z"), why: Why::Wished };
        assert_eq!(manners(&sending(), &with(Frequency::Weekly), now), week);
        // 24 December: longer than a letter is good for by default.
        assert_eq!(manners(&sending(), &with(Frequency::Monthly), now), Manners::Expired);
        let patient = Sending { expires_ms: 40 * DAY_MS, ..sending() };
        let month = Manners::Wait { until: at("2026-12-24T10:00:00Z"), why: Why::Wished };
        assert_eq!(manners(&patient, &with(Frequency::Monthly), now), month);
    }

    #[test]
    fn what_waits_for_longer_than_it_is_good_for_expires() {
        let planned = at("2026-11-24T10:00:00Z");
        let paused = Letter { paused_until: Some(planned.plus_ms(20 * DAY_MS)), ..letter(&[], planned) };
        assert_eq!(manners(&sending(), &paused, planned), Manners::Expired);
        let shorter = Letter { paused_until: Some(planned.plus_ms(3 * DAY_MS)), ..letter(&[], planned) };
        assert!(matches!(manners(&sending(), &shorter, planned), Manners::Wait { why: Why::Paused, .. }));
    }
}
