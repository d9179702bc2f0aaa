//! A report as people see it: a few numbers, one picture, and tables. The same rows make the file for spreadsheets.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::super::traffic::board::{rate, share_of};
use crate::base::language::Language;
use crate::render::{Zone, duration, number};
use crate::reports::traffic::csv;

/// Tables that a sentence stands over, which says what they count.
const EXPLAINED: [&str; 8] =
    ["confirmations", "content", "fallback", "flows", "offered", "on_page", "waits", "worth"];

/// Rows of a table that are shown; the file has all of them.
pub const ROWS_MOST: usize = 50;

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Text(String),
    /// A day, whatever the zone.
    Day(Date),
    Count(i64),
    /// A number with a fraction, such as a shared credit.
    Parts(f64),
    /// From 0 to 1.
    Share(Option<f64>),
    /// Milliseconds.
    Time(Option<i64>),
    /// In the smallest unit of a currency, and its name.
    Money(Option<f64>, String),
}

impl Cell {
    pub fn count(n: usize) -> Self {
        Self::Count(i64::try_from(n).unwrap_or(i64::MAX))
    }

    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A number that there is none of.
    pub fn nothing() -> Self {
        Self::Share(None)
    }

    fn is_nothing(&self) -> bool {
        matches!(self, Self::Share(None) | Self::Time(None) | Self::Money(None, _))
    }

    /// As people read it.
    pub fn told(&self, language: Language) -> String {
        let none = || "–".to_owned();
        match self {
            Self::Text(text) => text.clone(),
            Self::Day(date) => date.to_zoned(TimeZone::UTC).map_or_else(
                |_| date.to_string(),
                |day| Zone::named("UTC").short_date(day.timestamp().as_millisecond(), language),
            ),
            Self::Count(n) => number(*n, language),
            Self::Parts(n) => parts(*n, language),
            Self::Share(share) => share.map_or_else(none, |share| rate(share * 100.0, language)),
            Self::Time(ms) => ms.map_or_else(none, duration),
            Self::Money(amount, currency) => {
                amount.map_or_else(none, |amount| format!("{} {currency}", money(amount, language)))
            }
        }
    }

    /// As programs read it.
    fn raw(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Day(date) => date.to_string(),
            Self::Count(n) => n.to_string(),
            Self::Parts(n) => n.to_string(),
            Self::Share(share) => share.map(|share| share.to_string()).unwrap_or_default(),
            Self::Time(ms) => ms.map(|ms| ms.to_string()).unwrap_or_default(),
            Self::Money(amount, currency) => {
                amount.map(|amount| format!("{amount} {currency}")).unwrap_or_default()
            }
        }
    }

    /// Its size, for bars and comparisons.
    #[allow(clippy::cast_precision_loss, reason = "counts and times stay far below 2^53")]
    fn size(&self) -> f64 {
        match self {
            Self::Text(_) | Self::Day(_) => 0.0,
            Self::Count(n) => *n as f64,
            Self::Parts(n) => *n,
            Self::Share(share) => share.unwrap_or(0.0),
            Self::Time(ms) => ms.unwrap_or(0) as f64,
            Self::Money(amount, _) => amount.unwrap_or(0.0),
        }
    }

    /// The same kind of cell with another size: what a line of the scale stands for.
    #[allow(clippy::cast_possible_truncation, reason = "scales are made of whole units")]
    fn like(&self, size: f64) -> Self {
        match self {
            Self::Text(_) | Self::Day(_) | Self::Count(_) => Self::Count(size.round() as i64),
            Self::Parts(_) => Self::Parts(size),
            Self::Share(_) => Self::Share(Some(size)),
            Self::Time(_) => Self::Time(Some(size.round() as i64)),
            Self::Money(_, currency) => Self::Money(Some(size), currency.clone()),
        }
    }
}

