//! What is sent to the collector by those who mean no good, or by machines that are out of order: each gets a clear answer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use embudo::base::time::DAY_MS;
use embudo::hits::Dropped;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::{TestApp, set};

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).and_then(|()| encoder.finish()).expect("a vector takes every byte")
}

async fn post(app: &TestApp, encoding: &str, kind: &str, body: &[u8]) -> Answer {
    let client = match encoding {
        "" => app.client.clone(),
        encoding => app.client.with("content-encoding", encoding),
    };
    client.send(Method::POST, "/v1/hit", Some((kind, body.to_vec()))).await
}

/// A hit with one member set to this JSON, which need not be possible.
fn with(app: &TestApp, member: &str, json: &str) -> Vec<u8> {
    let mut hit = app.visitor().hit("/");
    hit[member] = json!("@");
    hit.to_string().replacen("\"@\"", json, 1).into_bytes()
}

#[tokio::test]
async fn a_packed_body_is_unpacked_and_no_further_than_allowed() {
    // Made first: packing takes longer than an idle connection is kept.
    let bomb = gzip(&vec![b' '; 4_000_000]);
    let app = TestApp::start().await;
    let hit = || app.visitor().hit("/").to_string().into_bytes();
    post(&app, "gzip", "text/plain", &gzip(&hit())).await.expect(202);
    post(&app, "identity", "application/json", &hit()).await.expect(202);
    assert_eq!(app.count("hits").await, 2);

    let whole = gzip(&hit());
    assert!(bomb.len() < 65_536);
    let cases: [(&str, &[u8], u16, &str, &str); 6] = [
        ("gzip", &bomb, 413, "request.too_large", "too_large"),
        ("gzip", &whole[..whole.len() - 9], 400, "request.malformed", "malformed"),
        ("gzip", &hit(), 400, "request.malformed", "malformed"),
        ("gzip", b"", 400, "request.malformed", "malformed"),
        ("br", &whole, 415, "request.encoding_unknown", "encoding"),
        ("gzip, gzip", &gzip(&whole), 415, "request.encoding_unknown", "encoding"),
    ];
    for (encoding, body, status, code, dropped) in cases {
        let answer = post(&app, encoding, "text/plain", body).await;
        assert_eq!(answer.header("x-embudo-dropped"), dropped, "{encoding}");
        answer.expect_problem(status, code);
    }
    assert_eq!(app.count("hits").await, 2);
}

#[tokio::test]
async fn what_the_type_says_does_not_matter() {
    let app = TestApp::start().await;
    for kind in ["text/plain", "application/json", "application/octet-stream", "image/png", "nonsense"] {
        post(&app, "", kind, app.visitor().hit("/").to_string().as_bytes()).await.expect(202);
    }
}

