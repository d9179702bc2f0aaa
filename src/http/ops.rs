//! The operator's door: is it alive, is it ready, what was counted.

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use subtle::ConstantTimeEq;

use super::Shared;
use super::chat::Hub;
use super::error::Problem;
use super::proxies::KNOWN;
use super::request::bearer;
use crate::base::network::Networks;
use crate::telemetry::metrics::{Exposition, resident_bytes};

/// Mounts the door.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors
        .route("/health/live", web::get().to(live))
        .route("/health/ready", web::get().to(ready))
        .route("/metrics", web::get().to(metrics));
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
        // The set that ran before still runs: ready all the same.
        "definitions": if app.fallback.is_some() { "kept" } else { "ok" },
        "flows": if app.room.flows.problem().is_some() { "kept" } else { "ok" },
    });
    if is_ready { HttpResponse::Ok().json(report) } else { HttpResponse::ServiceUnavailable().json(report) }
}

/// What was counted, for Prometheus.
async fn metrics(app: Shared, hub: web::Data<Hub>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    if !app.config.telemetry.metrics {
        return Err(super::not_found());
    }
    if !is_near(&app, &request) && !has_key(&app, &request) {
        return Err(Problem::new("api.key_unknown", "Send one of `api.keys` as a bearer token."));
    }
    let counts = app.collector.counts();
    let mut text = Exposition::default();
    let build = [("version", env!("CARGO_PKG_VERSION")), ("engine", app.stores.db.engine())];
    text.info("embudo_build_info", "The program.", &build);
    text.counter("embudo_hits_accepted_total", "Hits taken for people's.", counts.accepted.sum());
    let help = "Hits taken for machines', by what they were recognised by.";
    text.family("embudo_hits_labelled_total", "reason", help, &counts.labelled);
    let help = "Requests with hits that were refused.";
    text.family("embudo_hits_dropped_total", "reason", help, &counts.dropped);
    let help = "Hits whose time could not be and was put right.";
    text.family("embudo_hits_clamped_total", "reason", help, &counts.clamped);
    text.histogram("embudo_hit_request_seconds", "From a hit's request to its answer.", &counts.took);
    #[allow(clippy::cast_precision_loss, reason = "the disk is full before")]
    let waiting = app.stores.journal.waiting() as f64;
    text.gauge("embudo_journal_groups_waiting", "Groups of hits on disk that are not rows yet.", waiting);
    let help = "Visitors' messages, by what became of them.";
    text.family("embudo_chat_messages_total", "outcome", help, &hub.counts.messages);
    let help = "Readings of a conversation's log that began.";
    text.family("embudo_chat_reads_total", "transport", help, &hub.counts.reads);
    #[allow(clippy::cast_precision_loss, reason = "the sockets are used up before")]
    text.gauge("embudo_chat_lines_open", "Readers of a conversation's log.", hub.open() as f64);
    if let Some(bytes) = resident_bytes() {
        #[allow(clippy::cast_precision_loss, reason = "nobody has that much memory")]
        text.gauge("process_resident_memory_bytes", "Memory in RAM.", bytes as f64);
    }
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    let fresh = (CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(HttpResponse::Ok().content_type(kind).insert_header(fresh).body(text.text()))
}

/// Whether the one who connected may read the metrics without a key, and is not a proxy that asks for somebody else.
fn is_near(app: &Shared, request: &HttpRequest) -> bool {
    let (near, _) = Networks::read(&app.config.telemetry.metrics_from);
    let is_forwarded = KNOWN.iter().any(|name| request.headers().contains_key(*name));
    !is_forwarded && request.peer_addr().is_some_and(|peer| near.contain(peer.ip()))
}

fn has_key(app: &Shared, request: &HttpRequest) -> bool {
    let given = bearer(request).unwrap_or_default().as_bytes();
    app.config.api.keys.iter().any(|key| bool::from(key.expose().as_bytes().ct_eq(given)))
}
