//! The reps' calendars: busy elsewhere, calls written into them, the feed, and invitations as calendar programs read them.

use std::sync::{Arc, Mutex};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use embudo::accounts::{self, NewAccount, Role};
use embudo::base::email::Email;
use embudo::base::ids::BookingId;
use embudo::base::language::Language;
use embudo::base::secret::Secret;
use embudo::base::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp, zone};
use embudo::bookings::calendars::busy::Reading;
use embudo::bookings::calendars::{self, Kind, Origin, Wanted, dav};
use embudo::bookings::slots::Span;
use embudo::bookings::{self, Desk, Outcome};
use serde_json::{Value, json};

use crate::support::answer::{Answer, Client};
use crate::support::app::{SITE, TestApp, repository, set};
use crate::support::radicale::{PASSWORD, Radicale, USER};
use crate::support::tools::python_says;

const NIKKI: &str = "nikki@acme.example";
const CONSOLE: &str = "a long enough password";

/// Tuesday 24 November 2026 by the clock of Madrid.
fn tuesday(clock: &str) -> i64 {
    format!("2026-11-24T{clock}:00+01:00").parse::<jiff::Timestamp>().expect("an instant").as_millisecond()
}

fn told(at: i64) -> String {
    Timestamp(at).to_jiff().strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn event(uid: &str, from: i64, to: i64) -> String {
    format!(
        "BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTART:{}\r\nDTEND:{}\r\nSUMMARY:dentist\r\nEND:VEVENT\r\n",
        told(from),
        told(to)
    )
}

fn file(events: &str) -> String {
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\n{events}END:VCALENDAR\r\n")
}

// ---- a calendar on the web ------------------------------------------------------------------------

#[derive(Default)]
struct Shown {
    status: u16,
    body: String,
    asked: Vec<Option<String>>,
}

/// A server that shows one file, whose mark is its length.
struct Web {
    url: String,
    shown: Arc<Mutex<Shown>>,
    server: ServerHandle,
}

impl Web {
    async fn start() -> Self {
        let shown = Arc::new(Mutex::new(Shown { status: 200, body: file(""), asked: vec![] }));
        let state = web::Data::new(shown.clone());
        let server =
            HttpServer::new(move || App::new().app_data(state.clone()).default_service(web::to(show)))
                .workers(1)
                .disable_signals()
                .bind(("127.0.0.1", 0))
                .expect("a free port");
        let url = format!("http://{}/private-0815/basic.ics", server.addrs()[0]);
        let running = server.run();
        let handle = running.handle();
        tokio::spawn(running);
        Self { url, shown, server: handle }
    }

    fn shows(&self, status: u16, body: String) {
        let mut shown = self.shown.lock().expect("no test panics in here");
        (shown.status, shown.body) = (status, body);
    }

    fn asked(&self) -> Vec<Option<String>> {
        self.shown.lock().expect("no test panics in here").asked.clone()
    }
}

async fn show(request: HttpRequest, state: web::Data<Arc<Mutex<Shown>>>) -> HttpResponse {
    let mut shown = state.lock().expect("no test panics in here");
    let known = request.headers().get("if-none-match").and_then(|mark| mark.to_str().ok()).map(str::to_owned);
    shown.asked.push(known.clone());
    let mark = format!("\"{}\"", shown.body.len());
    if shown.status == 200 && known.as_deref() == Some(mark.as_str()) {
        return HttpResponse::NotModified().finish();
    }
    let status = StatusCode::from_u16(shown.status).expect("a status");
    HttpResponse::build(status).insert_header(("etag", mark)).body(shown.body.clone())
}

// ---- the app --------------------------------------------------------------------------------------

/// An app with one rep, Mike, who works from 9 to 17 in Madrid and has these feeds.
async fn app_with(feeds: &[&str], more: impl FnOnce(&mut toml::Table)) -> TestApp {
    let folder = tempfile::tempdir().expect("a folder");
    let feeds = feeds.iter().map(|url| format!("\"{url}\"")).collect::<Vec<_>>().join(", ");
    let text = format!(
        "reps:\n  - {{id: mike, name: Mike Torres, account: mike@faro.example, zone: Europe/Madrid, languages: [en], \
         role: sdr, hours: {{weekdays: 09:00-17:00}}, calendars: [{feeds}]}}\n  \
         - {{id: ana, name: Ana, account: ana@faro.example, zone: Europe/Madrid, languages: [en], role: ae, \
         hours: {{weekdays: 09:00-17:00}}}}\n\
         meetings:\n  - {{id: call, title: Call, description: A call, location: here, duration: 60m, interval: 60m, \
         notice: 0m, window: 30d, reps: [mike]}}\n"
    );
    let team = folder.path().join("team.yaml");
    std::fs::write(&team, text).expect("written");
    std::fs::create_dir(folder.path().join("flows")).expect("a folder");
    TestApp::start_with_mail_and(|settings| {
        set(settings, "definitions", "team", team.display().to_string());
        set(settings, "definitions", "flows", folder.path().join("flows").display().to_string());
        set(settings, "outbound", "allow", vec!["127.0.0.0/8"]);
        more(settings);
    })
    .await
}

async fn app(feeds: &[&str]) -> TestApp {
    app_with(feeds, |_| {}).await
}

/// The hours of Tuesday at which a call can begin.
async fn free(app: &TestApp) -> Vec<i64> {
    let slots = app.get("/v1/slots?meeting=call&zone=Europe/Madrid").await.expect_json(200);
    let starts =
        slots["slots"].as_array().expect("a list").iter().filter_map(|slot| slot["starts_at"].as_i64());
    starts.filter(|at| (tuesday("00:00")..tuesday("23:00")).contains(at)).collect()
}

async fn book(app: &TestApp, starts_at: i64) -> Answer {
    let wish = json!({
        "site": "faro", "meeting": "call", "starts_at": starts_at, "zone": "Europe/Madrid", "language": "en",
        "name": "Nikki Grant", "email": NIKKI, "notes": "We are 120 people.",
    });
    app.client.with("origin", SITE).post("/v1/bookings", &wish).await
}

async fn the_booking(app: &TestApp) -> bookings::Booking {
    let rows = app.rows("select id from bookings where state in ('confirmed', 'cancelled')").await;
    let id: BookingId = rows.first().expect("a booking").get("id").expect("an id");
    bookings::find(&mut app.app.stores.db.read(), id).await.expect("found")
}

async fn hire(app: &TestApp, email: &str, role: Role) {
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let new = NewAccount { email, name: "Somebody", role, language: Language::En, password: CONSOLE };
    accounts::add(&mut tx, &new, app.now()).await.expect("added");
    tx.commit().await.expect("commits");
}

/// Somebody in the console: her client, and the token that her forms carry.
async fn log_in(app: &TestApp, email: &str) -> (Client, String) {
    let fields = [("email", email), ("password", CONSOLE), ("next", "/console")];
    let answer = app.client.submit("/console/login", &fields).await.expect(303);
    let client = app.client.with("cookie", answer.header("set-cookie").split(';').next().expect("a cookie"));
    let page = client.get("/console").await.expect(200).body;
    let csrf = page.split("name=\"csrf\" content=\"").nth(1).and_then(|rest| rest.split('"').next());
    (client, csrf.expect("every page has the token").to_owned())
}

// ---- busy elsewhere -------------------------------------------------------------------------------

#[tokio::test]
async fn an_hour_that_is_taken_elsewhere_is_neither_offered_nor_booked() {
    let web = Web::start().await;
    web.shows(200, file(&event("1", tuesday("10:00"), tuesday("11:30"))));
    let app = app(&[&web.url]).await;
    app.run_jobs().await;
    let free = free(&app).await;
    assert!(free.contains(&tuesday("09:00")) && free.contains(&tuesday("12:00")), "{free:?}");
    assert!(!free.contains(&tuesday("10:00")) && !free.contains(&tuesday("11:00")), "{free:?}");
    let refused = book(&app, tuesday("11:00")).await.expect_problem(409, "booking.slot_taken");
    assert_eq!(refused["alternatives"].as_array().map(Vec::len), Some(3), "{refused}");
    book(&app, tuesday("12:00")).await.expect(201);
    web.server.stop(false).await;
}

#[tokio::test]
async fn whoever_has_a_calendar_that_was_never_read_cannot_be_booked() {
    let web = Web::start().await;
    web.shows(500, String::new());
    let app = app(&[&web.url]).await;
    app.run_jobs().await;
    assert!(free(&app).await.is_empty());
    book(&app, tuesday("12:00")).await.expect_problem(409, "booking.slot_taken");
    // An hour later somebody hears of it, once.
    for _ in 0..8 {
        app.later(HOUR_MS / 4).await;
    }
    let told = app.inbox().mails_to("mike@faro.example");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].text.contains("never been able to read"), "{}", told[0].text);
    web.shows(200, file(""));
    app.later(HOUR_MS).await;
    assert_eq!(free(&app).await.len(), 8);
    web.server.stop(false).await;
}

