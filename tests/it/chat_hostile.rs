//! What comes to the chat's doors and is no conversation: each gets a clear answer with a stable code, and the log is as
//! it was.
#![allow(clippy::unwrap_used, reason = "a panic in a test is a failed test")]

use std::time::Duration;

use embudo::accounts::{self, NewAccount, Role};
use embudo::base::ids::{ConversationId, VisitorId, new_key};
use embudo::base::language::Language;
use embudo::base::secret::Secret;
use embudo::base::signing::{Keys, Purpose};
use embudo::base::time::DAY_MS;
use embudo::chat::{self, Agent};
use futures_util::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::{Answer, Client};
use crate::support::app::{SITE, TestApp, set};

const PASSWORD: &str = "a lighthouse at night";

/// A widget with a conversation open.
struct Widget {
    client: Client,
    id: String,
    token: String,
}

impl Widget {
    async fn open(app: &TestApp) -> Self {
        let coming = json!({
            "site": "faro", "visitor": VisitorId::new().to_string(), "consent": "analytics",
            "page": {"url": SITE, "title": ""}, "language": "en", "zone": "Europe/Madrid",
        });
        let opened = app.client.with("origin", SITE).post("/v1/chat", &coming).await.expect_json(201);
        let token = opened["token"].as_str().unwrap().to_owned();
        let client = app.client.with("origin", SITE).with("authorization", &format!("Bearer {token}"));
        Self { client, id: opened["conversation"].as_str().unwrap().to_owned(), token }
    }

    fn path(&self, door: &str) -> String {
        format!("/v1/chat/{}/{door}", self.id)
    }

    fn conversation(&self) -> ConversationId {
        ConversationId::parse(&self.id).unwrap()
    }

    async fn raw(&self, body: impl Into<Vec<u8>>) -> Answer {
        self.client.send(Method::POST, &self.path("messages"), Some(("text/plain", body.into()))).await
    }

    async fn say(&self, id: &str, body: &Value) -> Answer {
        self.client.post(&self.path("messages"), &json!({"client_id": id, "body": body})).await
    }

    async fn text(&self, text: &str) -> Answer {
        self.say(&new_key(), &json!({"type": "text", "text": text})).await
    }

    async fn log(&self) -> Vec<Value> {
        let mut log: Vec<Value> = Vec::new();
        loop {
            let page =
                self.client.get(&self.path(&format!("events?after={}", log.len()))).await.expect_json(200);
            for event in page["events"].as_array().unwrap() {
                assert_eq!(event["seq"], json!(log.len() + 1), "the log has a gap");
                log.push(event.clone());
            }
            if page["head"] == json!(log.len()) {
                return log;
            }
        }
    }
}

async fn generous() -> TestApp {
    TestApp::start_with(|settings| {
        set(settings, "chat", "messages_burst", 100_000);
        set(settings, "chat", "messages_per_minute", 100_000);
    })
    .await
}

async fn mike(app: &TestApp) -> Agent {
    let mut tx = app.app.stores.db.begin().await.unwrap();
    let email = "mike@faro.example";
    let new = NewAccount { email, name: "Mike", role: Role::Sdr, language: Language::En, password: PASSWORD };
    let account = accounts::add(&mut tx, &new, app.now()).await.unwrap();
    tx.commit().await.unwrap();
    Agent { id: account.id, name: "Mike".to_owned() }
}

