//! State that is read and written often and may be lost: presence, small caches.
//!
//! Times are given by the caller, so that a moved clock moves this store too.

mod memory;
mod redis;

use async_trait::async_trait;

pub use self::memory::Memory;
pub use self::redis::RedisHot;

use super::Result;
use crate::base::time::Timestamp;

/// Where hot state is kept: in this process, or on Redis for many nodes.
#[async_trait]
pub trait HotStore: Send + Sync {
    /// The value under `key`, if it has not expired.
    async fn get(&self, key: &str, now: Timestamp) -> Result<Option<String>>;

    /// Puts a value under `key` for `ttl_ms`.
    async fn put(&self, key: &str, value: &str, now: Timestamp, ttl_ms: i64) -> Result<()>;

    /// Removes what stands under `key`.
    async fn remove(&self, key: &str) -> Result<()>;

    /// Marks `member` as present in `set` until `until`.
    async fn mark(&self, set: &str, member: &str, until: Timestamp) -> Result<()>;

    /// Takes `member` out of `set`.
    async fn unmark(&self, set: &str, member: &str) -> Result<()>;

    /// Who is present in `set`, in order of name.
    async fn marked(&self, set: &str, now: Timestamp) -> Result<Vec<String>>;
}
