//! The inbox: the list of chats, and one of them with what is known about its visitor.

use actix_web::{HttpResponse, web};
use serde_json::{Value as Json, json};

use super::context;
use super::frame::Reader;
use crate::accounts::{self, May};
use crate::base::ids::{AccountId, ConversationId, new_key};
use crate::bookings::team::Group;
use crate::chat;
use crate::chat::live::approach;
use crate::chat::live::notes::{self, Note};
use crate::chat::live::routing;
use crate::http::error::Problem;
use crate::privacy::audit;
use crate::reports::inbox::{self, Message, Talk, View};

/// `GET /console/inbox?view=open|waiting|mine|left|closed`.
pub async fn list(reader: Reader) -> Result<HttpResponse, Problem> {
    let (mut body, _) = threads(&reader, None).await?;
    body["conversation"] = Json::Null;
    body["context"] = Json::Null;
    reader.page("console/inbox", body).await
}

/// `GET /console/inbox/{conversation}`.
pub async fn show(reader: Reader, conversation: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = ConversationId::parse(&conversation).map_err(|_| chat::Error::Unknown)?;
    let reads = &mut reader.app.stores.db.read();
    let talk = inbox::talk(reads, id).await?.ok_or(chat::Error::Unknown)?;
    let conversation = chat::find(reads, id).await?.ok_or(chat::Error::Unknown)?;
    let (mut body, _) = threads(&reader, Some(id)).await?;
    if let Some(contact) = talk.contact_id {
        let by = audit::By::Account(reader.account.id);
        audit::saw(&reader.app.stores.db, by, contact, reader.now).await?;
    }
    let replies = &reader.app.replies;
    let replies =
        replies.filled(reads, &reader.app.room, &conversation, &reader.account.name, reader.now).await?;
    let replies: Vec<Json> = replies
        .iter()
        .map(|reply| {
            let title = reply.title.get(reader.account.language);
            json!({ "shortcut": reply.shortcut, "title": title, "text": reply.text })
        })
        .collect();
    body["context"] = context::of(&reader, &talk, conversation.visitor).await?;
    body["conversation"] = conversation_of(&reader, talk).await?;
    body["conversation"]["unseen"] = json!(approach::is_waiting(reads, id).await?);
    body["conversation"]["resumable"] = json!(conversation.resume_key.is_some());
    if let Some(path) = chat::page_now(reads, &conversation).await? {
        // Where she is, not where she was when it began.
        let began = url::Url::parse(&conversation.page.url).ok();
        let now = began.and_then(|began| began.join(&path).ok()).map_or(path, String::from);
        body["conversation"]["page"] = json!(now);
    }
    body["conversation"]["replies"] = json!(replies);
    reader.page("console/inbox", body).await
}

async fn threads(reader: &Reader, current: Option<ConversationId>) -> Result<(Json, View), Problem> {
    let asked = reader.asked("view").and_then(|view| View::of_word(&view)).unwrap_or(View::Open);
    let reads = &mut reader.app.stores.db.read();
    let counts = inbox::counts(reads, reader.account.id).await?;
    let groups = &reader.app.team.groups;
    let team = reader.asked("team").filter(|team| groups.iter().any(|group| group.id == *team));
    let online = reader.app.room.crowd(reader.now).await;
    let teams: Vec<Json> = groups
        .iter()
        .filter(|_| groups.len() > 1)
        .map(|group| {
            let name = group.name.get(reader.account.language);
            let is_current = team.as_ref() == Some(&group.id);
            json!({ "id": group.id, "name": name, "online": online.of(&group.id), "current": is_current })
        })
        .collect();
    let views: Vec<Json> = View::ALL
        .into_iter()
        .map(|view| json!({ "name": view.word(), "count": counts.of(view), "current": view == asked }))
        .collect();
    let threads: Vec<Json> = inbox::threads(reads, asked, team.as_deref(), reader.account.id, reader.now)
        .await?
        .into_iter()
        .map(|thread| {
            let is_current = current == Some(thread.id);
            let mut thread = json!(thread);
            thread["current"] = json!(is_current);
            let of_team = |group: &&Group| groups.len() > 1 && thread["team"] == group.id.as_str();
            let team_name = groups.iter().find(of_team).map(|group| group.name.get(reader.account.language));
            thread["team_name"] = json!(team_name);
            thread
        })
        .collect();
    Ok((
        json!({
            "view": asked.word(), "views": views, "conversations": threads, "teams": teams, "team": team,
        }),
        asked,
    ))
}

