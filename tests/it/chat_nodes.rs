//! The chat on real servers that are killed, behind a network that breaks: a visitor and Mike talk on, and everything
//! that was said stands in the log once. On SQLite one server dies and comes back; on PostgreSQL two servers share a
//! Redis, which is restarted, too.
#![allow(clippy::unwrap_used, reason = "a panic in a test is a failed test")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use embudo::base::ids::{VisitorId, new_key};
use reqwest::header::{COOKIE, ORIGIN};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::app::{SITE, repository};
use crate::support::port;
use crate::support::redis::OwnRedis;
use crate::support::stores::{Mix, fresh_postgres, mix};

const PROGRAM: &str = env!("CARGO_BIN_EXE_embudo");
const PASSWORD: &str = "a lighthouse at night";
/// What each side says.
const WORDS: usize = 40;

/// A server of its own process. It is killed when it is dropped.
struct Server {
    folder: Arc<TempDir>,
    port: u16,
    child: Child,
}

impl Server {
    fn start(folder: Arc<TempDir>, storage: &str) -> Self {
        let port = port::free();
        std::fs::write(folder.path().join("embudo.toml"), settings(folder.path(), port, storage)).unwrap();
        let child = spawn(folder.path());
        Self { folder, port, child }
    }

    /// `kill -9`.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn restart(&mut self) {
        self.child = spawn(self.folder.path());
    }

    async fn is_up(&self) {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://127.0.0.1:{}/health/live", self.port);
        until_slowly("a server comes up", async || http.get(&url).send().await.is_ok()).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn until_slowly(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < Duration::from_secs(60), "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn spawn(folder: &Path) -> Child {
    let config = folder.join("embudo.toml");
    let mut command = Command::new(PROGRAM);
    command.arg("--config").arg(config).arg("serve").stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("it starts")
}

fn settings(folder: &Path, port: u16, storage: &str) -> String {
    let path = |path: &str| repository(path).display().to_string();
    let definitions = ["lifecycle", "forms", "content", "webinars", "team", "notify", "topics"]
        .map(|name| format!("{name} = {:?}\n", path(&format!("config/{name}.yaml"))))
        .concat();
    format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"http://127.0.0.1:{port}\"\nworkers = 1\n\
         secret = \"the secret of the tests, forty characters\"\n\
         [chat]\nmessages_apart_ms = 0\nmessages_per_minute = 100000\nmessages_burst = 100000\nopened_per_minute = 1000\n\
         [company]\nname = \"Librería Faro\"\nbot_name = \"Fari\"\n\
         [log]\nlevel = \"error\"\n\
         [definitions]\n{definitions}mails = {:?}\nnurture = {:?}\nflows = {:?}\n\
         [storage]\ndata = {:?}\n{storage}\n\
         [[site]]\nkey = \"faro\"\nname = \"Faro\"\norigins = [{SITE:?}]\n",
        path("config/mails"),
        path("config/nurture"),
        path("bot-flows"),
        folder.join("data").display().to_string(),
    )
}

/// A stretch of network before a server: it carries, breaks what it carries, or swallows it (a line that is half open).
struct Network {
    port: u16,
    mood: Arc<AtomicU8>,
}

const CARRIES: u8 = 0;
const BREAKS: u8 = 1;
const SWALLOWS: u8 = 2;

impl Network {
    async fn before(server: u16) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mood = Arc::new(AtomicU8::new(CARRIES));
        let moods = mood.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, SocketAddr::from(([127, 0, 0, 1], server)), moods.clone()));
            }
        });
        Self { port, mood }
    }

    fn is(&self, mood: u8) {
        self.mood.store(mood, Ordering::Relaxed);
    }
}

async fn carry(mut client: TcpStream, to: SocketAddr, mood: Arc<AtomicU8>) {
    let Ok(mut server) = TcpStream::connect(to).await else { return };
    let (mut there, mut back) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    // A line that has lost something is lost for good: nobody hears of what comes after a hole.
    let mut is_half_open = false;
    loop {
        let (read, is_there) = tokio::select! {
            read = client.read(&mut there) => (read, true),
            read = server.read(&mut back) => (read, false),
            () = tokio::time::sleep(Duration::from_millis(20)) => {
                if mood.load(Ordering::Relaxed) == BREAKS { return; }
                continue;
            }
        };
        let Ok(count @ 1..) = read else { return };
        match mood.load(Ordering::Relaxed) {
            BREAKS => return,
            // What is asked still arrives; what is answered does not.
            SWALLOWS if !is_there => is_half_open = true,
            _ => {}
        }
        if is_half_open && !is_there {
            continue;
        }
        let carried = match is_there {
            true => server.write_all(&there[..count]).await,
            false => client.write_all(&back[..count]).await,
        };
        if carried.is_err() {
            return;
        }
    }
}

