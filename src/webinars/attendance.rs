//! Lists of who was there, as webinar tools export them: one line a stay, `email,minutes` or `email,joined,left`; or JSON.

use std::collections::HashMap;

use jiff::civil::{DateTime, Time};
use serde::Deserialize;

use super::Webinar;
use crate::base::email::Email;
use crate::base::time::{MINUTE_MS, Timestamp, zone};

/// Larger lists are refused.
pub const MOST_BYTES: usize = 4 * 1024 * 1024;

/// One person who was there.
#[derive(Debug, Clone, PartialEq)]
pub struct Attended {
    /// The first line in the list that names her, from 1.
    pub line: usize,
    /// The address.
    pub email: Email,
    /// For how many minutes of the webinar, if the list says so. Whoever left and came again is counted for the time she
    /// was there.
    pub minutes: Option<i64>,
}

/// A line that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Unusable {
    /// The line in the list, from 1.
    pub line: usize,
    /// What stands there.
    pub text: String,
    /// Why it could not be used.
    pub reason: &'static str,
}

/// A list that is no list at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoList {
    /// Neither text nor JSON, such as a spreadsheet's own file.
    #[error("this is no text; export the list as CSV (columns email, minutes) or JSON")]
    NotText,
    /// JSON of another shape.
    #[error("expected JSON like [{{\"email\": \"ana@acme.example\", \"minutes\": 42}}]: {0}")]
    NotThisJson(String),
    /// No line holds an address.
    #[error("no line holds an e-mail address; expected `email,minutes`")]
    NoAddress,
    /// Too large.
    #[error("the list is larger than {MOST_BYTES} bytes")]
    TooLarge,
}

/// Reads a list in whatever form it comes: JSON if it begins like JSON, else lines. Local times are those of the webinar.
///
/// # Errors
/// [`NoList`] if nothing in it can be used.
pub fn read(bytes: &[u8], webinar: &Webinar) -> Result<(Vec<Attended>, Vec<Unusable>), NoList> {
    if bytes.len() > MOST_BYTES {
        return Err(NoList::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| NoList::NotText)?;
    let text = text.trim_start_matches('\u{feff}');
    if text.contains('\0') {
        return Err(NoList::NotText);
    }
    let mut list = List { webinar, people: Vec::new(), places: HashMap::new(), unusable: Vec::new() };
    if text.trim_start().starts_with(['[', '{']) {
        list.read_json(text)?
    } else {
        list.read_lines(text)
    }
    if list.people.is_empty() {
        return Err(NoList::NoAddress);
    }
    let attended = list.people.into_iter().map(|person| person.attended(webinar)).collect();
    Ok((attended, list.unusable))
}

#[derive(Deserialize)]
struct Entry {
    email: String,
    #[serde(default)]
    minutes: Option<f64>,
    #[serde(default)]
    joined: Option<String>,
    #[serde(default)]
    left: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Json {
    List(Vec<Entry>),
    Wrapped { attendance: Vec<Entry> },
}

/// What the list says of one person.
struct Person {
    line: usize,
    email: Email,
    minutes: Option<f64>,
    stays: Vec<(Timestamp, Timestamp)>,
}

impl Person {
    fn attended(mut self, webinar: &Webinar) -> Attended {
        let lasts = webinar.duration_ms.div_euclid(MINUTE_MS);
        let minutes = if self.stays.is_empty() {
            self.minutes.and_then(whole)
        } else {
            Some(union_ms(&mut self.stays).div_euclid(MINUTE_MS))
        };
        Attended { line: self.line, email: self.email, minutes: minutes.map(|minutes| minutes.min(lasts)) }
    }
}

/// How long all stays together are; what overlaps counts once.
fn union_ms(stays: &mut [(Timestamp, Timestamp)]) -> i64 {
    stays.sort_unstable();
    let mut total = 0;
    let mut until: Option<Timestamp> = None;
    for (from, to) in stays.iter() {
        let from = until.map_or(*from, |until| until.max(*from));
        total += to.since_ms(from).max(0);
        until = Some(until.map_or(*to, |until| until.max(*to)));
    }
    total
}

struct List<'a> {
    webinar: &'a Webinar,
    people: Vec<Person>,
    places: HashMap<String, usize>,
    unusable: Vec<Unusable>,
}

/// What the columns of one line hold.
#[derive(Default)]
struct Cells<'a> {
    email: &'a str,
    minutes: &'a str,
    joined: &'a str,
    left: &'a str,
}

