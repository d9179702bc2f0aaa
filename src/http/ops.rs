//! The operator's door: is it alive, is it ready, what was counted.

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use serde_json::json;

use super::Shared;
use super::api::Granted;
use super::chat::Hub;
use super::error::Problem;
use super::proxies::KNOWN;
use crate::accounts::{Area, Scope};
use crate::app::App;
use crate::base::network::Networks;
use crate::base::time::{TZDB, Timestamp, tzdb_old_days};
use crate::jobs::queue::{self, Depth};
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

/// Whether the stores answer.
pub struct Readiness {
    pub database: bool,
    pub hits: bool,
    pub hot: bool,
}

impl Readiness {
    /// Asks each of them.
    pub async fn of(app: &App) -> Self {
        Self {
            database: app.stores.db.ping().await.is_ok(),
            hits: app.stores.hits.ping().await.is_ok(),
            hot: app.stores.hot.get("ready", app.clock.now()).await.is_ok(),
        }
    }

    /// Whether all do.
    pub fn is_ready(&self) -> bool {
        self.database && self.hits && self.hot
    }
}

/// The stores answer.
async fn ready(app: Shared) -> HttpResponse {
    let found = Readiness::of(&app).await;
    let is_ready = found.is_ready();
    let word = |is_fine: bool| if is_fine { "ok" } else { "down" };
    let report = json!({
        "status": if is_ready { "ready" } else { "not ready" },
        "database": word(found.database), "hits": word(found.hits), "hot": word(found.hot),
        "engine": app.stores.db.engine(),
        "tzdb_version": TZDB.0,
        // Old zones tell wrong times and stop nothing: ready all the same.
        "tzdb": if tzdb_old_days(app.clock.now()).is_some() { "old" } else { "ok" },
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
    if !is_near(&app, &request) && !has_key(&request) {
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
    let help = "From an entry of a conversation's log to the moment at which a reader that waits is told it.";
    text.histogram("embudo_chat_delivery_seconds", help, &hub.counts.lag);
    tell_talks(&mut text, &app.room.counts);
    let help = "Messages that went out.";
    text.family("embudo_outbox_sent_total", "channel", help, &app.sent.sent);
    let help = "Tries of messages that failed and are followed by another.";
    text.family("embudo_outbox_failed_total", "channel", help, &app.sent.failed);
    let help = "Messages that were given up.";
    text.family("embudo_outbox_given_up_total", "channel", help, &app.sent.dead);
    match queue::depth(&mut app.stores.db.read(), app.clock.now()).await {
        Ok(depths) => tell_depths(&mut text, &depths, app.clock.now()),
        // What was counted in this process is told all the same.
        Err(error) => tracing::warn!(error = %error, "the depth of the outbox cannot be told"),
    }
    if let Some(bytes) = resident_bytes() {
        #[allow(clippy::cast_precision_loss, reason = "nobody has that much memory")]
        text.gauge("process_resident_memory_bytes", "Memory in RAM.", bytes as f64);
    }
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    let fresh = (CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(HttpResponse::Ok().content_type(kind).insert_header(fresh).body(text.text()))
}

#[allow(clippy::cast_precision_loss, reason = "nobody has so many messages, or waits for so long")]
fn tell_depths(text: &mut Exposition, depths: &[Depth], now: Timestamp) {
    let mut gauges = |name: &str, help: &str, value: fn(&Depth, Timestamp) -> f64| {
        let values: Vec<_> = depths.iter().map(|depth| (depth.channel.as_str(), value(depth, now))).collect();
        text.gauges(name, "channel", help, &values);
    };
    gauges("embudo_outbox_due", "Messages that are due or being sent.", |depth, _| depth.due as f64);
    gauges("embudo_outbox_later", "Messages whose time has not come.", |depth, _| depth.later as f64);
    gauges("embudo_outbox_dead", "Messages that were given up and wait for a person.", |depth, _| {
        depth.dead as f64
    });
    gauges("embudo_outbox_oldest_due_seconds", "How long the oldest message is due.", |depth, now| {
        depth.oldest_due.map_or(0.0, |at| now.since_ms(at) as f64 / 1_000.0)
    });
}

#[allow(clippy::cast_precision_loss, reason = "nobody talks so much, or waits for so long")]
fn tell_talks(text: &mut Exposition, counts: &crate::chat::counts::Counts) {
    let turns = counts.turns();
    let labels = |(flow, version, outcome): &'_ (String, String, &'static str)| {
        [("flow", flow.clone()), ("version", version.clone()), ("outcome", (*outcome).to_owned())]
    };
    let turns: Vec<_> = turns.iter().map(|(key, count)| (labels(key), *count as f64)).collect();
    let rows = turns.iter().map(|(labels, count)| {
        (labels.iter().map(|(label, word)| (*label, word.as_str())).collect(), *count)
    });
    let help =
        "Turns of flows, by version and where they led; `unhandled` stays at 0 as long as the checks hold.";
    text.counters("embudo_chat_turns_total", help, rows);
    let waits = counts.waits();
    let help = "Visitors who waited for a person, by how it ended.";
    let rows = waits.iter().map(|(ended, waits)| (vec![("ended", *ended)], waits.count as f64));
    text.counters("embudo_chat_waits_total", help, rows);
    let help = "How long they waited in all.";
    let rows = waits.iter().map(|(ended, waits)| (vec![("ended", *ended)], waits.total_ms as f64 / 1_000.0));
    text.counters("embudo_chat_wait_seconds_total", help, rows);
}

/// Whether the one who connected may read the metrics without a key, and is not a proxy that asks for somebody else.
fn is_near(app: &Shared, request: &HttpRequest) -> bool {
    let (near, _) = Networks::read(&app.config.telemetry.metrics_from);
    let is_forwarded = KNOWN.iter().any(|name| request.headers().contains_key(*name));
    !is_forwarded && request.peer_addr().is_some_and(|peer| near.contain(peer.ip()))
}

fn has_key(request: &HttpRequest) -> bool {
    request
        .extensions()
        .get::<Granted>()
        .is_some_and(|granted| granted.scopes.allow(Scope::read(Area::Metrics)))
}
