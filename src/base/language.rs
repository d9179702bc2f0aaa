//! The languages that everything people see is written in.

use serde::{Deserialize, Serialize};

/// A language of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Spanish.
    Es,
}

impl Language {
    /// Every language, the fallback first.
    pub const ALL: [Self; 2] = [Self::En, Self::Es];

    /// The language of a tag such as `es-MX` (RFC 5646), if we speak it.
    pub fn of_tag(tag: &str) -> Option<Self> {
        match tag.split(['-', '_']).next().map(str::to_ascii_lowercase).as_deref() {
            Some("en") => Some(Self::En),
            Some("es") => Some(Self::Es),
            _ => None,
        }
    }

    /// The language of a tag, or the fallback.
    pub fn parse(tag: &str) -> Self {
        Self::of_tag(tag).unwrap_or_default()
    }

    /// The first language we speak in an `Accept-Language` header (order as given; weights are ignored).
    pub fn of_accept_language(header: &str) -> Option<Self> {
        header.split(',').find_map(|part| Self::of_tag(part.split(';').next().unwrap_or("").trim()))
    }

    /// The two-letter code (ISO 639-1).
    pub fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Es => "es",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_fall_back_to_their_language_and_strangers_to_english() {
        assert_eq!(Language::parse("es-MX"), Language::Es);
        assert_eq!(Language::parse("fr-FR"), Language::En);
        assert_eq!(Language::of_accept_language("fr-FR,es;q=0.8,en;q=0.5"), Some(Language::Es));
    }
}
