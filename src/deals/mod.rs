//! Deals: what a company might buy from us, who of its people has a part in it, and how it ended.
//!
//! A deal that is won makes customers of those of its people who stand where the lifecycle lets them in; for everybody else
//! at the company it is a fact that rules can ask for (`company.is_customer`). Winning twice changes nothing.

mod store;

use serde::{Deserialize, Serialize};
use serde_json::json;

pub use store::{PERSONAL, count_won, find, milestones, of_company, of_contact, people};

use crate::base::coded::Coded;
use crate::base::ids::{AccountId, CompanyId, ContactId, DealId};
use crate::base::time::Timestamp;
use crate::contacts::{self, marks};
use crate::events::{self, Event};
use crate::stages::{self, Actor};
use crate::storage;
use crate::storage::db::{Queries, Tx};

/// How a deal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Open,
    Won,
    Lost,
}

impl Status {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }

    fn of_word(word: &str) -> Self {
        match word {
            "won" => Self::Won,
            "lost" => Self::Lost,
            _ => Self::Open,
        }
    }
}

/// The part that somebody has in a deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Wants it and speaks for it.
    Champion,
    /// Says yes or no.
    DecisionMaker,
    /// Pays.
    Finance,
    /// Is listened to.
    Influencer,
    /// Works with it.
    User,
    /// Anything else.
    Other,
}

impl Role {
    /// All of them, in the order in which lists show them.
    pub const ALL: [Self; 6] =
        [Self::Champion, Self::DecisionMaker, Self::Finance, Self::Influencer, Self::User, Self::Other];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Champion => "champion",
            Self::DecisionMaker => "decision_maker",
            Self::Finance => "finance",
            Self::Influencer => "influencer",
            Self::User => "user",
            Self::Other => "other",
        }
    }

    fn of_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|role| role.word() == word).unwrap_or(Self::Other)
    }
}

/// How far a deal has come; before the first of them it is only open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Milestone {
    /// We know what they need.
    Discovery,
    /// They have seen it.
    Demo,
    /// They know what it costs.
    Proposal,
    /// Both sides have gone through it.
    Review,
}

impl Milestone {
    /// All of them, in the order in which a deal comes by them.
    pub const ALL: [Self; 4] = [Self::Discovery, Self::Demo, Self::Proposal, Self::Review];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Demo => "demo",
            Self::Proposal => "proposal",
            Self::Review => "review",
        }
    }

    /// The milestone of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|milestone| milestone.word() == word)
    }
}

/// That a deal has come by a milestone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reached {
    /// Which.
    pub milestone: Milestone,
    /// When.
    pub at: Timestamp,
    /// `account:ID`, `api`, or `meeting` if a call that took place says so.
    pub actor: String,
}

/// A deal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deal {
    /// Its id.
    pub id: DealId,
    /// Who might buy.
    pub company: CompanyId,
    /// What it is called.
    pub name: String,
    /// What it is worth, in the smallest unit of the currency; nothing if nobody knows yet.
    pub amount: Option<i64>,
    /// The currency (ISO 4217).
    pub currency: String,
    /// How it stands.
    pub status: Status,
    /// Why it was lost.
    pub reason: Option<String>,
    /// Who looks after it.
    pub owner: Option<AccountId>,
    /// Since when it is talked about.
    pub opened_at: Timestamp,
    /// When it was won or lost.
    pub closed_at: Option<Timestamp>,
    /// When work begins.
    pub kickoff_at: Option<Timestamp>,
    /// When it is in use.
    pub live_at: Option<Timestamp>,
}

/// Somebody who has a part in a deal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// Who.
    pub contact: ContactId,
    /// Her address.
    pub email: String,
    /// Her part.
    pub role: Role,
}

/// What a deal is to begin with.
#[derive(Debug, Clone)]
pub struct NewDeal<'a> {
    /// Who might buy.
    pub company: CompanyId,
    /// What it is called.
    pub name: &'a str,
    /// What it is worth, in the smallest unit of the currency.
    pub amount: Option<i64>,
    /// The currency (ISO 4217).
    pub currency: &'a str,
    /// Who looks after it.
    pub owner: Option<AccountId>,
}

/// What can be changed of a deal; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    pub name: Option<String>,
    pub amount: Option<i64>,
    pub currency: Option<String>,
    pub owner: Option<AccountId>,
    pub kickoff_at: Option<Timestamp>,
    pub live_at: Option<Timestamp>,
}

