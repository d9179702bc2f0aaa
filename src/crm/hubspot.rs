//! HubSpot (developers.hubspot.com): objects with properties, joined by associations.
//!
//! Contacts are upserted by their address, and deals by our id where a property for it is set up (`ids`, with unique values):
//! told twice, they are there once. What is made without is looked for among what belongs to the contact. `lifecyclestage`
//! goes forward by itself; to go back it has to be cleared first.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use hmac::{Hmac, Mac};
use serde_json::{Map, Value as Json, json};
use sha2::Sha256;

use super::line::{Fault, Line, id_of};
use super::record::{Body, CallState, Record, html};
use super::{Connection, Crm, Standing, Thing, Told};
use crate::base::time::{MINUTE_MS, Timestamp};

/// How long the search may need to know something.
const LAG_MS: i64 = MINUTE_MS;
/// A signature is good for so long (HubSpot, "validating requests", version 3).
const FRESH_MS: i64 = 5 * MINUTE_MS;
/// The version of paths, unless `crm.yaml` says another.
const VERSION: &str = "v3";

/// Kinds of associations that HubSpot defines, from the object that is made to the one that is there.
const DEAL_TO_CONTACT: i64 = 3;
const DEAL_TO_COMPANY: i64 = 341;
const MEETING_TO_CONTACT: i64 = 200;
const MEETING_TO_COMPANY: i64 = 188;
const MEETING_TO_DEAL: i64 = 212;

pub(super) struct HubSpot;

