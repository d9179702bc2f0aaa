//! What the address of the list asks for, and how it is written again.

use serde_json::{Value as Json, json};

use super::super::frame::{Reader, address};
use super::PATH;
use crate::accounts::Account;
use crate::base::ids::{AccountId, CompanyId};
use crate::base::time::{DAY_MS, Timestamp};
use crate::contacts::words::Sought;
use crate::gates;
use crate::reports::people::{NO_OWNER, Order, Place, Search};
use crate::subscriptions::State;

/// Longest search and longest value of a filter, in characters.
const LONGEST: usize = 100;
/// The filters that the form offers, in the order of their chips.
const FILTERS: [&str; 9] =
    ["stage", "owner", "segment", "company", "country", "letters", "source", "campaign", "seen"];
/// What else stands in the address: what was typed, the order and where the page begins.
const PARAMETERS: [&str; 3] = ["q", "sort", "after"];
/// Days that somebody was seen within, or (negative) not seen for.
pub const SEEN: [i64; 6] = [1, 7, 30, -30, -90, -365];

/// What the address asks for.
pub struct Asked {
    pub search: Search,
    pub order: Order,
    pub after: Option<Place>,
    /// What was typed.
    pub text: Option<String>,
    /// The filters that are understood, by name, as they stand in the address.
    filters: Vec<(&'static str, String)>,
    /// Whether there is nothing else in the address.
    pub is_understood: bool,
}

impl Asked {
    /// Reads an address's parameters; a filter that cannot be understood counts as none.
    pub fn read(reader: &Reader, query: &str) -> Self {
        let given: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (name.into_owned(), value.trim().chars().take(LONGEST).collect()))
            .collect();
        let of = |name: &str| {
            given
                .iter()
                .find(|(known, value)| known == name && !value.is_empty())
                .map(|(_, value)| value.clone())
        };
        let mut search = Search::default();
        let mut filters = Vec::new();
        let is_known = |name: &str| FILTERS.contains(&name) || PARAMETERS.contains(&name);
        let mut names: Vec<&str> = given.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let mut is_understood = names.iter().all(|name| is_known(name))
            && names.windows(2).all(|pair| pair.first() != pair.last());
        for name in FILTERS {
            if let Some(value) = of(name).and_then(|value| take(reader, &mut search, name, value)) {
                filters.push((name, value));
            } else if of(name).is_some() {
                is_understood = false;
            }
        }
        let text = of("q");
        search.text = text.as_deref().map(Sought::read);
        let order = of("sort").and_then(|word| Order::of_word(&word)).unwrap_or_default();
        let after = given.iter().find(|(name, _)| name == "after");
        let after = after.and_then(|(_, place)| Place::read(order, place));
        Self { search, order, after, text, filters, is_understood }
    }

    /// Whether anything but the text and the order is asked for.
    pub fn is_filtered(&self) -> bool {
        !self.filters.is_empty()
    }

