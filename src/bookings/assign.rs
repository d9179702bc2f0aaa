//! Who holds the call: a pure ranking of those who are free, and the reason for it.
//!
//! The contact's owner goes first, so that a person speaks with somebody who knows them. Then those who speak the
//! visitor's language, and among them whoever has the lowest level: the calls of the cycle (the calendar month in the
//! meeting's zone) that stand, no-shows given back. Ties go by priority, then to whoever was assigned longest ago,
//! then by id, so that the same inputs always name the same rep.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::team::{Meeting, Rep};
use super::wall::{self, Edge};
use crate::base::language::Language;
use crate::base::time::Timestamp;

/// What a rep already has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Calls of this cycle that are held, confirmed or took place; no-shows are not counted.
    pub level: i64,
    /// When a call was last assigned to them.
    pub last_assigned_at: Option<Timestamp>,
}

/// What is known of the person who books.
#[derive(Debug, Clone, Copy)]
pub struct Preference<'a> {
    /// The rep who had this booking before it was moved.
    pub keep: Option<&'a str>,
    /// The rep who owns the contact.
    pub owner: Option<&'a str>,
    /// The language the call will be held in.
    pub language: Language,
}

/// Which rule decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The booking stays with its rep when it is moved.
    SameRep,
    /// The rep owns the contact.
    Owner,
    /// Nobody else was free.
    OnlyOneFree,
    /// The others do not speak the visitor's language.
    Language,
    /// Fewest calls in the cycle.
    Level,
    /// Equally many calls: the lower number goes first.
    Priority,
    /// Equally many calls: assigned longest ago.
    LongestAgo,
    /// All else equal: the first id.
    Id,
}

/// One of those who were free, with what the ranking looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The rep's id.
    pub rep: String,
    /// Their level at that moment.
    pub level: i64,
    /// Their priority.
    pub priority: u32,
    /// When they were last assigned a call.
    pub last_assigned_at: Option<Timestamp>,
    /// Whether they speak the visitor's language.
    pub speaks_language: bool,
}

/// Why this rep got the call. Stored with the booking, so that "why me?" has an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// What decided.
    pub rule: Rule,
    /// Everyone who was free, the chosen one first.
    pub candidates: Vec<Candidate>,
}

/// When the cycle began whose calls are counted: midnight of the first of this month in the meeting's zone.
pub fn cycle_start(meeting: &Meeting, now: Timestamp) -> Timestamp {
    let first = wall::date(&meeting.zone, now).first_of_month();
    wall::instant(&meeting.zone, first, 0, Edge::Start).unwrap_or(now)
}

/// Those who are free, best first.
pub fn ranked<'a>(
    free: &[&'a Rep],
    standings: &HashMap<String, Standing>,
    preference: &Preference<'_>,
) -> Vec<&'a Rep> {
    let mut reps = free.to_vec();
    reps.sort_by(|a, b| key(a, standings, preference).cmp(&key(b, standings, preference)));
    reps
}

/// Why `chosen` came before the others of `ranking` (as [`ranked`] returned it).
pub fn reason(
    chosen: &Rep,
    ranking: &[&Rep],
    standings: &HashMap<String, Standing>,
    preference: &Preference<'_>,
) -> Reason {
    let (best, others): (Vec<&Rep>, Vec<&Rep>) = ranking.iter().partition(|rep| rep.id == chosen.id);
    let mine = key(chosen, standings, preference);
    let rule = match others.first().map(|next| key(next, standings, preference)) {
        _ if !mine.is_other => Rule::SameRep,
        _ if !mine.is_not_owner => Rule::Owner,
        None => Rule::OnlyOneFree,
        Some(next) if next.is_foreign != mine.is_foreign => Rule::Language,
        Some(next) if next.level != mine.level => Rule::Level,
        Some(next) if next.priority != mine.priority => Rule::Priority,
        Some(next) if next.last_assigned_at != mine.last_assigned_at => Rule::LongestAgo,
        Some(_) => Rule::Id,
    };
    let candidates =
        best.into_iter().chain(others).map(|rep| candidate(rep, standings, preference)).collect();
    Reason { rule, candidates }
}

fn candidate(rep: &Rep, standings: &HashMap<String, Standing>, preference: &Preference<'_>) -> Candidate {
    let standing = standings.get(&rep.id).copied().unwrap_or_default();
    Candidate {
        rep: rep.id.clone(),
        level: standing.level,
        priority: rep.priority,
        last_assigned_at: standing.last_assigned_at,
        speaks_language: rep.speaks(preference.language),
    }
}

/// Compared field by field, from the top; `false` and the smaller number go first, and so does never (`None`).
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a> {
    is_other: bool,
    is_not_owner: bool,
    is_foreign: bool,
    level: i64,
    priority: u32,
    last_assigned_at: Option<Timestamp>,
    id: &'a str,
}

