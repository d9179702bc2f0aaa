//! Forms: which fields are asked for, what is let in, and what is set apart until a person looks.

use std::time::Instant;

use embudo::base::ids::{ContactId, VisitorId};
use embudo::base::time::DAY_MS;
use embudo::contacts::{self, Trust};
use reqwest::Method;
use serde_json::{Value, json};

use crate::gates::{app_with_files, contact, hidden, with_fixtures};
use crate::support::answer::{Answer, Client};
use crate::support::app::{SITE, TestApp, set};
use crate::support::dns::{NameServer, Zone};
use crate::support::visitor::Visitor;

const KEY: &str = "the api key of the tests, long enough";

async fn start() -> TestApp {
    TestApp::start_with(|settings| {
        with_fixtures(settings);
        set(settings, "api", "keys", vec![KEY]);
        set(settings, "forms", "burst", 100);
    })
    .await
}

fn program(app: &TestApp) -> Client {
    app.client.with("authorization", &format!("Bearer {KEY}"))
}

/// The body of a form with these values, as the snippet sends it.
async fn body(visitor: &Visitor<'_>, form: &str, values: Value) -> Value {
    visitor.fill(form, values).await
}

async fn send(visitor: &Visitor<'_>, form: &str, values: Value) -> Answer {
    let body = body(visitor, form, values).await;
    visitor.post(&format!("/v1/forms/{form}"), &body).await
}

async fn fields(app: &TestApp, email: &str) -> Vec<(String, String)> {
    let (id, _) = contact(app, email).await;
    let fields = contacts::fields(&mut app.app.stores.db.read(), id).await.expect("read");
    fields.into_iter().map(|field| (field.name, field.value)).collect()
}

/// The names of the fields that a device is shown.
async fn asked(app: &TestApp, form: &str, visitor: &str) -> Vec<String> {
    let path = format!("/v1/forms/{form}?site=faro&visitor={visitor}");
    let shown = app.client.with("origin", SITE).get(&path).await.expect_json(200);
    let fields = shown["fields"].as_array().expect("a list");
    fields.iter().map(|field| field["name"].as_str().expect("a name").to_owned()).collect()
}

async fn trust(app: &TestApp, visitor: &str, contact: ContactId, trust: Trust) {
    let visitor = VisitorId::parse(visitor).expect("an id");
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    contacts::raise_trust(&mut tx, visitor, contact, trust, app.now()).await.expect("raised");
    tx.commit().await.expect("commits");
}

#[tokio::test]
async fn the_queue_goes_on_only_where_the_device_is_confirmed_and_never_shows_what_is_known() {
    let app = start().await;
    let mut nikki = app.visitor();
    let first = json!({"email": "nikki@acme.example", "first_name": "Nikki"});
    let answer = send(&nikki, "profile", first).await.expect_json(200);
    nikki.id = answer["visitor"].as_str().expect("an id").to_owned();
    let (id, _) = contact(&app, "nikki@acme.example").await;

    for level in [Trust::Claimed, Trust::Clicked] {
        trust(&app, &nikki.id, id, level).await;
        assert_eq!(
            asked(&app, "profile", &nikki.id).await,
            ["email", "employees", "country", "first_name"],
            "{level:?}: a stranger who typed her address learns nothing"
        );
    }
    trust(&app, &nikki.id, id, Trust::Confirmed).await;
    assert_eq!(asked(&app, "profile", &nikki.id).await, ["email", "employees", "country", "job_title"]);
    let elsewhere = app.visitor();
    assert_eq!(asked(&app, "profile", &elsewhere.id).await[3], "first_name", "another device is another's");

    let path = format!("/v1/forms/profile?site=faro&visitor={}", nikki.id);
    let shown = app.get(&path).await.expect(200);
    assert!(!shown.body.contains("Nikki") && !shown.body.contains("nikki@"), "{}", shown.body);
    // The hosted page does the same for the device that its script names.
    let page = app.client.with("x-embudo-visitor", &nikki.id).get("/f/profile?lang=en").await.expect(200);
    assert!(page.body.contains("name=\"job_title\"") && !page.body.contains("Nikki"), "{}", page.body);
    let page = app.get("/f/profile?lang=en").await.expect(200);
    assert!(page.body.contains("name=\"first_name\"") && !page.body.contains("job_title"), "{}", page.body);
}

