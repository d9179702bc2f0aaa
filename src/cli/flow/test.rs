//! `embudo flow test`: plays the flows' own tests and tells what they reach.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use crate::base::diagnostic::{Mark, Report};
use crate::base::yaml;
use crate::chat::flow::Flow;
use crate::chat::rehearsal::Scene;
use crate::chat::script::{self, Coverage, Explore, Outcome, Suite};
use crate::cli::check::{gather, ids, tests_beside};
use crate::config::Config;

/// Characters of each column of a transcript.
const COLUMN: usize = 46;

#[derive(clap::Args)]
pub struct Arguments {
    /// Files or folders; without any, those of the settings.
    paths: Vec<PathBuf>,
    /// Tell which steps and which ways out of them no test takes.
    #[arg(long)]
    coverage: bool,
    /// Fail if the tests of a flow reach less than this share of its steps and ways out.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    threshold: Option<u8>,
    /// Put the texts that came into the places of those that were expected word for word.
    #[arg(long)]
    update: bool,
    /// Walk every way through every flow, and so many walks by chance on top.
    #[arg(long, value_name = "WALKS")]
    explore: Option<u32>,
    /// The seed of the walks by chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What came of the tests of some files.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    /// By the flow's name.
    coverage: BTreeMap<String, Coverage>,
    told: String,
}

pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let report = Report::new();
    let Asked { files, flows: given } = asked(arguments, config, &report);
    let flows = &super::flows(config, given)?;
    let mut tally = Tally::default();
    let mut suites = Vec::new();
    for (path, text) in &files {
        let Some(suite) = yaml::parse(path, text, &report).and_then(|doc| Suite::read(&doc, &report)) else {
            continue;
        };
        let Some(flow) = flows.find(&suite.flow.value) else {
            let names = flows.all().iter().map(|flow| flow.id.as_str());
            report
                .error(&suite.flow.at, "S510", format!("there is no flow \"{}\"", suite.flow.value))
                .did_you_mean(&suite.flow.value, names);
            continue;
        };
        suite.check(flow, &report);
        let played: Vec<Outcome> = suite.tests.iter().map(|test| test.play(flow, flows.all())).collect();
        for outcome in &played {
            tally.add(flow, outcome);
        }
        if arguments.update {
            update(path, text, &played, &mut tally.told)?;
        }
        suites.push((flow.id.clone(), suite));
    }
    if let Some(walks) = arguments.explore {
        for flow in flows.all() {
            tally.explore(flow, &suites, walks, arguments.seed);
        }
    }
    let threshold = arguments.threshold.map(usize::from);
    let mut is_enough = true;
    if arguments.coverage || threshold.is_some() {
        // Whoever names files asks about their flows only.
        let is_asked = |id: &String| arguments.paths.is_empty() || tally.coverage.contains_key(id);
        let asked: Vec<_> = flows.all().iter().filter(|flow| is_asked(&flow.id)).collect();
        for flow in asked {
            is_enough &= tally.cover(flow, threshold);
        }
    }
    let (tested, all) = (tally.coverage.len(), flows.all().len());
    let mut told = tally.told;
    told.push_str(&report.text());
    let _ =
        writeln!(told, "{} passed, {} failed, {tested} of {all} flows tested", tally.passed, tally.failed);
    crate::cli::tell(&told);
    let is_well = tally.failed == 0 && is_enough && !report.has_errors();
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What somebody wants to have tested.
struct Asked {
    /// Files of tests as path and text.
    files: Vec<(String, String)>,
    /// Flows that were named along with them.
    flows: Vec<(String, String)>,
}

/// What the paths name: tests, and flows with the tests that lie in the folder `tests` beside them. Reports Y001 where
/// there are none, and S512 for flows without one.
fn asked(arguments: &Arguments, config: &Config, report: &Report) -> Asked {
    let folder = config.path_of(&config.definitions.flows);
    let mut found = Vec::new();
    match arguments.paths.as_slice() {
        [] if !folder.join("tests").is_dir() => {
            let at = Mark::file(folder.join("tests").display().to_string());
            let noted = report.error(&at, "Y001", "the flows have no tests: there is no such folder");
            noted.hint("a file in it has `flow: NAME` and `tests`; docs/flows.md shows one");
        }
        [] => gather(&folder.join("tests"), report, &mut found),
        paths => paths.iter().for_each(|path| gather(path, report, &mut found)),
    }
    let (flows, mut files): (Vec<_>, Vec<_>) = found.into_iter().partition(is_flow);
    if flows.is_empty() {
        return Asked { files, flows };
    }
    let named = ids(&flows);
    let place = |path: &str| std::fs::canonicalize(path).ok();
    let mut known: Vec<_> = files.iter().map(|(path, _)| place(path)).collect();
    for file in tests_beside(&flows, &folder) {
        let is_theirs = !ids(std::slice::from_ref(&file)).is_disjoint(&named);
        if is_theirs && !known.contains(&place(&file.0)) {
            known.push(place(&file.0));
            files.push(file);
        }
    }
    let tested = ids(&files);
    for (path, _) in flows.iter().filter(|flow| ids(std::slice::from_ref(*flow)).is_disjoint(&tested)) {
        report
            .error(&Mark::file(path.clone()), "S512", "this is a flow, and no test of it was found")
            .hint("its tests lie in `tests` beside it, in a file with `flow: NAME` and `tests`");
    }
    Asked { files, flows }
}

