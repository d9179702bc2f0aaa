//! The collector: what is worked out about a hit.

use std::net::Ipv4Addr;

use embudo::base::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use serde_json::{Value, json};

use crate::support::app::{TestApp, set};
use crate::support::hits::{self, Told};
use crate::support::mmdb::{self, Known};

async fn hits(app: &TestApp) -> Vec<Told> {
    hits::all(&app.app).await
}

/// Settings of one server with its files in `folder`.
fn plain_config(folder: &std::path::Path) -> embudo::config::Config {
    let file = folder.join("embudo.toml");
    let text = format!(
        "[storage]\ndata = {:?}\n[[site]]\nkey = \"faro\"\nname = \"Faro\"\norigins = [\"https://faro.example\"]\n",
        folder.join("data").display().to_string()
    );
    std::fs::write(&file, text).expect("written");
    embudo::config::Config::load(Some(&file), std::iter::empty()).expect("valid")
}

#[tokio::test]
async fn the_country_comes_from_the_configured_file_and_the_address_is_kept_nowhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("country.mmdb");
    mmdb::write(
        &file,
        &[(Ipv4Addr::new(203, 0, 113, 0), 24, "ES"), (Ipv4Addr::new(198, 51, 100, 128), 25, "MX")],
    );
    let app = TestApp::start_with(|settings| {
        set(settings, "collector", "geo_database", file.display().to_string());
        set(settings, "server", "trusted_proxies", vec!["127.0.0.1"]);
    })
    .await;
    for (address, path) in
        [("203.0.113.7", "/spain"), ("198.51.100.200", "/mexico"), ("198.51.100.7", "/nowhere")]
    {
        let body = app.visitor().hit(path);
        app.client.with("x-forwarded-for", address).post("/v1/hit", &body).await.expect(202);
    }
    let hits = hits(&app).await;
    let found: Vec<(String, Option<String>)> =
        hits.iter().map(|hit| (hit.path.clone(), hit.country.clone())).collect();
    let expected = [("/spain", Some("ES")), ("/mexico", Some("MX")), ("/nowhere", None)];
    assert_eq!(found, expected.map(|(path, country)| (path.to_owned(), country.map(str::to_owned))));
    app.run_jobs().await;
    let mut kept = format!("{:?}", app.rows("select * from hits").await);
    for text in
        ["select * from words", "select * from visits", "select * from visitors", "select * from activities"]
    {
        kept.push_str(&format!("{:?}", app.rows(text).await));
    }
    assert!(!kept.contains("203.0.113") && !kept.contains("198.51.100"), "an address is kept: {kept}");
}

#[tokio::test]
async fn a_file_that_is_no_country_file_is_told_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("country.mmdb");
    std::fs::write(&file, "not a database").expect("written");
    let error = embudo::hits::Geo::open(&file.display().to_string()).err().expect("refused");
    assert!(error.contains("country.mmdb"), "{error}");
}

#[tokio::test]
async fn city_region_and_network_are_kept_where_the_files_tell() {
    let folder = tempfile::tempdir().expect("a folder");
    let (cities, systems) = (folder.path().join("city.mmdb"), folder.path().join("asn.mmdb"));
    let network = Ipv4Addr::new(203, 0, 113, 0);
    mmdb::write_known(&cities, "Test-City", &[(network, 24, Known::City("ES", "MD", "Madrid"))]);
    mmdb::write_known(&systems, "Test-ASN", &[(network, 25, Known::System(3352, "Telefonica de Espana"))]);
    let app = TestApp::start_with(|settings| {
        set(settings, "collector", "geo_database", cities.display().to_string());
        set(settings, "collector", "asn_database", systems.display().to_string());
        set(settings, "server", "trusted_proxies", vec!["loopback"]);
    })
    .await;
    for address in ["203.0.113.7", "203.0.113.200"] {
        app.client
            .with("x-forwarded-for", address)
            .post("/v1/hit", &app.visitor().hit("/"))
            .await
            .expect(202);
    }
    let found: Vec<_> =
        hits(&app).await.into_iter().map(|hit| (hit.country, hit.region, hit.city, hit.network)).collect();
    let madrid = |network: Option<&str>| {
        let text = |text: &str| Some(text.to_owned());
        (text("ES"), text("MD"), text("Madrid"), network.map(str::to_owned))
    };
    assert_eq!(found, [madrid(Some("Telefonica de Espana")), madrid(None)]);
}

