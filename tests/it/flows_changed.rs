//! Conversations under way while their flow becomes another one, by hot reload and by a restart: nothing that anybody says
//! is refused or lost, and the flow goes on.
#![allow(clippy::unwrap_used, reason = "a panic in a test is a failed test")]

use std::path::Path;

use embudo::accounts::Role;
use embudo::app::Reloaded;
use embudo::base::ids::{VisitorId, new_key};
use embudo::base::time::{HOUR_MS, MINUTE_MS};
use embudo::contacts::Trust;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::live_chat::{Colleague, Widget, person};
use crate::support::app::{SITE, TestApp, repository, set};

/// The flow with this step `q`.
fn flow(q: &str) -> String {
    format!(
        r#"flow: changing
title: It changes
languages: [en]
trigger: {{when: opened}}
defaults: {{retries: 2, exhausted: next, timeout: {{after: 5m, goto: next}}}}
events: {{human_requested: live, stop_requested: bye}}
steps:
  q: {{{q}}}
  next: {{ask: And now?, type: text, timeout: {{after: 5m, goto: bye}}, outcomes: {{exhausted: bye}}, goto: bye}}
  act: {{do: call.request, with: {{note: changed}}, outcomes: {{error: next}}, goto: next}}
  bye: {{say: Goodbye., end: done}}
  live:
    handoff: {{team: sdr, wait: 90s}}
    say: One moment.
    outcomes: {{booked: bye, returned: next, closed: bye, unavailable: next, expired: next}}
"#
    )
}

const ASKS: &str = "ask: Which?, choices: {a: A, b: B}, goto: act";

fn books(meeting: &str) -> String {
    format!(
        "book: {{meeting: {meeting}}}, ask: When?, outcomes: {{none_fit: act, unavailable: next}}, goto: next"
    )
}

/// An app with this one flow and a team file of its own, in a folder.
async fn with_flow(q: &str) -> (TestApp, TempDir) {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("flows")).unwrap();
    write(folder.path(), q);
    let team = folder.path().join("team.yaml");
    std::fs::copy(repository("config/team.yaml"), &team).unwrap();
    let app = TestApp::start_with(|settings| {
        set(settings, "server", "workers", 2);
        set(settings, "definitions", "flows", folder.path().join("flows").display().to_string());
        set(settings, "definitions", "team", team.display().to_string());
    })
    .await;
    (app, folder)
}

fn write(folder: &Path, q: &str) {
    std::fs::write(folder.join("flows/changing.yaml"), flow(q)).unwrap();
}

/// Gives a kind of call another id.
fn rename(folder: &Path, from: &str, to: &str) {
    let team = folder.join("team.yaml");
    let text = std::fs::read_to_string(&team).unwrap();
    assert!(text.contains(&format!("- id: {from}\n")), "{from} is a kind of call");
    std::fs::write(&team, text.replace(&format!("- id: {from}\n"), &format!("- id: {to}\n"))).unwrap();
}

async fn talk(app: &TestApp, visitor: VisitorId) -> Widget {
    let coming = json!({
        "site": "faro", "visitor": visitor, "consent": "analytics", "flow": "changing",
        "page": {"url": format!("{SITE}/"), "title": "Home"}, "language": "en", "zone": "Europe/Madrid",
    });
    Widget::of(app, &coming).await
}

/// Somebody with an address of her own.
async fn somebody(app: &TestApp) -> VisitorId {
    person(app, &format!("{}@acme.example", new_key()), Trust::Claimed).await.1
}

fn words(entries: &[Value]) -> Vec<&str> {
    entries.iter().filter_map(|entry| entry["body"]["text"].as_str()).collect()
}

const EXCUSE: &str = "Sorry, something has just changed on our side. Let us go on from here.";

#[tokio::test]
async fn a_step_that_comes_to_wait_for_the_server_by_a_reload_locks_nobody_out() {
    let says_first = "say: A moment., goto: act";
    let code = "ask: Which digits?, type: code, outcomes: {unavailable: act}, goto: act";
    let does = "do: call.request, with: {note: here}, outcomes: {error: act}, goto: next";
    let book = books("discovery");
    for (becomes, asks) in
        [(book.as_str(), "When?"), (code, "Which digits?"), (does, "And now?"), (says_first, "And now?")]
    {
        let (app, folder) = with_flow(ASKS).await;
        let mike = Colleague::hire(&app, "Mike Torres").await;
        mike.goes_online().await;
        let mut talks = Vec::new();
        for _ in 0..6 {
            talks.push(talk(&app, somebody(&app).await).await);
        }
        write(folder.path(), becomes);
        assert_eq!(app.app.reload_flows().await.unwrap(), Reloaded::Replaced);
        let [chooses, types, wishes, stops, taken, waits] = talks.as_mut_slice() else { panic!("six") };

        let chosen = chooses.says(json!({"type": "choice", "question": "q", "choice": "b"})).await;
        assert_eq!((&chosen[0]["author"]["kind"], words(&chosen)[1]), (&json!("visitor"), EXCUSE));
        assert_eq!(words(&chosen).last(), Some(&asks), "{becomes}: {chosen:?}");
        let typed = types.types("What does it cost?").await;
        assert_eq!(words(&typed)[..2], ["What does it cost?", EXCUSE], "{becomes}");
        assert_eq!(words(&typed).last(), Some(&asks), "{becomes}: {typed:?}");
        let rung = wishes.types("I want to talk to a person").await;
        assert_eq!(words(&rung)[1..], ["One moment."], "{becomes}: {rung:?}");
        mike.acts(wishes, "accept", &[]).await.expect(303);
        let left = stops.says(json!({"type": "stop_requested"})).await;
        assert!(words(&left).contains(&"Goodbye."), "{becomes}: {left:?}");
        mike.acts(taken, "accept", &[]).await.expect(303);
        assert_eq!(words(&taken.types("Hello Mike").await), ["Hello Mike"], "{becomes}: only he answers");
        mike.acts(taken, "hand-back", &[]).await.expect(303);
        assert_eq!(words(&taken.catch_up().await).last(), Some(&asks), "{becomes}");
        app.later(5 * MINUTE_MS).await;
        let late = waits.catch_up().await;
        assert_eq!((words(&late)[0], words(&late).last()), (EXCUSE, Some(&asks)), "{becomes}: {late:?}");
        // And the step that was entered is heard as ever.
        let on = waits.types("123456").await;
        assert!(on.len() > 1, "{becomes}: {on:?}");
    }
}

