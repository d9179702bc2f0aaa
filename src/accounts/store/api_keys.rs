//! The table of keys for programs.

use crate::accounts::{ApiKey, Scopes};
use crate::base::ids::ApiKeyId;
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::{Queries, Row, Tx};
use crate::{params, sql};

fn key_of(row: &Row) -> Result<ApiKey> {
    let scopes: String = row.get("scopes")?;
    Ok(ApiKey {
        id: row.get("id")?,
        name: row.get("name")?,
        starts_with: row.get("starts_with")?,
        scopes: Scopes::of_words(&scopes),
        account: row.get("account_id")?,
        created_by: row.get("created_by")?,
        is_closed: row.get::<Option<Timestamp>>("disabled_at")?.is_some(),
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
        last_used_at: row.get("last_used_at")?,
        revoked_at: row.get("revoked_at")?,
    })
}

pub(in crate::accounts) async fn insert_key(tx: &mut Tx, key: &ApiKey, digest: &str) -> Result<()> {
    tx.execute(
        sql!(
            "insert into api_keys (id, name, starts_with, digest, scopes, created_by, created_at, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8)"
        ),
        params![
            key.id,
            key.name.as_str(),
            key.starts_with.as_str(),
            digest,
            key.scopes.words(),
            key.account,
            key.created_at,
            key.expires_at,
        ],
    )
    .await?;
    Ok(())
}

/// All keys, the latest first; revoked ones last.
pub(in crate::accounts) async fn keys(q: &mut impl Queries) -> Result<Vec<ApiKey>> {
    let rows = q
        .query(
            sql!(
                "select k.id, k.name, k.starts_with, k.scopes, k.created_by as account_id, a.name as created_by,
                     a.disabled_at, k.created_at, k.expires_at, k.last_used_at, k.revoked_at
                 from api_keys k left join accounts a on a.id = k.created_by
                 order by case when k.revoked_at is null then 0 else 1 end, k.created_at desc, k.id desc"
            ),
            params![],
        )
        .await?;
    rows.iter().map(key_of).collect()
}

/// The key with this digest.
pub(in crate::accounts) async fn key_by_digest(q: &mut impl Queries, digest: &str) -> Result<Option<ApiKey>> {
    let row = q
        .query_opt(
            sql!(
                "select k.id, k.name, k.starts_with, k.scopes, k.created_by as account_id, a.name as created_by,
                     a.disabled_at, k.created_at, k.expires_at, k.last_used_at, k.revoked_at
                 from api_keys k left join accounts a on a.id = k.created_by
                 where k.digest = $1"
            ),
            params![digest],
        )
        .await?;
    row.as_ref().map(key_of).transpose()
}

pub(in crate::accounts) async fn touch_key(tx: &mut Tx, id: ApiKeyId, now: Timestamp) -> Result<()> {
    tx.execute(sql!("update api_keys set last_used_at = $2 where id = $1"), params![id, now]).await?;
    Ok(())
}

/// Ends a key; returns its name, or none if there is no such key that works.
pub(in crate::accounts) async fn revoke_key(
    tx: &mut Tx,
    id: ApiKeyId,
    now: Timestamp,
) -> Result<Option<String>> {
    let row = tx
        .query_opt(
            sql!("update api_keys set revoked_at = $2 where id = $1 and revoked_at is null returning name"),
            params![id, now],
        )
        .await?;
    row.map(|row| row.get("name")).transpose()
}
