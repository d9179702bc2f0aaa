//! Who somebody is: devices, people, and how sure we are that the one is held by the other.
//!
//! The policy (each line is a test): an address that was typed is a claim and opens nothing; another address on a bound
//! device makes another person and another device epoch; two addresses are never merged by themselves; a weakly trusted
//! value never replaces a stronger one.

pub mod acts;
pub mod codes;
pub mod duplicates;
pub mod host;
pub mod import;
pub mod ledger;
pub mod marks;
pub mod merge;
mod store;
pub mod token;
pub mod views;
pub mod words;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::base::coded::Coded;
pub use crate::base::consent::Consent;
use crate::base::email::Email;
use crate::base::ids::{AccountId, ActivityId, CompanyId, ContactId, HitId, SessionId, VisitorId, new_key};
use crate::base::language::Language;
use crate::base::time::{MINUTE_MS, Timestamp};
pub use crate::base::trust::Trust;
use crate::companies;
pub use crate::companies::{Company, find as company};
use crate::storage;
use crate::storage::db::{Queries, Tx};

pub use ledger::{Said, Seen, has_objected, last_word};
pub use store::arrivals::{may_tell_of, note_arrival};
pub use store::identity::{Alias, HostId, addresses, host_ids};
pub use store::{
    PERSONAL, Texts, activities, company_colleagues, consents, fields, find, find_by_email, is_made_up,
    known_visitors, latest_visitor, saw_visitor, see_visitor, visitor, visits, visits_between,
    visits_of_device,
};

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
    /// ISO 3166-2 without the country.
    pub region: Option<String>,
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
    /// The very text that was shown, if one was.
    pub text: Option<String>,
    /// What the text is called, and its how manieth wording in this language it was, from 1.
    pub text_id: Option<String>,
    pub version: Option<i64>,
    /// The SHA-256 of the text in hexadecimal.
    pub hash: Option<String>,
    pub language: Option<Language>,
    pub form: Option<String>,
    pub page: Option<String>,
    /// The mail that asked, if it was said by a link of one.
    pub mail: Option<String>,
    /// The network that it was said from, and what the browser called itself, if she said it herself.
    pub network: Option<String>,
    pub user_agent: Option<String>,
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
    let (contact, is_new_contact) = find_or_make(tx, who, now).await?;
    bind(tx, who, contact, is_new_contact, now).await
}

/// Binds a device epoch to a contact; a device that is somebody else's begins a new one.
async fn bind(
    tx: &mut Tx,
    who: &Identification<'_>,
    contact: Contact,
    is_new_contact: bool,
    now: Timestamp,
) -> Result<Identified, Error> {
    hold(tx, contact.id).await?;
    let bound = match who.visitor {
        Some(visitor) => store::visitor(tx, visitor).await?.and_then(|known| known.contact),
        None => None,
    };
    // A device of one of those who were merged into her is hers, and stays bound to whom it was: a merge can be undone.
    let is_hers = match bound {
        Some(bound) => survivor(tx, bound).await? == contact.id,
        None => true,
    };
    let same_epoch = who.visitor.filter(|_| is_hers);
    let visitor = same_epoch.unwrap_or_else(VisitorId::new);
    let holder = match bound.filter(|_| is_hers) {
        Some(bound) => bound,
        None => own_id(tx, who.email, contact.id).await?,
    };
    store::bind_visitor(tx, visitor, who, holder, now).await?;
    store::touch(tx, contact.id, now).await?;
    marks::mark(tx, contact.id, marks::EVERYTHING, now).await?;
    Ok(Identified { contact, visitor, is_new_contact, is_new_visitor: same_epoch.is_none() })
}

/// Who speaks for a contact: herself, or whom a person merged her into.
///
/// # Errors
/// As the store says.
pub async fn survivor(q: &mut impl Queries, contact: ContactId) -> Result<ContactId, Error> {
    Ok(store::merges::root(q, contact).await?.unwrap_or(contact))
}

