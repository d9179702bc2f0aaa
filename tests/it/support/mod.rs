//! What the tests share.
#![allow(dead_code, reason = "not every test uses every part")]

pub mod answer;
pub mod app;
pub mod crm;
pub mod dns;
pub mod faults;
pub mod hits;
pub mod hook;
pub mod html;
pub mod inbox;
pub mod mmdb;
pub mod nodes;
pub mod port;
pub mod provider;
pub mod radicale;
pub mod redis;
pub mod replay;
pub mod socket;
pub mod sources;
pub mod stores;
pub mod tools;
pub mod visitor;
