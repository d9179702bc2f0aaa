//! Signed links: what they open, and what opening them proves.
//!
//! A link is bound to its purpose, its file, its contact and a time. Two kinds are told apart: an *inline* link is handed
//! to whoever sent the form and proves nothing; a *mailed* link proves that somebody reads the mailbox, and carries the
//! device that asked for it. Only a mailed link can raise trust, and only on a device that is the contact's already.

use serde::Serialize;
use serde_json::json;

use super::{Asset, Catalog, Error, store};
use crate::base::ids::{ContactId, VisitorId};
use crate::base::signing::{Claims, Keys, Purpose, TokenError};
use crate::base::time::{HOUR_MS, Timestamp};
use crate::contacts::{self, Consent, Contact, Identification, Trust};
use crate::stages;
use crate::storage::db::{Queries, Tx};

/// What a mailed link says about its device when it was not asked for on one (an invitation).
const NO_DEVICE: &str = "-";

/// The links that we mail and that `confirm` understands.
const MAILED: [Purpose; 9] = [
    Purpose::Asset,
    Purpose::Webinar,
    Purpose::Booking,
    Purpose::BookingView,
    Purpose::BookingMove,
    Purpose::BookingCancel,
    Purpose::Recording,
    Purpose::Watch,
    Purpose::Passage,
];

/// How long somebody may take from a mail to the page of the site that it leads to, and to her consent there.
const PASSAGE_MS: i64 = HOUR_MS;

/// The parameter by which a page of the site is told that somebody comes from a mail; the snippet takes it out of the
/// address and tells it to `POST /v1/confirm`.
pub const PASSAGE: &str = "embudo_t";

/// A link that holds.
#[derive(Debug, Clone)]
pub struct Unlocked<'a> {
    /// The file.
    pub asset: &'a Asset,
    /// For whom the link was made.
    pub contact: ContactId,
    /// What the link says.
    pub claims: Claims,
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
    keys.sign(Purpose::Asset, &as_mailed(keys, claims, contact, visitor))
}

/// Makes claims those of a mailed link: for this contact, asked for on this device.
#[must_use]
pub fn as_mailed(keys: &Keys, mut claims: Claims, contact: ContactId, visitor: Option<VisitorId>) -> Claims {
    let device = visitor.map(|visitor| keys.device(&claims.nonce, visitor));
    claims.contact = Some(contact.to_string());
    claims.visitor = Some(device.unwrap_or_else(|| NO_DEVICE.to_owned()));
    claims
}

/// What a page that was opened by a mailed link gives along to a page of the site, which keeps a visitor of its own: there,
/// too, it may be the device that asked. None for a link that proves nothing. It opens nothing, and is soon worthless.
pub fn passage(keys: &Keys, token: &str, now: Timestamp) -> Option<String> {
    let claims = MAILED.into_iter().find_map(|purpose| keys.verify(purpose, token, now).ok())?;
    claims.visitor.is_some().then(|| {
        let expires = claims.expires.min(now.plus_ms(PASSAGE_MS));
        keys.sign(Purpose::Passage, &Claims { expires, ..claims })
    })
}

/// What a link of a letter gives along. Letters are asked for on no device.
pub fn passage_of_letter(keys: &Keys, mail: &str, contact: ContactId, now: Timestamp) -> String {
    let claims = Keys::claims(mail, now, now.plus_ms(PASSAGE_MS));
    keys.sign(Purpose::Passage, &as_mailed(keys, claims, contact, None))
}

/// How long somebody who began to read or to watch may go on, although the link itself has run out.
const PASS_MS: i64 = 12 * HOUR_MS;

/// What a browser keeps from the first time that a link was good: with it a recording can be watched to its end.
pub fn pass(keys: &Keys, claims: &Claims, now: Timestamp) -> String {
    keys.sign(Purpose::Playback, &Keys::claims(claims.nonce.clone(), now, now.plus_ms(PASS_MS)))
}

/// Reads the token of a link, or takes the [`pass`] for it once it has run out.
///
/// # Errors
/// [`Error::LinkUnknown`] for what was forged or is meant for something else, [`Error::LinkExpired`],
/// [`Error::LinkRevoked`].
pub async fn verify(
    q: &mut impl Queries,
    keys: &Keys,
    purpose: Purpose,
    token: &str,
    pass: Option<&str>,
    now: Timestamp,
) -> Result<Claims, Error> {
    let passes = |claims: &Claims| {
        pass.and_then(|pass| keys.verify(Purpose::Playback, pass, now).ok())
            .is_some_and(|pass| pass.subject == claims.nonce)
    };
    let claims = match keys.verify(purpose, token, now) {
        Ok(claims) => claims,
        Err(TokenError::Forged) => return Err(Error::LinkUnknown),
        Err(TokenError::Expired(claims)) if passes(&claims) => *claims,
        Err(TokenError::Expired(claims)) => return Err(Error::LinkExpired(claims)),
    };
    if revoked(q, &claims).await? {
        return Err(Error::LinkRevoked(Box::new(claims)));
    }
    Ok(claims)
}

