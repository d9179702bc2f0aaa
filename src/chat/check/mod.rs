//! What can be proved about a flow before it runs. Everything is reported in one go.
//!
//! Reading the file has already found what is wrong with its form, and single mistakes in its data and texts (Y, E, D
//! and T codes); here stand the checks that look at the whole: the graph (G), what is known where (D), the texts (T)
//! and the sense (S). `codes.rs` tells what every code means.

pub mod codes;
mod data;
pub mod examples;
mod graph;
pub mod paths;
mod published;
mod sense;
mod texts;

use std::collections::{BTreeMap, BTreeSet};

use crate::base::diagnostic::Report;

use super::flow::Flow;
use super::link;
use super::script::Covered;

pub use published::against;
pub use texts::{Lock, lock_of};

/// Names that live outside of the flows; none of a kind whose file cannot be read.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub meetings: Option<BTreeSet<String>>,
    pub teams: Option<BTreeSet<String>>,
    pub recordings: Option<BTreeSet<String>>,
    /// Recordings without subtitles.
    pub silent: BTreeSet<String>,
    /// Business hours.
    pub hours: Option<BTreeSet<String>>,
    pub stages: Option<BTreeSet<String>>,
    pub webinars: Option<BTreeSet<String>>,
    /// Letters of `config/mails`.
    pub letters: Option<BTreeSet<String>>,
    /// Topics of letters.
    pub topics: Option<BTreeSet<String>>,
    /// Rules of `config/notify.yaml` that have a name.
    pub rules: Option<BTreeSet<String>>,
    /// Webhooks of `config/notify.yaml`.
    pub hooks: Option<BTreeSet<String>>,
    /// What the texts were when somebody last looked at their translations.
    pub lock: Option<Lock>,
}

impl Known {
    /// The names of a kind that an action takes.
    fn names(&self, of: super::actions::Takes) -> Option<&BTreeSet<String>> {
        match of {
            super::actions::Takes::Text => None,
            super::actions::Takes::Stage => self.stages.as_ref(),
            super::actions::Takes::Webinar => self.webinars.as_ref(),
            super::actions::Takes::Letter => self.letters.as_ref(),
            super::actions::Takes::Topic => self.topics.as_ref(),
            super::actions::Takes::Team => self.teams.as_ref(),
            super::actions::Takes::Rule => self.rules.as_ref(),
            super::actions::Takes::Hook => self.hooks.as_ref(),
        }
    }
}

/// What the other flows of a set mean for one.
#[derive(Default)]
struct Set<'a> {
    /// Flows that can run through without waiting for anything.
    restless: BTreeSet<&'a str>,
    /// Flows that are only ever called: what happens at any time is for their callers to say.
    called: BTreeSet<&'a str>,
    /// What the flows do with variables.
    touched: BTreeMap<&'a str, data::Touched<'a>>,
    /// The flows that run together with each, by its name; none for those that run together with one that is not there.
    kin: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

/// Checks a set of flows, each for itself and all against one another.
pub fn all(flows: &[Flow], known: &Known, report: &Report) {
    let called: BTreeSet<&str> =
        flows.iter().flat_map(link::calls).map(|(_, name)| name.value.as_str()).collect();
    let mut set = Set {
        called: flows
            .iter()
            .filter(|flow| flow.trigger.is_none())
            .map(|flow| flow.id.as_str())
            .filter(|id| called.contains(id))
            .collect(),
        touched: flows.iter().map(|flow| (flow.id.as_str(), data::touched(flow))).collect(),
        kin: kin(flows),
        ..Set::default()
    };
    while let Some(more) = flows
        .iter()
        .find(|flow| !set.restless.contains(flow.id.as_str()) && graph::runs_through(flow, &set.restless))
    {
        set.restless.insert(&more.id);
    }
    for flow in flows {
        check(flow, &set, known, report);
    }
    sense::twice(flows, report);
    sense::overlap(flows, report);
}

