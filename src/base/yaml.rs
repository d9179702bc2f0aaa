//! YAML files as a tree that remembers where everything was written, and a walker that reports instead of
//! failing.
//!
//! Scalars are kept as the author wrote them (`no`, `10:30`, `1.10` stay texts); what a scalar means is
//! decided by the accessor that reads it. Anchors, aliases and tags are refused: a reader of the file should
//! not have to run it in her head.
//!
//! ```
//! use embudo::base::{diagnostic::Report, yaml::{self, View}};
//! let report = Report::new();
//! let doc = yaml::parse("forms.yaml", "title: Read it\nwait: 30m\n", &report).unwrap();
//! let mut map = doc.view(&report).map().unwrap();
//! assert_eq!(map.required("title").and_then(View::str), Some("Read it".to_owned()));
//! assert_eq!(map.optional("wait").and_then(View::duration_ms), Some(30 * 60_000));
//! map.finish(); // reports the keys nobody asked for
//! assert!(report.is_clean());
//! ```

use std::cell::RefCell;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::diagnostic::{Mark, Report, list_words, nearest};

/// Deeper nesting than any honest file has; keeps hostile input from exhausting the stack.
const MAX_DEPTH: usize = 48;

/// How far above a syntax error a comment is looked for that has swallowed a closing bracket.
const CUT_LINES: usize = 20;

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    pub value: T,
    pub at: Mark,
}

/// A node of the tree.
#[derive(Clone, Debug)]
pub struct Node {
    pub at: Mark,
    pub kind: Kind,
}

#[derive(Clone, Debug)]
pub enum Kind {
    Scalar(Text),
    List(Vec<Node>),
    Map(Vec<(Spanned<String>, Node)>),
}

/// A scalar as it was written.
#[derive(Clone, Debug)]
pub struct Text {
    pub text: String,
    /// In quotes or as a block: then it is a text, whatever it looks like.
    pub quoted: bool,
    /// Where the first character of the content stands (after an opening quote).
    pub content: Mark,
    /// A comment follows on the same line: perhaps a text that YAML has cut at ` #`.
    pub comment_follows: bool,
}

/// A parsed file.
#[derive(Clone, Debug)]
pub struct Doc {
    pub path: Arc<str>,
    pub root: Node,
    /// Keys without quotes that [mean yes or no](is_yes_or_no) to other programs.
    pub traps: Vec<Spanned<String>>,
}

impl Doc {
    /// Begins a walk over the file.
    pub fn view<'a>(&'a self, report: &'a Report) -> View<'a> {
        View { node: &self.root, report }
    }
}

/// Parses one YAML file (one document). Syntax errors (Y001) and duplicate keys (Y002) go to the report;
/// `None` only when there is no tree to go on with.
pub fn parse(path: &str, text: &str, report: &Report) -> Option<Doc> {
    report.source(path, text);
    let path: Arc<str> = path.into();
    let builder =
        Builder { path: path.clone(), lines: text.lines().collect(), report, traps: RefCell::default() };
    let root = builder.run(text)?;
    Some(Doc { path, root, traps: builder.traps.into_inner() })
}

/// Whether a word without quotes is no text but yes or no in YAML 1.1, which many programs still read.
pub fn is_yes_or_no(word: &str) -> bool {
    ["yes", "no", "on", "off", "y", "n"].contains(&word.to_ascii_lowercase().as_str())
}

struct Builder<'a> {
    path: Arc<str>,
    lines: Vec<&'a str>,
    report: &'a Report,
    traps: RefCell<Vec<Spanned<String>>>,
}

/// A list or map that is not closed yet.
enum Open {
    List(Mark, Vec<Node>),
    Map(Mark, Vec<(Spanned<String>, Node)>, Option<Spanned<String>>),
}

