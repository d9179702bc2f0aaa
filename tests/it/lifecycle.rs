//! The lifecycle through the public doors and the command line: what moves somebody, and how it is explained.

use std::collections::BTreeMap;
use std::process::Command;

use embudo::accounts::{self, Area, NewAccount, Role, Scope, Scopes, api_keys};
use embudo::base::diagnostic::Report;
use embudo::base::email::Email;
use embudo::base::language::Language;
use embudo::base::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use embudo::contacts::Trust;
use embudo::stages::{self, Actor, Decision, Definition, versions};
use embudo::{contacts, scoring};
use reqwest::Method;
use serde_json::{Value, json};

use crate::gates::{app_with_files, contact, submit};
use crate::support::answer::Answer;
use crate::support::app::{TestApp, repository, set};

async fn decide(
    app: &TestApp,
    email: &str,
    role: &str,
    what: &str,
    reason: Option<&str>,
) -> Result<String, stages::Error> {
    let (id, _) = contact(app, email).await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let decision = Decision {
        role: role.to_owned(),
        what: what.to_owned(),
        reason: reason.map(str::to_owned),
        actor: Actor::Api,
    };
    stages::decide(&mut tx, &app.app.lifecycle, id, &decision, app.now()).await?;
    tx.commit().await.expect("commits");
    Ok(contact(app, email).await.1)
}

#[tokio::test]
async fn a_page_cannot_make_an_sql_or_a_customer_by_reporting_our_own_events() {
    let app = app_with_files().await;
    let nikki = app.visitor();
    submit(&nikki, "white-paper", "nikki@acme.example").await;
    for name in ["booking.confirmed", "webinar.registered", "decision", "visit"] {
        let mut hit = nikki.hit("/ae.accept");
        hit["name"] = json!(name);
        nikki.report(&hit).await.expect(202);
    }
    app.run_jobs().await;
    // Any further submission runs the rules again.
    submit(&nikki, "white-paper", "nikki@acme.example").await;
    assert_eq!(contact(&app, "nikki@acme.example").await.1, "lead");
    let rows = app.rows("select kind from activities where kind <> 'page'").await;
    assert!(rows.iter().all(|row| row.get::<String>("kind").expect("a text") == "form.submitted"));
}

#[tokio::test]
async fn an_sdr_and_an_ae_move_her_and_a_rejection_needs_a_reason() {
    let app = app_with_files().await;
    submit(&app.visitor(), "webinar", "nikki@acme.example").await;
    let decide = async |role, what, reason| decide(&app, "nikki@acme.example", role, what, reason).await;
    assert!(matches!(decide("ae", "accept", None).await, Err(stages::Error::NothingToDecide { .. })));
    assert_eq!(decide("sdr", "accept", None).await.expect("accepted"), "sql");
    assert!(matches!(decide("ae", "reject", Some("because")).await, Err(stages::Error::ReasonNeeded { .. })));
    app.clock.advance(1_000);
    assert_eq!(decide("ae", "reject", Some("timing")).await.expect("sent back"), "mql");
    app.clock.advance(1_000);
    assert_eq!(decide("sdr", "accept", None).await.expect("accepted"), "sql");
    assert_eq!(decide("ae", "accept", None).await.expect("accepted"), "sal");
    assert_eq!(decide("ae", "won", None).await.expect("won"), "customer");
}

