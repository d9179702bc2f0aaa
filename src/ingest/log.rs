//! Where hits are made durable before they are acknowledged, and where it is known which visit a hit belongs to.

use std::sync::Arc;

use async_trait::async_trait;

use super::Streamed;
use crate::base::ids::SessionId;
use crate::hits::{self, Error, Recorded};
use crate::sessions;
use crate::storage::Stores;
use crate::storage::hot::HotStore;
use crate::storage::journal::Journal;

/// Takes hits; returns when they are safe.
#[async_trait]
pub trait HitLog: Send + Sync {
    /// Gives each hit of one request its visit and appends them.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if they are not safe, because too many wait or the store failed.
    async fn append(&self, hits: Vec<Recorded>) -> Result<(), Error>;
}

/// The log that these stores have: Redis where there is one, else this machine's disk.
pub fn log_of(stores: &Stores) -> Arc<dyn HitLog> {
    match &stores.streams {
        Some(streams) => Arc::new(Streamed::new(streams.clone(), stores.journal.clone())),
        None => Arc::new(Local::new(stores.journal.clone(), stores.hot.clone())),
    }
}

/// The log on this machine's disk; the visits that go on are wherever `hot` keeps them.
pub struct Local {
    journal: Journal,
    hot: Arc<dyn HotStore>,
}

impl Local {
    /// Appends to `journal`.
    pub fn new(journal: Journal, hot: Arc<dyn HotStore>) -> Self {
        Self { journal, hot }
    }
}

#[async_trait]
impl HitLog for Local {
    async fn append(&self, mut hits: Vec<Recorded>) -> Result<(), Error> {
        for hit in &mut hits {
            hit.session = match sessions::attach(self.hot.as_ref(), &hit.site, hit.visitor, hit.at).await {
                Ok(session) => session.id,
                Err(error) => {
                    // A visit of its own is a small untruth; a lost hit would be a larger one.
                    tracing::warn!(error = %error, "a hit got a visit of its own: hot state does not answer");
                    SessionId::new()
                }
            };
        }
        let record = hits::pack(&hits).map_err(|error| {
            tracing::error!(error, "hits could not be packed");
            Error::Unavailable
        })?;
        self.journal.append(record).await.map_err(|error| {
            tracing::error!(error = %error, "hits could not be stored");
            Error::Unavailable
        })
    }
}