#[tokio::test]
async fn what_was_asked_must_be_answered_and_what_was_not_asked_is_not_taken() {
    let app = start().await;
    let mut nikki = app.visitor();
    let first = json!({"email": "nikki@acme.example", "first_name": "Nikki", "job_title": "CEO", "stage": "customer"});
    let answer = send(&nikki, "profile", first).await.expect_json(200);
    nikki.id = answer["visitor"].as_str().expect("an id").to_owned();
    let known = fields(&app, "nikki@acme.example").await;
    assert!(known.contains(&("first_name".into(), "Nikki".into())), "{known:?}");
    assert!(!known.iter().any(|(name, _)| name == "job_title" || name == "stage"), "{known:?}");

    let (id, _) = contact(&app, "nikki@acme.example").await;
    trust(&app, &nikki.id, id, Trust::Confirmed).await;
    let path = format!("/v1/forms/profile?site=faro&visitor={}", nikki.id);
    let shown = app.get(&path).await.expect_json(200);
    let mut sent = body(&nikki, "profile", json!({"email": "nikki@acme.example"})).await;
    sent["nonce"] = shown["nonce"].clone();
    let problem = nikki.post("/v1/forms/profile", &sent).await.expect_problem(422, "form.invalid");
    assert!(problem["fields"]["job_title"].is_string(), "the nonce says what was asked: {problem}");

    // The site's own form shows what it shows.
    let own = app.get("/v1/forms/profile?site=faro&own=1").await.expect_json(200);
    sent["nonce"] = own["nonce"].clone();
    sent["values"]["job_title"] = json!("Head of People");
    nikki.post("/v1/forms/profile", &sent).await.expect(200);
    let known = fields(&app, "nikki@acme.example").await;
    assert!(known.contains(&("job_title".into(), "Head of People".into())), "{known:?}");
}

#[tokio::test]
async fn a_condition_holds_on_the_server_too() {
    let app = start().await;
    let nikki = app.visitor();
    let large = json!({"email": "nikki@acme.example", "employees": "60"});
    let problem = send(&nikki, "profile", large).await.expect_problem(422, "form.invalid");
    assert!(problem["fields"]["country"].is_string(), "{problem}");
    let small = json!({"email": "nikki@acme.example", "employees": "20", "country": "ES"});
    send(&nikki, "profile", small).await.expect(200);
    let known = fields(&app, "nikki@acme.example").await;
    assert!(!known.iter().any(|(name, _)| name == "country"), "what is not shown is not taken: {known:?}");
    let shown = app.get("/v1/forms/profile?site=faro").await.expect_json(200);
    assert_eq!(shown["fields"][2]["show_if"], "[\">=\",{\"f\":\"answers.employees\"},{\"v\":50}]");
    let wrong = json!({"email": "a@acme.example", "employees": "60", "country": "Spain"});
    send(&nikki, "profile", wrong).await.expect_problem(422, "form.invalid");
}

#[tokio::test]
async fn hidden_fields_are_filled_from_the_page_and_the_visit_and_never_by_the_browser() {
    let app = start().await;
    let nikki = app.visitor();
    let mut hit = nikki.hit("/precios?utm_source=letter&utm_campaign=spring&utm_medium=email");
    hit["referrer"] = json!("https://news.example/post");
    nikki.report(&hit).await.expect(202);
    app.run_jobs().await;
    let values = json!({"email": "nikki@acme.example", "came_by": "made up", "list": "vip"});
    let mut sent = body(&nikki, "profile", values).await;
    sent["page"] = json!(format!("{SITE}/guia?gclid=Cj0abc"));
    nikki.post("/v1/forms/profile", &sent).await.expect(200);
    let known = fields(&app, "nikki@acme.example").await;
    let value = |name: &str| known.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(value("came_by"), Some("spring"));
    assert_eq!(value("click"), Some("Cj0abc"));
    assert_eq!(value("entry"), Some("/precios"));
    assert_eq!(value("list"), Some("profiles"));
    let rows = app.rows("select attribution from form_submissions").await;
    let kept: Value = rows[0].json("attribution").expect("JSON");
    assert_eq!((&kept["utm_source"], &kept["channel"]), (&json!("letter"), &json!("email")), "{kept}");

    let quiet = Visitor { consent: "none", ..app.visitor() };
    send(&quiet, "profile", json!({"email": "quiet@acme.example"})).await.expect(200);
    let known = fields(&app, "quiet@acme.example").await;
    assert_eq!(known, [("list".to_owned(), "profiles".to_owned())], "without consent no visit is looked at");
}

