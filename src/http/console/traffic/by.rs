//! All values of one dimension: searched, paged, held against the period before, and as CSV.

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpResponse, web};
use serde_json::{Value as Json, json};

use super::asked::{Asked, Metric, invalid};
use super::board::{self, CTA, View};
use super::{chart, head, the_site_of, view};
use crate::http::console::frame::{Reader, pages};
use crate::http::error::Problem;
use crate::reports::Extent;
use crate::reports::traffic::{self, CtaRow, Numbers, VALUES_MOST, Value, csv};
use crate::sessions::Dimension;

/// Values on one page.
const PAGE: i64 = 50;

/// `GET /console/traffic/by/{dimension}`: `q` searches, `page` pages, `format=csv` is a file.
pub async fn show(reader: Reader, word: web::Path<String>) -> Result<HttpResponse, Problem> {
    let site = the_site_of(&reader)?;
    let asked = Asked::read(reader.query(), site, true, reader.now)?;
    let path = format!("/console/traffic/by/{word}");
    let view = view(&reader, site, &asked, &path);
    let table = match word.as_str() {
        CTA => Table::of_ctas(&view).await?,
        word => Table::of(&view, word).await?,
    };
    if reader.asked("format").as_deref() == Some("csv") {
        return Ok(table.file(&view));
    }
    let query = reader.asked("q");
    let wanted = query.as_deref().unwrap_or_default().to_lowercase();
    let found: Vec<&Row> =
        table.rows.iter().filter(|row| row.name.to_lowercase().contains(&wanted)).collect();
    let total = i64::try_from(found.len()).unwrap_or(i64::MAX);
    let page = reader.asked_page();
    let skipped = usize::try_from((page - 1) * PAGE).unwrap_or(usize::MAX);
    let shown: Vec<&&Row> = found.iter().skip(skipped).take(usize::try_from(PAGE).unwrap_or(0)).collect();
    let extent = Extent::of(page, PAGE, shown.len(), total);
    let rows: Vec<Json> = shown
        .iter()
        .map(|row| {
            let cells = table.heads.iter().zip(&row.cells);
            let cells = cells.map(|(column, text)| json!({ "column": column, "text": text }));
            let cells: Vec<Json> = cells.collect();
            json!({ "name": row.name, "href": row.href, "cells": cells, "share": row.share, "change": row.change })
        })
        .collect();
    let address = |page: i64| {
        let page = page.to_string();
        let mut more = vec![("page", page.as_str())];
        if let Some(query) = &query {
            more.push(("q", query));
        }
        asked.address(&path, &more)
    };
    let mut body = head(&reader, site, &asked, &path);
    body["word"] = json!(word.as_str());
    body["board"] = json!({ "range": board::ranges(&view), "chips": board::chips(&view), "fields": null });
    body["heads"] = json!(table.heads);
    body["rows"] = json!(rows);
    body["q"] = json!(query);
    body["search"] = json!({ "path": path, "others": board::hidden(asked.parameters()) });
    body["is_compared"] = json!(asked.compared().is_some() && word.as_str() != CTA);
    body["is_cut"] = json!(table.rows.len() >= VALUES_MOST);
    body["csv"] = json!(asked.address(&path, &[("format", "csv")]));
    body["pages"] = pages(extent, address);
    reader.page("console/traffic_by", body).await
}

/// The columns of a dimension after its own.
fn columns(dimension: Dimension) -> &'static [&'static str] {
    match dimension {
        Dimension::Page => &["visitors", "visits", "views", "engaged", "scroll"],
        Dimension::Entry => &["visitors", "visits", "bounces", "engaged"],
        Dimension::Exit => &["visits", "views"],
        Dimension::Event | Dimension::Property => &["events", "visitors"],
        Dimension::Bot => &["visits", "views"],
        _ => &["visitors", "visits", "views", "bounces", "engaged"],
    }
}

fn cell(column: &str, numbers: &Numbers, view: &View<'_>) -> String {
    let metric = |metric| chart::told(metric, chart::value(metric, numbers), view.language);
    match column {
        "visitors" => metric(Metric::Visitors),
        "visits" => metric(Metric::Visits),
        "views" => metric(Metric::Views),
        "bounces" => metric(Metric::Bounces),
        "engaged" => metric(Metric::Engaged),
        "scroll" => chart::told(Metric::Bounces, numbers.scroll, view.language),
        _ => crate::render::number(numbers.events, view.language),
    }
}

fn raw(column: &str, numbers: &Numbers) -> String {
    match column {
        "visitors" => numbers.visitors.to_string(),
        "visits" => numbers.visits.to_string(),
        "views" => numbers.views.to_string(),
        "bounces" => numbers.bounce_rate.to_string(),
        "engaged" => numbers.engaged_ms.to_string(),
        "scroll" => numbers.scroll.to_string(),
        _ => numbers.events.to_string(),
    }
}