impl Builder<'_> {
    fn run(&self, text: &str) -> Option<Node> {
        let mut parser = Parser::new_from_str(text);
        let mut open: Vec<Open> = Vec::new();
        let mut root: Option<Node> = None;
        while let Some(event) = parser.next_event() {
            let (event, span) = match event {
                Ok(pair) => pair,
                Err(error) => {
                    self.syntax(&error);
                    return None;
                }
            };
            let at = self.mark(&span);
            let node = match event {
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => continue,
                Event::DocumentStart(_) => {
                    if root.is_some() {
                        self.report
                            .error(&at, "Y001", "a second document in the file")
                            .hint("one file, one document: take out the line `---`");
                        return root;
                    }
                    continue;
                }
                Event::Alias(_) => {
                    self.report.error(&at, "Y104", "aliases are not used here").hint("write the value out");
                    self.null(at)
                }
                Event::Scalar(value, style, anchor, tag) => {
                    self.plain(&at, anchor, tag.is_some());
                    self.scalar(at, value.into_owned(), style, &span)
                }
                Event::SequenceStart(anchor, tag) => {
                    self.plain(&at, anchor, tag.is_some());
                    open.push(Open::List(at.clone(), Vec::new()));
                    if self.too_deep(&open, &at) {
                        return None;
                    }
                    continue;
                }
                Event::MappingStart(anchor, tag) => {
                    self.plain(&at, anchor, tag.is_some());
                    open.push(Open::Map(at.clone(), Vec::new(), None));
                    if self.too_deep(&open, &at) {
                        return None;
                    }
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                    Some(Open::List(at, items)) => Node { at, kind: Kind::List(items) },
                    Some(Open::Map(at, entries, _)) => Node { at, kind: Kind::Map(entries) },
                    None => continue,
                },
            };
            self.place(node, &mut open, &mut root);
        }
        if root.is_none() {
            self.report.error(&Mark::file(self.path.clone()), "Y001", "the file is empty").done();
        }
        root
    }

    /// Puts a finished node where it belongs: into the innermost open list or map, or at the top.
    fn place(&self, node: Node, open: &mut [Open], root: &mut Option<Node>) {
        match open.last_mut() {
            None => *root = Some(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map(_, entries, pending)) => match pending.take() {
                None => {
                    self.indented(&node.at);
                    *pending = Some(self.key(node));
                }
                Some(key) => {
                    if entries.iter().any(|(k, _)| k.value == key.value) {
                        self.report
                            .error(&key.at, "Y002", format!("\"{}\" stands twice here", key.value))
                            .hint("the second one would silently win: take one out");
                    } else {
                        entries.push((key, node));
                    }
                }
            },
        }
    }

    /// Warns of a key at the beginning of a line that stands behind an odd number of spaces.
    fn indented(&self, at: &Mark) {
        let before = usize::try_from(at.col.saturating_sub(1)).unwrap_or(0);
        let line = at.line.checked_sub(1).and_then(|n| self.lines.get(usize::try_from(n).ok()?));
        let is_first = line.is_some_and(|line| line.chars().take(before).all(|c| c == ' '));
        if before % 2 == 1 && is_first {
            self.report
                .warning(at, "Y103", format!("the line is indented by {before} spaces"))
                .hint("indent by two for each level: an odd number mostly slipped in");
        }
    }

    fn key(&self, node: Node) -> Spanned<String> {
        match node.kind {
            Kind::Scalar(text) => {
                let is_trap = !text.quoted && is_yes_or_no(&text.text);
                let key = Spanned { value: text.text, at: node.at };
                if is_trap {
                    self.traps.borrow_mut().push(key.clone());
                }
                key
            }
            Kind::List(_) | Kind::Map(_) => {
                self.report
                    .error(&node.at, "Y001", "a key must be a single word")
                    .hint("text with {{…}} or [ at its start needs quotes");
                Spanned { value: String::new(), at: node.at }
            }
        }
    }

    fn too_deep(&self, open: &[Open], at: &Mark) -> bool {
        let deep = open.len() > MAX_DEPTH;
        if deep {
            self.report.error(at, "Y001", format!("nested more than {MAX_DEPTH} levels deep")).done();
        }
        deep
    }

    fn plain(&self, at: &Mark, anchor: usize, tagged: bool) {
        if anchor != 0 || tagged {
            self.report.error(at, "Y104", "anchors and tags are not used here").hint("write the value out");
        }
    }

    fn null(&self, at: Mark) -> Node {
        let text = Text { text: String::new(), quoted: false, content: at.clone(), comment_follows: false };
        Node { at, kind: Kind::Scalar(text) }
    }

    fn scalar(&self, at: Mark, text: String, style: ScalarStyle, span: &Span) -> Node {
        let (quoted, content) = match style {
            ScalarStyle::Plain => (false, at.clone()),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => (true, at.right(1)),
            ScalarStyle::Literal | ScalarStyle::Folded => (true, self.block_content(&at)),
        };
        let comment_follows = style == ScalarStyle::Plain && !text.is_empty() && self.comment_after(span);
        Node { at, kind: Kind::Scalar(Text { text, quoted, content, comment_follows }) }
    }

    /// The first written character after a `|` or `>`.
    fn block_content(&self, at: &Mark) -> Mark {
        let from = usize::try_from(at.line).unwrap_or(0);
        let next = self.lines.iter().enumerate().skip(from).find(|(_, line)| !line.trim().is_empty());
        match next {
            Some((index, line)) => {
                let indent = line.chars().take_while(|c| *c == ' ').count();
                Mark::new(self.path.clone(), number(index) + 1, number(indent) + 1)
            }
            None => at.clone(),
        }
    }

    fn comment_after(&self, span: &Span) -> bool {
        let end = span.end;
        let rest = end.line().checked_sub(1).and_then(|n| self.lines.get(n));
        rest.filter(|line| line.contains('#')).is_some_and(|line| {
            let after: String = line.chars().skip(end.col()).collect();
            let before_blank = line.chars().nth(end.col().saturating_sub(1)).is_some_and(|c| c == ' ');
            let trimmed = after.trim_start();
            trimmed.starts_with('#') && (before_blank || trimmed.len() < after.len())
        })
    }

    /// Where a comment has swallowed the end of a `{…}` or `[…]`, at a line or not far above it: the parser only notices
    /// that something is missing when it meets what stands below.
    fn cut_before(&self, line: usize) -> Option<Mark> {
        let above = self.lines.iter().enumerate().take(line).rev().take(CUT_LINES);
        let (index, col) = above.filter_map(|(index, line)| Some((index, swallowed(line)?))).next()?;
        Some(Mark::new(self.path.clone(), number(index) + 1, number(col) + 1))
    }

    fn mark(&self, span: &Span) -> Mark {
        Mark::new(self.path.clone(), number(span.start.line()), number(span.start.col()) + 1)
    }

    fn syntax(&self, error: &ScanError) {
        let at =
            Mark::new(self.path.clone(), number(error.marker().line()), number(error.marker().col()) + 1);
        let info = error.info();
        let line = self.lines.get(error.marker().line().saturating_sub(1)).copied().unwrap_or_default();
        let indent: String = line.chars().take_while(|c| c.is_whitespace()).collect();
        if let Some(before) = indent.find('\t') {
            let at = Mark::new(self.path.clone(), at.line, number(before) + 1);
            self.report
                .error(&at, "Y103", "the line is indented with a tab")
                .hint("indent with spaces: YAML does not take tabs");
            return;
        }
        if let Some(at) = self.cut_before(error.marker().line()) {
            self.report
                .error(&at, "Y001", "` #` begins a comment here, and the closing bracket is part of it")
                .hint("if the # belongs to the text, put the text in quotes");
            return;
        }
        let noted = self.report.error(&at, "Y001", info);
        if info.contains("mapping values") || info.contains("expected ','") || line.contains("{{") {
            noted.hint("put the text in quotes: a colon, a comma or {{…}} inside it means something to YAML");
        } else {
            noted.done();
        }
    }
}

