//! What is to be sent goes out, whoever hangs, dies or refuses meanwhile; and it says who it is from.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use embudo::accounts::{self, NewAccount, Role};
use embudo::base::ids::DealId;
use embudo::base::language::Language;
use embudo::base::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use embudo::events::{self, Event};
use embudo::jobs;
use embudo::jobs::queue::{self, End, Reason, Which};
use futures_util::FutureExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::support::app::{SITE, TestApp, repository, set};
use crate::support::hook::{Call, Hook};
use crate::support::inbox::python;

const KEY: &str = "a key for programs, long enough";
const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_plJ3nmyCDGBKInavdOK15jsl4hY5MjEy";

/// An app with this `notify.yaml`.
async fn app(notify: &str) -> (TestApp, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("notify.yaml");
    std::fs::write(&file, notify).expect("written");
    let app = TestApp::start_with(|settings| {
        set(settings, "definitions", "notify", file.display().to_string());
        set(settings, "outbound", "allow", vec!["127.0.0.0/8"]);
        set(settings, "api", "keys", vec![KEY]);
    })
    .await;
    (app, folder)
}

fn webhook(url: &str, on: &str) -> String {
    format!(
        "hooks:\n  - {{name: crm, kind: webhook, url: \"{url}\", secrets: [{NEW}, {OLD}], people: true, on: [{on}]}}\n"
    )
}

async fn hire(app: &TestApp, email: &str, role: Role) {
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let new =
        NewAccount { email, name: "A", role, language: Language::En, password: "a lighthouse at night" };
    accounts::add(&mut tx, &new, app.now()).await.expect("added");
    tx.commit().await.expect("commits");
}

async fn book(app: &TestApp) {
    let slots = app.get("/v1/slots?meeting=discovery&zone=Europe/Madrid").await.expect_json(200);
    let call = json!({
        "site": "faro", "meeting": "discovery", "starts_at": slots["slots"][0]["starts_at"],
        "zone": "Europe/Madrid", "language": "en", "name": "Nikki @everyone\u{202e}",
        "email": "nikki@acme.example", "notes": "",
    });
    app.client.with("origin", SITE).post("/v1/bookings", &call).await.expect(201);
}

/// Puts `count` lines for a hook into the queue.
async fn lines_for(app: &TestApp, hook: &str, count: usize) {
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    for number in 0..count {
        let notice = json!({
            "kind": "bant_completed", "account": null, "who": "Nikki", "company": null, "rep": null,
            "starts_at": null, "zone": "UTC", "link": "/console",
        });
        let work = json!({ "by": "hook", "hook": hook, "notice": notice });
        let key = format!("{hook}:{number}");
        queue::enqueue(&mut tx, "notify", &key, &work, app.now(), app.now()).await.expect("put in");
    }
    tx.commit().await.expect("commits");
}

fn dead(said: &str) -> End {
    End::Dead(Reason { code: "refused", said: said.to_owned() })
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what} did not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn api(app: &TestApp) -> crate::support::answer::Client {
    app.client.with("authorization", &format!("Bearer {KEY}"))
}

// --- fairness, leases, wake-ups ------------------------------------------------------------------------

#[tokio::test]
async fn one_who_hangs_keeps_nobody_else_waiting_and_is_not_flooded() {
    // It takes connections and never says anything.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = silent.local_addr().expect("bound");
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = seen.clone();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            held.push(stream);
        }
    });
    let healthy = Hook::start().await;
    let (app, _folder) = app(&format!(
        "hooks:\n  - {{name: a-silent, url: \"http://{address}/\", on: []}}\n  - {{name: healthy, url: \"{}\", on: []}}\n",
        healthy.url
    ))
    .await;
    lines_for(&app, "a-silent", 60).await;
    lines_for(&app, "healthy", 60).await;
    let (stop, stopped) = watch::channel(false);
    let began = Instant::now();
    let running = tokio::spawn(jobs::run(app.app.worker(), stopped));
    until("the healthy one's last line", || healthy.calls().len() == 60).await;
    assert!(began.elapsed() < Duration::from_secs(14), "nobody waited for the silent one to be given up");
    assert!(seen.load(Ordering::SeqCst) <= 5, "{} at once", seen.load(Ordering::SeqCst));
    stop.send_replace(true);
    running.abort();
    healthy.stop().await;
}

