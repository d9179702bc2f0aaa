//! Texts with holes: a small subset of Handlebars, checked when a flow is loaded.
//!
//! `{{contact.first_name}}` puts a value in, `{{#if contact.company}}…{{else}}…{{/if}}` asks whether there is
//! one, `{{when booking.starts_at}}` writes a point in time in the reader's language and zone,
//! `{{urlencode vars.topic}}` makes a value a part of an address. A value that may
//! be missing can only stand inside an `{{#if}}` that asks for it, so no text is ever shown with a gap. Values
//! are put in once and never read for holes again: what a visitor typed stays what she typed.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::tz::TimeZone;
use serde_json::Value as Json;

use crate::base::diagnostic::{Mark, Report};
use crate::base::expr::{Context, Symbols};
use crate::base::language::Language;
use crate::base::time::Timestamp;

/// A text as it was written, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    pub source: String,
    pub at: Mark,
    parts: Vec<Part>,
    /// Variables that stand in it without an `{{#if}}`, and where.
    bare: Vec<(String, Mark)>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Words(String),
    Value(String),
    When(String),
    /// A value as part of an address.
    Encoded(String),
    If {
        path: String,
        yes: Vec<Part>,
        no: Vec<Part>,
    },
}

/// The reader, for what depends on her.
#[derive(Clone, Debug)]
pub struct Reader {
    pub language: Language,
    pub zone: TimeZone,
}

impl Text {
    /// Takes a text apart. Reports T410 (a hole that is not closed, or not of our subset), D301 (unknown
    /// field) and D303 (a field that may be empty and stands without `{{#if}}`).
    pub fn parse(
        source: &str,
        at: &Mark,
        symbols: &Symbols,
        always: &BTreeSet<&str>,
        report: &Report,
    ) -> Text {
        let mut reading =
            Reading { rest: source, source, at, symbols, always, report, sure: Vec::new(), bare: Vec::new() };
        let (parts, _) = reading.parts(None);
        Text { source: source.to_owned(), at: at.clone(), parts, bare: reading.bare }
    }

    /// The fields that stand in it.
    pub fn holes(&self) -> BTreeSet<&str> {
        let mut holes = BTreeSet::new();
        collect(&self.parts, &mut holes);
        holes
    }

    /// The variables that stand in it without an `{{#if}}`, and where. Whether they have a value depends on the way that
    /// led here (D303).
    pub fn bare_vars(&self) -> impl Iterator<Item = (&str, &Mark)> {
        self.bare.iter().map(|(name, at)| (name.as_str(), at))
    }

    /// Fields that a visitor fills and that stand in an address as they are.
    pub fn raw_in_address(&self) -> Vec<&str> {
        let mut found = Vec::new();
        raw_in_address(&self.parts, false, &mut found);
        found
    }

    /// Whether there is anything in it to translate.
    pub fn has_words(&self) -> bool {
        self.length() > 0
    }

    /// How many characters it has at most, holes not counted.
    pub fn length(&self) -> usize {
        length(&self.parts)
    }

    /// The text for one reader.
    pub fn render(&self, values: &Context, reader: &Reader) -> String {
        let mut out = String::with_capacity(self.source.len());
        render(&self.parts, values, reader, &mut out);
        out
    }
}

fn collect<'t>(parts: &'t [Part], into: &mut BTreeSet<&'t str>) {
    for part in parts {
        match part {
            Part::Words(_) => {}
            Part::Value(path) | Part::When(path) | Part::Encoded(path) => {
                into.insert(path);
            }
            Part::If { path, yes, no } => {
                into.insert(path);
                collect(yes, into);
                collect(no, into);
            }
        }
    }
}

fn length(parts: &[Part]) -> usize {
    let of = |part: &Part| match part {
        Part::Words(words) => words.chars().count(),
        Part::Value(_) | Part::When(_) | Part::Encoded(_) => 0,
        Part::If { yes, no, .. } => length(yes).max(length(no)),
    };
    parts.iter().map(of).sum()
}

