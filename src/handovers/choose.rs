//! Whom a contact goes to: a pure ranking of those who work in the role, in the order in which calls are given.
//!
//! Whoever holds her next call goes first, so that she speaks with one person and not with two. Then those who speak her
//! language, and among them whoever was given the fewest in the month. Ties go by priority, then to whoever was given one
//! longest ago, then by id, so that the same inputs always name the same colleague.

use std::cmp::Reverse;

use crate::base::ids::AccountId;
use crate::base::time::Timestamp;

/// Somebody who could take a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    pub account: AccountId,
    /// Whether the contact's next call is hers.
    pub holds_next_call: bool,
    /// Whether she speaks the contact's language.
    pub speaks_language: bool,
    /// How many contacts she was given this month.
    pub level: i64,
    /// The lower number goes first; of people who stand in no team file, the highest.
    pub priority: u32,
    /// When she was given one last; never goes first.
    pub last_given_at: Option<Timestamp>,
}

/// Whoever is next, if there is anybody.
pub fn best(candidates: &[Candidate]) -> Option<AccountId> {
    let order = |one: &&Candidate| {
        let first = (Reverse(one.holds_next_call), Reverse(one.speaks_language));
        (first, one.level, one.priority, one.last_given_at, one.account)
    };
    candidates.iter().min_by_key(order).map(|one| one.account)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> (Candidate, Candidate) {
        let one = |account| Candidate {
            account,
            holds_next_call: false,
            speaks_language: true,
            level: 1,
            priority: 1,
            last_given_at: Some(Timestamp(5)),
        };
        // Drawn one after the other: the first has the smaller id.
        (one(AccountId::new()), one(AccountId::new()))
    }

    fn second_wins(change: impl FnOnce(&mut Candidate, &mut Candidate)) -> bool {
        let (mut first, mut second) = two();
        change(&mut first, &mut second);
        best(&[first, second]) == Some(second.account) && best(&[second, first]) == Some(second.account)
    }

    #[test]
    fn the_first_difference_decides() {
        assert!(!second_wins(|_, _| {}), "all else equal, the first id");
        assert!(second_wins(|_, second| second.last_given_at = None), "never is longest ago");
        assert!(second_wins(|_, second| second.last_given_at = Some(Timestamp(4))));
        assert!(
            second_wins(|first, second| (first.priority, second.last_given_at) = (2, Some(Timestamp(9))))
        );
        assert!(
            second_wins(|first, second| (first.level, second.priority) = (2, 9)),
            "the load before the priority"
        );
        assert!(second_wins(|first, second| (first.speaks_language, second.level) = (false, 9)));
        assert!(second_wins(|first, second| {
            (first.level, second.speaks_language, second.holds_next_call) = (0, false, true);
        }));
        assert_eq!(best(&[]), None);
    }

    #[test]
    fn a_hundred_contacts_are_spread_evenly() {
        let mut people: Vec<Candidate> =
            (0..4).map(|_| Candidate { level: 0, last_given_at: None, ..two().0 }).collect();
        for given in 0..100 {
            let chosen = best(&people).expect("somebody");
            let one = people.iter_mut().find(|one| one.account == chosen).expect("there");
            (one.level, one.last_given_at) = (one.level + 1, Some(Timestamp(given)));
        }
        assert!(people.iter().all(|one| one.level == 25));
    }
}
