//! Links to files and recordings: ranges of bytes, taking links back, going on after they have run out, and who counts as
//! having fetched a file.

use embudo::base::time::{DAY_MS, HOUR_MS};
use embudo::contacts::{self, Trust};
use embudo::webinars;
use reqwest::Method;
use serde_json::{Value, json};

use crate::gates::{app_with_files, submit, with_fixtures};
use crate::support::answer::Client;
use crate::support::app::{TestApp, set};

const KEY: &str = "the api key of the tests, long enough";

async fn start() -> TestApp {
    let app = TestApp::start_with(|settings| {
        with_fixtures(settings);
        set(settings, "api", "keys", vec![KEY]);
    })
    .await;
    let files = app.folder().join("files");
    std::fs::create_dir_all(&files).expect("a folder");
    for name in ["reading-guide.es.pdf", "reading-guide.en.pdf", "reading-culture-short.mp4"] {
        let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        std::fs::write(files.join(name), bytes).expect("written");
    }
    app
}

fn program(app: &TestApp) -> Client {
    app.client.with("authorization", &format!("Bearer {KEY}"))
}

async fn guide(app: &TestApp, email: &str) -> String {
    let answer = submit(&app.visitor(), "white-paper", email).await;
    answer["link"].as_str().expect("a link").split('?').next().expect("a path").to_owned()
}

fn recording(app: &TestApp) -> String {
    let (_, recording) = app.app.webinars.recording("reading-culture-short").expect("it is there");
    format!("/r/{}", webinars::recording_link(&app.app.keys, recording, None, app.now()))
}

