//! `embudo flow test --update`: puts the texts that came into the places of those that were expected word for word.
//!
//! Only the scalar itself is rewritten; comments, order and everything else stay as they are. Where the text
//! cannot be found as it was read (it runs over several lines), nothing is changed and it is said so.

use crate::base::diagnostic::{Mark, Report};
use crate::base::yaml::{self, Kind};

/// A text to put in the place of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// Where the old one begins.
    pub at: Mark,
    pub old: String,
    pub new: String,
}

/// The file with the new texts in it, and the places of those that have to be put in by hand.
pub fn rewrite(text: &str, rewrites: &[Rewrite]) -> (String, Vec<Mark>) {
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let mut by_hand = Vec::new();
    let mut ordered: Vec<&Rewrite> = rewrites.iter().collect();
    // From the right to the left, so that columns stay true where two stand on one line.
    ordered.sort_by_key(|found| std::cmp::Reverse((found.at.line, found.at.col)));
    for one in ordered {
        let index = usize::try_from(one.at.line).ok().and_then(|line| line.checked_sub(1));
        let line = index.and_then(|index| lines.get_mut(index));
        match line.and_then(|line| replaced(line, one).map(|new| *line = new)) {
            Some(()) => {}
            None => by_hand.push(one.at.clone()),
        }
    }
    by_hand.reverse();
    (lines.join("\n"), by_hand)
}

fn replaced(line: &str, one: &Rewrite) -> Option<String> {
    let from = usize::try_from(one.at.col).ok()?.checked_sub(1)?;
    let (start, _) = line.char_indices().nth(from)?;
    let (before, rest) = line.split_at_checked(start)?;
    // The scalar is the longest beginning of the rest that reads as the old text.
    let ends = rest.char_indices().map(|(at, c)| at.saturating_add(c.len_utf8())).rev();
    let end = ends.into_iter().find(|end| rest.get(..*end).and_then(read).as_deref() == Some(&one.old))?;
    let (_, after) = rest.split_at_checked(end)?;
    let in_braces = before.contains('{') || before.contains('[');
    Some(format!("{before}{}{after}", written(&one.new, in_braces)))
}

/// The text that a scalar on one line reads as.
fn read(scalar: &str) -> Option<String> {
    // Blanks and comments behind it belong to the line, not to the text.
    if scalar.ends_with(' ') || scalar.contains(" #") && !scalar.starts_with(['"', '\'']) {
        return None;
    }
    let doc = yaml::parse("", scalar, &Report::new())?;
    match doc.root.kind {
        Kind::Scalar(text) => Some(text.text),
        Kind::List(_) | Kind::Map(_) => None,
    }
}

/// The text as a scalar: plain where that reads the same, else in quotes.
fn written(text: &str, in_braces: bool) -> String {
    let is_plain = !in_braces
        && !text.contains([':', '#', '{', '}', '[', ']', '\n', '"', '\''])
        && text.chars().next().is_some_and(char::is_alphabetic)
        && !matches!(text, "true" | "false" | "null")
        && read(text).as_deref() == Some(text);
    match is_plain {
        true => text.to_owned(),
        // A text of JSON is one of YAML.
        false => serde_json::Value::from(text).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: u32, col: u32, old: &str, new: &str) -> Rewrite {
        Rewrite { at: Mark::new("t.yaml", line, col), old: old.to_owned(), new: new.to_owned() }
    }

    #[test]
    fn only_the_text_itself_is_rewritten() {
        let file = "# a remark\n- bot: Hello there.  # greets\n- bot: {says: \"Bye: now\"}\n- bot: 'It''s'\n";
        let rewrites = [
            one(2, 8, "Hello there.", "Good morning."),
            one(3, 15, "Bye: now", "See you: soon"),
            one(4, 8, "It's", "It is {{x}}"),
        ];
        assert_eq!(
            rewrite(file, &rewrites),
            (
                "# a remark\n- bot: Good morning.  # greets\n- bot: {says: \"See you: soon\"}\n- bot: \"It is {{x}}\"\n"
                    .to_owned(),
                vec![]
            )
        );
    }

    #[test]
    fn what_cannot_be_found_is_left_and_told() {
        let file = "- bot: >\n    Hello\n    there.\n";
        let asked = [one(1, 8, "Hello there.", "Bye.")];
        assert_eq!(rewrite(file, &asked), (file.to_owned(), vec![Mark::new("t.yaml", 1, 8)]));
    }
}
