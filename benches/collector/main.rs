//! The collector under load, beside an empty actix handler on the same cores in the same run.
//!
//! `cargo bench --bench collector -- layers|stored|redis|drain|sustained|reports|growth|peers`. Each case is a server of its
//! own; one after the other is loaded by `wrk` for a slice, round by round, so that the machine's drift meets all of them
//! alike. What counts is the ratio to the empty handler (`raw`) of the same run.

mod backends;
mod load;
mod peers;
mod redis;
mod reports;
mod servers;
mod sustained;

use std::process::ExitCode;

use load::{Case, Run};

// As the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Each layer on top of the one before it; one core for the server and one for the load.
const LAYERS: &[Case] = &[
    Case::pinned("raw", 64),
    Case::pinned("parse", 64),
    Case::pinned("limit", 64),
    Case::pinned("agent", 64),
    Case::pinned("geo", 64),
    Case::pinned("session", 64),
    Case::pinned("product-nothing-stored", 64),
];

/// Answered when it is on disk; server and load share the cores.
const STORED: &[Case] = &[
    Case::shared("raw", 64),
    Case::shared("embedded", 64),
    Case::shared("raw", 256),
    Case::shared("embedded", 256),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |name: &str, or: u32| {
        let at = words.iter().position(|word| *word == name);
        at.and_then(|at| words.get(at + 1)).and_then(|text| text.parse().ok()).unwrap_or(or)
    };
    let run = Run { rounds: number("--rounds", 5), seconds: number("--seconds", 2) };
    match words.as_slice() {
        ["serve", case, port, workers, folder, storage] => {
            servers::serve(case, port, workers, folder, storage)
        }
        ["layers", ..] => run.all("layers", LAYERS),
        ["stored", ..] => run.all("stored", STORED),
        ["redis", ..] => redis::accept(run),
        ["drain", ..] => redis::drain(number("--hits", 300_000).into()),
        ["sustained", ..] => {
            let contacts = number("--contacts", 0);
            sustained::run(
                number("--seconds", 300),
                number("--visitors", 4_096),
                number("--connections", 64),
                contacts,
            )
        }
        ["reports", ..] => reports::run(number("--hits", 10_000_000)),
        ["growth", ..] => reports::growth(run),
        ["peers", shape, address, site, ..] => peers::run(run, shape, address, site),
        _ => {
            eprintln!(
                "cargo bench --bench collector -- layers|stored|redis [--rounds N] [--seconds N]\n\
                 cargo bench --bench collector -- drain [--hits N]\n\
                 cargo bench --bench collector -- sustained [--seconds N] [--visitors N] [--contacts N] [--connections N]\n\
                 cargo bench --bench collector -- reports [--hits N] | growth [--rounds N] [--seconds N]\n\
                 cargo bench --bench collector -- peers liwan|umami|shynet ADDRESS SITE [--rounds N] [--seconds N]"
            );
            ExitCode::from(2)
        }
    }
}
