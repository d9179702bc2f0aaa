//! What content is about and what follows from it; what programs tell; other names of stages; calls to action.

use embudo::accounts::{self, NewAccount, Role};
use embudo::base::ids::new_key;
use embudo::base::language::Language;
use embudo::base::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use embudo::contacts::{self, Trust};
use embudo::stages::{self, Actor, Decision, Explanation};
use reqwest::Method;
use serde_json::{Value, json};

use crate::gates::{contact, filled, submit, with_fixtures};
use crate::support::answer::{Answer, Client};
use crate::support::app::{SITE, TestApp, repository, set};

const KEY: &str = "the api key of the tests, long enough";
const NIKKI: &str = "nikki@acme.example";

fn tagged(settings: &mut toml::Table) {
    with_fixtures(settings);
    let path = repository("tests/it/fixtures/tagged.yaml");
    set(settings, "definitions", "content", path.display().to_string());
    set(settings, "definitions", "lifecycle", lifecycle_with("aliases: [suspect]", "aliases: [suspect]"));
    set(settings, "api", "keys", vec![KEY]);
}

/// The shipped lifecycle in which customers are also called clients, with a further change, in a file of its own.
fn lifecycle_with(from: &str, to: &str) -> String {
    let text = include_str!("../../config/lifecycle.yaml");
    assert!(text.contains(from));
    let text = text.replacen(from, to, 1);
    let text = text.replacen("  - id: customer\n", "  - id: customer\n    aliases: [client]\n", 1);
    let folder = tempfile::tempdir().expect("a folder").keep();
    let path = folder.join("lifecycle.yaml");
    std::fs::write(&path, text).expect("written");
    path.display().to_string()
}

async fn start() -> TestApp {
    TestApp::start_with(tagged).await
}

fn api(app: &TestApp) -> Client {
    app.client.with("authorization", &format!("Bearer {KEY}"))
}

async fn posted(app: &TestApp, path: &str, body: &Value) -> Answer {
    api(app).send(Method::POST, path, Some(("application/json", body.to_string().into_bytes()))).await
}

async fn tell(app: &TestApp, event: &Value) -> Answer {
    posted(app, "/api/v1/events", event).await
}

async fn explained(app: &TestApp, email: &str) -> Explanation {
    let (id, _) = contact(app, email).await;
    let told = stages::explain(&mut app.app.stores.db.read(), &app.app.lifecycle, id, app.now()).await;
    told.expect("explained")
}

/// The points of a rule's rows.
fn points(told: &Explanation, rule: &str) -> Vec<f64> {
    let rows = told.score.fit.rows.iter().chain(&told.score.engagement.rows);
    rows.filter(|row| row.rule == rule).map(|row| row.full_points).collect()
}

async fn decide(app: &TestApp, email: &str, role: &str, what: &str) {
    let (id, _) = contact(app, email).await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let decision = Decision { role: role.to_owned(), what: what.to_owned(), reason: None, actor: Actor::Api };
    stages::decide(&mut tx, &app.app.lifecycle, id, &decision, app.now()).await.expect("decided");
    tx.commit().await.expect("commits");
}

/// A lead who went all the way and bought.
async fn customer(app: &TestApp, email: &str) {
    submit(&app.visitor(), "white-paper", email).await;
    decide(app, email, "sdr", "accept").await;
    app.clock.advance(1_000);
    decide(app, email, "ae", "accept").await;
    app.clock.advance(1_000);
    decide(app, email, "ae", "won").await;
    app.run_jobs().await;
    assert_eq!(contact(app, email).await.1, "customer");
}

async fn fits(app: &TestApp, email: &str) {
    let (id, _) = contact(app, email).await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    for (name, value) in [("job_title", "VP People"), ("employees", "300"), ("industry", "education")] {
        contacts::set_field(&mut tx, id, name, value, "chat", Trust::Confirmed, app.now())
            .await
            .expect("set");
    }
    tx.commit().await.expect("commits");
}

