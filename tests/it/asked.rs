//! Mailed links and the pages of a site elsewhere: there a browser keeps another visitor than on our pages, and the chat asks
//! what those pages cannot.

use embudo::base::ids::{ContactId, ConversationId, VisitorId};
use embudo::base::time::{HOUR_MS, MINUTE_MS};
use embudo::chat::{self, Conversation};
use embudo::contacts::{self, Trust};
use embudo::gates;
use serde_json::{Value, json};

use crate::gates::{app_with_files, contact, submit};
use crate::letters::{self, NIKKI, first_letter, subscribe};
use crate::support::answer::Client;
use crate::support::app::{SITE, TestApp};

/// Whom a device is bound to, and how surely.
async fn holder(app: &TestApp, visitor: &str) -> Option<(ContactId, Trust)> {
    let visitor = VisitorId::parse(visitor).expect("an id");
    let found = contacts::holder(&mut app.app.stores.db.read(), visitor).await.expect("read");
    found.map(|(contact, trust)| (contact.id, trust))
}

/// Nikki, and the token of the mail that she asked for on `device`.
async fn nikki(app: &TestApp, device: Option<&str>) -> (ContactId, String) {
    let mut laptop = app.visitor();
    if let Some(device) = device {
        laptop.id = device.to_owned();
    }
    submit(&laptop, "white-paper", NIKKI).await;
    let (id, _) = contact(app, NIKKI).await;
    let asset = app.app.catalog.asset("reading-guide").expect("it is a fixture");
    let asked_on = VisitorId::parse(&laptop.id).ok();
    (id, gates::mailed_link(&app.app.keys, asset, id, asked_on, app.now()))
}

/// What the snippet does on a page of the site to which a link with this token led.
async fn arrive(app: &TestApp, token: &str, visitor: &str) -> Value {
    let page = app.client.with("origin", SITE);
    let answer = page.post("/v1/confirm", &json!({"token": token, "visitor": visitor})).await;
    assert_eq!(answer.header("access-control-allow-origin"), SITE, "the page may read it");
    answer.expect_json(200)
}

/// The token that a link carries to the site's pages.
fn passage(text: &str) -> String {
    let text = text.replace("&#x3D;", "=");
    let from = text.find("embudo_t=").expect("it carries one") + "embudo_t=".len();
    let end = text[from..].find(['"', '&', '<']).map_or(text.len(), |end| from + end);
    text[from..end].to_owned()
}

/// A chat on a page of the site.
struct Chat {
    client: Client,
    id: String,
}

impl Chat {
    async fn open(app: &TestApp, visitor: &str) -> Self {
        let coming = json!({
            "site": "faro", "visitor": visitor, "consent": "analytics", "language": "en", "zone": "Europe/Madrid",
            "page": {"url": format!("{SITE}/"), "title": "Faro"},
        });
        let page = app.client.with("origin", SITE);
        let opened = page.post("/v1/chat", &coming).await.json();
        let token = opened["token"].as_str().expect("a token");
        let client = page.with("authorization", &format!("Bearer {token}"));
        Self { client, id: opened["conversation"].as_str().expect("an id").to_owned() }
    }

    /// What the widget is told to ask when it reads the talk from the beginning.
    async fn asked(&self) -> Value {
        self.client.get(&format!("/v1/chat/{}/events?after=0", self.id)).await.expect_json(200)["ask"].clone()
    }

    async fn answer(&self, answer: &str) -> crate::support::answer::Answer {
        self.client.post(&format!("/v1/chat/{}/whose", self.id), &json!({ "answer": answer })).await
    }

    async fn contact(&self, app: &TestApp) -> Option<String> {
        self.row(app).await.contact.map(|contact| contact.to_string())
    }

    async fn row(&self, app: &TestApp) -> Conversation {
        let id = ConversationId::parse(&self.id).expect("an id");
        chat::find(&mut app.app.stores.db.read(), id).await.expect("read").expect("there")
    }
}

