//! One flow: its graph with what came of conversations at its steps, the same as tables, one step closely, and what is wrong.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use serde_json::{Value as Json, json};

use super::super::frame::{Reader, address};
use super::told::{self, Numbers, left, marks, taken};
use super::{completion, failed, head, of, percent, shown};
use crate::app::Bench;
use crate::base::time::DAY_MS;
use crate::chat::flow::{Flow, Step};
use crate::chat::graph::{Graph, Kind, drawing};
use crate::chat::steps::Verb;
use crate::chat::words::Words;
use crate::http::error::Problem;
use crate::reports::journeys::Span;
use crate::reports::journeys::chats::{self, Talk};
use crate::reports::journeys::ways::{Ways, ways};

/// Periods to choose from, in days; the second one is the usual one.
const DAYS: [i64; 4] = [7, 28, 90, 365];
/// Versions to choose from, those with the most conversations.
const VERSIONS_MOST: usize = 12;

/// `GET /console/flows/{flow}[?days=28][&version=VERSION][&step=STEP]`.
pub async fn show(reader: Reader, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let app = &reader.app;
    let bench = app.bench().await.map_err(|error| failed(&error))?;
    let head = head(&reader, &bench, &name, "graph")?;
    let running = app.room.flows.now();
    let flow = shown(&bench, &running, &name);
    let days = reader.asked("days").and_then(|days| days.parse().ok()).filter(|days| DAYS.contains(days));
    let days = days.unwrap_or(DAYS[1]);
    let span = Span { from: reader.now.plus_ms(-days * DAY_MS), to: reader.now.plus_ms(1) };
    let mut talks = chats::talks(&mut app.stores.db.read(), span).await?;
    talks.retain(|talk| talk.flow == *name);
    let version = reader.asked("version");
    let versions = versions(&talks, running.find(&name).map(AsRef::as_ref), version.as_deref());
    talks.retain(|talk| version.as_ref().is_none_or(|version| talk.version == *version));
    let ways = ways(&talks);
    let asked = |step: Option<String>| {
        let days = (days != DAYS[1]).then(|| days.to_string());
        address(&of(&name, ""), &[("days", days), ("version", version.clone()), ("step", step)])
    };
    let step = reader.asked("step");
    let mut body = json!({
        "flow": head,
        "days": days,
        "periods": DAYS,
        "version": version,
        "versions": versions,
        "step": null,
        "drawing": null,
        "rows": [],
        "ways": [],
        "cards": cards(&talks, flow.map(AsRef::as_ref)),
        "checked": told::checked(&bench, &name),
    });
    if let (Some(flow), Json::Object(body)) = (flow, &mut body) {
        let graph = Graph::of(flow, reader.account.language);
        let numbers = Numbers { ways: Some(&ways), chosen: step.as_deref(), lit: &[] };
        let (nodes, edges) =
            marks(&reader, &graph, &numbers, |id| Some(format!("{}#step", asked(Some(id.to_owned())))));
        body.insert("drawing".to_owned(), json!(drawing(&graph, &nodes, &edges)));
        body.insert("rows".to_owned(), rows(&graph, &ways, |id| asked(Some(id.to_owned()))));
        body.insert("ways".to_owned(), ways_told(&graph, &ways));
        let chosen = step.and_then(|id| flow.own_steps().find(|step| step.id == id));
        if let Some(step) = chosen {
            body.insert("step".to_owned(), closely(&bench, flow, step, &graph, &asked(None)));
        }
    }
    reader.page("console/flow", body).await
}

/// The numbers above everything.
fn cards(talks: &[Talk], flow: Option<&Flow>) -> Json {
    let count = |has: fn(&Talk) -> bool| talks.iter().filter(|talk| has(talk)).count();
    json!({
        "started": talks.len(),
        "answered": count(|talk| talk.has_answered),
        "completion": percent(completion(flow, talks.iter())),
        "has_completion": talks.iter().any(|talk| talk.is_closed),
        "handed_over": count(|talk| talk.is_handed_over),
        "booked": count(|talk| talk.is_booked),
    })
}

/// The versions that conversations went by, the one that runs first.
fn versions(talks: &[Talk], running: Option<&Flow>, chosen: Option<&str>) -> Vec<Json> {
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for talk in talks {
        *found.entry(talk.version.as_str()).or_default() += 1;
    }
    let runs = |version: &str| running.is_some_and(|flow| flow.version == version);
    let mut found: Vec<(&str, usize)> = found.into_iter().collect();
    found.sort_by_key(|(version, n)| (!runs(version), std::cmp::Reverse(*n)));
    found.truncate(VERSIONS_MOST);
    let told = |(version, n): (&str, usize)| {
        json!({
            "id": version, "short": version.get(..8).unwrap_or(version), "count": n, "runs": runs(version),
            "is_chosen": chosen == Some(version),
        })
    };
    found.into_iter().map(told).collect()
}

