//! A durable log of byte records on this machine's disk, written in groups.
//!
//! Whoever appends is answered when the record is on disk. One writer gathers what has come while the last group was
//! being written and commits it at once (group commit), so that a flush of the disk is shared by all who wait for it.
//! A group is one row of a SQLite file of its own with `synchronous=FULL`: as fast as a bare log file, and SQLite has
//! settled torn writes and recovery for good. Readers take groups in order and trim what they have carried elsewhere.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};
use tokio::sync::{Notify, mpsc, oneshot};

use super::{Error, Result};

/// Records that may wait for the writer; beyond it [`Journal::append`] refuses.
const WAITING_MOST: usize = 16_384;
/// A group is closed at so many bytes.
const GROUP_BYTES: usize = 4 << 20;
/// The length before each record of a group, in bytes (little endian).
const LENGTH: usize = 4;

/// How long another process may hold the file.
const BUSY: Duration = Duration::from_secs(5);

const TABLES: &str = "
    create table if not exists journal (seq integer primary key autoincrement, records integer not null, body blob not null);
    create table if not exists identity (one integer primary key check (one = 1), name text not null);";

enum Entry {
    Record { bytes: Vec<u8>, done: oneshot::Sender<Result<()>> },
    Trim { through: i64, done: oneshot::Sender<Result<()>> },
}

/// Records that were committed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its place in the log; rises by one with each group and is never used again.
    pub seq: i64,
    /// The records, in the order in which they came.
    pub records: Vec<Vec<u8>>,
}

/// The log.
#[derive(Clone)]
pub struct Journal {
    entries: mpsc::Sender<Entry>,
    reader: mpsc::Sender<Read>,
    written: Arc<Notify>,
    name: Arc<str>,
}

type Read = Box<dyn FnOnce(&Connection) + Send>;

impl Journal {
    /// Opens (and makes, if need be) the log at `path`. The writer waits `gather` for more before each group; zero writes
    /// at once what has come.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the file cannot be opened.
    pub fn open(path: &Path, gather: Duration) -> Result<Self> {
        let unavailable =
            |error: &dyn std::fmt::Display| Error::Unavailable(format!("{}: {error}", path.display()));
        let connection = Connection::open(path).map_err(|error| unavailable(&error))?;
        connection.busy_timeout(BUSY)?;
        connection.execute_batch(
            "pragma journal_mode = wal; pragma synchronous = full; pragma journal_size_limit = 67108864;
             pragma wal_autocheckpoint = 4000;",
        )?;
        connection.execute_batch(TABLES)?;
        connection.execute(
            "insert or ignore into identity (one, name) values (1, ?1)",
            params![uuid::Uuid::now_v7().to_string()],
        )?;
        let name: String = connection.query_row("select name from identity", [], |row| row.get(0))?;
        let (entries, waiting) = mpsc::channel(WAITING_MOST);
        let written = Arc::new(Notify::new());
        let woken = written.clone();
        spawn("journal-writer", move || write(connection, gather, waiting, &woken))?;
        let (reader, mut reads) = mpsc::channel::<Read>(16);
        let connection = Connection::open(path).map_err(|error| unavailable(&error))?;
        connection.execute_batch("pragma query_only = on;")?;
        spawn("journal-reader", move || {
            while let Some(read) = reads.blocking_recv() {
                read(&connection);
            }
        })?;
        Ok(Self { entries, reader, written, name: name.into() })
    }

    /// What tells this log from those of other nodes.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Appends a record; returns when it is on disk.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it is not, because too many wait or the disk refuses.
    pub async fn append(&self, bytes: Vec<u8>) -> Result<()> {
        let (done, answer) = oneshot::channel();
        self.entries
            .try_send(Entry::Record { bytes, done })
            .map_err(|_| Error::Unavailable("the journal cannot keep up".to_owned()))?;
        ended(answer.await)
    }

    /// The groups after `seq`, in order, until about `most` records have been gathered.
    ///
    /// # Errors
    /// As the disk says.
    pub async fn after(&self, seq: i64, most: usize) -> Result<Vec<Group>> {
        let (done, answer) = oneshot::channel();
        let read: Read = Box::new(move |connection| drop(done.send(groups(connection, seq, most))));
        self.reader.send(read).await.map_err(|_| Error::Unavailable("the journal has ended".to_owned()))?;
        ended(answer.await)
    }

    /// Forgets every group up to and with `through`.
    ///
    /// # Errors
    /// As the disk says.
    pub async fn trim(&self, through: i64) -> Result<()> {
        let (done, answer) = oneshot::channel();
        self.entries
            .send(Entry::Trim { through, done })
            .await
            .map_err(|_| Error::Unavailable("the journal has ended".to_owned()))?;
        ended(answer.await)
    }

    /// Waits until something was appended since the last call.
    pub async fn written(&self) {
        self.written.notified().await;
    }
}

