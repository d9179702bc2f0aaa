//! Somebody of the company speaks to a visitor who has not asked for it: the chat offers itself on her page with what was
//! said, by the same door and the same rules as a flow does.
//!
//! A visitor is let be for a day after she was spoken to or has sent the chat away, and nobody talks over a colleague. What
//! no page has taken after [`WAITS_MS`] is over: whoever comes back tomorrow is not met by yesterday's question.

use super::super::flow::{Flow, Moment, When};
use super::super::offer::{self, Coming, Offered};
use super::super::turn::{Cause, Step, Turning};
use super::super::{
    Agent, Conversation, Error, Room, Visit, accept, agent_say, check_length, locked, log,
    store as conversations, suggest, talk_of,
};
use super::store;
use crate::base::ids::{AccountId, ConversationId, VisitorId};
use crate::base::time::{DAY_MS, MINUTE_MS, Timestamp, zone};
use crate::base::typed::plain;
use crate::chat::body::{Author, Body, Face, Mode, Said};
use crate::chat::engine::Input;
use crate::contacts;
use crate::events::{self, Event};
use crate::storage::Result as Stored;
use crate::storage::db::{Queries, Tx};

/// How long a visitor is let be after she was spoken to, or has said no.
pub const REST_MS: i64 = DAY_MS;
/// How long a first word waits for her page to take it.
pub const WAITS_MS: i64 = 10 * MINUTE_MS;
/// How often a page that is looked at asks whether somebody wants to talk, while somebody takes chats.
pub const ASKED_EVERY_MS: i64 = 5_000;
/// Devices of one person that a first word waits on beside the conversation's, those that were seen last.
const DEVICES: i64 = 8;
/// Conversations that are given up in one go.
const AT_ONCE: i64 = 100;

/// A first word, and to whom.
#[derive(Clone, Debug)]
pub(super) struct Approach {
    pub conversation: ConversationId,
    pub visitor: VisitorId,
    pub site: String,
    pub account: AccountId,
}

/// Why a visitor cannot be spoken to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// A colleague talks with her.
    Taken,
    /// She has sent the chat away within a day.
    SentAway,
    /// She was spoken to within a day.
    Lately,
}

impl Obstacle {
    /// The word for it, in texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::SentAway => "sent_away",
            Self::Lately => "lately",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Taken => "somebody else has this conversation",
            Self::SentAway => "she has sent the chat away today; let her be",
            Self::Lately => "she was spoken to today; once a day is enough",
        }
    }
}

/// How a visitor stands to being spoken to.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// The conversation that she has open, on this device or on another one of hers.
    pub open: Option<Conversation>,
    /// Whether she has not seen yet what was said to her.
    pub waits: bool,
    pub obstacle: Option<Obstacle>,
}

/// How a visitor stands to being spoken to by somebody.
///
/// # Errors
/// As the store says.
pub async fn standing(
    q: &mut impl Queries,
    visitor: VisitorId,
    site: &str,
    by: AccountId,
    now: Timestamp,
) -> Result<Standing, Error> {
    let open = talk_of(q, visitor, site).await?;
    let since = now.plus_ms(-REST_MS);
    let (mut waits, mut has_spoken) = (false, false);
    if let Some(open) = &open {
        waits = store::is_approach_waiting(q, open.id).await?;
        has_spoken = conversations::has_spoken(q, open.id).await?;
    }
    let talks = open.as_ref().filter(|open| open.mode == Mode::Human).and_then(|open| open.agent.as_ref());
    let obstacle = match talks {
        Some(agent) if agent.id == by => None,
        Some(_) => Some(Obstacle::Taken),
        None if has_spoken => None,
        None if store::was_sent_away(q, visitor, since).await? => Some(Obstacle::SentAway),
        None if store::was_approached(q, visitor, since).await? => Some(Obstacle::Lately),
        None => None,
    };
    Ok(Standing { open, waits, obstacle })
}

