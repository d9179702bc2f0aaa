//! Offers as `offers.yaml` says them.

use std::collections::BTreeSet;

use crate::base::diagnostic::Report;
use crate::base::expr::Type;
use crate::base::localized::Localized;
use crate::base::time::Timestamp;
use crate::base::yaml::{self, View};
use crate::scoring::condition::{Condition, STAGE};
use crate::stages::Names;

/// Longest beginning of a code.
const PREFIX_MOST: usize = 12;

/// The offers of one deployment.
#[derive(Debug, Clone, Default)]
pub struct Definition {
    /// The offers, in the order of the file.
    pub offers: Vec<Offer>,
}

/// One offer.
#[derive(Debug, Clone)]
pub struct Offer {
    /// Its name.
    pub id: String,
    /// What it is called.
    pub title: Localized,
    /// What one gets.
    pub text: Localized,
    /// Stages whose people may take it; empty means any.
    pub stages: Vec<String>,
    /// Segments whose people may take it; empty means any, several mean one of them.
    pub segments: Vec<String>,
    /// What else must be so.
    pub condition: Option<Condition>,
    /// From when on it can be taken.
    pub from: Option<Timestamp>,
    /// Until when.
    pub until: Option<Timestamp>,
    /// How many people can take it.
    pub quota: Option<i64>,
    /// How long a code is good once it was given.
    pub valid_ms: Option<i64>,
    /// What codes begin with.
    pub prefix: String,
}

impl Definition {
    /// Reads and checks the offers; everything that is wrong goes to the report. Stages and segments are checked by name
    /// if they are known.
    pub fn parse(
        path: &str,
        text: &str,
        known: &Names,
        segments: Option<&BTreeSet<String>>,
        report: &Report,
    ) -> Option<Self> {
        let doc = yaml::parse(path, text, report)?;
        let mut map = doc.view(report).map()?;
        let names = known.words();
        let segments = segments.map(|segments| segments.iter().map(String::as_str).collect::<Vec<_>>());
        let stage = names.as_ref().map_or(Type::String, |names| Type::one_of(names.iter().copied()));
        let symbols = STAGE.clone().field("stage", stage);
        let (aliases, lists) = (&known.aliases, &known.lists);
        let mut seen: Vec<String> = Vec::new();
        let mut offers: Vec<Offer> = Vec::new();
        for view in map.required("offers").and_then(View::list).unwrap_or_default() {
            let Some(mut one) = view.map() else { continue };
            let id = one.required("id").and_then(|view| {
                let id = view.str()?;
                if !yaml::is_name(&id) {
                    return view.wrong("a name of small letters, digits, `_` and `-`");
                }
                if seen.contains(&id) {
                    view.error("O101", format!("the offer \"{id}\" stands twice")).done();
                }
                seen.push(id.clone());
                Some(id)
            });
            let title = one.required("title").and_then(Localized::read);
            let words = one.required("text").and_then(Localized::read);
            let of_stages =
                one.optional("stages").map(|view| declared(view, names.as_deref(), "O102", "stage"));
            let of_stages = of_stages.map(|stages| {
                let name = |stage: String| aliases.get(&stage).cloned().unwrap_or(stage);
                stages.into_iter().map(name).collect()
            });
            let of_segments =
                one.optional("segments").map(|view| declared(view, segments.as_deref(), "O103", "segment"));
            let condition =
                one.optional("if").map(|view| Condition::read_about(view, &symbols, lists, aliases));
            let from = one.optional("from").map(moment);
            let until = one.optional("until").map(moment);
            let quota = one.optional("quota").map(|view| {
                view.parsed("a whole number from 1 on", |text| {
                    text.parse().ok().filter(|most: &i64| *most > 0)
                })
            });
            let valid_ms = one.optional("valid").map(|view| {
                let length = view.duration_ms()?;
                if length > 0 { Some(length) } else { view.wrong("a length of time above 0") }
            });
            let prefix = one.optional("prefix").map(|view| {
                let is_plain = |text: &str| {
                    text.len() <= PREFIX_MOST
                        && text.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
                };
                view.parsed("at most 12 capital letters and digits", |text| {
                    is_plain(text).then(|| text.to_owned())
                })
            });
            if let (Some(Some(from)), Some(Some(until))) = (from, until)
                && from >= until
            {
                one.report.error(one.at, "O104", "the offer ends before it begins").done();
            }
            one.finish();
            if let (Some(id), Some(title), Some(text)) = (id, title, words) {
                offers.push(Offer {
                    id,
                    title,
                    text,
                    stages: of_stages.unwrap_or_default(),
                    segments: of_segments.unwrap_or_default(),
                    condition: condition.flatten(),
                    from: from.flatten(),
                    until: until.flatten(),
                    quota: quota.flatten(),
                    valid_ms: valid_ms.flatten(),
                    prefix: prefix.flatten().unwrap_or_default(),
                });
            }
        }
        map.finish();
        (!report.has_errors()).then_some(Self { offers })
    }

