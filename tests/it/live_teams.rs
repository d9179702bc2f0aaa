//! Teams that take chats, what flows have done by them and by others, strangers whom a person learns to know, and a
//! conversation that goes on elsewhere.
#![allow(clippy::unwrap_used, reason = "a panic in a test is a failed test")]

use embudo::accounts::Role;
use embudo::base::email::Email;
use embudo::base::ids::{AccountId, VisitorId, new_key};
use embudo::base::time::{DAY_MS, MINUTE_MS, SECOND_MS};
use embudo::contacts::{self, Trust};
use embudo::subscriptions;
use serde_json::{Value, json};

use crate::live_chat::{Colleague, Widget, app, person};
use crate::support::app::{SITE, TestApp, repository, set};
use crate::support::hook::Hook;

/// A visitor who has asked for somebody of a team, by the flow of a name.
async fn asks_of(app: &TestApp, team: &str, visitor: VisitorId) -> Widget {
    let coming = json!({
        "site": "faro", "visitor": visitor, "consent": "analytics", "flow": format!("asks_{team}"),
        "page": {"url": format!("{SITE}/"), "title": "Faro"}, "language": "en", "zone": "Europe/Madrid",
    });
    Widget::of(app, &coming).await
}

async fn with_teams(teams: &str) -> TestApp {
    let folder = tempfile::TempDir::new().unwrap().keep();
    let team = std::fs::read_to_string(repository("config/team.yaml")).unwrap();
    let (before, rest) = team.split_once("teams:\n").unwrap();
    let (_, after) = rest.split_once("\nreps:\n").unwrap();
    let team = format!("{before}teams:\n{teams}\nreps:\n{after}");
    std::fs::write(folder.join("team.yaml"), team).unwrap();
    let flows = folder.join("flows");
    std::fs::create_dir(&flows).unwrap();
    for team in ["sdr", "cs"] {
        let flow = format!(
            "flow: asks_{team}\ntitle: Somebody of {team}\nlanguages: [en]\ntrigger: {{when: api}}\nevents: {{human_requested: bye, stop_requested: bye}}\nsteps:\n  \
             live:\n    handoff: {{team: {team}, wait: 90s}}\n    say: One moment.\n    outcomes: {{booked: bye, \
             returned: bye, closed: bye, unavailable: nobody, expired: nobody}}\n  nobody: {{say: Nobody., end: \
             nobody}}\n  bye: {{say: Bye., end: done}}\n"
        );
        std::fs::write(flows.join(format!("{team}.yaml")), flow).unwrap();
    }
    TestApp::start_with(|settings| {
        set(settings, "definitions", "team", folder.join("team.yaml").display().to_string());
        set(settings, "definitions", "flows", flows.display().to_string());
    })
    .await
}

const TWO: &str = "  - {id: sdr, name: {en: Sales, es: Ventas}, roles: [sdr, ae]}\n  - {id: cs, name: {en: Care, es: \
                   Cuidado}, roles: [cs], fallback: sdr}\n";

#[tokio::test]
async fn a_conversation_is_offered_to_its_team_and_then_to_the_one_that_stands_in() {
    let app = with_teams(TWO).await;
    let mike = Colleague::hire(&app, "Mike Torres").await;
    let carla = Colleague::hire_as(&app, "Carla Ruiz", Role::Cs).await;
    mike.goes_online().await;
    carla.goes_online().await;

    let mut talk = asks_of(&app, "cs", VisitorId::new()).await;
    assert_eq!(carla.told().await, ["handoff_requested"], "customer success is asked first");
    assert_eq!(mike.told().await, Vec::<String>::new());
    app.later(21 * SECOND_MS).await;
    assert_eq!(mike.told().await, ["handoff_requested"], "sales stand in");
    app.later(70 * SECOND_MS).await;
    assert!(talk.whole().await.contains("Nobody."), "nobody came in time");

    // Nobody's page has beaten meanwhile.
    mike.goes_online().await;
    carla.goes_online().await;
    let other = asks_of(&app, "sdr", VisitorId::new()).await;
    let _ = mike.told().await;
    let offered = app.rows("select account_id from chat_offers where ended_at is null").await;
    let asked: Vec<AccountId> = offered.iter().map(|row| row.get("account_id").unwrap()).collect();
    assert_eq!(asked, [mike.id], "customer success does not stand in for sales");
    carla.acts(&other, "accept", &[]).await.expect(303);
}