/// Says something to a visitor first. If she has a conversation open, it is taken over and said there. The same message
/// under the same id is said once.
///
/// # Errors
/// [`Error::NotAllowed`] if there is an [`Obstacle`], [`Error::MessageInvalid`], [`Error::FlowUnknown`] if there is none.
pub async fn speak(
    room: &Room,
    visit: &Visit,
    agent: &Agent,
    client_id: &str,
    text: &str,
    now: Timestamp,
) -> Result<ConversationId, Error> {
    let visitor =
        visit.visitor.ok_or(Error::NotAllowed("this visitor allows no chat that begins by itself"))?;
    let said = Said::Text { text: text.to_owned() };
    check_length(&said)?;
    let online = room.crowd(now).await;
    let mut tx = room.stores.db.begin().await?;
    tx.lock(&format!("chat:{visitor}")).await?;
    let standing = standing(&mut tx, visitor, &visit.site, agent.id, now).await?;
    if let Some(obstacle) = standing.obstacle {
        return Err(Error::NotAllowed(obstacle.words()));
    }
    if let Some(open) = standing.open {
        let has_spoken = conversations::has_spoken(&mut tx, open.id).await?;
        let is_first = open.mode != Mode::Human && !has_spoken;
        tx.commit().await?;
        accept(room, open.id, agent, now).await?;
        agent_say(room, open.id, agent, client_id, text, now).await?;
        if is_first {
            let mut tx = room.stores.db.begin().await?;
            note(&mut tx, &open, agent, now).await?;
            tx.commit().await?;
            wait(room, &open, now).await;
        } else if open.visitor != visitor {
            // Her talk began on another device, and the page that was spoken to does not show it yet.
            call(room, &open, visitor, now).await;
        }
        return Ok(open.id);
    }
    contacts::see_visitor(&mut tx, visitor, &visit.site, visit.consent, now).await?;
    let flow = flow_for(&mut tx, room, Coming { visit, visitor, online: &online }, now).await?;
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
        mode: Mode::Human,
        state: None,
        head: 0,
        visitor_read: 0,
        agent_read: 0,
        wake_at: None,
        agent: Some(agent.clone()),
        outcome: None,
        opened_at: now,
        updated_at: now,
        closed_at: None,
        resume_key: None,
    };
    conversations::insert(&mut tx, &conversation).await?;
    let event = Event::ConversationOpened { conversation: conversation.id, contact };
    events::append(&mut tx, &event, now).await?;
    let mut turning = Turning {
        room,
        tx: &mut tx,
        conversation: &mut conversation,
        flow,
        online,
        others: &[],
        now,
        appended: Vec::new(),
    };
    turning.run(Step::With(Face::of(&agent.name)), Cause::default()).await?;
    let message = Some((client_id.to_owned(), log::digest(&said)));
    turning.append(Author::Agent, Body::text(plain(text).trim()), message, Some(agent)).await?;
    conversations::save(&mut tx, &conversation, 0, now).await?;
    note(&mut tx, &conversation, agent, now).await?;
    tx.commit().await?;
    let _ = room.look(conversation.id, agent.id, now).await;
    wait(room, &conversation, now).await;
    room.tell(&conversation).await;
    Ok(conversation.id)
}

/// The flow that goes on if the conversation is given to it: the one she would have met, or else any.
async fn flow_for(
    tx: &mut Tx,
    room: &Room,
    coming: Coming<'_>,
    now: Timestamp,
) -> Result<std::sync::Arc<Flow>, Error> {
    let flows = room.flows.now();
    if let Some(flow) = offer::choose(tx, room, &flows, coming, &When::Opened, now).await? {
        return Ok(flow.clone());
    }
    let answers = |flow: &&std::sync::Arc<Flow>| {
        flow.trigger.as_ref().is_some_and(|trigger| trigger.when == When::Opened)
    };
    flows.all().iter().find(answers).or_else(|| flows.all().first()).cloned().ok_or(Error::FlowUnknown)
}

async fn note(tx: &mut Tx, conversation: &Conversation, agent: &Agent, now: Timestamp) -> Stored<()> {
    let approach = Approach {
        conversation: conversation.id,
        visitor: conversation.visitor,
        site: conversation.site.clone(),
        account: agent.id,
    };
    store::insert_approach(tx, &approach, now).await
}

