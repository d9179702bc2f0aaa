//! How often somebody may do something.

mod local;
mod redis;

use std::net::IpAddr;

use async_trait::async_trait;

pub use self::local::Local;
pub use self::redis::RedisLimits;

use crate::base::time::Timestamp;

/// A rate: `burst` at once, refilled at `per_minute`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota {
    /// How many are allowed per minute in the long run; at least 1.
    pub per_minute: u32,
    /// How many are allowed at once; at least 1.
    pub burst: u32,
}

/// Too often. Trying again makes sense after this many milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many requests; try again in {retry_after_ms} ms")]
pub struct TooMany {
    /// Milliseconds until one more is allowed; at least 1.
    pub retry_after_ms: i64,
}

impl crate::base::coded::Coded for TooMany {
    fn code(&self) -> &'static str {
        "limit.too_many"
    }

    fn extras(&self) -> Vec<(&'static str, serde_json::Value)> {
        vec![("retry_after_ms", self.retry_after_ms.into())]
    }
}

/// Counts what is done: in this process, or on Redis for many nodes. Fails open: a limit that cannot be counted centrally
/// is counted locally.
#[async_trait]
pub trait Limits: Send + Sync {
    /// Counts one use of `bucket` by `key`.
    ///
    /// # Errors
    /// [`TooMany`] if it is one too many.
    async fn check(
        &self,
        bucket: &'static str,
        key: &str,
        quota: Quota,
        now: Timestamp,
    ) -> Result<(), TooMany>;

    /// As [`check`](Limits::check) for what an address does, of which there is very much: each node counts for itself.
    ///
    /// # Errors
    /// [`TooMany`] if it is one too many.
    async fn check_address(
        &self,
        bucket: &'static str,
        address: IpAddr,
        quota: Quota,
        now: Timestamp,
    ) -> Result<(), TooMany>;
}
