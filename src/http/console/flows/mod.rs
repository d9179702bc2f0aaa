//! The chatbot's flows: which there are and how they do, one on its graph with what came of it, what is wrong in its file,
//! the file itself to be changed and tried out, and everything it has said before.

mod edit;
mod history;
mod page;
mod told;
mod tryout;

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use serde_json::{Value as Json, json};

pub use self::edit::{check, save, show as edit};
pub use self::history::{entry, list as history, restore};
pub use self::page::show as flow;
pub use self::tryout::{begin as try_it, go_on};
use super::frame::Reader;
use crate::app::{Bench, Paper};
use crate::base::diagnostic::Severity;
use crate::base::time::DAY_MS;
use crate::chat::check::codes;
use crate::chat::flow::{Flow, Next};
use crate::chat::history as kept;
use crate::chat::{self, Flows};
use crate::http::error::Problem;
use crate::reports::journeys::chats::{self, Talk};
use crate::reports::journeys::{Span, share};

/// The page itself.
const PATH: &str = "/console/flows";
/// Conversations of so many days are counted in the list.
const DAYS: i64 = 28;

/// The address of a flow's page, or of one of those behind it.
fn of(flow: &str, page: &str) -> String {
    if page.is_empty() { format!("{PATH}/{flow}") } else { format!("{PATH}/{flow}/{page}") }
}

/// What could not be looked at.
fn failed(error: &anyhow::Error) -> Problem {
    tracing::error!(error = %error, "the flows' files cannot be looked at");
    Problem::from(chat::Error::from(crate::storage::Error::Unavailable("flows".to_owned())))
}

/// How a flow stands: its file beside what runs.
fn standing(bench: &Bench, running: &Flows, flow: &str) -> &'static str {
    let runs = running.find(flow);
    let written = bench.flows.as_ref().and_then(|flows| flows.find(flow));
    match (bench.paper(flow), runs) {
        (None, Some(_)) => "built_in",
        (None, None) => "gone",
        (Some(_), None) => "stopped",
        (Some(_), Some(runs)) => match written {
            Some(written) if written.version == runs.version => "runs",
            // It is about to be taken up, or a test keeps it from that.
            Some(_) => "behind",
            None => "wrong",
        },
    }
}

/// A share of conversations that are over: those that came to one of the flow's own ends.
fn completion<'t>(flow: Option<&Flow>, talks: impl Iterator<Item = &'t Talk>) -> Option<f64> {
    let is_end = |outcome: &str| {
        let ends = flow.into_iter().flat_map(|flow| &flow.steps).map(|step| &step.next);
        ends.into_iter().any(|next| matches!(next, Next::End(end) if end == outcome))
    };
    let (mut over, mut whole) = (0, 0);
    for talk in talks.filter(|talk| talk.is_closed) {
        over += 1;
        whole += usize::from(talk.outcome.as_deref().is_some_and(is_end));
    }
    share(whole, over)
}

/// A share in whole percent.
#[allow(clippy::cast_possible_truncation, reason = "at most 100")]
fn percent(share: Option<f64>) -> Option<i64> {
    share.map(|share| (share * 100.0).round() as i64)
}

fn counted(bench: &Bench, paper: Option<&Paper>) -> (usize, usize) {
    let found = || paper.into_iter().flat_map(|paper| bench.findings_of(paper));
    let errors = found().filter(|found| found.severity == Severity::Error).count();
    (errors, found().count().saturating_sub(errors))
}

