//! Reads what a browser sent. Nothing in it is believed before it stands in a [`Hit`].

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value as Json;
use url::Url;

use super::{Error, Hit};
use crate::base::consent::Consent;
use crate::base::ids::{HitId, VisitorId};
use crate::base::time::{DAY_MS, Timestamp};

/// The default for the most hits in one body.
pub const BATCH_MOST: usize = 20;

const URL_MOST: usize = 2_048;
const NAME_MOST: usize = 120;
const TITLE_MOST: usize = 300;
const PROPS_MOST: usize = 30;
const PROP_VALUE_MOST: usize = 500;
/// A page cannot have been looked at for longer than this between two reports.
const ENGAGED_MOST_MS: i64 = DAY_MS;

/// Parameters that mark a campaign or a click; they say where somebody came from and not which page it is.
const MARKS: &[&str] = &[
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_term",
    "utm_content",
    "gclid",
    "gbraid",
    "wbraid",
    "fbclid",
    "msclkid",
    "ttclid",
    "li_fat_id",
    "twclid",
    "mc_cid",
    "mc_eid",
    "embudo_t",
];

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    site: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    url: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    referrer: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    title: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    visitor: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    consent: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    language: Option<Cow<'a, str>>,
    #[serde(default)]
    props: Option<serde_json::Map<String, Json>>,
    #[serde(default)]
    engaged_ms: Option<i64>,
    #[serde(default)]
    scroll: Option<i64>,
    #[serde(default)]
    age_ms: Option<i64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Body<'a> {
    #[serde(borrow)]
    One(Box<Raw<'a>>),
    #[serde(borrow)]
    Many(Vec<Raw<'a>>),
}

/// Reads a body: one hit, or a list of at most `most`.
///
/// # Errors
/// [`Error::Malformed`], [`Error::TooMany`], or [`Error::Field`] for the first hit that is impossible; then none counts.
pub fn parse(body: &[u8], most: usize, now: Timestamp) -> Result<Vec<Hit>, Error> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let raw = match first {
        Some(b'[') => serde_json::from_slice(body).map(Body::Many),
        _ => serde_json::from_slice(body).map(Body::One),
    };
    match raw.map_err(|error| Error::Malformed(error.to_string()))? {
        Body::One(raw) => Ok(vec![hit(*raw, now)?]),
        Body::Many(raws) if raws.is_empty() => Err(Error::Malformed("the list is empty".to_owned())),
        Body::Many(raws) if raws.len() > most => Err(Error::TooMany { most }),
        Body::Many(raws) => raws.into_iter().map(|raw| hit(raw, now)).collect(),
    }
}

fn hit(raw: Raw<'_>, now: Timestamp) -> Result<Hit, Error> {
    let id = required(raw.id, "id")?;
    let site = required(raw.site, "site")?;
    let name = required(raw.name, "name")?;
    if name.trim().is_empty() || name.len() > NAME_MOST || name.chars().any(char::is_control) {
        return Err(Error::Field { field: "name", problem: "must have 1 to 120 characters" });
    }
    let url = required(raw.url, "url")?;
    let url = web_address(&url).ok_or(Error::Field {
        field: "url",
        problem: "must be an http or https address of at most 2048 characters",
    })?;
    let consent = match raw.consent.as_deref() {
        None | Some("none") => Consent::None,
        Some("analytics") => Consent::Analytics,
        Some("full") => Consent::Full,
        Some(_) => return Err(Error::Field { field: "consent", problem: "must be none, analytics or full" }),
    };
    let visitor = raw
        .visitor
        .filter(|_| consent != Consent::None)
        .map(|text| VisitorId::parse(&text))
        .transpose()
        .map_err(|_| Error::Field { field: "visitor", problem: "must be a UUID" })?;
    let props = raw.props.unwrap_or_default();
    if props.len() > PROPS_MOST {
        return Err(Error::Field { field: "props", problem: "must have at most 30 members" });
    }
    // A hit waits in a client's queue for a page or two; whoever says more has a wrong clock.
    let age_ms = raw.age_ms.unwrap_or(0).clamp(0, DAY_MS);
    Ok(Hit {
        id: HitId::parse(&id).map_err(|_| Error::Field { field: "id", problem: "must be a UUID" })?,
        site: site.into_owned(),
        name: name.trim().to_owned(),
        at: now.plus_ms(-age_ms),
        host: url.host_str().unwrap_or_default().to_owned(),
        path: path_of(&url),
        title: raw.title.map(|title| clean(&title, TITLE_MOST)).filter(|title| !title.is_empty()),
        referrer: raw.referrer.as_deref().and_then(web_address),
        url,
        visitor,
        consent,
        language: raw.language.map(|language| clean(&language, 35)).filter(|language| !language.is_empty()),
        engaged_ms: raw.engaged_ms.unwrap_or(0).clamp(0, ENGAGED_MOST_MS),
        scroll: raw.scroll.unwrap_or(0).clamp(0, 100),
        props: Json::Object(props.into_iter().filter_map(prop).collect()),
    })
}

