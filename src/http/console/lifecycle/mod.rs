//! The definition that marketing and sales share, in the words of both; which version runs, which ones wait, and who has
//! approved what. `trials.rs` tries versions out.

pub mod lines;
mod said;
mod trials;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

pub use self::said::{rule, said};
pub use self::trials::{ask, show as trial, stop};
use super::frame::{Reader, see_done};
use crate::accounts::{self, Role};
use crate::app::Written;
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::time::Timestamp;
use crate::http::error::Problem;
use crate::http::lifecycle::{cannot_take_up, of_hash, read_file, wrong};
use crate::stages::trial::kept;
use crate::stages::versions::{self, Reevaluate, Standing};
use crate::stages::{Actor, Definition};

/// The page itself.
const PATH: &str = "/console/lifecycle";
/// Lines of a text that are shown before and after one with a mistake.
const AROUND: usize = 1;
/// Trials that a page lists.
const TRIALS_MOST: i64 = 10;
/// Versions of the past that are told.
const HISTORY_MOST: i64 = 20;

/// `GET /console/lifecycle`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let app = &reader.app;
    let reads = &mut app.stores.db.read();
    let mut waiting: Vec<Json> = Vec::new();
    for proposal in versions::proposals(reads).await? {
        let Some(definition) = versions::proposed(reads, &proposal.hash).await? else { continue };
        let standing = versions::standing(reads, &definition).await?;
        let by = author(&reader, &proposal.actor).await?;
        waiting.push(told(&reader, &standing, Some((by, proposal.note, proposal.at))));
    }
    // What runs and what waits does not hang on the file: mistakes of it are told beside them.
    let (mut behind, mut broken, mut taken) = (None, Vec::new(), None);
    match read_file(app) {
        Err(found) => broken = found.into_iter().filter(|one| one.severity == Severity::Error).collect(),
        Ok(file) => {
            let standing = versions::standing(reads, &file).await?;
            if !standing.is_running && versions::taken(reads, &file).await? {
                taken = Some(json!({
                    "version": file.version, "next": versions::next_number(reads, &file).await?,
                    "path": app.running.file().display().to_string(),
                }));
            } else if !standing.is_running && file.version >= app.lifecycle.version {
                waiting.push(told(&reader, &standing, None));
            } else if !standing.is_running {
                behind = Some(
                    json!({ "version": file.version, "path": app.running.file().display().to_string() }),
                );
            }
        }
    }
    let broken: Vec<Json> = broken
        .iter()
        .map(|one| {
            json!({ "path": one.path, "line": one.line, "col": one.col, "code": one.code, "message": one.message, "hint": one.hint })
        })
        .collect();
    let mut history: Vec<Json> = Vec::new();
    for one in versions::activations(reads, HISTORY_MOST).await? {
        let by = author(&reader, &one.actor).await?;
        history.push(json!({
            "version": one.version, "hash": one.hash, "short": short(&one.hash), "at": one.at,
            "reevaluate": one.reevaluate, "by": by, "is_start": one.actor == "start",
        }));
    }
    let running = app.lifecycle.now();
    let body = json!({
        "running": {
            "version": running.version, "name": running.name, "hash": running.hash, "short": short(&running.hash),
            "body": running.body,
            "review_by": running.review_by.as_ref().map(|(date, _)| date.to_string()),
            "approvals": running.approvals,
        },
        "said": said(running, reader.account.language),
        "behind": behind,
        "broken": broken,
        "taken": taken,
        "waiting": waiting,
        "trials": trials::listed(&reader, kept::of_text(reads, None, TRIALS_MOST).await?).await?,
        "history": history,
    });
    reader.page("console/lifecycle", body).await
}

/// The name of whoever stands behind an actor, if an account does.
async fn author(reader: &Reader, actor: &str) -> Result<Option<String>, Problem> {
    let Some(Ok(id)) = actor.strip_prefix("account:").map(str::parse) else { return Ok(None) };
    let account = accounts::find(&mut reader.app.stores.db.read(), id).await?;
    Ok(account.map(|account| account.name))
}

/// The beginning of a hash, for people to compare.
fn short(hash: &str) -> &str {
    hash.get(..8).unwrap_or(hash)
}

type Proposed = (Option<String>, Option<String>, Timestamp);

fn told(reader: &Reader, standing: &Standing, proposal: Option<Proposed>) -> Json {
    let is_proposal = proposal.is_some();
    let (by, note, at) = proposal.map_or((None, None, None), |(by, note, at)| (by, note, Some(at)));
    json!({
        "version": standing.version,
        "hash": standing.hash,
        "short": short(&standing.hash),
        "is_proposal": is_proposal,
        "is_running": standing.is_running,
        "by": by,
        "note": note,
        "at": at,
        "approvals": standing.approvals,
        "missing": standing.missing,
        "may_activate": !standing.is_running && may_activate(reader, standing),
    })
}

