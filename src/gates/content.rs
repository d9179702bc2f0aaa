//! Gated files as `content.yaml` says them, and what they and the site's pages are about.

use std::sync::Arc;

use super::form::name;
use crate::base::localized::Localized;
use crate::base::time::DAY_MS;
use crate::base::yaml::{Map, View};
use crate::scoring::tags::{self, Tag, Tags};

/// One gated file, in every language.
#[derive(Debug, Clone)]
pub struct Asset {
    /// Its name in the definitions; never part of an address.
    pub id: String,
    /// `white_paper`, `ebook`, `checklist` …
    pub kind: String,
    /// Its title.
    pub title: Localized,
    /// What is in it.
    pub description: Option<Localized>,
    /// The file's name in the content folder.
    pub file: Localized,
    /// How it reaches people.
    pub deliver: Deliver,
    /// How long a link to it is good.
    pub valid_ms: i64,
    /// What it is about.
    pub tag: Arc<Tag>,
    /// The stages that it is meant for; empty means all.
    pub stages: Vec<String>,
}

impl Asset {
    /// Whether it is meant for somebody in a stage.
    pub fn suits(&self, stage: &str) -> bool {
        self.stages.is_empty() || self.stages.iter().any(|known| known == stage)
    }
}

/// Something that asks a visitor to go on: a button, a banner, a link to a form.
#[derive(Debug, Clone, PartialEq)]
pub struct Cta {
    /// Its name.
    pub id: String,
    /// What people call it.
    pub label: Localized,
    /// Patterns of the paths on which it stands.
    pub pages: Vec<String>,
}

/// How a file reaches people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deliver {
    /// Opened right away.
    Inline,
    /// Only by mail, which proves the address.
    Email,
    /// Both.
    Both,
}

impl Deliver {
    /// Whether a mail with the link is sent.
    pub fn is_by_email(self) -> bool {
        match self {
            Self::Email | Self::Both => true,
            Self::Inline => false,
        }
    }

    /// The word for it in YAML.
    pub fn word(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Email => "email",
            Self::Both => "both",
        }
    }

    /// Whether the answer to the form holds the link.
    pub fn is_inline(self) -> bool {
        match self {
            Self::Inline | Self::Both => true,
            Self::Email => false,
        }
    }
}

/// Reads `content.yaml`: the files, and the tags of files, pages and events.
pub(super) fn read(map: &mut Map<'_>) -> (Vec<Asset>, Tags, Vec<Cta>) {
    let mut tags = Tags::default();
    tags.kinds = map.optional("kinds").map(tags::words).unwrap_or_default();
    tags.topics = map.optional("topics").map(tags::words).unwrap_or_default();
    let mut assets: Vec<Asset> = Vec::new();
    for view in map.required("assets").and_then(View::list).unwrap_or_default() {
        let Some(asset) = read_asset(view, &tags) else { continue };
        if !asset.id.is_empty() && assets.iter().any(|known| known.id == asset.id) {
            view.error("C103", format!("the asset \"{}\" stands twice", asset.id)).done();
        }
        tags.tag_subject("asset", &asset.id, asset.tag.clone());
        assets.push(asset);
    }
    for view in map.optional("pages").and_then(View::list).unwrap_or_default() {
        tags::read_entry(view, &mut tags);
    }
    let mut ctas: Vec<Cta> = Vec::new();
    for view in map.optional("ctas").and_then(View::list).unwrap_or_default() {
        let Some(cta) = read_cta(view) else { continue };
        if ctas.iter().any(|known| known.id == cta.id) {
            view.error("C125", format!("the call to action \"{}\" stands twice", cta.id)).done();
        }
        ctas.push(cta);
    }
    (assets, tags, ctas)
}

fn read_cta(view: View<'_>) -> Option<Cta> {
    let mut map = view.map()?;
    let id = map.required("id").and_then(name);
    let label = map.required("label").and_then(Localized::read);
    let pages = map.optional("pages").map(View::one_or_more).unwrap_or_default();
    let pages = pages.into_iter().filter_map(|view| {
        let text = view.str()?;
        if tags::Pattern::of(&text).is_none() {
            return view.wrong("a path such as /pricing*");
        }
        Some(text)
    });
    let pages = pages.collect();
    map.finish();
    Some(Cta { id: id?, label: label?, pages })
}

