//! What is done to many contacts at once, in the background: they are given to somebody, put into a sequence of letters or
//! taken out of it, or erased. All but the last can be taken back for a while. What it means to put somebody into a sequence
//! or to erase her is not known here: whoever does it notes whom it changed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{marks, store};
use crate::base::coded::Coded;
use crate::base::ids::{AccountId, ActId, ContactId};
use crate::base::time::{DAY_MS, MINUTE_MS, Timestamp};
use crate::storage;
use crate::storage::db::{Queries, Tx};

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

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Kind {
    /// Somebody else looks after them.
    Owner,
    /// They are put into a sequence.
    Enter,
    /// They are taken out of a sequence.
    Leave,
    /// They are erased. That cannot be taken back.
    Erase,
}

impl Kind {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Enter, Self::Leave, Self::Erase];

    /// The word in the table and in texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Enter => "enter",
            Self::Leave => "leave",
            Self::Erase => "erase",
        }
    }

    /// What a word means.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// What somebody asks for.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    pub kind: Kind,
    /// Whose they are from now on, of [`Kind::Owner`].
    pub owner: Option<AccountId>,
    /// The sequence.
    pub subject: Option<&'a str>,
    /// Whom it concerns, as whoever searches writes it down.
    pub search: &'a str,
    /// Those who were chosen one by one; none: everybody whom the search finds.
    pub chosen: Option<&'a [ContactId]>,
}

/// Something that is done to many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    pub id: ActId,
    pub account: AccountId,
    pub kind: Kind,
    /// The sequence.
    pub subject: Option<String>,
    /// Those who were chosen one by one; none: everybody whom the search finds.
    pub chosen: Option<Vec<ContactId>>,
    /// Who looks after them from now on; nobody without one.
    pub owner: Option<AccountId>,
    /// Whom it concerns, as whoever searches wrote it down; empty once everybody was looked at.
    pub search: String,
    /// Where it has come to.
    pub after: Option<String>,
    pub state: State,
    pub looked_at: i64,
    pub changed: i64,
    /// Of [`Kind::Erase`]: what it came to.
    pub outcome: Outcome,
    pub created_at: Timestamp,
    pub done_at: Option<Timestamp>,
}

impl Act {
    /// Until when it can be undone, if it can.
    pub fn undo_until(&self) -> Option<Timestamp> {
        let can_be = self.state == State::Done && self.kind != Kind::Erase;
        self.done_at.filter(|_| can_be).map(|at| at.plus_ms(UNDO_MS))
    }
}

/// What the erasure of many came to, added up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Calls ahead that were called off.
    pub calls_cancelled: u64,
    /// Hits and visits that lead to nobody now.
    pub hits: i64,
    pub visits: i64,
    /// People of whom a refusal is kept as a digest.
    pub refusals: u64,
    /// What of theirs stands in CRMs.
    pub crm: Vec<InCrm>,
    /// What cannot be reached from here.
    pub remains: BTreeSet<String>,
}

/// Something that stands for somebody in a CRM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InCrm {
    /// The connection's name.
    pub crm: String,
    /// `contact`, `deal` or `activity`.
    pub kind: String,
    /// Its id there.
    pub id: String,
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

/// Begins; a worker does it once that is committed.
///
/// # Errors
/// As the store says.
pub async fn begin(tx: &mut Tx, by: AccountId, asked: &Asked<'_>, now: Timestamp) -> Result<ActId, Error> {
    let id = ActId::new();
    store::acts::insert(tx, id, by, asked, now).await?;
    tx.ring();
    Ok(id)
}

/// Forgets what was done long ago; returns whether there was anything.
///
/// # Errors
/// As the store says.
pub async fn forget(tx: &mut Tx, now: Timestamp) -> Result<bool, Error> {
    Ok(store::acts::forget_before(tx, now.plus_ms(-KEPT_MS)).await?)
}

/// Gives these people to the act's owner; returns how many had another.
///
/// # Errors
/// As the store says.
pub async fn give(tx: &mut Tx, act: &Act, people: &[ContactId], now: Timestamp) -> Result<i64, Error> {
    let mut changed = 0;
    for contact in people {
        if store::acts::give(tx, act.id, *contact, act.owner).await? {
            marks::mark(tx, *contact, marks::FACTS, now).await?;
            changed += 1;
        }
    }
    Ok(changed)
}

/// Keeps what has to be known to take back what was done to somebody.
///
/// # Errors
/// As the store says.
pub async fn note(tx: &mut Tx, act: &Act, contact: ContactId, before: &str) -> Result<(), Error> {
    Ok(store::acts::note(tx, act.id, contact, before).await?)
}

/// Keeps what the erasure of many has come to.
///
/// # Errors
/// As the store says.
pub async fn sum_up(tx: &mut Tx, act: &Act, outcome: &Outcome) -> Result<(), Error> {
    Ok(store::acts::set_outcome(tx, act.id, outcome).await?)
}

/// Notes how many were looked at and changed, and where the search has come to; without a place it is over, and whom it
/// concerned is forgotten: what somebody typed to find them may be an address.
///
/// # Errors
/// As the store says.
pub async fn advance(
    tx: &mut Tx,
    act: &Act,
    (looked_at, changed): (usize, i64),
    after: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    let looked_at = i64::try_from(looked_at).unwrap_or(i64::MAX);
    store::acts::advance(tx, act.id, after, looked_at, changed).await?;
    if after.is_none() {
        store::acts::set_state(tx, act.id, State::Done, Some(now)).await?;
        store::acts::forget_search(tx, act.id).await?;
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

/// The next people with whom it is to be taken back, and what was noted of each.
///
/// # Errors
/// As the store says.
pub async fn to_take_back(
    q: &mut impl Queries,
    act: &Act,
) -> Result<Vec<(ContactId, Option<String>)>, Error> {
    Ok(store::acts::people(q, act.id, IN_A_TURN).await?)
}

/// Gives somebody back to whom she had; whoever was given to somebody else meanwhile stays there.
///
/// # Errors
/// As the store says.
pub async fn give_back(
    tx: &mut Tx,
    act: &Act,
    contact: ContactId,
    before: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    if store::acts::give_back(tx, act, contact, before).await? {
        marks::mark(tx, contact, marks::FACTS, now).await?;
    }
    Ok(())
}

/// Notes that it was taken back with these people; if they were the last, it is undone.
///
/// # Errors
/// As the store says.
pub async fn taken_back(tx: &mut Tx, act: &Act, people: &[(ContactId, Option<String>)]) -> Result<(), Error> {
    for (contact, _) in people {
        store::acts::forget_person(tx, act.id, *contact).await?;
    }
    if i64::try_from(people.len()).unwrap_or(i64::MAX) < IN_A_TURN {
        store::acts::set_state(tx, act.id, State::Undone, act.done_at).await?;
    }
    Ok(())
}
