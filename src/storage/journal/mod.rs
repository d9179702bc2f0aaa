//! A durable log of byte records on this machine's disk, written in groups.
//!
//! Whoever appends is answered when the record is on disk. One writer gathers what has come while the last group was
//! being written and flushes it at once (group commit), so that a flush of the disk is shared by all who wait for it.
//! Readers take groups in order and trim what they have carried elsewhere. Files are written over and not grown, because
//! a flush that has only data to write is half as dear as one that has to note the file's new length as well.

pub mod former;
mod segment;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, oneshot};

use self::segment::{First, Folder, SEGMENT_BYTES};
use super::{Error, Result};

/// Records that may wait for the writer; beyond it [`Journal::append`] refuses.
const WAITING_MOST: usize = 16_384;
/// How long another process that writes is waited for.
const BUSY: Duration = Duration::from_secs(5);
/// A group is closed at so many bytes.
const GROUP_BYTES: usize = 4 << 20;
/// The length before each record of a group, in bytes (little endian).
const LENGTH: usize = 4;
/// After a group of so many records it is worth waiting for more before the next one is written.
const MANY: u32 = 16;
/// How often it is looked meanwhile whether they have come.
const GATHER_STEP: Duration = Duration::from_micros(100);
/// From so many groups on that nobody has carried elsewhere yet, the writer gives way to whoever carries them.
const BEHIND: i64 = 2_000;
/// How long it rests before a group when twice as many wait; twice as long at three times as many, and so on.
const REST: Duration = Duration::from_millis(1);
/// The longest rest: also while nothing is carried at all, records are taken and groups only grow larger.
const LONGEST_REST: Duration = Duration::from_millis(8);

struct Entry {
    bytes: Vec<u8>,
    done: oneshot::Sender<Result<()>>,
}

/// Records that were committed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its place in the log; rises by one with each group and is never used again.
    pub seq: i64,
    records: u32,
    body: Vec<u8>,
}

impl Group {
    /// How many records it holds.
    pub fn len(&self) -> usize {
        as_length(self.records)
    }

    /// Whether it holds nothing, which no group does.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// The records, in the order in which they came.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        records(&self.body)
    }
}

fn as_length(records: u32) -> usize {
    usize::try_from(records).unwrap_or(usize::MAX)
}

fn records(mut body: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = body.split_first_chunk::<LENGTH>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (record, rest) = rest.split_at_checked(length)?;
        body = rest;
        Some(record)
    })
}

/// The log.
#[derive(Clone)]
pub struct Journal {
    entries: mpsc::Sender<Entry>,
    reader: mpsc::Sender<Read>,
    written: Arc<Notify>,
    progress: Arc<Progress>,
    name: Arc<str>,
}

type Read = Box<dyn FnOnce(&mut Reader) + Send>;

impl Journal {
    /// Opens (and makes, if need be) the log in the folder `path`. Under load the writer waits for as many
    /// records as the last time, `gather` at most; zero writes at once what has come.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the folder cannot be used.
    pub fn open(path: &Path, gather: Duration) -> Result<Self> {
        let unavailable = |error: std::io::Error| Error::Unavailable(format!("{}: {error}", path.display()));
        let folder = Folder::open(path).map_err(unavailable)?;
        let name = folder.name().map_err(unavailable)?;
        let first = folder.segments().map_err(unavailable)?.first().copied();
        let (_, _, last) = folder.end().map_err(unavailable)?;
        let progress = Progress { written: last.into(), done: first.map_or(last, |first| first - 1).into() };
        let progress = Arc::new(progress);
        let writer = Writer { folder: folder.clone(), progress: progress.clone(), place: None, lock: None };
        let (entries, waiting) = mpsc::channel(WAITING_MOST);
        let written = Arc::new(Notify::new());
        let woken = written.clone();
        spawn("journal-writer", move || write(writer, gather, waiting, &woken))?;
        let (reader, mut reads) = mpsc::channel::<Read>(16);
        let mut state = Reader { folder, progress: progress.clone(), place: None };
        spawn("journal-reader", move || {
            while let Some(read) = reads.blocking_recv() {
                read(&mut state);
            }
        })?;
        Ok(Self { entries, reader, written, progress, name: name.into() })
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
            .try_send(Entry { bytes, done })
            .map_err(|_| Error::Unavailable("the journal cannot keep up".to_owned()))?;
        answer.await.map_err(|_| ended())?
    }