#[tokio::test]
async fn a_kiosk_makes_a_contact_of_each_address_and_binds_no_device() {
    let app = app_with_files().await;
    let tablet = app.visitor();
    tablet.visit("/stand").await;
    app.run_jobs().await;
    let devices = app.count("visitors").await;
    for email in ["nikki@acme.example", "pam@acme.example", "yuri@other.example"] {
        let answer = send(&tablet, "fair", json!({"email": email})).await.expect_json(200);
        assert_eq!((&answer["visitor"], &answer["link"]), (&Value::Null, &Value::Null), "{answer}");
    }
    assert_eq!(app.count("contacts").await, 3);
    assert_eq!(app.count("visitors").await, devices, "no device was bound or made");
    let rows = app.rows("select id from visitors where contact_id is not null").await;
    assert!(rows.is_empty());
    app.run_jobs().await;
    assert_eq!(app.count("mails").await, 3, "the file goes by mail");

    let page = app.get("/f/fair?lang=en").await.expect(200);
    assert!(page.body.contains("data-kiosk") && page.body.contains("autocomplete=\"off\""), "{}", page.body);
    let nonce = hidden(&page.body, "nonce");
    let fields = [
        ("email", "ana@acme.example"),
        ("nonce", nonce.as_str()),
        ("visitor", tablet.id.as_str()),
        ("consent", "full"),
    ];
    let done = app.client.submit("/f/fair?lang=en", &fields).await.expect(200);
    assert!(!done.body.contains("data-visitor") && done.body.contains("The next person"), "{}", done.body);
    assert_eq!(app.count("visitors").await, devices);
}

#[tokio::test]
async fn each_consent_is_a_wish_of_its_own_and_a_missing_one_is_told_by_its_name() {
    let app = start().await;
    let nikki = app.visitor();
    let mut sent = body(&nikki, "better-work", json!({"email": "nikki@acme.example"})).await;
    sent["agreed"] = json!(["newsletter"]);
    let problem = nikki.post("/v1/forms/better-work", &sent).await.expect_problem(422, "form.invalid");
    assert!(problem["fields"]["agreed.privacy"].is_string(), "{problem}");
    sent["agreed"] = json!(["privacy"]);
    nikki.post("/v1/forms/better-work", &sent).await.expect(200);
    let rows = app.rows("select purpose, action from consents order by action").await;
    let said =
        rows.iter().map(|row| (row.get("purpose").expect("a text"), row.get("action").expect("a text")));
    let said: Vec<(String, String)> = said.collect();
    let expected = [("newsletter", "denied"), ("privacy", "granted")];
    assert_eq!(said, expected.map(|(purpose, action)| (purpose.to_owned(), action.to_owned())));

    let page = app.get("/f/better-work?lang=en").await.expect(200);
    let nonce = hidden(&page.body, "nonce");
    let fields = [("email", "pam@acme.example"), ("nonce", nonce.as_str())];
    let again = app.client.submit("/f/better-work?lang=en", &fields).await.expect(422);
    assert!(
        again.body.contains("agreed-privacy-error") && again.body.contains("tick the box"),
        "{}",
        again.body
    );
}

#[tokio::test]
async fn private_addresses_are_blocked_warned_of_or_taken_as_the_form_says() {
    let app = start().await;
    let nikki = app.visitor();
    let values = json!({"email": "nikki@gmail.com"});
    let problem = send(&nikki, "work-only", values.clone()).await.expect_problem(422, "form.invalid");
    assert!(problem["fields"]["email"].as_str().expect("words").contains("empresa"), "{problem}");
    assert_eq!(problem["warned"], false);

    let mut sent = body(&nikki, "better-work", values.clone()).await;
    sent["agreed"] = json!(["privacy"]);
    let problem = nikki.post("/v1/forms/better-work", &sent).await.expect_problem(422, "form.invalid");
    assert_eq!(problem["warned"], true, "{problem}");
    sent["warned"] = json!(true);
    nikki.post("/v1/forms/better-work", &sent).await.expect(200);
    send(&app.visitor(), "profile", json!({"email": "pam@gmail.com"})).await.expect(200);
    assert_eq!(app.count("contacts").await, 2);

    // Without a script the page itself remembers that it has warned.
    let page = app.get("/f/better-work?lang=en").await.expect(200);
    let nonce = hidden(&page.body, "nonce");
    let fields = [("email", "ana@gmail.com"), ("nonce", nonce.as_str()), ("agreed", "privacy")];
    let again = app.client.submit("/f/better-work?lang=en", &fields).await.expect(422);
    let (nonce, warned) = (hidden(&again.body, "nonce"), hidden(&again.body, "warned"));
    let fields = [("email", "ana@gmail.com"), ("nonce", &nonce), ("agreed", "privacy"), ("warned", &warned)];
    app.client.submit("/f/better-work?lang=en", &fields).await.expect(200);
}

