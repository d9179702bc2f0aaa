//! Booking through its doors: races, holds, links and pages.

use std::sync::Arc;

use embudo::base::email::Email;
use embudo::base::ids::VisitorId;
use embudo::base::language::Language;
use embudo::base::signing::{Keys, Purpose};
use embudo::base::time::{DAY_MS, Timestamp};
use embudo::bookings::slots::Span;
use embudo::bookings::{self, Desk, HOLD_MS, Holder, Pick};
use embudo::contacts;
use serde_json::{Value, json};

use crate::support::answer::{Answer, Client};
use crate::support::app::{SITE, TestApp, set};

/// Tuesday 24 November 2026 by the clock of Madrid.
fn tuesday(clock: &str) -> i64 {
    on("2026-11-24", clock)
}

fn on(date: &str, clock: &str) -> i64 {
    format!("{date}T{clock}:00+01:00").parse::<jiff::Timestamp>().expect("an instant").as_millisecond()
}

/// An app that counts nobody's requests, with the sample company's team.
async fn app() -> TestApp {
    TestApp::start_with(without_limits).await
}

fn without_limits(settings: &mut toml::Table) {
    for key in ["per_minute", "burst", "slots_per_minute", "slots_burst"] {
        set(settings, "bookings", key, 1_000_000);
    }
    set(settings, "server", "workers", 4);
}

/// An app with a team of its own: so many reps who work from 9 to 17 in Madrid, half an hour with ten minutes after it,
/// beginning every ten minutes.
async fn app_with_reps(count: usize) -> TestApp {
    let mut text = "reps:\n".to_owned();
    let ids: Vec<String> = (0..count).map(|n| format!("rep-{n}")).collect();
    for id in &ids {
        text.push_str(&format!(
            "  - {{id: {id}, name: {id}, account: {id}@faro.example, zone: Europe/Madrid, languages: [en, es], \
             role: sdr, hours: {{weekdays: 09:00-17:00}}}}\n"
        ));
    }
    text.push_str(&format!(
        "meetings:\n  - {{id: call, title: Call, description: A call, location: here, duration: 30m, \
         buffer_after: 10m, interval: 10m, notice: 0m, window: 30d, reps: [{}]}}\n",
        ids.join(", ")
    ));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("team.yaml");
    std::fs::write(&file, text).expect("written");
    std::fs::create_dir(folder.path().join("flows")).expect("a folder");
    TestApp::start_with(|settings| {
        without_limits(settings);
        set(settings, "definitions", "team", file.display().to_string());
        // The sample company's flows book its own meetings.
        set(settings, "definitions", "flows", folder.path().join("flows").display().to_string());
        set(settings, "storage", "postgres_pool", 16);
    })
    .await
}

fn wish(meeting: &str, starts_at: i64, email: &str) -> Value {
    json!({
        "site": "faro", "meeting": meeting, "starts_at": starts_at, "zone": "America/New_York", "language": "es-MX",
        "name": "Nikki Grant", "email": email, "notes": "We are 120 people.",
    })
}

/// Books as a page of the site does.
async fn book(client: &Client, meeting: &str, starts_at: i64, email: &str) -> Answer {
    client.with("origin", SITE).post("/v1/bookings", &wish(meeting, starts_at, email)).await
}

async fn overlaps(app: &TestApp) -> i64 {
    let rows = app
        .rows(
            "select count(*) as n from bookings a join bookings b on a.rep = b.rep and a.id < b.id
             where a.state in ('hold', 'confirmed') and b.state in ('hold', 'confirmed')
               and a.block_from < b.block_to and b.block_from < a.block_to",
        )
        .await;
    rows[0].get("n").expect("a number")
}

async fn stage(app: &TestApp) -> String {
    app.rows("select stage from contacts").await[0].get("stage").expect("a text")
}

/// Runs all at once and returns the answers.
async fn together<T: Send + 'static>(work: Vec<impl Future<Output = T> + Send + 'static>) -> Vec<T> {
    let tasks: Vec<_> = work.into_iter().map(tokio::spawn).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.expect("no panic"));
    }
    answers
}

// ---- slots ----------------------------------------------------------------------------------------

