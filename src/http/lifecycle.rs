//! The doors of the lifecycle: `/api/v1/lifecycle/…`, as JSON. `docs/lifecycle.md` tells what they say.
//!
//! What is asked here writes nothing but that it was asked about somebody; approvals, activation and the states after the
//! sale do.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Shared;
use super::api::{account_of, authorised, by};
use super::error::Problem;
use crate::accounts::{self, Account};
use crate::app::{App, Definitions, Sources};
use crate::base::diagnostic::{Diagnostic, Report};
use crate::base::email::Email;
use crate::base::ids::ActivityId;
use crate::base::time::{DAY_MS, Timestamp};
use crate::base::yaml;
use crate::bookings::capacity::Loaded;
use crate::contacts::{self, Contact};
use crate::privacy::audit;
use crate::scoring;
use crate::stages::trial::{self, Backtester, Differ, Lifter, Question};
use crate::stages::versions::{self, Reevaluate};
use crate::stages::{self, Actor, Definition, track};

/// Longest definition that can be tried.
const MODEL_BYTES: usize = 512 * 1024;

/// Everybody is asked for one answer at a time on a node: it keeps a core busy.
static ASKING: Semaphore = Semaphore::const_new(1);

/// Mounts the doors.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors.service(
        web::scope("/api/v1/lifecycle")
            .app_data(web::PayloadConfig::new(MODEL_BYTES))
            .route("/explain", web::get().to(explain))
            .route("/activities/{activity}", web::get().to(activity))
            .route("/simulate", web::get().to(simulate))
            .route("/backtest", web::post().to(backtest))
            .route("/diff", web::post().to(diff))
            .route("/lift", web::get().to(lift))
            .route("/versions", web::get().to(told_versions))
            .route("/approvals", web::post().to(approve))
            .route("/activation", web::post().to(activate))
            .route("/proposals", web::post().to(propose))
            .route("/proposals/{hash}", web::delete().to(withdraw))
            .route("/customers/state", web::post().to(set_state))
            .route("/customers/attempts", web::post().to(attempt)),
    );
}

fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new("lifecycle.question_invalid", detail)
}

fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Problem> {
    trial::moment(text, now).ok_or_else(|| {
        invalid(format!("`{text}` is no moment: 2026-11-01, 2026-11-01T09:00:00Z, +30d or -30d."))
    })
}

/// How far back: `180d`, or a moment.
fn past(text: Option<&str>, days: i64, now: Timestamp) -> Result<Timestamp, Problem> {
    let Some(text) = text else { return Ok(now.plus_ms(-days * DAY_MS)) };
    yaml::duration_ms(text).map_or_else(|| moment(text, now), |ms| Ok(now.plus_ms(-ms)))
}

async fn contact(app: &Shared, email: &str) -> Result<Contact, Problem> {
    let email = Email::parse(email).map_err(|_| contacts::Error::Unknown)?;
    let found = contacts::find_by_email(&mut app.stores.db.read(), &email).await?;
    Ok(found.ok_or(contacts::Error::Unknown)?)
}

/// About whom, and as of when.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    email: String,
    at: Option<String>,
}

/// `GET /explain?email=…[&at=…]`.
async fn explain(
    app: Shared,
    request: HttpRequest,
    asked: web::Query<About>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let now = app.clock.now();
    let at = asked.at.as_deref().map(|at| moment(at, now)).transpose()?;
    let contact = contact(&app, &asked.email).await?;
    audit::saw(&app.stores.db, by(&request)?, contact.id, now).await?;
    let reads = &mut app.stores.db.read();
    let told = match at {
        Some(at) => stages::explain_at(reads, &app.lifecycle, contact.id, at).await?,
        None => stages::explain(reads, &app.lifecycle, contact.id, now).await?,
    };
    Ok(HttpResponse::Ok().json(told))
}

/// Whose.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    email: String,
}

