//! Booking over HTTP on SQLite: how long free times and a booking take, also while everything outside is down, and a
//! thousand who want one time.
//!
//! | case | what | wanted |
//! |---|---|---|
//! | `slots` | `GET /v1/slots` for 50 reps × 30 days, warm, one after the other | p99 < 20 ms |
//! | `book` | `POST /v1/bookings` while a mail server, a webhook and a calendar answer, and by turns while they take connections and say nothing | p99 < 50 ms, and the same within a tenth |
//! | `refusals` | how long a refusal keeps the writer, and how long its alternatives take when the writer is free again | |
//! | `races` | 1,000 at once for overlapping times of one rep | one is booked, the others are told so, every round |
//!
//! `cargo bench --bench booking -- [CASE…] [--rounds N] [--requests N]`; without a case the first three. A wrong answer fails
//! the run, a slow one does not. What was measured is added to `target/bench/booking.json`, one line for each case.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use embudo::app::App;
use embudo::base::ids::VisitorId;
use embudo::base::language::Language;
use embudo::base::time::{Clock, DAY_MS, Timestamp};
use embudo::bookings::{self, Desk, Holder, Pick};
use embudo::config::Config;
use embudo::jobs;
use embudo::storage::db::Queries as _;
use embudo::{params, sql};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::watch;

// As the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many want one time.
const CROWD: usize = 1_000;
const ZONES: [&str; 4] = ["Europe/Madrid", "America/Mexico_City", "America/New_York", "Asia/Kolkata"];
/// Monday 23 November 2026, nine o'clock in Madrid.
const NOW: Timestamp = Timestamp(1_795_420_800_000);

fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |name: &str, or: usize| {
        let at = arguments.iter().position(|word| word == name);
        at.and_then(|at| arguments.get(at + 1)).and_then(|text| text.parse().ok()).unwrap_or(or)
    };
    let (rounds, requests) = (number("--rounds", 5), number("--requests", 400));
    let named = |case: &str| arguments.iter().any(|word| word == case);
    let is_any = ["slots", "book", "refusals", "races"].iter().any(|case| named(case));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let work = async {
        if named("slots") || !is_any {
            slots(requests, rounds).await?;
        }
        if named("book") || !is_any {
            book(requests, rounds).await?;
        }
        if named("refusals") || !is_any {
            refusals().await?;
        }
        if named("races") {
            races(number("--rounds", 10)).await?;
        }
        anyhow::Ok(())
    };
    match runtime.block_on(work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("booking: {problem:#}");
            ExitCode::FAILURE
        }
    }
}

// ---- the server -----------------------------------------------------------------------------------

/// A running server with its workers, which stops when it is dropped.
struct Server {
    app: Arc<App>,
    url: String,
    http: reqwest::Client,
    clock: Clock,
    stop: watch::Sender<bool>,
    handle: actix_web::dev::ServerHandle,
    _folder: tempfile::TempDir,
    /// Keep the ports of what is outside taken.
    _outside: Vec<TcpListener>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        drop(self.handle.stop(false));
    }
}

/// What is wrong outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outside {
    Well,
    Down,
}

