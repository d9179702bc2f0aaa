//! The texts of a flow in its languages, and where their translations stand.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::diagnostic::{Mark, Report, nearest};
use crate::base::expr::{Context, Symbols};
use crate::base::language::Language;
use crate::base::yaml::{Map, Spanned, View, is_yes_or_no};

use super::flow::{Var, VarType};
use super::steps::unread;
use super::text::{Reader, Text};

/// A text in the flow's languages, with holes.
#[derive(Clone, Debug, PartialEq)]
pub struct Words {
    /// Where it stands: `step.field`, as translations name it.
    pub key: String,
    texts: Vec<(Language, Text)>,
}

impl Words {
    /// The text for a reader, in her language or else in the source language.
    pub fn render(&self, values: &Context, reader: &Reader) -> String {
        let own = self.texts.iter().find(|(language, _)| *language == reader.language);
        own.or(self.texts.first()).map(|(_, text)| text.render(values, reader)).unwrap_or_default()
    }

    /// The text as it is written in a language, else in the source language; for labels, which have no holes.
    pub fn plain(&self, language: Language) -> &str {
        let own = self.texts.iter().find(|(own, _)| *own == language);
        own.or(self.texts.first()).map(|(_, text)| text.source.as_str()).unwrap_or_default()
    }

    /// The text in its source language.
    pub fn source(&self) -> &str {
        self.texts.first().map(|(_, text)| text.source.as_str()).unwrap_or_default()
    }

    /// Every version of the text with the place where it was written.
    pub fn versions(&self) -> impl Iterator<Item = &Text> {
        self.texts.iter().map(|(_, text)| text)
    }

    /// Every version of the text with its language; the source language first.
    pub fn translations(&self) -> impl Iterator<Item = (Language, &Text)> {
        self.texts.iter().map(|(language, text)| (*language, text))
    }
}

/// What reading the steps needs to know of the rest of the file.
pub struct Load<'a> {
    pub report: &'a Report,
    pub symbols: &'a Symbols,
    pub always: &'a BTreeSet<&'a str>,
    pub vars: &'a BTreeMap<String, Var>,
    pub languages: &'a [Language],
    /// Languages in which a text may be missing.
    pub optional: &'a [Language],
    pub translations: Translations<'a>,
}

impl<'a> Load<'a> {
    /// A text and its translations, which stand under `key` (`welcome.say`).
    pub fn words(&mut self, key: &str, view: View<'a>) -> Words {
        let Some(first) = self.text(view) else { return self.unread(key, view.at()) };
        let mut texts = Vec::new();
        for language in self.languages.iter().skip(1) {
            let Some(translated) = self.translations.take(*language, key) else {
                if first.has_words() {
                    self.untranslated(key, view.at(), *language);
                }
                continue;
            };
            let Some(text) = self.text(translated) else { continue };
            if text.holes() != first.holes() {
                let missing: Vec<&str> = first.holes().symmetric_difference(&text.holes()).copied().collect();
                self.report
                    .error(
                        translated.at(),
                        "T403",
                        format!("\"{key}\" has other holes than the {} text", self.source()),
                    )
                    .hint(format!("only one of them has {}", missing.join(", ")));
            }
            texts.push((*language, text));
        }
        texts.insert(0, (self.languages.first().copied().unwrap_or_default(), first));
        Words { key: key.to_owned(), texts }
    }

    /// What stands for a text that could not be read; its translations are looked at all the same.
    pub fn unread(&mut self, key: &str, at: &Mark) -> Words {
        let mut texts = Vec::new();
        for language in self.languages.iter().skip(1) {
            match self.translations.take(*language, key) {
                Some(view) => texts.extend(self.text(view).map(|text| (*language, text))),
                None => self.untranslated(key, at, *language),
            }
        }
        Words { key: key.to_owned(), texts }
    }

    /// T401, where the text has to be there in the language.
    fn untranslated(&self, key: &str, at: &Mark, language: Language) {
        if !self.optional.contains(&language) {
            let code = language.code();
            self.report
                .error(at, "T401", format!("\"{key}\" has no {code} translation"))
                .hint(format!("add `{key}: …` under translations → {code}"));
        }
    }

    /// One version of a text.
    fn text(&self, view: View<'_>) -> Option<Text> {
        let source = said(view)?;
        let content = view.text().map_or(view.at(), |text| &text.content);
        Some(Text::parse(&source, content, self.symbols, self.always, self.report))
    }

    /// A text that no visitor reads: it stands in one language, but may be translated.
    pub fn given(&mut self, key: &str, view: View<'a>) -> Words {
        let optional = self.optional;
        self.optional = self.languages;
        let words = self.words(key, view);
        self.optional = optional;
        words
    }