#[tokio::test]
async fn the_command_line_explains_her_as_the_server_does() {
    let app = app_with_files().await;
    let nikki = app.visitor();
    nikki.visit("/").await;
    app.run_jobs().await;
    app.clock.advance(DAY_MS);
    submit(&nikki, "webinar", "nikki@acme.example").await;
    let run = |arguments: &[&str]| {
        let config = app.folder().join("embudo.toml");
        Command::new(env!("CARGO_BIN_EXE_embudo"))
            .args(["--config", &config.display().to_string(), "lifecycle", "explain"])
            .args(arguments)
            .output()
            .expect("it runs")
    };
    let text = run(&["Nikki@acme.example"]);
    assert!(text.status.success(), "{}", String::from_utf8_lossy(&text.stderr));
    let text = String::from_utf8(text.stdout).expect("text");
    for part in ["Marketing-qualified lead", "mql.webinar", "webinar.registered", "History", "Booked a call"]
    {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no colours into a pipe");

    let document = run(&["nikki@acme.example", "--format", "json"]);
    let document: Value = serde_json::from_slice(&document.stdout).expect("JSON");
    assert_eq!(document["stage"]["id"], "mql");
    assert_eq!(document["history"][0]["id"], "visitor");
    let since = document["history"][0]["since"].as_i64().expect("a time");
    assert!(since < app.now().as_ms() - DAY_MS / 2, "she is a visitor since her first page");

    let unknown = run(&["nobody@acme.example"]);
    assert!(!unknown.status.success());
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(said.contains("there is no contact with the address nobody@acme.example"), "{said}");
}

/// Something a business system reports about a contact.
async fn does(app: &TestApp, email: &str, kind: &str) {
    let (id, _) = contact(app, email).await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let now = app.now();
    contacts::record(&mut tx, Some(id), None, kind, Some("x"), json!({}), now).await.expect("recorded");
    stages::evaluate(&mut tx, &app.app.lifecycle, id, now).await.expect("evaluated");
    tx.commit().await.expect("commits");
}

async fn join(app: &TestApp, email: &str, role: Role) {
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let new =
        NewAccount { email, name: "", role, language: Language::En, password: "a long password, really" };
    accounts::add(&mut tx, &new, app.now()).await.expect("added");
    tx.commit().await.expect("commits");
}

async fn due(app: &TestApp, what: &str) -> Option<i64> {
    let rows = app.rows("select what, due_at from lifecycle_due").await;
    let row = rows.iter().find(|row| row.get::<String>("what").expect("a text") == what)?;
    Some(row.get("due_at").expect("a time"))
}

/// Who was told what, by line.
async fn told(app: &TestApp, kind: &str) -> Vec<String> {
    let rows = app
        .rows("select n.kind, a.email from notifications n join accounts a on a.id = n.account_id order by a.email")
        .await;
    let of_kind = rows.iter().filter(|row| row.get::<String>("kind").expect("a text") == kind);
    of_kind.map(|row| row.get("email").expect("a text")).collect()
}

async fn program(app: &TestApp, method: Method, path: &str, body: &str) -> Answer {
    let program = app.client.with("authorization", &format!("Bearer {KEY}"));
    let body = (!body.is_empty()).then(|| ("application/json", body.as_bytes().to_vec()));
    program.send(method, &format!("/api/v1/lifecycle{path}"), body).await
}

const KEY: &str = "the key of a program, forty characters long";

/// A key that belongs to somebody.
async fn key_of(app: &TestApp, email: &str) -> String {
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let email = Email::parse(email).expect("an address");
    let account = accounts::find_by_email(&mut tx, &email).await.expect("read").expect("there");
    let scopes = Scopes::of([Scope::write(Area::Lifecycle)]);
    let made = api_keys::make(&mut tx, "her own", scopes, None, Some(account.id), app.now()).await;
    tx.commit().await.expect("commits");
    made.expect("made").1
}

/// Approves by a key, perhaps in somebody's name.
async fn approve_by(app: &TestApp, key: &str, hash: &str, name: Option<&str>) -> Answer {
    let body = json!({ "hash": hash, "as": name }).to_string();
    let program = app.client.with("authorization", &format!("Bearer {key}"));
    let body = Some(("application/json", body.into_bytes()));
    program.send(Method::POST, "/api/v1/lifecycle/approvals", body).await
}

fn with_key(settings: &mut toml::Table) {
    crate::gates::with_fixtures(settings);
    set(settings, "api", "keys", vec![KEY]);
}

#[tokio::test]
async fn a_cold_mql_becomes_a_lead_again_at_the_very_millisecond_that_was_worked_out() {
    let app = app_with_files().await;
    submit(&app.visitor(), "webinar", "nikki@acme.example").await;
    assert_eq!(contact(&app, "nikki@acme.example").await.1, "mql");
    let at = due(&app, "cold").await.expect("an MQL cools down");
    assert!(at > app.now().as_ms() + 45 * DAY_MS && at < app.now().as_ms() + 70 * DAY_MS);
    app.later(at - app.now().as_ms() - 1).await;
    assert_eq!(contact(&app, "nikki@acme.example").await.1, "mql");
    app.later(1).await;
    assert_eq!(contact(&app, "nikki@acme.example").await.1, "lead");
    let left = app.rows("select rule, reason, entered_at from stage_intervals where left_at is null").await;
    assert_eq!(left[0].get::<String>("rule").expect("a text"), "back.cold.mql");
    assert_eq!(left[0].get::<String>("reason").expect("a text"), "cold");
    assert_eq!(left[0].get::<i64>("entered_at").expect("a time"), at);
    assert_eq!(due(&app, "cold").await, None, "nothing is due any more");
}

#[tokio::test]
async fn whoever_does_something_meanwhile_is_not_cold_yet() {
    let app = app_with_files().await;
    submit(&app.visitor(), "webinar", "nikki@acme.example").await;
    let first = due(&app, "cold").await.expect("due");
    app.later(20 * DAY_MS).await;
    does(&app, "nikki@acme.example", "conversation.opened").await;
    does(&app, "nikki@acme.example", "webinar.attended").await;
    let later = due(&app, "cold").await.expect("due");
    assert!(later > first, "{later} {first}");
    app.later(first - app.now().as_ms()).await;
    assert_eq!(contact(&app, "nikki@acme.example").await.1, "mql");
}

#[tokio::test]
async fn a_first_response_that_is_late_by_the_teams_hours_is_told_to_the_sdrs_once() {
    let app = app_with_files().await;
    join(&app, "mike@faro.example", Role::Sdr).await;
    join(&app, "yuri@faro.example", Role::Ae).await;
    // Monday 23 November 2026, 10:00 in Madrid; Mike works until 14:00.
    app.clock.advance(3 * HOUR_MS + 50 * MINUTE_MS);
    submit(&app.visitor(), "webinar", "nikki@acme.example").await;
    decide(&app, "nikki@acme.example", "sdr", "accept", None).await.expect("accepted");
    let at = due(&app, "sla").await.expect("somebody must respond");
    assert!(at > app.now().as_ms() + 15 * MINUTE_MS, "the clock stands still over lunch");
    app.later(15 * MINUTE_MS).await;
    assert!(told(&app, "sla_breached").await.is_empty());
    app.later(at - app.now().as_ms()).await;
    assert_eq!(told(&app, "sla_breached").await, ["mike@faro.example"]);
    does(&app, "nikki@acme.example", "visit.of.some.kind").await;
    app.later(DAY_MS).await;
    assert_eq!(told(&app, "sla_breached").await, ["mike@faro.example"], "once");
}

#[tokio::test]
async fn a_response_in_time_is_no_breach() {
    let app = app_with_files().await;
    join(&app, "mike@faro.example", Role::Sdr).await;
    submit(&app.visitor(), "webinar", "nikki@acme.example").await;
    decide(&app, "nikki@acme.example", "sdr", "accept", None).await.expect("accepted");
    app.clock.advance(5 * MINUTE_MS);
    does(&app, "nikki@acme.example", "conversation.answered").await;
    assert_eq!(due(&app, "sla").await, None);
    app.later(DAY_MS).await;
    assert!(told(&app, "sla_breached").await.is_empty());
}

#[tokio::test]
async fn a_customer_at_risk_is_told_to_customer_success_and_churn_wants_a_reason() {
    let app = TestApp::start_with(with_key).await;
    let nikki = "nikki@acme.example";
    join(&app, "cris@faro.example", Role::Cs).await;
    submit(&app.visitor(), "webinar", nikki).await;
    let state = json!({ "email": nikki, "to": "churned", "reason": "price" }).to_string();
    program(&app, Method::POST, "/customers/state", &state).await.expect_problem(409, "stage.no_customer");
    decide(&app, nikki, "sdr", "accept", None).await.expect("accepted");
    app.clock.advance(1_000);
    decide(&app, nikki, "ae", "won", None).await.expect("won");
    app.run_jobs().await;
    assert!(told(&app, "customer_state_changed").await.is_empty(), "a new customer is no alarm");
    for _ in 0..2 {
        app.clock.advance(HOUR_MS);
        does(&app, nikki, "complaint").await;
    }
    app.run_jobs().await;
    assert_eq!(told(&app, "customer_state_changed").await, ["cris@faro.example"]);

    let bare = json!({ "email": nikki, "to": "churned" }).to_string();
    let problem = program(&app, Method::POST, "/customers/state", &bare).await;
    let problem = problem.expect_problem(422, "stage.reason_needed");
    assert!(problem["reasons"].to_string().contains("no_need"), "{problem}");
    app.clock.advance(HOUR_MS);
    let lost = program(&app, Method::POST, "/customers/state", &state).await.expect_json(200);
    assert_eq!(
        (&lost["id"], &lost["reason"], &lost["actor"]),
        (&json!("churned"), &json!("price"), &json!("api"))
    );
    let attempt = json!({ "email": nikki }).to_string();
    for number in 1..=4 {
        app.clock.advance(HOUR_MS);
        let state = program(&app, Method::POST, "/customers/attempts", &attempt).await.expect_json(200);
        assert_eq!((&state["id"], &state["attempts"]), (&json!("churned"), &json!(number)));
    }
    app.clock.advance(HOUR_MS);
    let let_be = program(&app, Method::POST, "/customers/attempts", &attempt).await.expect_json(200);
    assert_eq!((&let_be["id"], &let_be["rule"]), (&json!("do_not_pursue"), &json!("give_up")));
    app.clock.advance(HOUR_MS);
    does(&app, nikki, "purchase").await;
    let rows = app
        .rows("select state, rule, entered_at, left_at from post_sale_intervals order by entered_at, id")
        .await;
    let states: Vec<String> = rows.iter().map(|row| row.get("state").expect("a text")).collect();
    assert_eq!(states, ["active", "at_risk", "churned", "do_not_pursue", "recovered"]);
    for pair in rows.windows(2) {
        let left: Option<i64> = pair[0].get("left_at").expect("a time");
        assert_eq!(left, pair[1].get("entered_at").expect("a time"), "no gap");
    }
}

#[tokio::test]
async fn a_customer_who_is_silent_for_half_a_year_is_at_risk_by_time_alone() {
    let app = app_with_files().await;
    let nikki = "nikki@acme.example";
    submit(&app.visitor(), "webinar", nikki).await;
    decide(&app, nikki, "sdr", "accept", None).await.expect("accepted");
    app.clock.advance(1_000);
    decide(&app, nikki, "ae", "won", None).await.expect("won");
    let state = async || {
        let rows = app.rows("select state from post_sale_intervals where left_at is null").await;
        rows[0].get::<String>("state").expect("a text")
    };
    app.later(100 * DAY_MS).await;
    does(&app, nikki, "purchase").await;
    app.later(179 * DAY_MS).await;
    assert_eq!(state().await, "active");
    app.later(DAY_MS).await;
    assert_eq!(state().await, "at_risk");
    app.clock.advance(1_000);
    does(&app, nikki, "purchase").await;
    assert_eq!(state().await, "active", "and back");
}

#[tokio::test]
async fn a_competitor_is_shown_as_such_and_moves_only_with_a_reason() {
    let app = TestApp::start_with(with_key).await;
    let rival = "nikki@lecturama.example";
    submit(&app.visitor(), "webinar", rival).await;
    assert_eq!(contact(&app, rival).await.1, "lead");
    let told = program(&app, Method::GET, &format!("/explain?email={rival}"), "").await.expect_json(200);
    assert_eq!(told["disqualified"]["reason"], "competitor");
    let refused = decide(&app, rival, "sdr", "accept", None).await.expect_err("no reason");
    assert!(
        matches!(&refused, stages::Error::Disqualified { reason, .. } if reason == "competitor"),
        "{refused}"
    );
    assert_eq!(decide(&app, rival, "sdr", "accept", Some("a partner by now")).await.expect("moved"), "sql");
}

#[tokio::test]
async fn the_rows_of_an_explanation_are_those_that_raw_events_give_and_each_names_its_event() {
    let app = TestApp::start_with(with_key).await;
    let nikki = app.visitor();
    nikki.visit("/").await;
    nikki.visit("/precios").await;
    app.run_jobs().await;
    app.clock.advance(3 * DAY_MS);
    submit(&nikki, "webinar", "nikki@acme.example").await;
    does(&app, "nikki@acme.example", "conversation.opened").await;
    app.clock.advance(5 * DAY_MS);
    for _ in 0..3 {
        app.clock.advance(HOUR_MS);
        nikki.visit("/").await.expect(202);
    }
    app.run_jobs().await;
    let told = program(&app, Method::GET, "/explain?email=nikki%40acme.example", "").await.expect_json(200);
    let rows = told["score"]["engagement"]["rows"].as_array().expect("rows").clone();
    let (id, _) = contact(&app, "nikki@acme.example").await;
    let reads = &mut app.app.stores.db.read();
    let titles = &app.app.lifecycle.scoring.facts.titles;
    let facts = scoring::store::facts(reads, id, titles).await.expect("read").expect("known");
    let raw = scoring::store::activities(reads, id, embudo::base::time::Timestamp(0)).await.expect("read");
    let again = scoring::score(&app.app.lifecycle.scoring, &facts, &raw, app.now());
    assert_eq!(json!(again.engagement), told["score"]["engagement"]);
    assert!(rows.iter().any(|row| row["rule"] == "eng.pricing"), "{rows:?}");
    for row in &rows {
        let rule = row["rule"].as_str().expect("a rule");
        if rule.starts_with("cap.") {
            continue;
        }
        let evidence = [&row["evidence"], &row["first"]].into_iter().filter(|seen| !seen.is_null());
        let evidence: Vec<&Value> = evidence.collect();
        assert!(!evidence.is_empty(), "{row}");
        for seen in evidence {
            let event = raw.iter().find(|activity| json!(activity.id) == seen["activity"]);
            assert_eq!(event.map(|event| json!(event.at)), Some(seen["at"].clone()), "{row}");
            // Pages and visits are kept as hits, and are found by their ids like everything else.
            let path = format!(
                "/activities/{}?email=nikki%40acme.example",
                seen["activity"].as_str().expect("an id")
            );
            let found = program(&app, Method::GET, &path, "").await.expect_json(200);
            assert_eq!((&found["kind"], &found["at"]), (&seen["kind"], &seen["at"]), "{row}");
        }
    }
    // A condition names the first and the last of what it counted.
    let regular = rows.iter().find(|row| row["rule"] == "eng.regular").expect("three visits in a week");
    let visits: Vec<Value> =
        raw.iter().filter(|activity| activity.kind == "visit").map(|visit| json!(visit.at)).collect();
    assert!(visits.len() >= 3 && visits.contains(&regular["first"]["at"]), "{regular}");
    assert_eq!(visits.last(), Some(&regular["evidence"]["at"]));
    let nobody = format!("/activities/{}?email=nikki%40acme.example", embudo::base::ids::ActivityId::new());
    program(&app, Method::GET, &nobody, "").await.expect_problem(404, "activity.unknown");
    let sum: f64 = rows.iter().filter_map(|row| row["points"].as_f64()).sum();
    assert!((sum - told["score"]["engagement"]["points"].as_f64().expect("a number")).abs() < 1e-6);
}

#[tokio::test]
async fn the_past_is_told_as_it_was_and_the_future_as_time_will_make_it() {
    let app = TestApp::start_with(with_key).await;
    submit(&app.visitor(), "white-paper", "nikki@acme.example").await;
    let as_a_lead = app.now();
    let ask = async |path: String| program(&app, Method::GET, &path, "").await.expect_json(200);
    let then = ask("/explain?email=nikki%40acme.example".to_owned()).await;
    app.clock.advance(5 * DAY_MS);
    submit(&app.visitor(), "webinar", "nikki@acme.example").await;
    let now = ask("/explain?email=nikki%40acme.example".to_owned()).await;
    assert_eq!(now["stage"]["id"], "mql");
    let again = ask(format!("/explain?email=nikki%40acme.example&at={as_a_lead}")).await;
    assert_eq!(again["stage"]["id"], "lead");
    assert_eq!(again["score"], then["score"]);
    assert_eq!(again["next"]["misses"], then["next"]["misses"]);

    let at = due(&app, "cold").await.expect("due");
    let days = (at - app.now().as_ms()) / DAY_MS;
    let before = ask(format!("/simulate?email=nikki%40acme.example&at=%2B{days}d")).await;
    assert_eq!((&before["stage"], &before["moves"]), (&json!("mql"), &json!([])));
    let after = ask(format!("/simulate?email=nikki%40acme.example&at=%2B{}d", days + 1)).await;
    assert_eq!(after["stage"], "lead");
    assert_eq!((&after["moves"][0]["at"], &after["moves"][0]["rule"]), (&json!(at), &json!("back.cold.mql")));
    app.later((days + 1) * DAY_MS).await;
    assert_eq!(contact(&app, "nikki@acme.example").await.1, "lead", "and so it comes");
    let come = ask("/explain?email=nikki%40acme.example".to_owned()).await;
    let foretold = &after["explanation"]["score"]["engagement"];
    assert_eq!(&come["score"]["engagement"], foretold);
    // No moment, one that nobody lives to see, and one before she was known.
    for at in ["soon", "%2B99999999999d", "2020-01-01"] {
        program(&app, Method::GET, &format!("/simulate?email=nikki%40acme.example&at={at}"), "")
            .await
            .expect_problem(422, "lifecycle.question_invalid");
    }
}

#[tokio::test]
async fn trials_answer_and_write_nothing() {
    let app = TestApp::start_with(with_key).await;
    for email in ["nikki@acme.example", "pam@acme.example"] {
        submit(&app.visitor(), "webinar", email).await;
    }
    app.clock.advance(DAY_MS);
    decide(&app, "nikki@acme.example", "sdr", "accept", None).await.expect("accepted");
    app.clock.advance(1_000);
    decide(&app, "nikki@acme.example", "ae", "accept", None).await.expect("accepted");
    app.run_jobs().await;
    app.clock.advance(1_000);
    let before = app.census().await;
    let shipped = std::fs::read_to_string(repository("config/lifecycle.yaml")).expect("read");
    let strict =
        shipped.replace("event(\"webinar.registered\", \"90d\")", "count(\"webinar.registered\") >= 2");
    let tested = program(&app, Method::POST, "/backtest?since=30d", &strict).await.expect_json(200);
    assert_eq!(tested["contacts"], 2);
    assert_eq!(tested["running"]["true_positives"], 1);
    assert_eq!(tested["running"]["false_positives"], 1);
    assert_eq!(tested["model"]["false_negatives"], 1);
    assert_eq!(tested["leaving"].as_array().map(Vec::len), Some(2));
    let differing = program(&app, Method::POST, "/diff", &strict).await.expect_json(200);
    assert_eq!(differing["contacts"], 2);
    assert_eq!(differing["changes"][0]["email"], "pam@acme.example");
    assert_eq!(differing["changes"][0]["from_rule"], "mql.webinar");
    let lift = program(&app, Method::GET, "/lift?outcome=sal", "").await.expect_json(200);
    assert_eq!((&lift["won"], &lift["not_won"]), (&json!(1), &json!(1)));
    assert!(lift["rules"].as_array().expect("rules").iter().all(|rule| rule["is_insufficient"] == true));
    let wrong = strict.replace("points: 30", "points: many").replace("window: 90d", "windw: 90d");
    let problem =
        program(&app, Method::POST, "/backtest", &wrong).await.expect_problem(422, "lifecycle.model_invalid");
    assert!(problem["findings"].as_array().expect("findings").len() >= 3, "{problem}");
    for path in ["/backtest?stage=nothing", "/backtest?since=long"] {
        program(&app, Method::POST, path, &strict).await.expect_problem(422, "lifecycle.question_invalid");
    }
    app.client.send(Method::GET, "/api/v1/lifecycle/lift", None).await.expect_problem(401, "api.key_unknown");
    assert_eq!(app.census().await, before);
}

#[tokio::test]
async fn a_changed_definition_runs_only_when_both_sides_have_approved_its_very_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("lifecycle.yaml");
    let first = std::fs::read_to_string(repository("config/lifecycle.yaml")).expect("read").replace(
        "name: reading-programmes",
        "name: reading-programmes\napprovals: {required: [marketing, sales]}",
    );
    std::fs::write(&file, &first).expect("written");
    let app = TestApp::start_with(|settings| {
        with_key(settings);
        set(settings, "definitions", "lifecycle", file.display().to_string());
    })
    .await;
    for (email, role) in [
        ("marta@faro.example", Role::Marketing),
        ("mike@faro.example", Role::Sdr),
        ("cris@faro.example", Role::Cs),
    ] {
        join(&app, email, role).await;
    }
    submit(&app.visitor(), "webinar", "nikki@acme.example").await;
    let versions = async || program(&app, Method::GET, "/versions", "").await.expect_json(200);
    assert_eq!(versions().await["file"]["is_running"], true, "the first one runs at once");

    let changed = first.replace("count(\"visit\", \"7d\") >= 3", "count(\"visit\", \"7d\") >= 4");
    std::fs::write(&file, &changed).expect("written");
    let hash = versions().await["file"]["hash"].as_str().expect("a hash").to_owned();
    let mut keys = BTreeMap::new();
    for who in ["marta@faro.example", "mike@faro.example", "cris@faro.example"] {
        keys.insert(who, key_of(&app, who).await);
    }
    let approve = async |who: &str, hash: &str| approve_by(&app, &keys[who], hash, None).await;
    approve("marta@faro.example", &hash).await.expect_problem(409, "lifecycle.number_taken");
    // Without the rule nobody else gets round it: the running version still asks for both.
    let second = changed
        .replace("version: 1", "version: 2")
        .replace("approvals: {required: [marketing, sales]}\n", "");
    std::fs::write(&file, &second).expect("written");
    approve("marta@faro.example", &hash).await.expect_problem(409, "lifecycle.changed");
    let standing = versions().await["file"].clone();
    assert_eq!(standing["missing"], json!(["marketing", "sales"]));
    let hash = standing["hash"].as_str().expect("a hash").to_owned();
    approve("cris@faro.example", &hash).await.expect_problem(403, "lifecycle.no_side");
    // A key that is nobody's approves for nobody, and hers only for her: one key cannot be both sides.
    approve_by(&app, KEY, &hash, Some("marta@faro.example"))
        .await
        .expect_problem(403, "lifecycle.key_not_hers");
    approve_by(&app, KEY, &hash, None).await.expect_problem(403, "lifecycle.key_not_hers");
    let hers = &keys["marta@faro.example"];
    approve_by(&app, hers, &hash, Some("mike@faro.example"))
        .await
        .expect_problem(403, "lifecycle.key_not_hers");
    let by_name = approve_by(&app, hers, &hash, Some("marta@faro.example")).await.expect_json(200);
    assert_eq!(by_name["missing"], json!(["sales"]));
    assert_eq!(approve("marta@faro.example", &hash).await.expect_json(200)["missing"], json!(["sales"]));
    let activate = async |how: &str| {
        let body = json!({ "hash": hash, "re_evaluate": how }).to_string();
        program(&app, Method::POST, "/activation", &body).await
    };
    activate("all").await.expect_problem(409, "lifecycle.not_approved");
    assert_eq!(approve("mike@faro.example", &hash).await.expect_json(200)["missing"], json!([]));
    activate("perhaps").await.expect_problem(422, "lifecycle.question_invalid");

    let parse = |text: &str| {
        let report = Report::new();
        Definition::parse("lifecycle.yaml", text, &report).unwrap_or_else(|| panic!("{}", report.text()))
    };
    let db = &app.app.stores.db;
    let running =
        async |text: &str| versions::choose(&mut db.read(), parse(text)).await.expect("read").running.version;
    assert_eq!(running(&second).await, 1, "approved, but not activated");
    activate("all").await.expect_json(200);
    assert_eq!(running(&second).await, 2);
    assert_eq!(due(&app, "version").await, Some(app.now().as_ms()), "everybody is asked");
    stages::due::run(db, &parse(&first), app.now()).await.expect("looked at");
    assert_eq!(
        due(&app, "version").await,
        Some(app.now().as_ms()),
        "but not by a server that runs the old one"
    );
    assert_eq!(app.app.lifecycle.version, 2, "this one has taken it up without a restart");
    app.run_jobs().await;
    assert_eq!(due(&app, "version").await, None);
    let history = versions().await["history"].clone();
    assert_eq!((&history[0]["version"], &history[0]["reevaluate"]), (&json!(2), &json!("all")));
    assert_eq!((&history[1]["version"], &history[1]["actor"]), (&json!(1), &json!("start")));
}

