//! Notices in the browser although no page is open: the worker that shows them, and who gets them where.

use std::sync::LazyLock;

use actix_web::http::header::{ContentType, USER_AGENT};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::frame::{Reader, see_done};
use super::guard::session_token;
use crate::base::ids::PushDeviceId;
use crate::base::signing::sha256_hex;
use crate::hits::Agents;
use crate::http::error::Problem;
use crate::http::request;
use crate::notify::push::{self, Error, Subscription, Wanted};
use crate::notify::trial;
use crate::render;

/// What browsers say they are.
pub(super) static AGENTS: LazyLock<Agents> = LazyLock::new(Agents::default);

/// Where the devices are shown.
const PATH: &str = "/console/notifications";
/// The worker's file.
const WORKER: &str = "push-worker.js";

/// `GET /console/push.js`: the service worker. It answers for `/console` and all below it, which is one step above its own
/// folder, so it has to be allowed.
pub async fn worker(_reader: Reader) -> Result<HttpResponse, Problem> {
    let file = render::asset(WORKER).ok_or_else(crate::http::not_found)?;
    Ok(HttpResponse::Ok()
        .insert_header(("content-type", file.content_type))
        .insert_header(("service-worker-allowed", "/console"))
        .body(file.body))
}

/// What the browser's `PushSubscription` says.
#[derive(Deserialize)]
pub struct Given {
    endpoint: String,
    p256dh: String,
    auth: String,
}

/// `POST /console/push`: this browser wants notices.
pub async fn subscribe(
    reader: Reader,
    request: HttpRequest,
    given: web::Form<Given>,
) -> Result<HttpResponse, Problem> {
    let subscription = Subscription::parse(&given.endpoint, &given.p256dh, &given.auth)?;
    let known = AGENTS.read(request::header(&request, USER_AGENT));
    let session = sha256_hex(session_token(&request).unwrap_or_default());
    let wanted = Wanted {
        account: reader.account.id,
        session_hash: &session,
        subscription: &subscription,
        browser: &known.agent.browser,
        system: &known.agent.os,
    };
    let app = &reader.app;
    let mut tx = app.stores.db.begin().await?;
    let id = push::subscribe(&mut tx, &app.desk, &wanted, reader.now).await?;
    tx.commit().await?;
    Ok(HttpResponse::Ok().content_type(ContentType::json()).json(serde_json::json!({ "id": id })))
}

/// The address of a subscription that its browser gave up.
#[derive(Deserialize)]
pub struct Left {
    endpoint: String,
}

/// `POST /console/push/leave`: this browser wants none any more.
pub async fn leave(reader: Reader, left: web::Form<Left>) -> Result<HttpResponse, Problem> {
    let app = &reader.app;
    let mut tx = app.stores.db.begin().await?;
    push::unsubscribe(&mut tx, &app.keys, reader.account.id, &left.endpoint).await?;
    tx.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /console/push/{device}/remove`: takes a browser of one's own out.
pub async fn remove(reader: Reader, device: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = PushDeviceId::parse(&device).map_err(|_| Error::Unknown)?;
    let mut tx = reader.app.stores.db.begin().await?;
    push::remove(&mut tx, reader.account.id, id).await?;
    tx.commit().await?;
    Ok(see_done(PATH, "push_removed"))
}

/// `POST /console/push/{device}/test`: sends a browser of one's own something harmless at once.
pub async fn test(reader: Reader, device: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = PushDeviceId::parse(&device).map_err(|_| Error::Unknown)?;
    let app = &reader.app;
    let own = push::devices(&mut app.stores.db.read(), reader.account.id).await?;
    if own.iter().all(|known| known.id != id) {
        return Err(Error::Unknown.into());
    }
    match trial::push(&app.desk, id, reader.now).await {
        Ok(()) => Ok(see_done(PATH, "push_tested")),
        Err(error) => Err(Problem::new("push.refused", error.to_string())),
    }
}
