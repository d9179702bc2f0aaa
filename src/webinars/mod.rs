//! Webinars: who registered, who was there, who missed it, and how much of a recording was seen.
//!
//! A registration goes `registered → attended | no_show | cancelled`; attendance that comes late makes a no-show an
//! attendee after all. Every change records an activity, appends a fact and runs the lifecycle.
//!
//! Two contacts that are one person keep a row each, and are one registrant: one of the rows answers for both
//! ([`registration`]), one mail goes to her, and where one of them attended the other has missed nothing. Once they are two
//! again, each row is told for itself.

pub mod attendance;
mod calendar;
mod dates;
pub mod definition;
mod forms;
mod links;
pub mod ranges;
mod store;
mod watching;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use calendar::{calendar_cancelled, calendar_file};
pub use dates::{Dates, call_off, dates, follow};
pub use definition::{Definition, Recording, Webinar};
pub use forms::{release, take};
pub use links::{
    Showing, invitation, invited, place_link, place_of, play, recording_link, showing, watch_link,
};
pub use ranges::Ranges;
pub use store::{PERSONAL, Registration, Watched, registration, registrations, watched_of};
pub use watching::{THRESHOLDS, Watching, watch};

use crate::base::coded::Coded;
use crate::base::ids::{ContactId, VisitorId};
use crate::base::signing::TokenError;
use crate::base::time::Timestamp;
use crate::contacts;
use crate::events::{self, Event};
use crate::gates;
use crate::stages;
use crate::storage;
use crate::storage::db::{Db, Tx};
use attendance::{Attended, Unusable};

/// Lines of a list that are taken in one transaction: writers of other things get their turn in between.
const CHUNK: usize = 100;
/// Whoever was registered did not come.
const NO_SHOW: &str = "webinar.no_show";

/// What a contact is to a webinar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Will come.
    Registered,
    /// Was there.
    Attended,
    /// Was registered and did not come.
    NoShow,
    /// Cancelled in time.
    Cancelled,
}

impl State {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Attended => "attended",
            Self::NoShow => "no_show",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of a stored word.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Registered, Self::Attended, Self::NoShow, Self::Cancelled]
            .into_iter()
            .find(|s| s.word() == word)
    }
}

/// Why something about a webinar was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No webinar has this name.
    #[error("there is no such webinar")]
    Unknown,
    /// It is over; nobody can register any more.
    #[error("this webinar is over")]
    Over,
    /// It was called off.
    #[error("this webinar was called off")]
    CalledOff,
    /// It has not begun: nobody can have been there.
    #[error("this webinar has not begun yet")]
    NotBegun,
    /// It has not ended yet, or the grace time runs.
    #[error("this webinar is not over yet")]
    NotOver,
    /// The contact is not registered.
    #[error("this contact is not registered")]
    NotRegistered,
    /// No recording has this name.
    #[error("there is no such recording")]
    NoRecording,
    /// The link was not made here, was altered, or is for something else.
    #[error("the link is not valid")]
    LinkUnknown,
    /// The link was good once.
    #[error("the link has expired")]
    LinkExpired,
    /// A form or a link was refused.
    #[error(transparent)]
    Gate(#[from] gates::Error),
    /// The lifecycle refused.
    #[error(transparent)]
    Stage(#[from] stages::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] storage::Error),
}

impl From<contacts::Error> for Error {
    fn from(error: contacts::Error) -> Self {
        Self::Stage(error.into())
    }
}

impl From<contacts::merge::Error> for Error {
    fn from(error: contacts::merge::Error) -> Self {
        match error {
            contacts::merge::Error::Storage(error) => Self::Store(error),
            contacts::merge::Error::Contact(error) => error.into(),
            contacts::merge::Error::Same
            | contacts::merge::Error::Behind
            | contacts::merge::Error::NotMerged => Self::Stage(contacts::Error::Unknown.into()),
        }
    }
}

impl From<TokenError> for Error {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Forged => Self::LinkUnknown,
            TokenError::Expired(_) => Self::LinkExpired,
        }
    }
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "webinar.unknown",
            Self::Over => "webinar.over",
            Self::CalledOff => "webinar.called_off",
            Self::NotBegun => "webinar.not_begun",
            Self::NotOver => "webinar.not_over",
            Self::NotRegistered => "webinar.not_registered",
            Self::NoRecording => "recording.unknown",
            Self::LinkUnknown => "token.forged",
            Self::LinkExpired => "token.expired",
            Self::Gate(error) => error.code(),
            Self::Stage(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }

    fn extras(&self) -> Vec<(&'static str, Value)> {
        match self {
            Self::Gate(error) => error.extras(),
            Self::Stage(error) => error.extras(),
            _ => Vec::new(),
        }
    }
}

