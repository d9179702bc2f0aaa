//! The doors by which a company's own programs say what a contact did: `/api/v1/events`.
//!
//! Pages report through `/v1/hit`, and nothing that comes from there can pass for what comes through here.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::Shared;
use super::api::authorised;
use super::error::Problem;
use crate::base::email::Email;
use crate::base::ids::ContactId;
use crate::contacts;
use crate::stages::told::{self, Told};

/// Mounts the doors.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors
        .service(
            web::resource("/api/v1/events")
                .app_data(
                    web::JsonConfig::default()
                        .limit(16 * 1024)
                        .error_handler(|error, _| Problem::unread("request.malformed", &error).into()),
                )
                .route(web::post().to(tell)),
        )
        .service(
            web::resource("/api/v1/events/list")
                .app_data(web::PayloadConfig::new(told::LIST_MOST + 1))
                .route(web::post().to(import)),
        );
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    /// The contact's id or address.
    contact: String,
    kind: String,
    id: Option<String>,
    subject: Option<String>,
    #[serde(default)]
    props: Map<String, Json>,
    /// An instant or a day; now if left out.
    at: Option<String>,
}

/// `POST /api/v1/events` with `{"contact": "nikki@acme.example", "kind": "purchase", "id": "order-17"}`: 201, or 200 for an
/// event that was told before.
async fn tell(app: Shared, request: HttpRequest, said: web::Json<Said>) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let said = said.into_inner();
    let at = said.at.map(|text| {
        let detail = format!("`{text}` is no moment: 2026-11-23 or 2026-11-23T09:00:00Z.");
        told::moment(&text).ok_or_else(|| Problem::new("event.invalid", detail))
    });
    let told =
        Told { kind: said.kind, id: said.id, subject: said.subject, props: said.props, at: at.transpose()? };
    let mut tx = app.stores.db.begin().await?;
    let contact = match ContactId::parse(&said.contact) {
        Ok(id) => id,
        Err(_) => {
            let email = Email::parse(&said.contact).map_err(|_| contacts::Error::Unknown)?;
            contacts::find_by_email(&mut tx, &email).await?.ok_or(contacts::Error::Unknown)?.id
        }
    };
    let done = told::tell(&mut tx, &app.lifecycle, contact, "api", &told, app.clock.now()).await?;
    let stage = contacts::find(&mut tx, contact).await?.ok_or(contacts::Error::Unknown)?.stage;
    tx.commit().await?;
    let status = if done.is_repeated { StatusCode::OK } else { StatusCode::CREATED };
    let moves: Vec<Json> = done
        .moves
        .iter()
        .map(|step| {
            let (from, to) = (app.lifecycle.word(&step.from), app.lifecycle.word(&step.to));
            json!({ "from": from, "to": to, "rule": step.rule })
        })
        .collect();
    Ok(HttpResponse::build(status).json(json!({
        "activity": done.activity, "repeated": done.is_repeated, "moves": moves, "stage": app.lifecycle.word(&stage),
    })))
}

/// `POST /api/v1/events/list`: CSV with `email,kind` and perhaps `at,subject,id`. Good lines are taken, bad ones listed.
async fn import(app: Shared, request: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let (lines, unusable) = told::read_list(&body)?;
    let done = told::import(&app.stores.db, &app.lifecycle, &lines, unusable, app.clock.now()).await?;
    Ok(HttpResponse::Ok().json(done))
}
