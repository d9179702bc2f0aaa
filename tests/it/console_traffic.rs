//! The Traffic area of the console: what its pages tell, what people keep there, shared links, and the mails.

use embudo::accounts::{self, NewAccount, Role};
use embudo::base::ids::AccountId;
use embudo::base::language::Language;
use embudo::base::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use embudo::traffic::Wish;
use serde_json::{Value, json};

use crate::console::{Agent, agent, log_in};
use crate::support::answer::Client;
use crate::support::app::{TestApp, repository, set};
use crate::support::visitor::Visitor;

fn hit(visitor: &Visitor<'_>, path: &str, changes: Value) -> Value {
    let mut hit = visitor.hit(path);
    for (name, value) in changes.as_object().expect("members") {
        hit[name] = value.clone();
    }
    hit
}

/// Two people: one reads, looks at the prices and signs up; one leaves at once. And a robot.
async fn a_day(app: &TestApp) {
    let (reader, guest) = (app.visitor(), app.visitor());
    reader.report(&hit(&reader, "/", json!({ "referrer": "https://www.google.es/" }))).await.expect(202);
    app.clock.advance(MINUTE_MS);
    reader.visit("/precios").await;
    reader.report(&hit(&reader, "/precios", json!({ "name": "signup", "props": {} }))).await.expect(202);
    guest.visit("/").await;
    let robot = app.client.with("user-agent", "Googlebot/2.1 (+http://www.google.com/bot.html)");
    robot.post("/v1/hit", &app.visitor().hit("/secreto")).await.expect(202);
    app.run_jobs().await;
}

