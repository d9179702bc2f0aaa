//! How much of the data is there: what is missing of people, companies, events and calendars.

use jiff::tz::TimeZone;

use super::View;
use super::sheet::{Bars, Card, Cell, Group, More, Picture, Row, Sheet, Table};
use crate::base::time::zone;
use crate::http::error::Problem;
use crate::reports::journeys::health;

pub async fn sheet(view: &View<'_>) -> Result<Sheet, Problem> {
    let span = view.asked.span();
    let q = &mut view.reader.app.stores.db.read();
    let told = health::health(q, &view.reader.app.keys, span, &view.only, view.reader.now).await?;
    let name = |word: &str| view.text(&format!("reports.lack.{word}"));
    let groups = told.all().into_iter().filter(|(_, lack)| lack.of > 0).map(|(word, lack)| Group {
        name: name(word),
        cells: vec![Cell::Share(lack.rate)],
        before: None,
    });
    // Where not all of the span is known it is said from when on.
    let since = told.dead_letters_since.map(|at| {
        let language = view.language();
        let zone = zone(&view.reader.zone()).unwrap_or(TimeZone::UTC);
        let date = at.to_jiff().to_zoned(zone).date();
        view.reader.text_with(language, "reports.lack.since", &[("day", date.to_string())])
    });
    let rows = told.all().map(|(word, lack)| {
        let since = since.as_ref().filter(|_| word == "dead_letters");
        Row::of(vec![
            Cell::text(since.map_or_else(|| name(word), |since| format!("{} {since}", name(word)))),
            Cell::Count(lack.lacking),
            Cell::Count(lack.of),
            Cell::Share(lack.rate),
        ])
    });
    let card = |word, value| Card { word, value, before: None, more: More::Other };
    Ok(Sheet {
        // Tasks of the house end every day.
        is_empty: told.all().iter().all(|(word, lack)| lack.of == 0 || *word == "dead_letters"),
        cards: vec![
            card("contacts", Cell::Count(told.without_company.of)),
            card("duplicates", Cell::Count(told.duplicates.lacking)),
            card("unknown_companies", Cell::Count(told.unknown_companies.lacking)),
            card("stale_calendars", Cell::Count(told.stale_calendars.lacking)),
            card("crm_lag", Cell::Time(told.crm_lag_ms)),
        ],
        choices: Vec::new(),
        picture: Picture::Bars(Bars { series: vec!["lacking_rate"], groups: groups.collect() }),
        tables: vec![Table {
            word: "lacks",
            heads: vec!["lack", "lacking", "of", "rate"],
            rows: rows.into(),
        }],
    })
}
