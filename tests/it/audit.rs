//! Who did what: by which key and whose, through every door of the API that changes something; and who looked at lists.

use std::collections::BTreeSet;

use embudo::accounts::{Area, Role, Scope, Scopes, api_keys};
use embudo::base::ids::{AccountId, ContactId};
use embudo::base::time::{HOUR_MS, MINUTE_MS};
use embudo::base::trust::Trust;
use embudo::contacts;
use embudo::http::api::{DOORS, Door};
use embudo::params;
use embudo::storage::db::{Queries, Sql};
use reqwest::Method;
use serde_json::{Value, json};

use crate::console::{agent, log_in};
use crate::gates::{contact, submit};
use crate::people::{PEOPLE_KEY, with_people};
use crate::support::answer::{Answer, Client};
use crate::support::app::{TestApp, set};

async fn start() -> TestApp {
    TestApp::start_with(|settings| {
        with_people(settings);
        set(settings, "server", "workers", 2);
    })
    .await
}

async fn account(app: &TestApp, email: &str) -> AccountId {
    let rows = app.rows("select id, email from accounts").await;
    let row = rows.iter().find(|row| row.get::<String>("email").expect("a text") == email);
    row.expect("the account").get("id").expect("an id")
}

/// A key that may do everything, of somebody or of nobody; its id and a client that sends it.
async fn key(app: &TestApp, name: &str, of: Option<AccountId>) -> (String, Client) {
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let made = api_keys::make(&mut tx, name, Scopes::of(Scope::all()), None, of, app.now()).await;
    let (key, text) = made.expect("made");
    tx.commit().await.expect("commits");
    (key.id.to_string(), app.client.with("authorization", &format!("Bearer {text}")))
}

/// The door of a path, by its pattern.
fn door(method: &Method, path: &str) -> &'static Door {
    let fits = |door: &&Door| {
        let parts = (door.path.split('/'), path.split('?').next().unwrap_or_default().split('/'));
        door.method.as_str() == method.as_str()
            && door.path.matches('/').count() == path.matches('/').count()
            && parts.0.zip(parts.1).all(|(pattern, part)| pattern == part || pattern.starts_with('{'))
    };
    let found: Vec<&Door> = DOORS.iter().filter(fits).collect();
    // `/suppressions/release` is no suppression of that name: the pattern with fewer holes is meant.
    found
        .into_iter()
        .min_by_key(|door| door.path.matches('{').count())
        .unwrap_or_else(|| panic!("no door {path}"))
}

/// Goes through doors and looks what the audit says of each.
struct Walk<'a> {
    app: &'a TestApp,
    client: Client,
    actor: String,
    opened: BTreeSet<(&'static str, String)>,
}

impl Walk<'_> {
    /// Whoever succeeds leaves one entry that names the key; whoever does not leaves none.
    async fn go(&mut self, method: Method, path: &str, body: Value) -> Answer {
        let before = self.app.rows("select id from audit").await.len();
        let sent = Some(("application/json", body.to_string().into_bytes()));
        let answer = self.client.send(method.clone(), path, sent).await;
        let entries = self.app.rows("select actor, at, id from audit order by at desc, id desc").await;
        let new = entries.len() - before;
        let is_done = (200..300).contains(&answer.status);
        assert_eq!(new, usize::from(is_done), "{method} {path}: {} {}", answer.status, answer.body);
        if is_done {
            let actors: Vec<String> = entries.iter().map(|row| row.get("actor").expect("a text")).collect();
            assert!(actors.contains(&self.actor), "{method} {path}: {actors:?}");
            let door = door(&method, path);
            self.opened.insert((door.path, method.to_string()));
        }
        answer
    }
}

