//! Carries SQLite's log over to the file beside those who write.
//!
//! By itself SQLite does that in the commit that finds the log long: one of a hundred visitors would wait for thirty
//! megabytes of somebody else's. Here most of it is copied while others write, and only what came meanwhile in a turn of
//! the writer, so that the log begins anew with the next commit (<https://www.sqlite.org/wal.html#ckpt>, "passive").

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use rusqlite::hooks::Wal;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::Mutex;

use super::Thread;
use crate::storage::{Error, Result};

/// It is time at so many pages of 4 KiB in the log.
const PAGES: i32 = 8_000;
/// At so many the commit does it after all: the disk must not fill up because nobody else came to it.
const PAGES_MOST: i32 = 16 * PAGES;
/// A reader who stays long keeps the log from beginning anew: how soon it is tried once more.
const PAUSE: Duration = Duration::from_millis(200);

/// Where the writer is asked for.
pub struct Turns {
    pub background: Arc<Mutex<()>>,
    pub writer: Weak<Mutex<Thread>>,
    /// Held while others write and the log is carried over.
    pub copying: Arc<std::sync::Mutex<()>>,
}

/// Tells `due` whenever a commit of this connection leaves the log long.
pub fn watch(connection: &mut Connection, due: SyncSender<()>) -> Result<()> {
    let hook = move |log: &mut Wal, pages: i32| {
        if pages >= PAGES_MOST {
            return log.checkpoint();
        }
        if pages >= PAGES {
            // Somebody who has not come yet was told already.
            let _ = due.try_send(());
        }
        Ok(())
    };
    Ok(connection.wal_hook(Some(hook))?)
}

/// Starts the thread that carries the log over. It ends with the last of those who may tell it.
pub fn start(path: &Path, turns: Turns) -> Result<SyncSender<()>> {
    let (due, told) = sync_channel(1);
    let path = path.to_owned();
    std::thread::Builder::new()
        .name("sqlite-checkpoint".to_owned())
        .spawn(move || carry(&path, &turns, &told))
        .map_err(|error| Error::Unavailable(error.to_string()))?;
    Ok(due)
}

fn carry(path: &Path, turns: &Turns, told: &Receiver<()>) {
    while told.recv().is_ok() {
        if let Err(error) = carry_once(path, turns) {
            // The log stays; the next commit tells again.
            tracing::warn!(error = %error, "the log could not be carried over");
        }
        std::thread::sleep(PAUSE);
    }
}

fn carry_once(path: &Path, turns: &Turns) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    let copying = turns.copying.lock().unwrap_or_else(PoisonError::into_inner);
    connection.execute_batch("pragma wal_checkpoint(passive)")?;
    drop(copying);
    let _background = turns.background.blocking_lock();
    let Some(writer) = turns.writer.upgrade() else { return Ok(()) };
    let _writer = writer.blocking_lock();
    connection.execute_batch("pragma wal_checkpoint(passive)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::db::sqlite::open;

    fn size(of: &Path) -> u64 {
        std::fs::metadata(of).map_or(0, |file| file.len())
    }

    #[test]
    fn a_long_log_is_told_of_and_carried_over_and_begins_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, log) = (folder.path().join("a.db"), folder.path().join("a.db-wal"));
        let mut connection = open(&file, false).expect("opens");
        let (due, told) = sync_channel(1);
        watch(&mut connection, due).expect("watched");
        connection.execute_batch("create table texts (text text)").expect("made");
        assert!(told.try_recv().is_err(), "a short log stays where it is");
        let long = "x".repeat(3 << 20);
        while told.try_recv().is_err() {
            assert!(size(&log) < 200 << 20, "nobody was told");
            connection.execute("insert into texts values (?1)", [&long]).expect("written");
        }
        let (before, grown) = (size(&file), size(&log));
        assert!(grown > 30 << 20, "told too early: {grown}");

        let writer = Arc::new(Mutex::new(Thread::start("writer", connection).expect("starts")));
        let turns =
            Turns { background: Arc::default(), writer: Arc::downgrade(&writer), copying: Arc::default() };
        carry_once(&file, &turns).expect("carried over");
        assert!(size(&file) > before + (30 << 20), "{} after {before}", size(&file));

        // What is written next stands at the log's begin, so it does not grow.
        let (tell, written) = sync_channel(1);
        writer.blocking_lock().post(Box::new(move |connection| {
            drop(tell.send(connection.execute("insert into texts values ('short')", []).map(drop)));
        }));
        written.recv().expect("an answer").expect("written");
        assert_eq!(size(&log), grown);
    }
}