fn key<'a>(rep: &'a Rep, standings: &HashMap<String, Standing>, preference: &Preference<'_>) -> Key<'a> {
    let standing = standings.get(&rep.id).copied().unwrap_or_default();
    Key {
        is_other: preference.keep != Some(rep.id.as_str()),
        is_not_owner: preference.owner != Some(rep.id.as_str()),
        is_foreign: !rep.speaks(preference.language),
        level: standing.level,
        priority: rep.priority,
        last_assigned_at: standing.last_assigned_at,
        id: &rep.id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bookings::team::examples;

    const NOBODY: Preference<'static> = Preference { keep: None, owner: None, language: Language::En };

    fn standing(level: i64, last: Option<i64>) -> Standing {
        Standing { level, last_assigned_at: last.map(Timestamp) }
    }

    fn chosen(reps: &[Rep], standings: &[(&str, Standing)], preference: Preference<'_>) -> (String, Rule) {
        let standings = standings.iter().map(|(id, standing)| ((*id).to_owned(), *standing)).collect();
        let free: Vec<&Rep> = reps.iter().collect();
        let ranking = ranked(&free, &standings, &preference);
        let reason = reason(ranking[0], &ranking, &standings, &preference);
        assert_eq!(reason.candidates[0].rep, ranking[0].id);
        assert_eq!(reason.candidates.len(), reps.len());
        (ranking[0].id.clone(), reason.rule)
    }

    #[test]
    fn the_owner_goes_first_however_many_calls_they_have() {
        let reps = [examples::rep("ana", "UTC"), examples::rep("ben", "UTC")];
        let preference = Preference { owner: Some("ben"), ..NOBODY };
        assert_eq!(chosen(&reps, &[("ben", standing(9, None))], preference), ("ben".to_owned(), Rule::Owner));
    }

    #[test]
    fn a_moved_booking_stays_with_its_rep_even_before_the_owner() {
        let reps = [examples::rep("ana", "UTC"), examples::rep("ben", "UTC")];
        let preference = Preference { keep: Some("ana"), owner: Some("ben"), ..NOBODY };
        assert_eq!(chosen(&reps, &[], preference), ("ana".to_owned(), Rule::SameRep));
    }

    #[test]
    fn the_first_difference_decides_and_is_named() {
        let mut reps = [examples::rep("ana", "UTC"), examples::rep("ben", "UTC")];
        let level = [("ana", standing(2, None)), ("ben", standing(1, Some(5)))];
        assert_eq!(chosen(&reps, &level, NOBODY), ("ben".to_owned(), Rule::Level));
        let longest = [("ana", standing(1, Some(5))), ("ben", standing(1, Some(4)))];
        assert_eq!(chosen(&reps, &longest, NOBODY), ("ben".to_owned(), Rule::LongestAgo));
        let never = [("ana", standing(1, Some(5))), ("ben", standing(1, None))];
        assert_eq!(chosen(&reps, &never, NOBODY), ("ben".to_owned(), Rule::LongestAgo));
        assert_eq!(chosen(&reps, &[], NOBODY), ("ana".to_owned(), Rule::Id));
        assert_eq!(chosen(&reps[1..], &level, NOBODY), ("ben".to_owned(), Rule::OnlyOneFree));
        reps[0].priority = 7;
        assert_eq!(chosen(&reps, &[], NOBODY), ("ben".to_owned(), Rule::Priority));
        reps[1].languages = vec![Language::Es];
        assert_eq!(chosen(&reps, &[], NOBODY), ("ana".to_owned(), Rule::Language));
    }

    #[test]
    fn the_cycle_is_the_month_on_the_meetings_calendar() {
        let meeting = examples::meeting("America/Mexico_City");
        let now = Timestamp::from_jiff("2026-12-01T05:00:00Z".parse().expect("an instant"));
        assert_eq!(cycle_start(&meeting, now).to_string(), "2026-11-01T06:00:00Z");
    }

    #[test]
    fn ten_thousand_calls_are_spread_evenly() {
        let reps: Vec<Rep> = (0..8).map(|n| examples::rep(&format!("rep-{n}"), "UTC")).collect();
        let mut standings: HashMap<String, Standing> = HashMap::new();
        // A small generator of our own: which reps are free differs from call to call, the run does not.
        let mut seed: u64 = 2026;
        for call in 0..10_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let free: Vec<&Rep> =
                reps.iter().enumerate().filter(|(n, _)| seed >> (20 + n) & 1 == 1).map(|(_, r)| r).collect();
            let free = if free.is_empty() { reps.iter().collect() } else { free };
            let first = ranked(&free, &standings, &NOBODY)[0];
            let standing = standings.entry(first.id.clone()).or_default();
            *standing = Standing { level: standing.level + 1, last_assigned_at: Some(Timestamp(call)) };
        }
        let levels: Vec<i64> = standings.values().map(|standing| standing.level).collect();
        assert_eq!(levels.iter().sum::<i64>(), 10_000);
        let (most, fewest) = (levels.iter().max().expect("eight"), levels.iter().min().expect("eight"));
        assert!(most - fewest <= 3, "{levels:?}");
    }
}
