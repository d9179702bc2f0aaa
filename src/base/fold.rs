//! Texts as people search them: in small letters, without accents, word by word.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Longest word that is told apart, in characters: what is longer is cut.
pub const WORD_MOST: usize = 64;

/// A text in small letters without accents: `Ána Łukasz` is `ana lukasz`, `Straße` is `strasse`.
///
/// Compatibility decomposition (Unicode Standard Annex 15, NFKD) without its marks, and the letters that have a stroke and
/// no decomposition.
pub fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.nfkd().filter(|letter| !is_combining_mark(*letter)) {
        for small in letter.to_lowercase() {
            match small {
                'ß' => out.push_str("ss"),
                'æ' => out.push_str("ae"),
                'œ' => out.push_str("oe"),
                'ø' => out.push('o'),
                'ł' => out.push('l'),
                'đ' | 'ð' => out.push('d'),
                'þ' => out.push_str("th"),
                'ı' => out.push('i'),
                // What small letters decompose into once more.
                mark if is_combining_mark(mark) => {}
                other => out.push(other),
            }
        }
    }
    out
}

/// The words of a text, folded: what stands between characters that are neither letters nor digits.
pub fn words(text: &str) -> Vec<String> {
    folded(text)
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| word.chars().take(WORD_MOST).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_and_large_letters_make_no_difference() {
        for (written, searched) in [
            ("Ána", "ana"),
            ("A\u{301}na", "ana"),
            ("GARCÍA", "garcia"),
            ("Muñoz", "munoz"),
            ("Łukasz Søren", "lukasz soren"),
            ("Straße", "strasse"),
            ("İstanbul", "istanbul"),
            ("ﬁnanzas", "finanzas"),
        ] {
            assert_eq!(folded(written), searched, "{written}");
        }
    }

    #[test]
    fn words_are_letters_and_digits() {
        assert_eq!(words("Nikki O'Brien-Löwe, S.A. 24"), ["nikki", "o", "brien", "lowe", "s", "a", "24"]);
        assert_eq!(words(" %_! "), Vec::<String>::new());
        assert_eq!(words(&"x".repeat(500)).first().map(String::len), Some(WORD_MOST));
    }
}