/// Whoever answers for the definition activates what both sides have approved; what nobody has to approve, an administrator.
fn may_activate(reader: &Reader, standing: &Standing) -> bool {
    let role = reader.account.role;
    let answers = matches!(role, Role::Marketing | Role::Sdr | Role::Ae) && !standing.required.is_empty();
    standing.missing.is_empty() && (role == Role::Admin || answers)
}

/// The version of a hash: the running one, one that waits, the file's, or one of the past.
pub async fn version_of(reader: &Reader, hash: &str) -> Result<Definition, Problem> {
    let app = &reader.app;
    let running = app.lifecycle.now();
    if running.hash == hash {
        return Ok(running.clone());
    }
    let known = versions::known(&mut app.stores.db.read(), hash).await?;
    let found = match known {
        Some(known) => known,
        None => of_hash(app, hash).await?,
    };
    Ok(found.with_tags(running.scoring.tags.clone()))
}

/// `GET /console/lifecycle/versions/{hash}[?against=HASH]`: one version beside another, and what became of it.
pub async fn version(reader: Reader, hash: web::Path<String>) -> Result<HttpResponse, Problem> {
    let app = &reader.app;
    let running = app.lifecycle.now();
    let definition = version_of(&reader, &hash).await?;
    let reads = &mut app.stores.db.read();
    let history = versions::activations(reads, HISTORY_MOST).await?;
    let before = history.iter().find(|one| one.hash != definition.hash).map(|one| one.hash.clone());
    // A version that runs is looked at beside the one before it, any other beside the one that runs.
    let usual = if definition.hash == running.hash { before } else { Some(running.hash.clone()) };
    let against = match reader.asked("against").or(usual) {
        Some(hash) => Some(version_of(&reader, &hash).await?),
        None => None,
    };
    let proposals = versions::proposals(reads).await?;
    let standing = versions::standing(reads, &definition).await?;
    let proposal = proposals.iter().find(|proposal| proposal.hash == definition.hash);
    let proposal = match proposal {
        Some(proposal) => Some((author(&reader, &proposal.actor).await?, proposal.note.clone(), proposal.at)),
        None => None,
    };
    let mut others: Vec<(i64, String)> = vec![(running.version, running.hash.clone())];
    others.extend(proposals.iter().map(|one| (one.version, one.hash.clone())));
    others.extend(history.iter().map(|one| (one.version, one.hash.clone())));
    others.retain(|(_, hash)| *hash != definition.hash);
    others.sort_unstable();
    others.dedup();
    let others: Vec<Json> = others
        .iter()
        .map(|(version, hash)| {
            json!({
                "version": version, "hash": hash, "short": short(hash), "is_running": *hash == running.hash,
                "is_chosen": against.as_ref().is_some_and(|against| against.hash == *hash),
            })
        })
        .collect();
    let fits = if definition.hash == running.hash {
        Ok(())
    } else {
        app.running.check(&definition.body).map(|_| ())
    };
    let language = reader.account.language;
    let stages: Vec<Json> = definition
        .stages
        .iter()
        .skip(1)
        .map(|stage| json!({ "id": stage.id, "label": stage.label.get(language) }))
        .collect();
    let body = json!({
        "version": told(&reader, &standing, proposal),
        "running": running.hash,
        "ran": history.iter().any(|one| one.hash == definition.hash),
        "name": definition.name,
        "body": definition.body,
        "said": said(&definition, language),
        "others": others,
        "against": against.as_ref().map(|against| json!({
            "version": against.version, "hash": against.hash, "short": short(&against.hash),
            "lines": lines::differences(&against.body, &definition.body),
        })),
        "findings": fits.err().map(|found| findings(&definition.body, &found)),
        "stages": stages,
        "foretells": trials::usual_stage(&definition, false),
        "foretold": trials::usual_stage(&definition, true),
        "trials": trials::listed(&reader, kept::of_text(reads, Some(&definition.hash), TRIALS_MOST).await?).await?,
    });
    reader.page("console/lifecycle_version", body).await
}

/// `GET /console/lifecycle/versions/{hash}/text`: the very text, to be put into the file.
pub async fn text(reader: Reader, hash: web::Path<String>) -> Result<HttpResponse, Problem> {
    let definition = version_of(&reader, &hash).await?;
    let name = format!("attachment; filename=\"lifecycle-v{}.yaml\"", definition.version);
    Ok(HttpResponse::Ok()
        .content_type("application/yaml; charset=utf-8")
        .insert_header((CONTENT_DISPOSITION, name))
        .body(definition.body))
}

/// `GET /console/lifecycle/propose[?from=HASH]`: a text to begin with.
pub async fn compose(reader: Reader) -> Result<HttpResponse, Problem> {
    let body = match reader.asked("from") {
        Some(hash) => version_of(&reader, &hash).await?.body,
        None => reader.app.lifecycle.body.clone(),
    };
    let next = reader.app.lifecycle.version + 1;
    reader
        .page(
            "console/lifecycle_propose",
            json!({ "text": body, "note": "", "next": next, "findings": null }),
        )
        .await
}

