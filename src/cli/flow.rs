//! `embudo flow`: test a flow, talk to it in the terminal, draw it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::check::gather;
use crate::app::{Definitions, Sources};
use crate::base::diagnostic::Report;
use crate::base::language::Language;
use crate::base::time::{DAY_MS, HOUR_MS, Timestamp};
use crate::base::yaml;
use crate::chat::body::{Author, Body, Input as Shape, Said, Slot, Video};
use crate::chat::engine::{Input, Out, Phase};
use crate::chat::flow::{Destination, Flow, Next, Outcome};
use crate::chat::rehearsal::{Rehearsal, Scene, says};
use crate::chat::script::{self, Suite};
use crate::chat::steps::Show;
use crate::chat::{self, Flows};
use crate::config::Config;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Play the flows' own tests, with a clock that is moved by hand.
    Test {
        /// Files or folders; without any, those of the settings.
        paths: Vec<PathBuf>,
        /// Tell which steps no test reaches.
        #[arg(long)]
        coverage: bool,
    },
    /// Talk to a flow.
    Chat {
        /// The flow's name.
        flow: String,
        /// en or es.
        #[arg(long, default_value = "en")]
        language: String,
        /// How many of the team are there.
        #[arg(long, default_value_t = 0)]
        online: u32,
        /// The step to begin with.
        #[arg(long)]
        start_at: Option<String>,
    },
    /// Print the JSON Schema of flow files, for editors.
    Schema,
    /// Draw a flow as a Mermaid chart.
    Graph {
        /// The flow's name.
        flow: String,
    },
}

/// Runs `embudo flow …`.
pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::Test { paths, coverage } => test(paths, *coverage, config),
        Command::Chat { flow, language, online, start_at } => {
            let flows = flows(config)?;
            let scene = Scene { online: *online, ..scene(&flows, Language::parse(language)) };
            talk(named(&flows, flow)?, scene, start_at.as_deref())
        }
        Command::Schema => {
            super::tell(&format!("{:#}\n", chat::schema::schema()));
            Ok(ExitCode::SUCCESS)
        }
        Command::Graph { flow } => {
            super::tell(&graph(named(&flows(config)?, flow)?));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn flows(config: &Config) -> anyhow::Result<Flows> {
    let report = Report::new();
    let read = Definitions::read(&Sources::of(config, &report), &report);
    read.flows.with_context(|| format!("a flow is wrong:\n{}", report.text()))
}

fn named<'f>(flows: &'f Flows, name: &str) -> anyhow::Result<&'f Flow> {
    let all: Vec<&str> = flows.all().iter().map(|flow| flow.id.as_str()).collect();
    flows.find(name).with_context(|| format!("there is no flow \"{name}\"; there is {}", all.join(", ")))
}

