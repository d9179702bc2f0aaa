//! Carries out what `do` steps ask for (`actions.rs` lists it), each once for its key.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::actions::PROMOTE;
use super::engine::Input;
use super::flows::TEAM;
use super::live::left;
use super::turn::Turning;
use super::{Error, store};
use crate::accounts::{self, Account, May};
use crate::base::ids::{AccountId, ContactId};
use crate::bookings::team::Group;
use crate::contacts;
use crate::events::{self, Event};
use crate::stages::{self, Actor, Move};
use crate::subscriptions;
use crate::tasks::{self, NewTask};
use crate::webinars;

/// Longest title of a task that a flow gives, in characters.
const TITLE_LENGTH: usize = 300;

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
            ("mail.send", Some(contact)) => self.mail(contact, text("letter"), text("topic")).await?,
            ("task.give", Some(contact)) => self.give_task(contact, text("title"), text("team")).await?,
            ("team.notify", contact) => {
                let rule = text("rule").to_owned();
                let event = Event::FlowNotice { conversation, contact, rule };
                events::append(self.tx, &event, self.now).await?;
                true
            }
            ("webhook.send", contact) => {
                let (hook, name) = (text("hook").to_owned(), text("name").to_owned());
                let flow = self.flow.id.clone();
                let event = Event::FlowEvent { conversation, contact, hook, flow, name };
                events::append(self.tx, &event, self.now).await?;
                true
            }
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

    /// Has a letter sent to her. Whoever does not get the letters of its topic gets none of a flow either; it is asked
    /// once more just before the letter leaves.
    async fn mail(&mut self, contact: ContactId, letter: &str, topic: &str) -> Result<bool, Error> {
        match subscriptions::wants(self.tx, contact, topic).await {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(subscriptions::Error::Store(error)) => return Err(error.into()),
            Err(subscriptions::Error::Contact(error)) => return Err(error.into()),
            Err(
                subscriptions::Error::NoTopic
                | subscriptions::Error::Link(_)
                | subscriptions::Error::OtherDevice,
            ) => return Ok(false),
        }
        let (letter, topic) = (letter.to_owned(), topic.to_owned());
        let event = Event::FlowLetter { contact, conversation: self.conversation.id, letter, topic };
        events::append(self.tx, &event, self.now).await?;
        Ok(true)
    }

    /// Gives a task to whoever looks after her, else to somebody of the team.
    async fn give_task(&mut self, contact: ContactId, title: &str, team: &str) -> Result<bool, Error> {
        let accounts = accounts::list(self.tx).await?;
        let works = |id: &AccountId| accounts.iter().any(|one| one.id == *id && one.disabled_at.is_none());
        let owner = contacts::find(self.tx, contact).await?.and_then(|contact| contact.owner).filter(works);
        let account = match owner {
            Some(owner) => Some(owner),
            None => self.in_turn(&accounts, team).await?,
        };
        let Some(account) = account else { return Ok(false) };
        let title = one_line(title);
        let kind = tasks::Kind::Other;
        let task = NewTask { contact, account, kind, title: &title, due_at: None, by: None };
        match tasks::give(self.tx, &self.room.lifecycle, &task, self.now).await {
            Ok(_) => Ok(true),
            Err(tasks::Error::Store(error)) => Err(error.into()),
            Err(tasks::Error::Contact(error)) => Err(error.into()),
            Err(
                tasks::Error::Unknown
                | tasks::Error::TooEarly { .. }
                | tasks::Error::TitleInvalid
                | tasks::Error::NoAccount
                | tasks::Error::Unwanted,
            ) => Ok(false),
        }
    }

    /// Of a team, else of the one that stands in for it, whoever was given a task longest ago.
    async fn in_turn(&mut self, accounts: &[Account], team: &str) -> Result<Option<AccountId>, Error> {
        let last = tasks::last_given(self.tx).await?;
        let team = if team.is_empty() { TEAM } else { team };
        let groups: Vec<&Group> = self.room.team.group_and_fallbacks(team).collect();
        let of_team = accounts.iter().filter_map(|one| {
            let may = one.disabled_at.is_none() && one.role.may(May::Chat);
            let after = groups.iter().position(|group| group.has(&one.email, one.role));
            let after = if groups.is_empty() { Some(0) } else { after };
            let at = last.iter().find(|(id, _)| *id == one.id).map(|(_, at)| *at);
            after.filter(|_| may).map(|after| (after, at, one.id))
        });
        Ok(of_team.min().map(|(_, _, id)| id))
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

/// A text on one line, so long at most. What is left out is marked.
fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= TITLE_LENGTH {
        return line;
    }
    let kept: String = line.chars().take(TITLE_LENGTH - 1).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_title_of_a_task_is_one_line_and_says_what_was_left_out() {
        assert_eq!(one_line("Call\nher  back "), "Call her back");
        let long = one_line(&"word ".repeat(100));
        assert_eq!(long.chars().count(), TITLE_LENGTH);
        assert!(long.ends_with('…'));
    }
}
