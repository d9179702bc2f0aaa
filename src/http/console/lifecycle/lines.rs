//! What differs between two texts, line by line.

use serde::Serialize;

/// Lines of context around a change.
const AROUND: usize = 2;
/// Longer texts are not compared: nobody writes a definition of so many lines.
const MOST: usize = 2_000;

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It stands in both.
    Same,
    /// It stands in the new text only.
    Added,
    /// It stands in the old one only.
    Gone,
    /// Here lines are left out that stand in both.
    Cut,
}

/// A line of either text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What became of it.
    pub fate: Fate,
    /// Its number in the old text, from 1.
    pub old: Option<usize>,
    /// Its number in the new text, from 1.
    pub new: Option<usize>,
    /// The line.
    pub text: String,
}

/// The lines that differ with some around them; empty if none does, nothing if a text is too long.
pub fn differences(old: &str, new: &str) -> Option<Vec<Line>> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    if old.len().max(new.len()) > MOST {
        return None;
    }
    let all = walk(&old, &new);
    let near = |index: usize| {
        let (from, to) = (index.saturating_sub(AROUND), (index + AROUND + 1).min(all.len()));
        all.get(from..to).is_some_and(|part| part.iter().any(|line| line.fate != Fate::Same))
    };
    let mut shown: Vec<Line> = Vec::new();
    for (index, line) in all.iter().enumerate() {
        if near(index) {
            shown.push(line.clone());
        } else if shown.last().is_some_and(|last| last.fate != Fate::Cut) {
            shown.push(Line { fate: Fate::Cut, old: None, new: None, text: String::new() });
        }
    }
    if shown.last().is_some_and(|last| last.fate == Fate::Cut) {
        shown.pop();
    }
    Some(shown)
}

/// Both texts in one row, with as many lines of both as can be (the longest common subsequence).
fn walk(old: &[&str], new: &[&str]) -> Vec<Line> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (left, right) = (old.get(head..).unwrap_or_default(), new.get(head..).unwrap_or_default());
    let wide = right.len() + 1;
    // How many lines of both are left from each place on.
    let mut left_over = vec![0_u16; (left.len() + 1) * wide];
    for (i, a) in left.iter().enumerate().rev() {
        for (j, b) in right.iter().enumerate().rev() {
            let at = |i: usize, j: usize| left_over.get(i * wide + j).copied().unwrap_or(0);
            let longest = if a == b { at(i + 1, j + 1) + 1 } else { at(i + 1, j).max(at(i, j + 1)) };
            if let Some(place) = left_over.get_mut(i * wide + j) {
                *place = longest;
            }
        }
    }
    let at = |i: usize, j: usize| left_over.get(i * wide + j).copied().unwrap_or(0);
    let line = |fate, old: Option<usize>, new: Option<usize>, text: &str| Line {
        fate,
        old: old.map(|n| n + 1),
        new: new.map(|n| n + 1),
        text: text.to_owned(),
    };
    let mut all: Vec<Line> = old
        .iter()
        .take(head)
        .enumerate()
        .map(|(index, text)| line(Fate::Same, Some(index), Some(index), text))
        .collect();
    let (mut i, mut j) = (0, 0);
    loop {
        match (left.get(i), right.get(j)) {
            (Some(a), Some(b)) if a == b => {
                all.push(line(Fate::Same, Some(head + i), Some(head + j), a));
                (i, j) = (i + 1, j + 1);
            }
            (Some(a), Some(_)) if at(i + 1, j) >= at(i, j + 1) => {
                all.push(line(Fate::Gone, Some(head + i), None, a));
                i += 1;
            }
            (Some(a), None) => {
                all.push(line(Fate::Gone, Some(head + i), None, a));
                i += 1;
            }
            (_, Some(b)) => {
                all.push(line(Fate::Added, None, Some(head + j), b));
                j += 1;
            }
            (None, None) => return all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(old: &str, new: &str) -> Vec<String> {
        let sign = |line: &Line| match line.fate {
            Fate::Same => ' ',
            Fate::Added => '+',
            Fate::Gone => '-',
            Fate::Cut => '…',
        };
        let lines = differences(old, new).expect("short");
        lines.iter().map(|line| format!("{}{}", sign(line), line.text)).collect()
    }

    #[test]
    fn changed_lines_are_shown_with_two_around_them() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n";
        let new = "a\nb\nc\nD\ne\nf\ng\nh\ni\nj\nk\n";
        assert_eq!(told(old, new), [" b", " c", "-d", "+D", " e", " f", "…", " i", " j", "+k"]);
        let lines = differences(old, new).expect("short");
        assert_eq!((lines[2].old, lines[2].new, lines[3].new), (Some(4), None, Some(4)));
        assert!(told(old, old).is_empty());
        assert_eq!(told("", "a"), ["+a"]);
        assert_eq!(told("a", ""), ["-a"]);
    }

    #[test]
    fn either_text_can_be_put_together_again() {
        let text = |seed: u64| -> String {
            (0..40_u64).map(|n| format!("{}\n", (n * seed * 7 + n * n) % 9)).collect()
        };
        for (a, b) in [(1, 2), (3, 5), (8, 13), (21, 34)] {
            let (old, new) = (text(a), text(b));
            let (old_lines, new_lines): (Vec<&str>, Vec<&str>) =
                (old.lines().collect(), new.lines().collect());
            let all = walk(&old_lines, &new_lines);
            let of = |not: Fate| -> Vec<&str> {
                all.iter().filter(|line| line.fate != not).map(|line| line.text.as_str()).collect()
            };
            assert_eq!(of(Fate::Added), old_lines);
            assert_eq!(of(Fate::Gone), new_lines);
        }
    }
}
