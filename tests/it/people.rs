//! Who is who, past what a device shows: codes, tokens of the host site, several addresses, merges that a person makes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use embudo::base::ids::{ContactId, VisitorId};
use embudo::base::time::{DAY_MS, MINUTE_MS, Timestamp};
use embudo::contacts::{self, Trust, codes};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use toml::{Table, Value as Toml};

use crate::gates::{app_with_files, contact, filled, submit, with_fixtures};
use crate::support::answer::{Answer, Client};
use crate::support::app::{SITE, TestApp, set};
use crate::support::visitor::Visitor;

/// Another name of the same site.
const APP: &str = "https://app.faro.example";
const SECRET: &str = "the bookshop's own secret of forty chars.";
pub const PEOPLE_KEY: &str = "a key for people of more than 24 characters";
const OTHER_KEY: &str = "a key for other things, also long enough";

/// Settings with a site that vouches for its users, and keys with and without the scope of people.
pub fn with_people(settings: &mut Table) {
    with_fixtures(settings);
    let sites = settings["site"].as_array_mut().expect("the sites");
    let first = sites[0].as_table_mut().expect("a site");
    first.insert("identity_secret".to_owned(), SECRET.into());
    first["origins"].as_array_mut().expect("its origins").push(APP.into());
    let mut second = Table::new();
    second.insert("key".to_owned(), "other".into());
    second.insert("name".to_owned(), "Another".into());
    second.insert("origins".to_owned(), Toml::Array(vec!["https://other.example".into()]));
    second.insert("identity_secret".to_owned(), "another site's secret of forty characters".into());
    sites.push(Toml::Table(second));
    set(settings, "api", "keys", vec![OTHER_KEY]);
    set(settings, "api", "people_keys", vec![PEOPLE_KEY]);
    set(settings, "forms", "burst", 200);
}

pub async fn app() -> TestApp {
    TestApp::start_with(with_people).await
}

/// A program that looks after people.
pub fn program(app: &TestApp) -> Client {
    app.client.with("authorization", &format!("Bearer {PEOPLE_KEY}"))
}

pub async fn holder(app: &TestApp, visitor: &str) -> Option<(ContactId, Trust)> {
    let visitor = VisitorId::parse(visitor).expect("an id");
    let found = contacts::holder(&mut app.app.stores.db.read(), visitor).await.expect("read");
    found.map(|(contact, trust)| (contact.id, trust))
}

async fn visits_of(app: &TestApp, contact: ContactId) -> usize {
    let visits = contacts::visits(&mut app.app.stores.db.read(), contact, Timestamp(i64::MAX), 100).await;
    visits.expect("read").len()
}

