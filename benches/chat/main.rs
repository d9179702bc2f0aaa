//! The chat's lines: what ten thousand idle streams cost, and how soon a message is with its readers beside them.
//!
//! `cargo bench --bench chat -- [--streams N] [--talks N] [--per-second N] [--seconds N] [--rounds N]`. Three servers, one after the
//! other, in processes of their own: an empty actix handler that passes on what it gets and keeps nothing (`raw`), the
//! product on SQLite where a person has each talk (`product`) and a message is answered when it is on disk, and the same
//! where each message is an answer to a flow, which asks again (`bot`: a turn of the engine with its state and what the
//! bot says, in one transaction). Messages leave at fixed times, whatever the
//! server does meanwhile, and the time counts from then until a reader has it. There are five rounds of messages with each
//! server; what is told is the median of the rounds, with the least and the most. A message that a reader does not get, or
//! gets twice, fails the run. Prints the machine, and writes `target/bench/chat.json`.

use std::collections::HashMap;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_web::{App as ActixApp, HttpResponse, HttpServer, web};
use embudo::accounts::{self, NewAccount, Role};
use embudo::app::App;
use embudo::base::ids::{ConversationId, VisitorId, new_key};
use embudo::base::language::Language;
use embudo::base::signing::{Keys, Purpose};
use embudo::base::time::{Clock, DAY_MS};
use embudo::chat::{self, Agent, Page, Visit};
use embudo::config::Config;
use embudo::contacts::Consent;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::broadcast;

// As the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// File descriptors beside those of the streams.
const SPARE: u64 = 1_000;

#[derive(Clone, Copy)]
struct Run {
    streams: usize,
    talks: usize,
    per_second: u32,
    seconds: u32,
    rounds: usize,
}

/// A stream to be opened: its path and the token for it.
type Place = (String, String);

