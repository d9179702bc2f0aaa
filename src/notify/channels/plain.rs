//! What visitors wrote, on its way into other people's programs: it may be read there, and nothing else.

/// Characters of a name, a company, a note.
const MOST: usize = 300;

/// The text on one line, without control characters and without those that turn the direction of what follows
/// (U+202E makes `exe.gpj` of `jpg.exe`; Unicode TR 36, 2.5).
pub fn one_line(text: &str) -> String {
    let spaced = text.chars().map(|letter| if letter.is_whitespace() { ' ' } else { letter });
    let kept = spaced.filter(|letter| !letter.is_control() && !is_invisible(*letter));
    let line: String =
        kept.collect::<String>().split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MOST { line } else { line.chars().take(MOST).chain(['…']).collect() }
}

fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// As [`one_line`], and programs make no mention, no link and no command of it: a mark that nobody sees stands where they
/// look for one.
pub fn inert(text: &str) -> String {
    let text = one_line(text).replace('@', "@\u{200b}").replace("://", ":\u{200b}//");
    let words = text.split(' ').map(|word| {
        let is_command = word.starts_with('/') && word.len() > 1;
        let word = if is_command { format!("/\u{200b}{}", &word[1..]) } else { word.to_owned() };
        unlinked(&word)
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Chats make links of bare names of hosts, too: `www.evil.example`, `evil.example/x`.
fn unlinked(word: &str) -> String {
    let mut out = String::with_capacity(word.len() + 3);
    let mut letters = word.chars().peekable();
    let mut before = ' ';
    while let Some(letter) = letters.next() {
        out.push(letter);
        if letter == '.'
            && before.is_alphanumeric()
            && letters.peek().is_some_and(|next| next.is_alphabetic())
        {
            out.push('\u{200b}');
        }
        before = letter;
    }
    out
}

/// Names that visitors have given, or might; every channel is held against them.
#[cfg(test)]
pub const HOSTILE: &[&str] = &[
    "@everyone",
    "@here",
    "@channel @all",
    "<!channel>",
    "<!here|x>",
    "<@U012AB3CD>",
    "<#C012AB3CD|general>",
    "<@&123456789>",
    "<at>Mike</at>",
    "<https://evil.example|click>",
    "[click](https://evil.example)",
    "[click](javascript:alert(1))",
    "![x](https://evil.example/p.png)",
    "https://evil.example/login",
    "www.evil.example",
    "evil.example/login",
    "*bold* _lean_ ~gone~ `code` ||hidden||",
    "**bold** __under__ ~~gone~~ ```block```",
    "# Heading",
    "> quoted",
    "- one\n- two",
    "Nikki\r\nBcc: eve@evil.example",
    "Nikki\nSubject: x\n\nbody",
    "Nikki\u{0}\u{7}\u{1b}[31mred",
    "gpj.exe\u{202e}",
    "\u{2066}mixed\u{2069}",
    "Ni\u{200b}k\u{feff}ki",
    "<b>bold</b><img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "&lt;!channel&gt;",
    "{{site.name}} {{{x}}}",
    "${env:HOME} %s %n",
    "/start now",
    "tg://resolve?domain=evil",
    "\"}],\"text\":\"x",
    "\\u003c!channel\\u003e",
    "',drop table jobs;--",
    "😀\u{200d}😀 \u{e0041}",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_one_line_that_can_be_read_and_does_nothing() {
        for name in HOSTILE {
            let line = one_line(name);
            assert!(
                !line.contains(['\r', '\n', '\u{0}', '\u{1b}', '\u{202e}', '\u{2066}', '\u{200b}']),
                "{name:?}"
            );
            let text = inert(name);
            for bait in ["@everyone", "@here", "://", "www.evil", "evil.example"] {
                assert!(!text.contains(bait), "{name:?} still holds {bait}: {text:?}");
            }
            assert!(!text.starts_with("/start"), "{text:?}");
        }
        assert_eq!(one_line("  Nikki \n Müller-O'Hara  "), "Nikki Müller-O'Hara");
        assert_eq!(inert("Nikki Müller-O'Hara, Acme S.L. 3.5"), "Nikki Müller-O'Hara, Acme S.\u{200b}L. 3.5");
        assert_eq!(one_line(&"x".repeat(1_000)).chars().count(), MOST + 1);
    }
}
