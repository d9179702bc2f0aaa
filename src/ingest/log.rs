//! Where hits are made durable before they are acknowledged, and where it is known which visit a hit belongs to.

use std::sync::Arc;

use async_trait::async_trait;

use super::Streamed;
use crate::hits::{self, Error, Recorded};
use crate::sessions::{Ongoing, OpenVisits};
use crate::storage::Stores;
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
pub fn log_of(stores: &Stores, visits: Arc<OpenVisits>) -> Arc<dyn HitLog> {
    let local = Local::new(stores.journal.clone(), visits);
    match &stores.streams {
        Some(streams) => Arc::new(Streamed::new(streams.clone(), local)),
        None => Arc::new(local),
    }
}

/// Who knows which visits go on.
pub fn ongoing_of(stores: &Stores, visits: Arc<OpenVisits>) -> Arc<dyn Ongoing> {
    match &stores.streams {
        Some(streams) => Arc::new(streams.clone()),
        None => visits,
    }
}

/// The log on this machine's disk; the visits that go on are known to this process.
pub struct Local {
    journal: Journal,
    visits: Arc<OpenVisits>,
}

impl Local {
    /// Appends to `journal`.
    pub fn new(journal: Journal, visits: Arc<OpenVisits>) -> Self {
        Self { journal, visits }
    }
}

#[async_trait]
impl HitLog for Local {
    async fn append(&self, mut hits: Vec<Recorded>) -> Result<(), Error> {
        for hit in &mut hits {
            hit.session = self.visits.attach(&hit.site, hit.visitor, hit.at);
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
