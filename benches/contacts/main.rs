//! The list of contacts at size: 100,000 people are found, filtered, sorted and counted within 100 ms.
//!
//! `cargo bench --bench contacts [-- --contacts N --rounds N --postgres URL]`: people of 20,000 companies are written into
//! an empty store, then each question is asked as the console's page asks it. The median and the slowest of the rounds are
//! added to `target/bench/contacts.json` with the machine. Without a URL the store is SQLite in a folder that goes.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use embudo::base::ids::{CompanyId, ContactId};
use embudo::base::time::{MINUTE_MS, Timestamp};
use embudo::companies;
use embudo::contacts::words::{self, Sought};
use embudo::reports::people::{self, Order, PAGE, Search};
use embudo::storage::db::bulk::{Bulk, Column, Kind};
use embudo::storage::db::{Db, HITS, JOURNEY, Value};
use serde_json::{Value as Json, json};

// As the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NOW: i64 = 1_795_420_800_000;
const FIRST: [&str; 20] = [
    "Ána",
    "María",
    "José",
    "Nikki",
    "Jordi",
    "Wilhelmina",
    "Zoë",
    "Łukasz",
    "Inés",
    "Pau",
    "Laura",
    "Tomás",
    "Rosa",
    "Mike",
    "Yuri",
    "Clara",
    "Søren",
    "Björn",
    "Chloé",
    "Raúl",
];
const LAST: [&str; 16] = [
    "García", "Núñez", "Puig", "Grant", "Ferrer", "Serra", "Vidal", "Blanco", "Petrov", "Soler", "Müller",
    "Novák", "O'Brien", "Andersen", "Dubois", "Costa",
];
const STAGES: [&str; 6] = ["visitor", "lead", "lead", "lead", "mql", "customer"];

const CONTACTS: Bulk = Bulk {
    table: "contacts",
    columns: &[
        Column("id", Kind::Text),
        Column("email", Kind::Text),
        Column("first_name", Kind::Text),
        Column("last_name", Kind::Text),
        Column("company_id", Kind::Text),
        Column("stage", Kind::Text),
        Column("stage_since", Kind::Int),
        Column("created_at", Kind::Int),
        Column("updated_at", Kind::Int),
        Column("last_seen_at", Kind::Int),
    ],
    key: "id",
};
const COMPANIES: Bulk = Bulk {
    table: "companies",
    columns: &[
        Column("id", Kind::Text),
        Column("domain", Kind::Text),
        Column("name", Kind::Text),
        Column("country", Kind::Text),
        Column("created_at", Kind::Int),
    ],
    key: "id",
};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("contacts: {problem}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let of = |name: &str| {
        let at = arguments.iter().position(|word| word == name)?;
        arguments.get(at + 1).cloned()
    };
    let number = |name: &str, or: usize| of(name).and_then(|text| text.parse().ok()).unwrap_or(or);
    let (contacts, rounds) = (number("--contacts", 100_000), number("--rounds", 21).max(1));
    let folder = tempfile::tempdir()?;
    let db = match of("--postgres") {
        Some(url) => {
            let db = Db::open_postgres(&url, 4, JOURNEY).await?;
            drop(Db::open_postgres(&url, 1, HITS).await?);
            db
        }
        None => {
            let hits = folder.path().join("hits.db");
            drop(Db::open_sqlite(&hits, HITS).await?);
            Db::open_sqlite_beside(&folder.path().join("embudo.db"), &hits, JOURNEY).await?
        }
    };
    let begun = Instant::now();
    seed(&db, contacts).await?;
    eprintln!("{contacts} contacts written in {:.1} s", begun.elapsed().as_secs_f64());

    let found = |text: &str| Search { text: Some(Sought::read(text)), ..Search::default() };
    let stage = |stage: &str| Search { stage: Some(stage.to_owned()), ..Search::default() };
    let country = |country: &str| Search { country: Some(country.to_owned()), ..Search::default() };
    let questions: Vec<(&str, Search, Order)> = vec![
        ("everybody", Search::default(), Order::Seen),
        ("everybody by name", Search::default(), Order::Name),
        ("one letter", found("a"), Order::Seen),
        ("ana", found("ana"), Order::Seen),
        ("ana garcia", found("ana garcia"), Order::Name),
        ("one address", found("ana.77@company77.example"), Order::Seen),
        ("a company", found("company123"), Order::Seen),
        ("nobody", found("xyzzy"), Order::Seen),
        ("two that never meet", found("nikki xyzzy"), Order::Seen),
        ("a stage", stage("mql"), Order::Created),
        ("an empty stage", stage("sal"), Order::Seen),
        ("a country", country("ES"), Order::Seen),
        ("a country of nobody", country("FR"), Order::Seen),
    ];
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let machine = format!("{cores} cores, load {}", load.split_whitespace().next().unwrap_or("?"));
    for (name, search, order) in &questions {
        let mut took_us: Vec<u128> = Vec::with_capacity(rounds);
        let mut answer = (0, false, 0);
        for _ in 0..rounds {
            let begun = Instant::now();
            let reads = &mut db.read();
            let page = people::find(reads, search, *order, None, PAGE).await?;
            let count = people::count(reads, search, &page).await?;
            let rows = people::rows(reads, &page.ids).await?;
            people::by_stage(reads).await?;
            took_us.push(begun.elapsed().as_micros());
            answer = (count.n, count.is_more, rows.len());
        }
        took_us.sort_unstable();
        let median = took_us.get(rounds / 2).copied().unwrap_or_default();
        let slowest = took_us.last().copied().unwrap_or_default();
        let result = json!({
            "case": "contacts_list", "question": name, "engine": db.engine(), "contacts": contacts, "found": answer.0,
            "or_more": answer.1, "rows": answer.2, "rounds": rounds, "median_us": median, "slowest_us": slowest,
            "machine": machine,
        });
        println!("{result}");
        eprintln!("{name:>20}: {median:>7} µs, slowest {slowest:>7} µs, {} found (wanted: 100000)", answer.0);
        keep(&result)?;
    }
    Ok(())
}

