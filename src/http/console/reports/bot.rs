//! The bot: conversations by flow, and how many are lost at each step of one of them.

use std::collections::BTreeMap;

use super::View;
use super::sheet::{Card, Cell, More, Picture, Row, Sheet, Step, Table};
use crate::chat::flow::Flow;
use crate::chat::graph::{self, Graph};
use crate::http::error::Problem;
use crate::http::reports::counted::works;
use crate::render::in_words;
use crate::reports::journeys::Span;
use crate::reports::journeys::chats::{self, Numbers, Report};
use crate::reports::journeys::splits;

/// Steps that are drawn.
const DRAWN: usize = 40;

pub async fn sheet(view: &View<'_>) -> Result<Sheet, Problem> {
    let (span, before) = view.spans();
    let now = told(view, span).await?;
    let then = match before {
        Some(before) => Some(told(view, before).await?),
        None => None,
    };
    let mut by_flow: Vec<(&String, &chats::Flow)> = now.by_flow.iter().collect();
    by_flow.sort_by_key(|(_, flow)| std::cmp::Reverse(flow.numbers.started));
    let most = by_flow.first().map_or("", |(flow, _)| flow.as_str());
    let chosen = view.asked.chose("flow").filter(|flow| now.by_flow.contains_key(*flow)).unwrap_or(most);
    let flows = view.reader.app.room.flows.now();
    let title = |id: &str| flows.find(id).map_or_else(|| id.to_owned(), |flow| flow.title.clone());
    let steps = now.by_flow.get(chosen).map(|flow| &flow.steps).cloned().unwrap_or_default();
    let picture = Picture::Flow(drawn(view, flows.find(chosen).map(AsRef::as_ref), &steps));
    let rows = by_flow.iter().map(|(id, flow)| {
        let numbers = &flow.numbers;
        Row {
            cells: vec![
                Cell::text(title(id)),
                Cell::count(numbers.started),
                Cell::count(numbers.answered),
                Cell::Share(numbers.answered_rate),
                Cell::count(numbers.handed_over),
                Cell::count(numbers.booked),
                Cell::Share(numbers.booked_rate),
                Cell::Share(numbers.off_hours_rate),
            ],
            href: Some(view.asked.choosing("flow", id).address(&view.path, &[])),
        }
    });
    let ends = now.by_flow.get(chosen).map(|flow| &flow.numbers.outcomes).into_iter().flatten();
    let mut ends: Vec<(&String, &usize)> = ends.collect();
    ends.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    let ends = ends.into_iter().map(|(outcome, n)| {
        Row::of(vec![Cell::text(view.reader.word("console.chat_outcome", outcome)), Cell::count(*n)])
    });
    let mut tables = vec![
        Table {
            word: "flows",
            heads: vec![
                "flow",
                "started",
                "answered",
                "answered_rate",
                "handed_to_people",
                "booked",
                "booked_rate",
                "off_hours_rate",
            ],
            rows: rows.collect(),
        },
        Table {
            word: "steps",
            heads: vec!["step", "reached", "ended", "lost_rate", "waiting"],
            rows: step_rows(view, flows.find(chosen).map(AsRef::as_ref), &steps),
        },
        Table { word: "outcomes", heads: vec!["outcome", "conversations"], rows: ends.collect() },
    ];
    tables.extend(tried(view, span).await?);
    let card = |word, pick: fn(&Numbers) -> Cell| Card {
        word,
        value: pick(&now.total),
        before: then.as_ref().map(|then| pick(&then.total)),
        more: More::Better,
    };
    Ok(Sheet {
        is_empty: now.total.started == 0,
        cards: vec![
            card("started", |numbers| Cell::count(numbers.started)),
            card("answered_rate", |numbers| Cell::Share(numbers.answered_rate)),
            card("handed_to_people", |numbers| Cell::count(numbers.handed_over)),
            card("booked", |numbers| Cell::count(numbers.booked)),
        ],
        choices: vec![view.choice(
            "flow",
            by_flow.iter().take(12).map(|(id, _)| (id.as_str(), title(id))),
            chosen,
        )],
        picture,
        tables,
    })
}

async fn told(view: &View<'_>, span: Span) -> Result<Report, Problem> {
    let mut talks = chats::talks(&mut view.reader.app.stores.db.read(), span).await?;
    talks.retain(|talk| view.only.has_perhaps(talk.contact));
    Ok(chats::chats(&talks, works(&view.reader.app)))
}

