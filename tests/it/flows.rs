//! The flows' files while the server runs: what replaces what, and what open conversations meet.
#![allow(clippy::unwrap_used, reason = "a panic in a test is a failed test")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use embudo::app::Reloaded;
use embudo::base::email::Email;
use embudo::base::ids::{ContactId, ConversationId, VisitorId, new_key};
use embudo::base::language::Language;
use embudo::base::time::DAY_MS;
use embudo::chat::body::{Body, Said};
use embudo::chat::{self, Page, Room, Running, Visit};
use embudo::contacts::{self, Consent, Identification, Trust};
use serde_json::json;

use crate::support::app::{SITE, TestApp, repository, set};

const KEY: &str = "the api key of the tests, long enough";

/// An app whose flows are files of its own.
struct Shop {
    app: TestApp,
    folder: tempfile::TempDir,
}

impl Shop {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&repository("bot-flows"), folder.path());
        let flows = folder.path().display().to_string();
        let app = TestApp::start_with(|settings| {
            set(settings, "definitions", "flows", flows);
            set(settings, "api", "keys", vec![KEY]);
        })
        .await;
        Shop { app, folder }
    }

    fn room(&self) -> &Room {
        &self.app.app.room
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn change(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.file(name)).unwrap();
        assert!(text.contains(from), "{from} stands in {name}");
        std::fs::write(self.file(name), text.replace(from, to)).unwrap();
    }

    async fn reload(&self) -> Reloaded {
        self.app.app.reload_flows().await.unwrap()
    }

    async fn open(&self, flow: &str) -> ConversationId {
        let visit = visit(VisitorId::new(), "/");
        chat::open(self.room(), &visit, Some(flow), self.app.now()).await.unwrap().conversation.id
    }

    /// Says something through a node and gives the texts of the answer.
    async fn say(&self, room: &Room, id: ConversationId, said: Said) -> Vec<String> {
        let log = chat::entries(&mut room.stores.db.read(), room, id, 0).await.unwrap();
        let before = log.last().map_or(0, |entry| entry.seq);
        chat::say(room, id, &new_key(), &said, self.app.now()).await.unwrap();
        let entries = chat::entries(&mut room.stores.db.read(), room, id, before).await.unwrap();
        let text = |body: Body| match body {
            Body::Text { text, .. } | Body::Ask { text, .. } => Some(text),
            _ => None,
        };
        entries.into_iter().filter_map(|entry| text(entry.body)).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

fn visit(visitor: VisitorId, path: &str) -> Visit {
    Visit {
        site: "faro".to_owned(),
        visitor: Some(visitor),
        consent: Consent::Analytics,
        page: Page { url: format!("{SITE}{path}"), ..Page::default() },
        language: Language::En,
        zone: "Europe/Madrid".to_owned(),
        is_hosted: false,
    }
}

fn choose(question: &str, choice: &str) -> Said {
    Said::Choice { question: question.to_owned(), choice: choice.to_owned() }
}

#[tokio::test]
async fn a_broken_file_never_replaces_the_flows_that_run() {
    let shop = Shop::start().await;
    let open = shop.open("welcome").await;
    shop.change("welcome.yaml", "goto: webinars}", "goto: webinar}");
    let Reloaded::Refused(problem) = shop.reload().await else { panic!("it is wrong") };
    assert!(problem.contains("welcome.yaml:") && problem.contains("G201"), "{problem}");
    let ready = shop.app.get("/health/ready").await.expect_json(200);
    assert_eq!(ready["flows"], "kept");
    let told = shop.say(shop.room(), open, choose("menu", "webinars")).await;
    assert!(told[0].contains("short and practical"), "{told:?}");

    shop.change("welcome.yaml", "goto: webinar}", "goto: webinars}");
    assert_eq!(shop.reload().await, Reloaded::Same);
    assert_eq!(shop.app.get("/health/ready").await.expect_json(200)["flows"], "ok");
}

#[tokio::test]
async fn a_flow_that_fails_its_own_tests_does_not_run() {
    let shop = Shop::start().await;
    shop.change("welcome.yaml", "You are welcome. I am here when you need me.", "Bye.");
    let Reloaded::Refused(problem) = shop.reload().await else { panic!("its tests expect other words") };
    assert!(problem.contains("tests/welcome.yaml:") && problem.contains("came \"Bye.\""), "{problem}");
}

#[tokio::test]
async fn a_changed_text_is_said_in_conversations_that_are_open() {
    let shop = Shop::start().await;
    let open = shop.open("welcome").await;
    shop.change("welcome.yaml", "ask: Anything else?", "ask: Is there anything else?");
    assert_eq!(shop.reload().await, Reloaded::Replaced);
    let told = shop.say(shop.room(), open, choose("menu", "webinars")).await;
    assert_eq!(told.last().unwrap(), "Is there anything else?");
}

#[tokio::test]
async fn a_pinned_flow_leaves_open_conversations_in_their_version_until_they_are_old() {
    let shop = Shop::start().await;
    let (pinned, old) = (shop.open("welcome").await, shop.open("welcome").await);
    shop.change("welcome.yaml", "ask: Anything else?", "ask: Is there anything else?");
    shop.change("welcome.yaml", "\nsteps:", "\nchange: {pin: 2d}\nsteps:");
    shop.app.clock.advance(1_000);
    assert_eq!(shop.reload().await, Reloaded::Replaced);
    let told = shop.say(shop.room(), pinned, choose("menu", "webinars")).await;
    assert_eq!(told.last().unwrap(), "Anything else?", "as it was when she began");
    let fresh = shop.open("welcome").await;
    let told = shop.say(shop.room(), fresh, choose("menu", "webinars")).await;
    assert_eq!(told.last().unwrap(), "Is there anything else?");
    // Another node knows the old version from the store alone.
    let third = shop.open("welcome").await;
    shop.change("welcome.yaml", "ask: Is there anything else?", "ask: Anything more?");
    assert_eq!(shop.reload().await, Reloaded::Replaced);
    let flows = (*shop.room().flows.now()).clone();
    let other = Room { flows: Arc::new(Running::new(flows)), ..shop.room().clone() };
    let told = shop.say(&other, third, choose("menu", "webinars")).await;
    assert_eq!(told.last().unwrap(), "Is there anything else?");
    // Two days later the old one is left.
    shop.app.clock.advance(2 * DAY_MS);
    let told = shop.say(shop.room(), old, choose("menu", "webinars")).await;
    assert_eq!(told.last().unwrap(), "Anything more?");
}

#[tokio::test]
async fn a_conversation_whose_flow_is_gone_is_ended_in_it_on_every_node() {
    let shop = Shop::start().await;
    let open = shop.open("welcome").await;
    std::fs::remove_file(shop.file("welcome.yaml")).unwrap();
    assert_eq!(shop.reload().await, Reloaded::Replaced);
    let told = shop.say(shop.room(), open, choose("menu", "webinars")).await;
    assert!(told[0].contains("short and practical"), "{told:?}");
    // Another node has never seen the file.
    let flows = (*shop.room().flows.now()).clone();
    let other = Room { flows: Arc::new(Running::new(flows)), ..shop.room().clone() };
    let told = shop.say(&other, open, choose("anything_else", "no")).await;
    assert!(told[0].contains("when you need me"), "{told:?}");
    let visit = visit(VisitorId::new(), "/");
    let opened = chat::open(shop.room(), &visit, Some("welcome"), shop.app.now()).await;
    assert!(opened.is_err(), "nobody begins it any more");
}

#[tokio::test]
async fn a_node_that_has_not_loaded_the_new_flows_yet_goes_on_with_them_from_the_store() {
    let shop = Shop::start().await;
    let late =
        Room { flows: Arc::new(Running::new((*shop.room().flows.now()).clone())), ..shop.room().clone() };
    shop.app.clock.advance(1_000);
    shop.change(
        "welcome.yaml",
        "      \"no\": {label: \"No, thank you\", goto: bye}",
        "      \"no\": {label: \"No, thank you\", goto: bye}\n      enough: {label: Enough, goto: bye}",
    );
    shop.change("welcome.yaml", "\"no\": \"No, gracias\"}", "\"no\": \"No, gracias\", enough: Basta}");
    assert_eq!(shop.reload().await, Reloaded::Replaced);
    let open = shop.open("welcome").await;
    shop.say(shop.room(), open, choose("menu", "webinars")).await;
    let told = shop.say(&late, open, choose("anything_else", "enough")).await;
    assert!(told[0].contains("when you need me"), "the choice is new: {told:?}");
}

#[tokio::test]
async fn programs_see_the_flows_and_have_them_read_again() {
    let shop = Shop::start().await;
    shop.app.get("/api/v1/flows").await.expect_problem(401, "api.key_unknown");
    let program = shop.app.client.with("authorization", &format!("Bearer {KEY}"));
    let told = program.get("/api/v1/flows").await.expect_json(200);
    let welcome = told["flows"].as_array().unwrap().iter().find(|flow| flow["id"] == "welcome").unwrap();
    assert_eq!(welcome["languages"], json!(["en", "es"]));
    let drawn = program.get("/api/v1/flows/welcome/graph").await.expect(200);
    assert!(drawn.body.starts_with("<svg") && drawn.body.contains("pick_slot"), "{}", drawn.body);
    program.get("/api/v1/flows/nothing/graph").await.expect_problem(404, "chat.flow_unknown");

    shop.change("welcome.yaml", "ask: Anything else?", "ask: Is there anything else?");
    let done = program.post("/api/v1/flows/reload", &json!({})).await.expect_json(200);
    assert_eq!(done["outcome"], "replaced");
    assert_ne!(done["digest"], told["digest"]);
    shop.change("welcome.yaml", "goto: webinars}", "goto: webinar}");
    let problem = program.post("/api/v1/flows/reload", &json!({})).await;
    let problem = problem.expect_problem(422, "chat.flows_wrong");
    assert!(problem["detail"].as_str().unwrap().contains("G201"), "{problem}");
    let told = program.get("/api/v1/flows").await.expect_json(200);
    assert!(told["problem"].as_str().unwrap().contains("G201"), "{told}");
}

#[tokio::test]
async fn check_tells_what_open_conversations_would_meet() {
    let shop = Shop::start().await;
    for _ in 0..2 {
        shop.open("welcome").await;
    }
    let check = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_embudo"));
        command.arg("--config").arg(shop.app.folder().join("embudo.toml"));
        let output = command.args(["check", "--against", "running"]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let told = check();
    assert!(
        told.contains("2 conversations are open") && told.contains("2  welcome: menu  unchanged"),
        "{told}"
    );
    shop.change("welcome.yaml", "  menu:", "  what:");
    shop.change("welcome.yaml", "    menu.", "    what.");
    let told = check();
    assert!(told.contains("2  welcome: menu  its step is gone: excused at live"), "{told}");
    assert!(told.contains("warning G213") && told.contains("migrate: {menu: its_new_name}"), "{told}");
    shop.change("welcome.yaml", "\nsteps:", "\nmigrate: {menu: what}\n\nsteps:");
    let told = check();
    assert!(told.contains("2  welcome: menu  goes on at what") && !told.contains("G213"), "{told}");
}

/// Somebody known for certain who stands in a stage.
async fn known(shop: &Shop, email: &str, stage: &str) -> (ContactId, VisitorId) {
    let (app, visitor) = (&shop.app.app, VisitorId::new());
    let mut tx = app.stores.db.begin().await.unwrap();
    let who = Identification {
        email: &Email::parse(email).unwrap(),
        visitor: Some(visitor),
        site: "faro",
        trust: Trust::Confirmed,
        consent: Consent::Analytics,
        language: Language::En,
        time_zone: Some("Europe/Madrid"),
    };
    let contact = contacts::identify(&mut tx, &who, shop.app.now()).await.unwrap().contact.id;
    tx.execute(embudo::sql!("update contacts set stage = $2 where id = $1"), embudo::params![contact, stage])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    (contact, visitor)
}

#[tokio::test]
async fn another_stage_is_offered_another_flow_on_the_same_page() {
    let shop = Shop::start().await;
    let offered = async |visitor, path: &str| {
        let found = chat::offer(shop.room(), &visit(visitor, path), shop.app.now()).await.unwrap();
        found.into_iter().map(|offered| offered.flow).collect::<Vec<_>>()
    };
    for (stage, flow) in
        [("lead", "pricing-qualification"), ("mql", "nurture-offer"), ("sql", "nurture-offer")]
    {
        let (_, visitor) = known(&shop, &format!("{stage}@acme.example"), stage).await;
        assert_eq!(offered(visitor, "/en/pricing.html").await, [flow], "{stage}");
    }
    let stranger = VisitorId::new();
    assert_eq!(offered(stranger, "/en/pricing.html").await, ["pricing-qualification"]);
    assert!(offered(stranger, "/en/about.html").await.is_empty());
}

#[tokio::test]
async fn customers_at_risk_and_lost_ones_are_offered_their_own_flows() {
    let shop = Shop::start().await;
    for (state, flow) in
        [("active", "customer-check-in"), ("at_risk", "customer-at-risk"), ("churned", "win-back")]
    {
        let (contact, visitor) = known(&shop, &format!("{state}@acme.example"), "customer").await;
        shop.app
            .app
            .stores
            .db
            .execute(
                embudo::sql!(
                    "insert into post_sale_intervals
                         (id, contact_id, state, entered_at, actor, rule, lifecycle_hash, evidence)
                     values ($1, $2, $3, $4, 'rule', 'test', 'test', '{}')"
                ),
                embudo::params![new_key(), contact, state, shop.app.now()],
            )
            .await
            .unwrap();
        let found =
            chat::offer(shop.room(), &visit(visitor, "/en/index.html"), shop.app.now()).await.unwrap();
        let names: Vec<&str> = found.iter().map(|offered| offered.flow.as_str()).collect();
        assert_eq!(names, [flow], "{state}");
    }
}
