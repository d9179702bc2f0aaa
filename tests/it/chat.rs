//! Conversations through the doors: the flow, the person, the log, and who may see what.
#![allow(clippy::unwrap_used, reason = "a panic in a test is a failed test")]

use embudo::base::email::Email;
use embudo::base::ids::{AccountId, BookingId, ContactId, ConversationId, VisitorId, new_key};
use embudo::base::language::Language;
use embudo::base::time::{DAY_MS, SECOND_MS};
use embudo::chat::{self, Agent};
use embudo::contacts::{self, Consent, Identification, Trust};
use embudo::{bookings, jobs, webinars};
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::support::answer::{Answer, Client};
use crate::support::app::{SITE, TestApp, set};

/// A widget with a conversation open.
pub struct Widget {
    client: Client,
    id: String,
    token: String,
    visitor: String,
    /// Everything it has read, in order.
    log: Vec<Value>,
}

impl Widget {
    pub async fn open(app: &TestApp, visitor: Option<VisitorId>, flow: Option<&str>) -> Self {
        let opened = app.client.with("origin", SITE).post("/v1/chat", &coming(visitor, flow)).await;
        assert!(opened.status == 201 || opened.status == 200, "{}", opened.body);
        Self::of(app, &opened.json()).await
    }

    async fn of(app: &TestApp, opened: &Value) -> Self {
        let token = opened["token"].as_str().unwrap().to_owned();
        let mut widget = Self {
            client: app.client.with("origin", SITE).with("authorization", &format!("Bearer {token}")),
            id: opened["conversation"].as_str().unwrap().to_owned(),
            token,
            visitor: opened["visitor"].as_str().unwrap().to_owned(),
            log: Vec::new(),
        };
        widget.catch_up().await;
        widget
    }

    fn path(&self, door: &str) -> String {
        format!("/v1/chat/{}/{door}", self.id)
    }

    fn conversation(&self) -> ConversationId {
        ConversationId::parse(&self.id).unwrap()
    }

    async fn try_say(&self, client_id: &str, body: &Value) -> Answer {
        self.client.post(&self.path("messages"), &json!({"client_id": client_id, "body": body})).await
    }

    /// Says something and reads what comes of it: the new part of the log.
    pub async fn say(&mut self, body: Value) -> Vec<Value> {
        self.try_say(&new_key(), &body).await.expect(201);
        self.catch_up().await
    }

    pub async fn text(&mut self, text: &str) -> Vec<Value> {
        self.say(json!({"type": "text", "text": text})).await
    }

    async fn choose(&mut self, choice: &str) -> Vec<Value> {
        let question = self.question();
        self.say(json!({"type": "choice", "question": question, "choice": choice})).await
    }

    async fn pick(&mut self, starts_at: i64) -> Vec<Value> {
        let question = self.question();
        self.say(json!({"type": "slot", "question": question, "starts_at": starts_at})).await
    }

    async fn catch_up(&mut self) -> Vec<Value> {
        let path = self.path(&format!("events?after={}", self.log.len()));
        let page = self.client.get(&path).await.expect_json(200);
        let fresh = page["events"].as_array().unwrap().clone();
        for event in &fresh {
            assert_eq!(event["seq"], json!(self.log.len() + 1), "the log has a gap");
            self.log.push(event.clone());
        }
        assert_eq!(page["head"], json!(self.log.len()));
        fresh
    }

    /// The question asked last.
    pub fn question(&self) -> String {
        self.asked()["question"].as_str().unwrap().to_owned()
    }

    fn asked(&self) -> Value {
        self.log.iter().rev().map(|event| &event["body"]).find(|body| body["type"] == "ask").unwrap().clone()
    }

    fn slots(&self) -> Vec<i64> {
        let slots = &self.asked()["input"]["slots"];
        slots.as_array().unwrap().iter().map(|slot| slot["starts_at"].as_i64().unwrap()).collect()
    }

    /// `author type` of every entry of a part of the log.
    fn kinds(events: &[Value]) -> Vec<String> {
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        events
            .iter()
            .map(|e| format!("{} {}", word(&e["author"]["kind"]), word(&e["body"]["type"])))
            .collect()
    }

    fn last(&self) -> &Value {
        &self.log.last().unwrap()["body"]
    }
}

