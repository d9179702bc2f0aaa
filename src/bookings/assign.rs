//! Who holds the call: a pure ranking of those who are free, and the reason for it.
//!
//! The contact's owner goes first, so that a person speaks with somebody who knows them; while the owner is away, whoever
//! stands in. Then whoever owns the account: the newest deal of
//! the contact's company. Then those who speak the visitor's language, then those whose attributes (region, product) match what is
//! known of the contact, and among them whoever has the lowest level for their weight:
//!
//! `level = calibration + meetings − no-shows − cancellations − credit`
//!
//! counted over the cycle (a calendar month, if the team's file does not say otherwise). Ties go by priority, then to
//! whoever was assigned longest ago, then by id, so that the same inputs always name the same rep.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::limits::monday;
use super::team::{Meeting, Rep};
use super::wall::{self, Edge};
use crate::base::language::Language;
use crate::base::time::Timestamp;

/// The stretch of the calendar over which calls are counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cycle {
    /// From Monday.
    Week,
    /// From the first.
    #[default]
    Month,
    /// From the first of January, April, July or October.
    Quarter,
}

/// What counts how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// When counting begins anew.
    pub cycle: Cycle,
    /// Whether a call to which nobody came is given back.
    pub no_shows_back: bool,
    /// Whether a call that was cancelled is given back.
    pub cancellations_back: bool,
    /// For how many days only the owner's times are offered to a contact who is known; without a free time in them,
    /// everybody's. None: everybody's, and the owner first.
    pub owner_within_days: Option<u16>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { cycle: Cycle::Month, no_shows_back: true, cancellations_back: true, owner_within_days: None }
    }
}

/// What a rep already has in this cycle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Standing {
    /// Calls that were assigned: kept, booked, held or cancelled.
    pub meetings: i64,
    /// Of them, those to which nobody came.
    pub no_shows: i64,
    /// Of them, those that were cancelled.
    pub cancellations: i64,
    /// With what the rep entered the rotation, so that nobody who is new gets every call.
    pub calibration: i64,
    /// Calls given back by hand; negative, if they were taken.
    pub credit: i64,
    /// When a call was last assigned to them.
    pub last_assigned_at: Option<Timestamp>,
}

impl Standing {
    /// The formula.
    pub fn level(&self, policy: &Policy) -> i64 {
        let no_shows = if policy.no_shows_back { self.no_shows } else { 0 };
        let cancellations = if policy.cancellations_back { self.cancellations } else { 0 };
        self.calibration + self.meetings - no_shows - cancellations - self.credit
    }
}

/// What is known of the person who books, and what counts.
#[derive(Debug, Clone, Copy)]
pub struct Preference<'a> {
    /// The rep who had this booking before it was moved.
    pub keep: Option<&'a str>,
    /// The rep who owns the contact.
    pub owner: Option<&'a str>,
    /// Who stands in for the owner at this time.
    pub stand_in: Option<&'a str>,
    /// The rep who owns the deal of the contact's company.
    pub account_owner: Option<&'a str>,
    /// The language the call will be held in.
    pub language: Language,
    /// What is known of the contact, by name: `region`, `product`.
    pub traits: &'a BTreeMap<String, String>,
    /// What counts how.
    pub policy: &'a Policy,
}

/// Which rule decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The booking stays with its rep when it is moved.
    SameRep,
    /// The rep owns the contact.
    Owner,
    /// The rep stands in for the owner, who is away.
    StandIn,
    /// The rep owns the deal of the contact's company.
    AccountOwner,
    /// Nobody else was free.
    OnlyOneFree,
    /// The others do not speak the visitor's language.
    Language,
    /// The others match less of what is known of the contact.
    Attributes,
    /// The lowest level for the weight.
    Level,
    /// Equal levels: the lower number goes first.
    Priority,
    /// Equal levels: assigned longest ago.
    LongestAgo,
    /// All else equal: the first id.
    Id,
    /// A colleague chose the rep.
    Chosen,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::SameRep,
        Self::Owner,
        Self::StandIn,
        Self::AccountOwner,
        Self::OnlyOneFree,
        Self::Language,
        Self::Attributes,
        Self::Level,
        Self::Priority,
        Self::LongestAgo,
        Self::Id,
        Self::Chosen,
    ];

    /// As it stands in the table and in the texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::SameRep => "same_rep",
            Self::Owner => "owner",
            Self::StandIn => "stand_in",
            Self::AccountOwner => "account_owner",
            Self::OnlyOneFree => "only_one_free",
            Self::Language => "language",
            Self::Attributes => "attributes",
            Self::Level => "level",
            Self::Priority => "priority",
            Self::LongestAgo => "longest_ago",
            Self::Id => "id",
            Self::Chosen => "chosen",
        }
    }
}

