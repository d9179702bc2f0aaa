//! The chat's promise under a bad network: every accepted message exactly once, in order, on every client.
//!
//! Each schedule is drawn from a seed: requests that get lost on the way there or on the way back, that arrive
//! twice, pages that come late and out of order, tabs that are reloaded, people who step in and out. A failing
//! seed is named, and can be played again alone: SCHEDULE=17.
#![allow(clippy::unwrap_used, reason = "a panic in a test is a failed test")]

use std::collections::VecDeque;

use embudo::base::ids::{AccountId, ConversationId, VisitorId, new_key};
use embudo::chat::{self, Agent};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::support::answer::Client;
use crate::support::app::{SITE, TestApp, set};

/// How many schedules are played.
const SCHEDULES: u64 = 1_000;

/// Conversations that go on at the same time, so that they also get into one another's way.
const AT_ONCE: usize = 8;

/// A small generator of numbers; the same seed gives the same schedule.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides).unwrap()).unwrap()
    }
}

/// What waits to be sent, one thing at a time and in order, under an id that stays.
#[derive(Default)]
struct Outbox {
    waiting: VecDeque<(String, Value)>,
    accepted: Vec<String>,
}

/// One tab: a cursor, what it has shown, and pages that are still on their way to it.
#[derive(Default)]
struct Tab {
    log: Vec<Value>,
    late: Vec<Value>,
}

impl Tab {
    fn last(&self) -> usize {
        self.log.len()
    }

    /// The client's rule: only the next number is taken, lower ones are dropped; false where there is a gap.
    fn take(&mut self, page: &Value) -> bool {
        for event in page["events"].as_array().unwrap() {
            let seq = usize::try_from(event["seq"].as_i64().unwrap()).unwrap();
            if seq > self.last() + 1 {
                return false;
            }
            if seq == self.last() + 1 {
                self.log.push(event.clone());
            }
        }
        true
    }
}

struct Stage<'a> {
    app: &'a TestApp,
    client: Client,
    id: String,
    visitor: VisitorId,
    mike: &'a Agent,
    tabs: [Tab; 2],
    outbox: Outbox,
    /// What Mike says, with the ids under which it was accepted.
    agent_outbox: Outbox,
}

