//! The demo's doors: the sample company's site, and the time machine. They exist only in the demo.

use actix_web::http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERER,
};
use actix_web::{HttpRequest, HttpResponse, web};
use rust_embed::RustEmbed;
use serde::Deserialize;
use serde_json::json;

use super::error::Problem;
use super::pages::reading;
use super::request::{header, is_cross_site, origin};
use super::{Shared, not_found};
use crate::base::language::Language;
use crate::base::time::{DAY_MS, MINUTE_MS};

#[derive(RustEmbed)]
#[folder = "demo/site"]
struct Site;

/// The site's own pages keep to this, as a careful owner's would.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Nobody needs to travel farther at once.
const FARTHEST_MS: i64 = 366 * DAY_MS;

/// Mounts the doors.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors
        .service(web::resource("/").route(reading().to(home)))
        .service(web::resource("/demo/clock").route(web::get().to(clock)).route(web::post().to(move_clock)))
        .default_service(reading().to(file));
}

/// The site in the visitor's language.
async fn home(request: HttpRequest) -> HttpResponse {
    let language = Language::of_accept_language(header(&request, ACCEPT_LANGUAGE)).unwrap_or_default();
    HttpResponse::Found().insert_header((LOCATION, format!("/{}/", language.code()))).finish()
}

/// A page or file of the site.
async fn file(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let path = request.path().trim_start_matches('/');
    let path = if path.ends_with('/') { format!("{path}index.html") } else { path.to_owned() };
    let file = Site::get(&path).ok_or_else(not_found)?;
    let kind = match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg") => "image/jpeg",
        _ => "application/octet-stream",
    };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, kind))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(file.data.into_owned()))
}

/// What time it is here.
async fn clock(app: Shared) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({ "now": app.clock.now(), "offset_ms": app.clock.offset_ms() }))
}

#[derive(Deserialize)]
struct Journey {
    advance_ms: Option<i64>,
    to: Option<String>,
}

/// Moves the demo's clock: by a span, to just after the next webinar has closed, or back to the real time.
async fn move_clock(
    app: Shared,
    request: HttpRequest,
    journey: web::Form<Journey>,
) -> Result<HttpResponse, Problem> {
    if is_cross_site(&request) || origin(&request).is_some_and(|origin| !app.sites.any_allows_origin(origin))
    {
        return Err(Problem::new("csrf.failed", "The clock is moved from the demo's own pages."));
    }
    let now = app.clock.now();
    let by_ms = match (journey.to.as_deref(), journey.advance_ms) {
        (Some("reset"), _) => -app.clock.offset_ms(),
        (Some("after-webinar"), _) => {
            let closes =
                app.webinars.webinars.iter().map(|webinar| webinar.closes_at()).filter(|at| *at > now).min();
            closes.map_or(0, |at| at.plus_ms(MINUTE_MS).since_ms(now))
        }
        (None, Some(ms)) if (0..=FARTHEST_MS).contains(&ms) => ms,
        _ => {
            return Err(Problem::new(
                "request.malformed",
                "Give advance_ms (0 to a year) or to=after-webinar, to=reset.",
            ));
        }
    };
    app.clock.advance(by_ms);
    app.remember_clock();
    app.stores.bus.publish(crate::jobs::WAKE, "").await;
    let back = header(&request, REFERER);
    let back = if back.starts_with(app.own_origin()) { back.to_owned() } else { "/".to_owned() };
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, back)).finish())
}
