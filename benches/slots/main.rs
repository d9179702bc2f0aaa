//! What can be offered: 50 reps × 30 days are to take less than 5 ms on one core.
//!
//! `cargo bench --bench slots [-- --reps N --days N]`: calls of half an hour every quarter of an hour with five minutes
//! around them, eight busy blocks a day and rep, reps in four zones. The median of 21 rounds, which is added to
//! `target/bench/slots.json` with the machine.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use embudo::base::diagnostic::Report;
use embudo::base::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use embudo::bookings::slots::{self, Busy, Span};
use embudo::bookings::team::Team;
use serde_json::{Value, json};

// As the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 21;
const ZONES: [&str; 4] = ["Europe/Madrid", "America/Mexico_City", "America/New_York", "Asia/Kolkata"];
/// A Monday.
const NOW: Timestamp = Timestamp(1_795_420_800_000);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |name: &str, or: i64| {
        let at = arguments.iter().position(|word| word == name);
        at.and_then(|at| arguments.get(at + 1)).and_then(|text| text.parse().ok()).unwrap_or(or)
    };
    let (reps, days) = (number("--reps", 50), number("--days", 30));
    let report = Report::new();
    let Some(team) = Team::parse("team.yaml", &file(reps, days), &report) else {
        eprintln!("{}", report.text());
        return ExitCode::FAILURE;
    };
    let Some(meeting) = team.meeting("call") else { return ExitCode::FAILURE };
    let busy = busy(reps, days);
    let window = Span::new(NOW, NOW.plus_ms((days + 1) * DAY_MS));
    let mut took_us: Vec<u128> = Vec::new();
    let (mut starts, mut offers) = (0, 0);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let found = slots::slots(meeting, &team.reps_of(meeting), &busy, window, NOW);
        took_us.push(begun.elapsed().as_micros());
        starts = found.len();
        offers = found.iter().map(|slot| slot.reps.len()).sum();
    }
    took_us.sort_unstable();
    let median = took_us.get(ROUNDS / 2).copied().unwrap_or_default();
    let slowest = took_us.last().copied().unwrap_or_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let machine = format!("{cores} cores, load {}", load.split_whitespace().next().unwrap_or("?"));
    let result = json!({
        "case": "slots_pure", "reps": reps, "days": days, "starts": starts, "offers": offers, "rounds": ROUNDS,
        "median_us": median, "slowest_us": slowest, "machine": machine,
    });
    println!("{result}");
    eprintln!(
        "{reps} reps × {days} days: {starts} starts, {offers} offers, median {median} µs, slowest {slowest} µs (wanted: 5000 \
         for 50 × 30); {machine}"
    );
    match keep(&result) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("slots: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Adds a result to the file.
fn keep(result: &Value) -> std::io::Result<()> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench");
    std::fs::create_dir_all(folder)?;
    let mut file =
        std::fs::OpenOptions::new().create(true).append(true).open(format!("{folder}/slots.json"))?;
    writeln!(file, "{result}")
}

fn file(reps: i64, days: i64) -> String {
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
        "meetings:\n  - {{id: call, title: Call, description: A call, location: here, duration: 30m, buffer_before: 5m, \
         buffer_after: 5m, interval: 15m, notice: 2h, window: {days}d, reps: [{}]}}\n",
        ids.join(", ")
    ));
    text
}

/// Eight blocks of half an hour a day and rep, at other times for each.
fn busy(reps: i64, days: i64) -> Busy {
    let block = |n: i64, day: i64, k: i64| {
        let from = NOW.plus_ms(day * DAY_MS + (k * 3 + n % 3) * HOUR_MS + (n % 4) * 10 * MINUTE_MS);
        Span::new(from, from.plus_ms(30 * MINUTE_MS))
    };
    let of_rep = |n: i64| (0..=days).flat_map(|day| (0..8).map(move |k| block(n, day, k))).collect();
    (0..reps).map(|n| (format!("rep-{n}"), of_rep(n))).collect()
}
