//! The page of preferences: who comes in, and whether the sender does what was chosen there.

use embudo::accounts;
use embudo::base::ids::{ContactId, VisitorId};
use embudo::base::language::Language;
use embudo::base::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use embudo::contacts::{self, Trust};
use embudo::stages;
use embudo::subscriptions::policy::{Manners, Why};
use embudo::subscriptions::{self, Frequency, State};
use embudo::tasks;

use crate::gates::contact;
use crate::letters::{NIKKI, app, choices, first_letter, path_of, state, subscribe};
use crate::support::answer::Answer;
use crate::support::app::TestApp;

async fn trust(app: &TestApp, visitor: &str, contact: ContactId, trust: Trust) {
    let visitor = VisitorId::parse(visitor).expect("an id");
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    contacts::raise_trust(&mut tx, visitor, contact, trust, app.now()).await.expect("raised");
    tx.commit().await.expect("commits");
}

async fn knock(app: &TestApp, fields: &[(&str, &str)]) -> Answer {
    app.client.submit("/preferences?lang=en", fields).await
}

fn links(app: &TestApp, email: &str) -> Vec<String> {
    let mails = app.inbox().mails_to(email);
    let asked = mails.iter().filter(|mail| mail.subject.starts_with("Choose what you get"));
    asked.map(|mail| path_of(app, &mail.link("/preferences/"))).collect()
}

#[tokio::test]
async fn below_confirmed_the_link_is_mailed_and_the_answer_does_not_tell_who_is_known() {
    let app = app().await;
    let mut nikki = app.visitor();
    nikki.submit("white-paper", NIKKI).await;
    app.run_jobs().await;
    let (id, _) = contact(&app, NIKKI).await;
    for level in [Trust::Claimed, Trust::Clicked] {
        trust(&app, &nikki.id, id, level).await;
        let page =
            app.client.with("x-embudo-visitor", &nikki.id).get("/preferences?lang=en").await.expect(200);
        assert!(
            page.body.contains("name=\"email\"") && !page.body.contains(NIKKI),
            "{level:?}: {}",
            page.body
        );
        let refused = knock(&app, &[("visitor", &nikki.id)]).await.expect(422);
        assert!(refused.body.contains("email-error"), "{level:?}: {}", refused.body);
    }
    let known = knock(&app, &[("email", NIKKI), ("visitor", &nikki.id)]).await.expect(200);
    let stranger = knock(&app, &[("email", "nobody@acme.example")]).await.expect(200);
    assert_eq!(known.body, stranger.body, "nobody learns whom we write to");
    assert!(known.body.contains("Look into your mailbox"), "{}", known.body);
    app.run_jobs().await;
    assert_eq!(app.count("contacts").await, 1, "asking makes nobody a contact");
    let mailed = links(&app, NIKKI);
    assert_eq!((mailed.len(), links(&app, "nobody@acme.example").len()), (1, 0));
    app.get(&mailed[0]).await.expect(200);
    // The link is of its own purpose, and works for a day.
    let token = mailed[0].rsplit('/').next().expect("a token");
    app.get(&format!("/u/{token}")).await.expect(404);
    app.clock.advance(25 * HOUR_MS);
    app.get(&mailed[0]).await.expect(410);
}

#[tokio::test]
async fn a_mailbox_is_not_flooded_with_links_and_machines_ask_for_none() {
    let app = app().await;
    let mut nikki = app.visitor();
    nikki.submit("white-paper", NIKKI).await;
    knock(&app, &[("email", NIKKI), ("website", "https://odd.example")]).await.expect(200);
    app.run_jobs().await;
    assert_eq!(links(&app, NIKKI).len(), 0, "people do not see that field");
    for _ in 0..6 {
        knock(&app, &[("email", NIKKI)]).await.expect(200);
    }
    app.run_jobs().await;
    assert_eq!(links(&app, NIKKI).len(), 1, "once in ten minutes");
    for _ in 0..8 {
        app.clock.advance(11 * MINUTE_MS);
        knock(&app, &[("email", NIKKI)]).await.expect(200);
        app.run_jobs().await;
    }
    assert_eq!(links(&app, NIKKI).len(), 5, "five in a day");
    app.clock.advance(DAY_MS);
    knock(&app, &[("email", NIKKI)]).await.expect(200);
    app.run_jobs().await;
    assert_eq!(links(&app, NIKKI).len(), 6, "and the next day again");
}

