//! Today: what somebody does first.

use actix_web::HttpResponse;
use serde_json::{Value as Json, json};

use super::frame::Reader;
use super::{here, start};
use crate::accounts::May;
use crate::base::time::DAY_MS;
use crate::http::error::Problem;
use crate::reports::{attention, calls, fresh, inbox, live};

/// Lines in each part.
const MOST: i64 = 8;

/// `GET /console`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let (names, now) = (reader.names(), reader.now);
    let reads = &mut reader.app.stores.db.read();
    // A link that leads to a refusal helps nobody.
    let calendars = reader.may(May::SetOutcome).then_some("/console/calendars");
    let outbox = reader.may(May::ReadMails).then_some("/console/outbox");
    let mut attention: Vec<Json> = attention::attention(reads, now)
        .await?
        .into_iter()
        .map(|trouble| {
            let (tone, href) = match trouble.kind {
                "open_outcomes" => ("warn", Some("/console/bookings?view=open")),
                "failing_calendars" => ("warn", calendars),
                "stale_calendars" => ("bad", calendars),
                "dead_jobs" | "off_hooks" => ("bad", outbox),
                "late_chats" => ("warn", Some("/console/inbox?view=waiting")),
                _ => ("bad", None),
            };
            json!({ "kind": trouble.kind, "count": trouble.count, "tone": tone, "href": href })
        })
        .collect();
    if reader.app.fallback.is_some() {
        attention.push(json!({ "kind": "definitions", "count": 1, "tone": "bad", "href": null }));
    }
    if reader.app.room.flows.problem().is_some() {
        attention.push(json!({ "kind": "flows", "count": 1, "tone": "bad", "href": "/console/flows" }));
    }
    let calls = calls::between(reads, &names, reader.day_of(now), now).await?;
    let threads = inbox::threads(reads, inbox::View::Open, None, reader.account.id, now).await?;
    let waiting: Vec<Json> = threads
        .into_iter()
        .take(usize::try_from(MOST).unwrap_or(usize::MAX))
        .map(|thread| {
            json!({
                "id": thread.id, "contact_id": thread.contact_id, "name": thread.name, "last": thread.last,
                "mode": thread.mode, "waited_ms": now.since_ms(thread.updated_at),
            })
        })
        .collect();
    let (present, live_count) = live::live(reads, now, here::MOST).await?;
    let fresh = fresh::fresh(reads, &names, now.plus_ms(-7 * DAY_MS), MOST).await?;
    let first_steps = match reader.may(May::Operate) && !reader.app.config.is_demo {
        true => start::standing(&reader).await?.open(),
        false => 0,
    };
    let nobody = calls.is_empty()
        && waiting.is_empty()
        && fresh.is_empty()
        && present.iter().all(|visitor| visitor.contact_id.is_none());
    let body = json!({
        "first_steps": first_steps,
        "attention": attention,
        "calls": calls,
        "waiting": waiting,
        "live": present,
        "live_count": live_count,
        "fresh": fresh,
    });
    reader.saw_list("today", nobody).await?;
    reader.page("console/today", body).await
}
