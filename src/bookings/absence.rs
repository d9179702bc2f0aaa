//! When a rep is away, and who stands in meanwhile.
//!
//! An absence blocks the rep like a call does. Whoever stands in takes the calls of the rep's own contacts first, and
//! may hold the rep's meetings as long as the absence lasts, also those that are not hers otherwise.

use std::collections::HashMap;

use jiff::civil::Date;

use super::slots::{Busy, Slot, Span};
use super::team::{Meeting, Rep, Team};
use super::wall::{self, Edge};
use crate::base::ids::AbsenceId;
use crate::base::time::Timestamp;

/// Days away as the team's file has them: from the first to the last, both of them away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away {
    /// The first day.
    pub from: Date,
    /// The last day.
    pub to: Date,
    /// The id of the rep who stands in.
    pub delegate: Option<String>,
}

/// A stretch in which a rep is away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absence {
    /// Its id, if it was entered by hand.
    pub id: Option<AbsenceId>,
    /// Who is away.
    pub rep: String,
    /// How long.
    pub span: Span,
    /// Who stands in.
    pub delegate: Option<String>,
    /// What the rep wants remembered; for colleagues only.
    pub note: Option<String>,
}

impl Absence {
    /// Whether it covers this instant.
    pub fn covers(&self, at: Timestamp) -> bool {
        self.span.from <= at && at < self.span.to
    }
}

/// The days from `from` to `to`, both included, by the rep's own clock. `None` if the last lies before the first.
pub fn days(rep: &Rep, from: Date, to: Date) -> Option<Span> {
    let span = Span::new(
        wall::instant(&rep.zone, from, 0, Edge::Start)?,
        wall::instant(&rep.zone, to, 24 * 60, Edge::End)?,
    );
    (span.from < span.to).then_some(span)
}

/// Those of the team's file that are not over.
pub fn written(team: &Team, now: Timestamp) -> Vec<Absence> {
    let of_rep = |rep: &Rep| -> Vec<Absence> {
        let absence = |away: &Away| {
            let span = days(rep, away.from, away.to).filter(|span| span.to > now)?;
            Some(Absence { id: None, rep: rep.id.clone(), span, delegate: away.delegate.clone(), note: None })
        };
        rep.away.iter().filter_map(absence).collect()
    };
    team.reps.iter().flat_map(of_rep).collect()
}

/// Who holds a meeting while some are away.
#[derive(Debug, Clone, Default)]
pub struct Cover<'t> {
    /// Those who do not hold it otherwise, and when they stand in.
    stand_ins: HashMap<String, Vec<Span>>,
    reps: Vec<&'t Rep>,
}

impl<'t> Cover<'t> {
    /// Adds to those who hold the meeting whoever stands in for one of them.
    pub fn of(team: &'t Team, meeting: &Meeting, absences: &[Absence]) -> Self {
        let mut cover = Self { stand_ins: HashMap::new(), reps: team.reps_of(meeting) };
        for absence in absences.iter().filter(|absence| meeting.reps.contains(&absence.rep)) {
            let delegate = absence.delegate.as_deref().and_then(|id| team.rep(id));
            let Some(delegate) = delegate.filter(|delegate| !meeting.reps.contains(&delegate.id)) else {
                continue;
            };
            if !cover.stand_ins.contains_key(&delegate.id) {
                cover.reps.push(delegate);
            }
            cover.stand_ins.entry(delegate.id.clone()).or_default().push(absence.span);
        }
        cover
    }

    /// Everybody who may hold it at some time.
    pub fn reps(&self) -> &[&'t Rep] {
        &self.reps
    }

    /// The slots without those who stand in only at other times.
    pub fn within<'s>(&self, mut slots: Vec<Slot<'s>>) -> Vec<Slot<'s>> {
        if self.stand_ins.is_empty() {
            return slots;
        }
        for slot in &mut slots {
            let (from, to) = (slot.starts_at, slot.ends_at);
            slot.reps.retain(|rep| {
                let spans = self.stand_ins.get(&rep.id);
                spans.is_none_or(|spans| spans.iter().any(|span| span.from <= from && to <= span.to))
            });
        }
        slots.retain(|slot| !slot.reps.is_empty());
        slots
    }
}