/// Whether a file is a flow, and not tests of one.
fn is_flow((path, text): &(String, String)) -> bool {
    let quiet = Report::new();
    let doc = yaml::parse(path, text, &quiet);
    doc.and_then(|doc| doc.view(&quiet).map().map(|map| map.key_at("steps").is_some())).unwrap_or_default()
}

impl Tally {
    fn add(&mut self, flow: &Flow, outcome: &Outcome) {
        self.coverage.entry(flow.id.clone()).or_default().add(outcome);
        let walked = outcome.explored.as_ref().map(|found| {
            let ends: Vec<&str> = found.ends.keys().map(String::as_str).collect();
            let ends = ends.join(", ");
            format!(
                " ({} worlds, {} places, {} turns; ends: {ends})",
                found.worlds, found.places, found.turns
            )
        });
        let walked = walked.unwrap_or_default();
        if outcome.failures.is_empty() {
            self.passed += 1;
            let _ = writeln!(self.told, "ok      {}: {}{walked}", flow.id, outcome.name);
            return;
        }
        self.failed += 1;
        let _ = writeln!(self.told, "FAILED  {}: {} ({}){walked}", flow.id, outcome.name, outcome.at);
        for line in script::columns(&outcome.rows, COLUMN).lines() {
            let _ = writeln!(self.told, "     {line}");
        }
        for (at, message) in &outcome.failures {
            let _ = writeln!(self.told, "        {at}: {message}");
        }
    }

    /// Walks every way through a flow in each scene of its tests.
    fn explore(&mut self, flow: &Flow, suites: &[(String, Suite)], walks: u32, seed: u64) {
        let own = suites.iter().filter(|(id, _)| *id == flow.id).flat_map(|(_, suite)| &suite.scenes);
        let mut scenes: Vec<_> = own.map(|(name, scene)| (name.clone(), scene.clone())).collect();
        if scenes.is_empty() {
            scenes.push(("the usual scene".to_owned(), Scene::default()));
        }
        let how = Explore { walks, seed, ..Explore::default() };
        for (name, scene) in scenes {
            let found = script::explore(flow, &scene, None, &how);
            let word = if found.findings.is_empty() { "ok     " } else { "FAILED " };
            let (worlds, places, turns) = (found.worlds, found.places, found.turns);
            let _ = writeln!(
                self.told,
                "{word} {}: every way in {name} ({worlds} worlds, {places} places, {turns} turns)",
                flow.id
            );
            for finding in &found.findings {
                let _ = writeln!(self.told, "        {}: {finding}", flow.at);
            }
            match found.findings.is_empty() {
                true => self.passed += 1,
                false => self.failed += 1,
            }
        }
    }

    /// Tells what of a flow is reached; whether that is enough.
    fn cover(&mut self, flow: &Flow, threshold: Option<usize>) -> bool {
        let covered = self.coverage.get(&flow.id).cloned().unwrap_or_default();
        let covered = covered.of(flow);
        let (steps, exits) = (covered.steps, covered.exits);
        let reached = steps.saturating_sub(covered.missed_steps.len());
        let taken = exits.saturating_sub(covered.missed_exits.len());
        let percent = covered.percent();
        let out = &mut self.told;
        let _ = writeln!(
            out,
            "{}: {reached} of {steps} steps reached, {taken} of {exits} ways out taken ({percent} %)",
            flow.id
        );
        for step in &covered.missed_steps {
            let _ = writeln!(out, "        {}: no test reaches \"{}\"", step.at, step.id);
        }
        for exit in &covered.missed_exits {
            let of = exit.step.as_ref().map(|step| format!(" of \"{step}\"")).unwrap_or_default();
            let _ = writeln!(out, "        {}: no test takes \"{}\"{of}", exit.at, exit.exit);
        }
        let is_enough = threshold.is_none_or(|threshold| percent >= threshold);
        if let (false, Some(threshold)) = (is_enough, threshold) {
            let _ = writeln!(out, "        {percent} % are less than {threshold} %");
        }
        is_enough
    }
}

/// Writes the texts that came into a file of tests.
fn update(path: &str, text: &str, played: &[Outcome], told: &mut String) -> anyhow::Result<()> {
    let rewrites: Vec<_> = played.iter().flat_map(|outcome| outcome.rewrites.clone()).collect();
    if rewrites.is_empty() {
        return Ok(());
    }
    let (new, by_hand) = script::rewrite(text, &rewrites);
    if new != text {
        std::fs::write(path, new).with_context(|| format!("{path} cannot be written"))?;
    }
    let done = rewrites.len().saturating_sub(by_hand.len());
    let _ = writeln!(told, "{path}: {done} texts rewritten; run the tests again");
    for at in by_hand {
        let _ = writeln!(told, "        {at}: runs over several lines: change it by hand");
    }
    Ok(())
}
