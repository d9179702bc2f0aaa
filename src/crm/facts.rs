//! What we know, gathered at the moment at which it is sent, and made into records. The gathering reads; the rest is pure.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::record::{Body, CallState, Record, whole};
use super::sources::Source;
use super::{Connection, Standing, Thing, World, store};
use crate::base::ids::{BookingId, ContactId};
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::bookings::{Booking, Outcome, State, former};
use crate::companies::Company;
use crate::contacts::{self, Contact, Visit};
use crate::deals::{self, Deal, Status};
use crate::notify::Error;
use crate::scoring::BANT;
use crate::storage::db::Queries;
use crate::{accounts, bookings, chat};

/// Visits that the way of somebody is told from.
const VISITS_MOST: i64 = 500;

/// Values by the names of their sources.
type Values = BTreeMap<String, Json>;

/// Somebody, and what is known of her.
pub(super) struct Person {
    pub contact: Contact,
    pub company: Option<Company>,
    /// Her owner's address.
    owner: Option<String>,
    values: Values,
    /// What the note of a call says of her: labels and words.
    note: Vec<(String, String)>,
}

/// Words in the connection's language.
struct Words<'a> {
    world: &'a World<'a>,
    language: Language,
}

impl Words<'_> {
    fn get(&self, key: &str, values: &[(&str, String)]) -> String {
        self.world.templates.texts().get(self.language, &format!("crm.{key}"), values).unwrap_or_default()
    }
}

impl Person {
    /// Gathers what is known; nothing if she is not there (any more).
    pub async fn of(
        q: &mut impl Queries,
        world: &World<'_>,
        connection: &Connection,
        contact: ContactId,
    ) -> Result<Option<Self>, Error> {
        let Some(contact) = contacts::find(q, contact).await? else { return Ok(None) };
        let company = match contact.company {
            Some(company) => contacts::company(q, company).await?,
            None => None,
        };
        let owner = match contact.owner {
            Some(owner) => accounts::find(q, owner).await?.map(|account| account.email.to_string()),
            None => None,
        };
        let fields: BTreeMap<String, String> = contacts::fields(q, contact.id)
            .await?
            .into_iter()
            .filter(|field| !field.is_suggestion)
            .map(|field| (field.name, field.value))
            .collect();
        let words = Words { world, language: connection.language };
        let mut values = Values::new();
        let mut note = Vec::new();
        of_contact(&mut values, world, &contact);
        if let Some(company) = &company {
            of_company(&mut values, company);
        }
        for (name, value) in &fields {
            values.insert(format!("field.{name}"), json!(value));
        }
        let bant = bant(&fields, &words);
        for (slot, answer) in &bant {
            values.insert(format!("bant.{slot}"), json!(answer));
        }
        if let Some(summary) = bant.get("summary") {
            note.push((words.get("note.bant", &[]), summary.clone()));
        }
        for record in contacts::ledger::holding(&contacts::consents(q, contact.id).await?) {
            values.insert(format!("consent.{}", record.purpose), json!(record.action));
        }
        // Where somebody came from is part of a profile, to which she may object.
        if !contacts::objects_to_profiling(q, contact.id).await? {
            let visits = contacts::visits(q, contact.id, Timestamp(i64::MAX), VISITS_MOST).await?;
            let way = way(&visits, &words);
            if let Some(summary) = way.get("visit.summary").and_then(Json::as_str) {
                note.push((words.get("note.way", &[]), summary.to_owned()));
            }
            values.extend(way);
        }
        Ok(Some(Self { contact, company, owner, values, note }))
    }

    /// What holds for a purpose: the last yes or no, else `denied` if she was asked.
    pub fn consent(&self, purpose: &str) -> Option<&str> {
        self.values.get(&format!("consent.{purpose}")).and_then(Json::as_str)
    }

    /// Her company, as a record.
    pub fn company(&self, connection: &Connection) -> Option<Record> {
        let company = self.company.as_ref()?;
        let body = Body::Company { name: company.name.clone(), domain: company.domain.clone() };
        let mut values = Values::new();
        of_company(&mut values, company);
        let own = company.id.to_string();
        let fields = filled(connection, Thing::Company, &own, &values);
        Some(Record::new(own, None, body, fields))
    }

