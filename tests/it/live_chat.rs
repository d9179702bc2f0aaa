//! People in conversations: who is there and asked, passing on, notes, prepared answers, what was read, how it was.
#![allow(clippy::unwrap_used, reason = "a panic in a test is a failed test")]

use embudo::accounts::{self, NewAccount, Role};
use embudo::base::email::Email;
use embudo::base::ids::{AccountId, ContactId, VisitorId, new_key};
use embudo::base::language::Language;
use embudo::base::time::{HOUR_MS, MINUTE_MS, SECOND_MS};
use embudo::contacts::{self, Consent, Identification, Trust};
use embudo::privacy;
use serde_json::{Value, json};

use crate::support::answer::{Answer, Client};
use crate::support::app::{SITE, TestApp, set};

/// A key of the API, as reports ask for it.
const KEY: &str = "a key of forty characters for these tests ok";
const PASSWORD: &str = "a lighthouse at night";

/// Somebody of the company with the console open.
pub(crate) struct Colleague<'a> {
    app: &'a TestApp,
    pub(crate) id: AccountId,
    pub(crate) client: Client,
    csrf: String,
}

impl<'a> Colleague<'a> {
    pub(crate) async fn hire(app: &'a TestApp, name: &str) -> Self {
        Self::hire_as(app, name, Role::Sdr).await
    }

    pub(crate) async fn hire_as(app: &'a TestApp, name: &str, role: Role) -> Self {
        let email = format!("{}@faro.example", name.split(' ').next().unwrap().to_lowercase());
        let new = NewAccount { email: &email, name, role, language: Language::En, password: PASSWORD };
        let mut tx = app.app.stores.db.begin().await.unwrap();
        let id = accounts::add(&mut tx, &new, app.now()).await.unwrap().id;
        tx.commit().await.unwrap();
        let fields = [("email", email.as_str()), ("password", PASSWORD), ("next", "/console")];
        let entered = app.client.submit("/console/login", &fields).await.expect(303);
        let cookie = entered.header("set-cookie").split(';').next().unwrap().to_owned();
        let client = app.client.with("cookie", &cookie);
        let page = client.get("/console").await.expect(200).body;
        let csrf =
            page.split("name=\"csrf\" content=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        Self { app, id, csrf: csrf.to_owned(), client }
    }

    pub(crate) async fn does(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut fields = fields.to_vec();
        fields.push(("csrf", &self.csrf));
        self.client.with("sec-fetch-site", "same-origin").submit(path, &fields).await
    }

    /// Does something in a chat.
    pub(crate) async fn acts(&self, talk: &Widget, what: &str, fields: &[(&str, &str)]) -> Answer {
        self.does(&format!("/console/inbox/{}/{what}", talk.id), fields).await
    }

    pub(crate) async fn goes_online(&self) {
        self.does("/console/presence", &[("online", "1")]).await.expect(303);
    }

    async fn goes_away(&self) {
        self.does("/console/presence", &[("online", "0")]).await.expect(303);
    }

    async fn beats(&self) -> Value {
        self.does("/console/presence/beat", &[]).await.expect_json(200)
    }

    pub(crate) async fn sees(&self, talk: &Widget) -> String {
        self.client.get(&format!("/console/inbox/{}", talk.id)).await.expect(200).body
    }

    /// The kinds of the lines that were written for her, or for everybody, in order.
    pub(crate) async fn told(&self) -> Vec<String> {
        self.app.run_jobs().await;
        let rows = self.app.rows("select account_id, kind from notifications order by at, id").await;
        rows.iter()
            .filter(|row| {
                row.get::<Option<AccountId>>("account_id").unwrap().is_none_or(|account| account == self.id)
            })
            .map(|row| row.get("kind").unwrap())
            .collect()
    }
}

/// A visitor with a conversation open.
pub(crate) struct Widget {
    pub(crate) client: Client,
    pub(crate) id: String,
    pub(crate) log: Vec<Value>,
    read: i64,
}

impl Widget {
    pub(crate) async fn open(app: &TestApp, visitor: VisitorId, language: &str) -> Self {
        let coming = json!({
            "site": "faro", "visitor": visitor, "consent": "analytics", "flow": "welcome",
            "page": {"url": format!("{SITE}/pricing"), "title": "Prices"},
            "language": language, "zone": "Europe/Madrid",
        });
        Self::of(app, &coming).await
    }

    pub(crate) async fn of(app: &TestApp, coming: &Value) -> Self {
        let opened = app.client.with("origin", SITE).post("/v1/chat", coming).await;
        assert!(matches!(opened.status, 200 | 201), "{}", opened.body);
        let opened = opened.json();
        let bearer = format!("Bearer {}", opened["token"].as_str().unwrap());
        let client = app.client.with("origin", SITE).with("authorization", &bearer);
        let id = opened["conversation"].as_str().unwrap().to_owned();
        let mut widget = Self { client, id, log: Vec::new(), read: 0 };
        widget.catch_up().await;
        widget
    }

