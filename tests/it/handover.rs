//! The team at work: whom a contact goes to, what is to be done, what calls find out, and how far deals come.

use embudo::accounts::{self, NewAccount, Role};
use embudo::base::ids::{AccountId, ContactId, VisitorId};
use embudo::base::language::Language;
use embudo::base::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use embudo::bookings::{self, Desk, Holder, Pick};
use embudo::contacts::{self, Trust};
use embudo::handovers::{self, Handover};
use embudo::reports::people;
use embudo::stages::{self, Actor, Decision};
use reqwest::Method;
use serde_json::{Value, json};

use crate::gates::{contact, submit};
use crate::support::answer::{Answer, Client};
use crate::support::app::{TestApp, set};

const KEY: &str = "the api key of the tests, long enough";
const PASSWORD: &str = "a lighthouse at night";
const NIKKI: &str = "nikki@acme.example";

async fn start() -> TestApp {
    TestApp::start_with(|settings| {
        set(settings, "api", "keys", vec![KEY]);
        set(settings, "server", "workers", 2);
    })
    .await
}

async fn hire(app: &TestApp, name: &str, role: Role) -> AccountId {
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let email = format!("{name}@faro.example");
    let new = NewAccount { email: &email, name, role, language: Language::En, password: PASSWORD };
    let account = accounts::add(&mut tx, &new, app.now()).await.expect("added");
    tx.commit().await.expect("commits");
    account.id
}

fn api(app: &TestApp) -> Client {
    app.client.with("authorization", &format!("Bearer {KEY}"))
}

async fn send(app: &TestApp, path: &str, body: Value) -> Answer {
    let body = Some(("application/json", body.to_string().into_bytes()));
    api(app).send(Method::POST, path, body).await
}

async fn mql(app: &TestApp, email: &str) -> ContactId {
    submit(&app.visitor(), "webinar", email).await;
    app.run_jobs().await;
    contact(app, email).await.0
}

async fn decide(app: &TestApp, id: ContactId, role: &str, what: &str, reason: Option<&str>, actor: Actor) {
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let decision =
        Decision { role: role.to_owned(), what: what.to_owned(), reason: reason.map(str::to_owned), actor };
    stages::decide(&mut tx, &app.app.lifecycle, id, &decision, app.now()).await.expect("decided");
    tx.commit().await.expect("commits");
    app.run_jobs().await;
}

async fn waiting(app: &TestApp, id: ContactId) -> Option<Handover> {
    handovers::open_of(&mut app.app.stores.db.read(), id).await.expect("read")
}

async fn owner(app: &TestApp, id: ContactId) -> Option<AccountId> {
    contacts::find(&mut app.app.stores.db.read(), id).await.expect("read").expect("known").owner
}

/// The titles of an account's lines in the console, the earliest first.
async fn lines(app: &TestApp, account: AccountId) -> Vec<String> {
    let rows = embudo::notify::notifications(&mut app.app.stores.db.read(), account, 50).await.expect("read");
    rows.into_iter().rev().map(|row| row.title).collect()
}

/// The mails to an address, by template.
async fn mails(app: &TestApp, to: &str) -> Vec<String> {
    let rows = app.rows("select recipient, template from mails order by sent_at, id").await;
    let rows = rows.iter().filter(|row| row.get::<String>("recipient").expect("a text") == to);
    rows.map(|row| row.get("template").expect("a text")).collect()
}

async fn kinds(app: &TestApp) -> Vec<String> {
    let rows = app.rows("select kind from activities where kind <> 'page' order by at, id").await;
    rows.iter().map(|row| row.get("kind").expect("a text")).collect()
}

/// Books the first free time of a meeting.
async fn book(app: &TestApp, meeting: &str, id: ContactId) -> bookings::Booking {
    let (team, now) = (&app.app.team, app.now());
    let window = bookings::slots::Span::new(now, now.plus_ms(10 * DAY_MS));
    let holder = Holder { visitor: Some(VisitorId::new()), conversation: None };
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let kind = team.meeting(meeting).expect("config/team.yaml has it");
    let free = bookings::slots(&mut tx, team, kind, window, &holder, None, now).await.expect("slots");
    let pick = Pick {
        meeting,
        starts_at: free.first().expect("somebody is free").starts_at,
        duration_ms: None,
        time_zone: "Europe/Madrid",
        language: Language::Es,
        holder,
        contact: Some(id),
    };
    let desk = Desk { team, lifecycle: &app.app.lifecycle };
    let booking =
        bookings::book(&mut tx, desk, &pick, id, &bookings::Said::default(), now).await.expect("booked");
    tx.commit().await.expect("commits");
    app.run_jobs().await;
    booking
}

