//! When time alone may change the answer to a condition.

use super::Segment;
use crate::base::expr::Context;
use crate::base::time::{DAY_MS, Timestamp};
use crate::scoring::Scorer;
use crate::stages::{self, Person};

/// How far ahead is looked. Whoever is due is asked again, and then it is looked further.
const AHEAD_MS: i64 = 400 * DAY_MS;

/// The earliest moment after `person.now` at which the answer may be another though nothing happens; nothing if it never
/// is. Windows end at moments that are known, and scores fall below a mark at one that can be worked out.
pub fn next(
    segment: &Segment,
    lifecycle: &stages::Definition,
    person: &Person,
    values: &Context,
) -> Option<Timestamp> {
    let scorer = Scorer::new(&lifecycle.scoring, values, &person.activities);
    scorer.changes_at(&segment.condition, person.now, person.now.plus_ms(AHEAD_MS))
}
