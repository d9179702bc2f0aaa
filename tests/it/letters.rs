//! Who gets letters: asked for, confirmed, left; addresses that are not written to; when letters go out; who clicked.

use embudo::app::App;
use embudo::base::email::Email;
use embudo::base::ids::{ContactId, VisitorId};
use embudo::base::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use embudo::privacy::{self, audit::By};
use embudo::subscriptions::suppression::{self, Kind, Reason};
use embudo::subscriptions::{self, State};
use reqwest::Method;
use serde_json::{Value, json};

use crate::gates::contact;
use crate::support::app::{SITE, TestApp, set};
use crate::support::inbox::Mail;
use crate::support::nodes::until;
use crate::support::visitor::Visitor;

pub const NIKKI: &str = "nikki@acme.example";
const KEY: &str = "a key for programs of forty characters..";
const HOOKS: &str = "a secret that stands in the address";

/// An app with a mail server, a return path of its own, and doors for programs.
pub async fn app() -> TestApp {
    TestApp::start_with_mail_and(|settings| {
        set(settings, "mail", "from", "hola@faro.example");
        set(settings, "mail", "bounces", "bounce@faro.example");
        set(settings, "mail", "hooks", HOOKS);
        set(settings, "mail", "mailgun_key", "the key of mailgun");
        set(settings, "api", "keys", vec![KEY]);
    })
    .await
}

/// Sends the white paper's form and ticks the wish for letters.
pub async fn ask_for_letters(visitor: &mut Visitor<'_>, email: &str) {
    let mut sent = visitor.fill("white-paper", json!({ "email": email })).await;
    sent["agreed"] = json!(["newsletter"]);
    let answer = visitor.post("/v1/forms/white-paper", &sent).await.expect_json(200);
    visitor.id = answer["visitor"].as_str().expect("a visitor").to_owned();
}

pub fn questions(app: &TestApp, email: &str) -> Vec<Mail> {
    let mails = app.inbox().mails_to(email);
    mails.into_iter().filter(|mail| mail.text.contains("/s/")).collect()
}

pub fn path_of(app: &TestApp, link: &str) -> String {
    link.trim_start_matches(&app.url).split('?').next().expect("a path").to_owned()
}

/// Asks for the letters and confirms them in the browser that asked.
pub async fn subscribe(app: &TestApp, visitor: &mut Visitor<'_>, email: &str) {
    ask_for_letters(visitor, email).await;
    app.run_jobs().await;
    let link = path_of(app, &questions(app, email).last().expect("she is asked").link("/s/"));
    app.client.submit(&link, &[("device", &visitor.id)]).await.expect(200);
    app.run_jobs().await;
}

pub async fn state(app: &TestApp, email: &str) -> Option<State> {
    let (id, _) = contact(app, email).await;
    let found = subscriptions::find(&mut app.app.stores.db.read(), id, "newsletter").await.expect("read");
    found.map(|found| found.state)
}

async fn ledger(app: &TestApp) -> Vec<(String, String)> {
    let rows = app.rows("select purpose, action from consents order by at, id").await;
    rows.iter().map(|row| (row.get("purpose").expect("text"), row.get("action").expect("text"))).collect()
}

fn program(app: &TestApp) -> crate::support::answer::Client {
    app.client.with("authorization", &format!("Bearer {KEY}"))
}

async fn blocks(app: &TestApp, email: &str, kind: Kind<'_>) -> Option<Reason> {
    let (email, keys) = (Email::parse(email).expect("valid"), &app.app.keys);
    suppression::blocks(&mut app.app.stores.db.read(), keys, &email, kind, app.now()).await.expect("read")
}

const LETTER: Kind<'static> = Kind::Marketing { topic: Some("newsletter") };

// --- asking and confirming -------------------------------------------------------------------------