#[tokio::test]
async fn a_team_of_which_nobody_is_there_is_one_that_is_away_unless_another_stands_in() {
    let app = with_teams(TWO).await;
    let carla = Colleague::hire_as(&app, "Carla Ruiz", Role::Cs).await;
    carla.goes_online().await;
    let mut talk = asks_of(&app, "sdr", VisitorId::new()).await;
    assert!(talk.whole().await.contains("Nobody."), "Carla does not sell");
    let mike = Colleague::hire(&app, "Mike Torres").await;
    mike.goes_online().await;
    carla.does("/console/presence", &[("online", "0")]).await.expect(303);
    let mut talk = asks_of(&app, "cs", VisitorId::new()).await;
    assert!(talk.whole().await.contains("One moment."), "sales stand in for her");
}

#[tokio::test]
async fn the_inbox_shows_the_conversations_of_one_team() {
    let app = with_teams(TWO).await;
    let mike = Colleague::hire(&app, "Mike Torres").await;
    mike.goes_online().await;
    let care = asks_of(&app, "cs", VisitorId::new()).await;
    let sales = asks_of(&app, "sdr", VisitorId::new()).await;
    let list = async |query: &str| {
        let page = mike.client.get(&format!("/console/inbox{query}")).await.expect(200).body;
        [page.contains(&format!("/console/inbox/{}?", care.id)), page.contains(&format!("/{}?", sales.id))]
    };
    assert_eq!(list("").await, [true, true]);
    assert_eq!(list("?team=cs").await, [true, false]);
    assert_eq!(list("?team=sdr").await, [false, true]);
    assert_eq!(list("?team=nobody").await, [true, true], "a team that is none");
}

// ---- what flows have done -------------------------------------------------------------------------

async fn errands(hook: &Hook) -> TestApp {
    let folder = tempfile::TempDir::new().unwrap().keep();
    let notify = format!(
        "hooks:\n  - name: crm\n    kind: webhook\n    url: {}\n    secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]\n\
         rules:\n  - {{name: errands, to: [\"role:sdr\"], by: [console, mail]}}\n",
        hook.url
    );
    std::fs::write(folder.join("notify.yaml"), notify).unwrap();
    TestApp::start_with(|settings| {
        let flows = repository("tests/it/fixtures/errands/flows").display().to_string();
        set(settings, "definitions", "flows", flows);
        set(settings, "definitions", "notify", folder.join("notify.yaml").display().to_string());
        set(settings, "outbound", "allow", vec!["127.0.0.0/8"]);
    })
    .await
}

async fn errand(app: &TestApp) -> Widget {
    let coming = json!({
        "site": "faro", "visitor": VisitorId::new(), "consent": "analytics", "flow": "errand",
        "page": {"url": format!("{SITE}/"), "title": "Faro"}, "language": "en", "zone": "Europe/Madrid",
    });
    Widget::of(app, &coming).await
}

async fn answer(talk: &mut Widget, text: &str) -> String {
    let fresh = talk.types(text).await;
    serde_json::to_string(&fresh).unwrap()
}

