//! The built scripts, cacheable for an hour and known by their digest.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse};

use crate::base::signing::sha256_hex;
use crate::http::request::header;

struct Script {
    text: &'static str,
    etag: LazyLock<String>,
}

static TRACKER: Script = Script {
    text: include_str!("../../../snippet/dist/e.js"),
    etag: LazyLock::new(|| etag(include_str!("../../../snippet/dist/e.js"))),
};
static CHAT: Script = Script {
    text: include_str!("../../../snippet/dist/chat.js"),
    etag: LazyLock::new(|| etag(include_str!("../../../snippet/dist/chat.js"))),
};
static FORMS: Script = Script {
    text: include_str!("../../../snippet/dist/forms.js"),
    etag: LazyLock::new(|| etag(include_str!("../../../snippet/dist/forms.js"))),
};

/// `GET /e.js`.
pub async fn tracker(request: HttpRequest) -> HttpResponse {
    answer(&TRACKER, &request)
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
    let mut response = if header(request, IF_NONE_MATCH) == script.etag.as_str() {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .insert_header((ETAG, script.etag.as_str()))
        .insert_header((CONTENT_TYPE, "text/javascript; charset=utf-8"))
        .insert_header(("cross-origin-resource-policy", "cross-origin"))
        .insert_header(("access-control-allow-origin", "*"));
    if header(request, IF_NONE_MATCH) == script.etag.as_str() {
        response.finish()
    } else {
        response.body(script.text)
    }
}
