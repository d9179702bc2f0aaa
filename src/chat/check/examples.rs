//! The examples of the codes' pages (`docs/checks/examples`): what is wrong in them, and the pages themselves.
//!
//! An example is one file, or several under lines such as `#> team.yaml`: `published.yaml` is the version of the flow
//! that runs, `team.yaml` the team, `tests.yaml` tests of the flow, `translations.lock` the lock; everything else is a
//! flow.

use std::fmt::Write as _;
use std::sync::Arc;

use super::codes::{CODES, Code};
use super::{Known, Lock, against, all, inherited};
use crate::base::diagnostic::Report;
use crate::base::yaml;
use crate::bookings::team::Team;
use crate::chat::flow::Flow;
use crate::chat::link;
use crate::chat::script::{Coverage, Suite};

/// What examples may name.
fn known(lock: Option<Lock>) -> Known {
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    Known {
        meetings: names(&["discovery"]),
        teams: names(&["sdr"]),
        recordings: names(&["guide", "silent"]),
        silent: ["silent".to_owned()].into(),
        hours: names(&["sales"]),
        stages: names(&["lead", "mql", "sql"]),
        webinars: names(&["reading"]),
        lock,
        ..Known::default()
    }
}

/// The files of an example: their names and texts.
fn files(example: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    for line in example.lines() {
        match (line.strip_prefix("#> "), files.last_mut()) {
            (Some(name), _) => files.push((name.trim().to_owned(), String::new())),
            (None, Some((_, text))) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => files.push(("flow.yaml".to_owned(), format!("{line}\n"))),
        }
    }
    files
}

/// Checks an example.
pub fn findings(example: &str) -> Report {
    let report = Report::new();
    let mut flows: Vec<Flow> = Vec::new();
    let mut published = None;
    let mut lock = None;
    let mut suites = Vec::new();
    for (name, text) in files(example) {
        match name.as_str() {
            "team.yaml" => drop(Team::parse(&name, &text, &report)),
            "translations.lock" => lock = serde_json::from_str(&text).ok(),
            "tests.yaml" => suites.extend(yaml::parse(&name, &text, &report)),
            "published.yaml" => {
                let quiet = Report::new();
                published = yaml::parse(&name, &text, &quiet).and_then(|doc| Flow::read(&doc, &quiet));
            }
            _ => flows.extend(yaml::parse(&name, &text, &report).and_then(|doc| Flow::read(&doc, &report))),
        }
    }
    all(&flows, &known(lock), &report);
    link::all(&mut flows, &report);
    inherited(&flows, &report);
    if let (Some(published), Some(new)) = (&published, flows.first()) {
        against(published, new, &report);
    }
    let flows: Vec<Arc<Flow>> = flows.into_iter().map(Arc::new).collect();
    for doc in &suites {
        let Some(suite) = Suite::read(doc, &report) else { continue };
        for flow in &flows {
            if flow.id != suite.flow.value {
                super::without_tests(flow, &report);
                continue;
            }
            let mut coverage = Coverage::default();
            suite.tests.iter().for_each(|test| coverage.add(&test.play(flow, &flows)));
            super::untested(&coverage.of(flow), &report);
        }
    }
    report
}

/// The page of a code, with its example.
pub fn page(code: &Code, example: &str) -> String {
    let mut page = format!("# {} · {}\n\n{}\n\n", code.code, code.title(), code.text());
    page.push_str("<!-- Made by `embudo check --pages docs/checks`: change the code's doc comment or the example. -->\n\n");
    page.push_str("## Example\n");
    for (name, text) in files(example) {
        let kind = if name.ends_with(".lock") { "json" } else { "yaml" };
        let _ = write!(page, "\n`{name}`\n\n```{kind}\n{}\n```\n", text.trim_end());
    }
    let _ = write!(page, "\n`embudo check` says\n\n```text\n{}\n```\n", findings(example).text().trim_end());
    page
}