/// Registers a contact. Doing it again changes nothing; after a cancellation it registers anew.
///
/// Returns whether anything changed.
///
/// # Errors
/// [`Error::Over`], [`Error::CalledOff`].
pub async fn register(
    tx: &mut Tx,
    lifecycle: &stages::Definition,
    webinar: &Webinar,
    contact: ContactId,
    visitor: Option<VisitorId>,
    now: Timestamp,
) -> Result<bool, Error> {
    if now >= webinar.ends_at() {
        return Err(Error::Over);
    }
    if dates(tx, webinar).await?.cancelled_at.is_some() {
        return Err(Error::CalledOff);
    }
    tx.lock(&lock_name(webinar, contact)).await?;
    match store::registration(tx, &webinar.id, contact).await?.map(|known| known.state) {
        Some(State::Registered | State::Attended) => return Ok(false),
        Some(State::NoShow | State::Cancelled) | None => {}
    }
    store::put(tx, &webinar.id, contact, State::Registered, None, now).await?;
    let kind = "webinar.registered";
    contacts::record(tx, Some(contact), visitor, kind, Some(&webinar.id), json!({}), now).await?;
    let event = Event::WebinarRegistered { contact, webinar: webinar.id.clone() };
    events::append(tx, &event, now).await?;
    stages::evaluate(tx, lifecycle, contact, now).await?;
    Ok(true)
}

/// Cancels a registration before the webinar begins.
///
/// # Errors
/// [`Error::NotRegistered`], [`Error::Over`] once it has begun.
pub async fn cancel(
    tx: &mut Tx,
    lifecycle: &stages::Definition,
    webinar: &Webinar,
    contact: ContactId,
    now: Timestamp,
) -> Result<(), Error> {
    tx.lock(&lock_name(webinar, contact)).await?;
    let known = store::registration(tx, &webinar.id, contact).await?.ok_or(Error::NotRegistered)?;
    match known.state {
        State::Cancelled => return Ok(()),
        State::Attended | State::NoShow => return Err(Error::Over),
        State::Registered if now >= webinar.starts_at => return Err(Error::Over),
        State::Registered => {}
    }
    // Whoever is two contacts in one gives her seat back, under whichever address she had it.
    for seat in store::seats(tx, &webinar.id, contact).await? {
        store::put(tx, &webinar.id, seat, State::Cancelled, None, now).await?;
    }
    let contact = known.contact;
    let kind = "webinar.cancelled";
    contacts::record(tx, Some(contact), None, kind, Some(&webinar.id), json!({}), now).await?;
    let event = Event::WebinarCancelled { contact, webinar: webinar.id.clone(), by_us: false };
    events::append(tx, &event, now).await?;
    stages::evaluate(tx, lifecycle, contact, now).await?;
    Ok(())
}

/// What became of a list of attendees.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// How many are newly known to have been there.
    pub attended: usize,
    /// How many were known already.
    pub unchanged: usize,
    /// How many were there for too short a time to have been there.
    pub too_short: usize,
    /// Lines whose address is no contact's, or that could not be read.
    pub unknown: Vec<Unusable>,
}

/// Takes a list of any length, a hundred people in a transaction. The same list twice changes nothing the second time, so
/// one that broke off is simply sent again.
///
/// # Errors
/// As [`attend`]; then the lines before were taken.
pub async fn import(
    db: &Db,
    lifecycle: &stages::Definition,
    webinar: &Webinar,
    list: &[Attended],
    now: Timestamp,
) -> Result<Imported, Error> {
    let mut imported = Imported::default();
    for chunk in list.chunks(CHUNK) {
        let mut tx = db.begin().await?;
        let part = attend(&mut tx, lifecycle, webinar, chunk, now).await?;
        tx.commit().await?;
        imported.attended += part.attended;
        imported.unchanged += part.unchanged;
        imported.too_short += part.too_short;
        imported.unknown.extend(part.unknown);
    }
    Ok(imported)
}

