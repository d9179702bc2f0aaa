//! A flow played without a server: a world of cardboard, a clock that is moved by hand.
//!
//! `embudo flow test` and `embudo flow chat` both play on this stage.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value as Json;

use crate::base::expr::Context;
use crate::base::language::Language;
use crate::base::time::{DAY_MS, HOUR_MS, Timestamp, zone};

use super::body::{self, Body, Booked, Face, Said, Slot, Video};
use super::effects::Effect;
use super::engine::{self, CONFIRMED, Crowd, Input, Out, Passed, Phase, Props, Refused, State, Turn, World};
use super::flow::Flow;
use super::steps::{Show, Verb};
use super::symbols;
use super::text::Reader;

/// Everything that can be set up before the curtain rises.
#[derive(Clone)]
pub struct Scene {
    pub now: Timestamp,
    pub language: Language,
    pub zone: String,
    pub trust: u8,
    pub facts: Context,
    pub known: BTreeMap<String, Json>,
    pub has_email: bool,
    pub online: u32,
    /// Teams of which another number is there.
    pub teams: BTreeMap<String, u32>,
    pub recordings: BTreeMap<String, Video>,
    pub slots: Vec<Timestamp>,
    /// Slots that turn out to be taken when somebody tries to book them.
    pub taken: Vec<Timestamp>,
    pub slot_ms: i64,
    /// Whether actions succeed.
    pub actions_work: bool,
    /// The digits that are right when a code is asked for.
    pub code: String,
    pub props: Props,
}

impl Default for Scene {
    fn default() -> Self {
        Scene {
            now: Timestamp(1_772_445_600_000),
            language: Language::En,
            zone: "Europe/Madrid".to_owned(),
            trust: 0,
            facts: Context::new(),
            known: BTreeMap::new(),
            has_email: false,
            online: 0,
            teams: BTreeMap::new(),
            recordings: BTreeMap::new(),
            slots: Vec::new(),
            taken: Vec::new(),
            slot_ms: 30 * 60_000,
            actions_work: true,
            code: "123456".to_owned(),
            props: Props::default(),
        }
    }
}

impl Scene {
    /// Somebody for whom every flow has something to say.
    pub fn usual(flows: &[Arc<Flow>], now: Timestamp) -> Scene {
        let mut scene = Scene { now, trust: CONFIRMED, has_email: true, ..Scene::default() };
        scene
            .facts
            .set("contact.known", true)
            .set("contact.first_name", "Nikki")
            .set("contact.company", "Acme")
            .set("webinar.title", "A reading culture in 90 days")
            .set("webinar.state", "no_show")
            .set("webinar.recording", "a-recording");
        let shown = flows.iter().flat_map(|flow| &flow.steps).filter_map(|step| match &step.verb {
            Verb::Show(Show::Video { video }) => Some(video.value.clone()),
            _ => None,
        });
        for recording in shown.chain(["a-recording".to_owned()]) {
            let video = Video {
                title: recording.clone(),
                src: String::new(),
                poster: None,
                captions: Vec::new(),
                duration_s: 600,
                watched_percent: 0,
                recording: recording.clone(),
            };
            scene.recordings.insert(recording, video);
        }
        let hour = Timestamp(now.0.div_euclid(HOUR_MS) * HOUR_MS);
        scene.slots = (1..9).map(|n| hour.plus_ms(n * DAY_MS / 2)).collect();
        scene
    }

    /// The same with somebody of whom nothing is known.
    #[must_use]
    pub fn of_nobody(mut self) -> Scene {
        (self.trust, self.has_email, self.facts) = (0, false, Context::new());
        self
    }
}

/// A play in progress.
#[derive(Clone)]
pub struct Rehearsal<'f> {
    pub flow: &'f Flow,
    pub scene: Scene,
    pub state: State,
    /// Effects so far, in order.
    pub effects: Vec<Effect>,
    pub wake_at: Option<Timestamp>,
    /// The ways out of steps that were taken, in order.
    pub passed: Vec<Passed>,
    /// The question that was asked last, and what it takes.
    pub asked: Option<(String, body::Input)>,
    shown_slots: Vec<Slot>,
}

