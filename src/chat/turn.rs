//! One turn in the world: the engine's events appended, its effects carried out, all in the caller's transaction.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::body::{Author, Body, Booked, Face, Mode, Slot};
use super::effects::Effect;
use super::engine::{self, Crowd, Input, Out, Turn};
use super::flow::Flow;
use super::live::{rating, routing};
use super::log::{Byline, Entry};
use super::others::{Lost, Other, Seeker, instead_of};
use super::world::{self, Sight};
use super::{Agent, Conversation, Error, Room, store};
use crate::base::email::Email;
use crate::base::ids::{AccountId, BookingId, ContactId};
use crate::base::time::{HOUR_MS, Timestamp, zone};
use crate::bookings::openings::{self, Wish};
use crate::bookings::slots::Span;
use crate::bookings::{self, Booking, Desk, Link, Said};
use crate::contacts::{self, Consent, Identification, Trust, codes};
use crate::events::{self, Event};
use crate::stages;
use crate::storage::db::{Queries, Tx};
use crate::subscriptions::suppression;

/// What set a turn off.
#[derive(Default)]
pub(super) struct Cause {
    /// The client's id of its message, and the digest of what it said.
    pub message: Option<(String, String)>,
}

/// A conversation under way, in one transaction.
pub(super) struct Turning<'a> {
    pub room: &'a Room,
    pub tx: &'a mut Tx,
    pub conversation: &'a mut Conversation,
    pub flow: Arc<Flow>,
    pub online: Crowd,
    /// What can be had instead of times that are gone. A turn in which another one is gone ends with [`Error::Lost`].
    pub others: &'a [Other],
    pub now: Timestamp,
    pub appended: Vec<Entry>,
}

/// Which free times are wanted.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub after: Option<Timestamp>,
    pub within_ms: i64,
    /// How many.
    pub offer: usize,
    /// Of this rep alone.
    pub by: Option<&'a str>,
}

/// What the flow is told next.
pub(super) enum Step {
    Open,
    /// Somebody of the company begins.
    With(Face),
    Input(Input),
}

