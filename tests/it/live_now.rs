//! Who is on the site now: the page, the first word of a colleague, and who is told that somebody has come.
#![allow(clippy::unwrap_used, reason = "a panic in a test is a failed test")]

use std::time::{Duration, Instant};

use embudo::accounts::Role;
use embudo::base::email::Email;
use embudo::base::ids::{AccountId, ContactId, SessionId, VisitorId, new_key};
use embudo::base::language::Language;
use embudo::base::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use embudo::contacts::{self, Consent, Identification, Trust};
use embudo::ingest;
use embudo::sessions;
use embudo::storage::db::Sql;
use serde_json::json;
use tempfile::TempDir;

use crate::console::{agent, cookie_of, hire};
use crate::live_chat::{Colleague, Widget};
use crate::support::app::{SITE, TestApp, set};
use crate::support::socket::Socket;
use crate::support::stores::{Mix, mix};
use crate::support::visitor::Visitor;

/// The device is hers, as surely as `trust` says.
async fn known(app: &TestApp, visitor: &Visitor<'_>, email: &str, trust: Trust) -> ContactId {
    let mut tx = app.app.stores.db.begin().await.unwrap();
    let who = Identification {
        email: &Email::parse(email).unwrap(),
        visitor: Some(VisitorId::parse(&visitor.id).unwrap()),
        site: "faro",
        trust,
        consent: Consent::Analytics,
        language: Language::Es,
        time_zone: Some("Europe/Madrid"),
    };
    let contact = contacts::identify(&mut tx, &who, app.now()).await.unwrap().contact.id;
    tx.commit().await.unwrap();
    contact
}

async fn owned_by(app: &TestApp, contact: ContactId, owner: AccountId) {
    let mut tx = app.app.stores.db.begin().await.unwrap();
    contacts::assign(&mut tx, contact, owner).await.unwrap();
    tx.commit().await.unwrap();
}

/// What her page sends to the chat's doors.
fn coming(visitor: &Visitor<'_>) -> serde_json::Value {
    json!({
        "site": "faro", "visitor": visitor.id, "consent": "analytics",
        "page": {"url": format!("{SITE}/pricing"), "title": "Prices"},
        "language": "es", "zone": "America/Mexico_City",
    })
}

fn has(page: &str, part: &str) {
    assert!(page.contains(part), "`{part}` is not in: {page}");
}

fn has_not(page: &str, part: &str) {
    assert!(!page.contains(part), "`{part}` is in: {page}");
}

// ---- the page -------------------------------------------------------------------------------------

#[tokio::test]
async fn the_page_tells_who_is_there_and_how_sure_that_is() {
    let app = TestApp::start().await;
    let mike = agent(&app, Role::Sdr).await;
    has(&mike.sees("/console/live").await, "Nobody in the last five minutes");
    let (nikki, rosa, stranger) = (app.visitor(), app.visitor(), app.visitor());
    let nobody = Visitor { consent: "none", ..app.visitor() };
    known(&app, &nikki, "nikki@olmos.example", Trust::Claimed).await;
    known(&app, &rosa, "rosa@miramar.example", Trust::Confirmed).await;
    for visitor in [&nikki, &rosa, &stranger, &nobody] {
        visitor.visit("/resources").await;
        app.clock.advance(SECOND_MS);
        visitor.visit("/pricing?<b>=1").await;
    }
    let robot = app.client.with("user-agent", "Googlebot/2.1 (+http://www.google.com/bot.html)");
    robot.post("/v1/hit", &app.visitor().hit("/hidden")).await.expect(202);
    app.run_jobs().await;

    let page = mike.sees("/console/live").await;
    for part in
        ["nikki@olmos.example", "rosa@miramar.example", "/resources", "/pricing", "allows no identifier"]
    {
        has(&page, part);
    }
    has_not(&page, "/hidden");
    assert_eq!(page.matches("address only typed").count(), 1, "Nikki's alone");
    assert_eq!(page.matches(">Unknown visitor<").count(), 2);
    let known = mike.sees("/console/live?who=known").await;
    has(&known, "rosa@miramar.example");
    has_not(&known, "Unknown visitor");
    has(&mike.sees("/console/live?who=talking").await, "Nobody here is in a chat");

    let one = mike.sees(&format!("/console/live/{}", rosa.id)).await;
    for part in ["rosa@miramar.example", "/resources", "Start the chat", "¿Te puedo ayudar"] {
        has(&one, part);
    }
    has_not(&one, "not proved yet");
    has(&mike.sees(&format!("/console/live/{}", nikki.id)).await, "not proved yet");
    let viewer = agent(&app, Role::Viewer).await;
    has_not(&viewer.sees("/console/live").await, "#chat\"");
    has(&viewer.sees(&format!("/console/live/{}", rosa.id)).await, "Your role does not answer visitors");
    mike.get(&format!("/console/live/{}", nobody.id)).await.expect(404);
    mike.get("/console/live/nobody").await.expect(404);

    app.later(6 * MINUTE_MS).await;
    has(&mike.sees("/console/live").await, "Nobody in the last five minutes");
    let left = mike.sees(&format!("/console/live/{}", rosa.id)).await;
    has(&left, "cannot be spoken to");
    let late = mike.submits(&format!("/console/live/{}/chat", rosa.id), &[("text", "Hello")]).await;
    assert_eq!(late.status, 409, "{}", late.body);
}

