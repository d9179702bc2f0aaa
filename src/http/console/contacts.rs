//! The list of contacts.

use actix_web::HttpResponse;
use serde_json::{Value as Json, json};

use super::frame::{Reader, address, pages};
use crate::base::ids::CompanyId;
use crate::http::error::Problem;
use crate::reports::Extent;
use crate::reports::people::{self, PAGE, Search};

const PATH: &str = "/console/contacts";
/// Longest search, in characters.
const LONGEST: usize = 100;

/// `GET /console/contacts?q=…&stage=…&company=…&page=…`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let text = reader.asked("q").map(|text| text.chars().take(LONGEST).collect::<String>());
    let company = reader.asked("company");
    let search = Search {
        text: text.clone(),
        stage: reader.asked("stage").map(|mut stage| {
            reader.app.lifecycle.named(&mut stage);
            stage
        }),
        company: company.as_deref().and_then(|id| CompanyId::parse(id).ok()),
        page: reader.asked_page(),
    };
    let reads = &mut reader.app.stores.db.read();
    let by_stage = people::by_stage(reads, &search).await?;
    let count_of = |stage: &str| by_stage.iter().find(|(known, _)| known == stage).map_or(0, |(_, n)| *n);
    let total = match &search.stage {
        Some(stage) => count_of(stage),
        None => by_stage.iter().map(|(_, count)| count).sum(),
    };
    let contacts = people::people(reads, &search).await?;
    let link = |stage: Option<&str>, page: Option<i64>| {
        address(
            PATH,
            &[
                ("q", text.clone()),
                ("company", company.clone()),
                ("stage", stage.map(str::to_owned)),
                ("page", page.map(|page| page.to_string())),
            ],
        )
    };
    let lifecycle = &reader.app.lifecycle;
    let in_order = lifecycle.stages.iter().map(|stage| stage.id.as_str());
    let beyond = by_stage.iter().map(|(stage, _)| stage.as_str());
    let stages: Vec<Json> = in_order
        .chain(beyond.filter(|stage| lifecycle.stage(stage).is_none()))
        .filter(|stage| count_of(stage) > 0 || search.stage.as_deref() == Some(*stage))
        .map(|stage| {
            json!({
                "stage": stage,
                "count": count_of(stage),
                "current": search.stage.as_deref() == Some(stage),
                "href": link(Some(stage), None),
            })
        })
        .collect();
    let extent = Extent::of(search.page, PAGE, contacts.len(), total);
    let body = json!({
        "query": text.clone().unwrap_or_default(),
        "stage": search.stage,
        "stages": stages,
        "all_href": link(None, None),
        "total": total,
        "filtered": text.is_some() || search.stage.is_some() || search.company.is_some(),
        "contacts": contacts,
        "pages": pages(extent, |page| link(search.stage.as_deref(), Some(page))),
    });
    reader.page("console/contacts", body).await
}
