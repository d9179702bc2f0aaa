//! Who has to be looked at again: something happened to them that segments and the lifecycle may want to know.
//!
//! A mark is one row for each person, however much happens. Whoever looks takes the row away and reads the person afresh,
//! so marks may come twice and in any order.

use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::Tx;

use super::store;

/// A fact about the person, or about the company, is another.
pub const FACTS: &str = "#facts";
/// The person stands in another stage.
pub const STAGE: &str = "#stage";
/// Hits of a device of hers were projected.
pub const HITS: &str = "#hits";
/// A past of its own came to the person: a device, or another contact.
pub const EVERYTHING: &str = "#everything";

/// Hits come in heaps: one look some time after the first of them is enough.
pub const AFTER_HITS_MS: i64 = 2_000;

/// Marks a contact; `what` is one of the words above or kinds of activities, separated by spaces. `at` is when to look.
///
/// # Errors
/// As the store says.
pub async fn mark(tx: &mut Tx, contact: ContactId, what: &str, at: Timestamp) -> Result<()> {
    store::mark(tx, contact, what, at).await
}

pub use store::{marked, take_mark};
