//! Conversations: the flow that greets, asks and books, the person who takes over, and the one numbered log of both.
//!
//! The core is pure: [`flow`] reads a YAML file, [`check`] proves what can be proved about it, [`engine`] turns
//! `(flow, state, input, world)` into the next state, events and effects. Around it stands the [`Room`]: each verb
//! below is one transaction in which the log grows, the state moves on and the effects are carried out, so that a
//! process that dies at any moment leaves either all of a turn or nothing of it.

pub mod actions;
mod acts;
pub mod body;
pub mod check;
pub mod counts;
pub mod effects;
pub mod engine;
pub mod flow;
pub mod flows;
pub mod graph;
pub mod history;
pub mod link;
pub mod live;
pub mod log;
pub mod offer;
mod others;
pub mod pages;
pub mod phrases;
pub mod question;
pub mod rehearsal;
pub mod resume;
pub mod schema;
pub mod script;
pub mod steps;
mod store;
mod suggest;
pub mod symbols;
pub mod text;
mod told;
pub mod trigger;
pub mod tryout;
mod turn;
pub mod versions;
pub mod whose;
pub mod words;
mod world;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use self::body::{Author, Body, Mode, Said};
use self::engine::{Crowd, Input, Refused, State};
use self::flow::When;
use self::flows::TEAM;
use self::others::{Lost, Other, with_others};
use self::turn::{Cause, Step, Turning};
use crate::accounts;
use crate::base::coded::Coded;
use crate::base::ids::{AccountId, ContactId, ConversationId, VisitorId};
use crate::base::language::Language;
use crate::base::live::Live;
use crate::base::signing::{Keys, Purpose, TokenError};
use crate::base::time::{DAY_MS, SECOND_MS, Timestamp, zone};
use crate::base::typed::plain;
use crate::bookings::{
    self,
    team::{Group, Team},
};
use crate::contacts::{self, Consent, Trust};
use crate::events::{self, Event};
use crate::stages;
use crate::storage::db::{Queries, Tx};
use crate::storage::{self, Stores};
use crate::webinars::{self, Watching};

pub use self::flows::Flows;
pub use self::log::{Entry, Head};
pub use self::offer::{Offered, offer};
pub use self::store::{PAGE, PERSONAL, find, inbox, of_contact, standing};
pub use self::suggest::agent_suggest;
pub use self::told::{Told, forget_told, keep_told};
pub use self::versions::Running;

/// How long a token opens its conversation.
const TOKEN_MS: i64 = 30 * DAY_MS;
/// How long a heartbeat of the console keeps somebody present.
pub const PRESENT_MS: i64 = 45 * SECOND_MS;
/// Longest message, in characters.
pub const MESSAGE_LENGTH: usize = 2_000;
/// The same words so often in a row within [`SAME_MS`] are enough.
const SAME_MOST: i64 = 2;
const SAME_MS: i64 = 60 * SECOND_MS;
/// Conversations that are woken in one go.
const WAKE_AT_ONCE: i64 = 100;

/// Everything that conversations need around them.
#[derive(Clone)]
pub struct Room {
    pub stores: Stores,
    pub keys: Keys,
    pub flows: Arc<Running>,
    pub team: Arc<Team>,
    pub lifecycle: Arc<Live<stages::Definition>>,
    pub webinars: Arc<webinars::Definition>,
    /// The name the bot speaks under.
    pub bot: String,
    pub counts: Arc<counts::Counts>,
}

/// The page a visitor is on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    #[serde(default)]
    pub url: String,
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub returning: bool,
}

impl Page {
    /// What its address tells of the campaign that led here: `utm_source` and its like, as they stand there.
    pub fn campaign(&self) -> Vec<(String, String)> {
        const NAMES: [&str; 5] = ["utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"];
        let Ok(url) = url::Url::parse(&self.url) else { return Vec::new() };
        let told =
            url.query_pairs().filter(|(name, value)| NAMES.contains(&name.as_ref()) && !value.is_empty());
        told.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
    }

    /// The path of its address; `/` where there is none.
    pub fn path(&self) -> String {
        url::Url::parse(&self.url).map_or_else(|_| "/".to_owned(), |url| url.path().to_owned())
    }
}

/// A visitor who comes to the chat's door.
#[derive(Clone, Debug)]
pub struct Visit {
    pub site: String,
    /// None if the device may not be recognised.
    pub visitor: Option<VisitorId>,
    pub consent: Consent,
    pub page: Page,
    pub language: Language,
    pub zone: String,
    /// She has come by an address of the chat's own: a flow's pages and how often it shows itself decide nothing.
    pub is_hosted: bool,
}

/// Somebody of the company in a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    pub id: AccountId,
    pub name: String,
}

