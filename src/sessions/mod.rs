//! Hits of one visitor that are less than 30 minutes apart belong together.

use crate::base::ids::{SessionId, VisitorId};
use crate::base::signing::Keys;
use crate::base::time::{DAY_MS, MINUTE_MS, Timestamp};
use crate::storage::Result;
use crate::storage::hot::{HotStore, TouchedId};

/// A visit ends when nothing was heard for this long.
pub const IDLE_MS: i64 = 30 * MINUTE_MS;

/// The visit that a hit belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    /// Whether the hit opened it.
    pub is_new: bool,
    /// Hits of the visit, this one included.
    pub hits: i64,
}

/// Finds or opens the visit of a visitor, and keeps it open for another 30 minutes. One step in the store.
///
/// # Errors
/// As the store says.
pub async fn attach(hot: &dyn HotStore, site: &str, visitor: VisitorId, at: Timestamp) -> Result<Session> {
    let touched = hot.touch_id(space(site), visitor.as_u128(), at, IDLE_MS).await?;
    Ok(Session { id: SessionId::from_uuid(touched.id), is_new: touched.is_new, hits: touched.count })
}

/// Puts a visit back that was open when the process ended.
///
/// # Errors
/// As the store says.
pub async fn reopen(
    hot: &dyn HotStore,
    site: &str,
    visitor: VisitorId,
    known: &Session,
    last_at: Timestamp,
) -> Result<()> {
    let known = TouchedId { id: known.id.uuid(), is_new: false, count: known.hits };
    hot.restore_id(space(site), visitor.as_u128(), known, last_at, IDLE_MS).await
}

/// The site's name as a number that is the same on every node (FNV-1a, 64 bits).
pub fn space(site: &str) -> u64 {
    site.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The identifier of somebody who allows none to be stored: a keyed digest of the day, the site, the network and the
/// browser. It cannot be turned back, and nobody is recognised on another day.
pub fn cookieless(keys: &Keys, site: &str, address: &str, user_agent: &str, at: Timestamp) -> VisitorId {
    let day = at.as_ms().div_euclid(DAY_MS).to_string();
    let digest = keys.digest("cookieless", &[&day, site, address, user_agent]);
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(digest.get(..16).expect("a digest has 32 bytes"));
    VisitorId::from_uuid(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;
    use crate::storage::hot::Memory;

    #[tokio::test]
    async fn a_hit_after_31_minutes_opens_a_new_session() {
        let hot = Memory::default();
        let visitor = VisitorId::new();
        let at = |minutes: i64| Timestamp(minutes * MINUTE_MS);
        let first = attach(&hot, "faro", visitor, at(0)).await.expect("stored");
        let second = attach(&hot, "faro", visitor, at(29)).await.expect("stored");
        let third = attach(&hot, "faro", visitor, at(58)).await.expect("stored");
        let fourth = attach(&hot, "faro", visitor, at(58 + 31)).await.expect("stored");
        assert!(first.is_new && !second.is_new && !third.is_new && fourth.is_new);
        assert_eq!((first.id, third.hits), (third.id, 3));
        assert_ne!(third.id, fourth.id);
    }

    #[test]
    fn nobody_is_recognised_on_another_day_or_site() {
        let keys = Keys::new(&Secret::new("a secret of at least thirty-two characters"));
        let who = |site, at| cookieless(&keys, site, "192.0.2.0", "Firefox", Timestamp(at));
        assert_eq!(who("faro", 0), who("faro", DAY_MS - 1));
        assert_ne!(who("faro", 0), who("faro", DAY_MS));
        assert_ne!(who("faro", 0), who("other", 0));
    }
}
