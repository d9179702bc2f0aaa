//! Which definition runs: the newest one that whoever must has approved, by its very text.
//!
//! A changed file is a draft. Where approvals are required the server goes on with the version that was activated last,
//! until each side has approved the draft's hash and somebody has said whether it is asked about everybody or only about
//! what happens from now on. The very first definition runs at once: nobody could have looked at it anywhere.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Definition, Error, due, store};
use crate::accounts::{self, Account, Role};
use crate::base::coded::Coded;
use crate::base::diagnostic::Report;
use crate::base::ids::AccountId;
use crate::base::time::Timestamp;
use crate::storage::db::{Db, Queries, Tx};

/// Why a definition is not approved or activated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Somebody else speaks for each side.
    #[error("{email} speaks for none of the sides that must approve: {}", sides.join(", "))]
    NoSide {
        /// Who tried.
        email: String,
        /// The sides.
        sides: Vec<String>,
    },
    /// Not everybody has approved.
    #[error("this version still needs the approval of {}", missing.join(" and "))]
    NotApproved {
        /// The sides that have not.
        missing: Vec<String>,
    },
    /// Whoever wrote it would be the only one who has looked at it.
    #[error("you wrote this version: somebody else approves it for {side}")]
    AuthorAlone {
        /// The side that is left.
        side: String,
    },
    /// The version runs already.
    #[error("this version is the one that runs")]
    Running,
    /// A number that is taken: contacts keep the number of the version that moved them.
    #[error("version {0} was another text: give the changed one a new number")]
    NumberTaken(i64),
}

impl Coded for Refused {
    fn code(&self) -> &'static str {
        match self {
            Self::NoSide { .. } => "lifecycle.no_side",
            Self::NotApproved { .. } => "lifecycle.not_approved",
            Self::AuthorAlone { .. } => "lifecycle.author_alone",
            Self::Running => "lifecycle.running",
            Self::NumberTaken(_) => "lifecycle.number_taken",
        }
    }

    fn extras(&self) -> Vec<(&'static str, Value)> {
        match self {
            Self::NotApproved { missing } => vec![("missing", json!(missing))],
            Self::AuthorAlone { side } => vec![("side", json!(side))],
            Self::NoSide { .. } | Self::Running | Self::NumberTaken(_) => Vec::new(),
        }
    }
}

/// About whom a new version is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reevaluate {
    /// About everybody, at once.
    All,
    /// About whoever does something from now on.
    NewEventsOnly,
}

impl Reevaluate {
    /// The word in the database and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::NewEventsOnly => "new-events-only",
        }
    }

    /// The meaning of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::All, Self::NewEventsOnly].into_iter().find(|known| known.word() == word)
    }
}

/// Who approved a version for a side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// `marketing` or `sales`.
    pub side: String,
    /// Who.
    pub email: String,
    /// When.
    pub at: Timestamp,
}

/// How a definition stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Its number.
    pub version: i64,
    /// Its text's hash.
    pub hash: String,
    /// Whether it is the one that runs.
    pub is_running: bool,
    /// The sides that must approve it.
    pub required: Vec<String>,
    /// Who has.
    pub approvals: Vec<Approval>,
    /// The sides that have not.
    pub missing: Vec<String>,
}

/// A version that ran or runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Activation {
    /// Its number.
    pub version: i64,
    /// Its text's hash.
    pub hash: String,
    /// `all` or `new-events-only`.
    pub reevaluate: String,
    /// `start`, `account:ID` or `api`.
    pub actor: String,
    /// Since when.
    pub at: Timestamp,
}

/// The definition that runs, and the file's where it is another one.
pub struct Chosen {
    /// What runs.
    pub running: Definition,
    /// The file's, waiting for approvals or for its activation.
    pub draft: Option<Definition>,
    /// Another text ran under the file's number: the number that it would need.
    pub needs_number: Option<i64>,
}

