//! G: where steps lead.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use crate::base::diagnostic::{Report, list_words, nearest};
use crate::base::expr::Expr;

use super::by_id;
use crate::chat::flow::{Destination, Flow, Next, Outcome, Step, Target};
use crate::chat::link;
use crate::chat::steps::{Switch, Verb, WaitFor};

/// Whether a flow has to say everything itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Strict {
    Yes,
    /// It is only ever called: what it leaves open about time-outs and retries its callers say.
    ForCallers,
}

/// G201: everything that names a step names one that exists.
pub fn targets(flow: &Flow, report: &Report) -> bool {
    let ids: Vec<&str> = flow.steps.iter().map(|step| step.id.as_str()).collect();
    let known: BTreeSet<&str> = ids.iter().copied().collect();
    let sound = Cell::new(true);
    let check = |target: &Target| {
        if target.is_read() && !known.contains(target.step.as_str()) {
            sound.set(false);
            report
                .error(&target.at, "G201", format!("there is no step \"{}\"", target.step))
                .did_you_mean(&target.step, ids.iter().copied());
        }
    };
    flow.human.iter().chain(&flow.stop).chain(flow.migrate.values()).for_each(check);
    flow.defaults.exhausted.iter().for_each(check);
    flow.defaults.timeout.iter().filter_map(|t| t.goto.as_ref()).for_each(check);
    for step in &flow.steps {
        step.outcomes.values().for_each(check);
        step.timeout.iter().filter_map(|t| t.goto.as_ref()).for_each(check);
        step.events.human.iter().chain(&step.events.stop).for_each(check);
        step.verb.jumps().into_iter().for_each(check);
        match &step.next {
            Next::Step(target) => check(target),
            Next::Below | Next::End(_) => {}
        }
        if let Verb::WaitFor(WaitFor::Video { step: shown, .. }) = &step.verb {
            check(shown);
        }
    }
    sound.get()
}

/// The flow as it was meant where a step's name was mistyped, for the checks that follow the ways through it.
pub fn as_meant(flow: &Flow) -> Flow {
    let ids: BTreeSet<String> = flow.steps.iter().map(|step| step.id.clone()).collect();
    let mend = |target: &mut Target| {
        if !ids.contains(&target.step)
            && let Some(near) = nearest(&target.step, ids.iter().map(String::as_str))
        {
            target.step = near.to_owned();
        }
    };
    let mut meant = flow.clone();
    meant.human.iter_mut().chain(&mut meant.stop).chain(meant.migrate.values_mut()).for_each(mend);
    meant.defaults.exhausted.iter_mut().for_each(mend);
    meant.defaults.timeout.iter_mut().filter_map(|timeout| timeout.goto.as_mut()).for_each(mend);
    meant.steps.iter_mut().for_each(|step| link::retarget(step, &mend));
    meant
}

/// G209, S501, S502, S503: every outcome of every step leads somewhere.
pub fn outcomes(flow: &Flow, of: impl Fn(&Step) -> bool, strict: Strict, report: &Report) {
    for step in flow.steps.iter().filter(|step| of(step)) {
        let verb = step.verb.word();
        for outcome in step.verb.outcomes() {
            let handled = flow.target(step, *outcome).is_some() || step.verb.main() == Some(*outcome);
            if handled {
                continue;
            }
            let word = outcome.word();
            let hint = format!("add `outcomes: {{{word}: some_step}}`");
            match outcome {
                Outcome::Timeout | Outcome::Exhausted if strict == Strict::ForCallers => {}
                Outcome::Timeout => report
                    .error(
                        &step.at,
                        "S501",
                        format!("\"{}\" does not say what happens when nobody answers", step.id),
                    )
                    .hint("add `timeout: {after: 30m, goto: some_step}` here or under defaults"),
                Outcome::Exhausted => report
                    .error(
                        &step.at,
                        "S502",
                        format!("\"{}\" does not say where it goes after the last retry", step.id),
                    )
                    .hint("add `exhausted: some_step` under defaults, or to the outcomes here"),
                Outcome::Unavailable | Outcome::Expired if verb == "handoff" => report
                    .error(
                        &step.at,
                        "S503",
                        format!("\"{}\" has no way on when nobody is there ({word})", step.id),
                    )
                    .hint(hint),
                _ => report
                    .error(
                        &step.at,
                        "G209",
                        format!("the outcome \"{word}\" of \"{}\" leads nowhere", step.id),
                    )
                    .hint(hint),
            }
        }
        let waits = step.verb.outcomes().contains(&Outcome::Timeout);
        if waits && flow.target(step, Outcome::Timeout).is_some() && flow.timeout(step).is_none() {
            report
                .error(&step.at, "S501", format!("\"{}\" has a way on for a timeout but no time", step.id))
                .hint("add `timeout: {after: 30m}` here or under defaults");
        }
    }
}

