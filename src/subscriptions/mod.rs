//! Who wants which letters, and which addresses are not written to.
//!
//! A subscription is asked for, confirmed and left, topic by topic, and each change stands in the ledger of consents with
//! the text it was given under. Whoever types an address gets one mail with one button; nothing else goes out before the
//! owner of the mailbox has pressed it.

pub mod clicks;
pub mod frequency;
pub mod policy;
pub mod store;
pub mod suppression;
pub mod topics;

use serde::{Deserialize, Serialize};
use serde_json::json;

pub use frequency::Frequency;
pub use store::{PERSONAL, find, forget_old, frequency, give_slot_back, of_contact, paused_until};
pub use topics::{Sending, Topic, Topics};

use self::policy::{Letter, Manners};
use self::suppression::{ALL, INVITATIONS, Kind, MARKETING, Reason};
use crate::base::coded::Coded;
use crate::base::email::Email;
use crate::base::ids::{ContactId, VisitorId};
use crate::base::language::Language;
use crate::base::signing::{Keys, Purpose, TokenError};
use crate::base::time::{DAY_MS, MINUTE_MS, Timestamp};
use crate::contacts::{self, ConsentEntry, Contact, Said, Seen};
use crate::events::{self, Event};
use crate::storage;
use crate::storage::db::{Db, Queries, Tx};

/// How long the button in a mail that asks for a confirmation works.
const CONFIRM_MS: i64 = 7 * DAY_MS;
/// A link out must work for as long as the mail may lie in an inbox.
const LINK_MS: i64 = 730 * DAY_MS;
/// Mails that ask for a confirmation: one in this time …
const ASK_PAUSE_MS: i64 = 10 * MINUTE_MS;
/// … and so many in a day. Addresses of strangers are typed into forms to flood them.
const ASK_MOST: usize = 5;

/// How far a subscription has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Somebody typed the address; its owner has not said anything.
    Unconfirmed,
    /// The owner of the mailbox wants it.
    Confirmed,
    /// She wants it no more.
    Unsubscribed,
}

impl State {
    /// The word in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unconfirmed => "unconfirmed",
            Self::Confirmed => "confirmed",
            Self::Unsubscribed => "unsubscribed",
        }
    }

    /// The state of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Unconfirmed, Self::Confirmed, Self::Unsubscribed]
            .into_iter()
            .find(|state| state.word() == word)
    }
}

/// One topic of one contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subscription {
    pub topic: String,
    pub state: State,
    /// What brought it into this state: `form:newsletter`, `link`, `page`, `console`, `api`, `one_click`, `mail`.
    pub source: String,
    pub asked_at: Timestamp,
    pub confirmed_at: Option<Timestamp>,
    pub state_at: Timestamp,
}

/// What became of a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// She gets the letters already; nothing is asked again.
    Already,
    /// The topic asks for no confirmation: she gets them from now on.
    Confirmed,
    /// A mail goes out that asks her.
    Sent,
    /// A mail will go out later, or enough went out today.
    Later,
}

