//! Sequences of letters: who enters, what is sent once, and what ends them.

use std::process::{Command, Output};

use embudo::accounts::Role;
use embudo::base::time::{DAY_MS, HOUR_MS, Timestamp};
use embudo::nurture;
use serde_json::json;

use crate::console::{agent, log_in};
use crate::gates::contact;
use crate::letters::{NIKKI, app, ask_for_letters, path_of, questions, subscribe};
use crate::people::{merge, unmerge};
use crate::support::app::TestApp;
use crate::support::visitor::Visitor;

async fn walks(app: &TestApp) -> Vec<(String, i64, Option<String>)> {
    let rows = app.rows("select state, step, reason from enrolments order by entered_at, id").await;
    rows.iter()
        .map(|row| {
            let text = |name: &str| row.get::<Option<String>>(name).expect("text");
            (text("state").unwrap_or_default(), row.get("step").expect("a number"), text("reason"))
        })
        .collect()
}

fn letters(app: &TestApp) -> Vec<String> {
    let mails = app.inbox().mails_to(NIKKI).into_iter();
    mails
        .filter(|mail| mail.text.contains("/u/") && !mail.text.contains("/w/"))
        .map(|mail| mail.subject)
        .collect()
}

async fn visit(nikki: &Visitor<'_>) {
    nikki.report(&nikki.hit("/precios")).await.expect(202);
}

#[tokio::test]
async fn whoever_is_in_the_stage_enters_when_she_has_confirmed_and_gets_each_letter_once() {
    let app = app().await;
    let mut nikki = app.visitor();
    ask_for_letters(&mut nikki, NIKKI).await;
    app.later(HOUR_MS).await;
    assert_eq!(walks(&app).await, [], "a lead who has confirmed nothing gets nothing");
    let link = path_of(&app, &questions(&app, NIKKI)[0].link("/s/"));
    app.client.submit(&link, &[]).await.expect(200);
    app.run_jobs().await;
    assert_eq!(walks(&app).await, [("active".to_owned(), 0, None)]);
    assert_eq!(letters(&app), Vec::<String>::new());
    app.later(2 * DAY_MS).await;
    assert_eq!(letters(&app).len(), 1);
    visit(&nikki).await;
    for _ in 0..6 {
        app.later(DAY_MS).await;
    }
    assert_eq!(letters(&app).len(), 2, "{:?}", letters(&app));
    assert_eq!(walks(&app).await, [("done".to_owned(), 2, Some("through".to_owned()))]);
    for _ in 0..10 {
        app.later(DAY_MS).await;
    }
    assert_eq!(letters(&app).len(), 2);
    let html =
        app.inbox().mails_to(NIKKI).into_iter().rfind(|mail| mail.text.contains("/u/")).expect("a letter");
    assert!(
        html.html.contains("15001 A Coruña") && html.text.contains("15001 A Coruña"),
        "the postal address"
    );
}

#[tokio::test]
async fn a_letter_is_only_for_whom_its_condition_holds() {
    let app = app().await;
    let mut nikki = app.visitor();
    subscribe(&app, &mut nikki, NIKKI).await;
    for _ in 0..9 {
        app.later(DAY_MS).await;
    }
    assert_eq!(letters(&app).len(), 1, "she did not come back, so nobody asks her for a call");
    assert_eq!(walks(&app).await, [("done".to_owned(), 2, Some("through".to_owned()))]);
}