#[tokio::test]
async fn whoever_comes_into_a_stage_of_another_role_is_handed_over_and_the_role_is_told() {
    let app = start().await;
    let (mike, lucia) = (hire(&app, "mike", Role::Sdr).await, hire(&app, "lucia", Role::Sdr).await);
    let marta = hire(&app, "marta", Role::Marketing).await;
    let nikki = mql(&app, NIKKI).await;
    assert!(waiting(&app, nikki).await.is_none(), "within marketing nothing changes hands");

    decide(&app, nikki, "sdr", "accept", None, Actor::Api).await;
    let first = waiting(&app, nikki).await.expect("an SDR is to take her");
    let chosen = first.account.expect("somebody of the role");
    assert!([mike, lucia].contains(&chosen) && owner(&app, nikki).await == Some(chosen));
    assert!(lines(&app, chosen).await.contains(&format!("{NIKKI} is yours from now on")));
    let address = if chosen == mike { "mike@faro.example" } else { "lucia@faro.example" };
    assert_eq!(mails(&app, address).await, ["handover_given"]);
    assert!(lines(&app, marta).await.is_empty());

    // Whoever was given fewer is next.
    let pam = mql(&app, "pam@acme.example").await;
    decide(&app, pam, "sdr", "accept", None, Actor::Api).await;
    assert_ne!(waiting(&app, pam).await.expect("waits").account, Some(chosen));

    // Sent back, she goes to marketing again, and the hand-over that waited is over.
    app.clock.advance(1_000);
    decide(&app, nikki, "sdr", "reject", Some("timing"), Actor::Account(chosen)).await;
    let back = waiting(&app, nikki).await.expect("marketing is to take her");
    assert_eq!((back.role.as_str(), back.account), ("marketing", Some(marta)));
    assert_eq!(app.rows("select id from handovers where ended_at is not null").await.len(), 1);
}

#[tokio::test]
async fn whoever_holds_her_call_or_looks_after_her_already_keeps_her() {
    let app = start().await;
    let (mike, lucia) = (hire(&app, "mike", Role::Sdr).await, hire(&app, "lucia", Role::Sdr).await);
    let yuri = hire(&app, "yuri", Role::Ae).await;
    let nikki = mql(&app, NIKKI).await;
    let booking = book(&app, "discovery", nikki).await;
    let rep = if booking.rep == "mike" { mike } else { lucia };
    assert_eq!(contact(&app, NIKKI).await.1, "sql");
    assert!(waiting(&app, nikki).await.is_none(), "the call has made her owner");
    assert_eq!(owner(&app, nikki).await, Some(rep));
    assert!(!mails(&app, "mike@faro.example").await.contains(&"handover_given".to_owned()));

    // The AE who accepts her has taken her over by that.
    app.clock.advance(1_000);
    decide(&app, nikki, "ae", "accept", None, Actor::Account(yuri)).await;
    assert_eq!((owner(&app, nikki).await, waiting(&app, nikki).await), (Some(yuri), None));
}

