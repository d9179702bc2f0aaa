//! The picture of a flow: its steps and what leads from one to another, as a layered drawing (SVG) or as Mermaid.

mod drawing;
mod layout;
mod mermaid;
mod svg;

use super::engine::{HUMAN, STOP};
use super::flow::{Destination, Flow, Outcome};
use super::script;
use super::steps::Verb;

pub use self::drawing::{Drawing, Mark, drawing};
pub use self::mermaid::mermaid;
pub use self::svg::svg;

/// A flow as nodes and edges.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub title: String,
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
}

/// A step, an end, or the wish for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub id: String,
    pub kind: Kind,
    /// What it does: the verb.
    pub verb: String,
    /// What is said there.
    pub words: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The bot says, asks or does something.
    Step,
    /// The way parts.
    Branch,
    /// Somebody takes over, or a call is booked.
    Person,
    /// The conversation is over.
    End,
    /// What may happen at any time.
    Event,
}

/// A way from one node to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    /// By which outcomes; empty for what simply goes on.
    pub label: String,
    /// What it would be called if it were not.
    plain: String,
    /// Taken only when somebody does not answer, or answers nothing useful.
    pub is_fallback: bool,
}

impl Graph {
    /// The graph of a flow. Ways that have the same beginning and end are one.
    pub fn of(flow: &Flow, language: crate::base::language::Language) -> Graph {
        let mut graph = Graph { title: flow.title.clone(), ..Graph::default() };
        for step in flow.own_steps() {
            let words = step.verb.words().first().map(|words| words.plain(language)).unwrap_or_default();
            let kind = match &step.verb {
                Verb::Switch(_) | Verb::Split(_) => Kind::Branch,
                Verb::Handoff(_) | Verb::Book(_) => Kind::Person,
                _ => Kind::Step,
            };
            let words = match &step.verb {
                Verb::Call(call) => call.flow.value.as_str(),
                _ => words,
            };
            let (id, verb, words) = (step.id.clone(), step.verb.word().to_owned(), told(words));
            graph.nodes.push(Node { id, kind, verb, words });
        }
        for (from, step) in flow.own_steps().enumerate() {
            if let Verb::Ask(ask) = &step.verb {
                for (choice, target) in &ask.jumps {
                    graph.lead(from, &target.step, Label::of(choice), false);
                }
            }
            if let Verb::Split(split) = &step.verb {
                for arm in &split.arms {
                    graph.lead(from, &arm.goto.step, Label::of(&arm.name.value), false);
                }
            }
            if let Verb::Call(call) = &step.verb {
                for (end, target) in &call.ends {
                    graph.lead(from, &target.step, Label::of(end), false);
                }
            }
            if let Verb::Switch(switch) = &step.verb {
                for (expr, target) in &switch.branches {
                    graph.lead(from, &target.step, Label::of(expr.text()), false);
                }
                if let Some(target) = &switch.otherwise {
                    graph.lead(from, &target.step, Label::of("else"), false);
                }
            }
            for outcome in step.verb.outcomes().iter().filter(|outcome| step.verb.can_end(**outcome)) {
                let is_plain = step.verb.main() == Some(*outcome) && !step.outcomes.contains_key(outcome);
                let label = Label { word: outcome.word(), is_plain };
                let is_fallback = matches!(outcome, Outcome::Timeout | Outcome::Exhausted);
                // What the flow's defaults handle for all steps would be a line from each of them.
                if script::inherited(flow, step, *outcome).is_some() {
                    continue;
                }
                match flow.destination(step, *outcome) {
                    Some(Destination::Step(next)) => graph.lead(from, &next.id, label, is_fallback),
                    Some(Destination::End(end)) => {
                        let to = graph.end(end);
                        graph.connect(from, to, label, is_fallback);
                    }
                    None => {}
                }
            }
        }
        let patience = flow.defaults.timeout.as_ref().and_then(|timeout| timeout.goto.as_ref());
        for (id, words, target) in [
            (HUMAN, "Somebody asks for a person.", flow.human.as_ref()),
            (STOP, "Somebody wants to be left alone.", flow.stop.as_ref()),
            ("timeout", "Nobody answers, unless a step says otherwise.", patience),
            (
                "exhausted",
                "No answer will do, unless a step says otherwise.",
                flow.defaults.exhausted.as_ref(),
            ),
        ] {
            let Some(target) = target else { continue };
            let (own, verb) = (id.to_owned(), "event".to_owned());
            graph.nodes.push(Node { id: own, kind: Kind::Event, verb, words: words.to_owned() });
            let from = graph.nodes.len().saturating_sub(1);
            graph.lead(from, &target.step, Label { word: id, is_plain: true }, false);
        }
        graph
    }