/// Walks over the parts; `inside` says whether an address is open before them. Returns whether one is open after them.
fn raw_in_address<'t>(parts: &'t [Part], inside: bool, found: &mut Vec<&'t str>) -> bool {
    let mut inside = inside;
    for part in parts {
        match part {
            Part::Words(words) => {
                let last = words.rsplit(char::is_whitespace).next().unwrap_or_default();
                let goes_on = inside && last.len() == words.len();
                inside = goes_on || last.contains("://");
            }
            Part::Value(path) => {
                if inside && is_typed(path) {
                    found.push(path);
                }
            }
            Part::When(_) | Part::Encoded(_) => {}
            Part::If { yes, no, .. } => {
                let after_yes = raw_in_address(yes, inside, found);
                inside = raw_in_address(no, inside, found) || after_yes;
            }
        }
    }
    inside
}

/// Whether whoever visits says what stands there: in the chat, in a form, or by the address she came with.
fn is_typed(path: &str) -> bool {
    match path.split_once('.') {
        Some(("vars" | "chat", _)) => true,
        Some(("contact", field)) => matches!(field, "first_name" | "last_name" | "email" | "company"),
        Some(("visit", field)) => !matches!(field, "language" | "returning"),
        _ => false,
    }
}

/// A value with everything but letters, digits and `-._~` written as `%XX` (RFC 3986, section 2.1).
fn encoded(value: &str, out: &mut String) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

fn render(parts: &[Part], values: &Context, reader: &Reader, out: &mut String) {
    for part in parts {
        match part {
            Part::Words(words) => out.push_str(words),
            Part::Value(path) => match values.get(path) {
                Some(Json::String(text)) => out.push_str(text),
                Some(Json::Null | Json::Array(_) | Json::Object(_)) | None => {}
                Some(plain @ (Json::Bool(_) | Json::Number(_))) => {
                    let _ = write!(out, "{plain}");
                }
            },
            Part::Encoded(path) => match values.get(path) {
                Some(Json::String(text)) => encoded(text, out),
                Some(plain @ (Json::Bool(_) | Json::Number(_))) => encoded(&plain.to_string(), out),
                Some(Json::Null | Json::Array(_) | Json::Object(_)) | None => {}
            },
            Part::When(path) => {
                if let Some(ms) = values.get(path).and_then(Json::as_i64) {
                    out.push_str(&when(Timestamp(ms), reader));
                }
            }
            Part::If { path, yes, no } => {
                let chosen = if is_there(values.get(path)) { yes } else { no };
                render(chosen, values, reader, out);
            }
        }
    }
}

fn is_there(value: Option<&Json>) -> bool {
    match value {
        None | Some(Json::Null) => false,
        Some(Json::Bool(yes)) => *yes,
        Some(Json::String(text)) => !text.is_empty(),
        Some(Json::Number(number)) => number.as_f64() != Some(0.0),
        Some(Json::Array(items)) => !items.is_empty(),
        Some(Json::Object(map)) => !map.is_empty(),
    }
}

/// `Tuesday 3 March, 10:00` or `martes 3 de marzo, 10:00`, as pages and mails write it.
pub fn when(at: Timestamp, reader: &Reader) -> String {
    let local = at.to_jiff().to_zoned(reader.zone.clone());
    match reader.language {
        Language::En => local.strftime("%A %-d %B, %H:%M").to_string(),
        Language::Es => {
            const DAYS: [&str; 7] =
                ["lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"];
            const MONTHS: [&str; 12] = [
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
            ];
            let word = |words: &[&'static str], n: i8| {
                usize::try_from(n).ok().and_then(|n| words.get(n)).copied().unwrap_or_default()
            };
            let day = word(&DAYS, local.weekday().to_monday_zero_offset());
            let month = word(&MONTHS, local.month().saturating_sub(1));
            format!("{day} {} de {month}, {}", local.day(), local.strftime("%H:%M"))
        }
    }
}

struct Reading<'a> {
    rest: &'a str,
    source: &'a str,
    at: &'a Mark,
    symbols: &'a Symbols,
    /// Fields that always have a value.
    always: &'a BTreeSet<&'a str>,
    report: &'a Report,
    /// Fields that an `{{#if}}` around us has asked for.
    sure: Vec<String>,
    bare: Vec<(String, Mark)>,
}