#[tokio::test]
async fn every_kind_of_nonsense_gets_a_clear_answer() {
    let app = TestApp::start().await;
    let before = app.census().await;
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(9_000), close.repeat(9_000));
    let long = format!("\"https://faro.example/{}\"", "a".repeat(1_000_000));
    let cases: Vec<(&str, Vec<u8>, u16, &str, &str)> = vec![
        ("lists in lists", deep("[", "]").into_bytes(), 400, "hit.malformed", "malformed"),
        ("deep properties", with(&app, "props", &deep("{\"a\":", "}")), 400, "hit.malformed", "malformed"),
        ("zeros", vec![0; 1_000], 400, "hit.malformed", "malformed"),
        ("no text", with(&app, "title", "\"\u{1}\""), 400, "hit.malformed", "malformed"),
        (
            "invalid UTF-8",
            [b"{\"id\":\"".as_slice(), &[0xc3, 0x28], b"\"}"].concat(),
            400,
            "hit.malformed",
            "malformed",
        ),
        ("a long address", with(&app, "url", &long), 413, "request.too_large", "too_large"),
        (
            "a too long address",
            with(&app, "url", &format!("\"https://faro.example/{}\"", "a".repeat(3_000))),
            400,
            "hit.field",
            "field",
        ),
        ("a number that is none", with(&app, "age_ms", "NaN"), 400, "hit.malformed", "malformed"),
        ("a number too large", with(&app, "age_ms", "1e999"), 400, "hit.malformed", "malformed"),
        ("a name of controls", with(&app, "name", "\"a\\u0000b\""), 400, "hit.field", "field"),
        (
            "two hits without a list",
            [app.visitor().hit("/").to_string(), app.visitor().hit("/").to_string()].concat().into_bytes(),
            400,
            "hit.malformed",
            "malformed",
        ),
        ("a site of another name", with(&app, "site", "\"fargo\""), 404, "site.unknown", "unknown_site"),
        (
            "a page of somebody else",
            with(&app, "url", "\"https://evil.example/\""),
            403,
            "site.foreign_origin",
            "foreign_origin",
        ),
        (
            "a page that looks like ours",
            with(&app, "url", "\"https://faro.example@evil.example/\""),
            403,
            "site.foreign_origin",
            "foreign_origin",
        ),
        (
            "too many",
            Value::Array(vec![app.visitor().hit("/"); 21]).to_string().into_bytes(),
            400,
            "hit.too_many",
            "too_many",
        ),
    ];
    for (what, body, status, code, dropped) in &cases {
        println!("{what}");
        let answer = post(&app, "", "text/plain", body).await;
        assert_eq!(answer.header("x-embudo-dropped"), *dropped, "{what}");
        assert!(answer.header("access-control-expose-headers").contains("x-embudo-dropped"));
        answer.expect_problem(*status, code);
    }
    assert_eq!(app.census().await, before);
    let counted = app.get("/metrics").await.expect(200).body;
    for reason in Dropped::ALL {
        let count = cases.iter().filter(|case| case.4 == reason.word()).count();
        let line = format!("embudo_hits_dropped_total{{reason=\"{}\"}} {count}", reason.word());
        assert!(counted.lines().any(|found| found == line), "{line}: {counted}");
    }
}

#[tokio::test]
async fn what_is_odd_and_can_be_read_is_taken() {
    let app = TestApp::start().await;
    let odd: &[(&str, &str)] = &[
        ("title", r#""a title cut within an emoji \ud83d""#),
        ("title", r#""with \u0000 a zero""#),
        ("referrer", "\"\""),
        ("referrer", r#""not an address""#),
        ("props", r#"{"a":{"deep":[1,2]},"b":"\udc00","c":1e300}"#),
        ("age_ms", "31536000000"),
        ("age_ms", "-31536000000"),
        ("age_ms", "0.25"),
        ("scroll", "1e9"),
        ("unknown", "[[[[]]]]"),
    ];
    for (member, json) in odd {
        println!("{member}: {json}");
        post(&app, "", "text/plain", &with(&app, member, json)).await.expect(202);
    }
    while embudo::ingest::drain(&app.app.stores, &app.app.words).await.expect("carried") > 0 {}
    let kept = crate::support::hits::all(&app.app).await;
    assert_eq!(kept.len(), odd.len());
    assert_eq!(kept[0].title.as_deref(), Some("a title cut within an emoji \u{fffd}"));
    assert_eq!(kept[1].title.as_deref(), Some("with  a zero"));
    assert_eq!(kept[5].at, app.now().plus_ms(-DAY_MS), "a clock that is a year behind");
    assert_eq!(kept[6].at, app.now(), "a clock that is a year ahead");
    assert_eq!(kept[8].scroll, 100);
    let counted = app.get("/metrics").await.expect(200).body;
    for line in
        ["embudo_hits_clamped_total{reason=\"too_old\"} 1", "embudo_hits_clamped_total{reason=\"future\"} 1"]
    {
        assert!(counted.lines().any(|found| found == line), "{line}: {counted}");
    }
}

#[tokio::test]
async fn too_many_requests_say_so_and_are_counted() {
    let app = TestApp::start_with(|settings| set(settings, "collector", "hits_burst", 2)).await;
    let report = async || app.post("/v1/hit", &app.visitor().hit("/")).await;
    report().await.expect(202);
    report().await.expect(202);
    let refused = report().await;
    assert_eq!(refused.header("x-embudo-dropped"), "rate_limited");
    assert_ne!(refused.header("retry-after"), "");
    refused.expect_problem(429, "limit.too_many");
}

#[tokio::test]
async fn a_body_that_trickles_is_not_waited_for() {
    let app = TestApp::start_with(|settings| set(settings, "collector", "body_timeout_ms", 100)).await;
    let address = app.url.trim_start_matches("http://").to_owned();
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(&address).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        let head = format!("POST /v1/hit HTTP/1.1\r\nhost: {address}\r\ncontent-length: 500\r\n\r\n[{{");
        stream.write_all(head.as_bytes()).expect("sent");
        let mut answer = String::new();
        // The server closes the connection, or this would not end.
        stream.read_to_string(&mut answer).expect("answered and closed");
        answer
    });
    let answer = answer.await.expect("read");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    for part in ["x-embudo-dropped: too_slow", "connection: close", "request.too_slow"] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
    let counted = app.get("/metrics").await.expect(200).body;
    assert!(counted.contains("embudo_hits_dropped_total{reason=\"too_slow\"} 1"), "{counted}");
}

#[tokio::test]
async fn half_a_head_is_not_waited_for() {
    let app = TestApp::start_with(|settings| set(settings, "server", "head_timeout_ms", 1_500)).await;
    let address = app.url.trim_start_matches("http://").to_owned();
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(&address).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        stream.write_all(b"GET /health/live HTTP/1.1\r\nhost: faro.example\r\nx-slow: ").expect("sent");
        let mut answer = String::new();
        // The server closes the connection, or this would not end.
        stream.read_to_string(&mut answer).expect("answered and closed");
        answer
    });
    let answer = answer.await.expect("read");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    app.get("/health/live").await.expect(200);
}

