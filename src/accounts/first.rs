//! The first account of a server that has none: whoever reads what the server prints when it starts is its administrator.
//!
//! The link bears a signed token and nothing is kept for it. It is good as long as there is no account at all, and for a day;
//! the next start prints another one. Without it the page makes no account: an open door would belong to whoever comes first.

use super::{Account, Error, NewAccount, Result, Role, add, people, store};
use crate::base::signing::{Keys, Purpose};
use crate::base::time::{DAY_MS, Timestamp};
use crate::storage::db::{Db, Queries};

/// How long a printed link works.
pub const LINK_MS: i64 = DAY_MS;

/// Whether nobody may enter yet.
///
/// # Errors
/// As the store says.
pub async fn is_awaited(q: &mut impl Queries) -> Result<bool> {
    Ok(!store::any(q).await?)
}

/// The token of a link that makes the first account.
pub fn token(keys: &Keys, now: Timestamp) -> String {
    keys.sign(Purpose::FirstAccount, &Keys::claims("", now, now.plus_ms(LINK_MS)))
}

/// Whether a link would make an account now.
///
/// # Errors
/// [`Error::FirstOver`].
pub async fn open_link(q: &mut impl Queries, keys: &Keys, token: &str, now: Timestamp) -> Result<()> {
    keys.verify(Purpose::FirstAccount, token, now).map_err(|_| Error::FirstOver)?;
    if is_awaited(q).await? { Ok(()) } else { Err(Error::FirstOver) }
}

/// Makes the first account, an administrator's, whatever role `new` names.
///
/// # Errors
/// [`Error::FirstOver`], [`Error::InvalidEmail`], [`Error::PasswordShort`].
pub async fn make(
    db: &Db,
    keys: &Keys,
    token: &str,
    new: &NewAccount<'_>,
    now: Timestamp,
) -> Result<Account> {
    let mut tx = db.begin().await?;
    // Of two who come at once with the same link, the second finds the first.
    tx.lock(people::LOCK).await?;
    open_link(&mut tx, keys, token, now).await?;
    let account = add(&mut tx, &NewAccount { role: Role::Admin, ..new.clone() }, now).await?;
    tx.commit().await?;
    Ok(account)
}
