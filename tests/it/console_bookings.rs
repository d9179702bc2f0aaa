//! What the team does with calls in the console, and the calendar in which it sees them.

use embudo::accounts::Role;
use serde_json::{Value, json};

use crate::console::{Agent, agent, log_in};
use crate::support::answer::Answer;
use crate::support::app::{SITE, TestApp, set};

/// Tuesday 24 November 2026 by the clock of Madrid.
fn tuesday(clock: &str) -> i64 {
    format!("2026-11-24T{clock}:00+01:00").parse::<jiff::Timestamp>().expect("an instant").as_millisecond()
}

/// Ana and Ben hold calls; Ben leaves at one. Eva holds others.
async fn app() -> TestApp {
    let text = "
reps:
  - {id: ana, name: Ana Ruiz, account: sdr@faro.example, zone: Europe/Madrid, languages: [en, es], role: sdr, priority: 1, hours: {weekdays: 09:00-17:00}}
  - {id: ben, name: Ben Gil, account: ae@faro.example, zone: Europe/Madrid, languages: [en, es], role: ae, hours: {weekdays: 09:00-13:00}}
  - {id: eva, name: Eva Sanz, account: eva@faro.example, zone: Europe/Madrid, languages: [en, es], role: ae, hours: {weekdays: 09:00-17:00}}
meetings:
  - {id: call, title: First call, description: A call, location: here, duration: 30m, interval: 30m, notice: 12h, window: 10d, reps: [ana]}
  - {id: both, title: Second call, description: A call, location: here, duration: 30m, interval: 30m, notice: 0m, window: 10d, reps: [ben]}
";
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("team.yaml");
    std::fs::write(&file, text).expect("written");
    std::fs::create_dir(folder.path().join("flows")).expect("a folder");
    TestApp::start_with(|settings| {
        for key in ["per_minute", "burst", "slots_per_minute", "slots_burst"] {
            set(settings, "bookings", key, 1_000_000);
        }
        set(settings, "server", "workers", 2);
        set(settings, "definitions", "team", file.display().to_string());
        set(settings, "definitions", "flows", folder.path().join("flows").display().to_string());
    })
    .await
}

async fn books(app: &TestApp, meeting: &str, clock: &str, email: &str) -> Answer {
    let wish = json!({
        "site": "faro", "meeting": meeting, "starts_at": tuesday(clock), "zone": "America/New_York", "language": "en",
        "name": "Nikki Grant", "email": email,
    });
    app.client.with("origin", SITE).post("/v1/bookings", &wish).await
}

/// A call of Ana's, and the answer to whoever booked it.
async fn call(app: &TestApp, clock: &str) -> (String, Value) {
    let booked = books(app, "call", clock, "nikki@acme.example").await.expect_json(201);
    let id = booked["booking"].as_str().expect("an id").to_owned();
    (id, booked)
}

/// Moves a call as the visitor does by the link of her mail.
async fn visitor_moves(app: &TestApp, booked: &Value, clock: &str) -> Answer {
    let token = booked["manage"].as_str().and_then(|path| path.rsplit("/b/").next()).expect("a link");
    let path = format!("/v1/bookings/{token}/move");
    app.client.with("origin", SITE).post(&path, &json!({ "starts_at": tuesday(clock) })).await
}

/// `rep state sequence clock` of every call, in the order in which they begin.
async fn calls(app: &TestApp) -> Vec<String> {
    let rows = app.rows("select rep, state, sequence, starts_at from bookings order by starts_at, rep").await;
    let told = |row: &embudo::storage::db::Row| {
        let text = |name: &str| row.get::<String>(name).expect("a text");
        let number = |name: &str| row.get::<i64>(name).expect("a number");
        let minutes = (number("starts_at") - tuesday("00:00")) / 60_000;
        format!(
            "{} {} {} {:02}:{:02}",
            text("rep"),
            text("state"),
            number("sequence"),
            minutes / 60,
            minutes % 60
        )
    };
    rows.iter().map(told).collect()
}

