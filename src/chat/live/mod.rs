//! What people of the company do in a conversation, beside talking: being there, speaking to a visitor first, being asked
//! in turn, passing it on, noting, answering with prepared words, sending it by mail; and what the visitor says about it afterwards.

pub mod approach;
pub mod learnt;
pub mod left;
pub mod notes;
pub mod presence;
pub mod rating;
pub mod replies;
pub mod routing;
mod store;
pub mod transcript;
pub mod transfer;
pub mod written;

use super::Conversation;
use crate::base::ids::{AccountId, ConversationId};
use crate::base::time::{SECOND_MS, Timestamp};
use crate::storage::Result;

pub use self::store::PERSONAL;

/// Whoever has a conversation open in the console says so every 15 s; this long it counts.
pub const LOOKING_MS: i64 = 40 * SECOND_MS;

/// The bus topic on which consoles hear of what visitors must not: notes, who else is looking.
pub fn desk_topic(id: ConversationId) -> String {
    format!("desk:{id}")
}

impl super::Room {
    /// Somebody of the company looks at a conversation.
    ///
    /// # Errors
    /// As the store says.
    pub async fn look(&self, id: ConversationId, account: AccountId, now: Timestamp) -> Result<()> {
        let is_news = !self.lookers(id, now).await.contains(&account);
        self.stores.hot.mark(&looking(id), &account.to_string(), now.plus_ms(LOOKING_MS)).await?;
        if is_news {
            self.stores.bus.publish(&desk_topic(id), "looking").await;
        }
        Ok(())
    }

    /// She looks elsewhere.
    ///
    /// # Errors
    /// As the store says.
    pub async fn look_away(&self, id: ConversationId, account: AccountId) -> Result<()> {
        self.stores.hot.unmark(&looking(id), &account.to_string()).await?;
        self.stores.bus.publish(&desk_topic(id), "looking").await;
        Ok(())
    }

    /// Whether somebody can be expected to answer in a conversation: she takes chats, or has this one before her.
    pub async fn is_with(&self, id: ConversationId, account: AccountId, now: Timestamp) -> bool {
        self.there(now).await.contains(&account) || self.lookers(id, now).await.contains(&account)
    }

    /// Who looks at a conversation.
    pub async fn lookers(&self, id: ConversationId, now: Timestamp) -> Vec<AccountId> {
        let marked = self.stores.hot.marked(&looking(id), now).await.unwrap_or_default();
        marked.iter().filter_map(|account| AccountId::parse(account).ok()).collect()
    }

    /// Wakes the consoles, and nobody else.
    async fn tell_desk(&self, conversation: &Conversation, what: &str) {
        self.stores.bus.publish(&desk_topic(conversation.id), what).await;
        self.stores.bus.publish(super::INBOX, &conversation.id.to_string()).await;
    }
}

fn looking(id: ConversationId) -> String {
    format!("looking:{id}")
}
