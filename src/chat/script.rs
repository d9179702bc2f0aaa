//! Flow tests written in YAML: a scene, a script of turns, and what has to come of it.
//!
//! The clock is moved by the script, calendar and colleagues are of cardboard, nothing touches the network.
//! A bot event that the script does not expect fails the test, so that a flow cannot grow a stray message unseen.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value as Json;

use crate::base::diagnostic::{Mark, Report};
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::base::yaml::{Doc, Kind, Map, Spanned, View};

use super::body::{Author, Body, Input as Shape, Said, Video};
use super::effects::Effect;
use super::engine::Input;
use super::flow::Flow;
use super::rehearsal::{Rehearsal, Scene, says};

/// The tests of one flow.
#[derive(Clone)]
pub struct Suite {
    pub flow: Spanned<String>,
    pub tests: Vec<Test>,
}

/// One test.
#[derive(Clone)]
pub struct Test {
    pub name: Spanned<String>,
    scene: Scene,
    start_at: Option<Spanned<String>>,
    script: Vec<(Mark, Line)>,
    expect: Expect,
}

/// One line of a script.
#[derive(Clone, Debug)]
enum Line {
    Bot(Expected),
    Visitor(Move),
    Watched { recording: Option<String>, percent: u8 },
    Advance { ms: i64 },
    Agent(&'static str),
}

/// What the bot is expected to do next.
#[derive(Clone, Debug)]
enum Expected {
    Says(String),
    Contains(String),
    Asks { question: String, choices: Vec<String>, slots: Option<usize> },
    Invalid(String),
    Shows(String),
    Books,
    Ends(String),
    Mode(String),
}

/// What the visitor does.
#[derive(Clone, Debug)]
enum Move {
    Types(String),
    Chooses(String),
    TakesSlot(usize),
    NoneFits,
    WantsAPerson,
}

#[derive(Clone, Default)]
struct Expect {
    end: Option<Spanned<String>>,
    at: Option<Spanned<String>>,
    path: Option<(Mark, Vec<String>)>,
    saved: Vec<(Spanned<String>, String)>,
    effects: Vec<Spanned<String>>,
    never: Vec<Spanned<String>>,
}

/// How a test went.
pub struct Outcome {
    pub name: String,
    pub at: Mark,
    /// Empty when it passed: the place in the script, and what was expected and came.
    pub failures: Vec<(Mark, String)>,
    /// The steps that it entered.
    pub steps: BTreeSet<String>,
}

impl Suite {
    /// Reads a file of tests.
    pub fn read(doc: &Doc, report: &Report) -> Option<Suite> {
        let mut map = doc.view(report).map()?;
        let flow = map.required("flow").and_then(View::spanned);
        let mut scenes: BTreeMap<String, View<'_>> = BTreeMap::new();
        for (name, view) in
            map.optional("scenes").and_then(View::map).map(|m| m.entries()).unwrap_or_default()
        {
            scenes.insert(name.value.clone(), view);
        }
        let items = map.required("tests").and_then(View::list).unwrap_or_default();
        let tests = items.into_iter().filter_map(|view| Test::read(view, &scenes)).collect();
        map.finish();
        Some(Suite { flow: flow?, tests })
    }
}

impl Test {
    fn read(view: View<'_>, scenes: &BTreeMap<String, View<'_>>) -> Option<Test> {
        let mut map = view.map()?;
        let name = map.required("test").and_then(View::spanned);
        let mut scene = Scene::default();
        for used in map.optional("use").map(View::one_or_more).unwrap_or_default() {
            let Some(word) = used.str() else { continue };
            match scenes.get(&word) {
                Some(view) => set_up(&mut scene, *view),
                None => used
                    .error("S510", format!("there is no scene \"{word}\""))
                    .did_you_mean(&word, scenes.keys().map(String::as_str)),
            }
        }
        if let Some(view) = map.optional("scene") {
            set_up(&mut scene, view);
        }
        let start_at = map.optional("start_at").and_then(View::spanned);
        let lines = map.required("script").and_then(View::list).unwrap_or_default();
        let script = lines.into_iter().filter_map(|view| Some((view.at().clone(), line(view)?))).collect();
        let expect = map.optional("expect").and_then(View::map).map(expect).unwrap_or_default();
        map.finish();
        Some(Test { name: name?, scene, start_at, script, expect })
    }

