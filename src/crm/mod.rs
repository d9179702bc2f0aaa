//! CRMs: what is known of a booked call stands there, too, once; and what sales decides there counts here.
//!
//! A fact plans [`Work`] ([`plan`]); the queue carries it, one piece at a time for each connection. What is sent is worked
//! out when it is sent (`facts.rs`, `record.rs`), step by step: company, contact, deal, activity. Each step is safe by
//! itself (`send.rs`): first our own link (`store.rs`) says what stands for it over there, then the CRM is searched, and
//! only then something new is made; the link is written at once. A try whose answer never came is searched for before
//! another one. Back comes a webhook, which is believed only to say *that* a deal changed: how it stands is asked
//! (`back.rs`).
//!
//! A CRM is a file with an `impl Crm` and a line in [`CRMS`].

mod back;
mod facts;
mod freshsales;
mod hubspot;
mod line;
mod pipedrive;
mod preview;
mod record;
mod send;
mod settings;
mod sources;
mod store;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub use self::back::{NotTaken, Taken, Told, take};
pub use self::preview::{Request, preview};
pub use self::send::{pause_ms, send};
pub use self::settings::{Connection, Connections};
pub use self::store::{PERSONAL, State, counts, state};

use self::line::{Fault, Line};
use self::record::Record;
use crate::base::ids::{BookingId, CompanyId, ContactId, DealId};
use crate::base::time::Timestamp;
use crate::bookings;
use crate::bookings::team::Team;
use crate::contacts;
use crate::deals::{self, NewDeal};
use crate::events::{Event, Recorded};
use crate::notify::{Desk, Error, Outbound};
use crate::render::Templates;
use crate::stages;
use crate::storage::db::{Queries, Tx};

/// The kind of the queue's jobs.
pub const JOB: &str = "crm";

/// What a CRM keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Thing {
    Company,
    Contact,
    Deal,
    Activity,
}

impl Thing {
    /// All of them, in the order in which they are sent: what others name comes before them.
    pub const ALL: [Self; 4] = [Self::Company, Self::Contact, Self::Deal, Self::Activity];

    /// The word in the file and in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Company => "company",
            Self::Contact => "contact",
            Self::Deal => "deal",
            Self::Activity => "activity",
        }
    }
}

/// A kind of CRM: how it is asked and told.
pub(crate) trait Crm: Sync {
    /// The word in the file.
    fn word(&self) -> &'static str;

    /// What its makers call it.
    fn title(&self) -> &'static str;

    /// Its address, if it has the same one for everybody.
    fn base(&self) -> Option<&'static str>;

    /// How a request says who asks.
    fn headers(&self, token: &str) -> Vec<(&'static str, String)>;

    /// How long after it was made something is found; nothing if at once, or if making it twice makes it once.
    fn lag_ms(&self, connection: &Connection, thing: Thing) -> i64;

    /// Looks for what stands for it.
    fn find<'a>(
        &'a self,
        line: &'a Line<'a>,
        record: &'a Record,
    ) -> BoxFuture<'a, Result<Option<String>, Fault>>;

    /// Makes it, and returns its id there.
    fn create<'a>(&'a self, line: &'a Line<'a>, record: &'a Record) -> BoxFuture<'a, Result<String, Fault>>;

    /// Changes it.
    fn update<'a>(
        &'a self,
        line: &'a Line<'a>,
        id: &'a str,
        record: &'a Record,
    ) -> BoxFuture<'a, Result<(), Fault>>;

    /// How a deal stands there.
    fn look<'a>(&'a self, line: &'a Line<'a>, id: &'a str) -> BoxFuture<'a, Result<Standing, Fault>>;

    /// Asks something harmless: who we are there.
    fn test<'a>(&'a self, line: &'a Line<'a>) -> BoxFuture<'a, Result<(), Fault>>;

    /// What would be sent: method, path, body.
    fn written(&self, connection: &Connection, record: &Record) -> (&'static str, String, Json);

    /// Whether a webhook comes from it.
    fn is_genuine(&self, connection: &Connection, told: &Told<'_>, now: Timestamp) -> bool;

    /// The deals that a webhook says have changed, each with the id of the news.
    fn changed(&self, body: &Json) -> Vec<(String, String)>;
}

/// One line a CRM.
pub(crate) const CRMS: &[&dyn Crm] = &[&pipedrive::Pipedrive, &freshsales::Freshsales, &hubspot::HubSpot];

/// How a deal stands in a CRM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    Open { stage: Option<String> },
    Won,
    Lost { reason: Option<String> },
}

