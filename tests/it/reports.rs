//! Reports about journeys: what the doors tell of a story that was lived, number by number.

use embudo::base::ids::ContactId;
use embudo::base::time::{DAY_MS, HOUR_MS};
use embudo::stages;
use serde_json::{Value, json};

use crate::gates::{contact, submit, with_fixtures};
use crate::support::answer::Answer;
use crate::support::app::{TestApp, set};

const KEY: &str = "the api key of the tests, long enough";

pub async fn start() -> TestApp {
    TestApp::start_with(|settings| {
        with_fixtures(settings);
        set(settings, "api", "keys", vec![KEY]);
    })
    .await
}

pub async fn ask(app: &TestApp, question: &str) -> Answer {
    let client = app.client.with("authorization", &format!("Bearer {KEY}"));
    client.get(&format!("/api/v1/reports/{question}")).await
}

pub async fn told(app: &TestApp, question: &str) -> Value {
    ask(app, question).await.expect_json(200)
}

async fn decide(app: &TestApp, contact: ContactId, what: (&str, &str), reason: Option<&str>) {
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let decision = stages::Decision {
        role: what.0.to_owned(),
        what: what.1.to_owned(),
        reason: reason.map(str::to_owned),
        actor: stages::Actor::Api,
    };
    stages::decide(&mut tx, &app.app.lifecycle, contact, &decision, app.now()).await.expect("decided");
    tx.commit().await.expect("commits");
}

/// Three leads by three campaigns. Nikki registers for the webinar and is taken on a day later, Eva is sent back, Ana
/// stays a lead.
pub async fn story(app: &TestApp) {
    for (name, campaign) in [("nikki", "autumn"), ("eva", "spring"), ("ana", "autumn")] {
        let visitor = app.visitor();
        let way = format!("/?utm_source=ads&utm_medium=cpc&utm_campaign={campaign}");
        visitor.visit(&way).await;
        app.later(HOUR_MS).await;
        submit(&visitor, "white-paper", &format!("{name}@acme.example")).await;
        if name != "ana" {
            submit(&visitor, "webinar", &format!("{name}@acme.example")).await;
        }
        app.run_jobs().await;
    }
    app.later(DAY_MS).await;
    let (nikki, _) = contact(app, "nikki@acme.example").await;
    let (eva, _) = contact(app, "eva@acme.example").await;
    decide(app, nikki, ("sdr", "accept"), None).await;
    decide(app, eva, ("sdr", "accept"), None).await;
    app.later(DAY_MS).await;
    decide(app, eva, ("sdr", "reject"), Some("timing")).await;
}

fn steps(told: &Value) -> Vec<(String, i64, Option<i64>)> {
    let step = |step: &Value| {
        (
            step["stage"].as_str().expect("a stage").to_owned(),
            step["reached"].as_i64().expect("a number"),
            step["went_on"].as_i64(),
        )
    };
    told.as_array().expect("steps").iter().map(step).collect()
}

#[tokio::test]
async fn the_funnel_tells_who_went_on_within_the_time_that_was_asked_for() {
    let app = start().await;
    story(&app).await;
    let month = told(&app, "funnel?within=30d").await;
    let of = |name: &str, reached, on| (name.to_owned(), reached, on);
    let total = steps(&month["total"]);
    assert_eq!(total[1], of("lead", 3, Some(2)));
    assert_eq!(total[2], of("mql", 2, Some(2)));
    assert_eq!(total[3], of("sql", 2, Some(0)));
    assert_eq!(month["total"][1]["share"], json!(0.6667));
    assert_eq!(month["cohorts"].as_array().map(Vec::len), Some(1));
    assert_eq!((&total[0], &month["strangers"]), (&of("visitor", 3, Some(3)), &json!(0)));
    // Who only comes stands above those who became leads; who allows no identifier cannot be told from others.
    for _ in 0..5 {
        app.visitor().visit("/precios").await.expect(202);
    }
    let mut silent = app.visitor();
    silent.consent = "none";
    silent.visit("/precios").await.expect(202);
    app.run_jobs().await;
    let month = told(&app, "funnel?within=30d").await;
    assert_eq!(steps(&month["total"])[0], of("visitor", 8, Some(3)));
    assert_eq!((&month["strangers"], &month["total"][0]["share"]), (&json!(5), &json!(0.375)));
    let earlier = told(&app, "funnel?from=2026-10-01&to=2026-10-31").await;
    assert_eq!(earlier["strangers"], json!(0));
    let text = ask(&app, "funnel?format=csv").await.expect(200).body;
    assert!(
        text.starts_with("week,stage,reached,went_on,share\r\n") && text.contains("total,mql,2,2,1\r\n"),
        "{text}"
    );
    ask(&app, "funnel?witin=30d").await.expect_problem(400, "report.question_invalid");
    ask(&app, "funnel?from=soon").await.expect_problem(400, "report.question_invalid");
    app.get("/api/v1/reports/funnel").await.expect_problem(401, "api.key_unknown");
}

