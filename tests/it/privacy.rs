//! What a person may demand of what is known about her.

use std::collections::BTreeSet;
use std::path::Path;

use embudo::app::App;
use embudo::base::email::Email;
use embudo::base::ids::{ContactId, VisitorId};
use embudo::base::language::Language;
use embudo::base::time::DAY_MS;
use embudo::bookings::{self, Desk, Holder, Pick};
use embudo::chat::{self, Page, Visit};
use embudo::config::Retention;
use embudo::contacts::{self, Consent, ConsentEntry, Trust};
use embudo::privacy::{self, audit::By};
use embudo::storage::db::{Db, HITS, JOURNEY, Queries, Sql};
use serde_json::{Value, json};

use crate::gates::{contact, submit};
use crate::people::{app, holder, program};
use crate::support::answer::Answer;
use crate::support::app::{TestApp, repository, set};
use crate::support::stores::fresh_postgres;

const NIKKI: &str = "nikki@acme.example";

/// Nikki, of whom every part of the journey knows something, and what a search for her would look for.
struct Known {
    id: ContactId,
    device: String,
    secrets: Vec<String>,
}

async fn consent(app: &TestApp, id: ContactId, entry: &ConsentEntry<'_>) {
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    contacts::note_consent(&mut tx, Some(id), None, entry, app.now()).await.expect("noted");
    tx.commit().await.expect("commits");
}

async fn everywhere(app: &TestApp) -> Known {
    let nikki = app.visitor();
    nikki.visit("/precios").await;
    let mut event = nikki.hit("/precios");
    event["name"] = json!("quote");
    event["props"] = json!({"who": NIKKI});
    nikki.report(&event).await.expect(202);
    app.run_jobs().await;
    submit(&nikki, "white-paper", NIKKI).await;
    let (id, _) = contact(app, NIKKI).await;
    let device = VisitorId::parse(&nikki.id).expect("an id");

    let mut tx = app.app.stores.db.begin().await.expect("begins");
    for (name, value) in [("first_name", "Nikki"), ("last_name", "Grantham"), ("phone", "+34600111222")] {
        contacts::set_field(&mut tx, id, name, value, "chat", Trust::Confirmed, app.now())
            .await
            .expect("set");
    }
    let webinar = app.app.webinars.webinars.first().expect("a webinar").clone();
    embudo::webinars::register(&mut tx, &app.app.lifecycle, &webinar, id, Some(device), app.now())
        .await
        .expect("registered");
    let meeting = app.app.team.meeting("discovery").expect("a meeting");
    let window = bookings::slots::Span::new(app.now(), app.now().plus_ms(7 * DAY_MS));
    let holder = Holder { visitor: Some(device), conversation: None };
    let free = bookings::slots(&mut tx, &app.app.team, meeting, window, &holder, None, app.now())
        .await
        .expect("slots");
    let pick = Pick {
        meeting: "discovery",
        starts_at: free.first().expect("somebody is free").starts_at,
        duration_ms: None,
        time_zone: "Europe/Madrid",
        language: Language::Es,
        holder,
        contact: Some(id),
    };
    let desk = Desk { team: &app.app.team, lifecycle: &app.app.lifecycle };
    let said = bookings::Said { notes: Some("a reading club for Grantham"), answers: None };
    bookings::book(&mut tx, desk, &pick, id, &said, app.now()).await.expect("booked");
    tx.commit().await.expect("commits");

    let visit = Visit {
        site: "faro".to_owned(),
        visitor: Some(device),
        consent: Consent::Analytics,
        page: Page { url: "https://faro.example/precios".to_owned(), ..Page::default() },
        language: Language::Es,
        zone: "Europe/Madrid".to_owned(),
        is_hosted: false,
    };
    chat_with(app, visit).await;
    consent(app, id, &ConsentEntry::of("marketing", "withdrawn")).await;
    let program = program(app);
    program
        .post(&format!("/api/v1/contacts/{id}/addresses"), &json!({"email": "nikki@home.example"}))
        .await
        .expect(204);
    app.client
        .post(
            "/v1/identify/code",
            &json!({"site": "faro", "visitor": nikki.id, "consent": "analytics", "email": NIKKI}),
        )
        .await
        .expect(202);
    app.run_jobs().await;
    let secrets =
        [NIKKI, "nikki@home.example", "Grantham", "+34600111222", nikki.id.as_str(), "Quiero un club"];
    Known { id, device: nikki.id.clone(), secrets: secrets.map(str::to_owned).to_vec() }
}

async fn chat_with(app: &TestApp, visit: Visit) {
    let opened = chat::open(&app.app.room, &visit, Some("welcome"), app.now()).await.expect("opened");
    let said = chat::body::Said::Text { text: "Quiero un club de lectura".to_owned() };
    let client_id = VisitorId::new().to_string();
    chat::say(&app.app.room, opened.conversation.id, &client_id, &said, app.now()).await.expect("said");
}

