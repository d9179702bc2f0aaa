//! Reports over many hits: a year of twenty sites is written, and the panels of a dashboard are asked again and again.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use embudo::app::App;
use embudo::base::consent::Consent;
use embudo::base::ids::{HitId, SessionId, VisitorId};
use embudo::base::time::{Clock, DAY_MS, MINUTE_MS, SECOND_MS, Timestamp};
use embudo::config::Config;
use embudo::hits::{self, Agent, Channel, Recorded, Source};
use embudo::ingest;
use embudo::reports::traffic::{self, Interval, Period, Question};
use embudo::sessions::Dimension;
use serde_json::json;
use uuid::Uuid;

use crate::load::{Case, Run, Server, machine, median, written};

const SITES: u64 = 20;
const DAYS: i64 = 365;
/// The first day: 2025-11-22.
const FIRST_DAY: i64 = 20_414;
/// Different visitors of the year.
const VISITORS: u64 = 1_300_000;
/// Different pages of a site.
const PAGES: f64 = 200_000.0;
const BATCH: usize = 50_000;
const REPEATS: usize = 100;

/// Numbers that look random and are the same in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut n = self.0;
        n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        n ^ (n >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.throw() % n
    }

    /// From 0 to 1.
    #[allow(clippy::cast_precision_loss)]
    fn share(&mut self) -> f64 {
        (self.throw() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn one_of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        let at = usize::try_from(self.below(texts.len() as u64)).unwrap_or(0);
        texts.get(at).copied().unwrap_or_default()
    }
}

fn folder(hits: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/bench/year-{hits}"))
}

fn config(folder: &Path) -> Config {
    let mut text = format!(
        "[storage]\ndata = {:?}\n[log]\nlevel = \"warn\"\n",
        folder.join("data").display().to_string()
    );
    for site in 0..SITES {
        text.push_str(&format!(
            "[[site]]\nkey = \"site-{site}\"\nname = \"Site {site}\"\norigins = [\"https://site-{site}.example\"]\ntime_zone = \"Europe/Madrid\"\n"
        ));
    }
    let file = folder.join("embudo.toml");
    std::fs::write(&file, text).expect("written");
    Config::load(Some(&file), std::iter::empty()).expect("valid settings")
}

fn clock() -> Clock {
    Clock::manual(Timestamp((FIRST_DAY + DAYS) * DAY_MS + 3_600_000))
}

fn id(dice: &mut Dice, at: Timestamp) -> Uuid {
    let ms = u64::try_from(at.as_ms()).unwrap_or_default();
    let mut bytes = [0; 10];
    for (byte, dice) in
        bytes.iter_mut().zip(dice.throw().to_le_bytes().into_iter().chain(dice.throw().to_le_bytes()))
    {
        *byte = dice;
    }
    uuid::Builder::from_unix_timestamp_millis(ms, &bytes).into_uuid()
}

/// The hits of one day, in the order of their times.
fn day(dice: &mut Dice, day: i64, wanted: usize) -> Vec<Recorded> {
    let mut hits = Vec::with_capacity(wanted + 10);
    while hits.len() < wanted {
        // The first site has a third of all, the others share the rest.
        let site = if dice.below(3) == 0 { 0 } else { 1 + dice.below(SITES - 1) };
        let visitor =
            VisitorId::from_uuid(Uuid::from_u64_pair(0x0189_0a5d_ac96_774b, dice.below(VISITORS) << 1));
        let mut at = Timestamp(day * DAY_MS + i64::try_from(dice.below(86_000_000)).unwrap_or(0));
        let session = SessionId::from_uuid(id(dice, at));
        let source = source(dice);
        let agent = Agent {
            device: dice.one_of(&["desktop", "desktop", "mobile"]).to_owned(),
            browser: dice.one_of(&["Chrome", "Chrome", "Safari", "Firefox", "Edge"]).to_owned(),
            os: dice.one_of(&["Windows 10", "macOS", "Linux", "Android", "iPhone"]).to_owned(),
        };
        let country = dice.one_of(COUNTRIES);
        let language = dice.one_of(&["es-ES", "es-MX", "en-GB", "en-US", "de-DE", "fr-FR"]);
        for view in 0..1 + dice.below(4) {
            // Few pages are read often and very many once.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let page = PAGES.powf(dice.share()) as u64;
            hits.push(Recorded {
                seq: 0,
                id: HitId::from_uuid(id(dice, at)),
                site: format!("site-{site}"),
                at,
                received_at: at,
                visitor,
                session,
                name: "page".to_owned(),
                host: format!("site-{site}.example"),
                path: format!("/shelf-{}/book-{page}", page % 50),
                title: Some(format!("Book {}", page % 1_000)),
                referrer: None,
                source: if view == 0 {
                    source.clone()
                } else {
                    Source { channel: Channel::Internal, ..Source::default() }
                },
                country: Some(country.to_owned()),
                region: None,
                city: None,
                network: None,
                agent: agent.clone(),
                language: Some(language.to_owned()),
                consent: Consent::Analytics,
                bot_reason: None,
                engaged_ms: 0,
                scroll: 0,
                props: None,
            });
            at = at.plus_ms(20 * SECOND_MS + i64::try_from(dice.below(3)).unwrap_or(0) * MINUTE_MS);
        }
    }
    hits.sort_by_key(|hit| hit.at);
    hits
}

