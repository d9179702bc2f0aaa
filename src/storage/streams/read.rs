//! The reading side: entries are taken, used, and then finished.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use redis::{ErrorKind, RedisError, Value};
use uuid::Uuid;

use super::Settings;
use crate::storage::redis::{Redis, Script};
use crate::storage::{Error, Result};

/// The readers of all nodes.
const GROUP: &str = "rows";
/// Entries of one look into a partition.
const LOOK: usize = 64;
/// Entries that are taken over at a time.
const CLAIM: usize = 1_000;
/// The beginning of what a reader has taken and not finished.
const BEGINNING: &str = "0-0";

/// KEYS: the stream, how much waits in it. ARGV: the group, then id and weight of each entry. Only what really went is
/// counted down: two readers may finish one entry, and the log may have been emptied by somebody else.
static FINISH: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"local sum = 0
          for n = 2, #ARGV, 2 do
              redis.call('xack', KEYS[1], ARGV[1], ARGV[n])
              if redis.call('xdel', KEYS[1], ARGV[n]) == 1 then sum = sum + tonumber(ARGV[n + 1]) end
          end
          if sum > 0 and redis.call('decrby', KEYS[2], sum) <= 0 then redis.call('del', KEYS[2]) end
          return sum",
    )
});

/// What was appended with one script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    partition: usize,
    id: String,
    weight: u64,
    ids: Vec<u8>,
    records: Vec<u8>,
}

impl Entry {
    /// The records in order, each with the id of its member; none if that is not what the entry holds.
    pub fn records(&self) -> Option<Vec<(Uuid, &[u8])>> {
        let (mut found, mut rest) = (Vec::new(), self.records.as_slice());
        for id in self.ids.chunks(16) {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let (record, after) =
                after.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
            found.push((Uuid::from_slice(id).ok()?, record));
            rest = after;
        }
        rest.is_empty().then_some(found)
    }

    /// All its bytes, for who cannot make anything of them.
    pub fn bytes(&self) -> &[u8] {
        &self.records
    }
}

/// Takes entries of all partitions.
pub struct Reader {
    redis: Redis,
    name: String,
    claim_after: Duration,
    /// For each partition after which entry it goes on among those that it has taken and not finished; none when there
    /// are none and it takes new ones.
    unfinished: Vec<Option<String>>,
    looked_for_dead: Option<Instant>,
    first: usize,
}

impl Reader {
    pub(super) fn new(redis: Redis, settings: &Settings) -> Self {
        Self {
            redis,
            name: settings.reader.clone(),
            claim_after: settings.claim_after,
            // What this node had taken when it ended.
            unfinished: vec![Some(BEGINNING.to_owned()); settings.partitions.max(1)],
            looked_for_dead: None,
            first: 0,
        }
    }

    /// Takes what waits now, until it weighs about `most`. Partitions whose Redis is away are passed over.
    pub async fn take(&mut self, most: u64) -> Vec<Entry> {
        self.take_over().await;
        let partitions = self.unfinished.len();
        let (mut taken, mut weight) = (Vec::new(), 0);
        // Begins elsewhere each time, so that a busy partition does not starve those after it.
        self.first = (self.first + 1) % partitions;
        let mut next: Vec<usize> = (self.first..partitions).chain(0..self.first).collect();
        while !next.is_empty() {
            let mut more = Vec::new();
            for partition in next {
                match self.look(partition).await {
                    Ok(entries) => {
                        // Only where a backlog is: else what comes in meanwhile would keep this going for ever.
                        if entries.len() >= LOOK || self.is_unfinished(partition) {
                            more.push(partition);
                        }
                        weight += entries.iter().map(|entry| entry.weight).sum::<u64>();
                        taken.extend(entries);
                    }
                    Err(error) => {
                        // The connection has said so once. What was taken may have got lost on the way to us.
                        tracing::debug!(error = %error, partition, "a partition cannot be read");
                        self.begin_again(partition);
                    }
                }
                if weight >= most {
                    return taken;
                }
            }
            next = more;
        }
        taken
    }

