//! Minutes under full load: how fast hits are taken while they are also carried to rows, counted, projected and scored;
//! whether anything lags ever further behind; how much memory that takes.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use serde_json::json;

use crate::load::{Case, Server, Slice, machine, median, written};

/// Time between two looks at what waits.
const LOOK: Duration = Duration::from_secs(5);

/// What waits and what is used at one moment.
struct Look {
    seconds: u64,
    journal: i64,
    rows: i64,
    uncounted: i64,
    unprojected: i64,
    marks: i64,
    mib: f64,
}

/// Loads the whole product for `seconds` with so many visitors and connections; so many of the visitors are contacts, whose
/// scores and segments follow what they do.
pub fn run(seconds: u32, visitors: u32, connections: u32, contacts: u32) -> ExitCode {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let raw_case = Case { visitors, ..Case::shared("raw", connections) };
    let case = Case { visitors, ..Case::shared("embedded-carried", connections) };
    let raw = Server::start(&raw_case, cores, None);
    let server = Server::start(&case, cores, None);
    know(&server, visitors, contacts);
    raw.load(&raw_case, 2, cores);
    let mut raws: Vec<f64> = (0..3).map(|_| raw.load(&raw_case, 2, cores).per_second).collect();
    let cpu_before = server.cpu_us();
    let is_over = AtomicBool::new(false);
    let (slice, looks) = std::thread::scope(|scope| {
        let watch = scope.spawn(|| watch(&server, &is_over));
        let slice: Slice = server.load(&case, seconds, cores);
        is_over.store(true, Ordering::Relaxed);
        (slice, watch.join().expect("the watcher"))
    });
    // Everything that was taken is carried, counted and projected before anything is divided.
    let started = std::time::Instant::now();
    let is_behind = |look: Look| look.journal + look.uncounted + look.unprojected + look.marks > 0;
    while waiting(&server, 0).is_none_or(is_behind) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let caught_up = started.elapsed().as_secs_f64();
    let cpu = (server.cpu_us() - cpu_before) / slice.hits;
    let stored = waiting(&server, 0).map_or(0, |look| look.rows);
    raws.extend((0..3).map(|_| raw.load(&raw_case, 2, cores).per_second));
    let raw = median(raws);
    println!(
        "sustained, {}: {seconds} s, {visitors} visitors, {contacts} of them contacts, {connections} connections\n\n\
         {:.0} hits/s, {:.2} of raw ({raw:.0} hits/s, before and after), p50 {:.1} ms, p99 {:.1} ms\n\
         {cpu:.1} µs of CPU a hit with everything that follows; caught up {caught_up:.1} s after the load\n\
         {:.0} hits answered, {stored} rows\n\n\
         | s | groups in the journal | rows | not counted | not projected | contacts to look at | MiB |\n\
         |---|---|---|---|---|---|---|",
        machine(cores),
        slice.per_second,
        slice.per_second / raw,
        slice.p50_ms,
        slice.p99_ms,
        slice.hits,
    );
    for look in &looks {
        println!(
            "| {} | {} | {} | {} | {} | {} | {:.0} |",
            look.seconds, look.journal, look.rows, look.uncounted, look.unprojected, look.marks, look.mib
        );
    }
    let looks: Vec<_> = looks
        .iter()
        .map(|look| {
            json!({ "seconds": look.seconds, "journal": look.journal, "rows": look.rows,
                    "uncounted": look.uncounted, "unprojected": look.unprojected, "marks": look.marks,
                    "mib": look.mib })
        })
        .collect();
    let result = json!({
        "bench": "sustained", "machine": machine(cores), "seconds": seconds, "visitors": visitors, "contacts": contacts,
        "connections": connections, "hits_per_second": slice.per_second, "of_raw": slice.per_second / raw,
        "p50_ms": slice.p50_ms, "p99_ms": slice.p99_ms, "cpu_us_per_hit": cpu, "caught_up_s": caught_up,
        "answered": slice.hits, "rows": stored, "looks": looks,
    });
    written("sustained", &result)
}

fn watch(server: &Server, is_over: &AtomicBool) -> Vec<Look> {
    let started = std::time::Instant::now();
    let mut looks = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK);
        if let Some(look) = waiting(server, started.elapsed().as_secs()) {
            looks.push(look);
        }
    }
    looks
}

/// What waits at this moment.
fn waiting(server: &Server, seconds: u64) -> Option<Look> {
    let open = |name: &str| {
        Connection::open_with_flags(server.data().join(name), OpenFlags::SQLITE_OPEN_READ_ONLY).ok()
    };
    let one =
        |connection: &Connection, text: &str| connection.query_row(text, [], |row| row.get::<_, i64>(0)).ok();
    let (hits, people) = (open("hits.db")?, open("embudo.db")?);
    let counted = one(&hits, "select coalesce(max(position), 0) from log_cursors where name = 'traffic'")?;
    let projected = "select coalesce(max(position), 0) from projection_cursors where name = 'journey'";
    let rows = one(&hits, "select coalesce(max(seq), 0) from hits")?;
    Some(Look {
        seconds,
        journal: server.metric("embudo_journal_groups_waiting")?,
        rows,
        uncounted: rows - counted,
        unprojected: rows - one(&people, projected)?,
        marks: one(&people, "select count(*) from contact_marks")?,
        mib: server.resident_mib(),
    })
}

/// Makes contacts of the first visitors that `hits.lua` sends.
fn know(server: &Server, visitors: u32, contacts: u32) {
    if contacts == 0 {
        return;
    }
    // Whoever answers has opened its store, but the port may be taken before.
    let file = server.data().join("embudo.db");
    for _ in 0..500 {
        if waiting(server, 0).is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut people = Connection::open(file).expect("the store");
    let tx = people.transaction().expect("begins");
    for number in 1..=contacts.min(visitors) {
        let contact = format!("01890a5d-ac96-774b-9000-{number:012x}");
        let last = u64::from(number) * 2_654_435_761 % 0xffff_ffff_ffff;
        let visitor = format!("01890a5d-ac96-774b-8000-{last:012x}");
        tx.execute(
            "insert into contacts (id, email, language, stage, stage_since, created_at, updated_at, last_seen_at)
             values (?1, ?2, 'en', 'lead', 1, 1, 1, 1)",
            (&contact, format!("c{number}@company.example")),
        )
        .expect("written");
        tx.execute(
            "insert into visitors (id, site, contact_id, trust, consent, first_seen_at, last_seen_at)
             values (?1, 'bench', ?2, 1, 'analytics', 1, 1)",
            (&visitor, &contact),
        )
        .expect("written");
    }
    tx.commit().expect("commits");
}
