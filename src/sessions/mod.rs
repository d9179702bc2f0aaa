//! Hits of one visitor that are less than 30 minutes apart belong together: which visit a hit belongs to, what a visit adds
//! up to, and what all of them count by hour and day.

mod cookieless;
mod open;
pub mod store;
mod tally;
mod visit;

pub use cookieless::{Cookieless, forget_salts};
pub use open::{Ongoing, OpenVisits};
pub use tally::{Delta, Dimension, Key, Map, Measures, Tally, Zones, counts, day_in, hour_of, tally};
pub use visit::{Kind, Known, Origin, Place, Step, Touch, Trail, Visit};

use crate::base::time::MINUTE_MS;

/// A visit ends when nothing was heard for this long.
pub const IDLE_MS: i64 = 30 * MINUTE_MS;

/// The site's name as a number that is the same on every node (FNV-1a, 64 bits).
pub fn space(site: &str) -> u64 {
    site.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
