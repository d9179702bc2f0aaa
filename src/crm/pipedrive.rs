//! Pipedrive, API v2 (developers.pipedrive.com): people, organizations, deals and activities with `PATCH` and cursors.
//!
//! Nothing is idempotent there. Searching is dear, and finds what is new only after a while; lists find it at once. So people
//! and organizations are searched for once, and a try whose answer never came is searched for only when the search can know
//! it; deals and activities are looked for in the lists of the person.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use jiff::tz::TimeZone;
use serde_json::{Map, Value as Json, json};
use subtle::ConstantTimeEq;

use super::line::{Fault, Line, id_of, number, query};
use super::record::{Body, CallState, Record, html};
use super::{Connection, Crm, Standing, Thing, Told};
use crate::base::time::{MINUTE_MS, Timestamp};

/// How long the search may need to know something.
const LAG_MS: i64 = MINUTE_MS;
/// Of a list, at most so many pages are looked through.
const PAGES_MOST: usize = 5;

pub(super) struct Pipedrive;

impl Crm for Pipedrive {
    fn word(&self) -> &'static str {
        "pipedrive"
    }

    fn title(&self) -> &'static str {
        "Pipedrive"
    }

    fn base(&self) -> Option<&'static str> {
        Some("https://api.pipedrive.com/api/v2")
    }

    fn headers(&self, token: &str) -> Vec<(&'static str, String)> {
        vec![("x-api-token", token.to_owned())]
    }

    fn lag_ms(&self, _: &Connection, thing: Thing) -> i64 {
        match thing {
            Thing::Company | Thing::Contact => LAG_MS,
            Thing::Deal | Thing::Activity => 0,
        }
    }

    fn find<'a>(
        &'a self,
        line: &'a Line<'a>,
        record: &'a Record,
    ) -> BoxFuture<'a, Result<Option<String>, Fault>> {
        Box::pin(async move {
            match &record.body {
                Body::Company { name, .. } => search(line, "organizations", "name", name).await,
                Body::Contact { email, .. } => search(line, "persons", "email", email).await,
                Body::Deal { title, people, .. } => {
                    let Some(person) = people.first() else { return Ok(None) };
                    let field = line.connection.ids.get(&Thing::Deal);
                    let path = format!("/deals?person_id={person}&limit=100");
                    listed(line, &path, |deal| match field {
                        Some(field) => {
                            deal.pointer(&format!("/custom_fields/{field}")).and_then(Json::as_str)
                                == Some(&record.own_id)
                        }
                        None => {
                            deal.get("title").and_then(Json::as_str) == Some(title)
                                && deal.get("status").and_then(Json::as_str) == Some("open")
                        }
                    })
                    .await
                }
                Body::Activity { person, .. } => {
                    let Some(person) = person else { return Ok(None) };
                    let path = format!("/activities?person_id={person}&limit=100");
                    let mark = record.mark();
                    listed(line, &path, |activity| {
                        activity.get("note").and_then(Json::as_str).is_some_and(|note| note.contains(&mark))
                    })
                    .await
                }
            }
        })
    }

    fn create<'a>(&'a self, line: &'a Line<'a>, record: &'a Record) -> BoxFuture<'a, Result<String, Fault>> {
        Box::pin(async move {
            let (method, path, body) = self.written(line.connection, record);
            let made = line.ask(method, &path, Some(&body)).await?;
            id_of(made.pointer("/data/id")).ok_or_else(|| Fault::Unsure("the answer has no id".to_owned()))
        })
    }

    fn update<'a>(
        &'a self,
        line: &'a Line<'a>,
        id: &'a str,
        record: &'a Record,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let (_, path, mut body) = self.written(line.connection, record);
            // Whoever moved a deal to another pipeline keeps it there.
            if let Some(body) = body.as_object_mut() {
                body.remove("pipeline_id");
            }
            line.ask("PATCH", &format!("{path}/{id}"), Some(&body)).await.map(drop)
        })
    }

    fn look<'a>(&'a self, line: &'a Line<'a>, id: &'a str) -> BoxFuture<'a, Result<Standing, Fault>> {
        Box::pin(async move {
            let deal = line.look(&format!("/deals/{id}")).await?.ok_or(Fault::Gone)?;
            let deal = deal.get("data").cloned().unwrap_or_default();
            if deal.get("is_deleted").and_then(Json::as_bool) == Some(true) {
                return Err(Fault::Gone);
            }
            Ok(match deal.get("status").and_then(Json::as_str) {
                Some("won") => Standing::Won,
                Some("lost") => Standing::Lost {
                    reason: deal.get("lost_reason").and_then(Json::as_str).map(str::to_owned),
                },
                Some("open") => Standing::Open { stage: id_of(deal.get("stage_id")) },
                _ => return Err(Fault::Gone),
            })
        })
    }

    fn test<'a>(&'a self, line: &'a Line<'a>) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move { line.ask("GET", "/pipelines?limit=1", None).await.map(drop) })
    }

    fn written(&self, connection: &Connection, record: &Record) -> (&'static str, String, Json) {
        let (path, body) = written(connection, record);
        ("POST", path.to_owned(), body)
    }

    /// Webhooks of Pipedrive prove themselves by HTTP basic authentication (RFC 7617).
    fn is_genuine(&self, connection: &Connection, told: &Told<'_>, _: Timestamp) -> bool {
        let Some((login, password)) = &connection.login else { return false };
        let wanted = STANDARD.encode(format!("{login}:{}", password.expose()));
        let given = told.header("authorization");
        let given = given.strip_prefix("Basic ").or_else(|| given.strip_prefix("basic ")).unwrap_or_default();
        given.trim().as_bytes().ct_eq(wanted.as_bytes()).into()
    }

    /// Webhooks v2: `meta` says what changed.
    fn changed(&self, body: &Json) -> Vec<(String, String)> {
        let meta = |name: &str| body.pointer(&format!("/meta/{name}"));
        if meta("entity").and_then(Json::as_str) != Some("deal") {
            return Vec::new();
        }
        let Some(deal) = id_of(meta("entity_id")) else { return Vec::new() };
        let news = id_of(meta("id")).or_else(|| id_of(meta("correlation_id")));
        vec![(deal, news.unwrap_or_default())]
    }
}

