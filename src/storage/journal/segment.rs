//! The files of the log: groups one after the other in segments, each group with its length, checksum and number.
//!
//! A segment is named after the number of its first group. What follows the last whole group of a segment is nothing: the
//! rest of a write that was interrupted, or what an earlier use of the file has left. Neither is taken for a group, since
//! its checksum is wrong or its number is not the next.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Group;

/// A segment that has grown so long is followed by the next.
pub(super) const SEGMENT_BYTES: u64 = 8 << 20;
/// Length of the body and checksum of all that follows it (four bytes each), number (eight), how many records (four).
const HEAD: usize = 20;
/// No group is longer; a length beyond it was never written by us.
const BODY_MOST: u32 = 64 << 20;
const ENDING: &str = "log";
/// The name of a file that may be written over.
const SPARE: &str = "spare";

/// The groups of one segment begin with this number.
pub(super) type First = i64;

/// The bytes of a group; `bytes` holds the body after [`HEAD`] empty bytes.
pub(super) fn seal(bytes: &mut [u8], seq: i64, records: u32) {
    let length = u32::try_from(bytes.len().saturating_sub(HEAD)).unwrap_or(u32::MAX);
    let Some((head, _)) = bytes.split_first_chunk_mut::<HEAD>() else { return };
    head[..4].copy_from_slice(&length.to_le_bytes());
    head[8..16].copy_from_slice(&seq.to_le_bytes());
    head[16..].copy_from_slice(&records.to_le_bytes());
    let sum = crc32fast::hash(bytes.get(8..).unwrap_or_default());
    if let Some(place) = bytes.get_mut(4..8) {
        place.copy_from_slice(&sum.to_le_bytes());
    }
}

/// Room for the head of a group, to which the body is added.
pub(super) fn begin(bytes: &mut Vec<u8>) {
    bytes.clear();
    bytes.resize(HEAD, 0);
}

/// Length and checksum, number, records.
fn head_of(head: &[u8; HEAD]) -> (u32, u32, i64, u32) {
    let four = |at: usize| head.get(at..at + 4).and_then(|four| four.try_into().ok()).unwrap_or_default();
    let eight = head.get(8..16).and_then(|eight| eight.try_into().ok()).unwrap_or_default();
    (
        u32::from_le_bytes(four(0)),
        u32::from_le_bytes(four(4)),
        i64::from_le_bytes(eight),
        u32::from_le_bytes(four(16)),
    )
}

/// The group number `seq` at `at`, and where the next one begins; nothing if it is not there.
///
/// # Errors
/// As the disk says.
pub(super) fn read(file: &File, at: u64, seq: i64) -> io::Result<Option<(Group, u64)>> {
    let mut bytes = vec![0; HEAD];
    if !fill(file, &mut bytes, at)? {
        return Ok(None);
    }
    let Some((length, sum, found, records)) = bytes.first_chunk::<HEAD>().map(head_of) else {
        return Ok(None);
    };
    if found != seq || length > BODY_MOST {
        return Ok(None);
    }
    let whole = HEAD + usize::try_from(length).unwrap_or(usize::MAX);
    bytes.resize(whole, 0);
    let is_there = fill(file, bytes.get_mut(HEAD..).unwrap_or_default(), at + HEAD as u64)?;
    if !is_there || crc32fast::hash(bytes.get(8..).unwrap_or_default()) != sum {
        return Ok(None);
    }
    bytes.drain(..HEAD);
    Ok(Some((Group { seq, records, body: bytes }, at + whole as u64)))
}

