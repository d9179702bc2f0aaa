//! `ask`: one question; its answer may lead somewhere of its own.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::base::yaml::{Map, View};

use crate::chat::effects::Effect;
use crate::chat::engine::{After, Input, Phase, Refused, Run};
use crate::chat::flow::{Load, Outcome, Step, Target};
use crate::chat::phrases::Phrase;
use crate::chat::question::{Heard, Kind, Question, choice_goto};

#[derive(Clone, Debug)]
pub struct Ask {
    pub question: Question,
    /// Where single choices lead.
    pub jumps: BTreeMap<String, Target>,
    /// Leave it out if the answer is known: given before in this conversation, or stored of a confirmed person.
    pub skip_known: bool,
}

impl Ask {
    pub fn read<'a>(id: &str, map: &mut Map<'a>, load: &mut Load<'a>) -> Option<Ask> {
        let var = map.optional("var").and_then(|view| load.var(view));
        let mut jumps = BTreeMap::new();
        for (choice, view) in map
            .optional("choices")
            .filter(|v| v.is_map())
            .and_then(View::map)
            .map(|m| m.entries())
            .unwrap_or_default()
        {
            if view.is_map()
                && let Some(target) = choice_goto(view).and_then(Target::read)
            {
                jumps.insert(choice.value.clone(), target);
            }
        }
        let skip_known = map.optional("skip_known").and_then(View::bool).unwrap_or(false);
        let question = Question::read(id, map, var, load)?;
        Some(Ask { question, jumps, skip_known })
    }

    pub fn enter(&self, step: &Step, run: &mut Run<'_>) -> After {
        if self.question.of == Kind::Code {
            if run.is_confirmed() {
                return After::Outcome(Outcome::Answered);
            }
            run.state.code_sent = false;
            run.effects.push(Effect::SendCode);
            run.state.phase = Phase::Answer;
            return After::Stay;
        }
        if let Some(value) =
            self.question.var.as_deref().filter(|_| self.skip_known).and_then(|var| run.known(var))
        {
            let after = self.after(&value, run);
            run.recall(&self.question, value);
            return after;
        }
        self.put(step, run)
    }

    /// Asks, and waits.
    fn put(&self, step: &Step, run: &mut Run<'_>) -> After {
        run.ask(&step.id, &self.question, None);
        run.patience(step);
        run.state.phase = Phase::Asking;
        After::Stay
    }

    /// Where an answer leads.
    fn after(&self, value: &Json, run: &mut Run<'_>) -> After {
        let jump = value.as_str().and_then(|choice| Some((choice, self.jumps.get(choice)?)));
        let Some((choice, target)) = jump else { return After::Outcome(Outcome::Answered) };
        run.leave_by(format!("choice {choice}"));
        After::Jump(target.step.clone())
    }

    pub fn hear(&self, step: &Step, input: &Input, run: &mut Run<'_>) -> Result<After, Refused> {
        if run.state.phase == Phase::Answer {
            return self.code(step, input, run);
        }
        let said = match input {
            Input::Tick => return Ok(After::Outcome(Outcome::Timeout)),
            Input::Said(said) => said,
            _ => return Err(Refused::NotNow),
        };
        run.for_question(said, &step.id)?;
        match self.question.hear(&step.id, said, run) {
            Heard::Value(value, body) => {
                run.visitor(body);
                if self.question.of == Kind::Code {
                    let digits = value.as_str().unwrap_or_default().to_owned();
                    run.effects.push(Effect::CheckCode { digits });
                    run.state.phase = Phase::Answer;
                    return Ok(After::Stay);
                }
                let after = self.after(&value, run);
                run.keep(&self.question, value);
                Ok(after)
            }
            Heard::Invalid(phrase) => Ok(run.invalid(step, &step.id, &self.question, said, phrase)),
        }
    }

    /// What became of the code: it was sent, or its digits are right, wrong or of no use any more.
    fn code(&self, step: &Step, input: &Input, run: &mut Run<'_>) -> Result<After, Refused> {
        match input {
            Input::Done if run.state.code_sent => {
                run.state.code_sent = false;
                Ok(After::Outcome(Outcome::Answered))
            }
            Input::Done => {
                run.state.code_sent = true;
                Ok(self.put(step, run))
            }
            Input::CodeWrong => {
                run.state.phase = Phase::Asking;
                Ok(run.reject(step, &step.id, &self.question, Phrase::NotTheCode))
            }
            Input::Failed => Ok(After::Outcome(Outcome::Unavailable)),
            _ => Err(Refused::NotNow),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::base::diagnostic::Report;
    use crate::base::yaml;
    use crate::chat::body::Body;
    use crate::chat::effects::Effect;
    use crate::chat::engine::Phase;
    use crate::chat::flow::Flow;
    use crate::chat::rehearsal::{Rehearsal, Scene, says};

    const FLOW: &str = r#"flow: two
title: Two people, one device
languages: [en]
vars:
  size: {type: enum, values: [small, large], save: true}
  email: {type: email, save: true}
defaults: {exhausted: bye, timeout: {after: 5m, goto: bye}}
steps:
  first: {ask: How large?, var: size, choices: {small: Small, large: Large}, skip_known: true}
  email: {ask: Who are you?, var: email}
  hello: {say: "Hello{{#if contact.first_name}} {{contact.first_name}}{{/if}}."}
  again: {ask: How large?, var: size, choices: {small: Small, large: Large}, skip_known: true}
  code: {ask: Which digits?, type: code, outcomes: {unavailable: bye}}
  bye: {say: Goodbye., end: done}
"#;

    /// Nikki's device; somebody types an address.
    fn after(email: &str) -> (Vec<String>, String, Vec<Effect>) {
        let report = Report::new();
        let flow = Flow::read(&yaml::parse("f", FLOW, &report).unwrap(), &report).unwrap();
        let mut scene = Scene { trust: 3, has_email: true, ..Scene::default() };
        scene.facts.set("contact.email", "nikki@acme.example").set("contact.first_name", "Nikki");
        scene.known.insert("size".to_owned(), json!("large"));
        let (mut play, _) = Rehearsal::open(&flow, scene, None);
        assert_eq!(play.state.step, "email", "her size is known");
        let out = play.play(&says(email)).unwrap();
        let said = out.iter().filter_map(|out| match &out.body {
            Body::Text { text, .. } => Some(text.clone()),
            _ => None,
        });
        (said.collect(), play.state.step.clone(), play.effects)
    }

    #[test]
    fn her_own_address_changes_nothing_and_needs_no_code() {
        let (said, step, effects) = after("nikki@acme.example");
        assert!(said.contains(&"Hello Nikki.".to_owned()), "{said:?}");
        assert_eq!(step, "bye");
        assert!(!effects.contains(&Effect::SendCode));
    }

    #[test]
    fn whoever_types_another_address_meets_nothing_of_the_devices_owner() {
        let (said, step, effects) = after("ana@example.com");
        assert!(said.contains(&"Hello.".to_owned()), "{said:?}");
        assert_eq!(step, "again", "what is stored of Nikki is not Ana's");
        let kept = |effect: &Effect| matches!(effect, Effect::SaveField { name, .. } if name == "size");
        assert!(!effects.iter().any(kept), "and is not kept with her");
    }

    #[test]
    fn a_code_that_cannot_be_sent_leads_on() {
        let report = Report::new();
        let flow = Flow::read(&yaml::parse("f", FLOW, &report).unwrap(), &report).unwrap();
        let (play, _) = Rehearsal::open(&flow, Scene::default(), Some("code"));
        assert_eq!((play.state.step.as_str(), &play.state.phase), ("bye", &Phase::Ended));
    }
}