#[tokio::test]
async fn what_a_calendar_said_is_believed_for_a_day_and_then_its_rep_is_busy_and_hears_of_it_once() {
    let web = Web::start().await;
    let app = app(&[&web.url]).await;
    hire(&app, "mike@faro.example", Role::Sdr).await;
    hire(&app, "boss@faro.example", Role::Admin).await;
    app.run_jobs().await;
    let begun = app.now();
    web.shows(503, String::new());
    while app.now().since_ms(begun) < 23 * HOUR_MS {
        app.later(HOUR_MS).await;
    }
    assert!(!free(&app).await.is_empty(), "still believed");
    let (boss, _) = log_in(&app, "boss@faro.example").await;
    let today = boss.get("/console").await.expect(200).body;
    assert!(today.contains("One calendar cannot be read. What it said last still counts."));
    assert_eq!(app.count("notifications").await, 0);
    while app.now().since_ms(begun) < 26 * HOUR_MS {
        app.later(HOUR_MS / 2).await;
    }
    assert!(free(&app).await.is_empty());
    let lines = app.rows("select title, body from notifications where kind = 'calendar_stale'").await;
    assert_eq!(lines.len(), 2, "the rep and the administrator");
    let title: String = lines[0].get("title").expect("a text");
    assert_eq!(title, "Mike Torres cannot be booked");
    let mails = app.inbox().mails_to("mike@faro.example");
    assert_eq!(mails.iter().filter(|mail| mail.subject.starts_with("Nobody can book you")).count(), 1);
    assert!(!mails.iter().any(|mail| mail.text.contains("private-0815")), "the address is a secret");
    let (boss, _) = log_in(&app, "boss@faro.example").await;
    let today = boss.get("/console").await.expect(200).body;
    assert!(today.contains("One calendar could not be read for too long"), "{today}");
    assert!(today.contains("href=\"/console/calendars\""), "and where to look");

    web.shows(200, file(""));
    app.later(HOUR_MS).await;
    assert!(!free(&app).await.is_empty(), "it comes back by itself");
    let today = boss.get("/console").await.expect(200).body;
    assert!(!today.contains("calendar could not be read"));
    web.server.stop(false).await;
}

