//! How long what is kept, and what would go now.

use actix_web::HttpResponse;
use serde_json::{Value as Json, json};

use super::super::frame::Reader;
use crate::app::App;
use crate::http::error::Problem;
use crate::ingest;
use crate::privacy::retention;

/// `GET /console/retention`. It only counts: what is too old goes by itself, four times a day.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let (app, now) = (&reader.app, reader.now);
    let settings = &app.config.retention;
    let (later, lifecycle) = (App::later_tables(), app.lifecycle.clone());
    let due = retention::retain(&app.stores, &app.keys, &lifecycle, &later, settings, now, true).await?;
    let kinds = [
        ("unconverted_leads", settings.unconverted_lead_days),
        ("transcripts", settings.transcript_days),
        ("activities", settings.activity_days),
        ("mails", settings.mail_days),
        ("audit", settings.audit_days),
    ];
    let kinds = kinds.map(|(word, days)| {
        let count = due.iter().find(|kind| kind.kind == word).map(|kind| kind.count);
        json!({ "word": word, "days": days, "count": count })
    });
    let outdated = ingest::retain(&app.stores, &app.words, &app.sites, now, true).await?;
    let sites: Vec<Json> = app
        .sites
        .all()
        .map(|site| {
            let surplus = outdated.iter().find(|one| one.site == site.key).map(|one| &one.surplus);
            json!({
                "name": site.name, "days": site.keep_days, "hits": surplus.map(|surplus| surplus.hits),
                "visits": surplus.map(|surplus| surplus.visits),
            })
        })
        .collect();
    reader.page("console/retention", json!({ "kinds": kinds, "sites": sites })).await
}
