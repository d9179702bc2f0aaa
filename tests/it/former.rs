//! Calls that outlive the team's file: their rep left, or their kind was given up, or both. Everybody hears of them as before,
//! the team can still change them, and whoever runs the server is told which they are. And calls of somebody who was erased.

use embudo::accounts::Role;
use embudo::base::ids::BookingId;
use embudo::base::language::Language;
use embudo::base::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use embudo::bookings::former;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::console::{Agent, hire, log_in};
use crate::support::answer::Answer;
use crate::support::app::{SITE, TestApp, set};

const NIKKI: &str = "nikki@acme.example";
const ANA: &str = "ana@faro.example";
const BEN: &str = "ben@faro.example";
const ADMIN: &str = "admin@faro.example";

/// Friday 27 November 2026 by the clock of Madrid.
fn friday(clock: &str) -> i64 {
    format!("2026-11-27T{clock}:00+01:00").parse::<jiff::Timestamp>().expect("an instant").as_millisecond()
}

fn rep(id: &str, name: &str) -> String {
    format!(
        "  - {{id: {id}, name: {name}, account: {id}@faro.example, zone: Europe/Madrid, languages: [en, es], role: sdr, \
         hours: {{weekdays: 09:00-17:00}}}}\n"
    )
}

fn meeting(id: &str, title: &str, reps: &str) -> String {
    format!(
        "  - {{id: {id}, title: {title}, description: A call, location: Room 4, duration: 30m, interval: 30m, notice: 0m, \
         window: 10d, reps: {reps}}}\n"
    )
}

/// Ana holds `call` and `old`, Ben `video`; with Ana there is Ben in `two`.
fn before() -> String {
    let two = meeting("two", "Of two", "[ben]").replace("reps: [ben]", "reps: [ben], with: ana");
    let meetings = meeting("call", "First call", "[ana]")
        + &meeting("old", "Old talk", "[ana]").replace(
            "reps: [ana]",
            "questions: [{id: reads, ask: How do you read, kind: choice, options: [{id: club, label: In a club}, {id: alone, label: Alone}], \
             required: false}], reps: [ana]",
        )
        + &meeting("video", "Second call", "[ben]");
    format!("reps:\n{}{}meetings:\n{meetings}{two}", rep("ana", "Ana Ruiz"), rep("ben", "Ben Gil"))
}

/// Ana left, Ben holds `call`; `old` and `video` are given up, and nobody is with Ben.
fn after() -> String {
    let meetings = meeting("call", "First call", "[ben]") + &meeting("two", "Of two", "[ben]");
    format!("reps:\n{}meetings:\n{meetings}", rep("ben", "Ben Gil"))
}

/// The kinds of calls that something is gone of: the rep, the kind, both.
const GONE: [(&str, &str); 3] = [("call", ANA), ("video", BEN), ("old", ANA)];

struct World {
    first: TestApp,
    folder: TempDir,
}

async fn world() -> World {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("team.yaml"), before()).expect("written");
    std::fs::create_dir(folder.path().join("flows")).expect("a folder");
    let first = TestApp::start_with(|settings| {
        for key in ["per_minute", "burst", "slots_per_minute", "slots_burst"] {
            set(settings, "bookings", key, 1_000_000);
        }
        set(settings, "server", "workers", 2);
        set(settings, "definitions", "team", folder.path().join("team.yaml").display().to_string());
        set(settings, "definitions", "flows", folder.path().join("flows").display().to_string());
    })
    .await;
    World { first, folder }
}

impl World {
    async fn book(&self, meeting: &str, clock: &str) -> Value {
        let wish = json!({
            "site": "faro", "meeting": meeting, "starts_at": friday(clock), "zone": "Europe/Madrid",
            "language": "en", "name": "Nikki Grant", "email": NIKKI,
        });
        let booked =
            self.first.client.with("origin", SITE).post("/v1/bookings", &wish).await.expect_json(201);
        self.first.run_jobs().await;
        booked
    }

    /// The server as it runs after the file was changed and it was started again.
    async fn changed(&self) -> TestApp {
        self.changed_to(&after()).await
    }

