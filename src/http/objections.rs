//! `/u/{token}`: no more invitations, or no more profile. Seeing the page changes nothing; a mail program's one click (RFC 8058) and the
//! page's button are the same POST.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::error::Problem;
use super::pages::{Frame, reading};
use super::{Shared, people};
use crate::base::ids::ContactId;
use crate::base::signing::{Purpose, TokenError};
use crate::contacts;
use crate::privacy::{self, audit::By};

/// Mounts the door.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors.service(web::resource("/u/{token}").route(reading().to(show)).route(web::post().to(object)));
}

async fn show(app: Shared, request: HttpRequest, token: web::Path<String>) -> HttpResponse {
    let frame = Frame::of(&app, &request, None);
    match opened(&app, &token) {
        Ok((_, purpose)) => page(&frame, &token, &purpose, false),
        Err(problem) => frame.problem(&problem),
    }
}

async fn object(app: Shared, request: HttpRequest, token: web::Path<String>) -> HttpResponse {
    let frame = Frame::of(&app, &request, None);
    match objected(&app, &token).await {
        Ok(purpose) => page(&frame, &token, &purpose, true),
        Err(problem) => frame.problem(&problem),
    }
}

fn page(frame: &Frame<'_>, token: &str, purpose: &str, done: bool) -> HttpResponse {
    let what = if purpose == privacy::PROFILING { "profiling" } else { "objection" };
    let action = format!("/u/{token}?lang={}", frame.language.code());
    frame.page(StatusCode::OK, "pages/objection", json!({ "what": what, "done": done, "action": action }))
}

/// Whose link it is, and to what it objects.
fn opened(app: &Shared, token: &str) -> Result<(ContactId, String), Problem> {
    let claims = app.keys.verify(Purpose::Objection, token, app.clock.now())?;
    let contact = claims.contact.as_deref().and_then(|id| ContactId::parse(id).ok());
    Ok((contact.ok_or(TokenError::Forged)?, claims.subject))
}

async fn objected(app: &Shared, token: &str) -> Result<String, Problem> {
    let (contact, purpose) = opened(app, token)?;
    let now = app.clock.now();
    let mut tx = app.stores.db.begin().await?;
    contacts::find(&mut tx, contact).await?.ok_or(contacts::Error::Unknown)?;
    if purpose == privacy::PROFILING {
        people::set_profiling(app, &mut tx, contact, true, By::Contact).await?;
    } else if !contacts::has_objected(&mut tx, contact, &purpose).await? {
        contacts::record_consent(&mut tx, Some(contact), None, &purpose, "withdrawn", None, None, now)
            .await?;
    }
    tx.commit().await?;
    Ok(purpose)
}
