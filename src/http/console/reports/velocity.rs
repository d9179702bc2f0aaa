//! How long people stay in each stage, and how long the whole way takes.

use super::sheet::{Bars, Card, Cell, Group, More, Picture, Row, Sheet, Table};
use super::{GOAL, View};
use crate::http::error::Problem;
use crate::reports::journeys::velocity::{self, Lengths, stays};

pub async fn sheet(view: &View<'_>) -> Result<Sheet, Problem> {
    let (span, before) = view.spans();
    let app = &view.reader.app;
    let target = view.chosen_stage(GOAL);
    let stages: Vec<&str> = app.lifecycle.stages.iter().map(|stage| stage.id.as_str()).collect();
    let since = before.map_or(span.from, |before| before.from.min(span.from));
    let mut rows = stays(&mut app.stores.db.read(), &stages, since).await?;
    rows.retain(|stay| view.only.has(stay.contact));
    let told = |span| velocity::velocity(&stages, &target, span, view.reader.now, &rows);
    let (now, then) = (told(span), before.map(told));
    let p50 = |lengths: Option<Lengths>| Cell::Time(lengths.map(|lengths| lengths.p50));
    let p75 = |lengths: Option<Lengths>| Cell::Time(lengths.map(|lengths| lengths.p75));
    let n = |lengths: Option<Lengths>| Cell::count(lengths.map_or(0, |lengths| lengths.n));
    let groups = now.stages.iter().filter(|pace| pace.latest.is_some()).map(|pace| Group {
        name: view.stage(&pace.stage),
        cells: vec![p50(pace.latest), p75(pace.latest)],
        before: None,
    });
    let rows = now.stages.iter().map(|pace| {
        Row::of(vec![
            Cell::text(view.stage(&pace.stage)),
            n(pace.latest),
            p50(pace.latest),
            p75(pace.latest),
            Cell::Time(pace.latest.map(|lengths| lengths.p90)),
            p50(pace.cumulative),
            n(pace.open),
            p50(pace.open),
        ])
    });
    let card = |word, value: Cell, before: Option<Cell>, more| Card { word, value, before, more };
    let total = |told: &velocity::Velocity| told.total;
    let then = then.as_ref().map(total);
    let heads = vec!["stage", "left", "median", "p75", "p90", "all_stays", "still_there", "open_median"];
    Ok(Sheet {
        is_empty: now.total.is_none() && now.stages.iter().all(|pace| pace.latest.is_none()),
        cards: vec![
            card("arrived", n(now.total), then.map(n), More::Better),
            card("way_median", p50(now.total), then.filter(Option::is_some).map(p50), More::Worse),
            card("way_p75", p75(now.total), then.filter(Option::is_some).map(p75), More::Worse),
        ],
        choices: vec![view.stages(&target)],
        picture: Picture::Bars(Bars { series: vec!["median", "p75"], groups: groups.collect() }),
        tables: vec![Table { word: "paces", heads, rows: rows.collect() }],
    })
}
