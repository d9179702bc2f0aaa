//! The console at size: every page of it for a company with 100,000 contacts, 50,000 conversations and a year of hits.
//!
//! `cargo bench --bench console [-- --contacts N --talks N --hits N --rounds N]`: the demo's own people settle in, `fill.sql`
//! adds the others; with `--hits` the site's hits are the year that `--bench collector -- reports --hits N` wrote before. Then
//! every page of [`DOORS`] that can be looked at is asked for over HTTP by an administrator, with the addresses that its
//! list shows. Wanted: 100 ms, 60 KiB of HTML, and 80 KiB of scripts and styles as they are sent (gzip). A wrong answer fails
//! the run, a slow one does not. What was measured is added to `target/bench/console.json`, one line for each page.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use embudo::base::time::Clock;
use embudo::companies;
use embudo::contacts::words;
use embudo::http::console::DOORS;
use embudo::storage::db::{Db, JOURNEY};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use serde_json::json;

/// Streams that never end, and what asks for something that is chosen before.
const NOT_PAGES: [&str; 3] = ["/console/events", "/console/line", "/console/contacts/acts/{act}"];
const PAGE_MS: f64 = 100.0;
const PAGE_BYTES: usize = 60 * 1024;
const LOADED_BYTES: usize = 80 * 1024;

fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |name: &str, or: usize| {
        let at = arguments.iter().position(|word| word == name);
        at.and_then(|at| arguments.get(at + 1)).and_then(|text| text.parse().ok()).unwrap_or(or)
    };
    let size = Size {
        contacts: number("--contacts", 100_000),
        talks: number("--talks", 50_000),
        hits: number("--hits", 0),
        rounds: number("--rounds", 11).max(1),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    match runtime.block_on(run(&size)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("console: {problem:#}");
            ExitCode::FAILURE
        }
    }
}

struct Size {
    contacts: usize,
    talks: usize,
    hits: usize,
    rounds: usize,
}

async fn run(size: &Size) -> anyhow::Result<()> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    std::fs::create_dir_all(&target)?;
    let folder = tempfile::tempdir_in(&target)?;
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
    drop(Server::start(folder.path(), &http).await?);

    let begun = Instant::now();
    fill(folder.path(), size)?;
    index(folder.path()).await?;
    if size.hits > 0 {
        take_hits(folder.path(), &target, size.hits)?;
    }
    eprintln!(
        "{} contacts, {} conversations: {:.0} s",
        size.contacts,
        size.talks,
        begun.elapsed().as_secs_f64()
    );

    let server = Server::start(folder.path(), &http).await?;
    let console = Console::enter(&http, &server.url).await?;
    console.settle().await?;
    let machine = machine();
    println!("{:<52} {:>9} {:>9} {:>9} {:>9}", "page", "median ms", "slowest", "HTML KiB", "loaded KiB");
    let (mut wrong, mut slow) = (Vec::new(), 0);
    for path in console.pages(folder.path(), size).await? {
        let page = match console.measure(&path, size.rounds).await {
            Ok(page) => page,
            Err(problem) => {
                wrong.push(format!("{path}: {problem:#}"));
                continue;
            }
        };
        let over = [
            (page.median_ms > PAGE_MS).then_some("slow"),
            (page.bytes > PAGE_BYTES).then_some("long"),
            (page.loaded > LOADED_BYTES).then_some("heavy"),
        ];
        let over: Vec<&str> = over.into_iter().flatten().collect();
        slow += usize::from(!over.is_empty());
        println!(
            "{path:<52.52} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {}",
            page.median_ms,
            page.slowest_ms,
            kib(page.bytes),
            kib(page.loaded),
            over.join(" ")
        );
        keep(
            &target,
            &json!({
                "case": "console", "page": path, "median_ms": page.median_ms, "slowest_ms": page.slowest_ms,
                "html_bytes": page.bytes, "loaded_bytes": page.loaded, "contacts": size.contacts,
                "conversations": size.talks, "hits": size.hits, "rounds": size.rounds, "machine": machine,
            }),
        )?;
    }
    println!("{slow} pages beyond a mark");
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

// ---- the company ----------------------------------------------------------------------------------

fn fill(folder: &Path, size: &Size) -> anyhow::Result<()> {
    let db = rusqlite::Connection::open(folder.join("data/embudo.db"))?;
    let now = Clock::system().now().as_ms().to_string();
    let text = include_str!("fill.sql")
        .replace(":contacts", &size.contacts.to_string())
        .replace(":talks", &size.talks.to_string())
        .replace(":now", &now);
    db.execute_batch(&format!("pragma synchronous = off; begin; {text} commit; analyze;"))?;
    Ok(())
}