#[tokio::test]
async fn an_sdr_hands_her_over_with_a_note_and_the_ae_who_is_told_takes_her() {
    let app = start().await;
    let (mike, yuri) = (hire(&app, "mike", Role::Sdr).await, hire(&app, "yuri", Role::Ae).await);
    let nikki = mql(&app, NIKKI).await;
    decide(&app, nikki, "sdr", "accept", None, Actor::Account(mike)).await;
    assert_eq!(owner(&app, nikki).await, Some(mike));

    let give = async |body: Value| send(&app, "/api/v1/handovers", body).await;
    give(json!({"contact": nikki, "role": "viewer"})).await.expect_problem(422, "handover.no_role");
    give(json!({"contact": nikki, "role": "ae", "account": mike}))
        .await
        .expect_problem(403, "handover.other_role");
    give(json!({"contact": ContactId::new(), "role": "ae"})).await.expect_problem(404, "contact.unknown");
    let note = "She decides with her VP of finance.";
    let given = give(json!({"contact": nikki, "role": "ae", "note": note})).await.expect_json(201);
    app.run_jobs().await;
    assert_eq!(owner(&app, nikki).await, Some(mike), "she stays with Mike until Yuri takes her");
    assert_eq!(mails(&app, "yuri@faro.example").await, ["handover_given"]);
    let body = app.rows("select text_body from mails where template = 'handover_given'").await;
    assert!(body[0].get::<String>("text_body").expect("a text").contains(note));
    let queue = api(&app).get("/api/v1/handovers").await.expect_json(200);
    assert_eq!(queue["handovers"][0]["note"], note);

    let id = given["id"].as_str().expect("an id");
    let take = async |by: AccountId| {
        send(&app, &format!("/api/v1/handovers/{id}/take"), json!({"account": by})).await
    };
    take(mike).await.expect_problem(403, "handover.other_role");
    take(yuri).await.expect(200);
    take(yuri).await.expect(200);
    assert_eq!(owner(&app, nikki).await, Some(yuri));
    let other = hire(&app, "vera", Role::Ae).await;
    take(other).await.expect_problem(409, "handover.taken");
    assert_eq!(api(&app).get("/api/v1/handovers").await.expect_json(200)["handovers"], json!([]));
    let taken = api(&app).get("/api/v1/handovers?view=taken").await.expect_json(200);
    assert_eq!(taken["handovers"][0]["taken_by"], "yuri");
    send(&app, &format!("/api/v1/handovers/{}/take", ContactId::new()), json!({"account": yuri}))
        .await
        .expect_problem(404, "handover.unknown");
}

#[tokio::test]
async fn a_hand_over_that_nobody_takes_in_the_teams_hours_is_late_and_told_once() {
    let app = start().await;
    let mike = hire(&app, "mike", Role::Sdr).await;
    let nikki = mql(&app, NIKKI).await;
    decide(&app, nikki, "sdr", "accept", None, Actor::Api).await;
    let due_at = waiting(&app, nikki).await.expect("waits").due_at.expect("the stage says by when");
    assert_eq!(due_at.since_ms(app.now()), 15 * MINUTE_MS);
    app.later(14 * MINUTE_MS).await;
    assert!(!lines(&app, mike).await.iter().any(|line| line.contains("Nobody has taken")));
    app.later(MINUTE_MS).await;
    app.later(HOUR_MS).await;
    let late = lines(&app, mike).await.into_iter().filter(|line| line.contains("Nobody has taken")).count();
    assert_eq!(late, 1);
    let late = api(&app).get("/api/v1/handovers?view=late").await.expect_json(200);
    assert_eq!(late["handovers"][0]["is_late"], true);
    // The response that nobody gave and the hand-over that nobody took are told by mail, too.
    let told = mails(&app, "mike@faro.example").await;
    assert_eq!(told.iter().filter(|mail| *mail == "response_late").count(), 2, "{told:?}");
}

#[tokio::test]
async fn nobody_is_given_a_sales_call_before_sales_looks_after_her() {
    let app = start().await;
    let mike = hire(&app, "mike", Role::Sdr).await;
    let nikki = mql(&app, NIKKI).await;
    let give = async |kind: &str, title: &str| {
        let due_at = app.now().plus_ms(DAY_MS).as_ms();
        let body = json!({"contact": nikki, "account": mike, "kind": kind, "title": title, "due_at": due_at});
        send(&app, "/api/v1/tasks", body).await
    };
    let refused = give("call", "Call her").await.expect_problem(409, "task.too_early");
    assert_eq!((&refused["stage"], &refused["from"]), (&json!("mql"), &json!("sql")));
    give("mail", "Send her the two cases").await.expect(201);
    give("mail", " ").await.expect_problem(422, "task.invalid");
    decide(&app, nikki, "sdr", "accept", None, Actor::Account(mike)).await;
    let task = give("call", "Call her").await.expect_json(201);
    app.run_jobs().await;
    assert!(mails(&app, "mike@faro.example").await.contains(&"task_given".to_owned()));

    let open = api(&app).get(&format!("/api/v1/tasks?account={mike}")).await.expect_json(200);
    assert_eq!(open["tasks"].as_array().map(Vec::len), Some(2));
    let id = task["id"].as_str().expect("an id");
    let done = async || {
        send(&app, &format!("/api/v1/tasks/{id}/done"), json!({"account": mike})).await.expect_json(200)
    };
    let (first, again) = (done().await, done().await);
    assert_eq!((&first["done_by"], &first["done_at"]), (&json!(mike), &again["done_at"]));
    let of_contact = api(&app).get(&format!("/api/v1/tasks?contact={nikki}")).await.expect_json(200);
    assert_eq!(of_contact["tasks"][1]["done_by"], json!(mike), "done ones stand last");
    send(&app, &format!("/api/v1/tasks/{}/done", ContactId::new()), json!({}))
        .await
        .expect_problem(404, "task.unknown");
}