/// Lets her page find it when it asks next, whichever of her devices shows it.
async fn wait(room: &Room, conversation: &Conversation, now: Timestamp) {
    for visitor in devices_of(room, conversation).await {
        call(room, conversation, visitor, now).await;
    }
}

/// The device of a conversation, and the others on which it goes on if she opens the chat there.
async fn devices_of(room: &Room, conversation: &Conversation) -> Vec<VisitorId> {
    let q = &mut room.stores.db.read();
    let others = store::devices_beside(q, conversation.visitor, &conversation.site, DEVICES).await;
    let others = others.unwrap_or_else(|error| {
        tracing::warn!(error = %error, "a first word waits on the device of its conversation alone");
        Vec::new()
    });
    [conversation.visitor].into_iter().chain(others).collect()
}

/// Should this be lost, the next page that she opens finds it.
async fn call(room: &Room, conversation: &Conversation, visitor: VisitorId, now: Timestamp) {
    let key = key_of(&conversation.site, visitor);
    let flow = conversation.flow.as_deref().unwrap_or_default();
    if let Err(error) = room.stores.hot.put(&key, flow, now, WAITS_MS).await {
        tracing::warn!(error = %error, "a first word waits for the visitor's next page");
    }
}

fn key_of(site: &str, visitor: VisitorId) -> String {
    format!("called:{site}:{visitor}")
}

/// The offer that opens a conversation which waits for its visitor.
pub fn offered(flow: String) -> Offered {
    Offered { flow, moment: Moment::default(), event: None, open: true }
}

/// What waits for a visitor whose page asks. Read in the hot store alone: pages ask often.
///
/// # Errors
/// As the store says.
pub async fn called(room: &Room, site: &str, visitor: VisitorId, now: Timestamp) -> Stored<Option<Offered>> {
    Ok(room.stores.hot.get(&key_of(site, visitor), now).await?.map(offered))
}

/// Whether a conversation waits for its visitor to see it.
///
/// # Errors
/// As the store says.
pub async fn is_waiting(q: &mut impl Queries, id: ConversationId) -> Stored<bool> {
    store::is_approach_waiting(q, id).await
}

/// Her page has taken it, in the caller's transaction; whether that is news.
pub(in crate::chat) async fn reach(
    tx: &mut Tx,
    conversation: &mut Conversation,
    visit: &Visit,
    now: Timestamp,
) -> Stored<bool> {
    if !store::reach(tx, conversation.id, now).await? {
        return Ok(false);
    }
    // Whoever spoke first did not know what her clock says.
    if zone(&visit.zone).is_some() {
        conversation.time_zone.clone_from(&visit.zone);
        store::place(tx, conversation.id, &visit.zone).await?;
    }
    Ok(true)
}

/// Tells whoever waits for it.
pub(in crate::chat) async fn reached(room: &Room, conversation: &Conversation) {
    for visitor in devices_of(room, conversation).await {
        // What stays there is only asked for once more.
        let _ = room.stores.hot.remove(&key_of(&conversation.site, visitor)).await;
    }
    room.tell_desk(conversation, "reached").await;
}

/// Ends the conversations that no page has taken; returns how many.
pub(super) async fn give_up(room: &Room, now: Timestamp) -> Result<usize, Error> {
    let mut count = 0;
    for id in store::unreached(&mut room.stores.db.read(), now.plus_ms(-WAITS_MS), AT_ONCE).await? {
        let mut tx = room.stores.db.begin().await?;
        let mut conversation = locked(&mut tx, id).await?;
        if conversation.mode != Mode::Human || !store::is_approach_waiting(&mut tx, id).await? {
            continue;
        }
        let head = conversation.head;
        let mut turning = suggest::turning(room, &mut tx, &mut conversation, &[], now).await?;
        turning.run(Step::Input(Input::AgentClosed), Cause::default()).await?;
        conversation.outcome = Some(UNREACHED.to_owned());
        conversations::save(&mut tx, &conversation, head, now).await?;
        tx.commit().await?;
        room.tell(&conversation).await;
        count += 1;
    }
    Ok(count)
}

/// How a conversation ends that its visitor has never seen.
pub const UNREACHED: &str = "unreached";
