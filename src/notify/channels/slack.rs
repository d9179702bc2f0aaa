//! Slack's incoming webhooks, and those who take the same: Mattermost, Rocket.Chat.
//!
//! Slack shows the blocks, in which texts are plain; the others show `text`, in which three characters and those of Markdown
//! mean something.

use serde_json::{Value as Json, json};

use super::chats::Line;
use super::plain::inert;

/// Longest header that Slack takes, in characters.
const HEADER: usize = 150;

/// The message.
pub(super) fn write(line: &Line) -> Json {
    let (title, body) = (escape(&line.title), escape(&line.body));
    let header: String = inert(&line.title).chars().take(HEADER).collect();
    let mut blocks = vec![json!({ "type": "header", "text": plain(&header) })];
    let told = inert(&line.body);
    if !told.is_empty() {
        blocks.push(json!({ "type": "section", "text": plain(&told) }));
    }
    let button = json!({ "type": "button", "text": plain(&line.open), "url": line.link });
    blocks.push(json!({ "type": "actions", "elements": [button] }));
    json!({
        "text": format!("*{title}*\n{body}\n{}", line.link),
        "blocks": blocks,
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

fn plain(text: &str) -> Json {
    json!({ "type": "plain_text", "text": text, "emoji": false })
}

/// Neither mentions nor links nor marks: Slack's three control characters, and Markdown's.
fn escape(text: &str) -> String {
    inert(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('[', "(")
        .replace(']', ")")
        .replace(['*', '`', '_', '~', '|', '#', '\\'], "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::channels::chats::hostile_lines;

    #[test]
    fn a_visitors_name_can_ping_nobody_and_link_nowhere() {
        for line in hostile_lines() {
            let message = write(&line);
            let text = message["text"].as_str().expect("a text");
            assert_eq!(text.lines().count(), 3, "{text:?}");
            let told = text.trim_start_matches('*').replace(&line.link, "").replace("*\n", "\n");
            for bait in ["<", ">", "@everyone", "@here", "](", "://", "*", "`", "\u{202e}", "\r"] {
                assert!(!told.contains(bait), "{bait}: {text:?}");
            }
            for block in message["blocks"].as_array().expect("blocks") {
                let kind = block.pointer("/text/type").or_else(|| block.pointer("/elements/0/text/type"));
                assert_eq!(kind, Some(&json!("plain_text")), "nothing is read as marks");
            }
        }
    }
}
