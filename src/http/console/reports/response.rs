//! How soon colleagues respond: to those who want a person in a chat, and to those who are handed over to them.

use super::View;
use super::sheet::{Bars, Card, Cell, Group, More, Picture, Row, Sheet, Table};
use crate::http::error::Problem;
use crate::reports::journeys::Span;
use crate::reports::journeys::responses::{self, Numbers, Report};

pub async fn sheet(view: &View<'_>) -> Result<Sheet, Problem> {
    let (span, before) = view.spans();
    let now = told(view, span).await?;
    let then = match before {
        Some(before) => Some(told(view, before).await?),
        None => None,
    };
    let kind = |kind: &str| view.text(&format!("reports.kind.{kind}"));
    let cells = |name: String, numbers: &Numbers| {
        vec![
            Cell::text(name),
            Cell::count(numbers.asked),
            Cell::count(numbers.answered),
            Cell::Time(numbers.after.map(|after| after.p50)),
            Cell::Time(numbers.after.map(|after| after.p90)),
            Cell::Time(numbers.after_in_hours.map(|after| after.p50)),
            Cell::Time(numbers.after_in_hours.map(|after| after.p90)),
            Cell::Share(numbers.in_time_rate),
        ]
    };
    let heads = |of| vec![of, "asked", "answered", "median", "p90", "hours_median", "hours_p90", "in_time"];
    let kinds = now.by_kind.iter().map(|(word, numbers)| Row::of(cells(kind(word), numbers)));
    let people =
        || now.by_person.iter().flat_map(|(word, people)| people.iter().map(move |one| (*word, one)));
    let rows = people().map(|(word, (name, numbers))| Row {
        cells: cells(format!("{name} · {}", kind(word)), numbers),
        href: None,
    });
    let groups = people().filter(|(_, (_, numbers))| numbers.after.is_some()).take(12);
    let groups = groups.map(|(word, (name, numbers))| Group {
        name: format!("{name} · {}", kind(word)),
        cells: vec![
            Cell::Time(numbers.after.map(|after| after.p50)),
            Cell::Time(numbers.after.map(|after| after.p90)),
        ],
        before: None,
    });
    let of = |told: &Report, kind: &str| told.by_kind.get(kind).cloned().unwrap_or_default();
    let card = |word, of_kind: &str, pick: fn(&Numbers) -> Cell, more| Card {
        word,
        value: pick(&of(&now, of_kind)),
        before: then
            .as_ref()
            .map(|then| of(then, of_kind))
            .filter(|then| then.asked > 0)
            .map(|then| pick(&then)),
        more,
    };
    let median = |numbers: &Numbers| Cell::Time(numbers.after.map(|after| after.p50));
    let fallback = now.by_kind.get("chat").filter(|numbers| numbers.asked > 0).map(|numbers| {
        let name = kind("chat");
        let counts = [numbers.asked, numbers.missed, numbers.fell_back].map(Cell::count);
        let cells = std::iter::once(Cell::text(name)).chain(counts);
        Row::of(cells.chain([Cell::Share(numbers.fell_back_rate)]).collect())
    });
    Ok(Sheet {
        is_empty: now.by_kind.values().all(|numbers| numbers.asked == 0),
        cards: vec![
            card("chat_median", "chat", median, More::Worse),
            card("chat_in_time", "chat", |numbers| Cell::Share(numbers.in_time_rate), More::Better),
            card("handover_median", "handover", median, More::Worse),
            card("handover_in_time", "handover", |numbers| Cell::Share(numbers.in_time_rate), More::Better),
        ],
        choices: Vec::new(),
        picture: Picture::Bars(Bars { series: vec!["median", "p90"], groups: groups.collect() }),
        tables: vec![
            Table { word: "waits", heads: heads("waited_for"), rows: kinds.collect() },
            Table {
                word: "fallback",
                heads: vec!["waited_for", "asked", "missed", "fell_back", "fell_back_rate"],
                rows: fallback.into_iter().collect(),
            },
            Table { word: "people", heads: heads("person"), rows: rows.collect() },
        ],
    })
}

async fn told(view: &View<'_>, span: Span) -> Result<Report, Problem> {
    let app = &view.reader.app;
    let promised_ms = app.lifecycle.promised_ms();
    let mut waits = responses::waits(&mut app.stores.db.read(), span, promised_ms).await?;
    waits.retain(|wait| view.only.has_perhaps(wait.contact));
    Ok(responses::responses(&waits, &app.team.working_hours(), view.reader.now))
}
