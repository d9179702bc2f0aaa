//! Questions that were left when nobody was there. They stand in the inbox until somebody says that they are answered.

use super::super::{Conversation, Error, Room, locked};
use super::store;
use crate::base::ids::{AccountId, ConversationId};
use crate::base::time::Timestamp;
use crate::storage::db::Tx;

/// Longest question that is kept beside the log, in characters.
const QUESTION_LENGTH: usize = 500;

/// A visitor leaves a question. A later one in the same conversation takes its place and is open again.
pub(in crate::chat) async fn leave(
    tx: &mut Tx,
    conversation: &Conversation,
    question: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let question: String = question.trim().chars().take(QUESTION_LENGTH).collect();
    Ok(store::leave(tx, conversation.id, &question, now).await?)
}

/// Somebody has answered it, by mail or telephone.
///
/// # Errors
/// [`Error::Unknown`], [`Error::NotAllowed`] if nothing waits for an answer.
pub async fn answered(
    room: &Room,
    id: ConversationId,
    account: AccountId,
    now: Timestamp,
) -> Result<(), Error> {
    let mut tx = room.stores.db.begin().await?;
    let conversation = locked(&mut tx, id).await?;
    if !store::answer_left(&mut tx, id, account, now).await? {
        return Err(Error::NotAllowed("nothing waits for an answer here"));
    }
    tx.commit().await?;
    room.tell_desk(&conversation, "answered").await;
    Ok(())
}
