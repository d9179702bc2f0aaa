//! Walks every way through a flow, in every world that makes a difference, and finds what must never be: a way that
//! ends nowhere, a text with a gap, a bot that speaks over a person, a call booked twice, somebody who is never let
//! go. Then, if asked, so many walks by chance on top, which a seed makes repeatable.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use super::reads::Reads;
use crate::base::language::Language;
use crate::base::time::DAY_MS;
use crate::base::yaml::{Map, View};

use crate::chat::body::{Author, Body, Input as Shape, Said, Video};
use crate::chat::engine::{CONFIRMED, Input, Out, Passed, Phase};
use crate::chat::flow::Flow;
use crate::chat::rehearsal::{Rehearsal, Scene, says, sight};
use crate::chat::steps::{Show, Verb, WaitFor};

/// How to explore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explore {
    /// Walks by chance, after every way has been walked once.
    pub walks: u32,
    /// Moves of such a walk at most.
    pub turns: u32,
    /// With the same seed the walks are the same.
    pub seed: u64,
    /// Whether every way out has to be found.
    pub every_exit: bool,
}

impl Default for Explore {
    fn default() -> Self {
        Explore { walks: 0, turns: 40, seed: 1, every_exit: false }
    }
}

impl Explore {
    pub(super) fn read(mut map: Map<'_>) -> Explore {
        let whole = |view: Option<View<'_>>| view.and_then(View::int).and_then(|n| u32::try_from(n).ok());
        let usual = Explore::default();
        let explore = Explore {
            walks: whole(map.optional("walks")).unwrap_or(usual.walks),
            turns: whole(map.optional("turns")).unwrap_or(usual.turns),
            seed: whole(map.optional("seed")).map_or(usual.seed, u64::from),
            every_exit: map.optional("every_exit").and_then(View::bool).unwrap_or(usual.every_exit),
        };
        map.finish();
        explore
    }
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Explored {
    pub worlds: usize,
    /// Places of conversations that differ in what can come next, over all worlds.
    pub places: usize,
    pub turns: usize,
    /// The ends that were reached, each with the shortest way to it.
    pub ends: BTreeMap<String, Vec<String>>,
    pub passed: BTreeSet<Passed>,
    /// Each kind of fault once, with the shortest way to it.
    pub findings: Vec<Finding>,
}

/// Something that must not be, and how to come there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub what: String,
    pub world: String,
    pub walk: Vec<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (where {}; after {})", self.what, self.world, self.walk.join(" → "))
    }
}

/// Places that are looked at in one world at most; the flows that people write stay far below.
const PLACES: usize = 3_000;

/// Walks every way through a flow.
pub fn explore(flow: &Flow, scene: &Scene, start: Option<&str>, how: &Explore) -> Explored {
    explore_by(flow, &Reads::of(flow), scene, start, how)
}

fn explore_by(flow: &Flow, reads: &Reads<'_>, scene: &Scene, start: Option<&str>, how: &Explore) -> Explored {
    let mut found = Explored::default();
    let worlds = worlds(flow, scene);
    found.worlds = worlds.len();
    for (name, scene) in &worlds {
        World::walk(flow, reads, scene.clone(), start, name, &mut found);
    }
    if worlds.is_empty() {
        let what = "the flow's trigger never holds in this scene".to_owned();
        found.note(what, "all of them", vec!["the scene".to_owned()]);
    }
    for walk in 0..how.walks {
        let mut dice = Dice::new(how.seed, walk);
        if let Some((name, scene)) = worlds.get(dice.roll(worlds.len())) {
            by_chance(flow, scene.clone(), start, name, how.turns, (how.seed, walk), &mut dice, &mut found);
        }
    }
    if how.every_exit {
        let exits = super::exits(flow).into_iter();
        let missed = exits.filter(|exit| {
            !found.passed.iter().any(|passed| {
                passed.exit == exit.exit && exit.step.as_ref().is_none_or(|step| *step == passed.step)
            })
        });
        let missed: Vec<_> = missed.collect();
        for exit in missed {
            let step = exit.step.as_deref().unwrap_or("any step");
            let what = format!("nothing takes the way out \"{}\" of {step}", exit.exit);
            found.note(what, "all of them", vec!["every way".to_owned()]);
        }
    }
    found
}

