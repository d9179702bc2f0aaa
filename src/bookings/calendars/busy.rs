//! When somebody is busy, by a calendar file: its events, expanded, as stretches of time.
//!
//! Whatever cannot be understood fails the whole file, by name: to leave an event out would show a free hour that is
//! none. Left out are only events that say so themselves (transparent, cancelled, declined) and our own, which stand in
//! the bookings' table already.

use std::collections::HashMap;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::lines::{Line, unfold};
use super::moments::{Length, Moment};
use super::recur::{Budget, Refused, Rule, Until};
use super::zones::Zones;
use crate::base::email::Email;
use crate::base::ids::BookingId;
use crate::base::time::{DAY_MS, Timestamp};
use crate::bookings::slots::Span;

/// Dates that the rules of one calendar may make us look at.
const DATES_MOST: u32 = 1_000_000;
/// Stretches that one calendar may have within the window.
const SPANS_MOST: usize = 50_000;
/// Longest part of a file that a person is shown, in characters.
const QUOTED_MOST: usize = 80;

/// Why a calendar cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is no calendar file.
    NotACalendar,
    /// It ends before its end.
    BrokenOff,
    /// It has more events than anybody can have.
    TooMany,
    /// A time that is none.
    Time(String),
    /// A time zone that neither the database nor the file knows.
    Zone(String),
    /// A rule of repetition that is not understood.
    Rule(String),
}

impl Fault {
    /// The word in the database and in texts.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotACalendar => "not_a_calendar",
            Self::BrokenOff => "broken_off",
            Self::TooMany => "too_many",
            Self::Time(_) => "time",
            Self::Zone(_) => "zone",
            Self::Rule(_) => "rule",
        }
    }

    /// The part of the file that it is about; never a title or a name.
    pub fn detail(&self) -> &str {
        match self {
            Self::NotACalendar | Self::BrokenOff | Self::TooMany => "",
            Self::Time(text) | Self::Zone(text) | Self::Rule(text) => text,
        }
    }
}

/// Whose calendar it is, and what of it is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The time that matters.
    pub window: Span,
    /// The owner's zone: of whole days, and of times that name none.
    pub zone: &'a TimeZone,
    /// The owner's address: what she has declined does not keep her busy.
    pub owner: &'a Email,
    /// The domain of our own events' names.
    pub own_domain: &'a str,
    /// Whether tentative events count.
    pub counts_tentative: bool,
}

