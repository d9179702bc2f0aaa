//! The verbs of a flow: one file each, one line in [`Verb`].

mod act;
mod ask;
mod book;
mod call;
mod form;
mod handoff;
mod say;
mod set;
pub mod show;
mod split;
mod switch;
mod wait_for;

use std::collections::BTreeMap;

use crate::base::yaml::{Map, Spanned, View};

use super::engine::{After, Input, Refused, Run};
use super::flow::{Events, Load, Next, Outcome, Step, Target, Timeout, Words, retries, typing};
use super::question::{Kind, Question};

pub use act::Act;
pub use ask::Ask;
pub use book::Book;
pub use call::Call;
pub use form::Form;
pub use handoff::Handoff;
pub use say::Say;
pub use set::Set;
pub use show::Show;
pub use split::{Arm, Split};
pub use switch::Switch;
pub use wait_for::{EVENT_LENGTH, WaitFor};

/// What a step does.
#[derive(Clone, Debug)]
pub enum Verb {
    Say(Say),
    Show(Show),
    Ask(Box<Ask>),
    Form(Form),
    Set(Set),
    Switch(Switch),
    Do(Act),
    WaitFor(WaitFor),
    Handoff(Handoff),
    Book(Book),
    Call(Call),
    Split(Split),
    /// `goto` or `end` alone.
    Pass,
}

/// The verbs that a step can be about. `say` and `ask` also go along with others.
const VERBS: [&str; 12] =
    ["form", "set", "switch", "split", "do", "call", "wait_for", "handoff", "book", "show", "ask", "say"];

