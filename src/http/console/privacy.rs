//! What a person demands: a copy of all that is known, or to be forgotten; and who has looked.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::frame::{Reader, address};
use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::contacts::{self, Contact};
use crate::http::error::Problem;
use crate::http::people as doors;
use crate::privacy::{self, Erased, audit::By};

/// Entries on one page of the audit.
const PAGE: i64 = 100;

async fn known(reader: &Reader, contact: &str) -> Result<Contact, Problem> {
    let id = ContactId::parse(contact).map_err(|_| contacts::Error::Unknown)?;
    let found = contacts::find(&mut reader.app.stores.db.read(), id).await?;
    Ok(found.ok_or(contacts::Error::Unknown)?)
}

/// `POST /console/contacts/{contact}/export`: a ZIP archive. A POST, because it is written down.
pub async fn export(reader: Reader, contact: web::Path<String>) -> Result<HttpResponse, Problem> {
    let contact = known(&reader, &contact).await?;
    let export = doors::exported(&reader.app, contact.id, By::Account(reader.account.id)).await?;
    doors::download(&export)
}

/// `GET /console/contacts/{contact}/erase`: what would be forgotten.
pub async fn ask(reader: Reader, contact: web::Path<String>) -> Result<HttpResponse, Problem> {
    let contact = known(&reader, &contact).await?;
    let would = doors::erased(&reader.app, contact.id, By::Account(reader.account.id), true).await?;
    page(&reader, &contact, &would).await
}

/// What has to be typed, so that nobody is erased by a slip of the hand.
#[derive(Deserialize)]
pub struct Certain {
    email: String,
}

/// `POST /console/contacts/{contact}/erase`.
pub async fn erase(
    reader: Reader,
    contact: web::Path<String>,
    certain: web::Form<Certain>,
) -> Result<HttpResponse, Problem> {
    let contact = known(&reader, &contact).await?;
    if !certain.email.trim().eq_ignore_ascii_case(contact.email.as_str()) {
        return Err(Problem::new(
            "erase.not_confirmed",
            "Type the address of the contact to confirm that it is the right one.",
        ));
    }
    let done = doors::erased(&reader.app, contact.id, By::Account(reader.account.id), false).await?;
    page(&reader, &contact, &done).await
}

async fn page(reader: &Reader, contact: &Contact, report: &Erased) -> Result<HttpResponse, Problem> {
    let rows = report.rows.iter().map(|(table, rows)| json!({ "table": table, "rows": rows }));
    let body = json!({
        "is_done": !report.is_dry,
        "contact": { "id": contact.id, "name": contact.display_name(), "email": contact.email },
        "rows": rows.collect::<Vec<_>>(),
        "calls_cancelled": report.calls_cancelled,
        "hits": report.hits,
        "visits": report.visits,
        "refusals": report.refusals_kept,
        "remains": report.remains,
        "crm": report.crm,
    });
    reader.page("console/erase", body).await
}

/// `GET /console/audit?before=…`: who saw, exported, erased, merged or changed whom.
pub async fn audit(reader: Reader) -> Result<HttpResponse, Problem> {
    let before = reader.asked("before").and_then(|ms| ms.parse().ok()).map_or(Timestamp(i64::MAX), Timestamp);
    let entries = privacy::audit::list(&mut reader.app.stores.db.read(), None, before, PAGE).await?;
    let is_full = i64::try_from(entries.len()) == Ok(PAGE);
    let older = entries
        .last()
        .filter(|_| is_full)
        .map(|last| address("/console/audit", &[("before", Some(last.at.as_ms().to_string()))]));
    let lines: Vec<Json> = entries
        .into_iter()
        .map(|entry| {
            let kind = entry.actor.split(':').next().unwrap_or_default().to_owned();
            json!({
                "at": entry.at, "who": entry.name, "actor": kind, "action": entry.action,
                "contact": entry.contact, "email": entry.email, "list": entry.details.get("list"),
                "reply": entry.details.get("reply"), "crm": entry.details.get("crm"),
            })
        })
        .collect();
    reader.page("console/audit", json!({ "entries": lines, "older": older })).await
}