/// A flow that asks the same again and again.
const ROUND: &str = "flow: round
title: Round and round
languages: [en]
trigger: {when: opened}
vars: {mood: {type: enum, values: [good, bad], save: true}}
defaults: {exhausted: bye, timeout: {after: 30m, goto: bye}}
events: {human_requested: bye}
steps:
  mood: {ask: How are you?, var: mood, choices: {good: Good, bad: Bad}}
  by: {switch: [{if: vars.mood == \"good\", goto: good}, {else: mood}]}
  good: {say: I am glad to hear that., goto: mood}
  bye: {say: Goodbye., end: done}
";

/// What is said in the conversations that are talked in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    /// Words, to a person.
    Words,
    /// Answers, to the flow.
    Answers,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |name: &str, or: u32| {
        let at = words.iter().position(|word| *word == name);
        at.and_then(|at| words.get(at + 1)).and_then(|text| text.parse().ok()).unwrap_or(or)
    };
    if let ["serve", case, port, folder] = words.as_slice() {
        return serve(case, port, folder);
    }
    let wanted = usize::try_from(number("--streams", 10_000)).unwrap_or(10_000);
    if let Some(code) = with_descriptors(&arguments, wanted) {
        return code;
    }
    let run = Run {
        streams: wanted,
        talks: usize::try_from(number("--talks", 100)).unwrap_or(100),
        per_second: number("--per-second", 500),
        seconds: number("--seconds", 10),
        rounds: usize::try_from(number("--rounds", 5).max(1)).unwrap_or(5),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match runtime.expect("a runtime").block_on(measure(run)) {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("chat: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Starts this program again with as many file descriptors as the streams need, where it has fewer.
fn with_descriptors(arguments: &[String], streams: usize) -> Option<ExitCode> {
    let needed = u64::try_from(streams).unwrap_or(u64::MAX).saturating_add(SPARE);
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let has = line.and_then(|line| line.split_whitespace().next()).and_then(|soft| soft.parse::<u64>().ok());
    if has.is_some_and(|has| has >= needed) {
        return None;
    }
    let again = Command::new("prlimit")
        .arg(format!("--nofile={needed}:{needed}"))
        .arg(std::env::current_exe().expect("this program"))
        .args(arguments)
        .status();
    match again {
        Ok(status) if status.success() => Some(ExitCode::SUCCESS),
        problem => {
            let has = has.unwrap_or(0);
            eprintln!(
                "{streams} streams need {needed} file descriptors, here are {has}: raise `ulimit -n` ({problem:?})"
            );
            Some(ExitCode::FAILURE)
        }
    }
}

// --- the servers -----------------------------------------------------------------------------------

fn config(folder: &str, port: &str) -> Config {
    let root = env!("CARGO_MANIFEST_DIR");
    let names = ["lifecycle", "forms", "content", "webinars", "team", "notify", "topics"];
    let definitions = names.map(|name| format!("{name} = \"{root}/config/{name}.yaml\"\n")).concat();
    let settings = format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"http://127.0.0.1:{port}\"\n\
         secret = \"the secret of the load runs, forty characters\"\n\
         [storage]\ndata = \"{folder}/data\"\n\
         [definitions]\n{definitions}mails = \"{root}/config/mails\"\nnurture = \"{root}/config/nurture\"\n\
         flows = \"{folder}/flows\"\n\
         [chat]\nmessages_per_minute = 10000000\nmessages_burst = 10000000\nmessages_apart_ms = 0\n\
         [log]\nlevel = \"warn\"\n[[site]]\nkey = \"bench\"\nname = \"Bench\"\norigins = [\"https://faro.example\"]\n"
    );
    let file = format!("{folder}/embudo.toml");
    std::fs::write(&file, settings).expect("written");
    std::fs::create_dir_all(format!("{folder}/flows")).expect("a folder");
    std::fs::write(format!("{folder}/flows/round.yaml"), ROUND).expect("written");
    Config::load(Some(Path::new(&file)), std::iter::empty()).expect("valid settings")
}

/// Serves a case until it is killed.
fn serve(case: &str, port: &str, folder: &str) -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).expect("the port is free");
    let served = actix_web::rt::System::new().block_on(async {
        if case == "raw" {
            return raw(listener).await;
        }
        let app = App::build(config(folder, port), Clock::system()).await.expect("an app");
        embudo::http::serve(Arc::new(app), listener)?.await
    });
    if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

type Lines = Mutex<HashMap<String, broadcast::Sender<web::Bytes>>>;

fn line(lines: &Lines, id: &str) -> broadcast::Sender<web::Bytes> {
    let mut lines = lines.lock().expect("nobody panics in here");
    lines.entry(id.to_owned()).or_insert_with(|| broadcast::channel(64).0).clone()
}

/// Passes messages on to whoever listens, and keeps nothing.
async fn raw(listener: TcpListener) -> std::io::Result<()> {
    let lines = web::Data::new(Lines::default());
    let app = move || {
        ActixApp::new()
            .app_data(lines.clone())
            .route("/v1/chat/{id}/messages", web::post().to(raw_say))
            .route("/v1/chat/{id}/stream", web::get().to(raw_stream))
    };
    HttpServer::new(app).listen(listener)?.run().await
}

async fn raw_say(lines: web::Data<Lines>, id: web::Path<String>, body: web::Bytes) -> HttpResponse {
    let text = [b"event: event\ndata: ".as_slice(), &body, b"\n\n"].concat();
    let _ = line(&lines, &id).send(text.into());
    HttpResponse::Created().finish()
}

async fn raw_stream(lines: web::Data<Lines>, id: web::Path<String>) -> HttpResponse {
    let hears = line(&lines, &id).subscribe();
    let pieces = futures_util::stream::unfold((hears, true), |(mut hears, is_first)| async move {
        let piece = if is_first { web::Bytes::from_static(b": \n\n") } else { hears.recv().await.ok()? };
        Some((Ok::<_, actix_web::Error>(piece), (hears, false)))
    });
    HttpResponse::Ok().insert_header(("content-type", "text/event-stream")).streaming(pieces)
}

struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    fn start(case: &str, folder: &Path) -> Result<Self, String> {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let port = port.map_err(|error| error.to_string())?.port();
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let child = Command::new(program)
            .args(["serve", case, &port.to_string()])
            .arg(folder)
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let server = Self { child, port };
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("{case} does not answer"))
    }

    /// Resident memory in KiB; what the kernel keeps for the sockets is not in it.
    fn resident_kib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse().ok());
        kib.unwrap_or(f64::NAN)
    }

    /// CPU time used so far, in seconds (proc(5): 100 ticks a second).
    fn cpu_s(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let after_name = stat.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default();
        let ticks =
            after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
        ticks.sum::<f64>() / 100.0
    }
}

