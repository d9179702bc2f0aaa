//! A conversation's log said once more by its flow alone (`chat::engine`, without store or network).

use std::collections::{BTreeSet, HashMap, VecDeque};

use embudo::base::language::Language;
use embudo::base::time::Timestamp;
use embudo::chat::body::{self, Author, Body, Face, Said};
use embudo::chat::effects::Effect;
use embudo::chat::engine::{self, Input, Phase, State, Turn};
use embudo::chat::flow::Flow;
use embudo::chat::phrases::Phrase;
use embudo::chat::rehearsal::{self, Scene};
use serde_json::{Value, json};

/// What a schedule has come to, so that it is certain that schedules play what they are said to.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    pub turns: usize,
    pub accepted: usize,
    pub refused: usize,
    pub answers: usize,
    pub ticks: usize,
    pub identified: usize,
    pub done: usize,
    pub calls: usize,
    pub booked: usize,
    pub handoffs: usize,
    pub expired: usize,
    pub accepts: usize,
    pub returns: usize,
    /// It had ended before Mike ended it.
    pub by_itself: usize,
}

impl Tally {
    pub fn add(self, other: Self) -> Self {
        Self {
            turns: self.turns + other.turns,
            accepted: self.accepted + other.accepted,
            refused: self.refused + other.refused,
            answers: self.answers + other.answers,
            ticks: self.ticks + other.ticks,
            identified: self.identified + other.identified,
            done: self.done + other.done,
            calls: self.calls + other.calls,
            booked: self.booked + other.booked,
            handoffs: self.handoffs + other.handoffs,
            expired: self.expired + other.expired,
            accepts: self.accepts + other.accepts,
            returns: self.returns + other.returns,
            by_itself: self.by_itself + other.by_itself,
        }
    }
}

/// The log, said once more by the flow alone.
#[derive(Clone)]
pub struct Replay<'a> {
    flow: &'a Flow,
    log: &'a [Value],
    /// What was sent under which id.
    said: HashMap<String, Said>,
    /// How many entries have been said again.
    at: usize,
    pub state: State,
    /// The keys of what was to be done.
    pub keys: BTreeSet<String>,
    has_talked: bool,
    pub tally: Tally,
}

impl<'a> Replay<'a> {
    pub fn new(flow: &'a Flow, log: &'a [Value], said: HashMap<String, Said>) -> Self {
        let state = engine::open(flow, &rehearsal::world(&Scene::default())).state;
        Self {
            flow,
            log,
            said,
            at: 0,
            state,
            keys: BTreeSet::new(),
            has_talked: false,
            tally: Tally::default(),
        }
    }

    pub fn all(&mut self) -> Result<(), String> {
        self.turn(None)?;
        while let Some(event) = self.log.get(self.at) {
            let (author, body) = (event["author"]["kind"].as_str().unwrap_or_default(), &event["body"]);
            let is_human = self.state.phase == Phase::Human;
            let status = (body["type"] == "status").then(|| (body["mode"].as_str(), !body["text"].is_null()));
            let input = match (author, status) {
                ("agent", _) if is_human => {
                    (self.has_talked, self.at) = (true, self.at + 1);
                    continue;
                }
                ("agent", _) => return Err(format!("Mike speaks without having the word: {event}")),
                ("system", _) if body["type"] == "satisfaction" => {
                    if self.state.phase != Phase::Ended || !self.has_talked {
                        return Err("she is asked how it was, and nobody has talked".to_owned());
                    }
                    self.at += 1;
                    continue;
                }
                ("visitor", _) => {
                    let id = event["client_id"].as_str().unwrap_or_default();
                    let said = self.said.get(id).ok_or_else(|| format!("nobody has sent {event}"))?;
                    self.tally.answers += usize::from(!is_human);
                    Input::Said(said.plain())
                }
                ("system", Some((Some("human"), _))) => {
                    self.tally.accepts += 1;
                    Input::AgentAccepted { agent: Face::of("Mike") }
                }
                ("system", Some((Some("bot"), true))) => {
                    self.tally.returns += 1;
                    Input::AgentReturned
                }
                ("system", _) if is_human => Input::AgentClosed,
                _ => {
                    self.tally.ticks += 1;
                    Input::Tick
                }
            };
            let was_over = self.state.phase == Phase::Ended;
            let (begun, closes) = (self.at, matches!(input, Input::AgentClosed));
            self.turn(Some(input))?;
            if was_over || self.at == begun {
                return Err(format!("nothing leads to {event}"));
            }
            self.tally.by_itself += usize::from(!closes && self.state.phase == Phase::Ended);
        }
        Ok(())
    }

