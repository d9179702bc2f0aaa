//! Keeps everything that reads the rows in step with them.

use std::time::Duration;

use tokio::sync::watch;

use super::{project, traffic};
use crate::hits::Words;
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
    let told = project::project(stores, words).await?;
    Ok(told + traffic::count(&stores.hits, words, sites).await?)
}

/// Reads whatever comes until `stop` says so. Several nodes may: one at a time does the work.
pub async fn follow(stores: &Stores, words: &Words, sites: &Sites, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let pause = match read_on(stores, words, sites).await {
            Ok(0) => LOOK_EVERY,
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
