//! Notices in the browsers of colleagues, as a push service and a browser of others see them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use embudo::accounts::{self, NewAccount, Role};
use embudo::app::App;
use embudo::base::language::Language;
use embudo::base::secret::Secret;
use embudo::base::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::answer::Client;
use crate::support::app::{SITE, TestApp, set};
use crate::support::hook::{Call, Hook};
use crate::support::tools::python_says;

const MIKE: &str = "mike@faro.example";
const PASSWORD: &str = "a long enough password";

/// An app whose notify.yaml says this, and which may reach the push service of the test.
async fn app(notify: &str) -> (TestApp, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("notify.yaml");
    std::fs::write(&file, notify).expect("written");
    let app = TestApp::start_with(|settings| {
        set(settings, "definitions", "notify", file.display().to_string());
        set(settings, "outbound", "allow", vec!["127.0.0.0/8"]);
    })
    .await;
    (app, folder)
}

async fn hire(app: &TestApp, email: &str, role: Role) {
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let new = NewAccount { email, name: "Somebody", role, language: Language::En, password: PASSWORD };
    accounts::add(&mut tx, &new, app.now()).await.expect("added");
    tx.commit().await.expect("commits");
}

/// Somebody in the console: her client with her cookie and her token.
async fn log_in(app: &TestApp, email: &str) -> Client {
    let fields = [("email", email), ("password", PASSWORD), ("next", "/console")];
    let answer = app.client.submit("/console/login", &fields).await.expect(303);
    let client = app.client.with("cookie", answer.header("set-cookie").split(';').next().expect("a cookie"));
    let page = client.get("/console").await.expect(200).body;
    let csrf = page.split("name=\"csrf\" content=\"").nth(1).and_then(|rest| rest.split('"').next());
    client.with("x-csrf-token", csrf.expect("every page has the token"))
}

/// A browser: its keys, which only it has, and its address at the push service.
struct Browser {
    keys: Value,
    endpoint: String,
}

impl Browser {
    fn new(service: &str, name: &str) -> Self {
        Self { keys: python_says("push_read.py new", b""), endpoint: format!("{service}/{name}") }
    }

    /// Tells the console that it wants notices.
    async fn subscribe(&self, client: &Client) -> String {
        let key = |name: &str| self.keys[name].as_str().expect("a key");
        let fields = [("endpoint", self.endpoint.as_str()), ("p256dh", key("p256dh")), ("auth", key("auth"))];
        let agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
        let answer = client.with("user-agent", agent).submit("/console/push", &fields).await.expect_json(200);
        answer["id"].as_str().expect("an id").to_owned()
    }

    /// What came, decrypted and with its signature verified.
    fn read(&self, call: &Call) -> Value {
        let told = json!({
            "private": self.keys["private"], "auth": self.keys["auth"], "body": STANDARD.encode(&call.bytes),
            "authorization": call.header("authorization").expect("who sends"),
        });
        python_says("push_read.py read", told.to_string().as_bytes())
    }
}

/// Books the last free time: days ahead, whatever the clock says.
async fn book(app: &TestApp, email: &str) -> i64 {
    let slots = app.get("/v1/slots?meeting=discovery&zone=Europe/Madrid").await.expect_json(200);
    let last = slots["slots"].as_array().and_then(|slots| slots.last()).expect("a free time");
    let starts_at = last["starts_at"].as_i64().expect("a moment");
    let call = json!({
        "site": "faro", "meeting": "discovery", "starts_at": starts_at, "zone": "Europe/Madrid", "language": "en",
        "name": "Nikki Grant", "email": email, "notes": "We are 120 people at Acme.",
    });
    app.client.with("origin", SITE).post("/v1/bookings", &call).await.expect(201);
    starts_at
}