/// Why something about a deal was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No deal has this id.
    #[error("there is no such deal")]
    Unknown,
    /// The contact works elsewhere.
    #[error("this contact does not belong to the deal's company")]
    OtherCompany,
    /// The name, amount or currency cannot be.
    #[error("{0}")]
    Invalid(&'static str),
    /// It has ended otherwise.
    #[error("this deal is {} already", .0.word())]
    Closed(Status),
    /// A deal that is lost was lost for a reason.
    #[error("a reason is needed")]
    ReasonNeeded,
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

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "deal.unknown",
            Self::OtherCompany => "deal.other_company",
            Self::Invalid(_) => "deal.invalid",
            Self::Closed(_) => "deal.closed",
            Self::ReasonNeeded => "deal.reason_needed",
            Self::Stage(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }
}

fn check(name: Option<&str>, amount: Option<i64>, currency: Option<&str>) -> Result<(), Error> {
    let is_plain = |name: &str| {
        !name.trim().is_empty() && name.chars().count() <= 200 && !name.contains(char::is_control)
    };
    if !name.is_none_or(is_plain) {
        return Err(Error::Invalid("a deal needs a name of at most 200 characters"));
    }
    if amount.is_some_and(|amount| amount < 0) {
        return Err(Error::Invalid("an amount cannot be below zero"));
    }
    let is_currency = |code: &str| code.len() == 3 && code.bytes().all(|c| c.is_ascii_uppercase());
    if !currency.is_none_or(is_currency) {
        return Err(Error::Invalid("a currency is three letters, such as EUR (ISO 4217)"));
    }
    Ok(())
}

/// Opens a deal.
///
/// # Errors
/// [`Error::Invalid`].
pub async fn open(tx: &mut Tx, new: &NewDeal<'_>, now: Timestamp) -> Result<DealId, Error> {
    check(Some(new.name), new.amount, Some(new.currency))?;
    Ok(store::insert(tx, new, now).await?)
}

/// Changes what is said about a deal.
///
/// # Errors
/// [`Error::Unknown`], [`Error::Invalid`].
pub async fn change(tx: &mut Tx, id: DealId, changes: &Changes) -> Result<(), Error> {
    check(changes.name.as_deref(), changes.amount, changes.currency.as_deref())?;
    let known = store::find(tx, id).await?.ok_or(Error::Unknown)?;
    let changed = Deal {
        name: changes.name.clone().unwrap_or(known.name),
        amount: changes.amount.or(known.amount),
        currency: changes.currency.clone().unwrap_or(known.currency),
        owner: changes.owner.or(known.owner),
        kickoff_at: changes.kickoff_at.or(known.kickoff_at),
        live_at: changes.live_at.or(known.live_at),
        ..known
    };
    Ok(store::update(tx, &changed).await?)
}

/// Gives somebody a part in a deal, or another one.
///
/// # Errors
/// [`Error::Unknown`], [`Error::OtherCompany`] for somebody who works elsewhere.
pub async fn add_person(
    tx: &mut Tx,
    id: DealId,
    contact: ContactId,
    role: Role,
    now: Timestamp,
) -> Result<(), Error> {
    let deal = store::find(tx, id).await?.ok_or(Error::Unknown)?;
    let known = contacts::find(tx, contact).await?.ok_or(stages::Error::NoContact)?;
    if known.company != Some(deal.company) {
        return Err(Error::OtherCompany);
    }
    store::put_person(tx, id, contact, role, now).await?;
    Ok(())
}

/// Takes somebody out of a deal.
///
/// # Errors
/// As the store says.
pub async fn remove_person(tx: &mut Tx, id: DealId, contact: ContactId) -> Result<(), Error> {
    Ok(store::remove_person(tx, id, contact).await?)
}

/// A deal has come by a milestone. Those that lie before it may be left out; said again, it changes nothing. Returns
/// whether that is news.
///
/// # Errors
/// [`Error::Unknown`], [`Error::Closed`] for a deal that has ended.
pub async fn reach(
    tx: &mut Tx,
    id: DealId,
    milestone: Milestone,
    actor: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    tx.lock(&format!("deal:{id}")).await?;
    let deal = store::find(tx, id).await?.ok_or(Error::Unknown)?;
    if store::milestones(tx, id).await?.iter().any(|reached| reached.milestone == milestone) {
        return Ok(false);
    }
    if deal.status != Status::Open {
        return Err(Error::Closed(deal.status));
    }
    store::put_milestone(tx, id, milestone, actor, now).await?;
    for person in store::people(tx, id).await? {
        let props = json!({"by": actor, "deal": deal.name});
        contacts::record(
            tx,
            Some(person.contact),
            None,
            "deal.milestone",
            Some(milestone.word()),
            props,
            now,
        )
        .await?;
    }
    let event =
        Event::MilestoneReached { deal: id, company: deal.company, milestone: milestone.word().to_owned() };
    events::append(tx, &event, now).await?;
    Ok(true)
}

