//! Carries SQLite's log over to the file beside those who write.
//!
//! By itself SQLite does that in the commit that finds the log long: one of a hundred visitors would wait for thirty
//! megabytes of somebody else's. Here most of it is copied while others write, and only what came meanwhile in a turn of
//! the writer, so that the log begins anew with the next commit (<https://www.sqlite.org/wal.html#ckpt>, "passive").

use std::path::{Path, PathBuf};
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

fn carry(path: &PathBuf, turns: &Turns, told: &Receiver<()>) {
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
    use crate::storage::db::{Db, HITS};
    use crate::{params, sql};

    #[tokio::test]
    async fn the_log_is_carried_over_beside_those_who_write_and_begins_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = Db::open_sqlite(&folder.path().join("a.db"), HITS).await.expect("opens");
        let long = "x".repeat(3_000_000);
        // Three times as many pages as make it due.
        for n in 0..32_i64 {
            let mut tx = db.begin().await.expect("begins");
            let text = format!("{n}{long}");
            tx.execute(sql!("insert into words (id, text) values ($1, $2)"), params![n, text])
                .await
                .expect("written");
            tx.commit().await.expect("commits");
        }
        let log = folder.path().join("a.db-wal");
        let size = || std::fs::metadata(&log).expect("there").len();
        let (grown, file) = (size(), folder.path().join("a.db"));
        assert!(grown > 32 << 20, "{grown}");
        for _ in 0..100 {
            if std::fs::metadata(&file).expect("there").len() > 90 << 20 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert!(
            std::fs::metadata(&file).expect("there").len() > 90 << 20,
            "what stood in the log stands in the file"
        );
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let mut tx = db.begin().await.expect("begins");
        tx.execute(sql!("update words set text = 'short' where id = $1"), params![0]).await.expect("written");
        tx.commit().await.expect("commits");
        // As long as a log may stay that began anew.
        assert!(size() <= 64 << 20, "{} after {grown}", size());
    }
}
