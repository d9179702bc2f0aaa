//! What a company can say about its calls, seen through the doors: lengths, questions, limits, absences, who gets a call and
//! why, times that are kept, and requests that are repeated.

use embudo::base::ids::VisitorId;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::{TestApp, set};

fn on(date: &str, clock: &str) -> i64 {
    format!("{date}T{clock}:00+01:00").parse::<jiff::Timestamp>().expect("an instant").as_millisecond()
}

/// Tuesday 24 November 2026 by the clock of Madrid.
fn tuesday(clock: &str) -> i64 {
    on("2026-11-24", clock)
}

const ANA: &str = "id: ana, name: Ana, account: ana@faro.example, zone: Europe/Madrid, languages: [en, es], role: sdr, \
                   hours: {weekdays: 09:00-17:00}";
const BEN: &str = "id: ben, name: Ben, account: ben@faro.example, zone: Europe/Madrid, languages: [en, es], role: sdr, \
                   hours: {weekdays: 09:00-17:00}";

/// An app with a team of its own: the rest of Ana's line, the rest of Ben's, the rest of the meeting's.
async fn app(ana: &str, ben: &str, meeting: &str) -> TestApp {
    let text = format!(
        "reps:\n  - {{{ANA}{ana}}}\n  - {{{BEN}{ben}}}\nmeetings:\n  - {{id: call, title: Call, description: A call, \
         interval: 30m, notice: 0m, window: 30d{meeting}}}\n"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("team.yaml");
    std::fs::write(&file, text).expect("written");
    std::fs::create_dir(folder.path().join("flows")).expect("a folder");
    TestApp::start_with(|settings| {
        for key in ["per_minute", "burst", "slots_per_minute", "slots_burst"] {
            set(settings, "bookings", key, 1_000_000);
        }
        set(settings, "server", "trusted_proxies", vec!["loopback"]);
        set(settings, "definitions", "team", file.display().to_string());
        // The sample company's flows book its own meetings.
        set(settings, "definitions", "flows", folder.path().join("flows").display().to_string());
    })
    .await
}

fn wish(starts_at: i64, email: &str) -> Value {
    json!({
        "site": "faro", "meeting": "call", "starts_at": starts_at, "zone": "Europe/Madrid", "language": "en",
        "name": "Nikki Grant", "email": email,
    })
}

async fn book(app: &TestApp, starts_at: i64, email: &str) -> Answer {
    app.post("/v1/bookings", &wish(starts_at, email)).await
}

async fn starts(app: &TestApp, day: &str, more: &str) -> Vec<i64> {
    let path = format!("/v1/slots?meeting=call&from={}&to={}{more}", on(day, "00:00"), on(day, "23:59"));
    let answer = app.get(&path).await.expect_json(200);
    let slots = answer["slots"].as_array().expect("a list").clone();
    slots.iter().filter_map(|slot| slot["starts_at"].as_i64()).collect()
}

async fn reason(app: &TestApp, booking: &Value) -> Value {
    let rows = app.rows("select id, assignment from bookings").await;
    let row = rows.iter().find(|row| row.get::<String>("id").ok().as_deref() == booking["booking"].as_str());
    row.expect("is there").json("assignment").expect("JSON")
}

// ---- lengths and questions ------------------------------------------------------------------------

#[tokio::test]
async fn the_visitor_chooses_a_length_and_keeps_it_when_the_call_moves() {
    let app = app("", "", ", location: here, duration: [30m, 60m], reps: [ana]").await;
    let page = app.get("/book/call?lang=en").await.expect(200).body;
    // `=` in an attribute is escaped.
    assert!(page.contains("duration&#x3D;30") && page.contains("duration&#x3D;60"), "{page}");
    let long = app.get("/book/call?lang=en&duration=60&zone=Asia/Tokyo").await.expect(200).body;
    assert!(long.contains("name=\"duration\" value=\"60\""), "{long}");
    // The last hour begins at four, the last half hour at half past.
    assert_eq!(starts(&app, "2026-11-24", "").await.last(), Some(&tuesday("16:30")));
    assert_eq!(starts(&app, "2026-11-24", "&duration_ms=3600000").await.last(), Some(&tuesday("16:00")));
    app.get("/v1/slots?meeting=call&duration_ms=60000").await.expect_problem(422, "booking.duration_unknown");

    let mut hour = wish(tuesday("10:00"), "nikki@acme.example");
    hour["duration_ms"] = json!(3_600_000);
    let booked = app.post("/v1/bookings", &hour).await.expect_json(201);
    assert_eq!(booked["ends_at"], tuesday("11:00"));
    book(&app, tuesday("10:30"), "paul@acme.example").await.expect_problem(409, "booking.slot_taken");
    let link = booked["manage"].as_str().expect("a path");
    let at = tuesday("14:00").to_string();
    app.client.submit(&format!("{link}/reschedule"), &[("starts_at", &at)]).await.expect(303);
    let rows = app.rows("select ends_at - starts_at as took from bookings").await;
    assert_eq!(rows[0].get::<i64>("took").expect("a number"), 3_600_000);
}

const ASKING: &str = ", location: telephone, duration: 30m, reps: [ana], questions: [\
    {id: people, ask: {en: How many people?, es: ¿Cuántas personas?}, kind: number, required: true}, \
    {id: format, ask: Paper or screen?, kind: choice, options: [{id: paper, label: On paper}, {id: screen, label: On screen}]}]";

#[tokio::test]
async fn what_a_meeting_asks_is_asked_checked_stored_and_told_to_the_rep() {
    let app = app("", "", ASKING).await;
    let page = app.get("/book/call?lang=es").await.expect(200).body;
    assert!(page.contains("¿Cuántas personas?") && page.contains("Tu número de teléfono"), "{page}");
    let mut wish = wish(tuesday("10:00"), "nikki@acme.example");
    let refused = app.post("/v1/bookings", &wish).await.expect_problem(422, "form.invalid");
    assert_eq!(refused["fields"], json!({ "answers.people": "missing", "answers.phone": "missing" }));
    assert_eq!(app.count("bookings").await, 0);
    wish["answers"] = json!({ "people": 120, "phone": "+34 600 123 456", "format": "paper", "unasked": "x" });
    let booked = app.post("/v1/bookings", &wish).await.expect_json(201);
    let rows = app.rows("select answers from bookings").await;
    let stored: Value = rows[0].json("answers").expect("JSON");
    assert_eq!(stored, json!({ "people": "120", "phone": "+34600123456", "format": "paper" }));
    // Her link may be forwarded: it tells neither her number nor what she said.
    let manage = app.get(booked["manage"].as_str().expect("a path")).await.expect(200).body;
    assert!(manage.contains("By telephone") && !manage.contains("600123456"), "{manage}");

    app.run_jobs().await;
    let mails = app.rows("select text_body from mails where recipient like '%ana@faro.example%'").await;
    let text: String = mails[0].get("text_body").expect("a text");
    for told in [
        "How many people?: 120",
        "Paper or screen?: On paper",
        "+34600123456",
        "Nobody but Ana could take it",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
}

#[tokio::test]
async fn the_page_keeps_what_was_answered_and_says_beside_each_question_what_is_wrong() {
    let app = app("", "", ASKING).await;
    let at = tuesday("10:00").to_string();
    let fields = [
        ("starts_at", at.as_str()),
        ("name", "Nikki Grant"),
        ("email", "nikki@acme.example"),
        ("q-people", "<many>"),
        ("q-phone", "+34 600 123 456"),
        ("q-format", "paper"),
        ("shown_zone", "Europe/Madrid"),
        ("lang", "en"),
        ("key", "01936d5e-7d5c-7000-8000-000000000009"),
    ];
    let wrong = app.client.submit("/book/call", &fields).await.expect(422).body;
    assert!(wrong.contains("Please write a number") && wrong.contains("&lt;many&gt;"), "{wrong}");
    assert!(wrong.contains("value=\"paper\" checked") && wrong.contains("+34 600 123 456"), "{wrong}");
    let mut right = fields;
    right[3].1 = "120";
    app.client.submit("/book/call", &right).await.expect(303);
    assert_eq!(app.count("bookings").await, 1);
}

#[tokio::test]
async fn each_call_has_a_room_of_its_own() {
    let app = app(
        "",
        "",
        ", location: 'https://meet.example/{{rep.id}}/{{booking.id}}', duration: 30m, reps: [ana]",
    )
    .await;
    let booked = book(&app, tuesday("10:00"), "nikki@acme.example").await.expect_json(201);
    let id = booked["booking"].as_str().expect("an id");
    assert_eq!(booked["location"], format!("https://meet.example/ana/{id}"));
}

// ---- limits ---------------------------------------------------------------------------------------

#[tokio::test]
async fn a_full_day_is_offered_to_nobody_and_says_so_with_other_times() {
    let rules =
        ", location: here, duration: 30m, reps: [ana, ben], limits: {all: {day: 2}, contact: {week: 1}}";
    let app = app("", "", rules).await;
    let nikki = book(&app, tuesday("10:00"), "nikki@acme.example").await.expect_json(201);
    let again = book(&app, on("2026-11-26", "10:00"), "nikki@acme.example").await;
    let problem = again.expect_problem(409, "booking.day_full");
    let others = problem["alternatives"].as_array().expect("a list").clone();
    assert_eq!(others.len(), 3);
    assert!(
        others.iter().all(|time| time["starts_at"].as_i64() >= Some(on("2026-11-30", "00:00"))),
        "{others:?}"
    );
    book(&app, tuesday("11:00"), "paul@acme.example").await.expect(201);
    assert_eq!(starts(&app, "2026-11-24", "").await, Vec::<i64>::new());
    book(&app, tuesday("12:00"), "rosa@acme.example").await.expect_problem(409, "booking.day_full");
    assert_eq!(starts(&app, "2026-11-25", "").await.len(), 16);
    // Her own call may move within its own day and week: it does not stand in its own way.
    let link = nikki["manage"].as_str().expect("a path");
    let at = tuesday("15:00").to_string();
    let moved = app.client.submit(&format!("{link}/reschedule"), &[("starts_at", &at)]).await.expect(303);
    let link = moved.header("location").split('?').next().expect("a path");
    app.client.submit(&format!("{link}/cancel"), &[]).await.expect(303);
    assert_eq!(starts(&app, "2026-11-24", "").await.len(), 16);
}

#[tokio::test]
async fn a_rep_who_has_enough_leaves_the_day_to_the_other() {
    let app = app(", limits: {day: 1}", "", ", location: here, duration: 30m, reps: [ana, ben]").await;
    let mut with = Vec::new();
    for (n, clock) in ["09:00", "10:00", "11:00", "12:00"].iter().enumerate() {
        let booked = book(&app, tuesday(clock), &format!("p{n}@acme.example")).await.expect_json(201);
        with.push(booked["with"].as_str().expect("a name").to_owned());
    }
    assert_eq!(with, ["Ana", "Ben", "Ben", "Ben"]);
}

// ---- who gets it, and why -------------------------------------------------------------------------

#[tokio::test]
async fn calls_follow_the_weights_and_what_was_cancelled_is_given_back() {
    let app = app("", ", weight: 3", ", location: here, duration: 30m, reps: [ana, ben]").await;
    let mut with = Vec::new();
    let mut last = json!(null);
    for n in 0..8 {
        let at = tuesday("09:00") + n * 30 * 60_000;
        last = book(&app, at, &format!("p{n}@acme.example")).await.expect_json(201);
        with.push(last["with"].as_str().expect("a name").to_owned());
    }
    assert_eq!(with.iter().filter(|name| *name == "Ben").count(), 6, "{with:?}");
    let why = reason(&app, &last).await;
    let levels: Vec<_> =
        why["candidates"].as_array().expect("a list").iter().map(|one| one["level"].clone()).collect();
    assert_eq!((levels.len(), why["candidates"][0]["weight"].is_u64()), (2, true), "{why}");
    let link = last["manage"].as_str().expect("a path");
    app.client.submit(&format!("{link}/cancel"), &[]).await.expect(303);
    let next = book(&app, tuesday("14:00"), "next@acme.example").await.expect_json(201);
    assert_eq!(next["with"], last["with"], "the one whose call was cancelled has one to come");
}

async fn account(app: &TestApp, email: &'static str) {
    let text = format!(
        "insert into accounts (id, email, name, role, password_hash, created_at)
         values ('{}', '{email}', 'Somebody', 'sdr', '', 0)",
        embudo::base::ids::AccountId::new()
    );
    let text: &'static str = Box::leak(text.into_boxed_str());
    app.app.stores.db.execute(embudo::storage::db::Sql(text), &[]).await.expect("inserted");
}

#[tokio::test]
async fn while_the_owner_is_away_whoever_stands_in_has_her_contacts_and_her_meetings() {
    let away = ", away: [{from: 2026-11-25, delegate: ben}]";
    let app = app(away, "", ", location: here, duration: 30m, reps: [ana]").await;
    account(&app, "ana@faro.example").await;
    let first = book(&app, tuesday("10:00"), "nikki@acme.example").await.expect_json(201);
    assert_eq!(first["with"], "Ana", "Ben does not hold such calls");
    let second = book(&app, on("2026-11-25", "10:00"), "nikki@acme.example").await.expect_json(201);
    assert_eq!(second["with"], "Ben");
    let why = reason(&app, &second).await;
    assert_eq!((&why["rule"], &why["owner"]), (&json!("stand_in"), &json!({ "rep": "ana", "why": "away" })));
    let third = book(&app, on("2026-11-26", "10:00"), "nikki@acme.example").await.expect_json(201);
    assert_eq!((&third["with"], &reason(&app, &third).await["rule"]), (&json!("Ana"), &json!("owner")));
}

// ---- times that are kept, requests that are repeated ----------------------------------------------

fn hold_wish(starts_at: i64, visitor: Option<&str>) -> Value {
    json!({ "meeting": "call", "starts_at": starts_at, "zone": "Europe/Madrid", "language": "en", "visitor": visitor })
}

const PLAIN: &str = ", location: here, duration: 30m, reps: [ana]";

#[tokio::test]
async fn a_kept_time_is_booked_by_whoever_kept_it_and_by_nobody_else() {
    let app = app("", "", PLAIN).await;
    let held = app.post("/v1/holds", &hold_wish(tuesday("10:00"), None)).await.expect_json(201);
    book(&app, tuesday("10:00"), "paul@acme.example").await.expect_problem(409, "booking.slot_taken");
    let mut wish = wish(tuesday("10:00"), "nikki@acme.example");
    wish["hold"] = held["hold"].clone();
    app.post("/v1/bookings", &wish).await.expect_problem(404, "booking.unknown");
    wish["visitor"] = json!(VisitorId::new().to_string());
    app.post("/v1/bookings", &wish).await.expect_problem(404, "booking.unknown");
    let release = format!("/v1/holds/{}/release", held["hold"].as_str().expect("an id"));
    app.post(&release, &json!({ "visitor": VisitorId::new().to_string() })).await.expect(200);
    wish["visitor"] = held["visitor"].clone();
    let booked = app.post("/v1/bookings", &wish).await.expect_json(201);
    assert_eq!(booked["booking"], held["hold"], "one id for life");
}

#[tokio::test]
async fn a_visitor_keeps_one_time_and_may_let_it_go() {
    let app = app("", "", PLAIN).await;
    let me = VisitorId::new().to_string();
    for clock in ["10:00", "11:00"] {
        app.post("/v1/holds", &hold_wish(tuesday(clock), Some(&me))).await.expect(201);
    }
    book(&app, tuesday("10:00"), "paul@acme.example").await.expect(201);
    book(&app, tuesday("11:00"), "rosa@acme.example").await.expect_problem(409, "booking.slot_taken");
    let rows = app.rows("select id from bookings where state = 'hold'").await;
    let id: String = rows[0].get("id").expect("an id");
    app.post(&format!("/v1/holds/{id}/release"), &json!({ "visitor": me })).await.expect(200);
    book(&app, tuesday("11:00"), "rosa@acme.example").await.expect(201);
}

#[tokio::test]
async fn holding_moving_and_cancelling_may_be_repeated_with_their_key() {
    let app = app("", "", PLAIN).await;
    let me = VisitorId::new().to_string();
    let keyed = |key: &str| app.client.with("idempotency-key", key);
    let wish = hold_wish(tuesday("10:00"), Some(&me));
    let first = keyed("a").post("/v1/holds", &wish).await.expect_json(201);
    assert_eq!(keyed("a").post("/v1/holds", &wish).await.expect_json(201), first);
    keyed("a")
        .post("/v1/holds", &hold_wish(tuesday("11:00"), Some(&me)))
        .await
        .expect_problem(422, "booking.idempotency_key_reused");

    let booked = book(&app, tuesday("12:00"), "nikki@acme.example").await.expect_json(201);
    let first_token =
        booked["manage"].as_str().and_then(|path| path.strip_prefix("/b/")).expect("a path").to_owned();
    let (to, away) = (json!({ "starts_at": tuesday("14:00") }), json!({ "starts_at": tuesday("15:00") }));
    let path = format!("/v1/bookings/{first_token}/move");
    let moved = keyed("b").post(&path, &to).await.expect_json(200);
    assert_eq!((&moved["booking"], &moved["sequence"]), (&booked["booking"], &json!(1)));
    // What was true when the first link was made is not true any more.
    keyed("c").post(&path, &away).await.expect_problem(409, "booking.link_old");
    let token =
        |told: &Value| told["manage"].as_str().and_then(|path| path.strip_prefix("/b/")).map(str::to_owned);
    let newer = token(&moved).expect("a path");
    let again = format!("/v1/bookings/{newer}/move");
    let again = keyed("c").post(&again, &away).await.expect_json(200);
    let newest = token(&again).expect("a path");
    // Told late and twice: it says what it said, and does nothing again.
    assert_eq!(keyed("b").post(&path, &to).await.expect_json(200), moved);
    let rows = app.rows("select sequence, starts_at from bookings where state = 'confirmed'").await;
    assert_eq!(rows[0].get::<i64>("starts_at").expect("a time"), tuesday("15:00"));
    assert_eq!(rows[0].get::<i64>("sequence").expect("a number"), 2);

    for old in [&first_token, &newer] {
        let path = format!("/v1/bookings/{old}/cancel");
        app.post(&path, &json!({})).await.expect_problem(409, "booking.link_old");
    }
    let path = format!("/v1/bookings/{newest}/cancel");
    let gone = keyed("d").post(&path, &json!({ "reason": "ill" })).await.expect_json(200);
    assert_eq!(gone["state"], "cancelled");
    assert_eq!(keyed("d").post(&path, &json!({ "reason": "ill" })).await.expect_json(200), gone);
    keyed("e").post(&path, &json!({})).await.expect_problem(409, "booking.already_cancelled");
    app.post("/v1/bookings/nonsense/cancel", &json!({})).await.expect(404);
    app.get(&path).await.expect(405);
}

#[tokio::test]
async fn a_page_that_comes_too_late_shows_the_nearest_free_times() {
    let app = app("", "", PLAIN).await;
    book(&app, tuesday("10:00"), "paul@acme.example").await.expect(201);
    let at = tuesday("10:00").to_string();
    let fields = [
        ("starts_at", at.as_str()),
        ("name", "Nikki Grant"),
        ("email", "nikki@acme.example"),
        ("shown_zone", "Europe/Madrid"),
        ("lang", "en"),
        ("key", "01936d5e-7d5c-7000-8000-00000000000a"),
    ];
    let late = app.client.submit("/book/call", &fields).await.expect(409).body;
    let nearest = late.split("The nearest free times").nth(1).expect("they are shown");
    let nearest = nearest.split("</fieldset>").next().expect("an end");
    for clock in ["09:00", "09:30", "10:30"] {
        assert!(nearest.contains(&format!("value=\"{}\"", tuesday(clock))), "{clock}: {nearest}");
    }
}

// ---- who may change what, and how often -----------------------------------------------------------

fn manage(told: &Value) -> String {
    told["manage"].as_str().expect("a path").to_owned()
}

#[tokio::test]
async fn a_link_of_before_a_change_shows_the_call_and_changes_nothing() {
    let app = app("", "", PLAIN).await;
    let old = manage(&book(&app, tuesday("10:00"), "nikki@acme.example").await.expect_json(201));
    let at = tuesday("11:00").to_string();
    let moved = app.client.submit(&format!("{old}/reschedule"), &[("starts_at", &at)]).await.expect(303);
    let new = moved.header("location").split('?').next().expect("a path").to_owned();
    assert_ne!(old, new);

    let shown = app.get(&format!("{old}?lang=en")).await.expect(200).body;
    assert!(shown.contains("11:00") && shown.contains("from before the last change"), "{shown}");
    for deed in ["reschedule", "cancel", "wait"] {
        assert!(!shown.contains(&format!("{old}/{deed}")), "{deed} is offered: {shown}");
    }
    let (away, en) = (tuesday("12:00").to_string(), ("lang", "en"));
    for (deed, fields) in [
        ("reschedule", vec![("starts_at", away.as_str()), en]),
        ("cancel", vec![en]),
        ("wait", vec![("day-1", "1"), ("from", "0"), ("to", "1440"), en]),
    ] {
        let refused = app.client.submit(&format!("{old}/{deed}"), &fields).await.expect(409).body;
        assert!(refused.contains("from before the last change"), "{deed}: {refused}");
    }
    // The button pressed twice asks for what is so already.
    app.client.submit(&format!("{old}/reschedule"), &[("starts_at", &at)]).await.expect(303);
    let rows = app.rows("select state, starts_at, sequence from bookings").await;
    assert_eq!(rows[0].get::<String>("state").expect("a text"), "confirmed");
    assert_eq!(
        (rows[0].get::<i64>("starts_at").expect("a time"), rows[0].get::<i64>("sequence").expect("a number")),
        (tuesday("11:00"), 1)
    );
    assert!(app.get(&new).await.expect(200).body.contains(&format!("{new}/cancel")));
    app.client.submit(&format!("{new}/cancel"), &[]).await.expect(303);
}

#[tokio::test]
async fn nobody_is_written_to_without_end_by_somebody_who_books_and_cancels_in_her_name() {
    let app = app("", "", PLAIN).await;
    let mut answers = Vec::new();
    for _ in 0..10 {
        let answer = book(&app, tuesday("10:00"), "victim@acme.example").await;
        answers.push(answer.status);
        if answer.status == 201 {
            app.client.submit(&format!("{}/cancel", manage(&answer.json())), &[]).await.expect(303);
        } else {
            answer.expect_problem(429, "booking.too_often");
        }
        app.run_jobs().await;
    }
    assert_eq!(answers, [201, 201, 201, 201, 201, 201, 429, 429, 429, 429]);
    let mails = app.rows("select count(*) as n from mails where recipient like '%victim%'").await;
    // The confirmations were dropped: the calls were off before they were written.
    assert_eq!(mails[0].get::<i64>("n").expect("a number"), 6);
    // Others may go on, and so may she a day later.
    book(&app, tuesday("10:00"), "nikki@acme.example").await.expect(201);
    app.later(24 * 3_600_000 + 1).await;
    book(&app, on("2026-11-25", "10:00"), "victim@acme.example").await.expect(201);
}

#[tokio::test]
async fn a_call_is_moved_a_dozen_times_by_its_link_and_no_more() {
    let app = app("", "", PLAIN).await;
    let mut link = manage(&book(&app, tuesday("09:00"), "nikki@acme.example").await.expect_json(201));
    let mut statuses = Vec::new();
    for n in 0..13 {
        let at = (tuesday("09:30") + n % 2 * 1_800_000).to_string();
        let answer = app.client.submit(&format!("{link}/reschedule"), &[("starts_at", &at)]).await;
        statuses.push(answer.status);
        if answer.status == 303 {
            link = answer.header("location").split('?').next().expect("a path").to_owned();
        }
    }
    assert_eq!(statuses, [[303; 12].as_slice(), &[429]].concat());
    app.client.submit(&format!("{link}/cancel"), &[]).await.expect(303);
}

#[tokio::test]
async fn one_address_keeps_a_handful_of_times_and_not_the_whole_calendar() {
    let app = app("", "", PLAIN).await;
    let mut statuses = Vec::new();
    for n in 0..10 {
        let wish = hold_wish(tuesday("09:00") + n * 1_800_000, None);
        statuses.push(app.post("/v1/holds", &wish).await.status);
    }
    assert_eq!(statuses, [[201; 5], [429; 5]].concat());
    let held = app.rows("select count(*) as n from bookings where state = 'hold'").await;
    assert_eq!(held[0].get::<i64>("n").expect("a number"), 5);
    // Elsewhere nobody notices, and a minute later there is room for one more.
    book(&app, tuesday("14:00"), "nikki@acme.example").await.expect(201);
    app.clock.advance(60_000);
    app.post("/v1/holds", &hold_wish(tuesday("15:00"), None)).await.expect(201);
    app.post("/v1/holds", &hold_wish(tuesday("15:30"), None)).await.expect(429);
}

#[tokio::test]
async fn a_clock_that_is_put_back_frees_what_was_kept_and_lets_people_book() {
    let app = app("", "", PLAIN).await;
    app.clock.advance(3_600_000);
    let held = app.post("/v1/holds", &hold_wish(tuesday("10:00"), None)).await.expect_json(201);
    for _ in 0..5 {
        app.post("/v1/holds", &hold_wish(tuesday("11:00"), None)).await;
    }
    app.clock.advance(-3_600_000);
    assert!(
        starts(&app, "2026-11-24", "").await.contains(&tuesday("10:00")),
        "it does not stand for an hour"
    );
    let mut wish = wish(tuesday("10:00"), "nikki@acme.example");
    wish["hold"] = held["hold"].clone();
    wish["visitor"] = held["visitor"].clone();
    app.post("/v1/bookings", &wish).await.expect_problem(409, "booking.hold_expired");
    book(&app, tuesday("10:00"), "paul@acme.example").await.expect(201);
    let refused = app.post("/v1/holds", &hold_wish(tuesday("12:00"), None)).await.expect(429);
    let wait: i64 = refused.header("retry-after").parse().expect("seconds");
    assert!(wait <= 61, "a minute, rounded up, and not the hour: {wait}");
}

#[tokio::test]
async fn sixteen_equal_requests_at_once_are_one_booking_and_sixteen_equal_answers() {
    let app = app("", "", PLAIN).await;
    let wish = wish(tuesday("10:00"), "nikki@acme.example");
    let keyed = app.client.with("idempotency-key", "sent-again");
    let answers = futures_util::future::join_all((0..16).map(|_| keyed.post("/v1/bookings", &wish))).await;
    let answers: Vec<Value> = answers.into_iter().map(|answer| answer.expect_json(201)).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(app.count("bookings").await, 1);
}

#[tokio::test]
async fn a_time_is_held_for_five_minutes_however_the_clock_is_set_meanwhile() {
    let friday = |clock: &str| on("2026-11-27", clock);
    for step in [-3_600_000, 3_600_000, 86_400_000] {
        let app = app("", "", PLAIN).await;
        let held = app.post("/v1/holds", &hold_wish(friday("10:00"), None)).await.expect_json(201);
        app.post("/v1/holds", &hold_wish(friday("11:00"), None)).await.expect(201);
        app.clock.advance(60_000);
        app.clock.set_by(step);
        app.run_jobs().await;
        // A second node whose clock was set, too, finds nothing left to do.
        let mut tx = app.app.stores.db.begin().await.expect("begins");
        let seen = embudo::base::time::Step { by_ms: step, within_ms: 250, seen_by: 0 };
        let moved = embudo::bookings::follow_clock(&mut tx, seen, app.now()).await.expect("looked");
        tx.commit().await.expect("commits");
        assert_eq!(moved, 0, "{step}");
        app.clock.advance(200_000);
        app.run_jobs().await;
        for clock in ["10:00", "11:00"] {
            let refused = book(&app, friday(clock), "paul@acme.example").await;
            refused.expect_problem(409, "booking.slot_taken");
        }
        let mut wish = wish(friday("10:00"), "nikki@acme.example");
        wish["hold"] = held["hold"].clone();
        wish["visitor"] = held["visitor"].clone();
        app.post("/v1/bookings", &wish).await.expect(201);
        // Four minutes and twenty seconds have passed; after five the other is gone.
        app.clock.advance(41_000);
        app.run_jobs().await;
        book(&app, friday("11:00"), "paul@acme.example").await.expect(201);
    }
}

#[tokio::test]
async fn a_call_is_told_again_if_the_zones_have_changed_since_it_was_told() {
    let app = app("", "", PLAIN).await;
    let friday = on("2026-11-27", "16:00");
    let mut far = wish(friday, "nikki@acme.example");
    far["zone"] = json!("America/Vancouver");
    let booked = app.post("/v1/bookings", &far).await.expect_json(201);
    book(&app, tuesday("12:00"), "paul@acme.example").await.expect(201);
    let recheck = async || {
        embudo::bookings::zones::recheck(&mut app.app.stores.db.read(), app.now()).await.expect("looked")
    };
    let found = recheck().await;
    assert_eq!((found.ahead, found.unknown, found.moved.len()), (2, 0, 0));
    // As an older edition told it, by which British Columbia puts its clocks back in November.
    let forge = async |text: &'static str| {
        app.app.stores.db.execute(embudo::storage::db::Sql(text), &[]).await.expect("forged")
    };
    forge("update bookings set tzdb = '2025b', offset_s = offset_s - 3600 where time_zone = 'America/Vancouver'").await;
    let found = recheck().await;
    assert_eq!((found.ahead, found.moved.len()), (2, 1));
    let moved = &found.moved[0];
    assert_eq!(moved.booking.to_string(), booked["booking"].as_str().expect("an id"));
    assert_eq!(
        (moved.edition.as_str(), moved.told.to_string(), moved.is.to_string()),
        ("2025b", "2026-11-27T07:00:00".to_owned(), "2026-11-27T08:00:00".to_owned())
    );
    // The rep was told her own time, in her mails and in her week.
    forge("update bookings set tzdb = '2025b', rep_offset_s = rep_offset_s + 3600 where time_zone = 'America/Vancouver'").await;
    let found = recheck().await;
    let whose: Vec<(String, String)> = found
        .moved
        .iter()
        .map(|moved| (format!("{:?} {}", moved.whose, moved.time_zone), moved.told.to_string()))
        .collect();
    assert_eq!(
        whose,
        [
            ("Visitor America/Vancouver".to_owned(), "2026-11-27T07:00:00".to_owned()),
            ("Rep Europe/Madrid".to_owned(), "2026-11-27T17:00:00".to_owned()),
        ]
    );
    forge("update bookings set rep_offset_s = rep_offset_s - 3600 where time_zone = 'America/Vancouver'")
        .await;
    // Whoever is moved is told by the edition of now; a call from before this was kept is only counted.
    let link = booked["manage"].as_str().expect("a path");
    let at = on("2026-11-27", "16:30").to_string();
    app.client.submit(&format!("{link}/reschedule"), &[("starts_at", &at)]).await.expect(303);
    assert_eq!(recheck().await.moved, []);
    forge("update bookings set tzdb = null, offset_s = null").await;
    let found = recheck().await;
    assert_eq!((found.ahead, found.unknown, found.moved.len()), (2, 2, 0));
}

#[tokio::test]
async fn whoever_looks_after_the_company_is_asked_before_the_turn_decides() {
    let app = app("", "", ", location: here, duration: 30m, reps: [ana, ben]").await;
    account(&app, "ben@faro.example").await;
    // Ana's turn by all else; the account is Ben's.
    let first = book(&app, tuesday("10:00"), "nikki@acme.example").await.expect_json(201);
    assert_eq!(first["with"], "Ana");
    let run = async |text: &'static str| {
        app.app.stores.db.execute(embudo::storage::db::Sql(text), &[]).await.expect("written")
    };
    run("update contacts set owner_id = null").await;
    run(
        "insert into deals (id, company_id, name, currency, status, owner_id, opened_at)
         select 'd', (select company_id from contacts where email = 'nikki@acme.example'), 'Reading', 'EUR', 'open',
             id, 0
         from accounts where email = 'ben@faro.example'",
    )
    .await;
    let second = book(&app, tuesday("11:00"), "nikki@acme.example").await.expect_json(201);
    assert_eq!(second["with"], "Ben");
    assert_eq!(reason(&app, &second).await["rule"], json!("account_owner"));
    // A deal that was lost gives nobody a say.
    run("update deals set status = 'lost'").await;
    run("update contacts set owner_id = null").await;
    let third = book(&app, tuesday("12:00"), "nikki@acme.example").await.expect_json(201);
    assert_ne!(reason(&app, &third).await["rule"], json!("account_owner"));
}

