//! Contacts go from one role to the next: to whom, by when, and whether they were taken.
//!
//! Whoever enters a stage that another role looks after is handed over to somebody of that role ([`hear`]): to her owner, if
//! her owner has it; else to whom `choose.rs` names. People hand contacts over, too, with a note ([`give`]); then the
//! contact stays with her owner until the other one takes her ([`take`]), so that nobody falls between two chairs. Each
//! contact has at most one hand-over that waits. One that waits for too long is told once ([`tell_of_late`]).

pub mod choose;
mod store;

use serde::Serialize;
use serde_json::json;

pub use store::{PERSONAL, find, open_of};

use self::choose::Candidate;
use crate::accounts::{self, Account, Role};
use crate::base::coded::Coded;
use crate::base::ids::{AccountId, ContactId, HandoverId};
use crate::base::time::Timestamp;
use crate::bookings::team::Team;
use crate::bookings::{self, wall};
use crate::contacts::{self, Contact};
use crate::events::{self, Event};
use crate::stages::{self, Definition};
use crate::storage;
use crate::storage::db::{Db, Queries, Tx};

/// Longest note, in characters; the rest is cut.
const NOTE_LENGTH: usize = 2_000;
/// Late ones that are told in one go.
const LATE_AT_ONCE: i64 = 50;

/// Somebody goes to another role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Handover {
    pub id: HandoverId,
    pub contact: ContactId,
    /// The role that looks after her from now on.
    pub role: String,
    /// The stage that she stood in.
    pub stage: String,
    /// Whom she goes to; nobody, if anybody of the role may take her.
    pub account: Option<AccountId>,
    /// Who handed her over; nobody, if the lifecycle did.
    pub from: Option<AccountId>,
    pub note: Option<String>,
    pub given_at: Timestamp,
    /// By when she is to be taken.
    pub due_at: Option<Timestamp>,
    pub taken_at: Option<Timestamp>,
    pub taken_by: Option<AccountId>,
    /// When another hand-over took the place of this one.
    pub ended_at: Option<Timestamp>,
}

impl Handover {
    /// Whether it still waits for somebody.
    pub fn is_open(&self) -> bool {
        self.taken_at.is_none() && self.ended_at.is_none()
    }
}

/// Why a hand-over was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No hand-over has this id.
    #[error("there is no such hand-over")]
    Unknown,
    /// Somebody was quicker.
    #[error("this hand-over was taken already")]
    Taken,
    /// Another hand-over took its place.
    #[error("another hand-over took the place of this one")]
    Over,
    /// Nobody works in this role, or it is no role that looks after people.
    #[error("contacts are handed over to marketing, sdr, ae or cs")]
    NoRole,
    /// The account is of another role, or disabled.
    #[error("this account is not of the role {role}")]
    OtherRole {
        /// The role that looks after the contact.
        role: String,
    },
    /// A booking could not be read.
    #[error(transparent)]
    Booking(#[from] bookings::Error),
    /// The lifecycle.
    #[error(transparent)]
    Stage(#[from] stages::Error),
    /// The contact.
    #[error(transparent)]
    Contact(#[from] contacts::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] storage::Error),
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "handover.unknown",
            Self::Taken => "handover.taken",
            Self::Over => "handover.over",
            Self::NoRole => "handover.no_role",
            Self::OtherRole { .. } => "handover.other_role",
            Self::Booking(error) => error.code(),
            Self::Stage(error) => error.code(),
            Self::Contact(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }
}

/// What hand-overs go by: who works here, and which role looks after whom.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    pub team: &'a Team,
    pub lifecycle: &'a Definition,
}

/// A hand-over by a person.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// The role that looks after her from now on.
    pub role: &'a str,
    /// Whom she goes to; without, whoever of the role is next.
    pub account: Option<AccountId>,
    /// Who hands her over; nobody, if a program does.
    pub from: Option<AccountId>,
    /// What the other one is to know.
    pub note: &'a str,
}