impl Reading<'_> {
    /// The stretches within the window in which the owner is busy, merged and in order. Several files are parts of one
    /// calendar, as a CalDAV server hands them out.
    ///
    /// # Errors
    /// [`Fault`] by what the file says.
    pub fn busy(&self, files: &[impl AsRef<[u8]>]) -> Result<Vec<Span>, Fault> {
        let mut budget = Budget::new(DATES_MOST);
        let mut spans = Vec::new();
        for file in files {
            self.read(file.as_ref(), &mut budget, &mut spans)?;
        }
        Ok(merged(spans))
    }

    fn read(&self, file: &[u8], budget: &mut Budget, spans: &mut Vec<Span>) -> Result<(), Fault> {
        let lines = unfold(file);
        let is = |text: Option<&String>, wanted: &str| {
            text.is_some_and(|text| text.trim().eq_ignore_ascii_case(wanted))
        };
        if !is(lines.first(), "BEGIN:VCALENDAR") {
            return Err(Fault::NotACalendar);
        }
        if !is(lines.last(), "END:VCALENDAR") {
            return Err(Fault::BrokenOff);
        }
        let zones = Zones::of(&lines);
        // The events of one name belong together: a series and the dates that differ from it.
        let mut series: HashMap<&str, Vec<Event<'_>>> = HashMap::new();
        for part in parts(&lines) {
            match part {
                Part::Event(event) if !self.is_ours(event.uid) => {
                    series.entry(event.uid).or_default().push(*event);
                }
                Part::Event(_) => {}
                Part::FreeBusy(lines) => self.periods(&lines, spans)?,
            }
        }
        for (uid, mut events) in series {
            if uid.is_empty() {
                // Without a name nothing belongs to anything.
                for event in events {
                    self.expand(&[event], &zones, budget, spans)?;
                }
                continue;
            }
            events.sort_by_key(|event| event.sequence);
            self.expand(&events, &zones, budget, spans)?;
        }
        Ok(())
    }

    fn is_ours(&self, uid: &str) -> bool {
        uid.rsplit_once('@').is_some_and(|(id, domain)| {
            domain.eq_ignore_ascii_case(self.own_domain) && BookingId::parse(id).is_ok()
        })
    }

    /// One series: its events in the order of their sequence, so that the last of each date is what holds.
    fn expand(
        &self,
        events: &[Event<'_>],
        zones: &Zones,
        budget: &mut Budget,
        spans: &mut Vec<Span>,
    ) -> Result<(), Fault> {
        let mut master = None;
        let mut differing: HashMap<Timestamp, (&Event<'_>, Time)> = HashMap::new();
        for event in events {
            let start = event.start.ok_or_else(|| Fault::Time("DTSTART".to_owned()))?;
            let start = Time::read(start, zones, self.zone)?;
            match event.recurrence_id {
                None => master = Some((event, start)),
                Some(line) => {
                    if line.param("RANGE").is_some() {
                        return Err(Fault::Rule("RECURRENCE-ID;RANGE".to_owned()));
                    }
                    let of = Time::read(line, zones, &start.zone)?;
                    differing.insert(of.instant()?, (event, start));
                }
            }
        }
        if let Some((event, start)) = &master
            && !event.is_free(self)
        {
            let length = event.length(start, zones)?;
            for at in self.starts(event, start, &length, zones, budget)? {
                if !differing.contains_key(&at.instant()?) {
                    self.keep(at.span(&length)?, spans)?;
                }
            }
        }
        let is_off = master.is_some_and(|(event, _)| event.is_cancelled);
        for (event, start) in differing.values().filter(|_| !is_off) {
            if !event.is_free(self) {
                self.keep(start.span(&event.length(start, zones)?)?, spans)?;
            }
        }
        Ok(())
    }

    /// Every start of an event that could touch the window.
    fn starts(
        &self,
        event: &Event<'_>,
        first: &Time,
        length: &Lasting,
        zones: &Zones,
        budget: &mut Budget,
    ) -> Result<Vec<Time>, Fault> {
        let local = |at: Timestamp| first.zone.to_datetime(at.to_jiff());
        // An event that began earlier may still last; a day more on both sides covers every change of clocks.
        let from = local(self.window.from.plus_ms(-length.most_ms() - 2 * DAY_MS));
        let to = local(self.window.to.plus_ms(2 * DAY_MS));
        let mut starts = vec![first.clone()];
        for line in &event.rules {
            let refused = |refused| match refused {
                Refused::Unknown => Fault::Rule(quoted(line.value)),
                Refused::TooMuch => Fault::TooMany,
            };
            let rule = Rule::read(line.value).map_err(refused)?;
            let end = rule.until().map(|until| match until {
                Until::Date(date) => date.to_datetime(jiff::civil::Time::MAX),
                Until::Local(local) => local,
                Until::Instant(instant) => first.zone.to_datetime(instant),
            });
            // The last day of a series of whole days is told as a moment by some programs.
            let end = if first.is_day {
                end.map(|end| end.date().to_datetime(jiff::civil::Time::MAX))
            } else {
                end
            };
            let found = rule.starts(first.local, end, (from, to), budget).map_err(refused)?;
            starts.extend(found.into_iter().map(|local| Time { local, ..first.clone() }));
        }
        for line in &event.further {
            for value in line.value.split(',').filter(|value| !value.trim().is_empty()) {
                // A period's own length is that of the event in every file that was seen.
                let start = value.split('/').next().unwrap_or_default();
                starts.push(Time::of(start, line, zones, &first.zone)?);
            }
            if !budget.take(starts.len()) {
                return Err(Fault::TooMany);
            }
        }
        let mut instants = std::collections::HashSet::new();
        let mut left_out_days = std::collections::HashSet::new();
        for line in &event.except {
            for value in line.value.split(',').filter(|value| !value.trim().is_empty()) {
                let time = Time::of(value, line, zones, &first.zone)?;
                if time.is_day {
                    left_out_days.insert(time.local.date());
                } else {
                    instants.insert(time.instant()?);
                }
            }
        }
        let mut seen = std::collections::HashSet::new();
        let mut kept = Vec::with_capacity(starts.len());
        for start in starts {
            let instant = start.instant()?;
            let is_left_out = instants.contains(&instant) || left_out_days.contains(&start.local.date());
            if !is_left_out && seen.insert(instant) {
                kept.push(start);
            }
        }
        Ok(kept)
    }

    /// The periods of a `VFREEBUSY`, which are always in UTC.
    fn periods(&self, lines: &[Line<'_>], spans: &mut Vec<Span>) -> Result<(), Fault> {
        for line in lines {
            let kind = line.param("FBTYPE").unwrap_or("BUSY").to_ascii_uppercase();
            if kind == "FREE" || (kind == "BUSY-TENTATIVE" && !self.counts_tentative) {
                continue;
            }
            for value in line.value.split(',').filter(|value| !value.trim().is_empty()) {
                let wrong = || Fault::Time(quoted(value));
                let (from, to) = value.split_once('/').ok_or_else(wrong)?;
                let Some(Moment::Instant(from)) = Moment::read(from) else { return Err(wrong()) };
                let from = Timestamp::from_jiff(from);
                let to = match (Moment::read(to), Length::read(to)) {
                    (Some(Moment::Instant(to)), _) => Timestamp::from_jiff(to),
                    (_, Some(length)) => from.plus_ms(length.days * DAY_MS + length.ms),
                    _ => return Err(wrong()),
                };
                self.keep(Span::new(from, to), spans)?;
            }
        }
        Ok(())
    }

    fn keep(&self, span: Span, spans: &mut Vec<Span>) -> Result<(), Fault> {
        let span = Span::new(span.from.max(self.window.from), span.to.min(self.window.to));
        if span.from < span.to {
            spans.push(span);
        }
        if spans.len() > SPANS_MOST { Err(Fault::TooMany) } else { Ok(()) }
    }
}

fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut whole: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match whole.last_mut() {
            Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
            _ => whole.push(span),
        }
    }
    whole
}

