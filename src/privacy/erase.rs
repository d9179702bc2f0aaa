//! Forgetting a person, whole: every table that holds something of hers, her devices' hits, the mails about her.
//!
//! What stays is told with its reason: keyed digests of what she refused, so that nobody writes to her again by mistake;
//! the entry in the audit that she was erased; and what this program cannot reach.

use serde::Serialize;
use serde_json::json;

use super::audit::{self, Act, By};
use super::{Error, digest, own, store, tables};
use crate::base::email::Email;
use crate::base::ids::ContactId;
use crate::base::signing::Keys;
use crate::base::time::Timestamp;
use crate::bookings;
use crate::contacts;
use crate::hits::{self, Traces};
use crate::storage::Stores;
use crate::storage::personal::Personal;

/// What remains besides where a CRM was told of her.
pub const CRM: &str = "crm";
/// What cannot be reached from here. The words stand in `console.erase.remains` and in docs/people.md.
pub const REMAINS: [&str; 3] = ["backups", "on_the_way", "sent"];
/// What remains besides where deleted rows are written over later: on PostgreSQL, or while somebody reads for long.
pub const DEAD_ROWS: &str = "dead_rows";

/// What was forgotten, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Erased {
    pub contact: ContactId,
    /// Whether nothing was changed.
    pub is_dry: bool,
    /// Rows by table, those with none left out.
    pub rows: Vec<(&'static str, u64)>,
    /// Calls ahead that were called off.
    pub calls_cancelled: u64,
    /// Hits and visits that lead to nobody now.
    pub hits: i64,
    pub visits: i64,
    /// Purposes whose refusal is kept as a keyed digest of her addresses.
    pub refusals_kept: Vec<String>,
    /// Tables whose rows stay, or stay in part, and why.
    pub kept: Vec<(&'static str, &'static str)>,
    /// What of hers stands in CRMs, where somebody has to delete it. The audit keeps it.
    pub crm: Vec<InCrm>,
    /// What cannot be reached: `backups`, `on_the_way`, `sent`, `crm`, `dead_rows`.
    pub remains: Vec<&'static str>,
}

/// Something that stands for her in a CRM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InCrm {
    /// The connection's name.
    pub crm: String,
    /// `contact`, `deal` or `activity`.
    pub kind: String,
    /// Its id there.
    pub id: String,
}

/// Forgets a contact and everybody behind it. With `is_dry` nothing is changed, and the report says what would be.
///
/// The hits go first, each day by itself; then all else in one transaction. Broken off, it can be run again: until the
/// transaction is through, the contact is there and leads to the rest.
///
/// # Errors
/// [`Error::Unknown`] (also for one who was erased before), [`Error::Merged`].
pub async fn erase(
    stores: &Stores,
    keys: &Keys,
    later: &[&'static [Personal]],
    contact: ContactId,
    by: By,
    is_dry: bool,
    now: Timestamp,
) -> Result<Erased, Error> {
    own(&mut stores.db.read(), contact).await?;
    let mut traces = Traces::default();
    for device in store::devices(&mut stores.db.read(), contact).await? {
        let of_device = hits::unlink(&stores.hits, device, is_dry).await?;
        traces.hits += of_device.hits;
        traces.visits += of_device.visits;
    }
    let mut tx = stores.db.begin().await?;
    tx.lock(&format!("contact:{contact}")).await?;
    own(&mut tx, contact).await?;
    let ledger = contacts::consents(&mut tx, contact).await?;
    let refusals: Vec<(String, Timestamp)> = contacts::ledger::holding(&ledger)
        .into_iter()
        .filter(|record| record.is_word() && !record.is_yes())
        .map(|record| (record.purpose.clone(), record.at))
        .collect();
    let addresses = store::addresses(&mut tx, contact).await?;
    for address in addresses.iter().filter_map(|address| Email::parse(address).ok()) {
        for (purpose, at) in &refusals {
            store::keep_refusal(&mut tx, &digest(keys, &address), purpose, *at).await?;
        }
    }
    let crm = store::in_crms(&mut tx, contact).await?;
    let calls_cancelled = bookings::cancel_ahead(&mut tx, contact, now).await?;
    let (mut rows, mut kept) = (Vec::new(), Vec::new());
    for table in tables(later) {
        let Some(erase) = table.erase else {
            kept.push((table.table, table.because));
            continue;
        };
        let touched = store::forget(&mut tx, erase, contact).await?;
        if touched > 0 {
            rows.push((table.table, touched));
        }
    }
    // After the tables: what the lists keep of her is this entry, with an id that leads nowhere.
    let count: u64 = rows.iter().map(|(_, rows)| rows).sum();
    let mut details = json!({ "rows": count });
    if !crm.is_empty() {
        details[CRM] = json!(crm);
    }
    audit::note(&mut tx, by, Act::Erased, contact, details, now).await?;
    let mut remains = REMAINS.to_vec();
    remains.extend((!crm.is_empty()).then_some(CRM));
    if is_dry {
        drop(tx);
        remains.extend((stores.db.engine() == "postgres").then_some(DEAD_ROWS));
    } else {
        tx.commit().await?;
        let is_clean = stores.db.leave_nothing_behind().await? && stores.hits.leave_nothing_behind().await?;
        remains.extend((!is_clean).then_some(DEAD_ROWS));
    }
    Ok(Erased {
        contact,
        is_dry,
        rows,
        calls_cancelled,
        hits: traces.hits,
        visits: traces.visits,
        crm,
        refusals_kept: refusals.into_iter().map(|(purpose, _)| purpose).collect(),
        kept,
        remains,
    })
}