#[tokio::test]
async fn every_door_that_changes_something_leaves_the_name_of_the_key_and_whose_it_is() {
    let app = start().await;
    agent(&app, Role::Admin).await;
    let mike = account(&app, "admin@faro.example").await;
    let (id, client) = key(&app, "Warehouse", Some(mike)).await;
    for email in ["nikki@acme.example", "ana@acme.example", "eva@acme.example"] {
        submit(&app.visitor(), "white-paper", email).await;
    }
    let (nikki, _) = contact(&app, "nikki@acme.example").await;
    let (ana, _) = contact(&app, "ana@acme.example").await;
    let (eva, _) = contact(&app, "eva@acme.example").await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    for (value, trust) in [("Nikki", Trust::Authenticated), ("Nicki", Trust::Claimed)] {
        contacts::set_field(&mut tx, nikki, "first_name", value, "test", trust, app.now())
            .await
            .expect("set");
    }
    tx.commit().await.expect("commits");
    let found = client.get("/api/v1/companies?q=acme").await.expect_json(200);
    let acme = found["companies"][0]["id"].as_str().expect("an id").to_owned();

    let actor = format!("key:{id}");
    let mut walk = Walk { app: &app, client, actor: actor.clone(), opened: BTreeSet::new() };
    let (post, put, patch) = (Method::POST, Method::PUT, Method::PATCH);
    let of = |who: ContactId, what: &str| format!("/api/v1/contacts/{who}/{what}");
    walk.go(post.clone(), &of(nikki, "profiling"), json!({"off": true})).await.expect(204);
    walk.go(post.clone(), &of(nikki, "addresses"), json!({"email": "n@other.example"})).await.expect(204);
    walk.go(post.clone(), &of(nikki, "suggestions/first_name"), json!({"accept": true})).await.expect(204);
    walk.go(post.clone(), &of(nikki, "merge"), json!({"with": ana})).await.expect(200);
    walk.go(post.clone(), &of(ana, "unmerge"), json!({})).await.expect(200);
    walk.go(post.clone(), &of(eva, "erase"), json!({})).await.expect(200);
    let company = format!("/api/v1/companies/{acme}");
    walk.go(patch.clone(), &company, json!({"industry": "education"})).await.expect(200);
    walk.go(patch.clone(), &company, json!({"shoes": "brown"})).await.expect(422);
    let deal = json!({"company": acme, "name": "Circles", "amount": 1_000, "currency": "EUR"});
    let opened = walk.go(post.clone(), "/api/v1/deals", deal).await.expect_json(201);
    let deal = format!("/api/v1/deals/{}", opened["deal"]["id"].as_str().expect("an id"));
    walk.go(put.clone(), &format!("{deal}/people/{nikki}"), json!({"role": "user"})).await.expect(200);
    walk.go(Method::DELETE, &format!("{deal}/people/{nikki}"), json!({})).await.expect(200);
    walk.go(patch, &deal, json!({"amount": 2_000})).await.expect(200);
    walk.go(post.clone(), &format!("{deal}/lost"), json!({"reason": "price"})).await.expect(200);
    walk.go(post.clone(), &format!("{deal}/won"), json!({})).await.expect(409);
    let event = json!({"contact": "nikki@acme.example", "kind": "purchase", "id": "17", "subject": "17",
        "props": {"amount": 9_900}});
    walk.go(post.clone(), "/api/v1/events", event).await.expect(201);
    let task = json!({"contact": nikki, "account": mike, "kind": "mail", "title": "Write to her",
        "due_at": app.now().plus_ms(HOUR_MS).as_ms()});
    let task = walk.go(post.clone(), "/api/v1/tasks", task).await.expect_json(201);
    let task = format!("/api/v1/tasks/{}/done", task["id"].as_str().expect("an id"));
    walk.go(post.clone(), &task, json!({"account": mike})).await.expect(200);
    walk.go(post.clone(), "/api/v1/suppressions", json!({"email": "nikki@acme.example"})).await;
    walk.go(post.clone(), "/api/v1/suppressions/release", json!({"email": "nikki@acme.example"})).await;
    walk.go(post.clone(), "/api/v1/links/revoke", json!({"contact": nikki})).await.expect(204);
    walk.go(post.clone(), "/api/v1/flows/reload", json!({})).await;
    walk.go(post.clone(), "/api/v1/outbox/replay", json!({})).await.expect(200);
    walk.go(post.clone(), "/api/v1/subscriptions/end", json!({"email": "nikki@acme.example"})).await;
    // Doors whose address names nobody say whom it was about.
    for door in ["/tasks", "/tasks/%/done", "/suppressions", "/suppressions/release", "/subscriptions/end"] {
        let like = format!("%POST /api/v1{door}\"%");
        let mut read = app.app.stores.db.read();
        let rows = read.query(Sql("select contact_id from audit where details like $1"), params![like]).await;
        let of: Vec<ContactId> =
            rows.expect("read").iter().map(|row| row.get("contact_id").expect("an id")).collect();
        assert_eq!(of, [nikki], "{door}");
    }
    // All the others are knocked at with nothing that they could do: whatever they say, the audit says the same.
    let changing = || DOORS.iter().filter(|door| door.needs.writes);
    for door in changing() {
        if walk.opened.contains(&(door.path, door.method.to_string())) {
            continue;
        }
        let parts = door.path.split('/').map(|part| match part.starts_with('{') {
            true => ContactId::new().to_string(),
            false => part.to_owned(),
        });
        let path = parts.collect::<Vec<_>>().join("/");
        let method: Method = door.method.as_str().parse().expect("a method");
        walk.go(method, &path, json!({})).await;
    }
    let people = changing().filter(|door| door.needs.area == Area::People);
    let closed: Vec<&str> = people
        .filter(|door| !walk.opened.contains(&(door.path, door.method.to_string())))
        .map(|door| door.path)
        .collect();
    // A contested id needs a host site that has contested it; tests/it/people.rs has one.
    assert_eq!(closed, ["/api/v1/contacts/{contact}/host-ids"]);
    assert!(walk.opened.len() >= 16, "{:?}", walk.opened);

    // What programs tell all the time is told once an hour.
    let told = async |id: &str| {
        let event = json!({"contact": "nikki@acme.example", "kind": "purchase", "id": id, "subject": id});
        let sent = Some(("application/json", event.to_string().into_bytes()));
        walk.client.send(Method::POST, "/api/v1/events", sent).await.expect(201);
        app.rows("select id from audit where details like '%POST /api/v1/events\"%'").await.len()
    };
    assert_eq!(told("18").await, 1);
    app.clock.advance(HOUR_MS + MINUTE_MS);
    assert_eq!(told("19").await, 2);

    // Both kinds of lists say whose key it was, and so does the page.
    let listed = walk.client.get("/api/v1/audit").await.expect_json(200);
    let entries = listed["entries"].as_array().expect("a list");
    let of_key = entries.iter().find(|entry| entry["actor"] == json!(actor)).expect("an entry");
    assert_eq!(
        (&of_key["name"], &of_key["owner"], &of_key["owner_id"]),
        (&json!("Warehouse"), &json!("admin"), &json!(mike))
    );
    let admin = log_in(&app, "admin@faro.example").await;
    let page = admin.sees("/console/audit").await;
    assert!(page.contains("Warehouse") && page.contains("a key of admin"), "{page}");
    let file = admin.get("/console/audit.csv").await.expect(200).body;
    assert!(file.starts_with("at,actor,name,owner,action,"), "{file}");
    assert!(file.contains(&format!("{actor},Warehouse,admin,changed,door,POST {deal}/lost")), "{file}");
    // Her entries hold those of her keys; all programs together have a line of their own.
    for who in [format!("account%3A{mike}"), actor.replace(':', "%3A"), "api".to_owned()] {
        let file = admin.get(&format!("/console/audit.csv?who={who}")).await.expect(200).body;
        assert!(file.contains(&format!("POST {deal}/lost")), "{who}: {file}");
    }
    let nobody = admin.get("/console/audit.csv?who=cli").await.expect(200).body;
    assert_eq!(nobody.lines().count(), 1, "{nobody}");
}

