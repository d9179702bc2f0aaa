//! What is known about the visitor of a chat, beside it: who she is, how far she has come, what she said, read and booked.

use serde_json::{Value as Json, json};

use super::contact;
use super::frame::Reader;
use crate::base::ids::VisitorId;
use crate::bookings::{self, State};
use crate::contacts::{self, Visit};
use crate::http::error::Problem;
use crate::reports::inbox::Talk;
use crate::reports::timeline;
use crate::stages;

/// The four answers that qualify somebody.
const BANT: [&str; 4] = ["budget", "authority", "need", "timeline"];
/// Other answers that help in a conversation.
const ANSWERS: [&str; 2] = ["job_title", "phone"];
/// Entries of the timeline beside the chat.
const LATELY: usize = 6;
/// Pages that are listed, the latest first.
const PAGES: usize = 8;
/// Visits they are taken from.
const VISITS: i64 = 3;
/// Calls that are listed.
const CALLS: usize = 3;

/// The panel. `contact` is nothing while there is no address.
pub async fn of(reader: &Reader, talk: &Talk, visitor: VisitorId) -> Result<Json, Problem> {
    let reads = &mut reader.app.stores.db.read();
    let known = match talk.contact_id {
        Some(contact) => contacts::find(reads, contact).await?,
        None => None,
    };
    let Some(known) = known else {
        let visits = contacts::visits_of_device(reads, visitor, VISITS).await?;
        return Ok(json!({
            "contact": null, "score": null, "bant": null, "answers": [], "recent": [], "calls": [],
            "pages": pages(&visits),
        }));
    };
    let company = match known.company {
        Some(company) => contacts::company(reads, company).await?.map(|company| company.name),
        None => None,
    };
    let fields = contacts::fields(reads, known.id).await?;
    let value = |name: &str| {
        let field = fields.iter().find(|field| !field.is_suggestion && field.name == name)?;
        let label = reader.app.room.flows.label(&field.name, &field.value, reader.account.language);
        Some(label.unwrap_or_else(|| field.value.clone()))
    };
    let bant: Vec<Json> = BANT.iter().map(|name| json!({ "name": name, "value": value(name) })).collect();
    let answers: Vec<Json> = ANSWERS
        .iter()
        .filter_map(|name| value(name).map(|value| json!({ "name": name, "value": value })))
        .collect();
    let explained = stages::explain(reads, &reader.app.lifecycle, known.id, reader.now).await?;
    let visits = contacts::visits(reads, known.id, reader.now.plus_ms(1), VISITS).await?;
    let names = reader.names();
    let calls: Vec<Json> = bookings::of_contact(reads, known.id)
        .await?
        .into_iter()
        .filter(|booking| booking.state == State::Confirmed)
        .take(CALLS)
        .map(|booking| {
            json!({
                "starts_at": booking.starts_at,
                "rep": names.rep(&booking.rep),
                "ahead": booking.starts_at > reader.now,
                "outcome": booking.outcome,
            })
        })
        .collect();
    let complete = BANT.iter().filter(|name| value(name).is_some()).count();
    Ok(json!({
        "contact": {
            "id": known.id, "name": known.display_name(), "email": known.email, "stage": known.stage,
            "company": company, "first_name": known.first_name, "last_name": known.last_name,
        },
        "score": contact::score(&reader.app.lifecycle, &explained),
        "bant": { "complete": complete, "of": BANT.len(), "answers": bant },
        "answers": answers,
        "recent": timeline::lately(reads, &names, known.id, reader.now, LATELY).await?,
        "calls": calls,
        "pages": pages(&visits),
    }))
}

/// The pages of the latest visits, the latest first.
fn pages(visits: &[Visit]) -> Vec<Json> {
    visits
        .iter()
        .flat_map(|visit| visit.trail.iter().rev())
        .take(PAGES)
        .map(|step| {
            let title = if step.title.is_empty() { &step.path } else { &step.title };
            json!({ "title": title, "path": step.path, "at": step.at })
        })
        .collect()
}
