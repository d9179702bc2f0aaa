//! The calendar entry of a webinar, for those who registered.

use icalendar::{Calendar, Component, Event, EventLike, EventStatus, Property};

use super::{Dates, Webinar};
use crate::base::language::Language;
use crate::base::time::Timestamp;

/// The entry as an iCalendar text (RFC 5545) in UTC, published and not asking for an answer. Its `UID` is the webinar's for
/// ever; a later entry of a higher `SEQUENCE`, or of the same and a later `DTSTAMP`, takes its place (RFC 5546, section
/// 2.1.5).
pub fn calendar_file(webinar: &Webinar, dates: &Dates, language: Language, now: Timestamp) -> String {
    let mut event = entry(webinar, dates, language, now);
    event.description(webinar.description.get(language)).status(EventStatus::Confirmed);
    if let Some(join_url) = &webinar.join_url {
        event.location(join_url).add_property("URL", join_url);
    }
    wrapped("PUBLISH", event)
}

/// The text that takes the entry out of a calendar again.
pub fn calendar_cancelled(webinar: &Webinar, dates: &Dates, language: Language, now: Timestamp) -> String {
    let mut event = entry(webinar, dates, language, now);
    event.status(EventStatus::Cancelled);
    wrapped("CANCEL", event)
}

fn entry(webinar: &Webinar, dates: &Dates, language: Language, now: Timestamp) -> Event {
    let mut event = Event::new();
    event
        .uid(&format!("webinar-{}@embudo", webinar.id))
        .add_property("SEQUENCE", dates.sequence.to_string())
        .add_property("DTSTAMP", utc(now))
        .add_property("DTSTART", utc(webinar.starts_at))
        .add_property("DTEND", utc(webinar.ends_at()))
        .summary(webinar.title.get(language));
    event
}

fn wrapped(method: &str, event: Event) -> String {
    let mut calendar = Calendar::empty();
    calendar
        .append_property(Property::new("VERSION", "2.0"))
        .append_property(Property::new("PRODID", "-//Embudo//Webinars//EN"))
        .append_property(Property::new("METHOD", method))
        .push(event);
    calendar.to_string()
}

fn utc(at: Timestamp) -> String {
    at.to_jiff().strftime("%Y%m%dT%H%M%SZ").to_string()
}
