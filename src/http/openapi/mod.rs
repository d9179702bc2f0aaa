//! `GET /api/openapi.json`: the doors for programs as a document (OpenAPI 3.1). One YAML file a part, one line here.
//!
//! An operation names the codes of its errors (`errors: [deal.unknown]`); what answer that makes, and which errors every door
//! of its kind has, is written out here from the table of codes, so that the two cannot differ. A test compares the paths
//! with the doors that there are, and `scripts/test` sends what the document allows and looks at the answers.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use actix_web::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, ContentType};
use actix_web::web::{self, Bytes};
use actix_web::{HttpResponse, Responder};
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value as Json, json};

use super::api::{DOORS, Door};
use super::error::CODES;
use super::pages::reading;

/// The parts. The first one holds what the others refer to.
const PARTS: [&str; 17] = [
    include_str!("root.yaml"),
    include_str!("people.yaml"),
    include_str!("companies.yaml"),
    include_str!("lifecycle.yaml"),
    include_str!("segments.yaml"),
    include_str!("events.yaml"),
    include_str!("reports.yaml"),
    include_str!("traffic.yaml"),
    include_str!("team.yaml"),
    include_str!("flows.yaml"),
    include_str!("letters.yaml"),
    include_str!("webinars.yaml"),
    include_str!("forms.yaml"),
    include_str!("outbox.yaml"),
    include_str!("visitors.yaml"),
    include_str!("booking.yaml"),
    include_str!("chat.yaml"),
];

/// What a path can be asked to do.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(document().to_string()));

/// Mounts the door.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors.service(web::resource("/api/openapi.json").route(reading().to(show)));
}

/// Holds nothing that is anybody's, so that editors and viewers in browsers may read it.
async fn show() -> impl Responder {
    HttpResponse::Ok()
        .insert_header(ContentType::json())
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .body(DOCUMENT.clone())
}

/// The whole document.
pub fn document() -> Json {
    let mut whole = Json::Null;
    for part in PARTS {
        for yaml in Yaml::load_from_str(part).unwrap_or_default() {
            join(&mut whole, json_of(&yaml));
        }
    }
    let everywhere = whole["security"].clone();
    for (path, item) in whole["paths"].as_object_mut().into_iter().flatten() {
        for (method, operation) in operations(item) {
            write_out_errors(path, operation, &everywhere);
            let is_this =
                |door: &&Door| door.path == path && door.method.as_str().eq_ignore_ascii_case(method);
            if let Some(door) = DOORS.iter().find(is_this) {
                operation.insert("x-scope".to_owned(), json!(door.needs.word()));
            }
        }
    }
    whole
}

/// What a path can be asked to do, with the method.
fn operations(path: &mut Json) -> impl Iterator<Item = (&String, &mut Map<String, Json>)> {
    let members = path.as_object_mut().into_iter().flatten();
    let members = members.filter(|(name, _)| METHODS.contains(&name.as_str()));
    members.filter_map(|(name, value)| Some((name, value.as_object_mut()?)))
}

/// Puts the members of `part` into `whole`, those of mappings into the mappings that are there.
fn join(whole: &mut Json, part: Json) {
    match (whole, part) {
        (Json::Object(whole), Json::Object(part)) => {
            for (name, value) in part {
                join(whole.entry(name).or_insert(Json::Null), value);
            }
        }
        (whole, part) => *whole = part,
    }
}

fn json_of(yaml: &Yaml<'_>) -> Json {
    match yaml {
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::FloatingPoint(value)) => json!(value.into_inner()),
        Yaml::Value(Scalar::String(value)) => json!(value),
        Yaml::Sequence(items) => items.iter().map(json_of).collect(),
        Yaml::Mapping(members) => {
            let named = |(name, value): (&Yaml<'_>, _)| Some((name.as_str()?.to_owned(), json_of(value)));
            Json::Object(members.iter().filter_map(named).collect())
        }
        // The files hold no tags and no aliases.
        _ => Json::Null,
    }
}