#[tokio::test]
async fn whoever_asks_is_asked_back_at_once_and_opening_the_link_confirms_nothing() {
    let app = app().await;
    let mut nikki = app.visitor();
    ask_for_letters(&mut nikki, NIKKI).await;
    app.run_jobs().await;
    let asked = questions(&app, NIKKI);
    assert_eq!(asked.len(), 1, "at once, without anybody's cron");
    assert!(
        !asked[0].headers.contains_key("list-unsubscribe") && !asked[0].html.contains("/book/"),
        "no marketing"
    );
    assert_eq!(state(&app, NIKKI).await, Some(State::Unconfirmed));

    let link = path_of(&app, &asked[0].link("/s/"));
    let before = app.census().await;
    for _ in 0..3 {
        let page = app.get(&link).await.expect(200);
        assert!(
            page.body.contains("<button")
                && page.body.contains("Carta mensual") | page.body.contains("Monthly letter")
        );
    }
    app.client.send(Method::HEAD, &link, None).await.expect(200);
    let stranger = VisitorId::new().to_string();
    app.client.submit(&link, &[("device", &stranger)]).await.expect_problem(409, "subscription.other_device");
    app.client
        .submit(&link, &[("device", "no visitor")])
        .await
        .expect_problem(409, "subscription.other_device");
    assert_eq!(app.census().await, before, "a scanner with a browser of its own changes nothing either");
    assert_eq!(state(&app, NIKKI).await, Some(State::Unconfirmed));

    let done = app.client.submit(&link, &[("device", &nikki.id)]).await.expect(200);
    assert!(done.body.contains("subscription-done"), "{}", done.body);
    assert_eq!(state(&app, NIKKI).await, Some(State::Confirmed));
    let granted =
        ledger(&app).await.into_iter().filter(|entry| *entry == ("newsletter".into(), "granted".into()));
    assert_eq!(granted.count(), 2, "the tick with its text, and the confirmation");
    let rows = app
        .rows("select text_hash, mail_id from consents where purpose = 'newsletter' order by at, id")
        .await;
    let text = |column: &str, at: usize| rows[at].get::<Option<String>>(column).expect("a text or nothing");
    assert!(text("text_hash", 0).is_some() && text("text_hash", 0) == text("text_hash", 1), "the very words");
    let mail = app.rows("select id from mails where template = 'confirm_subscription'").await;
    assert_eq!(text("mail_id", 0), None);
    assert_eq!(
        text("mail_id", 1),
        Some(mail[0].get::<String>("id").expect("an id")),
        "and the mail that asked"
    );
    let trust =
        app.rows("select max(trust) as trust from visitors").await[0].get::<i64>("trust").expect("a level");
    assert_eq!(trust, 3, "the browser that asked holds the mailbox's link");
}

#[tokio::test]
async fn elsewhere_one_button_confirms_and_whoever_is_confirmed_is_not_asked_again() {
    let app = app().await;
    let mut nikki = app.visitor();
    ask_for_letters(&mut nikki, NIKKI).await;
    app.run_jobs().await;
    let link = path_of(&app, &questions(&app, NIKKI)[0].link("/s/"));
    app.client.submit(&link, &[]).await.expect(200);
    assert_eq!(state(&app, NIKKI).await, Some(State::Confirmed));
    app.clock.advance(DAY_MS);
    ask_for_letters(&mut nikki, NIKKI).await;
    app.run_jobs().await;
    assert_eq!(questions(&app, NIKKI).len(), 1);
}

#[tokio::test]
async fn an_old_mail_does_not_bring_back_who_has_left_and_forged_links_are_refused() {
    let app = app().await;
    let mut nikki = app.visitor();
    ask_for_letters(&mut nikki, NIKKI).await;
    app.run_jobs().await;
    let link = path_of(&app, &questions(&app, NIKKI)[0].link("/s/"));
    let leave = json!({ "email": NIKKI, "topic": "newsletter" });
    program(&app).post("/api/v1/subscriptions/end", &leave).await.expect(204);
    app.client.submit(&link, &[]).await.expect(200);
    assert_eq!(state(&app, NIKKI).await, Some(State::Unsubscribed));
    app.client.submit("/s/nonsense", &[]).await.expect(404);
    app.client.submit(&link.replace("/s/", "/u/"), &[]).await.expect(404);
    app.clock.advance(8 * DAY_MS);
    app.client.submit(&link, &[]).await.expect(410);
}

#[tokio::test]
async fn a_strangers_address_cannot_be_flooded_with_questions() {
    let app = app().await;
    let mut eve = app.visitor();
    for _ in 0..4 {
        ask_for_letters(&mut eve, NIKKI).await;
        app.run_jobs().await;
    }
    assert_eq!(questions(&app, NIKKI).len(), 1, "one in ten minutes");
    for _ in 0..40 {
        app.clock.advance(11 * MINUTE_MS);
        ask_for_letters(&mut eve, NIKKI).await;
        app.run_jobs().await;
    }
    assert_eq!(questions(&app, NIKKI).len(), 5, "five in a day");
}

#[tokio::test]
async fn a_program_asks_on_somebodys_behalf_and_needs_the_words_that_were_agreed_to() {
    let app = app().await;
    let ask =
        json!({ "email": NIKKI, "topic": "newsletter", "consent": "Yes, the letter.", "language": "en" });
    app.post("/api/v1/subscriptions", &ask).await.expect_problem(401, "api.key_unknown");
    let answer = program(&app).post("/api/v1/subscriptions", &ask).await.expect_json(202);
    assert_eq!(answer["outcome"], "sent");
    let mut wrong = ask.clone();
    wrong["topic"] = json!("newsleter");
    program(&app)
        .post("/api/v1/subscriptions", &wrong)
        .await
        .expect_problem(404, "subscription.topic_unknown");
    wrong = ask.clone();
    wrong["consent"] = json!(" ");
    program(&app).post("/api/v1/subscriptions", &wrong).await.expect_problem(422, "form.invalid");
    app.run_jobs().await;
    assert_eq!(questions(&app, NIKKI).len(), 1);
    let list = program(&app).get(&format!("/api/v1/subscriptions?email={NIKKI}")).await.expect_json(200);
    assert_eq!(list["subscriptions"][0]["state"], "unconfirmed");
}

