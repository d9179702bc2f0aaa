//! The flow's turns under a bad network, on machines that die: a visitor answers a flow while everything fails that can.
//!
//! Each schedule is drawn from a seed. She answers choices, texts, a form, an address and times for a call, from two
//! tabs that may know less than has happened; the flow identifies her, waits, runs out of patience, has things done,
//! books and ends. Her messages are lost on the way there or back, doubled on two nodes at once, and meet one another,
//! Mike who steps in and out, and the clock; turns die in the middle. The bus loses wake-ups, is away, is restarted.
//!
//! What must hold is worked out from the log: it is what the flow (`chat::engine`, without store or network) says when
//! the same inputs come one after the other over a perfect network, entry by entry. So no turn is halved, nothing is
//! answered twice, the bot is silent while a person speaks. What the turns have had done stands in the store as often,
//! the state is the one that the replay ends in, and every client shows that log. A failing seed is named, and can be
//! played again alone: SCHEDULE=17. `SCHEDULES=1000 cargo test --test it -- chat_turns` plays more of them.
#![allow(clippy::unwrap_used, reason = "a panic in a test is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use embudo::accounts::{self, NewAccount, Role};
use embudo::base::ids::{ConversationId, VisitorId, new_key};
use embudo::base::language::Language;
use embudo::base::time::Timestamp;
use embudo::chat::body::{Author, Mode, Said};
use embudo::chat::flow::Flow;
use embudo::chat::live::routing;
use embudo::chat::{self, Agent};
use embudo::storage::db::Queries;
use futures_util::future::join;
use futures_util::stream::FuturesOrdered;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::support::answer::frames;
use crate::support::app::{SITE, TestApp, set, starting_clock};
use crate::support::faults::{Deaths, Dice, Faults, Node, Tab};
use crate::support::replay::{Replay, Tally};
use crate::support::socket::Socket;
use crate::support::stores::{Mix, mix};

/// How many schedules are played where SCHEDULES does not say otherwise: as many as take less than a minute.
const SCHEDULES: u64 = 300;

/// Conversations that go on at the same time, so that they also get into one another's way.
const AT_ONCE: usize = 8;

/// In which turns nodes die.
const DEATHS: [&str; 5] = [
    "a node dies while she says something",
    "a node dies while Mike says something",
    "a node dies while Mike steps in",
    "a node dies while Mike steps out",
    "a node dies while the clock leads on",
];

/// What becomes of letters under way.
const FAULTS: [&str; 3] = [
    "a letter is lost on the way there",
    "an answer is lost on the way back",
    "a letter arrives at two nodes",
];

/// Of so many schedules one ends in a call: she wants it, and does not give up.
const TO_A_CALL: u64 = 6;

/// How often she tries at most.
const TRIES: usize = 80;

const PASSWORD: &str = "a lighthouse at night";

/// Everything that takes a turn.
const FLOW: &str = r#"flow: turns
title: Everything that takes a turn
languages: [en]
trigger: {when: opened}
vars:
  size: {type: enum, values: [small, large], save: true}
  need: {type: text, save: true}
  email: {type: email}
  budget: {type: enum, values: [low, high], save: true}
  people: {type: number, save: true}
defaults: {retries: 1, exhausted: nudge, timeout: {after: 5m, goto: nudge}}
events: {human_requested: live, stop_requested: bye}
steps:
  hello: {say: Hello.}
  size:
    ask: How large?
    var: size
    choices: {small: Small, large: {label: Large, goto: wait}}
  need: {ask: What for?, var: need, min: 3}
  note:
    do: call.request
    with: {note: "{{#if vars.need}}{{vars.need}}{{/if}}"}
    outcomes: {error: failed}
  noted: {say: Noted., goto: menu}
  wait: {wait_for: {time: 2m}}
  waited: {say: That took a while.}
  email: {ask: Who are you?, var: email}
  mark:
    do: contact.mark
    with: {as: asked}
    outcomes: {error: failed}
  marked: {say: Marked.}
  form:
    form:
      budget: {ask: How much?, choices: {low: Low, high: High}}
      people: {ask: How many?, min: 1, max: 500}
  menu:
    ask: What now?
    choices:
      again: {label: Again, goto: size}
      form: {label: The form, goto: email}
      time: {label: A time, goto: time}
      wait: {label: A while, goto: wait}
  time:
    book: {meeting: discovery, within: 10d, offer: 3}
    ask: Which time?
    outcomes: {booked: confirmed, none_fit: none_fits, unavailable: none_fits}
  confirmed: {say: It is booked., end: booked}
  none_fits: {say: No time then., goto: menu}
  live:
    handoff: {team: sdr, wait: 90s}
    say: One moment.
    outcomes: {booked: confirmed, returned: menu, closed: talked, unavailable: nobody, expired: nobody}
  nobody: {say: Nobody is free., goto: menu}
  talked: {say: Thank you., end: talked}
  nudge:
    ask: Are you there?
    choices: {here: {label: Here I am, goto: menu}}
    outcomes: {exhausted: menu}
    timeout: {after: 10m, goto: gone}
  gone: {say: Until another time., end: paused}
  failed: {say: That did not work., end: failed}
  bye: {say: Goodbye., end: declined}
"#;