/// Why something was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No topic has this name.
    #[error("there is no such topic")]
    NoTopic,
    /// The link was not made here, is for something else, or is too old.
    #[error(transparent)]
    Link(#[from] TokenError),
    /// The confirmation was not asked for on this device.
    #[error("this device did not ask for it")]
    OtherDevice,
    /// People failed.
    #[error(transparent)]
    Contact(#[from] contacts::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] storage::Error),
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::NoTopic => "subscription.topic_unknown",
            Self::OtherDevice => "subscription.other_device",
            Self::Link(error) => error.code(),
            Self::Contact(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }
}

/// Somebody asks for the letters of a topic. Whose consent it is stands in the ledger already, with its text.
///
/// Already confirmed: nothing happens. Else a fact is appended from which the mail follows that asks for a confirmation,
/// at most one in ten minutes and five in a day for each person; what comes within the ten minutes is told by one mail
/// after them.
///
/// # Errors
/// As the store says.
pub async fn ask(
    tx: &mut Tx,
    topic: &Topic,
    contact: ContactId,
    visitor: Option<VisitorId>,
    source: &str,
    now: Timestamp,
) -> Result<Asked, Error> {
    tx.lock(&format!("subscriptions:{contact}")).await?;
    if wants(tx, contact, &topic.id).await? {
        return Ok(Asked::Already);
    }
    let props = json!({ "source": source });
    contacts::record(tx, Some(contact), visitor, "subscription.asked", Some(&topic.id), props, now).await?;
    if !topic.double_opt_in {
        become_confirmed(tx, &topic.id, contact, source, now).await?;
        return Ok(Asked::Confirmed);
    }
    store::put(tx, contact, &topic.id, State::Unconfirmed, source, now).await?;
    let asked = store::asked_since(tx, contact, now.plus_ms(-DAY_MS)).await?;
    let confirm_at = match asked.first() {
        _ if asked.len() >= ASK_MOST => None,
        // One is planned already; it will ask for this topic, too.
        Some(latest) if *latest > now => None,
        Some(latest) => Some(latest.plus_ms(ASK_PAUSE_MS).max(now)),
        None => Some(now),
    };
    if let Some(at) = confirm_at {
        store::note_asked(tx, contact, at).await?;
    }
    let topic = topic.id.clone();
    events::append(tx, &Event::SubscriptionAsked { contact, topic, visitor, confirm_at }, now).await?;
    Ok(if confirm_at == Some(now) { Asked::Sent } else { Asked::Later })
}

async fn become_confirmed(
    tx: &mut Tx,
    topic: &str,
    contact: ContactId,
    source: &str,
    now: Timestamp,
) -> Result<(), Error> {
    store::put(tx, contact, topic, State::Confirmed, source, now).await?;
    let props = json!({ "source": source });
    contacts::record(tx, Some(contact), None, "subscription.confirmed", Some(topic), props, now).await?;
    events::append(tx, &Event::SubscriptionConfirmed { contact, topic: topic.to_owned() }, now).await?;
    Ok(())
}

/// Where the button of the mail leads that asks for a confirmation. `visitor` is the device that asked, `mail` the mail.
pub fn confirmation_link(
    keys: &Keys,
    contact: ContactId,
    topics: &[&str],
    visitor: Option<VisitorId>,
    mail: &str,
    now: Timestamp,
) -> String {
    let subject = format!("{} {mail}", topics.join(","));
    let mut claims = Keys::claims(subject, now, now.plus_ms(CONFIRM_MS));
    claims.contact = Some(contact.to_string());
    claims.visitor = visitor.map(|visitor| keys.device(&claims.nonce, visitor));
    keys.sign(Purpose::Subscription, &claims)
}

/// What a link to confirm is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToConfirm {
    pub contact: ContactId,
    pub topics: Vec<String>,
    /// The device that asked, as [`Keys::device`] tells it under this nonce.
    asked_on: Option<String>,
    nonce: String,
    /// The mail that holds the link; unknown for those that were sent before links named theirs.
    pub mail: Option<String>,
}

/// Reads a link to confirm; changes nothing.
///
/// # Errors
/// [`Error::Link`].
pub fn read_confirmation(keys: &Keys, token: &str, now: Timestamp) -> Result<ToConfirm, Error> {
    let claims = keys.verify(Purpose::Subscription, token, now)?;
    let contact = claims.contact.as_deref().and_then(|id| ContactId::parse(id).ok());
    let (topics, mail) = match claims.subject.split_once(' ') {
        Some((topics, mail)) => (topics, Some(mail.to_owned())),
        None => (claims.subject.as_str(), None),
    };
    Ok(ToConfirm {
        mail,
        contact: contact.ok_or(TokenError::Forged)?,
        topics: topics.split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect(),
        asked_on: claims.visitor,
        nonce: claims.nonce,
    })
}

