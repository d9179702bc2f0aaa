//! Feeds the reader of hits with whatever the fuzzer thinks of.

#![no_main]

#[path = "../decode.rs"]
mod decode;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    decode::decode(body);
});
