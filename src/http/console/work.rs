//! What the team has to do: hand-overs that wait, and tasks.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::frame::{Reader, see_done};
use crate::accounts::{May, Role};
use crate::base::ids::{HandoverId, TaskId};
use crate::handovers;
use crate::http::error::Problem;
use crate::reports::team::{self, View};
use crate::tasks;

/// `GET /console/work?view=open|late|taken&tasks=mine|all`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let view = reader.asked("view").and_then(|view| View::of_word(&view)).unwrap_or(View::Open);
    let is_mine = reader.asked("tasks").as_deref() != Some("all");
    let reads = &mut reader.app.stores.db.read();
    let rows = team::handovers(reads, view, reader.now).await?;
    let role = reader.account.role;
    let handovers: Vec<Json> = rows
        .iter()
        .map(|row| {
            json!({
                "id": row.id,
                "contact_id": row.contact_id,
                "name": row.name,
                "stage": row.stage,
                "role": row.role,
                "to": row.to,
                "from": row.from,
                "note": row.note,
                "given_at": row.given_at,
                "due_at": row.due_at,
                "is_late": row.is_late,
                "is_mine": row.account_id == Some(reader.account.id),
                "taken_at": row.taken_at,
                "taken_by": row.taken_by,
                "may_take": row.taken_at.is_none() && (role == Role::Admin || role.word() == row.role),
            })
        })
        .collect();
    let tasks = team::tasks(reads, is_mine.then_some(reader.account.id), reader.now).await?;
    let may_finish = reader.may(May::Decide);
    let tasks: Vec<Json> = tasks
        .iter()
        .map(|task| {
            json!({
                "id": task.id,
                "contact_id": task.contact_id,
                "name": task.name,
                "stage": task.stage,
                "to": task.to,
                "kind": task.kind,
                "title": task.title,
                "due_at": task.due_at,
                "is_late": task.is_late,
                "may_finish": may_finish,
            })
        })
        .collect();
    let views: Vec<Json> =
        View::ALL.iter().map(|one| json!({ "name": one.word(), "current": *one == view })).collect();
    let body = json!({
        "view": view.word(),
        "views": views,
        "handovers": handovers,
        "mine": is_mine,
        "tasks": tasks,
    });
    reader.page("console/work", body).await
}

/// Where a form was sent from.
#[derive(Deserialize)]
pub struct Back {
    #[serde(default)]
    back: String,
}

/// `POST /console/handovers/{handover}/take`.
pub async fn take(
    reader: Reader,
    handover: web::Path<String>,
    form: web::Form<Back>,
) -> Result<HttpResponse, Problem> {
    let id = HandoverId::parse(&handover).map_err(|_| handovers::Error::Unknown)?;
    let mut tx = reader.app.stores.db.begin().await?;
    handovers::take(&mut tx, id, &reader.account, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(&form.back, "taken"))
}

/// `POST /console/tasks/{task}/done`.
pub async fn done(
    reader: Reader,
    task: web::Path<String>,
    form: web::Form<Back>,
) -> Result<HttpResponse, Problem> {
    let id = TaskId::parse(&task).map_err(|_| tasks::Error::Unknown)?;
    let mut tx = reader.app.stores.db.begin().await?;
    tasks::done(&mut tx, id, Some(reader.account.id), reader.now).await?;
    tx.commit().await?;
    Ok(see_done(&form.back, "task_done"))
}
