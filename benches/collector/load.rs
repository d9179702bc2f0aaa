//! Starts the servers, loads them by turns, and tells what came of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use serde_json::json;

/// Visitors of a run, unless it says otherwise.
const VISITORS: u32 = 4_096;

/// A server and how it is loaded.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub server: &'static str,
    pub connections: u32,
    pub is_pinned: bool,
    pub visitors: u32,
}

impl Case {
    /// One worker on the first core, the load on the second.
    pub const fn pinned(server: &'static str, connections: u32) -> Self {
        Self { server, connections, is_pinned: true, visitors: VISITORS }
    }

    /// As many workers and load threads as there are cores, on all of them.
    pub const fn shared(server: &'static str, connections: u32) -> Self {
        Self { server, connections, is_pinned: false, visitors: VISITORS }
    }
}

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    pub rounds: u32,
    pub seconds: u32,
}

/// One slice.
#[derive(Debug, Clone, Copy)]
pub struct Slice {
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub cpu_us: f64,
    pub hits: f64,
}

pub struct Server {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    /// Starts a case's server with an empty folder, or on a copy of `data`.
    pub fn start(case: &Case, cores: usize, data: Option<&Path>) -> Self {
        Self::start_on(case, cores, data, "")
    }

    /// As [`start`](Self::start), with further lines of the settings' `[storage]`.
    pub fn start_on(case: &Case, cores: usize, data: Option<&Path>, storage: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .expect("a free port")
            .port();
        let folder = tempfile::tempdir_in(concat!(env!("CARGO_MANIFEST_DIR"), "/target")).expect("a folder");
        if let Some(data) = data {
            let target = folder.path().join("data");
            let copied = Command::new("cp").arg("-a").arg(data).arg(target).status().expect("cp");
            assert!(copied.success(), "{} could not be copied", data.display());
        }
        let program = std::env::current_exe().expect("this program");
        let workers = if case.is_pinned { 1 } else { cores };
        let mut command = Command::new("taskset");
        command.args(["-c", &if case.is_pinned { "0".to_owned() } else { format!("0-{}", cores - 1) }]);
        command
            .arg(program)
            .args(["serve", case.server, &port.to_string(), &workers.to_string()])
            .arg(folder.path())
            .arg(storage);
        let child = command.stdout(Stdio::null()).spawn().expect("taskset and this program");
        let server = Self { child, port, folder };
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{} does not answer", case.server);
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Resident memory in MiB.
    pub fn resident_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib =
            line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<f64>().ok());
        kib.unwrap_or(f64::NAN) / 1_024.0
    }

    /// A number of the server's `/metrics`.
    pub fn metric(&self, name: &str) -> Option<i64> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        connection.write_all(b"GET /metrics HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").ok()?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).ok()?;
        let line = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|number| number.trim().parse().ok())
    }

    /// CPU time that the server has used, in microseconds.
    pub fn cpu_us(&self) -> f64 {
        cpu_us_of(self.child.id())
    }

    pub fn load(&self, case: &Case, seconds: u32, cores: usize) -> Slice {
        let before = self.cpu_us();
        let address = format!("http://127.0.0.1:{}/v1/hit", self.port);
        let words = ["bench", &case.visitors.to_string()];
        let slice = loaded(case, seconds, cores, "hits.lua", &address, &words);
        Slice { cpu_us: (self.cpu_us() - before) / slice.hits.max(1.0), ..slice }
    }
}

/// Loads an address by a script of `bench/`.
///
/// # Panics
/// If `wrk` is not there or says no number, or an answer was no success.
pub fn loaded(case: &Case, seconds: u32, cores: usize, script: &str, address: &str, words: &[&str]) -> Slice {
    let script = format!("{}/bench/{script}", env!("CARGO_MANIFEST_DIR"));
    let threads = if case.is_pinned { 1 } else { cores };
    let output = Command::new("taskset")
        .args(["-c", &if case.is_pinned { format!("1-{}", cores - 1) } else { format!("0-{}", cores - 1) }])
        .args(["wrk", "--latency", "-t", &threads.to_string(), "-c", &case.connections.to_string()])
        .args(["-d", &format!("{seconds}s"), "-s", &script, address, "--"])
        .args(words)
        .output()
        .expect("taskset is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "wrk did not run (Debian: `wrk`): {said}{text}");
    assert!(!text.contains("Non-2xx"), "{}: not every hit was accepted:\n{text}", case.server);
    let after = |name: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(name));
        line.and_then(|line| line.split_whitespace().last()).unwrap_or_default().to_owned()
    };
    let total = text
        .lines()
        .find_map(|line| line.trim().split_once(" requests in ")?.0.parse::<f64>().ok())
        .expect("wrk says how many it sent");
    Slice {
        per_second: after("Requests/sec:").parse().unwrap_or(0.0),
        p50_ms: millis(&after("50%")),
        p99_ms: millis(&after("99%")),
        cpu_us: f64::NAN,
        hits: total,
    }
}

