//! The relaxed forms of a mail's headers and of its body (RFC 6376, 3.4.2 and 3.4.4).

/// A mail taken apart.
pub struct Parsed<'m> {
    /// Each with its name and its further lines, without the last end of line.
    pub headers: Vec<&'m str>,
    pub body: &'m [u8],
}

impl<'m> Parsed<'m> {
    /// Takes a mail apart; none if its headers do not end or are no text.
    pub fn of(mail: &'m [u8]) -> Option<Self> {
        let end = mail.windows(4).position(|four| four == b"\r\n\r\n")?;
        let (head, rest) = mail.split_at_checked(end)?;
        let head = std::str::from_utf8(head).ok()?;
        let body = rest.get(4..)?;
        let (mut headers, mut from) = (Vec::new(), 0);
        for (at, _) in head.match_indices("\r\n") {
            let goes_on = head.get(at + 2..)?.starts_with([' ', '\t']);
            if !goes_on {
                headers.push(head.get(from..at)?);
                from = at + 2;
            }
        }
        headers.push(head.get(from..)?);
        Some(Self { headers, body })
    }
}

/// A header's name in small letters.
pub fn name(header: &str) -> String {
    header.split(':').next().unwrap_or_default().trim_end().to_ascii_lowercase()
}

/// A header in its relaxed form, with the end of its line.
pub fn header(header: &str) -> Vec<u8> {
    let value = header.split_once(':').map_or("", |(_, value)| value);
    // Lines are joined, and whatever stands between two words is one blank.
    let value = value.replace("\r\n", "");
    let words: Vec<&str> = value.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
    format!("{}:{}\r\n", name(header), words.join(" ")).into_bytes()
}

/// A body in its relaxed form.
pub fn body(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 2);
    // Ends of lines wait until a line with something in it follows: those at the end count for nothing.
    let mut waiting = 0_usize;
    let mut rest = body;
    while !rest.is_empty() {
        let end = rest.windows(2).position(|two| two == b"\r\n");
        let line = end.and_then(|end| rest.get(..end)).unwrap_or(rest);
        rest = end.and_then(|end| rest.get(end + 2..)).unwrap_or_default();
        let line = relaxed(line);
        if !line.is_empty() {
            out.extend(b"\r\n".repeat(waiting));
            out.extend(line);
            waiting = 0;
        }
        waiting += 1;
    }
    if !out.is_empty() {
        out.extend(b"\r\n");
    }
    out
}

/// A line whose blanks are single, and none at its end.
fn relaxed(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut is_blank = false;
    for byte in line {
        if matches!(byte, b' ' | b'\t') {
            is_blank = true;
            continue;
        }
        if std::mem::take(&mut is_blank) {
            out.push(b' ');
        }
        out.push(*byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relaxed_body(text: &str) -> String {
        String::from_utf8(body(text.as_bytes())).expect("text")
    }

    /// The example of RFC 6376, 3.4.5.
    #[test]
    fn the_example_of_the_standard_comes_out_as_it_says() {
        let mail = b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n";
        let parsed = Parsed::of(mail).expect("a mail");
        let headers: Vec<u8> = parsed.headers.iter().flat_map(|text| header(text)).collect();
        assert_eq!(String::from_utf8_lossy(&headers), "a:X\r\nb:Y Z\r\n");
        assert_eq!(String::from_utf8_lossy(&body(parsed.body)), " C\r\nD E\r\n");
    }

    #[test]
    fn a_body_ends_with_one_end_of_line_and_an_empty_one_is_nothing() {
        assert_eq!(relaxed_body(""), "");
        assert_eq!(relaxed_body("\r\n\r\n"), "");
        assert_eq!(relaxed_body(" \t\r\n"), "");
        assert_eq!(relaxed_body("a"), "a\r\n");
        assert_eq!(relaxed_body("a\r\n\r\n\r\nb \r\n \r\n"), "a\r\n\r\n\r\nb\r\n");
        assert_eq!(relaxed_body("\r\na\r\n"), "\r\na\r\n");
    }
}