impl Verb {
    pub fn word(&self) -> &'static str {
        match self {
            Verb::Say(_) => "say",
            Verb::Show(_) => "show",
            Verb::Ask(_) => "ask",
            Verb::Form(_) => "form",
            Verb::Set(_) => "set",
            Verb::Switch(_) => "switch",
            Verb::Do(_) => "do",
            Verb::WaitFor(_) => "wait_for",
            Verb::Handoff(_) => "handoff",
            Verb::Book(_) => "book",
            Verb::Call(_) => "call",
            Verb::Split(_) => "split",
            Verb::Pass => "goto",
        }
    }

    /// Every way in which such a step can end.
    pub fn outcomes(&self) -> &'static [Outcome] {
        match self {
            Verb::Say(_) | Verb::Set(_) | Verb::Pass => &[Outcome::Next],
            Verb::Show(Show::Video { .. }) => &[Outcome::Next, Outcome::Missing],
            Verb::Show(_) => &[Outcome::Next],
            Verb::Ask(ask) if ask.question.of == Kind::Code => {
                &[Outcome::Answered, Outcome::Exhausted, Outcome::Timeout, Outcome::Unavailable]
            }
            Verb::Ask(_) => &[Outcome::Answered, Outcome::Exhausted, Outcome::Timeout],
            Verb::Form(_) => &[Outcome::Complete, Outcome::Exhausted, Outcome::Timeout],
            Verb::Switch(_) | Verb::Split(_) => &[],
            Verb::Call(_) => &[Outcome::Done],
            Verb::Do(_) => &[Outcome::Ok, Outcome::Error],
            Verb::WaitFor(WaitFor::Time { .. }) => &[Outcome::Reached],
            Verb::WaitFor(WaitFor::Video { .. } | WaitFor::Event { .. }) => {
                &[Outcome::Reached, Outcome::Timeout]
            }
            Verb::Handoff(_) => {
                &[Outcome::Booked, Outcome::Returned, Outcome::Closed, Outcome::Unavailable, Outcome::Expired]
            }
            Verb::Book(_) => &[Outcome::Booked, Outcome::NoneFit, Outcome::Unavailable, Outcome::Timeout],
        }
    }

    /// Whether a step can really end like that: where every choice leads somewhere of its own, nothing is left over.
    pub fn can_end(&self, outcome: Outcome) -> bool {
        match self {
            Verb::Ask(ask) if outcome == Outcome::Answered => {
                ask.jumps.is_empty() || ask.question.choices.iter().any(|(id, _)| !ask.jumps.contains_key(id))
            }
            _ => self.outcomes().contains(&outcome),
        }
    }

    /// The outcome that goes on to the step below when nothing else is said.
    pub fn main(&self) -> Option<Outcome> {
        match self {
            Verb::Switch(_) | Verb::Split(_) | Verb::Handoff(_) => None,
            Verb::Say(_)
            | Verb::Call(_)
            | Verb::Show(_)
            | Verb::Ask(_)
            | Verb::Form(_)
            | Verb::Set(_)
            | Verb::Do(_)
            | Verb::WaitFor(_)
            | Verb::Book(_)
            | Verb::Pass => self.outcomes().first().copied(),
        }
    }

    /// Outcomes that can come about without the visitor or time, so that a circle of them would never rest.
    pub fn at_once(&self) -> &'static [Outcome] {
        match self {
            Verb::Say(_) | Verb::Set(_) | Verb::Pass => &[Outcome::Next],
            Verb::Show(Show::Video { .. }) => &[Outcome::Next, Outcome::Missing],
            Verb::Show(_) => &[Outcome::Next],
            Verb::Ask(ask) if ask.question.of == Kind::Code => &[Outcome::Answered, Outcome::Unavailable],
            Verb::Ask(ask) if ask.skip_known => &[Outcome::Answered],
            Verb::Ask(_) => &[],
            Verb::Form(form) if form.skip_known => &[Outcome::Complete],
            Verb::Form(_) => &[],
            // Whether a called flow can end at once is seen from its own steps.
            Verb::Switch(_) | Verb::Split(_) | Verb::Call(_) => &[],
            Verb::Do(_) => &[Outcome::Ok, Outcome::Error],
            Verb::WaitFor(WaitFor::Time { .. } | WaitFor::Event { .. }) => &[],
            Verb::WaitFor(WaitFor::Video { .. }) => &[Outcome::Reached, Outcome::Timeout],
            Verb::Handoff(_) | Verb::Book(_) => &[Outcome::Unavailable],
        }
    }

    /// Targets besides those of the outcomes: of choices and branches.
    pub fn jumps(&self) -> Vec<&Target> {
        match self {
            Verb::Ask(ask) => ask.jumps.values().collect(),
            Verb::Switch(switch) => switch.targets().collect(),
            Verb::Split(split) => split.arms.iter().map(|arm| &arm.goto).collect(),
            Verb::Call(call) => call.ends.values().collect(),
            Verb::Form(form) => form.targets().collect(),
            Verb::Say(_)
            | Verb::Show(_)
            | Verb::Set(_)
            | Verb::Do(_)
            | Verb::WaitFor(_)
            | Verb::Handoff(_)
            | Verb::Book(_)
            | Verb::Pass => Vec::new(),
        }
    }

    /// Its questions.
    pub fn questions(&self) -> Vec<&Question> {
        match self {
            Verb::Ask(ask) => vec![&ask.question],
            Verb::Form(form) => form.questions.iter().map(|(_, question)| question).collect(),
            Verb::Say(_)
            | Verb::Show(_)
            | Verb::Set(_)
            | Verb::Switch(_)
            | Verb::Do(_)
            | Verb::WaitFor(_)
            | Verb::Handoff(_)
            | Verb::Book(_)
            | Verb::Call(_)
            | Verb::Split(_)
            | Verb::Pass => Vec::new(),
        }
    }

    /// The texts that visitors read, the main one first; labels of choices stand apart.
    pub fn words(&self) -> Vec<&Words> {
        match self {
            Verb::Say(say) => vec![&say.words],
            Verb::Show(show) => show.words(),
            Verb::Ask(ask) => ask.question.words(),
            Verb::Form(form) => form.questions.iter().flat_map(|(_, question)| question.words()).collect(),
            Verb::Handoff(handoff) => vec![&handoff.say],
            Verb::Book(book) => vec![&book.ask],
            Verb::Set(_)
            | Verb::Switch(_)
            | Verb::Do(_)
            | Verb::WaitFor(_)
            | Verb::Call(_)
            | Verb::Split(_)
            | Verb::Pass => Vec::new(),
        }
    }

    /// The labels of choices, with their ids.
    pub fn labels(&self) -> Vec<(&str, &Words)> {
        let choices = self.questions().into_iter().flat_map(|question| &question.choices);
        choices.map(|(id, words)| (id.as_str(), words)).collect()
    }

    /// Texts that are not for visitors: what an action is given.
    pub fn given(&self) -> Vec<(&str, &Words)> {
        match self {
            Verb::Do(act) => act.with.iter().map(|(name, words)| (name.as_str(), words)).collect(),
            Verb::Say(_)
            | Verb::Show(_)
            | Verb::Ask(_)
            | Verb::Form(_)
            | Verb::Set(_)
            | Verb::Switch(_)
            | Verb::WaitFor(_)
            | Verb::Handoff(_)
            | Verb::Book(_)
            | Verb::Call(_)
            | Verb::Split(_)
            | Verb::Pass => Vec::new(),
        }
    }

    /// What an open conversation relies on: as long as it is the same, it goes on in a new version of the flow.
    pub fn contract(&self) -> String {
        let detail: Vec<String> = match self {
            Verb::Ask(ask) => ask
                .question
                .choices
                .iter()
                .map(|(id, _)| id.clone())
                .chain([ask.question.of.word().to_owned()])
                .collect(),
            Verb::Form(form) => form
                .questions
                .iter()
                .flat_map(|(name, question)| {
                    let ids = question.choices.iter().map(|(id, _)| id.clone());
                    [name.clone(), question.of.word().to_owned()].into_iter().chain(ids)
                })
                .collect(),
            Verb::Book(book) => vec![book.meeting.value.clone()],
            Verb::Handoff(handoff) => vec![handoff.team.value.clone()],
            Verb::Do(act) => vec![act.action.value.clone()],
            Verb::WaitFor(WaitFor::Video { step, .. }) => vec![step.step.clone()],
            Verb::WaitFor(WaitFor::Event { name }) => vec!["event".to_owned(), name.value.clone()],
            Verb::Call(call) => vec![call.flow.value.clone()],
            Verb::Split(split) => split.arms.iter().map(|arm| arm.name.value.clone()).collect(),
            Verb::WaitFor(WaitFor::Time { .. })
            | Verb::Say(_)
            | Verb::Show(_)
            | Verb::Set(_)
            | Verb::Switch(_)
            | Verb::Pass => Vec::new(),
        };
        format!("{}({})", self.word(), detail.join(","))
    }

    /// Begins the step.
    pub fn enter(&self, step: &Step, run: &mut Run<'_>) -> After {
        match self {
            Verb::Say(say) => say.enter(run),
            Verb::Show(show) => show.enter(step, run),
            Verb::Ask(ask) => ask.enter(step, run),
            Verb::Form(form) => form.enter(step, run),
            Verb::Set(set) => set.enter(run),
            Verb::Switch(switch) => switch.enter(run),
            Verb::Do(act) => act.enter(step, run),
            Verb::WaitFor(wait) => wait.enter(step, run),
            Verb::Handoff(handoff) => handoff.enter(run),
            Verb::Book(book) => book.enter(step, run),
            Verb::Call(call) => call.enter(run),
            Verb::Split(split) => split.enter(step, run),
            Verb::Pass => After::Outcome(Outcome::Next),
        }
    }

    /// Goes on with the step after something has come in.
    ///
    /// # Errors
    /// [`Refused`] if the step has no use for it.
    pub fn hear(&self, step: &Step, input: &Input, run: &mut Run<'_>) -> Result<After, Refused> {
        match self {
            Verb::Ask(ask) => ask.hear(step, input, run),
            Verb::Form(form) => form.hear(step, input, run),
            Verb::Do(act) => act.hear(input),
            Verb::WaitFor(wait) => wait.hear(input, run),
            Verb::Handoff(handoff) => handoff.hear(input, run),
            Verb::Book(book) => book.hear(step, input, run),
            Verb::Say(_)
            | Verb::Show(_)
            | Verb::Set(_)
            | Verb::Switch(_)
            | Verb::Call(_)
            | Verb::Split(_)
            | Verb::Pass => Err(Refused::NotNow),
        }
    }
}

