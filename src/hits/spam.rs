//! Sites that make up visits so that their name stands in other people's reports.

use std::collections::HashSet;

/// Domains that are known for it, one a line.
const KNOWN: &str = include_str!("referrer_spam.txt");

/// The list that referrers are held against.
#[derive(Debug, Clone)]
pub struct Spam(HashSet<Box<str>>);

impl Default for Spam {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl Spam {
    /// The known domains and `more`.
    pub fn new(more: &[String]) -> Self {
        let known = KNOWN.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let more = more.iter().map(|domain| domain.trim().trim_start_matches('.'));
        Self(known.chain(more).map(|domain| domain.to_lowercase().into_boxed_str()).collect())
    }

    /// Whether a host (in lower case) is one of them or below one of them.
    pub fn has(&self, host: &str) -> bool {
        let mut ends = std::iter::successors(Some(host), |rest| rest.split_once('.').map(|(_, rest)| rest));
        ends.any(|end| self.0.contains(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_stands_for_everything_below_it_and_for_nothing_else() {
        let spam = Spam::new(&["Cheap.example".to_owned()]);
        for host in ["semalt.com", "www.semalt.com", "cheap.example", "a.b.cheap.example"] {
            assert!(spam.has(host), "{host}");
        }
        for host in ["", "com", "notsemalt.com", "semalt.com.example", "example"] {
            assert!(!spam.has(host), "{host}");
        }
    }

    #[test]
    fn no_line_of_the_list_stands_for_half_the_world() {
        let spam = Spam::default();
        assert!(spam.0.len() > 60);
        assert!(spam.0.iter().all(|domain| domain.contains('.') && domain.is_ascii()));
        for honest in ["www.google.com", "t.co", "news.ycombinator.com", "faro.example", "chatgpt.com"] {
            assert!(!spam.has(honest), "{honest}");
        }
    }
}