#[tokio::test]
async fn the_chat_asks_what_a_page_of_the_site_cannot_and_a_yes_makes_the_talk_hers() {
    let app = app_with_files().await;
    let (id, token) = nikki(&app, None).await;
    let phone = app.visitor();
    let chat = Chat::open(&app, &phone.id).await;
    assert_eq!(chat.asked().await, Value::Null, "nobody came by a mail");
    let told = arrive(&app, &token, &phone.id).await;
    assert_eq!(told["trust"], Value::Null);

    let asked = chat.asked().await;
    assert_eq!(asked["who"], "n•••@a•••");
    assert_eq!(asked["mark"], told["ask"]["mark"]);
    let text = asked.to_string();
    assert!(!text.contains("ikki") && !text.contains("cme") && !text.contains(&id.to_string()), "{text}");
    assert_eq!(
        (holder(&app, &phone.id).await, chat.contact(&app).await),
        (None, None),
        "asking ties nothing"
    );

    let yes = chat.answer("yes").await.expect_json(200);
    assert_eq!(yes, json!({"visitor": phone.id, "trust": "clicked", "goes_on": true}));
    assert_eq!(holder(&app, &phone.id).await, Some((id, Trust::Clicked)));
    assert_eq!(chat.contact(&app).await, Some(id.to_string()), "the talk is hers from now on");
    assert_eq!(chat.asked().await, Value::Null, "asked once");
    chat.answer("yes").await.expect_problem(409, "chat.question_over");
    // Clicked is not known: the next talk uses nothing that is stored of her.
    let opened = app.client.with("origin", SITE);
    let coming = json!({
        "site": "faro", "visitor": phone.id, "consent": "analytics", "page": {"url": format!("{SITE}/")},
    });
    assert_eq!(opened.post("/v1/chat", &coming).await.json()["known"], false);
}

#[tokio::test]
async fn a_no_in_the_chat_lets_go_and_the_talk_goes_on_as_nobodys() {
    let app = app_with_files().await;
    let (id, token) = nikki(&app, None).await;
    let colleague = app.visitor();
    colleague.visit("/").await;
    app.run_jobs().await;
    arrive(&app, &token, &colleague.id).await;
    let chat = Chat::open(&app, &colleague.id).await;
    chat.answer("perhaps").await.expect_problem(400, "request.malformed");
    let no = chat.answer("no").await.expect_json(200);
    let epoch = no["visitor"].as_str().expect("an id");
    assert_ne!(epoch, colleague.id, "another epoch begins");
    assert_eq!((&no["trust"], &no["goes_on"]), (&json!("anonymous"), &json!(true)));
    assert_eq!((holder(&app, epoch).await, chat.contact(&app).await), (None, None));
    assert_eq!(chat.row(&app).await.visitor.to_string(), epoch, "the talk is the new visitor's");
    let known = contacts::visits(&mut app.app.stores.db.read(), id, app.now(), 10).await.expect("read");
    assert!(known.is_empty(), "nothing of the colleague is Nikki's");
    assert_eq!(chat.asked().await, Value::Null);
}

#[tokio::test]
async fn a_talk_of_somebody_else_is_left_alone_whatever_is_answered() {
    let app = app_with_files().await;
    let (id, token) = nikki(&app, None).await;
    for (answer, goes_on) in [("no", true), ("yes", false)] {
        let boss = app.visitor();
        submit(&boss, "white-paper", "boss@acme.example").await;
        let (other, _) = contact(&app, "boss@acme.example").await;
        arrive(&app, &token, &boss.id).await;
        let chat = Chat::open(&app, &boss.id).await;
        let told = chat.answer(answer).await.expect_json(200);
        assert_eq!(told["goes_on"], goes_on);
        assert_eq!(chat.contact(&app).await, Some(other.to_string()));
        assert_eq!(holder(&app, &boss.id).await, Some((other, Trust::Claimed)));
        let visitor = told["visitor"].as_str().expect("an id");
        match goes_on {
            true => assert_eq!(visitor, boss.id),
            false => assert_eq!(holder(&app, visitor).await, Some((id, Trust::Clicked))),
        }
    }
}

#[tokio::test]
async fn what_was_answered_on_our_page_or_long_ago_is_not_asked_in_the_chat() {
    let app = app_with_files().await;
    let (_, token) = nikki(&app, None).await;
    let phone = app.visitor();
    arrive(&app, &token, &phone.id).await;
    let body = json!({"token": token, "visitor": phone.id, "consent": "analytics", "answer": "yes"});
    app.post("/v1/confirm/answer", &body).await.expect_json(200);
    assert_eq!(Chat::open(&app, &phone.id).await.asked().await, Value::Null);

    let tablet = app.visitor();
    arrive(&app, &token, &tablet.id).await;
    let chat = Chat::open(&app, &tablet.id).await;
    assert_ne!(chat.asked().await, Value::Null);
    app.clock.advance(31 * MINUTE_MS);
    assert_eq!(chat.asked().await, Value::Null, "who looked away for so long may be somebody else");
    chat.answer("yes").await.expect_problem(409, "chat.question_over");

    // Of a link that was taken back nobody is asked, and nothing follows.
    arrive(&app, &token, &tablet.id).await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    gates::revoke_all(&mut tx, None, Some("reading-guide"), app.now().plus_ms(1)).await.expect("revoked");
    tx.commit().await.expect("commits");
    assert_eq!(chat.asked().await, Value::Null);
    chat.answer("yes").await.expect_problem(409, "chat.question_over");
    assert_eq!(holder(&app, &tablet.id).await, None);
}

