//! The ledger of consents: boxes left empty, what takes a yes away, and what proves an entry.

use embudo::contacts::{self, ConsentEntry};
use embudo::subscriptions::{self, State};
use serde_json::json;

use crate::gates::{contact, with_fixtures};
use crate::letters::{self, NIKKI, first_letter, path_of, subscribe};
use crate::support::answer::Client;
use crate::support::app::{SITE, TestApp, set};

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:148.0) Gecko/20100101 Firefox/148.0";

async fn app() -> TestApp {
    TestApp::start_with(|settings| {
        with_fixtures(settings);
        set(settings, "server", "trusted_proxies", vec!["loopback"]);
        set(settings, "forms", "burst", 100);
    })
    .await
}

/// A browser of a network of its own.
fn from(client: &Client, address: &str) -> Client {
    client.with("x-forwarded-for", address).with("user-agent", BROWSER)
}

/// Sends the form with the boxes `privacy` and `newsletter`.
async fn send(app: &TestApp, agreed: &[&str]) {
    let nikki = app.visitor();
    let mut sent = nikki.fill("better-work", json!({ "email": NIKKI })).await;
    sent["agreed"] = json!(agreed);
    let client = from(&app.client.with("origin", SITE), "203.0.113.77");
    client.post("/v1/forms/better-work", &sent).await.expect(200);
}

/// Purpose, action, network and browser of each entry, the oldest first.
async fn ledger(app: &TestApp, email: &str) -> Vec<(String, String, Option<String>, Option<String>)> {
    let (id, _) = contact(app, email).await;
    let mut all = contacts::consents(&mut app.app.stores.db.read(), id).await.expect("read");
    all.reverse();
    all.into_iter().map(|it| (it.purpose, it.action, it.network, it.user_agent)).collect()
}

#[tokio::test]
async fn a_box_left_empty_is_noted_and_takes_nothing_away_that_was_said_elsewhere() {
    let app = app().await;
    send(&app, &["privacy", "newsletter"]).await;
    send(&app, &["privacy"]).await;
    let told = ledger(&app, NIKKI).await;
    let words: Vec<(&str, &str)> = told.iter().map(|it| (it.0.as_str(), it.1.as_str())).collect();
    assert_eq!(words.len(), 4, "{words:?}");
    assert_eq!(words.iter().filter(|word| **word == ("newsletter", "granted")).count(), 1);
    assert_eq!(words.iter().filter(|word| **word == ("newsletter", "denied")).count(), 1);
    let rows = app.rows("select body from consents c join consent_texts t on t.hash = c.text_hash where c.action = 'denied'").await;
    assert!(
        rows[0].get::<String>("body").expect("the words").contains("carta mensual"),
        "what she left empty"
    );

    let (id, _) = contact(&app, NIKKI).await;
    let q = &mut app.app.stores.db.read();
    assert!(!contacts::has_objected(q, id, "newsletter").await.expect("read"));
    let entries = contacts::consents(q, id).await.expect("read");
    assert!(contacts::last_word(&entries, "newsletter").is_some_and(|word| word.is_yes()));
}

#[tokio::test]
async fn who_was_only_asked_has_refused_nothing_and_an_erasure_keeps_no_refusal_of_hers() {
    let app = app().await;
    send(&app, &["privacy"]).await;
    let (id, _) = contact(&app, NIKKI).await;
    assert!(!contacts::has_objected(&mut app.app.stores.db.read(), id, "newsletter").await.expect("read"));
    // An explicit no stays one, however often an empty box follows.
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let no = ConsentEntry::of("marketing", "withdrawn");
    contacts::note_consent(&mut tx, Some(id), None, &no, app.now()).await.expect("noted");
    let later = app.now().plus_ms(1_000);
    let empty = ConsentEntry::of("marketing", "denied");
    contacts::note_consent(&mut tx, Some(id), None, &empty, later).await.expect("noted");
    tx.commit().await.expect("commits");
    assert!(contacts::has_objected(&mut app.app.stores.db.read(), id, "marketing").await.expect("read"));
    let word = subscriptions::word_on_invitations(&mut app.app.stores.db.read(), id).await.expect("read");
    assert_eq!(word, Some(false));

    let (keys, later) = (&app.app.keys, embudo::app::App::later_tables());
    let by = embudo::privacy::audit::By::Cli;
    let erased = embudo::privacy::erase(&app.app.stores, keys, &later, id, by, false, app.now())
        .await
        .expect("erased");
    assert_eq!(erased.refusals_kept, ["marketing"], "a box left empty is no refusal");
    assert_eq!(app.rows("select id from consents").await.len(), 0, "the proofs went with her");
}

