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

use crate::base::diagnostic::{Mark, list_words, nearest};
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
    /// Not one thing but none or several, which is told (G208). Such a flow never runs.
    Unread(Unread),
}

/// A step that is not about one thing, as far as it could be read.
#[derive(Clone, Debug, Default)]
pub struct Unread {
    /// What it would do at once.
    pub verbs: Vec<Verb>,
    /// Where it says that its outcomes lead.
    pub ways: Vec<Target>,
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
            Verb::Unread(_) => "step",
        }
    }

    /// What the step is about: itself, or everything that stands in it.
    pub fn parts(&self) -> &[Verb] {
        match self {
            Verb::Unread(unread) => &unread.verbs,
            verb => std::slice::from_ref(verb),
        }
    }

    /// Every way in which such a step can end.
    pub fn outcomes(&self) -> &'static [Outcome] {
        match self {
            Verb::Say(_) | Verb::Set(_) | Verb::Pass | Verb::Unread(_) => &[Outcome::Next],
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
            Verb::WaitFor(WaitFor::Video { .. } | WaitFor::Event { .. } | WaitFor::Message) => {
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
            | Verb::Pass
            | Verb::Unread(_) => self.outcomes().first().copied(),
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
            Verb::Switch(_) | Verb::Split(_) | Verb::Call(_) | Verb::Unread(_) => &[],
            Verb::Do(_) => &[Outcome::Ok, Outcome::Error],
            Verb::WaitFor(WaitFor::Time { .. } | WaitFor::Event { .. } | WaitFor::Message) => &[],
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
            Verb::Unread(unread) => unread.verbs.iter().flat_map(Verb::jumps).chain(&unread.ways).collect(),
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
            Verb::Unread(unread) => unread.verbs.iter().flat_map(Verb::questions).collect(),
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
            Verb::Unread(unread) => unread.verbs.iter().flat_map(Verb::words).collect(),
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
            Verb::Unread(unread) => unread.verbs.iter().flat_map(Verb::given).collect(),
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

    /// The [`contract`](Self::contract) of a step that asks for the digits of a code.
    pub const CODE: &str = "ask(code)";

    /// What an open conversation relies on: as long as it is the same, it goes on in a new version of the flow.
    pub fn contract(&self) -> String {
        let detail: Vec<String> = match self {
            Verb::Ask(ask) => ask
                .question
                .choices
                .iter()
                .map(|(id, _)| id.clone())
                .chain([ask.question.word().to_owned()])
                .collect(),
            Verb::Form(form) => form
                .questions
                .iter()
                .flat_map(|(name, question)| {
                    let ids = question.choices.iter().map(|(id, _)| id.clone());
                    [name.clone(), question.word().to_owned()].into_iter().chain(ids)
                })
                .collect(),
            Verb::Book(book) => vec![book.meeting.value.clone()],
            Verb::Handoff(handoff) => vec![handoff.team.value.clone()],
            Verb::Do(act) => vec![act.action.value.clone()],
            Verb::WaitFor(WaitFor::Video { step, .. }) => vec![step.step.clone()],
            Verb::WaitFor(WaitFor::Event { name }) => vec!["event".to_owned(), name.value.clone()],
            Verb::WaitFor(WaitFor::Message) => vec!["message".to_owned()],
            Verb::Call(call) => vec![call.flow.value.clone()],
            Verb::Split(split) => split.arms.iter().map(|arm| arm.name.value.clone()).collect(),
            Verb::WaitFor(WaitFor::Time { .. })
            | Verb::Say(_)
            | Verb::Show(_)
            | Verb::Set(_)
            | Verb::Switch(_)
            | Verb::Pass
            | Verb::Unread(_) => Vec::new(),
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
            Verb::Unread(_) => After::Stay,
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
            | Verb::Pass
            | Verb::Unread(_) => Err(Refused::NotNow),
        }
    }
}

/// Reads one step. Reports G208 unless it has exactly one verb; whatever is wrong with it, it is a step, and leads where
/// it says.
pub fn read<'a>(key: &Spanned<String>, view: View<'a>, load: &mut Load<'a>) -> Step {
    let mut step = Step {
        id: key.value.clone(),
        at: key.at.clone(),
        verb: Verb::Unread(Unread::default()),
        next: Next::Below,
        outcomes: BTreeMap::new(),
        timeout: None,
        retries: None,
        typing: None,
        events: Events::default(),
        within: None,
    };
    let Some(mut map) = view.map() else { return step };
    step.verb = verb(key, &mut map, load);
    let goto = map.optional("goto").map(Target::read);
    let end = map.optional("end").and_then(View::spanned);
    step.next = match (goto, end) {
        (Some(goto), Some(end)) => {
            load.report.error(&end.at, "G208", "a step cannot both go on and end").done();
            Next::Step(goto)
        }
        (Some(goto), None) => Next::Step(goto),
        (None, Some(end)) => Next::End(end.value),
        (None, None) => Next::Below,
    };
    step.timeout = map.optional("timeout").map(Timeout::read);
    step.retries = map.optional("retries").and_then(retries);
    step.typing = map.optional("typing").and_then(typing);
    step.events = map.optional("events").map(Events::read).unwrap_or_default();
    if let Some(written) = map.optional("outcomes") {
        outcomes(written, &mut step, load);
    }
    map.finish();
    if let Verb::Unread(unread) = &mut step.verb {
        unread.ways.extend(step.timeout.as_ref().and_then(|timeout| timeout.goto.clone()));
    }
    step
}

