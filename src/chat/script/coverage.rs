//! What the tests of a flow reach: steps, and ways out of them.

use std::collections::BTreeSet;

use super::Outcome as Played;
use crate::base::diagnostic::Mark;
use crate::chat::engine::{HUMAN, Passed, STOP};
use crate::chat::flow::{Flow, Outcome, Step};
use crate::chat::steps::Verb;

/// A way out that a test should take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// None for what the whole flow handles in one place: then any step will do.
    pub step: Option<String>,
    pub exit: String,
    /// Where it is written.
    pub at: Mark,
}

/// The ways out of a flow's steps: every outcome, every choice and branch that leads somewhere of its own. What
/// `defaults` and `events` handle for all steps together counts once. A step that can only go on has none.
pub fn exits(flow: &Flow) -> Vec<Exit> {
    let mut exits = Vec::new();
    let mut shared: BTreeSet<&str> = BTreeSet::new();
    for step in flow.own_steps() {
        let own = |exit: String, at: &Mark| Exit { step: Some(step.id.clone()), exit, at: at.clone() };
        match &step.verb {
            Verb::Ask(ask) => {
                let jumps = ask.jumps.iter();
                exits.extend(jumps.map(|(choice, target)| own(format!("choice {choice}"), &target.at)));
            }
            Verb::Switch(switch) => {
                let branches = switch.branches.iter();
                exits.extend(branches.map(|(expr, to)| own(format!("if {}", expr.text()), &to.at)));
                exits.extend(switch.otherwise.iter().map(|to| own("else".to_owned(), &to.at)));
            }
            Verb::Split(split) => {
                exits.extend(
                    split.arms.iter().map(|arm| own(format!("arm {}", arm.name.value), &arm.goto.at)),
                );
            }
            Verb::Call(call) => {
                exits.extend(call.ends.iter().map(|(end, to)| own(format!("end {end}"), &to.at)));
                // Any other end goes on below; there may be none.
                continue;
            }
            _ => {}
        }
        let outcomes = step.verb.outcomes();
        if outcomes == [Outcome::Next] {
            continue;
        }
        for outcome in outcomes.iter().filter(|outcome| step.verb.can_end(**outcome)) {
            match inherited(flow, step, *outcome) {
                Some(at) if shared.insert(outcome.word()) => {
                    exits.push(Exit { step: None, exit: outcome.word().to_owned(), at: at.clone() });
                }
                Some(_) => {}
                None => {
                    let at = step.outcomes.get(outcome).map_or(&step.at, |target| &target.at);
                    exits.push(own(outcome.word().to_owned(), at));
                }
            }
        }
    }
    for (word, target) in [(HUMAN, &flow.human), (STOP, &flow.stop)] {
        exits.extend(target.iter().map(|to| Exit { step: None, exit: word.to_owned(), at: to.at.clone() }));
    }
    exits
}

/// Where the flow's defaults handle an outcome of a step that does not handle it itself.
pub fn inherited<'f>(flow: &'f Flow, step: &Step, outcome: Outcome) -> Option<&'f Mark> {
    if step.outcomes.contains_key(&outcome) {
        return None;
    }
    match outcome {
        Outcome::Timeout => {
            let own = step.timeout.as_ref().and_then(|timeout| timeout.goto.as_ref());
            let shared = flow.defaults.timeout.as_ref().and_then(|timeout| timeout.goto.as_ref());
            shared.filter(|_| own.is_none()).map(|target| &target.at)
        }
        Outcome::Exhausted => flow.defaults.exhausted.as_ref().map(|target| &target.at),
        _ => None,
    }
}

/// What the tests have reached so far.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    steps: BTreeSet<String>,
    passed: BTreeSet<Passed>,
}

/// How much of a flow its tests reach.
#[derive(Clone, Debug)]
pub struct Covered<'f> {
    pub steps: usize,
    pub exits: usize,
    pub missed_steps: Vec<&'f Step>,
    pub missed_exits: Vec<Exit>,
}

impl Coverage {
    /// Counts what a test has reached by its script; what exploring finds by itself proves nothing about the flow's
    /// words and does not count.
    pub fn add(&mut self, played: &Played) {
        self.steps.extend(played.steps.iter().cloned());
        self.passed.extend(played.passed.iter().cloned());
    }

    /// What of the flow has been reached and what has not.
    pub fn of<'f>(&self, flow: &'f Flow) -> Covered<'f> {
        let taken = |exit: &Exit| {
            self.passed.iter().any(|passed| {
                passed.exit == exit.exit && exit.step.as_ref().is_none_or(|step| *step == passed.step)
            })
        };
        let exits = exits(flow);
        let missed = flow.own_steps().filter(|step| !self.steps.contains(&step.id));
        Covered {
            steps: flow.own_steps().count(),
            exits: exits.len(),
            missed_steps: missed.collect(),
            missed_exits: exits.into_iter().filter(|exit| !taken(exit)).collect(),
        }
    }
}

impl Covered<'_> {
    /// Steps and ways out that are reached, of a hundred; rounded down, so that only everything is 100.
    pub fn percent(&self) -> usize {
        let all = self.steps.saturating_add(self.exits);
        let missed = self.missed_steps.len().saturating_add(self.missed_exits.len());
        all.saturating_sub(missed).saturating_mul(100).checked_div(all).unwrap_or(100)
    }
}