#[tokio::test]
async fn a_flow_sends_a_letter_gives_a_task_and_tells_people_and_programs() {
    let hook = Hook::start().await;
    let app = errands(&hook).await;
    let mike = Colleague::hire(&app, "Mike Torres").await;
    let carla = Colleague::hire_as(&app, "Carla Ruiz", Role::Cs).await;
    let (contact, _) = person(&app, "nikki@acme.example", Trust::Claimed).await;
    let mut tx = app.app.stores.db.begin().await.unwrap();
    let who = contacts::find(&mut tx, contact).await.unwrap().unwrap();
    let topic = app.app.desk.topics.find("newsletter").unwrap();
    subscriptions::rejoin(&mut tx, &app.app.keys, &who, topic, "page", app.now()).await.unwrap();
    tx.commit().await.unwrap();

    let mut talk = errand(&app).await;
    assert!(answer(&mut talk, "nikki@acme.example").await.contains("It is on its way"));
    assert!(answer(&mut talk, "Two copies\nof {{contact.email}}").await.contains("Somebody looks after it"));
    app.run_jobs().await;
    app.later(DAY_MS).await;
    let letters = app.rows("select id from mails where template = 'faro-lead-idea'").await;
    assert_eq!(letters.len(), 1, "when the morning of its reader has come");
    let tasks = app.rows("select account_id, title from tasks").await;
    let title: String = tasks[0].get("title").unwrap();
    assert_eq!(title, "Wants: Two copies of {{contact.email}}", "her words are no template");
    assert_eq!(tasks.len(), 1);
    assert!(carla.told().await.contains(&"task_given".to_owned()), "one of customer success");
    assert_eq!(mike.told().await, ["flow_notice"], "whom the rule names");
    let told: Vec<Value> = hook.calls().iter().map(|call| call.json()).collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["type"], "flow_event");
    assert_eq!(told[0]["data"]["name"], "errand_run");
    assert_eq!(told[0]["data"]["conversation"], talk.id.as_str());
    assert!(hook.calls()[0].header("webhook-signature").is_some(), "signed");
    assert!(!hook.calls()[0].body.contains("nikki"), "nothing personal");
}

#[tokio::test]
async fn whoever_gets_no_letters_gets_none_of_a_flow() {
    let hook = Hook::start().await;
    let app = errands(&hook).await;
    let mut talk = errand(&app).await;
    assert!(answer(&mut talk, "nikki@acme.example").await.contains("You do not get our letters"));
    assert!(answer(&mut talk, "Two copies").await.contains("Nobody can"), "nobody works here");
    app.later(DAY_MS).await;
    assert!(app.rows("select id from mails where template = 'faro-lead-idea'").await.is_empty());
}

#[tokio::test]
async fn words_that_no_question_took_reach_the_team() {
    let hook = Hook::start().await;
    let app = errands(&hook).await;
    Colleague::hire_as(&app, "Carla Ruiz", Role::Cs).await;
    let mut talk = errand(&app).await;
    answer(&mut talk, "nikki@acme.example").await;
    answer(&mut talk, "Two copies").await;
    answer(&mut talk, "My order 4711 {{contact.email}}").await;
    answer(&mut talk, "is late").await;
    let left = app.rows("select question from chat_left").await;
    assert_eq!(left[0].get::<String>("question").unwrap(), "My order 4711 {{contact.email}}\nis late");
}

// ---- a stranger becomes somebody ------------------------------------------------------------------