async fn mails(app: &TestApp, template: &str) -> Vec<(String, String)> {
    let rows = app.rows("select template, recipient, subject, text_body from mails order by id").await;
    let text = |row: &embudo::storage::db::Row, name: &str| row.get::<String>(name).expect("a text");
    rows.iter()
        .filter(|row| text(row, "template") == template)
        .map(|row| (text(row, "recipient"), format!("{}\n{}", text(row, "subject"), text(row, "text_body"))))
        .collect()
}

/// A page with its addresses as a browser reads them.
async fn sees(agent: &Agent, path: &str) -> String {
    agent.sees(path).await.replace("&#x3D;", "=").replace("&amp;", "&")
}

async fn moves(agent: &Agent, id: &str, sequence: i64, clock: &str) -> Answer {
    let (sequence, to) = (sequence.to_string(), tuesday(clock).to_string());
    let fields = [("sequence", sequence.as_str()), ("starts_at", to.as_str())];
    agent.submits(&format!("/console/bookings/{id}/move"), &fields).await
}

async fn passes_on(agent: &Agent, id: &str, sequence: i64, rep: &str) -> Answer {
    let sequence = sequence.to_string();
    let fields = [("sequence", sequence.as_str()), ("rep", rep), ("reason", "I am ill")];
    agent.submits(&format!("/console/bookings/{id}/reassign"), &fields).await
}

#[tokio::test]
async fn a_call_is_moved_by_whoever_holds_it_and_the_visitor_reads_that_we_did() {
    let app = app().await;
    let (ana, ben) = (agent(&app, Role::Sdr).await, agent(&app, Role::Ae).await);
    let (id, _) = call(&app, "10:00").await;
    assert_eq!(moves(&ben, &id, 0, "11:00").await.status, 403);
    assert_eq!(calls(&app).await, ["ana confirmed 0 10:00"]);
    let page = ana.sees(&format!("/console/bookings/{id}")).await;
    assert!(page.contains(&tuesday("16:30").to_string()) && !page.contains(&tuesday("17:00").to_string()));

    let done = moves(&ana, &id, 0, "11:00").await.expect(303);
    assert!(ana.sees(done.header("location")).await.contains("The call has its new time."));
    assert_eq!(calls(&app).await, ["ana confirmed 1 11:00"]);
    // The form was made of the call as it was before.
    let stale = moves(&ana, &id, 0, "12:00").await.expect(409);
    assert!(stale.body.contains("Somebody changed the call"), "{}", stale.body);
    assert_eq!(calls(&app).await, ["ana confirmed 1 11:00"]);

    app.run_jobs().await;
    let told = mails(&app, "booking_rescheduled").await;
    assert_eq!(told.len(), 1);
    assert!(told[0].1.contains("We had to move your call"), "{}", told[0].1);
    let audit = app.rows("select actor, details from audit where action = 'changed'").await;
    let details: String = audit[0].get("details").expect("a text");
    assert!(details.contains(&id) && details.contains("moved"), "{details}");
    assert!(audit[0].get::<String>("actor").expect("a text").starts_with("account:"));
}

#[tokio::test]
async fn a_time_that_is_taken_is_refused_with_others_beside_it_and_nothing_is_changed() {
    let app = app().await;
    let admin = agent(&app, Role::Admin).await;
    let (id, _) = call(&app, "10:00").await;
    books(&app, "call", "11:00", "rosa@acme.example").await.expect(201);
    let taken = moves(&admin, &id, 0, "11:00").await.expect(409);
    assert!(taken.body.contains("This time has just been taken.") && taken.body.contains("Free near it"));
    assert!(taken.body.contains(&format!("value=\"{}\"", tuesday("11:30"))), "{}", taken.body);
    assert_eq!(calls(&app).await, ["ana confirmed 0 10:00", "ana confirmed 0 11:00"]);
}

