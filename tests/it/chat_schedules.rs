//! The chat's promise under a bad network and on machines that die: every accepted message exactly once, in order, on
//! every client.
//!
//! Each schedule is drawn from a seed. Two nodes share one store (on SQLite they are one process that listens to the bus
//! twice). Requests get lost on the way there or back, arrive twice, at both nodes at once, or find a node that dies in
//! the middle of the turn; what readers are told is lost, doubled, late and out of order; lines are half open; the bus
//! loses wake-ups, is away or begins anew; tabs are reloaded and readers change nodes; people step in and out; every
//! eighth schedule ends in a call: one booking, one message to her, one line of the log. Each kind of fault is counted
//! and has to have happened, nodes that die over her messages, over Mike's and over his offers each for itself. A failing
//! seed is named, and can be played again alone: SCHEDULE=17.
#![allow(clippy::unwrap_used, reason = "a panic in a test is a failed test")]

use std::collections::VecDeque;
use std::time::Duration;

use embudo::base::ids::{AccountId, ConversationId, VisitorId, new_key};
use embudo::chat::body::{Author, Said};
use embudo::chat::live::learnt::{self, Learnt};
use embudo::chat::{self, Agent};
use embudo::storage::db::Queries;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::answer::Client;
use crate::support::app::{SITE, TestApp, set};
use crate::support::faults::{Deaths, Dice, Faults, Node, Tab};
use crate::support::stores::{Mix, mix};

/// How many schedules are played.
const SCHEDULES: u64 = 1_000;

/// Conversations that go on at the same time, so that they also get into one another's way.
const AT_ONCE: usize = 8;

/// Of so many schedules one ends in a call: Mike offers times, and she takes one.
const TO_A_CALL: u64 = 8;

/// What can go wrong; each of it does, in a tenth of the schedules at least.
const FAULTS: [&str; 7] = [
    "a request is dropped",
    "a request comes twice",
    "frames come out of order",
    "frames are late",
    "a line is half open",
    "the bus begins anew",
    "a reader comes back on either node",
];

/// In which turns nodes die, and in how many of the schedules such turns stand; in a tenth of these they do at least.
const DEATHS: [(&str, u64); 3] = [
    ("a node dies while she says something", SCHEDULES),
    ("a node dies while Mike says something", SCHEDULES),
    ("a node dies while Mike offers times", SCHEDULES / TO_A_CALL),
];

/// What waits to be sent, one thing at a time and in order, under an id that stays.
#[derive(Default)]
struct Outbox {
    waiting: VecDeque<(String, Value)>,
    accepted: Vec<String>,
}

struct Stage<'a> {
    nodes: &'a [Node; 2],
    token: String,
    id: String,
    visitor: VisitorId,
    mike: &'a Agent,
    tabs: Vec<Tab>,
    outbox: Outbox,
    /// What Mike says, with the ids under which it was accepted.
    agent_outbox: Outbox,
    faults: &'a Faults,
    deaths: &'a Deaths,
}