/// Confirms. `device` is the browser whose script sends this by itself: it must be the one that asked. Who presses the
/// button needs none. Returns the topics that she gets now.
///
/// Whoever confirms has changed her mind about leaving: the address is written to again.
///
/// # Errors
/// [`Error::Link`], [`Error::OtherDevice`]; [`contacts::Error::Unknown`] if the person was erased meanwhile.
pub async fn confirm(
    tx: &mut Tx,
    keys: &Keys,
    token: &str,
    device: Option<VisitorId>,
    seen: Option<&Seen>,
    now: Timestamp,
) -> Result<(Contact, Vec<String>), Error> {
    let asked = read_confirmation(keys, token, now)?;
    if device.is_some_and(|device| asked.asked_on != Some(keys.device(&asked.nonce, device))) {
        return Err(Error::OtherDevice);
    }
    tx.lock(&format!("subscriptions:{}", asked.contact)).await?;
    let contact = contacts::find(tx, asked.contact).await?.ok_or(contacts::Error::Unknown)?;
    let mut confirmed = Vec::new();
    for topic in asked.topics {
        let known = store::find(tx, contact.id, &topic).await?;
        match known.map(|known| known.state) {
            Some(State::Unconfirmed) => {
                become_confirmed(tx, &topic, contact.id, "link", now).await?;
                // What is confirmed is what was ticked: the same text stands in both entries.
                let ledger = contacts::consents(tx, contact.id).await?;
                let ticked = ledger.iter().find(|entry| entry.purpose == topic && entry.action == "granted");
                let text = ticked.and_then(|entry| {
                    Some((entry.text_id.as_deref()?, entry.language?, entry.text.as_deref()?))
                });
                let entry = ConsentEntry {
                    text,
                    page: Some("double-opt-in"),
                    mail: asked.mail.as_deref(),
                    seen,
                    ..ConsentEntry::of(&topic, "granted")
                };
                contacts::note_consent(tx, Some(contact.id), device, &entry, now).await?;
                write_again(tx, keys, &contact, &topic, now).await?;
                confirmed.push(topic);
            }
            Some(State::Confirmed) => confirmed.push(topic),
            // She left after the mail was sent: an old mail does not bring her back.
            Some(State::Unsubscribed) | None => {}
        }
    }
    Ok((contact, confirmed))
}

/// The token of the link that ends a topic.
pub fn unsubscribe_token(keys: &Keys, contact: ContactId, topic: &str, now: Timestamp) -> String {
    let mut claims = Keys::claims(topic, now, now.plus_ms(LINK_MS));
    claims.contact = Some(contact.to_string());
    keys.sign(Purpose::Unsubscribe, &claims)
}

/// The token of the link to her letters that every letter holds. Letters are forwarded: whoever has one may leave, and see
/// nothing.
pub fn preferences_token(keys: &Keys, contact: ContactId, now: Timestamp) -> String {
    let mut claims = Keys::claims("", now, now.plus_ms(LINK_MS));
    claims.contact = Some(contact.to_string());
    keys.sign(Purpose::Preferences, &claims)
}

/// The token of the page on which somebody sees and changes what she gets, for so many milliseconds: for a device that is
/// confirmed to be hers, and for her mailbox when she asks for it.
pub fn choices_token(keys: &Keys, contact: ContactId, life_ms: i64, now: Timestamp) -> String {
    let mut claims = Keys::claims("", now, now.plus_ms(life_ms));
    claims.contact = Some(contact.to_string());
    keys.sign(Purpose::Choices, &claims)
}

/// How long the link works that somebody asks for to choose her letters.
pub const ASKED_LINK_MS: i64 = DAY_MS;

/// The owner of an address wants to choose her letters, or somebody who says so: the link goes to the mailbox.
///
/// # Errors
/// As the store says.
pub async fn ask_for_preferences(
    tx: &mut Tx,
    contact: ContactId,
    language: Language,
    now: Timestamp,
) -> Result<(), Error> {
    events::append(tx, &Event::PreferencesAsked { contact, language }, now).await?;
    Ok(())
}

/// Whose link it is, and about what.
///
/// # Errors
/// [`Error::Link`].
pub fn read_token(
    keys: &Keys,
    purpose: Purpose,
    token: &str,
    now: Timestamp,
) -> Result<(ContactId, String), Error> {
    let claims = keys.verify(purpose, token, now)?;
    let contact = claims.contact.as_deref().and_then(|id| ContactId::parse(id).ok());
    Ok((contact.ok_or(TokenError::Forged)?, claims.subject))
}