#[tokio::test]
async fn keys_of_nobody_and_of_the_settings_are_told_apart_from_each_other() {
    let app = start().await;
    submit(&app.visitor(), "white-paper", "nikki@acme.example").await;
    let (nikki, _) = contact(&app, "nikki@acme.example").await;
    let (id, nobodys) = key(&app, "Importer", None).await;
    let of_file = app.client.with("authorization", &format!("Bearer {PEOPLE_KEY}"));
    for client in [&nobodys, &of_file] {
        client.get(&format!("/api/v1/contacts/{nikki}")).await.expect(200);
    }
    let listed = of_file.get(&format!("/api/v1/audit?contact={nikki}")).await.expect_json(200);
    let told = |entry: &Value| (entry["actor"].clone(), entry["name"].clone(), entry["owner"].clone());
    let told: Vec<_> = listed["entries"].as_array().expect("a list").iter().map(told).collect();
    assert_eq!(told.len(), 2, "each has looked: {told:?}");
    for wanted in [
        (json!(format!("key:{id}")), json!("Importer"), Value::Null),
        (json!("key:api.people_keys.1"), json!("api.people_keys.1"), Value::Null),
    ] {
        assert!(told.contains(&wanted), "{told:?}");
    }
    let admin = agent(&app, Role::Admin).await;
    assert!(admin.sees("/console/audit").await.contains("a key that is nobody"));
}

