//! How many calls a day and a week may hold: a pure count of what is there, and the days it closes.
//!
//! Days and weeks (from Monday) are those of a wall clock: the rep's for what one rep can bear, the meeting's for
//! everything else. A full day closes the starts on it and nothing more: a call of the day before may run into it.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::slots::{Slot, Span};
use super::team::{Meeting, Rep};
use super::wall::{self, Edge};
use crate::base::time::Timestamp;

/// At most so many calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limit {
    /// That begin on one day.
    pub day: Option<u32>,
    /// That begin in one week.
    pub week: Option<u32>,
}

impl Limit {
    /// Whether it says anything.
    pub fn is_set(self) -> bool {
        self.day.is_some() || self.week.is_some()
    }
}

/// What a meeting may be held at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// By one rep.
    pub each_rep: Limit,
    /// By all of them together.
    pub all: Limit,
    /// With one person.
    pub contact: Limit,
}

/// A call that counts: it is kept or booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The rep's id.
    pub rep: String,
    /// The meeting's id.
    pub meeting: String,
    /// When it begins.
    pub starts_at: Timestamp,
    /// Whether the rep is the second of two: then the call is counted with the first.
    pub is_second: bool,
}

/// The stretches in which no more calls may begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Full {
    everybody: Vec<Span>,
    reps: HashMap<String, Vec<Span>>,
}

impl Full {
    /// Whether a call with this rep may not begin at this time.
    pub fn shuts(&self, rep: &str, at: Timestamp) -> bool {
        let holds = |spans: &Vec<Span>| spans.iter().any(|span| span.from <= at && at < span.to);
        holds(&self.everybody) || self.reps.get(rep).is_some_and(holds)
    }

    /// The slots that are left, with those who may still hold them.
    pub fn within<'t>(&self, mut slots: Vec<Slot<'t>>) -> Vec<Slot<'t>> {
        if self.everybody.is_empty() && self.reps.is_empty() {
            return slots;
        }
        for slot in &mut slots {
            let at = slot.starts_at;
            slot.reps.retain(|rep| !self.shuts(&rep.id, at));
        }
        slots.retain(|slot| !slot.reps.is_empty());
        slots
    }
}

/// Whether anything is limited for this meeting and these reps, so that it is worth counting.
pub fn are_set(meeting: &Meeting, reps: &[&Rep]) -> bool {
    let Limits { each_rep, all, contact } = meeting.limits;
    each_rep.is_set() || all.is_set() || contact.is_set() || reps.iter().any(|rep| rep.limit.is_set())
}

/// What is full, given the calls of all reps around the time and those of the person who books.
pub fn full(meeting: &Meeting, reps: &[&Rep], counted: &[Counted], of_contact: &[Counted]) -> Full {
    let of_meeting = |calls: &[Counted]| -> Vec<Timestamp> {
        calls.iter().filter(|call| call.meeting == meeting.id).map(|call| call.starts_at).collect()
    };
    let calls: Vec<Counted> = counted.iter().filter(|call| !call.is_second).cloned().collect();
    let mut full = Full {
        everybody: closed(meeting.limits.all, &meeting.zone, &of_meeting(&calls)),
        reps: HashMap::new(),
    };
    full.everybody.extend(closed(meeting.limits.contact, &meeting.zone, &of_meeting(of_contact)));
    for rep in reps {
        let theirs: Vec<Counted> = counted.iter().filter(|call| call.rep == rep.id).cloned().collect();
        let all: Vec<Timestamp> = theirs.iter().map(|call| call.starts_at).collect();
        let mut spans = closed(rep.limit, &rep.zone, &all);
        spans.extend(closed(meeting.limits.each_rep, &meeting.zone, &of_meeting(&theirs)));
        if !spans.is_empty() {
            full.reps.insert(rep.id.clone(), spans);
        }
    }
    full
}

/// The days and weeks in which a limit is reached.
fn closed(limit: Limit, zone: &TimeZone, starts: &[Timestamp]) -> Vec<Span> {
    let mut spans = Vec::new();
    if let Some(most) = limit.day {
        let days = count(starts.iter().map(|at| wall::date(zone, *at)));
        spans.extend(days.into_iter().filter(|(_, n)| *n >= most).filter_map(|(day, _)| span(zone, day, 1)));
    }
    if let Some(most) = limit.week {
        let weeks = count(starts.iter().map(|at| monday(wall::date(zone, *at))));
        spans.extend(weeks.into_iter().filter(|(_, n)| *n >= most).filter_map(|(day, _)| span(zone, day, 7)));
    }
    spans
}

fn count(dates: impl Iterator<Item = Date>) -> BTreeMap<Date, u32> {
    let mut counts = BTreeMap::new();
    for date in dates {
        *counts.entry(date).or_insert(0) += 1;
    }
    counts
}

/// The Monday of a date's week.
pub fn monday(date: Date) -> Date {
    date.saturating_sub(jiff::Span::new().days(date.weekday().to_monday_zero_offset()))
}

