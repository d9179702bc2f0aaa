//! The pipeline.

use actix_web::HttpResponse;
use serde_json::{Value as Json, json};

use super::frame::Reader;
use crate::http::error::Problem;
use crate::reports::pipeline::pipeline;

/// `GET /console/pipeline`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let (columns, beyond) = pipeline(&mut reader.app.stores.db.read(), &reader.app.lifecycle).await?;
    reader.saw_list("pipeline", columns.iter().all(|column| column.cards.is_empty())).await?;
    let after_sale: Vec<Json> =
        beyond.into_iter().map(|(stage, count)| json!({ "stage": stage, "count": count })).collect();
    reader.page("console/pipeline", json!({ "columns": columns, "after_sale": after_sale })).await
}
