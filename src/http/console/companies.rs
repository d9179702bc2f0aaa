//! The companies that people work for: the list, and what is known of one.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::frame::{Reader, address, see_done};
use super::people::is_still;
use crate::accounts::May;
use crate::base::ids::CompanyId;
use crate::companies::{self, Field, Name};
use crate::contacts;
use crate::contacts::words::Sought;
use crate::deals;
use crate::http::error::Problem;
use crate::privacy::audit::{self, By};
use crate::reports::companies::{self as listed, Place};
use crate::reports::people::{self, Order, PAGE, Search};

const PATH: &str = "/console/companies";
/// Longest search, in characters.
const LONGEST: usize = 100;

/// `GET /console/companies?q=…&after=…`.
pub async fn list(reader: Reader) -> Result<HttpResponse, Problem> {
    let text = reader.asked("q").map(|text| text.chars().take(LONGEST).collect::<String>());
    let sought = text.as_deref().map(Sought::read);
    let after = reader.asked("after").and_then(|place| Place::read(&place));
    let reads = &mut reader.app.stores.db.read();
    let (found, next) = listed::find(reads, sought.as_ref(), after.as_ref()).await?;
    let count = listed::count(reads, sought.as_ref()).await?;
    let link = |after: Option<String>| address(PATH, &[("q", text.clone()), ("after", after)]);
    let body = json!({
        "query": text.clone().unwrap_or_default(),
        "companies": found,
        "count": count,
        "start": after.is_some().then(|| link(None)),
        "next": next.map(|place| link(Some(place.text()))),
    });
    reader.page("console/companies", body).await
}

fn unknown() -> Problem {
    Problem::new("company.unknown", "There is no such company.")
}

fn id_of(text: &str) -> Result<CompanyId, Problem> {
    CompanyId::parse(text).map_err(|_| unknown())
}

fn told(field: &Field) -> Json {
    json!({
        "name": field.name, "value": field.value, "source": field.source, "trust": field.trust.word(), "at": field.at,
    })
}

/// `GET /console/companies/{company}`.
pub async fn show(reader: Reader, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = id_of(&id)?;
    let reads = &mut reader.app.stores.db.read();
    let company = companies::find(reads, id).await?.ok_or_else(unknown)?;
    let fields = companies::fields(reads, id).await?;
    let suggestions = companies::suggestions(reads, id).await?;
    let search = Search { company: Some(id), ..Search::default() };
    let found = people::find(reads, &search, Order::Seen, None, PAGE).await?;
    let count = people::count(reads, &search, &found).await?;
    let people = people::rows(reads, &found.ids).await?;
    reader.saw_list(&format!("company:{}", company.domain), people.is_empty()).await?;
    let deals = deals::of_company(reads, id).await?;
    let deals = deals.iter().map(|deal| {
        json!({ "name": deal.name, "status": deal.status.word(), "opened_at": deal.opened_at, "closed_at": deal.closed_at })
    });
    let body = json!({
        "company": company,
        "fields": fields.iter().map(told).collect::<Vec<_>>(),
        "suggestions": suggestions.iter().map(told).collect::<Vec<_>>(),
        "people": people,
        "count": count,
        "has_more": found.next.is_some(),
        "deals": deals.collect::<Vec<_>>(),
        "may_tend": reader.may(May::Tend),
    });
    reader.page("console/company", body).await
}

/// What becomes of a value that waits.
#[derive(Deserialize)]
pub struct Judged {
    name: String,
    what: String,
    /// The value that was looked at.
    value: Option<String>,
}

/// `POST /console/companies/{company}/suggestion`.
pub async fn judge(
    reader: Reader,
    id: web::Path<String>,
    form: web::Form<Judged>,
) -> Result<HttpResponse, Problem> {
    let id = id_of(&id)?;
    let accept = form.what == "accept";
    let mut tx = reader.app.stores.db.begin().await?;
    let company = companies::find(&mut tx, id).await?.ok_or_else(unknown)?;
    let waited = match Name::of_word(&form.name) {
        Some(name) => {
            is_still(&mut tx, id, name, form.value.as_deref()).await?;
            contacts::judge_company_suggestion(&mut tx, id, name, accept, reader.now).await?
        }
        None => false,
    };
    if !waited {
        return Err(Problem::new("contact.nothing_suggested", "No value waits for this field."));
    }
    let what =
        json!({ "list": format!("company {}", company.domain), "field": form.name, "accepted": accept });
    audit::changed(&mut tx, By::Account(reader.account.id), what, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(&format!("{PATH}/{id}"), if accept { "accepted" } else { "dismissed" }))
}