impl Turning<'_> {
    /// Runs the engine until nothing more follows.
    pub async fn run(&mut self, step: Step, mut cause: Cause) -> Result<(), Error> {
        let was = self.conversation.mode;
        let path = match step {
            Step::Open | Step::With(_) => None,
            Step::Input(_) => super::page_now(self.tx, self.conversation).await?,
        };
        let mut steps = VecDeque::from([step]);
        while let Some(step) = steps.pop_front() {
            let sight = Sight {
                visitor: self.conversation.visitor,
                language: self.conversation.language,
                zone: &self.conversation.time_zone,
                page: &self.conversation.page,
                path: path.as_deref(),
                most_trust: self.conversation.most_trust(),
                online: &self.online,
            };
            let world = world::see(self.tx, self.room, &sight, self.now).await?;
            let Turn { state, mode, events, effects, wake_at, .. } = match (&step, &self.conversation.state) {
                (Step::Open, _) | (Step::Input(_), None) => engine::open(&self.flow, &world),
                (Step::With(agent), _) => engine::open_with(&self.flow, agent, &world),
                (Step::Input(input), Some(state)) => engine::turn(&self.flow, state, input, &world)?,
            };
            self.conversation.state = Some(state);
            self.conversation.mode = mode;
            self.conversation.wake_at = wake_at;
            self.room.counts.turn(self.conversation);
            for Out { author, body } in events {
                let message = match author {
                    Author::Visitor => cause.message.take(),
                    Author::Bot | Author::Agent | Author::System => None,
                };
                self.append(author, body, message, None).await?;
            }
            for effect in effects {
                steps.extend(self.carry_out(effect).await?.map(Step::Input));
            }
        }
        if self.conversation.mode == Mode::Closed && was != Mode::Closed {
            self.closed().await?;
        }
        Ok(())
    }

    /// Appends one entry under the next number.
    pub async fn append(
        &mut self,
        author: Author,
        body: Body,
        message: Option<(String, String)>,
        agent: Option<&Agent>,
    ) -> Result<(), Error> {
        self.conversation.head += 1;
        let name = match author {
            Author::Bot => Some(self.room.bot.clone()),
            Author::Agent => agent.map(|agent| agent.name.clone()),
            Author::Visitor | Author::System => None,
        };
        let (client_id, said) = message.unzip();
        let byline = Byline { kind: author, name };
        let entry = Entry { seq: self.conversation.head, at: self.now, author: byline, client_id, body };
        let author_id = agent.map(|agent| agent.id.to_string());
        store::append(self.tx, self.conversation.id, &entry, said, author_id).await?;
        self.appended.push(entry);
        Ok(())
    }

    async fn closed(&mut self) -> Result<(), Error> {
        let outcome = self.conversation.state.as_ref().and_then(|state| state.outcome.clone());
        if let (Some(flow), Some("declined" | "paused")) = (&self.conversation.flow, outcome.as_deref()) {
            store::dismiss(self.tx, self.conversation.visitor, flow).await?;
        }
        self.conversation.outcome = outcome;
        self.conversation.closed_at = Some(self.now);
        self.conversation.wake_at = None;
        let (conversation, contact) = (self.conversation.id, self.conversation.contact);
        events::append(self.tx, &Event::ConversationClosed { conversation, contact }, self.now).await?;
        routing::withdraw(self.tx, conversation, self.now).await?;
        rating::ask(self).await
    }

    async fn carry_out(&mut self, effect: Effect) -> Result<Option<Input>, Error> {
        let (conversation, contact) = (self.conversation.id, self.conversation.contact);
        match effect {
            Effect::Identify { email } => {
                let email = Email::parse(&email).map_err(|error| Error::MessageInvalid(error.to_string()))?;
                self.identify(&email, None).await?;
                Ok(None)
            }
            Effect::SaveField { name, value } => {
                self.save_field(&name, &value).await?;
                Ok(None)
            }
            Effect::Handoff { .. } => {
                let (visitor, props) =
                    (Some(self.conversation.visitor), json!({ "conversation": conversation }));
                let flow = self.conversation.flow.clone();
                let kind = "handoff.requested";
                contacts::record(self.tx, contact, visitor, kind, flow.as_deref(), props, self.now).await?;
                if let Some(contact) = contact {
                    stages::evaluate(self.tx, &self.room.lifecycle, contact, self.now).await?;
                }
                let event = Event::HandoffRequested { conversation, contact };
                events::append(self.tx, &event, self.now).await?;
                routing::begin(self.room, self.tx, self.conversation, self.now).await?;
                Ok(None)
            }
            Effect::WithdrawHandoff => {
                let since = self.conversation.state.as_ref().and_then(|state| state.waiting_since);
                self.room.counts.wait("expired", since, self.now);
                routing::withdraw(self.tx, conversation, self.now).await?;
                let event = Event::HandoffExpired { conversation, contact };
                events::append(self.tx, &event, self.now).await?;
                Ok(None)
            }
            Effect::OfferSlots { meeting, after, within_ms, offer } => {
                self.slots(&meeting, Wanted { after, within_ms, offer, by: None }).await.map(Some)
            }
            Effect::Book { meeting, starts_at, .. } => self.book(&meeting, starts_at).await.map(Some),
            Effect::WaitForTime { meeting, looked } => self.wait_for_time(&meeting, looked).await.map(Some),
            Effect::SendCode => self.send_code().await.map(Some),
            Effect::CheckCode { digits } => self.check_code(&digits).await.map(Some),
            Effect::Split { step, arm } => {
                let flow = self.flow.id.as_str();
                store::add_arm(self.tx, conversation, flow, &step, &arm, self.now).await?;
                Ok(None)
            }
            Effect::Do { action, with, key } => self.act(&action, &with, &key).await.map(Some),
        }
    }

    /// She typed an address: a claim, no more. If this device belongs to somebody else, a new epoch begins.
    /// `by`: somebody of the company has written it down for her.
    pub async fn identify(&mut self, email: &Email, by: Option<AccountId>) -> Result<(), Error> {
        let known = contacts::visitor(self.tx, self.conversation.visitor).await?;
        let who = Identification {
            email,
            visitor: Some(self.conversation.visitor),
            site: &self.conversation.site,
            trust: Trust::Claimed,
            consent: known.map_or(Consent::None, |visitor| visitor.consent),
            language: self.conversation.language,
            time_zone: Some(&self.conversation.time_zone),
        };
        let identified = contacts::identify(self.tx, &who, self.now).await?;
        self.conversation.visitor = identified.visitor;
        let contact = identified.contact.id;
        self.belongs_to(contact).await?;
        let (visitor, id) = (Some(identified.visitor), self.conversation.id.to_string());
        let props = by.map_or_else(|| json!({}), |by| json!({ "by": by }));
        contacts::record(self.tx, Some(contact), visitor, "chat.identified", Some(&id), props, self.now)
            .await?;
        stages::evaluate(self.tx, &self.room.lifecycle, contact, self.now).await?;
        Ok(())
    }

    /// From now on the conversation is hers, and so is what she said in it before we knew who she is.
    pub async fn belongs_to(&mut self, contact: ContactId) -> Result<(), Error> {
        self.conversation.contact = Some(contact);
        let vars = self.conversation.state.as_ref().map(|state| state.vars.clone()).unwrap_or_default();
        for (name, value) in &vars {
            if self.flow.vars.get(name).is_some_and(|var| var.save) {
                self.save_field(name, value).await?;
            }
        }
        Ok(())
    }

    async fn save_field(&mut self, name: &str, value: &Json) -> Result<(), Error> {
        let Some(contact) = self.conversation.contact else { return Ok(()) };
        let text = match value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        let holder = contacts::visitor(self.tx, self.conversation.visitor).await?;
        let trust = holder.map_or(Trust::Claimed, |visitor| visitor.trust.max(Trust::Claimed));
        let trust = trust.min(self.conversation.most_trust());
        contacts::set_field(self.tx, contact, name, &text, "chat", trust, self.now).await?;
        Ok(())
    }

    /// Free times, as [`free`] finds them.
    pub async fn slots(&mut self, meeting: &str, wanted: Wanted<'_>) -> Result<Input, Error> {
        let seeker = Seeker::of(self.conversation);
        let found = free(self.tx, self.room, meeting, &seeker, wanted, self.now).await?;
        Ok(found.map_or(Input::NoSlots, |(slots, more)| Input::Slots { slots, more }))
    }

    pub async fn book(&mut self, meeting: &str, starts_at: Timestamp) -> Result<Input, Error> {
        let Some(contact) = self.conversation.contact else { return Ok(Input::NoSlots) };
        let desk = Desk { team: &self.room.team, lifecycle: &self.room.lifecycle };
        let seeker = Seeker::of(self.conversation);
        let need =
            self.conversation.state.as_ref().and_then(|state| state.vars.get("need")).and_then(Json::as_str);
        let said = Said { notes: need, answers: None };
        let pick = seeker.pick(meeting, starts_at);
        let refused = match bookings::book(self.tx, desk, &pick, contact, &said, self.now).await {
            Ok(booking) => return Ok(Input::Booked(self.room.booked(&booking, self.now))),
            Err(refused) => refused,
        };
        let is_taken = match &refused {
            bookings::Error::SlotTaken { .. } | bookings::Error::DayFull { .. } => true,
            bookings::Error::SlotPast | bookings::Error::SlotTooSoon | bookings::Error::SlotUnknown => false,
            // Such calls are not held any more: the definitions were changed after the time was shown.
            bookings::Error::MeetingUnknown | bookings::Error::TooMany | bookings::Error::TooOften => {
                return Ok(Input::NotBooked { alternatives: Vec::new() });
            }
            _ => return Err(refused.into()),
        };
        match instead_of(self.others, meeting, starts_at) {
            Some(alternatives) if is_taken => Ok(Input::SlotTaken { alternatives }),
            Some(alternatives) => Ok(Input::NotBooked { alternatives }),
            None => Err(Error::Lost(Box::new(Lost::new(meeting, starts_at, seeker, refused)))),
        }
    }

    /// Puts her on the list of those who are told when a time is free; whoever has looked, when there is another.
    async fn wait_for_time(&mut self, meeting: &str, looked: bool) -> Result<Input, Error> {
        let Some(contact) = self.conversation.contact else { return Ok(Input::Failed) };
        let Some(known) = self.room.team.meeting(meeting) else { return Ok(Input::Failed) };
        let unfit = match looked {
            true => openings::free_now(self.tx, &self.room.team, known, self.now).await?,
            false => BTreeSet::new(),
        };
        let wish = Wish {
            meeting: meeting.to_owned(),
            contact,
            time_zone: self.conversation.time_zone.clone(),
            language: self.conversation.language,
            since: self.now,
            unfit,
        };
        openings::ask(self.tx, &wish).await?;
        let (visitor, props) = (Some(self.conversation.visitor), json!({ "meeting": meeting }));
        contacts::record(self.tx, Some(contact), visitor, "call.requested", Some(meeting), props, self.now)
            .await?;
        Ok(Input::Done)
    }

    /// Sends a code to her address, if she has given one and not too many went there.
    async fn send_code(&mut self) -> Result<Input, Error> {
        let Some(contact) = self.conversation.contact else { return Ok(Input::Failed) };
        let (visitor, language) = (self.conversation.visitor, self.conversation.language);
        // It would never come. That, and not why: it is not certain that the address is hers.
        if suppression::holds_answers(self.tx, &self.room.keys, contact, self.now).await? {
            return Ok(Input::Failed);
        }
        match codes::ask(self.tx, contact, visitor, language, self.now).await {
            Ok(()) => Ok(Input::Done),
            Err(codes::Error::TooMany(_)) => Ok(Input::CodeTooSoon),
            Err(codes::Error::Contact(_)) => Ok(Input::Failed),
            Err(codes::Error::Storage(error)) => Err(error.into()),
            Err(codes::Error::Wrong { .. } | codes::Error::Over | codes::Error::Spent) => Ok(Input::Failed),
        }
    }

    /// Whoever types the digits is confirmed.
    async fn check_code(&mut self, digits: &str) -> Result<Input, Error> {
        let Some(contact) = self.conversation.contact else { return Ok(Input::Failed) };
        let visitor = self.conversation.visitor;
        match codes::prove(self.tx, &self.room.keys, contact, visitor, digits, self.now).await? {
            Ok(_) => Ok(Input::Done),
            Err(codes::Error::Wrong { .. }) => Ok(Input::CodeWrong),
            Err(_) => Ok(Input::Failed),
        }
    }
}

