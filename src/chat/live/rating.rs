//! Whether the visitor was content: asked when a conversation with a person is over, answered once.

use serde::{Deserialize, Serialize};

use super::super::turn::Turning;
use super::super::{Error, Room, locked, store as conversations, suggest};
use super::store;
use crate::base::ids::ConversationId;
use crate::base::time::Timestamp;
use crate::chat::body::{Author, Body, Mode};
use crate::chat::log::Entry;
use crate::chat::phrases::Phrase;

/// Longest comment, in characters.
pub const COMMENT_LENGTH: usize = 500;

/// What the visitor says: from 1 (not at all) to 5 (very much).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rating {
    pub score: i64,
    #[serde(default)]
    pub comment: Option<String>,
}

/// Puts the question into the log of a conversation that has just been closed, if a person has talked in it.
pub(in crate::chat) async fn ask(turning: &mut Turning<'_>) -> Result<(), Error> {
    if !store::has_talked(turning.tx, turning.conversation.id).await? {
        return Ok(());
    }
    let text = Phrase::HowWasIt.text(turning.conversation.language).to_owned();
    turning.append(Author::System, Body::Satisfaction { text }, None, None).await
}

/// Takes the visitor's answer. The same answer again changes nothing.
///
/// # Errors
/// [`Error::MessageInvalid`], [`Error::NotAllowed`] if nothing was asked or another answer was given.
pub async fn rate(
    room: &Room,
    id: ConversationId,
    rating: &Rating,
    now: Timestamp,
) -> Result<Option<Entry>, Error> {
    let comment = rating.comment.as_deref().map(str::trim).filter(|comment| !comment.is_empty());
    if !(1..=5).contains(&rating.score) {
        return Err(Error::MessageInvalid("score is from 1 to 5".to_owned()));
    }
    if comment.is_some_and(|comment| comment.chars().count() > COMMENT_LENGTH) {
        return Err(Error::MessageInvalid(format!("at most {COMMENT_LENGTH} characters")));
    }
    let mut tx = room.stores.db.begin().await?;
    let mut conversation = locked(&mut tx, id).await?;
    if conversation.mode != Mode::Closed || !store::has_talked(&mut tx, id).await? {
        return Err(Error::NotAllowed("nothing was asked"));
    }
    if let Some(before) = store::rating(&mut tx, id).await? {
        let is_same = before.score == rating.score && before.comment.as_deref() == comment;
        return if is_same { Ok(None) } else { Err(Error::NotAllowed("this was answered already")) };
    }
    let account = conversation.agent.as_ref().map(|agent| agent.id);
    store::insert_rating(&mut tx, id, account, rating.score, comment, now).await?;
    let old_head = conversation.head;
    let mut turning = suggest::turning(room, &mut tx, &mut conversation, &[], now).await?;
    let body = Body::Rated { score: rating.score, comment: comment.map(str::to_owned) };
    turning.append(Author::Visitor, body, None, None).await?;
    let entry = turning.appended.pop();
    conversations::save(&mut tx, &conversation, old_head, now).await?;
    tx.commit().await?;
    room.tell(&conversation).await;
    Ok(entry)
}