    /// The same with a file of one's own.
    async fn changed_to(&self, file: &str) -> TestApp {
        std::fs::write(self.folder.path().join("team.yaml"), file).expect("written");
        self.first.started_again().await.expect("it starts")
    }
}

fn id_of(booked: &Value) -> &str {
    booked["booking"].as_str().expect("an id")
}

fn token(booked: &Value) -> &str {
    booked["manage"].as_str().and_then(|path| path.rsplit("/b/").next()).expect("a link")
}

async fn visitor(app: &TestApp, booked: &Value, deed: &str, body: Value) -> Answer {
    app.client.with("origin", SITE).post(&format!("/v1/bookings/{}/{deed}", token(booked)), &body).await
}

/// The mails of a name: to whom, what they say, and the calendar's text.
async fn mails(app: &TestApp, template: &str) -> Vec<(String, String, String)> {
    let rows =
        app.rows("select template, recipient, text_body, calendar from mails order by sent_at, id").await;
    let text = |row: &embudo::storage::db::Row, name: &str| {
        row.get::<Option<String>>(name).expect("a text").unwrap_or_default().replace("\r\n ", "")
    };
    let of_name = rows.iter().filter(|row| text(row, "template") == template);
    of_name.map(|row| (text(row, "recipient"), text(row, "text_body"), text(row, "calendar"))).collect()
}

/// The jobs that were let be, and why.
async fn dropped(app: &TestApp) -> Vec<String> {
    let rows = app.rows("select last_code from jobs where state = 'dropped' order by id").await;
    rows.iter()
        .map(|row| row.get::<Option<String>>("last_code").expect("a text").unwrap_or_default())
        .collect()
}

fn withdraws(calendar: &str, booked: &Value) -> bool {
    calendar.contains("METHOD:CANCEL")
        && calendar.contains("STATUS:CANCELLED")
        && calendar.contains(&format!("UID:{}@", id_of(booked)))
        && calendar.contains("SEQUENCE:1")
}

async fn admin(app: &TestApp) -> Agent {
    hire(app, ADMIN, Role::Admin, Language::En).await;
    log_in(app, ADMIN).await
}

#[tokio::test]
async fn both_sides_hear_that_a_call_is_off_whoever_cancels_and_whatever_is_gone_of_it() {
    let world = world().await;
    let mut by_visitor = Vec::new();
    let mut by_team = Vec::new();
    for (n, (kind, rep)) in GONE.into_iter().enumerate() {
        by_visitor.push((world.book(kind, ["09:00", "09:30", "10:00"][n]).await, rep));
    }
    world.first.clock.advance(25 * HOUR_MS);
    // One person has so many calls ahead at most.
    for (n, (kind, rep)) in GONE.into_iter().take(2).enumerate() {
        by_team.push((world.book(kind, ["14:00", "14:30"][n]).await, rep));
    }
    let app = world.changed().await;
    let team = admin(&app).await;
    for (n, (booked, rep)) in by_visitor.iter().enumerate() {
        visitor(&app, booked, "cancel", json!({})).await.expect_json(200);
        app.run_jobs().await;
        let hers = mails(&app, "booking_cancelled").await;
        assert_eq!(hers.len(), n + 1);
        assert!(hers[n].0 == NIKKI && withdraws(&hers[n].2, booked), "{:?}", hers[n]);
        assert!(hers[n].2.contains(["First call", "Second call", "Old talk"][n]), "{}", hers[n].2);
        assert!(hers[n].1.contains("/book/call?lang=en"), "there is always something to book: {}", hers[n].1);
        let theirs = mails(&app, "rep_cancelled").await;
        assert!(theirs[n].0 == *rep && withdraws(&theirs[n].2, booked), "{:?}", theirs[n]);
    }
    for (n, (booked, rep)) in by_team.iter().enumerate() {
        let path = format!("/console/bookings/{}", id_of(booked));
        let page = team.sees(&path).await;
        let is_said =
            ["Ana Ruiz stands in team.yaml no more", "This kind of call is not offered any more"][n];
        assert!(page.contains(is_said) && page.contains(&format!("{path}/cancel")), "{page}");
        let fields = [("sequence", "0"), ("reason", "We are closed that day")];
        team.submits(&format!("{path}/cancel"), &fields).await.expect(303);
        app.run_jobs().await;
        let hers = mails(&app, "booking_cancelled").await;
        assert!(hers[3 + n].1.contains("We are closed that day") && withdraws(&hers[3 + n].2, booked));
        let theirs = mails(&app, "rep_cancelled").await;
        assert!(theirs[3 + n].0 == *rep && withdraws(&theirs[3 + n].2, booked), "{:?}", theirs[3 + n]);
    }
    assert_eq!(dropped(&app).await, [""; 0], "nothing was let be");
}