impl Explored {
    /// Notes a fault, unless the same one is known already.
    fn note(&mut self, what: String, world: &str, walk: Vec<String>) {
        if self.findings.iter().all(|known| known.what != what) {
            self.findings.push(Finding { what, world: world.to_owned(), walk });
        }
    }
}

/// A difference between two worlds.
type Change = Box<dyn Fn(&mut Scene)>;

/// The worlds that make a difference to a flow, and in which it would begin.
fn worlds(flow: &Flow, base: &Scene) -> Vec<(String, Scene)> {
    let has = |is: fn(&Verb) -> bool| flow.steps.iter().any(|step| is(&step.verb));
    let mut worlds = vec![(String::new(), base.clone())];
    let mut split = |ways: Vec<(&str, Change)>| {
        worlds = worlds
            .iter()
            .flat_map(|(name, scene)| {
                ways.iter().map(move |(word, change)| {
                    let mut scene = scene.clone();
                    change(&mut scene);
                    let gap = if name.is_empty() { "" } else { ", " };
                    (format!("{name}{gap}{word}"), scene)
                })
            })
            .collect();
    };
    let language =
        |language: Language| -> Change { Box::new(move |scene: &mut Scene| scene.language = language) };
    split(flow.languages.iter().map(|one| (one.code(), language(*one))).collect());
    split(vec![
        ("she is confirmed", Box::new(|s| (s.trust, s.has_email) = (s.trust.max(CONFIRMED), true))),
        ("she is a stranger", Box::new(|s| (s.trust, s.has_email) = (0, false))),
    ]);
    if has(|verb| matches!(verb, Verb::Handoff(_) | Verb::Switch(_))) {
        split(vec![
            ("somebody is there", Box::new(|s| s.online = s.online.max(1))),
            ("nobody is there", Box::new(|s| (s.online, s.teams) = (0, Default::default()))),
        ]);
    }
    if has(|verb| matches!(verb, Verb::Do(_))) {
        split(vec![
            ("actions work", Box::new(|s| s.actions_work = true)),
            ("actions fail", Box::new(|s| s.actions_work = false)),
        ]);
    }
    if has(|verb| matches!(verb, Verb::Book(_) | Verb::Handoff(_))) {
        let times = |s: &mut Scene| {
            if s.slots.is_empty() {
                s.slots = (1..6).map(|day| s.now.plus_ms(day * DAY_MS)).collect();
            }
        };
        split(vec![
            ("there are times", Box::new(times)),
            (
                "the first time is taken",
                Box::new(move |s| {
                    times(s);
                    s.taken.extend(s.slots.first().copied());
                }),
            ),
            ("there is no time", Box::new(|s| s.slots.clear())),
        ]);
    }
    let shown: Vec<String> = flow
        .steps
        .iter()
        .filter_map(|step| match &step.verb {
            Verb::Show(Show::Video { video }) => Some(video.value.clone()),
            _ => None,
        })
        .collect();
    if !shown.is_empty() {
        split(vec![
            ("there is a recording", Box::new(move |s| shown.iter().for_each(|id| provide(s, id)))),
            ("there is no recording", Box::new(|s| s.recordings.clear())),
        ]);
    }
    for step in &flow.steps {
        let Verb::Split(test) = &step.verb else { continue };
        let arms = test.arms.iter().map(|arm| {
            let (at, name) = (step.id.clone(), arm.name.value.clone());
            let force: Change = Box::new(move |s| drop(s.props.arms.insert(at.clone(), name.clone())));
            (arm.name.value.as_str(), force)
        });
        split(arms.collect());
    }
    let begins = |scene: &Scene| {
        let condition = flow.trigger.as_ref().and_then(|trigger| trigger.condition.as_ref());
        condition.is_none_or(|condition| condition.holds(&sight(scene)))
    };
    worlds.retain(|(_, scene)| begins(scene));
    worlds
}

/// Puts a recording there that a step wants to show.
fn provide(scene: &mut Scene, id: &str) {
    let named = scene.facts.get(id).and_then(serde_json::Value::as_str).map(str::to_owned);
    let recording = named.unwrap_or_else(|| id.to_owned());
    scene.recordings.entry(recording.clone()).or_insert_with(|| Video {
        title: recording.clone(),
        src: String::new(),
        poster: None,
        captions: Vec::new(),
        duration_s: 600,
        watched_percent: 0,
        recording,
    });
}

