//! How people are reached: one file a channel.

pub mod calendar;
pub mod console;
pub mod hook;
pub mod smtp;