impl Stage<'_> {
    fn path(&self, door: &str) -> String {
        format!("/v1/chat/{}/{door}", self.id)
    }

    fn conversation(&self) -> ConversationId {
        ConversationId::parse(&self.id).unwrap()
    }

    /// Tries to send what waits first. `fate`: how the network treats it.
    async fn send(&mut self, fate: usize) {
        let Some((id, body)) = self.outbox.waiting.front().cloned() else { return };
        let message = json!({"client_id": id, "body": body});
        let path = self.path("messages");
        match fate {
            // Lost on the way there.
            0 => return,
            // Lost on the way back: it counts as unsent.
            1 => {
                self.client.post(&path, &message).await;
                return;
            }
            // Arrives twice at the same moment.
            2 => {
                let (one, two) = futures_util::future::join(
                    self.client.post(&path, &message),
                    self.client.post(&path, &message),
                )
                .await;
                assert!(
                    matches!((one.status, two.status), (200 | 201, 200 | 201)),
                    "{} {}",
                    one.body,
                    two.body
                );
            }
            _ => {
                let answer = self.client.post(&path, &message).await;
                assert!(matches!(answer.status, 200 | 201), "{}", answer.body);
            }
        }
        self.outbox.accepted.push(id);
        self.outbox.waiting.pop_front();
    }

    async fn agent_send(&mut self, fate: usize) {
        let Some((id, body)) = self.agent_outbox.waiting.front().cloned() else { return };
        if fate == 0 {
            return;
        }
        let text = body["text"].as_str().unwrap();
        let (room, now) = (&self.app.app.room, self.app.now());
        match chat::agent_say(room, self.conversation(), self.mike, &id, text, now).await {
            // The console did not hear the answer: it says the same again later.
            Ok(_) if fate == 1 => {}
            Ok(_) => {
                self.agent_outbox.accepted.push(id);
                self.agent_outbox.waiting.pop_front();
            }
            Err(chat::Error::NotAllowed(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }

    async fn page(&self, after: usize) -> Value {
        self.client.get(&self.path(&format!("events?after={after}"))).await.expect_json(200)
    }

    async fn catch_up(&mut self, tab: usize) {
        loop {
            let page = self.page(self.tabs[tab].last()).await;
            assert!(self.tabs[tab].take(&page));
            if page["head"] == json!(self.tabs[tab].last()) {
                return;
            }
        }
    }

    async fn step(&mut self, dice: &mut Dice, n: usize) {
        let fate = dice.roll(6);
        match dice.roll(12) {
            0..=2 => {
                let body = match dice.roll(8) {
                    0 => json!({"type": "human_requested"}),
                    _ => json!({"type": "text", "text": format!("visitor {n}")}),
                };
                self.outbox.waiting.push_back((new_key(), body));
                self.send(fate).await;
            }
            3 => self.send(fate).await,
            4 | 5 => {
                self.agent_outbox.waiting.push_back((new_key(), json!({"text": format!("agent {n}")})));
                self.agent_send(fate).await;
            }
            6 => self.agent_send(fate).await,
            7 => {
                let page = self.page(self.tabs[fate % 2].last()).await;
                match fate {
                    0 | 1 => self.tabs[fate % 2].late.push(page),
                    _ => drop(self.tabs[fate % 2].take(&page)),
                }
            }
            8 => {
                // A page comes late, perhaps after younger ones.
                let tab = &mut self.tabs[fate % 2];
                if !tab.late.is_empty() {
                    let page = tab.late.remove(dice.roll(tab.late.len()));
                    if !tab.take(&page) {
                        self.catch_up(fate % 2).await;
                    }
                }
            }
            9 => self.tabs[fate % 2] = Tab::default(),
            10 => {
                // A reload in between: the same conversation under a new token.
                let opened = open(self.app, Some(self.visitor)).await;
                if opened["conversation"] == json!(self.id) {
                    self.client = bearer(self.app, &opened);
                }
            }
            _ => {
                let (room, id, now) = (&self.app.app.room, self.conversation(), self.app.now());
                let stepped = match fate {
                    0..=3 => chat::accept(room, id, self.mike, now).await,
                    _ => chat::hand_back(room, id, self.mike, now).await,
                };
                assert!(matches!(stepped, Ok(_) | Err(chat::Error::NotAllowed(_))), "{stepped:?}");
            }
        }
    }

    /// The network is well again: everything is sent and read. Then every client shows the same log.
    async fn settle(&mut self) -> Result<(), String> {
        while !self.outbox.waiting.is_empty() {
            self.send(5).await;
        }
        if !self.agent_outbox.waiting.is_empty() {
            let (room, id, now) = (&self.app.app.room, self.conversation(), self.app.now());
            chat::accept(room, id, self.mike, now).await.map_err(|error| error.to_string())?;
        }
        while !self.agent_outbox.waiting.is_empty() {
            self.agent_send(5).await;
        }
        for tab in 0..self.tabs.len() {
            self.catch_up(tab).await;
        }
        let mut fresh = Tab::default();
        fresh.take(&self.page(0).await);
        for tab in &self.tabs {
            if tab.log != fresh.log {
                return Err(format!("a tab shows {:#?}\nthe log is {:#?}", tab.log, fresh.log));
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
            if event["author"]["kind"] == "bot" && mode == "human" {
                return Err(format!("the bot spoke while a person did: {event}"));
            }
        }
        Ok(())
    }
}

async fn open(app: &TestApp, visitor: Option<VisitorId>) -> Value {
    let coming = json!({
        "site": "faro", "visitor": visitor.map(|visitor| visitor.to_string()), "consent": "analytics",
        "page": {"url": SITE, "title": ""}, "language": "en", "zone": "Europe/Madrid",
    });
    let opened = app.client.with("origin", SITE).post("/v1/chat", &coming).await;
    assert!(matches!(opened.status, 200 | 201), "{}", opened.body);
    opened.json()
}

fn bearer(app: &TestApp, opened: &Value) -> Client {
    let token = opened["token"].as_str().unwrap();
    app.client.with("origin", SITE).with("authorization", &format!("Bearer {token}"))
}

#[actix_web::test]
async fn whatever_the_network_does_every_message_is_there_once_and_in_order_on_every_client() {
    let app = TestApp::start_with(|settings| {
        for key in ["messages_per_minute", "messages_burst", "opened_per_minute", "opened_burst"] {
            set(settings, "chat", key, 1_000_000);
        }
    })
    .await;
    let mike = Agent { id: AccountId::new(), name: "Mike".to_owned() };
    app.app
        .stores
        .db
        .execute(
            embudo::sql!(
                "insert into accounts (id, email, name, role, password_hash, created_at)
                 values ($1, 'mike@faro.example', 'Mike', 'sdr', '', 0)"
            ),
            embudo::params![mike.id],
        )
        .await
        .unwrap();
    app.app.room.present(mike.id, app.now()).await.unwrap();
    let only = std::env::var("SCHEDULE").ok().and_then(|seed| seed.parse().ok());
    let seeds = only.map_or(1..=SCHEDULES, |seed| seed..=seed);
    let played = stream::iter(seeds).map(|seed| play(&app, &mike, seed)).buffer_unordered(AT_ONCE);
    let said: usize = played.fold(0, |sum, said| async move { sum + said }).await;
    assert!(only.is_some() || said > 5_000, "the schedules say too little: {said}");
}

/// Plays one schedule; returns how many messages were accepted in it.
async fn play(app: &TestApp, mike: &Agent, seed: u64) -> usize {
    let mut dice = Dice::new(seed);
    let visitor = VisitorId::new();
    let opened = open(app, Some(visitor)).await;
    let mut stage = Stage {
        app,
        client: bearer(app, &opened),
        id: opened["conversation"].as_str().unwrap().to_owned(),
        visitor,
        mike,
        tabs: Default::default(),
        outbox: Outbox::default(),
        agent_outbox: Outbox::default(),
    };
    // Mike has it, so that nothing that is said can end the conversation.
    chat::accept(&app.app.room, stage.conversation(), mike, app.now()).await.unwrap();
    for n in 0..8 + dice.roll(14) {
        stage.step(&mut dice, n).await;
        // A few wrong answers in a row lead the flow on, and it may end: bring Mike back before that.
        let _ = chat::accept(&app.app.room, stage.conversation(), mike, app.now()).await;
    }
    stage.settle().await.unwrap_or_else(|wrong| panic!("SCHEDULE={seed}: {wrong}"));
    stage.outbox.accepted.len() + stage.agent_outbox.accepted.len()
}