fn token_with(app: &TestApp, host_id: &str, email: &str, aud: &str, life_s: i64, secret: &str) -> String {
    let now = app.now().as_ms() / 1000;
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let head = part(json!({"alg": "HS256", "typ": "JWT"}));
    let claims = part(json!({"sub": host_id, "email": email, "aud": aud, "iat": now, "exp": now + life_s}));
    let text = format!("{head}.{claims}");
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
    mac.update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn token(app: &TestApp, host_id: &str, email: &str) -> String {
    token_with(app, host_id, email, "faro", 600, SECRET)
}

async fn say(visitor: &Visitor<'_>, door: &str, more: Value) -> Answer {
    let mut body = json!({
        "site": "faro", "visitor": visitor.id, "consent": visitor.consent,
        "language": visitor.language, "zone": visitor.zone,
    });
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    visitor.app.client.with("origin", SITE).post(door, &body).await
}

async fn vouch(visitor: &mut Visitor<'_>, host_id: &str, email: &str) -> Value {
    let token = token(visitor.app, host_id, email);
    let answer = say(visitor, "/v1/identify", json!({ "to": token })).await.expect_json(200);
    visitor.id = answer["visitor"].as_str().expect("an id").to_owned();
    answer
}

/// The digits in the mail that was sent last.
async fn mailed_digits(app: &TestApp) -> String {
    app.run_jobs().await;
    let rows = app.rows("select id from identity_codes order by asked_at desc, id desc").await;
    let id: String = rows[0].get("id").expect("an id");
    let digits = codes::digits(&app.app.keys, &id);
    let mails = app.rows("select subject, text_body from mails where template = 'confirm_code' order by sent_at desc, id desc").await;
    let spaced = format!("{} {}", &digits[..3], &digits[3..]);
    assert!(mails[0].get::<String>("text_body").expect("a text").contains(&spaced), "the mail tells them");
    digits
}

// ---- codes ----------------------------------------------------------------------------------------

#[tokio::test]
async fn the_code_from_her_mailbox_confirms_her() {
    let app = app().await;
    let nikki = app.visitor();
    let asked =
        say(&nikki, "/v1/identify/code", json!({"email": "nikki@acme.example"})).await.expect_json(202);
    assert_eq!((asked["visitor"].as_str(), asked["digits"].as_i64()), (Some(nikki.id.as_str()), Some(6)));
    let (id, _) = contact(&app, "nikki@acme.example").await;
    assert_eq!(holder(&app, &nikki.id).await, Some((id, Trust::Claimed)), "asking proves nothing");
    let digits = mailed_digits(&app).await;
    assert!(!asked.to_string().contains(&digits));
    let stored = app.rows("select * from identity_codes").await;
    assert!(!format!("{stored:?}").contains(&digits), "the digits stand nowhere");
    let spaced = format!(" {}-{} ", &digits[..3], &digits[3..]);
    let done = say(&nikki, "/v1/identify/confirm", json!({ "code": spaced })).await.expect_json(200);
    assert_eq!(done["trust"], "confirmed");
    assert_eq!(holder(&app, &nikki.id).await, Some((id, Trust::Confirmed)));
    say(&nikki, "/v1/identify/confirm", json!({ "code": digits }))
        .await
        .expect_problem(410, "identity.code_over");
}

#[tokio::test]
async fn a_code_works_only_on_the_device_that_asked_and_for_ten_minutes() {
    let app = app().await;
    let (nikki, thief) = (app.visitor(), app.visitor());
    say(&nikki, "/v1/identify/code", json!({"email": "nikki@acme.example"})).await.expect(202);
    let digits = mailed_digits(&app).await;
    say(&thief, "/v1/identify", json!({"to": {"email": "nikki@acme.example"}})).await.expect(200);
    say(&thief, "/v1/identify/confirm", json!({ "code": digits }))
        .await
        .expect_problem(410, "identity.code_over");
    app.clock.advance(10 * MINUTE_MS);
    say(&nikki, "/v1/identify/confirm", json!({ "code": digits }))
        .await
        .expect_problem(410, "identity.code_over");
    let (_, trust) = holder(&app, &nikki.id).await.expect("hers");
    assert_eq!(trust, Trust::Claimed);
}

#[tokio::test]
async fn after_five_wrong_tries_the_right_digits_are_worth_nothing() {
    let app = app().await;
    let nikki = app.visitor();
    say(&nikki, "/v1/identify/code", json!({"email": "nikki@acme.example"})).await.expect(202);
    let digits = mailed_digits(&app).await;
    let wrong = if digits == "000000" { "000001" } else { "000000" };
    for left in (1..5).rev() {
        let problem = say(&nikki, "/v1/identify/confirm", json!({ "code": wrong }))
            .await
            .expect_problem(422, "identity.code_wrong");
        assert_eq!(problem["tries_left"], left);
    }
    say(&nikki, "/v1/identify/confirm", json!({ "code": wrong }))
        .await
        .expect_problem(429, "identity.code_spent");
    say(&nikki, "/v1/identify/confirm", json!({ "code": digits }))
        .await
        .expect_problem(429, "identity.code_spent");
}

#[tokio::test]
async fn nobodys_mailbox_is_flooded_with_codes() {
    let app = app().await;
    let ask = async |visitor: &Visitor<'_>| {
        say(visitor, "/v1/identify/code", json!({"email": "nikki@acme.example"})).await
    };
    ask(&app.visitor()).await.expect(202);
    let problem = ask(&app.visitor()).await.expect_problem(429, "limit.too_many");
    assert!(problem["retry_after_ms"].as_i64().is_some_and(|ms| ms <= MINUTE_MS), "{problem}");
    for _ in 0..4 {
        app.clock.advance(MINUTE_MS);
        ask(&app.visitor()).await.expect(202);
    }
    app.clock.advance(10 * MINUTE_MS);
    ask(&app.visitor()).await.expect_problem(429, "limit.too_many");
    app.clock.advance(DAY_MS);
    ask(&app.visitor()).await.expect(202);
}

#[tokio::test]
async fn a_code_that_was_mailed_is_not_kept_with_the_mail() {
    let app = TestApp::start_with_mail().await;
    let nikki = app.visitor();
    say(&nikki, "/v1/identify/code", json!({"email": "nikki@acme.example"})).await.expect(202);
    app.run_jobs().await;
    let rows = app.rows("select id from identity_codes").await;
    let digits = codes::digits(&app.app.keys, &rows[0].get::<String>("id").expect("an id"));
    let spaced = format!("{} {}", &digits[..3], &digits[3..]);
    let kept = app.rows("select subject, text_body, html_body from mails").await;
    assert_eq!(kept.len(), 1);
    for column in ["subject", "text_body", "html_body"] {
        let text: String = kept[0].get(column).expect("a text");
        assert!(!text.contains(&spaced) && text.contains("••• •••"), "{column}: {text}");
    }
}

// ---- the host site --------------------------------------------------------------------------------

#[tokio::test]
async fn a_claim_of_the_page_is_a_claim_and_the_hosts_token_is_proof() {
    let app = app().await;
    let mut nikki = app.visitor();
    let claimed =
        say(&nikki, "/v1/identify", json!({"to": {"email": "nikki@acme.example"}})).await.expect_json(200);
    assert_eq!(claimed["trust"], "claimed");
    let (id, stage) = contact(&app, "nikki@acme.example").await;
    assert_eq!(stage, "lead");
    assert_eq!(vouch(&mut nikki, "7", "nikki@acme.example").await["trust"], "authenticated");
    assert_eq!(holder(&app, &nikki.id).await, Some((id, Trust::Authenticated)));
    let again =
        say(&nikki, "/v1/identify", json!({"to": {"email": "nikki@acme.example"}})).await.expect_json(200);
    assert_eq!(again["trust"], "authenticated", "claiming what is proved lowers nothing");
}