#[tokio::test]
async fn four_answers_from_bot_form_and_sdr_complete_bant_once_and_three_do_not() {
    let app = start().await;
    let mike = hire(&app, "mike", Role::Sdr).await;
    let nikki = mql(&app, NIKKI).await;
    decide(&app, nikki, "sdr", "accept", None, Actor::Account(mike)).await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    for (name, value, source) in [("budget", "10k_50k", "chat"), ("need", "A programme", "form")] {
        contacts::set_field(&mut tx, nikki, name, value, source, Trust::Claimed, app.now())
            .await
            .expect("set");
    }
    tx.commit().await.expect("commits");
    let learn = async |answers: Value| {
        send(&app, "/api/v1/answers", json!({"contact": nikki, "answers": answers})).await
    };
    learn(json!({"authority": "decider", "timeline": "no"})).await.expect(204);
    let complete = async || kinds(&app).await.iter().filter(|kind| *kind == "bant.complete").count();
    assert_eq!(complete().await, 0, "a no is an answer, and no yes");
    learn(json!({"timeline": "this_quarter"})).await.expect(204);
    learn(json!({"budget": "over_50k"})).await.expect(204);
    app.run_jobs().await;
    assert_eq!(complete().await, 1);
    assert!(lines(&app, mike).await.iter().any(|line| line.starts_with("All four answers")));
    learn(json!({"shoe_size": "39"})).await.expect_problem(422, "call.not_asked");
    // The sources stand beside the answers.
    let rows =
        app.rows("select name, source from contact_fields where status = 'current' order by name").await;
    let source = |name: &str| {
        let row = rows.iter().find(|row| row.get::<String>("name").expect("a text") == name);
        row.expect("known").get::<String>("source").expect("a text")
    };
    assert_eq!(
        (source("need"), source("timeline"), source("budget")),
        ("form".into(), "api".into(), "api".into())
    );
}

#[tokio::test]
async fn a_telephone_call_is_noted_answers_the_clock_and_fills_in_when_they_want_to_decide() {
    let app = start().await;
    let (mike, yuri) = (hire(&app, "mike", Role::Sdr).await, hire(&app, "yuri", Role::Ae).await);
    let nikki = mql(&app, NIKKI).await;
    decide(&app, nikki, "sdr", "accept", None, Actor::Account(mike)).await;
    app.clock.advance(5 * MINUTE_MS);
    let note = async |more: Value| {
        let mut body = json!({"contact": nikki, "outcome": "reached", "account": mike});
        for (key, value) in more.as_object().expect("members") {
            body[key] = value.clone();
        }
        send(&app, "/api/v1/calls", body).await
    };
    note(json!({"at": app.now().plus_ms(HOUR_MS).as_ms()})).await.expect_problem(422, "call.time_invalid");
    note(json!({"minutes": 6000})).await.expect_problem(422, "call.minutes_invalid");
    let answers =
        json!({"timeline": "this_quarter", "pain": "Nobody finishes the books", "competitors": "Lecturama"});
    let next = json!({"hand_over": {"role": "ae"}});
    let told =
        note(json!({"minutes": 12, "summary": "Two teams in January.", "answers": answers, "next": next}))
            .await
            .expect_json(201);
    assert!(told["next"]["hand_over"].is_string(), "{told}");
    app.run_jobs().await;
    let handover = waiting(&app, nikki).await.expect("the AE is to take her");
    assert_eq!((handover.account, handover.note.as_deref()), (Some(yuri), Some("Two teams in January.")));
    // Rules can ask for it, and it is a response in time.
    app.later(HOUR_MS).await;
    assert!(!lines(&app, mike).await.iter().any(|line| line.starts_with("Nobody has answered")));
    let person = stages::person(&mut app.app.stores.db.read(), &app.app.lifecycle, nikki, app.now()).await;
    let person = person.expect("read");
    assert_eq!(person.facts.bant.get("timeline").map(String::as_str), Some("this_quarter"));
    assert!(person.activities.iter().any(|activity| activity.kind == "call.held"));
    // What hurts and whom they look at is found again by the search.
    for text in ["finishes the", "lecturama"] {
        let sought = Some(embudo::contacts::words::Sought::read(text));
        let search = people::Search { text: sought, ..Default::default() };
        let reads = &mut app.app.stores.db.read();
        let found = people::find(reads, &search, people::Order::Seen, None, 9).await.expect("searched");
        assert_eq!(found.ids.len(), 1, "{text}");
    }
}

