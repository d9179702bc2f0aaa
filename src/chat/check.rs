//! What can be proved about a flow before it runs. Everything is reported in one go.
//!
//! Reading the file has already found what is wrong with its form, data and texts (Y, E, D, T codes); here stand
//! the checks that look at the whole: the graph (G) and the sense (S).

use std::collections::{BTreeMap, BTreeSet};

use crate::base::diagnostic::{Mark, Report};

use super::flow::{Flow, Next, Outcome, Step, Target, When};
use super::steps::show::HER_RECORDING;
use super::steps::{Show, Verb, WaitFor};

/// Names that live outside of the flows; none of a kind whose file cannot be read.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub meetings: Option<BTreeSet<String>>,
    pub teams: Option<BTreeSet<String>>,
    pub recordings: Option<BTreeSet<String>>,
}

/// Longest text of a bubble and of a choice that reads well, in characters.
const LONG_TEXT: usize = 320;
const LONG_LABEL: usize = 40;

/// Checks a set of flows, each for itself and all against one another.
pub fn all(flows: &[Flow], known: &Known, report: &Report) {
    for flow in flows {
        one(flow, known, report);
    }
    twice(flows, report);
    overlap(flows, report);
}

/// Checks one flow.
pub fn one(flow: &Flow, known: &Known, report: &Report) {
    let Some(first) = flow.first() else {
        report.error(&flow.at, "G204", "the flow has no steps").done();
        return;
    };
    let targets_are_sound = targets(flow, report);
    outcomes(flow, report);
    endings(flow, report);
    sense(flow, known, report);
    texts(flow, report);
    if targets_are_sound {
        reachable(flow, first, report);
        restless(flow, report);
    }
}

/// G201: everything that names a step names one that exists.
fn targets(flow: &Flow, report: &Report) -> bool {
    let ids: Vec<&str> = flow.steps.iter().map(|step| step.id.as_str()).collect();
    let mut sound = true;
    let mut check = |target: &Target| {
        if !ids.contains(&target.step.as_str()) {
            sound = false;
            report
                .error(&target.at, "G201", format!("there is no step \"{}\"", target.step))
                .did_you_mean(&target.step, ids.iter().copied());
        }
    };
    flow.human.iter().for_each(&mut check);
    flow.defaults.exhausted.iter().for_each(&mut check);
    flow.defaults.timeout.iter().filter_map(|t| t.goto.as_ref()).for_each(&mut check);
    for step in &flow.steps {
        step.outcomes.values().for_each(&mut check);
        step.timeout.iter().filter_map(|t| t.goto.as_ref()).for_each(&mut check);
        step.verb.jumps().into_iter().for_each(&mut check);
        match &step.next {
            Next::Step(target) => check(target),
            Next::Below | Next::End(_) => {}
        }
        if let Verb::WaitFor(WaitFor::Video { step: shown, .. }) = &step.verb {
            check(shown);
        }
    }
    sound
}

