//! What the team has to do, for programs: `/api/v1/handovers`, `/api/v1/tasks`, `/api/v1/calls`, `/api/v1/answers`.
//!
//! Contacts are named by their ids; who somebody is, `/api/v1/contacts` tells whoever may know.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::Shared;
use super::api::{authorised, is_about};
use super::error::Problem;
use crate::accounts::{self, Account};
use crate::app::App;
use crate::base::ids::{AccountId, BookingId, ContactId, HandoverId, TaskId};
use crate::base::time::Timestamp;
use crate::bookings;
use crate::calls::{self, Findings, Next, Outcome, Telephone};
use crate::handovers::{self, Given};
use crate::reports::team::{self, View};
use crate::storage::db::Queries;
use crate::tasks::{self, Kind, NewTask};

/// Mounts the doors.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors
        .route("/api/v1/handovers", web::get().to(list))
        .route("/api/v1/handovers", web::post().to(give))
        .route("/api/v1/handovers/{handover}/take", web::post().to(take))
        .route("/api/v1/tasks", web::get().to(open_tasks))
        .route("/api/v1/tasks", web::post().to(give_task))
        .route("/api/v1/tasks/{task}/done", web::post().to(done))
        .route("/api/v1/calls", web::post().to(note))
        .route("/api/v1/bookings/{booking}/findings", web::post().to(after))
        .route("/api/v1/answers", web::post().to(learn));
}

fn of_calls(app: &App) -> calls::Desk<'_> {
    calls::Desk { team: &app.team, lifecycle: &app.lifecycle }
}