/// CPU time that a process and the children that it has waited for have used, in microseconds.
pub fn cpu_us_of(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    // Of proc(5): utime, stime, cutime, cstime, in ticks of 10 ms.
    let ticks = after_name.split_whitespace().skip(11).take(4).filter_map(|text| text.parse::<f64>().ok());
    ticks.sum::<f64>() * 10_000.0
}

fn millis(text: &str) -> f64 {
    let number = |suffix: &str| text.strip_suffix(suffix).and_then(|text| text.parse::<f64>().ok());
    number("us")
        .map(|us| us / 1_000.0)
        .or_else(|| number("ms"))
        .or_else(|| number("s").map(|s| s * 1_000.0))
        .unwrap_or(f64::NAN)
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Run {
    /// Runs the cases and writes `target/bench/NAME.json` and a table.
    pub fn all(self, name: &str, cases: &[Case]) -> ExitCode {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let mut servers: BTreeMap<(&str, bool), Server> = BTreeMap::new();
        for case in cases {
            servers.entry((case.server, case.is_pinned)).or_insert_with(|| Server::start(case, cores, None));
        }
        let mut slices: Vec<Vec<Slice>> = vec![Vec::new(); cases.len()];
        for round in 0..=self.rounds {
            for (case, slices) in cases.iter().zip(&mut slices) {
                let Some(server) = servers.get(&(case.server, case.is_pinned)) else { continue };
                let slice = server.load(case, self.seconds, cores);
                eprintln!(
                    "round {round}: {:24} c{:<4} {:9.0} hits/s",
                    case.server, case.connections, slice.per_second
                );
                // The first round warms caches and is not counted.
                if round > 0 {
                    slices.push(slice);
                }
            }
        }
        let mut table = format!(
            "{name}, {}, {} rounds of {} s\n\n| case | connections | hits/s median [spread] | of raw, median [spread] | p50 / p99 ms | server CPU µs/hit |\n|---|---|---|---|---|---|\n",
            machine(cores),
            self.rounds,
            self.seconds
        );
        let mut rows = Vec::new();
        for (case, own) in cases.iter().zip(&slices) {
            let raw = cases
                .iter()
                .position(|other| {
                    other.server == "raw"
                        && other.connections == case.connections
                        && other.is_pinned == case.is_pinned
                })
                .and_then(|at| slices.get(at));
            let speeds: Vec<f64> = own.iter().map(|slice| slice.per_second).collect();
            let ratios: Vec<f64> = own
                .iter()
                .zip(raw.map(Vec::as_slice).unwrap_or_default())
                .map(|(own, raw)| own.per_second / raw.per_second)
                .collect();
            let spread = |values: &[f64]| {
                (
                    values.iter().copied().fold(f64::NAN, f64::min),
                    values.iter().copied().fold(f64::NAN, f64::max),
                )
            };
            let ((low, high), (least, most)) = (spread(&speeds), spread(&ratios));
            let of = |value: fn(&Slice) -> f64| median(own.iter().map(value).collect());
            let (p50, p99, cpu) = (of(|s| s.p50_ms), of(|s| s.p99_ms), of(|s| s.cpu_us));
            let (speed, ratio) = (median(speeds), median(ratios));
            let _ = writeln!(
                table,
                "| {} | {} | {speed:.0} [{low:.0}–{high:.0}] | {ratio:.2} [{least:.2}–{most:.2}] | {p50:.2} / {p99:.2} | {cpu:.1} |",
                case.server, case.connections
            );
            rows.push(json!({
                "case": case.server, "connections": case.connections, "pinned": case.is_pinned,
                "hits_per_second": speed, "of_raw": ratio, "p50_ms": p50, "p99_ms": p99, "cpu_us_per_hit": cpu,
            }));
        }
        println!("{table}");
        let result = json!({ "bench": name, "machine": machine(cores), "rounds": self.rounds, "seconds": self.seconds, "rows": rows });
        written(name, &result)
    }
}

/// Writes a result where other programs find it.
pub fn written(name: &str, result: &serde_json::Value) -> ExitCode {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench");
    let file = format!("{folder}/{name}.json");
    match std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, format!("{result:#}\n"))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{file}: {error}");
            ExitCode::FAILURE
        }
    }
}

pub fn machine(cores: usize) -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    format!("{cores} cores of {}", model.map_or("an unknown machine", |(_, name)| name))
}
