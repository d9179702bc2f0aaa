//! The document of the doors for programs.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use reqwest::Method;
use serde_json::Value;

use crate::support::app::TestApp;
use crate::support::sources::sources;

/// Doors that others call because we told them to, or that belong to pages of ours: nobody writes a program for them.
const NOT_FOR_PROGRAMS: [&str; 10] = [
    "/v1/chat/{conversation}/event",
    "/v1/chat/{conversation}/rating",
    "/v1/chat/{conversation}/transcript",
    "/v1/chat/{conversation}/typing",
    "/v1/chat/{conversation}/watch",
    "/v1/chat/{conversation}/whose",
    "/v1/confirm",
    "/v1/confirm/answer",
    "/v1/crm/{crm}/{secret}",
    "/v1/mail/{provider}/{secret}",
];

/// The paths of doors that stand in the sources; what stands after a scope is in it.
fn mounted() -> BTreeSet<String> {
    let call = Regex::new(r#"\b(scope|route|resource|post)\(\s*"([^"]*)""#).expect("a pattern");
    let mut found = BTreeSet::new();
    for source in sources().into_iter().filter(|source| source.path.starts_with("http/")) {
        let mut scope = String::new();
        for parts in call.captures_iter(&source.text) {
            let path = &parts[2];
            if &parts[1] == "scope" {
                scope = path.to_owned();
                continue;
            }
            let is_whole = ["/api/", "/v1/"].iter().any(|begin| path.starts_with(begin));
            let whole = if is_whole { path.to_owned() } else { format!("{scope}{path}") };
            if whole.starts_with("/api/v1/") || whole.starts_with("/v1/") {
                found.insert(whole);
            }
        }
    }
    found
}

#[tokio::test]
async fn the_document_names_the_doors_that_there_are_and_no_others() {
    let app = TestApp::start().await;
    let document = app.client.get("/api/openapi.json").await.expect(200).json();
    let mut described: BTreeSet<String> =
        document["paths"].as_object().expect("paths").keys().cloned().collect();
    // It stands where the settings want it.
    assert!(described.remove("/v1/hit"));
    let mut mounted = mounted();
    for path in NOT_FOR_PROGRAMS {
        mounted.remove(path);
    }
    assert_eq!(described, mounted);
}

#[tokio::test]
async fn every_door_for_programs_wants_a_key_and_answers_by_the_method_that_is_described() {
    let app = TestApp::start().await;
    let document = app.client.get("/api/openapi.json").await.expect(200).json();
    let id = "01a20602-435d-7313-9fac-c56b728e8eb7";
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        let address: String = path
            .split('/')
            .map(|part| if part.starts_with('{') { id } else { part })
            .collect::<Vec<_>>()
            .join("/");
        for (method, operation) in item.as_object().expect("an object") {
            let Ok(method) = Method::from_bytes(method.to_uppercase().as_bytes()) else { continue };
            if !["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str()) {
                continue;
            }
            asked += 1;
            let answer =
                app.client.send(method.clone(), &address, Some(("application/json", b"{}".to_vec()))).await;
            let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
            assert_ne!(code, "request.not_found", "{method} {path}");
            assert_ne!(answer.status, 405, "{method} {path}");
            if path.starts_with("/api/") {
                // What a body must be is looked at before who sends it; both refuse.
                assert!(
                    ["api.key_unknown", "request.malformed"].contains(&&*code),
                    "{method} {path}: {code}"
                );
            }
            let described = &operation["responses"][answer.status.to_string()];
            assert!(!described.is_null(), "{method} {path} answers {} {code}", answer.status);
        }
    }
    assert!(asked > 80, "{asked}");
}

#[tokio::test]
async fn the_document_can_be_read_from_any_page_and_by_a_head() {
    let app = TestApp::start().await;
    let answer = app.client.send(Method::HEAD, "/api/openapi.json", None).await;
    assert_eq!(answer.status, 200);
    let answer = app.client.get("/api/openapi.json").await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.json()["openapi"], "3.1.0");
}

#[tokio::test]
async fn what_the_document_says_of_errors_is_the_table_of_codes() {
    let app = TestApp::start().await;
    let document = app.client.get("/api/openapi.json").await.expect(200).json();
    let of = |path: &str, method: &str| -> BTreeMap<String, BTreeSet<String>> {
        let answers = document["paths"][path][method]["responses"].as_object().expect("answers");
        let codes = |answer: &Value| -> BTreeSet<String> {
            let named =
                answer.pointer("/content/application~1problem+json/schema/allOf/1/properties/code/enum");
            let named = named.and_then(Value::as_array).into_iter().flatten();
            named.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        answers.iter().map(|(status, answer)| (status.clone(), codes(answer))).collect()
    };
    let lost = of("/api/v1/deals/{deal}/lost", "post");
    let statuses: Vec<&str> = lost.keys().map(String::as_str).collect();
    assert_eq!(statuses, ["200", "400", "401", "403", "404", "409", "413", "422", "503"]);
    assert!(lost["404"].contains("deal.unknown") && lost["409"].contains("deal.closed"));
    let erase = of("/api/v1/contacts/{contact}/erase", "post");
    assert!(erase["403"].contains("api.scope_missing"));
    let scope = &document["paths"]["/api/v1/contacts/{contact}/erase"]["post"]["x-scope"];
    assert_eq!(scope, "people:write");
    assert!(!of("/v1/slots", "get").contains_key("401"));
}