/// The verb of a step.
fn verb<'a>(key: &Spanned<String>, map: &mut Map<'a>, load: &mut Load<'a>) -> Verb {
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
    match verbs.as_slice() {
        [verb] => return read_as(verb, id, map, load),
        [] if map.key_at("goto").is_some() || map.key_at("end").is_some() => return Verb::Pass,
        [] => {
            for verb in VERBS {
                map.has(verb);
            }
            // A verb that was mistyped is told as the unknown key that it is.
            if !map.entries().iter().any(|(key, _)| nearest(&key.value, VERBS).is_some()) {
                let noted = load.report.error(&key.at, "G208", format!("the step \"{id}\" does nothing"));
                noted.hint(format!("a step has one of {}", list_words(&VERBS)));
            }
        }
        many => {
            let noted =
                load.report.error(&key.at, "G208", format!("the step \"{id}\" does {}", many.join(" and ")));
            noted.hint("one step, one verb: make two steps of it");
        }
    }
    let verbs = verbs.iter().map(|verb| read_as(verb, id, map, load)).collect();
    Verb::Unread(Unread { verbs, ways: Vec::new() })
}

/// Reads what a step says about one verb.
fn read_as<'a>(verb: &str, id: &str, map: &mut Map<'a>, load: &mut Load<'a>) -> Verb {
    match verb {
        "say" => Verb::Say(Say::read(id, map, load)),
        "show" => Verb::Show(Show::read(id, map, load)),
        "ask" => Verb::Ask(Box::new(Ask::read(id, map, load))),
        "form" => Verb::Form(Form::read(id, map, load)),
        "set" => Verb::Set(Set::read(map, load)),
        "switch" => Verb::Switch(Switch::read(map, load)),
        "do" => Verb::Do(Act::read(id, map, load)),
        "wait_for" => Verb::WaitFor(WaitFor::read(map)),
        "handoff" => Verb::Handoff(Handoff::read(id, map, load)),
        "book" => Verb::Book(Book::read(id, map, load)),
        "call" => Verb::Call(Call::read(map)),
        "split" => Verb::Split(Split::read(map, load)),
        _ => Verb::Pass,
    }
}

/// Where a step says that its outcomes lead.
fn outcomes(written: View<'_>, step: &mut Step, load: &Load<'_>) {
    let Some(map) = written.map() else {
        let others = step.verb.outcomes().iter().filter(|outcome| step.verb.main() != Some(**outcome));
        step.outcomes = others.map(|outcome| (*outcome, Target::unread(written.at()))).collect();
        return;
    };
    for (word, view) in map.entries() {
        let of_verb: &[Outcome] = match &step.verb {
            Verb::Unread(_) => &Outcome::ALL,
            verb => verb.outcomes(),
        };
        let Some(outcome) = of_verb.iter().find(|outcome| outcome.word() == word.value) else {
            let known = of_verb.iter().map(|outcome| outcome.word());
            let message = format!("a {} step has no outcome \"{}\"", step.verb.word(), word.value);
            load.report.error(&word.at, "Y003", message).did_you_mean(&word.value, known);
            continue;
        };
        match &mut step.verb {
            Verb::Unread(unread) => unread.ways.push(Target::read(view)),
            _ => step.outcomes.extend([(*outcome, Target::read(view))]),
        }
    }
}

/// A map's text under a key, with its translations.
pub fn words<'a>(id: &str, field: &'static str, map: &mut Map<'a>, load: &mut Load<'a>) -> Words {
    let key = format!("{id}.{field}");
    match map.required(field) {
        Some(view) => load.words(&key, view),
        None => load.unread(&key, map.at),
    }
}

/// The step that a key leads to.
fn way(key: &'static str, map: &mut Map<'_>) -> Target {
    map.required(key).map_or_else(|| Target::unread(map.at), Target::read)
}

/// A name under a key, which is looked for elsewhere; empty where there is none to look for ([`is_read`]).
fn name(key: &'static str, map: &mut Map<'_>) -> Spanned<String> {
    map.required(key).map_or_else(|| unread(map.at), |view| named(view, "a name"))
}

/// A name, or Y004 and what stands for one.
pub fn named(view: View<'_>, wanted: &str) -> Spanned<String> {
    match view.spanned() {
        Some(name) if name.value.trim().is_empty() => view.wrong(wanted).unwrap_or_else(|| unread(view.at())),
        name => name.unwrap_or_else(|| unread(view.at())),
    }
}

/// What stands for a name that could not be read.
pub fn unread(at: &Mark) -> Spanned<String> {
    Spanned { value: String::new(), at: at.clone() }
}

/// Whether there is a name; that there is none was told when it was read.
pub fn is_read(name: &Spanned<String>) -> bool {
    !name.value.is_empty()
}
