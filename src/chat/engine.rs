//! The flow engine: `(flow, state, input, world) → turn`, without any I/O.
//!
//! A turn appends events to the log, asks for effects and says when it wants to be woken. The same state, input
//! and world always give the same turn. While a person speaks, the flow says nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map as JsonMap, Value as Json};

use crate::base::expr::Context;
use crate::base::time::Timestamp;

use super::body::{Author, Body, Booked, Face, Mode, Progress, Said, Slot, Video};
use super::effects::Effect;
use super::flow::{Destination, Flow, Next, Outcome, Step, Typing, Words};
use super::phrases::{self, Phrase};
use super::question::{HIDDEN, Kind, Question, is_code};
use super::steps::show::HER_RECORDING;
use super::steps::{Verb, WaitFor};
use super::symbols;
use super::text::Reader;
use super::versions::{self, Fate};

/// The trust from which on what is stored about a person may be used: confirmed.
pub const CONFIRMED: u8 = 3;

/// The trust in an address that was only typed.
const CLAIMED: u8 = 1;

/// More steps in one turn than any sound flow takes; the checker proves that there is no endless circle, this
/// holds where the proof has a gap.
const MAX_STEPS: usize = 200;

/// What the engine may know of the world at this moment.
#[derive(Clone)]
pub struct World {
    pub now: Timestamp,
    pub reader: Reader,
    /// The visitor's time zone by its IANA name.
    pub zone: String,
    /// How sure it is who she is, 0 to 4.
    pub trust: u8,
    /// The fields of `symbols.rs`. What belongs to a person is set aside below [`CONFIRMED`].
    pub facts: Context,
    /// What is stored about the person, by variable; used only from [`CONFIRMED`] on.
    pub known: BTreeMap<String, Json>,
    /// Whether an e-mail address is known to book with.
    pub has_email: bool,
    /// How many people of the company are there.
    pub online: Crowd,
    /// Recordings that can be shown, by id.
    pub recordings: BTreeMap<String, Video>,
    pub props: Props,
}

/// How many people of the company take chats now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crowd {
    /// All of them.
    pub all: u32,
    /// Those whom a conversation for a team can be offered to: of the team, or of the one that stands in for it.
    pub teams: BTreeMap<String, u32>,
}

impl Crowd {
    /// Whom a conversation for a team can be offered to; a team that is declared nowhere is everybody.
    pub fn of(&self, team: &str) -> u32 {
        self.teams.get(team).copied().unwrap_or(self.all)
    }
}

/// What chance depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Props {
    /// Stays the same for one visitor: her arms of A/B tests follow from it.
    pub seed: String,
    /// Arms that are not left to chance, by the step that splits; for tests of flows.
    pub arms: BTreeMap<String, String>,
}

/// Something that comes in.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The visitor says, picks or types something.
    Said(Said),
    /// The time that was asked for has come.
    Tick,
    /// So much of a recording has been seen by now.
    Watched {
        recording: String,
        percent: u8,
    },
    /// The page tells of an event of its own.
    Event {
        name: String,
    },
    AgentAccepted {
        agent: Face,
    },
    AgentReturned,
    AgentClosed,
    Slots {
        slots: Vec<Slot>,
        more: bool,
    },
    NoSlots,
    Booked(Booked),
    SlotTaken {
        alternatives: Vec<Slot>,
    },
    NotBooked {
        alternatives: Vec<Slot>,
    },
    Done,
    Failed,
    /// The digits of a code were not right; there are tries left.
    CodeWrong,
    /// A code went to this address so recently, or so often, that no other may follow now.
    CodeTooSoon,
}

impl Input {
    /// Whether somebody has done something, she or one of the team; the others are what the flow itself has led to.
    fn is_somebodys(&self) -> bool {
        match self {
            Input::Said(_)
            | Input::Watched { .. }
            | Input::Event { .. }
            | Input::AgentAccepted { .. }
            | Input::AgentReturned
            | Input::AgentClosed
            | Input::Booked(_) => true,
            Input::Tick
            | Input::Slots { .. }
            | Input::NoSlots
            | Input::SlotTaken { .. }
            | Input::NotBooked { .. }
            | Input::Done
            | Input::Failed
            | Input::CodeWrong
            | Input::CodeTooSoon => false,
        }
    }
}