/// `GET /activities/{activity}?email=…`: what an explanation points to, be it kept as an activity, a visit or a page view.
async fn activity(
    app: Shared,
    request: HttpRequest,
    activity: web::Path<String>,
    asked: web::Query<Whose>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let unknown = || Problem::new("activity.unknown", "She did nothing of this id in the last 400 days.");
    let id = ActivityId::parse(&activity).map_err(|_| unknown())?;
    let (contact, now) = (contact(&app, &asked.email).await?, app.clock.now());
    audit::saw(&app.stores.db, by(&request)?, contact.id, now).await?;
    let since = now.plus_ms(-stages::MEMORY_MS);
    let did = scoring::store::activities(&mut app.stores.db.read(), contact.id, since).await?;
    let found = did.into_iter().find(|activity| activity.id == id).ok_or_else(unknown)?;
    Ok(HttpResponse::Ok().json(json!({
        "id": found.id, "kind": found.kind, "subject": found.subject, "props": found.props, "at": found.at,
    })))
}

/// `GET /simulate?email=…&at=…`.
async fn simulate(
    app: Shared,
    request: HttpRequest,
    asked: web::Query<About>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let now = app.clock.now();
    let at = asked.at.as_deref().ok_or_else(|| invalid("`at` says when."))?;
    let at = moment(at, now)?;
    let contact = contact(&app, &asked.email).await?;
    known_then(&contact, at)?;
    audit::saw(&app.stores.db, by(&request)?, contact.id, now).await?;
    let told = trial::simulate(&app.stores.db, &app.lifecycle, contact.id, at, now).await?;
    Ok(HttpResponse::Ok().json(told))
}

/// Before somebody was known there is nothing to tell.
fn known_then(contact: &Contact, at: Timestamp) -> Result<(), Problem> {
    if at < contact.created_at {
        return Err(invalid(format!("This contact is known since {} and not before.", contact.created_at)));
    }
    Ok(())
}

/// What everybody is asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    since: Option<String>,
    stage: Option<String>,
    outcome: Option<String>,
}

/// A definition in a body; every mistake is told with its place.
fn model(app: &Shared, body: &web::Bytes) -> Result<Definition, Problem> {
    let text = std::str::from_utf8(body).map_err(|_| invalid("The body is no text."))?;
    let report = Report::new();
    let tags = app.lifecycle.scoring.tags.clone();
    let model = Definition::parse("model.yaml", &app.lifecycle.complete(text), &report)
        .map(|model| model.with_tags(tags));
    model.ok_or_else(|| {
        let found = json!(report.diagnostics());
        Problem::new("lifecycle.model_invalid", "The definition has mistakes, each with its place.")
            .with("findings", found)
    })
}

fn alone() -> Result<SemaphorePermit<'static>, Problem> {
    ASKING.try_acquire().map_err(|_| {
        Problem::new("limit.too_many", "Everybody is being asked already; one answer at a time.")
            .with("retry_after_ms", 10_000)
    })
}

async fn ask<Q: Question>(app: &Shared, question: Q, since: Timestamp) -> Result<Q, Problem> {
    let _alone = alone()?;
    let from = since.plus_ms(-stages::MEMORY_MS);
    Ok(trial::ask(&app.stores.db, question, from, |_, _| {}).await?)
}

/// `POST /backtest?since=180d&stage=mql&outcome=sal` with the model as YAML.
async fn backtest(
    app: Shared,
    request: HttpRequest,
    asked: web::Query<Asked>,
    body: web::Bytes,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let (model, now) = (model(&app, &body)?, app.clock.now());
    let since = past(asked.since.as_deref(), 180, now)?;
    let (stage, outcome) =
        (asked.stage.as_deref().unwrap_or("mql"), asked.outcome.as_deref().unwrap_or("sal"));
    let tester = Backtester::new(&model, &app.lifecycle, stage, outcome, (since, now));
    let tester = tester
        .ok_or_else(|| invalid(format!("The model has no stage `{stage}` or no stage `{outcome}`.")))?;
    let told = ask(&app, tester, since).await?.finish();
    Ok(HttpResponse::Ok().json(Loaded::new(told, &app.team)))
}

/// `POST /diff` with the new definition as YAML: who would stand elsewhere than under the one that runs.
async fn diff(app: Shared, request: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let now = app.clock.now();
    let differ = Differ::new((*app.lifecycle).clone(), model(&app, &body)?, now);
    let differ = ask(&app, differ, now).await?;
    Ok(HttpResponse::Ok().json(json!({ "contacts": differ.contacts, "changes": differ.changes })))
}

