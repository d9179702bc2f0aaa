//! An empty server: who is the first, what she is led through, and the made-up people that go again without a trace.

use embudo::accounts::Role;
use embudo::base::time::DAY_MS;
use embudo::http::console::first;
use embudo::storage::db::{Queries, Sql};
use serde_json::json;

use crate::console::{Agent, agent, cookie_of, log_in};
use crate::support::answer::Answer;
use crate::support::app::{TestApp, set};

const NEW: &str = "a lighthouse by the sea";

/// A server with nothing but its defaults: no site, no flow.
async fn empty() -> TestApp {
    TestApp::start_with(|settings| {
        set(settings, "server", "workers", 2);
        settings.remove("site");
        set(settings, "definitions", "flows", "own-flows");
    })
    .await
}

async fn printed(app: &TestApp) -> Option<String> {
    let link = first::link(&app.app).await.expect("read");
    link.map(|link| link.strip_prefix(&app.url).expect("one of ours").to_owned())
}

fn token_in(link: &str) -> &str {
    link.split("token=").nth(1).expect("a token")
}

async fn make(app: &TestApp, token: &str, email: &str, password: &str) -> Answer {
    let fields = [
        ("token", token),
        ("email", email),
        ("name", "Ana Faro"),
        ("password", password),
        ("language", "en"),
    ];
    app.client.with("sec-fetch-site", "same-origin").submit("/console/setup", &fields).await
}

/// The first person, let in.
async fn begin(app: &TestApp) -> Agent {
    let link = printed(app).await.expect("nobody is there");
    let made = make(app, token_in(&link), "ana@faro.example", NEW).await.expect(303);
    assert_eq!(made.header("location"), "/console/start");
    let client = app.client.with("cookie", &cookie_of(&made));
    let page = client.get("/console/start").await.expect(200).body;
    let csrf = page.split("name=\"csrf\" content=\"").nth(1).and_then(|rest| rest.split('"').next());
    Agent { client, csrf: csrf.expect("every page has the token").to_owned() }
}

#[tokio::test]
async fn whoever_has_the_printed_link_is_the_first_and_nobody_else_is() {
    let app = empty().await;
    // Whoever just comes along is led to a page that has no form.
    let asked = app.get("/console/login").await.expect(303);
    assert_eq!(asked.header("location"), "/console/setup");
    let page = app.get("/console/setup").await.expect(403).body;
    assert!(page.contains("prints a link") && !page.contains("<form"), "{page}");
    let link = printed(&app).await.expect("nobody is there");
    let forged = format!("{}x", token_in(&link));
    for token in ["", "x.y", forged.as_str()] {
        make(&app, token, "eve@evil.example", NEW).await.expect(403);
    }
    // Nor does a page of another site make one.
    let fields = [("token", token_in(&link)), ("email", "eve@evil.example"), ("password", NEW)];
    app.client.with("sec-fetch-site", "cross-site").submit("/console/setup", &fields).await.expect(403);
    assert_eq!(app.count("accounts").await, 0);

    // Looking at it uses nothing up; what is wrong is told beside the field and what was typed is kept.
    for _ in 0..2 {
        assert!(app.get(&link).await.expect(200).body.contains("You are the first here"));
    }
    let wrong = make(&app, token_in(&link), "ana", NEW).await.expect(422).body;
    assert!(wrong.contains("That is not an e-mail address") && wrong.contains("Ana Faro"), "{wrong}");
    let short = make(&app, token_in(&link), "ana@faro.example", "short").await.expect(422).body;
    assert!(short.contains("too short") && short.contains("ana@faro.example"), "{short}");

    let ana = begin(&app).await;
    assert!(ana.sees("/console/accounts").await.contains("Ana Faro"));
    assert!(ana.sees("/console/audit?did=changed").await.contains("first account"));
    // From now on the link opens nothing, and none is printed.
    assert_eq!(app.get(&link).await.expect(303).header("location"), "/console/login");
    make(&app, token_in(&link), "eve@evil.example", NEW).await.expect(303);
    assert_eq!(printed(&app).await, None);
    assert_eq!(app.count("accounts").await, 1);
}

