//! What sales made of those whom marketing handed over, by the cell of the matrix and by reason.

use super::sheet::{Card, Cell, Heat, HeatCell, More, Picture, Row, Sheet, Table};
use super::{HANDED_OVER, View};
use crate::http::error::Problem;
use crate::reports::journeys::Span;
use crate::reports::journeys::acceptance::{self, Acceptance, hand_overs};
use crate::scoring::{Grade, Level};

pub async fn sheet(view: &View<'_>) -> Result<Sheet, Problem> {
    let (span, before) = view.spans();
    let stage = view.chosen_stage(HANDED_OVER);
    let now = told(view, &stage, span).await?;
    let then = match before {
        Some(before) => Some(told(view, &stage, before).await?),
        None => None,
    };
    let levels: Vec<u8> = Level::ALL.iter().map(|band| band.0).collect();
    let rows = Grade::ALL.iter().map(|grade| {
        let cells = levels.iter().map(|level| {
            let cell = now.cells.iter().find(|cell| cell.grade == grade.letter() && cell.level == *level);
            HeatCell {
                count: cell.map_or(0, |cell| cell.handed_over),
                share: cell.and_then(|cell| cell.rate),
            }
        });
        (grade.letter().to_owned(), cells.collect())
    });
    let picture =
        Picture::Heat(Heat { columns: levels.iter().map(u8::to_string).collect(), rows: rows.collect() });
    let cells = now.cells.iter().map(|cell| {
        Row::of(vec![
            Cell::text(format!("{}{}", cell.grade, cell.level)),
            Cell::count(cell.handed_over),
            Cell::count(cell.accepted),
            Cell::count(cell.rejected),
            Cell::Share(cell.rate),
        ])
    });
    let versions = now.by_version.iter().map(|one| {
        let number = one.version.map_or_else(|| "–".to_owned(), |number| number.to_string());
        let short = one.hash.get(..8).unwrap_or(&one.hash);
        Row::of(vec![
            Cell::text(format!("{number} · {short}")),
            Cell::count(one.handed_over),
            Cell::count(one.accepted),
            Cell::count(one.rejected),
            Cell::Share(one.rate),
        ])
    });
    let reasons = now.reasons.iter().map(|reason| {
        let word = view.reader.word("console.reason", &reason.reason);
        Row::of(vec![Cell::text(word), Cell::count(reason.n)])
    });
    let card = |word, pick: fn(&Acceptance) -> Cell, more| Card {
        word,
        value: pick(&now),
        before: then.as_ref().map(pick),
        more,
    };
    Ok(Sheet {
        is_empty: now.handed_over == 0,
        cards: vec![
            card("handed_over", |told| Cell::count(told.handed_over), More::Better),
            card("accepted", |told| Cell::count(told.accepted), More::Better),
            card("rejected", |told| Cell::count(told.rejected), More::Worse),
            card("acceptance", |told| Cell::Share(told.rate), More::Better),
        ],
        choices: vec![view.stages(&stage)],
        picture,
        tables: vec![
            Table {
                word: "cells",
                heads: vec!["cell", "handed_over", "accepted", "rejected", "rate"],
                rows: cells.collect(),
            },
            Table {
                word: "versions",
                heads: vec!["version", "handed_over", "accepted", "rejected", "rate"],
                rows: versions.collect(),
            },
            Table { word: "reasons", heads: vec!["reason", "times"], rows: reasons.collect() },
        ],
    })
}

async fn told(view: &View<'_>, stage: &str, span: Span) -> Result<Acceptance, Problem> {
    let app = &view.reader.app;
    let mut people = hand_overs(&mut app.stores.db.read(), &app.lifecycle, stage, span).await?;
    people.retain(|one| view.only.has(one.contact));
    Ok(acceptance::acceptance(&people))
}