/// Why an input was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The question has been answered or left behind.
    #[error("this question is over")]
    QuestionOver,
    /// The conversation is closed.
    #[error("the conversation is closed")]
    Closed,
    /// Nothing here waits for that.
    #[error("nothing waits for this now")]
    NotNow,
}

/// Where in a step the conversation stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// A question is open.
    Asking,
    /// The questions that a form still has, and the one that is open.
    Form {
        open: Vec<String>,
        at: usize,
    },
    Watching,
    /// An effect's answer is awaited, in this very turn.
    Answer,
    /// An e-mail address is asked for, to book with.
    Email,
    /// Times are offered: the last of them, and whether there are later ones.
    Slots {
        last: Option<Timestamp>,
        more: bool,
    },
    /// She is asked whether she wants to be told when a time is free; whether she has looked at some that did not fit.
    Waitlist {
        looked: bool,
    },
    /// Somebody has been asked to come.
    Waiting,
    /// Somebody speaks.
    Human,
    Ended,
}

/// Where a conversation stands in its flow. Kept with the conversation as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub flow: String,
    pub version: String,
    pub step: String,
    /// The step's contract when it was entered: whether a changed flow can go on from here.
    pub contract: String,
    #[serde(flatten)]
    pub phase: Phase,
    /// Counts steps entered; makes the keys of effects unique.
    pub visit: u32,
    pub retries: u32,
    pub deadline: Option<Timestamp>,
    pub vars: JsonMap<String, Json>,
    /// Which recording each `show` step showed.
    pub shown: BTreeMap<String, String>,
    pub agent: Option<String>,
    /// The team that somebody was asked of.
    #[serde(default)]
    pub team: Option<String>,
    pub booking: Option<Booked>,
    /// She has asked for other times than those offered first.
    pub looked_on: bool,
    /// She has typed an address in this conversation.
    pub email_given: bool,
    /// Variables that she did not fill: what was stored about the person that the device is known to belong to.
    #[serde(default)]
    pub recalled: Vec<String>,
    /// A code is on its way to her address.
    #[serde(default)]
    pub code_sent: bool,
    /// How many more codes she has asked for at this step.
    #[serde(default)]
    pub codes_again: u32,
    /// When she began to wait for a person.
    #[serde(default)]
    pub waiting_since: Option<Timestamp>,
    /// It went on on another device by a link: nothing that is stored about a person is used any more.
    #[serde(default)]
    pub resumed: bool,
    /// What she typed and no question took, the latest last; at most [`UNHEARD_LENGTH`] characters.
    #[serde(default)]
    pub unheard: String,
    /// How often the flow has gone on by time alone since anybody did something.
    #[serde(default)]
    pub alone: u32,
    pub outcome: Option<String>,
    /// The steps entered so far.
    pub path: Vec<String>,
}

/// An event to append to the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Out {
    pub author: Author,
    pub body: Body,
}

/// What came of an input.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    pub state: State,
    pub mode: Mode,
    pub events: Vec<Out>,
    pub effects: Vec<Effect>,
    /// When to come back with [`Input::Tick`].
    pub wake_at: Option<Timestamp>,
    /// The ways out of steps that were taken, in order.
    pub passed: Vec<Passed>,
}

/// A way out of a step that was taken: the word of an outcome, a choice with a way of its own (`choice now`), a
/// branch (`if team.online > 0`, `else`), an arm (`arm short`), an end of a called flow (`end done`), or [`HUMAN`] and
/// [`STOP`] for wishes that lead away from any step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Passed {
    pub step: String,
    pub exit: String,
}

/// The exit of whoever asks for a person.
pub const HUMAN: &str = "human_requested";
/// The exit of whoever wants to be left alone.
pub const STOP: &str = "stop_requested";

/// So often a flow goes on by time alone; then nobody is there any more, and it ends as [`UNANSWERED`].
pub const MOST_ALONE: u32 = 50;
/// So much is kept of what no question took: the latest words.
pub const UNHEARD_LENGTH: usize = 1_000;
/// The end of a conversation whose visitor has long gone.
pub const UNANSWERED: &str = "unanswered";

/// What a step wants after it has been entered or heard something.
#[derive(Clone, Debug, PartialEq)]
pub enum After {
    Stay,
    Outcome(Outcome),
    Jump(String),
}