/// Makes people and companies findable, as the product does with those who came before there was a search.
async fn index(folder: &Path) -> anyhow::Result<()> {
    let data = folder.join("data");
    let db = Db::open_sqlite_beside(&data.join("embudo.db"), &data.join("hits.db"), JOURNEY).await?;
    while companies::words::index_rest(&db).await? || words::index_rest(&db).await? {}
    Ok(())
}

/// Puts the year's hits in the place of the demo's own, as those of its site.
fn take_hits(folder: &Path, target: &Path, hits: usize) -> anyhow::Result<()> {
    let year = target.join(format!("bench/year-{hits}/data/hits.db"));
    ensure!(
        year.exists(),
        "{} is not there: cargo bench --bench collector -- reports --hits {hits}",
        year.display()
    );
    let own = folder.join("data/hits.db");
    for old in ["hits.db", "hits.db-wal", "hits.db-shm"] {
        drop(std::fs::remove_file(folder.join("data").join(old)));
    }
    std::fs::copy(&year, &own)?;
    let db = rusqlite::Connection::open(&own)?;
    db.execute_batch("update words set text = 'faro' where text = 'site-0'")?;
    Ok(())
}

// ---- the server -----------------------------------------------------------------------------------

/// A running demo, which stops when it is dropped.
struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is asked to end, so that what it holds is on disk.
        drop(Command::new("kill").arg(self.child.id().to_string()).status());
        drop(self.child.wait());
    }
}

impl Server {
    async fn start(folder: &Path, http: &reqwest::Client) -> anyhow::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = Command::new(env!("CARGO_BIN_EXE_embudo"))
            .args(["demo", "--port", &port.to_string(), "--folder"])
            .arg(folder)
            .stdout(Stdio::null())
            .spawn()?;
        let server = Self { child, url: format!("http://localhost:{port}") };
        for _ in 0..600 {
            let answer = http.get(format!("{}/health/ready", server.url)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(server);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("the demo is not ready within a minute")
    }
}

// ---- the pages ------------------------------------------------------------------------------------

struct Console<'c> {
    http: &'c reqwest::Client,
    url: &'c str,
    cookie: String,
}

struct Page {
    median_ms: f64,
    slowest_ms: f64,
    bytes: usize,
    /// Of scripts and styles, as they are sent.
    loaded: usize,
}