#[tokio::test]
async fn a_stranger_whose_address_is_written_down_can_be_offered_times() {
    let app = app().await;
    let mike = Colleague::hire(&app, "Mike Torres").await;
    mike.goes_online().await;
    let visitor = VisitorId::new();
    let mut talk = Widget::open(&app, visitor, "en").await;
    talk.wants_a_person().await;
    mike.acts(&talk, "accept", &[]).await.expect(303);
    talk.types("my mail is nikki@acme.example").await;
    assert!(mike.sees(&talk).await.contains("identity"), "there is a place to write it down");

    mike.acts(&talk, "identity", &[("email", "nikki at acme")]).await.expect(422);
    let told = [("email", " Nikki@Acme.example "), ("first_name", "nikki"), ("last_name", "")];
    mike.acts(&talk, "identity", &told).await.expect(303);
    let held = contacts::visitor(&mut app.app.stores.db.read(), visitor).await.unwrap().unwrap();
    assert_eq!(held.trust, Trust::Claimed, "a claim, whoever writes it down");
    let reads = &mut app.app.stores.db.read();
    let email = Email::parse("nikki@acme.example").unwrap();
    let contact = embudo::contacts::find_by_email(reads, &email).await.unwrap().unwrap();
    let fields = contacts::fields(reads, contact.id).await.unwrap();
    let name = fields.iter().find(|field| field.name == "first_name").unwrap();
    assert_eq!((name.value.to_lowercase().as_str(), name.source.as_str()), ("nikki", "agent"));
    let audit = app.rows("select details from audit where action = 'changed'").await;
    assert!(audit[0].get::<String>("details").unwrap().contains(&talk.id), "it stands in the audit");
    let page = crate::console::agent(&app, Role::Admin).await.sees("/console/audit").await;
    assert!(page.contains("written down beside a chat") && page.contains("nikki@acme.example"), "{page}");
    assert!(!mike.sees(&talk).await.contains("/identity"), "it is written down once");
    mike.acts(&talk, "identity", &[("email", "other@acme.example")]).await.expect(409);

    mike.acts(&talk, "times", &[("text", "")]).await.expect(303);
    let asked = talk.catch_up().await.pop().unwrap();
    assert_eq!(asked["body"]["input"]["kind"], "slot", "{asked}");
    let slot = &asked["body"]["input"]["slots"][0]["starts_at"];
    let picked = json!({"type": "slot", "question": asked["body"]["question"], "starts_at": slot});
    assert!(serde_json::to_string(&talk.says(picked).await).unwrap().contains("booked"));
    let calls = app.rows("select contact_id from bookings where state = 'confirmed'").await;
    assert_eq!(calls[0].get::<String>("contact_id").unwrap(), contact.id.to_string());
}

#[tokio::test]
async fn a_name_that_was_confirmed_is_not_written_over() {
    let app = app().await;
    let mike = Colleague::hire(&app, "Mike Torres").await;
    let (contact, _) = person(&app, "nikki@acme.example", Trust::Confirmed).await;
    let mut talk = Widget::open(&app, VisitorId::new(), "en").await;
    talk.wants_a_person().await;
    let told = [("email", "nikki@acme.example"), ("first_name", "Mallory")];
    mike.acts(&talk, "identity", &told).await.expect(303);
    let known = contacts::find(&mut app.app.stores.db.read(), contact).await.unwrap().unwrap();
    assert_eq!(known.first_name.as_deref(), Some("Nikki"));
    let whole = talk.whole().await;
    assert!(!whole.contains("Nikki"), "the stranger is told nothing of hers");
}

#[tokio::test]
async fn where_she_is_follows_her_from_page_to_page() {
    let app = app().await;
    let mike = Colleague::hire(&app, "Mike Torres").await;
    let nikki = app.visitor();
    nikki.visit("/").await.expect(202);
    let talk = Widget::open(&app, VisitorId::parse(&nikki.id).unwrap(), "en").await;
    assert!(mike.sees(&talk).await.contains("/pricing"));
    app.later(MINUTE_MS).await;
    nikki.visit("/resources").await.expect(202);
    app.later(MINUTE_MS).await;
    let page = mike.sees(&talk).await;
    let place = page.split("On the page").nth(1).unwrap().split("</dd>").next().unwrap();
    assert!(place.contains("/resources"), "{place}");
}

// ---- on another device ----------------------------------------------------------------------------

/// The link in the mail that she was sent.
async fn mailed_link(app: &TestApp) -> String {
    app.run_jobs().await;
    let mail = app.inbox().mails_to("nikki@acme.example").pop().unwrap();
    let link = mail.link("/chat/go/");
    link.trim_start_matches(&app.url).to_owned()
}

async fn with_mail() -> TestApp {
    TestApp::start_with_mail().await
}

