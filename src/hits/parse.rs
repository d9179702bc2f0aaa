//! Reads what a browser sent. Nothing in it is believed before it stands in a [`Hit`].

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value as Json;

use super::{Address, Clamped, Error, Hit};
use crate::base::consent::Consent;
use crate::base::ids::{HitId, VisitorId};
use crate::base::time::{DAY_MS, Timestamp};

/// The default for the most hits in one body.
pub const BATCH_MOST: usize = 20;

const NAME_MOST: usize = 120;
const TITLE_MOST: usize = 300;
const PROPS_MOST: usize = 30;
const PROP_VALUE_MOST: usize = 500;
/// Longest text of a question for consent: its very words are kept.
const CONSENT_TEXT_MOST: usize = 4_000;
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
    "embudo_c",
];

/// A text that is borrowed from the body wherever it holds no escapes. (An `Option<Cow<str>>` would always be copied.)
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    site: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    url: Option<Text<'a>>,
    #[serde(borrow, default)]
    referrer: Option<Text<'a>>,
    #[serde(borrow, default)]
    title: Option<Text<'a>>,
    #[serde(borrow, default)]
    visitor: Option<Text<'a>>,
    #[serde(borrow, default)]
    consent: Option<Text<'a>>,
    #[serde(borrow, default)]
    language: Option<Text<'a>>,
    #[serde(borrow, default)]
    bot: Option<Text<'a>>,
    #[serde(default)]
    props: Option<serde_json::Map<String, Json>>,
    #[serde(default)]
    engaged_ms: Option<f64>,
    #[serde(default)]
    scroll: Option<f64>,
    #[serde(default)]
    age_ms: Option<f64>,
}

/// Reads a body: one hit, or a list of at most `most`.
///
/// # Errors
/// [`Error::Malformed`], [`Error::TooMany`], or [`Error::Field`] for the first hit that is impossible; then none counts.
pub fn parse(body: &[u8], most: usize, now: Timestamp) -> Result<Vec<Hit>, Error> {
    let body = std::str::from_utf8(body).map_err(|error| Error::Malformed(error.to_string()))?;
    read(body, most, now).or_else(|error| match (error, mended(body)) {
        (Error::Malformed(_), Some(mended)) => read(&mended, most, now),
        (error, _) => Err(error),
    })
}

fn read(body: &str, most: usize, now: Timestamp) -> Result<Vec<Hit>, Error> {
    let malformed = |error: serde_json::Error| Error::Malformed(error.to_string());
    if !body.trim_ascii_start().starts_with('[') {
        return Ok(vec![hit(serde_json::from_str(body).map_err(malformed)?, now)?]);
    }
    let raws: Vec<Raw<'_>> = serde_json::from_str(body).map_err(malformed)?;
    match raws.len() {
        0 => Err(Error::Malformed("the list is empty".to_owned())),
        length if length > most => Err(Error::TooMany { most }),
        _ => raws.into_iter().map(|raw| hit(raw, now)).collect(),
    }
}

