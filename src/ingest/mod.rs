//! The way of a hit: worked out in named steps, made durable, projected afterwards.

mod drain;
mod pipeline;
mod project;
mod store;

pub use drain::{carry, drain, reopen_visits};
pub use pipeline::{Collector, Sender, Taken};
pub use project::project;