#[tokio::test]
async fn slots_are_those_of_all_reps_and_a_booked_one_is_gone_for_its_rep() {
    let app = app().await;
    let window = format!("from={}&to={}", tuesday("00:00"), on("2026-11-25", "00:00"));
    let path = format!("/v1/slots?meeting=discovery&zone=Europe/Madrid&{window}");
    let answer = app.client.with("origin", SITE).get(&path).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), SITE);
    let before = answer.json();
    let starts: Vec<i64> =
        before["slots"].as_array().expect("a list").iter().filter_map(|s| s["starts_at"].as_i64()).collect();
    // Mike works from 9 to 14 and 15:30 to 18:30 in Madrid; Lucía from 9 to 14 in Mexico City, which is 16 to 21 here,
    // and from 16 to 19, which is 23 to 2. Twenty minutes fit into every half hour.
    assert_eq!(starts.first(), Some(&tuesday("00:00")));
    assert!(starts.contains(&tuesday("01:30")) && !starts.contains(&tuesday("02:00")));
    assert!(starts.contains(&tuesday("09:00")) && !starts.contains(&tuesday("08:30")));
    assert!(starts.contains(&tuesday("13:30")) && !starts.contains(&tuesday("14:00")));
    assert!(starts.contains(&tuesday("20:30")) && starts.contains(&tuesday("23:30")));
    assert_eq!(before["slots"][0]["ends_at"], tuesday("00:20"));

    book(&app.client, "discovery", tuesday("09:00"), "nikki@acme.example").await.expect(201);
    let after = app.get(&path).await.expect_json(200);
    assert!(!after["slots"].to_string().contains(&tuesday("09:00").to_string()));
    assert!(
        after["slots"].to_string().contains(&tuesday("09:30").to_string()),
        "buffers of five minutes fit"
    );
}

#[tokio::test]
async fn slots_of_unknown_meetings_and_zones_are_refused() {
    let app = app().await;
    app.get("/v1/slots?meeting=lunch").await.expect_problem(404, "booking.meeting_unknown");
    app.get("/v1/slots?meeting=discovery&zone=Mars/Olympus")
        .await
        .expect_problem(422, "booking.zone_unknown");
    app.get("/v1/slots").await.expect_problem(400, "request.malformed");
    let far = format!("/v1/slots?meeting=discovery&from={}&to={}", i64::MIN, i64::MAX);
    let all = app.get(&far).await.expect_json(200);
    let count = all["slots"].as_array().expect("a list").len();
    assert!((100..1_000).contains(&count), "the meeting's window bounds it: {count}");
}

// ---- booking --------------------------------------------------------------------------------------

#[tokio::test]
async fn a_booked_call_makes_an_sql_and_tells_who_when_and_how_to_change_it() {
    let app = app().await;
    let booked =
        book(&app.client, "discovery", tuesday("10:00"), "nikki@acme.example").await.expect_json(201);
    assert_eq!(booked["with"], "Mike Torres");
    assert_eq!(
        (booked["starts_at"].as_i64(), booked["ends_at"].as_i64()),
        (Some(tuesday("10:00")), Some(tuesday("10:20")))
    );
    assert_eq!(booked["zone"], "America/New_York");
    assert_eq!(stage(&app).await, "sql");
    let facts: Vec<String> = app
        .rows("select kind from events order by id")
        .await
        .iter()
        .map(|row| row.get("kind").expect("a text"))
        .collect();
    assert!(facts.contains(&"booking_confirmed".to_owned()) && facts.contains(&"stage_changed".to_owned()));
    let manage = booked["manage"].as_str().expect("a path");
    let page = app.get(manage).await.expect(200);
    // 10:00 in Madrid is 4:00 in New York.
    assert!(page.body.contains("04:00") && page.body.contains("Nueva York (UTC−5)"), "{}", page.body);
    assert!(page.body.contains("Tu llamada") && page.body.contains("Mike Torres"));
}

#[tokio::test]
async fn what_cannot_be_booked_is_refused_with_its_code_and_leaves_nothing() {
    let app = app().await;
    let before = app.census().await;
    let refuse = async |change: Value, status, code| {
        let mut wish = wish("discovery", tuesday("10:00"), "nikki@acme.example");
        for (key, value) in change.as_object().expect("an object") {
            wish[key] = value.clone();
        }
        app.post("/v1/bookings", &wish).await.expect_problem(status, code)
    };
    refuse(json!({ "starts_at": on("2026-11-23", "09:00") }), 422, "booking.slot_past").await;
    refuse(json!({ "starts_at": on("2026-11-23", "11:00") }), 422, "booking.slot_too_soon").await;
    refuse(json!({ "starts_at": tuesday("10:05") }), 422, "booking.slot_unknown").await;
    refuse(json!({ "starts_at": tuesday("08:30") }), 422, "booking.slot_unknown").await;
    refuse(json!({ "starts_at": on("2026-12-15", "10:00") }), 422, "booking.slot_unknown").await;
    refuse(json!({ "meeting": "lunch" }), 404, "booking.meeting_unknown").await;
    refuse(json!({ "zone": "Mars/Olympus" }), 422, "booking.zone_unknown").await;
    let wrong = refuse(json!({ "email": "nikki at acme" }), 422, "form.invalid").await;
    assert!(wrong["fields"]["email"].is_string());
    refuse(json!({ "site": "fargo" }), 404, "site.unknown").await;
    refuse(json!({ "starts_at": "soon" }), 400, "request.malformed").await;
    let evil = app.client.with("origin", "https://evil.example");
    evil.post("/v1/bookings", &wish("discovery", tuesday("10:00"), "n@acme.example"))
        .await
        .expect_problem(403, "site.foreign_origin");
    assert_eq!(app.census().await, before);
}