async fn log_in(app: &TestApp, role: Role) -> (Client, String) {
    let password = "a lighthouse at night";
    let email = format!("{}@faro.example", role.word());
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let new = NewAccount { email: &email, name: "Mike", role, language: Language::En, password };
    accounts::add(&mut tx, &new, app.now()).await.expect("added");
    tx.commit().await.expect("commits");
    let fields = [("email", email.as_str()), ("password", password), ("next", "/console")];
    let answer = app.client.submit("/console/login", &fields).await.expect(303);
    let cookie = answer.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    let client = app.client.with("cookie", &cookie).with("sec-fetch-site", "same-origin");
    let page = client.get("/console").await.expect(200).body;
    let csrf = page.split("name=\"csrf\" content=\"").nth(1).and_then(|rest| rest.split('"').next());
    (client, csrf.expect("every page has the token").to_owned())
}

// --- what content is about -------------------------------------------------------------------------

#[tokio::test]
async fn late_signs_show_in_the_explanation_with_the_page_that_gave_them() {
    let app = start().await;
    let nikki = app.visitor();
    submit(&nikki, "white-paper", NIKKI).await;
    nikki.visit("/blog/one").await;
    app.later(MINUTE_MS).await;
    let told = explained(&app, NIKKI).await;
    assert!(points(&told, "eng.late").is_empty(), "a blog is no late sign");
    nikki.visit("/entrega/tarifas").await;
    app.later(MINUTE_MS).await;
    let told = explained(&app, NIKKI).await;
    assert_eq!(points(&told, "eng.late"), [5.0]);
    let row = told.score.engagement.rows.iter().find(|row| row.rule == "eng.late").expect("a row");
    let evidence = row.evidence.as_ref().expect("it names its page");
    assert_eq!((evidence.kind.as_str(), evidence.subject.as_deref()), ("page", Some("/entrega/tarifas")));
    // Prices and a quote are late signs as well, each of its day.
    app.later(DAY_MS).await;
    let mut quote = nikki.hit("/contact");
    quote["name"] = json!("quote asked");
    nikki.report(&quote).await.expect(202);
    app.later(DAY_MS).await;
    nikki.visit("/pricing").await;
    app.later(MINUTE_MS).await;
    let told = explained(&app, NIKKI).await;
    assert_eq!(points(&told, "eng.late").len(), 3);
    let level = told.reads.level.map(embudo::scoring::tags::Level::word);
    assert_eq!(level, Some("late"));
}

#[tokio::test]
async fn whoever_saw_only_early_content_never_becomes_an_sql_by_herself() {
    let app = start().await;
    let nikki = app.visitor();
    submit(&nikki, "white-paper", NIKKI).await;
    fits(&app, NIKKI).await;
    for day in 0..40 {
        for page in ["/blog/a", "/blog/b", "/habits"] {
            nikki.visit(&format!("{page}?{day}")).await;
        }
        if day % 10 == 0 {
            submit(&nikki, "white-paper", NIKKI).await;
        }
        app.later(DAY_MS).await;
    }
    let told = explained(&app, NIKKI).await;
    assert_eq!(told.reads.level.map(embudo::scoring::tags::Level::word), Some("early"));
    assert!(told.score.engagement.points >= 35.0, "she reads a lot: {}", told.score.engagement.points);
    let stages: Vec<&str> = told.history.iter().map(|passage| passage.id.as_str()).collect();
    assert_eq!(stages, ["visitor", "lead", "mql"], "as far as reading leads");
    // What is missing is sales' sign, and no amount of reading stands for it.
    let missing = &told.next.expect("an SQL comes next").misses;
    assert!(missing.iter().all(|miss| miss.needs.iter().all(|need| {
        let words = need.words();
        !words.en.contains("engagement")
    })));
}

