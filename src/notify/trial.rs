//! A trial: one message to a hook or a browser at once, past the queue, so that whoever sets it up sees what the other side
//! answers.

use super::channels::chats::{self, Line};
use super::channels::console::Notice;
use super::channels::{push, webhook};
use super::{Desk, Error, Outbound, Rules, Sent};
use crate::base::ids::{PushDeviceId, new_key};
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

/// Sends a browser something harmless.
///
/// # Errors
/// [`Error`] by what its push service answered; [`Error::Gone`] if the browser is not subscribed any more.
pub async fn push(desk: &Desk, device: PushDeviceId, now: Timestamp) -> Result<(), Error> {
    let notice = Notice {
        kind: push::TRIAL.to_owned(),
        account: None,
        who: String::new(),
        company: None,
        rep: None,
        starts_at: None,
        zone: "UTC".to_owned(),
        link: "/console/notifications".to_owned(),
        state: None,
        note: None,
    };
    match push::send(desk, device, &notice, now, now).await? {
        Sent::Out | Sent::Waits { .. } => Ok(()),
        Sent::Superseded(why) => Err(Error::Gone(why.words.to_owned())),
    }
}