impl Stage<'_> {
    fn path(&self, door: &str) -> String {
        format!("/v1/chat/{}/{door}", self.id)
    }

    fn conversation(&self) -> ConversationId {
        ConversationId::parse(&self.id).unwrap()
    }

    fn client(&self, node: usize) -> Client {
        self.nodes[node].client.with("origin", SITE).with("authorization", &format!("Bearer {}", self.token))
    }

    fn open_tab(&self, node: usize, side: Author) -> Tab {
        Tab::open(&self.nodes[node], self.conversation(), side)
    }

    /// Tries to send what waits first. `fate`: how the network treats it.
    async fn send(&mut self, fate: usize, dice: &mut Dice) {
        let Some((id, body)) = self.outbox.waiting.front().cloned() else { return };
        let message = json!({"client_id": id, "body": body});
        let path = self.path("messages");
        let node = dice.roll(2);
        match fate {
            // Lost on the way there.
            0 => {
                self.faults.count(FAULTS[0], 1);
                return;
            }
            // Lost on the way back: it counts as unsent.
            1 => {
                self.faults.count(FAULTS[1], 1);
                self.client(node).post(&path, &message).await;
                return;
            }
            // The node dies while it works on it.
            2 | 3 => {
                let said: Said = serde_json::from_value(body).unwrap();
                let app = &self.nodes[node].app;
                let turn = chat::say(&app.room, self.conversation(), &id, &said, app.clock.now());
                if let Some(heard) = self.deaths.meet(DEATHS[0].0, dice.roll(100), turn).await {
                    heard.unwrap_or_else(|error| panic!("{error}"));
                }
                return;
            }
            // Arrives at both nodes at the same moment.
            4 => {
                self.faults.count(FAULTS[1], 1);
                let (first, second) = (self.client(0), self.client(1));
                let (one, two) =
                    futures_util::future::join(first.post(&path, &message), second.post(&path, &message))
                        .await;
                for answer in [one, two] {
                    assert!(matches!(answer.status, 200 | 201), "{}", answer.body);
                }
            }
            _ => {
                let answer = self.client(node).post(&path, &message).await;
                assert!(matches!(answer.status, 200 | 201), "{}", answer.body);
            }
        }
        self.outbox.accepted.push(id);
        self.outbox.waiting.pop_front();
    }

    async fn agent_send(&mut self, fate: usize, dice: &mut Dice) {
        let Some((id, body)) = self.agent_outbox.waiting.front().cloned() else { return };
        if fate == 0 {
            return;
        }
        let text = body["text"].as_str().unwrap();
        let app = &self.nodes[dice.roll(2)].app;
        let turn = chat::agent_say(&app.room, self.conversation(), self.mike, &id, text, app.clock.now());
        let is_heard = fate > 3;
        let told = match fate {
            // The node dies while it works on it.
            2 | 3 => self.deaths.meet(DEATHS[1].0, dice.roll(100), turn).await,
            _ => Some(turn.await),
        };
        match told {
            // The console did not hear the answer: it says the same again later.
            None => {}
            Some(Ok(_)) if !is_heard => {}
            Some(Ok(_)) => {
                self.agent_outbox.accepted.push(id);
                self.agent_outbox.waiting.pop_front();
            }
            Some(Err(chat::Error::NotAllowed(_))) => {}
            Some(Err(error)) => panic!("{error}"),
        }
    }

    async fn page(&self, node: usize, after: usize) -> Value {
        self.client(node).get(&self.path(&format!("events?after={after}"))).await.expect_json(200)
    }

    async fn catch_up(&mut self, tab: usize, node: usize) {
        loop {
            let page = self.page(node, self.tabs[tab].last()).await;
            for event in page["events"].as_array().unwrap() {
                assert!(self.tabs[tab].take(event), "a page of the log has a gap");
            }
            if page["head"] == json!(self.tabs[tab].last()) {
                return;
            }
        }
    }

    /// One frame arrives, perhaps after younger ones.
    async fn arrive(&mut self, tab: usize, dice: &mut Dice) {
        if self.tabs[tab].arrive(dice) {
            self.catch_up(tab, dice.roll(2)).await;
        }
    }

    fn reconnect(&mut self, tab: usize, node: usize) {
        self.tabs[tab].reconnect(&self.nodes[node]);
    }

    async fn step(&mut self, dice: &mut Dice, n: usize) {
        let fate = dice.roll(8);
        let tab = dice.roll(self.tabs.len());
        match dice.roll(19) {
            0..=2 => {
                let body = match dice.roll(8) {
                    0 => json!({"type": "human_requested"}),
                    _ => json!({"type": "text", "text": format!("visitor {n}")}),
                };
                self.outbox.waiting.push_back((new_key(), body));
                self.send(fate, dice).await;
            }
            3 => self.send(fate, dice).await,
            4 | 5 => {
                self.agent_outbox.waiting.push_back((new_key(), json!({"text": format!("agent {n}")})));
                self.agent_send(fate, dice).await;
            }
            6 => self.agent_send(fate, dice).await,
            7 | 8 => {
                self.tabs[tab].pump(dice).await;
                if self.tabs[tab].is_behind() {
                    self.faults.count(FAULTS[3], 1);
                }
            }
            9..=11 => {
                self.tabs[tab].pump(dice).await;
                for _ in 0..fate {
                    self.arrive(tab, dice).await;
                }
            }
            12 => {
                self.faults.count(FAULTS[4], 1);
                self.tabs[tab].is_half_open = true;
            }
            // It broke, or its node is gone.
            13 => {
                self.faults.count(FAULTS[6], 1);
                self.reconnect(tab, dice.roll(2));
            }
            // A reload: it shows nothing yet.
            14 => {
                let fresh = self.open_tab(dice.roll(2), self.tabs[tab].side);
                let old = std::mem::replace(&mut self.tabs[tab], fresh);
                self.faults.count(FAULTS[2], old.out_of_order);
            }
            15 => {
                self.nodes[dice.roll(2)].bus_is_away(fate < 4);
            }
            16 => {
                self.faults.count(FAULTS[5], 1);
                self.nodes[dice.roll(2)].restart_bus();
            }
            17 => {
                // The same conversation under a new token.
                let opened = open(&self.nodes[dice.roll(2)].client, Some(self.visitor)).await;
                if opened["conversation"] == json!(self.id) {
                    self.token = opened["token"].as_str().unwrap().to_owned();
                }
            }
            _ => {
                let app = &self.nodes[dice.roll(2)].app;
                let (room, id, now) = (&app.room, self.conversation(), app.clock.now());
                let stepped = match fate {
                    0..=4 => chat::accept(room, id, self.mike, now).await,
                    _ => chat::hand_back(room, id, self.mike, now).await,
                };
                assert!(matches!(stepped, Ok(_) | Err(chat::Error::NotAllowed(_))), "{stepped:?}");
            }
        }
    }

    /// The network is well again: everything is sent.
    async fn send_all(&mut self, dice: &mut Dice) -> Result<(), String> {
        while !self.outbox.waiting.is_empty() {
            self.send(7, dice).await;
        }
        if !self.agent_outbox.waiting.is_empty() {
            let app = &self.nodes[0].app;
            let accepted = chat::accept(&app.room, self.conversation(), self.mike, app.clock.now()).await;
            accepted.map_err(|error| error.to_string())?;
        }
        while !self.agent_outbox.waiting.is_empty() {
            self.agent_send(7, dice).await;
        }
        Ok(())
    }

    /// Mike learns who she is and offers times, and she takes one. His offer and her answer die, come twice and get lost.
    async fn ends_in_a_call(&mut self, address: &str, dice: &mut Dice) -> Result<(), String> {
        self.send_all(dice).await?;
        let id = self.conversation();
        let app = self.nodes[0].app.clone();
        let (room, now) = (&app.room, app.clock.now());
        let told = |error: chat::Error| error.to_string();
        chat::accept(room, id, self.mike, now).await.map_err(told)?;
        let learnt = Learnt { email: address, first_name: "", last_name: "" };
        let mut tx = app.stores.db.begin().await.map_err(|error| error.to_string())?;
        learnt::write_down(room, &mut tx, id, self.mike, learnt, now).await.map_err(told)?;
        tx.commit().await.map_err(|error| error.to_string())?;
        let offer = new_key();
        loop {
            let room = &self.nodes[dice.roll(2)].app.room;
            let offered = chat::agent_suggest(room, id, self.mike, &offer, "These?", "discovery", now);
            let offered = match dice.roll(3) {
                0 => Some(offered.await),
                _ => self.deaths.meet(DEATHS[2].0, dice.roll(100), offered).await,
            };
            if let Some(offered) = offered {
                offered.map_err(told)?;
                break;
            }
        }
        self.agent_outbox.accepted.push(offer);
        // Somebody may be faster: then others are offered.
        for _ in 0..20 {
            let head = usize::try_from(self.page(0, 0).await["head"].as_i64().unwrap()).unwrap();
            let mut read = self.open_tab(0, Author::Visitor);
            while read.last() < head {
                let page = self.page(1, read.last()).await;
                if !page["events"].as_array().unwrap().iter().all(|event| read.take(event)) {
                    return Err(format!("the log has a gap: {page:#}"));
                }
            }
            if read.log.iter().any(|event| event["body"]["type"] == "booked") {
                return Ok(());
            }
            let asked = read.log.iter().rev().find(|event| event["body"]["input"]["kind"] == "slot");
            let body = &asked.ok_or("no times are offered")?["body"];
            let slots = body["input"]["slots"].as_array().unwrap();
            let slot = &slots[dice.roll(slots.len())]["starts_at"];
            let answer = json!({"type": "slot", "question": body["question"], "starts_at": slot});
            self.outbox.waiting.push_back((new_key(), answer));
            while !self.outbox.waiting.is_empty() {
                let fate = dice.roll(8);
                self.send(fate, dice).await;
            }
        }
        Err("she is offered times, and none is hers".to_owned())
    }

    /// One call, one fact of which she is told, and one line of the log that says so.
    async fn judge_call(&self, log: &[Value]) -> Result<(), String> {
        let said = log.iter().filter(|event| event["body"]["type"] == "booked").count();
        let failed = |error: embudo::storage::Error| error.to_string();
        let mut db = self.nodes[0].app.stores.db.read();
        let bookings = embudo::sql!("select id, state from bookings where conversation_id = $1");
        let calls = db.query(bookings, embudo::params![self.conversation()]).await.map_err(failed)?;
        let [call] = calls.as_slice() else { return Err(format!("there are {} calls", calls.len())) };
        let (call, state): (String, String) =
            (call.get("id").map_err(failed)?, call.get("state").map_err(failed)?);
        let events =
            embudo::sql!("select id from events where kind = 'booking_confirmed' and payload like $1");
        let told = db.query(events, embudo::params![format!("%{call}%")]).await.map_err(failed)?.len();
        match (said, state.as_str(), told) {
            (1, "confirmed", 1) => Ok(()),
            (said, state, told) => Err(format!("said {said} times, the call is {state}, told {told} times")),
        }
    }

    /// The network is well again: everything is sent and read. Then every client shows the same log, which is given back.
    async fn settle(&mut self, dice: &mut Dice) -> Result<Vec<Value>, String> {
        self.send_all(dice).await?;
        let mut fresh = self.open_tab(0, Author::Visitor);
        let head = usize::try_from(self.page(0, 0).await["head"].as_i64().unwrap()).unwrap();
        while fresh.last() < head {
            let page = self.page(1, fresh.last()).await;
            if !page["events"].as_array().unwrap().iter().all(|event| fresh.take(event)) {
                return Err(format!("the log has a gap: {page:#}"));
            }
        }
        for tab in 0..self.tabs.len() {
            self.read_to_the_end(tab, head, dice).await?;
            if self.tabs[tab].log != fresh.log {
                return Err(format!("a tab shows {:#?}\nthe log is {:#?}", self.tabs[tab].log, fresh.log));
            }
        }
        let by = |kind: &str| -> Vec<String> {
            let of_kind = fresh.log.iter().filter(|event| event["author"]["kind"] == json!(kind));
            of_kind.filter_map(|event| event["client_id"].as_str().map(str::to_owned)).collect()
        };
        for (kind, accepted) in [("visitor", &self.outbox.accepted), ("agent", &self.agent_outbox.accepted)] {
            if by(kind) != *accepted {
                return Err(format!("{kind}: accepted {accepted:?}, in the log {:?}", by(kind)));
            }
        }
        let mut mode = "bot".to_owned();
        for event in &fresh.log {
            if let Some(now) = event["body"]["mode"].as_str() {
                mode = now.to_owned();
            }
            // That a call is booked is said in the bot's name, whoever has offered the times.
            if event["author"]["kind"] == "bot" && mode == "human" && event["body"]["type"] != "booked" {
                return Err(format!("the bot spoke while a person did: {event}"));
            }
        }
        Ok(fresh.log)
    }

    /// The client comes back where it was, by nothing but what the server tells it.
    async fn read_to_the_end(&mut self, tab: usize, head: usize, dice: &mut Dice) -> Result<(), String> {
        self.reconnect(tab, dice.roll(2));
        let tab = &mut self.tabs[tab];
        loop {
            let piece = timeout(Duration::from_secs(20), tab.following.next()).await;
            for frame in piece.map_err(|_| "a reader is told nothing")?.unwrap().frames() {
                let data: Value = serde_json::from_str(frame.data.get()).unwrap();
                match frame.name {
                    "event" if !tab.take(&data) => return Err(format!("a gap before {data}")),
                    "head" if data["head"] == json!(head) && tab.last() == head => return Ok(()),
                    _ => {}
                }
            }
        }
    }
}

