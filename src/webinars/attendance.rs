//! Lists of who was there, as webinar tools export them: one line a stay, `email,minutes` or `email,joined,left`; or JSON.

use std::borrow::Cow;
use std::collections::HashMap;

use jiff::civil::{DateTime, Time};
use serde::Deserialize;
use serde_json::Value as Json;

use super::Webinar;
use crate::base::email::Email;
use crate::base::time::{MINUTE_MS, Timestamp, zone};

/// Larger lists are refused.
pub const MOST_BYTES: usize = 4 * 1024 * 1024;

/// A cell goes over at most so many lines.
const CELL_LINES: usize = 50;

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
    let text = decoded(bytes);
    if text.contains('\0') {
        return Err(NoList::NotText);
    }
    let mut list = List { webinar, people: Vec::new(), places: HashMap::new(), unusable: Vec::new() };
    if text.trim_start().starts_with(['[', '{']) {
        list.read_json(&text)?
    } else {
        list.read_lines(&text)
    }
    // Lines that name somebody and are wrong otherwise are told one by one.
    if list.people.is_empty() && !list.unusable.iter().any(|line| line.text.contains('@')) {
        return Err(NoList::NoAddress);
    }
    let attended = list.people.into_iter().map(|person| person.attended(webinar)).collect();
    Ok((attended, list.unusable))
}

/// The text: what the byte order mark says (Teams exports UTF-16), else UTF-8, else what Windows saves as CSV.
fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    let usual =
        if std::str::from_utf8(bytes).is_ok() { encoding_rs::UTF_8 } else { encoding_rs::WINDOWS_1252 };
    usual.decode(bytes).0
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
        let unreadable = |error: serde_json::Error| NoList::NotThisJson(error.to_string());
        let entries = match serde_json::from_str(text).map_err(unreadable)? {
            Json::Array(entries) => entries,
            Json::Object(mut whole) => match whole.remove("attendance") {
                Some(Json::Array(entries)) => entries,
                Some(_) => return Err(NoList::NotThisJson("`attendance` is no list".to_owned())),
                None => return Err(NoList::NotThisJson("there is no `attendance`".to_owned())),
            },
            _ => return Err(NoList::NotThisJson("this is no list".to_owned())),
        };
        for (index, entry) in entries.into_iter().enumerate() {
            let (line, raw) = (index + 1, entry.to_string());
            let Ok(entry) = serde_json::from_value::<Entry>(entry) else {
                self.refuse(
                    line,
                    &raw,
                    "not an entry like {\"email\": \"ana@acme.example\", \"minutes\": 42}",
                );
                continue;
            };
            let minutes = entry.minutes.map(|minutes| minutes.to_string()).unwrap_or_default();
            let cells = Cells {
                email: &entry.email,
                minutes: &minutes,
                joined: entry.joined.as_deref().unwrap_or_default(),
                left: entry.left.as_deref().unwrap_or_default(),
            };
            self.take(line, &entry.email, &cells);
        }
        Ok(())
    }

    /// Lines with commas, semicolons or tabs between, quotes around, a headline above (RFC 4180, and what spreadsheets make
    /// of it). A quote that is opened and never closed costs its own line and no other.
    fn read_lines(&mut self, text: &str) {
        let delimiter = delimiter(text);
        let mut columns: Option<[Option<usize>; 4]> = None;
        let (mut rest, mut line) = (text, 1);
        while !rest.is_empty() {
            let row = Row::first(rest, delimiter);
            if row.is_whole {
                self.read_row(row.text, line, delimiter, &mut columns);
            } else {
                self.refuse(line, row.text, "a quote is opened and not closed");
            }
            line += row.lines;
            rest = row.rest;
        }
    }

    fn read_row(&mut self, text: &str, line: usize, delimiter: u8, columns: &mut Option<[Option<usize>; 4]>) {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .delimiter(delimiter)
            .buffer_capacity(text.len().max(1))
            .from_reader(text.as_bytes());
        for record in reader.records().flatten() {
            if record.iter().all(str::is_empty) {
                continue;
            }
            if columns.is_none() && !record.iter().any(|cell| cell.contains('@')) {
                *columns = Some(headline(&record));
                continue;
            }
            let [email, minutes, joined, left] = *columns.get_or_insert([Some(0), Some(1), None, None]);
            let cell =
                |column: Option<usize>| column.and_then(|column| record.get(column)).unwrap_or_default();
            let cells =
                Cells { email: cell(email), minutes: cell(minutes), joined: cell(joined), left: cell(left) };
            self.take(line, &record.iter().collect::<Vec<_>>().join(","), &cells);
        }
    }

    fn refuse(&mut self, line: usize, raw: &str, reason: &'static str) {
        self.unusable.push(Unusable { line, text: raw.chars().take(200).collect(), reason });
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
            Err(reason) => self.refuse(line, raw, reason),
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

/// One row of a list and what comes after it.
struct Row<'a> {
    text: &'a str,
    /// How many lines of the file it takes.
    lines: usize,
    /// Whether its quotes are closed; if not, it is the first line alone.
    is_whole: bool,
    rest: &'a str,
}

