//! Texts with holes: every page and mail is a Handlebars template rendered here.
//!
//! A template is named by where it lives: `console/today`, `pages/form`, `mails/booking_confirmed.html`.
//! Files whose name begins with `_` are partials and layouts. A name that ends in `.txt` or `.subject` is
//! plain text and is not HTML-escaped; everything else is. Strict mode: a field that the context does not have
//! is an error, so contexts serialise their `None`s. What visitors typed is a value and never a template.
//!
//! Words live in `texts/{en,es}/*.yaml`; a template says `{{t "console.today.title"}}` and passes values by name.
//! The helpers are listed in [`helpers`].

mod dates;
mod files;
mod helpers;
mod mjml;
mod texts;

pub use dates::{Zone, duration};
pub use files::{Asset, asset};
pub use helpers::{in_words, number};
pub use texts::Texts;

use std::sync::{Arc, LazyLock};

use handlebars::{Context, Handlebars};
use serde::Serialize;
use serde_json::Value;

use crate::base::language::Language;
use crate::base::localized::Localized;

/// What can go wrong between a template and its text.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error("template `{name}` cannot be read: {reason}")]
    Template { name: String, reason: String },
    #[error("text file `{file}` cannot be read: {reason}")]
    Texts { file: String, reason: String },
    #[error("the context of `{name}` is not an object with named fields")]
    Context { name: String },
    #[error("`{name}` cannot be rendered: {reason}")]
    Render { name: String, reason: String },
}

/// What is built in, parsed once in a process: new words for the stages begin from a copy.
static BUILT_IN: LazyLock<Result<BuiltIn, Error>> = LazyLock::new(BuiltIn::parse);

#[derive(Clone)]
struct BuiltIn {
    html: Handlebars<'static>,
    plain: Handlebars<'static>,
    texts: Texts,
}

impl BuiltIn {
    fn parse() -> Result<BuiltIn, Error> {
        let mut html = Handlebars::new();
        let mut plain = Handlebars::new();
        plain.register_escape_fn(handlebars::no_escape);
        for registry in [&mut html, &mut plain] {
            registry.set_strict_mode(true);
            registry.set_prevent_indent(true);
        }
        for (name, source) in files::templates() {
            let registry = if is_plain(&name) { &mut plain } else { &mut html };
            let source = match source.starts_with("<mjml") {
                true => {
                    mjml::compile(&source).map_err(|reason| Error::Template { name: name.clone(), reason })?
                }
                false => source,
            };
            registry
                .register_template_string(&name, source)
                .map_err(|e| Error::Template { name, reason: e.to_string() })?;
        }
        Ok(BuiltIn { html, plain, texts: Texts::embedded()? })
    }
}

/// All templates, texts and helpers of the program.
pub struct Templates {
    html: Handlebars<'static>,
    plain: Handlebars<'static>,
    texts: Arc<Texts>,
}

impl Templates {
    /// Every embedded template and text file.
    ///
    /// # Errors
    /// [`Error::Template`] or [`Error::Texts`] names the first file that does not parse.
    pub fn embedded() -> Result<Templates, Error> {
        Self::calling(Vec::new())
    }

    /// The same, with words of the company's own in the place of some keys: what it calls its stages.
    ///
    /// # Errors
    /// As [`embedded`](Self::embedded).
    pub fn calling(words: Vec<(String, Localized)>) -> Result<Templates, Error> {
        let BuiltIn { mut html, mut plain, mut texts } = BUILT_IN.as_ref().map_err(Error::clone)?.clone();
        for (key, word) in words {
            texts.say(&key, &word);
        }
        let texts = Arc::new(texts);
        for registry in [&mut html, &mut plain] {
            helpers::register(registry, &texts);
        }
        Ok(Templates { html, plain, texts })
    }

    /// Renders one template in one language.
    ///
    /// The context gets the field `lang` (`en`, `es`). Dates use its field `zone` (an IANA name, else UTC) and
    /// `{{ago}}` its field `now` (milliseconds).
    ///
    /// # Errors
    /// [`Error::Render`] when a field or text is missing, [`Error::Context`] when the context is not an object.
    pub fn render(&self, name: &str, language: Language, context: &impl Serialize) -> Result<String, Error> {
        let mut data = serde_json::to_value(context)
            .map_err(|e| Error::Render { name: name.to_owned(), reason: e.to_string() })?;
        let Value::Object(fields) = &mut data else {
            return Err(Error::Context { name: name.to_owned() });
        };
        fields.insert("lang".to_owned(), Value::from(language.code()));
        let registry = if is_plain(name) { &self.plain } else { &self.html };
        registry
            .render_with_context(name, &Context::from(data))
            .map_err(|e| Error::Render { name: name.to_owned(), reason: e.to_string() })
    }

