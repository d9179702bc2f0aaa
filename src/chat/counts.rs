//! What conversations have done in this process since its start, for the operator.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::Conversation;
use super::body::Mode;
use crate::base::time::Timestamp;

/// Versions of flows beyond this are counted together: a file that changes every minute must not fill the memory.
const VERSIONS_MOST: usize = 500;
/// What such versions are counted as.
const OTHERS: &str = "other";

/// How long visitors have waited for a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    pub count: u64,
    pub total_ms: u64,
}

/// The counts.
#[derive(Debug, Default)]
pub struct Counts {
    turns: Mutex<BTreeMap<(String, String, &'static str), u64>>,
    waits: Mutex<BTreeMap<&'static str, Waits>>,
}

impl Counts {
    /// A turn of a flow is over; the conversation stands where it has led.
    pub(super) fn turn(&self, conversation: &Conversation) {
        let Some(state) = &conversation.state else { return };
        let outcome = match conversation.mode {
            Mode::Bot => "goes_on",
            Mode::Waiting => "waits",
            Mode::Human => "human",
            Mode::Closed => match state.outcome.as_deref() {
                // No sound flow ends like this: the checks have a gap.
                Some("unhandled" | "endless") => "unhandled",
                _ => "ended",
            },
        };
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (state.flow.clone(), state.version.clone(), outcome);
        if turns.len() >= VERSIONS_MOST && !turns.contains_key(&key) {
            key = (OTHERS.to_owned(), OTHERS.to_owned(), outcome);
        }
        let count = turns.entry(key).or_default();
        *count = count.saturating_add(1);
    }

    /// Somebody has come (`accepted`), or nobody has (`expired`), since a visitor began to wait.
    pub(super) fn wait(&self, ended: &'static str, since: Option<Timestamp>, now: Timestamp) {
        let Some(since) = since else { return };
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        let known = waits.entry(ended).or_default();
        known.count = known.count.saturating_add(1);
        let ms = u64::try_from(now.since_ms(since)).unwrap_or(0);
        known.total_ms = known.total_ms.saturating_add(ms);
    }

    /// Turns by flow, version and where they led: `goes_on`, `waits`, `human`, `ended`, `unhandled`.
    pub fn turns(&self) -> Vec<((String, String, &'static str), u64)> {
        let turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.iter().map(|(key, count)| (key.clone(), *count)).collect()
    }

    /// How long visitors waited, by how it ended.
    pub fn waits(&self) -> Vec<(&'static str, Waits)> {
        let waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.iter().map(|(ended, waits)| (*ended, *waits)).collect()
    }
}