fn coming(visitor: Option<VisitorId>, flow: Option<&str>) -> Value {
    json!({
        "site": "faro",
        "visitor": visitor.map(|visitor| visitor.to_string()),
        "consent": if visitor.is_some() { "analytics" } else { "none" },
        "flow": flow,
        "page": {"url": format!("{SITE}/"), "title": "Faro"},
        "language": "en-GB",
        "zone": "Europe/Madrid",
        "returning": true,
    })
}

/// Somebody whose address is known to belong to a device, as far as `trust` says.
async fn person(app: &TestApp, email: &str, trust: Trust) -> (ContactId, VisitorId) {
    let visitor = VisitorId::new();
    let mut tx = app.app.stores.db.begin().await.unwrap();
    let who = Identification {
        email: &Email::parse(email).unwrap(),
        visitor: Some(visitor),
        site: "faro",
        trust,
        consent: Consent::Analytics,
        language: Language::En,
        time_zone: Some("Europe/Madrid"),
    };
    let contact = contacts::identify(&mut tx, &who, app.now()).await.unwrap().contact.id;
    contacts::set_field(&mut tx, contact, "first_name", "Nikki", "form", Trust::Confirmed, app.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    (contact, visitor)
}

/// Nikki, confirmed, who registered for the webinar and did not come.
async fn no_show(app: &TestApp) -> (ContactId, VisitorId) {
    let (contact, visitor) = person(app, "nikki@acme.example", Trust::Confirmed).await;
    let webinar = app.app.webinars.webinars.first().unwrap().clone();
    let mut tx = app.app.stores.db.begin().await.unwrap();
    webinars::register(&mut tx, &app.app.lifecycle, &webinar, contact, Some(visitor), app.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    app.clock.advance(webinar.closes_at().since_ms(app.now()) + SECOND_MS);
    webinars::close_due(&app.app.stores.db, &app.app.lifecycle, &app.app.webinars, app.now()).await.unwrap();
    (contact, visitor)
}

/// Somebody of the team who has the console open.
async fn agent(app: &TestApp, name: &str) -> Agent {
    let id = AccountId::new();
    app.app
        .stores
        .db
        .execute(
            embudo::sql!(
                "insert into accounts (id, email, name, role, password_hash, created_at)
                 values ($1, $2, $3, 'sdr', '', 0)"
            ),
            embudo::params![id, format!("{id}@faro.example"), name],
        )
        .await
        .unwrap();
    app.app.room.present(id, app.now()).await.unwrap();
    Agent { id, name: name.to_owned() }
}

async fn stage(app: &TestApp, contact: ContactId) -> String {
    contacts::find(&mut app.app.stores.db.read(), contact).await.unwrap().unwrap().stage
}

async fn booked(app: &TestApp, contact: ContactId) -> Vec<bookings::Booking> {
    bookings::of_contact(&mut app.app.stores.db.read(), contact).await.unwrap()
}

#[actix_web::test]
async fn a_no_show_watches_answers_and_books_and_is_an_sql() {
    let app = TestApp::start().await;
    let (contact, visitor) = no_show(&app).await;
    let offered =
        app.client.with("origin", SITE).post("/v1/chat/trigger", &coming(Some(visitor), None)).await;
    let offered = offered.expect_json(200);
    assert_eq!(
        offered["offers"][0],
        json!({"flow": "webinar-recording", "delay_ms": 4000, "open": true}),
        "{offered}"
    );

    let mut nikki = Widget::open(&app, Some(visitor), Some("webinar-recording")).await;
    assert!(
        nikki.log[0]["body"]["text"].as_str().unwrap().starts_with("Welcome back, Nikki."),
        "{:?}",
        nikki.log
    );
    assert_eq!(nikki.log[0]["author"], json!({"kind": "bot", "name": "Fari"}));
    let shown = nikki.choose("now").await;
    assert_eq!(Widget::kinds(&shown), ["visitor choice", "bot video"]);
    let video = &shown[1]["body"];
    assert!(video["src"].as_str().unwrap().starts_with("/r/"));

    let length = video["duration_s"].as_f64().unwrap();
    let watch =
        |to: f64| json!({"recording": video["recording"], "ranges": [[0.0, to]], "duration_s": length});
    let seen = nikki.client.post(&nikki.path("watch"), &watch(length * 0.3)).await.expect_json(200);
    assert_eq!(seen["percent"], 30);
    assert!(nikki.catch_up().await.is_empty(), "30 % is not enough");
    app.clock.advance(20_000);
    nikki.client.post(&nikki.path("watch"), &watch(length * 0.62)).await.expect(200);
    assert_eq!(Widget::kinds(&nikki.catch_up().await), ["bot ask"]);
    assert_eq!(nikki.question(), "offer_call");

    nikki.choose("accept").await;
    assert_eq!(nikki.asked()["progress"], json!({"step": 1, "of": 4}));
    nikki.choose("10k_50k").await;
    nikki.choose("decider").await;
    nikki.text("x").await;
    assert_eq!(nikki.last()["type"], "invalid");
    nikki.text("People do not finish what they begin").await;
    nikki.choose("this_quarter").await;
    assert_eq!(nikki.question(), "pick_slot", "nobody is online, so times are offered");
    let slots = nikki.slots();
    assert_eq!(slots.len(), 3);

    let done = nikki.pick(slots[1]).await;
    assert_eq!(Widget::kinds(&done), ["visitor slot", "bot booked", "bot text", "system end"]);
    let confirmed = &done[1]["body"];
    assert_eq!(confirmed["starts_at"], json!(slots[1]));
    assert!(confirmed["manage"].as_str().unwrap().starts_with("/b/"));
    let calls = booked(&app, contact).await;
    assert_eq!(calls.len(), 1);
    assert_eq!(BookingId::parse(confirmed["booking"].as_str().unwrap()).unwrap(), calls[0].id);
    assert_eq!(stage(&app, contact).await, "sql");
    let fields = contacts::fields(&mut app.app.stores.db.read(), contact).await.unwrap();
    let field = |name: &str| fields.iter().find(|field| field.name == name).map(|field| field.value.clone());
    assert_eq!(field("budget").as_deref(), Some("10k_50k"));
    assert_eq!(field("need").as_deref(), Some("People do not finish what they begin"));

    nikki
        .try_say(&new_key(), &json!({"type": "text", "text": "hello?"}))
        .await
        .expect_problem(409, "chat.closed");
    let again = app.client.with("origin", SITE).post("/v1/chat/trigger", &coming(Some(visitor), None)).await;
    assert_eq!(again.status, 204, "nobody is asked again who has booked");
}

#[actix_web::test]
async fn a_message_is_heard_once_however_often_it_is_sent() {
    let app = TestApp::start().await;
    let mut widget = Widget::open(&app, Some(VisitorId::new()), None).await;
    let (id, hello) = (new_key(), json!({"type": "text", "text": "hello"}));
    let first = widget.try_say(&id, &hello).await.expect_json(201);
    let second = widget.try_say(&id, &hello).await.expect_json(200);
    assert_eq!(first["event"], second["event"]);
    widget
        .try_say(&id, &json!({"type": "text", "text": "other"}))
        .await
        .expect_problem(409, "chat.client_id_reused");
    widget.catch_up().await;
    let heard = widget.log.iter().filter(|event| event["client_id"] == json!(id)).count();
    assert_eq!(heard, 1);
}

#[actix_web::test]
async fn messages_of_one_moment_all_stand_in_the_log_once_and_without_a_gap() {
    let app = TestApp::start_with(|settings| set(settings, "chat", "messages_burst", 1000)).await;
    let mike = agent(&app, "Mike").await;
    let mut widget = Widget::open(&app, Some(VisitorId::new()), None).await;
    widget.choose("person").await;
    chat::accept(&app.app.room, widget.conversation(), &mike, app.now()).await.unwrap();
    let ids: Vec<String> = (0..24).map(|_| new_key()).collect();
    let tries = ids.iter().chain(&ids).map(|id| {
        let (widget, body) = (&widget, json!({"type": "text", "text": format!("about {id}")}));
        async move { widget.try_say(id, &body).await.status }
    });
    let answers = futures_util::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|status| **status == 201).count(), 24, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 24, "{answers:?}");
    widget.catch_up().await;
    let mut heard: Vec<String> =
        widget.log.iter().filter_map(|event| event["client_id"].as_str().map(str::to_owned)).collect();
    heard.sort();
    heard.dedup();
    // The choice before them has an id, too.
    assert_eq!(heard.len(), 25);
}