async fn open(client: &Client, visitor: Option<VisitorId>) -> Value {
    let coming = json!({
        "site": "faro", "visitor": visitor.map(|visitor| visitor.to_string()), "consent": "analytics",
        "page": {"url": SITE, "title": ""}, "language": "en", "zone": "Europe/Madrid",
    });
    let opened = client.with("origin", SITE).post("/v1/chat", &coming).await;
    assert!(matches!(opened.status, 200 | 201), "{}", opened.body);
    opened.json()
}

fn lifted(settings: &mut toml::Table) {
    for key in ["messages_per_minute", "messages_burst", "opened_per_minute", "opened_burst"] {
        set(settings, "chat", key, 1_000_000);
    }
}

#[actix_web::test]
async fn whatever_the_network_does_and_whichever_node_dies_every_message_is_there_once_and_in_order_on_every_client()
 {
    let first = TestApp::start_with(lifted).await;
    let second = match mix() {
        Mix::Embedded => None,
        Mix::Spread => {
            let storage = &first.app.config.storage;
            let share = |settings: &mut toml::Table| {
                lifted(settings);
                set(settings, "storage", "postgres", storage.postgres.expose());
                set(settings, "storage", "redis", storage.redis.expose());
                set(settings, "storage", "redis_prefix", storage.redis_prefix.clone());
            };
            Some(TestApp::start_with(share).await)
        }
    };
    let nodes = [Node::of(&first, 1), Node::of(second.as_ref().unwrap_or(&first), 2)];
    let mike = Agent { id: AccountId::new(), name: "Mike".to_owned() };
    let hire = embudo::sql!(
        "insert into accounts (id, email, name, role, password_hash, created_at)
         values ($1, 'mike.chat@faro.example', 'Mike', 'sdr', '', 0)"
    );
    first.app.stores.db.execute(hire, embudo::params![mike.id]).await.unwrap();
    first.app.room.present(mike.id, first.now()).await.unwrap();
    let only = std::env::var("SCHEDULE").ok().and_then(|seed| seed.parse().ok());
    let seeds = only.map_or(1..=SCHEDULES, |seed| seed..=seed);
    let (faults, deaths) = (Faults::default(), Deaths::default());
    let played = stream::iter(seeds).map(|seed| play(&nodes, &mike, &faults, &deaths, seed));
    let said: usize = played.buffer_unordered(AT_ONCE).fold(0, |sum, said| async move { sum + said }).await;
    println!("{said} messages, {faults:?}, {deaths:?}");
    assert!(only.is_some() || said > 4_000, "the schedules say too little: {said}");
    let out_of = FAULTS.iter().map(|what| (*what, faults.of(what), SCHEDULES));
    for (what, times, of) in out_of.chain(DEATHS.iter().map(|(what, of)| (*what, deaths.of(what), *of))) {
        assert!(only.is_some() || times >= usize::try_from(of / 10).unwrap(), "{what}: {times} times");
    }
    // What the facts of the calls bring about: each is one mail.
    first.run_jobs().await;
    let count = async |what| first.rows(what).await[0].get::<i64>("n").unwrap();
    let calls =
        "select count(*) as n from bookings where state = 'confirmed' and conversation_id is not null";
    let calls = count(calls).await;
    let mails = count("select count(*) as n from mails where template = 'booking_confirmed'").await;
    println!("{calls} calls, {mails} confirmations");
    assert_eq!(calls, mails);
    assert!(only.is_some() || calls >= i64::try_from(SCHEDULES / 10).unwrap(), "few calls: {calls}");
}

