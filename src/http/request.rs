//! What every door wants to know of a request.

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderName};

pub use super::proxies::Proxies;
use crate::base::language::Language;
use crate::contacts::Seen;

/// A header's text; empty if it is missing or not text.
pub fn header(request: &HttpRequest, name: HeaderName) -> &str {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The browser's `Origin`, if it sent one.
pub fn origin(request: &HttpRequest) -> Option<&str> {
    Some(header(request, header::ORIGIN)).filter(|origin| !origin.is_empty())
}

/// Whether another site's page made the browser send this (Fetch Metadata). Old browsers do not say; what they send is
/// not held against them, because these doors go by a token in the address or by nothing at all.
pub fn is_cross_site(request: &HttpRequest) -> bool {
    header(request, HeaderName::from_static("sec-fetch-site")) == "cross-site"
}

/// Whether a page of this server led to the request; browsers without a word on that are taken as if.
pub fn comes_from_here(request: &HttpRequest) -> bool {
    matches!(header(request, HeaderName::from_static("sec-fetch-site")), "same-origin" | "")
}

/// What is kept of where a word of hers came from, as proof of it.
pub fn seen(proxies: &Proxies, request: &HttpRequest) -> Seen {
    Seen::of(proxies.client(request), header(request, header::USER_AGENT))
}

/// The token of an `Authorization: Bearer …` header.
pub fn bearer(request: &HttpRequest) -> Option<&str> {
    header(request, header::AUTHORIZATION)
        .strip_prefix("Bearer ")
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

/// Whether whoever asks is taken for a person, by what the browser says it is.
pub fn is_by_a_person(app: &super::Shared, request: &HttpRequest) -> bool {
    app.collector.agent(header(request, header::USER_AGENT)).bot_reason.is_none()
}

/// The language asked for by `?lang=` or `?language=`, else by the browser.
pub fn language(request: &HttpRequest) -> Option<Language> {
    let asked = url::form_urlencoded::parse(request.query_string().as_bytes())
        .find(|(name, _)| name == "lang" || name == "language")
        .and_then(|(_, tag)| Language::of_tag(&tag));
    asked.or_else(|| Language::of_accept_language(header(request, header::ACCEPT_LANGUAGE)))
}
