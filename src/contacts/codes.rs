//! One-time codes: whoever reads the mailbox types six digits on the device that asked for them, and is confirmed.
//!
//! The digits are stored nowhere, not even as a digest that a fast machine could try out: they are worked out from the
//! code's id and the server's secret. A code works for ten minutes, on the device that asked for it, for five tries and
//! for one success. To one address go at most five a day, a minute apart, so that nobody's mailbox is flooded.

use subtle::ConstantTimeEq;

use super::{Error as ContactError, Trust, raise_trust, store};
use crate::base::coded::Coded;
use crate::base::ids::{ContactId, VisitorId};
use crate::base::language::Language;
use crate::base::signing::Keys;
use crate::base::time::{DAY_MS, MINUTE_MS, Timestamp};
use crate::events::{self, Event};
use crate::storage;
use crate::storage::db::{Queries, Tx};
use crate::storage::limits::TooMany;

/// How long a code works.
pub const LIFE_MS: i64 = 10 * MINUTE_MS;
/// How often somebody may mistype it.
pub const TRIES: i64 = 5;
/// Between two codes to one address.
const PAUSE_MS: i64 = MINUTE_MS;
/// Codes to one address in 24 hours.
const PER_DAY: usize = 5;

/// A code that was asked for. Its digits are told by [`digits`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    pub id: String,
    pub contact: ContactId,
    pub language: Language,
    pub expires_at: Timestamp,
    pub tries: i64,
    pub used_at: Option<Timestamp>,
}

/// Why a code was not sent or not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The digits are not those of the code.
    #[error("these are not the digits of the code; tries left: {left}")]
    Wrong {
        /// Tries that are left.
        left: i64,
    },
    /// No code is open on this device: none was asked for, it is too old, or it was used.
    #[error("no code is open; ask for a new one")]
    Over,
    /// Too many wrong tries.
    #[error("the code was mistyped too often; ask for a new one")]
    Spent,
    /// Codes were sent to this address too often.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// The contact cannot be found or bound.
    #[error(transparent)]
    Contact(#[from] ContactError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Wrong { .. } => "identity.code_wrong",
            Self::Over => "identity.code_over",
            Self::Spent => "identity.code_spent",
            Self::TooMany(error) => error.code(),
            Self::Contact(error) => error.code(),
            Self::Storage(error) => error.code(),
        }
    }

    fn extras(&self) -> Vec<(&'static str, serde_json::Value)> {
        match self {
            Self::Wrong { left } => vec![("tries_left", (*left).into())],
            Self::TooMany(error) => error.extras(),
            Self::Over | Self::Spent | Self::Contact(_) | Self::Storage(_) => Vec::new(),
        }
    }
}

/// The six digits of a code.
pub fn digits(keys: &Keys, id: &str) -> String {
    let digest = keys.digest("identity code", &[id]);
    let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{:06}", number % 1_000_000)
}

/// Asks for a code to the contact's address, for a device that claims to be hers. The mail follows from the fact.
///
/// # Errors
/// [`Error::TooMany`].
pub async fn ask(
    tx: &mut Tx,
    contact: ContactId,
    visitor: VisitorId,
    language: Language,
    now: Timestamp,
) -> Result<(), Error> {
    tx.lock(&format!("codes:{contact}")).await?;
    let earlier = store::identity::codes_since(tx, contact, now.plus_ms(-DAY_MS)).await?;
    let next_at = match (earlier.first(), earlier.get(PER_DAY - 1)) {
        (_, Some(oldest)) => Some(oldest.plus_ms(DAY_MS)),
        (Some(latest), None) => Some(latest.plus_ms(PAUSE_MS)),
        (None, None) => None,
    };
    if let Some(next_at) = next_at.filter(|next_at| *next_at > now) {
        return Err(TooMany { retry_after_ms: next_at.since_ms(now) }.into());
    }
    let id = store::identity::insert_code(tx, contact, visitor, language, now, now.plus_ms(LIFE_MS)).await?;
    events::append(tx, &Event::CodeAsked { contact, code: id }, now).await?;
    Ok(())
}

/// Takes typed digits. A wrong try is counted in the caller's transaction, which must therefore be committed either way.
///
/// # Errors
/// As the store says; the inner [`Error::Wrong`], [`Error::Over`] or [`Error::Spent`] is the answer to the digits.
pub async fn prove(
    tx: &mut Tx,
    keys: &Keys,
    contact: ContactId,
    visitor: VisitorId,
    typed: &str,
    now: Timestamp,
) -> Result<Result<Trust, Error>, ContactError> {
    tx.lock(&format!("codes:{contact}")).await?;
    let open = store::identity::latest_code(tx, contact, visitor).await?;
    let Some(open) = open.filter(|code| code.used_at.is_none() && now < code.expires_at) else {
        return Ok(Err(Error::Over));
    };
    if open.tries >= TRIES {
        return Ok(Err(Error::Spent));
    }
    let typed: String = typed.chars().filter(char::is_ascii_digit).collect();
    let is_right: bool = digits(keys, &open.id).as_bytes().ct_eq(typed.as_bytes()).into();
    if !is_right {
        store::identity::count_try(tx, &open.id).await?;
        return Ok(Err(match TRIES - open.tries - 1 {
            0 => Error::Spent,
            left => Error::Wrong { left },
        }));
    }
    store::identity::use_code(tx, &open.id, now).await?;
    Ok(raise_trust(tx, visitor, contact, Trust::Confirmed, now).await?.ok_or(Error::Over))
}

/// The code of this id, for the mail that tells its digits.
///
/// # Errors
/// As the store says.
pub async fn find(q: &mut impl Queries, id: &str) -> storage::Result<Option<Code>> {
    store::identity::code(q, id).await
}

/// Forgets the codes that ran out before a moment; returns how many.
///
/// # Errors
/// As the store says.
pub async fn forget_old(tx: &mut Tx, before: Timestamp) -> storage::Result<u64> {
    store::identity::forget_codes(tx, before).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;

    #[test]
    fn digits_follow_from_the_id_and_the_secret_alone() {
        let keys = |text: &str| Keys::new(&Secret::new(text));
        let (ours, other) =
            (keys("a secret of at least thirty-two characters"), keys("another secret of 32…"));
        let of = |keys: &Keys, id: &str| digits(keys, id);
        assert_eq!(of(&ours, "one"), of(&ours, "one"));
        assert_eq!(of(&ours, "one").len(), 6);
        assert_ne!(of(&ours, "one"), of(&ours, "two"));
        assert_ne!(of(&ours, "one"), of(&other, "one"));
    }
}
