//! One log, three ways to read it: the visitors' event stream and long poll, the console's WebSocket. Each of them must
//! keep every sentence of this file; what only one of them does follows below.
#![allow(clippy::unwrap_used, reason = "a panic in a test is a failed test")]

use std::collections::VecDeque;
use std::time::Duration;

use embudo::accounts::{self, NewAccount, Role};
use embudo::base::ids::{ConversationId, VisitorId, new_key};
use embudo::base::language::Language;
use embudo::chat::{self, Agent};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::support::answer::{Client, Frames, frames};
use crate::support::app::{SITE, TestApp, set};
use crate::support::socket::Socket;
use crate::support::stores::{Mix, mix};

const PASSWORD: &str = "a lighthouse at night";

/// A conversation that Mike has taken.
struct Stage {
    app: TestApp,
    id: String,
    token: String,
    mike: Agent,
    cookie: String,
    csrf: String,
}

impl Stage {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut toml::Table)) -> Self {
        let app = TestApp::start_with(|settings| {
            set(settings, "server", "workers", 2);
            set(settings, "chat", "messages_burst", 10_000);
            change(settings);
        })
        .await;
        let mut tx = app.app.stores.db.begin().await.unwrap();
        let new = NewAccount {
            email: "mike@faro.example",
            name: "Mike",
            role: Role::Sdr,
            language: Language::En,
            password: PASSWORD,
        };
        let account = accounts::add(&mut tx, &new, app.now()).await.unwrap();
        tx.commit().await.unwrap();
        let (cookie, csrf) = log_in(&app, "mike@faro.example").await;
        let mike = Agent { id: account.id, name: "Mike".to_owned() };
        let opened = open(&app, Some(VisitorId::new())).await;
        let word = |name: &str| opened[name].as_str().unwrap().to_owned();
        let stage = Self { id: word("conversation"), token: word("token"), app, mike, cookie, csrf };
        chat::accept(&stage.app.app.room, stage.conversation(), &stage.mike, stage.app.now()).await.unwrap();
        stage
    }

    fn conversation(&self) -> ConversationId {
        ConversationId::parse(&self.id).unwrap()
    }

    fn path(&self, door: &str) -> String {
        format!("/v1/chat/{}/{door}", self.id)
    }

    fn visitor(&self) -> Client {
        self.app.client.with("origin", SITE).with("authorization", &format!("Bearer {}", self.token))
    }

    async fn says(&self, text: &str) {
        let body = json!({"client_id": new_key(), "body": {"type": "text", "text": text}});
        self.visitor().post(&self.path("messages"), &body).await.expect(201);
    }

    async fn answers(&self, text: &str) {
        let (room, now) = (&self.app.app.room, self.app.now());
        chat::agent_say(room, self.conversation(), &self.mike, &new_key(), text, now).await.unwrap();
    }

    /// The whole log, page by page.
    async fn log(&self) -> Vec<Value> {
        let mut log: Vec<Value> = Vec::new();
        loop {
            let path = self.path(&format!("events?after={}", log.len()));
            let page = self.visitor().get(&path).await.expect_json(200);
            log.extend(page["events"].as_array().unwrap().iter().cloned());
            if page["head"] == json!(log.len()) {
                return log;
            }
        }
    }

    /// Puts as many entries into the log as make it this long.
    async fn fill(&self, head: i64) {
        let db = &self.app.app.stores.db;
        let from = chat::find(&mut db.read(), self.conversation()).await.unwrap().unwrap().head + 1;
        db.execute(
            embudo::sql!(
                "insert into messages (conversation_id, seq, author, body, at)
                 with recursive n(i) as (select cast($2 as bigint) union all select i + 1 from n where i < $3)
                 select cast($1 as text), i, 'visitor', cast($4 as text), 0 from n"
            ),
            embudo::params![self.conversation(), from, head, r#"{"type":"text","text":"one of many"}"#],
        )
        .await
        .unwrap();
        db.execute(
            embudo::sql!("update conversations set head = $2 where id = $1"),
            embudo::params![self.conversation(), head],
        )
        .await
        .unwrap();
    }

    fn console(&self) -> [(&str, &str); 2] {
        [("cookie", self.cookie.as_str()), ("origin", self.app.url.as_str())]
    }

    fn line(&self, after: i64) -> String {
        format!("{}/console/line?conversation={}&after={after}", self.app.url, self.id)
    }

    async fn socket(&self, after: i64) -> Socket {
        let mut socket = Socket::open(&self.line(after), &self.console()).await.expect("opened");
        socket.hello(&self.csrf).await;
        socket
    }

    async fn listen(&self, transport: Transport, after: i64) -> Ear {
        match transport {
            Transport::Stream => Ear::Stream(self.stream(&format!("stream?after={after}"), None).await),
            Transport::Poll => {
                let told = VecDeque::new();
                Ear::Poll { client: self.visitor(), path: self.path("events"), after, read: 0, told }
            }
            Transport::Line => {
                Ear::Line(Box::new(Socket::open(&self.line(after), &self.console()).await.expect("opened")))
            }
        }
    }

    async fn stream(&self, door: &str, last_event_id: Option<&str>) -> Frames {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = http.get(format!("{}{}", self.app.url, self.path(door))).bearer_auth(&self.token);
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        frames(answer)
    }
}