#[tokio::test]
async fn a_connection_that_rested_is_still_there_for_the_proxy_that_takes_it_up_again() {
    let app = TestApp::start().await;
    let address = app.url.trim_start_matches("http://").to_owned();
    let answers = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(&address).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        let mut ask = || {
            stream.write_all(b"GET /health/live HTTP/1.1\r\nhost: faro.example\r\n\r\n").expect("sent");
            let mut answer = [0; 4_096];
            let length = stream.read(&mut answer).expect("answered");
            String::from_utf8_lossy(&answer[..length]).into_owned()
        };
        let first = ask();
        std::thread::sleep(Duration::from_secs(8));
        [first, ask()]
    });
    for answer in answers.await.expect("asked") {
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
    }
}

#[test]
fn a_crowd_finds_room_before_it_is_let_in() {
    let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").expect("Linux");
    let crowd = most.trim().parse::<usize>().expect("a number").min(1_000);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    embudo::http::make_room(&listener).expect("listens");
    let address = listener.local_addr().expect("bound");
    // Nobody takes them over: those for whom there is no room hear nothing at all.
    let patience = Duration::from_millis(500);
    let inside: Vec<_> = (0..crowd).map(|_| TcpStream::connect_timeout(&address, patience)).collect();
    let outside = inside.iter().filter(|connected| connected.is_err()).count();
    assert_eq!(outside, 0, "of {crowd}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_who_come_at_once_each_is_answered_and_nobody_is_cut_off() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let app = TestApp::start().await;
    let address = app.url.trim_start_matches("http://").to_owned();
    let tasks: Vec<_> = (0..1_000)
        .map(|_| {
            let address = address.clone();
            tokio::spawn(async move {
                let mut stream = tokio::net::TcpStream::connect(&address).await.expect("connected");
                let head = format!(
                    "GET /v1/slots?meeting=nothing HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).await.expect("sent");
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await.expect("answered and closed");
                answer
            })
        })
        .collect();
    for task in tasks {
        let answer = task.await.expect("no panic");
        assert!(answer.starts_with("HTTP/1.1 404 ") || answer.starts_with("HTTP/1.1 429 "), "{answer}");
    }
}
