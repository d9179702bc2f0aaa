//! What a person may demand of what is known about her: to see it, to have it forgotten, not to be profiled; and who of
//! the company has looked.
//!
//! Each domain's store lists its tables ([`Personal`](crate::storage::personal::Personal)); this module puts the lists
//! together. [`export`] gathers, [`erase`] forgets, [`retention`] forgets what nobody needs any more, [`audit`] writes
//! down who did so.

pub mod audit;
pub mod erase;
pub mod export;
pub mod notice;
pub mod retention;
mod store;

pub use erase::{Erased, erase};
pub use export::{Export, export};
pub use notice::Notice;
pub use store::PERSONAL;

use crate::base::coded::Coded;
use crate::base::email::Email;
use crate::base::ids::ContactId;
use crate::base::signing::Keys;
use crate::base::time::Timestamp;
use crate::contacts;
use crate::stages;
use crate::storage;
use crate::storage::db::{Queries, Tx};
use crate::storage::personal::Personal;
use crate::{
    bookings, chat, deals, events, gates, handovers, nurture, offers, segments, subscriptions, tasks,
    webinars,
};

/// The purpose under which the ledger notes that somebody objects to being profiled.
pub const PROFILING: &str = "profiling";

/// Why a demand could not be met.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such contact.
    #[error("there is no such contact")]
    Unknown,
    /// The contact was merged into another; what is demanded concerns that one.
    #[error("this contact was merged into {0}; ask about that one")]
    Merged(ContactId),
    /// The score cannot be explained.
    #[error(transparent)]
    Stage(#[from] stages::Error),
    /// The export cannot be packed.
    #[error("the export cannot be packed: {0}")]
    Packing(String),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl From<contacts::Error> for Error {
    fn from(error: contacts::Error) -> Self {
        match error {
            contacts::Error::Unknown => Self::Unknown,
            contacts::Error::Storage(error) => Self::Storage(error),
        }
    }
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "contact.unknown",
            Self::Merged(_) => "contact.merged",
            Self::Stage(error) => error.code(),
            Self::Packing(_) => "internal",
            Self::Storage(error) => error.code(),
        }
    }

    fn extras(&self) -> Vec<(&'static str, serde_json::Value)> {
        match self {
            Self::Merged(into) => vec![("contact", into.to_string().into())],
            Self::Unknown | Self::Stage(_) | Self::Packing(_) | Self::Storage(_) => Vec::new(),
        }
    }
}

/// Every list of tables, in the order in which they are erased: what leads to other rows comes last. `later` are the lists
/// of the modules that may know this one (mails, jobs).
pub fn tables(later: &[&'static [Personal]]) -> Vec<&'static Personal> {
    let journey: [&[Personal]; 16] = [
        PERSONAL,
        events::PERSONAL,
        segments::PERSONAL,
        subscriptions::PERSONAL,
        nurture::PERSONAL,
        deals::PERSONAL,
        offers::PERSONAL,
        stages::PERSONAL,
        gates::PERSONAL,
        webinars::PERSONAL,
        bookings::PERSONAL,
        chat::live::PERSONAL,
        tasks::PERSONAL,
        handovers::PERSONAL,
        chat::PERSONAL,
        contacts::PERSONAL,
    ];
    later.iter().copied().chain(journey).flatten().collect()
}

/// Notes that somebody objects to being profiled, or does no longer; asked again it changes nothing.
///
/// # Errors
/// [`Error::Unknown`].
pub async fn set_profiling(
    tx: &mut Tx,
    contact: ContactId,
    is_off: bool,
    (page, seen): (Option<&str>, Option<&contacts::Seen>),
    now: Timestamp,
) -> Result<(), Error> {
    let known = contacts::find(tx, contact).await?.ok_or(Error::Unknown)?;
    if contacts::objects_to_profiling(tx, known.id).await? == is_off {
        return Ok(());
    }
    contacts::set_profiling_off(tx, known.id, is_off.then_some(now)).await?;
    let action = if is_off { "withdrawn" } else { "granted" };
    let entry = contacts::ConsentEntry { page, seen, ..contacts::ConsentEntry::of(PROFILING, action) };
    contacts::note_consent(tx, Some(known.id), None, &entry, now).await?;
    Ok(())
}

/// Whoever objected to being profiled, was erased and comes back still objects: the digest of her address says so. A word
/// of hers since then counts more. Returns whether it had to be noted.
///
/// # Errors
/// As the store says.
pub async fn remember_objection(
    tx: &mut Tx,
    keys: &Keys,
    contact: ContactId,
    now: Timestamp,
) -> Result<bool, Error> {
    let Some(known) = contacts::find(tx, contact).await? else { return Ok(false) };
    let ledger = contacts::consents(tx, known.id).await?;
    let has_spoken = contacts::last_word(&ledger, PROFILING).is_some();
    if has_spoken || !store::is_kept(tx, &digest(keys, &known.email), PROFILING).await? {
        return Ok(false);
    }
    set_profiling(tx, known.id, true, (None, None), now).await?;
    contacts::marks::mark(tx, known.id, contacts::marks::EVERYTHING, now).await?;
    Ok(true)
}

/// Whether a person's last word on a purpose was no, also if it was said before she was erased.
///
/// # Errors
/// As the store says.
pub async fn has_refused(
    q: &mut impl Queries,
    keys: &Keys,
    contact: ContactId,
    email: &Email,
    purpose: &str,
) -> storage::Result<bool> {
    let ledger = contacts::consents(q, contact).await?;
    match contacts::last_word(&ledger, purpose) {
        Some(last) => Ok(!last.is_yes()),
        None => store::is_kept(q, &digest(keys, email), purpose).await,
    }
}

/// Whether invitations are refused: the last word about them, or one that was said before she was erased.
///
/// # Errors
/// As the store says.
pub async fn refuses_invitations(
    q: &mut impl Queries,
    keys: &Keys,
    contact: ContactId,
    email: &Email,
) -> Result<bool, subscriptions::Error> {
    if let Some(is_welcome) = subscriptions::word_on_invitations(q, contact).await? {
        return Ok(!is_welcome);
    }
    let digest = digest(keys, email);
    for purpose in [contacts::MARKETING, contacts::INVITATIONS] {
        if store::is_kept(q, &digest, purpose).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What is kept of an address that was erased: worthless without the server's secret.
fn digest(keys: &Keys, email: &Email) -> String {
    keys.digest("kept refusal", &[email.as_str()]).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The contact of an id, if it speaks for itself.
async fn own(q: &mut impl Queries, contact: ContactId) -> Result<contacts::Contact, Error> {
    let known = contacts::find(q, contact).await?.ok_or(Error::Unknown)?;
    if known.id == contact { Ok(known) } else { Err(Error::Merged(known.id)) }
}