#[tokio::test]
async fn the_calendar_of_whoever_left_the_file_is_let_be_until_she_is_back() {
    let web = Web::start().await;
    web.shows(200, file(&event("1", tuesday("10:00"), tuesday("11:00"))));
    let app = app(&[]).await;
    hire(&app, "boss@faro.example", Role::Admin).await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    for (rep, address) in [("mike", web.url.clone()), ("eva", format!("{}?eva", web.url))] {
        let wanted = Wanted {
            rep,
            kind: Kind::Ics,
            origin: Origin::Console,
            address: &address,
            login: None,
            password: None,
            is_written: false,
        };
        calendars::connect(&mut tx, &app.app.keys, &wanted, app.now()).await.expect("connected");
    }
    tx.commit().await.expect("commits");
    let begun = app.now();
    while app.now().since_ms(begun) < 30 * HOUR_MS {
        app.later(HOUR_MS / 2).await;
    }
    let rows = app.rows("select rep, fetched_at, fault, good_until from calendars order by rep").await;
    let read = |at: usize| rows[at].get::<Option<Timestamp>>("fetched_at").expect("a time");
    assert!(read(0).is_none() && read(1).is_some(), "Eva's is not asked: {rows:?}");
    assert_eq!(rows[0].get::<Option<String>>("fault").expect("a text"), None);
    let (boss, _) = log_in(&app, "boss@faro.example").await;
    let today = boss.get("/console").await.expect(200).body;
    assert!(!today.contains("calendar c"), "nobody is troubled by it: {today}");
    assert_eq!(app.count("notifications").await, 0);
    // As soon as she is back she is busy until it was read.
    let around = Span::new(Timestamp(tuesday("00:00")), Timestamp(tuesday("00:00") + DAY_MS));
    let busy = calendars::busy_elsewhere(&mut app.app.stores.db.read(), around, app.now()).await;
    assert!(busy.expect("read").contains(&("eva".to_owned(), around)));
    web.server.stop(false).await;
}

#[tokio::test]
async fn a_calendar_that_says_something_we_do_not_understand_keeps_what_it_said_before() {
    let web = Web::start().await;
    web.shows(200, file(&event("1", tuesday("10:00"), tuesday("11:00"))));
    let app = app(&[&web.url]).await;
    app.run_jobs().await;
    for broken in [
        file("BEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=Middle Earth:20261124T090000\r\nEND:VEVENT\r\n"),
        "<html>Log in</html>".to_owned(),
        file(&event("1", tuesday("12:00"), tuesday("13:00"))).replace("END:VCALENDAR\r\n", ""),
        "x".repeat(11 * 1024 * 1024),
    ] {
        web.shows(200, broken);
        app.later(HOUR_MS).await;
        let free = free(&app).await;
        assert!(!free.contains(&tuesday("10:00")) && free.contains(&tuesday("12:00")), "{free:?}");
    }
    let faults = app.rows("select fault, failures from calendars").await;
    assert_eq!(faults[0].get::<String>("fault").expect("a word"), "too_large");
    assert_eq!(faults[0].get::<i64>("failures").expect("a number"), 4);
    web.server.stop(false).await;
}

#[tokio::test]
async fn a_calendar_that_has_not_changed_is_not_read_again_but_once_a_day() {
    let web = Web::start().await;
    web.shows(200, file(&event("1", tuesday("10:00"), tuesday("11:00"))));
    let app = app(&[&web.url]).await;
    app.run_jobs().await;
    for _ in 0..3 {
        app.later(10 * MINUTE_MS).await;
    }
    let asked = web.asked();
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert!(asked[0].is_none() && asked[1..].iter().all(Option::is_some), "{asked:?}");
    assert!(!free(&app).await.contains(&tuesday("10:00")), "what it said is kept");
    app.clock.advance(DAY_MS);
    app.run_jobs().await;
    assert_eq!(web.asked().last(), Some(&None));
    web.server.stop(false).await;
}

#[tokio::test]
async fn our_own_calls_in_a_feed_do_not_stand_in_their_own_way() {
    let web = Web::start().await;
    let app = app(&[&web.url]).await;
    app.run_jobs().await;
    book(&app, tuesday("10:00")).await.expect(201);
    let booking = the_booking(&app).await;
    let ours = format!("{}@{}", booking.id, app.app.desk.from.domain());
    web.shows(200, file(&event(&ours, tuesday("10:00"), tuesday("11:00"))));
    app.later(HOUR_MS).await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let desk = Desk { team: &app.app.team, lifecycle: &app.app.lifecycle };
    bookings::cancel(&mut tx, desk, booking.id, None, app.now()).await.expect("cancelled");
    tx.commit().await.expect("commits");
    assert!(
        free(&app).await.contains(&tuesday("10:00")),
        "cancelled here, it is free whatever the feed still says"
    );
    web.server.stop(false).await;
}

#[tokio::test]
async fn a_feed_in_a_private_network_is_not_reached_unless_the_operator_permits_it() {
    let web = Web::start().await;
    let app =
        app_with(&[&web.url], |settings| set(settings, "outbound", "allow", Vec::<String>::new())).await;
    app.run_jobs().await;
    assert!(web.asked().is_empty());
    let faults = app.rows("select fault from calendars").await;
    assert_eq!(faults[0].get::<String>("fault").expect("a word"), "private");
    web.server.stop(false).await;
}

// ---- compared with others -------------------------------------------------------------------------