/// What a person may be shown of a file: one line without control characters.
fn quoted(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(QUOTED_MOST).collect()
}

/// What a file is made of, as far as it keeps anybody busy.
enum Part<'a> {
    Event(Box<Event<'a>>),
    /// The `FREEBUSY` lines of a `VFREEBUSY`.
    FreeBusy(Vec<Line<'a>>),
}

/// The lines of a `VEVENT` that matter.
#[derive(Default)]
struct Event<'a> {
    uid: &'a str,
    sequence: i64,
    start: Option<Line<'a>>,
    end: Option<Line<'a>>,
    duration: Option<Line<'a>>,
    recurrence_id: Option<Line<'a>>,
    rules: Vec<Line<'a>>,
    further: Vec<Line<'a>>,
    except: Vec<Line<'a>>,
    is_transparent: bool,
    is_cancelled: bool,
    is_tentative: bool,
    declined: Vec<&'a str>,
}

fn parts(lines: &[String]) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut open: Option<Part<'_>> = None;
    // What stands inside of an event (alarms) is not the event's.
    let mut inner = 0_usize;
    for line in lines.iter().filter_map(|text| Line::read(text)) {
        if line.is("BEGIN") {
            match (&open, line.value.trim().to_ascii_uppercase().as_str()) {
                (None, "VEVENT") => open = Some(Part::Event(Box::default())),
                (None, "VFREEBUSY") => open = Some(Part::FreeBusy(Vec::new())),
                (None, _) => {}
                (Some(_), _) => inner += 1,
            }
        } else if line.is("END") {
            match (inner, open.is_some()) {
                (0, true) => parts.extend(open.take()),
                (0, false) => {}
                _ => inner -= 1,
            }
        } else if inner == 0 {
            match &mut open {
                Some(Part::Event(event)) => event.hear(line),
                Some(Part::FreeBusy(periods)) if line.is("FREEBUSY") => periods.push(line),
                Some(Part::FreeBusy(_)) | None => {}
            }
        }
    }
    // An event whose end is missing is an event all the same.
    parts.extend(open);
    parts
}