/// Which definition runs, with the file's at hand; nothing is written.
///
/// # Errors
/// As the store says.
pub async fn choose(q: &mut impl Queries, file: Definition) -> Result<Chosen, Error> {
    if activated(q).await?.is_some_and(|(activation, _)| activation.hash == file.hash) {
        return Ok(Chosen { running: file, draft: None, needs_number: None });
    }
    let Some((activation, active)) = active(q).await? else {
        return Ok(Chosen { running: file, draft: None, needs_number: None });
    };
    let needs_number = match taken(q, &file).await? {
        true => Some(next_number(q, &file).await?),
        false => None,
    };
    // What people have activated is newer than a file that nobody has written on since.
    let is_older = activation.actor != START && file.version < active.version;
    let must_wait = is_older || !required(&file, Some(&active)).is_empty();
    if !must_wait {
        return Ok(Chosen { running: file, draft: None, needs_number });
    }
    // What was worked out beside the file goes with whichever runs.
    let tags = file.scoring.tags.clone();
    let running = Definition { hours: file.hours.clone(), ..active }.with_tags(tags);
    Ok(Chosen { running, draft: Some(file), needs_number })
}

/// As [`choose`], at the start of a server: a file that nobody has to approve is activated for new events.
///
/// # Errors
/// As the store says.
pub async fn start(db: &Db, file: Definition, now: Timestamp) -> Result<Chosen, Error> {
    let mut tx = db.begin().await?;
    tx.lock("lifecycle").await?;
    let chosen = choose(&mut tx, file).await?;
    let newest = activated(&mut tx).await?;
    let runs = newest.is_some_and(|(activation, _)| activation.hash == chosen.running.hash);
    if !runs {
        store::keep_text(&mut tx, &chosen.running, now).await?;
        store::activate(&mut tx, &chosen.running.hash, Reevaluate::NewEventsOnly, START, now).await?;
    }
    tx.commit().await?;
    Ok(chosen)
}

/// The actor of activations that a start made by itself.
const START: &str = "start";

/// The version that was activated last, unless it is the one of this hash.
///
/// # Errors
/// As the store says.
pub async fn newest_but(q: &mut impl Queries, hash: &str) -> Result<Option<Definition>, Error> {
    let newest = activated(q).await?.filter(|(activation, _)| activation.hash != hash);
    Ok(newest.and_then(|(_, body)| read_again(&body)))
}

/// A text that somebody proposed, and that waits for both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proposal {
    /// The text's hash.
    pub hash: String,
    /// Its number.
    pub version: i64,
    /// `account:ID` or `api`.
    pub actor: String,
    /// What it is for, in the words of whoever proposed it.
    pub note: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Proposes a text: it waits for the approvals that it needs and for its activation, like a changed file.
///
/// # Errors
/// [`Refused::Running`], [`Refused::NumberTaken`].
pub async fn propose(
    tx: &mut Tx,
    definition: &Definition,
    actor: &str,
    note: Option<&str>,
    now: Timestamp,
) -> Result<Standing, Error> {
    tx.lock("lifecycle").await?;
    let before = standing(tx, definition).await?;
    if before.is_running {
        return Err(Refused::Running.into());
    }
    is_new_number(tx, definition).await?;
    store::keep_text(tx, definition, now).await?;
    store::put_proposal(tx, &definition.hash, actor, note, now).await?;
    standing(tx, definition).await
}

/// Takes a proposal back. Returns whether it waited.
///
/// # Errors
/// As the store says.
pub async fn withdraw(tx: &mut Tx, hash: &str, now: Timestamp) -> Result<bool, Error> {
    Ok(store::withdraw_proposal(tx, hash, now).await?)
}

/// The proposals that wait, the latest first: what was taken back or has run since is none any more.
///
/// # Errors
/// As the store says.
pub async fn proposals(q: &mut impl Queries) -> Result<Vec<Proposal>, Error> {
    Ok(store::proposals(q).await?.into_iter().map(|(proposal, _)| proposal).collect())
}

