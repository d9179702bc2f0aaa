//! Reads src/ for the tests that hold the code to its own rules.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One file of src/. `code` has the length of `text`, with comments, the contents of strings and the
/// test modules blanked, so that an offset in one is an offset in the other.
pub struct Source {
    /// Below src/, with forward slashes: `bookings/store.rs`.
    pub path: String,
    pub text: String,
    pub code: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let code = match path.ends_with("/tests.rs") {
            true => text.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect(),
            false => without_tests(blanked(text)),
        };
        Self { path: path.to_owned(), text: text.to_owned(), code }
    }

    /// The top-level module that the file belongs to: `bookings`, `app`; `lib` and `main` for the roots.
    pub fn module(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// How deep the file's own module is below the crate: `chat/steps/ask.rs` is 3, `chat/mod.rs` is 1.
    fn depth(&self) -> usize {
        let depth = self.path.split('/').count();
        if self.path.ends_with("/mod.rs") { depth - 1 } else { depth }
    }

    /// Line of a byte offset, from 1.
    pub fn line(&self, offset: usize) -> usize {
        self.text[..offset].matches('\n').count() + 1
    }

    /// `src/path:line: text of the line` of every place where one of `words` stands in the code.
    pub fn places(&self, words: &[&str]) -> Vec<String> {
        let mut offsets: Vec<usize> =
            words.iter().flat_map(|word| self.code.match_indices(word)).map(|(at, _)| at).collect();
        offsets.sort_unstable();
        offsets.into_iter().map(|at| self.place(at)).collect()
    }

    pub fn place(&self, offset: usize) -> String {
        let line = self.line(offset);
        format!("src/{}:{line}: {}", self.path, self.text.lines().nth(line - 1).unwrap_or_default().trim())
    }

    /// Every name that is reached from the crate's root, by `crate::name`, by a group
    /// `crate::{name, …}` or by enough `super::`, with its offset.
    pub fn imports(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for (at, _) in self.code.match_indices("crate::") {
            if !starts_a_word(&self.code, at) {
                continue;
            }
            found.extend(heads(&self.code, at + "crate::".len()));
        }
        let up = "super::".repeat(self.depth());
        for (at, _) in self.code.match_indices(&up) {
            let part_of_a_longer_climb = self.code[..at].ends_with("super::");
            if starts_a_word(&self.code, at) && !part_of_a_longer_climb {
                found
                    .extend(heads(&self.code, at + up.len()).into_iter().filter(|(_, name)| name != "super"));
            }
        }
        found
    }

    /// Every statement of `sql!("…")`, with its offset.
    pub fn statements(&self) -> Vec<(usize, String)> {
        self.code
            .match_indices("sql!(")
            .filter(|(at, _)| starts_a_word(&self.code, *at))
            .filter_map(|(at, head)| {
                let start = at + head.len();
                let skipped = self.text[start..].len() - self.text[start..].trim_start().len();
                literal(&self.text[start + skipped..]).map(|statement| (at, statement))
            })
            .collect()
    }
}

/// All files of src/, in the order of their paths.
pub fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    rust_files(&root, &mut paths);
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let below =
                path.strip_prefix(&root).expect("the walk starts there").to_string_lossy().replace('\\', "/");
            Source::new(&below, &fs::read_to_string(path).expect("a source file is readable"))
        })
        .collect()
}

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("src is a folder") {
        let path = entry.expect("src is readable").path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn starts_a_word(code: &str, at: usize) -> bool {
    at == 0 || !is_word(code.as_bytes()[at - 1])
}

/// The first names of the path or of the group of paths that begins at `at`.
fn heads(code: &str, at: usize) -> Vec<(usize, String)> {
    let bytes = code.as_bytes();
    let word = |from: usize| -> String { code[from..].chars().take_while(|c| is_word(*c as u8)).collect() };
    if bytes.get(at) != Some(&b'{') {
        return vec![(at, word(at))];
    }
    let mut found = Vec::new();
    let (mut depth, mut expects_name) = (0, false);
    for (offset, byte) in bytes.iter().enumerate().skip(at) {
        match byte {
            b'{' => {
                depth += 1;
                expects_name = depth == 1;
            }
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            b',' => expects_name = depth == 1,
            byte if expects_name && is_word(*byte) => {
                found.push((offset, word(offset)));
                expects_name = false;
            }
            _ => {}
        }
    }
    found
}

/// The value of the string literal that `text` begins with.
fn literal(text: &str) -> Option<String> {
    if let Some(raw) = text.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let body = raw[hashes..].strip_prefix('"')?;
        let end = body.find(&format!("\"{}", "#".repeat(hashes)))?;
        return Some(body[..end].to_owned());
    }
    let mut value = String::new();
    let mut rest = text.strip_prefix('"')?.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => return Some(value),
            '\\' => match rest.next()? {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                '\n' => while rest.next_if(|c| c.is_whitespace()).is_some() {},
                other => value.push(other),
            },
            c => value.push(c),
        }
    }
    None
}

