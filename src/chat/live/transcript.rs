//! A conversation by mail. It goes to the address of the contact and nowhere else: the visitor may ask for it on a device
//! that is confirmed to be hers; below that, somebody of the company who talked with her decides, at her request. The mail
//! of a conversation that is open has the link by which it goes on elsewhere (`chat/resume.rs`).

use super::super::{Agent, Error, Room, locked, resume, store as conversations};
use super::store;
use crate::base::ids::ConversationId;
use crate::base::time::Timestamp;
use crate::contacts;
use crate::events::{self, Event};
use crate::subscriptions::suppression;

/// Who asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By<'a> {
    Visitor,
    /// Somebody of the company; `asked`: the visitor has asked her for it.
    Agent {
        agent: &'a Agent,
        asked: bool,
    },
}

/// Has the conversation so far sent by mail.
///
/// # Errors
/// [`Error::NotAllowed`] if there is no address, nothing was said, or it is not certain that the address is the
/// visitor's and nobody vouches for it; [`Error::HeldBack`] if nothing goes to the address.
pub async fn send(room: &Room, id: ConversationId, by: By<'_>, now: Timestamp) -> Result<(), Error> {
    let mut tx = room.stores.db.begin().await?;
    let mut conversation = locked(&mut tx, id).await?;
    let holder = contacts::holder(&mut tx, conversation.visitor).await?;
    let account = match by {
        By::Visitor => {
            let is_hers = holder.as_ref().is_some_and(|(contact, trust)| {
                trust.may_see_stored() && Some(contact.id) == conversation.contact
            });
            if !is_hers {
                return Err(Error::NotConfirmed);
            }
            None
        }
        By::Agent { asked: false, .. } => {
            return Err(Error::NotAllowed("send it only if the visitor asked for it"));
        }
        By::Agent { agent, asked: true } => Some(agent.id),
    };
    let contact = conversation.contact.ok_or(Error::NotAllowed("there is no e-mail address yet"))?;
    if !store::has_words(&mut tx, id).await? {
        return Err(Error::NotAllowed("nothing was said yet"));
    }
    if suppression::holds_answers(&mut tx, &room.keys, contact, now).await? {
        return Err(Error::HeldBack);
    }
    let event = Event::TranscriptAsked { conversation: id, contact, up_to: conversation.head, by: account };
    events::append(&mut tx, &event, now).await?;
    let head = conversation.head;
    resume::renew(&mut conversation);
    conversations::save(&mut tx, &conversation, head, now).await?;
    tx.commit().await?;
    Ok(())
}
