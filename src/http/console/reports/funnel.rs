//! How people go from stage to stage: in all, by the week in which they reached one, and by what brought them.

use super::View;
use super::sheet::{Bars, Card, Cell, Group, More, Picture, Row, Sheet, Table};
use crate::base::time::DAY_MS;
use crate::http::error::Problem;
use crate::reports::journeys::funnel::{self, Funnel, Question, Strangers};
use crate::reports::journeys::people::{self, Origin};
use crate::reports::journeys::{Reached, reached};

/// What people can be told apart by here.
const BYS: [&str; 4] = ["channel", "source", "campaign", "country"];
/// Days in which the next stage must follow.
const WITHIN: [i64; 4] = [7, 30, 90, 365];

pub async fn sheet(view: &View<'_>) -> Result<Sheet, Problem> {
    let (span, before) = view.spans();
    let lifecycle = &view.reader.app.lifecycle;
    let stages: Vec<&str> = lifecycle.stages.iter().map(|stage| stage.id.as_str()).collect();
    let journey = view.asked.chose("journey").and_then(|n| n.parse().ok()).filter(|n| (1..=99).contains(n));
    let within = view.asked.chose("within").and_then(|days| days.parse().ok());
    let within = within.filter(|days| WITHIN.contains(days)).unwrap_or(30);
    let question = |span| Question {
        stages: &stages,
        span,
        within_ms: within * DAY_MS,
        journey,
        zone: &view.asked.zone,
    };
    let since = before.map_or(span.from, |before| before.from.min(span.from));
    let q = &mut view.reader.app.stores.db.read();
    let mut rows = reached(q, since).await?;
    rows.retain(|row| view.only.has(row.contact));
    // Nothing holds of strangers: where only some people are meant, there are none.
    let mut counted: Vec<Funnel> = Vec::new();
    for span in [Some(span), before].into_iter().flatten() {
        let strangers = match view.only.is_everybody() {
            true => funnel::strangers(q, span).await?,
            false => Vec::<Strangers>::new(),
        };
        counted.push(funnel::funnel(&question(span), &rows, &strangers));
    }
    let now = counted.remove(0);
    let then = counted.pop();
    let by = view.asked.chose("by").filter(|by| BYS.contains(by)).unwrap_or("channel");
    let pick: fn(&Origin) -> &Option<String> = match by {
        "source" => |origin| &origin.source,
        "campaign" => |origin| &origin.campaign,
        "country" => |origin| &origin.country,
        _ => |origin| &origin.channel,
    };
    let origins = people::origins(q).await?;
    let mut parts: Vec<(String, Funnel)> = people::parted(&rows, &origins, pick)
        .into_iter()
        .map(|(key, rows)| {
            let rows: Vec<Reached> = rows.into_iter().cloned().collect();
            (key, funnel::funnel(&question(span), &rows, &[]))
        })
        .filter(|(_, funnel)| funnel.total.iter().any(|step| step.reached > 0))
        .collect();
    let reached_by = |funnel: &Funnel, at: usize| funnel.total.get(at).map_or(0, |step| step.reached);
    parts.sort_by(|a, b| reached_by(&b.1, 1).cmp(&reached_by(&a.1, 1)).then_with(|| a.0.cmp(&b.0)));

    let names: Vec<String> = stages.iter().map(|stage| view.stage(stage)).collect();
    let groups = now.total.iter().zip(&names).enumerate().map(|(at, (step, name))| Group {
        name: name.clone(),
        cells: vec![Cell::count(step.reached)],
        before: then.as_ref().map(|then| Cell::count(reached_by(then, at))),
    });
    let picture = Picture::Bars(Bars { series: vec!["reached"], groups: groups.collect() });
    let step_cells = |step: &funnel::Step, name: &str| {
        vec![
            Cell::text(name),
            Cell::count(step.reached),
            step.went_on.map_or(Cell::nothing(), Cell::count),
            Cell::Share(step.share),
        ]
    };
    let total = now.total.iter().zip(&names).map(|(step, name)| Row::of(step_cells(step, name)));
    let weeks = now.cohorts.iter().rev().flat_map(|cohort| {
        cohort.steps.iter().zip(&names).filter(|(step, _)| step.reached > 0).map(|(step, name)| {
            let mut cells = vec![Cell::Day(cohort.week)];
            cells.extend(step_cells(step, name));
            Row::of(cells)
        })
    });
    let sources = parts.iter().map(|(key, funnel)| {
        let mut cells = vec![Cell::text(view.brought(by, key))];
        // Everybody was a visitor once: what tells sources apart begins with the leads.
        cells.extend(["lead", "mql", "sql", "customer"].map(|stage| {
            let at = stages.iter().position(|known| *known == stage);
            Cell::count(at.map_or(0, |at| reached_by(funnel, at)))
        }));
        Row { cells, href: view.narrowed(by, key) }
    });
    let card = |word, stage: &str| {
        let at = stages.iter().position(|known| *known == stage).unwrap_or(0);
        Card {
            word,
            value: Cell::count(reached_by(&now, at)),
            before: then.as_ref().map(|then| Cell::count(reached_by(then, at))),
            more: More::Better,
        }
    };
    let journeys = [
        ("all", view.text("reports.all_journeys")),
        ("1", view.text("reports.journey_1")),
        ("2", view.text("reports.journey_2")),
    ];
    let journey = journey.map_or("all".to_owned(), |n: i64| n.to_string());
    let days = WITHIN.map(|days| {
        (days.to_string(), view.reader.text_with(view.language(), "reports.days", &[("n", days.to_string())]))
    });
    Ok(Sheet {
        is_empty: now.total.iter().all(|step| step.reached == 0),
        cards: vec![
            card("leads", "lead"),
            card("mqls", "mql"),
            card("sqls", "sql"),
            card("customers", "customer"),
        ],
        choices: vec![
            view.choice(
                "within",
                days.iter().map(|(days, text)| (days.as_str(), text.clone())),
                &within.to_string(),
            ),
            view.choice("journey", journeys.into_iter(), &journey),
            view.choice("by", BYS.into_iter().map(|by| (by, view.text(&format!("traffic.one.{by}")))), by),
        ],
        picture,
        tables: vec![
            Table {
                word: "stages",
                heads: vec!["stage", "reached", "went_on", "rate"],
                rows: total.collect(),
            },
            Table {
                word: "sources",
                heads: vec!["brought_by", "leads", "mqls", "sqls", "customers"],
                rows: sources.collect(),
            },
            Table {
                word: "weeks",
                heads: vec!["week", "stage", "reached", "went_on", "rate"],
                rows: weeks.collect(),
            },
        ],
    })
}
