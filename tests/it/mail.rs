//! Mails reach a real mail server, whatever it does meanwhile, and nobody gets one twice.

use std::collections::BTreeSet;

use embudo::accounts::Role;
use embudo::base::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use serde_json::json;

use crate::console::agent;
use crate::gates::submit;
use crate::support::app::{SITE, TestApp, set};
use crate::support::hook::Hook;
use crate::support::inbox::Manner;

const NIKKI: &str = "nikki@acme.example";

/// Books the first free time; answers before any mail is tried.
async fn book(app: &TestApp, email: &str) -> i64 {
    let slots = app.get("/v1/slots?meeting=discovery&zone=Europe/Madrid").await.expect_json(200);
    let starts_at = slots["slots"][0]["starts_at"].as_i64().expect("a free time");
    let call = json!({
        "site": "faro", "meeting": "discovery", "starts_at": starts_at, "zone": "Europe/Madrid", "language": "en",
        "name": "Nikki", "email": email, "notes": "",
    });
    app.client.with("origin", SITE).post("/v1/bookings", &call).await.expect(201);
    starts_at
}

fn confirmations(app: &TestApp, email: &str) -> usize {
    app.inbox().mails_to(email).iter().filter(|mail| mail.subject.starts_with("Booked: ")).count()
}

#[tokio::test]
async fn a_booking_is_told_to_both_sides_with_an_invitation() {
    let app = TestApp::start_with_mail().await;
    book(&app, NIKKI).await;
    app.run_jobs().await;
    let mail = app.inbox().mails_to(NIKKI).into_iter().find(|mail| mail.subject.starts_with("Booked: "));
    let mail = mail.expect("a confirmation");
    let calendar = mail.calendar.clone().expect("an invitation");
    assert!(calendar.contains("METHOD:REQUEST") && calendar.contains("BEGIN:VEVENT"), "{calendar}");
    assert!(calendar.lines().all(|line| line.len() <= 75), "lines are folded at 75 octets (RFC 5545, 3.1)");
    assert!(mail.link("/b/").starts_with(&app.url), "{}", mail.text);
    assert_eq!(mail.headers["auto-submitted"], "auto-generated");
    let told = app.inbox().mails().into_iter().filter(|mail| mail.subject.starts_with("New call: ")).count();
    assert_eq!(told, 1, "the rep hears of it");
}

/// How many confirmations each of these addresses has.
fn each(app: &TestApp, emails: &[String]) -> Vec<usize> {
    emails.iter().map(|email| confirmations(app, email)).collect()
}

#[tokio::test]
async fn while_the_mail_server_is_down_people_book_all_the_same_and_each_mail_comes_once_within_two_minutes_of_its_return()
 {
    for manner in [Manner::Down, Manner::Busy, Manner::Drop, Manner::Tarpit] {
        let app = TestApp::start_with_mail_and(|settings| set(settings, "mail", "patience_s", 1)).await;
        app.inbox().behave(manner);
        // Ten minutes of trouble, in which people book. Whoever is kept waiting is so by the clock on the wall.
        let (calls, step_ms) = match manner {
            Manner::Tarpit => (2, 5 * MINUTE_MS),
            _ => (5, 2 * MINUTE_MS),
        };
        let mut emails = Vec::new();
        for number in 0..calls {
            emails.push(format!("nikki{number}@acme{number}.example"));
            book(&app, &emails[number]).await;
            app.later(step_ms).await;
        }
        assert_eq!(each(&app, &emails), vec![0; calls], "{manner:?}");

        app.inbox().behave(Manner::Accept);
        let told =
            || app.inbox().mails().iter().filter(|mail| mail.subject.starts_with("New call: ")).count();
        let mut waited_ms = 0;
        while waited_ms < HOUR_MS && (each(&app, &emails).contains(&0) || told() < calls) {
            app.later(MINUTE_MS / 4).await;
            waited_ms += MINUTE_MS / 4;
        }
        assert_eq!(each(&app, &emails), vec![1; calls], "{manner:?}");
        assert!(waited_ms <= 2 * MINUTE_MS, "{manner:?}: the last came {} s after", waited_ms / 1_000);
        assert_eq!(told(), calls, "{manner:?}: the rep hears of each");
        app.later(HOUR_MS / 4).await;
        assert_eq!(each(&app, &emails), vec![1; calls], "{manner:?}: and not again");
        assert_eq!(told(), calls, "{manner:?}: nor does the rep");
        assert_eq!(app.rows("select id from jobs where state = 'dead'").await.len(), 0, "{manner:?}");
    }
}