/// Every table of both schemas with its columns.
async fn schema(db: &Db) -> Vec<(String, String)> {
    let text = match db {
        Db::Sqlite(_) => {
            "select m.name as t, c.name as c from sqlite_master m, pragma_table_info(m.name) c
             where m.type = 'table' and m.name not like 'sqlite_%'"
        }
        Db::Postgres(_) => {
            "select cast(c.table_name as text) as t, cast(c.column_name as text) as c
             from information_schema.columns c
             join information_schema.tables t on t.table_name = c.table_name and t.table_schema = c.table_schema
             where c.table_schema = 'public' and t.table_type = 'BASE TABLE'"
        }
    };
    let rows = db.read().query(Sql(text), &[]).await.expect("the schema");
    rows.iter().map(|row| (row.get("t").expect("a name"), row.get("c").expect("a name"))).collect()
}

/// Whether a column could lead to a person.
fn is_personal(column: &str) -> bool {
    let telling = ["contact", "visitor", "viewer", "email", "recipient", "conversation", "address", "phone"];
    telling.iter().any(|word| column.contains(word))
        || matches!(column, "merged_id" | "survivor_id" | "payload" | "body")
}

/// Tables of hits that hold visitors, and why they are in no list: `hits::unlink` takes people out of them.
const UNLINKED: [&str; 2] = ["hits", "visits"];
/// Other tables with such a column, each with the reason why nobody is in it.
const NOBODY: &[(&str, &str)] = &[
    ("traffic_hours", "sketches of how many, from which nobody can be read"),
    ("traffic_days", "sketches of how many, from which nobody can be read"),
    ("traffic_closed", "counts and sketches"),
    ("traffic_resting", "counts and sketches"),
    ("lifecycle_versions", "the text of the definition"),
    ("lifecycle_texts", "the text of the definition"),
    ("kept_texts", "the texts of the files that the company writes"),
    ("team_known", "colleagues, as the company's own file says them"),
    (
        "segment_fills",
        "how far everybody has been asked about a segment: an id, and of an erased person it leads nowhere",
    ),
];

#[tokio::test]
async fn every_table_that_could_hold_somebody_is_erased_exported_or_kept_for_a_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let beside = folder.path().join("hits.db");
    let hits = Db::open_sqlite(&beside, HITS).await.expect("SQLite");
    let journey =
        Db::open_sqlite_beside(&folder.path().join("embudo.db"), &beside, JOURNEY).await.expect("SQLite");
    let mut databases = vec![hits, journey];
    if let Some(url) = fresh_postgres().await {
        databases.push(Db::open_postgres(&url, 2, JOURNEY).await.expect("PostgreSQL"));
    }
    let later = App::later_tables();
    let listed = privacy::tables(&later);
    for db in &databases {
        let columns = schema(db).await;
        assert!(columns.len() > 20, "{columns:?}");
        let tables: BTreeSet<&str> = columns
            .iter()
            .filter(|(_, column)| is_personal(column))
            .map(|(table, _)| table.as_str())
            .collect();
        let missing: Vec<&str> = tables
            .into_iter()
            .filter(|table| !listed.iter().any(|known| known.table == *table))
            .filter(|table| !UNLINKED.iter().any(|known| table == known || table.starts_with("hits_")))
            .filter(|table| !NOBODY.iter().any(|(known, _)| known == table))
            .collect();
        assert!(
            missing.is_empty(),
            "{}: tables that could hold somebody and that no `PERSONAL` list names: {missing:?}",
            db.engine()
        );
    }
    for table in listed {
        let is_whole = table.export.is_some() && table.erase.is_some();
        assert!(
            is_whole || !table.because.is_empty(),
            "{}: neither exported nor erased, and no reason",
            table.table
        );
    }
}

/// All that the journey's tables and the hits say, as one text.
async fn everything(app: &TestApp) -> String {
    let mut text = String::new();
    for db in [&app.app.stores.db, &app.app.stores.hits] {
        let tables: BTreeSet<String> = schema(db).await.into_iter().map(|(table, _)| table).collect();
        for table in tables.into_iter().filter(|table| table != "words" && table != "migrations") {
            let read = Box::leak(format!("select * from {table}").into_boxed_str());
            let rows = db.read().query(Sql(read), &[]).await.expect("rows");
            for row in rows {
                text.push_str(&format!("{table} {row:?}\n"));
            }
        }
    }
    text
}