/// Finds or makes the contact of an address and binds no device: for what is filled in on a device of the house.
///
/// # Errors
/// As the store says.
pub async fn of_address(tx: &mut Tx, who: &Identification<'_>, now: Timestamp) -> Result<Contact, Error> {
    let (contact, _) = find_or_make(tx, who, now).await?;
    store::touch(tx, contact.id, now).await?;
    Ok(contact)
}

/// Keeps everybody else from a contact until the transaction ends. Whoever changes one takes it before her rows: those who
/// judge her (stages, segments, bookings) do so too, and two who took them the other way round would wait for one another.
///
/// # Errors
/// As the store says.
pub async fn hold(tx: &mut Tx, contact: ContactId) -> storage::Result<()> {
    tx.lock(&format!("contact:{contact}")).await
}

/// The contact of an address, and whether it is new.
async fn find_or_make(
    tx: &mut Tx,
    who: &Identification<'_>,
    now: Timestamp,
) -> Result<(Contact, bool), Error> {
    tx.lock(&format!("contact:{}", who.email)).await?;
    if let Some(contact) = store::find_by_email(tx, who.email).await? {
        return Ok((contact, false));
    }
    let company = match who.email.is_free_mail() {
        true => None,
        false => Some(companies::of_domain(tx, who.email.domain(), now).await?),
    };
    let contact = store::insert(tx, who, company, now).await?;
    words::index(tx, contact.id).await?;
    Ok((contact, true))
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
    let Some(bound) = known.contact else { return Ok(None) };
    if survivor(tx, bound).await? != survivor(tx, contact).await? {
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
    let told = Fact { name, value, source, trust };
    let speaks = survivor(tx, contact).await?;
    hold(tx, speaks).await?;
    if speaks == contact {
        return set(tx, contact, &told, now).await;
    }
    // Said under the address or on the device of somebody who was merged into another: both have it, and the merge
    // remembers what stood there, so that each keeps her own if it is undone.
    let before = store::fields(tx, speaks).await?;
    let is_current = set(tx, speaks, &told, now).await?;
    let after = store::fields(tx, speaks).await?;
    merge::remember(tx, contact, name, &before, &after).await?;
    set(tx, contact, &told, now).await?;
    Ok(is_current)
}

/// A fact as it was said.
struct Fact<'a> {
    name: &'a str,
    value: &'a str,
    source: &'a str,
    trust: Trust,
}

/// Writes a fact down under this very id.
async fn set(tx: &mut Tx, id: ContactId, told: &Fact<'_>, now: Timestamp) -> Result<bool, Error> {
    let &Fact { name, value, source, trust } = told;
    let known = store::field(tx, id, name).await?;
    let is_current = known.as_ref().is_none_or(|known| trust >= known.trust || known.value == value);
    let trust = known.filter(|known| known.value == value).map_or(trust, |known| known.trust.max(trust));
    store::put_field(tx, id, name, value, source, trust, is_current, now).await?;
    if is_current {
        store::mirror_field(tx, id, name, Some(value), now).await?;
        if words::is_searched(name) {
            words::index(tx, id).await?;
        }
        marks::mark(tx, id, marks::FACTS, now).await?;
        tell_company(tx, id, name, value, source, trust, now).await?;
    }
    Ok(is_current)
}

/// The id that an address belongs to, also if another contact speaks for it since a merge: what is said with the address is
/// written down there.
///
/// # Errors
/// As the store says.
pub async fn own_id(q: &mut impl Queries, email: &Email, speaks: ContactId) -> Result<ContactId, Error> {
    let behind = store::merges::behind_with_address(q, email).await?;
    let Some(behind) = behind else { return Ok(speaks) };
    Ok(if survivor(q, behind).await? == speaks { behind } else { speaks })
}

/// The id that something done on a device belongs to: whom the device is bound to, if that is somebody who was merged into
/// this contact.
async fn own_id_of_device(
    q: &mut impl Queries,
    visitor: Option<VisitorId>,
    speaks: ContactId,
) -> Result<ContactId, Error> {
    let Some(visitor) = visitor else { return Ok(speaks) };
    let bound = store::visitor(q, visitor).await?.and_then(|known| known.contact);
    let Some(bound) = bound.filter(|bound| *bound != speaks) else { return Ok(speaks) };
    Ok(if survivor(q, bound).await? == speaks { bound } else { speaks })
}

