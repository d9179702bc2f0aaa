//! Everything that is known about a person: JSON for programs, CSV for a spreadsheet, her chats as text, and why she has
//! the score she has.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use serde_json::{Map, Value as Json, json};

use super::notice::Told;
use super::{Error, own, store, tables};
use crate::base::ids::ContactId;
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::chat::{self, body::Body};
use crate::contacts;
use crate::stages;
use crate::storage::db::{Queries, Row, Value};
use crate::storage::personal::Personal;

/// Visits that are told.
const VISITS_MOST: i64 = 10_000;

/// The files of an export, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The contact's id: what the archive is called.
    pub contact: ContactId,
    pub files: Vec<(String, String)>,
}

impl Export {
    /// The files as one ZIP archive, in a folder of their own.
    ///
    /// # Errors
    /// [`Error::Packing`].
    pub fn zip(&self) -> Result<Vec<u8>, Error> {
        let broken = |error: &dyn std::fmt::Display| Error::Packing(error.to_string());
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Deflated)
            .unix_permissions(0o600);
        for (name, text) in &self.files {
            zip.start_file(format!("{}/{name}", self.contact), options).map_err(|error| broken(&error))?;
            zip.write_all(text.as_bytes()).map_err(|error| broken(&error))?;
        }
        Ok(zip.finish().map_err(|error| broken(&error))?.into_inner())
    }

    /// The file of this name.
    pub fn file(&self, name: &str) -> Option<&str> {
        self.files.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
    }
}

/// Gathers all that is known about a contact, with what it is used for and who handles it (GDPR, article 15.1 a to c).
/// `later` are the lists of tables that are kept further on (mails, jobs), `notice` tells what is told of the uses.
///
/// # Errors
/// [`Error::Unknown`], [`Error::Merged`].
pub async fn export(
    q: &mut impl Queries,
    lifecycle: &stages::Definition,
    bot: &str,
    later: &[&'static [Personal]],
    notice: &(dyn Fn(Language) -> Told + Sync),
    contact: ContactId,
    now: Timestamp,
) -> Result<Export, Error> {
    own(q, contact).await?;
    let mut files = Vec::new();
    let mut all = Map::new();
    for table in tables(later) {
        let Some(read) = table.export else { continue };
        let rows = store::rows(q, read, contact).await?;
        if !rows.is_empty() {
            files.push((format!("{}.csv", table.table), csv(&rows)));
        }
        all.insert(table.table.to_owned(), rows.iter().map(told).collect());
    }
    let visits = contacts::visits(q, contact, Timestamp(i64::MAX), VISITS_MOST).await?;
    let visits = serde_json::to_value(visits).map_err(|error| Error::Packing(error.to_string()))?;
    all.insert("visits".to_owned(), with_times(visits));
    let explanation = stages::explain(q, lifecycle, contact, now).await?;
    let explanation = serde_json::to_value(explanation).map_err(|error| Error::Packing(error.to_string()))?;
    let mut transcripts = Vec::new();
    for (id, opened_at) in store::conversations(q, contact).await? {
        let entries = chat::transcript(q, id, bot).await?;
        transcripts.push(serde_json::to_value(&entries).map_err(|error| Error::Packing(error.to_string()))?);
        files.push((format!("chats/{id}.txt"), transcript(opened_at, &entries)));
    }
    all.insert("chats".to_owned(), with_times(Json::Array(transcripts)));
    let language = contacts::find(q, contact).await?.map_or(Language::En, |known| known.language);
    let Told { controller, purposes, processors } = notice(language);
    let whole = json!({
        "contact": contact,
        "exported_at": now.to_string(),
        "data": all,
        "controller": controller,
        "purposes": purposes,
        "processors": processors,
    });
    files.push(("explanation.json".to_owned(), pretty(&with_times(explanation))));
    files.insert(0, ("data.json".to_owned(), pretty(&whole)));
    Ok(Export { contact, files })
}

fn pretty(json: &Json) -> String {
    let mut text = serde_json::to_string_pretty(json).unwrap_or_default();
    text.push('\n');
    text
}

/// A row as an object: documents as documents, moments as people write them (RFC 3339).
fn told(row: &Row) -> Json {
    Json::Object(row.columns().map(|(name, value)| (name.to_owned(), cell(name, value))).collect())
}

fn cell(name: &str, value: &Value) -> Json {
    match value {
        Value::Null | Value::Bytes(_) | Value::Id(_) => Json::Null,
        Value::Int(number) if is_moment(name) => Json::String(Timestamp(*number).to_string()),
        Value::Int(number) => json!(number),
        Value::Real(number) => json!(number),
        Value::Text(text) if text.starts_with(['{', '[']) => {
            serde_json::from_str(text).map_or_else(|_| json!(text), with_times)
        }
        Value::Text(text) => json!(text),
    }
}

fn is_moment(name: &str) -> bool {
    name == "at" || name.ends_with("_at") || name.ends_with("_since") || name == "since"
}

/// Every moment in a document as people write it.
fn with_times(json: Json) -> Json {
    match json {
        Json::Object(map) => Json::Object(
            map.into_iter()
                .map(|(name, value)| {
                    let value = match value.as_i64().filter(|_| is_moment(&name)) {
                        Some(ms) => Json::String(Timestamp(ms).to_string()),
                        None => with_times(value),
                    };
                    (name, value)
                })
                .collect(),
        ),
        Json::Array(list) => Json::Array(list.into_iter().map(with_times).collect()),
        other => other,
    }
}

fn csv(rows: &[Row]) -> String {
    let mut text = String::new();
    if let Some(first) = rows.first() {
        line(&mut text, first.columns().map(|(name, _)| name.to_owned()));
    }
    for row in rows {
        line(
            &mut text,
            row.columns().map(|(name, value)| match cell(name, value) {
                Json::Null => String::new(),
                Json::String(text) => text,
                other => other.to_string(),
            }),
        );
    }
    text
}

/// One line (RFC 4180). A spreadsheet takes what begins with certain signs for a formula, and people type what they like.
fn line(text: &mut String, cells: impl Iterator<Item = String>) {
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            text.push(',');
        }
        let is_formula = cell.starts_with(['=', '+', '@', '\t', '\r'])
            || (cell.starts_with('-') && cell.parse::<f64>().is_err());
        let cell = if is_formula { format!("'{cell}") } else { cell };
        if cell.contains(['"', ',', '\n', '\r']) {
            let _ = write!(text, "\"{}\"", cell.replace('"', "\"\""));
        } else {
            text.push_str(&cell);
        }
    }
    text.push_str("\r\n");
}