/// One conversation.
#[derive(Clone, Debug)]
pub struct Conversation {
    pub id: ConversationId,
    pub site: String,
    pub visitor: VisitorId,
    pub contact: Option<ContactId>,
    pub flow: Option<String>,
    pub language: Language,
    pub time_zone: String,
    pub page: Page,
    pub mode: Mode,
    pub state: Option<State>,
    /// The number of the latest entry.
    pub head: i64,
    pub visitor_read: i64,
    pub agent_read: i64,
    pub wake_at: Option<Timestamp>,
    /// Who speaks, or spoke last, for the company.
    pub agent: Option<Agent>,
    pub outcome: Option<String>,
    pub opened_at: Timestamp,
    pub updated_at: Timestamp,
    pub closed_at: Option<Timestamp>,
    /// What the newest link carries by which it goes on elsewhere.
    pub resume_key: Option<String>,
}

impl Conversation {
    /// The bus topic on which it is told that the log has grown.
    pub fn topic(id: ConversationId) -> String {
        format!("conversation:{id}")
    }

    /// How sure it can be at most who speaks in it.
    fn most_trust(&self) -> Trust {
        let is_resumed = self.state.as_ref().is_some_and(|state| state.resumed);
        if is_resumed { resume::MOST_TRUST } else { Trust::Authenticated }
    }
}

/// What the bus says of a conversation in which somebody has read on.
pub const READ: &str = "read";

/// The bus topic on which consoles are told that something in the inbox has changed.
pub const INBOX: &str = "inbox";

/// A conversation as it is handed to the visitor's widget.
#[derive(Clone, Debug)]
pub struct Opened {
    pub conversation: Conversation,
    /// The device on which it is opened. The conversation may have begun on another one of hers.
    pub visitor: VisitorId,
    pub token: String,
    pub is_new: bool,
    /// Whether it is certain who she is.
    pub is_known: bool,
}

/// What became of a visitor's message.
#[derive(Clone, Debug)]
pub struct Heard {
    pub entry: Entry,
    /// It had been heard before.
    pub is_repeated: bool,
    /// The device epoch from now on.
    pub visitor: VisitorId,
}

/// Why something in a conversation was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such conversation.
    #[error("there is no such conversation")]
    Unknown,
    /// There is no such flow, or none that fits.
    #[error("there is no flow to begin with")]
    FlowUnknown,
    /// The id of the message was used for another one.
    #[error("this message id was used for another message")]
    ClientIdReused,
    /// The question is not open any more.
    #[error("this question is not open any more")]
    QuestionOver,
    /// Whoever asks has read a number that this log does not have, or has it for another entry.
    #[error("the log has no such entry; read it from the beginning")]
    SequenceUnknown,
    /// The conversation is closed.
    #[error("the conversation is over")]
    Closed,
    /// Not in the mode the conversation is in.
    #[error("{0}")]
    NotAllowed(&'static str),
    /// The message cannot be taken as it is.
    #[error("{0}")]
    MessageInvalid(String),
    /// The message has no words.
    #[error("the message is empty")]
    MessageEmpty,
    /// The message has so many characters, and [`MESSAGE_LENGTH`] fit.
    #[error("it has {0} characters, and {MESSAGE_LENGTH} fit into one message; send it in two")]
    MessageLong(usize),
    /// The same words for the third time in a row.
    #[error("you have just said this twice; we have read it")]
    SaidAgain,
    /// It is not certain that the address is this visitor's.
    #[error("it is not certain that the address is yours")]
    NotConfirmed,
    /// Mails to her address came back, or it was blocked by hand.
    #[error("nothing is sent to this address: mails to it came back, or it was blocked")]
    HeldBack,
    /// The token does not open this conversation.
    #[error("the conversation's token is not valid")]
    TokenForged,
    /// The link by which it would go on elsewhere was withdrawn, or is not the newest.
    #[error("the link was withdrawn")]
    LinkWithdrawn,
    /// It once did.
    #[error("the conversation's token has expired")]
    TokenExpired,
    /// About the person.
    #[error(transparent)]
    Contact(#[from] contacts::Error),
    /// About a booking.
    #[error(transparent)]
    Booking(#[from] bookings::Error),
    /// About a recording.
    #[error(transparent)]
    Webinar(#[from] webinars::Error),
    /// About the lifecycle.
    #[error(transparent)]
    Stage(#[from] stages::Error),
    /// A time that was picked in a turn is gone. The turn is taken anew with others, so that nobody is told this.
    #[error("{}", .0.refused())]
    Lost(Box<Lost>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] storage::Error),
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::QuestionOver => Self::QuestionOver,
            Refused::Closed => Self::Closed,
            Refused::NotNow => Self::NotAllowed("nothing waits for this now"),
        }
    }
}

impl From<TokenError> for Error {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Forged => Self::TokenForged,
            TokenError::Expired(_) => Self::TokenExpired,
        }
    }
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "chat.conversation_unknown",
            Self::FlowUnknown => "chat.flow_unknown",
            Self::ClientIdReused => "chat.client_id_reused",
            Self::QuestionOver => "chat.question_over",
            Self::SequenceUnknown => "chat.sequence_unknown",
            Self::Closed => "chat.closed",
            Self::NotAllowed(_) => "chat.not_allowed",
            Self::MessageInvalid(_) | Self::MessageEmpty | Self::MessageLong(_) | Self::SaidAgain => {
                "chat.message_invalid"
            }
            Self::NotConfirmed => "chat.not_confirmed",
            Self::HeldBack => "chat.address_held_back",
            Self::LinkWithdrawn => "token.revoked",
            Self::TokenForged => "token.forged",
            Self::TokenExpired => "token.expired",
            Self::Contact(error) => error.code(),
            Self::Booking(error) => error.code(),
            Self::Webinar(error) => error.code(),
            Self::Stage(error) => error.code(),
            Self::Lost(lost) => lost.refused().code(),
            Self::Store(error) => error.code(),
        }
    }

    fn extras(&self) -> Vec<(&'static str, serde_json::Value)> {
        match self {
            Self::MessageEmpty => vec![("reason", json!("empty"))],
            Self::MessageLong(characters) => vec![
                ("reason", json!("long")),
                ("characters", json!(characters)),
                ("most", json!(MESSAGE_LENGTH)),
            ],
            Self::SaidAgain => vec![("reason", json!("again"))],
            Self::Booking(error) => error.extras(),
            _ => Vec::new(),
        }
    }
}