#[tokio::test]
async fn a_pages_own_form_that_may_leave_boxes_away_says_nothing_of_those_that_are_not_ticked() {
    let app = app().await;
    let nikki = app.visitor();
    let page = app.client.with("origin", SITE);
    let shown = page.get("/v1/forms/better-work?site=faro&own=1").await.expect_json(200);
    app.clock.advance(20_000);
    let mut sent = nikki.fill("better-work", json!({ "email": NIKKI })).await;
    sent["nonce"] = shown["nonce"].clone();
    sent["agreed"] = json!(["privacy"]);
    nikki.post("/v1/forms/better-work", &sent).await.expect(200);
    let purposes: Vec<String> = ledger(&app, NIKKI).await.into_iter().map(|entry| entry.0).collect();
    assert_eq!(purposes, ["privacy"]);
}

#[tokio::test]
async fn each_entry_keeps_the_network_and_the_browser_and_neither_the_address_nor_a_way_to_merge() {
    let app = app().await;
    send(&app, &["privacy"]).await;
    for (_, _, network, browser) in ledger(&app, NIKKI).await {
        assert_eq!((network.as_deref(), browser.as_deref()), (Some("203.0.113.0/24"), Some(BROWSER)));
    }
    let whole = app.rows("select network, user_agent from consents").await;
    let text: String = whole.iter().map(|row| row.get::<String>("network").expect("a network")).collect();
    assert!(!text.contains("203.0.113.77"), "{text}");

    // In the export, with the words.
    let (id, _) = contact(&app, NIKKI).await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let (bot, later) = (&app.app.room.bot, embudo::app::App::later_tables());
    let notice = |language| app.app.privacy_told(language);
    let export = embudo::privacy::export(&mut tx, &app.app.lifecycle, bot, &later, &notice, id, app.now())
        .await
        .expect("exported");
    let table = export.file("consents.csv").expect("a table");
    assert!(table.contains("203.0.113.0/24") && table.contains("Firefox/148.0"), "{table}");
}

#[tokio::test]
async fn what_was_set_apart_keeps_its_proof_until_a_person_lets_it_in() {
    let app = app().await;
    let odd = app.visitor();
    let mut sent = odd.fill("better-work", json!({ "email": NIKKI })).await;
    sent["agreed"] = json!(["privacy"]);
    sent["website"] = json!("https://odd.example");
    let client = from(&app.client.with("origin", SITE), "198.51.100.9");
    client.post("/v1/forms/better-work", &sent).await.expect(200);
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let (apart, _) = embudo::gates::quarantine::list(&mut tx, 10, 0).await.expect("read");
    let one = embudo::gates::quarantine::take_out(&mut tx, apart[0].id).await.expect("there");
    let form = app.app.catalog.form("better-work").expect("a form");
    let submission = one.as_submission(form);
    embudo::gates::submit(&mut tx, &app.app.lifecycle, &submission, app.now()).await.expect("taken");
    tx.commit().await.expect("commits");
    let told = ledger(&app, NIKKI).await;
    assert!(told.iter().all(|entry| entry.2.as_deref() == Some("198.51.100.0/24")), "{told:?}");
    assert_eq!(told.len(), 2, "the box that was left empty, too");
}

#[tokio::test]
async fn her_own_clicks_are_proved_and_what_a_program_says_is_not_hers() {
    let app = letters::app().await;
    let mut nikki = app.visitor();
    subscribe(&app, &mut nikki, NIKKI).await;
    let letter = first_letter(&app, NIKKI).await;
    let client = app.client.with("user-agent", BROWSER);
    client
        .submit(&path_of(&app, &letter.link("/u/")), &[("List-Unsubscribe", "One-Click")])
        .await
        .expect(200);
    assert_eq!(letters::state(&app, NIKKI).await, Some(State::Unsubscribed));
    let told = ledger(&app, NIKKI).await;
    let left = told.iter().find(|entry| entry.1 == "withdrawn").expect("she left");
    assert_eq!((left.2.as_deref(), left.3.as_deref()), (Some("127.0.0.0/24"), Some(BROWSER)));
    let confirmed = told.iter().rfind(|entry| entry.1 == "granted").expect("she confirmed");
    assert_eq!(confirmed.2.as_deref(), Some("127.0.0.0/24"), "the click of the double opt-in");

    let path = letters::choices(&app, NIKKI).await;
    client.submit(&path, &[("topic", "newsletter"), ("do", "save")]).await.expect(200);
    let told = ledger(&app, NIKKI).await;
    let again = told.last().expect("an entry");
    assert_eq!((again.1.as_str(), again.3.as_deref()), ("granted", Some(BROWSER)), "{told:?}");
    let (id, _) = contact(&app, NIKKI).await;
    let known = contacts::find(&mut app.app.stores.db.read(), id).await.expect("read").expect("there");
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    app.clock.advance(1_000);
    subscriptions::leave(&mut tx, &app.app.keys, &known, "newsletter", "api", app.now()).await.expect("left");
    tx.commit().await.expect("commits");
    let told = ledger(&app, NIKKI).await;
    assert_eq!(told.last().map(|entry| (entry.1.as_str(), entry.2.clone())), Some(("withdrawn", None)));
}

