//! What an address of the Traffic area asks: a site, a range of days, what it is compared with, filters, and what is shown.
//!
//! Everything stands in the address, so that every view can be kept, sent to a colleague and gone back to.

use jiff::civil::Date;

use crate::base::time::Timestamp;
use crate::http::error::Problem;
use crate::reports::traffic::{self, DAYS_MOST, Filter, Interval, Period};
use crate::sessions::Dimension;
use crate::sites::Site;

/// Most filters of one address.
pub const FILTERS_MOST: usize = 10;
/// Longest period that is drawn by the hour, and by the day.
const BY_HOUR_MOST: i64 = 7;
const BY_DAY_MOST: i64 = 92;
const BY_DAY_WISHED_MOST: i64 = 366;

/// Which days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    Today,
    Yesterday,
    Week,
    Month30,
    Quarter,
    /// From the first of this month on.
    Month,
    /// From the first of January on.
    Year,
    Own,
}

impl Range {
    pub const ALL: [Self; 8] = [
        Self::Today,
        Self::Yesterday,
        Self::Week,
        Self::Month30,
        Self::Quarter,
        Self::Month,
        Self::Year,
        Self::Own,
    ];

    /// The word in the address.
    pub fn word(self) -> &'static str {
        match self {
            Self::Today => "today",
            Self::Yesterday => "yesterday",
            Self::Week => "7d",
            Self::Month30 => "30d",
            Self::Quarter => "90d",
            Self::Month => "month",
            Self::Year => "year",
            Self::Own => "own",
        }
    }

    /// Its days, seen from today; one's own are given.
    pub fn period(self, today: Date, own: Option<Period>) -> Period {
        let back = |days: i64| traffic::date_of(traffic::day_number(today) - days);
        let (from, to) = match self {
            Self::Today => (today, today),
            Self::Yesterday => (back(1), back(1)),
            Self::Week => (back(6), today),
            Self::Month30 => (back(29), today),
            Self::Quarter => (back(89), today),
            Self::Month => (today.first_of_month(), today),
            Self::Year => (today.first_of_year(), today),
            Self::Own => return own.unwrap_or(Period { from: back(29), to: today }),
        };
        Period { from, to }
    }
}

/// What the numbers are held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    Previous,
    Year,
    None,
}

impl Compare {
    pub const ALL: [Self; 3] = [Self::Previous, Self::Year, Self::None];

    pub fn word(self) -> &'static str {
        match self {
            Self::Previous => "previous",
            Self::Year => "year",
            Self::None => "none",
        }
    }

    /// The days that some are held against.
    pub fn with(self, period: Period) -> Option<Period> {
        match self {
            Self::Previous => Some(period.previous()),
            Self::Year => Some(period.year_before()),
            Self::None => None,
        }
    }
}

/// What the chart draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    Visitors,
    Visits,
    Views,
    PerVisit,
    Bounces,
    Engaged,
}

impl Metric {
    pub const ALL: [Self; 6] =
        [Self::Visitors, Self::Visits, Self::Views, Self::PerVisit, Self::Bounces, Self::Engaged];

    pub fn word(self) -> &'static str {
        match self {
            Self::Visitors => "visitors",
            Self::Visits => "visits",
            Self::Views => "views",
            Self::PerVisit => "per_visit",
            Self::Bounces => "bounces",
            Self::Engaged => "engaged",
        }
    }
}

/// The words of how a curve is cut.
pub const INTERVALS: [(Interval, &str); 3] =
    [(Interval::Hour, "hour"), (Interval::Day, "day"), (Interval::Week, "week")];

/// An address of the area.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The site's key; none where the address itself says which (a shared link).
    pub site: Option<String>,
    pub range: Range,
    /// The days of a range of one's own.
    pub own: Option<Period>,
    pub compare: Compare,
    pub filters: Vec<Filter>,
    pub metric: Metric,
    interval: Option<Interval>,
    /// The tabs that were chosen, by their words.
    pub tabs: Vec<String>,
    today: Date,
}