/// "40.50", "1,234": of the smallest unit.
#[allow(clippy::cast_possible_truncation, reason = "money stays far below 2^53")]
fn money(amount: f64, language: Language) -> String {
    let smallest = amount.round() as i64;
    let whole = number(smallest / 100, language);
    let point = if language == Language::Es { ',' } else { '.' };
    match (smallest % 100).abs() {
        0 => whole,
        rest => format!("{whole}{point}{rest:02}"),
    }
}

/// "2.5", "1,234"; two places at most.
#[allow(clippy::cast_possible_truncation, reason = "hundredths of what was counted")]
fn parts(value: f64, language: Language) -> String {
    let hundredths = (value * 100.0).round() as i64;
    let whole = number(hundredths / 100, language);
    let point = if language == Language::Es { ',' } else { '.' };
    match (hundredths % 100).abs() {
        0 => whole,
        rest if rest % 10 == 0 => format!("{whole}{point}{}", rest / 10),
        rest => format!("{whole}{point}{rest:02}"),
    }
}

/// Whether more of something is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum More {
    Better,
    Worse,
    /// Neither.
    Other,
}

/// A number on top, and what it was before.
pub struct Card {
    pub word: &'static str,
    pub value: Cell,
    pub before: Option<Cell>,
    pub more: More,
}

/// A table.
pub struct Table {
    pub word: &'static str,
    /// The words of its columns; the first one names the rows.
    pub heads: Vec<&'static str>,
    pub rows: Vec<Row>,
}

pub struct Row {
    pub cells: Vec<Cell>,
    /// Where its first cell leads.
    pub href: Option<String>,
}

impl Row {
    pub fn of(cells: Vec<Cell>) -> Self {
        Self { cells, href: None }
    }
}

/// One group of bars: a name, and a cell for each series.
pub struct Group {
    pub name: String,
    pub cells: Vec<Cell>,
    /// What the first bar was before.
    pub before: Option<Cell>,
}

/// Horizontal bars from zero, all on one scale.
pub struct Bars {
    /// The words of the series.
    pub series: Vec<&'static str>,
    pub groups: Vec<Group>,
}

/// A cell of a table of two properties, coloured by how large it is.
pub struct Heat {
    pub columns: Vec<String>,
    pub rows: Vec<(String, Vec<HeatCell>)>,
}

pub struct HeatCell {
    pub count: usize,
    pub share: Option<f64>,
}

/// A step of a flow in the order in which it is drawn.
pub struct Step {
    /// What it says, or what it is.
    pub name: String,
    /// What it is called in the flow's file.
    pub id: String,
    pub reached: usize,
    pub ended: usize,
    /// Where conversations went on to, by place, and how many.
    pub next: Vec<(usize, usize)>,
}

/// What is drawn.
pub enum Picture {
    Bars(Bars),
    Heat(Heat),
    Flow(Vec<Step>),
}

/// A choice that a report offers, as chips.
pub struct Choice {
    pub word: &'static str,
    /// What is chosen, in words; its address; whether it is.
    pub all: Vec<(String, String, bool)>,
}

/// A report.
pub struct Sheet {
    /// Nothing was counted: the page says how to get the first of it.
    pub is_empty: bool,
    pub cards: Vec<Card>,
    pub choices: Vec<Choice>,
    pub picture: Picture,
    pub tables: Vec<Table>,
}

