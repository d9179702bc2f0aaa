//! The product with Redis and PostgreSQL: how fast hits are taken into the streams with redis-server on the same cores,
//! and how fast they are carried from there into rows.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::backends::{Postgres, Redis};
use crate::load::{Case, Run, Server, Slice, machine, median, written};

const CONNECTIONS: [u32; 2] = [64, 256];
/// Time between two looks at what waits.
const LOOK: Duration = Duration::from_millis(20);
/// How long what waits may take to be carried and counted.
const PATIENCE: Duration = Duration::from_secs(180);
/// Rows that are not counted yet.
const UNCOUNTED: &str = "select coalesce((select max(seq) from hits), 0)
    - coalesce((select position from log_cursors where name = 'traffic'), 0)";

/// What is measured: a server and how its Redis flushes its file.
struct Line {
    name: &'static str,
    server: &'static str,
    fsync: &'static str,
}

const LINES: [Line; 4] = [
    Line { name: "redis, everysec", server: "redis", fsync: "everysec" },
    Line { name: "redis, always", server: "redis", fsync: "always" },
    Line { name: "redis, drained meanwhile", server: "redis-drained", fsync: "everysec" },
    Line { name: "redis, drained and counted meanwhile", server: "redis-carried", fsync: "everysec" },
];

/// A node with a Redis and a database of its own.
struct Node<'p> {
    server: Server,
    redis: Redis,
    postgres: &'p Postgres,
    database: String,
    line: &'static Line,
}

impl<'p> Node<'p> {
    fn start(
        line: &'static Line,
        number: usize,
        postgres: &'p Postgres,
        cores: usize,
    ) -> Result<Self, String> {
        let redis = Redis::start(line.fsync)?;
        let database = format!("line_{number}");
        let storage = redis.settings() + &postgres.settings(&database);
        let server = Server::start_on(&Case::shared(line.server, 1), cores, None, &storage);
        Ok(Self { server, redis, postgres, database, line })
    }

    fn cpu(&self) -> Cpu {
        Cpu { server: self.server.cpu_us(), redis: self.redis.cpu_us(), postgres: self.postgres.cpu_us() }
    }

    fn uncounted(&self) -> i64 {
        match self.line.server {
            "redis-carried" => self.postgres.number(&self.database, UNCOUNTED),
            _ => 0,
        }
    }

    /// Loads it, and lets it finish what it does meanwhile.
    fn load(&self, connections: u32, seconds: u32, cores: usize) -> Loaded {
        let is_carried = matches!(self.line.server, "redis-drained" | "redis-carried");
        if !is_carried {
            // Nothing carries it away, and Redis' file is rewritten with all of it again and again.
            self.redis.empty();
        }
        let before = self.cpu();
        let slice = self.server.load(&Case::shared(self.line.server, connections), seconds, cores);
        let behind = self.redis.waiting();
        if is_carried {
            until(|| self.redis.waiting() == 0 && self.uncounted() == 0);
        }
        Loaded { slice, cpu: self.cpu().since(&before).of(slice.hits), behind }
    }
}

fn until(is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "what waits is not carried");
        std::thread::sleep(LOOK);
    }
}

/// CPU time in microseconds.
#[derive(Clone, Copy)]
struct Cpu {
    server: f64,
    redis: f64,
    postgres: f64,
}

impl Cpu {
    fn since(&self, before: &Self) -> Self {
        Self {
            server: self.server - before.server,
            redis: self.redis - before.redis,
            postgres: self.postgres - before.postgres,
        }
    }

    fn of(&self, hits: f64) -> Self {
        let hits = hits.max(1.0);
        Self { server: self.server / hits, redis: self.redis / hits, postgres: self.postgres / hits }
    }

    fn json(&self) -> Value {
        json!({ "server": self.server, "redis": self.redis, "postgres": self.postgres })
    }
}

/// One slice with what it cost, all that followed included.
struct Loaded {
    slice: Slice,
    cpu: Cpu,
    behind: u64,
}

/// Loads each line beside the empty handler.
pub fn accept(run: Run) -> ExitCode {
    told(accepted(run))
}

/// Fills the streams with `hits` hits, and lets them be carried: into rows, and into rows that are counted.
pub fn drain(hits: u64) -> ExitCode {
    told(drained(hits))
}