/// The text of a page without tags and with single blanks.
fn words(html: &str) -> String {
    let mut text = String::new();
    for piece in html.split('<') {
        text.push(' ');
        text.push_str(piece.split_once('>').map_or(piece, |(_, rest)| rest));
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What an attribute of the page holds, where the first `mark` stands before it.
fn link_after(html: &str, mark: &str, attribute: &str) -> String {
    let rest = html.split_once(mark).unwrap_or_else(|| panic!("no {mark} in {html}")).1;
    let value = rest.split_once(attribute).expect("an attribute").1.split('"').next().expect("an end");
    plain(value)
}

/// An address as it is without the marks of HTML.
fn plain(value: &str) -> String {
    value.replace("&amp;", "&").replace("&#x3D;", "=")
}

fn has(text: &str, part: &str) {
    assert!(text.contains(part), "`{part}` is not in: {text}");
}

fn has_not(text: &str, part: &str) {
    assert!(!text.contains(part), "`{part}` is in: {text}");
}

// ---- the page -------------------------------------------------------------------------------------

#[tokio::test]
async fn the_page_tells_who_came_and_every_row_narrows_it() {
    let app = TestApp::start().await;
    a_day(&app).await;
    let ana = agent(&app, Role::Viewer).await;
    let page = ana.sees("/console/traffic?range=today").await;
    let text = words(&page);
    has(&text, "2 people on the site now");
    has(&text, "Visitors 2");
    has(&text, "Page views 3");
    has(&text, "Left after one page 50%");
    has(&text, "/precios 1");
    has(&text, "Search engines 1");
    has(&text, "signup 1");
    has(&text, "Visits set aside in these days: 1.");
    has_not(&text, "/secreto");
    // By the hour, with a table that says the same.
    has(&page, "<svg class=\"chart-plot\"");
    has(&text, "The chart as a table");
    assert_eq!(page.matches("class=\"chart-bar\"").count(), 24);
    // A row is a link that adds a filter; the chip has the link that takes it away.
    let narrowed =
        page.split("class=\"value-name\" href=\"").map(|rest| rest.split('"').next().unwrap_or(""));
    let narrowed = narrowed.map(plain).find(|href| href.ends_with("filter=page%3A%2Fprecios"));
    let text = words(&ana.sees(&narrowed.expect("a row that narrows")).await);
    has(&text, "Page is /precios");
    has(&text, "Visitors 1");
    let path = "/console/traffic?range=today&filter=page:/precios&filter=channel:search";
    let page = ana.sees(path).await;
    let text = words(&page);
    has(&text, "Visitors 1");
    has(&text, "Page is /precios");
    has(&text, "Channel is Search engines");
    has(&text, "Without filters");
    let without = link_after(&page, "class=\"chip-remove\"", "href=\"");
    let text = words(&ana.sees(&without).await);
    has(&text, "Channel is Search engines");
    has_not(&text, "Page is /precios");
    // Turned round, and put together in the form.
    let text = words(
        &ana.sees("/console/traffic?range=today&filter_by=channel&filter_not=1&filter_value=search").await,
    );
    has(&text, "Channel is not Search engines");
    has(&text, "Visitors 1");
}

#[tokio::test]
async fn with_filters_one_walk_tells_what_the_counts_tell_without() {
    let app = TestApp::start().await;
    a_day(&app).await;
    let ana = agent(&app, Role::Viewer).await;
    let rows = |page: &str| -> Vec<String> {
        let lists = page.split("<ol class=\"values\">").skip(1);
        lists.map(|list| words(list.split("</ol>").next().expect("an end"))).collect()
    };
    for show in ["", "&show=entry&show=source&show=browser", "&show=exit&show=referrer&show=os"] {
        let counted = ana.sees(&format!("/console/traffic?range=7d{show}")).await;
        // Everybody has this browser.
        let scanned = ana.sees(&format!("/console/traffic?range=7d{show}&filter=browser:Firefox")).await;
        assert!(rows(&counted).len() >= 4, "{show}");
        assert_eq!(rows(&counted), rows(&scanned), "{show}");
    }
}

#[tokio::test]
async fn days_without_anybody_say_what_to_do_and_other_days_are_a_form_away() {
    let app = TestApp::start().await;
    let ana = agent(&app, Role::Viewer).await;
    let text = words(&ana.sees("/console/traffic").await);
    has(&text, "Nobody was counted in these days");
    a_day(&app).await;
    app.clock.advance(2 * DAY_MS);
    let ana = log_in(&app, "viewer@faro.example").await;
    let today = words(&ana.sees("/console/traffic?range=today").await);
    has(&today, "Nobody was counted in these days");
    let own = words(&ana.sees("/console/traffic?range=own&from=2026-11-23&to=2026-11-23").await);
    has(&own, "Visitors 2");
    let compared =
        words(&ana.sees("/console/traffic?range=own&from=2026-11-23&to=2026-11-24&compare=previous").await);
    has(&compared, "before: ");
    ana.get("/console/traffic?range=own&from=2026-11-24&to=2026-11-23").await.expect(422);
    ana.get("/console/traffic?filter=planet:Mars").await.expect(422);
    ana.get("/console/traffic?site=nobody").await.expect(404);
}

#[tokio::test]
async fn all_values_are_searched_paged_and_a_file() {
    let app = TestApp::start().await;
    let reader = app.visitor();
    for number in 0..60 {
        reader.visit(&format!("/blog/{number:02}")).await;
    }
    app.run_jobs().await;
    let ana = agent(&app, Role::Viewer).await;
    let first = words(&ana.sees("/console/traffic/by/page?range=today").await);
    has(&first, "1 to 50 of 60");
    let second = words(&ana.sees("/console/traffic/by/page?range=today&page=2").await);
    has(&second, "51 to 60 of 60");
    let found = words(&ana.sees("/console/traffic/by/page?range=today&q=blog/07").await);
    has(&found, "/blog/07");
    has_not(&found, "/blog/08");
    let file = ana.get("/console/traffic/by/page?range=today&format=csv").await.expect(200);
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    assert!(
        file.body.starts_with("page,visitors,visits,views,engaged_ms,scroll,visitors_before\r\n"),
        "{}",
        file.body
    );
    assert_eq!(file.body.lines().count(), 61);
    has(&file.body, "/blog/07,1,1,1,0,0,0\r\n");
    ana.get("/console/traffic/by/planet").await.expect(404);
    ana.get("/console/traffic/by/total").await.expect(404);
    ana.get("/console/traffic/by/property?filter=page:/").await.expect(422);
    for word in ["entry", "exit", "channel", "term", "country", "language", "event", "property", "bot", "cta"]
    {
        ana.sees(&format!("/console/traffic/by/{word}?range=today")).await;
    }
}

#[tokio::test]
async fn what_was_filtered_is_shown_with_reasons_and_examples() {
    let app = TestApp::start().await;
    a_day(&app).await;
    let spam = app.visitor();
    spam.report(&hit(&spam, "/", json!({ "referrer": "https://semalt.com/x" }))).await.expect(202);
    app.run_jobs().await;
    let ana = agent(&app, Role::Viewer).await;
    let text = words(&ana.sees("/console/traffic/filtered?range=today").await);
    has(&text, "2 of 4 visits were set aside");
    has(&text, "Robots that say so");
    has(&text, "Advertised by made-up visits");
    has(&text, "/secreto");
    has(&text, "semalt.com");
    has(&text, "collector.own_addresses");
}

#[tokio::test]
async fn the_companys_own_people_are_set_aside_and_nobody_else() {
    let app =
        TestApp::start_with(|settings| set(settings, "collector", "own_addresses", vec!["loopback"])).await;
    a_day(&app).await;
    let ana = agent(&app, Role::Viewer).await;
    let text = words(&ana.sees("/console/traffic/filtered?range=today").await);
    has(&text, "3 of 3 visits were set aside");
    has(&text, "Your own addresses");
    has_not(&text, "Robots that say so");
}

// ---- what is kept ---------------------------------------------------------------------------------

#[tokio::test]
async fn goals_are_named_reached_and_taken_away() {
    let app = TestApp::start().await;
    a_day(&app).await;
    let marta = agent(&app, Role::Marketing).await;
    let goal = |name, by, value| [("site", "faro"), ("name", name), ("by", by), ("value", value)];
    marta.submits("/console/traffic/goals", &goal("Signed up", "event", "signup")).await.expect(303);
    marta.submits("/console/traffic/goals", &goal("Prices", "page", "/prec*")).await.expect(303);
    marta.submits("/console/traffic/goals", &goal("", "page", "/")).await.expect(422);
    marta.submits("/console/traffic/goals", &goal("x", "country", "ES")).await.expect(422);
    let text = words(&marta.sees("/console/traffic?range=today").await);
    has(&text, "Prices 50% 1");
    has(&text, "Signed up 50% 1");
    let page = marta.sees("/console/traffic/settings").await;
    let remove = link_after(&page, "<strong>Prices</strong>", "action=\"");
    marta.submits(&remove, &[("site", "faro")]).await.expect(303);
    marta.submits(&remove, &[("site", "faro")]).await.expect(404);
    assert_eq!(app.count("traffic_goals").await, 1);
    let audit = words(&agent(&app, Role::Admin).await.sees("/console/audit").await);
    has(&audit, "goal, removed Prices");
    has(&audit, "goal Signed up");
    let viewer = agent(&app, Role::Viewer).await;
    viewer.submits("/console/traffic/goals", &goal("Mine", "page", "/")).await.expect(403);
}

const FUNNELS: &str = "/console/traffic/funnels";

async fn saved(app: &TestApp) -> (String, i64, String) {
    let rows = app.rows("select id, version, steps from traffic_funnels").await;
    let row = rows.first().expect("a funnel");
    (row.get("id").expect("an id"), row.get("version").expect("a version"), row.get("steps").expect("steps"))
}

#[tokio::test]
async fn a_funnel_is_put_together_by_links_and_saved_by_name() {
    let app = TestApp::start().await;
    a_day(&app).await;
    let marta = agent(&app, Role::Marketing).await;
    // Nothing but links: each adds a step to the address.
    let page = marta.sees("/console/traffic/funnels/build?range=today").await;
    let offered = |page: &str, name: &str| -> String {
        let chip = page.split("class=\"chip\" href=\"").find(|chip| chip.contains(&format!(">+ {name}</a>")));
        let chip = chip.unwrap_or_else(|| panic!("no {name} in {page}"));
        plain(chip.split('"').next().expect("an end"))
    };
    let page = marta.sees(&offered(&page, "/")).await;
    has(&words(&page), "Two steps make a funnel");
    let page = marta.sees(&offered(&page, "/precios")).await;
    let page = marta.sees(&offered(&page, "signup")).await;
    let text = words(&page);
    has(&text, "50% of those who began came through: 1 of 2");
    has(&text, "1 was lost here (50%)");
    // Moved and taken out again.
    let moved = link_after(&page, "Earlier: signup", "href=\"");
    assert!(moved.contains("step="), "{moved}");
    let fields = [
        ("site", "faro"),
        ("name", "To the sign-up"),
        ("step", "page:/"),
        ("step", "page:/precios"),
        ("step", "event:signup"),
    ];
    marta.submits(FUNNELS, &fields).await.expect(303);
    let text = words(&marta.sees("/console/traffic/funnels?range=today").await);
    has(&text, "To the sign-up");
    has(&text, "50% of those who began came through: 1 of 2");
    has(&words(&marta.sees("/console/traffic").await), "To the sign-up");
    // What is no funnel is not saved, and what was clicked is still there.
    let refused = marta
        .submits(FUNNELS, &[("site", "faro"), ("name", ""), ("step", "page:/"), ("step", "event:x")])
        .await;
    has(&words(&refused.expect(422).body), "This could not be saved");
    marta.submits(FUNNELS, &[("site", "faro"), ("name", "x"), ("step", "country:ES")]).await.expect(422);
    assert_eq!(app.count("traffic_funnels").await, 1);
    let viewer = agent(&app, Role::Viewer).await;
    viewer.submits(FUNNELS, &fields).await.expect(403);
}

#[tokio::test]
async fn of_two_who_change_a_funnel_the_second_sees_it_and_nothing_is_overwritten_unseen() {
    let app = TestApp::start().await;
    a_day(&app).await;
    let (marta, ana) = (agent(&app, Role::Marketing).await, agent(&app, Role::Admin).await);
    let steps = |second: &'static str| [("site", "faro"), ("step", "page:/"), ("step", second)];
    let mut new = steps("page:/precios").to_vec();
    new.push(("name", "A way"));
    marta.submits(FUNNELS, &new).await.expect(303);
    let (id, version, _) = saved(&app).await;
    assert_eq!(version, 1);
    let change = |second, name, version| {
        let mut fields = steps(second).to_vec();
        fields.extend([("name", name), ("funnel", id.as_str()), ("version", version)]);
        fields
    };
    // Both have version 1 open. The administrator is faster.
    ana.submits(FUNNELS, &change("event:signup", "Ana's way", "1")).await.expect(303);
    let before = saved(&app).await;
    let late = marta.submits(FUNNELS, &change("page:/nada", "Marta's way", "1")).await.expect(409);
    assert_eq!(saved(&app).await, before, "nothing was overwritten");
    let text = words(&late.body);
    has(&text, "admin changed this funnel while you had it open");
    has(&text, "It is version 2 now");
    has(&text, "Ana's way".replace('\'', "&#x27;").as_str());
    has(&text, "/nada");
    // A page that is loaded again says so before anything is saved.
    let stale = format!("/console/traffic/funnels/build?funnel={id}&version=1&step=page:/&step=page:/nada");
    has(&words(&marta.sees(&stale).await), "changed this funnel while you had it open");
    // Knowing that, she may save hers over it.
    has(&late.body, "name=\"version\" value=\"2\"");
    marta.submits(FUNNELS, &change("page:/nada", "Marta's way", "2")).await.expect(303);
    let (_, version, kept) = saved(&app).await;
    assert_eq!((version, kept.contains("/nada")), (3, true));
    // Throwing away asks for the version, too.
    let delete = format!("{FUNNELS}/{id}/delete");
    ana.submits(&delete, &[("version", "2")]).await.expect(409);
    ana.submits(&delete, &[("version", "3")]).await.expect(303);
    assert_eq!(app.count("traffic_funnels").await, 0);
}

#[tokio::test]
async fn a_funnel_goes_on_into_the_lifecycle() {
    let app = TestApp::start().await;
    let (mut nikki, guest) = (app.visitor(), app.visitor());
    nikki.visit("/").await;
    guest.visit("/").await;
    app.clock.advance(MINUTE_MS);
    nikki.submit("white-paper", "nikki@acme.example").await;
    app.run_jobs().await;
    let marta = agent(&app, Role::Marketing).await;
    let way = "/console/traffic/funnels/build?range=today&step=page:/&step=stage:lead&step=stage:customer";
    let text = words(&marta.sees(way).await);
    has(&text, "Page / 2 people");
    has(&text, "50% of all who began");
    has(&text, "0% of those who began came through: 0 of 2");
    // The other way round nobody comes: she was a lead only after she had seen the page.
    let text =
        words(&marta.sees("/console/traffic/funnels/build?range=today&step=stage:lead&step=page:/").await);
    has(&text, "0% of those who began came through: 0 of 1");
}

// ---- shared links ---------------------------------------------------------------------------------

async fn share(marta: &Agent, name: &str, days: &str) -> String {
    let fields = [("site", "faro"), ("name", name), ("days", days)];
    marta.submits("/console/traffic/shares", &fields).await.expect(303);
    let page = marta.sees("/console/traffic/settings").await;
    let link = link_after(&page, &format!("<strong>{name}</strong>"), "href=\"");
    link.split_once("/traffic/").map(|(_, token)| format!("/traffic/{token}")).expect("a link")
}

#[tokio::test]
async fn a_shared_link_shows_numbers_and_nothing_else_until_it_ends() {
    let app = TestApp::start().await;
    a_day(&app).await;
    let marta = agent(&app, Role::Marketing).await;
    let link = share(&marta, "Agency", "7").await;
    let stranger = Client::new(&app.url).with("accept-language", "en");
    let page = stranger.get(&format!("{link}?range=today")).await.expect(200);
    let text = words(&page.body);
    has(&text, "Visitors 2");
    has(&text, "/precios 1");
    assert_eq!(page.header("x-robots-tag"), "noindex, nofollow");
    has(page.header("content-security-policy"), "frame-ancestors 'none'");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    for part in ["\"/console", "csrf", "Cities", "Properties", "<script", "signup@"] {
        has_not(&page.body, part);
    }
    // It narrows like the page of the console, within its own address.
    let narrowed = stranger.get(&format!("{link}?range=today&filter=page:/precios")).await.expect(200);
    has(&words(&narrowed.body), "Visitors 1");
    stranger.get(&format!("{link}x")).await.expect(404);
    stranger.get("/traffic/guessed.token").await.expect(404);
    app.clock.advance(7 * DAY_MS);
    stranger.get(&link).await.expect(410);
    let marta = log_in(&app, "marketing@faro.example").await;
    let forever = share(&marta, "Board", "").await;
    stranger.get(&forever).await.expect(200);
    let settings = marta.sees("/console/traffic/settings").await;
    let end = link_after(&settings, "<strong>Board</strong>", "action=\"");
    marta.submits(&end, &[("site", "faro")]).await.expect(303);
    stranger.get(&forever).await.expect(410);
    // Who may make no links sees none.
    let viewer = agent(&app, Role::Viewer).await;
    has_not(&viewer.sees("/console/traffic/settings").await, "/traffic/ey");
    viewer.submits("/console/traffic/shares", &[("site", "faro"), ("name", "x")]).await.expect(403);
}

// ---- mails ----------------------------------------------------------------------------------------

async fn mails(app: &TestApp, template: &'static str) -> Vec<String> {
    let rows = app.rows("select template, subject, text_body from mails order by sent_at").await;
    let of = rows.iter().filter(|row| row.get::<String>("template").expect("a name") == template);
    of.map(|row| {
        let text = |column| row.get::<String>(column).expect("a text");
        format!("{}\n{}", text("subject"), text("text_body"))
    })
    .collect()
}

fn wish(weekly: bool, spikes: bool) -> Vec<(&'static str, &'static str)> {
    let mut fields = vec![("site", "faro"), ("factor", "2"), ("at_least", "3")];
    fields.extend(weekly.then_some(("weekly", "1")));
    fields.extend(spikes.then_some(("spikes", "1")));
    fields
}

const LETTERS: &str = "/console/traffic/letters";

#[tokio::test]
async fn whoever_asks_for_it_is_told_of_the_week_on_monday_once() {
    let app = TestApp::start().await;
    a_day(&app).await;
    let marta = agent(&app, Role::Marketing).await;
    marta
        .submits(
            "/console/traffic/goals",
            &[("site", "faro"), ("name", "Signed up"), ("by", "event"), ("value", "signup")],
        )
        .await
        .expect(303);
    app.run_jobs().await;
    app.later(8 * DAY_MS).await;
    assert_eq!(mails(&app, "traffic_week").await.len(), 0, "nobody asked");
    let marta = log_in(&app, "marketing@faro.example").await;
    // Tuesday; the week that runs is told on the next Monday, and not the one before.
    marta.submits(LETTERS, &wish(true, false)).await.expect(303);
    app.run_jobs().await;
    assert_eq!(mails(&app, "traffic_week").await.len(), 0);
    a_day(&app).await;
    app.later(5 * DAY_MS + 20 * HOUR_MS).await;
    assert_eq!(mails(&app, "traffic_week").await.len(), 0, "it is Monday before eight");
    app.later(3 * HOUR_MS).await;
    let told = mails(&app, "traffic_week").await;
    assert_eq!(told.len(), 1);
    has(&told[0], "2 visitors last week");
    has(&told[0], "/precios: 1");
    has(&told[0], "Signed up: 1");
    has(&told[0], "The week before: 2");
    app.later(DAY_MS).await;
    assert_eq!(mails(&app, "traffic_week").await.len(), 1, "once");
    let marta = log_in(&app, "marketing@faro.example").await;
    marta.submits(LETTERS, &wish(false, false)).await.expect(303);
    app.later(7 * DAY_MS).await;
    assert_eq!(mails(&app, "traffic_week").await.len(), 1, "switched off");
}

/// Hires somebody who speaks Spanish.
async fn hire(app: &TestApp) -> AccountId {
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let new = NewAccount {
        email: "ana@faro.example",
        name: "Ana",
        role: Role::Viewer,
        language: Language::Es,
        password: "a lighthouse at night",
    };
    let account = accounts::add(&mut tx, &new, app.now()).await.expect("added");
    tx.commit().await.expect("commits");
    account.id
}

/// Notes that somebody wants to be told of spikes, or not any more.
async fn wants_spikes(app: &TestApp, account: AccountId, spikes: bool) {
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let wish = Wish { weekly: false, spikes, factor: 2, at_least: 3 };
    embudo::traffic::wish(&mut tx, account, "faro", wish, 0).await.expect("noted");
    tx.commit().await.expect("commits");
}

async fn come(app: &TestApp, count: usize) {
    for _ in 0..count {
        app.visitor().visit("/").await;
    }
    app.run_jobs().await;
}

#[tokio::test]
async fn far_more_than_usual_is_told_once_a_day() {
    let app = TestApp::start().await;
    let viewer = agent(&app, Role::Viewer).await;
    let mut foolish = wish(false, true);
    foolish[1] = ("factor", "7");
    viewer.submits(LETTERS, &foolish).await.expect(422);
    let ana = hire(&app).await;
    wants_spikes(&app, ana, true).await;
    come(&app, 2).await;
    assert_eq!(mails(&app, "traffic_spike").await.len(), 0, "two are no crowd");
    come(&app, 1).await;
    let told = mails(&app, "traffic_spike").await;
    assert_eq!(told.len(), 1);
    has(&told[0], "3 visitas en una hora");
    come(&app, 20).await;
    app.clock.advance(HOUR_MS);
    come(&app, 20).await;
    assert_eq!(mails(&app, "traffic_spike").await.len(), 1, "once a day");
    app.clock.advance(DAY_MS);
    come(&app, 5).await;
    assert_eq!(mails(&app, "traffic_spike").await.len(), 2);
    // What comes every day at this hour is no spike: then it is usual.
    wants_spikes(&app, ana, false).await;
    for _ in 0..9 {
        app.clock.advance(DAY_MS);
        come(&app, 5).await;
    }
    wants_spikes(&app, ana, true).await;
    app.clock.advance(DAY_MS);
    come(&app, 5).await;
    assert_eq!(mails(&app, "traffic_spike").await.len(), 2);
}

#[tokio::test]
async fn mails_of_traffic_wait_for_the_end_of_quiet_hours() {
    let app = TestApp::start_with(|settings| {
        let file = repository("tests/it/fixtures/notify_quiet.yaml");
        set(settings, "definitions", "notify", file.display().to_string());
    })
    .await;
    let ana = hire(&app).await;
    wants_spikes(&app, ana, true).await;
    // 22 o'clock.
    app.clock.advance(13 * HOUR_MS);
    come(&app, 3).await;
    assert_eq!(mails(&app, "traffic_spike").await.len(), 0);
    app.later(10 * HOUR_MS + MINUTE_MS).await;
    let told = mails(&app, "traffic_spike").await;
    assert_eq!(told.len(), 1);
    has(&told[0], "3 visitas en una hora");
}
