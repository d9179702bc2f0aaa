//! What somebody of the team does in a chat: take it, talk, suggest times, hand it back, close it.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::desk;
use super::frame::{Reader, see};
use crate::base::ids::{ConversationId, new_key};
use crate::base::time::{DAY_MS, Timestamp};
use crate::bookings::slots::Span;
use crate::bookings::{self, Holder};
use crate::chat::body::Author;
use crate::chat::live::replies;
use crate::chat::{self, Agent, Conversation};
use crate::http::error::Problem;
use crate::render::Zone;

/// Times that are suggested at once.
const SUGGESTED: usize = 4;
/// How far ahead times are looked for.
const AHEAD_MS: i64 = 14 * DAY_MS;

pub fn conversation_of(path: &str) -> Result<ConversationId, Problem> {
    Ok(ConversationId::parse(path).map_err(|_| chat::Error::Unknown)?)
}

pub fn back_to(id: ConversationId) -> HttpResponse {
    see(&format!("/console/inbox/{id}"))
}

pub fn agent(reader: &Reader) -> Agent {
    Agent { id: reader.account.id, name: reader.account.name.clone() }
}

/// `POST /console/inbox/{conversation}/accept`.
pub async fn accept(reader: Reader, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = conversation_of(&path)?;
    chat::accept(&reader.app.room, id, &agent(&reader), reader.now).await?;
    Ok(back_to(id))
}

/// `POST /console/inbox/{conversation}/hand-back`.
pub async fn hand_back(reader: Reader, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = conversation_of(&path)?;
    chat::hand_back(&reader.app.room, id, &agent(&reader), reader.now).await?;
    Ok(back_to(id))
}

/// `POST /console/inbox/{conversation}/close`.
pub async fn close(reader: Reader, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = conversation_of(&path)?;
    chat::close(&reader.app.room, id, &agent(&reader), reader.now).await?;
    Ok(back_to(id))
}

/// What the composer sends.
#[derive(Deserialize)]
pub struct Written {
    #[serde(default)]
    text: String,
    #[serde(default)]
    client_id: String,
    /// `note` if it is for colleagues only: whatever button sent it, it becomes no message.
    #[serde(default)]
    kind: String,
}

/// `POST /console/inbox/{conversation}/say`: repeating it under the same client id says it once.
pub async fn say(
    reader: Reader,
    path: web::Path<String>,
    written: web::Form<Written>,
) -> Result<HttpResponse, Problem> {
    let id = conversation_of(&path)?;
    if written.kind == "note" {
        desk::write(&reader, id, &written.text, &written.client_id).await?;
    } else {
        send(&reader, id, &written.text, &written.client_id).await?;
    }
    Ok(back_to(id))
}

async fn send(reader: &Reader, id: ConversationId, text: &str, client_id: &str) -> Result<(), Problem> {
    let drawn = new_key();
    let client_id = if client_id.is_empty() { drawn.as_str() } else { client_id };
    let filled = called(reader, id, text).await?;
    let text = filled.as_deref().unwrap_or(text);
    chat::agent_say(&reader.app.room, id, &agent(reader), client_id, text, reader.now).await?;
    let head = chat::find(&mut reader.app.stores.db.read(), id).await?.map_or(0, |talk| talk.head);
    chat::read(&reader.app.room, id, Author::Agent, head).await?;
    Ok(())
}

/// The prepared answer that a message calls for: `/prices` and nothing else.
async fn called(reader: &Reader, id: ConversationId, text: &str) -> Result<Option<String>, Problem> {
    let Some(shortcut) = replies::called(text) else { return Ok(None) };
    let reads = &mut reader.app.stores.db.read();
    let talk = chat::find(reads, id).await?.ok_or(chat::Error::Unknown)?;
    let replies = &reader.app.replies;
    let filled = replies.filled(reads, &reader.app.room, &talk, &reader.account.name, reader.now).await?;
    Ok(filled.into_iter().find(|reply| reply.shortcut == shortcut).map(|reply| reply.text))
}

/// `POST /console/inbox/{conversation}/times`: free times as a question that the visitor answers by picking one. Who is not
/// known yet gets the address of the booking page, which asks for the e-mail.
pub async fn times(
    reader: Reader,
    path: web::Path<String>,
    written: web::Form<Written>,
) -> Result<HttpResponse, Problem> {
    let id = conversation_of(&path)?;
    let talk = chat::find(&mut reader.app.stores.db.read(), id).await?.ok_or(chat::Error::Unknown)?;
    let typed = if written.kind == "note" { "" } else { written.text.trim() };
    if talk.contact.is_none() {
        let suggestion = suggestion(&reader, &talk).await?;
        let text = if typed.is_empty() { suggestion } else { format!("{typed}\n\n{suggestion}") };
        send(&reader, id, &text, &written.client_id).await?;
        return Ok(back_to(id));
    }
    let question = reader.text_with(talk.language, "console.inbox.which_time", &[]);
    let text = if typed.is_empty() { question.as_str() } else { typed };
    let drawn = new_key();
    let client_id = if written.client_id.is_empty() { drawn.as_str() } else { &written.client_id };
    let meeting = meeting_of(&reader)?;
    chat::agent_suggest(&reader.app.room, id, &agent(&reader), client_id, text, &meeting.id, reader.now)
        .await?;
    Ok(back_to(id))
}

