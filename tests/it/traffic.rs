//! Traffic reports: what was counted, what is told of it, and that all of it can be made again.

use embudo::base::time::{DAY_MS, MINUTE_MS, SECOND_MS};
use embudo::ingest;
use embudo::storage::db::Row;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::{TestApp, set};
use crate::support::visitor::Visitor;

const KEY: &str = "a-key-for-programs-of-the-tests";

async fn app() -> TestApp {
    TestApp::start_with(|settings| set(settings, "api", "keys", vec![KEY])).await
}

async fn ask(app: &TestApp, path: &str) -> Answer {
    let path = format!("/api/v1/traffic/faro/{path}");
    app.client.with("authorization", &format!("Bearer {KEY}")).get(&path).await
}

async fn told(app: &TestApp, path: &str) -> Value {
    ask(app, path).await.expect_json(200)
}

/// A hit other than a plain page view.
fn hit(visitor: &Visitor<'_>, path: &str, changes: Value) -> Value {
    let mut hit = visitor.hit(path);
    for (name, value) in changes.as_object().expect("members") {
        hit[name] = value.clone();
    }
    hit
}

/// Three people in two days: one reads and signs up, one leaves at once, one comes back by a letter.
async fn some_days(app: &TestApp) {
    let (reader, guest, other) = (app.visitor(), app.visitor(), app.visitor());
    let letter = "?utm_source=letter&utm_medium=email&utm_campaign=autumn";
    reader.report(&hit(&reader, "/", json!({ "referrer": "https://www.google.es/" }))).await.expect(202);
    app.clock.advance(30 * SECOND_MS);
    let looked = json!({ "name": "engagement", "engaged_ms": 20_000, "scroll": 80 });
    reader.report(&hit(&reader, "/", looked)).await.expect(202);
    reader.visit("/precios").await;
    let sign = json!({ "name": "signup", "props": { "plan": "team", "seats": 3 } });
    reader.report(&hit(&reader, "/precios", sign)).await.expect(202);
    guest.visit("/").await;
    app.run_jobs().await;
    app.clock.advance(DAY_MS);
    other.visit(&format!("/blog/uno{letter}")).await;
    app.clock.advance(MINUTE_MS);
    other.visit("/blog/dos").await;
    let again = "/precios?utm_source=ads&utm_medium=cpc&utm_campaign=winter";
    other.visit(again).await;
    reader.visit("/").await;
    let robot = app.client.with("user-agent", "Googlebot/2.1 (+http://www.google.com/bot.html)");
    robot.post("/v1/hit", &app.visitor().hit("/")).await.expect(202);
    app.run_jobs().await;
}

fn numbers(value: &Value) -> [i64; 4] {
    ["visitors", "visits", "views", "events"].map(|name| value[name].as_i64().expect(name))
}

#[tokio::test]
async fn the_summary_counts_people_visits_views_and_events_by_day() {
    let app = app().await;
    some_days(&app).await;
    let summary = told(&app, "summary?from=-2d&compare=previous").await;
    assert_eq!(numbers(&summary["total"]), [3, 4, 7, 1]);
    assert_eq!(summary["total"]["bounce_rate"], 50.0, "the guest, and the reader's second visit");
    let days: Vec<[i64; 4]> = summary["series"].as_array().expect("days").iter().map(numbers).collect();
    assert_eq!(days, [[0, 0, 0, 0], [2, 2, 3, 1], [2, 2, 4, 0]]);
    assert_eq!(summary["total"]["engaged_ms"], 5_000, "20 s over four visits");
    assert_eq!(numbers(&summary["compared"]["total"]), [0, 0, 0, 0]);
    let hours = told(&app, "summary?from=today&interval=hour").await;
    let hours = hours["series"].as_array().expect("hours").clone();
    assert_eq!(hours.len(), 24);
    let busy: Vec<&Value> = hours.iter().filter(|hour| hour["views"] != 0).collect();
    assert_eq!((busy.len(), numbers(busy[0])), (1, [2, 2, 4, 0]));
}

