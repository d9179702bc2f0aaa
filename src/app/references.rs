//! What files name of one another. It is read from the files as they are written, so that a mistake in one hides none in
//! another, and makes none there either.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::definitions::{Kind, Sources};
use crate::base::diagnostic::{Report, nearest};
use crate::base::yaml::{self, Doc, Kind as Node, Spanned, View};
use crate::chat::check::{Known, Lock};
use crate::chat::flows::TEAM;
use crate::stages::Names;

/// A name in one file that has to be declared in another (or further up in the same one).
struct Reference {
    from: Kind,
    /// The keys that lead to it; lists on the way are walked through.
    at: &'static [&'static str],
    to: Kind,
    declared: &'static [&'static str],
    code: &'static str,
    what: &'static str,
}

const FORMS: &[&str] = &["forms", "id"];
const ASSETS: &[&str] = &["assets", "id"];
const WEBINARS: &[&str] = &["webinars", "id"];
const RECORDINGS: &[&str] = &["webinars", "recording", "id"];
const MORE_RECORDINGS: &[&str] = &["webinars", "recordings", "id"];
const MEETINGS: &[&str] = &["meetings", "id"];
pub(super) const TOPICS: &[&str] = &["topics", "id"];
pub(super) const SEGMENTS: &[&str] = &["segments", "id"];
const STATES: &[&str] = &["tracks", "post_sale", "states", "id"];

const REFERENCES: [Reference; 7] = [
    Reference {
        from: Kind::Forms,
        at: &["forms", "delivers"],
        to: Kind::Content,
        declared: ASSETS,
        code: "C105",
        what: "asset",
    },
    Reference {
        from: Kind::Forms,
        at: &["forms", "registers"],
        to: Kind::Webinars,
        declared: WEBINARS,
        code: "W102",
        what: "webinar",
    },
    Reference {
        from: Kind::Webinars,
        at: &["webinars", "form"],
        to: Kind::Forms,
        declared: FORMS,
        code: "W103",
        what: "form",
    },
    Reference {
        from: Kind::Notify,
        at: &["invitations", "form"],
        to: Kind::Forms,
        declared: FORMS,
        code: "N101",
        what: "form",
    },
    Reference {
        from: Kind::Notify,
        at: &["invitations", "webinar"],
        to: Kind::Webinars,
        declared: WEBINARS,
        code: "N102",
        what: "webinar",
    },
    Reference {
        from: Kind::Notify,
        at: &["surveys", "form"],
        to: Kind::Forms,
        declared: FORMS,
        code: "N103",
        what: "form",
    },
    Reference {
        from: Kind::Notify,
        at: &["surveys", "state"],
        to: Kind::Lifecycle,
        declared: STATES,
        code: "N104",
        what: "state after the sale",
    },
];

/// Where files limit what they describe to some stages.
const STAGES_NAMED: [(Kind, &[&str]); 3] = [
    (Kind::Content, &["assets", "stages"]),
    (Kind::Webinars, &["webinars", "recording", "stages"]),
    (Kind::Webinars, &["webinars", "recordings", "stages"]),
];

/// What is declared in `content.yaml` or `webinars.yaml` and lies in the content folder.
const FILES: [(Kind, &[&str], &str); 7] = [
    (Kind::Content, &["assets", "file"], "C127"),
    (Kind::Webinars, &["webinars", "recording", "file"], "W105"),
    (Kind::Webinars, &["webinars", "recordings", "file"], "W105"),
    (Kind::Webinars, &["webinars", "recording", "captions"], "W105"),
    (Kind::Webinars, &["webinars", "recordings", "captions"], "W105"),
    (Kind::Webinars, &["webinars", "recording", "poster"], "W105"),
    (Kind::Webinars, &["webinars", "recordings", "poster"], "W105"),
];

/// Consents that ask for no letters.
const NO_LETTERS: [&str; 5] = ["privacy", "terms", "marketing", "profiling", "analytics"];

/// The files as trees, those that can be read at all.
pub(super) struct Docs(BTreeMap<Kind, Doc>);

impl Docs {
    pub(super) fn new(docs: impl Iterator<Item = (Kind, Doc)>) -> Self {
        Self(docs.collect())
    }

    pub(super) fn get(&self, kind: Kind) -> Option<&Doc> {
        self.0.get(&kind)
    }

    /// The names that a file declares. Nothing if the file cannot be read, or if one of its names cannot: it may be the
    /// one that is meant, and nothing is held against others.
    pub(super) fn declared(&self, kind: Kind, path: &[&str]) -> Option<BTreeSet<String>> {
        let doc = self.get(kind)?;
        let (last, way) = path.split_last()?;
        let Node::Map(entries) = &doc.root.kind else { return None };
        let (first, keys) = (path.first()?, || entries.iter().map(|(key, _)| key.value.as_str()));
        if !keys().any(|key| key == *first) && nearest(first, keys()).is_some() {
            return None;
        }
        let id = |node: &Node| match node {
            Node::Map(entries) => {
                let (_, node) = entries.iter().find(|(key, _)| key.value == *last)?;
                match &node.kind {
                    Node::Scalar(text) => Some(text.text.clone()).filter(|id| yaml::is_name(id)),
                    Node::List(_) | Node::Map(_) => None,
                }
            }
            Node::Scalar(_) | Node::List(_) => None,
        };
        let quiet = Report::new();
        let items = views_at(doc.view(&quiet), way).into_iter().flat_map(View::one_or_more);
        items.filter(|item| !item.is_null()).map(|item| id(&item.node.kind)).collect()
    }

