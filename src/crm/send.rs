//! Sends a piece of work: company, contact, deal, activity, each by itself and each once.
//!
//! What makes it once: our own link says what stands for it. Without one, somebody takes the right to make it (a row that
//! only one can have), looks for it over there, notes that she tries, makes it, and notes its id. Whoever finds the note of a
//! try and no id waits until the other side can know it, and looks again before she tries again.

use super::facts::{DealFacts, Person, booking_of};
use super::line::{Fault, Line};
use super::record::{Record, Tells};
use super::store::{self, Put};
use super::{Connection, Connections, Thing, What, Work, World, back, open_deal};
use crate::base::ids::{BookingId, ContactId, DealId};
use crate::base::time::{HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::bookings::State;
use crate::deals;
use crate::notify::{Desk, Error, Sent, Why};
use crate::privacy::audit::{self, Act, By};
use crate::storage;

/// Nobody makes one thing for longer than this.
const CLAIM_MS: i64 = MINUTE_MS;

/// How long to wait after a try; none if there is no point in another.
pub fn pause_ms(error: &Error, attempts: i64) -> Option<i64> {
    let doubled = |first: i64, most: i64| (first << (attempts - 1).clamp(0, 20)).min(most);
    match error {
        Error::Unreachable(_) | Error::Unencrypted(_) | Error::Storage(_) => {
            Some(doubled(10 * SECOND_MS, 10 * MINUTE_MS))
        }
        Error::Deferred(_) => Some(doubled(MINUTE_MS, HOUR_MS)),
        Error::Throttled { wait_ms, .. } => Some((*wait_ms).max(SECOND_MS)),
        Error::Refused(_) | Error::Gone(_) | Error::Unwritable(_) => None,
    }
}

/// Why a piece of work goes no further for now.
pub(super) enum Halt {
    /// Somebody else makes it at this moment.
    Wait {
        until: Timestamp,
        why: Why,
    },
    /// It is not wanted (any more).
    Over(Why),
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<storage::Error> for Halt {
    fn from(error: storage::Error) -> Self {
        Self::Failed(Error::Storage(error))
    }
}

/// Sends a piece of work. `id` is the job's.
///
/// # Errors
/// [`Error`]; [`pause_ms`] says whether and when to try again.
pub async fn send(
    connections: &Connections,
    desk: &Desk,
    id: &str,
    work: &Work,
    now: Timestamp,
) -> Result<Sent, Error> {
    let Some(connection) = connections.find(&work.crm) else {
        return Ok(Sent::Superseded(Why::CRM_GONE));
    };
    let state = store::state(&mut desk.stores.db.read(), &connection.name).await?;
    if let Some(until) = state.resume_at.filter(|until| *until > now) {
        return Ok(Sent::Waits { until, why: Why::CRM_RESTS });
    }
    let line = Line::new(&desk.outbound, connection);
    let courier = Courier { desk, world: World::of(desk), connection, line, job: id, now };
    let outcome = match &work.what {
        What::Call { booking, contact } => courier.call(*booking, *contact).await,
        What::Person { contact } => courier.person(*contact).await,
        What::Deal { deal } => courier.deal(*deal).await,
        What::Look { remote } => back::look(&courier, remote).await,
    };
    let (db, name) = (&desk.stores.db, connection.name.as_str());
    let (noted, sent) = match outcome {
        Ok(()) => (store::took(db, name, now).await, Ok(Sent::Out)),
        Err(Halt::Wait { until, why }) => (Ok(()), Ok(Sent::Waits { until, why })),
        Err(Halt::Over(why)) => (Ok(()), Ok(Sent::Superseded(why))),
        Err(Halt::Failed(error @ Error::Storage(_))) => (Ok(()), Err(error)),
        Err(Halt::Failed(error)) => {
            (store::failed(db, name, &error.to_string(), None, now).await, Err(error))
        }
    };
    // How a connection does is a help for people; it decides nothing about this work.
    if let Err(error) = noted {
        tracing::warn!(crm.name = name, error = %error, "how a CRM does cannot be noted");
    }
    sent
}

/// Carries one piece of work.
pub(super) struct Courier<'a> {
    pub desk: &'a Desk,
    pub world: World<'a>,
    pub connection: &'a Connection,
    pub line: Line<'a>,
    job: &'a str,
    pub now: Timestamp,
}

impl Courier<'_> {
    /// What a request came to; a pause that the CRM asks for holds for all work.
    pub async fn heeded<T>(&self, asked: Result<T, Fault>) -> Result<T, Halt> {
        match asked {
            Ok(answer) => Ok(answer),
            Err(fault) => {
                if let Fault::Throttled { wait_ms, why } = &fault {
                    let until = self.now.plus_ms(*wait_ms);
                    let db = &self.desk.stores.db;
                    store::failed(db, &self.connection.name, why, Some(until), self.now).await?;
                }
                Err(Halt::Failed(fault.into_error()))
            }
        }
    }

    /// A call, and whatever it belongs to.
    async fn call(&self, booking: BookingId, contact: ContactId) -> Result<(), Halt> {
        let (desk, connection) = (self.desk, self.connection);
        let mut q = desk.stores.db.read();
        let Some(booking) = booking_of(&mut q, booking).await? else {
            return Err(Halt::Over(Why::CALL_GONE));
        };
        let person = self.sendable(contact).await?;
        let own = booking.id.to_string();
        let is_told = store::link(&mut q, &connection.name, Thing::Activity, &own).await?.is_some();
        let is_on = booking.state == State::Confirmed;
        if !is_on && !is_told {
            return Err(Halt::Over(Why::CALLED_OFF));
        }
        let company = self.company(&person, true).await?;
        let remote = self.contact(&person, company.clone(), true).await?;
        let deal = match (&person.company, open_deal(&mut q, person.contact.id).await?) {
            (None, _) => {
                let facts = DealFacts::of_person(&mut q, &self.world, connection, &person).await?;
                Some(self.ensure(person.deal(connection, &facts), true).await?)
            }
            (Some(_), Some(deal)) => self.deal_with(&person, deal, true).await?,
            // It has ended meanwhile; the call stays with it.
            (Some(_), None) => {
                let latest = deals::of_contact(&mut q, person.contact.id).await?;
                match latest.first() {
                    Some(deal) => self.deal_with(&person, deal.id, false).await?,
                    None => None,
                }
            }
        };
        let call = person.call(&mut q, &self.world, connection, &booking).await?;
        self.ensure(call.record(connection, company, Some(remote), deal), true).await?;
        Ok(())
    }

    /// A person, if she is there or belongs there, and her deals.
    async fn person(&self, contact: ContactId) -> Result<(), Halt> {
        let (desk, connection) = (self.desk, self.connection);
        let person = self.sendable(contact).await?;
        let mut q = desk.stores.db.read();
        let link = store::of_contact(&mut q, &connection.name, person.contact.id).await?;
        let is_there = link.is_some_and(|link| link.remote_id.is_some());
        let belongs = connection.people_in.contains(&person.contact.stage);
        if !is_there && !belongs {
            return Err(Halt::Over(Why::CRM_STAGE));
        }
        let company = self.company(&person, belongs).await?;
        self.contact(&person, company, belongs).await?;
        if person.company.is_none() {
            let own = person.contact.id.to_string();
            if store::link(&mut q, &connection.name, Thing::Deal, &own).await?.is_some() {
                let facts = DealFacts::of_person(&mut q, &self.world, connection, &person).await?;
                self.ensure(person.deal(connection, &facts), false).await?;
            }
        }
        for deal in deals::of_contact(&mut q, person.contact.id).await? {
            let own = deal.id.to_string();
            if store::link(&mut q, &connection.name, Thing::Deal, &own).await?.is_some() {
                self.deal_with(&person, deal.id, false).await?;
            }
        }
        Ok(())
    }

    /// A deal, if it is there.
    async fn deal(&self, deal: DealId) -> Result<(), Halt> {
        let mut q = self.desk.stores.db.read();
        let link = store::link(&mut q, &self.connection.name, Thing::Deal, &deal.to_string()).await?;
        if link.is_none() {
            return Err(Halt::Over(Why::CRM_NOT_THERE));
        }
        let first = deals::people(&mut q, deal).await?.into_iter().next();
        let person = match first {
            Some(first) => Person::of(&mut q, &self.world, self.connection, first.contact).await?,
            None => None,
        };
        match person {
            Some(person) if self.is_agreed(&person) => self.deal_with(&person, deal, false).await.map(drop),
            // Nobody whose facts could be told has a part in it; how it stands is the company's.
            Some(_) | None => {
                let Some(known) = deals::find(&mut q, deal).await? else {
                    return Err(Halt::Over(Why::DEAL_GONE));
                };
                let facts = DealFacts::of_deal(&mut q, &self.world, self.connection, &known).await?;
                self.ensure(facts.record(self.connection), false).await.map(drop)
            }
        }
    }

    /// Somebody, if she may be sent.
    async fn sendable(&self, contact: ContactId) -> Result<Person, Halt> {
        let mut q = self.desk.stores.db.read();
        let person = Person::of(&mut q, &self.world, self.connection, contact).await?;
        let Some(person) = person else { return Err(Halt::Over(Why::ERASED)) };
        if self.is_agreed(&person) { Ok(person) } else { Err(Halt::Over(Why::CRM_NOT_AGREED)) }
    }

    fn is_agreed(&self, person: &Person) -> bool {
        let wanted = self.connection.consent.as_deref();
        wanted.is_none_or(|purpose| person.consent(purpose) == Some("granted"))
    }

    async fn company(&self, person: &Person, may_make: bool) -> Result<Option<String>, Halt> {
        let Some(record) = person.company(self.connection) else { return Ok(None) };
        let mut q = self.desk.stores.db.read();
        let known = store::link(&mut q, &self.connection.name, Thing::Company, &record.own_id).await?;
        if !may_make && known.is_none() {
            return Ok(None);
        }
        self.ensure(record, may_make).await.map(Some)
    }

    async fn contact(
        &self,
        person: &Person,
        company: Option<String>,
        may_make: bool,
    ) -> Result<String, Halt> {
        let mut record = person.record(self.connection, company);
        // Somebody who was merged into her may be the one who is there.
        let link =
            store::of_contact(&mut self.desk.stores.db.read(), &self.connection.name, person.contact.id)
                .await?;
        if let Some(link) = link.filter(|link| link.remote_id.is_some()) {
            record.own_id = link.own_id;
        }
        self.ensure(record, may_make).await
    }

    async fn deal_with(&self, person: &Person, deal: DealId, may_make: bool) -> Result<Option<String>, Halt> {
        let mut q = self.desk.stores.db.read();
        let Some(known) = deals::find(&mut q, deal).await? else { return Ok(None) };
        let facts = DealFacts::of_deal(&mut q, &self.world, self.connection, &known).await?;
        // Its fields tell of whoever came to it first, so that two colleagues do not take turns.
        let first = deals::people(&mut q, deal).await?.into_iter().next().map(|first| first.contact);
        let record = match first.filter(|first| *first != person.contact.id) {
            None => person.deal(self.connection, &facts),
            Some(first) => match Person::of(&mut q, &self.world, self.connection, first).await? {
                Some(first) if self.is_agreed(&first) => first.deal(self.connection, &facts),
                Some(_) | None => facts.record(self.connection),
            },
        };
        let link = store::link(&mut q, &self.connection.name, Thing::Deal, &record.own_id).await?;
        if !may_make && link.is_none() {
            return Ok(None);
        }
        self.ensure(record, may_make).await.map(Some)
    }

    /// Makes sure that it stands over there as it should, and returns its id.
    async fn ensure(&self, mut record: Record, may_make: bool) -> Result<String, Halt> {
        let (crm, db) = (self.connection.crm, &self.desk.stores.db);
        let (name, thing) = (self.connection.name.as_str(), record.thing());
        let own = record.own_id.clone();
        let digest = record.digest(|record| crm.written(self.connection, record).2);
        let standing = record.standing();
        // What was found is brought up to date, and what is gone is looked for once.
        for _ in 0..3 {
            let link = store::link(&mut db.read(), name, thing, &own).await?;
            let Some((remote, link)) = link.and_then(|link| Some((link.remote_id.clone()?, link))) else {
                if let Some(made) = self.make(&record, &digest, may_make).await? {
                    return Ok(made);
                }
                continue;
            };
            let is_same = link.sent.as_deref() == Some(&digest);
            let stands = standing.is_none() || link.pushed == standing;
            record.tells = match (is_same, stands) {
                (true, true) => return Ok(remote),
                (false, true) => Tells::Rest,
                (true, false) => Tells::Standing,
                (false, false) => Tells::Everything,
            };
            record.goes_back = self.goes_back(thing, link.pushed.as_deref(), standing.as_deref());
            match crm.update(&self.line, &remote, &record).await {
                Ok(()) => {
                    let seen = if stands { link.seen.as_deref() } else { standing.as_deref() };
                    let pushed = if stands { link.pushed.as_deref() } else { standing.as_deref() };
                    let put = Put { remote: &remote, sent: Some(&digest), pushed, seen };
                    self.note(&record, &put).await?;
                    return Ok(remote);
                }
                // Somebody deleted it over there, or made one of two.
                Err(Fault::Gone) => store::forget(db, name, thing, &own).await?,
                Err(fault) => return self.heeded(Err(fault)).await,
            }
            record.tells = Tells::Everything;
        }
        Err(Halt::Failed(Error::Deferred(format!("the {} comes and goes over there", thing.word()))))
    }

    /// Finds it over there, or makes it. Nothing is returned if it was found and is to be brought up to date.
    async fn make(&self, record: &Record, digest: &str, may_make: bool) -> Result<Option<String>, Halt> {
        let (crm, db, now) = (self.connection.crm, &self.desk.stores.db, self.now);
        let (name, thing, own) = (self.connection.name.as_str(), record.thing(), record.own_id.as_str());
        let mut tx = db.begin().await?;
        let busy =
            store::claim(&mut tx, (name, thing, own), record.about, self.job, now.plus_ms(CLAIM_MS), now)
                .await?;
        tx.commit().await?;
        if let Some(until) = busy {
            return Err(Halt::Wait { until, why: Why::CRM_BUSY });
        }
        let tried_at = store::link(&mut db.read(), name, thing, own).await?.and_then(|link| link.tried_at);
        if let Some(tried_at) = tried_at {
            let known_at = tried_at.plus_ms(crm.lag_ms(self.connection, thing));
            if known_at > now {
                store::release(db, name, thing, own, Some(tried_at)).await?;
                let why = "nobody knows whether it was made; it is looked for first".to_owned();
                return Err(Halt::Failed(Error::Throttled { why, wait_ms: known_at.since_ms(now) }));
            }
        }
        let found = match crm.find(&self.line, record).await {
            Ok(found) => found,
            Err(fault) => {
                store::release(db, name, thing, own, tried_at).await?;
                return self.heeded(Err(fault)).await;
            }
        };
        if let Some(remote) = found {
            let other = store::of_remote(&mut db.read(), name, thing, &remote).await?;
            // Two deals may have one name, but each stands for one of ours.
            let is_free = matches!(thing, Thing::Company | Thing::Contact)
                || other.is_none_or(|other| other.own_id == record.own_id);
            if is_free {
                self.note(record, &Put { remote: &remote, sent: None, pushed: None, seen: None }).await?;
                return Ok(None);
            }
        }
        if !may_make {
            store::release(db, name, thing, own, None).await?;
            return Err(Halt::Over(Why::CRM_DELETED));
        }
        store::trying(db, name, thing, own, now).await?;
        match crm.create(&self.line, record).await {
            Ok(remote) => {
                let standing = record.standing();
                let (pushed, seen) = (standing.as_deref(), standing.as_deref());
                self.note(record, &Put { remote: &remote, sent: Some(digest), pushed, seen }).await?;
                Ok(Some(remote))
            }
            Err(fault) => {
                let may_be_there = matches!(fault, Fault::Unsure(_) | Fault::Duplicate(_));
                store::release(db, name, thing, own, may_be_there.then_some(now)).await?;
                self.heeded(Err(fault)).await
            }
        }
    }

    /// Notes what stands for it. Whoever was erased meanwhile has no link any more: what stands there is told in the audit.
    async fn note(&self, record: &Record, put: &Put<'_>) -> Result<(), Halt> {
        let (name, thing) = (self.connection.name.as_str(), record.thing());
        let mut tx = self.desk.stores.db.begin().await?;
        let is_ours = store::put(&mut tx, name, thing, &record.own_id, put, self.now).await?;
        if !is_ours && let Some(contact) = record.about {
            let left =
                serde_json::json!({ "crm": [{ "crm": name, "kind": thing.word(), "id": put.remote }] });
            audit::note(&mut tx, By::Rule, Act::Erased, contact, left, self.now).await?;
        }
        tx.commit().await?;
        if is_ours { Ok(()) } else { Err(Halt::Over(Why::ERASED)) }
    }

    /// Whether a contact comes to an earlier stage than was told last.
    fn goes_back(&self, thing: Thing, pushed: Option<&str>, standing: Option<&str>) -> bool {
        let order = |stage: Option<&str>| stage.and_then(|stage| self.desk.lifecycle.order(stage));
        thing == Thing::Contact && order(standing) < order(pushed)
    }
}
