//! Hot state on Redis: one round trip a call.

use std::sync::LazyLock;

use async_trait::async_trait;
use redis::AsyncCommands;
use uuid::Uuid;

use super::{HotStore, Touched, TouchedId};
use crate::base::time::Timestamp;
use crate::storage::redis::{Redis, Script};
use crate::storage::{Error, Result};

/// Redis forgets a record this long after it has expired by our own clock, which is the one that counts.
const GRACE_MS: i64 = 60_000;

/// KEYS[1] the record; ARGV: proposal, now, ttl, grace. Answers {is_new, value, count, last_at or -1}.
static TOUCH: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"local found = redis.call('hmget', KEYS[1], 'value', 'count', 'last_at', 'expires')
          local now, ttl = tonumber(ARGV[2]), tonumber(ARGV[3])
          if found[1] and tonumber(found[4]) > now then
              local count, last_at = tonumber(found[2]) + 1, math.max(tonumber(found[3]), now)
              redis.call('hset', KEYS[1], 'count', count, 'last_at', last_at, 'expires', last_at + ttl)
              redis.call('pexpire', KEYS[1], ttl + tonumber(ARGV[4]))
              return {0, found[1], count, tonumber(found[3])}
          end
          redis.call('del', KEYS[1])
          redis.call('hset', KEYS[1], 'value', ARGV[1], 'count', 1, 'last_at', now, 'expires', now + ttl)
          redis.call('pexpire', KEYS[1], ttl + tonumber(ARGV[4]))
          return {1, ARGV[1], 1, -1}",
    )
});

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
    async fn touch(&self, key: &str, proposal: &str, now: Timestamp, ttl_ms: i64) -> Result<Touched> {
        let key = self.0.keys.record(key);
        let (is_new, value, count, last_at): (bool, String, i64, i64) = TOUCH
            .run(&self.0.connection, 1, |cmd| {
                cmd.arg(&key).arg(proposal).arg(now.as_ms()).arg(ttl_ms).arg(GRACE_MS);
            })
            .await?;
        Ok(Touched { value, is_new, count, last_at: (last_at >= 0).then_some(Timestamp(last_at)) })
    }

    async fn touch_id(&self, space: u64, member: u128, now: Timestamp, ttl_ms: i64) -> Result<TouchedId> {
        let touched =
            self.touch(&format!("{space:x}:{member:x}"), &Uuid::now_v7().to_string(), now, ttl_ms).await?;
        let id = Uuid::try_parse(&touched.value).map_err(|error| Error::Engine(error.to_string()))?;
        Ok(TouchedId { id, is_new: touched.is_new, count: touched.count })
    }

    async fn restore_id(&self, _: u64, _: u128, _: TouchedId, _: Timestamp, _: i64) -> Result<()> {
        // Redis outlives this process.
        Ok(())
    }

    async fn get(&self, key: &str, now: Timestamp) -> Result<Option<String>> {
        let (value, expires): (Option<String>, Option<i64>) =
            self.0.connection.clone().hmget(self.0.keys.record(key), &["value", "expires"]).await?;
        Ok(value.filter(|_| expires.is_some_and(|expires| expires > now.as_ms())))
    }

    async fn put(&self, key: &str, value: &str, now: Timestamp, ttl_ms: i64) -> Result<()> {
        let key = self.0.keys.record(key);
        redis::pipe()
            .atomic()
            .hset_multiple(&key, &[("value", value), ("count", "1")])
            .ignore()
            .hset_multiple(&key, &[("last_at", now.as_ms()), ("expires", now.plus_ms(ttl_ms).as_ms())])
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