async fn log_in(app: &TestApp, email: &str) -> (String, String) {
    let fields = [("email", email), ("password", PASSWORD), ("next", "/console")];
    let answer = app.client.submit("/console/login", &fields).await.expect(303);
    let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
    let page = app.client.with("cookie", &cookie).get("/console").await.expect(200).body;
    let csrf = page.split("name=\"csrf\" content=\"").nth(1).and_then(|rest| rest.split('"').next());
    (cookie, csrf.unwrap().to_owned())
}

async fn open(app: &TestApp, visitor: Option<VisitorId>) -> Value {
    let coming = json!({
        "site": "faro", "visitor": visitor.map(|visitor| visitor.to_string()), "consent": "analytics",
        "page": {"url": SITE, "title": ""}, "language": "en", "zone": "Europe/Madrid",
    });
    let opened = app.client.with("origin", SITE).post("/v1/chat", &coming).await;
    assert!(matches!(opened.status, 200 | 201), "{}", opened.body);
    opened.json()
}

#[derive(Clone, Copy, Debug)]
enum Transport {
    Stream,
    Poll,
    Line,
}

const ALL: [Transport; 3] = [Transport::Stream, Transport::Poll, Transport::Line];

/// A reader of the log.
enum Ear {
    Stream(Frames),
    Poll { client: Client, path: String, after: i64, read: i64, told: VecDeque<(String, Value)> },
    Line(Box<Socket>),
}

impl Ear {
    /// What is told next, by name.
    async fn next(&mut self) -> (String, Value) {
        let next = async {
            match self {
                Ear::Stream(frames) => frames.next().await.expect("the stream goes on"),
                Ear::Poll { client, path, after, read, told } => loop {
                    if let Some(frame) = told.pop_front() {
                        return frame;
                    }
                    let asked = format!("{path}?after={after}&wait=15&read={read}");
                    let page = client.get(&asked).await.expect_json(200);
                    *read = page["read"].as_i64().unwrap();
                    if let Some(typing) = page.get("typing") {
                        told.push_back(("typing".to_owned(), typing.clone()));
                    }
                    for event in page["events"].as_array().unwrap() {
                        *after = event["seq"].as_i64().unwrap();
                        told.push_back(("event".to_owned(), event.clone()));
                    }
                    if *after == page["head"].as_i64().unwrap() {
                        let head = json!({"head": page["head"], "read": page["read"]});
                        told.push_back(("head".to_owned(), head));
                    }
                },
                Ear::Line(socket) => {
                    let frame = socket.next().await.expect("the line stays open");
                    (frame["type"].as_str().unwrap().to_owned(), frame["data"].clone())
                }
            }
        };
        timeout(Duration::from_secs(30), next).await.expect("told in time")
    }

    async fn next_of(&mut self, name: &str) -> Value {
        loop {
            let (told, data) = self.next().await;
            if told == name {
                return data;
            }
        }
    }

    async fn entries(&mut self, count: usize) -> Vec<Value> {
        let mut entries = Vec::new();
        while entries.len() < count {
            entries.push(self.next_of("event").await);
        }
        entries
    }
}