fn span(zone: &TimeZone, first: Date, days: i64) -> Option<Span> {
    let next = first.checked_add(jiff::Span::new().days(days)).ok()?;
    Some(Span::new(wall::instant(zone, first, 0, Edge::Start)?, wall::instant(zone, next, 0, Edge::Start)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bookings::team::examples;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_jiff(text.parse().expect("an instant"))
    }

    fn call(rep: &str, meeting: &str, starts_at: &str) -> Counted {
        Counted {
            rep: rep.to_owned(),
            meeting: meeting.to_owned(),
            starts_at: at(starts_at),
            is_second: false,
        }
    }

    #[test]
    fn a_reps_day_is_full_by_her_own_clock_whatever_the_meeting() {
        let mut lucia = examples::rep("lucia", "America/Mexico_City");
        lucia.limit = Limit { day: Some(2), week: None };
        let meeting = examples::meeting("Europe/Madrid");
        // 23:00 on Monday and 01:00 on Monday in Mexico, which are Tuesday and Monday in Madrid.
        let counted =
            [call("lucia", "discovery", "2026-11-24T05:00:00Z"), call("lucia", "x", "2026-11-23T07:00:00Z")];
        let full = full(&meeting, &[&lucia], &counted, &[]);
        assert!(full.shuts("lucia", at("2026-11-23T18:00:00Z")));
        assert!(full.shuts("lucia", at("2026-11-24T05:59:59Z")));
        assert!(!full.shuts("lucia", at("2026-11-24T06:00:00Z")), "Tuesday in Mexico");
        assert!(!full.shuts("lucia", at("2026-11-23T05:59:00Z")), "Sunday in Mexico");
        assert!(!full.shuts("mike", at("2026-11-23T18:00:00Z")));
    }

    #[test]
    fn a_meetings_week_runs_from_monday_and_other_meetings_do_not_count() {
        let mike = examples::rep("mike", "Europe/Madrid");
        let mut meeting = examples::meeting("Europe/Madrid");
        meeting.limits.all.week = Some(2);
        let counted = [
            call("mike", "discovery", "2026-11-23T09:00:00Z"),
            call("ana", "discovery", "2026-11-29T22:30:00Z"),
            call("mike", "demo", "2026-11-24T09:00:00Z"),
        ];
        let both = full(&meeting, &[&mike], &counted, &[]);
        assert!(
            both.shuts("mike", at("2026-11-25T09:00:00Z")) && both.shuts("ana", at("2026-11-29T22:59:00Z"))
        );
        assert!(!both.shuts("mike", at("2026-11-29T23:00:00Z")), "Monday in Madrid");
        let one = full(&meeting, &[&mike], &counted[1..], &[]);
        assert_eq!(one, Full::default());
    }

    #[test]
    fn a_call_of_two_is_one_call_of_the_meeting_and_one_of_each() {
        let (mike, yuri) = (examples::rep("mike", "Europe/Madrid"), examples::rep("yuri", "Europe/Madrid"));
        let mut meeting = examples::meeting("Europe/Madrid");
        meeting.limits.all.day = Some(2);
        let first = call("mike", "discovery", "2026-11-23T09:00:00Z");
        let second = Counted { rep: "yuri".to_owned(), is_second: true, ..first.clone() };
        let noon = at("2026-11-23T12:00:00Z");
        let counted = [first, second];
        assert_eq!(full(&meeting, &[&mike, &yuri], &counted, &[]), Full::default());
        meeting.limits.each_rep.day = Some(1);
        let each = full(&meeting, &[&mike, &yuri], &counted, &[]);
        assert!(each.shuts("mike", noon) && each.shuts("yuri", noon));
    }

    #[test]
    fn one_person_and_one_rep_have_limits_of_their_own() {
        let (mike, ana) = (examples::rep("mike", "Europe/Madrid"), examples::rep("ana", "Europe/Madrid"));
        let mut meeting = examples::meeting("Europe/Madrid");
        meeting.limits.each_rep.day = Some(1);
        let counted = [call("mike", "discovery", "2026-11-23T09:00:00Z")];
        let by_rep = full(&meeting, &[&mike, &ana], &counted, &[]);
        let noon = at("2026-11-23T12:00:00Z");
        assert!(by_rep.shuts("mike", noon) && !by_rep.shuts("ana", noon));
        meeting.limits = Limits { contact: Limit { day: Some(1), week: None }, ..Limits::default() };
        let by_person = full(&meeting, &[&mike, &ana], &[], &counted);
        assert!(by_person.shuts("mike", noon) && by_person.shuts("ana", noon));
        let slot = |reps| Slot { starts_at: noon, ends_at: noon, reps, with: Vec::new() };
        assert_eq!(by_rep.within(vec![slot(vec![&mike, &ana])]), [slot(vec![&ana])]);
        assert!(by_person.within(vec![slot(vec![&mike, &ana])]).is_empty());
    }
}