#[tokio::test]
async fn a_conversation_goes_on_on_another_device_by_the_link_in_its_mail() {
    let app = with_mail().await;
    let mike = Colleague::hire(&app, "Mike Torres").await;
    mike.goes_online().await;
    let (_, visitor) = person(&app, "nikki@acme.example", Trust::Confirmed).await;
    let mut talk = Widget::open(&app, visitor, "en").await;
    talk.wants_a_person().await;
    mike.acts(&talk, "accept", &[]).await.expect(303);
    talk.types("How much is it?").await;
    talk.post("transcript", &json!({})).await.expect(202);
    let link = mailed_link(&app).await;

    let census = app.census().await;
    let page = app.client.get(&link).await.expect(200).body;
    assert!(page.contains("<form method=\"post\""), "a press is asked for");
    assert_eq!(app.census().await, census, "opening it changes nothing");
    assert!(
        app.rows("select state from conversations").await[0]
            .get::<String>("state")
            .unwrap()
            .contains("\"resumed\":false")
    );

    let opened = app.client.submit(&link, &[]).await.expect(200).body;
    let kept =
        opened.split("data-kept=\"").nth(1).unwrap().split('"').next().unwrap().replace("&quot;", "\"");
    let kept: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(kept["conversation"], talk.id.as_str());
    let bearer = format!("Bearer {}", kept["token"].as_str().unwrap());
    let phone = app.client.with("authorization", &bearer);
    let log = phone.get(&format!("/v1/chat/{}/events?after=0", talk.id)).await.expect_json(200);
    assert!(serde_json::to_string(&log).unwrap().contains("How much is it?"));
    let said = json!({"client_id": new_key(), "body": {"type": "text", "text": "From the train"}});
    let taken = phone.post(&format!("/v1/chat/{}/messages", talk.id), &said).await.expect_json(201);
    assert_eq!(taken["visitor"], Value::Null, "the device becomes nobody's");
    assert!(talk.whole().await.contains("From the train"), "both see it");
    let old = json!({"client_id": new_key(), "body": {"type": "text", "text": "And from here"}});
    let taken = talk.post("messages", &old).await.expect_json(201);
    assert_eq!(taken["visitor"], visitor.to_string().as_str(), "the first device stays hers");

    mike.acts(&talk, "link", &[]).await.expect(303);
    app.client.get(&link).await.expect(410);
    app.client.submit(&link, &[]).await.expect(410);
}

#[tokio::test]
async fn whoever_goes_on_by_a_link_is_shown_nothing_that_is_stored() {
    let app = with_mail().await;
    let (_, visitor) = person(&app, "nikki@acme.example", Trust::Confirmed).await;
    let mut talk = Widget::open(&app, visitor, "en").await;
    talk.types("Hello").await;
    let id = embudo::base::ids::ConversationId::parse(&talk.id).unwrap();
    talk.post("transcript", &json!({})).await.expect(202);
    let link = mailed_link(&app).await;
    app.client.submit(&link, &[]).await.expect(200);
    let reads = &mut app.app.stores.db.read();
    let conversation = embudo::chat::find(reads, id).await.unwrap().unwrap();
    assert!(conversation.state.unwrap().resumed);
    // A link of another purpose, an altered one and an old one open nothing.
    app.client.get(&format!("{}x", link.split('?').next().unwrap())).await.expect(404);
    app.later(8 * DAY_MS).await;
    app.client.get(&link).await.expect(410);
}

// ---- the hosted page, and what is refused ----------------------------------------------------------

#[tokio::test]
async fn the_chat_has_a_page_of_its_own_in_both_languages() {
    let app = app().await;
    for (language, words) in [("en", "Open the chat"), ("es", "Abrir el chat")] {
        let page = app.client.get(&format!("/chat?lang={language}")).await.expect(200);
        assert!(page.body.contains(words));
        let policy = page.header("content-security-policy");
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
        assert!(page.body.contains("data-site=\"faro\""));
        assert!(!page.body.contains("<script>") && !page.body.contains("style="), "nothing inline");
    }
    assert!(app.client.get("/chat/welcome").await.expect(200).body.contains("data-flow=\"welcome\""));
    app.client.get("/chat/nothing-like-that").await.expect(404);
    app.client.get("/chat/talk-or-book").await.expect(404);
}

#[tokio::test]
async fn a_link_to_a_flow_that_is_for_others_leads_to_whoever_answers() {
    let app = app().await;
    let opens = async |origin: &str, page: String| {
        let coming = json!({
            "site": "faro", "visitor": VisitorId::new(), "consent": "analytics", "flow": "customer-at-risk",
            "page": {"url": page, "title": ""}, "language": "en", "zone": "Europe/Madrid",
        });
        app.client.with("origin", origin).post("/v1/chat", &coming).await.status
    };
    assert_eq!(opens(&app.url, format!("{}/chat/customer-at-risk", app.url)).await, 201);
    assert_eq!(
        opens(SITE, format!("{SITE}/chat/customer-at-risk")).await,
        404,
        "a page of a site is none of ours"
    );
}