#[actix_web::test]
async fn a_reader_is_told_what_comes_after_its_number_and_then_what_is_new_each_once_and_in_order() {
    let stage = Stage::start().await;
    for transport in ALL {
        println!("{transport:?}");
        let before = stage.log().await.len();
        let mut ear = stage.listen(transport, i64::try_from(before).unwrap() - 2).await;
        let mut told = ear.entries(2).await;
        for n in 0..5 {
            stage.says(&format!("said {n}")).await;
            stage.answers(&format!("answered {n}")).await;
        }
        told.extend(ear.entries(10).await);
        // Byte for byte what every other reader is told.
        assert_eq!(told, stage.log().await[before - 2..]);
    }
}

#[actix_web::test]
async fn a_reader_that_broke_off_goes_on_where_it_was() {
    let stage = Stage::start().await;
    for n in 0..6 {
        stage.says(&n.to_string()).await;
    }
    for transport in ALL {
        println!("{transport:?}");
        let mut first = stage.listen(transport, 0).await;
        let mut told = first.entries(4).await;
        drop(first);
        stage.answers("said while nobody listened").await;
        let mut second = stage.listen(transport, 4).await;
        let log = stage.log().await;
        told.extend(second.entries(log.len() - 4).await);
        assert_eq!(told, log);
    }
    // As browsers do it by themselves: the header says more than the address.
    let mut resumed = stage.stream("stream?after=1", Some("5")).await;
    assert_eq!(resumed.next().await.unwrap().1["seq"], 6);
}

#[actix_web::test]
async fn a_log_of_many_pages_is_told_to_its_end() {
    let stage = Stage::start().await;
    let length = 2 * usize::try_from(chat::PAGE).unwrap() + 123;
    stage.fill(i64::try_from(length).unwrap()).await;
    for transport in ALL {
        println!("{transport:?}");
        let mut ear = stage.listen(transport, 0).await;
        let told = ear.entries(length).await;
        assert!(told.iter().zip(1..).all(|(event, seq): (_, i64)| event["seq"] == seq));
        assert_eq!(ear.next_of("head").await["head"], json!(length));
    }
}

#[actix_web::test]
async fn a_reader_learns_at_once_how_far_the_log_goes_and_later_how_far_the_other_side_has_read() {
    let stage = Stage::start().await;
    stage.says("hello").await;
    let head = i64::try_from(stage.log().await.len()).unwrap();
    for transport in ALL {
        println!("{transport:?}");
        let mut ear = stage.listen(transport, head).await;
        let told = ear.next_of("head").await;
        assert_eq!((&told["head"], &told["read"]), (&json!(head), &json!(0)));
        let (room, id) = (&stage.app.app.room, stage.conversation());
        let other = match transport {
            Transport::Line => chat::body::Author::Visitor,
            Transport::Stream | Transport::Poll => chat::body::Author::Agent,
        };
        let reading = async {
            tokio::task::yield_now().await;
            chat::read(room, id, other, head).await.unwrap();
        };
        let (told, ()) = futures_util::future::join(ear.next_of("head"), reading).await;
        assert_eq!(told["read"], json!(head), "{transport:?}");
        let undo = embudo::sql!("update conversations set agent_read = 0, visitor_read = 0 where id = $1");
        stage.app.app.stores.db.execute(undo, embudo::params![id]).await.unwrap();
    }
}

