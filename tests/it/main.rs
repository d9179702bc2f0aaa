//! The integration tests, by capability, against a real app with stores of its own.
//!
//! `STORES=embedded` (the default) runs them on SQLite and in-process stores, `STORES=postgres+redis` on
//! the servers of EMBUDO_TEST_POSTGRES_URL and EMBUDO_TEST_REDIS_URL; `scripts/test` does both.

mod support;

mod accounts;
mod architecture;
mod booking;
mod booking_nodes;
mod booking_races;
mod booking_rules;
mod booking_zones;
mod calendars;
mod chat;
mod chat_hostile;
mod chat_nodes;
mod chat_schedules;
mod chat_transports;
mod chat_turns;
mod cluster;
mod collector;
mod commands;
mod consents;
mod console;
mod console_bookings;
mod console_traffic;
mod content;
mod contracts;
mod crm;
mod deals;
mod definitions;
mod dkim;
mod doctor;
mod earlier;
mod errors;
mod flows;
mod flows_page;
mod forms;
mod fuzzed;
mod gates;
mod handover;
mod hostile;
mod identity;
mod language;
mod letters;
mod lifecycle;
mod lifecycle_page;
mod links;
mod live_chat;
mod live_teams;
mod mail;
mod nurture;
mod openapi;
mod outbox;
mod people;
mod preferences;
mod privacy;
mod push;
mod reports;
mod reports_counted;
mod routes;
mod segments;
mod streams;
mod team_meetings;
mod traffic;
mod webinars;