/// Fills `bytes` from the file; whether there were so many.
fn fill(file: &File, bytes: &mut [u8], at: u64) -> io::Result<bool> {
    match file.read_exact_at(bytes, at) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// The folder of the segments.
#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Takes (and makes, if need be) a folder.
    ///
    /// # Errors
    /// As the disk says.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Ok(Self(path.to_owned()))
    }

    /// What the folder is called by those who note how far they have read; drawn when it is opened for the first time.
    ///
    /// # Errors
    /// As the disk says.
    pub(super) fn name(&self) -> io::Result<String> {
        let path = self.0.join("name");
        match fs::read_to_string(&path) {
            Ok(name) if !name.trim().is_empty() => Ok(name.trim().to_owned()),
            Ok(_) => self.draw_name(&path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.draw_name(&path),
            Err(error) => Err(error),
        }
    }

    fn draw_name(&self, path: &Path) -> io::Result<String> {
        let name = uuid::Uuid::now_v7().to_string();
        let new = self.0.join("name.new");
        fs::write(&new, &name)?;
        File::open(&new)?.sync_all()?;
        fs::rename(new, path)?;
        self.sync()?;
        Ok(name)
    }

    /// The segments that there are, in order.
    ///
    /// # Errors
    /// As the disk says.
    pub(super) fn segments(&self) -> io::Result<Vec<First>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == ENDING) {
                found.extend(path.file_stem().and_then(|stem| stem.to_str()?.parse::<First>().ok()));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// The newest segment (made, if there is none), where its last whole group ends, and the number of that one.
    ///
    /// # Errors
    /// As the disk says.
    pub(super) fn end(&self) -> io::Result<(File, u64, i64)> {
        let (first, file) = match self.segments()?.last() {
            Some(first) => (*first, self.segment(*first)?),
            None => (1, self.add(1)?),
        };
        // What a process wrote that was killed before it was flushed is there for us, and has to stay.
        file.sync_data()?;
        let (mut next, mut end) = (first, 0);
        while let Some((_, after)) = read(&file, end, next)? {
            (next, end) = (next + 1, after);
        }
        Ok((file, end, next - 1))
    }

    /// The right to write, as soon as nobody else has it.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if somebody has it all the time, or as the disk says.
    pub(super) fn lock(&self, wait: Duration) -> io::Result<File> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(self.0.join("lock"))?;
        let until = Instant::now() + wait;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(fs::TryLockError::WouldBlock) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(fs::TryLockError::WouldBlock) => {
                    let problem = format!("another process writes to {}", self.0.display());
                    return Err(io::Error::new(io::ErrorKind::WouldBlock, problem));
                }
                Err(fs::TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// A segment for reading and writing.
    ///
    /// # Errors
    /// As the disk says; also if there is none.
    pub(super) fn segment(&self, first: First) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(self.path(first))
    }

    /// Makes a segment, out of a file that is no longer needed where there is one: its blocks are allocated, so that writing
    /// over them changes nothing else on the disk.
    ///
    /// # Errors
    /// As the disk says.
    pub(super) fn add(&self, first: First) -> io::Result<File> {
        let path = self.path(first);
        if fs::rename(self.0.join(SPARE), &path).is_err() {
            OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
        }
        self.sync()?;
        self.segment(first)
    }

    /// Puts a segment aside for [`add`](Folder::add).
    ///
    /// # Errors
    /// As the disk says.
    pub(super) fn spare(&self, first: First) -> io::Result<()> {
        let spare = self.0.join(SPARE);
        if spare.exists() { fs::remove_file(self.path(first)) } else { fs::rename(self.path(first), spare) }
    }

    fn path(&self, first: First) -> PathBuf {
        self.0.join(format!("{first:019}.{ENDING}"))
    }

    /// Names are on disk when the folder is.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(seq: i64, text: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        begin(&mut bytes);
        bytes.extend_from_slice(text);
        seal(&mut bytes, seq, 1);
        bytes
    }

    #[test]
    fn a_group_is_read_only_if_it_is_whole_and_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(folder.path()).expect("opened");
        let file = folder.add(7).expect("made");
        let (one, two) = (group(7, b"one"), group(8, b"two"));
        file.write_all_at(&[one.clone(), two.clone()].concat(), 0).expect("written");
        let (group, next) = read(&file, 0, 7).expect("read").expect("there");
        assert_eq!((group.body.as_slice(), next), (&b"one"[..], one.len() as u64));
        assert!(read(&file, next, 8).expect("read").is_some());
        assert!(read(&file, next, 9).expect("read").is_none(), "left by an earlier use");
        for at in 0..two.len() {
            let mut torn = two.clone();
            torn[at] ^= 1;
            file.write_all_at(&torn, next).expect("written");
            assert!(read(&file, next, 8).expect("read").is_none(), "byte {at}");
        }
        file.set_len(next + two.len() as u64 - 1).expect("cut");
        assert!(read(&file, next, 8).expect("read").is_none(), "broken off");
    }

    #[test]
    fn a_segment_that_was_put_aside_is_used_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(folder.path()).expect("opened");
        folder.add(1).expect("made").write_all_at(&group(1, b"one"), 0).expect("written");
        folder.spare(1).expect("put aside");
        let again = folder.add(2).expect("made");
        assert!(again.metadata().expect("a file").len() > 0);
        assert!(read(&again, 0, 2).expect("read").is_none());
        assert_eq!(folder.segments().expect("listed"), [2]);
    }
}