fn ended<T>(answer: std::result::Result<Result<T>, oneshot::error::RecvError>) -> Result<T> {
    answer.map_err(|_| Error::Unavailable("the journal has ended".to_owned()))?
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map(drop).map_err(|error| Error::Unavailable(error.to_string()))
}

fn write(mut connection: Connection, gather: Duration, mut waiting: mpsc::Receiver<Entry>, written: &Notify) {
    while let Some(first) = waiting.blocking_recv() {
        if !gather.is_zero() {
            std::thread::sleep(gather);
        }
        let (mut body, mut records, mut done, mut trim) = (Vec::new(), 0_i64, Vec::new(), None);
        let mut next = Some(first);
        while let Some(entry) = next {
            match entry {
                Entry::Record { bytes, done: waits } => {
                    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                    body.extend_from_slice(&length.to_le_bytes());
                    body.extend_from_slice(&bytes);
                    records += 1;
                    done.push(waits);
                }
                Entry::Trim { through, done: waits } => {
                    trim = trim.max(Some(through));
                    done.push(waits);
                }
            }
            next = if body.len() < GROUP_BYTES { waiting.try_recv().ok() } else { None };
        }
        let outcome = commit(&mut connection, &body, records, trim);
        if let Err(error) = &outcome {
            tracing::error!(error = %error, "the journal could not be written");
        }
        let failed = outcome.err().map(|error| error.to_string());
        for waits in done {
            // Fails only if the client has gone.
            drop(waits.send(failed.clone().map_or(Ok(()), |error| Err(Error::Unavailable(error)))));
        }
        if failed.is_none() && records > 0 {
            written.notify_one();
        }
    }
}

fn commit(connection: &mut Connection, body: &[u8], records: i64, trim: Option<i64>) -> rusqlite::Result<()> {
    let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    if records > 0 {
        tx.prepare_cached("insert into journal (records, body) values (?1, ?2)")?
            .execute(params![records, body])?;
    }
    if let Some(through) = trim {
        tx.prepare_cached("delete from journal where seq <= ?1")?.execute([through])?;
    }
    tx.commit()
}

fn groups(connection: &Connection, seq: i64, most: usize) -> Result<Vec<Group>> {
    let mut statement =
        connection.prepare_cached("select seq, body from journal where seq > ?1 order by seq")?;
    let mut rows = statement.query([seq])?;
    let (mut found, mut gathered) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let body = row.get_ref(1)?.as_blob().map_err(|error| Error::Engine(error.to_string()))?;
        let group = Group { seq: row.get(0)?, records: split(body) };
        gathered += group.records.len();
        found.push(group);
        if gathered >= most {
            break;
        }
    }
    Ok(found)
}

fn split(mut body: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while let Some((length, rest)) = body.split_first_chunk::<LENGTH>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((record, rest)) = rest.split_at_checked(length) else { break };
        records.push(record.to_vec());
        body = rest;
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_appended_is_read_in_order_and_survives_the_process() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal.db");
        let journal = Journal::open(&path, Duration::ZERO).expect("opened");
        let name = journal.name().to_owned();
        for text in ["one", "", "three"] {
            journal.append(text.into()).await.expect("on disk");
        }
        drop(journal);
        let journal = Journal::open(&path, Duration::ZERO).expect("opened again");
        assert_eq!(journal.name(), name);
        let records = |groups: Vec<Group>| -> Vec<String> {
            let all = groups.into_iter().flat_map(|group| group.records);
            all.map(|record| String::from_utf8(record).expect("a text")).collect()
        };
        assert_eq!(records(journal.after(0, 100).await.expect("read")), ["one", "", "three"]);
        let first = journal.after(0, 1).await.expect("read").remove(0);
        journal.trim(first.seq).await.expect("trimmed");
        let rest = journal.after(0, 100).await.expect("read");
        assert!(rest.iter().all(|group| group.seq > first.seq));
    }

    #[tokio::test]
    async fn numbers_are_not_used_again_after_everything_was_trimmed() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = Journal::open(&folder.path().join("journal.db"), Duration::ZERO).expect("opened");
        journal.append(b"one".to_vec()).await.expect("on disk");
        let first = journal.after(0, 1).await.expect("read")[0].seq;
        journal.trim(first).await.expect("trimmed");
        journal.append(b"two".to_vec()).await.expect("on disk");
        assert!(journal.after(0, 1).await.expect("read")[0].seq > first);
    }

    #[tokio::test]
    async fn many_at_once_share_few_groups() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = Journal::open(&folder.path().join("journal.db"), Duration::ZERO).expect("opened");
        let appends = (0..200_u8).map(|n| {
            let journal = journal.clone();
            tokio::spawn(async move { journal.append(vec![n; 40]).await })
        });
        for append in appends.collect::<Vec<_>>() {
            append.await.expect("ended").expect("on disk");
        }
        let groups = journal.after(0, 1_000).await.expect("read");
        assert_eq!(groups.iter().map(|group| group.records.len()).sum::<usize>(), 200);
        assert!(groups.len() < 100, "{} groups", groups.len());
    }
}