#[tokio::test]
async fn a_call_is_passed_on_to_whoever_is_free_and_everybody_hears_of_it() {
    let app = app().await;
    let ana = agent(&app, Role::Sdr).await;
    agent(&app, Role::Ae).await;
    let (id, _) = call(&app, "10:00").await;
    let (late, _) = call(&app, "14:00").await;
    books(&app, "both", "10:30", "rosa@acme.example").await.expect(201);
    // In the afternoon Ben is at home.
    let page = ana.sees(&format!("/console/bookings/{late}")).await;
    assert!(page.contains("value=\"eva\"") && !page.contains("value=\"ben\""));
    let refused = passes_on(&ana, &late, 0, "ben").await.expect(409);
    assert!(refused.body.contains("not free at that time"), "{}", refused.body);

    passes_on(&ana, &id, 0, "ben").await.expect(303);
    assert_eq!(
        calls(&app).await,
        ["ben confirmed 1 10:00", "ben confirmed 0 10:30", "ana confirmed 0 14:00"]
    );
    // It is Ben's now: Ana changes it no more.
    assert_eq!(moves(&ana, &id, 1, "12:00").await.status, 403);
    app.run_jobs().await;
    let visitor = mails(&app, "booking_rescheduled").await;
    assert!(visitor[0].1.contains("Ben Gil takes your call in the place of Ana Ruiz"), "{}", visitor[0].1);
    assert!(!visitor[0].1.contains("Moved:") && !visitor[0].1.contains("ill"), "{}", visitor[0].1);
    let former = mails(&app, "rep_replaced").await;
    assert_eq!(former.len(), 1);
    assert!(former[0].0.contains("sdr@") && former[0].1.contains("Ben Gil takes your call with Nikki Grant"));
    assert!(former[0].1.contains("I am ill"));
    let booked = mails(&app, "rep_booked").await;
    let bens = booked.iter().filter(|(to, _)| to.contains("ae@")).count();
    assert_eq!(bens, 2, "the one that is his and the one that he took");
    let notices = app.rows("select kind from notifications order by kind").await;
    let kinds: Vec<String> = notices.iter().map(|row| row.get("kind").expect("a text")).collect();
    assert!(kinds.contains(&"booking_given_away".to_owned()), "{kinds:?}");
    assert!(kinds.contains(&"booking_passed_on".to_owned()), "{kinds:?}");
}

#[tokio::test]
async fn a_call_is_cancelled_with_a_reason_that_the_visitor_reads() {
    let app = app().await;
    let ana = agent(&app, Role::Sdr).await;
    let (id, _) = call(&app, "10:00").await;
    let fields = [("sequence", "0"), ("reason", "The trains do not run.")];
    ana.submits(&format!("/console/bookings/{id}/cancel"), &fields).await.expect(303);
    assert_eq!(calls(&app).await, ["ana cancelled 1 10:00"]);
    app.run_jobs().await;
    let visitor = mails(&app, "booking_cancelled").await;
    assert!(visitor[0].1.contains("We had to cancel it") && visitor[0].1.contains("The trains do not run."));
    let rep = mails(&app, "rep_cancelled").await;
    assert!(rep[0].1.contains("A colleague cancelled it"), "{}", rep[0].1);
    assert!(!ana.sees("/console/bookings").await.contains("Nikki Grant"));
    assert!(ana.sees("/console/bookings?view=cancelled").await.contains("Nikki Grant"));
    assert!(!sees(&ana, "/console/bookings/calendar?on=2026-11-24").await.contains("Nikki Grant"));
    books(&app, "call", "10:00", "rosa@acme.example").await.expect(201);
}