#[tokio::test]
async fn velocity_tells_days_in_a_stage_and_the_way_to_sales() {
    let app = start().await;
    story(&app).await;
    let told = told(&app, "velocity?stage=sql").await;
    let stage = |name: &str| {
        let stages = told["stages"].as_array().expect("stages");
        stages.iter().find(|stage| stage["stage"] == name).expect("it is there").clone()
    };
    let mql = stage("mql");
    assert_eq!(mql["latest"]["n"], 2);
    let days = |ms: &Value| ms.as_i64().expect("a length") / DAY_MS;
    assert_eq!(days(&mql["latest"]["p50"]), 1);
    assert_eq!(stage("sql")["open"]["n"], 1, "Nikki is still there");
    assert_eq!((told["total"]["n"].as_i64(), days(&told["total"]["p90"])), (Some(2), 1));
}

#[tokio::test]
async fn credits_are_shared_by_campaign_and_add_up_and_costs_stand_beside_them() {
    let app = start().await;
    story(&app).await;
    for model in ["first", "last", "last_non_direct", "linear", "u_shape", "w_shape"] {
        let told = told(&app, &format!("attribution?stage=lead&by=campaign&model={model}")).await;
        let credits = told["credits"].as_array().expect("credits");
        let sum: f64 = credits.iter().map(|credit| credit["credit"].as_f64().expect("a number")).sum();
        assert_eq!((told["conversions"].as_i64(), sum), (Some(3), 3.0), "{model}");
        assert_eq!((&credits[0]["key"], &credits[0]["credit"]), (&json!("autumn"), &json!(2.0)), "{model}");
    }
    ask(&app, "attribution?model=magic").await.expect_problem(400, "report.question_invalid");
    ask(&app, "attribution?stage=nirvana").await.expect_problem(404, "stage.unknown");
    let day = jiff::Timestamp::from_millisecond(app.now().as_ms()).expect("a moment").strftime("%Y-%m-%d");
    let file =
        format!("day,source,campaign,amount,currency\n{day},ads,autumn,100,EUR\n{day},ads,winter,50,EUR\n");
    let client = app.client.with("authorization", &format!("Bearer {KEY}"));
    let body = Some(("text/csv", file.into_bytes()));
    client.send(reqwest::Method::POST, "/api/v1/costs", body).await.expect(200);
    let told = told(&app, "costs?model=first").await;
    let autumn = &told["campaigns"][0];
    assert_eq!((&autumn["campaign"], &autumn["cost_per"]["lead"]), (&json!("autumn"), &json!(5_000.0)));
    assert_eq!(autumn["cost_per"]["sql"], json!(10_000.0), "one of its two leads");
    assert_eq!(told["campaigns"][1]["cost_per"]["lead"], Value::Null);
    assert_eq!(told["total"][0]["cost_per"]["lead"], json!(5_000.0), "150 for three leads");
}

#[tokio::test]
async fn acceptance_tells_cells_and_reasons() {
    let app = start().await;
    story(&app).await;
    let told = told(&app, "acceptance").await;
    let numbers = ["handed_over", "accepted", "rejected"].map(|name| told[name].as_i64().expect(name));
    assert_eq!(numbers, [2, 1, 1]);
    assert_eq!(told["reasons"], json!([{"reason": "timing", "n": 1}]));
    assert_eq!(told["rate"], json!(0.5));
    let in_cells: i64 = told["cells"]
        .as_array()
        .expect("cells")
        .iter()
        .map(|cell| cell["handed_over"].as_i64().expect("a number"))
        .sum();
    assert_eq!(in_cells, 2);
}

#[tokio::test]
async fn no_shows_are_told_of_calls_whose_outcome_is_known() {
    let app = start().await;
    let told = told(&app, "no-shows").await;
    assert_eq!((&told["total"]["held"], &told["total"]["no_show_rate"]), (&json!(0), &Value::Null));
}

#[tokio::test]
async fn churn_tells_who_left_of_those_who_were_customers() {
    let app = start().await;
    story(&app).await;
    let (nikki, _) = contact(&app, "nikki@acme.example").await;
    for what in ["accept", "won"] {
        decide(&app, nikki, ("ae", what), None).await;
    }
    app.later(40 * DAY_MS).await;
    let track = app.app.lifecycle.post_sale.as_ref().expect("the shipped lifecycle has one");
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let by = stages::Actor::Api;
    stages::track::set(&mut tx, &app.app.lifecycle, nikki, "churned", Some("price"), by, app.now())
        .await
        .expect("she leaves");
    tx.commit().await.expect("commits");
    assert!(track.state("churned").is_some());
    let day =
        |ms: i64| jiff::Timestamp::from_millisecond(ms).expect("a moment").strftime("%Y-%m-%d").to_string();
    let (from, to) = (day(app.now().as_ms() - 7 * DAY_MS), day(app.now().as_ms()));
    let told = told(&app, &format!("churn?from={from}&to={to}")).await;
    assert_eq!((&told["at_start"], &told["lost"], &told["churn_rate"]), (&json!(1), &json!(1), &json!(1.0)));
    assert_eq!(told["reasons"], json!([{"reason": "price", "n": 1}]));
    ask(&app, "churn?lost=gone").await.expect_problem(400, "report.question_invalid");
}
