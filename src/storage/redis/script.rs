//! Scripts that are sent by their digest, and whole where the server does not know them yet.

use redis::{Cmd, ErrorKind, FromRedisValue, RedisResult, ServerErrorKind};

use super::Connection;

/// A Lua script. All its keys carry one hash tag.
pub(in crate::storage) struct Script {
    text: &'static str,
    digest: String,
}

impl Script {
    pub fn new(text: &'static str) -> Self {
        Self { text, digest: redis::Script::new(text).get_hash().to_owned() }
    }

    /// Runs it with what `give` adds after the number of keys: the keys first.
    pub async fn run<T: FromRedisValue>(
        &self,
        connection: &Connection,
        keys: usize,
        give: impl Fn(&mut Cmd),
    ) -> RedisResult<T> {
        let mut connection = connection.clone();
        let mut by_digest = redis::cmd("EVALSHA");
        by_digest.arg(&self.digest).arg(keys);
        give(&mut by_digest);
        match by_digest.query_async(&mut connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                // A server that is new or was restarted. Sent along with its keys it reaches the node that needs it.
                let mut whole = redis::cmd("EVAL");
                whole.arg(self.text).arg(keys);
                give(&mut whole);
                whole.query_async(&mut connection).await
            }
            outcome => outcome,
        }
    }
}
