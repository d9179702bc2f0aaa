//! What a person of the team learns of a stranger while they talk: her address and her name. Both are her claim, taken
//! down by somebody else: nothing that is stored about the address is shown for it, and a name that was confirmed stays.

use super::super::{Agent, Error, Room, locked, store, suggest};
use crate::base::email::Email;
use crate::base::ids::{ContactId, ConversationId};
use crate::base::time::Timestamp;
use crate::contacts::{self, Trust};
use crate::storage::db::Tx;

/// Where the contact's fields say that they come from.
const SOURCE: &str = "agent";

/// What was learnt.
#[derive(Clone, Copy, Debug)]
pub struct Learnt<'a> {
    pub email: &'a str,
    /// Both may be empty.
    pub first_name: &'a str,
    pub last_name: &'a str,
}

/// Writes it down in the caller's transaction: from now on the conversation is the contact's.
///
/// # Errors
/// [`Error::MessageInvalid`] for what is no address, [`Error::NotAllowed`] if the conversation has a contact already.
pub async fn write_down(
    room: &Room,
    tx: &mut Tx,
    id: ConversationId,
    agent: &Agent,
    learnt: Learnt<'_>,
    now: Timestamp,
) -> Result<ContactId, Error> {
    let email =
        Email::parse(learnt.email.trim()).map_err(|error| Error::MessageInvalid(error.to_string()))?;
    let mut conversation = locked(tx, id).await?;
    if conversation.contact.is_some() {
        return Err(Error::NotAllowed("this conversation has an address already"));
    }
    let head = conversation.head;
    if let Some(state) = &mut conversation.state {
        // What was known of whoever the device belonged to is not hers.
        for name in std::mem::take(&mut state.recalled) {
            state.vars.remove(&name);
        }
        state.email_given = true;
    }
    let mut turning = suggest::turning(room, tx, &mut conversation, &[], now).await?;
    turning.identify(&email, Some(agent.id)).await?;
    let contact = conversation.contact.ok_or(Error::NotAllowed("the address cannot be kept"))?;
    for (field, value) in [("first_name", learnt.first_name), ("last_name", learnt.last_name)] {
        let value = contacts::name_of(value);
        contacts::set_field(tx, contact, field, &value, SOURCE, Trust::Claimed, now).await?;
    }
    store::save(tx, &conversation, head, now).await?;
    Ok(contact)
}

impl Room {
    /// Tells whoever has the conversation open that something about it has changed.
    pub async fn tell_of(&self, id: ConversationId) {
        if let Ok(Some(conversation)) = store::find(&mut self.stores.db.read(), id).await {
            self.tell(&conversation).await;
        }
    }
}