/// Begins a conversation.
pub fn open(flow: &Flow, world: &World) -> Turn {
    open_at(flow, flow.first().map(|step| step.id.as_str()).unwrap_or_default(), world)
}

/// Begins a conversation in which a person of the company has the word. If she gives it back, the flow begins at its
/// first step.
pub fn open_with(flow: &Flow, agent: &Face, world: &World) -> Turn {
    let mut state = blank(flow);
    if let Some(step) = flow.first() {
        state.step.clone_from(&step.id);
        state.contract = step.verb.contract();
    }
    state.phase = Phase::Human;
    state.agent = Some(agent.name.clone());
    let mut run = Run::new(flow, world, state);
    run.mode(Mode::Human, Some(agent.clone()), None);
    run.turn()
}

/// Begins a conversation at a step of choice, for trying out and for tests.
pub fn open_at(flow: &Flow, step: &str, world: &World) -> Turn {
    let mut run = Run::new(flow, world, blank(flow));
    run.go(After::Jump(step.to_owned()));
    run.turn()
}

/// What is kept of a conversation before its first step.
fn blank(flow: &Flow) -> State {
    State {
        flow: flow.id.clone(),
        version: flow.version.clone(),
        step: String::new(),
        contract: String::new(),
        phase: Phase::Answer,
        visit: 0,
        retries: 0,
        deadline: None,
        vars: JsonMap::new(),
        shown: BTreeMap::new(),
        agent: None,
        team: None,
        booking: None,
        looked_on: false,
        email_given: false,
        recalled: Vec::new(),
        code_sent: false,
        codes_again: 0,
        waiting_since: None,
        resumed: false,
        unheard: String::new(),
        alone: 0,
        outcome: None,
        path: Vec::new(),
    }
}

/// Goes on with a conversation.
///
/// # Errors
/// [`Refused`] if nothing waits for the input; then nothing has changed.
pub fn turn(flow: &Flow, state: &State, input: &Input, world: &World) -> Result<Turn, Refused> {
    let mut run = Run::new(flow, world, state.clone());
    if state.phase == Phase::Ended {
        return Err(Refused::Closed);
    }
    if *input == Input::Tick && state.deadline.is_none_or(|deadline| deadline > world.now) {
        return Ok(run.turn());
    }
    match input {
        Input::Tick => run.state.alone = state.alone.saturating_add(1),
        input if input.is_somebodys() => run.state.alone = 0,
        _ => {}
    }
    if run.state.alone > MOST_ALONE {
        run.end(UNANSWERED);
        return Ok(run.turn());
    }
    let (step, is_changed) = match versions::fate(flow, state) {
        Fate::Same(step) => (step, false),
        Fate::GoesOn(step) => (run.adopt(step), false),
        // What a page tells by itself brings nobody to speak.
        Fate::AsksAgain(step) if !concerns(step, state, input) => return Ok(run.turn()),
        Fate::AsksAgain(step) => (run.adopt(step), true),
        Fate::Gone => {
            run.carry_over();
            run.lost(input)?;
            return Ok(run.turn());
        }
    };
    let moved = renamed(flow, input);
    let input = moved.as_ref().unwrap_or(input);
    let with_person = matches!(state.phase, Phase::Waiting | Phase::Human);
    if !with_person && let Some((said, to)) = run.interrupted(step, input) {
        run.echo(said)?;
        run.leave_by(if phrases::wishes_a_person(said) { HUMAN } else { STOP });
        run.go(After::Jump(to));
        return Ok(run.turn());
    }
    if !matches!(step.verb, Verb::Handoff(_))
        && let Some(after) = run.person(input)?
    {
        run.go(after);
        return Ok(run.turn());
    }
    if is_changed && !matches!(input, Input::AgentAccepted { .. }) {
        run.again(step, input, &state.contract);
        return Ok(run.turn());
    }
    let after = match input {
        Input::Watched { .. } | Input::Event { .. } if !matches!(step.verb, Verb::WaitFor(_)) => After::Stay,
        _ => step.verb.hear(step, input, &mut run)?,
    };
    run.go(after);
    Ok(run.turn())
}

/// Whether an input is a reason to ask again at a step that has changed: what the page tells by itself is one only where
/// it was, or is, waited for.
fn concerns(step: &Step, state: &State, input: &Input) -> bool {
    let is_waited_for = || matches!(step.verb, Verb::WaitFor(_)) || state.phase == Phase::Watching;
    !matches!(input, Input::Watched { .. } | Input::Event { .. }) || is_waited_for()
}

