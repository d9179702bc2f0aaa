//! Ways to look at the list of contacts that people save for themselves or for everybody, and which columns they want.

use super::store;
use crate::base::coded::Coded;
use crate::base::ids::{AccountId, ViewId};
use crate::base::time::Timestamp;
use crate::storage;
use crate::storage::db::Tx;

pub use store::views::{columns, list};

/// Most views of one account.
pub const MOST: usize = 50;
/// Longest name, in characters.
pub const NAME_MOST: usize = 60;
/// Longest question, in bytes.
const QUERY_MOST: usize = 1_000;

/// A view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub id: ViewId,
    pub account: AccountId,
    pub name: String,
    /// What stands in the address after the `?`.
    pub query: String,
    /// Everybody sees it.
    pub is_shared: bool,
}

/// Why a view is not kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is wrong with it, in a sentence.
    #[error("{0}")]
    Invalid(String),
    /// Nothing of this id, or it is somebody else's.
    #[error("the view does not exist, or it is somebody else's")]
    Unknown,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "view.invalid",
            Self::Unknown => "view.unknown",
            Self::Storage(error) => error.code(),
        }
    }
}

/// Saves a view; one of the same account and name is replaced.
///
/// # Errors
/// [`Error::Invalid`].
pub async fn save(
    tx: &mut Tx,
    by: AccountId,
    name: &str,
    query: &str,
    is_shared: bool,
    now: Timestamp,
) -> Result<ViewId, Error> {
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.is_empty() {
        return Err(Error::Invalid("Give the view a name.".to_owned()));
    }
    if name.chars().count() > NAME_MOST {
        return Err(Error::Invalid(format!("A name has at most {NAME_MOST} characters.")));
    }
    if query.len() > QUERY_MOST {
        return Err(Error::Invalid("The filters are too long to be kept.".to_owned()));
    }
    tx.lock("contact views").await?;
    let known = store::views::list(tx, by).await?;
    let own: Vec<&View> = known.iter().filter(|view| view.account == by).collect();
    let same = own.iter().find(|view| view.name == name);
    if same.is_none() && own.len() >= MOST {
        return Err(Error::Invalid(format!("You have {MOST} views already. Take one away first.")));
    }
    let id = same.map_or_else(ViewId::new, |view| view.id);
    let view = View { id, account: by, name, query: query.to_owned(), is_shared };
    store::views::put(tx, &view, now).await?;
    Ok(id)
}

/// Takes a view away: one's own, or for an administrator anybody's that is shared.
///
/// # Errors
/// [`Error::Unknown`].
pub async fn remove(tx: &mut Tx, id: ViewId, by: AccountId, is_admin: bool) -> Result<(), Error> {
    let known = store::views::list(tx, by).await?;
    let view = known.iter().find(|view| view.id == id).filter(|view| view.account == by || is_admin);
    store::views::delete(tx, view.ok_or(Error::Unknown)?.id).await?;
    Ok(())
}

/// Keeps which columns somebody wants to see.
///
/// # Errors
/// As the store says.
pub async fn choose_columns(tx: &mut Tx, by: AccountId, columns: &[&str]) -> Result<(), Error> {
    Ok(store::views::put_columns(tx, by, &columns.join(" ")).await?)
}