    pub(crate) async fn post(&self, door: &str, body: &Value) -> Answer {
        self.client.post(&format!("/v1/chat/{}/{door}", self.id), body).await
    }

    pub(crate) async fn catch_up(&mut self) -> Vec<Value> {
        let path = format!("/v1/chat/{}/events?after={}", self.id, self.log.len());
        let page = self.client.get(&path).await.expect_json(200);
        let fresh = page["events"].as_array().unwrap().clone();
        self.log.extend(fresh.iter().cloned());
        self.read = page["read"].as_i64().unwrap_or(0);
        fresh
    }

    pub(crate) async fn says(&mut self, body: Value) -> Vec<Value> {
        self.post("messages", &json!({"client_id": new_key(), "body": body})).await.expect(201);
        self.catch_up().await
    }

    pub(crate) async fn types(&mut self, text: &str) -> Vec<Value> {
        self.says(json!({"type": "text", "text": text})).await
    }

    pub(crate) async fn wants_a_person(&mut self) -> Vec<Value> {
        self.says(json!({"type": "human_requested"})).await
    }

    /// Every text and word of the log, as a reader could find it.
    pub(crate) async fn whole(&mut self) -> String {
        self.catch_up().await;
        serde_json::to_string(&self.log).unwrap()
    }

    async fn last(&mut self) -> Value {
        self.catch_up().await;
        self.log.last().unwrap()["body"].clone()
    }
}

pub(crate) async fn app() -> TestApp {
    TestApp::start_with(|settings| {
        set(settings, "server", "workers", 2);
        set(settings, "api", "keys", vec![KEY]);
    })
    .await
}

pub(crate) async fn person(app: &TestApp, email: &str, trust: Trust) -> (ContactId, VisitorId) {
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

async fn own(app: &TestApp, contact: ContactId, owner: AccountId) {
    let mut tx = app.app.stores.db.begin().await.unwrap();
    let sql = embudo::sql!("update contacts set owner_id = $2 where id = $1");
    tx.execute(sql, embudo::params![contact, owner]).await.unwrap();
    tx.commit().await.unwrap();
}

/// A chat that a colleague has taken and in which both have said something.
async fn talking(app: &TestApp, visitor: VisitorId, with: &Colleague<'_>) -> Widget {
    let mut nikki = Widget::open(app, visitor, "en").await;
    nikki.wants_a_person().await;
    with.acts(&nikki, "accept", &[]).await.expect(303);
    nikki.types("How much is it for 200 people?").await;
    with.acts(&nikki, "say", &[("text", "Let me see.")]).await.expect(303);
    nikki.catch_up().await;
    nikki
}

// ---- who is there ---------------------------------------------------------------------------------

#[tokio::test]
async fn whoever_is_online_rests_outside_of_her_hours_unless_she_says_so() {
    let app = app().await;
    let mike = Colleague::hire(&app, "Mike Torres").await; // Madrid, 9 to 14 and 15:30 to 18:30
    let online = async || app.app.room.online(app.now()).await;
    mike.goes_online().await;
    assert_eq!(online().await, 1);
    app.clock.advance(4 * HOUR_MS + MINUTE_MS);
    assert_eq!(mike.beats().await["presence"], "resting", "it is 14:01");
    assert_eq!(online().await, 0);
    let page = mike.client.get("/console").await.expect(200).body;
    assert!(page.contains("After hours") && page.contains("data-quiet=\"true\""), "{page}");
    app.clock.advance(90 * MINUTE_MS);
    assert_eq!(mike.beats().await["presence"], "online", "it is 15:31: the switch stands");
    app.clock.advance(5 * HOUR_MS);
    assert_eq!(mike.beats().await["presence"], "resting");
    mike.goes_online().await;
    assert_eq!(online().await, 1, "after hours, by hand");
    app.clock.advance(MINUTE_MS);
    assert_eq!(online().await, 0, "and no page beats any more");
    assert_eq!(mike.beats().await["presence"], "online");
    mike.goes_away().await;
    assert_eq!(mike.beats().await["presence"], "away", "a page that was left open elsewhere");
    assert_eq!(online().await, 0);
}

// ---- who is asked ---------------------------------------------------------------------------------

#[tokio::test]
async fn the_owner_is_asked_first_then_the_others_in_turn_then_all_then_the_flow_goes_on() {
    let app = app().await;
    let [ana, ben] = [Colleague::hire(&app, "Ana Ruiz").await, Colleague::hire(&app, "Ben Mora").await];
    let (contact, visitor) = person(&app, "nikki@acme.example", Trust::Claimed).await;
    own(&app, contact, ben.id).await;
    for one in [&ana, &ben] {
        one.goes_online().await;
    }
    let mut nikki = Widget::open(&app, visitor, "en").await;
    nikki.wants_a_person().await;
    assert_eq!(ben.told().await, ["handoff_requested"], "the contact is hers");
    assert!(ana.told().await.is_empty());
    assert!(ben.sees(&nikki).await.contains("You are asked to take this chat"));
    assert!(ana.sees(&nikki).await.contains("Ben Mora is being asked"));

    app.later(20 * SECOND_MS).await;
    assert_eq!(ana.told().await, ["handoff_requested"], "her turn");
    assert_eq!(ben.told().await.len(), 1);
    for one in [&ana, &ben] {
        one.beats().await;
    }
    app.later(20 * SECOND_MS).await;
    assert_eq!((ana.told().await.len(), ben.told().await.len()), (2, 2), "now everybody");
    assert!(!ana.sees(&nikki).await.contains("being asked"));
    for one in [&ana, &ben] {
        one.beats().await;
    }
    app.later(60 * SECOND_MS).await;
    let words = nikki.whole().await;
    assert!(words.contains("Nobody can join us right now"), "{words}");
    assert_eq!(app.count("chat_offers").await, 2);
    let open = app.rows("select id from chat_offers where ended_at is null").await;
    assert!(open.is_empty());
}

#[tokio::test]
async fn chats_go_round_and_whoever_looks_may_be_faster() {
    let app = app().await;
    let [ana, ben] = [Colleague::hire(&app, "Ana Ruiz").await, Colleague::hire(&app, "Ben Mora").await];
    ana.goes_online().await;
    ben.goes_online().await;
    let mut asked = Vec::new();
    for _ in 0..4 {
        let mut visitor = Widget::open(&app, VisitorId::new(), "en").await;
        visitor.wants_a_person().await;
        app.clock.advance(SECOND_MS);
        let rows = app.rows("select account_id from chat_offers order by offered_at desc, id desc").await;
        asked.push(rows[0].get::<AccountId>("account_id").unwrap());
    }
    assert_eq!(asked[0], asked[2]);
    assert_eq!(asked[1], asked[3]);
    assert_ne!(asked[0], asked[1]);
    let mut last = Widget::open(&app, VisitorId::new(), "en").await;
    last.wants_a_person().await;
    let (is_asked, other) = if asked[0] == ana.id { (&ana, &ben) } else { (&ben, &ana) };
    other.acts(&last, "accept", &[]).await.expect(303);
    assert!(is_asked.acts(&last, "accept", &[]).await.status >= 400);
    let rows = app.rows("select ending from chat_offers where ending is not null").await;
    assert_eq!(rows[0].get::<String>("ending").unwrap(), "accepted");
}

#[tokio::test]
async fn nobody_there_leaves_a_question_that_stands_in_the_inbox_until_it_is_answered() {
    let app = app().await;
    let ana = Colleague::hire(&app, "Ana Ruiz").await;
    let mut nikki = Widget::open(&app, VisitorId::new(), "en").await;
    nikki.wants_a_person().await;
    assert_eq!(app.count("chat_offers").await, 0, "the flow goes on at once");
    nikki.says(json!({"type": "choice", "question": "away", "choice": "question"})).await;
    nikki.says(json!({"type": "choice", "question": "ask_topic", "choice": "order"})).await;
    nikki
        .says(json!({"type": "answer", "question": "message/question", "value": "Do you ship to Chile?"}))
        .await;
    nikki.says(json!({"type": "answer", "question": "message/email", "value": "nikki@acme.example"})).await;
    assert_eq!(ana.told().await, ["question_left"]);
    let list = ana.client.get("/console/inbox?view=left").await.expect(200).body;
    assert!(list.contains(&nikki.id) && list.contains("Left a question <span class=\"number\">1"), "{list}");
    assert!(ana.sees(&nikki).await.contains("Do you ship to Chile?"));
    ana.acts(&nikki, "answered", &[]).await.expect(303);
    assert!(!ana.client.get("/console/inbox?view=left").await.expect(200).body.contains(&nikki.id));
    assert_eq!(ana.acts(&nikki, "answered", &[]).await.status, 409, "once");
}

#[tokio::test]
async fn a_company_without_flows_has_a_live_chat_that_passes_a_question_on_before_it_asks_for_an_address() {
    let empty = tempfile::TempDir::new().unwrap();
    let flows = empty.path().display().to_string();
    let app = TestApp::start_with(|settings| {
        set(settings, "server", "workers", 2);
        set(settings, "definitions", "flows", flows);
    })
    .await;
    let ana = Colleague::hire(&app, "Ana Ruiz").await;
    let open = async |language: &str| {
        let coming = json!({
            "site": "faro", "visitor": VisitorId::new(), "consent": "analytics",
            "page": {"url": format!("{SITE}/"), "title": ""}, "language": language, "zone": "Europe/Madrid",
        });
        let opened = app.client.with("origin", SITE).post("/v1/chat", &coming).await.expect_json(201);
        let bearer = format!("Bearer {}", opened["token"].as_str().unwrap());
        let client = app.client.with("origin", SITE).with("authorization", &bearer);
        Widget { client, id: opened["conversation"].as_str().unwrap().to_owned(), log: Vec::new(), read: 0 }
    };
    let left = async || ana.client.get("/console/inbox?view=left").await.expect(200).body;

    let mut nikki = open("es").await;
    assert_eq!(nikki.last().await["text"], "Hola. ¿En qué te podemos ayudar?");
    nikki.types("¿Enviáis a Chile?").await;
    assert!(nikki.whole().await.contains("he pasado al equipo lo que has escrito"), "nobody is there");
    assert_eq!(ana.told().await, ["question_left"], "before she has left an address");
    assert!(left().await.contains(&nikki.id));
    assert_eq!(nikki.last().await["input"]["kind"], "email");
    nikki.types("nikki@acme.example").await;
    assert!(nikki.whole().await.contains("Gracias, lo tenemos"));
    assert_eq!(ana.told().await, ["question_left"], "once");
    assert!(ana.sees(&nikki).await.contains("¿Enviáis a Chile?"));

    // Whoever leaves no address has left her question all the same.
    let mut ben = open("en").await;
    ben.types("Do you ship to Peru?").await;
    app.later(30 * MINUTE_MS).await;
    assert!(ben.whole().await.contains("Your message stays with us"));
    assert_eq!(ben.last().await, json!({"type": "end", "outcome": "question_left"}));
    assert!(left().await.contains(&ben.id) && ana.sees(&ben).await.contains("Do you ship to Peru?"));

    // Whoever asks for a person before she has said anything is asked what it is about.
    let mut cleo = open("en").await;
    cleo.says(json!({"type": "human_requested"})).await;
    assert_eq!(cleo.last().await["text"], "Nobody can join us right now. What may I pass on?");
    assert!(!left().await.contains(&cleo.id));
    cleo.types("An order has not come").await;
    assert!(left().await.contains(&cleo.id));
}

// ---- passing on -----------------------------------------------------------------------------------

#[tokio::test]
async fn a_chat_is_passed_on_to_a_colleague_with_a_note_that_the_visitor_never_sees() {
    let app = app().await;
    let [ana, ben] = [Colleague::hire(&app, "Ana Ruiz").await, Colleague::hire(&app, "Ben Mora").await];
    ana.goes_online().await;
    let mut nikki = talking(&app, VisitorId::new(), &ana).await;
    let to = ben.id.to_string();
    let fields = [("to", to.as_str()), ("note", "Decides in January. Wants a discount.")];
    assert_eq!(ana.acts(&nikki, "transfer", &fields).await.status, 409, "Ben is away");
    ben.goes_online().await;
    assert_eq!(ben.acts(&nikki, "transfer", &fields).await.status, 409, "it is not hers");
    ana.acts(&nikki, "transfer", &fields).await.expect(303);
    let joined = nikki.last().await;
    assert_eq!((&joined["mode"], &joined["agent"]["name"]), (&json!("human"), &json!("Ben Mora")));
    assert!(!nikki.whole().await.contains("discount"));
    assert!(ben.told().await.contains(&"handoff_passed_on".to_owned()));
    let page = ben.sees(&nikki).await;
    assert!(page.contains("Note for Ben Mora") && page.contains("Wants a discount"), "{page}");
    assert_eq!(ana.acts(&nikki, "say", &[("text", "One more thing")]).await.status, 409);
    ben.acts(&nikki, "say", &[("text", "Ben here.")]).await.expect(303);
    assert_eq!(nikki.last().await["text"], "Ben here.");
    // And back to the bot: the flow goes on and says so.
    ben.acts(&nikki, "hand-back", &[]).await.expect(303);
    assert!(nikki.whole().await.contains("You are back with me"));
}

#[tokio::test]
async fn somebody_who_has_left_keeps_no_visitor_waiting() {
    let app = app().await;
    let [ana, ben] = [Colleague::hire(&app, "Ana Ruiz").await, Colleague::hire(&app, "Ben Mora").await];
    ana.goes_online().await;
    ben.goes_online().await;
    let mut nikki = talking(&app, VisitorId::new(), &ana).await;
    app.clock.advance(40 * SECOND_MS);
    assert_eq!(ben.acts(&nikki, "accept", &[]).await.status, 409, "Ana is there");
    ana.goes_away().await;
    assert!(ben.sees(&nikki).await.contains("Ana Ruiz is not here any more"));
    ben.acts(&nikki, "accept", &[]).await.expect(303);
    assert_eq!(nikki.last().await["agent"]["name"], "Ben Mora");

    nikki.types("Are you there?").await;
    app.later(119 * SECOND_MS).await;
    assert!(nikki.catch_up().await.is_empty(), "not yet");
    ben.goes_away().await;
    ben.acts(&nikki, "look", &[]).await.expect(204);
    app.later(SECOND_MS).await;
    assert!(nikki.catch_up().await.is_empty(), "he takes no new chats, and has this one before him");
    app.later(MINUTE_MS).await;
    let words = nikki.whole().await;
    assert!(words.contains("You are back with me") && words.contains("Anything else?"), "{words}");

    // Somebody reads what nobody answered.
    let left = app.rows("select question, answered_at from chat_left").await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].get::<String>("question").unwrap(), "Are you there?");
    assert_eq!(left[0].get::<Option<i64>>("answered_at").unwrap(), None);
    let inbox = ana.client.get("/console/inbox?view=left").await.expect(200);
    assert!(inbox.body.contains(&nikki.id));
    assert!(ana.sees(&nikki).await.contains("<q>Are you there?</q>"));
}

