//! The flow language through the doors: every kind of question and thing to see, calls, splits, actions, triggers, hours.
#![allow(clippy::unwrap_used, reason = "a panic in a test is a failed test")]

use embudo::base::ids::{ContactId, VisitorId, new_key};
use embudo::base::time::{DAY_MS, HOUR_MS};
use embudo::contacts::{self, Trust, codes};
use serde_json::{Value, json};

use crate::support::answer::Client;
use crate::support::app::{SITE, TestApp, set};

const KEY: &str = "the api key of the tests, long enough";

async fn start() -> TestApp {
    let flows = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/flows");
    TestApp::start_with(|settings| {
        set(settings, "definitions", "flows", flows);
        set(settings, "api", "keys", vec![KEY]);
        set(settings, "chat", "messages_burst", 100);
        set(settings, "chat", "opened_burst", 100);
    })
    .await
}

fn coming(visitor: VisitorId, flow: Option<&str>, url: &str, language: &str) -> Value {
    json!({
        "site": "faro", "visitor": visitor.to_string(), "consent": "analytics", "flow": flow,
        "page": {"url": url, "title": "Faro"}, "language": language, "zone": "Europe/Madrid", "returning": true,
    })
}

/// A visitor's side of a conversation.
struct Talk {
    client: Client,
    id: String,
    log: Vec<Value>,
}

impl Talk {
    async fn open(app: &TestApp, visitor: VisitorId, flow: Option<&str>, language: &str) -> Self {
        let body = coming(visitor, flow, &format!("{SITE}/"), language);
        let opened = app.client.with("origin", SITE).post("/v1/chat", &body).await.expect_json(201);
        let token = opened["token"].as_str().unwrap();
        let client = app.client.with("origin", SITE).with("authorization", &format!("Bearer {token}"));
        let mut talk =
            Self { client, id: opened["conversation"].as_str().unwrap().to_owned(), log: Vec::new() };
        talk.catch_up().await;
        talk
    }

    async fn catch_up(&mut self) -> Vec<Value> {
        let path = format!("/v1/chat/{}/events?after={}", self.id, self.log.len());
        let page = self.client.get(&path).await.expect_json(200);
        let fresh: Vec<Value> =
            page["events"].as_array().unwrap().iter().map(|event| event["body"].clone()).collect();
        self.log.extend(fresh.clone());
        fresh
    }

    /// Sends something and gives what came after her own words.
    async fn send(&mut self, body: Value) -> Vec<Value> {
        let path = format!("/v1/chat/{}/messages", self.id);
        self.client.post(&path, &json!({"client_id": new_key(), "body": body})).await.expect(201);
        self.catch_up().await
    }

    async fn answer(&mut self, value: &str) -> Vec<Value> {
        let question = self.asked()["question"].clone();
        self.send(json!({"type": "answer", "question": question, "value": value})).await
    }

    fn asked(&self) -> &Value {
        self.log.iter().rev().find(|body| body["type"] == "ask").unwrap()
    }
}

async fn digits(app: &TestApp) -> String {
    let rows = app.rows("select id from identity_codes order by id desc").await;
    codes::digits(&app.app.room.keys, &rows[0].get::<String>("id").unwrap())
}

