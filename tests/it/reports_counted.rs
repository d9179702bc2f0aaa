//! Reports that count: fixtures with numbers that a person can add up, what the doors and the pages tell of them.

use embudo::accounts::Role;
use embudo::base::email::Email;
use embudo::base::ids::{ActivityId, BookingId, ContactId, ConversationId, VisitorId};
use embudo::base::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use embudo::params;
use embudo::storage::db::{Sql, Value as Bind};
use embudo::subscriptions::suppression;
use serde_json::{Value, json};

use crate::console::agent;
use crate::gates::{contact, submit};
use crate::people::{merge, unmerge};
use crate::reports::{ask, start, story, told};
use crate::support::app::TestApp;

const REPORTS: [&str; 12] = [
    "funnel",
    "velocity",
    "attribution",
    "acceptance",
    "webinars",
    "content",
    "bot",
    "response",
    "bookings",
    "churn",
    "mail",
    "health",
];

/// Writes a row as it stands.
async fn row(app: &TestApp, text: &'static str, binds: &[Bind]) {
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    tx.execute(Sql(text), binds).await.unwrap_or_else(|error| panic!("{text}: {error}"));
    tx.commit().await.expect("commits");
}

struct Call<'a> {
    rep: &'a str,
    contact: Option<ContactId>,
    conversation: Option<ConversationId>,
    booked_at: Timestamp,
    starts_at: Timestamp,
    state: &'a str,
    outcome: Option<&'a str>,
}

async fn call(app: &TestApp, call: &Call<'_>) {
    let ends_at = call.starts_at.plus_ms(30 * MINUTE_MS);
    row(
        app,
        "insert into bookings (id, meeting, rep, contact_id, conversation_id, starts_at, ends_at, block_from, block_to,
             state, time_zone, language, outcome, created_at, updated_at)
         values ($1, 'discovery', $2, $3, $4, $5, $6, $5, $6, $7, 'UTC', 'en', $8, $9, $9)",
        params![
            BookingId::new(), call.rep, call.contact, call.conversation, call.starts_at, ends_at, call.state,
            call.outcome, call.booked_at
        ],
    )
    .await;
}

async fn talk(
    app: &TestApp,
    contact: Option<ContactId>,
    path: &[&str],
    outcome: Option<&str>,
) -> ConversationId {
    let (id, now) = (ConversationId::new(), app.now());
    let state = json!({ "path": path }).to_string();
    let closed_at = outcome.map(|_| now);
    row(
        app,
        "insert into conversations (id, site, visitor_id, contact_id, flow, language, time_zone, mode, state, outcome,
             opened_at, updated_at, closed_at)
         values ($1, 'faro', $2, $3, 'welcome', 'en', 'UTC', 'bot', $4, $5, $6, $6, $7)",
        params![id, VisitorId::new(), contact, state, outcome, now, closed_at],
    )
    .await;
    id
}

async fn message(
    app: &TestApp,
    conversation: ConversationId,
    seq: i64,
    author: &str,
    by: Option<&str>,
    at: Timestamp,
) {
    row(
        app,
        "insert into messages (conversation_id, seq, author, author_id, body, at) values ($1, $2, $3, $4, '{}', $5)",
        params![conversation, seq, author, by, at],
    )
    .await;
}

async fn activity(app: &TestApp, contact: ContactId, kind: &str, subject: &str, props: Value, at: Timestamp) {
    row(
        app,
        "insert into activities (id, contact_id, kind, subject, props, at) values ($1, $2, $3, $4, $5, $6)",
        params![ActivityId::new(), contact, kind, subject, props.to_string(), at],
    )
    .await;
}

fn counts(told: &Value, names: &[&str]) -> Vec<i64> {
    names.iter().map(|name| told[name].as_i64().unwrap_or_else(|| panic!("{name} in {told}"))).collect()
}

