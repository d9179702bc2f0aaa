//! `form`: several questions in a row, with progress, without asking what is already known.

use crate::base::yaml::{Map, View};

use crate::chat::body::Progress;
use crate::chat::engine::{After, Input, Phase, Refused, Run};
use crate::chat::flow::{Load, Outcome, Step};
use crate::chat::question::{Heard, Question};

#[derive(Clone, Debug)]
pub struct Form {
    /// The variable that each question fills, and the question.
    pub questions: Vec<(String, Question)>,
    /// Leave out what is known about the person; only ever for a confirmed one (trust 3).
    pub skip_known: bool,
}

impl Form {
    pub fn read<'a>(id: &str, map: &mut Map<'a>, load: &mut Load<'a>) -> Option<Form> {
        let mut questions = Vec::new();
        for (name, view) in map.required("form").and_then(View::map)?.entries() {
            let Some(mut question) = view.map() else { continue };
            let Some(var) = load.vars.get(&name.value) else {
                load.report
                    .error(&name.at, "D301", format!("there is no variable \"{}\"", name.value))
                    .did_you_mean(&name.value, load.vars.keys().map(String::as_str));
                continue;
            };
            let var = Some((name.value.clone(), var.of.clone()));
            let read = Question::read(&format!("{id}.{}", name.value), &mut question, var, load);
            question.finish();
            questions.extend(read.map(|question| (name.value.clone(), question)));
        }
        let skip_known = map.optional("skip_known").and_then(View::bool).unwrap_or(false);
        Some(Form { questions, skip_known })
    }

    pub fn enter(&self, step: &Step, run: &mut Run<'_>) -> After {
        let mut open = Vec::new();
        for (name, question) in &self.questions {
            match run.known(name).filter(|_| self.skip_known) {
                Some(value) => {
                    run.state.vars.insert(name.clone(), value);
                }
                None => open.extend(question.var.clone()),
            }
        }
        run.state.phase = Phase::Form { open, at: 0 };
        self.next(step, run)
    }

    /// Asks the question that is next, if there is one.
    fn next(&self, step: &Step, run: &mut Run<'_>) -> After {
        let Phase::Form { open, at } = run.state.phase.clone() else { return After::Stay };
        let Some((name, question)) = open.get(at).and_then(|name| self.question(name)) else {
            return After::Outcome(Outcome::Complete);
        };
        let progress = Progress { step: at.saturating_add(1), of: open.len() };
        run.ask(&format!("{}.{name}", step.id), question, Some(progress));
        run.patience(step);
        After::Stay
    }

    fn question(&self, name: &str) -> Option<(&str, &Question)> {
        self.questions
            .iter()
            .find(|(other, _)| other == name)
            .map(|(name, question)| (name.as_str(), question))
    }

    pub fn hear(&self, step: &Step, input: &Input, run: &mut Run<'_>) -> Result<After, Refused> {
        let said = match input {
            Input::Tick => return Ok(After::Outcome(Outcome::Timeout)),
            Input::Said(said) => said,
            _ => return Err(Refused::NotNow),
        };
        let Phase::Form { open, at } = run.state.phase.clone() else { return Err(Refused::NotNow) };
        let Some((name, question)) = open.get(at).and_then(|name| self.question(name)) else {
            return Err(Refused::NotNow);
        };
        let id = format!("{}.{name}", step.id);
        run.for_question(said, &id)?;
        match question.hear(&id, said, run) {
            Heard::Value(value, body) => {
                run.visitor(body);
                run.keep(question, value);
                run.state.retries = 0;
                run.state.phase = Phase::Form { open, at: at.saturating_add(1) };
                Ok(self.next(step, run))
            }
            Heard::Invalid(phrase) => Ok(run.invalid(step, &id, question, said, phrase)),
        }
    }
}
