//! Files in ranges of bytes; who fetched them, and how much really went out.

use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};

use actix_files::NamedFile;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::http::header::{ContentEncoding, HeaderName, HeaderValue, SET_COOKIE, USER_AGENT};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};

use crate::base::signing::Claims;
use crate::gates::{self, Fetched};
use crate::hits::Agents;
use crate::http::Shared;
use crate::http::request::header;

/// The cookie that holds the pass of a link.
const PASS: &str = "embudo_pass";

/// So many bytes are a file that somebody fetched, even if the rest never came.
const ENOUGH_BYTES: u64 = 256 * 1024;

static AGENTS: LazyLock<Agents> = LazyLock::new(Agents::default);

/// The bytes of a file, or those that were asked for (RFC 9110, section 14).
pub fn answer(file: NamedFile, request: &HttpRequest) -> HttpResponse {
    // `identity` keeps the answer from being packed, and is taken off again before it goes out: Firefox does not play
    // what says it is encoded (actix-web 3191).
    file.set_content_encoding(ContentEncoding::Identity).into_response(request)
}

/// The pass that a browser holds for this address.
pub fn pass_of(request: &HttpRequest) -> Option<String> {
    request.cookie(PASS).map(|cookie| cookie.value().to_owned())
}

/// Gives the browser a pass for this address, so that what has begun can be finished after the link has run out. It is
/// sent nowhere else, and says nothing about who holds it.
pub fn give_pass(app: &Shared, response: &mut HttpResponse, path: String, claims: &Claims) {
    let now = app.clock.now();
    if claims.expires <= now {
        return;
    }
    let is_secure = app.own_origin().starts_with("https://");
    let pass = Cookie::build(PASS, gates::pass(&app.keys, claims, now))
        .path(path)
        .http_only(true)
        .secure(is_secure)
        // Players stand in pages of other origins; a browser takes such a cookie only over https.
        .same_site(if is_secure { SameSite::None } else { SameSite::Lax })
        .max_age(time::Duration::hours(12))
        .finish();
    // Kept apart for each site that a player stands in (CHIPS), where third-party cookies are kept at all.
    let text = if is_secure { format!("{pass}; Partitioned") } else { pass.to_string() };
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

/// Whether a person asks, as far as the request tells (Fetch Metadata, https://w3c.github.io/webappsec-fetch-metadata/).
/// Programs that look into mails mostly send no such headers, or say what they are.
pub fn fetched_by(request: &HttpRequest) -> Fetched {
    let of = |name: &'static str| header(request, HeaderName::from_static(name));
    if let Some(reason) = AGENTS.read(header(request, USER_AGENT)).bot_reason {
        return Fetched::Unsure(reason.word());
    }
    if of("sec-purpose").contains("prefetch") || of("purpose") == "prefetch" {
        return Fetched::Unsure("prefetch");
    }
    match (of("sec-fetch-mode"), of("sec-fetch-dest")) {
        ("", _) => Fetched::Unsure("no_fetch_metadata"),
        (_, "video" | "audio") => Fetched::ByPerson,
        ("navigate", _) if of("sec-fetch-user") == "?1" => Fetched::ByPerson,
        _ => Fetched::Unsure("not_asked_for"),
    }
}

/// A body that tells when its bytes have really been taken.
struct Counted<F: FnOnce() + Unpin + 'static> {
    body: BoxBody,
    taken: u64,
    tell: Option<F>,
}

/// Lets `tell` know once the whole body, or a good part of it, has been taken; a body that nobody reads tells nothing.
pub fn counted(response: HttpResponse, tell: impl FnOnce() + Unpin + 'static) -> HttpResponse {
    response.map_body(|_, body| BoxBody::new(Counted { body, taken: 0, tell: Some(tell) }))
}

impl<F: FnOnce() + Unpin + 'static> MessageBody for Counted<F> {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.body).poll_next(context);
        if let Poll::Ready(Some(Ok(bytes))) = &polled {
            this.taken += u64::try_from(bytes.len()).unwrap_or(0);
        }
        polled
    }
}

impl<F: FnOnce() + Unpin + 'static> Drop for Counted<F> {
    fn drop(&mut self) {
        let whole = match self.body.size() {
            BodySize::Sized(bytes) => bytes,
            BodySize::None | BodySize::Stream => ENOUGH_BYTES,
        };
        if self.taken > 0
            && self.taken >= whole.min(ENOUGH_BYTES)
            && let Some(tell) = self.tell.take()
        {
            tell();
        }
    }
}
