//! The way that led to a form: the page it stands on, and the visit during which it was sent.

use std::collections::BTreeMap;

use super::store;
use crate::base::ids::VisitorId;
use crate::base::time::{DAY_MS, Timestamp};
use crate::hits::{self, Address};
use crate::storage::Result;
use crate::storage::db::Queries;

/// What hidden fields may be filled with, by the names of `from` in `forms.yaml`.
pub const NAMES: [&str; 17] = [
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_term",
    "utm_content",
    "channel",
    "gclid",
    "fbclid",
    "msclkid",
    "ttclid",
    "twclid",
    "li_fat_id",
    "click_id",
    "referrer",
    "entry_page",
    "page",
    CTA,
];

/// The call to action that led to a form, by its name.
const CTA: &str = "cta";

/// What the name of a click on a call to action begins with: `data-embudo-event="cta:NAME"`.
pub const CTA_EVENT: &str = "cta:";

/// The click ids of advertisers' networks.
const CLICKS: [&str; 6] = ["gclid", "fbclid", "msclkid", "ttclid", "twclid", "li_fat_id"];

/// Longest value that is kept, in characters.
const MOST_CHARS: usize = 200;

/// What is known of the way, by [`NAMES`].
pub type Attribution = BTreeMap<String, String>;

/// Works it out: what the page's own address says goes before what the visit says.
///
/// # Errors
/// As the store says.
pub async fn of(
    q: &mut impl Queries,
    visitor: Option<VisitorId>,
    page: Option<&str>,
    referrer: Option<&str>,
    now: Timestamp,
) -> Result<Attribution> {
    let mut told = of_page(page, referrer);
    let Some(visitor) = visitor else { return Ok(told) };
    let Some(visit) = store::latest_visit(q, visitor, now.plus_ms(-DAY_MS)).await? else { return Ok(told) };
    let origin = &visit.origin;
    let numbers = [
        ("utm_source", origin.source),
        ("utm_medium", origin.medium),
        ("utm_campaign", origin.campaign),
        ("utm_term", origin.term),
        ("utm_content", origin.content),
        ("channel", Some(origin.channel)),
        ("referrer", origin.referrer),
        ("entry_page", visit.entry),
    ];
    // Whatever was followed last in this visit led here, unless the address of the page says what did.
    let steps: Vec<i64> = visit.trail.steps.iter().map(|step| step.name).collect();
    let wanted = numbers.iter().filter_map(|(_, number)| *number).chain(steps.iter().copied());
    let texts = hits::texts_of(q, wanted).await?;
    let followed = steps.iter().rev().filter_map(|step| texts.get(step)?.strip_prefix(CTA_EVENT)).next();
    if let Some(cta) = followed.filter(|_| !told.contains_key(CTA)) {
        told.insert(CTA.to_owned(), plain(cta));
    }
    for (name, number) in numbers {
        let text = number.and_then(|number| texts.get(&number)).filter(|text| !text.is_empty());
        let is_better = matches!(name, "referrer" | "entry_page" | "channel") || !told.contains_key(name);
        if let Some(text) = text.filter(|_| is_better) {
            told.insert(name.to_owned(), plain(text));
        }
    }
    Ok(told)
}

fn of_page(page: Option<&str>, referrer: Option<&str>) -> Attribution {
    let mut told = Attribution::new();
    let mut tell = |name: &str, text: &str| {
        let text = plain(text);
        if !text.is_empty() && !told.contains_key(name) {
            told.insert(name.to_owned(), text);
        }
    };
    let page = page.and_then(Address::parse);
    let referrer = referrer.and_then(Address::parse);
    if let Some(page) = &page {
        for (name, value) in page.query_pairs() {
            if is_of_the_way(&name) && !CLICKS.contains(&&*name) {
                tell(&name, &value);
            }
            if CLICKS.contains(&&*name) {
                tell(&name, &value);
                tell("click_id", &value);
            }
        }
        tell("page", page.path());
        let source = hits::source_of(page, referrer.as_ref());
        tell("channel", source.channel.word());
    }
    // Its query may hold what somebody searched for elsewhere.
    if let Some(referrer) =
        referrer.filter(|referrer| page.as_ref().is_none_or(|page| page.host() != referrer.host()))
    {
        tell("referrer", &format!("{}{}", referrer.host(), referrer.path()));
    }
    told
}

/// Whether a parameter of a page's address tells of the way that led there: campaign marks, click ids, a call to action.
pub fn is_of_the_way(name: &str) -> bool {
    name == CTA || CLICKS.contains(&name) || (name.starts_with("utm_") && NAMES.contains(&name))
}

/// A text of an address as people may read it: short, and on one line.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MOST_CHARS).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_tells_its_campaign_its_click_and_where_one_came_from() {
        let told = of_page(
            Some("https://faro.example/guia?utm_source=letter&utm_campaign=spring%0Afair&gclid=Cj0&x=1"),
            Some("https://www.example.org/post?q=secret"),
        );
        let told: Vec<(&str, &str)> =
            told.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        assert_eq!(
            told,
            [
                ("channel", "paid"),
                ("click_id", "Cj0"),
                ("gclid", "Cj0"),
                ("page", "/guia"),
                ("referrer", "www.example.org/post"),
                ("utm_campaign", "springfair"),
                ("utm_source", "letter"),
            ]
        );
        assert!(of_page(Some("nonsense"), None).is_empty());
        let inside = of_page(Some("https://faro.example/b"), Some("https://faro.example/a"));
        assert!(!inside.contains_key("referrer"), "the site itself is no referrer");
    }
}
