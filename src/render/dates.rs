//! Times as people write them, in their language and zone.
//!
//! Month and weekday names come from our own small tables; the zones are jiff's bundled database. Times are
//! written with 24 hours in both languages: readers of one mail live in several countries.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::Texts;
use crate::base::language::Language;
use crate::base::time;

const MONTHS: [[&str; 12]; 2] = [
    [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
];
const SHORT_MONTHS: [[&str; 12]; 2] = [
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    ["ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic"],
];
/// From Monday.
const WEEKDAYS: [[&str; 7]; 2] = [
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    ["lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"],
];

/// Places whose name in English or in Spanish is not what the zone database calls them: (theirs, English, Spanish). The
/// script of the hosted pages has the same; a test holds them to each other.
const PLACES: [(&str, &str, &str); 73] = [
    ("Addis Ababa", "Addis Ababa", "Adís Abeba"),
    ("Algiers", "Algiers", "Argel"),
    ("Amman", "Amman", "Amán"),
    ("Amsterdam", "Amsterdam", "Ámsterdam"),
    ("Asuncion", "Asunción", "Asunción"),
    ("Athens", "Athens", "Atenas"),
    ("Baghdad", "Baghdad", "Bagdad"),
    ("Bahrain", "Bahrain", "Baréin"),
    ("Belgrade", "Belgrade", "Belgrado"),
    ("Berlin", "Berlin", "Berlín"),
    ("Bogota", "Bogotá", "Bogotá"),
    ("Brussels", "Brussels", "Bruselas"),
    ("Bucharest", "Bucharest", "Bucarest"),
    ("Cairo", "Cairo", "El Cairo"),
    ("Canary", "Canary", "Canarias"),
    ("Cancun", "Cancún", "Cancún"),
    ("Cape Verde", "Cape Verde", "Cabo Verde"),
    ("Copenhagen", "Copenhagen", "Copenhague"),
    ("Cordoba", "Córdoba", "Córdoba"),
    ("Curacao", "Curaçao", "Curazao"),
    ("Damascus", "Damascus", "Damasco"),
    ("Dhaka", "Dhaka", "Daca"),
    ("Dubai", "Dubai", "Dubái"),
    ("Dublin", "Dublin", "Dublín"),
    ("Easter", "Easter", "Isla de Pascua"),
    ("Havana", "Havana", "La Habana"),
    ("Ho Chi Minh", "Ho Chi Minh", "Ciudad Ho Chi Minh"),
    ("Istanbul", "Istanbul", "Estambul"),
    ("Jerusalem", "Jerusalem", "Jerusalén"),
    ("Johannesburg", "Johannesburg", "Johannesburgo"),
    ("Kathmandu", "Kathmandu", "Katmandú"),
    ("Kolkata", "Kolkata", "Calcuta"),
    ("Kyiv", "Kyiv", "Kiev"),
    ("Lisbon", "Lisbon", "Lisboa"),
    ("London", "London", "Londres"),
    ("Los Angeles", "Los Angeles", "Los Ángeles"),
    ("Luxembourg", "Luxembourg", "Luxemburgo"),
    ("Macau", "Macau", "Macao"),
    ("Maldives", "Maldives", "Maldivas"),
    ("Martinique", "Martinique", "Martinica"),
    ("Mauritius", "Mauritius", "Mauricio"),
    ("Mazatlan", "Mazatlán", "Mazatlán"),
    ("Merida", "Mérida", "Mérida"),
    ("Mexico City", "Mexico City", "Ciudad de México"),
    ("Monaco", "Monaco", "Mónaco"),
    ("Moscow", "Moscow", "Moscú"),
    ("New York", "New York", "Nueva York"),
    ("Panama", "Panama", "Panamá"),
    ("Paris", "Paris", "París"),
    ("Port-au-Prince", "Port-au-Prince", "Puerto Príncipe"),
    ("Prague", "Prague", "Praga"),
    ("Reunion", "Réunion", "Reunión"),
    ("Reykjavik", "Reykjavík", "Reikiavik"),
    ("Riyadh", "Riyadh", "Riad"),
    ("Rome", "Rome", "Roma"),
    ("Sao Paulo", "São Paulo", "São Paulo"),
    ("Seoul", "Seoul", "Seúl"),
    ("Shanghai", "Shanghai", "Shanghái"),
    ("Singapore", "Singapore", "Singapur"),
    ("St Johns", "St. John’s", "San Juan de Terranova"),
    ("Stockholm", "Stockholm", "Estocolmo"),
    ("Sydney", "Sydney", "Sídney"),
    ("Taipei", "Taipei", "Taipéi"),
    ("Tashkent", "Tashkent", "Taskent"),
    ("Tbilisi", "Tbilisi", "Tiflis"),
    ("Tehran", "Tehran", "Teherán"),
    ("Tokyo", "Tokyo", "Tokio"),
    ("Tripoli", "Tripoli", "Trípoli"),
    ("Tunis", "Tunis", "Túnez"),
    ("Vienna", "Vienna", "Viena"),
    ("Vilnius", "Vilnius", "Vilna"),
    ("Warsaw", "Warsaw", "Varsovia"),
    ("Zurich", "Zurich", "Zúrich"),
];

/// The place of a zone's name, as people write it in their language; none for a zone that is only an offset (`EST`,
/// `Etc/GMT+5`).
fn place(name: &str, language: Language) -> Option<String> {
    let (area, city) = name.rsplit_once('/')?;
    if area == "Etc" || area.starts_with("SystemV") {
        return None;
    }
    let city = city.replace('_', " ");
    let known = PLACES.iter().find(|(theirs, ..)| *theirs == city);
    Some(match (known, language) {
        (Some((_, english, _)), Language::En) => (*english).to_owned(),
        (Some((.., spanish)), Language::Es) => (*spanish).to_owned(),
        (None, _) => city,
    })
}

/// The time zone in which a reader wants to see times; UTC when the name is unknown.
#[derive(Debug, Clone)]
pub struct Zone(TimeZone);

impl Zone {
    /// The zone of an IANA name, from the bundled database.
    pub fn named(name: &str) -> Zone {
        Zone(time::zone(name).unwrap_or(TimeZone::UTC))
    }

    fn at(&self, ms: i64) -> Zoned {
        Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(self.0.clone())
    }

    /// "21 November 2026", "21 de noviembre de 2026".
    pub fn date(&self, ms: i64, language: Language) -> String {
        let day = self.at(ms);
        let month = word(&MONTHS, language, i32::from(day.month()) - 1);
        match language {
            Language::En => format!("{} {month} {}", day.day(), day.year()),
            Language::Es => format!("{} de {month} de {}", day.day(), day.year()),
        }
    }

    /// "21 Nov", "21 nov".
    pub fn short_date(&self, ms: i64, language: Language) -> String {
        let day = self.at(ms);
        format!("{} {}", day.day(), word(&SHORT_MONTHS, language, i32::from(day.month()) - 1))
    }

    /// "Saturday 21 November", "sábado 21 de noviembre".
    pub fn weekday_date(&self, ms: i64, language: Language) -> String {
        let day = self.at(ms);
        let month = word(&MONTHS, language, i32::from(day.month()) - 1);
        let weekday = word(&WEEKDAYS, language, i32::from(day.weekday().to_monday_zero_offset()));
        match language {
            Language::En => format!("{weekday} {} {month}", day.day()),
            Language::Es => format!("{weekday} {} de {month}", day.day()),
        }
    }

    /// "Sat 21 Nov", "sáb 21 nov".
    pub fn short_weekday_date(&self, ms: i64, language: Language) -> String {
        let weekday = word(&WEEKDAYS, language, i32::from(self.at(ms).weekday().to_monday_zero_offset()));
        let short: String = weekday.chars().take(3).collect();
        format!("{short} {}", self.short_date(ms, language))
    }

    /// "20:45".
    pub fn time(&self, ms: i64) -> String {
        let at = self.at(ms);
        format!("{:02}:{:02}", at.hour(), at.minute())
    }

    /// "21 November 2026, 20:45".
    pub fn datetime(&self, ms: i64, language: Language) -> String {
        format!("{}, {}", self.date(ms, language), self.time(ms))
    }

    /// "21 Nov, 20:45".
    pub fn short_datetime(&self, ms: i64, language: Language) -> String {
        format!("{}, {}", self.short_date(ms, language), self.time(ms))
    }

    /// "Madrid (UTC+1)": the city and the offset that holds at this moment.
    pub fn label(&self, ms: i64, language: Language) -> String {
        let offset_min = self.at(ms).offset().seconds() / 60;
        let sign = if offset_min < 0 { '−' } else { '+' };
        let (hours, minutes) = (offset_min.abs() / 60, offset_min.abs() % 60);
        let offset = match (hours, minutes) {
            (0, 0) => "UTC".to_owned(),
            (_, 0) => format!("UTC{sign}{hours}"),
            _ => format!("UTC{sign}{hours}:{minutes:02}"),
        };
        match self.0.iana_name().and_then(|name| place(name, language)) {
            Some(place) => format!("{place} ({offset})"),
            None => offset,
        }
    }

    /// "2026-11-21T20:45:00+01:00", for the `datetime` attribute.
    pub fn machine(&self, ms: i64) -> String {
        self.at(ms).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }

    /// "just now", "5 min ago", "in 2 h", "yesterday", and the date when it is more than a week away.
    pub fn ago(&self, ms: i64, now: i64, language: Language, texts: &Texts) -> String {
        let past = ms <= now;
        // What lies ahead is told to the nearest minute: an hour of which a second is gone is still an hour.
        let minutes = if past { (now - ms) / 60_000 } else { (ms - now + 30_000) / 60_000 };
        let days = i64::from((self.at(now).date() - self.at(ms).date()).get_days()).abs();
        let (key, n) = match (past, minutes, days) {
            (_, 0, _) => ("when.now", 0),
            (true, 1..60, _) => ("when.minutes_ago", minutes),
            (false, 1..60, _) => ("when.in_minutes", minutes),
            (true, _, 0) => ("when.hours_ago", minutes / 60),
            (false, _, 0) => ("when.in_hours", minutes / 60),
            (true, _, 1) => ("when.yesterday", 1),
            (false, _, 1) => ("when.tomorrow", 1),
            (true, _, 2..7) => ("when.days_ago", days),
            (false, _, 2..7) => ("when.in_days", days),
            _ if self.at(ms).year() == self.at(now).year() => return self.short_date(ms, language),
            _ => return self.date(ms, language),
        };
        texts.get(language, key, &[("n", n.to_string())]).unwrap_or_default()
    }
}

/// "45 s", "3 min", "2 h 5 min", "4 d".
pub fn duration(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 if seconds % 3600 < 60 => format!("{} h", seconds / 3600),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn word<const N: usize>(table: &[[&'static str; N]; 2], language: Language, index: i32) -> &'static str {
    let row = match language {
        Language::En => &table[0],
        Language::Es => &table[1],
    };
    usize::try_from(index).ok().and_then(|index| row.get(index)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_290_300_000; // 2026-11-21 19:45 UTC, a Saturday

    #[test]
    fn dates_are_written_as_people_write_them() {
        let madrid = Zone::named("Europe/Madrid");
        assert_eq!(madrid.weekday_date(NOW, Language::En), "Saturday 21 November");
        assert_eq!(madrid.weekday_date(NOW, Language::Es), "sábado 21 de noviembre");
        assert_eq!(madrid.short_weekday_date(NOW, Language::En), "Sat 21 Nov");
        assert_eq!(madrid.short_weekday_date(NOW, Language::Es), "sáb 21 nov");
        assert_eq!(madrid.label(NOW, Language::En), "Madrid (UTC+1)");
        assert_eq!(Zone::named("Asia/Kolkata").label(NOW, Language::En), "Kolkata (UTC+5:30)");
        assert_eq!(Zone::named("America/New_York").label(NOW, Language::En), "New York (UTC−5)");
        assert_eq!(Zone::named("Europe/London").label(NOW, Language::Es), "Londres (UTC)");
        assert_eq!(Zone::named("nowhere").label(NOW, Language::En), "UTC");
        assert_eq!(madrid.machine(NOW), "2026-11-21T20:45:00+01:00");
    }

    #[test]
    fn a_place_has_its_name_in_each_language_and_an_offset_is_no_place() {
        let say = |zone: &str, language| Zone::named(zone).label(NOW, language);
        assert_eq!(say("Asia/Katmandu", Language::En), "Kathmandu (UTC+5:45)");
        assert_eq!(say("Asia/Kathmandu", Language::Es), "Katmandú (UTC+5:45)");
        assert_eq!(say("America/Sao_Paulo", Language::En), "São Paulo (UTC−3)");
        assert_eq!(say("US/Eastern", Language::Es), "Nueva York (UTC−5)");
        assert_eq!(say("EST", Language::En), "UTC−5");
        assert_eq!(say("Etc/GMT-3", Language::Es), "UTC+3");
    }

    #[test]
    fn the_pages_script_names_places_as_the_server_does() {
        let script = include_str!("../http/assets/pages.js");
        let table = |name: &str| -> Vec<String> {
            let from = script.split(&format!("var {name} =")).nth(1).expect("the table");
            let literal = from.split(';').next().expect("its end");
            let text: String = literal.split('"').skip(1).step_by(2).collect();
            text.split(',').map(str::to_owned).collect()
        };
        let ours: Vec<String> = PLACES
            .iter()
            .map(|(theirs, english, spanish)| {
                format!("{theirs}:{}:{spanish}", if english == theirs { "" } else { english })
            })
            .collect();
        assert_eq!(table("PLACES"), ours);
        for pair in table("RENAMED") {
            let (old, new) = pair.split_once('=').expect("a pair");
            assert_eq!(Zone::named(old).0.iana_name(), Some(new), "{old}");
        }
    }

    #[test]
    fn yesterday_is_a_calendar_day_in_the_readers_zone() {
        let texts = Texts::embedded().unwrap();
        let hours = |h: i64| h * 3_600_000;
        let say = |zone: &str, ms: i64| Zone::named(zone).ago(ms, NOW, Language::En, &texts);
        assert_eq!(say("Europe/Madrid", NOW - hours(20)), "20 h ago");
        assert_eq!(say("Europe/Madrid", NOW - hours(21)), "yesterday");
        assert_eq!(say("Asia/Tokyo", NOW - hours(5)), "yesterday");
        assert_eq!(say("UTC", NOW + hours(25)), "tomorrow");
        assert_eq!(say("UTC", NOW - hours(24 * 3)), "3 days ago");
        assert_eq!(say("UTC", NOW - hours(24 * 30)), "22 Oct");
        assert_eq!(say("UTC", NOW - hours(24 * 400)), "17 October 2025");
    }

    #[test]
    fn durations_use_the_two_largest_units_that_matter() {
        assert_eq!(duration(45_000), "45 s");
        assert_eq!(duration(200_000), "3 min");
        assert_eq!(duration(7_500_000), "2 h 5 min");
        assert_eq!(duration(7_200_000), "2 h");
    }
}
