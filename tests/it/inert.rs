//! What strangers type is inert wherever it is shown: a corpus goes in by the real doors (hits, forms, chats, lists, the
//! console's own forms, the API), then every page, part, file and answer is read as a browser reads it, as each role.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use embudo::accounts::Role;
use embudo::base::ids::VisitorId;
use embudo::base::time::SECOND_MS;
use embudo::http::{api, console};
use regex::Regex;
use reqwest::Method;
use serde_json::json;

use crate::console::{Agent, agent};
use crate::support::answer::{Answer, Client};
use crate::support::app::{SITE, TestApp, set};
use crate::support::html;

/// A key that may see people, too.
const KEY: &str = "a key of the tests, for people and the rest";

/// What is hostile. Each names an element, an attribute or a hole that is nobody's but its own.
const CORPUS: &[&str] = &[
    "<xssel onxss=1>",
    "\"><xssel onxss=\"1",
    "'><xssel onxss='1",
    "\" onxss=\"1",
    "' onxss='1",
    "x onxss=1 ",
    "</script><xssel>",
    "</textarea></title></style><xssel>",
    "<!--<xssel>-->",
    "]]><xssel>",
    "&lt;xssel onxss=1&gt;",
    "%3Cxssel%20onxss%3D1%3E",
    "<svg/onload=xssel()>",
    "{{xsshole}}",
    "{{{xsshole}}} {{#if xsshole}}x{{/if}}",
    "{{> xsshole}} {xsshole}",
    "javascript:xssel()",
    "data:text/html,<xssel>",
    "https://xssel.example/",
    "=cmd|'/C xssel'!A0",
    "+1+xssel()",
    "-1-xssel()",
    "@xssel",
    "\t=xssel()",
    "\u{202e}less\u{202d}x",
    "\u{2067}less\u{2066}x",
    "x\u{0}ssel",
    "x\r\nSet-Cookie: xssel=1",
];

/// The corpus, each piece with a number by which it is found again.
fn pieces() -> Vec<(String, String)> {
    CORPUS.iter().enumerate().map(|(at, text)| (format!("q{at}z"), format!("{text} q{at}z"))).collect()
}

/// What an answer may be beside a page and a table.
const KINDS: [&str; 5] = ["json", "javascript", "image/", "text/plain", "application/yaml"];

/// Text that never ends.
fn long() -> String {
    "<xssel onxss=1>".repeat(64 * 1024 / 15)
}

async fn app() -> (TestApp, tempfile::TempDir) {
    // A folder of its own: flows' texts are hostile, too.
    let flows = tempfile::tempdir().expect("a folder");
    let quoted = |text: &str| serde_json::to_string(text).expect("a text");
    // What a template cannot hold is refused before it runs; the rest is said as it is written.
    let plain: Vec<_> = pieces().into_iter().filter(|(_, text)| !text.contains(['{', '\0'])).collect();
    let (_, title) = &plain[1];
    let says: String = plain
        .iter()
        .enumerate()
        .map(|(at, (_, text))| format!("  s{at}:\n    say: {}\n", quoted(text)))
        .collect();
    let text = format!(
        "flow: hostile\ntitle: {}\nlanguages: [en]\ntrigger:\n  when: opened\nevents:\n  human_requested: end\n  stop_requested: end\nsteps:\n{says}  last:\n    ask: Well?\n    \
         choices:\n      a: {{label: {}, goto: end}}\n    timeout: {{after: 30m, goto: end}}\n    outcomes: {{exhausted: end}}\n  \
         end: {{end: done}}\n",
        quoted(title),
        quoted(&plain[2].1),
    );
    std::fs::write(flows.path().join("hostile.yaml"), text).expect("written");
    let folder = flows.path().display().to_string();
    let app = TestApp::start_with(|settings| {
        set(settings, "server", "workers", 2);
        set(settings, "definitions", "flows", folder);
        set(settings, "api", "people_keys", vec![KEY]);
        for (section, key) in [
            ("collector", "hits_burst"),
            ("forms", "burst"),
            ("forms", "form_burst"),
            ("chat", "messages_burst"),
            ("chat", "opened_burst"),
        ] {
            set(settings, section, key, 100_000);
        }
    })
    .await;
    (app, flows)
}

