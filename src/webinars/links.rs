//! The signed links of webinars: an invitation, a place, a recording.

use super::{Definition, Error, Recording, Webinar};
use crate::base::ids::ContactId;
use crate::base::signing::{Claims, Keys, Purpose};
use crate::base::time::{DAY_MS, Timestamp};
use crate::gates::{self, unlock::as_mailed};
use crate::storage::db::Queries;

/// How long a link to a recording is good: long enough to watch it with pauses.
const RECORDING_MS: i64 = DAY_MS;

/// How long after the webinar an invitation still leads to its page.
const INVITATION_MS: i64 = 30 * DAY_MS;

/// The token of a link that plays a recording.
pub fn recording_link(
    keys: &Keys,
    recording: &Recording,
    contact: Option<ContactId>,
    now: Timestamp,
) -> String {
    let mut claims = Keys::claims(recording.id.clone(), now, now.plus_ms(RECORDING_MS));
    claims.contact = contact.map(|contact| contact.to_string());
    keys.sign(Purpose::Recording, &claims)
}

/// The recording that a token plays, and what the link says. With a pass from before it plays on after the link has run
/// out.
///
/// # Errors
/// [`Error::LinkUnknown`]; as [`gates::verify`].
pub async fn play<'a>(
    q: &mut impl Queries,
    webinars: &'a Definition,
    keys: &Keys,
    token: &str,
    pass: Option<&str>,
    now: Timestamp,
) -> Result<(&'a Recording, Claims), Error> {
    let claims = gates::verify(q, keys, Purpose::Recording, token, pass, now).await?;
    let (_, recording) = webinars.recording(&claims.subject).ok_or(Error::LinkUnknown)?;
    Ok((recording, claims))
}

/// The token of the page on which one gives one's place back.
pub fn place_link(keys: &Keys, webinar: &Webinar, contact: ContactId, now: Timestamp) -> String {
    let mut claims = Keys::claims(webinar.id.clone(), now, webinar.ends_at());
    claims.contact = Some(contact.to_string());
    keys.sign(Purpose::Place, &claims)
}

/// Whose place in this webinar a token is about.
///
/// # Errors
/// [`Error::LinkUnknown`] for one in another webinar too, [`Error::LinkExpired`].
pub fn place_of(keys: &Keys, webinar: &Webinar, token: &str, now: Timestamp) -> Result<ContactId, Error> {
    let claims = keys.verify(Purpose::Place, token, now)?;
    match gates::unlock::contact_of(&claims) {
        Some(contact) if claims.subject == webinar.id => Ok(contact),
        Some(_) | None => Err(Error::LinkUnknown),
    }
}

/// The token of a mailed invitation: one click registers, no address is asked for.
pub fn invitation(keys: &Keys, webinar: &Webinar, contact: ContactId, now: Timestamp) -> String {
    let claims = Keys::claims(webinar.id.clone(), now, webinar.ends_at().plus_ms(INVITATION_MS));
    keys.sign(Purpose::Webinar, &as_mailed(keys, claims, contact, None))
}

/// Whom an invitation to this webinar was made for.
///
/// # Errors
/// [`Error::LinkUnknown`] for one to another webinar too, [`Error::LinkExpired`].
pub fn invited(
    keys: &Keys,
    webinar: &Webinar,
    token: &str,
    now: Timestamp,
) -> Result<(ContactId, Claims), Error> {
    let claims = keys.verify(Purpose::Webinar, token, now)?;
    let contact = claims.contact.as_deref().and_then(|text| ContactId::parse(text).ok());
    match contact {
        Some(contact) if claims.subject == webinar.id => Ok((contact, claims)),
        Some(_) | None => Err(Error::LinkUnknown),
    }
}
