//! `embudo check`: everything that can be wrong in the files that people write, in one go.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use crate::app::{Definitions, Kind, LOCK, Sources};
use crate::base::diagnostic::{Diagnostic, Mark, Report, Severity, nearest};
use crate::base::time::{Clock, Timestamp};
use crate::base::yaml::{self, Doc, View};
use crate::bookings::former::{self, Closed, Left};
use crate::chat::check::{against, codes, examples, lock_of, untested, without_tests};
use crate::chat::engine::State;
use crate::chat::flow::Flow;
use crate::chat::script::{Coverage, Suite};
use crate::chat::versions::{self, Meeting};
use crate::chat::{self, Flows};
use crate::config::Config;
use crate::stages;
use crate::storage::Stores;
use crate::storage::db::Db;

/// Open conversations that are looked at, the latest first.
const OPEN_MOST: i64 = 100_000;

#[derive(clap::Args)]
pub struct Arguments {
    /// Files or folders; without any, everything that the settings name. Their neighbours are read along.
    paths: Vec<PathBuf>,
    /// How to tell what was found.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Tell what a code means, such as G201, and check nothing.
    #[arg(long, value_name = "CODE")]
    explain: Option<String>,
    /// Note that the translations of the flows are right as they are now (`translations.lock` beside the flows).
    #[arg(long)]
    lock: bool,
    /// Write the pages of the flows' codes into a folder that holds their examples (docs/checks), and check nothing.
    #[arg(long, value_name = "FOLDER", hide = true)]
    pages: Option<PathBuf>,
    /// Tell, too, what the conversations that are open now would meet in these flows, and which calls ahead name a rep or a
    /// kind of call that these files do not.
    #[arg(long, value_enum, value_name = "WHAT")]
    against: Option<Against>,
}

/// What files are held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Against {
    /// The conversations that are open on the server of the settings, the calls ahead, and accounts of reps.
    Running,
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

