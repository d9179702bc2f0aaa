//! Saved views and the columns of the list.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::super::frame::{Reader, see, see_done};
use super::asked::Asked;
use super::{COLUMNS, PATH};
use crate::accounts::{May, Role};
use crate::base::ids::ViewId;
use crate::contacts::views;
use crate::http::error::Problem;
use crate::privacy::audit::{self, By};

/// A view as the form tells it.
#[derive(Deserialize)]
pub struct NewView {
    name: String,
    /// What stands in the address after the `?`.
    #[serde(default)]
    query: String,
    #[serde(default)]
    shared: Option<String>,
}

/// `POST /console/contacts/views`.
pub async fn save(reader: Reader, form: web::Form<NewView>) -> Result<HttpResponse, Problem> {
    // Read and written again: what is kept is understood.
    let asked = Asked::read(&reader, &form.query);
    // Whoever only looks keeps views for herself.
    let is_shared = form.shared.is_some() && reader.may(May::Tend);
    let by = reader.account.id;
    let mut tx = reader.app.stores.db.begin().await?;
    let id = views::save(&mut tx, by, &form.name, &asked.query(), is_shared, reader.now).await?;
    if is_shared {
        let what = json!({ "list": form.name.trim(), "view": id });
        audit::changed(&mut tx, By::Account(by), what, reader.now).await?;
    }
    tx.commit().await?;
    Ok(see_done(&asked.address(&[]), "view"))
}

/// `POST /console/contacts/views/{view}/delete`.
pub async fn remove(reader: Reader, view: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = ViewId::parse(&view).map_err(|_| views::Error::Unknown)?;
    let mut tx = reader.app.stores.db.begin().await?;
    views::remove(&mut tx, id, reader.account.id, reader.account.role == Role::Admin).await?;
    tx.commit().await?;
    Ok(see_done(PATH, "deleted"))
}

/// `POST /console/contacts/columns`: every box that is ticked comes as a `column`.
pub async fn columns(
    reader: Reader,
    form: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Problem> {
    let ticked: Vec<&str> =
        form.iter().filter(|(name, _)| name == "column").map(|(_, word)| word.as_str()).collect();
    let chosen: Vec<&str> = COLUMNS.into_iter().filter(|column| ticked.contains(column)).collect();
    let mut tx = reader.app.stores.db.begin().await?;
    views::choose_columns(&mut tx, reader.account.id, &chosen).await?;
    tx.commit().await?;
    let query = form.iter().find(|(name, _)| name == "query").map_or("", |(_, query)| query.as_str());
    Ok(see(&Asked::read(&reader, query).address(&[])))
}
