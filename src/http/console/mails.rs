//! Every mail as its reader would see it, filled with its example.

use actix_web::http::header::{CONTENT_SECURITY_POLICY, ContentType};
use actix_web::{HttpResponse, web};
use serde_json::{Value as Json, json};

use super::frame::Reader;
use super::outbox::POLICY;
use crate::base::language::Language;
use crate::http::error::Problem;
use crate::notify::preview::{Preview, preview};

/// `GET /console/mails`.
pub async fn list(reader: Reader) -> Result<HttpResponse, Problem> {
    let mut mails = Vec::new();
    for (name, is_own) in reader.app.desk.wording.names() {
        let language = reader.account.language;
        let (shown, title) = (of(&reader, name, language)?, reader.app.desk.wording.title(name, language));
        mails.push(json!({ "name": name, "title": title, "own": is_own, "subject": shown.subject }));
    }
    // The company's own come first: those are the ones that somebody works on.
    mails.sort_by_key(|mail| mail.get("own").and_then(Json::as_bool));
    reader.page("console/mails", json!({ "mails": mails })).await
}

/// `GET /console/mails/{name}?lang=en|es&part=html|text`.
pub async fn show(reader: Reader, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let language = language(&reader);
    let shown = of(&reader, &name, language)?;
    let part = if reader.asked("part").as_deref() == Some("text") { "text" } else { "html" };
    let choices = |names: &[&str], current: &str| -> Vec<Json> {
        names.iter().map(|name| json!({ "name": name, "current": *name == current })).collect()
    };
    let body = json!({
        "name": *name,
        "subject": shown.subject,
        "text": shown.text,
        "shown_in": language.code(),
        "part": part,
        "parts": choices(&["html", "text"], part),
        "languages": choices(&["en", "es"], language.code()),
    });
    reader.page("console/mail_preview", body).await
}

/// `GET /console/mails/{name}/html?lang=en|es`: the mail alone, for the frame.
pub async fn html(reader: Reader, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let shown = of(&reader, &name, language(&reader))?;
    Ok(HttpResponse::Ok()
        .insert_header(ContentType::html())
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .body(shown.html))
}

fn language(reader: &Reader) -> Language {
    reader.asked("lang").and_then(|tag| Language::of_tag(&tag)).unwrap_or(reader.account.language)
}

fn of(reader: &Reader, name: &str, language: Language) -> Result<Preview, Problem> {
    let desk = &reader.app.desk;
    let postal = desk.topics.sending.postal.get(language);
    let shown = preview(&desk.templates, &desk.wording, postal, name, language).map_err(|error| {
        tracing::error!(error = %error, mail.name = name, "a mail cannot be shown");
        Problem::new("internal", "The mail cannot be shown.")
    })?;
    shown.ok_or_else(|| Problem::new("mail.unknown", "Choose one from the list."))
}