/// An answer that names its question by the id that a step had before it was renamed, with the id that it has now.
fn renamed(flow: &Flow, input: &Input) -> Option<Input> {
    let Input::Said(said) = input else { return None };
    let mut said = said.clone();
    let question = match &mut said {
        Said::Choice { question, .. } | Said::Answer { question, .. } | Said::Slot { question, .. } => {
            question
        }
        _ => return None,
    };
    let (step, field) = question.split_once('.').map_or((question.as_str(), None), |(s, f)| (s, Some(f)));
    if flow.step(step).is_some() {
        return None;
    }
    let now = &flow.migrate.get(step)?.step;
    *question = field.map_or_else(|| now.clone(), |field| format!("{now}.{field}"));
    Some(Input::Said(said))
}

/// A turn in the making: what steps work with.
pub struct Run<'a> {
    pub flow: &'a Flow,
    pub world: &'a World,
    pub state: State,
    pub effects: Vec<Effect>,
    /// The world's facts, without those that this visitor must not be shown.
    facts: Context,
    /// How sure it is who she is, at this point of the turn.
    trust: u8,
    events: Vec<Out>,
    mode: Mode,
    passed: Vec<Passed>,
    /// By which exit the next jump leaves the step.
    by: Option<String>,
}

impl<'a> Run<'a> {
    fn new(flow: &'a Flow, world: &'a World, state: State) -> Self {
        let mode = match state.phase {
            Phase::Waiting => Mode::Waiting,
            Phase::Human => Mode::Human,
            Phase::Ended => Mode::Closed,
            Phase::Asking
            | Phase::Form { .. }
            | Phase::Watching
            | Phase::Answer
            | Phase::Email
            | Phase::Slots { .. }
            | Phase::Waitlist { .. } => Mode::Bot,
        };
        let mut facts = world.facts.clone();
        if world.trust < CONFIRMED {
            facts.retain(|path| !symbols::is_personal(path));
        }
        let (passed, by) = (Vec::new(), None);
        let trust = world.trust;
        Run { flow, world, state, effects: Vec::new(), facts, trust, events: Vec::new(), mode, passed, by }
    }

    fn turn(self) -> Turn {
        let wake_at = self.state.deadline;
        let Run { state, mode, events, effects, passed, .. } = self;
        Turn { state, mode, events, effects, wake_at, passed }
    }

    /// Follows outcomes from step to step until one waits.
    fn go(&mut self, mut after: After) {
        let flow = self.flow;
        for _ in 0..MAX_STEPS {
            self.pass(&after);
            let destination = match &after {
                After::Stay => return,
                After::Jump(step) => flow.step(step).map(Destination::Step),
                After::Outcome(outcome) => {
                    flow.step(&self.state.step).and_then(|step| flow.destination(step, *outcome))
                }
            };
            match destination {
                Some(Destination::Step(step)) => after = self.enter(step),
                Some(Destination::End(outcome)) => return self.end(outcome),
                // The checker lets no such flow through; if one comes all the same, end rather than hang.
                None => return self.end("unhandled"),
            }
        }
        self.end("endless");
    }

    /// Names the exit that the next jump leaves the step by.
    pub fn leave_by(&mut self, exit: impl Into<String>) {
        self.by = Some(exit.into());
    }

    fn pass(&mut self, after: &After) {
        let exit = match after {
            After::Stay => return,
            After::Outcome(outcome) => Some(outcome.word().to_owned()),
            After::Jump(_) => self.by.take(),
        };
        self.passed.extend(exit.map(|exit| Passed { step: self.state.step.clone(), exit }));
        // Where a called flow ends, its caller is left, too.
        if let (After::Outcome(outcome), Some(step)) = (after, self.flow.step(&self.state.step))
            && let (Some(within), Next::End(end)) = (&step.within, &step.next)
            && step.verb.main() == Some(*outcome)
            && self.flow.target(step, *outcome).is_none()
        {
            self.passed.push(Passed { step: within.clone(), exit: format!("end {end}") });
        }
    }