#[tokio::test]
async fn addresses_that_are_thrown_away_are_refused_unless_the_operator_says_otherwise() {
    let list = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(list.path(), "!mailinator.com\nacme.example\n").expect("written");
    let app = TestApp::start_with(|settings| {
        with_fixtures(settings);
        set(settings, "forms", "disposable_domains", list.path().display().to_string());
    })
    .await;
    let nikki = app.visitor();
    let before = app.census().await;
    for email in ["nikki@guerrillamail.com", "nikki@sub.guerrillamail.com", "nikki@acme.example"] {
        let problem =
            send(&nikki, "profile", json!({"email": email})).await.expect_problem(422, "form.invalid");
        assert!(problem["fields"]["email"].as_str().expect("words").contains("tiran"), "{email}: {problem}");
    }
    assert_eq!(app.census().await, before);
    send(&nikki, "profile", json!({"email": "nikki@mailinator.com"})).await.expect(200);
}

const ZONES: &[(&str, Zone)] = &[
    ("acme.example", Zone::Mx("mx.acme.example")),
    ("null.example", Zone::NullMx),
    ("implicit.example", Zone::OnlyA),
    ("nothing.example", Zone::Nothing),
    ("broken.example", Zone::Broken),
    ("silent.example", Zone::Silent),
];

#[tokio::test]
async fn a_domain_that_takes_no_mail_is_refused_and_one_that_cannot_be_asked_is_believed() {
    let names = NameServer::start(ZONES).await;
    let address = names.address.to_string();
    let app = TestApp::start_with(|settings| {
        with_fixtures(settings);
        set(settings, "forms", "check_mail_servers", true);
        set(settings, "forms", "name_servers", vec![address]);
        set(settings, "forms", "burst", 100);
    })
    .await;
    let nikki = app.visitor();
    let take = async |domain: &str| {
        send(&nikki, "profile", json!({"email": format!("nikki@{domain}")})).await.status
    };
    assert_eq!(take("acme.example").await, 200);
    assert_eq!(take("implicit.example").await, 200, "the address itself takes mail (RFC 5321, section 5.1)");
    for refused in ["null.example", "nothing.example", "nowhere.example"] {
        assert_eq!(take(refused).await, 422, "{refused}");
    }
    let rows = app.rows("select id from contacts").await;
    assert_eq!(rows.len(), 2, "nobody was made of a refused address");

    assert_eq!(take("broken.example").await, 200, "fails open");
    let began = Instant::now();
    assert_eq!(take("silent.example").await, 200, "fails open");
    assert!(began.elapsed().as_secs() < 8, "after two seconds: {:?}", began.elapsed());

    let asked = names.asked();
    app.clock.advance(DAY_MS / 2);
    assert_eq!((take("acme.example").await, take("null.example").await), (200, 422));
    assert_eq!(names.asked(), asked, "what was learnt holds for a day");
    app.clock.advance(DAY_MS);
    assert_eq!(take("acme.example").await, 200);
    assert!(names.asked() > asked, "and no longer");
}

#[tokio::test]
async fn hostile_answers_are_refused_with_words_and_change_nothing() {
    let app = start().await;
    let nikki = app.visitor();
    let before = app.census().await;
    let name = |text: &str| json!({"email": "nikki@acme.example", "first_name": text});
    for evil in ["Nikki\r\nBcc: eve@x.example", "Nikki\u{0}", &"x".repeat(50_000)] {
        let problem = send(&nikki, "work-only", name(evil)).await.expect_problem(422, "form.invalid");
        assert!(problem["fields"]["first_name"].is_string(), "{problem}");
    }
    send(&nikki, "work-only", name(&"x".repeat(100_000))).await.expect_problem(413, "request.too_large");
    send(&nikki, "work-only", json!({"email": {"a": 1}})).await.expect_problem(400, "request.malformed");
    assert_eq!(app.census().await, before);
}