// --- leaving and choosing ----------------------------------------------------------------------------

/// The first letter of the sample sequence.
pub async fn first_letter(app: &TestApp, email: &str) -> Mail {
    app.later(2 * DAY_MS).await;
    let mails = app.inbox().mails_to(email);
    mails
        .into_iter()
        .rfind(|mail| mail.text.contains("/u/") && mail.text.contains("/preferences/"))
        .expect("a letter")
}

/// The page on which somebody sees and changes what she gets, as on a device that is confirmed to be hers.
pub async fn choices(app: &TestApp, email: &str) -> String {
    let (id, _) = contact(app, email).await;
    format!("/preferences/{}", subscriptions::choices_token(&app.app.keys, id, 400 * DAY_MS, app.now()))
}

#[tokio::test]
async fn asking_confirming_and_leaving_are_events_of_hers_that_rules_can_ask_for() {
    let app = app().await;
    let mut nikki = app.visitor();
    let kinds = async || {
        let rows = app
            .rows("select kind, subject from activities where kind like 'subscription.%' order by at, id")
            .await;
        let told = rows.iter().map(|row| {
            let subject: Option<String> = row.get("subject").expect("text");
            (row.get::<String>("kind").expect("text"), subject.unwrap_or_default())
        });
        told.collect::<Vec<_>>()
    };
    let event = |kind: &str| (format!("subscription.{kind}"), "newsletter".to_owned());
    ask_for_letters(&mut nikki, NIKKI).await;
    app.run_jobs().await;
    assert_eq!(kinds().await, [event("asked")]);
    app.clock.advance(SECOND_MS);
    let link = path_of(&app, &questions(&app, NIKKI).last().expect("she is asked").link("/s/"));
    app.client.submit(&link, &[("device", &nikki.id)]).await.expect(200);
    assert_eq!(kinds().await, [event("asked"), event("confirmed")]);
    app.clock.advance(SECOND_MS);
    let leave = json!({ "email": NIKKI, "topic": "newsletter" });
    program(&app).post("/api/v1/subscriptions/end", &leave).await.expect(204);
    assert_eq!(kinds().await, [event("asked"), event("confirmed"), event("ended")]);
    let facts = app.rows("select kind from events where kind like 'subscription_%' order by id").await;
    let facts: Vec<String> = facts.iter().map(|row| row.get("kind").expect("text")).collect();
    assert_eq!(facts, ["subscription_asked", "subscription_confirmed", "subscription_ended"]);
}

#[tokio::test]
async fn one_click_ends_the_letters_without_cookie_or_login_and_looking_does_not() {
    let app = app().await;
    let mut nikki = app.visitor();
    subscribe(&app, &mut nikki, NIKKI).await;
    let letter = first_letter(&app, NIKKI).await;
    let header = &letter.headers["list-unsubscribe"];
    assert!(header.starts_with(&format!("<{}/u/", app.url)), "{header}");
    assert!(
        header.contains("<mailto:bounce+") && header.contains("@faro.example?subject=unsubscribe>"),
        "{header}"
    );
    assert_eq!(letter.headers["list-unsubscribe-post"], "List-Unsubscribe=One-Click");
    let path = path_of(&app, &letter.link("/u/"));
    for _ in 0..3 {
        app.get(&path).await.expect(200);
    }
    assert_eq!(state(&app, NIKKI).await, Some(State::Confirmed), "a scanner opens every link");
    for _ in 0..2 {
        app.client.submit(&path, &[("List-Unsubscribe", "One-Click")]).await.expect(200);
    }
    assert_eq!(state(&app, NIKKI).await, Some(State::Unsubscribed));
    let withdrawn =
        ledger(&app).await.into_iter().filter(|entry| *entry == ("newsletter".into(), "withdrawn".into()));
    assert_eq!(withdrawn.count(), 1, "once, however often it is said");
    assert_eq!(blocks(&app, NIKKI, LETTER).await, Some(Reason::Unsubscribed));
    assert_eq!(
        blocks(&app, NIKKI, Kind::Transactional).await,
        None,
        "what she asks for herself still reaches her"
    );
    app.later(10 * DAY_MS).await;
    let letters =
        app.inbox().mails_to(NIKKI).into_iter().filter(|mail| mail.text.contains("/preferences/")).count();
    assert_eq!(letters, 2, "the invitation and the first letter, and none after");
}

