//! The countries of the world: ISO 3166-1 codes (and `XK`), with their names by the Unicode CLDR.

use std::sync::LazyLock;

use crate::base::language::Language;
use crate::base::localized::Localized;

/// One line a country: code, English, Spanish.
const LINES: &str = include_str!("countries.txt");

static COUNTRIES: LazyLock<Vec<(&'static str, Localized)>> = LazyLock::new(|| {
    let country = |line: &'static str| {
        let (code, names) = line.split_once('|')?;
        let (en, es) = names.split_once('|')?;
        Some((code, Localized::new(en, es)))
    };
    LINES.lines().filter_map(country).collect()
});

/// Every code, in the order of the alphabet.
pub(super) fn codes() -> impl Iterator<Item = &'static str> {
    COUNTRIES.iter().map(|(code, _)| *code)
}

/// The code that somebody means by `ES` or `es`.
pub(super) fn code_of(text: &str) -> Option<&'static str> {
    codes().find(|code| code.eq_ignore_ascii_case(text))
}

/// Codes and names in the order in which people of a language look for them.
pub(super) fn listed(language: Language) -> Vec<(&'static str, &'static str)> {
    let mut listed: Vec<(&str, &str)> =
        COUNTRIES.iter().map(|(code, name)| (*code, name.get(language))).collect();
    listed.sort_by_key(|(_, name)| name.to_lowercase().chars().map(plain).collect::<String>());
    listed
}

/// A letter without its accent, as far as names of countries have them.
fn plain(letter: char) -> char {
    match letter {
        'á' | 'à' | 'â' | 'å' | 'ä' => 'a',
        'é' | 'è' => 'e',
        'í' => 'i',
        'ó' | 'ô' | 'ö' => 'o',
        'ú' | 'ü' => 'u',
        'ç' => 'c',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_country_with_both_names() {
        assert_eq!(COUNTRIES.len(), LINES.lines().count());
        assert!(codes().is_sorted() && codes().count() > 240);
        assert_eq!((code_of("es"), code_of("MX"), code_of("Spain")), (Some("ES"), Some("MX"), None));
    }

    #[test]
    fn an_accent_does_not_send_a_country_to_the_end_of_the_list() {
        let names: Vec<&str> = listed(Language::En).into_iter().map(|(_, name)| name).collect();
        let at = |name: &str| names.iter().position(|known| *known == name).expect(name);
        assert!(at("Åland Islands") < at("Albania") && at("Côte d’Ivoire") < at("Croatia"));
    }
}