#[tokio::test]
async fn meetings_that_were_held_bring_her_open_deals_on() {
    let app = start().await;
    hire(&app, "yuri", Role::Ae).await;
    let nikki = mql(&app, NIKKI).await;
    let found = api(&app).get("/api/v1/companies?q=acme").await.expect_json(200);
    let body = json!({"company": found["companies"][0]["id"], "name": "Reading at Acme"});
    let deal = send(&app, "/api/v1/deals", body).await.expect_json(201);
    let id = deal["deal"]["id"].as_str().expect("an id").to_owned();
    let put = Some(("application/json", json!({"role": "champion"}).to_string().into_bytes()));
    api(&app).send(Method::PUT, &format!("/api/v1/deals/{id}/people/{nikki}"), put).await.expect(200);

    let booking = book(&app, "demo", nikki).await;
    app.clock.advance(booking.starts_at.plus_ms(HOUR_MS).since_ms(app.now()));
    let say = async |outcome: &str| {
        send(
            &app,
            &format!("/api/v1/bookings/{}/findings", booking.id),
            json!({"outcome": outcome, "summary": "Liked it."}),
        )
        .await
        .expect(200);
    };
    let reached = async || {
        let told = api(&app).get(&format!("/api/v1/deals/{id}")).await.expect_json(200);
        let all = told["milestones"].as_array().expect("a list").clone();
        all.iter().map(|one| one["milestone"].as_str().expect("a word").to_owned()).collect::<Vec<_>>()
    };
    say("no_show").await;
    assert_eq!(reached().await, Vec::<String>::new(), "nobody came");
    say("held").await;
    assert_eq!(reached().await, ["demo"]);
    assert!(kinds(&app).await.contains(&"call.findings".to_owned()));
    let come = async |milestone: &str| {
        send(&app, &format!("/api/v1/deals/{id}/milestones"), json!({"milestone": milestone})).await
    };
    come("discovery").await.expect(200);
    come("discovery").await.expect(200);
    assert_eq!(reached().await, ["discovery", "demo"], "in their order, each once");
    come("party").await.expect(400);
    send(&app, &format!("/api/v1/deals/{id}/lost"), json!({"reason": "price"})).await.expect(200);
    come("review").await.expect_problem(409, "deal.closed");
}

#[tokio::test]
async fn a_deal_is_won_while_its_meeting_is_written_down_and_neither_waits_for_ever() {
    let app = start().await;
    hire(&app, "yuri", Role::Ae).await;
    let nikki = mql(&app, NIKKI).await;
    let found = api(&app).get("/api/v1/companies?q=acme").await.expect_json(200);
    let booking = book(&app, "demo", nikki).await;
    app.clock.advance(booking.starts_at.plus_ms(HOUR_MS).since_ms(app.now()));
    let findings = format!("/api/v1/bookings/{}/findings", booking.id);
    let say = async |outcome: &str| send(&app, &findings, json!({"outcome": outcome})).await;
    for round in 0..8 {
        let body = json!({"company": found["companies"][0]["id"], "name": format!("Round {round}")});
        let deal = send(&app, "/api/v1/deals", body).await.expect_json(201);
        let id = deal["deal"]["id"].as_str().expect("an id").to_owned();
        let put = Some(("application/json", json!({"role": "champion"}).to_string().into_bytes()));
        let path = format!("/api/v1/deals/{id}/people/{nikki}");
        api(&app).send(Method::PUT, &path, put).await.expect(200);
        say("no_show").await.expect(200);
        let won = format!("/api/v1/deals/{id}/won");
        let (held, won) = tokio::join!(say("held"), send(&app, &won, json!({})));
        held.expect(200);
        assert_eq!(won.expect_json(200)["deal"]["status"], "won");
    }
}