    /// The value of a filter as it stands in the address.
    pub fn filter(&self, name: &str) -> Option<&str> {
        self.filters.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// The address's parameters, with some of them another value or none.
    fn parameters(&self, but: &[(&'static str, Option<String>)]) -> Vec<(&'static str, Option<String>)> {
        let changed =
            |name: &str| but.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        let own = |name: &'static str| match name {
            "q" => self.text.clone(),
            "sort" => {
                Some(self.order).filter(|order| *order != Order::default()).map(|it| it.word().to_owned())
            }
            name => self.filter(name).map(str::to_owned),
        };
        let names = ["q"].into_iter().chain(FILTERS).chain(["sort"]);
        let mut parameters: Vec<_> =
            names.map(|name| (name, changed(name).unwrap_or_else(|| own(name)))).collect();
        // Where a page begins is true of one question only.
        if let Some(after) = changed("after") {
            parameters.push(("after", after));
        }
        parameters
    }

    /// The address of the list, with some parameters another value or none.
    pub fn address(&self, but: &[(&'static str, Option<String>)]) -> String {
        address(PATH, &self.parameters(but))
    }

    /// What stands in the address after the `?`, from the list's beginning.
    pub fn query(&self) -> String {
        let address = self.address(&[]);
        address.split_once('?').map_or_else(String::new, |(_, query)| query.to_owned())
    }

    /// Fields that a form sends along so that everything but these stays as it is.
    pub fn hidden(&self, but: &[&str]) -> Vec<Json> {
        let kept = self.parameters(&[]).into_iter().filter(|(name, _)| !but.contains(name));
        kept.filter_map(|(name, value)| Some(json!({ "name": name, "value": value? }))).collect()
    }

    /// The filters as chips, each with the way to do without it.
    pub fn chips(&self, reader: &Reader, accounts: &[Account], company: Option<&str>) -> Vec<Json> {
        let chip = |(name, value): &(&'static str, String)| {
            json!({
                "by": name,
                "value": said(reader, accounts, company, name, value),
                "remove": self.address(&[(name, None)]),
            })
        };
        self.filters.iter().map(chip).collect()
    }
}

/// Puts one filter into the search; returns the value if it is understood.
fn take(reader: &Reader, search: &mut Search, name: &str, mut value: String) -> Option<String> {
    let app = &reader.app;
    match name {
        "stage" => {
            app.lifecycle.named(&mut value);
            search.stage = Some(value.clone());
        }
        "owner" => {
            let owner = match value.as_str() {
                "me" => reader.account.id.to_string(),
                NO_OWNER => NO_OWNER.to_owned(),
                id => AccountId::parse(id).ok()?.to_string(),
            };
            search.owner = Some(owner);
        }
        "segment" => search.segment = Some(app.desk.segments.find(&value)?.id.clone()),
        "company" => search.company = Some(CompanyId::parse(&value).ok()?),
        "country" => {
            value = Some(value.to_uppercase()).filter(|code| gates::is_country(code))?;
            search.country = Some(value.clone());
        }
        "letters" => {
            let (topic, state) = value.split_once(':')?;
            let state = State::of_word(state)?;
            search.topic = Some((app.desk.topics.find(topic)?.id.clone(), state));
        }
        "source" => search.source = Some(value.clone()),
        "campaign" => search.campaign = Some(value.clone()),
        "seen" => {
            let days: i64 = value.parse().ok().filter(|days| SEEN.contains(days))?;
            search.seen = match days > 0 {
                true => (reader.now.plus_ms(-days * DAY_MS), Timestamp(i64::MAX)),
                false => (Timestamp(0), reader.now.plus_ms(days * DAY_MS)),
            };
        }
        _ => return None,
    }
    Some(value)
}

/// A filter's value in words.
fn said(reader: &Reader, accounts: &[Account], company: Option<&str>, name: &str, value: &str) -> String {
    let text = |key: String| reader.text(&key);
    let words = match name {
        "stage" => text(format!("console.stage.{value}")),
        "owner" if value == "me" => text("console.contacts.owner_me".to_owned()),
        "owner" if value == NO_OWNER => text("console.contacts.owner_none".to_owned()),
        "owner" => accounts.iter().find(|it| it.id.to_string() == value).map(|account| account.name.clone()),
        "segment" => {
            let segment = reader.app.desk.segments.find(value);
            segment.map(|segment| segment.label.get(reader.account.language).to_owned())
        }
        "company" => company.map(str::to_owned),
        "country" => text(format!("countries.{value}")),
        "letters" => value.split_once(':').map(|(topic, state)| {
            let state = text(format!("console.contacts.letters_{state}")).unwrap_or_default();
            format!("{}: {state}", reader.names().topic(topic))
        }),
        "seen" => text(format!("console.contacts.seen_{}", value.replace('-', "not_"))),
        _ => None,
    };
    words.unwrap_or_else(|| value.to_owned())
}
