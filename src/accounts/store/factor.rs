//! The second factor of an account, and its recovery codes.

use crate::base::ids::AccountId;
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::{Queries, Tx};
use crate::{params, sql};

/// The sealed secret, and since when it is asked for.
pub(in crate::accounts) async fn totp(
    q: &mut impl Queries,
    id: AccountId,
) -> Result<Option<(String, Option<Timestamp>)>> {
    let row = q
        .query_opt(
            sql!("select totp_sealed, totp_since from accounts where id = $1 and totp_sealed is not null"),
            params![id],
        )
        .await?;
    row.map(|row| Ok((row.get("totp_sealed")?, row.get("totp_since")?))).transpose()
}

/// Keeps a secret that is not asked for yet.
pub(in crate::accounts) async fn begin_totp(tx: &mut Tx, id: AccountId, sealed: &str) -> Result<()> {
    tx.execute(
        sql!("update accounts set totp_sealed = $2, totp_step = 0 where id = $1 and totp_since is null"),
        params![id, sealed],
    )
    .await?;
    Ok(())
}

/// Asks for it from now on; returns whether it was not asked for before.
pub(in crate::accounts) async fn start_totp(tx: &mut Tx, id: AccountId, now: Timestamp) -> Result<bool> {
    let started = tx
        .execute(
            sql!(
                "update accounts set totp_since = $2
                 where id = $1 and totp_sealed is not null and totp_since is null"
            ),
            params![id, now],
        )
        .await?;
    Ok(started > 0)
}

/// Forgets the secret and the recovery codes.
pub(in crate::accounts) async fn end_totp(tx: &mut Tx, id: AccountId) -> Result<()> {
    tx.execute(
        sql!("update accounts set totp_sealed = null, totp_since = null, totp_step = 0 where id = $1"),
        params![id],
    )
    .await?;
    forget_codes(tx, id).await
}

/// Notes that a code of this step was taken; returns false if one of it, or of a later one, was before.
pub(in crate::accounts) async fn take_step(tx: &mut Tx, id: AccountId, step: i64) -> Result<bool> {
    let taken = tx
        .execute(
            sql!("update accounts set totp_step = $2 where id = $1 and totp_step < $2"),
            params![id, step],
        )
        .await?;
    Ok(taken > 0)
}

pub(in crate::accounts) async fn forget_codes(tx: &mut Tx, id: AccountId) -> Result<()> {
    tx.execute(sql!("delete from account_recovery_codes where account_id = $1"), params![id]).await?;
    Ok(())
}

pub(in crate::accounts) async fn keep_code(
    tx: &mut Tx,
    id: AccountId,
    digest: &str,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!("insert into account_recovery_codes (code_digest, account_id, created_at) values ($1, $2, $3)"),
        params![digest, id, now],
    )
    .await?;
    Ok(())
}

/// Spends a recovery code; returns whether it was one that was not spent.
pub(in crate::accounts) async fn spend_code(
    tx: &mut Tx,
    id: AccountId,
    digest: &str,
    now: Timestamp,
) -> Result<bool> {
    let spent = tx
        .execute(
            sql!(
                "update account_recovery_codes set used_at = $3
                 where account_id = $1 and code_digest = $2 and used_at is null"
            ),
            params![id, digest, now],
        )
        .await?;
    Ok(spent > 0)
}

/// How many recovery codes are not spent.
pub(in crate::accounts) async fn codes_left(q: &mut impl Queries, id: AccountId) -> Result<i64> {
    let row = q
        .query_opt(
            sql!(
                "select count(*) as n from account_recovery_codes where account_id = $1 and used_at is null"
            ),
            params![id],
        )
        .await?;
    row.map_or(Ok(0), |row| row.get("n"))
}
