//! Which zone a calendar file means by a name: the IANA database's, Outlook's, or one that it defines itself.
//!
//! A name that the bundled database knows is believed before the file's own definition of it, which is often years old.

use std::collections::HashMap;

use jiff::tz::TimeZone;

use super::lines::Line;
use crate::base::time::zone;

/// The zones that a file defines.
#[derive(Debug, Default)]
pub struct Zones(HashMap<String, Defined>);

/// What a `VTIMEZONE` says, as far as the years that matter: the latest of each kind.
#[derive(Debug, Default)]
struct Defined {
    standard: Option<Half>,
    daylight: Option<Half>,
}

#[derive(Debug, Default, Clone)]
struct Half {
    /// When it begins: `19701025T030000`.
    start: String,
    offset_s: Option<i32>,
    rule: String,
}

impl Zones {
    /// Collects the definitions of a file's lines.
    pub fn of(lines: &[String]) -> Self {
        let mut zones = Self::default();
        let mut name: Option<String> = None;
        let mut half: Option<(bool, Half)> = None;
        for line in lines.iter().filter_map(|text| Line::read(text)) {
            let value = line.value.trim();
            match line.name.to_ascii_uppercase().as_str() {
                "BEGIN" => match value.to_ascii_uppercase().as_str() {
                    "VTIMEZONE" => name = Some(String::new()),
                    "STANDARD" => half = Some((false, Half::default())),
                    "DAYLIGHT" => half = Some((true, Half::default())),
                    _ => {}
                },
                "END" if value.eq_ignore_ascii_case("VTIMEZONE") => name = None,
                "END" => {
                    let (Some(name), Some((is_daylight, done))) = (&name, half.take()) else { continue };
                    let defined = zones.0.entry(name.clone()).or_default();
                    let slot = if is_daylight { &mut defined.daylight } else { &mut defined.standard };
                    // Years are written with four digits, so that texts sort as times do.
                    if slot.as_ref().is_none_or(|known| known.start <= done.start) {
                        *slot = Some(done);
                    }
                }
                "TZID" if half.is_none() => {
                    if let Some(name) = &mut name {
                        value.clone_into(name);
                    }
                }
                "DTSTART" => {
                    if let Some((_, half)) = &mut half {
                        value.clone_into(&mut half.start);
                    }
                }
                "TZOFFSETTO" => {
                    if let Some((_, half)) = &mut half {
                        half.offset_s = offset(value);
                    }
                }
                "RRULE" => {
                    if let Some((_, half)) = &mut half {
                        value.clone_into(&mut half.rule);
                    }
                }
                _ => {}
            }
        }
        zones
    }

    /// The zone of a `TZID`.
    pub fn find(&self, name: &str) -> Option<TimeZone> {
        let name = name.trim();
        by_name(name).or_else(|| self.0.get(name).and_then(Defined::zone))
    }
}

/// A zone that the database knows: by its name, by the end of a longer one (`/mozilla.org/20050126_1/Europe/Madrid`), or
/// by the name that Windows has for it.
fn by_name(name: &str) -> Option<TimeZone> {
    if let Some(found) = zone(name) {
        return Some(found);
    }
    let windows = name.trim_matches(['"', '\'']);
    if let Some((_, iana)) = WINDOWS.iter().find(|(known, _)| known.eq_ignore_ascii_case(windows)) {
        return zone(iana);
    }
    let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty()).collect();
    [3, 2].into_iter().filter_map(|count| parts.len().checked_sub(count).filter(|from| *from > 0)).find_map(
        |from| {
            let tail = parts.get(from..)?.join("/");
            zone(&tail)
        },
    )
}

impl Defined {
    /// As a rule of POSIX, which says the same: two offsets and the two days of a year on which they change.
    fn zone(&self) -> Option<TimeZone> {
        let standard = self.standard.as_ref().or(self.daylight.as_ref())?;
        let standard_s = standard.offset_s?;
        let fixed = || TimeZone::posix(&format!("<STD>{}", posix_offset(standard_s))).ok();
        let Some(daylight) = self.daylight.as_ref().filter(|_| self.standard.is_some()) else {
            return fixed();
        };
        if standard.rule.is_empty() || daylight.rule.is_empty() {
            // Whoever changed clocks once and never again is in the later one now.
            let later = if daylight.start > standard.start { daylight } else { standard };
            return TimeZone::posix(&format!("<STD>{}", posix_offset(later.offset_s?))).ok();
        }
        let text = format!(
            "<STD>{}<DST>{},{},{}",
            posix_offset(standard_s),
            posix_offset(daylight.offset_s?),
            change(daylight)?,
            change(standard)?
        );
        TimeZone::posix(&text).ok()
    }
}