/// The servers, and who works there.
struct House {
    nodes: [Node; 2],
    flow: Arc<Flow>,
    mike: Agent,
    http: reqwest::Client,
    faults: Faults,
    deaths: Deaths,
    /// Mike's session in the console.
    session: Mutex<Option<String>>,
}

/// Something that somebody has sent, under an id that stays.
#[derive(Clone)]
struct Letter {
    id: String,
    said: Said,
    /// The number under which it was accepted, whether she has heard of that or not.
    told: Option<i64>,
    /// She has got an answer.
    is_answered: bool,
}

/// What the server answers to a letter.
enum Told {
    Accepted { seq: i64, is_repeated: bool },
    Refused,
}

/// How the network and the machines treat a letter.
#[derive(Clone, Copy)]
enum Fate {
    LostOnTheWayThere,
    LostOnTheWayBack(usize),
    /// The node dies while it works on it, so far in its course.
    Killed(usize, usize),
    /// Arrives at both nodes at the same moment.
    Doubled,
    Delivered(usize),
}

/// Where in its course a turn dies with its node, in hundredths; none if it does not.
type Dies = Option<usize>;

/// Something that happens; several may at the same moment.
#[derive(Clone, Copy)]
enum Deed {
    Say(usize, Fate),
    AgentSays(Fate),
    Accept(usize, Dies),
    HandBack(usize, Dies),
    Wake(usize, Dies),
    LookAfter(usize),
}

/// What came of a deed. Letters: whose, what was answered, whether that was heard.
enum Done {
    Said(usize, Vec<Told>, bool),
    Nothing,
}

/// Mike's letters stand after those of her two tabs.
const MIKE: usize = 2;

/// One conversation and all who take part in it.
struct Talk<'a> {
    house: &'a House,
    id: ConversationId,
    token: String,
    /// Two of hers, and Mike's.
    tabs: Vec<Tab>,
    letters: [Vec<Letter>; 3],
    address: String,
    drafted: usize,
}