#[tokio::test]
async fn what_failed_while_the_clock_was_ahead_does_not_wait_until_it_is_there_again() {
    let hook = Hook::start().await;
    hook.answer(500);
    let (app, _folder) = app(&format!("hooks:\n  - {{name: chat, url: \"{}\", on: []}}\n", hook.url)).await;
    lines_for(&app, "chat", 1).await;
    app.clock.advance(DAY_MS);
    let (_stop, stopped) = watch::channel(false);
    let running = tokio::spawn(jobs::run(app.app.worker(), stopped));
    until("the first try", || hook.calls().len() == 1).await;
    until_failed(&app).await;
    hook.answer(200);
    app.clock.advance(-DAY_MS);
    // It is tried again after minutes of the clock, and not after a day of them.
    let mut waited = 0;
    while hook.calls().len() < 2 && waited < 30 * MINUTE_MS {
        tokio::time::sleep(Duration::from_millis(300)).await;
        app.clock.advance(MINUTE_MS);
        waited += MINUTE_MS;
    }
    running.abort();
    assert_eq!(hook.calls().len(), 2, "after {waited} ms");
    hook.stop().await;
}

#[tokio::test]
async fn a_job_of_a_process_that_died_is_taken_up_whichever_way_the_clock_was_set_since() {
    for step in [-HOUR_MS, HOUR_MS, DAY_MS] {
        let hook = Hook::start().await;
        let (app, _folder) =
            app(&format!("hooks:\n  - {{name: chat, url: \"{}\", on: []}}\n", hook.url)).await;
        lines_for(&app, "chat", 1).await;
        let wanted = [("hook:chat".to_owned(), 5)];
        let db = &app.app.stores.db;
        let held = queue::claim(db, "whoever died", &wanted, app.now()).await.expect("claimed");
        assert_eq!(held.len(), 1);
        app.clock.set_by(step);
        let (_stop, stopped) = watch::channel(false);
        let running = tokio::spawn(jobs::run(app.app.worker(), stopped));
        let mut waited = 0;
        while hook.calls().is_empty() && waited < 10 * MINUTE_MS {
            tokio::time::sleep(Duration::from_millis(300)).await;
            app.clock.advance(10 * SECOND_MS);
            waited += 10 * SECOND_MS;
        }
        running.abort();
        assert_eq!(hook.calls().len(), 1, "step {step}: after {waited} ms");
        let mut tx = db.begin().await.expect("begins");
        let is_ours = queue::finish(&mut tx, &held[0], &dead("too late"), app.now()).await.expect("noted");
        assert!(!is_ours, "whoever died cannot overwrite what became of it");
        drop(tx);
        hook.stop().await;
    }
}

#[tokio::test]
async fn a_claim_that_somebody_holds_on_to_is_nobody_elses_though_it_ends_later_than_it_can() {
    let (app, _folder) = app("hooks: []\n").await;
    lines_for(&app, "chat", 1).await;
    let (db, wanted) = (&app.app.stores.db, [("hook:chat".to_owned(), 5)]);
    // By a clock that is an hour ahead.
    let ahead = app.now().plus_ms(HOUR_MS);
    let held = queue::claim(db, "ahead", &wanted, ahead).await.expect("claimed");
    assert!(held.is_empty() || queue::due_targets(&mut db.read(), app.now()).await.expect("read").is_empty());
    let seen = queue::strange(&mut db.read(), app.now()).await.expect("read");
    assert_eq!(seen.len(), 1);
    queue::renew(db, &held[0], ahead.plus_ms(30 * SECOND_MS)).await.expect("renewed");
    assert!(!queue::set_free(db, &seen[0], app.now()).await.expect("noted"), "she has held on to it since");
    let seen = queue::strange(&mut db.read(), app.now()).await.expect("read");
    assert!(queue::set_free(db, &seen[0], app.now()).await.expect("noted"));
    assert_eq!(queue::due_targets(&mut db.read(), app.now()).await.expect("read"), ["hook:chat"]);
}