#[actix_web::test]
async fn every_kind_of_question_is_asked_answered_and_kept() {
    let app = start().await;
    let visitor = VisitorId::new();
    let mut talk = Talk::open(&app, visitor, Some("tour"), "en").await;
    assert_eq!(
        talk.log[0],
        json!({"type": "image", "src": "/images/shelf.jpg", "alt": "A shelf of books", "caption": "Ours"})
    );
    assert_eq!(
        talk.log[1],
        json!({"type": "file", "title": "The guide", "href": "/guides/reading.pdf", "kind": "pdf"})
    );
    assert_eq!(
        talk.log[2],
        json!({"type": "card", "title": "A card", "text": "With words",
            "image": {"src": "https://faro.example/a.jpg", "alt": "A cover"},
            "link": {"href": "/books", "label": "See it"}})
    );
    assert_eq!(talk.asked()["typing_ms"], 600, "the step's own typing");
    talk.answer("ana@example.com").await;

    let again = json!([{"id": "again", "label": "Send me another code"}]);
    assert_eq!(talk.asked()["input"], json!({"kind": "code", "digits": 6, "choices": again}));
    assert_eq!(talk.asked()["typing_ms"], 0, "the flow's typing");
    let right = digits(&app).await;
    let wrong = if right == "000000" { "111111" } else { "000000" };
    let refused = talk.answer(wrong).await;
    assert_eq!(refused[0]["text"], "••••••", "digits stand in no log");
    assert_eq!(refused[1]["type"], "invalid");
    talk.answer(&format!("{} {}", &right[..3], &right[3..])).await;
    let ana: ContactId =
        app.rows("select id from contacts where email = 'ana@example.com'").await[0].get("id").unwrap();
    let held = contacts::visitor(&mut app.app.stores.db.read(), visitor).await.unwrap().unwrap();
    assert_eq!(held.trust, Trust::Confirmed, "whoever types the digits is confirmed");
    assert!(!serde_json::to_string(&talk.log).unwrap().contains(&right));

    assert_eq!(talk.asked()["input"], json!({"kind": "url"}));
    assert_eq!(talk.answer("javascript:alert(1)").await[1]["type"], "invalid");
    talk.answer("faro.example/books").await;
    assert_eq!(talk.asked()["input"], json!({"kind": "date", "min": "2026-11-23", "max": "2026-12-23"}));
    assert_eq!(talk.answer("22/11/2026").await[1]["type"], "invalid", "yesterday is over");
    talk.answer("24/11/2026").await;
    assert_eq!(talk.asked()["input"], json!({"kind": "time", "min": "09:00", "max": "18:00"}));
    assert_eq!(talk.answer("18:01").await[1]["type"], "invalid");
    talk.answer("9:30").await;
    let asked = json!({"kind": "date", "min": "2026-11-23", "max": "2027-01-22", "range": true});
    assert_eq!(talk.asked()["input"], asked);
    assert_eq!(
        talk.answer("from 28/12/2026 to 24/12/2026").await[1]["type"],
        "invalid",
        "the wrong way round"
    );
    talk.answer("24/12/2026 – 28/12/2026").await;
    assert_eq!(talk.asked()["input"], json!({"kind": "number", "min": 1, "max": 500}));
    talk.answer("40").await;
    assert_eq!(
        talk.asked()["input"],
        json!({"kind": "rating", "max": 5, "low": "Not at all", "high": "Very much"})
    );
    assert_eq!(talk.answer("6").await[1]["type"], "invalid");
    talk.answer("4").await;
    assert_eq!(
        talk.asked()["input"]["choices"][0],
        json!({"id": "oak", "label": "Oak", "image": "/images/oak.jpg", "alt": "A brown shelf"})
    );
    let question = talk.asked()["question"].clone();
    talk.send(json!({"type": "choice", "question": question, "choice": "steel"})).await;
    assert_eq!(talk.asked()["question"], "details/ask", "her address is known: it is not asked again");
    talk.answer("Bring a ladder").await;
    assert_eq!(talk.log.last().unwrap(), &json!({"type": "end", "outcome": "done"}));
    let texts: Vec<&str> = talk.log.iter().filter_map(|body| body["text"].as_str()).collect();
    assert!(texts.contains(&"Noted.") && texts.contains(&"That is all: steel."), "{texts:?}");

    let fields = contacts::fields(&mut app.app.stores.db.read(), ana).await.unwrap();
    for (name, value) in [
        ("site", "https://faro.example/books"),
        ("day", "2026-11-24"),
        ("hour", "09:30"),
        ("days", "2026-12-24/2026-12-28"),
        ("people", "40.0"),
        ("liked", "4"),
        ("shelf", "steel"),
        ("note", "Bring a ladder"),
    ] {
        let kept = fields.iter().find(|field| field.name == name).map(|field| field.value.as_str());
        assert_eq!(kept, Some(value), "{name}");
    }
    let ana = contacts::find(&mut app.app.stores.db.read(), ana).await.unwrap().unwrap();
    assert_eq!(ana.stage, "mql");
}

