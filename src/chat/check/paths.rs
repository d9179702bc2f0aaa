//! What holds on every path to a step, and what on some: a walk over the graph until nothing changes.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::by_outcome;
use crate::chat::flow::{Flow, Outcome};
use crate::chat::steps::Verb;

/// The fact that a call was booked.
pub const BOOKED: &str = "(booked)";

/// One way from a step to another, and what has come to hold on it.
pub struct Edge<'f> {
    pub from: &'f str,
    pub to: &'f str,
    pub gains: Vec<&'f str>,
}

/// All ways of a flow.
pub fn edges(flow: &Flow) -> Vec<Edge<'_>> {
    let mut edges = Vec::new();
    for step in &flow.steps {
        let from = step.id.as_str();
        for outcome in step.verb.outcomes().iter().filter(|outcome| step.verb.can_end(**outcome)) {
            if let Some(to) = by_outcome(flow, step, *outcome) {
                edges.push(Edge { from, to, gains: gains(&step.verb, *outcome) });
            }
        }
        let answered = match &step.verb {
            Verb::Ask(_) => gains(&step.verb, Outcome::Answered),
            Verb::Unread(_) => gains(&step.verb, Outcome::Next),
            _ => Vec::new(),
        };
        for target in step.verb.jumps() {
            edges.push(Edge { from, to: &target.step, gains: answered.clone() });
        }
    }
    edges
}

/// What holds after a step has ended like that: the variables that have a value, and whether a call is booked.
fn gains(verb: &Verb, outcome: Outcome) -> Vec<&str> {
    match (verb, outcome) {
        (Verb::Unread(unread), _) => {
            unread.verbs.iter().flat_map(|verb| gains(verb, verb.main().unwrap_or(Outcome::Booked))).collect()
        }
        (Verb::Ask(ask), Outcome::Answered) => ask.question.var.as_deref().into_iter().collect(),
        (Verb::Form(form), Outcome::Complete) => {
            form.questions.iter().map(|(name, _)| name.as_str()).collect()
        }
        (Verb::Set(set), Outcome::Next) => {
            let constants = set.values.iter().filter(|(_, source)| source.is_constant());
            constants.map(|(name, _)| name.as_str()).collect()
        }
        (Verb::Book(_) | Verb::Handoff(_), Outcome::Booked) => vec![BOOKED],
        _ => Vec::new(),
    }
}

/// Where somebody can come in from anywhere: the first step, and those of events.
fn entries(flow: &Flow) -> BTreeSet<&str> {
    let first = flow.first().map(|first| first.id.as_str());
    let events = flow.steps.iter().flat_map(|step| step.events.human.iter().chain(&step.events.stop));
    let flows = flow.human.iter().chain(&flow.stop).chain(flow.migrate.values());
    first.into_iter().chain(events.chain(flows).map(|target| target.step.as_str())).collect()
}

/// Where names of steps lead nowhere (G201), each of them may have meant any of the steps that nothing leads to: adds
/// these ways.
pub fn perhaps<'f>(flow: &'f Flow, edges: &mut Vec<Edge<'f>>) {
    let reached = always(flow, edges);
    let is_step = |id: &str| flow.step(id).is_some();
    let lost: Vec<&str> = reached.keys().copied().filter(|id| !is_step(id)).collect();
    let forgotten = flow.steps.iter().map(|step| step.id.as_str()).filter(|id| !reached.contains_key(id));
    for to in forgotten {
        edges.extend(lost.iter().map(|from| Edge { from, to, gains: Vec::new() }));
    }
}

/// What holds at each step whichever way led there; steps that nothing leads to are left out.
pub fn always<'f>(flow: &'f Flow, edges: &[Edge<'f>]) -> BTreeMap<&'f str, BTreeSet<&'f str>> {
    let mut holds: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for entry in entries(flow) {
        holds.insert(entry, BTreeSet::new());
    }
    let mut changed = true;
    while changed {
        changed = false;
        for edge in edges {
            let Some(before) = holds.get(edge.from) else { continue };
            let arrives: BTreeSet<&str> = before.iter().copied().chain(edge.gains.iter().copied()).collect();
            match holds.get_mut(edge.to) {
                None => {
                    holds.insert(edge.to, arrives);
                    changed = true;
                }
                Some(known) => {
                    let both: BTreeSet<&str> = known.intersection(&arrives).copied().collect();
                    if both.len() < known.len() {
                        *known = both;
                        changed = true;
                    }
                }
            }
        }
    }
    holds
}

/// The steps from which a step can be reached, itself not counted unless there is a circle.
pub fn before<'f>(edges: &[Edge<'f>], step: &str) -> BTreeSet<&'f str> {
    let mut found: BTreeSet<&str> = BTreeSet::new();
    let mut open: Vec<&str> = vec![step];
    while let Some(at) = open.pop() {
        for edge in edges.iter().filter(|edge| edge.to == at) {
            if found.insert(edge.from) {
                open.push(edge.from);
            }
        }
    }
    found
}