async fn seed(db: &Db, contacts: usize) -> anyhow::Result<()> {
    let companies = (contacts / 5).max(1);
    let ids: Vec<String> = (0..companies).map(|_| CompanyId::new().to_string()).collect();
    let mut tx = db.begin().await?;
    let rows = ids.iter().enumerate().map(|(n, id)| {
        let country = if n % 3 == 0 { Value::from("ES") } else { Value::Null };
        vec![
            id.into(),
            format!("company{n}.example").into(),
            format!("Company{n} S.L.").into(),
            country,
            NOW.into(),
        ]
    });
    tx.put(&COMPANIES, rows.collect()).await?;
    let pick =
        |from: &'static [&'static str], n: usize| from.get(n % from.len()).copied().unwrap_or_default();
    for start in (0..contacts).step_by(10_000) {
        let rows = (start..(start + 10_000).min(contacts)).map(|n| {
            let (first, last) = (pick(&FIRST, n), pick(&LAST, n / FIRST.len()));
            let company = n % companies;
            let at = NOW - i64::try_from(n).unwrap_or_default() * MINUTE_MS;
            let plain: String = first.chars().filter(char::is_ascii_alphabetic).collect();
            vec![
                ContactId::new().to_string().into(),
                format!("{}.{n}@company{company}.example", plain.to_lowercase()).into(),
                first.into(),
                last.into(),
                ids.get(company).map_or(Value::Null, Value::from),
                pick(&STAGES, n / 3).into(),
                at.into(),
                at.into(),
                at.into(),
                Timestamp(at).into(),
            ]
        });
        tx.put(&CONTACTS, rows.collect()).await?;
    }
    tx.commit().await?;
    while companies::words::index_rest(db).await? || words::index_rest(db).await? {}
    Ok(())
}

/// Adds a result to the file.
fn keep(result: &Json) -> std::io::Result<()> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench");
    std::fs::create_dir_all(folder)?;
    let mut file =
        std::fs::OpenOptions::new().create(true).append(true).open(format!("{folder}/contacts.json"))?;
    writeln!(file, "{result}")
}
