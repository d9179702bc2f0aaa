//! The collector: what is worked out about a hit.

use std::net::Ipv4Addr;

use crate::support::app::{TestApp, set};
use crate::support::mmdb;

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
    app.run_jobs().await;
    let hits = embudo::hits::after(&app.app.stores.hits, &app.app.words, 0, 10).await.expect("read");
    let found: Vec<(String, Option<String>)> =
        hits.iter().map(|hit| (hit.path.clone(), hit.country.clone())).collect();
    let expected = [("/spain", Some("ES")), ("/mexico", Some("MX")), ("/nowhere", None)];
    assert_eq!(found, expected.map(|(path, country)| (path.to_owned(), country.map(str::to_owned))));
    app.run_jobs().await;
    let mut kept = format!("{hits:?}");
    for text in ["select * from visits", "select * from visitors", "select * from activities"] {
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
async fn scripts_answer_who_only_asks_for_the_head() {
    let app = TestApp::start().await;
    for script in ["/e.js", "/launcher.js", "/chat.js", "/forms.js"] {
        let head = app.client.send(reqwest::Method::HEAD, script, None).await.expect(200);
        assert!(head.body.is_empty());
        assert_eq!(head.header("content-type"), "text/javascript; charset=utf-8");
    }
}

#[tokio::test]
async fn a_visit_goes_on_after_a_restart_and_what_was_acknowledged_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = {
        let file = folder.path().join("embudo.toml");
        let text = format!(
            "[storage]\ndata = {:?}\n[[site]]\nkey = \"faro\"\nname = \"Faro\"\norigins = [\"https://faro.example\"]\n",
            folder.path().join("data").display().to_string()
        );
        std::fs::write(&file, text).expect("written");
        embudo::config::Config::load(Some(&file), std::iter::empty()).expect("valid")
    };
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
            user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        };
        app.collector.take(hits, sender, clock.now()).await.expect("on disk");
        drop(app);
    }
    let app = embudo::app::App::build(config, clock).await.expect("started");
    while embudo::ingest::drain(&app.stores, &app.words).await.expect("carried") > 0 {}
    for hit in embudo::hits::after(&app.stores.hits, &app.words, 0, 10).await.expect("read") {
        sessions.push(hit.session);
    }
    assert_eq!(sessions.len(), 4, "what was acknowledged is there");
    assert!(sessions[0] == sessions[1] && sessions[1] == sessions[2], "less than 30 minutes apart");
    assert_ne!(sessions[2], sessions[3], "31 minutes later it is another visit");
}
