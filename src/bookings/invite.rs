//! Calendar invitations: one event per booking, asked for, moved and cancelled by the same UID.
//!
//! iTIP (RFC 5546) as mail programs really want it: `METHOD` is `REQUEST` or `CANCEL`, the UID stays for life, the
//! sequence rises, times are in UTC (nobody's stale zone data can move them), the organiser is the service's own
//! mailbox that also sends the mail, without a name, and everybody who comes is an attendee. What visitors typed goes in only
//! as escaped text without control characters, so that it cannot begin a line of its own.

use icalendar::{Calendar, Component, Event, EventStatus, Property};

use super::calendars::feed::utc;
use super::team::{Meeting, Rep};
use super::{Booking, State};
use crate::base::email::Email;
use crate::base::language::Language;
use crate::base::time::Timestamp;

/// Longest text of one property, in characters; longer ones end in an ellipsis.
const TEXT_LENGTH: usize = 2_000;

/// What the receiver's calendar is to do. Must also stand in the mail part's content type (RFC 6047, 2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Enter the event, or replace it.
    Request,
    /// Take it out.
    Cancel,
}

impl Method {
    /// As it stands in the file and in the content type.
    pub fn word(self) -> &'static str {
        match self {
            Self::Request => "REQUEST",
            Self::Cancel => "CANCEL",
        }
    }
}

/// Everything an invitation says.
#[derive(Debug, Clone, Copy)]
pub struct Invite<'a> {
    /// What is booked; its id is the UID, its sequence the event's.
    pub booking: &'a Booking,
    /// What kind of meeting.
    pub meeting: &'a Meeting,
    /// Who holds it.
    pub rep: &'a Rep,
    /// Who else of the team is there.
    pub companion: Option<&'a Rep>,
    /// Who booked it: the name as they typed it, perhaps empty, and the address; nobody if she was erased.
    pub visitor: Option<(&'a str, &'a Email)>,
    /// The service's mailbox, which sends the mail too.
    pub organizer: &'a Email,
    /// The link by which it can be seen, and not changed; only in the visitor's copy.
    pub view: Option<&'a str>,
    /// Whether what the booker typed is repeated. Not to an address that anybody may have typed: whoever books in
    /// somebody's name would have us write to her whatever he likes.
    pub repeats: bool,
    /// The language of the copy.
    pub language: Language,
}

impl Invite<'_> {
    /// The file's text, with CRLF and folded lines.
    pub fn ics(&self, method: Method, now: Timestamp) -> String {
        let mut event = Event::new();
        event
            .uid(&uid(self.booking, self.organizer))
            .add_property("DTSTAMP", utc(now))
            .add_property("DTSTART", utc(self.booking.starts_at))
            .add_property("DTEND", utc(self.booking.ends_at))
            .add_property("SEQUENCE", self.booking.sequence.to_string())
            .add_property("SUMMARY", text(&self.summary()))
            .add_property("DESCRIPTION", text(&self.description()))
            .add_property("LOCATION", text(self.booking.location.as_deref().unwrap_or_default()))
            .add_property("ORGANIZER", format!("mailto:{}", self.organizer))
            .append_multi_property(attendee(&self.rep.name, &self.rep.email, "ACCEPTED"))
            .add_property("TRANSP", "OPAQUE");
        if let Some((name, email)) = self.visitor {
            event.append_multi_property(attendee(if self.repeats { name } else { "" }, email, "ACCEPTED"));
        }
        if let Some(companion) = self.companion {
            event.append_multi_property(attendee(&companion.name, &companion.email, "ACCEPTED"));
        }
        if let Some(view) = self.view {
            event.add_property("URL", view);
        }
        event.status(match method {
            Method::Request => EventStatus::Confirmed,
            Method::Cancel => EventStatus::Cancelled,
        });
        calendar(method.word(), &mut event).to_string()
    }

    fn summary(&self) -> String {
        let title = self.meeting.title.get(self.language);
        let team: Vec<&str> =
            std::iter::once(self.rep).chain(self.companion).map(|rep| rep.name.as_str()).collect();
        let team = team.join(", ");
        match self.visitor.map_or("", |(name, _)| name.trim()) {
            _ if !self.repeats => format!("{title}: {team}"),
            "" => format!("{title}: {team}"),
            visitor => format!("{title}: {visitor} / {team}"),
        }
    }

    fn description(&self) -> String {
        let mut parts = vec![self.meeting.description.get(self.language).to_owned()];
        let notes = self.booking.notes.as_deref().filter(|notes| self.repeats && !notes.trim().is_empty());
        if let Some(notes) = notes {
            parts.push(notes.trim().to_owned());
        }
        if let Some(view) = self.view {
            let words = match (self.language, self.booking.state == State::Confirmed) {
                (Language::En, true) => "See the call. The mail about it has the links to move or cancel it",
                (Language::En, false) => "This call was cancelled",
                (Language::Es, true) => {
                    "Ver la llamada. El correo sobre ella tiene los enlaces para moverla o cancelarla"
                }
                (Language::Es, false) => "Esta llamada se canceló",
            };
            parts.push(format!("{words}: {view}"));
        }
        parts.join("\n\n")
    }
}

