//! The log that all nodes share on Redis, and how it is carried into the rows.
//!
//! While Redis is away hits go to this machine's journal, which is carried beside it.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::sync::watch;

use super::drain::{BATCH, GATHER, PAUSE};
use super::{HitLog, Local};
use crate::base::ids::SessionId;
use crate::hits::{self, Error, Recorded, Words};
use crate::sessions;
use crate::storage::streams::{Entry, Refused, Streams, Touch};
use crate::storage::{self, Result, Stores};

/// How often a node looks for what others have left behind.
const LOOK: Duration = Duration::from_secs(1);
/// The name of the log among the cursors. The consumer group knows how far it has been read.
const LOG: &str = "streams";
/// So many hits that the database will not have, before one that it has, are no accident.
const REFUSED_MOST: usize = 3;

/// The log on Redis, and this machine's disk for when Redis does not answer.
pub struct Streamed {
    streams: Streams,
    spill: Local,
}

impl Streamed {
    /// Appends to `streams`, and to `spill` while they do not answer. Its visits are known to this process alone: a visit
    /// that goes on meanwhile is counted as another one.
    pub fn new(streams: Streams, spill: Local) -> Self {
        Self { streams, spill }
    }

    async fn append_one(&self, hits: &[Recorded]) -> std::result::Result<(), Refused> {
        let Some(touch) = touch_of(hits) else { return Ok(()) };
        let record = hits::pack(hits).map_err(|error| Refused::Away(error.into()))?;
        self.streams.append(touch, record).await
    }
}

#[async_trait]
impl HitLog for Streamed {
    async fn append(&self, hits: Vec<Recorded>) -> std::result::Result<(), Error> {
        let records = records_of(hits);
        let outcomes = join_all(records.iter().map(|hits| self.append_one(hits))).await;
        let mut spilled = Vec::new();
        for (hits, outcome) in records.into_iter().zip(outcomes) {
            match outcome {
                Ok(()) => {}
                Err(Refused::Full) => {
                    tracing::error!("hits are refused: as many wait in Redis as may");
                    return Err(Error::Unavailable);
                }
                Err(Refused::Away(error)) => {
                    tracing::debug!(%error, "hits go to the journal");
                    spilled.extend(hits);
                }
            }
        }
        if spilled.is_empty() { Ok(()) } else { self.spill.append(spilled).await }
    }
}

/// The hits of one request as records: what belongs to one visit together, in order.
fn records_of(hits: Vec<Recorded>) -> Vec<Vec<Recorded>> {
    let mut records: Vec<Vec<Recorded>> = Vec::with_capacity(1);
    for hit in hits {
        let is_next = |record: &&mut Vec<Recorded>| {
            record.last().is_some_and(|last| last.visitor == hit.visitor && last.site == hit.site)
        };
        let own = records.iter_mut().rev().find(is_next).filter(|record| {
            record.last().is_some_and(|last| hit.at.since_ms(last.at).abs() < sessions::IDLE_MS)
        });
        match own {
            Some(record) => record.push(hit),
            None => records.push(vec![hit]),
        }
    }
    records
}

fn touch_of(hits: &[Recorded]) -> Option<Touch> {
    let (first, last) = (hits.iter().map(|hit| hit.at).min()?, hits.iter().map(|hit| hit.at).max()?);
    let one = hits.first()?;
    Some(Touch {
        space: sessions::space(&one.site),
        member: one.visitor.as_u128(),
        first_at: first,
        last_at: last,
        weight: u32::try_from(hits.len()).unwrap_or(u32::MAX),
        life_ms: u32::try_from(sessions::IDLE_MS).unwrap_or(u32::MAX),
    })
}

