//! Webinars: registration, attendance, who missed it, and how much of a recording was seen.

use embudo::accounts::Role;
use embudo::base::ids::{ContactId, VisitorId};
use embudo::base::time::{DAY_MS, MINUTE_MS, SECOND_MS, Timestamp};
use embudo::stages;
use embudo::webinars::{self, State, Watching};
use serde_json::{Value, json};

use crate::console::agent;
use crate::gates::{contact, filled, hidden, submit, with_fixtures};
use crate::people::{merge, unmerge};
use crate::support::answer::Answer;
use crate::support::app::{TestApp, repository, set};

const WEBINAR: &str = "reading-culture";
const KEY: &str = "the api key of the tests, long enough";

async fn start() -> TestApp {
    TestApp::start_with(|settings| {
        with_fixtures(settings);
        set(settings, "api", "keys", vec![KEY]);
    })
    .await
}

fn starts_at(app: &TestApp) -> Timestamp {
    app.app.webinars.find(WEBINAR).expect("it is a fixture").starts_at
}

/// Moves the clock to so many minutes after the webinar's end.
fn after_the_end(app: &TestApp, minutes: i64) {
    let end = app.app.webinars.find(WEBINAR).expect("it is a fixture").ends_at();
    app.clock.advance(end.plus_ms(minutes * MINUTE_MS).since_ms(app.now()));
}

async fn state(app: &TestApp, email: &str) -> Option<State> {
    let (id, _) = contact(app, email).await;
    let found = webinars::registration(&mut app.app.stores.db.read(), WEBINAR, id).await.expect("read");
    found.map(|found| found.state)
}

async fn close_due(app: &TestApp) -> usize {
    let app = &app.app;
    webinars::close_due(&app.stores.db, &app.lifecycle, &app.webinars, app.clock.now()).await.expect("closed")
}

async fn attendance(app: &TestApp, list: &str) -> Answer {
    let client = app.client.with("authorization", &format!("Bearer {KEY}"));
    let body = Some(("text/csv", list.as_bytes().to_vec()));
    client.send(reqwest::Method::POST, &format!("/api/v1/webinars/{WEBINAR}/attendance"), body).await
}

async fn events(app: &TestApp, kind: &str) -> usize {
    let rows = app.rows("select kind from events").await;
    rows.iter().filter(|row| row.get::<String>("kind").expect("a text") == kind).count()
}

#[tokio::test]
async fn registering_makes_an_mql_and_the_explanation_names_the_rule_and_the_event() {
    let app = start().await;
    let nikki = app.visitor();
    submit(&nikki, "white-paper", "nikki@acme.example").await;
    submit(&nikki, "webinar", "nikki@acme.example").await;
    let (id, stage) = contact(&app, "nikki@acme.example").await;
    assert_eq!((stage.as_str(), state(&app, "nikki@acme.example").await), ("mql", Some(State::Registered)));
    let explained = stages::explain(&mut app.app.stores.db.read(), &app.app.lifecycle, id, app.now()).await;
    let explained = explained.expect("explained");
    assert_eq!(explained.stage.rule, "mql.webinar");
    let evidence = &explained.stage.grounds.activities[0];
    assert_eq!((evidence.kind.as_str(), evidence.subject.as_deref()), ("webinar.registered", Some(WEBINAR)));
    assert_eq!(evidence.at, app.now());
}

#[tokio::test]
async fn registering_twice_is_registering_once() {
    let app = start().await;
    let nikki = app.visitor();
    submit(&nikki, "webinar", "nikki@acme.example").await;
    submit(&nikki, "webinar", "nikki@acme.example").await;
    assert_eq!((app.count("webinar_registrations").await, events(&app, "webinar_registered").await), (1, 1));
}

#[tokio::test]
async fn the_page_registers_without_a_script_and_offers_the_calendar() {
    let app = start().await;
    let page = app.get(&format!("/w/{WEBINAR}?lang=en")).await.expect(200);
    assert!(page.body.contains("A reading culture in 90 days"));
    let nonce = hidden(&page.body, "nonce");
    app.clock.advance(3_000);
    let path = format!("/w/{WEBINAR}");
    let wrong =
        app.client.submit(&path, &[("email", "nikki"), ("nonce", &nonce), ("lang", "en")]).await.expect(422);
    assert!(wrong.body.contains("has no @"), "{}", wrong.body);
    let nonce = hidden(&wrong.body, "nonce");
    app.clock.advance(3_000);
    let done =
        app.client.submit(&path, &[("email", "nikki@acme.example"), ("nonce", &nonce), ("lang", "en")]).await;
    let done = done.expect(200);
    assert!(done.body.contains("Your seat is saved"), "{}", done.body);
    assert_eq!(state(&app, "nikki@acme.example").await, Some(State::Registered));

    let entry = app.get(&format!("/w/{WEBINAR}/calendar.ics?lang=en")).await.expect(200);
    assert!(entry.header("content-type").starts_with("text/calendar"));
    for line in ["DTSTART:20261203T150000Z", "DTEND:20261203T154500Z", "SUMMARY:A reading culture in 90 days"]
    {
        assert!(entry.body.contains(line), "{line}\n{}", entry.body);
    }
    assert!(!entry.body.contains("meet.example"), "the link to join goes by mail only");
}

