//! The waiting list for earlier times: who is asked, in which order, for how long, and what becomes of the answer.

use embudo::base::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use serde_json::{Value, json};

use crate::support::app::{TestApp, set};

fn on(date: &str, clock: &str) -> i64 {
    format!("{date}T{clock}:00+01:00").parse::<jiff::Timestamp>().expect("an instant").as_millisecond()
}

/// Tuesday 24 November 2026 by the clock of Madrid; a test begins on Monday at ten.
fn tuesday(clock: &str) -> i64 {
    on("2026-11-24", clock)
}

fn wednesday(clock: &str) -> i64 {
    on("2026-11-25", clock)
}

const ANA: &str = "id: ana, name: Ana Ruiz, account: ana@faro.example, zone: Europe/Madrid, languages: [en, es], role: sdr, hours: {weekdays: 09:00-17:00}";
const YURI: &str = "id: yuri, name: Yuri Gil, account: yuri@faro.example, zone: Europe/Madrid, languages: [en, es], role: ae, hours: {weekdays: 09:00-17:00}";

async fn app() -> TestApp {
    app_with("", 3).await
}

async fn app_with(meeting: &str, per_day: i64) -> TestApp {
    let text = format!(
        "reps:\n  - {{{ANA}}}\n  - {{{YURI}}}\nmeetings:\n  - {{id: call, title: Call, description: A call, location: here, \
         duration: 30m, interval: 30m, notice: 0m, window: 10d, reps: [ana]{meeting}}}\n"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("team.yaml");
    std::fs::write(&file, text).expect("written");
    std::fs::create_dir(folder.path().join("flows")).expect("a folder");
    TestApp::start_with(|settings| {
        for key in ["per_minute", "burst", "slots_per_minute", "slots_burst"] {
            set(settings, "bookings", key, 1_000_000);
        }
        set(settings, "bookings", "earlier_per_day", per_day);
        set(settings, "definitions", "team", file.display().to_string());
        set(settings, "definitions", "flows", folder.path().join("flows").display().to_string());
    })
    .await
}

/// Books and answers with the page of the booking.
async fn book(app: &TestApp, starts_at: i64, name: &str, earlier: bool) -> String {
    let wish = json!({
        "site": "faro", "meeting": "call", "starts_at": starts_at, "zone": "Europe/Madrid", "language": "en",
        "name": name, "email": format!("{name}@acme.example"), "earlier": earlier,
    });
    let booked = app.post("/v1/bookings", &wish).await.expect_json(201);
    booked["manage"].as_str().expect("a path").to_owned()
}

async fn cancel(app: &TestApp, link: &str) {
    app.client.submit(&format!("{link}/cancel"), &[]).await.expect(303);
}

/// The mails that ask somebody, the oldest first.
async fn asked(app: &TestApp, name: &str) -> Vec<String> {
    let rows = app
        .rows("select recipient, text_body from mails where template = 'booking_earlier' order by id")
        .await;
    let recipient = format!("{name}@acme.example");
    rows.iter()
        .filter(|row| row.get::<String>("recipient").expect("a text").contains(&recipient))
        .map(|row| row.get("text_body").expect("a text"))
        .collect()
}

/// The address of the page in the last mail that asked somebody.
async fn link(app: &TestApp, name: &str) -> String {
    let mails = asked(app, name).await;
    let text = mails.last().unwrap_or_else(|| panic!("{name} was not asked"));
    let link = text.split_whitespace().find(|word| word.contains("/earlier/")).expect("a link");
    let link = link.strip_prefix(&app.url).expect("an address of this server");
    link.split('?').next().expect("the path").to_owned()
}

async fn call_of(app: &TestApp, name: &str) -> (i64, i64) {
    let rows = app
        .rows(
            "select c.email, b.starts_at, b.sequence from bookings b join contacts c on c.id = b.contact_id
             where b.state = 'confirmed' order by b.id",
        )
        .await;
    let email = format!("{name}@acme.example");
    let row =
        rows.iter().find(|row| row.get::<String>("email").expect("a text") == email).expect("has a call");
    (row.get("starts_at").expect("a number"), row.get("sequence").expect("a number"))
}

async fn free(app: &TestApp) -> Vec<i64> {
    let (from, to) = (tuesday("00:00"), tuesday("23:59"));
    let answer = app.get(&format!("/v1/slots?meeting=call&from={from}&to={to}")).await.expect_json(200);
    let slots: Vec<Value> = answer["slots"].as_array().expect("a list").clone();
    slots.iter().filter_map(|slot| slot["starts_at"].as_i64()).collect()
}

#[tokio::test]
async fn whoever_waits_is_asked_first_come_first_the_time_is_kept_and_taking_it_moves_the_call() {
    let app = app().await;
    let gone = book(&app, tuesday("11:00"), "paul", false).await;
    book(&app, wednesday("11:00"), "nikki", true).await;
    app.clock.advance(MINUTE_MS);
    book(&app, wednesday("12:00"), "rosa", true).await;
    app.run_jobs().await;
    assert!(asked(&app, "nikki").await.is_empty(), "what was free when she joined is no news");

    app.clock.advance(MINUTE_MS);
    cancel(&app, &gone).await;
    app.run_jobs().await;
    let mails = asked(&app, "nikki").await;
    assert_eq!((mails.len(), asked(&app, "rosa").await.len()), (1, 0), "one at a time");
    assert!(
        mails[0].contains("Tuesday") && mails[0].contains("11:00") && mails[0].contains("Ana Ruiz"),
        "{}",
        mails[0]
    );
    assert!(!free(&app).await.contains(&tuesday("11:00")), "it is kept");

    let link = link(&app, "nikki").await;
    let before = app.census().await;
    for _ in 0..3 {
        let page = app.get(&link).await.expect(200).body;
        assert!(page.contains(&format!("{link}/take")), "{page}");
    }
    assert_eq!(app.census().await, before);
    assert_eq!(call_of(&app, "nikki").await, (wednesday("11:00"), 0), "looking changes nothing");

    app.client.submit(&format!("{link}/take"), &[]).await.expect(303);
    assert_eq!(call_of(&app, "nikki").await, (tuesday("11:00"), 1));
    app.client.submit(&format!("{link}/take"), &[]).await.expect(303);
    assert_eq!(call_of(&app, "nikki").await, (tuesday("11:00"), 1), "taken twice, moved once");
    // Her old time is earlier than Rosa's: it goes to the next.
    app.run_jobs().await;
    assert!(asked(&app, "rosa").await[0].contains("Wednesday"), "{:?}", asked(&app, "rosa").await);
    let told = app.rows("select count(*) as n from mails where template = 'booking_rescheduled'").await;
    assert_eq!(told[0].get::<i64>("n").expect("a number"), 1);
    assert_eq!(asked(&app, "nikki").await.len(), 1, "whoever came earlier waits no more");
}

#[tokio::test]
async fn whoever_does_not_answer_in_time_is_passed_over_and_whoever_declines_lets_it_go_at_once() {
    let app = app().await;
    let gone = book(&app, tuesday("11:00"), "paul", false).await;
    for (name, clock) in [("nikki", "11:00"), ("rosa", "12:00"), ("sara", "13:00")] {
        app.clock.advance(MINUTE_MS);
        book(&app, wednesday(clock), name, true).await;
    }
    app.clock.advance(MINUTE_MS);
    cancel(&app, &gone).await;
    app.run_jobs().await;
    let late = link(&app, "nikki").await;
    app.later(29 * MINUTE_MS).await;
    assert!(asked(&app, "rosa").await.is_empty(), "still kept for Nikki");
    app.later(2 * MINUTE_MS).await;
    assert_eq!((asked(&app, "nikki").await.len(), asked(&app, "rosa").await.len()), (1, 1));
    let page = app.client.submit(&format!("{late}/take"), &[("lang", "en")]).await.expect(409).body;
    assert!(page.contains("not kept for you any more"), "{page}");
    assert_eq!(call_of(&app, "nikki").await, (wednesday("11:00"), 0));

    let next = link(&app, "rosa").await;
    app.client.submit(&format!("{next}/decline"), &[]).await.expect(303);
    app.run_jobs().await;
    assert_eq!(asked(&app, "sara").await.len(), 1, "the next is asked at once");
    let last = link(&app, "sara").await;
    app.client.submit(&format!("{last}/leave"), &[]).await.expect(303);
    app.later(HOUR_MS).await;
    assert!(free(&app).await.contains(&tuesday("11:00")), "everybody was asked once: it is free for all");
    let each =
        [asked(&app, "nikki").await.len(), asked(&app, "rosa").await.len(), asked(&app, "sara").await.len()];
    assert_eq!(each, [1, 1, 1]);
}

#[tokio::test]
async fn days_and_hours_are_kept_to_and_the_list_is_joined_changed_and_left_on_the_page() {
    let app = app().await;
    let (nine, three) = (
        book(&app, tuesday("09:00"), "paul", false).await,
        book(&app, tuesday("15:00"), "otto", false).await,
    );
    let page = book(&app, on("2026-11-26", "11:00"), "nikki", false).await;
    let shown = app.get(&format!("{page}?lang=en")).await.expect(200).body;
    assert!(shown.contains(&format!("{page}/wait")) && !shown.contains(&format!("{page}/leave")), "{shown}");
    let nothing =
        app.client.submit(&format!("{page}/wait"), &[("from", "0"), ("to", "1440")]).await.expect(303);
    let shown = app.get(nothing.header("location")).await.expect(200).body;
    assert!(shown.contains("at least one day"), "{shown}");
    let afternoons = [("day-1", "1"), ("day-2", "1"), ("from", "780"), ("to", "1440"), ("lang", "en")];
    let joined = app.client.submit(&format!("{page}/wait"), &afternoons).await.expect(303);
    let shown = app.get(joined.header("location")).await.expect(200).body;
    assert!(shown.contains("on the waiting list") && shown.contains(&format!("{page}/leave")), "{shown}");

    app.clock.advance(MINUTE_MS);
    cancel(&app, &nine).await;
    app.run_jobs().await;
    assert!(asked(&app, "nikki").await.is_empty(), "nine is no afternoon");
    cancel(&app, &three).await;
    app.run_jobs().await;
    assert_eq!(asked(&app, "nikki").await.len(), 1);
    app.client.submit(&format!("{page}/leave"), &[]).await.expect(303);
    assert!(free(&app).await.contains(&tuesday("15:00")), "whoever leaves keeps nothing");
}

#[tokio::test]
async fn nobody_is_asked_too_often_at_night_or_after_her_call() {
    let app = app_with("", 1).await;
    let links = [
        book(&app, tuesday("11:00"), "paul", false).await,
        book(&app, tuesday("12:00"), "otto", false).await,
        book(&app, wednesday("12:00"), "emil", false).await,
    ];
    book(&app, on("2026-11-27", "11:00"), "nikki", true).await;
    app.clock.advance(MINUTE_MS);
    cancel(&app, &links[0]).await;
    app.run_jobs().await;
    cancel(&app, &links[1]).await;
    app.later(HOUR_MS).await;
    assert_eq!(asked(&app, "nikki").await.len(), 1, "once a day");
    cancel(&app, &links[2]).await;
    // Monday 11:02 and 23 hours and a half: a day since she was asked is not over.
    app.later(22 * HOUR_MS).await;
    assert_eq!(asked(&app, "nikki").await.len(), 1);
    app.later(HOUR_MS + 10 * MINUTE_MS).await;
    assert_eq!(asked(&app, "nikki").await.len(), 2, "the next day");

    let app = app_with("", 3).await;
    let gone = book(&app, wednesday("11:00"), "paul", false).await;
    book(&app, on("2026-11-27", "11:00"), "nikki", true).await;
    app.clock.advance(13 * HOUR_MS);
    cancel(&app, &gone).await;
    app.run_jobs().await;
    assert!(asked(&app, "nikki").await.is_empty(), "eleven at night");
    app.later(9 * HOUR_MS + 30 * MINUTE_MS).await;
    assert_eq!(asked(&app, "nikki").await.len(), 1, "in the morning");
    app.later(7 * DAY_MS).await;
    assert_eq!(asked(&app, "nikki").await.len(), 1);
}

#[tokio::test]
async fn what_a_move_and_the_end_of_an_absence_give_back_is_offered_too() {
    let app = app().await;
    let moves = book(&app, tuesday("11:00"), "paul", false).await;
    book(&app, wednesday("11:00"), "nikki", true).await;
    app.clock.advance(MINUTE_MS);
    let at = tuesday("16:00").to_string();
    app.client.submit(&format!("{moves}/reschedule"), &[("starts_at", &at)]).await.expect(303);
    app.run_jobs().await;
    assert!(asked(&app, "nikki").await[0].contains("11:00"));

    let app = self::app().await;
    let absence = embudo::bookings::absence::Absence {
        id: None,
        rep: "ana".to_owned(),
        span: embudo::bookings::slots::Span::new(
            embudo::base::time::Timestamp(tuesday("00:00")),
            embudo::base::time::Timestamp(wednesday("00:00")),
        ),
        delegate: None,
        note: None,
    };
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let id = embudo::bookings::go_away(&mut tx, &absence, app.now()).await.expect("noted");
    tx.commit().await.expect("commits");
    book(&app, wednesday("11:00"), "nikki", true).await;
    app.later(MINUTE_MS).await;
    assert!(asked(&app, "nikki").await.is_empty());
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    assert!(embudo::bookings::come_back(&mut tx, id, "ana", app.now()).await.expect("is back"));
    tx.commit().await.expect("commits");
    app.run_jobs().await;
    assert!(asked(&app, "nikki").await[0].contains("9:00"), "the first of the day");
}

#[tokio::test]
async fn a_call_of_two_waits_for_both_and_moves_with_both() {
    let app = app_with(", with: yuri", 3).await;
    let gone = book(&app, tuesday("11:00"), "paul", false).await;
    book(&app, wednesday("11:00"), "nikki", true).await;
    app.clock.advance(MINUTE_MS);
    cancel(&app, &gone).await;
    app.run_jobs().await;
    let held = app.rows("select rep from bookings where state = 'hold' order by rep").await;
    let reps: Vec<String> = held.iter().map(|row| row.get("rep").expect("a text")).collect();
    assert_eq!(reps, ["ana", "yuri"]);
    let link = link(&app, "nikki").await;
    app.client.submit(&format!("{link}/take"), &[]).await.expect(303);
    let rows = app.rows("select rep, starts_at from bookings where state = 'confirmed' order by rep").await;
    let stands: Vec<(String, i64)> = rows
        .iter()
        .map(|row| (row.get("rep").expect("a text"), row.get("starts_at").expect("a number")))
        .collect();
    assert_eq!(stands, [("ana".to_owned(), tuesday("11:00")), ("yuri".to_owned(), tuesday("11:00"))]);
}

#[tokio::test]
async fn a_link_of_another_kind_or_from_another_site_does_nothing() {
    let app = app().await;
    let gone = book(&app, tuesday("11:00"), "paul", false).await;
    let page = book(&app, wednesday("11:00"), "nikki", true).await;
    app.clock.advance(MINUTE_MS);
    cancel(&app, &gone).await;
    app.run_jobs().await;
    let link = link(&app, "nikki").await;
    let token = page.strip_prefix("/b/").expect("a path");
    app.get(&format!("/earlier/{token}")).await.expect(404);
    app.client.submit(&format!("/earlier/{token}/take"), &[]).await.expect(404);
    app.client.submit(&format!("{link}/everything"), &[]).await.expect(404);
    let foreign = app.client.with("sec-fetch-site", "cross-site");
    foreign.submit(&format!("{link}/take"), &[]).await.expect(403);
    assert_eq!(call_of(&app, "nikki").await, (wednesday("11:00"), 0));
    app.later(3 * DAY_MS).await;
    app.get(&link).await.expect(410);
}

#[tokio::test]
async fn her_call_cancelled_lets_go_what_was_kept_for_her() {
    let app = app().await;
    let gone = book(&app, tuesday("11:00"), "paul", false).await;
    let mine = book(&app, wednesday("11:00"), "nikki", true).await;
    app.clock.advance(MINUTE_MS);
    cancel(&app, &gone).await;
    app.run_jobs().await;
    assert!(!free(&app).await.contains(&tuesday("11:00")));
    let link = link(&app, "nikki").await;
    cancel(&app, &mine).await;
    assert!(free(&app).await.contains(&tuesday("11:00")));
    app.client.submit(&format!("{link}/take"), &[]).await.expect(409);
}