#[tokio::test]
async fn the_page_of_preferences_shows_and_changes_topics_pause_and_language_in_both_languages() {
    let app = app().await;
    let mut nikki = app.visitor();
    subscribe(&app, &mut nikki, NIKKI).await;
    first_letter(&app, NIKKI).await;
    let path = choices(&app, NIKKI).await;
    let english = app.get(&format!("{path}?lang=en")).await.expect(200).body;
    assert!(
        english.contains("Monthly letter") && english.contains("value=\"newsletter\" checked"),
        "{english}"
    );
    assert!(!english.contains(NIKKI), "a forwarded link names nobody");
    assert!(app.get(&format!("{path}?lang=es")).await.expect(200).body.contains("Carta mensual"));

    let until = "2026-12-20";
    let fields = [("topic", "newsletter"), ("pause", until), ("language", "en"), ("do", "save")];
    let saved = app.client.submit(&path, &fields).await.expect(200);
    assert!(saved.body.contains("Saved.") && saved.body.contains(until), "{}", saved.body);
    let (id, _) = contact(&app, NIKKI).await;
    let mut q = app.app.stores.db.read();
    let paused = subscriptions::paused_until(&mut q, id, app.now()).await.expect("read");
    assert_eq!(
        paused.map(|at| at.to_string()).as_deref(),
        Some("2026-12-19T23:00:00Z"),
        "midnight in Madrid"
    );
    let language =
        app.rows("select language from contacts").await[0].get::<String>("language").expect("a code");
    assert_eq!(language, "en");

    app.client.submit(&path, &[("do", "save")]).await.expect(200);
    assert_eq!(state(&app, NIKKI).await, Some(State::Unsubscribed), "an empty box is a no");
    app.client.submit(&path, &[("topic", "newsletter"), ("do", "save")]).await.expect(200);
    assert_eq!(state(&app, NIKKI).await, Some(State::Confirmed), "the link came by mail: no second question");
    assert_eq!(blocks(&app, NIKKI, LETTER).await, None);
    app.client.submit(&path, &[("topic", "newsletter"), ("do", "none")]).await.expect(200);
    assert_eq!(state(&app, NIKKI).await, Some(State::Unsubscribed));
    assert_eq!(blocks(&app, NIKKI, Kind::Marketing { topic: None }).await, Some(Reason::Unsubscribed));
    app.client.submit("/preferences/nonsense", &[("do", "none")]).await.expect(404);
}

const INVITATION: Kind<'static> = Kind::Marketing { topic: None };

fn way_out_of_the_invitation(app: &TestApp, email: &str) -> String {
    let mails = app.inbox().mails_to(email);
    let invitation = mails.iter().find(|mail| mail.text.contains("?t=")).expect("an invitation");
    path_of(app, &invitation.link("/u/"))
}

#[tokio::test]
async fn the_way_out_of_an_invitation_ends_invitations_and_no_letter() {
    let app = app().await;
    let mut nikki = app.visitor();
    subscribe(&app, &mut nikki, NIKKI).await;
    app.client.submit(&way_out_of_the_invitation(&app, NIKKI), &[]).await.expect(200);
    assert_eq!(blocks(&app, NIKKI, INVITATION).await, Some(Reason::Unsubscribed));
    assert_eq!(blocks(&app, NIKKI, LETTER).await, None, "she has said nothing of letters");
    let list = program(&app).get(&format!("/api/v1/subscriptions?email={NIKKI}")).await.expect_json(200);
    assert_eq!(
        (&list["subscriptions"][0]["state"], &list["invitations"]),
        (&json!("confirmed"), &json!(false))
    );
    first_letter(&app, NIKKI).await;
    let path = choices(&app, NIKKI).await;
    let page = app.get(&path).await.expect(200).body;
    assert!(
        page.contains("value=\"newsletter\" checked") && page.contains("name=\"invitations\" value=\"yes\">")
    );

    app.client.submit(&path, &[("topic", "newsletter"), ("do", "save")]).await.expect(200);
    assert_eq!(blocks(&app, NIKKI, INVITATION).await, Some(Reason::Unsubscribed), "saving is not inviting");
    let both = [("topic", "newsletter"), ("invitations", "yes"), ("do", "save")];
    app.client.submit(&path, &both).await.expect(200);
    assert_eq!(blocks(&app, NIKKI, INVITATION).await, None);
    let said: Vec<_> =
        ledger(&app).await.into_iter().filter(|(purpose, _)| purpose == "invitations").collect();
    let entry = |action: &str| ("invitations".to_owned(), action.to_owned());
    assert_eq!(said, [entry("withdrawn"), entry("granted")]);
}