/// A call as an entry for whoever looks at its page: the same UID as the invitation's, so that there are not two of it, and
/// nobody's name or address but the team's, for a link to look at a call may be forwarded.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// What is booked.
    pub booking: &'a Booking,
    /// What it is called.
    pub title: &'a str,
    /// With whom of the team.
    pub with: &'a str,
    /// The link by which it can be seen.
    pub view: &'a str,
    /// The service's mailbox.
    pub organizer: &'a Email,
}

impl Entry<'_> {
    /// What it is called, and with whom it is.
    pub fn summary(&self) -> String {
        if self.with.is_empty() { self.title.to_owned() } else { format!("{}: {}", self.title, self.with) }
    }

    /// The first and the last moment, as calendars write them: `20261123T080000Z` (RFC 5545, 3.3.5, form 2).
    pub fn span(&self) -> (String, String) {
        (utc(self.booking.starts_at), utc(self.booking.ends_at))
    }

    /// The file's text, with CRLF and folded lines.
    pub fn ics(&self, now: Timestamp) -> String {
        let (from, to) = self.span();
        let mut event = Event::new();
        event
            .uid(&uid(self.booking, self.organizer))
            .add_property("DTSTAMP", utc(now))
            .add_property("DTSTART", from)
            .add_property("DTEND", to)
            .add_property("SEQUENCE", self.booking.sequence.to_string())
            .add_property("SUMMARY", text(&self.summary()))
            .add_property("DESCRIPTION", text(self.view))
            .add_property("LOCATION", text(self.booking.location.as_deref().unwrap_or_default()))
            .add_property("TRANSP", "OPAQUE")
            .add_property("URL", self.view)
            .status(EventStatus::Confirmed);
        calendar("PUBLISH", &mut event).to_string()
    }
}

fn calendar(method: &str, event: &mut Event) -> Calendar {
    let mut calendar = Calendar::empty();
    calendar
        .append_property(Property::new("VERSION", "2.0"))
        .append_property(Property::new("PRODID", "-//Embudo//Bookings//EN"))
        .append_property(Property::new("CALSCALE", "GREGORIAN"))
        .append_property(Property::new("METHOD", method))
        .push(event.done());
    calendar
}

/// The event's name in every calendar it ever gets into; the same for the booking's life.
pub fn uid(booking: &Booking, organizer: &Email) -> String {
    format!("{}@{}", booking.id, organizer.domain())
}

fn attendee(name: &str, email: &Email, answer: &str) -> Property {
    let mut property = Property::new("ATTENDEE", format!("mailto:{email}"));
    let name = parameter(name);
    if !name.is_empty() {
        property.add_parameter("CN", &name);
    }
    property
        .add_parameter("CUTYPE", "INDIVIDUAL")
        .add_parameter("ROLE", "REQ-PARTICIPANT")
        .add_parameter("PARTSTAT", answer)
        // Answers would go to a mailbox that nobody reads; our own link does it better.
        .add_parameter("RSVP", "FALSE")
        .done()
}

/// A text value without control characters but for line breaks; the library escapes what is special in it.
pub(super) fn text(value: &str) -> String {
    let value = value.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}', '\u{85}'], "\n");
    shortened(value.chars().filter(|c| *c == '\n' || !c.is_control()).collect(), TEXT_LENGTH)
}

/// A parameter's value: it cannot hold double quotes (RFC 5545, 3.1) or line breaks, so they are taken out.
fn parameter(value: &str) -> String {
    let breaks = ['\u{2028}', '\u{2029}'];
    let clean: String =
        value.chars().filter(|c| *c != '"' && !c.is_control() && !breaks.contains(c)).collect();
    shortened(clean.trim().to_owned(), 120)
}

