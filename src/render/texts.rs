//! The words of every page and mail, by key and language.
//!
//! `texts/en/console.yaml` holds the keys that begin with `console.`; nesting adds a dot. A text may have holes
//! `{name}`. A mapping with `one` and `other` is a plural, chosen by the value of `n`.

use std::collections::BTreeMap;

use saphyr::{LoadableYamlNode, Yaml};

use super::{Error, files};
use crate::base::language::Language;
use crate::base::localized::Localized;

#[derive(Debug, Clone, PartialEq)]
enum Text {
    Plain(String),
    Plural { one: String, other: String },
}

/// All texts in all languages.
#[derive(Debug, Clone)]
pub struct Texts {
    english: BTreeMap<String, Text>,
    spanish: BTreeMap<String, Text>,
}

impl Texts {
    /// Reads the embedded text files.
    ///
    /// # Errors
    /// [`Error::Texts`] with the file and what is wrong in it.
    pub fn embedded() -> Result<Texts, Error> {
        let mut texts = Texts { english: BTreeMap::new(), spanish: BTreeMap::new() };
        for (language, area, source) in files::words() {
            let file = format!("{language}/{area}.yaml");
            let wrong = |reason: String| Error::Texts { file: file.clone(), reason };
            let into = match language.as_str() {
                "en" => &mut texts.english,
                "es" => &mut texts.spanish,
                _ => return Err(wrong("only en and es are known".to_owned())),
            };
            let documents = Yaml::load_from_str(&source).map_err(|e| wrong(e.to_string()))?;
            for document in &documents {
                flatten(&area, document, into).map_err(wrong)?;
            }
        }
        Ok(texts)
    }

    /// The text of a key, its holes filled with `values`; none when there is no such key.
    ///
    /// The values are put in once and never read again, so braces in a value stay braces.
    pub fn get(&self, language: Language, key: &str, values: &[(&str, String)]) -> Option<String> {
        let text = self.of(language).get(key)?;
        let template = match text {
            Text::Plain(text) => text,
            Text::Plural { one, other } => {
                let n = values.iter().find(|(name, _)| *name == "n").map(|(_, value)| value.as_str());
                if n == Some("1") { one } else { other }
            }
        };
        Some(fill(template, values))
    }

    /// Puts a plain word in the place of a key's text.
    pub(super) fn say(&mut self, key: &str, word: &Localized) {
        self.english.insert(key.to_owned(), Text::Plain(word.en.clone()));
        self.spanish.insert(key.to_owned(), Text::Plain(word.es.clone()));
    }

    /// Whether a key exists in English.
    pub fn has(&self, key: &str) -> bool {
        self.english.contains_key(key)
    }

    fn of(&self, language: Language) -> &BTreeMap<String, Text> {
        match language {
            Language::En => &self.english,
            Language::Es => &self.spanish,
        }
    }

    /// What one language has and the other has not, in words: keys, plurals and holes.
    #[cfg(test)]
    pub fn differences(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (key, text) in &self.english {
            match self.spanish.get(key) {
                None => found.push(format!("{key} is missing in es")),
                Some(other) if holes(text) != holes(other) => {
                    found.push(format!("{key} has other holes in es"))
                }
                Some(_) => {}
            }
        }
        for key in self.spanish.keys().filter(|key| !self.english.contains_key(*key)) {
            found.push(format!("{key} is missing in en"));
        }
        found
    }
}

fn flatten(key: &str, node: &Yaml<'_>, into: &mut BTreeMap<String, Text>) -> Result<(), String> {
    if let Some(text) = node.as_str() {
        into.insert(key.to_owned(), Text::Plain(text.to_owned()));
        return Ok(());
    }
    if let (Some(one), Some(other)) = (string_at(node, "one"), string_at(node, "other")) {
        into.insert(key.to_owned(), Text::Plural { one, other });
        return Ok(());
    }
    let Some(mapping) = node.as_mapping() else {
        return Err(format!("`{key}` is neither a text nor a group of texts; put quotes around it"));
    };
    for (name, value) in mapping {
        let Some(name) = name.as_str() else {
            return Err(format!("a name under `{key}` is not a word; put quotes around it"));
        };
        flatten(&format!("{key}.{name}"), value, into)?;
    }
    Ok(())
}

fn string_at(node: &Yaml<'_>, name: &str) -> Option<String> {
    node.as_mapping_get(name).and_then(|value| value.as_str()).map(str::to_owned)
}

/// Puts values into the holes of a text, in one pass from left to right.
fn fill(template: &str, values: &[(&str, String)]) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let hole = after.split_once('}');
        let value = hole.and_then(|(name, _)| values.iter().find(|(known, _)| *known == name));
        match (hole, value) {
            (Some((_, tail)), Some((_, value))) => {
                filled.push_str(value);
                rest = tail;
            }
            // A hole that nobody fills stays visible: better seen than silently empty.
            _ => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
fn holes(text: &Text) -> std::collections::BTreeSet<String> {
    let of = |template: &str| -> std::collections::BTreeSet<String> {
        template.split('{').skip(1).filter_map(|p| p.split_once('}')).map(|(n, _)| n.to_owned()).collect()
    };
    match text {
        Text::Plain(text) => of(text),
        // The singular may say "one" in words and leave the number out.
        Text::Plural { other, .. } => of(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_filled_once() {
        let values = [("a", "{b}".to_owned()), ("b", "no".to_owned())];
        assert_eq!(fill("{a} and {c}", &values), "{b} and {c}");
    }

    #[test]
    fn a_plural_is_chosen_by_n() {
        let texts = Texts::embedded().unwrap();
        let say = |n: &str| texts.get(Language::En, "when.minutes_ago", &[("n", n.to_owned())]).unwrap();
        assert_eq!(say("1"), "1 min ago");
        assert_eq!(texts.get(Language::En, "when.days_ago", &[("n", "3".to_owned())]).unwrap(), "3 days ago");
    }
}