impl<'a> Event<'a> {
    fn hear(&mut self, line: Line<'a>) {
        let value = line.value.trim();
        let says = |word: &str| value.eq_ignore_ascii_case(word);
        match line.name.to_ascii_uppercase().as_str() {
            "UID" => self.uid = value,
            "SEQUENCE" => self.sequence = value.parse().unwrap_or(0),
            "DTSTART" => self.start = Some(line),
            "DTEND" => self.end = Some(line),
            "DURATION" => self.duration = Some(line),
            "RECURRENCE-ID" => self.recurrence_id = Some(line),
            "RRULE" => self.rules.push(line),
            "RDATE" => self.further.push(line),
            "EXDATE" => self.except.push(line),
            "TRANSP" => self.is_transparent |= says("TRANSPARENT"),
            "STATUS" => {
                self.is_cancelled |= says("CANCELLED");
                self.is_tentative |= says("TENTATIVE");
            }
            "X-MICROSOFT-CDO-BUSYSTATUS" => {
                self.is_transparent |= says("FREE");
                self.is_tentative |= says("TENTATIVE");
            }
            "ATTENDEE"
                if line.param("PARTSTAT").is_some_and(|said| said.eq_ignore_ascii_case("DECLINED")) =>
            {
                self.declined.push(value);
            }
            _ => {}
        }
    }

    fn is_free(&self, reading: &Reading<'_>) -> bool {
        let has_declined = self.declined.iter().any(|address| {
            address
                .split_once(':')
                .is_some_and(|(_, address)| address.eq_ignore_ascii_case(reading.owner.as_str()))
        });
        let is_left_out = self.is_tentative && !reading.counts_tentative;
        self.is_transparent || self.is_cancelled || is_left_out || has_declined
    }

    fn length(&self, start: &Time, zones: &Zones) -> Result<Lasting, Fault> {
        if let Some(end) = self.end {
            let end = Time::read(end, zones, &start.zone)?;
            if start.is_day {
                let days =
                    start.local.date().until(end.local.date()).map_or(0, |span| i64::from(span.get_days()));
                // A day that ends on itself is a day.
                return Ok(Lasting::Days { days: days.max(1), ms: 0 });
            }
            return Ok(Lasting::Exactly(end.instant()?.since_ms(start.instant()?).max(0)));
        }
        if let Some(line) = self.duration {
            let length = Length::read(line.value).ok_or_else(|| Fault::Time(quoted(line.value)))?;
            return Ok(Lasting::Days { days: length.days, ms: length.ms });
        }
        Ok(if start.is_day { Lasting::Days { days: 1, ms: 0 } } else { Lasting::Exactly(0) })
    }
}

/// How long an event lasts.
#[derive(Debug, Clone, Copy)]
enum Lasting {
    /// To the millisecond, whatever clocks do meanwhile.
    Exactly(i64),
    /// Days of the wall clock, and then to the millisecond.
    Days { days: i64, ms: i64 },
}

impl Lasting {
    fn most_ms(self) -> i64 {
        match self {
            Self::Exactly(ms) => ms,
            Self::Days { days, ms } => days.saturating_mul(DAY_MS).saturating_add(ms),
        }
    }
}

/// A moment with the zone it is told in.
#[derive(Debug, Clone)]
struct Time {
    local: DateTime,
    zone: TimeZone,
    is_day: bool,
}

impl Time {
    fn read(line: Line<'_>, zones: &Zones, otherwise: &TimeZone) -> Result<Self, Fault> {
        Self::of(line.value, &line, zones, otherwise)
    }