/// The part of a text that can stand in a header.
fn header(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(500).collect()
}

/// What somebody reports: pages, sources, events of her own.
async fn report(app: &TestApp, text: &str) {
    let visitor = app.visitor();
    let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let utm = ["source", "medium", "campaign", "term", "content"]
        .map(|name| format!("utm_{name}={encoded}"))
        .join("&");
    let mut page = visitor.hit(&format!("/p/{encoded}?{utm}"));
    page["title"] = json!(text);
    page["referrer"] = json!(format!("https://xssel.example/{encoded}?q={encoded}"));
    let mut event = visitor.hit("/");
    event["name"] = json!("shelf_opened");
    event["props"] = json!({ "shelf": text, text: "x" });
    let client = app.client.with("origin", SITE).with("user-agent", &header(&format!("Mozilla/5.0 {text}")));
    for hit in [page, event] {
        let answer = client.post("/v1/hit", &hit).await;
        assert!(matches!(answer.status, 202 | 400 | 413), "{} {text:.80}: {}", answer.status, answer.body);
    }
}

/// Somebody fills in the forms.
async fn fill(app: &TestApp, at: usize, text: &str) {
    let email = format!("v{at}@xssel{at}.example");
    let other = json!({ "email": email, "left_because": "other", "left_other": text, "open_question": text });
    let advice = json!({
        "email": email, "employees": 120, "country": "ES", "first_name": text, "job_title": text, "industry": text,
        "phone": text,
    });
    let about = json!({ "email": email, "want": text, "need": text, "value": text });
    for (form, values) in [("exit-survey", other), ("reading-advice", advice), ("about-you", about)] {
        let visitor = app.visitor();
        let mut sent = visitor.fill(form, values).await;
        sent["page"] = json!(format!(
            "{SITE}/?utm_campaign={}",
            url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
        ));
        let answer = visitor.post(&format!("/v1/forms/{form}"), &sent).await;
        assert!(answer.status < 500, "{form} {text}: {}", answer.body);
    }
    app.clock.advance(SECOND_MS);
}

/// Somebody chats.
async fn chat(app: &TestApp, text: &str) {
    let visitor = VisitorId::new().to_string();
    let coming = json!({
        "site": "faro", "visitor": visitor, "consent": "analytics", "language": "en", "zone": "Europe/Madrid",
        "page": { "url": format!("{SITE}/?x={}", url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()), "title": text },
    });
    let opened = app.client.with("origin", SITE).post("/v1/chat", &coming).await;
    if opened.status != 201 {
        assert!(opened.status < 500, "{text}: {}", opened.body);
        return;
    }
    let opened = opened.json();
    let token = opened["token"].as_str().expect("a token");
    let client = app.client.with("origin", SITE).with("authorization", &format!("Bearer {token}"));
    let path = format!("/v1/chat/{}/messages", opened["conversation"].as_str().expect("an id"));
    let said = json!({ "client_id": VisitorId::new().to_string(), "body": { "type": "text", "text": text } });
    let answer = client.post(&path, &said).await;
    assert!(answer.status < 500, "{text}: {}", answer.body);
}