#[tokio::test]
async fn a_page_of_ten_thousand_visitors_is_small() {
    let app = TestApp::start().await;
    let mike = agent(&app, Role::Sdr).await;
    let seen = app.visitor();
    for path in
        ["/", "/resources", "/pricing", "/blog/a-title-that-goes-on-and-on-and-does-not-end-where-others-do"]
    {
        seen.visit(path).await;
    }
    app.run_jobs().await;
    let hits = &app.app.stores.hits;
    let rows = app.rows("select id from visits").await;
    let id: SessionId = rows[0].at(0).unwrap();
    let one = sessions::store::visits(hits, [id].into_iter()).await.unwrap().remove(&id).unwrap();
    let mut tx = app.app.stores.db.begin().await.unwrap();
    let mut visitors: Vec<VisitorId> = (0..10_000).map(|_| VisitorId::new()).collect();
    for (n, visitor) in visitors.iter_mut().enumerate().take(400) {
        let who = Identification {
            email: &Email::parse(&format!("somebody.with.a.name-{n}@company-{}.example", n % 40)).unwrap(),
            visitor: Some(*visitor),
            site: "faro",
            trust: Trust::Clicked,
            consent: Consent::Analytics,
            language: Language::En,
            time_zone: None,
        };
        *visitor = contacts::identify(&mut tx, &who, app.now()).await.unwrap().visitor;
    }
    tx.commit().await.unwrap();
    let visits: Vec<sessions::Visit> = visitors
        .into_iter()
        .map(|visitor| sessions::Visit { id: SessionId::new(), visitor, ..one.clone() })
        .collect();
    let mut tx = hits.begin().await.unwrap();
    sessions::store::put_visits(&mut tx, visits.iter()).await.unwrap();
    tx.commit().await.unwrap();

    let mut took: Vec<Duration> = Vec::new();
    for path in [
        "/console/live",
        "/console/live?page=334",
        "/console/live?who=known&page=2",
        "/console/live?who=talking",
    ] {
        let began = Instant::now();
        let page = mike.sees(path).await;
        took.push(began.elapsed());
        assert!(page.len() <= 60 * 1024, "{path}: {} bytes", page.len());
    }
    println!("10,001 visitors: {took:?}");
    has(&mike.sees("/console/live").await, "10,001");
    // 400 of them are known, 30 stand on a page: the last ten people and the first twenty others.
    let mixed = mike.sees("/console/live?page=14").await;
    assert_eq!(
        (mixed.matches("somebody.with.a.name").count(), mixed.matches(">Unknown visitor<").count()),
        (10, 20)
    );
    assert_eq!(mike.sees("/console/live?page=334").await.matches(">Unknown visitor<").count(), 11);
    assert_eq!(mike.sees("/console/live").await.matches("somebody.with.a.name").count(), 30, "people first");
}

/// Everything between the section's begin and its end.
fn part_of(page: &str) -> &str {
    let begin = page.find("<section class=\"panel\" id=\"today-here\"").expect("the part");
    let end = page[begin..].find("</section>").expect("its end");
    &page[begin..begin + end]
}