#[tokio::test]
async fn what_is_too_long_too_fast_or_said_again_is_refused_in_words() {
    let app = TestApp::start_with(|settings| {
        set(settings, "chat", "messages_apart_ms", 300);
    })
    .await;
    let mike = Colleague::hire(&app, "Mike Torres").await;
    mike.goes_online().await;
    let mut talk = Widget::open(&app, VisitorId::new(), "en").await;
    let says = async |talk: &Widget, text: &str| {
        let body = json!({"client_id": new_key(), "body": {"type": "text", "text": text}});
        talk.post("messages", &body).await
    };
    let refused = says(&talk, &"a".repeat(2_001)).await.expect_problem(422, "chat.message_invalid");
    assert!(refused["detail"].as_str().unwrap().contains("2001 characters"), "{refused}");
    let soon = says(&talk, "hello").await.expect_problem(429, "limit.too_many");
    assert!(soon["retry_after_ms"].as_i64().unwrap() <= 300, "{soon}");
    app.clock.advance(300);
    talk.wants_a_person().await;
    mike.acts(&talk, "accept", &[]).await.expect(303);
    for _ in 0..2 {
        app.clock.advance(300);
        says(&talk, "hello?").await.expect(201);
    }
    app.clock.advance(300);
    says(&talk, "hello?").await.expect_problem(422, "chat.message_invalid");
    app.clock.advance(300);
    says(&talk, "is somebody there?").await.expect(201);
    app.clock.advance(MINUTE_MS);
    says(&talk, "hello?").await.expect(201);
}

#[tokio::test]
async fn an_error_tells_nothing_of_the_programs_insides() {
    let app = app().await;
    let talk = Widget::open(&app, VisitorId::new(), "en").await;
    let answers = [
        talk.client.get(&format!("/v1/chat/{}/events?after=abc", talk.id)).await,
        talk.post("messages", &json!("nonsense")).await,
        talk.post("messages", &json!({"client_id": 7})).await,
        app.client.with("origin", SITE).post("/v1/chat", &json!({"site": "faro", "visitor": "me"})).await,
        app.client.get("/v1/slots?from=abc").await,
    ];
    for answer in answers {
        assert!((400..500).contains(&answer.status), "{}", answer.body);
        for inside in ["deserialize", "UUID", "expected", "invalid type", "serde", "found in string"] {
            assert!(!answer.body.contains(inside), "{inside}: {}", answer.body);
        }
    }
}

#[tokio::test]
async fn the_operator_sees_turns_waits_and_how_late_messages_are() {
    let app = TestApp::start_with(|settings| set(settings, "telemetry", "metrics", true)).await;
    let mike = Colleague::hire(&app, "Mike Torres").await;
    mike.goes_online().await;
    let mut talk = Widget::open(&app, VisitorId::new(), "en").await;
    talk.wants_a_person().await;
    app.clock.advance(7 * SECOND_MS);
    mike.acts(&talk, "accept", &[]).await.expect(303);
    let text = app.client.get("/metrics").await.expect(200).body;
    let line = |start: &str| text.lines().find(|line| line.starts_with(start)).map(str::to_owned);
    assert!(text.contains("embudo_chat_turns_total{flow=\"welcome\",version=\""), "{text}");
    assert_eq!(line("embudo_chat_waits_total{ended=\"accepted\"}").unwrap().rsplit(' ').next(), Some("1"));
    assert_eq!(
        line("embudo_chat_wait_seconds_total{ended=\"accepted\"}").unwrap().rsplit(' ').next(),
        Some("7")
    );
    assert!(line("embudo_chat_delivery_seconds_count").is_some());
    assert_ne!(line("embudo_chat_reads_total{transport=\"refetch\"}").unwrap().rsplit(' ').next(), Some("0"));
}