#[tokio::test]
async fn a_replaced_country_file_is_taken_and_a_broken_one_leaves_the_old_one_in_use() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("country.mmdb");
    let address = Ipv4Addr::new(203, 0, 113, 7);
    let write = |country| {
        // As operators replace files: written beside it, then put in its place.
        let fresh = folder.path().join("fresh");
        mmdb::write(&fresh, &[(Ipv4Addr::new(203, 0, 113, 0), 24, country)]);
        std::fs::rename(&fresh, &file).expect("replaced");
    };
    write("ES");
    let geo = embudo::hits::Geo::open(&file.display().to_string()).expect("opened");
    let country = || geo.country(address.into());
    assert_eq!(country().as_deref(), Some("ES"));
    write("MX");
    assert_eq!(country().as_deref(), Some("ES"), "a hit never reads the disk");
    geo.look();
    assert_eq!(country().as_deref(), Some("MX"));
    std::fs::write(&file, "half a file").expect("written");
    geo.look();
    assert_eq!(country().as_deref(), Some("MX"), "the old one stays");
    std::fs::remove_file(&file).expect("removed");
    geo.look();
    assert_eq!(country().as_deref(), Some("MX"), "the old one stays");
    write("AR");
    geo.look();
    assert_eq!(country().as_deref(), Some("AR"));
    let used = geo.in_use();
    assert_eq!((used.len(), used[0].kind.as_str()), (1, "Embudo-Test-Country"));
    assert!(used[0].built_at.is_some());
}

#[tokio::test]
async fn a_machine_is_labelled_with_the_reason_and_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let systems = folder.path().join("asn.mmdb");
    let networks = [
        (Ipv4Addr::new(203, 0, 113, 0), 24, Known::System(16509, "AMAZON-02")),
        (Ipv4Addr::new(198, 51, 100, 0), 24, Known::System(3352, "Telefonica de Espana")),
    ];
    mmdb::write_known(&systems, "Test-ASN", &networks);
    let app = TestApp::start_with(|settings| {
        set(settings, "collector", "asn_database", systems.display().to_string());
        set(settings, "collector", "referrer_spam", vec!["cheap.example"]);
        set(settings, "server", "trusted_proxies", vec!["loopback"]);
    })
    .await;
    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let (people, servers) = ("198.51.100.7", "203.0.113.7");
    let cases: [(&str, &str, &str, Value, &str); 11] = [
        (FIREFOX, "es", people, json!({}), ""),
        (FIREFOX, "es", servers, json!({}), ""),
        (FIREFOX, "", people, json!({}), ""),
        (FIREFOX, "", servers, json!({}), "signals:headers+network"),
        (FIREFOX, "es", people, json!({ "bot": "webdriver" }), "automation"),
        (FIREFOX, "es", people, json!({ "referrer": "https://www.semalt.com/crawler.php" }), "referrer_spam"),
        (FIREFOX, "es", people, json!({ "referrer": "https://a.cheap.example/" }), "referrer_spam"),
        (FIREFOX, "es", people, json!({ "referrer": "https://www.google.com/" }), ""),
        ("", "es", people, json!({}), "no_user_agent"),
        (
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "es",
            people,
            json!({}),
            "user_agent",
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/140.0.0.0 Safari/537.36",
            "es",
            people,
            json!({}),
            "headless",
        ),
    ];
    for (agent, language, address, more, reason) in &cases {
        let mut hit = app.visitor().hit("/");
        hit.as_object_mut().expect("a hit").extend(more.as_object().expect("members").clone());
        let mut client = app.client.with("x-forwarded-for", address).with("user-agent", agent);
        if !language.is_empty() {
            client = client.with("accept-language", language);
        }
        let answer = client.post("/v1/hit", &hit).await.expect(202);
        assert_eq!(answer.header("x-embudo-dropped"), *reason, "{hit}");
        assert_eq!(answer.json()["chat"] == "ask", reason.is_empty(), "{hit}");
    }
    let kept: Vec<String> =
        hits(&app).await.into_iter().map(|hit| hit.bot_reason.unwrap_or_default()).collect();
    assert_eq!(kept, cases.map(|case| case.4.to_owned()));
    let counted = app.get("/metrics").await.expect(200).body;
    for line in [
        "embudo_hits_accepted_total 4",
        "embudo_hits_labelled_total{reason=\"signals:headers+network\"} 1",
        "embudo_hits_labelled_total{reason=\"automation\"} 1",
        "embudo_hits_labelled_total{reason=\"referrer_spam\"} 2",
        "embudo_hit_request_seconds_count 11",
    ] {
        assert!(counted.lines().any(|found| found == line), "{line}: {counted}");
    }
}