/// G209, S501, S502, S503: every outcome of every step leads somewhere.
fn outcomes(flow: &Flow, report: &Report) {
    for step in &flow.steps {
        let verb = step.verb.word();
        for outcome in step.verb.outcomes() {
            let handled = flow.target(step, *outcome).is_some() || step.verb.main() == Some(*outcome);
            let word = outcome.word();
            if !handled {
                let hint = format!("add `outcomes: {{{word}: some_step}}`");
                match outcome {
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
        }
        let waits = step.verb.outcomes().contains(&Outcome::Timeout);
        if waits && flow.target(step, Outcome::Timeout).is_some() && flow.timeout(step).is_none() {
            report
                .error(&step.at, "S501", format!("\"{}\" has a way on for a timeout but no time", step.id))
                .hint("add `timeout: {after: 30m}` here or under defaults");
        }
    }
    let asks = flow
        .steps
        .iter()
        .any(|step| !matches!(step.verb, Verb::Say(_) | Verb::Show(_) | Verb::Set(_) | Verb::Pass));
    if asks && flow.human.is_none() {
        report
            .error(&flow.at, "G209", "the flow does not say what happens when a visitor asks for a person")
            .hint("add `events: {human_requested: some_step}`");
    }
}

/// G204: no step falls off the end of the file.
fn endings(flow: &Flow, report: &Report) {
    let Some(last) = flow.steps.last() else { return };
    let main = last.verb.main();
    let goes_on = |main| last.verb.can_end(main) && flow.target(last, main).is_none();
    let falls = last.next == Next::Below && main.is_some_and(goes_on);
    if falls {
        report
            .error(&last.at, "G204", format!("after \"{}\" there is nothing more", last.id))
            .hint("add `end: outcome` or `goto: some_step`");
    }
}

/// Every step that a step can lead to.
fn leads_to<'f>(flow: &'f Flow, step: &'f Step) -> Vec<&'f str> {
    let mut to: Vec<&str> = step.verb.jumps().into_iter().map(|target| target.step.as_str()).collect();
    let ends = step.verb.outcomes().iter().filter(|outcome| step.verb.can_end(**outcome));
    to.extend(ends.filter_map(|outcome| by_outcome(flow, step, *outcome)));
    to
}

fn by_outcome<'f>(flow: &'f Flow, step: &'f Step, outcome: Outcome) -> Option<&'f str> {
    match flow.destination(step, outcome) {
        Some(super::flow::Destination::Step(next)) => Some(&next.id),
        Some(super::flow::Destination::End(_)) | None => None,
    }
}

/// G203 steps that nothing leads to, G205 steps from which no end can be reached.
fn reachable(flow: &Flow, first: &Step, report: &Report) {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut open: Vec<&str> = vec![&first.id];
    open.extend(flow.human.iter().map(|target| target.step.as_str()));
    while let Some(id) = open.pop() {
        if seen.insert(id)
            && let Some(step) = flow.step(id)
        {
            open.extend(leads_to(flow, step));
        }
    }
    for step in flow.steps.iter().filter(|step| !seen.contains(step.id.as_str())) {
        report
            .error(&step.at, "G203", format!("nothing leads to the step \"{}\"", step.id))
            .hint("take it out, or let a step go to it");
    }
    let mut ends: BTreeSet<&str> = flow
        .steps
        .iter()
        .filter(|step| matches!(step.next, Next::End(_)))
        .map(|step| step.id.as_str())
        .collect();
    loop {
        let more: Vec<&str> = flow
            .steps
            .iter()
            .filter(|step| !ends.contains(step.id.as_str()))
            .filter(|step| leads_to(flow, step).iter().any(|to| ends.contains(to)))
            .map(|step| step.id.as_str())
            .collect();
        if more.is_empty() {
            break;
        }
        ends.extend(more);
    }
    for step in
        flow.steps.iter().filter(|step| seen.contains(step.id.as_str()) && !ends.contains(step.id.as_str()))
    {
        report
            .error(&step.at, "G205", format!("from \"{}\" no end can be reached", step.id))
            .hint("some step after it needs `end: outcome`");
    }
}

/// G206: no circle of steps that none of them ever rests in.
fn restless(flow: &Flow, report: &Report) {
    let mut edges: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for step in &flow.steps {
        let mut to: Vec<&str> =
            step.verb.at_once().iter().filter_map(|outcome| by_outcome(flow, step, *outcome)).collect();
        if let Verb::Switch(switch) = &step.verb {
            to.extend(switch.targets().map(|target| target.step.as_str()));
        }
        edges.insert(&step.id, to);
    }
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
                        let circle: Vec<&str> =
                            trail.iter().skip(from).map(|(on, _)| *on).chain([next]).collect();
                        let at = flow.step(next).map_or(&flow.at, |step| &step.at);
                        report
                            .error(at, "G206", format!("a circle that never waits: {}", circle.join(" → ")))
                            .hint("one of these steps must ask something or wait");
                        done.insert(next);
                    } else {
                        trail.push((next, 0));
                    }
                }
            }
        }
    }
}

