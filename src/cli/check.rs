//! `embudo check`: everything that can be wrong in the files that people write, in one go.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value as Json, json};

use crate::app;
use crate::base::diagnostic::{Mark, Report, Severity};
use crate::base::yaml::{self, Doc, View};
use crate::bookings::team::Team;
use crate::chat::check::Known;
use crate::chat::script::Suite;
use crate::chat::{Flows, flow::Flow};
use crate::config::Config;
use crate::gates::Catalog;
use crate::notify::Rules;
use crate::{stages, webinars};

#[derive(clap::Args)]
pub struct Arguments {
    /// Files or folders; without any, everything that the settings name.
    paths: Vec<PathBuf>,
    /// How to tell what was found.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For code hosts (SARIF 2.1.0).
    Sarif,
}

/// Runs `embudo check`; fails if there is an error.
pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let report = Report::new();
    let known = known(config, &report, arguments.paths.is_empty());
    let mut files = Vec::new();
    if arguments.paths.is_empty() {
        let folder = config.path_of(&config.definitions.flows);
        gather(&folder, &report, &mut files);
    }
    for path in &arguments.paths {
        gather(path, &report, &mut files);
    }
    check(&files, &known, &report);
    match arguments.format {
        Format::Json => println!("{}", report.json()),
        Format::Sarif => println!("{:#}", sarif(&report)),
        Format::Text => {
            print!("{}", report.text());
            let found = report.diagnostics();
            let errors = found.iter().filter(|d| d.severity == Severity::Error).count();
            match (errors, found.len().saturating_sub(errors)) {
                (0, 0) => println!("nothing is wrong"),
                (errors, warnings) => println!("{}, {}", count(errors, "error"), count(warnings, "warning")),
            }
        }
    }
    Ok(if report.has_errors() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// What flows may name. Only when everything is checked do mistakes in those other files count here.
pub(super) fn known(config: &Config, report: &Report, everything: bool) -> Known {
    let own = Report::new();
    let team = app::team(config, &own);
    let (_, webinars) = app::content(config, &own);
    let known = match (&team, &webinars) {
        (Some(team), Some(webinars)) => Known::of(team, webinars),
        _ => Known::default(),
    };
    if everything {
        app::lifecycle(config, &own);
        app::rules(config, &own);
        report.absorb(own);
    }
    known
}

/// The YAML files of a path, those below a folder included.
pub(super) fn gather(path: &Path, report: &Report, into: &mut Vec<(String, String)>) {
    if path.is_dir() {
        let Ok(entries) = std::fs::read_dir(path) else { return };
        let mut below: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        below.sort();
        let is_wanted =
            |path: &PathBuf| path.is_dir() || path.extension().is_some_and(|e| e == "yaml" || e == "yml");
        for path in below.iter().filter(|path| is_wanted(path)) {
            gather(path, report, into);
        }
        return;
    }
    match std::fs::read_to_string(path) {
        Ok(text) => into.push((path.display().to_string(), text)),
        Err(error) => {
            let at = Mark::file(path.display().to_string());
            report.error(&at, "Y001", format!("the file cannot be read: {error}")).done();
        }
    }
}

/// What a file is about, by the keys at its top.
enum About {
    Flow,
    Tests,
    Lifecycle,
    Forms,
    Content,
    Webinars,
    Team,
    Notify,
}

fn about(doc: &Doc, report: &Report) -> Option<About> {
    let mut map = doc.view(report).map()?;
    let found = if map.has("steps") {
        About::Flow
    } else if map.has("tests") {
        About::Tests
    } else if map.has("forms") {
        About::Forms
    } else if map.has("assets") {
        About::Content
    } else if map.has("webinars") {
        About::Webinars
    } else if map.has("reps") || map.has("meetings") {
        About::Team
    } else if map.has("hooks") || map.has("invitations") {
        About::Notify
    } else if map.has("stages") || map.has("scoring") || map.has("rules") {
        About::Lifecycle
    } else {
        let at = &doc.root.at;
        report.error(at, "Y003", "nobody knows what this file is about").hint(
            "a flow has `steps`, a test of flows `tests`, the others `stages`, `forms`, `assets`, `webinars`, `reps`",
        );
        return None;
    };
    Some(found)
}

/// Checks files of any kind.
fn check(files: &[(String, String)], known: &Known, report: &Report) {
    let mut flows = Vec::new();
    let mut suites = Vec::new();
    let mut forms: Option<(&str, &str)> = None;
    let mut content: Option<(&str, &str)> = None;
    for (path, text) in files {
        let own = Report::new();
        let Some(doc) = yaml::parse(path, text, &own) else {
            report.absorb(own);
            continue;
        };
        match about(&doc, &own) {
            // The readers below parse the file themselves: what was found on the way is found again.
            Some(About::Flow) => flows.push((path.clone(), text.clone())),
            Some(About::Tests) => suites.push(doc),
            Some(About::Lifecycle) => drop(stages::Definition::parse(path, text, report)),
            Some(About::Forms) => forms = Some((path, text)),
            Some(About::Content) => content = Some((path, text)),
            Some(About::Webinars) => drop(webinars::Definition::parse(path, text, None, report)),
            Some(About::Team) => drop(Team::parse(path, text, report)),
            Some(About::Notify) => drop(Rules::parse(path, text, report)),
            None => report.absorb(own),
        }
    }
    if forms.is_some() || content.is_some() {
        Catalog::parse(
            forms.unwrap_or(("forms", "forms: []")),
            content.unwrap_or(("content", "assets: []")),
            report,
        );
    }
    Flows::read(&flows, known, report);
    for doc in suites {
        let own = Report::new();
        own.source(
            &doc.path,
            files.iter().find(|(path, _)| **path == *doc.path).map_or("", |(_, text)| text),
        );
        Suite::read(&doc, &own);
        let mut map = doc.view(&own).map();
        let named = map.as_mut().and_then(|map| map.optional("flow")).and_then(View::spanned);
        if let Some(named) = named.filter(|named| !flows.is_empty() && !names(&flows, &named.value)) {
            own.error(&named.at, "S510", format!("there is no flow \"{}\"", named.value)).done();
        }
        report.absorb(own);
    }
}

fn names(flows: &[(String, String)], id: &str) -> bool {
    let quiet = Report::new();
    flows
        .iter()
        .filter_map(|(path, text)| yaml::parse(path, text, &quiet))
        .filter_map(|doc| Flow::read(&doc, &quiet))
        .any(|flow| flow.id == id)
}

/// The findings as a SARIF log.
fn sarif(report: &Report) -> Json {
    let results: Vec<Json> = report
        .diagnostics()
        .into_iter()
        .map(|d| {
            let text = match d.hint {
                Some(hint) => format!("{} ({hint})", d.message),
                None => d.message,
            };
            json!({
                "ruleId": d.code,
                "level": d.severity.word(),
                "message": { "text": text },
                "locations": [{ "physicalLocation": {
                    "artifactLocation": { "uri": d.path },
                    "region": { "startLine": d.line, "startColumn": d.col },
                } }],
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{ "tool": { "driver": { "name": "embudo" } }, "results": results }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> =
            files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let report = Report::new();
        check(&files, &Known::default(), &report);
        report.diagnostics().into_iter().map(|d| format!("{}:{} {}", d.path, d.line, d.code)).collect()
    }

    #[test]
    fn every_shipped_definition_is_sound() {
        let shipped = [
            ("lifecycle.yaml", include_str!("../../config/lifecycle.yaml")),
            ("forms.yaml", include_str!("../../config/forms.yaml")),
            ("content.yaml", include_str!("../../config/content.yaml")),
            ("webinars.yaml", include_str!("../../config/webinars.yaml")),
            ("team.yaml", include_str!("../../config/team.yaml")),
            ("notify.yaml", include_str!("../../config/notify.yaml")),
        ];
        assert_eq!(codes(&shipped), Vec::<String>::new());
    }

    #[test]
    fn a_file_is_known_by_its_keys() {
        assert_eq!(codes(&[("x.yaml", "hello: 1\n")]), ["x.yaml:1 Y003"]);
        assert_eq!(codes(&[("t.yaml", "flow: x\ntests: 5\n")]), ["t.yaml:2 Y004"]);
        assert!(!codes(&[("f.yaml", "flow: x\nsteps: {}\n")]).is_empty());
    }

    #[test]
    fn a_code_host_gets_places_and_rules() {
        let report = Report::new();
        report.error(&Mark::new("a.yaml", 3, 4), "G201", "no step").hint("look");
        let log = sarif(&report);
        let result = &log["runs"][0]["results"][0];
        assert_eq!(result["ruleId"], "G201");
        assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 3);
    }
}
