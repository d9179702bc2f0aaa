//! The flows' files while the server runs: looked at again and again, and taken all or not at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use super::{App, Definitions, Sources, kept};
use crate::base::diagnostic::Report;
use crate::base::yaml;
use crate::chat::script::Suite;
use crate::chat::{self, Flows};
use crate::config::Config;

/// What came of looking at the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// They say what runs already.
    Same,
    /// They run from now on.
    Replaced,
    /// They are wrong, and what ran before still runs.
    Refused(String),
}

impl App {
    /// Reads the flows' files again. If every check and every test passes they run from now on; open conversations
    /// go on as `chat::versions` says. Else the set that runs stays, and [`chat::Running::problem`] tells why.
    ///
    /// # Errors
    /// If the store cannot note the new versions; then the old set stays.
    pub async fn reload_flows(&self) -> anyhow::Result<Reloaded> {
        let config = self.config.clone();
        let read = tokio::task::spawn_blocking(move || read(&config)).await?;
        let Good { flows, files, whole } = match read {
            Ok(read) => read,
            Err(problem) => {
                // Said once and not at every look.
                if self.room.flows.problem().as_ref() != Some(&problem) {
                    tracing::error!(problem = %problem, "the flows' files are wrong; those that ran before still run");
                }
                self.room.flows.refuse(problem.clone());
                return Ok(Reloaded::Refused(problem));
            }
        };
        let running = self.room.flows.now();
        if flows.digest() == running.digest() {
            // A file that was broken may be again what it was; a remark in it may be another one.
            self.note_texts(&files).await?;
            self.room.flows.settle();
            return Ok(Reloaded::Same);
        }
        self.note_texts(&files).await?;
        let mut tx = self.stores.db.begin().await?;
        chat::versions::note(&mut tx, &flows, &files, self.clock.now()).await?;
        tx.commit().await?;
        if let Some(sources) = whole {
            kept::note(&self.stores.db, &sources, self.clock.now()).await?;
        }
        tracing::info!(flows.count = flows.all().len(), flows.digest = flows.digest(), "New flows run");
        self.room.flows.replace(flows);
        Ok(Reloaded::Replaced)
    }

    /// Looks at the flows' files again and again, as long as the server lives; never if the settings say so.
    pub fn watch_flows(self: &Arc<Self>) {
        let every = self.config.definitions.watch_ms;
        if every == 0 {
            return;
        }
        let (app, folder) = (Arc::downgrade(self), self.config.path_of(&self.config.definitions.flows));
        tokio::spawn(async move {
            let mut taken = stamps(&folder);
            let mut before = taken.clone();
            loop {
                tokio::time::sleep(Duration::from_millis(every)).await;
                let Some(app) = app.upgrade() else { return };
                let now = stamps(&folder);
                // Files that are still being written are left until they rest.
                if now != taken && now == before {
                    match app.reload_flows().await {
                        Ok(_) => taken.clone_from(&now),
                        Err(error) => tracing::error!(error = %error, "the flows cannot be read again"),
                    }
                }
                before = now;
            }
        });
    }
}

/// Flows about which everything is sound.
struct Good {
    flows: Flows,
    /// Their files.
    files: Vec<(String, String)>,
    /// All files, if the others are sound, too.
    whole: Option<Sources>,
}

/// The set that the files hold, if everything about it is sound.
fn read(config: &Config) -> Result<Good, String> {
    let report = Report::new();
    let sources = Sources::of(config, &report);
    let Some(flows) = Definitions::read(&sources, &report).flows else {
        let of_flows = |path: &str| sources.flows.iter().any(|(known, _)| known == path);
        let found: Vec<_> = report.diagnostics().into_iter().filter(|found| of_flows(&found.path)).collect();
        return Err(report.text_of(&found));
    };
    let own = Report::new();
    let tests = Flows::files(&config.path_of(&config.definitions.flows).join("tests"), &own);
    let mut failed = String::new();
    for (path, text) in &tests {
        let Some(suite) = yaml::parse(path, text, &own).and_then(|doc| Suite::read(&doc, &own)) else {
            continue;
        };
        // Tests of a flow that is not there any more keep nobody from going on.
        let Some(flow) = flows.find(&suite.flow.value) else { continue };
        suite.check(flow, &own);
        let scripts = suite.tests.iter().filter(|test| !test.explores());
        for outcome in scripts.map(|test| test.play(flow, flows.all())) {
            for (at, message) in outcome.failures {
                failed.push_str(&format!("{at} the test \"{}\" fails: {message}\n", outcome.name));
            }
        }
    }
    if own.has_errors() {
        failed.push_str(&own.text());
    }
    if !failed.is_empty() {
        return Err(failed);
    }
    let mut files = sources.flows.clone();
    let flows = flows.with_live_chat(&mut files);
    Ok(Good { flows, files, whole: (!report.has_errors()).then_some(sources) })
}

/// What tells that a file has changed: its name, its size and when it was written.
pub(super) type Stamp = (PathBuf, u64, u128);

/// The stamps of the flows' files and of their tests.
pub(super) fn stamps(folder: &Path) -> Vec<Stamp> {
    let mut stamps = Vec::new();
    for folder in [folder.to_path_buf(), folder.join("tests")] {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            stamps.extend(stamp(entry.path()));
        }
    }
    stamps.sort();
    stamps
}

/// The stamp of one file; none if it is none.
pub(super) fn stamp(path: PathBuf) -> Option<Stamp> {
    let about = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
    let written = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    Some((path, about.len(), written.map_or(0, |at| at.as_nanos())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_again_comes_or_goes_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.yaml");
        let none = stamps(folder.path());
        std::fs::write(&file, "flow: a").expect("written");
        let one = stamps(folder.path());
        std::fs::write(&file, "flow: abc").expect("written");
        let other = stamps(folder.path());
        std::fs::create_dir(folder.path().join("tests")).expect("made");
        std::fs::write(folder.path().join("tests/a.yaml"), "flow: a").expect("written");
        let tested = stamps(folder.path());
        assert!(none != one && one != other && other != tested);
        assert_eq!(stamps(folder.path()), tested);
    }
}
