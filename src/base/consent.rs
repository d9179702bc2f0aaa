//! What a visitor allowed us to remember.

use serde::{Deserialize, Serialize};

/// What a visitor allowed us to remember.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consent {
    /// Nothing is stored at the device; hits are counted without an identifier.
    #[default]
    None,
    /// The device may be recognised.
    Analytics,
    /// And addressed personally.
    Full,
}

impl Consent {
    /// The word for it, as it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Analytics => "analytics",
            Self::Full => "full",
        }
    }

    /// The consent of a stored word.
    pub fn of_word(word: &str) -> Self {
        match word {
            "analytics" => Self::Analytics,
            "full" => Self::Full,
            _ => Self::None,
        }
    }
}