#[tokio::test]
async fn forged_expired_and_foreign_tokens_are_refused_and_change_nothing() {
    let app = app().await;
    let nikki = app.visitor();
    let before = app.census().await;
    let foreign_secret = "another site's secret of forty characters";
    let email = "nikki@acme.example";
    let cases = [
        (token_with(&app, "7", email, "faro", 600, foreign_secret), 401, "identity.token_forged"),
        (token_with(&app, "7", email, "other", 600, SECRET), 401, "identity.token_foreign"),
        (token_with(&app, "7", email, "faro", 3601, SECRET), 422, "identity.token_invalid"),
        (token_with(&app, "", email, "faro", 600, SECRET), 422, "identity.token_invalid"),
        (token_with(&app, "7", "nobody", "faro", 600, SECRET), 422, "identity.token_invalid"),
        ("a.b.c".to_owned(), 401, "identity.token_forged"),
        (String::new(), 401, "identity.token_forged"),
    ];
    for (token, status, code) in cases {
        say(&nikki, "/v1/identify", json!({ "to": token })).await.expect_problem(status, code);
    }
    let old = token(&app, "7", email);
    app.clock.advance(600_000);
    say(&nikki, "/v1/identify", json!({ "to": old })).await.expect_problem(401, "identity.token_expired");
    assert_eq!(app.census().await, before);
    assert_eq!(holder(&app, &nikki.id).await, None);
}

/// Opens the chat as a page of one of the site's names does.
async fn opens(visitor: &Visitor<'_>, origin: &str) -> Answer {
    let coming = json!({
        "site": "faro", "visitor": visitor.id, "consent": visitor.consent, "language": visitor.language,
        "zone": visitor.zone, "page": {"url": format!("{origin}/"), "title": ""},
    });
    visitor.app.client.with("origin", origin).post("/v1/chat", &coming).await
}

#[tokio::test]
async fn who_is_known_on_another_name_of_the_site_goes_on_with_her_conversation_there_and_nobody_else_does() {
    let app = app().await;
    // A browser has a visitor of its own for each name of the site.
    let (mut www, mut there) = (app.visitor(), app.visitor());
    vouch(&mut www, "7", "nikki@acme.example").await;
    let talk = opens(&www, SITE).await.expect_json(201);
    vouch(&mut there, "7", "nikki@acme.example").await;
    let same = opens(&there, APP).await.expect_json(200);
    assert_eq!(same["conversation"], talk["conversation"]);
    let guest = app.client.with("origin", APP);
    let guest = guest.with("authorization", &format!("Bearer {}", same["token"].as_str().expect("a token")));
    let door = format!("/v1/chat/{}/events?after=0", talk["conversation"].as_str().expect("an id"));
    let log = guest.get(&door).await.expect_json(200);
    assert_eq!(log["head"], talk["head"], "she reads what was said");

    // A claim opens nothing, nor does an anonymous visitor of the same browser.
    let claims = app.visitor();
    say(&claims, "/v1/identify", json!({"to": {"email": "nikki@acme.example"}})).await.expect_json(200);
    for stranger in [&claims, &app.visitor()] {
        let other = opens(stranger, APP).await.expect_json(201);
        assert_ne!(other["conversation"], talk["conversation"]);
    }
    // Who only claimed to be her has talked in her name: that is not hers to see.
    let (mut phone, mut third) = (app.visitor(), app.visitor());
    vouch(&mut phone, "8", "pam@acme.example").await;
    let claims = app.visitor();
    say(&claims, "/v1/identify", json!({"to": {"email": "pam@acme.example"}})).await.expect_json(200);
    let claimed = opens(&claims, SITE).await.expect_json(201);
    vouch(&mut third, "8", "pam@acme.example").await;
    let own = opens(&third, APP).await.expect_json(201);
    assert_ne!(own["conversation"], claimed["conversation"]);
    assert_eq!(opens(&phone, APP).await.expect_json(200)["conversation"], own["conversation"]);
}

#[tokio::test]
async fn who_agreed_to_nothing_is_not_identified() {
    let app = app().await;
    let mut nikki = app.visitor();
    nikki.consent = "none";
    let before = app.census().await;
    for door in ["/v1/identify", "/v1/identify/code", "/v1/identify/confirm"] {
        let sent =
            json!({"email": "nikki@acme.example", "code": "000000", "to": {"email": "nikki@acme.example"}});
        say(&nikki, door, sent).await.expect_problem(422, "identity.consent_needed");
    }
    assert_eq!(app.census().await, before);
    let body =
        json!({"site": "faro", "visitor": nikki.id, "consent": "analytics", "to": {"email": "a@b.example"}});
    let stranger = app.client.with("origin", "https://elsewhere.example");
    stranger.post("/v1/identify", &body).await.expect_problem(403, "site.foreign_origin");
}

#[tokio::test]
async fn two_colleagues_on_one_browser_stay_two_whoever_logs_in() {
    let app = app().await;
    let mut browser = app.visitor();
    browser.visit("/").await;
    app.run_jobs().await;
    vouch(&mut browser, "pam", "pam@acme.example").await;
    let pams = browser.id.clone();
    vouch(&mut browser, "dwight", "dwight@acme.example").await;
    let dwights = browser.id.clone();
    assert_ne!(pams, dwights, "another person, another epoch");
    let ((pam, _), (dwight, _)) =
        (contact(&app, "pam@acme.example").await, contact(&app, "dwight@acme.example").await);
    assert_eq!(holder(&app, &pams).await, Some((pam, Trust::Authenticated)));
    assert_eq!(holder(&app, &dwights).await, Some((dwight, Trust::Authenticated)));
    assert_eq!((visits_of(&app, pam).await, visits_of(&app, dwight).await), (1, 0));
    // A third one only claims, on Dwight's device: nothing of his is hers.
    let angela =
        say(&browser, "/v1/identify", json!({"to": {"email": "angela@acme.example"}})).await.expect_json(200);
    assert_eq!(angela["trust"], "claimed");
    assert_ne!(angela["visitor"], dwights);
    assert_eq!(app.count("contacts").await, 3);
}