/// Carries a batch; returns how many hits that was, and 0 only when there was nothing.
pub(super) async fn drain(stores: &Stores, words: &Words) -> Result<usize> {
    let Some(streams) = &stores.streams else { return Ok(0) };
    let mut reader = streams.reader().await;
    let entries = reader.take(u64::try_from(BATCH).unwrap_or(u64::MAX)).await;
    if entries.is_empty() {
        return Ok(0);
    }
    let carried = carry_entries(stores, words, streams, &entries).await;
    match carried {
        Ok(()) => reader.finish(&entries).await,
        Err(_) => reader.give_back(&entries),
    }
    carried.map(|()| entries.len())
}

async fn carry_entries(stores: &Stores, words: &Words, streams: &Streams, entries: &[Entry]) -> Result<()> {
    let mut batch = Vec::new();
    for entry in entries {
        batch.extend(hits_of(streams, entry).await?);
    }
    // Partitions are read one after the other; rows are read in the order in which they are written. The hits of a visitor
    // are all in one partition and keep their order.
    batch.sort_by_key(|hit| hit.received_at);
    for (hit, error) in store(stores, words, &batch).await? {
        let record = hits::pack(std::slice::from_ref(hit)).map_err(storage::Error::Engine)?;
        bury(streams, &record, &error).await?;
    }
    Ok(())
}

/// Writes hits; answers those that the database will not have and why, for they would stop all that come after them. Where
/// it has none at all the fault is not theirs.
async fn store<'a>(
    stores: &Stores,
    words: &Words,
    batch: &'a [Recorded],
) -> Result<Vec<(&'a Recorded, String)>> {
    let (mut refused, mut has_some, mut parts) = (Vec::new(), false, vec![batch]);
    while let Some(part) = parts.pop() {
        match (hits::store(&stores.hits, words, LOG, 0, part).await, part) {
            (Ok(()), _) => has_some = true,
            (Err(error @ storage::Error::Unavailable(_)), _) => return Err(error),
            (Err(error), [hit]) => {
                refused.push((hit, error.to_string()));
                if !has_some && refused.len() >= REFUSED_MOST.min(batch.len()) {
                    return Err(error);
                }
            }
            (Err(_), _) => {
                let (front, back) = part.split_at(part.len() / 2);
                parts.extend([front, back]);
            }
        }
    }
    Ok(refused)
}

/// The hits of an entry, each in its visit. What cannot be read is put aside.
async fn hits_of(streams: &Streams, entry: &Entry) -> Result<Vec<Recorded>> {
    let Some(records) = entry.records() else {
        bury(streams, entry.bytes(), "the entry is none of ours").await?;
        return Ok(Vec::new());
    };
    let mut all = Vec::new();
    for (session, record) in records {
        match hits::unpack(record) {
            Ok(hits) => all.extend(
                hits.into_iter().map(|hit| Recorded { session: SessionId::from_uuid(session), ..hit }),
            ),
            Err(error) => bury(streams, record, &error).await?,
        }
    }
    Ok(all)
}

async fn bury(streams: &Streams, record: &[u8], reason: &str) -> Result<()> {
    streams.bury(record, reason).await?;
    tracing::error!(
        reason,
        records = streams.buried(),
        "a record of the log was put aside: it cannot be used"
    );
    Ok(())
}

/// Carries whatever comes until `stop` says so, and then what is left.
pub(super) async fn carry(stores: &Stores, words: &Words, mut stop: watch::Receiver<bool>) {
    let Some(streams) = &stores.streams else { return };
    loop {
        let is_over = *stop.borrow();
        loop {
            match drain(stores, words).await {
                Ok(0) => break,
                // What has come meanwhile is few; a moment later it is a batch.
                Ok(_) if !is_over => tokio::time::sleep(GATHER).await,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(error = %error, "hits wait in Redis: the rows cannot be written");
                    tokio::time::sleep(PAUSE).await;
                    break;
                }
            }
        }
        if is_over {
            return;
        }
        tokio::select! {
            () = streams.written() => tokio::time::sleep(GATHER).await,
            () = tokio::time::sleep(LOOK) => {}
            _ = stop.changed() => {}
        }
    }
}
