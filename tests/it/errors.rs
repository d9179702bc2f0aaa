//! Bad input: each gets a clear error with a stable code and changes nothing.

use std::collections::BTreeSet;

use embudo::base::time::{DAY_MS, MINUTE_MS};
use embudo::http::error::CODES;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{TestApp, set};
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
    let post =
        async |body: Vec<u8>| app.client.send(Method::POST, "/v1/hit", Some(("text/plain", body))).await;
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

#[tokio::test]
async fn a_form_that_is_wrong_is_refused_with_the_reason_and_nothing_is_stored() {
    let app = TestApp::start().await;
    let nikki = app.visitor();
    let right = nikki.fill("white-paper", json!({ "email": "nikki@acme.example" })).await;
    let before = app.census().await;
    let wrong = |change: &dyn Fn(&mut Value)| {
        let mut wrong = right.clone();
        change(&mut wrong);
        wrong
    };
    let cases: Vec<(&str, Value, u16, &str)> = vec![
        ("white-paper", wrong(&|form| form["site"] = json!("nobody")), 404, "site.unknown"),
        ("black-paper", right.clone(), 404, "form.unknown"),
        ("white-paper", json!("nikki@acme.example"), 400, "request.malformed"),
        ("white-paper", wrong(&|form| form["values"] = json!({})), 422, "form.invalid"),
        ("white-paper", wrong(&|form| form["values"]["email"] = json!("nikki")), 422, "form.invalid"),
        ("white-paper", wrong(&|form| form["values"]["email"] = json!("a@b@c.example")), 422, "form.invalid"),
        ("white-paper", wrong(&|form| form["nonce"] = json!("")), 422, "form.nonce_invalid"),
        ("white-paper", wrong(&|form| form["nonce"] = json!("made.up")), 422, "form.nonce_invalid"),
    ];
    for (form, body, status, code) in cases {
        println!("{form}: {body}");
        let problem = nikki.post(&format!("/v1/forms/{form}"), &body).await.expect_problem(status, code);
        if code == "form.invalid" {
            let words = problem["fields"]["email"].as_str().unwrap_or_default();
            assert!(words.chars().any(char::is_whitespace), "a sentence beside the field: {problem}");
        }
    }
    let stranger = app.client.with("origin", "https://elsewhere.example");
    stranger.post("/v1/forms/white-paper", &right).await.expect_problem(403, "site.foreign_origin");
    let long = wrong(&|form| form["page"] = json!("x".repeat(70_000)));
    nikki.post("/v1/forms/white-paper", &long).await.expect_problem(413, "request.too_large");
    app.run_jobs().await;
    assert_eq!(app.census().await, before);

    nikki.post("/v1/forms/white-paper", &right).await.expect(200);
    let once = app.census().await;
    nikki.post("/v1/forms/white-paper", &right).await.expect(200);
    assert_eq!(app.census().await, once, "the same form sent again, as after a lost answer, changes nothing");
    let another = wrong(&|form| form["values"]["email"] = json!("pam@acme.example"));
    nikki.post("/v1/forms/white-paper", &another).await.expect_problem(409, "form.nonce_used");
    assert_eq!(app.census().await, once, "and it cannot be used for somebody else");
}

#[tokio::test]
async fn an_old_form_is_refused_and_a_machine_learns_nothing() {
    let app = TestApp::start().await;
    let nikki = app.visitor();
    let mut form = nikki.fill("white-paper", json!({ "email": "nikki@acme.example" })).await;
    let before = app.census().await;
    form["website"] = json!("https://cheap.example");
    let answer = nikki.post("/v1/forms/white-paper", &form).await.expect(200);
    assert_eq!(answer.header("x-embudo-dropped"), "");
    form["website"] = json!("");
    app.clock.advance(8 * DAY_MS);
    nikki.post("/v1/forms/white-paper", &form).await.expect_problem(422, "form.nonce_invalid");
    app.run_jobs().await;
    let is_apart = |(table, rows): &(&'static str, i64)| {
        (*table, if ["form_quarantine", "form_counts"].contains(table) { 1 } else { *rows })
    };
    assert_eq!(app.census().await, before.iter().map(is_apart).collect::<Vec<_>>());
}

