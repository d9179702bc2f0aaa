//! How often somebody wants letters, in her own words and not in ours.

use serde::Serialize;

use crate::base::time::DAY_MS;

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Frequency {
    /// As they come, within the most that anybody gets.
    #[default]
    All,
    /// One letter in seven days at most.
    Weekly,
    /// One letter in thirty days at most.
    Monthly,
}

impl Frequency {
    /// All of them, the most frequent first.
    pub const ALL: [Self; 3] = [Self::All, Self::Weekly, Self::Monthly];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }

    /// What a word means.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.word() == word)
    }

    /// In how many milliseconds she wants one letter at most; none if she said nothing.
    pub fn pause_ms(self) -> Option<i64> {
        match self {
            Self::All => None,
            Self::Weekly => Some(7 * DAY_MS),
            Self::Monthly => Some(30 * DAY_MS),
        }
    }
}

/// The longest time in which somebody's own letters are counted.
pub const LONGEST_MS: i64 = 30 * DAY_MS;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frequency_has_a_word_and_is_counted_within_the_longest_time() {
        for frequency in Frequency::ALL {
            assert_eq!(Frequency::of_word(frequency.word()), Some(frequency));
            assert!(frequency.pause_ms().is_none_or(|pause| pause <= LONGEST_MS));
        }
        assert_eq!(Frequency::of_word("daily"), None);
    }
}
