//! The lines of a calendar file (RFC 5545, 3.1), as they are found and not only as they should be.
//!
//! Whoever refuses a whole file for one broken line loses a calendar of thousand events, so this reader forgives:
//! lines end with CRLF, LF or CR; a line is continued by one that begins with a blank or, as some programs break it,
//! by one that begins with no name at all; bytes that are no UTF-8 become replacement characters.

/// One line: `NAME;PARAMETER=value:value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// As it is written.
    pub name: &'a str,
    /// From the first `;` to the colon, both left out.
    params: &'a str,
    pub value: &'a str,
}

impl<'a> Line<'a> {
    /// Reads an unfolded line; none if it has no name or no colon.
    pub fn read(text: &'a str) -> Option<Self> {
        let end = text.find([':', ';'])?;
        let (name, rest) = text.split_at_checked(end)?;
        if !is_name(name) {
            return None;
        }
        let mut is_quoted = false;
        for (at, letter) in rest.char_indices() {
            match letter {
                '"' => is_quoted = !is_quoted,
                ':' if !is_quoted => {
                    let params = rest.get(..at)?.strip_prefix(';').unwrap_or_default();
                    return Some(Self { name, params, value: rest.get(at + 1..)? });
                }
                _ => {}
            }
        }
        None
    }

    /// Whether it has this name.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value of a parameter, without its quotes.
    pub fn param(&self, name: &str) -> Option<&'a str> {
        let mut rest = self.params;
        while !rest.is_empty() {
            let mut is_quoted = false;
            let end = rest.char_indices().find(|(_, letter)| {
                is_quoted ^= *letter == '"';
                *letter == ';' && !is_quoted
            });
            let (one, after) = match end {
                Some((at, _)) => (rest.get(..at)?, rest.get(at + 1..)?),
                None => (rest, ""),
            };
            if let Some((key, value)) = one.split_once('=')
                && key.trim().eq_ignore_ascii_case(name)
            {
                return Some(value.trim().trim_matches('"'));
            }
            rest = after;
        }
        None
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Whether a physical line begins with a name, as every line that continues no other does.
fn begins_a_line(text: &[u8]) -> bool {
    let end = text.iter().position(|byte| matches!(byte, b':' | b';'));
    end.is_some_and(|end| {
        end > 0 && text.iter().take(end).all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    })
}

/// The logical lines of a file. Folds are taken out of the bytes, because a fold may cut a letter in two.
pub fn unfold(file: &[u8]) -> Vec<String> {
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for physical in file.split(|byte| matches!(byte, b'\n' | b'\r')) {
        match (physical.split_first(), lines.last_mut()) {
            (None, _) => {}
            (Some((b' ' | b'\t', rest)), Some(last)) => last.extend_from_slice(rest),
            (Some(_), Some(last)) if !begins_a_line(physical) => last.extend_from_slice(physical),
            (Some(_), _) => lines.push(physical.to_vec()),
        }
    }
    lines
        .into_iter()
        .map(|line| match String::from_utf8(line) {
            Ok(text) => text,
            Err(broken) => String::from_utf8_lossy(broken.as_bytes()).into_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_undone_however_they_were_made() {
        let file =
            "BEGIN:VCALENDAR\r\nSUMMARY:a\r\n b\r\n\tc\nDESCRIPTION:one\ntwo without a blank\rUID:1\r\n\r\n";
        assert_eq!(
            unfold(file.as_bytes()),
            ["BEGIN:VCALENDAR", "SUMMARY:abc", "DESCRIPTION:onetwo without a blank", "UID:1"]
        );
    }

    #[test]
    fn a_fold_in_the_middle_of_a_letter_loses_nothing() {
        let file = b"SUMMARY:Luc\xc3\r\n \xada";
        assert_eq!(unfold(file), ["SUMMARY:Luc\u{ed}a"]);
    }

    #[test]
    fn colons_and_semicolons_in_quotes_belong_to_the_parameter() {
        let line =
            Line::read("DTSTART;X=\"a;b:c\";tzid=\"(UTC+01:00) Madrid\":20261123T090000").expect("a line");
        assert_eq!(line.param("TZID"), Some("(UTC+01:00) Madrid"));
        assert_eq!(line.value, "20261123T090000");
        assert!(line.is("dtstart"));
        assert_eq!(line.param("VALUE"), None);
    }

    #[test]
    fn what_is_no_line_is_none() {
        for text in ["", "no colon", ":value", "A B:c", "X;Y=\"open:1"] {
            assert_eq!(Line::read(text), None, "{text:?}");
        }
    }
}
