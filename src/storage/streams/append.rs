//! The writing side: one task a partition gathers records and appends them with one script.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, oneshot};
use uuid::Uuid;

use super::{Settings, WAITING_MOST};
use crate::base::time::Timestamp;
use crate::storage::redis::{Redis, Script};

/// Records of one script, and their bytes.
const BATCH: usize = 1_024;
const BATCH_BYTES: usize = 1 << 20;
/// Redis forgets a member this long after it has expired by our own clock, which is the one that counts.
const GRACE_MS: u32 = 60_000;
/// How long replicas may take. All commands to their master wait meanwhile.
const REPLICAS_PATIENCE: Duration = Duration::from_millis(200);
/// A partition whose replicas were missing is not written to before they are seen again; this is between two looks.
const REPLICAS_PAUSE: Duration = Duration::from_secs(1);
const REPLICAS_LOOK: Duration = Duration::from_millis(1);

/// KEYS: the stream, how much waits in it, then each record's member. ARGV: how much may wait, grace, the heads of the
/// records one after the other (a proposal, the first and the last moment, weight, life), the records. A member is kept
/// as id, last moment and count in one string; all are read with one call, and a batch may name one twice. Answers how
/// much waits now, -1 if that was too much already.
static APPEND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"if tonumber(redis.call('get', KEYS[2]) or 0) >= tonumber(ARGV[1]) then return -1 end
          local heads, grace, ids, sum = ARGV[3], tonumber(ARGV[2]), {}, 0
          local kept, met = redis.call('mget', unpack(KEYS, 3)), {}
          for n = 1, #KEYS - 2 do
              local key = KEYS[n + 2]
              local id, first, last, count, life = struct.unpack('>c16i8i8I4I4', heads, n * 40 - 39)
              sum = sum + count
              local member = met[key] or kept[n]
              if member then
                  local before, last_at, counted = struct.unpack('>c16i8I4', member)
                  if last_at + life > first then
                      id, count = before, counted + count
                      if last_at > last then last = last_at end
                  end
              end
              member = struct.pack('>c16i8I4', id, last, count)
              redis.call('set', key, member, 'px', life + grace)
              met[key], ids[n] = member, id
          end
          redis.call('xadd', KEYS[1], '*', 'i', table.concat(ids), 'r', ARGV[4], 'w', sum)
          return redis.call('incrby', KEYS[2], sum)",
    )
});

/// What a record belongs to: a member that is remembered as long as it is touched, under an id of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touch {
    pub space: u64,
    pub member: u128,
    /// The first and the last moment that the record tells of.
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    /// How many things the record holds: how far it counts towards the backlog.
    pub weight: u32,
    /// How long after the last moment the member is forgotten.
    pub life_ms: u32,
}

/// The partition of a member; the same on every node.
pub(super) fn partition_of(space: u64, member: u128, partitions: usize) -> usize {
    // Ids are drawn by time at the front and at random at the end; a digest may be anything. Mix all of it.
    let folded = u64::try_from((member ^ (member >> 64)) & u128::from(u64::MAX)).unwrap_or(0);
    let mixed = (folded ^ space).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let partitions = u64::try_from(partitions).unwrap_or(1);
    usize::try_from(mixed % partitions).unwrap_or(0)
}

/// Id and last moment of a member as [`APPEND`] keeps it.
pub(super) fn kept(value: &[u8]) -> Option<(Uuid, Timestamp)> {
    let (id, rest) = value.split_at_checked(16)?;
    let last_at = i64::from_be_bytes(rest.get(..8)?.try_into().ok()?);
    Some((Uuid::from_slice(id).ok()?, Timestamp(last_at)))
}

impl Touch {
    pub(super) fn partition(&self, partitions: usize) -> usize {
        partition_of(self.space, self.member, partitions)
    }

    fn head(&self, proposal: Uuid, heads: &mut Vec<u8>) {
        heads.extend_from_slice(proposal.as_bytes());
        heads.extend_from_slice(&self.first_at.as_ms().to_be_bytes());
        heads.extend_from_slice(&self.last_at.as_ms().to_be_bytes());
        heads.extend_from_slice(&self.weight.to_be_bytes());
        heads.extend_from_slice(&self.life_ms.to_be_bytes());
    }
}

/// Why a record was not appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Readers are too far behind.
    #[error("too much waits in Redis for readers")]
    Full,
    /// Redis does not take it.
    #[error("Redis does not take it: {0}")]
    Away(Arc<str>),
}

/// A record on its way.
pub(super) struct Waiting {
    touch: Touch,
    record: Vec<u8>,
    done: oneshot::Sender<Result<(), Refused>>,
}

