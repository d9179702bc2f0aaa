//! A failed test in two columns: what was expected on the left, what came on the right.

use std::fmt::Write as _;

use super::Row;

/// The rows of a transcript, up to the last that does not fit. Each column is as wide as `width` characters.
pub fn columns(rows: &[Row], width: usize) -> String {
    let last = rows.iter().rposition(|row| !row.fits).map_or(0, |index| index.saturating_add(1));
    let mut out = String::new();
    if last == 0 {
        return out;
    }
    let _ = writeln!(out, "   line  {:width$}    came", "expected");
    for row in rows.iter().take(last) {
        let (left, right) = (wrapped(&row.expected, width), wrapped(&row.came, width));
        let mark = if row.fits { '|' } else { '≠' };
        for index in 0..left.len().max(right.len()).max(1) {
            let part = |lines: &[String]| lines.get(index).cloned().unwrap_or_default();
            let (left, right) = (part(&left), part(&right));
            let pad = width.saturating_sub(left.chars().count());
            let line = if index == 0 { row.at.line.to_string() } else { String::new() };
            let row = format!("{line:>7}  {left}{:pad$}  {mark} {right}", "");
            let _ = writeln!(out, "{}", row.trim_end());
        }
    }
    out
}

/// A text in lines of at most so many characters, broken between words where there are any.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let length = line.chars().count();
        if length > 0 && length.saturating_add(1).saturating_add(word.chars().count()) > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        while line.chars().count() > width {
            let rest: String = line.chars().skip(width).collect();
            lines.push(line.chars().take(width).collect());
            line = rest;
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Mark;

    fn row(line: u32, expected: &str, came: &str) -> Row {
        let at = Mark::new("t.yaml", line, 1);
        Row { at, expected: expected.to_owned(), came: came.to_owned(), fits: expected == came }
    }

    #[test]
    fn what_was_expected_stands_beside_what_came_with_its_line() {
        let rows = [
            row(4, "\"Hello.\"", "\"Hello.\""),
            row(5, "\"Bye.\"", "\"Good bye to you.\""),
            row(6, "x", "x"),
        ];
        assert_eq!(
            columns(&rows, 10),
            "   line  expected      came\n      4  \"Hello.\"    | \"Hello.\"\n      5  \"Bye.\"      ≠ \"Good bye\n                     ≠ to you.\"\n"
        );
    }

    #[test]
    fn where_all_fits_there_is_nothing_to_show() {
        assert_eq!(columns(&[row(4, "x", "x")], 10), "");
    }

    #[test]
    fn a_word_that_is_too_long_is_broken() {
        assert_eq!(wrapped("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
    }
}