/// What can be done to a value: a time in words, and a part of an address.
const FILTERS: [&str; 2] = ["when", "urlencode"];

/// What ended a run of parts.
#[derive(PartialEq)]
enum Ended {
    Text,
    Else,
    Close,
}

impl Reading<'_> {
    fn mark(&self, rest: &str) -> Mark {
        let read = self.source.len().saturating_sub(rest.len());
        let before = self.source.get(..read).unwrap_or_default();
        self.at.right(u32::try_from(before.chars().count()).unwrap_or(0))
    }

    fn parts(&mut self, inside: Option<&Mark>) -> (Vec<Part>, Ended) {
        let mut parts = Vec::new();
        loop {
            let Some((words, hole)) = self.rest.split_once("{{") else {
                if !self.rest.is_empty() {
                    parts.push(Part::Words(self.rest.to_owned()));
                }
                self.rest = "";
                if let Some(at) = inside {
                    self.report.error(at, "T410", "this {{#if}} is never closed").hint("add {{/if}}");
                }
                return (parts, Ended::Text);
            };
            if !words.is_empty() {
                parts.push(Part::Words(words.to_owned()));
            }
            let at = self.mark(hole);
            let Some((inner, after)) = hole.split_once("}}") else {
                self.report.error(&at, "T410", "this {{ is never closed").hint("add }}");
                self.rest = "";
                return (parts, Ended::Text);
            };
            self.rest = after;
            match inner.split_whitespace().collect::<Vec<_>>().as_slice() {
                ["#if", path] => parts.push(self.conditional(path, &at)),
                ["else"] | ["/if"] if inside.is_none() => {
                    self.report
                        .error(&at, "T410", format!("{{{{{inner}}}}} without an {{{{#if}}}} before it"))
                        .done();
                }
                ["else"] => return (parts, Ended::Else),
                ["/if"] => return (parts, Ended::Close),
                ["when", path] => {
                    self.known(path, &at, true);
                    parts.push(Part::When((*path).to_owned()));
                }
                ["urlencode", path] => {
                    self.known(path, &at, true);
                    parts.push(Part::Encoded((*path).to_owned()));
                }
                [filter, _] if filter.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
                    self.report
                        .error(&at, "T407", format!("there is no filter \"{filter}\""))
                        .did_you_mean(filter, FILTERS);
                }
                [path] if !path.starts_with(['#', '/', '>', '!', '&', '^', '{']) => {
                    self.known(path, &at, true);
                    parts.push(Part::Value((*path).to_owned()));
                }
                _ => {
                    self.report
                        .error(&at, "T410", format!("{{{{{inner}}}}} is not something a text can hold"))
                        .hint("there is {{field}}, {{#if field}}…{{else}}…{{/if}}, {{when field}} and {{urlencode field}}");
                }
            }
        }
    }

    fn conditional(&mut self, path: &str, at: &Mark) -> Part {
        self.known(path, at, false);
        self.sure.push(path.to_owned());
        let (yes, ended) = self.parts(Some(at));
        self.sure.pop();
        let no = match ended {
            Ended::Else => self.parts(Some(at)).0,
            Ended::Close | Ended::Text => Vec::new(),
        };
        Part::If { path: path.to_owned(), yes, no }
    }

    fn known(&mut self, path: &str, at: &Mark, shown: bool) {
        if self.symbols.get(path).is_none() {
            let group = path.split('.').next().unwrap_or_default();
            let near = self.symbols.fields().map(|(p, _)| p).filter(|p| p.split('.').next() == Some(group));
            self.report.error(at, "D301", format!("there is no field \"{path}\"")).did_you_mean(path, near);
        } else if let Some(name) = path.strip_prefix("vars.") {
            if shown && !self.sure.iter().any(|sure| sure == path) {
                self.bare.push((name.to_owned(), at.clone()));
            }
        } else if shown && !self.always.contains(path) && !self.sure.iter().any(|sure| sure == path) {
            self.report
                .error(at, "D303", format!("\"{path}\" may be empty here"))
                .hint(format!("write {{{{#if {path}}}}}…{{{{else}}}}…{{{{/if}}}}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::expr::Type;

    fn parse(source: &str) -> (Text, Vec<String>) {
        let symbols = Symbols::new()
            .field("contact.first_name", Type::String)
            .field("webinar.title", Type::String)
            .field("booking.starts_at", Type::Int);
        let always = BTreeSet::from(["webinar.title", "booking.starts_at"]);
        let report = Report::new();
        let text = Text::parse(source, &Mark::new("f", 1, 1), &symbols, &always, &report);
        let notes =
            report.diagnostics().into_iter().map(|d| format!("{} {} {}", d.col, d.code, d.message)).collect();
        (text, notes)
    }

    fn reader(language: Language) -> Reader {
        Reader { language, zone: crate::base::time::zone("Europe/Madrid").unwrap() }
    }

    #[test]
    fn values_and_conditions_are_filled_in() {
        let (text, notes) = parse(
            "Hi{{#if contact.first_name}} {{contact.first_name}}{{else}} there{{/if}}: {{webinar.title}}",
        );
        assert!(notes.is_empty(), "{notes:?}");
        let mut values = Context::new();
        values.set("webinar.title", "Reading");
        assert_eq!(text.render(&values, &reader(Language::En)), "Hi there: Reading");
        values.set("contact.first_name", "Nikki");
        assert_eq!(text.render(&values, &reader(Language::En)), "Hi Nikki: Reading");
    }

    #[test]
    fn what_a_visitor_typed_is_never_read_for_holes() {
        let (text, _) = parse("{{#if contact.first_name}}{{contact.first_name}}{{/if}}");
        let mut values = Context::new();
        values.set("contact.first_name", "{{webinar.title}}").set("webinar.title", "secret");
        assert_eq!(text.render(&values, &reader(Language::En)), "{{webinar.title}}");
    }

    #[test]
    fn a_value_that_may_be_missing_needs_an_if() {
        assert_eq!(parse("Hi {{contact.first_name}}").1, ["6 D303 \"contact.first_name\" may be empty here"]);
        let after_else = "{{#if contact.first_name}}x{{else}}{{contact.first_name}}{{/if}}";
        assert_eq!(parse(after_else).1.len(), 1);
    }

    #[test]
    fn a_value_in_an_address_is_encoded_and_a_filter_that_is_none_is_told() {
        let (text, notes) = parse("https://faro.example/?t={{urlencode webinar.title}}&x {{webinar.title}}");
        assert!(notes.is_empty() && text.raw_in_address().is_empty(), "{notes:?}");
        let raw = "https://faro.example/?a={{chat.unheard}}&b={{visit.utm_source}}&c={{contact.company}}&d={{contact.stage}}";
        let (raw, _) = parse(raw);
        assert_eq!(raw.raw_in_address(), ["chat.unheard", "visit.utm_source", "contact.company"]);
        let mut values = Context::new();
        values.set("webinar.title", "a b/ñ&c");
        assert_eq!(
            text.render(&values, &reader(Language::En)),
            "https://faro.example/?t=a%20b%2F%C3%B1%26c&x a b/ñ&c"
        );
        assert_eq!(parse("{{urlencod webinar.title}}").1, ["3 T407 there is no filter \"urlencod\""]);
    }

    #[test]
    fn broken_holes_are_reported() {
        assert_eq!(parse("{{webinar.titel}}").1, ["3 D301 there is no field \"webinar.titel\""]);
        for broken in [
            "{{webinar.title",
            "{{#if webinar.title}}x",
            "x{{/if}}",
            "{{else}}",
            "{{> page}}",
            "{{{webinar.title}}}",
        ] {
            let notes = parse(broken).1;
            assert!(notes.iter().any(|n| n.contains("T410")), "{broken}: {notes:?}");
        }
    }

    #[test]
    fn a_time_is_written_in_the_readers_language_and_zone() {
        let (text, _) = parse("{{when booking.starts_at}}");
        let mut values = Context::new();
        values.set("booking.starts_at", 1_772_528_400_000_i64);
        assert_eq!(text.render(&values, &reader(Language::En)), "Tuesday 3 March, 10:00");
        assert_eq!(text.render(&values, &reader(Language::Es)), "martes 3 de marzo, 10:00");
    }
}
