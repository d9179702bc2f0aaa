//! Forms, the files they unlock, and the links that lead there.

use embudo::base::ids::{ContactId, VisitorId};
use embudo::base::signing::{Keys, Purpose};
use embudo::base::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use embudo::gates;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::{SITE, TestApp, repository, set};
use crate::support::visitor::Visitor;

const GUIDE: &[u8] = b"%PDF-1.7 the guide in Spanish";

/// Settings with the tests' own forms, files and webinars.
pub fn with_fixtures(settings: &mut toml::Table) {
    for name in ["forms", "content", "webinars", "notify"] {
        let path = repository(&format!("tests/it/fixtures/{name}.yaml"));
        set(settings, "definitions", name, path.display().to_string());
    }
    set(settings, "definitions", "assets", "files");
}

/// An app whose content folder holds the guide and the recording.
pub async fn app_with_files() -> TestApp {
    let app = TestApp::start_with(with_fixtures).await;
    let files = app.folder().join("files");
    std::fs::create_dir_all(&files).expect("a folder");
    std::fs::write(files.join("reading-guide.es.pdf"), GUIDE).expect("written");
    std::fs::write(files.join("reading-guide.en.pdf"), b"%PDF-1.7 the guide in English").expect("written");
    let recording: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    std::fs::write(files.join("reading-culture-short.mp4"), recording).expect("written");
    std::fs::write(files.join("reading-culture-short.es.vtt"), "WEBVTT\n").expect("written");
    app
}

/// The body that the snippet sends for a form that was shown a while ago.
pub async fn filled(visitor: &Visitor<'_>, form: &str, email: &str) -> Value {
    let shown = visitor.app.get(&format!("/v1/forms/{form}?site=faro&language=es")).await.expect_json(200);
    visitor.app.clock.advance(5_000);
    json!({
        "site": "faro",
        "values": {"email": email},
        "visitor": if visitor.consent == "none" { Value::Null } else { json!(visitor.id) },
        "consent": visitor.consent,
        "page": format!("{SITE}/guia"),
        "language": "es",
        "nonce": shown["nonce"],
        "agreed": [],
        "website": "",
    })
}

/// Fills a form in and sends it, as the snippet on the page does.
pub async fn submit(visitor: &Visitor<'_>, form: &str, email: &str) -> Value {
    let body = filled(visitor, form, email).await;
    let client = visitor.app.client.with("origin", SITE);
    client.post(&format!("/v1/forms/{form}"), &body).await.expect_json(200)
}

/// The contact of an address, as the database has it.
pub async fn contact(app: &TestApp, email: &str) -> (ContactId, String) {
    let rows = app.rows("select id, email, stage from contacts").await;
    let row = rows.iter().find(|row| row.get::<String>("email").expect("a text") == email);
    let row = row.unwrap_or_else(|| panic!("no contact {email}"));
    (row.get("id").expect("an id"), row.get("stage").expect("a text"))
}

async fn kinds(app: &TestApp, table: &str) -> Vec<String> {
    let text = match table {
        "events" => "select kind from events order by id",
        _ => "select kind from activities where kind <> 'page' order by at, id",
    };
    app.rows(text).await.iter().map(|row| row.get("kind").expect("a text")).collect()
}

fn guide_link(answer: &Value) -> String {
    let link = answer["link"].as_str().expect("a link");
    link.split('?').next().expect("a path").to_owned()
}

