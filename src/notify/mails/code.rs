//! What goes to a mailbox to prove whose it is: a code, or the link to the page of preferences.

use serde_json::json;

use super::{Draft, Kind, Mail, Reader, ready};
use crate::base::ids::ContactId;
use crate::base::language::Language;
use crate::base::time::{HOUR_MS, MINUTE_MS, Timestamp};
use crate::contacts::codes;
use crate::notify::{Desk, Error};
use crate::subscriptions;

/// Not written any more once it was used or ran out: a late code would only puzzle her.
pub(super) async fn confirm_code(
    desk: &Desk,
    mail: &Mail,
    contact: ContactId,
    code: &str,
    now: Timestamp,
) -> Result<Draft, Error> {
    let Some(code) = codes::find(&mut desk.stores.db.read(), code).await? else { return Ok(Draft::CHANGED) };
    let Some(mut reader) = Reader::of(desk, contact).await? else { return Ok(Draft::CHANGED) };
    if code.used_at.is_some() || code.expires_at <= now {
        return Ok(Draft::CHANGED);
    }
    // The page's language: what is stored of a person is not hers to choose until she has proved who she is.
    reader.contact.language = code.language;
    let digits = codes::digits(&desk.keys, &code.id);
    let (first, last) = digits.split_at(3);
    let tells = json!({
        "code": format!("{first} {last}"),
        "minutes": code.expires_at.since_ms(now).max(MINUTE_MS).div_euclid(MINUTE_MS),
    });
    ready(desk, mail, &reader, Kind::Answer, now, tells, None)
}

/// The link to the page on which she chooses her letters. It names nobody.
pub(super) async fn preferences_link(
    desk: &Desk,
    mail: &Mail,
    contact: ContactId,
    language: Language,
    now: Timestamp,
) -> Result<Draft, Error> {
    let Some(mut reader) = Reader::of(desk, contact).await? else { return Ok(Draft::CHANGED) };
    reader.contact.language = language;
    let life_ms = subscriptions::ASKED_LINK_MS;
    let token = subscriptions::choices_token(&desk.keys, reader.contact.id, life_ms, now);
    let tells = json!({
        "link": desk.link(&format!("/preferences/{token}?lang={}", language.code())),
        "hours": life_ms / HOUR_MS,
    });
    ready(desk, mail, &reader, Kind::Answer, now, tells, None)
}
