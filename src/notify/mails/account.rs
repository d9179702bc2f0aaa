//! To colleagues: the link with which they set a password.

use serde_json::json;

use super::team::{colleague, to};
use super::{Draft, Mail};
use crate::accounts::passwords::{self, INVITATION_MS, RESET_MS};
use crate::base::ids::AccountId;
use crate::base::time::{MINUTE_MS, Timestamp};
use crate::notify::{Desk, Error, Why};

/// Come in: whoever was invited and has not come yet.
pub(super) async fn invitation(
    desk: &Desk,
    mail: &Mail,
    account: AccountId,
    asked_at: Timestamp,
    now: Timestamp,
) -> Result<Draft, Error> {
    let awaited = passwords::is_awaited(&mut desk.stores.db.read(), account).await;
    if !awaited.map_err(unwritable)? {
        return Ok(Draft::CHANGED);
    }
    link(desk, mail, account, asked_at, asked_at.plus_ms(INVITATION_MS), now).await
}

/// Whoever has forgotten her password, or says so.
pub(super) async fn reset(
    desk: &Desk,
    mail: &Mail,
    account: AccountId,
    asked_at: Timestamp,
    now: Timestamp,
) -> Result<Draft, Error> {
    link(desk, mail, account, asked_at, asked_at.plus_ms(RESET_MS), now).await
}

async fn link(
    desk: &Desk,
    mail: &Mail,
    account: AccountId,
    asked_at: Timestamp,
    expires: Timestamp,
    now: Timestamp,
) -> Result<Draft, Error> {
    let mut q = desk.stores.db.read();
    // The address may have been nobody's: it is asked for all the same, so that nobody learns it by asking.
    let Some(colleague) = colleague(&mut q, account).await? else { return Ok(Draft::CHANGED) };
    if expires <= now {
        return Ok(Draft::Unwanted(Why::LINK_OVER));
    }
    let token = passwords::link(&mut q, &desk.keys, account, asked_at, expires).await.map_err(unwritable)?;
    let Some(token) = token else { return Ok(Draft::CHANGED) };
    let tells = json!({
        "name": colleague.name,
        "email": colleague.email,
        "link": desk.link(&format!("/console/password?token={token}")),
        "minutes": expires.since_ms(now).max(MINUTE_MS).div_euclid(MINUTE_MS),
        "expires_at": expires,
    });
    let mut draft = to(desk, mail, &colleague, tells, now)?;
    if let Draft::Ready(ready) = &mut draft {
        ready.secret = Some(token);
        ready.is_hidden = true;
    }
    Ok(draft)
}

fn unwritable(error: crate::accounts::Error) -> Error {
    match error {
        crate::accounts::Error::Storage(error) => Error::Storage(error),
        error => Error::Unwritable(error.to_string()),
    }
}