impl Server {
    async fn start(reps: usize, days: i64, outside: Outside) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let at = folder.path();
        // The same work for both: what differs is only whether anybody answers.
        let mut kept = Vec::new();
        let mut outside = |kind: Kind| -> anyhow::Result<String> {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?.to_string();
            if outside == Outside::Well {
                tokio::spawn(answer(listener.try_clone()?, kind));
            }
            kept.push(listener);
            Ok(address)
        };
        let mail = format!("[mail]\nsmtp = \"smtp+plain://{}\"\n", outside(Kind::Mail)?);
        let hooks = format!(
            "hooks:\n  - {{name: program, kind: webhook, url: \"http://{}/\", secrets: \
             [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw], on: [booking_confirmed]}}\n",
            outside(Kind::Web)?
        );
        // A feed that was never read makes its rep busy, so it is that of a rep without calls.
        let calendars = format!(", calendars: [\"http://{}/busy.ics\"]", outside(Kind::Web)?);
        std::fs::write(at.join("team.yaml"), team(reps, days, &calendars))?;
        std::fs::write(at.join("notify.yaml"), hooks)?;
        std::fs::create_dir(at.join("flows"))?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let config = config(at, &url, &mail)?;
        let clock = Clock::manual(NOW);
        let app = Arc::new(App::build(config, clock.clone()).await?);
        let (tell, told) = std::sync::mpsc::channel();
        let served = app.clone();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = embudo::http::serve(served, listener)?;
                drop(tell.send(server.handle()));
                server.await
            })
        });
        let handle = told.recv()?;
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(jobs::run(app.worker(), stopped));
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { app, url, http, clock, stop, handle, _folder: folder, _outside: kept })
    }

    async fn free(&self) -> anyhow::Result<Vec<i64>> {
        let to = NOW.plus_ms(31 * DAY_MS);
        let url = format!("{}/v1/slots?meeting=call&to={}", self.url, to.0);
        let body: Value =
            serde_json::from_str(&self.http.get(url).send().await?.error_for_status()?.text().await?)?;
        let slots = body["slots"].as_array().cloned().unwrap_or_default();
        Ok(slots.iter().filter_map(|slot| slot["starts_at"].as_i64()).collect())
    }

    /// Waits until nothing moves in its queue any more: what the last calls are followed by is done, or hangs. Otherwise one
    /// server would be measured while the other is still busy with what it was asked before.
    async fn settled(&self) -> anyhow::Result<()> {
        let (begun, mut before) = (Instant::now(), None);
        loop {
            let row = self
                .app
                .stores
                .db
                .read()
                .query_opt(
                    sql!(
                        "select (select count(*) from events where dispatched_at is null) as facts,
                                (select count(*) from jobs where state in ('ready', 'running')) as jobs"
                    ),
                    params![],
                )
                .await?
                .context("one row")?;
            let now: (i64, i64) = (row.get("facts")?, row.get("jobs")?);
            if now.0 == 0 && before == Some(now) {
                return Ok(());
            }
            ensure!(begun.elapsed() < Duration::from_secs(60), "{now:?} facts and jobs still wait");
            before = Some(now);
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    async fn book(&self, starts_at: i64, email: &str) -> anyhow::Result<u16> {
        let wish = json!({
            "site": "bench", "meeting": "call", "starts_at": starts_at, "zone": "Europe/Madrid",
            "name": "Nikki Grant", "email": email,
        });
        let sent = self.http.post(format!("{}/v1/bookings", self.url)).body(wish.to_string()).send().await?;
        let status = sent.status().as_u16();
        sent.bytes().await?;
        Ok(status)
    }
}

/// What stands outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mail,
    Web,
}

const FEED: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\nEND:VCALENDAR\r\n";

/// A mail server that takes every mail, or a web server that has the same feed for everybody.
async fn answer(listener: TcpListener, kind: Kind) -> anyhow::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            // Whoever hangs up has heard enough.
            let _ = match kind {
                Kind::Mail => take_mails(stream).await,
                Kind::Web => take_requests(stream).await,
            };
        });
    }
}

async fn take_mails(stream: tokio::net::TcpStream) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 bench\r\n").await?;
    let mut is_mail = false;
    while let Some(line) = lines.next_line().await? {
        let answer: &[u8] = match line.as_str() {
            "." if is_mail => {
                is_mail = false;
                b"250 taken\r\n"
            }
            _ if is_mail => continue,
            "DATA" => {
                is_mail = true;
                b"354 go on\r\n"
            }
            "QUIT" => b"221 bye\r\n",
            _ => b"250 bench\r\n",
        };
        write.write_all(answer).await?;
    }
    Ok(())
}

