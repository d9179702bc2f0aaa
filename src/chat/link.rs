//! Sub-flows: brings the steps of called flows into those that call them.
//!
//! A `call` step keeps its place; behind a flow's own steps come copies of the called flow's, under the calling step's
//! name (`bant/budget`). Where a called flow ends, the caller goes on (`Flow::destination`). So the engine, the drawing
//! and the tests know one flow only, and a change of a called flow is a change of whoever calls it.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::flow::{Flow, Next, Step, Target};
use super::steps::{Verb, WaitFor, is_read};
use crate::base::diagnostic::Report;
use crate::base::yaml::Spanned;

/// More steps than any flow has that somebody still overlooks.
const MAX_STEPS: usize = 2_000;

/// The flows that a flow calls, with the step that does.
pub fn calls(flow: &Flow) -> impl Iterator<Item = (&Step, &Spanned<String>)> {
    flow.own_steps().filter_map(|step| match &step.verb {
        Verb::Call(call) if is_read(&call.flow) => Some((step, &call.flow)),
        _ => None,
    })
}

/// Links all flows of a set. Reports G202 for a flow that is not there, G207 for flows that call one another in a
/// circle, and what does not fit between caller and called: variables (D302), languages (T401), names of ends (Y003).
pub fn all(flows: &mut [Flow], report: &Report) {
    let by_id: BTreeMap<String, Flow> = flows.iter().map(|flow| (flow.id.clone(), flow.clone())).collect();
    let mut linked: BTreeMap<String, Flow> = BTreeMap::new();
    for flow in flows.iter() {
        link(flow, &by_id, &mut linked, &mut Vec::new(), report);
    }
    for flow in flows {
        // Of two flows of one name (G215) each stays what it is.
        if let Some(whole) = linked.remove(&flow.id).filter(|whole| whole.at == flow.at) {
            *flow = whole;
        }
    }
}

fn link(
    flow: &Flow,
    all: &BTreeMap<String, Flow>,
    linked: &mut BTreeMap<String, Flow>,
    trail: &mut Vec<String>,
    report: &Report,
) {
    if linked.contains_key(&flow.id) {
        return;
    }
    trail.push(flow.id.clone());
    let mut whole = flow.clone();
    let mut version = Sha256::new();
    version.update(flow.version.as_bytes());
    let mut has_calls = false;
    for (step, name) in calls(flow) {
        let Some(called) = all.get(&name.value) else {
            let noted = report.error(&name.at, "G202", format!("there is no flow \"{}\"", name.value));
            noted.did_you_mean(&name.value, all.keys().map(String::as_str));
            continue;
        };
        if let Some(from) = trail.iter().position(|id| *id == called.id) {
            let circle: Vec<&str> =
                trail.iter().skip(from).map(String::as_str).chain([name.value.as_str()]).collect();
            report
                .error(&name.at, "G207", format!("flows that call one another: {}", circle.join(" → ")))
                .hint("a called flow comes back by ending: one of these calls has to go");
            continue;
        }
        link(called, all, linked, trail, report);
        let Some(called) = linked.get(&name.value) else { continue };
        has_calls = true;
        version.update(called.version.as_bytes());
        fits(flow, step, called, report);
        bring(&mut whole, step, called);
        if whole.steps.len() > MAX_STEPS {
            report
                .error(&name.at, "G207", format!("with what it calls, \"{}\" has too many steps", flow.id))
                .hint(format!("{MAX_STEPS} at most: let it call less"));
            break;
        }
    }
    if has_calls {
        whole.version = version.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    }
    trail.pop();
    linked.insert(flow.id.clone(), whole);
}

/// What has to agree between a caller and what it calls.
fn fits(flow: &Flow, step: &Step, called: &Flow, report: &Report) {
    let Verb::Call(call) = &step.verb else { return };
    for (name, var) in &called.vars {
        if let Some(own) = flow.vars.get(name).filter(|own| own.of != var.of) {
            let message =
                format!("\"{name}\" holds {} in \"{}\" and {} here", var.of.word(), called.id, own.of.word());
            report.error(&own.at, "D302", message).hint("declare it alike in both, or rename one of them");
        }
    }
    for language in flow.languages.iter().filter(|language| !called.languages.contains(language)) {
        if !flow.optional.contains(language) {
            let message = format!("the flow \"{}\" is not written in {}", called.id, language.code());
            report.error(&call.flow.at, "T401", message).hint("add its `languages` and `translations`");
        }
    }
    let ends: Vec<&str> = called
        .own_steps()
        .filter_map(|step| match &step.next {
            Next::End(end) => Some(end.as_str()),
            Next::Below | Next::Step(_) => None,
        })
        .collect();
    for (end, target) in call.ends.iter().filter(|(end, _)| !ends.contains(&end.as_str())) {
        report
            .error(&target.at, "Y003", format!("the flow \"{}\" has no end \"{end}\"", called.id))
            .did_you_mean(end, ends.iter().copied());
    }
}

