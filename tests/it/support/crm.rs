//! A server that behaves as the documentation of three CRMs says: Pipedrive (API v2), Freshsales, HubSpot. It keeps what it is
//! told, refuses what it does not know, finds what is new only after a while, limits, and breaks off when it is told to: before
//! it has done something, or after.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use embudo::base::time::{Clock, Timestamp};
use futures_util::stream;
use serde_json::{Value as Json, json};
use tokio::sync::Notify;

/// How long the search of what is new takes.
pub const LAG_MS: i64 = 45_000;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: String,
    /// Below the CRM's address, with its query.
    pub path: String,
    pub body: Json,
}

/// What goes wrong with one request.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// 429 with these headers, and nothing is done.
    Limited(&'static [(&'static str, &'static str)]),
    /// A 400 whose body tells of a 429, and nothing is done.
    LimitedInside,
    /// 503, and nothing is done.
    Down,
    /// 401, and nothing is done.
    Locked,
    /// 400 with a reason, and nothing is done.
    Refused,
    /// It is done, and the answer is lost on the way back.
    DoneAndLost,
    /// It is done, and a proxy says 504.
    DoneAndLate,
    /// It is done when somebody says so.
    Held(Arc<Notify>),
}

/// Something that is kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Which of the three keeps it.
    crm: &'static str,
    pub kind: &'static str,
    pub id: i64,
    pub made_at: Timestamp,
    pub body: Json,
}

struct State {
    clock: Clock,
    /// Which of the three is asked at this moment.
    crm: &'static str,
    last_id: i64,
    kept: Vec<Kept>,
    joined: Vec<(String, String, String)>,
    calls: Vec<Call>,
    troubles: Vec<(String, Trouble)>,
}

/// The server.
pub struct Crm {
    origin: String,
    state: Arc<Mutex<State>>,
    server: ServerHandle,
}