async fn take_requests(stream: tokio::net::TcpStream) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let (mut length, mut line) = (0, String::new());
        while read.read_line(&mut line).await? > 2 {
            let header = line.to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            line.clear();
        }
        if line.is_empty() {
            return Ok(());
        }
        tokio::io::copy(&mut (&mut read).take(length), &mut tokio::io::sink()).await?;
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/calendar\r\ncontent-length: {}\r\n\r\n{FEED}",
            FEED.len()
        );
        write.write_all(head.as_bytes()).await?;
    }
}

/// So many reps who hold the call; one more whose calendar is asked for and who holds none.
fn team(reps: usize, days: i64, calendars: &str) -> String {
    let mut text = "reps:\n".to_owned();
    let mut ids = Vec::new();
    for (n, zone) in (0..reps).zip(ZONES.iter().cycle()) {
        text.push_str(&format!(
            "  - {{id: rep-{n}, name: Rep {n}, account: rep-{n}@faro.example, zone: {zone}, languages: [en], role: sdr, \
             hours: {{weekdays: [09:00-13:00, 14:00-18:00]}}}}\n"
        ));
        ids.push(format!("rep-{n}"));
    }
    text.push_str(&format!(
        "  - {{id: away, name: Away, account: away@faro.example, zone: UTC, languages: [en], role: sdr, \
         hours: {{weekdays: 09:00-10:00}}{calendars}}}\n\
         meetings:\n  - {{id: call, title: Call, description: A call, location: here, duration: 30m, buffer_before: 5m, \
         buffer_after: 5m, interval: 15m, notice: 2h, window: {days}d, reps: [{}]}}\n",
        ids.join(", ")
    ));
    text
}

fn config(folder: &Path, url: &str, more: &str) -> anyhow::Result<Config> {
    let root = env!("CARGO_MANIFEST_DIR");
    let names = ["lifecycle", "segments", "offers", "forms", "content", "webinars", "topics", "replies"];
    let definitions = names.map(|name| format!("{name} = \"{root}/config/{name}.yaml\"\n")).concat();
    let (at, listen) = (folder.display(), url.trim_start_matches("http://"));
    let settings = format!(
        "[server]\nlisten = \"{listen}\"\npublic_url = \"{url}\"\nsecret = \"the secret of the load runs, forty characters\"\n\
         [storage]\ndata = \"{at}/data\"\n\
         [bookings]\nper_minute = 100000000\nburst = 100000000\nslots_per_minute = 100000000\nslots_burst = 100000000\n\
         [definitions]\n{definitions}team = \"{at}/team.yaml\"\nnotify = \"{at}/notify.yaml\"\n\
         mails = \"{root}/config/mails\"\nnurture = \"{root}/config/nurture\"\nflows = \"{at}/flows\"\n\
         [outbound]\nallow = [\"127.0.0.0/8\"]\n[log]\nlevel = \"error\"\n{more}\
         [[site]]\nkey = \"bench\"\nname = \"Bench\"\norigins = [\"https://faro.example\"]\n"
    );
    let file = folder.join("embudo.toml");
    std::fs::write(&file, settings)?;
    Ok(Config::load(Some(&file), std::iter::empty())?)
}

// ---- the cases ------------------------------------------------------------------------------------

fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(f64::NAN, Duration::as_secs_f64) * 1_000.0
}

/// Prints a result and adds it to the file.
fn told(result: &Value) -> anyhow::Result<()> {
    println!("{result}");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench");
    std::fs::create_dir_all(folder)?;
    let file = std::fs::OpenOptions::new().create(true).append(true).open(format!("{folder}/booking.json"));
    writeln!(file?, "{result}")?;
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn machine() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or("?");
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    format!("{cores} cores, load {load}")
}

