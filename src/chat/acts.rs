//! Carries out what `do` steps ask for (`actions.rs` lists it), each once for its key.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::actions::PROMOTE;
use super::engine::Input;
use super::live::left;
use super::turn::Turning;
use super::{Error, store};
use crate::base::ids::ContactId;
use crate::contacts;
use crate::events::{self, Event};
use crate::stages::{self, Actor, Move};
use crate::webinars;

impl Turning<'_> {
    /// Does it, unless it was done: the key `conversation:step:visit` stands for it in the store, written in the
    /// transaction that does it.
    pub(super) async fn act(
        &mut self,
        action: &str,
        with: &BTreeMap<String, String>,
        key: &str,
    ) -> Result<Input, Error> {
        let conversation = self.conversation.id;
        let key = format!("{conversation}:{key}");
        let told = |done: bool| if done { Input::Done } else { Input::Failed };
        if let Some(done) = store::action_done(self.tx, &key).await? {
            return Ok(told(done));
        }
        let text = |name: &str| with.get(name).map(String::as_str).unwrap_or_default();
        let done = match (action, self.conversation.contact) {
            ("call.request", contact) => {
                self.note("call.requested", Some(&conversation.to_string()), json!(with)).await?;
                left::leave(self.tx, self.conversation, text("note"), self.now).await?;
                let event = Event::QuestionLeft { conversation, contact };
                events::append(self.tx, &event, self.now).await?;
                true
            }
            ("contact.mark", Some(contact)) => {
                self.note("chat.marked", Some(text("as")), json!({ "flow": self.flow.id })).await?;
                stages::evaluate(self.tx, &self.room.lifecycle, contact, self.now).await?;
                true
            }
            (PROMOTE, Some(contact)) => self.promote(contact, text("stage"), text("reason")).await?,
            ("webinar.register", Some(contact)) => self.register(contact, text("webinar")).await?,
            // Nobody is known to do it for, or the registry knows it and this server does not.
            _ => false,
        };
        store::note_action(self.tx, &key, conversation, action, done, self.now).await?;
        Ok(told(done))
    }

    async fn note(&mut self, kind: &str, subject: Option<&str>, props: Json) -> Result<(), Error> {
        let (contact, visitor) = (self.conversation.contact, Some(self.conversation.visitor));
        contacts::record(self.tx, contact, visitor, kind, subject, props, self.now).await?;
        Ok(())
    }

    /// Moves the contact forward. Whoever is at the stage or beyond it stays where she is.
    async fn promote(&mut self, contact: ContactId, to: &str, reason: &str) -> Result<bool, Error> {
        let rule = format!("flow:{}", self.flow.id);
        let grounds = stages::Grounds::default();
        let step = Move {
            to,
            actor: Actor::Rule,
            rule: &rule,
            reason: Some(reason).filter(|reason| !reason.is_empty()),
            grounds: &grounds,
            new_journey: false,
        };
        match stages::transition(self.tx, &self.room.lifecycle, contact, &step, self.now).await {
            Ok(_) => {
                stages::evaluate(self.tx, &self.room.lifecycle, contact, self.now).await?;
                Ok(true)
            }
            Err(stages::Error::Illegal { .. }) => Ok(true),
            Err(
                stages::Error::NoStage(_)
                | stages::Error::NotOpen { .. }
                | stages::Error::ReasonNeeded { .. }
                | stages::Error::Disqualified { .. },
            ) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn register(&mut self, contact: ContactId, webinar: &str) -> Result<bool, Error> {
        let Some(webinar) = self.room.webinars.find(webinar) else { return Ok(false) };
        let visitor = Some(self.conversation.visitor);
        match webinars::register(self.tx, &self.room.lifecycle, webinar, contact, visitor, self.now).await {
            Ok(_) => Ok(true),
            Err(webinars::Error::Over | webinars::Error::CalledOff) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