/// `FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU` at 03:00 as `M10.5.0/03:00:00`.
fn change(half: &Half) -> Option<String> {
    let (mut month, mut day, mut from_day) = (None::<u8>, None::<&str>, None::<u8>);
    for part in half.rule.split(';') {
        let (key, value) = part.split_once('=')?;
        match key.trim().to_ascii_uppercase().as_str() {
            "FREQ" if value.eq_ignore_ascii_case("YEARLY") => {}
            "BYMONTH" => month = value.parse().ok(),
            "BYDAY" => day = Some(value.trim()),
            "BYMONTHDAY" => from_day = value.split(',').next().and_then(|day| day.parse().ok()),
            "INTERVAL" if value == "1" => {}
            "WKST" => {}
            // A rule that ended says nothing of today.
            _ => return None,
        }
    }
    let day = day?;
    let (nth, weekday) = day.split_at_checked(day.len().checked_sub(2)?)?;
    let weekday = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"]
        .iter()
        .position(|known| known.eq_ignore_ascii_case(weekday))?;
    let nth = match (nth.trim_start_matches('+'), from_day) {
        ("-1" | "5", _) => 5,
        // `BYDAY=SU;BYMONTHDAY=8,9,10,11,12,13,14`: the second Sunday.
        ("", Some(from)) => (from.checked_sub(1)? / 7 + 1).min(5),
        (nth, _) => nth.parse::<u8>().ok().filter(|nth| (1..=4).contains(nth))?,
    };
    let clock = half.start.split_once(['T', 't'])?.1;
    let (hour, minute) = (clock.get(..2)?, clock.get(2..4)?);
    let (hour, minute): (u8, u8) = (hour.parse().ok()?, minute.parse().ok()?);
    Some(format!("M{}.{nth}.{weekday}/{hour}:{minute:02}:00", month?))
}

/// `+0100`, `-0330` or `+053000` in seconds.
fn offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    if !matches!(digits.len(), 4 | 6) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| digits.get(at..at + 2).map_or(Some(0), |part| part.parse::<i32>().ok());
    let seconds = part(0)? * 3_600 + part(2)? * 60 + part(4)?;
    (seconds <= 93_599).then_some(sign * seconds)
}