#[tokio::test]
async fn a_merged_contacts_letters_follow_and_undoing_gives_them_back() {
    let app = start().await;
    let (nikki, home) = (mql(&app, NIKKI).await, mql(&app, "nikki@home.example").await);
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let known = contacts::find(&mut tx, home).await.expect("read").expect("known");
    let topic = app.app.desk.topics.find("newsletter").expect("config/topics.yaml has it");
    embudo::subscriptions::rejoin(&mut tx, &app.app.keys, &known, topic, "page", app.now())
        .await
        .expect("asked");
    tx.commit().await.expect("commits");
    let wants = async |id| {
        embudo::subscriptions::wants(&mut app.app.stores.db.read(), id, "newsletter").await.expect("read")
    };
    assert!(!wants(nikki).await && wants(home).await);
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    stages::merge::merge(&mut tx, &app.app.lifecycle, nikki, home, Actor::Api, app.now())
        .await
        .expect("merged");
    tx.commit().await.expect("commits");
    assert!(wants(nikki).await);
    // Her last word counts, whichever of her addresses it was said for.
    app.clock.advance(1_000);
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let known = contacts::find(&mut tx, nikki).await.expect("read").expect("known");
    embudo::subscriptions::leave(&mut tx, &app.app.keys, &known, "newsletter", "page", app.now())
        .await
        .expect("left");
    assert!(!embudo::subscriptions::wants(&mut tx, nikki, "newsletter").await.expect("read"));
    drop(tx);
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    stages::merge::unmerge(&mut tx, &app.app.lifecycle, home, Actor::Api, app.now()).await.expect("undone");
    tx.commit().await.expect("commits");
    assert!(!wants(nikki).await && wants(home).await);
}

#[tokio::test]
async fn whoever_leaves_is_asked_why_by_a_form_and_letters_to_win_her_back_count_as_attempts() {
    let app = start().await;
    let mike = hire(&app, "mike", Role::Sdr).await;
    let nikki = mql(&app, NIKKI).await;
    decide(&app, nikki, "sdr", "accept", None, Actor::Account(mike)).await;
    app.clock.advance(1_000);
    decide(&app, nikki, "ae", "won", None, Actor::Api).await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let known = contacts::find(&mut tx, nikki).await.expect("read").expect("known");
    let topic = app.app.desk.topics.find("newsletter").expect("config/topics.yaml has it");
    embudo::subscriptions::rejoin(&mut tx, &app.app.keys, &known, topic, "page", app.now())
        .await
        .expect("asked");
    let track = &app.app.lifecycle;
    stages::track::set(&mut tx, track, nikki, "churned", Some("price"), Actor::Api, app.now())
        .await
        .expect("lost");
    tx.commit().await.expect("commits");
    app.run_jobs().await;
    assert_eq!(mails(&app, NIKKI).await.iter().filter(|mail| *mail == "survey").count(), 1);
    let body = app.rows("select text_body from mails where template = 'survey'").await;
    assert!(body[0].get::<String>("text_body").expect("a text").contains("/f/exit-survey"));
    // The answer is a fact, and what she says is kept beside the reason that we noted.
    let shown = app.get("/v1/forms/exit-survey?site=faro&language=es").await.expect_json(200);
    app.clock.advance(5_000);
    let visitor = app.visitor();
    let body = json!({
        "site": "faro", "values": {"email": NIKKI, "left_because": "competitor"}, "visitor": visitor.id,
        "consent": visitor.consent, "page": "https://faro.example/", "language": "es", "nonce": shown["nonce"],
        "agreed": [], "website": "",
    });
    app.client.with("origin", "https://faro.example").post("/v1/forms/exit-survey", &body).await.expect(200);
    let fields = contacts::fields(&mut app.app.stores.db.read(), nikki).await.expect("read");
    assert!(fields.iter().any(|field| field.name == "left_because" && field.value == "competitor"));
    let person = stages::person(&mut app.app.stores.db.read(), &app.app.lifecycle, nikki, app.now()).await;
    let sent = |activity: &&embudo::scoring::Activity| activity.subject.as_deref() == Some("exit-survey");
    assert!(person.expect("read").activities.iter().any(|activity| sent(&activity)));

    let attempts = async || kinds(&app).await.iter().filter(|kind| *kind == "winback.attempt").count();
    assert_eq!(attempts().await, 0);
    for _ in 0..100 {
        app.later(DAY_MS).await;
    }
    assert_eq!(attempts().await, 2, "one for each letter");
    let told = mails(&app, NIKKI).await;
    assert!(
        told.contains(&"faro-lost-news".to_owned()) && told.contains(&"faro-lost-offer".to_owned()),
        "{told:?}"
    );
}
