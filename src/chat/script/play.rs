//! A test is played: line by line, with everything that was expected and everything that came.

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::Value as Json;

use crate::base::diagnostic::{Mark, Report};
use crate::base::time::Timestamp;
use crate::base::yaml::View;

use super::explore::{Explored, explore};
use super::scene::set_up;
use super::update::Rewrite;
use super::{Expect, Expected, Line, Move, Test, told};
use crate::chat::body::{Author, Body, Said};
use crate::chat::effects::Effect;
use crate::chat::engine::{Input, Out, Passed};
use crate::chat::flow::{Flow, When};
use crate::chat::rehearsal::{Rehearsal, Scene, says, sight};

/// How a test went.
pub struct Outcome {
    pub name: String,
    pub at: Mark,
    /// Empty when it passed: the place in the script, and what was expected and came.
    pub failures: Vec<(Mark, String)>,
    /// What was expected beside what came, in order.
    pub rows: Vec<Row>,
    /// The steps that it entered.
    pub steps: BTreeSet<String>,
    /// The ways out of steps that it took.
    pub passed: BTreeSet<Passed>,
    /// Texts that came instead of those that were expected word for word.
    pub rewrites: Vec<Rewrite>,
    /// What walking every way has found, if the test asks for it.
    pub explored: Option<Explored>,
}

/// One line of a transcript in two columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub at: Mark,
    pub expected: String,
    pub came: String,
    pub fits: bool,
}

/// The kinds of effects, as tests call them.
pub(super) const EFFECTS: [&str; 11] = [
    "identify",
    "save",
    "handoff",
    "withdraw_handoff",
    "code",
    "check_code",
    "split",
    "slots",
    "book",
    "wait",
    "do",
];

impl Test {
    /// Plays the test. `all` are the flows that a visit can be offered, the one under test among them.
    pub fn play(&self, flow: &Flow, all: &[Arc<Flow>]) -> Outcome {
        let mut player = Player {
            flow,
            all,
            scene: self.scene.clone(),
            play: None,
            opens_at: None,
            waits: false,
            recording: None,
            heard: VecDeque::new(),
            rows: Vec::new(),
            failures: Vec::new(),
            rewrites: Vec::new(),
        };
        let by_visit = self.script.iter().any(|(_, line)| matches!(line, Line::Visit { .. }));
        if !by_visit && (self.explore.is_none() || !self.script.is_empty()) {
            player.open(self.start_at.as_ref().map(|step| step.value.as_str()));
        }
        for (at, line) in &self.script {
            player.line(at, line);
        }
        let end = self.script.last().map_or(&self.name.at, |(at, _)| at).clone();
        player.nothing_more(&end);
        let mut outcome = Outcome {
            name: self.name.value.clone(),
            at: self.name.at.clone(),
            failures: player.failures,
            rows: player.rows,
            steps: BTreeSet::new(),
            passed: BTreeSet::new(),
            rewrites: player.rewrites,
            explored: None,
        };
        if let Some(play) = &player.play {
            self.expect.check(play, &mut outcome.failures);
            outcome.steps = play.state.path.iter().cloned().collect();
            outcome.passed = play.passed.iter().cloned().collect();
        }
        if let Some(how) = &self.explore {
            let start = self.start_at.as_ref().map(|step| step.value.as_str());
            let explored = explore(flow, &self.scene, start, how);
            outcome.failures.extend(explored.findings.iter().map(|f| (self.name.at.clone(), f.to_string())));
            outcome.explored = Some(explored);
        }
        outcome
    }
}

/// A test in progress.
struct Player<'f> {
    flow: &'f Flow,
    all: &'f [Arc<Flow>],
    /// The world until the conversation is open; from then on the rehearsal's.
    scene: Scene,
    play: Option<Rehearsal<'f>>,
    /// When the flow that was offered opens by itself.
    opens_at: Option<Timestamp>,
    /// The flow was offered and waits until she opens the chat.
    waits: bool,
    /// The recording that was shown last.
    recording: Option<String>,
    /// What came and was not yet expected; the visitor's own words are no news.
    heard: VecDeque<Body>,
    rows: Vec<Row>,
    failures: Vec<(Mark, String)>,
    rewrites: Vec<Rewrite>,
}

impl<'f> Player<'f> {
    fn open(&mut self, at: Option<&str>) {
        let (play, events) = Rehearsal::open(self.flow, self.scene.clone(), at);
        self.play = Some(play);
        (self.opens_at, self.waits) = (None, false);
        self.hear(events);
    }