#[tokio::test]
async fn the_answer_to_a_banner_of_the_site_is_proved_like_the_box_of_a_form() {
    let app = app().await;
    let nikki = app.visitor();
    let mut hit = nikki.hit("/precios");
    hit["name"] = json!("consent");
    hit["language"] = json!("en-GB");
    let words =
        format!("¿Podemos recordar este navegador? {}", "Nos ayuda a ver qué páginas gustan. ".repeat(30));
    let words = words.trim();
    hit["props"] = json!({"to": "analytics", "text": words, "text_id": "faro-banner", "language": "es-ES"});
    let client = from(&app.client.with("origin", SITE), "203.0.113.77");
    // Sent again, because the answer got lost: one entry all the same.
    client.post("/v1/hit", &hit).await.expect(202);
    client.post("/v1/hit", &hit).await.expect(202);
    app.run_jobs().await;
    let mut sent = nikki.fill("better-work", json!({ "email": NIKKI })).await;
    sent["agreed"] = json!(["privacy"]);
    nikki.post("/v1/forms/better-work", &sent).await.expect(200);

    let (id, _) = contact(&app, NIKKI).await;
    let all = contacts::consents(&mut app.app.stores.db.read(), id).await.expect("read");
    let told: Vec<_> = all.iter().filter(|entry| entry.purpose == "analytics").collect();
    assert_eq!(told.len(), 1, "{told:?}");
    let entry = told[0];
    assert_eq!((entry.action.as_str(), entry.page.as_deref()), ("granted", Some("/precios")));
    assert_eq!(entry.network.as_deref(), Some("203.0.113.0/24"));
    assert_eq!(entry.user_agent.as_deref(), Some(BROWSER));
    assert_eq!(entry.text.as_deref(), Some(words), "the very words, and not only their beginning");
    assert_eq!((entry.text_id.as_deref(), entry.version), (Some("faro-banner"), Some(1)));
    assert_eq!(
        entry.language,
        Some(embudo::base::language::Language::Es),
        "of the words, not of the browser"
    );
    assert_eq!(entry.hash.as_deref(), Some(embudo::base::signing::sha256_hex(words).as_str()));
    // The words are nothing to count by, and the address is kept nowhere.
    let lines = embudo::hits::lines_after(&app.app.stores.hits, 0, 100).await.expect("read");
    let props: Vec<String> = lines.into_iter().filter_map(|line| line.props).collect();
    assert!(props.iter().all(|props| !props.contains("recordar")), "{props:?}");
    assert!(props.iter().any(|props| props.contains("analytics")), "{props:?}");
}

#[tokio::test]
async fn an_answer_without_words_is_proved_by_where_it_came_from_and_a_no_leaves_no_entry() {
    let app = app().await;
    let nikki = app.visitor();
    let client = from(&app.client.with("origin", SITE), "198.51.100.9");
    let mut hit = nikki.hit("/");
    hit["name"] = json!("consent");
    hit["props"] = json!({"to": "analytics"});
    client.post("/v1/hit", &hit).await.expect(202);
    let mut no = app.visitor().hit("/");
    no["name"] = json!("consent");
    no["consent"] = json!("none");
    no["props"] = json!({"to": "none", "text": "May we?"});
    client.post("/v1/hit", &no).await.expect(202);
    app.run_jobs().await;
    let rows = app.rows("select network, text_hash from consents").await;
    assert_eq!(rows.len(), 1, "whoever says no is not written down");
    assert_eq!(rows[0].get::<String>("network").expect("a network"), "198.51.100.0/24");
    assert_eq!(rows[0].get::<Option<String>>("text_hash").expect("read"), None);
}