/// Opens a conversation, or gives back the one that the visitor has open, here or where else it is certain that it is the
/// same person (another name of the site, another device of hers). `flow` names the flow that was offered;
/// without it the one begins that answers when she opens the chat herself.
///
/// # Errors
/// [`Error::FlowUnknown`].
pub async fn open(room: &Room, visit: &Visit, flow: Option<&str>, now: Timestamp) -> Result<Opened, Error> {
    with_others!(room, now, |others| opening(room, visit, flow, others, now))
}

async fn opening(
    room: &Room,
    visit: &Visit,
    flow: Option<&str>,
    others: &[Other],
    now: Timestamp,
) -> Result<Opened, Error> {
    let online = room.crowd(now).await;
    let visitor = visit.visitor.unwrap_or_else(VisitorId::new);
    let mut tx = room.stores.db.begin().await?;
    tx.lock(&format!("chat:{visitor}")).await?;
    if let Some((contact, trust)) = contacts::holder(&mut tx, visitor).await?
        && trust.may_see_stored()
    {
        // Another device of hers may open at this very moment: the two are one talk.
        tx.lock(&format!("chat:{}", contact.id)).await?;
    }
    if let Some(mut open) = talk_of(&mut tx, visitor, &visit.site).await? {
        let is_news = live::approach::reach(&mut tx, &mut open, visit, now).await?;
        let opened = opened(room, &mut tx, open, visitor, false, now).await?;
        if is_news {
            tx.commit().await?;
            live::approach::reached(room, &opened.conversation).await;
        }
        return Ok(opened);
    }
    contacts::see_visitor(&mut tx, visitor, &visit.site, visit.consent, now).await?;
    let flows = room.flows.now();
    let coming = offer::Coming { visit, visitor, online: &online };
    let named = match flow {
        Some(name) => offer::named(&mut tx, room, &flows, coming, name, now).await?,
        None => None,
    };
    let flow = match named {
        // A link in a mail must not lead to nothing because its flow is for others.
        None if flow.is_none() || visit.is_hosted => {
            offer::choose(&mut tx, room, &flows, coming, &When::Opened, now).await?
        }
        named => named,
    }
    .cloned()
    .ok_or(Error::FlowUnknown)?;
    let contact = contacts::holder(&mut tx, visitor).await?.map(|(contact, _)| contact.id);
    let mut conversation = Conversation {
        id: ConversationId::new(),
        site: visit.site.clone(),
        visitor,
        contact,
        flow: Some(flow.id.clone()),
        language: visit.language,
        time_zone: if zone(&visit.zone).is_some() { visit.zone.clone() } else { "UTC".to_owned() },
        page: visit.page.clone(),
        mode: Mode::Bot,
        state: None,
        head: 0,
        visitor_read: 0,
        agent_read: 0,
        wake_at: None,
        agent: None,
        outcome: None,
        opened_at: now,
        updated_at: now,
        closed_at: None,
        resume_key: None,
    };
    store::insert(&mut tx, &conversation).await?;
    store::add_showing(&mut tx, visitor, &flow.id, now).await?;
    let event = Event::ConversationOpened { conversation: conversation.id, contact };
    events::append(&mut tx, &event, now).await?;
    let mut turning = Turning {
        room,
        tx: &mut tx,
        conversation: &mut conversation,
        flow,
        online,
        others,
        now,
        appended: Vec::new(),
    };
    turning.run(Step::Open, Cause::default()).await?;
    store::save(&mut tx, &conversation, 0, now).await?;
    let opened = opened(room, &mut tx, conversation, visitor, true, now).await?;
    tx.commit().await?;
    room.tell(&opened.conversation).await;
    Ok(opened)
}

