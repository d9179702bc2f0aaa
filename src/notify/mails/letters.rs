//! Letters that somebody asked for, and the mail that asks whether she did.

use serde_json::json;

use super::{Draft, Kind, Mail, Reader, ready};
use crate::base::ids::{ContactId, VisitorId};
use crate::base::time::{DAY_MS, Timestamp};
use crate::notify::{Desk, Error, Why};
use crate::nurture::{self, Due};
use crate::subscriptions::{self, State};

fn unwritable(error: impl std::fmt::Display) -> Error {
    Error::Unwritable(error.to_string())
}

/// Asks about every topic that waits for it; nothing if none does any more.
pub(super) async fn confirm(
    desk: &Desk,
    id: &str,
    mail: &Mail,
    contact: ContactId,
    visitor: Option<VisitorId>,
    now: Timestamp,
) -> Result<Draft, Error> {
    let Some(reader) = Reader::of(desk, contact).await? else { return Ok(Draft::CHANGED) };
    let waiting = subscriptions::of_contact(&mut desk.stores.db.read(), contact).await?;
    let waiting: Vec<&str> = waiting
        .iter()
        .filter(|subscription| subscription.state == State::Unconfirmed)
        .map(|subscription| subscription.topic.as_str())
        .filter(|topic| desk.topics.find(topic).is_some())
        .collect();
    if waiting.is_empty() {
        return Ok(Draft::CHANGED);
    }
    let language = reader.language();
    let names: Vec<&str> = waiting.iter().map(|topic| desk.topics.name(topic, language)).collect();
    let token = subscriptions::confirmation_link(&desk.keys, contact, &waiting, visitor, id, now);
    let tells = json!({
        "topics": names.join(", "),
        "link": desk.link(&format!("/s/{token}?lang={}", language.code())),
        "expires_at": now.plus_ms(7 * DAY_MS),
    });
    ready(desk, mail, &reader, Kind::Answer, now, tells, None)
}

/// One letter of a sequence; nothing if something has ended it since it was handed over.
pub(super) async fn letter(desk: &Desk, mail: &Mail, due: &Due, now: Timestamp) -> Result<Draft, Error> {
    let mut q = desk.stores.db.read();
    let stop = nurture::stop(&mut q, &desk.sequences, due.enrolment, now).await.map_err(unwritable)?;
    if let Some(exit) = stop {
        return Ok(Draft::Unwanted(exit.into()));
    }
    of_topic(desk, mail, due.contact, (&due.mail, &due.topic), false, now).await
}

/// One letter that a flow has sent; nothing if she gets the letters of its topic no more.
pub(super) async fn of_flow(
    desk: &Desk,
    mail: &Mail,
    contact: ContactId,
    (template, topic): (&str, &str),
    now: Timestamp,
) -> Result<Draft, Error> {
    let mut q = desk.stores.db.read();
    if !subscriptions::wants(&mut q, contact, topic).await.map_err(unwritable)? {
        return Ok(Draft::Unwanted(Why::NOT_WANTED));
    }
    of_topic(desk, mail, contact, (template, topic), true, now).await
}

/// A letter of a topic, with what its texts may speak of. `may_be_prompt`: it follows on what she has just done.
async fn of_topic(
    desk: &Desk,
    mail: &Mail,
    contact: ContactId,
    (template, topic): (&str, &str),
    may_be_prompt: bool,
    now: Timestamp,
) -> Result<Draft, Error> {
    let mut q = desk.stores.db.read();
    let Some(reader) = Reader::of(desk, contact).await? else { return Ok(Draft::CHANGED) };
    if !desk.wording.suits(template, &reader.contact.stage) {
        return Ok(Draft::Unwanted(Why::UNSUITED));
    }
    let Some(topic) = desk.topics.find(topic) else {
        return Ok(Draft::Unwanted(Why::TOPIC_GONE));
    };
    let language = reader.language();
    let company = match reader.contact.company {
        Some(company) => crate::contacts::company(&mut q, company).await?.map(|company| company.name),
        None => None,
    };
    let meeting = desk.team.meetings.first();
    let book = meeting.map(|meeting| desk.link(&format!("/book/{}?lang={}", meeting.id, language.code())));
    let unsubscribe = subscriptions::unsubscribe_token(&desk.keys, contact, &topic.id, now);
    let tells = json!({
        "first_name": reader.contact.first_name,
        "company": company,
        "topic": { "id": topic.id, "name": topic.name.get(language) },
        "book": book,
        "unsubscribe": desk.link(&format!("/u/{unsubscribe}?lang={}", language.code())),
    });
    let kind = Kind::Letter { topic: Some(topic.id.clone()), may_be_prompt };
    ready(desk, mail, &reader, kind, now, tells, None)
}
