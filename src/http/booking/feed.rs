//! A rep's calls as a feed that calendar programs subscribe to.

use actix_web::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse, web};
use sha2::{Digest, Sha256};

use crate::accounts;
use crate::bookings::calendars::{self, feed::Feed};
use crate::http::Shared;
use crate::http::error::Problem;
use crate::http::request::header;

/// `GET /cal/{token}.ics`. Whoever has the address may read it; another one is made in the console.
pub async fn show(
    request: HttpRequest,
    app: Shared,
    file: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let token = file.strip_suffix(".ics").unwrap_or(&file);
    let now = app.clock.now();
    let reads = &mut app.stores.db.read();
    let id = calendars::rep_of_feed(reads, &app.keys, token, now).await?;
    let rep = app.team.rep(&id).ok_or(calendars::Error::Unknown)?;
    // Whoever may not come in herself reads no names of visitors by an old address either.
    let account = accounts::find_by_email(reads, &rep.account).await?;
    if account.is_some_and(|account| account.disabled_at.is_some()) {
        return Err(calendars::Error::Unknown.into());
    }
    let entries = calendars::entries(reads, &id, |path| app.link(path), now).await?;
    let language = rep.languages.first().copied().unwrap_or_default();
    let text = Feed { team: &app.team, rep, organizer: &app.desk.from, language }.ics(&entries);
    let digest = Sha256::digest(text.as_bytes());
    let mark: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let etag = format!("\"{mark}\"");
    let known = header(&request, IF_NONE_MATCH);
    // Whoever packs the answer on the way makes a weak mark of it.
    let is_known = known.split(',').any(|one| one.trim().trim_start_matches("W/") == etag);
    let mut answer = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer
        .insert_header((ETAG, etag))
        .insert_header((CACHE_CONTROL, "private, no-cache"))
        .insert_header(("x-robots-tag", "noindex, nofollow"));
    if is_known {
        return Ok(answer.finish());
    }
    Ok(answer
        .insert_header(("content-disposition", "inline; filename=\"calls.ics\""))
        .content_type("text/calendar; charset=utf-8")
        .body(text))
}