#[tokio::test]
async fn conditions_ask_for_levels_and_topics_and_a_segment_follows_what_is_read() {
    let segments = tempfile::NamedTempFile::new().expect("a file");
    let text = r#"
segments:
  - {id: near, label: Near, if: content.level == "late"}
  - {id: clubs, label: Clubs, if: 'count("topic.clubs", "30d") >= 2'}
  - {id: studies, label: Studies, if: 'event("kind.study", "7d") && content.level != "late"'}
"#;
    std::fs::write(segments.path(), text).expect("written");
    let path = segments.path().display().to_string();
    let app = TestApp::start_with(|settings| {
        tagged(settings);
        set(settings, "definitions", "segments", path);
    })
    .await;
    let of = async || {
        let (id, _) = contact(&app, NIKKI).await;
        let told = api(&app).get(&format!("/api/v1/contacts/{id}/segments")).await.expect_json(200);
        let all = told["segments"].as_array().expect("a list").clone();
        let own = all.into_iter().filter(|one| one["is_member"] == json!(true));
        let mut own: Vec<String> =
            own.map(|one| one["segment"].as_str().expect("a name").to_owned()).collect();
        own.sort();
        own
    };
    let nikki = app.visitor();
    submit(&nikki, "white-paper", NIKKI).await;
    nikki.visit("/blog/one").await;
    app.later(MINUTE_MS).await;
    assert_eq!(of().await, ["studies"]);
    nikki.visit("/blog/two").await;
    app.later(MINUTE_MS).await;
    assert_eq!(of().await, ["clubs", "studies"]);
    nikki.visit("/delivery").await;
    app.later(MINUTE_MS).await;
    assert_eq!(of().await, ["clubs", "near"]);
    app.later(31 * DAY_MS).await;
    assert_eq!(of().await, ["near"], "topics fade with their window, what was seen does not");
}

#[tokio::test]
async fn a_file_that_is_meant_for_some_stages_goes_to_nobody_else() {
    let app = start().await;
    submit(&app.visitor(), "white-paper", NIKKI).await;
    app.run_jobs().await;
    assert_eq!(app.count("mails").await, 0, "a lead is no client");
    customer(&app, "ana@acme.example").await;
    let before = app.count("mails").await;
    app.later(HOUR_MS).await;
    submit(&app.visitor(), "white-paper", "ana@acme.example").await;
    app.run_jobs().await;
    let mails = app.rows("select recipient, text_body from mails order by sent_at desc, id desc").await;
    assert_eq!(app.count("mails").await, before + 1);
    assert_eq!(mails[0].get::<String>("recipient").expect("a text"), "ana@acme.example");
    assert!(mails[0].get::<String>("text_body").expect("a text").contains("/d/"));
}

#[tokio::test]
async fn her_page_tells_what_she_reads_most_and_how_interested_she_was_in_each_stage() {
    let app = start().await;
    let nikki = app.visitor();
    nikki.visit("/").await;
    app.later(MINUTE_MS).await;
    submit(&nikki, "white-paper", NIKKI).await;
    for page in ["/blog/a", "/blog/b", "/habits", "/delivery", "/precios", "/precios/empresas"] {
        nikki.visit(page).await;
    }
    app.later(HOUR_MS).await;
    submit(&nikki, "webinar", NIKKI).await;
    app.later(HOUR_MS).await;
    let told = explained(&app, NIKKI).await;
    let names: Vec<(&str, usize)> =
        told.reads.topics.iter().map(|topic| (topic.label.en.as_str(), topic.times)).collect();
    assert_eq!(names, [("Habits", 3), ("Reading clubs", 2), ("Prices", 2)]);
    assert_eq!(told.reads.kinds[0].label.en, "Studies");
    let levels: Vec<(&str, Option<u8>)> =
        told.history.iter().map(|p| (p.id.as_str(), p.engagement.map(|(level, _)| level))).collect();
    assert_eq!(levels, [("visitor", Some(4)), ("lead", Some(3)), ("mql", Some(2))]);

    let (mike, _) = log_in(&app, Role::Sdr).await;
    let (id, _) = contact(&app, NIKKI).await;
    let page = mike.get(&format!("/console/contacts/{id}")).await.expect(200).body;
    for part in
        ["Interest in each stage", "level 3 of 4", "level 2 of 4", "Reads most", "Habits", "Reading clubs"]
    {
        assert!(page.contains(part), "{part} is missing");
    }
    assert!(page.contains("about to decide"));
    // Whoever objects to being profiled has no favourites.
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    contacts::set_profiling_off(&mut tx, id, Some(app.now())).await.expect("noted");
    tx.commit().await.expect("commits");
    assert_eq!(explained(&app, NIKKI).await.reads, Default::default());
}

#[tokio::test]
async fn the_console_lists_files_of_one_kind() {
    let app = start().await;
    let (mike, _) = log_in(&app, Role::Marketing).await;
    let lists = async |path: &str| {
        let page = mike.get(path).await.expect(200).body;
        let row = |file: &str| page.contains(&format!("<span class=\"muted small\">{file}</span>"));
        (row("reading-guide"), row("a-study"), page)
    };
    let (guide, study, page) = lists("/console/content").await;
    assert!(
        guide && study && page.replace("&#x3D;", "=").contains("kind=study"),
        "both, and a way to each kind"
    );
    let (guide, study, page) = lists("/console/content?kind=study").await;
    assert!(!guide && study && page.contains("Reading clubs"), "its topics are told in words");
    let (guide, study, page) = lists("/console/content?kind=nothing").await;
    assert!(!guide && !study && page.contains("No files yet"));
}