/// The conversation that a visitor has open: on this device, or on another one of hers. Of two, the one that has her words
/// or a person in it: a panel that opened by itself before anybody knew her hides no talk.
pub(super) async fn talk_of(
    q: &mut impl Queries,
    visitor: VisitorId,
    site: &str,
) -> Result<Option<Conversation>, Error> {
    let own = store::open_of(q, visitor, site).await?;
    if let Some(talk) = &own
        && (talk.mode != Mode::Bot || store::has_spoken(q, talk.id).await?)
    {
        return Ok(own);
    }
    let Some(other) = open_elsewhere(q, visitor, site).await? else { return Ok(own) };
    let is_talk = other.mode != Mode::Bot || store::has_spoken(q, other.id).await?;
    Ok(own.filter(|_| !is_talk).or(Some(other)))
}

/// The conversation that the holder of this device has open on another one. Both have to be certainly hers: else a claim
/// would open a talk, or she would be shown one in which somebody else has used her name.
async fn open_elsewhere(
    q: &mut impl Queries,
    visitor: VisitorId,
    site: &str,
) -> Result<Option<Conversation>, Error> {
    Ok(match contacts::holder(q, visitor).await? {
        Some((contact, trust)) if trust.may_see_stored() => {
            store::open_elsewhere(q, contact.id, Trust::Confirmed, site).await?
        }
        _ => None,
    })
}

async fn opened(
    room: &Room,
    tx: &mut Tx,
    conversation: Conversation,
    visitor: VisitorId,
    is_new: bool,
    now: Timestamp,
) -> Result<Opened, Error> {
    let mut claims = Keys::claims(conversation.id.to_string(), now, now.plus_ms(TOKEN_MS));
    claims.visitor = Some(visitor.to_string());
    claims.language = Some(conversation.language);
    let holder = contacts::holder(tx, visitor).await?;
    if visitor != conversation.visitor {
        // Another device of hers: she may do there what she may here, but it stays a visitor of its own.
        claims.contact = holder.as_ref().map(|(contact, _)| contact.id.to_string());
    }
    let token = room.keys.sign(Purpose::Conversation, &claims);
    let is_known = holder.is_some_and(|(_, trust)| trust.may_see_stored());
    Ok(Opened { conversation, visitor, token, is_new, is_known })
}

/// Whether a token opens a conversation.
///
/// # Errors
/// [`Error::TokenForged`], [`Error::TokenExpired`].
pub fn authorize(room: &Room, id: ConversationId, token: &str, now: Timestamp) -> Result<(), Error> {
    let claims = room.keys.verify(Purpose::Conversation, token, now)?;
    if claims.subject == id.to_string() { Ok(()) } else { Err(Error::TokenForged) }
}

/// Takes what a visitor says. The same message under the same id is heard once.
///
/// # Errors
/// [`Error::ClientIdReused`], [`Error::QuestionOver`], [`Error::Closed`], [`Error::MessageInvalid`].
pub async fn say(
    room: &Room,
    id: ConversationId,
    client_id: &str,
    said: &Said,
    now: Timestamp,
) -> Result<Heard, Error> {
    check_length(said)?;
    with_others!(room, now, |others| hear(room, id, client_id, said, others, now))
}

async fn hear(
    room: &Room,
    id: ConversationId,
    client_id: &str,
    said: &Said,
    others: &[Other],
    now: Timestamp,
) -> Result<Heard, Error> {
    let digest = log::digest(said);
    let online = room.crowd(now).await;
    let mut tx = room.stores.db.begin().await?;
    let mut conversation = locked(&mut tx, id).await?;
    if let Some((entry, before)) = store::by_client(&mut tx, id, client_id, &room.bot).await? {
        if entry.author.kind != Author::Visitor || before.as_deref() != Some(&digest) {
            return Err(Error::ClientIdReused);
        }
        return Ok(Heard { entry, is_repeated: true, visitor: conversation.visitor });
    }
    if conversation.mode == Mode::Closed {
        return Err(Error::Closed);
    }
    if is_said_again(&mut tx, &conversation, said, &digest, now).await? {
        return Err(Error::SaidAgain);
    }
    if !store::has_spoken(&mut tx, id).await? {
        // Only now has a conversation taken place; that a panel opened by itself says nothing about her.
        let (contact, visitor, flow) =
            (conversation.contact, conversation.visitor, conversation.flow.clone());
        let props = json!({ "conversation": id });
        let kind = "conversation.opened";
        contacts::record(&mut tx, contact, Some(visitor), kind, flow.as_deref(), props, now).await?;
        if let Some(contact) = contact {
            stages::evaluate(&mut tx, &room.lifecycle, contact, now).await?;
        }
    }
    let cause = Cause { message: Some((client_id.to_owned(), digest)) };
    let appended = match suggest::meeting_of(said) {
        Some(answer) if conversation.mode == Mode::Human => {
            suggest::answered(room, &mut tx, &mut conversation, answer, cause, others, now).await?
        }
        Some(_) => return Err(Error::QuestionOver),
        None => {
            let step = Step::Input(Input::Said(said.plain()));
            advance(room, &mut tx, &mut conversation, step, cause, online, others, now).await?
        }
    };
    tx.commit().await?;
    room.tell(&conversation).await;
    let entry = appended.into_iter().find(|entry| entry.client_id.as_deref() == Some(client_id));
    let entry = entry.ok_or(Error::NotAllowed("nothing waits for this now"))?;
    Ok(Heard { entry, is_repeated: false, visitor: conversation.visitor })
}