#[tokio::test]
async fn every_dimension_is_told_and_a_machine_counts_only_as_one() {
    let app = app().await;
    some_days(&app).await;
    for (dimension, expected) in [
        (
            "page",
            vec![
                ("/", [2, 3, 3, 0]),
                ("/precios", [2, 2, 2, 0]),
                ("/blog/uno", [1, 1, 1, 0]),
                ("/blog/dos", [1, 1, 1, 0]),
            ],
        ),
        ("entry", vec![("/", [2, 3, 4, 1]), ("/blog/uno", [1, 1, 3, 0])]),
        ("exit", vec![("/precios", [0, 2, 5, 1]), ("/", [0, 2, 2, 0])]),
        ("channel", vec![("direct", [2, 2, 2, 0]), ("email", [1, 1, 3, 0]), ("search", [1, 1, 2, 1])]),
        ("campaign", vec![("autumn", [1, 1, 3, 0])]),
        ("browser", vec![("Firefox", [3, 4, 7, 1])]),
        ("language", vec![("es-ES", [3, 4, 7, 1])]),
        ("country", vec![("(none)", [3, 4, 7, 1])]),
        ("event", vec![("signup", [1, 1, 0, 1])]),
        ("property", vec![("signup\tplan\tteam", [1, 0, 0, 1]), ("signup\tseats\t3", [1, 0, 0, 1])]),
        ("bot", vec![("user_agent", [1, 1, 1, 0])]),
    ] {
        let answer = told(&app, &format!("by/{dimension}?from=-2d")).await;
        let mut values: Vec<(&str, [i64; 4])> = answer["values"]
            .as_array()
            .expect("values")
            .iter()
            .map(|value| (value["value"].as_str().expect("a text"), numbers(value)))
            .collect();
        let mut expected = expected;
        values.sort_unstable();
        expected.sort_unstable();
        assert_eq!(values, expected, "{dimension}");
    }
    let page = told(&app, "by/page?from=-2d&limit=1").await["values"][0].clone();
    assert_eq!(
        (&page["scroll"], &page["engaged_ms"]),
        (&json!(26), &json!(6_666)),
        "80 % and 20 s over three visits"
    );
}

#[tokio::test]
async fn filters_narrow_and_without_them_the_visits_say_what_the_counts_say() {
    let app = app().await;
    some_days(&app).await;
    let total =
        async |filter: &str| numbers(&told(&app, &format!("summary?from=-2d{filter}")).await["total"]);
    assert_eq!(total("&filter=page:/precios").await, [2, 2, 5, 1]);
    assert_eq!(total("&filter=page:/blog/*").await, [1, 1, 3, 0]);
    assert_eq!(total("&filter=!channel:direct").await, [2, 2, 5, 1]);
    assert_eq!(total("&filter=event:signup&filter=source:google.es").await, [1, 1, 2, 1]);
    assert_eq!(total("&filter=country:(none)|ES").await, total("").await);
    assert_eq!(total("&filter=page:/nowhere").await, [0, 0, 0, 0]);
    // A filter that everybody passes makes the visits be read one by one.
    for path in [
        "summary?from=-2d",
        "summary?from=today&interval=hour",
        "by/page?from=-2d",
        "by/entry?from=-2d",
        "by/source?from=-2d",
        "by/event?from=-2d",
        "by/exit?from=-2d",
    ] {
        let counted = told(&app, path).await;
        let scanned = told(&app, &format!("{path}&filter=browser:Firefox")).await;
        for member in ["total", "series", "values"] {
            assert_eq!(counted[member], scanned[member], "{path}: {member}");
        }
    }
}

#[tokio::test]
async fn goals_and_funnels_follow_people() {
    let app = app().await;
    some_days(&app).await;
    let goals = told(&app, "goals?from=-2d&goal=event:signup&goal=page:/precios").await;
    assert_eq!(
        goals["goals"],
        json!([
            { "goal": "event:signup", "visits": 1, "rate": 25.0 },
            { "goal": "page:/precios", "visits": 2, "rate": 50.0 },
        ])
    );
    let scanned = told(&app, "goals?from=-2d&goal=event:sign*&goal=page:/precios").await;
    assert_eq!(scanned["goals"][0]["visits"], 1);
    let funnel = told(&app, "funnel?from=-2d&step=page:/&step=page:/precios&step=event:signup").await;
    let people: Vec<&Value> =
        funnel["steps"].as_array().expect("steps").iter().map(|step| &step["visitors"]).collect();
    assert_eq!(people, [2, 1, 1], "the reader and the guest; the other one never saw the home page");
    assert_eq!(funnel["steps"][1]["of_first"], 50.0);
}