#[tokio::test]
async fn same_email_and_two_host_ids_are_two_until_a_person_says_otherwise() {
    let app = app().await;
    let mut first = app.visitor();
    vouch(&mut first, "u1", "office@acme.example").await;
    let (id, _) = contact(&app, "office@acme.example").await;

    // Another user of the site with the same address, on the same browser: nothing of the first is shown to her.
    let second = token(&app, "u2", "office@acme.example");
    let problem =
        say(&first, "/v1/identify", json!({ "to": second })).await.expect_problem(409, "identity.contested");
    let epoch = problem["visitor"].as_str().expect("a new epoch").to_owned();
    assert_ne!(epoch, first.id);
    assert_eq!(holder(&app, &epoch).await, None);
    assert_eq!(
        holder(&app, &first.id).await,
        Some((id, Trust::Authenticated)),
        "the first stays who she was"
    );
    say(&app.visitor(), "/v1/identify", json!({ "to": second })).await.expect(409);

    // A person says that both are hers.
    let program = program(&app);
    let shown = program.get(&format!("/api/v1/contacts/{id}")).await.expect_json(200);
    let contested = shown["host_ids"].as_array().expect("a list").iter().find(|one| one["host_id"] == "u2");
    assert_eq!(contested.expect("is told")["is_contested"], true, "{shown}");
    let path = format!("/api/v1/contacts/{id}/host-ids");
    program.post(&path, &json!({"site": "faro", "host_id": "u2"})).await.expect(204);
    program.post(&path, &json!({"site": "faro", "host_id": "u2"})).await.expect(404);
    let mut other = app.visitor();
    vouch(&mut other, "u2", "office@acme.example").await;
    assert_eq!(holder(&app, &other.id).await, Some((id, Trust::Authenticated)));
}

#[tokio::test]
async fn a_user_whose_address_changes_at_the_host_stays_the_same_person() {
    let app = app().await;
    let mut nikki = app.visitor();
    vouch(&mut nikki, "7", "nikki@acme.example").await;
    let (id, _) = contact(&app, "nikki@acme.example").await;
    vouch(&mut nikki, "7", "nikki.grant@acme.example").await;
    assert_eq!(app.count("contacts").await, 1);
    // Whoever types the new address in a form is her, too: as a claim.
    let stranger = app.visitor();
    submit(&stranger, "white-paper", "nikki.grant@acme.example").await;
    assert_eq!(holder(&app, &stranger.id).await, Some((id, Trust::Claimed)));
    assert_eq!(app.count("contacts").await, 1);
    // An address that is somebody else's is not taken over.
    submit(&app.visitor(), "white-paper", "boss@acme.example").await;
    vouch(&mut nikki, "7", "boss@acme.example").await;
    let (boss, _) = contact(&app, "boss@acme.example").await;
    assert_ne!(boss, id);
    assert_eq!(holder(&app, &nikki.id).await, Some((id, Trust::Authenticated)));
}

#[tokio::test]
async fn identify_keeps_the_anonymous_past_that_she_consented_to() {
    let app = app().await;
    let mut nikki = app.visitor();
    nikki.visit("/").await;
    nikki.visit("/precios").await;
    let id = nikki.id.clone();
    nikki.consent = "none";
    nikki.visit("/secreto").await;
    nikki.consent = "analytics";
    app.run_jobs().await;
    vouch(&mut nikki, "7", "nikki@acme.example").await;
    assert_eq!(nikki.id, id, "the epoch goes on");
    let (contact, _) = contact(&app, "nikki@acme.example").await;
    let mut q = app.app.stores.db.read();
    let did = embudo::scoring::store::activities(&mut q, contact, Timestamp(0)).await.expect("read");
    let pages: Vec<&str> =
        did.iter().filter(|it| it.kind == "page").filter_map(|it| it.subject.as_deref()).collect();
    assert_eq!(pages, ["/", "/precios"], "and not what she read without consent");
}

#[tokio::test]
async fn after_a_reset_the_browser_is_nobodys() {
    let app = app().await;
    let mut browser = app.visitor();
    vouch(&mut browser, "7", "nikki@acme.example").await;
    let (id, _) = contact(&app, "nikki@acme.example").await;
    // What `embudo('reset')` does: the browser forgets its id and draws another.
    let fresh = app.visitor();
    fresh.visit("/precios").await;
    app.run_jobs().await;
    assert_eq!(holder(&app, &fresh.id).await, None);
    assert_eq!(visits_of(&app, id).await, 0);
    say(&fresh, "/v1/identify/confirm", json!({"code": "000000"}))
        .await
        .expect_problem(410, "identity.code_over");
}

