//! The bus between nodes: one Redis channel, read by one task per node.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use redis::AsyncCommands;
use tokio::sync::broadcast;

use super::{Bus, Local, Wake};
use crate::storage::Result;
use crate::storage::redis::Redis;

const RECONNECT: Duration = Duration::from_millis(500);

/// The bus on Redis.
pub struct RedisBus {
    redis: Redis,
    local: Arc<Local>,
    listener: tokio::task::JoinHandle<()>,
}

impl RedisBus {
    /// Subscribes, and keeps subscribing when the connection is lost.
    ///
    /// # Errors
    /// [`Unavailable`](crate::storage::Error::Unavailable) if the first subscription fails.
    pub async fn connect(redis: Redis) -> Result<Self> {
        let local = Arc::new(Local::default());
        let subscription = redis.subscribe(&redis.keys.bus()).await?;
        let listener = tokio::spawn(listen(redis.clone(), local.clone(), subscription));
        Ok(Self { redis, local, listener })
    }
}

impl Drop for RedisBus {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn listen(redis: Redis, local: Arc<Local>, mut subscription: redis::aio::PubSub) {
    loop {
        while let Some(message) = subscription.on_message().next().await {
            let wake = message.get_payload::<String>().ok().and_then(|payload| {
                let (topic, text) = payload.split_once('\n')?;
                Some(Wake { topic: topic.to_owned(), text: text.to_owned() })
            });
            if let Some(wake) = wake {
                local.deliver(wake);
            }
        }
        tracing::warn!("the live bus lost its connection to Redis");
        subscription = loop {
            tokio::time::sleep(RECONNECT).await;
            if let Ok(fresh) = redis.subscribe(&redis.keys.bus()).await {
                break fresh;
            }
        };
    }
}

#[async_trait]
impl Bus for RedisBus {
    async fn publish(&self, topic: &str, text: &str) {
        let payload = format!("{topic}\n{text}");
        let sent: redis::RedisResult<()> =
            self.redis.connection.clone().publish(self.redis.keys.bus(), payload).await;
        if let Err(error) = sent {
            tracing::warn!(error = %error, "a wake-up reached this node only: Redis does not answer");
            self.local.publish(topic, text).await;
        }
    }

    fn subscribe(&self) -> broadcast::Receiver<Wake> {
        self.local.subscribe()
    }
}
