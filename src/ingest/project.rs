//! Reads the log after a cursor and keeps visitors, visits and activities in step with it.
//!
//! The cursor moves in the transaction that writes what was read, so every hit is projected exactly once.

use serde_json::json;

use super::store;
use crate::contacts::{self, Step};
use crate::hits::{self, Recorded, Words};
use crate::scoring::condition::KINDS;
use crate::storage::{Result, Stores};

/// The cursor's name.
const CURSOR: &str = "visits";
/// Hits in one transaction.
const BATCH: i64 = 500;
/// Pages that a visit's trail keeps.
const TRAIL_MOST: usize = 50;
/// The name of the hit by which the tracker tells that a visitor has answered the question for consent.
const CONSENT: &str = "consent";

/// Projects what is new; returns how many hits that was. Call again while it is not 0.
///
/// # Errors
/// As the store says; then nothing of the batch took effect.
pub async fn project(stores: &Stores, words: &Words) -> Result<usize> {
    let mut tx = stores.db.begin().await?;
    tx.lock("projection:visits").await?;
    let position = store::cursor(&mut tx, CURSOR).await?;
    let batch = hits::after(&stores.hits, words, position, BATCH).await?;
    let Some(last) = batch.last().map(|hit| hit.seq) else { return Ok(0) };
    for hit in &batch {
        apply(&mut tx, hit).await?;
    }
    store::move_cursor(&mut tx, CURSOR, last).await?;
    tx.commit().await?;
    Ok(batch.len())
}

async fn apply(tx: &mut crate::storage::db::Tx, hit: &Recorded) -> Result<()> {
    if hit.consent != contacts::Consent::None {
        let touch = json!({
            "channel": hit.source.channel.word(), "source": hit.source.source, "medium": hit.source.medium,
            "campaign": hit.source.campaign, "referrer": hit.referrer, "landing": hit.path,
        });
        contacts::see_visitor(tx, hit.visitor, &hit.site, hit.consent, Some(&touch), hit.at).await?;
    }
    match store::visit(tx, hit.session).await? {
        None => store::open_visit(tx, hit, &trail(Vec::new(), hit)).await?,
        Some(known) => store::extend_visit(tx, hit, &trail(known, hit)).await?,
    }
    if hit.name == CONSENT {
        // An entry of the ledger and not something that was done. Whoever says no sends no identifier to write it under.
        if hit.consent != contacts::Consent::None {
            let (visitor, page) = (Some(hit.visitor), Some(hit.path.as_str()));
            contacts::record_consent(tx, None, visitor, "analytics", "granted", None, page, hit.at).await?;
        }
        return Ok(());
    }
    // Scoring reads what recognised people did; a machine's visit is nobody's interest.
    // An event of a page's own must not pass for one of ours: nobody books a call by a line of script.
    let is_ours = hit.name != hits::PAGE && KINDS.contains(&hit.name.as_str());
    let is_activity = hit.name != hits::ENGAGEMENT && hit.bot_reason.is_none() && !is_ours;
    if is_activity && hit.consent != contacts::Consent::None {
        store::insert_activity(tx, hit).await?;
    }
    Ok(())
}

fn trail(mut steps: Vec<Step>, hit: &Recorded) -> Vec<Step> {
    if hit.name == hits::PAGE {
        let title = hit.title.clone().unwrap_or_default();
        steps.push(Step { path: hit.path.clone(), title, at: hit.at });
        let surplus = steps.len().saturating_sub(TRAIL_MOST);
        steps.drain(..surplus);
    }
    steps
}