    /// Plays the test.
    pub fn play(&self, flow: &Flow) -> Outcome {
        let start = self.start_at.as_ref().map(|step| step.value.as_str());
        let (mut play, first) = Rehearsal::open(flow, self.scene.clone(), start);
        let mut stage = Stage { heard: visible(first), failures: Vec::new() };
        let mut recording = None;
        for (at, line) in &self.script {
            stage.note_recording(&mut recording);
            if !matches!(line, Line::Bot(_)) {
                stage.nothing_more(at);
            }
            let input = match line {
                Line::Bot(expected) => {
                    stage.expect(at, expected, &mut recording);
                    continue;
                }
                Line::Advance { ms } => {
                    stage.heard.extend(visible(play.advance(*ms)));
                    continue;
                }
                Line::Watched { recording: named, percent } => {
                    let recording = named.clone().or_else(|| recording.clone()).unwrap_or_default();
                    Input::Watched { recording, percent: *percent }
                }
                Line::Agent(does) => match *does {
                    "accepts" => Input::AgentAccepted { agent: Rehearsal::agent() },
                    "returns" => Input::AgentReturned,
                    _ => Input::AgentClosed,
                },
                Line::Visitor(does) => match self.moved(does, &play) {
                    Some(input) => input,
                    None => {
                        stage.failures.push((at.clone(), "that slot was not offered".to_owned()));
                        continue;
                    }
                },
            };
            match play.play(&input) {
                Ok(events) => stage.heard.extend(visible(events)),
                Err(refused) => stage.failures.push((at.clone(), refused.to_string())),
            }
        }
        let end = self.script.last().map_or(&self.name.at, |(at, _)| at).clone();
        stage.nothing_more(&end);
        self.expect.check(&play, &mut stage.failures);
        Outcome {
            name: self.name.value.clone(),
            at: self.name.at.clone(),
            failures: stage.failures,
            steps: play.state.path.iter().cloned().collect(),
        }
    }

    fn moved(&self, does: &Move, play: &Rehearsal<'_>) -> Option<Input> {
        let question = play.open_question();
        Some(match does {
            Move::Types(text) => says(text),
            Move::Chooses(choice) => Input::Said(Said::Choice { question, choice: choice.clone() }),
            Move::TakesSlot(number) => {
                let slot = play.offered().get(number.checked_sub(1)?)?;
                Input::Said(Said::Slot { question, starts_at: Some(slot.starts_at), none_fit: false })
            }
            Move::NoneFits => Input::Said(Said::Slot { question, starts_at: None, none_fit: true }),
            Move::WantsAPerson => Input::Said(Said::HumanRequested),
        })
    }
}

/// What has been heard and not yet been expected, and what went wrong.
struct Stage {
    heard: VecDeque<Body>,
    failures: Vec<(Mark, String)>,
}

/// What the bot did, and what became of the conversation; the visitor's own words are no news.
fn visible(events: Vec<super::engine::Out>) -> VecDeque<Body> {
    events.into_iter().filter(|out| out.author != Author::Visitor).map(|out| out.body).collect()
}

impl Stage {
    fn note_recording(&self, recording: &mut Option<String>) {
        for body in &self.heard {
            if let Body::Video(video) = body {
                *recording = Some(video.recording.clone());
            }
        }
    }

    fn nothing_more(&mut self, at: &Mark) {
        for body in std::mem::take(&mut self.heard) {
            if !matches!(body, Body::Status { .. }) {
                self.failures.push((at.clone(), format!("nobody expected {}", told(&body))));
            }
        }
    }

