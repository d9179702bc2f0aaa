//! Webinars: who registered, who was there, who missed it, and how much of a recording was seen.
//!
//! A registration goes `registered → attended | no_show | cancelled`; attendance that comes late makes a no-show an
//! attendee after all. Every change records an activity, appends a fact and runs the lifecycle.

pub mod attendance;
mod calendar;
pub mod definition;
pub mod ranges;
mod store;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use calendar::calendar_file;
pub use definition::{Definition, Recording, Webinar};
pub use ranges::Ranges;
pub use store::{PERSONAL, Registration, Watched, registration, registrations, watched_of};

use crate::base::coded::Coded;
use crate::base::ids::{ContactId, VisitorId};
use crate::base::signing::{Claims, Keys, Purpose, TokenError};
use crate::base::time::{DAY_MS, Timestamp};
use crate::contacts;
use crate::events::{self, Event};
use crate::gates::unlock::as_mailed;
use crate::stages;
use crate::storage;
use crate::storage::db::{Db, Tx};
use attendance::{Attended, Unusable};

/// Shares of a recording that are worth an activity.
pub const THRESHOLDS: [u8; 5] = [25, 50, 60, 75, 90];

/// How long a link to a recording is good: long enough to watch it with pauses.
const RECORDING_MS: i64 = DAY_MS;

/// How long after the webinar an invitation still leads to its page.
const INVITATION_MS: i64 = 30 * DAY_MS;

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
            Self::NotBegun => "webinar.not_begun",
            Self::NotOver => "webinar.not_over",
            Self::NotRegistered => "webinar.not_registered",
            Self::NoRecording => "recording.unknown",
            Self::LinkUnknown => "token.forged",
            Self::LinkExpired => "token.expired",
            Self::Stage(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }
}

/// Registers a contact. Doing it again changes nothing; after a cancellation it registers anew.
///
/// Returns whether anything changed.
///
/// # Errors
/// [`Error::Over`].
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
pub async fn cancel(tx: &mut Tx, webinar: &Webinar, contact: ContactId, now: Timestamp) -> Result<(), Error> {
    tx.lock(&lock_name(webinar, contact)).await?;
    let known = store::registration(tx, &webinar.id, contact).await?.ok_or(Error::NotRegistered)?;
    match known.state {
        State::Cancelled => return Ok(()),
        State::Attended | State::NoShow => return Err(Error::Over),
        State::Registered if now >= webinar.starts_at => return Err(Error::Over),
        State::Registered => {}
    }
    store::put(tx, &webinar.id, contact, State::Cancelled, None, now).await?;
    let kind = "webinar.cancelled";
    contacts::record(tx, Some(contact), None, kind, Some(&webinar.id), json!({}), now).await?;
    Ok(())
}

/// What became of a list of attendees.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// How many are newly known to have been there.
    pub attended: usize,
    /// How many were known already.
    pub unchanged: usize,
    /// Lines whose address is no contact's, or that could not be read.
    pub unknown: Vec<Unusable>,
}

/// Takes a list of who was there. The same list twice changes nothing the second time.
///
/// # Errors
/// As the store says; then nothing of the list took effect.
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
    let mut imported = Imported::default();
    for one in list {
        let Some(contact) = contacts::find_by_email(tx, &one.email).await? else {
            let text = one.email.to_string();
            imported.unknown.push(Unusable { line: one.line, text, reason: "no contact has this address" });
            continue;
        };
        tx.lock(&lock_name(webinar, contact.id)).await?;
        let known = store::registration(tx, &webinar.id, contact.id).await?;
        if let Some(known) = known.filter(|known| known.state == State::Attended) {
            if one.minutes.is_some_and(|minutes| known.minutes.is_none_or(|known| known < minutes)) {
                store::put(tx, &webinar.id, contact.id, State::Attended, one.minutes, now).await?;
            }
            imported.unchanged += 1;
            continue;
        }
        store::put(tx, &webinar.id, contact.id, State::Attended, one.minutes, now).await?;
        let props = json!({"minutes": one.minutes});
        // They were there when it took place, whenever the list arrives.
        let at = now.min(webinar.ends_at());
        let kind = "webinar.attended";
        contacts::record(tx, Some(contact.id), None, kind, Some(&webinar.id), props, at).await?;
        let event = Event::WebinarAttended { contact: contact.id, webinar: webinar.id.clone() };
        events::append(tx, &event, now).await?;
        stages::evaluate(tx, lifecycle, contact.id, now).await?;
        imported.attended += 1;
    }
    Ok(imported)
}