/// The text of a page without tags and with single blanks.
fn words(html: &str) -> String {
    let main = html.split_once("<main").map_or(html, |(_, main)| main);
    let mut text = String::new();
    for piece in main.split('<') {
        text.push(' ');
        text.push_str(piece.split_once('>').map_or(piece, |(_, rest)| rest));
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn has(text: &str, part: &str) {
    assert!(text.contains(part), "`{part}` is not in: {text}");
}

/// The files that a page links to.
fn files(page: &str) -> Vec<String> {
    let links = page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default());
    let links = links.map(|link| link.replace("&amp;", "&").replace("&#x3D;", "="));
    links.filter(|link| link.contains("format=csv")).collect()
}

#[tokio::test]
async fn every_report_tells_what_to_do_first_where_nothing_was_counted() {
    let app = start().await;
    let ana = agent(&app, Role::Viewer).await;
    let list = words(&ana.sees("/console/reports").await);
    has(&list, "Nothing yet");
    for report in REPORTS {
        let page = ana.sees(&format!("/console/reports/{report}")).await;
        let text = words(&page);
        has(&text, "Nothing in these days");
        assert!(page.len() < 60 * 1024, "{report}: {}", page.len());
        assert!(files(&page).is_empty(), "{report}");
    }
    ana.get("/console/reports/astrology").await.expect(404);
    ana.get("/console/reports/funnel?filter=planet:Mars").await.expect(422);
    app.get("/console/reports").await.expect(303);
}

#[tokio::test]
async fn every_report_has_numbers_a_picture_tables_and_files_in_both_languages() {
    let app = start().await;
    story(&app).await;
    let nobody = talk(&app, None, &["hello", "menu"], Some("abandoned")).await;
    message(&app, nobody, 1, "visitor", None, app.now()).await;
    agent(&app, Role::Sdr).await;
    let mike: String =
        app.rows("select id from accounts where role = 'sdr'").await[0].get("id").expect("an id");
    message(&app, nobody, 2, "agent", Some(&mike), app.now()).await;
    let (nikki, _) = contact(&app, "nikki@acme.example").await;
    activity(
        &app,
        nikki,
        "handoff.requested",
        "welcome",
        json!({ "conversation": nobody.to_string() }),
        app.now(),
    )
    .await;
    activity(&app, nikki, "asset.downloaded", "guide", json!({}), app.now()).await;
    let starts_at = app.now().plus_ms(-HOUR_MS);
    let held = Call {
        rep: "mike",
        contact: Some(nikki),
        conversation: None,
        booked_at: starts_at.plus_ms(-2 * DAY_MS),
        starts_at,
        state: "confirmed",
        outcome: Some("held"),
    };
    call(&app, &held).await;
    row(
        &app,
        "insert into post_sale_intervals (id, contact_id, state, entered_at, actor, rule, lifecycle_hash, evidence)
         values ('one', $1, 'active', $2, 'api', 'test', '', '{}')",
        params![nikki, app.now().plus_ms(-HOUR_MS)],
    )
    .await;
    let ana = agent(&app, Role::Viewer).await;
    for language in ["en", "es"] {
        ana.submits("/console/language", &[("language", language), ("back", "/console")]).await.expect(303);
        let list = ana.sees("/console/reports").await;
        assert!(list.contains("class=\"spark-bar\"") && list.len() < 60 * 1024, "{}", list.len());
        for report in REPORTS {
            let page = ana.sees(&format!("/console/reports/{report}")).await;
            assert!(page.len() < 60 * 1024, "{report}: {}", page.len());
            assert!(!page.contains("class=\"empty\""), "{report} is empty: {}", words(&page));
            assert!(
                page.contains("<svg class=\"hbar") || page.contains("class=\"heat\""),
                "{report} has no picture"
            );
            assert!(page.contains("class=\"card-number\""), "{report}");
            let files = files(&page);
            assert!(!files.is_empty(), "{report}");
            for file in files {
                let answer = ana.get(&file).await.expect(200);
                assert!(answer.header("content-type").starts_with("text/csv"), "{file}");
                assert!(answer.header("content-disposition").contains(&format!("{report}-")), "{file}");
            }
        }
    }
    ana.get("/console/reports/funnel?format=csv&table=nirvana").await.expect(404);
}

#[tokio::test]
async fn filters_stand_in_the_address_and_every_row_adds_one() {
    let app = start().await;
    story(&app).await;
    let ana = agent(&app, Role::Viewer).await;
    let page = ana.sees("/console/reports/funnel?by=campaign").await;
    let text = words(&page);
    has(&text, "Leads 3");
    has(&text, "autumn 2 1 1 0");
    has(&text, "spring 1 1 1 0");
    assert!(
        page.contains("filter=campaign%3Aautumn") || page.contains("filter&#x3D;campaign%3Aautumn"),
        "{page}"
    );
    let text = words(&ana.sees("/console/reports/funnel?by=campaign&filter=campaign:autumn").await);
    has(&text, "Leads 2");
    has(&text, "Campaign is autumn");
    let text = words(&ana.sees("/console/reports/funnel?filter=!campaign:autumn").await);
    has(&text, "Leads 1");
    let text = words(
        &ana.sees("/console/reports/attribution?stage=lead&by=campaign&filter=company:acme.example").await,
    );
    has(&text, "Reached the stage 3");
    has(&text, "autumn 2 2 2 2 2");
    let text = words(
        &ana.sees("/console/reports/funnel?filter_by=company&filter_not=1&filter_value=acme.example").await,
    );
    has(&text, "Take a filter away");
    let text = words(&ana.sees("/console/reports/acceptance").await);
    has(&text, "Handed over 2");
    has(&text, "Sent back 1");
    has(&text, "Not the right time 1");
    let text = words(&ana.sees("/console/reports/velocity").await);
    has(&text, "Arrived 2");
}

#[tokio::test]
async fn a_campaign_that_looks_like_a_formula_is_a_text_in_the_file() {
    let app = start().await;
    let visitor = app.visitor();
    visitor.visit("/?utm_source=ads&utm_campaign=%3D1%2B1").await;
    app.later(HOUR_MS).await;
    submit(&visitor, "white-paper", "eve@acme.example").await;
    app.run_jobs().await;
    let ana = agent(&app, Role::Viewer).await;
    let path = "/console/reports/funnel?by=campaign&format=csv&table=sources";
    has(&ana.get(path).await.expect(200).body, "\r\n'=1+1,1,0,0,0\r\n");
}

#[tokio::test]
async fn one_no_show_of_two_known_calls_is_half_and_each_group_has_its_own() {
    let app = start().await;
    story(&app).await;
    let (nikki, _) = contact(&app, "nikki@acme.example").await;
    let chat = talk(&app, Some(nikki), &["hello"], Some("booked")).await;
    let at = |hours: i64| app.now().plus_ms(-hours * HOUR_MS);
    let held = Call {
        rep: "mike",
        contact: Some(nikki),
        conversation: Some(chat),
        booked_at: at(7),
        starts_at: at(6),
        state: "confirmed",
        outcome: Some("held"),
    };
    call(&app, &held).await;
    call(
        &app,
        &Call { conversation: None, booked_at: at(100), starts_at: at(4), outcome: Some("no_show"), ..held },
    )
    .await;
    call(&app, &Call { rep: "lucia", starts_at: at(3), state: "cancelled", outcome: None, ..held }).await;
    call(&app, &Call { rep: "lucia", contact: None, starts_at: at(2), outcome: None, ..held }).await;
    let told_of = told(&app, "bookings").await;
    let names = ["booked", "held", "no_show", "cancelled", "untold"];
    assert_eq!(counts(&told_of["total"], &names), [4, 1, 1, 1, 1]);
    assert_eq!(told_of["total"]["no_show_rate"], json!(0.5));
    assert_eq!(counts(&told_of["by_way"]["page"], &names), [1, 0, 1, 0, 0]);
    assert_eq!(counts(&told_of["by_rep"]["lucia"], &names), [2, 0, 0, 1, 1]);
    assert_eq!(counts(&told_of["by_channel"]["paid"], &names), [3, 1, 1, 1, 0]);
    assert_eq!(counts(&told_of["by_lead_time"]["3_to_7_days"], &names), [1, 0, 1, 0, 0]);
    let only = told(&app, "bookings?filter=company:acme.example").await;
    assert_eq!(only["total"]["booked"], json!(3));
    let file = ask(&app, "bookings?format=csv").await.expect(200).body;
    let head = "by,key,booked,held,no_show,cancelled,untold,no_show_rate,moved,moved_rate,offered,shown\r\n";
    has(&file, &format!("{head}total,,4,1,1,1,1,0.5,0,0,,\r\n"));
    ask(&app, "bookings?filter=nobody").await.expect_problem(400, "report.question_invalid");
}

#[tokio::test]
async fn calls_tell_how_many_were_moved_and_how_far_the_chat_came_from_an_offer() {
    let app = start().await;
    story(&app).await;
    let (nikki, _) = contact(&app, "nikki@acme.example").await;
    let (eva, _) = contact(&app, "eva@acme.example").await;
    let flow = app.app.room.flows.now();
    let offers = embudo::reports::journeys::chats::offers(&flow);
    let steps = &offers["welcome"];
    assert!(steps.contains("pick_slot") && !steps.contains("hello"), "{steps:?}");
    // One came to no offer, one saw no times, one saw some, one booked.
    talk(&app, None, &["hello"], Some("abandoned")).await;
    talk(&app, None, &["hello", "pick_slot"], Some("abandoned")).await;
    let saw = talk(&app, Some(eva), &["hello", "pick_slot"], Some("abandoned")).await;
    row(
        &app,
        "insert into messages (conversation_id, seq, author, body, at) values ($1, 1, 'bot', $2, $3)",
        params![saw, r#"{"type":"ask","input":{"kind":"slot","slots":[]}}"#, app.now()],
    )
    .await;
    let booked = talk(&app, Some(nikki), &["hello", "pick_slot"], Some("booked")).await;
    let at = |hours: i64| app.now().plus_ms(-hours * HOUR_MS);
    let one = Call {
        rep: "mike",
        contact: Some(nikki),
        conversation: Some(booked),
        booked_at: at(7),
        starts_at: at(6),
        state: "confirmed",
        outcome: Some("held"),
    };
    call(&app, &one).await;
    call(&app, &Call { conversation: None, starts_at: at(4), contact: Some(eva), ..one }).await;
    let moved: BookingId = {
        let rows = app.rows("select id, contact_id from bookings").await;
        let of_nikki = rows.iter().find(|row| row.get::<ContactId>("contact_id").expect("an id") == nikki);
        of_nikki.expect("hers").get("id").expect("an id")
    };
    // Twice, and one that nobody remembers.
    for subject in [moved, moved, BookingId::new()] {
        activity(&app, nikki, "booking.rescheduled", &subject.to_string(), json!({}), at(8)).await;
    }
    // On the page: a full calendar one time of four. An hour that is over a day too early does not count.
    let page =
        "insert into booking_page_counts (meeting, hour, opened, shown, booked) values ($1, $2, $3, $4, $5)";
    for (hour, opened, shown, booked) in [(at(3), 3, 2, 1), (at(2), 1, 1, 0), (at(400 * 24), 9, 9, 9)] {
        row(&app, page, params!["discovery", hour, opened, shown, booked]).await;
    }
    app.clock.advance(MINUTE_MS);
    let told_of = told(&app, "bookings").await;
    assert_eq!(counts(&told_of["total"], &["booked", "moved"]), [2, 1]);
    assert_eq!(told_of["by_way"]["page"]["moved_rate"], json!(0.0));
    let in_chat = &told_of["in_chat"];
    assert_eq!(counts(in_chat, &["offered", "shown", "booked"]), [3, 2, 1]);
    assert_eq!((&in_chat["shown_rate"], &in_chat["booked_rate"]), (&json!(0.6667), &json!(0.5)));
    let file = ask(&app, "bookings?format=csv").await.expect(200).body;
    has(&file, "offered,chat,1,,,,,,,,3,2\r\n");
    let on_page = &told_of["on_page"]["discovery"];
    assert_eq!(counts(on_page, &["offered", "shown", "booked"]), [4, 3, 1]);
    assert_eq!((&on_page["shown_rate"], &on_page["booked_rate"]), (&json!(0.75), &json!(0.3333)));
    has(&file, "offered_on_page,discovery,1,,,,,,,,4,3\r\n");
    let some = told(&app, "bookings?filter=campaign:autumn").await;
    assert_eq!(some["on_page"], json!({}), "the page does not know who comes");
    let ana = agent(&app, Role::Viewer).await;
    let text = words(&ana.sees("/console/reports/bookings").await);
    has(&text, "A call was one answer away 3");
    has(&text, "Times were shown 2 66.7%");
    has(&text, "Discovery call 4 3 1 33.3%");
}

#[tokio::test]
async fn letters_tell_who_confirmed_and_how_soon() {
    let app = start().await;
    story(&app).await;
    let (nikki, _) = contact(&app, "nikki@acme.example").await;
    let (eva, _) = contact(&app, "eva@acme.example").await;
    let (ana, _) = contact(&app, "ana@acme.example").await;
    row(&app, "delete from activities where kind like 'subscription.%'", params![]).await;
    let at = |minutes: i64| app.now().plus_ms(-minutes * MINUTE_MS);
    for (who, asked, confirmed) in [(nikki, 60, Some(58)), (eva, 60, Some(20)), (ana, 60, None)] {
        activity(&app, who, "subscription.asked", "newsletter", json!({}), at(asked)).await;
        if let Some(confirmed) = confirmed {
            activity(&app, who, "subscription.confirmed", "newsletter", json!({}), at(confirmed)).await;
        }
    }
    // She asked once more before she confirmed.
    activity(&app, eva, "subscription.asked", "newsletter", json!({}), at(30)).await;
    let told_of = told(&app, "mail").await;
    let of = &told_of["confirmations_by_topic"]["newsletter"];
    assert_eq!(counts(of, &["asked", "confirmed"]), [3, 2]);
    assert_eq!((&of["confirmed_rate"], &of["after"]["p50"]), (&json!(0.6667), &json!(2 * MINUTE_MS)));
    assert_eq!(&told_of["confirmations"], of);
    let only = told(&app, "mail?filter=campaign:spring").await;
    assert_eq!(counts(&only["confirmations"], &["asked", "confirmed"]), [1, 1]);
    let file = ask(&app, "mail?format=csv").await.expect(200).body;
    has(&file, "confirmation,newsletter,,,,,,,,3,2,0.6667,120000\r\n");
    let viewer = agent(&app, Role::Viewer).await;
    let text = words(&viewer.sees("/console/reports/mail").await);
    has(&text, "Asked for, and confirmed");
    has(&text, "3 2 66.7% 2 min");
}

#[tokio::test]
async fn webinars_tell_who_came_how_far_the_recording_was_watched_and_who_booked() {
    let app = start().await;
    story(&app).await;
    let (nikki, _) = contact(&app, "nikki@acme.example").await;
    let (eva, _) = contact(&app, "eva@acme.example").await;
    row(&app, "update webinar_registrations set state = 'attended' where contact_id = $1", params![nikki])
        .await;
    row(&app, "update webinar_registrations set state = 'no_show' where contact_id = $1", params![eva]).await;
    let recording = &app.app.webinars.webinars[0].recordings[0].id;
    for (viewer, contact, percent) in [("a", Some(nikki), 95), ("b", Some(eva), 15), ("c", None, 60)] {
        row(
            &app,
            "insert into watches (recording, viewer, contact_id, ranges, seconds, percent, updated_at, begun_at)
             values ($1, $2, $3, '[]', 1.5, $4, $5, $5)",
            params![recording.as_str(), viewer, contact, percent, app.now()],
        )
        .await;
    }
    let booked = Call {
        rep: "mike",
        contact: Some(eva),
        conversation: None,
        booked_at: app.now(),
        starts_at: app.now().plus_ms(DAY_MS),
        state: "confirmed",
        outcome: None,
    };
    call(&app, &booked).await;
    app.clock.advance(MINUTE_MS);
    let told = told(&app, "webinars").await;
    let total = &told["total"];
    assert_eq!(
        counts(total, &["registered", "attended", "no_show", "untold", "viewers", "booked"]),
        [2, 1, 1, 0, 3, 1]
    );
    assert_eq!((&total["viewers_by_fifth"], &total["booked_rate"]), (&json!([1, 0, 1, 0, 1]), &json!(0.5)));
}

#[tokio::test]
async fn content_tells_who_went_on_and_what_perhaps_was_a_machine() {
    let app = start().await;
    story(&app).await;
    let (nikki, _) = contact(&app, "nikki@acme.example").await;
    let (ana, _) = contact(&app, "ana@acme.example").await;
    // Nikki became an MQL and an SQL after it, Ana stayed what she was.
    let at = app.now().plus_ms(-40 * HOUR_MS);
    activity(&app, nikki, "asset.downloaded", "golden", json!({}), at).await;
    activity(&app, ana, "asset.downloaded", "golden", json!({}), at).await;
    activity(&app, ana, "asset.fetched", "golden", json!({}), at).await;
    let told = told(&app, "content").await;
    let golden = &told["by_subject"]["golden"];
    assert_eq!(counts(golden, &["uses", "unsure", "people", "went_on"]), [2, 1, 2, 1]);
    assert_eq!(golden["went_on_rate"], json!(0.5));
    let recording = app.app.webinars.webinars[0].recordings[0].id.clone();
    for (viewer, seconds, percent) in [("a", 90.5, 100), ("b", 30.0, 33)] {
        row(
            &app,
            "insert into watches (recording, viewer, contact_id, ranges, seconds, percent, updated_at, begun_at)
             values ($1, $2, null, '[]', $3, $4, $5, $5)",
            params![recording.as_str(), viewer, seconds, percent, app.now().plus_ms(-MINUTE_MS)],
        )
        .await;
    }
    let told = crate::reports::told(&app, "content").await;
    let seen = &told["by_subject"][&recording];
    assert_eq!(
        (counts(seen, &["viewers", "seen_ms"]), &seen["completion"]),
        (vec![2, 120_500], &json!(0.665))
    );
    assert_eq!(told["by_subject"]["golden"]["completion"], Value::Null);
    let file = ask(&app, "content?format=csv").await.expect(200).body;
    has(&file, &format!("{recording},0,0,0,2,1,0,,120500,0.665\r\n"));
}

#[tokio::test]
async fn the_bot_tells_where_conversations_end_and_what_became_of_them() {
    let app = start().await;
    story(&app).await;
    let (nikki, _) = contact(&app, "nikki@acme.example").await;
    let first = talk(&app, Some(nikki), &["hello", "menu", "book"], Some("booked")).await;
    message(&app, first, 1, "visitor", None, app.now()).await;
    let starts_at = app.now().plus_ms(DAY_MS);
    let booked = Call {
        rep: "mike",
        contact: Some(nikki),
        conversation: Some(first),
        booked_at: app.now(),
        starts_at,
        state: "confirmed",
        outcome: None,
    };
    call(&app, &booked).await;
    talk(&app, None, &["hello", "menu"], Some("abandoned")).await;
    talk(&app, None, &["hello"], Some("abandoned")).await;
    talk(&app, None, &["hello"], None).await;
    app.clock.advance(MINUTE_MS);
    let told_of = told(&app, "bot").await;
    let welcome = &told_of["by_flow"]["welcome"];
    assert_eq!(counts(welcome, &["started", "answered", "booked"]), [4, 1, 1]);
    assert_eq!(counts(&welcome["steps"]["hello"], &["reached", "ended", "open"]), [4, 1, 1]);
    assert_eq!(counts(&welcome["steps"]["menu"], &["reached", "ended", "open"]), [2, 1, 0]);
    assert_eq!(welcome["steps"]["hello"]["next"], json!({ "menu": 2 }));
    assert_eq!(welcome["outcomes"], json!({ "abandoned": 2, "booked": 1 }));
    let only = told(&app, "bot?filter=source:ads").await;
    assert_eq!(only["total"]["started"], json!(1));
    let ana = agent(&app, Role::Viewer).await;
    let text = words(&ana.sees("/console/reports/bot").await);
    has(&text, "4 · 1 ended (25%)");
    // By the team's hours: one conversation is put on a Sunday night.
    let sunday = Timestamp::from_jiff("2026-11-22T23:00:00Z".parse().expect("a moment"));
    let monday = Timestamp::from_jiff("2026-11-23T11:00:00Z".parse().expect("a moment"));
    row(&app, "update conversations set opened_at = $1", params![monday]).await;
    row(&app, "update conversations set opened_at = $1 where outcome = 'booked'", params![sunday]).await;
    let told_of = told(&app, "bot").await;
    assert_eq!(counts(&told_of["total"], &["started", "off_hours"]), [4, 1]);
    assert_eq!(told_of["by_flow"]["welcome"]["off_hours_rate"], json!(0.25));
}

#[tokio::test]
async fn responses_are_measured_from_the_first_wish_to_the_first_word_of_a_person() {
    let app = start().await;
    story(&app).await;
    agent(&app, Role::Sdr).await;
    let accounts = app.rows("select id, name from accounts where role = 'sdr'").await;
    let (sdr, name): (String, String) =
        (accounts[0].get("id").expect("an id"), accounts[0].get("name").expect("a name"));
    let (nikki, _) = contact(&app, "nikki@acme.example").await;
    let now = app.now();
    let asked_at = now.plus_ms(-2 * HOUR_MS);
    // Answered after two minutes, though asked for twice; answered after half an hour; never answered.
    for (times, answered_after) in [(2, Some(2)), (1, Some(30)), (1, None)] {
        let chat = talk(&app, Some(nikki), &["hello"], None).await;
        for time in 0..times {
            let at = asked_at.plus_ms(time * MINUTE_MS);
            activity(
                &app,
                nikki,
                "handoff.requested",
                "welcome",
                json!({ "conversation": chat.to_string() }),
                at,
            )
            .await;
        }
        if let Some(minutes) = answered_after {
            message(&app, chat, 1, "agent", Some(&sdr), asked_at.plus_ms(minutes * MINUTE_MS)).await;
        }
    }
    row(&app, "delete from handovers", params![]).await;
    for (id, taken_at, due_at) in [("a", Some(now), now), ("b", None, now.plus_ms(-HOUR_MS))] {
        let by = taken_at.map(|_| sdr.clone());
        let contact_of = if id == "a" { "nikki@acme.example" } else { "eva@acme.example" };
        let (of, _) = contact(&app, contact_of).await;
        row(
            &app,
            "insert into handovers (id, contact_id, role, stage, given_at, due_at, taken_at, taken_by)
             values ($1, $2, 'sdr', 'mql', $3, $4, $5, $6)",
            params![id, of, now.plus_ms(-3 * HOUR_MS), due_at, taken_at, by],
        )
        .await;
    }
    app.clock.advance(MINUTE_MS);
    let told_of = told(&app, "response").await;
    let chat = &told_of["by_kind"]["chat"];
    assert_eq!(counts(chat, &["asked", "answered"]), [3, 2]);
    assert_eq!(counts(&chat["after"], &["p50", "p90"]), [2 * MINUTE_MS, 30 * MINUTE_MS]);
    assert_eq!(told_of["by_person"]["chat"][&name]["answered"], json!(2));
    let handover = &told_of["by_kind"]["handover"];
    assert_eq!(
        (counts(handover, &["asked", "answered", "in_time"]), &handover["in_time_rate"]),
        (vec![2, 1, 1], &json!(0.5))
    );
    // Whom nobody answered may have booked a call by herself.
    assert_eq!(counts(chat, &["missed", "fell_back"]), [1, 0]);
    let silent: ConversationId = app
        .rows("select id from conversations where id not in (select conversation_id from messages)")
        .await[0]
        .get("id")
        .expect("an id");
    let instead = Call {
        rep: "mike",
        contact: Some(nikki),
        conversation: Some(silent),
        booked_at: asked_at.plus_ms(10 * MINUTE_MS),
        starts_at: now.plus_ms(DAY_MS),
        state: "confirmed",
        outcome: None,
    };
    call(&app, &instead).await;
    let told_of = told(&app, "response").await;
    let chat = &told_of["by_kind"]["chat"];
    assert_eq!((counts(chat, &["missed", "fell_back"]), &chat["fell_back_rate"]), (vec![1, 1], &json!(1.0)));
    let file = ask(&app, "response?format=csv").await.expect(200).body;
    has(&file, "\r\nchat,,3,2,1,0.3333,120000,1800000,1,1,1,120000,1800000\r\n");
    let ana = agent(&app, Role::Viewer).await;
    let text = words(&ana.sees("/console/reports/response").await);
    has(&text, "When nobody came");
    has(&text, "a person in the chat 3 1 1 100%");
}

#[tokio::test]
async fn mails_tell_what_came_back_what_people_clicked_and_who_left() {
    let app = start().await;
    story(&app).await;
    let (nikki, _) = contact(&app, "nikki@acme.example").await;
    let (ana, _) = contact(&app, "ana@acme.example").await;
    let sent_at = app.now().plus_ms(-HOUR_MS);
    for (id, of) in [("m1", nikki), ("m2", nikki), ("m3", ana), ("m4", ana)] {
        row(
            &app,
            "insert into mails (id, message_id, template, recipient, contact_id, subject, text_body, html_body, transport,
                 sent_at, topic)
             values ($1, $1, 'golden', 'x@acme.example', $2, '', '', '', 'outbox', $3, 'newsletter')",
            params![id, of, sent_at],
        )
        .await;
    }
    row(
        &app,
        "insert into mail_feedback (source, told_id, kind, address, mail_id, at)
         values ('test', 'one', 'hard_bounce', 'digest', 'm4', $1)",
        params![sent_at],
    )
    .await;
    // Two clicks of a person in one mail are one mail that was clicked; a machine's is none.
    for (id, mail, verdict) in [("c1", "m1", "human"), ("c2", "m1", "human"), ("c3", "m2", "machine")] {
        row(
            &app,
            "insert into mail_clicks (id, mail_id, contact_id, link, address, at, signs, verdict, reasons)
             values ($1, $2, $3, 0, '', $4, '{}', $5, '[]')",
            params![id, mail, nikki, sent_at, verdict],
        )
        .await;
    }
    activity(&app, ana, "subscription.ended", "newsletter", json!({}), app.now().plus_ms(-MINUTE_MS)).await;
    let told_of = told(&app, "mail").await;
    let golden = &told_of["by_letter"]["golden"];
    let names = ["sent", "bounced", "delivered", "clicked", "unsubscribed", "complained"];
    assert_eq!(counts(golden, &names), [4, 1, 3, 1, 1, 0]);
    assert_eq!(golden["click_rate"], json!(0.3333));
    let only = told(&app, "mail?filter=campaign:autumn&filter=!source:bing").await;
    assert_eq!(only["by_letter"]["golden"]["sent"], json!(4), "both came by it");
    let none = told(&app, "mail?filter=campaign:spring").await;
    assert_eq!(none["by_letter"]["golden"], Value::Null);
}

#[tokio::test]
async fn health_tells_what_is_missing_of_whom() {
    let app = start().await;
    story(&app).await;
    let (nikki, _) = contact(&app, "nikki@acme.example").await;
    let now = app.now();
    for (id, email) in [
        ("0197a2b4-0000-7000-8000-00000000aa01", "jo.hn@other.example"),
        ("0197a2b4-0000-7000-8000-00000000aa02", "john+1@other.example"),
    ] {
        row(
            &app,
            "insert into contacts (id, email, stage, stage_since, created_at, updated_at, last_seen_at, likeness)
             values ($1, $2, 'lead', $3, $3, $3, $3, 'john@other.example')",
            params![id, email, now],
        )
        .await;
    }
    for (id, good_until) in [("k1", now.plus_ms(HOUR_MS)), ("k2", now.plus_ms(-HOUR_MS))] {
        row(
            &app,
            "insert into calendars (id, rep, kind, origin, sealed_url, url_digest, host, fetched_at, good_until, created_at)
             values ($1, 'mike', 'ics', 'file', '', $1, 'cal.example', $2, $3, $2)",
            params![id, now.plus_ms(-2 * HOUR_MS), good_until],
        )
        .await;
    }
    // She watched on a device that no visit is known of.
    row(
        &app,
        "insert into activities (id, contact_id, visitor_id, kind, subject, props, at)
         values ($1, $2, $3, 'recording.watched', 'short', '{}', $4)",
        params![ActivityId::new(), nikki, VisitorId::new(), now.plus_ms(-MINUTE_MS)],
    )
    .await;
    let told_of = told(&app, "health").await;
    let lack = |name: &str| counts(&told_of[name], &["lacking", "of"]);
    assert_eq!(lack("without_source"), [2, 5]);
    assert_eq!(lack("without_company"), [2, 5]);
    assert_eq!(lack("duplicates"), [2, 5]);
    assert_eq!(lack("stale_calendars"), [1, 2]);
    assert_eq!(lack("unknown_companies"), [1, 1]);
    // Five forms that were sent an hour after the visit, and what she watched.
    assert_eq!(lack("events_without_visit"), [6, 6]);
    assert_eq!(told_of["duplicates"]["rate"], json!(0.4));
    assert_eq!(lack("quarantine"), [0, 5]);
    assert_eq!(lack("suppressed"), [0, 5]);
    row(
        &app,
        "insert into form_quarantine (id, site, form, reason, sent, nonce, at)
         values ('q1', 'faro', 'white-paper', 'links', '{}', 'n1', $1)",
        params![now.plus_ms(-MINUTE_MS)],
    )
    .await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let john = Email::parse("jo.hn@other.example").expect("valid");
    let (keys, told_by) = (&app.app.keys, suppression::Told::HardBounce);
    suppression::take_note(&mut tx, keys, &john, ("test", "1"), told_by, (None, None), now)
        .await
        .expect("noted");
    tx.commit().await.expect("commits");
    let jobs = app.rows("select id from jobs where state = 'done'").await;
    let given_up: String = jobs[0].get("id").expect("an id");
    row(
        &app,
        "update jobs set state = 'dead', done_at = $2 where id = $1",
        params![given_up, now.plus_ms(-MINUTE_MS)],
    )
    .await;
    let told_of = told(&app, "health").await;
    let lack = |name: &str| counts(&told_of[name], &["lacking", "of"]);
    assert_eq!(lack("quarantine"), [1, 6]);
    assert_eq!(lack("suppressed"), [1, 5]);
    let dead = lack("dead_letters");
    assert!(dead[0] == 1 && dead[1] > 1, "{dead:?}");
    let file = ask(&app, "health?format=csv").await.expect(200).body;
    has(&file, "quarantine,1,6,0.1667\r\nsuppressed,1,5,0.2\r\ndead_letters,1,");
    let viewer = agent(&app, Role::Viewer).await;
    let text = words(&viewer.sees("/console/reports/health").await);
    has(&text, "Forms that were set apart and wait for a person 1 6 16.7%");
    let only = told(&app, "health?filter=company:acme.example").await;
    assert_eq!(counts(&only["without_company"], &["lacking", "of"]), [0, 3]);
}

#[tokio::test]
async fn the_share_of_what_was_given_up_is_the_same_after_those_that_were_done_are_not_kept_any_more() {
    let app = start().await;
    let now = app.now();
    let job = async |id: &str, state: &str, days: i64, minutes: i64, target: &str| {
        let at = now.plus_ms(-days * DAY_MS - minutes * MINUTE_MS);
        let done_at = (state != "ready").then_some(at);
        row(
            &app,
            "insert into jobs (id, kind, dedupe_key, payload, state, next_at, created_at, done_at, target)
             values ($1, 'notify', $1, '{}', $2, $3, $3, $5, $4)",
            params![id, state, at, target, done_at],
        )
        .await;
    };
    for (id, days) in [("a", 60), ("b", 60), ("c", 60), ("d", 45), ("e", 31), ("f", 2)] {
        job(id, "done", days, 0, "mail").await;
    }
    job("g", "dead", 60, 0, "mail").await;
    job("h", "dead", 2, 0, "mail").await;
    job("i", "dropped", 60, 0, "mail").await;
    let lack = async |question: &str| {
        let told = told(&app, question).await;
        (counts(&told["dead_letters"], &["lacking", "of"]), told["dead_letters_since"].clone())
    };
    let day = |days: i64| now.plus_ms(-days * DAY_MS).to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date();
    let questions = [
        format!("health?from={}", day(90)),
        format!("health?from={}&to={}", day(60), day(60)),
        format!("health?from={}&to={}", day(59), day(3)),
        format!("health?from={}&zone=Asia/Kathmandu", day(60)),
    ];
    let mut before = Vec::new();
    for question in &questions {
        before.push(lack(question).await);
    }
    assert_eq!(before[0], (vec![2, 8], Value::Null));
    assert_eq!(before[1], (vec![1, 4], Value::Null));
    assert_eq!(before[2], (vec![0, 2], Value::Null));
    for _ in 0..2 {
        embudo::jobs::queue::forget_done(&app.app.stores.db, now.plus_ms(-30 * DAY_MS))
            .await
            .expect("forgotten");
    }
    assert_eq!(app.rows("select id from jobs where state in ('done', 'dropped')").await.len(), 1);
    for (question, before) in questions.iter().zip(&before) {
        assert_eq!(&lack(question).await, before, "{question}");
    }
    // What an earlier release deleted without counting is unknown: neither side is told of that time, and it is said.
    let since = now.plus_ms(-50 * DAY_MS);
    row(&app, "update ended_jobs_since set at = $1", params![since]).await;
    assert_eq!(lack(&questions[0]).await, (vec![1, 4], json!(since)));
    submit(&app.visitor(), "white-paper", "nikki@acme.example").await;
    let viewer = agent(&app, Role::Viewer).await;
    let page = viewer.sees(&format!("/console/reports/health?from={}&to={}", day(90), day(0))).await;
    has(&words(&page), "(counted from");

    // What waits for CRMs, and how long the longest does.
    job("k", "ready", 0, 90, "crm:sales").await;
    job("l", "ready", -1, 0, "crm:sales").await;
    job("m", "dead", 1, 0, "crm:sales").await;
    let told = told(&app, "health").await;
    assert_eq!(counts(&told["crm_waiting"], &["lacking", "of"]), [1, 3]);
    assert_eq!(counts(&told["crm_given_up"], &["lacking", "of"]), [1, 3]);
    // The form was sent meanwhile, and the clock with it.
    let lag_ms = 90 * MINUTE_MS + now.since_ms(app.now()).abs();
    assert_eq!(told["crm_lag_ms"], json!(lag_ms));
    has(&ask(&app, "health?format=csv").await.expect(200).body, &format!("crm_lag_ms,{lag_ms},,"));
}

#[tokio::test]
async fn customers_are_lost_in_money_too_and_hand_overs_are_told_by_version_and_by_working_hours() {
    let app = start().await;
    story(&app).await;
    let now = app.now();
    let (nikki, _) = contact(&app, "nikki@acme.example").await;
    let (ana, _) = contact(&app, "ana@acme.example").await;
    row(&app, "delete from post_sale_intervals", &[]).await;
    row(&app, "delete from deal_people", &[]).await;
    let companies = app.rows("select id from companies where domain = 'acme.example'").await;
    let acme: String = companies[0].get("id").expect("an id");
    let deal = "0197a2b4-0000-7000-8000-00000000dd01";
    row(
        &app,
        "insert into deals (id, company_id, name, amount, currency, status, opened_at, closed_at)
         values ($1, $2, 'Circles', 240000, 'EUR', 'won', $3, $3)",
        params![deal, acme, now.plus_ms(-40 * DAY_MS)],
    )
    .await;
    let stood = async |who: ContactId, id: &str, state: &str, from: i64, to: Option<i64>| {
        row(
            &app,
            "insert into post_sale_intervals (id, contact_id, state, entered_at, left_at, actor, rule, reason, lifecycle_hash, evidence)
             values ($1, $2, $3, $4, $5, 'api', 'x', 'price', 'x', '{}')",
            params![
                id,
                who,
                state,
                now.plus_ms(from * DAY_MS),
                to.map(|days| now.plus_ms(days * DAY_MS))
            ],
        )
        .await;
    };
    for (n, who) in [nikki, ana].into_iter().enumerate() {
        let role = "insert into deal_people (deal_id, contact_id, role, at) values ($1, $2, 'user', $3)";
        row(&app, role, params![deal, who, now]).await;
        stood(who, &format!("s{n}"), "active", -40, (n == 0).then_some(-5)).await;
    }
    stood(nikki, "s9", "churned", -5, None).await;
    let from = now.plus_ms(-20 * DAY_MS).to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date();
    let told_of = told(&app, &format!("churn?from={from}")).await;
    assert_eq!((told_of["at_start"].clone(), told_of["lost"].clone()), (json!(2), json!(1)));
    assert_eq!(
        told_of["money"],
        json!([{"currency": "EUR", "customers": 2, "at_start": 240_000, "lost": 120_000, "churn_rate": 0.5}])
    );
    let file = ask(&app, &format!("churn?from={from}&format=csv")).await.expect(200).body;
    has(&file, ",,,,,,,EUR,2,240000,120000,0.5\r\n");
    let viewer = agent(&app, Role::Viewer).await;
    let page = words(&viewer.sees(&format!("/console/reports/churn?from={from}")).await);
    has(&page, "By what customers are worth");

    let told_of = told(&app, "acceptance").await;
    let version = &told_of["by_version"][0];
    assert_eq!((&version["version"], &version["hash"]), (&json!(1), &json!(app.app.lifecycle.hash)));
    assert_eq!(counts(version, &["handed_over", "accepted"]), counts(&told_of, &["handed_over", "accepted"]));
    let file = ask(&app, "acceptance?format=csv").await.expect(200).body;
    has(&file, &format!(",1,{}\r\n", app.app.lifecycle.hash));
    has(&words(&viewer.sees("/console/reports/acceptance").await), "By the version of the definition");

    let file = ask(&app, "response?format=csv").await.expect(200).body;
    has(&file, "p50_in_hours_ms,p90_in_hours_ms\r\n");
    has(&words(&viewer.sees("/console/reports/response").await), "In working hours, median");
}

/// What the reports about journeys tell of everybody.
async fn journeys(app: &TestApp) -> Value {
    let funnel = told(app, "funnel?within=30d").await;
    let reached: Vec<_> =
        funnel["total"].as_array().expect("steps").iter().map(|it| it["reached"].clone()).collect();
    let pace = told(app, "velocity?stage=sql").await;
    let stages = pace["stages"].as_array().expect("stages").iter();
    let paces: Vec<_> = stages
        .map(|stage| {
            let days = |lengths: &Value| lengths["p90"].as_i64().map(|ms| ms / DAY_MS);
            json!([stage["stage"], stage["latest"]["n"], days(&stage["latest"]), stage["open"]["n"]])
        })
        .collect();
    let credits = told(app, "attribution?stage=lead&by=campaign&model=first").await;
    let accepted = told(app, "acceptance").await;
    let churn = told(app, "churn").await;
    json!({
        "reached": reached,
        "pace": paces,
        "total": pace["total"]["n"],
        "leads": credits["conversions"],
        "handed_over": [accepted["handed_over"], accepted["accepted"], accepted["rejected"]],
        "customers": [churn["at_start"], churn["new"], churn["lost"], churn["lost_of_new"]],
    })
}

#[tokio::test]
async fn the_journey_of_two_contacts_who_are_one_is_told_once_and_twice_when_they_are_two_again() {
    let app = start().await;
    story(&app).await;
    let now = app.now();
    // Nikki was a lead at home two days before she came from work, and is an SQL there since yesterday; both are customers
    // by hand, for the sums.
    let home = app.visitor();
    submit(&home, "white-paper", "nikki@home.example").await;
    app.run_jobs().await;
    let (work, _) = contact(&app, "nikki@acme.example").await;
    let (home, _) = contact(&app, "nikki@home.example").await;
    row(&app, "delete from stage_intervals where contact_id = $1", params![home]).await;
    for (n, stage, from, to) in [(1, "lead", -6, Some(-3)), (2, "mql", -3, Some(-1)), (3, "sql", -1, None)] {
        row(
            &app,
            "insert into stage_intervals (id, contact_id, journey, stage, entered_at, left_at, actor, rule, lifecycle_hash,
                 evidence)
             values ($1, $2, 1, $3, $4, $5, 'rule', 'x', 'x', '{}')",
            params![
                format!("home{n}").as_str(),
                home,
                stage,
                now.plus_ms(from * DAY_MS),
                to.map(|days: i64| now.plus_ms(days * DAY_MS))
            ],
        )
        .await;
    }
    row(&app, "update contacts set stage = 'sql' where id = $1", params![home]).await;
    for (who, from) in [(work, -5), (home, -4)] {
        row(
            &app,
            "insert into post_sale_intervals (id, contact_id, state, entered_at, left_at, actor, rule, reason, lifecycle_hash,
                 evidence)
             values ($1, $1, 'active', $2, null, 'api', 'x', null, 'x', '{}')",
            params![who, now.plus_ms(from * DAY_MS)],
        )
        .await;
    }
    app.clock.advance(HOUR_MS);
    let two = journeys(&app).await;
    assert_eq!(two["reached"], json!([3, 4, 3, 3, 0, 0]));
    assert_eq!((&two["leads"], &two["handed_over"][0]), (&json!(4), &json!(3)));
    assert_eq!(two["customers"], json!([0, 2, 0, 0]));

    merge(&app, work, home).await;
    app.run_jobs().await;
    app.clock.advance(HOUR_MS);
    let one = journeys(&app).await;
    assert_eq!(one["reached"], json!([3, 3, 2, 2, 0, 0]), "each stage once");
    let pace = |told: &Value, stage: &str| {
        let paces = told["pace"].as_array().expect("a list").clone();
        paces.into_iter().find(|it| it[0] == stage).expect("it is there")
    };
    // As a lead for three days, and the time in which the other was a lead lies within what came after; as an SQL once.
    assert_eq!(pace(&one, "lead"), json!(["lead", 2, 3, 1]));
    assert_eq!(pace(&one, "sql"), json!(["sql", 1, 1, 1]), "nobody stays where she is no more");
    assert_eq!((&one["leads"], &one["total"]), (&json!(3), &json!(2)));
    assert_eq!(one["handed_over"][0], json!(2));
    assert_eq!(one["customers"], json!([0, 1, 0, 0]));

    unmerge(&app, home).await;
    app.run_jobs().await;
    assert_eq!(journeys(&app).await, two, "both are back");
}