#[tokio::test]
async fn the_part_of_today_that_changes_all_the_time_comes_alone_and_says_what_the_page_says() {
    let app = TestApp::start().await;
    let mike = agent(&app, Role::Sdr).await;
    let door = "/console/live/now";
    app.client.get(door).await.expect(303);
    has(&mike.sees(door).await, "Nobody in the last five minutes");
    let looked = async || {
        let rows = app.rows("select details from audit where action = 'saw'").await;
        rows.iter()
            .map(|row| row.json::<serde_json::Value>("details").unwrap()["list"].clone())
            .collect::<Vec<_>>()
    };
    let (rosa, nikki) = (app.visitor(), app.visitor());
    for n in 0..9 {
        app.visitor().visit(&format!("/blog/{n}")).await;
        app.clock.advance(SECOND_MS);
    }
    rosa.visit("/pricing").await;
    app.clock.advance(SECOND_MS);
    nikki.visit("/resources").await;
    app.run_jobs().await;
    let part = mike.sees(door).await;
    has(&part, "11 visitors");
    for (path, stands) in [("/resources", true), ("/pricing", true), ("/blog/3", true), ("/blog/2", false)] {
        assert_eq!(part.contains(&format!(">{path}<")), stands, "{path}: the last eight: {part}");
    }
    assert_eq!(looked().await, Vec::<serde_json::Value>::new(), "nobody is known");

    // Whoever is known from now on stands first in the next answer, though no visit went on and no time went by.
    known(&app, &rosa, "rosa@miramar.example", Trust::Confirmed).await;
    let part = mike.sees(door).await;
    let stands = |what: &str| part.find(what).unwrap_or_else(|| panic!("`{what}` is not in: {part}"));
    assert!(stands("rosa@miramar.example") < stands("/resources"), "{part}");
    assert_eq!(looked().await, [json!("today")], "the part is a look at people like the page");
    let page = mike.sees("/console").await;
    assert_eq!(part_of(&part), part_of(&page));
    has_not(&part, "<html");
    assert_eq!(looked().await, [json!("today")], "once an hour");

    // Each in her language, also of the same answer.
    hire(&app, "lucia@faro.example", Role::Viewer, Language::Es).await;
    let fields =
        [("email", "lucia@faro.example"), ("password", crate::console::PASSWORD), ("next", "/console")];
    let cookie = cookie_of(&app.client.submit("/console/login", &fields).await.expect(303));
    let lucia = app.client.with("cookie", &cookie);
    let parts = tokio::join!(lucia.get(door), mike.sees(door), lucia.get(door));
    for hers in [parts.0, parts.2] {
        has(&hers.expect(200).body, "11 visitas");
    }
    has(&parts.1, "11 visitors");

    app.later(6 * MINUTE_MS).await;
    has(&mike.sees(door).await, "Nobody in the last five minutes");
}

// ---- the line -------------------------------------------------------------------------------------

