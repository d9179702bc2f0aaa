//! The log as it grows: server-sent events, and a long poll for where streams are held back.
//!
//! Both read the log itself; the bus only says when. A stream that was never woken still looks every 15 s and tells
//! the head, by which both sides notice a line that is dead.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, ContentEncoding, ContentType, HeaderName, HeaderValue};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::timeout;

use super::Hub;
use super::doors::{finished, guest, page};
use crate::base::ids::ConversationId;
use crate::chat;
use crate::http::error::Problem;
use crate::http::request::header;
use crate::http::{Shared, cors};

/// How often a silent stream says that it lives.
const BEAT: Duration = Duration::from_secs(15);
/// Longest wait of a poll.
const LONGEST_WAIT_S: u64 = 25;

#[derive(Deserialize)]
pub struct After {
    after: Option<i64>,
    wait: Option<u64>,
}

/// `GET /v1/chat/{conversation}/events?after=SEQ&wait=25`.
pub async fn poll(
    app: Shared,
    hub: web::Data<Hub>,
    request: HttpRequest,
    id: web::Path<String>,
    asked: web::Query<After>,
) -> HttpResponse {
    let answer = async {
        let (id, _) = guest(&app, &request, &id)?;
        let after = asked.after.unwrap_or(0);
        // Listen before looking: what comes in between is not missed.
        let mut line = hub.listen(id);
        let mut found = chat::entries(&mut app.stores.db.read(), &app.room, id, after).await?;
        let wait = Duration::from_secs(asked.wait.unwrap_or(0).min(LONGEST_WAIT_S));
        if found.0.is_empty() && !wait.is_zero() {
            let _ = timeout(wait, grown(&mut line)).await;
            found = chat::entries(&mut app.stores.db.read(), &app.room, id, after).await?;
        }
        Ok(HttpResponse::Ok().json(page(&found.0, found.1)))
    };
    finished(&app, &request, answer.await)
}

/// Waits until the log may have grown.
async fn grown(line: &mut broadcast::Receiver<Arc<str>>) {
    while let Ok(text) = line.recv().await {
        if !text.starts_with("typing:") {
            return;
        }
    }
}

/// A stream between two pieces.
struct Listening {
    app: Shared,
    id: ConversationId,
    line: broadcast::Receiver<Arc<str>>,
    last: i64,
    begun: bool,
}

/// `GET /v1/chat/{conversation}/stream?after=SEQ`.
pub async fn open(
    app: Shared,
    hub: web::Data<Hub>,
    request: HttpRequest,
    id: web::Path<String>,
    asked: web::Query<After>,
) -> HttpResponse {
    let id = match guest(&app, &request, &id) {
        Ok((id, _)) => id,
        Err(problem) => return finished(&app, &request, Err::<HttpResponse, Problem>(problem)),
    };
    let resumed = header(&request, HeaderName::from_static("last-event-id")).parse().ok();
    let last = resumed.or(asked.after).unwrap_or(0);
    let listening = Listening { line: hub.listen(id), app: app.clone(), id, last, begun: false };
    let pieces = stream::unfold(listening, |mut listening| async move {
        let piece = listening.next().await?;
        Some((Ok::<Bytes, actix_web::Error>(Bytes::from(piece)), listening))
    });
    let mut response = HttpResponse::Ok()
        // Compressing would hold the events back until a block is full.
        .insert_header(ContentEncoding::Identity)
        .insert_header(ContentType(mime()))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")))
        .streaming(pieces);
    cors::sites(&app, &request, response.headers_mut());
    response
}

fn mime() -> actix_web::mime::Mime {
    actix_web::mime::TEXT_EVENT_STREAM
}

impl Listening {
    /// The next piece of the stream; `None` ends it, and the client comes back.
    async fn next(&mut self) -> Option<String> {
        if !self.begun {
            self.begun = true;
            // The head at once: a client learns that the line works before anything has happened.
            return Some(self.news(true).await.unwrap_or_default());
        }
        loop {
            match timeout(BEAT, self.line.recv()).await {
                Err(_) => return self.news(true).await,
                Ok(Err(RecvError::Closed)) => return None,
                Ok(Err(RecvError::Lagged(_))) => {
                    let news = self.news(false).await?;
                    if !news.is_empty() {
                        return Some(news);
                    }
                }
                Ok(Ok(text)) => {
                    if let Some(typing) = text.strip_prefix("typing:") {
                        let (who, name) = typing.split_once(':').unwrap_or((typing, ""));
                        // What she types herself is no news to her.
                        if who != "visitor" {
                            return Some(piece("typing", &json!({ "who": who, "name": name })));
                        }
                        continue;
                    }
                    let news = self.news(false).await?;
                    if !news.is_empty() {
                        return Some(news);
                    }
                }
            }
        }
    }

    /// Everything that the log has and this client lacks; `with_head` also tells how far the log goes.
    async fn news(&mut self, with_head: bool) -> Option<String> {
        let mut text = String::new();
        loop {
            let mut q = self.app.stores.db.read();
            let Ok((entries, head)) = chat::entries(&mut q, &self.app.room, self.id, self.last).await else {
                // The store cannot be read: end the stream; the client asks again until it can.
                return None;
            };
            for entry in &entries {
                self.last = entry.seq;
                text.push_str(&format!("id: {}\n", entry.seq));
                text.push_str(&piece("event", entry));
            }
            if self.last >= head || entries.is_empty() {
                if with_head {
                    text.push_str(&piece("head", &json!({ "head": head })));
                }
                return Some(text);
            }
        }
    }
}

fn piece(event: &str, data: &impl serde::Serialize) -> String {
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {event}\ndata: {data}\n\n")
}