async fn slots(requests: usize, rounds: usize) -> anyhow::Result<()> {
    let server = Server::start(50, 30, Outside::Well).await?;
    let starts = server.free().await?;
    // A busy month: every rep has calls.
    for (n, at) in starts.iter().step_by(3).take(300).enumerate() {
        ensure!(server.book(*at, &format!("p{n}@acme.example")).await? == 201, "a free time was refused");
    }
    for _ in 0..20 {
        server.free().await?;
    }
    let (mut p50s, mut p99s) = (Vec::new(), Vec::new());
    let mut offered = 0;
    for _ in 0..rounds {
        let mut took = Vec::new();
        for _ in 0..requests {
            let begun = Instant::now();
            offered = server.free().await?.len();
            took.push(begun.elapsed());
        }
        took.sort_unstable();
        p50s.push(percentile(&took, 50));
        p99s.push(percentile(&took, 99));
    }
    let (p50, p99) = (median(p50s), median(p99s));
    told(&json!({
        "case": "slots", "reps": 50, "days": 30, "requests": requests, "rounds": rounds, "p50_ms": p50, "p99_ms": p99,
        "machine": machine(),
    }))?;
    eprintln!(
        "slots, 50 reps × 30 days, {offered} times: p50 {p50:.1} ms, p99 {p99:.1} ms (wanted: < 20), median of {rounds} \
         rounds; {}",
        machine()
    );
    Ok(())
}

async fn book(requests: usize, rounds: usize) -> anyhow::Result<()> {
    let servers = [Server::start(50, 30, Outside::Well).await?, Server::start(50, 30, Outside::Down).await?];
    let mut starts = [servers[0].free().await?, servers[1].free().await?];
    // The clock goes on meanwhile, and the first of them come too near.
    starts.iter_mut().for_each(|starts| starts.retain(|at| *at > NOW.plus_ms(DAY_MS).0));
    let mut p50s: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    let mut p99s: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    let mut refused = 0;
    // By turns, so that what the machine does besides is the same for both; the first round warms and is not counted.
    for round in 0..=rounds {
        for (which, server) in servers.iter().enumerate() {
            for server in &servers {
                server.settled().await?;
            }
            let mut own = Vec::new();
            for n in 0..requests {
                let at = (round * requests + n) * 7 % starts[which].len();
                let begun = Instant::now();
                let status = server.book(starts[which][at], &format!("p{round}-{n}@acme.example")).await?;
                let took = begun.elapsed();
                ensure!(matches!(status, 201 | 409), "answered {status}");
                // A refusal looks for other times and is measured by itself.
                match status {
                    201 => own.push(took),
                    _ => refused += 1,
                }
            }
            if round > 0 {
                own.sort_unstable();
                p50s[which].push(percentile(&own, 50));
                p99s[which].push(percentile(&own, 99));
            }
        }
        // What hangs goes on hanging, whatever its pauses are.
        for server in &servers {
            server.clock.advance(60_000);
        }
    }
    ensure!(refused * 50 < requests * (rounds + 1) * 2, "{refused} were refused: this is no run of bookings");
    let ([well_50, down_50], [well_99, down_99]) = (p50s.map(median), p99s.map(median));
    let (ratio_50, ratio_99) = (down_50 / well_50, down_99 / well_99);
    told(&json!({
        "case": "book", "requests": requests, "rounds": rounds, "refused": refused, "p50_ms": well_50,
        "p99_ms": well_99, "down_p50_ms": down_50, "down_p99_ms": down_99, "ratio_p50": ratio_50,
        "ratio_p99": ratio_99, "machine": machine(),
    }))?;
    eprintln!(
        "book: p50 {well_50:.1} ms, p99 {well_99:.1} ms (wanted: < 50); mail, webhook and calendar down: p50 {down_50:.1} ms \
         (× {ratio_50:.2}), p99 {down_99:.1} ms (× {ratio_99:.2}; wanted: 0.9 to 1.1), median of {rounds} rounds; {}",
        machine()
    );
    Ok(())
}