#[tokio::test]
async fn forged_expired_and_foreign_links_are_told_apart_and_change_nothing() {
    let app = TestApp::start().await;
    let mut nikki = app.visitor();
    let link =
        nikki.submit("white-paper", "nikki@acme.example").await["link"].as_str().expect("a link").to_owned();
    let token = link.trim_start_matches("/d/").split('?').next().unwrap_or_default().to_owned();
    app.run_jobs().await;
    let before = app.census().await;

    let mut forged = token.clone();
    forged.replace_range(token.len() - 6..token.len() - 3, if token.contains("AAA") { "BBB" } else { "AAA" });
    for forged in [forged.as_str(), "x", "../../etc/passwd", &token[..token.len() - 1], &format!("{token}A")]
    {
        let page = app.get(&format!("/d/{}", encoded(forged))).await;
        assert_eq!(page.status, 404, "{forged}: {}", page.body);
        nikki.confirm(forged).await.expect_problem(404, "token.forged");
        assert_eq!(app.get(&format!("/b/{}", encoded(forged))).await.status, 404, "{forged}");
        assert_eq!(app.get(&format!("/r/{}", encoded(forged))).await.status, 404, "{forged}");
    }
    // a link for one purpose opens nothing else
    assert_eq!(app.get(&format!("/b/{token}")).await.status, 404);
    assert_eq!(app.get(&format!("/r/{token}")).await.status, 404);
    let moved = app.client.submit(&format!("/b/{token}/cancel"), &[("reason", "")]).await;
    assert_eq!(moved.status, 404, "{}", moved.body);

    assert_eq!(app.get(&format!("/d/{token}")).await.status, 200, "a look changes nothing either");
    app.clock.advance(40 * DAY_MS);
    assert_eq!(app.get(&format!("/d/{token}")).await.status, 410);
    nikki.confirm(&token).await.expect_problem(410, "token.expired");
    assert_eq!(app.census().await, before);
}

#[tokio::test]
async fn a_time_that_cannot_be_booked_is_refused_and_nothing_is_booked() {
    let app = TestApp::start_with(|settings| set(settings, "bookings", "burst", 100)).await;
    let slots = app.get("/v1/slots?meeting=discovery&zone=Europe/Madrid").await.expect_json(200);
    let slot = slots["slots"][0]["starts_at"].as_i64().expect("a free time");
    let right = json!({
        "site": "faro", "meeting": "discovery", "starts_at": slot, "zone": "Europe/Madrid", "language": "es",
        "name": "Nikki", "email": "nikki@acme.example", "notes": "",
    });
    let before = app.census().await;
    let wrong = |change: &dyn Fn(&mut Value)| {
        let mut wrong = right.clone();
        change(&mut wrong);
        wrong
    };
    let cases: Vec<(Value, u16, &str)> = vec![
        (wrong(&|call| call["site"] = json!("nobody")), 404, "site.unknown"),
        (wrong(&|call| call["meeting"] = json!("lunch")), 404, "booking.meeting_unknown"),
        (wrong(&|call| call["starts_at"] = json!(app.now().as_ms() - DAY_MS)), 422, "booking.slot_past"),
        (wrong(&|call| call["starts_at"] = json!(0)), 422, "booking.slot_past"),
        (wrong(&|call| call["starts_at"] = json!(slot + 7 * MINUTE_MS)), 422, "booking.slot_unknown"),
        (wrong(&|call| call["starts_at"] = json!(slot + 400 * DAY_MS)), 422, "booking.slot_unknown"),
        (wrong(&|call| call["starts_at"] = json!("soon")), 400, "request.malformed"),
        (wrong(&|call| call["zone"] = json!("Europe/Faro")), 422, "booking.zone_unknown"),
        (wrong(&|call| call["email"] = json!("nikki")), 422, "form.invalid"),
        (json!([]), 400, "request.malformed"),
    ];
    for (body, status, code) in cases {
        println!("{body}");
        app.post("/v1/bookings", &body).await.expect_problem(status, code);
    }
    let stranger = app.client.with("origin", "https://elsewhere.example");
    stranger.post("/v1/bookings", &right).await.expect_problem(403, "site.foreign_origin");
    let odd = app.client.with("idempotency-key", &"k".repeat(256));
    odd.post("/v1/bookings", &right).await.expect_problem(400, "booking.idempotency_key_invalid");
    app.run_jobs().await;
    assert_eq!(app.census().await, before);
    app.get("/v1/slots?meeting=lunch").await.expect_problem(404, "booking.meeting_unknown");
    app.get("/v1/slots?meeting=discovery&zone=Mars/Base").await.expect_problem(422, "booking.zone_unknown");
}