fn check_length(said: &Said) -> Result<(), Error> {
    let text = match said {
        Said::Text { text } => text,
        Said::Answer { value, .. } => value,
        Said::Choice { choice, .. } => choice,
        Said::Slot { .. } | Said::HumanRequested | Said::StopRequested => return Ok(()),
    };
    if body::is_blank(&plain(text)) {
        return Err(Error::MessageEmpty);
    }
    let count = text.chars().count();
    if count > MESSAGE_LENGTH { Err(Error::MessageLong(count)) } else { Ok(()) }
}

/// Whether a person would read the same words from her for the third time within [`SAME_MS`].
async fn is_said_again(
    q: &mut impl Queries,
    conversation: &Conversation,
    said: &Said,
    digest: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    let with_people = matches!(conversation.mode, Mode::Human | Mode::Waiting);
    if !with_people || !matches!(said, Said::Text { .. }) {
        return Ok(false);
    }
    let before = store::said_lately(q, conversation.id, now.plus_ms(-SAME_MS), SAME_MOST).await?;
    let most = usize::try_from(SAME_MOST).unwrap_or(usize::MAX);
    Ok(before.len() >= most && before.iter().all(|one| one.as_deref() == Some(digest)))
}

/// The page that its visitor is on now: the last one of her visit, if she has looked at others since it began.
/// Nothing is known of whoever did not agree to be recognised, nor of the device on which it goes on by a link.
///
/// # Errors
/// As the store says.
pub async fn page_now(q: &mut impl Queries, conversation: &Conversation) -> storage::Result<Option<String>> {
    if conversation.state.as_ref().is_some_and(|state| state.resumed) {
        return Ok(None);
    }
    let visits = contacts::visits_of_device(q, conversation.visitor, 1).await?;
    let latest = visits.first().and_then(|visit| visit.trail.last());
    Ok(latest.filter(|step| step.at >= conversation.opened_at).map(|step| step.path.clone()))
}

/// Reads a conversation under its lock.
async fn locked(tx: &mut Tx, id: ConversationId) -> Result<Conversation, Error> {
    tx.lock(&Conversation::topic(id)).await?;
    store::find(tx, id).await?.ok_or(Error::Unknown)
}

/// Lets the flow go on, and writes the conversation back.
#[allow(clippy::too_many_arguments, reason = "a turn consists of these")]
async fn advance(
    room: &Room,
    tx: &mut Tx,
    conversation: &mut Conversation,
    step: Step,
    cause: Cause,
    online: Crowd,
    others: &[Other],
    now: Timestamp,
) -> Result<Vec<Entry>, Error> {
    let old_head = conversation.head;
    let flow = room.flows.of(tx, conversation, now).await?;
    let mut turning = Turning { room, tx, conversation, flow, online, others, now, appended: Vec::new() };
    turning.run(step, cause).await?;
    let appended = turning.appended;
    store::save(tx, conversation, old_head, now).await?;
    Ok(appended)
}

/// Somebody of the team takes the conversation. The flow is silent from now on.
///
/// # Errors
/// [`Error::NotAllowed`] if somebody else has it, [`Error::Closed`].
pub async fn accept(
    room: &Room,
    id: ConversationId,
    agent: &Agent,
    now: Timestamp,
) -> Result<Conversation, Error> {
    let online = room.crowd(now).await;
    let mut tx = room.stores.db.begin().await?;
    let mut conversation = locked(&mut tx, id).await?;
    match conversation.mode {
        Mode::Human if conversation.agent.as_ref().is_some_and(|other| other.id == agent.id) => {
            return Ok(conversation);
        }
        Mode::Human => live::transfer::step_in(room, &mut tx, &mut conversation, agent, now).await?,
        Mode::Closed => return Err(Error::Closed),
        Mode::Bot | Mode::Waiting => {
            conversation.agent = Some(agent.clone());
            room.counts.wait("accepted", waiting_since(&conversation), now);
            let step = Step::Input(Input::AgentAccepted { agent: body::Face::of(&agent.name) });
            advance(room, &mut tx, &mut conversation, step, Cause::default(), online, &[], now).await?;
            live::routing::accepted(&mut tx, id, now).await?;
        }
    }
    if let Some(contact) = conversation.contact {
        // A person's first answer is what deadlines of the lifecycle wait for.
        let props = json!({ "by": agent.id });
        let subject = id.to_string();
        contacts::record(&mut tx, Some(contact), None, "conversation.answered", Some(&subject), props, now)
            .await?;
        stages::evaluate(&mut tx, &room.lifecycle, contact, now).await?;
    }
    let event = Event::HandoffAccepted { conversation: id, contact: conversation.contact, account: agent.id };
    events::append(&mut tx, &event, now).await?;
    tx.commit().await?;
    // Whoever accepts or writes has it before her; presence may be lost.
    let _ = room.look(id, agent.id, now).await;
    room.tell(&conversation).await;
    Ok(conversation)
}

