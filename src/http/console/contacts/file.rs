//! Everybody who is found, as a table for other programs.

use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, web};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;

use super::super::frame::Reader;
use super::asked::Asked;
use crate::http::Shared;
use crate::http::error::Problem;
use crate::privacy::audit::{self, By};
use crate::reports::people::{self, Order, Person, Place, Search};
use crate::reports::traffic::csv;
use crate::storage;

/// People in one piece of the file.
const PIECE: usize = 500;

/// The file's columns; the import reads them, too.
const HEAD: [&str; 13] = [
    "email",
    "first_name",
    "last_name",
    "company",
    "job_title",
    "phone",
    "country",
    "language",
    "stage",
    "stage_since",
    "owner",
    "created_at",
    "last_seen_at",
];

/// Who is to stand in the file.
#[derive(Deserialize)]
pub struct Whom {
    #[serde(default)]
    query: String,
}

/// How far the file has come.
struct Writing {
    app: Shared,
    search: Search,
    after: Option<Place>,
    is_begun: bool,
    is_over: bool,
}

impl Writing {
    async fn piece(&mut self) -> storage::Result<String> {
        let reads = &mut self.app.stores.db.read();
        let found = people::find(reads, &self.search, Order::Created, self.after.as_ref(), PIECE).await?;
        let rows = people::rows(reads, &found.ids).await?;
        let text = csv(&HEAD, rows.into_iter().map(row));
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        self.is_over = found.next.is_none();
        self.after = found.next;
        // Each piece is a table of its own with a head; only the first keeps it.
        Ok(if is_first {
            text
        } else {
            text.split_once("\r\n").map_or(text.clone(), |(_, rows)| rows.to_owned())
        })
    }
}

fn row(person: Person) -> Vec<String> {
    let text = |value: Option<String>| value.unwrap_or_default();
    vec![
        person.email,
        text(person.first_name),
        text(person.last_name),
        text(person.company),
        text(person.job_title),
        text(person.phone),
        text(person.country),
        person.language,
        person.stage,
        person.stage_since.to_string(),
        text(person.owner),
        person.created_at.to_string(),
        person.last_seen_at.to_string(),
    ]
}

/// `POST /console/contacts/export`: CSV, written while it is sent. A POST, because it is written down.
pub async fn export(reader: Reader, whom: web::Form<Whom>) -> Result<HttpResponse, Problem> {
    let asked = Asked::read(&reader, &whom.query);
    let reads = &mut reader.app.stores.db.read();
    let first = people::find(reads, &asked.search, Order::Created, None, 1).await?;
    let count = people::count(reads, &asked.search, &first).await?;
    let mut tx = reader.app.stores.db.begin().await?;
    let by = By::Account(reader.account.id);
    let details = json!({ "list": "contacts", "people": count.n, "or_more": count.is_more });
    audit::exported_list(&mut tx, by, details, reader.now).await?;
    tx.commit().await?;
    let writing = Writing {
        app: reader.app.clone(),
        search: asked.search,
        after: None,
        is_begun: false,
        is_over: false,
    };
    let pieces = stream::unfold(writing, |mut writing| async move {
        if writing.is_over {
            return None;
        }
        let piece = writing.piece().await.map(Bytes::from).map_err(|error| {
            // The file breaks off, so that nobody takes it for whole.
            tracing::error!(error = %error, "a list of contacts broke off while it was written");
            writing.is_over = true;
            std::io::Error::other("the list broke off")
        });
        Some((piece, writing))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"contacts.csv\""))
        .streaming(pieces))
}
