//! S: what only makes sense together.

use std::collections::BTreeSet;

use crate::base::diagnostic::{Mark, Report};
use crate::base::expr::Expr;

use super::graph::by_outcome;
use super::{Known, by_id, paths};
use crate::chat::actions::{self, PROMOTE};
use crate::chat::flow::{Destination, Flow, Outcome, When};
use crate::chat::steps::show::HER_RECORDING;
use crate::chat::steps::{Show, Verb, WaitFor};
use crate::chat::symbols::{IS_ONLINE, IS_OPEN};

/// S507: a flow that offers itself says how often.
pub fn trigger(flow: &Flow, report: &Report) {
    let Some(trigger) = &flow.trigger else { return };
    let offers_itself = matches!(trigger.when, When::PageView | When::Event(_));
    if offers_itself && trigger.frequency.is_none() {
        report
            .error(&trigger.at, "S507", "this flow would offer itself again and again")
            .hint("add `frequency: {once_per: 7d, max: 3, quiet_after_dismiss: 14d}`");
    }
}

/// S510: names that stand in other files.
pub fn names(flow: &Flow, known: &Known, report: &Report) {
    let unknown = |at: &Mark, what: &str, name: &str, all: Option<&BTreeSet<String>>| {
        if let Some(all) = all.filter(|all| !name.is_empty() && !all.contains(name)) {
            report
                .error(at, "S510", format!("there is no {what} \"{name}\""))
                .did_you_mean(name, all.iter().map(String::as_str));
        }
    };
    let called = |expr: &Expr, at: &Mark| {
        for call in expr.call_sites() {
            let Some(name) = call.arguments.first().and_then(|name| name.as_deref()) else { continue };
            if call.name == IS_OPEN {
                unknown(at, "set of business hours", name, known.hours.as_ref());
            } else if call.name == IS_ONLINE {
                unknown(at, "team", name, known.teams.as_ref());
            }
        }
    };
    if let Some(trigger) = &flow.trigger
        && let Some(condition) = &trigger.condition
    {
        called(condition, &trigger.at);
    }
    for verb in flow.own_steps().flat_map(|step| step.verb.parts()) {
        match verb {
            Verb::Book(book) => {
                unknown(&book.meeting.at, "meeting", &book.meeting.value, known.meetings.as_ref());
            }
            Verb::Handoff(handoff) => {
                unknown(&handoff.team.at, "team", &handoff.team.value, known.teams.as_ref());
            }
            Verb::Show(Show::Video { video }) if video.value != HER_RECORDING => {
                unknown(&video.at, "recording", &video.value, known.recordings.as_ref());
            }
            Verb::Do(act) => {
                let Some(action) = actions::find(&act.action.value) else { continue };
                for (name, words) in &act.with {
                    let Some(input) = action.inputs.iter().find(|input| input.name == name) else { continue };
                    for text in words.versions().filter(|text| text.holes().is_empty()) {
                        unknown(&text.at, input.takes.word(), &text.source, known.names(input.takes));
                    }
                }
            }
            Verb::Switch(switch) => {
                switch.branches.iter().for_each(|(expr, target)| called(expr, &target.at));
            }
            Verb::WaitFor(WaitFor::Video { step: shown, .. }) => {
                let other = flow.step(&shown.step);
                if other.is_some_and(|step| !matches!(step.verb, Verb::Show(Show::Video { .. }))) {
                    let shows =
                        flow.own_steps().filter(|step| matches!(step.verb, Verb::Show(Show::Video { .. })));
                    report
                        .error(&shown.at, "S510", format!("the step \"{}\" shows no video", shown.step))
                        .did_you_mean(&shown.step, shows.map(|step| step.id.as_str()));
                }
            }
            Verb::Show(_)
            | Verb::Say(_)
            | Verb::Ask(_)
            | Verb::Form(_)
            | Verb::Set(_)
            | Verb::WaitFor(WaitFor::Time { .. } | WaitFor::Event { .. } | WaitFor::Message)
            | Verb::Call(_)
            | Verb::Split(_)
            | Verb::Pass
            | Verb::Unread(_) => {}
        }
    }
}

