//! Nothing is free: whoever leaves her address is told once, when a time opens, and not the whole list for one time.

use embudo::base::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use serde_json::json;

use crate::chat::Widget;
use crate::support::app::{TestApp, set};

/// A conversation that books.
const FLOW: &str = "flow: times
title: Times
languages: [en]
trigger: {when: opened}
vars: {email: {type: email}}
defaults: {retries: 1, exhausted: bye, timeout: {after: 5m, goto: bye}}
events: {human_requested: bye, stop_requested: bye}
steps:
  email: {ask: Who are you?, var: email}
  time:
    book: {meeting: call, within: 10d, offer: 3, waiting_list: true}
    ask: Which time?
    outcomes: {booked: booked, none_fit: bye, unavailable: bye}
  booked: {say: It is booked., end: booked}
  bye: {say: Until then., end: paused}
";

/// One rep with two times: Tuesday at nine and at half past nine, in Madrid; a test begins on Monday at ten.
async fn app() -> TestApp {
    let text = "
reps:
  - {id: ana, name: Ana Ruiz, account: ana@faro.example, zone: Europe/Madrid, languages: [en, es], role: sdr, hours: {tuesday: 09:00-10:00}}
meetings:
  - {id: call, title: {en: A call, es: Una llamada}, description: A call, location: here, duration: 30m, interval: 30m, notice: 0m, window: 5d, reps: [ana]}
";
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("team.yaml");
    std::fs::write(&file, text).expect("written");
    std::fs::create_dir(folder.path().join("flows")).expect("a folder");
    std::fs::write(folder.path().join("flows/times.yaml"), FLOW).expect("written");
    TestApp::start_with(|settings| {
        for key in ["per_minute", "burst", "slots_per_minute", "slots_burst"] {
            set(settings, "bookings", key, 1_000_000);
        }
        set(settings, "definitions", "team", file.display().to_string());
        set(settings, "definitions", "flows", folder.path().join("flows").display().to_string());
    })
    .await
}

fn tuesday(clock: &str) -> i64 {
    format!("2026-11-24T{clock}:00+01:00").parse::<jiff::Timestamp>().expect("an instant").as_millisecond()
}

/// Books, and answers with the link that can do everything.
async fn book(app: &TestApp, clock: &str, name: &str) -> String {
    let wish = json!({
        "site": "faro", "meeting": "call", "starts_at": tuesday(clock), "zone": "Europe/Madrid", "language": "en",
        "name": name, "email": format!("{name}@acme.example"),
    });
    let booked = app.post("/v1/bookings", &wish).await.expect_json(201);
    booked["manage"].as_str().expect("a path").to_owned()
}

async fn waits(app: &TestApp, name: &str) {
    let email = format!("{name}@acme.example");
    let fields =
        [("email", email.as_str()), ("lang", "es"), ("shown_zone", "Europe/Madrid"), ("site", "faro")];
    let put = app.client.submit("/book/call/wait", &fields).await.expect(303);
    let page = app.get(put.header("location")).await.expect(200).body;
    assert!(page.contains("Estás en la lista."), "{page}");
}

/// Who was told, and in which words.
async fn told(app: &TestApp) -> Vec<String> {
    let rows = app
        .rows("select recipient, text_body from mails where template = 'booking_opening' order by id")
        .await;
    rows.iter()
        .map(|row| {
            let text: String = row.get("text_body").expect("a text");
            assert!(text.contains("Una llamada") && text.contains("/book/call?lang=es"), "{text}");
            row.get::<String>("recipient").expect("a text")
        })
        .collect()
}

#[tokio::test]
async fn whoever_found_nothing_is_told_once_when_a_time_opens_first_come_first() {
    let app = app().await;
    let first = book(&app, "09:00", "paul").await;
    let second = book(&app, "09:30", "rosa").await;
    let page = app.get("/book/call?lang=en").await.expect(200).body;
    assert!(page.contains("/book/call/wait") && !page.contains("name=\"starts_at\""), "{page}");
    for name in ["nikki", "tom", "eve"] {
        waits(&app, name).await;
        app.clock.advance(MINUTE_MS);
    }
    // Twice is once, and keeps her place.
    waits(&app, "nikki").await;
    app.run_jobs().await;
    assert!(told(&app).await.is_empty(), "nothing is free");

    app.client.submit(&format!("{first}/cancel"), &[]).await.expect(303);
    for _ in 0..3 {
        app.run_jobs().await;
    }
    let one = told(&app).await;
    assert!(one.len() == 1 && one[0].contains("nikki@"), "one for one time: {one:?}");
    // The next are told when she had half an hour, or when there is another.
    app.later(31 * MINUTE_MS).await;
    app.client.submit(&format!("{second}/cancel"), &[]).await.expect(303);
    app.run_jobs().await;
    let all = told(&app).await;
    assert_eq!(all.len(), 3, "{all:?}");
    app.later(2 * HOUR_MS).await;
    app.run_jobs().await;
    assert_eq!(told(&app).await.len(), 3, "nobody is told twice");
}

