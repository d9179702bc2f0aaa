//! What waits to be sent, for programs: `/api/v1/outbox`, `/api/v1/hooks`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::Shared;
use super::api::authorised;
use super::error::Problem;
use crate::base::ids::JobId;
use crate::base::time::Timestamp;
use crate::jobs::queue::{self, Which};
use crate::notify;
use crate::reports::outbox;

/// Mounts the doors.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors
        .route("/api/v1/outbox", web::get().to(list))
        .route("/api/v1/outbox/replay", web::post().to(replay))
        .route("/api/v1/outbox/{job}/replay", web::post().to(replay_one))
        .route("/api/v1/hooks/{hook}/test", web::post().to(test))
        .route("/api/v1/hooks/{hook}/enable", web::post().to(enable));
}

/// `GET /api/v1/outbox`: what waits, fails and was given up, addresses masked, and how deep each channel is.
async fn list(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let (now, mut q) = (app.clock.now(), app.stores.db.read());
    let depth = queue::depth(&mut q, now).await?.into_iter().map(|depth| {
        json!({
            "channel": depth.channel, "due": depth.due, "later": depth.later, "dead": depth.dead,
            "oldest_due": depth.oldest_due,
        })
    });
    let depth: Vec<Json> = depth.collect();
    Ok(HttpResponse::Ok().json(json!({ "channels": depth, "jobs": outbox::queue(&mut q, now).await? })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replaying {
    /// Milliseconds since 1970 UTC.
    #[serde(default)]
    since: i64,
    target: Option<String>,
}

/// `POST /api/v1/outbox/replay` with `{since?, target?}`: tries what was given up again.
async fn replay(
    app: Shared,
    request: HttpRequest,
    body: web::Json<Replaying>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let body = body.into_inner();
    let replayed = replayed(&app, &Which::Since { from: Timestamp(body.since), target: body.target }).await?;
    Ok(HttpResponse::Ok().json(json!({ "replayed": replayed })))
}

/// `POST /api/v1/outbox/{job}/replay`: tries one again.
async fn replay_one(
    app: Shared,
    request: HttpRequest,
    job: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let unknown = || Problem::new("outbox.job_unknown", "Nothing that was given up has this id.");
    let id = JobId::parse(&job).map_err(|_| unknown())?;
    match replayed(&app, &Which::One(id)).await? {
        0 => Err(unknown()),
        replayed => Ok(HttpResponse::Ok().json(json!({ "replayed": replayed }))),
    }
}

async fn replayed(app: &Shared, which: &Which) -> Result<u64, Problem> {
    let mut tx = app.stores.db.begin().await?;
    let replayed = queue::replay(&mut tx, which, app.clock.now()).await?;
    tx.commit().await?;
    Ok(replayed)
}

/// `POST /api/v1/hooks/{hook}/test`: sends it something harmless at once.
async fn test(app: Shared, request: HttpRequest, hook: web::Path<String>) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let (desk, link) = (&app.desk, app.link("/console"));
    match notify::trial::send(&desk.outbound, &desk.rules, &hook, &link, app.clock.now()).await {
        None => Err(Problem::new("hook.unknown", "notify.yaml has no hook of this name.")),
        Some(Ok(())) => Ok(HttpResponse::NoContent().finish()),
        Some(Err(error)) => Err(Problem::new("hook.refused", error.to_string())),
    }
}

/// `POST /api/v1/hooks/{hook}/enable`: tries a disabled webhook again from now on.
async fn enable(app: Shared, request: HttpRequest, hook: web::Path<String>) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let mut tx = app.stores.db.begin().await?;
    let was_disabled = notify::enable_endpoint(&mut tx, &hook).await?;
    tx.commit().await?;
    if !was_disabled {
        return Err(Problem::new("hook.unknown", "No disabled webhook has this name."));
    }
    Ok(HttpResponse::NoContent().finish())
}
