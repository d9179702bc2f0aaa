//! The doors of companies and their deals.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::Shared;
use super::api::authorised;
use super::error::Problem;
use crate::base::ids::{AccountId, CompanyId, ContactId, DealId};
use crate::base::time::Timestamp;
use crate::base::trust::Trust;
use crate::deals::{self, Changes, Deal, Milestone, NewDeal, Role};
use crate::stages::Actor;
use crate::storage::db::Queries;
use crate::{companies, contacts, gates};

/// Companies on one page.
const PAGE_MOST: i64 = 100;

/// Mounts the doors.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors
        .route("/api/v1/companies", web::get().to(list))
        .service(
            web::resource("/api/v1/companies/{company}")
                .route(web::get().to(show_company))
                .route(web::patch().to(change_company)),
        )
        .route("/api/v1/companies/{company}/suggestions/{name}", web::post().to(judge))
        .route("/api/v1/deals", web::post().to(open))
        .service(
            web::resource("/api/v1/deals/{deal}").route(web::get().to(show)).route(web::patch().to(change)),
        )
        .route("/api/v1/deals/{deal}/milestones", web::post().to(reach))
        .route("/api/v1/deals/{deal}/won", web::post().to(win))
        .route("/api/v1/deals/{deal}/lost", web::post().to(lose))
        .service(
            web::resource("/api/v1/deals/{deal}/people/{contact}")
                .route(web::put().to(add_person))
                .route(web::delete().to(remove_person)),
        );
}

fn company_of(text: &str) -> Result<CompanyId, Problem> {
    CompanyId::parse(text).map_err(|_| unknown_company())
}

fn unknown_company() -> Problem {
    Problem::new("company.unknown", "There is no such company.")
}

fn deal_of(text: &str) -> Result<DealId, Problem> {
    Ok(DealId::parse(text).map_err(|_| deals::Error::Unknown)?)
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    q: String,
    #[serde(default)]
    from: i64,
}

/// `GET /api/v1/companies?q=acme&from=0`.
async fn list(
    app: Shared,
    request: HttpRequest,
    search: web::Query<Search>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let from = search.from.max(0);
    let found = companies::list(&mut app.stores.db.read(), &search.q, from, PAGE_MOST).await?;
    let next = (i64::try_from(found.len()).unwrap_or(0) == PAGE_MOST).then_some(from + PAGE_MOST);
    Ok(HttpResponse::Ok().json(json!({ "companies": found, "next": next })))
}

