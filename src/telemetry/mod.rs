//! Logs: one readable sentence and fields with dotted names; never an address, a name, a token or a body.

pub mod metrics;

use tracing_subscriber::EnvFilter;

use crate::config::Log;

/// Starts logging to standard error as text or JSON lines. A second call changes nothing.
pub fn start(log: &Log) {
    let filter = EnvFilter::try_new(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if log.format == "json" {
        builder.json().try_init()
    } else {
        use std::io::IsTerminal;
        builder.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init()
    };
    // Fails only if logging was started before, as in tests.
    drop(started);
}
