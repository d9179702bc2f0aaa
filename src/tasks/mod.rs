//! What somebody of the company is to do for a contact: call her, write to her, meet her.
//!
//! Nobody is given a call before the contact stands in a stage that sales looks after
//! ([`Definition::may_be_called`]): calling a marketing lead to close usually fails.

mod store;

use serde::{Deserialize, Serialize};

pub use store::{PERSONAL, find, last_given, of_contact};

use crate::accounts;
use crate::base::coded::Coded;
use crate::base::ids::{AccountId, ContactId, TaskId};
use crate::base::time::Timestamp;
use crate::contacts;
use crate::events::{self, Event};
use crate::stages::Definition;
use crate::storage;
use crate::storage::db::Tx;

/// Longest title, in characters.
const TITLE_LENGTH: usize = 300;

/// What kind of work it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Call her.
    Call,
    /// Write to her.
    Mail,
    /// Meet her.
    Meeting,
    /// Anything else.
    Other,
}

impl Kind {
    /// All of them, in the order in which forms offer them.
    pub const ALL: [Self; 4] = [Self::Call, Self::Mail, Self::Meeting, Self::Other];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Mail => "mail",
            Self::Meeting => "meeting",
            Self::Other => "other",
        }
    }

    /// The kind of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Task {
    pub id: TaskId,
    /// For whom.
    pub contact: ContactId,
    /// Who is to do it.
    pub account: AccountId,
    pub kind: Kind,
    /// What to do, in words.
    pub title: String,
    pub due_at: Option<Timestamp>,
    /// Who gave it; nobody, if a program did.
    pub given_by: Option<AccountId>,
    pub given_at: Timestamp,
    pub done_at: Option<Timestamp>,
    pub done_by: Option<AccountId>,
}

/// A task to give.
#[derive(Debug, Clone, Copy)]
pub struct NewTask<'a> {
    /// For whom.
    pub contact: ContactId,
    /// Who is to do it.
    pub account: AccountId,
    pub kind: Kind,
    /// What to do, in words.
    pub title: &'a str,
    pub due_at: Option<Timestamp>,
    /// Who gives it; nobody, if a program does.
    pub by: Option<AccountId>,
}

/// Why a task was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No task has this id.
    #[error("there is no such task")]
    Unknown,
    /// Nobody is to be called in this stage.
    #[error("nobody in the stage {stage} is called; a call can be given from {from} on")]
    TooEarly {
        /// Where the contact stands.
        stage: String,
        /// The first stage that sales looks after.
        from: String,
    },
    /// She said that nobody is to call her.
    #[error("she does not want to be called; write to her, or wait until she books a call")]
    Unwanted,
    /// The title cannot be.
    #[error("a task says in 1 to {TITLE_LENGTH} characters what is to be done")]
    TitleInvalid,
    /// Nobody who works here has this account.
    #[error("no account of somebody who works here has this id")]
    NoAccount,
    /// The contact.
    #[error(transparent)]
    Contact(#[from] contacts::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] storage::Error),
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "task.unknown",
            Self::TooEarly { .. } => "task.too_early",
            Self::Unwanted => "task.unwanted",
            Self::TitleInvalid => "task.invalid",
            Self::NoAccount => "account.unknown",
            Self::Contact(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }

    fn extras(&self) -> Vec<(&'static str, serde_json::Value)> {
        match self {
            Self::TooEarly { stage, from } => {
                vec![("stage", stage.clone().into()), ("from", from.clone().into())]
            }
            Self::Unknown
            | Self::Unwanted
            | Self::TitleInvalid
            | Self::NoAccount
            | Self::Contact(_)
            | Self::Store(_) => Vec::new(),
        }
    }
}

/// Gives somebody a task.
///
/// # Errors
/// [`Error::TooEarly`] for a call to somebody whom sales does not look after yet, [`Error::Unwanted`] for one to somebody who
/// wants none, [`Error::TitleInvalid`],
/// [`Error::NoAccount`], that there is no such contact.
pub async fn give(
    tx: &mut Tx,
    lifecycle: &Definition,
    new: &NewTask<'_>,
    now: Timestamp,
) -> Result<TaskId, Error> {
    let title = new.title.trim();
    if title.is_empty() || title.chars().count() > TITLE_LENGTH || title.contains(char::is_control) {
        return Err(Error::TitleInvalid);
    }
    let contact = contacts::find(tx, new.contact).await?.ok_or(contacts::Error::Unknown)?;
    if new.kind == Kind::Call && !lifecycle.may_be_called(&contact.stage) {
        let from = lifecycle.first_of_sales().map(|stage| stage.id.clone()).unwrap_or_default();
        return Err(Error::TooEarly { stage: contact.stage, from });
    }
    if new.kind == Kind::Call && contacts::has_objected(tx, contact.id, contacts::CALLS).await? {
        return Err(Error::Unwanted);
    }
    let account = accounts::find(tx, new.account).await?.filter(|account| account.disabled_at.is_none());
    let account = account.ok_or(Error::NoAccount)?.id;
    let id = store::insert(tx, &NewTask { contact: contact.id, title, ..*new }, now).await?;
    events::append(tx, &Event::TaskGiven { contact: contact.id, task: id, account }, now).await?;
    Ok(id)
}

/// A task is done. Returns whether that is news.
///
/// # Errors
/// [`Error::Unknown`].
pub async fn done(tx: &mut Tx, id: TaskId, by: Option<AccountId>, now: Timestamp) -> Result<bool, Error> {
    let known = store::find(tx, id).await?.ok_or(Error::Unknown)?;
    if known.done_at.is_some() {
        return Ok(false);
    }
    Ok(store::finish(tx, id, by, now).await?)
}