struct Row {
    name: String,
    href: Option<String>,
    cells: Vec<String>,
    /// For programs: the value as it stands, and its numbers.
    raw: Vec<String>,
    share: String,
    change: Option<Json>,
}

struct Table {
    word: String,
    heads: Vec<&'static str>,
    /// The heads of the file.
    raw_heads: Vec<String>,
    rows: Vec<Row>,
}

impl Table {
    async fn of(view: &View<'_>, word: &str) -> Result<Self, Problem> {
        let dimension = Dimension::of_word(word).filter(|dimension| *dimension != Dimension::Total);
        let dimension = dimension.ok_or_else(|| {
            Problem::new("traffic.dimension_unknown", format!("`{word}` is nothing that traffic is told by."))
        })?;
        let is_unfilterable = matches!(dimension, Dimension::Property | Dimension::Bot);
        if is_unfilterable && !view.asked.filters.is_empty() {
            return Err(invalid(format!("`{word}` cannot be told with filters.")));
        }
        let hits = &view.app.stores.hits;
        let question = view.question(view.asked.period());
        let now = traffic::by(hits, &question, dimension, VALUES_MOST).await?;
        let before: Option<Vec<Value>> = match view.asked.compared() {
            Some(period) => Some(traffic::by(hits, &view.question(period), dimension, VALUES_MOST).await?),
            None => None,
        };
        let columns = columns(dimension);
        let board_path = super::PATH;
        let most = now.iter().map(|value| board::led(word, &value.numbers)).max().unwrap_or(0);
        let rows = now.iter().map(|value| {
            let led = board::led(word, &value.numbers);
            let earlier = before.as_ref().map(|before| {
                let found = before.iter().find(|before| before.value == value.value);
                found.map_or(0, |before| board::led(word, &before.numbers))
            });
            let mut raw_cells = vec![value.value.clone()];
            raw_cells.extend(columns.iter().map(|column| raw(column, &value.numbers)));
            raw_cells.extend(earlier.map(|earlier| earlier.to_string()));
            Row {
                name: view.shown(word, &value.value),
                href: View { path: board_path, ..*view }.narrowed(dimension, &value.value),
                cells: columns.iter().map(|column| cell(column, &value.numbers, view)).collect(),
                raw: raw_cells,
                share: format!("{:.2}", board::share_of(led, most)),
                change: earlier.map(|earlier| board::change(view, Metric::Visitors, led, earlier)),
            }
        });
        let mut raw_heads = vec![word.to_owned()];
        raw_heads.extend(columns.iter().map(|column| {
            match *column {
                "bounces" => "bounce_rate",
                "engaged" => "engaged_ms",
                column => column,
            }
            .to_owned()
        }));
        raw_heads.extend(before.as_ref().map(|_| format!("{}_before", board::leading(word))));
        Ok(Self { word: word.to_owned(), heads: columns.to_vec(), raw_heads, rows: rows.collect() })
    }

    async fn of_ctas(view: &View<'_>) -> Result<Self, Problem> {
        let question = view.question(view.asked.period());
        let (stores, known) = (&view.app.stores, &view.app.catalog.ctas);
        let told = traffic::ctas(&stores.db, &stores.hits, &question, known).await?;
        let most = told.iter().map(|row| row.clicked).max().unwrap_or(0);
        let number = |value: i64| crate::render::number(value, view.language);
        let rate = |rate: Option<f64>| rate.map_or("–".to_owned(), |rate| board::rate(rate, view.language));
        let perhaps = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let row = |row: &CtaRow| Row {
            name: row.label.get(view.language).to_owned(),
            href: View { path: super::PATH, ..*view }.narrowed(Dimension::Event, &format!("cta:{}", row.cta)),
            cells: vec![
                row.seen.map_or("–".to_owned(), number),
                number(row.clicked),
                rate(row.click_rate),
                number(row.sent),
                rate(row.send_rate),
            ],
            raw: vec![
                row.cta.clone(),
                row.seen.map(|seen| seen.to_string()).unwrap_or_default(),
                row.clicked.to_string(),
                perhaps(row.click_rate),
                row.sent.to_string(),
                perhaps(row.send_rate),
            ],
            share: format!("{:.2}", board::share_of(row.clicked, most)),
            change: None,
        };
        let raw_heads = [CTA, "seen", "clicked", "click_rate", "sent", "send_rate"];
        Ok(Self {
            word: CTA.to_owned(),
            heads: vec!["seen", "clicks", "click_rate", "sent", "send_rate"],
            raw_heads: raw_heads.map(str::to_owned).to_vec(),
            rows: told.iter().map(row).collect(),
        })
    }

    fn file(&self, view: &View<'_>) -> HttpResponse {
        let period = view.asked.period();
        let name = format!("{}-{}-{}-{}.csv", view.site.key, self.word, period.from, period.to);
        let heads: Vec<&str> = self.raw_heads.iter().map(String::as_str).collect();
        HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"))
            .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
            .body(csv(&heads, self.rows.iter().map(|row| row.raw.clone())))
    }
}