/// What can happen next.
#[derive(Clone, Debug)]
enum Step {
    Input(Input),
    /// Nothing, until the flow wakes by itself.
    Wait,
}

/// Everything that makes a difference and can happen where a conversation stands.
fn moves(play: &Rehearsal<'_>) -> Vec<(String, Step)> {
    let mut moves = Vec::new();
    let mut can = |label: &str, input: Input| moves.push((label.to_owned(), Step::Input(input)));
    let question = play.open_question();
    match &play.state.phase {
        Phase::Ended | Phase::Answer => return moves,
        Phase::Asking | Phase::Form { .. } | Phase::Email | Phase::Waitlist { .. } => {
            for (label, input) in answers(play, &question) {
                can(&label, input);
            }
        }
        Phase::Watching => {
            can("says something", says("how long is it"));
            for recording in play.state.shown.values() {
                let watched = |percent| Input::Watched { recording: recording.clone(), percent };
                can("watches a little", watched(5));
                can("watches it all", watched(100));
            }
            if let Some(Verb::WaitFor(WaitFor::Event { name })) =
                play.flow.step(&play.state.step).map(|step| &step.verb)
            {
                can("does what is waited for", Input::Event { name: name.value.clone() });
                can("does something else", Input::Event { name: "something_else".to_owned() });
            }
        }
        Phase::Slots { .. } => {
            let slot = |starts_at, none_fit| {
                Input::Said(Said::Slot { question: question.clone(), starts_at, none_fit })
            };
            if let Some(first) = play.offered().first() {
                can("takes the first time", slot(Some(first.starts_at), false));
            }
            can("none of the times fits", slot(None, true));
            can("says something", says("in spring"));
        }
        Phase::Waiting => {
            can("says something", says("hello?"));
            can("a colleague accepts", Input::AgentAccepted { agent: Rehearsal::agent() });
        }
        Phase::Human => {
            can("says something", says("hello"));
            can("the colleague gives back", Input::AgentReturned);
            can("the colleague closes", Input::AgentClosed);
            if play.state.booking.is_none()
                && let Some(booked) = play.booked_by_agent()
            {
                can("the colleague books", booked);
            }
        }
    }
    if !matches!(play.state.phase, Phase::Waiting | Phase::Human) {
        can("asks for a person", Input::Said(Said::HumanRequested));
        if play.flow.stop_at(play.flow.step(&play.state.step)).is_some() {
            can("wants to be left alone", Input::Said(Said::StopRequested));
        }
    }
    if play.wake_at.is_some() {
        moves.push(("waits".to_owned(), Step::Wait));
    }
    moves
}

/// Answers to the question that is open: each that it can take, and one that it cannot.
fn answers(play: &Rehearsal<'_>, question: &str) -> Vec<(String, Input)> {
    let shape = play.asked.as_ref().map(|(_, shape)| shape.clone());
    let typed = |text: &str| (format!("says \"{text}\""), says(text));
    match shape {
        Some(Shape::Choice { choices }) => {
            let picked = choices.iter().map(|choice| {
                let said = Said::Choice { question: question.to_owned(), choice: choice.id.clone() };
                (format!("chooses {}", choice.id), Input::Said(said))
            });
            picked.chain([typed("why do you ask?")]).collect()
        }
        Some(Shape::Email { .. }) => vec![typed("ana@example.com"), typed("not an address")],
        Some(Shape::Phone { .. }) => vec![typed("+34 600 123 456"), typed("soon")],
        Some(Shape::Number { min, max, .. }) => {
            let inside = min.or(max).unwrap_or(20);
            vec![typed(&inside.to_string()), typed("many")]
        }
        Some(Shape::Url { .. }) => vec![typed("https://example.com"), typed("no address")],
        Some(Shape::Date { min, max, .. }) => {
            let inside = min.or(max).unwrap_or_else(|| "2027-05-03".to_owned());
            vec![typed(&inside), typed("some day")]
        }
        Some(Shape::Time { min, max, .. }) => {
            let inside = min.or(max).unwrap_or_else(|| "10:30".to_owned());
            vec![typed(&inside), typed("early")]
        }
        Some(Shape::Rating { max, .. }) => vec![typed(&max.to_string()), typed("1"), typed("good")],
        Some(Shape::Code { choices, .. }) => {
            let another = choices.first().map(|choice| {
                let said = Said::Choice { question: question.to_owned(), choice: choice.id.clone() };
                ("asks for another code".to_owned(), Input::Said(said))
            });
            [typed(&play.scene.code), typed("000000"), typed("what code?")]
                .into_iter()
                .chain(another)
                .collect()
        }
        Some(Shape::Text { .. }) | None => vec![typed("We want people to read more"), typed("x")],
        Some(Shape::Slot { .. }) => Vec::new(),
    }
}