#[tokio::test]
async fn an_invitation_registers_with_one_click_and_never_by_being_opened() {
    let app = start().await;
    submit(&app.visitor(), "white-paper", "nikki@acme.example").await;
    let (id, _) = contact(&app, "nikki@acme.example").await;
    let webinar = app.app.webinars.find(WEBINAR).expect("it is a fixture");
    let token = webinars::invitation(&app.app.keys, webinar, id, app.now());
    let page = app.get(&format!("/w/{WEBINAR}?t={token}")).await.expect(200);
    assert!(!page.body.contains("name=\"email\"") && !page.body.contains("nikki@"), "{}", page.body);
    assert_eq!(state(&app, "nikki@acme.example").await, None);
    app.client.submit(&format!("/w/{WEBINAR}"), &[("t", &token)]).await.expect(200);
    assert_eq!(state(&app, "nikki@acme.example").await, Some(State::Registered));
    app.client.submit(&format!("/w/{WEBINAR}"), &[("t", "forged")]).await.expect(404);
}

#[tokio::test]
async fn nobody_registers_for_what_is_over() {
    let app = start().await;
    let body = filled(&app.visitor(), "webinar", "late@acme.example").await;
    after_the_end(&app, 0);
    let before = app.census().await;
    // The nonce is older than a day by now; a fresh page is no better.
    app.post("/v1/forms/webinar", &body).await.expect_problem(422, "form.nonce_invalid");
    let body = filled(&app.visitor(), "webinar", "late@acme.example").await;
    app.post("/v1/forms/webinar", &body).await.expect_problem(409, "webinar.over");
    let page = app.get(&format!("/w/{WEBINAR}?lang=en")).await.expect(200);
    assert!(page.body.contains("This webinar is over"), "{}", page.body);
    assert_eq!(app.census().await, before);
}

#[tokio::test]
async fn whoever_did_not_come_is_a_no_show_after_the_end_and_its_grace_and_not_before() {
    let app = start().await;
    submit(&app.visitor(), "webinar", "nikki@acme.example").await;
    submit(&app.visitor(), "webinar", "ana@acme.example").await;
    assert_eq!(close_due(&app).await, 0);
    after_the_end(&app, 1);
    attendance(&app, "email,minutes\nana@acme.example,44\n").await.expect(200);
    after_the_end(&app, 29);
    assert_eq!(close_due(&app).await, 0);
    after_the_end(&app, 30);
    assert_eq!(close_due(&app).await, 1);
    assert_eq!(close_due(&app).await, 0, "only once");
    assert_eq!(state(&app, "nikki@acme.example").await, Some(State::NoShow));
    assert_eq!(state(&app, "ana@acme.example").await, Some(State::Attended));
    assert_eq!((events(&app, "webinar_missed").await, events(&app, "webinar_attended").await), (1, 1));
}

#[tokio::test]
async fn the_same_attendance_twice_changes_nothing_and_unknown_addresses_are_told_by_line() {
    let app = start().await;
    submit(&app.visitor(), "webinar", "nikki@acme.example").await;
    after_the_end(&app, 5);
    let list = "email;minutes\nnikki@acme.example;41\nnobody@acme.example;12\nnonsense;3\n";
    let first = attendance(&app, list).await.expect_json(200);
    assert_eq!((&first["attended"], &first["unchanged"]), (&json!(1), &json!(0)));
    let lines: Vec<&Value> =
        first["unknown"].as_array().expect("a list").iter().map(|one| &one["line"]).collect();
    assert_eq!(lines, [&json!(3), &json!(4)]);
    let after_one = app.census().await;
    let second = attendance(&app, list).await.expect_json(200);
    assert_eq!((&second["attended"], &second["unchanged"]), (&json!(0), &json!(1)));
    assert_eq!(app.census().await, after_one);
}

#[tokio::test]
async fn nobody_has_attended_what_has_not_begun() {
    let app = start().await;
    submit(&app.visitor(), "webinar", "ana@acme.example").await;
    let before = app.census().await;
    let list = "email,minutes\nana@acme.example,44\n";
    attendance(&app, list).await.expect_problem(409, "webinar.not_begun");
    assert_eq!(app.census().await, before);
    assert_eq!(state(&app, "ana@acme.example").await, Some(State::Registered));
}