#[tokio::test]
async fn a_booked_call_is_told_in_the_reps_browser_and_only_that_browser_can_read_it() {
    let service = Hook::start().await;
    service.answer(201);
    let (app, _folder) = app("rules: []\n").await;
    let lucia = "lucia@faro.example";
    hire(&app, MIKE, Role::Sdr).await;
    hire(&app, lucia, Role::Sdr).await;
    let (mike, other) = (log_in(&app, MIKE).await, log_in(&app, lucia).await);
    let (browser, hers) = (Browser::new(&service.url, "one"), Browser::new(&service.url, "two"));
    browser.subscribe(&mike).await;
    browser.subscribe(&mike).await;
    hers.subscribe(&other).await;
    assert_eq!(app.count("push_devices").await, 2, "the same browser is one, however often it says so");

    let starts_at = book(&app, "nikki@acme.example").await;
    app.run_jobs().await;
    let calls = service.calls();
    assert_eq!(calls.len(), 1, "it is told to whoever has the call");
    let call = &calls[0];
    let rows = app.rows("select rep from bookings").await;
    let (reader, name, path) = match rows[0].get::<String>("rep").expect("a rep").as_str() {
        "mike" => (&browser, "Mike Torres", "/hook/one"),
        _ => (&hers, "Lucía Vega", "/hook/two"),
    };
    assert_eq!(call.path, path);
    let read = reader.read(call);
    let said = &read["said"];
    assert_eq!(said["title"], format!("Nikki Grant booked a call with {name}"), "{said}");
    assert!(said["body"].as_str().expect("when").contains("Madrid"), "{said}");
    assert!(said["link"].as_str().expect("a page").starts_with("/console/contacts/"), "{said}");
    assert_eq!(said["at"], app.now().as_ms());
    let words = said.to_string();
    assert!(!words.contains("120 people") && !words.contains("nikki@") && !words.contains("Acme"), "{words}");
    assert_eq!(read["record"], 4096);

    assert_eq!(call.header("content-encoding"), Some("aes128gcm"));
    assert_eq!(call.header("urgency"), Some("normal"));
    let topic = call.header("topic").expect("what is replaced by later news");
    assert!(
        topic.len() == 32 && topic.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)),
        "{topic}"
    );
    let ttl: i64 = call.header("ttl").and_then(|ttl| ttl.parse().ok()).expect("seconds");
    assert_eq!(ttl, (starts_at - app.now().as_ms()).min(DAY_MS) / 1_000);
    assert!(call.bytes.len() <= 4096, "no service must take more");
    assert!(!call.body.contains("Nikki"), "the service reads nothing");

    let claims = &read["claims"];
    assert_eq!(claims["aud"], service.url.trim_end_matches("/hook"));
    assert_eq!(claims["sub"], "mailto:bookings@example.com");
    let left_s = claims["exp"].as_i64().expect("seconds") - app.now().as_ms() / 1_000;
    assert!((1..=86_400).contains(&left_s), "{left_s}");
    assert_eq!(read["key"], app.app.desk.vapid.public(), "the key that browsers subscribe for");

    let page = mike.get("/console/notifications").await.expect(200).body;
    assert!(page.contains("Chrome on Linux") && page.contains(&app.app.desk.vapid.public()));
    assert!(!page.contains("/hook/one"), "the address is a secret");
    let kept = app.rows("select sealed_endpoint, sealed_auth from push_devices").await;
    let kept: Vec<String> = kept.iter().map(|row| row.get("sealed_endpoint").expect("a text")).collect();
    assert!(kept.iter().all(|text| !text.contains("hook")), "{kept:?}");
    service.stop().await;
}

