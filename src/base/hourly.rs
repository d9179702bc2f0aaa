//! Numbers that a process adds up by the hour before anybody writes them down.
//!
//! Who was counted is never kept, so nothing of it is anybody's. What a process has not written when it is killed is lost:
//! nobody was told that it is safe (docs/decisions/0037).

use std::collections::BTreeMap;
use std::ops::Add;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::time::{HOUR_MS, Timestamp};

/// Places and hours that are remembered until they are written: more than there are.
const MOST: usize = 100_000;

/// The first moment of the hour.
pub fn hour(at: Timestamp) -> Timestamp {
    at.plus_ms(-at.as_ms().rem_euclid(HOUR_MS))
}

/// What was counted at each place `P` in each hour.
#[derive(Debug)]
pub struct Hourly<P, N> {
    counted: Mutex<BTreeMap<(P, Timestamp), N>>,
}

impl<P, N> Default for Hourly<P, N> {
    fn default() -> Self {
        Self { counted: Mutex::default() }
    }
}

impl<P: Ord, N: Add<Output = N> + Copy + Default> Hourly<P, N> {
    /// Adds to the hour in which `at` lies.
    pub fn count(&self, place: P, at: Timestamp, what: N) {
        self.put_back(vec![((place, hour(at)), what)]);
    }

    /// All that was counted, by place and hour; from now on it begins at nothing.
    pub fn take(&self) -> Vec<((P, Timestamp), N)> {
        std::mem::take(&mut *self.all()).into_iter().collect()
    }

    /// Takes back what could not be written; it joins what came meanwhile.
    pub fn put_back(&self, counted: Vec<((P, Timestamp), N)>) {
        let mut all = self.all();
        for (place, what) in counted {
            if all.len() < MOST || all.contains_key(&place) {
                let known = all.entry(place).or_default();
                *known = *known + what;
            }
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<(P, Timestamp), N>> {
        // Whoever panicked while holding it has not left it half-written: entries are whole numbers.
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_in_an_hour_is_one_number() {
        let counted: Hourly<&str, i64> = Hourly::default();
        let (at, start) = (Timestamp(1_795_169_100_000), Timestamp(1_795_168_800_000));
        counted.count("guide", at, 1);
        counted.count("guide", at.plus_ms(60_000), 2);
        counted.count("other", at, 5);
        let taken = counted.take();
        assert_eq!(taken, [(("guide", start), 3), (("other", start), 5)]);
        assert!(counted.take().is_empty());
        counted.count("guide", at, 1);
        counted.put_back(taken);
        assert_eq!(counted.take()[0].1, 4);
    }
}
