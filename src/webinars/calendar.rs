//! The entry for a calendar (iCalendar, RFC 5545).

use icalendar::{Calendar, Component};
use jiff::tz::TimeZone;

use super::Webinar;
use crate::base::language::Language;
use crate::base::time::Timestamp;

/// A webinar as a calendar file. The UID stays the same, so that adding it twice makes one entry.
pub fn entry(webinar: &Webinar, language: Language, host: &str, address: &str, now: Timestamp) -> String {
    let event = icalendar::Event::new()
        .uid(&format!("webinar-{}@{host}", webinar.id))
        .summary(webinar.title.get(language))
        .description(webinar.description.get(language))
        .url(address)
        .add_property("DTSTAMP", utc(now))
        .add_property("DTSTART", utc(webinar.starts_at))
        .add_property("DTEND", utc(webinar.ends_at()))
        .done();
    let mut calendar = Calendar::new();
    calendar.append_property(("METHOD", "PUBLISH")).push(event);
    calendar.done().to_string()
}

/// `20261203T150000Z`.
fn utc(at: Timestamp) -> String {
    at.to_jiff().to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string()
}
