//! The ways that conversations take through one flow: who came to each of its steps, where they went on, where they ended.

use std::collections::{BTreeMap, BTreeSet};

use super::chats::Talk;

/// A step of the flow. What happens inside of a flow that it calls happens at the step that calls it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// Conversations that came to it.
    pub came: usize,
    /// Those that wait here.
    pub open: usize,
    /// Those that are over and whose last step it was, by what they ended as; without a word, the empty one.
    pub ended: BTreeMap<String, usize>,
}

/// What conversations made of a flow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ways {
    pub places: BTreeMap<String, Place>,
    /// From one step to another; a way that a conversation takes twice is counted once.
    pub taken: BTreeMap<(String, String), usize>,
}

/// Counts them.
pub fn ways<'t>(talks: impl IntoIterator<Item = &'t Talk>) -> Ways {
    let mut ways = Ways::default();
    for talk in talks {
        let mut path: Vec<&str> = Vec::new();
        for step in &talk.path {
            let own = step.split('/').next().unwrap_or(step);
            // A step that comes back to itself is a way; the steps inside of a called flow are none.
            if path.last() != Some(&own) || !step.contains('/') {
                path.push(own);
            }
        }
        for step in path.iter().collect::<BTreeSet<_>>() {
            ways.places.entry((*step).to_owned()).or_default().came += 1;
        }
        let pairs: BTreeSet<(&str, &str)> = path.iter().copied().zip(path.iter().skip(1).copied()).collect();
        for (from, to) in pairs {
            *ways.taken.entry((from.to_owned(), to.to_owned())).or_default() += 1;
        }
        if let Some(last) = path.last() {
            let place = ways.places.entry((*last).to_owned()).or_default();
            match talk.is_closed {
                true => *place.ended.entry(talk.outcome.clone().unwrap_or_default()).or_default() += 1,
                false => place.open += 1,
            }
        }
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Timestamp;

    fn talk(path: &[&str], outcome: Option<&str>) -> Talk {
        Talk {
            flow: "welcome".to_owned(),
            version: "v1".to_owned(),
            contact: None,
            path: path.iter().map(|step| (*step).to_owned()).collect(),
            outcome: outcome.map(str::to_owned),
            is_closed: outcome.is_some(),
            has_answered: true,
            is_handed_over: false,
            is_shown_times: false,
            is_booked: false,
            opened_at: Timestamp(0),
        }
    }

    #[test]
    fn every_conversation_counts_once_at_each_step_and_on_each_way() {
        let told = ways(&[
            talk(&["hello", "menu", "hello", "menu", "bye"], Some("answered")),
            talk(&["hello", "menu"], Some("unanswered")),
            talk(&["hello", "menu"], None),
        ]);
        let menu = &told.places["menu"];
        assert_eq!((menu.came, menu.open, menu.ended["unanswered"]), (3, 1, 1));
        let taken = |from: &str, to: &str| told.taken.get(&(from.to_owned(), to.to_owned())).copied();
        assert_eq!(taken("hello", "menu"), Some(3));
        assert_eq!((taken("menu", "hello"), taken("menu", "bye")), (Some(1), Some(1)));
        assert_eq!(told.places["bye"].ended["answered"], 1);
    }

    #[test]
    fn what_happens_in_a_called_flow_happens_at_the_step_that_calls_it() {
        let told = ways(&[talk(&["hello", "more", "more/budget", "more/time", "bye"], Some("done"))]);
        assert_eq!(told.places.keys().collect::<Vec<_>>(), ["bye", "hello", "more"]);
        assert_eq!(told.taken.len(), 2, "{:?}", told.taken);
    }
}
