//! How much a fact or a device is believed.

use serde::{Deserialize, Serialize};

/// How sure we are that the person at a device is a certain contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Nobody said anything.
    Anonymous = 0,
    /// Somebody typed the address.
    Claimed = 1,
    /// Somebody opened a link that we mailed. It may have been forwarded.
    Clicked = 2,
    /// The mailed link was opened on the device that asked for it, or a mailed code was typed.
    Confirmed = 3,
    /// The host site vouches for it.
    Authenticated = 4,
}

impl Trust {
    /// The level as it is stored.
    pub fn level(self) -> i64 {
        match self {
            Self::Anonymous => 0,
            Self::Claimed => 1,
            Self::Clicked => 2,
            Self::Confirmed => 3,
            Self::Authenticated => 4,
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Claimed => "claimed",
            Self::Clicked => "clicked",
            Self::Confirmed => "confirmed",
            Self::Authenticated => "authenticated",
        }
    }

    /// The trust of a stored level.
    pub fn of_level(level: i64) -> Self {
        match level {
            1 => Self::Claimed,
            2 => Self::Clicked,
            3 => Self::Confirmed,
            4 => Self::Authenticated,
            _ => Self::Anonymous,
        }
    }

    /// Whether what is stored about the person may be shown, filled in or skipped.
    pub fn may_see_stored(self) -> bool {
        self >= Self::Confirmed
    }
}
