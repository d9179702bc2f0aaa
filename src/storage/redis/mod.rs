//! The connection to Redis that hot state, limits and the bus share, and every key we write there.

mod keys;

use std::time::Duration;

pub use keys::Keys;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};

use super::{Error, Result};

/// A connection that restores itself.
#[derive(Clone)]
pub struct Redis {
    /// Runs commands.
    pub connection: ConnectionManager,
    /// Opens further connections, for subscriptions.
    pub client: redis::Client,
    /// Names the keys.
    pub keys: Keys,
}

impl Redis {
    /// Connects to the server at `url`; every key and channel begins with `prefix`.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the server cannot be reached.
    pub async fn connect(url: &str, prefix: &str) -> Result<Self> {
        let client = redis::Client::open(url).map_err(|error| Error::Unavailable(error.to_string()))?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(2)))
            .set_response_timeout(Some(Duration::from_secs(2)));
        let connection = ConnectionManager::new_with_config(client.clone(), config).await?;
        Ok(Self { connection, client, keys: Keys::new(prefix) })
    }
}