#[actix_web::test]
async fn an_answer_to_an_old_question_is_refused_and_changes_nothing() {
    let app = TestApp::start().await;
    let mut widget = Widget::open(&app, Some(VisitorId::new()), None).await;
    widget.choose("webinars").await;
    let before = widget.log.len();
    let old = json!({"type": "choice", "question": "menu", "choice": "call"});
    widget.try_say(&new_key(), &old).await.expect_problem(409, "chat.question_over");
    widget.catch_up().await;
    assert_eq!(widget.log.len(), before);
}

#[actix_web::test]
async fn who_only_typed_the_address_sees_nothing_of_its_owner() {
    let app = TestApp::start().await;
    let (_, owner) = no_show(&app).await;
    for trust in [Trust::Claimed, Trust::Clicked] {
        let (_, stranger) = person(&app, "nikki@acme.example", trust).await;
        let offered =
            app.client.with("origin", SITE).post("/v1/chat/trigger", &coming(Some(stranger), None)).await;
        assert_eq!(offered.status, 204, "{trust:?}: {}", offered.body);
        let widget = Widget::open(&app, Some(stranger), None).await;
        assert_eq!(widget.log[0]["body"]["text"], "Hello. I am the assistant of Librería Faro.");
        assert!(!serde_json::to_string(&widget.log).unwrap().contains("Nikki"));
        // Not even by naming the flow: its condition does not hold for her.
        let sly = coming(Some(VisitorId::new()), Some("webinar-recording"));
        let sly = app.client.with("origin", SITE).post("/v1/chat", &sly).await;
        sly.expect_problem(404, "chat.flow_unknown");
    }
    let widget = Widget::open(&app, Some(owner), None).await;
    assert_eq!(widget.log[0]["body"]["text"], "Hello, Nikki. I am the assistant of Librería Faro.");
}

