//! Our zones against those of an oracle that is not ours: Python's `zoneinfo` with the package `tzdata`.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::LazyLock;

use embudo::base::time::{MINUTE_MS, Timestamp, zone};
use embudo::bookings::wall::{self, Edge};

use crate::support::app::repository;
use crate::support::inbox::python;

/// Zones with all the trouble there is: half hours, changes at midnight, rules that ended, rules by the moon.
const ZONES: [&str; 21] = [
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Asuncion",
    "America/Edmonton",
    "America/Mexico_City",
    "America/New_York",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Vancouver",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Europe/Dublin",
    "Europe/Madrid",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Easter",
];

type Changes = BTreeMap<String, Vec<(i64, i64)>>;

fn oracle() -> &'static Changes {
    static ORACLE: LazyLock<Changes> = LazyLock::new(ask);
    &ORACLE
}

fn ask() -> Changes {
    let output = Command::new(python())
        .arg(repository("tests/tools/zones.py"))
        .args(ZONES)
        .env("PYTHONTZPATH", "")
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn at(text: &str) -> Timestamp {
    Timestamp::from_jiff(text.parse().expect("an instant"))
}

#[test]
fn every_zone_changes_its_clocks_when_the_oracle_says() {
    let oracle = oracle();
    let mut changes = 0;
    for name in ZONES {
        let zone = zone(name).expect("bundled");
        let ours: Vec<(i64, i64)> =
            wall::steady_stretches(&zone, at("2025-01-01T00:00:00Z"), at("2036-01-01T00:00:00Z"))
                .iter()
                .map(|stretch| (stretch.from.as_ms(), stretch.offset_ms))
                .fold(Vec::new(), |mut kept, (from, offset)| {
                    // A transition that changes only the name of the time is none.
                    if kept.last().is_none_or(|(_, last)| *last != offset) {
                        kept.push((from, offset));
                    }
                    kept
                });
        assert_eq!(ours, oracle[name], "{name}");
        changes += ours.len() - 1;
    }
    assert!(changes > 200, "{changes}");
}

#[test]
fn the_edges_of_a_working_day_lie_where_the_oracles_offsets_put_them() {
    for (name, changes) in oracle() {
        let zone = zone(name).expect("bundled");
        for pair in changes.windows(2) {
            let [(_, before), (change, after)] = pair else { continue };
            // Every quarter of an hour of local time around the change, as both offsets would write it.
            for quarter in -12..12 {
                let local = change + before + quarter * 15 * MINUTE_MS;
                let with = |offset: i64| local - offset;
                let candidates: Vec<i64> = [with(*before)]
                    .into_iter()
                    .filter(|at| at < change)
                    .chain([with(*after)].into_iter().filter(|at| at >= change))
                    .collect();
                let (start, end) = match candidates.as_slice() {
                    [] => (*change, *change),
                    [one] => (*one, *one),
                    [early, late, ..] => (*early, *late),
                };
                let wall = jiff::Timestamp::from_millisecond(local).expect("in range");
                let wall = jiff::tz::TimeZone::UTC.to_datetime(wall);
                let minute =
                    u16::try_from(i32::from(wall.hour()) * 60 + i32::from(wall.minute())).expect("small");
                let edge = |edge| wall::instant(&zone, wall.date(), minute, edge).map(Timestamp::as_ms);
                assert_eq!(edge(Edge::Start), Some(start), "{name} {wall}");
                assert_eq!(edge(Edge::End), Some(end), "{name} {wall}");
            }
        }
    }
}
