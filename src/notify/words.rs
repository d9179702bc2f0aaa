//! What each mail says: the product's own (`mails/NAME.yaml`, built in) and the company's letters (`config/mails`).

use std::collections::{BTreeMap, BTreeSet};

use rust_embed::RustEmbed;
use serde_json::{Value as Json, json};

use crate::base::diagnostic::Report;
use crate::base::language::Language;
use crate::base::yaml::{self, Doc, View};
use crate::render::Templates;
use crate::stages;

#[derive(RustEmbed)]
#[folder = "src/notify/mails"]
#[include = "*.yaml"]
struct Files;

#[derive(RustEmbed)]
#[folder = "src/notify/mails/examples"]
struct Examples;

/// What one mail says in one language; every string is a Handlebars text.
#[derive(Debug, Clone, Default)]
pub(super) struct Words {
    /// What the team calls the mail; no template.
    pub name: Option<String>,
    pub subject: String,
    pub preheader: String,
    pub heading: String,
    pub paragraphs: Vec<String>,
    pub code: Option<String>,
    pub details: Vec<(String, String, Option<String>)>,
    pub button: Option<(String, String)>,
    pub after: Option<String>,
    pub reason: String,
}

#[derive(Debug, Clone)]
struct Entry {
    en: Words,
    es: Words,
    is_own: bool,
    /// The stages that it is meant for; empty means all.
    stages: Vec<String>,
}

/// All mails by name.
#[derive(Debug, Clone, Default)]
pub struct Wording(BTreeMap<String, Entry>);

impl Wording {
    /// The product's own mails.
    pub fn built_in() -> Self {
        let report = Report::new();
        let mut all = BTreeMap::new();
        for file in Files::iter() {
            let name = file.trim_end_matches(".yaml").to_owned();
            let text = Files::get(&file)
                .map(|file| String::from_utf8_lossy(&file.data).into_owned())
                .unwrap_or_default();
            let Some(doc) = yaml::parse(&file, &text, &report) else { continue };
            if let Some((en, es, _)) = both(&doc, &report, &|_, _| {}) {
                all.insert(name, Entry { en, es, is_own: true, stages: Vec::new() });
            }
        }
        // The files are built in, and a test reads them all.
        assert!(report.is_clean(), "{}", report.text());
        Self(all)
    }

    /// The product's own mails and the company's letters, each given as its path and text. Both languages, and every hole
    /// must be one that letters have. They are taken all or not at all.
    pub fn read(files: &[(String, String)], templates: &Templates, report: &Report) -> Option<Self> {
        let mut wording = Self::built_in();
        let own = Report::new();
        for (path, text) in files {
            let name =
                std::path::Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let Some(doc) = yaml::parse(path, text, &own) else { continue };
            if !yaml::is_name(name) {
                own.error(&doc.root.at, "M202", format!("\"{name}\" cannot be the name of a letter"))
                    .hint("call the file by small letters, digits, `-` and `_`");
                continue;
            }
            if wording.0.get(name).is_some_and(|known| known.is_own) {
                own.error(&doc.root.at, "M203", format!("\"{name}\" is a mail of the product"))
                    .hint("give the file another name");
                continue;
            }
            let check = |view: View<'_>, hole: Hole| check_holes(view, hole, templates);
            if let Some((en, es, stages)) = both(&doc, &own, &check) {
                wording.0.insert(name.to_owned(), Entry { en, es, is_own: false, stages });
            }
        }
        let is_sound = !own.has_errors();
        report.absorb(own);
        is_sound.then_some(wording)
    }

    pub(super) fn get(&self, name: &str, language: Language) -> Option<&Words> {
        let entry = self.0.get(name)?;
        Some(match language {
            Language::En => &entry.en,
            Language::Es => &entry.es,
        })
    }

    /// What the team calls a mail: as its file says, else by the file's name.
    pub fn title(&self, name: &str, language: Language) -> String {
        self.get(name, language).and_then(|words| words.name.clone()).unwrap_or_else(|| name.to_owned())
    }

    /// Calls the stages of letters by their names where a file has aliases.
    pub fn know_stages(&mut self, lifecycle: &stages::Definition) {
        for stage in self.0.values_mut().flat_map(|entry| entry.stages.iter_mut()) {
            lifecycle.named(stage);
        }
    }

    /// Whether a mail is meant for somebody in a stage.
    pub fn suits(&self, name: &str, stage: &str) -> bool {
        self.0
            .get(name)
            .is_none_or(|entry| entry.stages.is_empty() || entry.stages.iter().any(|known| known == stage))
    }

    /// The names of the company's letters.
    pub fn letters(&self) -> BTreeSet<String> {
        self.0.iter().filter(|(_, entry)| !entry.is_own).map(|(name, _)| name.clone()).collect()
    }