    /// She herself.
    pub fn record(&self, connection: &Connection, company: Option<String>) -> Record {
        let contact = &self.contact;
        let stage =
            connection.lifecycle.get(&contact.stage).map(|theirs| (contact.stage.clone(), theirs.clone()));
        let phone = self.values.get("field.phone").and_then(Json::as_str).map(str::to_owned);
        let body = Body::Contact {
            email: contact.email.to_string(),
            first_name: contact.first_name.clone(),
            last_name: contact.last_name.clone(),
            name: contact.display_name(),
            phone,
            company,
            owner: owner(connection, self.owner.as_deref()),
            stage,
        };
        let own = contact.id.to_string();
        let fields = filled(connection, Thing::Contact, &own, &self.values);
        Record::new(own, Some(contact.id), body, fields)
    }

    /// A deal that she has a part in.
    pub fn deal(&self, connection: &Connection, deal: &DealFacts) -> Record {
        let mut values = self.values.clone();
        values.extend(deal.values());
        let fields = filled(connection, Thing::Deal, &deal.own_id, &values);
        Record::new(deal.own_id.clone(), deal.about, deal.body(), fields)
    }

    /// A call with her.
    pub async fn call(
        &self,
        q: &mut impl Queries,
        world: &World<'_>,
        connection: &Connection,
        booking: &Booking,
    ) -> Result<CallFacts, Error> {
        let words = Words { world, language: connection.language };
        let conversation = match booking.conversation {
            Some(conversation) => Some(conversation),
            None => chat::of_contact(q, self.contact.id).await?.first().map(|talk| talk.id),
        };
        let meeting = former::meeting(q, world.team, booking).await?;
        let title = meeting.title.get(words.language);
        let rep = former::rep(q, world.team, &booking.rep).await?;
        let rep_name = rep.as_ref().map_or(booking.rep.as_str(), |rep| rep.name.as_str());
        let state = match (booking.state, booking.outcome) {
            (State::Cancelled | State::Expired, _) => CallState::Cancelled,
            (_, Some(Outcome::Held)) => CallState::Held,
            (_, Some(Outcome::NoShow)) => CallState::NoShow,
            (State::Hold | State::Confirmed, None) => CallState::Ahead,
        };
        let names = [("title", title.to_owned()), ("who", self.contact.display_name())];
        let subject = words.get(&format!("subject.{}", state.word()), &names);
        let mut note = vec![(words.get("note.with", &[]), rep_name.to_owned())];
        note.extend(self.note.iter().cloned());
        note.extend(booking.answers.told(&meeting.questions, words.language));
        if let Some(said) = booking.notes.as_deref().filter(|said| !said.trim().is_empty()) {
            note.push((words.get("note.notes", &[]), said.to_owned()));
        }
        if let Some(reason) = booking.cancel_reason.as_deref().filter(|reason| !reason.trim().is_empty()) {
            note.push((words.get("note.reason", &[]), reason.to_owned()));
        }
        let transcript = conversation.map(|id| world.link(&format!("/console/inbox/{id}")));
        if let Some(link) = &transcript {
            note.push((words.get("note.transcript", &[]), link.clone()));
        }
        note.push((
            words.get("note.contact", &[]),
            world.link(&format!("/console/contacts/{}", self.contact.id)),
        ));
        let mut values = self.values.clone();
        let mut put = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                values.insert(format!("call.{name}"), json!(value));
            }
        };
        put("id", Some(booking.id.to_string()));
        put("meeting", Some(booking.meeting.clone()));
        put("title", Some(title.to_owned()));
        put("starts_at", Some(booking.starts_at.to_string()));
        put("ends_at", Some(booking.ends_at.to_string()));
        put("rep", Some(rep_name.to_owned()));
        put("location", booking.location.clone());
        put("notes", booking.notes.clone());
        put("transcript", transcript);
        put("state", Some(state.word().to_owned()));
        Ok(CallFacts {
            own_id: booking.id.to_string(),
            about: self.contact.id,
            subject,
            starts_at: booking.starts_at,
            ends_at: booking.ends_at,
            state,
            note,
            location: booking.location.clone(),
            owner: owner(connection, rep.as_ref().map(|rep| rep.account.as_str())),
            values,
        })
    }
}

/// A call, before it is known what stands for its people.
pub(super) struct CallFacts {
    own_id: String,
    about: ContactId,
    subject: String,
    starts_at: Timestamp,
    ends_at: Timestamp,
    state: CallState,
    note: Vec<(String, String)>,
    location: Option<String>,
    owner: Option<String>,
    values: Values,
}

impl CallFacts {
    /// The record, with the ids of what it belongs to.
    pub fn record(
        &self,
        connection: &Connection,
        company: Option<String>,
        person: Option<String>,
        deal: Option<String>,
    ) -> Record {
        let body = Body::Activity {
            subject: self.subject.clone(),
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            state: self.state,
            note: self.note.clone(),
            location: self.location.clone(),
            company,
            person,
            deal,
            owner: self.owner.clone(),
        };
        let fields = filled(connection, Thing::Activity, &self.own_id, &self.values);
        Record::new(self.own_id.clone(), Some(self.about), body, fields)
    }
}

