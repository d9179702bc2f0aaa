//! Lets go of what each site keeps no longer.

use super::traffic;
use crate::base::time::{DAY_MS, Timestamp};
use crate::hits::retention::{Surplus, forget, surplus};
use crate::hits::{self, Words};
use crate::sites::Sites;
use crate::storage::{Result, Stores};

/// What one site keeps no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outdated {
    pub site: String,
    pub keep_days: i64,
    /// What is from before this is too old.
    pub before: Timestamp,
    pub surplus: Surplus,
}

/// What is too old, site by site; with `is_dry` nothing is deleted. Sites that keep everything are not told.
///
/// # Errors
/// As the stores say.
pub async fn retain(
    stores: &Stores,
    words: &Words,
    sites: &Sites,
    now: Timestamp,
    is_dry: bool,
) -> Result<Vec<Outdated>> {
    let mut outdated = Vec::new();
    for site in sites.all().filter(|site| site.keep_days > 0) {
        let today = now.as_ms().div_euclid(DAY_MS);
        let first_kept = today - site.keep_days;
        let before = Timestamp(first_kept * DAY_MS);
        let number = words.numbers(&stores.hits, std::iter::once(site.key.as_str())).await?;
        let number = number.get(site.key.as_str()).copied().unwrap_or_default();
        let surplus = if is_dry {
            surplus(&stores.hits, number, before).await?
        } else {
            // First nothing of those days counts any more, then the rows go: what is counted again stays what it was.
            traffic::raise_floor(&stores.hits, number, first_kept).await?;
            forget(&stores.hits, number, before).await?
        };
        outdated.push(Outdated { site: site.key.clone(), keep_days: site.keep_days, before, surplus });
    }
    Ok(outdated)
}

/// How far the rows have been counted, and the last row there is.
///
/// # Errors
/// As the store says.
pub async fn progress(stores: &Stores) -> Result<(i64, i64)> {
    Ok((hits::cursor(&stores.hits, traffic::CURSOR).await?, hits::last(&stores.hits).await?))
}