#[tokio::test]
async fn whoever_looks_is_told_that_somebody_came_on_every_node() {
    let app = TestApp::start().await;
    let other = if mix() == Mix::Embedded { None } else { Some(app.started_again().await.unwrap()) };
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let (here, mine) = (app.app.clone(), stopped.clone());
    let carries = tokio::spawn(async move { ingest::carry(here.following(), mine).await });
    let here = app.app.clone();
    let follows = tokio::spawn(async move { ingest::follow(here.following(), stopped).await });
    hire(&app, "mike@faro.example", Role::Sdr, Language::En).await;
    let node = other.as_ref().unwrap_or(&app);
    let fields =
        [("email", "mike@faro.example"), ("password", crate::console::PASSWORD), ("next", "/console")];
    let cookie = cookie_of(&node.client.submit("/console/login", &fields).await.expect(303));
    let page = node.client.with("cookie", &cookie).get("/console").await.expect(200).body;
    let own = page.split("name=\"csrf\" content=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let headers = [("cookie", cookie.as_str()), ("origin", node.url.as_str())];
    let mut looks = Socket::open(&format!("{}/console/line?live=1", node.url), &headers).await.unwrap();
    looks.hello(own).await;
    let began = Instant::now();
    app.visitor().visit("/pricing").await;
    let wake = looks.next_of("wake").await;
    println!("told after {:?}", began.elapsed());
    assert_eq!(wake["topic"], "live");
    stop.send_replace(true);
    carries.await.unwrap();
    follows.await.unwrap();
}

// ---- the first word -------------------------------------------------------------------------------

#[tokio::test]
async fn a_colleague_speaks_first_and_the_chat_opens_on_her_page() {
    let app = TestApp::start().await;
    let nikki = app.visitor();
    nikki.visit("/pricing").await;
    app.run_jobs().await;
    nikki.post("/v1/chat/called", &coming(&nikki)).await.expect(204);
    let mike = Colleague::hire(&app, "Mike Torres").await;
    mike.goes_online().await;
    let asked = nikki.post("/v1/chat/trigger", &coming(&nikki)).await.expect_json(200);
    assert_eq!(asked["again_ms"], 5_000, "somebody takes chats: her page asks again");
    nikki.post("/v1/chat/called", &coming(&nikki)).await.expect(204);

    let door = format!("/console/live/{}/chat", nikki.id);
    let empty = mike.does(&door, &[("text", "  ")]).await.expect(422).body;
    has(&empty, "aria-invalid");
    let key = new_key();
    let words = [("text", "Hola, soy Mike. {{contact.email}}"), ("client_id", key.as_str())];
    let spoken = mike.does(&door, &words).await.expect(303);
    let talk = spoken.header("location").split('?').next().unwrap().to_owned();
    assert!(talk.starts_with("/console/inbox/"), "{talk}");
    let again = mike.does(&door, &words).await.expect(303);
    assert_eq!(again.header("location").split('?').next(), Some(talk.as_str()), "the same word is said once");
    has(&mike.client.get("/console/live").await.expect(200).body, "has not seen it yet");

    // Her page finds it by what it asks again and again, and so does the next page that she opens.
    let called = nikki.post("/v1/chat/called", &coming(&nikki)).await.expect_json(200);
    let offer = &called["offers"][0];
    assert_eq!((&offer["open"], &offer["delay_ms"]), (&json!(true), &json!(0)));
    let next = nikki.post("/v1/chat/trigger", &coming(&nikki)).await.expect_json(200);
    assert_eq!(next["offers"][0], *offer);

    let mut opening = coming(&nikki);
    opening["flow"] = offer["flow"].clone();
    let mut widget = Widget::of(&app, &opening).await;
    assert_eq!(talk, format!("/console/inbox/{}", widget.id));
    let texts: Vec<&str> = widget.log.iter().filter_map(|entry| entry["body"]["text"].as_str()).collect();
    assert_eq!(texts, ["Hola, soy Mike. {{contact.email}}"], "nothing but what he said, as he said it");
    assert_eq!(widget.log[0]["body"]["mode"], "human");
    nikki.post("/v1/chat/called", &coming(&nikki)).await.expect(204);
    has(&mike.client.get("/console/live").await.expect(200).body, "With a person");
    has_not(&mike.client.get("/console/live").await.expect(200).body, "has not seen it yet");
    let zone = app.rows("select time_zone from conversations").await[0].get::<String>("time_zone").unwrap();
    assert_eq!(zone, "America/Mexico_City", "her page has told what her clock says");

    widget.types("¿Cuánto cuesta?").await;
    mike.acts(&widget, "say", &[("text", "Depende del tamaño.")]).await.expect(303);
    assert_eq!(widget.catch_up().await.last().unwrap()["body"]["text"], "Depende del tamaño.");
    // Given back, the flow begins as it always does.
    mike.acts(&widget, "hand-back", &[]).await.expect(303);
    let back = widget.catch_up().await;
    assert!(back.iter().any(|entry| entry["body"]["type"] == "ask"), "{back:?}");
}

/// What a device says in the chat, with the token of its own opening.
async fn types_there(app: &TestApp, opened: &serde_json::Value, text: &str) -> serde_json::Value {
    let door = format!("/v1/chat/{}/messages", opened["conversation"].as_str().unwrap());
    let token = format!("Bearer {}", opened["token"].as_str().unwrap());
    let message = json!({"client_id": new_key(), "body": {"type": "text", "text": text}});
    app.client.with("origin", SITE).with("authorization", &token).post(&door, &message).await.expect_json(201)
}

#[tokio::test]
async fn on_another_device_of_hers_the_chat_answers_as_on_the_first_and_the_two_stay_two() {
    let app = TestApp::start().await;
    let (first, second, claims) = (app.visitor(), app.visitor(), app.visitor());
    for visitor in [&first, &second] {
        known(&app, visitor, "nikki@olmos.example", Trust::Authenticated).await;
    }
    known(&app, &claims, "nikki@olmos.example", Trust::Claimed).await;
    let offers = second.post("/v1/chat/trigger", &coming(&second)).await.expect_json(200);
    assert!(!offers["offers"].as_array().unwrap().is_empty(), "nobody talks yet: {offers}");

    let talk = Widget::of(&app, &coming(&first)).await;
    for visitor in [&first, &second] {
        visitor.post("/v1/chat/trigger", &coming(visitor)).await.expect(204);
    }
    let offers = claims.post("/v1/chat/trigger", &coming(&claims)).await.expect_json(200);
    assert!(!offers["offers"].as_array().unwrap().is_empty(), "a claim is nobody's device: {offers}");

    // Her other device opens her talk, and stays the visitor that it is.
    let opened = second.post("/v1/chat", &coming(&second)).await.expect_json(200);
    assert_eq!((&opened["conversation"], &opened["visitor"]), (&json!(talk.id), &json!(second.id)));
    assert_eq!(opened["known"], true);
    let whose = format!("/v1/chat/{}/whose", talk.id);
    let token = format!("Bearer {}", opened["token"].as_str().unwrap());
    let there = app.client.with("origin", SITE).with("authorization", &token);
    there.post(&whose, &json!({"answer": "yes"})).await.expect_problem(409, "chat.question_over");

    // Whoever of the company speaks to her there goes on with the same talk, and her pages show it.
    let mike = Colleague::hire(&app, "Mike Torres").await;
    mike.goes_online().await;
    second.visit("/pricing").await;
    app.run_jobs().await;
    let words = [("text", "Hola, soy Mike.")];
    let spoken = mike.does(&format!("/console/live/{}/chat", second.id), &words).await.expect(303);
    assert!(spoken.header("location").starts_with(&format!("/console/inbox/{}", talk.id)), "one talk");
    for visitor in [&first, &second] {
        for door in ["/v1/chat/called", "/v1/chat/trigger"] {
            let told = visitor.post(door, &coming(visitor)).await.expect_json(200);
            assert_eq!(told["offers"][0]["open"], true, "{door}: {told}");
        }
    }
    claims.post("/v1/chat/called", &coming(&claims)).await.expect(204);
    let again = second.post("/v1/chat", &coming(&second)).await.expect_json(200);
    assert_eq!((&again["conversation"], &again["mode"]), (&json!(talk.id), &json!("human")));
    // One of her pages has taken it: the others are not called any more.
    for visitor in [&first, &second] {
        visitor.post("/v1/chat/called", &coming(visitor)).await.expect(204);
    }

    // What is said there names no other visitor.
    let heard = types_there(&app, &again, "Otra cosa: soy yo.").await;
    assert_eq!(heard["visitor"], json!(null), "{heard}");
    app.clock.advance(SECOND_MS);
    let own = first.post("/v1/chat", &coming(&first)).await.expect_json(200);
    assert_eq!(own["visitor"], json!(first.id));
    assert_eq!(types_there(&app, &own, "Y yo también.").await["visitor"], json!(first.id));
    assert_eq!(app.count("conversations").await, 1);
}

#[tokio::test]
async fn a_panel_that_opened_by_itself_before_anybody_knew_her_hides_no_talk() {
    let app = TestApp::start().await;
    let (first, second) = (app.visitor(), app.visitor());
    let silent = Widget::of(&app, &coming(&second)).await;
    known(&app, &first, "nikki@olmos.example", Trust::Confirmed).await;
    let talk = Widget::of(&app, &coming(&first)).await;
    known(&app, &second, "nikki@olmos.example", Trust::Confirmed).await;
    let opened = second.post("/v1/chat", &coming(&second)).await.expect_json(200);
    assert_eq!(opened["conversation"], json!(silent.id), "of two silent ones her own stays");

    let mike = Colleague::hire(&app, "Mike Torres").await;
    mike.goes_online().await;
    mike.acts(&talk, "accept", &[]).await.expect(303);
    let opened = second.post("/v1/chat", &coming(&second)).await.expect_json(200);
    assert_eq!((&opened["conversation"], &opened["mode"]), (&json!(talk.id), &json!("human")));
    assert_eq!(opened["visitor"], json!(second.id));
}

#[tokio::test]
async fn nobody_is_spoken_to_twice_a_day_nor_talked_over_nor_after_a_no() {
    let app = TestApp::start().await;
    let (nikki, rosa) = (app.visitor(), app.visitor());
    for visitor in [&nikki, &rosa] {
        visitor.visit("/pricing").await;
    }
    app.run_jobs().await;
    let mike = Colleague::hire(&app, "Mike Torres").await;
    let lucia = Colleague::hire(&app, "Lucía Vega").await;
    for colleague in [&mike, &lucia] {
        colleague.goes_online().await;
    }
    let door = |visitor: &Visitor<'_>| format!("/console/live/{}/chat", visitor.id);
    mike.does(&door(&nikki), &[("text", "Hello")]).await.expect(303);
    mike.client.get(&format!("/console/live/{}", nikki.id)).await.expect(200);
    assert_eq!(lucia.does(&door(&nikki), &[("text", "Hello")]).await.status, 409);
    let hers = lucia.client.get(&format!("/console/live/{}", nikki.id)).await.expect(200).body;
    has(&hers, "A colleague is talking with this visitor");

    // What no page takes is over after ten minutes, and is offered to nobody any more.
    app.clock.advance(4 * MINUTE_MS);
    nikki.visit("/resources").await;
    app.later(7 * MINUTE_MS).await;
    let ended = app.rows("select mode, outcome from conversations").await;
    assert_eq!(ended[0].get::<String>("mode").unwrap(), "closed");
    assert_eq!(ended[0].get::<String>("outcome").unwrap(), "unreached");
    nikki.visit("/resources").await;
    app.run_jobs().await;
    nikki.post("/v1/chat/called", &coming(&nikki)).await.expect(204);
    mike.goes_online().await;
    assert_eq!(mike.does(&door(&nikki), &[("text", "Still there?")]).await.status, 409);
    let rests = mike.client.get(&format!("/console/live/{}", nikki.id)).await.expect(200).body;
    has(&rests, "Once a day is enough");

    // Rosa has sent the chat away.
    let talk = Widget::of(&app, &coming(&rosa)).await;
    let mut tx = app.app.stores.db.begin().await.unwrap();
    let said_no = "update conversations set mode = 'closed', outcome = 'declined', closed_at = updated_at where id = $1";
    tx.execute(Sql(said_no), &[talk.id.as_str().into()]).await.unwrap();
    tx.commit().await.unwrap();
    rosa.visit("/resources").await;
    app.run_jobs().await;
    assert_eq!(mike.does(&door(&rosa), &[("text", "Hello")]).await.status, 409);
    let no = mike.client.get(&format!("/console/live/{}", rosa.id)).await.expect(200).body;
    has(&no, "sent the chat away today");

    app.later(DAY_MS).await;
    rosa.visit("/resources").await;
    app.run_jobs().await;
    mike.goes_online().await;
    mike.does(&door(&rosa), &[("text", "Good morning")]).await.expect(303);
}

#[tokio::test]
async fn whoever_talks_with_the_bot_is_spoken_to_in_that_conversation() {
    let app = TestApp::start().await;
    let nikki = app.visitor();
    nikki.visit("/pricing").await;
    let mut talk = Widget::of(&app, &coming(&nikki)).await;
    app.run_jobs().await;
    let mike = Colleague::hire(&app, "Mike Torres").await;
    mike.goes_online().await;
    has(&mike.client.get("/console/live?who=talking").await.expect(200).body, &talk.id);
    let door = format!("/console/live/{}/chat", nikki.id);
    let spoken = mike.does(&door, &[("text", "Hi, Mike here.")]).await.expect(303);
    has(spoken.header("location"), &talk.id);
    let fresh = talk.catch_up().await;
    assert_eq!(fresh.last().unwrap()["body"]["text"], "Hi, Mike here.");
    assert_eq!(app.count("conversations").await, 1);
}

// ---- who is told ----------------------------------------------------------------------------------

async fn with_rule(notify: &str) -> (TestApp, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notify.yaml");
    std::fs::write(&file, notify).unwrap();
    let app = TestApp::start_with(|settings| {
        set(settings, "definitions", "notify", file.display().to_string());
    })
    .await;
    (app, folder)
}

async fn comes(app: &TestApp, visitor: &Visitor<'_>, path: &str) {
    visitor.visit(path).await;
    app.run_jobs().await;
}

fn times(told: &[String]) -> usize {
    told.iter().filter(|kind| *kind == "contact_on_site").count()
}

#[tokio::test]
async fn the_owner_hears_once_of_a_visit_and_only_of_whom_it_certainly_is() {
    let (app, _folder) = with_rule("on_site: {owners: true, every: 2h}\n").await;
    let mike = Colleague::hire(&app, "Mike Torres").await;
    let lucia = Colleague::hire(&app, "Lucía Vega").await;
    let (rosa, eve) = (app.visitor(), app.visitor());
    let contact = known(&app, &rosa, "rosa@miramar.example", Trust::Clicked).await;
    owned_by(&app, contact, mike.id).await;
    // Somebody else types the address.
    known(&app, &eve, "rosa@miramar.example", Trust::Claimed).await;
    comes(&app, &eve, "/pricing").await;
    assert_eq!(times(&mike.told().await), 0);

    comes(&app, &rosa, "/pricing").await;
    assert_eq!((times(&mike.told().await), times(&lucia.told().await)), (1, 0));
    let line = app.rows("select title, body, link from notifications where kind = 'contact_on_site'").await;
    assert_eq!(line[0].get::<String>("title").unwrap(), "rosa@miramar.example is on the site");
    has(&line[0].get::<String>("body").unwrap(), "/pricing");
    let link = line[0].get::<String>("link").unwrap();
    let page = mike.client.get(&link).await.expect(200).body;
    has(&page, "rosa@miramar.example");

    // The same visit, and another within two hours: said already.
    app.clock.advance(20 * MINUTE_MS);
    comes(&app, &rosa, "/resources").await;
    app.clock.advance(HOUR_MS);
    comes(&app, &rosa, "/").await;
    assert_eq!(times(&mike.told().await), 1);
    app.clock.advance(3 * HOUR_MS);
    comes(&app, &rosa, "/").await;
    assert_eq!(times(&mike.told().await), 2);
}

#[tokio::test]
async fn named_companies_are_told_to_a_role_and_at_night_only_by_the_console() {
    let notify = "\
on_site: {accounts: [miramar.example], to: [\"role:sdr\"]}
rules:
  - {on: [contact_on_site], to: [theirs], by: [mail]}
quiet: {hours: \"20:00-08:00\", zone: UTC}
";
    let (app, _folder) = with_rule(notify).await;
    let mike = Colleague::hire(&app, "Mike Torres").await;
    let lucia = Colleague::hire(&app, "Lucía Vega").await;
    let (rosa, other) = (app.visitor(), app.visitor());
    known(&app, &rosa, "rosa@miramar.example", Trust::Confirmed).await;
    known(&app, &other, "ana@elsewhere.example", Trust::Confirmed).await;
    let mails = async || app.rows("select 1 as one from mails where template = 'alert'").await.len();
    // The tests' clock begins at a working hour; noon of the next day is one, too.
    let hour = |app: &TestApp| app.now().to_jiff().to_zoned(jiff::tz::TimeZone::UTC).hour();
    while hour(&app) != 12 {
        app.clock.advance(HOUR_MS);
    }
    comes(&app, &other, "/").await;
    comes(&app, &rosa, "/").await;
    assert_eq!((times(&mike.told().await), times(&lucia.told().await)), (1, 1));
    assert_eq!(mails().await, 2, "to each of them");
    app.clock.advance(10 * HOUR_MS);
    comes(&app, &rosa, "/").await;
    assert_eq!((times(&mike.told().await), times(&lucia.told().await)), (2, 2));
    app.later(12 * HOUR_MS).await;
    assert_eq!(mails().await, 2, "in the morning it is no news");
}