/// What somebody says about where she works is said about the company, unless that is known from somebody better trusted.
/// Then it concerns everybody who works there.
async fn tell_company(
    tx: &mut Tx,
    contact: ContactId,
    name: &str,
    value: &str,
    source: &str,
    trust: Trust,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(of_company) = companies::told_by(name) else { return Ok(()) };
    let Some(company) = store::find(tx, contact).await?.and_then(|contact| contact.company) else {
        return Ok(());
    };
    let told = companies::Told { name: of_company, value, source, trust, contact: Some(contact) };
    set_company_field(tx, company, &told, now).await?;
    Ok(())
}

/// Sets a fact about a company, by the rules of [`companies::set_field`], and has all its people looked at again.
///
/// # Errors
/// As the store says.
pub async fn set_company_field(
    tx: &mut Tx,
    company: CompanyId,
    told: &companies::Told<'_>,
    now: Timestamp,
) -> Result<bool, Error> {
    let is_current = companies::set_field(tx, company, told, now).await?;
    if is_current {
        mark_company(tx, company, marks::FACTS, now).await?;
    }
    Ok(is_current)
}

/// Takes the value that waits beside what is known of a company, or throws it away. Returns whether one waited.
///
/// # Errors
/// As the store says.
pub async fn judge_company_suggestion(
    tx: &mut Tx,
    company: CompanyId,
    name: companies::Name,
    accept: bool,
    now: Timestamp,
) -> Result<bool, Error> {
    if !accept {
        return Ok(companies::dismiss(tx, company, name).await?);
    }
    let was_waiting = companies::accept(tx, company, name, now).await?;
    if was_waiting {
        mark_company(tx, company, marks::FACTS, now).await?;
    }
    Ok(was_waiting)
}

/// Has everybody who works for a company looked at again.
///
/// # Errors
/// As the store says.
pub async fn mark_company(tx: &mut Tx, company: CompanyId, what: &str, now: Timestamp) -> Result<(), Error> {
    Ok(store::mark_people_of(tx, company, what, now).await?)
}

/// The value that waits for a field, if one does.
///
/// # Errors
/// As the store says.
pub async fn suggestion(
    q: &mut impl Queries,
    contact: ContactId,
    name: &str,
) -> Result<Option<Field>, Error> {
    Ok(store::suggestion(q, contact, name).await?)
}

/// Takes the value that waits beside a better trusted one: a person of the company stands for it now. Returns whether one
/// waited.
///
/// # Errors
/// As the store says.
pub async fn accept_suggestion(
    tx: &mut Tx,
    contact: ContactId,
    name: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    let Some(waiting) = store::suggestion(tx, contact, name).await? else { return Ok(false) };
    let known = store::field(tx, contact, name).await?;
    let trust = known.map_or(Trust::Confirmed, |known| known.trust.max(Trust::Confirmed));
    store::put_field(tx, contact, name, &waiting.value, "console", trust, true, now).await?;
    store::mirror_field(tx, contact, name, Some(&waiting.value), now).await?;
    store::drop_suggestion(tx, contact, name).await?;
    if words::is_searched(name) {
        words::index(tx, contact).await?;
    }
    marks::mark(tx, contact, marks::FACTS, now).await?;
    tell_company(tx, contact, name, &waiting.value, "console", trust, now).await?;
    Ok(true)
}

/// Throws the value away that waits. Returns whether one waited.
///
/// # Errors
/// As the store says.
pub async fn dismiss_suggestion(tx: &mut Tx, contact: ContactId, name: &str) -> Result<bool, Error> {
    Ok(store::drop_suggestion(tx, contact, name).await?)
}

