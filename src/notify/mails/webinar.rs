//! Invitations, registrations, and the recording for those who were not there.

use serde_json::{Value as Json, json};

use super::{Draft, Kind, Mail, Reader, ready};
use crate::base::ids::ContactId;
use crate::base::language::Language;
use crate::base::signing::{Keys, Purpose};
use crate::base::time::{DAY_MS, SECOND_MS, Timestamp};
use crate::contacts;
use crate::notify::{Desk, Error, Why};
use crate::privacy;
use crate::webinars::{self, Registration, State, Webinar};

/// A link out must work for as long as the mail may lie in an inbox.
const OBJECTION_MS: i64 = 730 * DAY_MS;

fn told(webinar: &Webinar, language: Language) -> Json {
    json!({
        "id": webinar.id,
        "title": webinar.title.get(language),
        "summary": webinar.description.get(language),
        "host": webinar.host.get(language),
        "starts_at": webinar.starts_at,
        "duration_ms": webinar.duration_ms,
    })
}

async fn registration(desk: &Desk, webinar: &str, contact: ContactId) -> Result<Option<Registration>, Error> {
    let registration = webinars::registration(&mut desk.stores.db.read(), webinar, contact).await;
    registration.map_err(|error| Error::Unwritable(error.to_string()))
}

/// Whether a contact is in this state and is the one who is told so: of two that are one person only one is.
async fn is_in(desk: &Desk, webinar: &str, contact: ContactId, state: State) -> Result<bool, Error> {
    let known = registration(desk, webinar, contact).await?;
    Ok(known.is_some_and(|known| known.state == state && known.contact == contact))
}

pub(super) async fn invitation(
    desk: &Desk,
    mail: &Mail,
    contact: ContactId,
    id: &str,
    now: Timestamp,
) -> Result<Draft, Error> {
    let (Some(reader), Some(webinar)) = (Reader::of(desk, contact).await?, desk.webinars.find(id)) else {
        return Ok(Draft::CHANGED);
    };
    let (reads, email) = (&mut desk.stores.db.read(), &reader.contact.email);
    let refused = privacy::refuses_invitations(reads, &desk.keys, contact, email).await;
    let is_unwanted = refused.map_err(|error| Error::Unwritable(error.to_string()))?;
    if is_unwanted || webinar.starts_at <= now || registration(desk, id, contact).await?.is_some() {
        return Ok(Draft::CHANGED);
    }
    let read = desk
        .rules
        .invitations
        .iter()
        .find(|invitation| invitation.webinar == id)
        .and_then(|invitation| desk.catalog.form(&invitation.form).ok())
        .and_then(|form| desk.catalog.delivered_by(form))
        .map(|asset| asset.title.get(reader.language()).to_owned());
    let mut objection = Keys::claims(contacts::INVITATIONS, now, now.plus_ms(OBJECTION_MS));
    objection.contact = Some(contact.to_string());
    let objection = desk.keys.sign(Purpose::Objection, &objection);
    let token = webinars::invitation(&desk.keys, webinar, contact, now);
    let tells = json!({
        "first_name": reader.contact.first_name,
        "read": read,
        "webinar": told(webinar, reader.language()),
        "link": desk.link(&format!("/w/{id}?t={token}&lang={}", reader.language().code())),
        "unsubscribe": desk.link(&format!("/u/{objection}?lang={}", reader.language().code())),
    });
    let kind = Kind::Letter { topic: None, may_be_prompt: true };
    ready(desk, mail, &reader, kind, now, tells, None)
}

pub(super) async fn registered(
    desk: &Desk,
    mail: &Mail,
    contact: ContactId,
    id: &str,
    now: Timestamp,
) -> Result<Draft, Error> {
    to_registrant(desk, mail, contact, id, None, true, now).await
}

/// A reminder of a webinar that was moved or called off since is not wanted any more.
pub(super) async fn reminder(
    desk: &Desk,
    mail: &Mail,
    contact: ContactId,
    id: &str,
    (sequence, nearer_ms): (i64, Option<i64>),
    now: Timestamp,
) -> Result<Draft, Error> {
    let begins = desk.webinars.find(id).map(|webinar| webinar.starts_at);
    // After the server, or the mail server, was away for long a nearer one says the same.
    let is_said_by_a_later =
        begins.zip(nearer_ms).is_some_and(|(begins, nearer_ms)| begins.plus_ms(-nearer_ms) <= now);
    if is_said_by_a_later {
        return Ok(Draft::Unwanted(Why::LATER_REMINDER));
    }
    to_registrant(desk, mail, contact, id, Some(sequence), false, now).await
}