/// Marks everybody who is still only registered as `no_show`. Doing it again finds nobody.
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
    for contact in store::still_registered(tx, &webinar.id).await? {
        tx.lock(&lock_name(webinar, contact)).await?;
        // Attendance may have come in while we waited for the lock.
        let known = store::registration(tx, &webinar.id, contact).await?;
        if known.is_none_or(|known| known.state != State::Registered) {
            continue;
        }
        store::put(tx, &webinar.id, contact, State::NoShow, None, now).await?;
        let kind = "webinar.no_show";
        contacts::record(tx, Some(contact), None, kind, Some(&webinar.id), json!({}), now).await?;
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
        if store::still_registered(&mut db.read(), &webinar.id).await?.is_empty() {
            continue;
        }
        let mut tx = db.begin().await?;
        missed += close(&mut tx, lifecycle, webinar, now).await?;
        tx.commit().await?;
    }
    Ok(missed)
}

/// What a player reports.
#[derive(Debug, Clone)]
pub struct Watching<'a> {
    /// The recording.
    pub recording: &'a str,
    /// The device.
    pub visitor: VisitorId,
    /// The person, if she is known.
    pub contact: Option<ContactId>,
    /// What was played since the last report, in seconds.
    pub ranges: &'a [(f64, f64)],
}

/// Adds what was seen of a recording and returns the whole percent seen so far. What is seen twice counts once; each
/// threshold in [`THRESHOLDS`] makes one activity and one fact when it is first passed.
///
/// # Errors
/// [`Error::NoRecording`].
pub async fn watch(
    tx: &mut Tx,
    lifecycle: &stages::Definition,
    webinars: &Definition,
    report: &Watching<'_>,
    now: Timestamp,
) -> Result<u8, Error> {
    let (_, recording) = webinars.recording(report.recording).ok_or(Error::NoRecording)?;
    let viewer = report.visitor.to_string();
    tx.lock(&format!("watch:{}:{viewer}", recording.id)).await?;
    let before = store::watched(tx, &recording.id, &viewer).await?;
    let mut ranges = before.as_ref().map(|watched| watched.ranges.clone()).unwrap_or_default();
    // Stored percents are kept when the recording is cut anew: nobody loses what she has seen.
    let percent_before = before.as_ref().map_or(0, |watched| watched.percent);
    ranges.add(report.ranges.iter().copied(), recording.duration_s);
    let percent = ranges.percent(recording.duration_s).max(percent_before);
    let contact = report.contact.or(before.and_then(|watched| watched.contact));
    store::put_watched(tx, &recording.id, &viewer, contact, &ranges, percent, now).await?;
    let passed: Vec<u8> = THRESHOLDS
        .into_iter()
        .filter(|threshold| (percent_before + 1..=percent).contains(threshold))
        .collect();
    for threshold in &passed {
        let (kind, props) = ("recording.watched", json!({"percent": threshold}));
        let visitor = Some(report.visitor);
        contacts::record(tx, contact, visitor, kind, Some(&recording.id), props, now).await?;
        let percent = i64::from(*threshold);
        let event = Event::RecordingWatched { contact, recording: recording.id.clone(), percent };
        events::append(tx, &event, now).await?;
    }
    if let Some(contact) = contact.filter(|_| !passed.is_empty()) {
        stages::evaluate(tx, lifecycle, contact, now).await?;
    }
    Ok(percent)
}

/// The token of a link that plays a recording.
pub fn recording_link(
    keys: &Keys,
    recording: &Recording,
    contact: Option<ContactId>,
    now: Timestamp,
) -> String {
    let mut claims = Keys::claims(recording.id.clone(), now, now.plus_ms(RECORDING_MS));
    claims.contact = contact.map(|contact| contact.to_string());
    keys.sign(Purpose::Recording, &claims)
}

/// The recording that a token plays.
///
/// # Errors
/// [`Error::LinkUnknown`], [`Error::LinkExpired`].
pub fn play<'a>(
    webinars: &'a Definition,
    keys: &Keys,
    token: &str,
    now: Timestamp,
) -> Result<&'a Recording, Error> {
    let claims = keys.verify(Purpose::Recording, token, now)?;
    webinars.recording(&claims.subject).map(|(_, recording)| recording).ok_or(Error::LinkUnknown)
}

/// The token of a mailed invitation: one click registers, no address is asked for.
pub fn invitation(keys: &Keys, webinar: &Webinar, contact: ContactId, now: Timestamp) -> String {
    let claims = Keys::claims(webinar.id.clone(), now, webinar.ends_at().plus_ms(INVITATION_MS));
    keys.sign(Purpose::Webinar, &as_mailed(claims, contact, None))
}

/// Whom an invitation to this webinar was made for.
///
/// # Errors
/// [`Error::LinkUnknown`] for one to another webinar too, [`Error::LinkExpired`].
pub fn invited(
    keys: &Keys,
    webinar: &Webinar,
    token: &str,
    now: Timestamp,
) -> Result<(ContactId, Claims), Error> {
    let claims = keys.verify(Purpose::Webinar, token, now)?;
    let contact = claims.contact.as_deref().and_then(|text| ContactId::parse(text).ok());
    match contact {
        Some(contact) if claims.subject == webinar.id => Ok((contact, claims)),
        Some(_) | None => Err(Error::LinkUnknown),
    }
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