#[tokio::test]
async fn somebody_of_the_team_books_for_a_contact_within_the_notice_that_binds_visitors() {
    let app = app().await;
    agent(&app, Role::Sdr).await;
    let (id, _) = call(&app, "10:00").await;
    app.clock.advance(tuesday("08:10") - app.now().as_ms());
    let ana = log_in(&app, "sdr@faro.example").await;
    books(&app, "call", "09:00", "rosa@acme.example").await.expect(422);
    let (at, busy) = (tuesday("09:00").to_string(), tuesday("10:00").to_string());
    let of = |email: &'static str, at: &str| {
        [("email", email), ("rep", "ana"), ("meeting", "call"), ("starts_at", at), ("notes", "As agreed")]
            .map(|(name, value)| (name, value.to_owned()))
    };
    let send = async |fields: [(&'static str, String); 5]| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        ana.submits("/console/bookings/new", &fields).await
    };
    let nobody = send(of("nobody@acme.example", &at)).await.expect(409);
    assert!(nobody.body.contains("No contact has this address."));
    let taken = send(of("nikki@acme.example", &busy)).await.expect(409);
    assert!(taken.body.contains("This time has just been taken."), "{}", taken.body);
    let done = send(of("nikki@acme.example", &at)).await.expect(303);
    assert!(!done.header("location").contains(&id));
    let page = ana.sees(done.header("location")).await;
    assert!(page.contains("The call is booked.") && page.contains("A colleague chose Ana Ruiz."), "{page}");
    assert_eq!(calls(&app).await, ["ana confirmed 0 09:00", "ana confirmed 0 10:00"]);
    app.run_jobs().await;
    assert_eq!(mails(&app, "booking_confirmed").await.len(), 2);
}

#[tokio::test]
async fn moved_by_the_visitor_and_by_the_team_at_once_it_is_one_call_whose_sequence_counts_the_moves() {
    let app = app().await;
    let ana = agent(&app, Role::Sdr).await;
    let (id, booked) = call(&app, "10:00").await;
    let mut sequence = 0;
    for (ours, theirs) in [("11:00", "12:00"), ("13:00", "14:00"), ("15:00", "16:00")] {
        let (team, visitor) =
            tokio::join!(moves(&ana, &id, sequence, ours), visitor_moves(&app, &booked, theirs));
        assert!(matches!(team.status, 303 | 409), "{}", team.body);
        assert!(matches!(visitor.status, 200 | 409), "{}", visitor.body);
        let done = i64::from(team.status == 303) + i64::from(visitor.status == 200);
        assert!(done >= 1, "one of them is first");
        sequence += done;
        // Whoever came second saw the call as the first one left it, or changed nothing.
        let last = if visitor.status == 200 { theirs } else { ours };
        assert_eq!(calls(&app).await, [format!("ana confirmed {sequence} {last}")]);
    }
}

#[tokio::test]
async fn passed_on_to_somebody_who_is_being_booked_it_stays_where_it_is_or_she_is_not_booked() {
    let app = app().await;
    let admin = agent(&app, Role::Admin).await;
    for (n, clock) in ["09:00", "10:00", "11:00", "12:00"].into_iter().enumerate() {
        let email = format!("n{n}@acme.example");
        let booked = books(&app, "call", clock, &email).await.expect_json(201);
        let id = booked["booking"].as_str().expect("an id").to_owned();
        let (passed, taken) =
            tokio::join!(passes_on(&admin, &id, 0, "ben"), books(&app, "both", clock, "rosa@acme.example"));
        let is_one_of_them = (passed.status == 303) ^ (taken.status == 201);
        assert!(is_one_of_them, "{} {}", passed.status, taken.status);
        assert!(passed.status < 500 && taken.status < 500);
        let of_ben = calls(&app).await;
        assert_eq!(of_ben.iter().filter(|call| call.starts_with("ben") && call.ends_with(clock)).count(), 1);
    }
}