#[actix_web::test]
async fn an_address_typed_in_the_chat_opens_neither_a_name_nor_an_earlier_talk() {
    let app = TestApp::start().await;
    let (_, owner) = person(&app, "nikki@acme.example", Trust::Confirmed).await;
    let mut hers = Widget::open(&app, Some(owner), None).await;
    hers.text("My house has a leaking roof").await;
    let device = VisitorId::new();
    let mut stranger = Widget::open(&app, Some(device), None).await;
    stranger.choose("call").await;
    stranger.text("nikki@acme.example").await;
    let again = coming(Some(device), None);
    let again = app.client.with("origin", SITE).post("/v1/chat", &again).await.expect_json(200);
    assert_eq!(again["known"], json!(false), "the widget asks nobody whether it is not her");
    stranger.catch_up().await;
    let told: Vec<&Value> =
        stranger.log.iter().filter(|event| event["author"]["kind"] != "visitor").collect();
    let told = serde_json::to_string(&told).unwrap();
    for secret in ["Nikki", "nikki@", "leaking"] {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
    let known =
        app.client.with("origin", SITE).post("/v1/chat", &coming(Some(owner), None)).await.expect_json(200);
    assert_eq!(known["known"], json!(true));
}

#[actix_web::test]
async fn whoever_has_the_only_connection_needs_no_other() {
    let app = TestApp::start_with(|settings| {
        set(settings, "storage", "postgres_pool", 1);
        set(settings, "chat", "messages_burst", 100);
    })
    .await;
    let mike = agent(&app, "Mike").await;
    let talk = async || {
        let mut widget = Widget::open(&app, None, None).await;
        widget.choose("call").await;
        widget.text(&format!("{}@example.com", new_key())).await;
        let slots = widget.slots();
        widget.pick(slots[0]).await;
        let path = widget.path("messages");
        let person = json!({"client_id": new_key(), "body": {"type": "human_requested"}});
        let answer = widget.client.post(&path, &person).await;
        assert!(answer.status < 500, "{}", answer.body);
        if let Ok(id) = ConversationId::parse(&widget.id) {
            let _ = chat::accept(&app.app.room, id, &mike, app.now()).await;
        }
    };
    // All at once: each has a transaction open while the others wait for theirs.
    let talks = futures_util::future::join_all((0..4).map(|_| talk()));
    tokio::time::timeout(std::time::Duration::from_secs(25), talks).await.expect("nobody waits for herself");
    app.run_jobs().await;
    app.post("/v1/chat/trigger", &coming(None, None)).await.expect(204);
    app.get("/v1/slots?meeting=discovery").await.expect(200);
}

#[actix_web::test]
async fn a_stranger_books_with_an_address_of_her_own() {
    let app = TestApp::start().await;
    let mut widget = Widget::open(&app, None, None).await;
    widget.choose("call").await;
    assert_eq!(widget.asked()["input"], json!({"kind": "email"}));
    widget.text("ana@example.com").await;
    let slots = widget.slots();
    let more = widget.say(json!({"type": "slot", "question": widget.question(), "none_fit": true})).await;
    assert_eq!(Widget::kinds(&more), ["visitor slot", "bot ask"]);
    let later = widget.slots();
    assert!(later.len() > 3 && later.iter().all(|at| *at > slots[2]), "other times are later times");
    let done = widget.pick(later[0]).await;
    assert_eq!(done[1]["body"]["type"], "booked");
    let email = Email::parse("ana@example.com").unwrap();
    let ana = contacts::find_by_email(&mut app.app.stores.db.read(), &email).await.unwrap().unwrap();
    assert_eq!(booked(&app, ana.id).await.len(), 1);
}

#[actix_web::test]
async fn another_address_on_a_bound_device_makes_another_person_and_another_epoch() {
    let app = TestApp::start().await;
    let (nikki, device) = person(&app, "nikki@acme.example", Trust::Confirmed).await;
    let mut widget = Widget::open(&app, Some(device), None).await;
    widget.choose("person").await;
    widget.choose("question").await;
    widget.choose("other").await;
    widget.text("Do you have books in Catalan?").await;
    assert!(
        widget.asked()["text"].as_str().unwrap().contains("nikki@acme.example"),
        "she is not asked for it"
    );
    widget.choose("another").await;
    let body = json!({"type": "answer", "question": "message/email", "value": "ana@example.com"});
    let heard = widget.try_say(&new_key(), &body).await.expect_json(201);
    assert_ne!(heard["visitor"], json!(widget.visitor));
    let email = Email::parse("ana@example.com").unwrap();
    let ana = contacts::find_by_email(&mut app.app.stores.db.read(), &email).await.unwrap().unwrap();
    let fields = contacts::fields(&mut app.app.stores.db.read(), ana.id).await.unwrap();
    assert!(fields.iter().any(|field| field.name == "question"), "what she asked before belongs to her");
    let hers = contacts::fields(&mut app.app.stores.db.read(), nikki).await.unwrap();
    let question = hers.iter().find(|field| field.name == "question");
    assert!(question.is_some(), "it was typed on Nikki's device before anybody else was named");
}

#[actix_web::test]
async fn a_person_takes_over_the_bot_is_silent_and_comes_back_where_it_was() {
    let app = TestApp::start().await;
    let (mike, anna) = (agent(&app, "Mike Torres").await, agent(&app, "Anna").await);
    let mut widget = Widget::open(&app, Some(VisitorId::new()), None).await;
    let waiting = widget.choose("person").await;
    assert_eq!(Widget::kinds(&waiting), ["visitor choice", "bot text", "system status"]);
    assert_eq!(waiting[2]["body"]["mode"], "waiting");
    // The lifecycle may ask for it.
    let asked = app.rows("select id from activities where kind = 'handoff.requested'").await;
    assert_eq!(asked.len(), 1);

    let room = &app.app.room;
    chat::accept(room, widget.conversation(), &mike, app.now()).await.unwrap();
    let second = chat::accept(room, widget.conversation(), &anna, app.now()).await;
    assert!(matches!(second, Err(chat::Error::NotAllowed(_))), "one conversation, one person");
    let status = widget.catch_up().await;
    let face = json!({"name": "Mike Torres", "initials": "MT"});
    assert_eq!(status[0]["body"], json!({"type": "status", "mode": "human", "agent": face, "text": null}));

    assert_eq!(Widget::kinds(&widget.text("What does it cost?").await), ["visitor text"]);
    let id = new_key();
    chat::agent_say(room, widget.conversation(), &mike, &id, "It depends.", app.now()).await.unwrap();
    chat::agent_say(room, widget.conversation(), &mike, &id, "It depends.", app.now()).await.unwrap();
    let strange = chat::agent_say(room, widget.conversation(), &anna, &new_key(), "Me too", app.now()).await;
    assert!(matches!(strange, Err(chat::Error::NotAllowed(_))));
    let said = widget.catch_up().await;
    assert_eq!(said.len(), 1);
    assert_eq!(said[0]["author"], json!({"kind": "agent", "name": "Mike Torres"}));

    let reopened =
        app.client.with("origin", SITE).post("/v1/chat", &coming(None, None)).await.expect_json(201);
    assert_eq!(reopened["agent"], Value::Null);
    let visitor = VisitorId::parse(&widget.visitor).unwrap();
    let reopened = app.client.with("origin", SITE).post("/v1/chat", &coming(Some(visitor), None)).await;
    let reopened = reopened.expect_json(200);
    assert_eq!((reopened["conversation"].as_str(), &reopened["agent"]), (Some(widget.id.as_str()), &face));

    chat::hand_back(room, widget.conversation(), &mike, app.now()).await.unwrap();
    assert_eq!(Widget::kinds(&widget.catch_up().await), ["system status", "bot ask"]);
    assert_eq!(widget.question(), "anything_else");
    let kinds: Vec<String> = app
        .rows("select kind from events order by id")
        .await
        .iter()
        .map(|row| row.get("kind").unwrap())
        .collect();
    assert!(
        kinds.contains(&"handoff_requested".to_owned()) && kinds.contains(&"handoff_accepted".to_owned())
    );
}

#[actix_web::test]
async fn a_person_may_step_in_unasked_and_the_question_is_asked_again_afterwards() {
    let app = TestApp::start().await;
    let mike = agent(&app, "Mike").await;
    let mut widget = Widget::open(&app, Some(VisitorId::new()), None).await;
    chat::accept(&app.app.room, widget.conversation(), &mike, app.now()).await.unwrap();
    widget.catch_up().await;
    assert_eq!(Widget::kinds(&widget.text("hi").await), ["visitor text"]);
    chat::hand_back(&app.app.room, widget.conversation(), &mike, app.now()).await.unwrap();
    widget.catch_up().await;
    assert_eq!(widget.question(), "menu");
    chat::accept(&app.app.room, widget.conversation(), &mike, app.now()).await.unwrap();
    chat::close(&app.app.room, widget.conversation(), &mike, app.now()).await.unwrap();
    widget.catch_up().await;
    assert_eq!(widget.last(), &json!({"type": "end", "outcome": "handed_over"}));
}

#[actix_web::test]
async fn when_nobody_comes_the_bot_goes_on_by_itself() {
    let app = TestApp::start().await;
    agent(&app, "Mike").await;
    let mut widget = Widget::open(&app, Some(VisitorId::new()), None).await;
    widget.choose("person").await;
    app.clock.advance(89 * SECOND_MS);
    jobs::drain(&app.app.worker()).await.unwrap();
    assert!(widget.catch_up().await.is_empty());
    app.clock.advance(SECOND_MS);
    jobs::drain(&app.app.worker()).await.unwrap();
    assert_eq!(Widget::kinds(&widget.catch_up().await), ["system status", "bot ask"]);
    assert_eq!(widget.question(), "away");
    jobs::drain(&app.app.worker()).await.unwrap();
    assert!(widget.catch_up().await.is_empty(), "nobody is woken twice");
}

#[actix_web::test]
async fn whoever_left_her_console_is_not_waited_for() {
    let app = TestApp::start().await;
    agent(&app, "Mike").await;
    app.clock.advance(chat::PRESENT_MS + 1);
    let mut widget = Widget::open(&app, Some(VisitorId::new()), None).await;
    widget.choose("person").await;
    assert_eq!(widget.question(), "away");
}

#[actix_web::test]
async fn of_many_who_pick_one_time_one_gets_it_and_the_others_get_others() {
    let app = TestApp::start().await;
    let mut widgets = Vec::new();
    for n in 0..6 {
        let mut widget = Widget::open(&app, Some(VisitorId::new()), None).await;
        widget.choose("call").await;
        widget.text(&format!("p{n}@example.com")).await;
        widgets.push(widget);
    }
    // A time at which only one of the reps works.
    let at = widgets[0].slots()[0];
    let picks = widgets.iter_mut().map(|widget| async move {
        widget.pick(at).await;
        widget.log.iter().any(|event| event["body"]["type"] == "booked")
    });
    let got = futures_util::future::join_all(picks).await.into_iter().filter(|got| *got).count();
    let calls = app.rows("select rep from bookings where state = 'confirmed'").await;
    let mut reps: Vec<String> = calls.iter().map(|row| row.get("rep").unwrap()).collect();
    reps.sort();
    reps.dedup();
    assert_eq!((got, reps.len()), (calls.len(), calls.len()), "one call for one rep at one time");
    for widget in widgets.iter().filter(|w| !w.log.iter().any(|event| event["body"]["type"] == "booked")) {
        assert!(!widget.slots().contains(&at), "the others are offered other times");
    }
}

#[actix_web::test]
async fn a_conversation_that_is_left_alone_ends_by_itself() {
    let app = TestApp::start().await;
    let mut widget = Widget::open(&app, Some(VisitorId::new()), None).await;
    app.clock.advance(30 * 60 * SECOND_MS);
    jobs::drain(&app.app.worker()).await.unwrap();
    widget.catch_up().await;
    assert_eq!(widget.last(), &json!({"type": "end", "outcome": "paused"}));
    let closed = app.rows("select mode, outcome from conversations").await;
    assert_eq!(closed[0].get::<String>("mode").unwrap(), "closed");
}

#[actix_web::test]
async fn a_flow_that_was_sent_away_keeps_quiet_for_a_while() {
    let app = TestApp::start().await;
    let (_, visitor) = no_show(&app).await;
    let offer = || async {
        app.client.with("origin", SITE).post("/v1/chat/trigger", &coming(Some(visitor), None)).await.status
    };
    assert_eq!(offer().await, 200);
    let mut widget = Widget::open(&app, Some(visitor), Some("webinar-recording")).await;
    assert_eq!(offer().await, 204, "it is open already");
    widget.choose("later").await;
    assert_eq!(widget.last(), &json!({"type": "end", "outcome": "declined"}));
    app.clock.advance(8 * DAY_MS);
    assert_eq!(offer().await, 204, "she said no eight days ago");
    app.clock.advance(7 * DAY_MS);
    assert_eq!(offer().await, 200);
}

#[actix_web::test]
async fn only_its_own_token_opens_a_conversation_and_only_for_our_pages() {
    let app = TestApp::start().await;
    let (one, two) = (
        Widget::open(&app, Some(VisitorId::new()), None).await,
        Widget::open(&app, Some(VisitorId::new()), None).await,
    );
    two.client.get(&one.path("events")).await.expect_problem(404, "token.forged");
    two.client.get(&one.path("stream")).await.expect_problem(404, "token.forged");
    app.client.get(&one.path("events")).await.expect_problem(404, "token.forged");
    let said = json!({"client_id": new_key(), "body": {"type": "text", "text": "x"}});
    two.client.post(&one.path("messages"), &said).await.expect_problem(404, "token.forged");
    one.client.get("/v1/chat/not-an-id/events").await.expect_problem(404, "chat.conversation_unknown");
    app.clock.advance(31 * DAY_MS);
    one.client.get(&one.path("events")).await.expect_problem(410, "token.expired");

    let evil = app.client.with("origin", "https://evil.example");
    let refused = evil.post("/v1/chat", &coming(Some(VisitorId::new()), None)).await;
    assert_eq!(refused.header("access-control-allow-origin"), "");
    refused.expect_problem(403, "site.foreign_origin");
    let ours = app.client.with("origin", SITE).get(&one.path("events")).await;
    assert_eq!(ours.header("access-control-allow-origin"), SITE);
    assert!(!ours.body.contains(&one.token));
}

#[actix_web::test]
async fn what_is_no_message_is_refused_with_a_reason() {
    let app = TestApp::start_with(|settings| {
        set(settings, "chat", "messages_burst", 8);
        set(settings, "chat", "messages_per_minute", 1);
    })
    .await;
    let widget = Widget::open(&app, Some(VisitorId::new()), None).await;
    for body in [
        json!({"type": "text", "text": "   "}),
        json!({"type": "text", "text": "x".repeat(2_001)}),
        json!({"type": "eval", "code": "1"}),
        json!({}),
    ] {
        widget.try_say(&new_key(), &body).await.expect_problem(422, "chat.message_invalid");
    }
    let hello = json!({"type": "text", "text": "hi"});
    widget.try_say("not-an-id", &hello).await.expect_problem(422, "chat.message_invalid");
    app.client
        .with("origin", SITE)
        .post("/v1/chat", &coming(Some(VisitorId::new()), Some("no-such-flow")))
        .await
        .expect_problem(404, "chat.flow_unknown");
    let mut last = 0;
    for _ in 0..8 {
        last = widget.try_say(&new_key(), &hello).await.status;
    }
    assert_eq!(last, 429);
}

#[actix_web::test]
async fn a_visitor_without_consent_is_offered_nothing_and_can_still_talk() {
    let app = TestApp::start().await;
    let mut body = coming(Some(VisitorId::new()), None);
    body["consent"] = json!("none");
    assert_eq!(app.client.with("origin", SITE).post("/v1/chat/trigger", &body).await.status, 204);
    let mut widget = Widget::open(&app, None, None).await;
    assert_eq!(Widget::kinds(&widget.choose("webinars").await), ["visitor choice", "bot text", "bot ask"]);
}

/// Reads a stream until what was read holds `needle`.
async fn read_until(
    stream: &mut (impl futures_util::Stream<Item = String> + Unpin),
    text: &mut String,
    needle: &str,
) {
    let reading = async {
        while !text.contains(needle) {
            text.push_str(&stream.next().await.expect("the stream goes on"));
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), reading)
        .await
        .unwrap_or_else(|_| panic!("{text}"));
}

#[actix_web::test]
async fn a_stream_begins_where_it_is_told_and_brings_what_comes() {
    let app = TestApp::start().await;
    let mike = agent(&app, "Mike").await;
    let mut widget = Widget::open(&app, Some(VisitorId::new()), None).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}{}", app.url, widget.path("stream?after=1"));
    let response = http.get(url).bearer_auth(&widget.token).header("origin", SITE).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let encoding = response.headers().get("content-encoding");
    assert!(encoding.is_none_or(|encoding| encoding == "identity"), "compressing would hold events back");
    let pieces = futures_util::stream::unfold(response, |mut response| async move {
        let piece = response.chunk().await.expect("the stream is readable")?;
        Some((String::from_utf8(piece.to_vec()).expect("text"), response))
    });
    let (mut pieces, mut text) = (Box::pin(pieces), String::new());
    read_until(&mut pieces, &mut text, "event: head").await;
    assert!(text.starts_with("id: 2\nevent: event\ndata: {\"seq\":2,"), "{text}");
    assert!(text.contains("data: {\"head\":2,\"read\":0}"), "{text}");

    widget.choose("person").await;
    read_until(&mut pieces, &mut text, "id: 5\n").await;
    chat::accept(&app.app.room, widget.conversation(), &mike, app.now()).await.unwrap();
    read_until(&mut pieces, &mut text, "\"mode\":\"human\"").await;
    app.app.room.typing(widget.conversation(), chat::body::Author::Agent, "Mike").await;
    read_until(&mut pieces, &mut text, "event: typing\ndata: {\"name\":\"Mike\",\"who\":\"agent\"}").await;
    let ids: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
    assert_eq!(ids, ["2", "3", "4", "5", "6"]);
}

