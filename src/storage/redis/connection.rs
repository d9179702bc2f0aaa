//! Commands to one server or to a cluster, with a fuse: while Redis does not answer, callers are told so at once and do
//! not each wait for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::{Arg, Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult, ServerErrorKind, Value};
use tokio::runtime::Handle;

use super::PATIENCE;

/// Between two looks whether Redis is back.
const PROBE: Duration = Duration::from_millis(200);
/// Hash slots of a cluster.
const SLOTS: u16 = 16_384;
/// Neighbouring slots share a fuse: where one node of a cluster is away, commands to the others go on.
const FUSES: usize = 64;

#[derive(Clone)]
enum Way {
    One(ConnectionManager),
    Cluster(ClusterConnection),
}

/// A connection to Redis that everybody shares.
#[derive(Clone)]
pub struct Connection {
    way: Way,
    fuses: Arc<[AtomicBool; FUSES]>,
    /// Of the task that opened the connection: whoever meets a failure may end before Redis is back.
    runtime: Handle,
}

impl Connection {
    pub(super) fn one(connection: ConnectionManager) -> Self {
        Self::new(Way::One(connection))
    }

    pub(super) fn cluster(connection: ClusterConnection) -> Self {
        Self::new(Way::Cluster(connection))
    }

    fn new(way: Way) -> Self {
        Self {
            way,
            fuses: Arc::new(std::array::from_fn(|_| AtomicBool::new(false))),
            runtime: Handle::current(),
        }
    }

    /// Waits until `replicas` replicas of the node that holds `key` have what was written before on this connection;
    /// answers how many have it.
    ///
    /// # Errors
    /// As Redis says.
    pub async fn replicated(&self, key: &[u8], replicas: usize, most: Duration) -> RedisResult<usize> {
        let mut wait = redis::cmd("WAIT");
        wait.arg(replicas).arg(u64::try_from(most.as_millis()).unwrap_or(u64::MAX));
        let mut way = self.way.clone();
        let command = async {
            match &mut way {
                Way::One(connection) => connection.req_packed_command(&wait).await,
                Way::Cluster(connection) => connection.route_command(wait, to_node_of(key)).await,
            }
        };
        let answer = self.guarded(key, command).await?;
        redis::from_redis_value(answer).map_err(RedisError::from)
    }

    fn fuse(&self, key: &[u8]) -> &AtomicBool {
        self.fuses.get(place(&self.way, key)).expect("a place is one of the fuses")
    }

