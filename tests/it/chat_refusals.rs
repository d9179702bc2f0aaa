//! What a visitor reads when the chat's doors refuse something, what she may say of her reading, and the address by which
//! she takes a conversation along.
#![allow(clippy::unwrap_used, reason = "a panic in a test is a failed test")]

use embudo::base::ids::{VisitorId, new_key};
use embudo::base::language::Language;
use embudo::base::time::{DAY_MS, MINUTE_MS};
use embudo::chat::flow::Next;
use embudo::contacts::Trust;
use serde_json::{Value, json};

use crate::live_chat::{Colleague, Widget, app, person};
use crate::support::answer::{Answer, Client};
use crate::support::app::{SITE, TestApp, set};

fn text(text: &str) -> Value {
    json!({"client_id": new_key(), "body": {"type": "text", "text": text}})
}

/// A refusal says what it is to programs, and why to her, in her language.
#[track_caller]
fn tells(answer: Answer, (status, code): (u16, &str), language: &str, words: &str) {
    assert_eq!(answer.header("content-language"), language, "{}", answer.body);
    let problem = answer.expect_problem(status, code);
    assert!(problem["detail"].as_str().unwrap().contains(words), "{words}: {problem}");
}

#[tokio::test]
async fn a_refusal_is_said_in_the_language_of_the_conversation() {
    let app = app().await;
    let mike = Colleague::hire(&app, "Mike Torres").await;
    mike.goes_online().await;
    let invalid = (422, "chat.message_invalid");
    for (language, empty, long, again, over) in [
        ("en", "nothing in this message", "2001 characters are too many", "just said this twice", "is over"),
        ("es", "aún no dice nada", "2001 caracteres son demasiados", "decirlo dos veces", "ha terminado"),
    ] {
        let mut talk = Widget::open(&app, VisitorId::new(), language).await;
        // The browser may well be somebody else's.
        let other = if language == "en" { "es" } else { "en" };
        talk.client = talk.client.with("accept-language", other);
        tells(talk.post("messages", &text(" ")).await, invalid, language, empty);
        let refused = talk.post("messages", &text(&"a".repeat(2_001))).await;
        assert_eq!((&refused.json()["reason"], &refused.json()["most"]), (&json!("long"), &json!(2_000)));
        tells(refused, invalid, language, long);
        talk.wants_a_person().await;
        mike.acts(&talk, "accept", &[]).await.expect(303);
        for _ in 0..2 {
            talk.post("messages", &text("hello?")).await.expect(201);
        }
        tells(talk.post("messages", &text("hello?")).await, invalid, language, again);
        mike.acts(&talk, "close", &[]).await.expect(303);
        tells(talk.post("messages", &text("wait")).await, (409, "chat.closed"), language, over);
    }
}

#[tokio::test]
async fn a_question_that_is_over_and_a_mail_that_is_not_hers_are_refused_in_her_language() {
    let app = app().await;
    let talk = Widget::open(&app, VisitorId::new(), "es").await;
    let old = json!({"client_id": new_key(), "body": {"type": "choice", "question": "gone", "choice": "a"}});
    tells(talk.post("messages", &old).await, (409, "chat.question_over"), "es", "ya estaba respondida");
    let asked = talk.post("transcript", &json!({})).await;
    tells(asked, (403, "chat.not_confirmed"), "es", "seguros de que sea tuyo");
    for _ in 0..2 {
        talk.post("transcript", &json!({})).await;
    }
    let soon = talk.post("transcript", &json!({})).await;
    tells(soon, (429, "limit.too_many"), "es", "Vuelve a intentarlo en");
    let rated = talk.post("rating", &json!({"score": 5})).await;
    tells(rated, (409, "chat.not_allowed"), "es", "no es posible");
}

#[tokio::test]
async fn whoever_is_not_let_in_reads_why_in_the_language_that_she_asked_for() {
    let app = TestApp::start_with(|settings| set(settings, "chat", "opened_burst", 4)).await;
    let opens = async |change: Value| {
        let mut coming = json!({"site": "faro", "visitor": VisitorId::new(), "consent": "analytics",
            "page": {"url": SITE, "title": ""}, "language": "es-MX", "zone": "America/Mexico_City"});
        coming.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        app.client.with("origin", SITE).with("accept-language", "en").post("/v1/chat", &coming).await
    };
    let unknown = opens(json!({"site": "nobody"})).await;
    tells(unknown, (404, "site.unknown"), "es", "no está disponible en esta página");
    let flow = opens(json!({"flow": "nothing-like-that"})).await;
    tells(flow, (404, "chat.flow_unknown"), "es", "Vuelve a intentarlo más tarde");
    // A language that is not ours: the conversation would be in that of the site.
    let strange = opens(json!({"language": "fr", "flow": "none"})).await;
    tells(strange, (404, "chat.flow_unknown"), "es", "Vuelve a intentarlo más tarde");
    opens(json!({})).await.expect(201);
    tells(opens(json!({})).await, (429, "limit.too_many"), "es", "Ha sido mucho en poco tiempo");

    // Without a token that can be read, the browser is asked.
    let forged = app.client.with("authorization", "Bearer x.y").with("accept-language", "es-ES,en;q=0.5");
    let path = format!("/v1/chat/{}/messages", embudo::base::ids::ConversationId::new());
    tells(forged.post(&path, &text("hello")).await, (404, "token.forged"), "es", "Empieza otra");
}