/// One of those who were free, with what the ranking looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The rep's id.
    pub rep: String,
    /// Their level at that moment.
    pub level: i64,
    /// How many calls they are to have for one of a rep with weight 1.
    #[serde(default = "one")]
    pub weight: u32,
    /// What the level was made of.
    #[serde(flatten)]
    pub standing: Standing,
    /// Their priority.
    pub priority: u32,
    /// Whether they speak the visitor's language.
    pub speaks_language: bool,
    /// The attributes in which they do not match the contact.
    #[serde(default)]
    pub mismatches: Vec<String>,
}

fn one() -> u32 {
    1
}

/// Why the owner did not get the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyNot {
    /// Away at that time.
    Away,
    /// Not free at that time, but soon.
    Busy,
    /// Without a free time in the days that the team's file gives.
    NoneWithin,
    /// The meeting is not one of theirs.
    OtherMeetings,
}

impl WhyNot {
    /// As it stands in the table and in the texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::Busy => "busy",
            Self::NoneWithin => "none_within",
            Self::OtherMeetings => "other_meetings",
        }
    }
}

/// The owner of the contact who did not get the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedOver {
    /// The rep's id.
    pub rep: String,
    /// Why.
    pub why: WhyNot,
}

/// Why this rep got the call. Stored with the booking, so that "why me?" has an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// What decided.
    pub rule: Rule,
    /// Everyone who was free, the chosen one first.
    pub candidates: Vec<Candidate>,
    /// The contact's owner, if somebody else got the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<PassedOver>,
    /// What the colleague said who chose the rep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Why the one who is there, too, if there are two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub companion: Option<Box<Reason>>,
}

/// When the cycle began whose calls are counted, by the calendar of the meeting's zone.
pub fn cycle_start(meeting: &Meeting, cycle: Cycle, now: Timestamp) -> Timestamp {
    let today = wall::date(&meeting.zone, now);
    let first = match cycle {
        Cycle::Week => monday(today),
        Cycle::Month => today.first_of_month(),
        Cycle::Quarter => {
            let into = jiff::Span::new().months((today.month() - 1) % 3);
            today.first_of_month().saturating_sub(into)
        }
    };
    wall::instant(&meeting.zone, first, 0, Edge::Start).unwrap_or(now)
}

/// With what a rep enters the rotation, or comes back to it: just as many calls for her weight as whoever of the others
/// has the fewest, less those she has. Nothing, if she has more.
pub fn calibration(rep: &Rep, own: &Standing, others: &[(&Rep, Standing)], policy: &Policy) -> i64 {
    let lowest = others.iter().map(|(other, standing)| share(other, standing.level(policy))).min();
    let Some(lowest) = lowest else { return 0 };
    let level = (lowest.level * i64::from(rep.weight)).div_euclid(lowest.weight);
    let own = Standing { calibration: 0, ..*own };
    (level - own.level(policy)).max(0)
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
        _ if !mine.is_not_stand_in => Rule::StandIn,
        _ if !mine.is_not_account_owner => Rule::AccountOwner,
        None => Rule::OnlyOneFree,
        Some(next) if next.is_foreign != mine.is_foreign => Rule::Language,
        Some(next) if next.mismatches != mine.mismatches => Rule::Attributes,
        Some(next) if next.share != mine.share => Rule::Level,
        Some(next) if next.priority != mine.priority => Rule::Priority,
        Some(next) if next.last_assigned_at != mine.last_assigned_at => Rule::LongestAgo,
        Some(_) => Rule::Id,
    };
    let candidates =
        best.into_iter().chain(others).map(|rep| candidate(rep, standings, preference)).collect();
    Reason { rule, candidates, owner: None, note: None, companion: None }
}

fn candidate(rep: &Rep, standings: &HashMap<String, Standing>, preference: &Preference<'_>) -> Candidate {
    let standing = standings.get(&rep.id).copied().unwrap_or_default();
    Candidate {
        rep: rep.id.clone(),
        level: standing.level(preference.policy),
        weight: rep.weight,
        standing,
        priority: rep.priority,
        speaks_language: rep.speaks(preference.language),
        mismatches: rep.mismatches(preference.traits),
    }
}

/// A level for one call of weight, compared exactly.
#[derive(Debug, Clone, Copy)]
struct Share {
    level: i64,
    weight: i64,
}

fn share(rep: &Rep, level: i64) -> Share {
    Share { level, weight: i64::from(rep.weight.max(1)) }
}