#[actix_web::test]
async fn what_is_no_message_is_refused_and_nothing_of_it_is_kept() {
    let app = generous().await;
    let widget = Widget::open(&app).await;
    let before = (widget.log().await, app.census().await);
    let text = |text: String| {
        json!({"client_id": new_key(), "body": {"type": "text", "text": text}}).to_string().into_bytes()
    };
    let (invalid, large) = ("chat.message_invalid", "request.too_large");
    for (what, body, status, code) in [
        ("nothing", Vec::new(), 422, invalid),
        ("a zero", vec![0], 422, invalid),
        ("binary", vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], 422, invalid),
        (
            "no UTF-8",
            [&text("x".into())[..20], &[0xff, 0xfe], &text("x".into())[20..]].concat(),
            422,
            invalid,
        ),
        (
            "half a surrogate",
            br#"{"client_id":"x","body":{"type":"text","text":"\ud800"}}"#.to_vec(),
            422,
            invalid,
        ),
        (
            "a raw control character",
            text("a".into()).into_iter().map(|b| if b == b'a' { 7 } else { b }).collect(),
            422,
            invalid,
        ),
        ("cut off", text("hello".into())[..40].to_vec(), 422, invalid),
        ("too deep", [b"[".repeat(8_000), b"]".repeat(8_000)].concat(), 422, invalid),
        ("a list", b"[]".to_vec(), 422, invalid),
        ("a character too many", text("é".repeat(chat::MESSAGE_LENGTH + 1)), 422, invalid),
        ("far too much", text("x".repeat(20_000)), 413, large),
        ("spaces", text(" \n\t ".into()), 422, invalid),
        ("only what cannot be seen", text("\u{202e}\u{200b}\u{0}\u{feff}\u{ad}".into()), 422, invalid),
    ] {
        println!("{what}");
        widget.raw(body).await.expect_problem(status, code);
    }
    let hello = json!({"type": "text", "text": "hello"});
    let upper = new_key().to_uppercase();
    for id in [
        "",
        "1",
        "x'; drop table messages; --",
        &upper,
        &format!("{{{}}}", new_key()),
        &new_key().replace('-', ""),
    ] {
        widget.say(id, &hello).await.expect_problem(422, invalid);
    }
    for body in [
        json!({"type": "status", "mode": "human"}),
        json!({"type": "end", "outcome": "booked"}),
        json!({"type": "text"}),
        json!({"type": "text", "text": {"html": "<b>"}}),
        json!({"type": "choice", "question": "menu"}),
        json!({"type": "slot", "question": "menu", "starts_at": "tomorrow"}),
        json!({"type": "slot", "question": "menu", "starts_at": 1e300}),
        json!("text"),
        Value::Null,
    ] {
        println!("{body}");
        widget.say(&new_key(), &body).await.expect_problem(422, invalid);
    }
    assert_eq!((widget.log().await, app.census().await), before);
    // The longest message that is one, in letters of four bytes.
    let longest = "🦉".repeat(chat::MESSAGE_LENGTH);
    let heard = widget.text(&longest).await.expect_json(201);
    assert_eq!(heard["event"]["body"]["text"], json!(longest));
}

#[actix_web::test]
async fn answers_to_questions_that_were_not_asked_change_nothing() {
    let app = generous().await;
    let widget = Widget::open(&app).await;
    let before = widget.log().await;
    for body in [
        json!({"type": "choice", "question": "nothing", "choice": "call"}),
        json!({"type": "answer", "question": "", "value": "x"}),
        json!({"type": "answer", "question": "menu\u{0}", "value": "x"}),
        json!({"type": "slot", "question": "menu", "starts_at": i64::MAX}),
        json!({"type": "slot", "question": "suggested:discovery", "starts_at": i64::MIN}),
        json!({"type": "slot", "question": "suggested:", "none_fit": true}),
    ] {
        let refused = widget.say(&new_key(), &body).await.expect_json(409);
        let code = refused["code"].as_str().unwrap();
        assert!(matches!(code, "chat.question_over" | "chat.not_allowed"), "{body}: {refused}");
    }
    assert_eq!(widget.log().await, before);
    // Times that no calendar has, to somebody who asks for one.
    let mike = mike(&app).await;
    chat::accept(&app.app.room, widget.conversation(), &mike, app.now()).await.unwrap();
    for at in [i64::MIN, -1, 0, i64::MAX] {
        let body = json!({"type": "slot", "question": "suggested:discovery", "starts_at": at});
        let answer = widget.say(&new_key(), &body).await;
        assert!(matches!(answer.status, 201 | 409 | 422), "{at}: {} {}", answer.status, answer.body);
    }
    assert_eq!(app.count("bookings").await, 0);
    for ranges in [json!([[0, 1e308]]), json!([[-5, -1]]), json!([[5, 1]]), json!([["0", "1"]]), json!(7)] {
        let body = json!({"recording": "nothing", "ranges": ranges});
        let answer = widget.client.post(&widget.path("watch"), &body).await;
        assert!(matches!(answer.status, 400 | 404), "{ranges}: {} {}", answer.status, answer.body);
    }
    widget.log().await;
}