#[tokio::test]
async fn on_a_confirmed_device_the_page_opens_at_once() {
    let app = app().await;
    let mut nikki = app.visitor();
    nikki.submit("white-paper", NIKKI).await;
    let (id, _) = contact(&app, NIKKI).await;
    trust(&app, &nikki.id, id, Trust::Confirmed).await;
    let page = app.client.with("x-embudo-visitor", &nikki.id).get("/preferences?lang=en").await.expect(200);
    assert!(!page.body.contains("name=\"email\"") && !page.body.contains(NIKKI), "{}", page.body);
    let led = knock(&app, &[("visitor", &nikki.id)]).await.expect(303);
    let to = led.header("location").to_owned();
    assert!(to.starts_with("/preferences/"), "{to}");
    app.get(&to).await.expect(200);
    app.clock.advance(2 * HOUR_MS);
    app.get(&to).await.expect(410);
}

#[tokio::test]
async fn the_link_of_a_letter_lets_its_holder_leave_and_shows_nothing_of_what_is_stored() {
    let app = app().await;
    let mut nikki = app.visitor();
    subscribe(&app, &mut nikki, NIKKI).await;
    let letter = first_letter(&app, NIKKI).await;
    let path = path_of(&app, &letter.link("/preferences/"));
    let press = async |fields: &[(&str, &str)], status: u16| {
        app.client.submit(&format!("{path}?lang=en"), fields).await.expect(status)
    };
    let page = app.get(&format!("{path}?lang=en")).await.expect(200).body;
    assert!(page.contains("Stop “Monthly letter”") && !page.contains("checked"), "{page}");
    assert!(!page.contains(NIKKI) && !page.contains("name=\"frequency\""), "{page}");
    // What cannot be seen cannot be changed either: not by a page that was open before, and not by hand.
    let before = app.census().await;
    let fields = [("topic", "newsletter"), ("frequency", "weekly"), ("language", "en"), ("do", "save")];
    press(&fields, 403).await;
    press(&[("leave", "nonsense")], 404).await;
    assert_eq!(app.census().await, before);
    // Whoever wants to see is mailed the page, wherever she presses; the page does not say where to.
    let (id, _) = contact(&app, NIKKI).await;
    let stranger = app.visitor();
    for device in [stranger.id.as_str(), ""] {
        let sent = press(&[("do", "open"), ("visitor", device)], 200).await;
        assert!(sent.body.contains("Look into your mailbox") && !sent.body.contains(NIKKI), "{}", sent.body);
        app.run_jobs().await;
    }
    let mailed = links(&app, NIKKI);
    assert_eq!(mailed.len(), 1, "one in ten minutes");
    assert!(app.get(&mailed[0]).await.expect(200).body.contains("value=\"newsletter\" checked"));
    // On her own device it opens at once; that of another person who is confirmed there is not hers.
    trust(&app, &nikki.id, id, Trust::Confirmed).await;
    let led = press(&[("do", "open"), ("visitor", &nikki.id)], 303).await;
    app.get(led.header("location")).await.expect(200);
    let mut yuri = app.visitor();
    yuri.submit("white-paper", "yuri@acme.example").await;
    let (yuri_id, _) = contact(&app, "yuri@acme.example").await;
    trust(&app, &yuri.id, yuri_id, Trust::Confirmed).await;
    press(&[("do", "open"), ("visitor", &yuri.id)], 200).await;
    // And out, without a login, as often as anybody likes.
    assert_eq!(state(&app, NIKKI).await, Some(State::Confirmed));
    for _ in 0..2 {
        let left = press(&[("leave", "newsletter")], 200).await;
        assert!(left.body.contains("You get no more of these letters."), "{}", left.body);
        assert_eq!(state(&app, NIKKI).await, Some(State::Unsubscribed));
    }
    let invites = async || {
        let q = &mut app.app.stores.db.read();
        let known = contacts::find(q, id).await.expect("read").expect("there");
        subscriptions::invites(q, &app.app.keys, &known, app.now()).await.expect("read")
    };
    assert!(invites().await);
    press(&[("do", "invitations")], 200).await;
    assert!(!invites().await);
    press(&[("do", "none")], 200).await;
}

