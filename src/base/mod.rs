//! Words that everyone uses: time, ids, addresses, signed tokens, diagnostics. No I/O happens here.

pub mod coded;
pub mod consent;
pub mod diagnostic;
pub mod email;
pub mod expr;
pub mod fold;
pub mod hourly;
pub mod ids;
pub mod language;
pub mod live;
pub mod localized;
pub mod native;
pub mod network;
pub mod sealing;
pub mod secret;
pub mod signing;
pub mod sketch;
pub mod time;
pub mod trust;
pub mod typed;
pub mod yaml;