    fn is_unfinished(&self, partition: usize) -> bool {
        self.unfinished.get(partition).is_some_and(Option::is_some)
    }

    /// Finishes entries: nobody will see them again. Should Redis be away, they come again.
    pub async fn finish(&mut self, entries: &[Entry]) {
        for partition in 0..self.unfinished.len() {
            let mut own = Vec::new();
            for entry in entries {
                if entry.partition == partition {
                    own.push((entry.id.as_str(), entry.weight));
                }
            }
            if own.is_empty() {
                continue;
            }
            let (stream, waiting) = (self.redis.keys.stream(partition), self.redis.keys.waiting(partition));
            let finished: redis::RedisResult<u64> = FINISH
                .run(&self.redis.connection, 2, |cmd| {
                    cmd.arg(&stream).arg(&waiting).arg(GROUP);
                    for (id, weight) in &own {
                        cmd.arg(*id).arg(*weight);
                    }
                })
                .await;
            if let Err(error) = finished {
                tracing::debug!(error = %error, partition, "what is done cannot be marked as done");
                self.begin_again(partition);
            }
        }
    }

    /// Takes the entries once more next time: they could not be used.
    pub fn give_back(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.begin_again(entry.partition);
        }
    }

    fn begin_again(&mut self, partition: usize) {
        if let Some(unfinished) = self.unfinished.get_mut(partition) {
            *unfinished = Some(BEGINNING.to_owned());
        }
    }

    /// A look into one partition: first what was taken before, then what is new.
    async fn look(&mut self, partition: usize) -> Result<Vec<Entry>> {
        loop {
            let after = self.unfinished.get(partition).cloned().flatten();
            let found = self.read(partition, after.as_deref().unwrap_or(">")).await?;
            if after.is_none() {
                return Ok(found.into_iter().filter_map(Found::entry).collect());
            }
            let last = found.last().map(|found| found.id().to_owned());
            let is_last = last.is_none();
            if let Some(unfinished) = self.unfinished.get_mut(partition) {
                *unfinished = last;
            }
            if is_last {
                continue;
            }
            let mut entries = Vec::new();
            let mut gone = Vec::new();
            for found in found {
                match found {
                    Found::Entry(entry) => entries.push(entry),
                    Found::Gone(id) => gone.push(id),
                }
            }
            if !gone.is_empty() {
                // Finished by another, or emptied: nothing is left of it but the note that it was taken.
                let mut ack = redis::cmd("XACK");
                ack.arg(self.redis.keys.stream(partition)).arg(GROUP).arg(&gone);
                ack.query_async::<u64>(&mut self.redis.connection.clone()).await?;
            }
            if !entries.is_empty() {
                return Ok(entries);
            }
        }
    }

    async fn read(&self, partition: usize, after: &str) -> Result<Vec<Found>> {
        let key = self.redis.keys.stream(partition);
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP")
            .arg(GROUP)
            .arg(&self.name)
            .arg("COUNT")
            .arg(LOOK)
            .arg("STREAMS")
            .arg(&key)
            .arg(after);
        let mut connection = self.redis.connection.clone();
        let answer = match read.query_async::<Value>(&mut connection).await {
            Err(error) if has_no_group(&error) => {
                self.make_group(&key).await?;
                read.query_async(&mut connection).await?
            }
            answer => answer?,
        };
        found(partition, answer).ok_or_else(|| Error::Engine("a stream's answer cannot be read".to_owned()))
    }

    /// Makes the group, and with it the stream: at the beginning of all, or after somebody has emptied Redis.
    async fn make_group(&self, key: &str) -> Result<()> {
        let mut create = redis::cmd("XGROUP");
        create.arg("CREATE").arg(key).arg(GROUP).arg("0").arg("MKSTREAM");
        match create.query_async::<()>(&mut self.redis.connection.clone()).await {
            // Another node was quicker.
            Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
            outcome => Ok(outcome?),
        }
    }

    /// Takes over what readers have taken and not finished for so long that they must be dead. Looks now and then.
    async fn take_over(&mut self) {
        if self.looked_for_dead.is_some_and(|at| at.elapsed() < self.claim_after / 3) {
            return;
        }
        self.looked_for_dead = Some(Instant::now());
        for partition in 0..self.unfinished.len() {
            let mut claim = redis::cmd("XAUTOCLAIM");
            claim.arg(self.redis.keys.stream(partition)).arg(GROUP).arg(&self.name);
            claim.arg(u64::try_from(self.claim_after.as_millis()).unwrap_or(u64::MAX));
            claim.arg(BEGINNING).arg("COUNT").arg(CLAIM).arg("JUSTID");
            let claimed = claim.query_async::<Value>(&mut self.redis.connection.clone()).await;
            // The second part of the answer lists what is ours now. No group, no Redis: nothing to take over.
            if let Ok(Value::Array(parts)) = claimed
                && matches!(parts.get(1), Some(Value::Array(ids)) if !ids.is_empty())
            {
                self.begin_again(partition);
            }
        }
    }
}