/// A browser in which somebody opened the link by a click.
fn person(app: &TestApp) -> Client {
    app.client
        .with("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        .with("sec-fetch-mode", "navigate")
        .with("sec-fetch-dest", "document")
        .with("sec-fetch-user", "?1")
}

/// What was noted of files, once the server has had its turn.
async fn noted(app: &TestApp, wanted: usize) -> Vec<(String, Value)> {
    for _ in 0..200 {
        let rows =
            app.rows("select kind, props from activities where kind like 'asset.%' order by at, id").await;
        if rows.len() >= wanted {
            return rows
                .iter()
                .map(|row| (row.get("kind").expect("a text"), row.json("props").expect("JSON")))
                .collect();
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    Vec::new()
}

#[tokio::test]
async fn files_and_recordings_are_sent_in_the_ranges_that_were_asked_for() {
    let app = start().await;
    let file = format!("{}/file", guide(&app, "nikki@acme.example").await);
    for path in [file, recording(&app)] {
        let whole = app.get(&path).await.expect(200);
        assert_eq!(
            (whole.header("accept-ranges"), whole.header("content-length")),
            ("bytes", "10000"),
            "{path}"
        );
        assert_eq!(whole.header("x-robots-tag"), "noindex, nofollow");
        assert_eq!(whole.header("referrer-policy"), "no-referrer");
        assert!(whole.header("cache-control").starts_with("private"), "{path}");
        let (etag, modified) = (whole.header("etag").to_owned(), whole.header("last-modified").to_owned());
        let part = async |range: &str, headers: &[(&str, &str)]| {
            let mut client = app.client.with("range", range);
            for (name, value) in headers {
                client = client.with(name, value);
            }
            let answer = client.get(&path).await;
            let told = (answer.status, answer.header("content-range").to_owned());
            assert_eq!(answer.header("content-encoding"), "", "{path} {range}");
            told
        };
        let is = |status: u16, range: &str| (status, range.to_owned());
        assert_eq!(part("bytes=100-199", &[]).await, is(206, "bytes 100-199/10000"));
        assert_eq!(part("bytes=9990-", &[]).await, is(206, "bytes 9990-9999/10000"));
        assert_eq!(part("bytes=-10", &[]).await, is(206, "bytes 9990-9999/10000"));
        assert_eq!(part("bytes=0-99999", &[]).await, is(206, "bytes 0-9999/10000"));
        assert_eq!(part("bytes=10000-", &[]).await, is(416, "bytes */10000"));
        assert_eq!(part("lines=1-2", &[]).await, is(200, ""), "an unknown unit is ignored");
        assert_eq!(part("bytes=0-9", &[("if-range", &etag)]).await, is(206, "bytes 0-9/10000"));
        assert_eq!(part("bytes=0-9", &[("if-range", &modified)]).await, is(206, "bytes 0-9/10000"));
        assert_eq!(
            part("bytes=0-9", &[("if-range", "\"another\"")]).await,
            is(200, ""),
            "it has changed since"
        );
        assert_eq!(part("bytes=0-9", &[("accept-encoding", "gzip")]).await, is(206, "bytes 0-9/10000"));
        let head = app.client.with("range", "bytes=0-9").send(Method::HEAD, &path, None).await;
        assert_eq!(
            (head.status, head.body.as_str()),
            (200, ""),
            "ranges are for GET (RFC 9110, section 14.2)"
        );
    }
}

#[tokio::test]
async fn a_file_counts_as_fetched_only_when_a_person_got_its_bytes() {
    let app = start().await;
    let file = format!("{}/file", guide(&app, "nikki@acme.example").await);
    app.client.send(Method::HEAD, &file, None).await.expect(200);
    person(&app).send(Method::HEAD, &file, None).await.expect(200);
    person(&app).with("if-none-match", app.get(&file).await.header("etag")).get(&file).await.expect(304);

    let found = noted(&app, 1).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].0.as_str(), &found[0].1["verdict"]), ("asset.fetched", &json!("unsure")));
    assert_eq!(found[0].1["reason"], "no_user_agent");

    app.clock.advance(2 * HOUR_MS);
    let scanner = app
        .client
        .with("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)");
    scanner.with("sec-fetch-mode", "navigate").with("sec-fetch-user", "?1").get(&file).await.expect(200);
    assert_eq!(noted(&app, 2).await[1].1["reason"], "user_agent");
    app.clock.advance(2 * HOUR_MS);
    person(&app).with("sec-purpose", "prefetch").get(&file).await.expect(200);
    assert_eq!(noted(&app, 3).await[2].1["reason"], "prefetch");
    person(&app).get(&file).await.expect(200);
    let found = noted(&app, 4).await;
    assert_eq!(found[3].0, "asset.downloaded");
    person(&app).get(&file).await.expect(200);
    app.clock.advance(2 * HOUR_MS);
    person(&app).get(&file).await.expect(200);
    // What the second of them would have written was written before what the third writes.
    assert_eq!(noted(&app, 5).await.len(), 5, "once an hour");
}

#[tokio::test]
async fn a_link_all_of_a_contact_and_all_of_a_file_can_be_taken_back_and_asked_for_anew() {
    let app = start().await;
    let (nikki, pam) = (guide(&app, "nikki@acme.example").await, guide(&app, "pam@acme.example").await);
    let film = recording(&app);
    // The mails of the forms are on their way before the one that is asked for anew.
    app.run_jobs().await;
    app.clock.advance(1_000);
    let revoke = async |body: Value| program(&app).post("/api/v1/links/revoke", &body).await;
    app.post("/api/v1/links/revoke", &json!({"token": "x"})).await.expect_problem(401, "api.key_unknown");
    revoke(json!({})).await.expect_problem(400, "request.malformed");
    revoke(json!({"token": "x"})).await.expect_problem(404, "token.forged");
    revoke(json!({"subject": "nothing"})).await.expect_problem(404, "asset.unknown");
    revoke(json!({"contact": "eve@acme.example"})).await.expect_problem(404, "contact.unknown");

    revoke(json!({"contact": "nikki@acme.example", "subject": "reading-guide"})).await.expect(204);
    let page = app.get(&nikki).await.expect(410);
    assert!(page.body.contains("/d/renew"), "a new one can be asked for: {}", page.body);
    app.get(&pam).await.expect(200);
    let token = nikki.trim_start_matches("/d/").to_owned();
    app.clock.advance(1_000);
    app.client.submit("/d/renew", &[("token", &token)]).await.expect(200);
    app.run_jobs().await;
    let rows = app.rows("select recipient, text_body from mails order by sent_at, id").await;
    let last = rows.last().expect("a mail");
    assert_eq!(last.get::<String>("recipient").expect("a text"), "nikki@acme.example");
    let text: String = last.get("text_body").expect("a text");
    let fresh =
        text.split_whitespace().find(|word| word.contains("/d/")).expect("a link").trim_matches(['<', '>']);
    app.get(fresh.trim_start_matches(&app.url)).await.expect(200);
    app.get(&nikki).await.expect(410);

    revoke(json!({"token": pam.trim_start_matches("/d/")})).await.expect(204);
    app.get(&pam).await.expect(410);
    app.get(&format!("{pam}/file")).await.expect(410);

    app.get(&film).await.expect(200);
    revoke(json!({"subject": "reading-culture-short"})).await.expect(204);
    app.get(&film).await.expect_problem(410, "token.revoked");
    app.clock.advance(1_000);
    app.get(&recording(&app)).await.expect(200);
}