impl Crm {
    pub async fn start(clock: Clock) -> Self {
        let state = State {
            clock,
            crm: "pipedrive",
            last_id: 100,
            kept: Vec::new(),
            joined: Vec::new(),
            calls: Vec::new(),
            troubles: Vec::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let shared = web::Data::new(state.clone());
        let server =
            HttpServer::new(move || App::new().app_data(shared.clone()).default_service(web::to(answer)))
                .workers(1)
                .disable_signals()
                .bind(("127.0.0.1", 0))
                .expect("a free port");
        let origin = format!("http://{}", server.addrs()[0]);
        let running = server.run();
        let server = running.handle();
        tokio::spawn(running);
        Self { origin, state, server }
    }

    /// The address of one of the CRMs, for `url` in crm.yaml.
    pub fn url(&self, kind: &str) -> String {
        match kind {
            "pipedrive" => format!("{}/pipedrive/api/v2", self.origin),
            "freshsales" => format!("{}/freshsales/crm/sales/api", self.origin),
            _ => format!("{}/hubspot", self.origin),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no test panics in here")
    }

    /// All that is kept of a kind: `person`, `company`, `deal`, `activity`.
    pub fn kept(&self, kind: &str) -> Vec<Kept> {
        self.state().kept.iter().filter(|kept| kept.kind == kind).cloned().collect()
    }

    /// The only one of a kind.
    pub fn only(&self, kind: &str) -> Kept {
        let all = self.kept(kind);
        assert_eq!(all.len(), 1, "{kind}: {all:#?}");
        all.into_iter().next().expect("one")
    }

    /// How many there are: people, companies, deals, activities.
    pub fn counts(&self) -> [usize; 4] {
        ["person", "company", "deal", "activity"].map(|kind| self.kept(kind).len())
    }

    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// The requests whose method and path begin like this: `POST /persons`.
    pub fn calls_to(&self, what: &str) -> Vec<Call> {
        self.calls()
            .into_iter()
            .filter(|call| format!("{} {}", call.method, call.path).starts_with(what))
            .collect()
    }

    pub fn forget_calls(&self) {
        self.state().calls.clear();
    }

    /// What goes wrong the next time that something like `POST /persons` is asked.
    pub fn trouble(&self, what: &str, trouble: Trouble) {
        self.state().troubles.push((what.to_owned(), trouble));
    }

    /// Somebody of sales puts something into Pipedrive by hand.
    pub fn put(&self, kind: &'static str, body: Json) -> i64 {
        let mut state = self.state();
        state.crm = "pipedrive";
        let long_ago = Timestamp(0);
        state.keep(kind, body, long_ago)
    }

    /// Somebody of sales changes something by hand.
    pub fn change(&self, id: i64, changes: Json) {
        let mut state = self.state();
        let kept = state.kept.iter_mut().find(|kept| kept.id == id).expect("it is there");
        merge(&mut kept.body, &changes);
    }

    /// Somebody of sales deletes something by hand.
    pub fn delete(&self, id: i64) {
        self.state().kept.retain(|kept| kept.id != id);
    }

    /// What was joined to what (HubSpot).
    pub fn joined(&self) -> Vec<(String, String, String)> {
        self.state().joined.clone()
    }

    pub async fn stop(&self) {
        self.server.stop(false).await;
    }
}

impl State {
    fn keep(&mut self, kind: &'static str, mut body: Json, at: Timestamp) -> i64 {
        self.last_id += 1;
        let id = self.last_id;
        body["id"] = json!(id);
        self.kept.push(Kept { crm: self.crm, kind, id, made_at: at, body });
        id
    }

    fn find(&mut self, kind: &str, id: &str) -> Option<&mut Kept> {
        let id: i64 = id.parse().ok()?;
        let crm = self.crm;
        self.kept.iter_mut().find(|kept| kept.crm == crm && kept.kind == kind && kept.id == id)
    }

    /// What the search knows by now.
    fn searched(&self, kind: &str, is_it: impl Fn(&Json) -> bool) -> Vec<Json> {
        let now = self.clock.now();
        let own = self.kept.iter().filter(|kept| kept.crm == self.crm);
        let known = own.filter(|kept| kept.kind == kind && now.since_ms(kept.made_at) >= LAG_MS);
        known.filter(|kept| is_it(&kept.body)).map(|kept| kept.body.clone()).collect()
    }

    fn listed(&self, kind: &str, is_it: impl Fn(&Json) -> bool) -> Vec<Json> {
        let known = self.kept.iter().filter(|kept| kept.crm == self.crm && kept.kind == kind);
        known.filter(|kept| is_it(&kept.body)).map(|kept| kept.body.clone()).collect()
    }
}

fn merge(into: &mut Json, from: &Json) {
    match (into, from) {
        (Json::Object(into), Json::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name.clone()).or_insert(Json::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

type Answered = Result<(u16, Json), (u16, Json)>;

async fn answer(request: HttpRequest, body: web::Bytes, state: web::Data<Arc<Mutex<State>>>) -> HttpResponse {
    let method = request.method().to_string();
    let whole = request.uri().path_and_query().map_or("", |path| path.as_str()).to_owned();
    let kinds = [
        ("pipedrive", "/pipedrive/api/v2"),
        ("freshsales", "/freshsales/crm/sales/api"),
        ("hubspot", "/hubspot"),
    ];
    let Some((kind, path)) =
        kinds.iter().find_map(|(kind, base)| Some((*kind, whole.strip_prefix(base)?.to_owned())))
    else {
        return HttpResponse::NotFound().finish();
    };
    let body: Json = serde_json::from_slice(&body).unwrap_or(Json::Null);
    let trouble = {
        let mut state = state.lock().expect("no test panics in here");
        state.calls.push(Call { method: method.clone(), path: path.clone(), body: body.clone() });
        let asked = format!("{method} {path}");
        let at = state.troubles.iter().position(|(what, _)| asked.starts_with(what.as_str()));
        at.map(|at| state.troubles.remove(at).1)
    };
    match &trouble {
        Some(Trouble::Limited(headers)) => {
            let mut answer = HttpResponse::TooManyRequests();
            for (name, value) in *headers {
                answer.insert_header((*name, *value));
            }
            return answer.json(json!({ "error": "too many requests" }));
        }
        Some(Trouble::LimitedInside) => {
            let body = json!({ "errors": { "code": 400, "message": ["Error :: response_code :: 429"] } });
            return HttpResponse::BadRequest().json(body);
        }
        Some(Trouble::Down) => return HttpResponse::ServiceUnavailable().finish(),
        Some(Trouble::Locked) => {
            return HttpResponse::Unauthorized().json(json!({ "error": "unauthorized access" }));
        }
        Some(Trouble::Refused) => {
            return HttpResponse::BadRequest()
                .json(json!({ "error": "the value of nikki@acme.example is wrong" }));
        }
        Some(Trouble::Held(until)) => until.notified().await,
        Some(Trouble::DoneAndLost | Trouble::DoneAndLate) | None => {}
    }
    let header = |name: &str| {
        request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let (token, wanted) = match kind {
        "pipedrive" => (header("x-api-token"), "pipedrive-token"),
        "freshsales" => (header("authorization"), "Token token=freshsales-token"),
        _ => (header("authorization"), "Bearer hubspot-token"),
    };
    let answered = if token == wanted {
        let mut state = state.lock().expect("no test panics in here");
        state.crm = kind;
        let (path, query) = path.split_once('?').unwrap_or((path.as_str(), ""));
        let query: BTreeMap<String, String> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match kind {
            "pipedrive" => pipedrive(&mut state, &method, &parts, &query, body),
            "freshsales" => freshsales(&mut state, &method, &parts, &query, body),
            _ => hubspot(&mut state, &method, &parts, body),
        }
    } else {
        Err((401, json!({ "error": "unauthorized access" })))
    };
    let (status, body) = answered.unwrap_or_else(|refused| refused);
    let status = StatusCode::from_u16(status).expect("a status");
    match trouble {
        Some(Trouble::DoneAndLate) => HttpResponse::GatewayTimeout().finish(),
        // The head comes, and then nothing more.
        Some(Trouble::DoneAndLost) => {
            let cut = stream::iter([Err::<web::Bytes, _>(std::io::Error::other("cut"))]);
            HttpResponse::build(status).streaming(cut)
        }
        _ => HttpResponse::build(status).json(body),
    }
}

/// Refuses what the documentation does not have.
fn known(body: &Json, names: &[&str], wrong: impl Fn(String) -> Json) -> Result<(), (u16, Json)> {
    let Some(body) = body.as_object() else {
        return Err((400, wrong("a JSON object is expected".to_owned())));
    };
    match body.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err((400, wrong(format!("{name} is not allowed")))),
        None => Ok(()),
    }
}

// --- Pipedrive ---------------------------------------------------------------------------------------

const PIPEDRIVE: &[(&str, &str, &[&str], &[&str])] = &[
    (
        "persons",
        "person",
        &["name"],
        &["name", "emails", "phones", "org_id", "owner_id", "label_ids", "custom_fields"],
    ),
    ("organizations", "company", &["name"], &["name", "owner_id", "custom_fields"]),
    (
        "deals",
        "deal",
        &["title"],
        &[
            "title",
            "value",
            "currency",
            "person_id",
            "org_id",
            "pipeline_id",
            "stage_id",
            "status",
            "lost_reason",
            "owner_id",
            "custom_fields",
        ],
    ),
    (
        "activities",
        "activity",
        &["subject", "type"],
        &[
            "subject",
            "type",
            "due_date",
            "due_time",
            "duration",
            "done",
            "deal_id",
            "org_id",
            "owner_id",
            "participants",
            "note",
            "location",
        ],
    ),
];

fn pipedrive(
    state: &mut State,
    method: &str,
    parts: &[&str],
    query: &BTreeMap<String, String>,
    body: Json,
) -> Answered {
    let wrong = |why: String| json!({ "success": false, "error": format!("Validation failed: {why}"), "code": "ERR_SCHEMA" });
    let gone = || (404, json!({ "success": false, "error": "not found" }));
    let fine = |data: Json| json!({ "success": true, "data": data });
    let place = PIPEDRIVE.iter().find(|(place, ..)| Some(place) == parts.first());
    if method == "GET" && parts == ["pipelines"] {
        return Ok((200, fine(json!([]))));
    }
    let (place, kind, needed, allowed) = place.copied().ok_or_else(gone)?;
    let now = state.clock.now();
    match (method, parts.get(1).copied()) {
        ("GET", Some("search")) => {
            let term = query.get("term").cloned().unwrap_or_default().to_lowercase();
            if query.get("exact_match").map(String::as_str) != Some("true") || term.len() < 2 {
                return Err((400, wrong("term".to_owned())));
            }
            let found = state.searched(kind, |item| match query.get("fields").map(String::as_str) {
                Some("email") => item["emails"].as_array().is_some_and(|all| {
                    all.iter().any(|one| one["value"].as_str().is_some_and(|v| v.to_lowercase() == term))
                }),
                _ => item["name"].as_str().is_some_and(|name| name.to_lowercase() == term),
            });
            let items: Vec<Json> = found
                .into_iter()
                .map(|item| {
                    let emails: Vec<Json> =
                        item["emails"].as_array().into_iter().flatten().map(|one| one["value"].clone()).collect();
                    json!({ "result_score": 1.0, "item": { "id": item["id"], "name": item["name"], "emails": emails } })
                })
                .collect();
            Ok((
                200,
                json!({ "success": true, "data": { "items": items }, "additional_data": { "next_cursor": null } }),
            ))
        }
        ("GET", Some(id)) => {
            let kept = state.find(kind, id).ok_or_else(gone)?;
            Ok((200, fine(kept.body.clone())))
        }
        ("GET", None) => {
            let person: Json =
                query.get("person_id").and_then(|id| id.parse::<i64>().ok()).map_or(Json::Null, Json::from);
            let all = state.listed(kind, |item| match place {
                "activities" => item["participants"]
                    .as_array()
                    .is_some_and(|all| all.iter().any(|one| one["person_id"] == person)),
                _ => item["person_id"] == person,
            });
            let from: usize = query.get("cursor").and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
            let limit: usize = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(100);
            let next = (all.len() > from + limit).then(|| (from + limit).to_string());
            let page: Vec<Json> = all.into_iter().skip(from).take(limit).collect();
            Ok((200, json!({ "success": true, "data": page, "additional_data": { "next_cursor": next } })))
        }
        ("POST", None) => {
            known(&body, allowed, wrong)?;
            if let Some(name) = needed.iter().find(|name| body[**name].as_str().is_none_or(str::is_empty)) {
                return Err((400, wrong(format!("{name} is required"))));
            }
            for (field, kind) in [("person_id", "person"), ("org_id", "company"), ("deal_id", "deal")] {
                let id = &body[field];
                if !id.is_null() && state.find(kind, &id.to_string()).is_none() {
                    return Err((400, wrong(format!("{field} does not exist"))));
                }
            }
            let mut body = body;
            if kind == "deal" {
                let status = body.get("status").cloned().unwrap_or(json!("open"));
                merge(&mut body, &json!({ "status": status }));
                if body["stage_id"].is_null() {
                    body["stage_id"] = json!(1);
                }
            }
            let id = state.keep(kind, body, now);
            let kept = state.find(kind, &id.to_string()).ok_or_else(gone)?;
            Ok((201, fine(kept.body.clone())))
        }
        ("PATCH", Some(id)) => {
            known(&body, allowed, wrong)?;
            let kept = state.find(kind, id).ok_or_else(gone)?;
            merge(&mut kept.body, &body);
            Ok((200, fine(kept.body.clone())))
        }
        _ => Err((405, json!({ "success": false }))),
    }
}

// --- Freshsales --------------------------------------------------------------------------------------

const FRESHSALES: &[(&str, &str, &str)] = &[
    ("contacts", "person", "contact"),
    ("sales_accounts", "company", "sales_account"),
    ("deals", "deal", "deal"),
    ("sales_activities", "activity", "sales_activity"),
];

fn freshsales(
    state: &mut State,
    method: &str,
    parts: &[&str],
    query: &BTreeMap<String, String>,
    body: Json,
) -> Answered {
    let wrong = |why: &str| json!({ "errors": { "code": 400, "message": [why] } });
    let gone = || (404, json!({ "errors": { "code": 404, "message": "Not found" } }));
    let now = state.clock.now();
    match (method, parts) {
        ("GET", ["selector", _]) => return Ok((200, json!({ "deal_stages": [] }))),
        ("GET", ["lookup"]) => {
            let term = query.get("q").cloned().unwrap_or_default();
            let found = state.listed("person", |one| one["emails"] == json!(term));
            return Ok((200, json!({ "contacts": { "contacts": found } })));
        }
        _ => {}
    }
    let (_, kind, envelope) =
        FRESHSALES.iter().find(|(place, ..)| Some(place) == parts.first()).copied().ok_or_else(gone)?;
    match (method, parts.get(1).copied()) {
        ("POST", Some("upsert")) => {
            let unique = body["unique_identifier"].as_object().cloned().unwrap_or_default();
            let Some((field, value)) = unique.into_iter().next() else {
                return Err((400, wrong("unique_identifier")));
            };
            let inner = body[envelope].clone();
            let found = state
                .kept
                .iter_mut()
                .find(|kept| kept.crm == "freshsales" && kept.kind == kind && kept.body[&field] == value);
            if let Some(kept) = found {
                merge(&mut kept.body, &inner);
                return Ok((200, json!({ envelope: kept.body })));
            }
            let mut whole = inner;
            whole[&field] = value;
            let id = state.keep(kind, whole, now);
            let kept = state.find(kind, &id.to_string()).ok_or_else(gone)?;
            Ok((201, json!({ envelope: kept.body })))
        }
        ("POST", None) => {
            let mut inner = body[envelope].clone();
            let needed: &[&str] = match kind {
                "deal" => &["name", "amount"],
                "activity" => &[
                    "title",
                    "start_date",
                    "end_date",
                    "sales_activity_type_id",
                    "targetable_type",
                    "targetable_id",
                ],
                _ => &[],
            };
            if needed.iter().any(|name| inner[*name].is_null()) {
                return Err((400, wrong("a field is missing")));
            }
            if kind == "deal" && inner["deal_stage_id"].is_null() {
                inner["deal_stage_id"] = json!(1);
            }
            let id = state.keep(kind, inner, now);
            let kept = state.find(kind, &id.to_string()).ok_or_else(gone)?;
            Ok((201, json!({ envelope: kept.body })))
        }
        ("PUT", Some(id)) => {
            let kept = state.find(kind, id).ok_or_else(gone)?;
            merge(&mut kept.body, &body[envelope]);
            Ok((200, json!({ envelope: kept.body })))
        }
        ("GET", Some(id)) => {
            let kept = state.find(kind, id).ok_or_else(gone)?.clone();
            let own = json!(kept.id);
            let deals = state.listed("deal", |deal| {
                deal["contacts_added_list"].as_array().is_some_and(|all| all.contains(&own))
            });
            Ok((200, json!({ envelope: kept.body, "deals": deals })))
        }
        ("GET", None) => {
            let all = state.listed(kind, |_| true);
            Ok((200, json!({ "sales_activities": all, "meta": { "total_pages": 1 } })))
        }
        _ => Err((405, json!({}))),
    }
}

// --- HubSpot -----------------------------------------------------------------------------------------

const HUBSPOT: &[(&str, &str)] =
    &[("contacts", "person"), ("companies", "company"), ("deals", "deal"), ("meetings", "activity")];

/// The order in which `lifecyclestage` goes; it does not go back.
const STAGES: [&str; 5] = ["lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer"];

fn hubspot(state: &mut State, method: &str, parts: &[&str], body: Json) -> Answered {
    let gone = || {
        (404, json!({ "status": "error", "message": "resource not found", "category": "OBJECT_NOT_FOUND" }))
    };
    let kind_of = |name: &str| HUBSPOT.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
    let told = |kept: &Kept| json!({ "id": kept.id.to_string(), "properties": kept.body });
    let now = state.clock.now();
    match (method, parts) {
        ("PUT", ["crm", "v4", "objects", from, id, "associations", "default", to, other]) => {
            let (Some(one), Some(two)) = (kind_of(from), kind_of(to)) else { return Err(gone()) };
            if state.find(one, id).is_none() || state.find(two, other).is_none() {
                return Err(gone());
            }
            join(state, one, id, two, other);
            Ok((200, json!({ "status": "COMPLETE" })))
        }
        ("GET", ["crm", "v4", "objects", "contacts", id, "associations", what]) => {
            let kind = kind_of(what).ok_or_else(gone)?;
            let ids =
                state.joined.iter().filter(|(one, two, _)| one == &format!("person:{id}") && two == kind);
            let found: Vec<Json> =
                ids.map(|(_, _, other)| json!({ "toObjectId": other.parse::<i64>().unwrap_or(0) })).collect();
            Ok((200, json!({ "results": found })))
        }
        ("POST", ["crm", "v3", "objects", what, "batch", "read"]) => {
            let kind = kind_of(what).ok_or_else(gone)?;
            let ids: Vec<String> = body["inputs"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|one| one["id"].as_str().map(str::to_owned))
                .collect();
            let found: Vec<Json> =
                ids.iter().filter_map(|id| state.find(kind, id).map(|kept| told(kept))).collect();
            Ok((200, json!({ "status": "COMPLETE", "results": found })))
        }
        ("POST", ["crm", "v3", "objects", what, "batch", "upsert"]) => {
            let kind = kind_of(what).ok_or_else(gone)?;
            let input = body["inputs"][0].clone();
            let by = input["idProperty"].as_str().unwrap_or("email").to_owned();
            let value = input["id"].clone();
            if let Some(kept) = state
                .kept
                .iter_mut()
                .find(|kept| kept.crm == "hubspot" && kept.kind == kind && kept.body[&by] == value)
            {
                merge(&mut kept.body, &input["properties"]);
                let told = told(kept);
                return Ok((200, json!({ "status": "COMPLETE", "results": [told] })));
            }
            let mut properties = input["properties"].clone();
            properties[&by] = value;
            let id = state.keep(kind, properties, now);
            let kept = state.find(kind, &id.to_string()).ok_or_else(gone)?;
            Ok((200, json!({ "status": "COMPLETE", "results": [told(kept)] })))
        }
        ("POST", ["crm", "v3", "objects", "companies", "search"]) => {
            let domain = body["filterGroups"][0]["filters"][0]["value"].clone();
            let found = state.searched("company", |one| one["domain"] == domain);
            let found: Vec<Json> = found
                .into_iter()
                .map(|one| json!({ "id": one["id"].to_string(), "properties": one }))
                .collect();
            Ok((200, json!({ "total": found.len(), "results": found })))
        }
        ("POST", ["crm", "v3", "objects", what]) => {
            let kind = kind_of(what).ok_or_else(gone)?;
            let id = state.keep(kind, body["properties"].clone(), now).to_string();
            for joined in body["associations"].as_array().into_iter().flatten() {
                let two = match joined["types"][0]["associationTypeId"].as_i64() {
                    Some(3 | 200) => "person",
                    Some(341 | 188) => "company",
                    Some(212) => "deal",
                    _ => return Err((400, json!({ "status": "error", "message": "unknown association" }))),
                };
                let other = joined["to"]["id"].as_str().unwrap_or_default().to_owned();
                join(state, kind, &id, two, &other);
            }
            let kept = state.find(kind, &id).ok_or_else(gone)?;
            Ok((201, told(kept)))
        }
        ("PATCH", ["crm", "v3", "objects", what, id]) => {
            let kind = kind_of(what).ok_or_else(gone)?;
            let kept = state.find(kind, id).ok_or_else(gone)?;
            let stands = kept.body["lifecyclestage"].clone();
            merge(&mut kept.body, &body["properties"]);
            let order = |stage: &Json| STAGES.iter().position(|known| stage.as_str() == Some(known));
            let (from, to) = (order(&stands), order(&kept.body["lifecyclestage"]));
            if from.is_some() && to.is_some() && to < from {
                kept.body["lifecyclestage"] = stands;
            }
            Ok((200, told(kept)))
        }
        ("GET", ["crm", "v3", "objects", what, id]) => {
            let kind = kind_of(what).ok_or_else(gone)?;
            Ok((200, told(state.find(kind, id).ok_or_else(gone)?)))
        }
        ("GET", ["crm", "v3", "objects", "contacts"]) => Ok((200, json!({ "results": [] }))),
        _ => Err((405, json!({ "status": "error", "message": "no such way" }))),
    }
}

fn join(state: &mut State, one: &str, id: &str, two: &str, other: &str) {
    for (from, to, target) in [
        (format!("{one}:{id}"), two.to_owned(), other.to_owned()),
        (format!("{two}:{other}"), one.to_owned(), id.to_owned()),
    ] {
        let joined = (from, to, target);
        if !state.joined.contains(&joined) {
            state.joined.push(joined);
        }
    }
}