/// Says who looks after a contact from now on.
///
/// # Errors
/// As the store says.
pub async fn assign(tx: &mut Tx, contact: ContactId, owner: AccountId) -> storage::Result<()> {
    store::merges::set_owner(tx, contact, Some(owner)).await
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
    let mut speaks = None;
    if let Some(contact) = contact {
        let survivor = survivor(tx, contact).await?;
        hold(tx, survivor).await?;
        speaks = Some(survivor);
    }
    let own = match contact {
        Some(contact) => Some(own_id_of_device(tx, visitor, contact).await?),
        None => None,
    };
    store::insert_activity(tx, own, visitor, kind, subject, &props, now).await?;
    if let Some(speaks) = speaks {
        if !OF_OTHERS.contains(&kind) {
            saw(tx, speaks, now).await?;
        }
        marks::mark(tx, speaks, kind, now).await?;
    }
    Ok(())
}

/// Takes back what was recorded by a slip at that moment.
///
/// # Errors
/// As the store says.
pub async fn take_back(
    tx: &mut Tx,
    contact: ContactId,
    kind: &str,
    subject: &str,
    at: Timestamp,
) -> storage::Result<()> {
    store::take_activity_back(tx, contact, (kind, subject), at).await?;
    marks::mark(tx, contact, kind, at).await
}

/// Kinds of activities that others do, or leave undone for her: no sign of life of hers.
const OF_OTHERS: &[&str] = &[
    "asset.fetched",
    "bant.complete",
    "booking.no_show",
    "call.findings",
    "call.unanswered",
    "conversation.answered",
    "deal.lost",
    "deal.milestone",
    "deal.won",
    "decision",
    "email.bounced",
    "email.hard_bounced",
    "handover.given",
    "handover.taken",
    "nurture.completed",
    "nurture.entered",
    "nurture.left",
    "webinar.cancelled",
    "webinar.no_show",
    "winback.attempt",
];

/// How exactly it is noted when somebody was last seen: her row is not written anew for every click.
const SEEN_TO_MS: i64 = MINUTE_MS;

/// Notes that a contact, or whoever speaks for her, was seen, to the minute.
///
/// # Errors
/// As the store says.
pub async fn saw(tx: &mut Tx, contact: ContactId, at: Timestamp) -> storage::Result<()> {
    store::saw(tx, contact, at, at.plus_ms(-SEEN_TO_MS)).await
}

/// Something that somebody else says a contact did, under an id of its own: told twice, it happened once.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    pub id: ActivityId,
    pub kind: &'a str,
    pub subject: Option<&'a str>,
    pub props: &'a Json,
    /// When it happened.
    pub at: Timestamp,
}

/// Records it. Returns whether it is news.
///
/// # Errors
/// As the store says.
pub async fn record_told(
    tx: &mut Tx,
    contact: ContactId,
    told: &Told<'_>,
    now: Timestamp,
) -> storage::Result<bool> {
    let is_new = store::insert_told(tx, contact, told).await?;
    if is_new {
        saw(tx, contact, told.at).await?;
        marks::mark(tx, contact, told.kind, now).await?;
    }
    Ok(is_new)
}

/// Of whom, and what, an activity is; nothing if there is none of this id.
///
/// # Errors
/// As the store says.
pub async fn told_as(
    q: &mut impl Queries,
    id: ActivityId,
) -> storage::Result<Option<(Option<ContactId>, String)>> {
    store::told_as(q, id).await
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
    let entry = ConsentEntry { text, page, ..ConsentEntry::of(purpose, action) };
    store::insert_consent(tx, &new_key(), contact, visitor, &entry, now).await
}

/// What is written into the consent ledger.
#[derive(Debug, Clone, Copy)]
pub struct ConsentEntry<'a> {
    pub purpose: &'a str,
    /// `granted`, `denied` (a box that was left empty) or `withdrawn`.
    pub action: &'a str,
    /// The id of the text that was shown, its language and its very words. Other words under the same id are another
    /// version of it.
    pub text: Option<(&'a str, Language, &'a str)>,
    /// The form that it was said in, and the page.
    pub form: Option<&'a str>,
    pub page: Option<&'a str>,
    /// The mail that asked, if it was said by a link of one.
    pub mail: Option<&'a str>,
    /// What proves it.
    pub seen: Option<&'a Seen>,
}

