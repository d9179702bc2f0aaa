//! The API's doors to what was set apart, and to links that are to open nothing any more.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use crate::base::email::Email;
use crate::base::ids::{ContactId, SubmissionId};
use crate::base::signing::Purpose;
use crate::base::signing::TokenError;
use crate::contacts;
use crate::gates::{self, quarantine};
use crate::http::Shared;
use crate::http::api::{authorised, by};
use crate::http::error::Problem;
use crate::privacy::audit;
use crate::webinars;

/// The most that one answer lists.
const MOST: i64 = 200;

#[derive(Deserialize)]
pub(super) struct Part {
    #[serde(default)]
    limit: Option<i64>,
    #[serde(default)]
    offset: Option<i64>,
}

/// `GET /api/v1/forms/quarantine`: what waits for a person, the latest first.
pub(super) async fn list(
    app: Shared,
    request: HttpRequest,
    part: web::Query<Part>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let (most, skip) = (part.limit.unwrap_or(50).clamp(1, MOST), part.offset.unwrap_or(0).max(0));
    let (submissions, total) = quarantine::list(&mut app.stores.db.read(), most, skip).await?;
    if !submissions.is_empty() {
        audit::saw_list(&app.stores.db, by(&request)?, "quarantine", app.clock.now()).await?;
    }
    Ok(HttpResponse::Ok().json(json!({ "submissions": submissions, "total": total })))
}

/// `POST /api/v1/forms/quarantine/{id}/release`: takes it after all.
pub(super) async fn release(
    app: Shared,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let id = submission_id(&id)?;
    let mut tx = app.stores.db.begin().await?;
    let now = app.clock.now();
    let released = webinars::release(&mut tx, &app.lifecycle, &app.catalog, &app.webinars, id, now).await?;
    tx.commit().await?;
    Ok(HttpResponse::Ok().json(json!({ "submission": released.id, "contact": released.contact })))
}

/// `DELETE /api/v1/forms/quarantine/{id}`: throws it away.
pub(super) async fn delete(
    app: Shared,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let mut tx = app.stores.db.begin().await?;
    quarantine::delete(&mut tx, submission_id(&id)?).await?;
    tx.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

fn submission_id(text: &str) -> Result<SubmissionId, gates::Error> {
    SubmissionId::parse(text).map_err(|_| gates::Error::NotSetApart)
}

#[derive(Deserialize)]
struct Revoking {
    /// One link, as it stands in its address.
    #[serde(default)]
    token: Option<String>,
    /// All links of this person: an id or an address.
    #[serde(default)]
    contact: Option<String>,
    /// All links to this file or recording.
    #[serde(default)]
    subject: Option<String>,
}

/// `POST /api/v1/links/revoke`: takes back one link, or all that were made until now: of a contact, to a file or
/// recording, or of the one to the other.
pub(super) async fn revoke(
    app: Shared,
    request: HttpRequest,
    body: web::Bytes,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let asked: Revoking =
        serde_json::from_slice(&body).map_err(|error| Problem::unread("request.malformed", &error))?;
    let now = app.clock.now();
    let mut tx = app.stores.db.begin().await?;
    match asked {
        Revoking { token: Some(token), contact: None, subject: None } => {
            let known = [Purpose::Asset, Purpose::Recording].into_iter().find_map(|purpose| {
                match app.keys.verify(purpose, &token, now) {
                    Ok(claims) => Some(claims),
                    Err(TokenError::Expired(claims)) => Some(*claims),
                    Err(TokenError::Forged) => None,
                }
            });
            let claims = known.ok_or(gates::Error::LinkUnknown)?;
            gates::revoke(&mut tx, &claims.nonce, now).await?;
        }
        Revoking { token: None, contact, subject } if contact.is_some() || subject.is_some() => {
            let contact = match contact {
                Some(text) => Some(contact_of(&mut tx, &text).await?),
                None => None,
            };
            let is_known = |id: &str| app.catalog.asset(id).is_some() || app.webinars.recording(id).is_some();
            if subject.as_deref().is_some_and(|id| !is_known(id)) {
                return Err(Problem::new("asset.unknown", "There is no file and no recording of this name."));
            }
            gates::revoke_all(&mut tx, contact, subject.as_deref(), now).await?;
        }
        Revoking { .. } => {
            let detail = "Give either token, or contact, subject or both.";
            return Err(Problem::new("request.malformed", detail));
        }
    }
    tx.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn contact_of(tx: &mut crate::storage::db::Tx, text: &str) -> Result<ContactId, Problem> {
    let found = match (ContactId::parse(text), Email::parse(text)) {
        (Ok(id), _) => contacts::find(tx, id).await?,
        (Err(_), Ok(email)) => contacts::find_by_email(tx, &email).await?,
        (Err(_), Err(_)) => None,
    };
    Ok(found.ok_or(contacts::Error::Unknown)?.id)
}