impl Asked {
    /// Reads an address. What it does not know is left alone.
    ///
    /// # Errors
    /// `traffic.question_invalid` for a filter or a day that cannot be read.
    pub fn read(query: &str, site: &Site, names_site: bool, now: Timestamp) -> Result<Self, Problem> {
        let today = now.to_jiff().to_zoned(site.zone()).date();
        let mut asked = Self {
            site: names_site.then(|| site.key.clone()),
            range: Range::Month30,
            own: None,
            compare: Compare::Previous,
            filters: Vec::new(),
            metric: Metric::Visitors,
            interval: None,
            tabs: Vec::new(),
            today,
        };
        let (mut from, mut to) = (None, None);
        // A filter that was put together in the form: by what, whether not, and which value.
        let (mut by, mut is_not, mut value) = (None, false, None);
        for (name, text) in url::form_urlencoded::parse(query.as_bytes()) {
            let text = text.trim();
            match &*name {
                "range" => {
                    asked.range =
                        Range::ALL.into_iter().find(|range| range.word() == text).unwrap_or(asked.range);
                }
                "from" if !text.is_empty() => from = Some(day(text)?),
                "to" if !text.is_empty() => to = Some(day(text)?),
                "compare" => {
                    let known = Compare::ALL.into_iter().find(|compare| compare.word() == text);
                    asked.compare = known.unwrap_or(asked.compare);
                }
                "metric" => {
                    let known = Metric::ALL.into_iter().find(|metric| metric.word() == text);
                    asked.metric = known.unwrap_or(asked.metric);
                }
                "by" => {
                    asked.interval = INTERVALS.into_iter().find(|(_, word)| *word == text).map(|(by, _)| by);
                }
                "show" if asked.tabs.len() < 8 => asked.tabs.push(text.to_owned()),
                "filter" => asked.filters.push(filter(text)?),
                "filter_by" => by = Dimension::of_word(text),
                "filter_not" => is_not = text == "1",
                "filter_value" if !text.is_empty() => value = Some(text.to_owned()),
                _ => {}
            }
        }
        if let (Some(by), Some(value)) = (by, value) {
            asked.filters.push(filter(&format!("{}{}:{value}", if is_not { "!" } else { "" }, by.word()))?);
        }
        if asked.filters.len() > FILTERS_MOST {
            return Err(invalid(format!("At most {FILTERS_MOST} filters.")));
        }
        let to = to.unwrap_or(today);
        let own = from.map(|from| Period { from, to });
        if own.is_some_and(|own| !(1..=DAYS_MOST).contains(&own.days())) {
            return Err(invalid("The first day must not be after the last one, nor ten years before it."));
        }
        asked.own = own;
        if asked.range == Range::Own && own.is_none() {
            asked.range = Range::Month30;
        }
        Ok(asked)
    }

    /// The days that are asked about.
    pub fn period(&self) -> Period {
        self.range.period(self.today, self.own)
    }

    /// The days that they are held against.
    pub fn compared(&self) -> Option<Period> {
        self.compare.with(self.period())
    }

    /// Whether the last day is still going on.
    pub fn is_going_on(&self) -> bool {
        self.period().to >= self.today
    }

    /// How the curve may be cut.
    pub fn intervals(&self) -> Vec<(Interval, &'static str)> {
        let days = self.period().days();
        let fits = |interval| match interval {
            Interval::Hour => days <= BY_HOUR_MOST,
            Interval::Day => (2..=BY_DAY_WISHED_MOST).contains(&days),
            Interval::Week => days >= 14,
        };
        INTERVALS.into_iter().filter(|(interval, _)| fits(*interval)).collect()
    }

    /// How it is cut: as was wished where that fits, else as suits the number of days.
    pub fn interval(&self) -> Interval {
        let days = self.period().days();
        let suits = match days {
            ..=2 => Interval::Hour,
            3..=BY_DAY_MOST => Interval::Day,
            _ => Interval::Week,
        };
        let wished = self.interval.filter(|wished| self.intervals().iter().any(|(fits, _)| fits == wished));
        wished.unwrap_or(suits)
    }

    /// The same with a change.
    #[must_use]
    pub fn but(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut other = self.clone();
        change(&mut other);
        other
    }

    /// The same, cut otherwise.
    #[must_use]
    pub fn cut(&self, interval: Interval) -> Self {
        self.but(|asked| asked.interval = Some(interval))
    }

    /// The same for one day or week of the curve.
    #[must_use]
    pub fn of_days(&self, period: Period) -> Self {
        self.but(|asked| {
            asked.range = Range::Own;
            asked.own = Some(period);
            asked.interval = None;
        })
    }

