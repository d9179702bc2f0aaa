//! A conversation goes on on another device, by a link: one that stands in a mail to its visitor, or one that she takes along
//! from the device on which she talks.
//!
//! The link in a mail travels only with the transcript, so it tells whoever opens it nothing that the mail has not told; the
//! one that she takes along tells nothing that she does not read on the same screen. Opening it shows a page; her press on
//! its button is what opens the conversation there. Whoever goes on by a link is at most [`Trust::Clicked`]: nothing that is
//! stored about a person is used from then on. That device is told no visitor's id, so it becomes nobody's, and it makes no
//! links of its own. Each new link makes the one before worthless; she and the company can withdraw it; it ends with the
//! conversation.

use super::body::Mode;
use super::{Conversation, Error, Opened, Room, TOKEN_MS, locked, store};
use crate::base::ids::{ConversationId, new_key};
use crate::base::signing::{Keys, Purpose};
use crate::base::time::{DAY_MS, Timestamp};
use crate::contacts::Trust;
use crate::storage::db::Queries;

/// How long a link works.
pub const LINK_MS: i64 = 7 * DAY_MS;

/// How sure it can be who goes on by a link.
pub(super) const MOST_TRUST: Trust = Trust::Clicked;

/// A new link for a conversation; the one before opens nothing any more. None for one that is over.
pub(super) fn renew(conversation: &mut Conversation) {
    conversation.resume_key = (conversation.mode != Mode::Closed).then(new_key);
}

/// Where the newest link leads; none if there is no link.
pub fn path(keys: &Keys, conversation: &Conversation, now: Timestamp) -> Option<String> {
    let mut claims = Keys::claims(conversation.id.to_string(), now, now.plus_ms(LINK_MS));
    claims.nonce = conversation.resume_key.clone().filter(|_| conversation.mode != Mode::Closed)?;
    Some(format!("/chat/go/{}", keys.sign(Purpose::Resume, &claims)))
}

/// A link for whoever talks, to take along. The one before opens nothing any more.
///
/// # Errors
/// [`Error::Closed`], and [`Error::NotConfirmed`] on a device on which a link was followed.
pub async fn take_along(
    room: &Room,
    id: ConversationId,
    token: &str,
    now: Timestamp,
) -> Result<(String, Timestamp), Error> {
    renewable(room, token, now)?;
    let mut tx = room.stores.db.begin().await?;
    let mut conversation = locked(&mut tx, id).await?;
    renew(&mut conversation);
    let path = path(&room.keys, &conversation, now).ok_or(Error::Closed)?;
    let head = conversation.head;
    store::save(&mut tx, &conversation, head, now).await?;
    tx.commit().await?;
    Ok((path, now.plus_ms(LINK_MS)))
}

/// Makes the link worthless that its visitor has taken along, or was sent. Nothing happens where there is none.
///
/// # Errors
/// [`Error::NotConfirmed`] on a device on which a link was followed.
pub async fn take_back(room: &Room, id: ConversationId, token: &str, now: Timestamp) -> Result<(), Error> {
    renewable(room, token, now)?;
    match withdraw(room, id, now).await {
        Ok(()) | Err(Error::NotAllowed(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Links are made where the conversation began: a forwarded one would else live on by its own copies.
///
/// # Errors
/// [`Error::NotConfirmed`] on a device on which a link was followed.
fn renewable(room: &Room, token: &str, now: Timestamp) -> Result<(), Error> {
    if is_elsewhere(room, token, now) { Err(Error::NotConfirmed) } else { Ok(()) }
}

/// The conversation that a link leads to. Reads only.
///
/// # Errors
/// [`Error::TokenForged`], [`Error::TokenExpired`], [`Error::LinkWithdrawn`], [`Error::Closed`].
pub async fn find(
    q: &mut impl Queries,
    room: &Room,
    token: &str,
    now: Timestamp,
) -> Result<Conversation, Error> {
    let (id, key) = read(room, token, now)?;
    let conversation = store::find(q, id).await?.ok_or(Error::LinkWithdrawn)?;
    checked(&conversation, &key)?;
    Ok(conversation)
}

/// Opens the conversation on the device on which the link was followed.
///
/// # Errors
/// As [`find`].
pub async fn go_on(room: &Room, token: &str, now: Timestamp) -> Result<Opened, Error> {
    let (id, key) = read(room, token, now)?;
    let mut tx = room.stores.db.begin().await?;
    let mut conversation = match locked(&mut tx, id).await {
        Err(Error::Unknown) => return Err(Error::LinkWithdrawn),
        found => found?,
    };
    checked(&conversation, &key)?;
    if let Some(state) = &mut conversation.state {
        state.resumed = true;
    }
    let head = conversation.head;
    store::save(&mut tx, &conversation, head, now).await?;
    tx.commit().await?;
    // Without the visitor's id: this device is not hers because she reads her mail on it.
    let mut claims = Keys::claims(id.to_string(), now, now.plus_ms(TOKEN_MS));
    claims.language = Some(conversation.language);
    let token = room.keys.sign(Purpose::Conversation, &claims);
    let visitor = conversation.visitor;
    Ok(Opened { conversation, visitor, token, is_new: false, is_known: false })
}

/// Makes the link worthless.
///
/// # Errors
/// [`Error::NotAllowed`] if there is none.
pub async fn withdraw(room: &Room, id: ConversationId, now: Timestamp) -> Result<(), Error> {
    let mut tx = room.stores.db.begin().await?;
    let mut conversation = locked(&mut tx, id).await?;
    if conversation.resume_key.take().is_none() {
        return Err(Error::NotAllowed("there is no link to this conversation"));
    }
    let head = conversation.head;
    store::save(&mut tx, &conversation, head, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Whether a token was given to a device on which a link was followed.
pub fn is_elsewhere(room: &Room, token: &str, now: Timestamp) -> bool {
    room.keys.verify(Purpose::Conversation, token, now).is_ok_and(|claims| claims.visitor.is_none())
}

/// Whether a token was given to the device whose conversation it is: only that one is told who it is from now on, and asked.
/// Another one of the same person's (docs/decisions/0035) stays the visitor that it is.
pub fn is_its_own(room: &Room, token: &str, now: Timestamp) -> bool {
    let claims = room.keys.verify(Purpose::Conversation, token, now);
    claims.is_ok_and(|claims| claims.visitor.is_some() && claims.contact.is_none())
}

fn read(room: &Room, token: &str, now: Timestamp) -> Result<(ConversationId, String), Error> {
    let claims = room.keys.verify(Purpose::Resume, token, now)?;
    let id = ConversationId::parse(&claims.subject).map_err(|_| Error::TokenForged)?;
    Ok((id, claims.nonce))
}

fn checked(conversation: &Conversation, key: &str) -> Result<(), Error> {
    if conversation.mode == Mode::Closed {
        return Err(Error::Closed);
    }
    match conversation.resume_key.as_deref() == Some(key) {
        true => Ok(()),
        false => Err(Error::LinkWithdrawn),
    }
}