impl Talk<'_> {
    fn path(&self, door: &str) -> String {
        format!("/v1/chat/{}/{door}", self.id)
    }

    /// The letter that somebody has under way, if there is one.
    fn under_way(&self, whose: usize) -> Option<&Letter> {
        self.letters[whose].last().filter(|letter| !letter.is_answered)
    }

    async fn post(&self, node: usize, letter: &Letter) -> Result<Told, String> {
        let client = self.house.nodes[node].client.with("origin", SITE);
        let client = client.with("authorization", &format!("Bearer {}", self.token));
        let message = json!({"client_id": letter.id, "body": letter.said});
        let answer = client.post(&self.path("messages"), &message).await;
        match answer.status {
            200 | 201 => {
                let seq = answer.json()["event"]["seq"].as_i64().ok_or("no number")?;
                Ok(Told::Accepted { seq, is_repeated: answer.status == 200 })
            }
            409 if answer.body.contains("client_id_reused") => {
                Err(format!("its id was reused: {}", letter.id))
            }
            409 => Ok(Told::Refused),
            _ => Err(format!("{:?} was answered {}: {}", letter.said, answer.status, answer.body)),
        }
    }

    /// Sends what is under way. None: nobody has heard of an answer, not even this test.
    async fn send(&self, whose: usize, fate: Fate) -> Result<Done, String> {
        let Some(letter) = self.under_way(whose) else { return Ok(Done::Nothing) };
        self.count(fate);
        let (told, is_heard) = match fate {
            Fate::LostOnTheWayThere => return Ok(Done::Nothing),
            Fate::LostOnTheWayBack(node) => (vec![self.post(node, letter).await?], false),
            Fate::Delivered(node) => (vec![self.post(node, letter).await?], true),
            Fate::Doubled => {
                let (one, two) = join(self.post(0, letter), self.post(1, letter)).await;
                (vec![one?, two?], true)
            }
            Fate::Killed(node, at) => {
                let app = &self.house.nodes[node].app;
                let turn = chat::say(&app.room, self.id, &letter.id, &letter.said, app.clock.now());
                let told = self.house.deaths.meet(DEATHS[0], at, turn).await.map(|heard| match heard {
                    Ok(heard) => Ok(Told::Accepted { seq: heard.entry.seq, is_repeated: heard.is_repeated }),
                    Err(chat::Error::QuestionOver | chat::Error::Closed | chat::Error::NotAllowed(_)) => {
                        Ok(Told::Refused)
                    }
                    Err(error) => Err(error.to_string()),
                });
                (told.transpose()?.into_iter().collect(), false)
            }
        };
        Ok(Done::Said(whose, told, is_heard))
    }

    async fn agent_sends(&self, fate: Fate) -> Result<Done, String> {
        let Some(letter) = self.under_way(MIKE) else { return Ok(Done::Nothing) };
        // The console has one line: what she says twice at once, he says again later.
        self.count(if matches!(fate, Fate::Doubled) { Fate::LostOnTheWayBack(0) } else { fate });
        let (node, dies, is_heard) = match fate {
            Fate::LostOnTheWayThere => return Ok(Done::Nothing),
            Fate::LostOnTheWayBack(node) => (node, None, false),
            Fate::Killed(node, at) => (node, Some(at), false),
            Fate::Doubled => (0, None, false),
            Fate::Delivered(node) => (node, None, true),
        };
        let Said::Text { text } = &letter.said else { return Err("Mike only writes".to_owned()) };
        let app = &self.house.nodes[node].app;
        let turn = chat::agent_say(&app.room, self.id, &self.house.mike, &letter.id, text, app.clock.now());
        let told = match self.may_die(DEATHS[1], dies, turn).await {
            None => Vec::new(),
            Some(Ok(entry)) => vec![Told::Accepted { seq: entry.seq, is_repeated: letter.told.is_some() }],
            Some(Err(chat::Error::NotAllowed(_) | chat::Error::Closed)) => vec![Told::Refused],
            Some(Err(error)) => return Err(error.to_string()),
        };
        Ok(Done::Said(MIKE, told, is_heard))
    }

    /// Counts what becomes of a letter; whoever dies over one is counted by itself.
    fn count(&self, fate: Fate) {
        let what = match fate {
            Fate::LostOnTheWayThere => FAULTS[0],
            Fate::LostOnTheWayBack(_) => FAULTS[1],
            Fate::Doubled => FAULTS[2],
            Fate::Killed(..) | Fate::Delivered(_) => return,
        };
        self.house.faults.count(what, 1);
    }

    async fn may_die<F: Future>(&self, kind: &'static str, dies: Dies, turn: F) -> Option<F::Output> {
        match dies {
            Some(at) => self.house.deaths.meet(kind, at, turn).await,
            None => Some(turn.await),
        }
    }

    async fn does(&self, deed: Deed) -> Result<Done, String> {
        let mike = &self.house.mike;
        let stepped = match deed {
            Deed::Say(whose, fate) => return self.send(whose, fate).await,
            Deed::AgentSays(fate) => return self.agent_sends(fate).await,
            Deed::Accept(node, dies) => {
                let app = &self.house.nodes[node].app;
                let accepted = chat::accept(&app.room, self.id, mike, app.clock.now());
                self.may_die(DEATHS[2], dies, accepted).await
            }
            Deed::HandBack(node, dies) => {
                let app = &self.house.nodes[node].app;
                let handed_back = chat::hand_back(&app.room, self.id, mike, app.clock.now());
                self.may_die(DEATHS[3], dies, handed_back).await
            }
            Deed::Wake(node, dies) => {
                let app = &self.house.nodes[node].app;
                let woken = chat::wake_due(&app.room, app.clock.now());
                let woken = self.may_die(DEATHS[4], dies, woken).await;
                return woken.transpose().map(|_| Done::Nothing).map_err(|error| error.to_string());
            }
            Deed::LookAfter(node) => {
                let app = &self.house.nodes[node].app;
                let looked = routing::look_after(&app.room, app.clock.now()).await;
                return looked.map(|_| Done::Nothing).map_err(|error| error.to_string());
            }
        };
        match stepped {
            None | Some(Ok(_) | Err(chat::Error::NotAllowed(_) | chat::Error::Closed)) => Ok(Done::Nothing),
            Some(Err(error)) => Err(error.to_string()),
        }
    }

    /// Writes down what came of a deed, and holds it to what was answered before.
    fn note(&mut self, done: Done) -> Result<(), String> {
        let Done::Said(whose, told, is_heard) = done else { return Ok(()) };
        let letter = self.letters[whose].last_mut().ok_or("an answer to nothing")?;
        let before = letter.told;
        let mut is_accepted = false;
        let mut firsts = 0;
        for told in &told {
            let Told::Accepted { seq, is_repeated } = told else { continue };
            is_accepted = true;
            firsts += usize::from(!is_repeated && whose != MIKE);
            if letter.told.is_some_and(|known| known != *seq) {
                return Err(format!("{} was accepted as {:?} and as {seq}", letter.id, letter.told));
            }
            letter.told = Some(*seq);
        }
        if firsts > 1 || (firsts == 1 && before.is_some()) {
            return Err(format!("{} was heard twice", letter.id));
        }
        if is_heard && !told.is_empty() {
            if !is_accepted && before.is_some() {
                return Err(format!("{} was accepted as {before:?}, and then refused", letter.id));
            }
            letter.is_answered = true;
        }
        Ok(())
    }

    /// What she would say next in this tab: mostly an answer to the question that stands there last.
    fn draft(&mut self, tab: usize, dice: &mut Dice) -> Said {
        self.drafted += 1;
        let text = format!("words {}", self.drafted);
        let asked: Vec<&Value> = self.tabs[tab]
            .log
            .iter()
            .map(|event| &event["body"])
            .filter(|body| body["type"] == "ask")
            .collect();
        let back = if dice.roll(12) == 0 { dice.roll(3) } else { 0 };
        let asked = asked.iter().rev().nth(back).copied();
        let question = asked.and_then(|body| body["question"].as_str()).unwrap_or_default().to_owned();
        let input = asked.map(|body| body["input"].clone()).unwrap_or_default();
        let answer = |value: &str| Said::Answer { question: question.clone(), value: value.to_owned() };
        match (dice.roll(20), input["kind"].as_str()) {
            (0, _) => Said::HumanRequested,
            (1, _) if dice.roll(2) == 0 => Said::StopRequested,
            (1 | 2, _) | (_, None) => Said::Text { text },
            (_, Some("choice")) => {
                let choices = input["choices"].as_array().unwrap();
                let mut choice = choices[dice.roll(choices.len())]["id"].as_str().unwrap().to_owned();
                if dice.roll(2) == 0 && choices.iter().any(|choice| choice["id"] == "time") {
                    choice = "time".to_owned();
                }
                Said::Choice { question, choice }
            }
            (_, Some("email")) if dice.roll(6) == 0 => answer("not an address"),
            (_, Some("email")) => answer(&self.address),
            (_, Some("number")) if dice.roll(6) == 0 => answer("many"),
            (_, Some("number")) => answer("30"),
            (_, Some("slot")) => {
                let slots = input["slots"].as_array().unwrap();
                let none_fit = dice.roll(6) == 0;
                let starts_at = slots[dice.roll(slots.len())]["starts_at"].as_i64().map(Timestamp);
                Said::Slot { question, starts_at: starts_at.filter(|_| !none_fit), none_fit }
            }
            _ => answer(&text),
        }
    }

    fn letter(said: Said) -> Letter {
        Letter { id: new_key(), said, told: None, is_answered: false }
    }

    /// What happens next: one thing, or several at once.
    fn deeds(&mut self, dice: &mut Dice) -> Vec<Deed> {
        let mut deeds = Vec::new();
        for _ in 0..[1, 1, 1, 2, 3][dice.roll(5)] {
            let node = dice.roll(2);
            let dies = perhaps(dice);
            let fate = match dice.roll(10) {
                0 => Fate::LostOnTheWayThere,
                1 => Fate::LostOnTheWayBack(node),
                2 | 3 => Fate::Killed(node, dice.roll(100)),
                4 => Fate::Doubled,
                _ => Fate::Delivered(node),
            };
            let deed = match dice.roll(24) {
                0 => Deed::Accept(node, dies),
                1..=3 => Deed::HandBack(node, dies),
                4 => Deed::Wake(node, dies),
                5 => Deed::LookAfter(node),
                6 | 7 => {
                    if self.under_way(MIKE).is_none() {
                        self.drafted += 1;
                        let text = format!("Mike's {}", self.drafted);
                        self.letters[MIKE].push(Self::letter(Said::Text { text }));
                    }
                    Deed::AgentSays(fate)
                }
                roll => {
                    let whose = usize::from(roll > 16);
                    if self.under_way(whose).is_none() {
                        let said = self.draft(whose, dice);
                        self.letters[whose].push(Self::letter(said));
                    }
                    Deed::Say(whose, fate)
                }
            };
            deeds.push(deed);
        }
        deeds
    }

    /// Everything at the same moment.
    async fn together(&mut self, deeds: &[Deed]) -> Result<(), String> {
        let mut of_one: [bool; 3] = [false; 3];
        let mut distinct = Vec::new();
        for deed in deeds {
            let whose = match deed {
                Deed::Say(whose, _) => *whose,
                Deed::AgentSays(_) => MIKE,
                _ => {
                    distinct.push(*deed);
                    continue;
                }
            };
            // Each sends one thing after the other.
            if !std::mem::replace(&mut of_one[whose], true) {
                distinct.push(*deed);
            }
        }
        // Each is woken for itself: what one waits for is no step of another.
        let done: FuturesOrdered<_> = distinct.iter().map(|deed| self.does(*deed)).collect();
        let done: Vec<Result<Done, String>> = done.collect().await;
        for done in done {
            self.note(done?)?;
        }
        Ok(())
    }

    async fn page(&self, node: usize, asked: &str) -> Value {
        let client = self.house.nodes[node].client.with("origin", SITE);
        let client = client.with("authorization", &format!("Bearer {}", self.token));
        client.get(&self.path(&format!("events?{asked}"))).await.expect_json(200)
    }

    /// Reads page after page until there is no more.
    async fn catch_up(&mut self, tab: usize, node: usize) -> Result<(), String> {
        loop {
            let page = self.page(node, &format!("after={}", self.tabs[tab].last())).await;
            for event in page["events"].as_array().unwrap() {
                if !self.tabs[tab].take(event) {
                    return Err(format!("a page of the log has a gap before {event}"));
                }
            }
            if page["head"].as_u64().unwrap() <= self.tabs[tab].last() as u64 {
                return Ok(());
            }
        }
    }

    async fn step(&mut self, dice: &mut Dice) -> Result<(), String> {
        let (tab, node) = (dice.roll(3), dice.roll(2));
        let house = self.house;
        match dice.roll(20) {
            0..=11 => {
                // She mostly answers what she sees, and mostly sees what there is.
                if dice.roll(4) > 0 {
                    self.catch_up(dice.roll(2), node).await?;
                }
                let deeds = self.deeds(dice);
                self.together(&deeds).await?;
            }
            12..=14 => {
                self.tabs[tab].pump(dice).await;
                for _ in 0..dice.roll(8) {
                    if self.tabs[tab].arrive(dice) {
                        self.catch_up(tab, dice.roll(2)).await?;
                    }
                }
            }
            15 => self.tabs[tab].is_half_open = true,
            16 => self.tabs[tab].reconnect(&house.nodes[node]),
            // A reload: it shows nothing yet.
            17 => self.tabs[tab] = Tab::open(&house.nodes[node], self.id, self.tabs[tab].side),
            18 => match dice.roll(4) {
                0 | 1 => house.nodes[node].bus_is_away(dice.roll(2) == 0),
                _ => house.nodes[node].restart_bus(),
            },
            _ => {
                let app = &house.nodes[node].app;
                app.clock.advance([5_000, 50_000, 130_000, 310_000][dice.roll(4)]);
                if dice.roll(2) == 0 {
                    app.room
                        .present(house.mike.id, app.clock.now())
                        .await
                        .map_err(|error| error.to_string())?;
                }
                // What is due is woken by one node, by both at once, or later.
                let both = [Deed::Wake(0, perhaps(dice)), Deed::Wake(1, None)];
                self.together(&both[..dice.roll(3)]).await?;
            }
        }
        Ok(())
    }

    /// What brings her to a call from the question that stands there last; none if nothing is asked.
    fn towards_a_call(&self, dice: &mut Dice) -> Option<Said> {
        let log = &self.tabs[0].log;
        let last = log.iter().rposition(|event| event["body"]["type"] == "ask")?;
        let after = &log[last + 1..];
        let is_answered = after.iter().any(|event| event["author"]["kind"] == "visitor");
        let is_asked_again = log.last()?["body"]["type"] == "invalid";
        if is_answered && !is_asked_again {
            return None;
        }
        let body = &log[last]["body"];
        let (question, input) = (body["question"].as_str()?.to_owned(), &body["input"]);
        let answer = |value: &str| Said::Answer { question: question.clone(), value: value.to_owned() };
        Some(match input["kind"].as_str()? {
            "choice" => {
                let choices = input["choices"].as_array()?;
                let wanted = choices.iter().find(|choice| choice["id"] == "time").or(choices.first())?;
                Said::Choice { question, choice: wanted["id"].as_str()?.to_owned() }
            }
            "email" => answer(&self.address),
            "number" => answer("30"),
            "slot" => {
                let slots = input["slots"].as_array()?;
                let starts_at = slots.get(dice.roll(slots.len().max(1)))?["starts_at"].as_i64();
                Said::Slot { question, starts_at: starts_at.map(Timestamp), none_fit: false }
            }
            _ => answer("a call with somebody"),
        })
    }

    /// She wants a call and goes on until she has one: what she says arrives twice, its answers get lost, turns die.
    async fn books(&mut self, dice: &mut Dice) -> Result<(), String> {
        for _ in 0..TRIES {
            let node = dice.roll(2);
            match self.stored().await?.mode {
                Mode::Closed => break,
                Mode::Waiting => self.together(&[Deed::Accept(node, None)]).await?,
                Mode::Human => self.together(&[Deed::HandBack(node, None)]).await?,
                Mode::Bot => {
                    self.catch_up(0, node).await?;
                    if self.under_way(0).is_none() {
                        let Some(said) = self.towards_a_call(dice) else {
                            // The flow waits.
                            self.house.nodes[node].app.clock.advance(121_000);
                            self.together(&[Deed::Wake(node, None)]).await?;
                            continue;
                        };
                        self.letters[0].push(Self::letter(said));
                    }
                    let fate = match dice.roll(8) {
                        0 => Fate::LostOnTheWayBack(node),
                        1 => Fate::Killed(node, dice.roll(100)),
                        2 | 3 => Fate::Doubled,
                        _ => Fate::Delivered(node),
                    };
                    self.together(&[Deed::Say(0, fate)]).await?;
                }
            }
        }
        Ok(())
    }

    /// The network is well again: everything is sent, Mike ends it, and one more message comes too late.
    async fn settle(&mut self, dice: &mut Dice) -> Result<(), String> {
        for whose in 0..2 {
            if self.under_way(whose).is_some() {
                self.together(&[Deed::Say(whose, Fate::Delivered(dice.roll(2)))]).await?;
            }
        }
        for _ in 0..50 {
            self.together(&[Deed::Accept(dice.roll(2), None)]).await?;
            if self.under_way(MIKE).is_some() {
                self.together(&[Deed::AgentSays(Fate::Delivered(dice.roll(2)))]).await?;
            }
            let app = &self.house.nodes[dice.roll(2)].app;
            match chat::close(&app.room, self.id, &self.house.mike, app.clock.now()).await {
                Ok(_) | Err(chat::Error::NotAllowed(_) | chat::Error::Closed) => {}
                Err(error) => return Err(error.to_string()),
            }
            // A flow may go on after Mike has closed what it called him for; then he closes that, too.
            if self.stored().await?.mode == Mode::Closed {
                break;
            }
        }
        self.letters[0].push(Self::letter(Said::Text { text: "too late".to_owned() }));
        self.together(&[Deed::Say(0, Fate::Doubled)]).await?;
        match self.letters[0].last() {
            Some(Letter { told: None, is_answered: true, .. }) => Ok(()),
            _ => Err("a conversation that is over took another message".to_owned()),
        }
    }

    async fn stored(&self) -> Result<chat::Conversation, String> {
        let db = &self.house.nodes[0].app.stores.db;
        let found = chat::find(&mut db.read(), self.id).await.map_err(|error| error.to_string())?;
        found.ok_or_else(|| "it is gone".to_owned())
    }

    /// Every client reads on from where it stands, each by its own transport, and shows the log.
    async fn all_read(&mut self, dice: &mut Dice) -> Result<Vec<Value>, String> {
        let head = usize::try_from(self.stored().await?.head).unwrap();
        let mut fresh = Tab::open(&self.house.nodes[0], self.id, Author::Visitor);
        std::mem::swap(&mut fresh, &mut self.tabs[0]);
        self.catch_up(0, dice.roll(2)).await?;
        std::mem::swap(&mut fresh, &mut self.tabs[0]);
        let log = fresh.log;
        if log.len() != head {
            return Err(format!("the log has {} entries, and its head is {head}", log.len()));
        }
        let (one, two, three) = (dice.roll(2), dice.roll(2), dice.roll(2));
        let all = async {
            self.by_stream(head, one).await?;
            self.by_poll(head, two).await?;
            self.by_socket(head, three).await
        };
        timeout(Duration::from_secs(60), all).await.map_err(|_| "a reader is not told everything")??;
        for (tab, transport) in self.tabs.iter().zip(["the stream", "the poll", "the socket"]) {
            if tab.log != log {
                return Err(format!("by {transport}: {:#?}\nthe log is {log:#?}", tab.log));
            }
        }
        Ok(log)
    }

    async fn by_stream(&mut self, head: usize, node: usize) -> Result<(), String> {
        let tab = &self.tabs[0];
        let path = format!("/v1/chat/{}/stream?after={}", self.id, tab.last());
        let request = self.house.http.get(format!("{}{path}", self.house.nodes[node].url));
        let answer = request.bearer_auth(&self.token).send().await.map_err(|error| error.to_string())?;
        if answer.status() != 200 {
            return Err(format!("the stream is answered {}", answer.status()));
        }
        let mut told = frames(answer);
        let tab = &mut self.tabs[0];
        while tab.last() < head {
            let (name, data) = told.next().await.ok_or("the stream ends")?;
            if name == "event" && !tab.take(&data) {
                return Err(format!("the stream has a gap before {data}"));
            }
        }
        Ok(())
    }

    async fn by_poll(&mut self, head: usize, node: usize) -> Result<(), String> {
        while self.tabs[1].last() < head {
            let page = self.page(node, &format!("after={}&wait=5&read=0", self.tabs[1].last())).await;
            for event in page["events"].as_array().unwrap() {
                if !self.tabs[1].take(event) {
                    return Err(format!("the poll has a gap before {event}"));
                }
            }
        }
        Ok(())
    }

    async fn by_socket(&mut self, head: usize, node: usize) -> Result<(), String> {
        let url = self.house.nodes[node].url.clone();
        let line = format!("{url}/console/line?conversation={}&after={}", self.id, self.tabs[2].last());
        let mut session = self.house.session.lock().await;
        let mut socket = None;
        for _ in 0..2 {
            let cookie = match session.clone() {
                Some(known) => known,
                None => session.insert(log_in(&self.house.nodes[node]).await).clone(),
            };
            match Socket::open(&line, &[("cookie", &cookie), ("origin", &url)]).await {
                Ok(opened) => {
                    socket = Some(opened);
                    break;
                }
                // The clock has moved on so far that the session is over.
                Err(401) => *session = None,
                Err(status) => return Err(format!("the socket is answered {status}")),
            }
        }
        drop(session);
        let mut socket = socket.ok_or("Mike cannot log in")?;
        let tab = &mut self.tabs[2];
        while tab.last() < head {
            let frame = socket.next().await.map_err(|code| format!("the socket closes: {code:?}"))?;
            if frame["type"] == "event" && !tab.take(&frame["data"]) {
                return Err(format!("the socket has a gap before {}", frame["data"]));
            }
        }
        Ok(())
    }

    /// Holds the log and the store to what the flow says when the same inputs come over a perfect network.
    async fn judge(&self, log: &[Value]) -> Result<Tally, String> {
        let hers = self.letters[..MIKE].iter().flatten();
        let said = hers.map(|letter| (letter.id.clone(), letter.said.clone())).collect();
        let mut replay = Replay::new(&self.house.flow, log, said);
        replay.all()?;
        for (whose, letters) in self.letters.iter().enumerate() {
            let mut last = 0;
            for letter in letters {
                let stands: Vec<i64> = log
                    .iter()
                    .filter(|event| event["client_id"] == json!(letter.id))
                    .filter_map(|event| event["seq"].as_i64())
                    .collect();
                if stands != Vec::from_iter(letter.told) {
                    return Err(format!(
                        "{:?} of {whose} was told {:?}, and stands at {stands:?}",
                        letter.said, letter.told
                    ));
                }
                if letter.told.is_some_and(|seq| seq < last) {
                    return Err(format!(
                        "{:?} of {whose} stands before what was said before it",
                        letter.said
                    ));
                }
                last = letter.told.unwrap_or(last);
            }
        }
        let conversation = self.stored().await?;
        let mut state = conversation.state.clone().ok_or("no state")?;
        // How often time alone led on is begun anew by things that leave no entry.
        state.alone = replay.state.alone;
        if state != replay.state {
            return Err(format!("the state is {state:#?}\nand should be {:#?}", replay.state));
        }
        let ends = (conversation.outcome.clone(), conversation.wake_at, conversation.contact.is_some());
        if ends != (replay.state.outcome.clone(), None, replay.tally.identified > 0) {
            return Err(format!("it ends with {ends:?}, and {:?} identified", replay.tally.identified));
        }
        self.judge_store(&replay).await?;
        let mut tally = replay.tally;
        tally.accepted = self.letters.iter().flatten().filter(|letter| letter.told.is_some()).count();
        tally.refused = self.letters.iter().flatten().filter(|letter| letter.told.is_none()).count();
        Ok(tally)
    }

    /// What the turns have had done stands in the store as often as they did it.
    async fn judge_store(&self, replay: &Replay<'_>) -> Result<(), String> {
        let mut db = self.house.nodes[0].app.stores.db.read();
        let failed = |error: embudo::storage::Error| error.to_string();
        let id = self.id;
        let keys = embudo::sql!("select key from chat_actions where conversation_id = $1");
        let rows = db.query(keys, embudo::params![id]).await.map_err(failed)?;
        let done: Result<BTreeSet<String>, _> = rows.iter().map(|row| row.get("key")).collect();
        let (done, wanted) = (done.map_err(failed)?, &replay.keys);
        if done != wanted.iter().map(|key| format!("{id}:{key}")).collect() {
            return Err(format!("done: {done:?}, wanted: {wanted:?}"));
        }
        let bookings = embudo::sql!("select state from bookings where conversation_id = $1");
        let rows = db.query(bookings, embudo::params![id]).await.map_err(failed)?;
        let states: Result<Vec<String>, _> = rows.iter().map(|row| row.get("state")).collect();
        let states = states.map_err(failed)?;
        if states != vec!["confirmed"; replay.tally.booked] || states.len() > 1 {
            return Err(format!("booked {} times, and there are {states:?}", replay.tally.booked));
        }
        let mut counted = BTreeMap::new();
        let activities = embudo::sql!(
            "select kind, count(*) as n from activities
             where subject = $1 and kind in ('call.requested', 'chat.identified')
             group by kind"
        );
        let events = embudo::sql!(
            "select kind, count(*) as n from events
             where payload like $1 and kind in ('conversation_opened', 'conversation_closed', 'handoff_requested',
                 'handoff_expired', 'question_left')
             group by kind"
        );
        for row in db
            .query(activities, embudo::params![id.to_string()])
            .await
            .map_err(failed)?
            .iter()
            .chain(&db.query(events, embudo::params![format!("%{id}%")]).await.map_err(failed)?)
        {
            let kind: String = row.get("kind").map_err(failed)?;
            counted.insert(kind, row.get::<i64>("n").map_err(failed)?);
        }
        let tally = &replay.tally;
        let wanted: BTreeMap<String, i64> = [
            ("call.requested", tally.calls),
            ("chat.identified", tally.identified),
            ("conversation_opened", 1),
            ("conversation_closed", 1),
            ("handoff_requested", tally.handoffs),
            ("handoff_expired", tally.expired),
            ("question_left", tally.calls),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| (kind.to_owned(), i64::try_from(count).unwrap()))
        .collect();
        if counted != wanted {
            return Err(format!("the store tells of {counted:?}, the log of {wanted:?}"));
        }
        Ok(())
    }
}

