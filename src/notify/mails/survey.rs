//! Asks somebody what became of it: whoever left says why, by a form.

use serde_json::json;

use super::{Draft, Kind, Mail, Reader, ready};
use crate::base::ids::ContactId;
use crate::base::signing::{Keys, Purpose};
use crate::base::time::{DAY_MS, Timestamp};
use crate::contacts;
use crate::notify::{Desk, Error};
use crate::privacy;
use crate::stages::track;

/// A link out must work for as long as the mail may lie in an inbox.
const OBJECTION_MS: i64 = 730 * DAY_MS;

pub(super) async fn survey(
    desk: &Desk,
    mail: &Mail,
    contact: ContactId,
    state: &str,
    form: &str,
    now: Timestamp,
) -> Result<Draft, Error> {
    let Some(reader) = Reader::of(desk, contact).await? else { return Ok(Draft::CHANGED) };
    let Ok(form) = desk.catalog.form(form) else { return Ok(Draft::CHANGED) };
    let (q, email) = (&mut desk.stores.db.read(), &reader.contact.email);
    let stands = track::state_of(q, reader.contact.id).await?;
    let has_refused =
        privacy::has_refused(q, &desk.keys, reader.contact.id, email, contacts::MARKETING).await?;
    if stands.as_deref() != Some(state) || has_refused {
        return Ok(Draft::CHANGED);
    }
    let language = reader.language();
    let mut objection = Keys::claims(contacts::MARKETING, now, now.plus_ms(OBJECTION_MS));
    objection.contact = Some(reader.contact.id.to_string());
    let objection = desk.keys.sign(Purpose::Objection, &objection);
    let tells = json!({
        "first_name": reader.contact.first_name,
        "form": { "id": form.id, "title": form.title.get(language) },
        "link": desk.link(&format!("/f/{}?lang={}", form.id, language.code())),
        "unsubscribe": desk.link(&format!("/u/{objection}?lang={}", language.code())),
    });
    let kind = Kind::Letter { topic: None, may_be_prompt: false };
    ready(desk, mail, &reader, kind, now, tells, None)
}
