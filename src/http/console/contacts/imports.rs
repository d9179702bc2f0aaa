//! Lists of contacts that somebody brings: chosen, looked through, taken over, and what was refused to be put right.

use actix_web::{HttpResponse, web};
use serde_json::{Value as Json, json};

use super::super::frame::{Reader, see};
use crate::base::ids::ImportId;
use crate::contacts::import::{self, Import, MOST_BYTES, Mapping, State, Target, Verdict};
use crate::gates;
use crate::http::error::Problem;
use crate::privacy::audit::{self, By};
use crate::reports::traffic::csv;

const PATH: &str = "/console/contacts/imports";
/// A list in a form: every byte of it may be written as three.
const FORM_MOST: usize = 3 * MOST_BYTES + 64 * 1024;
/// Lines that are looked at before an import begins.
const JUDGED_MOST: i64 = 500;
/// Lines that are shown of it.
const SHOWN_MOST: usize = 8;
/// Lines that are shown because they would be refused.
const REFUSED_SHOWN: usize = 20;
/// Imports that are listed.
const LATEST_MOST: i64 = 10;

/// How long a form of this door may be, if it is longer than others.
pub fn longest_form(door: &str) -> Option<usize> {
    (door == PATH).then_some(FORM_MOST)
}

fn described(import: &Import) -> Json {
    let percent = if import.total == 0 { 100 } else { import.looked_at() * 100 / import.total };
    json!({
        "id": import.id, "name": import.name, "state": import.state.word(), "total": import.total,
        "looked_at": import.looked_at(), "percent": percent, "made": import.made, "changed": import.changed,
        "same": import.same, "refused": import.refused, "created_at": import.created_at,
        "is_draft": import.state == State::Draft, "is_running": import.state == State::Running,
    })
}

async fn known(reader: &Reader, id: &str) -> Result<Import, Problem> {
    let id = ImportId::parse(id).map_err(|_| import::Error::Unknown)?;
    let found = import::find(&mut reader.app.stores.db.read(), id).await?;
    Ok(found.ok_or(import::Error::Unknown)?)
}

/// `GET /console/contacts/imports`.
pub async fn choose(reader: Reader) -> Result<HttpResponse, Problem> {
    let latest = import::latest(&mut reader.app.stores.db.read(), LATEST_MOST).await?;
    let body = json!({ "imports": latest.iter().map(described).collect::<Vec<_>>() });
    reader.page("console/contact_imports", body).await
}

/// `POST /console/contacts/imports`: the list is kept, and nothing taken of it yet.
pub async fn bring(reader: Reader, body: web::Payload) -> Result<HttpResponse, Problem> {
    let too_large = || import::Error::Unreadable("The list is too large. Cut it in parts.".to_owned());
    let body = body.to_bytes_limited(FORM_MOST).await.map_err(|_| too_large())?.map_err(|_| too_large())?;
    let (mut name, mut text) = (String::new(), String::new());
    for (field, value) in url::form_urlencoded::parse(&body) {
        match field.as_ref() {
            "name" => name = value.into_owned(),
            "text" => text = value.into_owned(),
            _ => {}
        }
    }
    let list = import::read(&text)?;
    let mut tx = reader.app.stores.db.begin().await?;
    let id = import::keep(&mut tx, list, &name, reader.account.id, reader.now).await?;
    tx.commit().await?;
    Ok(see(&format!("{PATH}/{id}")))
}

/// The columns as a form or an address names them: one `column` for each, in order.
fn columns_of(pairs: impl Iterator<Item = (String, String)>) -> Mapping {
    pairs.filter(|(name, _)| name == "column").map(|(_, word)| Target::of_word(&word)).collect()
}

/// `GET /console/contacts/imports/{import}?column=email&column=…`: what would become of it, or how far it is.
pub async fn show(reader: Reader, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let import = known(&reader, &id).await?;
    let mut body = json!({ "import": described(&import) });
    if import.state == State::Draft {
        let asked = columns_of(url::form_urlencoded::parse(reader.query().as_bytes()).into_owned());
        let mapping = if asked.is_empty() { import.mapping.clone() } else { asked };
        body["preview"] = preview(&reader, &import, &mapping).await?;
    } else {
        body["preview"] = Json::Null;
    }
    reader.page("console/contact_import", body).await
}

