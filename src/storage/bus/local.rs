//! The bus within this process.

use async_trait::async_trait;
use tokio::sync::broadcast;

use super::{Bus, Wake};

const CAPACITY: usize = 4_096;

/// The in-process bus.
pub struct Local(broadcast::Sender<Wake>);

impl Default for Local {
    fn default() -> Self {
        Self(broadcast::channel(CAPACITY).0)
    }
}

impl Local {
    pub(super) fn deliver(&self, wake: Wake) {
        // Fails only if nobody listens.
        drop(self.0.send(wake));
    }
}

#[async_trait]
impl Bus for Local {
    async fn publish(&self, topic: &str, text: &str) {
        self.deliver(Wake { topic: topic.to_owned(), text: text.to_owned() });
    }

    fn subscribe(&self) -> broadcast::Receiver<Wake> {
        self.0.subscribe()
    }
}
