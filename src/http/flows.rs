//! The doors of the flows: `/api/v1/flows`, which run and how they look; reading the files again.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::Shared;
use super::api::authorised;
use super::error::Problem;
use crate::app::Reloaded;
use crate::base::language::Language;
use crate::chat;
use crate::chat::graph::{self, Graph};

/// Mounts the doors.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors
        .route("/api/v1/flows", web::get().to(list))
        .route("/api/v1/flows/reload", web::post().to(reload))
        .route("/api/v1/flows/{flow}/graph", web::get().to(drawn));
}

/// `GET /api/v1/flows`: the flows that run, and why the files as they are now do not, if they do not.
async fn list(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let running = app.room.flows.now();
    let flows: Vec<_> = running
        .all()
        .iter()
        .map(|flow| {
            json!({
                "id": flow.id,
                "title": flow.title,
                "version": flow.version,
                "languages": flow.languages.iter().map(|language| language.code()).collect::<Vec<_>>(),
                "steps": flow.own_steps().count(),
            })
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({
        "digest": running.digest(), "flows": flows, "problem": app.room.flows.problem(),
    })))
}

/// `POST /api/v1/flows/reload`: reads the files again. 422 if they are wrong; then what ran before still runs.
async fn reload(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let reloaded = app.reload_flows().await.map_err(|error| {
        tracing::error!(error = %error, "the flows cannot be read again");
        Problem::from(chat::Error::from(crate::storage::Error::Unavailable("flows".to_owned())))
    })?;
    let word = match reloaded {
        Reloaded::Same => "same",
        Reloaded::Replaced => "replaced",
        Reloaded::Refused(problem) => return Err(Problem::new("chat.flows_wrong", problem)),
    };
    Ok(HttpResponse::Ok().json(json!({ "outcome": word, "digest": app.room.flows.now().digest() })))
}

/// `GET /api/v1/flows/{flow}/graph`: a drawing of it, as SVG.
async fn drawn(app: Shared, request: HttpRequest, flow: web::Path<String>) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let running = app.room.flows.now();
    let flow = running.find(&flow).ok_or(chat::Error::FlowUnknown)?;
    let drawn = graph::svg(&Graph::of(flow, Language::En));
    Ok(HttpResponse::Ok()
        .content_type("image/svg+xml")
        .insert_header((CACHE_CONTROL, "no-store"))
        // The drawing brings its own colours and nothing else.
        .insert_header((CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"))
        .body(drawn))
}