    /// The labels of choices and their translations, which stand under `key` as a map with the same ids.
    pub fn labels(&mut self, key: &str, labels: &[(&'a Spanned<String>, View<'a>)]) -> Vec<(String, Words)> {
        let mut found = Vec::new();
        let mut maps = Vec::new();
        for language in self.languages.iter().skip(1) {
            match self.translations.take(*language, key) {
                Some(view) => maps.extend(view.map().map(|map| (*language, map.entries(), view))),
                None if self.optional.contains(language) => {}
                None => {
                    if let Some((first, _)) = labels.first() {
                        let code = language.code();
                        self.report
                            .error(&first.at, "T401", format!("\"{key}\" have no {code} translation"))
                            .hint(format!("add `{key}: {{{}: …}}` under translations → {code}", first.value));
                    }
                }
            }
        }
        for (language, entries, view) in &maps {
            let here: BTreeSet<&str> = labels.iter().map(|(id, _)| id.value.as_str()).collect();
            for (id, _) in entries.iter().filter(|(id, _)| !here.contains(id.value.as_str())) {
                self.report
                    .error(&id.at, "T404", format!("there is no choice \"{}\" in {key}", id.value))
                    .did_you_mean(&id.value, here.iter().copied());
            }
            for (id, _) in
                labels.iter().filter(|(id, _)| !entries.iter().any(|(other, _)| other.value == id.value))
            {
                let message =
                    format!("the choice \"{}\" of {key} has no {} label", id.value, language.code());
                self.report.error(view.at(), "T404", message).done();
            }
        }
        for (id, view) in labels {
            let mut texts = Vec::new();
            let source = self.languages.first().copied().unwrap_or_default();
            texts.extend(self.text(*view).map(|first| (source, first)));
            for (language, entries, _) in &maps {
                let own = entries.iter().find(|(other, _)| other.value == id.value).map(|(_, view)| *view);
                texts.extend(own.and_then(|view| self.text(view)).map(|text| (*language, text)));
            }
            let key = format!("{key}.{}", id.value);
            found.push((id.value.clone(), Words { key, texts }));
        }
        found
    }

    fn source(&self) -> &'static str {
        self.languages.first().copied().unwrap_or_default().code()
    }

    /// An address that visitors are led to: `https://…`, or a path of the site. T409 for one without the s.
    pub fn address(&self, view: View<'_>) -> Spanned<String> {
        let Some(address) = view.spanned() else { return unread(view.at()) };
        let text = address.value.as_str();
        let is_path = text.starts_with('/') && !text.starts_with("//");
        let is_web = text.strip_prefix("https://").is_some_and(|rest| !rest.is_empty());
        let is_plain = !text.chars().any(|c| c.is_whitespace() || c.is_control());
        if text.starts_with("http://") {
            view.error("T409", "a link must begin with https://")
                .hint("browsers warn of what comes without it");
        } else if !is_plain || !(is_path || is_web) {
            view.error("Y004", format!("\"{text}\" is no address"))
                .hint("https://faro.example/guide.pdf, or /guide.pdf on the site itself");
        }
        address
    }

    /// A variable that a step wants to fill; D301 if there is none. Then it is the one that was meant, if that is clear.
    pub fn var(&self, name: &str, at: &Mark) -> Option<(String, VarType)> {
        let known = || self.vars.keys().map(String::as_str);
        let name = if self.vars.contains_key(name) {
            name
        } else {
            self.report
                .error(at, "D301", format!("there is no variable \"{name}\""))
                .did_you_mean(name, known());
            nearest(name, known())?
        };
        self.vars.get(name).map(|var| (name.to_owned(), var.of.clone()))
    }
}

/// A text that people will read. Warns (Y102) when other programs that read YAML would not take it for a text.
fn said(view: View<'_>) -> Option<String> {
    let words = view.words()?;
    if words.trim().is_empty() {
        view.error("Y004", "expected words, found an empty text")
            .hint("nobody would see anything: leave it out");
        return None;
    }
    if view.text().is_some_and(|text| !text.quoted && is_ambiguous(&text.text)) {
        view.report
            .warning(view.at(), "Y102", format!("other programs do not read `{words}` as a text"))
            .hint(format!("put it in quotes: \"{words}\""));
    }
    Some(words)
}

/// What YAML 1.1 takes for yes or no, a number in base 60, or a number that loses its last zero.
fn is_ambiguous(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_base_60 = text.split_once(':').is_some_and(|(a, b)| digits(a) && digits(b) && b.len() == 2);
    let loses_zero = text.split_once('.').is_some_and(|(a, b)| digits(a) && digits(b) && b.ends_with('0'));
    is_yes_or_no(text) || is_base_60 || loses_zero
}

/// One translated text of a language, and whether it was asked for.
struct Translated<'a> {
    language: Language,
    key: &'a Spanned<String>,
    view: View<'a>,
    used: bool,
}

/// The `translations` of a flow: language → `step.field` → text.
pub struct Translations<'a>(Vec<Translated<'a>>);

impl<'a> Translations<'a> {
    pub fn read(map: Option<Map<'a>>, languages: &[Language], report: &Report) -> Self {
        let mut all = Vec::new();
        for (code, view) in map.iter().flat_map(Map::entries) {
            match Language::of_tag(&code.value).filter(|l| languages.iter().skip(1).any(|other| other == l)) {
                Some(language) => {
                    let entries = view.map().map(|map| map.entries()).unwrap_or_default();
                    all.extend(entries.into_iter().map(|(key, view)| Translated {
                        language,
                        key,
                        view,
                        used: false,
                    }));
                }
                None => report
                    .error(
                        &code.at,
                        "Y003",
                        format!("\"{}\" is not among the languages to translate into", code.value),
                    )
                    .hint("`languages` lists them; the first one is the source"),
            }
        }
        Translations(all)
    }

    fn take(&mut self, language: Language, key: &str) -> Option<View<'a>> {
        let found = self.0.iter_mut().find(|t| t.language == language && t.key.value == key)?;
        found.used = true;
        Some(found.view)
    }

    pub fn report_unused(self, report: &Report) {
        for unused in self.0.into_iter().filter(|t| !t.used) {
            report
                .error(
                    &unused.key.at,
                    "Y003",
                    format!("there is no text \"{}\" to translate", unused.key.value),
                )
                .hint("the key is step.field, such as welcome.say or offer.choices");
        }
    }
}
