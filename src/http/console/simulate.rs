//! How somebody stood, or will stand if nothing happens any more: on any day, by any version of the definition.

use actix_web::{HttpResponse, web};
use jiff::civil::Date;
use serde_json::{Value as Json, json};

use super::contact::{explanation, score};
use super::frame::Reader;
use super::lifecycle::version_of;
use crate::base::ids::ContactId;
use crate::base::time::{Timestamp, zone};
use crate::contacts;
use crate::http::error::Problem;
use crate::privacy::audit;
use crate::stages::trial::{self, Move};
use crate::stages::{Definition, versions};

/// The furthest day that can be asked about, in days from now.
const DAYS_MOST: i64 = 3_660;

/// `GET /console/contacts/{contact}/simulate?at=2026-11-01&with=HASH`.
pub async fn show(reader: Reader, contact: web::Path<String>) -> Result<HttpResponse, Problem> {
    let (app, now) = (&reader.app, reader.now);
    let id = ContactId::parse(&contact).map_err(|_| contacts::Error::Unknown)?;
    let reads = &mut app.stores.db.read();
    let known = contacts::find(reads, id).await?.ok_or(contacts::Error::Unknown)?;
    let running = app.lifecycle.now();
    let with = reader.asked("with").filter(|hash| *hash != running.hash);
    let definition = match &with {
        Some(hash) => version_of(&reader, hash).await?,
        None => running.clone(),
    };
    let asked = reader.asked("at");
    let at = match &asked {
        Some(day) => moment(&reader, day)?,
        None => now,
    };
    let mut chosen: Vec<(i64, String)> = vec![(running.version, running.hash.clone())];
    chosen.extend(versions::proposals(reads).await?.into_iter().map(|one| (one.version, one.hash)));
    chosen.extend(versions::activations(reads, 20).await?.into_iter().map(|one| (one.version, one.hash)));
    chosen.sort_unstable();
    chosen.dedup();
    let chosen: Vec<Json> = chosen
        .into_iter()
        .map(|(version, hash)| {
            json!({
                "version": version, "short": hash.get(..8), "is_running": hash == running.hash,
                "is_chosen": hash == definition.hash, "hash": hash,
            })
        })
        .collect();
    let zone = zone(&reader.zone()).unwrap_or(jiff::tz::TimeZone::UTC);
    let day = at.to_jiff().to_zoned(zone).date();
    let is_known = at >= known.created_at;
    let told = if is_known { Some(simulated(&reader, &definition, id, at).await?) } else { None };
    audit::saw(&app.stores.db, audit::By::Account(reader.account.id), id, now).await?;
    let body = json!({
        "contact": { "id": known.id, "name": known.display_name(), "created_at": known.created_at },
        "day": day.to_string(),
        "at": at,
        "is_ahead": at > now,
        "is_other": with.is_some(),
        "version": definition.version,
        "versions": chosen,
        "told": told,
    });
    reader.page("console/simulate", body).await
}

async fn simulated(
    reader: &Reader,
    definition: &Definition,
    contact: ContactId,
    at: Timestamp,
) -> Result<Json, Problem> {
    let (db, now) = (&reader.app.stores.db, reader.now);
    let told = trial::simulate(db, definition, contact, at, now).await?;
    let moves = trial::replayed(db, definition, contact, at).await?;
    let language = reader.account.language;
    let step = |step: &Move| {
        json!({
            "at": step.at, "to": step.to, "rule": super::lifecycle::rule(definition, &step.rule, language),
            "label": definition.stage(&step.to).map(|stage| stage.label.get(language)),
        })
    };
    Ok(json!({
        "stage": told.stage,
        "recorded": told.explanation.stage.id,
        "score": score(definition, &told.explanation),
        "explanation": explanation(reader, &told.explanation),
        "moves": told.moves.iter().map(step).collect::<Vec<_>>(),
        "would": moves.iter().map(step).collect::<Vec<_>>(),
        "later_fields": told.explanation.later_fields,
    }))
}

/// The end of a day of the reader's; of today, now.
fn moment(reader: &Reader, day: &str) -> Result<Timestamp, Problem> {
    let wrong =
        || Problem::new("lifecycle.question_invalid", format!("`{day}` is no day: write 2026-11-01."));
    let date: Date = day.parse().map_err(|_| wrong())?;
    let zone = zone(&reader.zone()).unwrap_or(jiff::tz::TimeZone::UTC);
    let today = reader.now.to_jiff().to_zoned(zone.clone()).date();
    if date == today {
        return Ok(reader.now);
    }
    let midnight = date.tomorrow().and_then(|next| next.to_zoned(zone)).map_err(|_| wrong())?;
    let at = Timestamp::from_jiff(midnight.timestamp()).plus_ms(-1);
    let most_ms = DAYS_MOST * crate::base::time::DAY_MS;
    if (-most_ms..=most_ms).contains(&at.since_ms(reader.now)) { Ok(at) } else { Err(wrong()) }
}
