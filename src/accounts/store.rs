//! The tables of accounts and their sessions.

use super::{Account, Role, Session};
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
                "select id, email, name, role, language, created_at, disabled_at from accounts where id = $1"
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
                "select id, email, name, role, language, created_at, disabled_at, password_hash
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
                "select id, email, name, role, language, created_at, disabled_at from accounts order by email"
            ),
            params![],
        )
        .await?;
    rows.iter().map(account_of).collect()
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
                "select a.id, a.email, a.name, a.role, a.language, a.created_at, a.disabled_at,
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
    id_hash: &str,
    account: AccountId,
    csrf: &str,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into account_sessions (id_hash, account_id, csrf, created_at, last_seen_at, expires_at)
             values ($1, $2, $3, $4, $4, $5)"
        ),
        params![id_hash, account, csrf, now, expires_at],
    )
    .await?;
    Ok(())
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