#[tokio::test]
async fn what_was_said_to_somebody_whose_account_is_closed_is_a_question_that_was_left() {
    let app = app().await;
    let eva = Colleague::hire_as(&app, "Eva Ruiz", Role::Admin).await;
    let ana = Colleague::hire(&app, "Ana Ruiz").await;
    ana.goes_online().await;
    let mut nikki = talking(&app, VisitorId::new(), &ana).await;
    eva.does(&format!("/console/accounts/{}/disable", ana.id), &[]).await.expect(303);
    nikki.types("Does it work offline?").await;
    nikki.types("And on ships?").await;
    app.later(3 * MINUTE_MS).await;
    assert!(nikki.whole().await.contains("You are back with me"));
    let left = app.rows("select question from chat_left where answered_at is null").await;
    let left: Vec<String> = left.iter().map(|row| row.get("question").unwrap()).collect();
    assert_eq!(left, ["Does it work offline?\nAnd on ships?"]);
}

// ---- notes ----------------------------------------------------------------------------------------

#[tokio::test]
async fn whoever_may_take_no_chats_any_more_is_not_there_from_that_moment_on() {
    let app = app().await;
    let eva = Colleague::hire_as(&app, "Eva Ruiz", Role::Admin).await;
    for (name, deed, fields) in [
        ("Mike Torres", "disable", vec![]),
        ("Yuri Navarro", "role", vec![("role", "viewer"), ("was", "sdr")]),
    ] {
        let there = Colleague::hire(&app, name).await;
        there.goes_online().await;
        assert_eq!(app.app.room.online(app.now()).await, 1, "{name}");
        eva.does(&format!("/console/accounts/{}/{deed}", there.id), &fields).await.expect(303);
        assert_eq!(app.app.room.there(app.now()).await, [], "{name}");
        let mut nikki = Widget::open(&app, VisitorId::new(), "en").await;
        let told = serde_json::to_string(&nikki.wants_a_person().await).unwrap();
        assert!(told.contains("Nobody can join us right now"), "{name}: {told}");
    }
    // By the command line, which has no word with the servers.
    let there = Colleague::hire(&app, "Lucía Vega").await;
    there.goes_online().await;
    let mut tx = app.app.stores.db.begin().await.unwrap();
    let email = accounts::find(&mut tx, there.id).await.unwrap().unwrap().email;
    accounts::disable(&mut tx, email.as_str(), app.now()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(app.app.room.online(app.now()).await, 0);
}

#[tokio::test]
async fn a_note_stands_in_no_log_stream_transcript_or_mail_of_the_visitor() {
    let app = app().await;
    let ana = Colleague::hire(&app, "Ana Ruiz").await;
    ana.goes_online().await;
    let (contact, visitor) = person(&app, "nikki@acme.example", Trust::Confirmed).await;
    let mut nikki = talking(&app, visitor, &ana).await;
    let heads = nikki.log.len();
    let id = new_key();
    for _ in 0..2 {
        let fields = [("text", "Budget is a secret: 40k."), ("client_id", id.as_str())];
        ana.acts(&nikki, "note", &fields).await.expect(303);
    }
    assert_eq!(app.count("chat_notes").await, 1, "the same note is written once");
    assert!(nikki.catch_up().await.is_empty());
    assert_eq!(nikki.log.len(), heads, "the log has not grown");
    assert!(ana.sees(&nikki).await.contains("Budget is a secret"));

    nikki.post("transcript", &json!({})).await.expect(202);
    ana.acts(&nikki, "transcript", &[("asked", "1")]).await.expect(303);
    ana.acts(&nikki, "close", &[]).await.expect(303);
    app.run_jobs().await;
    assert!(!nikki.whole().await.contains("secret"));
    let mails = app.rows("select text_body, html_body, subject from mails").await;
    assert_eq!(mails.len(), 2);
    for mail in &mails {
        let text: String = mail.get("text_body").unwrap();
        assert!(text.contains("How much is it for 200 people?") && text.contains("Let me see."), "{text}");
        assert!(!text.contains("secret") && !mail.get::<String>("html_body").unwrap().contains("secret"));
    }
    // Whoever asks what is kept about her gets it.
    let mut tx = app.app.stores.db.begin().await.unwrap();
    let export = privacy::export(
        &mut tx,
        &app.app.lifecycle,
        "Fari",
        &embudo::jobs::later_tables(),
        &|language| app.app.privacy_told(language),
        contact,
        app.now(),
    )
    .await
    .unwrap();
    drop(tx);
    assert!(export.files.iter().any(|(_, text)| text.contains("Budget is a secret")));
}

#[tokio::test]
async fn what_is_marked_as_a_note_is_one_whatever_button_sends_it() {
    let app = app().await;
    let ana = Colleague::hire(&app, "Ana Ruiz").await;
    ana.goes_online().await;
    let mut nikki = talking(&app, VisitorId::new(), &ana).await;
    ana.acts(&nikki, "say", &[("text", "A secret."), ("kind", "note")]).await.expect(303);
    ana.acts(&nikki, "times", &[("text", "Another secret."), ("kind", "note")]).await.expect(303);
    assert!(!nikki.whole().await.contains("secret"));
    assert_eq!(app.count("chat_notes").await, 1);
}

#[tokio::test]
async fn an_empty_or_endless_note_is_refused() {
    let app = app().await;
    let ana = Colleague::hire(&app, "Ana Ruiz").await;
    let nikki = Widget::open(&app, VisitorId::new(), "en").await;
    for text in [" \n".to_owned(), "x".repeat(2_001)] {
        assert_eq!(ana.acts(&nikki, "note", &[("text", &text)]).await.status, 422);
    }
    ana.acts(&nikki, "note", &[("text", "Talks to the bot.")]).await.expect(303);
}

// ---- prepared answers -----------------------------------------------------------------------------

#[tokio::test]
async fn a_shortcut_is_said_in_the_visitors_language_and_tells_nothing_that_is_not_hers_to_see() {
    let app = app().await;
    let ana = Colleague::hire(&app, "Ana Ruiz").await;
    ana.goes_online().await;
    let written = [
        ("shortcut", "parking"),
        ("title_en", "Parking"),
        ("title_es", "Aparcar"),
        ("text_en", "Two streets away. {{agent.name}}"),
        ("text_es", "A dos calles. {{agent.name}}"),
    ];
    ana.does("/console/replies", &written).await.expect(303);
    for (trust, language, said) in [
        (Trust::Claimed, "en", "Hello, this is Ana Ruiz. What can I do for you?"),
        (Trust::Confirmed, "en", "Hello Nikki, this is Ana Ruiz. What can I do for you?"),
        (Trust::Confirmed, "es", "Hola, Nikki, soy Ana Ruiz. ¿En qué te puedo ayudar?"),
    ] {
        let email = format!("{}@acme.example", new_key());
        let (_, visitor) = person(&app, &email, trust).await;
        let mut nikki = Widget::open(&app, visitor, language).await;
        nikki.wants_a_person().await;
        ana.acts(&nikki, "accept", &[]).await.expect(303);
        ana.acts(&nikki, "say", &[("text", "/hello")]).await.expect(303);
        assert_eq!(nikki.last().await["text"], said);
        let page = ana.sees(&nikki).await;
        assert!(
            page.contains("data-shortcut=\"hello\"") && page.contains("data-shortcut=\"parking\""),
            "{page}"
        );
        ana.acts(&nikki, "say", &[("text", "/parking")]).await.expect(303);
        let parking = if language == "es" { "A dos calles. Ana Ruiz" } else { "Two streets away. Ana Ruiz" };
        assert_eq!(nikki.last().await["text"], parking, "one of the console's");
        ana.acts(&nikki, "say", &[("text", "/nobody")]).await.expect(303);
        assert_eq!(nikki.last().await["text"], "/nobody", "what is no shortcut stays what it is");
    }
}

#[tokio::test]
async fn a_name_with_braces_fills_a_hole_and_opens_none() {
    let app = app().await;
    let ana = Colleague::hire(&app, "Ana Ruiz").await;
    ana.goes_online().await;
    let (contact, visitor) = person(&app, "nikki@acme.example", Trust::Confirmed).await;
    let mut tx = app.app.stores.db.begin().await.unwrap();
    let name = "{{agent.name}}<b>";
    contacts::set_field(&mut tx, contact, "first_name", name, "form", Trust::Authenticated, app.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut nikki = talking(&app, visitor, &ana).await;
    ana.acts(&nikki, "say", &[("text", "/hello")]).await.expect(303);
    assert_eq!(
        nikki.last().await["text"],
        "Hello {{agent.name}}<b>, this is Ana Ruiz. What can I do for you?"
    );
    assert!(!ana.sees(&nikki).await.contains("<b>,"), "escaped in the console");
}

// ---- what others do -------------------------------------------------------------------------------

#[tokio::test]
async fn whoever_looks_at_a_chat_sees_who_else_does() {
    let app = app().await;
    let [ana, ben] = [Colleague::hire(&app, "Ana Ruiz").await, Colleague::hire(&app, "Ben Mora").await];
    let nikki = Widget::open(&app, VisitorId::new(), "en").await;
    ana.acts(&nikki, "look", &[("seq", "1")]).await.expect(204);
    assert!(ben.sees(&nikki).await.contains("Ana Ruiz is looking at this chat, too"));
    assert!(!ana.sees(&nikki).await.contains("looking at this chat"), "not she herself");
    ana.acts(&nikki, "look", &[("leaves", "true")]).await.expect(204);
    assert!(!ben.sees(&nikki).await.contains("looking at this chat"));
    ana.acts(&nikki, "look", &[]).await.expect(204);
    app.clock.advance(40 * SECOND_MS);
    assert!(
        !ben.sees(&nikki).await.contains("looking at this chat"),
        "a page that was closed without a word"
    );
}

#[tokio::test]
async fn both_sides_see_what_the_other_has_read() {
    let app = app().await;
    let [ana, ben] = [Colleague::hire(&app, "Ana Ruiz").await, Colleague::hire(&app, "Ben Mora").await];
    ana.goes_online().await;
    let mut nikki = talking(&app, VisitorId::new(), &ana).await;
    nikki.types("And for 300?").await;
    let said = i64::try_from(nikki.log.len()).unwrap();
    ben.acts(&nikki, "look", &[("seq", &said.to_string())]).await.expect(204);
    nikki.catch_up().await;
    assert!(nikki.read < said, "a colleague who only looks has not read it for her");
    ana.acts(&nikki, "look", &[("seq", "9999")]).await.expect(204);
    nikki.catch_up().await;
    assert_eq!(nikki.read, said);

    ana.acts(&nikki, "say", &[("text", "A little more.")]).await.expect(303);
    assert!(!ana.sees(&nikki).await.contains("Seen by the visitor"));
    nikki.catch_up().await;
    nikki.post("read", &json!({"seq": nikki.log.len()})).await.expect(204);
    assert!(ana.sees(&nikki).await.contains("Seen by the visitor"));
}

#[tokio::test]
async fn the_panel_tells_stage_scores_answers_calls_and_pages() {
    let app = app().await;
    let ana = Colleague::hire(&app, "Ana Ruiz").await;
    let (contact, visitor) = person(&app, "nikki@acme.example", Trust::Confirmed).await;
    let mut device = app.visitor();
    device.id = visitor.to_string();
    device.visit("/pricing/teams").await;
    app.run_jobs().await;
    let mut tx = app.app.stores.db.begin().await.unwrap();
    contacts::set_field(
        &mut tx,
        contact,
        "need",
        "Reading for three sites",
        "chat",
        Trust::Confirmed,
        app.now(),
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    let nikki = Widget::open(&app, visitor, "en").await;
    let page = ana.sees(&nikki).await;
    for told in [
        "Qualification: 1 of 4",
        "Reading for three sites",
        "not known yet",
        "/pricing/teams",
        "Fit",
        "Pages seen",
    ] {
        assert!(page.contains(told), "{told} in {page}");
    }
    // Nobody knows this one; where she was is known all the same.
    let mut stranger = app.visitor();
    stranger.id = VisitorId::new().to_string();
    stranger.visit("/about").await;
    app.run_jobs().await;
    let talk = Widget::open(&app, VisitorId::parse(&stranger.id).unwrap(), "en").await;
    assert!(ana.sees(&talk).await.contains("/about"));
}

// ---- afterwards -----------------------------------------------------------------------------------

#[tokio::test]
async fn after_a_talk_with_a_person_the_visitor_is_asked_how_it_was_and_the_answer_counts_once() {
    let app = app().await;
    let ana = Colleague::hire(&app, "Ana Ruiz").await;
    ana.goes_online().await;
    let mut nikki = talking(&app, VisitorId::new(), &ana).await;
    let early = nikki.post("rating", &json!({"score": 5})).await;
    early.expect_problem(409, "chat.not_allowed");
    ana.acts(&nikki, "close", &[]).await.expect(303);
    assert_eq!(
        nikki.last().await,
        json!({"type": "satisfaction", "text": "How was this conversation for you?"})
    );
    for score in [0, 6] {
        nikki.post("rating", &json!({"score": score})).await.expect_problem(422, "chat.message_invalid");
    }
    let given = json!({"score": 4, "comment": " Quick. "});
    nikki.post("rating", &given).await.expect(201);
    assert_eq!(nikki.last().await, json!({"type": "rated", "score": 4, "comment": "Quick."}));
    nikki.post("rating", &given).await.expect(200);
    assert!(nikki.catch_up().await.is_empty(), "the same answer again changes nothing");
    app.clock.advance(MINUTE_MS);
    nikki.post("rating", &json!({"score": 1})).await.expect_problem(409, "chat.not_allowed");
    assert!(ana.sees(&nikki).await.contains("4/5: Quick."));

    let report = app
        .client
        .with("authorization", &format!("Bearer {KEY}"))
        .get("/api/v1/reports/talks")
        .await
        .expect_json(200);
    assert_eq!((&report["total"]["ratings"], &report["total"]["satisfaction"]), (&json!(1), &json!(4.0)));
    let hers = &report["by_colleague"]["Ana Ruiz"];
    assert_eq!((&hers["conversations"], &hers["accepted"]), (&json!(1), &json!(1)));
    assert_eq!((&report["wanted"], &hers["content_rate"]), (&json!(1), &json!(1.0)));
}

#[tokio::test]
async fn nobody_is_asked_about_a_talk_with_the_bot() {
    let app = app().await;
    let mut nikki = Widget::open(&app, VisitorId::new(), "en").await;
    nikki.says(json!({"type": "choice", "question": "menu", "choice": "webinars"})).await;
    nikki.says(json!({"type": "choice", "question": "anything_else", "choice": "no"})).await;
    assert_eq!(nikki.last().await["type"], "end");
    nikki.post("rating", &json!({"score": 5})).await.expect_problem(409, "chat.not_allowed");
}

#[tokio::test]
async fn a_transcript_goes_only_where_it_is_certain_or_where_somebody_vouches_for_it() {
    let app = app().await;
    let ana = Colleague::hire(&app, "Ana Ruiz").await;
    ana.goes_online().await;
    let mut stranger = talking(&app, VisitorId::new(), &ana).await;
    stranger.post("transcript", &json!({})).await.expect_problem(403, "chat.not_confirmed");
    assert_eq!(ana.acts(&stranger, "transcript", &[("asked", "1")]).await.status, 409, "no address");

    let (_, claimed) = person(&app, "somebody@else.example", Trust::Claimed).await;
    let talk = talking(&app, claimed, &ana).await;
    talk.post("transcript", &json!({})).await.expect_problem(403, "chat.not_confirmed");
    assert_eq!(ana.acts(&talk, "transcript", &[]).await.status, 409, "she did not ask for it");
    ana.acts(&talk, "transcript", &[("asked", "1")]).await.expect(303);

    let (_, hers) = person(&app, "nikki@acme.example", Trust::Confirmed).await;
    let talk = talking(&app, hers, &ana).await;
    talk.post("transcript", &json!({})).await.expect(202);
    app.run_jobs().await;
    let mails = app.rows("select recipient, template from mails order by sent_at, id").await;
    let to: Vec<String> = mails.iter().map(|mail| mail.get("recipient").unwrap()).collect();
    assert_eq!(to, ["somebody@else.example", "nikki@acme.example"]);
    stranger.catch_up().await;

    // What would be held back is not said to be on its way.
    let block = json!({"email": "nikki@acme.example", "reason": "manual"});
    app.client.with("authorization", &format!("Bearer {KEY}")).post("/api/v1/suppressions", &block).await;
    app.clock.advance(2 * MINUTE_MS);
    talk.post("transcript", &json!({})).await.expect_problem(409, "chat.address_held_back");
    let page = ana.acts(&talk, "transcript", &[("asked", "1")]).await;
    assert_eq!(page.status, 409);
    assert!(page.body.contains("Nothing is sent to this address"), "{}", page.body);
}