#[tokio::test]
async fn a_request_with_the_same_key_books_once_and_gets_the_same_answer() {
    let app = app().await;
    let client = app.client.with("idempotency-key", "01936d5e-7d5c-7000-8000-000000000001");
    let wish_at = |clock| wish("discovery", tuesday(clock), "nikki@acme.example");
    let answers = together(
        (0..8)
            .map(|_| {
                let (client, wish) = (client.clone(), wish_at("10:00"));
                async move { client.post("/v1/bookings", &wish).await.expect_json(201) }
            })
            .collect(),
    )
    .await;
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(app.count("bookings").await, 1);
    client
        .post("/v1/bookings", &wish_at("11:00"))
        .await
        .expect_problem(422, "booking.idempotency_key_reused");
    let empty = app.client.with("idempotency-key", "");
    empty
        .post("/v1/bookings", &wish_at("11:00"))
        .await
        .expect_problem(400, "booking.idempotency_key_invalid");
}

#[tokio::test]
async fn the_same_person_speaks_with_the_same_rep_again() {
    let app = app().await;
    // Accounts are made by the console; here by hand.
    app.app
        .stores
        .db
        .execute(
            embudo::sql!(
                "insert into accounts (id, email, name, role, password_hash, created_at)
                 values ('01936d5e-7d5c-7000-8000-00000000000a', 'lucia@faro.example', 'Lucía', 'sdr', '', 0)"
            ),
            &[],
        )
        .await
        .expect("inserted");
    // Evening in Madrid is Lucía's morning: only she works.
    let first = book(&app.client, "discovery", tuesday("19:00"), "nikki@acme.example").await.expect_json(201);
    assert_eq!(first["with"], "Lucía Vega");
    // At 16:30 both work, and Mike has fewer calls; but she knows Nikki.
    let second =
        book(&app.client, "discovery", tuesday("16:30"), "nikki@acme.example").await.expect_json(201);
    assert_eq!(second["with"], "Lucía Vega");
    let other = book(&app.client, "discovery", tuesday("17:00"), "paul@acme.example").await.expect_json(201);
    assert_eq!(other["with"], "Mike Torres");
}

#[tokio::test]
async fn an_address_may_book_only_so_often() {
    let app = TestApp::start_with(|settings| set(settings, "bookings", "burst", 2)).await;
    for clock in ["10:00", "11:00"] {
        book(&app.client, "discovery", tuesday(clock), "nikki@acme.example").await.expect(201);
    }
    let answer = book(&app.client, "discovery", tuesday("12:00"), "nikki@acme.example").await;
    assert!(!answer.header("retry-after").is_empty());
    answer.expect_problem(429, "limit.too_many");
}