#[tokio::test]
async fn who_has_begun_to_watch_may_finish_after_the_link_has_run_out() {
    let app = start().await;
    let film = recording(&app);
    app.clock.advance(DAY_MS - HOUR_MS);
    let begun = app.client.with("range", "bytes=0-99").get(&film).await.expect(206);
    let cookie = begun.header("set-cookie").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains(&format!("Path={film}")), "{cookie}");
    let pass = cookie.split(';').next().expect("a cookie");

    app.clock.advance(2 * HOUR_MS);
    app.client.get(&film).await.expect_problem(410, "token.expired");
    let going_on = app.client.with("cookie", pass).with("range", "bytes=100-");
    going_on.get(&film).await.expect(206);
    assert_eq!(going_on.get(&film).await.header("set-cookie"), "", "a pass makes no further pass");
    let other = recording(&app);
    app.clock.advance(DAY_MS);
    going_on.get(&other).await.expect_problem(410, "token.expired");
    app.client.with("cookie", "embudo_pass=made.up").get(&film).await.expect_problem(410, "token.expired");
    going_on.get(&film).await.expect_problem(410, "token.expired");
}

#[tokio::test]
async fn a_link_that_was_taken_back_plays_no_more_whatever_the_browser_holds() {
    let app = start().await;
    let film = recording(&app);
    let begun = app.get(&film).await.expect(200);
    let pass = begun.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    let token = film.trim_start_matches("/r/");
    program(&app).post("/api/v1/links/revoke", &json!({"token": token})).await.expect(204);
    app.client.with("cookie", &pass).get(&film).await.expect_problem(410, "token.revoked");
}

#[tokio::test]
async fn a_forwarded_link_gives_the_file_and_binds_nobody() {
    let app = app_with_files().await;
    let nikki = app.visitor();
    submit(&nikki, "white-paper", "nikki@acme.example").await;
    app.run_jobs().await;
    let rows = app.rows("select text_body from mails").await;
    let text: String = rows[0].get("text_body").expect("a text");
    let link =
        text.split_whitespace().find(|word| word.contains("/d/")).expect("a link").trim_matches(['<', '>']);
    let path = link.trim_start_matches(&app.url);
    let token = path.trim_start_matches("/d/").split('?').next().expect("a token").to_owned();

    let colleague = app.visitor();
    colleague.visit("/").await;
    app.run_jobs().await;
    app.get(path).await.expect(200);
    let told = colleague.confirm(&token).await.expect_json(200);
    assert_eq!(told["trust"], Value::Null);
    let id = embudo::base::ids::VisitorId::parse(&colleague.id).expect("an id");
    let device = contacts::visitor(&mut app.app.stores.db.read(), id).await.expect("read");
    assert!(device.is_none_or(|device| device.contact.is_none() && device.trust == Trust::Anonymous));
    assert_eq!(nikki.confirm(&token).await.expect_json(200)["trust"], "confirmed", "where it was asked for");
}