#[actix_web::test]
async fn what_was_read_between_two_polls_is_told_by_the_next_at_once() {
    let stage = Stage::start().await;
    stage.says("hello").await;
    let head = i64::try_from(stage.log().await.len()).unwrap();
    let (room, id) = (&stage.app.app.room, stage.conversation());
    chat::read(room, id, chat::body::Author::Agent, head).await.unwrap();
    let started = std::time::Instant::now();
    let asked = |read: i64, wait: u8| stage.path(&format!("events?after={head}&wait={wait}&read={read}"));
    let page = stage.visitor().get(&asked(0, 20)).await.expect_json(200);
    assert_eq!(page["read"], json!(head));
    assert!(started.elapsed() < Duration::from_secs(10), "it was answered at once");
    // Who knows it already waits.
    let started = std::time::Instant::now();
    stage.visitor().get(&asked(head, 1)).await.expect(200);
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[actix_web::test]
async fn a_number_that_the_log_does_not_have_is_refused() {
    let stage = Stage::start().await;
    let log = stage.log().await;
    let visitor = stage.visitor();
    for after in [-1, i64::MIN, i64::try_from(log.len()).unwrap() + 1, i64::MAX] {
        for door in ["events", "stream"] {
            let path = stage.path(&format!("{door}?after={after}"));
            visitor.get(&path).await.expect_problem(409, "chat.sequence_unknown");
        }
        assert_eq!(Socket::open(&stage.line(after), &stage.console()).await.err(), Some(409));
    }
    for after in ["x", "1.5", "99999999999999999999"] {
        visitor
            .get(&stage.path(&format!("events?after={after}")))
            .await
            .expect_problem(400, "request.malformed");
    }
    for id in ["x", "-1", "17"] {
        let resumed = visitor.with("last-event-id", id).get(&stage.path("stream")).await;
        resumed.expect_problem(409, "chat.sequence_unknown");
    }
    // The number is there, but of another entry: the store was put back to an older state since.
    let at = log[1]["at"].as_i64().unwrap();
    for door in ["events", "stream"] {
        let path = stage.path(&format!("{door}?after=2&at={}", at - 1));
        visitor.get(&path).await.expect_problem(409, "chat.sequence_unknown");
    }
    visitor.get(&stage.path(&format!("events?after=2&at={at}"))).await.expect(200);
}

#[actix_web::test]
async fn what_the_other_side_types_is_told_and_what_one_types_oneself_is_not() {
    let stage = Stage::start().await;
    let (room, id) = (&stage.app.app.room, stage.conversation());
    let head = i64::try_from(stage.log().await.len()).unwrap();
    let mut visitor = stage.listen(Transport::Stream, head).await;
    let mut mike = stage.listen(Transport::Line, head).await;
    visitor.next_of("head").await;
    mike.next_of("head").await;
    room.typing(id, chat::body::Author::Visitor, "").await;
    room.typing(id, chat::body::Author::Agent, "Mike").await;
    let told = ("typing".to_owned(), json!({"who": "agent", "name": "Mike"}));
    assert_eq!(visitor.next().await, told);
    // Who polls is answered at once. What is typed while she is not asking is lost, as it may be: it is typed again.
    let mut polls = stage.listen(Transport::Poll, head).await;
    let types = async {
        loop {
            room.typing(id, chat::body::Author::Visitor, "").await;
            room.typing(id, chat::body::Author::Agent, "Mike").await;
            actix_web::rt::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        heard = polls.next() => assert_eq!(heard, told),
        () = types => {}
    }
    let typing = mike.next_of("typing").await;
    assert!(typing["text"].as_str().unwrap().contains("writing"), "in the reader's words: {typing}");
    stage.says("said").await;
    assert_eq!(mike.next_of("event").await["body"]["text"], "said");
}

#[actix_web::test]
async fn a_reader_on_one_node_is_told_what_is_said_on_another_and_goes_on_there() {
    if mix() == Mix::Embedded {
        return; // There is one node.
    }
    let stage = Stage::start().await;
    let storage = &stage.app.app.config.storage;
    let share = |settings: &mut toml::Table| {
        set(settings, "storage", "postgres", storage.postgres.expose());
        set(settings, "storage", "redis", storage.redis.expose());
        set(settings, "storage", "redis_prefix", storage.redis_prefix.clone());
    };
    let other = TestApp::start_with(share).await;
    let head = i64::try_from(stage.log().await.len()).unwrap();
    for transport in ALL {
        println!("{transport:?}");
        let head = i64::try_from(stage.log().await.len()).unwrap();
        let mut ear = stage.listen(transport, head).await;
        if !matches!(transport, Transport::Poll) {
            ear.next_of("head").await;
        }
        let started = std::time::Instant::now();
        let (room, id, key) = (&other.app.room, stage.conversation(), new_key());
        let saying = chat::agent_say(room, id, &stage.mike, &key, "from the other node", other.now());
        let (told, said) = futures_util::future::join(ear.next_of("event"), saying).await;
        said.unwrap();
        assert_eq!(told["body"]["text"], "from the other node");
        assert!(started.elapsed() < Duration::from_secs(10), "it was woken, and did not wait for its beat");
    }
    // Its node is gone: the same token, the same number, on the other one.
    let visitor = other.client.with("origin", SITE).with("authorization", &format!("Bearer {}", stage.token));
    let page = visitor.get(&stage.path(&format!("events?after={head}"))).await.expect_json(200);
    assert_eq!(page["events"].as_array().unwrap().len(), 3);
    let body = json!({"client_id": new_key(), "body": {"type": "text", "text": "still here"}});
    visitor.post(&stage.path("messages"), &body).await.expect(201);
}

#[actix_web::test]
async fn lines_and_messages_are_counted() {
    let stage = Stage::start().await;
    let _stream = stage.listen(Transport::Stream, 0).await;
    let _line = stage.socket(0).await;
    let (id, body) = (new_key(), json!({"type": "text", "text": "hello"}));
    for status in [201, 200] {
        let message = json!({"client_id": id, "body": body});
        stage.visitor().post(&stage.path("messages"), &message).await.expect(status);
    }
    stage.visitor().post(&stage.path("messages"), &json!({})).await.expect(422);
    let counted = stage.app.get("/metrics").await.expect(200).body;
    for line in [
        "embudo_chat_messages_total{outcome=\"taken\"} 1",
        "embudo_chat_messages_total{outcome=\"repeated\"} 1",
        "embudo_chat_messages_total{outcome=\"refused\"} 1",
        "embudo_chat_reads_total{transport=\"stream\"} 1",
        "embudo_chat_reads_total{transport=\"line\"} 1",
        "embudo_chat_lines_open 2",
    ] {
        assert!(counted.lines().any(|found| found == line), "{line}: {counted}");
    }
}

// --- the console's line alone ----------------------------------------------------------------------

#[actix_web::test]
async fn a_line_is_opened_by_our_own_page_of_somebody_who_is_logged_in() {
    let stage = Stage::start().await;
    let (url, cookie, own) = (stage.line(0), stage.cookie.as_str(), stage.app.url.as_str());
    for (what, headers, status) in [
        ("nobody", vec![("origin", own)], 401),
        ("a forged session", vec![("cookie", "embudo=forged"), ("origin", own)], 401),
        ("a page of somebody else", vec![("cookie", cookie), ("origin", "https://evil.example")], 403),
        ("a page of the site", vec![("cookie", cookie), ("origin", SITE)], 403),
        ("a page without a name", vec![("cookie", cookie), ("origin", "null")], 403),
        ("no page", vec![("cookie", cookie)], 403),
        (
            "another site, by its own words",
            vec![("cookie", cookie), ("origin", own), ("sec-fetch-site", "cross-site")],
            403,
        ),
    ] {
        assert_eq!(Socket::open(&url, &headers).await.err(), Some(status), "{what}");
    }
    let unknown = format!("{own}/console/line?conversation={}", ConversationId::new());
    assert_eq!(Socket::open(&unknown, &stage.console()).await.err(), Some(404));
    let plain = stage.app.client.with("cookie", cookie).with("origin", own).get("/console/line").await;
    assert_eq!(plain.status, 400, "{}", plain.body);
    assert!(Socket::open(&url, &stage.console()).await.is_ok());
}

#[actix_web::test]
async fn what_is_said_over_the_line_is_answered_and_stands_in_the_log_once() {
    let stage = Stage::start().await;
    let head = i64::try_from(stage.log().await.len()).unwrap();
    let mut socket = Socket::open(&stage.line(head), &stage.console()).await.unwrap();
    let (id, csrf) = (new_key(), stage.csrf.clone());
    let say = |id: &str, text: &str| json!({"type": "say", "id": id, "text": text});
    // Before the page has shown that it is ours, nothing is taken.
    socket.send(&say(&id, "hello")).await;
    assert_eq!(socket.next_of("refused").await["problem"]["code"], "csrf.failed");
    socket.send(&json!({"type": "hello", "csrf": "another"})).await;
    assert_eq!(socket.next_of("refused").await["problem"]["code"], "csrf.failed");
    assert_eq!(i64::try_from(stage.log().await.len()).unwrap(), head);
    socket.hello(&csrf).await;

    socket.send(&say(&id, "hello")).await;
    let done = socket.next_of("done").await;
    assert_eq!((&done["id"], &done["event"]["body"]["text"]), (&json!(id), &json!("hello")));
    // On a second line, after the first broke: the same entry, once.
    let mut second = stage.socket(head).await;
    second.send(&say(&id, "hello")).await;
    assert_eq!(second.next_of("done").await, done);
    second.send(&say(&id, "something else")).await;
    let refused = second.next_of("refused").await;
    assert_eq!((&refused["id"], &refused["problem"]["code"]), (&json!(id), &json!("chat.client_id_reused")));
    second.send(&say(&new_key(), &"x".repeat(chat::MESSAGE_LENGTH + 1))).await;
    assert_eq!(second.next_of("refused").await["problem"]["code"], "chat.message_invalid");
    let log = stage.log().await;
    assert_eq!(i64::try_from(log.len()).unwrap(), head + 1);
    assert_eq!(log.last().unwrap(), &done["event"]);

    let mut visitor = stage.listen(Transport::Stream, head + 1).await;
    second.send(&json!({"type": "typing"})).await;
    assert_eq!(visitor.next_of("typing").await["name"], "Mike");
    stage.says("and you?").await;
    second.send(&json!({"type": "read", "seq": head + 2})).await;
    let read = async { while visitor.next_of("head").await["read"] != json!(head + 2) {} };
    timeout(Duration::from_secs(20), read).await.expect("she learns that it was read");
}

#[actix_web::test]
async fn who_logs_out_says_nothing_any_more_on_any_line() {
    let stage = Stage::start().await;
    let mut socket = stage.socket(0).await;
    let head = stage.log().await.len();
    let client = stage.app.client.with("cookie", &stage.cookie).with("sec-fetch-site", "same-origin");
    client.submit("/console/logout", &[("csrf", &stage.csrf)]).await.expect(303);
    socket.send(&json!({"type": "say", "id": new_key(), "text": "still here"})).await;
    let closed = loop {
        if let Err(code) = socket.next().await {
            break code;
        }
    };
    assert_eq!(closed, Some(4401));
    assert_eq!(stage.log().await.len(), head);
}

#[actix_web::test]
async fn who_may_only_look_hears_the_log_and_says_nothing() {
    let stage = Stage::start().await;
    let mut tx = stage.app.app.stores.db.begin().await.unwrap();
    let email = "mara@faro.example";
    let role = Role::Marketing;
    assert!(!role.may(accounts::May::Chat));
    let new = NewAccount { email, name: "Mara", role, language: Language::En, password: PASSWORD };
    accounts::add(&mut tx, &new, stage.app.now()).await.unwrap();
    tx.commit().await.unwrap();
    let (cookie, csrf) = log_in(&stage.app, email).await;
    let headers = [("cookie", cookie.as_str()), ("origin", stage.app.url.as_str())];
    let mut socket = Socket::open(&stage.line(0), &headers).await.unwrap();
    assert_eq!(socket.next_of("event").await["seq"], 1);
    socket.hello(&csrf).await;
    socket.send(&json!({"type": "say", "id": new_key(), "text": "me too"})).await;
    assert_eq!(socket.next_of("refused").await["problem"]["code"], "account.forbidden");
}

#[actix_web::test]
async fn what_is_no_message_of_the_line_ends_it_with_a_reason() {
    let stage = Stage::start().await;
    for message in [
        Message::text("{"),
        Message::text("{}"),
        Message::text(r#"{"type":"eval","code":"1"}"#),
        Message::text(r#"{"type":"read","seq":"far"}"#),
        Message::binary(vec![0, 159, 146, 150]),
        Message::text(format!(r#"{{"type":"say","id":"{}","text":"{}"}}"#, new_key(), "x".repeat(20_000))),
    ] {
        let mut socket = stage.socket(0).await;
        socket.send_raw(message).await;
        let closed = loop {
            if let Err(code) = socket.next().await {
                break code;
            }
        };
        assert_eq!(closed, Some(1008));
    }
}

#[actix_web::test]
async fn a_page_that_does_not_read_is_not_read_ahead_for_and_loses_nothing() {
    let stage = Stage::start().await;
    // Without waiting for an answer to its hello: what comes before that answer counts, too.
    let mut socket = Socket::open(&stage.line(0), &stage.console()).await.expect("opened");
    // Far more than the sockets' buffers hold.
    let length = 40_000;
    stage.fill(length).await;
    stage.answers("wake up").await;
    let mut told = 0;
    while told <= length {
        let event = socket.next_of("event").await;
        told += 1;
        assert_eq!(event["seq"], json!(told));
    }
}