    fn hear(&mut self, events: Vec<Out>) {
        let news = events.into_iter().filter(|out| out.author != Author::Visitor).map(|out| out.body);
        self.heard.extend(news);
        for body in &self.heard {
            if let Body::Video(video) = body {
                self.recording = Some(video.recording.clone());
            }
        }
    }

    fn line(&mut self, at: &Mark, line: &Line) {
        if let Line::Bot(expected) = line {
            return self.expect(at, expected);
        }
        self.nothing_more(at);
        let problem = self.act(line).err();
        let told = line.told();
        let came = problem.clone().unwrap_or_else(|| told.clone());
        self.rows.push(Row { at: at.clone(), expected: told, came, fits: problem.is_none() });
        self.failures.extend(problem.map(|problem| (at.clone(), problem)));
    }

    /// Does what a line that is not the bot's says.
    fn act(&mut self, line: &Line) -> Result<(), String> {
        match line {
            Line::Bot(_) => return Ok(()),
            Line::Visit { path, returning, offers } => {
                let wanted = offers.as_ref().map(|offers| offers.value.as_str());
                return self.visit(path, *returning, wanted.unwrap_or(&self.flow.id));
            }
            Line::Advance { ms } => {
                self.advance(*ms);
                return Ok(());
            }
            Line::Until(until) => {
                let ms = until.since_ms(self.now());
                if ms < 0 {
                    return Err(format!("{until} is over: it is {}", self.now()));
                }
                self.advance(ms);
                return Ok(());
            }
            Line::Scene(node) => {
                let scene = self.play.as_mut().map_or(&mut self.scene, |play| &mut play.scene);
                set_up(scene, View { node, report: &Report::new() });
                return Ok(());
            }
            Line::Visitor(Move::Opens) if self.play.is_none() => {
                let is_offered = self.waits || self.opens_at.is_some();
                self.open(None);
                return if is_offered { Ok(()) } else { Err("nothing waits for her in the chat".to_owned()) };
            }
            Line::Visitor(_) | Line::Watched { .. } | Line::Event(_) | Line::Agent(_) => {}
        }
        let Some(play) = &mut self.play else { return Err("the chat is not open".to_owned()) };
        let input = match line {
            Line::Visitor(does) => moved(does, play)?,
            Line::Watched { recording, percent } => {
                let recording = recording.clone().or_else(|| self.recording.clone()).unwrap_or_default();
                Input::Watched { recording, percent: *percent }
            }
            Line::Event(name) => Input::Event { name: name.clone() },
            Line::Agent("accepts") => Input::AgentAccepted { agent: Rehearsal::agent() },
            Line::Agent("returns") => Input::AgentReturned,
            Line::Agent("books") => play.booked_by_agent().ok_or("there is no free time to book")?,
            Line::Agent(_) => Input::AgentClosed,
            Line::Bot(_) | Line::Visit { .. } | Line::Advance { .. } | Line::Until(_) | Line::Scene(_) => {
                return Ok(());
            }
        };
        let events = play.play(&input).map_err(|refused| refused.to_string())?;
        self.hear(events);
        Ok(())
    }

    fn now(&self) -> Timestamp {
        self.play.as_ref().map_or(self.scene.now, |play| play.scene.now)
    }

    fn advance(&mut self, ms: i64) {
        let until = self.now().plus_ms(ms);
        if let Some(at) = self.opens_at.filter(|at| *at <= until) {
            self.scene.now = self.scene.now.max(at);
            self.open(None);
        }
        let left = until.since_ms(self.now());
        match &mut self.play {
            Some(play) => {
                let events = play.advance(left);
                self.hear(events);
            }
            None => self.scene.now = until,
        }
    }

    /// A page is viewed: the flow of the highest priority whose trigger fits offers itself.
    fn visit(&mut self, path: &str, returning: bool, wanted: &str) -> Result<(), String> {
        let scene = self.play.as_mut().map_or(&mut self.scene, |play| &mut play.scene);
        scene.facts.set("visit.path", path).set("visit.returning", returning);
        let offered = match self.play {
            Some(_) => None,
            None => offered(self.all, &self.scene, path),
        };
        let name = offered.map_or("none", |flow| flow.id.as_str());
        if name != wanted {
            return Err(format!("{wanted} should be offered, it is {name}"));
        }
        if let Some(trigger) = offered.filter(|flow| flow.id == self.flow.id).and_then(|f| f.trigger.as_ref())
        {
            self.waits = true;
            self.opens_at =
                trigger.open.then(|| self.scene.now.plus_ms(trigger.moment.at_rest_ms().unwrap_or(0)));
            self.advance(0);
        }
        Ok(())
    }

