//! What comes back: a webhook says that a deal has changed, the CRM says how it stands, and that becomes a decision here.
//!
//! The webhook itself is not believed beyond that: it may be late, out of order, repeated, or somebody else's. What we sent
//! ourselves comes back, too; it stands as we last saw it, and nothing follows.

use serde_json::Value as Json;

use super::facts::{DealFacts, Person};
use super::line::Fault;
use super::send::{Courier, Halt};
use super::store::{self, Link};
use super::{Connection, JOB, Planned, Standing, Thing, What, Work};
use crate::base::ids::{ContactId, DealId};
use crate::base::signing::sha256_hex;
use crate::base::time::{SECOND_MS, Timestamp};
use crate::contacts;
use crate::deals::{self, Status};
use crate::notify::{Error, Why};
use crate::stages::{self, Actor, Decision};
use crate::storage;
use crate::storage::db::Tx;

/// Longest reason that is kept, in characters.
const REASON_MOST: usize = 200;

/// A webhook as it came.
#[derive(Debug)]
pub struct Told<'a> {
    /// The address that it was sent to, as the other side knows it.
    pub url: &'a str,
    pub headers: &'a [(&'static str, String)],
    pub body: &'a [u8],
}

impl Told<'_> {
    /// The headers that CRMs prove themselves by.
    pub const HEADERS: [&'static str; 4] =
        ["authorization", "x-hubspot-signature-v3", "x-hubspot-request-timestamp", "x-embudo-secret"];

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value.as_str())
    }
}

/// Why a webhook is not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// It does not prove that it is from the CRM.
    #[error("it does not prove that it comes from the CRM")]
    Forged,
    /// It is no JSON.
    #[error("{0}")]
    Unreadable(String),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

/// What a webhook leads to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub planned: Vec<Planned>,
    /// How many of the deals it tells of stand for nothing of ours.
    pub unknown: usize,
}

/// Takes a webhook: what it tells of is looked at later.
///
/// # Errors
/// [`NotTaken`].
pub async fn take(
    connection: &Connection,
    tx: &mut Tx,
    told: &Told<'_>,
    now: Timestamp,
) -> Result<Taken, NotTaken> {
    if !connection.crm.is_genuine(connection, told, now) {
        return Err(NotTaken::Forged);
    }
    let body: Json =
        serde_json::from_slice(told.body).map_err(|error| NotTaken::Unreadable(error.to_string()))?;
    let mut taken = Taken::default();
    let mut unknown = None;
    for (remote, news) in connection.crm.changed(&body) {
        if store::of_remote(tx, &connection.name, Thing::Deal, &remote).await?.is_none() {
            taken.unknown += 1;
            unknown = Some(remote);
            continue;
        }
        // Told again it is the same news. Who names no news says the same only within a second.
        let news = match news.is_empty() {
            false => news,
            true => format!("{}:{}", now.as_ms() / SECOND_MS, sha256_hex(told.body)),
        };
        let key = format!("{JOB}:{}:look:{remote}:{news}", connection.name);
        let work = Work::new(&connection.name, What::Look { remote });
        taken.planned.push(Planned { key, at: now, work });
    }
    if let Some(remote) = &unknown {
        tracing::info!(crm.name = connection.name, crm.deal = %remote, "a CRM told of a deal that is none of ours");
    }
    store::heard(tx, &connection.name, unknown.as_deref(), now).await?;
    Ok(taken)
}

