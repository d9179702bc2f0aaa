//! Who somebody is: the policy of docs, line by line, through the public doors.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use embudo::base::ids::{ContactId, VisitorId};
use embudo::contacts::{self, Trust};
use embudo::gates;
use serde_json::{Value, json};

use crate::gates::{app_with_files, contact, filled, submit};
use crate::support::app::{SITE, TestApp};
use crate::support::visitor::Visitor;
use embudo::base::time::Timestamp;

/// Whom a device is bound to, and how surely.
async fn holder(app: &TestApp, visitor: &str) -> Option<(ContactId, Trust)> {
    let visitor = VisitorId::parse(visitor).expect("an id");
    let found = contacts::holder(&mut app.app.stores.db.read(), visitor).await.expect("read");
    found.map(|(contact, trust)| (contact.id, trust))
}

async fn visits_of(app: &TestApp, contact: ContactId) -> usize {
    contacts::visits(&mut app.app.stores.db.read(), contact, Timestamp(i64::MAX), 100)
        .await
        .expect("read")
        .len()
}

/// The token in the mail that goes to a contact, asked for on a device.
fn mailed(app: &TestApp, contact: ContactId, visitor: &str) -> String {
    let asset = app.app.catalog.asset("reading-guide").expect("it is a fixture");
    gates::mailed_link(&app.app.keys, asset, contact, VisitorId::parse(visitor).ok(), app.now())
}

async fn confirm(app: &TestApp, token: &str, visitor: &str) -> serde_json::Value {
    app.post("/v1/confirm", &json!({"token": token, "visitor": visitor})).await.expect_json(200)["trust"]
        .clone()
}

/// Sends a form with further answers.
async fn submit_with(visitor: &Visitor<'_>, form: &str, email: &str, more: &[(&str, &str)]) {
    let mut body = filled(visitor, form, email).await;
    for (name, value) in more {
        body["values"][name] = json!(value);
    }
    let client = visitor.app.client.with("origin", SITE);
    client.post(&format!("/v1/forms/{form}"), &body).await.expect(200);
}

#[tokio::test]
async fn what_she_read_before_belongs_to_her_once_she_says_who_she_is() {
    let app = app_with_files().await;
    let nikki = app.visitor();
    nikki.visit("/").await;
    nikki.visit("/precios").await;
    app.run_jobs().await;
    submit(&nikki, "white-paper", "nikki@acme.example").await;
    let (id, _) = contact(&app, "nikki@acme.example").await;
    assert_eq!(visits_of(&app, id).await, 1);
    let mut q = app.app.stores.db.read();
    let did = embudo::scoring::store::activities(&mut q, id, Timestamp(0)).await.expect("read");
    let pages: Vec<&str> =
        did.iter().filter(|it| it.kind == "page").filter_map(|it| it.subject.as_deref()).collect();
    assert_eq!(pages, ["/", "/precios"], "scoring sees what she read before, in order");
}

#[tokio::test]
async fn without_consent_nothing_leads_from_her_visits_to_her() {
    let app = app_with_files().await;
    let mut nikki = app.visitor();
    nikki.consent = "none";
    nikki.visit("/").await;
    nikki.visit("/precios").await;
    app.run_jobs().await;
    let answer = submit(&nikki, "white-paper", "nikki@acme.example").await;
    assert_ne!(answer["visitor"], nikki.id, "an id that she did not agree to is not used");
    let (id, stage) = contact(&app, "nikki@acme.example").await;
    assert_eq!((visits_of(&app, id).await, stage.as_str()), (0, "lead"));
}

