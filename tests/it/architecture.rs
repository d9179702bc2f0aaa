//! The rules of docs/ARCHITECTURE.md that can be read off the sources. Each test says what it found where.

use std::fs;
use std::path::Path;

use crate::support::sources::{Source, sources};

/// Who may import whom: a module imports only what stands before it.
const ORDER: [&str; 38] = [
    "base",
    "config",
    "telemetry",
    "storage",
    "events",
    "sites",
    "accounts",
    "hits",
    "sessions",
    "campaigns",
    "companies",
    "contacts",
    "subscriptions",
    "scoring",
    "stages",
    "segments",
    "deals",
    "offers",
    "nurture",
    "gates",
    "webinars",
    "bookings",
    "tasks",
    "handovers",
    "calls",
    "chat",
    "privacy",
    "traffic",
    "render",
    "notify",
    "crm",
    "reports",
    "ingest",
    "jobs",
    "app",
    "http",
    "cli",
    "main",
];

/// The way of a visitor, from the site to the chat.
const JOURNEY: [&str; 21] = [
    "sites",
    "accounts",
    "hits",
    "sessions",
    "campaigns",
    "companies",
    "contacts",
    "subscriptions",
    "scoring",
    "stages",
    "segments",
    "deals",
    "offers",
    "nurture",
    "gates",
    "webinars",
    "bookings",
    "tasks",
    "handovers",
    "calls",
    "chat",
];

fn rank(module: &str) -> Option<usize> {
    ORDER.iter().position(|name| *name == module)
}

fn assert_none(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}\n{}\n", found.join("\n"));
}

fn out_of_order(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| !matches!(source.module(), "lib" | "main")) {
        let Some(own) = rank(source.module()) else {
            found.push(format!("src/{}: module `{}` is not in the order", source.path, source.module()));
            continue;
        };
        for (at, name) in source.imports() {
            if rank(&name).is_some_and(|other| other > own) {
                found.push(format!("{}   <- `{}` may not know `{name}`", source.place(at), source.module()));
            }
        }
    }
    found
}

#[test]
fn a_module_imports_only_modules_before_it() {
    assert_none(&out_of_order(&sources()), "imports against the order of the architecture:");
}

#[test]
fn lib_rs_is_the_table_of_contents_in_dependency_order() {
    let sources = sources();
    let lib = sources.iter().find(|source| source.path == "lib.rs").expect("src/lib.rs");
    let listed: Vec<&str> = lib
        .code
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub mod "))
        .filter_map(|rest| rest.strip_suffix(';'))
        .collect();
    let ranks: Vec<_> = listed.iter().map(|name| rank(name)).collect();
    assert!(!listed.is_empty() && ranks.is_sorted() && !ranks.contains(&None), "src/lib.rs lists {listed:?}");
}

fn sql_outside_its_places(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .filter(|source| {
            let path = source.path.as_str();
            !(matches!(source.module(), "storage" | "reports")
                || matches!(path, "events/outbox.rs" | "jobs/queue.rs")
                || path.ends_with("/store.rs")
                || path.contains("/store/"))
        })
        .flat_map(|source| source.places(&["sql!("]))
        .collect()
}

#[test]
fn sql_stands_only_in_storage_stores_outbox_queue_and_reports() {
    assert_none(&sql_outside_its_places(&sources()), "SQL outside of its places:");
}

#[test]
fn the_engines_are_named_only_in_storage() {
    let found: Vec<String> = sources()
        .iter()
        .filter(|source| source.module() != "storage")
        .flat_map(|source| source.places(&["rusqlite", "tokio_postgres", "deadpool_postgres", "redis::"]))
        .collect();
    // `storage::redis::` is ours, and only storage may go further
    let found: Vec<String> = found.into_iter().filter(|place| !place.contains("storage::redis::")).collect();
    assert_none(&found, "database engines named outside of storage:");
}