#[tokio::test]
async fn what_ends_a_sequence_is_asked_again_just_before_a_letter_leaves() {
    let app = app().await;
    let mut nikki = app.visitor();
    // 10:00 in Madrid is 03:00 in Mexico City: the letter is handed over and waits.
    nikki.zone = "America/Mexico_City";
    subscribe(&app, &mut nikki, NIKKI).await;
    app.later(2 * DAY_MS).await;
    assert_eq!(letters(&app).len(), 0);
    let slots = app.get("/v1/slots?meeting=discovery&zone=Europe/Madrid").await.expect_json(200);
    let call = json!({
        "site": "faro", "meeting": "discovery", "starts_at": slots["slots"][0]["starts_at"], "zone": "Europe/Madrid",
        "language": "en", "name": "Nikki", "email": NIKKI, "notes": "",
    });
    nikki.post("/v1/bookings", &call).await.expect(201);
    app.later(8 * HOUR_MS).await;
    assert_eq!(letters(&app).len(), 0, "she has booked: nobody needs to persuade her");
    let (state, _, reason) = walks(&app).await.remove(0);
    assert_eq!(state, "left");
    assert!(matches!(reason.as_deref(), Some("booked")), "{reason:?}");
    let dropped = app.rows("select last_error from jobs where state = 'dropped'").await;
    assert!(dropped.iter().any(|row| row.get::<String>("last_error").expect("why").contains("booked")));
}

#[tokio::test]
async fn a_letter_that_was_held_back_keeps_its_distance_from_the_next() {
    let app = app().await;
    let mut nikki = app.visitor();
    // 10:00 in Madrid is 03:00 in Mexico City: the letter waits for her morning.
    nikki.zone = "America/Mexico_City";
    subscribe(&app, &mut nikki, NIKKI).await;
    let planned = app.now().plus_ms(2 * DAY_MS);
    app.later(2 * DAY_MS).await;
    assert_eq!(letters(&app).len(), 0);
    let next_at = async || {
        let rows = app.rows("select next_at from enrolments").await;
        rows[0].get::<Timestamp>("next_at").expect("a time")
    };
    let waits_until = async || {
        let rows =
            app.rows("select next_at from jobs where dedupe_key like 'letter:%' and state = 'ready'").await;
        rows[0].get::<Timestamp>("next_at").expect("a time")
    };
    let leaves = waits_until().await;
    assert!(leaves > planned.plus_ms(HOUR_MS), "{leaves:?}");
    assert_eq!(next_at().await, leaves.plus_ms(5 * DAY_MS), "five days after the letter before it");
    visit(&nikki).await;
    app.later(8 * HOUR_MS).await;
    assert_eq!(letters(&app).len(), 1);
    let left = next_at().await;
    assert!(left >= leaves.plus_ms(5 * DAY_MS));
    while app.now() < left.plus_ms(-HOUR_MS) {
        app.later(HOUR_MS).await;
        assert_eq!(letters(&app).len(), 1, "not before {left:?}");
    }
    visit(&nikki).await;
    app.later(2 * HOUR_MS).await;
    app.later(12 * HOUR_MS).await;
    assert_eq!(letters(&app).len(), 2);
}

#[tokio::test]
async fn leaving_the_stage_or_the_letters_ends_the_sequence() {
    let app = app().await;
    let mut nikki = app.visitor();
    subscribe(&app, &mut nikki, NIKKI).await;
    let (id, _) = contact(&app, NIKKI).await;
    let registration = nikki.fill("webinar", json!({ "email": NIKKI })).await;
    nikki.post("/v1/forms/webinar", &registration).await.expect(200);
    app.run_jobs().await;
    assert_eq!(contact(&app, NIKKI).await.1, "mql");
    assert_eq!(walks(&app).await, [("left".to_owned(), 0, Some("elsewhere".to_owned()))]);
    let told = app.rows("select kind from activities where kind like 'nurture%' order by at, id").await;
    let told: Vec<String> = told.iter().map(|row| row.get("kind").expect("text")).collect();
    assert_eq!(told, ["nurture.entered", "nurture.left"], "the timeline shows both");
    let walk = nurture::of_contact(&mut app.app.stores.db.read(), id).await.expect("read").remove(0);
    assert_eq!(walk.sequence, "faro-leads");

    let mut pam = app.visitor();
    let pams = "pam@acme.example";
    subscribe(&app, &mut pam, pams).await;
    assert_eq!(walks(&app).await.len(), 2);
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let (pam_id, _) = contact(&app, pams).await;
    let known = embudo::contacts::find(&mut tx, pam_id).await.expect("read").expect("there");
    embudo::subscriptions::leave(&mut tx, &app.app.keys, &known, "newsletter", "test", app.now())
        .await
        .expect("left");
    tx.commit().await.expect("commits");
    app.run_jobs().await;
    assert_eq!(walks(&app).await[1], ("left".to_owned(), 0, Some("unsubscribed".to_owned())));
}