#[tokio::test]
async fn two_people_on_one_browser_stay_two() {
    let app = app_with_files().await;
    let mut device = app.visitor();
    device.visit("/").await;
    app.run_jobs().await;
    submit(&device, "white-paper", "pam@acme.example").await;
    let answer = submit(&device, "white-paper", "dwight@acme.example").await;
    let new_epoch = answer["visitor"].as_str().expect("an id").to_owned();
    assert_ne!(new_epoch, device.id, "another person gets another epoch");
    let (pam, _) = contact(&app, "pam@acme.example").await;
    let (dwight, _) = contact(&app, "dwight@acme.example").await;
    assert_eq!(holder(&app, &device.id).await, Some((pam, Trust::Claimed)));
    assert_eq!(holder(&app, &new_epoch).await, Some((dwight, Trust::Claimed)));
    assert_eq!((visits_of(&app, pam).await, visits_of(&app, dwight).await), (1, 0));
    // From now on the browser is Dwight's.
    device.id = new_epoch;
    device.visit("/precios").await;
    app.run_jobs().await;
    assert_eq!((visits_of(&app, pam).await, visits_of(&app, dwight).await), (1, 1));
}

#[tokio::test]
async fn a_stranger_who_types_her_address_sees_nothing_of_hers_and_stays_a_claim() {
    let app = app_with_files().await;
    let nikki = app.visitor();
    submit(&nikki, "white-paper", "nikki@acme.example").await;
    let (id, _) = contact(&app, "nikki@acme.example").await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    contacts::set_field(&mut tx, id, "first_name", "Nikki", "chat", Trust::Confirmed, app.now())
        .await
        .expect("set");
    tx.commit().await.expect("commits");

    let stranger = app.visitor();
    let answer = submit(&stranger, "white-paper", "nikki@acme.example").await;
    assert!(!answer.to_string().contains("Nikki"));
    assert_eq!(holder(&app, &stranger.id).await, Some((id, Trust::Claimed)));
    // The link in the answer was not mailed: opening it proves nothing.
    let inline = answer["link"]
        .as_str()
        .expect("a link")
        .trim_start_matches("/d/")
        .split('?')
        .next()
        .expect("a token");
    assert_eq!(confirm(&app, inline, &stranger.id).await, json!(null));
    assert_eq!(holder(&app, &stranger.id).await, Some((id, Trust::Claimed)));
    // The page behind it does not say who she is.
    let page = app.get(&format!("/d/{inline}")).await.expect(200);
    assert!(!page.body.contains("Nikki") && !page.body.contains("nikki@"));
}

#[tokio::test]
async fn opening_the_mail_on_the_device_that_asked_confirms_her() {
    let app = app_with_files().await;
    let nikki = app.visitor();
    submit(&nikki, "white-paper", "nikki@acme.example").await;
    let (id, _) = contact(&app, "nikki@acme.example").await;
    let token = mailed(&app, id, &nikki.id);
    assert_eq!(confirm(&app, &token, &nikki.id).await, json!("confirmed"));
    assert_eq!(holder(&app, &nikki.id).await, Some((id, Trust::Confirmed)));
}

#[tokio::test]
async fn a_forwarded_mail_binds_nobody() {
    let app = app_with_files().await;
    let nikki = app.visitor();
    submit(&nikki, "white-paper", "nikki@acme.example").await;
    let (id, _) = contact(&app, "nikki@acme.example").await;
    let token = mailed(&app, id, &nikki.id);
    let (colleague, known) = (app.visitor(), app.visitor());
    colleague.visit("/").await;
    app.run_jobs().await;
    assert_eq!(confirm(&app, &token, &colleague.id).await, json!(null));
    assert_eq!(holder(&app, &colleague.id).await, None);
    submit(&known, "white-paper", "boss@acme.example").await;
    assert_eq!(confirm(&app, &token, &known.id).await, json!(null));
    let (boss, _) = contact(&app, "boss@acme.example").await;
    assert_eq!(holder(&app, &known.id).await, Some((boss, Trust::Claimed)));
    // The file itself is handed out: a link that was passed on is not a crime.
    app.get(&format!("/d/{token}/file")).await.expect(200);
}

/// What anybody can read in a token.
fn readable(token: &str) -> String {
    let body = token.split('.').next().unwrap_or_default();
    String::from_utf8(URL_SAFE_NO_PAD.decode(body).expect("base64")).expect("text")
}