    /// One turn. Whether somebody was there at that moment is not in the log: both may be.
    fn turn(&mut self, input: Option<Input>) -> Result<(), String> {
        let mut why = String::new();
        for online in [1, 0] {
            let mut tried = self.clone();
            match tried.tried(input.clone(), online) {
                Ok(()) => {
                    *self = tried;
                    self.tally.turns += 1;
                    return Ok(());
                }
                Err(wrong) => why = format!("{why}\nwith {online} there: {wrong}"),
            }
        }
        Err(format!("the turn of {input:?} is not what the log has from {} on:{why}", self.at + 1))
    }

    fn tried(&mut self, input: Option<Input>, online: u32) -> Result<(), String> {
        let first = self.log.get(self.at).ok_or("there is no entry")?;
        let is_said = matches!(input, Some(Input::Said(_)));
        let (now, mut client_id) =
            (first["at"].as_i64().expect("as it is written"), first["client_id"].clone());
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let is_known = self.tally.identified > 0;
            let mut scene = Scene { now: Timestamp(now), online, has_email: is_known, ..Scene::default() };
            scene.trust = u8::from(is_known);
            let world = rehearsal::world(&scene);
            let Turn { state, events, effects, .. } = match &input {
                None => engine::open(self.flow, &world),
                Some(input) => engine::turn(self.flow, &self.state, input, &world)
                    .map_err(|refused| format!("{input:?} is refused: {refused}"))?,
            };
            self.state = state;
            for event in events {
                let logged =
                    self.log.get(self.at).ok_or_else(|| format!("half a turn: {event:?} is missing"))?;
                let is_same = logged["author"]["kind"] == json!(event.author.word())
                    && logged["body"] == serde_json::to_value(&event.body).expect("as it is written")
                    && logged["at"] == json!(now);
                if !is_same {
                    return Err(format!("{logged} instead of {event:?} at {now}"));
                }
                let is_hers = is_said && event.author == Author::Visitor;
                let id = if is_hers { client_id.take() } else { Value::Null };
                if logged["client_id"] != id {
                    return Err(format!("{logged} has another's id than {id}"));
                }
                self.at += 1;
            }
            for effect in effects {
                inputs.extend(self.carry_out(effect).map(Some));
            }
        }
        Ok(())
    }

    /// What the world answered stands in the entry that comes next.
    fn carry_out(&mut self, effect: Effect) -> Option<Input> {
        let next = self.log.get(self.at).and_then(|event| serde_json::from_value(event["body"].clone()).ok());
        match (effect, next) {
            (
                Effect::OfferSlots { .. },
                Some(Body::Ask { input: body::Input::Slot { slots, more, .. }, .. }),
            ) => Some(Input::Slots { slots, more }),
            (Effect::OfferSlots { .. }, _) => Some(Input::NoSlots),
            (Effect::Book { .. }, Some(Body::Booked(booked))) => {
                self.tally.booked += 1;
                Some(Input::Booked(booked))
            }
            (Effect::Book { .. }, Some(Body::Ask { input: body::Input::Slot { slots, .. }, text, .. })) => {
                let is_taken = text == Phrase::SlotTaken.text(Language::En);
                Some(match is_taken {
                    true => Input::SlotTaken { alternatives: slots },
                    false => Input::NotBooked { alternatives: slots },
                })
            }
            (Effect::Book { .. }, _) => Some(Input::NotBooked { alternatives: Vec::new() }),
            (Effect::Do { action, key, .. }, _) => {
                self.tally.done += 1;
                self.tally.calls += usize::from(action == "call.request");
                self.keys.insert(key);
                Some(Input::Done)
            }
            (Effect::Identify { .. }, _) => {
                self.tally.identified += 1;
                None
            }
            (Effect::Handoff { .. }, _) => {
                self.tally.handoffs += 1;
                None
            }
            (Effect::WithdrawHandoff, _) => {
                self.tally.expired += 1;
                None
            }
            (Effect::SaveField { .. } | Effect::Split { .. }, _) => None,
            // The flow of these schedules has no list of those who wait.
            (Effect::SendCode | Effect::CheckCode { .. } | Effect::WaitForTime { .. }, _) => {
                Some(Input::Failed)
            }
        }
    }
}
