//! How people are reached: one file a channel. Those that are written to by a hook of `notify.yaml` stand in
//! [`Way`](super::hooks::Way), too.

pub mod calendar;
pub mod chats;
pub mod console;
pub mod discord;
pub mod plain;
pub mod push;
pub mod slack;
pub mod smtp;
pub mod teams;
pub mod telegram;
pub mod webhook;
