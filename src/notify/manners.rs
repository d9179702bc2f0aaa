//! What is asked last, just before a mail leaves: is the address written to at all, and may it be now?

use super::mails::{Kind, Ready};
use super::{Desk, Error, Why};
use crate::base::time::{MINUTE_MS, Timestamp};
use crate::contacts;
use crate::subscriptions::policy::Manners;
use crate::subscriptions::{self, suppression};

/// Whoever did something so long ago is still looking at her screen.
const PROMPT_MS: i64 = 10 * MINUTE_MS;

/// Whether a mail may go out.
pub(super) enum Turn {
    Go,
    Wait { until: Timestamp, why: Why },
    Never(Why),
}

fn unwritable(error: subscriptions::Error) -> Error {
    match error {
        subscriptions::Error::Store(error) => Error::Storage(error),
        other => Error::Unwritable(other.to_string()),
    }
}

/// Asks for a mail's turn. A letter that may go has taken its place within the most that anybody gets.
pub(super) async fn turn(
    desk: &Desk,
    id: &str,
    ready: &Ready,
    planned_at: Timestamp,
    now: Timestamp,
) -> Result<Turn, Error> {
    let (kind, may_be_prompt) = match &ready.kind {
        Kind::Answer => (suppression::Kind::Transactional, None),
        Kind::Letter { topic, may_be_prompt } => {
            (suppression::Kind::Marketing { topic: topic.as_deref() }, Some(*may_be_prompt))
        }
    };
    if let (Some(may_be_prompt), Some(contact)) = (may_be_prompt, ready.contact) {
        let contact = contacts::find(&mut desk.stores.db.read(), contact).await?;
        let Some(contact) = contact else { return Ok(Turn::Never(Why::ERASED)) };
        let is_prompt = may_be_prompt && now.since_ms(planned_at) <= PROMPT_MS;
        let (db, sending) = (&desk.stores.db, &desk.topics.sending);
        let manners = subscriptions::take_turn(db, sending, &contact, id, (planned_at, is_prompt), now).await;
        match manners.map_err(unwritable)? {
            Manners::Now => {}
            Manners::Wait { until, why } => return Ok(Turn::Wait { until, why: why.into() }),
            Manners::Expired => return Ok(Turn::Never(Why::EXPIRED)),
        }
    }
    let blocked = suppression::blocks(&mut desk.stores.db.read(), &desk.keys, &ready.to, kind, now).await;
    Ok(match blocked.map_err(unwritable)? {
        Some(reason) => Turn::Never(reason.into()),
        None => Turn::Go,
    })
}