impl Ord for Share {
    fn cmp(&self, other: &Self) -> Ordering {
        let cross = |a: &Self, b: &Self| i128::from(a.level) * i128::from(b.weight);
        cross(self, other).cmp(&cross(other, self))
    }
}

impl PartialOrd for Share {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Share {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Share {}

/// Compared field by field, from the top; `false` and the smaller number go first, and so does never (`None`).
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a> {
    is_other: bool,
    is_not_owner: bool,
    is_not_stand_in: bool,
    is_not_account_owner: bool,
    is_foreign: bool,
    mismatches: usize,
    share: Share,
    priority: u32,
    last_assigned_at: Option<Timestamp>,
    id: &'a str,
}

fn key<'a>(rep: &'a Rep, standings: &HashMap<String, Standing>, preference: &Preference<'_>) -> Key<'a> {
    let standing = standings.get(&rep.id).copied().unwrap_or_default();
    let is = |wanted: Option<&str>| wanted == Some(rep.id.as_str());
    Key {
        is_other: !is(preference.keep),
        is_not_owner: !is(preference.owner),
        is_not_stand_in: !is(preference.stand_in),
        is_not_account_owner: !is(preference.account_owner),
        is_foreign: !rep.speaks(preference.language),
        mismatches: rep.mismatches(preference.traits).len(),
        share: share(rep, standing.level(preference.policy)),
        priority: rep.priority,
        last_assigned_at: standing.last_assigned_at,
        id: &rep.id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bookings::team::examples;

    static NOTHING: BTreeMap<String, String> = BTreeMap::new();
    static POLICY: Policy = Policy {
        cycle: Cycle::Month,
        no_shows_back: true,
        cancellations_back: true,
        owner_within_days: None,
    };
    const NOBODY: Preference<'static> = Preference {
        keep: None,
        owner: None,
        stand_in: None,
        account_owner: None,
        language: Language::En,
        traits: &NOTHING,
        policy: &POLICY,
    };

    fn standing(meetings: i64, last: Option<i64>) -> Standing {
        Standing { meetings, last_assigned_at: last.map(Timestamp), ..Standing::default() }
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
    fn whoever_looks_after_the_company_goes_after_the_owner_and_before_the_others() {
        let reps = [examples::rep("ana", "UTC"), examples::rep("ben", "UTC"), examples::rep("cleo", "UTC")];
        let preference = Preference { account_owner: Some("ben"), ..NOBODY };
        let busy = [("ben", standing(9, None))];
        assert_eq!(chosen(&reps, &busy, preference), ("ben".to_owned(), Rule::AccountOwner));
        let preference = Preference { owner: Some("cleo"), ..preference };
        assert_eq!(chosen(&reps, &busy, preference), ("cleo".to_owned(), Rule::Owner));
        let preference = Preference { owner: Some("away"), stand_in: Some("ana"), ..preference };
        assert_eq!(chosen(&reps, &busy, preference), ("ana".to_owned(), Rule::StandIn));
    }

    #[test]
    fn whoever_stands_in_for_the_owner_goes_before_the_others() {
        let reps = [examples::rep("ana", "UTC"), examples::rep("ben", "UTC")];
        let preference = Preference { owner: Some("eva"), stand_in: Some("ben"), ..NOBODY };
        assert_eq!(
            chosen(&reps, &[("ben", standing(9, None))], preference),
            ("ben".to_owned(), Rule::StandIn)
        );
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
        let of = |region: &str| [("region".to_owned(), vec![region.to_owned()])].into();
        (reps[0].attributes, reps[1].attributes) = (of("Iberia"), of("Dach"));
        let traits = [("region".to_owned(), " iberia".to_owned())].into();
        let iberian = Preference { traits: &traits, ..NOBODY };
        assert_eq!(chosen(&reps, &[], iberian), ("ana".to_owned(), Rule::Attributes));
        assert_eq!(chosen(&reps, &[], NOBODY), ("ben".to_owned(), Rule::Priority), "nothing is known of her");
        reps[1].languages = vec![Language::Es];
        assert_eq!(chosen(&reps, &[], NOBODY), ("ana".to_owned(), Rule::Language));
    }

    #[test]
    fn the_level_is_what_the_formula_says() {
        let had = Standing {
            meetings: 10,
            no_shows: 2,
            cancellations: 3,
            calibration: 4,
            credit: 1,
            last_assigned_at: None,
        };
        assert_eq!(had.level(&POLICY), 4 + 10 - 2 - 3 - 1);
        let strict = Policy { no_shows_back: false, cancellations_back: false, ..POLICY };
        assert_eq!(had.level(&strict), 4 + 10 - 1);
    }

    #[test]
    fn levels_are_compared_for_one_call_of_weight() {
        let mut reps = [examples::rep("ana", "UTC"), examples::rep("ben", "UTC")];
        reps[1].weight = 3;
        let two_thirds = [("ana", standing(1, None)), ("ben", standing(2, None))];
        assert_eq!(chosen(&reps, &two_thirds, NOBODY), ("ben".to_owned(), Rule::Level));
        let equal = [("ana", standing(1, None)), ("ben", standing(3, None))];
        assert_eq!(chosen(&reps, &equal, NOBODY), ("ana".to_owned(), Rule::Id));
    }

    #[test]
    fn whoever_is_new_or_back_begins_where_the_others_stand() {
        let (ana, mut ben, eva) =
            (examples::rep("ana", "UTC"), examples::rep("ben", "UTC"), examples::rep("eva", "UTC"));
        ben.weight = 2;
        let others = [(&ana, standing(12, None)), (&eva, standing(9, None))];
        assert_eq!(calibration(&ben, &Standing::default(), &others, &POLICY), 18, "nine for each of two");
        let back = Standing { calibration: 5, ..standing(4, None) };
        assert_eq!(calibration(&ben, &back, &others, &POLICY), 14, "the old calibration does not count");
        assert_eq!(calibration(&eva, &standing(20, None), &others[..1], &POLICY), 0);
        assert_eq!(calibration(&ben, &Standing::default(), &[], &POLICY), 0, "the first one");
    }

    #[test]
    fn the_cycle_follows_the_meetings_calendar() {
        let meeting = examples::meeting("America/Mexico_City");
        let start = |cycle, now: &str| {
            let now = Timestamp::from_jiff(now.parse().expect("an instant"));
            cycle_start(&meeting, cycle, now).to_string()
        };
        assert_eq!(start(Cycle::Month, "2026-12-01T05:00:00Z"), "2026-11-01T06:00:00Z");
        assert_eq!(start(Cycle::Quarter, "2026-12-01T05:00:00Z"), "2026-10-01T06:00:00Z");
        assert_eq!(start(Cycle::Week, "2026-12-01T05:00:00Z"), "2026-11-30T06:00:00Z");
    }

    fn spread(reps: &[Rep], calls: i64, mut is_free: impl FnMut(i64, usize) -> bool) -> Vec<i64> {
        let mut standings: HashMap<String, Standing> = HashMap::new();
        for call in 0..calls {
            let free: Vec<&Rep> =
                reps.iter().enumerate().filter(|(n, _)| is_free(call, *n)).map(|(_, rep)| rep).collect();
            let free = if free.is_empty() { reps.iter().collect() } else { free };
            let first = ranked(&free, &standings, &NOBODY)[0];
            let had = standings.entry(first.id.clone()).or_default();
            *had = standing(had.meetings + 1, Some(call));
        }
        reps.iter().map(|rep| standings.get(&rep.id).map_or(0, |standing| standing.meetings)).collect()
    }

    #[test]
    fn ten_thousand_calls_are_spread_evenly() {
        let reps: Vec<Rep> = (0..8).map(|n| examples::rep(&format!("rep-{n}"), "UTC")).collect();
        // A small generator of our own: which reps are free differs from call to call, the run does not.
        let (mut seed, mut of_call): (u64, i64) = (2026, -1);
        let levels = spread(&reps, 10_000, |call, n| {
            if call != of_call {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                of_call = call;
            }
            seed >> (20 + n) & 1 == 1
        });
        assert_eq!(levels.iter().sum::<i64>(), 10_000);
        let (most, fewest) = (levels.iter().max().expect("eight"), levels.iter().min().expect("eight"));
        assert!(most - fewest <= 3, "{levels:?}");
    }

    #[test]
    fn ten_thousand_calls_are_spread_by_weight_to_within_one() {
        let weights = [1, 1, 2, 2, 3, 3, 4, 4];
        let reps: Vec<Rep> = weights
            .iter()
            .enumerate()
            .map(|(n, weight)| Rep { weight: *weight, ..examples::rep(&format!("rep-{n}"), "UTC") })
            .collect();
        // Also in the middle of a round, where nobody's quota is whole.
        for calls in [10_000, 9_991, 1_234, 77] {
            let levels = spread(&reps, calls, |_, _| true);
            for (level, weight) in levels.iter().zip(weights) {
                let twenty_times_off = (level * 20 - calls * i64::from(weight)).abs();
                assert!(twenty_times_off <= 20, "{calls} calls: {levels:?}");
            }
        }
    }
}
