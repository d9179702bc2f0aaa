//! What of ours can be written into a CRM's own fields: the closed list of names that `crm.yaml` may use.

use super::Thing;
use crate::scoring::BANT;

/// Names that mean one thing.
const FIXED: &[(&str, &[&str])] = &[
    (
        "contact",
        &[
            "id",
            "email",
            "first_name",
            "last_name",
            "name",
            "language",
            "time_zone",
            "stage",
            "stage_since",
            "link",
            "created_at",
        ],
    ),
    ("company", &["id", "name", "domain", "employees", "kind", "industry", "country", "revenue"]),
    ("deal", &["id", "name", "status", "opened_at"]),
    (
        "call",
        &[
            "id",
            "meeting",
            "title",
            "starts_at",
            "ends_at",
            "rep",
            "location",
            "notes",
            "transcript",
            "state",
        ],
    ),
    (
        "visit",
        &[
            "first_channel",
            "first_source",
            "first_campaign",
            "first_page",
            "last_channel",
            "last_source",
            "last_campaign",
            "count",
            "summary",
        ],
    ),
];

/// Names that go on with a name of the company's own: `field.job_title`, `consent.marketing`.
const FREE: &[&str] = &["field", "consent"];

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source(String);

impl Source {
    /// As it is written: `contact.email`.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// What may be written into the fields of a thing.
    pub fn parse(text: &str, thing: Thing) -> Option<Self> {
        let (area, name) = text.split_once('.')?;
        let is_fixed = FIXED.iter().any(|(known, names)| *known == area && names.contains(&name));
        let is_bant = area == "bant" && (name == "summary" || BANT.contains(&name));
        let is_free = FREE.contains(&area)
            && !name.is_empty()
            && name.len() <= 64
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.'));
        let is_offered = areas(thing).contains(&area);
        (is_offered && (is_fixed || is_bant || is_free)).then(|| Self(text.to_owned()))
    }

    /// What could have been meant.
    pub fn offered(thing: Thing) -> Vec<String> {
        let fixed = FIXED.iter().filter(|(area, _)| areas(thing).contains(area));
        let mut names: Vec<String> =
            fixed.flat_map(|(area, names)| names.iter().map(move |name| format!("{area}.{name}"))).collect();
        if areas(thing).contains(&"bant") {
            names.extend(BANT.iter().chain(&["summary"]).map(|name| format!("bant.{name}")));
        }
        let free = ["field.job_title", "field.phone", "consent.marketing"];
        let is_known = |name: &&str| areas(thing).iter().any(|area| name.split('.').next() == Some(*area));
        names.extend(free.iter().filter(|name| is_known(name)).map(|name| (*name).to_owned()));
        names
    }
}

/// What is known when a thing is written. A company and its deal are not one person's: nothing that only she said of herself
/// goes into a company.
fn areas(thing: Thing) -> &'static [&'static str] {
    match thing {
        Thing::Company => &["company"],
        Thing::Contact => &["contact", "company", "bant", "field", "consent", "visit"],
        Thing::Deal => &["deal", "company", "contact", "bant", "field", "visit"],
        Thing::Activity => &["call", "deal", "company", "contact", "bant", "field", "visit"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_taken_only_where_it_is_known() {
        assert!(Source::parse("contact.email", Thing::Contact).is_some());
        assert!(Source::parse("field.job_title", Thing::Deal).is_some());
        assert!(Source::parse("bant.budget", Thing::Contact).is_some());
        for (text, thing) in [
            ("contact.email", Thing::Company),
            ("contact.shoe_size", Thing::Contact),
            ("call.starts_at", Thing::Deal),
            ("field.", Thing::Contact),
            ("field.{{x}}", Thing::Contact),
            ("email", Thing::Contact),
        ] {
            assert_eq!(Source::parse(text, thing), None, "{text}");
        }
        for thing in Thing::ALL {
            for name in Source::offered(thing) {
                assert!(Source::parse(&name, thing).is_some(), "{name}");
            }
        }
    }
}
