//! Redis servers of a test's own, alone or as a cluster, that it may stop, break and empty.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::port;

/// How long servers may take to start or to agree.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that has every write in its file before it answers: with `everysec` it may answer before, while a flush of the
/// disk is under way. It ends when it is dropped.
pub struct OwnRedis {
    pub port: u16,
    folder: TempDir,
    arguments: Vec<String>,
    child: Child,
}

impl OwnRedis {
    /// Starts a server with further arguments.
    pub fn start(arguments: &[&str]) -> Self {
        let folder = TempDir::new().expect("a folder");
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let port = port::free();
        let child = spawn(port, folder.path(), &arguments);
        let server = Self { port, folder, arguments, child };
        server.is_up();
        server
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Starts it again where it was, with what its file holds.
    pub fn restart(&mut self) {
        self.child = spawn(self.port, self.folder.path(), &self.arguments);
        self.is_up();
    }

    /// Stops it in the middle of what it does: it listens and never answers.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let done = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status();
        assert!(done.expect("kill").success());
    }

    /// What redis-cli answers.
    pub fn ask(&self, words: &[&str]) -> String {
        let answer = Command::new("redis-cli")
            .args(["-p", &self.port.to_string()])
            .args(words)
            .output()
            .expect("redis-cli; `scripts/test` installs it");
        String::from_utf8_lossy(&answer.stdout).trim().to_owned()
    }

    fn is_up(&self) {
        wait("Redis", || {
            TcpStream::connect(("127.0.0.1", self.port)).is_ok() && self.ask(&["ping"]) == "PONG"
        });
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Redis Cluster of three masters, each with a replica if wanted.
pub struct OwnCluster {
    pub nodes: Vec<OwnRedis>,
}

impl OwnCluster {
    pub fn start(with_replicas: bool) -> Self {
        let count = if with_replicas { 6 } else { 3 };
        let arguments = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];
        let nodes: Vec<OwnRedis> = (0..count).map(|_| OwnRedis::start(&arguments)).collect();
        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create"]);
        create.args(nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)));
        create.args(["--cluster-replicas", if with_replicas { "1" } else { "0" }, "--cluster-yes"]);
        let made = create.output().expect("redis-cli");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        let cluster = Self { nodes };
        wait("the cluster", || {
            cluster.nodes.iter().all(|node| {
                node.ask(&["cluster", "info"]).contains("cluster_state:ok")
                    && node.ask(&["cluster", "nodes"]).lines().count() == count
            }) && (!with_replicas || cluster.nodes.iter().all(OwnRedis::is_in_step))
        });
        cluster
    }

    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// The place among the nodes of the one that answers for the slot of `key`.
    pub fn master_of(&self, key: &str) -> usize {
        let slot = self.nodes[0].ask(&["cluster", "keyslot", key]);
        self.nodes
            .iter()
            .position(|node| node.ask(&["cluster", "countkeysinslot", &slot]) != "0" && node.is_master())
            .expect("a master has the key")
    }
}

impl OwnRedis {
    fn is_master(&self) -> bool {
        self.ask(&["role"]).starts_with("master")
    }

    /// A replica whose copy is whole, or a master that has one.
    fn is_in_step(&self) -> bool {
        let info = self.ask(&["info", "replication"]);
        info.contains("master_link_status:up") || info.contains("state=online")
    }
}

fn spawn(port: u16, folder: &Path, arguments: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"])
        .args(["--appendfsync", "always", "--repl-diskless-sync-delay", "0", "--dir"])
        .arg(folder)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server; `scripts/test` installs it")
}

fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what} does not come up");
        std::thread::sleep(Duration::from_millis(20));
    }
}