/// What would become of a letter now.
async fn turn(app: &TestApp, id: ContactId) -> Manners {
    let db = &app.app.stores.db;
    let known = contacts::find(&mut db.read(), id).await.expect("read").expect("there");
    let sending = &app.app.desk.topics.sending;
    let mail = embudo::base::ids::new_key();
    subscriptions::take_turn(db, sending, &known, &mail, (app.now(), false), app.now()).await.expect("asked")
}

#[tokio::test]
async fn one_letter_a_week_is_one_letter_a_week_and_the_page_remembers_it() {
    let app = app().await;
    let mut nikki = app.visitor();
    subscribe(&app, &mut nikki, NIKKI).await;
    first_letter(&app, NIKKI).await;
    let path = choices(&app, NIKKI).await;
    let (id, _) = contact(&app, NIKKI).await;
    let page = app.get(&format!("{path}?lang=en")).await.expect(200).body;
    assert!(page.contains("name=\"frequency\" value=\"all\" checked"), "{page}");
    let fields = [("topic", "newsletter"), ("invitations", "yes"), ("frequency", "weekly"), ("rest", "none")];
    let saved = app.client.submit(&format!("{path}?lang=es"), &fields).await.expect(200).body;
    assert!(saved.contains("name=\"frequency\" value=\"weekly\" checked"), "{saved}");
    let wanted = subscriptions::frequency(&mut app.app.stores.db.read(), id).await.expect("read");
    assert_eq!(wanted, Frequency::Weekly);
    // The second letter of the sequence is due five days after the first: it waits for the seventh.
    let Manners::Wait { until, why } = turn(&app, id).await else { panic!("it would go out") };
    assert_eq!(why, Why::Wished);
    assert!(until.since_ms(app.now()) > 6 * DAY_MS, "{until}");
    let before = app.inbox().mails_to(NIKKI).len();
    // The second letter is for those who came by.
    nikki.visit("/precios").await;
    app.later(5 * DAY_MS + HOUR_MS).await;
    assert_eq!(app.inbox().mails_to(NIKKI).len(), before, "the sender obeys");
    let waiting =
        embudo::reports::outbox::waiting(&mut app.app.stores.db.read(), app.now()).await.expect("read");
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].why, "as often as the reader wants them");
    app.later(3 * DAY_MS).await;
    assert_eq!(app.inbox().mails_to(NIKKI).len(), before + 1, "and then it comes");
}

