//! The signed links of webinars: an invitation, a place, a recording.

use super::{Definition, Error, Recording, Webinar};
use crate::base::ids::ContactId;
use crate::base::signing::{Claims, Keys, Purpose};
use crate::base::time::{DAY_MS, Timestamp};
use crate::contacts;
use crate::gates::{self, unlock::as_mailed};
use crate::storage::db::Queries;

/// How long a link to a recording is good: long enough to watch it with pauses.
const RECORDING_MS: i64 = DAY_MS;

/// How long the mail with the page of the recordings may lie in an inbox.
const WATCH_MS: i64 = 180 * DAY_MS;

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

/// The token of the page that shows a webinar's recordings to a contact.
pub fn watch_link(keys: &Keys, webinar: &Webinar, contact: ContactId, now: Timestamp) -> String {
    let claims = Keys::claims(webinar.id.clone(), now, now.plus_ms(WATCH_MS));
    keys.sign(Purpose::Watch, &as_mailed(keys, claims, contact, None))
}

/// What a page of recordings shows.
#[derive(Debug)]
pub struct Showing<'a> {
    /// The webinar.
    pub webinar: &'a Webinar,
    /// For whom the link was made.
    pub contact: ContactId,
    /// Its recordings that are meant for her, the short one first; those that were taken back since are not among them.
    pub recordings: Vec<&'a Recording>,
}

/// Whose page of recordings a token is, and of which webinar.
///
/// # Errors
/// [`Error::LinkUnknown`]; as [`gates::verify`]; [`gates::Error::LinkRevoked`] when every recording was taken back.
pub async fn showing<'a>(
    q: &mut impl Queries,
    webinars: &'a Definition,
    keys: &Keys,
    token: &str,
    now: Timestamp,
) -> Result<Showing<'a>, Error> {
    let claims = gates::verify(q, keys, Purpose::Watch, token, None, now).await?;
    let webinar = webinars.find(&claims.subject).ok_or(Error::LinkUnknown)?;
    let contact = gates::unlock::contact_of(&claims).ok_or(Error::LinkUnknown)?;
    // Whoever was erased since has no links any more; whoever was merged is somebody else.
    let known = contacts::find(q, contact).await?.ok_or(Error::LinkUnknown)?;
    let mut recordings = Vec::new();
    for recording in webinar.recordings.iter().filter(|recording| recording.suits(&known.stage)) {
        // Links to a recording are taken back by its own name.
        let of_it = Claims { subject: recording.id.clone(), ..claims.clone() };
        if !gates::unlock::revoked(q, &of_it).await? {
            recordings.push(recording);
        }
    }
    if recordings.is_empty() {
        return Err(gates::Error::LinkRevoked(Box::new(claims)).into());
    }
    recordings.sort_by_key(|recording| !recording.is_condensed);
    Ok(Showing { webinar, contact: known.id, recordings })
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