/// The `#` of a comment in which more brackets are closed than opened, in characters from the beginning of the line.
fn swallowed(line: &str) -> Option<usize> {
    let (mut quote, mut before) = (None, ' ');
    for (col, c) in line.chars().enumerate() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            // A quote inside a word is an apostrophe.
            None if matches!(c, '"' | '\'') && matches!(before, ' ' | '{' | '[' | ',') => quote = Some(c),
            None if c == '#' && before == ' ' => {
                let depths = line.chars().skip(col).scan(0_i32, |depth, c| {
                    *depth += match c {
                        '{' | '[' => 1,
                        '}' | ']' => -1,
                        _ => 0,
                    };
                    Some(*depth)
                });
                return depths.min().filter(|least| *least < 0).map(|_| col);
            }
            None => {}
        }
        before = c;
    }
    None
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// One node under the walk: says what it is, or reports (Y004) what it should have been and says `None`.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub node: &'a Node,
    pub report: &'a Report,
}

impl<'a> View<'a> {
    pub fn at(&self) -> &'a Mark {
        &self.node.at
    }

    /// Whether nothing was written (`key:` alone, `~` or `null`).
    pub fn is_null(self) -> bool {
        matches!(&self.node.kind, Kind::Scalar(t) if !t.quoted && matches!(t.text.as_str(), "" | "~" | "null"))
    }

    pub fn is_map(self) -> bool {
        matches!(self.node.kind, Kind::Map(_))
    }

    pub fn is_list(self) -> bool {
        matches!(self.node.kind, Kind::List(_))
    }

    /// The scalar as written, without a report when it is none.
    pub fn text(self) -> Option<&'a Text> {
        match &self.node.kind {
            Kind::Scalar(text) if !self.is_null() => Some(text),
            Kind::Scalar(_) | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// A walker over a map.
    pub fn map(self) -> Option<Map<'a>> {
        match &self.node.kind {
            Kind::Map(entries) => {
                Some(Map { at: &self.node.at, entries, asked: Vec::new(), report: self.report })
            }
            Kind::Scalar(_) | Kind::List(_) => self.wrong("a map (`key: value` lines)"),
        }
    }

    /// The items of a list.
    pub fn list(self) -> Option<Vec<View<'a>>> {
        match &self.node.kind {
            Kind::List(items) => Some(items.iter().map(|node| View { node, report: self.report }).collect()),
            Kind::Scalar(_) | Kind::Map(_) => self.wrong("a list (`- item` lines or `[a, b]`)"),
        }
    }

    /// The items of a list, or the one value written without a list around it.
    pub fn one_or_more(self) -> Vec<View<'a>> {
        match &self.node.kind {
            Kind::List(items) => items.iter().map(|node| View { node, report: self.report }).collect(),
            Kind::Scalar(_) | Kind::Map(_) => vec![self],
        }
    }

    /// A list of texts, or one text.
    pub fn strings(self) -> Vec<String> {
        self.one_or_more().into_iter().filter_map(View::str).collect()
    }

    /// Any scalar, as written.
    pub fn str(self) -> Option<String> {
        match self.text() {
            Some(text) => Some(text.text.clone()),
            None => self.wrong("a text"),
        }
    }

    /// A text and where it stands.
    pub fn spanned(self) -> Option<Spanned<String>> {
        self.str().map(|value| Spanned { value, at: self.node.at.clone() })
    }

    /// A text that people will read: warns (Y101) when YAML may have cut it at ` #`.
    pub fn words(self) -> Option<String> {
        if self.text().is_some_and(|text| text.comment_follows) {
            self.report
                .warning(self.at(), "Y101", "the text ends where ` #` begins a comment")
                .hint("if the # belongs to the text, put the text in quotes");
        }
        self.str()
    }

    pub fn int(self) -> Option<i64> {
        self.parsed("a whole number", |t| t.parse().ok())
    }

    pub fn float(self) -> Option<f64> {
        self.parsed("a number", |t| t.parse().ok().filter(|n: &f64| n.is_finite()))
    }

    pub fn bool(self) -> Option<bool> {
        self.parsed("true or false", |t| match t {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })
    }

    /// A length of time, in milliseconds: `250ms`, `8s`, `30m`, `24h`, `7d`, `2w`, joined as `1h 30m`.
    pub fn duration_ms(self) -> Option<i64> {
        self.parsed("a length of time like 8s, 30m, 24h or 7d", duration_ms)
    }

    /// As [`View::duration_ms`], and no shorter than `least` says.
    pub fn duration_from(self, least: &str) -> Option<i64> {
        self.parsed(&format!("a length of time of {least} at least, like 30m"), |text| {
            duration_ms(text).filter(|ms| Some(*ms) >= duration_ms(least))
        })
    }

    /// `60%` as 60.0; from 0 to 100.
    pub fn percent(self) -> Option<f64> {
        self.parsed("a percentage like 60%", |t| {
            let number: f64 = t.strip_suffix('%')?.trim().parse().ok()?;
            (0.0..=100.0).contains(&number).then_some(number)
        })
    }

    /// One of a closed set of words.
    pub fn one_of(self, words: &[&'static str]) -> Option<&'static str> {
        let Some(text) = self.text() else { return self.wrong(&list_words(words)) };
        let found = words.iter().copied().find(|word| *word == text.text);
        if found.is_none() {
            let message = format!("\"{}\" is not {}", text.text, list_words(words));
            self.report.error(self.at(), "Y004", message).did_you_mean(&text.text, words.iter().copied());
        }
        found
    }

    /// A scalar through a parser of the caller's, which says what would have been right.
    pub fn parsed<T>(self, wanted: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        match self.text() {
            Some(text) => match parse(text.text.trim()) {
                Some(value) => Some(value),
                None => self.wrong(wanted),
            },
            None => self.wrong(wanted),
        }
    }

    /// Reports an error at this node.
    pub fn error(self, code: &'static str, message: impl Into<String>) -> super::diagnostic::Noted<'a> {
        self.report.error(self.at(), code, message)
    }

    /// Reports Y004: what stands here and what should.
    pub fn wrong<T>(self, wanted: &str) -> Option<T> {
        let what = match &self.node.kind {
            Kind::Scalar(_) if self.is_null() => "nothing".to_owned(),
            Kind::Scalar(text) => format!("\"{}\"", shortened(&text.text)),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a map".to_owned(),
        };
        self.error("Y004", format!("expected {wanted}, found {what}")).done();
        None
    }
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Reads `8s`, `1h 30m`; `None` when it is no length of time.
pub fn duration_ms(text: &str) -> Option<i64> {
    let mut total: i64 = 0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        let (number, tail) = rest.split_at_checked(digits)?;
        let letters = tail.chars().take_while(char::is_ascii_lowercase).count();
        let (unit, tail) = tail.split_at_checked(letters)?;
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return None,
        };
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(unit_ms)?)?;
        rest = tail.trim_start();
    }
    Some(total)
}

