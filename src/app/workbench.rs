//! The flows' files on the workbench: what is wrong in them as they lie there, what their tests say, and one of them written
//! anew. The file on disk stays what counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use super::flows::{Stamp, stamp, stamps};
use super::{App, Definitions, Kind, LOCK, Reloaded, Sources};
use crate::base::diagnostic::{Diagnostic, Mark, Report, Severity};
use crate::base::ids::{AccountId, new_key};
use crate::base::signing::sha256_hex;
use crate::base::time::Timestamp;
use crate::base::yaml::{self, View};
use crate::chat::check::{untested, without_tests};
use crate::chat::history::{self, Written};
use crate::chat::script::{Coverage, Suite};
use crate::chat::{self, Flows};
use crate::config::Config;
use crate::privacy::audit::{self, By, What};
use crate::storage::db::Tx;

/// One file of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paper {
    /// The flow's name; that of the file where it cannot be read.
    pub flow: String,
    /// Where it lies.
    pub path: String,
    /// The name of the file.
    pub file: String,
    /// How people name it: `bot-flows/welcome.yaml`.
    pub told: String,
    /// What stands in it.
    pub text: String,
    /// SHA-256 of that.
    pub hash: String,
}

/// A test that was played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// The flow that it is about.
    pub flow: String,
    /// What it says that happens.
    pub name: String,
    /// The file, as people name it, and the line.
    pub told: String,
    pub line: u32,
    /// What was expected and what came; nothing if it passed.
    pub failures: Vec<(u32, String)>,
}

/// What is to be said of the files.
#[derive(Debug, Clone, Default)]
pub struct Bench {
    /// The files of flows, in the order of their names.
    pub papers: Vec<Paper>,
    /// What was found in them and in their tests; paths as people name them.
    pub findings: Vec<Diagnostic>,
    /// The flows that they hold; nothing if any of them is wrong.
    pub flows: Option<Flows>,
    /// The tests that were played; those that walk every way by themselves take their time elsewhere.
    pub tests: Vec<Ran>,
}

impl Bench {
    /// The file of a flow.
    pub fn paper(&self, flow: &str) -> Option<&Paper> {
        self.papers.iter().find(|paper| paper.flow == flow)
    }

    /// What was found in one flow's file.
    pub fn findings_of<'b>(&'b self, paper: &'b Paper) -> impl Iterator<Item = &'b Diagnostic> {
        self.findings.iter().filter(|found| found.path == paper.told)
    }

    /// Whether such files would run: nothing is wrong, and every test passes.
    pub fn would_run(&self) -> bool {
        let is_wrong = self.findings.iter().any(|found| found.severity == Severity::Error);
        self.flows.is_some() && !is_wrong && self.tests.iter().all(|ran| ran.failures.is_empty())
    }
}

/// What became of a text that was to be saved.
#[derive(Debug)]
pub enum Saved {
    /// It stands in the file and runs.
    Done,
    /// It stands there already.
    Same,
    /// The file says something else by now than when it was opened.
    Changed(Paper),
    /// It would not run.
    Wrong(Arc<Bench>),
    /// It cannot be written here.
    NotWritable(String),
    /// There is no such file.
    Unknown,
}

/// The files as they were looked at last.
#[derive(Default)]
pub struct Workbench {
    seen: Mutex<Option<(Vec<Stamp>, Arc<Bench>)>>,
}

impl App {
    /// The files as they are now.
    ///
    /// # Errors
    /// If the work was broken off.
    pub async fn bench(&self) -> anyhow::Result<Arc<Bench>> {
        let stamps = stamps_of_all(&self.config);
        if let Some((seen, bench)) =
            self.workbench.seen.lock().unwrap_or_else(PoisonError::into_inner).as_ref()
            && *seen == stamps
        {
            return Ok(bench.clone());
        }
        let config = self.config.clone();
        let bench = Arc::new(tokio::task::spawn_blocking(move || look(&config, None)).await?);
        *self.workbench.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((stamps, bench.clone()));
        Ok(bench)
    }

    /// The files as they would be with another text in the file of a flow.
    ///
    /// # Errors
    /// If the work was broken off.
    pub async fn bench_with(&self, flow: &str, text: &str) -> anyhow::Result<Arc<Bench>> {
        let (config, draft) = (self.config.clone(), (flow.to_owned(), text.to_owned()));
        Ok(Arc::new(tokio::task::spawn_blocking(move || look(&config, Some(&draft))).await?))
    }

