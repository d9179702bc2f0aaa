//! A line to a team's chat by an incoming webhook in Slack's form.

use serde_json::json;

use super::console::Notice;
use crate::base::language::Language;
use crate::notify::{Desk, Error, Sent};

/// Sends the line.
///
/// # Errors
/// [`Error`] by what the receiver answered.
pub(in crate::notify) async fn send(desk: &Desk, name: &str, notice: &Notice) -> Result<Sent, Error> {
    let Some(hook) = desk.rules.hooks.iter().find(|hook| hook.name == name) else {
        return Ok(Sent::Superseded("the hook was taken out of notify.yaml"));
    };
    let (title, body) = notice.words(desk, Language::default());
    let (title, body) = (escape(&title), escape(&body));
    let text = format!("*{title}*\n{body}\n{}", desk.link(&notice.link));
    desk.outbound.post_json(hook.url.expose(), &json!({ "text": text, "unfurl_links": false })).await?;
    Ok(Sent::Out)
}

/// Visitors write these texts: nothing in them may mention a channel or become a link (Slack's three control characters).
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('@', "@\u{200b}")
        .replace(['*', '`'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitors_name_can_ping_nobody() {
        let name = "<!channel> @everyone *bold* <https://evil.example|click>";
        let escaped = escape(name);
        assert!(!escaped.contains('<') && !escaped.contains("@everyone") && !escaped.contains('*'));
    }
}
