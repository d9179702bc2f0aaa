//! Mails about a call that do not reach whoever booked it: whoever holds the call hears of it while she can still ring.

use embudo::accounts::Role;
use embudo::base::language::Language;
use embudo::base::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use reqwest::Method;
use serde_json::{Value, json};

use crate::console::{hire, log_in};
use crate::support::answer::Answer;
use crate::support::app::{SITE, TestApp, set};
use crate::support::inbox::Manner;

/// The mail server of the tests takes nothing for addresses that begin so.
const GONE: &str = "gone@acme.example";
const NIKKI: &str = "nikki@acme.example";
const ANA: &str = "sdr@faro.example";
const KEY: &str = "a key for programs, long enough";
const HOOKS: &str = "a-secret-that-stands-in-the-address";

fn friday(clock: &str) -> i64 {
    format!("2026-11-27T{clock}:00+01:00").parse::<jiff::Timestamp>().expect("an instant").as_millisecond()
}

/// Ana holds calls by telephone, and Ben calls without one.
async fn app() -> TestApp {
    app_of(ANA).await
}

/// The same, with this address of Ana's.
async fn app_of(ana: &str) -> TestApp {
    let text = "
reps:
  - {id: ana, name: Ana Ruiz, account: sdr@faro.example, zone: Europe/Madrid, languages: [en, es], role: sdr, hours: {weekdays: 09:00-17:00}}
  - {id: ben, name: Ben Gil, account: ben@faro.example, zone: Europe/Madrid, languages: [en, es], role: ae, hours: {weekdays: 09:00-17:00}}
meetings:
  - {id: call, title: First call, description: A call, location: telephone, duration: 30m, interval: 30m, notice: 0m, window: 10d, reps: [ana]}
  - {id: video, title: Second call, description: A call, location: here, duration: 30m, interval: 30m, notice: 0m, window: 10d, reps: [ben]}
";
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("team.yaml");
    let text = text.replace("account: sdr@faro.example", &format!("account: sdr@faro.example, email: {ana}"));
    std::fs::write(&file, text).expect("written");
    std::fs::create_dir(folder.path().join("flows")).expect("a folder");
    TestApp::start_with_mail_and(|settings| {
        for key in ["per_minute", "burst"] {
            set(settings, "bookings", key, 1_000_000);
        }
        set(settings, "server", "workers", 2);
        set(settings, "mail", "bounces", "bounce@faro.example");
        set(settings, "mail", "hooks", HOOKS);
        set(settings, "api", "keys", vec![KEY]);
        set(settings, "definitions", "team", file.display().to_string());
        set(settings, "definitions", "flows", folder.path().join("flows").display().to_string());
    })
    .await
}

async fn book(app: &TestApp, meeting: &str, clock: &str, email: &str) -> Value {
    let wish = json!({
        "site": "faro", "meeting": meeting, "starts_at": friday(clock), "zone": "America/New_York",
        "language": "en", "name": "Nikki Grant", "email": email, "answers": { "phone": "+1 212 555 0100" },
    });
    app.client.with("origin", SITE).post("/v1/bookings", &wish).await.expect_json(201)
}

/// What is kept of mails that did not arrive: to whom, which, and what became of it.
async fn kept(app: &TestApp) -> Vec<(String, String, String)> {
    let rows =
        app.rows("select recipient, template, how from undelivered order by at, booking_id, recipient").await;
    let text = |row: &embudo::storage::db::Row, name: &str| row.get::<String>(name).expect("a text");
    rows.iter().map(|row| (text(row, "recipient"), text(row, "template"), text(row, "how"))).collect()
}

fn one(recipient: &str, template: &str, how: &str) -> Vec<(String, String, String)> {
    vec![(recipient.to_owned(), template.to_owned(), how.to_owned())]
}

/// The mails by which a colleague hears of it.
fn told(app: &TestApp, email: &str) -> Vec<String> {
    let mails = app.inbox().mails_to(email);
    mails
        .into_iter()
        .filter(|mail| mail.subject.contains("has not had our mail"))
        .map(|mail| mail.text)
        .collect()
}

/// The lines of the console, and for whom they are.
async fn lines(app: &TestApp) -> Vec<(String, String)> {
    let rows = app
        .rows(
            "select a.email as email, n.title as title from notifications n join accounts a on a.id = n.account_id
             where n.kind = 'booking_mail_failed' order by a.email",
        )
        .await;
    rows.iter().map(|row| (row.get("email").expect("a text"), row.get("title").expect("a text"))).collect()
}

