//! A text in every language of the product.

use serde::{Deserialize, Serialize};

use super::language::Language;
use super::yaml::View;

/// The same words in English and in Spanish.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Localized {
    /// English.
    pub en: String,
    /// Spanish.
    pub es: String,
}

impl Localized {
    /// Both texts.
    pub fn new(en: impl Into<String>, es: impl Into<String>) -> Self {
        Self { en: en.into(), es: es.into() }
    }

    /// The text in a language.
    pub fn get(&self, language: Language) -> &str {
        match language {
            Language::En => &self.en,
            Language::Es => &self.es,
        }
    }

    /// Reads `{en: …, es: …}`; a missing translation is reported (Y005). One plain text stands for both, which is
    /// right for names.
    pub fn read(view: View<'_>) -> Option<Self> {
        if !view.is_map() {
            let text = view.words()?;
            return Some(Self::new(text.clone(), text));
        }
        let mut map = view.map()?;
        let en = map.required("en").and_then(View::words);
        let es = map.required("es").and_then(View::words);
        map.finish();
        Some(Self::new(en?, es?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::diagnostic::Report;
    use super::super::yaml;
    use super::*;

    #[test]
    fn a_missing_translation_is_an_error_with_its_place() {
        let report = Report::new();
        let doc = yaml::parse("t.yaml", "title: {en: Hello}\n", &report).expect("a tree");
        let read =
            doc.view(&report).map().and_then(|mut map| map.required("title")).and_then(Localized::read);
        assert_eq!(read, None);
        let found = report.diagnostics();
        assert_eq!(found.iter().map(|d| (d.line, d.col, d.code)).collect::<Vec<_>>(), [(1, 8, "Y005")]);
    }

    #[test]
    fn a_plain_text_stands_for_both_languages() {
        let report = Report::new();
        let doc = yaml::parse("t.yaml", "title: Faro\n", &report).expect("a tree");
        let read =
            doc.view(&report).map().and_then(|mut map| map.required("title")).and_then(Localized::read);
        assert_eq!(read, Some(Localized::new("Faro", "Faro")));
    }
}
