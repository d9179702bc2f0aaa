//! Webinars: registered, attended, the recording watched by fifths, calls booked afterwards.

use super::View;
use super::sheet::{Bars, Card, Cell, Group, More, Picture, Row, Sheet, Table};
use crate::http::error::Problem;
use crate::reports::journeys::Span;
use crate::reports::journeys::webinars::{self, Numbers, Report};

const FIFTHS: [&str; 5] = ["0–20 %", "21–40 %", "41–60 %", "61–80 %", "81–100 %"];

pub async fn sheet(view: &View<'_>) -> Result<Sheet, Problem> {
    let (span, before) = view.spans();
    let now = told(view, span).await?;
    let then = match before {
        Some(before) => Some(told(view, before).await?),
        None => None,
    };
    let names = view.reader.names();
    let mut by_webinar: Vec<(&String, &Numbers)> = now.by_webinar.iter().collect();
    by_webinar.sort_by_key(|(_, numbers)| std::cmp::Reverse(numbers.registered));
    let groups = by_webinar.iter().take(6).map(|(webinar, numbers)| Group {
        name: names.webinar(webinar),
        cells: [numbers.registered, numbers.attended, numbers.viewers, numbers.booked]
            .map(Cell::count)
            .to_vec(),
        before: None,
    });
    let rows = by_webinar.iter().map(|(webinar, numbers)| {
        Row::of(vec![
            Cell::text(names.webinar(webinar)),
            Cell::count(numbers.registered),
            Cell::count(numbers.attended),
            Cell::count(numbers.no_show),
            Cell::Share(numbers.attendance),
            Cell::count(numbers.viewers),
            Cell::count(numbers.booked),
            Cell::Share(numbers.booked_rate),
        ])
    });
    let fifths = FIFTHS.iter().zip(now.total.viewers_by_fifth);
    let fifths = fifths.map(|(name, n)| Row::of(vec![Cell::text(*name), Cell::count(n)]));
    let card = |word, pick: fn(&Numbers) -> Cell, more| Card {
        word,
        value: pick(&now.total),
        before: then.as_ref().map(|then| pick(&then.total)),
        more,
    };
    let heads = vec![
        "webinar",
        "registered",
        "attended",
        "no_show",
        "attendance",
        "viewers",
        "booked_after",
        "booked_rate",
    ];
    Ok(Sheet {
        is_empty: now.by_webinar.is_empty(),
        cards: vec![
            card("registered", |numbers| Cell::count(numbers.registered), More::Better),
            card("attendance", |numbers| Cell::Share(numbers.attendance), More::Better),
            card("viewers", |numbers| Cell::count(numbers.viewers), More::Better),
            card("booked_after", |numbers| Cell::count(numbers.booked), More::Better),
        ],
        choices: Vec::new(),
        picture: Picture::Bars(Bars {
            series: vec!["registered", "attended", "viewers", "booked_after"],
            groups: groups.collect(),
        }),
        tables: vec![
            Table { word: "webinars", heads, rows: rows.collect() },
            Table { word: "fifths", heads: vec!["fifth", "viewers"], rows: fifths.collect() },
        ],
    })
}

async fn told(view: &View<'_>, span: Span) -> Result<Report, Problem> {
    let app = &view.reader.app;
    let q = &mut app.stores.db.read();
    let mut registrations = webinars::registrations(q, span).await?;
    registrations.retain(|one| view.only.has(one.contact));
    let mut watches = webinars::watches(q, span).await?;
    watches.retain(|watch| view.only.has_perhaps(watch.contact));
    let booked = webinars::booked(q, span.from).await?;
    let of = |recording: &str| app.webinars.recording(recording).map(|(webinar, _)| webinar.id.clone());
    Ok(webinars::webinars(&registrations, &watches, &booked, of))
}
