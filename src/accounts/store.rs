//! The tables of accounts, their sessions, second factors and keys.

mod api_keys;
mod factor;

pub(super) use api_keys::*;
pub(super) use factor::*;

use super::{Account, Device, Member, Origin, Role, Session};
use crate::base::email::Email;
use crate::base::ids::AccountId;
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::storage::db::{Queries, Row, Tx};
use crate::storage::{Error, Result};
use crate::{params, sql};

fn account_of(row: &Row) -> Result<Account> {
    let email: String = row.get("email")?;
    let role: String = row.get("role")?;
    let wrong = |column: &str, wanted| Error::Shape { column: column.to_owned(), wanted };
    Ok(Account {
        id: row.get("id")?,
        email: Email::parse(&email).map_err(|_| wrong("email", "an e-mail address"))?,
        name: row.get("name")?,
        role: Role::of_word(&role).ok_or_else(|| wrong("role", "a role"))?,
        language: row.get("language")?,
        created_at: row.get("created_at")?,
        disabled_at: row.get("disabled_at")?,
        second_factor_since: row.get("totp_since")?,
    })
}

/// The account of this id.
///
/// # Errors
/// As the store says.
pub async fn find(q: &mut impl Queries, id: AccountId) -> Result<Option<Account>> {
    let row = q
        .query_opt(
            sql!(
                "select id, email, name, role, language, created_at, disabled_at, totp_since from accounts where id = $1"
            ),
            params![id],
        )
        .await?;
    row.as_ref().map(account_of).transpose()
}

/// The account of this address.
///
/// # Errors
/// As the store says.
pub async fn find_by_email(q: &mut impl Queries, email: &Email) -> Result<Option<Account>> {
    Ok(with_hash(q, email).await?.map(|(account, _)| account))
}

/// The account of this address with its password's hash.
pub(super) async fn with_hash(q: &mut impl Queries, email: &Email) -> Result<Option<(Account, String)>> {
    let row = q
        .query_opt(
            sql!(
                "select id, email, name, role, language, created_at, disabled_at, totp_since, password_hash
                 from accounts where email = $1"
            ),
            params![email.as_str()],
        )
        .await?;
    row.map(|row| Ok((account_of(&row)?, row.get("password_hash")?))).transpose()
}

/// Every account, in order of address.
///
/// # Errors
/// As the store says.
pub async fn list(q: &mut impl Queries) -> Result<Vec<Account>> {
    let rows = q
        .query(
            sql!(
                "select id, email, name, role, language, created_at, disabled_at, totp_since from accounts order by email"
            ),
            params![],
        )
        .await?;
    rows.iter().map(account_of).collect()
}

/// Whether there is any account, open or closed.
pub(super) async fn any(q: &mut impl Queries) -> Result<bool> {
    Ok(q.query_opt(sql!("select 1 as there from accounts limit 1"), params![]).await?.is_some())
}

pub(super) async fn insert(tx: &mut Tx, account: &Account, hash: &str) -> Result<()> {
    tx.execute(
        sql!(
            "insert into accounts (id, email, name, role, password_hash, language, created_at)
             values ($1, $2, $3, $4, $5, $6, $7)"
        ),
        params![
            account.id,
            account.email.as_str(),
            &account.name,
            account.role.word(),
            hash,
            account.language,
            account.created_at,
        ],
    )
    .await?;
    Ok(())
}

pub(super) async fn disable(tx: &mut Tx, id: AccountId, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!("update accounts set disabled_at = $2 where id = $1 and disabled_at is null"),
        params![id, now],
    )
    .await?;
    Ok(())
}

pub(super) async fn set_language(tx: &mut Tx, id: AccountId, language: Language) -> Result<()> {
    tx.execute(sql!("update accounts set language = $2 where id = $1"), params![id, language]).await?;
    Ok(())
}

/// A session as it stands in the table.
pub(super) struct Found {
    pub session: Session,
    pub last_seen_at: Timestamp,
    pub expires_at: Timestamp,
}

pub(super) async fn session(q: &mut impl Queries, id_hash: &str) -> Result<Option<Found>> {
    let row = q
        .query_opt(
            sql!(
                "select a.id, a.email, a.name, a.role, a.language, a.created_at, a.disabled_at, a.totp_since,
                     s.csrf, s.last_seen_at, s.expires_at
                 from account_sessions s join accounts a on a.id = s.account_id
                 where s.id_hash = $1"
            ),
            params![id_hash],
        )
        .await?;
    row.map(|row| {
        Ok(Found {
            session: Session { account: account_of(&row)?, csrf: row.get("csrf")? },
            last_seen_at: row.get("last_seen_at")?,
            expires_at: row.get("expires_at")?,
        })
    })
    .transpose()
}

pub(super) async fn open_session(
    tx: &mut Tx,
    (id_hash, csrf): (&str, &str),
    account: AccountId,
    from: &Origin<'_>,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into account_sessions (id_hash, account_id, csrf, created_at, last_seen_at, expires_at,
                 network, browser, system)
             values ($1, $2, $3, $4, $4, $5, $6, $7, $8)"
        ),
        params![id_hash, account, csrf, now, expires_at, from.network, from.browser, from.system],
    )
    .await?;
    Ok(())
}