#[actix_web::test]
async fn a_long_poll_answers_as_soon_as_something_comes() {
    let app = TestApp::start().await;
    let widget = Widget::open(&app, Some(VisitorId::new()), None).await;
    let (client, path) = (widget.client.clone(), widget.path("events?after=2&wait=20"));
    let poll = client.get(&path);
    let say = async {
        tokio::task::yield_now().await;
        widget.try_say(&new_key(), &json!({"type": "text", "text": "1"})).await
    };
    let started = std::time::Instant::now();
    let (page, _) = futures_util::future::join(poll, say).await;
    let page = page.expect_json(200);
    assert_eq!(page["events"][0]["seq"], 3);
    assert!(started.elapsed().as_secs() < 15, "it did not wait for the end");
}

#[actix_web::test]
async fn reading_and_typing_leave_the_log_alone() {
    let app = TestApp::start().await;
    let widget = Widget::open(&app, Some(VisitorId::new()), None).await;
    widget.client.post(&widget.path("read"), &json!({"seq": 2})).await.expect(204);
    let beyond = widget.client.post(&widget.path("read"), &json!({"seq": 99})).await;
    beyond.expect_problem(409, "chat.sequence_unknown");
    widget.client.post(&widget.path("typing"), &json!({})).await.expect(204);
    let read = chat::find(&mut app.app.stores.db.read(), widget.conversation()).await.unwrap().unwrap();
    assert_eq!((read.visitor_read, read.head), (2, 2));
}
