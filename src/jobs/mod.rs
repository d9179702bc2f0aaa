//! What happens later: facts become messages, messages are sent, time passes.
//!
//! Every piece of work is a row in the queue; a worker that dies leaves it to the next. [`run`] keeps at it: whoever commits
//! work rings ([`Tx::ring`](crate::storage::db::Tx::ring)), the bus carries it to every node ([`wake_on_news`]), and as a
//! safety net it looks by itself once a second. [`drain`] does everything that is due now, for tests and for the end.

mod acts;
pub mod calendars;
mod dispatch;
mod earlier;
pub mod held;
mod letters;
mod openings;
pub mod queue;
mod schedule;
mod send;
mod traffic;
mod trials;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

use crate::base::time::Clock;
use crate::chat::Room;
use crate::config::Retention;
use crate::crm;
use crate::hits::Words;
use crate::ingest;
use crate::notify::{self, Desk};
use crate::storage::Stores;
use crate::storage::bus::Wake;
use crate::storage::db::in_the_background;
use crate::storage::personal::Personal;
use crate::telemetry::metrics::Family;

/// The bus topic that wakes workers.
pub const WAKE: &str = "jobs";

/// Nothing waits longer than this for a look, whatever became of the wake-up.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the chores are asked whether their time has come.
const CHORES_EVERY: Duration = Duration::from_millis(250);
/// How long the end waits for what is being sent.
const LAST_WAIT: Duration = Duration::from_secs(20);

/// What became of messages, by channel, since this process began.
#[derive(Debug)]
pub struct Counts {
    /// They went out.
    pub sent: Family,
    /// Tries that failed and are followed by another.
    pub failed: Family,
    /// They were given up.
    pub dead: Family,
}

impl Default for Counts {
    fn default() -> Self {
        let family = || Family::new(notify::CHANNELS);
        Self { sent: family(), failed: family(), dead: family() }
    }
}

/// What workers work with.
#[derive(Clone)]
pub struct Worker {
    pub desk: Desk,
    pub room: Room,
    pub words: Arc<Words>,
    pub clock: Clock,
    /// How long people and what they did are kept.
    pub retention: Retention,
    /// The CRMs that are told of booked calls.
    pub crm: Arc<crm::Connections>,
    pub counts: Arc<Counts>,
}

/// The lists of personal tables that stand to the right of `privacy`: mails and lines, CRMs, and the queue.
pub fn later_tables() -> [&'static [Personal]; 3] {
    [queue::PERSONAL, crm::PERSONAL, notify::PERSONAL]
}

/// Carries every ring of this process's database to the workers of all nodes, as long as the process lives.
pub fn wake_on_news(stores: &Stores) {
    let (db, bus) = (stores.db.clone(), stores.bus.clone());
    tokio::spawn(async move {
        loop {
            db.rung().await;
            bus.publish(WAKE, "").await;
        }
    });
}

/// Works until `stop` says so.
pub async fn run(worker: Worker, stop: watch::Receiver<bool>) {
    let worker = Arc::new(worker);
    // Side by side: a chore that takes long keeps no message waiting.
    let work = async {
        tokio::join!(
            do_chores(&worker, stop.clone()),
            trials::work_on(&worker, stop.clone()),
            send_on(&worker, stop)
        )
    };
    in_the_background(work).await;
}

async fn do_chores(worker: &Arc<Worker>, mut stop: watch::Receiver<bool>) {
    let mut schedule = schedule::Schedule::default();
    while !*stop.borrow() {
        schedule.run_due(worker).await;
        tokio::select! {
            () = tokio::time::sleep(CHORES_EVERY) => {}
            _ = stop.changed() => {}
        }
    }
}

async fn send_on(worker: &Arc<Worker>, mut stop: watch::Receiver<bool>) {
    let mut wakes = worker.desk.stores.bus.subscribe();
    let mut sending = send::Sending::default();
    while !*stop.borrow() {
        match turn(worker, &mut sending).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::error!(error = %error, "a worker's turn failed"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = woken(&mut wakes) => {}
            _ = sending.ended() => {}
            _ = stop.changed() => {}
        }
    }
    let rest = async {
        while sending.is_busy() {
            sending.ended().await;
        }
    };
    if tokio::time::timeout(LAST_WAIT, rest).await.is_err() {
        tracing::warn!("something was still being sent at the end; it is tried again after the start");
    }
}

async fn woken(wakes: &mut broadcast::Receiver<Wake>) {
    loop {
        match wakes.recv().await {
            Ok(wake) if wake.topic == WAKE => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            // Only at the very end.
            Err(RecvError::Closed) => return std::future::pending().await,
        }
    }
}

/// One look at facts and at messages that are due; returns whether more may wait that there is room for.
async fn turn(worker: &Arc<Worker>, sending: &mut send::Sending) -> anyhow::Result<bool> {
    let told = dispatch::dispatch(worker).await?;
    let started = sending.start_due(worker).await?;
    Ok(told >= dispatch::BATCH || started > 0)
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
        did_something |= trials::work(&worker).await?;
        did_something |= send::send_due(&worker).await? > 0;
        if !did_something {
            return Ok(());
        }
    }
}