#[tokio::test]
async fn of_two_who_come_at_once_one_is_the_first_and_a_link_runs_out() {
    let app = empty().await;
    let link = printed(&app).await.expect("nobody is there");
    let old = link.clone();
    app.clock.advance(DAY_MS);
    make(&app, token_in(&old), "ana@faro.example", NEW).await.expect(403);
    let link = printed(&app).await.expect("still nobody");
    let token = token_in(&link);
    tokio::join!(make(&app, token, "ana@faro.example", NEW), make(&app, token, "bea@faro.example", NEW));
    assert_eq!(app.count("accounts").await, 1);
}

#[tokio::test]
async fn an_empty_server_leads_from_the_site_to_its_first_hit_and_its_first_flow() {
    let app = empty().await;
    let ana = begin(&app).await;
    let page = ana.sees("/console/start").await;
    assert!(page.contains("0 of 5 done") && page.contains("Add a website first"), "{page}");
    assert!(ana.sees("/console").await.contains("5 first steps are open"));

    // What is no website is told, with what was typed.
    for wrong in ["faro", "ftp://faro.example", "javascript:alert(1)"] {
        let page = ana.submits("/console/sites", &[("address", wrong)]).await.expect(422).body;
        assert!(page.contains("Write the address as https://example.com"), "{page}");
    }
    let site = [
        ("address", "https://www.faro.example/es/"),
        ("name", "Librería Faro"),
        ("language", "es"),
        ("time_zone", "Europe/Madrid"),
        ("back", "/console/start"),
    ];
    let added = ana.submits("/console/sites", &site).await.expect(303);
    assert!(added.header("location").starts_with("/console/start?done=site_added"));
    let twice = ana.submits("/console/sites", &[("address", "faro.example")]).await.expect(422);
    assert!(twice.body.contains("There is a site with this address already"));

    let page = ana.sees("/console/start").await;
    assert!(page.contains("1 of 5 done") && page.contains("We have not seen a hit yet"), "{page}");
    assert!(page.contains("data-goes-on"), "the page looks by itself");
    assert!(
        page.contains("data-site&#x3D;&quot;faro-example&quot;") || page.contains("faro-example"),
        "{page}"
    );

    // The snippet reports from the site, with and without www; from elsewhere nothing is taken.
    let mut hit = app.visitor().hit("/es/");
    hit["site"] = json!("faro-example");
    let from = async |origin: &str, hit: &serde_json::Value| {
        app.client.with("origin", origin).post("/v1/hit", hit).await
    };
    from("https://evil.example", &hit).await.expect_problem(403, "site.foreign_origin");
    from("https://faro.example", &hit).await.expect(202);
    app.run_jobs().await;
    let page = ana.sees("/console/start").await;
    assert!(page.contains("We have seen your first hit") && page.contains("2 of 5 done"), "{page}");
    assert!(!page.contains("data-goes-on"), "nothing is waited for any more");

    // The first flow is written, runs, and is written once.
    ana.submits("/console/start/flow", &[]).await.expect(303);
    let file = app.folder().join("own-flows/welcome.yaml");
    let written = std::fs::read_to_string(&file).expect("written");
    assert!(app.app.room.flows.now().find("welcome").is_some(), "it runs");
    std::fs::write(&file, format!("{written}# mine\n")).expect("changed by hand");
    ana.submits("/console/start/flow", &[]).await.expect(303);
    assert!(std::fs::read_to_string(&file).expect("there").ends_with("# mine\n"), "hers stays hers");

    // What can wait is left, and taken up again.
    for step in ["mail", "people"] {
        ana.submits(&format!("/console/start/steps/{step}"), &[("later", "1")]).await.expect(303);
    }
    let page = ana.sees("/console/start").await;
    assert!(
        page.contains("Everything is set up or left for later") && page.contains("3 of 5 done"),
        "{page}"
    );
    assert!(!ana.sees("/console").await.contains("/console/start"), "Today is quiet again");
    ana.submits("/console/start/steps/mail", &[("later", "0")]).await.expect(303);
    assert!(ana.sees("/console").await.contains("One first step is open"));
    ana.submits("/console/start/steps/nonsense", &[("later", "1")]).await.expect(404);
}