/// Plays one schedule; returns how many messages were accepted in it.
async fn play(nodes: &[Node; 2], mike: &Agent, faults: &Faults, deaths: &Deaths, seed: u64) -> usize {
    let mut dice = Dice::new(seed);
    let visitor = VisitorId::new();
    let opened = open(&nodes[0].client, Some(visitor)).await;
    let word = |name: &str| opened[name].as_str().unwrap().to_owned();
    let mut stage = Stage {
        nodes,
        token: word("token"),
        id: word("conversation"),
        visitor,
        mike,
        tabs: Vec::new(),
        outbox: Outbox::default(),
        agent_outbox: Outbox::default(),
        faults,
        deaths,
    };
    stage.tabs = [Author::Visitor, Author::Visitor, Author::Agent]
        .into_iter()
        .map(|side| stage.open_tab(dice.roll(2), side))
        .collect();
    // Mike has it, so that nothing that is said can end the conversation.
    let app = &nodes[0].app;
    chat::accept(&app.room, stage.conversation(), mike, app.clock.now()).await.unwrap();
    for n in 0..12 + dice.roll(20) {
        stage.step(&mut dice, n).await;
        // A few wrong answers in a row lead the flow on, and it may end: bring Mike back before that.
        let _ = chat::accept(&app.room, stage.conversation(), mike, app.clock.now()).await;
    }
    let wants_a_call = seed.is_multiple_of(TO_A_CALL);
    let played = async {
        if wants_a_call {
            stage.ends_in_a_call(&format!("reader{seed}@acme.example"), &mut dice).await?;
        }
        let log = stage.settle(&mut dice).await?;
        if wants_a_call { stage.judge_call(&log).await } else { Ok(()) }
    };
    played.await.unwrap_or_else(|wrong| panic!("SCHEDULE={seed}: {wrong}"));
    let out_of_order = stage.tabs.iter().map(|tab| tab.out_of_order).sum();
    faults.count(FAULTS[2], out_of_order);
    stage.outbox.accepted.len() + stage.agent_outbox.accepted.len()
}