/// Looks how a deal stands over there, and takes the decision that it means.
pub(super) async fn look(courier: &Courier<'_>, remote: &str) -> Result<(), Halt> {
    let (desk, connection) = (courier.desk, courier.connection);
    let link = store::of_remote(&mut desk.stores.db.read(), &connection.name, Thing::Deal, remote).await?;
    let Some(link) = link else { return Err(Halt::Over(Why::CRM_FOREIGN)) };
    let standing = match connection.crm.look(&courier.line, remote).await {
        Err(Fault::Gone) => return Err(Halt::Over(Why::CRM_DELETED)),
        asked => courier.heeded(asked).await?,
    };
    let seen = standing.word();
    if link.seen.as_deref() == Some(&seen) {
        return Err(Halt::Over(Why::CRM_KNOWN));
    }
    let mut tx = desk.stores.db.begin().await?;
    tx.lock(&format!("crm:{}:{}", connection.name, link.own_id)).await?;
    let before = standing_of(courier, &mut tx, &link).await?;
    apply(courier, &mut tx, &link, &standing).await?;
    let after = standing_of(courier, &mut tx, &link).await?;
    // What follows from it here is known over there; what was decided here meanwhile is not, and is still sent.
    let pushed = if link.pushed == before { after } else { None };
    store::saw(&mut tx, &connection.name, &link.own_id, &seen, pushed.as_deref(), courier.now).await?;
    tx.commit().await?;
    Ok(())
}

/// How what a link stands for stands here.
async fn standing_of(courier: &Courier<'_>, tx: &mut Tx, link: &Link) -> Result<Option<String>, Halt> {
    let (world, connection) = (&courier.world, courier.connection);
    let facts = match whose(tx, link).await? {
        Whose::Deal(deal) => DealFacts::of_deal(tx, world, connection, &deal).await?,
        Whose::Person(contact) => match Person::of(tx, world, connection, contact).await? {
            Some(person) => DealFacts::of_person(tx, world, connection, &person).await?,
            None => return Ok(None),
        },
    };
    Ok(facts.record(connection).standing())
}

/// What a deal over there stands for.
enum Whose {
    Deal(Box<deals::Deal>),
    /// Somebody who works for no company.
    Person(ContactId),
}

async fn whose(tx: &mut Tx, link: &Link) -> Result<Whose, Halt> {
    if let Some(contact) = link.contact {
        return Ok(Whose::Person(contact));
    }
    let deal = match DealId::parse(&link.own_id) {
        Ok(deal) => deals::find(tx, deal).await?,
        Err(_) => None,
    };
    deal.map(|deal| Whose::Deal(Box::new(deal))).ok_or(Halt::Over(Why::DEAL_GONE))
}

fn refused(why: impl std::fmt::Display) -> Halt {
    Halt::Failed(Error::Refused(format!("what was decided in the CRM cannot be so here: {why}")))
}

async fn apply(courier: &Courier<'_>, tx: &mut Tx, link: &Link, standing: &Standing) -> Result<(), Halt> {
    let (lifecycle, now) = (&courier.desk.lifecycle, courier.now);
    let closed = |error| match error {
        deals::Error::Store(error) => Halt::Failed(Error::Storage(error)),
        error => refused(error),
    };
    match (whose(tx, link).await?, standing) {
        (Whose::Deal(deal), Standing::Won) => {
            deals::win(tx, lifecycle, deal.id, Actor::Crm, now).await.map_err(closed)?;
        }
        (Whose::Deal(deal), Standing::Lost { reason }) => {
            let reason = reason_of(reason.as_deref());
            deals::lose(tx, lifecycle, deal.id, Actor::Crm, &reason, now).await.map_err(closed)?;
        }
        (Whose::Deal(deal), Standing::Open { stage }) => {
            if deal.status != Status::Open {
                return Err(refused(format!(
                    "the deal was opened again, and is {} here",
                    deal.status.word()
                )));
            }
            let mut people = Vec::new();
            for person in deals::people(tx, deal.id).await? {
                // Whoever was merged into another goes with her.
                let speaks = contacts::survivor(tx, person.contact).await.map_err(unwritable)?;
                if !people.contains(&speaks) {
                    people.push(speaks);
                }
            }
            move_to(courier, tx, &people, stage.as_deref()).await?;
        }
        (Whose::Person(contact), Standing::Won) => {
            decide(courier, tx, contact, |offer| offer.what == "won").await?;
        }
        (Whose::Person(contact), Standing::Lost { reason }) => {
            let reason = reason_of(reason.as_deref());
            let props = serde_json::json!({ "by": Actor::Crm.word(), "reason": reason });
            contacts::record(tx, Some(contact), None, "deal.lost", None, props, now)
                .await
                .map_err(unwritable)?;
            evaluate(courier, tx, contact).await?;
        }
        (Whose::Person(contact), Standing::Open { stage }) => {
            move_to(courier, tx, &[contact], stage.as_deref()).await?;
        }
    }
    Ok(())
}

