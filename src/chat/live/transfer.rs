//! A conversation changes hands: passed on to a colleague with a note, or taken up where somebody has left.

use super::super::turn::Turning;
use super::super::{Agent, Conversation, Error, Room, hers, locked, store as conversations, suggest};
use super::notes::{self, Writing};
use crate::accounts::{self, May};
use crate::base::ids::{AccountId, ConversationId, new_key};
use crate::base::time::Timestamp;
use crate::chat::body::{Author, Body, Face, Mode};
use crate::events::{self, Event};
use crate::storage::db::Tx;

/// Passes a conversation on to a colleague who is there. The note, which may be empty, is for her.
///
/// # Errors
/// [`Error::NotAllowed`] unless this person has the conversation and the other one is there and takes chats.
pub async fn transfer(
    room: &Room,
    id: ConversationId,
    agent: &Agent,
    to: AccountId,
    note: &str,
    now: Timestamp,
) -> Result<Conversation, Error> {
    let is_there = room.there(now).await.contains(&to);
    let mut tx = room.stores.db.begin().await?;
    let mut conversation = locked(&mut tx, id).await?;
    hers(&conversation, agent)?;
    let colleague = accounts::find(&mut tx, to).await?.filter(|colleague| colleague.disabled_at.is_none());
    let colleague = colleague.filter(|colleague| colleague.role.may(May::Chat) && colleague.id != agent.id);
    let colleague = colleague.ok_or(Error::NotAllowed("this colleague takes no chats"))?;
    if !is_there {
        return Err(Error::NotAllowed("this colleague is away"));
    }
    if !note.trim().is_empty() {
        let writing = Writing { account: agent.id, to: Some(to), client_id: &new_key(), text: note };
        notes::write(&mut tx, &conversation, &writing, now).await?;
    }
    let colleague = Agent { id: colleague.id, name: colleague.name };
    hand_to(room, &mut tx, &mut conversation, &colleague, now).await?;
    let event = Event::HandoffOffered {
        conversation: id,
        contact: conversation.contact,
        account: Some(to),
        by: Some(agent.id),
    };
    events::append(&mut tx, &event, now).await?;
    tx.commit().await?;
    room.tell(&conversation).await;
    Ok(conversation)
}

/// Takes a conversation up from somebody who is not there any more.
pub(in crate::chat) async fn step_in(
    room: &Room,
    tx: &mut Tx,
    conversation: &mut Conversation,
    agent: &Agent,
    now: Timestamp,
) -> Result<(), Error> {
    if let Some(other) = &conversation.agent
        && room.is_with(conversation.id, other.id, now).await
    {
        return Err(Error::NotAllowed("somebody else has taken this conversation"));
    }
    hand_to(room, tx, conversation, agent, now).await
}

/// From now on it is hers, and the visitor sees who has joined.
async fn hand_to(
    room: &Room,
    tx: &mut Tx,
    conversation: &mut Conversation,
    agent: &Agent,
    now: Timestamp,
) -> Result<(), Error> {
    let old_head = conversation.head;
    conversation.agent = Some(agent.clone());
    if let Some(state) = &mut conversation.state {
        state.agent = Some(agent.name.clone());
    }
    let face = Face::of(&agent.name);
    let mut turning: Turning<'_> = suggest::turning(room, tx, conversation, &[], now).await?;
    let joined = Body::Status { mode: Mode::Human, agent: Some(face), text: None };
    turning.append(Author::System, joined, None, None).await?;
    conversations::save(tx, conversation, old_head, now).await?;
    Ok(())
}
