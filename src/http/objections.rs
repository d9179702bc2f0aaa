//! `/u/{token}`: no more invitations. Seeing the page changes nothing; a mail program's one click (RFC 8058) and the
//! page's button are the same POST.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::Shared;
use super::error::Problem;
use super::pages::{Frame, reading};
use crate::base::ids::ContactId;
use crate::base::signing::{Purpose, TokenError};
use crate::contacts;

/// Mounts the door.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors.service(web::resource("/u/{token}").route(reading().to(show)).route(web::post().to(object)));
}

async fn show(app: Shared, request: HttpRequest, token: web::Path<String>) -> HttpResponse {
    let frame = Frame::of(&app, &request, None);
    match opened(&app, &token) {
        Ok(_) => page(&frame, &token, false),
        Err(problem) => frame.problem(&problem),
    }
}

async fn object(app: Shared, request: HttpRequest, token: web::Path<String>) -> HttpResponse {
    let frame = Frame::of(&app, &request, None);
    match objected(&app, &token).await {
        Ok(()) => page(&frame, &token, true),
        Err(problem) => frame.problem(&problem),
    }
}

fn page(frame: &Frame<'_>, token: &str, done: bool) -> HttpResponse {
    let action = format!("/u/{token}?lang={}", frame.language.code());
    frame.page(StatusCode::OK, "pages/objection", json!({ "done": done, "action": action }))
}

/// Whose link it is, and to what it objects.
fn opened(app: &Shared, token: &str) -> Result<(ContactId, String), Problem> {
    let claims = app.keys.verify(Purpose::Objection, token, app.clock.now())?;
    let contact = claims.contact.as_deref().and_then(|id| ContactId::parse(id).ok());
    Ok((contact.ok_or(TokenError::Forged)?, claims.subject))
}

async fn objected(app: &Shared, token: &str) -> Result<(), Problem> {
    let (contact, purpose) = opened(app, token)?;
    let now = app.clock.now();
    let mut tx = app.stores.db.begin().await?;
    contacts::find(&mut tx, contact).await?.ok_or(contacts::Error::Unknown)?;
    if !contacts::has_objected(&mut tx, contact, &purpose).await? {
        contacts::record_consent(&mut tx, Some(contact), None, &purpose, "withdrawn", None, None, now)
            .await?;
    }
    tx.commit().await?;
    Ok(())
}
