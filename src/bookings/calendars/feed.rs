//! A rep's calls as a calendar file: for the feed that her calendar program subscribes to, and for her own calendar.
//!
//! It holds what she may see and no more than a calendar needs: kind of call, who with, where, a link to the console.
//! Addresses, telephone numbers and notes stay in the console: feeds are copied to servers of others.

use icalendar::{Calendar, Component, Event, EventStatus, Property};

use crate::base::email::Email;
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::bookings::Booking;
use crate::bookings::invite::{text, uid};
use crate::bookings::team::{Rep, Team};

/// How often programs should look, if they ask.
const LOOK_EVERY: &str = "PT15M";

/// A call and what is told of it.
#[derive(Debug, Clone)]
pub struct Entry {
    pub booking: Booking,
    /// Who booked it, as far as a name is known.
    pub who: String,
    /// The contact's page in the console.
    pub link: Option<String>,
}

/// What all entries have in common.
#[derive(Debug, Clone, Copy)]
pub struct Feed<'a> {
    pub team: &'a Team,
    pub rep: &'a Rep,
    /// The domain of the events' names is this address's.
    pub organizer: &'a Email,
    pub language: Language,
}

impl Feed<'_> {
    /// The whole feed, in the entries' order. The same calls give the same text.
    pub fn ics(&self, entries: &[Entry]) -> String {
        let mut calendar = self.calendar();
        calendar
            .append_property(Property::new("METHOD", "PUBLISH"))
            .append_property(Property::new("X-WR-CALNAME", text(&format!("Embudo: {}", self.rep.name))))
            .append_property(
                Property::new("REFRESH-INTERVAL", LOOK_EVERY).add_parameter("VALUE", "DURATION").done(),
            )
            .append_property(Property::new("X-PUBLISHED-TTL", LOOK_EVERY));
        for entry in entries {
            calendar.push(self.event(entry));
        }
        calendar.to_string()
    }

    /// One call as the resource of a calendar server. Nobody is named as organiser or attendee: the server would write
    /// mails of its own.
    pub fn resource(&self, entry: &Entry) -> String {
        let mut calendar = self.calendar();
        calendar.push(self.event(entry));
        calendar.to_string()
    }

    fn calendar(&self) -> Calendar {
        let mut calendar = Calendar::empty();
        calendar
            .append_property(Property::new("VERSION", "2.0"))
            .append_property(Property::new("PRODID", "-//Embudo//Bookings//EN"))
            .append_property(Property::new("CALSCALE", "GREGORIAN"));
        calendar
    }

    fn event(&self, entry: &Entry) -> Event {
        let booking = &entry.booking;
        let title = self.team.title_of(&booking.meeting, self.language);
        let summary = match entry.who.trim() {
            "" => title.to_owned(),
            who => format!("{title}: {who}"),
        };
        let mut event = Event::new();
        event
            .uid(&uid(booking, self.organizer))
            .add_property("DTSTAMP", utc(booking.updated_at))
            .add_property("LAST-MODIFIED", utc(booking.updated_at))
            .add_property("DTSTART", utc(booking.starts_at))
            .add_property("DTEND", utc(booking.ends_at))
            .add_property("SEQUENCE", booking.sequence.to_string())
            .add_property("SUMMARY", text(&summary))
            .add_property("TRANSP", "OPAQUE")
            .status(EventStatus::Confirmed);
        if let Some(location) = booking.location.as_deref().filter(|place| !place.is_empty()) {
            event.add_property("LOCATION", text(location));
        }
        if let Some(link) = &entry.link {
            event.add_property("URL", link).add_property("DESCRIPTION", text(link));
        }
        event.done()
    }
}

/// `20261123T080000Z` (RFC 5545, 3.3.5, form 2).
pub(in crate::bookings) fn utc(at: Timestamp) -> String {
    at.to_jiff().strftime("%Y%m%dT%H%M%SZ").to_string()
}
