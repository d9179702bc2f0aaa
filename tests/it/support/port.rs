//! Ports for processes that are told theirs, and that may be stopped and started again on them.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Where they begin: they and those 10,000 above them lie below the ports that connections get (32,768 and up on Linux),
/// so that no client of any test can sit on one between looking and the process's own bind.
const FIRST: u16 = 11_000;
const MANY: u16 = 9_000;

/// A port that nobody listens on, nor on the one 10,000 above it, and that nobody else in this run is told.
pub fn free() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(std::process::id() % u32::from(MANY)).unwrap_or_default();
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    (0..MANY)
        .map(|_| FIRST + (begin + NEXT.fetch_add(1, Ordering::Relaxed) % MANY) % MANY)
        .find(|port| is_free(*port) && is_free(port + 10_000))
        .expect("two free ports")
}