/// A chat as people read it.
fn transcript(opened_at: Timestamp, entries: &[chat::log::Entry]) -> String {
    let mut text = format!("{opened_at}\n\n");
    for entry in entries {
        let who = entry.author.name.as_deref().unwrap_or(entry.author.kind.word());
        let said = match &entry.body {
            Body::Text { text, .. }
            | Body::Ask { text, .. }
            | Body::Invalid { text, .. }
            | Body::Answer { text, .. }
            | Body::Choice { label: text, .. }
            | Body::File { title: text, .. }
            | Body::Card { title: text, .. }
            | Body::Status { text: Some(text), .. } => text.clone(),
            other => serde_json::to_string(other).unwrap_or_default(),
        };
        let _ = writeln!(text, "{} {who}: {said}", entry.at);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_typed_is_no_formula_in_a_spreadsheet() {
        let mut text = String::new();
        line(&mut text, ["=1+1", "a,\"b\"", "-3.5"].into_iter().map(str::to_owned));
        assert_eq!(text, "'=1+1,\"a,\"\"b\"\"\",-3.5\r\n");
    }

    #[test]
    fn moments_are_written_for_people_wherever_they_stand() {
        let told = with_times(json!({"at": 0, "n": 0, "list": [{"opened_at": 1000}]}));
        assert_eq!(
            told,
            json!({"at": Timestamp(0).to_string(), "n": 0,
            "list": [{"opened_at": Timestamp(1000).to_string()}]})
        );
    }
}