#[tokio::test]
async fn whoever_takes_one_letter_up_again_after_nothing_any_more_is_not_invited() {
    let app = app().await;
    let mut nikki = app.visitor();
    subscribe(&app, &mut nikki, NIKKI).await;
    first_letter(&app, NIKKI).await;
    let path = choices(&app, NIKKI).await;
    app.client.submit(&path, &[("do", "none")]).await.expect(200);
    assert_eq!(blocks(&app, NIKKI, LETTER).await, Some(Reason::Unsubscribed));
    app.client.submit(&path, &[("topic", "newsletter"), ("do", "save")]).await.expect(200);
    assert_eq!(blocks(&app, NIKKI, LETTER).await, None);
    assert_eq!(blocks(&app, NIKKI, INVITATION).await, Some(Reason::Unsubscribed));
    app.client.submit(&path, &[("do", "none")]).await.expect(200);
    app.client.submit(&path, &[("invitations", "yes"), ("do", "save")]).await.expect(200);
    assert_eq!(blocks(&app, NIKKI, INVITATION).await, None);
    assert_eq!(blocks(&app, NIKKI, LETTER).await, Some(Reason::Unsubscribed));
}

#[tokio::test]
async fn whoever_called_a_mail_spam_is_shown_without_letters_and_may_take_one_up_again() {
    let app = app().await;
    let mut nikki = app.visitor();
    subscribe(&app, &mut nikki, NIKKI).await;
    first_letter(&app, NIKKI).await;
    let path = choices(&app, NIKKI).await;
    let (email, keys) = (Email::parse(NIKKI).expect("valid"), &app.app.keys);
    let mut tx = app.app.stores.db.begin().await.expect("begun");
    let told = suppression::Told::Complaint;
    suppression::take_note(&mut tx, keys, &email, ("test", "1"), told, (None, None), app.now())
        .await
        .expect("noted");
    tx.commit().await.expect("committed");
    let page = app.get(&path).await.expect(200).body;
    let asked = "name=\"invitations\" value=\"yes\" checked";
    assert!(!page.contains("\"newsletter\" checked") && !page.contains(asked), "{page}");
    app.client.submit(&path, &[("topic", "newsletter"), ("do", "save")]).await.expect(200);
    assert_eq!(blocks(&app, NIKKI, LETTER).await, None);
    assert_eq!(blocks(&app, NIKKI, INVITATION).await, Some(Reason::Unsubscribed));
}

#[tokio::test]
async fn a_pause_until_a_day_that_cannot_be_chosen_is_told_and_changes_nothing() {
    let app = app().await;
    let mut nikki = app.visitor();
    subscribe(&app, &mut nikki, NIKKI).await;
    first_letter(&app, NIKKI).await;
    let path = choices(&app, NIKKI).await;
    let before = app.census().await;
    for day in ["2999-01-01", "2020-01-01", "tomorrow"] {
        let wrong = app.client.submit(&format!("{path}?lang=en"), &[("pause", day), ("do", "save")]).await;
        let page = wrong.expect(422).body;
        assert!(page.contains("within a year") && page.contains(&format!("value=\"{day}\"")), "{page}");
        assert!(!page.contains("\"newsletter\" checked"), "what was chosen still stands there");
    }
    assert_eq!(app.census().await, before);
    assert_eq!(state(&app, NIKKI).await, Some(State::Confirmed));
}

#[tokio::test]
async fn that_an_address_is_not_written_to_survives_the_persons_erasure() {
    let app = app().await;
    let mut nikki = app.visitor();
    subscribe(&app, &mut nikki, NIKKI).await;
    let leave = json!({ "email": NIKKI });
    program(&app).post("/api/v1/subscriptions/end", &leave).await.expect(204);
    let (id, _) = contact(&app, NIKKI).await;
    let (own, later) = (&app.app, App::later_tables());
    privacy::erase(&own.stores, &own.keys, &later, id, By::Cli, false, app.now()).await.expect("erased");
    assert_eq!(app.count("subscriptions").await, 0);
    assert_eq!(blocks(&app, NIKKI, LETTER).await, Some(Reason::Unsubscribed));
    let rows = app.rows("select address from suppressions").await;
    assert!(
        rows.iter().all(|row| !row.get::<String>("address").expect("text").contains("acme")),
        "not readable"
    );
}

// --- what comes back ---------------------------------------------------------------------------------

fn report(to: &str, status: &str) -> Vec<u8> {
    format!(
        "From: MAILER-DAEMON@mx.example\r\nTo: {to}\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n\
         Final-Recipient: rfc822; somebody@else.example\r\nAction: failed\r\nStatus: {status}\r\n\r\n--b--\r\n"
    )
    .into_bytes()
}

