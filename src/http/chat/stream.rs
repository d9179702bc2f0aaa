//! The log for visitors: server-sent events, and a long poll for where streams are held back.

use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, ContentEncoding, ContentType, HeaderName, HeaderValue};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::Hub;
use super::doors::{finished, guest, is_its_own};
use super::follow::{Following, Frame, Piece};
use crate::base::time::Timestamp;
use crate::chat::body::Author;
use crate::chat::{self, whose};
use crate::http::error::Problem;
use crate::http::request::header;
use crate::http::{Shared, cors};

/// Longest wait of a poll.
const LONGEST_WAIT_S: u64 = 25;

/// Where a reader goes on.
#[derive(Deserialize)]
pub struct After {
    /// The number of the last entry that she has; 0 for none.
    after: Option<i64>,
    /// The time of that entry, by which a log is known from the one that stood here before the store was put back.
    at: Option<Timestamp>,
    /// How many seconds a poll may wait for something to come.
    wait: Option<u64>,
    /// Up to where the other side had read, as a poll was told it last: what came between two polls is told at once.
    read: Option<i64>,
}

/// A reader whose token opens the log and who has read no further than it goes.
async fn reader(
    app: &Shared,
    hub: &Hub,
    request: &HttpRequest,
    id: &str,
    asked: &After,
) -> Result<Following, Problem> {
    let (id, _) = guest(app, request, id)?;
    let last = header(request, HeaderName::from_static("last-event-id"));
    let resumed = match last {
        "" => None,
        last => Some(last.parse().map_err(|_| Problem::from(chat::Error::SequenceUnknown))?),
    };
    let after = resumed.or(asked.after).unwrap_or(0);
    let at = asked.at.filter(|_| resumed.is_none() || resumed == asked.after);
    chat::resume(&mut app.stores.db.read(), id, after, at).await?;
    Ok(Following::new(app.clone().into_inner(), hub, id, Author::Visitor, after))
}

/// `GET /v1/chat/{conversation}/events?after=SEQ&at=TIME&wait=25&read=SEQ`: what the log has after an entry, waiting for
/// it if need be. It is answered at once, too, when the other side has read on or types. From the beginning it also says
/// what somebody is to be asked who came by a mailed link.
pub async fn poll(
    app: Shared,
    hub: web::Data<Hub>,
    request: HttpRequest,
    id: web::Path<String>,
    asked: web::Query<After>,
) -> HttpResponse {
    let answer = async {
        let mut following = reader(&app, &hub, &request, &id, &asked).await?;
        let wait = Duration::from_secs(asked.wait.unwrap_or(0).min(LONGEST_WAIT_S));
        // Who does not wait for what comes has missed something, or reads what there is.
        hub.counts.reads.add(if wait.is_zero() { "refetch" } else { "poll" }, 1);
        let (mut events, mut head, mut typing) = (Vec::new(), None, None);
        let until = Instant::now() + wait;
        // The first piece is read without waiting: what is there, or that there is nothing.
        let mut piece = Some(following.next().await?);
        loop {
            match piece {
                Some(Piece::Entries(entries)) => {
                    events = entries;
                    break;
                }
                Some(Piece::Head(news)) => {
                    let is_known = head.is_none_or(|known| known == news)
                        && asked.read.is_none_or(|read| read >= news.read);
                    head = Some(news);
                    if !is_known {
                        break;
                    }
                }
                Some(Piece::Typing { who, name }) => {
                    typing = Some(json!({ "who": who, "name": name }));
                    break;
                }
                None => break,
            }
            piece = timeout_at(until, following.next()).await.ok().transpose()?;
        }
        let reads = &mut app.stores.db.read();
        let head = match head {
            Some(head) if events.is_empty() => head,
            _ => chat::head(reads, following.conversation(), Author::Visitor).await?,
        };
        let mut page = json!({ "events": events, "head": head.head, "read": head.read });
        // Whoever reads from the beginning has just come.
        let has_come = asked.after.unwrap_or(0) == 0 && is_its_own(&app, &request, app.clock.now());
        let question = match has_come {
            true => whose::question(&app.room, following.conversation(), app.clock.now()).await?,
            false => None,
        };
        if let Some(page) = page.as_object_mut() {
            page.extend(typing.map(|typing| ("typing".to_owned(), typing)));
            page.extend(question.map(|question| ("ask".to_owned(), json!(question))));
        }
        Ok(HttpResponse::Ok().json(page))
    };
    finished(&app, &request, answer.await)
}

/// `GET /v1/chat/{conversation}/stream?after=SEQ&at=TIME`, or with `Last-Event-ID` after an interruption.
pub async fn open(
    app: Shared,
    hub: web::Data<Hub>,
    request: HttpRequest,
    id: web::Path<String>,
    asked: web::Query<After>,
) -> HttpResponse {
    let following = match reader(&app, &hub, &request, &id, &asked).await {
        Ok(following) => following,
        Err(problem) => return finished(&app, &request, Err(problem)),
    };
    hub.counts.reads.add("stream", 1);
    // It ends when the log cannot be read: the client asks again until it can, or learns that it is gone.
    let pieces = stream::unfold(following, |mut following| async move {
        let piece = following.next().await.ok()?;
        let blocks: String = piece.frames().iter().map(Frame::block).collect();
        Some((Ok::<Bytes, actix_web::Error>(Bytes::from(blocks)), following))
    });
    let mut response = HttpResponse::Ok()
        // Compressing would hold the events back until a block is full.
        .insert_header(ContentEncoding::Identity)
        .insert_header(ContentType(actix_web::mime::TEXT_EVENT_STREAM))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")))
        .streaming(pieces);
    cors::sites(&app, &request, response.headers_mut());
    response
}