#[tokio::test]
async fn a_campaign_that_brings_a_visitor_back_is_a_touch_and_no_new_visit() {
    let app = app().await;
    some_days(&app).await;
    let visits = app.rows("select trail from visits order by started_at").await;
    let trails: Vec<embudo::sessions::Trail> = visits
        .iter()
        .map(|row| postcard::from_bytes(&row.get::<Vec<u8>>("trail").expect("bytes")).expect("a trail"))
        .collect();
    let touched: Vec<usize> = trails.iter().map(|trail| trail.touches.len()).collect();
    assert_eq!(touched.iter().sum::<usize>(), 1, "the advertisement after the letter: {touched:?}");
}

#[tokio::test]
async fn who_is_here_now_is_told_and_who_has_gone_is_not() {
    let app = app().await;
    some_days(&app).await;
    let live = told(&app, "live").await;
    assert_eq!(live["visitors"], 2);
    assert_eq!(live["views"].as_array().expect("minutes").iter().filter_map(Value::as_i64).sum::<i64>(), 4);
    assert_eq!(live["pages"][0]["visitors"], 1);
    app.clock.advance(6 * MINUTE_MS);
    assert_eq!(told(&app, "live").await["visitors"], 0);
}

#[tokio::test]
async fn tables_are_csv_and_what_cannot_be_understood_is_said() {
    let app = app().await;
    some_days(&app).await;
    let csv = ask(&app, "by/page?from=-2d&format=csv").await.expect(200);
    assert!(csv.header("content-type").starts_with("text/csv"));
    assert!(
        csv.body.starts_with("page,visitors,visits,views,events,bounce_rate,engaged_ms,scroll\r\n/,2,3,3,0,")
    );
    for wrong in [
        "summary?from=soon",
        "summary?filter=planet:Mars",
        "summary?form=today",
        "by/page?limit=0",
        "goals",
        "funnel?step=page:/",
        "summary?from=-90d&interval=hour",
        "summary?from=today&to=-3d",
    ] {
        assert_eq!(ask(&app, wrong).await.expect_json(422)["code"], "traffic.question_invalid", "{wrong}");
    }
    assert_eq!(ask(&app, "by/planet").await.expect_json(404)["code"], "traffic.dimension_unknown");
    assert_eq!(app.get("/api/v1/traffic/faro/summary").await.expect_json(401)["code"], "api.key_unknown");
}

/// Every row of what is counted.
async fn tables(app: &TestApp) -> String {
    let mut text = String::new();
    for query in [
        "select * from visits order by id",
        "select * from traffic_hours order by site, hour",
        "select * from traffic_days order by site, dimension, day, value",
        "select * from traffic_closed order by site, dimension, day",
        "select * from traffic_resting order by site, dimension, day",
    ] {
        let rows: Vec<Row> = app.rows(query).await;
        text.push_str(&format!("{query}: {} rows\n{rows:?}\n", rows.len()));
    }
    text
}

#[tokio::test]
async fn what_is_counted_can_be_made_again_and_is_the_same_also_when_days_have_closed() {
    let app = app().await;
    some_days(&app).await;
    app.clock.advance(4 * DAY_MS);
    let late = app.visitor();
    let mut old = late.hit("/late");
    old["age_ms"] = json!(23 * 60 * MINUTE_MS);
    late.report(&old).await.expect(202);
    late.visit("/").await;
    app.run_jobs().await;
    assert!(app.count("traffic_closed").await > 10, "days are closed");
    let before = tables(&app).await;
    let summary = told(&app, "summary?from=-10d").await;
    assert_eq!(numbers(&summary["total"]), [4, 6, 9, 1]);
    ingest::start_over(&app.app.stores.hits, &app.app.words, &app.app.sites).await.expect("thrown away");
    assert_eq!(app.count("visits").await, 0);
    app.run_jobs().await;
    assert_eq!(tables(&app).await, before);
    assert_eq!(told(&app, "summary?from=-10d").await, summary);
}