    /// What flows may name.
    pub(super) fn known(&self, names: &Names, letters: BTreeSet<String>, lock: Option<Lock>) -> Known {
        let recordings = self.declared(Kind::Webinars, RECORDINGS);
        let more = self.declared(Kind::Webinars, MORE_RECORDINGS);
        Known {
            meetings: self.declared(Kind::Team, MEETINGS),
            teams: self.teams(),
            recordings: recordings.zip(more).map(|(one, more)| &one | &more),
            silent: self.get(Kind::Webinars).map(silent).unwrap_or_default(),
            hours: self.declared(Kind::Team, &["opening_hours", "id"]),
            // A list with ids, or a map by id.
            stages: names
                .words()
                .map(|words| words.into_iter().map(str::to_owned).collect())
                .or_else(|| keys_at(self.get(Kind::Lifecycle), "stages")),
            webinars: self.declared(Kind::Webinars, WEBINARS),
            letters: Some(letters),
            topics: self.declared(Kind::Topics, TOPICS),
            rules: self.get(Kind::Notify).map(|doc| named(doc, &["rules", "name"])),
            hooks: self.get(Kind::Notify).map(webhooks),
            lock,
        }
    }

    /// The teams that conversations can be handed to. A company that has written none down has one.
    fn teams(&self) -> Option<BTreeSet<String>> {
        let declared = self.declared(Kind::Team, &["teams", "id"])?;
        Some(if declared.is_empty() { [TEAM.to_owned()].into() } else { declared })
    }

    /// Tells every name that is declared nowhere, every file that is not there, and names that stand for two things.
    pub(super) fn check(&self, sources: &Sources, names: &Names, report: &Report) {
        for reference in &REFERENCES {
            let Some(doc) = self.get(reference.from) else { continue };
            let Some(known) = self.declared(reference.to, reference.declared) else { continue };
            for name in texts_at(doc, reference.at).into_iter().filter(|name| !known.contains(&name.value)) {
                let message = format!("there is no {} \"{}\"", reference.what, name.value);
                report
                    .error(&name.at, reference.code, message)
                    .did_you_mean(&name.value, known.iter().map(String::as_str));
            }
        }
        self.check_stages(sources, names, report);
        self.check_files(sources, report);
        self.check_consents(report);
        self.check_twins(report);
    }

    /// Stages that files and letters are meant for (C124).
    fn check_stages(&self, sources: &Sources, names: &Names, report: &Report) {
        let Some(known) = names.words() else { return };
        let quiet = Report::new();
        let letters = sources.mails.iter().filter_map(|(path, text)| yaml::parse(path, text, &quiet));
        let of_letters = letters.flat_map(|letter| texts_at(&letter, &["stages"]));
        let of_files = STAGES_NAMED.iter().filter_map(|(kind, path)| Some(texts_at(self.get(*kind)?, path)));
        for name in of_files.flatten().chain(of_letters) {
            if !known.contains(&name.value.as_str()) {
                let message = format!("there is no stage \"{}\"", name.value);
                report.error(&name.at, "C124", message).did_you_mean(&name.value, known.iter().copied());
            }
        }
    }

    /// Files that are not in the content folder (C127, W105): visitors would be the first to find out. Where the whole
    /// folder is missing the definitions are looked at apart from it.
    fn check_files(&self, sources: &Sources, report: &Report) {
        let Some(there) = &sources.content else { return };
        for (kind, path, code) in FILES {
            let Some(doc) = self.get(kind) else { continue };
            let quiet = Report::new();
            // One file, or one for each language.
            let files = views_at(doc.view(&quiet), path).into_iter().flat_map(|view| match &view.node.kind {
                Node::Map(_) => view.map().map(|map| map.entries()).unwrap_or_default(),
                Node::Scalar(_) | Node::List(_) => Vec::new(),
            });
            let files = files.filter_map(|(_, view)| text_at(view));
            let alone = texts_at(doc, path);
            for file in files.chain(alone).filter(|file| !there.contains(&file.value)) {
                report
                    .warning(
                        &file.at,
                        code,
                        format!("there is no file \"{}\" in the content folder", file.value),
                    )
                    .did_you_mean(&file.value, there.iter().map(String::as_str));
            }
        }
    }