fn required<'a>(value: Option<Cow<'a, str>>, field: &'static str) -> Result<Cow<'a, str>, Error> {
    value.ok_or(Error::Field { field, problem: "is missing" })
}

fn web_address(text: &str) -> Option<Url> {
    if text.len() > URL_MOST {
        return None;
    }
    let mut url =
        Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())?;
    // Nobody's password belongs into a log.
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some(url)
}

fn path_of(url: &Url) -> String {
    let kept: Vec<(Cow<'_, str>, Cow<'_, str>)> =
        url.query_pairs().filter(|(name, _)| !MARKS.contains(&name.as_ref())).collect();
    if kept.is_empty() {
        return url.path().to_owned();
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish();
    format!("{}?{query}", url.path())
}

/// A text without control characters, cut to `most` characters.
fn clean(text: &str, most: usize) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(most).collect::<String>().trim().to_owned()
}

fn prop((name, value): (String, Json)) -> Option<(String, Json)> {
    let name = clean(&name, NAME_MOST);
    let value = match value {
        Json::String(text) => Json::String(clean(&text, PROP_VALUE_MOST)),
        value @ (Json::Bool(_) | Json::Number(_)) => value,
        // Lists and objects cannot be counted by value.
        Json::Null | Json::Array(_) | Json::Object(_) => return None,
    };
    (!name.is_empty()).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn one(more: &str) -> Result<Hit, Error> {
        let body = format!(
            r#"{{"id":"{ID}","site":"faro","name":"page","url":"https://faro.example/en/?utm_source=x&page=2"{more}}}"#
        );
        parse(body.as_bytes(), BATCH_MOST, Timestamp(1_000_000)).map(|mut hits| hits.remove(0))
    }

    #[test]
    fn a_page_view_is_read_and_campaign_marks_are_not_part_of_the_page() {
        let hit = one(r#","title":" Home\n","age_ms":400"#).expect("valid");
        assert_eq!(hit.path, "/en/?page=2");
        assert_eq!(hit.title.as_deref(), Some("Home"));
        assert_eq!(hit.at, Timestamp(999_600));
    }

    #[test]
    fn without_consent_a_visitor_is_not_taken_over() {
        let visitor = format!(r#","visitor":"{ID}""#);
        assert_eq!(one(&visitor).expect("valid").visitor, None);
        let consented = format!(r#"{visitor},"consent":"analytics""#);
        assert!(one(&consented).expect("valid").visitor.is_some());
    }

    #[test]
    fn what_is_impossible_is_named() {
        let refused = |body: &str| parse(body.as_bytes(), 2, Timestamp(0)).expect_err("refused");
        assert!(matches!(refused("nonsense"), Error::Malformed(_)));
        assert!(matches!(refused("[]"), Error::Malformed(_)));
        assert!(matches!(refused("{}"), Error::Field { field: "id", .. }));
        assert!(matches!(one(r#","consent":"maybe""#), Err(Error::Field { field: "consent", .. })));
        let address = format!(r#"{{"id":"{ID}","site":"faro","name":"page","url":"javascript:alert(1)"}}"#);
        assert!(matches!(refused(&address), Error::Field { field: "url", .. }));
        let hit = format!(r#"{{"id":"{ID}","site":"faro","name":"page","url":"https://faro.example/"}}"#);
        assert!(matches!(refused(&format!("[{hit},{hit},{hit}]")), Error::TooMany { most: 2 }));
    }

    proptest::proptest! {
        #[test]
        fn no_body_makes_the_reader_panic(body in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            drop(parse(&body, BATCH_MOST, Timestamp(0)));
        }
    }
}