#[actix_web::test]
async fn another_code_is_sent_on_request_but_not_at_once_and_not_for_ever() {
    let app = start().await;
    let mut talk = Talk::open(&app, VisitorId::new(), Some("tour"), "en").await;
    talk.answer("ana@example.com").await;
    let again = json!({"type": "choice", "question": "code", "choice": "again"});
    let told = talk.send(again.clone()).await;
    assert_eq!(told[0]["label"], "Send me another code");
    assert!(told[1]["text"].as_str().unwrap().contains("went out a moment ago"), "{told:?}");
    assert_eq!(app.count("identity_codes").await, 1, "a mailbox is not flooded");
    let first = digits(&app).await;
    for sent in 2..=3 {
        app.later(61_000).await;
        let told = talk.send(again.clone()).await;
        assert!(told[1]["text"].as_str().unwrap().contains("on its way"), "{told:?}");
        assert_eq!(app.count("identity_codes").await, sent);
    }
    assert_eq!(talk.asked()["input"], json!({"kind": "code", "digits": 6}), "offered no more");
    let refused = talk
        .client
        .post(&format!("/v1/chat/{}/messages", talk.id), &json!({"client_id": new_key(), "body": again}))
        .await;
    refused.expect_problem(409, "chat.question_over");
    let newest = digits(&app).await;
    if newest != first {
        assert_eq!(talk.answer(&first).await[1]["type"], "invalid", "only the newest code works");
    }
    talk.answer(&newest).await;
    assert_eq!(talk.asked()["question"], "site");
}

#[actix_web::test]
async fn no_code_is_waited_for_that_would_never_come() {
    let app = start().await;
    let block = json!({"email": "ana@example.com", "reason": "manual"});
    let key = app.client.with("authorization", &format!("Bearer {KEY}"));
    assert!((200..300).contains(&key.post("/api/v1/suppressions", &block).await.status));
    let mut talk = Talk::open(&app, VisitorId::new(), Some("tour"), "en").await;
    let told = talk.answer("ana@example.com").await;
    assert!(told.iter().all(|body| body["question"] != "code"), "{told:?}");
    assert_eq!(talk.log.last().unwrap()["outcome"], "gave_up", "{told:?}");
    assert_eq!(app.count("identity_codes").await, 0);
}

#[actix_web::test]
async fn a_flow_that_waits_for_an_event_goes_on_when_the_page_tells_of_it() {
    let app = start().await;
    let mut talk = Talk::open(&app, VisitorId::new(), Some("waits"), "es").await;
    let door = format!("/v1/chat/{}/event", talk.id);
    assert_eq!(talk.log.last().unwrap()["text"], "Prueba la calculadora de precios.");
    for other in ["scrolled", "calculate", "Calculated"] {
        talk.client.post(&door, &json!({"name": other})).await.expect(204);
    }
    assert!(talk.catch_up().await.is_empty(), "it waits for none of these");
    for wrong in ["", &"x".repeat(121)] {
        talk.client.post(&door, &json!({"name": wrong})).await.expect_problem(422, "chat.message_invalid");
    }
    talk.client.post(&door, &json!({})).await.expect_problem(400, "request.malformed");
    let stranger = app.client.with("origin", SITE).with("authorization", "Bearer forged");
    stranger.post(&door, &json!({"name": "calculated"})).await.expect_problem(404, "token.forged");

    talk.client.post(&door, &json!({"name": "calculated"})).await.expect(204);
    assert_eq!(talk.catch_up().await[0]["text"], "Bien hecho.");
    // It is over: what the page tells now is nobody's business.
    talk.client.post(&door, &json!({"name": "calculated"})).await.expect(204);
    assert!(talk.catch_up().await.is_empty());

    let mut late = Talk::open(&app, VisitorId::new(), Some("waits"), "en").await;
    app.later(11 * 60_000).await;
    assert_eq!(late.catch_up().await[0]["text"], "Another time.");
}