#[tokio::test]
async fn the_way_from_our_page_to_the_site_confirms_the_visitor_of_there() {
    let app = app_with_files().await;
    // The form stands on the site, and so does the visitor who sent it; the link of the mail leads to a page of ours.
    let laptop = app.visitor();
    let (id, token) = nikki(&app, Some(&laptop.id)).await;
    let page = app.get(&format!("/d/{token}?lang=en")).await.expect(200).body;
    let passage = passage(&page);
    assert!(page.contains(&format!("href=\"{SITE}/?embudo_t&#x3D;")), "{page}");
    app.get(&format!("/d/{passage}")).await.expect(404);
    let told = arrive(&app, &passage, &laptop.id).await;
    assert_eq!(told, json!({"trust": "confirmed", "ask": null}));
    assert_eq!(holder(&app, &laptop.id).await, Some((id, Trust::Confirmed)));

    // Somebody else's browser is asked, as with the link itself; and soon it is worthless.
    let other = app.visitor();
    assert_eq!(arrive(&app, &passage, &other.id).await["ask"]["who"], "n•••@a•••");
    app.clock.advance(HOUR_MS);
    let late = app.client.with("origin", SITE);
    let body = json!({"token": passage, "visitor": other.id});
    late.post("/v1/confirm", &body).await.expect_problem(410, "token.expired");

    // A link that was handed out in a page proves nothing, and carries nothing on.
    let asset = app.app.catalog.asset("reading-guide").expect("it is a fixture");
    let inline = gates::inline_link(&app.app.keys, asset, id, app.now());
    let page = app.get(&format!("/d/{inline}")).await.expect(200).body;
    assert!(!page.contains("embudo_t"), "{page}");
}

#[tokio::test]
async fn a_link_of_a_letter_says_on_the_site_whom_it_was_sent_to() {
    let app = letters::app().await;
    let mut laptop = app.visitor();
    subscribe(&app, &mut laptop, NIKKI).await;
    let (id, _) = contact(&app, NIKKI).await;
    let letter = first_letter(&app, NIKKI).await;
    let start = letter.html.find("/l/").expect("a link that is followed");
    let end = letter.html[start..].find('"').expect("it ends");
    let answer = app.get(&letter.html[start..start + end]).await.expect(302);
    let token = passage(answer.header("location"));
    let phone = app.visitor();
    assert_eq!(arrive(&app, &token, &phone.id).await["ask"]["who"], "n•••@a•••");
    let chat = Chat::open(&app, &phone.id).await;
    chat.answer("yes").await.expect_json(200);
    assert_eq!(holder(&app, &phone.id).await, Some((id, Trust::Clicked)));
}

#[tokio::test]
async fn only_pages_of_the_sites_may_confirm_and_a_talk_that_was_mailed_on_is_asked_nothing() {
    let app = app_with_files().await;
    let (_, token) = nikki(&app, None).await;
    let phone = app.visitor();
    let foreign = app.client.with("origin", "https://elsewhere.example");
    let body = json!({"token": token, "visitor": phone.id});
    let refused = foreign.post("/v1/confirm", &body).await;
    assert_eq!(refused.header("access-control-allow-origin"), "");
    refused.expect_problem(403, "site.foreign_origin");
    let before = app.client.with("origin", SITE).send(reqwest::Method::OPTIONS, "/v1/confirm", None).await;
    assert_eq!(before.header("access-control-allow-origin"), SITE);
    // The answer on our own pages stays theirs.
    let answer = json!({"token": token, "visitor": phone.id, "consent": "analytics", "answer": "yes"});
    let site = app.client.with("origin", SITE);
    site.post("/v1/confirm/answer", &answer).await.expect_problem(403, "site.foreign_origin");

    arrive(&app, &token, &phone.id).await;
    let chat = Chat::open(&app, &phone.id).await;
    let claims = embudo::base::signing::Keys::claims(chat.id.clone(), app.now(), app.now().plus_ms(HOUR_MS));
    let elsewhere = app.app.keys.sign(embudo::base::signing::Purpose::Conversation, &claims);
    let there =
        Chat { client: site.with("authorization", &format!("Bearer {elsewhere}")), id: chat.id.clone() };
    assert_eq!(there.asked().await, Value::Null);
    there.answer("yes").await.expect_problem(409, "chat.question_over");
    assert_ne!(chat.asked().await, Value::Null);
}