#[tokio::test]
async fn attendance_that_comes_late_makes_a_no_show_an_attendee() {
    let app = TestApp::start_with(|settings| {
        with_fixtures(settings);
        set(settings, "api", "keys", vec![KEY]);
        set(settings, "definitions", "segments", repository("config/segments.yaml").display().to_string());
    })
    .await;
    submit(&app.visitor(), "webinar", "nikki@acme.example").await;
    after_the_end(&app, 31);
    assert_eq!(close_due(&app).await, 1);
    app.run_jobs().await;
    let missed = async || {
        app.rows("select contact_id from segment_states where segment = 'missed_webinar' and is_member = 1")
            .await
            .len()
    };
    assert_eq!((no_shows(&app).await, missed().await), (1, 1));
    attendance(&app, "[{\"email\": \"nikki@acme.example\", \"minutes\": 12.5}]").await.expect(200);
    assert_eq!(state(&app, "nikki@acme.example").await, Some(State::Attended));
    app.run_jobs().await;
    assert_eq!((no_shows(&app).await, missed().await), (0, 0), "nothing counts as missed any more");
}

#[tokio::test]
async fn attendance_needs_a_key_and_a_list() {
    let app = start().await;
    let path = format!("/api/v1/webinars/{WEBINAR}/attendance");
    app.post(&path, &json!([])).await.expect_problem(401, "api.key_unknown");
    let wrong = app.client.with("authorization", "Bearer another key");
    wrong.post(&path, &json!([])).await.expect_problem(401, "api.key_unknown");
    let before = app.census().await;
    let spreadsheet =
        attendance(&app, "PK\u{3}\u{4}\0\0").await.expect_problem(422, "webinar.list_unreadable");
    assert!(spreadsheet["detail"].as_str().expect("words").contains("export the list as CSV"));
    attendance(&app, "{\"people\": 3}").await.expect_problem(422, "webinar.list_unreadable");
    attendance(&app, "hello").await.expect_problem(422, "webinar.list_unreadable");
    let client = app.client.with("authorization", &format!("Bearer {KEY}"));
    client
        .post("/api/v1/webinars/nothing/attendance", &json!([]))
        .await
        .expect_problem(404, "webinar.unknown");
    assert_eq!(app.census().await, before);
}

#[tokio::test]
async fn what_was_seen_is_the_union_and_each_threshold_counts_once() {
    let app = start().await;
    let nikki = app.visitor();
    submit(&nikki, "webinar", "nikki@acme.example").await;
    let (id, _) = contact(&app, "nikki@acme.example").await;
    let (_, recording) = app.app.webinars.recording("reading-culture-short").expect("it is a fixture");
    let length = recording.duration_s;
    let watch = async |ranges: &[(f64, f64)]| {
        let report = Watching {
            recording: "reading-culture-short",
            visitor: Some(VisitorId::parse(&nikki.id).expect("an id")),
            contact: Some(id),
            ranges,
        };
        app.clock.advance(MINUTE_MS);
        let mut tx = app.app.stores.db.begin().await.expect("begins");
        let percent = webinars::watch(&mut tx, &app.app.lifecycle, &app.app.webinars, &report, app.now())
            .await
            .expect("noted");
        tx.commit().await.expect("commits");
        percent
    };
    assert_eq!(watch(&[(length * 0.9, length)]).await, 10, "jumping to the end is not watching");
    assert_eq!(watch(&[(0.0, length * 0.3)]).await, 40);
    assert_eq!(watch(&[(0.0, length * 0.3)]).await, 40, "the same part twice counts once");
    assert_eq!(events(&app, "recording_watched").await, 1);
    assert_eq!(watch(&[(length * 0.2, length * 0.6)]).await, 70);
    let rows =
        app.rows("select props from activities where kind = 'recording.watched' order by at, id").await;
    let passed: Vec<i64> = rows
        .iter()
        .map(|row| row.json::<Value>("props").expect("JSON")["percent"].as_i64().expect("a number"))
        .collect();
    assert_eq!(passed, [25, 50, 60]);
    assert_eq!(events(&app, "recording_watched").await, 3);
}

#[tokio::test]
async fn an_invitation_to_what_is_over_leads_to_the_recording() {
    let app = start().await;
    submit(&app.visitor(), "white-paper", "nikki@acme.example").await;
    let (id, _) = contact(&app, "nikki@acme.example").await;
    let webinar = app.app.webinars.find(WEBINAR).expect("it is a fixture");
    let token = webinars::invitation(&app.app.keys, webinar, id, app.now());
    assert!(starts_at(&app) > app.now());
    after_the_end(&app, 60);
    let page = app.get(&format!("/w/{WEBINAR}?t={token}&lang=en")).await.expect(200);
    assert!(page.body.contains("/watch/"), "{}", page.body);
    let page = app.get(&format!("/w/{WEBINAR}?lang=en")).await.expect(200);
    assert!(!page.body.contains("/watch/"));
}

