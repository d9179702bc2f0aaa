//! The chart: bars from zero, drawn by the server, with the same as a table below. Places are percentages of the width and
//! pixels of the height, so that it fits every window without a script and no letter is stretched.

use jiff::civil::Date;
use serde_json::{Value as Json, json};

use super::asked::{Asked, Metric};
use crate::base::language::Language;
use crate::base::time::{HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::render::{Zone, duration, number};
use crate::reports::traffic::{Interval, Numbers, Period, Point, date_of, day_number};
use crate::sites::Site;

/// Height of the bars' room, and the room above it, in pixels.
const HEIGHT: f64 = 180.0;
const ABOVE: f64 = 12.0;
/// Most words below it: so many stand side by side on a phone.
const WORDS_MOST: usize = 6;
/// Steps of the scale for times, in milliseconds.
const TIMES: [i64; 11] = [
    SECOND_MS,
    5 * SECOND_MS,
    10 * SECOND_MS,
    15 * SECOND_MS,
    30 * SECOND_MS,
    MINUTE_MS,
    2 * MINUTE_MS,
    5 * MINUTE_MS,
    10 * MINUTE_MS,
    30 * MINUTE_MS,
    HOUR_MS,
];

/// A number of a metric; pages per visit in hundredths.
#[allow(clippy::cast_possible_truncation, reason = "a share lies between 0 and 100")]
pub fn value(metric: Metric, numbers: &Numbers) -> i64 {
    match metric {
        Metric::Visitors => numbers.visitors,
        Metric::Visits => numbers.visits,
        Metric::Views => numbers.views,
        Metric::PerVisit if numbers.visits > 0 => numbers.views * 100 / numbers.visits,
        Metric::PerVisit => 0,
        Metric::Bounces => numbers.bounce_rate.round() as i64,
        Metric::Engaged => numbers.engaged_ms,
    }
}

/// The number as people read it.
pub fn told(metric: Metric, value: i64, language: Language) -> String {
    match metric {
        Metric::Visitors | Metric::Visits | Metric::Views => number(value, language),
        Metric::PerVisit => {
            let point = if language == Language::Es { ',' } else { '.' };
            format!("{}{point}{}", value / 100, value % 100 / 10)
        }
        Metric::Bounces if language == Language::Es => format!("{value}\u{a0}%"),
        Metric::Bounces => format!("{value}%"),
        Metric::Engaged => time(value),
    }
}

/// "45 s", "1 min 14 s", "2 h 5 min".
fn time(ms: i64) -> String {
    match (ms / MINUTE_MS, ms % MINUTE_MS / SECOND_MS) {
        (1..60, seconds) if seconds > 0 => format!("{} {seconds} s", duration(ms)),
        _ => duration(ms),
    }
}

/// The step between the lines of a scale that begins at zero and has about three.
fn step(metric: Metric, highest: i64) -> i64 {
    let wanted = (highest + 2) / 3;
    match metric {
        Metric::Engaged => TIMES.into_iter().find(|step| *step >= wanted).unwrap_or_else(|| {
            let hours = (wanted + HOUR_MS - 1) / HOUR_MS;
            hours * HOUR_MS
        }),
        Metric::PerVisit => round(wanted.max(100)),
        Metric::Bounces => [10, 20, 25, 50].into_iter().find(|step| *step >= wanted).unwrap_or(50),
        Metric::Visitors | Metric::Visits | Metric::Views => round(wanted.max(1)),
    }
}

/// 1, 2 or 5 and noughts, at least so much.
fn round(wanted: i64) -> i64 {
    let mut unit = 1_i64;
    loop {
        for of_unit in [1, 2, 5] {
            if unit.saturating_mul(of_unit) >= wanted {
                return unit.saturating_mul(of_unit);
            }
        }
        unit = unit.saturating_mul(10);
        if unit > i64::MAX / 100 {
            return unit;
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn height(value: i64, top: i64) -> f64 {
    if top <= 0 { 0.0 } else { HEIGHT * value as f64 / top as f64 }
}

#[allow(clippy::cast_precision_loss, reason = "a chart has some hundred bars")]
fn place(at: usize, of: usize) -> f64 {
    100.0 * at as f64 / of.max(1) as f64
}

fn px(value: f64) -> String {
    format!("{value:.1}")
}

fn percent(value: f64) -> String {
    format!("{value:.3}%")
}

/// What a chart is made of.
pub struct Chart<'a> {
    pub site: &'a Site,
    pub language: Language,
    pub asked: &'a Asked,
    pub series: &'a [Point],
    pub before: Option<&'a [Point]>,
    /// The pages that the days of the table lead to.
    pub path: &'a str,
}

impl Chart<'_> {
    /// What the template draws.
    pub fn draw(&self) -> Json {
        let metric = self.asked.metric;
        let values: Vec<i64> = self.series.iter().map(|point| value(metric, &point.numbers)).collect();
        let earlier: Vec<Option<i64>> = (0..values.len())
            .map(|at| {
                self.before.and_then(|before| before.get(at)).map(|point| value(metric, &point.numbers))
            })
            .collect();
        let highest = values.iter().copied().chain(earlier.iter().flatten().copied()).max().unwrap_or(0);
        let step = step(metric, highest.max(1));
        let lines = (highest.max(1) + step - 1) / step;
        let top = lines * step;
        let ticks: Vec<Json> = (0..=lines)
            .map(|line| {
                let y = ABOVE + HEIGHT - height(line * step, top);
                json!({ "y": px(y), "word_y": px(y + 4.0), "text": told(metric, line * step, self.language) })
            })
            .collect();
        let count = self.series.len();
        let width = place(1, count);
        let every = count.div_ceil(WORDS_MOST).max(1);
        let (mut bars, mut words, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for (at, (point, value)) in self.series.iter().zip(&values).enumerate() {
            let (x, tall) = (place(at, count), height(*value, top));
            let before = earlier.get(at).copied().flatten();
            let name = self.name(point);
            let said = told(metric, *value, self.language);
            let said_before = before.map(|before| told(metric, before, self.language));
            bars.push(json!({
                "x": percent(x),
                "width": percent(width),
                "bar_x": percent(x + width * 0.12),
                "bar_width": percent(width * 0.76),
                "y": px(ABOVE + HEIGHT - tall),
                "height": px(tall),
                "name": name.clone(),
                "value": said.clone(),
                "before": said_before.clone(),
                "before_y": before.map(|before| px(ABOVE + HEIGHT - height(before, top))),
                "before_end": percent(x + width * 0.88),
            }));
            if at % every == 0 {
                let is_near_end = count > 1 && at + every / 2 >= count;
                let (x, anchor) = match at {
                    0 => (0.0, "start"),
                    _ if is_near_end => (100.0, "end"),
                    _ => (x + width / 2.0, "middle"),
                };
                words.push(json!({ "x": percent(x), "anchor": anchor, "text": self.short(point) }));
            }
            rows.push(json!({
                "name": name,
                "value": said,
                "before": said_before,
                "href": self.days(point).map(|days| self.asked.of_days(days).address(self.path, &[])),
            }));
        }
        json!({
            "height": px(ABOVE + HEIGHT + 26.0),
            "top": px(ABOVE),
            "room": px(HEIGHT),
            "foot": px(ABOVE + HEIGHT),
            "words_y": px(ABOVE + HEIGHT + 19.0),
            "metric": metric.word(),
            "ticks": ticks,
            "bars": bars,
            "words": words,
            "rows": rows,
            "is_compared": self.before.is_some(),
        })
    }

    fn at(&self, point: &Point) -> i64 {
        if self.asked.interval() == Interval::Hour {
            return point.at.parse().map_or(0, |at: jiff::Timestamp| at.as_millisecond());
        }
        let day: Option<Date> = point.at.parse().ok();
        let start = day.and_then(|day| day.to_zoned(self.site.zone()).ok());
        start.map_or(0, |start| start.timestamp().as_millisecond())
    }

    /// "23 Nov", "14:00".
    fn short(&self, point: &Point) -> String {
        let (zone, at) = (Zone::named(&self.site.time_zone), self.at(point));
        match self.asked.interval() {
            Interval::Hour if self.asked.period().days() == 1 => zone.time(at),
            Interval::Hour | Interval::Day | Interval::Week => zone.short_date(at, self.language),
        }
    }

    /// "Monday 23 November", "23 Nov, 14:00".
    fn name(&self, point: &Point) -> String {
        let (zone, at) = (Zone::named(&self.site.time_zone), self.at(point));
        match self.asked.interval() {
            Interval::Hour => zone.short_datetime(at, self.language),
            Interval::Day => zone.weekday_date(at, self.language),
            Interval::Week => {
                let last = self.days(point).map_or(at, |days| {
                    let end = days.to.to_zoned(self.site.zone());
                    end.map_or(at, |end| Timestamp::from_jiff(end.timestamp()).as_ms())
                });
                let (from, to) = (zone.short_date(at, self.language), zone.short_date(last, self.language));
                format!("{from} – {to}")
            }
        }
    }

    /// The days of a point; none for hours.
    fn days(&self, point: &Point) -> Option<Period> {
        let from: Date = point.at.parse().ok()?;
        match self.asked.interval() {
            Interval::Hour => None,
            Interval::Day => Some(Period { from, to: from }),
            Interval::Week => {
                let sunday = crate::reports::traffic::monday_of(day_number(from)) + 6;
                let last = day_number(self.asked.period().to).min(sunday);
                Some(Period { from, to: date_of(last) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_begin_at_zero_and_have_round_steps() {
        for (metric, highest, expected) in [
            (Metric::Visitors, 1, 1),
            (Metric::Visitors, 7, 5),
            (Metric::Views, 1_234, 500),
            (Metric::Bounces, 100, 50),
            (Metric::Engaged, 74_000, 30_000),
            (Metric::PerVisit, 283, 100),
        ] {
            assert_eq!(step(metric, highest), expected, "{metric:?} up to {highest}");
        }
        assert_eq!(step(Metric::Engaged, 10 * HOUR_MS), 4 * HOUR_MS);
    }

    #[test]
    fn numbers_are_told_as_people_write_them() {
        assert_eq!(told(Metric::PerVisit, 283, Language::Es), "2,8");
        assert_eq!(told(Metric::Bounces, 41, Language::En), "41%");
        assert_eq!(told(Metric::Engaged, 74_000, Language::En), "1 min 14 s");
        assert_eq!(told(Metric::Engaged, 60_000, Language::En), "1 min");
    }
}