/// Somebody of the team says something. The same message under the same id is said once.
///
/// # Errors
/// [`Error::NotAllowed`] unless this person has the conversation.
pub async fn agent_say(
    room: &Room,
    id: ConversationId,
    agent: &Agent,
    client_id: &str,
    text: &str,
    now: Timestamp,
) -> Result<Entry, Error> {
    let said = Said::Text { text: text.to_owned() };
    check_length(&said)?;
    let mut tx = room.stores.db.begin().await?;
    let mut conversation = locked(&mut tx, id).await?;
    if let Some((entry, before)) = store::by_client(&mut tx, id, client_id, &room.bot).await? {
        let same = entry.author.kind == Author::Agent && before == Some(log::digest(&said));
        return if same { Ok(entry) } else { Err(Error::ClientIdReused) };
    }
    hers(&conversation, agent)?;
    let old_head = conversation.head;
    let flow = room.flows.of(&mut tx, &conversation, now).await?;
    let mut turning = Turning {
        room,
        tx: &mut tx,
        conversation: &mut conversation,
        flow,
        online: Crowd::default(),
        others: &[],
        now,
        appended: Vec::new(),
    };
    let message = Some((client_id.to_owned(), log::digest(&said)));
    turning.append(Author::Agent, Body::text(plain(text).trim()), message, Some(agent)).await?;
    let entry = turning.appended.pop().ok_or(Error::Unknown)?;
    store::save(&mut tx, &conversation, old_head, now).await?;
    tx.commit().await?;
    let _ = room.look(id, agent.id, now).await;
    room.tell(&conversation).await;
    Ok(entry)
}

/// Gives the conversation back to the flow, which goes on where it stood.
///
/// # Errors
/// [`Error::NotAllowed`] unless this person has the conversation.
pub async fn hand_back(
    room: &Room,
    id: ConversationId,
    agent: &Agent,
    now: Timestamp,
) -> Result<Conversation, Error> {
    with_others!(room, now, |others| by_agent(room, id, agent, Input::AgentReturned, others, now))
}

/// Ends the conversation; the flow says goodbye.
///
/// # Errors
/// [`Error::NotAllowed`] unless this person has the conversation.
pub async fn close(
    room: &Room,
    id: ConversationId,
    agent: &Agent,
    now: Timestamp,
) -> Result<Conversation, Error> {
    with_others!(room, now, |others| by_agent(room, id, agent, Input::AgentClosed, others, now))
}

/// Tells the conversation of a call that its agent has booked for the visitor, in the caller's transaction.
///
/// # Errors
/// [`Error::NotAllowed`] unless this person has the conversation.
pub async fn agent_booked(
    room: &Room,
    tx: &mut Tx,
    id: ConversationId,
    agent: &Agent,
    booking: &bookings::Booking,
    now: Timestamp,
) -> Result<Conversation, Error> {
    let mut conversation = locked(tx, id).await?;
    hers(&conversation, agent)?;
    let step = Step::Input(Input::Booked(room.booked(booking, now)));
    advance(room, tx, &mut conversation, step, Cause::default(), Crowd::default(), &[], now).await?;
    Ok(conversation)
}

async fn by_agent(
    room: &Room,
    id: ConversationId,
    agent: &Agent,
    input: Input,
    others: &[Other],
    now: Timestamp,
) -> Result<Conversation, Error> {
    let online = room.crowd(now).await;
    let mut tx = room.stores.db.begin().await?;
    let mut conversation = locked(&mut tx, id).await?;
    hers(&conversation, agent)?;
    advance(room, &mut tx, &mut conversation, Step::Input(input), Cause::default(), online, others, now)
        .await?;
    tx.commit().await?;
    room.tell(&conversation).await;
    Ok(conversation)
}

/// Since when its visitor waits for a person.
fn waiting_since(conversation: &Conversation) -> Option<Timestamp> {
    let state = conversation.state.as_ref().filter(|_| conversation.mode == Mode::Waiting)?;
    state.waiting_since
}

fn hers(conversation: &Conversation, agent: &Agent) -> Result<(), Error> {
    let has_it = conversation.agent.as_ref().is_some_and(|other| other.id == agent.id);
    match conversation.mode {
        Mode::Human if has_it => Ok(()),
        Mode::Closed => Err(Error::Closed),
        Mode::Human => Err(Error::NotAllowed("somebody else has this conversation")),
        Mode::Bot | Mode::Waiting => Err(Error::NotAllowed("take the conversation first")),
    }
}

/// Wakes the conversations whose time has come; returns how many. A job runs this every second.
///
/// # Errors
/// As the store says; conversations woken before stay woken.
pub async fn wake_due(room: &Room, now: Timestamp) -> Result<usize, Error> {
    let due = store::due(&mut room.stores.db.read(), now, WAKE_AT_ONCE).await?;
    let online = if due.is_empty() { Crowd::default() } else { room.crowd(now).await };
    let mut woken = 0;
    for id in due {
        woken += usize::from(with_others!(room, now, |others| wake(room, id, online.clone(), others, now))?);
    }
    Ok(woken)
}

