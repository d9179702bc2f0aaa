//! Which variables can still make a difference from a step on: live variables, as compilers know them (Aho, Lam, Sethi,
//! Ullman: *Compilers*, section 9.2.5), worked out backwards over the ways of a flow until nothing changes.
//!
//! Two conversations that stand at the same step and differ only in what nothing reads any more will do the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::chat::check::paths;
use crate::chat::flow::{Flow, Step};
use crate::chat::steps::Verb;

/// The variables that may be read from a step on, by the step's id.
pub(super) struct Reads<'f>(BTreeMap<&'f str, BTreeSet<&'f str>>);

/// A way from a step to another, and the variables that certainly get a new value on it.
struct Way<'f> {
    from: &'f str,
    to: &'f str,
    fills: Vec<&'f str>,
}

impl<'f> Reads<'f> {
    /// Of the variables that some condition of the flow weighs, those that may be read again: by a condition, a text, an
    /// action, another variable, or a question that is not asked if its answer is known. Flows that it calls are a part
    /// of it by now (`chat/link.rs`).
    pub fn of(flow: &'f Flow) -> Self {
        let weighed = weighed(flow);
        let uses: BTreeMap<&str, BTreeSet<&str>> =
            flow.steps.iter().map(|step| (step.id.as_str(), uses(step, &weighed))).collect();
        let ways = ways(flow);
        let mut entering = uses.clone();
        let mut changed = true;
        while changed {
            changed = false;
            for Way { from, to, fills } in &ways {
                let beyond: Vec<&str> = entering
                    .get(to)
                    .map(|read| read.iter().copied().filter(|name| !fills.contains(name)).collect())
                    .unwrap_or_default();
                if let Some(here) = entering.get_mut(from) {
                    let before = here.len();
                    here.extend(beyond);
                    changed |= here.len() > before;
                }
            }
        }
        // Whoever stands at a step may have given some of its answers: what is read beyond it counts whole.
        let mut standing = uses;
        for Way { from, to, .. } in &ways {
            if let (Some(here), Some(beyond)) = (standing.get_mut(from), entering.get(to)) {
                here.extend(beyond);
            }
        }
        Self(standing)
    }

    /// Every weighed variable at every step: as if each might always be read again.
    #[cfg(test)]
    pub fn all(flow: &'f Flow) -> Self {
        let weighed = weighed(flow);
        Self(flow.steps.iter().map(|step| (step.id.as_str(), weighed.clone())).collect())
    }

    /// What may be read by somebody who stands at this step, in the order of the names.
    pub fn from(&self, step: &str) -> impl Iterator<Item = &'f str> {
        self.0.get(step).into_iter().flatten().copied()
    }
}

/// The variables that conditions of the flow weigh.
fn weighed(flow: &Flow) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for step in &flow.steps {
        if let Verb::Switch(switch) = &step.verb {
            let used = switch.branches.iter().flat_map(|(expr, _)| expr.uses());
            found.extend(used.filter_map(|used| used.path.strip_prefix("vars.")));
        }
    }
    found
}

/// Those of them that a step reads.
fn uses<'f>(step: &'f Step, weighed: &BTreeSet<&'f str>) -> BTreeSet<&'f str> {
    let mut read: BTreeSet<&str> = BTreeSet::new();
    let labels = step.verb.labels().into_iter().map(|(_, words)| words);
    let given = step.verb.given().into_iter().map(|(_, words)| words);
    for words in step.verb.words().into_iter().chain(labels).chain(given) {
        let holes = words.versions().flat_map(|text| text.holes());
        read.extend(holes.filter_map(|path| path.strip_prefix("vars.")));
    }
    match &step.verb {
        Verb::Switch(switch) => {
            let used = switch.branches.iter().flat_map(|(expr, _)| expr.uses());
            read.extend(used.filter_map(|used| used.path.strip_prefix("vars.")));
        }
        Verb::Set(set) => {
            let fields = set.values.iter().filter_map(|(_, source)| source.field());
            read.extend(fields.filter_map(|path| path.strip_prefix("vars.")));
        }
        verb if skips_known(verb) => {
            read.extend(verb.questions().into_iter().filter_map(|question| question.var.as_deref()));
        }
        _ => {}
    }
    read.into_iter().filter_map(|name| weighed.get(name).copied()).collect()
}