/// A text that is to run.
#[derive(Deserialize)]
pub struct Proposal {
    text: String,
    #[serde(default)]
    note: String,
}

/// `POST /console/lifecycle/propose`: with mistakes the text stays in the form, and each is told at its line.
pub async fn propose(reader: Reader, form: web::Form<Proposal>) -> Result<HttpResponse, Problem> {
    // Browsers send the lines of a form with a carriage return, and the text's hash is that of the file.
    let text = form.text.replace("\r\n", "\n");
    let definition = match reader.app.running.check(&text) {
        Ok(definition) => definition,
        Err(found) => {
            let body = json!({
                "findings": findings(&text, &found), "text": text, "note": form.note,
                "next": reader.app.lifecycle.version + 1,
            });
            let page = reader.page_with(StatusCode::UNPROCESSABLE_ENTITY, "console/lifecycle_propose", body);
            return page.await;
        }
    };
    let mut tx = reader.app.stores.db.begin().await?;
    let actor = Actor::Account(reader.account.id).word();
    let note = Some(form.note.trim()).filter(|note| !note.is_empty());
    versions::propose(&mut tx, &definition, &actor, note, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(&of(&definition.hash), "proposed"))
}

/// The address of a version's page.
fn of(hash: &str) -> String {
    format!("{PATH}/versions/{hash}")
}

/// What is wrong with a text, each with the lines around it; what is wrong in other files, without.
fn findings(text: &str, found: &[Diagnostic]) -> Vec<Json> {
    let lines: Vec<&str> = text.lines().collect();
    let told = |one: &Diagnostic| {
        let is_here = one.path == "lifecycle.yaml";
        let line = usize::try_from(one.line).unwrap_or(0);
        let first = line.saturating_sub(AROUND).max(1);
        let around = lines.iter().enumerate().skip(first - 1).take(line + AROUND + 1 - first);
        let around: Vec<Json> = around
            .filter(|_| is_here)
            .map(|(index, text)| json!({ "number": index + 1, "text": text, "is_it": index + 1 == line }))
            .collect();
        json!({
            "path": one.path, "is_here": is_here, "line": one.line, "col": one.col, "code": one.code,
            "message": one.message, "hint": one.hint, "is_error": one.severity == Severity::Error, "lines": around,
        })
    };
    found.iter().map(told).collect()
}

/// Which text.
#[derive(Deserialize)]
pub struct Chosen {
    hash: String,
    #[serde(default)]
    re_evaluate: String,
    /// The version that ran when the page was opened.
    running: Option<String>,
}

/// `POST /console/lifecycle/approve`: for every side that the reader speaks for.
pub async fn approve(reader: Reader, form: web::Form<Chosen>) -> Result<HttpResponse, Problem> {
    let definition = of_hash(&reader.app, &form.hash).await?;
    let mut tx = reader.app.stores.db.begin().await?;
    versions::approve(&mut tx, &definition, &reader.account, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(&of(&definition.hash), "approved"))
}

/// `POST /console/lifecycle/activate`: it runs, and stands in the file of this server if that can be written.
pub async fn activate(reader: Reader, form: web::Form<Chosen>) -> Result<HttpResponse, Problem> {
    let app = &reader.app;
    let definition = of_hash(app, &form.hash).await?;
    app.running.check(&definition.body).map_err(wrong)?;
    let reevaluate = Reevaluate::of_word(&form.re_evaluate)
        .ok_or_else(|| Problem::new("lifecycle.question_invalid", "Say about whom it is asked."))?;
    if form.running.as_deref().is_some_and(|seen| seen != app.lifecycle.now().hash) {
        let detail = format!("Version {} runs by now.", app.lifecycle.now().version);
        return Err(Problem::new("lifecycle.running_changed", detail));
    }
    let mut tx = app.stores.db.begin().await?;
    let standing = versions::standing(&mut tx, &definition).await?;
    if standing.missing.is_empty() && !may_activate(&reader, &standing) {
        return Err(accounts::Error::Forbidden.into());
    }
    let actor = Actor::Account(reader.account.id).word();
    versions::activate(&mut tx, &definition, reevaluate, &actor, reader.now).await?;
    tx.commit().await?;
    app.running.take_up().await.map_err(cannot_take_up)?;
    let written = app.running.write(&definition).await;
    if let Written::NotWritable { path, why } = &written {
        tracing::warn!(file = %path.display(), error = %why, "the activated lifecycle cannot be written into its file");
    }
    Ok(see_done(PATH, &format!("activated_{}", written.word())))
}

/// `POST /console/lifecycle/withdraw`.
pub async fn withdraw(reader: Reader, form: web::Form<Chosen>) -> Result<HttpResponse, Problem> {
    let mut tx = reader.app.stores.db.begin().await?;
    versions::withdraw(&mut tx, &form.hash, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(PATH, "withdrawn"))
}