/// Hands a record to a partition's task; returns when Redis has it.
pub(super) async fn append(
    partition: &mpsc::Sender<Waiting>,
    touch: Touch,
    record: Vec<u8>,
) -> Result<(), Refused> {
    let (done, answer) = oneshot::channel();
    let away = |text: &str| Refused::Away(text.into());
    partition.try_send(Waiting { touch, record, done }).map_err(|_| away("too many records wait for it"))?;
    answer.await.map_err(|_| away("its writer has ended"))?
}

/// Starts a partition's task. It ends when nobody can append any more.
pub(super) fn start(
    redis: Redis,
    settings: &Settings,
    partition: usize,
    written: Arc<Notify>,
) -> mpsc::Sender<Waiting> {
    let (sender, mut waiting) = mpsc::channel::<Waiting>(WAITING_MOST);
    let most = settings.backlog.div_ceil(u64::try_from(settings.partitions.max(1)).unwrap_or(1));
    let mut writer = Writer { redis, partition, most, replicas: settings.replicas, alone_until: None };
    tokio::spawn(async move {
        while let Some(first) = waiting.recv().await {
            let mut bytes = first.record.len();
            let mut batch = vec![first];
            while batch.len() < BATCH && bytes < BATCH_BYTES {
                let Ok(next) = waiting.try_recv() else { break };
                bytes += next.record.len();
                batch.push(next);
            }
            let outcome = writer.write(&batch).await;
            for record in batch {
                // Fails only if the client has gone.
                drop(record.done.send(outcome.clone()));
            }
            if outcome.is_ok() {
                written.notify_one();
            }
        }
    });
    sender
}

struct Writer {
    redis: Redis,
    partition: usize,
    most: u64,
    replicas: usize,
    alone_until: Option<Instant>,
}

impl Writer {
    async fn write(&mut self, batch: &[Waiting]) -> Result<(), Refused> {
        let away = |error: redis::RedisError| Refused::Away(error.to_string().into());
        let keys = self.redis.keys.clone();
        let stream = keys.stream(self.partition);
        if let Some(until) = self.alone_until {
            if Instant::now() < until {
                return Err(Refused::Away("its replicas are missing".into()));
            }
            self.has_replicas(&stream, REPLICAS_LOOK).await?;
        }
        let (mut heads, mut records) = (Vec::with_capacity(40 * batch.len()), Vec::new());
        for one in batch {
            one.touch.head(Uuid::now_v7(), &mut heads);
            let length = u32::try_from(one.record.len()).unwrap_or(u32::MAX);
            records.extend_from_slice(&length.to_le_bytes());
            records.extend_from_slice(&one.record);
        }
        let give = |cmd: &mut redis::Cmd| {
            cmd.arg(&stream).arg(keys.waiting(self.partition));
            for one in batch {
                cmd.arg(keys.member(self.partition, one.touch.space, one.touch.member));
            }
            cmd.arg(self.most).arg(GRACE_MS).arg(&heads).arg(&records);
        };
        let waits: i64 = APPEND.run(&self.redis.connection, 2 + batch.len(), give).await.map_err(away)?;
        if waits < 0 {
            return Err(Refused::Full);
        }
        if self.replicas > 0 {
            self.has_replicas(&stream, REPLICAS_PATIENCE).await?;
        }
        Ok(())
    }

    /// Waits until the replicas have what was written.
    async fn has_replicas(&mut self, stream: &str, most: Duration) -> Result<(), Refused> {
        let have = self.redis.connection.replicated(stream.as_bytes(), self.replicas, most).await;
        let have = have.map_err(|error| Refused::Away(error.to_string().into()))?;
        if have >= self.replicas {
            self.alone_until = None;
            return Ok(());
        }
        if self.alone_until.replace(Instant::now() + REPLICAS_PAUSE).is_none() {
            let (wanted, partition) = (self.replicas, self.partition);
            tracing::warn!(partition, have, wanted, "replicas are missing: a partition is not written to");
        }
        Err(Refused::Away("its replicas are missing".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_spread_evenly_and_always_alike() {
        let mut found = [0; 8];
        for _ in 0..8_000 {
            let member = Uuid::now_v7().as_u128();
            let touch = |first_at| Touch {
                space: 7,
                member,
                first_at: Timestamp(first_at),
                last_at: Timestamp(0),
                weight: 1,
                life_ms: 1,
            };
            assert_eq!(touch(1).partition(8), touch(2).partition(8));
            found[touch(1).partition(8)] += 1;
        }
        assert!(found.iter().all(|count| (700..1_300).contains(count)), "{found:?}");
    }
}
