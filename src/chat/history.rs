//! What the files of flows have said: every text that was saved in the console, or that was met on disk when it began to
//! run. The file on disk stays what counts; this is for looking back, and for bringing something back.

use serde::Serialize;

use super::{Error, store};
use crate::base::ids::{AccountId, new_key};
use crate::base::signing::sha256_hex;
use crate::base::time::Timestamp;
use crate::storage::db::{Queries, Tx};

/// What two nodes that meet the same change agree by.
const LOCK: &str = "flow_texts";

/// One text of a flow's file, without the text itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its id; later ones sort after earlier ones.
    pub id: String,
    /// The name of the flow.
    pub flow: String,
    /// The name of the file, without its folder.
    pub file: String,
    /// SHA-256 of the text.
    pub hash: String,
    /// Whoever saved it; nobody where it was met on disk.
    pub account: Option<AccountId>,
    /// Her name.
    pub name: Option<String>,
    /// The entry that it brought back.
    pub restored: Option<String>,
    /// When it was saved or met.
    pub at: Timestamp,
}

/// A text of a flow's file.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    /// The name of the flow.
    pub flow: &'a str,
    /// The name of the file, without its folder.
    pub file: &'a str,
    /// All that stands in it.
    pub text: &'a str,
}

/// Keeps what stands on disk, of those flows whose newest text is another one.
///
/// # Errors
/// As the store says.
pub async fn met(tx: &mut Tx, files: &[Written<'_>], now: Timestamp) -> Result<(), Error> {
    tx.lock(LOCK).await?;
    for file in files {
        if store::newest_text(tx, file.flow).await?.as_deref() != Some(sha256_hex(file.text).as_str()) {
            store::insert_text(tx, &entry(file, None, None, now), file.text).await?;
        }
    }
    Ok(())
}

/// Keeps what somebody has saved, after what stood in the file until then if that is not kept yet.
///
/// # Errors
/// As the store says.
pub async fn saved(
    tx: &mut Tx,
    before: &Written<'_>,
    after: &Written<'_>,
    by: AccountId,
    restored: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    met(tx, std::slice::from_ref(before), now).await?;
    store::insert_text(tx, &entry(after, Some(by), restored, now), after.text).await?;
    Ok(())
}

fn entry(of: &Written<'_>, by: Option<AccountId>, restored: Option<&str>, now: Timestamp) -> Entry {
    Entry {
        id: new_key(),
        flow: of.flow.to_owned(),
        file: of.file.to_owned(),
        hash: sha256_hex(of.text),
        account: by,
        name: None,
        restored: restored.map(str::to_owned),
        at: now,
    }
}

/// The texts of a flow's file, the newest first.
///
/// # Errors
/// As the store says.
pub async fn list(q: &mut impl Queries, flow: &str, most: i64) -> Result<Vec<Entry>, Error> {
    Ok(store::texts(q, flow, most).await?)
}

/// The newest entry of every flow.
///
/// # Errors
/// As the store says.
pub async fn newest(q: &mut impl Queries) -> Result<Vec<Entry>, Error> {
    Ok(store::newest_texts(q).await?)
}

/// One of them, and its text.
///
/// # Errors
/// As the store says.
pub async fn find(q: &mut impl Queries, id: &str) -> Result<Option<(Entry, String)>, Error> {
    Ok(store::text_of(q, id).await?)
}