/// Copies the steps of a called flow behind those of the caller.
fn bring(whole: &mut Flow, at: &Step, called: &Flow) {
    let prefix = |id: &str| format!("{}/{id}", at.id);
    let rename = |target: &mut Target| {
        if target.is_read() {
            target.step = prefix(&target.step);
        }
    };
    for step in &called.steps {
        let mut step = step.clone();
        // What the called flow says for all of its steps holds for them here as well.
        step.timeout = step.timeout.or_else(|| called.defaults.timeout.clone());
        step.retries = step.retries.or(called.defaults.retries);
        step.typing = step.typing.or(called.defaults.typing);
        if let Some(exhausted) = &called.defaults.exhausted
            && step.verb.outcomes().contains(&super::flow::Outcome::Exhausted)
        {
            step.outcomes.entry(super::flow::Outcome::Exhausted).or_insert_with(|| exhausted.clone());
        }
        step.events.human = step.events.human.or_else(|| called.human.clone());
        step.events.stop = step.events.stop.or_else(|| called.stop.clone());
        step.id = prefix(&step.id);
        step.within = Some(step.within.map_or_else(|| at.id.clone(), |within| prefix(&within)));
        retarget(&mut step, &rename);
        whole.steps.push(step);
    }
    for (name, var) in &called.vars {
        whole.vars.entry(name.clone()).or_insert_with(|| var.clone());
    }
    let entry = called.first().map(|first| prefix(&first.id));
    if let Some(caller) = whole.steps.iter_mut().find(|step| step.id == at.id)
        && let Verb::Call(call) = &mut caller.verb
    {
        call.entry = entry;
    }
}

/// Every step that a step names, under its new name.
pub fn retarget(step: &mut Step, rename: &impl Fn(&mut Target)) {
    step.outcomes.values_mut().for_each(rename);
    step.timeout.iter_mut().filter_map(|timeout| timeout.goto.as_mut()).for_each(rename);
    step.events.human.iter_mut().chain(&mut step.events.stop).for_each(rename);
    if let Next::Step(target) = &mut step.next {
        rename(target);
    }
    renamed(&mut step.verb, rename);
}