    /// Groups that are written and that nobody has asked to read on from yet.
    pub fn waiting(&self) -> i64 {
        self.progress.waiting()
    }

    /// The groups after `seq`, in order, until about `most` records have been gathered.
    ///
    /// # Errors
    /// As the disk says.
    pub async fn after(&self, seq: i64, most: usize) -> Result<Vec<Group>> {
        self.progress.done.fetch_max(seq, Ordering::Relaxed);
        // Whoever has read further than has been written reads from a newer backup: numbers go on after that.
        self.progress.reach(seq);
        self.read(move |reader| reader.after(seq, most)).await
    }

    /// Forgets every group up to and with `through`, as far as no segment holds others, too.
    ///
    /// # Errors
    /// As the disk says.
    pub async fn trim(&self, through: i64) -> Result<()> {
        self.read(move |reader| reader.trim(through)).await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Reader) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (done, answer) = oneshot::channel();
        // Sending fails only if whoever asks has gone.
        let read: Read = Box::new(move |reader| drop(done.send(work(reader))));
        self.reader.send(read).await.map_err(|_| ended())?;
        answer
            .await
            .map_err(|_| ended())?
            .map_err(|error| Error::Unavailable(format!("the journal: {error}")))
    }

    /// Waits until something was appended since the last call.
    pub async fn written(&self) {
        self.written.notified().await;
    }
}

fn ended() -> Error {
    Error::Unavailable("the journal has ended".to_owned())
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map(drop).map_err(|error| Error::Unavailable(error.to_string()))
}

fn write(mut writer: Writer, gather: Duration, mut waiting: mpsc::Receiver<Entry>, written: &Notify) {
    let (mut group, mut records, mut done) = (Vec::new(), 0_u32, Vec::new());
    while let Some(first) = waiting.blocking_recv() {
        let rest = rest(writer.progress.waiting());
        if !rest.is_zero() {
            std::thread::sleep(rest);
        }
        // More records to a flush means less to do for each: as many as the last time are waited for, if they were many.
        let until = Instant::now() + gather;
        while records >= MANY && waiting.len() + 1 < as_length(records) && Instant::now() < until {
            std::thread::sleep(GATHER_STEP);
        }
        segment::begin(&mut group);
        records = 0;
        let mut next = Some(first);
        while let Some(Entry { bytes, done: waits }) = next {
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            group.extend_from_slice(&length.to_le_bytes());
            group.extend_from_slice(&bytes);
            records += 1;
            done.push(waits);
            next = if group.len() < GROUP_BYTES { waiting.try_recv().ok() } else { None };
        }
        let failed = writer.append(&mut group, records).err().map(|error| error.to_string());
        if let Some(error) = &failed {
            tracing::error!(error, "the journal could not be written");
        }
        for waits in done.drain(..) {
            // Fails only if the client has gone.
            drop(waits.send(failed.clone().map_or(Ok(()), |error| Err(Error::Unavailable(error)))));
        }
        if failed.is_none() {
            written.notify_one();
        }
    }
}

/// How long the writer rests before the next group while so many wait. Whoever appends is answered later by that much,
/// and the cores that it leaves go to whoever carries groups elsewhere: taking cannot run away from carrying for long.
fn rest(waiting: i64) -> Duration {
    let beyond = u32::try_from((waiting - BEHIND).max(0)).unwrap_or(u32::MAX);
    let behind = u32::try_from(BEHIND).unwrap_or(u32::MAX);
    (REST.saturating_mul(beyond) / behind).min(LONGEST_REST)
}

/// Writes groups into the newest segment.
struct Writer {
    folder: Folder,
    progress: Arc<Progress>,
    /// The newest segment, where the next group goes, and the last number there; nothing before the first group, and when
    /// the disk has refused something: what the file holds then nobody knows, and it is written to no more.
    place: Option<(File, u64, i64)>,
    /// Held by the one process that writes.
    lock: Option<File>,
}

impl Writer {
    fn append(&mut self, group: &mut [u8], records: u32) -> std::io::Result<()> {
        loop {
            let (mut place, mut last) = (self.place.take(), self.progress.written());
            if self.lock.is_none() {
                place = Some(self.begin()?);
                last = self.progress.written();
            }
            let (file, end) = match place {
                Some((file, end, there)) if there == last && end < SEGMENT_BYTES => (file, end),
                _ => (self.folder.add(last + 1)?, 0),
            };
            let seq = last + 1;
            segment::seal(group, seq, records);
            file.write_all_at(group, end)?;
            file.sync_data()?;
            self.place = Some((file, end + group.len() as u64, seq));
            // Somebody may have asked for what follows a higher number, and would pass over this one.
            if self.progress.wrote(seq) {
                return Ok(());
            }
        }
    }