/// What tells two places of a conversation apart, as far as it changes what can come next.
fn place(play: &Rehearsal<'_>, reads: &Reads<'_>) -> String {
    let state = &play.state;
    let phase = match &state.phase {
        Phase::Form { open, at } => format!("form {at} of {}", open.join(",")),
        Phase::Slots { more, .. } => format!("slots {more} {}", play.offered().len()),
        other => format!("{other:?}"),
    };
    let vars: Vec<String> = reads
        .from(&state.step)
        .filter(|_| state.phase != Phase::Ended)
        .filter_map(|name| Some(format!("{name}={}", state.vars.get(name)?)))
        .collect();
    format!(
        "{}|{phase}|{}|{}|{}|{}|{:?}|{}",
        state.step,
        state.retries,
        vars.join(","),
        state.email_given,
        state.looked_on,
        state.shown,
        state.booking.is_some(),
    )
}

/// All places of one world.
struct World<'f> {
    name: &'f str,
    places: Vec<Place<'f>>,
    known: BTreeMap<String, usize>,
}

struct Place<'f> {
    play: Rehearsal<'f>,
    /// The place before it on the shortest way, and the move from there.
    from: Option<(usize, String)>,
    to: Vec<usize>,
    /// Where waiting alone leads.
    waits_to: Option<usize>,
}

impl<'f> World<'f> {
    fn walk(
        flow: &'f Flow,
        reads: &Reads<'_>,
        scene: Scene,
        start: Option<&str>,
        name: &'f str,
        found: &mut Explored,
    ) {
        let mut world = World { name, places: Vec::new(), known: BTreeMap::new() };
        let (mut play, events) = Rehearsal::open(flow, scene, start);
        found.passed.extend(std::mem::take(&mut play.passed));
        for what in faults(&play, None, &events) {
            found.note(what, name, vec!["the beginning".to_owned()]);
        }
        world.add(play, None, reads);
        let mut open = VecDeque::from([0]);
        while let Some(at) = open.pop_front() {
            let Some(play) = world.places.get(at).map(|place| place.play.clone()) else { continue };
            for (label, step) in moves(&play) {
                let mut next = play.clone();
                let Some(events) = take(&mut next, &step) else { continue };
                found.turns = found.turns.saturating_add(1);
                found.passed.extend(std::mem::take(&mut next.passed));
                for what in faults(&next, Some(&play), &events) {
                    found.note(what, name, world.way(at, &label));
                }
                let key = place(&next, reads);
                let to = match world.known.get(&key) {
                    Some(to) => *to,
                    None if world.places.len() >= PLACES => {
                        let what = format!("more than {PLACES} places in one world: not all were looked at");
                        found.note(what, name, world.way(at, &label));
                        continue;
                    }
                    None => {
                        let to = world.add(next, Some((at, label.clone())), reads);
                        open.push_back(to);
                        to
                    }
                };
                if let Some(place) = world.places.get_mut(at) {
                    place.to.push(to);
                    if matches!(step, Step::Wait) {
                        place.waits_to = Some(to);
                    }
                }
            }
        }
        found.places = found.places.saturating_add(world.places.len());
        world.ends(found);
        world.dead_ends(found);
        world.left_alone(found);
    }

    fn add(&mut self, play: Rehearsal<'f>, from: Option<(usize, String)>, reads: &Reads<'_>) -> usize {
        let index = self.places.len();
        self.known.insert(place(&play, reads), index);
        self.places.push(Place { play, from, to: Vec::new(), waits_to: None });
        index
    }

    /// The moves that lead to a place, and one more.
    fn way(&self, at: usize, last: &str) -> Vec<String> {
        let mut way = vec![last.to_owned()];
        let mut at = Some(at);
        while let Some((before, label)) = at.and_then(|at| self.places.get(at)).and_then(|p| p.from.clone()) {
            way.push(label);
            at = Some(before);
        }
        way.reverse();
        way
    }

