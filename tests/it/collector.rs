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