#[tokio::test]
async fn a_browser_that_is_gone_is_forgotten_and_one_that_cannot_be_reached_is_tried_until_it_is_too_late() {
    let service = Hook::start().await;
    let (app, _folder) = app("rules: []\n").await;
    hire(&app, MIKE, Role::Sdr).await;
    let mike = log_in(&app, MIKE).await;
    let browser = Browser::new(&service.url, "one");
    browser.subscribe(&mike).await;

    service.answer(503);
    book(&app, "nikki@acme.example").await;
    app.run_jobs().await;
    assert_eq!(service.calls().len(), 1);
    app.later(2 * MINUTE_MS).await;
    assert!(service.calls().len() >= 2, "tried again");
    while app.rows("select id from jobs where state = 'ready' and target like 'push:%'").await.len() == 1 {
        app.later(HOUR_MS).await;
    }
    let over = app.rows("select state, last_error from jobs where target like 'push:%'").await;
    assert_eq!(over[0].get::<String>("state").expect("a word"), "dropped");
    assert_eq!(app.count("push_devices").await, 1);

    service.answer(410);
    book(&app, "pam@acme.example").await;
    app.run_jobs().await;
    assert_eq!(app.count("push_devices").await, 0, "the service does not know it any more");
    let told = service.calls().len();
    book(&app, "sue@acme.example").await;
    app.run_jobs().await;
    assert_eq!(service.calls().len(), told);
    assert_eq!(app.rows("select id from jobs where state = 'dead'").await.len(), 0, "nobody has to look");
    service.stop().await;
}

#[tokio::test]
async fn who_logs_out_gets_nothing_there_and_nobody_touches_anothers_browser() {
    let service = Hook::start().await;
    let (app, _folder) = app("rules: []\n").await;
    hire(&app, MIKE, Role::Sdr).await;
    hire(&app, "ana@faro.example", Role::Ae).await;
    let (mike, ana) = (log_in(&app, MIKE).await, log_in(&app, "ana@faro.example").await);
    let browser = Browser::new(&service.url, "one");
    let id = browser.subscribe(&mike).await;

    for path in [format!("/console/push/{id}/remove"), format!("/console/push/{id}/test")] {
        ana.submit(&path, &[]).await.expect(404);
    }
    ana.submit("/console/push/leave", &[("endpoint", &browser.endpoint)]).await.expect(204);
    assert_eq!(app.count("push_devices").await, 1);
    mike.submit(&format!("/console/push/{id}/test"), &[]).await.expect(303);
    assert_eq!(browser.read(&service.calls()[0])["said"]["title"], "Notices come to this browser");
    service.answer(400);
    mike.submit(&format!("/console/push/{id}/test"), &[]).await.expect(502);
    service.answer(201);

    mike.submit(&format!("/console/push/{id}/remove"), &[]).await.expect(303);
    assert_eq!(app.count("push_devices").await, 0);
    browser.subscribe(&mike).await;
    mike.submit("/console/push/leave", &[("endpoint", &browser.endpoint)]).await.expect(204);
    assert_eq!(app.count("push_devices").await, 0);
    browser.subscribe(&mike).await;
    mike.submit("/console/logout", &[]).await.expect(303);
    assert_eq!(app.count("push_devices").await, 0, "the browser may be another's next");
    service.stop().await;
}