const COUNTRIES: &[&str] = &[
    "ES", "ES", "ES", "MX", "MX", "AR", "CO", "CL", "PE", "US", "GB", "DE", "FR", "IT", "PT", "BR", "NL",
    "BE", "AT", "CH", "PL", "SE", "NO", "DK", "FI", "IE", "GR", "CZ", "RO", "HU",
];

fn source(dice: &mut Dice) -> Source {
    let of = |channel, source: Option<String>| Source { channel, source, ..Source::default() };
    match dice.below(10) {
        0..=3 => of(Channel::Direct, None),
        4..=6 => of(
            Channel::Search,
            Some(dice.one_of(&["google.es", "google.com", "bing.com", "duckduckgo.com"]).to_owned()),
        ),
        7 => of(Channel::Social, Some(dice.one_of(&["linkedin.com", "t.co", "facebook.com"]).to_owned())),
        8 => of(Channel::Referral, Some(format!("blog-{}.example", dice.below(2_000)))),
        _ => Source {
            campaign: Some(format!("campaign-{}", dice.below(60))),
            medium: Some("email".to_owned()),
            ..of(Channel::Email, Some("letter".to_owned()))
        },
    }
}

/// Writes and counts the year once; the next run takes what is there, and goes on counting where one was ended.
async fn written_year(folder: &Path, hits: u32) -> App {
    let is_there = |stage: &str| folder.join(stage).exists();
    let reached = |stage: &str| std::fs::write(folder.join(stage), "").expect("written");
    if !is_there("rows") {
        drop(std::fs::remove_dir_all(folder));
    }
    std::fs::create_dir_all(folder).expect("a folder");
    let app = App::build(config(folder), clock()).await.expect("an app");
    if !is_there("rows") {
        let started = Instant::now();
        write(&app, hits).await;
        let (_, rows) = ingest::progress(&app.stores).await.expect("rows");
        eprintln!("{rows} rows written, {:.1} µs each", each_us(started, i64::from(hits)));
        reached("rows");
    }
    if !is_there("complete") {
        let (started, (before, rows)) =
            (Instant::now(), ingest::progress(&app.stores).await.expect("progress"));
        while ingest::count(&app.stores.hits, &app.words, &app.sites).await.expect("counted") > 0 {}
        eprintln!("{} rows counted, {:.1} µs each", rows - before, each_us(started, rows - before));
        reached("complete");
    }
    app
}

#[allow(clippy::cast_precision_loss)]
fn each_us(started: Instant, rows: i64) -> f64 {
    started.elapsed().as_secs_f64() * 1e6 / rows as f64
}

async fn write(app: &App, hits: u32) {
    let mut dice = Dice(1);
    let a_day = usize::try_from(hits).unwrap_or(0) / usize::try_from(DAYS).unwrap_or(1);
    let (mut batch, mut number) = (Vec::new(), 0);
    for at in FIRST_DAY..FIRST_DAY + DAYS {
        batch.extend(day(&mut dice, at, a_day));
        if batch.len() >= BATCH || at + 1 == FIRST_DAY + DAYS {
            number += 1;
            hits::store(&app.stores.hits, &app.words, "bench", number, &batch).await.expect("stored");
            batch.clear();
        }
    }
}