pub(super) async fn moved(
    desk: &Desk,
    mail: &Mail,
    contact: ContactId,
    id: &str,
    sequence: i64,
    now: Timestamp,
) -> Result<Draft, Error> {
    to_registrant(desk, mail, contact, id, Some(sequence), true, now).await
}

/// What somebody gets who has a place: the way in, and the way to give the place back.
async fn to_registrant(
    desk: &Desk,
    mail: &Mail,
    contact: ContactId,
    id: &str,
    sequence: Option<i64>,
    has_entry: bool,
    now: Timestamp,
) -> Result<Draft, Error> {
    let (Some(reader), Some(webinar)) = (Reader::of(desk, contact).await?, desk.webinars.find(id)) else {
        return Ok(Draft::CHANGED);
    };
    let dates = webinars::dates(&mut desk.stores.db.read(), webinar).await?;
    let is_outdated = sequence.is_some_and(|sequence| sequence != dates.sequence);
    let is_over = sequence.is_some() && now >= webinar.starts_at;
    if is_outdated || is_over || !is_in(desk, id, contact, State::Registered).await? {
        return Ok(Draft::CHANGED);
    }
    let language = reader.language();
    let own = desk.link(&format!("/w/{id}?lang={}", language.code()));
    let link = webinar.join_url.clone().unwrap_or(own);
    let place = webinars::place_link(&desk.keys, webinar, contact, now);
    let entry = || ("PUBLISH", webinars::calendar_file(webinar, &dates, language, now));
    let tells = json!({
        "webinar": told(webinar, language),
        "link": link,
        "cancel": desk.link(&format!("/w/{id}/place/{place}?lang={}", language.code())),
    });
    ready(desk, mail, &reader, Kind::Answer, now, tells, has_entry.then(entry))
}

/// Her place is free again, or there is nothing to come to.
pub(super) async fn cancelled(
    desk: &Desk,
    mail: &Mail,
    contact: ContactId,
    id: &str,
    by_us: bool,
    now: Timestamp,
) -> Result<Draft, Error> {
    let (Some(reader), Some(webinar)) = (Reader::of(desk, contact).await?, desk.webinars.find(id)) else {
        return Ok(Draft::CHANGED);
    };
    // Who has changed her mind again since has a place.
    if registration(desk, id, contact).await?.is_none_or(|known| known.state != State::Cancelled) {
        return Ok(Draft::CHANGED);
    }
    let dates = webinars::dates(&mut desk.stores.db.read(), webinar).await?;
    let language = reader.language();
    let tells = json!({
        "webinar": told(webinar, language),
        "by_us": by_us,
        "reason": dates.reason.as_deref().filter(|_| by_us),
        "link": if by_us { reader.site.get("home").cloned() } else {
            Some(json!(desk.link(&format!("/w/{id}?lang={}", language.code()))))
        },
    });
    let entry = ("CANCEL", webinars::calendar_cancelled(webinar, &dates, language, now));
    ready(desk, mail, &reader, Kind::Answer, now, tells, Some(entry))
}

pub(super) async fn missed(
    desk: &Desk,
    mail: &Mail,
    contact: ContactId,
    id: &str,
    now: Timestamp,
) -> Result<Draft, Error> {
    let (Some(reader), Some(webinar)) = (Reader::of(desk, contact).await?, desk.webinars.find(id)) else {
        return Ok(Draft::CHANGED);
    };
    let Some(recording) = webinar.recording_for(&reader.contact.stage) else {
        return Ok(if webinar.recordings.is_empty() {
            Draft::CHANGED
        } else {
            Draft::Unwanted(Why::UNSUITED)
        });
    };
    if !is_in(desk, id, contact, State::NoShow).await? {
        return Ok(Draft::CHANGED);
    }
    #[allow(clippy::cast_possible_truncation, reason = "a recording's seconds are few")]
    let duration_ms = recording.duration_s.round() as i64 * SECOND_MS;
    let language = reader.language();
    let token = webinars::watch_link(&desk.keys, webinar, contact, now);
    let tells = json!({
        "first_name": reader.contact.first_name,
        "webinar": told(webinar, language),
        "recording": { "duration_ms": duration_ms },
        "link": desk.link(&format!("/watch/{token}?lang={}", language.code())),
    });
    ready(desk, mail, &reader, Kind::Answer, now, tells, None)
}