async fn conversation_of(reader: &Reader, talk: Talk) -> Result<Json, Problem> {
    let (room, me) = (&reader.app.room, reader.account.id);
    let reads = &mut reader.app.stores.db.read();
    let there = room.there(reader.now).await;
    let takes_chats = reader.may(May::Chat);
    let is_mine = talk.assigned_to == Some(me);
    let has_left = match talk.assigned_to {
        Some(agent) => !room.is_with(talk.id, agent, reader.now).await,
        None => false,
    };
    let (can_accept, can_say, note) = match talk.mode.as_str() {
        "closed" => (false, false, Some("closed")),
        _ if !takes_chats => (false, false, Some("role")),
        "human" if is_mine => (false, true, None),
        "human" if has_left => (true, false, Some("gone")),
        "human" => (false, false, Some("other")),
        "waiting" => (true, false, Some("waiting")),
        _ => (true, false, Some("bot")),
    };
    let people = accounts::list(reads).await?;
    let name_of = |id: AccountId| people.iter().find(|one| one.id == id).map(|one| one.name.clone());
    // Who else looks: nobody should begin what somebody else is doing already.
    let lookers = room.lookers(talk.id, reader.now).await;
    let others: Vec<String> = lookers.into_iter().filter(|id| *id != me).filter_map(name_of).collect();
    let colleagues: Vec<Json> = people
        .iter()
        .filter(|one| one.id != me && one.disabled_at.is_none() && one.role.may(May::Chat))
        .filter(|one| there.contains(&one.id))
        .map(|one| json!({ "id": one.id, "name": one.name }))
        .collect();
    let offered = if talk.mode == "waiting" {
        routing::offered_to(reads, talk.id).await?.map(|to| json!({ "me": to == me, "name": name_of(to) }))
    } else {
        None
    };
    let read = talk.messages.iter().rev().find(|message| message.author == "agent");
    let is_read = read.is_some_and(|message| message.seq <= talk.visitor_read);
    let last_said = read.map(|message| message.seq).filter(|_| is_read);
    let notes = notes::notes(reads, talk.id).await?;
    Ok(json!({
        "id": talk.id,
        "name": talk.name,
        "contact_id": talk.contact_id,
        "mode": talk.mode,
        "head": talk.head,
        "can_accept": can_accept,
        "can_hand_back": can_say,
        "can_close": can_say,
        "can_say": can_say,
        "can_note": takes_chats,
        "can_send": takes_chats && talk.contact_id.is_some(),
        "note": note,
        "agent": talk.agent,
        "offered": offered,
        "others": others.join(", "),
        "colleagues": colleagues,
        "read": last_said,
        "left": talk.left,
        "client_id": new_key(),
        "note_id": new_key(),
        "page": page_of(talk.page.as_deref()),
        "language": talk.language,
        "time_zone": talk.time_zone,
        "messages": lines(reader, &talk.messages, notes),
    }))
}

/// The log, with the notes where they were written.
fn lines(reader: &Reader, messages: &[Message], notes: Vec<Note>) -> Vec<Json> {
    let mut notes = notes.into_iter().peekable();
    let mut lines = Vec::with_capacity(messages.len());
    for message in messages {
        while let Some(note) = notes.next_if(|note| note.after_seq < message.seq) {
            lines.push(noted(&note));
        }
        lines.push(said(reader, message));
    }
    lines.extend(notes.map(|note| noted(&note)));
    lines
}

fn noted(note: &Note) -> Json {
    json!({
        "seq": format!("n-{}", note.id),
        "at": note.at,
        "author": "note",
        "name": note.name,
        "to": note.to,
        "text": note.text,
        "note": null,
        "choices": [],
        "times": [],
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
    let word = |outcome: &str| reader.word("console.chat_outcome", outcome);
    let outcome = || [("outcome", line.text.as_deref().map(word).unwrap_or_default())];
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
    let is_event = line.status.is_some() || matches!(line.note, Some("end" | "satisfaction"));
    json!({
        "seq": message.seq,
        "at": message.at,
        "author": if is_event { "system" } else { message.author.as_str() },
        "to": null,
        "name": if message.author == "bot" { Some(&reader.app.room.bot) } else { message.name.as_ref() },
        "note": note,
        "text": text,
        "choices": line.choices,
        "times": line.times,
    })
}