impl Crm for HubSpot {
    fn word(&self) -> &'static str {
        "hubspot"
    }

    fn title(&self) -> &'static str {
        "HubSpot"
    }

    fn base(&self) -> Option<&'static str> {
        Some("https://api.hubapi.com")
    }

    fn headers(&self, token: &str) -> Vec<(&'static str, String)> {
        vec![("authorization", format!("Bearer {token}"))]
    }

    fn lag_ms(&self, _: &Connection, thing: Thing) -> i64 {
        match thing {
            Thing::Company => LAG_MS,
            Thing::Contact | Thing::Deal | Thing::Activity => 0,
        }
    }

    fn find<'a>(
        &'a self,
        line: &'a Line<'a>,
        record: &'a Record,
    ) -> BoxFuture<'a, Result<Option<String>, Fault>> {
        Box::pin(async move {
            let connection = line.connection;
            match &record.body {
                Body::Company { domain, .. } => {
                    let filter = json!({ "propertyName": "domain", "operator": "EQ", "value": domain });
                    let body = json!({ "filterGroups": [{ "filters": [filter] }], "properties": ["domain"], "limit": 1 });
                    let path = format!("{}/search", objects(connection, "companies"));
                    let found = line.ask("POST", &path, Some(&body)).await?;
                    let results = found.get("results").and_then(Json::as_array);
                    let results =
                        results.ok_or_else(|| Fault::Unsure("the answer has no results".to_owned()))?;
                    Ok(results.first().and_then(|company| id_of(company.get("id"))))
                }
                Body::Contact { .. } => Ok(None),
                Body::Deal { .. } if connection.ids.contains_key(&Thing::Deal) => Ok(None),
                Body::Deal { title, people, .. } => {
                    let Some(person) = people.first() else { return Ok(None) };
                    let ended = [won(connection), lost(connection)];
                    let found = belonging(line, person, "deals", &["dealname", "dealstage"]).await?;
                    let is_it = |deal: &&Json| {
                        let text = |name: &str| {
                            deal.pointer(&format!("/properties/{name}"))
                                .and_then(Json::as_str)
                                .unwrap_or_default()
                        };
                        text("dealname") == title && !ended.contains(&text("dealstage"))
                    };
                    Ok(found.iter().find(is_it).and_then(|deal| id_of(deal.get("id"))))
                }
                Body::Activity { person, .. } => {
                    let Some(person) = person else { return Ok(None) };
                    let mark = record.mark();
                    let found = belonging(line, person, "meetings", &["hs_internal_meeting_notes"]).await?;
                    let is_it = |meeting: &&Json| {
                        let notes =
                            meeting.pointer("/properties/hs_internal_meeting_notes").and_then(Json::as_str);
                        notes.is_some_and(|notes| notes.contains(&mark))
                    };
                    Ok(found.iter().find(is_it).and_then(|meeting| id_of(meeting.get("id"))))
                }
            }
        })
    }

    fn create<'a>(&'a self, line: &'a Line<'a>, record: &'a Record) -> BoxFuture<'a, Result<String, Fault>> {
        Box::pin(async move {
            let (method, path, body) = self.written(line.connection, record);
            let made = line.ask(method, &path, Some(&body)).await?;
            let id = id_of(made.get("id")).or_else(|| id_of(made.pointer("/results/0/id")));
            let Some(id) = id else {
                // A batch answers 207 with what did not work.
                let is_refused = made.pointer("/errors/0").is_some();
                let why = "the answer has no id".to_owned();
                return Err(if is_refused { Fault::Refused(why) } else { Fault::Unsure(why) });
            };
            join(line, &id, record).await?;
            Ok(id)
        })
    }

    fn update<'a>(
        &'a self,
        line: &'a Line<'a>,
        id: &'a str,
        record: &'a Record,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let path = format!("{}/{id}", objects(line.connection, kind(record)));
            if record.goes_back && record.tells.standing() {
                let cleared = json!({ "properties": { "lifecyclestage": "" } });
                line.ask("PATCH", &path, Some(&cleared)).await?;
            }
            let mut properties = properties(line.connection, record);
            properties.remove("pipeline");
            line.ask("PATCH", &path, Some(&json!({ "properties": properties }))).await?;
            if record.tells.rest() { join(line, id, record).await } else { Ok(()) }
        })
    }

    fn look<'a>(&'a self, line: &'a Line<'a>, id: &'a str) -> BoxFuture<'a, Result<Standing, Fault>> {
        Box::pin(async move {
            let connection = line.connection;
            let properties = "?properties=dealstage,closed_lost_reason";
            let path = format!("{}/{id}{properties}", objects(connection, "deals"));
            let deal = line.look(&path).await?.ok_or(Fault::Gone)?;
            let text = |name: &str| deal.pointer(&format!("/properties/{name}")).and_then(Json::as_str);
            let stage = text("dealstage").filter(|stage| !stage.is_empty());
            Ok(match stage {
                Some(stage) if stage == won(connection) => Standing::Won,
                Some(stage) if stage == lost(connection) => {
                    Standing::Lost { reason: text("closed_lost_reason").map(str::to_owned) }
                }
                stage => Standing::Open { stage: stage.map(str::to_owned) },
            })
        })
    }

    fn test<'a>(&'a self, line: &'a Line<'a>) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let path = format!("{}?limit=1", objects(line.connection, "contacts"));
            line.ask("GET", &path, None).await.map(drop)
        })
    }

    fn written(&self, connection: &Connection, record: &Record) -> (&'static str, String, Json) {
        let properties = properties(connection, record);
        let path = objects(connection, kind(record));
        let upsert = |by: &str, id: &str| {
            let input = json!({ "idProperty": by, "id": id, "properties": properties.clone() });
            ("POST", format!("{path}/batch/upsert"), json!({ "inputs": [input] }))
        };
        match (&record.body, connection.ids.get(&Thing::Deal)) {
            (Body::Contact { email, .. }, _) => upsert("email", email),
            (Body::Deal { .. }, Some(field)) => upsert(field, &record.own_id),
            (Body::Deal { .. } | Body::Activity { .. }, _) => {
                let joined: Vec<Json> = joins(record)
                    .into_iter()
                    .map(|(_, id, kind)| {
                        let types =
                            json!([{ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": kind }]);
                        json!({ "to": { "id": id }, "types": types })
                    })
                    .collect();
                ("POST", path, json!({ "properties": properties, "associations": joined }))
            }
            (Body::Company { .. }, _) => ("POST", path, json!({ "properties": properties })),
        }
    }

    /// Signature version 3: HMAC-SHA256 by the app's secret of method, address, body and time, in base64.
    fn is_genuine(&self, connection: &Connection, told: &Told<'_>, now: Timestamp) -> bool {
        let Some(secret) = &connection.client_secret else { return false };
        let at = told.header("x-hubspot-request-timestamp");
        let Ok(at_ms) = at.parse::<i64>() else { return false };
        if now.since_ms(Timestamp(at_ms)).abs() > FRESH_MS {
            return false;
        }
        let Ok(given) = STANDARD.decode(told.header("x-hubspot-signature-v3")) else { return false };
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else { return false };
        mac.update(b"POST");
        mac.update(told.url.as_bytes());
        mac.update(told.body);
        mac.update(at.as_bytes());
        mac.verify_slice(&given).is_ok()
    }

    fn changed(&self, body: &Json) -> Vec<(String, String)> {
        let news = body.as_array().into_iter().flatten().filter_map(|event| {
            let kind = event.get("subscriptionType").and_then(Json::as_str)?;
            // Generic subscriptions name the object by the number of its type.
            let is_deal = kind.starts_with("deal.")
                || (kind.starts_with("object.")
                    && event.get("objectTypeId").and_then(Json::as_str) == Some("0-3"));
            let deal = id_of(event.get("objectId")).filter(|_| is_deal)?;
            Some((deal, id_of(event.get("eventId")).unwrap_or_default()))
        });
        news.collect()
    }
}

fn version(connection: &Connection) -> &str {
    connection.version.as_deref().unwrap_or(VERSION)
}

/// The path of a kind of objects: `/crm/v3/objects/deals`, or with a date for a version `/crm/objects/2026-03/deals`.
fn objects(connection: &Connection, kind: &str) -> String {
    match version(connection) {
        dated if dated.starts_with(|c: char| c.is_ascii_digit()) => format!("/crm/objects/{dated}/{kind}"),
        version => format!("/crm/{version}/objects/{kind}"),
    }
}

fn kind(record: &Record) -> &'static str {
    match record.thing() {
        Thing::Company => "companies",
        Thing::Contact => "contacts",
        Thing::Deal => "deals",
        Thing::Activity => "meetings",
    }
}

fn won(connection: &Connection) -> &str {
    connection.won.as_deref().unwrap_or("closedwon")
}

fn lost(connection: &Connection) -> &str {
    connection.lost.as_deref().unwrap_or("closedlost")
}

fn properties(connection: &Connection, record: &Record) -> Map<String, Json> {
    let mut out = Map::new();
    let (rest, standing) = (record.tells.rest(), record.tells.standing());
    let mut put = |name: &str, value: Option<Json>| {
        if let Some(value) = value {
            out.insert(name.to_owned(), value);
        }
    };
    match &record.body {
        Body::Company { name, domain } => {
            put("name", Some(json!(name)));
            put("domain", Some(json!(domain)));
        }
        Body::Contact { email, first_name, last_name, phone, owner, stage, name: _, company: _ } => {
            if rest {
                put("email", Some(json!(email)));
                put("firstname", first_name.as_ref().map(|name| json!(name)));
                put("lastname", last_name.as_ref().map(|name| json!(name)));
                put("phone", phone.as_ref().map(|phone| json!(phone)));
                put("hubspot_owner_id", owner.as_ref().map(|owner| json!(owner)));
            }
            if standing {
                put("lifecyclestage", stage.as_ref().map(|(_, theirs)| json!(theirs)));
            }
        }
        Body::Deal { title, value, currency, owner, standing: stands, company: _, people: _ } => {
            if rest {
                put("dealname", Some(json!(title)));
                put("amount", value.map(|value| json!(value)));
                put("deal_currency_code", value.map(|_| json!(currency)));
                put("hubspot_owner_id", owner.as_ref().map(|owner| json!(owner)));
            }
            if standing {
                put("pipeline", connection.pipeline.as_ref().map(|pipeline| json!(pipeline)));
                match stands {
                    Standing::Open { stage } => put("dealstage", stage.as_ref().map(|stage| json!(stage))),
                    Standing::Won => put("dealstage", Some(json!(won(connection)))),
                    Standing::Lost { reason } => {
                        put("dealstage", Some(json!(lost(connection))));
                        put("closed_lost_reason", reason.as_ref().map(|reason| json!(reason)));
                    }
                }
            }
        }
        Body::Activity {
            subject,
            starts_at,
            ends_at,
            state,
            note,
            location,
            owner,
            company: _,
            person: _,
            deal: _,
        } => {
            let outcome = match state {
                CallState::Ahead => "SCHEDULED",
                CallState::Held => "COMPLETED",
                CallState::NoShow => "NO_SHOW",
                CallState::Cancelled => "CANCELED",
            };
            put("hs_timestamp", Some(json!(starts_at.to_string())));
            put("hs_meeting_title", Some(json!(subject)));
            put("hs_meeting_start_time", Some(json!(starts_at.to_string())));
            put("hs_meeting_end_time", Some(json!(ends_at.to_string())));
            put("hs_meeting_outcome", Some(json!(outcome)));
            put("hs_meeting_body", Some(json!(html(note, ""))));
            put("hs_internal_meeting_notes", Some(json!(record.mark())));
            put("hs_meeting_location", location.as_ref().map(|location| json!(location)));
            put("hubspot_owner_id", owner.as_ref().map(|owner| json!(owner)));
        }
    }
    if rest {
        out.extend(record.fields.iter().cloned());
    }
    out
}

/// What it belongs to: kind, id, kind of association.
fn joins(record: &Record) -> Vec<(&'static str, String, i64)> {
    let mut joins: Vec<(&'static str, String, i64)> = Vec::new();
    match &record.body {
        Body::Company { .. } => {}
        Body::Contact { company, .. } => {
            joins.extend(company.iter().map(|id| ("companies", id.clone(), 0)));
        }
        Body::Deal { company, people, .. } => {
            joins.extend(people.iter().map(|id| ("contacts", id.clone(), DEAL_TO_CONTACT)));
            joins.extend(company.iter().map(|id| ("companies", id.clone(), DEAL_TO_COMPANY)));
        }
        Body::Activity { company, person, deal, .. } => {
            joins.extend(person.iter().map(|id| ("contacts", id.clone(), MEETING_TO_CONTACT)));
            joins.extend(company.iter().map(|id| ("companies", id.clone(), MEETING_TO_COMPANY)));
            joins.extend(deal.iter().map(|id| ("deals", id.clone(), MEETING_TO_DEAL)));
        }
    }
    joins
}

/// Joins it to what it belongs to; done again it changes nothing.
async fn join(line: &Line<'_>, id: &str, record: &Record) -> Result<(), Fault> {
    for (to, other, _) in joins(record) {
        let path = format!("/crm/v4/objects/{}/{id}/associations/default/{to}/{other}", kind(record));
        line.ask("PUT", &path, None).await?;
    }
    Ok(())
}

/// What belongs to a contact, with these properties.
async fn belonging(
    line: &Line<'_>,
    contact: &str,
    what: &str,
    properties: &[&str],
) -> Result<Vec<Json>, Fault> {
    let path = format!("/crm/v4/objects/contacts/{contact}/associations/{what}?limit=100");
    let found = line.look(&path).await?.unwrap_or_default();
    let list = found.get("results").and_then(Json::as_array).cloned().unwrap_or_default();
    let inputs: Vec<Json> =
        list.iter().filter_map(|one| id_of(one.get("toObjectId"))).map(|id| json!({ "id": id })).collect();
    if inputs.is_empty() {
        return Ok(Vec::new());
    }
    let body = json!({ "inputs": inputs, "properties": properties });
    let path = format!("{}/batch/read", objects(line.connection, what));
    let read = line.ask("POST", &path, Some(&body)).await?;
    Ok(read.get("results").and_then(Json::as_array).cloned().unwrap_or_default())
}
