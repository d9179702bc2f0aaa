//! What is wrong in a file a person wrote, said so that she can put it right.
//!
//! A check never stops at the first mistake: it notes each one in a [`Report`] and goes on. Every
//! mistake has a place (path, line, column), a severity, a stable code and, where there is one, a hint.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;

/// A place in a file: line and column count from 1, the column in characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    pub path: Arc<str>,
    pub line: u32,
    pub col: u32,
}

impl Mark {
    pub fn new(path: impl Into<Arc<str>>, line: u32, col: u32) -> Self {
        Mark { path: path.into(), line, col }
    }

    /// The first place of a file, for what concerns it as a whole.
    pub fn file(path: impl Into<Arc<str>>) -> Self {
        Mark::new(path, 1, 1)
    }

    /// The same line, so many characters to the right.
    pub fn right(&self, chars: u32) -> Self {
        Mark { path: self.path.clone(), line: self.line, col: self.col.saturating_add(chars) }
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.path, self.line, self.col)
    }
}

/// How bad it is. An error keeps the file from being used, a warning does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Error,
    Warning,
}

impl Severity {
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    pub path: String,
    pub line: u32,
    pub col: u32,
    pub severity: Severity,
    /// Stable, never reused: `Y003`, `G201`.
    pub code: &'static str,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Collects findings. Shared by reference while files are walked, so every method takes `&self`.
#[derive(Debug, Default)]
pub struct Report {
    inner: RefCell<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    found: Vec<Diagnostic>,
    sources: BTreeMap<String, Arc<str>>,
}

/// The finding just noted, for adding a hint to it.
pub struct Noted<'r> {
    report: &'r Report,
    index: usize,
}

impl Noted<'_> {
    /// Adds what to do about it.
    pub fn hint(self, hint: impl Into<String>) {
        if let Some(found) = self.report.inner.borrow_mut().found.get_mut(self.index) {
            found.hint = Some(hint.into());
        }
    }

    /// Adds “did you mean …?” when one of the candidates is close to what was written.
    pub fn did_you_mean<'c>(self, written: &str, candidates: impl IntoIterator<Item = &'c str>) {
        let candidates: Vec<&str> = candidates.into_iter().collect();
        match nearest(written, candidates.iter().copied()) {
            Some(near) => self.hint(format!("did you mean \"{near}\"?")),
            None if candidates.is_empty() || candidates.len() > 12 => {}
            None => self.hint(format!("there is {}", list_words(&candidates))),
        }
    }

    /// Leaves it without a hint.
    pub fn done(self) {}
}

impl Report {
    pub fn new() -> Self {
        Report::default()
    }

    /// Remembers a file's text, so that findings in it are shown with their line.
    pub fn source(&self, path: &str, text: &str) {
        self.inner.borrow_mut().sources.insert(path.to_owned(), text.into());
    }

