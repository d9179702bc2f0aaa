//! Who may do what: every route of the console and of the API, as the sources mount it, against the tables of docs/roles.md
//! and docs/api-keys.md. A route that stands in no table fails here.

use std::collections::{BTreeMap, BTreeSet};

use embudo::accounts::{Role, Scope, Scopes, api_keys};
use embudo::base::ids::ContactId;
use embudo::http::console::OPEN;
use regex::Regex;
use reqwest::Method;

use crate::console::{Agent, agent};
use crate::support::app::{TestApp, repository, set};
use crate::support::sources::sources;

/// A route: `GET`, and its path with holes in braces that have no names.
type Route = (String, String);
/// What a page says of each: the path as it is written there, and the cells behind it.
type Told = BTreeMap<Route, (String, Vec<String>)>;

/// A hole has another name in the table than in the router now and then.
fn bare(path: &str) -> String {
    Regex::new(r"\{[^}]*\}").expect("a pattern").replace_all(path, "{}").into_owned()
}

/// Every route below `start` that the sources in `folder` mount, whether by `route`, `resource` or in a `scope`.
fn mounted(folder: &str, start: &str) -> BTreeSet<Route> {
    let token = Regex::new(
        r#"web::(scope|resource)\(\s*"([^"]*)"|\.route\(\s*"([^"]*)",\s*web::(get|post|put|patch|delete)\(\)|\.route\(\s*web::(get|post|put|patch|delete)\(\)"#,
    )
    .expect("a pattern");
    let mut found = BTreeSet::new();
    for source in sources().iter().filter(|source| source.path.starts_with(folder)) {
        let (mut scope, mut resource) = (String::new(), String::new());
        for part in token.captures_iter(&source.text) {
            let text = |place: usize| part.get(place).map_or("", |found| found.as_str());
            let (path, method) = match text(1) {
                "scope" => {
                    scope = text(2).to_owned();
                    continue;
                }
                "resource" => {
                    resource = text(2).to_owned();
                    continue;
                }
                _ if !text(4).is_empty() && text(3).starts_with("/api/") => (text(3).to_owned(), text(4)),
                _ if !text(4).is_empty() => (format!("{scope}{}", text(3)), text(4)),
                _ => (resource.clone(), text(5)),
            };
            if path.starts_with(start) {
                found.insert((method.to_uppercase(), bare(&path)));
            }
        }
    }
    found
}

/// The rows of a page's table: each a route and the cells behind it.
fn table(page: &str) -> (Vec<String>, Told) {
    let text = std::fs::read_to_string(repository(page)).expect("the page is there");
    let cells = |line: &str| -> Vec<String> {
        line.trim()
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().trim_matches('`').to_owned())
            .collect()
    };
    let head = text.lines().find(|line| line.starts_with("| method |")).expect("the table's head");
    let rows = text.lines().filter(|line| {
        ["| GET |", "| POST |", "| PUT |", "| PATCH |", "| DELETE |"]
            .iter()
            .any(|start| line.starts_with(start))
    });
    let rows = rows.map(|line| {
        let cells = cells(line);
        ((cells[0].clone(), bare(&cells[1])), (cells[1].clone(), cells[2..].to_vec()))
    });
    (cells(head)[2..].to_vec(), rows.collect())
}

fn differ(page: &str, mounted: &BTreeSet<Route>, told: &Told) {
    let untold: Vec<&Route> = mounted.iter().filter(|route| !told.contains_key(*route)).collect();
    let gone: Vec<&Route> = told.keys().filter(|route| !mounted.contains(*route)).collect();
    assert!(untold.is_empty(), "routes that {page} does not name: {untold:#?}");
    assert!(gone.is_empty(), "rows of {page} that are no routes: {gone:#?}");
}

/// The path with an id of nobody in each hole.
fn filled(path: &str, site: &str) -> String {
    let nobody = ContactId::new().to_string();
    Regex::new(r"\{([^}]*)\}")
        .expect("a pattern")
        .replace_all(path, |hole: &regex::Captures<'_>| match &hole[1] {
            "site" => site.to_owned(),
            _ => nobody.clone(),
        })
        .into_owned()
}

#[test]
fn every_route_of_the_console_stands_in_the_table_of_roles() {
    let (_, told) = table("docs/roles.md");
    let mounted: BTreeSet<Route> = mounted("http/console/", "/console")
        .into_iter()
        .filter(|(_, path)| !OPEN.contains(&path.as_str()))
        .collect();
    assert!(mounted.len() > 100, "the sources are read: {}", mounted.len());
    // The line for scripts is mounted by a constant's name.
    let by_name = ("GET".to_owned(), "/console/line".to_owned());
    assert!(mounted.contains(&by_name));
    differ("docs/roles.md", &mounted, &told);
}

