//! Everything that a flow's file has said: who wrote it when, what differs, and bringing something back.

use actix_web::{HttpResponse, web};
use serde_json::{Value as Json, json};

use super::super::frame::Reader;
use super::super::lifecycle::lines;
use super::edit::keep;
use super::{failed, head};
use crate::chat;
use crate::chat::history::{self, Entry};
use crate::http::error::Problem;

/// Entries that are listed.
const MOST: i64 = 100;

fn told(entry: &Entry, now: Option<&str>) -> Json {
    json!({
        "id": entry.id,
        "short": entry.hash.get(..8).unwrap_or(&entry.hash),
        "file": entry.file,
        "by": entry.name,
        "is_disk": entry.account.is_none(),
        "restored": entry.restored,
        "at": entry.at,
        "is_now": now == Some(entry.hash.as_str()),
    })
}

/// `GET /console/flows/{flow}/history`.
pub async fn list(reader: Reader, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let bench = reader.app.bench().await.map_err(|error| failed(&error))?;
    let head = head(&reader, &bench, &name, "history")?;
    let entries = history::list(&mut reader.app.stores.db.read(), &name, MOST).await?;
    let now = bench.paper(&name).map(|paper| paper.hash.as_str());
    let is_kept = now.is_none() || entries.iter().any(|entry| Some(entry.hash.as_str()) == now);
    let entries: Vec<Json> = entries.iter().map(|entry| told(entry, now)).collect();
    reader.page("console/flow_history", json!({ "flow": head, "entries": entries, "is_kept": is_kept })).await
}

/// `GET /console/flows/{flow}/history/{entry}[?against=ENTRY]`: one text beside another, usually beside the file as it is now.
pub async fn entry(reader: Reader, path: web::Path<(String, String)>) -> Result<HttpResponse, Problem> {
    let (name, id) = path.into_inner();
    let bench = reader.app.bench().await.map_err(|error| failed(&error))?;
    let head = head(&reader, &bench, &name, "history")?;
    let reads = &mut reader.app.stores.db.read();
    let (entry, text) = find(reads, &name, &id).await?;
    let paper = bench.paper(&name);
    let against = reader.asked("against");
    let (other, other_entry) = match &against {
        Some(id) => {
            let (entry, text) = find(reads, &name, id).await?;
            (Some(text), Some(entry))
        }
        None => (paper.map(|paper| paper.text.clone()), None),
    };
    let now = paper.map(|paper| paper.hash.as_str());
    let others = history::list(reads, &name, MOST).await?;
    let others: Vec<Json> = others
        .iter()
        .filter(|other| other.id != id)
        .map(|other| {
            let mut told = told(other, now);
            told["is_chosen"] = json!(against.as_ref() == Some(&other.id));
            told
        })
        .collect();
    let body = json!({
        "flow": head,
        "entry": told(&entry, now),
        "others": others,
        "against": other_entry.as_ref().map(|entry| told(entry, now)),
        "lines": other.as_deref().and_then(|other| lines::differences(other, &text)),
        "is_same": other.as_deref() == Some(text.as_str()),
        "opened": now,
        "text": text,
    });
    reader.page("console/flow_version", body).await
}

/// `POST /console/flows/{flow}/history/{entry}/restore`: the same as saving its text now.
pub async fn restore(reader: Reader, path: web::Path<(String, String)>) -> Result<HttpResponse, Problem> {
    let (name, id) = path.into_inner();
    let bench = reader.app.bench().await.map_err(|error| failed(&error))?;
    let paper = bench.paper(&name).ok_or(chat::Error::FlowUnknown)?;
    let (_, text) = find(&mut reader.app.stores.db.read(), &name, &id).await?;
    keep(&reader, &name, &paper.hash, &text, Some(&id)).await
}

async fn find(
    reads: &mut impl crate::storage::db::Queries,
    flow: &str,
    id: &str,
) -> Result<(Entry, String), Problem> {
    let found = history::find(reads, id).await?.filter(|(entry, _)| entry.flow == flow);
    found.ok_or_else(|| Problem::new("chat.flow_text_unknown", "Choose one of the flow's history."))
}