/// What a step is called: what it says, else its id as it is read.
fn name_of(view: &View<'_>, flow: Option<&Flow>, id: &str) -> String {
    let step = flow.and_then(|flow| flow.steps.iter().find(|step| step.id == id));
    let words = step.and_then(|step| {
        let words = step.verb.words();
        words.first().map(|words| graph::told(words.plain(view.language())))
    });
    words.filter(|words| !words.is_empty()).unwrap_or_else(|| in_words(id))
}

fn step_rows(view: &View<'_>, flow: Option<&Flow>, steps: &BTreeMap<String, chats::Step>) -> Vec<Row> {
    let mut steps: Vec<(&String, &chats::Step)> = steps.iter().collect();
    steps.sort_by_key(|(_, step)| std::cmp::Reverse(step.reached));
    let rows = steps.into_iter().map(|(name, step)| {
        #[allow(clippy::cast_precision_loss, reason = "conversations are counted")]
        let lost = (step.reached > 0).then(|| step.ended as f64 / step.reached as f64);
        Row::of(vec![
            Cell::text(name_of(view, flow, name)),
            Cell::count(step.reached),
            Cell::count(step.ended),
            Cell::Share(lost),
            Cell::count(step.open),
        ])
    });
    rows.collect()
}

/// The steps in the order of the flow's file, those of flows that it calls after them, as far as anybody came to them.
fn drawn(view: &View<'_>, flow: Option<&Flow>, steps: &BTreeMap<String, chats::Step>) -> Vec<Step> {
    let graph = flow.map(|flow| Graph::of(flow, view.language())).unwrap_or_default();
    let mut order: Vec<&str> =
        graph.nodes.iter().map(|node| node.id.as_str()).filter(|id| steps.contains_key(*id)).collect();
    order.dedup();
    let mut others: Vec<(&str, usize)> = steps
        .iter()
        .filter(|(id, _)| !order.contains(&id.as_str()))
        .map(|(id, step)| (id.as_str(), step.reached))
        .collect();
    others.sort_by_key(|(_, reached)| std::cmp::Reverse(*reached));
    order.extend(others.into_iter().map(|(id, _)| id));
    order.truncate(DRAWN);
    let place = |id: &str| order.iter().position(|known| *known == id);
    let drawn = order.iter().filter_map(|id| {
        let step = steps.get(*id)?;
        let next = step.next.iter().filter_map(|(id, n)| place(id).map(|place| (place, *n)));
        Some(Step {
            name: name_of(view, flow, id),
            id: (*id).to_owned(),
            reached: step.reached,
            ended: step.ended,
            next: next.collect(),
        })
    });
    drawn.collect()
}

/// The arms of what is tried out, if anything is.
async fn tried(view: &View<'_>, span: Span) -> Result<Option<Table>, Problem> {
    let mut through = splits::through(&mut view.reader.app.stores.db.read(), span, None).await?;
    through.retain(|one| view.only.has_perhaps(one.contact));
    let told = splits::splits(&through);
    let arms =
        told.splits.iter().flat_map(|split| split.arms.iter().map(move |(name, arm)| (split, name, arm)));
    let flows = view.reader.app.room.flows.now();
    let rows = arms.map(|(split, name, arm)| {
        let step = name_of(view, flows.find(&split.flow).map(AsRef::as_ref), &split.step);
        let between = arm.booked_between.map_or_else(
            || "–".to_owned(),
            |(least, most)| {
                let told = |share| Cell::Share(Some(share)).told(view.language());
                format!("{} – {}", told(least), told(most))
            },
        );
        Row::of(vec![
            Cell::text(format!("{} · {} · {}", view.reader.names().flow(&split.flow), step, in_words(name))),
            Cell::count(arm.conversations),
            Cell::count(arm.answered),
            Cell::count(arm.booked),
            Cell::Share(arm.booked_rate),
            Cell::text(between),
        ])
    });
    let rows: Vec<Row> = rows.collect();
    let heads = vec!["arm", "conversations", "answered", "booked", "booked_rate", "between"];
    Ok((!rows.is_empty()).then_some(Table { word: "arms", heads, rows }))
}
