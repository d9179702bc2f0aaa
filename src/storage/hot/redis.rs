//! Hot state on Redis: one round trip a call.

use async_trait::async_trait;
use redis::AsyncCommands;

use super::HotStore;
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::redis::Redis;

/// Redis forgets a record this long after it has expired by our own clock, which is the one that counts.
const GRACE_MS: i64 = 60_000;

/// The store on Redis.
pub struct RedisHot(Redis);

impl RedisHot {
    /// Uses this connection.
    pub fn new(redis: Redis) -> Self {
        Self(redis)
    }
}

#[async_trait]
impl HotStore for RedisHot {
    async fn get(&self, key: &str, now: Timestamp) -> Result<Option<String>> {
        let (value, expires): (Option<String>, Option<i64>) =
            self.0.connection.clone().hmget(self.0.keys.record(key), &["value", "expires"]).await?;
        Ok(value.filter(|_| expires.is_some_and(|expires| expires > now.as_ms())))
    }

    async fn put(&self, key: &str, value: &str, now: Timestamp, ttl_ms: i64) -> Result<()> {
        let key = self.0.keys.record(key);
        redis::pipe()
            .atomic()
            .hset(&key, "value", value)
            .ignore()
            .hset(&key, "expires", now.plus_ms(ttl_ms).as_ms())
            .ignore()
            .pexpire(&key, ttl_ms.saturating_add(GRACE_MS))
            .ignore()
            .query_async::<()>(&mut self.0.connection.clone())
            .await?;
        Ok(())
    }

    async fn remove(&self, key: &str) -> Result<()> {
        Ok(self.0.connection.clone().del(self.0.keys.record(key)).await?)
    }

    async fn mark(&self, set: &str, member: &str, until: Timestamp) -> Result<()> {
        Ok(self.0.connection.clone().zadd(self.0.keys.marks(set), member, until.as_ms()).await?)
    }

    async fn unmark(&self, set: &str, member: &str) -> Result<()> {
        Ok(self.0.connection.clone().zrem(self.0.keys.marks(set), member).await?)
    }

    async fn marked(&self, set: &str, now: Timestamp) -> Result<Vec<String>> {
        let key = self.0.keys.marks(set);
        let (mut names,): (Vec<String>,) = redis::pipe()
            .atomic()
            .zrembyscore(&key, "-inf", now.as_ms())
            .ignore()
            .zrange(&key, 0, -1)
            .query_async(&mut self.0.connection.clone())
            .await?;
        names.sort_unstable();
        Ok(names)
    }
}