fn read_asset(view: View<'_>, tags: &Tags) -> Option<Asset> {
    let mut map = view.map()?;
    let id = map.required("id").and_then(name);
    let kind = map.required("kind").and_then(|view| tags::known(view, &tags.kinds, "kind"));
    let tag = Arc::new(tags::read(&mut map, kind.clone(), &tags.topics));
    let stages = map.optional("stages").map(View::strings).unwrap_or_default();
    let title = map.required("title").and_then(Localized::read);
    let description = map.optional("description").and_then(Localized::read);
    let file = map.required("file").and_then(file_names);
    let deliver =
        map.optional("deliver").map_or(Some("both"), |view| view.one_of(&["inline", "email", "both"]));
    let valid_days = map.optional("valid_days").and_then(|view| {
        view.parsed("1 to 365 days", |text| text.parse().ok().filter(|days| (1..=365).contains(days)))
    });
    map.finish();
    // What was meant by a word that is none is not held against the rest.
    let deliver = match deliver {
        Some("inline") => Deliver::Inline,
        Some("both") => Deliver::Both,
        Some(_) | None => Deliver::Email,
    };
    if !stages.is_empty() && deliver.is_inline() {
        view.error("C123", "a file that is not meant for everybody cannot be opened on the spot")
            .hint("`deliver: email`: a mail proves who asks for it, an address that was typed does not");
    }
    Some(Asset {
        id: id.unwrap_or_default(),
        kind: kind.unwrap_or_default(),
        title: title.unwrap_or_default(),
        description,
        file: file.unwrap_or_default(),
        deliver,
        valid_ms: valid_days.unwrap_or(7_i64) * DAY_MS,
        tag,
        stages,
    })
}

/// Names of files inside a folder: no path leads out of it.
pub fn file_names(view: View<'_>) -> Option<Localized> {
    let names = Localized::read(view)?;
    for name in [&names.en, &names.es] {
        if !is_file_name(name) {
            view.error("C104", format!("\"{name}\" is not the name of a file in the content folder"))
                .hint("a name without slashes that does not begin with a dot");
            return None;
        }
    }
    Some(names)
}

/// Whether a text names a file and cannot lead out of its folder.
pub fn is_file_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.len() <= 200
        && name.chars().all(|c| c.is_alphanumeric() || "._- ".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_folder() {
        for name in ["../secret", "a/b.pdf", "a\\b.pdf", ".env", "", "/etc/passwd", "a\0.pdf"] {
            assert!(!is_file_name(name), "{name}");
        }
        assert!(is_file_name("reading-guide.en.pdf"));
    }

    fn found(text: &str) -> Vec<String> {
        use crate::base::diagnostic::Report;
        use crate::gates::Catalog;
        let report = Report::new();
        Catalog::parse(("f.yaml", "forms: []"), ("c.yaml", text), &report);
        report.diagnostics().into_iter().map(|d| format!("{}:{} {}", d.line, d.col, d.code)).collect()
    }

    #[test]
    fn every_mistake_in_what_content_is_about_has_its_place() {
        let text = "\
topics: {clubs: {en: Clubs, es: Clubes}}
kinds: {study: {en: Studies, es: Estudios}}
assets:
  - {id: a, kind: studdy, title: x, file: a.pdf}
  - {id: b, kind: study, title: x, file: a.pdf, topics: [club], level: late}
  - {id: c, kind: study, title: x, file: a.pdf, stages: [customer]}
pages:
  - {path: pricing, level: late}
  - {level: early}
  - {path: /x, level: soon}
ctas:
  - {id: hero, label: x, pages: nowhere}
  - {id: hero, label: x}
";
        let found = found(text);
        let codes: Vec<&str> = found.iter().filter_map(|one| one.split(' ').nth(1)).collect();
        assert_eq!(codes, ["C120", "C120", "C123", "C122", "C121", "Y004", "Y004", "C125"], "{found:?}");
        assert_eq!(found.first().map(String::as_str), Some("4:19 C120"));
    }
}
