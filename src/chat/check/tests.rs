//! Each mistake under its code, at its place.

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
        ..Known::default()
    }
}

fn checked(text: &str) -> Report {
    let report = Report::new();
    if let Some(doc) = yaml::parse("f.yaml", text, &report)
        && let Some(flow) = Flow::read(&doc, &report)
    {
        all(&[flow], &known(), &report);
    }
    report
}

/// The findings of a text, as `line:col CODE hint`.
fn found(text: &str) -> Vec<String> {
    checked(text)
        .diagnostics()
        .into_iter()
        .map(|d| {
            format!("{}:{} {} {}", d.line, d.col, d.code, d.hint.unwrap_or_default()).trim_end().to_owned()
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

/// One mistake each in the sound flow: its code, and what is replaced by what.
const MISTAKES: &[(&str, &str, &str)] = &[
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
    ("D302", "{type: enum, values: [small, large], save: true}", "{type: number, save: true}"),
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
    ("Y005", "wait: 90s", ""),
    ("Y005", "team: sdr, ", ""),
    ("Y005", "    say: One moment.\n", ""),
    ("Y005", "    ask: When?\n", ""),
    ("Y005", "meeting: discovery", "offer: 4"),
    ("Y004", "wait: 90s", "wait: soon"),
    ("Y004", "    ask: How large?\n", "    ask: [How large?]\n"),
    ("Y004", "      - {if: team.online > 0, goto: live}\n", "      - team.online > 0\n"),
    ("Y004", "goto: live}\n      - {else: pick}", "goto: [live]}\n      - {else: pick}"),
    (
        "Y004",
        "{type: enum, values: [small, large], save: true}",
        "{type: size, values: [small, large], save: true}",
    ),
    ("Y004", "say: Goodbye.", "say: {a: b}"),
    ("Y004", "when: page_view", "when: pageview"),
    ("Y004", "  timeout: {after: 30m, goto: bye}", "  timeout: {after: later, goto: bye}"),
    ("G201", "{else: pick}", "{else: nowhere_at_all}"),
    ("G201", "returned: pick", "returned: nowhere_at_all"),
    ("G208", "  hello:\n", "  hello:\n    do: segment.add\n"),
];

#[test]
fn each_mistake_is_found_under_its_code() {
    for (code, from, to) in MISTAKES {
        let notes = after(from, to);
        assert!(codes(&notes).contains(code), "{code} after {to:?}: {notes:?}");
    }
}

#[test]
fn places_and_suggestions_are_exact() {
    assert_eq!(after("{else: pick}", "{else: pik}"), ["24:16 G201 did you mean \"pick\"?"]);
    assert_eq!(after("team.online > 0", "team.onlin > 0"), ["23:14 E102 did you mean \"team.online\"?"]);
    let typo = after("meeting: discovery", "meeting: discovry");
    assert_eq!(typo, ["30:21 S510 did you mean \"discovery\"?"]);
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

/// Mistakes that are none beside the other: a way leads to what was forgotten, the text is gone that lacked something (or
/// nobody knows what it says), and what does not fit is told once.
const MENDED: [[&str; 2]; 6] = [
    ["G203", "G205"],
    ["T401", "S510"],
    ["T401", "G208"],
    ["T401", "T410"],
    ["T405", "D304"],
    ["D302", "D304"],
];

/// Two mistakes in one file, if they do not stand in the same place: what one of them is told for alone is told all the
/// same.
#[test]
fn no_mistake_hides_another_one() {
    let place = |from: &str| SOUND.find(from).map(|at| at..at + from.len()).expect("it stands there");
    let mut hidden = Vec::new();
    for (index, (first, from, to)) in MISTAKES.iter().enumerate() {
        let here = place(from);
        for (second, other_from, other_to) in MISTAKES.iter().skip(index + 1) {
            let there = place(other_from);
            // Without a tree nothing can be said.
            let is_mended =
                MENDED.iter().any(|pair| [*first, *second] == *pair || [*second, *first] == *pair);
            if here.start < there.end && there.start < here.end
                || [first, second].contains(&&"Y001")
                || is_mended
            {
                continue;
            }
            let mut edits = [(&here, to), (&there, other_to)];
            edits.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
            let mut text = SOUND.to_owned();
            edits.iter().for_each(|(place, to)| text.replace_range((*place).clone(), to));
            let notes = found(&text);
            for (code, to) in [(first, to), (second, other_to)] {
                let least = if first == second { 2 } else { 1 };
                if notes.iter().filter(|note| note.split(' ').nth(1) == Some(*code)).count() < least {
                    hidden.push(format!(
                        "{code} {to:?} beside {first} {to:?}, {second} {other_to:?}: {notes:?}"
                    ));
                }
            }
        }
    }
    assert!(hidden.is_empty(), "{} hidden:\n{}", hidden.len(), hidden.join("\n"));
}

#[test]
fn a_step_with_a_broken_key_is_a_step_and_leads_where_it_says() {
    // What it goes to is not out of reach, and what it leaves open is told beside the key.
    let broken = "flow: f\ntitle: F\nlanguages: {source: en, required: [es]}\nsteps:\n  q: {ask: Where?, choices: {a: A, b: B}, retries: 1}\n  h: {handoff: {team: sdr}, say: One moment., outcomes: {booked: only}}\n  only: {say: Done., goto: q}\n  never: {say: Never., end: never}\n";
    let notes = found(broken);
    assert!(
        codes(&notes).is_superset(&["Y005", "S501", "S502", "S503", "G209", "G203", "G205", "T401"].into()),
        "{notes:?}"
    );
    let out_of_reach: Vec<&String> = notes.iter().filter(|note| note.contains("G203")).collect();
    assert_eq!(out_of_reach.len(), 1, "{out_of_reach:?}");
}

#[test]
fn a_name_that_means_nothing_hides_neither_what_is_forgotten_nor_what_never_ends() {
    let notes = found(
        "flow: mask\ntitle: T\nlanguages: [en]\nvars: {x: {type: text, save: true}}\ndefaults: {retries: 2, exhausted: bye, timeout: {after: 30m, goto: bye}}\nevents: {human_requested: bye}\nsteps:\n  a: {say: 'a {{vars.x}}'}\n  l: {say: b, goto: a}\n  z: {ask: x, type: text, goto: nope}\n  k: {say: never}\n  bye: {say: Bye, end: done}\n",
    );
    assert!(codes(&notes).is_superset(&["G201", "G203", "G205", "D303"].into()), "{notes:?}");
    // What only the lost name can have meant knows what is known there.
    let notes = found(
        "flow: mask\ntitle: T\nlanguages: [en]\nvars: {x: {type: text, save: true}}\ndefaults: {exhausted: bye, timeout: {after: 30m, goto: bye}}\nevents: {human_requested: bye}\nsteps:\n  a: {ask: What?, var: x, goto: nowhere}\n  thanks: {say: '{{vars.x}}, then.', end: done}\n  bye: {say: Bye, end: done}\n",
    );
    assert_eq!(codes(&notes), ["G201", "G203"].into(), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("G203") && note.contains("meant by nowhere")), "{notes:?}");
}

#[test]
fn a_picture_without_words_is_told_whatever_its_address_is() {
    for address in ["http://faro.example/a.png", "a picture", "/a.png"] {
        let notes = after("    say: Goodbye.\n", &format!("    show: {{image: '{address}'}}\n"));
        assert!(codes(&notes).contains("T408"), "{address}: {notes:?}");
    }
    let both = after("    say: Goodbye.\n", "    show: {image: 'http://faro.example/a.png'}\n");
    assert_eq!(codes(&both), ["T408", "T409", "Y003"].into(), "and its text has a translation too many");
}

#[test]
fn a_circle_with_a_question_in_it_is_fine() {
    let loops = after(
        "    say: Goodbye.\n    end: done",
        "    ask: Again?\n    timeout: {after: 1h, goto: over}\n    choices: {a: {label: Again, goto: size}, b: B}\n  over: {end: done}",
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
        let doc = yaml::parse(path, SOUND, &report).expect("it is sound");
        Flow::read(&doc, &report).expect("it is sound")
    };
    all(&[read("a.yaml"), read("b.yaml")], &known(), &report);
    let codes: Vec<&str> = report.diagnostics().iter().map(|d| d.code).collect();
    assert_eq!(codes, ["G215", "S508"]);
}

#[test]
fn two_hundred_flows_are_checked_well_within_a_second() {
    let report = Report::new();
    let started = std::time::Instant::now();
    let flows: Vec<Flow> = (0..200)
        .map(|_| {
            Flow::read(&yaml::parse("f.yaml", SOUND, &report).expect("it is sound"), &report)
                .expect("it is sound")
        })
        .collect();
    flows.iter().for_each(|flow| one(flow, &known(), &report));
    println!("200 flows in {:?}", started.elapsed());
    assert!(report.is_clean());
}

#[test]
fn a_circle_that_time_alone_goes_round_in_is_told() {
    let reminds = after(
        "    say: Goodbye.\n    end: done",
        "    ask: Again?\n    timeout: {after: 1h, goto: remind}\n    choices: {a: {label: Again, goto: size}, b: B}\n  over: {end: done}\n  remind: {say: Still there?, goto: bye}",
    );
    assert!(codes(&reminds).contains("G206"), "{reminds:?}");
    let waits = after(
        "    say: Goodbye.\n    end: done",
        "    wait_for: {time: 5m}\n  more:\n    switch: [{if: team.online > 0, goto: hello}, {else: over}]\n  over: {end: done}",
    );
    assert!(codes(&waits).contains("G206"), "{waits:?}");
    for nothing in ["timeout: {after: 0s, goto: bye}", "timeout: {after: 500ms, goto: bye}"] {
        assert_eq!(codes(&after("timeout: {after: 30m, goto: bye}", nothing)), ["Y004"].into(), "{nothing}");
    }
}

#[test]
fn a_name_that_was_mistyped_hides_no_other_mistake() {
    let notes = after(
        "    say: Goodbye.\n    end: done",
        "    say: Goodbye.\n    goto: byee\n  byes: {goto: bye, say: So.}",
    );
    assert!(codes(&notes).is_superset(&["G201", "G206"].into()), "{notes:?}");
    // What was meant is known: no step is told to be out of reach for the slip.
    assert_eq!(codes(&after("{else: pick}", "{else: pik}")), ["G201"].into());
}

#[test]
fn what_nobody_asked_for_goes_to_no_action_that_may_not_have_it() {
    let flow = |action: &str| {
        format!(
            "flow: f\ntitle: F\nlanguages: [en]\nevents: {{human_requested: bye}}\ndefaults: {{exhausted: note, timeout: {{after: 5m, goto: bye}}}}\nsteps:\n  q: {{ask: What?, choices: {{a: A}}, goto: bye}}\n  note: {{do: {action}: \"{{{{#if chat.unheard}}}}{{{{chat.unheard}}}}{{{{/if}}}}\"}}, outcomes: {{error: bye}}}}\n  bye: {{say: Bye., end: bye}}\n"
        )
    };
    assert_eq!(codes(&found(&flow("contact.mark, with: {as"))), ["D307"].into());
    assert_eq!(found(&flow("call.request, with: {note")), Vec::<String>::new());
}

#[test]
fn a_question_that_nobody_can_answer_is_told() {
    for (question, code) in [
        ("type: number, min: 10, max: 1", "Y004"),
        ("type: text, min: 100, max: 3", "Y004"),
        ("type: date, min: 2026-12-24, max: 2026-12-01", "Y004"),
        ("type: date, min: today+9d, max: today", "Y004"),
        ("type: time, min: \"18:00\", max: \"09:00\"", "Y004"),
        ("choices: {}", "Y005"),
    ] {
        let text = format!(
            "flow: f\ntitle: F\nlanguages: [en]\nevents: {{human_requested: bye}}\ndefaults: {{exhausted: bye, timeout: {{after: 5m, goto: bye}}}}\nsteps:\n  q: {{ask: What?, {question}}}\n  bye: {{say: Bye., end: bye}}\n"
        );
        assert_eq!(codes(&found(&text)), [code].into(), "{question}: {:?}", found(&text));
    }
    assert!(codes(&after("say: Goodbye.", "say: \"\"")).contains("Y004"));
}

/// What is found in a flow whose one switch has these conditions: how bad it is, and its code.
fn of_branches(conditions: &[&str]) -> BTreeSet<(String, String)> {
    let branches: String =
        conditions.iter().map(|one| format!("      - {{if: '{one}', goto: bye}}\n")).collect();
    let text = format!(
        "flow: f\ntitle: F\nlanguages: [en]\nvars: {{people: {{type: number, save: true}}}}\nevents: {{human_requested: bye}}\ndefaults: {{exhausted: bye, timeout: {{after: 5m, goto: bye}}}}\nsteps:\n  q: {{ask: How many?, var: people}}\n  by:\n    switch:\n{branches}      - {{else: other}}\n  other: {{say: Other., end: other}}\n  bye: {{say: Bye., end: bye}}\n"
    );
    let found = checked(&text).diagnostics().into_iter();
    found.map(|one| (one.severity.word().to_owned(), one.code.to_owned())).collect()
}

#[test]
fn a_branch_that_a_wider_one_above_it_leaves_nothing_for_is_told() {
    for shadowed in [
        ["vars.people > 10.0", "vars.people > 20.0"],
        ["vars.people >= 10.0", "vars.people == 10.0"],
        ["vars.people < 5.5", "vars.people < 5.0 && team.online > 0"],
        ["vars.people > 10.0 || team.online > 0", "20.0 < vars.people"],
        ["team.online > 1", "team.online > 4 && vars.people > 3.0"],
        ["vars.people != 3.0", "vars.people > 3.0"],
    ] {
        assert_eq!(
            of_branches(&shadowed),
            [("warning".to_owned(), "G211".to_owned())].into(),
            "{shadowed:?}"
        );
    }
    let error = ("error".to_owned(), "G211".to_owned());
    let dead = ["vars.people > 10.0", "vars.people > 10.0"];
    assert_eq!(of_branches(&dead), [error.clone()].into());
    assert!(of_branches(&["true", "vars.people > 10.0"]).contains(&error));
    assert!(of_branches(&["false"]).contains(&error));
    for both in [
        ["vars.people > 20.0", "vars.people > 10.0"],
        ["vars.people > 10.0", "vars.people >= 10.0"],
        ["vars.people > 10.0", "vars.people < 20.0"],
        ["vars.people > 10.0 && team.online > 0", "vars.people > 20.0"],
        ["vars.people > 10.0", "vars.people > 20.0 || team.online > 0"],
        ["team.online > 10", "vars.people > 20.0"],
        ["!(vars.people > 10.0)", "vars.people > 20.0"],
        ["is_open(\"a\")", "is_open(\"b\")"],
    ] {
        assert!(of_branches(&both).iter().all(|(_, code)| code != "G211"), "{both:?}");
    }
}

#[test]
fn a_branch_that_can_never_hold_is_told_and_so_is_what_stands_below_one_that_always_does() {
    let warned: BTreeSet<_> = [("warning".to_owned(), "G211".to_owned())].into();
    for never in [
        "1 == 2",
        "!true",
        "1 + 1 == 3",
        "vars.people > 10.0 && vars.people < 5.0",
        "team.online > 0 && !(team.online > 0)",
        "team.online > 1 && 2 < 1",
    ] {
        assert_eq!(of_branches(&[never]), warned, "{never}");
    }
    for always in ["1 == 1", "!false", "team.online > 0 || 1 < 2"] {
        assert_eq!(of_branches(&[always]), warned, "the `else` below {always}");
        assert_eq!(of_branches(&[always, "team.online > 3"]), warned, "the branch below {always}");
        let found = of_branches(&["team.online > 3", always]);
        assert_eq!(found, warned, "{always} is an `else` of its own");
    }
    for either in ["team.online > 0 || !(team.online > 0)", "vars.people > 1.0 && vars.people < 5.0"] {
        assert!(of_branches(&[either]).is_empty(), "{either}");
    }
}

/// What is told of variables of no use in flows that are checked together, as `flow: variable`.
fn of_no_use(flows: &[&str]) -> Vec<String> {
    let report = Report::new();
    let flows: Vec<Flow> = flows
        .iter()
        .enumerate()
        .filter_map(|(at, text)| Flow::read(&yaml::parse(&at.to_string(), text, &report)?, &report))
        .collect();
    all(&flows, &Known::default(), &report);
    let told = report.diagnostics();
    let name = |message: &str| message.split('"').nth(1).unwrap_or_default().to_owned();
    told.iter()
        .filter(|one| one.code == "D305")
        .map(|one| format!("{}: {}", one.path, name(&one.message)))
        .collect()
}

#[test]
fn flows_that_run_together_use_one_anothers_variables() {
    const CALLER: &str = "flow: caller\ntitle: C\nlanguages: [en]\nvars: {size: {type: text}, idle: {type: text}}\ndefaults: {exhausted: bye, timeout: {after: 5m, goto: bye}}\nevents: {human_requested: bye}\nsteps:\n  size: {ask: How large?, var: size}\n  idle: {ask: What else?, var: idle}\n  told: {call: told}\n  asked: {call: asked}\n  bye: {say: Bye., end: bye}\n";
    const TOLD: &str = "flow: told\ntitle: T\nlanguages: [en]\nvars: {size: {type: text}, late: {type: text}}\nsteps:\n  told: {say: \"{{#if vars.size}}{{vars.size}}{{/if}}{{#if vars.late}}{{vars.late}}{{/if}}.\", end: told}\n";
    const ASKED: &str = "flow: asked\ntitle: A\nlanguages: [en]\nvars: {late: {type: text}}\nsteps:\n  late: {ask: When?, var: late, end: asked}\n";
    assert_eq!(of_no_use(&[CALLER, TOLD, ASKED]), ["0: idle"]);
    assert_eq!(of_no_use(&[TOLD, ASKED]), ["0: size", "0: late", "1: late"], "alone they have nobody");
    let missing = CALLER.replace("call: asked", "call: askde");
    assert!(
        of_no_use(&[&missing, TOLD, ASKED]).iter().all(|one| one.starts_with("2:")),
        "what is called is not known"
    );
}

#[test]
fn ids_that_other_programs_read_as_yes_or_no_are_told_unless_in_quotes() {
    let notes = after("choices: {small: Small, large:", "choices: {small: Small, no: No one, large:");
    assert!(codes(&notes).contains("Y102"), "{notes:?}");
    let notes = after("choices: {small: Small, large:", "choices: {small: Small, \"no\": No one, large:");
    assert!(!codes(&notes).contains("Y102"), "{notes:?}");
    assert!(codes(&after("values: [small, large]", "values: [small, large, off]")).contains("Y102"));
    assert!(!codes(&after("values: [small, large]", "values: [small, large, 'off']")).contains("Y102"));
}
