//! A small HTTP client that speaks as a page of the site does, and keeps the whole answer.

use std::pin::Pin;

use futures_util::{Stream, StreamExt, stream};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, redirect};
use serde_json::Value;

/// Sends requests to one server; follows no redirect.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    headers: HeaderMap,
}

impl Client {
    pub fn new(url: &str) -> Self {
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            // The app that is asked speaks plain HTTP: nobody's certificates need reading.
            .tls_certs_only([])
            .build()
            .expect("a client without options that can fail");
        Self { http, url: url.to_owned(), headers: HeaderMap::new() }
    }

    /// The same client, sending this header with every request.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        let name: HeaderName = name.parse().expect("a header's name");
        client.headers.insert(name, HeaderValue::from_str(value).expect("a header's value"));
        client
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(("text/plain;charset=UTF-8", body.to_string().into_bytes()))).await
    }

    /// Posts the fields of an HTML form.
    pub async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send(Method::POST, path, Some(("application/x-www-form-urlencoded", body.into_bytes()))).await
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<(&str, Vec<u8>)>) -> Answer {
        let mut request =
            self.http.request(method, format!("{}{path}", self.url)).headers(self.headers.clone());
        if let Some((kind, bytes)) = body {
            request = request.header("content-type", kind).body(bytes);
        }
        let response = request.send().await.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        Answer {
            path: path.to_owned(),
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await.unwrap_or_else(|error| panic!("{path}: {error}")),
        }
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub path: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|_| panic!("{}: {} is not JSON: {}", self.path, self.status, self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The answer, if it has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.path, self.body);
        self
    }

    /// The answer's JSON, if it has this status.
    #[track_caller]
    pub fn expect_json(self, status: u16) -> Value {
        self.expect(status).json()
    }

    /// Holds the answer to a problem document with this status and code.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Value {
        let answer = self.expect(status);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{}", answer.path);
        let document = answer.json();
        assert_eq!(document["code"], code, "{}: {document}", answer.path);
        assert_eq!(document["status"], status, "{}: {document}", answer.path);
        for member in ["title", "detail"] {
            let is_said = document[member].as_str().is_some_and(|text| !text.is_empty());
            assert!(is_said, "{}: no {member} in {document}", answer.path);
        }
        document
    }
}

/// The frames of an event stream, by name.
pub type Frames = Pin<Box<dyn Stream<Item = (String, Value)>>>;

/// Reads an event stream.
pub fn frames(answer: reqwest::Response) -> Frames {
    let blocks = stream::unfold((answer, String::new()), |(mut answer, mut rest)| async move {
        loop {
            if let Some((block, after)) = rest.split_once("\n\n") {
                let (block, after) = (block.to_owned(), after.to_owned());
                return Some((block, (answer, after)));
            }
            let chunk = answer.chunk().await.ok()??;
            rest.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    });
    Box::pin(blocks.map(|block| {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
        let data: Value = serde_json::from_str(field("data: ").expect("data")).expect("JSON");
        let id = field("id: ").map(|id| id.parse::<i64>().expect("a number"));
        assert_eq!(
            id,
            data["seq"].as_i64(),
            "the number of an entry, and of nothing else, is the block's id"
        );
        (field("event: ").expect("a name").to_owned(), data)
    }))
}