/// What colleagues and programs write.
async fn write(app: &TestApp, admin: &Agent, at: usize, text: &str) {
    let posts = async |path: &str, fields: &[(&str, &str)]| {
        let answer = admin.submits(path, fields).await;
        assert!(answer.status < 500, "{path} {text}: {}", answer.body);
    };
    for row in app.rows("select id from contacts order by id desc limit 1").await {
        let contact: String = row.get("id").expect("an id");
        let at = format!("/console/contacts/{contact}");
        posts(&format!("{at}/name"), &[("first_name", text), ("last_name", text)]).await;
        posts(&format!("{at}/tasks"), &[("kind", "call"), ("title", text), ("account", "")]).await;
        posts(&format!("{at}/events"), &[("kind", "meeting.held"), ("subject", text), ("note", text)]).await;
        posts(&format!("{at}/handover"), &[("role", "sdr"), ("note", text)]).await;
    }
    for row in app.rows("select id from conversations order by id desc limit 1").await {
        let conversation: String = row.get("id").expect("an id");
        let at = format!("/console/inbox/{conversation}");
        let client_id = VisitorId::new().to_string();
        posts(&format!("{at}/note"), &[("text", text), ("client_id", &client_id)]).await;
        posts(&format!("{at}/identity"), &[("email", ""), ("first_name", text), ("last_name", text)]).await;
    }
    for row in app.rows("select id from companies order by id desc limit 1").await {
        let company: String = row.get("id").expect("an id");
        let client = programs(app);
        let change = json!({ "name": text, "industry": text, "country": text });
        let body = Some(("application/json", change.to_string().into_bytes()));
        let answer = client.send(Method::PATCH, &format!("/api/v1/companies/{company}"), body).await;
        assert!(answer.status < 500, "{}", answer.body);
        let deal = json!({ "company": company, "name": text, "amount": 100, "currency": "EUR" });
        let body = Some(("application/json", deal.to_string().into_bytes()));
        let answer = client.send(Method::POST, "/api/v1/deals", body).await;
        assert!(answer.status < 500, "{}", answer.body);
    }
    posts("/console/traffic/goals", &[("site", "faro"), ("name", text), ("by", "page"), ("value", text)])
        .await;
    posts("/console/traffic/shares", &[("site", "faro"), ("name", text), ("days", "30")]).await;
    posts("/console/contacts/views", &[("name", text), ("query", "stage=lead"), ("shared", "1")]).await;
    posts("/console/keys", &[("name", text), ("traffic", "read"), ("scope", "traffic.read")]).await;
    let reply = format!("reply{at}");
    let texts = [
        ("shortcut", reply.as_str()),
        ("title_en", text),
        ("title_es", text),
        ("text_en", text),
        ("text_es", text),
    ];
    posts("/console/replies", &texts).await;
    let email = format!("colleague{at}@faro.example");
    posts("/console/accounts", &[("email", &email), ("name", text), ("role", "viewer")]).await;
    let address = format!("https://site{at}.example");
    posts("/console/sites", &[("address", &address), ("name", text), ("time_zone", text)]).await;
    let cell = text.replace('"', "\"\"");
    let list =
        format!("email,\"{cell}\",job\nlist{at}@xssel.example,\"{cell}\",\"{cell}\"\n\"{cell}\",b,c\n");
    posts("/console/contacts/imports", &[("name", text), ("text", &list)]).await;
}

fn programs(app: &TestApp) -> Client {
    app.client.with("authorization", &format!("Bearer {KEY}"))
}

/// What is wrong with a page.
fn faults_of(page: &html::Page) -> Vec<String> {
    let mut faults = Vec::new();
    for element in &page.elements {
        if element.name.contains("xss") {
            faults.push(format!("an element of a stranger: {element:?}"));
        }
        for (name, value) in &element.attributes {
            let value = value.trim_start_matches(|c: char| c <= ' ').to_ascii_lowercase();
            let leads = matches!(
                name.as_str(),
                "href" | "src" | "action" | "formaction" | "xlink:href" | "poster" | "srcset"
            );
            if name == "style" {
                faults.push(format!("a style: {element:?}"));
            }
            if name.starts_with("on") || name.contains("xss") || name == "srcdoc" {
                faults.push(format!("an attribute of a stranger: {element:?}"));
            }
            if leads
                && ["javascript:", "data:text", "vbscript:"].iter().any(|scheme| value.starts_with(scheme))
            {
                faults.push(format!("a link that runs: {element:?}"));
            }
            let loads = leads && !matches!(element.name.as_str(), "a");
            if loads && value.contains("xssel.example") && !value.starts_with('/') {
                faults.push(format!("something is loaded from a stranger: {element:?}"));
            }
        }
    }
    faults.extend(
        page.comments.iter().filter(|text| text.contains("xss")).map(|text| format!("a comment: {text}")),
    );
    faults
}

/// Cells that a spreadsheet would run (OWASP, CSV injection). A number is none.
fn cells_that_run(text: &str) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut found = Vec::new();
    for row in reader.records() {
        let row = row.expect("a row");
        let runs =
            |cell: &&str| cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
        found.extend(row.iter().filter(runs).map(str::to_owned));
    }
    found
}