#[tokio::test]
async fn a_site_of_the_console_is_known_after_a_restart_and_on_other_nodes_and_can_be_taken_away() {
    let app = empty().await;
    let ana = begin(&app).await;
    ana.submits("/console/sites", &[("address", "faro.example")]).await.expect(303);
    let again = app.started_again().await.unwrap_or_else(|why| panic!("{why}"));
    assert!(again.app.sites.find("faro-example").is_ok());
    ana.submits("/console/sites/faro-example/remove", &[]).await.expect(303);
    assert!(app.app.sites.find("faro-example").is_err());
    // What another node is told by the store.
    again.app.running.take_up_sites().await.expect("read");
    assert!(again.app.sites.find("faro-example").is_err());
    ana.submits("/console/sites/faro-example/remove", &[]).await.expect(404);
    // Those of the settings' file are none of the console's.
    let other = TestApp::start().await;
    let admin = agent(&other, Role::Admin).await;
    admin.submits("/console/sites/faro/remove", &[]).await.expect(404);
    assert!(other.app.sites.find("faro").is_ok());
}

#[tokio::test]
async fn a_made_up_month_comes_and_goes_without_a_trace_and_nobody_hears_of_it() {
    let app = TestApp::start_with_mail_and(|settings| set(settings, "server", "workers", 2)).await;
    let admin = agent(&app, Role::Admin).await;
    // Somebody real, who stays as she is.
    let mut nikki = app.visitor();
    nikki.submit("white-paper", "nikki@acme.example").await;
    app.run_jobs().await;
    nikki.visit("/precios").await.expect(202);
    app.run_jobs().await;
    let (mails, before) = (app.inbox().mails().len(), app.census().await);
    let visits_before = counted(&app).await;
    let of_nikki = app.rows("select email, stage, updated_at from contacts").await.len();

    admin.submits("/console/start/sample", &[]).await.expect(303);
    let page = admin.sees("/console/start").await;
    assert!(page.contains("5 made-up contacts are here"), "{page}");
    let contacts = admin.sees("/console/contacts").await;
    for name in ["Carmen Ruiz", "Oliver Grant", "nikki@acme.example"] {
        assert!(contacts.contains(name), "{name}: {contacts}");
    }
    // Each area has something to show.
    for (page, part) in [
        ("/console/traffic?site=zz-sample&range=30d", "/pricing"),
        ("/console/inbox?view=closed", "Carmen Ruiz"),
        ("/console/bookings?view=past", "Carmen Ruiz"),
        ("/console/pipeline", "Hannah Cole"),
        ("/console/reports/bookings", "report-cards"),
    ] {
        let shown = admin.sees(page).await;
        assert!(shown.contains(part), "{part} is not on {page}: {shown}");
    }
    assert!(app.count("bookings").await >= 2 && app.count("conversations").await >= 6);
    // Real numbers stay what they were, and nobody is offered the made-up site.
    let own = admin.sees("/console/traffic?site=faro&range=30d").await;
    assert!(!own.contains("/pricing"), "{own}");
    assert!(!admin.sees("/console/sites").await.contains("zz-sample"));
    // A second time changes nothing.
    admin.submits("/console/start/sample", &[]).await.expect(303);
    assert_eq!(app.count("contacts").await, 6);
    app.later(2 * DAY_MS).await;
    let subjects: Vec<String> = app.inbox().mails().into_iter().map(|mail| mail.subject).collect();
    assert_eq!(subjects.len(), mails, "no mail to anybody: {subjects:?}");
    assert_eq!(
        app.count("notifications").await,
        before.iter().find(|(table, _)| *table == "notifications").map_or(0, |(_, n)| *n)
    );

    // Her session is over by now.
    let admin = log_in(&app, "admin@faro.example").await;
    admin.submits("/console/start/sample/remove", &[]).await.expect(303);
    assert!(!admin.sees("/console/start").await.contains("made-up contacts are here"));
    let changed: Vec<_> = before
        .iter()
        .zip(app.census().await)
        .filter(|(then, now)| *then != now)
        // Sessions are touched by whoever looks.
        .filter(|(then, _)| !matches!(then.0, "account_sessions" | "jobs"))
        .collect();
    assert!(changed.is_empty(), "{changed:?}");
    assert_eq!(counted(&app).await, visits_before, "visits, and what is counted of them");
    admin.get("/console/traffic?site=zz-sample").await.expect(404);
    assert_eq!(app.rows("select email, stage, updated_at from contacts").await.len(), of_nikki);
    assert!(admin.sees("/console/contacts").await.contains("nikki@acme.example"));
}

