//! Whoever found no free time is told when one opens: she leaves the list and the mail is planned in one transaction.

use super::{Worker, queue};
use crate::base::time::Timestamp;
use crate::bookings::{self, openings};
use crate::notify::{Mail, Work};

/// Tells everybody whose turn it is; returns how many.
pub(super) async fn tell(worker: &Worker, now: Timestamp) -> anyhow::Result<u64> {
    let (desk, db) = (&worker.desk, &worker.desk.stores.db);
    let mut told = 0;
    for wish in openings::due(&mut db.read(), &desk.team, desk.earlier, now).await? {
        let mut tx = db.begin().await?;
        if !openings::tell(&mut tx, &wish, now).await? {
            continue;
        }
        let mail = Mail::BookingOpening { contact: wish.contact, meeting: wish.meeting.clone() };
        let key = format!("opening:{}:{}:{}", wish.meeting, wish.contact, wish.since.as_ms());
        queue::enqueue(&mut tx, "notify", &key, &serde_json::to_value(Work::Mail { mail })?, now, now)
            .await?;
        tx.commit().await?;
        told += 1;
    }
    Ok(told)
}

/// Forgets the wishes that do not stand any more.
pub(super) async fn forget(worker: &Worker, now: Timestamp) -> bookings::Result<bool> {
    let mut tx = worker.desk.stores.db.begin().await?;
    let forgotten = openings::forget(&mut tx, now).await?;
    tx.commit().await?;
    Ok(forgotten > 0)
}