#[tokio::test]
async fn whoever_reads_a_forwarded_link_learns_nothing_with_which_to_pass_for_her() {
    let app = app_with_files().await;
    let nikki = app.visitor();
    submit(&nikki, "white-paper", "nikki@acme.example").await;
    let (id, _) = contact(&app, "nikki@acme.example").await;
    let device = VisitorId::parse(&nikki.id).ok();
    let topics = embudo::subscriptions::confirmation_link(
        &app.app.keys,
        id,
        &["letters"],
        device,
        "a mail",
        app.now(),
    );
    for token in [mailed(&app, id, &nikki.id), topics] {
        let claims = readable(&token);
        assert!(claims.contains(&id.to_string()), "the test reads something else: {claims}");
        assert!(!claims.contains(&nikki.id), "{claims}");
        let told: Value = serde_json::from_str(&claims).expect("JSON");
        let guess = told["v"].as_str().expect("a device");
        app.post("/v1/confirm", &json!({"token": token, "visitor": guess})).await.expect(400);
    }
}

#[tokio::test]
async fn what_a_confirmed_device_says_of_her_stands_against_what_a_stranger_types() {
    let app = app_with_files().await;
    let nikki = app.visitor();
    submit(&nikki, "white-paper", "nikki@acme.example").await;
    let (id, _) = contact(&app, "nikki@acme.example").await;
    assert_eq!(confirm(&app, &mailed(&app, id, &nikki.id), &nikki.id).await, json!("confirmed"));
    submit_with(&nikki, "work-only", "nikki@acme.example", &[("first_name", "Nikki")]).await;
    submit_with(&app.visitor(), "work-only", "nikki@acme.example", &[("first_name", "Mallory")]).await;
    let fields = contacts::fields(&mut app.app.stores.db.read(), id).await.expect("read");
    let named: Vec<(&str, Trust, bool)> = fields
        .iter()
        .filter(|field| field.name == "first_name")
        .map(|field| (field.value.as_str(), field.trust, field.is_suggestion))
        .collect();
    assert!(named.contains(&("Nikki", Trust::Confirmed, false)), "{named:?}");
    assert!(named.contains(&("Mallory", Trust::Claimed, true)), "{named:?}");
    assert_eq!(named.len(), 2);
}

#[tokio::test]
async fn her_second_device_counts_as_clicked_and_not_as_confirmed() {
    let app = app_with_files().await;
    let (laptop, phone) = (app.visitor(), app.visitor());
    submit(&laptop, "white-paper", "nikki@acme.example").await;
    submit(&phone, "white-paper", "nikki@acme.example").await;
    let (id, _) = contact(&app, "nikki@acme.example").await;
    assert_eq!(app.count("contacts").await, 1);
    let token = mailed(&app, id, &laptop.id);
    assert_eq!(confirm(&app, &token, &phone.id).await, json!("clicked"));
    assert_eq!(holder(&app, &phone.id).await, Some((id, Trust::Clicked)));
}

#[tokio::test]
async fn one_address_in_several_spellings_is_one_person_and_a_plus_is_another() {
    let app = app_with_files().await;
    for email in ["nikki@acme.example", " NIKKI@acme.example", "Nikki@ACME.EXAMPLE "] {
        submit(&app.visitor(), "white-paper", email).await;
    }
    assert_eq!(app.count("contacts").await, 1);
    submit(&app.visitor(), "white-paper", "nikki+guide@acme.example").await;
    assert_eq!(app.count("contacts").await, 2);
}

// ---- a mailed link on a device that is nobody's ------------------------------------------------------

async fn answer(app: &TestApp, token: &str, visitor: &str, answer: &str) -> Value {
    let body = json!({"token": token, "visitor": visitor, "consent": "analytics", "answer": answer});
    app.post("/v1/confirm/answer", &body).await.expect_json(200)
}