/// Looks at one answer; what it shows of the corpus goes to `seen`.
fn look(path: &str, answer: &Answer, seen: &mut BTreeSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    if answer.status >= 500 {
        faults.push(format!("status {}: {}", answer.status, answer.body));
    }
    if answer.headers.contains_key("set-cookie") {
        faults.push("a cookie is set".to_owned());
    }
    if answer.body.len() > 2_000_000 {
        faults.push(format!("{} bytes", answer.body.len()));
    }
    let kind = answer.header("content-type");
    let is_archive = kind == "application/zip";
    if answer.body.contains('\0') && !is_archive {
        faults.push("a NUL".to_owned());
    }
    let is_saved = answer.header("content-disposition").starts_with("attachment");
    if is_archive && !is_saved {
        faults.push("an archive that is opened".to_owned());
    }
    if kind.starts_with("text/html") {
        let page = html::read(&answer.body);
        // Mails carry their styles with them, and are shown under a policy of their own.
        let is_mail = path.split('?').next().is_some_and(|path| path.ends_with("/html"));
        let is_style = |fault: &String| is_mail && fault.starts_with("a style");
        faults.extend(faults_of(&page).into_iter().filter(|fault| !is_style(fault)));
        if answer.header("content-security-policy").contains("unsafe-inline") && !path.contains("/html") {
            faults.push("the policy lets inline scripts run".to_owned());
        }
    } else if kind.starts_with("text/csv") {
        faults
            .extend(cells_that_run(&answer.body).into_iter().map(|cell| format!("a cell that runs: {cell}")));
        if !is_saved {
            faults.push("a file that is shown".to_owned());
        }
    } else if !kind.is_empty() && !is_archive && !KINDS.iter().any(|known| kind.contains(known)) {
        faults.push(format!("an answer of the type {kind}"));
    }
    if answer.header("x-content-type-options") != "nosniff" {
        faults.push("its type may be guessed".to_owned());
    }
    for (mark, _) in pieces() {
        if answer.body.contains(&mark) {
            seen.insert(mark);
        }
    }
    faults.into_iter().map(|fault| format!("{path}: {fault}")).collect()
}

/// The door that an address leads to.
fn door_of(path: &str) -> Option<&'static str> {
    let bare = path.split(['?', '#']).next().unwrap_or(path);
    let fits = |pattern: &str| {
        let (mut a, mut b) = (pattern.split('/'), bare.split('/'));
        loop {
            match (a.next(), b.next()) {
                (None, None) => return true,
                (Some(hole), Some(_)) if hole.starts_with('{') => {}
                (Some(one), Some(other)) if one == other => {}
                _ => return false,
            }
        }
    };
    let doors = console::DOORS.iter().filter(|door| door.method == "GET");
    // A door without holes comes before one that would take its word for an id.
    let mut found: Vec<&str> = doors.map(|door| door.path).filter(|pattern| fits(pattern)).collect();
    found.sort_by_key(|pattern| pattern.matches('{').count());
    found.first().copied()
}

/// Follows every link of the console from every door, at most `most` addresses of one door.
async fn crawl(
    who: &Agent,
    most: usize,
    seen: &mut BTreeSet<String>,
) -> (BTreeMap<&'static str, usize>, Vec<String>) {
    let starts = console::DOORS.iter().filter(|door| door.method == "GET" && !door.path.contains('{'));
    let mut waiting: VecDeque<String> = starts.map(|door| door.path.to_owned()).collect();
    let files = waiting.iter().map(|path| format!("{path}?format=csv")).collect::<Vec<_>>();
    waiting.extend(files);
    let mut known: BTreeSet<String> = waiting.iter().cloned().collect();
    let (mut visited, mut faults) = (BTreeMap::new(), Vec::new());
    while let Some(path) = waiting.pop_front() {
        let Some(door) = door_of(&path) else { continue };
        // Lines that stay open.
        if matches!(door, "/console/events" | "/console/line") {
            continue;
        }
        let count: &mut usize = visited.entry(door).or_default();
        if *count >= most {
            continue;
        }
        *count += 1;
        let answer = who.get(&path).await;
        faults.extend(look(&path, &answer, seen));
        if !answer.header("content-type").starts_with("text/html") {
            continue;
        }
        for element in html::read(&answer.body).elements {
            let links = element.attributes.iter().filter(|(name, _)| name == "href" || name == "src");
            for (_, link) in links.filter(|(_, link)| link.starts_with("/console")) {
                let link = link.split('#').next().unwrap_or(link).to_owned();
                if known.insert(link.clone()) {
                    waiting.push_back(link);
                }
            }
        }
    }
    (visited, faults)
}

