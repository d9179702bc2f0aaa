//! The CRMs: how each does, what waits and what was given up.

use actix_web::{HttpResponse, web};
use serde_json::{Value as Json, json};

use super::frame::{Reader, see_done};
use crate::accounts::May;
use crate::base::time::Timestamp;
use crate::crm::{self, Connection};
use crate::http::crm::path_of;
use crate::http::error::Problem;
use crate::jobs::queue::{self, Which};
use crate::reports::outbox::{self, Queued};

/// The page itself.
const PATH: &str = "/console/crm";

/// `GET /console/crm`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let queued = outbox::queue(&mut reader.app.stores.db.read(), reader.now).await?;
    let mut connections = Vec::new();
    for connection in &reader.app.crm.all {
        connections.push(told(&reader, connection, &queued).await?);
    }
    reader.page("console/crm", json!({ "connections": connections })).await
}

async fn told(reader: &Reader, connection: &Connection, queued: &[Queued]) -> Result<Json, Problem> {
    let reads = &mut reader.app.stores.db.read();
    let state = crm::state(reads, &connection.name).await?;
    let target = target_of(connection);
    let its: Vec<&Queued> = queued.iter().filter(|one| one.target == target).collect();
    let dead: Vec<&&Queued> = its.iter().filter(|one| one.state == "dead").collect();
    let on_the_way: Vec<&&Queued> =
        its.iter().filter(|one| matches!(one.state, "waiting" | "failing" | "running")).collect();
    let paused = state.resume_at.filter(|until| *until > reader.now);
    let word = match (paused, state.failing_since, state.sent_at) {
        (Some(_), ..) => "paused",
        (None, Some(_), _) => "failing",
        (None, None, Some(_)) => "fine",
        (None, None, None) => "unused",
    };
    let counts: Vec<Json> = crm::counts(reads, &connection.name)
        .await?
        .into_iter()
        .map(|(kind, count)| json!({ "kind": kind, "count": count }))
        .collect();
    // The address is a secret; whoever may set it up may see it.
    let hook = path_of(connection).filter(|_| reader.may(May::Operate)).map(|path| reader.app.link(&path));
    Ok(json!({
        "name": connection.name,
        "kind": connection.kind(),
        "host": connection.host(),
        "word": word,
        "state": state,
        "paused": paused,
        "counts": counts,
        "dead": dead,
        "waiting": on_the_way,
        "hears": connection.hears(),
        "hook": hook,
    }))
}

fn target_of(connection: &Connection) -> String {
    format!("{}:{}", crm::JOB, connection.name)
}

fn find<'a>(reader: &'a Reader, name: &str) -> Result<&'a Connection, Problem> {
    let found = reader.app.crm.find(name);
    found.ok_or_else(|| Problem::new("crm.unknown", "crm.yaml has no connection of this name."))
}

/// `POST /console/crm/{crm}/test`: asks the CRM who we are there.
pub async fn test(reader: Reader, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let connection = find(&reader, &name)?;
    match crm::test(&reader.app.desk.outbound, connection).await {
        Ok(()) => Ok(see_done(PATH, "crm_tested")),
        Err(error) => Err(Problem::new("crm.refused", error.to_string())),
    }
}

/// `POST /console/crm/{crm}/replay`: tries all that was given up for a CRM again.
pub async fn replay(reader: Reader, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let target = Some(target_of(find(&reader, &name)?));
    let mut tx = reader.app.stores.db.begin().await?;
    queue::replay(&mut tx, &Which::Since { from: Timestamp::default(), target }, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(PATH, "crm_replayed"))
}