/// Sends a request to one node after the other until one of them answers it for good.
async fn insist(nodes: &[u16], ask: impl Fn(&str) -> reqwest::RequestBuilder) -> (u16, Value, String) {
    let start = Instant::now();
    for tries in 0.. {
        assert!(start.elapsed() < Duration::from_secs(90), "nobody answers");
        let node = format!("http://127.0.0.1:{}", nodes[tries % nodes.len()]);
        let asked = async {
            let answer = ask(&node).send().await.ok()?;
            let (status, cookie) = (answer.status().as_u16(), answer.headers().get("set-cookie").cloned());
            let body = answer.text().await.ok()?;
            let cookie = cookie.and_then(|cookie| Some(cookie.to_str().ok()?.split(';').next()?.to_owned()));
            Some((
                status,
                serde_json::from_str(&body).unwrap_or(Value::String(body)),
                cookie.unwrap_or_default(),
            ))
        };
        match timeout(Duration::from_secs(3), asked).await {
            Ok(Some((status, body, cookie))) if status < 500 && status != 429 => {
                return (status, body, cookie);
            }
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    unreachable!("it goes on until somebody answers")
}

/// Reads the log by streams from one node after the other until it has `enough`, each entry once and in order.
async fn read_on(
    nodes: Vec<u16>,
    path: String,
    token: String,
    enough: impl Fn(&[Value]) -> bool + Send + 'static,
) -> Vec<Value> {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let (mut log, start): (Vec<Value>, _) = (Vec::new(), Instant::now());
    for tries in 0.. {
        if enough(&log) {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(150), "the reader never has it all: {}", log.len());
        let url = format!("http://127.0.0.1:{}{path}?after={}", nodes[tries % nodes.len()], log.len());
        let opened = timeout(Duration::from_secs(3), http.get(url).bearer_auth(&token).send()).await;
        let Ok(Ok(mut answer)) = opened else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if answer.status() != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        }
        let mut rest = String::new();
        // Two seconds of silence are a dead line to this reader, who has no time for the beats.
        while let Ok(Ok(Some(chunk))) = timeout(Duration::from_secs(2), answer.chunk()).await {
            rest.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some((block, after)) = rest.split_once("\n\n") {
                let data = block.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
                let event: Value = serde_json::from_str(data).unwrap();
                if let Some(seq) = event["seq"].as_u64() {
                    assert_eq!(seq, u64::try_from(log.len()).unwrap() + 1, "told out of order, or twice");
                    log.push(event);
                }
                rest = after.to_owned();
            }
            if enough(&log) {
                return log;
            }
        }
    }
    log
}

fn said_by<'a>(log: &'a [Value], kind: &'a str) -> Vec<&'a str> {
    let of_kind = log.iter().filter(move |event| event["author"]["kind"] == kind);
    of_kind.filter_map(|event| event["body"]["text"].as_str()).collect()
}

#[actix_web::test]
async fn servers_are_killed_and_redis_is_restarted_and_what_was_said_stands_in_the_log_once() {
    // Fails only if another test did it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let is_spread = mix() == Mix::Spread;
    let mut redis = is_spread.then(|| OwnRedis::start(&[]));
    let storage = match &redis {
        Some(redis) => {
            let postgres = fresh_postgres().await.unwrap();
            format!("postgres = {postgres:?}\npostgres_pool = 4\nredis = {:?}\n", redis.url())
        }
        None => String::new(),
    };
    let count = if is_spread { 2 } else { 1 };
    let mut servers: Vec<Server> =
        (0..count).map(|_| Server::start(Arc::new(TempDir::new().unwrap()), &storage)).collect();
    for server in &servers {
        server.is_up().await;
    }
    let add = |server: &Server| {
        use std::io::Write;
        let mut child = Command::new(PROGRAM)
            .arg("--config")
            .arg(server.folder.path().join("embudo.toml"))
            .args(["user", "add", "mike@faro.example", "--name", "Mike", "--role", "sdr", "--password-stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    };
    add(&servers[0]);
    let mut networks = Vec::new();
    for server in &servers {
        networks.push(Network::before(server.port).await);
    }
    let ports: Vec<u16> = networks.iter().map(|network| network.port).collect();
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    // A connection of its own for each request: what broke is not used again.
    let http = http.pool_max_idle_per_host(0).build().unwrap();

    let coming = json!({
        "site": "faro", "visitor": VisitorId::new().to_string(), "consent": "analytics",
        "page": {"url": SITE, "title": ""}, "language": "en", "zone": "Europe/Madrid",
    });
    let (status, opened, _) = insist(&ports, |node| {
        http.post(format!("{node}/v1/chat")).header(ORIGIN, SITE).body(coming.to_string())
    })
    .await;
    assert!(matches!(status, 200 | 201), "{opened}");
    let word = |name: &str| opened[name].as_str().unwrap().to_owned();
    let (id, token) = (word("conversation"), word("token"));

    let fields = form(&[("email", "mike@faro.example"), ("password", PASSWORD), ("next", "/console")]);
    let (status, page, cookie) =
        insist(&ports, |node| form_to(&http, &format!("{node}/console/login"), &fields)).await;
    assert_eq!(status, 303, "{page}");
    let (_, page, _) =
        insist(&ports, |node| http.get(format!("{node}/console")).header(COOKIE, &cookie)).await;
    let csrf =
        page.as_str().unwrap().split("name=\"csrf\" content=\"").nth(1).unwrap().split('"').next().unwrap();
    let form_of = |fields: &[(&str, &str)]| form(&[fields, &[("csrf", csrf)]].concat());
    let inbox = |node: &str, what: &str| format!("{node}/console/inbox/{id}/{what}");
    let accept = form_of(&[]);
    let (status, page, _) = insist(&ports, |node| {
        form_to(&http, &inbox(node, "accept"), &accept)
            .header(COOKIE, &cookie)
            .header("sec-fetch-site", "same-origin")
    })
    .await;
    assert_eq!(status, 303, "{page}");

    let path = format!("/v1/chat/{id}/stream");
    let all_said =
        |log: &[Value]| said_by(log, "visitor").len() >= WORDS && said_by(log, "agent").len() >= WORDS;
    let readers: Vec<_> = (0..2)
        .map(|at| {
            let mut nodes = ports.clone();
            nodes.rotate_left(at % count);
            tokio::spawn(read_on(nodes, path.clone(), token.clone(), all_said))
        })
        .collect();
    let is_over = AtomicBool::new(false);

    let visitor = async {
        for n in 0..WORDS {
            let message =
                json!({"client_id": new_key(), "body": {"type": "text", "text": format!("visitor {n}")}});
            let (status, answer, _) = insist(&ports, |node| {
                let url = format!("{node}/v1/chat/{id}/messages");
                http.post(url).bearer_auth(&token).body(message.to_string())
            })
            .await;
            assert!(matches!(status, 200 | 201), "{status}: {answer}");
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    };
    let mike = async {
        for n in 0..WORDS {
            let (text, key) = (format!("agent {n}"), new_key());
            let said = form_of(&[("text", text.as_str()), ("client_id", key.as_str())]);
            let (status, answer, _) = insist(&ports, |node| {
                form_to(&http, &inbox(node, "say"), &said)
                    .header(COOKIE, &cookie)
                    .header("sec-fetch-site", "same-origin")
            })
            .await;
            assert_eq!(status, 303, "{answer}");
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    };
    let fate = async {
        let mut round = 0;
        // Every kind of trouble at least once.
        while !is_over.load(Ordering::Relaxed) || round < 5 {
            let at = round % count;
            match round % 5 {
                0 => networks[at].is(BREAKS),
                1 => networks[at].is(SWALLOWS),
                2 => {
                    servers[at].kill();
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    // A node does not start without Redis; this one has it.
                    servers[at].restart();
                    servers[at].is_up().await;
                }
                3 => {
                    if let Some(redis) = &mut redis {
                        redis.kill();
                        tokio::time::sleep(Duration::from_millis(300)).await;
                        redis.restart();
                    }
                }
                _ => {}
            }
            tokio::time::sleep(Duration::from_millis(400)).await;
            networks.iter().for_each(|network| network.is(CARRIES));
            tokio::time::sleep(Duration::from_millis(200)).await;
            round += 1;
        }
    };
    let talk = async {
        futures_util::future::join(visitor, mike).await;
        is_over.store(true, Ordering::Relaxed);
    };
    futures_util::future::join(talk, fate).await;

    let wanted = |who: &str| (0..WORDS).map(|n| format!("{who} {n}")).collect::<Vec<String>>();
    let mut logs = Vec::new();
    for reader in readers {
        logs.push(timeout(Duration::from_secs(120), reader).await.expect("the readers have it all").unwrap());
    }
    for log in &logs {
        assert_eq!(
            said_by(log, "visitor"),
            wanted("visitor"),
            "once each, in the order in which it was said"
        );
        assert_eq!(said_by(log, "agent"), wanted("agent"));
    }
    let shorter = logs.iter().map(Vec::len).min().unwrap();
    assert_eq!(logs[0][..shorter], logs[1][..shorter]);
}

fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn form_to(http: &reqwest::Client, url: &str, fields: &str) -> reqwest::RequestBuilder {
    http.post(url).header("content-type", "application/x-www-form-urlencoded").body(fields.to_owned())
}