/// `GET /console/flows`.
pub async fn list(reader: Reader) -> Result<HttpResponse, Problem> {
    let app = &reader.app;
    let bench = app.bench().await.map_err(|error| failed(&error))?;
    let running = app.room.flows.now();
    let reads = &mut app.stores.db.read();
    let span = Span { from: reader.now.plus_ms(-DAYS * DAY_MS), to: reader.now.plus_ms(1) };
    let talks = chats::talks(reads, span).await?;
    let newest: BTreeMap<String, kept::Entry> =
        kept::newest(reads).await?.into_iter().map(|entry| (entry.flow.clone(), entry)).collect();
    let mut names: Vec<&str> = bench.papers.iter().map(|paper| paper.flow.as_str()).collect();
    names.extend(running.all().iter().map(|flow| flow.id.as_str()));
    names.sort_unstable();
    names.dedup();
    let mut rows: Vec<(usize, Json)> = Vec::new();
    for name in names {
        let written = bench.flows.as_ref().and_then(|flows| flows.find(name));
        let flow: Option<&Flow> = written.or_else(|| running.find(name)).map(AsRef::as_ref);
        let paper = bench.paper(name);
        let (errors, warnings) = counted(&bench, paper);
        let own = || talks.iter().filter(|talk| talk.flow == name);
        let changed = newest.get(name).filter(|_| paper.is_some());
        rows.push((
            own().count(),
            json!({
                "id": name,
                "title": flow.map_or(name, |flow| flow.title.as_str()),
                "languages": told::languages(flow),
                "trigger": flow.map(told::trigger),
                "standing": standing(&bench, &running, name),
                "conversations": own().count(),
                "completion": percent(completion(flow, own())),
                "has_completion": own().any(|talk| talk.is_closed),
                "errors": errors,
                "warnings": warnings,
                "file": paper.map(|paper| &paper.told),
                "changed_at": changed.map(|entry| entry.at),
                "changed_by": changed.and_then(|entry| entry.name.clone()),
            }),
        ));
    }
    rows.sort_by_key(|(talks, _)| std::cmp::Reverse(*talks));
    let rows: Vec<Json> = rows.into_iter().map(|(_, row)| row).collect();
    let failing = bench.tests.iter().filter(|ran| !ran.failures.is_empty()).count();
    let body = json!({
        "flows": rows, "days": DAYS, "problem": app.room.flows.problem().is_some(),
        "failing": failing, "tests": bench.tests.len(),
    });
    reader.page("console/flows", body).await
}

/// `GET /console/checks/{code}`: what a code of a finding means.
pub async fn code(reader: Reader, code: web::Path<String>) -> Result<HttpResponse, Problem> {
    let unknown = || Problem::new("request.not_found", "There is no such code of flows.");
    let known = codes::find(&code).ok_or_else(unknown)?;
    let body = json!({
        "code": known.code,
        "title": known.title(),
        "paragraphs": known.text().split("\n\n").map(|part| part.replace('\n', " ")).collect::<Vec<_>>(),
    });
    reader.page("console/flow_code", body).await
}

/// What stands above every page of a flow.
fn head(reader: &Reader, bench: &Bench, name: &str, here: &str) -> Result<Json, Problem> {
    let running = reader.app.room.flows.now();
    let flow = shown(bench, &running, name);
    let paper = bench.paper(name);
    if flow.is_none() && paper.is_none() {
        return Err(chat::Error::FlowUnknown.into());
    }
    let (errors, warnings) = counted(bench, paper);
    let flow: Option<&Flow> = flow.map(AsRef::as_ref);
    Ok(json!({
        "id": name,
        "title": flow.map_or(name, |flow| flow.title.as_str()),
        "languages": told::languages(flow),
        "trigger": flow.map(told::trigger),
        "standing": standing(bench, &running, name),
        "file": paper.map(|paper| &paper.told),
        "may_edit": paper.is_some() && reader.may(crate::accounts::May::Curate),
        "errors": errors,
        "warnings": warnings,
        "here": here,
    }))
}

/// The flow that a page is about: as its file has it, or as it runs where the files are wrong.
fn shown<'f>(bench: &'f Bench, running: &'f Flows, name: &str) -> Option<&'f std::sync::Arc<Flow>> {
    bench.flows.as_ref().and_then(|flows| flows.find(name)).or_else(|| running.find(name))
}
