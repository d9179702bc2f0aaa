//! `/watch/{token}`: the recordings of a webinar on a page of its own, for whoever was sent there by a mail.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::base::ids::VisitorId;
use crate::base::language::Language;
use crate::base::time::SECOND_MS;
use crate::http::Shared;
use crate::http::error::Problem;
use crate::http::pages::Frame;
use crate::http::request::origin;
use crate::storage::limits::Quota;
use crate::webinars::{self, Recording, Watching};

/// Reports of one link: a player sends one in five seconds.
const REPORTS: Quota = Quota { per_minute: 60, burst: 30 };
/// Most ranges in one report.
const RANGES: usize = 200;

/// `GET /watch/{token}`: the players. Changes nothing: mail scanners open links too.
pub(super) async fn show(app: Shared, request: HttpRequest, token: web::Path<String>) -> HttpResponse {
    let frame = Frame::of(&app, &request, None).mailed(&token);
    let now = app.clock.now();
    let q = &mut app.stores.db.read();
    let showing = match webinars::showing(q, &app.webinars, &app.keys, &token, now).await {
        Ok(showing) => showing,
        Err(error) => return frame.problem(&error.into()),
    };
    let recordings: Vec<Json> = showing
        .recordings
        .iter()
        .map(|recording| {
            let link = webinars::recording_link(&app.keys, recording, Some(showing.contact), now);
            described(recording, &link, frame.language)
        })
        .collect();
    let fields = json!({
        "title": showing.webinar.title.get(frame.language),
        "summary": showing.webinar.description.get(frame.language),
        "recordings": recordings,
        "token": token.as_str(),
    });
    frame.page(StatusCode::OK, "pages/watch", fields)
}

fn described(recording: &Recording, token: &str, language: Language) -> Json {
    let captions = recording.captions.iter().map(|(known, _)| {
        json!({
            "src": format!("/r/{token}/{}.vtt", known.code()),
            "language": known.code(),
            "label": match known { Language::En => "English", Language::Es => "Español" },
            "shown": *known == language,
        })
    });
    #[allow(clippy::cast_possible_truncation, reason = "a recording's seconds are few")]
    let duration_ms = recording.duration_s.round() as i64 * SECOND_MS;
    json!({
        "id": recording.id,
        "title": recording.title.get(language),
        "src": format!("/r/{token}?lang={}", language.code()),
        "poster": recording.poster.as_ref().map(|_| format!("/r/{token}/poster")),
        "captions": captions.collect::<Vec<_>>(),
        "duration_ms": duration_ms,
        "condensed": recording.is_condensed,
    })
}

#[derive(Deserialize)]
struct Seen {
    recording: String,
    #[serde(default)]
    ranges: Vec<(f64, f64)>,
    /// The device, if it may be recognised.
    #[serde(default)]
    visitor: String,
}

/// `POST /watch/{token}`: what was played since the last report. It counts for the person whom the link was made for.
pub(super) async fn seen(
    app: Shared,
    request: HttpRequest,
    token: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, Problem> {
    if origin(&request).is_some_and(|origin| origin != app.own_origin()) {
        return Err(crate::sites::Error::ForeignOrigin.into());
    }
    let now = app.clock.now();
    let showing = webinars::showing(&mut app.stores.db.read(), &app.webinars, &app.keys, &token, now).await?;
    app.stores.limits.check("watch", &showing.contact.to_string(), REPORTS, now).await?;
    let seen: Seen =
        serde_json::from_slice(&body).map_err(|error| Problem::unread("request.malformed", &error))?;
    if showing.recordings.iter().all(|recording| recording.id != seen.recording) {
        return Err(webinars::Error::NoRecording.into());
    }
    let ranges: Vec<(f64, f64)> = seen.ranges.into_iter().take(RANGES).collect();
    let report = Watching {
        recording: &seen.recording,
        visitor: VisitorId::parse(&seen.visitor).ok(),
        contact: Some(showing.contact),
        ranges: &ranges,
    };
    let mut tx = app.stores.db.begin().await?;
    webinars::watch(&mut tx, &app.lifecycle, &app.webinars, &report, now).await?;
    tx.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}
