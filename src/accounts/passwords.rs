//! How a password is set: by its owner who knows the one before, or by a link that was mailed to her.
//!
//! A link bears a digest of the password that it replaces. So it is good for one change, and any other change of the
//! password ends all links that are under way; nothing has to be kept for that.

use subtle::ConstantTimeEq;

use super::{Account, Error, PER_ACCOUNT, Result, SHORTEST_PASSWORD, password, store};
use crate::base::email::Email;
use crate::base::ids::AccountId;
use crate::base::signing::{Keys, Purpose, sha256_hex};
use crate::base::time::{DAY_MS, MINUTE_MS, Timestamp};
use crate::storage::db::{Db, Queries};
use crate::storage::limits::{Limits, Quota};

/// How long whoever was invited has time.
pub const INVITATION_MS: i64 = 7 * DAY_MS;
/// How long a link for a forgotten password works.
pub const RESET_MS: i64 = 30 * MINUTE_MS;
/// How long the second step of a login may take.
const TICKET_MS: i64 = 10 * MINUTE_MS;

/// Links that can be asked for, for one address and from one network.
const LINKS_PER_ADDRESS: Quota = Quota { per_minute: 1, burst: 3 };
const LINKS_PER_NETWORK: Quota = Quota { per_minute: 6, burst: 12 };

/// Binds a token to an account and to the password that it has now.
fn subject(keys: &Keys, id: AccountId, hash: &str) -> String {
    let digest = keys.digest("password of an account", &[&id.to_string(), hash]);
    format!("{id} {}", sha256_hex(digest))
}

/// What goes on to the second step of a login.
pub(super) fn ticket(keys: &Keys, id: AccountId, hash: &str, now: Timestamp) -> String {
    keys.sign(Purpose::SecondStep, &Keys::claims(subject(keys, id, hash), now, now.plus_ms(TICKET_MS)))
}

/// The account that a ticket is of, if the ticket is good and the account open.
pub(super) async fn holder(
    q: &mut impl Queries,
    keys: &Keys,
    ticket: &str,
    now: Timestamp,
) -> Result<Option<Account>> {
    Ok(bearer(q, keys, Purpose::SecondStep, ticket, now).await?.map(|(account, _)| account))
}

async fn bearer(
    q: &mut impl Queries,
    keys: &Keys,
    purpose: Purpose,
    token: &str,
    now: Timestamp,
) -> Result<Option<(Account, String)>> {
    let Ok(claims) = keys.verify(purpose, token, now) else { return Ok(None) };
    let id = claims.subject.split(' ').next().and_then(|id| AccountId::parse(id).ok());
    let Some(id) = id else { return Ok(None) };
    let known = store::with_hash_of(q, id).await?;
    Ok(known.filter(|(account, hash)| {
        let is_same: bool = subject(keys, id, hash).as_bytes().ct_eq(claims.subject.as_bytes()).into();
        is_same && account.disabled_at.is_none()
    }))
}

/// The token of a link that sets the password of an account once, until `expires`; none if the account is closed.
///
/// # Errors
/// As the store says.
pub async fn link(
    q: &mut impl Queries,
    keys: &Keys,
    id: AccountId,
    now: Timestamp,
    expires: Timestamp,
) -> Result<Option<String>> {
    let known = store::with_hash_of(q, id).await?.filter(|(account, _)| account.disabled_at.is_none());
    Ok(known
        .map(|(_, hash)| keys.sign(Purpose::Password, &Keys::claims(subject(keys, id, &hash), now, expires))))
}

/// Whether somebody has not set a password yet.
///
/// # Errors
/// As the store says.
pub async fn is_awaited(q: &mut impl Queries, id: AccountId) -> Result<bool> {
    Ok(store::with_hash_of(q, id).await?.is_some_and(|(_, hash)| hash.is_empty()))
}