#[tokio::test]
async fn whoever_books_in_a_strangers_name_has_nothing_of_his_own_sent_to_her() {
    let app = app("", "", PLAIN).await;
    let mut wish = wish(tuesday("10:00"), "victim@acme.example");
    wish["name"] = json!("Pay at https://evil.example/now \u{202e}www.evil.example The Treasury");
    wish["notes"] = json!("Your account is closed, call 900 123 456");
    app.post("/v1/bookings", &wish).await.expect(201);
    app.run_jobs().await;
    let mails = app.rows("select template, text_body, html_body, calendar from mails order by id").await;
    let of = |name: &str| -> String {
        let mail = mails.iter().find(|row| row.get::<String>("template").expect("a text") == name);
        let mail = mail.unwrap_or_else(|| panic!("no {name}"));
        let part = |column| mail.get::<Option<String>>(column).expect("a text").unwrap_or_default();
        [part("text_body"), part("html_body"), part("calendar")].concat().replace("\r\n ", "")
    };
    let hers = of("booking_confirmed");
    for typed in ["Treasury", "evil.example", "900 123", "account is closed"] {
        assert!(!hers.contains(typed), "{typed}: {hers}");
    }
    let reps = of("rep_booked");
    assert!(reps.contains("www. evil. example The Treasury") && reps.contains("900 123 456"), "{reps}");
    assert!(!reps.contains("evil.example") && !reps.contains('\u{202e}'), "{reps}");
}

#[tokio::test]
async fn the_keys_of_programs_that_name_no_visitor_are_each_programs_own() {
    let app = app("", "", PLAIN).await;
    let proxied = |address: &str| app.client.with("idempotency-key", "k1").with("x-forwarded-for", address);
    let first = wish(tuesday("10:00"), "nikki@acme.example");
    let booked = proxied("203.0.113.1").post("/v1/bookings", &first).await.expect_json(201);
    assert_eq!(proxied("203.0.113.1").post("/v1/bookings", &first).await.expect_json(201), booked);
    let other = wish(tuesday("11:00"), "paul@acme.example");
    proxied("203.0.113.2").post("/v1/bookings", &other).await.expect(201);
    proxied("203.0.113.1")
        .post("/v1/bookings", &other)
        .await
        .expect_problem(422, "booking.idempotency_key_reused");
}