/// The list of all pages.
pub fn contents() -> String {
    let mut list = String::from(
        "# What `embudo check` finds in flows\n\nEvery finding has a place (`path:line:column`), a code and mostly a hint. `embudo check --explain CODE` tells the same in the terminal.\n\n",
    );
    let groups = [
        ('Y', "The file"),
        ('E', "Conditions"),
        ('G', "Where steps lead"),
        ('D', "What is known"),
        ('T', "Texts"),
        ('S', "Sense"),
    ];
    for (letter, title) in groups {
        let _ = write!(list, "## {title}\n\n");
        for code in CODES.iter().filter(|code| code.code.starts_with(letter)) {
            let _ = writeln!(list, "- [{0}]({0}.md) {1}", code.code, code.title());
        }
        list.push('\n');
    }
    list.truncate(list.trim_end().len());
    list.push('\n');
    list
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use super::*;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/checks")
    }

    fn example(code: &Code) -> String {
        let path = folder().join("examples").join(format!("{}.yaml", code.code));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    #[test]
    fn every_code_has_an_example_that_shows_it_and_nothing_else() {
        let mut wrong = Vec::new();
        for code in CODES {
            let report = findings(&example(code));
            let found: BTreeSet<&str> = report.diagnostics().iter().map(|found| found.code).collect();
            if found != BTreeSet::from([code.code]) {
                wrong.push(format!("{}: {}", code.code, report.text()));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// What else may be wrong in a flow, above its steps or as one more step before the first.
    const BESIDES: [(&str, &str, &str); 5] = [
        ("Y005", "\ntitle: A sample\n", "\n"),
        ("Y004", "\nsteps:\n", "\nsteps:\n  besides: {say: [no text]}\n"),
        ("Y005", "\nsteps:\n", "\nsteps:\n  besides: {do: contact.mark, outcomes: {error: besides}}\n"),
        (
            "G201",
            "\nsteps:\n",
            "\nsteps:\n  besides: {say: More., events: {stop_requested: nowhere_at_all}}\n",
        ),
        ("G208", "\nsteps:\n", "\nsteps:\n  besides: {say: More., set: {}}\n"),
    ];

    #[test]
    fn no_mistake_of_the_examples_is_hidden_by_another_one() {
        let mut hidden = Vec::new();
        // Without a tree there is nothing more to tell.
        for code in CODES.iter().filter(|code| code.code != "Y001") {
            let example = example(code);
            for (other, from, to) in BESIDES {
                let both = example.replace(from, to);
                if both == example {
                    continue;
                }
                let report = findings(&both);
                let found: BTreeSet<&str> = report.diagnostics().iter().map(|found| found.code).collect();
                if !found.contains(code.code) || !found.contains(other) {
                    hidden.push(format!("{} beside {to:?}:\n{}", code.code, report.text()));
                }
            }
        }
        assert!(hidden.is_empty(), "{} hidden:\n{}", hidden.len(), hidden.join("\n"));
    }

    #[test]
    fn every_finding_of_the_examples_has_a_hint() {
        // Y001, Y004 and Y005 say themselves what was expected.
        for code in CODES {
            for found in findings(&example(code)).diagnostics() {
                assert!(found.hint.is_some() || matches!(found.code, "Y001" | "Y004" | "Y005"), "{found:?}");
            }
        }
    }

    #[test]
    fn every_page_is_fresh_and_there_is_none_too_many() {
        let mut pages: BTreeSet<String> = BTreeSet::new();
        for code in CODES {
            let path = folder().join(format!("{}.md", code.code));
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                kept == page(code, &example(code)),
                "{}: run `embudo check --pages docs/checks`",
                code.code
            );
            pages.insert(format!("{}.md", code.code));
        }
        assert!(std::fs::read_to_string(folder().join("README.md")).unwrap_or_default() == contents());
        pages.insert("README.md".to_owned());
        let kept: BTreeSet<String> = std::fs::read_dir(folder())
            .unwrap()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.ends_with(".md"))
            .collect();
        assert_eq!(kept, pages);
    }

    #[test]
    fn every_code_that_the_sources_tell_is_in_the_table() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut told: BTreeSet<String> = BTreeSet::new();
        let mut open = vec![sources.join("chat"), sources.join("base/yaml.rs"), sources.join("base/expr.rs")];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(std::fs::read_dir(&path).unwrap().flatten().map(|entry| entry.path()));
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for word in text.split('"') {
                let is_code = word.len() == 4
                    && word.starts_with(['Y', 'E', 'G', 'D', 'T', 'S'])
                    && word.bytes().skip(1).all(|byte| byte.is_ascii_digit());
                if is_code {
                    told.insert(word.to_owned());
                }
            }
        }
        let listed: BTreeSet<String> = CODES.iter().map(|code| code.code.to_owned()).collect();
        let of_the_team = BTreeSet::from(["S509".to_owned()]);
        assert!(told.is_subset(&listed), "{:?}", told.difference(&listed));
        let silent: Vec<&String> =
            listed.difference(&told).filter(|code| !of_the_team.contains(*code)).collect();
        assert!(silent.is_empty(), "nothing tells {silent:?}");
    }

    #[test]
    fn every_code_says_what_is_wrong_and_what_to_do() {
        for code in CODES {
            assert!(!code.title().is_empty() && !code.title().ends_with('.'), "{}", code.code);
            assert!(code.text().len() > 40, "{}", code.code);
        }
        let codes: Vec<&str> = CODES.iter().map(|code| code.code).collect();
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
    }
}
