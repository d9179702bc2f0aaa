//! How the server does: its stores, what waits, what is broken, how much room is left.

use std::path::Path;

use actix_web::HttpResponse;
use serde_json::{Value as Json, json};

use super::super::frame::Reader;
use crate::base::time::{TZDB, tzdb_old_days};
use crate::http::error::Problem;
use crate::http::ops::Readiness;
use crate::jobs::queue;
use crate::reports::attention;
use crate::telemetry::metrics::resident_bytes;

/// Less of the disk than this many percent is told.
const LITTLE: u64 = 10;
const MEBIBYTE: u64 = 1024 * 1024;

/// `GET /console/health`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let app = &reader.app;
    let found = Readiness::of(app).await;
    let storage = &app.config.storage;
    let has_redis = !storage.redis.is_empty();
    let part =
        |word: &str, is_fine: bool, kind: &str| json!({ "word": word, "is_fine": is_fine, "kind": kind });
    let hot = if has_redis { "redis" } else { "memory" };
    let stores = [
        part("database", found.database, app.stores.db.engine()),
        part("hits", found.hits, app.stores.hits.engine()),
        part("hot", found.hot, hot),
        part("definitions", app.fallback.is_none(), ""),
        part("flows", app.room.flows.problem().is_none(), ""),
    ];
    // Whoever looks because the database is away must see the page all the same.
    let reads = &mut app.stores.db.read();
    let depths = queue::depth(reads, reader.now).await.unwrap_or_default();
    let troubles = attention::attention(reads, reader.now).await.unwrap_or_default();
    let of = |kind: &str| troubles.iter().find(|one| one.kind == kind).map_or(0, |one| one.count);
    let channels: Vec<Json> = depths
        .iter()
        .map(|depth| {
            json!({
                "channel": word_of(&depth.channel), "due": depth.due, "later": depth.later, "dead": depth.dead,
                "oldest_due": depth.oldest_due,
            })
        })
        .collect();
    let disk = disk(&storage.data);
    let is_full = disk.as_ref().is_some_and(|disk| disk["is_little"] == true);
    let waits_for_somebody = depths.iter().any(|depth| depth.dead > 0)
        || of("stale_calendars") + of("failing_calendars") > 0
        || is_full;
    let body = json!({
        "waits_for_somebody": waits_for_somebody,
        "is_ready": found.is_ready(),
        "stores": stores,
        "channels": channels,
        "journal_waiting": app.stores.journal.waiting(),
        "stale_calendars": of("stale_calendars"),
        "failing_calendars": of("failing_calendars"),
        "mail_leaves": app.desk.mailer.leaves(),
        "version": env!("CARGO_PKG_VERSION"),
        "tzdb": TZDB.0,
        "tzdb_old_days": tzdb_old_days(reader.now),
        "lifecycle": app.lifecycle.version,
        "memory_mib": resident_bytes().map(|bytes| bytes / MEBIBYTE),
        "disk": disk,
        "public_url": app.own_origin(),
    });
    reader.page("console/health", body).await
}

/// The word that the texts have for a channel.
fn word_of(channel: &str) -> &str {
    match channel {
        "calendar" | "console" | "crm" | "hook" | "mail" | "push" | "webhook" => channel,
        _ => "other",
    }
}

/// How much room the data folder's disk has, in mebibytes; none if the system does not say.
fn disk(folder: &Path) -> Option<Json> {
    let found = rustix::fs::statvfs(folder).ok()?;
    let all = found.f_blocks.checked_mul(found.f_frsize)?;
    let free = found.f_bavail.checked_mul(found.f_frsize)?;
    Some(json!({
        "free_mib": free / MEBIBYTE,
        "all_mib": all / MEBIBYTE,
        "is_little": free.saturating_mul(100) < all.saturating_mul(LITTLE),
    }))
}
