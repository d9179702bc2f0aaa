//! What an address of the Reports area asks: days, what they are held against, who is meant, and what a report lets choose.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::super::traffic::asked::{Compare, FILTERS_MOST, Range, day, invalid};
use super::super::traffic::board::hidden;
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::http::error::Problem;
use crate::render::Zone;
use crate::reports::journeys::Span;
use crate::reports::journeys::people::{By, Filter};
use crate::reports::traffic::{DAYS_MOST, Period};

/// What reports let choose, by its word in the address.
const CHOICES: [&str; 6] = ["by", "flow", "journey", "model", "stage", "within"];

/// An address of the area.
#[derive(Debug, Clone)]
pub struct Asked {
    range: Range,
    own: Option<Period>,
    compare: Compare,
    pub filters: Vec<Filter>,
    chosen: Vec<(&'static str, String)>,
    today: Date,
    pub zone: TimeZone,
}

impl Asked {
    /// Reads an address; days are those of the reader. What it does not know is left alone.
    ///
    /// # Errors
    /// `traffic.question_invalid` for a filter or a day that cannot be read.
    pub fn read(query: &str, zone: TimeZone, now: Timestamp) -> Result<Self, Problem> {
        let mut asked = Self {
            range: Range::Quarter,
            own: None,
            compare: Compare::Previous,
            filters: Vec::new(),
            chosen: Vec::new(),
            today: now.to_jiff().to_zoned(zone.clone()).date(),
            zone,
        };
        let (mut from, mut to) = (None, None);
        let (mut by, mut is_not, mut value) = (None, false, None);
        for (name, text) in url::form_urlencoded::parse(query.as_bytes()) {
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            match &*name {
                "range" => {
                    let known = Range::ALL.into_iter().find(|range| range.word() == text);
                    asked.range = known.unwrap_or(asked.range);
                }
                "from" => from = Some(day(text)?),
                "to" => to = Some(day(text)?),
                "compare" => {
                    let known = Compare::ALL.into_iter().find(|compare| compare.word() == text);
                    asked.compare = known.unwrap_or(asked.compare);
                }
                "filter" => asked.filters.push(filter(text)?),
                "filter_by" => by = By::of_word(text),
                "filter_not" => is_not = text == "1",
                "filter_value" => value = Some(text.to_owned()),
                name => {
                    let known = CHOICES.into_iter().find(|choice| *choice == name);
                    if let Some(choice) = known.filter(|choice| asked.chose(choice).is_none()) {
                        asked.chosen.push((choice, text.to_owned()));
                    }
                }
            }
        }
        if let (Some(by), Some(value)) = (by, value) {
            asked.filters.push(filter(&Filter { by, value, is_not }.text())?);
        }
        if asked.filters.len() > FILTERS_MOST {
            return Err(invalid(format!("At most {FILTERS_MOST} filters.")));
        }
        let own = from.map(|from| Period { from, to: to.unwrap_or(asked.today) });
        if own.is_some_and(|own| !(1..=DAYS_MOST).contains(&own.days())) {
            return Err(invalid("The first day must not be after the last one, nor ten years before it."));
        }
        asked.own = own;
        if asked.range == Range::Own && own.is_none() {
            asked.range = Range::Quarter;
        }
        Ok(asked)
    }

    /// What was chosen, if anything.
    pub fn chose(&self, choice: &str) -> Option<&str> {
        self.chosen.iter().find(|(known, _)| *known == choice).map(|(_, value)| value.as_str())
    }

    /// The days that are asked about.
    pub fn period(&self) -> Period {
        self.range.period(self.today, self.own)
    }

    /// Their moments.
    pub fn span(&self) -> Span {
        self.moments(self.period())
    }

    /// The moments of the days that they are held against.
    pub fn before(&self) -> Option<Span> {
        self.compare.with(self.period()).map(|period| self.moments(period))
    }

    fn moments(&self, period: Period) -> Span {
        let (from, to) = period.instants(&self.zone);
        Span { from, to }
    }

    /// The same with a change.
    fn but(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut other = self.clone();
        change(&mut other);
        other
    }

    /// The same with something chosen.
    pub fn choosing(&self, choice: &'static str, value: &str) -> Self {
        self.but(|asked| {
            asked.chosen.retain(|(known, _)| *known != choice);
            asked.chosen.push((choice, value.to_owned()));
        })
    }

    /// The same, only for those of whom something more holds.
    pub fn narrowed(&self, by: By, value: &str) -> Self {
        let filter = Filter { by, value: value.to_owned(), is_not: false };
        self.but(|asked| {
            if !asked.filters.contains(&filter) && asked.filters.len() < FILTERS_MOST {
                asked.filters.push(filter);
            }
        })
    }

    /// The same for another report: what only this one lets choose stays behind.
    pub fn elsewhere(&self) -> Self {
        self.but(|asked| asked.chosen.clear())
    }

    fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut said = Vec::new();
        if self.range != Range::Quarter {
            said.push(("range", self.range.word().to_owned()));
        }
        if let (Range::Own, Some(own)) = (self.range, self.own) {
            said.push(("from", own.from.to_string()));
            said.push(("to", own.to.to_string()));
        }
        if self.compare != Compare::Previous {
            said.push(("compare", self.compare.word().to_owned()));
        }
        said.extend(self.chosen.iter().cloned());
        said.extend(self.filters.iter().map(|filter| ("filter", filter.text())));
        said
    }

    /// The address of a page that asks this, with further parameters.
    pub fn address(&self, path: &str, more: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.parameters());
        query.extend_pairs(more);
        match query.finish() {
            query if query.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }

    /// The bar above a page: days, what they are held against, and, where people are told about, filters.
    pub fn bar(&self, path: &str, language: Language, has_filters: bool) -> Json {
        let zone_name = self.zone.iana_name().unwrap_or("UTC");
        let zone = Zone::named(zone_name);
        let written = |period: Period| {
            let span = self.moments(period);
            let (from, to) = (span.from.as_ms(), span.to.as_ms() - 1);
            match period.from == period.to {
                true => zone.date(from, language),
                false => format!("{} – {}", zone.date(from, language), zone.date(to, language)),
            }
        };
        let ranges = Range::ALL.into_iter().filter(|range| *range != Range::Own).map(|range| {
            let there = self.but(|asked| asked.range = range);
            json!({ "word": range.word(), "href": there.address(path, &[]), "current": self.range == range })
        });
        let compares = Compare::ALL.into_iter().map(|compare| {
            let there = self.but(|asked| asked.compare = compare);
            json!({ "word": compare.word(), "href": there.address(path, &[]), "current": self.compare == compare })
        });
        let period = self.period();
        // The form says its own range; everything else goes along.
        let others = self.but(|asked| asked.range = Range::Quarter).parameters();
        let words: Vec<&str> = By::ALL.iter().map(|by| by.word()).collect();
        let fields =
            has_filters.then(|| json!({ "words": words, "others": hidden(self.parameters()), "path": path }));
        json!({
            "range": {
                "all": ranges.collect::<Vec<_>>(),
                "compares": compares.collect::<Vec<_>>(),
                "compare": self.compare.word(),
                "word": self.range.word(),
                "from": period.from.to_string(),
                "to": period.to.to_string(),
                "written": written(period),
                "compared": self.compare.with(period).map(written),
                "zone": zone_name,
                "others": hidden(others),
                "path": path,
            },
            "fields": fields,
        })
    }

    /// The filters with the addresses that turn them round and take them away. `told` says a country in words.
    pub fn chips(&self, path: &str, told: impl Fn(By, &str) -> String) -> Json {
        let chips = self.filters.iter().enumerate().map(|(at, filter)| {
            let without = self.but(|asked| {
                asked.filters.remove(at);
            });
            let turned = self.but(|asked| {
                if let Some(filter) = asked.filters.get_mut(at) {
                    filter.is_not = !filter.is_not;
                }
            });
            json!({
                "by": filter.by.word(),
                "value": told(filter.by, &filter.value),
                "not": filter.is_not,
                "remove": without.address(path, &[]),
                "turn": turned.address(path, &[]),
            })
        });
        let none = self.but(|asked| asked.filters.clear());
        json!({
            "all": chips.collect::<Vec<_>>(),
            "clear": (self.filters.len() > 1).then(|| none.address(path, &[])),
        })
    }
}

fn filter(text: &str) -> Result<Filter, Problem> {
    if text.chars().count() > 500 {
        return Err(invalid("A filter has at most 500 characters."));
    }
    Filter::read(text).ok_or_else(|| {
        let words: Vec<&str> = By::ALL.iter().map(|by| by.word()).collect();
        invalid(format!("`{text}` is no filter: write one of {}, a colon and a value.", words.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Result<Asked, Problem> {
        let now = Timestamp::from_jiff("2026-11-23T23:30:00Z".parse().expect("a moment"));
        Asked::read(query, TimeZone::UTC, now)
    }

    #[test]
    fn an_address_says_again_what_it_was_read_from() {
        let query = "range=own&from=2026-02-01&to=2026-02-03&compare=year&stage=mql\
                     &filter=source%3Agoogle&filter=%21owner%3Amike%40faro.example";
        let read = asked(query).expect("read");
        assert_eq!(read.address("/x", &[]), format!("/x?{query}"));
        assert_eq!(read.elsewhere().chose("stage"), None);
        let period = asked("").expect("read").period();
        assert_eq!((period.from.to_string(), period.days()), ("2026-08-26".to_owned(), 90));
    }

    #[test]
    fn a_filter_can_be_put_together_in_a_form_and_only_once() {
        let read = asked("filter_by=company&filter_not=1&filter_value=acme.example").expect("read");
        assert_eq!(read.filters[0].text(), "!company:acme.example");
        let twice = read.narrowed(By::Source, "ads").narrowed(By::Source, "ads");
        assert_eq!(twice.filters.len(), 2);
        assert!(asked("filter=planet:Mars").is_err() && asked("from=2026-02-03&to=2026-02-01").is_err());
    }
}