// --- what programs tell ----------------------------------------------------------------------------

#[tokio::test]
async fn a_program_tells_what_no_page_can_and_the_same_event_once() {
    let app = start().await;
    let nikki = app.visitor();
    submit(&nikki, "white-paper", NIKKI).await;
    let (id, _) = contact(&app, NIKKI).await;
    let kept = async || {
        let rows = app
            .rows("select kind from activities where kind not in ('page', 'form.submitted') order by kind")
            .await;
        rows.iter().map(|row| row.get::<String>("kind").expect("a text")).collect::<Vec<_>>()
    };
    let forged = [
        "purchase",
        "complaint",
        "interest.new_product",
        "interest.x",
        "email.replied",
        "crm.won",
        "server.x",
        "content.late",
        "topic.prices",
        "social.followed",
    ];
    for name in forged {
        let mut hit = nikki.hit("/");
        hit["name"] = json!(name);
        nikki.report(&hit).await.expect(202);
    }
    let mut own = nikki.hit("/");
    own["name"] = json!("plans compared");
    nikki.report(&own).await.expect(202);
    app.later(MINUTE_MS).await;
    assert_eq!(kept().await, ["plans compared"], "a page tells its own events and nobody else's");

    let event = json!({"contact": NIKKI, "kind": "purchase", "id": "order-17", "subject": "17", "props": {"amount": 9900}});
    let body = Some(("application/json", event.to_string().into_bytes()));
    app.client.send(Method::POST, "/api/v1/events", body).await.expect_problem(401, "api.key_unknown");
    let told = tell(&app, &event).await.expect_json(201);
    assert_eq!((&told["repeated"], &told["stage"]), (&json!(false), &json!("lead")));
    let again = tell(&app, &event).await.expect_json(200);
    assert_eq!((&again["repeated"], &again["activity"]), (&json!(true), &told["activity"]));
    tell(&app, &json!({"contact": id, "kind": "complaint", "at": "2026-11-20"})).await.expect(201);
    assert_eq!(kept().await, ["complaint", "plans compared", "purchase"]);

    let wrong = [
        (json!({"contact": NIKKI, "kind": "complaint", "id": "order-17"}), 409, "event.id_reused"),
        (json!({"contact": NIKKI, "kind": "booking.confirmed"}), 422, "event.invalid"),
        (json!({"contact": NIKKI, "kind": "purchase", "at": "2027-11-20"}), 422, "event.invalid"),
        (json!({"contact": NIKKI, "kind": "purchase", "at": "soon"}), 422, "event.invalid"),
        (json!({"contact": "nobody@acme.example", "kind": "purchase"}), 404, "contact.unknown"),
        (json!({"contact": NIKKI, "kind": "purchase", "shoes": 3}), 400, "request.malformed"),
    ];
    let before = app.count("activities").await;
    for (event, status, code) in wrong {
        println!("{event}");
        tell(&app, &event).await.expect_problem(status, code);
    }
    assert_eq!(app.count("activities").await, before);
}