#[tokio::test]
async fn a_kind_of_call_that_is_renamed_over_a_restart_is_offered_to_whoever_stood_at_the_old_one() {
    let (app, folder) = with_flow(&books("discovery")).await;
    let (nikki, ana, eva) = (somebody(&app).await, somebody(&app).await, somebody(&app).await);
    let picks = talk(&app, nikki).await;
    let at = picks.log[0]["body"]["input"]["slots"][0]["starts_at"].clone();
    assert!(at.is_i64(), "{:?}", picks.log);
    talk(&app, ana).await;
    talk(&app, eva).await;
    rename(folder.path(), "discovery", "intro");
    write(folder.path(), &books("intro"));
    // A version before this one has taken the time away at which the flow would go on.
    let sql = embudo::sql!("update conversations set wake_at = null");
    let mut tx = app.app.stores.db.begin().await.unwrap();
    tx.execute(sql, embudo::params![]).await.unwrap();
    tx.commit().await.unwrap();
    let app = app.started_again().await.unwrap();

    let mut picks = talk(&app, nikki).await;
    let picked = picks.says(json!({"type": "slot", "question": "q", "starts_at": at})).await;
    assert_eq!((&picked[0]["author"]["kind"], &picked[0]["body"]["starts_at"]), (&json!("visitor"), &at));
    assert_eq!(words(&picked), [EXCUSE, "When?"]);
    let input = &picked.last().unwrap()["body"]["input"];
    assert_eq!(input["meeting"], "intro");
    let at = input["slots"][0]["starts_at"].clone();
    let booked = picks.says(json!({"type": "slot", "question": "q", "starts_at": at})).await;
    assert!(booked.iter().any(|entry| entry["body"]["type"] == "booked"), "{booked:?}");

    let mike = Colleague::hire_as(&app, "Mike Torres", Role::Sdr).await;
    let mut taken = talk(&app, ana).await;
    mike.acts(&taken, "accept", &[]).await.expect(303);
    taken.types("Hello").await;

    let mut waits = talk(&app, eva).await;
    app.later(HOUR_MS).await;
    assert_eq!(words(&waits.catch_up().await)[0], EXCUSE, "it is woken again");
}

#[tokio::test]
async fn times_of_a_kind_of_call_that_is_gone_cannot_be_booked_any_more_and_she_is_told_so() {
    let (app, folder) = with_flow(ASKS).await;
    let nikki = somebody(&app).await;
    let mut talked = talk(&app, nikki).await;
    let mike = Colleague::hire(&app, "Mike Torres").await;
    mike.acts(&talked, "accept", &[]).await.expect(303);
    mike.acts(&talked, "times", &[("text", "These?"), ("meeting", "discovery")]).await.expect(303);
    let shown = talked.catch_up().await.pop().unwrap();
    let (question, at) = (&shown["body"]["question"], &shown["body"]["input"]["slots"][0]["starts_at"]);
    assert_eq!(question, "suggested:discovery", "{shown}");
    rename(folder.path(), "discovery", "intro");
    let app = app.started_again().await.unwrap();
    let mut talked = talk(&app, nikki).await;
    let told = talked.says(json!({"type": "slot", "question": question, "starts_at": at})).await;
    assert_eq!(
        words(&told),
        ["That time cannot be booked any more. Tell me when it suits you, and we will find another."]
    );
    assert_eq!((&told[0]["body"]["starts_at"], &told[1]["author"]["kind"]), (at, &json!("agent")));
    assert_eq!(words(&talked.types("On Friday then").await), ["On Friday then"], "the talk goes on");
}

#[tokio::test]
async fn a_time_that_a_flow_offered_of_a_kind_of_call_that_is_gone_leads_on() {
    let (app, folder) = with_flow(&books("discovery")).await;
    let nikki = somebody(&app).await;
    let picks = talk(&app, nikki).await;
    let at = picks.log[0]["body"]["input"]["slots"][0]["starts_at"].clone();
    // The flow is gone with its meeting: talks under way end in it as it was.
    rename(folder.path(), "discovery", "intro");
    std::fs::remove_file(folder.path().join("flows/changing.yaml")).unwrap();
    let app = app.started_again().await.unwrap();
    let mut picks = talk(&app, nikki).await;
    let told = picks.says(json!({"type": "slot", "question": "q", "starts_at": at})).await;
    assert_eq!(words(&told).last(), Some(&"And now?"), "{told:?}");
}
