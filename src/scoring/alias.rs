//! Other names of stages in conditions: `stage == "prospect"` means what `stage == "lead"` means.

use std::collections::BTreeMap;

/// The names that aliases stand for.
pub type Aliases = BTreeMap<String, String>;

/// A piece of a condition.
#[derive(Debug, PartialEq)]
enum Piece<'a> {
    /// A text in quotes, with them.
    Text(&'a str),
    /// Anything else, spaces too.
    Other(&'a str),
}

/// The condition with names in the place of aliases, wherever `stage` is compared with one.
pub fn named(text: &str, aliases: &Aliases) -> String {
    let pieces = pieces(text);
    let mut named = String::with_capacity(text.len());
    for (index, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Other(other) => named.push_str(other),
            Piece::Text(quoted) => {
                let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
                match aliases.get(inner).filter(|_| is_of_stage(&pieces, index)) {
                    Some(name) => named.push_str(&format!("\"{name}\"")),
                    None => named.push_str(quoted),
                }
            }
        }
    }
    named
}

/// Whether the text of this place is compared with `stage`: `stage == "a"`, `"a" != stage`, `stage in ["b", "a"]`.
fn is_of_stage(pieces: &[Piece<'_>], index: usize) -> bool {
    let other = |index: Option<usize>| match index.and_then(|index| pieces.get(index)) {
        Some(Piece::Other(text)) => text.trim(),
        Some(Piece::Text(_)) | None => "",
    };
    let mut before = index.checked_sub(1);
    // Back over the list that it stands in.
    while other(before) == "," {
        before = before.and_then(|before| before.checked_sub(2));
    }
    let left = other(before);
    let is_right_of = compared(left).or(in_list(left)).is_some_and(ends_with_stage);
    let right = other(Some(index + 1));
    let right = right.strip_prefix("==").or(right.strip_prefix("!=")).map(str::trim_start);
    is_right_of || right.is_some_and(begins_with_stage)
}

/// What stands before `in [`.
fn in_list(text: &str) -> Option<&str> {
    let text = text.strip_suffix('[').map(str::trim_end)?;
    text.strip_suffix("in").filter(|left| left.ends_with(char::is_whitespace)).map(str::trim_end)
}

/// What stands before `==` or `!=`.
fn compared(text: &str) -> Option<&str> {
    text.strip_suffix("==").or(text.strip_suffix("!=")).map(str::trim_end)
}

fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}

fn ends_with_stage(text: &str) -> bool {
    text.strip_suffix("stage").is_some_and(|before| !before.ends_with(is_of_a_name))
}

fn begins_with_stage(text: &str) -> bool {
    text.strip_prefix("stage").is_some_and(|after| !after.starts_with(is_of_a_name))
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut begin, mut quote, mut is_escaped) = (0, None, false);
    for (at, char) in text.char_indices() {
        match quote {
            None if char == '"' || char == '\'' => {
                pieces.push(Piece::Other(text.get(begin..at).unwrap_or_default()));
                (begin, quote) = (at, Some(char));
            }
            Some(_) if is_escaped => is_escaped = false,
            Some(_) if char == '\\' => is_escaped = true,
            Some(end) if char == end => {
                let next = at + char.len_utf8();
                pieces.push(Piece::Text(text.get(begin..next).unwrap_or_default()));
                (begin, quote) = (next, None);
            }
            None | Some(_) => {}
        }
    }
    pieces.push(Piece::Other(text.get(begin..).unwrap_or_default()));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_taken_for_its_stage_only_where_the_stage_is_asked_for() {
        let aliases = Aliases::from([("prospect".to_owned(), "lead".to_owned())]);
        let cases = [
            ("stage == \"prospect\"", "stage == \"lead\""),
            ("'prospect' != stage && identified", "\"lead\" != stage && identified"),
            ("stage in [\"mql\", \"prospect\"]", "stage in [\"mql\", \"lead\"]"),
            ("stage in ['prospect', 'mql'] || x", "stage in [\"lead\", 'mql'] || x"),
            ("contact.department == \"prospect\"", "contact.department == \"prospect\""),
            ("company.stage == \"prospect\"", "company.stage == \"prospect\""),
            ("event(\"prospect\") && stage == \"mql\"", "event(\"prospect\") && stage == \"mql\""),
            ("!(stage==\"prospect\")", "!(stage==\"lead\")"),
            ("x == \"stage == 'prospect'\"", "x == \"stage == 'prospect'\""),
            ("x in [\"prospect\"]", "x in [\"prospect\"]"),
        ];
        for (written, meant) in cases {
            assert_eq!(named(written, &aliases), meant, "{written}");
        }
    }
}