/// Sends something that is set apart, and returns its id.
async fn set_apart(app: &TestApp, email: &str) -> String {
    let mut sent = body(&app.visitor(), "work-only", json!({"email": email, "first_name": "Pam"})).await;
    sent["website"] = json!("https://cheap.example");
    app.client.with("origin", SITE).post("/v1/forms/work-only", &sent).await.expect(200);
    let list = program(app).get("/api/v1/forms/quarantine").await.expect_json(200);
    assert_eq!(list["submissions"][0]["reason"], "honeypot");
    list["submissions"][0]["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn what_looks_odd_is_set_apart_and_makes_no_contact_until_a_person_lets_it_in() {
    let app = start().await;
    let before = app.census().await;
    let id = set_apart(&app, "pam@acme.example").await;
    app.run_jobs().await;
    let apart: Vec<_> = before
        .iter()
        .map(|(table, rows)| {
            (*table, if ["form_quarantine", "form_counts"].contains(table) { 1 } else { *rows })
        })
        .collect();
    assert_eq!(app.census().await, apart, "only the quarantine holds it");

    let list = program(&app).get("/api/v1/forms/quarantine").await.expect_json(200);
    let one = &list["submissions"][0];
    assert_eq!((&one["reason"], &one["email"]), (&json!("honeypot"), &json!("pam@acme.example")));
    assert_eq!((&one["fields"]["first_name"], &list["total"]), (&json!("Pam"), &json!(1)));

    let path = format!("/api/v1/forms/quarantine/{id}/release");
    let released = program(&app).post(&path, &json!({})).await.expect_json(200);
    let (contact, stage) = contact(&app, "pam@acme.example").await;
    assert_eq!((released["contact"].as_str(), stage.as_str()), (Some(contact.to_string().as_str()), "lead"));
    assert!(fields(&app, "pam@acme.example").await.contains(&("first_name".into(), "Pam".into())));
    assert_eq!(app.count("form_quarantine").await, 0);
    program(&app).post(&path, &json!({})).await.expect_problem(404, "form.not_set_apart");
}

#[tokio::test]
async fn a_submission_that_is_thrown_away_never_comes_back() {
    let app = start().await;
    let id = set_apart(&app, "pam@acme.example").await;
    let path = format!("/api/v1/forms/quarantine/{id}");
    app.client.send(Method::DELETE, &path, None).await.expect_problem(401, "api.key_unknown");
    program(&app).send(Method::DELETE, &path, None).await.expect(204);
    program(&app).send(Method::DELETE, &path, None).await.expect_problem(404, "form.not_set_apart");
    program(&app)
        .send(Method::DELETE, "/api/v1/forms/quarantine/x", None)
        .await
        .expect_problem(404, "form.not_set_apart");
    assert_eq!((app.count("contacts").await, app.count("form_quarantine").await), (0, 0));
    set_apart(&app, "pam@acme.example").await;
    app.later(31 * DAY_MS).await;
    assert_eq!(app.count("form_quarantine").await, 0, "nobody looked at it for a month");
}

#[tokio::test]
async fn a_page_says_which_fields_may_stay_empty() {
    let app = start().await;
    for (language, optional) in [("en", "(optional)"), ("es", "(opcional)")] {
        let page = app.get(&format!("/f/work-only?lang={language}")).await.expect(200).body;
        let label = |name: &str| {
            let from = page.find(&format!("for=\"f-{name}\"")).unwrap_or_else(|| panic!("no {name}: {page}"));
            page[from..].split("</label>").next().expect("a label").to_owned()
        };
        assert!(label("first_name").contains(optional), "{}", label("first_name"));
        assert!(!label("email").contains(optional), "{}", label("email"));
    }
}

#[tokio::test]
async fn links_where_a_name_belongs_and_a_flood_are_set_apart_too() {
    let app = TestApp::start_with(|settings| {
        with_fixtures(settings);
        set(settings, "forms", "burst", 100);
        set(settings, "forms", "form_burst", 3);
        set(settings, "forms", "form_per_minute", 1);
    })
    .await;
    let nikki = app.visitor();
    let words = async |answer: &Answer| {
        let names: Vec<&str> = answer.headers.keys().map(reqwest::header::HeaderName::as_str).collect();
        let told = answer.json();
        (format!("{names:?}"), told["title"].clone(), told["message"].clone(), told["link"].clone())
    };
    let alike = std::cell::RefCell::new(None);
    let dropped = async |values: Value| {
        let before = app.count("form_quarantine").await;
        let answer = send(&nikki, "work-only", values).await.expect(200);
        // Nobody can tell from the answer whether something was set apart, or by which layer.
        let said = words(&answer).await;
        assert_eq!(alike.borrow_mut().get_or_insert_with(|| said.clone()), &said);
        if app.count("form_quarantine").await == before {
            return String::new();
        }
        let rows = app.rows("select reason from form_quarantine order by at desc, id desc limit 1").await;
        rows[0].get::<String>("reason").expect("a word")
    };
    let spam = json!({"email": "a@acme.example", "first_name": "www.cheap.example"});
    assert_eq!(dropped(spam).await, "links");
    let wish = "see https://a.example https://b.example and https://c.example";
    assert_eq!(dropped(json!({"email": "b@acme.example", "wish": wish})).await, "links");
    assert_eq!(dropped(json!({"email": "c@acme.example", "wish": "see https://a.example"})).await, "");
    // The clock of the test goes on by twenty seconds each time, in which a third of another one is allowed.
    assert_eq!(dropped(json!({"email": "d@acme.example"})).await, "");
    assert_eq!(dropped(json!({"email": "e@acme.example"})).await, "flood");
    assert_eq!((app.count("contacts").await, app.count("form_quarantine").await), (2, 3));
}

#[tokio::test]
async fn a_registration_that_was_set_apart_registers_when_it_is_let_in() {
    let app = start().await;
    let page = app.get("/w/reading-culture?lang=en").await.expect(200);
    let nonce = hidden(&page.body, "nonce");
    app.clock.advance(5_000);
    let fields = [("email", "pam@acme.example"), ("nonce", nonce.as_str()), ("website", "x")];
    let done = app.client.submit("/w/reading-culture?lang=en", &fields).await.expect(200);
    assert_eq!(done.header("x-embudo-dropped"), "");
    assert_eq!(app.count("webinar_registrations").await, 0);
    let list = program(&app).get("/api/v1/forms/quarantine").await.expect_json(200);
    let id = list["submissions"][0]["id"].as_str().expect("an id");
    program(&app).post(&format!("/api/v1/forms/quarantine/{id}/release"), &json!({})).await.expect(200);
    assert_eq!(app.count("webinar_registrations").await, 1);
}

#[tokio::test]
async fn the_command_line_lists_lets_in_and_throws_away() {
    let app = start().await;
    let pam = set_apart(&app, "pam@acme.example").await;
    app.clock.advance(1_000);
    let eve = set_apart(&app, "eve@acme.example").await;
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_embudo"))
            .arg("--config")
            .arg(app.folder().join("embudo.toml"))
            .args(["forms", "quarantine"])
            .args(arguments)
            .output()
            .expect("it runs");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), told + &String::from_utf8_lossy(&output.stderr))
    };
    let (_, told) = run(&["list"]);
    assert!(told.contains(&pam) && told.contains("eve@acme.example") && told.contains("2 in all"), "{told}");
    assert_eq!(run(&["delete", &eve]), (true, "deleted\n".to_owned()));
    assert_eq!(run(&["release", &pam]), (true, "released\n".to_owned()));
    let (is_done, told) = run(&["release", &eve]);
    assert!(!is_done && told.contains("released or deleted"), "{told}");
    assert!(!run(&["release", "nonsense"]).0);
    assert_eq!(contact(&app, "pam@acme.example").await.1, "lead");
    assert_eq!(run(&["list"]), (true, "nothing is set apart\n".to_owned()));
}