/// The flows that run together with each: those that it calls, those that call it, and what these call, as variables of
/// one name are one in all of them. A flow that runs together with one that is not there is left out.
fn kin(flows: &[Flow]) -> BTreeMap<&str, BTreeSet<&str>> {
    let by_id: BTreeMap<&str, &Flow> = flows.iter().map(|flow| (flow.id.as_str(), flow)).collect();
    let mut kin: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut uncertain: BTreeSet<&str> = BTreeSet::new();
    for flow in flows {
        let (mut reached, mut open) = (BTreeSet::from([flow.id.as_str()]), vec![flow]);
        let mut is_whole = true;
        while let Some(next) = open.pop() {
            for (_, name) in link::calls(next) {
                match by_id.get_key_value(name.value.as_str()) {
                    Some((id, called)) if reached.insert(*id) => open.push(*called),
                    Some(_) => {}
                    None => is_whole = false,
                }
            }
        }
        if !is_whole {
            uncertain.extend(&reached);
        }
        for id in &reached {
            kin.entry(*id).or_default().extend(&reached);
        }
    }
    kin.retain(|id, _| !uncertain.contains(id));
    kin
}

/// Checks one flow.
pub fn one(flow: &Flow, known: &Known, report: &Report) {
    let mut set = Set::default();
    // What a flow that it calls does with its variables is not known here.
    if link::calls(flow).next().is_none() {
        set.kin.insert(&flow.id, BTreeSet::new());
    }
    check(flow, &set, known, report);
}

/// What flows that are only called leave to their callers, checked where they were brought in (`chat/link.rs`).
pub fn inherited(flows: &[Flow], report: &Report) {
    let brought: Vec<&Flow> = flows.iter().filter(|flow| flow.trigger.is_some()).collect();
    for flow in brought {
        graph::outcomes(flow, |step| step.within.is_some(), graph::Strict::Yes, report);
    }
}

/// S512: a flow that has no test at all.
pub fn without_tests(flow: &Flow, report: &Report) {
    report
        .warning(&flow.at, "S512", format!("the flow \"{}\" has no test", flow.id))
        .hint(format!("write one into tests/{}.yaml: `flow: {}` and `tests`", flow.id, flow.id));
}

/// S512: steps that no test of the flow reaches, and ways out that none takes.
pub fn untested(covered: &Covered<'_>, report: &Report) {
    for step in &covered.missed_steps {
        report
            .warning(&step.at, "S512", format!("no test reaches \"{}\"", step.id))
            .hint("add a test whose script comes here");
    }
    for exit in &covered.missed_exits {
        let of = exit.step.as_ref().map(|step| format!(" of \"{step}\"")).unwrap_or_default();
        report
            .warning(&exit.at, "S512", format!("no test takes \"{}\"{of}", exit.exit))
            .hint("add a test whose script goes this way");
    }
}

fn check(flow: &Flow, set: &Set<'_>, known: &Known, report: &Report) {
    // Without any step that could be read it was told why when they were read.
    if flow.first().is_none() {
        return;
    }
    let strict =
        if set.called.contains(flow.id.as_str()) { graph::Strict::ForCallers } else { graph::Strict::Yes };
    let targets_are_sound = graph::targets(flow, report);
    graph::outcomes(flow, |step| step.within.is_none(), strict, report);
    graph::asked_for_a_person(flow, strict, report);
    graph::endings(flow, report);
    graph::branches(flow, report);
    sense::names(flow, known, report);
    sense::trigger(flow, report);
    texts::check(flow, known, report);
    if let Some(kin) = set.kin.get(flow.id.as_str()) {
        let own = data::touched(flow);
        let others = kin.iter().filter(|id| **id != flow.id).filter_map(|id| set.touched.get(id));
        data::unused(flow, &others.chain([&own]).collect::<Vec<_>>(), report);
    }
    data::private(flow, report);
    // One name that was mistyped hides nothing else.
    let meant = (!targets_are_sound).then(|| graph::as_meant(flow));
    let flow = meant.as_ref().unwrap_or(flow);
    let endless = graph::reachable(flow, report);
    data::unset(flow, report);
    graph::restless(flow, &set.restless, &endless, report);
    sense::confirmation(flow, report);
    sense::promotion(flow, report);
    sense::repetition(flow, report);
}

/// The steps by name, for walks over the graph.
fn by_id(flow: &Flow) -> BTreeMap<&str, &super::flow::Step> {
    flow.steps.iter().map(|step| (step.id.as_str(), step)).collect()
}

#[cfg(test)]
mod tests;
