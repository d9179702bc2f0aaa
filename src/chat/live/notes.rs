//! Notes that the company's people write for one another. They stand in a table of their own and never in the log, so
//! that nothing which reads the log for a visitor can show them.

use serde::Serialize;

use super::super::{Conversation, Error, Room, locked};
use super::store;
use crate::base::ids::{AccountId, ConversationId};
use crate::base::time::Timestamp;
use crate::storage::db::{Queries, Tx};

/// Longest note, in characters.
pub const NOTE_LENGTH: usize = 2_000;

/// A note as it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    pub id: String,
    /// After which entry of the log it was written.
    pub after_seq: i64,
    /// Who wrote it.
    pub name: String,
    /// Whom it was written to when the conversation was passed on.
    pub to: Option<String>,
    pub text: String,
    pub at: Timestamp,
}

/// A note as it is written.
pub(super) struct Writing<'a> {
    pub account: AccountId,
    pub to: Option<AccountId>,
    pub client_id: &'a str,
    pub text: &'a str,
}

/// Writes a note. The same under the same id is written once.
///
/// # Errors
/// [`Error::Unknown`], [`Error::MessageInvalid`] if it is empty or too long.
pub async fn note(
    room: &Room,
    id: ConversationId,
    account: AccountId,
    client_id: &str,
    text: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let mut tx = room.stores.db.begin().await?;
    let conversation = locked(&mut tx, id).await?;
    write(&mut tx, &conversation, &Writing { account, to: None, client_id, text }, now).await?;
    tx.commit().await?;
    room.tell_desk(&conversation, "note").await;
    Ok(())
}

pub(super) async fn write(
    tx: &mut Tx,
    conversation: &Conversation,
    writing: &Writing<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    let text = writing.text.trim();
    if text.is_empty() {
        return Err(Error::MessageInvalid("the note is empty".to_owned()));
    }
    if text.chars().count() > NOTE_LENGTH {
        return Err(Error::MessageInvalid(format!("at most {NOTE_LENGTH} characters")));
    }
    let writing = Writing { text, ..*writing };
    Ok(store::insert_note(tx, conversation.id, conversation.head, &writing, now).await?)
}

/// The notes of a conversation, the earliest first.
///
/// # Errors
/// As the store says.
pub async fn notes(q: &mut impl Queries, id: ConversationId) -> crate::storage::Result<Vec<Note>> {
    store::notes(q, id).await
}
