//! A line to a team's chat: the one place that knows which chats there are.

use serde_json::Value as Json;

use super::{discord, slack, teams, telegram};
use crate::notify::hooks::{Hook, Way};
use crate::notify::{Error, Outbound};

/// What a chat is told. Title and body hold what visitors wrote; the link is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub title: String,
    pub body: String,
    /// What the link says.
    pub open: String,
    pub link: String,
}

/// Sends the line.
///
/// # Errors
/// [`Error`] by what the receiver answered.
pub async fn send(outbound: &Outbound, hook: &Hook, line: &Line) -> Result<(), Error> {
    let Some((address, body)) = written(hook, line) else {
        return Err(Error::Unwritable(format!("`{}` is no chat", hook.name)));
    };
    outbound.post_json(&address, &body).await
}

/// Where the line goes to, and how it is written there.
fn written(hook: &Hook, line: &Line) -> Option<(String, Json)> {
    let address = hook.url.expose().to_owned();
    Some(match &hook.way {
        Way::Slack => (address, slack::write(line)),
        Way::Teams => (address, teams::write(line)),
        Way::Discord => (address, discord::write(line)),
        Way::Telegram { token, chat } => (
            format!("{}/bot{}/sendMessage", address.trim_end_matches('/'), token.expose()),
            telegram::write(chat, line),
        ),
        Way::Webhook(_) => return None,
    })
}

#[cfg(test)]
pub(super) fn hostile_lines() -> impl Iterator<Item = Line> {
    super::plain::HOSTILE.iter().map(|name| Line {
        title: format!("{name} booked a call with Mike"),
        body: format!("Friday. {name}"),
        open: "Open".to_owned(),
        link: "https://embudo.example/console/contacts/1".to_owned(),
    })
}
