//! How many first calls a team can hold in an ordinary week, and how that compares with whom a definition would qualify.
//!
//! What is counted is what `team.yaml` says of an ordinary week: hours, lengths, pauses and limits. Days off, overrides and
//! busy calendars differ from week to week and are left out, so that the same files give the same number.

use std::collections::BTreeMap;

use serde::Serialize;

use super::team::{Hours, Meeting, Rep, Role, Team};
use crate::base::time::MINUTE_MS;
use crate::stages::hours::WEEK;
use crate::stages::trial::{Backtest, Figures};

/// What one rep can hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Share {
    /// The rep's id.
    pub rep: String,
    /// Her name.
    pub name: String,
    /// The meeting that is counted: the first of the file that she holds.
    pub meeting: String,
    /// Calls in an ordinary week.
    pub calls_per_week: u32,
}

/// What the SDRs can hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Capacity {
    /// Calls in an ordinary week, all together.
    pub calls_per_week: u32,
    /// Who of them holds how many.
    pub reps: Vec<Share>,
}

/// What one definition would make of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Load {
    /// The mean of those who are qualified in a week, as a share of the calls; none if nobody holds calls.
    pub share: Option<f64>,
    /// Weeks in which more were qualified than calls can be held.
    pub weeks_above: usize,
}

/// A back-test beside what the team can do about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Loaded {
    /// The back-test.
    #[serde(flatten)]
    pub backtest: Backtest,
    /// What the SDRs can hold.
    pub capacity: Capacity,
    /// What the model would ask of them.
    pub model_load: Load,
    /// What the running definition asks of them.
    pub running_load: Load,
}

impl Loaded {
    /// Puts a back-test beside the team.
    pub fn new(backtest: Backtest, team: &Team) -> Self {
        let capacity = Capacity::of(team, Role::Sdr);
        let (model_load, running_load) = (capacity.load(&backtest.model), capacity.load(&backtest.running));
        Self { backtest, capacity, model_load, running_load }
    }
}

impl Capacity {
    /// What those of a role can hold.
    pub fn of(team: &Team, role: Role) -> Self {
        let mut reps = Vec::new();
        let mut of_meeting: BTreeMap<&str, u32> = BTreeMap::new();
        for rep in team.reps.iter().filter(|rep| rep.role == role) {
            let holds = |meeting: &&Meeting| meeting.reps.contains(&rep.id);
            let Some(meeting) = team.meetings.iter().find(holds) else { continue };
            // What all of them together may hold is taken in the order of the file.
            let taken = of_meeting.entry(&meeting.id).or_default();
            let left = meeting.limits.all.week.map_or(u32::MAX, |most| most.saturating_sub(*taken));
            let calls_per_week = calls(rep, meeting).min(left);
            *taken = taken.saturating_add(calls_per_week);
            reps.push(Share {
                rep: rep.id.clone(),
                name: rep.name.clone(),
                meeting: meeting.id.clone(),
                calls_per_week,
            });
        }
        let calls_per_week = reps.iter().map(|share| share.calls_per_week).sum();
        Self { calls_per_week, reps }
    }

    /// What a definition asks of them.
    pub fn load(&self, figures: &Figures) -> Load {
        let calls = usize::try_from(self.calls_per_week).unwrap_or(usize::MAX);
        let share = figures.mean_per_week / f64::from(self.calls_per_week);
        Load {
            share: (self.calls_per_week > 0).then(|| (share * 1_000.0).round() / 1_000.0),
            weeks_above: figures.per_week.values().filter(|count| **count > calls).count(),
        }
    }
}

/// The calls of one rep in an ordinary week.
fn calls(rep: &Rep, meeting: &Meeting) -> u32 {
    let least = |limits: [Option<u32>; 2]| limits.into_iter().flatten().min().unwrap_or(u32::MAX);
    let (own, each) = (rep.limit, meeting.limits.each_rep);
    let a_day = least([own.day, each.day]);
    let days = WEEK.iter().map(|day| starts(rep.week().on(*day), meeting).min(a_day));
    days.fold(0_u32, u32::saturating_add).min(least([own.week, each.week]))
}

