//! Who is who, decided by people: values that wait, further addresses, merges with a look before, and their undoing.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::frame::{Reader, see_done};
use crate::accounts::May;
use crate::base::ids::{CompanyId, ContactId};
use crate::base::signing::{Keys, Purpose};
use crate::base::time::DAY_MS;
use crate::companies;
use crate::contacts::{self, Contact, Field, Trust, duplicates, merge};
use crate::http::error::Problem;
use crate::http::people as doors;
use crate::privacy::PROFILING;
use crate::privacy::audit::{self, By};
use crate::stages::Actor;
use crate::storage::db::{Queries, Tx};

/// How long the link to her own page against profiling works.
const OBJECTION_MS: i64 = 90 * DAY_MS;

fn id_of(text: &str) -> Result<ContactId, Problem> {
    ContactId::parse(text).map_err(|_| contacts::Error::Unknown.into())
}

fn page_of(contact: ContactId) -> String {
    format!("/console/contacts/{contact}")
}

impl Reader {
    fn by(&self) -> By {
        By::Account(self.account.id)
    }
}

/// What the contact's page says about who she is and where that is known from.
pub(super) async fn identity(
    reader: &Reader,
    q: &mut impl Queries,
    contact: &Contact,
) -> Result<Json, Problem> {
    let fields = contacts::fields(q, contact.id).await?;
    let told = |field: &Field| {
        let label = reader.app.room.flows.label(&field.name, &field.value, reader.account.language);
        json!({
            "name": field.name,
            "value": label.unwrap_or_else(|| field.value.clone()),
            "raw": field.value,
            "source": field.source,
            "trust": word(field.trust),
            "at": field.at,
        })
    };
    let (waiting, current): (Vec<&Field>, Vec<&Field>) = fields.iter().partition(|field| field.is_suggestion);
    let hints = duplicates::hints(q, contact).await?;
    let hints = hints.iter().map(|hint| {
        json!({
            "id": hint.contact.id, "name": hint.contact.display_name(), "email": hint.contact.email,
            "why": hint.why,
        })
    });
    let mut claims = Keys::claims(PROFILING, reader.now, reader.now.plus_ms(OBJECTION_MS));
    claims.contact = Some(contact.id.to_string());
    let objection = reader.app.keys.sign(Purpose::Objection, &claims);
    let language = contact.language.code();
    Ok(json!({
        "company": of_company(reader, q, contact).await?,
        "suggestions": waiting.into_iter().map(told).collect::<Vec<_>>(),
        "sources": current.into_iter().map(told).collect::<Vec<_>>(),
        "addresses": contacts::addresses(q, contact.id).await?,
        "host_ids": contacts::host_ids(q, contact.id).await?,
        "merged": merge::behind(q, contact.id).await?,
        "duplicates": hints.collect::<Vec<_>>(),
        "profiling_off": contacts::objects_to_profiling(q, contact.id).await?,
        "objection": reader.app.link(&format!("/profile/{objection}?lang={language}")),
        "may_tend": reader.may(May::Tend),
        "may_privacy": reader.may(May::Privacy),
    }))
}

/// What is known of the company she works for, who said it, and what waits.
async fn of_company(
    reader: &Reader,
    q: &mut impl Queries,
    contact: &Contact,
) -> Result<Option<Json>, Problem> {
    let Some(company) = contact.company else { return Ok(None) };
    let mut told = [Vec::new(), Vec::new()];
    let known = [companies::fields(q, company).await?, companies::suggestions(q, company).await?];
    for (fields, told) in known.iter().zip(&mut told) {
        for field in fields {
            let who = match field.contact {
                Some(who) => contacts::find(q, who).await?,
                None => None,
            };
            let label = reader.app.room.flows.label(&field.name, &field.value, reader.account.language);
            told.push(json!({
                "name": field.name,
                "value": label.unwrap_or_else(|| field.value.clone()),
                "raw": field.value,
                "source": field.source,
                "trust": word(field.trust),
                "at": field.at,
                "who": who.map(|who| json!({ "id": who.id, "name": who.display_name() })),
            }));
        }
    }
    let [fields, suggestions] = told;
    let is_known = !fields.is_empty() || !suggestions.is_empty();
    Ok(is_known.then(|| json!({ "fields": fields, "suggestions": suggestions })))
}

/// Makes sure that what waits of a company is the value that was looked at.
///
/// # Errors
/// `contact.suggestion_changed`.
pub(super) async fn is_still(
    tx: &mut Tx,
    company: CompanyId,
    name: companies::Name,
    seen: Option<&str>,
) -> Result<(), Problem> {
    let Some(seen) = seen else { return Ok(()) };
    let waiting = companies::suggestions(tx, company).await?;
    let waiting = waiting.iter().find(|field| field.name == name.word());
    if waiting.is_some_and(|waiting| waiting.value != seen) { Err(doors::another_waits()) } else { Ok(()) }
}

/// `POST /console/contacts/{contact}/company-suggestion`: what waits of the company she works for.
pub async fn company_suggestion(
    reader: Reader,
    contact: web::Path<String>,
    judged: web::Form<Judged>,
) -> Result<HttpResponse, Problem> {
    let id = id_of(&contact)?;
    let accept = judged.what == "accept";
    let mut tx = reader.app.stores.db.begin().await?;
    let company = contacts::find(&mut tx, id).await?.ok_or(contacts::Error::Unknown)?.company;
    let waits = match (company, companies::Name::of_word(&judged.name)) {
        (Some(company), Some(name)) => {
            is_still(&mut tx, company, name, judged.value.as_deref()).await?;
            contacts::judge_company_suggestion(&mut tx, company, name, accept, reader.now).await?
        }
        (None, _) | (_, None) => false,
    };
    if !waits {
        return Err(Problem::new("contact.nothing_suggested", "No value waits for this field."));
    }
    let details = json!({ "field": format!("company.{}", judged.name), "accepted": accept });
    audit::note(&mut tx, reader.by(), audit::Act::Changed, id, details, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(&page_of(id), if accept { "accepted" } else { "dismissed" }))
}

