//! Every connected calendar has one job that is never done: it reads the calendar and waits for the next time.

use crate::base::ids::CalendarId;
use crate::base::time::Timestamp;
use crate::bookings::calendars;
use crate::notify::Work;
use crate::storage::Result;
use crate::storage::db::Tx;

use super::{Worker, queue};

/// Jobs of their own kind, so that they do not stand among the messages that wait.
const KIND: &str = "calendar";

fn key(calendar: CalendarId) -> String {
    format!("calendar:{calendar}")
}

/// Connects what `team.yaml` names, sees to it that every calendar has its job, and that what was written into calendars is
/// put right. Returns whether anything had to be done.
pub(super) async fn tend(worker: &Worker, now: Timestamp) -> Result<bool> {
    let desk = &worker.desk;
    let mut tx = desk.stores.db.begin().await?;
    let mut had_to = calendars::follow(&mut tx, &desk.keys, &desk.team, now).await?;
    for calendar in calendars::all(&mut tx).await? {
        had_to |= keep(&mut tx, calendar, now).await?;
    }
    for (booking, sequence) in calendars::to_write_again(&mut tx).await? {
        let key = format!("calendar-write:{booking}:{sequence}");
        queue::enqueue(&mut tx, "notify", &key, &payload(&Work::WriteCall { booking }), now, now).await?;
    }
    tx.commit().await?;
    Ok(had_to)
}

fn payload(work: &Work) -> serde_json::Value {
    serde_json::to_value(work).expect("work is made of texts and numbers")
}

/// Sees to it that a calendar is read.
///
/// # Errors
/// As the store says.
pub async fn keep(tx: &mut Tx, calendar: CalendarId, now: Timestamp) -> Result<bool> {
    queue::keep(tx, KIND, &key(calendar), &payload(&Work::ReadCalendar { calendar }), now, now).await
}

/// Sees to it that a calendar is read now.
///
/// # Errors
/// As the store says.
pub async fn read_now(tx: &mut Tx, calendar: CalendarId, now: Timestamp) -> Result<()> {
    keep(tx, calendar, now).await?;
    queue::hasten(tx, &key(calendar), now).await
}