/// Wakes one conversation, unless that was done already.
async fn wake(
    room: &Room,
    id: ConversationId,
    online: Crowd,
    others: &[Other],
    now: Timestamp,
) -> Result<bool, Error> {
    let mut tx = room.stores.db.begin().await?;
    let mut conversation = locked(&mut tx, id).await?;
    if conversation.wake_at.is_none_or(|at| at > now) {
        return Ok(false);
    }
    let before = conversation.wake_at;
    let step = Step::Input(Input::Tick);
    match advance(room, &mut tx, &mut conversation, step, Cause::default(), online, others, now).await {
        Ok(_) if conversation.wake_at != before => {}
        // A conversation that cannot go on (its flow is gone) must not be woken for ever.
        Ok(_) | Err(Error::FlowUnknown | Error::NotAllowed(_) | Error::Closed) => {
            let head = conversation.head;
            conversation.wake_at = None;
            store::save(&mut tx, &conversation, head, now).await?;
        }
        Err(error) => return Err(error),
    }
    tx.commit().await?;
    room.tell(&conversation).await;
    Ok(true)
}

/// Adds what was seen of a recording, and tells the flow. Returns the whole percent seen so far.
///
/// # Errors
/// As [`webinars::watch`].
pub async fn watched(
    room: &Room,
    id: ConversationId,
    recording: &str,
    ranges: &[(f64, f64)],
    now: Timestamp,
) -> Result<u8, Error> {
    with_others!(room, now, |others| seen(room, id, (recording, ranges), others, now))
}

async fn seen(
    room: &Room,
    id: ConversationId,
    (recording, ranges): (&str, &[(f64, f64)]),
    others: &[Other],
    now: Timestamp,
) -> Result<u8, Error> {
    let online = room.crowd(now).await;
    let mut tx = room.stores.db.begin().await?;
    let mut conversation = locked(&mut tx, id).await?;
    let watching =
        Watching { recording, visitor: Some(conversation.visitor), contact: conversation.contact, ranges };
    let percent = webinars::watch(&mut tx, &room.lifecycle, &room.webinars, &watching, now).await?;
    let head = conversation.head;
    if conversation.mode == Mode::Bot {
        let step = Step::Input(Input::Watched { recording: recording.to_owned(), percent });
        advance(room, &mut tx, &mut conversation, step, Cause::default(), online, others, now).await?;
    }
    tx.commit().await?;
    if conversation.head != head {
        room.tell(&conversation).await;
    }
    Ok(percent)
}

/// The page tells of an event of its own: a flow that waits for it goes on. Nothing else is changed by it.
///
/// # Errors
/// [`Error::MessageInvalid`] for a name that no flow can wait for, and as the store says.
pub async fn event(room: &Room, id: ConversationId, name: &str, now: Timestamp) -> Result<(), Error> {
    use steps::EVENT_LENGTH;
    if !(1..=EVENT_LENGTH).contains(&name.chars().count()) {
        return Err(Error::MessageInvalid(format!("an event has a name of 1 to {EVENT_LENGTH} characters")));
    }
    with_others!(room, now, |others| happened(room, id, name, others, now))
}

async fn happened(
    room: &Room,
    id: ConversationId,
    name: &str,
    others: &[Other],
    now: Timestamp,
) -> Result<(), Error> {
    let online = room.crowd(now).await;
    let mut tx = room.stores.db.begin().await?;
    let mut conversation = locked(&mut tx, id).await?;
    if conversation.mode != Mode::Bot {
        return Ok(());
    }
    let head = conversation.head;
    let step = Step::Input(Input::Event { name: name.to_owned() });
    advance(room, &mut tx, &mut conversation, step, Cause::default(), online, others, now).await?;
    tx.commit().await?;
    if conversation.head != head {
        room.tell(&conversation).await;
    }
    Ok(())
}

/// Everything that was said in a conversation, for whoever may read it.
///
/// # Errors
/// As the store says.
pub async fn transcript(
    q: &mut impl Queries,
    id: ConversationId,
    bot: &str,
) -> crate::storage::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    loop {
        let after = entries.last().map_or(0, |entry: &Entry| entry.seq);
        let page = store::entries(q, id, after, bot).await?;
        if page.is_empty() {
            return Ok(entries);
        }
        entries.extend(page);
    }
}

/// Notes up to where somebody has read. A number that the log does not have was read in another log: in the one that stood
/// here before the store was put back, or in somebody's imagination.
///
/// # Errors
/// [`Error::SequenceUnknown`], [`Error::Unknown`].
pub async fn read(room: &Room, id: ConversationId, reader: Author, seq: i64) -> Result<(), Error> {
    let mut tx = room.stores.db.begin().await?;
    // The head only grows: whoever has just read the newest entry is not refused by a transaction that is younger.
    let head = store::head(&mut tx, id, reader).await?.ok_or(Error::Unknown)?.head;
    if !(0..=head).contains(&seq) {
        return Err(Error::SequenceUnknown);
    }
    let is_new = store::set_read(&mut tx, id, reader, seq).await?;
    tx.commit().await?;
    if is_new {
        room.stores.bus.publish(&Conversation::topic(id), READ).await;
        if reader == Author::Visitor {
            room.stores.bus.publish(INBOX, &id.to_string()).await;
        }
    }
    Ok(())
}