#[tokio::test]
async fn a_proposed_version_runs_without_a_restart_once_both_sides_have_approved_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("lifecycle.yaml");
    let first = std::fs::read_to_string(repository("config/lifecycle.yaml")).expect("read").replace(
        "name: reading-programmes",
        "name: reading-programmes\napprovals: {required: [marketing, sales]}",
    );
    std::fs::write(&file, &first).expect("written");
    let app = TestApp::start_with(|settings| {
        with_key(settings);
        set(settings, "definitions", "lifecycle", file.display().to_string());
    })
    .await;
    join(&app, "marta@faro.example", Role::Marketing).await;
    join(&app, "mike@faro.example", Role::Sdr).await;
    let post = async |path: &str, body: &str| program(&app, Method::POST, path, body).await;
    let second = first.replace("version: 1", "version: 2").replace("require_bant: 0", "require_bant: 4");
    // Mistakes are told with their place, also what other files name.
    let wrong = post("/proposals", &second.replace("owner: sdr", "owner: sdrs")).await;
    let wrong = wrong.expect_problem(422, "lifecycle.model_invalid");
    assert!(wrong["findings"][0]["line"].as_i64().is_some_and(|line| line > 1), "{wrong}");
    let no_mql = second.replace("  - id: lead\n", "  - id: prospect2\n");
    post("/proposals", &no_mql).await.expect_problem(422, "lifecycle.model_invalid");
    let standing = post("/proposals?note=four%20answers", &second).await.expect_json(201);
    assert_eq!(standing["missing"], json!(["marketing", "sales"]));
    let hash = standing["hash"].as_str().expect("a hash").to_owned();
    let waiting = program(&app, Method::GET, "/versions", "").await.expect_json(200);
    assert_eq!(waiting["proposals"][0]["proposal"]["note"], "four answers");

    let activate = async || {
        post("/activation", &json!({ "hash": hash, "re_evaluate": "new-events-only" }).to_string()).await
    };
    activate().await.expect_problem(409, "lifecycle.not_approved");
    for who in ["marta@faro.example", "mike@faro.example"] {
        approve_by(&app, &key_of(&app, who).await, &hash, None).await.expect(200);
    }
    submit(&app.visitor(), "webinar", "nikki@acme.example").await;
    activate().await.expect(200);
    assert_eq!(app.app.lifecycle.version, 2, "no restart");
    let answer = decide(&app, "nikki@acme.example", "sdr", "accept", None).await;
    assert!(matches!(answer, Err(stages::Error::NothingToDecide { .. })), "four answers are needed now");
    let told = program(&app, Method::GET, "/versions", "").await.expect_json(200);
    assert_eq!((&told["running"]["version"], &told["proposals"]), (&json!(2), &json!([])));
    // The file is older than what people have activated: the next start does not go back to it.
    let parse = |text: &str| Definition::parse("lifecycle.yaml", text, &Report::new()).expect("valid");
    let loose = first.replace("approvals: {required: [marketing, sales]}\n", "");
    let chosen = versions::choose(&mut app.app.stores.db.read(), parse(&loose)).await.expect("read");
    assert_eq!((chosen.running.version, chosen.draft.is_some()), (2, true));

    let third = second.replace("version: 2", "version: 3");
    let hash = post("/proposals", &third).await.expect_json(201)["hash"].as_str().expect("a hash").to_owned();
    program(&app, Method::DELETE, &format!("/proposals/{hash}"), "").await.expect(200);
    let told = program(&app, Method::GET, "/versions", "").await.expect_json(200);
    assert_eq!(told["proposals"], json!([]));
}