/// Runs `embudo check` on the settings' file and what it names; fails if there is an error.
pub fn run(arguments: &Arguments, settings: Option<&Path>) -> anyhow::Result<ExitCode> {
    if let Some(code) = &arguments.explain {
        return explain(code);
    }
    if let Some(folder) = &arguments.pages {
        return pages(folder);
    }
    let report = Report::new();
    let config = Config::read(settings, std::env::vars(), &report);
    let now = config.as_ref().map_or_else(Clock::system, super::clock).now();
    let today = now.to_jiff().to_zoned(TimeZone::UTC).date();
    // Where the settings are wrong the files beside them are checked all the same.
    let config = config.or_else(|| {
        let mut config = Config::load(None, std::iter::empty()).ok()?;
        config.folder = settings.and_then(Path::parent).map_or(config.folder, Path::to_path_buf);
        Some(config)
    });
    let mut sources = config.as_ref().map(|config| Sources::of(config, &report)).unwrap_or_default();
    let mut given = Vec::new();
    match (arguments.paths.as_slice(), &config) {
        ([], Some(config)) => {
            let tests = config.path_of(&config.definitions.flows).join("tests");
            if tests.is_dir() {
                gather(&tests, &report, &mut given);
            }
            if sources.found == 0 {
                let folder = Mark::file(config.folder.display().to_string());
                report
                    .error(
                        &folder,
                        "Y001",
                        "there is nothing to check here: no definition and no flow was found",
                    )
                    .hint("name files or folders, or the settings with --config FILE");
            }
        }
        (paths, _) => paths.iter().for_each(|path| gather(path, &report, &mut given)),
    }
    let only: BTreeSet<String> = match arguments.paths.as_slice() {
        [] => BTreeSet::new(),
        _ => given.iter().map(|(path, _)| path.clone()).collect(),
    };
    // A flow that is named alone is tested by files that nobody named.
    let mut beside = Vec::new();
    if let (false, Some(config)) = (arguments.paths.is_empty(), &config) {
        beside = tests_beside(&given, &config.path_of(&config.definitions.flows));
    }
    let flows = check(&mut sources, given, &tested(&beside), today, &report);
    if let (true, Some(config), Some(flows)) = (arguments.lock, &config, &flows) {
        let path = config.path_of(&config.definitions.flows).join(LOCK);
        let lock = lock_of(flows.all().iter().map(AsRef::as_ref));
        std::fs::write(&path, format!("{:#}\n", json!(lock)))
            .with_context(|| format!("{} cannot be written", path.display()))?;
        sources.lock = Some(lock);
    }
    if let Some(config) = &config
        && let Some(next) =
            super::block_on(async { Ok(number_for(config, &sources, arguments.against).await) })?
    {
        sources.names().tell_if_taken(next, &report);
    }
    let mut meetings = Vec::new();
    if let (Some(Against::Running), Some(config), Some(flows)) = (arguments.against, &config, &flows) {
        let Running { standing, published, left, closed } =
            super::block_on(running(config, (flows, &sources), now))?;
        let file = Mark::file(config.path_of(&config.definitions.team).display().to_string());
        for call in &left {
            report.warning(&file, FORMER, call.line()).hint(call.advice());
        }
        for rep in &closed {
            report.warning(&file, FORMER, rep.line()).hint(rep.advice());
        }
        meetings = versions::meetings(flows, &standing);
        versions::tell(&meetings, &report);
        for old in &published {
            if let Some(new) = flows.find(&old.id) {
                against(old, new, &report);
            }
        }
    }
    let found: Vec<Diagnostic> = report
        .diagnostics()
        .into_iter()
        .filter(|found| only.is_empty() || only.contains(&found.path) || found.code.starts_with('K'))
        .filter(|found| !(arguments.lock && matches!(found.code, "T402" | "T411")))
        .collect();
    match arguments.format {
        Format::Json => super::tell(&format!("{}\n", serde_json::to_string_pretty(&found)?)),
        Format::Sarif => super::tell(&format!("{:#}\n", sarif(&found))),
        Format::Text => {
            super::tell(&report.text_of(&found));
            if arguments.against.is_some() {
                super::tell(&told(&meetings));
            }
            let errors = found.iter().filter(|d| d.severity == Severity::Error).count();
            match (errors, found.len().saturating_sub(errors)) {
                (0, 0) => super::tell("nothing is wrong\n"),
                (errors, warnings) => {
                    super::tell(&format!("{}, {}\n", count(errors, "error"), count(warnings, "warning")));
                }
            }
        }
    }
    let has_errors = found.iter().any(|found| found.severity == Severity::Error);
    Ok(if has_errors { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Tells what a code means.
/// Told by `--against running` of calls ahead and of accounts: no mistake of a flow.
const FORMER: &str = "B120";
const FORMER_TEXT: &str = "`embudo check --against running` has found calls ahead whose rep or whose kind of call is gone from \
team.yaml, or somebody with whom visitors are booked, who stands in, or who has calls ahead, and whose account is closed. Everybody hears of those \
calls as before, and the team can still move, pass on or cancel them. Take the rep out of team.yaml, enter an absence with \
somebody who stands in, or open the account again; `embudo doctor calls` names the calls.";

fn explain(code: &str) -> anyhow::Result<ExitCode> {
    if code.eq_ignore_ascii_case(FORMER) {
        super::tell(&format!("{FORMER} · what lies ahead does not fit the team\n\n{FORMER_TEXT}\n"));
        return Ok(ExitCode::SUCCESS);
    }
    let Some(known) = codes::find(code) else {
        let all = codes::CODES.iter().map(|known| known.code);
        let near = nearest(&code.to_uppercase(), all).map(|near| format!("; did you mean {near}?"));
        bail!("{code} is no code of flows{}", near.unwrap_or_default());
    };
    super::tell(&format!("{} · {}\n\n{}\n", known.code, known.title(), known.text()));
    Ok(ExitCode::SUCCESS)
}

/// Writes the pages of all codes.
fn pages(folder: &Path) -> anyhow::Result<ExitCode> {
    let write = |name: String, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))
    };
    for code in codes::CODES {
        let path = folder.join("examples").join(format!("{}.yaml", code.code));
        let example =
            std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        write(format!("{}.md", code.code), examples::page(code, &example))?;
    }
    write("README.md".to_owned(), examples::contents())?;
    Ok(ExitCode::SUCCESS)
}

