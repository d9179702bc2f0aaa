//! The visits that go on, as far as this process knows them.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{IDLE_MS, space};
use crate::base::ids::{SessionId, VisitorId};
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::streams::Streams;

/// Visitors are spread over this many locks, so that none is a lock around the world.
const SHARDS: usize = 64;
/// A shard is swept when it has grown by this many visits since it was swept last.
const SWEEP_EVERY: usize = 1_024;

/// Knows whether a visit goes on.
#[async_trait]
pub trait Ongoing: Send + Sync {
    /// Whether a visitor was heard of within 30 minutes before `at`. Looking keeps no visit open.
    ///
    /// # Errors
    /// As the store says.
    async fn is_open(&self, site: &str, visitor: VisitorId, at: Timestamp) -> Result<bool>;
}

#[derive(Clone, Copy)]
struct Visit {
    id: SessionId,
    last_at: Timestamp,
}

#[derive(Default)]
struct Shard {
    visits: HashMap<(u64, u128), Visit>,
    since_sweep: usize,
}

/// The visits that go on, in this process.
pub struct OpenVisits {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
}

impl Default for OpenVisits {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }
}

impl OpenVisits {
    /// The visit that a hit belongs to: the one that goes on, kept open for another 30 minutes, or else a new one.
    pub fn attach(&self, site: &str, visitor: VisitorId, at: Timestamp) -> SessionId {
        let key = (space(site), visitor.as_u128());
        let mut shard = self.shard(key);
        if let Some(visit) = shard.visits.get_mut(&key).filter(|visit| is_open(visit, at)) {
            visit.last_at = visit.last_at.max(at);
            return visit.id;
        }
        let visit = Visit { id: SessionId::new(), last_at: at };
        shard.visits.insert(key, visit);
        shard.since_sweep += 1;
        if shard.since_sweep >= SWEEP_EVERY {
            shard.visits.retain(|_, visit| is_open(visit, at));
            shard.since_sweep = 0;
        }
        visit.id
    }

    /// Puts a visit back that was open when the process ended, unless a later one is known.
    pub fn reopen(&self, site: &str, visitor: VisitorId, id: SessionId, last_at: Timestamp) {
        let key = (space(site), visitor.as_u128());
        let visit = Visit { id, last_at };
        let mut shard = self.shard(key);
        let stands = shard.visits.entry(key).or_insert(visit);
        if stands.last_at < last_at {
            *stands = visit;
        }
    }

    fn shard(&self, key: (u64, u128)) -> MutexGuard<'_, Shard> {
        let at = usize::try_from(self.hasher.hash_one(key)).unwrap_or(0) % SHARDS;
        // A panic elsewhere leaves whole visits behind, never half of one.
        self.shards.get(at).expect("there are 64 shards").lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_open(visit: &Visit, at: Timestamp) -> bool {
    at.since_ms(visit.last_at) < IDLE_MS
}

#[async_trait]
impl Ongoing for OpenVisits {
    async fn is_open(&self, site: &str, visitor: VisitorId, at: Timestamp) -> Result<bool> {
        let key = (space(site), visitor.as_u128());
        Ok(self.shard(key).visits.get(&key).is_some_and(|visit| is_open(visit, at)))
    }
}

#[async_trait]
impl Ongoing for Streams {
    async fn is_open(&self, site: &str, visitor: VisitorId, at: Timestamp) -> Result<bool> {
        Ok(self.peek(space(site), visitor.as_u128(), at, IDLE_MS).await?.is_some())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::base::time::MINUTE_MS;

    fn at(minutes: i64) -> Timestamp {
        Timestamp(minutes * MINUTE_MS)
    }

    #[test]
    fn a_hit_after_30_minutes_of_silence_opens_a_new_visit() {
        let (open, visitor) = (OpenVisits::default(), VisitorId::new());
        let visits = [0, 29, 58, 58 + 31].map(|minutes| open.attach("faro", visitor, at(minutes)));
        assert!(visits[0] == visits[1] && visits[1] == visits[2] && visits[2] != visits[3]);
        assert_ne!(open.attach("other", visitor, at(89)), visits[3], "another site, another visit");
    }

    #[tokio::test]
    async fn looking_keeps_no_visit_open_and_makes_none() {
        let (open, visitor) = (OpenVisits::default(), VisitorId::new());
        let is_open = async |minutes| open.is_open("faro", visitor, at(minutes)).await.expect("in process");
        assert!(!is_open(0).await);
        open.attach("faro", visitor, at(0));
        assert!(is_open(29).await && !is_open(30).await);
    }

    #[test]
    fn what_is_put_back_goes_on_unless_a_later_visit_is_known() {
        let (open, visitor) = (OpenVisits::default(), VisitorId::new());
        let (old, older) = (SessionId::new(), SessionId::new());
        open.reopen("faro", visitor, old, at(10));
        open.reopen("faro", visitor, older, at(5));
        assert_eq!(open.attach("faro", visitor, at(20)), old);
    }

    #[test]
    fn of_many_that_come_at_once_one_opens_the_visit() {
        let (open, visitor) = (OpenVisits::default(), VisitorId::new());
        let ids: BTreeSet<SessionId> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| (0..50).map(|_| open.attach("faro", visitor, at(0))).collect::<Vec<_>>())
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("ended")).collect()
        });
        assert_eq!(ids.len(), 1);
    }
}
