//! Content: forms, webinars and recordings with their numbers.

use actix_web::HttpResponse;
use serde_json::json;

use super::frame::Reader;
use crate::http::error::Problem;
use crate::reports::content;

/// `GET /console/content`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let names = reader.names();
    let reads = &mut reader.app.stores.db.read();
    let body = json!({
        "forms": content::forms(reads, &names, reader.now).await?,
        "webinars": content::webinars(reads, &names).await?,
        "recordings": content::recordings(reads, &names).await?,
    });
    reader.page("console/content", body).await
}