/// The number that the lifecycle needs, if another text ran under its own on the settings' server. It is looked up where
/// that costs nothing and changes nothing: in the file of SQLite, or where the running server is asked anyway. A store that
/// cannot be read is no fault of the files.
async fn number_for(config: &Config, sources: &Sources, against: Option<Against>) -> Option<i64> {
    let file = config.storage.data.join("embudo.db");
    let is_here = config.storage.postgres.is_empty() && file.exists();
    if against.is_none() && !is_here {
        return None;
    }
    let definition = Definitions::read(sources, &Report::new()).lifecycle?;
    let db = match is_here {
        true => Db::open_sqlite(&file, &[]).await.ok()?,
        false => Stores::open(&config.storage).await.ok()?.db,
    };
    let chosen = stages::versions::choose(&mut db.read(), definition).await;
    chosen.ok()?.needs_number
}

/// What is found in the settings' server.
struct Running {
    /// Where its open conversations stand.
    standing: Vec<State>,
    /// The flows as they run there.
    published: Vec<Arc<Flow>>,
    /// The calls ahead whose rep or kind the team's file does not name.
    left: Vec<Left>,
    /// Who of the file is booked and has no account any more.
    closed: Vec<Closed>,
}

/// Looks into the settings' server.
async fn running(
    config: &Config,
    (flows, sources): (&Flows, &Sources),
    now: Timestamp,
) -> anyhow::Result<Running> {
    super::has_data(config)?;
    let stores = Stores::open(&config.storage).await?;
    let mut q = stores.db.read();
    let standing = chat::standing(&mut q, OPEN_MOST).await?;
    let (left, closed) = match Definitions::read(sources, &Report::new()).team {
        Some(team) => (former::left(&mut q, &team, now).await?, former::closed(&mut q, &team, now).await?),
        // What is wrong with it is told already.
        None => (Vec::new(), Vec::new()),
    };
    Ok(Running { standing, published: versions::published(&mut q, flows).await?, left, closed })
}

/// What open conversations would meet, for people.
fn told(meetings: &[Meeting]) -> String {
    let all: usize = meetings.iter().map(|meeting| meeting.count).sum();
    let mut out = format!("{} are open\n", count(all, "conversation"));
    for meeting in meetings {
        let Meeting { flow, step, count, to, word, .. } = meeting;
        let to = to.as_ref().filter(|to| *to != step).map(|to| format!(" at {to}")).unwrap_or_default();
        out.push_str(&format!("{count:>7}  {flow}: {step}  {word}{to}\n"));
    }
    out
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
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
    let text = std::fs::read_to_string(path);
    let at = Mark::file(path.display().to_string());
    match &text {
        Ok(text) if text.is_empty() => {
            report.error(&at, "Y001", "the file is empty").hint("write something into it, or take it away");
        }
        Ok(_) => {}
        Err(error) => report.error(&at, "Y001", format!("the file cannot be read: {error}")).done(),
    }
    // So that the finding is told although nothing else can be said of the file.
    into.push((path.display().to_string(), text.unwrap_or_default()));
}

/// What a file is about, by the keys at its top.
enum About {
    Flow,
    Tests,
    Letter,
    Sequence,
    Titles,
    Definition(Kind),
}