/// Somebody was registered and did not come; the path of the page that her mail leads to.
async fn missed(app: &TestApp, email: &str) -> String {
    submit(&app.visitor(), "webinar", email).await;
    after_the_end(app, 60);
    assert_eq!(close_due(app).await, 1);
    let all = mails(app).await;
    let (_, text, _) = all.iter().find(|(template, ..)| template == "webinar_missed").expect("a mail");
    let link = text.split_whitespace().find(|word| word.contains("/watch/")).expect("a link");
    link.trim_start_matches(&app.url).to_owned()
}

/// The address of every player on a page.
fn players(page: &str) -> Vec<String> {
    let parts = page.split(" src=\"/r/").skip(1).filter_map(|rest| rest.split('"').next());
    parts.filter(|rest| !rest.contains(".vtt")).map(|rest| format!("/r/{rest}")).collect()
}

#[tokio::test]
async fn whoever_missed_it_is_led_by_mail_to_a_page_with_both_recordings() {
    let app = start().await;
    let path = missed(&app, "nikki@acme.example").await;
    let before = app.census().await;
    let page = app.get(&path).await.expect(200);
    let policy = page.header("content-security-policy");
    assert!(policy.contains("media-src 'self'"), "{policy}");
    let players = players(&page.body);
    assert_eq!(players.len(), 2, "{}", page.body);
    let short = page.body.find("reading-culture-short").expect("the short one");
    assert!(short < page.body.find("reading-culture-whole").expect("the whole one"));
    assert!(!page.body.contains("nikki"), "a mail is forwarded easily");
    let other = path.replace("lang=es", "lang=en");
    assert!(app.get(&other).await.expect(200).body.contains("Short version"));
    assert_eq!(app.census().await, before, "looking changes nothing");

    let token = path.trim_start_matches("/watch/").split('?').next().expect("a token").to_owned();
    app.get(&format!("/r/{token}")).await.expect_problem(404, "token.forged");
    app.get("/watch/nonsense").await.expect(404);
    let (id, _) = contact(&app, "nikki@acme.example").await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let whole = Some("reading-culture-whole");
    embudo::gates::unlock::revoke_all(&mut tx, Some(id), whole, app.now()).await.expect("taken back");
    tx.commit().await.expect("commits");
    app.clock.advance(MINUTE_MS);
    let left = app.get(&path).await.expect(200).body;
    assert!(left.contains("reading-culture-short") && !left.contains("reading-culture-whole"), "{left}");
    app.clock.advance(181 * DAY_MS);
    app.get(&path).await.expect(410);
}

#[tokio::test]
async fn what_is_watched_on_that_page_counts_for_the_person_of_the_link_and_not_faster_than_time() {
    let app = start().await;
    let path = missed(&app, "nikki@acme.example").await;
    let path = path.split('?').next().expect("a path");
    let seen = |from: f64, to: f64| json!({"recording": "reading-culture-short", "ranges": [[from, to]]});
    app.client.post(path, &seen(-5.0, 1e9)).await.expect(204);
    let percents = async || {
        let rows =
            app.rows("select props from activities where kind = 'recording.watched' order by at, id").await;
        let percent =
            |row: &embudo::storage::db::Row| row.json::<Value>("props").expect("JSON")["percent"].clone();
        rows.iter().map(percent).collect::<Vec<_>>()
    };
    assert_eq!(percents().await, [json!(25)], "of 96 seconds 30, not all");
    app.clock.advance(20 * SECOND_MS);
    app.client.post(path, &seen(30.0, 96.0)).await.expect(204);
    assert_eq!(percents().await, [json!(25), json!(50), json!(60)], "70 seconds");
    app.client.post(path, &json!({"recording": "another"})).await.expect_problem(404, "recording.unknown");
    app.client
        .with("origin", "https://evil.example")
        .post(path, &seen(0.0, 1.0))
        .await
        .expect_problem(403, "site.foreign_origin");
}

/// Everything that was mailed, as template and text, in order.
async fn mails(app: &TestApp) -> Vec<(String, String, Option<String>)> {
    app.run_jobs().await;
    let rows = app.rows("select template, text_body, calendar from mails order by sent_at, id").await;
    rows.iter()
        .map(|row| {
            let text = |column: &str| row.get::<String>(column).expect("a text");
            (text("template"), text("text_body"), row.get("calendar").expect("a text or nothing"))
        })
        .collect()
}

async fn templates(app: &TestApp) -> Vec<String> {
    mails(app).await.into_iter().map(|(template, ..)| template).collect()
}

