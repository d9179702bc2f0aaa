//! Forgetting what nobody needs any more, kind by kind, after the days that the settings give each. Nothing goes unless
//! the settings say so.

use serde::Serialize;

use super::audit::By;
use super::store::KINDS;
use super::{Error, erase, store};
use crate::base::signing::Keys;
use crate::base::time::{DAY_MS, Timestamp};
use crate::config;
use crate::stages;
use crate::storage::Stores;
use crate::storage::personal::Personal;

/// People who are erased in one go; the rest waits for the next.
const PEOPLE_AT_ONCE: i64 = 500;

/// The role whose stages hold those who are not sales' concern yet, or not any more.
const MARKETING: &str = "marketing";

/// What one kind keeps no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outdated {
    /// `unconverted_leads`, `transcripts`, `activities`, `mails`, `audit`.
    pub kind: &'static str,
    pub days: i64,
    /// What is from before this is too old.
    pub before: Timestamp,
    /// People or rows.
    pub count: i64,
}

/// Forgets what is too old, kind by kind; with `is_dry` it only counts. Kinds without days are not told.
///
/// An unconverted lead is somebody who never reached the lifecycle's last stage, does not stand in one that sales looks
/// after, has no part in an open deal, and of whom nothing was seen since; she is erased whole, as if she had asked for it.
///
/// # Errors
/// As the stores say.
pub async fn retain(
    stores: &Stores,
    keys: &Keys,
    lifecycle: &stages::Definition,
    later: &[&'static [Personal]],
    settings: &config::Retention,
    now: Timestamp,
    is_dry: bool,
) -> Result<Vec<Outdated>, Error> {
    let mut outdated = Vec::new();
    let since = |days: i64| now.plus_ms(-days * DAY_MS);
    if settings.unconverted_lead_days > 0 {
        let days = settings.unconverted_lead_days;
        let last = lifecycle.stages.last().map_or("", |stage| stage.id.as_str());
        let most = if is_dry { i64::MAX } else { PEOPLE_AT_ONCE };
        let of_sales = lifecycle.stages.iter().filter(|stage| stage.owner != MARKETING);
        let of_sales: Vec<&str> = of_sales.map(|stage| stage.id.as_str()).collect();
        let people = store::unconverted(&mut stores.db.read(), last, &of_sales, since(days), most).await?;
        let count = i64::try_from(people.len()).unwrap_or(i64::MAX);
        if !is_dry {
            for contact in people {
                match erase(stores, keys, later, contact, By::Rule, false, now).await {
                    // Somebody else has erased or merged her meanwhile.
                    Ok(_) | Err(Error::Unknown | Error::Merged(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        outdated.push(Outdated { kind: "unconverted_leads", days, before: since(days), count });
    }
    for kind in KINDS {
        let days = (kind.days)(settings);
        if days <= 0 {
            continue;
        }
        let before = since(days);
        let count = store::outdated(&mut stores.db.read(), kind.count, before).await?;
        if !is_dry && count > 0 {
            let mut tx = stores.db.begin().await?;
            for delete in kind.delete {
                store::forget_outdated(&mut tx, *delete, before).await?;
            }
            tx.commit().await?;
        }
        outdated.push(Outdated { kind: kind.name, days, before, count });
    }
    Ok(outdated)
}