fn written(connection: &Connection, record: &Record) -> (&'static str, Json) {
    let mut out = Map::new();
    let (rest, standing) = (record.tells.rest(), record.tells.standing());
    let path = match &record.body {
        Body::Company { name, .. } => {
            out.insert("name".to_owned(), json!(name));
            "/organizations"
        }
        Body::Contact { email, name, phone, company, owner, .. } => {
            out.insert("name".to_owned(), json!(name));
            out.insert("emails".to_owned(), json!([{ "value": email, "primary": true, "label": "work" }]));
            if let Some(phone) = phone {
                out.insert(
                    "phones".to_owned(),
                    json!([{ "value": phone, "primary": true, "label": "work" }]),
                );
            }
            put(&mut out, "org_id", company.as_deref());
            put(&mut out, "owner_id", owner.as_deref());
            "/persons"
        }
        Body::Deal { title, value, currency, company, people, owner, standing: stands } => {
            if rest {
                out.insert("title".to_owned(), json!(title));
                if let Some(value) = value {
                    out.insert("value".to_owned(), json!(value));
                }
                out.insert("currency".to_owned(), json!(currency));
                put(&mut out, "person_id", people.first().map(String::as_str));
                put(&mut out, "org_id", company.as_deref());
                put(&mut out, "owner_id", owner.as_deref());
            }
            if standing {
                put(&mut out, "pipeline_id", connection.pipeline.as_deref());
                match stands {
                    Standing::Open { stage } => put(&mut out, "stage_id", stage.as_deref()),
                    Standing::Won => drop(out.insert("status".to_owned(), json!("won"))),
                    Standing::Lost { reason } => {
                        out.insert("status".to_owned(), json!("lost"));
                        if let Some(reason) = reason {
                            out.insert("lost_reason".to_owned(), json!(reason));
                        }
                    }
                }
            }
            "/deals"
        }
        Body::Activity {
            subject,
            starts_at,
            ends_at,
            state,
            note,
            location,
            company,
            person,
            deal,
            owner,
        } => {
            let at = starts_at.to_jiff().to_zoned(TimeZone::UTC);
            let minutes = ends_at.since_ms(*starts_at) / MINUTE_MS;
            out.insert("subject".to_owned(), json!(subject));
            out.insert("type".to_owned(), json!(connection.activity.as_deref().unwrap_or("meeting")));
            out.insert("due_date".to_owned(), json!(at.strftime("%Y-%m-%d").to_string()));
            out.insert("due_time".to_owned(), json!(at.strftime("%H:%M:%S").to_string()));
            out.insert("duration".to_owned(), json!(format!("{:02}:{:02}:00", minutes / 60, minutes % 60)));
            out.insert("done".to_owned(), json!(*state != CallState::Ahead));
            out.insert("note".to_owned(), json!(html(note, &record.mark())));
            if let Some(location) = location {
                out.insert("location".to_owned(), json!({ "value": location }));
            }
            put(&mut out, "deal_id", deal.as_deref());
            put(&mut out, "org_id", company.as_deref());
            put(&mut out, "owner_id", owner.as_deref());
            if let Some(person) = person {
                out.insert(
                    "participants".to_owned(),
                    json!([{ "person_id": number(person), "primary": true }]),
                );
            }
            "/activities"
        }
    };
    if rest && !record.fields.is_empty() {
        match record.body {
            // Fields of an activity are its own: it has no others.
            Body::Activity { .. } => out.extend(record.fields.iter().cloned()),
            Body::Company { .. } | Body::Contact { .. } | Body::Deal { .. } => {
                let fields: Map<String, Json> = record.fields.iter().cloned().collect();
                out.insert("custom_fields".to_owned(), Json::Object(fields));
            }
        }
    }
    (path, Json::Object(out))
}