/// The body with halves of characters (`\ud83d` alone) replaced, if there are any. A title that was cut within an emoji
/// has one, and browsers write it as it is; JSON readers do not take it.
fn mended(body: &str) -> Option<String> {
    let unit = |at: usize| {
        let digits = body.get(at..)?.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let (mut mended, mut from, mut at) = (String::new(), 0, 0);
    while let Some(found) = body.get(at..).and_then(|rest| rest.find('\\')) {
        at += found;
        let next = match unit(at) {
            Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => at + 12,
            Some(0xd800..=0xdfff) => {
                mended.push_str(body.get(from..at)?);
                mended.push_str("\\ufffd");
                from = at + 6;
                from
            }
            // Two characters of an escape, or one and a bit of what is broken anyway.
            _ => at + 1 + body.get(at + 1..)?.chars().next().map_or(0, char::len_utf8),
        };
        at = next;
    }
    mended.push_str(body.get(from..)?);
    (from > 0).then_some(mended)
}

fn hit(raw: Raw<'_>, now: Timestamp) -> Result<Hit, Error> {
    let id = required(raw.id, "id")?;
    let site = required(raw.site, "site")?;
    let name = required(raw.name, "name")?;
    if name.trim().is_empty() || name.chars().count() > NAME_MOST || name.chars().any(char::is_control) {
        return Err(Error::Field {
            field: "name",
            problem: "must have 1 to 120 characters, none of them a control character",
        });
    }
    let url = required(raw.url, "url")?;
    let url = Address::parse(&url).ok_or(Error::Field {
        field: "url",
        problem: "must be an http or https address of at most 2048 characters",
    })?;
    let consent = match raw.consent.as_ref().map(|text| &*text.0) {
        None | Some("none") => Consent::None,
        Some("analytics") => Consent::Analytics,
        Some("full") => Consent::Full,
        Some(_) => return Err(Error::Field { field: "consent", problem: "must be none, analytics or full" }),
    };
    let visitor = raw
        .visitor
        .filter(|_| consent != Consent::None)
        .map(|text| VisitorId::parse(&text.0))
        .transpose()
        .map_err(|_| Error::Field { field: "visitor", problem: "must be a UUID" })?;
    let props = raw.props.unwrap_or_default();
    if props.len() > PROPS_MOST {
        return Err(Error::Field { field: "props", problem: "must have at most 30 members" });
    }
    let text_most = if name.trim() == super::CONSENT { CONSENT_TEXT_MOST } else { PROP_VALUE_MOST };
    // A hit waits in a client's queue for a page or two; whoever says more has a wrong clock.
    let said_ms = raw.age_ms.map_or(0, whole);
    let age_ms = said_ms.clamp(0, DAY_MS);
    let clamped = match said_ms {
        _ if said_ms == age_ms => None,
        ..0 => Some(Clamped::Future),
        _ => Some(Clamped::TooOld),
    };
    Ok(Hit {
        id: HitId::parse(&id).map_err(|_| Error::Field { field: "id", problem: "must be a UUID" })?,
        site: site.into_owned(),
        name: name.trim().to_owned(),
        at: now.plus_ms(-age_ms),
        clamped,
        host: url.host().to_owned(),
        path: url.path_without(|name| MARKS.contains(&name)),
        title: raw.title.map(|title| clean(&title.0, TITLE_MOST)).filter(|title| !title.is_empty()),
        referrer: raw.referrer.and_then(|text| Address::parse(&text.0)),
        url,
        visitor,
        consent,
        language: raw.language.map(|language| clean(&language.0, 35)).filter(|language| !language.is_empty()),
        engaged_ms: raw.engaged_ms.map_or(0, whole).clamp(0, ENGAGED_MOST_MS),
        scroll: raw.scroll.map_or(0, whole).clamp(0, 100),
        is_automated: raw.bot.is_some_and(|mark| !mark.0.is_empty()),
        props: Json::Object(props.into_iter().filter_map(|told| prop(told, text_most)).collect()),
    })
}

fn required<'a>(value: Option<Text<'a>>, field: &'static str) -> Result<Cow<'a, str>, Error> {
    value.map(|text| text.0).ok_or(Error::Field { field, problem: "is missing" })
}

/// A number without its fraction; what is too large is the largest.
#[allow(clippy::cast_possible_truncation, reason = "a cast from a float saturates")]
fn whole(number: f64) -> i64 {
    number as i64
}

/// A text without control characters, cut to `most` characters.
fn clean(text: &str, most: usize) -> String {
    // As many bytes are no more characters.
    if text.len() <= most && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return text.trim().to_owned();
    }
    text.chars().filter(|letter| !letter.is_control()).take(most).collect::<String>().trim().to_owned()
}

fn prop((name, value): (String, Json), most: usize) -> Option<(String, Json)> {
    let name = clean(&name, NAME_MOST);
    let value = match value {
        Json::String(text) => Json::String(clean(&text, most)),
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
    fn half_a_character_is_replaced_and_the_hit_is_taken() {
        let title = |escaped: &str| one(&format!(r#","title":"{escaped}""#)).map(|hit| hit.title);
        let read = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(title(r"a \ud83d"), read("a \u{fffd}"));
        assert_eq!(title(r"\ud83d\ud83d\ude00 \\ud83d \ude00"), read("\u{fffd}\u{1f600} \\ud83d \u{fffd}"));
        assert!(matches!(title(r"\ud8"), Err(Error::Malformed(_))));
        assert!(matches!(title(r"\udzzz \ud83d"), Err(Error::Malformed(_))));
    }

    #[test]
    fn a_time_that_cannot_be_is_told_and_put_right() {
        let read =
            |age: &str| one(&format!(r#","age_ms":{age}"#)).map(|hit| (hit.at, hit.clamped)).expect("valid");
        let now = Timestamp(1_000_000);
        assert_eq!(read("0.7"), (now, None));
        assert_eq!(read("86400000"), (now.plus_ms(-DAY_MS), None));
        assert_eq!(read("86400001"), (now.plus_ms(-DAY_MS), Some(Clamped::TooOld)));
        assert_eq!(read("1e300"), (now.plus_ms(-DAY_MS), Some(Clamped::TooOld)));
        assert_eq!(read("-31536000000"), (now, Some(Clamped::Future)));
    }

    #[test]
    fn a_browser_that_is_driven_says_so() {
        assert!(one(r#","bot":"webdriver""#).expect("valid").is_automated);
        for person in ["", r#","bot":null"#, r#","bot":"""#] {
            assert!(!one(person).expect("valid").is_automated, "{person}");
        }
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
