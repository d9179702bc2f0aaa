//! What somebody of the team does about a chat without talking in it: look, note, pass it on, have it sent by mail.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::frame::{Reader, see_done};
use super::talk::{agent, back_to, conversation_of};
use crate::base::ids::{AccountId, ConversationId, new_key};
use crate::chat;
use crate::chat::body::{Author, Mode};
use crate::chat::live::learnt::{self, Learnt};
use crate::chat::live::transcript::{self, By};
use crate::chat::live::{left, notes, transfer as passing};
use crate::chat::resume;
use crate::http::error::Problem;
use crate::privacy::audit;

/// How far somebody has read, or that she leaves.
#[derive(Deserialize)]
pub struct Looking {
    #[serde(default)]
    seq: i64,
    #[serde(default)]
    leaves: bool,
}

/// `POST /console/inbox/{conversation}/look`: the page is open and seen. Whoever has the conversation has read it so far.
pub async fn look(
    reader: Reader,
    path: web::Path<String>,
    looking: web::Form<Looking>,
) -> Result<HttpResponse, Problem> {
    let id = conversation_of(&path)?;
    let (room, account) = (&reader.app.room, reader.account.id);
    if looking.leaves {
        room.look_away(id, account).await?;
        return Ok(HttpResponse::NoContent().finish());
    }
    let talk = chat::find(&mut reader.app.stores.db.read(), id).await?.ok_or(chat::Error::Unknown)?;
    room.look(id, account, reader.now).await?;
    let has_it = talk.mode == Mode::Human && talk.agent.is_some_and(|agent| agent.id == account);
    let seq = looking.seq.min(talk.head);
    if has_it && seq > talk.agent_read {
        chat::read(room, id, Author::Agent, seq).await?;
    }
    Ok(HttpResponse::NoContent().finish())
}

/// A note.
#[derive(Deserialize)]
pub struct Noted {
    #[serde(default)]
    text: String,
    #[serde(default)]
    client_id: String,
}

/// `POST /console/inbox/{conversation}/note`: for colleagues only. The same under the same client id is written once.
pub async fn note(
    reader: Reader,
    path: web::Path<String>,
    noted: web::Form<Noted>,
) -> Result<HttpResponse, Problem> {
    let id = conversation_of(&path)?;
    write(&reader, id, &noted.text, &noted.client_id).await?;
    Ok(back_to(id))
}

/// Writes a note under the client's id, or under a new one.
///
/// # Errors
/// As [`notes::note`].
pub async fn write(reader: &Reader, id: ConversationId, text: &str, client_id: &str) -> Result<(), Problem> {
    let drawn = new_key();
    let client_id = if client_id.is_empty() { &drawn } else { client_id };
    Ok(notes::note(&reader.app.room, id, reader.account.id, client_id, text, reader.now).await?)
}

/// To whom, and what she should know.
#[derive(Deserialize)]
pub struct Passed {
    #[serde(default)]
    to: String,
    #[serde(default)]
    note: String,
}

/// `POST /console/inbox/{conversation}/transfer`.
pub async fn transfer(
    reader: Reader,
    path: web::Path<String>,
    passed: web::Form<Passed>,
) -> Result<HttpResponse, Problem> {
    let id = conversation_of(&path)?;
    let to = AccountId::parse(&passed.to)
        .map_err(|_| chat::Error::NotAllowed("choose the colleague it goes to"))?;
    passing::transfer(&reader.app.room, id, &agent(&reader), to, &passed.note, reader.now).await?;
    Ok(see_done(&format!("/console/inbox/{id}"), "passed_on"))
}

/// Whether the visitor asked for it.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    asked: String,
}

/// `POST /console/inbox/{conversation}/transcript`: to the visitor's address.
pub async fn transcript(
    reader: Reader,
    path: web::Path<String>,
    asked: web::Form<Asked>,
) -> Result<HttpResponse, Problem> {
    let id = conversation_of(&path)?;
    let by = By::Agent { agent: &agent(&reader), asked: asked.asked == "1" };
    transcript::send(&reader.app.room, id, by, reader.now).await?;
    Ok(see_done(&format!("/console/inbox/{id}"), "transcript"))
}

/// `POST /console/inbox/{conversation}/answered`: the question that was left is answered.
pub async fn answered(reader: Reader, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = conversation_of(&path)?;
    left::answered(&reader.app.room, id, reader.account.id, reader.now).await?;
    Ok(see_done(&format!("/console/inbox/{id}"), "answered"))
}

/// What somebody has learnt of a stranger.
#[derive(Deserialize)]
pub struct Learning {
    #[serde(default)]
    email: String,
    #[serde(default)]
    first_name: String,
    #[serde(default)]
    last_name: String,
}

/// `POST /console/inbox/{conversation}/identity`: the address and the name that the visitor has told.
pub async fn identity(
    reader: Reader,
    path: web::Path<String>,
    told: web::Form<Learning>,
) -> Result<HttpResponse, Problem> {
    let id = conversation_of(&path)?;
    let learnt = Learnt { email: &told.email, first_name: &told.first_name, last_name: &told.last_name };
    let room = &reader.app.room;
    let mut tx = reader.app.stores.db.begin().await?;
    let contact = learnt::write_down(room, &mut tx, id, &agent(&reader), learnt, reader.now).await?;
    let mut details = audit::What::Identity.of("");
    details["conversation"] = json!(id);
    audit::note(
        &mut tx,
        audit::By::Account(reader.account.id),
        audit::Act::Changed,
        contact,
        details,
        reader.now,
    )
    .await?;
    tx.commit().await?;
    room.tell_of(id).await;
    Ok(see_done(&format!("/console/inbox/{id}"), "identified"))
}

/// `POST /console/inbox/{conversation}/link`: the link that was mailed opens nothing any more.
pub async fn withdraw_link(reader: Reader, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = conversation_of(&path)?;
    resume::withdraw(&reader.app.room, id, reader.now).await?;
    Ok(see_done(&format!("/console/inbox/{id}"), "link_withdrawn"))
}