/// The page of a mail on which one gives one's seat back.
fn place_in(app: &TestApp, text: &str) -> String {
    let link = text.split_whitespace().find(|word| word.contains("/place/")).expect("a link");
    link.trim_matches(['<', '>', '(', ')']).trim_start_matches(&app.url).to_owned()
}

fn before_it_begins(app: &TestApp, minutes: i64) {
    app.clock.advance(starts_at(app).plus_ms(-minutes * MINUTE_MS).since_ms(app.now()));
}

#[tokio::test]
async fn registrants_are_reminded_at_the_times_of_the_file_and_once_however_often_they_register() {
    let app = start().await;
    let nikki = app.visitor();
    submit(&nikki, "webinar", "nikki@acme.example").await;
    submit(&nikki, "webinar", "nikki@acme.example").await;
    assert_eq!(templates(&app).await, ["webinar_registered"]);
    before_it_begins(&app, 1_441);
    assert_eq!(templates(&app).await.len(), 1, "not before its time");
    before_it_begins(&app, 1_440);
    assert_eq!(templates(&app).await[1..], ["webinar_reminder"]);
    before_it_begins(&app, 60);
    let sent = mails(&app).await;
    assert_eq!(sent.len(), 3);
    assert!(sent[2].1.contains("https://meet.example/reading-culture"), "{}", sent[2].1);

    // Who registers half an hour before needs no reminder.
    before_it_begins(&app, 30);
    submit(&app.visitor(), "webinar", "late@acme.example").await;
    after_the_end(&app, -1);
    let sent = templates(&app).await;
    assert_eq!(sent[3..], ["webinar_registered"]);
}

#[tokio::test]
async fn a_seat_is_given_back_by_the_button_and_never_by_opening_the_link() {
    let app = start().await;
    submit(&app.visitor(), "webinar", "nikki@acme.example").await;
    let place = place_in(&app, &mails(&app).await[0].1);
    for _ in 0..3 {
        let page = app.get(&place).await.expect(200);
        assert!(!page.body.contains("nikki@"), "{}", page.body);
        app.client.send(reqwest::Method::HEAD, &place, None).await.expect(200);
    }
    assert_eq!(state(&app, "nikki@acme.example").await, Some(State::Registered));
    app.client.submit(&place, &[]).await.expect(200);
    assert_eq!(state(&app, "nikki@acme.example").await, Some(State::Cancelled));
    app.client.submit(&place, &[]).await.expect(200);
    assert_eq!(events(&app, "webinar_cancelled").await, 1, "once");
    let sent = mails(&app).await;
    assert_eq!(sent[1].0, "webinar_cancelled");
    let entry = sent[1].2.as_deref().expect("a calendar entry");
    assert!(
        entry.contains("METHOD:CANCEL") && entry.contains("UID:webinar-reading-culture@embudo"),
        "{entry}"
    );

    let other = webinars::place_link(
        &app.app.keys,
        app.app.webinars.find(WEBINAR).expect("a fixture"),
        contact(&app, "nikki@acme.example").await.0,
        app.now(),
    );
    app.get(&format!("/w/{WEBINAR}/place/x{other}")).await.expect(404);
    app.get(&format!("/w/nothing/place/{other}")).await.expect(404);

    // No reminder for who does not come; and whoever changes her mind has a seat again, and is reminded once.
    before_it_begins(&app, 1_440);
    assert_eq!(templates(&app).await.len(), 2);
    submit(&app.visitor(), "webinar", "nikki@acme.example").await;
    assert_eq!(state(&app, "nikki@acme.example").await, Some(State::Registered));
    assert_eq!(templates(&app).await[2..], ["webinar_registered"]);
    before_it_begins(&app, 60);
    assert_eq!(templates(&app).await[3..], ["webinar_reminder"]);
    after_the_end(&app, 1);
    app.client.submit(&place, &[]).await.expect(410);
}

