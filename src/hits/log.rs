//! The durable log of hits: whoever appends is answered when the hit is on disk.
//!
//! One writer gathers whatever has come while the last batch was being written, and commits it at once (group commit), so
//! that a flush of the disk is shared by all hits that wait for it.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::{Error, Recorded, store};
use crate::storage::db::Db;

/// Hits that may wait for the writer; beyond it the collector says 503.
const WAITING_MOST: usize = 8_192;
/// Hits in one transaction.
const BATCH_MOST: usize = 2_000;

struct Entry {
    hits: Vec<Recorded>,
    done: oneshot::Sender<Result<(), Error>>,
}

/// Appends to the log.
#[derive(Clone)]
pub struct HitLog(mpsc::Sender<Entry>);

impl HitLog {
    /// Starts the writer. It waits `gather` for more hits before each batch; zero writes at once what has come.
    pub fn start(db: Db, gather: Duration) -> Self {
        let (sender, entries) = mpsc::channel(WAITING_MOST);
        tokio::spawn(write(db, gather, entries));
        Self(sender)
    }

    /// Appends hits; returns when they are on disk.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if they are not, because too many wait or the store failed.
    pub async fn append(&self, hits: Vec<Recorded>) -> Result<(), Error> {
        let (done, written) = oneshot::channel();
        self.0.try_send(Entry { hits, done }).map_err(|_| Error::Unavailable)?;
        written.await.map_err(|_| Error::Unavailable)?
    }
}

async fn write(db: Db, gather: Duration, mut entries: mpsc::Receiver<Entry>) {
    while let Some(first) = entries.recv().await {
        if !gather.is_zero() {
            tokio::time::sleep(gather).await;
        }
        let mut waiting = vec![first.done];
        let mut hits = first.hits;
        while hits.len() < BATCH_MOST
            && let Ok(entry) = entries.try_recv()
        {
            hits.extend(entry.hits);
            waiting.push(entry.done);
        }
        let outcome = store::append(&db, hits).await.map_err(|error| {
            tracing::error!(error = %error, "hits could not be stored");
            Error::Unavailable
        });
        for done in waiting {
            // Fails only if the client has gone.
            drop(done.send(outcome.clone()));
        }
    }
}