/// Rules of repetition, each with the first day of its series.
const RULES: &[(&str, &str)] = &[
    ("", "20261105"),
    ("FREQ=DAILY", "20251001"),
    ("FREQ=DAILY;INTERVAL=3", "20250101"),
    ("FREQ=DAILY;COUNT=400", "20251001"),
    ("FREQ=DAILY;UNTIL=20261120T120000Z", "20261020"),
    ("FREQ=DAILY;BYMONTH=3,10", "20261001"),
    ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "20261005"),
    ("FREQ=WEEKLY", "20260325"),
    ("FREQ=WEEKLY;BYDAY=MO,WE,FR", "20261005"),
    ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH", "20261006"),
    ("FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=SU,TU", "20261004"),
    ("FREQ=WEEKLY;INTERVAL=5;COUNT=7;BYDAY=SA", "20261003"),
    ("FREQ=MONTHLY", "20260131"),
    ("FREQ=MONTHLY;BYMONTHDAY=1,15,-1", "20260901"),
    ("FREQ=MONTHLY;BYDAY=2TU", "20261013"),
    ("FREQ=MONTHLY;BYDAY=-1FR", "20261030"),
    ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "20261030"),
    ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "20261113"),
    ("FREQ=MONTHLY;INTERVAL=2;COUNT=5;BYDAY=1SU,3SU", "20261004"),
    ("FREQ=YEARLY", "20201128"),
    ("FREQ=YEARLY", "20200229"),
    ("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", "20201126"),
    ("FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU", "20210328"),
    ("FREQ=YEARLY;BYMONTHDAY=25;BYMONTH=12", "20201225"),
    ("FREQ=YEARLY;INTERVAL=2;COUNT=4", "20221010"),
];

/// Zones whose clocks change within the window in all manners, one that only Windows knows, and whole days.
const ZONES: &[&str] = &[
    "Europe/Madrid",
    "America/New_York",
    "America/Vancouver",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Pacific/Chatham",
    "UTC",
    "",
    "Romance Standard Time",
    "day",
];

fn corpus() -> Vec<(String, String)> {
    let mut corpus = Vec::new();
    for (rule, first) in RULES {
        for zone in ZONES {
            // A quarter of an hour, so that no end lies beyond a change of clocks: Python adds lengths on the wall clock.
            for (time, minutes) in [("013000", 15), ("090000", 60)] {
                let (start, length) = match *zone {
                    "day" if time == "013000" => {
                        (format!("DTSTART;VALUE=DATE:{first}"), "DURATION:P2D".to_owned())
                    }
                    "day" => (format!("DTSTART;VALUE=DATE:{first}"), String::new()),
                    "UTC" => (format!("DTSTART:{first}T{time}Z"), format!("DURATION:PT{minutes}M")),
                    "" => (format!("DTSTART:{first}T{time}"), format!("DURATION:PT{minutes}M")),
                    zone => (format!("DTSTART;TZID={zone}:{first}T{time}"), format!("DURATION:PT{minutes}M")),
                };
                // The end of a series is written as its beginning is (RFC 5545, 3.3.10).
                let rule = match *zone {
                    "day" => rule.replace("T120000Z", ""),
                    "" => rule.replace("T120000Z", "T120000"),
                    _ => (*rule).to_owned(),
                };
                let rule = if rule.is_empty() { rule } else { format!("RRULE:{rule}\r\n") };
                let length = if length.is_empty() { length } else { format!("{length}\r\n") };
                let text = file(&format!(
                    "BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\n{start}\r\n{length}{rule}END:VEVENT\r\n"
                ));
                corpus.push((format!("{rule} in `{zone}` at {time}"), text));
            }
        }
    }
    for entry in std::fs::read_dir(repository("tests/it/fixtures/calendars")).expect("the corpus") {
        let path = entry.expect("readable").path();
        corpus.push((path.display().to_string(), std::fs::read_to_string(&path).expect("a text")));
    }
    corpus
}

#[test]
fn what_a_calendar_says_is_what_libraries_of_others_find_in_it() {
    let corpus = corpus();
    assert!(corpus.len() > 600, "{}", corpus.len());
    let (from, to) = (tuesday("00:00") - 40 * DAY_MS, tuesday("00:00") + 150 * DAY_MS);
    let owner = Email::parse("mike@faro.example").expect("an address");
    let madrid = zone("Europe/Madrid").expect("bundled");
    let reading = Reading {
        window: Span::new(Timestamp(from), Timestamp(to)),
        zone: &madrid,
        owner: &owner,
        own_domain: "faro.example",
        counts_tentative: true,
    };
    let files: Vec<&str> = corpus.iter().map(|(_, text)| text.as_str()).collect();
    let asked = json!({ "zone": "Europe/Madrid", "from": from, "to": to, "files": files });
    let theirs = python_says("calendar_busy.py", asked.to_string().as_bytes());
    let mut different = Vec::new();
    for ((name, text), theirs) in corpus.iter().zip(theirs.as_array().expect("a list")) {
        let ours = reading.busy(&[text]).unwrap_or_else(|fault| panic!("{name}: {fault:?}"));
        let ours = ours.iter().map(|span| (span.from.as_ms(), span.to.as_ms()));
        let theirs = theirs.as_array().into_iter().flatten();
        let theirs = theirs.filter_map(|span| Some((span[0].as_i64()?, span[1].as_i64()?)));
        // Not at the edges of what was asked for: there the library compares days with instants.
        let inside = |(begin, end): (i64, i64)| {
            let span = (begin.max(from + 2 * DAY_MS), end.min(to - 2 * DAY_MS));
            (span.0 < span.1).then_some(span)
        };
        let (ours, theirs): (Vec<_>, Vec<_>) =
            (ours.filter_map(inside).collect(), theirs.filter_map(inside).collect());
        if ours != theirs {
            let first = ours.iter().zip(&theirs).find(|(ours, theirs)| ours != theirs);
            different.push(format!("{name}: {first:?}\n"));
        }
    }
    assert!(different.is_empty(), "{} of {}:\n{}", different.len(), corpus.len(), different.concat());
}

// ---- the feed -------------------------------------------------------------------------------------