impl<'f> Rehearsal<'f> {
    /// Opens the conversation, at a step of choice if one is named.
    pub fn open(flow: &'f Flow, scene: Scene, at: Option<&str>) -> (Self, Vec<Out>) {
        let world = world(&scene);
        let turn = match at {
            Some(step) => engine::open_at(flow, step, &world),
            None => engine::open(flow, &world),
        };
        let state = turn.state.clone();
        let mut play = Rehearsal {
            flow,
            scene,
            state,
            effects: Vec::new(),
            wake_at: None,
            passed: Vec::new(),
            asked: None,
            shown_slots: Vec::new(),
        };
        let events = play.settle(turn);
        (play, events)
    }

    /// Plays one input.
    ///
    /// # Errors
    /// [`Refused`] as the engine says.
    pub fn play(&mut self, input: &Input) -> Result<Vec<Out>, Refused> {
        if let Input::Watched { recording, percent } = input
            && let Some(video) = self.scene.recordings.get_mut(recording)
        {
            video.watched_percent = *percent;
        }
        let turn = engine::turn(self.flow, &self.state, input, &world(&self.scene))?;
        Ok(self.settle(turn))
    }

    /// Moves the clock and wakes the conversation as often as it asked to be.
    pub fn advance(&mut self, ms: i64) -> Vec<Out> {
        let until = self.scene.now.plus_ms(ms);
        let mut events = Vec::new();
        while let Some(at) = self.wake_at.filter(|at| *at <= until) {
            self.scene.now = self.scene.now.max(at);
            match self.play(&Input::Tick) {
                Ok(more) => events.extend(more),
                Err(_) => break,
            }
        }
        self.scene.now = until;
        events
    }

    /// The slots that were offered last.
    pub fn offered(&self) -> &[Slot] {
        &self.shown_slots
    }

    /// The question that is open, by the id that answers name.
    pub fn open_question(&self) -> String {
        let step = &self.state.step;
        match &self.state.phase {
            Phase::Form { open, at } => {
                open.get(*at).map_or_else(|| step.clone(), |name| format!("{step}.{name}"))
            }
            Phase::Email => format!("{step}.email"),
            Phase::Waitlist { .. } => format!("{step}.wait"),
            Phase::Asking
            | Phase::Watching
            | Phase::Answer
            | Phase::Slots { .. }
            | Phase::Waiting
            | Phase::Human
            | Phase::Ended => step.clone(),
        }
    }

    /// Somebody of the team.
    pub fn agent() -> Face {
        Face::of("Mike")
    }

    /// A booking that somebody of the team has made, at the first free time.
    pub fn booked_by_agent(&self) -> Option<Input> {
        let free = self.scene.slots.iter().find(|at| **at > self.scene.now)?;
        Some(Input::Booked(self.booking(*free)))
    }

    fn booking(&self, starts_at: Timestamp) -> Booked {
        Booked {
            booking: "a-booking".to_owned(),
            starts_at,
            ends_at: starts_at.plus_ms(self.scene.slot_ms),
            zone: self.scene.zone.clone(),
            with: "Mike".to_owned(),
            manage: "/b/token".to_owned(),
            location: None,
        }
    }

    /// Carries out a turn's effects and whatever they lead to.
    fn settle(&mut self, turn: Turn) -> Vec<Out> {
        let mut events = Vec::new();
        let mut turns = VecDeque::from([turn]);
        while let Some(turn) = turns.pop_front() {
            self.state = turn.state;
            self.wake_at = turn.wake_at;
            self.passed.extend(turn.passed);
            for event in &turn.events {
                if let Body::Ask { question, input, .. } = &event.body {
                    self.asked = Some((question.clone(), input.clone()));
                }
            }
            events.extend(turn.events);
            for effect in turn.effects {
                let answer = self.carry_out(&effect);
                self.effects.push(effect);
                if let Some(answer) = answer
                    && let Ok(next) = engine::turn(self.flow, &self.state, &answer, &world(&self.scene))
                {
                    turns.push_back(next);
                }
            }
        }
        events
    }

