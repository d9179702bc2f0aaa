//! Files and recordings: who took them, how many watched most of it, and who went on to another stage.

use super::View;
use super::sheet::{Bars, Card, Cell, Group, More, Picture, Row, Sheet, Table};
use crate::http::error::Problem;
use crate::reports::journeys::content::{self, Numbers, Report};
use crate::reports::journeys::{Span, reached, webinars};
use crate::reports::traffic::{self, Question};
use crate::sessions::Dimension;

/// Pages that are told of each site.
const PAGES: usize = 20;

pub async fn sheet(view: &View<'_>) -> Result<Sheet, Problem> {
    let (span, before) = view.spans();
    let now = told(view, span).await?;
    let then = match before {
        Some(before) => Some(told(view, before).await?),
        None => None,
    };
    let names = view.reader.names();
    let name = |subject: &str, numbers: &Numbers| match numbers.is_recording {
        true => names.recording(subject),
        false => names.asset(subject),
    };
    let mut by_subject: Vec<(&String, &Numbers)> = now.by_subject.iter().collect();
    by_subject.sort_by_key(|(_, numbers)| std::cmp::Reverse(numbers.people.max(numbers.viewers)));
    let groups = by_subject.iter().take(8).map(|(subject, numbers)| Group {
        name: name(subject, numbers),
        cells: vec![Cell::count(numbers.people.max(numbers.viewers)), Cell::count(numbers.went_on)],
        before: None,
    });
    let rows = by_subject.iter().map(|(subject, numbers)| {
        Row::of(vec![
            Cell::text(name(subject, numbers)),
            Cell::count(numbers.uses),
            Cell::count(numbers.unsure),
            Cell::count(numbers.people),
            Cell::count(numbers.viewers),
            Cell::count(numbers.watched),
            Cell::Time(numbers.is_recording.then_some(numbers.seen_ms)),
            Cell::Share(numbers.completion),
            Cell::count(numbers.went_on),
            Cell::Share(numbers.went_on_rate),
        ])
    });
    let card = |word, pick: fn(&Numbers) -> Cell| Card {
        word,
        value: pick(&now.total),
        before: then.as_ref().map(|then| pick(&then.total)),
        more: More::Better,
    };
    let heads = vec![
        "content",
        "uses",
        "unsure",
        "people",
        "viewers",
        "watched",
        "seen",
        "completion",
        "went_on",
        "rate",
    ];
    let mut tables = vec![Table { word: "content", heads, rows: rows.collect() }];
    tables.extend(pages(view).await?);
    Ok(Sheet {
        is_empty: now.by_subject.is_empty(),
        cards: vec![
            card("uses", |numbers| Cell::count(numbers.uses)),
            card("people", |numbers| Cell::count(numbers.people)),
            card("watched", |numbers| Cell::count(numbers.watched)),
            card("went_on", |numbers| Cell::Share(numbers.went_on_rate)),
        ],
        choices: Vec::new(),
        picture: Picture::Bars(Bars { series: vec!["reached_people", "went_on"], groups: groups.collect() }),
        tables,
    })
}

/// The pages that were looked at most. Of visits nobody's filters hold: with a filter there is nothing to tell.
async fn pages(view: &View<'_>) -> Result<Option<Table>, Problem> {
    if !view.only.is_everybody() {
        return Ok(None);
    }
    let (app, period) = (&view.reader.app, view.asked.period());
    let mut rows = Vec::new();
    for site in app.sites.all() {
        let question = Question { site, period, filters: &[] };
        for page in traffic::by(&app.stores.hits, &question, Dimension::Page, PAGES).await? {
            let counts = [page.numbers.visitors, page.numbers.views].map(Cell::Count);
            rows.push(Row::of(std::iter::once(Cell::text(page.value)).chain(counts).collect()));
        }
    }
    let heads = vec!["page", "visitors", "views"];
    Ok((!rows.is_empty()).then_some(Table { word: "pages", heads, rows }))
}

async fn told(view: &View<'_>, span: Span) -> Result<Report, Problem> {
    let q = &mut view.reader.app.stores.db.read();
    let mut uses = content::uses(q, span).await?;
    uses.retain(|one| view.only.has(one.contact));
    let mut watches = webinars::watches(q, span).await?;
    watches.retain(|watch| view.only.has_perhaps(watch.contact));
    Ok(content::content(&uses, &watches, &reached(q, span.from).await?))
}