/// Every step with its numbers, in the order of the file.
fn rows(graph: &Graph, ways: &Ways, href: impl Fn(&str) -> String) -> Json {
    let steps =
        graph.nodes.iter().enumerate().filter(|(_, node)| !matches!(node.kind, Kind::End | Kind::Event));
    let mut rows: Vec<Json> = steps
        .map(|(at, node)| {
            let place = ways.places.get(&node.id).cloned().unwrap_or_default();
            let gone = left(graph, ways, at);
            let ended: usize = place.ended.values().sum();
            json!({
                "name": node.id, "verb": node.verb, "href": href(&node.id), "came": place.came,
                "left": gone, "share": (gone * 100 + place.came / 2).checked_div(place.came),
                "ended": ended - gone, "open": place.open,
            })
        })
        .collect();
    // Steps of other versions that this one does not have.
    let known = |name: &str| graph.nodes.iter().any(|node| node.id == name);
    for (name, place) in ways.places.iter().filter(|(name, _)| !known(name)) {
        let gone: usize = place.ended.values().sum();
        rows.push(json!({
            "name": name, "verb": "", "href": null, "came": place.came, "left": gone,
            "share": (gone * 100 + place.came / 2).checked_div(place.came), "ended": 0, "open": place.open,
        }));
    }
    Json::Array(rows)
}

/// Every way that was taken, the widest first.
fn ways_told(graph: &Graph, ways: &Ways) -> Json {
    let name = |at: usize| graph.nodes.get(at).map_or("", |node| node.id.as_str());
    let mut told: Vec<(usize, Json)> = Vec::new();
    for (at, edge) in graph.edges.iter().enumerate() {
        let n = taken(graph, ways, at).filter(|n| *n > 0);
        if let Some(n) = n {
            let is_end = graph.nodes.get(edge.to).is_some_and(|node| node.kind == Kind::End);
            told.push((
                n,
                json!({ "from": name(edge.from), "to": name(edge.to), "is_end": is_end, "by": edge.label, "is_known": true, "count": n }),
            ));
        }
    }
    let drawn =
        |from: &str, to: &str| graph.edges.iter().any(|edge| name(edge.from) == from && name(edge.to) == to);
    for ((from, to), n) in ways.taken.iter().filter(|((from, to), _)| !drawn(from, to)) {
        told.push((
            *n,
            json!({ "from": from, "to": to, "is_end": false, "by": "", "is_known": false, "count": n }),
        ));
    }
    told.sort_by_key(|(n, _)| std::cmp::Reverse(*n));
    Json::Array(told.into_iter().map(|(_, way)| way).collect())
}

/// One step: its texts in every language, its answers, where it leads, and where it stands.
fn closely(bench: &Bench, flow: &Flow, step: &Step, graph: &Graph, back: &str) -> Json {
    let texts = |key: &str, words: &Words| {
        let own: BTreeMap<&str, &str> =
            words.translations().map(|(language, text)| (language.code(), text.source.as_str())).collect();
        let told = flow
            .languages
            .iter()
            .map(|language| json!({ "lang": language.code(), "text": own.get(language.code()) }));
        json!({ "key": key, "texts": told.collect::<Vec<_>>() })
    };
    let mut said: Vec<Json> = step.verb.words().into_iter().map(|words| texts(&words.key, words)).collect();
    said.extend(step.verb.labels().into_iter().map(|(id, words)| texts(id, words)));
    said.extend(step.verb.given().into_iter().map(|(name, words)| texts(name, words)));
    let at = graph.nodes.iter().position(|node| node.id == step.id && node.kind != Kind::End);
    let ways = graph.edges.iter().filter(|edge| Some(edge.from) == at).filter_map(|edge| {
        let to = graph.nodes.get(edge.to)?;
        Some(json!({ "by": edge.label, "to": to.id, "is_end": to.kind == Kind::End }))
    });
    let line = usize::try_from(step.at.line).unwrap_or(1);
    let next = flow
        .own_steps()
        .map(|step| usize::try_from(step.at.line).unwrap_or(1))
        .filter(|next| *next > line)
        .min();
    let paper = bench.paper(&flow.id).filter(|_| bench.flows.is_some());
    let lines = paper.map(|paper| {
        let to = next.unwrap_or_else(|| after(&paper.text, line)).saturating_sub(1);
        let mut lines = told::excerpt(&paper.text, line, to, line);
        while lines.last().is_some_and(|line| line["text"].as_str().is_none_or(|text| text.trim().is_empty()))
        {
            lines.pop();
        }
        lines
    });
    json!({
        "id": step.id,
        "verb": step.verb.word(),
        "calls": match &step.verb { Verb::Call(call) => Some(call.flow.value.as_str()), _ => None },
        "languages": flow.languages.iter().map(|language| language.code()).collect::<Vec<_>>(),
        "said": said,
        "ways": ways.collect::<Vec<_>>(),
        "line": step.at.line,
        "file": paper.map(|paper| &paper.told),
        "lines": lines,
        "back": back,
    })
}

/// The first line below one that stands at the edge again: there the steps are over.
fn after(text: &str, line: usize) -> usize {
    let below = text.lines().enumerate().map(|(index, text)| (index + 1, text)).skip(line);
    let mut edge = below.filter(|(_, text)| text.starts_with(|c: char| !c.is_whitespace() && c != '#'));
    edge.next().map_or_else(|| text.lines().count() + 1, |(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_step_ends_where_the_translations_begin() {
        let text = "steps:\n  a:\n    say: A.\n\n  b:\n    say: B.\n\ntranslations:\n  es: {}\n";
        assert_eq!(after(text, 5), 8);
        assert_eq!(after("steps:\n  a:\n    say: A.\n", 2), 4);
    }
}