#[tokio::test]
async fn the_key_of_whoever_left_opens_nothing_until_the_account_is_open_again() {
    let app = start().await;
    let admin = agent(&app, Role::Admin).await;
    agent(&app, Role::Sdr).await;
    let mike = account(&app, "sdr@faro.example").await;
    let (_, his) = key(&app, "Dialler", Some(mike)).await;
    let (_, nobodys) = key(&app, "Warehouse", None).await;
    his.get("/api/v1/companies").await.expect(200);
    admin.submits(&format!("/console/accounts/{mike}/disable"), &[]).await.expect(303);
    let refused = his.get("/api/v1/companies").await.expect_problem(401, "api.key_closed");
    assert!(refused["detail"].as_str().expect("a text").contains("account that is closed"), "{refused}");
    his.post("/api/v1/flows/reload", &json!({})).await.expect_problem(401, "api.key_closed");
    nobodys.get("/api/v1/companies").await.expect(200);
    let page = admin.sees("/console/keys").await;
    assert!(page.contains("Account closed") && page.matches(">Works<").count() == 1, "{page}");
    admin.submits(&format!("/console/accounts/{mike}/enable"), &[]).await.expect(303);
    his.get("/api/v1/companies").await.expect(200);
}

#[tokio::test]
async fn whoever_looks_at_a_list_with_people_is_written_down_once_an_hour_however_many_pages_she_turns() {
    let app = start().await;
    let admin = agent(&app, Role::Admin).await;
    let lists = async || {
        let rows = app.rows("select details from audit where action = 'saw' and contact_id is null").await;
        let of = |row: &embudo::storage::db::Row| -> Option<String> {
            let details: Value = row.json("details").expect("a document");
            details["list"].as_str().map(str::to_owned)
        };
        let mut lists: Vec<String> = rows.iter().filter_map(of).collect();
        lists.sort_unstable();
        lists
    };
    let look = async |who: &crate::console::Agent| {
        for path in ["contacts", "contacts?sort=name", "pipeline", "outbox", "live", "bookings", "contacts"] {
            who.sees(&format!("/console/{path}")).await;
        }
    };
    look(&admin).await;
    assert_eq!(lists().await, Vec::<String>::new(), "nobody stands there yet");
    let nikki = app.visitor();
    nikki.visit("/").await;
    submit(&nikki, "white-paper", "nikki@acme.example").await;
    app.run_jobs().await;
    look(&admin).await;
    let seen = lists().await;
    for list in ["contacts", "outbox", "pipeline"] {
        assert_eq!(seen.iter().filter(|known| *known == list).count(), 1, "{seen:?}");
    }
    look(&admin).await;
    assert_eq!(lists().await, seen, "looking again is the same look");
    let marketing = agent(&app, Role::Marketing).await;
    marketing.sees("/console/contacts").await;
    let of_contacts = async || lists().await.iter().filter(|known| *known == "contacts").count();
    assert_eq!(of_contacts().await, 2, "each for herself");
    app.clock.advance(HOUR_MS + MINUTE_MS);
    let admin = log_in(&app, "admin@faro.example").await;
    admin.sees("/console/contacts").await;
    assert_eq!(of_contacts().await, 3, "a new hour is a new look");
    // The company's page lists its people, too, and the page tells lists by the names of the console's parts.
    let found = app.rows("select id from companies").await;
    let acme: String = found[0].get("id").expect("an id");
    admin.sees(&format!("/console/companies/{acme}")).await;
    assert!(lists().await.contains(&"company:acme.example".to_owned()));
    let page = admin.sees("/console/audit").await;
    assert!(page.contains("the list: contacts") && page.contains("the list: mails"), "{page}");
    // So do the first page and the pages of what people ask for, with their last names and addresses.
    for path in ["", "/content/forms/white-paper"] {
        admin.sees(&format!("/console{path}")).await;
    }
    let seen = lists().await;
    for list in ["today", "form:white-paper"] {
        assert!(seen.iter().any(|known| known == list), "{list} is none of {seen:?}");
    }
}