fn test(paths: &[PathBuf], coverage: bool, config: &Config) -> anyhow::Result<ExitCode> {
    let report = Report::new();
    let folder = config.path_of(&config.definitions.flows);
    let flows = flows(config)?;
    let mut files = Vec::new();
    match paths {
        [] => gather(&folder.join("tests"), &report, &mut files),
        paths => paths.iter().for_each(|path| gather(path, &report, &mut files)),
    }
    let (mut passed, mut failed) = (0_usize, 0_usize);
    let mut reached: BTreeSet<(String, String)> = BTreeSet::new();
    let mut tested: BTreeSet<String> = BTreeSet::new();
    for (path, text) in &files {
        let Some(suite) = yaml::parse(path, text, &report).and_then(|doc| Suite::read(&doc, &report)) else {
            continue;
        };
        let Some(flow) = flows.find(&suite.flow.value) else {
            report.error(&suite.flow.at, "S510", format!("there is no flow \"{}\"", suite.flow.value)).done();
            continue;
        };
        tested.insert(flow.id.clone());
        for test in &suite.tests {
            let outcome = test.play(flow);
            reached.extend(outcome.steps.into_iter().map(|step| (flow.id.clone(), step)));
            if outcome.failures.is_empty() {
                passed += 1;
                println!("ok      {}: {}", flow.id, outcome.name);
                continue;
            }
            failed += 1;
            println!("FAILED  {}: {} ({})", flow.id, outcome.name, outcome.at);
            for (at, message) in outcome.failures {
                println!("        {at}: {message}");
            }
        }
    }
    print!("{}", report.text());
    if coverage {
        for flow in flows.all() {
            let (hit, missed): (Vec<_>, Vec<_>) =
                flow.steps.iter().partition(|step| reached.contains(&(flow.id.clone(), step.id.clone())));
            println!("{}: {} of {} steps reached", flow.id, hit.len(), flow.steps.len());
            for step in missed {
                println!("        {}: no test reaches \"{}\"", step.at, step.id);
            }
        }
    }
    println!("{passed} passed, {failed} failed, {} of {} flows tested", tested.len(), flows.all().len());
    Ok(if failed == 0 && !report.has_errors() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Somebody for whom every flow has something to say.
fn scene(flows: &Flows, language: Language) -> Scene {
    let now = Timestamp::from_jiff(jiff::Timestamp::now());
    let mut scene = Scene { now, language, trust: 3, has_email: true, ..Scene::default() };
    scene
        .facts
        .set("contact.known", true)
        .set("contact.first_name", "Nikki")
        .set("contact.company", "Acme")
        .set("webinar.title", "A reading culture in 90 days")
        .set("webinar.state", "no_show")
        .set("webinar.recording", "a-recording");
    let shown = flows.all().iter().flat_map(|flow| &flow.steps).filter_map(|step| match &step.verb {
        crate::chat::steps::Verb::Show(Show::Video { video }) => Some(video.value.clone()),
        _ => None,
    });
    for recording in shown.chain(["a-recording".to_owned()]) {
        let video = Video {
            title: recording.clone(),
            src: String::new(),
            poster: None,
            captions: Vec::new(),
            duration_s: 600,
            watched_percent: 0,
            recording: recording.clone(),
        };
        scene.recordings.insert(recording, video);
    }
    let hour = Timestamp(now.0.div_euclid(HOUR_MS) * HOUR_MS);
    scene.slots = (1..9).map(|n| hour.plus_ms(n * DAY_MS / 2)).collect();
    scene
}

/// A conversation with the keyboard.
fn talk(flow: &Flow, scene: Scene, start_at: Option<&str>) -> anyhow::Result<ExitCode> {
    if let Some(step) = start_at.filter(|step| flow.step(step).is_none()) {
        bail!("there is no step \"{step}\" in {}", flow.id);
    }
    println!("type, or: /person /watch 60 /wait 30m /accept /return /close /none /quit\n");
    let (mut play, events) = Rehearsal::open(flow, scene, start_at);
    show(&events);
    let mut lines = std::io::stdin().lock().lines();
    loop {
        if play.state.phase == Phase::Ended {
            return Ok(ExitCode::SUCCESS);
        }
        print!("> ");
        std::io::stdout().flush()?;
        let Some(line) = lines.next() else { return Ok(ExitCode::SUCCESS) };
        let line = line?;
        let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let input = match word {
            "" => continue,
            "/quit" => return Ok(ExitCode::SUCCESS),
            "/person" => Input::Said(Said::HumanRequested),
            "/accept" => Input::AgentAccepted { agent: Rehearsal::agent() },
            "/return" => Input::AgentReturned,
            "/close" => Input::AgentClosed,
            "/none" => {
                Input::Said(Said::Slot { question: play.open_question(), starts_at: None, none_fit: true })
            }
            "/wait" => {
                let ms = yaml::duration_ms(rest).unwrap_or(0);
                show(&play.advance(ms));
                continue;
            }
            "/watch" => {
                let recording = play.state.shown.values().next_back().cloned().unwrap_or_default();
                Input::Watched { recording, percent: rest.trim_end_matches('%').parse().unwrap_or(100) }
            }
            _ => match slot(&play, line.trim()) {
                Some(slot) => Input::Said(Said::Slot {
                    question: play.open_question(),
                    starts_at: Some(slot.starts_at),
                    none_fit: false,
                }),
                None => says(line.trim()),
            },
        };
        match play.play(&input) {
            Ok(events) => show(&events),
            Err(refused) => println!("  ({refused})"),
        }
    }
}

fn slot(play: &Rehearsal<'_>, line: &str) -> Option<Slot> {
    let number: usize = line.parse().ok()?;
    let is_asked = matches!(play.state.phase, Phase::Slots { .. });
    play.offered().get(number.checked_sub(1)?).copied().filter(|_| is_asked)
}

fn show(events: &[Out]) {
    for event in events.iter().filter(|event| event.author != Author::Visitor) {
        match &event.body {
            Body::Text { text, .. } | Body::Invalid { text, .. } => println!("  {text}"),
            Body::Ask { text, input, progress, .. } => {
                let progress = progress.map(|p| format!(" ({} of {})", p.step, p.of)).unwrap_or_default();
                println!("  {text}{progress}");
                match input {
                    Shape::Choice { choices } => {
                        choices
                            .iter()
                            .enumerate()
                            .for_each(|(n, choice)| println!("    {} {}", n + 1, choice.label));
                    }
                    Shape::Slot { slots, .. } => {
                        slots
                            .iter()
                            .enumerate()
                            .for_each(|(n, slot)| println!("    {} {}", n + 1, slot.starts_at));
                    }
                    Shape::Rating { max, .. } => println!("    1 to {max}"),
                    Shape::Text { .. }
                    | Shape::Email { .. }
                    | Shape::Phone { .. }
                    | Shape::Number { .. }
                    | Shape::Url { .. }
                    | Shape::Date { .. }
                    | Shape::Time { .. }
                    | Shape::Code { .. } => {}
                }
            }
            other => println!("  [{}]", script::told(other)),
        }
    }
}

/// A flow as a Mermaid chart.
fn graph(flow: &Flow) -> String {
    let mut out = String::from("flowchart TD\n");
    let quoted = |text: &str| text.replace('"', "'");
    for step in &flow.steps {
        let words = step.verb.words().first().map(|words| quoted(words.source())).unwrap_or_default();
        let short: String = words.chars().take(48).collect();
        let _ = writeln!(out, "    {}[\"{} · {}<br/>{short}\"]", step.id, step.id, step.verb.word());
    }
    for step in &flow.steps {
        let mut jumped = BTreeSet::new();
        if let crate::chat::steps::Verb::Ask(ask) = &step.verb {
            for (choice, target) in &ask.jumps {
                let _ = writeln!(out, "    {} -->|{choice}| {}", step.id, target.step);
                jumped.insert(target.step.clone());
            }
        }
        if let crate::chat::steps::Verb::Switch(switch) = &step.verb {
            for (expr, target) in &switch.branches {
                let _ = writeln!(out, "    {} -->|\"{}\"| {}", step.id, quoted(expr.text()), target.step);
            }
            if let Some(target) = &switch.otherwise {
                let _ = writeln!(out, "    {} -->|else| {}", step.id, target.step);
            }
        }
        for outcome in step.verb.outcomes().iter().filter(|outcome| step.verb.can_end(**outcome)) {
            let arrow = match outcome {
                Outcome::Timeout | Outcome::Exhausted => "-.->",
                _ => "-->",
            };
            match flow.destination(step, *outcome) {
                Some(Destination::Step(next)) => {
                    let _ = writeln!(out, "    {} {arrow}|{}| {}", step.id, outcome.word(), next.id);
                }
                Some(Destination::End(end)) => {
                    let _ =
                        writeln!(out, "    {} {arrow}|{}| end_{}(({end}))", step.id, outcome.word(), step.id);
                }
                None => {}
            }
        }
        if let (Next::End(end), None) = (&step.next, step.verb.main()) {
            let _ = writeln!(out, "    {} --> end_{}(({end}))", step.id, step.id);
        }
    }
    if let Some(human) = &flow.human {
        let _ = writeln!(out, "    human_requested([a person, please]) --> {}", human.step);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_shows_every_step_and_where_it_leads() {
        let report = Report::new();
        let text = include_str!("../../bot-flows/welcome.yaml");
        let flow =
            Flow::read(&yaml::parse("w.yaml", text, &report).expect("a tree"), &report).expect("a flow");
        let graph = graph(&flow);
        assert!(flow.steps.iter().all(|step| graph.contains(&format!("    {}[", step.id))));
        assert!(graph.contains("menu -->|call| pick_slot"), "{graph}");
        assert!(graph.contains("bye -->|next| end_bye((answered))"), "{graph}");
        assert!(graph.contains("live -->|unavailable| away"), "{graph}");
    }
}
