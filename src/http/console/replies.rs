//! Prepared answers: those of the file to be read, those of the console to be written.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::frame::{Reader, see_done};
use crate::base::diagnostic::Report;
use crate::base::localized::Localized;
use crate::chat;
use crate::chat::live::replies::Reply;
use crate::chat::live::written::{self, Draft};
use crate::http::error::Problem;
use crate::privacy::audit::{self, By};

/// The page itself.
const PATH: &str = "/console/replies";

/// A reply as the page's form tells it.
#[derive(Deserialize)]
pub struct Form {
    /// The shortcut that it has had so far; empty for a new one.
    #[serde(default)]
    was: String,
    shortcut: String,
    title_en: String,
    title_es: String,
    text_en: String,
    text_es: String,
}

impl Form {
    fn draft(&self) -> Draft {
        let words = |en: &str, es: &str| Localized::new(lines(en), lines(es));
        Draft {
            shortcut: self.shortcut.trim().trim_start_matches('/').to_owned(),
            title: words(&self.title_en, &self.title_es),
            text: words(&self.text_en, &self.text_es),
        }
    }
}

/// As it was typed, with the line breaks of texts instead of those of forms.
fn lines(text: &str) -> String {
    text.trim().replace("\r\n", "\n")
}

/// `GET /console/replies`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    page(&reader, StatusCode::OK, None).await
}

/// `POST /console/replies`: writes one, or shows what is wrong with it beside what was typed.
pub async fn write(reader: Reader, form: web::Form<Form>) -> Result<HttpResponse, Problem> {
    let draft = form.draft();
    let was = Some(form.was.as_str()).filter(|was| !was.is_empty());
    let mut tx = reader.app.stores.db.begin().await?;
    match written::write(&mut tx, &reader.app.replies, was, &draft, reader.account.id, reader.now).await {
        Ok(()) => {}
        Err(chat::Error::MessageInvalid(problem)) => {
            drop(tx);
            let tried = Tried { was: was.unwrap_or_default(), draft: &draft, problem: &problem };
            return page(&reader, StatusCode::UNPROCESSABLE_ENTITY, Some(&tried)).await;
        }
        Err(error) => return Err(error.into()),
    }
    let by = By::Account(reader.account.id);
    audit::changed(&mut tx, by, json!({ "reply": draft.shortcut }), reader.now).await?;
    tx.commit().await?;
    Ok(see_done(PATH, "reply"))
}

/// `POST /console/replies/{shortcut}/delete`.
pub async fn forget(reader: Reader, shortcut: web::Path<String>) -> Result<HttpResponse, Problem> {
    let mut tx = reader.app.stores.db.begin().await?;
    written::forget(&mut tx, &shortcut).await?;
    let by = By::Account(reader.account.id);
    audit::changed(&mut tx, by, json!({ "reply": *shortcut }), reader.now).await?;
    tx.commit().await?;
    Ok(see_done(PATH, "deleted"))
}

/// What was typed and could not be taken.
struct Tried<'a> {
    was: &'a str,
    draft: &'a Draft,
    problem: &'a str,
}

async fn page(
    reader: &Reader,
    status: StatusCode,
    tried: Option<&Tried<'_>>,
) -> Result<HttpResponse, Problem> {
    let file = &reader.app.replies;
    let language = reader.account.language;
    let of_file: Vec<Json> = file
        .all()
        .iter()
        .map(|reply| {
            let (title, text) = (reply.title.get(language), reply.source());
            json!({ "shortcut": reply.shortcut, "title": title, "text": text.get(language) })
        })
        .collect();
    let of_console: Vec<Json> = written::written(&mut reader.app.stores.db.read())
        .await?
        .into_iter()
        .map(|reply| {
            let here = tried.filter(|tried| tried.was == reply.draft.shortcut);
            let report = Report::new();
            // What was sound when it was written may not be so any more.
            let is_used =
                file.find(&reply.draft.shortcut).is_none() && Reply::of(&reply.draft, &report).is_some();
            json!({
                "shortcut": reply.draft.shortcut,
                "title": reply.draft.title.get(language),
                "text": reply.draft.text.get(language),
                "at": reply.changed_at,
                "by": reply.changed_by,
                "is_used": is_used,
                "form": fields(&reply.draft.shortcut, here.map_or(&reply.draft, |tried| tried.draft), here),
            })
        })
        .collect();
    let fresh = tried.filter(|tried| tried.was.is_empty());
    let blank = Draft::default();
    let body = json!({
        "file": of_file,
        "written": of_console,
        "fresh": fields("", fresh.map_or(&blank, |tried| tried.draft), fresh),
    });
    reader.page_with(status, "console/replies", body).await
}

fn fields(was: &str, draft: &Draft, tried: Option<&Tried<'_>>) -> Json {
    json!({
        "was": was,
        "name": if was.is_empty() { "new" } else { was },
        "shortcut": draft.shortcut,
        "title_en": draft.title.en,
        "title_es": draft.title.es,
        "text_en": draft.text.en,
        "text_es": draft.text.es,
        "problem": tried.map(|tried| tried.problem),
    })
}
