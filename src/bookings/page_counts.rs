//! How far people come on the booking page: opened, times shown, booked. Opened and shown are counted in this process and
//! written down by the hour; a call is counted with it, in its transaction.

use std::ops::Add;

use super::store::page_counts as store;
use crate::base::hourly::{Hourly, hour};
use crate::base::time::Timestamp;
use crate::storage;
use crate::storage::db::{Db, Tx};

/// What the page of a meeting was counted for in an hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Times that somebody came to it.
    pub opened: i64,
    /// Of these, those in which a time was free.
    pub shown: i64,
    /// Calls that were booked on it.
    pub booked: i64,
}

impl Add for Counted {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            opened: self.opened + other.opened,
            shown: self.shown + other.shown,
            booked: self.booked + other.booked,
        }
    }
}

/// What was counted of each meeting, and is not written yet.
#[derive(Debug, Default)]
pub struct PageCounts {
    counted: Hourly<String, Counted>,
}

impl PageCounts {
    /// Counts somebody who comes to the page of a meeting, and whether she finds a time there.
    pub fn opened(&self, meeting: &str, are_times_shown: bool, at: Timestamp) {
        let what = Counted { opened: 1, shown: i64::from(are_times_shown), booked: 0 };
        self.counted.count(meeting.to_owned(), at, what);
    }

    /// Writes down what was counted; what cannot be written is counted still.
    ///
    /// # Errors
    /// As the store says.
    pub async fn write(&self, db: &Db) -> storage::Result<()> {
        let counted = self.counted.take();
        if counted.is_empty() {
            return Ok(());
        }
        let written = write(db, &counted).await;
        if written.is_err() {
            self.counted.put_back(counted);
        }
        written
    }
}

async fn write(db: &Db, counted: &[((String, Timestamp), Counted)]) -> storage::Result<()> {
    let mut tx = db.begin().await?;
    for ((meeting, hour), what) in counted {
        store::add(&mut tx, meeting, *hour, *what).await?;
    }
    tx.commit().await
}

/// Counts a call that is booked on the page, in its transaction.
///
/// # Errors
/// As the store says.
pub async fn booked(tx: &mut Tx, meeting: &str, at: Timestamp) -> storage::Result<()> {
    store::add(tx, meeting, hour(at), Counted { booked: 1, ..Counted::default() }).await
}