    fn enter(&mut self, step: &'a Step) -> After {
        self.state.step.clone_from(&step.id);
        self.state.contract = step.verb.contract();
        self.state.version.clone_from(&self.flow.version);
        self.state.visit = self.state.visit.saturating_add(1);
        self.state.retries = 0;
        self.state.looked_on = false;
        self.state.deadline = None;
        self.state.path.push(step.id.clone());
        step.verb.enter(step, self)
    }

    fn end(&mut self, outcome: &str) {
        self.state.phase = Phase::Ended;
        self.state.deadline = None;
        self.state.outcome = Some(outcome.to_owned());
        self.mode = Mode::Closed;
        self.system(Body::End { outcome: outcome.to_owned() });
    }

    /// Takes the conversation into the flow as it is now, at the step that its own has become.
    fn adopt(&mut self, step: &'a Step) -> &'a Step {
        self.carry_over();
        self.state.step.clone_from(&step.id);
        self.state.contract = step.verb.contract();
        step
    }

    fn carry_over(&mut self) {
        self.state.version.clone_from(&self.flow.version);
        versions::carry_over(self.flow, &mut self.state);
    }

    /// Begins a step anew that has changed under the conversation. What has come in was meant for the step as it was: her
    /// words stand in the log and can be passed on, and are no answer to what is asked, or has been done, now; unless they
    /// name one of the choices that it has now.
    fn again(&mut self, step: &'a Step, input: &Input, before: &str) {
        let said = match input {
            Input::Said(said) => Some(said),
            _ => None,
        };
        let fits = said.filter(|said| match &step.verb {
            Verb::Ask(ask) => ask.has_choice(step, said, self),
            _ => false,
        });
        if let Some(said) = said.filter(|_| fits.is_none()) {
            self.unasked(said, Some(step), before);
        }
        self.phrase(Phrase::Changed);
        let mut after = self.enter(step);
        let stays = after == After::Stay;
        after = match (&step.verb, input) {
            (Verb::Ask(_), _) if fits.is_some() && stays && self.state.phase == Phase::Asking => {
                step.verb.hear(step, input, self).unwrap_or(After::Stay)
            }
            // Whatever she writes was waited for.
            (Verb::WaitFor(WaitFor::Message), Input::Said(_)) => After::Outcome(Outcome::Reached),
            (Verb::WaitFor(_), Input::Event { .. } | Input::Watched { .. }) if stays => {
                step.verb.hear(step, input, self).unwrap_or(After::Stay)
            }
            _ => {
                // The question need not be asked after all.
                if let Some(said) = fits {
                    self.unasked(said, Some(step), before);
                }
                after
            }
        };
        self.go(after);
    }

    /// Writes down what she said to a step that was another one then, by its contract of that time.
    fn unasked(&mut self, said: &Said, step: Option<&Step>, before: &str) {
        let body = match said {
            Said::Choice { question, choice } => {
                let labels = step.map(|step| step.verb.labels()).unwrap_or_default();
                let label = labels.into_iter().find(|(id, _)| id == choice);
                match label.map(|(_, label)| self.render(label)) {
                    Some(label) => Body::Choice { question: question.clone(), choice: choice.clone(), label },
                    None => Body::text(choice.as_str()),
                }
            }
            Said::Slot { question, starts_at, none_fit } => {
                let zone = starts_at.map(|_| self.world.zone.clone());
                Body::Slot { question: question.clone(), starts_at: *starts_at, none_fit: *none_fit, zone }
            }
            // Digits that prove an address stand in no log, nor with whoever they would be passed on to.
            Said::Text { text } | Said::Answer { value: text, .. }
                if is_code(text) && before == Verb::CODE =>
            {
                return self.visitor(Body::text(HIDDEN));
            }
            Said::Text { text } => Body::text(text.trim()),
            Said::Answer { question, value } => {
                Body::Answer { question: question.clone(), text: value.trim().to_owned() }
            }
            Said::HumanRequested => Body::HumanRequested,
            Said::StopRequested => Body::StopRequested,
        };
        self.visitor(body);
        if !phrases::wishes_a_person(said) && !phrases::wishes_peace(said) {
            self.overheard(said);
        }
    }

    /// A person who steps in where no flow called her: she may at any time, and the step waits until she is gone.
    /// `None` when nobody has stepped in, or is awaited.
    fn person(&mut self, input: &Input) -> Result<Option<After>, Refused> {
        if let Input::AgentAccepted { agent } = input {
            self.state.phase = Phase::Human;
            self.state.deadline = None;
            self.state.agent = Some(agent.name.clone());
            self.mode(Mode::Human, Some(agent.clone()), None);
            return Ok(Some(After::Stay));
        }
        match (&self.state.phase, input) {
            (Phase::Waiting | Phase::Human, Input::Said(said)) => self.echo(said)?,
            (Phase::Waiting | Phase::Human, Input::Watched { .. } | Input::Event { .. }) => {}
            // The step that somebody was asked at is another one by now, and begins.
            (Phase::Waiting, Input::Tick) => {
                self.nobody_came();
                self.phrase(Phrase::Changed);
                return Ok(Some(After::Jump(self.state.step.clone())));
            }
            (Phase::Human, Input::Booked(booked)) => self.booked(booked),
            (Phase::Human, Input::Tick) => {}
            (Phase::Human, Input::AgentReturned) => {
                let text = Phrase::BackToBot.text(self.world.reader.language);
                self.mode(Mode::Bot, None, Some(text.to_owned()));
                return Ok(Some(After::Jump(self.state.step.clone())));
            }
            (Phase::Human, Input::AgentClosed) => self.end("handed_over"),
            (Phase::Waiting | Phase::Human, _) => return Err(Refused::NotNow),
            _ => return Ok(None),
        }
        Ok(Some(After::Stay))
    }

    /// Nobody is awaited any more: the bot has the word.
    pub fn nobody_came(&mut self) {
        self.effects.push(Effect::WithdrawHandoff);
        self.mode(Mode::Bot, None, None);
    }

    /// Whether she asks for a person or wants to be left alone, and where the flow goes on then.
    fn interrupted<'i>(&self, step: &Step, input: &'i Input) -> Option<(&'i Said, String)> {
        let Input::Said(said) = input else { return None };
        let to = match said {
            Said::HumanRequested => self.flow.human_at(Some(step)),
            Said::StopRequested => self.flow.stop_at(Some(step)),
            // A choice that reads like a wish leads where the choice leads.
            Said::Text { text } | Said::Answer { value: text, .. } if self.is_label(step, text) => None,
            Said::Text { text } | Said::Answer { value: text, .. } => match phrases::wish(text)? {
                phrases::Wish::Person => self.flow.human_at(Some(step)),
                phrases::Wish::Peace => self.flow.stop_at(Some(step)),
            },
            Said::Choice { .. } | Said::Slot { .. } => None,
        }?;
        Some((said, to.step.clone()))
    }