/// `GET /api/v1/companies/{company}`: what is known of it and from whom, and its deals.
async fn show_company(
    app: Shared,
    request: HttpRequest,
    company: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let mut q = app.stores.db.read();
    let company = companies::find(&mut q, company_of(&company)?).await?.ok_or_else(unknown_company)?;
    let fields = companies::fields(&mut q, company.id).await?;
    let deals = deals::of_company(&mut q, company.id).await?;
    let suggestions = companies::suggestions(&mut q, company.id).await?;
    let known = json!({ "company": company, "fields": fields, "suggestions": suggestions, "deals": deals });
    Ok(HttpResponse::Ok().json(known))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Judged {
    accept: bool,
}

/// `POST /api/v1/companies/{company}/suggestions/{name}`: takes or throws away a value that waits.
async fn judge(
    app: Shared,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    body: web::Json<Judged>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let (company, name) = path.into_inner();
    let mut tx = app.stores.db.begin().await?;
    let id = company_of(&company)?;
    companies::find(&mut tx, id).await?.ok_or_else(unknown_company)?;
    let waits = match companies::Name::of_word(&name) {
        Some(name) => {
            contacts::judge_company_suggestion(&mut tx, id, name, body.accept, app.clock.now()).await?
        }
        None => false,
    };
    if !waits {
        return Err(Problem::new("contact.nothing_suggested", "No value waits for this field."));
    }
    tx.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `PATCH /api/v1/companies/{company}`: `{"employees": "250", "industry": "education"}`; believed more than what people
/// typed into forms.
async fn change_company(
    app: Shared,
    request: HttpRequest,
    company: web::Path<String>,
    body: web::Json<serde_json::Map<String, Json>>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let mut tx = app.stores.db.begin().await?;
    let id = company_of(&company)?;
    companies::find(&mut tx, id).await?.ok_or_else(unknown_company)?;
    for (name, value) in body.iter() {
        let field = companies::Name::of_word(name).ok_or_else(|| {
            let known = companies::Name::ALL.map(companies::Name::word).join(", ");
            Problem::new("company.invalid", format!("A company has no `{name}`; it has {known}."))
                .with("field", json!(name))
        })?;
        let text = match value {
            Json::String(text) => text.clone(),
            Json::Number(number) => number.to_string(),
            Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => String::new(),
        };
        let value = field.parse(&text, gates::is_country).map_err(|wanted| {
            Problem::new("company.invalid", format!("`{name}` must be {wanted}.")).with("field", json!(name))
        })?;
        let (trust, now) = (Trust::Authenticated, app.clock.now());
        let told = companies::Told { name: field, value: &value, source: "api", trust, contact: None };
        contacts::set_company_field(&mut tx, id, &told, now).await?;
    }
    let company = companies::find(&mut tx, id).await?;
    tx.commit().await?;
    Ok(HttpResponse::Ok().json(json!({ "company": company })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Opened {
    company: CompanyId,
    name: String,
    amount: Option<i64>,
    currency: Option<String>,
    owner: Option<AccountId>,
}

/// `POST /api/v1/deals`.
async fn open(app: Shared, request: HttpRequest, body: web::Json<Opened>) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let mut tx = app.stores.db.begin().await?;
    companies::find(&mut tx, body.company).await?.ok_or_else(unknown_company)?;
    let new = NewDeal {
        company: body.company,
        name: &body.name,
        amount: body.amount,
        currency: body.currency.as_deref().unwrap_or("EUR"),
        owner: body.owner,
    };
    let id = deals::open(&mut tx, &new, app.clock.now()).await?;
    let told = described(&mut tx, id).await?;
    tx.commit().await?;
    Ok(HttpResponse::build(StatusCode::CREATED).json(told))
}

async fn described(q: &mut impl Queries, id: DealId) -> Result<Json, Problem> {
    let deal: Deal = deals::find(q, id).await?.ok_or(deals::Error::Unknown)?;
    let people = deals::people(q, id).await?;
    let milestones = deals::milestones(q, id).await?;
    Ok(json!({ "deal": deal, "people": people, "milestones": milestones }))
}

/// `GET /api/v1/deals/{deal}`.
async fn show(app: Shared, request: HttpRequest, deal: web::Path<String>) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    Ok(HttpResponse::Ok().json(described(&mut app.stores.db.read(), deal_of(&deal)?).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Changed {
    name: Option<String>,
    amount: Option<i64>,
    currency: Option<String>,
    owner: Option<AccountId>,
    /// Milliseconds since 1970 UTC.
    kickoff_at: Option<i64>,
    live_at: Option<i64>,
}

/// `PATCH /api/v1/deals/{deal}`.
async fn change(
    app: Shared,
    request: HttpRequest,
    deal: web::Path<String>,
    body: web::Json<Changed>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let id = deal_of(&deal)?;
    let body = body.into_inner();
    let changes = Changes {
        name: body.name,
        amount: body.amount,
        currency: body.currency,
        owner: body.owner,
        kickoff_at: body.kickoff_at.map(Timestamp),
        live_at: body.live_at.map(Timestamp),
    };
    let mut tx = app.stores.db.begin().await?;
    deals::change(&mut tx, id, &changes).await?;
    let told = described(&mut tx, id).await?;
    tx.commit().await?;
    Ok(HttpResponse::Ok().json(told))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Come {
    milestone: Milestone,
}

/// `POST /api/v1/deals/{deal}/milestones` with `{"milestone": "demo"}`. Doing it again changes nothing.
async fn reach(
    app: Shared,
    request: HttpRequest,
    deal: web::Path<String>,
    body: web::Json<Come>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let id = deal_of(&deal)?;
    let mut tx = app.stores.db.begin().await?;
    deals::reach(&mut tx, id, body.milestone, &Actor::Api.word(), app.clock.now()).await?;
    let told = described(&mut tx, id).await?;
    tx.commit().await?;
    Ok(HttpResponse::Ok().json(told))
}

/// `POST /api/v1/deals/{deal}/won`. Doing it again changes nothing. `not_moved` tells who of its people is no customer now,
/// and why.
async fn win(app: Shared, request: HttpRequest, deal: web::Path<String>) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let id = deal_of(&deal)?;
    let mut tx = app.stores.db.begin().await?;
    deals::win(&mut tx, &app.lifecycle, id, Actor::Api, app.clock.now()).await?;
    let mut told = described(&mut tx, id).await?;
    told["not_moved"] = json!(deals::left_behind(&mut tx, &app.lifecycle, id).await?);
    tx.commit().await?;
    Ok(HttpResponse::Ok().json(told))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lost {
    reason: String,
}

/// `POST /api/v1/deals/{deal}/lost` with `{"reason": "no budget"}`. Doing it again changes nothing.
async fn lose(
    app: Shared,
    request: HttpRequest,
    deal: web::Path<String>,
    body: web::Json<Lost>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let id = deal_of(&deal)?;
    let mut tx = app.stores.db.begin().await?;
    deals::lose(&mut tx, &app.lifecycle, id, Actor::Api, &body.reason, app.clock.now()).await?;
    let told = described(&mut tx, id).await?;
    tx.commit().await?;
    Ok(HttpResponse::Ok().json(told))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    role: Role,
}

/// `PUT /api/v1/deals/{deal}/people/{contact}` with `{"role": "champion"}`.
async fn add_person(
    app: Shared,
    request: HttpRequest,
    path: web::Path<(String, ContactId)>,
    body: web::Json<Part>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let (deal, contact) = path.into_inner();
    let id = deal_of(&deal)?;
    let mut tx = app.stores.db.begin().await?;
    deals::add_person(&mut tx, id, contact, body.role, app.clock.now()).await?;
    let told = described(&mut tx, id).await?;
    tx.commit().await?;
    Ok(HttpResponse::Ok().json(told))
}

/// `DELETE /api/v1/deals/{deal}/people/{contact}`.
async fn remove_person(
    app: Shared,
    request: HttpRequest,
    path: web::Path<(String, ContactId)>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let (deal, contact) = path.into_inner();
    let id = deal_of(&deal)?;
    let mut tx = app.stores.db.begin().await?;
    deals::remove_person(&mut tx, id, contact).await?;
    let told = described(&mut tx, id).await?;
    tx.commit().await?;
    Ok(HttpResponse::Ok().json(told))
}