#[tokio::test]
async fn an_address_alone_makes_a_lead_who_gets_the_file_at_once_and_a_mail() {
    let app = app_with_files().await;
    let nikki = app.visitor();
    let answer = submit(&nikki, "white-paper", "Nikki@ACME.example").await;
    assert_eq!(answer["visitor"], nikki.id, "the device stays the same");
    assert_eq!(answer["title"], "Tu guía está lista");
    let (_, stage) = contact(&app, "nikki@acme.example").await;
    assert_eq!(stage, "lead");
    assert_eq!(kinds(&app, "events").await, ["form_submitted", "stage_changed"]);

    app.run_jobs().await;
    let mails = app.rows("select recipient, text_body from mails").await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].get::<String>("recipient").expect("a text"), "nikki@acme.example");
    assert!(mails[0].get::<String>("text_body").expect("a text").contains(&format!("{}/d/", app.url)));

    let page = app.get(&format!("{}?lang=es", guide_link(&answer))).await.expect(200);
    assert!(page.body.contains("Leer juntos en el trabajo"));
    assert_eq!(page.header("x-robots-tag"), "noindex, nofollow");
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    let file =
        app.client.submit(&format!("{}/file", guide_link(&answer)), &[("lang", "es")]).await.expect(200);
    assert_eq!(file.body.as_bytes(), GUIDE);
    assert!(file.header("content-disposition").starts_with("attachment"));
    assert_eq!(kinds(&app, "activities").await, ["form.submitted", "asset.downloaded"]);
}

#[tokio::test]
async fn the_answer_may_be_read_by_the_sites_pages_and_by_no_others() {
    let app = app_with_files().await;
    let page = app.client.with("origin", SITE).get("/v1/forms/white-paper?site=faro").await.expect(200);
    assert_eq!(page.header("access-control-allow-origin"), SITE);
    let stranger = app.client.with("origin", "https://elsewhere.example");
    let refused = stranger.get("/v1/forms/white-paper?site=faro").await;
    assert_eq!(refused.header("access-control-allow-origin"), "");
    refused.expect_problem(403, "site.foreign_origin");
}

#[tokio::test]
async fn opening_a_link_changes_nothing_however_often_a_scanner_does_it() {
    let app = app_with_files().await;
    let answer = submit(&app.visitor(), "white-paper", "nikki@acme.example").await;
    app.run_jobs().await;
    let before = app.census().await;
    let link = guide_link(&answer);
    for path in [link.clone(), format!("{link}/file"), format!("{link}?lang=en")] {
        app.get(&path).await.expect(200);
        app.client.send(reqwest::Method::HEAD, &path, None).await.expect(200);
    }
    app.run_jobs().await;
    // That the bytes went out is noted and counts for nothing.
    let counting = |census: Vec<(&'static str, i64)>| {
        census.into_iter().filter(|(table, _)| *table != "activities").collect::<Vec<_>>()
    };
    assert_eq!(counting(app.census().await), counting(before));
    assert!(!kinds(&app, "activities").await.contains(&"asset.downloaded".to_owned()));
}

#[tokio::test]
async fn wrong_answers_are_told_beside_their_field_in_the_visitors_language() {
    let app = app_with_files().await;
    let nikki = app.visitor();
    let body = filled(&nikki, "white-paper", "nikki@acme").await;
    let before = app.census().await;
    let problem = app.post("/v1/forms/white-paper", &body).await.expect_problem(422, "form.invalid");
    assert_eq!(problem["fields"]["email"], "A esta dirección le falta el final, como .com o .es.");
    let body = filled(&nikki, "newsletter", "nikki@acme.example").await;
    let problem = app.post("/v1/forms/newsletter", &body).await.expect_problem(422, "form.invalid");
    assert!(problem["fields"]["agreed"].as_str().expect("words").contains("casilla"));
    assert_eq!(app.census().await, before);
}

#[tokio::test]
async fn a_form_that_was_not_shown_here_or_too_short_or_too_long_is_not_taken() {
    let app = app_with_files().await;
    let nikki = app.visitor();
    let before = app.census().await;
    let post = async |body: &Value| app.post("/v1/forms/white-paper", body).await;

    let mut body = filled(&nikki, "white-paper", "nikki@acme.example").await;
    body["nonce"] = json!("");
    post(&body).await.expect_problem(422, "form.nonce_invalid");
    body["nonce"] = filled(&nikki, "webinar", "nikki@acme.example").await["nonce"].clone();
    post(&body).await.expect_problem(422, "form.nonce_invalid");

    let shown = app.get("/v1/forms/white-paper?site=faro").await.expect_json(200);
    body["nonce"] = shown["nonce"].clone();
    app.clock.advance(999);
    post(&body).await.expect_problem(422, "form.nonce_invalid");
    app.clock.advance(DAY_MS);
    post(&body).await.expect_problem(422, "form.nonce_invalid");
    assert_eq!(app.census().await, before);
}

