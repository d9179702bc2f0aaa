//! Another program beside this one: the same visitors, pages and browsers, each in the body that its own script sends.
//!
//! The other program is started by whoever has it; this one answers when a hit is on disk, and writes, counts and projects
//! it meanwhile.

use std::process::ExitCode;

use serde_json::json;

use crate::load::{Case, Run, Server, loaded, machine, median, written};

/// The programs whose bodies `bench/peers.lua` knows.
const SHAPES: [&str; 3] = ["liwan", "umami", "shynet"];

/// Loads both by turns; `address` is where the other one takes hits, `site` what it calls the site.
pub fn run(run: Run, shape: &str, address: &str, site: &str) -> ExitCode {
    if !SHAPES.contains(&shape) {
        eprintln!("{shape} is not among {}", SHAPES.join(", "));
        return ExitCode::from(2);
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let own = Case::shared("embedded-carried", 64);
    let server = Server::start(&own, cores, None);
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=run.rounds {
        let one = server.load(&own, run.seconds, cores);
        let other = loaded(&own, run.seconds, cores, "peers.lua", address, &[shape, site]);
        eprintln!("round {round}: embudo {:.0}, {shape} {:.0} hits/s", one.per_second, other.per_second);
        // The first round warms caches and is not counted.
        if round > 0 {
            ratios.push(one.per_second / other.per_second);
            ours.push(one);
            theirs.push(other);
        }
    }
    let of = |slices: &[crate::load::Slice], value: fn(&crate::load::Slice) -> f64| {
        median(slices.iter().map(value).collect())
    };
    let (one, other, ratio) = (of(&ours, |s| s.per_second), of(&theirs, |s| s.per_second), median(ratios));
    println!(
        "peers, {}, {} rounds of {} s, 64 connections\n\n| | hits/s | p50 / p99 ms |\n|---|---|---|\n\
         | embudo, answered when on disk | {one:.0} | {:.2} / {:.2} |\n| {shape} | {other:.0} | {:.2} / {:.2} |\n\n{ratio:.1} ×",
        machine(cores),
        run.rounds,
        run.seconds,
        of(&ours, |s| s.p50_ms),
        of(&ours, |s| s.p99_ms),
        of(&theirs, |s| s.p50_ms),
        of(&theirs, |s| s.p99_ms),
    );
    let result = json!({
        "bench": "peers", "machine": machine(cores), "peer": shape, "embudo_per_second": one,
        "peer_per_second": other, "ratio": ratio,
    });
    written("peers", &result)
}
