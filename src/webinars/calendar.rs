//! The calendar entry of a webinar, for those who registered.

use icalendar::{Calendar, Component, Event, EventLike, EventStatus, Property};

use super::Webinar;
use crate::base::language::Language;
use crate::base::time::Timestamp;

/// The entry as an iCalendar text (RFC 5545) in UTC, published and not asking for an answer.
pub fn calendar_file(webinar: &Webinar, language: Language, now: Timestamp) -> String {
    let mut event = Event::new();
    event
        .uid(&format!("webinar-{}@embudo", webinar.id))
        .add_property("DTSTAMP", utc(now))
        .add_property("DTSTART", utc(webinar.starts_at))
        .add_property("DTEND", utc(webinar.ends_at()))
        .summary(webinar.title.get(language))
        .description(webinar.description.get(language))
        .status(EventStatus::Confirmed);
    if let Some(join_url) = &webinar.join_url {
        event.location(join_url).add_property("URL", join_url);
    }
    let mut calendar = Calendar::empty();
    calendar
        .append_property(Property::new("VERSION", "2.0"))
        .append_property(Property::new("PRODID", "-//Embudo//Webinars//EN"))
        .append_property(Property::new("METHOD", "PUBLISH"))
        .push(event.done());
    calendar.to_string()
}

fn utc(at: Timestamp) -> String {
    at.to_jiff().strftime("%Y%m%dT%H%M%SZ").to_string()
}