#[tokio::test]
async fn nobody_is_asked_to_come_to_a_call_that_has_begun() {
    let app = TestApp::start_with_mail().await;
    app.inbox().behave(Manner::Down);
    book(&app, NIKKI).await;
    app.run_jobs().await;
    let row = &app.rows("select starts_at from bookings").await[0];
    app.clock.advance(row.get::<i64>("starts_at").expect("a time") - app.now().as_ms() + 1);
    app.inbox().behave(Manner::Accept);
    app.later(HOUR_MS).await;
    let mails = app.inbox().mails_to(NIKKI);
    assert!(!mails.iter().any(|mail| mail.subject.starts_with("Booked: ")), "{mails:?}");
}

#[tokio::test]
async fn an_answer_that_is_lost_may_repeat_a_mail_but_never_its_identity() {
    let app = TestApp::start_with_mail().await;
    app.inbox().behave(Manner::Lost);
    book(&app, NIKKI).await;
    app.run_jobs().await;
    app.inbox().behave(Manner::Accept);
    app.later(10 * MINUTE_MS).await;
    let copies: Vec<_> =
        app.inbox().mails_to(NIKKI).into_iter().filter(|mail| mail.subject.starts_with("Booked: ")).collect();
    assert!(copies.len() >= 2, "the server could not say that it had the first");
    let ids: BTreeSet<_> = copies.iter().map(|mail| mail.message_id.as_str()).collect();
    assert_eq!(ids.len(), 1, "mail programs show one");
}

#[tokio::test]
async fn an_address_that_is_refused_for_good_is_not_tried_again() {
    let app = TestApp::start_with_mail().await;
    app.inbox().behave(Manner::Refuse);
    book(&app, NIKKI).await;
    app.run_jobs().await;
    app.inbox().behave(Manner::Accept);
    app.later(HOUR_MS / 2).await;
    assert_eq!(confirmations(&app, NIKKI), 0);
    let dead = app.rows("select last_error from jobs where state = 'dead'").await;
    assert!(!dead.is_empty(), "a person must see it");
    let why: String = dead[0].get("last_error").expect("the reason");
    assert!(why.contains("550"), "{why}");
}

#[tokio::test]
async fn a_chat_hook_that_fails_is_tried_again_and_holds_up_no_mail() {
    let hook = Hook::start().await;
    hook.answer(503);
    let folder = tempfile::tempdir().expect("a folder");
    let notify = folder.path().join("notify.yaml");
    let text = format!("hooks:\n  - {{name: sales, url: \"{}\", on: [bookings]}}\n", hook.url);
    std::fs::write(&notify, text).expect("written");
    let app = TestApp::start_with(|settings| {
        set(settings, "definitions", "notify", notify.display().to_string());
        set(settings, "outbound", "allow", vec!["127.0.0.0/8"]);
    })
    .await;
    book(&app, NIKKI).await;
    app.run_jobs().await;
    assert_eq!(hook.calls().len(), 1);
    let booked = app.rows("select subject from mails where recipient = 'nikki@acme.example'").await;
    assert_eq!(booked.len(), 1, "the mail did not wait for it");

    hook.answer(204);
    app.later(10 * MINUTE_MS).await;
    let calls = hook.calls();
    assert_eq!(calls.len(), 2);
    let text = calls[1].json()["text"].as_str().unwrap_or_default().to_owned();
    assert!(text.contains("Nikki"), "{text}");
    app.later(HOUR_MS / 2).await;
    assert_eq!(hook.calls().len(), 2, "once is enough");
    hook.stop().await;
}

