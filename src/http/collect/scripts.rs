//! The built scripts, cacheable for an hour and known by their digest.

use std::io::Write;
use std::sync::LazyLock;

use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use actix_web::{HttpRequest, HttpResponse};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::base::signing::sha256_hex;
use crate::http::request::header;

struct Script {
    text: &'static str,
    etag: String,
    /// Compressed once as well as it goes; compressing each answer anew would be done faster and worse.
    gzip: Vec<u8>,
}

impl Script {
    fn new(text: &'static str) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let gzip = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
        Self { text, etag: etag(text), gzip: gzip.expect("a vector takes every byte") }
    }
}

static TRACKER: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../../../snippet/dist/e.js")));
static LAUNCHER: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("../../../snippet/dist/launcher.js")));
static MOMENTS: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("../../../snippet/dist/moments.js")));
static CHAT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../../../snippet/dist/chat.js")));
static FORMS: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("../../../snippet/dist/forms.js")));

/// `GET /e.js`.
pub async fn tracker(request: HttpRequest) -> HttpResponse {
    answer(&TRACKER, &request)
}

/// `GET /moments.js`.
pub async fn moments(request: HttpRequest) -> HttpResponse {
    answer(&MOMENTS, &request)
}

/// `GET /launcher.js`.
pub async fn launcher(request: HttpRequest) -> HttpResponse {
    answer(&LAUNCHER, &request)
}

/// `GET /chat.js`.
pub async fn chat(request: HttpRequest) -> HttpResponse {
    answer(&CHAT, &request)
}

/// `GET /forms.js`.
pub async fn forms(request: HttpRequest) -> HttpResponse {
    answer(&FORMS, &request)
}

fn etag(text: &str) -> String {
    let digest = sha256_hex(text);
    format!("\"{}\"", digest.get(..16).unwrap_or(&digest))
}

fn answer(script: &'static Script, request: &HttpRequest) -> HttpResponse {
    let is_known = header(request, IF_NONE_MATCH) == script.etag.as_str();
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .insert_header((ETAG, script.etag.as_str()))
        .insert_header((CONTENT_TYPE, "text/javascript; charset=utf-8"))
        .insert_header((VARY, "accept-encoding"))
        .insert_header(("cross-origin-resource-policy", "cross-origin"))
        .insert_header(("access-control-allow-origin", "*"));
    let takes_gzip = header(request, ACCEPT_ENCODING).split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        parts.next() == Some("gzip") && parts.next() != Some("q=0")
    });
    match (is_known, takes_gzip) {
        (true, _) => response.finish(),
        (false, true) => response.insert_header((CONTENT_ENCODING, "gzip")).body(script.gzip.as_slice()),
        (false, false) => response.body(script.text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_keep_to_their_sizes_on_the_wire() {
        assert!(TRACKER.gzip.len() <= 3 * 1024, "e.js: {} bytes", TRACKER.gzip.len());
        assert!(MOMENTS.gzip.len() <= 1024, "moments.js: {} bytes", MOMENTS.gzip.len());
        assert!(LAUNCHER.gzip.len() <= 1024, "launcher.js: {} bytes", LAUNCHER.gzip.len());
        assert!(CHAT.gzip.len() <= 25 * 1024, "chat.js: {} bytes", CHAT.gzip.len());
        assert!(FORMS.gzip.len() <= 7 * 1024, "forms.js: {} bytes", FORMS.gzip.len());
    }
}
