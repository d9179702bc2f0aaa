//! The doors of segments: who belongs to which, and what asking costs.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::Shared;
use super::api::{authorised, by};
use super::error::Problem;
use crate::base::ids::ContactId;
use crate::privacy::audit;
use crate::segments::{self, Segment};

/// People on one page.
const PAGE_MOST: i64 = 200;

/// Mounts the doors.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors
        .route("/api/v1/segments", web::get().to(list))
        .route("/api/v1/contacts/{contact}/segments", web::get().to(of_contact))
        .route("/api/v1/segments/{segment}/members", web::get().to(members));
}

/// `GET /api/v1/segments`: every segment with its people, how often it was asked since this node started, and how long
/// that took.
async fn list(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let mut q = app.stores.db.read();
    let counts = segments::members_count(&mut q).await?;
    let mut told = Vec::new();
    for segment in &app.desk.segments.segments {
        let fill = segments::fill_of(&mut q, &segment.id).await?;
        let is_filled = fill.is_some_and(|fill| fill.is_done && fill.hash == segment.hash);
        let members = counts.get(&segment.id).copied().unwrap_or(0);
        told.push(described(&app, segment, members, is_filled));
    }
    Ok(HttpResponse::Ok().json(json!({ "segments": told })))
}

#[allow(clippy::cast_precision_loss, reason = "microseconds for people to read")]
fn described(app: &Shared, segment: &Segment, members: i64, is_filled: bool) -> Json {
    let cost = app.desk.segment_costs.of(&segment.id);
    let mean_us = (cost.evaluations > 0).then(|| cost.nanoseconds as f64 / 1_000.0 / cost.evaluations as f64);
    json!({
        "id": segment.id,
        "label": segment.label,
        "condition": segment.condition.text(),
        "members": members,
        "complete": is_filled,
        "evaluations": cost.evaluations,
        "mean_us": mean_us.map(|mean| (mean * 10.0).round() / 10.0),
    })
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    from: i64,
}

/// `GET /api/v1/segments/{segment}/members?from=0`: its people, the latest to come first, two hundred at a time.
async fn members(
    app: Shared,
    request: HttpRequest,
    segment: web::Path<String>,
    page: web::Query<Page>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let segment = app.desk.segments.find(&segment);
    let segment = segment.ok_or_else(|| Problem::new("segment.unknown", "There is no such segment."))?;
    let from = page.from.max(0);
    let found = segments::members(&mut app.stores.db.read(), &segment.id, from, PAGE_MOST).await?;
    if !found.is_empty() {
        let list = format!("segment:{}", segment.id);
        audit::saw_list(&app.stores.db, by(&request)?, &list, app.clock.now()).await?;
    }
    let next = (i64::try_from(found.len()).unwrap_or(0) == PAGE_MOST).then_some(from + PAGE_MOST);
    Ok(HttpResponse::Ok().json(json!({ "segment": segment.id, "members": found, "next": next })))
}

/// `GET /api/v1/contacts/{contact}/segments`: what every segment says of her now, and when time alone may change that.
async fn of_contact(
    app: Shared,
    request: HttpRequest,
    contact: web::Path<ContactId>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let (segments, now) = (&app.desk.segments, app.clock.now());
    audit::saw(&app.stores.db, by(&request)?, *contact, now).await?;
    let mut q = app.stores.db.read();
    let answers = segments::ask_about(&mut q, &app.lifecycle, segments, *contact, now).await?;
    Ok(HttpResponse::Ok().json(json!({ "segments": answers })))
}
