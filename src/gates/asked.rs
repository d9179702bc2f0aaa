//! On which devices somebody is still to be asked whether she is the one that a link was mailed to.
//!
//! The page that a mail leads to asks at once. A page of a site's own cannot, and whoever looks away has not answered: so the
//! device is remembered for a while, and the chat asks there. What is remembered may be lost; then nobody is asked, and
//! nothing is tied to anybody.

use super::Error;
use super::unlock::{Question, question};
use crate::base::ids::VisitorId;
use crate::base::signing::Keys;
use crate::base::time::{MINUTE_MS, Timestamp};
use crate::storage;
use crate::storage::db::Queries;
use crate::storage::hot::HotStore;

/// As long as a visit goes on without a sign of life.
const REMEMBERED_MS: i64 = 30 * MINUTE_MS;

fn key(visitor: VisitorId) -> String {
    format!("asked:{visitor}")
}

/// Remembers that a link was opened on a device of nobody's, or of somebody else's.
///
/// # Errors
/// As the store says.
pub async fn remember(
    hot: &dyn HotStore,
    visitor: VisitorId,
    token: &str,
    now: Timestamp,
) -> storage::Result<()> {
    hot.put(&key(visitor), token, now, REMEMBERED_MS).await
}

/// She has answered, or somebody else has.
///
/// # Errors
/// As the store says.
pub async fn forget(hot: &dyn HotStore, visitor: VisitorId) -> storage::Result<()> {
    hot.remove(&key(visitor)).await
}

/// The link that was opened on a device, and what is to be asked there.
///
/// # Errors
/// As the store says.
pub async fn open(
    hot: &dyn HotStore,
    q: &mut impl Queries,
    keys: &Keys,
    visitor: VisitorId,
    now: Timestamp,
) -> Result<Option<(String, Question)>, Error> {
    let Some(token) = hot.get(&key(visitor), now).await? else { return Ok(None) };
    let asked = question(q, keys, &token, visitor, now).await?;
    Ok(asked.map(|asked| (token, asked)))
}
