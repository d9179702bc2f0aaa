//! Limits counted in this process by `governor` (GCRA).

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use governor::clock::{Clock as GovernorClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota as GovernorQuota, RateLimiter, nanos::Nanos};

use super::{Limits, Quota, TooMany};
use crate::base::time::Timestamp;

/// The keys of a bucket are swept when this many checks were made since the last sweep.
const SWEEP_EVERY: u64 = 65_536;

/// Lets governor read our clock: the moment of the check that is being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(i64);

impl Reference for Moment {
    fn duration_since(&self, earlier: Self) -> Nanos {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        let ms = Duration::from(duration).as_millis();
        Self(self.0.saturating_sub(i64::try_from(ms).unwrap_or(i64::MAX)))
    }
}

impl std::ops::Add<Nanos> for Moment {
    type Output = Self;
    fn add(self, other: Nanos) -> Self {
        let ms = Duration::from(other).as_millis();
        Self(self.0.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)))
    }
}

#[derive(Debug, Clone, Default)]
struct SetClock(Arc<std::sync::atomic::AtomicI64>);

impl GovernorClock for SetClock {
    type Instant = Moment;
    fn now(&self) -> Moment {
        Moment(self.0.load(std::sync::atomic::Ordering::Relaxed))
    }
}

type Bucket = RateLimiter<String, DashMapStateStore<String>, SetClock, NoOpMiddleware<Moment>>;

/// The in-process limits.
#[derive(Default)]
pub struct Local {
    buckets: RwLock<HashMap<(&'static str, Quota), Arc<Bucket>>>,
    clock: SetClock,
    checks: std::sync::atomic::AtomicU64,
}

impl Local {
    fn bucket(&self, name: &'static str, quota: Quota) -> Arc<Bucket> {
        let known = self.buckets.read().unwrap_or_else(PoisonError::into_inner).get(&(name, quota)).cloned();
        known.unwrap_or_else(|| {
            let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
            let limiter = buckets.entry((name, quota)).or_insert_with(|| {
                let per_minute = NonZeroU32::new(quota.per_minute).unwrap_or(NonZeroU32::MIN);
                let burst = NonZeroU32::new(quota.burst).unwrap_or(NonZeroU32::MIN);
                let rate = GovernorQuota::per_minute(per_minute).allow_burst(burst);
                Arc::new(RateLimiter::new(rate, DashMapStateStore::default(), self.clock.clone()))
            });
            limiter.clone()
        })
    }
}

#[async_trait]
impl Limits for Local {
    async fn check(
        &self,
        bucket: &'static str,
        key: &str,
        quota: Quota,
        now: Timestamp,
    ) -> Result<(), TooMany> {
        use std::sync::atomic::Ordering::Relaxed;
        self.clock.0.store(now.as_ms(), Relaxed);
        let limiter = self.bucket(bucket, quota);
        if self.checks.fetch_add(1, Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            limiter.retain_recent();
        }
        limiter.check_key(&key.to_owned()).map_err(|refused| {
            let wait = refused.wait_time_from(Moment(now.as_ms())).as_millis();
            TooMany { retry_after_ms: i64::try_from(wait).unwrap_or(i64::MAX).max(1) }
        })
    }
}