// --- the conversations -----------------------------------------------------------------------------

/// Conversations in the product's store: those in which a person has the word, those in which the flow has it, and the
/// idle ones.
struct Conversations {
    with_person: Vec<Place>,
    with_bot: Vec<Place>,
    idle: Vec<Place>,
}

async fn conversations(folder: &str, run: Run) -> Result<Conversations, String> {
    let told = |error: &dyn std::fmt::Display| error.to_string();
    let app = App::build(config(folder, "1"), Clock::system()).await.map_err(|error| format!("{error:#}"))?;
    let now = app.clock.now();
    let db = &app.stores.db;
    let mut tx = db.begin().await.map_err(|error| told(&error))?;
    let new = NewAccount {
        email: "mike@faro.example",
        name: "Mike",
        role: Role::Sdr,
        language: Language::En,
        password: "a lighthouse at night",
    };
    let account = accounts::add(&mut tx, &new, now).await.map_err(|error| told(&error))?;
    tx.commit().await.map_err(|error| told(&error))?;
    let mike = Agent { id: account.id, name: account.name };
    let place = |id: ConversationId| {
        let claims = Keys::claims(id.to_string(), now, now.plus_ms(DAY_MS));
        (format!("/v1/chat/{id}"), app.keys.sign(Purpose::Conversation, &claims))
    };
    let (mut with_person, mut with_bot) = (Vec::new(), Vec::new());
    let mut one = None;
    for n in 0..run.talks.saturating_mul(2) {
        let visit = Visit {
            site: "bench".to_owned(),
            visitor: Some(VisitorId::new()),
            consent: Consent::Analytics,
            page: Page::default(),
            language: Language::En,
            zone: "Europe/Madrid".to_owned(),
            is_hosted: false,
        };
        let opened = chat::open(&app.room, &visit, None, now).await.map_err(|error| told(&error))?;
        let id = opened.conversation.id;
        if n % 2 == 1 {
            with_bot.push(place(id));
            continue;
        }
        one = Some(id);
        chat::accept(&app.room, id, &mike, now).await.map_err(|error| told(&error))?;
        with_person.push(place(id));
    }
    // The idle ones are copies of one of them, written at once.
    let one = one.ok_or("there is nothing to talk in")?;
    let mut tx = db.begin().await.map_err(|error| told(&error))?;
    let mut idle = Vec::new();
    for _ in 0..run.streams.saturating_sub(run.talks) {
        let id = ConversationId::new();
        for statement in [
            embudo::sql!(
                "insert into conversations (id, site, visitor_id, contact_id, flow, flow_version, language, time_zone,
                     page, mode, state, head, opened_at, updated_at)
                 select $2, site, $2, contact_id, flow, flow_version, language, time_zone, page, mode, state, head,
                     opened_at, updated_at from conversations where id = $1"
            ),
            embudo::sql!(
                "insert into messages (conversation_id, seq, author, body, at)
                 select $2, seq, author, body, at from messages where conversation_id = $1"
            ),
        ] {
            tx.execute(statement, embudo::params![one, id]).await.map_err(|error| told(&error))?;
        }
        idle.push(place(id));
    }
    tx.commit().await.map_err(|error| told(&error))?;
    Ok(Conversations { with_person, with_bot, idle })
}

// --- the load --------------------------------------------------------------------------------------

/// When each message was to leave, and when a reader had it.
#[derive(Default)]
struct Told {
    left: HashMap<String, Instant>,
    /// Milliseconds, one for each message that arrived.
    times: Vec<f64>,
    doubled: usize,
    unknown: usize,
}