    /// Every name, and whether the mail is the product's own.
    pub fn names(&self) -> impl Iterator<Item = (&str, bool)> {
        self.0.iter().map(|(name, entry)| (name.as_str(), entry.is_own))
    }

    /// What a mail would be told, for a look at it: its example if it is the product's own, else that of letters.
    pub(super) fn example(&self, name: &str, language: Language) -> Option<Json> {
        if !self.0.get(name)?.is_own {
            return Some(letter_example(true, language));
        }
        let file = Examples::get(&format!("{name}.json"))?;
        let examples: Json = serde_json::from_slice(&file.data).ok()?;
        let mut context = examples.get("en")?.clone();
        if language == Language::Es
            && let Some(spanish) = examples.get("es")
        {
            merge(&mut context, spanish);
        }
        Some(context)
    }
}

/// What letters are told: of somebody about whom much is known, or next to nothing.
fn letter_example(is_known: bool, language: Language) -> Json {
    json!({
        "zone": "Europe/Madrid",
        "now": 1_795_620_000_000_i64,
        "site": {
            "name": "Librería Faro",
            "home": format!("https://faro.example/{}/", language.code()),
            "accent": "#0f6b5c",
            "on_accent": "#ffffff",
        },
        "unsubscribe": "https://faro.example/u/eyJzIjoibmV3c2xldHRlciJ9.h2Vd81kQ",
        "first_name": is_known.then_some("Nikki"),
        "company": is_known.then_some("Acme"),
        "topic": { "id": "newsletter", "name": if language == Language::Es { "Carta mensual" } else { "Monthly letter" } },
        "book": is_known.then(|| format!("https://faro.example/book/discovery?lang={}", language.code())),
    })
}

/// What a text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hole {
    Text,
    Link,
}

/// Fills a text's holes with both examples: a hole that letters do not have, or a helper that is none, is told.
fn check_holes(view: View<'_>, hole: Hole, templates: &Templates) {
    let Some(text) = view.text() else { return };
    for is_known in [true, false] {
        let context = letter_example(is_known, Language::En);
        match templates.line(&text.text, Language::En, &context) {
            Ok(link) if hole == Hole::Link && !is_followed(&link) => {
                view.report
                    .error(&text.content, "M204", format!("mail programs do not follow \"{link}\""))
                    .hint("a link begins with https://, mailto: or tel:");
                return;
            }
            Ok(_) => {}
            Err(error) => {
                let message = format!("the text cannot be filled in: {}", short(&error.to_string()));
                view.report.error(&text.content, "M201", message).hint(
                    "letters have first_name, company, topic.name, site.name, site.home and book; \
                       first_name, company and book may be empty, so write {{#if first_name}}…{{/if}}",
                );
                return;
            }
        }
    }
}

/// Whether people can follow a link out of a mail; an empty one is left out.
fn is_followed(link: &str) -> bool {
    let link = link.trim();
    let leads = |url: url::Url| matches!(url.scheme(), "http" | "https" | "mailto" | "tel");
    link.is_empty() || url::Url::parse(link).is_ok_and(leads)
}

/// The last part of what Handlebars says, without the text itself.
fn short(error: &str) -> String {
    error.rsplit("cannot be rendered: ").next().unwrap_or(error).lines().next().unwrap_or(error).to_owned()
}

fn both(doc: &Doc, report: &Report, check: &dyn Fn(View<'_>, Hole)) -> Option<(Words, Words, Vec<String>)> {
    let mut map = doc.view(report).map()?;
    let stages = map.optional("stages").map(View::one_or_more).unwrap_or_default();
    let stages = stages.into_iter().filter_map(View::str).collect();
    let en = map.required("en").and_then(|view| words_of(view, check));
    let es = map.required("es").and_then(|view| words_of(view, check));
    map.finish();
    Some((en?, es?, stages))
}

fn words_of(view: View<'_>, check: &dyn Fn(View<'_>, Hole)) -> Option<Words> {
    let mut map = view.map()?;
    let checked = |view: Option<View<'_>>, hole: Hole| {
        view.and_then(|view| {
            let text = view.str()?;
            check(view, hole);
            Some(text)
        })
    };
    let string = |view: Option<View<'_>>| checked(view, Hole::Text);
    let name = map.optional("name").and_then(View::str);
    let subject = string(map.required("subject"));
    let preheader = string(map.required("preheader"));
    let heading = string(map.required("heading"));
    let paragraphs = map.required("paragraphs").and_then(View::list);
    let code = string(map.optional("code"));
    let details = map.optional("details").and_then(View::list).unwrap_or_default();
    let button = map.optional("button").map(|view| {
        let mut map = view.map()?;
        let button = (string(map.required("label")), checked(map.required("url"), Hole::Link));
        map.finish();
        Some((button.0?, button.1?))
    });
    let after = string(map.optional("after"));
    let reason = string(map.required("reason"));
    map.finish();
    let details = details
        .into_iter()
        .filter_map(|view| {
            let mut map = view.map()?;
            let (label, value) = (string(map.required("label")), string(map.required("value")));
            let row = (label, value, checked(map.optional("url"), Hole::Link));
            map.finish();
            Some((row.0?, row.1?, row.2))
        })
        .collect();
    let button = match button {
        Some(button) => Some(button?),
        None => None,
    };
    Some(Words {
        name,
        subject: subject?,
        preheader: preheader?,
        heading: heading?,
        paragraphs: paragraphs?.into_iter().filter_map(|view| string(Some(view))).collect(),
        code,
        details,
        button,
        after,
        reason: reason?,
    })
}

