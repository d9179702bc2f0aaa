//! What became of the hits that were sent, counted by a closed set of words.

use crate::telemetry::metrics::{Counter, Family, Histogram};

use super::BotReason;

/// Why something that was sent to the collector was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// The page, or the one who asks, is not one of the site's.
    ForeignOrigin,
    /// No site has the key.
    UnknownSite,
    /// Not JSON, or no hit.
    Malformed,
    /// A member is missing or impossible.
    Field,
    /// More hits than one body may hold.
    TooMany,
    /// A larger body than is taken, as it came or unpacked.
    TooLarge,
    /// The body did not come in time.
    TooSlow,
    /// The body is packed in a way that is not spoken here.
    Encoding,
    /// Too often from one address.
    RateLimited,
    /// It could not be stored; the client keeps it.
    Unavailable,
}

impl Dropped {
    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::ForeignOrigin,
        Self::UnknownSite,
        Self::Malformed,
        Self::Field,
        Self::TooMany,
        Self::TooLarge,
        Self::TooSlow,
        Self::Encoding,
        Self::RateLimited,
        Self::Unavailable,
    ];

    /// The word for it, in metrics and in the answer's `x-embudo-dropped`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ForeignOrigin => "foreign_origin",
            Self::UnknownSite => "unknown_site",
            Self::Malformed => "malformed",
            Self::Field => "field",
            Self::TooMany => "too_many",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::Encoding => "encoding",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Why a hit's time is not what the client said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clamped {
    /// It says it waited for more than a day: then it waited for a day.
    TooOld,
    /// It says it has not happened yet: then it happens now.
    Future,
}

impl Clamped {
    /// Every reason.
    pub const ALL: [Self; 2] = [Self::TooOld, Self::Future];

    /// The word for it in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::TooOld => "too_old",
            Self::Future => "future",
        }
    }
}

const CLAMPED: [&str; 2] = [Clamped::ALL[0].word(), Clamped::ALL[1].word()];

const DROPPED: [&str; Dropped::ALL.len()] = {
    let mut words = [""; Dropped::ALL.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = Dropped::ALL[at].word();
        at += 1;
    }
    words
};

const LABELLED: [&str; BotReason::ALL.len()] = {
    let mut words = [""; BotReason::ALL.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = BotReason::ALL[at].word();
        at += 1;
    }
    words
};

/// Everything that is counted about hits.
#[derive(Debug)]
pub struct Counts {
    /// Hits that are on disk and taken for people's.
    pub accepted: Counter,
    /// Hits that are on disk and labelled as machines', by reason.
    pub labelled: Family,
    /// Requests that were refused, by reason.
    pub dropped: Family,
    /// Hits whose time was not believed, by reason.
    pub clamped: Family,
    /// From the request's head to its answer.
    pub took: Histogram,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            accepted: Counter::default(),
            labelled: Family::new(&LABELLED),
            dropped: Family::new(&DROPPED),
            clamped: Family::new(&CLAMPED),
            took: Histogram::default(),
        }
    }
}
