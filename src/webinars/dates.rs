//! When a webinar takes place as its registrants know it: moved, and called off.

use std::collections::BTreeSet;

use super::{Definition, Error, State, Webinar, lock_name, store};
use crate::base::time::Timestamp;
use crate::contacts;
use crate::events::{self, Event};
use crate::stages;
use crate::storage;
use crate::storage::db::{Db, Queries, Tx};

/// What registrants were told last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dates {
    /// How often the time changed: the `SEQUENCE` of calendar entries (RFC 5545, section 3.8.7.4).
    pub sequence: i64,
    /// When it was called off.
    pub cancelled_at: Option<Timestamp>,
    /// Why, in the words of whoever did it.
    pub reason: Option<String>,
}

/// What registrants of a webinar were told last.
///
/// # Errors
/// As the store says.
pub async fn dates(q: &mut impl Queries, webinar: &Webinar) -> storage::Result<Dates> {
    Ok(store::dates(q, &webinar.id).await?.map(|row| row.dates).unwrap_or_default())
}

/// Calls a webinar off before it begins: everybody who is registered is told. Doing it again changes nothing.
///
/// Returns how many were registered.
///
/// # Errors
/// [`Error::Over`] once it has begun.
pub async fn call_off(
    tx: &mut Tx,
    lifecycle: &stages::Definition,
    webinar: &Webinar,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<usize, Error> {
    tx.lock(&dates_lock(webinar)).await?;
    let known = store::dates(tx, &webinar.id).await?.map(|row| row.dates).unwrap_or_default();
    if known.cancelled_at.is_some() {
        return Ok(0);
    }
    if now >= webinar.starts_at {
        return Err(Error::Over);
    }
    let dates = Dates {
        sequence: known.sequence + 1,
        cancelled_at: Some(now),
        reason: reason.map(str::trim).filter(|reason| !reason.is_empty()).map(str::to_owned),
    };
    store::put_dates(tx, webinar, &dates).await?;
    let registered = store::still_registered(tx, &webinar.id).await?;
    let mut told = BTreeSet::new();
    for (contact, person) in registered {
        tx.lock(&lock_name(webinar, contact)).await?;
        let known = store::own(tx, &webinar.id, contact).await?;
        if known.is_none_or(|known| known.state != State::Registered) {
            continue;
        }
        store::put(tx, &webinar.id, contact, State::Cancelled, None, now).await?;
        // Whoever is two contacts in one is told once.
        if !told.insert(person) {
            continue;
        }
        let props = serde_json::json!({"by_us": true});
        contacts::record(tx, Some(contact), None, "webinar.cancelled", Some(&webinar.id), props, now).await?;
        let event = Event::WebinarCancelled { contact, webinar: webinar.id.clone(), by_us: true };
        events::append(tx, &event, now).await?;
        stages::evaluate(tx, lifecycle, contact, now).await?;
    }
    Ok(told.len())
}

/// Notes the times of the file, and tells registrants of a webinar whose time is another than they know.
///
/// It runs once after each start: while nodes with an old file and with a new one run side by side, they must not tell
/// people this and that in turns.
///
/// Returns how many webinars were moved.
///
/// # Errors
/// As the store says.
pub async fn follow(db: &Db, webinars: &Definition, now: Timestamp) -> Result<usize, Error> {
    let mut moved = 0;
    for webinar in webinars.webinars.iter().filter(|webinar| now < webinar.ends_at()) {
        let mut tx = db.begin().await?;
        tx.lock(&dates_lock(webinar)).await?;
        let known = store::dates(&mut tx, &webinar.id).await?;
        let is_same = known
            .as_ref()
            .is_some_and(|row| row.starts_at == webinar.starts_at && row.duration_ms == webinar.duration_ms);
        if is_same {
            continue;
        }
        let mut dates = known.as_ref().map(|row| row.dates.clone()).unwrap_or_default();
        if known.is_some() && dates.cancelled_at.is_none() {
            dates.sequence += 1;
            for (contact, _) in store::still_registered(&mut tx, &webinar.id).await? {
                let (webinar, sequence) = (webinar.id.clone(), dates.sequence);
                events::append(&mut tx, &Event::WebinarMoved { contact, webinar, sequence }, now).await?;
            }
            moved += 1;
        }
        store::put_dates(&mut tx, webinar, &dates).await?;
        tx.commit().await?;
    }
    Ok(moved)
}

fn dates_lock(webinar: &Webinar) -> String {
    format!("webinar-dates:{}", webinar.id)
}