/// S504: whoever has booked is told so before the conversation ends.
pub fn confirmation(flow: &Flow, report: &Report) {
    let ids = by_id(flow);
    for step in flow.own_steps().filter(|step| matches!(step.verb, Verb::Book(_))) {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut open = Vec::new();
        let mut is_silent = false;
        match flow.destination(step, Outcome::Booked) {
            Some(Destination::Step(next)) => open.push(next.id.as_str()),
            Some(Destination::End(_)) => is_silent = true,
            None => {}
        }
        while let Some(id) = open.pop() {
            let Some(next) = ids.get(id).filter(|_| seen.insert(id)) else { continue };
            match &next.verb {
                Verb::Set(_) | Verb::Do(_) | Verb::Pass => {
                    for outcome in next.verb.outcomes() {
                        match flow.destination(next, *outcome) {
                            Some(Destination::End(_)) => is_silent = true,
                            Some(Destination::Step(_)) | None => {
                                open.extend(by_outcome(flow, next, *outcome))
                            }
                        }
                    }
                }
                Verb::Switch(_) | Verb::Split(_) => {
                    open.extend(next.verb.jumps().into_iter().map(|target| target.step.as_str()));
                }
                Verb::Say(_)
                | Verb::Show(_)
                | Verb::Ask(_)
                | Verb::Form(_)
                | Verb::WaitFor(_)
                | Verb::Handoff(_)
                | Verb::Book(_)
                | Verb::Call(_)
                | Verb::Unread(_) => {}
            }
        }
        if is_silent {
            report
                .warning(
                    &step.at,
                    "S504",
                    format!("after \"{}\" nobody says that the call is booked", step.id),
                )
                .hint("let `booked` lead to a step that says when it is and what comes next");
        }
    }
}

/// S505: nobody becomes an SQL by a flow that has not booked a call with her.
pub fn promotion(flow: &Flow, report: &Report) {
    let edges = paths::edges(flow);
    let holds = paths::always(flow, &edges);
    for step in flow.own_steps() {
        let Verb::Do(act) = &step.verb else { continue };
        let to_sales = act.with.get("stage").is_some_and(|stage| stage.source() == "sql");
        let is_booked = holds.get(step.id.as_str()).is_none_or(|holds| holds.contains(paths::BOOKED));
        if act.action.value == PROMOTE && to_sales && !is_booked {
            report
                .warning(&step.at, "S505", format!("\"{}\" can be reached without a booked call", step.id))
                .hint("let only `booked` lead here: who is an SQL has a call in the calendar");
        }
    }
}

/// S506: the same thing is asked twice on one way.
pub fn repetition(flow: &Flow, report: &Report) {
    let edges = paths::edges(flow);
    let asked: Vec<(&str, &str, &Mark, bool)> = flow
        .own_steps()
        .flat_map(|step| {
            let skips = match &step.verb {
                Verb::Ask(ask) => ask.skip_known,
                Verb::Form(form) => form.skip_known,
                _ => false,
            };
            let vars = step.verb.questions().into_iter().filter_map(|question| question.var.as_deref());
            vars.map(move |var| (step.id.as_str(), var, &step.at, skips))
        })
        .collect();
    for (step, var, at, skips) in &asked {
        let twins: BTreeSet<&str> = asked
            .iter()
            .filter(|(other, its, _, _)| other != step && its == var)
            .map(|(other, _, _, _)| *other)
            .collect();
        if twins.is_empty() || *skips {
            continue;
        }
        // Only a way on which the other was answered asks a second time.
        let earlier = edges.iter().filter(|edge| twins.contains(edge.from) && edge.gains.contains(var));
        let before = paths::before(&edges, step);
        let twice = earlier.into_iter().find(|edge| edge.to == *step || before.contains(edge.to));
        if let Some(edge) = twice {
            report
                .warning(
                    at,
                    "S506",
                    format!("\"{step}\" asks for \"{var}\", which \"{}\" has asked before", edge.from),
                )
                .hint("add `skip_known: true`, or leave one of them out");
        }
    }
}

/// G215: two flows of one name.
pub fn twice(flows: &[Flow], report: &Report) {
    for (index, flow) in flows.iter().enumerate() {
        if let Some(other) = flows.iter().take(index).find(|other| other.id == flow.id) {
            report
                .error(
                    &flow.at,
                    "G215",
                    format!("there is already a flow \"{}\" in {}", flow.id, other.at.path),
                )
                .hint("give one of them another name");
        }
    }
}

/// S508: two flows that would both offer themselves, with nothing to choose by.
pub fn overlap(flows: &[Flow], report: &Report) {
    for (index, flow) in flows.iter().enumerate() {
        let Some(trigger) = flow.trigger.as_ref().filter(|trigger| trigger.when != When::Api) else {
            continue;
        };
        let same = |other: &&Flow| {
            other.trigger.as_ref().is_some_and(|t| t.when == trigger.when && t.priority == trigger.priority)
        };
        if let Some(other) = flows.iter().take(index).find(same) {
            report
                .error(
                    &trigger.at,
                    "S508",
                    format!("the flow \"{}\" has the same trigger and priority", other.id),
                )
                .hint("give one of them another `priority`");
        }
    }
}