    /// Writes a flow's file, if it still says what it said when it was opened and if everything is sound with the new
    /// text; then it runs. `opened` is the hash of what stood there, `restored` the entry of its history that is brought back.
    ///
    /// # Errors
    /// As the store says; the file may be written by then, and is met again when it is looked at.
    pub async fn save_flow(
        &self,
        flow: &str,
        opened: &str,
        text: &str,
        by: AccountId,
        restored: Option<&str>,
    ) -> anyhow::Result<Saved> {
        let bench = self.bench_with(flow, text).await?;
        let Some(paper) = bench.paper(flow) else { return Ok(Saved::Unknown) };
        let (path, file) = (paper.path.clone(), paper.file.clone());
        if let Some(other) = changed(paper, opened) {
            return Ok(Saved::Changed(other));
        }
        if !bench.would_run() {
            return Ok(Saved::Wrong(bench));
        }
        let mut tx = self.stores.db.begin().await?;
        // Two who save at once, on whichever nodes: the second one finds what the first has written.
        tx.lock(&format!("flow:{flow}")).await?;
        let before = match fs::read_to_string(&path) {
            Ok(before) => before,
            Err(error) => return Ok(Saved::NotWritable(error.to_string())),
        };
        if let Some(other) = changed(paper, opened) {
            return Ok(Saved::Changed(other));
        }
        if before == text {
            return Ok(Saved::Same);
        }
        if let Err(error) = put(Path::new(&path), text) {
            return Ok(Saved::NotWritable(error.to_string()));
        }
        let written = |text| Written { flow, file: &file, text };
        let now = self.clock.now();
        history::saved(&mut tx, &written(&before), &written(text), by, restored, now).await?;
        let what = if restored.is_some() { What::FlowRestored } else { What::Flow };
        let mut details = what.of(flow);
        details["hash"] = json!(sha256_hex(text));
        details["restored"] = json!(restored);
        audit::changed(&mut tx, By::Account(by), details, now).await?;
        tx.commit().await?;
        match self.reload_flows().await? {
            Reloaded::Same | Reloaded::Replaced => Ok(Saved::Done),
            // Another file was changed on disk in this very moment.
            Reloaded::Refused(_) => Ok(Saved::Wrong(self.bench().await?)),
        }
    }

