//! `ask`: one question; its answer may lead somewhere of its own.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::base::yaml::{Map, View};

use crate::chat::body::{Body, Said};
use crate::chat::effects::Effect;
use crate::chat::engine::{After, Input, Phase, Refused, Run};
use crate::chat::flow::{Load, Outcome, Step, Target};
use crate::chat::phrases::Phrase;
use crate::chat::question::{AGAIN, CODES_AGAIN, Heard, Kind, Question, choice_goto};

#[derive(Clone, Debug)]
pub struct Ask {
    pub question: Question,
    /// Where single choices lead.
    pub jumps: BTreeMap<String, Target>,
    /// Leave it out if the answer is known: given before in this conversation, or stored of a confirmed person.
    pub skip_known: bool,
}

impl Ask {
    pub fn read<'a>(id: &str, map: &mut Map<'a>, load: &mut Load<'a>) -> Ask {
        let var = map.optional("var").and_then(|view| load.var(&view.str()?, view.at()));
        let mut jumps = BTreeMap::new();
        for (choice, view) in map
            .optional("choices")
            .filter(|v| v.is_map())
            .and_then(View::map)
            .map(|m| m.entries())
            .unwrap_or_default()
        {
            if view.is_map()
                && let Some(goto) = choice_goto(view)
            {
                jumps.insert(choice.value.clone(), Target::read(goto));
            }
        }
        let skip_known = map.optional("skip_known").and_then(View::bool).unwrap_or(false);
        Ask { question: Question::read(id, map, var, load), jumps, skip_known }
    }

    pub fn enter(&self, step: &Step, run: &mut Run<'_>) -> After {
        if self.question.of == Kind::Code {
            if run.is_confirmed() {
                return After::Outcome(Outcome::Answered);
            }
            run.state.codes_again = 0;
            return self.send_code(run);
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

    /// Whether what was said names one of its choices, by the id or in words; a number may be one of another list.
    pub fn has_choice(&self, step: &Step, said: &Said, run: &Run<'_>) -> bool {
        let is_number = match said {
            Said::Text { text } | Said::Answer { value: text, .. } => text.trim().parse::<usize>().is_ok(),
            Said::Choice { .. } | Said::Slot { .. } | Said::HumanRequested | Said::StopRequested => false,
        };
        self.question.of == Kind::Choice
            && !is_number
            && run.for_question(said, &step.id).is_ok()
            && matches!(self.question.hear(&step.id, said, run), Heard::Value(..))
    }

    fn send_code(&self, run: &mut Run<'_>) -> After {
        run.state.code_sent = false;
        run.effects.push(Effect::SendCode);
        run.state.phase = Phase::Answer;
        After::Stay
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
        if let (Kind::Code, Said::Choice { choice, .. }) = (self.question.of, said) {
            return self.again(step, choice, run);
        }
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

    /// She asks for another code: a few times, and each gives her new tries.
    fn again(&self, step: &Step, choice: &str, run: &mut Run<'_>) -> Result<After, Refused> {
        if choice != AGAIN || run.state.codes_again >= CODES_AGAIN {
            return Err(Refused::QuestionOver);
        }
        let label = Phrase::SendAgain.text(run.world.reader.language).to_owned();
        run.visitor(Body::Choice { question: step.id.clone(), choice: choice.to_owned(), label });
        run.state.codes_again = run.state.codes_again.saturating_add(1);
        Ok(self.send_code(run))
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
                if run.state.codes_again > 0 {
                    run.state.retries = 0;
                    run.phrase(Phrase::CodeSentAgain);
                }
                Ok(self.put(step, run))
            }
            // The one before may still be right; this one was not sent, and does not count.
            Input::CodeTooSoon if run.state.codes_again > 0 => {
                run.state.code_sent = true;
                run.state.codes_again = run.state.codes_again.saturating_sub(1);
                run.phrase(Phrase::CodeTooSoon);
                Ok(self.put(step, run))
            }
            Input::CodeWrong => {
                run.state.phase = Phase::Asking;
                Ok(run.reject(step, &step.id, &self.question, Phrase::NotTheCode))
            }
            Input::Failed | Input::CodeTooSoon => Ok(After::Outcome(Outcome::Unavailable)),
            _ => Err(Refused::NotNow),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::base::diagnostic::Report;
    use crate::base::yaml;
    use crate::chat::body::{Body, Input as Shape, Said};
    use crate::chat::effects::Effect;
    use crate::chat::engine::{Input, Out, Phase, Refused, turn};
    use crate::chat::flow::Flow;
    use crate::chat::question::AGAIN;
    use crate::chat::rehearsal::{Rehearsal, Scene, says, world};

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

    fn at_the_code(scene: Scene) -> (Flow, Scene) {
        let report = Report::new();
        let flow = Flow::read(&yaml::parse("f", FLOW, &report).unwrap(), &report).unwrap();
        (flow, scene)
    }

    fn again() -> Input {
        Input::Said(Said::Choice { question: "code".to_owned(), choice: AGAIN.to_owned() })
    }

    #[test]
    fn another_code_is_sent_on_request_twice_and_not_for_ever() {
        let (flow, scene) = at_the_code(Scene { has_email: true, ..Scene::default() });
        let (mut play, _) = Rehearsal::open(&flow, scene, Some("code"));
        let offers = |play: &Rehearsal<'_>| match &play.asked {
            Some((_, Shape::Code { choices, .. })) => choices.len(),
            other => panic!("{other:?}"),
        };
        for sent in 1..=2 {
            assert_eq!(offers(&play), 1);
            play.play(&says("000000")).unwrap();
            play.play(&again()).unwrap();
            let codes = play.effects.iter().filter(|effect| **effect == Effect::SendCode).count();
            assert_eq!(codes, 1 + sent);
            assert_eq!(play.state.retries, 0, "with a new code come new tries");
        }
        assert_eq!(offers(&play), 0, "it is not offered a third time");
        assert_eq!(play.play(&again()).err(), Some(Refused::QuestionOver));
        play.play(&says("123456")).unwrap();
        assert_eq!(play.state.step, "bye");
    }

    #[test]
    fn a_code_that_was_asked_for_too_soon_leaves_the_one_before_open() {
        let (flow, scene) = at_the_code(Scene { has_email: true, ..Scene::default() });
        let (play, _) = Rehearsal::open(&flow, scene.clone(), Some("code"));
        let world = world(&scene);
        let asked = turn(&flow, &play.state, &again(), &world).unwrap();
        let refused = turn(&flow, &asked.state, &Input::CodeTooSoon, &world).unwrap();
        assert_eq!(
            (&refused.state.phase, refused.state.codes_again),
            (&Phase::Asking, 0),
            "it does not count"
        );
        let told = |out: &Out| matches!(&out.body, Body::Text { text, .. } if text.contains("moment ago"));
        assert!(refused.events.iter().any(told), "{:?}", refused.events);
        // The digits of the first one are looked at.
        let typed = turn(&flow, &refused.state, &says("123456"), &world).unwrap();
        assert!(typed.effects.iter().any(|effect| matches!(effect, Effect::CheckCode { .. })));
    }
}