    fn end(&mut self, outcome: &str) -> usize {
        let known = self.nodes.iter().position(|node| node.kind == Kind::End && node.id == outcome);
        known.unwrap_or_else(|| {
            let (id, verb) = (outcome.to_owned(), "end".to_owned());
            self.nodes.push(Node { id, kind: Kind::End, verb, words: String::new() });
            self.nodes.len().saturating_sub(1)
        })
    }

    fn lead(&mut self, from: usize, to: &str, label: Label<'_>, is_fallback: bool) {
        let to = self.nodes.iter().position(|node| node.kind != Kind::End && node.id == to);
        if let Some(to) = to {
            self.connect(from, to, label, is_fallback);
        }
    }

    fn connect(&mut self, from: usize, to: usize, label: Label<'_>, is_fallback: bool) {
        let known = self.edges.iter_mut().find(|edge| edge.from == from && edge.to == to);
        match known {
            Some(edge) => {
                if edge.label.is_empty() {
                    edge.label = std::mem::take(&mut edge.plain);
                }
                edge.label = format!("{}, {}", edge.label, label.word);
                edge.is_fallback &= is_fallback;
            }
            None => {
                let (word, none) = (label.word.to_owned(), String::new());
                let (label, plain) = if label.is_plain { (none, word) } else { (word, none) };
                self.edges.push(Edge { from, to, label, plain, is_fallback });
            }
        }
    }
}

/// How a way is called, and whether it goes without saying as long as it is the only one.
#[derive(Clone, Copy)]
struct Label<'l> {
    word: &'l str,
    is_plain: bool,
}

impl<'l> Label<'l> {
    fn of(word: &'l str) -> Self {
        Label { word, is_plain: false }
    }
}

/// A text without the signs of its holes: `Hello{{#if name}}, {{name}}{{/if}}` reads `Hello, name`.
pub fn told(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((hole, after)) = after.split_once("}}") else { break };
        // Of two ways to say it the first one is told.
        if hole.trim() == "else" {
            rest = after.split_once("{{/if}}").map_or("", |(_, after)| after);
            continue;
        }
        if !hole.starts_with(['#', '/']) {
            out.push_str(hole.trim().trim_start_matches("when ").rsplit('.').next().unwrap_or_default());
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Report;
    use crate::base::language::Language;
    use crate::base::yaml;

    pub(super) fn welcome() -> Graph {
        let report = Report::new();
        let text = include_str!("../../../bot-flows/welcome.yaml");
        let flow =
            Flow::read(&yaml::parse("w.yaml", text, &report).expect("a tree"), &report).expect("a flow");
        Graph::of(&flow, Language::En)
    }

    #[test]
    fn every_step_end_and_way_is_in_it() {
        let graph = welcome();
        let node = |id: &str, kind| {
            graph.nodes.iter().position(|node| node.id == id && node.kind == kind).expect("it is there")
        };
        let edge = |from: usize, to: usize| {
            graph.edges.iter().find(|edge| edge.from == from && edge.to == to).map(|edge| edge.label.as_str())
        };
        assert_eq!(edge(node("menu", Kind::Step), node("pick_slot", Kind::Person)), Some("call"));
        assert_eq!(edge(node("bye", Kind::Step), node("answered", Kind::End)), Some(""));
        assert_eq!(
            edge(node("live", Kind::Person), node("missed", Kind::Branch)),
            Some("unavailable, expired"),
            "ways that are the same are drawn once"
        );
        assert_eq!(edge(node(HUMAN, Kind::Event), node("live", Kind::Person)), Some(""));
        assert_eq!(edge(node("timeout", Kind::Event), node("paused", Kind::Step)), Some(""));
        assert_eq!(edge(node("menu", Kind::Step), node("paused", Kind::Step)), None, "said once for all");
        let given_up = edge(node("away", Kind::Step), node("heard", Kind::Step));
        assert_eq!(given_up, Some("exhausted"), "what a step handles itself");
    }

    #[test]
    fn holes_are_told_by_their_names() {
        assert_eq!(told("Hi{{#if a.name}}, {{a.name}}{{else}} you{{/if}}. {{when b.at}}"), "Hi, name. at");
    }
}
