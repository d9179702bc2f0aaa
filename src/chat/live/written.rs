//! Prepared answers that the company's people write in the console. They stand beside those of the file, which nobody
//! changes here; a shortcut of the file is the file's, also when it comes there later.

use super::super::Error;
use super::replies::{Replies, Reply};
use super::store;
use crate::base::diagnostic::Report;
use crate::base::ids::AccountId;
use crate::base::localized::Localized;
use crate::base::time::Timestamp;
use crate::storage::db::{Queries, Tx};

/// Most replies that are written in the console: all of them are worked out for every chat that is opened.
pub const MOST: usize = 200;

/// A reply as somebody writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// What it is called by, without the slash.
    pub shortcut: String,
    pub title: Localized,
    pub text: Localized,
}

/// A reply that was written in the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub draft: Draft,
    pub changed_at: Timestamp,
    /// Who wrote it as it is.
    pub changed_by: String,
}

/// The replies that were written in the console, by shortcut.
///
/// # Errors
/// As the store says.
pub async fn written(q: &mut impl Queries) -> crate::storage::Result<Vec<Written>> {
    store::replies(q).await
}

/// A reply of the console as it stands. Until the end of the transaction nobody writes or deletes one.
///
/// # Errors
/// As the store says.
pub async fn standing(tx: &mut Tx, shortcut: &str) -> crate::storage::Result<Option<Written>> {
    tx.lock("chat replies").await?;
    Ok(store::replies(tx).await?.into_iter().find(|reply| reply.draft.shortcut == shortcut))
}

/// Writes a reply: a new one, or instead of `was`.
///
/// # Errors
/// [`Error::MessageInvalid`] with everything that is wrong with it: as [`Replies::parse`] says of a file, a shortcut that
/// another reply has, or one reply more than [`MOST`].
pub async fn write(
    tx: &mut Tx,
    file: &Replies,
    was: Option<&str>,
    draft: &Draft,
    account: AccountId,
    now: Timestamp,
) -> Result<(), Error> {
    let report = Report::new();
    let reply = Reply::of(draft, &report);
    let mut problems: Vec<String> = report.diagnostics().into_iter().map(|found| found.message).collect();
    tx.lock("chat replies").await?;
    let others = store::replies(tx).await?;
    let is_taken = file.find(&draft.shortcut).is_some()
        || others.iter().any(|other| other.draft.shortcut == draft.shortcut && was != Some(&draft.shortcut));
    if is_taken {
        problems.push(format!("there is a reply /{} already", draft.shortcut));
    }
    let is_new = was.is_none_or(|was| others.iter().all(|other| other.draft.shortcut != was));
    if is_new && others.len() >= MOST {
        problems.push(format!("there are {MOST} replies already"));
    }
    if reply.is_none() || !problems.is_empty() {
        return Err(Error::MessageInvalid(problems.join("; ")));
    }
    if let Some(was) = was {
        store::delete_reply(tx, was).await?;
    }
    Ok(store::insert_reply(tx, draft, account, now).await?)
}

/// Takes a reply away. Nothing happens if there is none.
///
/// # Errors
/// As the store says.
pub async fn forget(tx: &mut Tx, shortcut: &str) -> crate::storage::Result<()> {
    store::delete_reply(tx, shortcut).await
}