#[tokio::test]
async fn both_sides_are_reminded_of_a_call_whatever_is_gone_of_it() {
    let world = world().await;
    for (n, (kind, _)) in GONE.into_iter().enumerate() {
        world.book(kind, ["09:00", "09:30", "10:00"][n]).await;
    }
    let app = world.changed().await;
    app.later(friday("10:00") - DAY_MS + MINUTE_MS - app.now().as_ms()).await;
    let told = |mails: Vec<(String, String, String)>| -> Vec<String> {
        let mut told: Vec<String> = mails.into_iter().map(|(to, ..)| to).collect();
        told.sort_unstable();
        told
    };
    assert_eq!(told(mails(&app, "booking_reminder").await), [NIKKI; 3]);
    assert_eq!(told(mails(&app, "rep_reminder").await), [ANA, ANA, BEN]);
    let hers = mails(&app, "booking_reminder").await;
    for part in ["Ana Ruiz", "Ben Gil", "Room 4"] {
        assert!(hers.iter().any(|(_, text, _)| text.contains(part)), "{part}");
    }
    assert_eq!(dropped(&app).await, [""; 0]);
}

#[tokio::test]
async fn a_call_moves_to_a_colleague_of_its_kind_and_without_its_kind_it_is_said_what_to_do() {
    let world = world().await;
    let (call, video) = (world.book("call", "09:00").await, world.book("video", "09:30").await);
    let (mine, old) = (world.book("call", "14:00").await, world.book("old", "14:30").await);
    let app = world.changed().await;
    let team = admin(&app).await;

    // By the visitor: the rep who left hears that it is out of her calendar, the other that it is in his.
    visitor(&app, &call, "move", json!({ "starts_at": friday("11:00") })).await.expect_json(200);
    app.run_jobs().await;
    let former = mails(&app, "rep_replaced").await;
    assert!(former.len() == 1 && former[0].0 == ANA && withdraws(&former[0].2, &call), "{former:?}");
    assert_eq!(mails(&app, "rep_booked").await.last().map(|mail| mail.0.clone()), Some(BEN.to_owned()));
    let moved = mails(&app, "booking_rescheduled").await;
    assert!(moved[0].1.contains("Ben Gil") && moved[0].2.contains("METHOD:REQUEST"), "{}", moved[0].1);

    // By the team.
    let path = format!("/console/bookings/{}", id_of(&mine));
    let page = team.sees(&path).await;
    assert!(page.contains(&friday("15:00").to_string()), "the times of whoever holds such calls: {page}");
    let fields = [("sequence", "0"), ("starts_at", &friday("15:00").to_string())];
    team.submits(&format!("{path}/move"), &fields).await.expect(303);
    app.run_jobs().await;
    let former = mails(&app, "rep_replaced").await;
    assert!(former.len() == 2 && former[1].0 == ANA && withdraws(&former[1].2, &mine), "{former:?}");

    // Without its kind there is nowhere to move it.
    let refused = visitor(&app, &video, "move", json!({ "starts_at": friday("12:00") })).await;
    refused.expect_problem(409, "booking.meeting_gone");
    let page = app.get(&format!("/b/{}", token(&video))).await.expect(200).body;
    for part in ["Second call", "it cannot be moved here", "Room 4", "/cancel"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let said = app
        .client
        .submit(&format!("/b/{}/reschedule", token(&video)), &[("starts_at", &friday("12:00").to_string())])
        .await
        .expect(409);
    assert!(said.body.contains("it cannot be moved here"), "{}", said.body);

    // It is passed on, and stands at its time.
    let path = format!("/console/bookings/{}", id_of(&old));
    let page = team.sees(&path).await;
    assert!(page.contains("Old talk") && !page.contains(&format!("{path}/move")), "{page}");
    let fields = [("sequence", "0"), ("rep", "ben"), ("reason", "Ana left")];
    team.submits(&format!("{path}/reassign"), &fields).await.expect(303);
    app.run_jobs().await;
    let former = mails(&app, "rep_replaced").await;
    assert!(former.len() == 3 && former[2].0 == ANA && withdraws(&former[2].2, &old), "{former:?}");
    let rows = app.rows("select rep, starts_at, location from bookings where meeting = 'old'").await;
    let row = &rows[0];
    assert_eq!(
        (row.get::<String>("rep").expect("a text"), row.get::<i64>("starts_at").expect("a time")),
        ("ben".to_owned(), friday("14:30"))
    );
    assert_eq!(row.get::<Option<String>>("location").expect("a text").as_deref(), Some("Room 4"));
}

#[tokio::test]
async fn whoever_was_there_too_and_is_not_any_more_hears_of_it_when_the_call_moves() {
    let world = world().await;
    let two = world.book("two", "10:00").await;
    assert_eq!(two["with"], "Ben Gil and Ana Ruiz");
    let app = world.changed().await;
    let page = app.get(&format!("/b/{}", token(&two))).await.expect(200).body;
    assert!(page.contains("Ben Gil and Ana Ruiz"), "as she was told: {page}");
    visitor(&app, &two, "move", json!({ "starts_at": friday("11:00") })).await.expect_json(200);
    app.run_jobs().await;
    let former = mails(&app, "rep_replaced").await;
    assert!(former.len() == 1 && former[0].0 == ANA && withdraws(&former[0].2, &two), "{former:?}");
}

#[tokio::test]
async fn calls_that_nobody_of_the_file_holds_are_listed_with_what_to_do() {
    let world = world().await;
    world.book("call", "09:00").await;
    world.book("old", "10:00").await;
    let left = async |app: &TestApp| {
        let team = &app.app.team;
        former::left(&mut app.app.stores.db.read(), team, app.now()).await.expect("looked")
    };
    assert_eq!(left(&world.first).await, []);
    let app = world.changed().await;
    let found = left(&app).await;
    let lines: Vec<String> = found.iter().map(|call| format!("{}; {}", call.line(), call.advice())).collect();
    assert!(lines[0].contains("the rep \"ana\"") && lines[0].contains("move it, pass it on or cancel it"));
    assert!(
        lines[1].contains("the meeting \"old\" and the rep \"ana\"")
            && lines[1].contains("pass it on or cancel it")
    );
    let team = admin(&app).await;
    let page = team.sees("/console/bookings").await;
    for part in ["Nobody of team.yaml holds these calls", "Old talk", "Ana Ruiz stands in team.yaml no more"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    // When they are over, and nobody needs her name any more, it is let go.
    app.clock.advance(friday("10:30") - app.now().as_ms() + 32 * DAY_MS);
    assert_eq!(left(&app).await, []);
    let later = app.started_again().await.expect("it starts");
    let known = later.rows("select id from team_known where kind = 'rep' order by id").await;
    assert_eq!(known.len(), 1, "only whoever is in the file");
}

#[tokio::test]
async fn names_titles_and_questions_stand_beside_a_call_of_which_all_is_gone_and_nobody_is_promised_who_left()
{
    let world = world().await;
    let wish = json!({
        "site": "faro", "meeting": "old", "starts_at": friday("10:00"), "zone": "Europe/Madrid",
        "language": "en", "name": "Nikki Grant", "email": NIKKI, "answers": { "reads": "club" },
    });
    let booked = world.first.client.with("origin", SITE).post("/v1/bookings", &wish).await.expect_json(201);
    let call = world.book("call", "09:30").await;
    let app = world.changed().await;
    let team = admin(&app).await;
    for span in ["week", "day"] {
        let week = team.sees(&format!("/console/bookings/calendar?span={span}&on=2026-11-27&rep=team")).await;
        for part in ["Ana Ruiz, not in team.yaml", "Nikki Grant", "Old talk", "First call"] {
            assert!(week.contains(part), "{span}, {part}: {week}");
        }
        assert!(!week.contains("new?rep=ana"), "nobody books with whoever left");
    }
    let before = team.sees("/console/bookings/calendar?span=week&on=2026-11-09&rep=team").await;
    assert!(!before.contains("Ana Ruiz"), "no column without a call");

    let path = format!("/console/bookings/{}", id_of(&booked));
    let page = team.sees(&path).await;
    for part in ["How do you read", "In a club", "Pass the call on or cancel it"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("Move the call"), "there is nowhere to move it: {page}");
    let page = team.sees(&format!("/console/bookings/{}", id_of(&call))).await;
    assert!(page.contains("Move the call, pass it on or cancel it"), "{page}");
    let list = team.sees("/console/bookings").await;
    assert!(list.contains("How do you read") && list.contains("Ana Ruiz"), "{list}");

    // Nobody came: another time is not with her.
    app.clock.advance(friday("10:31") - app.now().as_ms());
    let team = log_in(&app, ADMIN).await;
    team.submits(&format!("{path}/outcome"), &[("outcome", "no_show")]).await.expect(303);
    app.later(16 * MINUTE_MS).await;
    let missed = mails(&app, "booking_missed").await;
    assert_eq!(missed.len(), 1);
    assert!(!missed[0].1.contains("Ana Ruiz") && missed[0].1.contains("another time"), "{}", missed[0].1);
}

#[tokio::test]
async fn it_is_said_that_visitors_are_booked_with_somebody_whose_account_is_closed() {
    let world = world().await;
    let app = &world.first;
    hire(app, BEN, Role::Sdr, Language::En).await;
    hire(app, "eva@faro.example", Role::Sdr, Language::En).await;
    let team = admin(app).await;
    let closed = async || {
        former::closed(&mut app.app.stores.db.read(), &app.app.team, app.now()).await.expect("looked")
    };
    assert_eq!(closed().await, []);
    let close = async |email: &str| {
        let email = embudo::base::email::Email::parse(email).expect("an address");
        let found =
            embudo::accounts::find_by_email(&mut app.app.stores.db.read(), &email).await.expect("read");
        let path = format!("/console/accounts/{}/disable", found.expect("known").id);
        team.submits(&path, &[]).await.expect(303).header("location").to_owned()
    };
    assert_eq!(close("eva@faro.example").await, "/console/accounts?done=disabled", "she holds no calls");
    let place = close(BEN).await;
    assert_eq!(place, "/console/accounts?done=disabled_rep");
    assert!(team.sees(&place).await.contains("take the rep out of team.yaml"));
    let found = closed().await;
    assert_eq!(found.iter().map(|one| one.rep.as_str()).collect::<Vec<_>>(), ["ben"]);
    assert!(found[0].line().contains("\"ben\", whose account is closed"), "{}", found[0].line());
    let ben = embudo::base::email::Email::parse(BEN).expect("an address");
    let ben = embudo::accounts::find_by_email(&mut app.app.stores.db.read(), &ben).await.expect("read");
    let ben = ben.expect("known").id;
    let page = team.sees("/console/bookings").await;
    assert!(page.contains("Ben Gil’s account is closed, and visitors are still booked"), "{page}");
    let opened = team.submits(&format!("/console/accounts/{ben}/enable"), &[]).await.expect(303);
    let page = team.sees(opened.header("location")).await;
    assert!(page.contains("That account is open again") && !page.contains("webhook is tried"), "{page}");
}

#[tokio::test]
async fn it_is_said_that_calls_lie_ahead_with_somebody_who_holds_no_kind_of_call_and_whose_account_is_closed()
{
    let world = world().await;
    hire(&world.first, BEN, Role::Sdr, Language::En).await;
    world.book("video", "10:00").await;
    let video = meeting("video", "Second call", "[ana]");
    let file = format!("reps:\n{}{}meetings:\n{video}", rep("ana", "Ana Ruiz"), rep("ben", "Ben Gil"));
    let app = world.changed_to(&file).await;
    let team = admin(&app).await;
    assert!(!team.sees("/console/bookings").await.contains("account is closed"));
    let ben = embudo::base::email::Email::parse(BEN).expect("an address");
    let ben = embudo::accounts::find_by_email(&mut app.app.stores.db.read(), &ben).await.expect("read");
    let path = format!("/console/accounts/{}/disable", ben.expect("known").id);
    let place = team.submits(&path, &[]).await.expect(303).header("location").to_owned();
    assert!(team.sees(&place).await.contains("Calls with them lie ahead"));
    let found =
        former::closed(&mut app.app.stores.db.read(), &app.app.team, app.now()).await.expect("looked");
    assert_eq!((found.len(), found[0].is_booked, found[0].calls), (1, false, 1));
    let line = "1 call lies ahead with the rep \"ben\", whose account is closed";
    assert_eq!(found[0].line(), line);
    let page = team.sees("/console/bookings").await;
    assert!(page.contains("Ben Gil’s account is closed, and 1 call with Ben Gil lies ahead"), "{page}");
    app.clock.advance(10 * DAY_MS);
    let later =
        former::closed(&mut app.app.stores.db.read(), &app.app.team, app.now()).await.expect("looked");
    assert_eq!(later, [], "nothing lies ahead any more");
}

#[tokio::test]
async fn a_call_whose_rep_was_never_written_down_is_told_to_its_visitor_all_the_same() {
    let world = world().await;
    let booked = world.book("old", "10:00").await;
    let app = world.changed().await;
    // As if she had left before names were kept.
    app.app.stores.db.execute(embudo::storage::db::Sql("delete from team_known"), &[]).await.expect("forged");
    visitor(&app, &booked, "cancel", json!({})).await.expect_json(200);
    app.run_jobs().await;
    let hers = mails(&app, "booking_cancelled").await;
    assert!(hers.len() == 1 && withdraws(&hers[0].2, &booked), "{hers:?}");
    assert_eq!(mails(&app, "rep_cancelled").await.len(), 0);
    assert_eq!(dropped(&app).await, ["rep_gone"]);
    let lines = app.rows("select title from notifications where kind = 'booking_cancelled'").await;
    assert_eq!(lines.len(), 1, "the console tells everybody");
}

#[tokio::test]
async fn whoever_holds_the_call_of_somebody_who_is_erased_hears_that_it_is_off_and_nothing_of_her() {
    let world = world().await;
    let app = &world.first;
    hire(app, BEN, Role::Ae, Language::Es).await;
    let two = world.book("two", "10:00").await;
    let contact = app.rows("select id from contacts").await[0]
        .get::<embudo::base::ids::ContactId>("id")
        .expect("an id");
    let later = embudo::app::App::later_tables();
    let (own, by) = (&app.app, embudo::privacy::audit::By::Cli);
    let dry = embudo::privacy::erase(&own.stores, &own.keys, &later, contact, by, true, app.now());
    assert_eq!(dry.await.expect("looked").calls_cancelled, 1);
    app.run_jobs().await;
    assert_eq!(mails(app, "rep_withdrawn").await.len(), 0, "nothing has happened");
    let erased = embudo::privacy::erase(&own.stores, &own.keys, &later, contact, by, false, app.now());
    assert_eq!(erased.await.expect("erased").calls_cancelled, 1);
    app.run_jobs().await;
    let told = mails(app, "rep_withdrawn").await;
    let mut to: Vec<&str> = told.iter().map(|(to, ..)| to.as_str()).collect();
    to.sort_unstable();
    assert_eq!(to, [ANA, BEN]);
    for (_, text, calendar) in &told {
        assert!(withdraws(calendar, &two), "{calendar}");
        for hers in ["Nikki", "nikki", "acme"] {
            assert!(!text.contains(hers) && !calendar.contains(hers), "{hers}: {text}\n{calendar}");
        }
    }
    let lines =
        app.rows("select title, body, link from notifications where kind = 'booking_withdrawn'").await;
    assert_eq!(lines.len(), 1, "Ana has no account");
    let title: String = lines[0].get("title").expect("a text");
    assert_eq!(title, "La llamada con Ben Gil ya no tiene lugar");
    // Nothing of it stands against anybody's turn or calendar: the time is free again.
    let again = json!({
        "site": "faro", "meeting": "two", "starts_at": friday("10:00"), "zone": "Europe/Madrid", "language": "en",
        "name": "Paul", "email": "paul@acme.example",
    });
    app.client.with("origin", SITE).post("/v1/bookings", &again).await.expect(201);
}

#[tokio::test]
async fn the_answer_to_whoever_books_says_the_sequence() {
    let world = world().await;
    let booked = world.book("call", "10:00").await;
    assert_eq!(booked["sequence"], 0);
    assert!(BookingId::parse(id_of(&booked)).is_ok());
    let moved = visitor(&world.first, &booked, "move", json!({ "starts_at": friday("11:00") })).await;
    assert_eq!(moved.expect_json(200)["sequence"], 1);
}

#[tokio::test]
async fn of_reminders_that_are_due_together_only_the_nearest_goes() {
    let world = world().await;
    let app = &world.first;
    world.book("two", "10:00").await;
    // The server was away from before the first one until half an hour before the call.
    app.clock.advance(friday("09:30") - app.now().as_ms());
    app.run_jobs().await;
    assert_eq!(mails(app, "booking_reminder").await.len(), 1);
    assert_eq!(mails(app, "rep_reminder").await.len(), 2, "one for each of the two");
    assert_eq!(dropped(app).await, ["later_reminder"; 3]);
    let failed = app.rows("select template from undelivered").await;
    assert_eq!(failed.len(), 0, "nobody missed anything");
    // In good time both go, each by itself.
    let other = reminders_in_good_time().await;
    assert_eq!(other, [1, 2]);
}

/// How many reminders the visitor has had after a day before the call, and after an hour before it.
async fn reminders_in_good_time() -> [usize; 2] {
    let world = world().await;
    let app = &world.first;
    world.book("call", "10:00").await;
    let mut counts = [0; 2];
    for (n, before_ms) in [DAY_MS, HOUR_MS].into_iter().enumerate() {
        app.later(friday("10:00") - before_ms - app.now().as_ms()).await;
        counts[n] = mails(app, "booking_reminder").await.len();
    }
    counts
}

#[tokio::test]
async fn whoever_stands_in_for_somebody_and_whose_account_is_closed_is_told_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let away = rep("ana", "Ana Ruiz")
        .replace("role: sdr,", "role: sdr, away: [{from: 2026-11-25, to: 2026-12-04, delegate: eva}],");
    let text = format!(
        "reps:\n{away}{}{}meetings:\n{}",
        rep("ben", "Ben Gil"),
        rep("eva", "Eva Mas"),
        meeting("call", "First call", "[ana, ben]")
    );
    std::fs::write(folder.path().join("team.yaml"), text).expect("written");
    std::fs::create_dir(folder.path().join("flows")).expect("a folder");
    let app = TestApp::start_with(|settings| {
        set(settings, "server", "workers", 2);
        set(settings, "definitions", "team", folder.path().join("team.yaml").display().to_string());
        set(settings, "definitions", "flows", folder.path().join("flows").display().to_string());
    })
    .await;
    hire(&app, "eva@faro.example", Role::Sdr, Language::En).await;
    let closed = async || {
        former::closed(&mut app.app.stores.db.read(), &app.app.team, app.now()).await.expect("looked")
    };
    assert_eq!(closed().await, []);
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    embudo::accounts::disable(&mut tx, "eva@faro.example", app.now()).await.expect("closed");
    tx.commit().await.expect("commits");
    assert_eq!(closed().await.iter().map(|one| one.rep.as_str()).collect::<Vec<_>>(), ["eva"]);
    // Once nobody is away she holds no calls any more.
    app.clock.advance(12 * DAY_MS);
    assert_eq!(closed().await, []);
}