    fn carry_out(&mut self, effect: &Effect) -> Option<Input> {
        match effect {
            Effect::Identify { .. } => {
                self.scene.has_email = true;
                self.scene.trust = self.scene.trust.max(1);
                None
            }
            Effect::SaveField { .. }
            | Effect::Handoff { .. }
            | Effect::WithdrawHandoff
            | Effect::Split { .. } => None,
            Effect::SendCode => Some(if self.scene.has_email { Input::Done } else { Input::Failed }),
            Effect::CheckCode { digits } if *digits == self.scene.code => {
                self.scene.trust = self.scene.trust.max(3);
                Some(Input::Done)
            }
            Effect::CheckCode { .. } => Some(Input::CodeWrong),
            Effect::OfferSlots { after, within_ms, offer, .. } => {
                let from = after.unwrap_or(self.scene.now);
                let until = self.scene.now.plus_ms(*within_ms);
                let slots = self.free(from, until, *offer);
                let last = slots.last().map(|slot| slot.starts_at);
                let more = self.scene.slots.iter().any(|at| Some(*at) > last && *at < until);
                Some(Input::Slots { slots, more })
            }
            Effect::Book { starts_at, .. } => {
                if self.scene.taken.contains(starts_at) || !self.scene.slots.contains(starts_at) {
                    self.scene.slots.retain(|slot| slot != starts_at);
                    let alternatives = self.free(self.scene.now, Timestamp(i64::MAX), 3);
                    return Some(Input::SlotTaken { alternatives });
                }
                Some(Input::Booked(self.booking(*starts_at)))
            }
            Effect::WaitForTime { .. } => Some(Input::Done),
            Effect::Do { .. } => Some(if self.scene.actions_work { Input::Done } else { Input::Failed }),
        }
    }

    fn free(&mut self, after: Timestamp, until: Timestamp, offer: usize) -> Vec<Slot> {
        let free = self.scene.slots.iter().filter(|slot| **slot > after && **slot < until);
        let slot_ms = self.scene.slot_ms;
        let slots: Vec<Slot> =
            free.take(offer).map(|at| Slot { starts_at: *at, ends_at: at.plus_ms(slot_ms) }).collect();
        self.shown_slots.clone_from(&slots);
        slots
    }
}

/// The facts that a trigger's condition sees: nothing about a person below trust 3.
pub fn sight(scene: &Scene) -> Context {
    let mut facts = facts(scene);
    if scene.trust < CONFIRMED {
        facts.retain(|path| !symbols::is_personal(path));
    }
    facts
}

fn facts(scene: &Scene) -> Context {
    let mut facts = scene.facts.clone();
    facts
        .set("trust", scene.trust)
        .set("team.online", scene.online)
        .set("visit.language", scene.language.code())
        .set("contact.has_email", scene.has_email);
    let is_open = facts.get("hours.open").and_then(Json::as_bool).unwrap_or(true);
    facts.set("hours.open", is_open);
    let named = facts.clone();
    facts.function(super::symbols::IS_OPEN, move |arguments| {
        let name = arguments.first().and_then(Json::as_str).unwrap_or_default();
        let told = named.get(&format!("hours.{name}")).and_then(Json::as_bool);
        Ok(Json::Bool(told.unwrap_or(is_open)))
    });
    let online = online(scene);
    facts.function(super::symbols::IS_ONLINE, move |arguments| {
        let team = arguments.first().and_then(Json::as_str).unwrap_or_default();
        Ok(Json::Bool(online.of(team) > 0))
    });
    facts
}

fn online(scene: &Scene) -> Crowd {
    Crowd { all: scene.online, teams: scene.teams.clone() }
}

pub fn world(scene: &Scene) -> World {
    let facts = facts(scene);
    let zone = zone(&scene.zone).unwrap_or(jiff::tz::TimeZone::UTC);
    World {
        now: scene.now,
        reader: Reader { language: scene.language, zone },
        zone: scene.zone.clone(),
        trust: scene.trust,
        facts,
        known: scene.known.clone(),
        has_email: scene.has_email,
        online: online(scene),
        recordings: scene.recordings.clone(),
        props: scene.props.clone(),
    }
}

