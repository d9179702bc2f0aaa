//! Feeds `readers/calendar.rs` with whatever the fuzzer thinks of.

#![no_main]

#[path = "../readers/calendar.rs"]
mod reader;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    reader::read(bytes);
});
