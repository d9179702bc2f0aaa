//! The mails that were sent, or that wait because no mail server is configured.

use actix_web::http::header::{CONTENT_SECURITY_POLICY, ContentType};
use actix_web::{HttpResponse, web};
use serde_json::{Value as Json, json};

use super::frame::{Reader, address, pages};
use crate::http::error::Problem;
use crate::privacy::audit;
use crate::reports::Extent;
use crate::reports::outbox::{self, Letter, PAGE};

/// A mail brings its own styles and must do nothing else: no script, no form, no request but for its pictures.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; sandbox allow-popups allow-popups-to-escape-sandbox; \
                      form-action 'none'; base-uri 'none'; frame-ancestors 'self'";

/// `GET /console/outbox?page=…`.
pub async fn list(reader: Reader) -> Result<HttpResponse, Problem> {
    let page = reader.asked_page();
    let (mails, total) = outbox::list(&mut reader.app.stores.db.read(), page).await?;
    let extent = Extent::of(page, PAGE, mails.len(), total);
    let body = json!({
        "captured": reader.app.config.mail.smtp.is_empty(),
        "mails": mails,
        "waiting": outbox::waiting(&mut reader.app.stores.db.read(), reader.now).await?,
        "pages": pages(extent, |page| address("/console/outbox", &[("page", Some(page.to_string()))])),
    });
    reader.page("console/outbox", body).await
}

/// `GET /console/outbox/{mail}?part=html|text|calendar`.
pub async fn show(reader: Reader, mail: web::Path<String>) -> Result<HttpResponse, Problem> {
    let letter = find(&reader, &mail).await?;
    let offered = ["html", "text"].into_iter().chain(letter.calendar.as_ref().map(|_| "calendar"));
    let offered: Vec<&str> = offered.collect();
    let asked = reader.asked("part");
    let part = offered.iter().find(|part| asked.as_deref() == Some(**part)).copied().unwrap_or("html");
    let parts: Vec<Json> =
        offered.iter().map(|name| json!({ "name": name, "current": *name == part })).collect();
    let links = links(&letter.text_body);
    let body = json!({ "mail": letter, "part": part, "parts": parts, "links": links });
    reader.page("console/mail", body).await
}

/// `GET /console/outbox/{mail}/html`: the mail alone, for the frame.
pub async fn html(reader: Reader, mail: web::Path<String>) -> Result<HttpResponse, Problem> {
    let letter = find(&reader, &mail).await?;
    Ok(HttpResponse::Ok()
        .insert_header(ContentType::html())
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .body(letter.html_body.replacen("<head>", "<head><base target=\"_blank\">", 1)))
}

async fn find(reader: &Reader, id: &str) -> Result<Letter, Problem> {
    let letter = outbox::letter(&mut reader.app.stores.db.read(), id).await?;
    let letter = letter.ok_or_else(crate::http::not_found)?;
    if let Some(contact) = letter.contact_id {
        let by = audit::By::Account(reader.account.id);
        audit::saw(&reader.app.stores.db, by, contact, reader.now).await?;
    }
    Ok(letter)
}

/// The addresses in a mail's text, each once.
fn links(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for word in text.split_whitespace() {
        let word = word.trim_matches(['<', '>', '(', ')', ',', '.']);
        let is_link = word.starts_with("https://") || word.starts_with("http://");
        if is_link && url::Url::parse(word).is_ok() && !found.contains(&word) {
            found.push(word);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_in_a_mail_is_found_once() {
        let text = "Change it: https://e.example/b/T.\nOr <https://e.example/b/T> or javascript:x (http://a.example)";
        assert_eq!(links(text), ["https://e.example/b/T", "http://a.example"]);
    }
}