    fn nothing_more(&mut self, at: &Mark) {
        for body in std::mem::take(&mut self.heard) {
            if !matches!(body, Body::Status { .. }) {
                let came = told(&body);
                self.failures.push((at.clone(), format!("nobody expected {came}")));
                self.rows.push(Row { at: at.clone(), expected: String::new(), came, fits: false });
            }
        }
    }

    fn expect(&mut self, at: &Mark, expected: &Expected) {
        if !matches!(expected, Expected::Mode(_)) {
            while matches!(self.heard.front(), Some(Body::Status { .. })) {
                self.heard.pop_front();
            }
        }
        let wanted = expected.told();
        let Some(body) = self.heard.pop_front() else {
            self.failures.push((at.clone(), format!("expected {wanted}, nothing came")));
            self.rows.push(Row { at: at.clone(), expected: wanted, came: String::new(), fits: false });
            return;
        };
        let (came, fits) = (told(&body), expected.fits(&body));
        if !fits {
            self.failures.push((at.clone(), format!("expected {wanted}, came {came}")));
            if let (Expected::Says(old), Body::Text { text, .. } | Body::Ask { text, .. }) = (expected, &body)
            {
                let (at, old) = (old.at.clone(), old.value.clone());
                self.rewrites.push(Rewrite { at, old, new: text.clone() });
            }
        }
        self.rows.push(Row { at: at.clone(), expected: wanted, came, fits });
    }
}

/// The flow that a page view would be offered in a scene.
fn offered<'f>(all: &'f [Arc<Flow>], scene: &Scene, path: &str) -> Option<&'f Flow> {
    let facts = sight(scene);
    let address = format!("https://example.com{path}");
    let mut flows: Vec<&Flow> = all.iter().map(AsRef::as_ref).collect();
    flows.sort_by_key(|flow| Reverse(flow.trigger.as_ref().map_or(i64::MIN, |trigger| trigger.priority)));
    flows.into_iter().find(|flow| {
        flow.trigger.as_ref().is_some_and(|trigger| {
            trigger.when == When::PageView
                && trigger.pages.fits(&address)
                && trigger.condition.as_ref().is_none_or(|condition| condition.holds(&facts))
        })
    })
}

/// What she does, as an input; or why she cannot.
fn moved(does: &Move, play: &Rehearsal<'_>) -> Result<Input, String> {
    let question = play.open_question();
    Ok(match does {
        Move::Types(text) => says(text),
        Move::Chooses(choice) => Input::Said(Said::Choice { question, choice: choice.clone() }),
        Move::TakesSlot(number) => {
            let slot = number.checked_sub(1).and_then(|index| play.offered().get(index));
            let slot = slot.ok_or_else(|| not_offered(*number, play.offered().len()))?;
            Input::Said(Said::Slot { question, starts_at: Some(slot.starts_at), none_fit: false })
        }
        Move::NoneFits => Input::Said(Said::Slot { question, starts_at: None, none_fit: true }),
        Move::WantsAPerson => Input::Said(Said::HumanRequested),
        Move::WantsToBeLeft => Input::Said(Said::StopRequested),
        Move::Opens => {
            return Err("the chat is open already: a script without a `visit` begins with it open".to_owned());
        }
    })
}

/// That there is no slot of this number.
fn not_offered(number: usize, offered: usize) -> String {
    match offered {
        0 => "no slot is offered".to_owned(),
        1 => format!("slot {number} is not offered: there is one"),
        many => format!("slot {number} is not offered: there are {many}"),
    }
}

