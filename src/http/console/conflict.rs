//! Somebody else was faster with what a form writes: the second sees what stands there now beside her own, which is kept,
//! and decides. A form says what stood there when it was opened; what says nothing of it (a program, an old page) is taken.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::frame::Reader;
use crate::http::error::Problem;

/// One thing that both have changed.
#[derive(Debug, Serialize)]
pub struct Row {
    /// What it is called, in the reader's language.
    pub label: String,
    /// What stands there now; empty if nothing does.
    pub now: String,
    /// What the reader asked for.
    pub yours: String,
    /// The form's field, if it is a text that she can go on with.
    pub field: Option<String>,
}

/// The page: where it leads back to, and the form once more.
pub struct Conflict<'a> {
    /// The area of the rail.
    pub area: &'a str,
    /// Whose or what page it leads back to.
    pub name: &'a str,
    pub back: &'a str,
    /// The door that takes the form again.
    pub action: &'a str,
    pub rows: Vec<Row>,
    /// The form's other fields, and what has been seen by now.
    pub carried: Vec<(String, String)>,
}

impl Conflict<'_> {
    /// Shows it; nothing has been changed.
    ///
    /// # Errors
    /// As the store says.
    pub async fn page(&self, reader: &Reader) -> Result<HttpResponse, Problem> {
        let carried = self.carried.iter().map(|(name, value)| json!({ "name": name, "value": value }));
        let body = json!({
            "area": self.area,
            "name": self.name,
            "back": self.back,
            "action": self.action,
            "rows": self.rows,
            "carried": carried.collect::<Vec<_>>(),
        });
        reader.page_with(StatusCode::CONFLICT, "console/conflict", body).await
    }
}
