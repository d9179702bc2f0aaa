//! Embudo.

pub mod base;