impl Standing {
    /// As it stands in the table.
    fn word(&self) -> String {
        match self {
            Self::Open { stage } => format!("open:{}", stage.as_deref().unwrap_or_default()),
            Self::Won => "won".to_owned(),
            Self::Lost { .. } => "lost".to_owned(),
        }
    }
}

/// What records are made with, beside what the store knows.
#[derive(Clone, Copy)]
pub struct World<'a> {
    pub templates: &'a Templates,
    pub team: &'a Team,
    pub lifecycle: &'a stages::Definition,
    /// What links begin with.
    pub public_url: &'a str,
}

impl<'a> World<'a> {
    /// What a server's messages are made of is enough.
    pub fn of(desk: &'a Desk) -> Self {
        Self {
            templates: &desk.templates,
            team: &desk.team,
            lifecycle: &desk.lifecycle,
            public_url: &desk.public_url,
        }
    }

    fn link(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }
}

/// A piece of work for one connection. `by` is what the queue reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    by: String,
    /// The connection's name.
    pub crm: String,
    #[serde(flatten)]
    pub what: What,
}

/// What it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// A call: the activity, and whatever it belongs to.
    Call { booking: BookingId, contact: ContactId },
    /// A person, if she is there or belongs there.
    Person { contact: ContactId },
    /// A deal, if it is there.
    Deal { deal: DealId },
    /// A deal has changed over there.
    Look { remote: String },
}

impl Work {
    /// Work for a connection.
    pub fn new(crm: &str, what: What) -> Self {
        Self { by: JOB.to_owned(), crm: crm.to_owned(), what }
    }
}

/// Work with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Two with the same key are one.
    pub key: String,
    pub at: Timestamp,
    pub work: Work,
}

/// What follows from a fact for the CRMs. A first call with somebody of a company opens a deal with it, if none is open.
///
/// # Errors
/// As the store says.
pub async fn plan(
    connections: &Connections,
    tx: &mut Tx,
    recorded: &Recorded,
) -> Result<Vec<Planned>, Error> {
    if connections.all.is_empty() {
        return Ok(Vec::new());
    }
    let what = match &recorded.event {
        Event::BookingConfirmed { booking, contact } => {
            deal_of(connections, tx, *contact, recorded.at).await?;
            What::Call { booking: *booking, contact: *contact }
        }
        Event::BookingRescheduled { booking, contact, .. }
        | Event::BookingCancelled { booking, contact, .. }
        | Event::BookingOutcomeSet { booking, contact, .. } => {
            What::Call { booking: *booking, contact: *contact }
        }
        Event::StageChanged { contact, .. }
        | Event::CustomerStateChanged { contact, .. }
        | Event::BantCompleted { contact }
        | Event::ContactsMerged { contact, .. } => What::Person { contact: *contact },
        Event::DealWon { deal, .. } | Event::DealLost { deal, .. } | Event::MilestoneReached { deal, .. } => {
            What::Deal { deal: *deal }
        }
        Event::CodeAsked { .. }
        | Event::PreferencesAsked { .. }
        | Event::ContactsUnmerged { .. }
        | Event::FormSubmitted { .. }
        | Event::SlaBreached { .. }
        | Event::HandoverGiven { .. }
        | Event::HandoverTaken { .. }
        | Event::HandoverLate { .. }
        | Event::TaskGiven { .. }
        | Event::SegmentEntered { .. }
        | Event::SegmentLeft { .. }
        | Event::SubscriptionAsked { .. }
        | Event::SubscriptionConfirmed { .. }
        | Event::SubscriptionEnded { .. }
        | Event::WebinarRegistered { .. }
        | Event::WebinarAttended { .. }
        | Event::WebinarMissed { .. }
        | Event::WebinarMoved { .. }
        | Event::WebinarCancelled { .. }
        | Event::RecordingWatched { .. }
        | Event::ConversationOpened { .. }
        | Event::HandoffRequested { .. }
        | Event::HandoffOffered { .. }
        | Event::HandoffAccepted { .. }
        | Event::HandoffExpired { .. }
        | Event::QuestionLeft { .. }
        | Event::FlowLetter { .. }
        | Event::FlowNotice { .. }
        | Event::FlowEvent { .. }
        | Event::TranscriptAsked { .. }
        | Event::ConversationClosed { .. }
        | Event::BookingMailFailed { .. }
        | Event::BookingWithdrawn { .. }
        | Event::RepMailFailed { .. }
        | Event::EndpointDisabled { .. }
        | Event::ContactOnSite { .. }
        | Event::CalendarStale { .. } => return Ok(Vec::new()),
    };
    let mut planned = Vec::new();
    for connection in &connections.all {
        if !concerns(connection, tx, &what).await? {
            continue;
        }
        planned.push(Planned {
            key: format!("{}:crm:{}", recorded.id, connection.name),
            at: recorded.at,
            work: Work::new(&connection.name, what.clone()),
        });
    }
    Ok(planned)
}