/// Whether a link was taken back.
///
/// # Errors
/// As the store says.
pub async fn revoked(q: &mut impl Queries, claims: &Claims) -> Result<bool, Error> {
    Ok(store::is_revoked(q, &claims.nonce, contact_of(claims), &claims.subject, claims.issued).await?)
}

/// Reads the token of a link to a file.
///
/// # Errors
/// As [`verify`].
pub async fn unlock<'a>(
    q: &mut impl Queries,
    keys: &Keys,
    catalog: &'a Catalog,
    token: &str,
    pass: Option<&str>,
    now: Timestamp,
) -> Result<Unlocked<'a>, Error> {
    let claims = verify(q, keys, Purpose::Asset, token, pass, now).await?;
    let contact = contact_of(&claims).ok_or(Error::LinkUnknown)?;
    let asset = catalog.asset(&claims.subject).ok_or(Error::LinkUnknown)?;
    Ok(Unlocked { asset, contact, claims })
}

/// Takes a link back.
///
/// # Errors
/// As the store says.
pub async fn revoke(tx: &mut Tx, nonce: &str, now: Timestamp) -> Result<(), Error> {
    Ok(store::revoke(tx, nonce, now).await?)
}

/// Takes back every link that was made until now: of a contact, to a file or recording, or of the one to the other.
///
/// # Errors
/// As the store says.
pub async fn revoke_all(
    tx: &mut Tx,
    contact: Option<ContactId>,
    subject: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    Ok(store::revoke_all(tx, contact, subject, now).await?)
}

/// Who fetched a file, as far as the request tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// A person.
    ByPerson,
    /// Perhaps a machine that looks into mails, and why one thinks so.
    Unsure(&'static str),
}

/// Notes that a file was fetched, once an hour, and runs the lifecycle if a person did it. What is not sure stands in the
/// timeline and counts for nothing.
///
/// # Errors
/// As the store says.
pub async fn downloaded(
    tx: &mut Tx,
    lifecycle: &stages::Definition,
    contact: ContactId,
    asset: &Asset,
    fetched: Fetched,
    now: Timestamp,
) -> Result<(), Error> {
    tx.lock(&format!("contact:{contact}")).await?;
    // Who was erased since, or whose form was set apart, did nothing that anybody could know of.
    if contacts::find(tx, contact).await?.is_none() {
        return Ok(());
    }
    let (kind, props) = match fetched {
        Fetched::ByPerson => ("asset.downloaded", json!({"kind": asset.kind})),
        Fetched::Unsure(why) => {
            ("asset.fetched", json!({"kind": asset.kind, "verdict": "unsure", "reason": why}))
        }
    };
    if store::did_since(tx, contact, kind, &asset.id, now.plus_ms(-HOUR_MS)).await? {
        return Ok(());
    }
    contacts::record(tx, Some(contact), None, kind, Some(&asset.id), props, now).await?;
    if fetched == Fetched::ByPerson {
        stages::evaluate(tx, lifecycle, contact, now).await?;
    }
    Ok(())
}

/// Whether it is she who sits there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Question {
    /// Her address, so that only she recognises it.
    pub who: String,
    /// Stands for her among the answers that a browser remembers; it tells nothing.
    pub mark: String,
}

impl Question {
    fn about(keys: &Keys, contact: &Contact) -> Self {
        let digest = keys.digest("asked whether she is", &[&contact.id.to_string()]);
        let mark = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { who: contact.email.masked(), mark }
    }
}

/// What opening a mailed link on a device came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// The device is the contact's, and how sure that is now.
    Hers(Trust),
    /// The device is nobody's, or somebody else's: it may be asked whether she sits there.
    Asks(Question),
    /// The link proves nothing.
    Nothing,
}

/// The claims of a link that was mailed and still holds; none of one that proves nothing, because it was handed out in a
/// page.
async fn opened(
    q: &mut impl Queries,
    keys: &Keys,
    token: &str,
    now: Timestamp,
) -> Result<(ContactId, Option<Claims>), Error> {
    let claims = MAILED
        .into_iter()
        .find_map(|purpose| match keys.verify(purpose, token, now) {
            Ok(claims) => Some(Ok(claims)),
            Err(TokenError::Expired(claims)) => Some(Err(Error::LinkExpired(claims))),
            Err(TokenError::Forged) => None,
        })
        .unwrap_or(Err(Error::LinkUnknown))?;
    let contact = contact_of(&claims).ok_or(Error::LinkUnknown)?;
    if revoked(q, &claims).await? {
        return Err(Error::LinkRevoked(Box::new(claims)));
    }
    Ok((contact, Some(claims).filter(|claims| claims.visitor.is_some())))
}