/// G209: whoever is asked something can ask for a person.
pub fn asked_for_a_person(flow: &Flow, strict: Strict, report: &Report) {
    let silent = |verb: &Verb| {
        matches!(
            verb,
            Verb::Say(_)
                | Verb::Show(_)
                | Verb::Set(_)
                | Verb::Switch(_)
                | Verb::Split(_)
                | Verb::Do(_)
                | Verb::Pass
        )
    };
    let asks =
        flow.own_steps().any(|step| !step.verb.parts().iter().all(silent) && step.events.human.is_none());
    if asks && flow.human.is_none() && strict == Strict::Yes {
        report
            .error(&flow.at, "G209", "the flow does not say what happens when a visitor asks for a person")
            .hint("add `events: {human_requested: some_step}`");
    }
}

/// G204: no step falls off the end of the file.
pub fn endings(flow: &Flow, report: &Report) {
    if let Some(last) = falls_off(flow) {
        report
            .error(&last.at, "G204", format!("after \"{}\" there is nothing more", last.id))
            .hint("add `end: outcome` or `goto: some_step`");
    }
}

/// The last step, if nothing follows when it is done.
fn falls_off(flow: &Flow) -> Option<&Step> {
    let last = flow.own_steps().last()?;
    let goes_on = |main| last.verb.can_end(main) && flow.target(last, main).is_none();
    (last.next == Next::Below && last.verb.main().is_some_and(goes_on)).then_some(last)
}

/// Why a branch is never taken.
enum Dead<'f> {
    /// Its condition never holds.
    Itself,
    /// One above is `true`, or says the very same.
    Same,
    /// One above holds wherever it does.
    Covered(&'f str),
}

/// What keeps a branch from ever being taken, by those above it.
fn dead<'f>(expr: &Expr, above: &'f [(Expr, Target)]) -> Option<Dead<'f>> {
    if expr.constant() == Some(false) {
        return Some(Dead::Itself);
    }
    let text = expr.text().trim();
    if above.iter().any(|(above, _)| ["true", text].contains(&above.text().trim())) {
        return Some(Dead::Same);
    }
    let covers = |above: &Expr| {
        let implied = || above.native().zip(expr.native()).is_some_and(|(above, below)| below.implies(above));
        above.constant() == Some(true) || implied()
    };
    above.iter().find(|(above, _)| covers(above)).map(|(above, _)| Dead::Covered(above.text().trim()))
}

/// G211: branches of a switch that are never taken. What has been an error from the beginning stays one: the same
/// condition twice, `false`, and what stands below `true`. What was seen later is a warning: the flow does what it says
/// and loses nobody, so none that runs is sent away for it.
fn never_taken(switch: &Switch, report: &Report) {
    const BELOW: &str = "take it out, or put it above the other";
    for (index, (expr, target)) in switch.branches.iter().enumerate() {
        let (above, text) = (switch.branches.get(..index).unwrap_or_default(), expr.text().trim());
        match dead(expr, above) {
            None => {}
            Some(Dead::Itself) => {
                let message = format!("this branch is never taken: its condition is `{text}`");
                let noted = match text {
                    "false" => report.error(&target.at, "G211", message),
                    _ => report.warning(&target.at, "G211", format!("{message}, which never holds")),
                };
                noted.hint("take the branch out");
            }
            Some(Dead::Same) => {
                let message = "this branch is never taken: one above it always is before";
                report.error(&target.at, "G211", message).hint(BELOW);
            }
            Some(Dead::Covered(above)) => {
                let message = format!("this branch is never taken: where it holds, `{above}` above does");
                report.warning(&target.at, "G211", message).hint(BELOW);
            }
        }
    }
    let always = switch.branches.iter().find(|(expr, _)| expr.constant() == Some(true));
    if let (Some((above, _)), Some(otherwise)) = (always, &switch.otherwise) {
        let message = format!("this `else` is never taken: `{}` above always holds", above.text().trim());
        report
            .warning(&otherwise.at, "G211", message)
            .hint("let `else` lead where that branch leads, and take the branch out");
    }
}