    /// Keeps the texts of files that run, as far as they are new.
    pub(super) async fn note_texts(&self, files: &[(String, String)]) -> anyhow::Result<()> {
        let mut tx = self.stores.db.begin().await?;
        note_texts(&mut tx, files, self.clock.now()).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Keeps the texts of files that run, as far as they are new.
pub(super) async fn note_texts(
    tx: &mut Tx,
    files: &[(String, String)],
    now: Timestamp,
) -> Result<(), chat::Error> {
    let named: Vec<(String, String, &str)> = files
        .iter()
        // What is built in lies in no folder.
        .filter(|(path, _)| Path::new(path).parent().is_some_and(|folder| !folder.as_os_str().is_empty()))
        .filter_map(|(path, text)| Some((flow_of(path, text)?, file_name(path), text.as_str())))
        .collect();
    let written: Vec<Written<'_>> =
        named.iter().map(|(flow, file, text)| Written { flow, file, text }).collect();
    history::met(tx, &written, now).await
}

/// The file as it is now, if it says something else than when it was opened.
fn changed(paper: &Paper, opened: &str) -> Option<Paper> {
    let text = fs::read_to_string(&paper.path).ok()?;
    let hash = sha256_hex(&text);
    (hash != opened).then(|| Paper { text, hash, ..paper.clone() })
}

/// The name of the flow that a file says, whatever else is wrong with it.
fn flow_of(path: &str, text: &str) -> Option<String> {
    let quiet = Report::new();
    let doc = yaml::parse(path, text, &quiet)?;
    doc.view(&quiet).map()?.optional("flow").and_then(View::str).filter(|name| yaml::is_name(name))
}

fn file_name(path: &str) -> String {
    Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The files, with another text in the file of one flow if there is a draft.
fn look(config: &Config, draft: Option<&(String, String)>) -> Bench {
    let report = Report::new();
    let mut sources = Sources::of(config, &report);
    let folder = config.path_of(&config.definitions.flows);
    let mut papers: Vec<Paper> =
        sources.flows.iter().map(|(path, text)| paper(&folder, path, text)).collect();
    if let Some((flow, text)) = draft
        && let Some(paper) = papers.iter_mut().find(|paper| paper.flow == *flow)
    {
        for own in sources.flows.iter_mut().filter(|(path, _)| *path == paper.path) {
            own.1.clone_from(text);
        }
        (paper.text, paper.hash) = (text.clone(), sha256_hex(text));
        if let Some(named) = flow_of(&paper.path, text).filter(|named| named != flow) {
            report
                .error(
                    &Mark::file(paper.path.clone()),
                    "Y004",
                    format!("this is the file of \"{flow}\", and says \"{named}\""),
                )
                .hint("numbers and open conversations hang on the name: write another flow into a file of its own");
        }
    }
    let read = Definitions::read(&sources, &report);
    if let (Some((flow, _)), Some(flows)) = (draft, &read.flows)
        && let Some(paper) = papers.iter().find(|paper| paper.flow == *flow)
        && flows.find(flow).is_none()
    {
        // What holds nothing has no mistakes, and the flow would be gone.
        let at = Mark::file(paper.path.clone());
        report.error(&at, "Y001", "no flow stands in the file").hint("bring an earlier text back");
    }
    let own = Report::new();
    let files = Flows::files(&folder.join("tests"), &own);
    let mut bench = Bench::default();
    let mut tested: BTreeSet<String> = BTreeSet::new();
    let mut reached: BTreeMap<String, Coverage> = BTreeMap::new();
    for (path, text) in &files {
        let Some(suite) = yaml::parse(path, text, &own).and_then(|doc| Suite::read(&doc, &own)) else {
            continue;
        };
        tested.insert(suite.flow.value.clone());
        // Tests of a flow that is not there any more keep nobody from going on.
        let Some((flow, flows)) =
            read.flows.as_ref().and_then(|set| Some((set.find(&suite.flow.value)?, set)))
        else {
            continue;
        };
        suite.check(flow, &own);
        let reached = reached.entry(flow.id.clone()).or_default();
        for test in suite.tests.iter().filter(|test| !test.explores()) {
            let outcome = test.play(flow, flows.all());
            reached.add(&outcome);
            bench.tests.push(Ran {
                flow: flow.id.clone(),
                name: outcome.name,
                told: told(&folder, path),
                line: outcome.at.line,
                failures: outcome.failures.into_iter().map(|(at, what)| (at.line, what)).collect(),
            });
        }
    }
    report.absorb(own);
    for flow in read.flows.iter().flat_map(Flows::all) {
        match reached.get(&flow.id) {
            Some(reached) => untested(&reached.of(flow), &report),
            None if tested.contains(&flow.id) => {}
            None => without_tests(flow, &report),
        }
    }
    let of_flows = |path: &str| Path::new(path).starts_with(&folder);
    bench.findings = report.diagnostics().into_iter().filter(|found| of_flows(&found.path)).collect();
    for found in &mut bench.findings {
        found.path = told(&folder, &found.path);
    }
    (bench.papers, bench.flows) = (papers, read.flows);
    bench
}

fn paper(folder: &Path, path: &str, text: &str) -> Paper {
    // As a part of an address.
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
    let stem = Path::new(path).file_stem().map(|stem| stem.to_string_lossy().chars().map(plain).collect());
    Paper {
        flow: flow_of(path, text).or(stem).unwrap_or_default(),
        path: path.to_owned(),
        file: file_name(path),
        told: told(folder, path),
        text: text.to_owned(),
        hash: sha256_hex(text),
    }
}

/// A path from the folder of the flows on, that folder's name included.
fn told(folder: &Path, path: &str) -> String {
    let from = folder.parent().unwrap_or(folder);
    Path::new(path).strip_prefix(from).map_or_else(|_| path.to_owned(), |rest| rest.display().to_string())
}

/// Whatever tells that one of the files has changed that flows are checked with.
fn stamps_of_all(config: &Config) -> Vec<Stamp> {
    let files = &config.definitions;
    let flows = config.path_of(&files.flows);
    let mut found = stamps(&flows);
    for folder in [&files.mails, &files.nurture, &files.assets] {
        found.extend(stamps(&config.path_of(folder)));
    }
    let single: Vec<PathBuf> = Kind::ALL
        .into_iter()
        .map(|kind| config.path_of(kind.path(config)))
        .chain([flows.join(LOCK)])
        .collect();
    found.extend(single.into_iter().filter_map(stamp));
    found
}

/// Puts a text in the place of a file: whole or not at all.
fn put(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let fresh = folder.join(format!(".{}.{}", file_name(&path.to_string_lossy()), new_key()));
    let put_there = (|| {
        let mut file = File::create(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::set_permissions(&fresh, fs::metadata(path)?.permissions())?;
        fs::rename(&fresh, path)
    })();
    if let Err(error) = put_there {
        // What is left over stands in nobody's way; the first error says more.
        drop(fs::remove_file(&fresh));
        return Err(error);
    }
    // So that a loss of power leaves the one or the other.
    File::open(folder).and_then(|folder| folder.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.yaml");
        assert!(put(&file, "flow: a").is_err(), "only what is there is replaced");
        std::fs::write(&file, "flow: a").expect("written");
        put(&file, "flow: b").expect("written");
        assert_eq!(std::fs::read_to_string(&file).expect("read"), "flow: b");
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 1);
    }

    #[test]
    fn the_name_of_a_flow_is_read_from_a_file_that_is_wrong() {
        assert_eq!(flow_of("a.yaml", "flow: small\nsteps: 5\nnonsense: {}\n").as_deref(), Some("small"));
        assert_eq!(flow_of("a.yaml", "flow: Not A Name\n"), None);
        assert_eq!(flow_of("a.yaml", "steps: ["), None);
        let folder = Path::new("/srv/bot-flows");
        assert_eq!(paper(folder, "/srv/bot-flows/An odd#one.yaml", "steps: [").flow, "an-odd-one");
        assert_eq!(paper(folder, "/srv/bot-flows/odd.yaml", "").told, "bot-flows/odd.yaml");
    }
}
