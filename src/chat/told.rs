//! Conversations that are kept as they are told, and not held: those of the sample data.

use super::body::{Author, Body, Mode};
use super::log::{Byline, Entry};
use super::{Conversation, Page, store};
use crate::base::ids::{ContactId, ConversationId, VisitorId};
use crate::base::language::Language;
use crate::base::time::{SECOND_MS, Timestamp};
use crate::storage;
use crate::storage::db::Tx;

/// Between two lines.
const PAUSE_MS: i64 = 25 * SECOND_MS;

/// A conversation that is over.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    pub site: &'a str,
    pub visitor: VisitorId,
    pub contact: Option<ContactId>,
    pub language: Language,
    pub time_zone: &'a str,
    pub outcome: &'a str,
    pub lines: &'a [(Author, &'a str)],
}

/// Keeps a conversation that began at a moment. Nobody hears of it: no fact is appended.
///
/// # Errors
/// As the store says.
pub async fn keep_told(tx: &mut Tx, told: &Told<'_>, at: Timestamp) -> storage::Result<ConversationId> {
    let mut conversation = Conversation {
        id: ConversationId::new(),
        site: told.site.to_owned(),
        visitor: told.visitor,
        contact: told.contact,
        flow: None,
        language: told.language,
        time_zone: told.time_zone.to_owned(),
        page: Page { url: String::new(), title: String::new(), returning: false },
        mode: Mode::Closed,
        state: None,
        head: 0,
        visitor_read: 0,
        agent_read: 0,
        wake_at: None,
        agent: None,
        outcome: Some(told.outcome.to_owned()),
        opened_at: at,
        updated_at: at,
        closed_at: None,
        resume_key: None,
    };
    store::insert(tx, &conversation).await?;
    let mut last = at;
    for ((author, text), seq) in told.lines.iter().zip(1_i64..) {
        last = at.plus_ms(seq * PAUSE_MS);
        let entry = Entry {
            seq,
            at: last,
            author: Byline { kind: *author, name: None },
            client_id: None,
            body: Body::Text { text: (*text).to_owned(), typing_ms: None },
        };
        store::append(tx, conversation.id, &entry, None, None).await?;
        conversation.head = seq;
    }
    conversation.closed_at = Some(last);
    store::save(tx, &conversation, 0, last).await?;
    Ok(conversation.id)
}

/// Takes such a conversation away; one that went with its contact is gone already.
///
/// # Errors
/// As the store says.
pub async fn forget_told(tx: &mut Tx, id: ConversationId) -> storage::Result<()> {
    store::forget(tx, id).await
}