#[tokio::test]
async fn whoever_proposes_by_a_key_of_her_own_passes_her_text_no_more_alone_than_in_the_console() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("lifecycle.yaml");
    let both = "owners: {marketing: marta@faro.example, sales: marta@faro.example}";
    let first = std::fs::read_to_string(repository("config/lifecycle.yaml")).expect("read").replace(
        "name: reading-programmes",
        &format!("name: reading-programmes\n{both}\napprovals: {{required: [marketing, sales]}}"),
    );
    std::fs::write(&file, &first).expect("written");
    let app = TestApp::start_with(|settings| {
        with_key(settings);
        set(settings, "definitions", "lifecycle", file.display().to_string());
    })
    .await;
    join(&app, "marta@faro.example", Role::Marketing).await;
    join(&app, "mike@faro.example", Role::Sdr).await;
    let hers = key_of(&app, "marta@faro.example").await;
    let program = app.client.with("authorization", &format!("Bearer {hers}"));
    let second = first.replace("version: 1", "version: 2").replace("require_bant: 0", "require_bant: 4");
    let body = Some(("application/json", second.into_bytes()));
    let standing = program.send(Method::POST, "/api/v1/lifecycle/proposals", body).await.expect_json(201);
    let hash = standing["hash"].as_str().expect("a hash").to_owned();
    let waiting = self::program(&app, Method::GET, "/versions", "").await.expect_json(200);
    let actor = waiting["proposals"][0]["proposal"]["actor"].as_str().expect("an actor").to_owned();
    assert!(actor.starts_with("account:"), "the text is hers: {actor}");
    let once = approve_by(&app, &hers, &hash, None).await.expect_json(200);
    assert_eq!(once["missing"], json!(["sales"]), "the other side is somebody else's");
    approve_by(&app, &hers, &hash, None).await.expect_problem(403, "lifecycle.author_alone");
    let his = key_of(&app, "mike@faro.example").await;
    assert_eq!(approve_by(&app, &his, &hash, None).await.expect_json(200)["missing"], json!([]));
}