/// A meeting with a contact took place that brings a deal on: every open deal that she has a part in comes by the
/// milestone. Returns how many those were.
///
/// # Errors
/// As the store says.
pub async fn met(
    tx: &mut Tx,
    contact: ContactId,
    milestone: Milestone,
    now: Timestamp,
) -> Result<usize, Error> {
    let mut reached = 0;
    for deal in store::of_contact(tx, contact).await? {
        if deal.status == Status::Open && reach(tx, deal.id, milestone, "meeting", now).await? {
            reached += 1;
        }
    }
    Ok(reached)
}

/// A deal is won. Returns whether that is news.
///
/// # Errors
/// [`Error::Unknown`], [`Error::Closed`] if it was lost.
pub async fn win(
    tx: &mut Tx,
    lifecycle: &stages::Definition,
    id: DealId,
    actor: Actor,
    now: Timestamp,
) -> Result<bool, Error> {
    let Some(deal) = begin_to_close(tx, id, Status::Won).await? else { return Ok(false) };
    store::close(tx, id, Status::Won, None, now).await?;
    for person in store::people(tx, id).await? {
        let props = json!({"by": actor.word(), "amount": deal.amount, "currency": deal.currency});
        let subject = id.to_string();
        contacts::record(tx, Some(person.contact), None, "deal.won", Some(&subject), props, now).await?;
        stages::evaluate(tx, lifecycle, person.contact, now).await?;
    }
    contacts::mark_company(tx, deal.company, marks::FACTS, now).await?;
    events::append(tx, &Event::DealWon { deal: id, company: deal.company }, now).await?;
    Ok(true)
}

/// Somebody with a part in a won deal who is no customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftBehind {
    pub contact: ContactId,
    /// Where she stands.
    pub stage: String,
    /// Why the won deal did not move her.
    pub why: String,
}

/// The people of a won deal who did not become customers by it; nobody where the lifecycle knows no customers.
///
/// # Errors
/// As the store says.
pub async fn left_behind(
    q: &mut impl Queries,
    lifecycle: &stages::Definition,
    id: DealId,
) -> Result<Vec<LeftBehind>, Error> {
    let track = lifecycle.post_sale.as_ref();
    let Some(customer) = track.and_then(|track| lifecycle.stage(&track.begins)) else {
        return Ok(Vec::new());
    };
    let mut left = Vec::new();
    for person in store::people(q, id).await? {
        let Some(known) = contacts::find(q, person.contact).await? else { continue };
        if known.stage == customer.id {
            continue;
        }
        let why = if customer.from.is_empty() || customer.from.contains(&known.stage) {
            format!("no rule of `{}` holds; the explanation tells what is missing", customer.id)
        } else {
            let from = customer.from.join(", ");
            format!("`{}` is entered from {from}, not from `{}`", customer.id, known.stage)
        };
        left.push(LeftBehind { contact: known.id, stage: known.stage, why });
    }
    Ok(left)
}

/// A deal is lost. Returns whether that is news.
///
/// # Errors
/// [`Error::Unknown`], [`Error::ReasonNeeded`], [`Error::Closed`] if it was won.
pub async fn lose(
    tx: &mut Tx,
    lifecycle: &stages::Definition,
    id: DealId,
    actor: Actor,
    reason: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > 200 || reason.contains(char::is_control) {
        return Err(Error::ReasonNeeded);
    }
    let Some(deal) = begin_to_close(tx, id, Status::Lost).await? else { return Ok(false) };
    store::close(tx, id, Status::Lost, Some(reason), now).await?;
    for person in store::people(tx, id).await? {
        let props = json!({"by": actor.word(), "reason": reason});
        let subject = id.to_string();
        contacts::record(tx, Some(person.contact), None, "deal.lost", Some(&subject), props, now).await?;
        stages::evaluate(tx, lifecycle, person.contact, now).await?;
    }
    events::append(tx, &Event::DealLost { deal: id, company: deal.company }, now).await?;
    Ok(true)
}

/// The deal, locked, if it is not what it is to become.
async fn begin_to_close(tx: &mut Tx, id: DealId, to: Status) -> Result<Option<Deal>, Error> {
    // People before their deal, and in one order: after a meeting somebody has her lock and asks for that of her deals.
    let mut people: Vec<_> = store::people(tx, id).await?.into_iter().map(|person| person.contact).collect();
    people.sort_unstable();
    for contact in people {
        tx.lock(&format!("contact:{contact}")).await?;
    }
    tx.lock(&format!("deal:{id}")).await?;
    let deal = store::find(tx, id).await?.ok_or(Error::Unknown)?;
    match deal.status {
        Status::Open => Ok(Some(deal)),
        status if status == to => Ok(None),
        status => Err(Error::Closed(status)),
    }
}