    /// Waits until no other process writes, and goes on where it has ended.
    fn begin(&mut self) -> std::io::Result<(File, u64, i64)> {
        self.lock = Some(self.folder.lock(BUSY)?);
        let (file, end, last) = self.folder.end()?;
        self.progress.reach(last);
        Ok((file, end, last))
    }
}

/// How far the log has got.
#[derive(Debug)]
struct Progress {
    /// The last group that is on disk.
    written: AtomicI64,
    /// The last group that whoever reads has done with.
    done: AtomicI64,
}

impl Progress {
    fn written(&self) -> i64 {
        self.written.load(Ordering::Acquire)
    }

    fn waiting(&self) -> i64 {
        (self.written() - self.done.load(Ordering::Relaxed)).max(0)
    }

    /// Notes the next group; whether it was that.
    fn wrote(&self, seq: i64) -> bool {
        self.written.compare_exchange(seq - 1, seq, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Notes that all numbers up to this one are taken.
    fn reach(&self, seq: i64) {
        self.written.fetch_max(seq, Ordering::AcqRel);
    }
}

/// Where reading goes on.
struct Place {
    /// The next group.
    next: i64,
    /// The first group of its segment.
    first: First,
    file: File,
    at: u64,
}

/// Reads groups that are on disk, and forgets segments.
struct Reader {
    folder: Folder,
    progress: Arc<Progress>,
    place: Option<Place>,
}

impl Reader {
    fn after(&mut self, seq: i64, most: usize) -> std::io::Result<Vec<Group>> {
        let last = self.progress.written();
        let (mut found, mut gathered) = (Vec::new(), 0);
        let mut place = match self.place.take() {
            Some(place) if place.next == seq + 1 => place,
            _ => match self.find(seq)? {
                Some(place) => place,
                None => return Ok(found),
            },
        };
        while place.next <= last && gathered < most {
            if let Some((group, after)) = segment::read(&place.file, place.at, place.next)? {
                gathered += group.len();
                found.push(group);
                (place.next, place.at) = (place.next + 1, after);
                continue;
            }
            let Some(next) = self.segment_after(place.first)? else { return Ok(found) };
            if next.first > place.next {
                // Either they never were (numbers went on after a newer backup), or the disk has lost them.
                tracing::warn!(from = place.next, to = next.first, "the journal has a gap");
            }
            place = next;
        }
        self.place = Some(place);
        Ok(found)
    }

    /// The place of the first group after `seq`.
    fn find(&self, seq: i64) -> std::io::Result<Option<Place>> {
        let segments = self.folder.segments()?;
        let holds = segments.iter().rev().find(|first| **first <= seq + 1).or(segments.first());
        let Some(mut place) = holds.map(|first| self.begin_of(*first)).transpose()? else { return Ok(None) };
        while place.next <= seq {
            let Some((_, after)) = segment::read(&place.file, place.at, place.next)? else { break };
            (place.next, place.at) = (place.next + 1, after);
        }
        Ok(Some(place))
    }

    fn segment_after(&self, first: First) -> std::io::Result<Option<Place>> {
        let next = self.folder.segments()?.into_iter().find(|other| *other > first);
        next.map(|next| self.begin_of(next)).transpose()
    }

    fn begin_of(&self, first: First) -> std::io::Result<Place> {
        Ok(Place { next: first, first, file: self.folder.segment(first)?, at: 0 })
    }

    fn trim(&mut self, through: i64) -> std::io::Result<()> {
        self.progress.done.fetch_max(through, Ordering::Relaxed);
        let segments = self.folder.segments()?;
        // The newest stays: its name says which number comes next.
        for pair in segments.windows(2) {
            if let [first, next] = pair
                && *next <= through + 1
            {
                self.folder.spare(*first)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_writer_gives_way_when_much_waits_and_never_stops() {
        assert_eq!([0, BEHIND].map(rest), [Duration::ZERO; 2]);
        assert_eq!([2, 3].map(|times| rest(times * BEHIND)), [REST, 2 * REST]);
        assert_eq!([100 * BEHIND, i64::MAX].map(rest), [LONGEST_REST; 2]);
    }

    #[tokio::test]
    async fn what_was_appended_is_read_in_order_and_survives_the_process() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal");
        let journal = Journal::open(&path, Duration::ZERO).expect("opened");
        let name = journal.name().to_owned();
        for text in ["one", "", "three"] {
            journal.append(text.into()).await.expect("on disk");
        }
        drop(journal);
        let journal = Journal::open(&path, Duration::ZERO).expect("opened again");
        assert_eq!(journal.name(), name);
        let records = |groups: Vec<Group>| -> Vec<String> {
            let all = groups.iter().flat_map(Group::records);
            all.map(|record| String::from_utf8(record.to_vec()).expect("a text")).collect()
        };
        assert_eq!(records(journal.after(0, 100).await.expect("read")), ["one", "", "three"]);
        let first = journal.after(0, 1).await.expect("read").remove(0);
        journal.trim(first.seq).await.expect("trimmed");
        let rest = journal.after(first.seq, 100).await.expect("read");
        assert!(rest.iter().all(|group| group.seq > first.seq));
        assert_eq!(journal.waiting(), 2);
    }

    #[tokio::test]
    async fn segments_follow_one_another_and_those_that_are_done_with_are_used_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = Journal::open(folder.path(), Duration::ZERO).expect("opened");
        let (mut position, mut read) = (0, 0);
        let record = vec![7; usize::try_from(SEGMENT_BYTES / 3).expect("a size")];
        for _ in 0..10 {
            for _ in 0..4 {
                journal.append(record.clone()).await.expect("on disk");
            }
            for group in journal.after(position, 100).await.expect("read") {
                assert!(group.seq == position + 1 && group.records().all(|found| found == record));
                (position, read) = (group.seq, read + group.len());
            }
            journal.trim(position).await.expect("trimmed");
        }
        assert_eq!((read, journal.waiting()), (40, 0));
        let files = std::fs::read_dir(folder.path()).expect("listed").count();
        assert!(files <= 5, "{files} files: name, lock, a spare one and at most two that are in use");
    }

    #[tokio::test]
    async fn whoever_has_read_further_than_was_written_misses_nothing_that_comes() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = Journal::open(folder.path(), Duration::ZERO).expect("opened");
        journal.append(b"one".to_vec()).await.expect("on disk");
        assert!(journal.after(70, 9).await.expect("read").is_empty());
        journal.append(b"two".to_vec()).await.expect("on disk");
        let new = journal.after(70, 9).await.expect("read");
        assert_eq!(new.iter().map(|group| group.seq).collect::<Vec<_>>(), [71]);
        assert_eq!(journal.after(0, 9).await.expect("read").len(), 2);
    }

    #[tokio::test]
    async fn another_process_that_only_reads_is_not_in_the_way() {
        let folder = tempfile::tempdir().expect("a folder");
        let writes = Journal::open(folder.path(), Duration::ZERO).expect("opened");
        writes.append(b"one".to_vec()).await.expect("on disk");
        let reads = Journal::open(folder.path(), Duration::ZERO).expect("opened beside");
        assert_eq!(reads.after(0, 9).await.expect("read").len(), 1);
        writes.append(b"two".to_vec()).await.expect("on disk");
        assert_eq!(writes.after(1, 9).await.expect("read").len(), 1);
    }

    #[tokio::test]
    async fn numbers_are_not_used_again_after_everything_was_trimmed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal");
        let journal = Journal::open(&path, Duration::ZERO).expect("opened");
        journal.append(b"one".to_vec()).await.expect("on disk");
        let first = journal.after(0, 1).await.expect("read")[0].seq;
        journal.trim(first).await.expect("trimmed");
        drop(journal);
        let journal = Journal::open(&path, Duration::ZERO).expect("opened again");
        journal.append(b"two".to_vec()).await.expect("on disk");
        let rest = journal.after(first, 9).await.expect("read");
        assert_eq!(rest.iter().map(|group| group.seq).collect::<Vec<_>>(), [first + 1]);
    }

    #[tokio::test]
    async fn many_at_once_share_few_groups() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = Journal::open(&folder.path().join("journal"), Duration::ZERO).expect("opened");
        let appends = (0..200_u8).map(|n| {
            let journal = journal.clone();
            tokio::spawn(async move { journal.append(vec![n; 40]).await })
        });
        for append in appends.collect::<Vec<_>>() {
            append.await.expect("ended").expect("on disk");
        }
        let groups = journal.after(0, 1_000).await.expect("read");
        assert_eq!(groups.iter().map(|group| group.len()).sum::<usize>(), 200);
        assert!(groups.len() < 100, "{} groups", groups.len());
    }
}
