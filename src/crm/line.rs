//! One request to a CRM, and what its answer means. Status codes alone do not tell: a limit may hide in a 400, and an answer
//! that never came may have done what was asked.

use serde_json::Value as Json;

use super::Connection;
use crate::base::time::{HOUR_MS, MINUTE_MS, SECOND_MS};
use crate::notify::{Answer, Error, Outbound};

/// More of an answer is not read: a list of deals may have some hundred of them.
const MOST_BYTES: usize = 1024 * 1024;
/// Of what a CRM says is wrong, in characters.
const MOST_WORDS: usize = 200;
/// Longest pause that a CRM may ask for.
const PAUSE_MOST_MS: i64 = 24 * HOUR_MS;

/// Why a request did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// What it is about is not there (any more).
    Gone,
    /// Something like it is there already.
    Duplicate(String),
    /// It asks for so much time, and has done nothing.
    Throttled { wait_ms: i64, why: String },
    /// It does not know us, or lets us do nothing.
    Locked(String),
    /// Nobody knows whether it has done it.
    Unsure(String),
    /// It never will.
    Refused(String),
}

impl Fault {
    /// As the queue understands it.
    pub fn into_error(self) -> Error {
        match self {
            Self::Gone => Error::Refused("it is not there any more".to_owned()),
            Self::Duplicate(why) => Error::Deferred(format!("it seems to be there already: {why}")),
            Self::Throttled { wait_ms, why } => Error::Throttled { why, wait_ms },
            Self::Locked(why) => {
                Error::Deferred(format!("the CRM does not let us in ({why}); look at the token in crm.yaml"))
            }
            Self::Unsure(why) => Error::Unreachable(why),
            Self::Refused(why) => Error::Refused(why),
        }
    }
}

/// The way to one CRM.
pub(crate) struct Line<'a> {
    outbound: &'a Outbound,
    pub connection: &'a Connection,
}

impl<'a> Line<'a> {
    pub fn new(outbound: &'a Outbound, connection: &'a Connection) -> Self {
        Self { outbound, connection }
    }

    /// Asks for a path below the connection's address.
    pub async fn ask(&self, method: &'static str, path: &str, body: Option<&Json>) -> Result<Json, Fault> {
        let connection = self.connection;
        let address = format!("{}{path}", connection.base);
        let mut headers = connection.crm.headers(connection.token.expose());
        headers.push(("accept", "application/json".to_owned()));
        if body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let answer = self.outbound.ask(method, &address, &headers, body, MOST_BYTES).await;
        match answer {
            Ok(answer) => match meaning(&answer) {
                // Nothing is not the same as "there is none".
                Ok(Json::Null) if method == "GET" => Err(Fault::Unsure("the answer is empty".to_owned())),
                meant => meant,
            },
            // Not a byte has left.
            Err(Error::Refused(why) | Error::Unwritable(why)) => Err(Fault::Refused(why)),
            Err(Error::Unreachable(why)) => Err(Fault::Unsure(why)),
            Err(error) => Err(Fault::Unsure(error.to_string())),
        }
    }