    /// A consent is what subscribes somebody to a topic of the same name (C128).
    fn check_consents(&self, report: &Report) {
        let (Some(doc), Some(topics)) = (self.get(Kind::Forms), self.declared(Kind::Topics, TOPICS)) else {
            return;
        };
        let asked = texts_at(doc, &["forms", "consent", "id"]).into_iter();
        for consent in asked.chain(texts_at(doc, &["forms", "consents", "id"])) {
            let is_known = topics.contains(&consent.value) || NO_LETTERS.contains(&consent.value.as_str());
            if !is_known {
                let message =
                    format!("agreeing to \"{}\" asks for no letters: it is no topic", consent.value);
                let noted = report.warning(&consent.at, "C128", message);
                match nearest(&consent.value, topics.iter().map(String::as_str)) {
                    Some(near) => noted.hint(format!("did you mean \"{near}\"?")),
                    None => noted.hint("topics.yaml declares the letters; a consent has the id of its topic"),
                }
            }
        }
    }

    /// A file and a recording of one name: whoever reads the reports cannot tell them apart (W106).
    fn check_twins(&self, report: &Report) {
        let Some(doc) = self.get(Kind::Webinars) else { return };
        let assets = self.declared(Kind::Content, ASSETS).unwrap_or_default();
        let recordings = texts_at(doc, RECORDINGS).into_iter().chain(texts_at(doc, MORE_RECORDINGS));
        for recording in recordings.filter(|recording| assets.contains(&recording.value)) {
            let message = format!("a file of content.yaml is called \"{}\", too", recording.value);
            report.warning(&recording.at, "W106", message).hint("give the recording another id");
        }
    }
}

/// The names of letters: those of their files.
pub(super) fn letters(files: &[(String, String)]) -> BTreeSet<String> {
    let stem = |path: &str| Some(Path::new(path).file_stem()?.to_str()?.to_owned());
    files.iter().filter_map(|(path, _)| stem(path)).filter(|name| yaml::is_name(name)).collect()
}

/// The names that stand under a path; what has none is left out.
fn named(doc: &Doc, path: &[&str]) -> BTreeSet<String> {
    texts_at(doc, path).into_iter().map(|name| name.value).collect()
}

/// The programs among those that are written to.
fn webhooks(doc: &Doc) -> BTreeSet<String> {
    let quiet = Report::new();
    let hooks = views_at(doc.view(&quiet), &["hooks"]).into_iter().flat_map(View::one_or_more);
    let program = |view: View<'_>| {
        let mut map = view.map()?;
        let is_one = map.optional("kind").and_then(View::str).as_deref() == Some("webhook");
        map.optional("name").and_then(View::str).filter(|_| is_one)
    };
    hooks.filter(|view| !view.is_null()).filter_map(program).collect()
}

/// The recordings that have no subtitles.
fn silent(doc: &Doc) -> BTreeSet<String> {
    let quiet = Report::new();
    let webinars = doc.view(&quiet).map().and_then(|mut map| map.optional("webinars"));
    let mut found = BTreeSet::new();
    for webinar in webinars.map(View::one_or_more).unwrap_or_default() {
        let Some(mut webinar) = webinar.map() else { continue };
        let one = webinar.optional("recording").into_iter();
        let more = webinar.optional("recordings").map(View::one_or_more).unwrap_or_default();
        for recording in one.chain(more) {
            let Some(mut recording) = recording.map() else { continue };
            if recording.optional("captions").is_none() {
                found.extend(recording.optional("id").and_then(View::str));
            }
        }
    }
    found
}

/// The keys of the map under a key at the top.
fn keys_at(doc: Option<&Doc>, key: &str) -> Option<BTreeSet<String>> {
    let quiet = Report::new();
    let Node::Map(entries) = &doc?.root.kind else { return None };
    let (_, node) = entries.iter().find(|(name, _)| name.value == key)?;
    let map = View { node, report: &quiet }.map()?;
    Some(map.entries().into_iter().map(|(name, _)| name.value.clone()).collect())
}

/// Whatever a path of keys leads to, through all items of the lists on the way.
fn views_at<'a>(root: View<'a>, path: &[&str]) -> Vec<View<'a>> {
    let mut views = vec![root];
    for key in path {
        views = views
            .into_iter()
            .flat_map(View::one_or_more)
            .filter_map(|view| match &view.node.kind {
                Node::Map(entries) => entries.iter().find(|(name, _)| name.value == *key),
                Node::Scalar(_) | Node::List(_) => None,
            })
            .map(|(_, node)| View { node, report: root.report })
            .collect();
    }
    views
}

fn text_at(view: View<'_>) -> Option<Spanned<String>> {
    let text = view.text()?;
    Some(Spanned { value: text.text.clone(), at: view.at().clone() })
}

/// Every text that a path of keys leads to, those in lists included.
fn texts_at(doc: &Doc, path: &[&str]) -> Vec<Spanned<String>> {
    let quiet = Report::new();
    let views = views_at(doc.view(&quiet), path).into_iter().flat_map(View::one_or_more);
    views.filter_map(text_at).collect()
}
