//! A person of the team puts times into the chat; the visitor picks one, and it is booked.

use super::body::{self, Author, Body, Said, Slot};
use super::engine::{Crowd, Input};
use super::log::{self, Entry};
use super::others::Other;
use super::phrases::Phrase;
use super::turn::{Cause, Step, Turning, Wanted};
use super::{Agent, Conversation, Error, Room, hers, locked, store};
use crate::base::ids::ConversationId;
use crate::base::time::{DAY_MS, Timestamp};
use crate::base::typed::plain;
use crate::bookings::team::Rep;
use crate::storage::db::Tx;
use crate::{accounts, bookings};

/// Questions of a person, and not of the flow, begin with this; the meeting's id follows.
const SUGGESTED: &str = "suggested:";
/// Times that are shown at once.
const SHOWN: usize = 6;
/// How far ahead they lie at most.
const AHEAD_MS: i64 = 14 * DAY_MS;

/// Puts free times of a meeting into the conversation. The same message under the same id is said once.
///
/// # Errors
/// [`Error::NotAllowed`] unless this person has the conversation and knows who sits there, or if nothing is free.
pub async fn agent_suggest(
    room: &Room,
    id: ConversationId,
    agent: &Agent,
    client_id: &str,
    text: &str,
    meeting: &str,
    now: Timestamp,
) -> Result<Entry, Error> {
    let said = Said::Text { text: format!("{SUGGESTED}{meeting} {text}") };
    let mut tx = room.stores.db.begin().await?;
    let mut conversation = locked(&mut tx, id).await?;
    if let Some((entry, before)) = store::by_client(&mut tx, id, client_id, &room.bot).await? {
        let same = entry.author.kind == Author::Agent && before == Some(log::digest(&said));
        return if same { Ok(entry) } else { Err(Error::ClientIdReused) };
    }
    hers(&conversation, agent)?;
    if conversation.contact.is_none() {
        return Err(Error::NotAllowed("ask for the e-mail address first: the invitation goes there"));
    }
    // Her own times, if she holds such calls; and whoever has no owner yet is hers from now on, so that it is her call.
    let account = accounts::find(&mut tx, agent.id).await?;
    let rep = account.as_ref().and_then(|account| room.team.rep_of_account(&account.email));
    let holds = |rep: &&Rep| room.team.meeting(meeting).is_some_and(|meeting| meeting.reps.contains(&rep.id));
    let rep = rep.filter(holds);
    if let (Some(rep), Some(contact)) = (rep, conversation.contact) {
        bookings::adopt(&mut tx, contact, &rep.account, now).await?;
    }
    let old_head = conversation.head;
    let mut turning = turning(room, &mut tx, &mut conversation, &[], now).await?;
    let by = rep.map(|rep| rep.id.as_str());
    let wanted = Wanted { after: None, within_ms: AHEAD_MS, offer: SHOWN, by };
    let Input::Slots { slots, .. } = turning.slots(meeting, wanted).await? else {
        return Err(Error::NotAllowed("there is no such kind of meeting"));
    };
    if slots.is_empty() {
        return Err(Error::NotAllowed("no time is free"));
    }
    let message = Some((client_id.to_owned(), log::digest(&said)));
    let question = question(meeting, plain(text).trim(), slots, &turning.conversation.time_zone);
    turning.append(Author::Agent, question, message, Some(agent)).await?;
    let entry = turning.appended.pop().ok_or(Error::Unknown)?;
    store::save(&mut tx, &conversation, old_head, now).await?;
    tx.commit().await?;
    room.tell(&conversation).await;
    Ok(entry)
}

/// The meeting that an answer to a person's suggestion is about.
pub(super) fn meeting_of(said: &Said) -> Option<(&str, Option<Timestamp>)> {
    match said {
        Said::Slot { question, starts_at, .. } => {
            question.strip_prefix(SUGGESTED).map(|meeting| (meeting, *starts_at))
        }
        Said::Text { .. }
        | Said::Choice { .. }
        | Said::Answer { .. }
        | Said::HumanRequested
        | Said::StopRequested => None,
    }
}

/// Takes the visitor's answer: a time that is still free is booked; one that is not brings others, if there are any: a kind
/// of call that is gone from the definitions has none.
pub(super) async fn answered(
    room: &Room,
    tx: &mut Tx,
    conversation: &mut Conversation,
    (meeting, starts_at): (&str, Option<Timestamp>),
    cause: Cause,
    others: &[Other],
    now: Timestamp,
) -> Result<Vec<Entry>, Error> {
    let old_head = conversation.head;
    let agent = conversation.agent.clone();
    let language = conversation.language;
    let mut turning = turning(room, tx, conversation, others, now).await?;
    let zone = Some(turning.conversation.time_zone.clone());
    let picked = Body::Slot {
        question: format!("{SUGGESTED}{meeting}"),
        starts_at,
        none_fit: starts_at.is_none(),
        zone: zone.clone(),
    };
    turning.append(Author::Visitor, picked, cause.message, None).await?;
    if let Some(starts_at) = starts_at {
        match turning.book(meeting, starts_at).await? {
            Input::Booked(booked) => {
                turning.run(Step::Input(Input::Booked(booked)), Cause::default()).await?;
            }
            Input::SlotTaken { alternatives } if !alternatives.is_empty() => {
                let text = Phrase::SlotTaken.text(language);
                let again = question(meeting, text, alternatives, zone.as_deref().unwrap_or("UTC"));
                turning.append(Author::Agent, again, None, agent.as_ref()).await?;
            }
            Input::NotBooked { alternatives } if !alternatives.is_empty() => {
                let text = Phrase::NotBooked.text(language);
                let again = question(meeting, text, alternatives, zone.as_deref().unwrap_or("UTC"));
                turning.append(Author::Agent, again, None, agent.as_ref()).await?;
            }
            Input::SlotTaken { .. } | Input::NotBooked { .. } => {
                let sorry = Body::text(Phrase::NoneLeft.text(language));
                turning.append(Author::Agent, sorry, None, agent.as_ref()).await?;
            }
            _ => return Err(Error::NotAllowed("the time cannot be booked here")),
        }
    }
    let appended = turning.appended;
    store::save(tx, conversation, old_head, now).await?;
    Ok(appended)
}

fn question(meeting: &str, text: &str, slots: Vec<Slot>, zone: &str) -> Body {
    let input = body::Input::Slot { meeting: meeting.to_owned(), slots, zone: zone.to_owned(), more: false };
    Body::Ask {
        question: format!("{SUGGESTED}{meeting}"),
        text: text.to_owned(),
        input,
        progress: None,
        typing_ms: None,
    }
}

pub(super) async fn turning<'a>(
    room: &'a Room,
    tx: &'a mut Tx,
    conversation: &'a mut Conversation,
    others: &'a [Other],
    now: Timestamp,
) -> Result<Turning<'a>, Error> {
    let flow = room.flows.of(tx, conversation, now).await?;
    Ok(Turning { room, tx, conversation, flow, online: Crowd::default(), others, now, appended: Vec::new() })
}