/// A mailed link was opened on a device: how sure may we be now that its holder is the contact?
///
/// On the device that asked for the link the contact is confirmed; on another device that is hers the click counts; a
/// device of nobody's or of somebody else's is not bound, and may be asked; an inline link proves nothing.
///
/// # Errors
/// [`Error::LinkUnknown`], [`Error::LinkExpired`], [`Error::LinkRevoked`].
pub async fn confirm(
    tx: &mut Tx,
    keys: &Keys,
    token: &str,
    visitor: VisitorId,
    now: Timestamp,
) -> Result<Opened, Error> {
    let (contact, claims) = opened(tx, keys, token, now).await?;
    let Some(claims) = claims else { return Ok(Opened::Nothing) };
    let is_same = claims.visitor == Some(keys.device(&claims.nonce, visitor));
    let trust = if is_same { Trust::Confirmed } else { Trust::Clicked };
    if let Some(trust) = contacts::raise_trust(tx, visitor, contact, trust, now).await? {
        return Ok(Opened::Hers(trust));
    }
    let known = contacts::find(tx, contact).await?;
    Ok(known.map_or(Opened::Nothing, |known| Opened::Asks(Question::about(keys, &known))))
}

/// What a device is to be asked on which a link was opened; nothing once it is hers, or the link does not hold any more.
///
/// # Errors
/// As the store says.
pub async fn question(
    q: &mut impl Queries,
    keys: &Keys,
    token: &str,
    visitor: VisitorId,
    now: Timestamp,
) -> Result<Option<Question>, Error> {
    let contact = match opened(q, keys, token, now).await {
        Ok((contact, Some(_))) => contact,
        Ok((_, None)) | Err(Error::LinkUnknown | Error::LinkExpired(_) | Error::LinkRevoked(_)) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let Some(known) = contacts::find(q, contact).await? else { return Ok(None) };
    let holder = contacts::holder(q, visitor).await?;
    let is_hers = holder.is_some_and(|(holder, _)| holder.id == known.id);
    Ok((!is_hers).then(|| Question::about(keys, &known)))
}

/// The device on which somebody answers.
#[derive(Debug, Clone, Copy)]
pub struct Device<'a> {
    pub visitor: VisitorId,
    pub consent: Consent,
    pub site: &'a str,
    pub time_zone: Option<&'a str>,
}

/// Somebody answered whether she is the one that a link was mailed to.
///
/// A yes ties the device to her as *clicked*; if it was somebody else's, a new epoch begins. A no begins a new epoch, too,
/// unless the device is known to be another person's: she goes on as whom she is known. Returns the epoch from now on, and
/// the trust in it.
///
/// # Errors
/// [`Error::LinkUnknown`], [`Error::LinkExpired`], [`Error::LinkRevoked`]; `LinkUnknown` also for a link that proves
/// nothing.
pub async fn answered(
    tx: &mut Tx,
    lifecycle: &stages::Definition,
    keys: &Keys,
    token: &str,
    device: &Device<'_>,
    is_she: bool,
    now: Timestamp,
) -> Result<(VisitorId, Trust), Error> {
    let (contact, claims) = opened(tx, keys, token, now).await?;
    let contact =
        contacts::find(tx, contact).await?.filter(|_| claims.is_some()).ok_or(Error::LinkUnknown)?;
    let holder = contacts::holder(tx, device.visitor).await?;
    if !is_she {
        return Ok(match holder {
            Some((other, trust)) if other.id != contact.id => (device.visitor, trust),
            Some(_) | None => (VisitorId::new(), Trust::Anonymous),
        });
    }
    let who = Identification {
        email: &contact.email,
        visitor: Some(device.visitor),
        site: device.site,
        trust: Trust::Clicked,
        consent: device.consent,
        language: contact.language,
        time_zone: device.time_zone,
    };
    let identified = contacts::identify(tx, &who, now).await?;
    let visitor = identified.visitor;
    if holder.is_none_or(|(known, _)| known.id != contact.id) {
        let kind = "identified.link";
        contacts::record(tx, Some(contact.id), Some(visitor), kind, None, json!({}), now).await?;
        stages::evaluate(tx, lifecycle, contact.id, now).await?;
    }
    let trust = contacts::holder(tx, visitor).await?.map_or(Trust::Clicked, |(_, trust)| trust);
    Ok((visitor, trust))
}

/// The contact that a link was made for.
pub fn contact_of(claims: &Claims) -> Option<ContactId> {
    claims.contact.as_deref().and_then(|text| ContactId::parse(text).ok())
}