#[tokio::test]
async fn metrics_are_for_the_machine_itself_and_for_those_with_a_key() {
    const KEY: &str = "a-key-of-more-than-24-characters";
    let with = async |from: Vec<&'static str>, is_on: bool| {
        TestApp::start_with(|settings| {
            set(settings, "telemetry", "metrics_from", from);
            set(settings, "telemetry", "metrics", is_on);
            set(settings, "api", "keys", vec![KEY]);
        })
        .await
    };
    let near = with(vec!["loopback"], true).await;
    let answer = near.get("/metrics").await.expect(200);
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    for name in [
        "embudo_build_info{",
        "embudo_hits_dropped_total{",
        "embudo_hits_clamped_total{",
        "process_resident_memory_bytes ",
    ] {
        assert!(answer.body.contains(&format!("\n{name}")), "{name}: {}", answer.body);
    }
    // A proxy on the same machine asks for somebody else.
    for header in ["x-forwarded-for", "x-real-ip", "forwarded"] {
        let asked = near.client.with(header, "127.0.0.1").get("/metrics").await;
        asked.expect_problem(401, "api.key_unknown");
    }
    let far = with(vec![], true).await;
    far.get("/metrics").await.expect_problem(401, "api.key_unknown");
    let wrong = far.client.with("authorization", "Bearer another-key-of-more-than-24");
    wrong.get("/metrics").await.expect_problem(401, "api.key_unknown");
    far.client.with("authorization", &format!("Bearer {KEY}")).get("/metrics").await.expect(200);
    with(vec!["loopback"], false).await.get("/metrics").await.expect_problem(404, "request.not_found");
}

#[tokio::test]
async fn hits_and_scripts_stand_under_the_paths_of_the_settings() {
    let app = TestApp::start_with(|settings| {
        set(settings, "collector", "paths", vec!["/v1/hit", "/stats/v1/hit", "/h"]);
        set(settings, "collector", "tracker_paths", vec!["/e.js", "/stats/s.js"]);
    })
    .await;
    for path in ["/v1/hit", "/stats/v1/hit", "/h"] {
        app.post(path, &app.visitor().hit("/")).await.expect(202);
    }
    assert_eq!(app.count("hits").await, 3);
    for path in
        ["/e.js", "/stats/s.js", "/launcher.js", "/stats/launcher.js", "/stats/chat.js", "/stats/forms.js"]
    {
        app.get(path).await.expect(200);
    }
    app.get("/s.js").await.expect(404);
    app.post("/stats/v1/hits", &app.visitor().hit("/")).await.expect_problem(404, "request.not_found");
}

#[tokio::test]
async fn scripts_answer_who_only_asks_for_the_head() {
    let app = TestApp::start().await;
    for script in ["/e.js", "/launcher.js", "/chat.js", "/forms.js"] {
        let head = app.client.send(reqwest::Method::HEAD, script, None).await.expect(200);
        assert!(head.body.is_empty());
        assert_eq!(head.header("content-type"), "text/javascript; charset=utf-8");
    }
}