#[tokio::test]
async fn the_command_line_tries_definitions_as_tables_and_as_json() {
    let app = app_with_files().await;
    submit(&app.visitor(), "webinar", "nikki@acme.example").await;
    let folder = tempfile::tempdir().expect("a folder");
    let strict = folder.path().join("strict.yaml");
    let shipped = repository("config/lifecycle.yaml");
    let text = std::fs::read_to_string(&shipped).expect("read");
    std::fs::write(
        &strict,
        text.replace("event(\"webinar.registered\", \"90d\")", "event(\"booking.confirmed\")"),
    )
    .expect("written");
    let (strict, shipped) = (strict.display().to_string(), shipped.display().to_string());
    let run = |arguments: &[&str]| {
        let config = app.folder().join("embudo.toml");
        let output = Command::new(env!("CARGO_BIN_EXE_embudo"))
            .args(["--config", &config.display().to_string(), "lifecycle"])
            .args(arguments)
            .output()
            .expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (output.status.success(), text(output.stdout), text(output.stderr))
    };
    // The program's clock is the system's: the app's lies elsewhere, so the period reaches far back.
    let (ok, table, noise) = run(&["backtest", "--model", &strict, "--since", "2020-01-01"]);
    assert!(ok, "{noise}");
    assert!(noise.is_empty(), "no progress into a pipe: {noise}");
    for part in ["precision", "recall", "days ahead, median", "Refused as evidence", "mql.webinar"] {
        assert!(table.contains(part), "{part} is missing in:\n{table}");
    }
    let (_, document, _) =
        run(&["backtest", "--model", &strict, "--since", "2020-01-01", "--format", "json"]);
    let document: Value = serde_json::from_str(&document).expect("JSON");
    assert!(document["refused"].as_array().is_some_and(|refused| !refused.is_empty()));
    let (ok, table, noise) = run(&["lift", "--since", "2020-01-01"]);
    assert!(ok && table.contains("insufficient") && table.contains("(looks ahead)"), "{table}{noise}");
    let (ok, table, noise) = run(&["diff", &shipped, &strict]);
    assert!(ok && table.contains("contacts would stand elsewhere"), "{table}{noise}");
    let (ok, text, noise) = run(&["simulate", "nikki@acme.example", "--at", "2030-01-01"]);
    assert!(
        ok && text.contains("If nothing happens any more") && text.contains("back.cold.mql"),
        "{text}{noise}"
    );
    let (ok, text, noise) = run(&["versions"]);
    assert!(ok && text.contains("version 1") && text.contains("runs"), "{text}{noise}");
    let (ok, _, said) = run(&["activate"]);
    assert!(!ok && said.contains("--re-evaluate all"), "{said}");
    let (ok, _, said) = run(&["backtest", "--model", "nothing.yaml"]);
    assert!(!ok && said.contains("nothing.yaml cannot be read"), "{said}");
}

