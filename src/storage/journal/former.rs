//! Takes over what waits in the SQLite file that the journal was until November 2026.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::Journal;
use crate::storage::{Error, Result};

/// Appends every record of the file at `path` and removes it; what had been carried already is known by its id.
///
/// # Errors
/// [`Error`] if it cannot be read or appended; then it stays.
pub async fn take_over(journal: &Journal, path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let groups = read(path)?;
    for group in groups {
        for record in super::records(&group) {
            journal.append(record.to_vec()).await?;
        }
    }
    for ending in ["", "-wal", "-shm"] {
        let file = format!("{}{ending}", path.display());
        match fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::Unavailable(format!("{file}: {error}")));
            }
            _ => {}
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<Vec<u8>>> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mut statement = connection.prepare("select body from journal order by seq")?;
    let groups = statement.query_map([], |row| row.get(0))?.collect::<std::result::Result<_, _>>()?;
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::storage::journal::Group;

    #[tokio::test]
    async fn what_waits_is_appended_in_its_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("journal.db");
        let old = Connection::open(&file).expect("opened");
        old.execute_batch("create table journal (seq integer primary key, records integer, body blob)")
            .expect("made");
        for body in [&b"\x03\0\0\0one\x03\0\0\0two"[..], b"\x05\0\0\0three"] {
            old.execute("insert into journal (records, body) values (0, ?1)", [body]).expect("written");
        }
        drop(old);
        let journal = Journal::open(&folder.path().join("journal"), Duration::ZERO).expect("opened");
        take_over(&journal, &file).await.expect("taken over");
        let groups = journal.after(0, 9).await.expect("read");
        let records: Vec<&[u8]> = groups.iter().flat_map(Group::records).collect();
        assert_eq!(records, [&b"one"[..], b"two", b"three"]);
        assert!(!file.exists());
        take_over(&journal, &file).await.expect("nothing to do");
    }
}
