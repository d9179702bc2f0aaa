//! From a mail's words and a context to its subject, text and HTML.

use serde_json::{Value as Json, json};

use super::Error;
use super::words::Wording;
use crate::base::language::Language;
use crate::render::Templates;

/// A mail that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// From a link's number and address to the address that notes who followed it.
pub(super) type Track<'a> = dyn Fn(usize, &str) -> String + Sync + 'a;

/// What letters carry and answers do not.
#[derive(Default)]
pub(super) struct Dress<'a> {
    /// The way out is about one topic.
    pub is_of_topic: bool,
    /// The page on which the reader chooses what she gets.
    pub preferences: Option<String>,
    /// Who sends it, and from where.
    pub postal: Option<&'a str>,
    /// A link that no person sees.
    pub trap: Option<String>,
    /// Makes the address of a link one that notes who followed it; links are counted from 1.
    pub track: Option<&'a Track<'a>>,
}

/// Writes the mail `name` for a reader of `language`. The context holds `zone`, `now`, `site` and what the mail tells.
pub(super) fn compose(
    templates: &Templates,
    wording: &Wording,
    name: &str,
    language: Language,
    context: &Json,
    dress: &Dress<'_>,
) -> Result<Written, Error> {
    let words =
        wording.get(name, language).ok_or_else(|| Error::Unwritable(format!("there is no mail `{name}`")))?;
    let line = |text: &str| {
        templates.line(text, language, context).map_err(|error| Error::Unwritable(error.to_string()))
    };
    let mut links = 0;
    let mut href = |url: &str| {
        links += 1;
        dress.track.map_or_else(|| url.to_owned(), |track| track(links, url))
    };
    let subject = line(&words.subject)?.replace(['\r', '\n'], " ");
    let mut paragraphs = Vec::new();
    for paragraph in &words.paragraphs {
        paragraphs.extend(lines_of(&line(paragraph)?));
    }
    let button = match &words.button {
        Some((label, url)) => {
            let (label, url) = (line(label)?, line(url)?);
            (!url.trim().is_empty()).then(|| json!({ "label": label, "url": url, "href": href(&url) }))
        }
        None => None,
    };
    let mut details = Vec::new();
    for (label, value, url) in &words.details {
        let url = url.as_deref().map(line).transpose()?.filter(|url| !url.is_empty());
        if let Some(value) = lines_of(&line(value)?) {
            let href = url.as_deref().map(&mut href);
            details.push(json!({ "label": line(label)?, "value": value, "url": url, "href": href }));
        }
    }
    let optional =
        |text: &Option<String>| text.as_deref().map(line).transpose().map(|t| t.filter(|t| !t.is_empty()));
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
        "unsubscribe_words": if dress.is_of_topic { "mails.unsubscribe_topic" } else { "mails.unsubscribe" },
        "preferences": dress.preferences,
        "postal": dress.postal,
        "trap": dress.trap,
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

    fn written(name: &str, language: Language, context: &Json) -> Written {
        let templates = Templates::embedded().expect("the templates are valid");
        compose(&templates, &Wording::built_in(), name, language, context, &Dress::default())
            .unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    #[test]
    fn every_mail_can_be_written_in_both_languages() {
        let wording = Wording::built_in();
        assert!(wording.names().count() >= 10);
        for (name, _) in wording.names() {
            for language in Language::ALL {
                let context =
                    wording.example(name, language).unwrap_or_else(|| panic!("no example for {name}"));
                let written = written(name, language, &context);
                assert!(
                    !written.subject.is_empty()
                        && written.html.contains("<html")
                        && !written.text.contains("<td")
                        && !written.html.contains("{{"),
                    "{name}"
                );
            }
        }
    }

    /// The HTML of one mail as it was looked at and found right. `EMBUDO_WRITE_SNAPSHOTS=1` writes it anew.
    #[test]
    fn the_html_is_the_one_that_was_looked_at() {
        let wording = Wording::built_in();
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/notify/mails/snapshots");
        for name in [
            "booking_confirmed",
            "booking_earlier",
            "booking_opening",
            "confirm_code",
            "confirm_subscription",
            "rep_unreached",
            "traffic_week",
            "webinar_invitation",
        ] {
            let context = wording.example(name, Language::Es).expect("an example");
            let html = written(name, Language::Es, &context).html;
            let file = folder.join(format!("{name}.es.html"));
            if std::env::var_os("EMBUDO_WRITE_SNAPSHOTS").is_some() {
                std::fs::create_dir_all(&folder).expect("made");
                std::fs::write(&file, &html).expect("written");
            }
            let kept = std::fs::read_to_string(&file).unwrap_or_default();
            assert_eq!(html, kept, "{name} has changed: look at it, then set EMBUDO_WRITE_SNAPSHOTS=1");
        }
    }

    #[test]
    fn what_a_visitor_typed_is_neither_markup_nor_a_template_in_any_part() {
        let wording = Wording::built_in();
        let mut context = wording.example("asset_link", Language::En).expect("an example");
        context["first_name"] = json!("{{site.name}}<mj-raw><script>alert(1)</script>");
        let written = written("asset_link", Language::En, &context);
        assert!(written.html.contains("{{site.name}}&lt;mj-raw&gt;&lt;script&gt;"), "{}", written.html);
        assert!(!written.html.contains("<script"));
        assert!(written.text.contains("{{site.name}}<mj-raw>"));
    }
}