#[test]
fn what_the_audit_notes_is_a_word_that_its_page_knows() {
    let found: Vec<String> = sources()
        .iter()
        .filter(|source| source.path != "privacy/audit.rs" && source.text.contains("audit::"))
        .flat_map(|source| source.text.match_indices("\"what\": \"").map(|(at, _)| source.place(at)))
        .collect();
    assert_none(&found, "noted past `privacy::audit::What`, which has the words of the page:");
}

fn edges_in_the_journey(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .filter(|source| JOURNEY.contains(&source.module()))
        .flat_map(|source| source.places(&["actix", "handlebars", "lettre", "reqwest"]))
        .collect()
}

#[test]
fn the_journey_names_no_web_server_template_engine_or_channel() {
    assert_none(&edges_in_the_journey(&sources()), "edges named in the journey:");
}

fn shortcuts(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .flat_map(|source| source.places(&[".unwrap()", "todo!(", "unimplemented!(", "dbg!(", "unsafe "]))
        .collect()
}

#[test]
fn no_unwrap_todo_or_unsafe_stands_outside_of_tests() {
    assert_none(&shortcuts(&sources()), "shortcuts outside of tests:");
}

#[test]
fn no_unfinished_work_is_left_in_comments() {
    let found: Vec<String> = sources()
        .iter()
        .flat_map(|source| {
            source
                .text
                .lines()
                .enumerate()
                .filter(|(_, line)| ["TODO", "FIXME", "XXX", "HACK"].iter().any(|word| line.contains(word)))
                .map(|(number, line)| format!("src/{}:{}: {}", source.path, number + 1, line.trim()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_none(&found, "unfinished work:");
}

#[test]
fn every_file_begins_with_what_it_is_for() {
    let found: Vec<String> = sources()
        .iter()
        .filter(|source| !source.text.starts_with("//!"))
        .map(|source| format!("src/{}:1", source.path))
        .collect();
    assert_none(&found, "files without a first sentence (`//! …`):");
}

#[test]
fn nobody_in_the_sources_sleeps_in_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let found: Vec<String> = sources()
        .iter()
        .flat_map(|source| {
            let text = fs::read_to_string(root.join(&source.path)).unwrap_or_default();
            let tests = text.find("#[cfg(test)]").unwrap_or(text.len());
            let line_of_tests = source.line(tests.min(source.text.len()));
            text[tests..]
                .lines()
                .enumerate()
                .filter(|(_, line)| line.contains("sleep("))
                .map(|(number, line)| {
                    format!("src/{}:{}: {}", source.path, line_of_tests + number, line.trim())
                })
                .collect::<Vec<_>>()
        })
        .collect();
    assert_none(&found, "tests that sleep (move the clock instead):");
}

#[test]
fn the_rules_above_find_what_they_forbid() {
    let bad = [
        Source::new("base/time.rs", "use crate::storage::db::Db;\n"),
        Source::new(
            "chat/engine.rs",
            "use super::super::notify::send;\nuse actix_web::web;\nfn f() { sql!(\"select 1\"); }\n",
        ),
        Source::new(
            "gates/mod.rs",
            "fn f() { x().unwrap(); }\n#[cfg(test)]\nmod tests { fn g() { y().unwrap(); } }\n",
        ),
        Source::new("gadgets/mod.rs", "\n"),
    ];
    assert_eq!(
        out_of_order(&bad),
        [
            "src/base/time.rs:1: use crate::storage::db::Db;   <- `base` may not know `storage`",
            "src/chat/engine.rs:1: use super::super::notify::send;   <- `chat` may not know `notify`",
            "src/gadgets/mod.rs: module `gadgets` is not in the order",
        ]
    );
    assert_eq!(sql_outside_its_places(&bad), ["src/chat/engine.rs:3: fn f() { sql!(\"select 1\"); }"]);
    assert_eq!(edges_in_the_journey(&bad), ["src/chat/engine.rs:2: use actix_web::web;"]);
    assert_eq!(shortcuts(&bad), ["src/gates/mod.rs:1: fn f() { x().unwrap(); }"]);
}