#[tokio::test]
async fn reminders_go_out_once_before_the_call_and_none_for_a_call_that_was_cancelled() {
    let app = TestApp::start_with_mail().await;
    let slots = app.get("/v1/slots?meeting=discovery&zone=Europe/Madrid").await.expect_json(200);
    let slots = slots["slots"].as_array().expect("a list");
    let last = |from_end: usize| slots[slots.len() - from_end]["starts_at"].as_i64().expect("a time");
    for (email, starts_at, is_kept) in [(NIKKI, last(1), true), ("pam@acme.example", last(9), false)] {
        let call = json!({
            "site": "faro", "meeting": "discovery", "starts_at": starts_at, "zone": "Europe/Madrid",
            "language": "en", "name": "", "email": email, "notes": "",
        });
        let booked = app.post("/v1/bookings", &call).await.expect_json(201);
        if !is_kept {
            let manage = booked["manage"].as_str().expect("a link").trim_start_matches(&app.url).to_owned();
            let path = format!("{}/cancel", manage.split('?').next().unwrap_or_default());
            let cancelled = app.client.with("origin", &app.url).submit(&path, &[("reason", "")]).await;
            assert!(cancelled.status < 400, "{}", cancelled.body);
        }
    }
    while app.now().as_ms() < last(1) + DAY_MS {
        app.later(HOUR_MS / 2).await;
    }
    let reminders = |email: &str| {
        let mails = app.inbox().mails_to(email);
        mails.iter().filter(|mail| mail.text.contains("only a reminder")).count()
    };
    assert_eq!(reminders(NIKKI), 2, "a day and an hour before");
    let of_rep = app.rows("select recipient from mails where template = 'rep_reminder'").await;
    assert_eq!(of_rep.len(), 2, "and the colleague as often");
    assert_eq!(reminders("pam@acme.example"), 0);
}

#[tokio::test]
async fn each_reminder_goes_out_once_however_the_clock_is_set() {
    for step in [-HOUR_MS, HOUR_MS, DAY_MS] {
        let app = TestApp::start_with_mail().await;
        let slots = app.get("/v1/slots?meeting=discovery&zone=Europe/Madrid").await.expect_json(200);
        let starts_at = slots["slots"].as_array().and_then(|list| list.last()).expect("a time")["starts_at"]
            .as_i64()
            .expect("a time");
        let call = json!({
            "site": "faro", "meeting": "discovery", "starts_at": starts_at, "zone": "Europe/Madrid",
            "language": "en", "name": "", "email": NIKKI, "notes": "",
        });
        app.post("/v1/bookings", &call).await.expect_json(201);
        app.run_jobs().await;
        app.later(starts_at - 30 * HOUR_MS - app.now().as_ms()).await;
        // Wrong for a while, in which the queue is worked on, and right again.
        app.clock.set_by(step);
        app.run_jobs().await;
        app.clock.set_by(-step);
        app.run_jobs().await;
        while app.now().as_ms() < starts_at + HOUR_MS {
            app.later(HOUR_MS / 2).await;
        }
        for template in ["booking_reminder", "rep_reminder"] {
            let rows = app.rows("select template from mails where template like '%_reminder'").await;
            let sent = rows.iter().filter(|row| row.get::<String>("template").expect("a text") == template);
            assert_eq!(sent.count(), 2, "{template} at a step of {step}");
        }
    }
}

#[tokio::test]
async fn a_mail_server_that_does_not_encrypt_is_said_in_words_with_what_to_set() {
    let app = TestApp::start_with_mail_and(|settings| {
        let plain = settings["mail"]["smtp"].as_str().expect("an address").to_owned();
        set(settings, "mail", "smtp", plain.replace("smtp+plain://", "smtp://"));
        set(settings, "server", "workers", 2);
    })
    .await;
    submit(&app.visitor(), "white-paper", NIKKI).await;
    app.run_jobs().await;
    let waiting = app.rows("select last_code from jobs where target = 'mail' and state = 'ready'").await;
    let codes: Vec<Option<String>> =
        waiting.iter().map(|row| row.get("last_code").expect("a text")).collect();
    assert!(
        codes.contains(&Some("no_starttls".to_owned())),
        "it is tried again, somebody may set it right: {codes:?}"
    );
    let admin = agent(&app, Role::Admin).await;
    let page = admin.sees("/console/outbox").await;
    assert!(page.contains("Set mail.smtp to smtps:// with port 465"), "{page}");
}

