//! A durable log of byte records on Redis Streams, shared by all nodes.
//!
//! Records are spread over partitions by the member that they belong to (such as a visitor). Everything of a partition
//! carries one hash tag, so that it lives on one node of a cluster and one script touches it: the members that are
//! remembered, the stream, and how much waits in it. A partition has one script in flight at a time; what comes
//! meanwhile goes with the next (group commit), so that a round trip is shared by all who wait for it.
//!
//! Readers of all nodes are one consumer group: what a reader has taken and not finished is taken over by others.

mod append;
mod read;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use append::{Refused, Touch};
pub use read::{Entry, Reader};
use redis::AsyncCommands;
use tokio::sync::{Mutex, MutexGuard, Notify, mpsc};
use uuid::Uuid;

use self::append::Waiting;
use super::Result;
use super::redis::Redis;
use crate::base::time::Timestamp;

/// Records that may wait for a partition's script; beyond it [`Streams::append`] refuses.
const WAITING_MOST: usize = 4_096;

/// How the log is kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The same on all nodes.
    pub partitions: usize,
    /// Weight (see [`Touch::weight`]) that may wait for readers, in all partitions together.
    pub backlog: u64,
    /// When what a reader has taken and not finished is taken over by another.
    pub claim_after: Duration,
    /// Replicas that must have a record before it counts as appended.
    pub replicas: usize,
    /// Tells this reader from others, and is the same after a restart.
    pub reader: String,
}

/// The log.
#[derive(Clone)]
pub struct Streams(Arc<Shared>);

struct Shared {
    redis: Redis,
    partitions: Vec<mpsc::Sender<Waiting>>,
    written: Arc<Notify>,
    reader: Mutex<Reader>,
    buried: AtomicU64,
}

impl Streams {
    /// Begins to write. Nothing is asked of Redis before the first record.
    pub fn open(redis: Redis, settings: &Settings) -> Self {
        let written = Arc::new(Notify::new());
        let partitions = (0..settings.partitions.max(1))
            .map(|partition| append::start(redis.clone(), settings, partition, written.clone()))
            .collect();
        let reader = Mutex::new(Reader::new(redis.clone(), settings));
        Self(Arc::new(Shared { redis, partitions, written, reader, buried: AtomicU64::new(0) }))
    }

    /// Appends a record; returns when Redis has it.
    ///
    /// # Errors
    /// [`Refused`]; then nobody will read it, unless Redis was only late: who reads must bear to see a record twice.
    pub async fn append(&self, touch: Touch, record: Vec<u8>) -> std::result::Result<(), Refused> {
        let partition = touch.partition(self.0.partitions.len());
        let partition = self.0.partitions.get(partition).expect("a member's partition is one of them");
        append::append(partition, touch, record).await
    }

    /// The id of a member that is remembered, unless it was touched `life_ms` ago or longer. Does not touch it.
    ///
    /// # Errors
    /// [`Unavailable`](super::Error::Unavailable) if Redis does not answer.
    pub async fn peek(&self, space: u64, member: u128, now: Timestamp, life_ms: i64) -> Result<Option<Uuid>> {
        let partition = append::partition_of(space, member, self.0.partitions.len());
        let key = self.0.redis.keys.member(partition, space, member);
        let value: Option<Vec<u8>> = self.0.redis.connection.clone().get(key).await?;
        let kept = value.as_deref().and_then(append::kept);
        Ok(kept.filter(|(_, last_at)| now.since_ms(*last_at) < life_ms).map(|(id, _)| id))
    }

    /// Waits until something was appended by this process since the last call.
    pub async fn written(&self) {
        self.0.written.notified().await;
    }

    /// The reader of this process; one at a time.
    pub async fn reader(&self) -> MutexGuard<'_, Reader> {
        self.0.reader.lock().await
    }

    /// Weight that waits for readers.
    ///
    /// # Errors
    /// [`Unavailable`](super::Error::Unavailable) if Redis does not answer.
    pub async fn waiting(&self) -> Result<u64> {
        let mut waiting = 0;
        for partition in 0..self.0.partitions.len() {
            let key = self.0.redis.keys.waiting(partition);
            waiting += self.0.redis.connection.clone().get::<_, Option<u64>>(key).await?.unwrap_or(0);
        }
        Ok(waiting)
    }

    /// Puts a record that cannot be used aside, where a person can look at it.
    ///
    /// # Errors
    /// [`Unavailable`](super::Error::Unavailable) if Redis does not answer.
    pub async fn bury(&self, record: &[u8], reason: &str) -> Result<()> {
        self.0.buried.fetch_add(1, Ordering::Relaxed);
        let mut add = redis::cmd("XADD");
        add.arg(self.0.redis.keys.buried()).arg("*").arg("reason").arg(reason).arg("record").arg(record);
        Ok(add.query_async(&mut self.0.redis.connection.clone()).await?)
    }

    /// How many records this process has put aside.
    pub fn buried(&self) -> u64 {
        self.0.buried.load(Ordering::Relaxed)
    }
}