    /// The offer of this name.
    pub fn find(&self, id: &str) -> Option<&Offer> {
        self.offers.iter().find(|offer| offer.id == id)
    }
}

/// Names that have to be declared elsewhere, if it is known which are.
fn declared(view: View<'_>, known: Option<&[&str]>, code: &'static str, what: &str) -> Vec<String> {
    let names = view.one_or_more().into_iter().filter_map(|view| {
        let name = view.str()?;
        if let Some(known) = known.filter(|known| !known.contains(&name.as_str())) {
            view.error(code, format!("there is no {what} \"{name}\""))
                .did_you_mean(&name, known.iter().copied());
        }
        Some(name)
    });
    names.collect()
}

/// A moment with its offset or zone (RFC 3339, RFC 9557), such as `2026-12-31T23:59:59[Europe/Madrid]`.
fn moment(view: View<'_>) -> Option<Timestamp> {
    view.parsed("a moment like 2026-12-31T23:59:59[Europe/Madrid] or 2026-12-31T22:59:59Z", |text| {
        let instant = text
            .parse::<jiff::Zoned>()
            .map(|zoned| zoned.timestamp())
            .or_else(|_| text.parse::<jiff::Timestamp>())
            .ok()?;
        Some(Timestamp(instant.as_millisecond()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages;

    fn found(text: &str) -> Vec<String> {
        let report = Report::new();
        let lifecycle = include_str!("../../config/lifecycle.yaml");
        let lifecycle = stages::Definition::parse("lifecycle.yaml", lifecycle, &report).expect("valid");
        let segments = ["missed_webinar", "customers"].map(str::to_owned).into();
        Definition::parse("offers.yaml", text, &lifecycle.names(), Some(&segments), &report);
        report.diagnostics().into_iter().map(|d| format!("{}:{} {}", d.line, d.col, d.code)).collect()
    }

    #[test]
    fn the_shipped_offers_are_sound() {
        assert_eq!(found(include_str!("../../config/offers.yaml")), Vec::<String>::new());
    }

    #[test]
    fn every_mistake_has_its_place() {
        let wrong = "\
offers:
  - {id: a, title: x, text: y, stages: [mql, sqll]}
  - {id: b, title: x, text: y, segments: [customer]}
  - {id: c, title: x, text: y, until: tomorrow, quota: 0, prefix: 'no no'}
  - {id: d, title: x, text: y, from: 2026-12-31T00:00:00Z, until: 2026-12-30T00:00:00Z}
";
        let codes: Vec<String> = found(wrong);
        let of = |line: &str| codes.iter().filter(|c| c.starts_with(line)).count();
        assert_eq!((of("2:"), of("3:"), of("4:"), of("5:")), (1, 1, 3, 1), "{codes:?}");
        assert!(codes[0].ends_with("O102") && codes[1].ends_with("O103"));
    }
}