impl Sheet {
    /// What the template shows. `file` is the address of a table's file.
    pub fn draw(&self, language: Language, file: impl Fn(&str) -> String) -> Json {
        let cards: Vec<Json> = self.cards.iter().map(|card| drawn_card(card, language)).collect();
        let choices = self.choices.iter().map(|choice| {
            let all = choice.all.iter();
            let all =
                all.map(|(text, href, current)| json!({ "text": text, "href": href, "current": current }));
            json!({ "word": choice.word, "all": all.collect::<Vec<_>>() })
        });
        let tables = self.tables.iter().map(|table| {
            let rows = table.rows.iter().take(ROWS_MOST).map(|row| {
                let mut cells = row.cells.iter();
                let name = cells.next().map(|cell| cell.told(language));
                let cells = cells.zip(table.heads.iter().skip(1)).map(|(cell, head)| {
                    json!({ "head": head, "text": cell.told(language), "is_text": matches!(cell, Cell::Text(_) | Cell::Day(_)) })
                });
                json!({ "name": name, "href": row.href, "cells": cells.collect::<Vec<_>>() })
            });
            let is_text = |at: usize| {
                let cells = table.rows.first().and_then(|row| row.cells.get(at));
                cells.is_some_and(|cell| matches!(cell, Cell::Text(_) | Cell::Day(_)))
            };
            let heads = table.heads.iter().enumerate();
            let heads = heads.map(|(at, head)| json!({ "word": head, "is_text": at == 0 || is_text(at) }));
            json!({
                "word": table.word,
                "is_explained": EXPLAINED.contains(&table.word),
                "heads": heads.collect::<Vec<_>>(),
                "rows": rows.collect::<Vec<_>>(),
                "is_cut": table.rows.len() > ROWS_MOST,
                "most": ROWS_MOST,
                "file": file(table.word),
            })
        });
        json!({
            "is_empty": self.is_empty,
            "cards": cards,
            "choices": choices.collect::<Vec<_>>(),
            "picture": self.drawn(language),
            "tables": tables.collect::<Vec<_>>(),
        })
    }

    /// A table as a file.
    pub fn csv(&self, word: &str) -> Option<String> {
        let table = self.tables.iter().find(|table| table.word == word)?;
        Some(csv(&table.heads, table.rows.iter().map(|row| row.cells.iter().map(Cell::raw).collect())))
    }

    fn drawn(&self, language: Language) -> Json {
        match &self.picture {
            Picture::Bars(bars) => json!({ "kind": "bars", "bars": drawn_bars(bars, language) }),
            Picture::Heat(heat) => json!({ "kind": "heat", "heat": drawn_heat(heat, language) }),
            Picture::Flow(steps) => json!({ "kind": "flow", "flow": drawn_flow(steps, language) }),
        }
    }
}

fn drawn_card(card: &Card, language: Language) -> Json {
    // What there was nothing of is nothing to be held against.
    let known = card.before.as_ref().filter(|before| !before.is_nothing() && !card.value.is_nothing());
    let change = known.map(|before| {
        let (now, then) = (card.value.size(), before.size());
        let direction = if now > then {
            "up"
        } else if now < then {
            "down"
        } else {
            "same"
        };
        let tone = match (card.more, direction) {
            (_, "same") | (More::Other, _) => "same",
            (More::Better, "up") | (More::Worse, "down") => "good",
            _ => "bad",
        };
        json!({ "direction": direction, "tone": tone, "before": before.told(language) })
    });
    json!({ "word": card.word, "value": card.value.told(language), "change": change })
}

/// A round top of a scale, and so many steps to it.
fn scale(highest: f64, sample: &Cell) -> f64 {
    if let Cell::Share(_) = sample {
        return if highest <= 0.2 {
            0.2
        } else if highest <= 0.5 {
            0.5
        } else {
            1.0
        };
    }
    let unit = if let Cell::Time(_) = sample {
        match highest {
            ..=120_000.0 => 1_000.0,
            ..=7_200_000.0 => 60_000.0,
            ..=172_800_000.0 => 3_600_000.0,
            _ => 86_400_000.0,
        }
    } else {
        1.0
    };
    let mut step = unit;
    loop {
        for of_step in [2.0, 4.0, 10.0] {
            if step * of_step >= highest {
                return step * of_step;
            }
        }
        step *= 10.0;
    }
}

fn px(value: f64) -> String {
    format!("{value:.2}")
}

