//! `ask`: one question; its answer may lead somewhere of its own.

use std::collections::BTreeMap;

use crate::base::yaml::{Map, View};

use crate::chat::engine::{After, Input, Phase, Refused, Run};
use crate::chat::flow::{Load, Outcome, Step, Target};
use crate::chat::question::{Heard, Question};

#[derive(Clone, Debug)]
pub struct Ask {
    pub question: Question,
    /// Where single choices lead.
    pub jumps: BTreeMap<String, Target>,
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
                && let Some(mut choice_map) = view.map()
            {
                choice_map.required("label");
                let goto = choice_map.optional("goto").and_then(Target::read);
                choice_map.finish();
                jumps.extend(goto.map(|target| (choice.value.clone(), target)));
            }
        }
        let question = Question::read(id, map, var, load)?;
        Some(Ask { question, jumps })
    }

    pub fn enter(&self, step: &Step, run: &mut Run<'_>) -> After {
        run.ask(&step.id, &self.question, None);
        run.patience(step);
        run.state.phase = Phase::Asking;
        After::Stay
    }

    pub fn hear(&self, step: &Step, input: &Input, run: &mut Run<'_>) -> Result<After, Refused> {
        let said = match input {
            Input::Tick => return Ok(After::Outcome(Outcome::Timeout)),
            Input::Said(said) => said,
            _ => return Err(Refused::NotNow),
        };
        run.for_question(said, &step.id)?;
        match self.question.hear(&step.id, said, run) {
            Heard::Value(value, body) => {
                run.visitor(body);
                let jump = value
                    .as_str()
                    .and_then(|choice| self.jumps.get(choice))
                    .map(|target| target.step.clone());
                if let Some(choice) = value.as_str().filter(|_| jump.is_some()) {
                    run.leave_by(format!("choice {choice}"));
                }
                run.keep(&self.question, value);
                Ok(jump.map_or(After::Outcome(Outcome::Answered), After::Jump))
            }
            Heard::Invalid(phrase) => Ok(run.invalid(step, &step.id, &self.question, said, phrase)),
        }
    }
}