async fn hand_in(app: &TestApp, to: &str, status: &str) -> Value {
    let message = format!(
        "From: MAILER-DAEMON@mx.example\r\nTo: {to}\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n\
         Final-Recipient: rfc822; somebody@else.example\r\nAction: failed\r\nStatus: {status}\r\n\r\n--b--\r\n"
    );
    let client = app.client.with("authorization", &format!("Bearer {KEY}"));
    let message = Some(("message/rfc822", message.into_bytes()));
    client.send(Method::POST, "/api/v1/mail/bounces", message).await.expect_json(200)["heard"].clone()
}

/// The return path of the confirmation that somebody got.
fn back(app: &TestApp, email: &str) -> String {
    let mail = app.inbox().mails_to(email).into_iter().find(|mail| mail.subject.starts_with("Booked: "));
    mail.expect("a confirmation").envelope_from
}

#[tokio::test]
async fn an_address_that_is_refused_at_the_door_is_told_to_the_rep_once_with_what_to_do() {
    let app = app().await;
    hire(&app, ANA, Role::Sdr, Language::En).await;
    app.inbox().behave(Manner::Picky);
    let booked = book(&app, "call", "10:00", GONE).await;
    app.run_jobs().await;
    assert_eq!(kept(&app).await, one(GONE, "booking_confirmed", "refused"));
    let line = "Nikki Grant has not had our mail about the call".to_owned();
    assert_eq!(lines(&app).await, [(ANA.to_owned(), line)]);
    let mails = told(&app, ANA);
    assert_eq!(mails.len(), 1, "{mails:?}");
    for part in
        [GONE, "+12125550100", "refuses the address", "Friday 27 November, 10:00", "/console/bookings/"]
    {
        assert!(mails[0].contains(part), "{part}: {}", mails[0]);
    }
    // The page of the call says it, and what the server said behind it; the number to ring is there.
    let ana = log_in(&app, ANA).await;
    let page = ana.sees(&format!("/console/bookings/{}", booked["booking"].as_str().expect("an id"))).await;
    for part in ["The mail did not arrive", "Ring +12125550100", "550", "<details"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // Neither the reminders nor a move tell it again.
    let starts_at = booked["starts_at"].as_i64().expect("a time");
    app.later(starts_at - DAY_MS - app.now().as_ms() + MINUTE_MS).await;
    app.later(DAY_MS - HOUR_MS).await;
    assert_eq!((kept(&app).await.len(), told(&app, ANA).len(), lines(&app).await.len()), (1, 1, 1));
    let facts = app.rows("select id from events where kind = 'booking_mail_failed'").await;
    assert_eq!(facts.len(), 1);
}

#[tokio::test]
async fn what_nobody_takes_for_two_days_is_told_when_it_is_given_up() {
    let app = app().await;
    hire(&app, ANA, Role::Sdr, Language::Es).await;
    app.inbox().behave(Manner::Down);
    book(&app, "call", "16:00", NIKKI).await;
    app.run_jobs().await;
    app.later(MINUTE_MS).await;
    assert_eq!(kept(&app).await, [], "it may still get through");
    app.later(49 * HOUR_MS).await;
    // Her own mail did not get through either.
    let both = [one(NIKKI, "booking_confirmed", "gave_up"), one(ANA, "rep_booked", "gave_up")].concat();
    assert_eq!(kept(&app).await, both);
    assert_eq!(lines(&app).await.len(), 1, "the console tells her while no mail can");
    app.inbox().behave(Manner::Accept);
    app.later(2 * MINUTE_MS).await;
    let mails: Vec<_> = app
        .inbox()
        .mails_to(ANA)
        .into_iter()
        .filter(|mail| mail.subject.contains("no le ha llegado"))
        .collect();
    assert_eq!(mails.len(), 1, "in her language");
    assert!(mails[0].text.contains("+12125550100") && mails[0].text.contains("hemos dejado de intentarlo"));
}

#[tokio::test]
async fn a_call_that_begins_before_its_mail_got_through_is_told_and_a_moved_one_is_not() {
    let app = app().await;
    hire(&app, ANA, Role::Sdr, Language::En).await;
    app.inbox().behave(Manner::Down);
    let booked = book(&app, "call", "10:00", NIKKI).await;
    app.run_jobs().await;
    let token = booked["manage"].as_str().and_then(|path| path.rsplit("/b/").next()).expect("a link");
    let to = json!({ "starts_at": friday("11:00") });
    app.client.with("origin", SITE).post(&format!("/v1/bookings/{token}/move"), &to).await.expect_json(200);
    app.later(MINUTE_MS).await;
    app.later(MINUTE_MS).await;
    assert_eq!(kept(&app).await, [], "the mail about the move says all");
    // Nothing is tried until the call has begun, as if the server of ours had been away, too.
    app.clock.advance(friday("11:01") - app.now().as_ms());
    app.inbox().behave(Manner::Accept);
    app.run_jobs().await;
    let found = kept(&app).await;
    assert!(found.len() == 1 && found[0].2 == "gave_up", "{found:?}");
}

#[tokio::test]
async fn what_comes_back_later_is_told_by_report_and_by_provider_and_so_is_an_address_that_is_not_written_to()
{
    let app = app().await;
    hire(&app, ANA, Role::Sdr, Language::En).await;
    book(&app, "call", "10:00", NIKKI).await;
    app.run_jobs().await;
    // Full for good, as the report says: this mail did not arrive, though the mailbox is there.
    assert_eq!(hand_in(&app, &back(&app, NIKKI), "5.2.2").await, "soft_bounce");
    app.run_jobs().await;
    assert_eq!(kept(&app).await, one(NIKKI, "booking_confirmed", "bounced"));
    assert_eq!((lines(&app).await.len(), told(&app, ANA).len()), (1, 1));

    // A provider tells of an address: every call that lies ahead of it.
    let pam = "pam@acme.example";
    book(&app, "call", "11:00", pam).await;
    book(&app, "call", "12:00", pam).await;
    app.run_jobs().await;
    let hard = json!({ "RecordType": "Bounce", "Type": "HardBounce", "ID": 42, "Email": pam });
    let door = format!("/v1/mail/postmark/{HOOKS}");
    assert_eq!(app.client.post(&door, &hard).await.expect_json(200)["news"], 1);
    assert_eq!(app.client.post(&door, &hard).await.expect_json(200)["news"], 0);
    app.run_jobs().await;
    let hers: Vec<_> = kept(&app).await.into_iter().filter(|(to, ..)| to == pam).collect();
    assert_eq!(
        hers,
        [one(pam, "booking_confirmed", "bounced"), one(pam, "booking_confirmed", "bounced")].concat()
    );
    assert_eq!(told(&app, ANA).len(), 3);

    // She books once more: nothing is sent to that address, and the rep knows at once.
    book(&app, "call", "13:00", pam).await;
    app.run_jobs().await;
    assert_eq!(kept(&app).await.last(), one(pam, "booking_confirmed", "blocked").first());
    assert_eq!(told(&app, ANA).len(), 4);
}

#[tokio::test]
async fn without_an_account_of_the_rep_the_sales_people_hear_of_it_and_whoever_called_off_herself_knows() {
    let app = app().await;
    hire(&app, ANA, Role::Sdr, Language::En).await;
    app.inbox().behave(Manner::Picky);
    let booked = book(&app, "video", "10:00", GONE).await;
    app.run_jobs().await;
    // Ben's own address stands in the team's file; the line goes to those who can see it.
    assert_eq!((told(&app, "ben@faro.example").len(), told(&app, ANA).len()), (1, 1));
    assert_eq!(lines(&app).await.len(), 1);
    // What she calls off herself needs no telling.
    let other = book(&app, "video", "11:00", "gone.too@acme.example").await;
    let token = |booked: &Value| -> String {
        booked["manage"].as_str().and_then(|path| path.rsplit("/b/").next()).expect("a link").to_owned()
    };
    let cancel = async |booked: &Value| -> Answer {
        app.client
            .with("origin", SITE)
            .post(&format!("/v1/bookings/{}/cancel", token(booked)), &json!({}))
            .await
    };
    cancel(&other).await.expect_json(200);
    cancel(&booked).await.expect_json(200);
    app.run_jobs().await;
    assert_eq!(kept(&app).await.len(), 1);
}

#[tokio::test]
async fn what_is_kept_of_such_a_mail_is_exported_and_erased_with_the_person() {
    let app = app().await;
    hire(&app, ANA, Role::Sdr, Language::En).await;
    app.inbox().behave(Manner::Picky);
    book(&app, "call", "10:00", GONE).await;
    app.run_jobs().await;
    let id = app.rows("select id from contacts").await[0]
        .get::<embudo::base::ids::ContactId>("id")
        .expect("an id");
    let (own, later) = (&app.app, embudo::app::App::later_tables());
    let by = embudo::privacy::audit::By::Cli;
    embudo::privacy::erase(&own.stores, &own.keys, &later, id, by, false, app.now()).await.expect("erased");
    assert_eq!((app.count("undelivered").await, lines(&app).await.len()), (0, 0));
    let mails = app.rows("select id from mails where text_body like '%gone@%'").await;
    assert_eq!(mails.len(), 0);
}

#[tokio::test]
async fn a_mail_that_a_rep_does_not_get_is_told_to_the_administrators_once_with_the_call_and_what_to_do() {
    let app = app_of("gone.ana@faro.example").await;
    hire(&app, "admin@faro.example", Role::Admin, Language::En).await;
    app.inbox().behave(Manner::Picky);
    let booked = book(&app, "call", "10:00", NIKKI).await;
    app.run_jobs().await;
    assert_eq!(kept(&app).await, one("gone.ana@faro.example", "rep_booked", "refused"));
    let told = async || -> Vec<(String, String)> {
        let mails = app.inbox().mails_to("admin@faro.example");
        let about =
            mails.into_iter().filter(|mail| mail.subject.starts_with("Ana Ruiz has not had our mail"));
        about.map(|mail| (mail.subject, mail.text)).collect()
    };
    let mails = told().await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    for part in
        ["gone.ana@faro.example", "Nikki Grant", "refuses the address", "team.yaml", "/console/bookings/"]
    {
        assert!(mails[0].1.contains(part), "{part}: {}", mails[0].1);
    }
    let lines = app.rows("select title from notifications where kind = 'rep_mail_failed'").await;
    assert_eq!(lines.len(), 1);
    // The page of the call names her; nobody is told to ring the visitor, who has her mail.
    let admin = log_in(&app, "admin@faro.example").await;
    let page = admin.sees(&format!("/console/bookings/{}", booked["booking"].as_str().expect("an id"))).await;
    assert!(page.contains("Ana Ruiz may not know of the call") && !page.contains("Ring +"), "{page}");
    assert!(self::lines(&app).await.is_empty(), "the visitor's mails are all right");
    // Neither the reminders nor the visitor's cancelling tell it again.
    app.later(friday("09:30") - app.now().as_ms()).await;
    assert_eq!(told().await.len(), 1);
    // A refused address is not written to any more; the next call says so.
    app.clock.advance(friday("10:30") - app.now().as_ms());
    book(&app, "call", "16:00", "pam@acme.example").await;
    app.run_jobs().await;
    assert_eq!(kept(&app).await.last(), one("gone.ana@faro.example", "rep_booked", "blocked").first());
    assert_eq!(told().await.len(), 2);
    assert!(told().await[1].1.contains("let mails go there again"), "the other way out");

    // The address was right all along: an administrator says so, and mails go there again.
    let admin = log_in(&app, "admin@faro.example").await;
    let page = admin.sees("/console/mail").await;
    for part in ["Colleagues whom no mail reaches", "Ana Ruiz", "knows no such mailbox"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let door = "/console/mail/release";
    let (right, sure) = (("email", "gone.ana@faro.example"), ("sure", "yes"));
    admin.submits(door, &[right]).await.expect(400);
    admin.submits(door, &[("email", NIKKI), sure]).await.expect(400);
    hire(&app, "viewer@faro.example", Role::Viewer, Language::En).await;
    let viewer = log_in(&app, "viewer@faro.example").await;
    viewer.submits(door, &[right, sure]).await.expect(403);
    assert!(
        admin.sees("/console/mail").await.contains("Colleagues whom no mail reaches"),
        "nothing was done"
    );
    app.inbox().behave(Manner::Accept);
    let done = admin.submits(door, &[right, sure]).await.expect(303);
    let said = admin.sees(done.header("location")).await;
    assert!(
        said.contains("go out now: 1."),
        "the reminder and the invitation of what is over do not: {said}"
    );
    app.run_jobs().await;
    let hers = app.inbox().mails_to("gone.ana@faro.example");
    assert_eq!(hers.len(), 1, "what was let be arrives");
    assert!(hers[0].subject.contains("Pam") || hers[0].text.contains("pam@acme.example"), "{}", hers[0].text);
    assert!(!admin.sees("/console/mail").await.contains("Colleagues whom no mail reaches"));
    let audit = admin.sees("/console/audit").await;
    assert!(audit.contains("address that mails may go to again") && audit.contains("gone.ana@faro.example"));
    book(&app, "call", "16:30", "jim@acme.example").await;
    app.run_jobs().await;
    assert_eq!(app.inbox().mails_to("gone.ana@faro.example").len(), 2, "she hears of her calls");
    assert_eq!(told().await.len(), 2);
}

#[tokio::test]
async fn a_mail_to_a_rep_that_comes_back_later_is_told_the_same_way() {
    let app = app_of(ANA).await;
    hire(&app, "admin@faro.example", Role::Admin, Language::En).await;
    book(&app, "call", "10:00", NIKKI).await;
    app.run_jobs().await;
    let mail = app.inbox().mails_to(ANA).into_iter().next().expect("a mail about the call");
    assert_eq!(hand_in(&app, &mail.envelope_from, "5.2.2").await, "soft_bounce");
    app.run_jobs().await;
    assert_eq!(kept(&app).await, one(ANA, "rep_booked", "bounced"));
    let lines = app.rows("select link from notifications where kind = 'rep_mail_failed'").await;
    assert_eq!(lines.len(), 1);
    let exported = app.rows("select contact_id from undelivered where contact_id is not null").await;
    assert_eq!(exported.len(), 0, "a colleague's address is nothing of the visitor's");
}

#[tokio::test]
async fn however_an_address_is_released_what_was_held_back_about_calls_ahead_goes_in_its_newest_state() {
    const GONE_ANA: &str = "gone.ana@faro.example";
    for door in ["program", "outbox"] {
        let app = app_of(GONE_ANA).await;
        hire(&app, "admin@faro.example", Role::Admin, Language::En).await;
        let admin = log_in(&app, "admin@faro.example").await;
        app.inbox().behave(Manner::Picky);
        book(&app, "call", "10:00", NIKKI).await;
        app.run_jobs().await;
        let dead = app.rows("select id from jobs where state = 'dead'").await;
        let dead: String = dead.first().expect("refused at the door").get("id").expect("an id");
        // Booked while nothing goes to her: one stands, one is called off.
        book(&app, "call", "11:00", "pam@acme.example").await;
        let off = book(&app, "call", "12:00", "jim@acme.example").await;
        app.run_jobs().await;
        let token = off["manage"].as_str().and_then(|path| path.rsplit("/b/").next()).expect("a link");
        let cancel = format!("/v1/bookings/{token}/cancel");
        app.client.with("origin", SITE).post(&cancel, &json!({})).await.expect_json(200);
        app.run_jobs().await;
        assert_eq!(app.inbox().mails_to(GONE_ANA).len(), 0);

        app.inbox().behave(Manner::Accept);
        if door == "program" {
            let client = app.client.with("authorization", &format!("Bearer {KEY}"));
            let done = client.post("/api/v1/suppressions/release", &json!({ "email": GONE_ANA })).await;
            assert_eq!(done.expect_json(200), json!({ "released": 1, "mails": 3 }));
        } else {
            let page = admin.sees("/console/outbox").await;
            assert!(page.contains("Held back") && page.contains("Write to it again"), "{page}");
            assert!(!page.contains("then try again"), "one advice and not two that contradict: {page}");
            let done = admin.submits(&format!("/console/outbox/jobs/{dead}/release"), &[]).await.expect(303);
            let said = admin.sees(done.header("location")).await;
            assert!(said.contains("go out now: 3."), "{said}");
        }
        app.run_jobs().await;
        let rows = app
            .rows("select template from mails where recipient = 'gone.ana@faro.example' order by template")
            .await;
        let sent: Vec<String> = rows.iter().map(|row| row.get("template").expect("a text")).collect();
        assert_eq!(
            sent,
            ["rep_booked", "rep_booked", "rep_cancelled"],
            "{door}: of the one called off only that"
        );
    }
}
