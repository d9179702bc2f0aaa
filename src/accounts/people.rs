//! Who is let in: invited, given another role, sent away and taken back. Somebody who can let people in always remains.

use super::{Account, Error, Result, Role, store};
use crate::base::email::Email;
use crate::base::ids::AccountId;
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::storage::db::{Queries, Tx};

/// Longest name, in characters.
const NAME_LENGTH: usize = 80;
/// Whoever may take an administrator away waits for whoever else does.
pub(super) const LOCK: &str = "administrators";

/// Somebody, with what an administrator wants to know of her.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub account: Account,
    /// She has not set a password yet.
    pub is_invited: bool,
    /// When she was last seen, as far as one of her sessions tells.
    pub seen_at: Option<Timestamp>,
}

/// Who is to be invited.
#[derive(Debug, Clone, Copy)]
pub struct Invitation<'a> {
    pub email: &'a str,
    pub name: &'a str,
    pub role: Role,
    pub language: Language,
}

/// Everybody, in order of address.
///
/// # Errors
/// As the store says.
pub async fn members(q: &mut impl Queries) -> Result<Vec<Member>> {
    Ok(store::members(q).await?)
}

/// Makes an account without a password: nobody gets into it before a link has set one.
///
/// # Errors
/// [`Error::InvalidEmail`], [`Error::EmailTaken`].
pub async fn invite(tx: &mut Tx, who: &Invitation<'_>, now: Timestamp) -> Result<Account> {
    let email = Email::parse(who.email)?;
    if store::find_by_email(tx, &email).await?.is_some() {
        return Err(Error::EmailTaken(email.to_string()));
    }
    let name: String = who.name.trim().chars().filter(|c| !c.is_control()).take(NAME_LENGTH).collect();
    let account = Account {
        id: AccountId::new(),
        name: Some(name).filter(|name| !name.is_empty()).unwrap_or_else(|| email.to_string()),
        email,
        role: who.role,
        language: who.language,
        created_at: now,
        disabled_at: None,
        second_factor_since: None,
    };
    store::insert(tx, &account, "").await?;
    Ok(account)
}

async fn known(tx: &mut Tx, id: AccountId) -> Result<Account> {
    store::find(tx, id).await?.ok_or_else(|| Error::Unknown(id.to_string()))
}

/// Makes sure that somebody could still let people in if this account could not. Two who do this to one another wait.
async fn is_spared(tx: &mut Tx, account: &Account) -> Result<()> {
    tx.lock(LOCK).await?;
    let is_admin = account.role == Role::Admin && account.disabled_at.is_none();
    if is_admin && store::other_admins(tx, account.id).await? == 0 {
        return Err(Error::LastAdmin);
    }
    Ok(())
}

/// Gives somebody another role; it holds from her next request on.
///
/// # Errors
/// [`Error::Unknown`], [`Error::LastAdmin`].
pub async fn change_role(tx: &mut Tx, id: AccountId, role: Role) -> Result<Account> {
    let account = known(tx, id).await?;
    if role != Role::Admin {
        is_spared(tx, &account).await?;
    }
    store::set_role(tx, id, role).await?;
    Ok(Account { role, ..account })
}

/// Lets somebody in no longer, and ends her sessions.
///
/// # Errors
/// [`Error::Unknown`], [`Error::LastAdmin`].
pub async fn send_away(tx: &mut Tx, id: AccountId, now: Timestamp) -> Result<Account> {
    let account = known(tx, id).await?;
    is_spared(tx, &account).await?;
    store::disable(tx, id, now).await?;
    store::end_sessions(tx, id).await?;
    Ok(account)
}

/// Lets somebody in again who was sent away.
///
/// # Errors
/// [`Error::Unknown`].
pub async fn take_back(tx: &mut Tx, id: AccountId) -> Result<Account> {
    let account = known(tx, id).await?;
    store::enable(tx, id).await?;
    Ok(Account { disabled_at: None, ..account })
}
