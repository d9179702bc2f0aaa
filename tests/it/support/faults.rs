//! A network and machines that fail by the throw of dice, for what is said in conversations.

use std::collections::BTreeMap;
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

/// What went wrong, by its name, and how often.
#[derive(Debug, Default)]
pub struct Faults(Mutex<BTreeMap<&'static str, usize>>);

impl Faults {
    pub fn count(&self, what: &'static str, times: usize) {
        *self.0.lock().expect("nobody panics with it").entry(what).or_default() += times;
    }

    pub fn of(&self, what: &str) -> usize {
        self.0.lock().expect("nobody panics with it").get(what).copied().unwrap_or_default()
    }
}

/// Machines that die in the middle of a turn.
///
/// How often a turn rests until it is done, on the store or on another turn, is a matter of the store and of how busy the
/// machine is. So it is measured where it is needed: of each kind of turn one of [`ONE_OF`] goes through to its end, and
/// the others die at some share of the rests that the last such one took.
#[derive(Debug, Default)]
pub struct Deaths(Mutex<BTreeMap<&'static str, Course>>);

/// Of so many turns that may die, one lives.
const ONE_OF: usize = 4;

/// How turns of a kind go.
#[derive(Debug, Default)]
struct Course {
    met: usize,
    rests: usize,
    died: usize,
}

impl Deaths {
    /// Lets a turn go on for a while and then drops it, as when the process dies. `at`: where in its course, in
    /// hundredths. None: it was not finished.
    pub async fn meet<F: Future>(&self, kind: &'static str, at: usize, turn: F) -> Option<F::Output> {
        let (is_let_through, rests) = self.with(kind, |course| {
            course.met += 1;
            ((course.met - 1).is_multiple_of(ONE_OF), course.rests)
        });
        if is_let_through {
            let (told, rests) = rested(usize::MAX, turn).await;
            self.with(kind, |course| course.rests = rests);
            return told;
        }
        let (told, _) = rested(1 + rests * at / 100, turn).await;
        if told.is_none() {
            self.with(kind, |course| course.died += 1);
        }
        told
    }

    /// How many turns of a kind have died.
    pub fn of(&self, kind: &'static str) -> usize {
        self.with(kind, |course| course.died)
    }

    fn with<T>(&self, kind: &'static str, act: impl FnOnce(&mut Course) -> T) -> T {
        act(self.0.lock().expect("nobody panics with it").entry(kind).or_default())
    }
}

/// Lets something go on until it has rested so often, and then drops it. What it came to, and how often it rested.
async fn rested<F: Future>(most: usize, future: F) -> (Option<F::Output>, usize) {
    let (mut future, mut rests) = (pin!(future), 0);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready((Some(done), rests)),
        Poll::Pending => {
            rests += 1;
            if rests < most { Poll::Pending } else { Poll::Ready((None, rests)) }
        }
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