#[tokio::test]
async fn two_workers_take_a_step_once() {
    let app = app().await;
    let mut nikki = app.visitor();
    subscribe(&app, &mut nikki, NIKKI).await;
    app.clock.advance(2 * DAY_MS);
    let one = app.app.worker();
    let (a, b, c) =
        tokio::join!(embudo::jobs::drain(&one), embudo::jobs::drain(&one), embudo::jobs::drain(&one));
    for done in [a, b, c] {
        done.expect("drained");
    }
    app.run_jobs().await;
    assert_eq!(letters(&app).len(), 1);
    let jobs = app.rows("select id from jobs where dedupe_key like 'letter:%'").await;
    assert_eq!(jobs.len(), 1);
}

fn embudo(app: &TestApp, arguments: &[&str]) -> Command {
    // The program reads the clock that the data folder remembers.
    let offset = app.now().as_ms() - jiff::Timestamp::now().as_millisecond();
    std::fs::write(app.folder().join("data/clock"), offset.to_string()).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_embudo"));
    command.arg("--config").arg(app.folder().join("embudo.toml")).args(arguments);
    command
}

fn told(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn a_dry_run_tells_who_would_get_what_and_when_and_writes_nothing() {
    let app = app().await;
    let mut nikki = app.visitor();
    subscribe(&app, &mut nikki, NIKKI).await;
    let before = app.census().await;
    let text = told(&embudo(&app, &["nurture", "dry-run", "--days", "10"]).output().expect("run"));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with("2026-11-25T09:0") && lines[0].contains("faro-lead-idea in es"), "{text}");
    assert!(
        lines[1].contains("not sent: faro-lead-call") && lines[1].contains("count(\"visit\", \"7d\")"),
        "{text}"
    );
    assert_eq!(app.census().await, before);
    let short = told(&embudo(&app, &["nurture", "dry-run", "--days", "1"]).output().expect("run"));
    assert_eq!(short, "no letter is due within 1 days\n");
}

#[tokio::test]
async fn a_dry_run_with_newcomers_tells_who_would_not_enter_and_why() {
    let app = app().await;
    let (mut nikki, mut pam) = (app.visitor(), app.visitor());
    nikki.submit("white-paper", NIKKI).await;
    ask_for_letters(&mut pam, "pam@acme.example").await;
    app.run_jobs().await;
    let dry_run = || told(&embudo(&app, &["nurture", "dry-run", "--newcomers"]).output().expect("run"));
    let text = dry_run();
    let why = "does not enter faro-leads (the reader has not asked for these letters, or not confirmed it)";
    assert!(text.contains(&format!("{NIKKI} {why}")), "{text}");
    assert!(text.contains(&format!("pam@acme.example {why}")), "{text}");
    assert!(!text.contains("not sent") && !text.contains("unsubscribed"), "{text}");
    subscribe(&app, &mut nikki, NIKKI).await;
    let text = dry_run();
    assert!(text.contains("faro-lead-idea in es, step 1 of faro-leads"), "{text}");
    assert!(!text.contains(&format!("{NIKKI} does not enter")), "{text}");
}

