//! Freshsales (Freshworks CRM; developers.freshworks.com/crm/api).
//!
//! People and accounts are upserted: told twice, they are there once. Deals and activities are not; they are looked for among
//! those of the person. Limits (1,000 requests an hour for an account) come as 429, or as a 400 that tells of one; an address
//! that is somebody's already comes as a 400, too, and then that one is looked up and changed.

use futures_util::future::BoxFuture;
use serde_json::{Map, Value as Json, json};
use subtle::ConstantTimeEq;

use super::line::{Fault, Line, id_of, number, query};
use super::record::{Body, Record, plain};
use super::{Connection, Crm, Standing, Thing, Told};
use crate::base::time::Timestamp;

/// Of the list of activities, so many pages are looked through.
const PAGES_MOST: usize = 5;

pub(super) struct Freshsales;

impl Crm for Freshsales {
    fn word(&self) -> &'static str {
        "freshsales"
    }

    fn title(&self) -> &'static str {
        "Freshsales"
    }

    fn base(&self) -> Option<&'static str> {
        None
    }

    fn headers(&self, token: &str) -> Vec<(&'static str, String)> {
        vec![("authorization", format!("Token token={token}"))]
    }

    fn lag_ms(&self, _: &Connection, _: Thing) -> i64 {
        0
    }

    fn find<'a>(
        &'a self,
        line: &'a Line<'a>,
        record: &'a Record,
    ) -> BoxFuture<'a, Result<Option<String>, Fault>> {
        Box::pin(async move {
            match &record.body {
                // The upsert finds them.
                Body::Company { .. } | Body::Contact { .. } => Ok(None),
                Body::Deal { title, people, .. } => {
                    let Some(person) = people.first() else { return Ok(None) };
                    let found =
                        line.look(&format!("/contacts/{person}?include=deals")).await?.unwrap_or_default();
                    let deals = list(&found, &["/deals", "/contact/deals"]);
                    let field = line.connection.ids.get(&Thing::Deal);
                    let ended = [&line.connection.won, &line.connection.lost];
                    let is_it = |deal: &&Json| match field {
                        Some(field) => {
                            let own = deal.pointer(&format!("/custom_field/{field}")).and_then(Json::as_str);
                            own == Some(&record.own_id)
                        }
                        None => {
                            let stage = id_of(deal.get("deal_stage_id"));
                            deal.get("name").and_then(Json::as_str) == Some(title)
                                && !ended.iter().any(|ended| ended.is_some() && **ended == stage)
                        }
                    };
                    Ok(deals.iter().find(is_it).and_then(|deal| id_of(deal.get("id"))))
                }
                Body::Activity { .. } => {
                    let mark = record.mark();
                    for page in 1..=PAGES_MOST {
                        let found =
                            line.look(&format!("/sales_activities?page={page}")).await?.unwrap_or_default();
                        let activities = list(&found, &["/sales_activities"]);
                        let is_it = |activity: &&Json| {
                            let notes = activity.get("notes").and_then(Json::as_str);
                            notes.is_some_and(|notes| notes.contains(&mark))
                        };
                        if let Some(activity) = activities.iter().find(is_it) {
                            return Ok(id_of(activity.get("id")));
                        }
                        let pages = found.pointer("/meta/total_pages").and_then(Json::as_u64).unwrap_or(1);
                        if activities.is_empty() || pages <= u64::try_from(page).unwrap_or(u64::MAX) {
                            break;
                        }
                    }
                    Ok(None)
                }
            }
        })
    }

    fn create<'a>(&'a self, line: &'a Line<'a>, record: &'a Record) -> BoxFuture<'a, Result<String, Fault>> {
        Box::pin(async move {
            let (method, path, body) = self.written(line.connection, record);
            let made = match line.ask(method, &path, Some(&body)).await {
                Err(Fault::Duplicate(why)) => {
                    let Some(id) = lookup(line, record).await? else { return Err(Fault::Duplicate(why)) };
                    self.update(line, &id, record).await?;
                    return Ok(id);
                }
                made => made?,
            };
            let (_, _, envelope) = place(record);
            id_of(made.pointer(&format!("/{envelope}/id")))
                .ok_or_else(|| Fault::Unsure("the answer has no id".to_owned()))
        })
    }

    fn update<'a>(
        &'a self,
        line: &'a Line<'a>,
        id: &'a str,
        record: &'a Record,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let (path, _, envelope) = place(record);
            let mut body = written(line.connection, record);
            body.remove("deal_pipeline_id");
            line.ask("PUT", &format!("{path}/{id}"), Some(&json!({ envelope: body }))).await.map(drop)
        })
    }

    fn look<'a>(&'a self, line: &'a Line<'a>, id: &'a str) -> BoxFuture<'a, Result<Standing, Fault>> {
        Box::pin(async move {
            let found = line
                .look(&format!("/deals/{id}?include=deal_stage,deal_reason"))
                .await?
                .ok_or(Fault::Gone)?;
            let deal = found.get("deal").cloned().unwrap_or_default();
            let stage = id_of(deal.get("deal_stage_id")).ok_or(Fault::Gone)?;
            let reason = list(&found, &["/deal_reasons"]);
            let reason = reason.first().and_then(|reason| reason.get("name")).and_then(Json::as_str);
            let is = |ended: &Option<String>| ended.as_deref() == Some(&stage);
            Ok(match line.connection {
                connection if is(&connection.won) => Standing::Won,
                connection if is(&connection.lost) => Standing::Lost { reason: reason.map(str::to_owned) },
                _ => Standing::Open { stage: Some(stage) },
            })
        })
    }

    fn test<'a>(&'a self, line: &'a Line<'a>) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move { line.ask("GET", "/selector/deal_stages", None).await.map(drop) })
    }

    fn written(&self, connection: &Connection, record: &Record) -> (&'static str, String, Json) {
        let (path, unique, envelope) = place(record);
        let body = written(connection, record);
        match unique {
            Some(unique) => {
                let body = json!({ "unique_identifier": unique, envelope: body });
                ("POST", format!("{path}/upsert"), body)
            }
            None => ("POST", path.to_owned(), json!({ envelope: body })),
        }
    }

    /// Freshsales signs nothing: the secret in the address is all, and is asked for once more in a header if it is sent.
    fn is_genuine(&self, connection: &Connection, told: &Told<'_>, _: Timestamp) -> bool {
        let Some(hook) = &connection.hook else { return false };
        let given = told.header("x-embudo-secret");
        given.is_empty() || given.as_bytes().ct_eq(hook.expose().as_bytes()).into()
    }

    /// The body is what the workflow says: `{"deal_id": …}`, or a deal as the API tells it.
    fn changed(&self, body: &Json) -> Vec<(String, String)> {
        let deal = ["/deal_id", "/deal/id", "/deal/deal_id", "/id"]
            .into_iter()
            .find_map(|path| id_of(body.pointer(path)));
        deal.map(|deal| (deal, String::new())).into_iter().collect()
    }
}