/// A deal, or what stands for one with somebody who works for no company.
pub(super) struct DealFacts {
    pub own_id: String,
    about: Option<ContactId>,
    title: String,
    amount: Option<i64>,
    currency: String,
    opened_at: Option<Timestamp>,
    owner: Option<String>,
    pub standing: Standing,
    company: Option<String>,
    people: Vec<String>,
}

impl DealFacts {
    /// A deal of ours, with whoever of its people is in the CRM.
    pub async fn of_deal(
        q: &mut impl Queries,
        world: &World<'_>,
        connection: &Connection,
        deal: &Deal,
    ) -> Result<Self, Error> {
        let (mut people, mut furthest) = (Vec::new(), None);
        for person in deals::people(q, deal.id).await? {
            if let Some(link) = store::of_contact(q, &connection.name, person.contact).await? {
                people.extend(link.remote_id);
            }
            if let Some(contact) = contacts::find(q, person.contact).await? {
                let order = world.lifecycle.order(&contact.stage);
                furthest = furthest.max(order.map(|order| (order, contact.stage)));
            }
        }
        let company = store::link(q, &connection.name, Thing::Company, &deal.company.to_string()).await?;
        let owner = match deal.owner {
            Some(owner) => accounts::find(q, owner).await?.map(|account| account.email.to_string()),
            None => None,
        };
        let standing = match deal.status {
            Status::Won => Standing::Won,
            Status::Lost => Standing::Lost { reason: deal.reason.clone() },
            Status::Open => Standing::Open {
                stage: furthest.and_then(|(_, stage)| connection.stages.get(&stage).cloned()),
            },
        };
        Ok(Self {
            own_id: deal.id.to_string(),
            about: None,
            title: deal.name.clone(),
            amount: deal.amount,
            currency: deal.currency.clone(),
            opened_at: Some(deal.opened_at),
            owner: self::owner(connection, owner.as_deref()),
            standing,
            company: company.and_then(|link| link.remote_id),
            people,
        })
    }

    /// What stands for a deal with somebody who works for no company.
    pub async fn of_person(
        q: &mut impl Queries,
        world: &World<'_>,
        connection: &Connection,
        person: &Person,
    ) -> Result<Self, Error> {
        let contact = &person.contact;
        let link = store::of_contact(q, &connection.name, contact.id).await?;
        let is_customer =
            world.lifecycle.post_sale.as_ref().is_some_and(|track| track.begins == contact.stage);
        let standing = match is_customer {
            true => Standing::Won,
            false => Standing::Open { stage: connection.stages.get(&contact.stage).cloned() },
        };
        Ok(Self {
            own_id: contact.id.to_string(),
            about: Some(contact.id),
            title: contact.display_name(),
            amount: None,
            currency: connection.currency.clone(),
            opened_at: None,
            owner: owner(connection, person.owner.as_deref()),
            standing,
            company: None,
            people: link.and_then(|link| link.remote_id).into_iter().collect(),
        })
    }

    /// Lets it belong to whoever is not there yet.
    pub fn belongs_to(&mut self, company: Option<String>, person: &str) {
        self.company = company;
        if self.people.is_empty() {
            self.people.push(person.to_owned());
        }
    }

    fn body(&self) -> Body {
        Body::Deal {
            title: self.title.clone(),
            value: self.amount.map(|amount| whole(amount, &self.currency)),
            currency: self.currency.clone(),
            company: self.company.clone(),
            people: self.people.clone(),
            owner: self.owner.clone(),
            standing: self.standing.clone(),
        }
    }

    fn values(&self) -> Values {
        let mut values = Values::new();
        values.insert("deal.id".to_owned(), json!(self.own_id));
        values.insert("deal.name".to_owned(), json!(self.title));
        let status = match &self.standing {
            Standing::Open { .. } => "open",
            Standing::Won => "won",
            Standing::Lost { .. } => "lost",
        };
        values.insert("deal.status".to_owned(), json!(status));
        if let Some(at) = self.opened_at {
            values.insert("deal.opened_at".to_owned(), json!(at.to_string()));
        }
        values
    }

    /// A deal of which nobody's facts are told.
    pub fn record(&self, connection: &Connection) -> Record {
        let fields = filled(connection, Thing::Deal, &self.own_id, &self.values());
        Record::new(self.own_id.clone(), self.about, self.body(), fields)
    }
}

