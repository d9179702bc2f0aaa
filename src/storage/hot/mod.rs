//! State that is read and written on nearly every request and may be lost: sessions, presence, small caches.
//!
//! Times are given by the caller, so that a moved clock moves this store too.

mod memory;
mod redis;

use async_trait::async_trait;
use uuid::Uuid;

pub use self::memory::Memory;
pub use self::redis::RedisHot;

use super::Result;
use crate::base::time::Timestamp;

/// A record that lives as long as it is touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// What the record holds: the caller's proposal if it was new, else what stood there.
    pub value: String,
    /// Whether it was new.
    pub is_new: bool,
    /// How often it was touched, this time included.
    pub count: i64,
    /// When it was touched before, if it was.
    pub last_at: Option<Timestamp>,
}

/// A record that is only an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TouchedId {
    pub id: Uuid,
    /// Whether it was new.
    pub is_new: bool,
    /// How often it was touched, this time included.
    pub count: i64,
}

/// Where hot state is kept: in this process, or on Redis for many nodes.
#[async_trait]
pub trait HotStore: Send + Sync {
    /// Touches the record `key`: it lives `ttl_ms` longer; if there was none it begins with `proposal`. One atomic step.
    async fn touch(&self, key: &str, proposal: &str, now: Timestamp, ttl_ms: i64) -> Result<Touched>;

    /// As [`touch`](HotStore::touch) for records that are only an id, of which there are very many: `space` and `member`
    /// name the record; a new one draws its id.
    async fn touch_id(&self, space: u64, member: u128, now: Timestamp, ttl_ms: i64) -> Result<TouchedId>;

    /// The id of such a record, if it has not expired. Does not touch it.
    async fn peek_id(&self, space: u64, member: u128, now: Timestamp) -> Result<Option<Uuid>>;

    /// Puts back what is known of such a record from elsewhere, unless the store knows better.
    async fn restore_id(
        &self,
        space: u64,
        member: u128,
        known: TouchedId,
        last_at: Timestamp,
        ttl_ms: i64,
    ) -> Result<()>;

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
