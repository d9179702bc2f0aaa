//! Giving everybody whom a search finds to somebody, in the background, and taking it back while that is possible.

use serde::Serialize;

use super::{marks, store};
use crate::base::coded::Coded;
use crate::base::ids::{AccountId, ActId, ContactId};
use crate::base::time::{DAY_MS, MINUTE_MS, Timestamp};
use crate::storage;
use crate::storage::db::Tx;

pub use store::acts::{find, open};

/// So long after its end it can be undone.
pub const UNDO_MS: i64 = MINUTE_MS;
/// People whom one turn takes back.
const IN_A_TURN: i64 = 500;
/// What was done is forgotten after that.
const KEPT_MS: i64 = 7 * DAY_MS;

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Running,
    Done,
    Undoing,
    Undone,
}

impl State {
    /// The word in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
        }
    }

    /// What a word means.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Running, Self::Done, Self::Undoing, Self::Undone]
            .into_iter()
            .find(|state| state.word() == word)
    }

    /// Whether it goes on.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Undoing)
    }
}

/// Something that is done to many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    pub id: ActId,
    pub account: AccountId,
    /// Who looks after them from now on; nobody without one.
    pub owner: Option<AccountId>,
    /// Whom it concerns, as whoever searches wrote it down.
    pub search: String,
    /// Where it has come to.
    pub after: Option<String>,
    pub state: State,
    pub looked_at: i64,
    pub changed: i64,
    pub created_at: Timestamp,
    pub done_at: Option<Timestamp>,
}

impl Act {
    /// Until when it can be undone, if it can.
    pub fn undo_until(&self) -> Option<Timestamp> {
        self.done_at.filter(|_| self.state == State::Done).map(|at| at.plus_ms(UNDO_MS))
    }
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing of this id.
    #[error("there is no such change, or it was forgotten")]
    Unknown,
    /// It is too late, it was undone already, or it is under way.
    #[error("it can be undone within a minute after its end, once")]
    TooLate,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "act.unknown",
            Self::TooLate => "act.too_late",
            Self::Storage(error) => error.code(),
        }
    }
}

/// Begins to give everybody whom the search finds to an owner; a worker does it once that is committed.
///
/// # Errors
/// As the store says.
pub async fn begin(
    tx: &mut Tx,
    by: AccountId,
    owner: Option<AccountId>,
    search: &str,
    now: Timestamp,
) -> Result<ActId, Error> {
    store::acts::forget_before(tx, now.plus_ms(-KEPT_MS)).await?;
    let id = ActId::new();
    store::acts::insert(tx, id, by, owner, search, now).await?;
    tx.ring();
    Ok(id)
}

/// Gives these people to the act's owner and notes where the search has come to; without a place it is over.
///
/// # Errors
/// As the store says.
pub async fn go_on(
    tx: &mut Tx,
    act: &Act,
    people: &[ContactId],
    after: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    let mut changed = 0;
    for contact in people {
        if store::acts::give(tx, act.id, *contact, act.owner).await? {
            marks::mark(tx, *contact, marks::FACTS, now).await?;
            changed += 1;
        }
    }
    let looked_at = i64::try_from(people.len()).unwrap_or(i64::MAX);
    store::acts::advance(tx, act.id, after, looked_at, changed).await?;
    if after.is_none() {
        store::acts::set_state(tx, act.id, State::Done, Some(now)).await?;
    }
    Ok(())
}

/// Begins to take it back.
///
/// # Errors
/// [`Error::Unknown`], [`Error::TooLate`].
pub async fn undo(tx: &mut Tx, id: ActId, now: Timestamp) -> Result<(), Error> {
    tx.lock(&format!("contact act:{id}")).await?;
    let act = store::acts::find(tx, id).await?.ok_or(Error::Unknown)?;
    if act.undo_until().is_none_or(|until| until < now) {
        return Err(Error::TooLate);
    }
    store::acts::set_state(tx, id, State::Undoing, act.done_at).await?;
    tx.ring();
    Ok(())
}

/// Takes the next people back to whom they had; whoever was given to somebody else meanwhile stays there.
///
/// # Errors
/// As the store says.
pub async fn take_back(tx: &mut Tx, act: &Act, now: Timestamp) -> Result<(), Error> {
    let people = store::acts::people(tx, act.id, IN_A_TURN).await?;
    for (contact, before) in &people {
        if store::acts::give_back(tx, act, *contact, *before).await? {
            marks::mark(tx, *contact, marks::FACTS, now).await?;
        }
    }
    if i64::try_from(people.len()).unwrap_or(i64::MAX) < IN_A_TURN {
        store::acts::set_state(tx, act.id, State::Undone, act.done_at).await?;
    }
    Ok(())
}