    fn way_to(&self, at: usize) -> Vec<String> {
        match self.places.get(at).and_then(|place| place.from.clone()) {
            Some((before, label)) => self.way(before, &label),
            None => vec!["the beginning".to_owned()],
        }
    }

    fn ends(&self, found: &mut Explored) {
        for (at, place) in self.places.iter().enumerate() {
            if let Some(outcome) = &place.play.state.outcome {
                let way = self.way_to(at);
                let known = found.ends.entry(outcome.clone()).or_insert_with(|| way.clone());
                if way.len() < known.len() {
                    *known = way;
                }
            }
        }
    }

    /// Places from which no end can be reached.
    fn dead_ends(&self, found: &mut Explored) {
        let mut ending: BTreeSet<usize> = (0..self.places.len())
            .filter(|at| self.places.get(*at).is_some_and(|place| place.play.state.phase == Phase::Ended))
            .collect();
        loop {
            let more: Vec<usize> = (0..self.places.len())
                .filter(|at| !ending.contains(at))
                .filter(|at| self.places.get(*at).is_some_and(|p| p.to.iter().any(|to| ending.contains(to))))
                .collect();
            if more.is_empty() {
                break;
            }
            ending.extend(more);
        }
        for (at, place) in self.places.iter().enumerate().filter(|(at, _)| !ending.contains(at)) {
            let what = format!("from {} no end is reached", place.play.state.step);
            found.note(what, self.name, self.way_to(at));
        }
    }

    /// Places in which somebody who has gone away is kept for ever.
    fn left_alone(&self, found: &mut Explored) {
        for (at, place) in self.places.iter().enumerate() {
            let (mut now, mut seen) = (at, BTreeSet::new());
            while seen.insert(now) {
                match self.places.get(now).and_then(|place| place.waits_to) {
                    Some(next) => now = next,
                    // It rests: it is over, or a person has it.
                    None => break,
                }
            }
            if self.places.get(now).is_some_and(|place| place.waits_to.is_some()) {
                let what = format!("whoever goes away at {} is never let go", place.play.state.step);
                found.note(what, self.name, self.way_to(at));
            }
        }
    }
}

/// Does one step; none if the flow has no use for it.
fn take(play: &mut Rehearsal<'_>, step: &Step) -> Option<Vec<Out>> {
    match step {
        Step::Input(input) => play.play(input).ok(),
        Step::Wait => {
            let ms = play.wake_at?.since_ms(play.scene.now).max(0);
            Some(play.advance(ms))
        }
    }
}

/// What must never be, in one turn.
fn faults(play: &Rehearsal<'_>, before: Option<&Rehearsal<'_>>, events: &[Out]) -> Vec<String> {
    let mut faults = Vec::new();
    let step = &play.state.step;
    for event in events {
        if let Body::Text { text, .. } | Body::Ask { text, .. } | Body::Invalid { text, .. } = &event.body
            && event.author == Author::Bot
            && (text.trim().is_empty() || text.contains("{{"))
        {
            faults.push(format!("a text at {step} has a gap: {text:?}"));
        }
    }
    let stays_with_person =
        play.state.phase == Phase::Human && before.is_some_and(|before| before.state.phase == Phase::Human);
    let speaks = |event: &Out| event.author == Author::Bot && !matches!(event.body, Body::Booked(_));
    if stays_with_person && events.iter().any(speaks) {
        faults.push(format!("the bot speaks over a person at {step}"));
    }
    let booked = events.iter().filter(|event| matches!(event.body, Body::Booked(_))).count();
    let was_booked = before.is_some_and(|before| before.state.booking.is_some());
    if booked.saturating_add(usize::from(was_booked)) > 1 && booked > 0 {
        faults.push(format!("a second call is booked at {step}"));
    }
    if before.is_none() && !events.iter().any(|event| event.author == Author::Bot) {
        faults.push("it begins in silence".to_owned());
    }
    if !matches!(play.state.phase, Phase::Ended | Phase::Human) && play.wake_at.is_none() {
        faults.push(format!("nothing would ever wake it at {step}"));
    }
    if play.state.phase == Phase::Answer {
        faults.push(format!("{step} waits for an answer that never comes"));
    }
    match play.state.outcome.as_deref() {
        Some("unhandled") => faults.push(format!("an outcome of {step} leads nowhere")),
        Some("endless") => faults.push(format!("it goes round and round at {step}")),
        _ => {}
    }
    faults
}

