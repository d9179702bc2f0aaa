//! Whoever waits for an earlier time is asked when one is given back: the time is kept and the mail planned in one
//! transaction.

use super::{Worker, queue};
use crate::base::time::Timestamp;
use crate::bookings::{self, Desk, earlier};
use crate::notify::{Mail, Work};

/// Asks everybody for whom there is something, whoever came first first; returns how many.
pub(super) async fn ask(worker: &Worker, now: Timestamp) -> anyhow::Result<u64> {
    let (desk, db, terms) = (&worker.desk, &worker.desk.stores.db, worker.desk.earlier);
    let lifecycle = desk.lifecycle.clone();
    let bookings = Desk { team: &desk.team, lifecycle: &lifecycle };
    let mut asked = 0;
    for waiting in earlier::queue(&mut db.read(), now).await? {
        // Looked for without a lock; whether it can still be had is seen under it.
        let Some(starts_at) = earlier::next(&mut db.read(), bookings, &waiting, terms, now).await? else {
            continue;
        };
        let mut tx = db.begin().await?;
        let Some(offer) = earlier::offer(&mut tx, bookings, &waiting, starts_at, terms, now).await? else {
            continue;
        };
        let work = serde_json::to_value(Work::Mail { mail: Mail::BookingEarlier { offer } })?;
        queue::enqueue(&mut tx, "notify", &format!("earlier:{offer}"), &work, now, now).await?;
        tx.commit().await?;
        asked += 1;
    }
    Ok(asked)
}

/// Forgets what was given back and is past.
pub(super) async fn forget_past(worker: &Worker, now: Timestamp) -> bookings::Result<bool> {
    let mut tx = worker.desk.stores.db.begin().await?;
    let forgotten = earlier::forget_past(&mut tx, now).await?;
    tx.commit().await?;
    Ok(forgotten > 0)
}
