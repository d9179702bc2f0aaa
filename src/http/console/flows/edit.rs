//! A flow's file to be changed: looked through as it is typed, saved if everything is sound and nobody else was faster.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::super::frame::{Reader, see_done};
use super::super::lifecycle::lines;
use super::{failed, head, of, told};
use crate::app::{Bench, Paper, Saved};
use crate::base::signing::sha256_hex;
use crate::chat::{self, schema};
use crate::http::error::Problem;

/// A text, and the hash of what stood in the file when it was opened.
#[derive(Deserialize)]
pub struct Draft {
    text: String,
    #[serde(default)]
    opened: String,
}

impl Draft {
    /// As files have it: browsers send the lines of a form with a carriage return.
    fn text(&self) -> String {
        let mut text = self.text.replace("\r\n", "\n");
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text
    }
}

/// `GET /console/flows/{flow}/edit[?line=12]`.
pub async fn show(reader: Reader, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let bench = reader.app.bench().await.map_err(|error| failed(&error))?;
    let paper = bench.paper(&name).ok_or(chat::Error::FlowUnknown)?;
    page(&reader, &bench, &name, &paper.text, &paper.hash, None, StatusCode::OK).await
}

/// `POST /console/flows/{flow}/check`: what would be found, and nothing is written.
pub async fn check(
    reader: Reader,
    name: web::Path<String>,
    form: web::Form<Draft>,
) -> Result<HttpResponse, Problem> {
    let text = form.text();
    let bench = reader.app.bench_with(&name, &text).await.map_err(|error| failed(&error))?;
    bench.paper(&name).ok_or(chat::Error::FlowUnknown)?;
    let status = if bench.would_run() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    page(&reader, &bench, &name, &text, &form.opened, None, status).await
}

/// `POST /console/flows/{flow}/save`.
pub async fn save(
    reader: Reader,
    name: web::Path<String>,
    form: web::Form<Draft>,
) -> Result<HttpResponse, Problem> {
    let text = form.text();
    keep(&reader, &name, &form.opened, &text, None).await
}

/// Saves a text, or shows why not beside it.
pub async fn keep(
    reader: &Reader,
    name: &str,
    opened: &str,
    text: &str,
    restored: Option<&str>,
) -> Result<HttpResponse, Problem> {
    let app = &reader.app;
    let saved = app.save_flow(name, opened, text, reader.account.id, restored).await;
    match saved.map_err(|error| failed(&error))? {
        Saved::Done if restored.is_some() => Ok(see_done(&of(name, "history"), "flow_restored")),
        Saved::Done => Ok(see_done(&of(name, ""), "flow_saved")),
        Saved::Same => Ok(see_done(&of(name, ""), "flow_same")),
        Saved::Unknown => Err(chat::Error::FlowUnknown.into()),
        Saved::NotWritable(why) => {
            tracing::warn!(error = %why, flow.name = name, "the file of a flow cannot be written");
            let detail = "The server may not write into the folder of the flows. Give it that right, or change the file there.";
            Err(Problem::new("chat.flow_not_writable", detail))
        }
        Saved::Wrong(bench) => {
            page(reader, &bench, name, text, opened, None, StatusCode::UNPROCESSABLE_ENTITY).await
        }
        Saved::Changed(paper) => {
            let bench = app.bench_with(name, text).await.map_err(|error| failed(&error))?;
            page(reader, &bench, name, text, &paper.hash, Some(&paper), StatusCode::CONFLICT).await
        }
    }
}

/// The page. `other` is what the file says by now, if somebody else was faster; then saving once more replaces it.
async fn page(
    reader: &Reader,
    bench: &Bench,
    name: &str,
    text: &str,
    opened: &str,
    other: Option<&Paper>,
    status: StatusCode,
) -> Result<HttpResponse, Problem> {
    let head = head(reader, bench, name, "edit")?;
    let line: Option<u32> = reader.asked("line").and_then(|line| line.parse().ok());
    let conflict: Option<Json> = other.map(|other| json!({ "lines": lines::differences(&other.text, text) }));
    let body = json!({
        "flow": head,
        "text": text,
        "opened": opened,
        "is_changed": sha256_hex(text) != opened,
        "line": line,
        "words": schema::vocabulary().to_string(),
        "conflict": conflict,
        "checked": told::checked(bench, name),
    });
    reader.page_with(status, "console/flow_edit", body).await
}