    fn is_label(&self, step: &Step, typed: &str) -> bool {
        let typed = typed.trim().to_lowercase();
        step.verb.labels().iter().any(|(_, label)| self.render(label).to_lowercase() == typed)
    }

    /// Goes on although the step is gone from the flow. While a person has the word, takes it or is awaited, the flow is
    /// silent even about this; without her it excuses itself and goes on where a person would be asked for.
    fn lost(&mut self, input: &Input) -> Result<(), Refused> {
        let is_silent = match (&self.state.phase, input) {
            (_, Input::AgentAccepted { .. }) => true,
            (Phase::Human, Input::AgentReturned | Input::AgentClosed) | (Phase::Waiting, Input::Tick) => {
                false
            }
            (phase, _) => matches!(phase, Phase::Human | Phase::Waiting),
        };
        if is_silent {
            return self.person(input).map(drop);
        }
        if let Input::Said(said) = input {
            let before = self.state.contract.clone();
            self.unasked(said, None, &before);
        }
        if self.state.phase == Phase::Waiting {
            self.nobody_came();
        }
        self.phrase(Phrase::Changed);
        let (human, stop) = (self.flow.human.as_ref(), self.flow.stop.as_ref());
        let to = match input {
            Input::Said(said) if phrases::wishes_peace(said) => stop.or(human),
            _ => human.or(stop),
        };
        match to.map(|to| to.step.clone()) {
            Some(step) => self.go(After::Jump(step)),
            None if matches!(input, Input::AgentClosed) => self.end("handed_over"),
            None => self.end("changed"),
        }
        Ok(())
    }

    // What steps say ---------------------------------------------------------------------------