/// One walk by chance.
#[expect(clippy::too_many_arguments, reason = "everything that makes a walk repeatable")]
fn by_chance(
    flow: &Flow,
    scene: Scene,
    start: Option<&str>,
    world: &str,
    turns: u32,
    (seed, walk): (u64, u32),
    dice: &mut Dice,
    found: &mut Explored,
) {
    let (mut play, _) = Rehearsal::open(flow, scene, start);
    let mut way = vec![format!("seed {seed}, walk {walk}")];
    for _ in 0..turns {
        let moves = moves(&play);
        let Some((label, step)) = moves.get(dice.roll(moves.len())) else { break };
        let before = play.clone();
        // The world does not stand still while people think.
        if dice.roll(8) == 0 {
            play.scene.online = 1_u32.saturating_sub(play.scene.online.min(1));
        }
        if dice.roll(16) == 0 {
            play.scene.slots.clear();
        }
        way.push(label.clone());
        let Some(events) = take(&mut play, step) else { continue };
        found.turns = found.turns.saturating_add(1);
        found.passed.extend(std::mem::take(&mut play.passed));
        for what in faults(&play, Some(&before), &events) {
            found.note(what, world, way.clone());
        }
    }
}

/// A small generator of numbers (xorshift), so that a walk can be walked again.
struct Dice(u64);