fn about(doc: &Doc, report: &Report) -> Option<About> {
    let mut map = doc.view(report).map()?;
    let found = if map.has("sequence") {
        About::Sequence
    } else if map.has("seniority") || map.has("department") {
        About::Titles
    } else if map.has("steps") {
        About::Flow
    } else if map.has("tests") {
        About::Tests
    } else if map.has("segments") {
        About::Definition(Kind::Segments)
    } else if map.has("offers") {
        About::Definition(Kind::Offers)
    } else if map.has("en") || map.has("es") {
        About::Letter
    } else if map.has("topics") && !map.has("assets") {
        About::Definition(Kind::Topics)
    } else if map.has("replies") {
        About::Definition(Kind::Replies)
    } else if map.has("forms") {
        About::Definition(Kind::Forms)
    } else if map.has("assets") {
        About::Definition(Kind::Content)
    } else if map.has("webinars") {
        About::Definition(Kind::Webinars)
    } else if map.has("reps") || map.has("meetings") {
        About::Definition(Kind::Team)
    } else if map.has("purposes") {
        About::Definition(Kind::Privacy)
    } else if map.has("connections") {
        About::Definition(Kind::Crm)
    } else if map.has("hooks") || map.has("invitations") {
        About::Definition(Kind::Notify)
    } else if (map.has("stages") && !map.has("en")) || map.has("scoring") || map.has("rules") {
        About::Definition(Kind::Lifecycle)
    } else {
        let at = &doc.root.at;
        report.error(at, "Y003", "nobody knows what this file is about").hint(
            "a flow has `steps`, a test of flows `tests`, a sequence of letters `sequence`, a letter `en` and `es`, the others \
             `stages`, `segments`, `offers`, `forms`, `assets`, `webinars`, `reps`, `topics`, `replies`, `connections`, `purposes`, \
             a file of job titles `seniority` or `department`",
        );
        return None;
    };
    Some(found)
}

/// The files of tests that lie where flows have theirs: with those of the settings, and beside the given ones.
pub(super) fn tests_beside(given: &[(String, String)], flows: &Path) -> Vec<(String, String)> {
    let own = given.iter().filter_map(|(path, _)| Path::new(path).parent());
    let folders: BTreeSet<PathBuf> = own.chain([flows]).map(|folder| folder.join("tests")).collect();
    let mut found = Vec::new();
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        gather(folder, &Report::new(), &mut found);
    }
    found
}

/// The flows that files of tests are about.
fn tested(files: &[(String, String)]) -> BTreeSet<String> {
    let quiet = Report::new();
    let named = |(path, text): &(String, String)| {
        let doc = yaml::parse(path, text, &quiet)?;
        let mut map = doc.view(&quiet).map()?;
        if map.has("tests") { map.optional("flow")?.str() } else { None }
    };
    files.iter().filter_map(named).collect()
}