/// Opens the chat, gives an address and comes to the times; the widget that did.
async fn in_chat(app: &TestApp, email: &str) -> Widget {
    let mut widget = Widget::open(app, None, Some("times")).await;
    widget.text(email).await;
    widget
}

#[tokio::test]
async fn the_chat_offers_to_tell_whoever_finds_nothing_and_whoever_finds_nothing_that_fits() {
    let app = app().await;
    // Both times are free, and none fits.
    let mut nikki = in_chat(&app, "nikki@acme.example").await;
    let question = nikki.question();
    nikki.say(json!({ "type": "slot", "question": question, "none_fit": true })).await;
    let question = nikki.question();
    assert!(question.ends_with(".wait"), "{question}");
    nikki.say(json!({ "type": "choice", "question": question, "choice": "yes" })).await;
    app.run_jobs().await;
    assert_eq!(app.count("opening_wishes").await, 1);
    assert!(opened(&app).await.is_empty(), "the times that did not fit are no news");
    // Nothing is free: the other one waits for any.
    let first = book(&app, "09:00", "paul").await;
    book(&app, "09:30", "rosa").await;
    let mut tom = in_chat(&app, "tom@acme.example").await;
    let question = tom.question();
    assert!(question.ends_with(".wait"), "{question}");
    tom.say(json!({ "type": "choice", "question": question, "choice": "yes" })).await;
    app.client.submit(&format!("{first}/cancel"), &[]).await.expect(303);
    for _ in 0..3 {
        app.run_jobs().await;
    }
    let told = opened(&app).await;
    assert!(told.len() == 1 && told[0].contains("tom@"), "{told:?}");
    // A week later there are other times, and they are news to her.
    app.later(5 * DAY_MS + 2 * HOUR_MS).await;
    app.run_jobs().await;
    let told = opened(&app).await;
    assert!(told.len() == 2 && told[1].contains("nikki@"), "{told:?}");
}

/// Who was told that a time is free.
async fn opened(app: &TestApp) -> Vec<String> {
    let rows = app.rows("select recipient from mails where template = 'booking_opening' order by id").await;
    rows.iter().map(|row| row.get("recipient").expect("a text")).collect()
}

#[tokio::test]
async fn nobody_is_told_at_night_nor_who_has_a_call_and_a_wish_ends_after_a_month() {
    let app = app().await;
    let first = book(&app, "09:00", "paul").await;
    let second = book(&app, "09:30", "rosa").await;
    waits(&app, "nikki").await;
    // Ten in the evening.
    app.clock.advance(12 * HOUR_MS);
    app.client.submit(&format!("{first}/cancel"), &[]).await.expect(303);
    app.run_jobs().await;
    assert!(told(&app).await.is_empty(), "at night");
    book(&app, "09:00", "nikki").await;
    app.client.submit(&format!("{second}/cancel"), &[]).await.expect(303);
    app.later(10 * HOUR_MS + 30 * MINUTE_MS).await;
    app.run_jobs().await;
    assert!(told(&app).await.is_empty(), "she has a call");
    app.later(31 * DAY_MS).await;
    app.run_jobs().await;
    assert!(told(&app).await.is_empty());
}

#[tokio::test]
async fn the_list_takes_addresses_alone_and_from_its_own_page_alone() {
    let app = app().await;
    book(&app, "09:00", "paul").await;
    book(&app, "09:30", "rosa").await;
    let wrong = [("email", "nobody"), ("lang", "en"), ("shown_zone", "Europe/Madrid")];
    let refused = app.client.submit("/book/call/wait", &wrong).await.expect(422).body;
    assert!(refused.contains("does not look like an e-mail address") && refused.contains("value=\"nobody\""));
    let fields = [("email", "nikki@acme.example"), ("lang", "en"), ("shown_zone", "Europe/Madrid")];
    app.client.with("sec-fetch-site", "cross-site").submit("/book/call/wait", &fields).await.expect(403);
    let robot = [fields.as_slice(), &[("website", "x")]].concat();
    app.client.submit("/book/call/wait", &robot).await.expect(403);
    app.client.submit("/book/nothing/wait", &fields).await.expect(404);
    app.get("/book/call/wait").await.expect(405);
    assert_eq!(app.count("opening_wishes").await, 0);
}