fn owner(connection: &Connection, account: Option<&str>) -> Option<String> {
    connection.owners.get(account?).cloned()
}

/// Their fields with our values; what we do not know is left out, and so leaves what stands there.
fn filled(connection: &Connection, thing: Thing, own_id: &str, values: &Values) -> Vec<(String, Json)> {
    let known = connection.fields.get(&thing).into_iter().flatten();
    let mut filled: Vec<(String, Json)> = known
        .filter_map(|(field, source): &(String, Source)| {
            Some((field.clone(), values.get(source.name())?.clone()))
        })
        .collect();
    if let Some(field) = connection.ids.get(&thing) {
        filled.push((field.clone(), json!(own_id)));
    }
    filled
}

fn of_contact(values: &mut Values, world: &World<'_>, contact: &Contact) {
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            values.insert(format!("contact.{name}"), json!(value));
        }
    };
    put("id", Some(contact.id.to_string()));
    put("email", Some(contact.email.to_string()));
    put("first_name", contact.first_name.clone());
    put("last_name", contact.last_name.clone());
    put("name", Some(contact.display_name()));
    put("language", Some(contact.language.code().to_owned()));
    put("time_zone", contact.time_zone.clone());
    put("stage", Some(contact.stage.clone()));
    put("stage_since", Some(contact.stage_since.to_string()));
    put("created_at", Some(contact.created_at.to_string()));
    put("link", Some(world.link(&format!("/console/contacts/{}", contact.id))));
}

fn of_company(values: &mut Values, company: &Company) {
    let mut put = |name: &str, value: Option<Json>| {
        if let Some(value) = value {
            values.insert(format!("company.{name}"), value);
        }
    };
    put("id", Some(json!(company.id)));
    put("name", Some(json!(company.name)));
    put("domain", Some(json!(company.domain)));
    put("employees", company.employees.map(Json::from));
    put("kind", company.kind.as_ref().map(|kind| json!(kind)));
    put("industry", company.industry.as_ref().map(|industry| json!(industry)));
    put("country", company.country.as_ref().map(|country| json!(country)));
    put("revenue", company.revenue.as_ref().map(|revenue| json!(revenue)));
}

/// The four answers, and all of them in a line.
fn bant(fields: &BTreeMap<String, String>, words: &Words<'_>) -> BTreeMap<String, String> {
    let mut told = BTreeMap::new();
    let mut line = Vec::new();
    for slot in BANT {
        let answer = fields.get(&format!("bant.{slot}")).or_else(|| fields.get(slot));
        if let Some(answer) = answer.filter(|answer| !answer.trim().is_empty()) {
            told.insert(slot.to_owned(), answer.clone());
            line.push(format!("{}: {answer}", words.get(&format!("bant.{slot}"), &[])));
        }
    }
    if !line.is_empty() {
        told.insert("summary".to_owned(), line.join("; "));
    }
    told
}

/// The first and the last visit, the latest of which comes first in the list, and both in a line.
fn way(visits: &[Visit], words: &Words<'_>) -> Values {
    let mut values = Values::new();
    let people: Vec<&Visit> = visits.iter().filter(|visit| !visit.is_bot).collect();
    let (Some(last), Some(first)) = (people.first(), people.last()) else { return values };
    values.insert("visit.count".to_owned(), json!(people.len()));
    for (word, visit) in [("first", first), ("last", last)] {
        let mut put = |name: &str, value: Option<&str>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                values.insert(format!("visit.{word}_{name}"), json!(value));
            }
        };
        put("channel", Some(&visit.channel));
        put("source", visit.source.as_deref());
        put("campaign", visit.campaign.as_deref());
        if word == "first" {
            put("page", Some(&visit.entry_path));
        }
    }
    let told = |visit: &Visit| {
        let parts = [Some(visit.channel.as_str()), visit.source.as_deref(), visit.campaign.as_deref()];
        parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" / ")
    };
    let summary = words.get(
        "way",
        &[
            ("first", told(first)),
            ("page", first.entry_path.clone()),
            ("last", told(last)),
            ("n", people.len().to_string()),
        ],
    );
    values.insert("visit.summary".to_owned(), json!(summary));
    values
}

/// The call of an id, if there is one.
pub(super) async fn booking_of(q: &mut impl Queries, id: BookingId) -> Result<Option<Booking>, Error> {
    match bookings::find(q, id).await {
        Ok(booking) => Ok(Some(booking)),
        Err(bookings::Error::Store(error)) => Err(Error::Storage(error)),
        Err(_) => Ok(None),
    }
}