/// Takes note of a fact: whoever came into a stage of another role is handed over.
///
/// # Errors
/// As the store says.
pub async fn hear(tx: &mut Tx, desk: Desk<'_>, event: &Event, now: Timestamp) -> Result<(), Error> {
    if let Event::ContactsMerged { contact, .. } = event {
        return Ok(store::end_but_latest(tx, *contact, now).await?);
    }
    let Event::StageChanged { contact, from, to, .. } = event else { return Ok(()) };
    let Some(contact) = contacts::find(tx, *contact).await? else { return Ok(()) };
    // She has gone on meanwhile: the fact about that is on its way.
    if contact.stage != *to {
        return Ok(());
    }
    let role = |stage: &str| desk.lifecycle.stage(stage).map(|stage| stage.owner.as_str());
    let Some(new) = role(to).filter(|new| role(from) != Some(*new)) else { return Ok(()) };
    // No lock of the contact: facts of many are heard in one transaction, and whoever takes two locks elsewhere must not
    // wait for this one. What a person hands over at this very moment counts more.
    let waiting = store::open_of(tx, contact.id).await?;
    let mover = mover(tx, contact.id).await?;
    let people = of_role(tx, new).await?;
    let of_role = |account: Option<AccountId>| account.filter(|id| people.iter().any(|one| one.id == *id));
    let promised = waiting.as_ref().filter(|waiting| waiting.role == new).and_then(|waiting| waiting.account);
    if let Some(waiting) = &waiting {
        store::end(tx, waiting.id, now).await?;
    }
    // Nothing changes hands: whoever looks after her, or has just moved her here herself, goes on.
    let keeper = of_role(contact.owner).or(of_role(mover));
    let chosen = match keeper.or(of_role(promised)) {
        Some(account) => Some(account),
        None => next(tx, desk, &contact, new, &people, now).await?,
    };
    let due_at = due_at(desk, to, now);
    let handover = Handover {
        id: HandoverId::new(),
        contact: contact.id,
        role: new.to_owned(),
        stage: to.clone(),
        account: chosen,
        from: None,
        note: waiting.and_then(|waiting| waiting.note),
        given_at: now,
        due_at,
        taken_at: keeper.map(|_| now),
        taken_by: keeper,
        ended_at: None,
    };
    if !store::insert(tx, &handover).await? {
        return Ok(());
    }
    if let Some(account) = chosen {
        contacts::assign(tx, contact.id, account).await?;
    }
    if keeper.is_none() {
        events::append(tx, &Event::HandoverGiven { contact: contact.id, handover: handover.id }, now).await?;
    }
    Ok(())
}

/// The hand-over of a contact that waits. Until the end of the transaction nobody gives or takes another.
///
/// # Errors
/// As the store says.
pub async fn standing(tx: &mut Tx, contact: ContactId) -> Result<Option<Handover>, Error> {
    lock(tx, contact).await?;
    Ok(store::open_of(tx, contact).await?)
}

/// Hands a contact over to another role. She stays with her owner until the other one takes her. Whatever hand-over of hers
/// waits ends.
///
/// # Errors
/// [`Error::NoRole`], [`Error::OtherRole`], that there is no such contact.
pub async fn give(
    tx: &mut Tx,
    desk: Desk<'_>,
    contact: ContactId,
    given: &Given<'_>,
    now: Timestamp,
) -> Result<Handover, Error> {
    if !stages::definition::ROLES.contains(&given.role) {
        return Err(Error::NoRole);
    }
    let contact = contacts::find(tx, contact).await?.ok_or(contacts::Error::Unknown)?;
    lock(tx, contact.id).await?;
    let people = of_role(tx, given.role).await?;
    let account = match given.account {
        Some(account) if people.iter().any(|one| one.id == account) => Some(account),
        Some(_) => return Err(Error::OtherRole { role: given.role.to_owned() }),
        None => next(tx, desk, &contact, given.role, &people, now).await?,
    };
    if let Some(waiting) = store::open_of(tx, contact.id).await? {
        store::end(tx, waiting.id, now).await?;
    }
    let note: String = given.note.trim().chars().take(NOTE_LENGTH).collect();
    // The clock is that of the stage in which the role looks after people.
    let stages = &desk.lifecycle.stages;
    let stage =
        stages.iter().find(|stage| stage.owner == given.role).map_or(&contact.stage, |stage| &stage.id);
    let handover = Handover {
        id: HandoverId::new(),
        contact: contact.id,
        role: given.role.to_owned(),
        stage: contact.stage.clone(),
        account,
        from: given.from,
        note: Some(note).filter(|note| !note.is_empty()),
        given_at: now,
        due_at: due_at(desk, stage, now),
        taken_at: None,
        taken_by: None,
        ended_at: None,
    };
    if !store::insert(tx, &handover).await? {
        return Err(Error::Over);
    }
    let props = json!({"by": given.from, "to": account, "note": handover.note});
    contacts::record(tx, Some(contact.id), None, "handover.given", Some(given.role), props, now).await?;
    events::append(tx, &Event::HandoverGiven { contact: contact.id, handover: handover.id }, now).await?;
    Ok(handover)
}

