//! What comes from outside as bytes, held against what must be true of any bytes: the corpora of `fuzz/`, the files that
//! ship, and variants of them that a seed makes. The fuzzers run the same readers for longer.

use std::path::PathBuf;

use crate::support::app::repository;

#[path = "../../fuzz/readers/address.rs"]
mod address;
#[path = "../../fuzz/readers/calendar.rs"]
mod calendar;
#[path = "../../fuzz/readers/flow.rs"]
mod flow;
#[path = "../../fuzz/readers/hit.rs"]
mod hit;
#[path = "../../fuzz/readers/token.rs"]
mod token;

/// The files of a folder with their names, in order.
fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = repository(folder);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        (name, std::fs::read(&path).expect("a file can be read"))
    };
    paths.into_iter().map(read).collect()
}

/// Numbers that a seed makes (xorshift64*, Vigna 2016).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap_or(0) % sides.max(1)
    }

    /// One of the files, with a few bytes changed, taken out, doubled, or part of another put in.
    fn variant(&mut self, files: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = files[self.roll(files.len())].1.clone();
        for _ in 0..=self.roll(4) {
            let at = self.roll(bytes.len() + 1);
            match self.roll(5) {
                0 if at < bytes.len() => bytes[at] = u8::try_from(self.roll(256)).unwrap_or(0),
                1 => bytes.truncate(at),
                2 if at < bytes.len() => drop(bytes.drain(at..(at + 1 + self.roll(20)).min(bytes.len()))),
                3 => bytes.insert(at, b" \n\t:-\"'{}[]0%<&\0"[self.roll(16)]),
                _ => {
                    let other = &files[self.roll(files.len())].1;
                    let from = self.roll(other.len() + 1);
                    let part = other[from..(from + self.roll(80)).min(other.len())].to_vec();
                    bytes.splice(at..at, part);
                }
            }
        }
        bytes
    }
}

/// Reads the files, then so many variants. A failure tells the bytes.
fn hold(files: &[(String, Vec<u8>)], variants: usize, read: fn(&[u8]) -> usize) -> Vec<(String, usize)> {
    let told = files.iter().map(|(name, bytes)| {
        println!("{name}");
        (name.clone(), read(bytes))
    });
    let told = told.collect();
    let mut dice = Dice(0x0B0E_5EED);
    for _ in 0..variants {
        let bytes = dice.variant(files);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let outcome = std::panic::catch_unwind(|| read(&bytes));
        assert!(outcome.is_ok(), "these bytes are read in a way that must not be: {text:?}");
    }
    told
}

fn of(told: &[(String, usize)], name: &str) -> usize {
    told.iter().find(|(file, _)| file == name).unwrap_or_else(|| panic!("{name} is gone")).1
}

#[test]
fn hits() {
    let told = hold(&files("fuzz/corpus/hit"), 4_000, hit::read);
    assert!(told.len() >= 30);
    for name in ["plain_one", "gzip_one", "lone_surrogate", "url_words"] {
        assert_eq!(of(&told, name), 1, "{name}");
    }
    assert_eq!(of(&told, "plain_list"), 3);
    for name in ["too_many", "gzip_bomb", "gzip_cut", "url_script"] {
        assert_eq!(of(&told, name), 0, "{name}");
    }
}

#[test]
fn flows() {
    let mut all = files("fuzz/corpus/flow");
    all.extend(files("bot-flows").into_iter().filter(|(name, _)| name.ends_with(".yaml")));
    all.extend(files("tests/it/fixtures/flows"));
    let told = hold(&all, 150, flow::read);
    assert_eq!(of(&told, "small.yaml"), 1);
    for name in ["open_list", "alias_of_itself", "deep", "circle", "half_a_condition", "norway"] {
        assert_eq!(of(&told, name), 0, "{name}");
    }
}

#[test]
fn tokens() {
    let told = hold(&files("fuzz/corpus/token"), 4_000, token::read);
    // Unchanged, the good one is taken; bytes that change nothing leave it twice.
    assert_eq!((of(&told, "empty"), of(&told, "first_byte"), of(&told, "two_bytes")), (2, 2, 1));
}

#[test]
fn calendars() {
    let mut all = files("fuzz/corpus/calendar");
    all.extend(files("tests/it/fixtures/calendars"));
    let told = hold(&all, 1_500, calendar::read);
    assert_eq!(of(&told, "one_event.ics"), 1);
    assert!(of(&told, "weekly_in_a_zone.ics") >= 5);
    assert_eq!(of(&told, "endless_every_second.ics"), 0);
}

#[test]
fn addresses() {
    let told = hold(&files("fuzz/corpus/address"), 4_000, address::read);
    let reached: Vec<&str> = told.iter().filter(|(_, n)| *n == 1).map(|(name, _)| name.as_str()).collect();
    // A name at an odd port is asked for when something is sent, and then only allowed networks are reached.
    assert_eq!(reached, ["odd_port", "ordinary", "public"]);
}