#[tokio::test]
async fn a_message_that_came_back_is_piped_into_the_program_and_mails_are_looked_at_by_it() {
    use std::io::Write;
    let app = app().await;
    let mut nikki = app.visitor();
    nikki.submit("white-paper", NIKKI).await;
    app.run_jobs().await;
    let back = app.inbox().mails_to(NIKKI)[0].envelope_from.clone();
    let message = format!(
        "From: MAILER-DAEMON@mx.example\nTo: {back}\nSubject: Undelivered\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\
         Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx\n\nAction: failed\nStatus: 5.1.1\n\n--b--\n"
    );
    let mut command = embudo(&app, &["mail", "bounce"]);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().expect("started");
    child.stdin.take().expect("piped").write_all(message.as_bytes()).expect("written");
    assert_eq!(told(&child.wait_with_output().expect("ended")), "hard_bounce\n");
    assert_eq!(app.count("suppressions").await, 1);

    let shown =
        told(&embudo(&app, &["mail", "preview", "faro-lead-idea", "--lang", "es"]).output().expect("run"));
    assert!(
        shown.starts_with("Subject: Nikki, una página") && shown.contains("Empieza por una página"),
        "{shown}"
    );
    let file = app.folder().join("mail.html");
    let out = file.display().to_string();
    told(&embudo(&app, &["mail", "preview", "booking_confirmed", "--out", &out]).output().expect("run"));
    assert!(std::fs::read_to_string(&file).expect("written").contains("<!doctype html>"));
    let none = embudo(&app, &["mail", "preview", "booking_confirmd"]).output().expect("run");
    assert!(!none.status.success());
    let why = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(why.contains("did you mean `booking_confirmed`?"), "{why}");
}

#[tokio::test]
async fn people_are_put_into_a_sequence_and_taken_out_by_hand_and_both_can_be_taken_back() {
    let app = app().await;
    let mut nikki = app.visitor();
    subscribe(&app, &mut nikki, NIKKI).await;
    let mut other = app.visitor();
    other.submit("white-paper", "other@acme.example").await;
    app.run_jobs().await;
    assert_eq!(walks(&app).await, [("active".to_owned(), 0, None)]);
    let ids: Vec<String> = {
        let rows = app.rows("select id from contacts order by email").await;
        rows.iter().map(|row| row.get("id").expect("a text")).collect()
    };
    let marta = agent(&app, Role::Marketing).await;
    let acts = "/console/contacts/acts";
    let leave = [("query", ""), ("what", "leave:faro-leads"), ("scope", "all"), ("found", "2")];
    let path = marta.submits(acts, &leave).await.expect(303).header("location").to_owned();
    app.run_jobs().await;
    assert_eq!(walks(&app).await, [("left".to_owned(), 0, Some("taken_out".to_owned()))]);
    let page = marta.sees(&path).await;
    assert!(page.contains("1 contact is out of it now") && page.contains("First ideas for leads"), "{page}");
    assert!(marta.sees("/console/content/sequences/faro-leads").await.contains("was taken out by somebody"));
    // What was enqueued before, and what she does later, brings her no letter.
    app.later(3 * DAY_MS).await;
    assert_eq!(letters(&app), Vec::<String>::new());
    let marta = log_in(&app, "marketing@faro.example").await;
    let late = marta.submits(&format!("{path}/undo"), &[]).await;
    late.expect(409);

    // The ticked alone, and only whoever gets the letters.
    let enter = [
        ("query", ""),
        ("what", "enter:faro-leads"),
        ("scope", "chosen"),
        ("chosen", ids[0].as_str()),
        ("chosen", ids[1].as_str()),
    ];
    let path = marta.submits(acts, &enter).await.expect(303).header("location").to_owned();
    app.run_jobs().await;
    let page = marta.sees(&path).await;
    assert!(page.contains("1 contact is in it now") && page.contains("1 other was in it already"), "{page}");
    assert_eq!(walks(&app).await.last(), Some(&("active".to_owned(), 0, None)));
    // A second time changes nobody.
    let again = marta.submits(acts, &enter).await.expect(303).header("location").to_owned();
    app.run_jobs().await;
    assert!(marta.sees(&again).await.contains("0 contacts are in it now"));
    marta.submits(&format!("{path}/undo"), &[]).await.expect(303);
    app.run_jobs().await;
    assert_eq!(walks(&app).await.last(), Some(&("left".to_owned(), 0, Some("taken_out".to_owned()))));
    // Taken out by mistake, she goes on where she was.
    let enter = [("query", ""), ("what", "enter:faro-leads"), ("scope", "all"), ("found", "2")];
    marta.submits(acts, &enter).await.expect(303);
    app.run_jobs().await;
    let path = marta.submits(acts, &leave).await.expect(303).header("location").to_owned();
    app.run_jobs().await;
    marta.submits(&format!("{path}/undo"), &[]).await.expect(303);
    app.run_jobs().await;
    assert_eq!(walks(&app).await.last(), Some(&("active".to_owned(), 0, None)));
    app.later(3 * DAY_MS).await;
    // It waits for the end of her Sunday.
    app.later(DAY_MS).await;
    assert_eq!(letters(&app).len(), 1, "her first letter");

    let marta = log_in(&app, "marketing@faro.example").await;
    for wrong in [
        [("what", "enter:nothing"), ("scope", "all")],
        [("what", "enter:faro-leads"), ("scope", "chosen")],
        [("what", "dance"), ("scope", "all")],
    ] {
        marta.submits(acts, &wrong).await.expect(422);
    }
}

