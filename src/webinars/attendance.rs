//! Lists of who was there, as webinar tools export them: `email,minutes` lines or JSON.

use serde::Deserialize;

use crate::base::email::Email;

/// Larger lists are refused.
pub const MOST_BYTES: usize = 4 * 1024 * 1024;

/// One person who was there.
#[derive(Debug, Clone, PartialEq)]
pub struct Attended {
    /// The line in the list, from 1.
    pub line: usize,
    /// The address.
    pub email: Email,
    /// For how many minutes, if the list says so.
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

/// Reads a list in whatever form it comes: JSON if it begins like JSON, else lines.
///
/// # Errors
/// [`NoList`] if nothing in it can be used.
pub fn read(bytes: &[u8]) -> Result<(Vec<Attended>, Vec<Unusable>), NoList> {
    if bytes.len() > MOST_BYTES {
        return Err(NoList::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| NoList::NotText)?;
    let text = text.trim_start_matches('\u{feff}');
    if text.contains('\0') {
        return Err(NoList::NotText);
    }
    let (attended, unusable) =
        if text.trim_start().starts_with(['[', '{']) { read_json(text)? } else { read_lines(text) };
    if attended.is_empty() { Err(NoList::NoAddress) } else { Ok((attended, unusable)) }
}

#[derive(Deserialize)]
struct Entry {
    email: String,
    #[serde(default)]
    minutes: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Json {
    List(Vec<Entry>),
    Wrapped { attendance: Vec<Entry> },
}

fn read_json(text: &str) -> Result<(Vec<Attended>, Vec<Unusable>), NoList> {
    let (Json::List(entries) | Json::Wrapped { attendance: entries }) =
        serde_json::from_str(text).map_err(|error| NoList::NotThisJson(error.to_string()))?;
    let mut attended = Vec::new();
    let mut unusable = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let line = index + 1;
        match Email::parse(&entry.email) {
            Ok(email) => attended.push(Attended { line, email, minutes: entry.minutes.and_then(whole) }),
            Err(_) => unusable.push(Unusable { line, text: entry.email, reason: "not an e-mail address" }),
        }
    }
    Ok((attended, unusable))
}

/// Lines of `email,minutes`; commas, semicolons or tabs between, quotes around, a headline above.
fn read_lines(text: &str) -> (Vec<Attended>, Vec<Unusable>) {
    let mut columns = (0, 1);
    let mut attended = Vec::new();
    let mut unusable = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let line = index + 1;
        if raw.trim().is_empty() {
            continue;
        }
        let cells: Vec<String> =
            raw.split([',', ';', '\t']).map(|cell| cell.trim().trim_matches('"').to_owned()).collect();
        if attended.is_empty() && unusable.is_empty() && !raw.contains('@') {
            let find = |names: &[&str], or| {
                cells.iter().position(|cell| names.contains(&cell.to_lowercase().as_str())).unwrap_or(or)
            };
            columns = (
                find(&["email", "e-mail", "correo", "mail"], 0),
                find(&["minutes", "minutos", "duration", "duración"], 1),
            );
            continue;
        }
        let cell = |column: usize| cells.get(column).map(String::as_str).unwrap_or_default();
        let minutes = match cell(columns.1) {
            "" => Ok(None),
            text => text.parse::<f64>().map(whole).map_err(|_| "the minutes are no number"),
        };
        match (Email::parse(cell(columns.0)), minutes) {
            (Ok(email), Ok(minutes)) => attended.push(Attended { line, email, minutes }),
            (Err(_), _) => {
                unusable.push(Unusable { line, text: raw.to_owned(), reason: "not an e-mail address" })
            }
            (Ok(_), Err(reason)) => unusable.push(Unusable { line, text: raw.to_owned(), reason }),
        }
    }
    (attended, unusable)
}

/// Whole minutes, rounded down; nothing for what is no length of time.
fn whole(minutes: f64) -> Option<i64> {
    let whole = minutes.floor();
    if (0.0..=10_000.0).contains(&whole) { format!("{whole:.0}").parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emails(text: &str) -> Vec<(usize, String, Option<i64>)> {
        let (attended, _) = read(text.as_bytes()).expect("a list");
        attended.into_iter().map(|one| (one.line, one.email.to_string(), one.minutes)).collect()
    }

    #[test]
    fn lists_of_several_tools_are_read() {
        let ana = |line| (line, "ana@acme.example".to_owned(), Some(42));
        assert_eq!(emails("ana@acme.example,42\n"), [ana(1)]);
        assert_eq!(emails("\u{feff}email,minutes\r\nAna@ACME.example,42.7\r\n"), [ana(2)]);
        assert_eq!(emails("Nombre;Correo;Minutos\nAna;\"ana@acme.example\";42"), [ana(2)]);
        assert_eq!(emails("[{\"email\": \"ana@acme.example\", \"minutes\": 42}]"), [ana(1)]);
        assert_eq!(
            emails("{\"attendance\": [{\"email\": \"ana@acme.example\"}]}"),
            [(1, "ana@acme.example".to_owned(), None)]
        );
    }

    #[test]
    fn lines_that_cannot_be_used_are_told_with_their_number() {
        let (attended, unusable) =
            read(b"email,minutes\nana@acme.example,42\nnobody,3\nbo@acme.example,long\n").expect("a list");
        assert_eq!(attended.len(), 1);
        assert_eq!(
            unusable.iter().map(|one| (one.line, one.reason)).collect::<Vec<_>>(),
            [(3, "not an e-mail address"), (4, "the minutes are no number"),]
        );
    }

    #[test]
    fn a_spreadsheet_file_is_refused_and_says_what_to_do() {
        let refused = read(b"PK\x03\x04\xff\xfe\0\0").expect_err("no text");
        assert_eq!(refused, NoList::NotText);
        assert!(refused.to_string().contains("export the list as CSV"));
        assert_eq!(read(b"hello\nworld"), Err(NoList::NoAddress));
        assert!(matches!(read(b"{\"people\": 3}"), Err(NoList::NotThisJson(_))));
    }
}
