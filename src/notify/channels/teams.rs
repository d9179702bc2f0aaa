//! Microsoft Teams by a workflow ("when a Teams webhook request is received"): an Adaptive Card. Its `TextBlock` reads
//! Markdown, its `TextRun` does not (adaptivecards.io, schema 1.4), so that is what visitors' texts stand in.

use serde_json::{Value as Json, json};

use super::chats::Line;
use super::plain::inert;

/// The message.
pub(super) fn write(line: &Line) -> Json {
    let run = |text: &str, is_heading: bool| {
        let weight = if is_heading { "Bolder" } else { "Default" };
        let run = json!({ "type": "TextRun", "text": inert(text), "weight": weight });
        json!({ "type": "RichTextBlock", "inlines": [run] })
    };
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [run(&line.title, true), run(&line.body, false)],
        "actions": [{ "type": "Action.OpenUrl", "title": line.open, "url": line.link }],
    });
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::channels::chats::hostile_lines;

    #[test]
    fn what_visitors_wrote_stands_in_runs_and_mentions_nobody() {
        for line in hostile_lines() {
            let message = write(&line);
            assert!(message.to_string().len() < 28 * 1024, "Teams takes no more");
            let card = &message["attachments"][0]["content"];
            assert!(card.get("msteams").is_none(), "only there a mention could be declared");
            for block in card["body"].as_array().expect("blocks") {
                assert_eq!(block["type"], "RichTextBlock");
                let text = block["inlines"][0]["text"].as_str().expect("a text");
                assert!(!text.contains("://") && !text.contains(['\n', '\r', '\u{202e}']), "{text:?}");
            }
        }
    }
}
