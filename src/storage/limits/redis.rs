//! Limits counted on Redis, so that all nodes count together; what addresses send is counted on each node.

use std::net::IpAddr;
use std::sync::LazyLock;

use async_trait::async_trait;

use super::{Limits, Local, Quota, TooMany};
use crate::base::time::Timestamp;
use crate::storage::redis::{Redis, Script};

/// GCRA: the record is the theoretical arrival time of the next request that would be one too many, and when that was
/// worked out. KEYS[1]; ARGV: now, milliseconds per request, burst. Answers the wait in milliseconds, 0 if allowed. If the
/// record was made later than now, the clock was put back since (a second is what nodes may differ by): it goes on from
/// where it was, and nobody waits for the old time to come again.
static GCRA: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"local now, step, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
          local arrival, seen = string.match(redis.call('get', KEYS[1]) or '0:0', '^([^:]+):?(.*)$')
          arrival, seen = tonumber(arrival), tonumber(seen) or 0
          local is_back = seen > now + 1000
          if is_back then arrival = now + arrival - seen end
          arrival = math.min(math.max(arrival, now), now + burst * step)
          local wait = arrival + step - burst * step - now
          if wait <= 0 then arrival = arrival + step end
          if wait <= 0 or is_back then
            local record = string.format('%.17g:%.17g', arrival, now)
            redis.call('set', KEYS[1], record, 'px', math.ceil(arrival - now) + 1000)
          end
          if wait > 0 then return math.ceil(wait) end
          return 0",
    )
});

/// The limits on Redis.
pub struct RedisLimits {
    redis: Redis,
    local: Local,
}

impl RedisLimits {
    /// Uses this connection.
    pub fn new(redis: Redis) -> Self {
        Self { redis, local: Local::default() }
    }

    /// Counts centrally; none if Redis does not answer.
    async fn counted(
        &self,
        bucket: &'static str,
        key: &str,
        quota: Quota,
        now: Timestamp,
    ) -> Option<Result<(), TooMany>> {
        let name = self.redis.keys.limit(bucket, key);
        let wait: redis::RedisResult<i64> = GCRA
            .run(&self.redis.connection, 1, |cmd| {
                cmd.arg(&name)
                    .arg(now.as_ms())
                    .arg(60_000.0 / f64::from(quota.per_minute.max(1)))
                    .arg(quota.burst.max(1));
            })
            .await;
        match wait {
            Ok(0) => Some(Ok(())),
            Ok(retry_after_ms) => Some(Err(TooMany { retry_after_ms })),
            Err(error) => {
                // The connection has warned once; this would be a line for every request.
                tracing::debug!(error = %error, "limits are counted on this node only: Redis does not answer");
                None
            }
        }
    }
}

#[async_trait]
impl Limits for RedisLimits {
    async fn check(
        &self,
        bucket: &'static str,
        key: &str,
        quota: Quota,
        now: Timestamp,
    ) -> Result<(), TooMany> {
        match self.counted(bucket, key, quota, now).await {
            Some(counted) => counted,
            None => self.local.check(bucket, key, quota, now).await,
        }
    }

    async fn check_address(
        &self,
        bucket: &'static str,
        address: IpAddr,
        quota: Quota,
        now: Timestamp,
    ) -> Result<(), TooMany> {
        // A script of its own for every hit was half of what Redis had to do, to stop what each node can stop by itself.
        self.local.check_address(bucket, address, quota, now).await
    }
}