#[tokio::test]
async fn a_webinar_that_is_called_off_is_told_to_everybody_and_takes_nobody_any_more() {
    let app = start().await;
    submit(&app.visitor(), "webinar", "nikki@acme.example").await;
    submit(&app.visitor(), "webinar", "pam@acme.example").await;
    app.run_jobs().await;
    let client = app.client.with("authorization", &format!("Bearer {KEY}"));
    let path = format!("/api/v1/webinars/{WEBINAR}/cancel");
    app.post(&path, &json!({})).await.expect_problem(401, "api.key_unknown");
    client.post("/api/v1/webinars/nothing/cancel", &json!({})).await.expect_problem(404, "webinar.unknown");
    let told = client.post(&path, &json!({"reason": "Nora está enferma."})).await.expect_json(200);
    assert_eq!(told["told"], 2);
    assert_eq!(client.post(&path, &json!({})).await.expect_json(200)["told"], 0, "once");
    let sent = mails(&app).await;
    assert_eq!(sent.iter().filter(|(template, ..)| template == "webinar_cancelled").count(), 2);
    let (_, text, entry) = sent.last().expect("a mail");
    assert!(text.contains("Nora está enferma."), "{text}");
    let entry = entry.as_deref().expect("a calendar entry");
    assert!(
        entry.contains("METHOD:CANCEL") && entry.contains("SEQUENCE:1") && entry.contains("STATUS:CANCELLED"),
        "{entry}"
    );

    let page = app.get(&format!("/w/{WEBINAR}?lang=en")).await.expect(200);
    assert!(page.body.contains("called off") && !page.body.contains("name=\"email\""), "{}", page.body);
    let late = filled(&app.visitor(), "webinar", "late@acme.example").await;
    app.post("/v1/forms/webinar", &late).await.expect_problem(409, "webinar.called_off");
    app.get(&format!("/w/{WEBINAR}/calendar.ics")).await.expect_problem(409, "webinar.called_off");
    before_it_begins(&app, 60);
    let count = mails(&app).await.len();
    after_the_end(&app, 60);
    assert_eq!(close_due(&app).await, 0, "nobody has missed what did not take place");
    assert_eq!(mails(&app).await.len(), count, "and nobody is reminded of it");
    attendance(&app, "nikki@acme.example,40\n").await.expect_problem(409, "webinar.called_off");
    assert_eq!(state(&app, "nikki@acme.example").await, Some(State::Cancelled));
    let begun = start().await;
    begun.clock.advance(starts_at(&begun).since_ms(begun.now()));
    let client = begun.client.with("authorization", &format!("Bearer {KEY}"));
    client.post(&path, &json!({})).await.expect_problem(409, "webinar.over");
}

#[tokio::test]
async fn registrants_of_a_webinar_that_was_moved_get_the_new_time_and_the_new_entry() {
    let app = start().await;
    submit(&app.visitor(), "webinar", "nikki@acme.example").await;
    let first = mails(&app).await;
    let entry = first[0].2.as_deref().expect("a calendar entry");
    assert!(entry.contains("METHOD:PUBLISH") && entry.contains("SEQUENCE:0"), "{entry}");

    // The next start finds another time in the file.
    let mut moved = (*app.app.webinars).clone();
    moved.webinars[0].starts_at = moved.webinars[0].starts_at.plus_ms(60 * MINUTE_MS);
    let follow =
        async |definition| webinars::follow(&app.app.stores.db, definition, app.now()).await.expect("noted");
    assert_eq!(follow(&app.app.webinars).await, 0, "nothing has changed");
    assert_eq!(follow(&moved).await, 1);
    assert_eq!(follow(&moved).await, 0, "once");
    assert_eq!(events(&app, "webinar_moved").await, 1);
    let webinar = &moved.webinars[0];
    let dates = webinars::dates(&mut app.app.stores.db.read(), webinar).await.expect("read");
    assert_eq!(dates.sequence, 1);
    let entry = webinars::calendar_file(webinar, &dates, embudo::base::language::Language::En, app.now());
    for line in ["UID:webinar-reading-culture@embudo", "SEQUENCE:1", "DTSTART:20261203T160000Z"] {
        assert!(entry.contains(line), "{line}\n{entry}");
    }
}

#[tokio::test]
async fn who_left_too_early_was_not_there_and_what_overlaps_counts_once() {
    let app = start().await;
    for name in ["nikki", "pam", "ana"] {
        submit(&app.visitor(), "webinar", &format!("{name}@acme.example")).await;
    }
    after_the_end(&app, 5);
    // 20 % of 45 minutes are nine.
    let list = "email,joined,left\n\
                nikki@acme.example,16:00,16:05\nnikki@acme.example,16:03,16:09\n\
                pam@acme.example,16:00,16:05\npam@acme.example,16:02,16:08\n\
                ana@acme.example,15:00,15:55\n";
    let first = attendance(&app, list).await.expect_json(200);
    assert_eq!((&first["attended"], &first["too_short"]), (&json!(1), &json!(2)), "{first}");
    let once = app.census().await;
    let second = attendance(&app, list).await.expect_json(200);
    assert_eq!((&second["attended"], &second["unchanged"]), (&json!(0), &json!(1)));
    assert_eq!(app.census().await, once);
    after_the_end(&app, 30);
    assert_eq!(close_due(&app).await, 2);
    assert_eq!(state(&app, "nikki@acme.example").await, Some(State::Attended));
    assert_eq!(state(&app, "pam@acme.example").await, Some(State::NoShow));
}