fn has_no_group(error: &RedisError) -> bool {
    error.code() == Some("NOGROUP")
        || (error.kind() == ErrorKind::Extension && error.to_string().contains("NOGROUP"))
}

enum Found {
    Entry(Entry),
    /// Taken before, and no longer there.
    Gone(String),
}

impl Found {
    fn id(&self) -> &str {
        match self {
            Self::Entry(entry) => &entry.id,
            Self::Gone(id) => id,
        }
    }

    fn entry(self) -> Option<Entry> {
        match self {
            Self::Entry(entry) => Some(entry),
            Self::Gone(_) => None,
        }
    }
}

/// Reads `[[stream, [[id, [field, value, …]], …]]]`; the fields are missing from what is gone.
fn found(partition: usize, answer: Value) -> Option<Vec<Found>> {
    let streams = match answer {
        Value::Nil => return Some(Vec::new()),
        Value::Array(streams) => streams,
        _ => return None,
    };
    let mut all = Vec::new();
    for stream in streams {
        let Value::Array(stream) = stream else { return None };
        let Some(Value::Array(entries)) = stream.into_iter().nth(1) else { return None };
        for entry in entries {
            let Value::Array(entry) = entry else { return None };
            let mut entry = entry.into_iter();
            let id = String::from_utf8(bytes(entry.next()?)?).ok()?;
            all.push(match entry.next() {
                Some(Value::Array(fields)) => Found::Entry(read_entry(partition, id, fields)),
                _ => Found::Gone(id),
            });
        }
    }
    Some(all)
}

/// What is missing is empty: then [`Entry::records`] says that it is no entry of ours.
fn read_entry(partition: usize, id: String, fields: Vec<Value>) -> Entry {
    let mut entry = Entry { partition, id, weight: 0, ids: Vec::new(), records: Vec::new() };
    let mut fields = fields.into_iter().map(|value| bytes(value).unwrap_or_default());
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        match name.as_slice() {
            b"i" => entry.ids = value,
            b"w" => entry.weight = String::from_utf8_lossy(&value).parse().unwrap_or(0),
            // A foreign field is kept in the records, so that it is put aside with them.
            _ => entry.records.extend_from_slice(&value),
        }
    }
    entry
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_its_records_or_nothing() {
        let id = Uuid::now_v7();
        let entry = |ids: &[u8], records: &[u8]| Entry {
            partition: 0,
            id: "1-1".to_owned(),
            weight: 1,
            ids: ids.to_vec(),
            records: records.to_vec(),
        };
        let whole = entry(id.as_bytes(), &[2, 0, 0, 0, 7, 8]);
        assert_eq!(whole.records(), Some(vec![(id, [7, 8].as_slice())]));
        for (ids, records) in [
            (&id.as_bytes()[..], &[3, 0, 0, 0, 7, 8][..]),
            (&id.as_bytes()[..], &[2, 0, 0, 0, 7, 8, 9]),
            (&id.as_bytes()[..15], &[2, 0, 0, 0, 7, 8]),
            (&id.as_bytes()[..], &[]),
            (&[], &[1]),
        ] {
            assert_eq!(entry(ids, records).records(), None, "{ids:?} {records:?}");
        }
    }
}
