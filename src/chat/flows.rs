//! All flows of a server.

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::check::{self, Known};
use super::flow::{Flow, When};
use super::link;
use super::question::Question;
use crate::base::diagnostic::{Mark, Report};
use crate::base::language::Language;
use crate::base::yaml;

/// What answers where no flow was written: a person, or else a question that is left.
const LIVE_CHAT: &str = include_str!("live/live-chat.yaml");
/// The team that conversations are handed to.
pub const TEAM: &str = "sdr";

/// The flows that passed every check.
#[derive(Clone, Debug, Default)]
pub struct Flows(Vec<Arc<Flow>>);

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
        link::all(&mut flows, &own);
        check::inherited(&flows, &own);
        let is_sound = !own.has_errors();
        report.absorb(own);
        // The one with the highest priority is asked first.
        flows.sort_by_key(|flow| std::cmp::Reverse(flow.trigger.as_ref().map_or(i64::MIN, |t| t.priority)));
        is_sound.then(|| Flows(flows.into_iter().map(Arc::new).collect()))
    }

    /// With a flow that answers when the chat is opened: the company's own, or else [`LIVE_CHAT`], which comes to stand
    /// among the set's files.
    #[must_use]
    pub fn with_live_chat(mut self, files: &mut Vec<(String, String)>) -> Flows {
        if self.on(&When::Opened).next().is_none() {
            let report = Report::new();
            let known = Known { teams: Some([TEAM.to_owned()].into()), ..Known::default() };
            let built_in = [("live-chat.yaml".to_owned(), LIVE_CHAT.to_owned())];
            self.0.extend(Flows::read(&built_in, &known, &report).into_iter().flat_map(|flows| flows.0));
            // The file is built in, and a test reads it.
            assert!(report.is_clean(), "{}", report.text());
            files.extend(built_in);
        }
        self
    }

    /// A flow by its name.
    pub fn find(&self, id: &str) -> Option<&Arc<Flow>> {
        self.0.iter().find(|flow| flow.id == id)
    }

    /// The answers that the flows offer for a field, each with its label; none if nobody offers any.
    pub fn choices(&self, field: &str, language: Language) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        for (id, label) in self
            .questions()
            .filter(|question| question.var.as_deref() == Some(field))
            .flat_map(|question| &question.choices)
        {
            if !found.iter().any(|(known, _)| known == id) {
                found.push((id.clone(), label.plain(language).to_owned()));
            }
        }
        found
    }

    fn questions(&self) -> impl Iterator<Item = &Question> {
        self.0.iter().flat_map(|flow| &flow.steps).flat_map(|step| step.verb.questions())
    }

    /// How an answer that was picked reads: the label of the choice whose id is kept under this field's name.
    pub fn label(&self, field: &str, value: &str, language: Language) -> Option<&str> {
        self.questions()
            .filter(|question| question.var.as_deref() == Some(field))
            .flat_map(|question| &question.choices)
            .find(|(id, _)| id == value)
            .map(|(_, label)| label.plain(language))
    }

    /// All flows, the highest priority first.
    pub fn all(&self) -> &[Arc<Flow>] {
        &self.0
    }

    /// A hash of the versions of all of them: the same set has the same.
    pub fn digest(&self) -> String {
        let mut names: Vec<(&str, &str)> =
            self.0.iter().map(|flow| (flow.id.as_str(), flow.version.as_str())).collect();
        names.sort_unstable();
        let mut hash = Sha256::new();
        for (name, version) in names {
            hash.update(name.as_bytes());
            hash.update(b":");
            hash.update(version.as_bytes());
            hash.update(b"\n");
        }
        hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The flows that listen to something, the highest priority first.
    pub fn on(&self, when: &When) -> impl Iterator<Item = &Arc<Flow>> {
        self.0.iter().filter(move |flow| flow.trigger.as_ref().is_some_and(|trigger| trigger.when == *when))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::MINUTE_MS;
    use crate::chat::effects::Effect;
    use crate::chat::rehearsal::{Rehearsal, Scene, says};
    use crate::chat::script::{Explore, explore};

    #[test]
    fn a_company_without_flows_has_a_chat_all_the_same() {
        let flows = Flows::default().with_live_chat(&mut Vec::new());
        assert_eq!(flows.on(&When::Opened).map(|flow| flow.id.as_str()).collect::<Vec<_>>(), ["live_chat"]);
        let again = flows.clone().with_live_chat(&mut Vec::new());
        assert_eq!(again.all().len(), flows.all().len(), "what answers already is left alone");
    }

    #[test]
    fn the_built_in_chat_passes_every_question_on_before_it_asks_for_an_address() {
        let flows = Flows::default().with_live_chat(&mut Vec::new());
        let flow = flows.find("live_chat").expect("it is built in");
        for language in flow.languages.clone() {
            let scene = Scene { language, ..Scene::default() };
            let found = explore(flow, &scene, None, &Explore::default());
            assert!(found.findings.is_empty(), "{:#?}", found.findings);
            let (mut play, _) = Rehearsal::open(flow, scene, None);
            play.play(&says("Do you ship to Chile?")).expect("she is heard");
            assert_eq!(play.state.step, "ask_email");
            let given = play.effects.iter().find_map(|effect| match effect {
                Effect::Do { action, with, .. } if action == "call.request" => with.get("note"),
                _ => None,
            });
            assert_eq!(given.map(String::as_str), Some("Do you ship to Chile?"));
            // Without an address it ends as left all the same.
            play.advance(30 * MINUTE_MS);
            assert_eq!(play.state.outcome.as_deref(), Some("question_left"));
        }
    }
}