/// Reads one step. Reports G208 unless it has exactly one verb.
pub fn read<'a>(key: &Spanned<String>, view: View<'a>, load: &mut Load<'a>) -> Option<Step> {
    let mut map = view.map()?;
    let id = key.value.as_str();
    let mut verbs: Vec<&str> = VERBS.into_iter().filter(|verb| map.key_at(verb).is_some()).collect();
    let goes_along = |verbs: &[&str], companion: &str| match companion {
        "say" => verbs.contains(&"handoff"),
        _ => verbs.contains(&"book"),
    };
    if verbs.len() > 1 {
        let all = verbs.clone();
        verbs.retain(|verb| !(matches!(*verb, "say" | "ask") && goes_along(&all, verb)));
    }
    let verb = match verbs.as_slice() {
        [verb] => *verb,
        [] if map.key_at("goto").is_some() || map.key_at("end").is_some() => "pass",
        [] => {
            let noted = load.report.error(&key.at, "G208", format!("the step \"{id}\" does nothing"));
            noted.hint(format!("a step has one of {}", crate::base::diagnostic::list_words(&VERBS)));
            return None;
        }
        many => {
            let noted =
                load.report.error(&key.at, "G208", format!("the step \"{id}\" does {}", many.join(" and ")));
            noted.hint("one step, one verb: make two steps of it");
            return None;
        }
    };
    let verb = match verb {
        "say" => Say::read(id, &mut map, load).map(Verb::Say),
        "show" => Show::read(id, &mut map, load).map(Verb::Show),
        "ask" => Ask::read(id, &mut map, load).map(Box::new).map(Verb::Ask),
        "form" => Form::read(id, &mut map, load).map(Verb::Form),
        "set" => Set::read(&mut map, load).map(Verb::Set),
        "switch" => Switch::read(&mut map, load).map(Verb::Switch),
        "do" => Act::read(id, &mut map, load).map(Verb::Do),
        "wait_for" => WaitFor::read(&mut map).map(Verb::WaitFor),
        "handoff" => Handoff::read(id, &mut map, load).map(Verb::Handoff),
        "book" => Book::read(id, &mut map, load).map(Verb::Book),
        "call" => Call::read(&mut map).map(Verb::Call),
        "split" => Split::read(&mut map, load).map(Verb::Split),
        _ => Some(Verb::Pass),
    };
    let goto = map.optional("goto").and_then(Target::read);
    let end = map.optional("end").and_then(View::spanned);
    let next = match (goto, end) {
        (Some(goto), Some(end)) => {
            load.report.error(&end.at, "G208", "a step cannot both go on and end").done();
            Next::Step(goto)
        }
        (Some(goto), None) => Next::Step(goto),
        (None, Some(end)) => Next::End(end.value),
        (None, None) => Next::Below,
    };
    let written = map.optional("outcomes").and_then(View::map);
    let timeout = map.optional("timeout").and_then(Timeout::read);
    let retries = map.optional("retries").and_then(retries);
    let typing = map.optional("typing").and_then(typing);
    let events = map.optional("events").map(Events::read).unwrap_or_default();
    map.finish();
    let verb = verb?;
    let mut outcomes = BTreeMap::new();
    for (word, view) in written.map(|map| map.entries()).unwrap_or_default() {
        match verb.outcomes().iter().find(|outcome| outcome.word() == word.value) {
            Some(outcome) => {
                outcomes.extend(Target::read(view).map(|target| (*outcome, target)));
            }
            None => {
                let known = verb.outcomes().iter().map(|outcome| outcome.word());
                let message = format!("a {} step has no outcome \"{}\"", verb.word(), word.value);
                load.report.error(&word.at, "Y003", message).did_you_mean(&word.value, known);
            }
        }
    }
    Some(Step {
        id: id.to_owned(),
        at: key.at.clone(),
        verb,
        next,
        outcomes,
        timeout,
        retries,
        typing,
        events,
        within: None,
    })
}

/// A map's text under a key, with its translations.
fn words<'a>(id: &str, field: &'static str, map: &mut Map<'a>, load: &mut Load<'a>) -> Option<Words> {
    map.required(field).and_then(|view| load.words(&format!("{id}.{field}"), view))
}