#[tokio::test]
async fn a_reps_calls_are_a_feed_that_changes_only_when_they_do_and_can_be_revoked() {
    let app = app(&[]).await;
    hire(&app, "mike@faro.example", Role::Sdr).await;
    let (mike, csrf) = log_in(&app, "mike@faro.example").await;
    let path = async || {
        let page = mike.get("/console/calendars").await.expect(200).body;
        let at = page.find("/cal/")?;
        Some(page[at..].split('<').next().expect("an address").to_owned())
    };
    assert_eq!(path().await, None, "nobody has one who did not ask");
    let order = async |what: &str| {
        let fields = [("csrf", csrf.as_str()), ("what", what)];
        mike.submit("/console/calendars/mike/feed", &fields).await.expect(303);
    };
    order("renew").await;
    let first = path().await.expect("an address");
    book(&app, tuesday("10:00")).await.expect(201);
    app.run_jobs().await;

    let feed = app.get(&first).await.expect(200);
    assert!(feed.header("content-type").starts_with("text/calendar"));
    let read = python_says("calendar_read.py", feed.body.as_bytes());
    let call = &read["events"][0];
    assert_eq!(read["events"].as_array().map(Vec::len), Some(1), "{read}");
    assert_eq!(
        (call["starts_at"].as_i64(), call["ends_at"].as_i64()),
        (Some(tuesday("10:00")), Some(tuesday("11:00")))
    );
    assert_eq!(call["summary"], "Call: Nikki Grant");
    for secret in [NIKKI, "120 people"] {
        assert!(!feed.body.contains(secret), "{secret} stays in the console");
    }
    let etag = feed.header("etag").to_owned();
    app.clock.advance(HOUR_MS);
    let same = app.client.with("if-none-match", &etag).get(&first).await.expect(304);
    assert!(same.body.is_empty());
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let desk = Desk { team: &app.app.team, lifecycle: &app.app.lifecycle };
    bookings::cancel(&mut tx, desk, the_booking(&app).await.id, None, app.now()).await.expect("cancelled");
    tx.commit().await.expect("commits");
    let gone = app.client.with("if-none-match", &etag).get(&first).await.expect(200);
    assert!(!gone.body.contains("BEGIN:VEVENT"));

    order("renew").await;
    let second = path().await.expect("an address");
    app.get(&first).await.expect_problem(404, "calendar.unknown");
    app.get(&second).await.expect(200);
    for forged in ["/cal/x.ics".to_owned(), "/cal/.ics".to_owned(), second.replace(".ics", "x.ics")] {
        assert_eq!(app.get(&forged).await.status, 404, "{forged}");
    }
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let closed = accounts::disable(&mut tx, "mike@faro.example", app.now()).await.expect("closed");
    tx.commit().await.expect("commits");
    app.get(&second).await.expect_problem(404, "calendar.unknown");
    assert_eq!(app.client.with("if-none-match", &etag).get(&second).await.status, 404);
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    accounts::people::take_back(&mut tx, closed.id).await.expect("open again");
    tx.commit().await.expect("commits");
    app.get(&second).await.expect(200);
    let (mike, csrf) = log_in(&app, "mike@faro.example").await;
    mike.submit("/console/calendars/mike/feed", &[("csrf", csrf.as_str()), ("what", "revoke")])
        .await
        .expect(303);
    app.get(&second).await.expect(404);
}

// ---- the console ----------------------------------------------------------------------------------

#[tokio::test]
async fn a_rep_connects_reads_and_disconnects_a_calendar_of_her_own_and_of_nobody_else() {
    let web = Web::start().await;
    web.shows(200, file(&event("1", tuesday("10:00"), tuesday("11:00"))));
    let app = app(&[]).await;
    hire(&app, "mike@faro.example", Role::Sdr).await;
    hire(&app, "ana@faro.example", Role::Ae).await;
    let (mike, csrf) = log_in(&app, "mike@faro.example").await;
    let connect = async |client: &Client, csrf: &str, address: &str| {
        let fields = [
            ("csrf", csrf),
            ("kind", "ics"),
            ("address", address),
            ("login", "mike"),
            ("password", "pa55word-x"),
        ];
        client.submit("/console/calendars/mike/connect", &fields).await
    };
    for wrong in ["", "ftp://x.example/", "javascript:alert(1)", "https://a:b@x.example/", "not an address"] {
        let page = connect(&mike, &csrf, wrong).await.expect(422).body;
        assert!(page.contains("Write the address as https://"), "{wrong}");
        assert!(!page.contains("pa55word-x"), "a password is never shown");
    }
    connect(&mike, &csrf, &web.url).await.expect(303);
    assert!(free(&app).await.is_empty(), "until it is read nobody knows");
    app.run_jobs().await;
    assert!(!free(&app).await.contains(&tuesday("10:00")));
    assert!(connect(&mike, &csrf, &web.url).await.expect(422).body.contains("connected already"));

    let page = mike.get("/console/calendars").await.expect(200).body;
    assert!(
        page.contains("127.0.0.1") && page.contains("Is read") && !page.contains("private-0815"),
        "{page}"
    );
    let rows = app.rows("select * from calendars").await;
    let kept = format!("{rows:?}");
    assert!(!kept.contains("pa55word-x") && !kept.contains("private-0815"), "sealed");
    let id: String = rows[0].get("id").expect("an id");

    // Ana may neither see nor touch it.
    let (ana, her_csrf) = log_in(&app, "ana@faro.example").await;
    assert!(!ana.get("/console/calendars").await.expect(200).body.contains("127.0.0.1"));
    connect(&ana, &her_csrf, "https://x.example/").await.expect(404);
    for path in [
        format!("mike/{id}/remove"),
        format!("ana/{id}/remove"),
        format!("ana/{id}/refresh"),
        "mike/feed".to_owned(),
    ] {
        let fields = [("csrf", her_csrf.as_str()), ("what", "renew")];
        ana.submit(&format!("/console/calendars/{path}"), &fields).await.expect(404);
    }
    assert_eq!(app.count("calendars").await, 1);

    let before = web.asked().len();
    mike.submit(&format!("/console/calendars/mike/{id}/refresh"), &[("csrf", csrf.as_str())])
        .await
        .expect(303);
    app.run_jobs().await;
    assert_eq!(web.asked().len(), before + 1, "read at once");
    mike.submit(&format!("/console/calendars/mike/{id}/remove"), &[("csrf", csrf.as_str())])
        .await
        .expect(303);
    assert!(free(&app).await.contains(&tuesday("10:00")));
    assert_eq!(app.count("calendar_busy").await, 0);
    web.server.stop(false).await;
}

