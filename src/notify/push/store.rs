//! The table of browsers that get notices.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Error, Subscription, Wanted};
use crate::base::ids::{AccountId, PushDeviceId};
use crate::base::secret::Secret;
use crate::base::signing::Keys;
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::{Db, Queries, Row, Tx};
use crate::{params, sql};

/// A browser that gets notices, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Device {
    pub id: PushDeviceId,
    pub browser: String,
    pub system: String,
    /// The host of its push service.
    pub host: String,
    pub created_at: Timestamp,
    pub told_at: Option<Timestamp>,
}

/// What a secret of the table is sealed for.
fn purpose<'a>(what: &'a str, digest: &'a str) -> [&'a str; 3] {
    ["push", what, digest]
}

pub(super) async fn is_known(q: &mut impl Queries, digest: &str) -> Result<bool> {
    let row =
        q.query_opt(sql!("select id from push_devices where endpoint_digest = $1"), params![digest]).await?;
    Ok(row.is_some())
}

pub(super) async fn put(
    tx: &mut Tx,
    keys: &Keys,
    wanted: &Wanted<'_>,
    digest: &str,
    now: Timestamp,
) -> Result<PushDeviceId> {
    let Subscription { endpoint, host, p256dh, auth } = wanted.subscription;
    let auth = Secret::new(URL_SAFE_NO_PAD.encode(auth));
    let id = PushDeviceId::new();
    let row = tx
        .query_opt(
            sql!(
                "insert into push_devices (id, account_id, endpoint_digest, sealed_endpoint, host, p256dh, sealed_auth,
                     browser, system, session_hash, created_at, seen_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
                 on conflict (endpoint_digest) do update
                 set account_id = excluded.account_id, sealed_endpoint = excluded.sealed_endpoint,
                     p256dh = excluded.p256dh, sealed_auth = excluded.sealed_auth, browser = excluded.browser,
                     system = excluded.system, session_hash = excluded.session_hash, seen_at = excluded.seen_at
                 returning id"
            ),
            params![
                id,
                wanted.account,
                digest,
                keys.seal(&purpose("endpoint", digest), endpoint),
                host.as_str(),
                URL_SAFE_NO_PAD.encode(p256dh),
                keys.seal(&purpose("auth", digest), &auth),
                wanted.browser,
                wanted.system,
                wanted.session_hash,
                now,
            ],
        )
        .await?;
    row.map_or(Ok(id), |row| row.get("id"))
}

fn device_of(row: &Row) -> Result<Device> {
    Ok(Device {
        id: row.get("id")?,
        browser: row.get("browser")?,
        system: row.get("system")?,
        host: row.get("host")?,
        created_at: row.get("created_at")?,
        told_at: row.get("told_at")?,
    })
}

/// The browsers of somebody that get notices, the oldest first.
///
/// # Errors
/// As the store says.
pub async fn devices(q: &mut impl Queries, account: AccountId) -> Result<Vec<Device>> {
    let rows = q
        .query(
            sql!(
                "select id, browser, system, host, created_at, told_at from push_devices
                 where account_id = $1 order by created_at, id"
            ),
            params![account],
        )
        .await?;
    rows.iter().map(device_of).collect()
}

/// The browsers of one account, or of everybody who is not shut out.
pub(in crate::notify) async fn devices_of(
    q: &mut impl Queries,
    account: Option<AccountId>,
) -> Result<Vec<PushDeviceId>> {
    let rows = q
        .query(
            sql!(
                "select d.id from push_devices d
                 join accounts a on a.id = d.account_id
                 where a.disabled_at is null and (cast($1 as text) is null or d.account_id = $1)
                 order by d.id"
            ),
            params![account],
        )
        .await?;
    rows.iter().map(|row| row.get("id")).collect()
}

/// How to reach a browser, and whose it is; none if it is gone, its owner is shut out, or the secret was changed.
pub(in crate::notify) async fn find(
    q: &mut impl Queries,
    keys: &Keys,
    id: PushDeviceId,
) -> Result<Option<(AccountId, Subscription)>> {
    let row = q
        .query_opt(
            sql!(
                "select d.account_id, d.endpoint_digest, d.sealed_endpoint, d.p256dh, d.sealed_auth
                 from push_devices d
                 join accounts a on a.id = d.account_id
                 where d.id = $1 and a.disabled_at is null"
            ),
            params![id],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let (digest, endpoint): (String, String) = (row.get("endpoint_digest")?, row.get("sealed_endpoint")?);
    let (p256dh, auth): (String, String) = (row.get("p256dh")?, row.get("sealed_auth")?);
    let endpoint = keys.unseal(&purpose("endpoint", &digest), &endpoint);
    let auth = keys.unseal(&purpose("auth", &digest), &auth);
    let (Some(endpoint), Some(auth)) = (endpoint, auth) else { return Ok(None) };
    let subscription: std::result::Result<_, Error> =
        Subscription::parse(endpoint.expose(), &p256dh, auth.expose());
    let account = row.get("account_id")?;
    Ok(subscription.ok().map(|subscription| (account, subscription)))
}

/// Notes that a browser was told something.
pub(in crate::notify) async fn told(db: &Db, id: PushDeviceId, now: Timestamp) -> Result<()> {
    db.execute(sql!("update push_devices set told_at = $2 where id = $1"), params![id, now]).await?;
    Ok(())
}

/// Forgets a browser that its push service does not know any more.
pub(in crate::notify) async fn forget(db: &Db, id: PushDeviceId) -> Result<()> {
    db.execute(sql!("delete from push_devices where id = $1"), params![id]).await?;
    Ok(())
}

/// Takes a browser of somebody out.
///
/// # Errors
/// [`Error::Unknown`] if she has none of this id.
pub async fn remove(tx: &mut Tx, account: AccountId, id: PushDeviceId) -> std::result::Result<(), Error> {
    let gone = tx
        .execute(sql!("delete from push_devices where id = $1 and account_id = $2"), params![id, account])
        .await?;
    if gone == 1 { Ok(()) } else { Err(Error::Unknown) }
}

pub(super) async fn forget_endpoint(tx: &mut Tx, account: AccountId, digest: &str) -> Result<()> {
    tx.execute(
        sql!("delete from push_devices where endpoint_digest = $1 and account_id = $2"),
        params![digest, account],
    )
    .await?;
    Ok(())
}

/// Takes out the browsers of a session that has ended by its owner's will.
///
/// # Errors
/// As the store says.
pub async fn forget_session(tx: &mut Tx, session_hash: &str) -> Result<()> {
    tx.execute(sql!("delete from push_devices where session_hash = $1"), params![session_hash]).await?;
    Ok(())
}

pub(super) async fn forget_all(tx: &mut Tx) -> Result<u64> {
    tx.execute(sql!("delete from push_devices"), params![]).await
}
