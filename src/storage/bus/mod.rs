//! The live bus: "something about X is new". Only a wake-up: whoever is woken reads the truth from the database, and
//! looks there from time to time anyway.

mod local;
mod redis;

use async_trait::async_trait;
use tokio::sync::broadcast;

pub use self::local::Local;
pub use self::redis::RedisBus;

/// One wake-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wake {
    /// What it is about, such as `conversation:0197…` or `inbox`.
    pub topic: String,
    /// A short text for those who show it at once (who is typing); never the truth.
    pub text: String,
}

/// Wakes whoever listens: in this process, or on all nodes through Redis.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Wakes everybody. Never fails: a lost wake-up costs time, not data.
    async fn publish(&self, topic: &str, text: &str);

    /// Every wake-up from now on. Whoever lags behind is told so and reads the truth again.
    fn subscribe(&self) -> broadcast::Receiver<Wake>;
}