    /// Everything that texts and conditions may read now.
    pub fn values(&self) -> Context {
        let mut values = self.facts.clone();
        for (name, value) in &self.state.vars {
            values.set(&format!("vars.{name}"), value.clone());
        }
        if let Some(booking) = &self.state.booking {
            values.set("booking.upcoming", true);
            values.set("booking.starts_at", booking.starts_at.0);
            values.set("booking.with", booking.with.clone());
        }
        if let Some(agent) = &self.state.agent {
            values.set("agent.name", agent.clone());
        }
        if !self.state.unheard.is_empty() {
            values.set("chat.unheard", self.state.unheard.clone());
        }
        values
    }

    pub fn render(&self, words: &Words) -> String {
        words.render(&self.values(), &self.world.reader)
    }

    pub fn say(&mut self, words: &Words) {
        let text = self.render(words);
        self.bot(Body::text(text));
    }

    pub fn phrase(&mut self, phrase: Phrase) {
        self.bot(Body::text(phrase.text(self.world.reader.language)));
    }

    pub fn bot(&mut self, body: Body) {
        let body = match self.flow.typing(&self.state.step) {
            Typing::Auto => body,
            Typing::None => body.typed(0),
            Typing::Ms(ms) => body.typed(ms),
        };
        self.events.push(Out { author: Author::Bot, body });
    }

    pub fn visitor(&mut self, body: Body) {
        self.events.push(Out { author: Author::Visitor, body });
    }

    fn system(&mut self, body: Body) {
        self.events.push(Out { author: Author::System, body });
    }

    /// Who has the word from now on.
    pub fn mode(&mut self, mode: Mode, agent: Option<Face>, text: Option<String>) {
        self.mode = mode;
        self.system(Body::Status { mode, agent, text });
    }

    pub fn ask(&mut self, id: &str, question: &Question, progress: Option<Progress>) {
        let text = self.render(&question.ask);
        let input = question.input(self);
        self.bot(Body::Ask { question: id.to_owned(), text, input, progress, typing_ms: None });
    }

    /// Writes down what the visitor said, as it is.
    ///
    /// # Errors
    /// [`Refused::QuestionOver`] for an answer to a question that is not open.
    pub fn echo(&mut self, said: &Said) -> Result<(), Refused> {
        let body = match said {
            Said::Text { text } => Body::text(text.trim()),
            Said::HumanRequested => Body::HumanRequested,
            Said::StopRequested => Body::StopRequested,
            Said::Answer { question, value } => {
                Body::Answer { question: question.clone(), text: value.trim().to_owned() }
            }
            Said::Choice { .. } | Said::Slot { .. } => return Err(Refused::QuestionOver),
        };
        self.visitor(body);
        Ok(())
    }

    /// Whether what was said belongs to the question that is open.
    ///
    /// # Errors
    /// [`Refused::QuestionOver`] if it names another one.
    pub fn for_question(&self, said: &Said, id: &str) -> Result<(), Refused> {
        match said {
            Said::Text { .. } | Said::HumanRequested | Said::StopRequested => Ok(()),
            Said::Choice { question, .. } | Said::Answer { question, .. } if question == id => Ok(()),
            Said::Choice { .. } | Said::Answer { .. } | Said::Slot { .. } => Err(Refused::QuestionOver),
        }
    }

    /// An answer that will not do: says so and waits again, or gives up after the last retry.
    pub fn invalid(
        &mut self,
        step: &Step,
        id: &str,
        question: &Question,
        said: &Said,
        phrase: Phrase,
    ) -> After {
        let typed = match said {
            Said::Text { text } => Body::text(text.trim()),
            Said::Answer { value, .. } => {
                Body::Answer { question: id.to_owned(), text: value.trim().to_owned() }
            }
            Said::Choice { choice, .. } => Body::text(choice.as_str()),
            Said::StopRequested => Body::StopRequested,
            Said::HumanRequested | Said::Slot { .. } => Body::HumanRequested,
        };
        self.visitor(typed);
        self.overheard(said);
        self.reject(step, id, question, phrase)
    }

    /// Keeps words that no question took, so that the flow can pass them on. Of many the latest are kept.
    pub fn overheard(&mut self, said: &Said) {
        let (Said::Text { text } | Said::Answer { value: text, .. }) = said else { return };
        let text = text.trim();
        let before = std::mem::take(&mut self.state.unheard);
        let all = if before.is_empty() { text.to_owned() } else { format!("{before}\n{text}") };
        let over = all.chars().count().saturating_sub(UNHEARD_LENGTH);
        self.state.unheard = all.chars().skip(over).collect();
    }