/// The number of rows of each table that is made of hits.
async fn counted(app: &TestApp) -> Vec<i64> {
    let mut counts = Vec::new();
    for text in [
        Sql("select count(*) as n from hits"),
        Sql("select count(*) as n from visits"),
        Sql("select count(*) as n from traffic_days"),
        Sql("select count(*) as n from traffic_closed"),
        Sql("select count(*) as n from traffic_resting"),
        Sql("select count(*) as n from traffic_hours"),
    ] {
        app.app.settle_hits().await.expect("settled");
        let rows = app.app.stores.hits.read().query(text, &[]).await.expect("read");
        counts.push(rows[0].get("n").expect("a number"));
    }
    counts
}

#[tokio::test]
async fn somebody_who_has_an_address_of_the_sample_is_left_alone() {
    let app = TestApp::start_with(|settings| set(settings, "server", "workers", 2)).await;
    let admin = agent(&app, Role::Admin).await;
    let mut real = app.visitor();
    real.submit("white-paper", "oliver@sample-brightside.example").await;
    admin.submits("/console/start/sample", &[]).await.expect(303);
    assert!(admin.sees("/console/start").await.contains("4 made-up contacts are here"));
    admin.submits("/console/start/sample/remove", &[]).await.expect(303);
    let left = app.rows("select email from contacts").await;
    assert_eq!(left.len(), 1);
    let email: String = left[0].get("email").expect("a text");
    assert_eq!(email, "oliver@sample-brightside.example");
    assert_eq!(app.rows("select domain from companies").await.len(), 1, "and so is the company");
}

#[tokio::test]
async fn the_page_of_mails_tells_what_is_set_and_what_the_server_answers_and_never_the_password() {
    let app = TestApp::start_with_mail_and(|settings| set(settings, "server", "workers", 2)).await;
    let admin = agent(&app, Role::Admin).await;
    let page = admin.sees("/console/mail").await;
    assert!(page.contains("Mails leave") && page.contains("bookings@example.com"), "{page}");
    assert!(page.contains("An example; set your own"), "the sender is nobody's");
    let page = admin.submits("/console/mail/test", &[]).await.expect(200).body;
    assert!(page.contains("The server has taken a mail to admin@faro.example"), "{page}");
    assert_eq!(app.inbox().mails_to("admin@faro.example").len(), 1);
    assert!(admin.sees("/console/audit?did=changed").await.contains("mail, tried"));

    let shut = TestApp::start_with(|settings| {
        set(settings, "server", "workers", 2);
        set(settings, "mail", "smtp", "smtp+plain://postmaster:s3cr3t-of-mail@127.0.0.1:1");
        // Nobody answers there, either.
        set(settings, "forms", "name_servers", vec!["127.0.0.1:1"]);
    })
    .await;
    let admin = agent(&shut, Role::Admin).await;
    let shown = admin.sees("/console/mail").await;
    assert!(shown.contains("127.0.0.1:1") && shown.contains("With a user and a password"), "{shown}");
    let tried = admin.submits("/console/mail/test", &[]).await.expect(200).body;
    assert!(tried.contains("was not taken") && tried.contains("What came back"), "{tried}");
    let looked = admin.submits("/console/mail/look", &[]).await.expect(200).body;
    assert!(
        looked.contains("Who may send in your name (SPF)") && looked.contains("does not answer"),
        "{looked}"
    );
    for page in [&shown, &tried, &looked] {
        assert!(!page.contains("s3cr3t-of-mail") && !page.contains("postmaster"), "{page}");
    }
    // Other servers are not asked without end.
    for _ in 0..6 {
        admin.submits("/console/mail/test", &[]).await;
    }
    admin.submits("/console/mail/test", &[]).await.expect(429);
    // And nobody else asks them.
    agent(&shut, Role::Marketing).await.submits("/console/mail/test", &[]).await.expect(403);
}