#[actix_web::test]
async fn control_characters_and_turned_directions_are_taken_out_and_scripts_stay_text() {
    let app = generous().await;
    let widget = Widget::open(&app).await;
    let mike = mike(&app).await;
    chat::accept(&app.app.room, widget.conversation(), &mike, app.now()).await.unwrap();
    let script =
        "</script><script>alert(1)</script><img src=x onerror=alert(1)> {{contact.email}} ${x} &lt;b&gt;";
    for (typed, kept) in [
        ("a\u{0}b\u{1b}[31mc\r\nd", "ab[31mc\nd"),
        ("invoice_\u{202e}fdp.exe\u{2066}", "invoice_fdp.exe"),
        (script, script),
    ] {
        let heard = widget.text(typed).await.expect_json(201);
        assert_eq!(heard["event"]["body"]["text"], kept);
        let (room, now) = (&app.app.room, app.now());
        let said = chat::agent_say(room, widget.conversation(), &mike, &new_key(), typed, now).await.unwrap();
        assert_eq!(said.body, chat::body::Body::text(kept));
    }
    // A word that was cleaned is still the same message when it comes again.
    let (id, body) = (new_key(), json!({"type": "text", "text": "again\u{7}"}));
    widget.say(&id, &body).await.expect(201);
    widget.say(&id, &body).await.expect(200);

    let fields = [("email", "mike@faro.example"), ("password", PASSWORD), ("next", "/console")];
    let entered = app.client.submit("/console/login", &fields).await.expect(303);
    let cookie = entered.header("set-cookie").split(';').next().unwrap().to_owned();
    let console = app.client.with("cookie", &cookie);
    for page in [format!("/console/inbox/{}", widget.id), "/console/inbox".to_owned()] {
        let page = console.get(&page).await.expect(200);
        assert!(!page.body.contains("<script>alert") && !page.body.contains("<img src=x"), "it is text");
        assert!(page.header("content-security-policy").contains("default-src 'self'"));
    }
    let talk = console.get(&format!("/console/inbox/{}", widget.id)).await.body;
    assert!(
        talk.contains("&lt;script&gt;alert(1)") && talk.contains("{{contact.email}}"),
        "it is shown as it is"
    );
}