/// A walker over a map: hands out what is asked for and remembers it, so that [`Map::finish`] can report
/// what nobody asked for.
pub struct Map<'a> {
    pub at: &'a Mark,
    entries: &'a [(Spanned<String>, Node)],
    asked: Vec<&'static str>,
    pub report: &'a Report,
}

impl<'a> Map<'a> {
    /// The value of a key that has to be there (else Y005).
    pub fn required(&mut self, key: &'static str) -> Option<View<'a>> {
        let found = self.optional(key);
        if found.is_none() {
            self.report.error(self.at, "Y005", missing(key)).done();
        }
        found
    }

    /// The value of a key that may be left out.
    pub fn optional(&mut self, key: &'static str) -> Option<View<'a>> {
        self.asked.push(key);
        self.get(key).filter(|view| !view.is_null())
    }

    /// Whether the key was written; counts as asked for.
    pub fn has(&mut self, key: &'static str) -> bool {
        self.asked.push(key);
        self.get(key).is_some()
    }

    fn get(&self, key: &str) -> Option<View<'a>> {
        let (_, node) = self.entries.iter().find(|(k, _)| k.value == key)?;
        Some(View { node, report: self.report })
    }

    /// Where a key was written.
    pub fn key_at(&self, key: &str) -> Option<&'a Mark> {
        self.entries.iter().find(|(k, _)| k.value == key).map(|(k, _)| &k.at)
    }