/// G211: branches of a switch that are never taken. G212: choices that make no difference.
pub fn branches(flow: &Flow, report: &Report) {
    for step in flow.own_steps() {
        if let Verb::Switch(switch) = &step.verb {
            never_taken(switch, report);
        }
        let to: Vec<&Target> = match &step.verb {
            Verb::Ask(ask) if ask.jumps.len() == ask.question.choices.len() && ask.question.var.is_none() => {
                ask.jumps.values().collect()
            }
            Verb::Switch(switch) => switch.targets().collect(),
            Verb::Split(split) => split.arms.iter().map(|arm| &arm.goto).collect(),
            _ => Vec::new(),
        };
        if let [first, others @ ..] = to.as_slice()
            && !others.is_empty()
            && first.is_read()
            && others.iter().all(|other| other.step == first.step)
        {
            report
                .warning(
                    &step.at,
                    "G212",
                    format!("every way out of \"{}\" leads to \"{}\"", step.id, first.step),
                )
                .hint("if it makes no difference, one `goto` is enough");
        }
    }
}

/// Every step that a step can lead to.
pub fn leads_to<'f>(flow: &'f Flow, step: &'f Step) -> Vec<&'f str> {
    let mut to: Vec<&str> = step.verb.jumps().into_iter().map(|target| target.step.as_str()).collect();
    let ends = step.verb.outcomes().iter().filter(|outcome| step.verb.can_end(**outcome));
    to.extend(ends.filter_map(|outcome| by_outcome(flow, step, *outcome)));
    to.extend(step.events.human.iter().chain(&step.events.stop).map(|target| target.step.as_str()));
    to
}

/// The step that an outcome leads to, or the name of one that is not there.
pub fn by_outcome<'f>(flow: &'f Flow, step: &'f Step, outcome: Outcome) -> Option<&'f str> {
    match flow.destination(step, outcome) {
        Some(Destination::Step(next)) => Some(&next.id),
        Some(Destination::End(_)) => None,
        None => flow.target(step, outcome).map(|target| target.step.as_str()),
    }
}

/// G203 steps that nothing leads to, G205 steps from which no end can be reached; the latter are given back. A name that
/// leads nowhere may mean a step that is forgotten, and one that ends if any does.
pub fn reachable<'f>(flow: &'f Flow, report: &Report) -> BTreeSet<&'f str> {
    let ids = by_id(flow);
    let to: BTreeMap<&str, Vec<&str>> =
        flow.steps.iter().map(|step| (step.id.as_str(), leads_to(flow, step))).collect();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut open: Vec<&str> = flow.first().map(|first| first.id.as_str()).into_iter().collect();
    open.extend(flow.human.iter().chain(&flow.stop).chain(flow.migrate.values()).map(|t| t.step.as_str()));
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            open.extend(to.get(id).into_iter().flatten());
        }
    }
    let is_lost = |id: &str| !ids.contains_key(id);
    let lost: Vec<&str> = seen.iter().copied().filter(|id| is_lost(id) && !id.is_empty()).collect();
    let hint = match lost.as_slice() {
        [] => "take it out, or let a step go to it".to_owned(),
        lost => format!(
            "take it out, or let a step go to it; perhaps it is the one meant by {}",
            list_words(lost)
        ),
    };
    for step in flow.steps.iter().filter(|step| !seen.contains(step.id.as_str())) {
        report
            .error(&step.at, "G203", format!("nothing leads to the step \"{}\"", step.id))
            .hint(hint.clone());
    }
    if seen.iter().any(|id| is_lost(id)) {
        seen.extend(ids.keys());
    }
    let is_end = |step: &&Step| matches!(step.next, Next::End(_));
    let may_end = flow.steps.iter().any(|step| is_end(&step));
    let mut ends: BTreeSet<&str> = flow
        .steps
        .iter()
        .filter(is_end)
        .map(|step| step.id.as_str())
        // That it ends nowhere is told already.
        .chain(falls_off(flow).map(|step| step.id.as_str()))
        .collect();
    loop {
        let more: Vec<&str> = to
            .iter()
            .filter(|(id, to)| {
                !ends.contains(*id) && to.iter().any(|to| ends.contains(to) || may_end && is_lost(to))
            })
            .map(|(id, _)| *id)
            .collect();
        if more.is_empty() {
            break;
        }
        ends.extend(more);
    }
    let is_endless = |step: &&Step| seen.contains(step.id.as_str()) && !ends.contains(step.id.as_str());
    let endless: Vec<&Step> = flow.steps.iter().filter(is_endless).collect();
    for step in &endless {
        report
            .error(&step.at, "G205", format!("from \"{}\" no end can be reached", step.id))
            .hint("some step after it needs `end: outcome`");
    }
    endless.into_iter().map(|step| step.id.as_str()).collect()
}