/// S507, S510: what only makes sense together.
fn sense(flow: &Flow, known: &Known, report: &Report) {
    if let Some(trigger) = &flow.trigger
        && trigger.when == When::PageView
        && trigger.frequency.is_none()
    {
        report
            .error(&trigger.at, "S507", "this flow would offer itself on every page view")
            .hint("add `frequency: {once_per: 7d, max: 3, quiet_after_dismiss: 14d}`");
    }
    let unknown = |at: &Mark, what: &str, name: &str, all: &Option<BTreeSet<String>>| {
        if let Some(all) = all.as_ref().filter(|all| !all.contains(name)) {
            report
                .error(at, "S510", format!("there is no {what} \"{name}\""))
                .did_you_mean(name, all.iter().map(String::as_str));
        }
    };
    for step in &flow.steps {
        match &step.verb {
            Verb::Book(book) => unknown(&book.meeting.at, "meeting", &book.meeting.value, &known.meetings),
            Verb::Handoff(handoff) => unknown(&handoff.team.at, "team", &handoff.team.value, &known.teams),
            Verb::Show(Show::Video { video }) if video.value != HER_RECORDING => {
                unknown(&video.at, "recording", &video.value, &known.recordings);
            }
            Verb::WaitFor(WaitFor::Video { step: shown, .. }) => {
                if flow.step(&shown.step).is_some_and(|step| !matches!(step.verb, Verb::Show(_))) {
                    report
                        .error(&shown.at, "S510", format!("the step \"{}\" shows no video", shown.step))
                        .done();
                }
            }
            Verb::Show(_)
            | Verb::Say(_)
            | Verb::Ask(_)
            | Verb::Form(_)
            | Verb::Set(_)
            | Verb::Switch(_)
            | Verb::Do(_)
            | Verb::WaitFor(WaitFor::Time { .. })
            | Verb::Call(_)
            | Verb::Split(_)
            | Verb::Pass => {}
        }
    }
}

/// T405, T409: texts that read badly or link to where they should not.
fn texts(flow: &Flow, report: &Report) {
    for step in &flow.steps {
        for text in step.verb.words().into_iter().flat_map(|words| words.versions()) {
            if text.length() > LONG_TEXT {
                let message = format!("{} characters are long for a chat bubble", text.length());
                report
                    .warning(&text.at, "T405", message)
                    .hint(format!("{LONG_TEXT} at most read well: make two steps of it"));
            }
            if text.source.contains("http://") {
                report.error(&text.at, "T409", "a link must begin with https://").done();
            }
        }
        for (id, words) in step.verb.labels() {
            for text in words.versions().filter(|text| text.length() > LONG_LABEL) {
                let message = format!("the label of \"{id}\" has {} characters", text.length());
                report
                    .warning(&text.at, "T405", message)
                    .hint(format!("{LONG_LABEL} at most fit on a button"));
            }
        }
    }
}

/// G207: two flows of one name.
fn twice(flows: &[Flow], report: &Report) {
    for (index, flow) in flows.iter().enumerate() {
        if let Some(other) = flows.iter().take(index).find(|other| other.id == flow.id) {
            report
                .error(
                    &flow.at,
                    "G207",
                    format!("there is already a flow \"{}\" in {}", flow.id, other.at.path),
                )
                .done();
        }
    }
}

