//! What visitors do when a conversation is over, or nearly: say how it was, have it sent by mail, take it along.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::doors::{finished, guest, parsed};
use crate::chat::live::rating::{self, Rating};
use crate::chat::live::transcript::{self, By};
use crate::chat::resume;
use crate::http::Shared;
use crate::http::request::bearer;
use crate::storage::limits::Quota;

/// `POST /v1/chat/{conversation}/rating`: `{score: 1 to 5, comment?}`. The same answer again changes nothing.
pub async fn rate(
    app: Shared,
    request: HttpRequest,
    id: web::Path<String>,
    body: web::Bytes,
) -> HttpResponse {
    let answer = async {
        let (id, now) = guest(&app, &request, &id)?;
        let quota = Quota { per_minute: 10, burst: 5 };
        app.stores.limits.check("chat.rating", &id.to_string(), quota, now).await?;
        let given: Rating = parsed(&body, "chat.message_invalid")?;
        let entry = rating::rate(&app.room, id, &given, now).await?;
        let mut response = if entry.is_some() { HttpResponse::Created() } else { HttpResponse::Ok() };
        Ok(response.json(json!({ "event": entry })))
    };
    finished(&app, &request, answer.await)
}

/// `POST /v1/chat/{conversation}/transcript`: to the visitor's own address, on a device that is confirmed to be hers.
pub async fn transcript(app: Shared, request: HttpRequest, id: web::Path<String>) -> HttpResponse {
    let answer = async {
        let (id, now) = guest(&app, &request, &id)?;
        // A mail a minute is plenty, and two at once are a slip of the finger.
        let quota = Quota { per_minute: 1, burst: 2 };
        app.stores.limits.check("chat.transcript", &id.to_string(), quota, now).await?;
        transcript::send(&app.room, id, By::Visitor, now).await?;
        Ok(HttpResponse::Accepted().json(json!({})))
    };
    finished(&app, &request, answer.await)
}

#[derive(Deserialize)]
struct Wanted {
    /// False takes back the link that there is.
    #[serde(default = "yes")]
    wanted: bool,
}

fn yes() -> bool {
    true
}

/// `POST /v1/chat/{conversation}/link`: the address by which the conversation goes on on another device, for a week. Each new
/// one makes the one before worthless; `{"wanted": false}` makes it worthless without another.
pub async fn link(
    app: Shared,
    request: HttpRequest,
    id: web::Path<String>,
    body: web::Bytes,
) -> HttpResponse {
    let answer = async {
        let (id, now) = guest(&app, &request, &id)?;
        let quota = Quota { per_minute: 6, burst: 6 };
        app.stores.limits.check("chat.link", &id.to_string(), quota, now).await?;
        let Wanted { wanted } = parsed(&body, "request.malformed")?;
        let token = bearer(&request).unwrap_or_default();
        if !wanted {
            resume::take_back(&app.room, id, token, now).await?;
            return Ok(HttpResponse::Ok().json(json!({ "link": Json::Null, "expires_at": Json::Null })));
        }
        let (path, expires_at) = resume::take_along(&app.room, id, token, now).await?;
        let link = app.link(&path);
        Ok(HttpResponse::Created().json(json!({ "link": link, "expires_at": expires_at })))
    };
    finished(&app, &request, answer.await)
}
