//! Any request to an address that a person set, through the same guard: calendars are read and written with it.

use std::net::IpAddr;

use reqwest::header::{ETAG, HeaderMap, HeaderName, LAST_MODIFIED};
use reqwest::{Method, Url};

use super::{Outbound, without_address};
use crate::base::secret::Secret;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// `GET`, `PUT`, `DELETE` or `REPORT`.
    pub method: &'static str,
    pub url: &'a Url,
    /// Login and password (RFC 7617).
    pub login: Option<(&'a str, &'a Secret)>,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<String>,
    /// More of an answer is not read.
    pub most_bytes: usize,
}

/// What was answered, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The address must not be reached.
    Forbidden,
    /// Nobody answered, or not in time.
    Unreachable(String),
    /// The answer was longer than was wanted.
    TooLarge,
}

impl Outbound {
    /// Sends one request. Redirects are not followed: their status is the answer.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn call(&self, call: &Call<'_>) -> Result<Answer, Trouble> {
        let url = call.url;
        let literal = match url.host() {
            Some(url::Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(url::Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(url::Host::Domain(_)) => None,
            None => return Err(Trouble::Forbidden),
        };
        let is_refused = literal.is_some_and(|address| !self.guard.allows(address));
        if is_refused || !matches!(url.scheme(), "http" | "https") {
            return Err(Trouble::Forbidden);
        }
        let method = Method::from_bytes(call.method.as_bytes()).map_err(|_| Trouble::Forbidden)?;
        let mut request = self.client.request(method, url.clone());
        if let Some((login, password)) = call.login {
            request = request.basic_auth(login, Some(password.expose()));
        }
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        if let Some(body) = &call.body {
            request = request.body(body.clone());
        }
        let unreachable = |error: reqwest::Error| Trouble::Unreachable(without_address(&error));
        let mut answer = request.send().await.map_err(unreachable)?;
        let is_too_large = answer
            .content_length()
            .is_some_and(|length| usize::try_from(length).map_or(true, |length| length > call.most_bytes));
        if is_too_large {
            return Err(Trouble::TooLarge);
        }
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > call.most_bytes {
                return Err(Trouble::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, etag: text(&headers, ETAG), last_modified: text(&headers, LAST_MODIFIED), body })
    }
}

/// Longest header that is kept to be sent back.
const MOST_HEADER: usize = 300;

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    (text.len() <= MOST_HEADER).then(|| text.to_owned())
}
