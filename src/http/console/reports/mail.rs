//! Mails by letter and sequence. What is not counted, and why: whether somebody opened them.

use std::collections::{BTreeMap, HashMap};

use super::View;
use super::sheet::{Bars, Card, Cell, Group, More, Picture, Row, Sheet, Table};
use crate::http::error::Problem;
use crate::http::reports::counted::confirmed;
use crate::reports::journeys::Span;
use crate::reports::journeys::letters::{self, Confirmations, Numbers, Report};
use crate::reports::journeys::people::NONE;

pub async fn sheet(view: &View<'_>) -> Result<Sheet, Problem> {
    let (span, before) = view.spans();
    let now = told(view, span).await?;
    let then = match before {
        Some(before) => Some(told(view, before).await?),
        None => None,
    };
    let names = view.reader.names();
    let sorted = |told: &BTreeMap<String, Numbers>| {
        let mut told: Vec<(String, Numbers)> = told.clone().into_iter().collect();
        told.sort_by_key(|(_, numbers)| std::cmp::Reverse(numbers.sent));
        told
    };
    let (by_letter, by_sequence) = (sorted(&now.by_letter), sorted(&now.by_sequence));
    let language = view.reader.account.language;
    let wording = &view.reader.app.desk.wording;
    let letter =
        |name: &str| if name == NONE { view.text("reports.none") } else { wording.title(name, language) };
    let rows = |told: &[(String, Numbers)], name: &dyn Fn(&str) -> String| -> Vec<Row> {
        let rows = told.iter().map(|(key, numbers)| {
            let counts = [numbers.sent, numbers.delivered, numbers.clicked];
            let rest = [numbers.bounced, numbers.unsubscribed, numbers.complained];
            let mut cells = vec![Cell::text(name(key))];
            cells.extend(counts.map(Cell::Count));
            cells.push(Cell::Share(numbers.click_rate));
            cells.extend(rest.map(Cell::Count));
            Row::of(cells)
        });
        rows.collect()
    };
    let heads = |first| {
        vec![first, "sent", "delivered", "clicked", "click_rate", "bounced", "unsubscribed", "complained"]
    };
    let groups = by_letter.iter().take(8).map(|(key, numbers)| Group {
        name: letter(key),
        cells: vec![Cell::Count(numbers.delivered), Cell::Count(numbers.clicked)],
        before: None,
    });
    let card = |word, pick: fn(&Numbers) -> Cell, more| Card {
        word,
        value: pick(&now.total),
        before: then.as_ref().map(|then| pick(&then.total)),
        more,
    };
    let mut tables = vec![Table { word: "letters", heads: heads("letter"), rows: rows(&by_letter, &letter) }];
    if !by_sequence.is_empty() {
        let name = |id: &str| names.sequence(id);
        tables.push(Table { word: "sequences", heads: heads("sequence"), rows: rows(&by_sequence, &name) });
    }
    let asked_for = |name: String, numbers: &Confirmations| {
        Row::of(vec![
            Cell::text(name),
            Cell::count(numbers.asked),
            Cell::count(numbers.confirmed),
            Cell::Share(numbers.confirmed_rate),
            Cell::Time(numbers.after.map(|after| after.p50)),
        ])
    };
    if now.confirmations.asked > 0 {
        let topics = now.confirmations_by_topic.iter();
        let rows = topics.map(|(topic, numbers)| asked_for(names.topic(topic), numbers));
        let total = asked_for(view.text("reports.total"), &now.confirmations);
        let heads = vec!["topic", "asked_for", "confirmed", "confirmed_rate", "median"];
        tables.push(Table { word: "confirmations", heads, rows: rows.chain([total]).collect() });
    }
    Ok(Sheet {
        is_empty: now.total.sent == 0 && now.total.unsubscribed == 0 && now.confirmations.asked == 0,
        cards: vec![
            card("sent", |numbers| Cell::Count(numbers.sent), More::Other),
            card("click_rate", |numbers| Cell::Share(numbers.click_rate), More::Better),
            card("bounced", |numbers| Cell::Count(numbers.bounced), More::Worse),
            card("unsubscribed", |numbers| Cell::Count(numbers.unsubscribed), More::Worse),
        ],
        choices: Vec::new(),
        picture: Picture::Bars(Bars { series: vec!["delivered", "clicked"], groups: groups.collect() }),
        tables,
    })
}

async fn told(view: &View<'_>, span: Span) -> Result<Report, Problem> {
    let app = &view.reader.app;
    let q = &mut app.stores.db.read();
    let (sent, left) = (letters::sent(q, span, &view.only).await?, letters::left(q, span, &view.only).await?);
    let sequences: HashMap<&str, &str> = app.desk.sequences.letters().collect();
    let of = |letter: &str| sequences.get(letter).map(|sequence| (*sequence).to_owned());
    confirmed(app, q, span, &view.only, letters::letters(&sent, &left, of)).await
}
