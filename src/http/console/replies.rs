//! Prepared answers: those of the file to be read, those of the console to be written.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::frame::{Reader, see_done};
use crate::base::diagnostic::Report;
use crate::base::localized::Localized;
use crate::base::time::Timestamp;
use crate::chat;
use crate::chat::live::replies::Reply;
use crate::chat::live::written::{self, Draft, Written};
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
    /// When it was written as the form's page showed it, in milliseconds; none for a new one.
    seen: Option<i64>,
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
    if let (Some(was), Some(seen)) = (was, form.seen) {
        let standing = written::standing(&mut tx, was).await?;
        if standing.as_ref().map(|reply| reply.changed_at.as_ms()) != Some(seen) {
            drop(tx);
            // Once it is gone, hers is a new one.
            let was = standing.as_ref().map_or("", |reply| reply.draft.shortcut.as_str());
            let why = Why::Changed(standing.as_ref());
            return page(&reader, StatusCode::CONFLICT, Some(&Tried { was, draft: &draft, why })).await;
        }
    }
    match written::write(&mut tx, &reader.app.replies, was, &draft, reader.account.id, reader.now).await {
        Ok(()) => {}
        Err(chat::Error::MessageInvalid(problem)) => {
            drop(tx);
            let why = Why::Wrong(&problem);
            let tried = Tried { was: was.unwrap_or_default(), draft: &draft, why };
            return page(&reader, StatusCode::UNPROCESSABLE_ENTITY, Some(&tried)).await;
        }
        Err(error) => return Err(error.into()),
    }
    let by = By::Account(reader.account.id);
    audit::changed(&mut tx, by, json!({ "reply": draft.shortcut }), reader.now).await?;
    tx.commit().await?;
    Ok(see_done(PATH, "reply"))
}

/// Which text of a reply was looked at.
#[derive(Deserialize)]
pub struct Looked {
    seen: Option<i64>,
}

/// `POST /console/replies/{shortcut}/delete`: not if somebody has written another text meanwhile; then it is shown.
pub async fn forget(
    reader: Reader,
    shortcut: web::Path<String>,
    looked: web::Form<Looked>,
) -> Result<HttpResponse, Problem> {
    let mut tx = reader.app.stores.db.begin().await?;
    let standing = written::standing(&mut tx, &shortcut).await?;
    if let (Some(standing), Some(seen)) = (&standing, looked.seen)
        && standing.changed_at.as_ms() != seen
    {
        drop(tx);
        let draft = standing.draft.clone();
        let tried = Tried { was: &standing.draft.shortcut, draft: &draft, why: Why::Changed(None) };
        return page(&reader, StatusCode::CONFLICT, Some(&tried)).await;
    }
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
    why: Why<'a>,
}

/// Why it was not taken.
enum Why<'a> {
    /// What is wrong with it.
    Wrong(&'a str),
    /// Somebody else has written it anew meanwhile, or deleted it; with what stands there now, if that is not shown yet.
    Changed(Option<&'a Written>),
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
                "form": fields(
                    (&reply.draft.shortcut, Some(reply.changed_at)),
                    here.map_or(&reply.draft, |tried| tried.draft),
                    here,
                ),
            })
        })
        .collect();
    let fresh = tried.filter(|tried| tried.was.is_empty());
    let blank = Draft::default();
    let body = json!({
        "file": of_file,
        "written": of_console,
        "fresh": fields(("", None), fresh.map_or(&blank, |tried| tried.draft), fresh),
    });
    reader.page_with(status, "console/replies", body).await
}

/// The form of a reply that was written `at`; both are empty for a new one.
fn fields((was, at): (&str, Option<Timestamp>), draft: &Draft, tried: Option<&Tried<'_>>) -> Json {
    let (problem, changed) = match tried.map(|tried| &tried.why) {
        Some(Why::Wrong(problem)) => (Some(*problem), None),
        Some(Why::Changed(now)) => (None, Some(*now)),
        None => (None, None),
    };
    let told = |reply: &Written| {
        let draft = &reply.draft;
        json!({
            "by": reply.changed_by, "at": reply.changed_at, "shortcut": draft.shortcut,
            "title_en": draft.title.en, "title_es": draft.title.es,
            "text_en": draft.text.en, "text_es": draft.text.es,
        })
    };
    json!({
        "was": was,
        "seen": at,
        "is_open": tried.is_some(),
        "is_changed": changed.is_some(),
        "now": changed.flatten().map(told),
        "name": if was.is_empty() { "new" } else { was },
        "shortcut": draft.shortcut,
        "title_en": draft.title.en,
        "title_es": draft.title.es,
        "text_en": draft.text.en,
        "text_es": draft.text.es,
        "problem": problem,
    })
}
