//! `handoff`: to a person of the team, who may not be there, not come in time, give back, book or close.

use crate::base::yaml::{Map, Spanned, View};

use super::{name, unread, words};
use crate::chat::body::{Body, Mode};
use crate::chat::effects::Effect;
use crate::chat::engine::{After, Input, Phase, Refused, Run};
use crate::chat::flow::{LEAST_WAIT, Load, Outcome, SOME_TIME_MS, Words};
use crate::chat::phrases::Phrase;

#[derive(Clone, Debug)]
pub struct Handoff {
    pub team: Spanned<String>,
    /// How long the visitor waits for somebody.
    pub wait_ms: i64,
    pub say: Words,
}

impl Handoff {
    pub fn read<'a>(id: &str, map: &mut Map<'a>, load: &mut Load<'a>) -> Handoff {
        let (mut team, mut wait_ms) = (unread(map.at), None);
        if let Some(mut handoff) = map.required("handoff").and_then(View::map) {
            team = name("team", &mut handoff);
            wait_ms = handoff.required("wait").and_then(|view| view.duration_from(LEAST_WAIT));
            handoff.finish();
        }
        Handoff { team, wait_ms: wait_ms.unwrap_or(SOME_TIME_MS), say: words(id, "say", map, load) }
    }

    pub fn enter(&self, run: &mut Run<'_>) -> After {
        if run.world.online.of(&self.team.value) == 0 {
            return After::Outcome(Outcome::Unavailable);
        }
        let text = run.render(&self.say);
        run.state.phase = Phase::Waiting;
        run.state.team = Some(self.team.value.clone());
        run.state.waiting_since = Some(run.world.now);
        run.state.deadline = Some(run.world.now.plus_ms(self.wait_ms));
        run.effects.push(Effect::Handoff { team: self.team.value.clone() });
        run.bot(Body::text(text));
        run.mode(Mode::Waiting, None, None);
        After::Stay
    }

    pub fn hear(&self, input: &Input, run: &mut Run<'_>) -> Result<After, Refused> {
        let with_person = run.state.phase == Phase::Human;
        match input {
            // While somebody is awaited or speaks, the flow is silent: the words are for her.
            Input::Said(said) => {
                run.echo(said)?;
                Ok(After::Stay)
            }
            Input::Watched { .. } => Ok(After::Stay),
            Input::Tick if !with_person => {
                run.nobody_came();
                Ok(After::Outcome(Outcome::Expired))
            }
            Input::AgentAccepted { agent } if !with_person => {
                run.state.phase = Phase::Human;
                run.state.deadline = None;
                run.state.agent = Some(agent.name.clone());
                run.mode(Mode::Human, Some(agent.clone()), None);
                Ok(After::Stay)
            }
            Input::AgentReturned if with_person => {
                let text = Phrase::BackToBot.text(run.world.reader.language);
                run.mode(Mode::Bot, None, Some(text.to_owned()));
                Ok(After::Outcome(Outcome::Returned))
            }
            Input::AgentClosed if with_person => {
                run.mode(Mode::Bot, None, None);
                Ok(After::Outcome(Outcome::Closed))
            }
            Input::Booked(booked) if with_person => {
                run.booked(booked);
                run.mode(Mode::Bot, None, None);
                Ok(After::Outcome(Outcome::Booked))
            }
            _ => Err(Refused::NotNow),
        }
    }
}
