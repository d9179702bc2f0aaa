//! Works out the trials of definitions that somebody asked for: one at a time on each server, beside everything else.

use std::sync::Arc;

use tokio::sync::watch;

use super::{LOOK_EVERY, Worker, woken};
use crate::stages::trial::kept;

/// Works out one trial, if one waits; returns whether one did.
pub(super) async fn work(worker: &Worker) -> anyhow::Result<bool> {
    let (desk, bus) = (&worker.desk, worker.desk.stores.bus.clone());
    let told = move |id: String| {
        let bus = bus.clone();
        tokio::spawn(async move { bus.publish(&format!("{}{id}", kept::TOPIC), "").await });
    };
    Ok(kept::work(&desk.stores.db, &desk.lifecycle, &worker.clock, &told).await?)
}

/// Works until `stop` says so; what is left in the middle then is taken up by whoever comes next.
pub(super) async fn work_on(worker: &Arc<Worker>, mut stop: watch::Receiver<bool>) {
    let mut wakes = worker.desk.stores.bus.subscribe();
    while !*stop.borrow() {
        tokio::select! {
            done = work(worker) => match done {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::error!(error = %error, "a trial of a definition failed"),
            },
            _ = stop.changed() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = woken(&mut wakes) => {}
            _ = stop.changed() => {}
        }
    }
}