#[tokio::test]
async fn a_fact_that_nobody_confirmed_for_two_years_counts_as_unknown() {
    let app = TestApp::start_with(with_key).await;
    submit(&app.visitor(), "white-paper", "nikki@acme.example").await;
    let (id, _) = contact(&app, "nikki@acme.example").await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let (trust, now) = (contacts::Trust::Claimed, app.now());
    contacts::set_field(&mut tx, id, "job_title", "VP People", "form", trust, now).await.expect("kept");
    tx.commit().await.expect("commits");
    let rules = async || {
        let told =
            program(&app, Method::GET, "/explain?email=nikki%40acme.example", "").await.expect_json(200);
        told["score"]["fit"]["rows"].to_string()
    };
    app.clock.advance(730 * DAY_MS - 1);
    assert!(rules().await.contains("fit.seniority"));
    app.clock.advance(1);
    assert!(!rules().await.contains("fit.seniority"));
}

#[tokio::test]
async fn what_a_machine_did_counts_nothing() {
    let app = TestApp::start_with(with_key).await;
    submit(&app.visitor(), "white-paper", "nikki@acme.example").await;
    let (id, _) = contact(&app, "nikki@acme.example").await;
    let downloads = async |verdict: &str| {
        let mut tx = app.app.stores.db.begin().await.expect("begins");
        let (now, props) = (app.now(), json!({ "verdict": verdict }));
        contacts::record(&mut tx, Some(id), None, "asset.downloaded", Some(verdict), props, now)
            .await
            .expect("recorded");
        tx.commit().await.expect("commits");
        let told =
            program(&app, Method::GET, "/explain?email=nikki%40acme.example", "").await.expect_json(200);
        let rows = told["score"]["engagement"]["rows"].as_array().expect("rows").clone();
        rows.iter().filter(|row| row["rule"] == "eng.download").count()
    };
    assert_eq!(downloads("machine").await, 0);
    assert_eq!(downloads("unsure").await, 0);
    assert_eq!(downloads("human").await, 1);
}

