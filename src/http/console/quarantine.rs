//! Submissions that look odd: a person lets them in or throws them away.

use actix_web::{HttpResponse, web};
use serde_json::{Value as Json, json};

use super::frame::{Reader, address, pages, see_done};
use crate::base::ids::SubmissionId;
use crate::gates::{self, quarantine};
use crate::http::error::Problem;
use crate::privacy::audit;
use crate::reports::Extent;
use crate::webinars;

/// The page itself.
const PATH: &str = "/console/quarantine";
/// Submissions on one page.
const PAGE: i64 = 50;

/// `GET /console/quarantine?page=…`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let page = reader.asked_page();
    let (list, total) = quarantine::list(&mut reader.app.stores.db.read(), PAGE, (page - 1) * PAGE).await?;
    if !list.is_empty() {
        let by = audit::By::Account(reader.account.id);
        audit::saw_list(&reader.app.stores.db, by, "quarantine", reader.now).await?;
    }
    let names = reader.names();
    let submissions: Vec<Json> = list
        .iter()
        .map(|one| {
            let form = reader.app.catalog.form(&one.form).ok();
            let label = |name: &str| {
                let mut asked = form.into_iter().flat_map(|form| form.fields.iter().chain(&form.queue));
                let field = asked.find(|field| field.name == name);
                field.map(|field| field.label.get(reader.account.language).to_owned())
            };
            let answers: Vec<Json> = one
                .fields
                .iter()
                .map(|(name, value)| json!({"name": name, "label": label(name), "value": value}))
                .collect();
            json!({
                "id": one.id,
                "form": names.form(&one.form),
                "reason": one.reason,
                "email": one.email,
                "answers": answers,
                "at": one.at,
            })
        })
        .collect();
    let extent = Extent::of(page, PAGE, list.len(), total);
    let body = json!({
        "submissions": submissions,
        "pages": pages(extent, |page| address(PATH, &[("page", Some(page.to_string()))])),
    });
    reader.page("console/quarantine", body).await
}

/// `POST /console/quarantine/{submission}/release`.
pub async fn release(reader: Reader, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let app = &reader.app;
    let mut tx = app.stores.db.begin().await?;
    let id = submission_id(&id)?;
    webinars::release(&mut tx, &app.lifecycle, &app.catalog, &app.webinars, id, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(PATH, "released"))
}

/// `POST /console/quarantine/{submission}/delete`.
pub async fn delete(reader: Reader, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let mut tx = reader.app.stores.db.begin().await?;
    quarantine::delete(&mut tx, submission_id(&id)?).await?;
    tx.commit().await?;
    Ok(see_done(PATH, "deleted"))
}

fn submission_id(text: &str) -> Result<SubmissionId, gates::Error> {
    SubmissionId::parse(text).map_err(|_| gates::Error::NotSetApart)
}
