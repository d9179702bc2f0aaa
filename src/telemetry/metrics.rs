//! Counters and histograms that cost next to nothing, and the text that Prometheus reads (exposition format 0.0.4).
//!
//! Threads count in places of their own, so that no two of them pull the same cache line to and fro; who reads adds up.

use std::cell::Cell;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// Threads beyond this share places.
const PLACES: usize = 8;

static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static PLACE: Cell<usize> = Cell::new(NEXT.fetch_add(1, Relaxed) % PLACES);
}

/// A number in a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Place(AtomicU64);

/// What only rises.
#[derive(Debug, Default)]
pub struct Counter([Place; PLACES]);

impl Counter {
    /// Counts `n` more.
    pub fn add(&self, n: u64) {
        let at = PLACE.with(Cell::get);
        if let Some(place) = self.0.get(at) {
            place.0.fetch_add(n, Relaxed);
        }
    }

    /// What was counted by all threads.
    pub fn sum(&self) -> u64 {
        self.0.iter().map(|place| place.0.load(Relaxed)).sum()
    }
}

/// Counters of a closed set of words.
#[derive(Debug)]
pub struct Family {
    words: &'static [&'static str],
    counters: Vec<Counter>,
}

impl Family {
    /// One counter for each word.
    pub fn new(words: &'static [&'static str]) -> Self {
        Self { words, counters: words.iter().map(|_| Counter::default()).collect() }
    }

    /// Counts `n` more of a word; of one that is not in the set, nothing.
    pub fn add(&self, word: &str, n: u64) {
        let found = self.words.iter().zip(&self.counters).find(|(known, _)| **known == word);
        if let Some((_, counter)) = found {
            counter.add(n);
        }
    }

    /// What was counted, by word.
    pub fn sums(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.words.iter().zip(&self.counters).map(|(word, counter)| (*word, counter.sum()))
    }
}

/// Upper bounds of a histogram's buckets in microseconds; the last bucket has none.
const BOUNDS_US: [u64; 12] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000];

/// How long something took.
#[derive(Debug)]
pub struct Histogram {
    buckets: [Counter; BOUNDS_US.len() + 1],
    total_us: Counter,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| Counter::default()), total_us: Counter::default() }
    }
}

impl Histogram {
    /// Notes one that took so long.
    pub fn note(&self, took: Duration) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let at = BOUNDS_US.iter().position(|bound| took_us <= *bound).unwrap_or(BOUNDS_US.len());
        if let Some(bucket) = self.buckets.get(at) {
            bucket.add(1);
        }
        self.total_us.add(took_us);
    }
}

/// The text, metric by metric.
#[derive(Debug, Default)]
pub struct Exposition(String);

impl Exposition {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A counter.
    pub fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "counter", help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    /// A number that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.head(name, "gauge", help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    /// Numbers that go up and down, by the value of a label. The values must hold no quotes, backslashes or line ends.
    pub fn gauges(&mut self, name: &str, label: &str, help: &str, values: &[(&str, f64)]) {
        self.head(name, "gauge", help);
        for (word, value) in values {
            let _ = writeln!(self.0, "{name}{{{label}=\"{word}\"}} {value}");
        }
    }

    /// Facts as labels of a gauge that is always 1. The values must hold no quotes, backslashes or line ends.
    pub fn info(&mut self, name: &str, help: &str, labels: &[(&str, &str)]) {
        self.head(name, "gauge", help);
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        let _ = writeln!(self.0, "{name}{{{}}} 1", labels.join(","));
    }

    /// A family, with its word in the label `label`.
    pub fn family(&mut self, name: &str, label: &str, help: &str, family: &Family) {
        self.head(name, "counter", help);
        for (word, sum) in family.sums() {
            let _ = writeln!(self.0, "{name}{{{label}=\"{word}\"}} {sum}");
        }
    }

    /// Counters by several labels. The values must hold no quotes, backslashes or line ends.
    pub fn counters<'a>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Vec<(&'a str, &'a str)>, f64)>,
    ) {
        self.head(name, "counter", help);
        for (labels, value) in rows {
            let labels: Vec<String> =
                labels.iter().map(|(label, word)| format!("{label}=\"{word}\"")).collect();
            let _ = writeln!(self.0, "{name}{{{}}} {value}", labels.join(","));
        }
    }

    /// A histogram, in seconds.
    pub fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.head(name, "histogram", help);
        let mut below = 0;
        let bounds = BOUNDS_US.iter().map(|us| seconds(*us).to_string());
        for (bucket, bound) in histogram.buckets.iter().zip(bounds.chain(["+Inf".to_owned()])) {
            below += bucket.sum();
            let _ = writeln!(self.0, "{name}_bucket{{le=\"{bound}\"}} {below}");
        }
        let _ = writeln!(self.0, "{name}_sum {}\n{name}_count {below}", seconds(histogram.total_us.sum()));
    }

    /// The whole text.
    pub fn text(self) -> String {
        self.0
    }
}

fn seconds(us: u64) -> f64 {
    Duration::from_micros(us).as_secs_f64()
}

/// The memory of this process that is in RAM, where the system tells (Linux).
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kib.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_threads_counted_is_added_up() {
        let counter = Counter::default();
        std::thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| (0..1_000).for_each(|_| counter.add(1)));
            }
        });
        assert_eq!(counter.sum(), 12_000);
    }

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let family = Family::new(&["one", "two"]);
        family.add("two", 3);
        family.add("three", 1);
        let histogram = Histogram::default();
        for ms in [1, 1, 2, 5_000] {
            histogram.note(Duration::from_millis(ms));
        }
        let mut exposition = Exposition::default();
        exposition.family("hits_total", "reason", "Hits.", &family);
        exposition.histogram("took_seconds", "How long.", &histogram);
        let text = exposition.text();
        assert!(text.starts_with(
            "# HELP hits_total Hits.\n# TYPE hits_total counter\nhits_total{reason=\"one\"} 0\n"
        ));
        for line in [
            "hits_total{reason=\"two\"} 3",
            "took_seconds_bucket{le=\"0.0005\"} 0",
            "took_seconds_bucket{le=\"0.001\"} 2",
            "took_seconds_bucket{le=\"0.0025\"} 3",
            "took_seconds_bucket{le=\"1\"} 3",
            "took_seconds_bucket{le=\"+Inf\"} 4",
            "took_seconds_sum 5.004",
            "took_seconds_count 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
    }

    #[test]
    fn this_process_has_some_memory() {
        assert!(resident_bytes().is_none_or(|bytes| bytes > 1_000_000));
    }
}
