//! Segments: who belongs, in words; what asking costs, what changed lately, and when time alone changes something next.

use actix_web::{HttpResponse, web};
use serde_json::{Value as Json, json};

use super::frame::{Reader, address, pages};
use crate::base::time::DAY_MS;
use crate::http::error::Problem;
use crate::privacy::audit;
use crate::reports::Extent;
use crate::scoring::words::Words;
use crate::segments::{self, Segment, Standing};

/// Changes of so many days are told.
const LATELY_DAYS: i64 = 7;
/// Changes that are looked through at most.
const CHANGES_MOST: i64 = 20_000;
/// People who are asked about to see what it costs.
const ASKED_MOST: i64 = 200;
/// People on one page.
const PAGE: i64 = 50;

/// `GET /console/segments[?costs=1]`.
pub async fn list(reader: Reader) -> Result<HttpResponse, Problem> {
    let (app, now) = (&reader.app, reader.now);
    let reads = &mut app.stores.db.read();
    let standings = segments::standings(reads).await?;
    let since = now.plus_ms(-LATELY_DAYS * DAY_MS);
    let changes = segments::changes_since(reads, since, CHANGES_MOST).await?;
    // What asking took on this server so far, or what it takes now if somebody wants to know.
    let measured = match reader.asked("costs") {
        Some(_) => Some(segments::measure(reads, &app.lifecycle, &app.desk.segments, ASKED_MOST, now).await?),
        None => None,
    };
    let costs = measured.as_ref().unwrap_or(&app.desk.segment_costs);
    let mut rows: Vec<Json> = Vec::new();
    for segment in &app.desk.segments.segments {
        let fill = segments::fill_of(reads, &segment.id).await?;
        let is_filled = fill.is_some_and(|fill| fill.is_done && fill.hash == segment.hash);
        let change = changes.get(&segment.id).copied().unwrap_or_default();
        let mut row = described(&reader, segment, standings.get(&segment.id).copied().unwrap_or_default());
        if let Json::Object(row) = &mut row {
            row.insert("is_filled".to_owned(), json!(is_filled));
            row.insert("came".to_owned(), json!(change.came));
            row.insert("went".to_owned(), json!(change.went));
            row.insert("cost_us".to_owned(), json!(costs.mean_us(&segment.id)));
            row.insert("asked".to_owned(), json!(costs.of(&segment.id).evaluations));
        }
        rows.push(row);
    }
    let body = json!({ "segments": rows, "is_measured": measured.is_some(), "days": LATELY_DAYS });
    reader.page("console/segments", body).await
}

fn described(reader: &Reader, segment: &Segment, standing: Standing) -> Json {
    let language = reader.account.language;
    json!({
        "id": segment.id,
        "label": segment.label.get(language),
        "words": Words::of(language).condition(&segment.condition),
        "condition": segment.condition.text(),
        "members": standing.members,
        "came_at": standing.came_at,
        "due_at": standing.due_at,
    })
}

/// `GET /console/segments/{segment}?page=…`: who belongs, the latest to come first.
pub async fn members(reader: Reader, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let (app, now) = (&reader.app, reader.now);
    let segment = app.desk.segments.find(&id);
    let segment = segment.ok_or_else(|| Problem::new("segment.unknown", "There is no such segment."))?;
    let reads = &mut app.stores.db.read();
    let standing = segments::standings(reads).await?.get(&segment.id).copied().unwrap_or_default();
    let page = reader.asked_page();
    let found = segments::members(reads, &segment.id, (page - 1) * PAGE, PAGE).await?;
    if !found.is_empty() {
        let list = format!("segment:{}", segment.id);
        audit::saw_list(&app.stores.db, audit::By::Account(reader.account.id), &list, now).await?;
    }
    let extent = Extent::of(page, PAGE, found.len(), standing.members);
    let path = format!("/console/segments/{}", segment.id);
    let body = json!({
        "segment": described(&reader, segment, standing),
        "members": found,
        "pages": pages(extent, |page| address(&path, &[("page", Some(page.to_string()))])),
    });
    reader.page("console/segment", body).await
}
