//! Telegram, by a bot (`sendMessage` of the Bot API). Without a `parse_mode` a text is what it is.

use serde_json::{Value as Json, json};

use super::chats::Line;
use super::plain::inert;

/// The message.
pub(super) fn write(chat: &str, line: &Line) -> Json {
    json!({
        "chat_id": chat,
        "text": format!("{}\n{}\n{}", inert(&line.title), inert(&line.body), line.link),
        "link_preview_options": { "is_disabled": true },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::channels::chats::hostile_lines;

    #[test]
    fn a_text_is_three_plain_lines_of_which_only_ours_is_a_link() {
        for line in hostile_lines() {
            let message = write("-100", &line);
            assert!(message.get("parse_mode").is_none() && message.get("entities").is_none());
            let text = message["text"].as_str().expect("a text");
            let lines: Vec<&str> = text.split('\n').collect();
            assert_eq!((lines.len(), lines.get(2).copied()), (3, Some(line.link.as_str())), "{text:?}");
            for told in &lines[..2] {
                assert!(!told.contains("://") && !told.contains("@everyone"), "{text:?}");
            }
        }
    }
}
