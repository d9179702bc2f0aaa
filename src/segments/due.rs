//! When time alone may change the answer to a condition.

use super::Segment;
use crate::base::time::{DAY_MS, Timestamp};
use crate::scoring::condition::Scope;
use crate::scoring::{self, Score};
use crate::stages::{self, Person};

/// How exactly the moment is found at which a fading score changes an answer.
const TOLERANCE_MS: i64 = 1_000;
/// A score that still fades is looked at again after this at the latest.
const HORIZON_MS: i64 = 30 * DAY_MS;

/// Whether a person belongs to a segment at a moment, if nothing happens until then.
pub fn holds(segment: &Segment, person: &Person, stage: &str, score: &Score, at: Timestamp) -> bool {
    let scope = Scope::of_stage(&person.facts, &person.activities, score, None, &[], at).with_stage(stage);
    segment.condition.holds(&scope)
}

/// The earliest moment after `person.now` at which the answer may be another though nothing happens; nothing if it never
/// is.
///
/// Windows end at moments that are known. Between them only scores move: there the moment is searched for, which finds a
/// single change for certain; a score that falls and rises again within a window's length may be met a little later.
pub fn next(
    segment: &Segment,
    lifecycle: &stages::Definition,
    person: &Person,
    stage: &str,
    holds_now: bool,
) -> Option<Timestamp> {
    let now = person.now;
    let ends = segment.concerns.windows.iter().filter_map(|window| {
        let mut inside = person
            .activities
            .iter()
            .filter(|activity| activity.kind == window.kind && activity.at <= now)
            .map(|activity| activity.at.plus_ms(window.length_ms))
            .filter(|end| *end > now);
        if window.newest_only { inside.max() } else { inside.by_ref().min() }
    });
    let end = ends.min();
    if !segment.concerns.scores || person.activities.is_empty() {
        return end;
    }
    let horizon = end.unwrap_or_else(|| now.plus_ms(HORIZON_MS)).min(now.plus_ms(HORIZON_MS));
    let at = |moment: Timestamp| {
        let score = scoring::score(&lifecycle.scoring, &person.facts, &person.activities, moment);
        holds(segment, person, stage, &score, moment)
    };
    let (mut same, mut other) = (now, horizon.plus_ms(-1));
    if other <= same || at(other) == holds_now {
        let fades = person.score.engagement.points > 0.0;
        return end.or(fades.then_some(horizon));
    }
    while other.since_ms(same) > TOLERANCE_MS {
        let middle = same.plus_ms(other.since_ms(same) / 2);
        if at(middle) == holds_now {
            same = middle;
        } else {
            other = middle;
        }
    }
    Some(other)
}
