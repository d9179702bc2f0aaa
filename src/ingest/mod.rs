//! The way of a hit: worked out in named steps, made durable, projected afterwards.

mod drain;
mod follow;
mod log;
mod pipeline;
mod project;
mod retention;
mod store;
mod streams;
mod traffic;

pub use drain::{carry, drain, reopen_visits};
pub use follow::{Follower, Following, PULSE, follow, read_on};
pub use log::{HitLog, Local, log_of, ongoing_of};
pub use pipeline::{Collector, Sender, Taken};
pub use retention::{Outdated, progress, retain};
pub use streams::Streamed;
pub use traffic::{count, start_over};
