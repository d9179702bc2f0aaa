//! Who somebody is: devices, people, and how sure we are that the one is held by the other.
//!
//! The policy (each line is a test): an address that was typed is a claim and opens nothing; another address on a bound
//! device makes another person and another device epoch; two addresses are never merged by themselves; a weakly trusted
//! value never replaces a stronger one.

mod store;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::base::coded::Coded;
pub use crate::base::consent::Consent;
use crate::base::email::Email;
use crate::base::ids::{AccountId, CompanyId, ContactId, SessionId, VisitorId};
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::storage;
use crate::storage::db::{Queries, Tx};

pub use store::{
    Texts, activities, company, company_colleagues, consents, fields, find, find_by_email, known_visitors,
    latest_visitor, saw_visitor, see_visitor, visitor, visits, visits_between,
};

/// How sure we are that the person at a device is a certain contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Nobody said anything.
    Anonymous = 0,
    /// Somebody typed the address.
    Claimed = 1,
    /// Somebody opened a link that we mailed. It may have been forwarded.
    Clicked = 2,
    /// The mailed link was opened on the device that asked for it, or a mailed code was typed.
    Confirmed = 3,
    /// The host site vouches for it.
    Authenticated = 4,
}

impl Trust {
    /// The level as it is stored.
    pub fn level(self) -> i64 {
        match self {
            Self::Anonymous => 0,
            Self::Claimed => 1,
            Self::Clicked => 2,
            Self::Confirmed => 3,
            Self::Authenticated => 4,
        }
    }

    /// The trust of a stored level.
    pub fn of_level(level: i64) -> Self {
        match level {
            1 => Self::Claimed,
            2 => Self::Clicked,
            3 => Self::Confirmed,
            4 => Self::Authenticated,
            _ => Self::Anonymous,
        }
    }

    /// Whether what is stored about the person may be shown, filled in or skipped.
    pub fn may_see_stored(self) -> bool {
        self >= Self::Confirmed
    }
}

/// A person whose address we know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contact {
    pub id: ContactId,
    pub email: Email,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub company: Option<CompanyId>,
    pub language: Language,
    pub time_zone: Option<String>,
    pub owner: Option<AccountId>,
    pub stage: String,
    pub stage_since: Timestamp,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
}

impl Contact {
    /// The name people know the contact by, else the address.
    pub fn display_name(&self) -> String {
        let name = [self.first_name.as_deref(), self.last_name.as_deref()];
        let name = name.into_iter().flatten().collect::<Vec<_>>().join(" ");
        if name.is_empty() { self.email.to_string() } else { name }
    }
}

/// A company, found by the domain of its people's addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Company {
    pub id: CompanyId,
    pub domain: String,
    pub name: String,
}

/// One device epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    pub id: VisitorId,
    pub site: String,
    pub contact: Option<ContactId>,
    pub trust: Trust,
    pub consent: Consent,
    pub first_seen_at: Timestamp,
    pub last_seen_at: Timestamp,
}

/// One fact about a person and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    pub name: String,
    pub value: String,
    /// `form`, `chat`, `console`, `import`, ….
    pub source: String,
    pub trust: Trust,
    pub at: Timestamp,
    /// Waits for a person to accept it, because what is known is better trusted.
    pub is_suggestion: bool,
}

/// One thing a person did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// The field's word: `page`, `asset.delivered`, `webinar.registered`, `recording.watched`, `booking.confirmed`, ….
    pub kind: String,
    /// What it was done to: an asset's id, a webinar's id, a path.
    pub subject: Option<String>,
    pub props: Json,
    pub at: Timestamp,
}

/// One visit, as the timeline tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Visit {
    pub id: SessionId,
    /// Taken for a machine's.
    pub is_bot: bool,
    pub started_at: Timestamp,
    pub last_at: Timestamp,
    pub pages: i64,
    pub engaged_ms: i64,
    /// The first page; empty if there was none.
    pub entry_path: String,
    /// The last page.
    pub exit_path: String,
    /// Pages in order, as far as the visit lists them.
    pub trail: Vec<Step>,
    pub channel: String,
    pub source: Option<String>,
    pub campaign: Option<String>,
    pub country: Option<String>,
    pub device: Option<String>,
    pub browser: Option<String>,
}

/// One page of a visit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub path: String,
    pub title: String,
    pub at: Timestamp,
    /// The row among the hits.
    #[serde(skip)]
    pub seq: i64,
}

/// One entry of the consent ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsentRecord {
    pub purpose: String,
    pub action: String,
    pub text: Option<String>,
    pub page: Option<String>,
    pub at: Timestamp,
}

/// Somebody said who they are.
#[derive(Debug, Clone)]
pub struct Identification<'a> {
    pub email: &'a Email,
    /// The device epoch, if the device may be recognised.
    pub visitor: Option<VisitorId>,
    pub site: &'a str,
    pub trust: Trust,
    pub consent: Consent,
    pub language: Language,
    pub time_zone: Option<&'a str>,
}

/// Who that is.
#[derive(Debug, Clone)]
pub struct Identified {
    pub contact: Contact,
    /// The epoch from now on: another than before if another person holds the device now.
    pub visitor: VisitorId,
    pub is_new_contact: bool,
    pub is_new_visitor: bool,
}