fn drawn_bars(bars: &Bars, language: Language) -> Json {
    let cells = || bars.groups.iter().flat_map(|group| group.cells.iter().chain(&group.before));
    let highest = cells().map(Cell::size).fold(0.0, f64::max);
    let sample = cells().next().cloned().unwrap_or(Cell::Count(0));
    let top = scale(highest, &sample);
    let ticks: Vec<String> = [0.0, top / 2.0, top].map(|size| sample.like(size).told(language)).to_vec();
    let width = |cell: &Cell| px(cell.size().max(0.0) * 100.0 / top);
    let groups = bars.groups.iter().map(|group| {
        let cells = group.cells.iter().zip(&bars.series).enumerate().map(|(at, (cell, series))| {
            json!({ "at": at, "series": series, "width": width(cell), "text": cell.told(language) })
        });
        json!({
            "name": group.name,
            "bars": cells.collect::<Vec<_>>(),
            "before": group.before.as_ref().map(width),
            "before_text": group.before.as_ref().map(|before| before.told(language)),
        })
    });
    json!({
        "is_single": bars.series.len() < 2,
        "has_before": bars.groups.iter().any(|group| group.before.is_some()),
        "series": bars.series,
        "groups": groups.collect::<Vec<_>>(),
        "ticks": ticks,
    })
}

fn drawn_heat(heat: &Heat, language: Language) -> Json {
    let rows = heat.rows.iter().map(|(name, cells)| {
        let cells = cells.iter().zip(&heat.columns).map(|(cell, column)| {
            json!({
                "column": column,
                "count": number(i64::try_from(cell.count).unwrap_or(i64::MAX), language),
                "share": Cell::Share(cell.share).told(language),
                "is_none": cell.count == 0,
                "tone": cell.share.map_or(0, tone_of),
            })
        });
        json!({ "name": name, "cells": cells.collect::<Vec<_>>() })
    });
    json!({ "columns": heat.columns, "rows": rows.collect::<Vec<_>>() })
}

/// Five tones, each for a fifth.
fn tone_of(share: f64) -> u8 {
    match share {
        ..0.2 => 1,
        ..0.4 => 2,
        ..0.6 => 3,
        ..0.8 => 4,
        _ => 5,
    }
}

/// Height of a step, and the room for the ways between steps, in pixels.
const STEP_HEIGHT: f64 = 56.0;
const WAYS_WIDTH: f64 = 84.0;

