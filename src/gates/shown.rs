//! How often forms are shown and begun: counted in this process, written down by the hour.

use std::ops::Add;

use super::store::shown as store;
use crate::base::hourly::{Hourly, hour};
use crate::base::time::Timestamp;
use crate::storage;
use crate::storage::db::{Db, Tx};

/// What a form, on a site, in an hour was counted for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Times that it was handed out.
    pub viewed: i64,
    /// Times that somebody began to fill it in.
    pub begun: i64,
    /// Times that it was sent and set apart.
    pub apart: i64,
}

impl Add for Counted {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            viewed: self.viewed + other.viewed,
            begun: self.begun + other.begun,
            apart: self.apart + other.apart,
        }
    }
}

/// A form, and the site on which it stands.
type Place = (String, String);

/// What was counted of each form and site, and is not written yet.
#[derive(Debug, Default)]
pub struct Tally {
    counted: Hourly<Place, Counted>,
}

impl Tally {
    /// Counts a form that was handed out.
    pub fn viewed(&self, form: &str, site: &str, at: Timestamp) {
        self.counted.count(place(form, site), at, Counted { viewed: 1, ..Counted::default() });
    }

    /// Counts a form that somebody begins to fill in.
    pub fn begun(&self, form: &str, site: &str, at: Timestamp) {
        self.counted.count(place(form, site), at, Counted { begun: 1, ..Counted::default() });
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

fn place(form: &str, site: &str) -> Place {
    (form.to_owned(), site.to_owned())
}

async fn write(db: &Db, counted: &[((Place, Timestamp), Counted)]) -> storage::Result<()> {
    let mut tx = db.begin().await?;
    for (((form, site), hour), what) in counted {
        store::add(&mut tx, form, site, *hour, *what).await?;
    }
    tx.commit().await
}

/// Counts a submission that is set apart, in the transaction that does so.
pub(super) async fn set_apart(tx: &mut Tx, form: &str, site: &str, at: Timestamp) -> storage::Result<()> {
    store::add(tx, form, site, hour(at), Counted { apart: 1, ..Counted::default() }).await
}
