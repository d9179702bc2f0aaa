//! How often forms are shown and begun: counted in this process, written down by the hour.
//!
//! Who it was is never kept, so nothing of it is anybody's. Numbers that a process has not written when it is killed are
//! lost: they are an aid to judge a form by, and nobody was told that they are safe (docs/decisions/0037).

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::store::shown as store;
use crate::base::time::{HOUR_MS, Timestamp};
use crate::storage;
use crate::storage::db::{Db, Tx};

/// Forms, sites and hours that are remembered until they are written: more than there are.
const MOST: usize = 100_000;

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

impl Counted {
    fn and(self, other: Self) -> Self {
        Self {
            viewed: self.viewed + other.viewed,
            begun: self.begun + other.begun,
            apart: self.apart + other.apart,
        }
    }
}

/// A form, a site, and the first moment of an hour.
type Place = (String, String, Timestamp);

/// What was counted and is not written yet.
#[derive(Debug, Default)]
pub struct Tally {
    counted: Mutex<BTreeMap<Place, Counted>>,
}

fn hour(at: Timestamp) -> Timestamp {
    at.plus_ms(-at.as_ms().rem_euclid(HOUR_MS))
}

impl Tally {
    /// Counts a form that was handed out.
    pub fn viewed(&self, form: &str, site: &str, at: Timestamp) {
        self.count(form, site, at, Counted { viewed: 1, ..Counted::default() });
    }

    /// Counts a form that somebody begins to fill in.
    pub fn begun(&self, form: &str, site: &str, at: Timestamp) {
        self.count(form, site, at, Counted { begun: 1, ..Counted::default() });
    }

    fn count(&self, form: &str, site: &str, at: Timestamp, what: Counted) {
        self.put(vec![((form.to_owned(), site.to_owned(), hour(at)), what)]);
    }

    fn put(&self, counted: Vec<(Place, Counted)>) {
        // Whoever panicked while holding it has not left it half-written: entries are whole numbers.
        let mut all = self.counted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (place, what) in counted {
            if all.len() < MOST || all.contains_key(&place) {
                let known = all.entry(place).or_default();
                *known = known.and(what);
            }
        }
    }

    fn take(&self) -> Vec<(Place, Counted)> {
        let mut all = self.counted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        std::mem::take(&mut *all).into_iter().collect()
    }

    /// Writes down what was counted; what cannot be written is counted still.
    ///
    /// # Errors
    /// As the store says.
    pub async fn write(&self, db: &Db) -> storage::Result<()> {
        let counted = self.take();
        if counted.is_empty() {
            return Ok(());
        }
        let written = write(db, &counted).await;
        if written.is_err() {
            self.put(counted);
        }
        written
    }
}

async fn write(db: &Db, counted: &[(Place, Counted)]) -> storage::Result<()> {
    let mut tx = db.begin().await?;
    for ((form, site, hour), what) in counted {
        store::add(&mut tx, form, site, *hour, *what).await?;
    }
    tx.commit().await
}

/// Counts a submission that is set apart, in the transaction that does so.
pub(super) async fn set_apart(tx: &mut Tx, form: &str, site: &str, at: Timestamp) -> storage::Result<()> {
    store::add(tx, form, site, hour(at), Counted { apart: 1, ..Counted::default() }).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_in_an_hour_is_one_number() {
        let tally = Tally::default();
        let at = Timestamp(1_795_169_100_000);
        tally.viewed("guide", "faro", at);
        tally.viewed("guide", "faro", at.plus_ms(60_000));
        tally.begun("guide", "faro", at);
        tally.viewed("guide", "other", at);
        let taken = tally.take();
        let start = Timestamp(1_795_168_800_000);
        let place = |site: &str| ("guide".to_owned(), site.to_owned(), start);
        assert_eq!(
            taken,
            [
                (place("faro"), Counted { viewed: 2, begun: 1, apart: 0 }),
                (place("other"), Counted { viewed: 1, ..Counted::default() })
            ]
        );
        assert!(tally.take().is_empty());
        // What could not be written joins what came meanwhile.
        tally.viewed("guide", "faro", at);
        tally.put(taken);
        assert_eq!(tally.take()[0].1.viewed, 3);
    }
}