async fn hand_in(app: &TestApp, message: Vec<u8>) -> Value {
    let client = program(app);
    let answer = client.send(Method::POST, "/api/v1/mail/bounces", Some(("message/rfc822", message))).await;
    answer.expect_json(200)["heard"].clone()
}

#[tokio::test]
async fn a_mailbox_that_does_not_exist_is_never_written_to_again_not_even_with_an_answer() {
    let app = app().await;
    let mut nikki = app.visitor();
    nikki.submit("white-paper", NIKKI).await;
    app.run_jobs().await;
    let back = app.inbox().mails_to(NIKKI)[0].envelope_from.clone();
    assert!(back.starts_with("bounce+") && back.ends_with("@faro.example"), "{back}");
    let forged = back.replace(|c: char| c.is_ascii_digit(), "0");
    assert_eq!(
        hand_in(&app, report(&forged, "5.1.1")).await,
        "nothing",
        "nobody can block an address by a letter"
    );
    assert_eq!(blocks(&app, NIKKI, Kind::Transactional).await, None);
    assert_eq!(hand_in(&app, report(&back, "5.1.1")).await, "hard_bounce");
    assert_eq!(hand_in(&app, report(&back, "5.1.1")).await, "known", "told twice, counted once");
    assert_eq!(blocks(&app, NIKKI, Kind::Transactional).await, Some(Reason::HardBounce));
    // No rule moves her any more, and the explanation says why.
    let (id, _) = contact(&app, NIKKI).await;
    let reads = &mut app.app.stores.db.read();
    let why = embudo::stages::explain(reads, &app.app.lifecycle, id, app.now()).await.expect("explained");
    let why = why.disqualified.expect("out of the running");
    assert_eq!((why.rule.as_str(), why.reason.as_str()), ("dq.bounce", "unreachable"));
    let before = app.inbox().mails_to(NIKKI).len();
    // The same file is sent by mail once in ten minutes.
    app.clock.advance(11 * MINUTE_MS);
    nikki.submit("white-paper", NIKKI).await;
    app.run_jobs().await;
    assert_eq!(app.inbox().mails_to(NIKKI).len(), before);
    let why = app.rows("select last_error from jobs where state = 'dropped'").await;
    assert!(why.iter().any(|row| row.get::<String>("last_error").expect("text").contains("hard bounce")));

    let released = program(&app).post("/api/v1/suppressions/release", &json!({ "email": NIKKI })).await;
    assert_eq!(released.expect_json(200)["released"], 1);
    assert_eq!(blocks(&app, NIKKI, Kind::Transactional).await, None);
}

#[tokio::test]
async fn three_soft_bounces_are_a_rest_of_thirty_days() {
    let app = app().await;
    let mut nikki = app.visitor();
    for round in 0..3 {
        assert_eq!(blocks(&app, NIKKI, Kind::Transactional).await, None, "{round}");
        nikki.submit("white-paper", NIKKI).await;
        app.run_jobs().await;
        let mails = app.inbox().mails_to(NIKKI);
        let back = mails.last().expect("a mail").envelope_from.clone();
        assert_eq!(hand_in(&app, report(&back, "4.2.2")).await, "soft_bounce");
        app.clock.advance(DAY_MS);
    }
    assert_eq!(blocks(&app, NIKKI, Kind::Transactional).await, Some(Reason::SoftBounces));
    app.clock.advance(30 * DAY_MS);
    assert_eq!(blocks(&app, NIKKI, Kind::Transactional).await, None);
}

#[tokio::test]
async fn a_mail_server_that_says_at_once_that_there_is_no_mailbox_is_believed() {
    let app = app().await;
    app.inbox().behave(crate::support::inbox::Manner::Refuse);
    app.visitor().submit("white-paper", NIKKI).await;
    app.run_jobs().await;
    assert_eq!(blocks(&app, NIKKI, Kind::Transactional).await, Some(Reason::HardBounce));
}

#[tokio::test]
async fn answers_and_wishes_by_mail_are_heard() {
    let app = app().await;
    let mut nikki = app.visitor();
    subscribe(&app, &mut nikki, NIKKI).await;
    let letter = first_letter(&app, NIKKI).await;
    let away = format!(
        "From: {NIKKI}\r\nTo: x@faro.example\r\nSubject: Away\r\nAuto-Submitted: auto-replied\r\nIn-Reply-To: {}\r\n\r\nSoon",
        letter.message_id
    );
    assert_eq!(hand_in(&app, away.clone().into_bytes()).await, "nothing");
    let answer = away.replace("Auto-Submitted: auto-replied\r\n", "");
    assert_eq!(hand_in(&app, answer.into_bytes()).await, "replied");
    let wish = format!("From: {NIKKI}\r\nTo: {}\r\nSubject: unsubscribe\r\n\r\n", letter.envelope_from);
    assert_eq!(hand_in(&app, wish.into_bytes()).await, "unsubscribed");
    assert_eq!(state(&app, NIKKI).await, Some(State::Unsubscribed));
    let client = program(&app);
    let nonsense =
        client.send(Method::POST, "/api/v1/mail/bounces", Some(("message/rfc822", vec![0, 1, 2]))).await;
    nonsense.expect_problem(422, "mail.message_unreadable");
}