/// Whether it leaves out questions whose answers are known.
fn skips_known(verb: &Verb) -> bool {
    match verb {
        Verb::Ask(ask) => ask.skip_known,
        Verb::Form(form) => form.skip_known,
        _ => false,
    }
}

/// All ways, those of called flows and of wishes that lead away from any step among them.
fn ways(flow: &Flow) -> Vec<Way<'_>> {
    let mut ways: Vec<Way<'_>> = paths::edges(flow)
        .into_iter()
        .map(|edge| {
            let keeps = flow.step(edge.from).is_some_and(|step| skips_known(&step.verb));
            let fills = if keeps { Vec::new() } else { edge.gains };
            Way { from: edge.from, to: edge.to, fills }
        })
        .collect();
    for step in &flow.steps {
        let entry = match &step.verb {
            Verb::Call(call) => call.entry.as_deref(),
            _ => None,
        };
        let wishes = flow.human_at(Some(step)).into_iter().chain(flow.stop_at(Some(step)));
        let to = entry.into_iter().chain(wishes.map(|target| target.step.as_str()));
        ways.extend(to.map(|to| Way { from: step.id.as_str(), to, fills: Vec::new() }));
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Report;
    use crate::base::yaml;

    const FLOW: &str = "flow: small
title: Small
languages: [en]
vars:
  size: {type: enum, values: [small, large]}
  mood: {type: enum, values: [good, bad]}
  name: {type: text}
events: {human_requested: bye}
defaults: {retries: 1, exhausted: bye, timeout: {after: 5m, goto: bye}}
steps:
  size: {ask: How large?, var: size, choices: {small: Small, large: Large}}
  name: {ask: Who are you?, var: name}
  by_size: {switch: [{if: vars.size == \"small\", goto: mood}, {else: mood}]}
  mood: {ask: How are you?, var: mood, choices: {good: Good, bad: Bad}}
  rest: {ask: Anything else?}
  by_mood: {switch: [{if: vars.mood == \"good\", goto: size}, {else: told}]}
  told: {say: '{{#if vars.size}}{{vars.size}}{{/if}} it is.', goto: bye}
  bye: {say: Bye., end: done}
";

    fn reads(text: &str, step: &str) -> Vec<String> {
        let report = Report::new();
        let flow = Flow::read(&yaml::parse("small.yaml", text, &report).unwrap(), &report).unwrap();
        let reads = Reads::of(&flow);
        reads.from(step).map(str::to_owned).collect()
    }

    #[test]
    fn a_variable_counts_until_it_is_read_for_the_last_time_or_filled_anew() {
        assert_eq!(reads(FLOW, "size"), ["size"], "the mood is asked for before it is weighed");
        assert_eq!(reads(FLOW, "name"), ["size"], "no condition weighs the name");
        assert_eq!(reads(FLOW, "rest"), ["mood", "size"]);
        assert_eq!(reads(FLOW, "told"), ["size"], "a text reads, too");
        assert!(reads(FLOW, "bye").is_empty());
    }

    #[test]
    fn whoever_has_answered_a_part_of_a_step_has_what_is_read_beyond_it() {
        assert_eq!(reads(FLOW, "mood"), ["mood", "size"]);
    }

    #[test]
    fn a_question_that_is_not_asked_if_its_answer_is_known_reads_it() {
        let text = FLOW.replace("var: size, choices", "var: size, skip_known: true, choices");
        assert_eq!(reads(&text, "by_mood"), ["mood", "size"]);
        let told = FLOW.replace("{{#if vars.size}}{{vars.size}}{{/if}} it is.", "So it is.");
        assert_eq!(reads(&told, "by_mood"), ["mood"], "without that it is asked anew");
    }

    #[test]
    fn a_wish_leads_away_from_any_step() {
        let text = FLOW.replace("human_requested: bye", "human_requested: by_size");
        assert_eq!(reads(&text, "bye"), ["mood", "size"].map(str::to_owned)[1..]);
    }
}