#[tokio::test]
async fn what_is_no_subscription_or_leads_inside_is_refused_and_only_our_own_pages_may_ask() {
    let app = TestApp::start().await;
    hire(&app, MIKE, Role::Sdr).await;
    let mike = log_in(&app, MIKE).await;
    let keys = python_says("push_read.py new", b"");
    let (point, auth) = (keys["p256dh"].as_str().expect("a key"), keys["auth"].as_str().expect("a key"));
    for (endpoint, point, status) in [
        ("https://10.0.0.1/push", point, 422),
        ("http://push.example/x", "AAAA", 422),
        ("javascript:alert(1)", point, 422),
        ("https://127.0.0.1:6379/", point, 422),
    ] {
        let fields = [("endpoint", endpoint), ("p256dh", point), ("auth", auth)];
        mike.submit("/console/push", &fields).await.expect(status);
    }
    let right = [("endpoint", "https://push.example/x"), ("p256dh", point), ("auth", auth)];
    mike.with("x-csrf-token", "another").submit("/console/push", &right).await.expect(403);
    mike.with("sec-fetch-site", "cross-site").submit("/console/push", &right).await.expect(403);
    assert_eq!(app.count("push_devices").await, 0);
    for number in 0..20 {
        let endpoint = format!("https://push.example/{number}");
        let fields = [("endpoint", endpoint.as_str()), ("p256dh", point), ("auth", auth)];
        mike.submit("/console/push", &fields).await.expect(200);
    }
    mike.submit("/console/push", &right).await.expect(422);

    let worker = mike.get("/console/push.js").await.expect(200);
    assert_eq!(worker.header("service-worker-allowed"), "/console");
    assert!(
        worker.header("content-type").starts_with("text/javascript"),
        "{}",
        worker.header("content-type")
    );
    assert!(worker.body.contains("showNotification"));
    assert_eq!(app.get("/console/push.js").await.status, 303, "it is the console's");
}

#[tokio::test]
async fn rules_say_who_else_is_told_and_at_night_what_can_wait_does() {
    let service = Hook::start().await;
    let (app, _folder) =
        app("push: []\nrules:\n  - {on: [booking_confirmed], to: [\"role:ae\"], by: [push]}\n\
         quiet: {hours: \"20:00-08:00\", zone: Europe/Madrid}\n")
        .await;
    hire(&app, MIKE, Role::Sdr).await;
    hire(&app, "ana@faro.example", Role::Ae).await;
    let (mike, ana) = (log_in(&app, MIKE).await, log_in(&app, "ana@faro.example").await);
    Browser::new(&service.url, "mike").subscribe(&mike).await;
    let browser = Browser::new(&service.url, "ana");
    browser.subscribe(&ana).await;
    book(&app, "nikki@acme.example").await;
    app.run_jobs().await;
    let paths = || service.calls().into_iter().map(|call| call.path).collect::<Vec<_>>();
    assert_eq!(paths(), ["/hook/ana"], "whom the rule names, and nobody else");

    // Nine in the evening in Madrid.
    app.later(11 * HOUR_MS).await;
    book(&app, "pam@acme.example").await;
    app.run_jobs().await;
    assert_eq!(paths().len(), 1);
    app.later(11 * HOUR_MS).await;
    assert_eq!(paths().len(), 2, "in the morning");

    let mut tx = app.app.stores.db.begin().await.expect("begins");
    accounts::disable(&mut tx, "ana@faro.example", app.now()).await.expect("shut out");
    tx.commit().await.expect("commits");
    book(&app, "sue@acme.example").await;
    app.run_jobs().await;
    assert_eq!(paths().len(), 2, "who is shut out hears of nothing");
    service.stop().await;
}

#[tokio::test]
async fn the_keys_stay_over_a_restart_and_are_made_anew_with_another_secret() {
    let (app, _folder) = app("rules: []\n").await;
    hire(&app, MIKE, Role::Sdr).await;
    let mike = log_in(&app, MIKE).await;
    Browser::new("http://127.0.0.1:9", "one").subscribe(&mike).await;
    let public = app.app.desk.vapid.public();
    let again = app.started_again().await.expect("it starts");
    assert_eq!(again.app.desk.vapid.public(), public);
    assert_eq!(app.count("push_devices").await, 1);
    let kept = app.rows("select body from kept_texts where name = 'vapid'").await;
    assert!(kept[0].get::<String>("body").expect("a text").starts_with("1."), "sealed");

    let mut config = app.app.config.clone();
    config.server.secret = Secret::new("another secret of the tests, forty characters");
    let other = App::build(config, app.clock.clone()).await.unwrap_or_else(|error| panic!("{error:#}"));
    assert_ne!(other.desk.vapid.public(), public);
    assert_eq!(app.count("push_devices").await, 0, "nobody can send to them any more");
}
