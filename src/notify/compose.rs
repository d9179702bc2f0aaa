//! From a mail's words (`mails/NAME.yaml`) and a context to its subject, text and HTML.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rust_embed::RustEmbed;
use serde_json::{Value as Json, json};

use super::Error;
use crate::base::diagnostic::Report;
use crate::base::language::Language;
use crate::base::yaml;
use crate::render::Templates;

#[derive(RustEmbed)]
#[folder = "src/notify/mails"]
#[include = "*.yaml"]
struct Files;

/// What one mail says in one language; every string is a Handlebars text.
#[derive(Debug, Clone, Default)]
struct Words {
    subject: String,
    preheader: String,
    heading: String,
    paragraphs: Vec<String>,
    code: Option<String>,
    details: Vec<(String, String, Option<String>)>,
    button: Option<(String, String)>,
    after: Option<String>,
    reason: String,
}

/// A mail that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    pub subject: String,
    pub text: String,
    pub html: String,
}

static WORDS: LazyLock<BTreeMap<(String, Language), Words>> = LazyLock::new(|| {
    let report = Report::new();
    let mut all = BTreeMap::new();
    for file in Files::iter() {
        let name = file.trim_end_matches(".yaml").to_owned();
        let text = Files::get(&file)
            .map(|file| String::from_utf8_lossy(&file.data).into_owned())
            .unwrap_or_default();
        let Some(doc) = yaml::parse(&file, &text, &report) else { continue };
        let Some(mut map) = doc.view(&report).map() else { continue };
        for (language, key) in [(Language::En, "en"), (Language::Es, "es")] {
            if let Some(words) = map.required(key).and_then(words_of) {
                all.insert((name.clone(), language), words);
            }
        }
    }
    // The files are built in, and a test reads them all.
    assert!(report.is_clean(), "{}", report.text());
    all
});

fn words_of(view: yaml::View<'_>) -> Option<Words> {
    let mut map = view.map()?;
    let string = |view: Option<yaml::View<'_>>| view.and_then(yaml::View::str);
    let words = Words {
        subject: string(map.required("subject"))?,
        preheader: string(map.required("preheader"))?,
        heading: string(map.required("heading"))?,
        paragraphs: map
            .required("paragraphs")
            .and_then(yaml::View::list)?
            .into_iter()
            .filter_map(yaml::View::str)
            .collect(),
        code: string(map.optional("code")),
        details: map
            .optional("details")
            .and_then(yaml::View::list)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|view| {
                let mut map = view.map()?;
                let row = (
                    string(map.required("label"))?,
                    string(map.required("value"))?,
                    string(map.optional("url")),
                );
                map.finish();
                Some(row)
            })
            .collect(),
        button: map.optional("button").and_then(|view| {
            let mut map = view.map()?;
            let button = (string(map.required("label"))?, string(map.required("url"))?);
            map.finish();
            Some(button)
        }),
        after: string(map.optional("after")),
        reason: string(map.required("reason"))?,
    };
    map.finish();
    Some(words)
}

/// Writes the mail `name` for a reader of `language`. The context holds `zone`, `now`, `site` and what the mail tells.
pub(super) fn compose(
    templates: &Templates,
    name: &str,
    language: Language,
    context: &Json,
) -> Result<Written, Error> {
    let words = WORDS
        .get(&(name.to_owned(), language))
        .ok_or_else(|| Error::Unwritable(format!("there is no mail `{name}`")))?;
    let line = |text: &str| {
        templates.line(text, language, context).map_err(|error| Error::Unwritable(error.to_string()))
    };
    let subject = line(&words.subject)?.replace(['\r', '\n'], " ");
    let mut paragraphs = Vec::new();
    for paragraph in &words.paragraphs {
        paragraphs.extend(lines_of(&line(paragraph)?));
    }
    let mut details = Vec::new();
    for (label, value, url) in &words.details {
        let url = url.as_deref().map(line).transpose()?.filter(|url| !url.is_empty());
        if let Some(value) = lines_of(&line(value)?) {
            details.push(json!({ "label": line(label)?, "value": value, "url": url }));
        }
    }
    let optional =
        |text: &Option<String>| text.as_deref().map(line).transpose().map(|t| t.filter(|t| !t.is_empty()));
    let button = match &words.button {
        Some((label, url)) => Some(json!({ "label": line(label)?, "url": line(url)? })),
        None => None,
    };
    let parts = json!({
        "site": context.get("site"),
        "subject": subject.clone(),
        "preheader": line(&words.preheader)?,
        "heading": line(&words.heading)?,
        "paragraphs": paragraphs,
        "code": optional(&words.code)?,
        "details": details,
        "button": button,
        "after": optional(&words.after)?,
        "reason": line(&words.reason)?,
        "unsubscribe": context.get("unsubscribe"),
    });
    let render = |template: &str| {
        templates.render(template, language, &parts).map_err(|error| Error::Unwritable(error.to_string()))
    };
    Ok(Written { subject, text: render("mails/layout.txt")?, html: render("mails/layout.html")? })
}

/// The lines of a text; none if it is empty.
fn lines_of(text: &str) -> Option<Vec<String>> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(RustEmbed)]
    #[folder = "src/notify/mails/examples"]
    struct Examples;

    #[test]
    fn every_mail_can_be_written_in_both_languages() {
        let templates = Templates::embedded().expect("the templates are valid");
        assert!(WORDS.len() >= 20);
        for (name, language) in WORDS.keys() {
            let file =
                Examples::get(&format!("{name}.json")).unwrap_or_else(|| panic!("no example for {name}"));
            let examples: Json = serde_json::from_slice(&file.data).expect("JSON");
            let mut context = examples["en"].clone();
            if *language == Language::Es {
                merge(&mut context, &examples["es"]);
            }
            let written =
                compose(&templates, name, *language, &context).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(
                !written.subject.is_empty()
                    && written.html.contains("<html")
                    && !written.text.contains("<td")
            );
        }
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
}