/// `GET /lift?since=365d&outcome=customer`.
async fn lift(app: Shared, request: HttpRequest, asked: web::Query<Asked>) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let now = app.clock.now();
    let since = past(asked.since.as_deref(), 365, now)?;
    let outcome = asked.outcome.as_deref().unwrap_or("customer");
    let lifter = Lifter::new((*app.lifecycle).clone(), outcome, (since, now));
    let lifter = lifter.ok_or_else(|| invalid(format!("There is no stage `{outcome}`.")))?;
    Ok(HttpResponse::Ok().json(ask(&app, lifter, since).await?.finish()))
}

/// The definition in the file as it is now, which may be newer than the one that runs.
pub(super) fn file(app: &App) -> Result<Definition, Problem> {
    read_file(app).map_err(|found| {
        Problem::new("lifecycle.model_invalid", "The file has mistakes, each with its place.")
            .with("findings", json!(found))
    })
}

/// As [`file`], or what is wrong with it and with what it is read with.
pub(super) fn read_file(app: &App) -> Result<Definition, Vec<Diagnostic>> {
    let report = Report::new();
    let read = Definitions::read(&Sources::of(&app.config, &report), &report);
    read.lifecycle.ok_or_else(|| report.diagnostics())
}

/// `GET /versions`: how the file's definition stands, and which ones ran.
async fn told_versions(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let reads = &mut app.stores.db.read();
    // A file with mistakes hides nothing of what runs and what waits: they stand beside it.
    let (standing, problem) = match read_file(&app) {
        Ok(file) => (Some(versions::standing(reads, &file).await?), None),
        Err(findings) => (None, Some(json!({ "code": "lifecycle.model_invalid", "findings": findings }))),
    };
    let history = versions::activations(reads, 50).await?;
    let mut proposals = Vec::new();
    for proposal in versions::proposals(reads).await? {
        let standing = match versions::proposed(reads, &proposal.hash).await? {
            Some(definition) => Some(versions::standing(reads, &definition).await?),
            None => None,
        };
        proposals.push(json!({ "proposal": proposal, "standing": standing }));
    }
    Ok(HttpResponse::Ok().json(json!({
        "running": { "version": app.lifecycle.version, "hash": app.lifecycle.hash, "name": app.lifecycle.name },
        "file": standing,
        "file_problem": problem,
        "proposals": proposals,
        "history": history,
    })))
}

fn read<'a, T: Deserialize<'a>>(body: &'a web::Bytes) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::unread("request.malformed", &error))
}

/// Which text, and who approves it: whoever the key belongs to, so that it need not be said.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approving {
    r#as: Option<String>,
    hash: String,
}

/// Whoever approves by a key: the person it belongs to, and nobody in whose name somebody else holds a key.
async fn approver(app: &App, request: &HttpRequest, named: Option<&str>) -> Result<Account, Problem> {
    let own = |detail: String| Problem::new("lifecycle.key_not_hers", detail);
    let nobody = || {
        own("This key is nobody's, and an approval is a person's: approve in the console, or by a key of your own \
             (`embudo key create NAME --scope lifecycle:write --of EMAIL`)."
            .to_owned())
    };
    let id = account_of(request).ok_or_else(nobody)?;
    let account = accounts::find(&mut app.stores.db.read(), id).await?.ok_or_else(nobody)?;
    match named {
        Some(named) if Email::parse(named).ok().as_ref() != Some(&account.email) => {
            Err(own("`as` names somebody else than the person whose key this is: she approves for herself."
                .to_owned()))
        }
        Some(_) | None => Ok(account),
    }
}

/// Who proposes and activates by a key.
fn actor(request: &HttpRequest) -> String {
    account_of(request).map_or(Actor::Api, Actor::Account).word()
}

/// `POST /approvals`.
async fn approve(app: Shared, request: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let body: Approving = read(&body)?;
    let definition = of_hash(&app, &body.hash).await?;
    let account = approver(&app, &request, body.r#as.as_deref()).await?;
    let mut tx = app.stores.db.begin().await?;
    let standing = versions::approve(&mut tx, &definition, &account, app.clock.now()).await?;
    tx.commit().await?;
    Ok(HttpResponse::Ok().json(standing))
}

/// Which text, and about whom it is asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Activating {
    hash: String,
    re_evaluate: String,
}