#[tokio::test]
async fn whoever_gives_no_consent_is_the_same_all_day_also_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = plain_config(folder.path());
    let clock = embudo::base::time::Clock::manual(embudo::base::time::Timestamp(1_800_003_600_000));
    let mut visitors = Vec::new();
    for hours in [0, 2, 24] {
        clock.advance(hours * HOUR_MS);
        let app = embudo::app::App::build(config.clone(), clock.clone()).await.expect("started");
        let body = json!({
            "id": embudo::base::ids::HitId::new().to_string(), "site": "faro", "name": "page", "url": "https://faro.example/",
        });
        let hits = embudo::hits::parse(body.to_string().as_bytes(), 20, clock.now()).expect("a hit");
        let sender = embudo::ingest::Sender {
            address: Ipv4Addr::LOCALHOST.into(),
            manner: embudo::hits::Manner::default(),
            user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        };
        app.collector.take(hits, sender, clock.now()).await.expect("on disk");
        while embudo::ingest::drain(&app.stores, &app.words).await.expect("carried") > 0 {}
        let kept = hits::all(&app).await;
        visitors.extend(kept.last().map(|hit| hit.visitor));
    }
    assert_eq!(visitors[0], visitors[1]);
    assert_ne!(visitors[1], visitors[2]);
}

#[tokio::test]
async fn a_visit_goes_on_after_a_restart_and_what_was_acknowledged_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = plain_config(folder.path());
    let clock = embudo::base::time::Clock::manual(embudo::base::time::Timestamp(1_800_000_000_000));
    let visitor = embudo::base::ids::VisitorId::new();
    let mut sessions = Vec::new();
    for minutes in [0, 20, 20, 31] {
        clock.advance(minutes * embudo::base::time::MINUTE_MS);
        // Each time a server that knows nothing but its files; what it acknowledged is only in the journal when it goes.
        let app = embudo::app::App::build(config.clone(), clock.clone()).await.expect("started");
        let body = serde_json::json!({
            "id": embudo::base::ids::HitId::new().to_string(), "site": "faro", "name": "page",
            "url": "https://faro.example/", "visitor": visitor.to_string(), "consent": "analytics",
        });
        let hits = embudo::hits::parse(body.to_string().as_bytes(), 20, clock.now()).expect("a hit");
        let sender = embudo::ingest::Sender {
            address: Ipv4Addr::LOCALHOST.into(),
            manner: embudo::hits::Manner::default(),
            user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        };
        app.collector.take(hits, sender, clock.now()).await.expect("on disk");
        drop(app);
    }
    let app = embudo::app::App::build(config, clock).await.expect("started");
    while embudo::ingest::drain(&app.stores, &app.words).await.expect("carried") > 0 {}
    for hit in embudo::hits::lines_after(&app.stores.hits, 0, 10).await.expect("read") {
        sessions.push(hit.session);
    }
    assert_eq!(sessions.len(), 4, "what was acknowledged is there");
    assert!(sessions[0] == sessions[1] && sessions[1] == sessions[2], "less than 30 minutes apart");
    assert_ne!(sessions[2], sessions[3], "31 minutes later it is another visit");
}

#[tokio::test]
async fn a_visit_without_consent_goes_on_over_midnight_and_the_next_day_knows_nobody() {
    let app = TestApp::start().await;
    let mut nobody = app.visitor();
    nobody.consent = "none";
    app.clock.advance(14 * HOUR_MS + 50 * MINUTE_MS); // 23:50 UTC
    nobody.visit("/before").await;
    app.clock.advance(20 * MINUTE_MS);
    nobody.visit("/after").await;
    // Somebody else, who was not there before midnight, is known by the new day's salt at once.
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0";
    let other = app.client.with("user-agent", agent);
    other.post("/v1/hit", &nobody.hit("/other")).await.expect(202);
    app.clock.advance(31 * MINUTE_MS);
    other.post("/v1/hit", &nobody.hit("/other")).await.expect(202);
    nobody.visit("/again").await;
    let hits = hits(&app).await;
    let [before, after, first, second, again] = &hits[..] else { panic!("{hits:?}") };
    assert_eq!((before.visitor, before.session), (after.visitor, after.session), "one visit");
    assert_eq!(first.visitor, second.visitor, "the same day knows its visitors");
    assert!(before.visitor != again.visitor && before.session != again.session, "another day, another visit");
    assert_ne!(first.visitor, again.visitor);

    assert_eq!(app.count("salts").await, 2);
    app.later(DAY_MS).await;
    assert_eq!(app.count("salts").await, 1, "what is older than yesterday is thrown away");
    app.later(DAY_MS).await;
    assert_eq!(app.count("salts").await, 0);
}