#[tokio::test]
async fn the_calendar_shows_ones_own_calls_and_those_of_the_team_side_by_side() {
    let app = app().await;
    let (ana, viewer) = (agent(&app, Role::Sdr).await, agent(&app, Role::Viewer).await);
    let (id, _) = call(&app, "10:00").await;
    books(&app, "both", "10:00", "rosa@acme.example").await.expect(201);
    let away = [("rep", "ana"), ("from", "2026-11-26"), ("note", "the dentist")];
    ana.submits("/console/team/absences", &away).await.expect(303);

    let own = sees(&ana, "/console/bookings/calendar?on=2026-11-25").await;
    assert!(own.contains(&format!("/console/bookings/{id}")) && own.contains("First call"), "{own}");
    assert!(!own.contains("Second call") && own.contains("Away") && !own.contains("dentist"));
    // From 9 to 18 o'clock: 10 o'clock is the fifth quarter, and half an hour is two.
    assert!(own.contains("cal-call q4 n2 lane-1"), "{own}");
    assert!(own.contains("cal-away q0 n36 lane-1"));
    assert!(own.contains("/console/bookings/new?rep=ana&on=2026-11-24"));
    assert!(own.contains("rep=ana\"") && own.contains("on=2026-11-16"), "the week before is a link");
    let team = sees(&ana, "/console/bookings/calendar?on=2026-11-24&span=day&rep=team").await;
    assert!(team.contains("cal-call q4 n2 lane-1") && team.contains("cal-call q4 n2 lane-2"), "{team}");
    assert!(team.contains("Ana Ruiz") && team.contains("Eva Sanz"));
    let looking = sees(&viewer, "/console/bookings/calendar?on=2026-11-24").await;
    assert!(looking.contains("First call") && !looking.contains("/console/bookings/new"));
    assert!(viewer.get("/console/bookings/new").await.status == 403);
    // Whatever stands in the address, a page comes.
    for odd in ["on=2026-13-40", "on=9999-12-31", "on=-009999-01-01", "span=year&rep=nobody", "on=%00"] {
        viewer.get(&format!("/console/bookings/calendar?{odd}")).await.expect(200);
    }
    app.clock.advance(tuesday("10:05") - app.now().as_ms());
    let ana = log_in(&app, "sdr@faro.example").await;
    let now = sees(&ana, "/console/bookings/calendar").await;
    assert!(now.contains("cal-now q4") && now.contains("Now, 10:05"), "{now}");
}

#[tokio::test]
async fn what_visitors_only_hold_is_faint_in_the_calendar_and_in_no_list() {
    let app = app().await;
    let ana = agent(&app, Role::Sdr).await;
    let held = json!({ "meeting": "call", "starts_at": tuesday("10:00"), "zone": "Europe/Madrid", "language": "en" });
    app.client.with("origin", SITE).post("/v1/holds", &held).await.expect(201);
    let page = sees(&ana, "/console/bookings/calendar?on=2026-11-24").await;
    assert!(page.contains("cal-hold q4 n2") && page.contains("A visitor is choosing this time"), "{page}");
    assert!(ana.sees("/console/bookings").await.contains("No calls ahead"));
}

#[tokio::test]
async fn how_a_call_went_is_taken_back_by_the_button_beside_what_was_done_and_that_is_written_down() {
    let app = app().await;
    agent(&app, Role::Sdr).await;
    let (id, _) = call(&app, "10:00").await;
    app.clock.advance(tuesday("10:40") - app.now().as_ms());
    let ana = log_in(&app, "sdr@faro.example").await;
    let say = async || {
        let fields = [("outcome", "no_show"), ("back", "/console/bookings?view=open")];
        ana.submits(&format!("/console/bookings/{id}/outcome"), &fields).await.expect(303)
    };
    let undo = async || {
        let fields = [("back", "/console/bookings?view=open&done=outcome")];
        ana.submits(&format!("/console/bookings/{id}/outcome/undo"), &fields).await
    };
    let outcome = async || app.rows("select outcome from bookings").await[0].get::<Option<String>>("outcome");
    let page = sees(&ana, say().await.header("location")).await;
    assert!(
        page.contains(&format!("/console/bookings/{id}/outcome/undo")) && page.contains("Undo"),
        "{page}"
    );
    let back = undo().await.expect(303);
    assert_eq!(back.header("location"), "/console/bookings?view=open&done=outcome_taken_back");
    assert_eq!(outcome().await.expect("a text"), None);
    let noted = app.rows("select details from audit where details like '%outcome_taken_back%'").await;
    assert_eq!(noted.len(), 1);
    say().await;
    app.clock.advance(61_000);
    assert!(undo().await.expect(409).body.contains("minute"));
    assert_eq!(outcome().await.expect("a text").as_deref(), Some("no_show"));
}

