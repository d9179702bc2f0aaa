//! Discord's webhooks.

use serde_json::{Value as Json, json};

use super::chats::Line;
use super::plain::inert;

/// Longest title and description of an embed that we send; Discord takes 256 and 4,096 characters.
const TITLE: usize = 240;
const BODY: usize = 2_000;

/// The message: `allowed_mentions` with nothing in it keeps every text from ringing for anybody.
pub(super) fn write(line: &Line) -> Json {
    let cut = |text: String, most: usize| text.chars().take(most).collect::<String>();
    json!({
        "embeds": [{
            "title": cut(escape(&line.title), TITLE),
            "description": cut(escape(&line.body), BODY),
            "url": line.link,
        }],
        "allowed_mentions": { "parse": [] },
    })
}

/// Every character that Markdown, mentions or emojis could begin with is shown as it is.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for letter in inert(text).chars() {
        if letter.is_ascii_punctuation()
            && !matches!(letter, '.' | ',' | '\'' | '"' | '/' | '?' | '!' | '%' | '&')
        {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::channels::chats::hostile_lines;

    #[test]
    fn nobody_is_mentioned_and_every_mark_is_shown_as_it_is() {
        for line in hostile_lines() {
            let message = write(&line);
            assert_eq!(message["allowed_mentions"], json!({ "parse": [] }));
            assert!(message.get("content").is_none());
            for part in ["title", "description"] {
                let text = message["embeds"][0][part].as_str().expect("a text");
                let mut before = ' ';
                for letter in text.chars() {
                    if "*_~`|<>[]()#@:-".contains(letter) {
                        assert_eq!(before, '\\', "{letter}: {text:?}");
                    }
                    // A backslash that is itself shown begins nothing.
                    before = if before == '\\' && letter == '\\' { ' ' } else { letter };
                }
                assert!(!text.contains("@everyone") && !text.contains(['\n', '\u{202e}']), "{text:?}");
            }
        }
    }
}