#[tokio::test]
async fn what_strangers_type_is_inert_on_every_page_for_every_role_and_in_every_file_and_answer() {
    let (app, _flows) = app().await;
    let admin = agent(&app, Role::Admin).await;
    for (at, (_, text)) in pieces().iter().enumerate() {
        report(&app, text).await;
        fill(&app, at, text).await;
        chat(&app, text).await;
        app.run_jobs().await;
        write(&app, &admin, at, text).await;
    }
    let long = long();
    report(&app, &long).await;
    fill(&app, CORPUS.len(), &long).await;
    chat(&app, &long).await;
    write(&app, &admin, CORPUS.len(), &long).await;
    app.run_jobs().await;

    let (mut seen, mut faults) = (BTreeSet::new(), Vec::new());
    let (visited, found) = crawl(&admin, 40, &mut seen).await;
    faults.extend(found);
    println!("{visited:#?}");
    assert!(visited.len() > 50, "the console is walked: {visited:?}");
    assert!(visited.get("/console/contacts/{contact}").is_some_and(|count| *count > 20), "{visited:?}");
    let unseen: Vec<_> = pieces().into_iter().filter(|(mark, _)| !seen.contains(mark)).collect();
    assert!(unseen.is_empty(), "never shown, so nothing is proven of it: {unseen:?}");
    for role in Role::ALL.into_iter().filter(|role| *role != Role::Admin) {
        let who = agent(&app, role).await;
        faults.extend(crawl(&who, 4, &mut seen).await.1);
    }

    // And what programs read, with every id that stands in it.
    let hole = Regex::new(r"\{[^}]*\}").expect("a pattern");
    let programs = programs(&app);
    for door in api::DOORS.iter().filter(|door| door.method == "GET") {
        let ids: Vec<String> = match door.path {
            path if path.contains("{contact}") => {
                let rows = app.rows("select id from contacts order by id limit 40").await;
                rows.iter().map(|row| row.get("id").expect("an id")).collect()
            }
            path if path.contains("{company}") => {
                let rows = app.rows("select id from companies order by id limit 40").await;
                rows.iter().map(|row| row.get("id").expect("an id")).collect()
            }
            path if path.contains("{site}") => vec!["faro".to_owned()],
            path if path.contains("{flow}") => vec!["hostile".to_owned()],
            _ => vec!["x".to_owned()],
        };
        for id in ids {
            let path = hole.replace(door.path, id.as_str()).into_owned();
            for path in [
                hole.replace_all(&path, "utm_campaign").into_owned(),
                hole.replace_all(&path, "page").into_owned(),
            ] {
                for query in ["", "?format=csv"] {
                    let path = format!("{path}{query}");
                    faults.extend(look(&path, &programs.get(&path).await, &mut seen));
                }
            }
        }
    }
    faults.sort();
    faults.dedup();
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.iter().take(60).cloned().collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn the_look_finds_what_it_is_there_for() {
    let faults = |text: &str| faults_of(&html::read(text)).len();
    assert_eq!(
        faults("<p title=\"&lt;xssel&gt;\">&lt;xssel onxss=1&gt; {{xsshole}}</p><a href='/console'>x</a>"),
        0
    );
    for bad in [
        "<xssel onxss=1>",
        "<p title=\"\"><xssel>",
        "<p title='' onxss='1'>",
        "<p onclick=x>",
        "<a href=' javascript:xssel()'>x</a>",
        "<a href='data:text/html,<xssel>'>x</a>",
        "<img src='https://xssel.example/'>",
        "<p style='x'>",
        "<!-- xssel -->",
        "<textarea></textarea><xssel>",
    ] {
        assert!(faults(bad) > 0, "{bad}");
    }
    assert_eq!(cells_that_run("a,-5,'=x,\"=cmd()\"\n@x,+1,\"\t=x\",-x\n"), ["=cmd()", "@x", "\t=x", "-x"]);
}
