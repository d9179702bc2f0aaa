//! Calls that two of the team hold: slots where both are free, both calendars taken and given back as one, why each of the
//! two, and who hears of it.

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

/// Ana sells; Eva and Yuri know about contracts. Yuri works in the afternoon alone.
const REPS: &str = "
  - {id: ana, name: Ana Ruiz, account: ana@faro.example, zone: Europe/Madrid, languages: [en, es], role: sdr, hours: {weekdays: 09:00-17:00}}
  - {id: eva, name: Eva Sanz, account: eva@faro.example, zone: Europe/Madrid, languages: [en, es], role: ae, hours: {weekdays: 09:00-17:00}, attributes: {skill: [contracts]}EVA}
  - {id: yuri, name: Yuri Gil, account: yuri@faro.example, zone: Europe/Madrid, languages: [en, es], role: ae, hours: {weekdays: 14:00-17:00}, attributes: {skill: [contracts, law]}YURI}
";

/// An app with this team; `with` says who else is there in `call`, `eva` and `yuri` what else is said of them.
async fn app(with: &str, eva: &str, yuri: &str) -> TestApp {
    let reps = REPS.replace("EVA", eva).replace("YURI", yuri);
    let rules = "location: here, duration: 30m, interval: 30m, notice: 0m, window: 10d";
    let text = format!(
        "reps:{reps}meetings:\n  - {{id: call, title: Call, description: A call, {rules}, buffer_after: 15m, \
         buffer_before: 15m, reps: [ana], with: {with}}}\n  - {{id: alone, title: Alone, description: One of us, {rules}, \
         reps: [yuri]}}\n  - {{id: law, title: Law, description: Eva alone, {rules}, reps: [eva]}}\n"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("team.yaml");
    std::fs::write(&file, text).expect("written");
    std::fs::create_dir(folder.path().join("flows")).expect("a folder");
    TestApp::start_with(|settings| {
        for key in ["per_minute", "burst", "slots_per_minute", "slots_burst"] {
            set(settings, "bookings", key, 1_000_000);
        }
        set(settings, "definitions", "team", file.display().to_string());
        set(settings, "definitions", "flows", folder.path().join("flows").display().to_string());
    })
    .await
}

async fn book(app: &TestApp, meeting: &str, starts_at: i64, email: &str) -> Answer {
    let wish = json!({
        "site": "faro", "meeting": meeting, "starts_at": starts_at, "zone": "Europe/Madrid", "language": "en",
        "name": "Nikki Grant", "email": email,
    });
    app.post("/v1/bookings", &wish).await
}

async fn starts(app: &TestApp, meeting: &str) -> Vec<i64> {
    let (from, to) = (tuesday("00:00"), tuesday("23:59"));
    let answer = app.get(&format!("/v1/slots?meeting={meeting}&from={from}&to={to}")).await.expect_json(200);
    let slots = answer["slots"].as_array().expect("a list").clone();
    slots.iter().filter_map(|slot| slot["starts_at"].as_i64()).collect()
}

/// Who is blocked when, as `rep state start`.
async fn rows(app: &TestApp) -> Vec<String> {
    let rows = app.rows("select rep, state, starts_at from bookings order by rep, starts_at").await;
    rows.iter()
        .map(|row| {
            let (rep, state): (String, String) =
                (row.get("rep").expect("a text"), row.get("state").expect("a text"));
            let at: i64 = row.get("starts_at").expect("a number");
            format!("{rep} {state} {}", (at - tuesday("00:00")) / 60_000)
        })
        .collect()
}

async fn assignment(app: &TestApp) -> Value {
    let rows = app
        .rows("select assignment from bookings where companion_of is null order by created_at desc, id desc")
        .await;
    rows[0].json("assignment").expect("JSON")
}

/// Why the second of two, and who it is.
fn second(reason: &Value) -> (&str, &str) {
    let second = &reason["companion"];
    let rep = &second["candidates"][0]["rep"];
    (second["rule"].as_str().unwrap_or_default(), rep.as_str().unwrap_or_default())
}

#[tokio::test]
async fn only_times_at_which_both_are_free_are_offered_and_both_are_taken_and_given_back() {
    let app = app("yuri", "", "").await;
    // The interval is half an hour and Yuri begins at two; the buffers lie outside of nobody's hours.
    assert_eq!(
        starts(&app, "call").await,
        ["14:00", "14:30", "15:00", "15:30", "16:00", "16:30"].map(tuesday)
    );
    book(&app, "call", tuesday("10:00"), "early@acme.example")
        .await
        .expect_problem(422, "booking.slot_unknown");
    book(&app, "alone", tuesday("15:00"), "other@acme.example").await.expect_json(201);
    // Fifteen minutes before and after each call: the half hours beside Yuri's own call are gone, too.
    assert_eq!(starts(&app, "call").await, ["14:00", "16:00", "16:30"].map(tuesday));

    let booked = book(&app, "call", tuesday("16:00"), "nikki@acme.example").await.expect_json(201);
    assert_eq!(booked["with"], "Ana Ruiz and Yuri Gil");
    assert_eq!(rows(&app).await, ["ana confirmed 960", "yuri confirmed 900", "yuri confirmed 960"]);
    book(&app, "alone", tuesday("16:30"), "third@acme.example")
        .await
        .expect_problem(409, "booking.slot_taken");
    let link = booked["manage"].as_str().expect("a path");
    let page = app.get(link).await.expect(200).body;
    assert!(page.contains("Ana Ruiz and Yuri Gil"), "{page}");

    let at = tuesday("14:00").to_string();
    let moved = app.client.submit(&format!("{link}/reschedule"), &[("starts_at", &at)]).await.expect(303);
    let link = moved.header("location").split('?').next().expect("a path");
    assert_eq!(rows(&app).await, ["ana confirmed 840", "yuri confirmed 840", "yuri confirmed 900"]);
    book(&app, "alone", tuesday("16:30"), "third@acme.example").await.expect_json(201);
    app.client.submit(&format!("{link}/cancel"), &[]).await.expect(303);
    assert_eq!(
        rows(&app).await,
        ["ana cancelled 840", "yuri cancelled 840", "yuri confirmed 900", "yuri confirmed 990"]
    );
    book(&app, "alone", tuesday("14:00"), "fourth@acme.example").await.expect_json(201);
}

#[tokio::test]
async fn of_those_with_the_skill_the_one_with_the_fewest_calls_is_there_and_both_reasons_are_kept_and_shown()
{
    let app = app("{skill: contracts}", "", "").await;
    // Both are new and have no calls: Eva comes first by name.
    book(&app, "call", tuesday("15:00"), "paul@acme.example").await.expect_json(201);
    let reason = assignment(&app).await;
    assert_eq!((&reason["rule"], &reason["candidates"][0]["rep"]), (&json!("only_one_free"), &json!("ana")));
    assert_eq!(second(&reason), ("id", "eva"));
    app.clock.advance(1_000);
    book(&app, "law", tuesday("09:00"), "otto@acme.example").await.expect_json(201);
    // Eva has two calls now, of which being there was one, and Yuri has none.
    app.clock.advance(1_000);
    book(&app, "call", tuesday("16:30"), "nikki@acme.example").await.expect_json(201);
    let reason = assignment(&app).await;
    assert_eq!(second(&reason), ("level", "yuri"));
    assert_eq!(reason["companion"]["candidates"].as_array().map(Vec::len), Some(2));
    assert_eq!(reason["companion"]["candidates"][1]["meetings"], 2);
    // In the morning only Eva works.
    app.clock.advance(1_000);
    book(&app, "call", tuesday("10:00"), "rosa@acme.example").await.expect_json(201);
    assert_eq!(second(&assignment(&app).await), ("only_one_free", "eva"));

    app.run_jobs().await;
    let mails =
        app.rows("select recipient, text_body from mails where template = 'rep_booked' order by id").await;
    let to = |who: &str| -> Vec<String> {
        let is_theirs =
            |row: &&embudo::storage::db::Row| row.get::<String>("recipient").expect("a text").contains(who);
        mails.iter().filter(is_theirs).map(|row| row.get("text_body").expect("a text")).collect()
    };
    assert_eq!((to("ana@").len(), to("yuri@").len(), to("eva@").len()), (3, 1, 3));
    assert!(
        to("yuri@")[0].contains("Ana Ruiz") && to("yuri@")[0].contains("fewest calls"),
        "{}",
        to("yuri@")[0]
    );
    let told = app
        .rows("select text_body from mails where template = 'booking_confirmed' and recipient like '%nikki%'")
        .await;
    let text: String = told[0].get("text_body").expect("a text");
    assert!(text.contains("Ana Ruiz and Yuri Gil"), "{text}");
}

#[tokio::test]
async fn absences_and_limits_of_whoever_is_there_too_count() {
    let away = app("yuri", "", ", away: [{from: 2026-11-24}]").await;
    assert_eq!(starts(&away, "call").await, [0; 0]);
    let with_stand_in = app("yuri", "", ", away: [{from: 2026-11-24, delegate: eva}]").await;
    let booked = book(&with_stand_in, "call", tuesday("10:00"), "nikki@acme.example").await.expect_json(201);
    assert_eq!(booked["with"], "Ana Ruiz and Eva Sanz", "she stands in as long as he is away");
    let limited = app("yuri", "", ", limits: {day: 1}").await;
    book(&limited, "call", tuesday("15:00"), "nikki@acme.example").await.expect_json(201);
    let refused = book(&limited, "call", tuesday("16:30"), "paul@acme.example").await;
    let refused = refused.expect_problem(409, "booking.day_full");
    let alternatives = refused["alternatives"].as_array().expect("a list");
    assert_eq!(alternatives.len(), 3);
    assert!(
        alternatives.iter().all(|time| time["starts_at"].as_i64().is_some_and(|at| at > tuesday("23:59")))
    );
    book(&limited, "alone", tuesday("16:30"), "rosa@acme.example")
        .await
        .expect_problem(409, "booking.day_full");
}

#[tokio::test]
async fn a_hold_of_two_is_let_go_by_both_and_runs_out_for_both() {
    let app = app("yuri", "", "").await;
    let wish = json!({ "meeting": "call", "starts_at": tuesday("15:00"), "zone": "Europe/Madrid" });
    let held = app.post("/v1/holds", &wish).await.expect_json(201);
    assert_eq!(rows(&app).await, ["ana hold 900", "yuri hold 900"]);
    let mine = json!({ "visitor": held["visitor"] });
    let hold = held["hold"].as_str().expect("an id");
    app.post(&format!("/v1/holds/{hold}/release"), &mine).await.expect_json(200);
    assert_eq!(rows(&app).await, ["ana expired 900", "yuri expired 900"]);
    book(&app, "alone", tuesday("15:00"), "other@acme.example").await.expect_json(201);

    let wish = json!({ "meeting": "call", "starts_at": tuesday("16:30"), "zone": "Europe/Madrid" });
    let held = app.post("/v1/holds", &wish).await.expect_json(201);
    let confirm = json!({
        "site": "faro", "meeting": "call", "starts_at": 0, "zone": "Europe/Madrid", "name": "Nikki Grant",
        "email": "nikki@acme.example", "hold": held["hold"], "visitor": held["visitor"],
    });
    app.clock.advance(6 * 60_000);
    app.post("/v1/bookings", &confirm).await.expect_problem(409, "booking.hold_expired");
    book(&app, "alone", tuesday("16:30"), "third@acme.example").await.expect_json(201);
}

#[tokio::test]
async fn somebody_who_is_erased_frees_both() {
    let app = app("yuri", "", "").await;
    book(&app, "call", tuesday("15:00"), "nikki@acme.example").await.expect_json(201);
    let contact: embudo::base::ids::ContactId =
        app.rows("select id from contacts").await[0].get("id").expect("an id");
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    assert_eq!(embudo::bookings::cancel_ahead(&mut tx, contact, app.now()).await.expect("cancelled"), 1);
    tx.commit().await.expect("commits");
    assert_eq!(rows(&app).await, ["ana cancelled 900", "yuri cancelled 900"]);
}

#[test]
fn who_else_is_there_is_checked_at_its_place() {
    let rules = "title: T, description: D, location: here, duration: 30m, reps: [ana]";
    let notes = |with: &str| -> Vec<String> {
        let text = format!(
            "reps:{}meetings:\n  - {{id: call, {rules}, with: {with}}}\n",
            REPS.replace("EVA", "").replace("YURI", "")
        );
        let report = embudo::base::diagnostic::Report::new();
        embudo::bookings::team::Team::parse("team.yaml", &text, &report);
        report.diagnostics().into_iter().map(|one| format!("{} {}", one.code, one.message)).collect()
    };
    assert_eq!(notes("yuri"), [""; 0]);
    assert_eq!(notes("[yuri, eva]"), [""; 0]);
    assert_eq!(notes("{skill: [contracts, law]}"), [""; 0]);
    assert_eq!(notes("juri"), ["B106 \"juri\" is not in the team"]);
    assert_eq!(notes("ana"), ["B106 \"ana\" cannot be there twice"]);
    assert_eq!(notes("[]"), ["B106 nobody else is there"]);
    assert_eq!(notes("{skill: cooking}"), ["B106 nobody of the team is good for this"]);
}