/// Opens a stream and reads it until the process ends; `told` hears of every message in it.
async fn listen(port: u16, (path, token): Place, told: Option<Arc<Mutex<Told>>>) -> Result<(), String> {
    let mut socket =
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.map_err(|error| error.to_string())?;
    let request = format!(
        "GET {path}/stream HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\
         accept: text/event-stream\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut buffer = vec![0; 4_096];
    let count = socket.read(&mut buffer).await.map_err(|error| error.to_string())?;
    if !buffer[..count].starts_with(b"HTTP/1.1 200") {
        return Err(String::from_utf8_lossy(&buffer[..count]).into_owned());
    }
    tokio::spawn(async move {
        const MARK: &str = "\"client_id\":\"";
        let mut rest = String::new();
        let mut seen = std::collections::HashSet::new();
        while let Ok(count @ 1..) = socket.read(&mut buffer).await {
            let Some(told) = &told else { continue };
            let now = Instant::now();
            rest.push_str(&String::from_utf8_lossy(&buffer[..count]));
            while let Some(at) = rest.find(MARK) {
                let Some(id) = rest.get(at + MARK.len()..at + MARK.len() + 36) else { break };
                let mut told = told.lock().expect("nobody panics in here");
                match told.left.get(id).copied() {
                    _ if !seen.insert(id.to_owned()) => told.doubled += 1,
                    Some(left) => {
                        told.times.push(now.saturating_duration_since(left).as_secs_f64() * 1_000.0)
                    }
                    None => told.unknown += 1,
                }
                rest.drain(..at + MARK.len() + 36);
            }
            // A mark may be cut in two.
            let keep = rest.len().saturating_sub(200);
            if !rest.contains(MARK) && rest.is_char_boundary(keep) {
                rest.drain(..keep);
            }
        }
    });
    Ok(())
}

/// Opens streams, a hundred at a time.
async fn listen_all(port: u16, places: &[Place], told: Option<&Arc<Mutex<Told>>>) -> Result<(), String> {
    for some in places.chunks(100) {
        let opening = some.iter().map(|place| listen(port, place.clone(), told.cloned()));
        futures_util::future::try_join_all(opening).await?;
    }
    Ok(())
}

/// One figure of several rounds.
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(mut rounds: Vec<f64>) -> Self {
        rounds.sort_by(f64::total_cmp);
        let at = |place: usize| rounds.get(place).copied().unwrap_or(f64::NAN);
        let last = rounds.len().saturating_sub(1);
        Self { median: at(rounds.len() / 2), least: at(0), most: at(last) }
    }

    fn json(&self) -> serde_json::Value {
        json!({ "median": self.median, "least": self.least, "most": self.most })
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} [{:.1}–{:.1}]", self.median, self.least, self.most)
    }
}

struct Figures {
    kib_per_stream: f64,
    idle_cpu: f64,
    p50_ms: Spread,
    p99_ms: Spread,
    most_ms: f64,
    sent: usize,
    refused: usize,
    lost: usize,
    doubled: usize,
}

async fn load(
    server: &Server,
    talks: &[Place],
    idle: &[Place],
    run: Run,
    says: Says,
) -> Result<Figures, String> {
    let told = Arc::new(Mutex::new(Told::default()));
    // The first hundred make whatever is made once.
    listen_all(server.port, talks, Some(&told)).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = server.resident_kib();
    listen_all(server.port, idle, None).await?;
    // Two beats, so that every stream has looked at its log.
    let (cpu, started) = (server.cpu_s(), Instant::now());
    tokio::time::sleep(Duration::from_secs(32)).await;
    let idle_cpu = (server.cpu_s() - cpu) / started.elapsed().as_secs_f64();
    let count = u32::try_from(idle.len().max(1)).map_err(|error| error.to_string())?;
    let kib_per_stream = (server.resident_kib() - before) / f64::from(count);

    let http = reqwest::Client::builder().no_proxy().build().map_err(|error| error.to_string())?;
    let (mut p50s, mut p99s, mut most_ms) = (Vec::new(), Vec::new(), 0.0_f64);
    let (mut sent, mut refused, mut arrived) = (0, 0, 0);
    for _ in 0..run.rounds {
        let (said, not_taken) = round(server, talks, run, says, &told, &http).await;
        let mut times = std::mem::take(&mut told.lock().expect("nobody panics in here").times);
        times.sort_by(f64::total_cmp);
        let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or(f64::NAN);
        p50s.push(at(50));
        p99s.push(at(99));
        most_ms = most_ms.max(times.last().copied().unwrap_or(f64::NAN));
        sent += said;
        refused += not_taken;
        arrived += times.len();
    }
    let doubled = told.lock().expect("nobody panics in here").doubled;
    Ok(Figures {
        kib_per_stream,
        idle_cpu,
        p50_ms: Spread::of(p50s),
        p99_ms: Spread::of(p99s),
        most_ms,
        sent,
        refused,
        lost: (sent - refused).saturating_sub(arrived),
        doubled,
    })
}