#[tokio::test]
async fn the_companys_form_about_what_matters_asks_one_thing_at_a_time_and_keeps_each() {
    let app = TestApp::start().await;
    let mut nikki = app.visitor();
    let email = "nikki@acme.example";
    let said =
        [("want", "A library for 300 people"), ("need", "Time to read"), ("value", "Straight answers")];
    for (name, answer) in said {
        assert_eq!(asked(&app, "about-you", &nikki.id).await, ["email", name]);
        let path = format!("/v1/forms/about-you?site=faro&visitor={}", nikki.id);
        let shown = app.client.with("origin", SITE).get(&path).await.expect_json(200);
        let mut sent = body(&nikki, "about-you", json!({"email": email, name: answer})).await;
        sent["nonce"] = shown["nonce"].clone();
        let answer = nikki.post("/v1/forms/about-you", &sent).await.expect_json(200);
        nikki.id = answer["visitor"].as_str().expect("an id").to_owned();
        let (id, _) = contact(&app, email).await;
        trust(&app, &nikki.id, id, Trust::Confirmed).await;
    }
    assert_eq!(asked(&app, "about-you", &nikki.id).await, ["email"], "everything is known");
    let known = fields(&app, email).await;
    for (name, answer) in said {
        assert!(known.contains(&(name.to_owned(), answer.to_owned())), "{name}: {known:?}");
    }
}