#[tokio::test]
async fn every_role_may_do_what_the_table_says_and_nothing_else() {
    let app = TestApp::start_with(|settings| set(settings, "server", "workers", 2)).await;
    let (roles, told) = table("docs/roles.md");
    assert_eq!(roles, Role::ALL.map(Role::word));
    for (place, role) in Role::ALL.into_iter().enumerate() {
        let who = agent(&app, role).await;
        // Logging out last: it ends the session.
        let (last, others): (Vec<_>, Vec<_>) =
            told.iter().partition(|(route, _)| route.1.ends_with("/logout"));
        for ((method, _), (path, cells)) in others.into_iter().chain(last) {
            if matches!(path.as_str(), "/console/events" | "/console/line") {
                continue; // lines that stay open
            }
            let answer = knock(&who, method, &filled(path, "faro")).await;
            let is_refused = answer.status == 403 && answer.body.contains("Not for your role");
            let may = match cells[place].as_str() {
                "yes" => true,
                "–" => false,
                other => panic!("{path}: {other}"),
            };
            assert!(answer.status < 500, "{method} {path}: {}", answer.status);
            // Which decision somebody may take is up to the decision itself.
            if !path.ends_with("/stage") {
                assert_eq!(is_refused, !may, "{} {method} {path}: {}", role.word(), answer.status);
            }
        }
    }
    // Whoever is nobody is led to the login, wherever she knocks, and changes nothing.
    let before = app.census().await;
    for ((method, _), (path, _)) in &told {
        let path = filled(path, "faro");
        let answer = match method.as_str() {
            "GET" => app.get(&path).await,
            _ => app.client.with("sec-fetch-site", "same-origin").submit(&path, &[("csrf", "x")]).await,
        };
        let is_script = matches!(path.as_str(), "/console/events" | "/console/line");
        assert_eq!(answer.status, if is_script { 401 } else { 303 }, "{method} {path}");
        if !is_script {
            assert!(answer.header("location").starts_with("/console/login"), "{method} {path}");
        }
    }
    assert_eq!(app.census().await, before);
}

async fn knock(who: &Agent, method: &str, path: &str) -> crate::support::answer::Answer {
    match method {
        "GET" => who.get(path).await,
        _ => who.submits(path, &[("online", "0"), ("outcome", "held"), ("role", "x")]).await,
    }
}

#[test]
fn every_route_of_the_api_stands_in_the_table_of_scopes() {
    let (_, told) = table("docs/api-keys.md");
    let mounted = mounted("http/", "/api/v1/");
    assert!(mounted.len() > 80, "the sources are read: {}", mounted.len());
    differ("docs/api-keys.md", &mounted, &told);
}

#[tokio::test]
async fn a_key_opens_what_its_scope_is_for_and_nothing_else() {
    let app = TestApp::start().await;
    let make = async |scopes: Scopes| {
        let mut tx = app.app.stores.db.begin().await.expect("begins");
        let made = api_keys::make(&mut tx, "test", scopes, None, None, app.now()).await.expect("made");
        tx.commit().await.expect("commits");
        made.1
    };
    let mut keys = BTreeMap::new();
    for scope in Scope::all() {
        let only = make(Scopes::of([scope])).await;
        // Whoever may change may read: for the others, both are left out.
        let others = Scope::all().filter(|other| other.area != scope.area || (scope.writes && !other.writes));
        keys.insert(scope.word(), (only, make(Scopes::of(others)).await));
    }
    let (_, told) = table("docs/api-keys.md");
    for ((method, _), (path, cells)) in &told {
        let (only, others) = keys.get(&cells[0]).unwrap_or_else(|| panic!("{path}: {}", cells[0]));
        let address = filled(path, "faro");
        let method: Method = method.parse().expect("a method");
        let with = async |key: &str| {
            let client = app.client.with("authorization", &format!("Bearer {key}"));
            client.send(method.clone(), &address, Some(("application/json", b"{}".to_vec()))).await
        };
        let answer = with(others).await;
        let document = answer.expect_problem(403, "api.scope_missing");
        assert_eq!(document["scope"], cells[0].as_str(), "{method} {path}");
        let answer = with(only).await;
        assert!(
            !matches!(answer.status, 401 | 403 | 405),
            "{method} {path}: {} {}",
            answer.status,
            answer.body
        );
        assert!(answer.status < 500, "{method} {path}: {} {}", answer.status, answer.body);
        assert!(!answer.body.contains("request.not_found"), "{method} {path} is not there");
        for key in ["", "embudo_guessed", "emb"] {
            with(key).await.expect_problem(401, "api.key_unknown");
        }
    }
}