    fn expect(&mut self, at: &Mark, expected: &Expected, recording: &mut Option<String>) {
        if !matches!(expected, Expected::Mode(_)) {
            while matches!(self.heard.front(), Some(Body::Status { .. })) {
                self.heard.pop_front();
            }
        }
        let Some(body) = self.heard.pop_front() else {
            self.failures.push((at.clone(), format!("expected {}, nothing came", expected.told())));
            return;
        };
        if let Body::Video(video) = &body {
            *recording = Some(video.recording.clone());
        }
        if !expected.fits(&body) {
            self.failures.push((at.clone(), format!("expected {}, came {}", expected.told(), told(&body))));
        }
    }
}

impl Expected {
    fn fits(&self, body: &Body) -> bool {
        match (self, body) {
            (Expected::Says(text), Body::Text { text: said, .. } | Body::Ask { text: said, .. }) => {
                text == said
            }
            (Expected::Contains(part), Body::Text { text, .. } | Body::Ask { text, .. }) => {
                text.contains(part)
            }
            (Expected::Asks { question, choices, slots }, Body::Ask { question: asked, input, .. }) => {
                let ids: Vec<&String> = match input {
                    Shape::Choice { choices } => choices.iter().map(|choice| &choice.id).collect(),
                    _ => Vec::new(),
                };
                let offered = match input {
                    Shape::Slot { slots, .. } => Some(slots.len()),
                    _ => None,
                };
                question == asked
                    && (choices.is_empty() || choices.iter().collect::<Vec<_>>() == ids)
                    && (slots.is_none() || *slots == offered)
            }
            (Expected::Invalid(question), Body::Invalid { question: asked, .. }) => question == asked,
            (Expected::Shows(recording), Body::Video(video)) => *recording == video.recording,
            (Expected::Books, Body::Booked(_)) => true,
            (Expected::Ends(outcome), Body::End { outcome: ended }) => outcome == ended,
            (Expected::Mode(mode), Body::Status { mode: now, .. }) => mode == now.word(),
            _ => false,
        }
    }

