//! The flow language: a turn of the engine, which is pure, and the check of many flows.
//!
//! `cargo bench --bench flow -- turn [--turns N] | check [--flows N] [--steps N]`. The flows are made up the same way
//! every time, in two languages, with conditions, forms and holes; both marks are of one core. Prints the machine and the
//! median of five rounds, and writes `target/bench/flow-CASE.json`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Instant;

use embudo::base::diagnostic::Report;
use embudo::base::expr::Context;
use embudo::base::language::Language;
use embudo::base::time::Timestamp;
use embudo::chat::Flows;
use embudo::chat::body::Said;
use embudo::chat::check::Known;
use embudo::chat::engine::{self, Crowd, Input, Props, World};
use embudo::chat::text::Reader;
use serde_json::{Value, json};

// As the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rounds of which the median counts, after one that warms.
const ROUNDS: usize = 5;
/// A block of made-up steps: they lead on to the next block.
const BLOCK: usize = 5;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |name: &str, or: usize| {
        let at = words.iter().position(|word| *word == name);
        at.and_then(|at| words.get(at + 1)).and_then(|text| text.parse().ok()).unwrap_or(or)
    };
    println!("{}", machine());
    let (case, rows) = match words.first() {
        Some(&"turn") => ("turn", turn(number("--turns", 10_000))),
        Some(&"check") => ("check", check(number("--flows", 200), number("--steps", 50))),
        _ => {
            eprintln!(
                "cargo bench --bench flow -- turn [--turns N]\n\
                 cargo bench --bench flow -- check [--flows N] [--steps N]"
            );
            return ExitCode::from(2);
        }
    };
    written(case, &rows)
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZeroUsize::get);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|line| line.strip_prefix("model name")).and_then(|line| line.split_once(": "));
    format!("{cores} cores of {}", model.map_or("an unknown machine", |(_, name)| name))
}

/// Writes what was measured for programs.
fn written(case: &str, rows: &[Value]) -> ExitCode {
    let result =
        json!({ "bench": "flow", "case": case, "machine": machine(), "rounds": ROUNDS, "rows": rows });
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench");
    let file = format!("{folder}/flow-{case}.json");
    match std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, format!("{result:#}\n"))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{file}: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// A flow of so many steps: blocks of a text, a question with choices, a switch, a form and another text.
fn flow(number: usize, steps: usize) -> (String, String) {
    let blocks = steps.div_ceil(BLOCK).max(1);
    let mut text = format!(
        "flow: flow-{number}\ntitle: Number {number}\nlanguages: [en, es]\n\
         trigger: {{when: page_view, if: contact.known && trust > 2, paths: ['/pages/{number}*'], priority: {number}, frequency: {{once_per: 7d}}}}\n\
         vars:\n"
    );
    for block in 0..blocks {
        let _ = writeln!(text, "  size_{block}: {{type: enum, values: [small, large], save: true}}");
        let _ = writeln!(text, "  need_{block}: {{type: text, save: true}}");
    }
    text.push_str(
        "defaults: {retries: 2, exhausted: bye, timeout: {after: 30m, goto: bye}}\n\
         events: {human_requested: bye}\nsteps:\n",
    );
    let mut spanish = String::new();
    for block in 0..blocks {
        let next = if block + 1 == blocks { "bye".to_owned() } else { format!("hello_{}", block + 1) };
        let _ = write!(
            text,
            "  hello_{block}:\n    say: \"Hello{{{{#if contact.first_name}}}}, {{{{contact.first_name}}}}{{{{/if}}}}: here is part {block} of it.\"\n\
             \x20 size_{block}:\n    ask: How large is your team?\n    var: size_{block}\n    choices: {{small: Under 50, large: 50 and more}}\n\
             \x20 route_{block}:\n    switch:\n      - {{if: vars.size_{block} == \"large\" && team.online > 0, goto: need_{block}}}\n      - {{else: more_{block}}}\n\
             \x20 need_{block}:\n    form:\n      need_{block}: {{ask: What should it solve?, min: 3, max: 500}}\n    skip_known: true\n\
             \x20 more_{block}:\n    say: Thank you, that is good to know.\n    goto: {next}\n"
        );
        let _ = write!(
            spanish,
            "    hello_{block}.say: \"Hola{{{{#if contact.first_name}}}}, {{{{contact.first_name}}}}{{{{/if}}}}: aquí va la parte {block}.\"\n\
             \x20   size_{block}.ask: ¿Cómo de grande es tu equipo?\n\
             \x20   size_{block}.choices: {{small: Menos de 50, large: 50 o más}}\n\
             \x20   need_{block}.need_{block}.ask: ¿Qué debería resolver?\n\
             \x20   more_{block}.say: Gracias, es bueno saberlo.\n"
        );
    }
    let _ = write!(
        text,
        "  bye: {{say: Goodbye., end: done}}\ntranslations:\n  es:\n{spanish}    bye.say: Adiós.\n"
    );
    (format!("flow-{number}.yaml"), text)
}