/// The log after `after`, one page of it: [`PAGE`] entries at most.
///
/// # Errors
/// As the store says.
pub async fn entries(
    q: &mut impl Queries,
    room: &Room,
    id: ConversationId,
    after: i64,
) -> Result<Vec<Entry>, Error> {
    Ok(store::entries(q, id, after, &room.bot).await?)
}

/// How far the log goes, as `reader` is told it.
///
/// # Errors
/// [`Error::Unknown`].
pub async fn head(q: &mut impl Queries, id: ConversationId, reader: Author) -> Result<Head, Error> {
    store::head(q, id, reader).await?.ok_or(Error::Unknown)
}

/// Whether a reader may go on after entry `after`, which it was told at the time `at`. A number that the log does not
/// have, or has for an entry of another time, means that the store was put back to an older state since.
///
/// # Errors
/// [`Error::Unknown`], [`Error::SequenceUnknown`].
pub async fn resume(
    q: &mut impl Queries,
    id: ConversationId,
    after: i64,
    at: Option<Timestamp>,
) -> Result<(), Error> {
    let head = head(q, id, Author::Visitor).await?.head;
    if !(0..=head).contains(&after) {
        return Err(Error::SequenceUnknown);
    }
    match at {
        Some(at) if after > 0 && store::time_of(q, id, after).await? != Some(at) => {
            Err(Error::SequenceUnknown)
        }
        _ => Ok(()),
    }
}

impl Room {
    /// How many of the company are there.
    pub async fn online(&self, now: Timestamp) -> u32 {
        self.crowd(now).await.all
    }

    /// Who of the company is there, by team. Asked before a transaction begins: it takes a connection of its own, and
    /// whoever has one and waits for another keeps both from everybody.
    pub async fn crowd(&self, now: Timestamp) -> Crowd {
        // Without presence nobody is promised: the flow offers times instead.
        self.of_teams(now).await.unwrap_or_default()
    }

    async fn of_teams(&self, now: Timestamp) -> storage::Result<Crowd> {
        let count = |some: usize| u32::try_from(some).unwrap_or(u32::MAX);
        let present = self.stores.hot.marked(&presence(TEAM), now).await?;
        // Presence outlives an account that was closed, or takes no chats any more: nobody is promised by it.
        let accounts = match present.is_empty() {
            true => Vec::new(),
            false => accounts::list(&mut self.stores.db.read()).await?,
        };
        let there: Vec<_> = accounts
            .iter()
            .filter(|account| account.takes_chats() && present.contains(&account.id.to_string()))
            .collect();
        let mut crowd = Crowd { all: count(there.len()), ..Crowd::default() };
        if there.is_empty() || self.team.groups.iter().all(Group::is_everybody) {
            let of_group = |group: &Group| (group.id.clone(), crowd.all);
            crowd.teams = self.team.groups.iter().map(of_group).collect();
            return Ok(crowd);
        }
        for group in &self.team.groups {
            let of = |group: &Group| there.iter().filter(|one| group.has(&one.email, one.role)).count();
            let found = self.team.group_and_fallbacks(&group.id).map(of).find(|some| *some > 0);
            crowd.teams.insert(group.id.clone(), count(found.unwrap_or(0)));
        }
        Ok(crowd)
    }

    /// Somebody of the team is there for the next [`PRESENT_MS`].
    ///
    /// # Errors
    /// As the store says.
    pub async fn present(&self, account: AccountId, now: Timestamp) -> Result<(), Error> {
        self.stores.hot.mark(&presence(TEAM), &account.to_string(), now.plus_ms(PRESENT_MS)).await?;
        Ok(())
    }

    /// Somebody of the team is away.
    ///
    /// # Errors
    /// As the store says.
    pub async fn away(&self, account: AccountId) -> Result<(), Error> {
        self.stores.hot.unmark(&presence(TEAM), &account.to_string()).await?;
        Ok(())
    }

    /// Wakes whoever listens. The log is the truth; this only saves them waiting.
    async fn tell(&self, conversation: &Conversation) {
        let head = format!("head:{}", conversation.head);
        self.stores.bus.publish(&Conversation::topic(conversation.id), &head).await;
        self.stores.bus.publish(INBOX, &conversation.id.to_string()).await;
    }

    /// Lets the other side see that somebody types. Never stored.
    pub async fn typing(&self, id: ConversationId, who: Author, name: &str) {
        let text = format!("typing:{}:{name}", who.word());
        self.stores.bus.publish(&Conversation::topic(id), &text).await;
    }
}

fn presence(team: &str) -> String {
    format!("presence:{team}")
}
