//! A trial: one message to a hook at once, past the queue, so that whoever sets it up sees what the other side answers.

use super::channels::chats::{self, Line};
use super::channels::webhook;
use super::{Error, Outbound, Rules};
use crate::base::ids::new_key;
use crate::base::time::Timestamp;

/// Sends a hook something harmless; none if there is no hook of this name.
///
/// # Errors
/// [`Error`] by what the receiver answered.
pub async fn send(
    outbound: &Outbound,
    rules: &Rules,
    name: &str,
    link: &str,
    now: Timestamp,
) -> Option<Result<(), Error>> {
    let hook = rules.hook(name)?;
    if hook.is_webhook() {
        return Some(webhook::post(outbound, hook, &new_key(), &webhook::sample(now), now).await);
    }
    let line = Line {
        title: "Embudo says hello".to_owned(),
        body: "This is how messages will arrive here.".to_owned(),
        open: "Open the console".to_owned(),
        link: link.to_owned(),
    };
    Some(chats::send(outbound, hook, &line).await)
}