#[tokio::test]
async fn a_pause_is_a_click_of_thirty_or_ninety_days_or_until_a_day_and_ends_with_one() {
    let app = app().await;
    let mut nikki = app.visitor();
    subscribe(&app, &mut nikki, NIKKI).await;
    first_letter(&app, NIKKI).await;
    let path = format!("{}?lang=en", choices(&app, NIKKI).await);
    let (id, _) = contact(&app, NIKKI).await;
    let save = async |rest: &str, pause: &str, status: u16| {
        let fields = [("topic", "newsletter"), ("frequency", "all"), ("rest", rest), ("pause", pause)];
        app.client.submit(&path, &fields).await.expect(status).body
    };
    let paused = async || {
        let q = &mut app.app.stores.db.read();
        let until = subscriptions::paused_until(q, id, app.now()).await.expect("read");
        until.map(|at| at.since_ms(app.now()) / DAY_MS)
    };
    let page = save("30", "", 200).await;
    assert!(page.contains("No letters until"), "{page}");
    assert!(paused().await.is_some_and(|days| (29..=30).contains(&days)), "{:?}", paused().await);
    let (Manners::Expired | Manners::Wait { why: Why::Paused, .. }) = turn(&app, id).await else {
        panic!("a letter would go out in the pause")
    };
    save("90", "", 200).await;
    assert!(paused().await.is_some_and(|days| (89..=90).contains(&days)), "{:?}", paused().await);
    // The day that still stands in the field does not count where no pause is chosen.
    save("none", "2026-12-24", 200).await;
    assert_eq!(paused().await, None);
    for wrong in ["", "2020-01-01", "soon"] {
        let page = save("until", wrong, 422).await;
        assert!(page.contains("pause-error"), "{wrong}: {page}");
        assert_eq!(paused().await, None, "{wrong}");
    }
    save("until", "2026-12-24", 200).await;
    assert!(paused().await.is_some_and(|days| days > 20), "{:?}", paused().await);
}

#[tokio::test]
async fn whoever_does_not_want_to_be_called_is_given_to_nobody_for_a_call() {
    let app = app().await;
    let mut nikki = app.visitor();
    subscribe(&app, &mut nikki, NIKKI).await;
    first_letter(&app, NIKKI).await;
    let path = format!("{}?lang=en", choices(&app, NIKKI).await);
    let (id, _) = contact(&app, NIKKI).await;
    let no = async || {
        let q = &mut app.app.stores.db.read();
        contacts::has_objected(q, id, contacts::CALLS).await.expect("read")
    };
    assert!(app.get(&path).await.expect(200).body.contains("name=\"calls\" value=\"yes\" checked"));
    let asked = [("topic", "newsletter"), ("asks", "calls")];
    // A page of before that did not ask changes nothing.
    app.client.submit(&path, &asked[..1]).await.expect(200);
    assert!(!no().await);
    let page = app.client.submit(&path, &asked).await.expect(200).body;
    assert!(no().await && page.contains("name=\"calls\" value=\"yes\">"), "{page}");

    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let new = accounts::NewAccount {
        email: "mike@faro.example",
        name: "Mike",
        role: accounts::Role::Sdr,
        language: Language::En,
        password: "correct horse battery staple",
    };
    let mike = accounts::add(&mut tx, &new, app.now()).await.expect("added").id;
    let decision = stages::Decision {
        role: "sdr".to_owned(),
        what: "accept".to_owned(),
        reason: None,
        actor: stages::Actor::Account(mike),
    };
    stages::decide(&mut tx, &app.app.lifecycle, id, &decision, app.now()).await.expect("accepted");
    tx.commit().await.expect("commits");
    let give = async |kind: tasks::Kind| {
        let title = "Ask how the guide was";
        let new = tasks::NewTask { contact: id, account: mike, kind, title, due_at: None, by: None };
        let mut tx = app.app.stores.db.begin().await.expect("begins");
        let given = tasks::give(&mut tx, &app.app.lifecycle, &new, app.now()).await;
        tx.commit().await.expect("commits");
        given
    };
    assert!(matches!(give(tasks::Kind::Call).await, Err(tasks::Error::Unwanted)));
    assert!(give(tasks::Kind::Mail).await.is_ok(), "writing is another matter");
    app.clock.advance(1_000);
    app.client.submit(&path, &[asked[0], asked[1], ("calls", "yes")]).await.expect(200);
    assert!(!no().await);
    assert!(give(tasks::Kind::Call).await.is_ok());
}