// ---- races ----------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_who_want_overlapping_times_of_one_rep_exactly_one_gets_it() {
    let app = app_with_reps(1).await;
    for (round, hour) in ["10", "12", "14", "16"].iter().enumerate() {
        // All of these overlap one another: half an hour each, ten minutes apart.
        let starts: Vec<i64> =
            ["00", "10", "20"].iter().map(|minute| tuesday(&format!("{hour}:{minute}"))).collect();
        let answers = together(
            (0..50)
                .map(|n| {
                    let (client, at) = (app.client.clone(), starts[n % starts.len()]);
                    async move { book(&client, "call", at, &format!("p{round}-{n}@acme.example")).await }
                })
                .collect(),
        )
        .await;
        let (booked, refused): (Vec<Answer>, Vec<Answer>) =
            answers.into_iter().partition(|a| a.status == 201);
        assert_eq!(booked.len(), 1, "round {round}");
        for answer in refused {
            let problem = answer.expect_problem(409, "booking.slot_taken");
            let alternatives = problem["alternatives"].as_array().expect("a list");
            assert_eq!(alternatives.len(), 3, "{problem}");
            assert!(
                alternatives.iter().all(|time| !starts.contains(&time["starts_at"].as_i64().expect("ms")))
            );
        }
        assert_eq!(overlaps(&app).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_reps_share_one_time_and_the_fourth_visitor_is_refused() {
    let app = app_with_reps(3).await;
    let answers = together(
        (0..30)
            .map(|n| {
                let client = app.client.clone();
                async move { book(&client, "call", tuesday("10:00"), &format!("p{n}@acme.example")).await }
            })
            .collect(),
    )
    .await;
    let mut with: Vec<String> =
        answers.iter().filter(|a| a.status == 201).map(|a| a.json()["with"].to_string()).collect();
    with.sort();
    assert_eq!(with, ["\"rep-0\"", "\"rep-1\"", "\"rep-2\""]);
    assert_eq!(answers.iter().filter(|a| a.status == 409).count(), 27);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_moves_onto_one_time_leaves_everybody_a_call() {
    let app = app_with_reps(1).await;
    let mut links = Vec::new();
    for n in 0..8 {
        let day = format!("2026-11-{}", 25 + n / 4);
        let clock = format!("{:02}:00", 10 + (n % 4));
        let booked = book(&app.client, "call", on(&day, &clock), &format!("p{n}@acme.example")).await;
        links.push(booked.expect_json(201)["manage"].as_str().expect("a path").to_owned());
    }
    let answers = together(
        links
            .into_iter()
            .map(|link| {
                let client = app.client.clone();
                async move {
                    let fields = [("starts_at", tuesday("15:00").to_string())];
                    let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
                    client.submit(&format!("{link}/reschedule"), &fields).await.status
                }
            })
            .collect(),
    )
    .await;
    assert_eq!(answers.iter().filter(|status| **status == 303).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 409).count(), 7, "{answers:?}");
    let rows = app.rows("select count(*) as n from bookings where state = 'confirmed'").await;
    assert_eq!(rows[0].get::<i64>("n").expect("a number"), 8, "the losers keep their old time");
    assert_eq!(overlaps(&app).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn booking_moving_and_cancelling_all_at_once_never_fails_and_never_overlaps() {
    let app = app_with_reps(4).await;
    let clients = (0..12).map(|n| {
        let client = app.client.clone();
        async move {
            let mut statuses = Vec::new();
            let mut link: Option<String> = None;
            for step in 0..12_i64 {
                // A walk of its own through few times, so that all meet all the time.
                let at = tuesday("09:00") + ((step * 7 + n * 5) % 9) * 30 * 60_000;
                let answer = match (&link, step % 3) {
                    (Some(link), 1) => {
                        let at = at.to_string();
                        client.submit(&format!("{link}/reschedule"), &[("starts_at", &at)]).await
                    }
                    (Some(link), 2) => client.submit(&format!("{link}/cancel"), &[]).await,
                    _ => book(&client, "call", at, &format!("p{n}@acme.example")).await,
                };
                statuses.push(answer.status);
                match answer.status {
                    201 => link = answer.json()["manage"].as_str().map(str::to_owned),
                    303 if step % 3 == 2 => link = None,
                    303 => link = answer.header("location").split('?').next().map(str::to_owned),
                    _ => {}
                }
            }
            statuses
        }
    });
    let statuses: Vec<u16> = together(clients.collect()).await.into_iter().flatten().collect();
    assert!(statuses.iter().all(|status| matches!(status, 201 | 303 | 409)), "{statuses:?}");
    assert!(statuses.iter().filter(|status| **status == 201).count() > 12, "{statuses:?}");
    assert_eq!(overlaps(&app).await, 0);
}

#[tokio::test]
async fn the_database_itself_refuses_two_calls_at_one_time() {
    let app = app_with_reps(1).await;
    book(&app.client, "call", tuesday("10:00"), "nikki@acme.example").await.expect(201);
    let row = |id: &str, from: i64, state: &str| {
        format!(
            "insert into bookings (id, meeting, rep, starts_at, ends_at, block_from, block_to, state, time_zone,
                 language, created_at, updated_at)
             values ('{id}', 'call', 'rep-0', {from}, {to}, {from}, {to}, '{state}', 'UTC', 'en', 0, 0)",
            to = from + 60_000
        )
    };
    let run = async |text: String| {
        let text: &'static str = Box::leak(text.into_boxed_str());
        app.app.stores.db.execute(embudo::storage::db::Sql(text), &[]).await
    };
    for (n, clock) in ["10:00", "10:29", "10:39"].iter().enumerate() {
        for state in ["hold", "confirmed"] {
            let refused =
                run(row(&format!("{n}-{state}"), tuesday(clock), state)).await.expect_err("overlaps");
            assert!(refused.to_string().contains("bookings_overlap"), "{refused}");
        }
    }
    run(row("gone", tuesday("10:00"), "cancelled")).await.expect("blocks nothing");
    run(row("after", tuesday("10:40"), "hold")).await.expect("begins where the buffer ends");
    run("update bookings set state = 'confirmed' where id = 'gone'".to_owned())
        .await
        .expect_err("overlaps now");
}

// ---- holds ----------------------------------------------------------------------------------------

async fn hold(app: &TestApp, holder: Holder, starts_at: i64) -> bookings::Result<bookings::Booking> {
    let desk = Desk { team: &app.app.team, lifecycle: &app.app.lifecycle };
    let pick = Pick {
        meeting: "call",
        starts_at: Timestamp(starts_at),
        duration_ms: None,
        time_zone: "Europe/Madrid",
        language: Language::En,
        holder,
        contact: None,
    };
    let mut tx = app.app.stores.db.begin().await?;
    let held = bookings::hold(&mut tx, desk, &pick, app.now()).await?;
    tx.commit().await?;
    Ok(held)
}

fn somebody() -> Holder {
    Holder { visitor: Some(VisitorId::new()), conversation: None }
}

#[tokio::test]
async fn whoever_has_as_many_calls_as_one_may_have_keeps_no_time_from_others_by_a_further_one() {
    let app = app().await;
    let email = Email::parse("nikki@acme.example").expect("an address");
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let who = contacts::Identification {
        email: &email,
        visitor: None,
        site: "faro",
        trust: contacts::Trust::Claimed,
        consent: contacts::Consent::Analytics,
        language: Language::En,
        time_zone: None,
    };
    let contact = contacts::identify(&mut tx, &who, app.now()).await.expect("identified").contact.id;
    tx.commit().await.expect("commits");
    let (team, now) = (&app.app.team, app.now());
    let desk = Desk { team, lifecycle: &app.app.lifecycle };
    let meeting = team.meeting("discovery").expect("the sample company has it");
    let said = bookings::Said::default();
    let mut booked = 0;
    loop {
        let mut tx = app.app.stores.db.begin().await.expect("begins");
        let holder = somebody();
        // On other days, which have a limit of their own.
        let window = Span::new(now.plus_ms(2 * booked * DAY_MS), now.plus_ms(21 * DAY_MS));
        let free = bookings::slots(&mut tx, team, meeting, window, &holder, Some(contact), now).await;
        let free = free.expect("slots");
        let starts_at = free.first().expect("somebody is free").starts_at;
        let pick = Pick {
            meeting: "discovery",
            starts_at,
            duration_ms: None,
            time_zone: "Europe/Madrid",
            language: Language::En,
            holder,
            contact: Some(contact),
        };
        let told = bookings::book(&mut tx, desk, &pick, contact, &said, now).await;
        // As a chat does, which goes on with its transaction.
        tx.commit().await.expect("commits");
        match told {
            Ok(_) => booked += 1,
            Err(bookings::Error::TooMany) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(booked, bookings::MOST_AHEAD);
    let states = app.rows("select state, count(*) as n from bookings group by state").await;
    let states: Vec<(String, i64)> = states
        .iter()
        .map(|row| (row.get("state").expect("a state"), row.get("n").expect("a count")))
        .collect();
    assert_eq!(states, [("confirmed".to_owned(), booked)]);
}

#[tokio::test]
async fn a_hold_keeps_others_out_for_five_minutes_of_the_clock() {
    let app = app_with_reps(1).await;
    hold(&app, somebody(), tuesday("10:00")).await.expect("free");
    book(&app.client, "call", tuesday("10:10"), "nikki@acme.example")
        .await
        .expect_problem(409, "booking.slot_taken");
    app.clock.advance(HOLD_MS - 1);
    book(&app.client, "call", tuesday("10:10"), "nikki@acme.example")
        .await
        .expect_problem(409, "booking.slot_taken");
    app.clock.advance(1);
    book(&app.client, "call", tuesday("10:10"), "nikki@acme.example").await.expect(201);
    assert_eq!(overlaps(&app).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_hold_one_slot_one_has_it() {
    let app = Arc::new(app_with_reps(1).await);
    let answers = together(
        (0..40)
            .map(|_| {
                let app = app.clone();
                async move { hold(&app, somebody(), tuesday("10:00")).await.is_ok() }
            })
            .collect(),
    )
    .await;
    assert_eq!(answers.iter().filter(|is_held| **is_held).count(), 1);
}

// ---- links and pages ------------------------------------------------------------------------------

/// A booked call's link.
async fn link(app: &TestApp) -> String {
    let booked =
        book(&app.client, "discovery", tuesday("10:00"), "nikki@acme.example").await.expect_json(201);
    booked["manage"].as_str().expect("a path").to_owned()
}

#[tokio::test]
async fn looking_at_a_link_changes_nothing_however_often() {
    let app = app().await;
    let link = link(&app).await;
    let (before, rows) =
        (app.census().await, app.rows("select state, sequence, updated_at from bookings").await);
    for _ in 0..25 {
        app.get(&link).await.expect(200);
        app.get(&format!("{link}?zone=Asia/Tokyo&lang=en&page=1")).await.expect(200);
        app.get(&format!("{link}/cancel")).await.expect(405);
        app.get(&format!("{link}/reschedule?starts_at={}", tuesday("12:00"))).await.expect(405);
    }
    assert_eq!(app.census().await, before);
    let after = app.rows("select state, sequence, updated_at from bookings").await;
    assert_eq!(format!("{rows:?}"), format!("{after:?}"));
}

#[tokio::test]
async fn a_call_is_moved_by_its_page_and_says_so() {
    let app = app().await;
    let link = link(&app).await;
    let page = app.get(&link).await.expect(200);
    assert!(page.body.contains(&format!("value=\"{}\"", tuesday("12:00"))));
    let at = tuesday("12:00").to_string();
    let moved = app.client.submit(&format!("{link}/reschedule"), &[("starts_at", &at)]).await.expect(303);
    let there = app.get(moved.header("location")).await.expect(200);
    assert!(there.body.contains("Cambiada.") && there.body.contains("06:00"), "{}", there.body);
    let rows = app.rows("select sequence, starts_at, rep from bookings").await;
    assert_eq!(rows[0].get::<i64>("sequence").expect("a number"), 1);
    assert_eq!(rows[0].get::<i64>("starts_at").expect("a time"), tuesday("12:00"));
}

#[tokio::test]
async fn a_move_that_comes_too_late_shows_what_is_free_and_keeps_the_old_time() {
    let app = app().await;
    let link = link(&app).await;
    book(&app.client, "discovery", tuesday("12:00"), "paul@acme.example").await.expect(201);
    let at = tuesday("12:00").to_string();
    let refused = app.client.submit(&format!("{link}/reschedule"), &[("starts_at", &at)]).await.expect(409);
    assert!(
        refused.body.contains("Alguien se adelantó") && refused.body.contains("04:00"),
        "{}",
        refused.body
    );
    for wrong in ["", "soon", "0"] {
        app.client.submit(&format!("{link}/reschedule"), &[("starts_at", wrong)]).await.expect(422);
    }
}

#[tokio::test]
async fn a_call_is_cancelled_once() {
    let app = app().await;
    let link = link(&app).await;
    let gone = app.client.submit(&format!("{link}/cancel"), &[("reason", "Otra fecha")]).await.expect(303);
    let page = app.get(gone.header("location")).await.expect(200);
    assert!(
        page.body.contains("Llamada cancelada") && page.body.contains("/book/discovery"),
        "{}",
        page.body
    );
    let again = app.client.submit(&format!("{link}/cancel"), &[]).await.expect(409);
    assert!(again.body.contains("ya estaba cancelada"));
    let moved = tuesday("12:00").to_string();
    app.client.submit(&format!("{link}/reschedule"), &[("starts_at", &moved)]).await.expect(409);
    let rows = app.rows("select state, sequence, cancel_reason from bookings").await;
    assert_eq!(rows[0].get::<String>("state").expect("a text"), "cancelled");
    assert_eq!(rows[0].get::<i64>("sequence").expect("a number"), 1);
    assert_eq!(rows[0].get::<String>("cancel_reason").expect("a text"), "Otra fecha");
}

#[tokio::test]
async fn a_forged_a_foreign_and_an_expired_link_open_nothing() {
    let app = app().await;
    let link = link(&app).await;
    let token = link.strip_prefix("/b/").expect("a path");
    app.get("/b/nonsense").await.expect(404);
    app.get(&format!("{link}x")).await.expect(404);
    app.client.submit(&format!("{link}x/cancel"), &[]).await.expect(404);

    let rows = app.rows("select id from bookings").await;
    let id: String = rows[0].get("id").expect("an id");
    let keys: &Keys = &app.app.keys;
    let claims = Keys::claims(id, app.now(), app.now().plus_ms(DAY_MS));
    let of_another_purpose = keys.sign(Purpose::Asset, &claims);
    app.get(&format!("/b/{of_another_purpose}")).await.expect(404);
    let of_nothing = keys.sign(
        Purpose::Booking,
        &Keys::claims(embudo::base::ids::BookingId::new().to_string(), app.now(), app.now().plus_ms(DAY_MS)),
    );
    app.get(&format!("/b/{of_nothing}")).await.expect(404);

    app.clock.advance(3 * DAY_MS);
    app.get(&link).await.expect(410);
    app.client.submit(&format!("/b/{token}/cancel"), &[]).await.expect(410);
    let rows = app.rows("select state from bookings").await;
    assert_eq!(rows[0].get::<String>("state").expect("a text"), "confirmed");
}

#[tokio::test]
async fn a_call_that_has_begun_can_only_be_looked_at() {
    let app = app().await;
    let link = link(&app).await;
    app.clock.advance(DAY_MS);
    let page = app.get(&link).await.expect(200);
    assert!(page.body.contains("Llamada pasada") && !page.body.contains("/cancel"), "{}", page.body);
    app.client.submit(&format!("{link}/cancel"), &[]).await.expect(409);
}

#[tokio::test]
async fn a_page_of_another_site_cannot_send_the_forms() {
    let app = app().await;
    let link = link(&app).await;
    let foreign = app.client.with("sec-fetch-site", "cross-site");
    foreign.submit(&format!("{link}/cancel"), &[]).await.expect(403);
    let fields = form(tuesday("11:00"));
    foreign.submit("/book/discovery", &borrowed(&fields)).await.expect(403);
    let rows = app.rows("select state from bookings").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<String>("state").expect("a text"), "confirmed");
}

fn form(starts_at: i64) -> Vec<(&'static str, String)> {
    vec![
        ("starts_at", starts_at.to_string()),
        ("name", "Nikki Grant".to_owned()),
        ("email", "nikki@acme.example".to_owned()),
        ("notes", "{{contact.email}} <b>120</b> people".to_owned()),
        ("shown_zone", "America/New_York".to_owned()),
        ("lang", "en".to_owned()),
        ("site", "faro".to_owned()),
        ("visitor", String::new()),
        ("consent", String::new()),
        ("key", "01936d5e-7d5c-7000-8000-000000000002".to_owned()),
        ("website", String::new()),
    ]
}

fn borrowed<'a>(fields: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    fields.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[tokio::test]
async fn the_booking_page_books_without_a_script_and_twice_sent_is_booked_once() {
    let app = app().await;
    let page = app.get("/book/discovery?lang=en&zone=America/New_York").await.expect(200);
    assert!(page.header("content-security-policy").contains("script-src 'self'"));
    assert!(page.body.contains("Discovery call") && page.body.contains("New York (UTC−5)"));
    assert!(page.body.len() < 40_000, "{} bytes", page.body.len());
    let fields = form(tuesday("10:00"));
    let first = app.client.submit("/book/discovery", &borrowed(&fields)).await.expect(303);
    let second = app.client.submit("/book/discovery", &borrowed(&fields)).await.expect(303);
    assert_eq!(first.header("location"), second.header("location"));
    assert_eq!(app.count("bookings").await, 1);
    let booked = app.get(first.header("location")).await.expect(200);
    assert!(booked.body.contains("Booked."), "{}", booked.body);
    for private in ["Nikki", "nikki@acme.example", "people"] {
        assert!(!booked.body.contains(private), "a forwarded link tells nothing of the person: {private}");
    }
    let again = app.client.submit("/book/discovery", &borrowed(&form(tuesday("10:05")))).await.expect(422);
    assert!(again.body.contains("{{contact.email}} &lt;b&gt;120&lt;/b&gt; people"), "{}", again.body);
}

#[tokio::test]
async fn the_booking_page_keeps_what_was_typed_and_says_what_is_wrong() {
    let app = app().await;
    let mut fields = form(tuesday("10:00"));
    fields[2].1 = "nikki at acme".to_owned();
    fields[9].1 = "another-key".to_owned();
    let wrong = app.client.submit("/book/discovery", &borrowed(&fields)).await.expect(422);
    assert!(wrong.body.contains("does not look like an e-mail address"), "{}", wrong.body);
    assert!(wrong.body.contains("value=\"Nikki Grant\"") && wrong.body.contains("value=\"nikki at acme\""));
    assert!(wrong.body.contains(&format!("value=\"{}\" checked", tuesday("10:00"))), "{}", wrong.body);

    book(&app.client, "discovery", tuesday("10:00"), "paul@acme.example").await.expect(201);
    let late = app.client.submit("/book/discovery", &borrowed(&form(tuesday("10:00")))).await.expect(409);
    assert!(late.body.contains("Somebody was a moment faster") && late.body.contains("Nikki Grant"));
    let mut robot = form(tuesday("12:00"));
    robot[10].1 = "https://spam.example".to_owned();
    app.client.submit("/book/discovery", &borrowed(&robot)).await.expect(403);
    app.get("/book/lunch").await.expect(404);
    assert_eq!(app.count("bookings").await, 1);
}

/// As browsers say what they are; programs without a name are not counted.
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

#[tokio::test]
async fn whoever_comes_to_the_booking_page_is_counted_once_and_so_is_her_call() {
    let app = app().await;
    let nikki = app.client.with("user-agent", BROWSER);
    // She comes, the page's script asks for her zone, she turns a page.
    nikki.get("/book/discovery?lang=en&site=faro").await.expect(200);
    let here = nikki.with("sec-fetch-site", "same-origin");
    here.get("/book/discovery?lang=en&site=faro&zone=America/New_York").await.expect(200);
    here.get("/book/discovery?lang=en&site=faro&zone=America/New_York&page=1").await.expect(200);
    // From a mail that knows her zone.
    let mail = nikki.with("sec-fetch-site", "none");
    mail.get("/book/discovery?lang=en&zone=America/New_York").await.expect(200);
    // No people, or nobody who comes.
    app.get("/book/discovery").await.expect(200);
    app.client
        .with("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1)")
        .get("/book/discovery")
        .await
        .expect(200);
    nikki.send(reqwest::Method::HEAD, "/book/discovery", None).await.expect(200);
    let fields = form(tuesday("10:00"));
    here.submit("/book/discovery", &borrowed(&fields)).await.expect(303);
    here.submit("/book/discovery", &borrowed(&fields)).await.expect(303);
    here.submit("/book/discovery", &borrowed(&form(tuesday("10:05")))).await.expect(422);
    // Programs book as well, and not on the page.
    book(&app.client, "discovery", tuesday("12:00"), "paul@acme.example").await.expect(201);
    app.app.page_counts.write(&app.app.stores.db).await.expect("written");
    app.app.page_counts.write(&app.app.stores.db).await.expect("nothing is left to write");
    let rows = app.rows("select meeting, opened, shown, booked from booking_page_counts").await;
    let counts = |name: &str| rows.iter().map(|row| row.get::<i64>(name).expect("a number")).sum::<i64>();
    assert_eq!((counts("opened"), counts("shown"), counts("booked")), (2, 2, 1));
    assert!(rows.iter().all(|row| row.get::<String>("meeting").expect("a text") == "discovery"));
}

#[tokio::test]
async fn the_zone_of_the_page_is_the_readers() {
    let app = app().await;
    let madrid = app.get("/book/discovery?lang=es").await.expect(200);
    assert!(madrid.body.contains("data-ask-zone=\"Europe/Madrid\""), "the script may ask the browser");
    let tokyo = app.get("/book/discovery?lang=es&zone=Asia/Tokyo").await.expect(200);
    assert!(!tokyo.body.contains("data-ask-zone") && tokyo.body.contains("Tokio (UTC+9)"));
    let nowhere = app.get("/book/discovery?zone=Mars/Olympus").await.expect(200);
    assert!(nowhere.body.contains("Madrid (UTC+1)"));
}

#[tokio::test]
async fn somebody_elses_device_is_not_taken_over_by_a_booking() {
    let app = app().await;
    let visitor = VisitorId::new().to_string();
    let from = |email: &str, clock: &str| {
        let mut wish = wish("discovery", tuesday(clock), email);
        wish["visitor"] = json!(visitor);
        wish["consent"] = json!("analytics");
        wish
    };
    let nikki = app.post("/v1/bookings", &from("nikki@acme.example", "10:00")).await.expect_json(201);
    assert_eq!(nikki["visitor"], visitor.as_str());
    let paul = app.post("/v1/bookings", &from("paul@acme.example", "11:00")).await.expect_json(201);
    assert_ne!(paul["visitor"], visitor.as_str(), "another person on this device is another device epoch");
    assert_eq!(app.count("contacts").await, 2);
}