/// What can go wrong with people.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No contact has this id or address.
    #[error("there is no such contact")]
    Unknown,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "contact.unknown",
            Self::Storage(error) => error.code(),
        }
    }
}

/// Finds or makes the contact of an address and binds the device epoch to it.
///
/// A device that is bound to somebody else is not taken over: a new epoch begins.
///
/// # Errors
/// As the store says.
pub async fn identify(tx: &mut Tx, who: &Identification<'_>, now: Timestamp) -> Result<Identified, Error> {
    tx.lock(&format!("contact:{}", who.email)).await?;
    let (contact, is_new_contact) = match store::find_by_email(tx, who.email).await? {
        Some(contact) => (contact, false),
        None => {
            let company = match who.email.is_free_mail() {
                true => None,
                false => Some(store::company_of_domain(tx, who.email.domain(), now).await?),
            };
            (store::insert(tx, who, company, now).await?, true)
        }
    };
    let known = match who.visitor {
        Some(visitor) => store::visitor(tx, visitor).await?,
        None => None,
    };
    let same_epoch = match (&known, who.visitor) {
        (Some(known), _) if known.contact.is_some_and(|bound| bound != contact.id) => None,
        (_, asked) => asked,
    };
    let visitor = same_epoch.unwrap_or_else(VisitorId::new);
    store::bind_visitor(tx, visitor, who, contact.id, now).await?;
    store::touch(tx, contact.id, now).await?;
    Ok(Identified { contact, visitor, is_new_contact, is_new_visitor: same_epoch.is_none() })
}

/// Raises the trust in a device that is bound to this contact. A device bound to somebody else, or to nobody, stays as it
/// is: a link that was opened elsewhere binds nobody.
///
/// Returns the trust from now on, if the device is the contact's.
///
/// # Errors
/// As the store says.
pub async fn raise_trust(
    tx: &mut Tx,
    visitor: VisitorId,
    contact: ContactId,
    trust: Trust,
    now: Timestamp,
) -> Result<Option<Trust>, Error> {
    let Some(known) = store::visitor(tx, visitor).await? else { return Ok(None) };
    if known.contact != Some(contact) {
        return Ok(None);
    }
    let raised = known.trust.max(trust);
    store::set_trust(tx, visitor, raised, now).await?;
    Ok(Some(raised))
}

/// Sets a fact about a person, unless what is known is better trusted: then it waits as a suggestion.
///
/// Known names of columns (`first_name`, `last_name`, `language`, `time_zone`) are kept in step. Returns whether the value
/// is current now.
///
/// # Errors
/// As the store says.
pub async fn set_field(
    tx: &mut Tx,
    contact: ContactId,
    name: &str,
    value: &str,
    source: &str,
    trust: Trust,
    now: Timestamp,
) -> Result<bool, Error> {
    let value = value.trim();
    if value.is_empty() {
        return Ok(false);
    }
    let known = store::field(tx, contact, name).await?;
    let is_current = known.as_ref().is_none_or(|known| trust >= known.trust || known.value == value);
    let trust = known.filter(|known| known.value == value).map_or(trust, |known| known.trust.max(trust));
    store::put_field(tx, contact, name, value, source, trust, is_current, now).await?;
    if is_current {
        store::mirror_field(tx, contact, name, value, now).await?;
    }
    Ok(is_current)
}

/// Records something a person or an anonymous visitor did.
///
/// # Errors
/// As the store says.
pub async fn record(
    tx: &mut Tx,
    contact: Option<ContactId>,
    visitor: Option<VisitorId>,
    kind: &str,
    subject: Option<&str>,
    props: Json,
    now: Timestamp,
) -> Result<(), Error> {
    store::insert_activity(tx, contact, visitor, kind, subject, &props, now).await?;
    Ok(())
}

/// Writes an entry of the consent ledger, with the very text that was agreed to.
///
/// # Errors
/// As the store says.
#[allow(clippy::too_many_arguments, reason = "a ledger entry has these columns")]
pub async fn record_consent(
    tx: &mut Tx,
    contact: Option<ContactId>,
    visitor: Option<VisitorId>,
    purpose: &str,
    action: &str,
    text: Option<(&str, Language, &str)>,
    page: Option<&str>,
    now: Timestamp,
) -> storage::Result<()> {
    store::insert_consent(tx, contact, visitor, purpose, action, text, page, now).await
}

/// The purpose of mails that nobody asked for, such as invitations.
pub const MARKETING: &str = "marketing";

/// Whether a person's last word on a purpose was no.
///
/// # Errors
/// As the store says.
pub async fn has_objected(q: &mut impl Queries, contact: ContactId, purpose: &str) -> Result<bool, Error> {
    let ledger = store::consents(q, contact).await?;
    Ok(ledger
        .iter()
        .find(|record| record.purpose == purpose)
        .is_some_and(|record| record.action != "granted"))
}

/// The contact that a device is bound to and how sure we are, if it is bound.
///
/// # Errors
/// As the store says.
pub async fn holder(q: &mut impl Queries, visitor: VisitorId) -> Result<Option<(Contact, Trust)>, Error> {
    let Some(visitor) = store::visitor(q, visitor).await? else { return Ok(None) };
    let Some(contact) = visitor.contact else { return Ok(None) };
    Ok(store::find(q, contact).await?.map(|contact| (contact, visitor.trust)))
}