fn put(out: &mut Map<String, Json>, name: &str, id: Option<&str>) {
    if let Some(id) = id {
        out.insert(name.to_owned(), number(id));
    }
}

/// The first that the search knows by this very text.
async fn search(line: &Line<'_>, what: &str, field: &str, term: &str) -> Result<Option<String>, Fault> {
    // Shorter than two characters nothing is searched for.
    if term.chars().count() < 2 {
        return Ok(None);
    }
    let path = format!("/{what}/search?term={}&fields={field}&exact_match=true&limit=10", query(term));
    let found = line.look(&path).await?.unwrap_or_default();
    let items = found.pointer("/data/items").and_then(Json::as_array).cloned().unwrap_or_default();
    // What is told to be exact is looked at all the same.
    let is_it = |item: &&Json| {
        let item = item.get("item");
        let texts = |name: &str| item.and_then(|item| item.get(name)).cloned().unwrap_or_default();
        match field {
            "email" => texts("emails").as_array().is_some_and(|emails| {
                emails
                    .iter()
                    .any(|email| email.as_str().is_some_and(|email| email.eq_ignore_ascii_case(term)))
            }),
            _ => texts("name").as_str().is_some_and(|name| name.to_lowercase() == term.to_lowercase()),
        }
    };
    Ok(items.iter().filter(is_it).find_map(|item| id_of(item.pointer("/item/id"))))
}

/// The first of a list that is it.
async fn listed(line: &Line<'_>, path: &str, is_it: impl Fn(&Json) -> bool) -> Result<Option<String>, Fault> {
    let mut cursor: Option<String> = None;
    for _ in 0..PAGES_MOST {
        let page = match &cursor {
            Some(cursor) => format!("{path}&cursor={}", query(cursor)),
            None => path.to_owned(),
        };
        let found = line.look(&page).await?.unwrap_or_default();
        let items = found.get("data").and_then(Json::as_array).cloned().unwrap_or_default();
        if let Some(item) = items.iter().find(|item| is_it(item)) {
            return Ok(id_of(item.get("id")));
        }
        cursor = found.pointer("/additional_data/next_cursor").and_then(Json::as_str).map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    Ok(None)
}