/// Ends a topic. Returns whether she got it, or was to be asked.
///
/// # Errors
/// As the store says.
pub async fn leave(
    tx: &mut Tx,
    keys: &Keys,
    contact: &Contact,
    topic: &str,
    said: impl Into<Said<'_>>,
    now: Timestamp,
) -> Result<bool, Error> {
    let said = said.into();
    let source = said.by;
    tx.lock(&format!("subscriptions:{}", contact.id)).await?;
    let known = store::find(tx, contact.id, topic).await?;
    // Even whoever never had it: the link stood in a mail, and she means it.
    suppression::suppress(tx, keys, &contact.email, topic, Reason::Unsubscribed, Some(source), now).await?;
    if known.is_none_or(|known| known.state == State::Unsubscribed) {
        return Ok(false);
    }
    store::put(tx, contact.id, topic, State::Unsubscribed, source, now).await?;
    note(tx, contact.id, ConsentEntry::of(topic, "withdrawn"), said, now).await?;
    let props = json!({ "source": source });
    contacts::record(tx, Some(contact.id), None, "subscription.ended", Some(topic), props, now).await?;
    events::append(tx, &Event::SubscriptionEnded { contact: contact.id, topic: topic.to_owned() }, now)
        .await?;
    Ok(true)
}

/// Writes a word of hers into the ledger, with where it was said.
async fn note(
    tx: &mut Tx,
    contact: ContactId,
    entry: ConsentEntry<'_>,
    said: Said<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    let entry = ConsentEntry { page: Some(said.by), seen: said.seen, ..entry };
    Ok(contacts::note_consent(tx, Some(contact), None, &entry, now).await?)
}

/// Ends every topic, and whatever else is no answer to something she did.
///
/// # Errors
/// As the store says.
pub async fn leave_all(
    tx: &mut Tx,
    keys: &Keys,
    contact: &Contact,
    said: impl Into<Said<'_>>,
    now: Timestamp,
) -> Result<(), Error> {
    let said = said.into();
    for known in store::of_contact(tx, contact.id).await? {
        if known.state != State::Unsubscribed {
            leave(tx, keys, contact, &known.topic, said, now).await?;
        }
    }
    object(tx, keys, contact, said, now).await
}

/// No more letters and invitations, until she asks for some again. Answers to what she does herself still reach her.
///
/// # Errors
/// As the store says.
pub async fn object(
    tx: &mut Tx,
    keys: &Keys,
    contact: &Contact,
    said: impl Into<Said<'_>>,
    now: Timestamp,
) -> Result<(), Error> {
    let said = said.into();
    let source = said.by;
    suppression::suppress(tx, keys, &contact.email, MARKETING, Reason::Unsubscribed, Some(source), now)
        .await?;
    let is_invited = word_on_invitations(tx, contact.id).await? == Some(true);
    if is_invited || !contacts::has_objected(tx, contact.id, contacts::MARKETING).await? {
        note(tx, contact.id, ConsentEntry::of(contacts::MARKETING, "withdrawn"), said, now).await?;
    }
    Ok(())
}

/// No more invitations. Letters that she subscribed to go on.
///
/// # Errors
/// As the store says.
pub async fn refuse_invitations(
    tx: &mut Tx,
    keys: &Keys,
    contact: &Contact,
    said: impl Into<Said<'_>>,
    now: Timestamp,
) -> Result<(), Error> {
    let said = said.into();
    let source = said.by;
    let (scope, reason) = (INVITATIONS, Reason::Unsubscribed);
    suppression::suppress(tx, keys, &contact.email, scope, reason, Some(source), now).await?;
    if word_on_invitations(tx, contact.id).await? != Some(false) {
        note(tx, contact.id, ConsentEntry::of(contacts::INVITATIONS, "withdrawn"), said, now).await?;
    }
    Ok(())
}

/// Invitations are welcome again, also to who had wanted nothing at all or called a mail spam. Letters do not come back with
/// them: each of them was left for itself.
///
/// # Errors
/// As the store says.
pub async fn allow_invitations(
    tx: &mut Tx,
    keys: &Keys,
    contact: &Contact,
    said: impl Into<Said<'_>>,
    now: Timestamp,
) -> Result<(), Error> {
    let said = said.into();
    lift_marketing(tx, keys, contact).await?;
    suppression::release(tx, keys, &contact.email, INVITATIONS, Reason::Unsubscribed).await?;
    if word_on_invitations(tx, contact.id).await? == Some(false) {
        note(tx, contact.id, ConsentEntry::of(contacts::INVITATIONS, "granted"), said, now).await?;
    }
    Ok(())
}