impl<'a> Row<'a> {
    /// The first row of a text. A cell in quotes may go over lines, but none of them is somebody's: if an address stands in
    /// it, a quote was forgotten.
    fn first(text: &'a str, delimiter: u8) -> Self {
        let (mut is_quoted, mut begins_cell, mut has_address) = (false, true, false);
        let (mut lines, mut first_break, mut end) = (1, None, None);
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let is_break = c == '\n' || c == '\r' && chars.peek().is_none_or(|(_, next)| *next != '\n');
            match c {
                '"' if is_quoted && chars.peek().is_some_and(|(_, next)| *next == '"') => {
                    chars.next();
                }
                '"' if is_quoted => is_quoted = false,
                '"' if begins_cell => (is_quoted, has_address) = (true, false),
                '\n' | '\r' if !is_quoted => {
                    end = Some(at);
                    break;
                }
                _ if is_break => {
                    first_break.get_or_insert(at);
                    lines += 1;
                }
                _ => has_address |= c == '@',
            }
            if is_quoted && first_break.is_some() && (has_address || lines > CELL_LINES) {
                break;
            }
            begins_cell = !is_quoted && c.is_ascii() && u8::try_from(c) == Ok(delimiter);
        }
        let (end, lines) = if is_quoted { (first_break, 1) } else { (end, lines) };
        let (row, rest) = text.split_at_checked(end.unwrap_or(text.len())).unwrap_or((text, ""));
        let after = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix(['\n', '\r'])).unwrap_or(rest);
        Self { text: row.trim_end_matches('\r'), lines, is_whole: !is_quoted, rest: after }
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

    fn told(list: &str) -> (Vec<String>, Vec<(usize, &'static str, String)>) {
        let (attended, unusable) = read(list.as_bytes(), &webinar()).expect("a list");
        let of = |one: Unusable| (one.line, one.reason, one.text);
        (
            attended.into_iter().map(|one| format!("{}:{}", one.line, one.email)).collect(),
            unusable.into_iter().map(of).collect(),
        )
    }

    #[test]
    fn a_quote_that_is_not_closed_costs_its_own_line_and_no_other() {
        let open = "a quote is opened and not closed";
        let list =
            "ana@acme.example,30\n\"bo@acme.example,20\ncy@acme.example,25\r\n\"dee@acme.example\",25\n\"eve";
        let (attended, unusable) = told(list);
        assert_eq!(attended, ["1:ana@acme.example", "3:cy@acme.example", "4:dee@acme.example"]);
        let bo = (2, open, "\"bo@acme.example,20".to_owned());
        assert_eq!(unusable, [bo, (5, open, "\"eve".to_owned())]);
        let mut long = "email,minutes\n\"x,1\n".to_owned();
        for number in 0..1_000 {
            long.push_str(&format!("p{number}@acme.example,30\n"));
        }
        let (attended, unusable) = told(&long);
        assert_eq!((attended.len(), unusable.len()), (1_000, 1));
    }

    #[test]
    fn a_cell_in_quotes_may_go_over_lines() {
        let list =
            "name,email,minutes\n\"Ruiz,\r\nAna \"\"A\"\"\",ana@acme.example,30\nBo,bo@acme.example,x\n";
        let (attended, unusable) = told(list);
        assert_eq!(attended, ["2:ana@acme.example"]);
        assert_eq!(unusable.iter().map(|one| one.0).collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn a_list_as_windows_saves_it_is_read() {
        let list = b"nombre;correo;minutos\r\nJos\xe9;jose@acme.example;42\r\n";
        let (attended, _) = read(list, &webinar()).expect("a list");
        assert_eq!(attended[0].email.as_str(), "jose@acme.example");
        let wide: Vec<u8> = "\u{feff}Email\tDuration\nana@acme.example\t42\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let (attended, _) = read(&wide, &webinar()).expect("a list");
        assert_eq!(attended[0].minutes, Some(42));
    }

    #[test]
    fn one_bad_entry_of_json_costs_itself() {
        let list =
            r#"[{"email": "ana@acme.example", "minutes": 42}, {"mail": "bo"}, {"email": "cy@acme.example"}]"#;
        let (attended, unusable) = told(list);
        assert_eq!(attended, ["1:ana@acme.example", "3:cy@acme.example"]);
        assert_eq!((unusable[0].0, unusable[0].2.as_str()), (2, r#"{"mail":"bo"}"#));
        let broken = read(b"[{\"email\": ]", &webinar()).expect_err("no JSON").to_string();
        assert!(broken.contains("line 1 column"), "{broken}");
    }

    #[test]
    fn a_spreadsheet_file_is_refused_and_says_what_to_do() {
        let refused = read(b"PK\x03\x04\xff\xfe\0\0", &webinar()).expect_err("no text");
        assert_eq!(refused, NoList::NotText);
        assert!(refused.to_string().contains("export the list as CSV"));
        assert_eq!(read(b"hello\nworld", &webinar()), Err(NoList::NoAddress));
        let (nobody, unusable) = read(b"email,minutes\nana@acme.example,long\n", &webinar()).expect("a list");
        assert_eq!((nobody.len(), unusable.len(), unusable[0].line), (0, 1, 2));
        assert!(matches!(read(b"{\"people\": 3}", &webinar()), Err(NoList::NotThisJson(_))));
    }
}