#[tokio::test]
async fn an_invitation_shows_a_way_out_that_only_a_post_takes() {
    let app = TestApp::start().await;
    submit(&app.visitor(), "white-paper", NIKKI).await;
    app.run_jobs().await;
    let letters = app.rows("select text_body from mails where template = 'webinar_invitation'").await;
    let text: String = letters.first().expect("she is invited").get("text_body").expect("a text");
    let link = text.split_whitespace().find(|word| word.contains("/u/")).expect("a way out");
    let path = link.find("/u/").and_then(|at| link.get(at..)).expect("a path").to_owned();
    let objections = || async {
        let rows = app.rows("select action from consents where purpose = 'invitations'").await;
        rows.iter().map(|row| row.get::<String>("action").expect("a text")).collect::<Vec<_>>()
    };
    for _ in 0..3 {
        assert_eq!(app.get(&path).await.status, 200);
    }
    assert!(objections().await.is_empty(), "opening a link changes nothing");
    for _ in 0..2 {
        let answer = app.client.submit(&path, &[("List-Unsubscribe", "One-Click")]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    assert_eq!(objections().await, ["withdrawn"], "once, however often it is said");
    assert_eq!(app.get("/u/nonsense").await.status, 404);
}

#[tokio::test]
async fn what_goes_to_nobody_any_more_says_so_and_stays_until_the_address_is_written_to_again() {
    let app =
        TestApp::start_with_mail_and(|settings| crate::support::app::set(settings, "server", "workers", 2))
            .await;
    let admin = crate::console::agent(&app, embudo::accounts::Role::Admin).await;
    app.inbox().behave(Manner::Refuse);
    book(&app, NIKKI).await;
    app.run_jobs().await;
    app.inbox().behave(Manner::Accept);
    let dead = async || {
        let rows = app.rows("select id from jobs where state = 'dead' order by id").await;
        rows.iter().map(|row| row.get::<String>("id").expect("an id")).collect::<Vec<_>>()
    };
    assert!(!dead().await.is_empty(), "her mail was given up");
    let address = embudo::base::email::Email::parse(NIKKI).expect("an address");
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let told = embudo::subscriptions::suppression::Told::HardBounce;
    let source = ("test", "one");
    embudo::subscriptions::suppression::take_note(
        &mut tx,
        &app.app.keys,
        &address,
        source,
        told,
        (None, None),
        app.now(),
    )
    .await
    .expect("noted");
    tx.commit().await.expect("commits");

    let page = admin.sees("/console/outbox").await;
    assert!(page.contains("Held back") && page.contains("The mailbox does not exist."), "{page}");
    assert!(page.contains("Write to it again"), "and what to do: {page}");
    let doors = page.split("/console/outbox/jobs/").filter_map(|rest| rest.split_once("/release\""));
    let mut held: Vec<String> = doors.map(|(id, _)| id.to_owned()).collect();
    held.sort();
    let replay = format!("/console/outbox/jobs/{}/replay", held.first().expect("a button"));
    let refused = admin.submits(&replay, &[]).await.expect(409).body;
    assert!(refused.contains("Nothing goes to this address"), "{refused}");
    let all = admin.submits("/console/outbox/replay", &[]).await.expect(303);
    assert!(all.header("location").contains("replayed_but_held"), "{}", all.header("location"));
    app.run_jobs().await;
    assert_eq!(dead().await, held, "they were left where they are");

    let release = |id: &str| format!("/console/outbox/jobs/{id}/release");
    for id in &held {
        // One that is about a call ahead went with the first.
        if !dead().await.contains(id) {
            continue;
        }
        let done = admin.submits(&release(id), &[]).await.expect(303);
        assert!(admin.sees(done.header("location")).await.contains("The address is written to again"));
    }
    app.run_jobs().await;
    assert!(dead().await.is_empty());
    let sent = app.rows("select recipient from mails where template = 'booking_confirmed'").await;
    let to: Vec<String> = sent.iter().map(|row| row.get("recipient").expect("an address")).collect();
    assert_eq!(to, [NIKKI], "what was held back arrives");
}
