//! What would be sent, for people to look at: nothing leaves.

use serde::Serialize;
use serde_json::Value as Json;

use super::facts::{DealFacts, Person};
use super::record::Record;
use super::{Connection, Thing, World, open_deal, store};
use crate::base::ids::ContactId;
use crate::bookings;
use crate::deals;
use crate::notify::Error;
use crate::storage::db::Queries;

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Request {
    pub thing: &'static str,
    /// What stands for it already; then it is changed, and only if something is new.
    pub there: Option<String>,
    pub method: &'static str,
    pub path: String,
    pub body: Json,
}

/// What stands for something that is not there yet.
fn placeholder(thing: Thing) -> String {
    format!("id-of-the-{}", thing.word())
}

/// The requests that her latest call would make, in their order. A deal that would be opened for it is told, too.
///
/// # Errors
/// As the store says.
pub async fn preview(
    q: &mut impl Queries,
    world: &World<'_>,
    connection: &Connection,
    contact: ContactId,
) -> Result<Vec<Request>, Error> {
    let Some(person) = Person::of(q, world, connection, contact).await? else { return Ok(Vec::new()) };
    let agreed = connection.consent.as_deref();
    if agreed.is_some_and(|purpose| person.consent(purpose) != Some("granted")) {
        return Ok(Vec::new());
    }
    let mut requests = Vec::new();
    let company = match person.company(connection) {
        Some(record) => Some(told(q, connection, record, &mut requests).await?),
        None => None,
    };
    let her = told(q, connection, person.record(connection, company.clone()), &mut requests).await?;
    let mut facts = match open_deal(q, person.contact.id).await? {
        Some(deal) => match deals::find(q, deal).await? {
            Some(deal) => DealFacts::of_deal(q, world, connection, &deal).await?,
            None => DealFacts::of_person(q, world, connection, &person).await?,
        },
        None => DealFacts::of_person(q, world, connection, &person).await?,
    };
    facts.belongs_to(company.clone(), &her);
    let deal = told(q, connection, person.deal(connection, &facts), &mut requests).await?;
    let calls = bookings::of_contact(q, person.contact.id).await.map_err(super::unwritable)?;
    if let Some(booking) = calls.first() {
        let call = person.call(q, world, connection, booking).await?;
        let record = call.record(connection, company, Some(her), Some(deal));
        told(q, connection, record, &mut requests).await?;
    }
    Ok(requests)
}

async fn told(
    q: &mut impl Queries,
    connection: &Connection,
    record: Record,
    requests: &mut Vec<Request>,
) -> Result<String, Error> {
    let thing = record.thing();
    let there =
        store::link(q, &connection.name, thing, &record.own_id).await?.and_then(|link| link.remote_id);
    let (method, path, body) = connection.crm.written(connection, &record);
    requests.push(Request { thing: thing.word(), there: there.clone(), method, path, body });
    Ok(there.unwrap_or_else(|| placeholder(thing)))
}
