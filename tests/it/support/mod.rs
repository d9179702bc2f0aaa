//! What the tests share.
#![allow(dead_code, reason = "not every test uses every part")]

pub mod hook;
pub mod inbox;
pub mod sources;
pub mod stores;