/// Whether the bytes of a text stand in the files of the journey's database.
fn is_in_files(app: &TestApp, text: &str) -> bool {
    let data = &app.app.config.storage.data;
    ["embudo.db", "embudo.db-wal"].into_iter().any(|name| {
        let bytes = std::fs::read(Path::new(data).join(name)).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

fn bytes_of(id: &str) -> String {
    format!("{:?}", VisitorId::parse(id).expect("an id").uuid().as_bytes().to_vec())
}

#[tokio::test]
async fn after_erasure_nothing_leads_to_her_and_the_counts_stay() {
    let app = app().await;
    let known = everywhere(&app).await;
    submit(&app.visitor(), "white-paper", "dwight@acme.example").await;
    app.run_jobs().await;
    let before = everything(&app).await;
    let mut secrets = known.secrets.clone();
    secrets.push(bytes_of(&known.device));
    for secret in &secrets {
        assert!(before.contains(secret), "the test would find nothing: {secret}");
    }
    if app.app.stores.db.engine() == "sqlite" {
        assert!(is_in_files(&app, "nikki@acme.example"), "the test reads other files");
    }
    let path = format!("/api/v1/contacts/{}/erase", known.id);
    let program = program(&app);

    let dry = program.post(&path, &json!({"dry_run": true})).await.expect_json(200);
    assert_eq!(everything(&app).await, before, "a dry run changes nothing");

    let report = program.post(&path, &json!({})).await.expect_json(200);
    let tables = |report: &Value| report["rows"].clone();
    assert_eq!(tables(&dry), tables(&report), "and says what would go");
    assert_eq!(
        (report["calls_cancelled"].as_i64(), report["refusals_kept"].clone()),
        (Some(1), json!(["marketing"]))
    );
    assert!(report["hits"].as_i64() >= Some(2) && report["visits"] == 1, "{report}");
    assert!(report["remains"].as_array().is_some_and(|list| list.contains(&json!("backups"))));

    let after = everything(&app).await;
    for secret in &secrets {
        let left: Vec<&str> = after.lines().filter(|line| line.contains(secret.as_str())).collect();
        assert!(left.is_empty(), "{secret} is still there:\n{}", left.join("\n"));
    }
    if app.app.stores.db.engine() == "sqlite" {
        assert!(!report["remains"].as_array().is_some_and(|list| list.contains(&json!("dead_rows"))));
        for secret in &known.secrets {
            assert!(!is_in_files(&app, secret), "{secret} can be read from the file");
        }
    }
    let left: Vec<&str> = after.lines().filter(|line| line.contains(&known.id.to_string())).collect();
    assert!(
        left.iter().all(|line| line.starts_with("audit ")),
        "her id is only in the audit:\n{}",
        left.join("\n")
    );
    // The slot's history is kept, with nobody in it; hits and visits are kept, and lead to nobody.
    let calls = app.rows("select state, contact_id, notes from bookings").await;
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].get::<String>("state").expect("a word"), "cancelled");
    assert!(app.count("hits").await >= 2);
    // Dwight is not touched.
    contact(&app, "dwight@acme.example").await;
    assert!(after.contains("dwight@acme.example"));

    program.post(&path, &json!({})).await.expect_problem(404, "contact.unknown");
    app.run_jobs().await;
    assert_eq!(app.rows("select id from mails where recipient = 'nikki@acme.example'").await.len(), 0);
}

#[tokio::test]
async fn what_she_refused_outlives_her_erasure_as_a_digest() {
    let app = app().await;
    let known = everywhere(&app).await;
    let later = App::later_tables();
    let app_ = &app.app;
    privacy::erase(&app_.stores, &app_.keys, &later, known.id, By::Cli, false, app.now())
        .await
        .expect("erased");
    let kept = app.rows("select digest, purpose from kept_refusals").await;
    assert_eq!(kept.len(), 2, "one for each of her addresses");
    assert!(!format!("{kept:?}").contains("nikki"));

    submit(&app.visitor(), "white-paper", NIKKI).await;
    let (id, _) = contact(&app, NIKKI).await;
    assert_ne!(id, known.id, "she begins anew");
    let email = Email::parse(NIKKI).expect("an address");
    let refused = async || {
        let mut q = app_.stores.db.read();
        privacy::refuses_invitations(&mut q, &app_.keys, id, &email).await.expect("read")
    };
    assert!(refused().await);
    consent(&app, id, &ConsentEntry::of("marketing", "granted")).await;
    assert!(!refused().await, "a new yes counts more than an old no");
}

#[tokio::test]
async fn uses_grounds_and_processors_are_told_to_visitors_in_the_console_and_in_the_export() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let shipped = std::fs::read_to_string(repository("config/privacy.yaml")).expect("read");
    let notice = written(
        "privacy.yaml",
        &shipped.replace(
            "processors: []\n",
            "controller: Faro Books Ltd\nprocessors:\n  \
             - {name: Example Hosting, does: {en: Runs the server, es: Aloja el servidor}, country: DE}\n  \
             - {name: Example Mail Inc., does: {en: Sends mails, es: Envía correos}, instead_of: [mail]}\n",
        ),
    );
    let crm = written(
        "crm.yaml",
        "connections:\n  - {name: sales, kind: pipedrive, url: 'https://api.pipedrive.com/api/v2', token: a-token-of-pipedrive}\n",
    );
    let app = TestApp::start_with_mail_and(|settings| {
        set(settings, "definitions", "privacy", notice);
        set(settings, "definitions", "crm", crm);
        set(settings, "api", "people_keys", vec![crate::people::PEOPLE_KEY]);
    })
    .await;
    let page = app.get("/privacy?lang=en").await.expect(200).body;
    for part in [
        "Faro Books Ltd",
        "Ground: your consent",
        "Ground: our interest",
        "<strong>Example Hosting</strong> (DE): Runs the server",
        "<strong>Pipedrive</strong>: Keeps contacts",
        "<strong>Example Mail Inc.</strong>",
        "/preferences?site&#x3D;faro",
    ] {
        assert!(page.contains(part), "{part} is missing: {page}");
    }
    assert!(!page.contains("127.0.0.1"), "the mail server goes by its name");
    let spanish = app.get("/privacy?lang=es").await.expect(200).body;
    assert!(spanish.contains("Fundamento: tu consentimiento") && spanish.contains("Aloja el servidor"));

    let mut nikki = app.visitor();
    crate::letters::subscribe(&app, &mut nikki, NIKKI).await;
    let (id, _) = contact(&app, NIKKI).await;
    let ana = crate::console::agent(&app, embudo::accounts::Role::Marketing).await;
    let page = ana.sees(&format!("/console/contacts/{id}")).await;
    for part in [
        "Purposes and grounds",
        "<dt>Calls that you book</dt><dd>asked for</dd>",
        "Handled for us by",
        "Pipedrive",
    ] {
        assert!(page.contains(part), "{part} is missing: {page}");
    }
    assert!(page.contains("· consent</span>"), "her yes to the letters rests on it: {page}");
    let export = program(&app).get(&format!("/api/v1/contacts/{id}/export")).await.expect(200);
    assert!(export.header("content-type").starts_with("application/zip"));
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let notice = |language| app.app.privacy_told(language);
    let (bot, later) = (&app.app.room.bot, App::later_tables());
    let export = privacy::export(&mut tx, &app.app.lifecycle, bot, &later, &notice, id, app.now())
        .await
        .expect("exported");
    let data: Value = serde_json::from_str(export.file("data.json").expect("data.json")).expect("JSON");
    assert_eq!(data["controller"], "Faro Books Ltd");
    let of = |name: &str| {
        data["purposes"].as_array().expect("a list").iter().find(|one| one["id"] == name).cloned()
    };
    assert_eq!(of("letters").expect("told")["basis"], "consent");
    let names: Vec<&str> = data["processors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, ["Example Hosting", "Example Mail Inc.", "Pipedrive"]);
}

#[tokio::test]
async fn an_export_holds_all_that_is_known_and_why() {
    let app = app().await;
    let known = everywhere(&app).await;
    let visitor = app.visitor();
    let mut odd = visitor.fill("white-paper", json!({ "email": NIKKI })).await;
    odd["website"] = json!("https://odd.example");
    let apart = visitor.post("/v1/forms/white-paper", &odd).await.expect_json(200);
    assert!(apart["message"].is_string(), "answered like anybody: {apart}");
    let path = format!("/api/v1/contacts/{}/export", known.id);
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let (bot, later) = (&app.app.room.bot, App::later_tables());
    let notice = |language| app.app.privacy_told(language);
    let export = privacy::export(&mut tx, &app.app.lifecycle, bot, &later, &notice, known.id, app.now())
        .await
        .expect("exported");
    drop(tx);
    let data: Value = serde_json::from_str(export.file("data.json").expect("data.json")).expect("JSON");
    let whole = data.to_string();
    for told in &known.secrets {
        assert!(whole.contains(told), "{told} is not told");
    }
    for table in [
        "contacts",
        "contact_fields",
        "visitors",
        "activities",
        "consents",
        "form_submissions",
        "form_quarantine",
        "webinar_registrations",
        "bookings",
        "conversations",
        "mails",
        "contact_emails",
        "stage_intervals",
    ] {
        assert!(
            data["data"][table].as_array().is_some_and(|rows| !rows.is_empty()),
            "{table}: {}",
            data["data"][table]
        );
        assert!(export.file(&format!("{table}.csv")).is_some(), "{table}.csv");
    }
    assert_eq!(data["data"]["visits"][0]["trail"][0]["path"], "/precios");
    let chat = export.files.iter().find(|(name, _)| name.starts_with("chats/")).expect("a transcript");
    assert!(chat.1.contains("visitor: Quiero un club de lectura"), "{}", chat.1);
    let why: Value = serde_json::from_str(export.file("explanation.json").expect("explained")).expect("JSON");
    assert!(why["score"]["engagement"]["rows"].as_array().is_some_and(|rows| !rows.is_empty()), "{why}");

    let zip =
        app.client.with("authorization", &format!("Bearer {}", crate::people::PEOPLE_KEY)).get(&path).await;
    let zip = zip.expect(200);
    assert_eq!(zip.header("content-type"), "application/zip");
    assert!(zip.body.starts_with("PK"));
    let audit = program(&app).get("/api/v1/audit").await.expect_json(200);
    assert_eq!(audit["entries"][0]["action"], "exported", "{audit}");
    let nobody = format!("/api/v1/contacts/{}/export", ContactId::new());
    program(&app).get(&nobody).await.expect_problem(404, "contact.unknown");
}

#[tokio::test]
async fn another_wording_under_the_same_id_is_another_version() {
    let app = app().await;
    submit(&app.visitor(), "white-paper", NIKKI).await;
    let (id, _) = contact(&app, NIKKI).await;
    let agree = async |text: &str, language: Language, name: &str| {
        let text = Some((name, language, text));
        let page = Some("https://faro.example/guia");
        let form = Some("white-paper");
        consent(&app, id, &ConsentEntry { text, form, page, ..ConsentEntry::of("newsletter", "granted") })
            .await;
    };
    agree("Yes to one mail a month.", Language::En, "newsletter").await;
    agree("Yes to one mail a week.", Language::En, "newsletter").await;
    agree("Yes to one mail a month.", Language::En, "newsletter").await;
    agree("Sí a un correo al mes.", Language::Es, "newsletter").await;
    agree("Yes to one mail a week.", Language::En, "other").await;
    let ledger = contacts::consents(&mut app.app.stores.db.read(), id).await.expect("read");
    let told: Vec<(Option<&str>, Option<i64>)> =
        ledger.iter().rev().map(|record| (record.text_id.as_deref(), record.version)).collect();
    let of = |name: &'static str, version: i64| (Some(name), Some(version));
    // The box of the form, which was left empty in Spanish, is the first version of the text in that language.
    assert_eq!(
        told,
        [
            of("newsletter", 1),
            of("newsletter", 1),
            of("newsletter", 2),
            of("newsletter", 1),
            of("newsletter", 2),
            of("other", 1)
        ]
    );
    let last = ledger.first().expect("an entry");
    let hash = embudo::base::signing::sha256_hex("Yes to one mail a week.");
    assert_eq!((last.hash.as_deref(), last.language), (Some(hash.as_str()), Some(Language::En)));
    assert_eq!(
        (last.form.as_deref(), last.text.as_deref()),
        (Some("white-paper"), Some("Yes to one mail a week."))
    );
}

#[tokio::test]
async fn who_objects_to_profiling_has_no_engagement_and_is_not_moved_by_scores() {
    let app = app().await;
    let nikki = app.visitor();
    for _ in 0..3 {
        nikki.visit("/precios").await;
        app.later(DAY_MS).await;
    }
    submit(&nikki, "white-paper", NIKKI).await;
    let (id, _) = contact(&app, NIKKI).await;
    let explain = async || {
        let mut q = app.app.stores.db.read();
        embudo::stages::explain(&mut q, &app.app.lifecycle, id, app.now()).await.expect("explained")
    };
    assert!(explain().await.score.engagement.points > 0.0);
    let program = program(&app);
    let path = format!("/api/v1/contacts/{id}/profiling");
    program.post(&path, &json!({"off": true})).await.expect(204);
    let why = explain().await;
    assert!(why.score.engagement.points.abs() < f64::EPSILON);
    let rows: Vec<&str> = why.score.engagement.rows.iter().map(|row| row.rule.as_str()).collect();
    assert_eq!(rows, ["profiling.off"]);

    // She fits and would be engaged enough; no score moves her.
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    for (name, value) in
        [("job_title", "VP People"), ("employees", "300"), ("country", "ES"), ("industry", "software")]
    {
        contacts::set_field(&mut tx, id, name, value, "chat", Trust::Confirmed, app.now())
            .await
            .expect("set");
    }
    for number in 0..4 {
        let subject = format!("guide-{number}");
        contacts::record(&mut tx, Some(id), None, "asset.downloaded", Some(&subject), json!({}), app.now())
            .await
            .expect("recorded");
    }
    let moved =
        embudo::stages::evaluate(&mut tx, &app.app.lifecycle, id, app.now()).await.expect("evaluated");
    assert_eq!(moved, []);
    tx.commit().await.expect("commits");
    let ledger = contacts::consents(&mut app.app.stores.db.read(), id).await.expect("read");
    assert_eq!((ledger[0].purpose.as_str(), ledger[0].action.as_str()), ("profiling", "withdrawn"));

    program.post(&path, &json!({"off": false})).await.expect(204);
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let moved =
        embudo::stages::evaluate(&mut tx, &app.app.lifecycle, id, app.now()).await.expect("evaluated");
    assert_eq!(
        moved.iter().map(|step| step.to.as_str()).collect::<Vec<_>>(),
        ["mql"],
        "the same facts, once allowed"
    );
}

#[tokio::test]
async fn whoever_objected_to_profiling_and_was_erased_still_objects_when_she_comes_back() {
    let app = app().await;
    submit(&app.visitor(), "white-paper", NIKKI).await;
    let (id, _) = contact(&app, NIKKI).await;
    let program = program(&app);
    program.post(&format!("/api/v1/contacts/{id}/profiling"), &json!({"off": true})).await.expect(204);
    let own = &app.app;
    let later = App::later_tables();
    privacy::erase(&own.stores, &own.keys, &later, id, By::Cli, false, app.now()).await.expect("erased");
    submit(&app.visitor(), "white-paper", NIKKI).await;
    app.run_jobs().await;
    let (again, _) = contact(&app, NIKKI).await;
    assert_ne!(again, id);
    let objects =
        async |id| contacts::objects_to_profiling(&mut own.stores.db.read(), id).await.expect("read");
    assert!(objects(again).await);
    // What she says now counts more, and is not taken back by what was kept.
    program.post(&format!("/api/v1/contacts/{again}/profiling"), &json!({"off": false})).await.expect(204);
    submit(&app.visitor(), "webinar", NIKKI).await;
    app.run_jobs().await;
    assert!(!objects(again).await);
}

#[tokio::test]
async fn an_objection_to_profiling_follows_a_merge_and_stays_hers_when_it_is_undone() {
    let app = app().await;
    submit(&app.visitor(), "white-paper", NIKKI).await;
    submit(&app.visitor(), "white-paper", "nikki@home.example").await;
    let ((nikki, _), (home, _)) = (contact(&app, NIKKI).await, contact(&app, "nikki@home.example").await);
    let program = program(&app);
    program.post(&format!("/api/v1/contacts/{home}/profiling"), &json!({"off": true})).await.expect(204);
    let own = &app.app;
    let objects =
        async |id| contacts::objects_to_profiling(&mut own.stores.db.read(), id).await.expect("read");
    assert!(!objects(nikki).await);
    program.post(&format!("/api/v1/contacts/{nikki}/merge"), &json!({"with": home})).await.expect(200);
    assert!(objects(nikki).await, "she is one person, and has objected");
    program.post(&format!("/api/v1/contacts/{home}/unmerge"), &json!({})).await.expect(200);
    assert!(!objects(nikki).await && objects(home).await);
}

#[tokio::test]
async fn each_kind_is_forgotten_after_its_days_and_nothing_by_default() {
    let app = app().await;
    let known = everywhere(&app).await;
    let later = App::later_tables();
    let off = Retention {
        unconverted_lead_days: 0,
        transcript_days: 0,
        activity_days: 0,
        mail_days: 0,
        audit_days: 0,
    };
    let retain = async |settings: &Retention, is_dry: bool| {
        let app_ = &app.app;
        let done = privacy::retention::retain(
            &app_.stores,
            &app_.keys,
            &app_.lifecycle,
            &later,
            settings,
            app.now(),
            is_dry,
        );
        let told = done.await.expect("done").into_iter().map(|kind| (kind.kind, kind.count));
        told.collect::<Vec<_>>()
    };
    app.clock.advance(40 * DAY_MS);
    let before = everything(&app).await;
    assert_eq!(retain(&off, false).await, []);
    assert_eq!(everything(&app).await, before);

    let mails = app.count("mails").await;
    assert!(mails > 0);
    let settings = Retention { mail_days: 30, activity_days: 41, ..off.clone() };
    assert_eq!(retain(&settings, true).await, [("activities", 0), ("mails", mails)]);
    assert_eq!(everything(&app).await, before, "a dry run changes nothing");
    retain(&settings, false).await;
    assert_eq!(app.count("mails").await, 0);
    assert!(app.count("activities").await > 0);

    let settings = Retention { transcript_days: 30, audit_days: 30, ..off.clone() };
    assert_eq!(retain(&settings, true).await[0], ("transcripts", 0), "a chat that is open is not old");
    let close = Sql("update conversations set mode = 'closed'");
    app.app.stores.db.execute(close, &[]).await.expect("closed");
    let told = retain(&settings, true).await;
    assert!(told[0] == ("transcripts", 1) && told[1].0 == "audit" && told[1].1 > 0, "{told:?}");
    retain(&settings, false).await;
    for table in ["conversations", "messages", "audit"] {
        assert_eq!(app.count(table).await, 0, "{table}");
    }
    let settings = Retention { activity_days: 30, ..off.clone() };
    retain(&settings, false).await;
    assert_eq!(app.count("activities").await, 0);

    let settings = Retention { unconverted_lead_days: 30, ..off };
    assert_eq!(retain(&settings, true).await, [("unconverted_leads", 0)], "sales has her in hand");
    decide(&app, known.id, "sdr", "reject", Some("timing")).await;
    app.clock.advance(31 * DAY_MS);
    submit(&app.visitor(), "white-paper", "dwight@acme.example").await;
    assert_eq!(retain(&settings, true).await, [("unconverted_leads", 1)]);
    retain(&settings, false).await;
    assert!(holder(&app, &known.device).await.is_none());
    let (dwight, _) = contact(&app, "dwight@acme.example").await;
    assert_eq!(app.rows("select id from contacts").await[0].get::<ContactId>("id").expect("an id"), dwight);
    let audit = app.rows("select actor, action from audit where action = 'erased'").await;
    assert_eq!(audit[0].get::<String>("actor").expect("a word"), "rule");
}

#[tokio::test]
async fn customers_are_no_unconverted_leads() {
    let app = app().await;
    submit(&app.visitor(), "white-paper", NIKKI).await;
    let (id, _) = contact(&app, NIKKI).await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    contacts::record(&mut tx, Some(id), None, "booking.confirmed", Some("x"), json!({}), app.now())
        .await
        .expect("recorded");
    embudo::stages::evaluate(&mut tx, &app.app.lifecycle, id, app.now()).await.expect("evaluated");
    tx.commit().await.expect("commits");
    decide(&app, id, "ae", "won", None).await;
    app.clock.advance(4_000 * DAY_MS);
    assert_eq!(unconverted(&app, 30).await, 0);
    assert_eq!(app.count("contacts").await, 1);
}

/// A person of the company decides about somebody.
async fn decide(app: &TestApp, id: ContactId, role: &str, what: &str, reason: Option<&str>) {
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let decision = embudo::stages::Decision {
        role: role.to_owned(),
        what: what.to_owned(),
        reason: reason.map(str::to_owned),
        actor: embudo::stages::Actor::Api,
    };
    embudo::stages::decide(&mut tx, &app.app.lifecycle, id, &decision, app.now()).await.expect("decided");
    tx.commit().await.expect("commits");
}

/// Erases the unconverted leads of whom nothing was seen for so many days; how many those were.
async fn unconverted(app: &TestApp, days: i64) -> i64 {
    let settings = Retention {
        unconverted_lead_days: days,
        transcript_days: 0,
        activity_days: 0,
        mail_days: 0,
        audit_days: 0,
    };
    let (app_, later) = (&app.app, App::later_tables());
    let done = privacy::retention::retain(
        &app_.stores,
        &app_.keys,
        &app_.lifecycle,
        &later,
        &settings,
        app.now(),
        false,
    );
    done.await.expect("done")[0].count
}

/// A program of the company sends JSON.
async fn tells(app: &TestApp, path: &str, body: &serde_json::Value) -> Answer {
    let body = serde_json::to_vec(body).expect("JSON");
    program(app).send(reqwest::Method::POST, path, Some(("application/json", body))).await
}

#[tokio::test]
async fn a_lead_who_comes_back_is_no_old_one_and_her_page_says_when_she_was_here() {
    let app = app().await;
    let mut nikki = app.visitor();
    nikki.submit("white-paper", NIKKI).await;
    let (id, _) = contact(&app, NIKKI).await;
    for _ in 0..3 {
        app.clock.advance(20 * DAY_MS);
        nikki.visit("/precios").await.expect(202);
        app.run_jobs().await;
    }
    let seen = contacts::find(&mut app.app.stores.db.read(), id).await.expect("read").expect("known");
    assert_eq!(seen.last_seen_at, app.now());
    assert_eq!(unconverted(&app, 30).await, 0, "she was here today");
    // What was noted of her counts like a visit.
    app.clock.advance(29 * DAY_MS);
    let told = json!({"contact": NIKKI, "kind": "social.followed"});
    tells(&app, "/api/v1/events", &told).await.expect(201);
    app.clock.advance(29 * DAY_MS);
    assert_eq!(unconverted(&app, 30).await, 0);
    app.clock.advance(2 * DAY_MS);
    assert_eq!(unconverted(&app, 30).await, 1);
}

#[tokio::test]
async fn whoever_has_a_part_in_an_open_deal_is_no_unconverted_lead() {
    let app = app().await;
    submit(&app.visitor(), "white-paper", NIKKI).await;
    let (id, _) = contact(&app, NIKKI).await;
    let company =
        app.rows("select company_id from contacts").await[0].get::<String>("company_id").expect("one");
    let program = program(&app);
    let deal = json!({"company": company, "name": "A reading club", "amount": 200_000});
    let deal = tells(&app, "/api/v1/deals", &deal).await.expect_json(201)["deal"]["id"].clone();
    let deal = deal.as_str().expect("an id");
    let path = format!("/api/v1/deals/{deal}/people/{id}");
    let champion = serde_json::to_vec(&json!({"role": "champion"})).expect("JSON");
    let put = program.send(reqwest::Method::PUT, &path, Some(("application/json", champion))).await;
    assert!((200..300).contains(&put.status), "{}", put.body);
    app.clock.advance(400 * DAY_MS);
    assert_eq!(unconverted(&app, 30).await, 0);
    tells(&app, &format!("/api/v1/deals/{deal}/lost"), &json!({"reason": "price"})).await.expect(200);
    app.clock.advance(31 * DAY_MS);
    assert_eq!(unconverted(&app, 30).await, 1);
}

#[tokio::test]
async fn erasing_one_who_speaks_for_another_erases_both() {
    let app = app().await;
    submit(&app.visitor(), "white-paper", NIKKI).await;
    submit(&app.visitor(), "white-paper", "nikki@home.example").await;
    let ((work, _), (home, _)) = (contact(&app, NIKKI).await, contact(&app, "nikki@home.example").await);
    let program = program(&app);
    program.post(&format!("/api/v1/contacts/{work}/merge"), &json!({ "with": home })).await.expect(200);
    let behind = format!("/api/v1/contacts/{home}/erase");
    let problem = program.post(&behind, &json!({})).await.expect_problem(409, "contact.merged");
    assert_eq!(problem["contact"], work.to_string());
    program.post(&format!("/api/v1/contacts/{work}/erase"), &json!({})).await.expect(200);
    assert_eq!((app.count("contacts").await, app.count("activities").await), (0, 0));
    let all = everything(&app).await;
    assert!(!all.contains("nikki@"), "{all}");
}

#[tokio::test]
async fn her_own_page_stops_profiling_with_a_button_and_not_by_being_opened() {
    let app = app().await;
    submit(&app.visitor(), "white-paper", NIKKI).await;
    let (id, _) = contact(&app, NIKKI).await;
    let mut claims =
        embudo::base::signing::Keys::claims(privacy::PROFILING, app.now(), app.now().plus_ms(DAY_MS));
    claims.contact = Some(id.to_string());
    let token = app.app.keys.sign(embudo::base::signing::Purpose::Objection, &claims);
    let is_off =
        async || contacts::objects_to_profiling(&mut app.app.stores.db.read(), id).await.expect("read");
    for language in ["en", "es"] {
        let page = app.get(&format!("/profile/{token}?lang={language}")).await.expect(200);
        let says = if language == "en" { "profile" } else { "perfil" };
        assert!(page.body.contains(says), "{}", page.body);
    }
    assert!(!is_off().await);
    app.client.submit(&format!("/profile/{token}?lang=en"), &[]).await.expect(200);
    assert!(is_off().await);
    let audit = program(&app).get("/api/v1/audit").await.expect_json(200);
    assert_eq!(
        (audit["entries"][0]["actor"].as_str(), audit["entries"][0]["action"].as_str()),
        (Some("contact"), Some("changed"))
    );
}

#[tokio::test]
async fn the_command_line_merges_parts_exports_erases_and_says_what_is_kept_how_long() {
    let app = app().await;
    submit(&app.visitor(), "white-paper", NIKKI).await;
    submit(&app.visitor(), "white-paper", "nikki@home.example").await;
    let (id, _) = contact(&app, NIKKI).await;
    let run = |arguments: &[&str]| {
        let config = app.folder().join("embudo.toml");
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_embudo"))
            .args(["--config", &config.display().to_string()])
            .args(arguments)
            .output()
            .expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("a text");
        (done.status.success(), text(done.stdout) + &text(done.stderr))
    };
    let both = ["contact", "merge", NIKKI, "nikki@home.example"];
    let (is_done, told) = run(&[&both[..], &["--dry-run"]].concat());
    assert!(is_done && told.contains("would be merged into nikki@acme.example"), "{told}");
    assert_eq!(app.count("contact_merges").await, 0);
    assert!(run(&both).0);
    let (is_done, told) = run(&both);
    assert!(!is_done && told.contains("the same contact"), "{told}");
    let (is_done, told) = run(&["contact", "unmerge", "nikki@home.example"]);
    assert!(is_done && told.contains("stands on its own again"), "{told}");
    assert!(!run(&["contact", "unmerge", "nikki@home.example"]).0);

    let to = app.folder().join("exported");
    let (is_done, told) = run(&["contact", "export", NIKKI, "--to", &to.display().to_string()]);
    let data = std::fs::read_to_string(to.join(id.to_string()).join("data.json")).expect("written");
    assert!(is_done && data.contains(NIKKI), "{told}");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(to.join(id.to_string()).join("data.json")).expect("there").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600, "nobody else on this machine reads it");

    let (_, told) = run(&["contact", "erase", NIKKI, "--dry-run"]);
    assert!(
        told.contains("would be erased") && told.contains("contacts: 1") && told.contains("backups"),
        "{told}"
    );
    assert_eq!(app.count("contacts").await, 2);
    assert!(run(&["contact", "erase", NIKKI]).0);
    assert_eq!(app.count("contacts").await, 1);
    let (is_done, told) = run(&["contact", "erase", NIKKI]);
    assert!(!is_done && told.contains("there is no contact with the address"), "{told}");
    let (is_done, told) = run(&["retention", "--dry-run"]);
    assert!(is_done && told.contains("people and what they did are kept"), "{told}");
    let acts: Vec<String> = app
        .rows("select action from audit order by at, id")
        .await
        .iter()
        .map(|row| row.get("action").expect("a word"))
        .collect();
    assert_eq!(acts, ["merged", "unmerged", "exported", "erased"]);
}