/// Nikki on her laptop, with a name that is certain, and the token in her mail.
async fn nikki_with_a_mail(app: &TestApp) -> (ContactId, String) {
    let laptop = app.visitor();
    submit(&laptop, "white-paper", "nikki@acme.example").await;
    let (id, _) = contact(app, "nikki@acme.example").await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    contacts::set_field(&mut tx, id, "first_name", "Nikki", "chat", Trust::Confirmed, app.now())
        .await
        .expect("set");
    tx.commit().await.expect("commits");
    (id, mailed(app, id, &laptop.id))
}

#[tokio::test]
async fn on_a_new_device_she_is_asked_masked_and_her_yes_makes_it_clicked_and_shows_nothing() {
    let app = app_with_files().await;
    let (id, token) = nikki_with_a_mail(&app).await;
    let phone = app.visitor();
    phone.visit("/precios").await;
    app.run_jobs().await;
    let opened =
        app.post("/v1/confirm", &json!({"token": token, "visitor": phone.id})).await.expect_json(200);
    assert_eq!(opened["trust"], Value::Null);
    assert_eq!(opened["ask"]["who"], "n•••@a•••", "enough for her, too little for anybody else");
    let told = opened.to_string();
    assert!(!told.contains("ikki") && !told.contains("cme") && !told.contains(&id.to_string()), "{told}");
    assert_eq!(holder(&app, &phone.id).await, None, "nothing is tied to her before she says so");
    let page = app.get(&format!("/d/{token}?lang=en")).await.expect(200).body;
    assert!(page.contains("data-are-you") && page.contains("Are you {}?"), "{page}");

    let yes = answer(&app, &token, &phone.id, "yes").await;
    assert_eq!((&yes["trust"], &yes["visitor"]), (&json!("clicked"), &json!(phone.id)));
    assert_eq!(holder(&app, &phone.id).await, Some((id, Trust::Clicked)));
    assert_eq!(visits_of(&app, id).await, 1, "what the phone did before is hers now");
    // Clicked shows nothing that is stored: no name, no field that is left out.
    let form = format!("/v1/forms/profile?site=faro&visitor={}", phone.id);
    let shown = app.get(&form).await.expect(200).body;
    assert!(!shown.contains("Nikki") && shown.contains("first_name"), "{shown}");
    let door = app.client.with("x-embudo-visitor", &phone.id).get("/preferences?lang=en").await.expect(200);
    assert!(door.body.contains("name=\"email\""), "below confirmed the page of preferences stays shut");
    // Answered twice, it is noted once.
    answer(&app, &token, &phone.id, "yes").await;
    let noted = app.rows("select id from activities where kind = 'identified.link'").await;
    assert_eq!(noted.len(), 1);
    // Opened again, it asks no more.
    assert_eq!(confirm(&app, &token, &phone.id).await, json!("clicked"));
}

#[tokio::test]
async fn whoever_is_somebody_else_goes_on_as_a_new_visitor_and_a_forwarded_link_gives_her_nothing() {
    let app = app_with_files().await;
    let (id, token) = nikki_with_a_mail(&app).await;
    let colleague = app.visitor();
    colleague.visit("/").await;
    app.run_jobs().await;
    let before = app.count("activities").await;
    let no = answer(&app, &token, &colleague.id, "no").await;
    let epoch = no["visitor"].as_str().expect("an id");
    assert_ne!(epoch, colleague.id, "another epoch begins");
    assert_eq!(no["trust"], "anonymous");
    assert_eq!((holder(&app, &colleague.id).await, holder(&app, epoch).await), (None, None));
    assert_eq!(visits_of(&app, id).await, 0);
    assert_eq!(app.count("activities").await, before, "a no is nothing that Nikki did");

    // Whoever is known as another person stays that one.
    let boss = app.visitor();
    submit(&boss, "white-paper", "boss@acme.example").await;
    let (other, _) = contact(&app, "boss@acme.example").await;
    let no = answer(&app, &token, &boss.id, "no").await;
    assert_eq!((&no["visitor"], &no["trust"]), (&json!(boss.id), &json!("claimed")));
    assert_eq!(holder(&app, &boss.id).await, Some((other, Trust::Claimed)));
    // And if it is Nikki who sits there, a new epoch begins; the boss keeps his past.
    let yes = answer(&app, &token, &boss.id, "yes").await;
    let epoch = yes["visitor"].as_str().expect("an id");
    assert_ne!(epoch, boss.id);
    assert_eq!(holder(&app, epoch).await, Some((id, Trust::Clicked)));
    assert_eq!(holder(&app, &boss.id).await, Some((other, Trust::Claimed)));
}