/// Waits until a failure is noted.
async fn until_failed(app: &TestApp) {
    let begun = Instant::now();
    while app.rows("select id from jobs where state = 'ready' and last_error is not null").await.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is never noted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn whoever_is_late_cannot_overwrite_what_a_later_claim_has_done() {
    let (app, _folder) = app("hooks: []\n").await;
    let db = &app.app.stores.db;
    lines_for(&app, "gone", 1).await;
    let wanted = [("hook:gone".to_owned(), 5)];
    assert_eq!(queue::due_targets(&mut db.read(), app.now()).await.expect("read"), ["hook:gone"]);
    let first = queue::claim(db, "first", &wanted, app.now()).await.expect("claimed");
    assert_eq!(first.len(), 1);
    app.clock.advance(59 * SECOND_MS);
    assert!(
        queue::claim(db, "second", &wanted, app.now()).await.expect("claimed").is_empty(),
        "it is leased"
    );
    app.clock.advance(2 * SECOND_MS);
    let second = queue::claim(db, "second", &wanted, app.now()).await.expect("claimed");
    assert_eq!((second.len(), second[0].attempts), (1, 2));
    let finish = async |claimed: &queue::Claimed, end: End| {
        let mut tx = db.begin().await.expect("begins");
        let is_ours = queue::finish(&mut tx, claimed, &end, app.now()).await.expect("noted");
        tx.commit().await.expect("commits");
        is_ours
    };
    assert!(!finish(&first[0], dead("too late")).await);
    assert!(finish(&second[0], End::Done).await);
    assert!(!finish(&first[0], dead("even later")).await);
    let rows = app.rows("select state from jobs").await;
    assert_eq!(rows[0].get::<String>("state").expect("a state"), "done");
}

#[tokio::test]
async fn whoever_commits_work_wakes_the_workers_and_whoever_takes_it_back_does_not() {
    let (app, _folder) = app("hooks: []\n").await;
    let mut wakes = app.app.stores.bus.subscribe();
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    queue::enqueue(&mut tx, "notify", "k", &json!({ "by": "console" }), app.now(), app.now())
        .await
        .expect("in");
    drop(tx);
    let told = async |wakes: &mut tokio::sync::broadcast::Receiver<_>| {
        let wait = async {
            loop {
                let wake: embudo::storage::bus::Wake = wakes.recv().await.expect("a wake-up");
                if wake.topic == jobs::WAKE {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.is_ok()
    };
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert!(wakes.recv().now_or_never().is_none(), "nothing happened");
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    events::append(
        &mut tx,
        &Event::CodeAsked { contact: embudo::base::ids::ContactId::new(), code: "1".into() },
        app.now(),
    )
    .await
    .expect("appended");
    tx.commit().await.expect("commits");
    assert!(told(&mut wakes).await, "the bus carries it");
}

// --- dead letters --------------------------------------------------------------------------------------

#[tokio::test]
async fn what_was_given_up_is_shown_with_its_reason_and_goes_out_when_it_is_tried_again() {
    let hook = Hook::start().await;
    hook.answer(404);
    let (app, _folder) = app(&format!(
        "remind_before_call: [1h]\nhooks:\n  - {{name: sales, url: \"{}\", on: [bookings]}}\n",
        hook.url
    ))
    .await;
    book(&app).await;
    app.run_jobs().await;
    app.get("/api/v1/outbox").await.expect_problem(401, "api.key_unknown");
    let shown = api(&app).get("/api/v1/outbox").await.expect_json(200);
    let dead =
        shown["jobs"].as_array().expect("a list").iter().find(|job| job["state"] == "dead").expect("one");
    assert_eq!((&dead["what"], &dead["target"]), (&json!("booking_confirmed"), &json!("hook:sales")));
    assert!(dead["why"].as_str().expect("a reason").contains("404"));
    // The reminders wait for their time; to whom is masked.
    let later =
        shown["jobs"].as_array().expect("a list").iter().find(|job| job["what"] == "booking_reminder");
    assert_eq!(later.expect("a reminder")["state"], "waiting");
    assert!(!shown.to_string().contains("nikki@acme.example"));
    let metrics = app.get("/metrics").await.expect(200).body;
    assert!(metrics.contains("embudo_outbox_dead{channel=\"hook\"} 1"), "{metrics}");

    let path = format!("/api/v1/outbox/{}/replay", dead["id"].as_str().expect("an id"));
    hook.answer(204);
    assert_eq!(api(&app).post(&path, &json!({})).await.expect_json(200)["replayed"], 1);
    app.run_jobs().await;
    assert_eq!(hook.calls().len(), 2);
    api(&app).post(&path, &json!({})).await.expect_problem(404, "outbox.job_unknown");
    app.later(HOUR_MS).await;
    assert_eq!(hook.calls().len(), 2, "once is enough");
    hook.stop().await;
}

#[tokio::test]
async fn the_console_says_what_was_given_up_where_it_went_and_why_and_keeps_the_answer_behind_it() {
    let hook = Hook::start().await;
    hook.answer(404);
    let (app, _folder) = app(&format!(
        "hooks:\n  - {{name: chat, url: \"{0}\", on: [bookings]}}\n  - {{name: crm, kind: webhook, url: \"{0}\", \
         secrets: [{NEW}], on: [booking_confirmed]}}\n",
        hook.url
    ))
    .await;
    book(&app).await;
    app.run_jobs().await;
    let admin = crate::console::agent(&app, Role::Admin).await;
    let page = admin.sees("/console/outbox").await;
    for part in [
        "A call is booked",
        "Slack or Mattermost",
        "Fact booking_confirmed",
        "Signed webhook",
        "The other side refused it.",
        "<details class=\"small\"><summary>What the other side said</summary>",
        "404",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // Programs get the word and the sentence.
    let listed = api(&app).get("/api/v1/outbox").await.expect_json(200);
    let jobs = listed["jobs"].as_array().expect("a list").clone();
    let chat = jobs.iter().find(|job| job["target"] == "hook:chat").expect("the line");
    assert_eq!((&chat["state"], &chat["code"]), (&json!("dead"), &json!("refused")));
    assert!(chat["why"].as_str().is_some_and(|why| why.contains("404")), "{chat}");
    crate::console::hire(&app, "luz@faro.example", Role::Admin, Language::Es).await;
    let luz = crate::console::log_in(&app, "luz@faro.example").await;
    let page = luz.sees("/console/outbox").await;
    assert!(
        page.contains("Hay una llamada reservada") && page.contains("El otro lado lo rechazó."),
        "{page}"
    );
    hook.stop().await;
}

#[tokio::test]
async fn a_range_of_what_was_given_up_is_tried_again_by_target() {
    let (app, _folder) = app("hooks: []\n").await;
    let db = &app.app.stores.db;
    for hook in ["a", "b"] {
        lines_for(&app, hook, 2).await;
        for job in queue::claim(db, "w", &[(format!("hook:{hook}"), 5)], app.now()).await.expect("claimed") {
            let mut tx = db.begin().await.expect("begins");
            queue::finish(&mut tx, &job, &dead("no"), app.now()).await.expect("noted");
            tx.commit().await.expect("commits");
        }
        app.clock.advance(MINUTE_MS);
    }
    let replay = async |from, target: Option<&str>| {
        let mut tx = db.begin().await.expect("begins");
        let which = Which::Since { from, target: target.map(str::to_owned) };
        let count = queue::replay(&mut tx, &which, app.now()).await.expect("replayed");
        tx.commit().await.expect("commits");
        count
    };
    assert_eq!(replay(app.now(), None).await, 0, "none died so late");
    assert_eq!(replay(app.now().plus_ms(-MINUTE_MS), Some("hook:a")).await, 0);
    assert_eq!(replay(app.now().plus_ms(-2 * MINUTE_MS), Some("hook:a")).await, 2);
    assert_eq!(replay(app.now().plus_ms(-DAY_MS), None).await, 2, "the others");
}

#[tokio::test]
async fn a_fact_whose_messages_could_not_be_planned_is_planned_anew() {
    let (app, _folder) = app("hooks: []\n").await;
    let db = &app.app.stores.db;
    let mut tx = db.begin().await.expect("begins");
    let event = Event::DealWon { deal: DealId::new(), company: embudo::base::ids::CompanyId::new() };
    let id = events::append(&mut tx, &event, app.now()).await.expect("appended");
    events::outbox::mark_dispatched(&mut tx, id, app.now()).await.expect("marked");
    let payload = json!({ "event": id.to_string() });
    queue::bury(&mut tx, &format!("{id}:plan"), &payload, "no template", app.now()).await.expect("buried");
    tx.commit().await.expect("commits");
    let mut tx = db.begin().await.expect("begins");
    let which = Which::Since { from: app.now(), target: None };
    assert_eq!(queue::replay(&mut tx, &which, app.now()).await.expect("replayed"), 1);
    tx.commit().await.expect("commits");
    assert!(events::outbox::any_waiting(&mut db.read()).await.expect("read"));
    app.run_jobs().await;
    assert!(!events::outbox::any_waiting(&mut db.read()).await.expect("read"));
    assert_eq!(app.count("jobs").await, 0, "the dead letter is gone");
}

// --- signed webhooks -----------------------------------------------------------------------------------

/// Which of the signatures hold by a key, as Python sees it.
fn verified(call: &Call, secret: &str) -> Value {
    let told = json!({
        "secret": secret, "body": call.body,
        "id": call.header("webhook-id"), "timestamp": call.header("webhook-timestamp"),
        "signature": call.header("webhook-signature"),
    });
    let mut child = Command::new(python())
        .arg(repository("tests/tools/webhook_verify.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python runs");
    child.stdin.take().expect("piped").write_all(told.to_string().as_bytes()).expect("read");
    let output = child.wait_with_output().expect("ends");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[tokio::test]
async fn a_webhook_tells_a_booked_call_signed_by_the_new_key_and_the_old_one() {
    let hook = Hook::start().await;
    let (app, _folder) = app(&webhook(&hook.url, "booking_confirmed, stage_changed")).await;
    book(&app).await;
    app.run_jobs().await;
    let calls = hook.calls();
    let booked = calls.iter().find(|call| call.json()["type"] == "booking_confirmed").expect("told");
    assert_eq!(verified(booked, NEW), json!([0]));
    assert_eq!(verified(booked, OLD), json!([1]), "who still has the old key is not left out");
    assert_eq!(verified(booked, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), json!([]));
    let forged = Call { body: booked.body.replace("discovery", "programme"), ..booked.clone() };
    assert_eq!(verified(&forged, NEW), json!([]));
    assert_eq!(booked.header("content-type"), Some("application/json"));
    let at: i64 = booked.header("webhook-timestamp").and_then(|at| at.parse().ok()).expect("a time");
    assert_eq!(at, app.now().as_ms() / SECOND_MS);
    let told = booked.json();
    assert_eq!(told["data"]["meeting"], "discovery");
    assert_eq!(
        (&told["data"]["sequence"], &told["data"]["person"]["email"]),
        (&json!(0), &json!("nikki@acme.example"))
    );
    assert!(told["timestamp"].as_str().is_some_and(|at| at.ends_with('Z')));
    assert!(calls.iter().any(|call| call.json()["type"] == "stage_changed"));
    let ids: std::collections::BTreeSet<_> = calls.iter().map(|call| call.header("webhook-id")).collect();
    assert_eq!(ids.len(), calls.len());
    hook.stop().await;
}

#[tokio::test]
async fn a_webhook_is_tried_ten_times_with_one_id_then_given_up_and_disabled_after_days_of_failing() {
    let hook = Hook::start().await;
    hook.answer(500);
    let (app, _folder) = app(&webhook(&hook.url, "booking_confirmed")).await;
    hire(&app, "root@faro.example", Role::Admin).await;
    book(&app).await;
    app.run_jobs().await;
    for _ in 0..(5 * 24) {
        app.later(HOUR_MS).await;
    }
    let calls = hook.calls();
    assert_eq!(calls.len(), 10);
    assert!(calls.iter().all(|call| call.header("webhook-id") == calls[0].header("webhook-id")));
    assert_ne!(calls[0].header("webhook-timestamp"), calls[9].header("webhook-timestamp"));
    let name = app.rows("select failing_since, disabled_at from endpoints where name = 'crm'").await;
    assert!(
        name[0].get::<Option<i64>>("disabled_at").expect("read").is_none(),
        "nothing was tried after five days"
    );

    book_as(&app, "pam@acme.example").await;
    app.run_jobs().await;
    let told = app.rows("select title from notifications where kind = 'endpoint_disabled'").await;
    assert_eq!(told.len(), 1, "the administrator is told");
    let mails = app.rows("select subject from mails where template = 'alert'").await;
    assert_eq!(mails.len(), 1, "and by another channel");
    let tries = hook.calls().len();
    book_as(&app, "eve@acme.example").await;
    app.run_jobs().await;
    assert_eq!(hook.calls().len(), tries, "it is not tried any more");

    hook.answer(204);
    api(&app).post("/api/v1/hooks/nobody/enable", &json!({})).await.expect_problem(404, "hook.unknown");
    api(&app).post("/api/v1/hooks/crm/enable", &json!({})).await.expect(204);
    let replayed = api(&app)
        .send(
            reqwest::Method::POST,
            "/api/v1/outbox/replay",
            Some(("application/json", json!({ "target": "webhook:crm" }).to_string().into_bytes())),
        )
        .await;
    assert!(replayed.expect_json(200)["replayed"].as_i64().expect("a number") >= 2);
    app.later(HOUR_MS).await;
    let last = hook.calls().split_off(tries);
    assert!(
        last.iter().any(|call| call.json()["data"]["person"]["email"] == "eve@acme.example"),
        "nothing is lost"
    );
    assert!(last.iter().any(|call| call.json()["data"]["person"]["email"] == "nikki@acme.example"));
    hook.stop().await;
}

async fn book_as(app: &TestApp, email: &str) {
    let slots = app.get("/v1/slots?meeting=discovery&zone=Europe/Madrid").await.expect_json(200);
    let call = json!({
        "site": "faro", "meeting": "discovery", "starts_at": slots["slots"][0]["starts_at"],
        "zone": "Europe/Madrid", "language": "en", "name": "", "email": email, "notes": "",
    });
    app.client.with("origin", SITE).post("/v1/bookings", &call).await.expect(201);
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_disabled_at_once() {
    let hook = Hook::start().await;
    hook.answer(410);
    let (app, _folder) = app(&webhook(&hook.url, "booking_confirmed")).await;
    book(&app).await;
    app.run_jobs().await;
    let rows = app.rows("select why from endpoints where disabled_at is not null").await;
    assert_eq!(rows.len(), 1);
    app.later(DAY_MS).await;
    assert_eq!(hook.calls().len(), 1);
    hook.stop().await;
}

#[tokio::test]
async fn a_trial_says_at_once_what_the_other_side_answers() {
    let hook = Hook::start().await;
    let (app, _folder) = app(&webhook(&hook.url, "booking_confirmed")).await;
    api(&app).post("/api/v1/hooks/crm/test", &json!({})).await.expect(204);
    let call = hook.calls().pop().expect("a call");
    assert_eq!(call.json()["type"], "test");
    assert_eq!(verified(&call, NEW), json!([0]));
    hook.answer(403);
    api(&app).post("/api/v1/hooks/crm/test", &json!({})).await.expect_problem(502, "hook.refused");
    api(&app).post("/api/v1/hooks/none/test", &json!({})).await.expect_problem(404, "hook.unknown");
    hook.stop().await;
}

// --- chats ---------------------------------------------------------------------------------------------

#[tokio::test]
async fn each_chat_is_told_in_its_own_form_and_a_visitors_name_rings_for_nobody() {
    let hook = Hook::start().await;
    let url = &hook.url;
    let (app, _folder) = app(&format!(
        "hooks:
  - {{name: slack, url: \"{url}/slack\", on: [bookings]}}
  - {{name: teams, kind: teams, url: \"{url}/teams\", on: [bookings]}}
  - {{name: discord, kind: discord, url: \"{url}/discord\", on: [bookings]}}
  - {{name: telegram, kind: telegram, url: \"{url}\", token: \"12:AAAAAAAAAAAAAAAAAAAAAAAA\", chat: \"-100\", on: [bookings]}}
"
    ))
    .await;
    book(&app).await;
    app.run_jobs().await;
    let calls = hook.calls();
    assert_eq!(calls.len(), 4);
    let of = |end: &str| calls.iter().find(|call| call.path.ends_with(end)).expect("told").json();
    assert!(of("/slack")["text"].as_str().expect("a text").contains("Nikki"));
    let card = of("/teams");
    assert_eq!(
        card.pointer("/attachments/0/contentType"),
        Some(&json!("application/vnd.microsoft.card.adaptive"))
    );
    assert_eq!(of("/discord")["allowed_mentions"], json!({ "parse": [] }));
    let message = of("/bot12:AAAAAAAAAAAAAAAAAAAAAAAA/sendMessage");
    assert_eq!((&message["chat_id"], message.get("parse_mode")), (&json!("-100"), None));
    for call in &calls {
        assert!(!call.body.contains("@everyone") && !call.body.contains('\u{202e}'), "{}", call.body);
    }
    hook.stop().await;
}

// --- rules, quiet hours, summaries ---------------------------------------------------------------------

#[tokio::test]
async fn a_rule_tells_others_by_mail_and_at_night_it_waits_for_the_morning() {
    let (app, _folder) = app("\
rules:
  - {on: [booking_confirmed], to: [\"role:ae\", ana@faro.example, nobody@faro.example], by: [mail, console]}
quiet: {hours: \"20:00-08:00\", zone: Europe/Madrid}
")
    .await;
    hire(&app, "ana@faro.example", Role::Marketing).await;
    hire(&app, "otto@faro.example", Role::Ae).await;
    hire(&app, "vera@faro.example", Role::Viewer).await;
    // 22:00 in Madrid.
    app.clock.advance(12 * HOUR_MS);
    book(&app).await;
    app.run_jobs().await;
    let to = async || {
        let rows = app.rows("select recipient from mails where template = 'alert' order by recipient").await;
        rows.iter().map(|row| row.get::<String>("recipient").expect("a text")).collect::<Vec<_>>()
    };
    assert!(to().await.is_empty(), "it is night");
    let waits = app.rows("select last_error from jobs where last_error = 'quiet hours'").await;
    assert_eq!(waits.len(), 2);
    app.later(10 * HOUR_MS + MINUTE_MS).await;
    assert_eq!(to().await, ["ana@faro.example", "otto@faro.example"]);
    let lines = app.rows("select 1 as one from notifications where kind = 'booking_confirmed'").await;
    assert!(lines.len() >= 2);
    app.later(DAY_MS).await;
    assert_eq!(to().await.len(), 2, "once");
}

#[tokio::test]
async fn a_summary_gathers_what_happened_until_the_morning_and_is_sent_once() {
    let (app, _folder) =
        app("rules:\n  - {on: [booking_confirmed], to: [ana@faro.example], by: [mail], digest: daily}\n")
            .await;
    hire(&app, "ana@faro.example", Role::Marketing).await;
    book(&app).await;
    app.run_jobs().await;
    book_as(&app, "pam@acme.example").await;
    app.run_jobs().await;
    assert!(app.rows("select 1 as one from mails where template = 'digest'").await.is_empty());
    app.later(DAY_MS).await;
    let mails = app.rows("select subject, text_body from mails where template = 'digest'").await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].get::<String>("subject").expect("a text"), "2 things happened");
    let text: String = mails[0].get("text_body").expect("a text");
    assert!(text.contains("Nikki") && text.contains("pam"), "{text}");
    app.later(2 * DAY_MS).await;
    assert_eq!(app.count("digest_lines").await, 0);
    assert_eq!(app.rows("select 1 as one from mails where template = 'digest'").await.len(), 1);
}