/// The kind of meeting that the reader holds, else the first one.
fn meeting_of(reader: &Reader) -> Result<&bookings::team::Meeting, Problem> {
    let team = &reader.app.team;
    let rep = team.rep_of_account(&reader.account.email);
    let holds = |meeting: &&bookings::team::Meeting| rep.is_some_and(|rep| meeting.reps.contains(&rep.id));
    let meeting = team.meetings.iter().find(holds).or_else(|| team.meetings.first());
    Ok(meeting.ok_or(bookings::Error::MeetingUnknown)?)
}

async fn suggestion(reader: &Reader, talk: &Conversation) -> Result<String, Problem> {
    let app = &reader.app;
    let meeting = meeting_of(reader)?;
    let window = Span::new(reader.now, reader.now.plus_ms(AHEAD_MS));
    let reads = &mut app.stores.db.read();
    let free =
        bookings::slots(reads, &app.team, meeting, window, &Holder::default(), talk.contact, reader.now)
            .await?;
    let link = app.link(&format!("/book/{}?lang={}", meeting.id, talk.language.code()));
    let zone = Zone::named(&talk.time_zone);
    let free: Vec<Timestamp> = free.iter().map(|slot| slot.starts_at).collect();
    let (awake, _): (Vec<Timestamp>, Vec<Timestamp>) = free.iter().partition(|at| is_awake(**at, &zone));
    // Whoever lives on the other side of the world is offered what there is.
    let lines: Vec<String> = spread(if awake.is_empty() { free } else { awake }, &zone)
        .into_iter()
        .map(|at| format!("• {}, {}", zone.weekday_date(at.as_ms(), talk.language), zone.time(at.as_ms())))
        .collect();
    let values = [
        ("times", lines.join("\n")),
        ("zone", zone.label(reader.now.as_ms(), talk.language)),
        ("link", link),
    ];
    let key = if lines.is_empty() { "console.inbox.no_times" } else { "console.inbox.suggestion" };
    Ok(reader.text_with(talk.language, key, &values))
}

/// Whether people are up at this time: from 8 to 20 o'clock.
fn is_awake(at: Timestamp, zone: &Zone) -> bool {
    ("08:00".."20:00").contains(&zone.time(at.as_ms()).as_str())
}

/// A few times that are not all on one morning: at most two a day.
fn spread(times: Vec<Timestamp>, zone: &Zone) -> Vec<Timestamp> {
    let mut chosen: Vec<(String, Timestamp)> = Vec::new();
    for at in times {
        let day = zone.machine(at.as_ms()).chars().take(10).collect::<String>();
        let of_day: Vec<&Timestamp> =
            chosen.iter().filter(|(known, _)| *known == day).map(|(_, at)| at).collect();
        let is_apart = of_day.iter().all(|other| at.since_ms(**other) >= 2 * crate::base::time::HOUR_MS);
        if of_day.len() < 2 && is_apart {
            chosen.push((day, at));
        }
        if chosen.len() == SUGGESTED {
            break;
        }
    }
    chosen.into_iter().map(|(_, at)| at).collect()
}

/// `POST /console/inbox/{conversation}/typing`.
pub async fn typing(reader: Reader, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = conversation_of(&path)?;
    reader.app.room.typing(id, Author::Agent, &reader.account.name).await;
    Ok(HttpResponse::NoContent().finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::HOUR_MS;

    #[test]
    fn nobody_is_offered_a_call_at_night() {
        let zone = Zone::named("America/Mexico_City");
        let at = |hour: i64| Timestamp(1_795_392_000_000 + hour * HOUR_MS); // 2026-11-23 00:00 UTC
        assert!(!is_awake(at(8), &zone), "two o'clock in the morning");
        assert!(is_awake(at(14), &zone));
        assert!(!is_awake(at(26), &zone), "eight in the evening");
    }

    #[test]
    fn suggested_times_are_spread_over_days() {
        let half_hours: Vec<Timestamp> = (0..200).map(|n| Timestamp(n * HOUR_MS / 2)).collect();
        let chosen = spread(half_hours, &Zone::named("UTC"));
        assert_eq!(chosen, [0, 2, 24, 26].map(|hour| Timestamp(hour * HOUR_MS)));
    }
}