/// Where it is, by what it is unique if it can be upserted, and what is around it.
fn place(record: &Record) -> (&'static str, Option<Json>, &'static str) {
    match &record.body {
        Body::Company { name, .. } => ("/sales_accounts", Some(json!({ "name": name })), "sales_account"),
        Body::Contact { email, .. } => ("/contacts", Some(json!({ "emails": email })), "contact"),
        Body::Deal { .. } => ("/deals", None, "deal"),
        Body::Activity { .. } => ("/sales_activities", None, "sales_activity"),
    }
}

fn written(connection: &Connection, record: &Record) -> Map<String, Json> {
    let mut out = Map::new();
    let (rest, standing) = (record.tells.rest(), record.tells.standing());
    match &record.body {
        Body::Company { name, domain } => {
            out.insert("name".to_owned(), json!(name));
            out.insert("website".to_owned(), json!(domain));
        }
        Body::Contact { email, first_name, last_name, name, phone, company, owner, stage } => {
            if rest {
                out.insert("emails".to_owned(), json!(email));
                let last = last_name.as_ref().or(first_name.is_none().then_some(name));
                text(&mut out, "first_name", first_name.as_ref());
                text(&mut out, "last_name", last);
                text(&mut out, "mobile_number", phone.as_ref());
                if let Some(company) = company {
                    let accounts = json!([{ "id": number(company), "is_primary": true }]);
                    out.insert("sales_accounts".to_owned(), accounts);
                }
                put(&mut out, "owner_id", owner.as_deref());
            }
            if standing {
                put(&mut out, "lifecycle_stage_id", stage.as_ref().map(|(_, theirs)| theirs.as_str()));
            }
        }
        Body::Deal { title, value, company, people, owner, standing: stands, currency: _ } => {
            if rest {
                out.insert("name".to_owned(), json!(title));
                out.insert("amount".to_owned(), json!(value.unwrap_or(0.0)));
                put(&mut out, "sales_account_id", company.as_deref());
                let people: Vec<Json> = people.iter().map(|person| number(person)).collect();
                if !people.is_empty() {
                    out.insert("contacts_added_list".to_owned(), json!(people));
                }
                put(&mut out, "owner_id", owner.as_deref());
            }
            if standing {
                put(&mut out, "deal_pipeline_id", connection.pipeline.as_deref());
                let stage = match stands {
                    Standing::Open { stage } => stage.as_deref(),
                    Standing::Won => connection.won.as_deref(),
                    Standing::Lost { .. } => connection.lost.as_deref(),
                };
                put(&mut out, "deal_stage_id", stage);
            }
        }
        Body::Activity {
            subject,
            starts_at,
            ends_at,
            note,
            location,
            person,
            owner,
            state: _,
            company: _,
            deal: _,
        } => {
            out.insert("title".to_owned(), json!(subject));
            out.insert("notes".to_owned(), json!(plain(note, &record.mark())));
            out.insert("start_date".to_owned(), json!(starts_at.to_string()));
            out.insert("end_date".to_owned(), json!(ends_at.to_string()));
            put(&mut out, "sales_activity_type_id", connection.activity.as_deref());
            out.insert("targetable_type".to_owned(), json!("Contact"));
            put(&mut out, "targetable_id", person.as_deref());
            put(&mut out, "owner_id", owner.as_deref());
            text(&mut out, "location", location.as_ref());
        }
    }
    if rest && !record.fields.is_empty() {
        // Its own fields stand beside the others, a company's own (`cf_…`) by themselves.
        let (custom, own): (Vec<_>, Vec<_>) =
            record.fields.iter().cloned().partition(|(name, _)| name.starts_with("cf_"));
        out.extend(own);
        if !custom.is_empty() {
            out.insert("custom_field".to_owned(), Json::Object(custom.into_iter().collect()));
        }
    }
    out
}

