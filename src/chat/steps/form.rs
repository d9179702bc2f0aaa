//! `form`: several questions in a row, with progress, without asking what is already known.

use crate::base::yaml::{Map, View};

use crate::chat::body::Progress;
use crate::chat::engine::{After, Input, Phase, Refused, Run};
use crate::chat::flow::{Load, Outcome, Step, Target, Timeout};
use crate::chat::question::{Heard, Kind, Question, choice_goto};

#[derive(Clone, Debug)]
pub struct Form {
    /// The variable that each question fills, and the question.
    pub questions: Vec<(String, Question)>,
    /// Leave out what is known about the person; only ever for a confirmed one (trust 3).
    pub skip_known: bool,
}

impl Form {
    pub fn read<'a>(id: &str, map: &mut Map<'a>, load: &mut Load<'a>) -> Form {
        let mut questions = Vec::new();
        for (name, view) in map.required("form").and_then(View::map).map(|m| m.entries()).unwrap_or_default()
        {
            let key = format!("{id}.{}", name.value);
            let var = load.var(&name.value, &name.at);
            let fills = var.as_ref().map_or_else(|| name.value.clone(), |(name, _)| name.clone());
            let Some(mut question) = view.map() else {
                let unread = Question::unread(&key, view.at(), var.map(|(name, _)| name), load);
                questions.push((fills, unread));
                continue;
            };
            let mut read = Question::read(&key, &mut question, var, load);
            read.timeout = question.optional("timeout").map(Timeout::read);
            for (_, choice) in
                question.optional("choices").and_then(View::map).map(|m| m.entries()).unwrap_or_default()
            {
                if choice.is_map()
                    && let Some(goto) = choice_goto(choice)
                {
                    goto.error("Y003", "in a form an answer leads to the next question")
                        .hint("ask it in a step of its own to go elsewhere from here");
                }
            }
            question.finish();
            if read.of == Kind::Code {
                view.error("D302", "a code is asked for in a step of its own").hint("ask: …, type: code");
            }
            questions.push((fills, read));
        }
        let skip_known = map.optional("skip_known").and_then(View::bool).unwrap_or(false);
        Form { questions, skip_known }
    }

    pub fn enter(&self, step: &Step, run: &mut Run<'_>) -> After {
        let mut open = Vec::new();
        for (name, question) in &self.questions {
            match run.known(name).filter(|_| self.skip_known) {
                Some(value) => run.recall(question, value),
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
        run.patience_for(step, question);
        After::Stay
    }

    /// Where it goes when nobody answers: where the question that is open says, or the form's timeout.
    fn late(&self, run: &Run<'_>) -> After {
        let Phase::Form { open, at } = &run.state.phase else { return After::Outcome(Outcome::Timeout) };
        let question = open.get(*at).and_then(|name| self.question(name)).map(|(_, question)| question);
        let own = question.and_then(|question| question.timeout.as_ref()).and_then(|t| t.goto.as_ref());
        own.map_or(After::Outcome(Outcome::Timeout), |target| After::Jump(target.step.clone()))
    }

    /// Where its questions' own timeouts lead.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.questions.iter().filter_map(|(_, question)| question.timeout.as_ref()?.goto.as_ref())
    }

    fn question(&self, name: &str) -> Option<(&str, &Question)> {
        self.questions
            .iter()
            .find(|(other, _)| other == name)
            .map(|(name, question)| (name.as_str(), question))
    }

    pub fn hear(&self, step: &Step, input: &Input, run: &mut Run<'_>) -> Result<After, Refused> {
        let said = match input {
            Input::Tick => return Ok(self.late(run)),
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
