//! A flow in words and lines: when it offers itself, what is wrong in its file, what its tests say, and its graph with the
//! numbers on it.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::super::frame::Reader;
use crate::app::Bench;
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::chat::check::codes;
use crate::chat::flow::{Flow, When};
use crate::chat::graph::{Graph, Kind, Mark};
use crate::reports::journeys::ways::Ways;

/// Lines of a text that are shown before and after one with a mistake.
const AROUND: usize = 2;
/// Classes of widths and shades: `w1` to `w6`, `d1` to `d4`.
const WIDTHS: usize = 6;

/// `EN · ES`.
pub fn languages(flow: Option<&Flow>) -> String {
    let codes =
        flow.into_iter().flat_map(|flow| &flow.languages).map(|language| language.code().to_uppercase());
    codes.collect::<Vec<_>>().join(" · ")
}

/// When a flow offers itself, for the words of a page.
pub fn trigger(flow: &Flow) -> Json {
    let Some(trigger) = &flow.trigger else {
        return json!({ "when": "called", "event": "", "pages": "", "condition": null, "delay_ms": null, "scroll": null, "idle_ms": null, "leaving": false });
    };
    let (when, event) = match &trigger.when {
        When::PageView => ("page_view", ""),
        When::Opened => ("opened", ""),
        When::Event(name) => ("event", name.as_str()),
        When::Api => ("api", ""),
    };
    json!({
        "when": when,
        "event": event,
        "pages": trigger.pages.words().join(", "),
        "condition": trigger.condition.as_ref().map(|condition| condition.text()),
        "delay_ms": trigger.moment.delay_ms,
        "scroll": trigger.moment.scroll,
        "idle_ms": trigger.moment.idle_ms,
        "leaving": trigger.moment.exit_intent,
    })
}

/// Findings with the lines around each; `texts` are the files by their told names.
pub fn findings<'f>(found: impl IntoIterator<Item = &'f Diagnostic>, bench: &Bench, here: &str) -> Vec<Json> {
    let texts: BTreeMap<&str, (&str, &str)> = bench
        .papers
        .iter()
        .map(|paper| (paper.told.as_str(), (paper.text.as_str(), paper.flow.as_str())))
        .collect();
    let mut found: Vec<&Diagnostic> = found.into_iter().collect();
    // What keeps it from running comes first.
    found.sort_by_key(|one| (one.severity, one.path != here));
    let told = |one: &Diagnostic| {
        let known = texts.get(one.path.as_str());
        let line = usize::try_from(one.line).unwrap_or(1);
        json!({
            "path": one.path,
            "flow": known.map(|(_, flow)| *flow),
            "is_here": one.path == here,
            "line": one.line,
            "col": one.col,
            "code": one.code,
            "title": codes::find(one.code).map(codes::Code::title),
            "message": one.message,
            "hint": one.hint,
            "is_error": one.severity == Severity::Error,
            "lines": known.map(|(text, _)| excerpt(text, line.saturating_sub(AROUND), line + AROUND, line)),
        })
    };
    found.into_iter().map(told).collect()
}

/// The lines from one to another, both counted from 1 and both among them; `it` is the one that is meant.
pub fn excerpt(text: &str, from: usize, to: usize, it: usize) -> Vec<Json> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let within = numbered.filter(|(number, _)| (from..=to).contains(number));
    within.map(|(number, text)| json!({ "number": number, "text": text, "is_it": number == it })).collect()
}

/// The tests of a flow and those that fail elsewhere.
pub fn tests(bench: &Bench, flow: &str) -> Json {
    let own = bench.tests.iter().filter(|ran| ran.flow == flow || !ran.failures.is_empty());
    let rows: Vec<Json> = own
        .map(|ran| {
            let failures = ran.failures.iter().map(|(line, what)| json!({ "line": line, "what": what }));
            json!({
                "name": ran.name, "flow": ran.flow, "is_own": ran.flow == flow, "path": ran.told, "line": ran.line,
                "failures": failures.collect::<Vec<_>>(),
            })
        })
        .collect();
    let failed =
        rows.iter().filter(|row| row["failures"].as_array().is_some_and(|all| !all.is_empty())).count();
    json!({
        "could_run": bench.flows.is_some(),
        "passed": rows.len() - failed,
        "failed": failed,
        "rows": rows,
    })
}

/// Everything that was found when a text was looked at.
pub fn checked(bench: &Bench, flow: &str) -> Json {
    let here = bench.paper(flow).map(|paper| paper.told.clone()).unwrap_or_default();
    let errors_elsewhere = |one: &&Diagnostic| {
        one.path == here
            || one.severity == Severity::Error
            || one.path.ends_with(&format!("tests/{flow}.yaml"))
    };
    let found: Vec<&Diagnostic> = bench.findings.iter().filter(errors_elsewhere).collect();
    json!({
        "is_sound": bench.would_run(),
        "findings": findings(found, bench, &here),
        "tests": tests(bench, flow),
    })
}

/// Conversations that left a flow at a step: they are over, and none of the step's own ends says so.
pub fn left(graph: &Graph, ways: &Ways, node: usize) -> usize {
    let Some(place) = graph.nodes.get(node).and_then(|node| ways.places.get(&node.id)) else { return 0 };
    let is_end = |outcome: &str| {
        let ends =
            graph.edges.iter().filter(|edge| edge.from == node).filter_map(|edge| graph.nodes.get(edge.to));
        ends.into_iter().any(|to| to.kind == Kind::End && to.id == outcome)
    };
    place.ended.iter().filter(|(outcome, _)| !is_end(outcome)).map(|(_, n)| n).sum()
}