impl<'c> Console<'c> {
    async fn enter(http: &'c reqwest::Client, url: &'c str) -> anyhow::Result<Self> {
        let typed = "email=admin%40faro.example&password=a+lighthouse+at+night&next=%2Fconsole";
        let answer = http
            .post(format!("{url}/console/login"))
            .header(ORIGIN, url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(typed)
            .send()
            .await?;
        ensure!(answer.status().as_u16() == 303, "the login answers {}", answer.status());
        let cookies = answer.headers().get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
        let cookie = cookies.filter_map(|cookie| cookie.split(';').next()).collect::<Vec<_>>().join("; ");
        Ok(Self { http, url, cookie })
    }

    async fn get(&self, path: &str) -> anyhow::Result<reqwest::Response> {
        Ok(self.http.get(format!("{}{path}", self.url)).header(COOKIE, &self.cookie).send().await?)
    }

    /// Waits until what the start has set going is done: the server is measured at rest.
    async fn settle(&self) -> anyhow::Result<()> {
        let mut quick = 0;
        for _ in 0..300 {
            let begun = Instant::now();
            self.get("/console/account").await?;
            quick = if begun.elapsed() < Duration::from_millis(20) { quick + 1 } else { 0 };
            if quick == 10 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// Every page, with the first of what its list shows where the address needs one.
    async fn pages(&self, folder: &Path, size: &Size) -> anyhow::Result<Vec<String>> {
        let db = rusqlite::Connection::open(folder.join("data/embudo.db"))?;
        let one = |sql: &str| db.query_row(sql, [], |row| row.get::<_, String>(0)).ok();
        // Somebody with a full life: in a deal, with a call, a talk, letters.
        let contact =
            one("select b.contact_id from bookings b join deal_people d on d.contact_id = b.contact_id
            join conversations c on c.contact_id = b.contact_id order by b.starts_at desc limit 1");
        let hole = |name: &str, path: &str| match name {
            "contact" => contact.clone(),
            "company" => {
                one("select company_id from contacts where company_id is not null order by id desc limit 1")
            }
            "booking" => one("select id from bookings order by starts_at desc limit 1"),
            "conversation" => one("select id from conversations where mode = 'human' limit 1"),
            "mail" => one("select id from mails where transport = 'outbox' order by sent_at desc limit 1"),
            "flow" => Some("welcome".to_owned()),
            "entry" => one("select id from flow_texts where flow = 'welcome' order by id desc limit 1"),
            "code" => Some("F101".to_owned()),
            "segment" => one("select segment from segment_fills order by segment limit 1"),
            "hash" => one("select hash from lifecycle_texts limit 1"),
            "dimension" => Some("page".to_owned()),
            "name" if path.starts_with("/console/mails") => Some("booking_confirmed".to_owned()),
            _ => None,
        };
        let mut pages = Vec::new();
        let mut left = BTreeSet::new();
        for door in DOORS.iter().filter(|door| door.method.as_str() == "GET") {
            if NOT_PAGES.contains(&door.path) {
                continue;
            }
            if door.path == "/console/reports/{report}" {
                pages.extend(self.linked("/console/reports", "/console/reports/").await?);
                continue;
            }
            match filled(door.path, &hole) {
                Some(path) => pages.push(path),
                None => drop(left.insert(door.path)),
            }
        }
        let more = [
            "/console/contacts?q=nikki",
            "/console/contacts?q=petrov+99",
            "/console/contacts?stage=mql",
            "/console/companies?q=company+77",
            "/console/inbox?list=all",
            "/console/traffic?range=365d",
        ];
        pages.extend(more.map(str::to_owned));
        if size.hits > 0 {
            pages.extend(
                ["day", "7d", "30d", "365d"]
                    .map(|range| format!("/console/traffic?range={range}&compare=previous")),
            );
        }
        for path in left {
            eprintln!("not asked, nothing there to show: {path}");
        }
        Ok(pages)
    }

    /// The addresses below `stem` that a page links to.
    async fn linked(&self, page: &str, stem: &str) -> anyhow::Result<BTreeSet<String>> {
        let text = self.get(page).await?.text().await?;
        let ends = |c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_';
        let begin = format!("href=\"{stem}");
        let names = text.split(begin.as_str()).skip(1).filter_map(|rest| rest.split(ends).next());
        Ok(names.filter(|name| !name.is_empty()).map(|name| format!("{stem}{name}")).collect())
    }

    async fn measure(&self, path: &str, rounds: usize) -> anyhow::Result<Page> {
        let mut took_ms = Vec::with_capacity(rounds);
        let mut text = String::new();
        for round in 0..=rounds {
            let begun = Instant::now();
            let answer = self.get(path).await?;
            let status = answer.status();
            let place =
                answer.headers().get(LOCATION).and_then(|place| place.to_str().ok()).map(str::to_owned);
            text = String::from_utf8_lossy(&answer.bytes().await?).into_owned();
            // The first fills caches and is not counted.
            if round > 0 {
                took_ms.push(begun.elapsed().as_secs_f64() * 1_000.0);
            }
            ensure!(status.is_success(), "{status} {}", place.unwrap_or_default());
        }
        took_ms.sort_by(f64::total_cmp);
        let mut loaded = 0;
        for file in text
            .split(['"', '\''])
            .filter(|word| word.starts_with('/') && is_loaded(word))
            .collect::<BTreeSet<_>>()
        {
            let sent = self.http.get(format!("{}{file}", self.url)).header(COOKIE, &self.cookie);
            loaded += sent.header(ACCEPT_ENCODING, "gzip").send().await?.bytes().await?.len();
        }
        Ok(Page {
            median_ms: took_ms.get(rounds / 2).copied().unwrap_or(f64::NAN),
            slowest_ms: took_ms.last().copied().unwrap_or(f64::NAN),
            bytes: text.len(),
            loaded,
        })
    }
}

/// A door's address with its holes filled, if all can be.
fn filled(path: &str, hole: &impl Fn(&str, &str) -> Option<String>) -> Option<String> {
    let parts =
        path.split('/').map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => hole(name, path),
            None => Some(part.to_owned()),
        });
    Some(parts.collect::<Option<Vec<_>>>()?.join("/"))
}

fn is_loaded(address: &str) -> bool {
    let path = address.split('?').next().unwrap_or_default();
    path.ends_with(".js") || path.ends_with(".css")
}

#[allow(clippy::cast_precision_loss)]
fn kib(bytes: usize) -> f64 {
    bytes as f64 / 1024.0
}

fn machine() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    format!("{cores} cores, load {}", load.split_whitespace().next().unwrap_or("?"))
}

fn keep(target: &Path, result: &serde_json::Value) -> anyhow::Result<()> {
    let folder: PathBuf = target.join("bench");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("console.json");
    let mut file =
        std::fs::OpenOptions::new().create(true).append(true).open(&path).context("console.json")?;
    Ok(writeln!(file, "{result}")?)
}
