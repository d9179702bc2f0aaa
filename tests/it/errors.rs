//! Bad input: each gets a clear error with a stable code and changes nothing.

use std::collections::BTreeSet;

use embudo::http::error::CODES;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::sources::sources;

#[tokio::test]
async fn a_hit_that_is_wrong_is_refused_with_the_reason_and_nothing_is_stored() {
    let app = TestApp::start().await;
    let nikki = app.visitor();
    let mut hit = nikki.hit("/");
    let wrong = |change: &dyn Fn(&mut Value)| {
        let mut wrong = nikki.hit("/");
        change(&mut wrong);
        wrong
    };
    let cases: Vec<(Value, u16, &str)> = vec![
        (wrong(&|hit| hit["site"] = json!("nobody")), 404, "site.unknown"),
        (wrong(&|hit| hit["site"] = Value::Null), 400, "hit.field"),
        (wrong(&|hit| hit["name"] = json!("")), 400, "hit.field"),
        (wrong(&|hit| hit["url"] = json!("no address")), 400, "hit.field"),
        (wrong(&|hit| hit["url"] = json!("https://elsewhere.example/")), 403, "site.foreign_origin"),
        (wrong(&|hit| hit["id"] = json!("17")), 400, "hit.field"),
        (wrong(&|hit| hit["consent"] = json!("maybe")), 400, "hit.field"),
        (wrong(&|hit| hit["visitor"] = json!("17")), 400, "hit.field"),
        (wrong(&|hit| hit["scroll"] = json!("far")), 400, "hit.malformed"),
        (json!([]), 400, "hit.malformed"),
        (json!("page"), 400, "hit.malformed"),
        (Value::Array(vec![nikki.hit("/"); 21]), 400, "hit.too_many"),
        // one wrong hit in a list: none of the list is taken
        (json!([nikki.hit("/"), { "site": "faro" }]), 400, "hit.field"),
    ];
    let before = app.census().await;
    for (body, status, code) in cases {
        println!("{body}");
        nikki.report(&body).await.expect_problem(status, code);
    }
    app.run_jobs().await;
    assert_eq!(app.census().await, before);

    hit["title"] = json!("and a right one is taken");
    nikki.report(&hit).await.expect(202);
    assert_eq!(app.count("hits").await, 1);
}

#[tokio::test]
async fn a_body_that_is_no_json_or_too_large_is_refused() {
    let app = TestApp::start().await;
    let before = app.census().await;
    let post = async |body: Vec<u8>| {
        app.client.send(reqwest::Method::POST, "/v1/hit", Some(("text/plain", body))).await
    };
    for body in ["", "{", "null", "{\"site\":\"faro\"", "\u{0}"] {
        post(body.into()).await.expect_problem(400, "hit.malformed");
    }
    post(vec![0xff, 0xfe, 0x00]).await.expect_problem(400, "hit.malformed");
    post(vec![b' '; 65_537]).await.expect_problem(413, "request.too_large");
    assert_eq!(app.census().await, before);
}

#[tokio::test]
async fn a_page_of_a_foreign_origin_may_not_report_for_our_site() {
    let app = TestApp::start().await;
    let nikki = app.visitor();
    let before = app.census().await;
    let stranger = app.client.with("origin", "https://elsewhere.example");
    stranger.post("/v1/hit", &nikki.hit("/")).await.expect_problem(403, "site.foreign_origin");
    assert_eq!(app.census().await, before);
}

#[tokio::test]
async fn an_address_that_does_not_exist_is_a_problem_too() {
    let app = TestApp::start().await;
    app.get("/v1/nothing").await.expect_problem(404, "request.not_found");
}

/// Every literal of the sources that has the form of a code, outside of the table itself.
fn codes_in_the_sources() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in sources().iter().filter(|source| source.path != "http/error.rs") {
        for (at, _) in source.code.match_indices('"') {
            let rest = &source.text[at + 1..];
            let text = &rest[..rest.find('"').unwrap_or(0)];
            found.insert(text.to_owned());
        }
    }
    found
}

#[test]
fn every_code_of_the_table_is_used() {
    let used = codes_in_the_sources();
    let idle: Vec<_> = CODES.iter().map(|(code, ..)| *code).filter(|code| !used.contains(*code)).collect();
    assert!(idle.is_empty(), "codes that nothing answers with: {idle:?}");
}

#[test]
fn every_code_that_is_answered_with_stands_in_the_table() {
    let known: BTreeSet<_> = CODES.iter().map(|(code, ..)| *code).collect();
    let mut missing = Vec::new();
    for source in sources() {
        for (at, head) in source.code.match_indices("Problem::new(\"") {
            let rest = &source.text[at + head.len()..];
            let code = &rest[..rest.find('"').unwrap_or(0)];
            if !known.contains(code) {
                missing.push(source.place(at));
            }
        }
        // what `fn code` of an error answers with
        for (at, head) in source.code.match_indices("fn code(&self) -> &'static str {") {
            let start = at + head.len();
            let end = source.code[start..].find("\n    }").map_or(start, |end| start + end);
            for (quote, _) in source.code[start..end].match_indices('"').step_by(2) {
                let rest = &source.text[start + quote + 1..];
                let code = &rest[..rest.find('"').unwrap_or(0)];
                if code.contains('.') && !known.contains(code) {
                    missing.push(format!("{}   <- {code}", source.place(start + quote)));
                }
            }
        }
    }
    assert!(missing.is_empty(), "codes that the table does not know:\n{}", missing.join("\n"));
}