impl Dice {
    fn new(seed: u64, walk: u32) -> Self {
        let mixed = seed.wrapping_add(u64::from(walk)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Dice(mixed | 1)
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let sides = u64::try_from(sides.max(1)).unwrap_or(1);
        usize::try_from(self.0 % sides).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Report;
    use crate::base::yaml;

    fn flow(steps: &str) -> Flow {
        let text = format!(
            "flow: small\ntitle: Small\nlanguages: [en]\nevents: {{human_requested: bye}}\ndefaults: {{exhausted: bye, timeout: {{after: 5m, goto: bye}}}}\nsteps:\n{steps}  bye:\n    say: Bye.\n    end: done\n"
        );
        let report = Report::new();
        Flow::read(&yaml::parse("small.yaml", &text, &report).unwrap(), &report).unwrap()
    }

    fn found(steps: &str, how: &Explore) -> Explored {
        explore(&flow(steps), &Scene::default(), None, how)
    }

    fn faults_of(steps: &str) -> Vec<String> {
        found(steps, &Explore::default()).findings.iter().map(Finding::to_string).collect()
    }

    #[test]
    fn a_sound_flow_is_walked_to_all_its_ends() {
        let steps = "  more:\n    ask: More?\n    choices: {a: A, b: {label: B, goto: other}}\n  first:\n    say: A it is.\n    end: a\n  other:\n    say: B it is.\n    end: b\n";
        let all = found(steps, &Explore { every_exit: true, ..Explore::default() });
        assert!(all.findings.is_empty(), "{:?}", all.findings);
        let ends: Vec<&str> = all.ends.keys().map(String::as_str).collect();
        assert_eq!(ends, ["a", "b", "done"]);
        assert_eq!(all.ends["b"], ["chooses b"], "the shortest way");
    }

    #[test]
    fn a_way_that_ends_nowhere_is_found() {
        let steps = "  more:\n    ask: More?\n    choices: {a: A}\n    outcomes: {exhausted: more, timeout: more}\n    goto: more\n  held:\n    say: x\n    goto: bye\n";
        let text = "events: {human_requested: bye}";
        assert!(
            faults_of(steps).iter().any(|f| f.starts_with("whoever goes away at more is never let go")),
            "{text}"
        );
    }

    #[test]
    fn a_circle_without_rest_is_found() {
        let steps =
            "  more:\n    ask: More?\n    choices: {a: A}\n  round:\n    say: And again.\n    goto: round\n";
        let faults = faults_of(steps);
        assert_eq!(
            faults,
            ["it goes round and round at round (where en, she is confirmed; after chooses a)"]
        );
    }

    #[test]
    fn a_branch_that_nothing_takes_is_found_when_every_way_out_is_wanted() {
        let steps = "  route:\n    switch:\n      - {if: team.online > 3, goto: bye}\n      - {else: more}\n  more:\n    ask: More?\n    choices: {a: A}\n";
        let all = found(steps, &Explore { every_exit: true, ..Explore::default() });
        let told: Vec<&str> = all.findings.iter().map(|f| f.what.as_str()).collect();
        assert_eq!(told, ["nothing takes the way out \"if team.online > 3\" of route"]);
    }

    #[test]
    fn walks_by_chance_are_the_same_with_the_same_seed() {
        let steps = "  more:\n    ask: More?\n    choices: {a: {label: A, goto: more}, b: B}\n";
        let walk = |seed| found(steps, &Explore { walks: 50, seed, ..Explore::default() }).turns;
        assert_eq!(walk(7), walk(7));
        assert_ne!(walk(7), walk(8));
    }

    #[test]
    fn what_nothing_reads_any_more_keeps_no_places_apart_and_nothing_less_is_found() {
        let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
        let files = [
            file("talk-or-book.yaml", include_str!("../../../bot-flows/talk-or-book.yaml")),
            file("leave-message.yaml", include_str!("../../../bot-flows/leave-message.yaml")),
            file("customer-care.yaml", include_str!("../../../bot-flows/customer-care.yaml")),
            file(
                "sizes.yaml",
                "flow: sizes\ntitle: Sizes\nlanguages: [en]\nvars: {size: {type: enum, values: [a, b, c]}, \
                 mood: {type: enum, values: [d, e, f]}}\nevents: {human_requested: bye}\ndefaults: {exhausted: round, \
                 timeout: {after: 5m, goto: bye}}\nsteps:\n  size: {ask: Size?, var: size, choices: {a: A, b: B, c: C}}\n  \
                 mood: {ask: Mood?, var: mood, choices: {d: D, e: E, f: F}}\n  by_size: {switch: [{if: vars.size == \
                 \"a\", goto: left}, {else: right}]}\n  left: {ask: Left?, goto: by_mood}\n  right: {ask: Right?}\n  \
                 by_mood: {switch: [{if: vars.mood == \"e\", goto: size}, {else: more}]}\n  more: {ask: More?}\n  \
                 round: {say: Again., goto: round}\n  bye: {say: Bye., end: done}\n",
            ),
        ];
        let report = Report::new();
        let docs: Vec<_> = files.iter().filter_map(|(path, text)| yaml::parse(path, text, &report)).collect();
        let mut flows: Vec<Flow> = docs.iter().filter_map(|doc| Flow::read(doc, &report)).collect();
        crate::chat::link::all(&mut flows, &report);
        for flow in &flows {
            let scene = Scene { online: 1, ..Scene::default() };
            let how = Explore { every_exit: true, ..Explore::default() };
            let few = explore_by(flow, &Reads::of(flow), &scene, None, &how);
            let many = explore_by(flow, &Reads::all(flow), &scene, None, &how);
            assert_eq!(few.passed, many.passed, "{}", flow.id);
            assert_eq!(few.findings, many.findings, "{}", flow.id);
            assert_eq!(few.ends, many.ends, "{}: the shortest ways", flow.id);
            assert!(few.places <= many.places, "{}", flow.id);
            if flow.id == "sizes" {
                assert!(!few.findings.is_empty(), "its circle is found");
                assert!(few.places < many.places, "{} of {}", few.places, many.places);
            }
        }
    }

    #[test]
    fn every_kind_of_question_is_walked_through() {
        let files = [
            ("tour.yaml", include_str!("../../../tests/it/fixtures/flows/tour.yaml")),
            ("details.yaml", include_str!("../../../tests/it/fixtures/flows/details.yaml")),
        ]
        .map(|(path, text)| (path.to_owned(), text.to_owned()));
        let report = Report::new();
        let flows = crate::chat::Flows::read(&files, &Default::default(), &report);
        let flows = flows.unwrap_or_else(|| panic!("{}", report.text()));
        let tour = flows.find("tour").unwrap();
        let all = explore(tour, &Scene::default(), None, &Explore::default());
        assert!(all.findings.is_empty(), "{:#?}", all.findings);
        let ends: Vec<&str> = all.ends.keys().map(String::as_str).collect();
        assert_eq!(ends, ["declined", "done", "gave_up"]);
    }
}