fn unwritable(error: contacts::Error) -> Halt {
    match error {
        contacts::Error::Storage(error) => Halt::Failed(Error::Storage(error)),
        contacts::Error::Unknown => Halt::Over(Why::ERASED),
    }
}

fn reason_of(told: Option<&str>) -> String {
    let line: String =
        told.unwrap_or_default().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line: String = line.trim().chars().take(REASON_MOST).collect();
    if line.is_empty() { "lost in the CRM".to_owned() } else { line }
}

/// Moves people to the stage that a stage of the deal means. Who is there, or further, stays; who cannot get there by a
/// decision is told, unless somebody else did.
async fn move_to(
    courier: &Courier<'_>,
    tx: &mut Tx,
    people: &[ContactId],
    theirs: Option<&str>,
) -> Result<(), Halt> {
    let ours = courier.connection.stages.iter().find(|(_, known)| Some(known.as_str()) == theirs);
    let Some((to, _)) = ours else { return Ok(()) };
    let lifecycle = &courier.desk.lifecycle;
    let (mut moved, mut stuck) = (0, None);
    for contact in people {
        let position = stages::position(tx, lifecycle, *contact, courier.now).await.map_err(stuck_of)?;
        if lifecycle.order(&position.stage) >= lifecycle.order(to) {
            continue;
        }
        tx.savepoint().await?;
        match decide(courier, tx, *contact, |offer| offer.to == *to).await {
            Ok(()) => moved += 1,
            Err(Halt::Failed(error @ Error::Refused(_))) => {
                tx.rollback_to_savepoint().await?;
                stuck = Some(error);
            }
            Err(halt) => return Err(halt),
        }
    }
    match stuck {
        Some(error) if moved == 0 => Err(Halt::Failed(error)),
        Some(_) | None => Ok(()),
    }
}

/// Takes the decision that is wanted, if it can be taken where somebody stands.
async fn decide(
    courier: &Courier<'_>,
    tx: &mut Tx,
    contact: ContactId,
    is_wanted: impl Fn(&stages::Offer) -> bool,
) -> Result<(), Halt> {
    let (lifecycle, now) = (&courier.desk.lifecycle, courier.now);
    let person = stages::person(tx, lifecycle, contact, now).await.map_err(stuck_of)?;
    let position = stages::position(tx, lifecycle, contact, now).await.map_err(stuck_of)?;
    let offer = stages::offers(lifecycle, &person, &position).into_iter().find(|offer| is_wanted(offer));
    let Some(offer) = offer else {
        return Err(refused(format!("no decision leads there from `{}`", position.stage)));
    };
    let decision = Decision {
        role: offer.role.to_owned(),
        what: offer.what.to_owned(),
        reason: None,
        actor: Actor::Crm,
    };
    stages::decide(tx, lifecycle, contact, &decision, now).await.map_err(stuck_of)?;
    Ok(())
}

async fn evaluate(courier: &Courier<'_>, tx: &mut Tx, contact: ContactId) -> Result<(), Halt> {
    stages::evaluate(tx, &courier.desk.lifecycle, contact, courier.now).await.map_err(stuck_of)?;
    Ok(())
}

fn stuck_of(error: stages::Error) -> Halt {
    match error {
        stages::Error::Store(error) => Halt::Failed(Error::Storage(error)),
        error => refused(error),
    }
}