    /// Renders one line of plain text that stands in a file of its own, such as a mail's subject.
    ///
    /// # Errors
    /// As [`render`](Self::render).
    pub fn line(&self, text: &str, language: Language, context: &Value) -> Result<String, Error> {
        let mut data = context.clone();
        let Value::Object(fields) = &mut data else {
            return Err(Error::Context { name: text.to_owned() });
        };
        fields.insert("lang".to_owned(), Value::from(language.code()));
        self.plain
            .render_template_with_context(text, &Context::from(data))
            .map_err(|e| Error::Render { name: text.to_owned(), reason: e.to_string() })
    }

    /// Whether there is a template of this name.
    pub fn has(&self, name: &str) -> bool {
        self.html.has_template(name) || self.plain.has_template(name)
    }

    /// The words themselves, for what is not a template: a subject line, a notification's title.
    pub fn texts(&self) -> &Texts {
        &self.texts
    }
}

fn is_plain(name: &str) -> bool {
    name.ends_with(".txt") || name.ends_with(".subject")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    fn scratch(name: &str, source: &str) -> Templates {
        let mut templates = Templates::embedded().unwrap();
        let registry = if is_plain(name) { &mut templates.plain } else { &mut templates.html };
        registry.register_template_string(name, source).unwrap();
        templates
    }

    #[test]
    fn every_template_renders_with_its_example_in_both_languages() {
        let templates = Templates::embedded().unwrap();
        let out = std::env::var("EMBUDO_RENDER_TO").ok();
        let mut missing = Vec::new();
        for (name, _) in files::templates() {
            if files::is_partial(&name) {
                continue;
            }
            let examples = files::examples(&name);
            if examples.is_empty() {
                missing.push(name.clone());
            }
            for (label, example) in examples {
                for language in [Language::En, Language::Es] {
                    let page = templates
                        .render(&name, language, &example)
                        .unwrap_or_else(|e| panic!("{name} with example {label}: {e}"));
                    assert!(!page.trim().is_empty(), "{name} renders to nothing");
                    if let Some(folder) = &out {
                        let file = format!("{}.{label}.{}.html", name.replace('/', "-"), language.code());
                        std::fs::create_dir_all(folder).unwrap();
                        std::fs::write(std::path::Path::new(folder).join(file), page).unwrap();
                    }
                }
            }
        }
        assert!(missing.is_empty(), "templates without an example next to them: {missing:?}");
    }

    #[test]
    fn both_languages_have_the_same_texts_with_the_same_holes() {
        let texts = Texts::embedded().unwrap();
        assert_eq!(texts.differences(), Vec::<String>::new());
    }

    #[test]
    fn every_text_that_a_template_names_exists() {
        let texts = Texts::embedded().unwrap();
        let mut unknown = BTreeSet::new();
        for (name, source) in files::templates() {
            for part in source.split("(t \"").skip(1).chain(source.split("{{t \"").skip(1)) {
                let key = part.split('"').next().unwrap();
                if !texts.has(key) {
                    unknown.insert(format!("{name}: {key}"));
                }
            }
        }
        assert!(unknown.is_empty(), "{unknown:#?}");
    }

    #[test]
    fn what_a_visitor_typed_is_escaped_and_never_expanded_again() {
        let templates = scratch("scratch", "<p>{{name}}</p>{{t \"when.in_zone\" time=name zone=name}}");
        let nasty = "<script>{{name}}</script> {zone}";
        let page = templates.render("scratch", Language::En, &json!({ "name": nasty })).unwrap();
        assert!(page.contains("&lt;script&gt;{{name}}&lt;/script&gt; {zone}"), "{page}");
        assert!(!page.contains("<script>"), "{page}");
    }

    #[test]
    fn plain_text_is_not_escaped() {
        let templates = scratch("scratch.txt", "{{name}}");
        let text = templates.render("scratch.txt", Language::En, &json!({ "name": "Faro & Hijos" })).unwrap();
        assert_eq!(text, "Faro & Hijos");
    }

    #[test]
    fn a_field_that_is_not_there_is_an_error() {
        let templates = scratch("scratch", "{{nobody}}");
        let error = templates.render("scratch", Language::En, &json!({})).unwrap_err();
        assert!(matches!(error, Error::Render { .. }), "{error}");
    }

    #[test]
    fn dates_follow_the_language_and_the_zone() {
        let templates = scratch("scratch", "{{datetime at}} · {{ago before}} · {{number 12345}}");
        let context = json!({
            "at": 1_795_290_300_000_i64, "now": 1_795_290_300_000_i64, "before": 1_795_290_000_000_i64,
            "zone": "Europe/Madrid",
        });
        let english = templates.render("scratch", Language::En, &context).unwrap();
        assert_eq!(english, "21 November 2026, 20:45 · 5 min ago · 12,345");
        let spanish = templates.render("scratch", Language::Es, &context).unwrap();
        assert_eq!(spanish, "21 de noviembre de 2026, 20:45 · hace 5 min · 12.345");
    }
}