/// The definition of a proposal that waits.
///
/// # Errors
/// As the store says.
pub async fn proposed(q: &mut impl Queries, hash: &str) -> Result<Option<Definition>, Error> {
    let waiting = store::proposals(q).await?;
    let body = waiting.into_iter().find(|(proposal, _)| proposal.hash == hash).map(|(_, body)| body);
    Ok(body.and_then(|body| read_again(&body)))
}

/// Who proposed a text, if an account did.
async fn author(q: &mut impl Queries, hash: &str) -> Result<Option<AccountId>, Error> {
    let proposals = store::proposals(q).await?;
    let found = proposals.into_iter().find(|(proposal, _)| proposal.hash == hash);
    Ok(found.and_then(|(proposal, _)| proposal.actor.strip_prefix("account:")?.parse().ok()))
}

/// A text that was proposed, approved, tried or activated, whatever has become of it; nothing if this release cannot read
/// it.
///
/// # Errors
/// As the store says.
pub async fn known(q: &mut impl Queries, hash: &str) -> Result<Option<Definition>, Error> {
    let body = store::text(q, hash).await?;
    Ok(body.and_then(|body| read_again(&body)))
}

/// The version that was activated last, read again from its text.
async fn active(q: &mut impl Queries) -> Result<Option<(Activation, Definition)>, Error> {
    let newest = activated(q).await?;
    Ok(newest.and_then(|(activation, body)| Some((activation, read_again(&body)?))))
}

/// The activation that was the last one, with the text that it was of.
async fn activated(q: &mut impl Queries) -> Result<Option<(Activation, String)>, Error> {
    Ok(store::activations(q, 1).await?.into_iter().next())
}

/// A text that was right once. One of an earlier release may hold what this one does not know any more: then the file runs.
fn read_again(body: &str) -> Option<Definition> {
    Definition::parse("lifecycle.yaml", body, &Report::new())
}

/// The versions that ran, the newest first.
///
/// # Errors
/// As the store says.
pub async fn activations(q: &mut impl Queries, most: i64) -> Result<Vec<Activation>, Error> {
    Ok(store::activations(q, most).await?.into_iter().map(|(activation, _)| activation).collect())
}