#[tokio::test]
async fn a_machine_that_fills_in_everything_is_answered_like_anybody_and_makes_nobody() {
    let app = app_with_files().await;
    let post = async |body: &Value| app.post("/v1/forms/white-paper", body).await;
    let normal = post(&filled(&app.visitor(), "white-paper", "ana@acme.example").await).await.expect(200);
    let mut body = filled(&app.visitor(), "white-paper", "spam@acme.example").await;
    body["website"] = json!("https://spam.example");
    let trapped = post(&body).await.expect(200);
    assert_eq!(trapped.header("x-embudo-dropped"), "", "a machine does not learn what gave it away");
    let names = |answer: &Answer| {
        let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    };
    assert_eq!(names(&trapped), names(&normal));
    let (trapped, normal) = (trapped.json(), normal.json());
    let shape = |answer: &Value| answer.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(shape(&trapped), shape(&normal));
    assert_eq!((&trapped["title"], &trapped["message"]), (&normal["title"], &normal["message"]));
    assert_eq!(trapped["visitor"], body["visitor"], "nobody else's device, as for anybody");
    // The link opens the same file to it as to anybody who typed an address, and leaves no trace.
    let link = |answer: &Value| answer["link"].as_str().expect("a link").to_owned();
    assert_eq!(link(&trapped).len(), link(&normal).len());
    let file = |link: &str| format!("{}/file", link.split('?').next().expect("a path"));
    let press = async |answer: &Value| app.client.submit(&file(&link(answer)), &[]).await.expect(200).body;
    assert_eq!(press(&trapped).await, press(&normal).await);
    app.get(&file(&link(&trapped))).await.expect(200);
    app.run_jobs().await;
    let hers = app.rows("select kind from activities where kind like 'asset.%'").await;
    assert_eq!(hers.len(), 1, "only the other one has fetched anything that anybody knows of");
    let counts = ["contacts", "visitors", "form_submissions", "form_quarantine"];
    for table in counts {
        assert_eq!(app.count(table).await, 1, "{table}: it waits for a person");
    }

    // What is wrong is told to it as to anybody, and its nonce serves one person.
    let again = post(&body).await.expect_json(200);
    assert_eq!(again["message"], normal["message"]);
    body["values"]["email"] = json!("other@acme.example");
    post(&body).await.expect_problem(409, "form.nonce_used");
    body["nonce"] = json!("made up");
    post(&body).await.expect_problem(422, "form.nonce_invalid");
    assert_eq!(app.count("form_quarantine").await, 1);
}

#[tokio::test]
async fn a_double_click_makes_one_submission_and_a_nonce_serves_one_person() {
    let app = app_with_files().await;
    let nikki = app.visitor();
    let mut body = filled(&nikki, "white-paper", "nikki@acme.example").await;
    let first = app.post("/v1/forms/white-paper", &body).await.expect_json(200);
    let after_one = app.census().await;
    let second = app.post("/v1/forms/white-paper", &body).await.expect_json(200);
    assert_eq!(first["visitor"], second["visitor"]);
    body["values"]["email"] = json!("other@acme.example");
    app.post("/v1/forms/white-paper", &body).await.expect_problem(409, "form.nonce_used");
    assert_eq!(app.census().await, after_one);
}

#[tokio::test]
async fn two_requests_at_the_same_moment_make_one_submission() {
    let app = app_with_files().await;
    let body = filled(&app.visitor(), "white-paper", "nikki@acme.example").await;
    let post = || app.post("/v1/forms/white-paper", &body);
    let (one, two, three) = tokio::join!(post(), post(), post());
    for answer in [one, two, three] {
        answer.expect(200);
    }
    assert_eq!((app.count("form_submissions").await, app.count("contacts").await), (1, 1));
}