/// Whether somebody may call her without having been asked to, from now on.
///
/// # Errors
/// As the store says.
pub async fn set_calls(
    tx: &mut Tx,
    contact: ContactId,
    is_welcome: bool,
    said: impl Into<Said<'_>>,
    now: Timestamp,
) -> Result<(), Error> {
    let said = said.into();
    if contacts::has_objected(tx, contact, contacts::CALLS).await? == is_welcome {
        let action = if is_welcome { "granted" } else { "withdrawn" };
        note(tx, contact, ConsentEntry::of(contacts::CALLS, action), said, now).await?;
    }
    Ok(())
}

/// The last that a contact said about invitations, alone or among everything that nobody asked for; none if nothing.
///
/// # Errors
/// As the store says.
pub async fn word_on_invitations(q: &mut impl Queries, contact: ContactId) -> Result<Option<bool>, Error> {
    let ledger = contacts::consents(q, contact).await?;
    let about = |purpose: &str| purpose == contacts::MARKETING || purpose == contacts::INVITATIONS;
    let last = ledger.iter().find(|record| about(&record.purpose) && record.is_word());
    Ok(last.map(contacts::ConsentRecord::is_yes))
}

/// Whether her own words let invitations through; whether the mailbox works is another question.
///
/// # Errors
/// As the store says.
pub async fn invites(
    q: &mut impl Queries,
    keys: &Keys,
    contact: &Contact,
    now: Timestamp,
) -> Result<bool, Error> {
    let is_refused = word_on_invitations(q, contact.id).await? == Some(false);
    Ok(!is_refused && !has_said_no(q, keys, contact, None, now).await?)
}

/// Whether she gets the letters of a topic: she wants them and has not called our mails spam since.
///
/// # Errors
/// As the store says.
pub async fn gets(
    q: &mut impl Queries,
    keys: &Keys,
    contact: &Contact,
    topic: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    Ok(wants(q, contact.id, topic).await? && !has_said_no(q, keys, contact, Some(topic), now).await?)
}

async fn has_said_no(
    q: &mut impl Queries,
    keys: &Keys,
    contact: &Contact,
    topic: Option<&str>,
    now: Timestamp,
) -> Result<bool, Error> {
    let lines = suppression::of_address(q, keys, &contact.email, now).await?;
    let kind = Kind::Marketing { topic };
    Ok(lines.iter().any(|line| line.scope != ALL && suppression::holds_back(line, kind)))
}

/// Somebody who has proved that the mailbox is hers wants a topic (again): no mail need ask her.
///
/// # Errors
/// As the store says.
pub async fn rejoin(
    tx: &mut Tx,
    keys: &Keys,
    contact: &Contact,
    topic: &Topic,
    said: impl Into<Said<'_>>,
    now: Timestamp,
) -> Result<(), Error> {
    let said = said.into();
    tx.lock(&format!("subscriptions:{}", contact.id)).await?;
    if gets(tx, keys, contact, &topic.id, now).await? {
        return Ok(());
    }
    become_confirmed(tx, &topic.id, contact.id, said.by, now).await?;
    let text = topic.description.get(contact.language);
    let text = (topic.id.as_str(), contact.language, text);
    let entry = ConsentEntry { text: Some(text), ..ConsentEntry::of(&topic.id, "granted") };
    note(tx, contact.id, entry, said, now).await?;
    write_again(tx, keys, contact, &topic.id, now).await
}

/// The owner of the mailbox wants a topic: her earlier no to it, or to everything, holds no longer for it. It goes on to
/// hold for invitations, of which she has said nothing.
async fn write_again(
    tx: &mut Tx,
    keys: &Keys,
    contact: &Contact,
    topic: &str,
    now: Timestamp,
) -> Result<(), Error> {
    suppression::release(tx, keys, &contact.email, topic, Reason::Unsubscribed).await?;
    if lift_marketing(tx, keys, contact).await? {
        let (scope, reason) = (INVITATIONS, Reason::Unsubscribed);
        suppression::suppress(tx, keys, &contact.email, scope, reason, Some(MARKETING), now).await?;
    }
    Ok(())
}