impl Expect {
    fn check(&self, play: &Rehearsal<'_>, failures: &mut Vec<(Mark, String)>) {
        let state = &play.state;
        let mut fail = |at: &Mark, message: String| failures.push((at.clone(), message));
        if let Some(end) = &self.end
            && state.outcome.as_deref() != Some(&end.value)
        {
            let step = &state.step;
            let came = match &state.outcome {
                Some(outcome) => format!("it ended as \"{outcome}\" at {step}"),
                None => format!("it is not over and stands at {step}"),
            };
            fail(&end.at, format!("expected the end \"{}\", {came}", end.value));
        }
        if let Some(at) = &self.at
            && state.step != at.value
        {
            fail(&at.at, format!("expected to stand at {}, it stands at {}", at.value, state.step));
        }
        if let Some((mark, path)) = &self.path
            && state.path != *path
        {
            fail(mark, format!("the path was [{}]", state.path.join(", ")));
        }
        for (name, value) in &self.saved {
            let saved = play.effects.iter().rev().find_map(|effect| match effect {
                Effect::SaveField { name: field, value } if *field == name.value => Some(plain(value)),
                _ => None,
            });
            if saved.as_deref() != Some(value) {
                let came =
                    saved.map_or_else(|| "nothing is".to_owned(), |saved| format!("it is \"{saved}\""));
                fail(&name.at, format!("{} should be kept as \"{value}\", {came}", name.value));
            }
        }
        for (name, value) in &self.vars {
            let now = state.vars.get(&name.value).map(plain);
            if now.as_deref() != Some(value) {
                let came =
                    now.map_or_else(|| "it has no value".to_owned(), |now| format!("it holds \"{now}\""));
                fail(&name.at, format!("{} should hold \"{value}\", {came}", name.value));
            }
        }
        let done: Vec<String> = play.effects.iter().map(effect_word).collect();
        for wanted in &self.effects {
            let word = &wanted.word.value;
            let mut same = play.effects.iter().filter(|effect| effect_word(effect) == *word).peekable();
            if same.peek().is_none() {
                let came = if done.is_empty() { "nothing".to_owned() } else { done.join(", ") };
                fail(&wanted.word.at, format!("{word} did not happen; there was {came}"));
                continue;
            }
            let texts: Vec<Vec<(String, String)>> = same.map(particulars).collect();
            if !texts.iter().any(|texts| wanted.with.iter().all(|pair| texts.contains(pair))) {
                fail(&wanted.word.at, format!("{word} happened with {}", with(&texts)));
            }
        }
        for unwanted in &self.never {
            let word = &unwanted.value;
            let is_it = |done: &&String| *done == word || done.split('/').next() == Some(word);
            if let Some(done) = done.iter().find(is_it) {
                fail(&unwanted.at, format!("{done} happened"));
            } else if state.path.contains(word) {
                fail(&unwanted.at, format!("it came to the step {word}"));
            }
        }
    }
}

/// What tests call an effect.
fn effect_word(effect: &Effect) -> String {
    match effect {
        Effect::Identify { .. } => "identify".to_owned(),
        Effect::SaveField { name, .. } => format!("save/{name}"),
        Effect::Handoff { team } => format!("handoff/{team}"),
        Effect::WithdrawHandoff => "withdraw_handoff".to_owned(),
        Effect::SendCode => "code".to_owned(),
        Effect::CheckCode { .. } => "check_code".to_owned(),
        Effect::Split { step, arm } => format!("split/{step}/{arm}"),
        Effect::OfferSlots { meeting, .. } => format!("slots/{meeting}"),
        Effect::Book { meeting, .. } => format!("book/{meeting}"),
        Effect::WaitForTime { meeting, .. } => format!("wait/{meeting}"),
        Effect::Do { action, .. } => format!("do/{action}"),
    }
}

/// The texts that go with an effect.
fn particulars(effect: &Effect) -> Vec<(String, String)> {
    match effect {
        Effect::Identify { email } => vec![("email".to_owned(), email.clone())],
        Effect::SaveField { value, .. } => vec![("value".to_owned(), plain(value))],
        Effect::Do { with, .. } => with.clone().into_iter().collect(),
        Effect::Book { starts_at, .. } => vec![("starts_at".to_owned(), starts_at.to_string())],
        Effect::Handoff { .. }
        | Effect::WithdrawHandoff
        | Effect::WaitForTime { .. }
        | Effect::SendCode
        | Effect::CheckCode { .. }
        | Effect::Split { .. }
        | Effect::OfferSlots { .. } => Vec::new(),
    }
}

/// What went with effects, for people.
fn with(texts: &[Vec<(String, String)>]) -> String {
    let one = |texts: &Vec<(String, String)>| match texts.as_slice() {
        [] => "nothing".to_owned(),
        some => some.iter().map(|(name, text)| format!("{name}: \"{text}\"")).collect::<Vec<_>>().join(", "),
    };
    texts.iter().map(one).collect::<Vec<_>>().join("; then with ")
}

fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}
