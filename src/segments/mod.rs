//! Segments: groups of people that a condition describes, kept up to date person by person.
//!
//! Nobody is asked about everybody. What happens to a person leaves a mark ([`contacts::marks`]); whoever works through the
//! marks asks only the segments that such a change can concern. Where time alone can change the answer (a window that
//! ends, a score that fades) the moment is worked out and kept, and the index of those moments says who is due.
//! Only a new or changed condition is asked about everybody, once, in small steps beside the other work.

pub mod definition;
mod due;
mod evaluate;
mod store;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use serde::Serialize;

pub use definition::{Changed, Definition, Segment};
pub use evaluate::{Answer, Change, ask_about, evaluate, look_again, measure};
pub use store::{
    Came, Member, PERSONAL, Standing, changes_since, fill_of, is_member, members, members_count, of_contact,
    standings,
};

/// What asking has cost since the program started, by segment.
#[derive(Debug, Default)]
pub struct Costs {
    by_segment: Mutex<BTreeMap<String, Cost>>,
}

/// What asking about one segment has cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// How often somebody was asked about.
    pub evaluations: u64,
    /// Nanoseconds for all of them.
    pub nanoseconds: u64,
}

impl Costs {
    fn add(&self, segment: &str, took: Duration) {
        let Ok(mut costs) = self.by_segment.lock() else { return };
        let cost = costs.entry(segment.to_owned()).or_default();
        cost.evaluations += 1;
        cost.nanoseconds += u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    }

    /// Microseconds for one question about a segment; nothing if it was never asked about.
    pub fn mean_us(&self, segment: &str) -> Option<u64> {
        let cost = self.of(segment);
        (cost.nanoseconds / 1_000).checked_div(cost.evaluations)
    }

    /// The cost of a segment.
    pub fn of(&self, segment: &str) -> Cost {
        self.by_segment.lock().ok().and_then(|costs| costs.get(segment).copied()).unwrap_or_default()
    }
}
