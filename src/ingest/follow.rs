//! Keeps everything that reads the rows in step with them.

use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard, watch};

use super::drain::gather_after;
use super::traffic::Recent;
use super::{project, traffic};
use crate::hits::{self, Words};
use crate::sites::Sites;
use crate::storage::{Result, Stores};

/// How often it is looked whether rows have come.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// After a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Reads a batch for the journey and one for the counts; returns how many rows that were. Call again while it is not 0.
///
/// # Errors
/// As the stores say; what was not written is read again.
pub async fn read_on(stores: &Stores, words: &Words, sites: &Sites) -> Result<usize> {
    read(stores, words, sites, &mut Recent::default()).await
}

async fn read(stores: &Stores, words: &Words, sites: &Sites, recent: &mut Recent) -> Result<usize> {
    let (told, counted) =
        (project::position(stores).await?, hits::cursor(&stores.hits, traffic::CURSOR).await?);
    let lines = hits::lines_after(&stores.hits, told.min(counted), traffic::BATCH).await?;
    let after = |position: i64| {
        let from = lines.partition_point(|line| line.seq <= position);
        lines.get(from..).unwrap_or_default()
    };
    let projected = project::project(stores, words, told, after(told)).await?;
    Ok(projected + traffic::count_lines(&stores.hits, words, sites, counted, after(counted), recent).await?)
}

/// What is needed to carry hits into rows and to keep everything in step with these.
#[derive(Clone, Copy)]
pub struct Following<'a> {
    pub stores: &'a Stores,
    pub words: &'a Words,
    pub sites: &'a Sites,
    pub follower: &'a Follower,
}

/// The visits that whoever counts in this process remembers. One at a time counts.
#[derive(Default)]
pub struct Follower(Mutex<Recent>);

impl Follower {
    pub(super) async fn lock(&self) -> MutexGuard<'_, Recent> {
        self.0.lock().await
    }
}

/// Reads whatever comes until `stop` says so. Several nodes may: one at a time does the work.
pub async fn follow(following: Following<'_>, mut stop: watch::Receiver<bool>) {
    let Following { stores, words, sites, follower } = following;
    while !*stop.borrow() {
        let outcome = read(stores, words, sites, &mut *follower.lock().await).await;
        let pause = match outcome {
            Ok(0) => LOOK_EVERY,
            Ok(rows) if i64::try_from(rows).is_ok_and(|rows| rows < traffic::BATCH) => gather_after(rows),
            Ok(_) => continue,
            Err(error) => {
                tracing::error!(error = %error, "visits and counts lag behind: the rows cannot be read");
                PAUSE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.changed() => {}
        }
    }
}
