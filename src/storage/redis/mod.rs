//! The connection to Redis that hot state, limits, the bus and the streams share, and every key we write there.
//!
//! One server (`redis://host:6379`) or a Redis Cluster (`redis+cluster://host1:6379,host2:6379,host3:6379`).

mod connection;
mod keys;
mod script;

use std::sync::Arc;
use std::time::Duration;

pub use connection::Connection;
pub use keys::Keys;
use redis::aio::{ConnectionManager, ConnectionManagerConfig, PubSub};
use redis::cluster::ClusterClientBuilder;
pub(super) use script::Script;

use super::{Error, Result};

/// How long a command, and opening a connection, may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long one node of a cluster may take before the client looks whether another one has its place.
const PATIENCE_WITH_NODE: Duration = Duration::from_secs(1);
/// What the address of a cluster begins with.
const CLUSTER: &str = "redis+cluster://";

/// A connection that restores itself.
#[derive(Clone)]
pub struct Redis {
    /// Runs commands.
    pub connection: Connection,
    /// Names the keys.
    pub keys: Keys,
    /// Opens further connections, for subscriptions: any node of a cluster will do.
    clients: Arc<[redis::Client]>,
}

impl Redis {
    /// Connects to the server or the cluster at `url`; every key and channel begins with `prefix`.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the address is wrong or nobody answers there.
    pub async fn connect(url: &str, prefix: &str) -> Result<Self> {
        let (urls, is_cluster) = addresses(url);
        let clients: Vec<_> =
            urls.iter().map(|url| redis::Client::open(url.as_str())).collect::<redis::RedisResult<_>>()?;
        let connection = match clients.first() {
            Some(client) if !is_cluster => {
                let config = ConnectionManagerConfig::new()
                    .set_connection_timeout(Some(PATIENCE_WITH_NODE))
                    .set_response_timeout(Some(PATIENCE))
                    // What fails is told at once; `Connection` tries again in the background.
                    .set_number_of_retries(0);
                Connection::one(ConnectionManager::new_with_config(client.clone(), config).await?)
            }
            _ => {
                let cluster = ClusterClientBuilder::new(urls)
                    .connection_timeout(PATIENCE_WITH_NODE)
                    .response_timeout(PATIENCE_WITH_NODE)
                    .overall_response_timeout(Some(PATIENCE))
                    .retries(4)
                    .min_retry_wait(20)
                    .max_retry_wait(200)
                    .build()?;
                Connection::cluster(cluster.get_async_connection().await?)
            }
        };
        Ok(Self { connection, keys: Keys::new(prefix), clients: clients.into() })
    }

    /// A connection that hears `channel`. A cluster passes messages on between its nodes, so that any of them will do.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if nobody answers.
    pub async fn subscribe(&self, channel: &str) -> Result<PubSub> {
        let mut failed = Error::Unavailable("no address of Redis is known".to_owned());
        for client in self.clients.iter() {
            let subscribed = tokio::time::timeout(PATIENCE, async {
                let mut subscription = client.get_async_pubsub().await?;
                subscription.subscribe(channel).await?;
                Ok::<_, redis::RedisError>(subscription)
            });
            match subscribed.await {
                Ok(Ok(subscription)) => return Ok(subscription),
                Ok(Err(error)) => failed = error.into(),
                Err(_) => failed = Error::Unavailable("Redis does not answer".to_owned()),
            }
        }
        Err(failed)
    }
}

/// The address of each node, and whether they are a cluster. A user and a password stand once, before the first.
fn addresses(url: &str) -> (Vec<String>, bool) {
    let Some(rest) = url.strip_prefix(CLUSTER) else { return (vec![url.to_owned()], false) };
    let (user, hosts) = rest.rsplit_once('@').map_or(("", rest), |(user, hosts)| (user, hosts));
    let at = if user.is_empty() { "" } else { "@" };
    let hosts = hosts.trim_end_matches('/').split(',').map(str::trim).filter(|host| !host.is_empty());
    (hosts.map(|host| format!("redis://{user}{at}{host}")).collect(), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_one_server_or_the_nodes_of_a_cluster() {
        let one = "redis://:secret@redis.internal:6379/2";
        assert_eq!(addresses(one), (vec![one.to_owned()], false));
        let nodes = ["redis://user:p%40ss@a:1", "redis://user:p%40ss@b:2"].map(str::to_owned).to_vec();
        assert_eq!(addresses("redis+cluster://user:p%40ss@a:1,b:2/"), (nodes, true));
        assert_eq!(addresses("redis+cluster://a:1"), (vec!["redis://a:1".to_owned()], true));
    }
}
