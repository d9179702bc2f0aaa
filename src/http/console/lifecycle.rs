//! The definition that marketing and sales share: which version runs, which ones wait, who has approved what.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::frame::{Reader, see_done};
use crate::accounts::{self, Role};
use crate::http::error::Problem;
use crate::http::lifecycle::{cannot_take_up, file, of_hash, wrong};
use crate::stages::Actor;
use crate::stages::versions::{self, Reevaluate, Standing};

/// The page itself.
const PATH: &str = "/console/lifecycle";

/// `GET /console/lifecycle`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let app = &reader.app;
    let reads = &mut app.stores.db.read();
    let mut waiting: Vec<Json> = Vec::new();
    for proposal in versions::proposals(reads).await? {
        let Some(definition) = versions::proposed(reads, &proposal.hash).await? else { continue };
        let standing = versions::standing(reads, &definition).await?;
        let by = match proposal.actor.strip_prefix("account:").map(str::parse) {
            Some(Ok(id)) => accounts::find(reads, id).await?.map(|account| account.name),
            _ => None,
        };
        waiting.push(told(&reader, &standing, Some((by, proposal.note, proposal.at)), &definition.body));
    }
    // A file with mistakes is told by `embudo check`; the page goes on without it.
    if let Ok(file) = file(app) {
        let standing = versions::standing(reads, &file).await?;
        if !standing.is_running {
            waiting.push(told(&reader, &standing, None, &file.body));
        }
    }
    let history = versions::activations(reads, 20).await?;
    let running = app.lifecycle.now();
    let body = json!({
        "running": { "version": running.version, "name": running.name, "hash": short(&running.hash), "body": running.body },
        "waiting": waiting,
        "history": history.iter().map(|one| json!({
            "version": one.version, "hash": short(&one.hash), "at": one.at, "reevaluate": one.reevaluate,
        })).collect::<Vec<_>>(),
    });
    reader.page("console/lifecycle", body).await
}

/// The beginning of a hash, for people to compare.
fn short(hash: &str) -> &str {
    hash.get(..8).unwrap_or(hash)
}

type Proposed = (Option<String>, Option<String>, crate::base::time::Timestamp);

fn told(reader: &Reader, standing: &Standing, proposal: Option<Proposed>, body: &str) -> Json {
    let is_proposal = proposal.is_some();
    let (by, note, at) = proposal.map_or((None, None, None), |(by, note, at)| (by, note, Some(at)));
    json!({
        "version": standing.version,
        "hash": standing.hash,
        "short": short(&standing.hash),
        "is_proposal": is_proposal,
        "by": by,
        "note": note,
        "at": at,
        "approvals": standing.approvals,
        "missing": standing.missing,
        "may_activate": may_activate(reader, standing),
        "body": body,
    })
}

/// Whoever answers for the definition activates what both sides have approved; what nobody has to approve, an administrator.
fn may_activate(reader: &Reader, standing: &Standing) -> bool {
    let role = reader.account.role;
    let answers = matches!(role, Role::Marketing | Role::Sdr | Role::Ae) && !standing.required.is_empty();
    standing.missing.is_empty() && (role == Role::Admin || answers)
}

/// A text that is to run.
#[derive(Deserialize)]
pub struct Proposal {
    text: String,
    #[serde(default)]
    note: String,
}

/// `POST /console/lifecycle/propose`.
pub async fn propose(reader: Reader, form: web::Form<Proposal>) -> Result<HttpResponse, Problem> {
    // Browsers send the lines of a form with a carriage return, and the text's hash is that of the file.
    let text = form.text.replace("\r\n", "\n");
    let definition = reader.app.running.check(&text).map_err(|found| {
        let first: Vec<String> = found
            .iter()
            .map(|one| format!("{}:{} {} {}", one.line, one.col, one.code, one.message))
            .collect();
        Problem::new("lifecycle.model_invalid", first.join("\n"))
    })?;
    let mut tx = reader.app.stores.db.begin().await?;
    let actor = Actor::Account(reader.account.id).word();
    let note = Some(form.note.trim()).filter(|note| !note.is_empty());
    versions::propose(&mut tx, &definition, &actor, note, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(PATH, "proposed"))
}

/// Which text.
#[derive(Deserialize)]
pub struct Chosen {
    hash: String,
    #[serde(default)]
    re_evaluate: String,
}

/// `POST /console/lifecycle/approve`: for every side that the reader speaks for.
pub async fn approve(reader: Reader, form: web::Form<Chosen>) -> Result<HttpResponse, Problem> {
    let definition = of_hash(&reader.app, &form.hash).await?;
    let mut tx = reader.app.stores.db.begin().await?;
    versions::approve(&mut tx, &definition, &reader.account, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(PATH, "approved"))
}

/// `POST /console/lifecycle/activate`.
pub async fn activate(reader: Reader, form: web::Form<Chosen>) -> Result<HttpResponse, Problem> {
    let app = &reader.app;
    let definition = of_hash(app, &form.hash).await?;
    app.running.check(&definition.body).map_err(wrong)?;
    let reevaluate = Reevaluate::of_word(&form.re_evaluate)
        .ok_or_else(|| Problem::new("lifecycle.question_invalid", "Say about whom it is asked."))?;
    let mut tx = app.stores.db.begin().await?;
    let standing = versions::standing(&mut tx, &definition).await?;
    if standing.missing.is_empty() && !may_activate(&reader, &standing) {
        return Err(accounts::Error::Forbidden.into());
    }
    let actor = Actor::Account(reader.account.id).word();
    versions::activate(&mut tx, &definition, reevaluate, &actor, reader.now).await?;
    tx.commit().await?;
    app.running.take_up().await.map_err(cannot_take_up)?;
    Ok(see_done(PATH, "activated"))
}

/// `POST /console/lifecycle/withdraw`.
pub async fn withdraw(reader: Reader, form: web::Form<Chosen>) -> Result<HttpResponse, Problem> {
    let mut tx = reader.app.stores.db.begin().await?;
    versions::withdraw(&mut tx, &form.hash, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(PATH, "withdrawn"))
}