impl List<'_> {
    fn read_json(&mut self, text: &str) -> Result<(), NoList> {
        let (Json::List(entries) | Json::Wrapped { attendance: entries }) =
            serde_json::from_str(text).map_err(|error| NoList::NotThisJson(error.to_string()))?;
        for (index, entry) in entries.iter().enumerate() {
            let minutes = entry.minutes.map(|minutes| minutes.to_string()).unwrap_or_default();
            let cells = Cells {
                email: &entry.email,
                minutes: &minutes,
                joined: entry.joined.as_deref().unwrap_or_default(),
                left: entry.left.as_deref().unwrap_or_default(),
            };
            self.take(index + 1, &entry.email, &cells);
        }
        Ok(())
    }

    /// Lines with commas, semicolons or tabs between, quotes around, a headline above (RFC 4180, and what spreadsheets make
    /// of it).
    fn read_lines(&mut self, text: &str) {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .delimiter(delimiter(text))
            .from_reader(text.as_bytes());
        let mut columns: Option<[Option<usize>; 4]> = None;
        let (mut line, mut counted) = (1, 0);
        for record in reader.records() {
            let Ok(record) = record else { continue };
            // The reader's own count of lines is that of where it stood: before the end of a line of Windows, and before
            // lines without anything.
            let stood = record.position().and_then(|position| usize::try_from(position.byte()).ok());
            let passed = text.as_bytes().get(counted..).unwrap_or_default();
            let upto = stood.map_or(0, |stood| stood.saturating_sub(counted));
            let breaks = passed.iter().skip(upto).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            line += passed.iter().take(upto + breaks).filter(|byte| **byte == b'\n').count();
            counted += upto + breaks;
            let raw = || record.iter().collect::<Vec<_>>().join(",");
            if record.iter().all(str::is_empty) {
                continue;
            }
            if columns.is_none() && !record.iter().any(|cell| cell.contains('@')) {
                columns = Some(headline(&record));
                continue;
            }
            let columns = columns.get_or_insert([Some(0), Some(1), None, None]);
            let cell =
                |column: Option<usize>| column.and_then(|column| record.get(column)).unwrap_or_default();
            let [email, minutes, joined, left] = *columns;
            let cells =
                Cells { email: cell(email), minutes: cell(minutes), joined: cell(joined), left: cell(left) };
            self.take(line, &raw(), &cells);
        }
    }

    fn take(&mut self, line: usize, raw: &str, cells: &Cells<'_>) {
        match self.understood(cells) {
            Ok((email, minutes, stay)) => {
                let place = *self.places.entry(email.as_str().to_owned()).or_insert_with(|| {
                    self.people.push(Person { line, email, minutes: None, stays: Vec::new() });
                    self.people.len() - 1
                });
                if let Some(person) = self.people.get_mut(place) {
                    person.stays.extend(stay);
                    person.minutes = match (person.minutes, minutes) {
                        (Some(before), Some(more)) => Some(before + more),
                        (before, more) => before.or(more),
                    };
                }
            }
            Err(reason) => {
                let text = raw.chars().take(200).collect();
                self.unusable.push(Unusable { line, text, reason });
            }
        }
    }

    #[allow(clippy::type_complexity, reason = "three columns")]
    fn understood(
        &self,
        cells: &Cells<'_>,
    ) -> Result<(Email, Option<f64>, Option<(Timestamp, Timestamp)>), &'static str> {
        let email = Email::parse(cells.email).map_err(|_| "not an e-mail address")?;
        let minutes = match cells.minutes {
            "" => None,
            text => Some(text.parse::<f64>().map_err(|_| "the minutes are no number")?),
        };
        if minutes.is_some_and(|minutes| whole(minutes).is_none()) {
            return Err("the minutes are no length of time");
        }
        let stay = match (cells.joined, cells.left) {
            ("", _) | (_, "") => None,
            (joined, left) => {
                let moment = |text| self.moment(text).ok_or("the time of joining or leaving cannot be read");
                let (joined, left) = (moment(joined)?, moment(left)?);
                if left < joined {
                    return Err("left before joining");
                }
                let (start, end) = (self.webinar.starts_at, self.webinar.ends_at());
                Some((joined.max(start).min(end), left.min(end).max(start)))
            }
        };
        Ok((email, minutes, stay))
    }

    /// An instant, a local time, a time of the webinar's day, or minutes after its start.
    fn moment(&self, text: &str) -> Option<Timestamp> {
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            return Some(Timestamp::from_jiff(instant));
        }
        if let Ok(minutes) = text.parse::<f64>() {
            return Some(self.webinar.starts_at.plus_ms(whole(minutes)? * MINUTE_MS));
        }
        let zone = zone(&self.webinar.zone)?;
        let local: DateTime = match text.parse::<Time>() {
            Ok(time) => self.webinar.starts_at.to_jiff().to_zoned(zone.clone()).date().to_datetime(time),
            Err(_) => text.parse().ok()?,
        };
        Some(Timestamp::from_jiff(local.to_zoned(zone).ok()?.timestamp()))
    }
}