/// Checks the sources with the given files in the places of those of their kind. `tested`: flows that have tests which
/// are not among the given files.
fn check(
    sources: &mut Sources,
    given: Vec<(String, String)>,
    tested: &BTreeSet<String>,
    today: Date,
    report: &Report,
) -> Option<Flows> {
    let mut tested = tested.clone();
    let mut flows = Vec::new();
    let mut suites = Vec::new();
    for (path, text) in given.into_iter().filter(|(_, text)| !text.is_empty()) {
        let own = Report::new();
        let found = yaml::parse(&path, &text, &own).map(|doc| (about(&doc, &own), doc));
        match found {
            // The readers parse the file themselves: what was found on the way is found again.
            Some((Some(About::Flow), _)) => flows.push((path, text)),
            Some((Some(About::Tests), doc)) => suites.push((doc, text)),
            Some((Some(About::Letter), _)) => put(&mut sources.mails, path, text),
            Some((Some(About::Sequence), _)) => put(&mut sources.nurture, path, text),
            Some((Some(About::Titles), _)) => {
                let name = Path::new(&path).file_name().map(|name| name.to_string_lossy().into_owned());
                sources.put_titles(name.unwrap_or_default(), text);
            }
            Some((Some(About::Definition(kind)), _)) => sources.put(kind, path, text),
            Some((None, _)) | None => report.absorb(own),
        }
    }
    place(&mut sources.flows, flows);
    let read = Definitions::read(sources, report);
    sources.names().tell_if_stale(today, report);
    let known = ids(&sources.flows);
    let mut reached: BTreeMap<String, Coverage> = BTreeMap::new();
    for (doc, text) in suites {
        let own = Report::new();
        own.source(&doc.path, &text);
        let suite = Suite::read(&doc, &own);
        let mut map = doc.view(&own).map();
        let named = map.as_mut().and_then(|map| map.optional("flow")).and_then(View::spanned);
        tested.extend(named.as_ref().map(|named| named.value.clone()));
        if let Some(named) = named.filter(|named| !known.is_empty() && !known.contains(&named.value)) {
            own.error(&named.at, "S510", format!("there is no flow \"{}\"", named.value))
                .did_you_mean(&named.value, known.iter().map(String::as_str));
        }
        if let (Some(suite), Some(flows)) = (suite.filter(|_| !own.has_errors()), &read.flows)
            && let Some(flow) = flows.find(&suite.flow.value)
        {
            suite.check(flow, &own);
            let reached = reached.entry(flow.id.clone()).or_default();
            // Scripts say what is wanted; walks find what nobody thought of, and take their time in `flow test`.
            let scripts = suite.tests.iter().filter(|test| !test.explores());
            scripts.for_each(|test| reached.add(&test.play(flow, flows.all())));
        }
        report.absorb(own);
    }
    for (id, reached) in &reached {
        if let Some(flow) = read.flows.as_ref().and_then(|flows| flows.find(id)) {
            untested(&reached.of(flow), report);
        }
    }
    // What answers where a company has written nothing stands in no file of hers.
    let own = read.flows.iter().flat_map(|flows| flows.all()).filter(|flow| known.contains(&flow.id));
    own.filter(|flow| !tested.contains(&flow.id)).for_each(|flow| without_tests(flow, report));
    read.flows
}

/// Puts a given file among the running ones: in its own place, and in that of the one with the same name.
fn put(files: &mut Vec<(String, String)>, path: String, text: String) {
    let name = |path: &str| Path::new(path).file_name().map(std::ffi::OsStr::to_owned);
    files.retain(|(known, _)| name(known) != name(&path));
    files.push((path, text));
}

/// Puts given flows among the running ones: a file in its own place, another version of a flow in that flow's.
pub(super) fn place(flows: &mut Vec<(String, String)>, given: Vec<(String, String)>) {
    let canonical = |path: &str| std::fs::canonicalize(path).ok();
    let replaced = ids(&given);
    let is_given = |path: &str| {
        given
            .iter()
            .any(|(own, _)| own == path || canonical(own).is_some_and(|own| Some(own) == canonical(path)))
    };
    flows.retain(|flow| !is_given(&flow.0) && ids(std::slice::from_ref(flow)).is_disjoint(&replaced));
    flows.extend(given);
}

/// The names of flows, of those too that have mistakes elsewhere.
pub(super) fn ids(flows: &[(String, String)]) -> BTreeSet<String> {
    let quiet = Report::new();
    let named = |(path, text): &(String, String)| {
        yaml::parse(path, text, &quiet)?.view(&quiet).map()?.optional("flow")?.str()
    };
    flows.iter().filter_map(named).collect()
}

/// What a code means, for code hosts.
fn rule(code: &str) -> Json {
    match codes::find(code) {
        Some(known) => json!({
            "id": code,
            "shortDescription": { "text": known.title() },
            "fullDescription": { "text": known.text().replace('\n', " ") },
            "help": { "text": known.text(), "markdown": known.text() },
        }),
        None => json!({ "id": code }),
    }
}

