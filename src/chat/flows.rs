//! All flows of a server.

use std::path::Path;

use super::check::{self, Known};
use super::flow::{Flow, When};
use super::question::Question;
use super::steps::Verb;
use crate::base::diagnostic::{Mark, Report};
use crate::base::language::Language;
use crate::base::yaml;

/// The team that conversations are handed to.
pub const TEAM: &str = "sdr";

/// The flows that passed every check.
#[derive(Clone, Debug, Default)]
pub struct Flows(Vec<Flow>);

impl Flows {
    /// The flows' files in a folder (`*.yaml`, not below it) as path and text; a folder that is not there has none.
    pub fn files(folder: &Path, report: &Report) -> Vec<(String, String)> {
        let mut files = Vec::new();
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return files,
            Err(error) => {
                let at = Mark::file(folder.display().to_string());
                report.error(&at, "Y001", format!("the folder cannot be read: {error}")).done();
                return files;
            }
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            match std::fs::read_to_string(&path) {
                Ok(text) => files.push((path.display().to_string(), text)),
                Err(error) => {
                    let at = Mark::file(path.display().to_string());
                    report.error(&at, "Y001", format!("the file cannot be read: {error}")).done();
                }
            }
        }
        files.sort();
        files
    }

    /// Reads and checks flows, each given as its path and text.
    /// `None` if there is an error anywhere: flows are taken all or not at all.
    pub fn read(files: &[(String, String)], known: &Known, report: &Report) -> Option<Flows> {
        let own = Report::new();
        let docs: Vec<_> = files.iter().filter_map(|(path, text)| yaml::parse(path, text, &own)).collect();
        let mut flows: Vec<Flow> = docs.iter().filter_map(|doc| Flow::read(doc, &own)).collect();
        check::all(&flows, known, &own);
        let is_sound = !own.has_errors();
        report.absorb(own);
        // The one with the highest priority is asked first.
        flows.sort_by_key(|flow| std::cmp::Reverse(flow.trigger.as_ref().map_or(i64::MIN, |t| t.priority)));
        is_sound.then_some(Flows(flows))
    }

    /// A flow by its name.
    pub fn find(&self, id: &str) -> Option<&Flow> {
        self.0.iter().find(|flow| flow.id == id)
    }

    /// Every question of every flow, with the name that its answer is kept under.
    fn questions(&self) -> impl Iterator<Item = (Option<&String>, &Question)> {
        self.0.iter().flat_map(|flow| &flow.steps).flat_map(|step| match &step.verb {
            Verb::Form(form) => {
                form.questions.iter().map(|(name, question)| (Some(name), question)).collect()
            }
            Verb::Ask(ask) => vec![(ask.question.var.as_ref(), &ask.question)],
            Verb::Say(_)
            | Verb::Show(_)
            | Verb::Set(_)
            | Verb::Switch(_)
            | Verb::Do(_)
            | Verb::WaitFor(_)
            | Verb::Handoff(_)
            | Verb::Book(_)
            | Verb::Pass => Vec::new(),
        })
    }

    /// The answers that the flows offer for a field, each with its label; none if nobody offers any.
    pub fn choices(&self, field: &str, language: Language) -> Vec<(&str, &str)> {
        let mut found: Vec<(&str, &str)> = Vec::new();
        for (_, question) in self.questions().filter(|(name, _)| name.is_some_and(|name| name == field)) {
            for (id, label) in &question.choices {
                if !found.iter().any(|(known, _)| known == id) {
                    found.push((id.as_str(), label.plain(language)));
                }
            }
        }
        found
    }

    /// How an answer that was picked reads: the label of the choice whose id is kept under this field's name.
    pub fn label(&self, field: &str, value: &str, language: Language) -> Option<&str> {
        self.questions()
            .filter(|(name, _)| name.is_some_and(|name| name == field))
            .flat_map(|(_, question)| &question.choices)
            .find(|(id, _)| id == value)
            .map(|(_, label)| label.plain(language))
    }

    /// All flows, the highest priority first.
    pub fn all(&self) -> &[Flow] {
        &self.0
    }

    /// The flows that listen to something, the highest priority first.
    pub fn on(&self, when: When) -> impl Iterator<Item = &Flow> {
        self.0.iter().filter(move |flow| flow.trigger.as_ref().is_some_and(|trigger| trigger.when == when))
    }
}
