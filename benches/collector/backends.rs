//! A redis-server and a PostgreSQL of a run's own: free ports, folders that are thrown away, and stopped at the end.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::load::cpu_us_of;

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(30);
/// How every key of a run begins.
const PREFIX: &str = "bench";
const PARTITIONS: usize = 8;

/// A redis-server that writes every command into its file.
pub struct Redis {
    child: Child,
    port: u16,
    client: ::redis::Client,
    _folder: TempDir,
}

impl Redis {
    /// Starts one with this `appendfsync`.
    ///
    /// # Errors
    /// A sentence, if it is not installed or does not start.
    pub fn start(fsync: &str) -> Result<Self, String> {
        let folder = folder()?;
        let port = free_port()?;
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", fsync, "--dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("redis-server: {error} (Debian: apt install redis-server)"))?;
        let client = ::redis::Client::open(format!("redis://127.0.0.1:{port}")).map_err(|e| e.to_string())?;
        let server = Self { child, port, client, _folder: folder };
        wait("redis-server", || server.ask::<String>(&["PING"]).is_ok())?;
        Ok(server)
    }

    /// What stands in a node's `[storage]` to use it. More may wait than any run brings.
    pub fn settings(&self) -> String {
        format!(
            "redis = \"redis://127.0.0.1:{}\"\nredis_prefix = \"{PREFIX}\"\nstream_partitions = {PARTITIONS}\n\
             stream_backlog = 100000000\n",
            self.port
        )
    }

    /// Hits that wait for the database.
    pub fn waiting(&self) -> u64 {
        let keys: Vec<String> =
            (0..PARTITIONS).map(|partition| format!("{PREFIX}:{{p{partition}}}:waiting")).collect();
        let words: Vec<&str> = std::iter::once("MGET").chain(keys.iter().map(String::as_str)).collect();
        self.ask::<Vec<Option<u64>>>(&words).expect("Redis answers").into_iter().flatten().sum()
    }

    /// Throws away what waits and every visit.
    pub fn empty(&self) {
        self.ask::<String>(&["FLUSHALL"]).expect("Redis answers");
    }

    /// CPU time that it has used, in microseconds.
    pub fn cpu_us(&self) -> f64 {
        cpu_us_of(self.child.id())
    }

    fn ask<T: ::redis::FromRedisValue>(&self, words: &[&str]) -> ::redis::RedisResult<T> {
        let mut command = ::redis::Cmd::new();
        words.iter().for_each(|word| {
            command.arg(*word);
        });
        command.query(&mut self.client.get_connection()?)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A PostgreSQL with its own defaults, every commit flushed to the disk.
pub struct Postgres {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Postgres {
    /// Makes a cluster and starts it.
    ///
    /// # Errors
    /// A sentence, if it is not installed or does not start.
    pub fn start() -> Result<Self, String> {
        let folder = folder()?;
        let (port, programs) = (free_port()?, programs()?);
        let data = folder.path().join("data");
        let failed = |error: std::io::Error| format!("PostgreSQL: {error}");
        let made = as_user(&programs.join("initdb"), folder.path())?
            .arg("-D")
            .arg(&data)
            .args(["-U", "embudo", "--auth=trust", "--encoding=UTF8", "--no-sync"])
            .stdout(Stdio::null())
            .status();
        if !made.map_err(failed)?.success() {
            return Err("initdb does not make a PostgreSQL cluster".to_owned());
        }
        let child = as_user(&programs.join("postgres"), folder.path())?
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path())
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let server = Self { child, port, _folder: folder };
        wait("PostgreSQL", || server.ask("select 1").is_ok())?;
        Ok(server)
    }

    /// What stands in a node's `[storage]` to use a database of its own, which is made.
    pub fn settings(&self, database: &str) -> String {
        self.ask(&format!("create database {database}")).expect("made");
        format!("postgres = \"postgres://embudo@127.0.0.1:{}/{database}\"\n", self.port)
    }

    /// The one number that a question to a database has for an answer.
    pub fn number(&self, database: &str, question: &str) -> i64 {
        let answer = self.ask_in(database, question).expect("PostgreSQL answers");
        answer.parse().expect("a number")
    }

    /// CPU time that it has used, in microseconds: its processes that live, and those that have ended.
    pub fn cpu_us(&self) -> f64 {
        let own = self.child.id();
        let children =
            std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|process| process.parse().ok());
        std::iter::once(own).chain(children).map(cpu_us_of).sum()
    }

    fn ask(&self, text: &str) -> Result<String, String> {
        self.ask_in("postgres", text)
    }

    fn ask_in(&self, database: &str, text: &str) -> Result<String, String> {
        let port = self.port.to_string();
        let done = Command::new("psql")
            .args(["-qAtX", "-h", "127.0.0.1", "-p", &port, "-U", "embudo", "-d", database, "-c", text])
            .output()
            .map_err(|error| format!("psql: {error}"))?;
        match done.status.success() {
            true => Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned()),
            false => Err(String::from_utf8_lossy(&done.stderr).into_owned()),
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // QUIT: it stops at once, with its children. Killed it would leave them and their shared memory.
        drop(Command::new("kill").args(["-QUIT", &self.child.id().to_string()]).status());
        drop(self.child.wait());
    }
}

/// The folder of the newest PostgreSQL's programs.
fn programs() -> Result<PathBuf, String> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| {
            let number = version.file_name().to_string_lossy().parse().ok()?;
            Some((number, version.path().join("bin")))
        })
        .collect();
    found.sort();
    let newest =
        found.pop().map(|(_, programs)| programs).filter(|programs| programs.join("initdb").exists());
    newest.ok_or_else(|| "PostgreSQL is not installed (Debian: apt install postgresql)".to_owned())
}

/// A program of PostgreSQL's, which does not run as root: then it runs as the user that Debian makes for it, who is given
/// the folder.
fn as_user(program: &Path, folder: &Path) -> Result<Command, String> {
    let is_root =
        std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let mut command = Command::new(if is_root { Path::new("setpriv") } else { program });
    if is_root {
        let given = Command::new("chown").arg("postgres:").arg(folder).status();
        if !given.is_ok_and(|status| status.success()) {
            return Err("PostgreSQL does not run as root, and there is no user `postgres`".to_owned());
        }
        command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]).arg(program);
    }
    command.current_dir(folder);
    Ok(command)
}

/// Not under `target`: another user may not come in there.
fn folder() -> Result<TempDir, String> {
    TempDir::with_prefix("embudo-bench-").map_err(|error| format!("a folder: {error}"))
}

fn free_port() -> Result<u16, String> {
    let bound = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    bound.map(|address| address.port()).map_err(|error| format!("a free port: {error}"))
}

fn wait(what: &str, is_up: impl Fn() -> bool) -> Result<(), String> {
    let start = Instant::now();
    while !is_up() {
        if start.elapsed() > PATIENCE {
            return Err(format!("{what} does not start"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
