//! A conversation by mail, as its visitor saw it.

use serde_json::{Value as Json, json};

use super::{Draft, Kind, Mail, Reader, ready};
use crate::base::ids::{ContactId, ConversationId};
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::chat::body::{Author, Body};
use crate::chat::{self, Entry, resume};
use crate::notify::{Desk, Error};
use crate::render::Zone;

/// Lines of one mail; of a longer conversation the latest are sent.
const LINES_MOST: usize = 300;

/// Reads the visitor's own log and nothing else: what colleagues noted for one another does not stand in it.
pub(super) async fn transcript(
    desk: &Desk,
    mail: &Mail,
    contact: ContactId,
    conversation: ConversationId,
    up_to: i64,
    now: Timestamp,
) -> Result<Draft, Error> {
    let mut q = desk.stores.db.read();
    let Some(talk) = chat::find(&mut q, conversation).await? else { return Ok(Draft::CHANGED) };
    if talk.contact != Some(contact) {
        // It became somebody else's meanwhile.
        return Ok(Draft::CHANGED);
    }
    let Some(mut reader) = Reader::of(desk, contact).await? else { return Ok(Draft::CHANGED) };
    reader.contact.language = talk.language;
    reader.contact.time_zone = Some(talk.time_zone.clone());
    let texts = desk.templates.texts();
    let you = texts.get(talk.language, "mails.you", &[]).unwrap_or_default();
    let zone = Zone::named(&talk.time_zone);
    let mut lines: Vec<Json> = chat::transcript(&mut q, conversation, &reader.company)
        .await?
        .into_iter()
        .filter(|entry| entry.seq <= up_to)
        .filter_map(|entry| line(entry, &you, &zone, talk.language))
        .collect();
    lines.drain(..lines.len().saturating_sub(LINES_MOST));
    let link = resume::path(&desk.keys, &talk, now);
    let link = link.map(|path| desk.link(&format!("{path}?lang={}", talk.language.code())));
    let tells = json!({ "opened_at": talk.opened_at, "lines": lines, "link": link });
    ready(desk, mail, &reader, Kind::Answer, now, tells, None)
}

fn line(entry: Entry, you: &str, zone: &Zone, language: Language) -> Option<Json> {
    let moment =
        |at: Timestamp| format!("{}, {}", zone.weekday_date(at.as_ms(), language), zone.time(at.as_ms()));
    let text = match &entry.body {
        Body::Slot { starts_at: Some(at), .. } => moment(*at),
        Body::Booked(booked) => format!("{} ({})", moment(booked.starts_at), booked.with),
        body => chat::log::line(body)?,
    };
    let who = match entry.author.kind {
        Author::Visitor => you.to_owned(),
        Author::Bot | Author::Agent | Author::System => entry.author.name.unwrap_or_default(),
    };
    let text = text.replace('\n', " ");
    (!text.trim().is_empty()).then(|| json!({ "at": entry.at, "who": who, "text": text }))
}