/// The steps that a step can lead to without the visitor: what needs nothing, and what needs only time.
fn by_time<'f>(flow: &'f Flow, step: &'f Step, restless: &BTreeSet<&str>) -> Vec<&'f str> {
    let mut to = at_once(flow, step, restless);
    let mut ends = vec![Outcome::Timeout, Outcome::Expired];
    if matches!(step.verb, Verb::WaitFor(WaitFor::Time { .. })) {
        ends.push(Outcome::Reached);
    }
    let can = |outcome: &Outcome| step.verb.outcomes().contains(outcome) && step.verb.can_end(*outcome);
    to.extend(ends.into_iter().filter(can).filter_map(|outcome| by_outcome(flow, step, outcome)));
    to
}

/// The steps that a step can lead to without the visitor or time.
fn at_once<'f>(flow: &'f Flow, step: &'f Step, restless: &BTreeSet<&str>) -> Vec<&'f str> {
    let mut to: Vec<&str> =
        step.verb.at_once().iter().filter_map(|outcome| by_outcome(flow, step, *outcome)).collect();
    match &step.verb {
        Verb::Switch(_) | Verb::Split(_) => {
            to.extend(step.verb.jumps().into_iter().map(|target| target.step.as_str()));
        }
        // A choice that is known is not asked for, and leads where it leads.
        Verb::Ask(ask) if ask.skip_known => to.extend(ask.jumps.values().map(|target| target.step.as_str())),
        Verb::Call(call) => match &call.entry {
            Some(entry) => to.push(entry),
            None if restless.contains(call.flow.value.as_str()) => {
                to.extend(call.ends.values().map(|target| target.step.as_str()));
                to.extend(by_outcome(flow, step, Outcome::Done));
            }
            None => {}
        },
        _ => {}
    }
    to
}

/// Whether a flow can run from its first step to an end without waiting for anything.
pub fn runs_through(flow: &Flow, restless: &BTreeSet<&str>) -> bool {
    let ids = by_id(flow);
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut open: Vec<&str> = flow.first().map(|first| first.id.as_str()).into_iter().collect();
    while let Some(id) = open.pop() {
        let Some(step) = ids.get(id).filter(|_| seen.insert(id)) else { continue };
        let passes = match &step.verb {
            Verb::Call(call) => restless.contains(call.flow.value.as_str()),
            verb => verb.main().is_some_and(|main| verb.at_once().contains(&main)),
        };
        if passes && matches!(step.next, Next::End(_)) {
            return true;
        }
        open.extend(at_once(flow, step, restless));
    }
    false
}

/// G206: no circle in which none of the steps ever rests, and none that time alone goes round in. Of those that nothing
/// leads out of (`endless`) that is told already.
pub fn restless(flow: &Flow, others: &BTreeSet<&str>, endless: &BTreeSet<&str>, report: &Report) {
    let tell = |circle: &[&str], what: &str, hint: &str| {
        let at = circle.last().and_then(|id| flow.step(id)).map_or(&flow.at, |step| &step.at);
        report.error(at, "G206", format!("{what}: {}", circle.join(" → "))).hint(hint);
    };
    let edges = flow.steps.iter().map(|step| (step.id.as_str(), at_once(flow, step, others))).collect();
    let at_once = circles(flow, &edges);
    for circle in &at_once {
        tell(circle, "a circle that never waits", "one of these steps must ask something or wait");
    }
    let edges = flow.steps.iter().map(|step| (step.id.as_str(), by_time(flow, step, others))).collect();
    let told: BTreeSet<&str> = at_once.iter().flatten().chain(endless).copied().collect();
    let is_told = |circle: &[&str]| circle.iter().any(|id| told.contains(id));
    for circle in circles(flow, &edges).iter().filter(|circle| !is_told(circle)) {
        let hint = "whoever has gone would be spoken to for ever: let one of the time-outs lead out of it";
        tell(circle, "a circle that goes round by time alone", hint);
    }
}

/// The circles of a graph, each as the steps on it with the first one once more at its end; of circles that meet, one.
fn circles<'f>(flow: &'f Flow, edges: &BTreeMap<&'f str, Vec<&'f str>>) -> Vec<Vec<&'f str>> {
    let mut circles = Vec::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for step in &flow.steps {
        let mut trail: Vec<(&str, usize)> = vec![(&step.id, 0)];
        while let Some((id, tried)) = trail.last().copied() {
            let next = edges.get(id).and_then(|to| to.get(tried)).copied();
            if let Some(top) = trail.last_mut() {
                top.1 = tried.saturating_add(1);
            }
            match next {
                None => {
                    done.insert(id);
                    trail.pop();
                }
                Some(next) if done.contains(next) => {}
                Some(next) => {
                    if let Some(from) = trail.iter().position(|(on, _)| *on == next) {
                        circles.push(trail.iter().skip(from).map(|(on, _)| *on).chain([next]).collect());
                        done.insert(next);
                    } else {
                        trail.push((next, 0));
                    }
                }
            }
        }
    }
    circles
}
