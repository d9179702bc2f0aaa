//! Hot state in this process.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::HotStore;
use crate::base::time::Timestamp;
use crate::storage::Result;

/// Visitors are spread over this many locks, so that none is a lock around the world.
const SHARDS: usize = 64;
/// A shard is swept when it has grown by this many records since it was swept last.
const SWEEP_EVERY: usize = 1_024;

struct Record {
    value: String,
    expires: Timestamp,
}

#[derive(Default)]
struct Shard {
    records: HashMap<String, Record>,
    since_sweep: usize,
}

impl Shard {
    fn insert(&mut self, key: &str, record: Record, now: Timestamp) {
        self.records.insert(key.to_owned(), record);
        self.since_sweep += 1;
        if self.since_sweep >= SWEEP_EVERY {
            self.records.retain(|_, record| record.expires > now);
            self.since_sweep = 0;
        }
    }
}

/// The in-process store.
pub struct Memory {
    shards: Vec<Mutex<Shard>>,
    marks: Mutex<HashMap<String, HashMap<String, Timestamp>>>,
    hasher: RandomState,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            marks: Mutex::default(),
            hasher: RandomState::new(),
        }
    }
}

impl Memory {
    fn shard(&self, key: &str) -> MutexGuard<'_, Shard> {
        let at = usize::try_from(self.hasher.hash_one(key) % 64).unwrap_or(0);
        // A panic elsewhere leaves whole records behind, never half of one.
        self.shards.get(at).expect("there are 64 shards").lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn marks(&self) -> MutexGuard<'_, HashMap<String, HashMap<String, Timestamp>>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl HotStore for Memory {
    async fn get(&self, key: &str, now: Timestamp) -> Result<Option<String>> {
        let shard = self.shard(key);
        Ok(shard.records.get(key).filter(|record| record.expires > now).map(|record| record.value.clone()))
    }

    async fn put(&self, key: &str, value: &str, now: Timestamp, ttl_ms: i64) -> Result<()> {
        let record = Record { value: value.to_owned(), expires: now.plus_ms(ttl_ms) };
        self.shard(key).insert(key, record, now);
        Ok(())
    }

    async fn remove(&self, key: &str) -> Result<()> {
        self.shard(key).records.remove(key);
        Ok(())
    }

    async fn mark(&self, set: &str, member: &str, until: Timestamp) -> Result<()> {
        self.marks().entry(set.to_owned()).or_default().insert(member.to_owned(), until);
        Ok(())
    }

    async fn unmark(&self, set: &str, member: &str) -> Result<()> {
        if let Some(members) = self.marks().get_mut(set) {
            members.remove(member);
        }
        Ok(())
    }

    async fn marked(&self, set: &str, now: Timestamp) -> Result<Vec<String>> {
        let mut marks = self.marks();
        let Some(members) = marks.get_mut(set) else { return Ok(Vec::new()) };
        members.retain(|_, until| *until > now);
        let mut names: Vec<String> = members.keys().cloned().collect();
        names.sort_unstable();
        Ok(names)
    }
}