fn blank(bytes: &mut [u8], range: Range<usize>) {
    for byte in &mut bytes[range] {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

/// `text` with comments and the contents of strings and characters turned into spaces.
fn blanked(text: &str) -> String {
    let source = text.as_bytes();
    let mut code = source.to_vec();
    let find = |from: usize, what: &str| text[from..].find(what).map_or(source.len(), |at| from + at);
    let mut at = 0;
    while at < source.len() {
        let rest = &source[at..];
        let end = if rest.starts_with(b"//") {
            find(at, "\n")
        } else if rest.starts_with(b"/*") {
            let mut depth = 0;
            let mut end = at;
            while end < source.len() {
                if source[end..].starts_with(b"/*") {
                    depth += 1;
                    end += 2;
                } else if source[end..].starts_with(b"*/") {
                    depth -= 1;
                    end += 2;
                    if depth == 0 {
                        break;
                    }
                } else {
                    end += 1;
                }
            }
            end
        } else if rest[0] == b'r' && starts_a_word(text, at) && {
            let after = rest[1..].iter().position(|byte| *byte != b'#').unwrap_or(0);
            rest.get(1 + after) == Some(&b'"')
        } {
            let hashes = rest[1..].iter().position(|byte| *byte != b'#').unwrap_or(0);
            let close = format!("\"{}", "#".repeat(hashes));
            find(at + 2 + hashes, &close) + close.len()
        } else if rest[0] == b'"' {
            let mut end = at + 1;
            while end < source.len() && source[end] != b'"' {
                end += if source[end] == b'\\' { 2 } else { 1 };
            }
            end + 1
        } else if rest[0] == b'\'' {
            let character = text[at + 1..].chars().next().map_or(0, char::len_utf8);
            if rest.get(1) == Some(&b'\\') {
                find(at + 3, "'") + 1
            } else if rest.get(1 + character) == Some(&b'\'') {
                at + 2 + character
            } else {
                at += 1; // a lifetime
                continue;
            }
        } else {
            at += 1;
            continue;
        };
        let end = end.min(source.len());
        let keeps_marks = rest[0] == b'"';
        blank(&mut code, if keeps_marks { at + 1..(end - 1).max(at + 1) } else { at..end });
        at = end;
    }
    String::from_utf8(code).expect("only whole characters were blanked")
}

/// `code` with every item under `#[cfg(test)]` turned into spaces.
fn without_tests(code: String) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut bytes = code.clone().into_bytes();
    let mut from = 0;
    while let Some(found) = code[from..].find(MARK) {
        let start = from + found;
        let mut depth = 0;
        let mut end = code.len();
        for (offset, byte) in code.bytes().enumerate().skip(start + MARK.len()) {
            match byte {
                b'{' => depth += 1,
                b'}' => {
                    depth -= 1;
                    if depth == 0 {
                        end = offset + 1;
                        break;
                    }
                }
                b';' if depth == 0 => {
                    end = offset + 1;
                    break;
                }
                _ => {}
            }
        }
        blank(&mut bytes, start..end);
        from = end;
    }
    String::from_utf8(bytes).expect("only whole characters were blanked")
}

#[test]
fn imports_are_found_alone_in_groups_and_through_super() {
    let text = "use crate::{base::{ids, time}, storage, events::append};\nfn f() { crate::http::serve() }\n\
                use super::super::cli::x; // crate::config\nlet s = \"crate::crm\"; pub(crate) fn g() {}\n\
                #[cfg(test)]\nmod tests { use crate::app; }\n";
    let names: Vec<String> =
        Source::new("chat/engine.rs", text).imports().into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["base", "storage", "events", "http", "cli"]);
}

#[test]
fn statements_are_read_with_their_escapes_and_raw_marks() {
    let text = "q(sql!(\"select \\\n    1\")); q(sql!(\n  r#\"select \"a\" from b\"#)); let c = '\"'; q(sql!(\"c\"));";
    let found: Vec<String> = Source::new("a.rs", text).statements().into_iter().map(|(_, sql)| sql).collect();
    assert_eq!(found, ["select 1", "select \"a\" from b", "c"]);
}