#[actix_web::test]
async fn no_token_but_its_own_opens_a_conversation_on_any_door() {
    let app = generous().await;
    let (one, other) = (Widget::open(&app).await, Widget::open(&app).await);
    let (now, later) = (app.now(), app.now().plus_ms(DAY_MS));
    let sign = |keys: &Keys, purpose, subject: &str| {
        keys.sign(purpose, &Keys::claims(subject.to_owned(), now, later))
    };
    let strange = Keys::new(&Secret::new("another secret, which is forty characters"));
    let cut = &one.token[..one.token.len() - 2];
    let mut turned = one.token.clone().into_bytes();
    let middle = turned.len() / 3;
    turned[middle] = if turned[middle] == b'A' { b'B' } else { b'A' };
    let turned = String::from_utf8(turned).unwrap();
    let unsigned = one.token.split('.').next().unwrap();
    let forged = [
        ("somebody else's", other.token.clone()),
        ("cut", cut.to_owned()),
        ("one letter", turned),
        ("without its signature", format!("{unsigned}.")),
        ("another secret's", sign(&strange, Purpose::Conversation, &one.id)),
        ("of another purpose", sign(&app.app.keys, Purpose::Booking, &one.id)),
        ("of nobody", sign(&app.app.keys, Purpose::Conversation, "")),
        ("a word", "null".to_owned()),
        ("very long", "a".repeat(6_000)),
    ];
    let before = (one.log().await, app.census().await);
    let message = json!({"client_id": new_key(), "body": {"type": "text", "text": "x"}});
    for (what, token) in forged {
        println!("{what}");
        let sly = app.client.with("origin", SITE).with("authorization", &format!("Bearer {token}"));
        for door in ["events", "stream"] {
            sly.get(&one.path(door)).await.expect_problem(404, "token.forged");
        }
        sly.post(&one.path("messages"), &message).await.expect_problem(404, "token.forged");
        sly.post(&one.path("read"), &json!({"seq": 1})).await.expect_problem(404, "token.forged");
        sly.post(&one.path("typing"), &json!({})).await.expect_problem(404, "token.forged");
        let watched = json!({"recording": "x", "ranges": []});
        sly.post(&one.path("watch"), &watched).await.expect_problem(404, "token.forged");
    }
    // A token in the address is not looked at.
    let address = format!("{}?token={}&access_token={}", one.path("events"), one.token, one.token);
    app.client.get(&address).await.expect_problem(404, "token.forged");
    for id in [other.id.as_str(), &ConversationId::new().to_string()] {
        one.client.get(&format!("/v1/chat/{id}/events")).await.expect_problem(404, "token.forged");
    }
    for id in ["x", "%00", "..%2f..%2fetc", "0", "'--"] {
        one.client
            .get(&format!("/v1/chat/{id}/events"))
            .await
            .expect_problem(404, "chat.conversation_unknown");
    }
    assert_eq!((one.log().await, app.census().await), before);
    // Good once, too old now; and of a conversation that is gone.
    app.clock.advance(31 * DAY_MS);
    one.client.get(&one.path("stream")).await.expect_problem(410, "token.expired");
    let gone = ConversationId::new();
    let fresh = app
        .app
        .keys
        .sign(Purpose::Conversation, &Keys::claims(gone.to_string(), app.now(), app.now().plus_ms(DAY_MS)));
    let late = app.client.with("authorization", &format!("Bearer {fresh}"));
    for door in ["events", "stream"] {
        let path = format!("/v1/chat/{gone}/{door}");
        late.get(&path).await.expect_problem(404, "chat.conversation_unknown");
    }
    late.post(&format!("/v1/chat/{gone}/messages"), &message)
        .await
        .expect_problem(404, "chat.conversation_unknown");
}

#[actix_web::test]
async fn a_message_that_comes_again_with_another_body_or_from_another_side_is_refused() {
    let app = generous().await;
    let widget = Widget::open(&app).await;
    let mike = mike(&app).await;
    chat::accept(&app.app.room, widget.conversation(), &mike, app.now()).await.unwrap();
    let (room, id, now) = (&app.app.room, widget.conversation(), app.now());
    let hers = new_key();
    let hello = json!({"type": "text", "text": "hello"});
    let first = widget.say(&hers, &hello).await.expect_json(201);
    for other in [
        json!({"type": "text", "text": "Hello"}),
        json!({"type": "text", "text": "hello "}),
        json!({"type": "answer", "question": "menu", "value": "hello"}),
        json!({"type": "human_requested"}),
    ] {
        widget.say(&hers, &other).await.expect_problem(409, "chat.client_id_reused");
    }
    let his = chat::agent_say(room, id, &mike, &hers, "hello", now).await;
    assert!(matches!(his, Err(chat::Error::ClientIdReused)));
    let his = new_key();
    chat::agent_say(room, id, &mike, &his, "hello", now).await.unwrap();
    widget.say(&his, &hello).await.expect_problem(409, "chat.client_id_reused");
    // The same is the same, also after it was over: whoever did not hear the answer hears it now.
    chat::close(room, id, &mike, now).await.unwrap();
    assert_eq!(widget.say(&hers, &hello).await.expect_json(200)["event"], first["event"]);
    widget.say(&new_key(), &hello).await.expect_problem(409, "chat.closed");
    // In another conversation the id is free.
    Widget::open(&app).await.say(&hers, &hello).await.expect(201);
    let log = widget.log().await;
    assert_eq!(log.iter().filter(|event| event["client_id"] == json!(hers)).count(), 1);
}