    /// Asks for another answer, or gives up after the last retry.
    pub fn reject(&mut self, step: &Step, id: &str, question: &Question, phrase: Phrase) -> After {
        self.state.retries = self.state.retries.saturating_add(1);
        if self.state.retries > self.flow.retries(step) {
            return After::Outcome(Outcome::Exhausted);
        }
        let text = match &question.invalid {
            Some(words) => self.render(words),
            None => phrase.text(self.world.reader.language).to_owned(),
        };
        self.bot(Body::Invalid { question: id.to_owned(), text });
        self.patience_for(step, question);
        After::Stay
    }

    /// Starts the question's own clock, or else the step's.
    pub fn patience_for(&mut self, step: &Step, question: &Question) {
        match &question.timeout {
            Some(timeout) => self.state.deadline = Some(self.world.now.plus_ms(timeout.after_ms)),
            None => self.patience(step),
        }
    }

    /// Starts the step's clock.
    pub fn patience(&mut self, step: &Step) {
        self.state.deadline = self.flow.timeout(step).map(|timeout| self.world.now.plus_ms(timeout.after_ms));
    }

    // What steps know and keep -----------------------------------------------------------------

    /// What is known under a variable's name: what she said in this conversation, else what is stored about the
    /// person. Nothing of the latter unless she is confirmed.
    pub fn known(&self, name: &str) -> Option<Json> {
        if let Some(said) = self.state.vars.get(name) {
            return Some(said.clone());
        }
        if !self.is_confirmed() {
            return None;
        }
        self.world.known.get(name).filter(|value| !value.is_null()).cloned()
    }

    /// Whether it is certain who she is.
    pub fn is_confirmed(&self) -> bool {
        self.trust >= CONFIRMED
    }

    /// Takes what was known before for the answer to a question that is therefore not asked.
    pub fn recall(&mut self, question: &Question, value: Json) {
        if let Some(name) = &question.var {
            if !self.state.vars.contains_key(name) {
                self.state.recalled.push(name.clone());
            }
            self.state.vars.insert(name.clone(), value);
        }
    }

    pub fn has_email(&self) -> bool {
        self.world.has_email || self.state.email_given
    }

    pub fn recording(&self, named: &str) -> Option<Video> {
        let id = match named {
            HER_RECORDING => self.facts.get(HER_RECORDING).and_then(Json::as_str)?,
            id => id,
        };
        self.world.recordings.get(id).cloned()
    }

    /// Keeps the answer to a question: in its variable, with the contact if the variable says so, and as her
    /// identity if it is an e-mail address.
    pub fn keep(&mut self, question: &Question, value: Json) {
        if let (Kind::Email, Some(email)) = (question.of, value.as_str()) {
            let email = email.to_owned();
            self.identify(&email);
        }
        if let Some(name) = &question.var {
            self.keep_var(name, value);
        }
    }

    pub fn keep_var(&mut self, name: &str, value: Json) {
        if self.flow.vars.get(name).is_some_and(|var| var.save) {
            self.effects.push(Effect::SaveField { name: name.to_owned(), value: value.clone() });
        }
        self.state.recalled.retain(|recalled| recalled != name);
        self.state.vars.insert(name.to_owned(), value);
    }

    /// She has said who she is. If that is somebody else than the one whose device this is known to be, nothing that is
    /// stored about that person is used from here on, in this very turn.
    pub fn identify(&mut self, email: &str) {
        self.state.email_given = true;
        if self.facts.get("contact.email").and_then(Json::as_str) != Some(email) {
            self.trust = self.trust.min(CLAIMED);
            self.facts.retain(|path| !symbols::is_personal(path));
            self.facts.set("trust", self.trust);
            for name in std::mem::take(&mut self.state.recalled) {
                self.state.vars.remove(&name);
            }
        }
        // Whose the fields before it are is only clear now: the identity comes first.
        self.effects.insert(0, Effect::Identify { email: email.to_owned() });
    }

    pub fn booked(&mut self, booked: &Booked) {
        self.state.booking = Some(booked.clone());
        self.bot(Body::Booked(booked.clone()));
    }

    /// A key that is the same when the turn is repeated and different for every other one.
    pub fn key(&self, step: &Step) -> String {
        format!("{}:{}", step.id, self.state.visit)
    }
}