/// How many calls fit one day, one after the other: each begins at a time that is offered, and its pauses are kept free.
fn starts(day: &[Hours], meeting: &Meeting) -> u32 {
    let minutes = |ms: i64| (ms + MINUTE_MS - 1) / MINUTE_MS;
    let step = minutes(meeting.interval_ms).max(1);
    let pause = minutes(meeting.buffer_before_ms) + minutes(meeting.buffer_after_ms);
    let (mut count, mut free_at) = (0, 0);
    for hours in day {
        let (from, to) = (i64::from(hours.from).max(free_at), i64::from(hours.to));
        let mut begin = (from + step - 1) / step * step;
        while begin + minutes(meeting.duration_ms) <= to {
            count += 1;
            free_at = begin + minutes(meeting.duration_ms) + pause;
            begin = (free_at + step - 1) / step * step;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::super::limits::{Limit, Limits};
    use super::super::team::examples::{meeting, rep};
    use super::*;

    fn team(reps: Vec<Rep>, meeting: Meeting) -> Team {
        let holds = reps.iter().map(|rep| rep.id.clone()).collect();
        Team { meetings: vec![Meeting { reps: holds, ..meeting }], reps, ..Team::default() }
    }

    fn week(team: &Team) -> u32 {
        Capacity::of(team, Role::Sdr).calls_per_week
    }

    #[test]
    fn an_ordinary_week_holds_what_hours_lengths_pauses_and_limits_leave() {
        let mike = rep("mike", "Europe/Madrid");
        // From 9 to 17 on five days, half an hour each.
        assert_eq!(week(&team(vec![mike.clone()], meeting("UTC"))), 5 * 16);
        // Five minutes of pause, and the next one begins only on the half hour.
        let pauses = Meeting { buffer_after_ms: 5 * MINUTE_MS, ..meeting("UTC") };
        assert_eq!(week(&team(vec![mike.clone()], pauses.clone())), 5 * 8);
        let by_ten = Meeting { interval_ms: 10 * MINUTE_MS, duration_ms: 20 * MINUTE_MS, ..pauses };
        assert_eq!(week(&team(vec![mike.clone()], by_ten)), 5 * 16);
        let few = Rep { limit: Limit { day: Some(6), week: Some(25) }, ..mike.clone() };
        assert_eq!(week(&team(vec![few.clone()], meeting("UTC"))), 25);
        let day_only = Rep { limit: Limit { day: Some(4), week: None }, ..mike.clone() };
        assert_eq!(week(&team(vec![day_only, few], meeting("UTC"))), 20 + 25);
        let all = Limits { all: Limit { day: None, week: Some(100) }, ..Limits::default() };
        let both = team(vec![mike.clone(), rep("lucia", "UTC")], Meeting { limits: all, ..meeting("UTC") });
        let shares: Vec<u32> =
            Capacity::of(&both, Role::Sdr).reps.iter().map(|rep| rep.calls_per_week).collect();
        assert_eq!(shares, [80, 20]);
    }

    #[test]
    fn only_those_who_hold_calls_in_the_role_are_counted() {
        let yuri = Rep { role: Role::Ae, ..rep("yuri", "UTC") };
        let mut team = team(vec![yuri, rep("mike", "UTC")], meeting("UTC"));
        assert_eq!(week(&team), 80);
        team.meetings[0].reps.retain(|id| id == "yuri");
        assert_eq!(Capacity::of(&team, Role::Sdr), Capacity::default());
    }

    #[test]
    fn the_load_is_the_share_of_the_calls_and_the_weeks_that_are_too_much() {
        let figures = Figures {
            mean_per_week: 20.0,
            per_week: [("2026-01-05", 50), ("2026-01-12", 10)].map(|(day, n)| (day.to_owned(), n)).into(),
            ..Figures::default()
        };
        let capacity = Capacity { calls_per_week: 40, reps: Vec::new() };
        assert_eq!(capacity.load(&figures), Load { share: Some(0.5), weeks_above: 1 });
        assert_eq!(Capacity::default().load(&figures), Load { share: None, weeks_above: 2 });
    }
}