    /// All entries in order, for maps whose keys are names; everything counts as asked for.
    pub fn entries(&self) -> Vec<(&'a Spanned<String>, View<'a>)> {
        self.entries.iter().map(|(key, node)| (key, View { node, report: self.report })).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Reports the keys that nobody asked for (Y003), with the nearest known one. Where that one is missing, the two
    /// are one slip of the pen, and are told once.
    pub fn finish(self) {
        for (index, (key, node)) in self.entries.iter().enumerate() {
            if !self.asked.contains(&key.value.as_str()) {
                let mut known = self.asked.clone();
                known.sort_unstable();
                known.dedup();
                if let Some(near) = nearest(&key.value, known.iter().copied()) {
                    self.report.withdraw(self.at, "Y005", &missing(near));
                }
                let noted = self.report.error(&key.at, "Y003", format!("unknown key \"{}\"", key.value));
                let before = index.checked_sub(1).and_then(|n| self.entries.get(n));
                // Only between `{` and `}` two keys stand on one line.
                let is_beside = before.is_some_and(|(_, value)| value.at.line == key.at.line);
                if is_beside && (View { node, report: self.report }).is_null() {
                    noted.hint("a comma ends a text inside {…}: if this belongs to the text before it, put it in quotes");
                } else {
                    noted.did_you_mean(&key.value, known);
                }
            }
        }
    }
}

fn missing(key: &str) -> String {
    format!("\"{key}\" is missing")
}

/// Whether this can be the name of a file that lies beside another.
pub fn is_file_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"));
    stem.is_some_and(|stem| !stem.is_empty() && !stem.starts_with('.')) && name.chars().all(is_plain)
}