/// Whose password a link sets.
///
/// # Errors
/// [`Error::LinkOver`].
pub async fn open_link(db: &Db, keys: &Keys, token: &str, now: Timestamp) -> Result<Account> {
    let found = bearer(&mut db.read(), keys, Purpose::Password, token, now).await?;
    found.map(|(account, _)| account).ok_or(Error::LinkOver)
}

/// Sets the password that a link is for, and ends all sessions of the account.
///
/// # Errors
/// [`Error::LinkOver`], [`Error::PasswordShort`].
pub async fn set_by_link(
    db: &Db,
    keys: &Keys,
    token: &str,
    password: &str,
    now: Timestamp,
) -> Result<Account> {
    let found = bearer(&mut db.read(), keys, Purpose::Password, token, now).await?;
    let (account, old) = found.ok_or(Error::LinkOver)?;
    let new = hashed(password).await?;
    let mut tx = db.begin().await?;
    // Of two who follow the same link at once, one is first.
    if !store::replace_hash(&mut tx, account.id, &old, &new).await? {
        return Err(Error::LinkOver);
    }
    store::end_sessions(&mut tx, account.id).await?;
    tx.commit().await?;
    Ok(account)
}

async fn hashed(password: &str) -> Result<String> {
    if password.chars().count() < SHORTEST_PASSWORD {
        return Err(Error::PasswordShort);
    }
    Ok(password::hash(password.to_owned()).await)
}

/// Makes sure that whoever sits there knows the password of the account.
///
/// # Errors
/// [`Error::PasswordWrong`], [`Error::TooMany`].
pub async fn confirm(
    db: &Db,
    limits: &dyn Limits,
    account: &Account,
    password: &str,
    now: Timestamp,
) -> Result<()> {
    known_hash(db, limits, account, password, now).await.map(drop)
}

async fn known_hash(
    db: &Db,
    limits: &dyn Limits,
    account: &Account,
    password: &str,
    now: Timestamp,
) -> Result<String> {
    limits.check("login_account", account.email.as_str(), PER_ACCOUNT, now).await?;
    let hash = store::with_hash_of(&mut db.read(), account.id).await?.map(|(_, hash)| hash);
    let is_right = password::verify(password.to_owned(), hash.as_ref()).await;
    hash.filter(|_| is_right).ok_or(Error::PasswordWrong)
}

/// Changes a password by the one before, and ends all sessions but that of `token`.
///
/// # Errors
/// [`Error::PasswordWrong`], [`Error::PasswordShort`], [`Error::TooMany`].
pub async fn change(
    db: &Db,
    limits: &dyn Limits,
    account: &Account,
    (old, new): (&str, &str),
    token: &str,
    now: Timestamp,
) -> Result<()> {
    let known = known_hash(db, limits, account, old, now).await?;
    let new = hashed(new).await?;
    let mut tx = db.begin().await?;
    if !store::replace_hash(&mut tx, account.id, &known, &new).await? {
        return Err(Error::PasswordWrong);
    }
    store::end_other_sessions(&mut tx, account.id, &sha256_hex(token)).await?;
    tx.commit().await?;
    Ok(())
}

/// Whose link is to be mailed to whoever says that she has forgotten her password: her account, or for an address that is
/// nobody's an id that is nobody's either, so that the caller does the same work for both. None if it was asked for too
/// often: the answer is the same, and no mail follows.
///
/// # Errors
/// [`Error::TooMany`] for the network.
pub async fn forgotten(
    db: &Db,
    limits: &dyn Limits,
    email: &str,
    network: &str,
    now: Timestamp,
) -> Result<Option<AccountId>> {
    limits.check("forgot_network", network, LINKS_PER_NETWORK, now).await?;
    let Ok(email) = Email::parse(email) else { return Ok(None) };
    if limits.check("forgot_address", email.as_str(), LINKS_PER_ADDRESS, now).await.is_err() {
        return Ok(None);
    }
    let known = store::find_by_email(&mut db.read(), &email).await?;
    Ok(Some(known.map_or_else(AccountId::new, |account| account.id)))
}