#[tokio::test]
async fn a_customer_who_buys_again_stays_a_customer_and_a_new_journey_begins() {
    let app = start().await;
    customer(&app, NIKKI).await;
    // The order that the won deal stands for is told by the shop as well: it is the same purchase.
    app.later(HOUR_MS).await;
    let first =
        tell(&app, &json!({"contact": NIKKI, "kind": "purchase", "id": "order-1"})).await.expect_json(201);
    assert_eq!(first["moves"], json!([]));
    app.later(30 * DAY_MS).await;
    let second =
        tell(&app, &json!({"contact": NIKKI, "kind": "purchase", "id": "order-2"})).await.expect_json(201);
    assert_eq!(
        second["moves"][0],
        json!({"from": "customer", "to": "customer", "rule": "customer.bought_again"})
    );
    tell(&app, &json!({"contact": NIKKI, "kind": "purchase", "id": "order-2"})).await.expect(200);
    assert_eq!(contact(&app, NIKKI).await.1, "customer");
    let rows =
        app.rows("select journey, stage, rule, left_at from stage_intervals order by entered_at, id").await;
    let last: Vec<(i64, String, bool)> = rows
        .iter()
        .map(|row| {
            let left: Option<i64> = row.get("left_at").expect("a time");
            (row.get("journey").expect("a number"), row.get("rule").expect("a text"), left.is_none())
        })
        .collect();
    assert_eq!(last.iter().filter(|row| row.2).count(), 1, "one stay is open");
    assert_eq!(last.last().expect("a row"), &(2, "customer.bought_again".to_owned(), true));
    let told = api(&app).get("/api/v1/reports/funnel?journey=2").await.expect_json(200);
    let steps = told["total"].as_array().expect("a list");
    let reached: i64 = steps.iter().map(|step| step["reached"].as_i64().expect("a number")).sum();
    assert_eq!(reached, 1, "the second journey is counted by itself");
    let churn = api(&app).get("/api/v1/reports/churn").await.expect_json(200);
    assert_eq!(
        (&churn["new"], &churn["lost"]),
        (&json!(1), &json!(0)),
        "she is one customer, and none was lost"
    );
}

#[tokio::test]
async fn follows_are_noted_by_hand_or_come_in_a_list_and_are_never_guessed() {
    let app = start().await;
    let nikki = app.visitor();
    submit(&nikki, "white-paper", NIKKI).await;
    let follows = async || {
        let rows =
            app.rows("select subject from activities where kind = 'social.followed' order by at, id").await;
        rows.iter().map(|row| row.get::<Option<String>>("subject").expect("text")).collect::<Vec<_>>()
    };
    let mut away = nikki.hit("/");
    away["name"] = json!("outbound");
    away["props"] = json!({"url": "https://www.instagram.com/libreriafaro"});
    nikki.report(&away).await.expect(202);
    app.later(MINUTE_MS).await;
    assert!(follows().await.is_empty(), "a link that was followed is no follower");

    let (mike, csrf) = log_in(&app, Role::Sdr).await;
    let (id, _) = contact(&app, NIKKI).await;
    let path = format!("/console/contacts/{id}/events");
    let fields = |kind: &'static str| {
        [
            ("csrf", csrf.clone()),
            ("kind", kind.to_owned()),
            ("subject", "linkedin".to_owned()),
            ("note", "one".to_owned()),
        ]
    };
    for _ in 0..2 {
        let fields = fields("social.followed");
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        mike.submit(&path, &fields).await.expect(303);
    }
    assert_eq!(follows().await, [Some("linkedin".to_owned())], "sent twice, noted once");
    let wrong = fields("booking.confirmed");
    let wrong: Vec<(&str, &str)> = wrong.iter().map(|(name, value)| (*name, value.as_str())).collect();
    mike.submit(&path, &wrong).await.expect(422);

    app.clock.advance(DAY_MS);
    let list = "email,kind,subject,at\nnikki@acme.example,social.followed,instagram,2026-11-24\n\
        nobody@acme.example,social.followed,instagram,\nnikki@acme.example,deal.won,,\n";
    let send = async || {
        let body = Some(("text/csv", list.as_bytes().to_vec()));
        api(&app).send(Method::POST, "/api/v1/events/list", body).await.expect_json(200)
    };
    let done = send().await;
    assert_eq!((&done["added"], &done["known"]), (&json!(1), &json!(0)));
    let lines: Vec<i64> = done["unusable"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["line"].as_i64().expect("a line"))
        .collect();
    assert_eq!(lines, [3, 4]);
    assert_eq!(send().await["known"], json!(1), "the same list again changes nothing");
    assert_eq!(follows().await.len(), 2);
    // Mike's session has ended meanwhile.
    let (yuri, _) = log_in(&app, Role::Ae).await;
    let page = yuri.get(&format!("/console/contacts/{id}")).await.expect(200).body;
    assert!(page.contains("Follows us linkedin") && page.contains("Follows us instagram"));
    let none = Some(("text/csv", b"a,b\n1,2\n".to_vec()));
    api(&app)
        .send(Method::POST, "/api/v1/events/list", none)
        .await
        .expect_problem(422, "event.list_unreadable");
}

