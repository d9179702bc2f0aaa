//! "Are you n•••@a•••?": a link that was mailed to somebody was opened on the device on which a conversation goes on.
//!
//! The widget shows the question above the talk, so that it stands in no log and no flow waits for it. Only her own yes ties
//! the device to her, as *clicked*: nothing that is stored of her is used or shown. A conversation of nobody's goes on as
//! hers. One that is known as another person's is left alone, and she begins a new one.

use super::{Conversation, Error, Room, locked, store, suggest};
use crate::base::ids::{ConversationId, VisitorId};
use crate::base::time::{Timestamp, zone};
use crate::contacts::{self, Consent, Trust};
use crate::gates::{self, Device, Question, asked};
use crate::storage::db::Tx;

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// The device epoch from now on.
    pub visitor: VisitorId,
    /// How sure we are who holds it.
    pub trust: Trust,
    /// The conversation is that visitor's; else she begins another one.
    pub goes_on: bool,
}

/// What the device of a conversation is to be asked. A store of what may be lost that is away is no reason not to talk.
///
/// # Errors
/// [`Error::Unknown`].
pub async fn question(room: &Room, id: ConversationId, now: Timestamp) -> Result<Option<Question>, Error> {
    let q = &mut room.stores.db.read();
    let conversation = store::find(q, id).await?.ok_or(Error::Unknown)?;
    match asked::open(&*room.stores.hot, q, &room.keys, conversation.visitor, now).await {
        Ok(found) => Ok(found.map(|(_, question)| question)),
        Err(error) => {
            tracing::warn!(error = %error, "whether somebody is to be asked who she is cannot be read");
            Ok(None)
        }
    }
}

/// Takes the answer.
///
/// # Errors
/// [`Error::QuestionOver`] if nothing is asked there, or not any more; [`Error::Unknown`].
pub async fn answer(
    room: &Room,
    id: ConversationId,
    is_she: bool,
    now: Timestamp,
) -> Result<Answered, Error> {
    let q = &mut room.stores.db.read();
    let was = store::find(q, id).await?.ok_or(Error::Unknown)?.visitor;
    let asked = asked::open(&*room.stores.hot, q, &room.keys, was, now).await.map_err(refused)?;
    let (token, _) = asked.ok_or(Error::QuestionOver)?;
    let mut tx = room.stores.db.begin().await?;
    let mut conversation = locked(&mut tx, id).await?;
    if conversation.visitor != was {
        return Err(Error::QuestionOver);
    }
    let consent = contacts::visitor(&mut tx, was).await?.map_or(Consent::None, |known| known.consent);
    if consent == Consent::None {
        return Err(Error::QuestionOver);
    }
    let is_nobodys = conversation.contact.is_none() && contacts::holder(&mut tx, was).await?.is_none();
    let site = conversation.site.clone();
    let time_zone = conversation.time_zone.clone();
    let device = Device {
        visitor: was,
        consent,
        site: &site,
        time_zone: Some(time_zone.as_str()).filter(|name| zone(name).is_some()),
    };
    let (visitor, trust) =
        gates::answered(&mut tx, &room.lifecycle, &room.keys, &token, &device, is_she, now)
            .await
            .map_err(refused)?;
    let goes_on = is_nobodys || visitor == was;
    if is_nobodys {
        contacts::see_visitor(&mut tx, visitor, &site, consent, now).await?;
        hand_over(room, &mut tx, &mut conversation, visitor, now).await?;
    }
    tx.commit().await?;
    asked::forget(&*room.stores.hot, was).await?;
    room.tell(&conversation).await;
    Ok(Answered { visitor, trust, goes_on })
}

/// The conversation goes on as this visitor's, and as that of whoever she is.
async fn hand_over(
    room: &Room,
    tx: &mut Tx,
    conversation: &mut Conversation,
    visitor: VisitorId,
    now: Timestamp,
) -> Result<(), Error> {
    let head = conversation.head;
    conversation.visitor = visitor;
    if let Some((contact, _)) = contacts::holder(tx, visitor).await? {
        suggest::turning(room, tx, conversation, &[], now).await?.belongs_to(contact.id).await?;
    }
    store::save(tx, conversation, head, now).await?;
    Ok(())
}

fn refused(error: gates::Error) -> Error {
    match error {
        gates::Error::Stage(error) => error.into(),
        gates::Error::Store(error) => error.into(),
        // What is left of a link tells that it does not hold any more; of forms nothing is asked here.
        gates::Error::LinkUnknown
        | gates::Error::LinkExpired(_)
        | gates::Error::LinkRevoked(_)
        | gates::Error::NoForm
        | gates::Error::Invalid(_)
        | gates::Error::NonceForged
        | gates::Error::NonceExpired
        | gates::Error::NonceUsed
        | gates::Error::TooFast
        | gates::Error::NotSetApart
        | gates::Error::Subscription(_) => Error::QuestionOver,
    }
}