fn shortened(value: String, most: usize) -> String {
    if value.chars().count() <= most {
        return value;
    }
    value.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use icalendar::parser::{read_calendar, unfold};
    use proptest::prelude::*;

    use super::*;
    use crate::bookings::examples::booking;
    use crate::bookings::team::examples;

    fn organizer() -> Email {
        Email::parse("bookings@faro.example").expect("an address")
    }

    fn file(name: &str, notes: &str, method: Method) -> String {
        file_with(name, notes, method, None)
    }

    fn file_with(name: &str, notes: &str, method: Method, companion: Option<&Rep>) -> String {
        let mut booking = booking();
        booking.notes = Some(notes.to_owned());
        booking.location = Some("https://meet.faro.example/discovery".to_owned());
        let email = Email::parse("nikki@acme.example").expect("an address");
        let invite = Invite {
            booking: &booking,
            meeting: &examples::meeting("Europe/Madrid"),
            rep: &examples::rep("mike", "Europe/Madrid"),
            companion,
            visitor: Some((name, &email)),
            organizer: &organizer(),
            view: Some("https://embudo.example/b/TOKEN"),
            repeats: true,
            language: Language::Es,
        };
        invite.ics(method, Timestamp::from_jiff("2026-11-21T10:00:00Z".parse().expect("an instant")))
    }

    /// The event's properties as (name, value), read back by the parser.
    fn properties(file: &str) -> Vec<(String, String)> {
        let unfolded = unfold(file);
        let calendar = read_calendar(&unfolded).unwrap_or_else(|error| panic!("{error}\n{file}"));
        assert_eq!(calendar.components.len(), 1, "{file}");
        calendar.components[0]
            .properties
            .iter()
            .map(|property| (property.name.as_str().to_owned(), property.val.as_str().to_owned()))
            .collect()
    }

    fn value(file: &str, name: &str) -> String {
        properties(file).into_iter().find(|(n, _)| n == name).map(|(_, value)| value).unwrap_or_default()
    }

    #[test]
    fn a_request_holds_what_the_strict_mail_programs_ask_for() {
        let file = file("Nikki Grant", "We are 120 people", Method::Request);
        assert!(file.contains("\r\nMETHOD:REQUEST\r\n"), "{file}");
        assert!(
            file.contains("\r\nORGANIZER:mailto:bookings@faro.example\r\n"),
            "bare, as Gmail wants it: {file}"
        );
        assert_eq!(value(&file, "UID"), format!("{}@faro.example", booking().id));
        assert_eq!(value(&file, "DTSTART"), "20261123T080000Z");
        assert_eq!(value(&file, "DTEND"), "20261123T082000Z");
        assert_eq!(value(&file, "DTSTAMP"), "20261121T100000Z");
        assert_eq!(value(&file, "SEQUENCE"), "0");
        assert_eq!(value(&file, "STATUS"), "CONFIRMED");
        assert_eq!(properties(&file).iter().filter(|(name, _)| name == "ATTENDEE").count(), 2);
        assert!(value(&file, "DESCRIPTION").contains("https://embudo.example/b/TOKEN"));
        assert!(file.lines().all(|line| line.len() <= 75 + 1), "folded at 75 octets: {file}");
        assert!(!file.replace("\r\n", "").contains(['\r', '\n']), "only CRLF");
        assert!(!file.contains("TZID") && !file.contains("VTIMEZONE"));
    }

    #[test]
    fn an_address_that_anybody_may_have_typed_is_sent_nothing_that_he_typed() {
        let mut booking = booking();
        booking.notes = Some("Pay at once".to_owned());
        let email = Email::parse("nikki@acme.example").expect("an address");
        let invite = Invite {
            booking: &booking,
            meeting: &examples::meeting("Europe/Madrid"),
            rep: &examples::rep("mike", "Europe/Madrid"),
            companion: None,
            visitor: Some(("The Treasury", &email)),
            organizer: &organizer(),
            view: Some("https://embudo.example/b/TOKEN"),
            repeats: false,
            language: Language::En,
        };
        let file = invite.ics(Method::Request, Timestamp(0)).replace("\r\n ", "");
        assert!(!file.contains("Treasury") && !file.contains("Pay at once"), "{file}");
        assert!(file.contains("mailto:nikki@acme.example"), "{file}");
    }

    #[test]
    fn whoever_else_of_the_team_is_there_is_an_attendee_too() {
        let yuri = examples::rep("yuri", "America/New_York");
        let file = file_with("Nikki", "", Method::Request, Some(&yuri));
        let attendees: Vec<String> = properties(&file)
            .into_iter()
            .filter_map(|(name, value)| (name == "ATTENDEE").then_some(value))
            .collect();
        assert_eq!(attendees.len(), 3, "{attendees:?}");
        assert!(attendees.contains(&format!("mailto:{}", yuri.email)), "{attendees:?}");
        assert!(file.contains("Nikki / mike\\, yuri"), "{file}");
    }

    #[test]
    fn a_cancellation_names_the_same_event_and_says_that_it_is_off() {
        let cancel = file("Nikki", "", Method::Cancel);
        assert!(cancel.contains("\r\nMETHOD:CANCEL\r\n"));
        assert_eq!(value(&cancel, "STATUS"), "CANCELLED");
        assert_eq!(value(&cancel, "UID"), value(&file("Nikki", "", Method::Request), "UID"));
    }

    #[test]
    fn the_entry_of_the_page_is_the_same_event_and_names_nobody_who_booked() {
        let mut booking = booking();
        booking.notes = Some("Between us".to_owned());
        let view = "https://embudo.example/b/TOKEN";
        let entry = Entry { booking: &booking, title: "Call", with: "Mike", view, organizer: &organizer() }
            .ics(Timestamp(0));
        assert_eq!(value(&entry, "UID"), value(&file("Nikki", "", Method::Request), "UID"));
        assert_eq!((value(&entry, "SUMMARY").as_str(), value(&entry, "URL").as_str()), ("Call: Mike", view));
        assert!(entry.contains("\r\nMETHOD:PUBLISH\r\n"), "{entry}");
        assert!(!entry.contains("ATTENDEE") && !entry.contains("Between us"), "{entry}");
    }

    #[test]
    fn what_changes_a_call_is_not_in_its_entry_and_a_withdrawn_one_offers_nothing() {
        let asked = file("Nikki", "", Method::Request).replace("\r\n ", "");
        assert!(!asked.contains("Cambiar o cancelar") && asked.contains("Ver la llamada"), "{asked}");
        let mut off = booking();
        off.state = State::Cancelled;
        let email = Email::parse("nikki@acme.example").expect("an address");
        let invite = Invite {
            booking: &off,
            meeting: &examples::meeting("Europe/Madrid"),
            rep: &examples::rep("mike", "Europe/Madrid"),
            companion: None,
            visitor: Some(("Nikki", &email)),
            organizer: &organizer(),
            view: Some("https://embudo.example/b/TOKEN"),
            repeats: true,
            language: Language::En,
        };
        let withdrawn = invite.ics(Method::Cancel, Timestamp(0)).replace("\r\n ", "");
        assert!(!withdrawn.contains("move or cancel") && withdrawn.contains("was cancelled"), "{withdrawn}");
    }

    #[test]
    fn what_a_visitor_types_cannot_begin_a_line_or_leave_its_quotes() {
        for evil in [
            "x\r\nATTENDEE:mailto:eve@x.example",
            "x\nBEGIN:VALARM",
            "x\u{2028}DTSTART:20260101T000000Z",
            "x\u{85}METHOD:PUBLISH",
            "\";RSVP=TRUE:mailto:eve@x.example",
            "a;b,c\\n:d\"e",
            "\u{0}\u{b}END:VEVENT",
        ] {
            let file = file(evil, evil, Method::Request);
            let names: Vec<String> = properties(&file).into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, EXPECTED, "{evil:?}\n{file}");
            assert_eq!(value(&file, "DTSTART"), "20261123T080000Z");
            assert!(!file.contains("mailto:eve@x.example\r\n"), "{file}");
        }
    }

    /// The properties of every request, in the file's order.
    const EXPECTED: [&str; 14] = [
        "DESCRIPTION",
        "DTEND",
        "DTSTAMP",
        "DTSTART",
        "LOCATION",
        "ORGANIZER",
        "SEQUENCE",
        "STATUS",
        "SUMMARY",
        "TRANSP",
        "UID",
        "URL",
        "ATTENDEE",
        "ATTENDEE",
    ];

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn any_note_comes_back_as_it_was_typed(name in "\\PC{0,40}", notes in "[\\PC\n]{0,200}") {
            let file = file(&name, &notes, Method::Request);
            let names: Vec<String> = properties(&file).into_iter().map(|(name, _)| name).collect();
            prop_assert_eq!(names, EXPECTED);
            let description = value(&file, "DESCRIPTION");
            let notes = text(notes.trim());
            prop_assert!(description.contains(&notes), "{:?} in {:?}", notes, description);
        }
    }
}