#[tokio::test]
async fn a_long_list_of_one_person_lets_others_write_meanwhile_and_is_told_once() {
    let app = start().await;
    submit(&app.visitor(), "webinar", NIKKI).await;
    let lines = 3_000;
    let list: String = (0..lines).map(|line| format!("{NIKKI},server.lesson,lesson {line}\n")).collect();
    let list = format!("email,kind,subject\n{list}");
    let program = api(&app);
    let send = async || {
        let body = Some(("text/csv", list.clone().into_bytes()));
        program.send(Method::POST, "/api/v1/events/list", body).await.expect_json(200)
    };
    let is_done = std::sync::atomic::AtomicBool::new(false);
    let importing = async {
        let done = send().await;
        is_done.store(true, std::sync::atomic::Ordering::SeqCst);
        done
    };
    let others = async {
        let begun = || async { app.count("activities").await > 100 };
        while !begun().await {
            tokio::task::yield_now().await;
        }
        submit(&app.visitor(), "webinar", "eva@acme.example").await;
        is_done.load(std::sync::atomic::Ordering::SeqCst)
    };
    let (done, was_done) = tokio::join!(importing, others);
    assert!(!was_done, "a form that is sent meanwhile does not wait for the list");
    assert_eq!((&done["added"], &done["known"]), (&json!(lines), &json!(0)));
    let again = send().await;
    assert_eq!((&again["added"], &again["known"]), (&json!(0), &json!(lines)));
    let told = app.rows("select count(*) as n from activities where kind = 'server.lesson'").await;
    assert_eq!(told[0].get::<i64>("n").expect("a number"), lines);
}

#[tokio::test]
async fn a_chat_an_answer_and_attendance_raise_the_score_by_so_much_and_stand_in_the_explanation() {
    let app = start().await;
    let nikki = app.visitor();
    let answer = submit(&nikki, "webinar", NIKKI).await;
    let before = explained(&app, NIKKI).await.score.engagement.points;
    let coming = json!({
        "site": "faro", "visitor": answer["visitor"], "consent": "analytics", "language": "en-GB",
        "zone": "Europe/Madrid", "page": {"url": format!("{SITE}/"), "title": "Faro"}, "flow": "welcome", "returning": true,
    });
    let opened = app.client.with("origin", SITE).post("/v1/chat", &coming).await;
    assert!(opened.status == 200 || opened.status == 201, "{}", opened.body);
    let opened = opened.json();
    assert!(points(&explained(&app, NIKKI).await, "eng.chat").is_empty(), "a panel that opened is no talk");
    let token = format!("Bearer {}", opened["token"].as_str().expect("a token"));
    let widget = app.client.with("origin", SITE).with("authorization", &token);
    let path = format!("/v1/chat/{}/messages", opened["conversation"].as_str().expect("an id"));
    let hello = json!({"client_id": new_key(), "body": {"type": "text", "text": "Hello"}});
    widget.post(&path, &hello).await.expect(201);
    let told = explained(&app, NIKKI).await;
    assert_eq!(points(&told, "eng.chat"), [10.0]);
    assert!((told.score.engagement.points - before - 10.0).abs() < 0.1, "ten points more than {before}");
    tell(&app, &json!({"contact": NIKKI, "kind": "email.replied", "id": "mail-1"})).await.expect(201);
    let replied = explained(&app, NIKKI).await;
    assert_eq!(points(&replied, "eng.replied"), [15.0]);
    assert!((replied.score.engagement.points - told.score.engagement.points - 15.0).abs() < 0.1);

    let webinar = app.app.webinars.find("reading-culture").expect("it is a fixture");
    app.clock.advance(webinar.ends_at().since_ms(app.now()) + MINUTE_MS);
    let list = Some(("text/csv", format!("email,minutes\n{NIKKI},40\n").into_bytes()));
    api(&app).send(Method::POST, "/api/v1/webinars/reading-culture/attendance", list).await.expect(200);
    let attended = explained(&app, NIKKI).await;
    assert_eq!(points(&attended, "eng.attended"), [25.0]);
    let row = attended.score.engagement.rows.iter().find(|row| row.rule == "eng.attended").expect("a row");
    let evidence = row.evidence.as_ref().expect("it names the webinar");
    assert_eq!(
        (evidence.kind.as_str(), evidence.subject.as_deref()),
        ("webinar.attended", Some("reading-culture"))
    );
}