fn told(outcome: Result<ExitCode, String>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

fn accepted(run: Run) -> Result<ExitCode, String> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let postgres = Postgres::start()?;
    let raw = Server::start(&Case::shared("raw", 1), cores, None);
    let nodes = LINES.iter().enumerate().map(|(number, line)| Node::start(line, number, &postgres, cores));
    let nodes: Vec<Node> = nodes.collect::<Result<_, String>>()?;
    let mut found: Vec<Vec<(f64, Loaded)>> = Vec::new();
    found.resize_with(CONNECTIONS.len() * nodes.len(), Vec::new);
    let mut raws: Vec<Vec<Slice>> = vec![Vec::new(); CONNECTIONS.len()];
    for round in 0..=run.rounds {
        for ((connections, found), raws) in
            CONNECTIONS.iter().zip(found.chunks_mut(nodes.len())).zip(&mut raws)
        {
            let beside = raw.load(&Case::shared("raw", *connections), run.seconds, cores);
            for (node, found) in nodes.iter().zip(found) {
                let loaded = node.load(*connections, run.seconds, cores);
                let (name, speed) = (node.line.name, loaded.slice.per_second);
                eprintln!("round {round}: {name:44} c{connections:<4} {speed:9.0} hits/s");
                // The first round warms caches and is not counted.
                if round > 0 {
                    found.push((speed / beside.per_second, loaded));
                }
            }
            if round > 0 {
                raws.push(beside);
            }
        }
    }
    let mut table = format!(
        "redis, {}, {} rounds of {} s\n\n| case | connections | hits/s | of raw, median [spread] | p50 / p99 ms | CPU µs/hit: server / redis-server / PostgreSQL | waiting at the end of a slice |\n|---|---|---|---|---|---|---|\n",
        machine(cores),
        run.rounds,
        run.seconds
    );
    let mut rows = Vec::new();
    for ((connections, found), raws) in CONNECTIONS.iter().zip(found.chunks(nodes.len())).zip(&raws) {
        let of = |value: fn(&Slice) -> f64| median(raws.iter().map(value).collect());
        let (speed, p50, p99, cpu) =
            (of(|s| s.per_second), of(|s| s.p50_ms), of(|s| s.p99_ms), of(|s| s.cpu_us));
        let _ = writeln!(
            table,
            "| raw | {connections} | {speed:.0} | 1 | {p50:.2} / {p99:.2} | {cpu:.1} / – / – | – |"
        );
        rows.push(
            json!({ "case": "raw", "connections": connections, "hits_per_second": speed, "p50_ms": p50,
            "p99_ms": p99, "cpu_us_per_hit": { "server": cpu } }),
        );
        for (line, found) in LINES.iter().zip(found) {
            let row = Row::of(found);
            let Row { speed, ratio, least, most, p50, p99, cpu, behind } = &row;
            let _ = writeln!(
                table,
                "| {} | {connections} | {speed:.0} | {ratio:.2} [{least:.2}–{most:.2}] | {p50:.2} / {p99:.2} | {:.1} / {:.1} / {:.1} | {behind:.0} |",
                line.name, cpu.server, cpu.redis, cpu.postgres
            );
            rows.push(json!({ "case": line.name, "connections": connections, "hits_per_second": speed,
                "of_raw": ratio, "p50_ms": p50, "p99_ms": p99, "cpu_us_per_hit": cpu.json(), "behind": behind }));
        }
    }
    println!("{table}");
    let result = json!({ "bench": "redis", "machine": machine(cores), "rounds": run.rounds, "seconds": run.seconds, "rows": rows });
    Ok(written("redis", &result))
}

/// Medians.
struct Row {
    speed: f64,
    ratio: f64,
    least: f64,
    most: f64,
    p50: f64,
    p99: f64,
    cpu: Cpu,
    behind: f64,
}