#[actix_web::test]
async fn an_action_is_done_once_and_its_key_says_for_which_step_and_visit() {
    let app = start().await;
    let mut talk = Talk::open(&app, VisitorId::new(), Some("tour"), "es").await;
    assert_eq!(talk.log[0]["alt"], "Un estante de libros");
    talk.answer("eva@example.com").await;
    talk.answer(&digits(&app).await).await;
    for answer in ["faro.example", "2026-12-01", "10:00", "2026-12-01/2026-12-03", "3", "5", "Roble"] {
        talk.answer(answer).await;
    }
    assert_eq!(
        talk.asked()["text"],
        "Anything else?",
        "what may lack a translation is said as it was written"
    );
    talk.answer("x").await;
    assert_eq!(talk.log.last().unwrap()["outcome"], "done");
    let rows = app.rows("select key, action, done from chat_actions order by action").await;
    let told: Vec<(String, String, i64)> = rows
        .iter()
        .map(|row| (row.get("key").unwrap(), row.get("action").unwrap(), row.get("done").unwrap()))
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    for ((key, action, done), (step, name)) in
        told.iter().zip([("mark", "contact.mark"), ("promote", "contact.set_stage")])
    {
        let parts: Vec<&str> = key.split(':').collect();
        assert_eq!((parts[0], parts[1]), (talk.id.as_str(), step), "conversation:step:visit");
        assert!(parts[2].parse::<u32>().is_ok() && action == name && *done == 1, "{key} {action}");
    }
    let marked = app.rows("select subject from activities where kind = 'chat.marked'").await;
    assert_eq!(marked.len(), 1);
}

#[actix_web::test]
async fn a_called_flow_comes_back_where_its_end_leads_and_a_wish_to_be_left_alone_ends_it() {
    let app = start().await;
    let mut bored = Talk::open(&app, VisitorId::new(), Some("tour"), "en").await;
    bored.answer("bob@example.com").await;
    bored.answer(&digits(&app).await).await;
    for answer in ["faro.example", "2026-12-01", "10:00", "2026-12-01/2026-12-03", "3", "5", "oak", "no"] {
        bored.answer(answer).await;
    }
    assert_eq!(bored.log.last().unwrap()["outcome"], "gave_up", "`bored` of the called flow leads there");

    let mut typed = Talk::open(&app, VisitorId::new(), Some("tour"), "en").await;
    typed.send(json!({"type": "text", "text": "Stop!"})).await;
    assert_eq!(typed.log.last().unwrap()["outcome"], "declined");
    let mut clicked = Talk::open(&app, VisitorId::new(), Some("tour"), "en").await;
    let said = clicked.send(json!({"type": "stop_requested"})).await;
    assert_eq!(said[0], json!({"type": "stop_requested"}));
    assert_eq!(clicked.log.last().unwrap()["outcome"], "declined");
    // A flow that is only called is opened by nobody.
    let body = coming(VisitorId::new(), Some("details"), &format!("{SITE}/"), "en");
    let refused = app.client.with("origin", SITE).post("/v1/chat", &body).await;
    refused.expect_problem(404, "chat.flow_unknown");
}

