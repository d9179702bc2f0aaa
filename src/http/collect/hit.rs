//! `POST /v1/hit`.

use std::pin::pin;
use std::time::{Duration, Instant};

use actix_web::http::ConnectionType;
use actix_web::http::header::{
    ACCEPT_LANGUAGE, CONTENT_ENCODING, ContentType, HeaderName, HeaderValue, USER_AGENT,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use futures_util::{FutureExt, StreamExt};

use super::consent;
use crate::contacts::Seen;
use crate::hits::{self, Dropped, Manner};
use crate::http::error::Problem;
use crate::http::request::{Proxies, header, origin};
use crate::http::{Shared, cors, letters};
use crate::ingest::Sender;
use crate::sites;
use crate::storage::limits::{Quota, TooMany};

/// Says why hits were not taken, or were taken for a machine's.
const DROPPED: HeaderName = HeaderName::from_static("x-embudo-dropped");

/// So much more than is taken is read and thrown away, so that the answer is heard.
const HEARD_OUT_BYTES: usize = 2 << 20;

/// Why a body is not taken.
enum Refusal {
    Hit(hits::Error),
    Site(sites::Error),
    Limit(TooMany),
    /// The connection broke off.
    Broken(String),
    TooSlow,
}

impl Refusal {
    fn reason(&self) -> Dropped {
        match self {
            Self::Hit(error) => error.dropped(),
            Self::Site(sites::Error::Unknown) => Dropped::UnknownSite,
            Self::Site(sites::Error::ForeignOrigin) => Dropped::ForeignOrigin,
            Self::Limit(_) => Dropped::RateLimited,
            Self::Broken(_) => Dropped::Malformed,
            Self::TooSlow => Dropped::TooSlow,
        }
    }

    fn problem(self) -> Problem {
        match self {
            Self::Hit(error) => error.into(),
            Self::Site(error) => error.into(),
            Self::Limit(error) => error.into(),
            Self::Broken(error) => Problem::new("request.malformed", error),
            Self::TooSlow => Problem::new("request.too_slow", "Send the whole body at once."),
        }
    }
}

impl From<hits::Error> for Refusal {
    fn from(error: hits::Error) -> Self {
        Self::Hit(error)
    }
}

impl From<sites::Error> for Refusal {
    fn from(error: sites::Error) -> Self {
        Self::Site(error)
    }
}

impl From<TooMany> for Refusal {
    fn from(error: TooMany) -> Self {
        Self::Limit(error)
    }
}

/// Takes one hit or a list; answers 202 when they are on disk.
pub async fn take(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    body: web::Payload,
) -> HttpResponse {
    let began = Instant::now();
    let counts = app.collector.counts();
    let mut response = match taken(&app, &proxies, &request, body).await {
        Ok(response) => response,
        Err(refusal) => {
            let reason = refusal.reason();
            counts.dropped.add(reason.word(), 1);
            let mut response = refusal.problem().error_response();
            response.headers_mut().insert(DROPPED, HeaderValue::from_static(reason.word()));
            if matches!(reason, Dropped::TooLarge | Dropped::TooSlow) {
                // The rest of the body is not waited for.
                response.head_mut().set_connection_type(ConnectionType::Close);
            }
            response
        }
    };
    match response.headers().contains_key(DROPPED) {
        true => cors::anybody_with_reasons(response.headers_mut()),
        false => cors::anybody(response.headers_mut()),
    }
    counts.took.note(began.elapsed());
    response
}

async fn taken(
    app: &Shared,
    proxies: &Proxies,
    request: &HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let now = app.clock.now();
    let settings = &app.config.collector;
    let address = proxies.client(request);
    let quota = Quota { per_minute: settings.hits_per_minute, burst: settings.hits_burst };
    app.stores.limits.check_address("hits", address, quota, now).await?;
    let body = read(body, settings.body_bytes, Duration::from_millis(settings.body_timeout_ms)).await?;
    let body = hits::unpacked(&body, header(request, CONTENT_ENCODING), settings.body_bytes)?;
    let mut hits = hits::parse(&body, settings.batch, now)?;
    for hit in &hits {
        let site = app.sites.find_for(&hit.site, origin(request), app.own_origin())?;
        if !site.allows_origin(hit.url.origin()) && hit.url.origin() != app.own_origin() {
            return Err(sites::Error::ForeignOrigin.into());
        }
    }
    // Few visits come from a letter; of those the attention says whether a person clicked.
    let clicks: Vec<_> = hits
        .iter()
        .filter(|hit| hit.name == hits::ENGAGEMENT && !hit.is_automated)
        .filter_map(|hit| Some((letters::click_of(hit.url.query()?)?, hit.engaged_ms)))
        .collect();
    let sender = Sender { address, user_agent: header(request, USER_AGENT), manner: manner(request) };
    let answers = consent::taken_out(app, &mut hits);
    if !answers.is_empty() {
        consent::note(app, &answers, &Seen::of(address, header(request, USER_AGENT))).await;
    }
    let taken = app.collector.take(hits, sender, now).await?;
    if taken.bot_reason.is_none() {
        for (click, engaged_ms) in clicks {
            letters::attended(app, click, engaged_ms);
        }
    }
    let asks = taken.has_page && taken.bot_reason.is_none();
    let chat = if asks { r#","chat":"ask""# } else { "" };
    let mut response = HttpResponse::Accepted()
        .insert_header(ContentType::json())
        .insert_header((X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .body(format!(r#"{{"accepted":{}{chat}}}"#, taken.accepted));
    if let Some(reason) = taken.bot_reason {
        response.headers_mut().insert(DROPPED, HeaderValue::from_static(reason.word()));
    }
    Ok(response)
}

async fn read(body: web::Payload, most: usize, timeout: Duration) -> Result<web::Bytes, Refusal> {
    let mut read = pin!(gather(body, most));
    // Nearly always the body has come with its head, and no clock need run.
    match (&mut read).now_or_never() {
        Some(read) => read,
        None => tokio::time::timeout(timeout, read).await.map_err(|_| Refusal::TooSlow)?,
    }
}

async fn gather(mut body: web::Payload, most: usize) -> Result<web::Bytes, Refusal> {
    let (mut first, mut gathered, mut size) = (web::Bytes::new(), web::BytesMut::new(), 0_usize);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| Refusal::Broken(error.to_string()))?;
        size = size.saturating_add(chunk.len());
        if size > most {
            // Somebody who is still sending would not hear the answer.
            gathered = web::BytesMut::new();
            if size > most.saturating_add(HEARD_OUT_BYTES) {
                break;
            }
        } else if first.is_empty() {
            first = chunk;
        } else {
            if gathered.is_empty() {
                gathered.extend_from_slice(&first);
            }
            gathered.extend_from_slice(&chunk);
        }
    }
    match size > most {
        true => Err(hits::Error::TooLarge { most }.into()),
        false if gathered.is_empty() => Ok(first),
        false => Ok(gathered.freeze()),
    }
}

fn manner(request: &HttpRequest) -> Manner {
    let has = |name: &'static str| request.headers().contains_key(name);
    Manner {
        // A page of https can only speak to https.
        is_secure: origin(request).is_some_and(|origin| origin.starts_with("https://")),
        has_language: request.headers().contains_key(ACCEPT_LANGUAGE),
        has_fetch_mode: has("sec-fetch-mode"),
        has_hints: has("sec-ch-ua"),
        is_by_script: matches!(header(request, HeaderName::from_static("sec-fetch-dest")), "" | "empty"),
    }
}
