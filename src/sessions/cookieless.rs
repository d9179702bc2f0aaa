//! Identifiers for those who allow none to be stored: a keyed digest of the site, the network and the browser with a random
//! salt, which is drawn anew at 00:00 UTC and thrown away a day later. Then nobody can make the same identifier again, not
//! even with the server's secret.
//!
//! A visit that is open at midnight goes on under yesterday's identifier: for the first 30 minutes of a day, yesterday's
//! is looked up first.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::{IDLE_MS, Ongoing, store};
use crate::base::ids::VisitorId;
use crate::base::signing::{Digester, Keys, random_text};
use crate::base::time::{DAY_MS, Timestamp};
use crate::storage::Result;
use crate::storage::db::Db;

/// After a failure the database is left alone for so long.
const PAUSE: Duration = Duration::from_secs(10);

/// A day's salt as this node knows it.
#[derive(Clone)]
struct Day {
    day: i64,
    /// None if it was never drawn.
    digester: Option<Arc<Digester>>,
    /// Only this node has it, because the database did not answer; to be asked for again from here on.
    stands_in_until: Option<Instant>,
}

/// Makes the identifiers.
pub struct Cookieless {
    keys: Keys,
    shared: Option<(Db, Arc<dyn Ongoing>)>,
    days: RwLock<Vec<Day>>,
}

impl Cookieless {
    /// Identifiers that are the same on all nodes that share this database.
    pub fn shared(keys: Keys, db: Db, ongoing: Arc<dyn Ongoing>) -> Self {
        Self { keys, shared: Some((db, ongoing)), days: RwLock::default() }
    }

    /// Identifiers that only this process makes.
    pub fn alone(keys: Keys) -> Self {
        Self { keys, shared: None, days: RwLock::default() }
    }

    /// The identifier of whoever sent something at `at`.
    pub async fn visitor(&self, site: &str, address: IpAddr, user_agent: &str, at: Timestamp) -> VisitorId {
        let day = day_of(at);
        if at.as_ms() - day * DAY_MS < IDLE_MS
            && let Some((_, ongoing)) = &self.shared
            && let Some(yesterdays) = self.salted(day - 1, false).await
        {
            let visitor = id(&yesterdays, site, address, user_agent);
            match ongoing.is_open(site, visitor, at).await {
                Ok(true) => return visitor,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(error = %error, "a visit may end at midnight: it is not known whether it goes on");
                }
            }
        }
        match self.salted(day, true).await {
            Some(todays) => id(&todays, site, address, user_agent),
            None => VisitorId::new(),
        }
    }

    /// Forgets the salts of days before yesterday that this process has in its memory.
    pub fn forget(&self, now: Timestamp) {
        let yesterday = day_of(now) - 1;
        let mut days = self.days.write().unwrap_or_else(PoisonError::into_inner);
        days.retain(|known| known.day >= yesterday);
    }

    async fn salted(&self, day: i64, draws: bool) -> Option<Arc<Digester>> {
        let known = self.known(day);
        if let Some(known) = &known {
            let is_settled = known.stands_in_until.is_none_or(|until| Instant::now() < until);
            if is_settled && (known.digester.is_some() || !draws) {
                return known.digester.clone();
            }
        }
        let (salt, stands_in_until) = match &self.shared {
            None => (draws.then(|| random_text(24)), None),
            Some((db, _)) => match asked(db, day, draws).await {
                Ok(salt) => (salt, None),
                Err(error) => {
                    tracing::error!(error = %error, "visitors without consent are told apart by this node alone");
                    let until = Some(Instant::now() + PAUSE);
                    if let Some(digester) = known.and_then(|known| known.digester) {
                        self.keep(Day { day, digester: Some(digester.clone()), stands_in_until: until });
                        return Some(digester);
                    }
                    (draws.then(|| random_text(24)), until)
                }
            },
        };
        let digester = salt.map(|salt| Arc::new(self.keys.digester("cookieless", &[&salt])));
        self.keep(Day { day, digester, stands_in_until })
    }

    fn known(&self, day: i64) -> Option<Day> {
        let days = self.days.read().unwrap_or_else(PoisonError::into_inner);
        days.iter().find(|known| known.day == day).cloned()
    }

    /// Keeps a day, unless another thread was faster; returns the salt that counts.
    fn keep(&self, fresh: Day) -> Option<Arc<Digester>> {
        let mut days = self.days.write().unwrap_or_else(PoisonError::into_inner);
        match days.iter_mut().find(|known| known.day == fresh.day) {
            Some(known) if known.digester.is_some() && known.stands_in_until.is_none() => {
                known.digester.clone()
            }
            Some(known) => {
                *known = fresh;
                known.digester.clone()
            }
            None => {
                days.push(fresh.clone());
                fresh.digester
            }
        }
    }
}

async fn asked(db: &Db, day: i64, draws: bool) -> Result<Option<String>> {
    if draws { store::find_or_draw(db, day).await.map(Some) } else { store::find(db, day).await }
}

/// Throws away the salts of days before yesterday: none is ever older than 48 hours. Returns how many these were.
///
/// # Errors
/// As the store says.
pub async fn forget_salts(db: &Db, now: Timestamp) -> Result<u64> {
    store::forget_before(db, day_of(now) - 1).await
}

/// Days since 1970, UTC.
fn day_of(at: Timestamp) -> i64 {
    at.as_ms().div_euclid(DAY_MS)
}

/// Whoever shares a network (/24, /48) and a browser is one: the address itself goes nowhere.
fn id(salted: &Digester, site: &str, address: IpAddr, user_agent: &str) -> VisitorId {
    let (v4, v6);
    let network: &[u8] = match address {
        IpAddr::V4(address) => {
            v4 = address.octets();
            v4.get(..3).unwrap_or_default()
        }
        IpAddr::V6(address) => {
            v6 = address.octets();
            v6.get(..6).unwrap_or_default()
        }
    };
    let digest = salted.digest(&[site.as_bytes(), network, user_agent.as_bytes()]);
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(digest.get(..16).expect("a digest has 32 bytes"));
    VisitorId::from_uuid(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;

    #[tokio::test]
    async fn nobody_is_recognised_on_another_day_site_or_process() {
        let keys = Keys::new(&Secret::new("a secret of at least thirty-two characters"));
        let made = Cookieless::alone(keys.clone());
        let who = async |made: &Cookieless, site, last, at| {
            made.visitor(site, [192, 0, 2, last].into(), "Firefox", Timestamp(at)).await
        };
        let first = who(&made, "faro", 7, 0).await;
        assert_eq!(who(&made, "faro", 7, DAY_MS - 1).await, first);
        assert_eq!(who(&made, "faro", 8, 0).await, first, "the address itself is not looked at");
        assert_ne!(who(&made, "faro", 7, DAY_MS).await, first);
        assert_ne!(who(&made, "other", 7, 0).await, first);
        assert_ne!(who(&Cookieless::alone(keys), "faro", 7, 0).await, first, "the secret does not suffice");
        made.forget(Timestamp(2 * DAY_MS));
        assert_ne!(who(&made, "faro", 7, 0).await, first, "a forgotten salt is gone");
    }
}
