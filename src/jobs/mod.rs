//! What happens later: facts become messages, messages are sent, time passes.
//!
//! Every piece of work is a row in the queue; a worker that dies leaves it to the next. [`run`] keeps at it, woken by the
//! bus and looking by itself four times a second; [`drain`] does everything that is due now, for tests and for the end.

pub mod calendars;
mod dispatch;
mod letters;
pub mod queue;
mod schedule;
mod send;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

use crate::base::time::Clock;
use crate::chat::Room;
use crate::config::Retention;
use crate::hits::Words;
use crate::ingest;
use crate::notify::{self, Desk};
use crate::storage::personal::Personal;

/// The bus topic that wakes workers.
pub const WAKE: &str = "jobs";

/// Nothing waits longer than this for a look.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What workers work with.
#[derive(Clone)]
pub struct Worker {
    pub desk: Desk,
    pub room: Room,
    pub words: Arc<Words>,
    pub clock: Clock,
    /// How long people and what they did are kept.
    pub retention: Retention,
}

/// The lists of personal tables that stand to the right of `privacy`: mails and lines, and the queue.
pub fn later_tables() -> [&'static [Personal]; 2] {
    [queue::PERSONAL, notify::PERSONAL]
}

/// Works until `stop` says so.
pub async fn run(worker: Worker, mut stop: watch::Receiver<bool>) {
    let mut schedule = schedule::Schedule::default();
    let mut wakes = worker.desk.stores.bus.subscribe();
    let worker = Arc::new(worker);
    while !*stop.borrow() {
        if let Err(error) = turn(&worker, &mut schedule).await {
            tracing::error!(error = %error, "a worker's turn failed");
        }
        let woken = async {
            loop {
                match wakes.recv().await {
                    Ok(wake) if wake.topic == WAKE => break,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_) | RecvError::Closed) => break,
                }
            }
        };
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = woken => {}
            _ = stop.changed() => {}
        }
    }
}

/// One look at everything; returns whether anything was done.
async fn turn(worker: &Arc<Worker>, schedule: &mut schedule::Schedule) -> anyhow::Result<bool> {
    let mut did_something = schedule.run_due(worker).await;
    did_something |= dispatch::dispatch(worker).await? > 0;
    did_something |= send::send_due(worker).await? > 0;
    Ok(did_something)
}

/// Does everything that is due at this moment, and what follows from it, until nothing is left.
///
/// # Errors
/// As the stores say.
pub async fn drain(worker: &Worker) -> anyhow::Result<()> {
    let worker = Arc::new(worker.clone());
    loop {
        while ingest::drain(&worker.desk.stores, &worker.words).await? > 0 {}
        while ingest::read_on(&worker.desk.stores, &worker.words, &worker.desk.sites).await? > 0 {}
        let mut everything = schedule::Schedule::default();
        let mut did_something = everything.run_all(&worker).await?;
        did_something |= dispatch::dispatch(&worker).await? > 0;
        did_something |= send::send_due(&worker).await? > 0;
        if !did_something {
            return Ok(());
        }
    }
}