/// Every step that a verb names, under its new name.
fn renamed(verb: &mut Verb, rename: &impl Fn(&mut Target)) {
    match verb {
        Verb::Ask(ask) => ask.jumps.values_mut().for_each(rename),
        Verb::Form(form) => form
            .questions
            .iter_mut()
            .filter_map(|(_, question)| question.timeout.as_mut()?.goto.as_mut())
            .for_each(rename),
        Verb::Switch(switch) => {
            switch.targets_mut().for_each(rename);
        }
        Verb::Unread(unread) => {
            unread.verbs.iter_mut().for_each(|verb| renamed(verb, rename));
            unread.ways.iter_mut().for_each(rename);
        }
        Verb::Split(split) => split.arms.iter_mut().map(|arm| &mut arm.goto).for_each(rename),
        Verb::Call(call) => {
            call.ends.values_mut().for_each(rename);
            if let Some(entry) = &mut call.entry {
                let mut target = Target { step: entry.clone(), at: call.flow.at.clone() };
                rename(&mut target);
                *entry = target.step;
            }
        }
        Verb::WaitFor(WaitFor::Video { step, .. }) => rename(step),
        Verb::WaitFor(WaitFor::Time { .. } | WaitFor::Event { .. } | WaitFor::Message)
        | Verb::Say(_)
        | Verb::Show(_)
        | Verb::Set(_)
        | Verb::Do(_)
        | Verb::Handoff(_)
        | Verb::Book(_)
        | Verb::Pass => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::yaml;
    use crate::chat::body::{Body, Said};
    use crate::chat::engine::Input;
    use crate::chat::rehearsal::{Rehearsal, Scene, says};

    const CALLER: &str = "flow: caller
title: The caller
languages: [en]
vars: {size: {type: enum, values: [small, large]}}
defaults: {exhausted: bye, timeout: {after: 5m, goto: bye}}
events: {human_requested: person}
steps:
  hello: {say: Hello.}
  details: {call: details, ends: {refused: bye}}
  told: {say: Thank you., end: told}
  person: {say: A person comes., end: person}
  bye: {say: Goodbye., end: gone}
";
    const CALLED: &str = "flow: details
title: The called
languages: [en]
vars: {size: {type: enum, values: [small, large]}}
steps:
  size:
    ask: How large?
    var: size
    retries: 0
    choices: {small: Small, large: Large, none: {label: None of it, goto: refused}}
  thanks: {say: Noted., end: answered}
  refused: {end: refused}
";

    fn linked(texts: &[&str]) -> (Vec<Flow>, Vec<&'static str>) {
        let report = Report::new();
        let read = |text: &&str| Flow::read(&yaml::parse("f.yaml", text, &report).unwrap(), &report).unwrap();
        let mut flows: Vec<Flow> = texts.iter().map(read).collect();
        let quiet = Report::new();
        all(&mut flows, &quiet);
        let codes = quiet.diagnostics().iter().map(|found| found.code).collect();
        (flows, codes)
    }

    fn pick(choice: &str) -> Input {
        Input::Said(Said::Choice { question: "details/size".to_owned(), choice: choice.to_owned() })
    }

    #[test]
    fn a_called_flow_comes_back_below_the_call_or_where_its_end_leads() {
        let called = CALLED.replace("values: [small, large]", "values: [small, large, none]");
        let caller = CALLER.replace("values: [small, large]", "values: [small, large, none]");
        let (flows, codes) = linked(&[&caller, &called]);
        assert!(codes.is_empty(), "{codes:?}");
        for (choice, outcome, path) in [
            ("large", "told", vec!["hello", "details", "details/size", "details/thanks", "told"]),
            ("none", "gone", vec!["hello", "details", "details/size", "details/refused", "bye"]),
        ] {
            let (mut play, _) = Rehearsal::open(&flows[0], Scene::default(), None);
            play.play(&pick(choice)).unwrap();
            assert_eq!(play.state.outcome.as_deref(), Some(outcome));
            assert_eq!(play.state.path, path);
        }
    }

    #[test]
    fn what_a_called_flow_does_not_say_its_caller_says() {
        let (flows, _) = linked(&[CALLER, CALLED]);
        let (mut play, _) = Rehearsal::open(&flows[0], Scene::default(), None);
        play.advance(5 * 60_000);
        assert_eq!(play.state.outcome.as_deref(), Some("gone"), "the caller's time-out");
        let (mut play, _) = Rehearsal::open(&flows[0], Scene::default(), None);
        play.play(&Input::Said(Said::HumanRequested)).unwrap();
        assert_eq!(play.state.outcome.as_deref(), Some("person"), "the caller's event");
        let (mut play, _) = Rehearsal::open(&flows[0], Scene::default(), None);
        let said = play.play(&says("what?")).unwrap();
        assert!(said.iter().all(|out| !matches!(out.body, Body::Invalid { .. })), "its own retries");
        assert_eq!(play.state.outcome.as_deref(), Some("gone"));
    }

    #[test]
    fn a_change_of_a_called_flow_is_a_change_of_its_callers() {
        let (before, _) = linked(&[CALLER, CALLED]);
        let (after, _) = linked(&[CALLER, &CALLED.replace("How large?", "How many?")]);
        assert_ne!(before[0].version, after[0].version);
        let (same, _) = linked(&[CALLER, CALLED]);
        assert_eq!(before[0].version, same[0].version);
    }

    #[test]
    fn what_does_not_fit_between_caller_and_called_is_told() {
        let other = |from: &str, to: &str| linked(&[&CALLER.replace(from, to), CALLED]).1;
        assert_eq!(other("call: details", "call: detials"), ["G202"]);
        assert_eq!(other("{refused: bye}", "{refusd: bye}"), ["Y003"]);
        assert_eq!(other("{type: enum, values: [small, large]}", "{type: text}"), ["D302"]);
        let back =
            CALLED.replace("thanks: {say: Noted., end: answered}", "thanks: {call: caller, end: answered}");
        assert_eq!(linked(&[CALLER, &back]).1, ["G207"]);
    }
}