    fn of(value: &str, line: &Line<'_>, zones: &Zones, otherwise: &TimeZone) -> Result<Self, Fault> {
        let moment = Moment::read(value).ok_or_else(|| Fault::Time(quoted(value)))?;
        Ok(match moment {
            Moment::Date(date) => {
                let midnight = date.to_datetime(jiff::civil::Time::midnight());
                Self { local: midnight, zone: otherwise.clone(), is_day: true }
            }
            Moment::Local(local) => {
                let zone = match line.param("TZID") {
                    Some(name) => zones.find(name).ok_or_else(|| Fault::Zone(quoted(name)))?,
                    None => otherwise.clone(),
                };
                Self { local, zone, is_day: false }
            }
            Moment::Instant(instant) => {
                Self { local: TimeZone::UTC.to_datetime(instant), zone: TimeZone::UTC, is_day: false }
            }
        })
    }

    /// Of a time that clocks skip the moment as long after the change, of one that comes twice the first (RFC 5545, 3.3.5).
    fn instant(&self) -> Result<Timestamp, Fault> {
        let zoned = self.zone.to_ambiguous_timestamp(self.local).compatible();
        zoned.map(Timestamp::from_jiff).map_err(|_| Fault::Time(quoted(&self.local.to_string())))
    }

    fn span(&self, length: &Lasting) -> Result<Span, Fault> {
        let from = self.instant()?;
        let to = match *length {
            Lasting::Exactly(ms) => from.plus_ms(ms),
            Lasting::Days { days, ms } => {
                let wrong = |_| Fault::Time(quoted(&self.local.to_string()));
                let days = jiff::Span::new().try_days(days).map_err(wrong)?;
                let local = self.local.checked_add(days).map_err(wrong)?;
                Self { local, ..self.clone() }.instant()?.plus_ms(ms)
            }
        };
        Ok(Span::new(from, to))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::time::{HOUR_MS, zone};

    fn at(text: &str) -> Timestamp {
        Timestamp::from_jiff(text.parse().expect("an instant"))
    }

    fn read(files: &[impl AsRef<[u8]>], counts_tentative: bool) -> Result<Vec<String>, Fault> {
        let zone = zone("Europe/Madrid").expect("bundled");
        let owner = Email::parse("mike@faro.example").expect("an address");
        let reading = Reading {
            window: Span::new(at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z")),
            zone: &zone,
            owner: &owner,
            own_domain: "faro.example",
            counts_tentative,
        };
        let told = |span: &Span| format!("{}/{}", &span.from.to_string()[5..16], &span.to.to_string()[5..16]);
        reading.busy(files).map(|spans| spans.iter().map(told).collect())
    }

    fn event(lines: &str) -> String {
        format!("BEGIN:VEVENT\n{}\nEND:VEVENT", lines.replace(" | ", "\n"))
    }

    fn busy(events: &[&str]) -> Result<Vec<String>, Fault> {
        let events: Vec<String> = events.iter().map(|lines| event(lines)).collect();
        read(&[format!("BEGIN:VCALENDAR\n{}\nEND:VCALENDAR\n", events.join("\n"))], true)
    }

    #[test]
    fn an_event_a_whole_day_and_a_length_keep_busy() {
        let found = busy(&[
            "UID:1 | DTSTART:20261123T090000Z | DTEND:20261123T100000Z",
            "UID:2 | DTSTART;VALUE=DATE:20261124",
            "UID:3 | DTSTART;TZID=America/New_York:20261125T090000 | DURATION:PT45M",
            "UID:4 | DTSTART:20261126T120000 | DTEND:20261126T130000",
            "UID:5 | DTSTART:20261127T090000Z",
        ]);
        let expected = [
            "11-23T09:00/11-23T10:00",
            "11-23T23:00/11-24T23:00",
            "11-25T14:00/11-25T14:45",
            "11-26T11:00/11-26T12:00",
        ];
        assert_eq!(found.expect("a calendar"), expected);
    }

    #[test]
    fn what_says_that_it_keeps_nobody_busy_does_not() {
        let when = "DTSTART:20261123T090000Z | DTEND:20261123T100000Z";
        for free in [
            "TRANSP:TRANSPARENT",
            "STATUS:CANCELLED",
            "X-MICROSOFT-CDO-BUSYSTATUS:FREE",
            "ATTENDEE;PARTSTAT=DECLINED:mailto:Mike@faro.example",
        ] {
            assert_eq!(busy(&[&format!("UID:1 | {when} | {free}")]), Ok(vec![]), "{free}");
        }
        for taken in
            ["TRANSP:OPAQUE", "ATTENDEE;PARTSTAT=DECLINED:mailto:ana@faro.example", "STATUS:TENTATIVE"]
        {
            assert_eq!(busy(&[&format!("UID:1 | {when} | {taken}")]).map(|all| all.len()), Ok(1), "{taken}");
        }
        let tentative =
            format!("BEGIN:VCALENDAR\n{}\nEND:VCALENDAR", event(&format!("{when} | STATUS:TENTATIVE")));
        assert_eq!(read(&[tentative], false), Ok(vec![]));
    }

    #[test]
    fn our_own_calls_do_not_count_twice() {
        let when = "DTSTART:20261123T090000Z | DTEND:20261123T100000Z";
        let id = "01936d5e-7d5c-7000-8000-000000000001";
        assert_eq!(busy(&[&format!("UID:{id}@faro.example | {when}")]), Ok(vec![]));
        for other in [format!("{id}@acme.example"), "meeting@faro.example".to_owned(), id.to_owned()] {
            assert_eq!(busy(&[&format!("UID:{other} | {when}")]).map(|all| all.len()), Ok(1), "{other}");
        }
    }

    #[test]
    fn a_series_has_dates_that_are_left_out_moved_and_called_off() {
        let master = "UID:1 | DTSTART;TZID=Europe/Madrid:20261102T090000 | DTEND;TZID=Europe/Madrid:20261102T093000 \
                      | RRULE:FREQ=WEEKLY;COUNT=4 | EXDATE;TZID=Europe/Madrid:20261109T090000";
        let moved = "UID:1 | RECURRENCE-ID;TZID=Europe/Madrid:20261116T090000 | DTSTART:20261117T150000Z \
                     | DTEND:20261117T160000Z";
        let off = "UID:1 | RECURRENCE-ID:20261123T080000Z | STATUS:CANCELLED | DTSTART:20261123T080000Z \
                   | DTEND:20261123T083000Z";
        let found = busy(&[moved, master, off]).expect("a calendar");
        assert_eq!(found, ["11-02T08:00/11-02T08:30", "11-17T15:00/11-17T16:00"]);
    }

    #[test]
    fn the_later_version_of_an_event_holds() {
        let old = "UID:1 | SEQUENCE:2 | DTSTART:20261123T090000Z | DTEND:20261123T100000Z";
        let new = "UID:1 | SEQUENCE:10 | DTSTART:20261124T090000Z | DTEND:20261124T100000Z";
        assert_eq!(busy(&[new, old]).expect("a calendar"), ["11-24T09:00/11-24T10:00"]);
    }

    #[test]
    fn an_alarm_is_no_part_of_its_event() {
        let found =
            busy(&["UID:1 | DTSTART:20261123T090000Z | DURATION:PT1H | BEGIN:VALARM | DURATION:PT5M | \
                            STATUS:CANCELLED | END:VALARM"]);
        assert_eq!(found.expect("a calendar"), ["11-23T09:00/11-23T10:00"]);
    }

    #[test]
    fn a_series_without_an_end_is_read_as_far_as_it_is_wanted() {
        let daily = "UID:1 | DTSTART;TZID=Europe/Madrid:19700101T090000 | DURATION:PT15M | RRULE:FREQ=DAILY";
        assert_eq!(busy(&[daily]).map(|all| all.len()), Ok(30));
        // It began before the window and still lasts.
        let long = "UID:2 | DTSTART:20261001T000000Z | DTEND:20261103T000000Z";
        assert_eq!(busy(&[long]).expect("a calendar"), ["11-01T00:00/11-03T00:00"]);
    }

    #[test]
    fn a_free_busy_answer_is_read() {
        let file = "BEGIN:VCALENDAR\nBEGIN:VFREEBUSY\nFREEBUSY:20261123T090000Z/PT1H,20261123T120000Z/20261123T130000Z\n\
                    FREEBUSY;FBTYPE=FREE:20261124T090000Z/PT1H\nFREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20261125T090000Z/P1D\n\
                    END:VFREEBUSY\nEND:VCALENDAR\n";
        let expected = ["11-23T09:00/11-23T10:00", "11-23T12:00/11-23T13:00", "11-25T09:00/11-26T09:00"];
        assert_eq!(read(&[file], true).expect("a calendar"), expected);
    }

    #[test]
    fn what_cannot_be_understood_is_told_by_name_and_never_taken_for_free_time() {
        let fault = |lines: &str| busy(&[lines]).expect_err(lines);
        assert_eq!(
            fault("UID:1 | DTSTART;TZID=Middle Earth:20261123T090000"),
            Fault::Zone("Middle Earth".to_owned())
        );
        assert_eq!(
            fault("UID:1 | DTSTART:20261123T090000Z | RRULE:FREQ=HOURLY"),
            Fault::Rule("FREQ=HOURLY".to_owned())
        );
        assert_eq!(fault("UID:1 | DTSTART:tomorrow"), Fault::Time("tomorrow".to_owned()));
        assert_eq!(fault("UID:1 | SUMMARY:no start"), Fault::Time("DTSTART".to_owned()));
        assert_eq!(
            fault("UID:1 | DTSTART:00010101T000000Z | RRULE:FREQ=DAILY;COUNT=99999999"),
            Fault::TooMany,
            "more work than anybody's calendar is"
        );
        assert_eq!(read(&["<html>Log in</html>"], true), Err(Fault::NotACalendar));
        assert_eq!(read(&[""], true), Err(Fault::NotACalendar));
        assert_eq!(read(&["BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:2026"], true), Err(Fault::BrokenOff));
    }

    #[test]
    fn ten_megabytes_of_events_are_read_in_the_end() {
        let mut file = "BEGIN:VCALENDAR\r\n".to_owned();
        for n in 0..60_000 {
            file.push_str(&format!(
                "BEGIN:VEVENT\r\nUID:{n}\r\nDTSTART;TZID=Europe/Madrid:20200101T090000\r\nDURATION:PT1H\r\n\
                 SUMMARY:{}\r\nEND:VEVENT\r\n",
                "x".repeat(70)
            ));
        }
        file.push_str("END:VCALENDAR\r\n");
        assert!(file.len() > 9_000_000);
        assert_eq!(read(&[file], true), Ok(vec![]));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 256, ..ProptestConfig::default() })]