#[tokio::test]
async fn many_are_erased_once_their_number_was_typed_and_only_by_whoever_may() {
    let app = app().await;
    for name in ["ana", "bob", "cyd"] {
        app.visitor().submit("white-paper", &format!("{name}@acme.example")).await;
    }
    app.run_jobs().await;
    let acts = "/console/contacts/acts";
    let erase = [("query", "q=bob"), ("what", "erase"), ("scope", "all")];
    let marta = agent(&app, Role::Marketing).await;
    marta
        .submits(acts, &[("query", "q=bob"), ("what", "erase"), ("scope", "all"), ("typed", "1")])
        .await
        .expect(403);
    assert!(!marta.sees("/console/contacts").await.contains("value=\"erase\""));
    let admin = agent(&app, Role::Admin).await;
    assert!(admin.sees("/console/contacts").await.contains("value=\"erase\""));
    let page = admin.submits(acts, &erase).await.expect(200).body;
    assert!(page.contains("Erase 1 contact") && page.contains("This cannot be undone"), "{page}");
    let wrong = [("query", "q=bob"), ("what", "erase"), ("scope", "all"), ("typed", "3")];
    assert!(admin.submits(acts, &wrong).await.expect(200).body.contains("Type 1: so many"));
    assert_eq!(app.count("contacts").await, 3);
    let right = [("query", "q=bob"), ("what", "erase"), ("scope", "all"), ("typed", "1")];
    let path = admin.submits(acts, &right).await.expect(303).header("location").to_owned();
    app.run_jobs().await;
    let left = app.rows("select email from contacts order by email").await;
    let left: Vec<String> = left.iter().map(|row| row.get("email").expect("a text")).collect();
    assert_eq!(left, ["ana@acme.example", "cyd@acme.example"]);
    let page = admin.sees(&path).await;
    assert!(page.contains("1 contact was erased") && !page.contains("/undo"), "{page}");
    for told in
        ["Calls ahead, called off", "What cannot be erased from here", "Backups that were made before"]
    {
        assert!(page.contains(told), "{told}: {page}");
    }
    admin.submits(&format!("{path}/undo"), &[]).await.expect(409);
}

const HOME: &str = "nikki@home.example";

/// The letters of sequences that went to either of Nikki's addresses.
fn letters_to_both(app: &TestApp) -> Vec<String> {
    let of = |address| app.inbox().mails_to(address).into_iter();
    let mails = of(NIKKI).chain(of(HOME));
    mails
        .filter(|mail| mail.text.contains("/u/") && !mail.text.contains("/w/"))
        .map(|mail| mail.subject)
        .collect()
}

