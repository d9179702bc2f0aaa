//! Conversations: the flow that greets, asks and books, the person who takes over, and the one numbered log of both.
//!
//! The core is pure: [`flow`] reads a YAML file, [`check`] proves what can be proved about it, [`engine`] turns
//! `(flow, state, input, world)` into the next state, events and effects.

pub mod actions;
pub mod body;
pub mod check;
pub mod effects;
pub mod engine;
pub mod flow;
pub mod phrases;
pub mod question;
pub mod rehearsal;
pub mod script;
pub mod steps;
pub mod symbols;
pub mod text;