/// Says `ids` at once, over fifty connections; how each was answered.
async fn flood(widget: &Widget, ids: &[String]) -> Vec<Answer> {
    let says = ids.iter().map(|id| async move {
        let body = json!({"type": "text", "text": format!("of many: {id}")});
        widget.say(id, &body).await
    });
    stream::iter(says).buffer_unordered(50).collect().await
}

/// The ids of the visitor's messages in the log, sorted.
fn heard(log: &[Value]) -> Vec<String> {
    let ids = log.iter().filter_map(|event| event["client_id"].as_str().map(str::to_owned));
    let mut ids: Vec<String> = ids.collect();
    ids.sort();
    ids
}

#[actix_web::test]
async fn of_a_thousand_messages_in_a_second_each_is_taken_or_told_when_to_come_again() {
    let app = TestApp::start().await;
    let widget = Widget::open(&app).await;
    let mike = mike(&app).await;
    chat::accept(&app.app.room, widget.conversation(), &mike, app.now()).await.unwrap();
    let mut left: Vec<String> = (0..1_000).map(|_| new_key()).collect();
    let all = {
        let mut all = left.clone();
        all.sort();
        all
    };
    let burst = usize::try_from(app.app.config.chat.messages_burst).unwrap();
    let answers = flood(&widget, &left).await;
    let taken = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(taken, burst, "as many as the settings allow at once");
    for answer in answers.into_iter().filter(|answer| answer.status != 201) {
        let seconds: u64 = answer.header("retry-after").parse().expect("when to come again");
        assert!((1..=60).contains(&seconds));
        answer.expect_problem(429, "limit.too_many");
    }
    let log = heard(&widget.log().await);
    assert_eq!(log.len(), taken);
    // Nobody else has to wait for that.
    Widget::open(&app).await.text("hello").await.expect(201);
    // With patience all of them are said, each once.
    left.retain(|id| !log.contains(id));
    app.clock.advance(DAY_MS);
    let again = flood(&widget, &left[..burst.min(left.len())]).await;
    assert!(again.iter().all(|answer| answer.status == 201));
    let log = heard(&widget.log().await);
    assert!(log.len() == taken + again.len() && log.iter().all(|id| all.binary_search(id).is_ok()));
}

#[actix_web::test]
async fn where_a_thousand_in_a_second_are_allowed_all_stand_in_the_log_once() {
    let app = TestApp::start_with(|settings| {
        set(settings, "server", "workers", 2);
        for key in ["messages_per_minute", "messages_burst"] {
            set(settings, "chat", key, 100_000);
        }
    })
    .await;
    let widget = Widget::open(&app).await;
    let mike = mike(&app).await;
    chat::accept(&app.app.room, widget.conversation(), &mike, app.now()).await.unwrap();
    let mut ids: Vec<String> = (0..1_000).map(|_| new_key()).collect();
    let flooding = async {
        for answer in flood(&widget, &ids).await {
            assert!(matches!(answer.status, 201 | 503), "{}: {}", answer.status, answer.body);
        }
        // Whoever was told that the store is busy comes again.
        for answer in flood(&widget, &ids).await {
            assert!(matches!(answer.status, 200 | 201), "{}: {}", answer.status, answer.body);
        }
    };
    tokio::time::timeout(Duration::from_secs(120), flooding).await.expect("in bounded time");
    ids.sort();
    assert_eq!(heard(&widget.log().await), ids);
}
