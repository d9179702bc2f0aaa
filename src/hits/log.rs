//! Where hits are made durable before they are acknowledged.

use async_trait::async_trait;

use super::{Error, Recorded};
use crate::storage::journal::{Group, Journal};

/// Appends hits; returns when they are safe.
#[async_trait]
pub trait HitLog: Send + Sync {
    /// Appends hits of one request.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if they are not safe, because too many wait or the store failed.
    async fn append(&self, hits: Vec<Recorded>) -> Result<(), Error>;
}

#[async_trait]
impl HitLog for Journal {
    async fn append(&self, hits: Vec<Recorded>) -> Result<(), Error> {
        let bytes = postcard::to_allocvec(&hits).map_err(|error| {
            tracing::error!(error = %error, "hits could not be packed");
            Error::Unavailable
        })?;
        Journal::append(self, bytes).await.map_err(|error| {
            tracing::error!(error = %error, "hits could not be stored");
            Error::Unavailable
        })
    }
}

/// The hits of a journal's group, in order. A record that cannot be read is told and passed over: it would stop all others.
pub fn unpack(group: &Group) -> Vec<Recorded> {
    let mut hits = Vec::with_capacity(group.records.len());
    for record in &group.records {
        match postcard::from_bytes::<Vec<Recorded>>(record) {
            Ok(some) => hits.extend(some),
            Err(error) => {
                tracing::error!(group = group.seq, error = %error, "a record of the journal cannot be read")
            }
        }
    }
    hits
}
