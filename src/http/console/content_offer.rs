//! An offer on a page of its own: whom it is for, who could take it, and what became of the codes.

use actix_web::{HttpResponse, web};
use serde_json::{Value as Json, json};

use super::frame::Reader;
use crate::accounts::May;
use crate::base::ids::ContactId;
use crate::base::language::Language;
use crate::http::error::Problem;
use crate::offers::{self, Claim, Offer};
use crate::reports::person;
use crate::scoring::words::Words;

/// Codes that are listed.
const LATEST: i64 = 20;
/// People in the right stages and segments that are looked at, of each.
const CANDIDATES: i64 = 5_000;
/// Of those, how many are asked whether the condition holds: each costs as much as a look at her whole history.
const ASKED: usize = 100;

/// `GET /console/content/offers/{offer}[?ask=1]`: with `ask`, the newest are asked whether the offer is for them.
pub async fn show(reader: Reader, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let app = &reader.app;
    let definition = app.offers.now();
    let offer = definition.find(&id).ok_or(offers::Error::Unknown)?;
    let language = reader.account.language;
    let reads = &mut app.stores.db.read();
    let standing = offers::standing(reads, &offer.id, reader.now).await?;
    let candidates = offers::candidates(reads, offer, CANDIDATES).await?;
    let asked = match reader.asked("ask") {
        Some(_) => Some(ask(&reader, offer, &candidates).await?),
        None => None,
    };
    let claims = offers::latest(reads, &offer.id, LATEST).await?;
    let mut latest = Vec::new();
    for claim in claims {
        latest.push(told(&reader, &claim).await?);
    }
    let nobody = latest.is_empty();
    let segments = offer.segments.iter().map(|id| {
        let name = app.desk.segments.find(id).map_or(id.as_str(), |known| known.label.get(language));
        json!({ "id": id, "name": name })
    });
    let is_over = offer.until.is_some_and(|until| until <= reader.now);
    let is_early = offer.from.is_some_and(|from| reader.now < from);
    let left = offer.quota.map(|quota| (quota - standing.taken).max(0));
    let state = match (is_early, is_over, left) {
        (true, _, _) => "early",
        (_, true, _) => "over",
        (_, _, Some(0)) => "gone",
        _ => "open",
    };
    let body = json!({
        "offer": offer.id,
        "title": offer.title.get(language),
        "texts": Language::ALL.map(|one| json!({
            "language": one.code(), "title": offer.title.get(one), "text": offer.text.get(one),
        })),
        "state": state,
        "stages": offer.stages,
        "segments": segments.collect::<Vec<_>>(),
        "condition": offer.condition.as_ref().map(|condition| Words::of(language).condition(condition)),
        "from": offer.from,
        "until": offer.until,
        "quota": offer.quota,
        "left": left,
        "valid_ms": offer.valid_ms,
        "prefix": offer.prefix,
        "candidates": candidates.len(),
        "is_cut": candidates.len() >= usize::try_from(CANDIDATES).unwrap_or(usize::MAX),
        "asked": asked,
        "standing": standing,
        "open_codes": standing.taken - standing.used - standing.expired,
        "latest": latest,
    });
    reader.saw_list(&format!("offer:{}", offer.id), nobody).await?;
    reader.page("console/content_offer", body).await
}

/// How many of the newest candidates could take the offer now.
async fn ask(reader: &Reader, offer: &Offer, candidates: &[ContactId]) -> Result<Json, Problem> {
    let app = &reader.app;
    let (lifecycle, reads) = (app.lifecycle.now(), &mut app.stores.db.read());
    let (mut asked, mut could) = (0, 0);
    for contact in candidates.iter().take(ASKED) {
        asked += 1;
        if offers::may_take(reads, lifecycle, offer, *contact, reader.now).await? {
            could += 1;
        }
    }
    Ok(json!({ "n": asked, "could": could }))
}

async fn told(reader: &Reader, claim: &Claim) -> Result<Json, Problem> {
    let is_expired = claim.expires_at.is_some_and(|at| at <= reader.now);
    let state = match (claim.redeemed_at, is_expired) {
        (Some(_), _) => "used",
        (None, true) => "expired",
        (None, false) => "open",
    };
    // Whoever knows a code can use it up.
    let may_know = reader.may(May::Decide) || reader.may(May::Curate);
    Ok(json!({
        "contact": claim.contact,
        "name": person::called(&mut reader.app.stores.db.read(), claim.contact).await?,
        "code": may_know.then_some(claim.code.as_str()),
        "at": claim.claimed_at,
        "expires_at": claim.expires_at,
        "used_at": claim.redeemed_at,
        "state": state,
    }))
}