#[tokio::test]
async fn of_ten_thousand_rows_the_good_ones_are_taken_and_the_bad_ones_told_by_their_lines() {
    let app = start().await;
    for n in 0..20 {
        submit(&app.visitor(), "webinar", &format!("n{n}@acme{n}.example")).await;
    }
    after_the_end(&app, 5);
    let mut list = String::from("name,email,minutes\n");
    let mut bad = Vec::new();
    for n in 0..10_000 {
        let line = n + 2;
        match n {
            _ if n % 500 == 0 => {
                list.push_str(&format!("\"Ruiz, Ana\",n{}@acme{}.example,40\n", n / 500, n / 500))
            }
            _ if n % 100 == 7 => {
                bad.push(line);
                list.push_str("Nobody,not an address,12\n");
            }
            _ if n % 100 == 9 => {
                bad.push(line);
                list.push_str(&format!("Somebody,m{n}@acme.example,long\n"));
            }
            _ => list.push_str(&format!("Somebody,m{n}@acme.example,12\n")),
        }
    }
    let first = attendance(&app, &list).await.expect_json(200);
    assert_eq!((&first["attended"], &first["unchanged"]), (&json!(20), &json!(0)));
    let told = first["unknown"].as_array().expect("a list");
    let unreadable: Vec<u64> = told
        .iter()
        .filter(|one| one["reason"] != "no contact has this address")
        .map(|one| one["line"].as_u64().expect("a line"))
        .collect();
    assert_eq!(unreadable, bad);
    assert_eq!(told.len(), 10_000 - 20, "every line that did nothing is told");
    let once = app.census().await;
    let second = attendance(&app, &list).await.expect_json(200);
    assert_eq!((&second["attended"], &second["unchanged"]), (&json!(0), &json!(20)));
    assert_eq!(app.census().await, once, "the second import changes nothing");
}

#[tokio::test]
async fn what_somebody_saw_on_two_devices_is_one_union_and_is_told_only_where_she_is_confirmed() {
    let app = start().await;
    let (phone, laptop) = (app.visitor(), app.visitor());
    submit(&phone, "webinar", "nikki@acme.example").await;
    submit(&laptop, "webinar", "nikki@acme.example").await;
    let (id, _) = contact(&app, "nikki@acme.example").await;
    let watch = async |device: &str, ranges: &[(f64, f64)]| {
        let visitor = Some(VisitorId::parse(device).expect("an id"));
        app.clock.advance(MINUTE_MS);
        let report = Watching { recording: "reading-culture-short", visitor, contact: Some(id), ranges };
        let mut tx = app.app.stores.db.begin().await.expect("begins");
        let percent =
            webinars::watch(&mut tx, &app.app.lifecycle, &app.app.webinars, &report, app.now()).await;
        tx.commit().await.expect("commits");
        percent.expect("noted")
    };
    // Both players have been open for a while.
    for device in [&phone.id, &laptop.id] {
        assert_eq!(watch(device, &[]).await, 0);
    }
    // Of 96 seconds.
    assert_eq!(watch(&phone.id, &[(0.0, 38.4)]).await, 40);
    assert_eq!(events(&app, "recording_watched").await, 1, "25 %");
    assert_eq!(watch(&laptop.id, &[(28.8, 67.2)]).await, 40, "what this device has seen");
    let rows =
        app.rows("select props from activities where kind = 'recording.watched' order by at, id").await;
    let passed: Vec<Value> =
        rows.iter().map(|row| row.json::<Value>("props").expect("JSON")["percent"].clone()).collect();
    assert_eq!(passed, [json!(25), json!(50), json!(60)], "70 % together, each threshold once");

    let device = VisitorId::parse(&laptop.id).expect("an id");
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let confirmed = embudo::contacts::Trust::Confirmed;
    embudo::contacts::raise_trust(&mut tx, device, id, confirmed, app.now()).await.expect("raised");
    tx.commit().await.expect("commits");
    assert_eq!(watch(&laptop.id, &[]).await, 70);
    assert_eq!(events(&app, "recording_watched").await, 3);
}

const WORK: &str = "nikki@acme.example";
const HOME: &str = "nikki@home.example";

/// Nikki registered at work and at home, and a person says that she is one.
async fn registered_twice(app: &TestApp) -> (ContactId, ContactId) {
    submit(&app.visitor(), "webinar", WORK).await;
    app.clock.advance(MINUTE_MS);
    submit(&app.visitor(), "webinar", HOME).await;
    app.run_jobs().await;
    let (work, home) = (contact(app, WORK).await.0, contact(app, HOME).await.0);
    merge(app, work, home).await;
    app.run_jobs().await;
    (work, home)
}

async fn no_shows(app: &TestApp) -> usize {
    app.rows("select id from activities where kind = 'webinar.no_show'").await.len()
}

