//! Addresses that are not written to: looked at last, just before a mail leaves.
//!
//! An address stands in the table as a keyed digest: it can be looked up and not read, and outlives the person's erasure.
//! A hard bounce stops everything. A complaint, a no to everything or to one topic stops letters and never the answer to
//! what somebody asked for herself.

use serde::Serialize;

use super::{Error, store};
use crate::base::email::Email;
use crate::base::ids::ContactId;
use crate::base::signing::Keys;
use crate::base::time::{DAY_MS, Timestamp};
use crate::contacts;
use crate::storage;
use crate::storage::db::{Queries, Tx};

/// Everything that is sent.
pub const ALL: &str = "all";
/// All letters and invitations, whatever their topic.
pub const MARKETING: &str = "marketing";
/// Invitations, which belong to no topic.
pub const INVITATIONS: &str = "invitations";

/// So many soft bounces …
const SOFT_MOST: i64 = 3;
/// … in so long a time …
const SOFT_WITHIN_MS: i64 = 30 * DAY_MS;
/// … keep an address from being written to for so long.
const SOFT_REST_MS: i64 = 30 * DAY_MS;

/// Why an address is not written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// There is no such mailbox.
    HardBounce,
    /// Its owner called a mail spam.
    Complaint,
    /// Mails came back again and again.
    SoftBounces,
    /// Somebody of the company said so.
    Manual,
    /// Its owner wants no more.
    Unsubscribed,
}

impl Reason {
    /// Every one.
    pub const ALL: [Self; 5] =
        [Self::HardBounce, Self::Complaint, Self::SoftBounces, Self::Manual, Self::Unsubscribed];

    /// The word in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::HardBounce => "hard_bounce",
            Self::Complaint => "complaint",
            Self::SoftBounces => "soft_bounces",
            Self::Manual => "manual",
            Self::Unsubscribed => "unsubscribed",
        }
    }

    /// The reason of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }

    /// For the list of what was not sent.
    pub fn words(self) -> &'static str {
        match self {
            Self::HardBounce => "the mailbox does not exist (hard bounce)",
            Self::Complaint => "the reader called a mail spam",
            Self::SoftBounces => "mails to this address came back again and again",
            Self::Manual => "the address was blocked by hand",
            Self::Unsubscribed => "the reader has unsubscribed",
        }
    }
}

/// One line of the table, without the address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suppression {
    /// `all`, `marketing`, `invitations` or a topic.
    pub scope: String,
    pub reason: Reason,
    /// What the mail server said, or whoever blocked it.
    pub detail: Option<String>,
    pub since: Timestamp,
    pub until: Option<Timestamp>,
}

/// What kind of mail somebody wants to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// The answer to something that the reader did herself.
    Transactional,
    /// An invitation or a letter.
    Marketing {
        /// Its topic, if it is a letter of one; an invitation is of none.
        topic: Option<&'a str>,
    },
}

/// What was told about a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    HardBounce,
    SoftBounce,
    Complaint,
}

impl Told {
    /// The word in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::HardBounce => "hard_bounce",
            Self::SoftBounce => "soft_bounce",
            Self::Complaint => "complaint",
        }
    }
}

