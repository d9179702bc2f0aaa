//! `embudo store copy`: what one machine kept in its files goes on in PostgreSQL.

use std::path::Path;
use std::process::Command;

use embudo::accounts::Role;
use embudo::base::time::DAY_MS;
use serde_json::{Value, json};

use crate::console::{agent, log_in};
use crate::support::app::{SITE, TestApp, set};
use crate::support::stores::fresh_postgres;

/// Whether it copied, and what it said.
fn copy(from: &Path, to: &Path) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_embudo"));
    command.args(["store", "copy", "--to"]).arg(to).arg("--config").arg(from);
    let output = command.output().expect("it runs");
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.success(), said.concat())
}

/// On the files of one machine, or on the PostgreSQL of this address.
async fn app(postgres: &str) -> TestApp {
    TestApp::start_with(|settings| {
        set(settings, "storage", "postgres", postgres);
        set(settings, "storage", "redis", "");
        for key in ["per_minute", "burst", "slots_per_minute", "slots_burst"] {
            set(settings, "bookings", key, 1_000_000);
        }
    })
    .await
}

async fn book(app: &TestApp, nth: usize) -> Value {
    let slots = app.get("/v1/slots?meeting=discovery").await.expect_json(200);
    let wish = json!({
        "site": "faro", "meeting": "discovery", "starts_at": slots["slots"][nth]["starts_at"], "zone": "Europe/Madrid",
        "name": "Nikki Grant", "email": "nikki@acme.example",
    });
    app.client.with("origin", SITE).post("/v1/bookings", &wish).await.expect_json(201)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_machine_kept_in_files_goes_on_in_postgresql() {
    let Some(url) = fresh_postgres().await else { return };
    let old = app("").await;
    let mut nikki = old.visitor();
    nikki.visit("/").await;
    nikki.submit("white-paper", "nikki@acme.example").await;
    let booked = book(&old, 0).await;
    agent(&old, Role::Admin).await;
    old.run_jobs().await;
    // A browser whose clock is ten days behind: its hit counts for no day of the log.
    let mut late = nikki.hit("/late");
    let drawn = u64::try_from(old.now().as_ms() - 10 * DAY_MS).expect("after 1970");
    late["id"] = json!(uuid::Builder::from_unix_timestamp_millis(drawn, &[7; 10]).into_uuid().to_string());
    nikki.report(&late).await.expect(202);
    // One more, which stands in the journal alone.
    nikki.visit("/pricing").await;

    let files = old.folder().join("embudo.toml");
    let text = std::fs::read_to_string(&files).expect("the settings");
    let settings = |name: &str, from: &str, to: &str| {
        assert!(text.contains(from), "{from} stands in {text}");
        let path = old.folder().join(name);
        std::fs::write(&path, text.replace(from, to)).expect("written");
        path
    };
    let secret = "the secret of the tests, forty characters";
    let postgres = format!("postgres = {url:?}");
    let with_other_secret = {
        let text = text
            .replace("postgres = \"\"", &postgres)
            .replace(secret, "some other secret, forty characters long");
        let path = old.folder().join("other.toml");
        std::fs::write(&path, text).expect("written");
        path
    };
    let (is_copied, said) = copy(&files, &with_other_secret);
    assert!(!is_copied && said.contains("server.secret"), "{said}");
    let (is_copied, said) = copy(&files, &files);
    assert!(!is_copied && said.contains("storage.postgres"), "{said}");
    let to = settings("to.toml", "postgres = \"\"", &postgres);
    let (is_copied, said) = copy(&files, &to);
    assert!(is_copied && said.contains("rows of"), "{said}");
    let (is_copied, said) = copy(&files, &to);
    assert!(!is_copied && said.contains("has rows in"), "{said}");
    let (is_copied, said) = copy(&to, &to);
    assert!(!is_copied && said.contains("nothing in files"), "{said}");

    let new = app(&url).await;
    assert_eq!(new.census().await, old.census().await);
    for table in ["hits", "contacts", "bookings", "activities", "jobs", "contact_words"] {
        assert!(new.count(table).await > 0, "{table}: nothing to compare");
    }
    assert_eq!(new.count("hits").await, 3);
    assert_eq!(new.rows("select 1 from hits where day = -1").await.len(), 1, "the late one");

    // People go on where they were: a login, a link in a mail, the same person, times that are taken.
    let admin = log_in(&new, "admin@faro.example").await;
    let found = admin.get("/console/contacts?q=nikki").await.expect(200).body;
    assert!(found.contains("nikki@acme.example"), "{found}");
    let page = new.get(booked["links"]["view"].as_str().expect("a link")).await.expect(200).body;
    assert!(page.contains("Your call") && page.contains("Discovery call"), "{page}");
    let again = book(&new, 0).await;
    assert_ne!(again["starts_at"], booked["starts_at"]);
    let mut nikki = new.visitor();
    nikki.submit("white-paper", "nikki@acme.example").await;
    nikki.visit("/a-page-that-is-new").await;
    new.run_jobs().await;
    assert_eq!(new.count("contacts").await, 1);
    assert_eq!(new.count("hits").await, 4, "numbers of rows and words go on");
}