    /// Asks for something that may not be there.
    pub async fn look(&self, path: &str) -> Result<Option<Json>, Fault> {
        match self.ask("GET", path, None).await {
            Ok(found) => Ok(Some(found)),
            Err(Fault::Gone) => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}

/// What an answer means.
fn meaning(answer: &Answer) -> Result<Json, Fault> {
    let body: Json = serde_json::from_str(&answer.body).unwrap_or(Json::Null);
    let said = words(&body);
    let why = if said.is_empty() { answer.status.to_string() } else { format!("{}: {said}", answer.status) };
    if let Some(wait_ms) = limited(answer, &body) {
        return Err(Fault::Throttled { wait_ms, why });
    }
    let is_twice = ["not unique", "already exists", "already been taken", "has already been"]
        .iter()
        .any(|sign| said.to_lowercase().contains(sign));
    match answer.status {
        // What cannot be read has happened all the same.
        200..300 if body.is_null() && !answer.body.trim().is_empty() => {
            Err(Fault::Unsure("the answer is no JSON, or longer than is read".to_owned()))
        }
        200..300 => Ok(body),
        404 | 410 => Err(Fault::Gone),
        400 | 409 | 422 if is_twice || answer.status == 409 => Err(Fault::Duplicate(why)),
        401 | 403 => Err(Fault::Locked(why)),
        408 | 425 | 500..600 => Err(Fault::Unsure(why)),
        _ => Err(Fault::Refused(why)),
    }
}

/// How long to leave it alone, if it says so: by its status, or in a 400 whose body tells of a 429 (Freshsales), or by the
/// kind of error (HubSpot).
fn limited(answer: &Answer, body: &Json) -> Option<i64> {
    let text = |path: &str| body.pointer(path).and_then(Json::as_str).unwrap_or_default();
    let kinds = [text("/errorType"), text("/category"), text("/errors/0/category")];
    let is_kind = kinds.iter().any(|kind| matches!(*kind, "RATE_LIMIT" | "RATE_LIMITS"));
    let code = body.pointer("/errors/code").or_else(|| body.pointer("/code"));
    let is_hidden = answer.status == 400
        && (answer.body.contains("response_code :: 429")
            || answer.body.contains("response_code::429")
            || code.and_then(Json::as_i64) == Some(429));
    let is_failure = answer.status >= 400 || (answer.status == 207 && is_kind);
    if answer.status != 429 && !(is_failure && (is_kind || is_hidden)) {
        return None;
    }
    let asked = answer.wait_ms.or(answer.reset_ms);
    let unasked = match text("/policyName") {
        "DAILY" => HOUR_MS,
        "TEN_SECONDLY_ROLLING" => 10 * SECOND_MS,
        _ => MINUTE_MS,
    };
    Some(asked.unwrap_or(unasked).clamp(SECOND_MS, PAUSE_MOST_MS))
}

/// What a CRM says is wrong, without what it repeats of people.
fn words(body: &Json) -> String {
    let places = [
        "/error",
        "/message",
        "/errors/message/0",
        "/errors/message",
        "/errors/0/message",
        "/errors/0",
        "/error_info",
        "/description",
    ];
    let said = places.into_iter().find_map(|place| body.pointer(place).and_then(Json::as_str));
    let said = said.unwrap_or_default();
    // Addresses are left out, and whatever stands in quotes: it is what was sent.
    let mut out = String::new();
    let mut is_quoted = false;
    for word in said.split_whitespace() {
        let quotes = word.chars().filter(|c| matches!(c, '"' | '“' | '”')).count();
        let is_theirs = is_quoted || quotes > 0 || word.contains('@');
        is_quoted ^= quotes % 2 == 1;
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(if is_theirs { "…" } else { word });
    }
    out.chars().filter(|c| !c.is_control()).take(MOST_WORDS).collect()
}

/// A number or a text, as text: CRMs give ids either way.
pub(super) fn id_of(value: Option<&Json>) -> Option<String> {
    let value = value?;
    let text = value.as_str().map(str::to_owned).or_else(|| value.as_i64().map(|number| number.to_string()));
    text.filter(|id| is_id(id))
}

/// Whether a text may stand in an address as an id.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// An id where the other side wants a number.
pub(super) fn number(text: &str) -> Json {
    text.parse::<i64>().map_or_else(|_| Json::from(text), Json::from)
}

/// A value in the query of an address.
pub(super) fn query(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> Result<Json, Fault> {
        meaning(&Answer { status, wait_ms: None, reset_ms: None, body: body.to_owned() })
    }

    #[test]
    fn a_limit_is_known_in_each_of_its_forms() {
        for (status, body, wait_ms) in [
            (429, "", MINUTE_MS),
            (400, r#"{"errors":{"code":400,"message":["Error :: response_code :: 429"]}}"#, MINUTE_MS),
            (400, r#"{"errors":{"code":429,"message":["limit"]}}"#, MINUTE_MS),
            (429, r#"{"errorType":"RATE_LIMIT","policyName":"TEN_SECONDLY_ROLLING"}"#, 10 * SECOND_MS),
            (429, r#"{"errorType":"RATE_LIMIT","policyName":"DAILY"}"#, HOUR_MS),
            (207, r#"{"errors":[{"category":"RATE_LIMITS"}]}"#, MINUTE_MS),
        ] {
            let Err(Fault::Throttled { wait_ms: waits, .. }) = answered(status, body) else {
                panic!("{body}")
            };
            assert_eq!(waits, wait_ms, "{body}");
        }
        let told = Answer { status: 429, wait_ms: Some(7_000), reset_ms: Some(2_000), body: String::new() };
        assert!(matches!(meaning(&told), Err(Fault::Throttled { wait_ms: 7_000, .. })));
        let told = Answer { wait_ms: None, ..told };
        assert!(matches!(meaning(&told), Err(Fault::Throttled { wait_ms: 2_000, .. })));
        assert!(matches!(answered(400, r#"{"error":"no"}"#), Err(Fault::Refused(_))));
    }

    #[test]
    fn what_is_told_of_a_mistake_names_nobody() {
        let said = r#"{"errors":{"code":400,"message":["Email nikki@acme.example of \"Nikki Grantham\" is not unique"]}}"#;
        let Err(Fault::Duplicate(why)) = answered(400, said) else { panic!("a duplicate") };
        assert_eq!(why, "400: Email … of … … is not unique");
    }

    #[test]
    fn what_nobody_knows_is_told_from_what_was_refused() {
        assert!(matches!(answered(502, ""), Err(Fault::Unsure(_))));
        assert!(matches!(answered(200, "<html>"), Err(Fault::Unsure(_))));
        assert!(matches!(answered(403, ""), Err(Fault::Locked(_))));
        assert!(matches!(answered(404, ""), Err(Fault::Gone)));
        assert_eq!(answered(204, ""), Ok(Json::Null));
        assert_eq!(id_of(Some(&Json::from(7))).as_deref(), Some("7"));
        assert_eq!(id_of(Some(&Json::from("7/../x"))), None);
    }
}
