//! Segments, and that what somebody does on the site reaches scores, stages and segments by itself.

use embudo::base::time::{DAY_MS, MINUTE_MS};
use serde_json::Value;

use crate::gates::{contact, submit, with_fixtures};
use crate::support::app::{TestApp, repository, set};

const KEY: &str = "the api key of the tests, long enough";

async fn start() -> TestApp {
    TestApp::start_with(|settings| {
        with_fixtures(settings);
        let path = repository("tests/it/fixtures/segments.yaml");
        set(settings, "definitions", "segments", path.display().to_string());
        set(settings, "api", "keys", vec![KEY]);
    })
    .await
}

async fn members(app: &TestApp, segment: &str) -> Vec<String> {
    let client = app.client.with("authorization", &format!("Bearer {KEY}"));
    let told = client.get(&format!("/api/v1/segments/{segment}/members")).await.expect_json(200);
    let members = told["members"].as_array().expect("a list").iter();
    members.map(|member| member["email"].as_str().expect("a text").to_owned()).collect()
}

async fn events(app: &TestApp, kind: &str) -> usize {
    let rows = app.rows("select kind from events").await;
    rows.iter().filter(|row| row.get::<String>("kind").expect("a text") == kind).count()
}

#[tokio::test]
async fn reading_alone_brings_a_known_person_into_a_segment_and_time_takes_her_out() {
    let app = start().await;
    let nikki = app.visitor();
    submit(&nikki, "white-paper", "nikki@acme.example").await;
    app.run_jobs().await;
    assert_eq!(members(&app, "readers").await, Vec::<String>::new());
    for page in ["/a", "/b", "/c"] {
        nikki.visit(page).await;
    }
    app.later(5_000).await;
    assert_eq!(members(&app, "readers").await, ["nikki@acme.example"]);
    assert_eq!(events(&app, "segment_entered").await, 2, "readers and leads");
    let (id, _) = contact(&app, "nikki@acme.example").await;
    let client = app.client.with("authorization", &format!("Bearer {KEY}"));
    let told = client.get(&format!("/api/v1/contacts/{id}/segments")).await.expect_json(200);
    assert_eq!(
        (&told["segments"][0]["segment"], &told["segments"][0]["is_member"]),
        (&Value::from("readers"), &Value::from(true))
    );
    assert!(told["segments"][0]["due_at"].as_i64() > Some(app.now().as_ms()));
    app.later(7 * DAY_MS).await;
    assert_eq!(members(&app, "readers").await, Vec::<String>::new());
    assert_eq!(events(&app, "segment_left").await, 1);
}

#[tokio::test]
async fn visits_to_the_prices_make_an_mql_of_whoever_fits_though_nothing_else_happens() {
    let app = start().await;
    let nikki = app.visitor();
    submit(&nikki, "white-paper", "nikki@acme.example").await;
    let (id, stage) = contact(&app, "nikki@acme.example").await;
    assert_eq!(stage, "lead");
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let trust = embudo::contacts::Trust::Confirmed;
    for (name, value) in [("job_title", "VP People"), ("employees", "300"), ("industry", "education")] {
        embudo::contacts::set_field(&mut tx, id, name, value, "chat", trust, app.now()).await.expect("set");
    }
    tx.commit().await.expect("commits");
    for _ in 0..3 {
        app.later(DAY_MS).await;
        nikki.visit("/pricing").await;
    }
    app.later(MINUTE_MS).await;
    assert_eq!(contact(&app, "nikki@acme.example").await.1, "mql");
    assert_eq!(members(&app, "qualified").await, ["nikki@acme.example"]);
}

#[tokio::test]
async fn an_unknown_visitor_and_a_machine_leave_no_mark() {
    let app = start().await;
    app.visitor().visit("/a").await;
    let robot = app.client.with("user-agent", "Googlebot/2.1 (+http://www.google.com/bot.html)");
    robot.post("/v1/hit", &app.visitor().hit("/")).await.expect(202);
    app.later(5_000).await;
    assert_eq!(app.count("contact_marks").await, 0);
    assert_eq!(app.count("segment_states").await, 0);
}

#[tokio::test]
async fn the_list_tells_people_conditions_and_what_asking_costs() {
    let app = start().await;
    submit(&app.visitor(), "white-paper", "nikki@acme.example").await;
    app.later(5_000).await;
    let client = app.client.with("authorization", &format!("Bearer {KEY}"));
    let told = client.get("/api/v1/segments").await.expect_json(200);
    let leads = told["segments"].as_array().expect("a list").iter().find(|one| one["id"] == "leads");
    let leads = leads.expect("it is a fixture");
    assert_eq!((&leads["members"], &leads["complete"]), (&Value::from(1), &Value::from(true)));
    assert!(leads["evaluations"].as_u64() > Some(0) && leads["mean_us"].as_f64() > Some(0.0));
    app.get("/api/v1/segments").await.expect_problem(401, "api.key_unknown");
    client.get("/api/v1/segments/nobody/members").await.expect_problem(404, "segment.unknown");
}