/// Takes back the no to everything; returns whether there was one.
async fn lift_marketing(tx: &mut Tx, keys: &Keys, contact: &Contact) -> Result<bool, Error> {
    let mut was = false;
    for reason in [Reason::Unsubscribed, Reason::Complaint] {
        was |= suppression::release(tx, keys, &contact.email, MARKETING, reason).await?;
    }
    Ok(was)
}

/// No letters until then; none ends the pause.
///
/// # Errors
/// As the store says.
pub async fn pause(tx: &mut Tx, contact: ContactId, until: Option<Timestamp>) -> Result<(), Error> {
    Ok(store::pause(tx, contact, until).await?)
}

/// How often she wants letters from now on.
///
/// # Errors
/// As the store says.
pub async fn set_frequency(
    tx: &mut Tx,
    contact: ContactId,
    frequency: Frequency,
    now: Timestamp,
) -> Result<(), Error> {
    Ok(store::set_frequency(tx, contact, frequency, now).await?)
}

/// Whether a contact gets the letters of a topic and has not objected since she asked for them.
///
/// # Errors
/// As the store says.
pub async fn wants(q: &mut impl Queries, contact: ContactId, topic: &str) -> Result<bool, Error> {
    let Some(known) = store::find(q, contact, topic).await? else { return Ok(false) };
    if known.state != State::Confirmed {
        return Ok(false);
    }
    let ledger = contacts::consents(q, contact).await?;
    let objected = contacts::last_word(&ledger, contacts::MARKETING)
        .filter(|record| !record.is_yes())
        .map(|record| record.at);
    Ok(objected.is_none_or(|at| known.confirmed_at.is_some_and(|confirmed| confirmed > at)))
}

/// What is to be done with a letter now; [`Manners::Now`] has taken its place within the most that anybody gets.
///
/// # Errors
/// As the store says.
pub async fn take_turn(
    db: &Db,
    sending: &Sending,
    contact: &Contact,
    mail: &str,
    (planned_at, is_prompt): (Timestamp, bool),
    now: Timestamp,
) -> Result<Manners, Error> {
    let mut tx = db.begin().await?;
    // Two letters that are due at once must not both find the last place free.
    tx.lock(&format!("letters:{}", contact.id)).await?;
    let frequency = store::frequency(&mut tx, contact.id).await?;
    let within_ms = frequency.pause_ms().unwrap_or(0).max(sending.within_ms);
    let sent = store::slots(&mut tx, contact.id, mail, now.plus_ms(-within_ms)).await?;
    let country = contacts::fields(&mut tx, contact.id)
        .await?
        .into_iter()
        .find(|field| field.name == "country" && !field.is_suggestion)
        .map(|field| field.value.to_uppercase());
    let letter = Letter {
        zone: contact.time_zone.as_deref(),
        country: country.as_deref(),
        planned_at,
        is_prompt,
        paused_until: store::paused_until(&mut tx, contact.id, now).await?,
        frequency,
        sent: &sent,
    };
    let manners = policy::manners(sending, &letter, now);
    if manners == Manners::Now {
        store::take_slot(&mut tx, mail, contact.id, now).await?;
        tx.commit().await?;
    }
    Ok(manners)
}

/// When letters went out to a contact since a moment.
///
/// # Errors
/// As the store says.
pub async fn sent_since(
    q: &mut impl Queries,
    contact: ContactId,
    since: Timestamp,
) -> Result<Vec<Timestamp>, Error> {
    Ok(store::slots(q, contact, "", since).await?)
}

/// The contact of an address whose letters a program asks about.
///
/// # Errors
/// [`contacts::Error::Unknown`].
pub async fn contact_of(q: &mut impl Queries, address: &Email) -> Result<Contact, Error> {
    Ok(contacts::find_by_email(q, address).await?.ok_or(contacts::Error::Unknown)?)
}