#[tokio::test]
async fn typing_someone_elses_address_shows_nothing_of_hers() {
    let app = app().await;
    let mut nikki = app.visitor();
    vouch(&mut nikki, "7", "nikki@acme.example").await;
    let (id, _) = contact(&app, "nikki@acme.example").await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    contacts::set_field(&mut tx, id, "first_name", "Nikki", "chat", Trust::Confirmed, app.now())
        .await
        .expect("set");
    tx.commit().await.expect("commits");
    let known = async |visitor: &Visitor<'_>, email: &str| {
        let claimed = say(visitor, "/v1/identify", json!({"to": {"email": email}})).await.expect(200);
        let asked = say(visitor, "/v1/identify/code", json!({ "email": email })).await.expect(202);
        (claimed.body, asked.body)
    };
    let (stranger, other) = (app.visitor(), app.visitor());
    let hers = known(&stranger, "nikki@acme.example").await;
    let nobodys = known(&other, "nobody@acme.example").await;
    // The same words for an address that is known and one that is not.
    let without = |text: &str, visitor: &Visitor<'_>| text.replace(&visitor.id, "ID");
    assert_eq!(without(&hers.0, &stranger), without(&nobodys.0, &other));
    assert_eq!(without(&hers.1, &stranger), without(&nobodys.1, &other));
    assert!(!format!("{hers:?}").contains("Nikki"));
    assert_eq!(holder(&app, &stranger.id).await, Some((id, Trust::Claimed)));
    // The code's mail, which a stranger had sent, does not tell her name or her language either.
    app.run_jobs().await;
    let mails = app.rows("select text_body from mails where template = 'confirm_code'").await;
    assert!(mails.iter().all(|mail| !mail.get::<String>("text_body").expect("a text").contains("Nikki")));
}

#[tokio::test]
async fn one_address_of_the_network_never_makes_two_devices_one() {
    let app = app().await;
    // Every request of the tests comes from the same IP address, with the same browser.
    let (nikki, dwight) = (app.visitor(), app.visitor());
    nikki.visit("/").await;
    dwight.visit("/").await;
    app.run_jobs().await;
    say(&nikki, "/v1/identify", json!({"to": {"email": "nikki@acme.example"}})).await.expect(200);
    assert_eq!(holder(&app, &dwight.id).await, None);
    say(&dwight, "/v1/identify", json!({"to": {"email": "dwight@acme.example"}})).await.expect(200);
    assert_eq!(app.count("contacts").await, 2);
}

// ---- facts ----------------------------------------------------------------------------------------

