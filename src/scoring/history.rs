//! What somebody did, ordered by time and found by kind, so that a question about ten thousand activities costs a search.

use std::collections::HashMap;
use std::ops::{Deref, Range};

use serde_json::Value;

use super::condition::Call;
use super::facts::Activity;
use super::tags::Level;
use crate::base::time::Timestamp;

/// The activities of one contact, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    all: Vec<Activity>,
    kinds: HashMap<String, Vec<Place>>,
}

/// Where an activity of a kind stands among all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    at: Timestamp,
    index: usize,
}

/// Verdicts under which an activity was not certainly a person's doing.
const DOUBTFUL: [&str; 3] = ["machine", "unsure", "bot"];

impl History {
    /// Orders activities.
    pub fn new(mut activities: Vec<Activity>) -> Self {
        let order = |activity: &Activity| (activity.at, activity.id);
        if !activities.is_sorted_by_key(order) {
            activities.sort_by_key(order);
        }
        let mut kinds: HashMap<String, Vec<Place>> = HashMap::new();
        for (index, activity) in activities.iter().enumerate() {
            let place = Place { at: activity.at, index };
            for kind in std::iter::once(activity.kind.as_str()).chain(activity.made()) {
                match kinds.get_mut(kind) {
                    Some(places) => places.push(place),
                    None => {
                        kinds.insert(kind.to_owned(), vec![place]);
                    }
                }
            }
        }
        Self { all: activities, kinds }
    }

    /// Orders activities, without those whose verdict (`props.verdict`) is that no person, or perhaps none, did them.
    pub fn of_people(mut activities: Vec<Activity>) -> Self {
        activities.retain(|activity| {
            let verdict = activity.props.get("verdict").and_then(Value::as_str);
            verdict.is_none_or(|verdict| !DOUBTFUL.contains(&verdict))
        });
        Self::new(activities)
    }

    /// The activity of an index.
    pub fn at(&self, index: usize) -> Option<&Activity> {
        self.all.get(index)
    }

    /// The indices of a kind's activities, oldest first.
    pub fn of_kind(&self, kind: &str) -> impl DoubleEndedIterator<Item = (usize, &Activity)> {
        let places = self.kinds.get(kind).map_or(&[][..], Vec::as_slice);
        places.iter().filter_map(|place| Some((place.index, self.all.get(place.index)?)))
    }

    /// The activities of a call's kind that lie in its window before `now`, oldest first.
    pub fn within(&self, call: &Call, now: Timestamp) -> impl DoubleEndedIterator<Item = &Activity> {
        let places = self.kinds.get(&call.kind).map_or(&[][..], Vec::as_slice);
        let range = Self::range(places, call.window_ms.map(|window| now.plus_ms(-window)), now);
        let places = places.get(range).unwrap_or_default();
        places.iter().filter_map(|place| self.all.get(place.index))
    }

    /// How many activities of a call's kind lie in its window before `now`.
    pub fn count(&self, call: &Call, now: Timestamp) -> usize {
        let places = self.kinds.get(&call.kind).map_or(&[][..], Vec::as_slice);
        Self::range(places, call.window_ms.map(|window| now.plus_ms(-window)), now).len()
    }

    /// The newest activity that answers a call with yes.
    pub fn answer(&self, call: &Call, since: Option<Timestamp>, now: Timestamp) -> Option<&Activity> {
        let mut newest = self.within(call, now).rev();
        let newest = newest.find(|activity| call.subject.is_none() || activity.subject == call.subject)?;
        since.is_none_or(|since| newest.at > since).then_some(newest)
    }

    /// When activities of a call's kind leave its window after `now`, the soonest first.
    pub fn leaves(&self, call: &Call, now: Timestamp) -> impl Iterator<Item = Timestamp> {
        let window = call.window_ms.unwrap_or(0);
        let inside = call.window_ms.map(|_| self.within(call, now)).into_iter().flatten();
        inside.map(move |activity| activity.at.plus_ms(window))
    }

    /// The level of what was seen by `now` that is nearest to a decision; empty if nothing was.
    pub fn level(&self, now: Timestamp) -> &'static str {
        let is_seen = |level: &Level| {
            let places = self.kinds.get(level.kind()).map_or(&[][..], Vec::as_slice);
            places.first().is_some_and(|first| first.at <= now)
        };
        Level::ALL.into_iter().find(is_seen).map_or("", Level::word)
    }

    fn range(places: &[Place], after: Option<Timestamp>, now: Timestamp) -> Range<usize> {
        let to = places.partition_point(|place| place.at <= now);
        let from = after.map_or(0, |after| places.partition_point(|place| place.at <= after));
        from.min(to)..to
    }
}

impl Deref for History {
    type Target = [Activity];

    fn deref(&self) -> &[Activity] {
        &self.all
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::base::time::DAY_MS;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn did(kind: &str, ago_ms: i64) -> Activity {
        Activity::new(kind, None, json!({}), NOW.plus_ms(-ago_ms))
    }

    fn call(kind: &str, window_ms: Option<i64>) -> Call {
        Call { kind: kind.to_owned(), subject: None, window_ms }
    }

    #[test]
    fn a_window_is_open_at_its_far_end_and_knows_no_future() {
        let history = History::new(vec![
            did("a", 0),
            did("a", DAY_MS),
            did("a", DAY_MS - 1),
            did("a", -1),
            did("b", 0),
        ]);
        assert_eq!(history.count(&call("a", Some(DAY_MS)), NOW), 2);
        assert_eq!(history.count(&call("a", None), NOW), 3);
        assert_eq!(history.count(&call("c", None), NOW), 0);
        let newest = history.answer(&call("a", None), None, NOW).map(|activity| activity.at);
        assert_eq!(newest, Some(NOW));
        assert!(history.answer(&call("a", None), Some(NOW), NOW).is_none());
        let leaves: Vec<_> = history.leaves(&call("a", Some(DAY_MS)), NOW).collect();
        assert_eq!(leaves, [NOW.plus_ms(1), NOW.plus_ms(DAY_MS)]);
    }

    #[test]
    fn what_a_machine_did_or_perhaps_did_is_left_out_where_only_people_count() {
        let with = |verdict: &str| Activity::new("email.clicked", None, json!({ "verdict": verdict }), NOW);
        let all = vec![with("machine"), with("unsure"), with("human"), did("email.clicked", 1)];
        assert_eq!(History::of_people(all.clone()).len(), 2);
        assert_eq!(History::new(all).len(), 4);
    }
}
