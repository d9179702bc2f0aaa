//! A network and machines that fail by the throw of dice, for what is said in conversations.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use embudo::app::App;
use embudo::base::ids::ConversationId;
use embudo::chat::body::Author;
use embudo::http::chat::{Following, Hub};
use embudo::storage::bus::{Bus, Wake};
use serde_json::Value;
use tokio::sync::broadcast;
use tokio::time::timeout;

use super::answer::Client;
use super::app::TestApp;

/// A small generator of numbers; the same seed gives the same schedule.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides).expect("few sides")).expect("fits")
    }
}

/// A node as its readers know it: its wake-ups come by a bus that loses some and doubles others.
pub struct Node {
    pub app: Arc<App>,
    pub client: Client,
    pub url: String,
    hub: Mutex<Hub>,
    bus: Arc<Lossy>,
}

struct Lossy {
    out: Mutex<broadcast::Sender<Wake>>,
    is_away: AtomicBool,
}

impl Lossy {
    fn line() -> broadcast::Sender<Wake> {
        broadcast::channel(1_024).0
    }

    fn pass_on(&self, wake: &Wake) {
        let _ = self.out.lock().expect("nobody panics with it").send(wake.clone());
    }
}

#[async_trait]
impl Bus for Lossy {
    async fn publish(&self, _: &str, _: &str) {}

    fn subscribe(&self) -> broadcast::Receiver<Wake> {
        self.out.lock().expect("nobody panics with it").subscribe()
    }
}

impl Node {
    pub fn of(test: &TestApp, seed: u64) -> Self {
        let bus = Arc::new(Lossy { out: Mutex::new(Lossy::line()), is_away: AtomicBool::new(false) });
        let hub = Mutex::new(Self::hub_on(&bus));
        let (mut wakes, lossy, mut dice) = (test.app.stores.bus.subscribe(), bus.clone(), Dice::new(seed));
        tokio::spawn(async move {
            while let Ok(wake) = wakes.recv().await {
                let times =
                    if lossy.is_away.load(Ordering::Relaxed) { 0 } else { [0, 1, 1, 2][dice.roll(4)] };
                for _ in 0..times {
                    lossy.pass_on(&wake);
                }
            }
        });
        Self { app: test.app.clone(), client: test.client.clone(), url: test.url.clone(), hub, bus }
    }

    fn hub_on(bus: &Arc<Lossy>) -> Hub {
        let as_bus: Arc<dyn Bus> = bus.clone();
        Hub::start(&as_bus)
    }

    /// A reader of a log on this node, which looks by itself every 40 ms.
    pub fn follow(&self, id: ConversationId, side: Author, after: usize) -> Following {
        let after = i64::try_from(after).expect("a short log");
        let hub = self.hub.lock().expect("nobody panics with it");
        Following::new(self.app.clone(), &hub, id, side, after).with_beat(Duration::from_millis(40))
    }

    /// No wake-up comes while the bus is away.
    pub fn bus_is_away(&self, is_away: bool) {
        self.bus.is_away.store(is_away, Ordering::Relaxed);
    }

    /// The bus begins anew: whoever listened is never woken again, and only looks by itself.
    pub fn restart_bus(&self) {
        *self.bus.out.lock().expect("nobody panics with it") = Lossy::line();
        *self.hub.lock().expect("nobody panics with it") = Self::hub_on(&self.bus);
    }
}

/// Lets something go on a few steps and then drops it, as when the process dies. None: it was not finished.
pub async fn killed<F: Future>(after: usize, future: F) -> Option<F::Output> {
    let (mut future, mut left) = (pin!(future), after);
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// A client that reads: what it has shown, and what is still on its way to it.
pub struct Tab {
    pub side: Author,
    pub log: Vec<Value>,
    pub following: Following,
    /// Frames that have left the server, by name; they arrive in any order, or not.
    on_the_way: Vec<(&'static str, Value)>,
    /// The line is half open: the server writes, and nothing arrives.
    pub is_half_open: bool,
    /// How many frames came before older ones.
    pub out_of_order: usize,
}

impl Tab {
    /// Shows nothing yet.
    pub fn open(node: &Node, id: ConversationId, side: Author) -> Self {
        let following = node.follow(id, side, 0);
        Self {
            side,
            log: Vec::new(),
            following,
            on_the_way: Vec::new(),
            is_half_open: false,
            out_of_order: 0,
        }
    }

    pub fn last(&self) -> usize {
        self.log.len()
    }

    /// Goes on where it was, perhaps on another node.
    pub fn reconnect(&mut self, node: &Node) {
        self.following = node.follow(self.following.conversation(), self.side, self.last());
        self.is_half_open = false;
    }

    /// The client's rule: only the next number is taken, lower ones are dropped; false where there is a gap.
    pub fn take(&mut self, event: &Value) -> bool {
        let seq = usize::try_from(event["seq"].as_i64().expect("a number")).expect("from 1");
        if seq == self.last() + 1 {
            self.log.push(event.clone());
        }
        seq <= self.last()
    }

    /// What the server has to say now leaves it; the network does what it likes with it.
    pub async fn pump(&mut self, dice: &mut Dice) {
        for _ in 0..20 {
            let Ok(piece) = timeout(Duration::from_millis(3), self.following.next()).await else { return };
            for frame in piece.expect("the log can be read").frames() {
                let data: Value = serde_json::from_str(frame.data.get()).expect("JSON");
                let times = if self.is_half_open { 0 } else { [0, 1, 1, 1, 1, 2][dice.roll(6)] };
                self.on_the_way.extend(std::iter::repeat_n((frame.name, data), times));
            }
        }
    }

    /// Whether anything that has left the server is still on its way.
    pub fn is_behind(&self) -> bool {
        !self.on_the_way.is_empty()
    }

    /// One frame arrives, perhaps after younger ones. True if it shows that something is missing.
    pub fn arrive(&mut self, dice: &mut Dice) -> bool {
        if self.on_the_way.is_empty() {
            return false;
        }
        let next = dice.roll(self.on_the_way.len());
        self.out_of_order += usize::from(next > 0);
        let (name, data) = self.on_the_way.remove(next);
        match name {
            "event" => !self.take(&data),
            _ => data["head"].as_u64().unwrap_or_default() > u64::try_from(self.last()).expect("fits"),
        }
    }
}
