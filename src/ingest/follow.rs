//! Keeps everything that reads the rows in step with them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

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

/// The bus topic on which it is told that visits have gone on.
pub const PULSE: &str = "live";
/// It is told so often at most.
const PULSE_MS: u64 = 250;

/// The visits that whoever counts in this process remembers. One at a time counts.
pub struct Follower {
    recent: Mutex<Recent>,
    /// Whether visits have gone on since it was told.
    has_news: AtomicBool,
    /// When it was told last, in milliseconds since the start.
    told_ms: AtomicU64,
    began: Instant,
}

impl Default for Follower {
    fn default() -> Self {
        Self {
            recent: Mutex::default(),
            has_news: AtomicBool::new(false),
            told_ms: AtomicU64::new(0),
            began: Instant::now(),
        }
    }
}

impl Follower {
    pub(super) async fn lock(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().await
    }

    /// Visits have gone on.
    pub(super) fn stir(&self) {
        self.has_news.store(true, Ordering::Relaxed);
    }

    /// Tells it, if there is something to tell and it was not told just now: however many hits come, consoles are woken a
    /// few times a second.
    pub(super) async fn pulse(&self, stores: &Stores) {
        let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let told_ms = self.told_ms.load(Ordering::Relaxed);
        let is_due = told_ms == 0 || now_ms.saturating_sub(told_ms) >= PULSE_MS;
        if is_due && self.has_news.swap(false, Ordering::Relaxed) {
            self.told_ms.store(now_ms.max(1), Ordering::Relaxed);
            stores.bus.publish(PULSE, "").await;
        }
    }
}

/// Reads whatever comes until `stop` says so. Several nodes may: one at a time does the work.
pub async fn follow(following: Following<'_>, mut stop: watch::Receiver<bool>) {
    let Following { stores, words, sites, follower } = following;
    while !*stop.borrow() {
        let outcome = read(stores, words, sites, &mut *follower.lock().await).await;
        if outcome.as_ref().is_ok_and(|rows| *rows > 0) {
            follower.stir();
        }
        follower.pulse(stores).await;
        let pause = match outcome {
            Ok(0) => LOOK_EVERY,
            Ok(rows) if i64::try_from(rows).is_ok_and(|rows| rows < traffic::BATCH) => gather_after(rows),
            Ok(_) => continue,
            Err(error) => {
                tracing::error!(error = %error, "visits and counts lag behind: the rows cannot be read");
                PAUSE
            }
        };
        let over = tokio::time::Instant::now() + pause;
        // What could not be told at once is told as soon as it may be, however long nobody reads.
        while tokio::time::Instant::now() < over {
            let step = over.min(tokio::time::Instant::now() + LOOK_EVERY);
            tokio::select! {
                () = tokio::time::sleep_until(step) => follower.pulse(stores).await,
                _ = stop.changed() => break,
            }
        }
    }
}