/// The sessions of an account that are open, the latest used first.
pub(super) async fn devices(
    q: &mut impl Queries,
    account: AccountId,
    now: Timestamp,
    idle_since: Timestamp,
) -> Result<Vec<Device>> {
    let rows = q
        .query(
            sql!(
                "select id_hash, created_at, last_seen_at, network, browser, system from account_sessions
                 where account_id = $1 and expires_at > $2 and last_seen_at >= $3
                 order by last_seen_at desc, id_hash"
            ),
            params![account, now, idle_since],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Device {
                id: row.get("id_hash")?,
                since: row.get("created_at")?,
                last_seen_at: row.get("last_seen_at")?,
                network: row.get("network")?,
                browser: row.get("browser")?,
                system: row.get("system")?,
            })
        })
        .collect()
}

/// Ends one session of an account; returns whether there was one.
pub(super) async fn end_session_of(tx: &mut Tx, account: AccountId, id_hash: &str) -> Result<bool> {
    let ended = tx
        .execute(
            sql!("delete from account_sessions where account_id = $1 and id_hash = $2"),
            params![account, id_hash],
        )
        .await?;
    Ok(ended > 0)
}

/// Ends all sessions of an account but one.
pub(super) async fn end_other_sessions(tx: &mut Tx, account: AccountId, kept: &str) -> Result<u64> {
    tx.execute(
        sql!("delete from account_sessions where account_id = $1 and id_hash <> $2"),
        params![account, kept],
    )
    .await
}

/// The account of this id with its password's hash.
pub(super) async fn with_hash_of(q: &mut impl Queries, id: AccountId) -> Result<Option<(Account, String)>> {
    let row = q
        .query_opt(
            sql!(
                "select id, email, name, role, language, created_at, disabled_at, totp_since, password_hash
                 from accounts where id = $1"
            ),
            params![id],
        )
        .await?;
    row.map(|row| Ok((account_of(&row)?, row.get("password_hash")?))).transpose()
}

/// Everybody, with what an administrator wants to know of them.
pub(super) async fn members(q: &mut impl Queries) -> Result<Vec<Member>> {
    let rows = q
        .query(
            sql!(
                "select a.id, a.email, a.name, a.role, a.language, a.created_at, a.disabled_at, a.totp_since,
                     a.password_hash,
                     (select max(s.last_seen_at) from account_sessions s where s.account_id = a.id) as seen_at
                 from accounts a order by a.email"
            ),
            params![],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let hash: String = row.get("password_hash")?;
            Ok(Member {
                account: account_of(row)?,
                is_invited: hash.is_empty(),
                seen_at: row.get("seen_at")?,
            })
        })
        .collect()
}

/// How many administrators could log in if this account could not.
pub(super) async fn other_admins(q: &mut impl Queries, id: AccountId) -> Result<i64> {
    let row = q
        .query_opt(
            sql!(
                "select count(*) as n from accounts
                 where role = 'admin' and disabled_at is null and password_hash <> '' and id <> $1"
            ),
            params![id],
        )
        .await?;
    row.map_or(Ok(0), |row| row.get("n"))
}

pub(super) async fn set_role(tx: &mut Tx, id: AccountId, role: Role) -> Result<()> {
    tx.execute(sql!("update accounts set role = $2 where id = $1"), params![id, role.word()]).await?;
    Ok(())
}

pub(super) async fn enable(tx: &mut Tx, id: AccountId) -> Result<()> {
    tx.execute(sql!("update accounts set disabled_at = null where id = $1"), params![id]).await?;
    Ok(())
}

/// Replaces a password; returns whether it still was the one that was meant.
pub(super) async fn replace_hash(tx: &mut Tx, id: AccountId, old: &str, new: &str) -> Result<bool> {
    let changed = tx
        .execute(
            sql!("update accounts set password_hash = $3 where id = $1 and password_hash = $2"),
            params![id, old, new],
        )
        .await?;
    Ok(changed > 0)
}

pub(super) async fn touch_session(tx: &mut Tx, id_hash: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!("update account_sessions set last_seen_at = $2 where id_hash = $1"),
        params![id_hash, now],
    )
    .await?;
    Ok(())
}

pub(super) async fn end_session(tx: &mut Tx, id_hash: &str) -> Result<()> {
    tx.execute(sql!("delete from account_sessions where id_hash = $1"), params![id_hash]).await?;
    Ok(())
}

pub(super) async fn end_sessions(tx: &mut Tx, account: AccountId) -> Result<()> {
    tx.execute(sql!("delete from account_sessions where account_id = $1"), params![account]).await?;
    Ok(())
}

/// Removes sessions that nobody can use any more.
pub(super) async fn end_over(tx: &mut Tx, now: Timestamp, idle_since: Timestamp) -> Result<()> {
    tx.execute(
        sql!("delete from account_sessions where expires_at <= $1 or last_seen_at < $2"),
        params![now, idle_since],
    )
    .await?;
    Ok(())
}