/// Where the columns are, by the words of a headline.
fn headline(record: &csv::StringRecord) -> [Option<usize>; 4] {
    let find = |names: &[&str]| record.iter().position(|cell| names.contains(&cell.to_lowercase().as_str()));
    let email =
        find(&["email", "e-mail", "email address", "user email", "correo", "correo electrónico", "mail"]);
    let minutes = find(&[
        "minutes",
        "minutos",
        "duration",
        "duración",
        "time in session (minutes)",
        "tiempo en la sesión (minutos)",
    ]);
    let joined = find(&["joined", "join time", "joined_at", "hora de entrada", "entrada"]);
    let left = find(&["left", "leave time", "left_at", "hora de salida", "salida"]);
    [email.or(Some(0)), minutes.or(if joined.is_some() { None } else { Some(1) }), joined, left]
}

/// What stands between the cells: whichever the first lines have most of.
fn delimiter(text: &str) -> u8 {
    let head: String = text.lines().take(5).collect();
    let count = |delimiter: u8| head.bytes().filter(|byte| *byte == delimiter).count();
    [b';', b'\t']
        .into_iter()
        .filter(|other| count(*other) > count(b','))
        .max_by_key(|other| count(*other))
        .unwrap_or(b',')
}

/// Whole minutes, rounded down; nothing for what is no length of time.
fn whole(minutes: f64) -> Option<i64> {
    let whole = minutes.floor();
    if (0.0..=10_000.0).contains(&whole) { format!("{whole:.0}").parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Report;
    use crate::webinars::Definition;

    fn webinar() -> Webinar {
        let text = "\
webinars:
  - {id: r, title: R, description: D, starts_at: 2026-12-03T16:00, zone: Europe/Madrid, duration_m: 45, host: L, form: f}
";
        let report = Report::new();
        let mut read =
            Definition::parse("w.yaml", text, &report).unwrap_or_else(|| panic!("{}", report.text()));
        read.webinars.remove(0)
    }

    fn emails(text: &str) -> Vec<(usize, String, Option<i64>)> {
        let (attended, _) = read(text.as_bytes(), &webinar()).expect("a list");
        attended.into_iter().map(|one| (one.line, one.email.to_string(), one.minutes)).collect()
    }

    #[test]
    fn lists_of_several_tools_are_read() {
        let ana = |line| (line, "ana@acme.example".to_owned(), Some(42));
        assert_eq!(emails("ana@acme.example,42\n"), [ana(1)]);
        assert_eq!(emails("\u{feff}email,minutes\r\nAna@ACME.example,42.7\r\n"), [ana(2)]);
        assert_eq!(emails("Nombre;Correo;Minutos\nAna;\"ana@acme.example\";42"), [ana(2)]);
        assert_eq!(emails("name,email,minutes\n\"Ruiz, Ana\",ana@acme.example,42\n"), [ana(2)]);
        assert_eq!(emails("[{\"email\": \"ana@acme.example\", \"minutes\": 42}]"), [ana(1)]);
        assert_eq!(
            emails("{\"attendance\": [{\"email\": \"ana@acme.example\"}]}"),
            [(1, "ana@acme.example".to_owned(), None)]
        );
    }

    #[test]
    fn minutes_follow_from_joining_and_leaving_and_what_overlaps_counts_once() {
        let ana = |minutes| [(2, "ana@acme.example".to_owned(), Some(minutes))];
        let list = |lines: &str| emails(&format!("email,joined,left\n{lines}"));
        assert_eq!(list("ana@acme.example,16:05,16:30\n"), ana(25));
        assert_eq!(list("ana@acme.example,2026-12-03T16:05:00,2026-12-03 16:30\n"), ana(25));
        assert_eq!(list("ana@acme.example,2026-12-03T15:05:00Z,2026-12-03T15:30:00Z\n"), ana(25));
        assert_eq!(list("ana@acme.example,5,30\n"), ana(25), "minutes after the start");
        assert_eq!(
            list("ana@acme.example,15:30,18:00\n"),
            ana(45),
            "what lies before and after is not the webinar"
        );
        let twice =
            "ana@acme.example,16:00,16:20\nANA@acme.example,16:10,16:30\nana@acme.example,16:40,16:45\n";
        assert_eq!(list(twice), ana(35));
        assert_eq!(emails("ana@acme.example,10\nana@acme.example,12\n")[0].2, Some(22));
        assert_eq!(emails("ana@acme.example,300\n")[0].2, Some(45));
    }

    #[test]
    fn lines_that_cannot_be_used_are_told_with_their_number() {
        let list =
            b"email,minutes\nana@acme.example,42\nnobody,3\nbo@acme.example,long\n\ncy@acme.example,-3\n";
        let (attended, unusable) = read(list, &webinar()).expect("a list");
        assert_eq!(attended.len(), 1);
        assert_eq!(
            unusable.iter().map(|one| (one.line, one.reason)).collect::<Vec<_>>(),
            [
                (3, "not an e-mail address"),
                (4, "the minutes are no number"),
                (6, "the minutes are no length of time"),
            ]
        );
        let times = b"email,joined,left\nana@acme.example,16:05,16:30\nbo@acme.example,16:30,16:05\ncy@acme.example,soon,later\n";
        let (_, unusable) = read(times, &webinar()).expect("a list");
        assert_eq!(
            unusable.iter().map(|one| (one.line, one.reason)).collect::<Vec<_>>(),
            [(3, "left before joining"), (4, "the time of joining or leaving cannot be read")]
        );
    }

    #[test]
    fn a_spreadsheet_file_is_refused_and_says_what_to_do() {
        let refused = read(b"PK\x03\x04\xff\xfe\0\0", &webinar()).expect_err("no text");
        assert_eq!(refused, NoList::NotText);
        assert!(refused.to_string().contains("export the list as CSV"));
        assert_eq!(read(b"hello\nworld", &webinar()), Err(NoList::NoAddress));
        assert!(matches!(read(b"{\"people\": 3}", &webinar()), Err(NoList::NotThisJson(_))));
    }
}