/// Under what an address stands in the table.
pub fn digest(keys: &Keys, address: &Email) -> String {
    keys.digest("suppression", &[address.as_str()]).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every line of an address that holds now.
///
/// # Errors
/// As the store says.
pub async fn of_address(
    q: &mut impl Queries,
    keys: &Keys,
    address: &Email,
    now: Timestamp,
) -> Result<Vec<Suppression>, Error> {
    Ok(store::suppressions(q, &digest(keys, address), now).await?)
}

/// Why a mail of this kind must not go to an address; none if it may.
///
/// # Errors
/// As the store says.
pub async fn blocks(
    q: &mut impl Queries,
    keys: &Keys,
    address: &Email,
    kind: Kind<'_>,
    now: Timestamp,
) -> Result<Option<Reason>, Error> {
    let lines = of_address(q, keys, address, now).await?;
    Ok(lines.iter().find(|line| holds_back(line, kind)).map(|line| line.reason))
}

/// Whether the answer to what somebody did herself would be held back from a contact's address.
///
/// # Errors
/// As the store says.
pub async fn holds_answers(
    q: &mut impl Queries,
    keys: &Keys,
    contact: ContactId,
    now: Timestamp,
) -> storage::Result<bool> {
    let Some(contact) = contacts::find(q, contact).await? else { return Ok(false) };
    let lines = store::suppressions(q, &digest(keys, &contact.email), now).await?;
    Ok(lines.iter().any(|line| holds_back(line, Kind::Transactional)))
}

pub(super) fn holds_back(line: &Suppression, kind: Kind<'_>) -> bool {
    match kind {
        Kind::Transactional => {
            line.scope == ALL
                && match line.reason {
                    Reason::HardBounce | Reason::SoftBounces | Reason::Manual => true,
                    Reason::Complaint | Reason::Unsubscribed => false,
                }
        }
        Kind::Marketing { topic } => {
            line.scope == ALL || line.scope == MARKETING || line.scope == topic.unwrap_or(INVITATIONS)
        }
    }
}

/// Blocks an address.
///
/// # Errors
/// As the store says.
pub async fn suppress(
    tx: &mut Tx,
    keys: &Keys,
    address: &Email,
    scope: &str,
    reason: Reason,
    detail: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    let detail = detail.map(|text| text.chars().filter(|c| !c.is_control()).take(300).collect::<String>());
    Ok(store::suppress(tx, &digest(keys, address), scope, reason, detail.as_deref(), None, now).await?)
}

/// Takes a line back. Returns whether there was one.
///
/// # Errors
/// As the store says.
pub async fn release(
    tx: &mut Tx,
    keys: &Keys,
    address: &Email,
    scope: &str,
    reason: Reason,
) -> Result<bool, Error> {
    Ok(store::release(tx, &digest(keys, address), scope, reason).await? > 0)
}

/// Takes back what was blocked by hand or by bounces; a reader's own no stays hers. Returns how many lines that were.
///
/// # Errors
/// As the store says.
pub async fn release_blocks(tx: &mut Tx, keys: &Keys, address: &Email) -> Result<usize, Error> {
    let mut released = 0;
    for reason in [Reason::Manual, Reason::HardBounce, Reason::SoftBounces] {
        released += usize::from(release(tx, keys, address, ALL, reason).await?);
    }
    Ok(released)
}

/// Takes note of what a mail server or a provider told. Returns whether it is news: the same told twice counts once.
///
/// # Errors
/// As the store says.
pub async fn take_note(
    tx: &mut Tx,
    keys: &Keys,
    address: &Email,
    (source, told_id): (&str, &str),
    told: Told,
    (mail, detail): (Option<&str>, Option<&str>),
    now: Timestamp,
) -> Result<bool, Error> {
    let digest = digest(keys, address);
    tx.lock(&format!("suppression:{digest}")).await?;
    if !store::note_feedback(tx, (source, told_id), told.word(), &digest, mail, now).await? {
        return Ok(false);
    }
    match told {
        Told::HardBounce => suppress(tx, keys, address, ALL, Reason::HardBounce, detail, now).await?,
        Told::Complaint => suppress(tx, keys, address, MARKETING, Reason::Complaint, detail, now).await?,
        Told::SoftBounce => {
            if store::soft_bounces(tx, &digest, now.plus_ms(-SOFT_WITHIN_MS)).await? >= SOFT_MOST {
                let until = Some(now.plus_ms(SOFT_REST_MS));
                store::suppress(tx, &digest, ALL, Reason::SoftBounces, None, until, now).await?;
            }
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(scope: &str, reason: Reason) -> Suppression {
        Suppression { scope: scope.to_owned(), reason, detail: None, since: Timestamp(0), until: None }
    }

    #[test]
    fn answers_are_exempt_from_every_no_but_not_from_a_mailbox_that_does_not_exist() {
        let letter = Kind::Marketing { topic: Some("newsletter") };
        for (scope, reason, answer_is_held, letter_is_held) in [
            (ALL, Reason::HardBounce, true, true),
            (ALL, Reason::SoftBounces, true, true),
            (ALL, Reason::Manual, true, true),
            (MARKETING, Reason::Complaint, false, true),
            (MARKETING, Reason::Unsubscribed, false, true),
            ("newsletter", Reason::Unsubscribed, false, true),
            ("events", Reason::Unsubscribed, false, false),
            (INVITATIONS, Reason::Unsubscribed, false, false),
        ] {
            let line = line(scope, reason);
            assert_eq!(holds_back(&line, Kind::Transactional), answer_is_held, "{scope} {reason:?}");
            assert_eq!(holds_back(&line, letter), letter_is_held, "{scope} {reason:?}");
        }
        let invitation = Kind::Marketing { topic: None };
        assert!(!holds_back(&line("newsletter", Reason::Unsubscribed), invitation));
        assert!(holds_back(&line(INVITATIONS, Reason::Unsubscribed), invitation));
    }
}