// --- other names of stages -------------------------------------------------------------------------

#[tokio::test]
async fn a_stage_answers_to_its_aliases_and_is_shown_by_one_if_the_operator_wants() {
    let segments = tempfile::NamedTempFile::new().expect("a file");
    let text = "segments:\n  - {id: prospects, label: Prospects, if: 'stage in [\"prospect\", \"mql\"]'}\n";
    std::fs::write(segments.path(), text).expect("written");
    let path = segments.path().display().to_string();
    let app = TestApp::start_with(|settings| {
        tagged(settings);
        let lifecycle = lifecycle_with("aliases: [prospect]", "aliases: [prospect]\n    shown_as: prospect");
        set(settings, "definitions", "lifecycle", lifecycle);
        set(settings, "definitions", "segments", path);
    })
    .await;
    submit(&app.visitor(), "white-paper", NIKKI).await;
    app.later(MINUTE_MS).await;
    assert_eq!(contact(&app, NIKKI).await.1, "lead", "the name in the store stays");
    let members = api(&app).get("/api/v1/segments/prospects/members").await.expect_json(200);
    assert_eq!(members["members"][0]["email"], NIKKI);
    for name in ["prospect", "lead"] {
        let told = api(&app).get(&format!("/api/v1/reports/velocity?stage={name}")).await.expect_json(200);
        assert!(told["stages"].as_array().expect("a list").iter().any(|stage| stage["stage"] == "prospect"));
    }
    let told = api(&app).get("/api/v1/reports/funnel").await.expect_json(200);
    let stages: Vec<&str> = told["total"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|step| step["stage"].as_str().expect("a name"))
        .collect();
    assert_eq!(stages, ["visitor", "prospect", "mql", "sql", "sal", "customer"]);
    let told = tell(&app, &json!({"contact": NIKKI, "kind": "complaint"})).await.expect_json(201);
    assert_eq!(told["stage"], "prospect");
    api(&app).get("/api/v1/reports/velocity?stage=prospekt").await.expect_problem(404, "stage.unknown");

    let (mike, _) = log_in(&app, Role::Sdr).await;
    let list = mike.get("/console/contacts?stage=prospect").await.expect(200).body;
    assert!(list.contains(NIKKI) && list.contains(">Prospect</span>"), "{list}");
    let list = mike.get("/console/contacts?stage=suspect").await.expect(200).body;
    assert!(!list.contains(NIKKI));
}

// --- calls to action -------------------------------------------------------------------------------

#[tokio::test]
async fn a_call_to_action_is_told_with_those_who_saw_it_followed_it_and_sent_its_form() {
    let app = start().await;
    let event = |visitor: &crate::support::visitor::Visitor<'_>, name: &str| {
        let mut hit = visitor.hit("/");
        hit["name"] = json!(name);
        hit
    };
    // Ana sees it, Eva follows it and sends the form of the same visit, Nikki comes to a form's page by its address.
    let (ana, eva, nikki) = (app.visitor(), app.visitor(), app.visitor());
    for visitor in [&ana, &eva, &nikki] {
        visitor.visit("/").await;
    }
    for visitor in [&eva, &nikki] {
        visitor.report(&event(visitor, "cta:hero")).await.expect(202);
    }
    app.later(MINUTE_MS).await;
    submit(&eva, "white-paper", "eva@acme.example").await;
    let mut sent = filled(&nikki, "white-paper", NIKKI).await;
    sent["page"] = json!(format!("{SITE}/guia?cta=footer"));
    app.client.with("origin", SITE).post("/v1/forms/white-paper", &sent).await.expect(200);
    app.later(MINUTE_MS).await;
    let told = api(&app).get("/api/v1/traffic/faro/ctas").await.expect_json(200);
    assert_eq!(
        told["ctas"],
        json!([
            {"cta": "hero", "label": {"en": "The button on top", "es": "El botón de arriba"}, "seen": 3, "clicked": 2,
                "click_rate": 66.7, "sent": 1, "people": 1, "send_rate": 50.0},
            {"cta": "footer", "label": {"en": "footer", "es": "footer"}, "seen": null, "clicked": 0,
                "click_rate": null, "sent": 1, "people": 1, "send_rate": null},
        ])
    );
    let csv = api(&app).get("/api/v1/traffic/faro/ctas?format=csv").await.expect(200).body;
    assert!(
        csv.starts_with("cta,seen,clicked,click_rate,sent,people,send_rate\r\nhero,3,2,66.7,1,1,50\r\n"),
        "{csv}"
    );
    app.get("/api/v1/traffic/faro/ctas").await.expect_problem(401, "api.key_unknown");
}