#[tokio::test]
async fn a_time_that_is_taken_comes_with_alternatives() {
    let app = TestApp::start().await;
    let slots = app.get("/v1/slots?meeting=programme&zone=Europe/Madrid").await.expect_json(200);
    let slot = slots["slots"][0]["starts_at"].as_i64().expect("a free time");
    let call = |email: &str| {
        json!({
            "site": "faro", "meeting": "programme", "starts_at": slot, "zone": "Europe/Madrid", "language": "en",
            "name": "Somebody", "email": email, "notes": "",
        })
    };
    let first = app.client.with("idempotency-key", "one");
    let booked = first.post("/v1/bookings", &call("nikki@acme.example")).await.expect_json(201);
    let before = app.census().await;

    let problem =
        app.post("/v1/bookings", &call("pam@acme.example")).await.expect_problem(409, "booking.slot_taken");
    let alternatives = problem["alternatives"].as_array().expect("alternatives");
    assert_eq!(alternatives.len(), 3, "{problem}");
    assert!(alternatives.iter().all(|other| other["starts_at"] != slot), "{problem}");

    let again = first.post("/v1/bookings", &call("nikki@acme.example")).await.expect_json(201);
    assert_eq!(again["booking"], booked["booking"], "the same key, the same call");
    first
        .post("/v1/bookings", &call("pam@acme.example"))
        .await
        .expect_problem(422, "booking.idempotency_key_reused");
    let after: Vec<_> = app.census().await.into_iter().filter(|(table, _)| *table != "contacts").collect();
    let before: Vec<_> = before.into_iter().filter(|(table, _)| *table != "contacts").collect();
    assert_eq!(after, before);
}

#[tokio::test]
async fn an_attendance_list_that_is_none_is_refused() {
    let key = "a key for programs of forty characters..";
    let app = TestApp::start_with(|settings| set(settings, "api", "keys", vec![key])).await;
    let path = "/api/v1/webinars/reading-culture-live/attendance";
    let program = app.client.with("authorization", &format!("Bearer {key}"));
    let before = app.census().await;
    let list = "email,minutes\nnikki@acme.example,30\n";
    app.client
        .send(Method::POST, path, Some(("text/csv", list.into())))
        .await
        .expect_problem(401, "api.key_unknown");
    let wrong = app.client.with("authorization", "Bearer something else");
    wrong
        .send(Method::POST, path, Some(("text/csv", list.into())))
        .await
        .expect_problem(401, "api.key_unknown");
    let post = async |path: &str, body: &[u8]| {
        program.send(Method::POST, path, Some(("text/csv", body.to_vec()))).await
    };
    post("/api/v1/webinars/nothing/attendance", list.as_bytes()).await.expect_problem(404, "webinar.unknown");
    for wrong_file in
        [b"%PDF-1.7\n\xe2\xe3\xcf\xd3".as_slice(), b"\x89PNG\r\n\x1a\n", b"", b"{\"a\":", b"<html></html>"]
    {
        println!("{}", String::from_utf8_lossy(wrong_file));
        post(path, wrong_file).await.expect_problem(422, "webinar.list_unreadable");
    }
    app.run_jobs().await;
    assert_eq!(app.census().await, before);
}

/// A path segment that holds any text.
fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
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

/// What a chat refuses for a reason of its own is told in the console by the sentence itself (`refusals.said`).
#[test]
fn whatever_a_chat_does_not_allow_is_told_in_both_languages() {
    let words = ["en", "es"].map(|language| {
        let path = crate::support::app::repository(&format!("src/render/texts/{language}/refusals.yaml"));
        std::fs::read_to_string(path).expect("the words")
    });
    let mut found = 0;
    for source in sources() {
        for (at, head) in source.code.match_indices("NotAllowed(\"") {
            let rest = &source.text[at + head.len()..];
            let sentence = &rest[..rest.find('"').unwrap_or(0)];
            let parts = sentence.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
            let key = format!("\n  {}: ", parts.collect::<Vec<_>>().join("_").to_lowercase());
            assert!(words.iter().all(|words| words.contains(&key)), "{key} of {}", source.place(at));
            found += 1;
        }
    }
    assert!(found > 10, "the sources are read: {found}");
}
