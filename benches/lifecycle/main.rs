//! The lifecycle over many lives: a back-test of 100,000 contacts, the explanation of one with 10,000 activities, and what
//! many segments cost whoever follows what people do.
//!
//! `cargo bench --bench lifecycle -- explain [--activities N] | backtest [--contacts N] [--activities N] [--rounds N] |
//! segments [--contacts N] [--rounds N]`. The lives are
//! made up the same way every time, in a store of their own below `target/bench`; one that is there is used again. Told
//! are medians of wall time and of the time of all cores that this process had, the most memory it had, and the machine.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use embudo::base::diagnostic::Report;
use embudo::base::ids::{ActivityId, ContactId};
use embudo::base::time::{DAY_MS, Timestamp};
use embudo::contacts::marks;
use embudo::segments::{self, Costs};
use embudo::stages::trial::{self, Backtester};
use embudo::stages::{self, Definition};
use embudo::storage::db::{Db, HITS, JOURNEY, Queries, Tx};
use embudo::{params, sql};
use serde_json::json;
use uuid::Uuid;

// As the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const DAYS: i64 = 180;
const ROUNDS: usize = 21;

/// What people do, the frequent things more often.
const KINDS: [(&str, &str); 12] = [
    ("visit", "/"),
    ("visit", "/en/"),
    ("visit", "/es/"),
    ("page", "/en/"),
    ("page", "/es/programas"),
    ("page", "/en/pricing"),
    ("page", "/en/blog"),
    ("asset.downloaded", "reading-guide"),
    ("form.submitted", "white-paper"),
    ("email.clicked", "w"),
    ("conversation.opened", "c"),
    ("webinar.registered", "reading-culture"),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |name: &str, or: i64| {
        let at = words.iter().position(|word| *word == name);
        at.and_then(|at| words.get(at + 1)).and_then(|text| text.parse().ok()).unwrap_or(or)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    match words.first() {
        Some(&"explain") => runtime.block_on(explain(number("--activities", 10_000))),
        Some(&"backtest") => {
            let (contacts, activities) = (number("--contacts", 100_000), number("--activities", 30));
            runtime.block_on(backtest(contacts, activities, number("--rounds", 5).max(1)));
        }
        Some(&"segments") => runtime.block_on(segments(number("--contacts", 300), number("--rounds", 7))),
        _ => {
            eprintln!(
                "cargo bench --bench lifecycle -- explain [--activities N]\n\
                 cargo bench --bench lifecycle -- backtest [--contacts N] [--activities N] [--rounds N]\n\
                 cargo bench --bench lifecycle -- segments [--contacts N] [--rounds N]"
            );
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

async fn explain(activities: i64) {
    let db = store(1, activities).await;
    let definition = shipped(|text| text);
    let contact = contact_of(0);
    let mut took: Vec<f64> = Vec::new();
    let mut rows = 0;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let told = stages::explain(&mut db.read(), &definition, contact, NOW).await.expect("explained");
        took.push(begun.elapsed().as_secs_f64() * 1_000.0);
        rows = told.score.engagement.rows.len();
    }
    // The first ones read the pages from the disk, by each of the connections that take turns.
    let first = took[0];
    let order: Vec<String> = took.iter().map(|ms| format!("{ms:.1}")).collect();
    took.sort_by(f64::total_cmp);
    let (median, most) = (took[ROUNDS / 2], took[ROUNDS - 1]);
    println!("explain: {activities} activities, {rows} rows of engagement");
    println!("  median {median:.2} ms, slowest of {ROUNDS} {most:.2} ms; the mark is 20 ms");
    println!("  in their order: {}", order.join(" "));
    write(
        "explain",
        json!({ "activities": activities, "rounds": ROUNDS, "median_ms": median, "slowest_ms": most, "first_ms": first }),
    );
}

async fn backtest(contacts: i64, activities: i64, rounds: i64) {
    let db = store(contacts, activities).await;
    let running = shipped(|text| text);
    let model = shipped(|text| {
        text.replace("event(\"webinar.registered\", \"90d\")", "count(\"webinar.registered\", \"90d\") >= 2")
    });
    let since = NOW.plus_ms(-DAYS * DAY_MS);
    let (mut walls, mut cpus, mut last) = (Vec::new(), Vec::new(), None);
    for _ in 0..rounds {
        let tester =
            Backtester::new(&model, &running, "mql", "sal", (since, NOW)).expect("both stages are there");
        let (begun, before) = (Instant::now(), cpu_s());
        let asked = trial::ask(&db, tester, since.plus_ms(-stages::MEMORY_MS), |_, _| {}).await;
        last = Some(asked.expect("asked").finish());
        walls.push(begun.elapsed().as_secs_f64());
        cpus.push(cpu_s() - before);
    }
    let told = last.expect("at least one round");
    let (wall, cpu, memory) = (median(&mut walls), median(&mut cpus), peak_mib());
    println!(
        "backtest: {} contacts × {DAYS} days, {activities} activities each, two definitions, {rounds} rounds",
        told.contacts
    );
    println!(
        "  median {wall:.1} s, {cpu:.1} s of one core, at most {memory} MiB; the marks are 60 s and 1024 MiB"
    );
    let (model, running) = (&told.model, &told.running);
    println!(
        "  precision {:?} (running {:?}), recall {:?} ({:?})",
        model.precision, running.precision, model.recall, running.recall
    );
    write(
        "backtest",
        json!({ "contacts": told.contacts, "activities": activities, "rounds": rounds, "wall_s": wall, "cpu_s": cpu, "peak_mib": memory,
                 "precision": model.precision, "recall": model.recall }),
    );
}

/// What following a visit of everybody costs with so many segments, a person. Each number of segments has a store of its
/// own, and they take turns, so that the machine's drift meets all of them alike.
async fn segments(contacts: i64, rounds: i64) {
    let lifecycle = shipped(|text| text);
    let mut cases = Vec::new();
    for many in [0, 1, 50, 499, 500] {
        let folder = folder(&format!("lifecycle-segments-{many}"));
        std::fs::remove_dir_all(&folder).expect("an old store");
        let db = store_in(&folder, contacts, 30).await;
        let definition = many_segments(many, &lifecycle);
        let costs = Costs::default();
        // Those that are new are asked about everybody first.
        while segments::look_again(&db, &lifecycle, &definition, &costs, NOW).await.expect("asked") {}
        cases.push((many, db, definition, costs, Vec::new()));
    }
    let people = u32::try_from(contacts).expect("fits");
    for round in 1..=rounds {
        let now = NOW.plus_ms(round * 60_000);
        for (_, db, definition, costs, took) in &mut cases {
            let mut tx = db.begin().await.expect("begins");
            for number in 0..contacts {
                let unlike =
                    (u128::from((round + 1).unsigned_abs()) << 96) | u128::from(number.unsigned_abs());
                let at = now.plus_ms(-1_000);
                activity(&mut tx, Uuid::from_u128(unlike), number, "visit", "/en/pricing", at).await;
                marks::mark(&mut tx, contact_of(number), "#hits visit", at).await.expect("marked");
            }
            tx.commit().await.expect("commits");
            let begun = Instant::now();
            while segments::look_again(db, &lifecycle, definition, costs, now).await.expect("asked") {}
            took.push(begun.elapsed().as_secs_f64() * 1e6 / f64::from(people));
        }
    }
    println!("segments: {contacts} contacts of 30 activities, a visit of each, {rounds} rounds");
    println!("| segments | µs a person, median | fastest | slowest |\n|---|---|---|---|");
    let mut told = Vec::new();
    let mut medians = std::collections::BTreeMap::new();
    for (many, _, _, _, took) in &mut cases {
        let median = median(took);
        medians.insert(*many, median);
        println!("| {many} | {median:.0} | {:.0} | {:.0} |", took[0], took[took.len() - 1]);
        told.push(json!({ "segments": many, "us_a_person": median }));
    }
    // One more beside 499: what it adds to what they cost.
    let more = (medians[&500] / medians[&499] - 1.0) * 100.0;
    println!("  the 500th adds {more:.1} %; the mark is 10 %");
    write(
        "segments",
        json!({ "contacts": contacts, "rounds": rounds, "cases": told, "five_hundredth_percent": more }),
    );
}

/// Segments as people write them: of what happened and when, of facts, of stages and of scores.
fn many_segments(many: usize, lifecycle: &Definition) -> embudo::segments::Definition {
    let mut text = if many == 0 { "segments: []\n" } else { "segments:\n" }.to_owned();
    for number in 0..many {
        let days = 7 + number % 83;
        let condition = match number % 10 {
            0 => format!("count(\"visit\", \"{days}d\") >= {}", 2 + number % 5),
            1 => format!(
                "event(\"webinar.no_show\", \"{days}d\") && !event(\"recording.watched\", \"{days}d\")"
            ),
            2 => format!("stage == \"lead\" && !event(\"form.submitted\", \"{days}d\")"),
            3 => format!("contact.employees >= {}", 10 * number + 10),
            4 => format!("event(\"asset.downloaded\", \"{days}d\") && contact.country == \"ES\""),
            5 => format!("fit in [\"A\", \"B\"] && count(\"form.submitted\", \"{days}d\") >= 1"),
            6 => format!("event(\"booking.confirmed\", \"{days}d\")"),
            7 => {
                format!("contact.seniority in [\"c_level\", \"vp\"] && event(\"email.clicked\", \"{days}d\")")
            }
            8 => format!("event(\"webinar.attended\", \"{days}d\") && !event(\"deal.won\", \"365d\")"),
            _ => format!("stage == \"customer\" && count(\"complaint\", \"{days}d\") >= 1"),
        };
        let line =
            format!("  - {{id: s{number}, label: {{en: S{number}, es: S{number}}}, if: '{condition}'}}\n");
        text.push_str(&line);
    }
    let report = Report::new();
    let mut segments =
        embudo::segments::Definition::parse("segments.yaml", &text, &lifecycle.names(), &report)
            .unwrap_or_else(|| panic!("{}", report.text()));
    segments.know(lifecycle);
    segments
}

fn shipped(change: impl FnOnce(String) -> String) -> Definition {
    let text = change(include_str!("../../config/lifecycle.yaml").to_owned());
    let report = Report::new();
    Definition::parse("lifecycle.yaml", &text, &report).unwrap_or_else(|| panic!("{}", report.text()))
}

/// A store with so many lives, made once.
async fn store(contacts: i64, activities: i64) -> Db {
    store_in(&folder(&format!("lifecycle-{contacts}-{activities}")), contacts, activities).await
}

async fn store_in(folder: &Path, contacts: i64, activities: i64) -> Db {
    std::fs::create_dir_all(folder).expect("a folder");
    let hits = folder.join("hits.db");
    drop(Db::open_sqlite(&hits, HITS).await.expect("opens"));
    let db = Db::open_sqlite_beside(&folder.join("embudo.db"), &hits, JOURNEY).await.expect("opens");
    let rows = db.read().query(sql!("select count(*) as n from contacts"), &[]).await.expect("counted");
    let there: i64 = rows[0].get("n").expect("a number");
    for first in (there..contacts).step_by(1_000) {
        let mut tx = db.begin().await.expect("begins");
        for number in first..contacts.min(first + 1_000) {
            live(&mut tx, number, activities).await;
        }
        tx.commit().await.expect("commits");
        if first % 10_000 == 0 && contacts > 1_000 {
            eprintln!("{first} of {contacts} lives written");
        }
    }
    db
}

async fn live(tx: &mut Tx, number: i64, activities: i64) {
    let mut dice = Dice(number.unsigned_abs().wrapping_mul(7_919));
    let contact = contact_of(number);
    let begin = NOW.plus_ms(-DAYS * DAY_MS);
    let email = format!("c{number}@company{}.example", number % 5_000);
    tx.execute(
        sql!(
            "insert into contacts (id, email, language, stage, stage_since, created_at, updated_at, last_seen_at)
             values ($1, $2, 'en', 'lead', $3, $3, $3, $3)"
        ),
        params![contact, email, begin],
    )
    .await
    .expect("written");
    if dice.below(2) == 0 {
        for (name, value) in [("job_title", "VP People"), ("country", "ES"), ("employees", "300")] {
            tx.execute(
                sql!(
                    "insert into contact_fields (contact_id, name, status, value, source, trust, at)
                     values ($1, $2, 'current', $3, 'form', 1, $4)"
                ),
                params![contact, name, value, begin],
            )
            .await
            .expect("written");
        }
    }
    let mut life: Vec<(Timestamp, usize)> = (0..activities)
        .map(|_| {
            let kind = usize::try_from(dice.below(12)).expect("small");
            let after = i64::try_from(dice.below((DAYS * DAY_MS).unsigned_abs())).expect("fits");
            (begin.plus_ms(after), kind)
        })
        .collect();
    // Things are written when they happen.
    life.sort_unstable();
    for ((at, kind), index) in life.into_iter().zip(0_u128..) {
        let (kind, subject) = KINDS[kind];
        let id = Uuid::from_u128((u128::from(number.unsigned_abs()) << 64) | index);
        activity(tx, id, number, kind, subject, at).await;
    }
    if dice.below(10) == 0 {
        let reached = begin.plus_ms(120 * DAY_MS);
        tx.execute(
            sql!(
                "insert into stage_intervals (id, contact_id, journey, stage, entered_at, actor, rule, lifecycle_hash,
                     evidence)
                 values ($1, $2, 1, 'sal', $3, 'rule', 'sal.accepted', '', '{}')"
            ),
            params![format!("i{number}"), contact, reached],
        )
        .await
        .expect("written");
    }
}

async fn activity(tx: &mut Tx, id: Uuid, number: i64, kind: &str, subject: &str, at: Timestamp) {
    let props = if kind == "visit" { json!({ "engaged_ms": 42_000, "country": "ES" }) } else { json!({}) };
    tx.execute(
        sql!("insert into activities (id, contact_id, kind, subject, props, at) values ($1, $2, $3, $4, $5, $6)"),
        params![ActivityId::from_uuid(id), contact_of(number), kind, subject, props, at],
    )
    .await
    .expect("written");
}

fn contact_of(number: i64) -> ContactId {
    ContactId::from_uuid(Uuid::from_u128(u128::from(number.unsigned_abs()) + 1))
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench").join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn median(took: &mut [f64]) -> f64 {
    took.sort_by(f64::total_cmp);
    took[took.len() / 2]
}

fn machine() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{cores} cores of {}", model.map_or("an unknown machine", |(_, name)| name))
}

fn write(case: &str, mut figures: serde_json::Value) {
    let machine = machine();
    println!("  {machine}");
    figures["machine"] = json!(machine);
    let file = folder("lifecycle").join(format!("{case}.json"));
    std::fs::write(&file, format!("{figures:#}\n")).expect("written");
    println!("  {}", file.display());
}

/// Seconds of all cores that this process has had.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |place: usize| after.split_whitespace().nth(place).and_then(|text| text.parse::<f64>().ok());
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
}

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0)
        / 1_024
}

/// Numbers that are the same every time (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}