/// Of three turns one may die.
fn perhaps(dice: &mut Dice) -> Dies {
    (dice.roll(3) == 0).then(|| dice.roll(100))
}

async fn log_in(node: &Node) -> String {
    let fields = [("email", "mike@faro.example"), ("password", PASSWORD), ("next", "/console")];
    let answer = node.client.submit("/console/login", &fields).await.expect(303);
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

fn of_turns(settings: &mut toml::Table, folder: &TempDir) {
    for key in ["messages_per_minute", "messages_burst", "opened_per_minute", "opened_burst"] {
        set(settings, "chat", key, 1_000_000);
    }
    set(settings, "definitions", "flows", folder.path().display().to_string());
}

/// Has what was booked told to those who booked; returns how many calls there are, each with one mail to her.
async fn each_call_is_mailed_once(app: &TestApp) -> usize {
    app.run_jobs().await;
    let calls: BTreeSet<String> = app
        .rows("select id from bookings where conversation_id is not null and state = 'confirmed'")
        .await
        .iter()
        .map(|row| row.get("id").unwrap())
        .collect();
    let (mut told, mut sent) = (BTreeSet::new(), 0_i64);
    for row in app.rows("select payload, state from jobs where kind = 'notify'").await {
        let payload: Value = serde_json::from_str(&row.get::<String>("payload").unwrap()).unwrap();
        let mail = &payload["mail"];
        if mail["mail"] == "booking_confirmed" {
            let call = mail["booking"].as_str().unwrap().to_owned();
            assert!(told.insert(call.clone()), "{call} is told twice");
            sent += i64::from(row.get::<String>("state").unwrap() == "done");
        }
    }
    assert_eq!(told, calls, "each call is told, and no other");
    let mails = app.rows("select count(*) as n from mails where template = 'booking_confirmed'").await;
    assert_eq!(mails[0].get::<i64>("n").unwrap(), sent, "each is one mail");
    calls.len()
}

/// Plays one schedule.
async fn play(house: &House, seed: u64) -> Result<Tally, String> {
    let mut dice = Dice::new(seed);
    let visitor = VisitorId::new();
    let coming = json!({
        "site": "faro", "visitor": visitor.to_string(), "consent": "analytics", "flow": "turns",
        "page": {"url": SITE, "title": ""}, "language": "en", "zone": "Europe/Madrid",
    });
    let opened = house.nodes[dice.roll(2)].client.with("origin", SITE).post("/v1/chat", &coming).await;
    let opened = opened.expect_json(201);
    let word = |name: &str| opened[name].as_str().unwrap().to_owned();
    let id = ConversationId::parse(&word("conversation")).unwrap();
    let wants_a_call = seed.is_multiple_of(TO_A_CALL);
    // Some are the same person on several devices. Nobody may book without end: who wants a call is somebody of her own.
    let is_on_several = dice.roll(4) == 0 && !wants_a_call;
    let person = if is_on_several { dice.roll(3) } else { usize::try_from(seed).unwrap() + 10 };
    let sides = [Author::Visitor, Author::Visitor, Author::Agent];
    let tabs = sides.map(|side| Tab::open(&house.nodes[dice.roll(2)], id, side)).into();
    let letters = [Vec::new(), Vec::new(), Vec::new()];
    let (token, address) = (word("token"), format!("reader{person}@acme.example"));
    let mut talk = Talk { house, id, token, tabs, letters, address, drafted: 0 };
    for _ in 0..16 + dice.roll(24) {
        talk.step(&mut dice).await?;
    }
    if wants_a_call {
        talk.books(&mut dice).await?;
    }
    talk.settle(&mut dice).await?;
    let log = talk.all_read(&mut dice).await?;
    talk.judge(&log).await
}

#[actix_web::test]
async fn whatever_fails_the_flow_takes_whole_turns_once_each_and_every_client_shows_them() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("turns.yaml"), FLOW).unwrap();
    let clock = starting_clock();
    let first = TestApp::start_at(clock.clone(), |settings| of_turns(settings, &folder)).await;
    let second = match mix() {
        Mix::Embedded => None,
        Mix::Spread => {
            let storage = &first.app.config.storage;
            let share = |settings: &mut toml::Table| {
                of_turns(settings, &folder);
                set(settings, "storage", "postgres", storage.postgres.expose());
                set(settings, "storage", "redis", storage.redis.expose());
                set(settings, "storage", "redis_prefix", storage.redis_prefix.clone());
            };
            Some(TestApp::start_at(clock, share).await)
        }
    };
    let nodes = [Node::of(&first, 1), Node::of(second.as_ref().unwrap_or(&first), 2)];
    let mut tx = first.app.stores.db.begin().await.unwrap();
    let new = NewAccount {
        email: "mike@faro.example",
        name: "Mike",
        role: Role::Sdr,
        language: Language::En,
        password: PASSWORD,
    };
    let account = accounts::add(&mut tx, &new, first.now()).await.unwrap();
    tx.commit().await.unwrap();
    let house = House {
        nodes,
        flow: first.app.room.flows.now().find("turns").unwrap().clone(),
        mike: Agent { id: account.id, name: "Mike".to_owned() },
        http: reqwest::Client::builder().no_proxy().build().unwrap(),
        faults: Faults::default(),
        deaths: Deaths::default(),
        session: Mutex::new(None),
    };
    first.app.room.present(house.mike.id, first.now()).await.unwrap();
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse().ok());
    let (only, most) = (number("SCHEDULE"), number("SCHEDULES").unwrap_or(SCHEDULES));
    let seeds = only.map_or(1..=most, |seed| seed..=seed);
    let house = &house;
    let played = stream::iter(seeds)
        .map(|seed| async move {
            let played = play(house, seed).await;
            played.unwrap_or_else(|wrong| panic!("SCHEDULE={seed}: {wrong}"))
        })
        .buffer_unordered(AT_ONCE);
    let all = played.fold(Tally::default(), |sum, tally| async move { sum.add(tally) }).await;
    println!("{all:?}, {:?}, {:?}", house.faults, house.deaths);
    let mailed = each_call_is_mailed_once(&first).await;
    println!("{} calls, {mailed} confirmations", all.booked);
    assert_eq!(mailed, all.booked, "the log tells of as many calls as are mailed");
    let least = (usize::try_from(most).unwrap() / 100).max(1);
    for (what, count) in [
        ("answers to the flow", all.answers / 4),
        ("refusals", all.refused),
        ("turns by the clock", all.ticks),
        ("identifications", all.identified),
        ("things done", all.done),
        ("calls, which a tenth of the schedules is to end in", all.booked / 10),
        ("waits for a person", all.handoffs),
        ("people who step in", all.accepts),
        ("people who hand back", all.returns),
        ("ends of the flow's own", all.by_itself),
    ] {
        assert!(only.is_some() || count >= least, "too few {what}: {all:?}");
    }
    let faults = FAULTS.iter().map(|what| (*what, house.faults.of(what)));
    for (what, times) in faults.chain(DEATHS.iter().map(|what| (*what, house.deaths.of(what)))) {
        assert!(only.is_some() || times >= least, "{what}: {times} times");
    }
}