impl<'a> ConsentEntry<'a> {
    /// An entry without a text.
    pub fn of(purpose: &'a str, action: &'a str) -> Self {
        Self { purpose, action, text: None, form: None, page: None, mail: None, seen: None }
    }
}

/// Writes an entry of the consent ledger.
///
/// # Errors
/// As the store says.
pub async fn note_consent(
    tx: &mut Tx,
    contact: Option<ContactId>,
    visitor: Option<VisitorId>,
    entry: &ConsentEntry<'_>,
    now: Timestamp,
) -> storage::Result<()> {
    store::insert_consent(tx, &new_key(), contact, visitor, entry, now).await
}

/// Writes down what a device answered to a page's own question for consent, once for each hit that tells it.
///
/// # Errors
/// As the store says.
pub async fn note_answer(
    tx: &mut Tx,
    hit: HitId,
    visitor: VisitorId,
    entry: &ConsentEntry<'_>,
    at: Timestamp,
) -> storage::Result<()> {
    store::insert_consent(tx, &hit.to_string(), None, Some(visitor), entry, at).await
}

/// Whether somebody objects to being profiled (GDPR, article 21).
///
/// # Errors
/// As the store says.
pub async fn objects_to_profiling(q: &mut impl Queries, contact: ContactId) -> storage::Result<bool> {
    Ok(store::profiling_off(q, contact).await?.is_some())
}

/// Notes that somebody objects to being profiled since a moment, or does not.
///
/// # Errors
/// As the store says.
pub async fn set_profiling_off(
    tx: &mut Tx,
    contact: ContactId,
    since: Option<Timestamp>,
) -> storage::Result<()> {
    store::set_profiling_off(tx, contact, since).await
}

/// The purpose of letters and of mails that nobody asked for, whatever they are about.
pub const MARKETING: &str = "marketing";
/// The purpose of invitations alone.
pub const INVITATIONS: &str = "invitations";

/// The purpose of calls by telephone that she did not ask for.
pub const CALLS: &str = "calls";

/// Longest name, in characters.
const NAME_MOST: usize = 120;

/// A name as somebody else tells it (a site's token, a booking, a colleague): one line of plain text, however it came. It
/// stands in mails to an address that anybody may have typed, so nothing stays in it that mail programs make a link of, or
/// that turns what stands beside it round.
pub fn name_of(text: &str) -> String {
    let line: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).filter(|c| !turns(*c)).collect();
    let words: Vec<String> = line.replace("://", " ").split_whitespace().map(loosened).collect();
    words.join(" ").chars().take(NAME_MOST).collect()
}

/// A word with a blank after each dot that could be one of an address: `shop. example`, `St. John`; not in initials.
fn loosened(word: &str) -> String {
    let mut loose = String::new();
    let mut before = 0;
    for (n, part) in word.split('.').enumerate() {
        let begins = part.chars().take_while(|c| c.is_alphanumeric()).count();
        if n > 0 {
            loose.push_str(if before > 1 && begins > 1 { ". " } else { "." });
        }
        loose.push_str(part);
        before = part.chars().rev().take_while(|c| c.is_alphanumeric()).count();
    }
    loose
}

/// Marks that change the direction of writing or are not seen (Unicode's `Bidi_Control`, the blank without width, the byte
/// order mark). Joiners stay: some scripts need them.
fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// How far it is believed what a device says about a contact: as far as the device itself if it is hers, else as what
/// anybody may type.
///
/// # Errors
/// As the store says.
pub async fn trust_in(
    q: &mut impl Queries,
    visitor: Option<VisitorId>,
    contact: ContactId,
) -> Result<Trust, Error> {
    let Some(visitor) = visitor else { return Ok(Trust::Claimed) };
    let holder = holder(q, visitor).await?;
    let hers = holder.filter(|(holder, _)| holder.id == contact);
    Ok(hers.map_or(Trust::Claimed, |(_, trust)| trust.max(Trust::Claimed)))
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