/// Free times (of one rep, if one is named), spread so that a few of them show different parts of different days, and whether
/// there are more; none if there is no such meeting. Times at which people sleep where the visitor is are offered only if
/// there are no others.
pub(super) async fn free(
    q: &mut impl Queries,
    room: &Room,
    meeting: &str,
    seeker: &Seeker,
    wanted: Wanted<'_>,
    now: Timestamp,
) -> Result<Option<(Vec<Slot>, bool)>, Error> {
    let Some(found) = room.team.meeting(meeting) else { return Ok(None) };
    let Wanted { after, within_ms, offer, by } = wanted;
    let window = Span::new(now, now.plus_ms(within_ms));
    let free = bookings::slots(q, &room.team, found, window, &seeker.holder, seeker.contact, now).await?;
    let free: Vec<Slot> = free
        .iter()
        .filter(|slot| by.is_none_or(|rep| slot.reps.iter().any(|free| free.id == rep)))
        .map(|slot| Slot { starts_at: slot.starts_at, ends_at: slot.ends_at })
        .filter(|slot| after.is_none_or(|after| slot.starts_at > after))
        .collect();
    let awake: Vec<Slot> =
        free.iter().copied().filter(|slot| is_awake(slot.starts_at, &seeker.time_zone)).collect();
    let free = if awake.is_empty() { free } else { awake };
    let slots =
        if after.is_none() { spread(&free, offer) } else { free.iter().copied().take(offer).collect() };
    let more = free.len() > slots.len();
    Ok(Some((slots, more)))
}