fn read(files: &[(String, String)]) -> Flows {
    let report = Report::new();
    let flows = Flows::read(files, &Known::default(), &report);
    assert!(report.is_clean(), "{}", report.text());
    flows.expect("sound flows")
}

fn world() -> World {
    let mut facts = Context::new();
    facts
        .set("trust", 3)
        .set("team.online", 2)
        .set("contact.known", true)
        .set("contact.first_name", "Nikki")
        .set("contact.company", "Acme")
        .set("visit.language", "en")
        .set("visit.path", "/pricing")
        .set("hours.open", true);
    World {
        now: Timestamp(1_800_000_000_000),
        reader: Reader { language: Language::En, zone: jiff::tz::TimeZone::UTC },
        zone: "UTC".to_owned(),
        trust: 3,
        facts,
        known: BTreeMap::new(),
        has_email: true,
        online: Crowd { all: 2, ..Crowd::default() },
        recordings: BTreeMap::new(),
        props: Props::default(),
    }
}

/// One answer: the choice is taken, a condition decided, the next question asked.
fn turn(turns: usize) -> Vec<Value> {
    let flows = read(&[flow(0, 50)]);
    let flow = flows.all().first().expect("a flow");
    let world = world();
    let begun = engine::open(flow, &world).state;
    let choice = Input::Said(Said::Choice { question: "size_0".to_owned(), choice: "large".to_owned() });
    let wrong = Input::Said(Said::Text { text: "what do you mean?".to_owned() });
    let mut rows = Vec::new();
    for (what, input) in [("an answer", &choice), ("a wrong answer", &wrong)] {
        let mut took: Vec<f64> = Vec::new();
        for _ in 0..=ROUNDS {
            let start = Instant::now();
            for _ in 0..turns {
                let turn = engine::turn(flow, &begun, input, &world).expect("a turn");
                assert!(!std::hint::black_box(turn).events.is_empty());
            }
            took.push(
                start.elapsed().as_secs_f64() * 1e6 / f64::from(u32::try_from(turns).unwrap_or(u32::MAX)),
            );
        }
        rows.push(tell(what, &mut took, "µs", 50.0));
    }
    rows
}

/// Reading, checking and linking, as `embudo check` does it.
fn check(flows: usize, steps: usize) -> Vec<Value> {
    let files: Vec<(String, String)> = (0..flows).map(|number| flow(number, steps)).collect();
    let mut took: Vec<f64> = Vec::new();
    let mut found = 0;
    for _ in 0..=ROUNDS {
        let start = Instant::now();
        found = read(&files).all().iter().map(|flow| flow.steps.len()).sum();
        took.push(start.elapsed().as_secs_f64() * 1_000.0);
    }
    vec![tell(&format!("{flows} flows, {found} steps"), &mut took, "ms", 1_000.0)]
}

/// The first round only warms.
fn tell(what: &str, took: &mut [f64], unit: &str, mark: f64) -> Value {
    let took = took.get_mut(1..).unwrap_or_default();
    took.sort_by(f64::total_cmp);
    let median = took.get(took.len() / 2).copied().unwrap_or_default();
    let (least, most) = (took.first().copied().unwrap_or_default(), took.last().copied().unwrap_or_default());
    println!("{what}: median {median:.2} {unit} [{least:.2}–{most:.2}], the mark is {mark} {unit}");
    json!({ "what": what, "unit": unit, "median": median, "least": least, "most": most, "mark": mark })
}
