//! Hot state in this process.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use uuid::Uuid;

use super::{HotStore, Touched, TouchedId};
use crate::base::time::Timestamp;
use crate::storage::Result;

/// Visitors are spread over this many locks, so that none is a lock around the world.
const SHARDS: usize = 64;
/// A shard is swept when it has grown by this many records since it was swept last.
const SWEEP_EVERY: usize = 1_024;

struct Record {
    value: String,
    count: i64,
    last_at: Timestamp,
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

#[derive(Clone, Copy)]
struct IdRecord {
    id: Uuid,
    count: u32,
    last_at: Timestamp,
    expires: Timestamp,
}

#[derive(Default)]
struct IdShard {
    records: HashMap<(u64, u128), IdRecord>,
    since_sweep: usize,
}

/// The in-process store.
pub struct Memory {
    shards: Vec<Mutex<Shard>>,
    ids: Vec<Mutex<IdShard>>,
    marks: Mutex<HashMap<String, HashMap<String, Timestamp>>>,
    hasher: RandomState,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            ids: (0..SHARDS).map(|_| Mutex::default()).collect(),
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

    fn ids(&self, key: (u64, u128)) -> MutexGuard<'_, IdShard> {
        let at = usize::try_from(self.hasher.hash_one(key) % 64).unwrap_or(0);
        self.ids.get(at).expect("there are 64 shards").lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn marks(&self) -> MutexGuard<'_, HashMap<String, HashMap<String, Timestamp>>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl HotStore for Memory {
    async fn touch(&self, key: &str, proposal: &str, now: Timestamp, ttl_ms: i64) -> Result<Touched> {
        let mut shard = self.shard(key);
        if let Some(record) = shard.records.get_mut(key).filter(|record| record.expires > now) {
            let last_at = record.last_at;
            record.count += 1;
            record.last_at = last_at.max(now);
            record.expires = record.last_at.plus_ms(ttl_ms);
            return Ok(Touched {
                value: record.value.clone(),
                is_new: false,
                count: record.count,
                last_at: Some(last_at),
            });
        }
        let record =
            Record { value: proposal.to_owned(), count: 1, last_at: now, expires: now.plus_ms(ttl_ms) };
        shard.insert(key, record, now);
        Ok(Touched { value: proposal.to_owned(), is_new: true, count: 1, last_at: None })
    }

    async fn touch_id(&self, space: u64, member: u128, now: Timestamp, ttl_ms: i64) -> Result<TouchedId> {
        let key = (space, member);
        let mut shard = self.ids(key);
        if let Some(record) = shard.records.get_mut(&key).filter(|record| record.expires > now) {
            record.count = record.count.saturating_add(1);
            record.last_at = record.last_at.max(now);
            record.expires = record.last_at.plus_ms(ttl_ms);
            return Ok(TouchedId { id: record.id, is_new: false, count: record.count.into() });
        }
        let record = IdRecord { id: Uuid::now_v7(), count: 1, last_at: now, expires: now.plus_ms(ttl_ms) };
        shard.records.insert(key, record);
        shard.since_sweep += 1;
        if shard.since_sweep >= SWEEP_EVERY {
            shard.records.retain(|_, record| record.expires > now);
            shard.since_sweep = 0;
        }
        Ok(TouchedId { id: record.id, is_new: true, count: 1 })
    }

    async fn peek_id(&self, space: u64, member: u128, now: Timestamp) -> Result<Option<Uuid>> {
        let key = (space, member);
        let shard = self.ids(key);
        Ok(shard.records.get(&key).filter(|record| record.expires > now).map(|record| record.id))
    }

    async fn restore_id(
        &self,
        space: u64,
        member: u128,
        known: TouchedId,
        last_at: Timestamp,
        ttl_ms: i64,
    ) -> Result<()> {
        let record = IdRecord {
            id: known.id,
            count: u32::try_from(known.count).unwrap_or(u32::MAX),
            last_at,
            expires: last_at.plus_ms(ttl_ms),
        };
        let mut shard = self.ids((space, member));
        let stands = shard.records.entry((space, member)).or_insert(record);
        if stands.last_at < last_at {
            *stands = record;
        }
        Ok(())
    }

    async fn get(&self, key: &str, now: Timestamp) -> Result<Option<String>> {
        let shard = self.shard(key);
        Ok(shard.records.get(key).filter(|record| record.expires > now).map(|record| record.value.clone()))
    }

    async fn put(&self, key: &str, value: &str, now: Timestamp, ttl_ms: i64) -> Result<()> {
        let record = Record { value: value.to_owned(), count: 1, last_at: now, expires: now.plus_ms(ttl_ms) };
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