#[tokio::test]
async fn rows_are_counted_where_they_are_written_and_it_comes_to_the_same() {
    let app = app().await;
    // On PostgreSQL whoever follows the rows counts them.
    if app.app.stores.hits.engine() != "sqlite" {
        return;
    }
    let visitor = app.visitor();
    for day in 0..5 {
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let carrying = app.app.clone();
        let carrier = tokio::spawn(async move { ingest::carry(carrying.following(), stopped).await });
        for path in ["/", "/precios", "/"] {
            visitor.visit(path).await;
            app.clock.advance(MINUTE_MS);
        }
        let twice = hit(&visitor, "/", json!({ "name": "signup", "props": { "plan": "team" } }));
        visitor.report(&json!([twice, twice])).await.expect(202);
        stop.send(true).expect("it carries");
        carrier.await.expect("ended");
        let (counted, rows) = ingest::progress(&app.app.stores).await.expect("told");
        assert_eq!(counted, rows, "nobody else has counted");
        assert_eq!(app.count("hits").await, 4 * (day + 1));
        app.clock.advance(DAY_MS);
    }
    let before = tables(&app).await;
    assert!(app.count("traffic_closed").await > 10, "days are closed");
    ingest::start_over(&app.app.stores.hits, &app.app.words, &app.app.sites).await.expect("thrown away");
    app.run_jobs().await;
    assert_eq!(tables(&app).await, before);
}

#[tokio::test]
async fn a_day_that_is_over_rests_before_it_is_closed_and_tells_the_same() {
    let app = app().await;
    some_days(&app).await;
    let everything = async || {
        let mut told_of = Vec::new();
        for question in ["by/page", "by/entry", "by/exit", "by/source", "by/event"] {
            told_of.push(told(&app, &format!("{question}?from=-20d")).await["values"].clone());
        }
        told_of.push(told(&app, "summary?from=-20d").await["total"].clone());
        told_of
    };
    let mut expected = everything().await;
    for turn in 1..=4 {
        app.clock.advance(DAY_MS);
        // What counts nothing, so that the day turns.
        let visitor = app.visitor();
        visitor.report(&hit(&visitor, "/", json!({ "name": "engagement" }))).await.expect(202);
        app.run_jobs().await;
        assert_eq!(everything().await, expected, "day {turn} after");
        assert_eq!(app.count("traffic_resting").await > 0, turn < 3, "day {turn} after");
        if turn == 1 {
            assert_eq!(app.count("traffic_days").await, 0, "all of it is packed");
            let other = app.visitor();
            let late = hit(&other, "/precios", json!({ "age_ms": 23 * 60 * MINUTE_MS }));
            other.report(&late).await.expect(202);
            app.run_jobs().await;
            let grown = everything().await;
            assert_ne!(grown, expected, "it counts though its day rests");
            expected = grown;
        }
    }
    assert!(app.count("traffic_closed").await > 10, "days are closed");
}

#[tokio::test]
async fn a_page_view_that_is_sent_twice_counts_once() {
    let app = app().await;
    let visitor = app.visitor();
    let hit = visitor.hit("/");
    visitor.report(&hit).await.expect(202);
    app.run_jobs().await;
    visitor.report(&hit).await.expect(202);
    visitor.report(&json!([hit, hit])).await.expect(202);
    app.run_jobs().await;
    assert_eq!(numbers(&told(&app, "summary?from=today").await["total"]), [1, 1, 1, 0]);
}

#[tokio::test]
async fn rows_are_kept_as_long_as_the_site_says_and_counts_for_ever() {
    let app = TestApp::start_with(|settings| {
        set(settings, "api", "keys", vec![KEY]);
        let sites = settings["site"].as_array_mut().expect("sites");
        sites[0].as_table_mut().expect("a site").insert("keep_days".to_owned(), 10.into());
    })
    .await;
    some_days(&app).await;
    app.clock.advance(10 * DAY_MS);
    app.visitor().visit("/later").await;
    app.run_jobs().await;
    // The jobs have let go already: ten days ago is kept, eleven days ago is not.
    let (visits, hits) = (app.count("visits").await, app.count("hits").await);
    assert_eq!((visits, hits), (4, 6), "of the first day nothing is left");
    let summary = told(&app, "summary?from=-20d").await;
    assert_eq!(numbers(&summary["total"]), [4, 5, 8, 1], "and everything is still counted");
    let stores = &app.app.stores;
    let outdated =
        ingest::retain(stores, &app.app.words, &app.app.sites, app.now(), true).await.expect("told");
    assert_eq!((outdated[0].surplus.hits, outdated[0].keep_days), (0, 10));
    ingest::start_over(&stores.hits, &app.app.words, &app.app.sites).await.expect("thrown away");
    app.run_jobs().await;
    assert_eq!(
        told(&app, "summary?from=-20d").await,
        summary,
        "what is made again adds nothing to days that are over"
    );
}