// ---- a CalDAV server ------------------------------------------------------------------------------

async fn connect(app: &TestApp, radicale: &Radicale, password: &str) {
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let wanted = Wanted {
        rep: "mike",
        kind: Kind::CalDav,
        origin: Origin::Console,
        address: &radicale.url,
        login: Some(USER),
        password: Some(&Secret::new(password)),
        is_written: true,
    };
    calendars::connect(&mut tx, &app.app.keys, &wanted, app.now()).await.expect("connected");
    tx.commit().await.expect("commits");
    app.run_jobs().await;
}

#[tokio::test]
async fn a_caldav_server_says_when_its_owner_is_busy() {
    let app = app(&[]).await;
    let radicale = Radicale::start(app.folder()).await;
    let daily = file(
        "BEGIN:VEVENT\r\nUID:stand-up\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;TZID=Europe/Madrid:20260105T090000\r\n\
         DTEND;TZID=Europe/Madrid:20260105T093000\r\nRRULE:FREQ=WEEKLY;BYDAY=MO,TU\r\nSUMMARY:Stand & up\r\nEND:VEVENT\r\n",
    );
    assert_eq!(radicale.send("PUT", "stand-up.ics", Some(daily)).await.0, 201);
    connect(&app, &radicale, PASSWORD).await;
    let free_then = free(&app).await;
    assert!(!free_then.contains(&tuesday("09:00")) && free_then.contains(&tuesday("10:00")), "{free_then:?}");
    // Where it shows no events, it is asked only when somebody is busy.
    let window = Span::new(Timestamp(tuesday("00:00")), Timestamp(tuesday("00:00") + DAY_MS));
    let (status, answer) = radicale.send("REPORT", "", Some(dav::free_busy_query(window))).await;
    assert_eq!(status, 200, "{answer}");
    let (madrid, owner) =
        (zone("Europe/Madrid").expect("bundled"), Email::parse("mike@faro.example").expect("one"));
    let reading =
        Reading { window, zone: &madrid, owner: &owner, own_domain: "faro.example", counts_tentative: true };
    let half_an_hour = Span::new(Timestamp(tuesday("09:00")), Timestamp(tuesday("09:30")));
    assert_eq!(reading.busy(&[answer]), Ok(vec![half_an_hour]));

    assert_eq!(radicale.send("DELETE", "stand-up.ics", None).await.0, 200);
    app.later(HOUR_MS).await;
    assert!(free(&app).await.contains(&tuesday("09:00")));
}

/// A CalDAV server that shows nobody's events, and says when its owner is busy if it is asked for that (RFC 4791, 7.10).
async fn only_busy(
    request: HttpRequest,
    body: String,
    state: web::Data<Arc<Mutex<Vec<String>>>>,
) -> HttpResponse {
    let asks_for_busy = body.contains("free-busy-query");
    let what = if asks_for_busy { "busy" } else { "events" };
    state.lock().expect("no test panics in here").push(format!("{} {what}", request.method()));
    if !asks_for_busy {
        return HttpResponse::Forbidden().finish();
    }
    HttpResponse::Ok().content_type("text/calendar").body(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nBEGIN:VFREEBUSY\r\nDTSTAMP:20261123T090000Z\r\n\
         DTSTART:20261101T000000Z\r\nDTEND:20271201T000000Z\r\n\
         FREEBUSY;FBTYPE=BUSY:20261124T090000Z/PT1H,20261124T120000Z/20261124T130000Z\r\n\
         FREEBUSY;FBTYPE=FREE:20261124T140000Z/PT1H\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n",
    )
}

#[tokio::test]
async fn a_server_that_shows_no_events_is_asked_when_its_owner_is_busy() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let state = web::Data::new(asked.clone());
    let server =
        HttpServer::new(move || App::new().app_data(state.clone()).default_service(web::to(only_busy)))
            .workers(1)
            .disable_signals()
            .bind(("127.0.0.1", 0))
            .expect("a free port");
    let url = format!("http://{}/mike/", server.addrs()[0]);
    let running = server.run();
    let handle = running.handle();
    tokio::spawn(running);

    let app = app(&[]).await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let wanted = Wanted {
        rep: "mike",
        kind: Kind::CalDav,
        origin: Origin::Console,
        address: &url,
        login: None,
        password: None,
        is_written: false,
    };
    calendars::connect(&mut tx, &app.app.keys, &wanted, app.now()).await.expect("connected");
    tx.commit().await.expect("commits");
    app.later(HOUR_MS).await;
    let calls = asked.lock().expect("no test panics in here").clone();
    assert_eq!(calls.first().map(String::as_str), Some("REPORT events"));
    assert_eq!(calls.get(1).map(String::as_str), Some("REPORT busy"));
    let free = free(&app).await;
    // Ten and one o'clock in Madrid are taken; what it calls free is free.
    for (hour, is_free) in
        [("09:00", true), ("10:00", false), ("11:00", true), ("13:00", false), ("15:00", true)]
    {
        assert_eq!(free.contains(&tuesday(hour)), is_free, "{hour}");
    }
    handle.stop(false).await;
}