/// What a visitor who types freely says.
pub fn says(text: &str) -> Input {
    Input::Said(Said::Text { text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Report;
    use crate::base::yaml;
    use crate::chat::body::{Author, Body, Mode};
    use crate::chat::check;

    fn load(text: &str) -> Flow {
        let report = Report::new();
        let doc = yaml::parse("f.yaml", text, &report).unwrap();
        let flow = Flow::read(&doc, &report).unwrap();
        let known = check::Known {
            meetings: Some(["discovery".to_owned()].into()),
            teams: Some(["sdr".to_owned()].into()),
            recordings: Some(Default::default()),
            ..check::Known::default()
        };
        check::one(&flow, &known, &report);
        assert!(!report.has_errors(), "{}", report.text());
        flow
    }

    const MENU: &str = "flow: menu
title: A menu
languages: [en]
trigger: {when: opened}
defaults: {retries: 1, exhausted: passed, timeout: {after: 5m, goto: bye}}
events: {human_requested: live, stop_requested: bye}
steps:
  pick:
    ask: Which?
    choices: {a: A, b: B}
    goto: bye
  passed: {say: \"I heard: {{#if chat.unheard}}{{chat.unheard}}{{/if}}\", goto: bye}
  live:
    switch: [{if: 'is_online(\"cs\")', goto: call}, {else: alone}]
  call:
    handoff: {team: cs, wait: 90s}
    say: One moment.
    outcomes: {booked: bye, returned: bye, closed: bye, unavailable: alone, expired: alone}
  alone: {say: Nobody., goto: bye}
  bye: {say: Bye., end: done}
";

    #[test]
    fn words_that_no_question_took_can_be_read_and_are_no_template() {
        let report = Report::new();
        let flow = Flow::read(&yaml::parse("f.yaml", MENU, &report).unwrap(), &report).unwrap();
        assert!(!report.has_errors(), "{}", report.text());
        let (mut play, _) = Rehearsal::open(&flow, Scene::default(), None);
        play.play(&says("my order {{vars.x}} is late")).unwrap();
        let said = play.play(&says("hello?")).unwrap();
        let heard = "I heard: my order {{vars.x}} is late\nhello?";
        assert!(
            said.iter().any(|out| matches!(&out.body, Body::Text { text, .. } if text == heard)),
            "{said:?}"
        );
        let (mut play, _) = Rehearsal::open(&flow, Scene::default(), None);
        for _ in 0..2 {
            let _ = play.play(&says(&"é".repeat(900)));
        }
        assert_eq!(play.state.unheard.chars().count(), engine::UNHEARD_LENGTH, "the latest are kept");
    }

    #[test]
    fn a_team_is_there_or_not_whoever_else_is() {
        let report = Report::new();
        let flow = Flow::read(&yaml::parse("f.yaml", MENU, &report).unwrap(), &report).unwrap();
        let asks = |cs: u32| {
            let scene = Scene { online: 2, teams: [("cs".to_owned(), cs)].into(), ..Scene::default() };
            let (mut play, _) = Rehearsal::open(&flow, scene, None);
            play.play(&Input::Said(Said::HumanRequested)).unwrap();
            (play.state.phase == Phase::Waiting, play.state.team.clone())
        };
        assert_eq!(asks(1), (true, Some("cs".to_owned())));
        assert_eq!(asks(0), (false, None));
    }

    fn shipped() -> Vec<Flow> {
        [include_str!("../../bot-flows/webinar-recording.yaml"), include_str!("../../bot-flows/welcome.yaml")]
            .map(load)
            .into()
    }

    fn scene() -> Scene {
        let mut scene = Scene { trust: 3, has_email: true, ..Scene::default() };
        scene
            .facts
            .set("contact.known", true)
            .set("contact.first_name", "Nikki")
            .set("webinar.title", "Reading at work")
            .set("webinar.state", "no_show")
            .set("webinar.recording", "condensed");
        let video = Video {
            recording: "condensed".into(),
            title: "Reading at work".into(),
            src: "/r/x".into(),
            poster: None,
            captions: Vec::new(),
            duration_s: 600,
            watched_percent: 0,
        };
        scene.recordings.insert("condensed".into(), video);
        scene.slots = (1..6).map(|day| scene.now.plus_ms(day * 86_400_000)).collect();
        scene
    }

    fn pick(question: &str, choice: &str) -> Input {
        Input::Said(Said::Choice { question: question.into(), choice: choice.into() })
    }

    /// A small generator of numbers, so that a failing walk can be walked again.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % u64::try_from(sides).unwrap()).unwrap()
        }
    }

    fn any_input(play: &Rehearsal<'_>, dice: &mut Dice) -> Input {
        let open = play.open_question();
        let choices = [
            "now",
            "later",
            "accept",
            "decline",
            "under_10k",
            "decider",
            "this_year",
            "person",
            "call",
            "webinars",
            "question",
            "no",
        ];
        match dice.roll(15) {
            0 => says("what do you mean?"),
            1 => says("ana@example.com"),
            2 => says("+34 600 123 456"),
            3 => Input::Said(Said::HumanRequested),
            4 => Input::AgentAccepted { agent: Rehearsal::agent() },
            5 => Input::AgentReturned,
            6 => Input::AgentClosed,
            7 => Input::Watched {
                recording: "condensed".into(),
                percent: u8::try_from(dice.roll(101)).unwrap(),
            },
            8 => Input::Said(Said::Slot {
                question: open,
                starts_at: play.offered().first().map(|slot| slot.starts_at),
                none_fit: dice.roll(3) == 0,
            }),
            9 => says("1"),
            14 => Input::Event { name: "demo_clicked".into() },
            _ => pick(&open, choices[dice.roll(choices.len())]),
        }
    }

    #[test]
    fn whatever_comes_no_flow_is_silent_speaks_over_a_person_or_hangs() {
        for flow in &shipped() {
            let mut ended = 0;
            for seed in 1..=3_000_u64 {
                let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
                let mut stage = scene();
                stage.trust = u8::try_from(dice.roll(5)).unwrap();
                stage.has_email = dice.roll(2) == 0;
                stage.online = u32::try_from(dice.roll(2)).unwrap();
                stage.actions_work = dice.roll(2) == 0;
                if dice.roll(3) == 0 {
                    stage.slots.clear();
                }
                if dice.roll(3) == 0 {
                    stage.taken.extend(stage.slots.first().copied());
                }
                if dice.roll(4) == 0 {
                    stage.recordings.clear();
                }
                let (mut play, first) = Rehearsal::open(flow, stage, None);
                assert!(
                    first.iter().any(|out| out.author == Author::Bot),
                    "{} seed {seed}: silent start",
                    flow.id
                );
                for _ in 0..40 {
                    let before = play.state.phase.clone();
                    if before == Phase::Ended {
                        ended += 1;
                        break;
                    }
                    let input = any_input(&play, &mut dice);
                    let out = match dice.roll(6) {
                        0 => play.advance(91_000 + i64::try_from(dice.roll(3_000_000)).unwrap()),
                        _ => match play.play(&input) {
                            Ok(out) => out,
                            Err(_) => continue,
                        },
                    };
                    let with_person = matches!(before, Phase::Human);
                    for event in &out {
                        if let Body::Text { text, .. } | Body::Ask { text, .. } | Body::Invalid { text, .. } =
                            &event.body
                        {
                            assert!(
                                !text.trim().is_empty() && !text.contains("{{"),
                                "{} seed {seed}: {text:?}",
                                flow.id
                            );
                        }
                    }
                    if with_person && play.state.phase == Phase::Human {
                        assert!(
                            out.iter().all(|o| o.author != Author::Bot),
                            "{} seed {seed}: the bot spoke over a person",
                            flow.id
                        );
                    }
                    // An answer is awaited only inside of a turn, and whoever waits is either heard or woken.
                    assert_ne!(play.state.phase, Phase::Answer, "{} seed {seed}", flow.id);
                    if !matches!(play.state.phase, Phase::Ended | Phase::Human) {
                        assert!(
                            play.wake_at.is_some(),
                            "{} seed {seed}: nothing would ever wake it",
                            flow.id
                        );
                    }
                    assert!(
                        !matches!(play.state.outcome.as_deref(), Some("unhandled" | "endless")),
                        "{} seed {seed}",
                        flow.id
                    );
                }
            }
            assert!(ended > 1_000, "{}: only {ended} walks came to an end", flow.id);
        }
    }

    #[test]
    fn what_is_known_is_skipped_only_for_a_confirmed_person() {
        let flow = &shipped()[0];
        let mut stage = scene();
        stage.known = [("budget", "over_50k"), ("authority", "decider"), ("timeline", "later")]
            .map(|(name, value)| (name.to_owned(), Json::from(value)))
            .into();
        let asked = |trust: u8| {
            let (_, out) = Rehearsal::open(flow, Scene { trust, ..stage.clone() }, Some("bant"));
            out.into_iter()
                .find_map(|out| match out.body {
                    Body::Ask { question, progress, .. } => Some((question, progress.unwrap().of)),
                    _ => None,
                })
                .unwrap()
        };
        assert_eq!(asked(3), ("bant.need".to_owned(), 1));
        assert_eq!(asked(2), ("bant.budget".to_owned(), 4));
    }

    #[test]
    fn an_old_question_is_refused_and_nothing_changes() {
        let flow = &shipped()[0];
        let (mut play, _) = Rehearsal::open(flow, scene(), None);
        play.play(&pick("offer_recording", "now")).unwrap();
        let before = play.state.clone();
        assert_eq!(play.play(&pick("offer_recording", "later")), Err(Refused::QuestionOver));
        assert_eq!(play.state, before);
    }

    #[test]
    fn a_running_conversation_survives_a_change_of_texts() {
        let source = include_str!("../../bot-flows/webinar-recording.yaml");
        let (old, new) = (load(source), load(&source.replace("Would you like to see", "Do you want to see")));
        assert_ne!(old.version, new.version);
        let (mut play, _) = Rehearsal::open(&old, scene(), None);
        play.flow = &new;
        let out = play.play(&pick("offer_recording", "now")).unwrap();
        assert!(matches!(&out[1].body, Body::Video(_)), "{out:?}");
        assert_eq!(play.state.version, new.version);
    }

    #[test]
    fn a_step_whose_answers_changed_is_asked_anew() {
        let source = include_str!("../../bot-flows/webinar-recording.yaml");
        let changed =
            source.replace("now: Yes, show it", "soon: Yes, show it").replace("{now: \"Sí", "{soon: \"Sí");
        let (old, new) = (load(source), load(&changed));
        let (mut play, _) = Rehearsal::open(&old, scene(), None);
        play.flow = &new;
        let out = play.play(&says("yes, show it")).unwrap();
        assert!(
            matches!(&out[1].body, Body::Ask { question, .. } if question == "offer_recording"),
            "{out:?}"
        );
        assert!(
            out.iter().any(|o| matches!(o.body, Body::Video(_))),
            "and the words are taken as the answer"
        );
    }

    #[test]
    fn a_step_that_is_gone_leads_to_a_person() {
        let source = include_str!("../../bot-flows/webinar-recording.yaml");
        let (old, new) = (load(source), load(&source.replace("offer_recording", "offer_it")));
        let (mut play, _) = Rehearsal::open(&old, Scene { online: 1, ..scene() }, None);
        play.flow = &new;
        let out = play.play(&says("yes")).unwrap();
        assert!(out.iter().any(|o| matches!(&o.body, Body::Status { mode: Mode::Waiting, .. })), "{out:?}");
    }

    #[test]
    fn a_click_on_a_step_that_is_gone_is_excused_like_words() {
        let source = include_str!("../../bot-flows/webinar-recording.yaml");
        let (old, new) = (load(source), load(&source.replace("offer_recording", "offer_it")));
        for said in [
            Said::Choice { question: "offer_recording".to_owned(), choice: "now".to_owned() },
            Said::Slot { question: "offer_recording".to_owned(), starts_at: None, none_fit: true },
        ] {
            let (mut play, _) = Rehearsal::open(&old, Scene { online: 1, ..scene() }, None);
            play.flow = &new;
            let out = play.play(&Input::Said(said)).unwrap();
            assert!(
                out.iter().any(|o| o.author == Author::Visitor),
                "what she sent stands in the log: {out:?}"
            );
            let excuse = |o: &Out| o.author == Author::Bot && matches!(&o.body, Body::Text { .. });
            assert!(out.iter().any(excuse), "{out:?}");
            assert!(
                out.iter().any(|o| matches!(&o.body, Body::Status { mode: Mode::Waiting, .. })),
                "{out:?}"
            );
        }
    }

    #[test]
    fn whoever_asks_for_a_person_in_words_gets_one() {
        let flow = &shipped()[0];
        let (mut play, _) = Rehearsal::open(flow, Scene { online: 1, ..scene() }, None);
        let out = play.play(&says("I want to talk to a human, please")).unwrap();
        assert!(out.iter().any(|o| matches!(&o.body, Body::Status { mode: Mode::Waiting, .. })), "{out:?}");
        // A choice that reads like that leads where the choice leads.
        let text = "flow: f\ntitle: F\nlanguages: [en]\nevents: {human_requested: live}\nsteps:\n  q:\n    ask: With whom?\n    \
            timeout: {after: 5m, goto: bye}\n    retries: 0\n    outcomes: {exhausted: bye}\n    choices: {p: {label: A person, goto: bye}, b: {label: A book, goto: live}}\n  live: {say: Live., end: live}\n  bye: {say: Bye., end: bye}\n";
        let flow = load(text);
        let (mut play, _) = Rehearsal::open(&flow, scene(), None);
        play.play(&says("a person")).unwrap();
        assert_eq!(play.state.outcome.as_deref(), Some("bye"));
    }

    #[test]
    fn a_flow_that_goes_on_by_time_alone_ends() {
        let text = "flow: f\ntitle: F\nlanguages: [en]\nevents: {human_requested: bye}\nsteps:\n  a: {say: Hello.}\n  w: {wait_for: {time: 1s}, goto: a}\n  bye: {say: Bye., end: bye}\n";
        let report = Report::new();
        let doc = yaml::parse("f.yaml", text, &report).unwrap();
        // `embudo check` refuses it; whoever runs it all the same is not spoken to for ever.
        let flow = Flow::read(&doc, &report).unwrap();
        let (mut play, _) = Rehearsal::open(&flow, scene(), None);
        let said = play.advance(86_400_000);
        assert_eq!(play.state.outcome.as_deref(), Some(engine::UNANSWERED));
        assert!(said.len() < 100, "{}", said.len());
        // Her words begin the count anew.
        let (mut play, _) = Rehearsal::open(&flow, scene(), None);
        play.advance(40_000);
        play.play(&says("hello")).unwrap();
        play.advance(40_000);
        assert_eq!(play.state.outcome, None);
    }

    #[test]
    fn while_a_person_speaks_the_flow_is_silent_even_if_its_step_is_gone() {
        let source = include_str!("../../bot-flows/webinar-recording.yaml");
        let (old, new) = (load(source), load(&source.replace("offer_recording", "offer_it")));
        let (mut play, _) = Rehearsal::open(&old, Scene { online: 1, ..scene() }, None);
        play.play(&Input::AgentAccepted { agent: Rehearsal::agent() }).unwrap();
        play.flow = &new;
        let out = play.play(&says("yes")).unwrap();
        assert!(out.iter().all(|o| o.author == Author::Visitor), "{out:?}");
        let out = play.play(&Input::AgentReturned).unwrap();
        assert!(out.iter().any(|o| o.author == Author::Bot), "now it may say so: {out:?}");
    }

    #[test]
    fn a_comment_does_not_make_a_new_version() {
        let source = include_str!("../../bot-flows/welcome.yaml");
        assert_eq!(load(source).version, load(&format!("# another remark\n{source}")).version);
    }

    #[test]
    fn a_taken_slot_brings_others() {
        let flow = &shipped()[0];
        let mut stage = scene();
        stage.taken.push(stage.slots[0]);
        let (mut play, _) = Rehearsal::open(flow, stage.clone(), Some("pick_slot"));
        let take = |at| {
            Input::Said(Said::Slot { question: "pick_slot".into(), starts_at: Some(at), none_fit: false })
        };
        let out = play.play(&take(stage.slots[0])).unwrap();
        assert!(matches!(out.last().unwrap().body, Body::Ask { .. }));
        play.play(&take(stage.slots[1])).unwrap();
        assert_eq!(play.state.outcome.as_deref(), Some("booked"));
    }

    #[test]
    fn the_same_turn_twice_is_the_same() {
        let flow = &shipped()[0];
        let (play, _) = Rehearsal::open(flow, scene(), None);
        let world = world(&play.scene);
        let turn = || engine::turn(flow, &play.state, &pick("offer_recording", "now"), &world).unwrap();
        assert_eq!(turn(), turn());
    }
}