#[tokio::test]
async fn who_is_two_contacts_in_one_is_one_registrant_and_once_they_are_two_again_so_are_their_seats() {
    let app = start().await;
    let (work, home) = registered_twice(&app).await;
    assert_eq!(templates(&app).await, ["webinar_registered", "webinar_registered"], "before they were one");
    before_it_begins(&app, 60);
    let sent = templates(&app).await;
    assert_eq!(sent[2..], ["webinar_reminder"], "one of the two, though each has her own");
    after_the_end(&app, 31);
    assert_eq!(close_due(&app).await, 1, "one person missed it");
    assert_eq!(close_due(&app).await, 0, "once");
    assert_eq!(templates(&app).await[3..], ["webinar_missed"]);
    assert_eq!(no_shows(&app).await, 1, "what segments and scores go by");
    let reads = &mut app.app.stores.db.read();
    assert_eq!(
        (state(&app, WORK).await, state(&app, HOME).await),
        (Some(State::NoShow), Some(State::NoShow))
    );
    assert_eq!(webinars::registrations(reads, work).await.expect("read").len(), 1);
    let report = async || {
        let client = app.client.with("authorization", &format!("Bearer {KEY}"));
        client.get("/api/v1/reports/webinars").await.expect_json(200)
    };
    let told = report().await;
    assert_eq!((&told["total"]["registered"], &told["total"]["no_show"]), (&json!(1), &json!(1)), "{told}");
    let viewer = agent(&app, Role::Viewer).await;
    let page = viewer.sees(&format!("/console/content/webinars/{WEBINAR}")).await;
    assert_eq!(page.matches(&format!("/console/contacts/{work}\"")).count(), 1, "listed once");

    // Each is asked about for herself again, and nobody of what the other was told.
    unmerge(&app, home).await;
    assert_eq!(close_due(&app).await, 1, "the other one missed it, too");
    assert_eq!(
        (state(&app, WORK).await, state(&app, HOME).await),
        (Some(State::NoShow), Some(State::NoShow))
    );
    assert_eq!(templates(&app).await[4..], ["webinar_missed"]);
    let told = report().await;
    assert_eq!((&told["total"]["registered"], &told["total"]["no_show"]), (&json!(2), &json!(2)), "{told}");
}

#[tokio::test]
async fn whoever_came_under_one_of_her_addresses_has_missed_nothing_under_the_other() {
    let app = start().await;
    let (_, home) = registered_twice(&app).await;
    after_the_end(&app, 5);
    let list = format!("email,minutes\n{HOME},44\n");
    let first = attendance(&app, &list).await.expect_json(200);
    assert_eq!((&first["attended"], &first["unchanged"]), (&json!(1), &json!(0)));
    after_the_end(&app, 31);
    assert_eq!(close_due(&app).await, 0, "she was there");
    assert_eq!(state(&app, WORK).await, Some(State::Attended));
    app.run_jobs().await;
    assert!(!templates(&app).await.contains(&"webinar_missed".to_owned()));
    assert_eq!(no_shows(&app).await, 0, "so she is in no segment of those who missed it");
    // On the list with both addresses she was there once.
    let both = format!("email,minutes\n{HOME},44\n{WORK},44\n");
    let again = attendance(&app, &both).await.expect_json(200);
    assert_eq!((&again["attended"], &again["unchanged"]), (&json!(0), &json!(2)));
    assert_eq!(events(&app, "webinar_attended").await, 1);
    unmerge(&app, home).await;
    app.run_jobs().await;
    assert_eq!(
        (state(&app, WORK).await, state(&app, HOME).await),
        (Some(State::Attended), Some(State::Attended))
    );
}

#[tokio::test]
async fn who_gives_her_seat_back_gives_it_back_under_both_addresses_and_calling_off_is_told_her_once() {
    let app = start().await;
    let (work, home) = registered_twice(&app).await;
    let place = place_in(&app, &mails(&app).await[0].1);
    app.client.submit(&place, &[]).await.expect(200);
    assert_eq!(
        (state(&app, WORK).await, events(&app, "webinar_cancelled").await),
        (Some(State::Cancelled), 1)
    );
    before_it_begins(&app, 60);
    assert_eq!(templates(&app).await[2..], ["webinar_cancelled"]);
    unmerge(&app, home).await;
    submit(&app.visitor(), "webinar", WORK).await;
    submit(&app.visitor(), "webinar", HOME).await;
    merge(&app, work, home).await;
    app.run_jobs().await;
    let client = app.client.with("authorization", &format!("Bearer {KEY}"));
    let told = client.post(&format!("/api/v1/webinars/{WEBINAR}/cancel"), &json!({})).await.expect_json(200);
    assert_eq!(told["told"], 1, "{told}");
    let sent = templates(&app).await;
    assert_eq!(sent.iter().filter(|mail| *mail == "webinar_cancelled").count(), 2, "{sent:?}");
}
