//! Customers: those at the beginning, those of them who left, and those who were won back.

use super::View;
use super::sheet::{Bars, Card, Cell, Group, More, Picture, Row, Sheet, Table};
use crate::http::error::Problem;
use crate::reports::journeys::churn::{self, Churn, standings, values};

/// The states of those who are customers no more.
pub const GONE: [&str; 2] = ["churned", "do_not_pursue"];

/// One of the numbers.
type Pick = fn(&Churn) -> usize;

pub async fn sheet(view: &View<'_>) -> Result<Sheet, Problem> {
    let (span, before) = view.spans();
    let q = &mut view.reader.app.stores.db.read();
    let mut rows = standings(q, span.to).await?;
    rows.retain(|row| view.only.has(row.contact));
    let money = churn::money(&GONE, span, &rows, &values(q, span.from).await?);
    let now = churn::churn(&GONE, span, &rows);
    let then = before.map(|before| churn::churn(&GONE, before, &rows));
    let numbers: [(&'static str, Pick); 5] = [
        ("at_start", |told| told.at_start),
        ("lost", |told| told.lost),
        ("new", |told| told.new),
        ("lost_of_new", |told| told.lost_of_new),
        ("recovered", |told| told.recovered),
    ];
    let name = |word: &str| view.text(&format!("reports.column.{word}"));
    let groups = numbers.iter().map(|(word, pick)| Group {
        name: name(word),
        cells: vec![Cell::count(pick(&now))],
        before: then.as_ref().map(|then| Cell::count(pick(then))),
    });
    let rows = numbers.iter().map(|(word, pick)| {
        Row::of(vec![
            Cell::text(name(word)),
            Cell::count(pick(&now)),
            then.as_ref().map_or(Cell::nothing(), |then| Cell::count(pick(then))),
        ])
    });
    let reasons = now.reasons.iter().map(|reason| {
        let word = view.reader.word("console.reason", &reason.reason);
        Row::of(vec![Cell::text(word), Cell::count(reason.n)])
    });
    #[allow(clippy::cast_precision_loss, reason = "sums of money are far below 2^53")]
    let sum = |amount: i64, currency: &str| Cell::Money(Some(amount as f64), currency.to_owned());
    let money = money.iter().map(|told| {
        Row::of(vec![
            Cell::text(told.currency.clone()),
            Cell::count(told.customers),
            sum(told.at_start, &told.currency),
            sum(told.lost, &told.currency),
            Cell::Share(told.churn_rate),
        ])
    });
    let card = |word, pick: fn(&Churn) -> Cell, more| Card {
        word,
        value: pick(&now),
        before: then.as_ref().map(pick),
        more,
    };
    Ok(Sheet {
        is_empty: now.at_start == 0 && now.new == 0 && now.recovered == 0,
        cards: vec![
            card("at_start", |told| Cell::count(told.at_start), More::Better),
            card("lost", |told| Cell::count(told.lost), More::Worse),
            card("churn_rate", |told| Cell::Share(told.churn_rate), More::Worse),
            card("recovery_rate", |told| Cell::Share(told.recovery_rate), More::Better),
        ],
        choices: Vec::new(),
        picture: Picture::Bars(Bars { series: vec!["customers"], groups: groups.collect() }),
        tables: vec![
            Table { word: "customers", heads: vec!["customers", "now", "before"], rows: rows.collect() },
            Table {
                word: "worth",
                heads: vec!["currency", "customers", "worth_at_start", "worth_lost", "rate"],
                rows: money.collect(),
            },
            Table { word: "reasons", heads: vec!["reason", "times"], rows: reasons.collect() },
        ],
    })
}
