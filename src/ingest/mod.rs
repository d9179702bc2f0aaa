//! The way of a hit: worked out in named steps, made durable, projected afterwards.

mod drain;
mod log;
mod pipeline;
mod project;
mod store;

pub use drain::{carry, drain, reopen_visits};
pub use log::{HitLog, Local};
pub use pipeline::{Collector, Sender, Taken};
pub use project::project;