/// Somebody takes a contact over and looks after her from now on. Anybody of the role may, also if it was meant for a
/// colleague; taking again what is one's own changes nothing.
///
/// # Errors
/// [`Error::Unknown`], [`Error::Taken`], [`Error::Over`], [`Error::OtherRole`].
pub async fn take(tx: &mut Tx, id: HandoverId, by: &Account, now: Timestamp) -> Result<Handover, Error> {
    let known = store::find(tx, id).await?.ok_or(Error::Unknown)?;
    lock(tx, known.contact).await?;
    let known = store::find(tx, id).await?.ok_or(Error::Unknown)?;
    if known.taken_at.is_some() {
        return if known.taken_by == Some(by.id) { Ok(known) } else { Err(Error::Taken) };
    }
    if known.ended_at.is_some() {
        return Err(Error::Over);
    }
    if by.disabled_at.is_some() || (by.role.word() != known.role && by.role != Role::Admin) {
        return Err(Error::OtherRole { role: known.role });
    }
    let contact = contacts::survivor(tx, known.contact).await?;
    if !store::set_taken(tx, id, by.id, now).await? {
        return Err(Error::Over);
    }
    contacts::assign(tx, contact, by.id).await?;
    let props = json!({"by": by.id});
    contacts::record(tx, Some(contact), None, "handover.taken", Some(&known.role), props, now).await?;
    events::append(tx, &Event::HandoverTaken { contact, handover: id, account: by.id }, now).await?;
    Ok(Handover { taken_at: Some(now), taken_by: Some(by.id), ..known })
}

/// Tells of each hand-over that nobody has taken in time, once; returns how many those were.
///
/// # Errors
/// As the store says.
pub async fn tell_of_late(db: &Db, now: Timestamp) -> Result<usize, Error> {
    if store::late(&mut db.read(), now, 1).await?.is_empty() {
        return Ok(0);
    }
    let mut tx = db.begin().await?;
    let mut told = 0;
    for (handover, contact) in store::late(&mut tx, now, LATE_AT_ONCE).await? {
        if store::set_late_told(&mut tx, handover, now).await? {
            events::append(&mut tx, &Event::HandoverLate { contact, handover }, now).await?;
            told += 1;
        }
    }
    tx.commit().await?;
    Ok(told)
}

/// The same lock as that of a change of stage.
async fn lock(tx: &mut Tx, contact: ContactId) -> storage::Result<()> {
    tx.lock(&format!("contact:{contact}")).await
}

fn due_at(desk: Desk<'_>, stage: &str, now: Timestamp) -> Option<Timestamp> {
    let within_ms = desk.lifecycle.stage(stage).and_then(|stage| stage.take_within_ms);
    within_ms.map(|ms| desk.lifecycle.after_working(now, ms))
}

/// Everybody who works here in a role.
async fn of_role(q: &mut impl Queries, role: &str) -> storage::Result<Vec<Account>> {
    let mut people = accounts::list(q).await?;
    people.retain(|account| account.disabled_at.is_none() && account.role.word() == role);
    Ok(people)
}

/// The person who moved a contact to where she stands, if a person did.
async fn mover(q: &mut impl Queries, contact: ContactId) -> storage::Result<Option<AccountId>> {
    let intervals = stages::store::intervals(q, contact).await?;
    let open = intervals.iter().find(|interval| interval.left_at.is_none());
    let id = open.and_then(|interval| interval.actor.strip_prefix("account:"));
    Ok(id.and_then(|id| AccountId::parse(id).ok()))
}

/// Whoever of a role is next for a contact.
async fn next(
    q: &mut impl Queries,
    desk: Desk<'_>,
    contact: &Contact,
    role: &str,
    people: &[Account],
    now: Timestamp,
) -> Result<Option<AccountId>, Error> {
    let calls = bookings::of_contact(q, contact.id).await?;
    let ahead = calls.iter().filter(|call| call.state == bookings::State::Confirmed && call.ends_at > now);
    let next_call = ahead.min_by_key(|call| call.starts_at).and_then(|call| desk.team.rep(&call.rep));
    let since = month_of(desk.team, now);
    let loads = store::loads(q, role, since).await?;
    let candidates = people.iter().map(|account| {
        let rep = desk.team.rep_of_account(&account.email);
        let load = loads.iter().find(|load| load.account == account.id);
        Candidate {
            account: account.id,
            holds_next_call: next_call.is_some_and(|rep| rep.account == account.email),
            speaks_language: rep
                .map_or(account.language == contact.language, |rep| rep.speaks(contact.language)),
            level: load.map_or(0, |load| load.level),
            priority: rep.map_or(u32::MAX, |rep| rep.priority),
            last_given_at: load.and_then(|load| load.last_given_at),
        }
    });
    Ok(choose::best(&candidates.collect::<Vec<_>>()))
}

/// When the month began whose hand-overs are counted: on the calendar of the first rep.
fn month_of(team: &Team, now: Timestamp) -> Timestamp {
    let zone = team.reps.first().map_or(jiff::tz::TimeZone::UTC, |rep| rep.zone.clone());
    let first = wall::date(&zone, now).first_of_month();
    wall::instant(&zone, first, 0, wall::Edge::Start).unwrap_or(now)
}