/// Blocks the calendars of those who are away.
pub fn block(busy: &mut Busy, absences: &[Absence]) {
    for absence in absences {
        busy.entry(absence.rep.clone()).or_default().push(absence.span);
    }
}

/// Who stands in for `rep` at this time: none if the rep is there; the delegate of the delegate where that one is away
/// too, as far as the chain goes without meeting anybody twice.
pub fn stand_in<'a>(absences: &'a [Absence], rep: &str, at: Timestamp) -> Option<&'a str> {
    let mut met = vec![rep.to_owned()];
    let mut found = None;
    while let Some(last) = met.last() {
        let Some(away) = absences.iter().find(|absence| absence.rep == *last && absence.covers(at)) else {
            break;
        };
        let Some(delegate) = away.delegate.as_deref() else { break };
        if met.iter().any(|id| id == delegate) {
            break;
        }
        met.push(delegate.to_owned());
        found = Some(delegate);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::MINUTE_MS;
    use crate::bookings::slots::slots;
    use crate::bookings::team::examples;

    fn date(text: &str) -> Date {
        text.parse().expect("a date")
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::from_jiff(text.parse().expect("an instant"))
    }

    fn absence(rep: &str, from: &str, to: &str, delegate: Option<&str>) -> Absence {
        let span = days(&examples::rep(rep, "Europe/Madrid"), date(from), date(to)).expect("in order");
        let delegate = delegate.map(str::to_owned);
        Absence { id: None, rep: rep.to_owned(), span, delegate, note: None }
    }

    #[test]
    fn both_ends_are_days_away_by_the_reps_own_clock() {
        let lucia = examples::rep("lucia", "America/Mexico_City");
        let span = days(&lucia, date("2026-11-23"), date("2026-11-24")).expect("in order");
        assert_eq!((span.from, span.to), (at("2026-11-23T06:00:00Z"), at("2026-11-25T06:00:00Z")));
        assert_eq!(days(&lucia, date("2026-11-24"), date("2026-11-23")), None);
    }

    #[test]
    fn whoever_stands_in_holds_the_meeting_only_as_long_as_the_absence_lasts() {
        let mut meeting = examples::meeting("Europe/Madrid");
        meeting.reps = vec!["ana".to_owned()];
        let reps = vec![examples::rep("ana", "Europe/Madrid"), examples::rep("ben", "Europe/Madrid")];
        let team = Team { reps, meetings: vec![meeting.clone()], ..Team::default() };
        let absences = [absence("ana", "2026-11-24", "2026-11-24", Some("ben"))];
        let cover = Cover::of(&team, &meeting, &absences);
        let mut busy = Busy::new();
        block(&mut busy, &absences);
        let now = at("2026-11-22T12:00:00Z");
        let window = Span::new(now, at("2026-11-26T00:00:00Z"));
        let found = cover.within(slots(&meeting, cover.reps(), &busy, window, now));
        let who = |day: &str| {
            let of_day = found.iter().filter(|slot| slot.starts_at.to_string().starts_with(day));
            let mut ids: Vec<&str> =
                of_day.flat_map(|slot| slot.reps.iter().map(|rep| rep.id.as_str())).collect();
            ids.dedup();
            ids.join(" ")
        };
        assert_eq!([who("2026-11-23"), who("2026-11-24"), who("2026-11-25")], ["ana", "ben", "ana"]);
        assert_eq!(found.len(), 48);
    }

    #[test]
    fn a_stand_in_who_is_away_too_is_stood_in_for_and_no_circle_goes_round() {
        let absences = [
            absence("ana", "2026-11-23", "2026-11-25", Some("ben")),
            absence("ben", "2026-11-24", "2026-11-24", Some("eva")),
            absence("eva", "2026-11-24", "2026-11-24", Some("ana")),
        ];
        assert_eq!(stand_in(&absences, "ana", at("2026-11-23T09:00:00Z")), Some("ben"));
        assert_eq!(stand_in(&absences, "ana", at("2026-11-24T09:00:00Z")), Some("eva"));
        assert_eq!(stand_in(&absences, "ana", at("2026-11-26T09:00:00Z")), None);
        let last = absences[0].span.to.plus_ms(-MINUTE_MS);
        assert_eq!(stand_in(&absences, "ana", last), Some("ben"));
    }
}