    pub fn error(&self, at: &Mark, code: &'static str, message: impl Into<String>) -> Noted<'_> {
        self.note(at, Severity::Error, code, message.into())
    }

    pub fn warning(&self, at: &Mark, code: &'static str, message: impl Into<String>) -> Noted<'_> {
        self.note(at, Severity::Warning, code, message.into())
    }

    fn note(&self, at: &Mark, severity: Severity, code: &'static str, message: String) -> Noted<'_> {
        let mut inner = self.inner.borrow_mut();
        let path = at.path.to_string();
        inner.found.push(Diagnostic {
            path,
            line: at.line,
            col: at.col,
            severity,
            code,
            message,
            hint: None,
        });
        Noted { report: self, index: inner.found.len().saturating_sub(1) }
    }

    /// Takes a finding back that another one explains. Only for whoever noted it.
    pub fn withdraw(&self, at: &Mark, code: &'static str, message: &str) {
        self.inner.borrow_mut().found.retain(|d| {
            (d.line, d.col, d.code, d.message.as_str()) != (at.line, at.col, code, message)
                || *d.path != *at.path
        });
    }

    pub fn has_errors(&self) -> bool {
        self.inner.borrow().found.iter().any(|d| d.severity == Severity::Error)
    }

    /// Whether nothing at all was found.
    pub fn is_clean(&self) -> bool {
        self.inner.borrow().found.is_empty()
    }

    /// Everything found, by place; what was said twice of the same place is said once.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let mut found = self.inner.borrow().found.clone();
        found.sort_by(|a, b| (&a.path, a.line, a.col, a.code).cmp(&(&b.path, b.line, b.col, b.code)));
        found.dedup_by(|b, a| a == b);
        found
    }

    /// Takes over another report's findings and sources.
    pub fn absorb(&self, other: Report) {
        let other = other.inner.into_inner();
        let mut inner = self.inner.borrow_mut();
        inner.found.extend(other.found);
        inner.sources.extend(other.sources);
    }

    /// For people: `path:line:col severity CODE message`, the line itself, and the hint.
    pub fn text(&self) -> String {
        self.text_of(&self.diagnostics())
    }

    /// As [`Report::text`], for some of the findings.
    pub fn text_of(&self, found: &[Diagnostic]) -> String {
        let inner = self.inner.borrow();
        let mut out = String::new();
        for d in found {
            let word = d.severity.word();
            let _ = writeln!(out, "{}:{}:{} {word} {} {}", d.path, d.line, d.col, d.code, d.message);
            let line = d.line.saturating_sub(1).try_into().ok();
            if let Some(line) = inner.sources.get(&d.path).zip(line).and_then(|(s, n)| s.lines().nth(n)) {
                let (line, col) = excerpt(line, d.col);
                let _ = writeln!(out, "  {:>5} | {line}", d.line);
                let _ = writeln!(out, "        | {:>col$}", "^");
            }
            if let Some(hint) = &d.hint {
                let _ = writeln!(out, "        hint: {hint}");
            }
        }
        out
    }

    /// For programs: an array of findings.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(&self.diagnostics()).expect("findings are plain texts and numbers")
    }
}

/// Cuts a long line to a window around the column, so that the caret stays in sight.
fn excerpt(line: &str, col: u32) -> (String, usize) {
    const WIDTH: usize = 100;
    let col = usize::try_from(col).unwrap_or(1).max(1);
    if line.chars().count() <= WIDTH {
        return (line.to_owned(), col);
    }
    let from = col.saturating_sub(WIDTH / 2);
    let window: String = line.chars().skip(from).take(WIDTH).collect();
    (window, col.saturating_sub(from))
}

/// The candidate that a slip of the finger could have meant.
pub fn nearest<'c>(written: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let reach = match written.chars().count() {
        0..=2 => 1,
        3..=6 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(written, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= reach && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `a`, `a or b`, `a, b or c`.
pub fn list_words(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_shown_with_its_line_and_its_hint() {
        let report = Report::new();
        report.source("a.yaml", "one: 1\ntwoo: 2\n");
        report
            .error(&Mark::new("a.yaml", 2, 1), "Y003", "unknown key \"twoo\"")
            .did_you_mean("twoo", ["two"]);
        assert_eq!(
            report.text(),
            "a.yaml:2:1 error Y003 unknown key \"twoo\"\n      2 | twoo: 2\n        | ^\n        hint: did you mean \"two\"?\n"
        );
        assert!(report.has_errors());
    }

    #[test]
    fn findings_come_in_the_order_of_the_file_and_once() {
        let report = Report::new();
        report.warning(&Mark::new("b", 9, 1), "T405", "long").done();
        report.error(&Mark::new("b", 2, 3), "Y004", "wrong").done();
        report.error(&Mark::new("b", 2, 3), "Y004", "wrong").done();
        let lines: Vec<u32> = report.diagnostics().iter().map(|d| d.line).collect();
        assert_eq!(lines, [2, 9]);
    }

    #[test]
    fn a_warning_alone_is_no_error() {
        let report = Report::new();
        report.warning(&Mark::file("c"), "T405", "long").done();
        assert!(!report.has_errors());
        assert!(!report.is_clean());
    }

    #[test]
    fn a_far_word_is_not_suggested() {
        assert_eq!(nearest("link_snt", ["link_sent", "bye"]), Some("link_sent"));
        assert_eq!(nearest("zebra", ["link_sent", "bye"]), None);
    }

    #[test]
    fn json_carries_every_part() {
        let report = Report::new();
        report.error(&Mark::new("a", 1, 2), "G201", "no step").hint("look");
        let parsed: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(
            parsed,
            serde_json::json!([{"path":"a","line":1,"col":2,"severity":"error","code":"G201","message":"no step","hint":"look"}])
        );
    }
}