#[tokio::test]
async fn the_letter_is_a_wish_of_its_own_and_its_very_text_is_kept() {
    let app = app_with_files().await;
    submit(&app.visitor(), "white-paper", "quiet@acme.example").await;
    let agreed = app.rows("select id from consents where action = 'granted'").await;
    assert!(agreed.is_empty(), "a box that was left empty is written down and agrees to nothing");
    let mut body = filled(&app.visitor(), "white-paper", "reader@acme.example").await;
    body["agreed"] = json!(["newsletter"]);
    app.post("/v1/forms/white-paper", &body).await.expect(200);
    let rows = app
        .rows("select c.purpose, c.action, t.body, t.language from consents c join consent_texts t on t.hash = c.text_hash
             where c.action = 'granted'")
        .await;
    assert_eq!(rows.len(), 1);
    let text = |column: &str| rows[0].get::<String>(column).expect("a text");
    assert_eq!(
        (text("purpose"), text("action"), text("language")),
        ("newsletter".into(), "granted".into(), "es".into())
    );
    assert!(text("body").starts_with("Quiero recibir la carta mensual"));
}

#[tokio::test]
async fn too_many_forms_from_one_network_have_to_wait() {
    let app = TestApp::start_with(|settings| {
        with_fixtures(settings);
        set(settings, "forms", "burst", 2);
        set(settings, "forms", "per_minute", 1);
    })
    .await;
    let nikki = app.visitor();
    let mut statuses = Vec::new();
    for n in 0..3 {
        let body = filled(&nikki, "newsletter", &format!("n{n}@acme")).await;
        statuses.push(app.post("/v1/forms/newsletter", &body).await);
    }
    let last = statuses.pop().expect("three");
    assert!(!last.header("retry-after").is_empty());
    last.expect_problem(429, "limit.too_many");
}

#[tokio::test]
async fn links_that_are_forged_expired_revoked_or_for_something_else_open_nothing() {
    let app = app_with_files().await;
    let answer = submit(&app.visitor(), "white-paper", "nikki@acme.example").await;
    let link = guide_link(&answer);
    let (nikki, _) = contact(&app, "nikki@acme.example").await;

    let mut forged = link.clone();
    forged.insert(5, 'x');
    let page = app.get(&forged).await.expect(404);
    assert!(page.body.contains("No conocemos este enlace") || page.body.contains("enlace"), "{}", page.body);
    app.get(&format!("{forged}/file")).await.expect(404);

    let now = app.now();
    let mut claims = Keys::claims("reading-guide", now, now.plus_ms(HOUR_MS));
    claims.contact = Some(nikki.to_string());
    let wrong_purpose = app.app.keys.sign(Purpose::Recording, &claims);
    app.get(&format!("/d/{wrong_purpose}/file")).await.expect(404);
    let for_nobody =
        app.app.keys.sign(Purpose::Asset, &Keys::claims("reading-guide", now, now.plus_ms(HOUR_MS)));
    app.get(&format!("/d/{for_nobody}/file")).await.expect(404);

    let revoked = app.app.keys.sign(Purpose::Asset, &claims);
    app.get(&format!("/d/{revoked}/file")).await.expect(200);
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    gates::revoke(&mut tx, &claims.nonce, now).await.expect("revoked");
    tx.commit().await.expect("commits");
    app.get(&format!("/d/{revoked}/file")).await.expect(410);
    app.client.submit(&format!("/d/{revoked}/file"), &[]).await.expect(410);

    app.clock.advance(7 * DAY_MS);
    let expired = app.get(&link).await.expect(410);
    assert!(expired.body.contains("/d/renew"), "{}", expired.body);
    app.get(&format!("{link}/file")).await.expect(410);
    assert!(!kinds(&app, "activities").await.contains(&"asset.downloaded".to_owned()));
}

#[tokio::test]
async fn whoever_sends_too_often_reads_so_in_words_and_keeps_what_was_typed() {
    let app = TestApp::start().await;
    let send = async || {
        let typed = [("email", "nikki@acme.example"), ("nonce", "none")];
        app.client.submit("/f/white-paper?lang=es", &typed).await
    };
    let mut answer = send().await;
    for _ in 0..60 {
        if answer.status == 429 {
            break;
        }
        answer = send().await;
    }
    let page = answer.expect(429);
    assert!(page.body.contains("Ha sido mucho en poco tiempo. Vuelve a intentarlo en"), "{}", page.body);
    assert!(page.body.contains("segundo") || page.body.contains("minuto"), "{}", page.body);
    assert!(page.body.contains("value=\"nikki@acme.example\""), "what was typed is kept: {}", page.body);
    assert!(!page.body.contains(" ms") && !page.body.contains("Too many"), "{}", page.body);
    assert!(page.header("retry-after").parse::<u32>().is_ok());
}

#[tokio::test]
async fn an_expired_link_is_renewed_by_mail_to_the_address_it_was_made_for() {
    let app = app_with_files().await;
    let answer = submit(&app.visitor(), "white-paper", "nikki@acme.example").await;
    let link = guide_link(&answer);
    let token = link.trim_start_matches("/d/").to_owned();
    app.clock.advance(8 * DAY_MS);
    let page = app.client.submit("/d/renew", &[("token", &token), ("lang", "es")]).await.expect(200);
    assert!(!page.body.contains("nikki"), "the address is not shown");
    app.run_jobs().await;
    assert_eq!(links_mailed(&app, "nikki@acme.example").await, 2, "the first and the new one");
    let events = kinds(&app, "events").await;
    assert_eq!(
        events.iter().filter(|kind| *kind == "form_submitted").count(),
        1,
        "nothing was filled in anew"
    );
    assert_eq!(app.count("form_submissions").await, 1);
    app.client.submit("/d/renew", &[("token", "nonsense")]).await.expect(404);
    for _ in 0..4 {
        app.client.submit("/d/renew", &[("token", &token)]).await;
    }
    let often = app.client.submit("/d/renew?lang=es", &[("token", &token)]).await.expect(429);
    assert!(often.body.contains("Vuelve a intentarlo en") && often.body.contains(&token), "{}", often.body);
}

#[tokio::test]
async fn a_dead_link_of_whoever_was_set_apart_is_answered_word_for_word_like_anybodys() {
    let app = app_with_files().await;
    let token = |answer: &Value| guide_link(answer).trim_start_matches("/d/").to_owned();
    let nikkis = token(&submit(&app.visitor(), "white-paper", "nikki@acme.example").await);
    let visitor = app.visitor();
    let mut sent = filled(&visitor, "white-paper", "eve@cheap.example").await;
    sent["website"] = json!("https://cheap.example");
    let client = app.client.with("origin", SITE);
    let trapped = token(&client.post("/v1/forms/white-paper", &sent).await.expect_json(200));
    assert_eq!(app.count("form_quarantine").await, 1);
    app.run_jobs().await;
    app.clock.advance(8 * DAY_MS);
    let asked = async |token: &str| {
        let answer = app.client.submit("/d/renew?lang=es", &[("token", token)]).await;
        let mut headers: Vec<(String, String)> = answer
            .headers
            .iter()
            .filter(|(name, _)| name.as_str() != "date")
            .map(|(name, value)| (name.to_string(), value.to_str().expect("a text").to_owned()))
            .collect();
        headers.sort_unstable();
        (answer.status, headers, answer.body.replace(token, "TOKEN"))
    };
    // The first is answered, and so are the next two; then it is too often, for both.
    for turn in 0..4 {
        let jobs = app.count("jobs").await;
        let hers = asked(&nikkis).await;
        let between = app.count("jobs").await;
        let nobodys = asked(&trapped).await;
        assert_eq!(hers, nobodys, "{turn}");
        assert_eq!(hers.0, if turn < 3 { 200 } else { 429 });
        // The same work was planned for both: neither waits for a shorter time.
        assert_eq!(between - jobs, app.count("jobs").await - between, "{turn}");
    }
    app.run_jobs().await;
    assert_eq!(links_mailed(&app, "nikki@acme.example").await, 4, "the first and three new ones");
    assert_eq!(links_mailed(&app, "eve@cheap.example").await, 0);
    let dead = app.rows("select id from jobs where state = 'dead'").await;
    assert!(dead.is_empty(), "what is for nobody is dropped");
    assert_eq!(app.count("contacts").await, 1);
}

/// The mails with a file that went to an address.
async fn links_mailed(app: &TestApp, email: &str) -> usize {
    let rows = app.rows("select recipient from mails where template = 'asset_link'").await;
    rows.iter().filter(|row| row.get::<String>("recipient").expect("a text") == email).count()
}

#[tokio::test]
async fn the_new_link_to_a_file_that_was_opened_at_once_comes_by_mail_and_works() {
    let app = TestApp::start_with(|settings| {
        with_fixtures(settings);
        let fixture = repository("tests/it/fixtures/content.yaml");
        let text =
            std::fs::read_to_string(fixture).expect("readable").replace("deliver: both", "deliver: inline");
        let own = |name: &str, text: String| {
            let own = std::env::temp_dir().join(format!("{name}-{}.yaml", embudo::base::ids::new_key()));
            std::fs::write(&own, text).expect("written");
            own.display().to_string()
        };
        set(settings, "definitions", "content", own("content", text));
        // What is handed out at once is not for a kiosk.
        let forms = std::fs::read_to_string(repository("tests/it/fixtures/forms.yaml")).expect("readable");
        let forms = forms.replace("delivers: reading-guide\n    kiosk: true", "delivers: reading-guide");
        set(settings, "definitions", "forms", own("forms", forms));
    })
    .await;
    let files = app.folder().join("files");
    std::fs::create_dir_all(&files).expect("a folder");
    std::fs::write(files.join("reading-guide.es.pdf"), GUIDE).expect("written");
    let answer = submit(&app.visitor(), "white-paper", "nikki@acme.example").await;
    let token = guide_link(&answer).trim_start_matches("/d/").to_owned();
    app.run_jobs().await;
    assert_eq!(links_mailed(&app, "nikki@acme.example").await, 0);
    app.clock.advance(8 * DAY_MS);
    app.get(&format!("/d/{token}")).await.expect(410);
    app.client.submit("/d/renew", &[("token", &token), ("lang", "es")]).await.expect(200);
    app.run_jobs().await;
    assert_eq!(links_mailed(&app, "nikki@acme.example").await, 1);
    let text = app.rows("select text_body from mails where template = 'asset_link'").await;
    let text = text[0].get::<String>("text_body").expect("a text");
    let at = text.find("/d/").expect("a link");
    let link = text[at..].split([' ', '\n', '?']).next().expect("a path").to_owned();
    app.get(&link).await.expect(200);
}

#[tokio::test]
async fn an_inbox_is_not_flooded_by_whoever_types_its_address_into_forms() {
    let app = TestApp::start_with(|settings| {
        with_fixtures(settings);
        set(settings, "forms", "burst", 100);
    })
    .await;
    let victim = "nikki@acme.example";
    let alike = async || {
        let answer = submit(&app.visitor(), "white-paper", victim).await;
        app.run_jobs().await;
        (answer["title"].clone(), answer["message"].clone(), answer["link"].is_string())
    };
    let first = alike().await;
    for _ in 0..3 {
        assert_eq!(alike().await, first, "whoever sends it again is answered like anybody");
    }
    assert_eq!((links_mailed(&app, victim).await, app.count("form_submissions").await), (1, 4));
    submit(&app.visitor(), "white-paper", "dwight@acme.example").await;
    app.run_jobs().await;
    assert_eq!(links_mailed(&app, "dwight@acme.example").await, 1, "others are not held up");
    for _ in 0..8 {
        app.clock.advance(10 * MINUTE_MS);
        assert_eq!(alike().await, first);
    }
    assert_eq!(links_mailed(&app, victim).await, 5, "so many a day");
    app.clock.advance(DAY_MS);
    alike().await;
    assert_eq!(links_mailed(&app, victim).await, 6);
}

#[tokio::test]
async fn the_hosted_form_works_without_a_script_and_keeps_what_was_typed() {
    let app = app_with_files().await;
    let page = app.get("/f/white-paper?site=faro&lang=en").await.expect(200);
    assert!(page.body.contains("Reading together at work"));
    let nonce = hidden(&page.body, "nonce");
    app.clock.advance(3_000);
    let action = "/f/white-paper?site=faro&lang=en";
    let wrong = app.client.submit(action, &[("email", "nikki@acme"), ("nonce", &nonce)]).await.expect(422);
    assert!(wrong.body.contains("value=\"nikki@acme\""), "{}", wrong.body);
    assert!(wrong.body.contains("missing its ending"));
    let nonce = hidden(&wrong.body, "nonce");
    app.clock.advance(3_000);
    let fields = [("email", "nikki@acme.example"), ("nonce", nonce.as_str()), ("agreed", "newsletter")];
    let done = app.client.submit(action, &fields).await.expect(200);
    assert!(done.body.contains("Your guide is ready") && done.body.contains("/d/"));
    assert_eq!(
        (contact(&app, "nikki@acme.example").await.1.as_str(), app.count("consents").await),
        ("lead", 1)
    );
    app.get("/f/nothing").await.expect(404);
}

#[tokio::test]
async fn what_is_typed_into_a_form_is_shown_as_text_and_never_as_markup() {
    let app = app_with_files().await;
    let page = app.get("/f/white-paper?site=faro").await.expect(200);
    let (nonce, evil) = (hidden(&page.body, "nonce"), "\"><script>alert(1)</script>");
    app.clock.advance(3_000);
    let again = app
        .client
        .submit("/f/white-paper?site=faro", &[("email", evil), ("nonce", &nonce)])
        .await
        .expect(422);
    assert!(!again.body.contains("<script>alert"), "{}", again.body);
}

#[tokio::test]
async fn a_recording_is_played_in_ranges_and_only_by_its_link() {
    let app = app_with_files().await;
    let (_, recording) = app.app.webinars.recording("reading-culture-short").expect("it is there");
    let token = embudo::webinars::recording_link(&app.app.keys, recording, None, app.now());
    let part = app.client.with("range", "bytes=100-199").get(&format!("/r/{token}")).await.expect(206);
    assert_eq!(part.header("content-range"), "bytes 100-199/10000");
    assert_eq!(part.header("content-type"), "video/mp4");
    assert_eq!(part.header("content-encoding"), "", "Firefox refuses to play `identity`");
    let packed = app
        .client
        .with("accept-encoding", "gzip")
        .with("range", "bytes=0-")
        .get(&format!("/r/{token}"))
        .await;
    assert_eq!(packed.expect(206).header("content-encoding"), "");
    app.client.with("range", "bytes=10000-").get(&format!("/r/{token}")).await.expect(416);
    let captions = app.get(&format!("/r/{token}/es.vtt")).await.expect(200);
    assert!(captions.header("content-type").starts_with("text/vtt"));
    assert_eq!(captions.header("access-control-allow-origin"), "*");
    app.get("/r/nonsense").await.expect_problem(404, "token.forged");
    app.clock.advance(2 * DAY_MS);
    app.get(&format!("/r/{token}")).await.expect_problem(410, "token.expired");
}

#[tokio::test]
async fn a_page_of_another_origin_cannot_confirm_for_somebody() {
    let app = app_with_files().await;
    let body = json!({"token": "x", "visitor": VisitorId::new()});
    let stranger = app.client.with("origin", "https://elsewhere.example");
    stranger.post("/v1/confirm", &body).await.expect_problem(403, "site.foreign_origin");
    app.post("/v1/confirm", &body).await.expect_problem(404, "token.forged");
    app.post("/v1/confirm", &json!({"token": "x", "visitor": "me"}))
        .await
        .expect_problem(400, "request.malformed");
}

/// The value of a hidden input.
pub fn hidden(page: &str, name: &str) -> String {
    let mark = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&mark).unwrap_or_else(|| panic!("no hidden {name} in {page}"));
    rest.split('"').next().expect("a closing quote").replace("&#x3D;", "=")
}
