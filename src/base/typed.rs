//! What people type, made safe to be read by others.

/// What somebody typed, as it is kept: line breaks of one kind, no other control characters, and none of the
/// characters that turn the direction of what stands after them (Unicode UTS 55: a line that reads otherwise than it
/// is written). The marks that Arabic and Hebrew need inside a line stay.
pub fn plain(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let letters = text.chars().filter_map(|letter| match letter {
        '\n' | '\t' => Some(letter),
        '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some('\n'),
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fff9}'..='\u{fffb}' | '\u{feff}' => None,
        letter if letter.is_control() => None,
        letter => Some(letter),
    });
    letters.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_kept_as_it_reads() {
        for (typed, kept) in [
            ("two\r\nlines\rand a third", "two\nlines\nand a third"),
            ("a\u{0}b\u{7}c\u{1b}[31m\u{7f}\u{9b}d", "abc[31md"),
            ("invoice_\u{202e}fdp.exe", "invoice_fdp.exe"),
            ("\u{2066}\u{2067}isolated\u{2069}", "isolated"),
            ("\u{feff}a\u{2028}b", "a\nb"),
            ("\tיום טוב\u{200f}! 👩\u{200d}💻", "\tיום טוב\u{200f}! 👩\u{200d}💻"),
            ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ] {
            assert_eq!(plain(typed), kept);
        }
    }
}