/// Who must approve: whoever the definition says, and whoever the running one says. Nobody takes the rule out alone.
fn required(definition: &Definition, running: Option<&Definition>) -> Vec<String> {
    let both = definition.approvals.iter().chain(running.into_iter().flat_map(|running| &running.approvals));
    both.cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

/// How a definition stands.
///
/// # Errors
/// As the store says.
pub async fn standing(q: &mut impl Queries, definition: &Definition) -> Result<Standing, Error> {
    let active = active(q).await?;
    let required = required(definition, active.as_ref().map(|(_, running)| running));
    let approvals = store::approvals(q, &definition.hash).await?;
    let has_approved = |side: &&String| approvals.iter().any(|approval| approval.side == **side);
    let missing = required.iter().filter(|side| !has_approved(side)).cloned().collect();
    Ok(Standing {
        version: definition.version,
        hash: definition.hash.clone(),
        is_running: active.is_some_and(|(activation, _)| activation.hash == definition.hash),
        required,
        approvals,
        missing,
    })
}

/// Approves the very text of a definition, for every side that the account speaks for.
///
/// # Errors
/// [`Refused::NoSide`], [`Refused::Running`], [`Refused::NumberTaken`].
pub async fn approve(
    tx: &mut Tx,
    definition: &Definition,
    account: &Account,
    now: Timestamp,
) -> Result<Standing, Error> {
    tx.lock("lifecycle").await?;
    let before = standing(tx, definition).await?;
    if before.is_running {
        return Err(Refused::Running.into());
    }
    is_new_number(tx, definition).await?;
    let running = active(tx).await?.map(|(_, running)| running);
    let owner = |side: &String| {
        running.as_ref().and_then(|running| running.owners.get(side)).or_else(|| definition.owners.get(side))
    };
    let others = accounts::list(tx).await?;
    let author = author(tx, &definition.hash).await?;
    let is_author = author == Some(account.id);
    // Where one person answers for both sides and has written the text herself, the other side is for whoever else has the
    // role, if anybody does: nobody passes a text alone.
    let by_role = |role: Role, side: &str| match side {
        "marketing" => role == Role::Marketing,
        _ => matches!(role, Role::Sdr | Role::Ae),
    };
    let own = |side: &String| {
        owner(side)
            .is_some_and(|email| others.iter().any(|one| Some(one.id) == author && one.email == *email))
    };
    let is_alone = before.required.len() > 1 && before.required.iter().all(own);
    let left_to_others = |side: &String| {
        let writer = others.iter().find(|one| Some(one.id) == author);
        let is_hers = writer.is_some_and(|writer| by_role(writer.role, side));
        let is_other =
            |one: &Account| Some(one.id) != author && one.disabled_at.is_none() && by_role(one.role, side);
        is_alone && !is_hers && others.iter().any(is_other)
    };
    let speaks_for = |side: &String| match owner(side) {
        Some(_) if left_to_others(side) => !is_author && by_role(account.role, side),
        Some(email) => *email == account.email,
        None => by_role(account.role, side),
    };
    let sides: Vec<&String> = before.required.iter().filter(|side| speaks_for(side)).collect();
    let left = before.missing.iter().find(|side| left_to_others(side));
    // Once she has approved for her own side, only the other is left, which is not hers.
    if is_author
        && let Some(side) = left
        && sides.iter().all(|side| !before.missing.contains(side))
    {
        return Err(Refused::AuthorAlone { side: side.clone() }.into());
    }
    if sides.is_empty() || account.disabled_at.is_some() {
        return Err(Refused::NoSide { email: account.email.to_string(), sides: before.required }.into());
    }
    store::keep_text(tx, definition, now).await?;
    for side in sides {
        store::approve(tx, &definition.hash, side, account.id, now).await?;
    }
    standing(tx, definition).await
}

/// Lets a definition run that everybody who must has approved. Every server takes it up within seconds.
///
/// # Errors
/// [`Refused::NotApproved`], [`Refused::Running`], [`Refused::NumberTaken`].
pub async fn activate(
    tx: &mut Tx,
    definition: &Definition,
    reevaluate: Reevaluate,
    actor: &str,
    now: Timestamp,
) -> Result<Standing, Error> {
    tx.lock("lifecycle").await?;
    let before = standing(tx, definition).await?;
    if before.is_running {
        return Err(Refused::Running.into());
    }
    if !before.missing.is_empty() {
        return Err(Refused::NotApproved { missing: before.missing }.into());
    }
    is_new_number(tx, definition).await?;
    store::keep_text(tx, definition, now).await?;
    store::activate(tx, &definition.hash, reevaluate, actor, now).await?;
    if reevaluate == Reevaluate::All {
        store::put_due_for_all(tx, due::What::Version, now, &definition.hash).await?;
    }
    standing(tx, definition).await
}

async fn is_new_number(q: &mut impl Queries, definition: &Definition) -> Result<(), Error> {
    if taken(q, definition).await? {
        return Err(Refused::NumberTaken(definition.version).into());
    }
    Ok(())
}

/// Whether another text ran, or runs, under the number of a definition: such a definition can be neither approved nor
/// activated until it has a number of its own.
///
/// # Errors
/// As the store says.
pub async fn taken(q: &mut impl Queries, definition: &Definition) -> Result<bool, Error> {
    Ok(store::runs_under(q, definition.version, &definition.hash).await?)
}

/// The lowest number that is above every one that ran, and above that of a definition.
///
/// # Errors
/// As the store says.
pub async fn next_number(q: &mut impl Queries, definition: &Definition) -> Result<i64, Error> {
    Ok(store::highest_number(q).await?.max(definition.version) + 1)
}