/// S508: two flows that would both offer themselves, with nothing to choose by.
fn overlap(flows: &[Flow], report: &Report) {
    for (index, flow) in flows.iter().enumerate() {
        let Some(trigger) = &flow.trigger else { continue };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::yaml;

    const SOUND: &str = r#"flow: sample
title: A sample
languages: [en, es]
trigger:
  when: page_view
  if: contact.known && has(webinar.title)
  frequency: {once_per: 7d}
vars:
  size: {type: enum, values: [small, large], save: true}
  need: {type: text}
defaults:
  exhausted: live
  timeout: {after: 30m, goto: bye}
events: {human_requested: live}
steps:
  hello:
    say: "About {{webinar.title}}"
  size:
    ask: How large?
    var: size
    choices: {small: Small, large: {label: Large, goto: pick}}
  route:
    switch:
      - {if: team.online > 0, goto: live}
      - {else: pick}
  live:
    handoff: {team: sdr, wait: 90s}
    say: One moment.
    outcomes: {booked: bye, returned: pick, closed: bye, unavailable: pick, expired: pick}
  pick:
    book: {meeting: discovery}
    ask: When?
    outcomes: {booked: bye, none_fit: bye, unavailable: bye}
  bye:
    say: Goodbye.
    end: done
translations:
  es:
    hello.say: "Sobre {{webinar.title}}"
    size.ask: ¿De qué tamaño?
    size.choices: {small: Pequeño, large: Grande}
    live.say: Un momento.
    pick.ask: ¿Cuándo?
    bye.say: Adiós.
"#;

    fn known() -> Known {
        Known {
            meetings: Some(["discovery".to_owned()].into()),
            teams: Some(["sdr".to_owned()].into()),
            recordings: Some(["condensed".to_owned()].into()),
        }
    }

    /// The findings of a text, as `line:col CODE hint`.
    fn found(text: &str) -> Vec<String> {
        let report = Report::new();
        if let Some(doc) = yaml::parse("f.yaml", text, &report)
            && let Some(flow) = Flow::read(&doc, &report)
        {
            all(&[flow], &known(), &report);
        }
        report
            .diagnostics()
            .into_iter()
            .map(|d| {
                format!("{}:{} {} {}", d.line, d.col, d.code, d.hint.unwrap_or_default())
                    .trim_end()
                    .to_owned()
            })
            .collect()
    }

    /// The findings after one part of the sound flow has been replaced.
    fn after(from: &str, to: &str) -> Vec<String> {
        assert!(SOUND.contains(from), "{from}");
        found(&SOUND.replacen(from, to, 1))
    }

    fn codes(notes: &[String]) -> BTreeSet<&str> {
        notes.iter().filter_map(|note| note.split(' ').nth(1)).collect()
    }

    #[test]
    fn a_sound_flow_has_no_findings() {
        assert_eq!(found(SOUND), Vec::<String>::new());
    }

    #[test]
    fn each_mistake_is_found_under_its_code() {
        let cases: &[(&str, &str, &str)] = &[
            ("Y001", "title: A sample", "title: A: sample"),
            ("Y002", "  bye:\n", "  hello:\n    say: x\n  bye:\n"),
            ("Y003", "wait: 90s", "wait: 90s, wiat: 1s"),
            ("Y004", "frequency: {once_per: 7d}", "frequency: {once_per: weekly}"),
            ("Y005", "title: A sample\n", ""),
            ("Y101", "say: Goodbye.", "say: Our #1 tip"),
            ("Y104", "say: Goodbye.", "say: &x Goodbye."),
            ("E101", "team.online > 0", "team.online > "),
            ("E102", "team.online > 0", "team.onlin > 0"),
            ("E104", "team.online > 0", "team.online == 'x'"),
            ("G201", "{else: pick}", "{else: pik}"),
            (
                "G203",
                "  hello:\n    say: \"About {{webinar.title}}\"",
                "  hello:\n    say: \"About {{webinar.title}}\"\n    goto: pick",
            ),
            ("G204", "    say: Goodbye.\n    end: done", "    say: Goodbye."),
            ("G205", "    say: Goodbye.\n    end: done", "    say: Goodbye.\n    goto: size"),
            (
                "G206",
                "  hello:\n    say: \"About {{webinar.title}}\"",
                "  hello:\n    say: \"About {{webinar.title}}\"\n    goto: hello",
            ),
            ("G208", "    say: Goodbye.\n", "    say: Goodbye.\n    set: {size: small}\n"),
            ("G208", "    say: Goodbye.\n    end: done", "    retries: 2"),
            ("G209", "none_fit: bye, ", ""),
            ("G209", "events: {human_requested: live}\n", ""),
            ("G210", "      - {else: pick}\n", ""),
            (
                "G211",
                "- {if: team.online > 0, goto: live}\n      - {else: pick}",
                "- {else: pick}\n      - {if: team.online > 0, goto: live}",
            ),
            ("D301", "{{webinar.title}}\"\n  size", "{{webinar.titel}}\"\n  size"),
            ("D301", "var: size", "var: sizes"),
            ("D302", "var: size", "var: need\n    type: number"),
            ("D303", "About {{webinar.title}}", "About {{webinar.title}} {{contact.first_name}}"),
            (
                "D304",
                "choices: {small: Small, large: {label: Large, goto: pick}}",
                "choices: {small: Small, huge: {label: Huge, goto: pick}}",
            ),
            ("T401", "    bye.say: Adiós.\n", ""),
            ("T403", "Sobre {{webinar.title}}", "Sobre eso"),
            ("T404", "{small: Pequeño, large: Grande}", "{small: Pequeño, big: Grande}"),
            ("T405", "large: Grande", "large: Un tamaño que de tan grande ya no cabe en ningún botón"),
            ("T409", "say: Goodbye.", "say: \"Read http://example.com\""),
            ("T410", "say: Goodbye.", "say: \"{{#each x}}\""),
            ("S501", "  timeout: {after: 30m, goto: bye}\n", ""),
            ("S502", "  exhausted: live\n", ""),
            ("S503", ", unavailable: pick, expired: pick}", "}"),
            ("S507", "  frequency: {once_per: 7d}\n", ""),
            ("S510", "meeting: discovery", "meeting: discovry"),
            ("S510", "team: sdr", "team: sales"),
            ("S510", "    say: Goodbye.\n", "    show: {video: condnsed}\n    outcomes: {missing: pick}\n"),
            ("S510", "    say: Goodbye.\n", "    do: launch.rocket\n    outcomes: {error: pick}\n"),
        ];
        for (code, from, to) in cases {
            let notes = after(from, to);
            assert!(codes(&notes).contains(code), "{code} after {to:?}: {notes:?}");
        }
    }

    #[test]
    fn places_and_suggestions_are_exact() {
        assert_eq!(after("{else: pick}", "{else: pik}"), ["25:16 G201 did you mean \"pick\"?"]);
        assert_eq!(after("team.online > 0", "team.onlin > 0"), ["24:14 E102 did you mean \"team.online\"?"]);
        let typo = after("meeting: discovery", "meeting: discovry");
        assert_eq!(typo, ["31:21 S510 did you mean \"discovery\"?"]);
    }

    #[test]
    fn all_mistakes_of_a_file_come_at_once() {
        let broken = SOUND
            .replace("{else: pick}", "{else: pik}")
            .replace("meeting: discovery", "meeting: discovry")
            .replace("    bye.say: Adiós.\n", "")
            .replace("team.online > 0", "team.onlin > 0");
        assert!(codes(&found(&broken)).is_superset(&["G201", "S510", "T401", "E102"].into()));
    }

    #[test]
    fn a_circle_with_a_question_in_it_is_fine() {
        let loops = after(
            "    say: Goodbye.\n    end: done",
            "    ask: Again?\n    choices: {a: {label: Again, goto: size}, b: B}\n  over: {end: done}",
        );
        assert!(!codes(&loops).contains("G206"), "{loops:?}");
    }

    #[test]
    fn a_step_below_a_question_whose_answers_all_lead_elsewhere_is_not_reached() {
        let notes = after("choices: {small: Small,", "choices: {small: {label: Small, goto: pick},");
        assert_eq!(codes(&notes), ["G203"].into(), "{notes:?}");
    }

    #[test]
    fn two_flows_of_one_trigger_or_name_are_found() {
        let report = Report::new();
        let read = |path: &str| {
            let doc = yaml::parse(path, SOUND, &report).unwrap();
            Flow::read(&doc, &report).unwrap()
        };
        all(&[read("a.yaml"), read("b.yaml")], &known(), &report);
        let codes: Vec<&str> = report.diagnostics().iter().map(|d| d.code).collect();
        assert_eq!(codes, ["G207", "S508"]);
    }

    #[test]
    fn two_hundred_flows_are_checked_well_within_a_second() {
        let report = Report::new();
        let started = std::time::Instant::now();
        let flows: Vec<Flow> = (0..200)
            .map(|_| Flow::read(&yaml::parse("f.yaml", SOUND, &report).unwrap(), &report).unwrap())
            .collect();
        flows.iter().for_each(|flow| one(flow, &known(), &report));
        println!("200 flows in {:?}", started.elapsed());
        assert!(report.is_clean());
    }
}
