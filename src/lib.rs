//! Embudo turns website visitors into booked sales calls.
//!
//! The modules stand in the order in which they may import one another: each uses only those above it.
//! `docs/ARCHITECTURE.md` walks one hit, one form, one chat and one booking through them.

/// Words that everyone uses: time, ids, addresses, signed tokens, diagnostics.
pub mod base;

/// Settings: the documented default file, a file over it, variables over both.
pub mod config;

/// Logs.
pub mod telemetry;

/// The stores: SQL on two engines; hot state, limits and the live bus in process or on Redis.
pub mod storage;

/// Facts, appended in the transaction that made them true.
pub mod events;

// The journey, in the order in which a visitor lives it. It never names a web framework, a template or a channel.

/// The websites that may report hits, fill in forms and chat.
pub mod sites;

/// The people of the company, their sessions, and what each role may do.
pub mod accounts;

/// What the snippet reports, parsed, labelled and kept in a durable log.
pub mod hits;

/// Hits of one visit belong together.
pub mod sessions;

/// What campaigns cost.
pub mod campaigns;

/// The companies people work for.
pub mod companies;

/// Who somebody is: devices, people, and how sure we are.
pub mod contacts;

/// Who wants which letters, and which addresses are not written to.
pub mod subscriptions;

/// How well somebody fits and how engaged they are.
pub mod scoring;

/// The lifecycle: in which stage somebody is, since when, and why.
pub mod stages;

/// Groups of people that a condition describes.
pub mod segments;

/// What companies might buy, who has a part in it, and how it ended.
pub mod deals;

/// What somebody may be offered, and the codes that were given.
pub mod offers;

/// Sequences of letters that follow a stage or a segment.
pub mod nurture;

/// Gated content: forms, the files they unlock, signed links.
pub mod gates;

/// Webinars: registration, attendance, recordings.
pub mod webinars;

/// Calls: free times, holds, bookings.
pub mod bookings;

/// What somebody of the company is to do for a contact.
pub mod tasks;

/// Contacts go from one role to the next: whom to, by when, and whether they were taken.
pub mod handovers;

/// What was said on the telephone, and what calls found out.
pub mod calls;

/// Conversations: flows, the live hand-over, one numbered log each.
pub mod chat;

/// What a person may demand of what is known about her, and who has looked.
pub mod privacy;

/// What people keep of a site's traffic: goals, funnels, shared links, and who is told by mail.
pub mod traffic;

// Consequences.

/// Templates, texts in two languages, dates as people write them.
pub mod render;

/// From facts to messages: mail, chat webhook, console.
pub mod notify;

/// What is known of a booked call stands in a CRM, too, and what sales decides there counts here.
pub mod crm;

/// Pages' worth of reading for the console.
pub mod reports;

// What keeps it running.

/// The way of a hit: worked out, made durable, projected.
pub mod ingest;

/// The durable queue, the schedule, and the workers that do what waits.
pub mod jobs;

/// Everything that one running server consists of.
pub mod app;

// The edges: extract, one call into the domain, render.

/// The doors: collector, pages, chat, API, console.
pub mod http;

/// The commands.
pub mod cli;