/// Times at least three hours apart first; what is missing then, in order.
fn spread(free: &[Slot], offer: usize) -> Vec<Slot> {
    let mut picked: Vec<Slot> = Vec::new();
    for slot in free {
        let far = picked.last().is_none_or(|last| slot.starts_at.since_ms(last.starts_at) >= 3 * HOUR_MS);
        if far && picked.len() < offer {
            picked.push(*slot);
        }
    }
    for slot in free {
        if picked.len() >= offer {
            break;
        }
        if !picked.contains(slot) {
            picked.push(*slot);
        }
    }
    picked.sort_by_key(|slot| slot.starts_at);
    picked
}

impl Room {
    /// A booking as the visitor sees it.
    pub(super) fn booked(&self, booking: &Booking, now: Timestamp) -> Booked {
        let id: BookingId = booking.id;
        Booked {
            booking: id.to_string(),
            starts_at: booking.starts_at,
            ends_at: booking.ends_at,
            zone: booking.time_zone.clone(),
            with: self.team.rep_name(&booking.rep).to_owned(),
            manage: Link::Manage.path(&self.keys, booking, now),
            location: booking.location.clone(),
        }
    }

    /// The bot's face.
    pub fn face(&self) -> Face {
        Face::of(&self.bot)
    }
}

/// Whether people are up at this time in this zone: from 8 to 20 o'clock.
fn is_awake(at: Timestamp, name: &str) -> bool {
    let hour = zone(name).map(|zone| at.to_jiff().to_zoned(zone).hour());
    hour.is_none_or(|hour| (8..20).contains(&hour))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(hours: &[i64]) -> Vec<Slot> {
        hours
            .iter()
            .map(|hour| Slot { starts_at: Timestamp(hour * HOUR_MS), ends_at: Timestamp(hour * HOUR_MS + 1) })
            .collect()
    }

    #[test]
    fn a_few_times_show_different_parts_of_the_day() {
        assert_eq!(spread(&slots(&[9, 10, 11, 12, 15, 33]), 3), slots(&[9, 12, 15]));
        assert_eq!(spread(&slots(&[9, 10, 11]), 3), slots(&[9, 10, 11]));
        assert_eq!(spread(&slots(&[9]), 3), slots(&[9]));
        assert!(spread(&[], 3).is_empty());
    }
}