#[tokio::test]
async fn a_row_of_fit_names_what_it_read_and_who_said_it_and_what_is_missing_is_told_too() {
    let app = TestApp::start_with(with_key).await;
    for email in ["nikki@acme.example", "colleague@acme.example"] {
        submit(&app.visitor(), "white-paper", email).await;
    }
    let (nikki, _) = contact(&app, "nikki@acme.example").await;
    let (colleague, _) = contact(&app, "colleague@acme.example").await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    for (id, name, value, source, trust) in [
        (nikki, "job_title", "VP People", "console", Trust::Authenticated),
        (colleague, "employees", "60", "form", Trust::Claimed),
    ] {
        contacts::set_field(&mut tx, id, name, value, source, trust, app.now()).await.expect("set");
    }
    tx.commit().await.expect("commits");

    let path = "/explain?email=nikki%40acme.example";
    let told = program(&app, Method::GET, path, "").await.expect_json(200);
    let fact = |rows: &Value, rule: &str| {
        let rows = rows.as_array().expect("rows");
        rows.iter().find(|row| row["rule"] == rule).unwrap_or_else(|| panic!("no {rule}: {rows:?}"))["facts"]
            [0]
        .clone()
    };
    let fit = &told["score"]["fit"]["rows"];
    let at = json!(app.now());
    let title = json!({
        "field": "contact.seniority", "value": "vp", "of": "person", "source": "console", "trust": "authenticated",
        "at": at,
    });
    assert_eq!(fact(fit, "fit.seniority"), title);
    let size = json!({
        "field": "contact.employees", "value": "60", "of": "company", "source": "form", "trust": "claimed", "at": at,
    });
    assert_eq!(fact(fit, "fit.size"), size, "a colleague said it, and nobody else");
    assert_eq!(fact(fit, "fit.company_mail")["of"], "address");
    let missing = json!({ "field": "contact.industry", "value": "", "of": "nobody" });
    assert_eq!(fact(&told["fit_missing"], "fit.industry"), missing);

    let hired = crate::console::agent(&app, Role::Sdr).await;
    let page = hired.sees(&format!("/console/contacts/{nikki}")).await;
    for part in
        ["Employees: 60", "of the company", "said by form, claimed", "said by a colleague", "not known"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
}