/// Takes a list of who was there. The same list twice changes nothing the second time.
///
/// # Errors
/// [`Error::NotBegun`], [`Error::CalledOff`]; as the store says. Then nothing of the list took effect.
pub async fn attend(
    tx: &mut Tx,
    lifecycle: &stages::Definition,
    webinar: &Webinar,
    list: &[Attended],
    now: Timestamp,
) -> Result<Imported, Error> {
    if now < webinar.starts_at {
        return Err(Error::NotBegun);
    }
    if dates(tx, webinar).await?.cancelled_at.is_some() {
        return Err(Error::CalledOff);
    }
    let mut imported = Imported::default();
    for one in list {
        let Some(contact) = contacts::find_by_email(tx, &one.email).await? else {
            let text = one.email.to_string();
            imported.unknown.push(Unusable { line: one.line, text, reason: "no contact has this address" });
            continue;
        };
        // What is told of an address is told of the contact that it belongs to, whoever speaks for it now.
        let own = contacts::merge::merged_with_address(tx, &one.email).await?.unwrap_or(contact.id);
        tx.lock(&lock_name(webinar, contact.id)).await?;
        let known = store::own(tx, &webinar.id, own).await?;
        if let Some(known) = known.as_ref().filter(|known| known.state == State::Attended) {
            if one.minutes.is_some_and(|minutes| known.minutes.is_none_or(|known| known < minutes)) {
                store::put(tx, &webinar.id, own, State::Attended, one.minutes, now).await?;
            }
            imported.unchanged += 1;
            continue;
        }
        if !webinar.is_enough(one.minutes) {
            // The minutes stand beside the registration; whoever was not registered leaves no trace of a look.
            if let Some(known) = known.filter(|known| known.minutes < one.minutes) {
                store::put(tx, &webinar.id, own, known.state, one.minutes, now).await?;
            }
            imported.too_short += 1;
            continue;
        }
        let was_there = store::registration(tx, &webinar.id, own)
            .await?
            .is_some_and(|known| known.state == State::Attended);
        // Whoever was there has missed nothing, under none of her addresses: what counts on it, counts on it no more.
        for at in store::missed_at(tx, &webinar.id, own).await? {
            contacts::take_back(tx, contact.id, NO_SHOW, &webinar.id, at).await?;
        }
        store::put(tx, &webinar.id, own, State::Attended, one.minutes, now).await?;
        let props = json!({"minutes": one.minutes});
        // They were there when it took place, whenever the list arrives.
        let at = now.min(webinar.ends_at());
        let kind = "webinar.attended";
        contacts::record(tx, Some(own), None, kind, Some(&webinar.id), props, at).await?;
        if was_there {
            // Under her other address: one person was there once.
            imported.unchanged += 1;
            continue;
        }
        let event = Event::WebinarAttended { contact: contact.id, webinar: webinar.id.clone() };
        events::append(tx, &event, now).await?;
        stages::evaluate(tx, lifecycle, contact.id, now).await?;
        imported.attended += 1;
    }
    Ok(imported)
}

/// Marks everybody who is still only registered as `no_show`, whoever is two contacts in one once. Doing it again finds
/// nobody.
///
/// Returns how many missed it.
///
/// # Errors
/// [`Error::NotOver`] before the end and its grace time.
pub async fn close(
    tx: &mut Tx,
    lifecycle: &stages::Definition,
    webinar: &Webinar,
    now: Timestamp,
) -> Result<usize, Error> {
    if now < webinar.closes_at() {
        return Err(Error::NotOver);
    }
    let mut missed = 0;
    for contact in store::untold(tx, &webinar.id).await? {
        // One lock for all her addresses, as where attendance comes in.
        let person = contacts::survivor(tx, contact).await?;
        tx.lock(&lock_name(webinar, person)).await?;
        // Attendance may have come in while we waited for the lock, or her other row has answered.
        let known = store::registration(tx, &webinar.id, contact).await?;
        if known.is_none_or(|known| known.state != State::Registered) {
            continue;
        }
        store::put(tx, &webinar.id, contact, State::NoShow, None, now).await?;
        contacts::record(tx, Some(contact), None, NO_SHOW, Some(&webinar.id), json!({}), now).await?;
        let event = Event::WebinarMissed { contact, webinar: webinar.id.clone() };
        events::append(tx, &event, now).await?;
        stages::evaluate(tx, lifecycle, contact, now).await?;
        missed += 1;
    }
    Ok(missed)
}

/// Closes every webinar whose time has come, each in a transaction of its own. A job runs this every minute.
///
/// # Errors
/// As the store says; webinars closed before it stay closed.
pub async fn close_due(
    db: &Db,
    lifecycle: &stages::Definition,
    webinars: &Definition,
    now: Timestamp,
) -> Result<usize, Error> {
    let mut missed = 0;
    for webinar in webinars.webinars.iter().filter(|webinar| now >= webinar.closes_at()) {
        if store::untold(&mut db.read(), &webinar.id).await?.is_empty() {
            continue;
        }
        // Nobody can have missed what did not take place.
        if dates(&mut db.read(), webinar).await?.cancelled_at.is_some() {
            continue;
        }
        let mut tx = db.begin().await?;
        missed += close(&mut tx, lifecycle, webinar, now).await?;
        tx.commit().await?;
    }
    Ok(missed)
}

/// What conditions of flows may ask about a contact's latest webinar.
///
/// # Errors
/// As the store says.
pub async fn latest(
    q: &mut impl storage::db::Queries,
    contact: ContactId,
) -> Result<Option<Registration>, Error> {
    Ok(store::registrations(q, contact).await?.into_iter().next())
}

/// The registration as JSON for the API.
pub fn as_json(registration: &Registration) -> Value {
    json!({
        "webinar": registration.webinar,
        "contact": registration.contact,
        "state": registration.state,
        "minutes": registration.minutes,
        "registered_at": registration.registered_at,
    })
}

fn lock_name(webinar: &Webinar, contact: ContactId) -> String {
    format!("webinar:{}:{contact}", webinar.id)
}