/// POSIX counts west of Greenwich.
fn posix_offset(seconds: i32) -> String {
    let sign = if seconds > 0 { "-" } else { "" };
    let seconds = seconds.abs();
    format!("{sign}{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// What Windows calls the zones, and the place that stands for each (Unicode CLDR, `windowsZones`, territory 001).
const WINDOWS: &[(&str, &str)] = &[
    ("AUS Central Standard Time", "Australia/Darwin"),
    ("AUS Eastern Standard Time", "Australia/Sydney"),
    ("Afghanistan Standard Time", "Asia/Kabul"),
    ("Alaskan Standard Time", "America/Anchorage"),
    ("Alberta Standard Time", "America/Edmonton"),
    ("Aleutian Standard Time", "America/Adak"),
    ("Altai Standard Time", "Asia/Barnaul"),
    ("Arab Standard Time", "Asia/Riyadh"),
    ("Arabian Standard Time", "Asia/Dubai"),
    ("Arabic Standard Time", "Asia/Baghdad"),
    ("Argentina Standard Time", "America/Argentina/Buenos_Aires"),
    ("Astrakhan Standard Time", "Europe/Astrakhan"),
    ("Atlantic Standard Time", "America/Halifax"),
    ("Aus Central W. Standard Time", "Australia/Eucla"),
    ("Azerbaijan Standard Time", "Asia/Baku"),
    ("Azores Standard Time", "Atlantic/Azores"),
    ("Bahia Standard Time", "America/Bahia"),
    ("Bangladesh Standard Time", "Asia/Dhaka"),
    ("Belarus Standard Time", "Europe/Minsk"),
    ("Bougainville Standard Time", "Pacific/Bougainville"),
    ("British Columbia Standard Time", "America/Vancouver"),
    ("Canada Central Standard Time", "America/Regina"),
    ("Cape Verde Standard Time", "Atlantic/Cape_Verde"),
    ("Caucasus Standard Time", "Asia/Yerevan"),
    ("Cen. Australia Standard Time", "Australia/Adelaide"),
    ("Central America Standard Time", "America/Guatemala"),
    ("Central Asia Standard Time", "Asia/Bishkek"),
    ("Central Brazilian Standard Time", "America/Cuiaba"),
    ("Central Europe Standard Time", "Europe/Budapest"),
    ("Central European Standard Time", "Europe/Warsaw"),
    ("Central Pacific Standard Time", "Pacific/Guadalcanal"),
    ("Central Standard Time", "America/Chicago"),
    ("Central Standard Time (Mexico)", "America/Mexico_City"),
    ("Chatham Islands Standard Time", "Pacific/Chatham"),
    ("China Standard Time", "Asia/Shanghai"),
    ("Cuba Standard Time", "America/Havana"),
    ("Dateline Standard Time", "Etc/GMT+12"),
    ("E. Africa Standard Time", "Africa/Nairobi"),
    ("E. Australia Standard Time", "Australia/Brisbane"),
    ("E. Europe Standard Time", "Europe/Chisinau"),
    ("E. South America Standard Time", "America/Sao_Paulo"),
    ("Easter Island Standard Time", "Pacific/Easter"),
    ("Eastern Standard Time", "America/New_York"),
    ("Eastern Standard Time (Mexico)", "America/Cancun"),
    ("Egypt Standard Time", "Africa/Cairo"),
    ("Ekaterinburg Standard Time", "Asia/Yekaterinburg"),
    ("FLE Standard Time", "Europe/Kiev"),
    ("Fiji Standard Time", "Pacific/Fiji"),
    ("GMT Standard Time", "Europe/London"),
    ("GTB Standard Time", "Europe/Bucharest"),
    ("Georgian Standard Time", "Asia/Tbilisi"),
    ("Greenland Standard Time", "America/Nuuk"),
    ("Greenwich Standard Time", "Atlantic/Reykjavik"),
    ("Haiti Standard Time", "America/Port-au-Prince"),
    ("Hawaiian Standard Time", "Pacific/Honolulu"),
    ("India Standard Time", "Asia/Kolkata"),
    ("Iran Standard Time", "Asia/Tehran"),
    ("Israel Standard Time", "Asia/Jerusalem"),
    ("Jordan Standard Time", "Asia/Amman"),
    ("Kaliningrad Standard Time", "Europe/Kaliningrad"),
    ("Korea Standard Time", "Asia/Seoul"),
    ("Libya Standard Time", "Africa/Tripoli"),
    ("Line Islands Standard Time", "Pacific/Kiritimati"),
    ("Lord Howe Standard Time", "Australia/Lord_Howe"),
    ("Magadan Standard Time", "Asia/Magadan"),
    ("Magallanes Standard Time", "America/Punta_Arenas"),
    ("Manitoba Standard Time", "America/Winnipeg"),
    ("Marquesas Standard Time", "Pacific/Marquesas"),
    ("Mauritius Standard Time", "Indian/Mauritius"),
    ("Middle East Standard Time", "Asia/Beirut"),
    ("Montevideo Standard Time", "America/Montevideo"),
    ("Morocco Standard Time", "Africa/Casablanca"),
    ("Mountain Standard Time", "America/Denver"),
    ("Mountain Standard Time (Mexico)", "America/Mazatlan"),
    ("Myanmar Standard Time", "Asia/Yangon"),
    ("N. Central Asia Standard Time", "Asia/Novosibirsk"),
    ("Namibia Standard Time", "Africa/Windhoek"),
    ("Nepal Standard Time", "Asia/Kathmandu"),
    ("New Zealand Standard Time", "Pacific/Auckland"),
    ("Newfoundland Standard Time", "America/St_Johns"),
    ("Norfolk Standard Time", "Pacific/Norfolk"),
    ("North Asia East Standard Time", "Asia/Irkutsk"),
    ("North Asia Standard Time", "Asia/Krasnoyarsk"),
    ("North Korea Standard Time", "Asia/Pyongyang"),
    ("Omsk Standard Time", "Asia/Omsk"),
    ("Pacific SA Standard Time", "America/Santiago"),
    ("Pacific Standard Time", "America/Los_Angeles"),
    ("Pacific Standard Time (Mexico)", "America/Tijuana"),
    ("Pakistan Standard Time", "Asia/Karachi"),
    ("Paraguay Standard Time", "America/Asuncion"),
    ("Qyzylorda Standard Time", "Asia/Qyzylorda"),
    ("Romance Standard Time", "Europe/Paris"),
    ("Russia Time Zone 10", "Asia/Srednekolymsk"),
    ("Russia Time Zone 11", "Asia/Kamchatka"),
    ("Russia Time Zone 3", "Europe/Samara"),
    ("Russian Standard Time", "Europe/Moscow"),
    ("SA Eastern Standard Time", "America/Cayenne"),
    ("SA Pacific Standard Time", "America/Bogota"),
    ("SA Western Standard Time", "America/La_Paz"),
    ("SE Asia Standard Time", "Asia/Bangkok"),
    ("Saint Pierre Standard Time", "America/Miquelon"),
    ("Sakhalin Standard Time", "Asia/Sakhalin"),
    ("Samoa Standard Time", "Pacific/Apia"),
    ("Sao Tome Standard Time", "Africa/Sao_Tome"),
    ("Saratov Standard Time", "Europe/Saratov"),
    ("Singapore Standard Time", "Asia/Singapore"),
    ("South Africa Standard Time", "Africa/Johannesburg"),
    ("South Sudan Standard Time", "Africa/Juba"),
    ("Sri Lanka Standard Time", "Asia/Colombo"),
    ("Sudan Standard Time", "Africa/Khartoum"),
    ("Syria Standard Time", "Asia/Damascus"),
    ("Taipei Standard Time", "Asia/Taipei"),
    ("Tasmania Standard Time", "Australia/Hobart"),
    ("Tocantins Standard Time", "America/Araguaina"),
    ("Tokyo Standard Time", "Asia/Tokyo"),
    ("Tomsk Standard Time", "Asia/Tomsk"),
    ("Tonga Standard Time", "Pacific/Tongatapu"),
    ("Transbaikal Standard Time", "Asia/Chita"),
    ("Turkey Standard Time", "Europe/Istanbul"),
    ("Turks And Caicos Standard Time", "America/Grand_Turk"),
    ("US Eastern Standard Time", "America/Indiana/Indianapolis"),
    ("US Mountain Standard Time", "America/Phoenix"),
    ("UTC", "Etc/UTC"),
    ("UTC+12", "Etc/GMT-12"),
    ("UTC+13", "Etc/GMT-13"),
    ("UTC-02", "Etc/GMT+2"),
    ("UTC-08", "Etc/GMT+8"),
    ("UTC-09", "Etc/GMT+9"),
    ("UTC-11", "Etc/GMT+11"),
    ("Ulaanbaatar Standard Time", "Asia/Ulaanbaatar"),
    ("Venezuela Standard Time", "America/Caracas"),
    ("Vladivostok Standard Time", "Asia/Vladivostok"),
    ("Volgograd Standard Time", "Europe/Volgograd"),
    ("W. Australia Standard Time", "Australia/Perth"),
    ("W. Central Africa Standard Time", "Africa/Lagos"),
    ("W. Europe Standard Time", "Europe/Berlin"),
    ("W. Mongolia Standard Time", "Asia/Hovd"),
    ("West Asia Standard Time", "Asia/Tashkent"),
    ("West Bank Standard Time", "Asia/Hebron"),
    ("West Pacific Standard Time", "Pacific/Port_Moresby"),
    ("Yakutsk Standard Time", "Asia/Yakutsk"),
    ("Yukon Standard Time", "America/Whitehorse"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn offset_at(zone: &TimeZone, instant: &str) -> i32 {
        zone.to_offset(instant.parse().expect("an instant")).seconds()
    }

    #[test]
    fn every_name_of_windows_leads_to_a_zone_of_the_database() {
        for (windows, iana) in WINDOWS {
            assert!(zone(iana).is_some(), "{windows}: {iana}");
        }
        assert!(WINDOWS.is_sorted_by_key(|(name, _)| *name));
    }

    #[test]
    fn names_with_a_head_of_their_own_are_understood() {
        let zones = Zones::default();
        for name in [
            "Europe/Madrid",
            "/mozilla.org/20050126_1/Europe/Madrid",
            "/freeassociation.sourceforge.net/Europe/Madrid",
            "Romance Standard Time",
        ] {
            let found = zones.find(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(offset_at(&found, "2026-07-01T00:00:00Z"), 7_200, "{name}");
        }
        assert!(zones.find("Middle Earth Standard Time").is_none());
        assert!(zones.find("").is_none());
    }

    #[test]
    fn a_zone_that_the_file_defines_changes_its_clocks_when_the_file_says() {
        let file = "BEGIN:VTIMEZONE\nTZID:Customized Time Zone\nBEGIN:STANDARD\nDTSTART:16010101T030000\n\
                    TZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\n\
                    BEGIN:DAYLIGHT\nDTSTART:16010101T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\n\
                    RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT\nEND:VTIMEZONE\n\
                    BEGIN:VTIMEZONE\nTZID:Fixed\nBEGIN:STANDARD\nDTSTART:16010101T000000\nTZOFFSETFROM:-0330\n\
                    TZOFFSETTO:-0330\nEND:STANDARD\nEND:VTIMEZONE\n";
        let zones = Zones::of(&super::super::lines::unfold(file.as_bytes()));
        let own = zones.find("Customized Time Zone").expect("defined");
        for (instant, seconds) in [
            ("2026-03-29T00:59:00Z", 3_600),
            ("2026-03-29T01:00:00Z", 7_200),
            ("2026-10-25T00:59:00Z", 7_200),
            ("2026-10-25T01:00:00Z", 3_600),
        ] {
            assert_eq!(offset_at(&own, instant), seconds, "{instant}");
        }
        assert_eq!(offset_at(&zones.find("Fixed").expect("defined"), "2026-07-01T00:00:00Z"), -12_600);
    }
}