    /// The parameters that say all of it; what goes without saying is left out.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut said = Vec::new();
        if let Some(site) = &self.site {
            said.push(("site", site.clone()));
        }
        if self.range != Range::Month30 {
            said.push(("range", self.range.word().to_owned()));
        }
        if let (Range::Own, Some(own)) = (self.range, self.own) {
            said.push(("from", own.from.to_string()));
            said.push(("to", own.to.to_string()));
        }
        if self.compare != Compare::Previous {
            said.push(("compare", self.compare.word().to_owned()));
        }
        if self.metric != Metric::Visitors {
            said.push(("metric", self.metric.word().to_owned()));
        }
        if let Some(interval) = self.interval {
            let word = INTERVALS.iter().find(|(known, _)| *known == interval).map(|(_, word)| *word);
            said.push(("by", word.unwrap_or_default().to_owned()));
        }
        said.extend(self.tabs.iter().map(|tab| ("show", tab.clone())));
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
}

pub fn day(text: &str) -> Result<Date, Problem> {
    text.parse().map_err(|_| invalid(format!("`{text}` is no day: write 2026-11-23.")))
}

fn filter(text: &str) -> Result<Filter, Problem> {
    if text.chars().count() > 500 {
        return Err(invalid("A filter has at most 500 characters."));
    }
    Filter::read(text).map_err(|error| invalid(error.to_string()))
}

pub fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new("traffic.question_invalid", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SiteSettings;
    use crate::sites::Sites;

    fn asked(query: &str) -> Result<Asked, Problem> {
        let sites = Sites::new(&[SiteSettings {
            key: "faro".to_owned(),
            name: "Faro".to_owned(),
            origins: Vec::new(),
            language: crate::base::language::Language::Es,
            privacy_url: String::new(),
            logo_url: String::new(),
            stylesheet_url: String::new(),
            time_zone: "Europe/Madrid".to_owned(),
            keep_days: 0,
            identity_secret: crate::base::secret::Secret::default(),
        }]);
        let now = Timestamp::from_jiff("2026-11-23T23:30:00Z".parse().expect("a moment"));
        Asked::read(query, sites.find("faro").expect("it is there"), true, now)
    }

    fn days(query: &str) -> String {
        let period = asked(query).expect(query).period();
        format!("{}..{}", period.from, period.to)
    }

    #[test]
    fn ranges_are_days_of_the_site() {
        // It is the 24th in Madrid already.
        assert_eq!(days("range=today"), "2026-11-24..2026-11-24");
        assert_eq!(days("range=yesterday"), "2026-11-23..2026-11-23");
        assert_eq!(days("range=7d"), "2026-11-18..2026-11-24");
        assert_eq!(days(""), "2026-10-26..2026-11-24");
        assert_eq!(days("range=month"), "2026-11-01..2026-11-24");
        assert_eq!(days("range=year"), "2026-01-01..2026-11-24");
        assert_eq!(days("range=own&from=2026-02-01&to=2026-02-03"), "2026-02-01..2026-02-03");
        assert_eq!(days("range=own"), "2026-10-26..2026-11-24", "without days it is no range");
        assert!(asked("range=own&from=2026-02-03&to=2026-02-01").is_err());
        assert!(asked("from=tomorrow").is_err());
    }

    #[test]
    fn an_address_says_again_what_it_was_read_from() {
        let query = "site=faro&range=own&from=2026-02-01&to=2026-02-03&compare=year&metric=views&by=day\
                     &show=entry&filter=page%3A%2Fa%26b&filter=%21channel%3Adirect";
        let read = asked(query).expect("read");
        assert_eq!(read.address("/x", &[]), format!("/x?{query}"));
        assert_eq!(asked("").expect("read").address("/x", &[("page", "2")]), "/x?site=faro&page=2");
    }

    #[test]
    fn a_filter_can_be_put_together_in_a_form() {
        let read =
            asked("filter=country:ES&filter_by=page&filter_not=1&filter_value=/precios").expect("read");
        let texts: Vec<String> = read.filters.iter().map(Filter::text).collect();
        assert_eq!(texts, ["country:ES", "!page:/precios"]);
        assert!(asked("filter=planet:Mars").is_err());
        assert!(asked(&"filter=page:/&".repeat(FILTERS_MOST + 1)).is_err());
    }

    #[test]
    fn a_curve_is_cut_as_suits_the_days_and_never_into_too_many_pieces() {
        let cut = |query: &str| asked(query).expect(query).interval();
        assert_eq!(cut("range=today"), Interval::Hour);
        assert_eq!(cut("range=30d"), Interval::Day);
        assert_eq!(cut("range=30d&by=week"), Interval::Week);
        assert_eq!(cut("range=30d&by=hour"), Interval::Day, "720 hours are no chart");
        assert_eq!(cut("range=year"), Interval::Week);
        assert_eq!(cut("range=today&by=week"), Interval::Hour);
    }
}