#[tokio::test]
async fn who_is_two_contacts_in_one_gets_each_letter_once_and_both_go_on_once_they_are_two_again() {
    let app = app().await;
    let (mut work, mut home) = (app.visitor(), app.visitor());
    subscribe(&app, &mut work, NIKKI).await;
    subscribe(&app, &mut home, HOME).await;
    let both = [("active".to_owned(), 0, None), ("active".to_owned(), 0, None)];
    assert_eq!(walks(&app).await, both);
    let (nikki, other) = (contact(&app, NIKKI).await.0, contact(&app, HOME).await.0);
    merge(&app, nikki, other).await;
    app.run_jobs().await;
    let merged = Some("merged".to_owned());
    assert_eq!(walks(&app).await, [("active".to_owned(), 0, None), ("left".to_owned(), 0, merged)]);
    // She was asked twice whether she wants letters: the first one waits until a week has room for it.
    for _ in 0..9 {
        app.later(DAY_MS).await;
    }
    assert_eq!(letters_to_both(&app).len(), 1, "{:?}", walks(&app).await);
    let viewer = agent(&app, Role::Viewer).await;
    let page = viewer.sees("/console/content/sequences/faro-leads").await;
    assert!(page.contains("was merged with another contact"), "{page}");

    unmerge(&app, other).await;
    app.run_jobs().await;
    let (state, _, reason) = walks(&app).await.remove(1);
    assert_eq!((state.as_str(), reason), ("active", None), "on her own way again");
    for _ in 0..3 {
        app.later(DAY_MS).await;
    }
    assert_eq!(letters_to_both(&app).len(), 2, "each what she had not had yet");
    assert_eq!(letters(&app).len(), 1);
}

#[tokio::test]
async fn letters_that_one_of_two_who_are_one_has_had_do_not_come_again() {
    let app = app().await;
    let (mut work, mut home) = (app.visitor(), app.visitor());
    subscribe(&app, &mut work, NIKKI).await;
    for _ in 0..9 {
        app.later(DAY_MS).await;
    }
    assert_eq!(walks(&app).await[0].0, "done");
    assert_eq!(letters_to_both(&app).len(), 1);
    subscribe(&app, &mut home, HOME).await;
    assert_eq!(walks(&app).await[1].0, "active");
    let (nikki, other) = (contact(&app, NIKKI).await.0, contact(&app, HOME).await.0);
    merge(&app, other, nikki).await;
    app.run_jobs().await;
    app.later(4 * DAY_MS).await;
    app.later(DAY_MS).await;
    assert_eq!(letters_to_both(&app).len(), 1, "she had it under her other address");
    assert_eq!(walks(&app).await.len(), 2, "and enters it no more");
}

#[tokio::test]
async fn who_was_put_in_again_before_a_taking_out_is_undone_walks_once() {
    let app = app().await;
    let mut nikki = app.visitor();
    subscribe(&app, &mut nikki, NIKKI).await;
    let marta = agent(&app, Role::Marketing).await;
    let acts = "/console/contacts/acts";
    let all = |what: &'static str| [("query", ""), ("what", what), ("scope", "all"), ("found", "1")];
    let out = marta.submits(acts, &all("leave:faro-leads")).await.expect(303).header("location").to_owned();
    app.run_jobs().await;
    marta.submits(acts, &all("enter:faro-leads")).await.expect(303);
    app.run_jobs().await;
    marta.submits(&format!("{out}/undo"), &[]).await.expect(303);
    app.run_jobs().await;
    let active = walks(&app).await.into_iter().filter(|(state, ..)| state == "active").count();
    assert_eq!(active, 1, "{:?}", walks(&app).await);
    let page = marta.sees(&out).await;
    assert!(page.contains("It was taken back for 1 contact") && !page.contains("is out of it now"), "{page}");
    app.later(3 * DAY_MS).await;
    app.later(DAY_MS).await;
    assert_eq!(letters(&app).len(), 1);
}