/// Turns the codes of an operation into its answers, by status.
fn write_out_errors(path: &str, operation: &mut Map<String, Json>, everywhere: &Json) {
    let named = operation.remove("errors").unwrap_or_default();
    let named = named.as_array().into_iter().flatten().filter_map(Json::as_str);
    let mut codes: Vec<String> = named.map(str::to_owned).collect();
    codes.extend(common(path, operation, everywhere).into_iter().map(str::to_owned));
    let mut by_status: BTreeMap<u16, Vec<(&str, &str)>> = BTreeMap::new();
    for (code, status, title) in CODES.iter().filter(|(code, ..)| codes.iter().any(|named| named == code)) {
        by_status.entry(*status).or_default().push((code, title));
    }
    let Some(answers) = operation.get_mut("responses").and_then(Json::as_object_mut) else { return };
    for (status, problems) in by_status {
        let (codes, titles): (Vec<&str>, Vec<&str>) = problems.into_iter().unzip();
        let schema = json!({ "allOf": [
            { "$ref": "#/components/schemas/Problem" },
            { "type": "object", "properties": { "code": { "enum": codes } } },
        ] });
        let answer = json!({
            "description": titles.join(". ") + ".",
            "content": { "application/problem+json": { "schema": schema } },
        });
        answers.insert(status.to_string(), answer);
    }
}

/// The codes that every operation of this kind can answer with.
fn common(path: &str, operation: &Map<String, Json>, everywhere: &Json) -> Vec<&'static str> {
    let mut codes = vec!["store.unavailable"];
    let security = operation.get("security").unwrap_or(everywhere);
    let asks_for =
        |scheme: &str| security.as_array().into_iter().flatten().any(|choice| choice.get(scheme).is_some());
    if asks_for("key") {
        codes.extend(["api.key_closed", "api.key_unknown", "api.scope_missing"]);
    }
    if path.contains('{') {
        codes.push("request.not_found");
    }
    if operation.contains_key("parameters") {
        codes.push("request.malformed");
    }
    if operation.contains_key("requestBody") {
        codes.extend(["request.malformed", "request.too_large"]);
    }
    codes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_part_is_yaml_and_says_each_thing_once() {
        let mut seen = BTreeSet::new();
        for part in PARTS {
            let loaded = Yaml::load_from_str(part).expect("YAML");
            assert_eq!(loaded.len(), 1);
            for (pointer, kind) in [("/paths", "path"), ("/components/schemas", "schema")] {
                let part = json_of(&loaded[0]);
                for name in part.pointer(pointer).and_then(Json::as_object).into_iter().flatten() {
                    assert!(seen.insert((kind, name.0.clone())), "{kind} {} is described twice", name.0);
                }
            }
        }
    }

    #[test]
    fn every_error_of_an_operation_is_in_the_table() {
        let known: BTreeSet<&str> = CODES.iter().map(|(code, ..)| *code).collect();
        let mut asked = 0;
        for part in PARTS {
            let mut part = json_of(&Yaml::load_from_str(part).expect("YAML")[0]);
            let paths = part.get_mut("paths").and_then(Json::as_object_mut).into_iter().flatten();
            for (path, item) in paths {
                for (_, operation) in operations(item) {
                    let errors = operation.get("errors").and_then(Json::as_array);
                    for code in errors.unwrap_or_else(|| panic!("{path} names no `errors`")) {
                        asked += 1;
                        assert!(known.contains(code.as_str().expect("a code")), "{path}: {code}");
                    }
                }
            }
        }
        assert!(asked > 100);
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
        fn references(node: &Json, into: &mut Vec<String>) {
            match node {
                Json::Object(members) => {
                    for (name, value) in members {
                        if let (true, Some(to)) = (name == "$ref", value.as_str()) {
                            into.push(to.to_owned());
                        }
                        references(value, into);
                    }
                }
                Json::Array(items) => items.iter().for_each(|item| references(item, into)),
                _ => {}
            }
        }
        let mut document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 300);
        for to in found {
            let pointer = to.strip_prefix('#').expect("within the document");
            assert!(document.pointer(pointer).is_some(), "{to}");
        }
        let mut names = BTreeSet::new();
        for item in document["paths"].as_object_mut().expect("paths").values_mut() {
            for (_, operation) in operations(item) {
                let name = operation["operationId"].as_str().expect("a name").to_owned();
                assert!(
                    operation["responses"].as_object().is_some_and(|answers| answers.len() > 1),
                    "{name}"
                );
                assert!(names.insert(name.clone()), "{name} is there twice");
            }
        }
    }
}