fn text(out: &mut Map<String, Json>, name: &str, value: Option<&String>) {
    if let Some(value) = value {
        out.insert(name.to_owned(), json!(value));
    }
}

fn put(out: &mut Map<String, Json>, name: &str, id: Option<&str>) {
    if let Some(id) = id {
        out.insert(name.to_owned(), number(id));
    }
}

/// The first of these lists that is there.
fn list(found: &Json, places: &[&str]) -> Vec<Json> {
    places.iter().find_map(|place| found.pointer(place)?.as_array().cloned()).unwrap_or_default()
}

/// Whoever has this address, or this name.
async fn lookup(line: &Line<'_>, record: &Record) -> Result<Option<String>, Fault> {
    let (term, field, entity, place) = match &record.body {
        Body::Company { name, .. } => (name, "name", "sales_account", "/sales_accounts/sales_accounts"),
        Body::Contact { email, .. } => (email, "email", "contact", "/contacts/contacts"),
        Body::Deal { .. } | Body::Activity { .. } => return Ok(None),
    };
    let found = line.look(&format!("/lookup?q={}&f={field}&entities={entity}", query(term))).await?;
    let found = list(&found.unwrap_or_default(), &[place]);
    Ok(found.iter().find_map(|one| id_of(one.get("id"))))
}