async fn preview(reader: &Reader, import: &Import, mapping: &Mapping) -> Result<Json, Problem> {
    let reads = &mut reader.app.stores.db.read();
    let lines = import::lines(reads, import.id, JUDGED_MOST).await?;
    let problem = import::check(mapping).err().map(|error| error.to_string());
    let mut counts = [0_usize; 4];
    let (mut shown, mut refused): (Vec<Json>, Vec<Json>) = (Vec::new(), Vec::new());
    for line in &lines {
        let verdict = import::judge(reads, &line.cells, mapping, gates::is_country, reader.now).await?;
        let [made, changed, same, wrong] = &mut counts;
        match verdict {
            Verdict::New => *made += 1,
            Verdict::Changed => *changed += 1,
            Verdict::Same => *same += 1,
            Verdict::Refused(reason) => {
                *wrong += 1;
                if refused.len() < REFUSED_SHOWN {
                    let text: String = line.cells.join(", ").chars().take(120).collect();
                    refused.push(json!({ "line": line.line, "text": text, "reason": reason.word() }));
                }
            }
        }
        if shown.len() < SHOWN_MOST {
            let cells = (0..import.head.len()).map(|at| line.cells.get(at).cloned().unwrap_or_default());
            shown.push(json!({
                "line": line.line, "verdict": verdict.word(), "cells": cells.collect::<Vec<_>>(),
            }));
        }
    }
    let columns = import.head.iter().enumerate().map(|(at, head)| {
        let taken = mapping.get(at).copied().flatten();
        let targets =
            Target::ALL.map(|target| json!({ "word": target.word(), "is_taken": taken == Some(target) }));
        json!({ "n": at + 1, "head": head, "targets": targets })
    });
    let [made, changed, same, wrong] = counts;
    Ok(json!({
        "columns": columns.collect::<Vec<_>>(), "lines": shown, "refused": refused, "problem": problem,
        "judged": lines.len(), "made": made, "changed": changed, "same": same, "wrong": wrong,
        "is_part": i64::try_from(lines.len()).unwrap_or(i64::MAX) < import.total,
    }))
}

/// `POST /console/contacts/imports/{import}/begin`.
pub async fn begin(
    reader: Reader,
    id: web::Path<String>,
    form: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Problem> {
    let import = known(&reader, &id).await?;
    let mapping = columns_of(form.into_inner().into_iter());
    let mut tx = reader.app.stores.db.begin().await?;
    import::begin(&mut tx, import.id, &mapping).await?;
    let what = json!({ "list": format!("contacts import {}", import.name), "import": import.id });
    audit::changed(&mut tx, By::Account(reader.account.id), what, reader.now).await?;
    tx.commit().await?;
    Ok(see(&format!("{PATH}/{}", import.id)))
}

/// `POST /console/contacts/imports/{import}/stop`: what was taken stays.
pub async fn stop(reader: Reader, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let import = known(&reader, &id).await?;
    let mut tx = reader.app.stores.db.begin().await?;
    import::stop(&mut tx, import.id, reader.now).await?;
    tx.commit().await?;
    Ok(see(&format!("{PATH}/{}", import.id)))
}

/// `GET /console/contacts/imports/{import}/refused.csv`: the lines that were not taken, each with its place and why, to be
/// put right and brought again.
pub async fn refused(reader: Reader, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let import = known(&reader, &id).await?;
    let lines = import::refused(&mut reader.app.stores.db.read(), import.id, i64::MAX).await?;
    let why = |line: &import::Line| {
        let word = line.reason.map_or("", import::Reason::word);
        reader.text(&format!("console.import.reason_{word}")).unwrap_or_default()
    };
    let columns = import.head.len();
    let rows = lines.into_iter().map(|line| {
        let reason = why(&line);
        let mut cells = line.cells;
        cells.resize(columns, String::new());
        cells.extend([line.line.to_string(), reason]);
        cells
    });
    let head = import.head.iter().map(String::as_str).chain(["line", "reason"]);
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header(("content-disposition", "attachment; filename=\"refused.csv\""))
        .body(csv(&head.collect::<Vec<_>>(), rows)))
}