/// Whether there is anything to tell a CRM of this: of most people it knows nothing, and is not to.
async fn concerns(connection: &Connection, tx: &mut Tx, what: &What) -> Result<bool, Error> {
    match what {
        What::Call { .. } | What::Look { .. } => Ok(true),
        What::Person { contact } => {
            let Some(contact) = contacts::find(tx, *contact).await? else { return Ok(false) };
            Ok(connection.people_in.contains(&contact.stage) || is_known(connection, tx, contact.id).await?)
        }
        What::Deal { deal } => {
            for person in deals::people(tx, *deal).await? {
                if is_known(connection, tx, person.contact).await? {
                    return Ok(true);
                }
            }
            let link = store::link(tx, &connection.name, Thing::Deal, &deal.to_string()).await?;
            Ok(link.is_some())
        }
    }
}

/// Whether somebody is in a CRM, or on her way there.
async fn is_known(connection: &Connection, tx: &mut Tx, contact: ContactId) -> Result<bool, Error> {
    let is_there = store::of_contact(tx, &connection.name, contact).await?.is_some();
    Ok(is_there || !bookings::of_contact(tx, contact).await.map_err(unwritable)?.is_empty())
}

/// The open deal that a call with somebody belongs to: hers, else her company's, else a new one. Nobody's who works for no
/// company: a deal of ours is always a company's.
async fn deal_of(
    connections: &Connections,
    tx: &mut Tx,
    contact: ContactId,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(contact) = contacts::find(tx, contact).await? else { return Ok(()) };
    let Some(company) = contact.company else { return Ok(()) };
    tx.lock(&format!("deals-of:{company}")).await?;
    if open_deal(tx, contact.id).await?.is_some() {
        return Ok(());
    }
    let of_company = deals::of_company(tx, company).await?;
    let open = of_company.into_iter().find(|deal| deal.status == deals::Status::Open);
    let deal = match open {
        Some(deal) => deal.id,
        None => {
            let name = company_name(tx, company).await?.unwrap_or_else(|| contact.display_name());
            let currency = connections.all.first().map_or("EUR", |first| first.currency.as_str());
            let new = NewDeal { company, name: &name, amount: None, currency, owner: contact.owner };
            match deals::open(tx, &new, now).await {
                Ok(deal) => deal,
                Err(error) => return without_deal(error),
            }
        }
    };
    if let Err(error) = deals::add_person(tx, deal, contact.id, deals::Role::Other, now).await {
        return without_deal(error);
    }
    Ok(())
}

/// A call without a deal is told all the same: everything else that follows from it must not wait for that.
fn without_deal(error: deals::Error) -> Result<(), Error> {
    match error {
        deals::Error::Store(error) => Err(Error::Storage(error)),
        error => {
            tracing::warn!(error = %error, "no deal can be opened for a call");
            Ok(())
        }
    }
}

/// The deal that somebody has a part in and that is still open, the latest.
async fn open_deal(q: &mut impl Queries, contact: ContactId) -> Result<Option<DealId>, Error> {
    let of_contact = deals::of_contact(q, contact).await?;
    Ok(of_contact.into_iter().find(|deal| deal.status == deals::Status::Open).map(|deal| deal.id))
}

async fn company_name(q: &mut impl Queries, company: CompanyId) -> Result<Option<String>, Error> {
    Ok(contacts::company(q, company).await?.map(|company| company.name))
}

fn unwritable(error: impl std::fmt::Display) -> Error {
    Error::Unwritable(error.to_string())
}

/// Asks a CRM something harmless.
///
/// # Errors
/// [`Error`] by what it answered.
pub async fn test(outbound: &Outbound, connection: &Connection) -> Result<(), Error> {
    let line = Line::new(outbound, connection);
    connection.crm.test(&line).await.map_err(Fault::into_error)
}