#[tokio::test]
async fn a_device_that_claimed_to_be_hers_and_denies_it_is_nobodys_from_then_on() {
    let app = app_with_files().await;
    let (id, token) = nikki_with_a_mail(&app).await;
    let shared = app.visitor();
    submit(&shared, "white-paper", "nikki@acme.example").await;
    let no = answer(&app, &token, &shared.id, "no").await;
    let epoch = no["visitor"].as_str().expect("an id");
    assert_ne!(epoch, shared.id);
    assert_eq!(holder(&app, epoch).await, None);
    assert_eq!(holder(&app, &shared.id).await, Some((id, Trust::Claimed)), "the past stays with her");
}

#[tokio::test]
async fn a_program_that_opens_every_link_ties_nothing_to_anybody() {
    let app = app_with_files().await;
    let (id, token) = nikki_with_a_mail(&app).await;
    let before = (app.count("visitors").await, app.count("activities").await);
    let scanner = embudo::base::ids::VisitorId::new().to_string();
    for _ in 0..3 {
        app.get(&format!("/d/{token}")).await.expect(200);
        app.client.send(reqwest::Method::HEAD, &format!("/d/{token}"), None).await.expect(200);
        // One that runs scripts, too, is asked and presses no button.
        assert_eq!(confirm(&app, &token, &scanner).await, Value::Null);
    }
    assert_eq!((app.count("visitors").await, app.count("activities").await), before);
    assert_eq!(holder(&app, &scanner).await, None);
    let known = contacts::find(&mut app.app.stores.db.read(), id).await.expect("read").expect("there");
    assert_eq!(known.stage, "lead");
}

#[tokio::test]
async fn only_a_mailed_link_that_holds_can_be_answered_and_only_where_somebody_agreed() {
    let app = app_with_files().await;
    let (id, token) = nikki_with_a_mail(&app).await;
    let device = embudo::base::ids::VisitorId::new().to_string();
    let say = async |token: &str, consent: &str, answer: &str| {
        let body = json!({"token": token, "visitor": device, "consent": consent, "answer": answer});
        app.post("/v1/confirm/answer", &body).await
    };
    say(&token, "none", "yes").await.expect_problem(422, "identity.consent_needed");
    say(&token, "analytics", "perhaps").await.expect_problem(400, "request.malformed");
    say("nonsense", "analytics", "yes").await.expect_problem(404, "token.forged");
    // Handed out in a page: it proves nothing, and so nobody is asked.
    let asset = app.app.catalog.asset("reading-guide").expect("it is a fixture");
    let inline = gates::inline_link(&app.app.keys, asset, id, app.now());
    let opened = app.post("/v1/confirm", &json!({"token": inline, "visitor": device})).await.expect_json(200);
    assert_eq!(opened, json!({"trust": null, "ask": null}));
    say(&inline, "analytics", "yes").await.expect_problem(404, "token.forged");
    let foreign = app.client.with("origin", "https://elsewhere.example");
    let body = json!({"token": token, "visitor": device, "consent": "analytics", "answer": "yes"});
    foreign.post("/v1/confirm/answer", &body).await.expect_problem(403, "site.foreign_origin");
    assert_eq!(holder(&app, &device).await, None);
    // Of a link that was taken back nothing follows.
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    gates::revoke_all(&mut tx, Some(id), None, app.now().plus_ms(1)).await.expect("revoked");
    tx.commit().await.expect("commits");
    say(&token, "analytics", "yes").await.expect_problem(410, "token.revoked");
}
