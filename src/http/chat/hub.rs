//! Wakes the streams of this process: one listener on the bus, however many streams there are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast::{self, error::RecvError};

use crate::base::ids::ConversationId;
use crate::chat::Conversation;
use crate::storage::bus::Bus;
use crate::telemetry::metrics::{Family, Histogram};

/// Wake-ups that a slow stream may have before it; who lags reads the log instead.
const CAPACITY: usize = 8;
/// Topics at which it is looked for the first time which of them nobody listens to any more.
const SWEPT_FROM: usize = 256;

/// The topics that somebody of this process listens to.
#[derive(Default)]
struct Topics {
    lines: HashMap<String, broadcast::Sender<Arc<str>>>,
    /// How many there may be before the silent ones are swept out: twice what was left the last time, so that it
    /// costs nothing beside the streams that were opened since.
    swept_at: usize,
}

type Lines = Mutex<Topics>;

/// What the chat's doors have done since the start.
#[derive(Debug)]
pub struct Counts {
    /// Readings that began, by transport; `refetch`: a reader that has missed something asks for it.
    pub reads: Family,
    /// Visitors' messages, by what became of them.
    pub messages: Family,
    /// From an entry's time to the moment at which a reader that waits is told it.
    pub lag: Histogram,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            reads: Family::new(&["stream", "poll", "refetch", "line"]),
            messages: Family::new(&["taken", "repeated", "refused"]),
            lag: Histogram::default(),
        }
    }
}

/// The streams of this process, by the topic they listen to.
#[derive(Clone, Default)]
pub struct Hub {
    lines: Arc<Lines>,
    pub counts: Arc<Counts>,
}

impl Hub {
    /// Listens to the bus for as long as the runtime lives. Must be called on a tokio runtime.
    pub fn start(bus: &Arc<dyn Bus>) -> Self {
        let hub = Self::default();
        let mut wakes = bus.subscribe();
        let lines = hub.lines.clone();
        tokio::spawn(async move {
            loop {
                match wakes.recv().await {
                    Ok(wake) => pass_on(&lines, &wake.topic, &wake.text),
                    // What was lost is only a wake-up: every stream looks by itself at its next beat. So that nobody
                    // waits for that, all are woken.
                    Err(RecvError::Lagged(_)) => wake_all(&lines),
                    Err(RecvError::Closed) => return,
                }
            }
        });
        hub
    }

    /// What concerns a conversation from now on.
    pub fn listen(&self, id: ConversationId) -> broadcast::Receiver<Arc<str>> {
        let mut topics = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if topics.lines.len() >= topics.swept_at.max(SWEPT_FROM) {
            topics.lines.retain(|_, line| line.receiver_count() > 0);
            topics.swept_at = topics.lines.len().saturating_mul(2);
        }
        let line = topics.lines.entry(Conversation::topic(id));
        line.or_insert_with(|| broadcast::channel(CAPACITY).0).subscribe()
    }

    /// How many read a log of this process now.
    pub fn open(&self) -> usize {
        let topics = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        topics.lines.values().map(broadcast::Sender::receiver_count).sum()
    }
}

fn pass_on(lines: &Lines, topic: &str, text: &str) {
    let topics = lines.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(line) = topics.lines.get(topic) {
        // Fails only if nobody listens any more.
        let _ = line.send(text.into());
    }
}

fn wake_all(lines: &Lines) {
    let topics = lines.lock().unwrap_or_else(PoisonError::into_inner);
    for line in topics.lines.values() {
        let _ = line.send("lost".into());
    }
}