#[tokio::test]
async fn what_only_a_program_gets_wrong_is_told_to_whoever_writes_it() {
    let app = app().await;
    let talk = Widget::open(&app, VisitorId::new(), "es").await;
    let problem =
        talk.post("messages", &json!({"client_id": 7})).await.expect_problem(422, "chat.message_invalid");
    assert!(problem["detail"].as_str().unwrap().contains("line 1"), "{problem}");
    let problem =
        talk.post("messages", &json!({"client_id": "A", "body": {"type": "text", "text": "x"}})).await;
    let problem = problem.expect_problem(422, "chat.message_invalid");
    assert!(problem["detail"].as_str().unwrap().contains("UUID"), "{problem}");
}

// ---- what she has read ----------------------------------------------------------------------------

#[tokio::test]
async fn nobody_has_read_what_the_log_does_not_have() {
    let app = app().await;
    let mut talk = Widget::open(&app, VisitorId::new(), "en").await;
    let head = talk.log.len();
    let read = async || {
        app.rows("select visitor_read from conversations").await[0].get::<i64>("visitor_read").unwrap()
    };
    talk.post("read", &json!({"seq": 1})).await.expect(204);
    for seq in [json!(-1), json!(head + 1), json!(999), json!(i64::MAX)] {
        talk.post("read", &json!({"seq": seq})).await.expect_problem(409, "chat.sequence_unknown");
        assert_eq!(read().await, 1, "{seq} counts for nothing");
    }
    talk.post("read", &json!({"seq": head})).await.expect(204);
    talk.post("read", &json!({"seq": 1})).await.expect(204);
    assert_eq!(read().await, i64::try_from(head).unwrap(), "what was read stays read");
    // What comes later can be read then.
    talk.wants_a_person().await;
    talk.post("read", &json!({"seq": talk.log.len()})).await.expect(204);
    assert_eq!(read().await, i64::try_from(talk.log.len()).unwrap());
}

// ---- taken along ----------------------------------------------------------------------------------

/// The path of the address that she is given.
async fn takes_along(app: &TestApp, talk: &Widget) -> String {
    let made = talk.post("link", &json!({})).await.expect_json(201);
    assert_eq!(made["expires_at"], json!(app.now().as_ms() + 7 * DAY_MS));
    made["link"].as_str().unwrap().strip_prefix(&app.url).unwrap().to_owned()
}

/// What the page keeps for the widget on the other device.
fn kept_on(page: &str) -> Value {
    let kept = page.split("data-kept=\"").nth(1).unwrap().split('"').next().unwrap();
    serde_json::from_str(&kept.replace("&quot;", "\"")).unwrap()
}

fn phone_of(app: &TestApp, kept: &Value) -> Client {
    app.client.with("authorization", &format!("Bearer {}", kept["token"].as_str().unwrap()))
}

#[tokio::test]
async fn she_takes_her_conversation_along_and_nobody_becomes_her_by_it() {
    let app = app().await;
    let (_, visitor) = person(&app, "nikki@acme.example", Trust::Confirmed).await;
    let mut talk = Widget::open(&app, visitor, "es").await;
    talk.types("¿Cuánto cuesta?").await;
    let link = takes_along(&app, &talk).await;

    let census = app.census().await;
    assert!(app.client.get(&link).await.expect(200).body.contains("<form method=\"post\""));
    assert_eq!(app.census().await, census, "a look changes nothing");

    let page = app.client.submit(&link, &[]).await.expect(200).body;
    assert!(page.contains("lang=\"es\""), "in the language of the conversation");
    let kept = kept_on(&page);
    assert_eq!(kept["elsewhere"], json!(true));
    let phone = phone_of(&app, &kept);
    let door = |name: &str| format!("/v1/chat/{}/{name}", talk.id);
    let log = phone.get(&door("events?after=0")).await.expect_json(200);
    assert!(serde_json::to_string(&log).unwrap().contains("¿Cuánto cuesta?"));
    // A device that came by a link makes none, and takes none away.
    tells(
        phone.post(&door("link"), &json!({})).await,
        (403, "chat.not_confirmed"),
        "es",
        "aquí queda cerrado",
    );
    let taken = phone.post(&door("link"), &json!({"wanted": false})).await;
    taken.expect_problem(403, "chat.not_confirmed");
    app.client.get(&link).await.expect(200);

    let taken = phone.post(&door("messages"), &text("Desde el tren")).await.expect_json(201);
    assert_eq!(taken["visitor"], Value::Null, "the device becomes nobody's");
    let reads = &mut app.app.stores.db.read();
    let id = embudo::base::ids::ConversationId::parse(&talk.id).unwrap();
    let state = embudo::chat::find(reads, id).await.unwrap().unwrap().state.unwrap();
    assert!(state.resumed, "from now on nothing that is stored of anybody is used");
}