        #[test]
        fn no_bytes_make_it_fall(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            drop(read(&[bytes.as_slice()], true));
            let inside = [b"BEGIN:VCALENDAR\nBEGIN:VEVENT\n", bytes.as_slice(), b"\nEND:VEVENT\nEND:VCALENDAR"].concat();
            drop(read(&[inside], true));
        }

        #[test]
        fn no_lines_make_it_fall(
            lines in prop::collection::vec(
                "(DTSTART|DTEND|RDATE|EXDATE|RECURRENCE-ID|DURATION|RRULE|UID|SEQUENCE|FREEBUSY|BEGIN|END)\
                 (;TZID=[A-Za-z/]{0,8}|;VALUE=DATE)?:(0001|2026|9999)(0101|1123|1231)(T[0-9]{6}Z?)?(/P[0-9]{1,9}[DW])?|\
                 RRULE:FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY);INTERVAL=[0-9]{1,5}|DURATION:P[0-9]{1,12}[DWTHMS]|TZOFFSETTO:[-+][0-9]{4,6}",
                0..12,
            )
        ) {
            let file = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\n{}\nEND:VEVENT\nEND:VCALENDAR", lines.join("\n"));
            if let Ok(found) = read(&[file], true) {
                prop_assert!(found.len() as i64 <= 30 * DAY_MS / HOUR_MS);
            }
        }
    }
}