#[tokio::test]
async fn providers_tell_of_bounces_by_a_secret_door_and_each_story_counts_once() {
    let app = app().await;
    app.visitor().submit("white-paper", NIKKI).await;
    let hard = json!({ "RecordType": "Bounce", "Type": "HardBounce", "ID": 42, "Email": NIKKI });
    for wrong in ["/v1/mail/postmark/guessed", "/v1/mail/nobody/x"] {
        app.client.post(wrong, &hard).await.expect_problem(404, "request.not_found");
    }
    let secret: String =
        url::form_urlencoded::byte_serialize(HOOKS.as_bytes()).collect::<String>().replace('+', "%20");
    let door = format!("/v1/mail/postmark/{secret}");
    assert_eq!(app.client.post(&door, &hard).await.expect_json(200)["news"], 1);
    assert_eq!(app.client.post(&door, &hard).await.expect_json(200)["news"], 0);
    assert_eq!(blocks(&app, NIKKI, Kind::Transactional).await, Some(Reason::HardBounce));

    let event = json!({ "event": "complained", "id": "e", "recipient": "pam@acme.example" });
    let forged =
        json!({ "signature": { "timestamp": "1", "token": "t", "signature": "00" }, "event-data": event });
    let door = format!("/v1/mail/mailgun/{secret}");
    app.client.post(&door, &forged).await.expect_problem(403, "mail.signature_wrong");
    let door = format!("/v1/mail/ses/{secret}");
    let unsigned = json!({ "Type": "Notification", "TopicArn": "arn:aws:sns:x", "Message": "{}" });
    app.client.post(&door, &unsigned).await.expect_problem(403, "mail.signature_wrong");
    assert_eq!(blocks(&app, "pam@acme.example", LETTER).await, None);
}

// --- when letters go out -----------------------------------------------------------------------------

#[tokio::test]
async fn letters_wait_for_the_readers_morning_and_the_outbox_says_why() {
    let app = app().await;
    let mut nikki = app.visitor();
    nikki.zone = "America/Mexico_City";
    subscribe(&app, &mut nikki, NIKKI).await;
    // Wednesday, 10:00 in Madrid is 03:00 in Mexico City.
    let before = app.inbox().mails_to(NIKKI).len();
    app.later(2 * DAY_MS).await;
    assert_eq!(app.inbox().mails_to(NIKKI).len(), before);
    let waiting =
        embudo::reports::outbox::waiting(&mut app.app.stores.db.read(), app.now()).await.expect("read");
    assert_eq!(waiting.len(), 1);
    assert_eq!((waiting[0].template.as_str(), waiting[0].why.as_str()), ("faro-lead-idea", "quiet hours"));
    assert_eq!(waiting[0].at.to_string(), "2026-11-25T14:00:00Z", "08:00 in Mexico City");
    app.later(HOUR_MS).await;
    assert_eq!(app.inbox().mails_to(NIKKI).len(), before);
    app.later(4 * HOUR_MS + HOUR_MS / 2).await;
    assert_eq!(app.inbox().mails_to(NIKKI).len(), before + 1);
}

#[tokio::test]
async fn answers_wait_for_nothing_and_an_invitation_follows_at_once_on_what_somebody_did() {
    let app = app().await;
    // Saturday, 23:00 in Madrid.
    app.clock.advance(5 * DAY_MS + 13 * HOUR_MS);
    let mut nikki = app.visitor();
    nikki.submit("white-paper", NIKKI).await;
    app.run_jobs().await;
    let subjects: Vec<String> = app.inbox().mails_to(NIKKI).into_iter().map(|mail| mail.subject).collect();
    assert_eq!(subjects.len(), 2, "the file and the invitation: {subjects:?}");
}

#[tokio::test]
async fn a_third_letter_within_a_week_waits_and_is_not_dropped() {
    let app = app().await;
    let mut nikki = app.visitor();
    subscribe(&app, &mut nikki, NIKKI).await; // the invitation went out: one
    first_letter(&app, NIKKI).await; // two
    let (id, _) = contact(&app, NIKKI).await;
    let db = &app.app.stores.db;
    let known = embudo::contacts::find(&mut db.read(), id).await.expect("read").expect("there");
    let sending = &app.app.desk.topics.sending;
    let third = embudo::base::ids::new_key();
    let turn = subscriptions::take_turn(db, sending, &known, &third, (app.now(), false), app.now()).await;
    let subscriptions::policy::Manners::Wait { until, why } = turn.expect("asked") else { panic!("{third}") };
    assert_eq!(why, subscriptions::policy::Why::Enough);
    assert!(until.since_ms(app.now()) > 4 * DAY_MS && until.since_ms(app.now()) <= 5 * DAY_MS, "{until}");
    let turn = subscriptions::take_turn(db, sending, &known, &third, (app.now(), false), until).await;
    assert_eq!(turn.expect("asked"), subscriptions::policy::Manners::Now);
}