/// A name that may stand in addresses, texts and databases: `discovery_call`, `white-paper`.
pub fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, walk: impl FnOnce(View<'_>)) -> Vec<String> {
        let report = Report::new();
        if let Some(doc) = parse("t.yaml", text, &report) {
            walk(doc.view(&report));
        }
        report
            .diagnostics()
            .into_iter()
            .map(|d| {
                format!(
                    "{}:{} {} {}{}",
                    d.line,
                    d.col,
                    d.code,
                    d.message,
                    d.hint.map(|h| format!(" | {h}")).unwrap_or_default()
                )
            })
            .collect()
    }

    #[test]
    fn keys_that_mean_yes_or_no_to_other_programs_are_noted_unless_in_quotes() {
        let report = Report::new();
        let doc = parse("t.yaml", "on: a\n\"no\": b\nnone: {Yes: c, 'off': d}\n", &report).unwrap();
        let traps: Vec<(&str, u32)> = doc.traps.iter().map(|key| (key.value.as_str(), key.at.line)).collect();
        assert_eq!(traps, [("on", 1), ("Yes", 3)]);
    }

    #[test]
    fn a_duplicate_key_is_reported_at_its_second_place() {
        let notes = found("steps:\n  a: 1\n  b: 2\n  a: 3\n", |_| {});
        assert_eq!(
            notes,
            ["4:3 Y002 \"a\" stands twice here | the second one would silently win: take one out"]
        );
    }

    #[test]
    fn an_unknown_key_gets_the_nearest_known_one() {
        let notes = found("title: x\nlabell: y\n", |v| {
            let mut map = v.map().unwrap();
            map.required("title");
            map.optional("label");
            map.finish();
        });
        assert_eq!(notes, ["2:1 Y003 unknown key \"labell\" | did you mean \"label\"?"]);
    }

    #[test]
    fn a_mistyped_key_that_is_missing_for_it_is_told_once() {
        let walk = |view: View<'_>| {
            let mut map = view.map().expect("a map");
            map.required("name");
            map.required("steps");
            map.finish();
        };
        assert_eq!(
            found("nmae: x\nsteps: y\n", walk),
            ["1:1 Y003 unknown key \"nmae\" | did you mean \"name\"?"]
        );
        // Something else that is unknown explains nothing.
        assert_eq!(found("colour: x\nsteps: y\n", walk).len(), 2);
    }

    #[test]
    fn all_mistakes_of_a_file_come_in_one_run() {
        let notes = found("delay: soon\ncount: many\nok: yes\nshare: 160%\n", |v| {
            let mut map = v.map().unwrap();
            map.required("delay").and_then(View::duration_ms);
            map.required("count").and_then(View::int);
            map.required("ok").and_then(View::bool);
            map.required("share").and_then(View::percent);
            map.required("name");
        });
        assert_eq!(
            notes,
            [
                "1:1 Y005 \"name\" is missing",
                "1:8 Y004 expected a length of time like 8s, 30m, 24h or 7d, found \"soon\"",
                "2:8 Y004 expected a whole number, found \"many\"",
                "3:5 Y004 expected true or false, found \"yes\"",
                "4:8 Y004 expected a percentage like 60%, found \"160%\"",
            ]
        );
    }

    #[test]
    fn scalars_stay_as_they_were_written() {
        let report = Report::new();
        let doc = parse("t.yaml", "a: no\nb: 10:30\nc: 1.10\nd: \"{{x}} y\"\n", &report).unwrap();
        let map = doc.view(&report).map().unwrap();
        let texts: Vec<String> = map.entries().into_iter().filter_map(|(_, v)| v.str()).collect();
        assert_eq!(texts, ["no", "10:30", "1.10", "{{x}} y"]);
        assert!(report.is_clean());
    }

    #[test]
    fn a_syntax_error_says_to_use_quotes() {
        let notes = found("say: Note: this\n", |_| {});
        assert_eq!(notes.len(), 1);
        assert!(notes[0].contains("Y001") && notes[0].contains("put the text in quotes"), "{notes:?}");
    }

    #[test]
    fn a_comment_that_swallows_a_bracket_and_a_comma_that_ends_a_text_are_told_where_they_stand() {
        let cut = "Y001 ` #` begins a comment here, and the closing bracket is part of it | if the # belongs to the text, \
                   put the text in quotes";
        for (text, place) in [
            ("a: {say: Our #1 tip}\nb: {say: x}\n", "1:14"),
            ("a: {say: Our #1 tip}\n", "1:14"),
            ("a: [It's, our #1 tip]\nb: x\nc: y\n", "1:15"),
            ("a: {\n  say: Our #1 tip}\nb: x\n", "2:12"),
        ] {
            assert_eq!(found(text, |_| {}), [format!("{place} {cut}")], "{text}");
        }
        // What is wrong for another reason is not laid to a comment beside it.
        for text in ["a: x # of {b}\nb: c: d\n", "a: '#1}'\nb: c: d\n", "a: {b: \"x #1}\"}\nb: c: d\n"] {
            let notes = found(text, |_| {});
            assert!(notes[0].starts_with("2:") && !notes[0].contains('#'), "{notes:?}");
        }
        let walk = |view: View<'_>| {
            let mut map = view.map().unwrap();
            map.required("say");
            map.optional("end");
            map.finish();
        };
        let told = found("{say: Hello, there}\n", walk);
        assert!(
            told[0].starts_with("1:14 Y003 unknown key \"there\" | ") && told[0].contains("in quotes"),
            "{told:?}"
        );
        let told = found("say: Hello\nedn:\n", walk);
        assert_eq!(told, ["2:1 Y003 unknown key \"edn\" | did you mean \"end\"?"]);
    }

    #[test]
    fn a_text_cut_by_a_comment_sign_is_warned_about() {
        let notes = found("say: Our #1 tip\n", |v| {
            v.map().unwrap().required("say").and_then(View::words);
        });
        assert!(notes[0].starts_with("1:6 Y101"), "{notes:?}");
        let quiet = found("say: Our tip\nmin: 3 # few\n", |v| {
            let mut map = v.map().unwrap();
            map.required("say").and_then(View::words);
            map.required("min").and_then(View::int);
        });
        assert!(quiet.is_empty(), "{quiet:?}");
    }

    #[test]
    fn anchors_and_aliases_are_refused() {
        let notes = found("a: &x 1\nb: *x\n", |_| {});
        assert_eq!(notes.len(), 2);
        assert!(notes.iter().all(|n| n.contains("Y104")));
    }

    #[test]
    fn the_content_of_quotes_and_blocks_has_its_own_place() {
        let report = Report::new();
        let doc = parse("t.yaml", "a: \"quoted\"\nb: >\n  folded\n", &report).unwrap();
        let map = doc.view(&report).map().unwrap();
        let places: Vec<(u32, u32)> = map
            .entries()
            .into_iter()
            .map(|(_, v)| v.text().unwrap())
            .map(|t| (t.content.line, t.content.col))
            .collect();
        assert_eq!(places, [(1, 5), (3, 3)]);
    }

    #[test]
    fn hostile_nesting_ends_in_a_report() {
        let notes = found(&"[".repeat(5_000), |_| {});
        assert_eq!(notes.len(), 1);
    }

    #[test]
    fn durations_add_up() {
        assert_eq!(duration_ms("1h 30m"), Some(5_400_000));
        assert_eq!(duration_ms("14d"), Some(1_209_600_000));
        assert_eq!(duration_ms("5"), None);
        assert_eq!(duration_ms("h"), None);
    }
}
