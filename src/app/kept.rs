//! The last files that were right as a whole. The store keeps their texts, so that a start that finds a broken file goes on
//! with them: a slip in one file must not take the collector, the chat and the bookings down.

use serde::{Deserialize, Serialize};

use super::definitions::{Definitions, Sources};
use crate::base::diagnostic::Report;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::storage::db::Db;
use crate::storage::kept;

/// The name that the texts are kept under.
const NAME: &str = "definitions";

/// What runs although a file is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fallback {
    /// What is wrong with the files as they are now, as `embudo check` tells it.
    pub problem: String,
    /// Since when the set that runs has been the last good one.
    pub since: Timestamp,
}

/// The definitions to start with.
pub(super) struct Chosen {
    pub sources: Sources,
    pub read: Definitions,
    /// Nothing if they are what the files say now.
    pub fallback: Option<Fallback>,
}

/// Reads the files. If all of them are right they are kept and run; else the last ones that were run.
///
/// # Errors
/// What is wrong with the files, if none were right before, or if those no longer are for this version of the program.
pub(super) async fn choose(config: &Config, db: &Db, now: Timestamp) -> anyhow::Result<Chosen> {
    let report = Report::new();
    let sources = Sources::of(config, &report);
    let read = Definitions::read(&sources, &report);
    if !report.has_errors() {
        note(db, &sources, now).await?;
        return Ok(Chosen { sources, read, fallback: None });
    }
    let problem = report.text();
    drop(report);
    let Some((sources, since)) = last(db).await? else {
        anyhow::bail!("a definition is wrong:\n{problem}");
    };
    let of_kept = Report::new();
    let read = Definitions::read(&sources, &of_kept);
    anyhow::ensure!(!of_kept.has_errors(), "a definition is wrong:\n{problem}");
    tracing::error!(
        problem = %problem,
        kept.since = %since,
        "a definition is wrong: the last files that were right run instead, all of them; mend what is told, `embudo check` \
         looks again, and restart"
    );
    Ok(Chosen { sources, read, fallback: Some(Fallback { problem, since }) })
}

/// Keeps a set that is right as a whole.
///
/// # Errors
/// As the store says.
pub(super) async fn note(db: &Db, sources: &Sources, now: Timestamp) -> anyhow::Result<()> {
    let body = serde_json::to_string(sources)?;
    let mut tx = db.begin().await?;
    kept::put(&mut tx, NAME, &body, now).await?;
    tx.commit().await?;
    Ok(())
}

/// The set that is kept. One of a version of the program that kept it otherwise is none.
async fn last(db: &Db) -> anyhow::Result<Option<(Sources, Timestamp)>> {
    let Some(kept) = kept::get(&mut db.read(), NAME).await? else { return Ok(None) };
    Ok(serde_json::from_str(&kept.body).ok().map(|sources| (sources, kept.at)))
}