impl Row {
    #[allow(clippy::cast_precision_loss)]
    fn of(found: &[(f64, Loaded)]) -> Self {
        let of = |value: fn(&Loaded) -> f64| median(found.iter().map(|(_, loaded)| value(loaded)).collect());
        let ratios: Vec<f64> = found.iter().map(|(ratio, _)| *ratio).collect();
        Self {
            speed: of(|one| one.slice.per_second),
            least: ratios.iter().copied().fold(f64::NAN, f64::min),
            most: ratios.iter().copied().fold(f64::NAN, f64::max),
            ratio: median(ratios),
            p50: of(|one| one.slice.p50_ms),
            p99: of(|one| one.slice.p99_ms),
            cpu: Cpu {
                server: of(|one| one.cpu.server),
                redis: of(|one| one.cpu.redis),
                postgres: of(|one| one.cpu.postgres),
            },
            behind: of(|one| one.behind as f64),
        }
    }
}

fn drained(hits: u64) -> Result<ExitCode, String> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let postgres = Postgres::start()?;
    let mut rows = Vec::new();
    let mut table = format!(
        "drain, {}, {hits} hits\n\n| case | rows/s | CPU µs/row: carrier / redis-server / PostgreSQL | counted, rows/s | taken into the empty streams, hits/s (of raw) |\n|---|---|---|---|---|\n",
        machine(cores)
    );
    for (number, (name, carrier)) in
        [("rows", "redis-drained"), ("rows, visits, counts, projection", "redis-carried")]
            .into_iter()
            .enumerate()
    {
        let redis = Redis::start("everysec")?;
        let database = format!("drain_{number}");
        let storage = redis.settings() + &postgres.settings(&database);
        let (taken, of_raw) = fill(&redis, &storage, hits, cores);
        let full = redis.waiting();
        let server = Server::start_on(&Case::shared(carrier, 1), cores, None, &storage);
        let cpu = || Cpu { server: server.cpu_us(), redis: redis.cpu_us(), postgres: postgres.cpu_us() };
        // From the first batch on, so that the start of the process does not count.
        until(|| redis.waiting() < full);
        let (rest, started, before) = (redis.waiting(), Instant::now(), cpu());
        until(|| redis.waiting() == 0);
        let carried_s = started.elapsed().as_secs_f64();
        let is_counted = carrier == "redis-carried";
        if is_counted {
            until(|| postgres.number(&database, UNCOUNTED) == 0);
        }
        let counted_s = started.elapsed().as_secs_f64();
        #[allow(clippy::cast_precision_loss)]
        let rest = rest as f64;
        let cpu = cpu().since(&before).of(rest);
        let stored = postgres.number(&database, "select count(*) from hits");
        let counted = is_counted.then_some(rest / counted_s);
        let _ = writeln!(
            table,
            "| {name} | {:.0} | {:.1} / {:.1} / {:.1} | {} | {taken:.0} ({of_raw:.2}) |",
            rest / carried_s,
            cpu.server,
            cpu.redis,
            cpu.postgres,
            counted.map_or("–".to_owned(), |speed| format!("{speed:.0}"))
        );
        let bytes = postgres.number(&database, &format!("select pg_database_size('{database}')"));
        rows.push(json!({ "case": name, "waited": full, "rows": stored, "rows_per_second": rest / carried_s,
            "counted_per_second": counted, "cpu_us_per_row": cpu.json(), "taken_per_second": taken,
            "taken_of_raw": of_raw, "database_bytes": bytes, }));
        if u64::try_from(stored) != Ok(full) {
            return Err(format!("{full} hits waited, and {stored} rows stand"));
        }
    }
    println!("{table}");
    Ok(written("drain", &json!({ "bench": "drain", "machine": machine(cores), "rows": rows })))
}

/// Has a node take hits until so many wait; how many a second that were, and which part of what the empty handler takes.
fn fill(redis: &Redis, storage: &str, hits: u64, cores: usize) -> (f64, f64) {
    let (raw_case, case) = (Case::shared("raw", 64), Case::shared("redis", 64));
    let raw = Server::start(&raw_case, cores, None);
    let server = Server::start_on(&case, cores, None, storage);
    let (mut speeds, mut ratios) = (Vec::new(), Vec::new());
    while redis.waiting() < hits {
        let (beside, own) = (raw.load(&raw_case, 2, cores), server.load(&case, 2, cores));
        speeds.push(own.per_second);
        ratios.push(own.per_second / beside.per_second);
    }
    (median(speeds), median(ratios))
}
