//! Which pages of other origins may call which doors.

use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderValue, VARY,
};
use actix_web::{HttpRequest, HttpResponse};

use super::Shared;
use super::request::origin;

/// How long a browser may remember a preflight, in seconds.
const REMEMBERED_S: &str = "7200";

/// Lets any page read the answer; never with credentials. For hits.
pub fn anybody(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
}

/// Lets any page read why hits were not taken.
pub fn anybody_with_reasons(headers: &mut HeaderMap) {
    anybody(headers);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("x-embudo-dropped, retry-after"));
}

/// Lets the pages of our sites read the answer. For forms, chat and bookings.
pub fn sites(app: &Shared, request: &HttpRequest, headers: &mut HeaderMap) {
    headers.insert(VARY, HeaderValue::from_static("origin"));
    let allowed = origin(request).filter(|origin| app.sites.any_allows_origin(origin));
    if let Some(origin) = allowed.and_then(|origin| HeaderValue::from_str(origin).ok()) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
    }
}

/// Answers the preflight of a door that only our sites may call.
pub async fn preflight(app: Shared, request: HttpRequest) -> HttpResponse {
    let mut response = HttpResponse::NoContent().finish();
    sites(&app, &request, response.headers_mut());
    allow(response.headers_mut());
    response
}

/// Answers the preflight of a door that anybody may call.
pub async fn preflight_anybody() -> HttpResponse {
    let mut response = HttpResponse::NoContent().finish();
    anybody(response.headers_mut());
    allow(response.headers_mut());
    response
}

fn allow(headers: &mut HeaderMap) {
    let methods = HeaderValue::from_static("GET, POST");
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    let allowed = HeaderValue::from_static("authorization, content-type, idempotency-key, last-event-id");
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(REMEMBERED_S));
}