#[tokio::test]
async fn a_weaker_value_waits_until_a_person_takes_it_or_throws_it_away() {
    let app = app().await;
    submit(&app.visitor(), "white-paper", "nikki@acme.example").await;
    let (id, _) = contact(&app, "nikki@acme.example").await;
    let tell = async |name: &str, value: &str, trust: Trust| {
        let mut tx = app.app.stores.db.begin().await.expect("begins");
        contacts::set_field(&mut tx, id, name, value, "form", trust, app.now()).await.expect("set");
        tx.commit().await.expect("commits");
    };
    tell("first_name", "Nikki", Trust::Confirmed).await;
    tell("first_name", "Eve", Trust::Claimed).await;
    tell("phone", "1", Trust::Confirmed).await;
    tell("phone", "2", Trust::Claimed).await;
    let program = program(&app);
    let path = format!("/api/v1/contacts/{id}");
    let fields = async || program.get(&path).await.expect_json(200)["fields"].clone();
    let value = |fields: &Value, name: &str, waits: bool| {
        let all = fields.as_array().expect("a list");
        let found = all.iter().find(|it| it["name"] == name && it["is_suggestion"] == waits);
        found.map(|it| format!("{} {} {}", it["value"], it["source"], it["trust"]))
    };
    let now = fields().await;
    assert_eq!(value(&now, "first_name", false).as_deref(), Some(r#""Nikki" "form" "confirmed""#));
    assert_eq!(value(&now, "first_name", true).as_deref(), Some(r#""Eve" "form" "claimed""#));

    program.post(&format!("{path}/suggestions/first_name"), &json!({"accept": false})).await.expect(204);
    program.post(&format!("{path}/suggestions/phone"), &json!({"accept": true})).await.expect(204);
    let now = fields().await;
    assert_eq!(value(&now, "first_name", true), None);
    assert_eq!(value(&now, "first_name", false).as_deref(), Some(r#""Nikki" "form" "confirmed""#));
    assert_eq!(value(&now, "phone", false).as_deref(), Some(r#""2" "console" "confirmed""#));
    program
        .post(&format!("{path}/suggestions/phone"), &json!({"accept": true}))
        .await
        .expect_problem(404, "contact.nothing_suggested");
}

#[tokio::test]
async fn addresses_and_names_that_look_alike_are_shown_and_never_acted_on() {
    let app = app().await;
    for email in
        ["nikki.grant@acme.example", "nikkigrant+news@acme.example", "ng@acme.example", "dwight@acme.example"]
    {
        submit(&app.visitor(), "white-paper", email).await;
    }
    let (id, _) = contact(&app, "nikki.grant@acme.example").await;
    let (other, _) = contact(&app, "ng@acme.example").await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    for (contact, first) in [(id, "Nikki"), (other, "NIKKI")] {
        for (name, value) in [("first_name", first), ("last_name", "Grant")] {
            contacts::set_field(&mut tx, contact, name, value, "chat", Trust::Confirmed, app.now())
                .await
                .expect("set");
        }
    }
    tx.commit().await.expect("commits");
    let shown = program(&app).get(&format!("/api/v1/contacts/{id}")).await.expect_json(200);
    let hints: Vec<(&str, &str)> = shown["duplicates"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|hint| (hint["contact"]["email"].as_str().expect("text"), hint["why"].as_str().expect("text")))
        .collect();
    assert_eq!(hints, [("nikkigrant+news@acme.example", "address"), ("ng@acme.example", "name")]);
    assert_eq!(app.count("contacts").await, 4);
    assert_eq!(app.count("contact_merges").await, 0);
}

#[tokio::test]
async fn a_further_address_leads_to_her_and_another_contacts_does_not() {
    let app = app().await;
    submit(&app.visitor(), "white-paper", "nikki@acme.example").await;
    submit(&app.visitor(), "white-paper", "dwight@acme.example").await;
    let (id, _) = contact(&app, "nikki@acme.example").await;
    let (program, path) = (program(&app), format!("/api/v1/contacts/{id}/addresses"));
    program.post(&path, &json!({"email": "nikki@home.example"})).await.expect(204);
    program.post(&path, &json!({"email": "nobody"})).await.expect_problem(422, "identity.email_invalid");
    let taken = json!({"email": "dwight@acme.example"});
    program.post(&path, &taken).await.expect_problem(409, "contact.address_taken");
    let phone = app.visitor();
    submit(&phone, "white-paper", "NIKKI@home.example").await;
    assert_eq!(holder(&app, &phone.id).await, Some((id, Trust::Claimed)));
    assert_eq!(app.count("contacts").await, 2);
}

/// A person says that two contacts are one.
pub async fn merge(app: &TestApp, survivor: ContactId, merged: ContactId) {
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let by = embudo::stages::Actor::Api;
    embudo::stages::merge::merge(&mut tx, &app.app.lifecycle, survivor, merged, by, app.now())
        .await
        .expect("merged");
    tx.commit().await.expect("commits");
}

/// A person says that they are two after all.
pub async fn unmerge(app: &TestApp, merged: ContactId) {
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let by = embudo::stages::Actor::Api;
    embudo::stages::merge::unmerge(&mut tx, &app.app.lifecycle, merged, by, app.now()).await.expect("undone");
    tx.commit().await.expect("commits");
}

// ---- merges ---------------------------------------------------------------------------------------

/// Nikki at work (with a name, and a visit) and Nikki at home (another name, a phone, a webinar: an MQL).
struct Twice {
    work: ContactId,
    home: ContactId,
    laptop: String,
    phone: String,
}

async fn twice(app: &TestApp) -> Twice {
    let (laptop, phone) = (app.visitor(), app.visitor());
    laptop.visit("/").await;
    phone.visit("/precios").await;
    app.run_jobs().await;
    submit(&laptop, "white-paper", "nikki@acme.example").await;
    submit(&phone, "white-paper", "nikki@home.example").await;
    let (work, _) = contact(app, "nikki@acme.example").await;
    let (home, _) = contact(app, "nikki@home.example").await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    for (id, name, value, trust) in [
        (work, "first_name", "Nikki", Trust::Confirmed),
        (home, "first_name", "Nicole", Trust::Claimed),
        (home, "phone", "600", Trust::Claimed),
        (work, "role", "Buyer", Trust::Claimed),
        (home, "role", "VP", Trust::Confirmed),
    ] {
        contacts::set_field(&mut tx, id, name, value, "chat", trust, app.now()).await.expect("set");
    }
    let props = json!({});
    contacts::record(&mut tx, Some(home), None, "webinar.registered", Some("w"), props, app.now())
        .await
        .expect("recorded");
    embudo::stages::evaluate(&mut tx, &app.app.lifecycle, home, app.now()).await.expect("moved");
    tx.commit().await.expect("commits");
    Twice { work, home, laptop: laptop.id, phone: phone.id }
}

/// All that the tables say of both, but for what a merge is allowed to leave behind.
async fn state(app: &TestApp) -> Vec<String> {
    let mut all = Vec::new();
    for text in [
        "select id, email, first_name, company_id, owner_id, stage, merged_into from contacts order by id",
        "select contact_id, name, status, value, source, trust, at from contact_fields order by contact_id, name, status",
        "select id, contact_id, trust from visitors order by id",
        "select id, contact_id, kind, at from activities order by id",
        "select contact_id, stage from stage_intervals where left_at is null order by contact_id",
    ] {
        all.extend(app.rows(text).await.iter().map(|row| format!("{row:?}")));
    }
    all
}

#[tokio::test]
async fn a_merge_is_previewed_made_by_a_person_and_undone_without_a_trace() {
    let app = app().await;
    let Twice { work, home, laptop, phone } = twice(&app).await;
    let before = state(&app).await;
    let program = program(&app);
    let path = format!("/api/v1/contacts/{work}/merge");

    let preview = program.get(&format!("{path}?with={home}")).await.expect_json(200);
    let outcome = |name: &str| {
        let fields = preview["fields"].as_array().expect("a list");
        fields.iter().find(|side| side["name"] == name).expect("is told")["outcome"].clone()
    };
    assert_eq!([outcome("first_name"), outcome("phone"), outcome("role")], ["suggest", "take", "take"]);
    assert_eq!(state(&app).await, before, "a preview changes nothing");

    program.post(&path, &json!({ "with": home })).await.expect(200);
    let email = embudo::base::email::Email::parse("nikki@home.example").expect("an address");
    let mut q = app.app.stores.db.read();
    let found = contacts::find_by_email(&mut q, &email).await.expect("read").expect("found");
    assert_eq!(
        (found.id, found.stage.as_str()),
        (work, "mql"),
        "both addresses lead to her, at the further stage"
    );
    assert_eq!(found.first_name.as_deref(), Some("Nikki"), "what is better trusted stays");
    assert_eq!(visits_of(&app, work).await, 2, "the visits of both");
    assert_eq!(holder(&app, &phone).await.map(|(id, _)| id), Some(work), "both devices are hers");
    let ids: Vec<String> = app
        .rows("select contact_id from activities where kind = 'webinar.registered'")
        .await
        .iter()
        .map(|row| row.get("contact_id").expect("an id"))
        .collect();
    assert_eq!(ids, [home.to_string()], "what happened keeps the id under which it happened");
    let list = app.rows("select id from contacts where merged_into is null").await;
    assert_eq!(list.len(), 1);
    program.post(&path, &json!({ "with": home })).await.expect_problem(409, "merge.behind");

    program.post(&format!("/api/v1/contacts/{home}/unmerge"), &json!({})).await.expect(200);
    assert_eq!(state(&app).await, before, "both are back");
    assert_eq!(holder(&app, &laptop).await.map(|(id, _)| id), Some(work));
    assert_eq!(holder(&app, &phone).await.map(|(id, _)| id), Some(home));
    program
        .post(&format!("/api/v1/contacts/{home}/unmerge"), &json!({}))
        .await
        .expect_problem(409, "merge.none");
    let audit = program.get("/api/v1/audit").await.expect_json(200);
    let acts: Vec<&str> = audit["entries"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| it["action"].as_str().expect("a word"))
        .collect();
    assert!(acts.contains(&"merged") && acts.contains(&"unmerged"), "{audit}");
}

#[tokio::test]
async fn what_was_changed_after_a_merge_survives_its_undoing() {
    let app = app().await;
    let Twice { work, home, .. } = twice(&app).await;
    let program = program(&app);
    program.post(&format!("/api/v1/contacts/{work}/merge"), &json!({ "with": home })).await.expect(200);
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    contacts::set_field(&mut tx, work, "phone", "700", "console", Trust::Confirmed, app.now())
        .await
        .expect("set");
    tx.commit().await.expect("commits");
    // A chat that was open when she was merged still names her former self: what is said there both have, and it is hers.
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    contacts::set_field(&mut tx, home, "city", "Faro", "chat", Trust::Claimed, app.now()).await.expect("set");
    tx.commit().await.expect("commits");
    assert_eq!(value_of(&app, work, "city").await.as_deref(), Some("Faro"));
    program.post(&format!("/api/v1/contacts/{home}/unmerge"), &json!({})).await.expect(200);
    assert_eq!(value_of(&app, work, "phone").await.as_deref(), Some("700"));
    assert_eq!(value_of(&app, work, "role").await.as_deref(), Some("Buyer"));
    assert_eq!(value_of(&app, work, "city").await, None);
    assert_eq!(value_of(&app, home, "city").await.as_deref(), Some("Faro"));
}

/// What is known of somebody now.
async fn value_of(app: &TestApp, contact: ContactId, name: &str) -> Option<String> {
    let fields = contacts::fields(&mut app.app.stores.db.read(), contact).await.expect("read");
    fields.into_iter().find(|it| it.name == name && !it.is_suggestion).map(|it| it.value)
}

/// Sends a form with a name and a wish.
async fn profile(visitor: &Visitor<'_>, email: &str, name: &str, wish: &str) {
    let mut body = filled(visitor, "work-only", email).await;
    body["values"] = json!({ "email": email, "first_name": name, "wish": wish });
    let client = visitor.app.client.with("origin", SITE);
    client.post("/v1/forms/work-only", &body).await.expect(200);
}

#[tokio::test]
async fn what_was_sent_with_the_others_address_after_a_merge_is_hers_when_it_is_undone() {
    let app = app().await;
    let (nikkis, eves) = (app.visitor(), app.visitor());
    submit(&nikkis, "white-paper", "nikki@acme.example").await;
    submit(&eves, "white-paper", "eve@acme.example").await;
    let (nikki, _) = contact(&app, "nikki@acme.example").await;
    let (eve, _) = contact(&app, "eve@acme.example").await;
    profile(&nikkis, "nikki@acme.example", "Nikki", "A shelf").await;
    assert_eq!(contact(&app, "nikki@acme.example").await.1, "lead");
    let program = program(&app);
    program.post(&format!("/api/v1/contacts/{nikki}/merge"), &json!({ "with": eve })).await.expect(200);

    // On her device, then on new ones: what she registers for qualifies both.
    profile(&eves, "eve@acme.example", "Eve", "A club").await;
    profile(&app.visitor(), "eve@acme.example", "Eve", "Two clubs").await;
    let webinar = app.visitor();
    let shown = submit(&webinar, "webinar", "eve@acme.example").await;
    let device = shown["visitor"].as_str().expect("a device").to_owned();
    assert_eq!(
        value_of(&app, nikki, "first_name").await.as_deref(),
        Some("Eve"),
        "one person, the latest word"
    );
    assert_eq!(contact(&app, "nikki@acme.example").await, (nikki, "mql".to_owned()));
    let sent = app.count("form_submissions").await;

    program.post(&format!("/api/v1/contacts/{eve}/unmerge"), &json!({})).await.expect(200);
    let mut told = Vec::new();
    for id in [nikki, eve] {
        told.push((value_of(&app, id, "first_name").await, value_of(&app, id, "wish").await));
    }
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(told[0], (text("Nikki"), text("A shelf")), "she is as she was");
    assert_eq!(told[1], (text("Eve"), text("Two clubs")));
    assert_eq!(
        contact(&app, "nikki@acme.example").await,
        (nikki, "lead".to_owned()),
        "not by another's doing"
    );
    assert_eq!(contact(&app, "eve@acme.example").await, (eve, "mql".to_owned()));
    let ids = async |text: &'static str| -> Vec<ContactId> {
        app.rows(text).await.iter().map(|row| row.get("contact_id").expect("an id")).collect()
    };
    let submissions = ids("select contact_id from form_submissions order by at, id").await;
    assert_eq!(i64::try_from(submissions.len()).expect("few"), sent, "nothing is lost");
    assert_eq!(submissions, [nikki, eve, nikki, eve, eve, eve]);
    assert_eq!(
        holder(&app, &device).await.map(|(id, _)| id),
        Some(eve),
        "a device that came meanwhile is hers"
    );
    assert_eq!(ids("select contact_id from activities where kind = 'webinar.registered'").await, [eve]);
}

#[tokio::test]
async fn merges_in_a_row_can_be_undone_in_any_order() {
    let app = app().await;
    let mut ids = Vec::new();
    for email in ["a@acme.example", "b@acme.example", "c@acme.example"] {
        submit(&app.visitor(), "white-paper", email).await;
        ids.push(contact(&app, email).await.0);
    }
    let (a, b, c) = (ids[0], ids[1], ids[2]);
    let program = program(&app);
    program.post(&format!("/api/v1/contacts/{b}/merge"), &json!({ "with": a })).await.expect(200);
    program.post(&format!("/api/v1/contacts/{c}/merge"), &json!({ "with": b })).await.expect(200);
    let speaks =
        async |id: ContactId| contacts::survivor(&mut app.app.stores.db.read(), id).await.expect("read");
    assert_eq!([speaks(a).await, speaks(b).await, speaks(c).await], [c, c, c]);
    program.post(&format!("/api/v1/contacts/{a}/unmerge"), &json!({})).await.expect(200);
    assert_eq!([speaks(a).await, speaks(b).await], [a, c]);
    program.post(&format!("/api/v1/contacts/{b}/unmerge"), &json!({})).await.expect(200);
    assert_eq!([speaks(a).await, speaks(b).await, speaks(c).await], [a, b, c]);
    let same = program.get(&format!("/api/v1/contacts/{a}/merge?with={a}")).await;
    same.expect_problem(409, "merge.same");
}

#[tokio::test]
async fn a_link_that_was_mailed_before_a_merge_still_confirms_her() {
    let app = app_with_files().await;
    let (laptop, phone) = (app.visitor(), app.visitor());
    submit(&laptop, "white-paper", "nikki@acme.example").await;
    submit(&phone, "white-paper", "nikki@home.example").await;
    let (work, _) = contact(&app, "nikki@acme.example").await;
    let (home, _) = contact(&app, "nikki@home.example").await;
    let asset = app.app.catalog.asset("reading-guide").expect("it is a fixture");
    let token =
        embudo::gates::mailed_link(&app.app.keys, asset, home, VisitorId::parse(&phone.id).ok(), app.now());
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    embudo::stages::merge::merge(
        &mut tx,
        &app.app.lifecycle,
        work,
        home,
        embudo::stages::Actor::Api,
        app.now(),
    )
    .await
    .expect("merged");
    tx.commit().await.expect("commits");
    let trust = phone.confirm(&token).await.expect_json(200);
    assert_eq!(trust["trust"], "confirmed");
    assert_eq!(holder(&app, &phone.id).await, Some((work, Trust::Confirmed)));
}

#[tokio::test]
async fn only_a_key_with_the_scope_of_people_may_look_after_them() {
    let app = app().await;
    submit(&app.visitor(), "white-paper", "nikki@acme.example").await;
    let (id, _) = contact(&app, "nikki@acme.example").await;
    let other = app.client.with("authorization", &format!("Bearer {OTHER_KEY}"));
    for path in [
        "/api/v1/audit".to_owned(),
        "/api/v1/contacts?email=nikki@acme.example".to_owned(),
        format!("/api/v1/contacts/{id}"),
        format!("/api/v1/contacts/{id}/export"),
        format!("/api/v1/contacts/{id}/merge?with={id}"),
    ] {
        app.get(&path).await.expect_problem(401, "api.key_unknown");
        other.get(&path).await.expect_problem(403, "api.scope_missing");
    }
    for door in ["merge", "unmerge", "erase", "profiling", "addresses", "host-ids", "suggestions/phone"] {
        let path = format!("/api/v1/contacts/{id}/{door}");
        app.post(&path, &json!({})).await.expect_problem(401, "api.key_unknown");
        other.post(&path, &json!({})).await.expect_problem(403, "api.scope_missing");
    }
    let program = program(&app);
    let nobody = ContactId::new();
    program.get(&format!("/api/v1/contacts/{nobody}")).await.expect_problem(404, "contact.unknown");
    program.get("/api/v1/contacts/nobody").await.expect_problem(404, "contact.unknown");
    program
        .post(&format!("/api/v1/contacts/{id}/merge"), &json!([]))
        .await
        .expect_problem(400, "request.malformed");
}
