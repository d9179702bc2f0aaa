//! The operator's door: is it alive, is it ready.

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::Shared;

/// Mounts the door.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors.route("/health/live", web::get().to(live)).route("/health/ready", web::get().to(ready));
}

/// The process answers.
async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "live" }))
}

/// The stores answer.
async fn ready(app: Shared) -> HttpResponse {
    let db = app.stores.db.ping().await;
    let hits = app.stores.hits.ping().await;
    let hot = app.stores.hot.get("ready", app.clock.now()).await;
    let is_ready = db.is_ok() && hits.is_ok() && hot.is_ok();
    let word = |is_fine: bool| if is_fine { "ok" } else { "down" };
    let report = json!({
        "status": if is_ready { "ready" } else { "not ready" },
        "database": word(db.is_ok()), "hits": word(hits.is_ok()), "hot": word(hot.is_ok()),
        "engine": app.stores.db.engine(),
    });
    if is_ready { HttpResponse::Ok().json(report) } else { HttpResponse::ServiceUnavailable().json(report) }
}