/// How many took an edge; none where that is not known.
pub fn taken(graph: &Graph, ways: &Ways, edge: usize) -> Option<usize> {
    let edge = graph.edges.get(edge)?;
    let (from, to) = (graph.nodes.get(edge.from)?, graph.nodes.get(edge.to)?);
    match (from.kind, to.kind) {
        (Kind::Event, _) => None,
        (_, Kind::End) => {
            Some(ways.places.get(&from.id).and_then(|place| place.ended.get(&to.id)).copied().unwrap_or(0))
        }
        _ => Some(ways.taken.get(&(from.id.clone(), to.id.clone())).copied().unwrap_or(0)),
    }
}

/// What the drawing of a flow tells beside its steps.
pub struct Numbers<'a> {
    /// None where nothing is counted: in a trial.
    pub ways: Option<&'a Ways>,
    /// The step that is looked at, or where a trial stands.
    pub chosen: Option<&'a str>,
    /// The steps that a trial has come through.
    pub lit: &'a [String],
}

/// The marks of nodes and edges. `href` gives the way to a step.
pub fn marks(
    reader: &Reader,
    graph: &Graph,
    numbers: &Numbers<'_>,
    href: impl Fn(&str) -> Option<String>,
) -> (Vec<Mark>, Vec<Mark>) {
    let language = reader.account.language;
    let say = |key: &str, values: &[(&str, String)]| reader.text_with(language, key, values);
    let counted = |edge| numbers.ways.and_then(|ways| taken(graph, ways, edge));
    let most = (0..graph.edges.len()).filter_map(counted).max().unwrap_or(0);
    let nodes = graph.nodes.iter().enumerate().map(|(at, node)| {
        let is_step = !matches!(node.kind, Kind::End | Kind::Event);
        let mut class: Vec<String> = Vec::new();
        let mut note = String::new();
        if let Some(ways) = numbers.ways {
            if is_step {
                let came = ways.places.get(&node.id).map_or(0, |place| place.came);
                let gone = left(graph, ways, at);
                note = match (came, gone) {
                    (0, _) => say("flows.drawn.nobody", &[]),
                    (came, 0) => say("flows.drawn.came", &[("n", came.to_string())]),
                    (came, gone) => {
                        let share = (gone * 100 + came / 2).checked_div(came).unwrap_or(0);
                        class.extend(shade(share));
                        let share = share.to_string();
                        say(
                            "flows.drawn.left",
                            &[("n", came.to_string()), ("left", gone.to_string()), ("share", share)],
                        )
                    }
                };
                if came == 0 {
                    class.push("quiet".to_owned());
                }
            } else if node.kind == Kind::End {
                let ended: usize =
                    ways.places.values().filter_map(|place| place.ended.get(&node.id)).copied().sum();
                note = ended.to_string();
            }
        }
        if is_step && numbers.lit.contains(&node.id) {
            class.push("lit".to_owned());
        }
        if is_step && numbers.chosen == Some(node.id.as_str()) {
            class.push("chosen".to_owned());
        }
        let said = if node.words.is_empty() { String::new() } else { format!(": {}", node.words) };
        let told = if note.is_empty() { String::new() } else { format!(". {note}") };
        let title = format!("{} ({}){said}{told}", node.id, node.verb);
        Mark { note, class: class.join(" "), title, href: is_step.then(|| href(&node.id)).flatten() }
    });
    let edges = graph.edges.iter().enumerate().map(|(at, edge)| {
        let name = |node: usize| graph.nodes.get(node).map_or("", |node| node.id.as_str());
        let (from, to) = (name(edge.from), name(edge.to));
        let by = if edge.label.is_empty() { String::new() } else { format!(" ({})", edge.label) };
        let n = counted(at);
        let note = n.filter(|n| *n > 0).map(|n| n.to_string()).unwrap_or_default();
        let told = n.map(|n| format!(": {n}")).unwrap_or_default();
        let is_lit = numbers.lit.windows(2).any(|pair| matches!(pair, [a, b] if a == from && b == to));
        let class = match n {
            Some(0) => "w0".to_owned(),
            Some(n) => format!("w{}", (n * WIDTHS).div_ceil(most.max(1)).clamp(1, WIDTHS)),
            None if is_lit => "lit".to_owned(),
            None => String::new(),
        };
        Mark { note, class, title: format!("{from} → {to}{by}{told}"), href: None }
    });
    (nodes.collect(), edges.collect())
}

/// The class of a share of conversations, in percent, that were lost.
fn shade(share: usize) -> Option<String> {
    let shade = match share {
        0 => return None,
        1..=9 => 1,
        10..=24 => 2,
        25..=49 => 3,
        _ => 4,
    };
    Some(format!("d{shade}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_around_a_mistake_end_with_the_file() {
        let lines = excerpt("a\nb\nc\n", 0, 3, 1);
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0], json!({ "number": 1, "text": "a", "is_it": true }));
        assert!(excerpt("", 1, 3, 1).is_empty());
    }

    #[test]
    fn more_that_is_lost_is_darker() {
        assert_eq!(shade(0), None);
        assert_eq!(
            [1, 10, 25, 50, 100].map(|share| shade(share).unwrap_or_default()),
            ["d1", "d2", "d3", "d4", "d4"]
        );
    }
}
