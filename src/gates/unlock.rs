//! Signed links: what they open, and what opening them proves.
//!
//! A link is bound to its purpose, its file, its contact and a time. Two kinds are told apart: an *inline* link is handed
//! to whoever sent the form and proves nothing; a *mailed* link proves that somebody reads the mailbox, and carries the
//! device that asked for it. Only a mailed link can raise trust, and only on a device that is the contact's already.

use serde_json::json;

use super::{Asset, Catalog, Error, store};
use crate::base::ids::{ContactId, VisitorId};
use crate::base::signing::{Claims, Keys, Purpose, TokenError};
use crate::base::time::{HOUR_MS, Timestamp};
use crate::contacts::{self, Trust};
use crate::stages;
use crate::storage::db::{Queries, Tx};

/// What a mailed link says about its device when it was not asked for on one (an invitation).
const NO_DEVICE: &str = "-";

/// The links that we mail and that `confirm` understands.
const MAILED: [Purpose; 4] = [Purpose::Asset, Purpose::Webinar, Purpose::Booking, Purpose::Recording];

/// A link that holds.
#[derive(Debug, Clone)]
pub struct Unlocked<'a> {
    /// The file.
    pub asset: &'a Asset,
    /// For whom the link was made.
    pub contact: ContactId,
    /// Until when it holds.
    pub expires: Timestamp,
    /// What revokes it.
    pub nonce: String,
}

/// The token that the answer to a form holds.
pub fn inline_link(keys: &Keys, asset: &Asset, contact: ContactId, now: Timestamp) -> String {
    let mut claims = Keys::claims(asset.id.clone(), now, now.plus_ms(asset.valid_ms));
    claims.contact = Some(contact.to_string());
    keys.sign(Purpose::Asset, &claims)
}

/// The token that a mail holds; `visitor` is the device that asked for it.
pub fn mailed_link(
    keys: &Keys,
    asset: &Asset,
    contact: ContactId,
    visitor: Option<VisitorId>,
    now: Timestamp,
) -> String {
    let claims = Keys::claims(asset.id.clone(), now, now.plus_ms(asset.valid_ms));
    keys.sign(Purpose::Asset, &as_mailed(claims, contact, visitor))
}

/// Makes claims those of a mailed link: for this contact, asked for on this device.
#[must_use]
pub fn as_mailed(mut claims: Claims, contact: ContactId, visitor: Option<VisitorId>) -> Claims {
    claims.contact = Some(contact.to_string());
    claims.visitor = Some(visitor.map_or_else(|| NO_DEVICE.to_owned(), |visitor| visitor.to_string()));
    claims
}

/// Reads the token of a link to a file.
///
/// # Errors
/// [`Error::LinkUnknown`] for what was forged or is meant for something else, [`Error::LinkExpired`],
/// [`Error::LinkRevoked`].
pub async fn unlock<'a>(
    q: &mut impl Queries,
    keys: &Keys,
    catalog: &'a Catalog,
    token: &str,
    now: Timestamp,
) -> Result<Unlocked<'a>, Error> {
    let claims = keys.verify(Purpose::Asset, token, now).map_err(|error| match error {
        TokenError::Forged => Error::LinkUnknown,
        TokenError::Expired(claims) => Error::LinkExpired(claims),
    })?;
    let contact = contact_of(&claims).ok_or(Error::LinkUnknown)?;
    let asset = catalog.asset(&claims.subject).ok_or(Error::LinkUnknown)?;
    if store::is_revoked(q, &claims.nonce).await? {
        return Err(Error::LinkRevoked);
    }
    Ok(Unlocked { asset, contact, expires: claims.expires, nonce: claims.nonce })
}

/// Takes a link back.
///
/// # Errors
/// As the store says.
pub async fn revoke(tx: &mut Tx, nonce: &str, now: Timestamp) -> Result<(), Error> {
    Ok(store::revoke(tx, nonce, now).await?)
}

/// Notes that a file was downloaded, once an hour, and runs the lifecycle.
///
/// # Errors
/// As the store says.
pub async fn downloaded(
    tx: &mut Tx,
    lifecycle: &stages::Definition,
    unlocked: &Unlocked<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    let (contact, asset) = (unlocked.contact, unlocked.asset.id.as_str());
    tx.lock(&format!("contact:{contact}")).await?;
    let kind = "asset.downloaded";
    if store::did_since(tx, contact, kind, asset, now.plus_ms(-HOUR_MS)).await? {
        return Ok(());
    }
    let props = json!({"kind": unlocked.asset.kind});
    contacts::record(tx, Some(contact), None, kind, Some(asset), props, now).await?;
    stages::evaluate(tx, lifecycle, contact, now).await?;
    Ok(())
}

/// A mailed link was opened on a device: how sure may we be now that its holder is the contact?
///
/// On the device that asked for the link the contact is confirmed; on another device that is hers the click counts; a
/// device of nobody's or of somebody else's is not bound, and an inline link proves nothing.
///
/// # Errors
/// [`Error::LinkUnknown`], [`Error::LinkExpired`], [`Error::LinkRevoked`].
pub async fn confirm(
    tx: &mut Tx,
    keys: &Keys,
    token: &str,
    visitor: VisitorId,
    now: Timestamp,
) -> Result<Option<Trust>, Error> {
    let claims = MAILED
        .into_iter()
        .find_map(|purpose| match keys.verify(purpose, token, now) {
            Ok(claims) => Some(Ok(claims)),
            Err(TokenError::Expired(claims)) => Some(Err(Error::LinkExpired(claims))),
            Err(TokenError::Forged) => None,
        })
        .unwrap_or(Err(Error::LinkUnknown))?;
    let contact = contact_of(&claims).ok_or(Error::LinkUnknown)?;
    if store::is_revoked(tx, &claims.nonce).await? {
        return Err(Error::LinkRevoked);
    }
    let Some(asked_on) = claims.visitor else { return Ok(None) };
    let trust = if asked_on == visitor.to_string() { Trust::Confirmed } else { Trust::Clicked };
    Ok(contacts::raise_trust(tx, visitor, contact, trust, now).await?)
}

/// The contact that a link was made for.
pub fn contact_of(claims: &Claims) -> Option<ContactId> {
    claims.contact.as_deref().and_then(|text| ContactId::parse(text).ok())
}
