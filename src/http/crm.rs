//! The doors that CRMs tell us by.

use actix_web::http::header::HeaderName;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use subtle::ConstantTimeEq;

use super::Shared;
use super::error::Problem;
use super::request::header;
use crate::crm::{self, Connection, NotTaken, Told};
use crate::jobs::{self, queue};

/// Mounts the door.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors.route("/v1/crm/{crm}/{secret}", web::post().to(told));
}

/// The path that a connection is told by, if it is.
pub fn path_of(connection: &Connection) -> Option<String> {
    connection.hook().map(|hook| format!("/v1/crm/{}/{}", connection.name, hook.expose()))
}

/// `POST /v1/crm/{crm}/{secret}`: a deal has changed over there. Whoever does not know the address's secret finds nothing
/// here; the proof that each CRM adds is checked as well. What is none of ours is answered all the same: it would only be
/// told again and again.
async fn told(
    app: Shared,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    body: web::Bytes,
) -> Result<HttpResponse, Problem> {
    let (name, given) = path.into_inner();
    let connection = app.crm.find(&name).ok_or_else(super::not_found)?;
    let is_known: bool =
        connection.hook().is_some_and(|hook| given.as_bytes().ct_eq(hook.expose().as_bytes()).into());
    if !is_known {
        return Err(super::not_found());
    }
    let headers =
        Told::HEADERS.map(|name| (name, header(&request, HeaderName::from_static(name)).to_owned()));
    // As it is known outside, whatever stands in front of us has made of it.
    let url = app.link(request.uri().path_and_query().map_or("", |path| path.as_str()));
    let told = Told { url: &url, headers: &headers, body: &body };
    let now = app.clock.now();
    let mut tx = app.stores.db.begin().await?;
    let taken = crm::take(connection, &mut tx, &told, now).await.map_err(|error| match error {
        NotTaken::Forged => {
            Problem::new("crm.signature_wrong", "Check the login or the secret of the webhook.")
        }
        NotTaken::Unreadable(why) => Problem::new("request.malformed", why),
        NotTaken::Storage(error) => error.into(),
    })?;
    for planned in &taken.planned {
        let payload = serde_json::to_value(&planned.work)
            .map_err(|error| Problem::new("internal", error.to_string()))?;
        queue::enqueue(&mut tx, crm::JOB, &planned.key, &payload, planned.at, now).await?;
    }
    tx.commit().await?;
    app.stores.bus.publish(jobs::WAKE, "").await;
    Ok(HttpResponse::Ok().json(json!({ "news": taken.planned.len(), "unknown": taken.unknown })))
}