/// The zone names of Windows are those of the Unicode CLDR, as a library of others carries them.
#[test]
fn every_name_that_windows_has_for_a_zone_means_the_zone_that_the_cldr_says() {
    let names = python_says("windows_zones.py", b"");
    let names = names.as_object().expect("an object");
    assert!(names.len() > 130, "{}", names.len());
    let owner = Email::parse("mike@faro.example").expect("one");
    let utc = zone("UTC").expect("bundled");
    // A whole year, so that summer and winter and the changes between them count.
    let window = Span::new(Timestamp(tuesday("00:00")), Timestamp(tuesday("00:00") + 366 * DAY_MS));
    let reading =
        Reading { window, zone: &utc, owner: &owner, own_domain: "faro.example", counts_tentative: true };
    let busy = |name: &str| {
        let text = file(&format!(
            "BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;TZID={name}:20261125T120000\r\n\
             DURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=360\r\nEND:VEVENT\r\n"
        ));
        reading.busy(&[text])
    };
    let wrong: Vec<String> = names
        .iter()
        .filter_map(|(name, meant)| {
            let meant = meant.as_str().expect("a name");
            let (found, wanted) = (busy(name), busy(meant));
            let is_right = found == wanted && found.is_ok_and(|spans| spans.len() == 360);
            (!is_right).then(|| format!("{name}: not as {meant}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_password_that_is_refused_is_told_and_closes() {
    let app = app(&[]).await;
    let radicale = Radicale::start(app.folder()).await;
    connect(&app, &radicale, "wrong").await;
    assert!(free(&app).await.is_empty());
    let rows = app.rows("select fault from calendars").await;
    assert_eq!(rows[0].get::<String>("fault").expect("a word"), "login");
}

#[tokio::test]
async fn a_call_is_written_into_the_calendar_moved_in_it_and_taken_out() {
    let app = app(&[]).await;
    let radicale = Radicale::start(app.folder()).await;
    connect(&app, &radicale, PASSWORD).await;
    book(&app, tuesday("10:00")).await.expect(201);
    app.run_jobs().await;
    let seen = |text: String| python_says("calendar_read.py", text.as_bytes())["events"].clone();
    let events = seen(radicale.everything().await);
    assert_eq!(events.as_array().map(Vec::len), Some(1), "{events}");
    assert_eq!(events[0]["starts_at"], tuesday("10:00"));
    assert_eq!(events[0]["organizer"], "", "the server has nobody to write to");
    let booking = the_booking(&app).await;
    assert_eq!(events[0]["uid"], format!("{}@{}", booking.id, app.app.desk.from.domain()));
    // What we wrote does not block a second time.
    app.later(HOUR_MS).await;

    // The owner changes it; the call's own time holds all the same.
    let name = format!("{}.ics", booking.id);
    let other = file(&event(events[0]["uid"].as_str().expect("a name"), tuesday("15:00"), tuesday("16:00")));
    let (status, _) = radicale
        .send("PUT", &name, Some(other.replace("SUMMARY", "DTSTAMP:20260101T000000Z\r\nSUMMARY")))
        .await;
    assert!(status.is_success(), "{status}");
    let desk = Desk { team: &app.app.team, lifecycle: &app.app.lifecycle };
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    bookings::reschedule(&mut tx, desk, booking.id, Timestamp(tuesday("10:00") + DAY_MS), app.now())
        .await
        .expect("moved");
    tx.commit().await.expect("commits");
    app.run_jobs().await;
    let events = seen(radicale.everything().await);
    assert_eq!(events.as_array().map(Vec::len), Some(1), "{events}");
    assert_eq!(events[0]["starts_at"], tuesday("10:00") + DAY_MS);
    assert_eq!(events[0]["sequence"], 1);

    let mut tx = app.app.stores.db.begin().await.expect("begins");
    bookings::cancel(&mut tx, desk, booking.id, None, app.now()).await.expect("cancelled");
    tx.commit().await.expect("commits");
    app.run_jobs().await;
    assert_eq!(seen(radicale.everything().await).as_array().map(Vec::len), Some(0));
    assert_eq!(app.count("calendar_writes").await, 0);
    assert!(app.rows("select id from jobs where state = 'dead'").await.is_empty());
}

#[tokio::test]
async fn while_the_server_is_down_calls_are_booked_all_the_same_and_stand_there_once_when_it_is_back() {
    let app = app(&[]).await;
    let mut radicale = Radicale::start(app.folder()).await;
    connect(&app, &radicale, PASSWORD).await;
    radicale.down();
    book(&app, tuesday("10:00")).await.expect(201);
    app.later(10 * MINUTE_MS).await;
    radicale.up();
    app.later(2 * MINUTE_MS).await;
    app.later(HOUR_MS).await;
    let events = python_says("calendar_read.py", radicale.everything().await.as_bytes())["events"].clone();
    assert_eq!(events.as_array().map(Vec::len), Some(1), "{events}");
}

#[tokio::test]
async fn of_somebody_who_is_erased_nothing_stays_in_a_calendar() {
    let app = app(&[]).await;
    let radicale = Radicale::start(app.folder()).await;
    connect(&app, &radicale, PASSWORD).await;
    book(&app, tuesday("10:00")).await.expect(201);
    app.run_jobs().await;
    assert!(radicale.everything().await.contains("Nikki"));
    let contact = the_booking(&app).await.contact.expect("hers");
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    bookings::cancel_ahead(&mut tx, contact, app.now()).await.expect("called off");
    tx.commit().await.expect("commits");
    app.later(2 * MINUTE_MS).await;
    assert!(!radicale.everything().await.contains("Nikki"));
}

// ---- invitations and what follows -----------------------------------------------------------------

/// The mails as they came, the oldest first.
fn raw(app: &TestApp) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = std::fs::read_dir(app.folder().join("mails"))
        .expect("the mail server's folder")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
        .collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("readable")).collect()
}

#[tokio::test]
async fn an_invitation_is_read_alike_by_two_calendar_programs_when_it_asks_moves_and_calls_off() {
    let app = app(&[]).await;
    let wish = json!({
        "site": "faro", "meeting": "call", "starts_at": tuesday("10:00"), "zone": "Asia/Kathmandu", "language": "en",
        "name": "Ni\u{f1}a \"N\"; RSVP=TRUE:mailto:eve@x.example, Jr\\", "email": NIKKI,
        "notes": "x\r\nATTENDEE:mailto:eve@x.example\r\nBEGIN:VALARM",
    });
    app.client.with("origin", SITE).post("/v1/bookings", &wish).await.expect(201);
    app.run_jobs().await;
    let id = the_booking(&app).await.id;
    let desk = Desk { team: &app.app.team, lifecycle: &app.app.lifecycle };
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    bookings::reschedule(&mut tx, desk, id, Timestamp(tuesday("12:00")), app.now()).await.expect("moved");
    tx.commit().await.expect("commits");
    app.later(MINUTE_MS).await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    bookings::cancel(&mut tx, desk, id, None, app.now()).await.expect("cancelled");
    tx.commit().await.expect("commits");
    app.later(MINUTE_MS).await;

    let invitations: Vec<Value> = raw(&app)
        .iter()
        .filter(|mail| String::from_utf8_lossy(mail).contains("text/calendar"))
        .map(|mail| python_says("invitation_read.py", mail))
        .collect();
    assert_eq!(invitations.len(), 6, "to both sides, three times");
    let from = app.app.desk.from.to_string();
    let expected = [
        ("REQUEST", "CONFIRMED", "10:00"),
        ("REQUEST", "CONFIRMED", "12:00"),
        ("CANCEL", "CANCELLED", "12:00"),
    ];
    for (order, pair) in invitations.chunks(2).enumerate() {
        let (method, status, clock) = expected[order];
        for mail in pair {
            let seen = &mail["icalendar"];
            assert_eq!(*seen, mail["vobject"], "two programs, one reading");
            assert_eq!(
                mail["tree"],
                json!([
                    "multipart/mixed",
                    [
                        ["multipart/alternative", ["text/plain", "text/html", "text/calendar"]],
                        "application/ics"
                    ]
                ])
            );
            assert_eq!(
                (mail["method"].as_str(), seen["method"].as_str()),
                (Some(method), Some(method)),
                "RFC 6047, 2.4"
            );
            assert_eq!(mail["charset"], "utf-8");
            assert_eq!(mail["same"], true);
            assert_eq!(seen["uid"], format!("{id}@{}", app.app.desk.from.domain()));
            assert_eq!(seen["sequence"], order);
            assert_eq!(seen["status"], status);
            assert_eq!(seen["starts_at"], tuesday(clock));
            assert_eq!(seen["ends_at"], tuesday(clock) + HOUR_MS);
            assert_eq!(seen["organizer"], format!("mailto:{from}"));
            assert_eq!(mail["from"], from, "the sender is the organiser");
            assert_eq!(seen["attendees"], json!(["mailto:mike@faro.example", format!("mailto:{NIKKI}")]));
            assert_eq!(seen["rsvp"], json!(["FALSE", "FALSE"]));
            let headers = mail["headers"].as_array().expect("a list");
            assert!(
                headers.contains(&json!("auto-submitted")) && !headers.contains(&json!("list-unsubscribe"))
            );
        }
    }
}

async fn set_outcome(app: &TestApp, outcome: Outcome) {
    let desk = Desk { team: &app.app.team, lifecycle: &app.app.lifecycle };
    let id = the_booking(app).await.id;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    bookings::set_outcome(&mut tx, desk, id, outcome, app.now()).await.expect("said");
    tx.commit().await.expect("commits");
    app.run_jobs().await;
}

fn missed(app: &TestApp) -> usize {
    app.inbox().mails_to(NIKKI).iter().filter(|mail| mail.subject.starts_with("We missed you")).count()
}

#[tokio::test]
async fn whoever_did_not_come_is_offered_another_time_once_and_only_when_somebody_said_so() {
    let app = app(&[]).await;
    book(&app, tuesday("10:00")).await.expect(201);
    app.later(DAY_MS + 4 * HOUR_MS).await;
    assert_eq!(missed(&app), 0, "nobody said anything");
    set_outcome(&app, Outcome::NoShow).await;
    app.later(14 * MINUTE_MS).await;
    assert_eq!(missed(&app), 0, "a slip could still be taken back");
    app.later(2 * MINUTE_MS).await;
    assert_eq!(missed(&app), 1);
    let mail = app.inbox().mails_to(NIKKI).into_iter().find(|mail| mail.subject.starts_with("We missed you"));
    assert!(mail.expect("the mail").link("/book/call").starts_with(&app.url));
    set_outcome(&app, Outcome::Held).await;
    set_outcome(&app, Outcome::NoShow).await;
    app.later(HOUR_MS).await;
    assert_eq!(missed(&app), 1, "once");
}

#[tokio::test]
async fn a_slip_about_who_came_is_taken_back_and_nobody_hears_of_it() {
    let app = app(&[]).await;
    book(&app, tuesday("10:00")).await.expect(201);
    app.later(DAY_MS + 4 * HOUR_MS).await;
    set_outcome(&app, Outcome::NoShow).await;
    set_outcome(&app, Outcome::Held).await;
    app.later(HOUR_MS).await;
    assert_eq!(missed(&app), 0);
}
