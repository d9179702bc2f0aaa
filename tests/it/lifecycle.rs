//! The lifecycle through the public doors and the command line: what moves somebody, and how it is explained.

use std::process::Command;

use embudo::base::time::DAY_MS;
use embudo::stages::{self, Actor, Decision};
use serde_json::{Value, json};

use crate::gates::{app_with_files, contact, submit};
use crate::support::app::TestApp;

async fn decide(
    app: &TestApp,
    email: &str,
    role: &str,
    what: &str,
    reason: Option<&str>,
) -> Result<String, stages::Error> {
    let (id, _) = contact(app, email).await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let decision = Decision {
        role: role.to_owned(),
        what: what.to_owned(),
        reason: reason.map(str::to_owned),
        actor: Actor::Api,
    };
    stages::decide(&mut tx, &app.app.lifecycle, id, &decision, app.now()).await?;
    tx.commit().await.expect("commits");
    Ok(contact(app, email).await.1)
}

#[tokio::test]
async fn a_page_cannot_make_an_sql_or_a_customer_by_reporting_our_own_events() {
    let app = app_with_files().await;
    let nikki = app.visitor();
    submit(&nikki, "white-paper", "nikki@acme.example").await;
    for name in ["booking.confirmed", "webinar.registered", "decision", "visit"] {
        let mut hit = nikki.hit("/ae.accept");
        hit["name"] = json!(name);
        nikki.report(&hit).await.expect(202);
    }
    app.run_jobs().await;
    // Any further submission runs the rules again.
    submit(&nikki, "white-paper", "nikki@acme.example").await;
    assert_eq!(contact(&app, "nikki@acme.example").await.1, "lead");
    let rows = app.rows("select kind from activities where kind <> 'page'").await;
    assert!(rows.iter().all(|row| row.get::<String>("kind").expect("a text") == "form.submitted"));
}

#[tokio::test]
async fn an_sdr_and_an_ae_move_her_and_a_rejection_needs_a_reason() {
    let app = app_with_files().await;
    submit(&app.visitor(), "webinar", "nikki@acme.example").await;
    let decide = async |role, what, reason| decide(&app, "nikki@acme.example", role, what, reason).await;
    assert!(matches!(decide("ae", "accept", None).await, Err(stages::Error::NothingToDecide { .. })));
    assert_eq!(decide("sdr", "accept", None).await.expect("accepted"), "sql");
    assert!(matches!(decide("ae", "reject", Some("because")).await, Err(stages::Error::ReasonNeeded { .. })));
    app.clock.advance(1_000);
    assert_eq!(decide("ae", "reject", Some("timing")).await.expect("sent back"), "mql");
    app.clock.advance(1_000);
    assert_eq!(decide("sdr", "accept", None).await.expect("accepted"), "sql");
    assert_eq!(decide("ae", "accept", None).await.expect("accepted"), "sal");
    assert_eq!(decide("ae", "won", None).await.expect("won"), "customer");
}

#[tokio::test]
async fn the_command_line_explains_her_as_the_server_does() {
    let app = app_with_files().await;
    let nikki = app.visitor();
    nikki.visit("/").await;
    app.run_jobs().await;
    app.clock.advance(DAY_MS);
    submit(&nikki, "webinar", "nikki@acme.example").await;
    let run = |arguments: &[&str]| {
        let config = app.folder().join("embudo.toml");
        Command::new(env!("CARGO_BIN_EXE_embudo"))
            .args(["--config", &config.display().to_string(), "lifecycle", "explain"])
            .args(arguments)
            .output()
            .expect("it runs")
    };
    let text = run(&["Nikki@acme.example"]);
    assert!(text.status.success(), "{}", String::from_utf8_lossy(&text.stderr));
    let text = String::from_utf8(text.stdout).expect("text");
    for part in ["Marketing-qualified lead", "mql.webinar", "webinar.registered", "History", "Booked a call"]
    {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no colours into a pipe");

    let document = run(&["nikki@acme.example", "--format", "json"]);
    let document: Value = serde_json::from_slice(&document.stdout).expect("JSON");
    assert_eq!(document["stage"]["id"], "mql");
    assert_eq!(document["history"][0]["id"], "visitor");
    let since = document["history"][0]["since"].as_i64().expect("a time");
    assert!(since < app.now().as_ms() - DAY_MS / 2, "she is a visitor since her first page");

    let unknown = run(&["nobody@acme.example"]);
    assert!(!unknown.status.success());
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(said.contains("there is no contact with the address nobody@acme.example"), "{said}");
}
