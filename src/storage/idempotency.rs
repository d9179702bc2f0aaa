//! Answers that are given again when a client asks again: same key, same request, same answer.
//!
//! The answer is stored in the transaction that made it true, so that a client which never saw it may repeat the
//! request, also to another node and after a restart, and nothing happens twice.

use super::Result;
use super::db::{Queries, Tx};
use crate::base::signing::sha256_hex;
use crate::base::time::{DAY_MS, Timestamp};
use crate::{params, sql};

/// How long an answer is kept.
pub const KEPT_MS: i64 = DAY_MS;
/// The longest key a client may draw.
pub const KEY_LENGTH: usize = 255;

/// What was found under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recalled {
    /// Nothing: go on, then [`remember`].
    Nothing,
    /// The same request was answered before.
    Answer {
        /// Its HTTP status.
        status: u16,
        /// Its body.
        body: String,
    },
    /// Another request used this key.
    OtherRequest,
}

/// One request of one client, by its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    scope: String,
    key: String,
    hash: String,
}

impl Request {
    /// A request: `scope` names the door and whose key it is (no client can ask for another's answers), `body` is all
    /// that the answer depends on. `None` if the key is empty, too long or not printable ASCII.
    pub fn new(scope: impl Into<String>, key: &str, body: &str) -> Option<Self> {
        let is_fine =
            !key.is_empty() && key.len() <= KEY_LENGTH && key.bytes().all(|b| (0x20..0x7f).contains(&b));
        is_fine.then(|| Self { scope: scope.into(), key: key.to_owned(), hash: sha256_hex(body) })
    }
}

/// Lets two equal requests that come at the same moment wait for each other: the first thing in a transaction that
/// answers one.
///
/// # Errors
/// As the store says.
pub async fn lock(tx: &mut Tx, request: &Request) -> Result<()> {
    tx.lock(&format!("idempotency:{}:{}", request.scope, request.key)).await
}

/// Looks the request up.
///
/// # Errors
/// As the store says.
pub async fn recall(q: &mut impl Queries, request: &Request, now: Timestamp) -> Result<Recalled> {
    let row = q
        .query_opt(
            sql!(
                "select request_hash, status, body
                 from idempotency_keys
                 where scope = $1 and idempotency_key = $2 and created_at > $3"
            ),
            params![&request.scope, &request.key, now.plus_ms(-KEPT_MS)],
        )
        .await?;
    let Some(row) = row else { return Ok(Recalled::Nothing) };
    if row.get::<String>("request_hash")? != request.hash {
        return Ok(Recalled::OtherRequest);
    }
    let status = u16::try_from(row.get::<i64>("status")?).unwrap_or(200);
    Ok(Recalled::Answer { status, body: row.get("body")? })
}

/// Keeps the answer, in the transaction that made it true.
///
/// # Errors
/// As the store says.
pub async fn remember(tx: &mut Tx, request: &Request, status: u16, body: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "insert into idempotency_keys (scope, idempotency_key, request_hash, status, body, created_at)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (scope, idempotency_key) do update
             set request_hash = excluded.request_hash, status = excluded.status, body = excluded.body,
                 created_at = excluded.created_at"
        ),
        params![&request.scope, &request.key, &request.hash, i64::from(status), body, now],
    )
    .await?;
    Ok(())
}

/// Forgets answers that are older than [`KEPT_MS`]; returns how many.
///
/// # Errors
/// As the store says.
pub async fn forget_old(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    tx.execute(sql!("delete from idempotency_keys where created_at <= $1"), params![now.plus_ms(-KEPT_MS)])
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::db::{Db, JOURNEY};

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    #[test]
    fn a_key_is_printable_and_not_endless() {
        assert!(Request::new("s", "0193-abc", "{}").is_some());
        for wrong in ["", "a\nb", "ñ", &"x".repeat(256)] {
            assert_eq!(Request::new("s", wrong, "{}"), None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn an_answer_is_given_again_for_a_day_and_only_to_the_same_request() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = Db::open_sqlite(&folder.path().join("embudo.db"), JOURNEY).await.expect("opens");
        let request = Request::new("bookings", "k", "one").expect("fine");
        let mut tx = db.begin().await.expect("begins");
        lock(&mut tx, &request).await.expect("locked");
        assert_eq!(recall(&mut tx, &request, NOW).await.expect("read"), Recalled::Nothing);
        remember(&mut tx, &request, 201, "done", NOW).await.expect("kept");
        tx.commit().await.expect("commits");
        let ask = async |scope: &str, body: &str, now: Timestamp| {
            let request = Request::new(scope, "k", body).expect("fine");
            recall(&mut db.read(), &request, now).await.expect("read")
        };
        let answer = Recalled::Answer { status: 201, body: "done".to_owned() };
        assert_eq!(ask("bookings", "one", NOW.plus_ms(KEPT_MS - 1)).await, answer);
        assert_eq!(ask("bookings", "two", NOW).await, Recalled::OtherRequest);
        assert_eq!(ask("forms", "one", NOW).await, Recalled::Nothing);
        assert_eq!(ask("bookings", "one", NOW.plus_ms(KEPT_MS)).await, Recalled::Nothing);
        let mut tx = db.begin().await.expect("begins");
        assert_eq!(forget_old(&mut tx, NOW.plus_ms(KEPT_MS)).await.expect("deleted"), 1);
    }
}