    async fn guarded<T>(&self, key: &[u8], command: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        if self.fuse(key).load(Ordering::Relaxed) {
            return Err(away("Redis did not answer a moment ago"));
        }
        let outcome = match tokio::time::timeout(PATIENCE, command).await {
            Ok(outcome) => outcome,
            Err(_) => Err(away("Redis does not answer")),
        };
        if let Err(error) = &outcome
            && is_outage(error)
            && !self.fuse(key).swap(true, Ordering::Relaxed)
        {
            tracing::warn!(error = %error, "Redis does not answer: doing without it until it does");
            let probe = probe(self.way.clone(), Arc::downgrade(&self.fuses), key.to_owned());
            self.runtime.spawn(probe);
        }
        outcome
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        let mut way = self.way.clone();
        Box::pin(async move {
            let command = async {
                match &mut way {
                    Way::One(connection) => connection.req_packed_command(cmd).await,
                    Way::Cluster(connection) => connection.req_packed_command(cmd).await,
                }
            };
            self.guarded(key_of(cmd), command).await
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let mut way = self.way.clone();
        Box::pin(async move {
            let command = async {
                match &mut way {
                    Way::One(connection) => connection.req_packed_commands(pipeline, offset, count).await,
                    Way::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count).await,
                }
            };
            let key = pipeline.cmd_iter().map(key_of).find(|key| !key.is_empty()).unwrap_or_default();
            self.guarded(key, command).await
        })
    }

    fn get_db(&self) -> i64 {
        match &self.way {
            Way::One(connection) => connection.get_db(),
            Way::Cluster(connection) => connection.get_db(),
        }
    }
}

/// Looks again and again whether `key` can be read, and then closes its fuse.
async fn probe(way: Way, fuses: Weak<[AtomicBool; FUSES]>, key: Vec<u8>) {
    let place = place(&way, &key);
    loop {
        tokio::time::sleep(PROBE).await;
        let Some(fuses) = fuses.upgrade() else { return };
        let mut look = redis::cmd("EXISTS");
        look.arg(&key);
        let seen = async {
            match way.clone() {
                Way::One(mut connection) => connection.req_packed_command(&look).await,
                Way::Cluster(mut connection) => connection.route_command(look, to_node_of(&key)).await,
            }
        };
        if matches!(tokio::time::timeout(PATIENCE, seen).await, Ok(Ok(_))) {
            tracing::info!("Redis answers again");
            fuses.get(place).expect("a place is one of the fuses").store(false, Ordering::Relaxed);
            return;
        }
    }
}

fn to_node_of(key: &[u8]) -> RoutingInfo {
    RoutingInfo::SingleNode(SingleNodeRoutingInfo::SpecificNode(Route::with_key(key, SlotAddr::Master)))
}

fn place(way: &Way, key: &[u8]) -> usize {
    match way {
        Way::One(_) => 0,
        Way::Cluster(_) => usize::from(slot(key)) * FUSES / usize::from(SLOTS),
    }
}

/// The hash slot of a key by the Redis Cluster specification: CRC16 (XMODEM) of what stands in the first `{…}`.
fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = key.get(open + 1..)?;
        let close = rest.iter().position(|byte| *byte == b'}')?;
        rest.get(..close).filter(|tag| !tag.is_empty())
    });
    let crc = tag.unwrap_or(key).iter().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    });
    crc % SLOTS
}

/// The first key of a command, as far as we use commands; empty for what concerns no key.
fn key_of(cmd: &Cmd) -> &[u8] {
    let mut args = cmd.args_iter().map(|arg| match arg {
        Arg::Simple(bytes) => bytes,
        _ => b"".as_slice(),
    });
    let name = args.next().unwrap_or_default();
    let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
    let key = if is("EVALSHA") || is("EVAL") {
        args.nth(2)
    } else if is("XGROUP") {
        args.nth(1)
    } else if is("XREADGROUP") {
        args.find(|arg| arg.eq_ignore_ascii_case(b"STREAMS"));
        args.next()
    } else {
        args.next()
    };
    key.unwrap_or_default()
}

fn away(text: &'static str) -> RedisError {
    std::io::Error::new(std::io::ErrorKind::TimedOut, text).into()
}

/// Whether nobody answered, and not only with a no.
fn is_outage(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Io
            | ErrorKind::ClusterConnectionNotFound
            | ErrorKind::Server(
                ServerErrorKind::BusyLoading
                    | ServerErrorKind::ClusterDown
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::ReadOnly
            )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        // The check value of CRC16/XMODEM, and the specification's examples of hash tags.
        assert_eq!(slot(b"123456789"), 0x31c3 % SLOTS);
        assert_eq!(slot(b"{user1000}.following"), slot(b"user1000"));
        assert_ne!(slot(b"foo{}{bar}"), slot(b"bar"));
        assert_eq!(slot(b"foo{{bar}}zap"), slot(b"{bar"));
    }

    #[test]
    fn the_key_of_a_command_is_found_where_it_stands() {
        let key = |parts: &[&str]| {
            let mut cmd = redis::cmd(parts[0]);
            parts[1..].iter().for_each(|part| {
                cmd.arg(*part);
            });
            String::from_utf8(key_of(&cmd).to_vec()).expect("a text")
        };
        assert_eq!(key(&["EVALSHA", "abc", "1", "k", "v"]), "k");
        assert_eq!(key(&["XREADGROUP", "GROUP", "g", "c", "STREAMS", "k", ">"]), "k");
        assert_eq!(key(&["XGROUP", "CREATE", "k", "g", "0"]), "k");
        assert_eq!(key(&["GET", "k"]), "k");
        assert_eq!(key(&["PING"]), "");
    }
}
