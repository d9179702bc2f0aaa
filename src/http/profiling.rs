//! `/profile/{token}`: no more profile. Seeing the page changes nothing, the button does.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::error::Problem;
use super::pages::{Frame, reading};
use super::request::{Proxies, seen};
use super::{Shared, people};
use crate::base::ids::ContactId;
use crate::base::signing::{Purpose, TokenError};
use crate::contacts::{self, Seen};
use crate::privacy::{self, audit::By};

/// Mounts the door.
pub fn routes(doors: &mut web::ServiceConfig) {
    let door = web::resource("/profile/{token}");
    doors.service(door.route(reading().to(show)).route(web::post().to(object)));
}

async fn show(app: Shared, request: HttpRequest, token: web::Path<String>) -> HttpResponse {
    let frame = Frame::of(&app, &request, None);
    match opened(&app, &token) {
        Ok(_) => page(&frame, &token, false),
        Err(problem) => frame.problem(&problem),
    }
}

async fn object(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    token: web::Path<String>,
) -> HttpResponse {
    let frame = Frame::of(&app, &request, None);
    match objected(&app, &token, &seen(&proxies, &request)).await {
        Ok(()) => page(&frame, &token, true),
        Err(problem) => frame.problem(&problem),
    }
}

fn page(frame: &Frame<'_>, token: &str, done: bool) -> HttpResponse {
    let action = format!("/profile/{token}?lang={}", frame.language.code());
    frame.page(StatusCode::OK, "pages/profiling", json!({ "done": done, "action": action }))
}

/// Whose link it is.
fn opened(app: &Shared, token: &str) -> Result<ContactId, Problem> {
    let claims = app.keys.verify(Purpose::Objection, token, app.clock.now())?;
    let contact = claims.contact.as_deref().and_then(|text| ContactId::parse(text).ok());
    contact.filter(|_| claims.subject == privacy::PROFILING).ok_or_else(|| TokenError::Forged.into())
}

async fn objected(app: &Shared, token: &str, seen: &Seen) -> Result<(), Problem> {
    let contact = opened(app, token)?;
    let mut tx = app.stores.db.begin().await?;
    contacts::find(&mut tx, contact).await?.ok_or(contacts::Error::Unknown)?;
    people::set_profiling(app, &mut tx, contact, true, Some(seen), By::Contact).await?;
    tx.commit().await?;
    Ok(())
}