#[actix_web::test]
async fn an_arm_is_chosen_by_chance_kept_for_a_visitor_and_reported() {
    let app = start().await;
    let mut arms = std::collections::BTreeMap::new();
    let mut first = None;
    for n in 0..12 {
        let visitor = VisitorId::new();
        let mut talk = Talk::open(&app, visitor, Some("tour"), "en").await;
        talk.answer(&format!("p{n}@example.com")).await;
        talk.answer(&digits(&app).await).await;
        for answer in ["faro.example", "2026-12-01", "10:00", "2026-12-01/2026-12-03", "3", "5", "oak", "yes"]
        {
            talk.answer(answer).await;
        }
        let long = talk.log.iter().any(|body| body["text"] == "And there is more to say.");
        *arms.entry(if long { "long" } else { "short" }).or_insert(0) += 1;
        first.get_or_insert((visitor, long));
    }
    let (visitor, was_long) = first.unwrap();
    let mut again = Talk::open(&app, visitor, Some("tour"), "en").await;
    for answer in [
        "p0@example.com",
        "faro.example",
        "2026-12-01",
        "10:00",
        "2026-12-01/2026-12-03",
        "3",
        "5",
        "oak",
        "yes",
    ] {
        again.answer(answer).await;
    }
    let is_long = again.log.iter().any(|body| body["text"] == "And there is more to say.");
    assert_eq!(is_long, was_long, "the same visitor goes the same way");

    let client = app.client.with("authorization", &format!("Bearer {KEY}"));
    let told = client.get("/api/v1/reports/splits?flow=tour").await.expect_json(200);
    let split = &told["splits"][0];
    assert_eq!((&split["flow"], &split["step"]), (&json!("tour"), &json!("try")));
    let count = |arm: &str| split["arms"][arm]["conversations"].as_i64().unwrap_or(0);
    assert_eq!(count("short") + count("long"), 13);
    let expected = arms.get("long").copied().unwrap_or(0) + i64::from(was_long);
    assert_eq!(count("long"), expected);
    for arm in split["arms"].as_object().unwrap().values() {
        assert_eq!(arm["outcomes"]["done"], arm["conversations"]);
        assert_eq!(arm["booked"], 0);
    }
    client.get("/api/v1/reports/splits?flow=none").await.expect_problem(400, "report.question_invalid");
    let csv = client.get("/api/v1/reports/splits?format=csv").await;
    assert!(csv.body.starts_with("flow,step,arm,conversations"), "{}", csv.body);
}

#[actix_web::test]
async fn flows_are_offered_with_their_moments_to_whom_their_triggers_name() {
    let app = start().await;
    let offers = |url: &'static str| {
        let body = coming(VisitorId::new(), None, url, "en");
        let client = app.client.with("origin", SITE);
        async move {
            let answer = client.post("/v1/chat/trigger", &body).await;
            if answer.status == 204 { json!([]) } else { answer.expect_json(200)["offers"].clone() }
        }
    };
    let demo = json!({"flow": "demo", "open": false, "delay_ms": 2000, "event": "demo_clicked"});
    let newsletter =
        json!({"flow": "newsletter", "open": false, "scroll": 50, "exit_intent": true, "idle_ms": 45_000});
    assert_eq!(offers("https://faro.example/books?utm_source=newsletter").await, json!([newsletter, demo]));
    assert_eq!(offers("https://faro.example/books").await, json!([demo]), "not by the newsletter");
    assert_eq!(offers("https://faro.example/books/old?utm_source=newsletter").await, json!([demo]));
    assert_eq!(offers("https://faro.example/?utm_source=newsletter").await, json!([demo]));
}

#[actix_web::test]
async fn who_opens_the_chat_is_answered_by_the_hours_of_the_house() {
    let app = start().await;
    let said = |talk: &Talk| talk.log[0]["text"].as_str().unwrap().to_owned();
    let open = async || said(&Talk::open(&app, VisitorId::new(), None, "en").await);
    assert_eq!(open().await, "We are here.", "Monday at ten in Madrid");
    app.clock.advance(4 * HOUR_MS + HOUR_MS / 2);
    assert_eq!(open().await, "We are back Monday 23 November, 15:30.", "between the two spans of the day");
    app.clock.advance(5 * DAY_MS);
    assert_eq!(open().await, "We are back Monday 30 November, 09:00.", "on Saturday at half past two");
    app.clock.advance(9 * DAY_MS + 20 * HOUR_MS);
    assert_eq!(open().await, "We are back Wednesday 9 December, 09:00.", "on a holiday");
}