#[tokio::test]
async fn a_week_of_three_colleagues_is_a_board_with_a_line_for_each() {
    let app = app().await;
    let ana = agent(&app, Role::Sdr).await;
    let (id, _) = call(&app, "10:00").await;
    let team = sees(&ana, "/console/bookings/calendar?on=2026-11-24&span=week&rep=team").await;
    assert!(team.contains("cal-board") && !team.contains("cal-grid"), "{team}");
    for name in ["Ana Ruiz", "Ben Gil", "Eva Sanz"] {
        assert!(team.contains(&format!("<th scope=\"row\">{name}</th>")), "{name}");
    }
    assert!(team.contains(&format!("/console/bookings/{id}")) && team.contains("09:00–13:00"), "{team}");
}

#[tokio::test]
async fn a_rep_writes_her_week_and_of_two_who_write_the_second_sees_the_first() {
    let app = app().await;
    let (ana, admin) = (agent(&app, Role::Sdr).await, agent(&app, Role::Admin).await);
    let free = async || {
        let (from, to) = (tuesday("00:00"), tuesday("23:59"));
        let answer = app.get(&format!("/v1/slots?meeting=call&from={from}&to={to}")).await.expect_json(200);
        let slots = answer["slots"].as_array().expect("a list").clone();
        slots.iter().filter_map(|slot| slot["starts_at"].as_i64()).collect::<Vec<i64>>()
    };
    assert_eq!((free().await.first(), free().await.len()), (Some(&tuesday("09:00")), 16));
    let page = sees(&ana, "/console/team/hours").await;
    assert!(
        page.contains("name=\"d1-0-from\" value=\"09:00\"") && page.contains("config/team.yaml"),
        "{page}"
    );

    let hours = [("rep", "ana"), ("version", "0"), ("d1-0-from", "18:00"), ("d1-0-to", "19:00")];
    let saved = ana.submits("/console/team/hours", &hours).await.expect(303);
    assert_eq!(free().await, [tuesday("18:00"), tuesday("18:30")], "only Tuesday evening");
    assert!(sees(&ana, saved.header("location")).await.contains("value=\"18:00\""));
    // The administrator opened the page before.
    let late = [("rep", "ana"), ("version", "0"), ("d1-0-from", "07:00"), ("d1-0-to", "08:00")];
    let refused = admin.submits("/console/team/hours", &late).await.expect(409).body;
    assert!(refused.contains("Somebody changed these hours"), "{refused}");
    assert!(
        refused.contains("Now: 18:00–19:00") && refused.contains("name=\"d1-0-from\" value=\"07:00\""),
        "theirs beside the day, hers in its fields: {refused}"
    );
    let wrong = [("rep", "ana"), ("version", "1"), ("d1-0-from", "10:00"), ("d1-0-to", "09:00")];
    let refused = ana.submits("/console/team/hours", &wrong).await.expect(422).body;
    assert!(
        refused.contains("value=\"10:00\"") && refused.contains("look here"),
        "what was typed stays: {refused}"
    );
    assert_eq!(free().await.len(), 2);
    let others = [("rep", "ben"), ("version", "0"), ("d1-0-from", "10:00"), ("d1-0-to", "11:00")];
    ana.submits("/console/team/hours", &others).await.expect(403);
    ana.get("/console/team/hours?rep=ben").await.expect(403);

    let back = [("rep", "ana"), ("version", "1"), ("what", "file")];
    admin.submits("/console/team/hours", &back).await.expect(303);
    assert_eq!(free().await.len(), 16);
    assert_eq!(app.rows("select id from audit where details like '%working_hours%'").await.len(), 2);
}