    fn told(&self) -> String {
        match self {
            Expected::Says(text) => format!("\"{text}\""),
            Expected::Contains(part) => format!("a text with \"{part}\""),
            Expected::Asks { question, .. } => format!("the question {question}"),
            Expected::Invalid(question) => format!("\"that will not do\" for {question}"),
            Expected::Shows(recording) => format!("the recording {recording}"),
            Expected::Books => "a booking".to_owned(),
            Expected::Ends(outcome) => format!("the end ({outcome})"),
            Expected::Mode(mode) => format!("the mode {mode}"),
        }
    }
}

/// An event in words.
pub fn told(body: &Body) -> String {
    match body {
        Body::Text { text, .. } => format!("\"{text}\""),
        Body::Ask { question, text, input, .. } => match input {
            Shape::Choice { choices } => {
                let ids: Vec<&str> = choices.iter().map(|choice| choice.id.as_str()).collect();
                format!("the question {question} \"{text}\" [{}]", ids.join(", "))
            }
            Shape::Slot { slots, .. } => {
                format!("the question {question} \"{text}\" with {} slots", slots.len())
            }
            Shape::Text { .. }
            | Shape::Email { .. }
            | Shape::Phone { .. }
            | Shape::Number { .. }
            | Shape::Url { .. }
            | Shape::Date { .. }
            | Shape::Time { .. }
            | Shape::Rating { .. }
            | Shape::Code { .. } => format!("the question {question} \"{text}\""),
        },
        Body::Invalid { question, text } => format!("\"{text}\" for {question}"),
        Body::Video(video) => format!("the recording {}", video.recording),
        Body::Choice { label, .. } => format!("\"{label}\""),
        Body::Answer { text, .. } => format!("\"{text}\""),
        Body::Slot { starts_at: Some(at), .. } => format!("the slot {at}"),
        Body::Slot { starts_at: None, .. } => "none of the slots".to_owned(),
        Body::HumanRequested => "the wish for a person".to_owned(),
        Body::StopRequested => "the wish to be left alone".to_owned(),
        Body::Image { image, .. } => format!("the picture {}", image.src),
        Body::File { href, .. } => format!("the file {href}"),
        Body::Card { title, .. } => format!("the card \"{title}\""),
        Body::Status { mode, .. } => format!("the mode {}", mode.word()),
        Body::Booked(booked) => format!("a booking at {}", booked.starts_at),
        Body::End { outcome } => format!("the end ({outcome})"),
    }
}

impl Expect {
    fn check(&self, play: &Rehearsal<'_>, failures: &mut Vec<(Mark, String)>) {
        let state = &play.state;
        if let Some(end) = &self.end
            && state.outcome.as_deref() != Some(&end.value)
        {
            let message = format!(
                "expected the end \"{}\", it stands at {} ({:?})",
                end.value, state.step, state.outcome
            );
            failures.push((end.at.clone(), message));
        }
        if let Some(at) = &self.at
            && state.step != at.value
        {
            failures.push((
                at.at.clone(),
                format!("expected to stand at {}, it stands at {}", at.value, state.step),
            ));
        }
        if let Some((mark, path)) = &self.path
            && state.path != *path
        {
            failures.push((mark.clone(), format!("the path was [{}]", state.path.join(", "))));
        }
        for (name, value) in &self.saved {
            let saved = play.effects.iter().rev().find_map(|effect| match effect {
                Effect::SaveField { name: field, value } if *field == name.value => Some(plain(value)),
                _ => None,
            });
            if saved.as_deref() != Some(value) {
                failures.push((
                    name.at.clone(),
                    format!("{} should be kept as \"{value}\", it is {saved:?}", name.value),
                ));
            }
        }
        let done: Vec<String> = play.effects.iter().map(effect_word).collect();
        for wanted in self.effects.iter().filter(|wanted| !done.contains(&wanted.value)) {
            failures.push((
                wanted.at.clone(),
                format!("{} did not happen; there was {}", wanted.value, done.join(", ")),
            ));
        }
        for unwanted in self.never.iter().filter(|unwanted| done.contains(&unwanted.value)) {
            failures.push((unwanted.at.clone(), format!("{} happened", unwanted.value)));
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
        Effect::Do { action, .. } => format!("do/{action}"),
    }
}

fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Lays a scene over what is set up already.
fn set_up(scene: &mut Scene, view: View<'_>) {
    let Some(mut map) = view.map() else { return };
    if let Some(now) = map.optional("at").and_then(instant) {
        scene.now = now;
    }
    if let Some(language) = map.optional("language").and_then(|v| v.one_of(&["en", "es"])) {
        scene.language = Language::parse(language);
    }
    if let Some(zone) = map.optional("zone").and_then(View::str) {
        scene.zone = zone;
    }
    if let Some(trust) = map
        .optional("trust")
        .and_then(|v| v.parsed("a trust from 0 to 4", |t| t.parse().ok().filter(|n| *n <= 4)))
    {
        scene.trust = trust;
    }
    if let Some(online) = map.optional("online").and_then(View::int) {
        scene.online = u32::try_from(online).unwrap_or(0);
    }
    if let Some(code) = map.optional("code").and_then(View::str) {
        scene.code = code;
    }
    if let Some(seed) = map.optional("seed").and_then(View::str) {
        scene.props.seed = seed;
    }
    for (step, view) in map.optional("arms").and_then(View::map).map(|m| m.entries()).unwrap_or_default() {
        scene.props.arms.extend(view.str().map(|arm| (step.value.clone(), arm)));
    }
    if let Some(works) = map.optional("actions_work").and_then(View::bool) {
        scene.actions_work = works;
    }
    if let Some(has_email) = map.optional("has_email").and_then(View::bool) {
        scene.has_email = has_email;
    }
    for (group, view) in map.optional("facts").and_then(View::map).map(|m| m.entries()).unwrap_or_default() {
        for (field, view) in view.map().map(|m| m.entries()).unwrap_or_default() {
            scene.facts.set(&format!("{}.{}", group.value, field.value), value(view));
        }
    }
    for (name, view) in map.optional("known").and_then(View::map).map(|m| m.entries()).unwrap_or_default() {
        scene.known.insert(name.value.clone(), value(view));
    }
    for (id, view) in map.optional("recordings").and_then(View::map).map(|m| m.entries()).unwrap_or_default()
    {
        let title = view.str().unwrap_or_default();
        let video = Video {
            recording: id.value.clone(),
            title,
            src: format!("/r/{}", id.value),
            poster: None,
            captions: Vec::new(),
            duration_s: 600,
            watched_percent: 0,
        };
        scene.recordings.insert(id.value.clone(), video);
    }
    if let Some(view) = map.optional("slots") {
        scene.slots = view.one_or_more().into_iter().filter_map(instant).collect();
    }
    if let Some(view) = map.optional("taken") {
        scene.taken = view.one_or_more().into_iter().filter_map(instant).collect();
    }
    map.finish();
}

fn instant(view: View<'_>) -> Option<Timestamp> {
    view.parsed("a time like 2026-03-02T20:00:00Z", |text| text.parse().ok().map(Timestamp::from_jiff))
}

/// A scalar as the value it looks like.
fn value(view: View<'_>) -> Json {
    match &view.node.kind {
        Kind::Scalar(text) if !text.quoted && text.text == "true" => Json::Bool(true),
        Kind::Scalar(text) if !text.quoted && text.text == "false" => Json::Bool(false),
        Kind::Scalar(text) if !text.quoted => match text.text.parse::<i64>() {
            Ok(number) => Json::from(number),
            Err(_) => Json::from(text.text.as_str()),
        },
        Kind::Scalar(text) => Json::from(text.text.as_str()),
        Kind::List(_) | Kind::Map(_) => Json::Null,
    }
}

fn line(view: View<'_>) -> Option<Line> {
    let mut map = view.map()?;
    let line = if let Some(bot) = map.optional("bot") {
        expected(bot).map(Line::Bot)
    } else if let Some(visitor) = map.optional("visitor") {
        moved(visitor).map(Line::Visitor)
    } else if let Some(watched) = map.optional("watched") {
        let percent = watched.percent().and_then(|share| format!("{share:.0}").parse().ok());
        let recording = map.optional("recording").and_then(View::str);
        percent.map(|percent| Line::Watched { recording, percent })
    } else if let Some(advance) = map.optional("advance") {
        advance.duration_ms().map(|ms| Line::Advance { ms })
    } else if let Some(agent) = map.optional("agent") {
        agent.one_of(&["accepts", "returns", "closes"]).map(Line::Agent)
    } else {
        view.wrong("one of bot, visitor, watched, advance or agent")
    };
    map.finish();
    line
}

fn expected(view: View<'_>) -> Option<Expected> {
    if !view.is_map() {
        return view.str().map(Expected::Says);
    }
    let mut map = view.map()?;
    let mut text = |key: &'static str| map.optional(key).and_then(View::str);
    let contains = text("contains").map(Expected::Contains);
    let invalid = text("invalid").map(Expected::Invalid);
    let video = text("video").map(Expected::Shows);
    let end = text("end").map(Expected::Ends);
    let mode = text("mode").map(Expected::Mode);
    let ask = text("ask");
    let choices = map.optional("choices").map(View::strings).unwrap_or_default();
    let slots = map.optional("slots").and_then(View::int).and_then(|n| usize::try_from(n).ok());
    let booked = map.optional("booked").and_then(View::bool).map(|_| Expected::Books);
    map.finish();
    let ask = ask.map(|question| Expected::Asks { question, choices, slots });
    contains.or(invalid).or(video).or(end).or(mode).or(booked).or(ask)
}

fn moved(view: View<'_>) -> Option<Move> {
    if !view.is_map() {
        return view.str().map(Move::Types);
    }
    let mut map: Map<'_> = view.map()?;
    let choose = map.optional("choose").and_then(View::str).map(Move::Chooses);
    let slot =
        map.optional("slot").and_then(View::int).and_then(|n| usize::try_from(n).ok()).map(Move::TakesSlot);
    let none_fits = map.optional("none_fits").and_then(View::bool).map(|_| Move::NoneFits);
    let person = map.optional("person").and_then(View::bool).map(|_| Move::WantsAPerson);
    map.finish();
    choose.or(slot).or(none_fits).or(person)
}

fn expect(mut map: Map<'_>) -> Expect {
    let expect = Expect {
        end: map.optional("end").and_then(View::spanned),
        at: map.optional("at").and_then(View::spanned),
        path: map.optional("path").map(|view| (view.at().clone(), view.strings())),
        saved: map
            .optional("saved")
            .and_then(View::map)
            .map(|saved| {
                saved.entries().into_iter().filter_map(|(k, v)| Some((k.clone(), v.str()?))).collect()
            })
            .unwrap_or_default(),
        effects: map
            .optional("effects")
            .map(View::one_or_more)
            .unwrap_or_default()
            .into_iter()
            .filter_map(View::spanned)
            .collect(),
        never: map
            .optional("never")
            .map(View::one_or_more)
            .unwrap_or_default()
            .into_iter()
            .filter_map(View::spanned)
            .collect(),
    };
    map.finish();
    expect
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::yaml;

    const FLOW: &str = "flow: small\ntitle: Small\nlanguages: [en]\nevents: {human_requested: bye}\ndefaults: {exhausted: bye, timeout: {after: 5m, goto: bye}}\nsteps:\n  more:\n    ask: More?\n    choices: {a: A, b: B}\n  bye:\n    say: Bye.\n    end: done\n";

    fn play(tests: &str) -> Vec<String> {
        let report = Report::new();
        let flow = Flow::read(&yaml::parse("small.yaml", FLOW, &report).unwrap(), &report).unwrap();
        let suite = Suite::read(&yaml::parse("t.yaml", tests, &report).unwrap(), &report).unwrap();
        assert!(report.is_clean(), "{}", report.text());
        let failures = suite.tests.iter().flat_map(|test| test.play(&flow).failures);
        failures.map(|(at, message)| format!("{}: {message}", at.line)).collect()
    }

    #[test]
    fn a_script_that_fits_passes() {
        let script = "flow: small\ntests:\n  - test: takes a\n    script:\n      - bot: {ask: more, choices: [a, b]}\n      - visitor: {choose: a}\n      - bot: Bye.\n      - bot: {end: done}\n    expect: {end: done, path: [more, bye]}\n";
        assert_eq!(play(script), Vec::<String>::new());
    }

    #[test]
    fn a_wrong_missing_or_unexpected_message_fails_at_its_line() {
        let script = "flow: small\ntests:\n  - test: wrong\n    script:\n      - bot: {ask: more}\n      - visitor: {choose: a}\n      - bot: Hello.\n      - advance: 1s\n      - bot: {end: done}\n    expect: {end: other}\n";
        assert_eq!(
            play(script),
            [
                "7: expected \"Hello.\", came \"Bye.\"",
                "8: nobody expected the end (done)",
                "9: expected the end (done), nothing came",
                "10: expected the end \"other\", it stands at bye (Some(\"done\"))",
            ]
        );
    }

    #[test]
    fn the_clock_of_a_script_wakes_the_flow() {
        let script = "flow: small\ntests:\n  - test: waits\n    script:\n      - bot: {ask: more}\n      - advance: 299s\n      - advance: 1s\n      - bot: Bye.\n      - bot: {end: done}\n";
        assert_eq!(play(script), Vec::<String>::new());
    }

    #[test]
    fn the_shipped_flows_pass_their_own_tests_and_every_step_is_reached() {
        let shipped = [
            (
                include_str!("../../bot-flows/webinar-recording.yaml"),
                include_str!("../../bot-flows/tests/webinar-recording.yaml"),
            ),
            (
                include_str!("../../bot-flows/welcome.yaml"),
                include_str!("../../bot-flows/tests/welcome.yaml"),
            ),
        ];
        for (flow, tests) in shipped {
            let report = Report::new();
            let flow = Flow::read(&yaml::parse("flow.yaml", flow, &report).unwrap(), &report).unwrap();
            let suite = Suite::read(&yaml::parse("tests.yaml", tests, &report).unwrap(), &report).unwrap();
            assert!(report.is_clean(), "{}", report.text());
            let mut reached = BTreeSet::new();
            for test in &suite.tests {
                let outcome = test.play(&flow);
                assert!(outcome.failures.is_empty(), "{}: {:#?}", outcome.name, outcome.failures);
                reached.extend(outcome.steps);
            }
            let missed: Vec<&str> =
                flow.steps.iter().map(|step| step.id.as_str()).filter(|id| !reached.contains(*id)).collect();
            assert!(missed.is_empty(), "{}: no test reaches {missed:?}", flow.id);
        }
    }
}