/// `POST /activation`: this server takes the version up at once, the others within seconds.
async fn activate(app: Shared, request: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let body: Activating = read(&body)?;
    let reevaluate = Reevaluate::of_word(&body.re_evaluate)
        .ok_or_else(|| invalid("`re_evaluate` is `all` or `new-events-only`."))?;
    let definition = of_hash(&app, &body.hash).await?;
    app.running.check(&definition.body).map_err(wrong)?;
    let mut tx = app.stores.db.begin().await?;
    let actor = actor(&request);
    let standing = versions::activate(&mut tx, &definition, reevaluate, &actor, app.clock.now()).await?;
    tx.commit().await?;
    app.running.take_up().await.map_err(cannot_take_up)?;
    let written = app.running.write(&definition).await;
    let mut told = json!(standing);
    if let Json::Object(told) = &mut told {
        told.insert("file".to_owned(), json!(written.word()));
    }
    Ok(HttpResponse::Ok().json(told))
}

/// The definition of a hash: a proposal, or the file if it still is the text that was looked at.
///
/// # Errors
/// `lifecycle.changed` with the file's hash if it is neither.
pub(super) async fn of_hash(app: &App, hash: &str) -> Result<Definition, Problem> {
    if let Some(proposed) = versions::proposed(&mut app.stores.db.read(), hash).await? {
        return Ok(proposed);
    }
    let file = file(app)?;
    if file.hash == hash {
        return Ok(file);
    }
    let detail = "The text is another one by now: look at it again.";
    Err(Problem::new("lifecycle.changed", detail).with("hash", file.hash))
}

pub(super) fn wrong(found: Vec<Diagnostic>) -> Problem {
    Problem::new("lifecycle.model_invalid", "The definition has mistakes, each with its place.")
        .with("findings", json!(found))
}

/// The version is activated and the others will take it up; what is wrong on this server stands in its log.
pub(super) fn cannot_take_up(error: anyhow::Error) -> Problem {
    tracing::error!(error = %error, "the activated version of the lifecycle cannot be taken up");
    Problem::new("internal", "The version is activated, but this server could not take it up.")
}

/// What a proposal is for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proposing {
    note: Option<String>,
}

/// `POST /proposals?note=…` with the definition as YAML: it waits for approvals and activation by its hash.
async fn propose(
    app: Shared,
    request: HttpRequest,
    asked: web::Query<Proposing>,
    body: web::Bytes,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let text = std::str::from_utf8(&body).map_err(|_| invalid("The body is no text."))?;
    let definition = app.running.check(text).map_err(wrong)?;
    let mut tx = app.stores.db.begin().await?;
    let (actor, note) = (actor(&request), asked.note.as_deref());
    let standing = versions::propose(&mut tx, &definition, &actor, note, app.clock.now()).await?;
    tx.commit().await?;
    Ok(HttpResponse::Created().json(standing))
}

/// `DELETE /proposals/{hash}`.
async fn withdraw(
    app: Shared,
    request: HttpRequest,
    hash: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let mut tx = app.stores.db.begin().await?;
    let was_there = versions::withdraw(&mut tx, &hash, app.clock.now()).await?;
    tx.commit().await?;
    Ok(HttpResponse::Ok().json(json!({ "withdrawn": was_there })))
}

/// Which customer, and what becomes of her.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    email: String,
    to: String,
    reason: Option<String>,
}

/// `POST /customers/state`.
async fn set_state(app: Shared, request: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let body: State = read(&body)?;
    let contact = contact(&app, &body.email).await?;
    let now = app.clock.now();
    let mut tx = app.stores.db.begin().await?;
    let reason = body.reason.as_deref();
    track::set(&mut tx, &app.lifecycle, contact.id, &body.to, reason, Actor::Api, now).await?;
    tx.commit().await?;
    told_state(&app, &contact, now).await
}

/// Whom somebody has tried to win back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attempt {
    email: String,
}

/// `POST /customers/attempts`.
async fn attempt(app: Shared, request: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let body: Attempt = read(&body)?;
    let contact = contact(&app, &body.email).await?;
    let now = app.clock.now();
    let mut tx = app.stores.db.begin().await?;
    track::attempt(&mut tx, &app.lifecycle, contact.id, Actor::Api, now).await?;
    tx.commit().await?;
    told_state(&app, &contact, now).await
}

async fn told_state(app: &Shared, contact: &Contact, now: Timestamp) -> Result<HttpResponse, Problem> {
    let told = stages::explain(&mut app.stores.db.read(), &app.lifecycle, contact.id, now).await?;
    Ok(HttpResponse::Ok().json(told.post_sale))
}