/// Asks every panel of a month, a hundred times each.
pub fn run(hits: u32) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let folder = folder(hits);
    let rows = runtime.block_on(async {
        let app = written_year(&folder, hits).await;
        let mut rows = Vec::new();
        for site in ["site-0", "site-7"] {
            rows.extend(panels(&app, site).await);
        }
        rows
    });
    let db = folder.join("data/hits.db");
    let size = std::fs::metadata(&db).map_or(0, |file| file.len() >> 20);
    println!(
        "reports, {}: {hits} hits over {DAYS} days, hits.db {size} MiB, {REPEATS} times each, warm\n",
        machine(cores)
    );
    println!("| site | panel | median ms | p99 ms |\n|---|---|---|---|");
    for row in &rows {
        println!(
            "| {} | {} | {:.2} | {:.2} |",
            row["site"].as_str().unwrap_or(""),
            row["panel"].as_str().unwrap_or(""),
            row["median_ms"].as_f64().unwrap_or(0.0),
            row["p99_ms"].as_f64().unwrap_or(0.0)
        );
    }
    let result =
        json!({ "bench": "reports", "machine": machine(cores), "hits": hits, "mib": size, "rows": rows });
    let code = written("reports", &result);
    // The same questions, if somebody has DuckDB: as scans of the same rows.
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/duckdb_scan.py");
    let ours = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench/reports.json");
    match Command::new("python3").arg(script).arg(&db).arg(ours).output() {
        Ok(output) if output.status.success() => {
            println!("\nBeside DuckDB:\n{}", String::from_utf8_lossy(&output.stdout));
        }
        Ok(output) => println!("\nDuckDB was not asked: {}", String::from_utf8_lossy(&output.stderr).trim()),
        Err(error) => println!("\nDuckDB was not asked: {error}"),
    }
    code
}

async fn panels(app: &App, site: &str) -> Vec<serde_json::Value> {
    let last = FIRST_DAY + DAYS - 1;
    let period = Period { from: traffic::date_of(last - 29), to: traffic::date_of(last) };
    let site = app.sites.find(site).expect("configured");
    let question = Question { site, period, filters: &[] };
    let db = &app.stores.hits;
    let dimensions = [
        Dimension::Page,
        Dimension::Entry,
        Dimension::Exit,
        Dimension::Source,
        Dimension::Channel,
        Dimension::Campaign,
        Dimension::Country,
        Dimension::Device,
        Dimension::Browser,
        Dimension::Language,
    ];
    let mut rows = Vec::new();
    let mut tell = |panel: String, mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        let p99 = times.get(times.len() * 99 / 100).copied().unwrap_or(f64::NAN);
        rows.push(json!({ "site": site.key, "panel": panel, "median_ms": median(times), "p99_ms": p99 }));
    };
    let mut all = vec![0.0; REPEATS];
    let mut times = Vec::new();
    for all in &mut all {
        let started = Instant::now();
        std::hint::black_box(traffic::summary(db, &question, Interval::Day).await.expect("told"));
        times.push(started.elapsed().as_secs_f64() * 1e3);
        *all += started.elapsed().as_secs_f64() * 1e3;
    }
    tell("summary by day".to_owned(), times);
    for dimension in dimensions {
        let mut times = Vec::new();
        for all in &mut all {
            let started = Instant::now();
            std::hint::black_box(traffic::by(db, &question, dimension, 10).await.expect("told"));
            times.push(started.elapsed().as_secs_f64() * 1e3);
            *all += started.elapsed().as_secs_f64() * 1e3;
        }
        tell(dimension.word().to_owned(), times);
    }
    tell("all of them".to_owned(), all);
    let filters = [traffic::Filter::read("country:ES").expect("a filter")];
    let question = Question { filters: &filters, ..question };
    let mut times = Vec::new();
    for _ in 0..5 {
        let started = Instant::now();
        std::hint::black_box(traffic::by(db, &question, Dimension::Page, 10).await.expect("told"));
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    tell("page, filtered by country".to_owned(), times);
    rows
}

/// Whether hits are taken as fast into a store that holds a year as into an empty one.
pub fn growth(run: Run) -> ExitCode {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let data = folder(10_000_000).join("data");
    if !folder(10_000_000).join("complete").exists() {
        eprintln!("first: cargo bench --bench collector -- reports");
        return ExitCode::FAILURE;
    }
    let case = Case::shared("embedded-carried", 64);
    let (empty, full) = (Server::start(&case, cores, None), Server::start(&case, cores, Some(&data)));
    let mut ratios = Vec::new();
    for round in 0..=run.rounds {
        let [empty, full] = [&empty, &full].map(|server| server.load(&case, run.seconds, cores).per_second);
        eprintln!("round {round}: empty {empty:.0}, full {full:.0} hits/s");
        if round > 0 {
            ratios.push(full / empty);
        }
    }
    let ratio = median(ratios.clone());
    println!(
        "growth, {}: hits/s into 10 million hits are {ratio:.2} of those into an empty store {ratios:.2?}",
        machine(cores)
    );
    written(
        "growth",
        &json!({ "bench": "growth", "machine": machine(cores), "ratio": ratio, "ratios": ratios }),
    )
}