/// The findings as a SARIF log.
fn sarif(found: &[Diagnostic]) -> Json {
    let told: BTreeSet<&str> = found.iter().map(|d| d.code).collect();
    let rules: Vec<Json> = told.iter().map(|code| rule(code)).collect();
    let results: Vec<Json> = found
        .iter()
        .map(|d| {
            let text = match &d.hint {
                Some(hint) => format!("{} ({hint})", d.message),
                None => d.message.clone(),
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
        "runs": [{ "tool": { "driver": { "name": "embudo", "rules": rules } }, "results": results }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> =
            files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let report = Report::new();
        check(
            &mut Sources::default(),
            files,
            &BTreeSet::new(),
            "2027-01-01".parse().expect("a date"),
            &report,
        );
        report.diagnostics().into_iter().map(|d| format!("{}:{} {}", d.path, d.line, d.code)).collect()
    }

    #[test]
    fn a_given_flow_takes_the_place_of_its_running_version() {
        let mut flows = vec![
            ("bot-flows/a.yaml".to_owned(), "flow: a\n".to_owned()),
            ("bot-flows/b.yaml".to_owned(), "flow: b\n".to_owned()),
        ];
        place(&mut flows, vec![("new/a.yaml".to_owned(), "flow: a\n".to_owned())]);
        let paths: Vec<&str> = flows.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["bot-flows/b.yaml", "new/a.yaml"]);
    }

    #[test]
    fn a_file_is_known_by_its_keys() {
        assert_eq!(codes(&[("x.yaml", "hello: 1\n")]), ["x.yaml:1 Y003"]);
        assert_eq!(codes(&[("t.yaml", "flow: x\ntests: 5\n")]), ["t.yaml:2 Y004"]);
        assert!(!codes(&[("f.yaml", "flow: x\nsteps: {}\n")]).is_empty());
    }

    #[test]
    fn a_lifecycle_that_nobody_has_looked_at_for_long_is_told() {
        let text = include_str!("../../config/lifecycle.yaml")
            .replace("review_by: 2027-12-31", "review_by: 2026-12-31");
        let line = 1 + text.lines().position(|line| line.starts_with("review_by")).expect("it stands there");
        assert_eq!(codes(&[("lifecycle.yaml", &text)]), [format!("lifecycle.yaml:{line} L110")]);
        assert!(codes(&[("lifecycle.yaml", include_str!("../../config/lifecycle.yaml"))]).is_empty());
    }

    const SMALL: &str =
        "flow: small\ntitle: Small\nlanguages: [en]\nsteps:\n  hello: {say: Hello., end: greeted}\n";

    #[test]
    fn a_flow_without_any_test_is_told_unless_its_tests_lie_where_tests_do() {
        assert_eq!(codes(&[("small.yaml", SMALL)]), ["small.yaml:1 S512"]);
        let test = "flow: small\ntests:\n  - test: it greets\n    script:\n      - bot: Hello.\n      - bot: {end: greeted}\n";
        assert!(codes(&[("small.yaml", SMALL), ("t.yaml", test)]).is_empty());
        let folder = tempfile::tempdir().expect("a folder");
        let flow = folder.path().join("small.yaml");
        std::fs::create_dir(folder.path().join("tests")).expect("a folder");
        std::fs::write(folder.path().join("tests/small.yaml"), test).expect("written");
        let given = [(flow.display().to_string(), SMALL.to_owned())];
        assert_eq!(tested(&tests_beside(&given, Path::new("nowhere"))), BTreeSet::from(["small".to_owned()]));
    }

    #[test]
    fn an_empty_file_is_a_finding() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("empty.yaml");
        std::fs::write(&path, "").expect("written");
        let (report, mut given) = (Report::new(), Vec::new());
        gather(&path, &report, &mut given);
        let found: Vec<_> = report.diagnostics().into_iter().map(|d| (d.code, d.path)).collect();
        assert_eq!(found, [("Y001", path.display().to_string())]);
        assert_eq!(given.len(), 1, "so that it is told where files are named");
    }

    #[test]
    fn a_code_host_gets_places_and_rules() {
        let report = Report::new();
        report.error(&Mark::new("a.yaml", 3, 4), "G201", "no step").hint("look");
        let log = sarif(&report.diagnostics());
        let result = &log["runs"][0]["results"][0];
        assert_eq!(result["ruleId"], "G201");
        let rule = &log["runs"][0]["tool"]["driver"]["rules"][0];
        assert_eq!(
            (&rule["id"], &rule["shortDescription"]["text"]),
            (&json!("G201"), &json!("A step that does not exist"))
        );
        assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 3);
    }
}