#[tokio::test]
async fn an_address_that_was_taken_along_ends_with_the_next_one_with_her_word_with_time_and_with_the_conversation()
 {
    let app = app().await;
    let mike = Colleague::hire(&app, "Mike Torres").await;
    let mut talk = Widget::open(&app, VisitorId::new(), "en").await;
    let first = takes_along(&app, &talk).await;
    let second = takes_along(&app, &talk).await;
    app.client.submit(&first, &[]).await.expect(410);
    app.client.get(&second).await.expect(200);

    let none = talk.post("link", &json!({"wanted": false})).await.expect_json(200);
    assert_eq!((&none["link"], &none["expires_at"]), (&Value::Null, &Value::Null));
    app.client.submit(&second, &[]).await.expect(410);
    talk.post("link", &json!({"wanted": false})).await.expect(200);

    app.clock.advance(MINUTE_MS);
    let third = takes_along(&app, &talk).await;
    mike.goes_online().await;
    talk.wants_a_person().await;
    mike.acts(&talk, "accept", &[]).await.expect(303);
    mike.acts(&talk, "link", &[]).await.expect(303);
    app.client.submit(&third, &[]).await.expect(410);

    let fourth = takes_along(&app, &talk).await;
    mike.acts(&talk, "close", &[]).await.expect(303);
    app.client.submit(&fourth, &[]).await.expect(410);
    talk.post("link", &json!({})).await.expect_problem(409, "chat.closed");

    let talk = Widget::open(&app, VisitorId::new(), "en").await;
    let old = takes_along(&app, &talk).await;
    app.clock.advance(7 * DAY_MS);
    app.client.submit(&old, &[]).await.expect(410);
}

#[tokio::test]
async fn an_address_is_only_for_whoever_has_the_conversation() {
    let app = app().await;
    let talk = Widget::open(&app, VisitorId::new(), "en").await;
    let other = Widget::open(&app, VisitorId::new(), "en").await;
    let path = format!("/v1/chat/{}/link", talk.id);
    other.client.post(&path, &json!({})).await.expect_problem(404, "token.forged");
    app.client.with("origin", SITE).post(&path, &json!({})).await.expect_problem(404, "token.forged");
    talk.post("link", &json!("yes")).await.expect_problem(400, "request.malformed");
    for _ in 0..5 {
        talk.post("link", &json!({})).await.expect(201);
    }
    talk.post("link", &json!({})).await.expect_problem(429, "limit.too_many");
}

// ---- words for what flows end with ----------------------------------------------------------------

#[tokio::test]
async fn every_way_in_which_a_shipped_flow_ends_has_words_for_the_team() {
    let app = app().await;
    let texts = app.app.templates.texts();
    let mut ends = 0;
    for flow in app.app.room.flows.now().all() {
        for step in &flow.steps {
            let Next::End(end) = &step.next else { continue };
            ends += 1;
            for language in Language::ALL {
                let key = format!("console.chat_outcome.{end}");
                assert!(
                    texts.get(language, &key, &[]).is_some(),
                    "{}: {key} in {}",
                    flow.id,
                    language.code()
                );
            }
        }
    }
    assert!(ends > 50, "{ends}");
}

#[tokio::test]
async fn the_team_reads_how_a_talk_ended_and_which_flow_it_was_in_words() {
    let app = app().await;
    let mike = Colleague::hire(&app, "Mike Torres").await;
    let (contact, visitor) = person(&app, "nikki@acme.example", Trust::Confirmed).await;
    let mut talk = Widget::open(&app, visitor, "en").await;
    mike.goes_online().await;
    talk.wants_a_person().await;
    mike.acts(&talk, "accept", &[]).await.expect(303);
    mike.acts(&talk, "close", &[]).await.expect(303);
    let page = mike.sees(&talk).await;
    assert!(page.contains("The flow ended: handed over") && !page.contains("handed_over"), "{page}");
    let timeline = mike.client.get(&format!("/console/contacts/{contact}")).await.expect(200).body;
    let title = &app.app.room.flows.now().find("welcome").unwrap().title.clone();
    assert!(timeline.contains(title.as_str()), "the flow's title stands there");
    let report = mike.client.get("/console/reports/bot").await.expect(200).body;
    assert!(report.contains(">handed over<") && !report.contains("handed_over"), "{report}");
}