/// A refused hold as the writer sees it, and what is done for it afterwards: what stood inside of its transaction before.
async fn refusals() -> anyhow::Result<()> {
    let server = Server::start(1, 30, Outside::Well).await?;
    let starts = server.free().await?;
    for (n, at) in starts.iter().step_by(3).take(150).enumerate() {
        server.book(*at, &format!("p{n}@acme.example")).await?;
    }
    let taken = Timestamp(*starts.first().ok_or_else(|| anyhow::anyhow!("no times"))?);
    let app = &server.app;
    let desk = Desk { team: &app.team, lifecycle: &app.lifecycle };
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    for _ in 0..101 {
        let pick = Pick {
            meeting: "call",
            starts_at: taken,
            duration_ms: None,
            time_zone: "Europe/Madrid",
            language: Language::En,
            holder: Holder { visitor: Some(VisitorId::new()), conversation: None },
            contact: None,
        };
        let mut tx = app.stores.db.begin().await?;
        let begun = Instant::now();
        let refused = bookings::hold(&mut tx, desk, &pick, NOW).await;
        inside.push(begun.elapsed());
        drop(tx);
        let Err(refused) = refused else { anyhow::bail!("a taken time was given away") };
        let begun = Instant::now();
        let refused = bookings::nearest(&mut app.stores.db.read(), desk, &pick, refused, NOW).await;
        outside.push(begun.elapsed());
        let bookings::Error::SlotTaken { alternatives } = refused else { anyhow::bail!("{refused}") };
        ensure!(alternatives.len() == 3, "{} alternatives", alternatives.len());
    }
    inside.sort_unstable();
    outside.sort_unstable();
    let (inside, outside) = (percentile(&inside, 50), percentile(&outside, 50));
    told(
        &json!({ "case": "refusals", "writer_ms": inside, "alternatives_ms": outside, "machine": machine() }),
    )?;
    eprintln!(
        "a refusal keeps the writer for {inside:.2} ms; its alternatives take {outside:.2} ms more, which the writer would \
         have waited for (× {:.1}); {}",
        (inside + outside) / inside,
        machine()
    );
    Ok(())
}

async fn races(rounds: usize) -> anyhow::Result<()> {
    let begun = Instant::now();
    let server = Arc::new(Server::start(1, 60, Outside::Well).await?);
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        // A quarter of an hour apart, and half an hour each: these two overlap. The next round's lie behind them.
        let free = server.free().await?;
        let overlaps = |pair: &&[i64]| pair[1] - pair[0] == 15 * 60_000;
        let Some([first, second]) = free.windows(2).find(overlaps).map(|pair| [pair[0], pair[1]]) else {
            anyhow::bail!("all is booked after {round} rounds")
        };
        let work = (0..CROWD).map(|n| {
            let (server, at) = (server.clone(), if n % 2 == 0 { first } else { second });
            tokio::spawn(async move {
                let begun = Instant::now();
                let status = server.book(at, &format!("p{round}-{n}@acme.example")).await;
                (status, begun.elapsed())
            })
        });
        let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
        for task in work.collect::<Vec<_>>() {
            let (status, took) = task.await?;
            *statuses.entry(status?).or_insert(0) += 1;
            slowest = slowest.max(took);
        }
        let wanted = BTreeMap::from([(201, 1), (409, CROWD - 1)]);
        ensure!(statuses == wanted, "round {round}: {statuses:?}");
    }
    let seconds = begun.elapsed().as_secs_f64();
    told(&json!({
        "case": "races", "rounds": rounds, "crowd": CROWD, "seconds": seconds,
        "slowest_ms": slowest.as_secs_f64() * 1_000.0, "machine": machine(),
    }))?;
    eprintln!("{rounds} rounds of {CROWD} for one time: one booked each, {seconds:.1} s; {}", machine());
    Ok(())
}