// --- clicks ------------------------------------------------------------------------------------------

/// The addresses of a letter's HTML that note who followed them.
fn tracked(letter: &Mail) -> Vec<String> {
    let mut found: Vec<String> = letter
        .html
        .split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|href| href.contains("/l/"))
        .map(str::to_owned)
        .collect();
    found.dedup();
    found
}

async fn verdicts(app: &TestApp) -> Vec<String> {
    let rows = app.rows("select verdict from mail_clicks order by at, id").await;
    rows.iter().map(|row| row.get("verdict").expect("a word")).collect()
}

async fn clicked(app: &TestApp) -> usize {
    app.rows("select id from activities where kind = 'email.clicked'").await.len()
}

#[tokio::test]
async fn a_click_is_a_persons_only_when_its_visit_shows_attention() {
    let app = app().await;
    let mut nikki = app.visitor();
    subscribe(&app, &mut nikki, NIKKI).await;
    let letter = first_letter(&app, NIKKI).await;
    assert!(!letter.text.contains("/l/"), "the text part says where its links lead");
    let link = tracked(&letter)[0].trim_start_matches(&app.url).to_owned();
    app.clock.advance(HOUR_MS);
    let browser = app
        .client
        .with("sec-fetch-site", "none")
        .with("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0");
    let answer = browser.get(&link).await.expect(302);
    let target = answer.header("location").to_owned();
    assert!(target.starts_with(SITE) && target.contains("embudo_c="), "{target}");
    assert_eq!((verdicts(&app).await, clicked(&app).await), (vec!["unsure".to_owned()], 0));

    let mut look = nikki.hit("/");
    look["url"] = json!(target);
    nikki.report(&look).await.expect(202);
    let attention = |ms: i64| {
        let mut hit = nikki.hit("/");
        hit["url"] = json!(target);
        hit["name"] = json!("engagement");
        hit["engaged_ms"] = json!(ms);
        hit
    };
    nikki.report(&attention(900)).await.expect(202);
    nikki.report(&attention(4_000)).await.expect(202);
    // What became of a click is noted beside the taking of the hit.
    until("the click is counted", async || clicked(&app).await > 0).await;
    assert_eq!((verdicts(&app).await, clicked(&app).await), (vec!["human".to_owned()], 1));
    nikki.report(&attention(4_000)).await.expect(202);
    app.run_jobs().await;
    assert_eq!(clicked(&app).await, 1, "once");
}

#[tokio::test]
async fn programs_that_look_into_mails_click_nothing() {
    let app = app().await;
    let mut nikki = app.visitor();
    subscribe(&app, &mut nikki, NIKKI).await;
    let letter = first_letter(&app, NIKKI).await;
    let links = tracked(&letter);
    let hidden = links.last().expect("a link that no person sees").trim_start_matches(&app.url).to_owned();
    let first = links[0].trim_start_matches(&app.url).to_owned();
    app.client.get(&first).await.expect(302);
    assert_eq!(verdicts(&app).await, ["machine"], "at delivery");
    app.clock.advance(HOUR_MS);
    app.client.send(Method::HEAD, &first, None).await.expect(302);
    let browser = app.client.with("sec-fetch-site", "none").with("user-agent", "Mozilla/5.0 Firefox/140.0");
    app.clock.advance(HOUR_MS);
    browser.get(&first).await.expect(302);
    assert_eq!(verdicts(&app).await[2], "unsure");
    app.clock.advance(SECOND_MS);
    browser.get(&hidden).await.expect(302);
    assert_eq!(verdicts(&app).await, ["machine"; 4], "whoever finds the hidden link found the others, too");
    assert_eq!(clicked(&app).await, 0);
    app.get("/l/nonsense").await.expect(404);
}

// --- console and program -----------------------------------------------------------------------------

#[tokio::test]
async fn contacts_of_no_account_are_not_found_by_programs() {
    let app = app().await;
    let unknown = program(&app).get("/api/v1/subscriptions?email=who@acme.example").await;
    unknown.expect_problem(404, "contact.unknown");
    let id = ContactId::new();
    assert_eq!(subscriptions::of_contact(&mut app.app.stores.db.read(), id).await.expect("read"), []);
}
