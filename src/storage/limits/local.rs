//! Limits counted in this process by `governor` (GCRA).

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
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

/// A step back by less than this is two threads that looked at the clock one after the other.
const STEP_MS: i64 = 1_000;

/// Time that only goes on: where the clock of the machine is put back, it goes on from where it was, so that nobody waits
/// for the old time to come again.
#[derive(Debug, Default)]
struct Hands {
    /// The latest time that the machine's clock showed since it was put back the last time.
    seen: AtomicI64,
    /// By how much it was put back in all.
    lost: AtomicI64,
}

#[derive(Debug, Clone, Default)]
struct SetClock(Arc<Hands>);

impl SetClock {
    fn set(&self, now: i64) {
        let Hands { seen, lost } = &*self.0;
        let before = seen.load(Relaxed);
        if before.saturating_sub(now) <= STEP_MS {
            seen.fetch_max(now, Relaxed);
        } else if seen.compare_exchange(before, now, Relaxed, Relaxed).is_ok() {
            // One of those who see it notes it.
            lost.fetch_add(before - now, Relaxed);
        }
    }
}

impl GovernorClock for SetClock {
    type Instant = Moment;
    fn now(&self) -> Moment {
        Moment(self.0.seen.load(Relaxed).saturating_add(self.0.lost.load(Relaxed)))
    }
}

type Bucket<K> = RateLimiter<K, DashMapStateStore<K>, SetClock, NoOpMiddleware<Moment>>;

/// The buckets whose keys are of one type. There is a handful, so a list is searched faster than a map.
struct Buckets<K: Hash + Eq + Clone>(RwLock<Vec<Named<K>>>);

struct Named<K: Hash + Eq + Clone> {
    name: &'static str,
    quota: Quota,
    bucket: Arc<Bucket<K>>,
}

impl<K: Hash + Eq + Clone> Default for Buckets<K> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn get(&self, name: &'static str, quota: Quota, clock: &SetClock) -> Arc<Bucket<K>> {
        let known = |list: &[Named<K>]| {
            let found = list.iter().find(|named| named.quota == quota && named.name == name);
            found.map(|named| named.bucket.clone())
        };
        if let Some(bucket) = known(&self.0.read().unwrap_or_else(PoisonError::into_inner)) {
            return bucket;
        }
        let mut list = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known(&list).unwrap_or_else(|| {
            let per_minute = NonZeroU32::new(quota.per_minute).unwrap_or(NonZeroU32::MIN);
            let burst = NonZeroU32::new(quota.burst).unwrap_or(NonZeroU32::MIN);
            let rate = GovernorQuota::per_minute(per_minute).allow_burst(burst);
            let bucket = Arc::new(RateLimiter::new(rate, DashMapStateStore::default(), clock.clone()));
            list.push(Named { name, quota, bucket: bucket.clone() });
            bucket
        })
    }
}

/// The in-process limits.
#[derive(Default)]
pub struct Local {
    texts: Buckets<String>,
    addresses: Buckets<IpAddr>,
    clock: SetClock,
    checks: AtomicU64,
}

impl Local {
    fn count<K: Hash + Eq + Clone>(
        &self,
        buckets: &Buckets<K>,
        name: &'static str,
        key: &K,
        quota: Quota,
        now: Timestamp,
    ) -> Result<(), TooMany> {
        self.clock.set(now.as_ms());
        let bucket = buckets.get(name, quota, &self.clock);
        if self.checks.fetch_add(1, Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            bucket.retain_recent();
        }
        bucket.check_key(key).map_err(|refused| {
            let wait = refused.wait_time_from(self.clock.now()).as_millis();
            TooMany { retry_after_ms: i64::try_from(wait).unwrap_or(i64::MAX).max(1) }
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
        self.count(&self.texts, bucket, &key.to_owned(), quota, now)
    }

    async fn check_address(
        &self,
        bucket: &'static str,
        address: IpAddr,
        quota: Quota,
        now: Timestamp,
    ) -> Result<(), TooMany> {
        self.count(&self.addresses, bucket, &address, quota, now)
    }
}