async fn account(q: &mut impl Queries, id: AccountId) -> Result<Account, Problem> {
    let found = accounts::find(q, id).await?;
    Ok(found.ok_or_else(|| accounts::Error::Unknown(id.to_string()))?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    view: Option<String>,
}

/// `GET /api/v1/handovers?view=open|late|taken`.
async fn list(app: Shared, request: HttpRequest, asked: web::Query<Asked>) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let view = View::of_word(asked.view.as_deref().unwrap_or("open"))
        .ok_or_else(|| Problem::new("request.malformed", "`view` is `open`, `late` or `taken`."))?;
    let rows = team::handovers(&mut app.stores.db.read(), view, app.clock.now()).await?;
    Ok(HttpResponse::Ok().json(json!({ "handovers": rows })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Giving {
    contact: ContactId,
    role: String,
    account: Option<AccountId>,
    #[serde(default)]
    note: String,
}

/// `POST /api/v1/handovers` with `{contact, role, account?, note?}`.
async fn give(app: Shared, request: HttpRequest, body: web::Json<Giving>) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let given = Given { role: &body.role, account: body.account, from: None, note: &body.note };
    let desk = handovers::Desk { team: &app.team, lifecycle: &app.lifecycle };
    let mut tx = app.stores.db.begin().await?;
    let handover = handovers::give(&mut tx, desk, body.contact, &given, app.clock.now()).await?;
    tx.commit().await?;
    Ok(HttpResponse::build(StatusCode::CREATED).json(handover))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Taking {
    account: AccountId,
}

/// `POST /api/v1/handovers/{handover}/take` with `{account}`. Doing it again for the same account changes nothing.
async fn take(
    app: Shared,
    request: HttpRequest,
    handover: web::Path<String>,
    body: web::Json<Taking>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let id = HandoverId::parse(&handover).map_err(|_| handovers::Error::Unknown)?;
    let mut tx = app.stores.db.begin().await?;
    let by = account(&mut tx, body.account).await?;
    let taken = handovers::take(&mut tx, id, &by, app.clock.now()).await?;
    tx.commit().await?;
    Ok(HttpResponse::Ok().json(taken))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    account: Option<AccountId>,
    contact: Option<ContactId>,
}

/// `GET /api/v1/tasks?account=…` lists open tasks; `?contact=…` all of a contact, done ones too.
async fn open_tasks(
    app: Shared,
    request: HttpRequest,
    asked: web::Query<Whose>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let q = &mut app.stores.db.read();
    if let Some(contact) = asked.contact {
        return Ok(HttpResponse::Ok().json(json!({ "tasks": tasks::of_contact(q, contact).await? })));
    }
    let rows = team::tasks(q, asked.account, app.clock.now()).await?;
    Ok(HttpResponse::Ok().json(json!({ "tasks": rows })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivingTask {
    contact: ContactId,
    account: AccountId,
    kind: Kind,
    title: String,
    /// Milliseconds since 1970 UTC.
    due_at: Option<i64>,
}

/// `POST /api/v1/tasks` with `{contact, account, kind: call|mail|meeting|other, title, due_at?}`.
async fn give_task(
    app: Shared,
    request: HttpRequest,
    body: web::Json<GivingTask>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    is_about(&request, body.contact);
    let new = NewTask {
        contact: body.contact,
        account: body.account,
        kind: body.kind,
        title: &body.title,
        due_at: body.due_at.map(Timestamp),
        by: None,
    };
    let mut tx = app.stores.db.begin().await?;
    let id = tasks::give(&mut tx, &app.lifecycle, &new, app.clock.now()).await?;
    let task = tasks::find(&mut tx, id).await?;
    tx.commit().await?;
    Ok(HttpResponse::build(StatusCode::CREATED).json(task))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Doing {
    account: Option<AccountId>,
}

/// `POST /api/v1/tasks/{task}/done` with `{account?}`. Doing it again changes nothing.
async fn done(
    app: Shared,
    request: HttpRequest,
    task: web::Path<String>,
    body: web::Json<Doing>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let id = TaskId::parse(&task).map_err(|_| tasks::Error::Unknown)?;
    let mut tx = app.stores.db.begin().await?;
    if let Some(by) = body.account {
        account(&mut tx, by).await?;
    }
    tasks::done(&mut tx, id, body.account, app.clock.now()).await?;
    let task = tasks::find(&mut tx, id).await?;
    tx.commit().await?;
    if let Some(task) = &task {
        is_about(&request, task.contact);
    }
    Ok(HttpResponse::Ok().json(task))
}

/// What comes next, as a program says it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Following {
    Task {
        kind: Kind,
        title: String,
        due_at: Option<i64>,
        account: AccountId,
    },
    HandOver {
        role: String,
        account: Option<AccountId>,
        #[serde(default)]
        note: String,
    },
}

fn next_of(following: Option<Following>) -> Next {
    match following {
        None => Next::Nothing,
        Some(Following::Task { kind, title, due_at, account }) => {
            Next::Task { kind, title, due_at: due_at.map(Timestamp), account }
        }
        Some(Following::HandOver { role, account, note }) => Next::HandOver { role, account, note },
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Noting {
    contact: ContactId,
    outcome: Outcome,
    #[serde(default)]
    incoming: bool,
    /// Milliseconds since 1970 UTC; now, if it is left out.
    at: Option<i64>,
    minutes: Option<i64>,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    answers: BTreeMap<String, String>,
    account: Option<AccountId>,
    next: Option<Following>,
}

/// `POST /api/v1/calls`: a call by telephone, `{contact, outcome: reached|no_answer|voicemail, incoming?, at?, minutes?,
/// summary?, answers?, account?, next?}`.
async fn note(app: Shared, request: HttpRequest, body: web::Json<Noting>) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let (body, now) = (body.into_inner(), app.clock.now());
    let call = Telephone {
        outcome: body.outcome,
        is_incoming: body.incoming,
        at: body.at.map_or(now, Timestamp),
        minutes: body.minutes,
    };
    let findings = Findings { summary: body.summary, answers: body.answers };
    let mut tx = app.stores.db.begin().await?;
    if let Some(by) = body.account {
        account(&mut tx, by).await?;
    }
    let next = next_of(body.next);
    let desk = of_calls(&app);
    let step = calls::note(&mut tx, desk, body.contact, &call, &findings, &next, body.account, now).await?;
    tx.commit().await?;
    Ok(HttpResponse::build(StatusCode::CREATED).json(json!({ "next": step })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Saying {
    outcome: String,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    answers: BTreeMap<String, String>,
    account: Option<AccountId>,
    next: Option<Following>,
}

/// `POST /api/v1/bookings/{booking}/findings`: how a booked call went, `{outcome: held|no_show, summary?, answers?,
/// account?, next?}`.
async fn after(
    app: Shared,
    request: HttpRequest,
    booking: web::Path<String>,
    body: web::Json<Saying>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let (body, now) = (body.into_inner(), app.clock.now());
    let id = BookingId::parse(&booking).map_err(|_| bookings::Error::Unknown)?;
    let outcome = bookings::Outcome::of_word(&body.outcome)
        .ok_or_else(|| Problem::new("request.malformed", "The outcome is held or no_show."))?;
    let findings = Findings { summary: body.summary, answers: body.answers };
    let mut tx = app.stores.db.begin().await?;
    if let Some(by) = body.account {
        account(&mut tx, by).await?;
    }
    let next = next_of(body.next);
    let step =
        calls::after(&mut tx, of_calls(&app), id, outcome, &findings, &next, body.account, now).await?;
    tx.commit().await?;
    Ok(HttpResponse::Ok().json(json!({ "next": step })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Learning {
    contact: ContactId,
    answers: BTreeMap<String, String>,
}

/// `POST /api/v1/answers` with `{contact, answers: {budget: "…", …}}`: what a program has learnt about a contact.
async fn learn(
    app: Shared,
    request: HttpRequest,
    body: web::Json<Learning>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let mut tx = app.stores.db.begin().await?;
    calls::learn(&mut tx, &app.lifecycle, body.contact, &body.answers, "api", app.clock.now()).await?;
    tx.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}