fn merge(into: &mut Json, from: &Json) {
    match (into, from) {
        (Json::Object(into), Json::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Json::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LETTER: &str = "\
en:
  subject: \"{{#if first_name}}{{first_name}}, an{{else}}An{{/if}} idea\"
  preheader: One idea
  heading: One idea
  paragraphs: [\"From {{site.name}}.\"]
  button: {label: Read, url: \"{{site.home}}ideas\"}
  reason: You asked for it.
es:
  subject: Una idea
  preheader: Una idea
  heading: Una idea
  paragraphs: [Hola]
  reason: La pediste.
";

    fn codes(path: &str, text: &str) -> Vec<String> {
        let templates = Templates::embedded().expect("built in");
        let report = Report::new();
        let read = Wording::read(&[(path.to_owned(), text.to_owned())], &templates, &report);
        assert_eq!(read.is_none(), report.has_errors());
        report.diagnostics().iter().map(|d| format!("{}:{} {}", d.line, d.col, d.code)).collect()
    }

    #[test]
    fn every_mail_of_the_product_has_a_name_in_both_languages_and_a_letter_may_have_one() {
        let wording = Wording::built_in();
        for (name, _) in wording.names() {
            let titles = [Language::En, Language::Es].map(|language| wording.title(name, language));
            assert!(titles.iter().all(|title| title != name) && titles[0] != titles[1], "{name}: {titles:?}");
        }
        assert_eq!(wording.title("an-idea", Language::En), "an-idea");
    }

    #[test]
    fn a_letter_needs_both_languages_and_no_hole_that_letters_do_not_have() {
        assert_eq!(codes("config/mails/an-idea.yaml", LETTER), Vec::<String>::new());
        let english_only = LETTER.split("es:\n").next().expect("text");
        assert_eq!(codes("an-idea.yaml", english_only), ["1:1 Y005"]);
        let slip = LETTER.replace("{{site.name}}", "{{site.nam}}");
        assert_eq!(codes("an-idea.yaml", &slip), ["5:17 M201"]);
        let broken = LETTER.replace("{{/if}}", "");
        assert_eq!(codes("an-idea.yaml", &broken), ["2:13 M201"]);
        for link in ["javascript:alert(1)", "ideas", "data:text/html,x", "//faro.example"] {
            let odd = LETTER.replace("{{site.home}}ideas", link);
            assert_eq!(codes("an-idea.yaml", &odd), ["6:31 M204"], "{link}");
        }
        assert_eq!(
            codes("an-idea.yaml", &LETTER.replace("{{site.home}}ideas", "tel:+34911")),
            Vec::<String>::new()
        );
        assert_eq!(codes("booking_confirmed.yaml", LETTER), ["1:1 M203"]);
        assert_eq!(codes("An Idea.yaml", LETTER), ["1:1 M202"]);
    }

    #[test]
    fn a_letter_goes_to_the_stages_that_it_is_meant_for_by_name_or_alias() {
        let (templates, report) = (Templates::embedded().expect("built in"), Report::new());
        let lifecycle = include_str!("../../config/lifecycle.yaml");
        let lifecycle = stages::Definition::parse("l.yaml", lifecycle, &report).expect("right");
        let read = |stages: &str| {
            let text = format!("stages: {stages}\n{LETTER}");
            Wording::read(&[("idea.yaml".to_owned(), text)], &templates, &report).expect("right")
        };
        let mut wording = read("[prospect, mql]");
        wording.know_stages(&lifecycle);
        assert!(report.is_clean(), "{}", report.text());
        let suits = ["lead", "mql", "sql"].map(|stage| wording.suits("idea", stage));
        assert_eq!(suits, [true, true, false]);
        assert!(wording.suits("booking_confirmed", "sql"), "the product's own go to everybody");
    }
}
