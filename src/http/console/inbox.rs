//! The inbox: the list of chats, and one of them with what is known about its visitor.

use actix_web::{HttpResponse, web};
use serde_json::{Value as Json, json};

use super::frame::Reader;
use crate::accounts::May;
use crate::base::ids::{ConversationId, new_key};
use crate::chat;
use crate::contacts;
use crate::http::error::Problem;
use crate::reports::inbox::{self, Message, Talk, View};
use crate::reports::timeline;

/// The answers that qualify somebody, shown beside the chat.
const ANSWERS: [&str; 6] = ["job_title", "phone", "budget", "authority", "need", "timeline"];
/// Entries of the timeline beside the chat.
const LATELY: usize = 6;

/// `GET /console/inbox?view=open|waiting|mine|closed`.
pub async fn list(reader: Reader) -> Result<HttpResponse, Problem> {
    let (mut body, _) = threads(&reader, None).await?;
    body["conversation"] = Json::Null;
    body["context"] = Json::Null;
    body["answers"] = json!([]);
    body["recent"] = json!([]);
    reader.page("console/inbox", body).await
}

/// `GET /console/inbox/{conversation}`.
pub async fn show(reader: Reader, conversation: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = ConversationId::parse(&conversation).map_err(|_| chat::Error::Unknown)?;
    let reads = &mut reader.app.stores.db.read();
    let talk = inbox::talk(reads, id).await?.ok_or(chat::Error::Unknown)?;
    let (mut body, _) = threads(&reader, Some(id)).await?;
    let mut context = Json::Null;
    let (mut answers, mut recent) = (Vec::new(), Vec::new());
    if let Some(contact) = talk.contact_id
        && let Some(known) = contacts::find(reads, contact).await?
    {
        let company = match known.company {
            Some(company) => contacts::company(reads, company).await?.map(|company| company.name),
            None => None,
        };
        answers = contacts::fields(reads, contact)
            .await?
            .into_iter()
            .filter(|field| !field.is_suggestion && ANSWERS.contains(&field.name.as_str()))
            .map(|field| {
                let label = reader.app.room.flows.label(&field.name, &field.value, reader.account.language);
                json!({ "name": field.name, "value": label.unwrap_or_else(|| field.value.clone()) })
            })
            .collect();
        recent = timeline::lately(reads, &reader.names(), contact, reader.now, LATELY).await?;
        context = json!({
            "id": contact, "name": known.display_name(), "stage": known.stage, "company": company,
            "first_name": known.first_name, "last_name": known.last_name,
        });
    }
    body["conversation"] = conversation_of(&reader, talk);
    body["context"] = context;
    body["answers"] = json!(answers);
    body["recent"] = json!(recent);
    reader.page("console/inbox", body).await
}

async fn threads(reader: &Reader, current: Option<ConversationId>) -> Result<(Json, View), Problem> {
    let asked = reader.asked("view").and_then(|view| View::of_word(&view)).unwrap_or(View::Open);
    let reads = &mut reader.app.stores.db.read();
    let counts = inbox::counts(reads, reader.account.id).await?;
    let views: Vec<Json> = View::ALL
        .into_iter()
        .map(|view| json!({ "name": view.word(), "count": counts.of(view), "current": view == asked }))
        .collect();
    let threads: Vec<Json> = inbox::threads(reads, asked, reader.account.id, reader.now)
        .await?
        .into_iter()
        .map(|thread| {
            let is_current = current == Some(thread.id);
            let mut thread = json!(thread);
            thread["current"] = json!(is_current);
            thread
        })
        .collect();
    Ok((json!({ "view": asked.word(), "views": views, "conversations": threads }), asked))
}

fn conversation_of(reader: &Reader, talk: Talk) -> Json {
    let takes_chats = reader.may(May::Chat);
    let is_mine = talk.assigned_to == Some(reader.account.id);
    let (can_accept, can_say, note) = match talk.mode.as_str() {
        "closed" => (false, false, Some("closed")),
        _ if !takes_chats => (false, false, Some("role")),
        "human" if is_mine => (false, true, None),
        "human" => (false, false, Some("other")),
        "waiting" => (true, false, Some("waiting")),
        _ => (true, false, Some("bot")),
    };
    let messages: Vec<Json> = talk.messages.iter().map(|message| said(reader, message)).collect();
    json!({
        "id": talk.id,
        "name": talk.name,
        "contact_id": talk.contact_id,
        "mode": talk.mode,
        "head": talk.head,
        "can_accept": can_accept,
        "can_hand_back": can_say,
        "can_close": can_say,
        "can_say": can_say,
        "note": note,
        "client_id": new_key(),
        "page": page_of(talk.page.as_deref()),
        "language": talk.language,
        "time_zone": talk.time_zone,
        "messages": messages,
    })
}

/// The address in a conversation's page, which is kept as a document.
fn page_of(page: Option<&str>) -> Option<String> {
    let page = page?;
    let of_document = serde_json::from_str::<Json>(page)
        .ok()
        .and_then(|page| page.get("url").and_then(Json::as_str).map(str::to_owned));
    of_document.or_else(|| Some(page.to_owned())).filter(|page| !page.is_empty())
}

/// One line of the log in the reader's words.
fn said(reader: &Reader, message: &Message) -> Json {
    let line = &message.line;
    let key = |name: &str| format!("console.inbox.{name}");
    let name = || [("name", line.text.clone().unwrap_or_default())];
    let outcome = || [("outcome", line.text.clone().unwrap_or_default())];
    let (note, text) = match (line.status, line.note) {
        (Some(status), _) => {
            let status = if status == "human" && line.text.is_none() { "someone" } else { status };
            (None, reader.text_with(reader.account.language, &key(&format!("status.{status}")), &name()))
        }
        (None, Some("end")) => {
            (None, reader.text_with(reader.account.language, &key("said.end"), &outcome()))
        }
        (None, Some(note)) => {
            (reader.text(&key(&format!("said.{note}"))), line.text.clone().unwrap_or_default())
        }
        (None, None) => (None, line.text.clone().unwrap_or_default()),
    };
    let is_event = line.status.is_some() || line.note == Some("end");
    json!({
        "seq": message.seq,
        "at": message.at,
        "author": if is_event { "system" } else { message.author.as_str() },
        "name": if message.author == "bot" { Some(&reader.app.room.bot) } else { message.name.as_ref() },
        "note": note,
        "text": text,
        "choices": line.choices,
        "times": line.times,
    })
}