/// Sends for so many seconds, and waits until everything should have arrived. Returns how many were sent, and refused.
async fn round(
    server: &Server,
    talks: &[Place],
    run: Run,
    says: Says,
    told: &Mutex<Told>,
    http: &reqwest::Client,
) -> (usize, usize) {
    let total = run.per_second.saturating_mul(run.seconds);
    let start = tokio::time::Instant::now() + Duration::from_millis(200);
    let mut sending = Vec::new();
    for n in 0..total {
        let leaves = start + Duration::from_secs(1) * n / run.per_second.max(1);
        tokio::time::sleep_until(leaves).await;
        let (path, token) = talks[usize::try_from(n).unwrap_or(0) % talks.len()].clone();
        let id = new_key();
        told.lock().expect("nobody panics in here").left.insert(id.clone(), leaves.into_std());
        let said = match says {
            Says::Words => json!({"type": "text", "text": format!("message {n}, as people write")}),
            Says::Answers => json!({"type": "choice", "question": "mood", "choice": "good"}),
        };
        let body = json!({"client_id": id, "body": said});
        let url = format!("http://127.0.0.1:{}{path}/messages", server.port);
        let say = http.post(url).bearer_auth(token).body(body.to_string()).send();
        sending.push(tokio::spawn(async move { say.await.is_ok_and(|answer| answer.status() == 201) }));
    }
    let sent = sending.len();
    let mut refused = 0;
    for say in sending {
        refused += usize::from(!say.await.unwrap_or(false));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    (sent, refused)
}

async fn measure(run: Run) -> Result<ExitCode, String> {
    let folder = tempfile::tempdir_in(concat!(env!("CARGO_MANIFEST_DIR"), "/target"));
    let folder = folder.map_err(|error| error.to_string())?;
    let Conversations { with_person, with_bot, idle } =
        conversations(&folder.path().display().to_string(), run).await?;
    let machine = machine();
    println!(
        "{machine}; {} streams, {} messages a second for {} s, {} rounds: median [least–most]",
        run.streams, run.per_second, run.seconds, run.rounds
    );
    println!(
        "case      KiB/stream  idle CPU  p50 ms           p99 ms           most ms  sent  refused  lost  doubled"
    );
    let mut rows = Vec::new();
    let mut is_kept = true;
    let cases = [
        ("raw", &with_person, Says::Words),
        ("product", &with_person, Says::Words),
        ("bot", &with_bot, Says::Answers),
    ];
    for (case, talks, says) in cases {
        let server = Server::start(case, folder.path())?;
        let f = load(&server, talks, &idle, run, says).await?;
        println!(
            "{case:8}  {:10.1}  {:7.1}%  {:15}  {:15}  {:7.1}  {}  {}  {}  {}",
            f.kib_per_stream,
            f.idle_cpu * 100.0,
            f.p50_ms.to_string(),
            f.p99_ms.to_string(),
            f.most_ms,
            f.sent,
            f.refused,
            f.lost,
            f.doubled
        );
        is_kept &= f.lost == 0 && f.doubled == 0 && f.refused == 0;
        rows.push(json!({
            "case": case, "kib_per_stream": f.kib_per_stream, "idle_cpu": f.idle_cpu,
            "p50_ms": f.p50_ms.json(), "p99_ms": f.p99_ms.json(), "most_ms": f.most_ms, "sent": f.sent, "refused": f.refused, "lost": f.lost,
            "doubled": f.doubled,
        }));
    }
    let result = json!({
        "bench": "chat", "machine": machine, "streams": run.streams, "talks": run.talks,
        "per_second": run.per_second, "seconds": run.seconds, "rounds": run.rounds, "rows": rows,
    });
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench/chat.json");
    std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench"))
        .and_then(|()| std::fs::write(file, format!("{result:#}\n")))
        .map_err(|error| error.to_string())?;
    if !is_kept {
        return Err("a message was refused, lost or doubled".to_owned());
    }
    Ok(ExitCode::SUCCESS)
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZeroUsize::get);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|line| line.strip_prefix("model name")).and_then(|line| line.split_once(": "));
    format!("{cores} cores of {}", model.map_or("an unknown machine", |(_, name)| name))
}