fn drawn_flow(steps: &[Step], language: Language) -> Json {
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let most = steps.iter().map(|step| step.reached).max().unwrap_or(0).max(1);
    #[allow(clippy::cast_precision_loss, reason = "a flow has some dozens of steps")]
    let middle = |at: usize| STEP_HEIGHT * (at as f64 + 0.5);
    let mut ways = Vec::new();
    for (from, step) in steps.iter().enumerate() {
        for (to, n) in &step.next {
            let (a, b) = (middle(from), middle(*to));
            let x = WAYS_WIDTH - 8.0;
            #[allow(clippy::cast_precision_loss, reason = "places of some dozens of steps")]
            let reach = (from.abs_diff(*to) as f64 * 12.0).min(WAYS_WIDTH - 12.0);
            let path = match from.abs_diff(*to) {
                0 => continue,
                1 if from < *to => format!("M{x:.1} {:.1}V{:.1}", a + 7.0, b - 7.0),
                _ => format!(
                    "M{x:.1} {a:.1}C{:.1} {a:.1} {:.1} {b:.1} {x:.1} {b:.1}",
                    x - reach * 1.3,
                    x - reach * 1.3
                ),
            };
            let width = 1.0 + share_of(count(*n), count(most)) / 20.0;
            let title = format!(
                "{} → {}: {}",
                step.name,
                steps.get(*to).map_or("", |step| step.name.as_str()),
                number(count(*n), language)
            );
            ways.push(json!({ "path": path, "width": px(width), "is_back": *to < from, "title": title }));
        }
    }
    let rows = steps.iter().enumerate().map(|(at, step)| {
        let lost = if step.reached > 0 { share_of(count(step.ended), count(step.reached)) } else { 0.0 };
        json!({
            "y": px(middle(at)),
            "name": step.name,
            "id": step.id,
            "reached": number(count(step.reached), language),
            "width": px(share_of(count(step.reached), count(most))),
            "lost_width": px(share_of(count(step.ended), count(most))),
            "lost_x": px(share_of(count(step.reached.saturating_sub(step.ended)), count(most))),
            "ended": (step.ended > 0).then(|| number(count(step.ended), language)),
            "lost": rate(lost, language),
        })
    });
    #[allow(clippy::cast_precision_loss, reason = "a flow has some dozens of steps")]
    let height = STEP_HEIGHT * steps.len() as f64;
    json!({
        "ways_width": px(WAYS_WIDTH),
        "dot_x": px(WAYS_WIDTH - 8.0),
        "height": px(height),
        "ways": ways,
        "steps": rows.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_as_people_write_them_and_as_programs_read_them() {
        let told = |cell: Cell| (cell.told(Language::En), cell.told(Language::Es), cell.raw());
        let three = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(told(Cell::Parts(2.5)), three("2.5", "2,5", "2.5"));
        assert_eq!(told(Cell::Parts(1234.333)), three("1,234.33", "1234,33", "1234.333"));
        assert_eq!(told(Cell::Share(Some(0.3333))), three("33.3%", "33,3\u{a0}%", "0.3333"));
        assert_eq!(told(Cell::Share(None)), three("–", "–", ""));
        assert_eq!(
            told(Cell::Money(Some(4_050.0), "EUR".to_owned())),
            three("40.50 EUR", "40,50 EUR", "4050 EUR")
        );
    }

    #[test]
    fn scales_begin_at_zero_and_end_at_a_round_number_that_holds_all_bars() {
        for (highest, cell, top) in [
            (0.0, Cell::Count(0), 2.0),
            (3.0, Cell::Count(0), 4.0),
            (41.0, Cell::Count(0), 100.0),
            (0.31, Cell::Share(None), 0.5),
            (259_200_000.0, Cell::Time(None), 345_600_000.0),
        ] {
            assert_eq!(scale(highest, &cell), top, "{highest}");
        }
    }

    #[test]
    fn a_file_keeps_all_rows_and_formulas_in_it_are_texts() {
        let rows = (0..60).map(|n| Row::of(vec![Cell::text(format!("=HYPERLINK({n})")), Cell::Count(n)]));
        let table = Table { word: "sources", heads: vec!["source", "leads"], rows: rows.collect() };
        let picture = Picture::Bars(Bars { series: Vec::new(), groups: Vec::new() });
        let sheet =
            Sheet { is_empty: false, cards: Vec::new(), choices: Vec::new(), picture, tables: vec![table] };
        let file = sheet.csv("sources").expect("it is there");
        assert_eq!((file.lines().count(), file.lines().nth(1)), (61, Some("'=HYPERLINK(0),0")));
        assert_eq!(sheet.csv("others"), None);
        let drawn = sheet.draw(Language::En, str::to_owned);
        assert_eq!(drawn["tables"][0]["rows"].as_array().map(Vec::len), Some(ROWS_MOST));
        assert_eq!(drawn["tables"][0]["is_cut"], true);
    }

    #[test]
    fn what_fell_is_good_where_less_is_better() {
        let card = |more| Card { word: "x", value: Cell::Count(3), before: Some(Cell::Count(5)), more };
        assert_eq!(drawn_card(&card(More::Worse), Language::En)["change"]["tone"], "good");
        assert_eq!(drawn_card(&card(More::Better), Language::En)["change"]["tone"], "bad");
        assert_eq!(drawn_card(&card(More::Other), Language::En)["change"]["direction"], "down");
        let first = Card { before: Some(Cell::Share(None)), ..card(More::Better) };
        assert_eq!(drawn_card(&first, Language::En)["change"], Json::Null);
    }
}