fn word(trust: Trust) -> &'static str {
    match trust {
        Trust::Anonymous => "anonymous",
        Trust::Claimed => "claimed",
        Trust::Clicked => "clicked",
        Trust::Confirmed => "confirmed",
        Trust::Authenticated => "authenticated",
    }
}

/// `GET /console/contacts/{contact}/merge?with=…`: what a merge would do.
pub async fn preview(reader: Reader, contact: web::Path<String>) -> Result<HttpResponse, Problem> {
    let survivor = id_of(&contact)?;
    let merged = id_of(&reader.asked("with").unwrap_or_default())?;
    let preview = merge::preview(&mut reader.app.stores.db.read(), survivor, merged).await?;
    for side in [&preview.survivor, &preview.merged] {
        audit::saw(&reader.app.stores.db, reader.by(), side.id, reader.now).await?;
    }
    let side = |contact: &Contact| {
        json!({
            "id": contact.id, "name": contact.display_name(), "email": contact.email,
            "stage": contact.stage, "created_at": contact.created_at,
        })
    };
    let value = |field: &Option<Field>| {
        field.as_ref().map(|field| json!({ "value": field.value, "trust": word(field.trust) }))
    };
    let fields = preview.fields.iter().map(|field| {
        json!({
            "name": field.name,
            "survivor": value(&field.survivor),
            "merged": value(&field.merged),
            "outcome": field.outcome,
            "is_conflict": field.is_conflict(),
        })
    });
    let weight = preview.weight.iter().map(|(what, count)| json!({ "what": what, "count": count }));
    let body = json!({
        "survivor": side(&preview.survivor),
        "merged": side(&preview.merged),
        "fields": fields.collect::<Vec<_>>(),
        "weight": weight.collect::<Vec<_>>(),
    });
    reader.page("console/merge", body).await
}

/// Whom it is about, beside the contact of the page.
#[derive(Deserialize)]
pub struct Other {
    with: String,
}

/// `POST /console/contacts/{contact}/merge`: the contact of the page speaks for the other.
pub async fn merge_into(
    reader: Reader,
    contact: web::Path<String>,
    other: web::Form<Other>,
) -> Result<HttpResponse, Problem> {
    let (survivor, merged) = (id_of(&contact)?, id_of(&other.with)?);
    doors::merged(&reader.app, survivor, merged, Actor::Account(reader.account.id), reader.by()).await?;
    Ok(see_done(&page_of(survivor), "merged"))
}

/// `POST /console/contacts/{contact}/unmerge`: the other stands on its own again.
pub async fn unmerge(
    reader: Reader,
    contact: web::Path<String>,
    other: web::Form<Other>,
) -> Result<HttpResponse, Problem> {
    let merged = id_of(&other.with)?;
    doors::unmerged(&reader.app, merged, Actor::Account(reader.account.id), reader.by()).await?;
    Ok(see_done(&page_of(id_of(&contact)?), "unmerged"))
}

/// What becomes of a value that waits.
#[derive(Deserialize)]
pub struct Judged {
    name: String,
    what: String,
    /// The value that was looked at.
    value: Option<String>,
}

/// `POST /console/contacts/{contact}/suggestion`.
pub async fn suggestion(
    reader: Reader,
    contact: web::Path<String>,
    judged: web::Form<Judged>,
) -> Result<HttpResponse, Problem> {
    let id = id_of(&contact)?;
    let accept = judged.what == "accept";
    doors::judge(&reader.app, id, &judged.name, accept, judged.value.as_deref(), reader.by()).await?;
    Ok(see_done(&page_of(id), if accept { "accepted" } else { "dismissed" }))
}

/// A further address.
#[derive(Deserialize)]
pub struct Address {
    email: String,
}

/// `POST /console/contacts/{contact}/address`.
pub async fn address(
    reader: Reader,
    contact: web::Path<String>,
    sent: web::Form<Address>,
) -> Result<HttpResponse, Problem> {
    let id = id_of(&contact)?;
    doors::further_address(&reader.app, id, &sent.email, reader.by()).await?;
    Ok(see_done(&page_of(id), "address"))
}

/// A site's user id.
#[derive(Deserialize)]
pub struct HostId {
    site: String,
    host_id: String,
}

/// `POST /console/contacts/{contact}/host-id`: a contested user id is hers.
pub async fn host_id(
    reader: Reader,
    contact: web::Path<String>,
    sent: web::Form<HostId>,
) -> Result<HttpResponse, Problem> {
    let id = id_of(&contact)?;
    doors::settled(&reader.app, id, &sent.site, &sent.host_id, reader.by()).await?;
    Ok(see_done(&page_of(id), "accepted"))
}

/// Whether she objects.
#[derive(Deserialize)]
pub struct Profiling {
    off: String,
}

/// `POST /console/contacts/{contact}/profiling`.
pub async fn profiling(
    reader: Reader,
    contact: web::Path<String>,
    sent: web::Form<Profiling>,
) -> Result<HttpResponse, Problem> {
    let id = id_of(&contact)?;
    let mut tx = reader.app.stores.db.begin().await?;
    doors::set_profiling(&reader.app, &mut tx, id, sent.off == "1", None, reader.by()).await?;
    tx.commit().await?;
    Ok(see_done(&page_of(id), "profiling"))
}