#[tokio::test]
async fn the_hosted_form_keeps_the_call_to_action_that_led_to_it() {
    let app = start().await;
    let page =
        app.get("/f/white-paper?site=faro&lang=en&cta=letter&utm_source=x&other=1").await.expect(200).body;
    let action = page.split("action=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an action");
    let action = action.replace("&amp;", "&").replace("&#x3D;", "=");
    assert_eq!(action, "/f/white-paper?site=faro&lang=en&cta=letter&utm_source=x");
    let nonce = page.split("name=\"nonce\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    app.clock.advance(20_000);
    let fields = [("email", NIKKI), ("nonce", nonce.expect("a nonce"))];
    app.client.submit(&action, &fields).await.expect(200);
    let rows = app.rows("select cta from form_submissions").await;
    assert_eq!(rows[0].get::<Option<String>>("cta").expect("a text").as_deref(), Some("letter"));
}

// --- numbers ---------------------------------------------------------------------------------------

#[tokio::test]
async fn losses_and_how_often_people_come_are_told_and_keeping_stands_beside_winning() {
    let app = start().await;
    customer(&app, NIKKI).await;
    let company =
        api(&app).get("/api/v1/companies?q=acme").await.expect_json(200)["companies"][0]["id"].clone();
    let open = json!({"company": company, "name": "More circles", "amount": 50_000, "currency": "EUR"});
    let deal = posted(&app, "/api/v1/deals", &open).await.expect_json(201)["deal"]["id"].clone();
    let path = format!("/api/v1/deals/{}/lost", deal.as_str().expect("an id"));
    posted(&app, &path, &json!({"reason": "price"})).await.expect(200);
    let told = api(&app).get("/api/v1/reports/losses").await.expect_json(200);
    assert_eq!(
        (&told["deals"]["lost"], &told["deals"]["reasons"][0], &told["deals"]["lost_amount"]["EUR"]),
        (&json!(1), &json!({"reason": "price", "n": 1}), &json!(50_000))
    );
    assert_eq!((&told["customers"]["lost"], &told["customers"]["new"]), (&json!(0), &json!(1)));
    let csv = api(&app).get("/api/v1/reports/losses?format=csv").await.expect(200).body;
    assert_eq!(csv, "what,key,reason,n\r\ndeal,lost,price,1\r\n");

    let nikki = app.visitor();
    for _ in 0..3 {
        nikki.visit("/").await;
        app.later(2 * DAY_MS).await;
    }
    app.visitor().visit("/").await;
    app.run_jobs().await;
    let told = api(&app).get("/api/v1/reports/frequency").await.expect_json(200);
    let total = &told["total"];
    assert_eq!((&total["visitors"], &total["visits"]), (&json!(2), &json!(4)));
    assert_eq!((&total["visits_per_visitor"], &total["returning"]), (&json!(2.0), &json!(0.5)));
    assert_eq!(total["between_ms"], json!(2 * DAY_MS));
    assert_eq!(total["visitors_by_visits"], json!({"1": 1, "3-5": 1}));

    let list = "day,source,campaign,amount,currency,purpose\n2026-11-23,google,autumn,100,EUR,\n\
        2026-11-23,letters,care,30,EUR,keeping\n2026-11-23,x,y,1,EUR,spending\n";
    let body = Some(("text/csv", list.as_bytes().to_vec()));
    let done = api(&app).send(Method::POST, "/api/v1/costs", body).await.expect_json(200);
    assert_eq!((&done["added"], &done["unusable"][0]["line"]), (&json!(2), &json!(4)));
    let told = api(&app).get("/api/v1/reports/costs").await.expect_json(200);
    assert_eq!(
        told["winning_and_keeping"][0],
        json!({"currency": "EUR", "winning": 10_000, "new_customers": 1, "per_new_customer": 10_000.0,
            "keeping": 3_000, "customers": 1, "per_customer": 3_000.0})
    );
    assert_eq!(told["campaigns"].as_array().expect("a list").len(), 1, "what keeps customers brought nobody");
}
