//! Mails about calls that did not go out because nothing goes to their address. When it is written to again they go, as far
//! as the call still lies ahead and stands as they tell it.

use super::queue;
use crate::base::email::Email;
use crate::base::ids::JobId;
use crate::base::time::Timestamp;
use crate::notify::{self, Desk, Work};
use crate::storage;
use crate::storage::db::Tx;
use crate::subscriptions::{self, suppression};

/// What waits for an address to be written to again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    address: Email,
    mails: Vec<JobId>,
}

/// What was done when an address was let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Released {
    /// Reasons that were taken back.
    pub reasons: usize,
    /// Mails about calls that go out now.
    pub mails: usize,
}

impl Held {
    /// Looks for what would go to an address now if it were written to: what tells of something that has changed since, or
    /// is said by a later mail, is not among it.
    ///
    /// # Errors
    /// As the store says.
    pub async fn find(desk: &Desk, address: &Email, now: Timestamp) -> storage::Result<Self> {
        let mut mails = Vec::new();
        for kept in queue::kept(&mut desk.stores.db.read(), now).await? {
            let Ok(Work::Mail { mail }) = serde_json::from_value::<Work>(kept.payload) else { continue };
            match notify::addressee(desk, &kept.id.to_string(), &mail, now).await {
                Ok(Some(to)) if to == *address => mails.push(kept.id),
                Err(notify::Error::Storage(error)) => return Err(error),
                // Another's, or what cannot be written: its line in the outbox says why.
                Ok(_) | Err(_) => {}
            }
        }
        Ok(Self { address: address.clone(), mails })
    }

    /// Writes to the address again, whatever bounced or was blocked by hand, and puts what waited for that on its way.
    ///
    /// # Errors
    /// As the store says.
    pub async fn release(
        &self,
        tx: &mut Tx,
        desk: &Desk,
        now: Timestamp,
    ) -> Result<Released, subscriptions::Error> {
        let reasons = suppression::release_blocks(tx, &desk.keys, &self.address).await?;
        let mut mails = 0;
        for id in &self.mails {
            mails += usize::from(queue::take_up(tx, *id, now).await?);
        }
        Ok(Released { reasons, mails })
    }
}
