//! The files that a company writes, read together: each for itself, then whatever one names in another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crate::base::diagnostic::{Mark, Report};
use crate::base::yaml::{self, Doc, Kind as Node, Spanned, View};
use crate::bookings::team::Team;
use crate::chat::live::replies::Replies;
use crate::chat::{
    Flows,
    check::{Known, Lock},
    flows::TEAM,
};
use crate::config::Config;
use crate::gates::Catalog;
use crate::notify::{Rules, Wording};
use crate::nurture::{self, Sequences};
use crate::render::Templates;
use crate::subscriptions::Topics;
use crate::{offers, segments, stages, webinars};

/// What a file is about. Flows are apart: there are many of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Lifecycle,
    Segments,
    Offers,
    Forms,
    Content,
    Webinars,
    Team,
    Notify,
    Topics,
    Replies,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Lifecycle,
        Self::Segments,
        Self::Offers,
        Self::Forms,
        Self::Content,
        Self::Webinars,
        Self::Team,
        Self::Notify,
        Self::Topics,
        Self::Replies,
    ];

    fn path(self, config: &Config) -> &Path {
        let files = &config.definitions;
        match self {
            Self::Lifecycle => &files.lifecycle,
            Self::Segments => &files.segments,
            Self::Offers => &files.offers,
            Self::Forms => &files.forms,
            Self::Content => &files.content,
            Self::Webinars => &files.webinars,
            Self::Team => &files.team,
            Self::Notify => &files.notify,
            Self::Topics => &files.topics,
            Self::Replies => &files.replies,
        }
    }

    /// What stands for a file that is not there.
    fn missing(self) -> &'static str {
        match self {
            Self::Lifecycle => include_str!("../../config/lifecycle.yaml"),
            Self::Segments => "segments: []",
            Self::Offers => "offers: []",
            Self::Forms => "forms: []",
            Self::Content => "assets: []",
            Self::Webinars => "webinars: []",
            Self::Team => "reps: []\nmeetings: []",
            Self::Notify => "hooks: []",
            Self::Topics => "topics: []",
            Self::Replies => "replies: []",
        }
    }
}

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
const TOPICS: &[&str] = &["topics", "id"];
const STAGES: &[&str] = &["stages", "id"];
const ALIASES: &[&str] = &["stages", "aliases"];
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

/// The texts of the files, before anything is known to be right.
#[derive(Default)]
pub struct Sources {
    files: BTreeMap<Kind, (String, String)>,
    /// Flows as path and text.
    pub flows: Vec<(String, String)>,
    /// The company's letters as path and text.
    pub mails: Vec<(String, String)>,
    /// Sequences of letters as path and text.
    pub nurture: Vec<(String, String)>,
    /// What the texts of flows were when somebody last looked at their translations.
    pub lock: Option<Lock>,
    /// How many of the files are really there, and not what stands for a missing one.
    pub found: usize,
}

impl Sources {
    /// The files that the settings name.
    pub fn of(config: &Config, report: &Report) -> Self {
        let mut sources = Self::default();
        for kind in Kind::ALL {
            let path = config.path_of(kind.path(config));
            let name = path.display().to_string();
            match std::fs::read_to_string(&path) {
                Ok(text) => {
                    sources.found += 1;
                    sources.put(kind, name, text);
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    sources.put(kind, name, kind.missing().to_owned());
                }
                Err(error) => {
                    report
                        .error(&Mark::file(name), "Y001", format!("the file cannot be read: {error}"))
                        .done();
                }
            }
        }
        let folder = config.path_of(&config.definitions.flows);
        sources.lock = locked(&folder.join(LOCK), report);
        sources.flows = Flows::files(&folder, report);
        sources.mails = Flows::files(&config.path_of(&config.definitions.mails), report);
        sources.nurture = Flows::files(&config.path_of(&config.definitions.nurture), report);
        sources.found += sources.flows.len() + sources.mails.len() + sources.nurture.len();
        sources
    }

    /// Lets a file stand in the place of the one of its kind.
    pub fn put(&mut self, kind: Kind, path: String, text: String) {
        self.files.insert(kind, (path, text));
    }
}

/// What was read; none of a kind that has an error in its own file.
pub struct Definitions {
    pub lifecycle: Option<stages::Definition>,
    pub segments: Option<segments::Definition>,
    pub offers: Option<offers::Definition>,
    pub catalog: Option<Catalog>,
    pub webinars: Option<webinars::Definition>,
    pub team: Option<Team>,
    pub rules: Option<Rules>,
    pub flows: Option<Flows>,
    pub topics: Option<Topics>,
    pub replies: Option<Replies>,
    pub wording: Option<Wording>,
    pub sequences: Option<Sequences>,
}

impl Definitions {
    /// Reads the files and checks what they name of one another. A mistake in one makes no finding in another.
    pub fn read(sources: &Sources, report: &Report) -> Self {
        let quiet = Report::new();
        let docs: BTreeMap<Kind, Doc> = sources
            .files
            .iter()
            .filter_map(|(kind, (path, text))| Some((*kind, yaml::parse(path, text, &quiet)?)))
            .collect();
        let declared = |kind: Kind, path: &[&str]| {
            let names = texts_at(docs.get(&kind)?, path);
            Some(names.into_iter().map(|name| name.value).collect::<BTreeSet<_>>())
        };
        let known = Known {
            meetings: declared(Kind::Team, MEETINGS),
            teams: Some([TEAM.to_owned()].into()),
            recordings: declared(Kind::Webinars, RECORDINGS).map(|mut names| {
                names.extend(declared(Kind::Webinars, MORE_RECORDINGS).unwrap_or_default());
                names
            }),
            silent: docs.get(&Kind::Webinars).map(silent).unwrap_or_default(),
            hours: declared(Kind::Team, &["opening_hours", "id"]),
            // A list with ids, or a map by id.
            stages: declared(Kind::Lifecycle, STAGES)
                .filter(|stages| !stages.is_empty())
                .map(|stages| &stages | &declared(Kind::Lifecycle, ALIASES).unwrap_or_default())
                .or_else(|| keys_at(docs.get(&Kind::Lifecycle), "stages")),
            webinars: declared(Kind::Webinars, WEBINARS),
            lock: sources.lock.clone(),
        };
        let file = |kind: Kind| sources.files.get(&kind).map(|(path, text)| (path.as_str(), text.as_str()));
        let one = |kind: Kind| file(kind).unwrap_or(("", kind.missing()));
        let lifecycle = file(Kind::Lifecycle)
            .and_then(|(path, text)| apart(report, |report| stages::Definition::parse(path, text, report)));
        let (path, text) = one(Kind::Segments);
        let segments =
            apart(report, |report| segments::Definition::parse(path, text, lifecycle.as_ref(), report));
        let (path, text) = one(Kind::Offers);
        let offers = apart(report, |report| {
            offers::Definition::parse(path, text, lifecycle.as_ref(), segments.as_ref(), report)
        });
        let topics = file(Kind::Topics)
            .and_then(|(path, text)| apart(report, |report| Topics::parse(path, text, report)));
        let templates = Templates::embedded();
        let wording = match &templates {
            Ok(templates) => Wording::read(&sources.mails, templates, report),
            Err(_) => None,
        };
        let of_sequences = nurture::Known {
            topics: declared(Kind::Topics, TOPICS),
            stages: known.stages.clone(),
            segments: segments
                .as_ref()
                .map(|segments| segments.segments.iter().map(|one| one.id.clone()).collect()),
            states: declared(Kind::Lifecycle, STATES),
            mails: wording.as_ref().map(Wording::letters),
        };
        let mut catalog =
            apart(report, |report| Catalog::parse(one(Kind::Forms), one(Kind::Content), report));
        if let (Some(catalog), Some(topics)) = (&mut catalog, &topics) {
            catalog.know_topics(topics);
        }
        let mut read = Self {
            lifecycle,
            segments,
            offers,
            sequences: Sequences::read(&sources.nurture, &of_sequences, report),
            topics,
            wording,
            catalog,
            webinars: file(Kind::Webinars).and_then(|(path, text)| {
                apart(report, |report| webinars::Definition::parse(path, text, report))
            }),
            team: file(Kind::Team)
                .and_then(|(path, text)| apart(report, |report| Team::parse(path, text, report))),
            rules: file(Kind::Notify)
                .and_then(|(path, text)| apart(report, |report| Rules::parse(path, text, report))),
            flows: Flows::read(&sources.flows, &known, report),
            replies: file(Kind::Replies)
                .and_then(|(path, text)| apart(report, |report| Replies::parse(path, text, report))),
        };
        read.know_each_other(&docs, report);
        if let Some(team) = &read.team {
            read.lifecycle = read.lifecycle.map(|lifecycle| lifecycle.with_hours(team.working_hours()));
        }
        for reference in &REFERENCES {
            let Some(doc) = docs.get(&reference.from) else { continue };
            // Of a file that cannot be read at all nothing is known, and nothing is held against others.
            let Some(names) = declared(reference.to, reference.declared) else { continue };
            for name in texts_at(doc, reference.at).into_iter().filter(|name| !names.contains(&name.value)) {
                let message = format!("there is no {} \"{}\"", reference.what, name.value);
                report
                    .error(&name.at, reference.code, message)
                    .did_you_mean(&name.value, names.iter().map(String::as_str));
            }
        }
        read
    }

    /// Tells the lifecycle what content is about, and content which stages there are.
    fn know_each_other(&mut self, docs: &BTreeMap<Kind, Doc>, report: &Report) {
        let Some(lifecycle) = &mut self.lifecycle else { return };
        for (kind, path) in STAGES_NAMED {
            let named = docs.get(&kind).map(|doc| texts_at(doc, path)).unwrap_or_default();
            for name in named.into_iter().filter(|name| lifecycle.stage(&name.value).is_none()) {
                let known = lifecycle.stages.iter().map(|stage| stage.id.as_str());
                let message = format!("there is no stage \"{}\"", name.value);
                report.error(&name.at, "C124", message).did_you_mean(&name.value, known);
            }
        }
        let mut tags = self.catalog.as_ref().map(|catalog| catalog.tags.clone()).unwrap_or_default();
        if let Some(webinars) = &mut self.webinars {
            webinars.know_stages(lifecycle);
            webinars.add_tags(&mut tags);
        }
        if let Some(catalog) = &mut self.catalog {
            catalog.know_stages(lifecycle);
        }
        if let Some(wording) = &mut self.wording {
            wording.know_stages(lifecycle, report);
        }
        lifecycle.scoring.tags = Arc::new(tags);
        if let Some(segments) = &mut self.segments {
            segments.know(lifecycle);
        }
        if let Some(sequences) = &mut self.sequences {
            sequences.know(lifecycle);
        }
    }
}

/// The file beside the flows that keeps what their texts were when somebody last looked at the translations.
pub const LOCK: &str = "translations.lock";

fn locked(path: &Path, report: &Report) -> Option<Lock> {
    let text = std::fs::read_to_string(path).ok()?;
    let lock = serde_json::from_str(&text);
    if let Err(error) = &lock {
        report
            .warning(&Mark::file(path.display().to_string()), "T402", format!("this is no lock: {error}"))
            .hint("`embudo check --lock` writes it anew");
    }
    lock.ok()
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

/// Reads with a report of its own, so that an earlier file's mistake does not count as this one's.
fn apart<T>(report: &Report, read: impl FnOnce(&Report) -> T) -> T {
    let own = Report::new();
    let outcome = read(&own);
    report.absorb(own);
    outcome
}

/// The keys of the map under a key at the top.
fn keys_at(doc: Option<&Doc>, key: &str) -> Option<BTreeSet<String>> {
    let quiet = Report::new();
    let Node::Map(entries) = &doc?.root.kind else { return None };
    let (_, node) = entries.iter().find(|(name, _)| name.value == key)?;
    let map = View { node, report: &quiet }.map()?;
    Some(map.entries().into_iter().map(|(name, _)| name.value.clone()).collect())
}

/// Every text that a path of keys leads to, through all items of the lists on the way.
fn texts_at(doc: &Doc, path: &[&str]) -> Vec<Spanned<String>> {
    let quiet = Report::new();
    let mut views = vec![doc.view(&quiet)];
    for key in path {
        views = views
            .into_iter()
            .flat_map(View::one_or_more)
            .filter_map(|view| match &view.node.kind {
                Node::Map(entries) => entries.iter().find(|(name, _)| name.value == *key),
                Node::Scalar(_) | Node::List(_) => None,
            })
            .map(|(_, node)| View { node, report: &quiet })
            .collect();
    }
    views.into_iter().filter_map(|view| view.text().is_some().then(|| view.spanned())?).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> Sources {
        let mut sources = Sources::default();
        for (kind, path, text) in [
            (Kind::Lifecycle, "lifecycle.yaml", include_str!("../../config/lifecycle.yaml")),
            (Kind::Segments, "segments.yaml", include_str!("../../config/segments.yaml")),
            (Kind::Offers, "offers.yaml", include_str!("../../config/offers.yaml")),
            (Kind::Forms, "forms.yaml", include_str!("../../config/forms.yaml")),
            (Kind::Content, "content.yaml", include_str!("../../config/content.yaml")),
            (Kind::Webinars, "webinars.yaml", include_str!("../../config/webinars.yaml")),
            (Kind::Team, "team.yaml", include_str!("../../config/team.yaml")),
            (Kind::Notify, "notify.yaml", include_str!("../../config/notify.yaml")),
            (Kind::Topics, "topics.yaml", include_str!("../../config/topics.yaml")),
            (Kind::Replies, "replies.yaml", include_str!("../../config/replies.yaml")),
        ] {
            sources.put(kind, path.to_owned(), text.to_owned());
        }
        for (path, text) in [
            ("welcome.yaml", include_str!("../../bot-flows/welcome.yaml")),
            ("webinar-recording.yaml", include_str!("../../bot-flows/webinar-recording.yaml")),
        ] {
            sources.flows.push((path.to_owned(), text.to_owned()));
        }
        for (path, text) in [
            ("mails/faro-lead-idea.yaml", include_str!("../../config/mails/faro-lead-idea.yaml")),
            ("mails/faro-lead-call.yaml", include_str!("../../config/mails/faro-lead-call.yaml")),
        ] {
            sources.mails.push((path.to_owned(), text.to_owned()));
        }
        let nurture = include_str!("../../config/nurture/faro-leads.yaml");
        sources.nurture.push(("nurture/faro-leads.yaml".to_owned(), nurture.to_owned()));
        sources
    }

    /// The findings after a change of one file, as `path CODE`.
    fn after(kind: Kind, from: &str, to: &str) -> Vec<String> {
        let mut sources = shipped();
        let (path, text) = sources.files.get(&kind).cloned().expect("shipped");
        assert!(text.contains(from), "{from} stands in {path}");
        sources.put(kind, path, text.replacen(from, to, 1));
        let report = Report::new();
        Definitions::read(&sources, &report);
        report.diagnostics().into_iter().map(|d| format!("{} {}", d.path, d.code)).collect()
    }

    #[test]
    fn everything_that_is_shipped_is_sound_together() {
        let report = Report::new();
        let read = Definitions::read(&shipped(), &report);
        assert!(report.is_clean(), "{}", report.text());
        assert!(
            read.lifecycle.is_some()
                && read.segments.is_some()
                && read.offers.is_some()
                && read.catalog.is_some()
                && read.webinars.is_some()
        );
        assert!(read.team.is_some() && read.rules.is_some() && read.flows.is_some());
        assert!(read.topics.is_some() && read.wording.is_some() && read.sequences.is_some());
        let letter = read
            .catalog
            .iter()
            .flat_map(|catalog| &catalog.forms)
            .find_map(|form| form.consents.iter().find(|consent| consent.topic.is_some()));
        assert!(letter.is_some(), "a consent asks for the letters");
    }

    #[test]
    fn a_mistake_in_one_file_makes_no_finding_in_another() {
        assert_eq!(after(Kind::Team, "duration:", "duratoin:"), ["team.yaml Y005", "team.yaml Y003"]);
        assert_eq!(after(Kind::Team, "Europe/Madrid", "Europe/Madird"), ["team.yaml B102"]);
        assert_eq!(after(Kind::Forms, "button:", "buton:"), ["forms.yaml Y005", "forms.yaml Y003"]);
        assert_eq!(after(Kind::Webinars, "duration_s:", "duratoin_s:").len(), 2);
        // A file that is no YAML at all says nothing about what it declares.
        assert_eq!(after(Kind::Team, "reps:", "reps: ["), ["team.yaml Y001"]);
    }

    #[test]
    fn a_name_that_is_nowhere_declared_is_found_where_it_stands() {
        assert_eq!(after(Kind::Forms, "registers: ", "registers: x"), ["forms.yaml W102"]);
        assert_eq!(after(Kind::Forms, "delivers: ", "delivers: x"), ["forms.yaml C105"]);
        assert_eq!(after(Kind::Webinars, "form: ", "form: x"), ["webinars.yaml W103"]);
        assert_eq!(after(Kind::Notify, "webinar: ", "webinar: x"), ["notify.yaml N102"]);
        let nameless = after(Kind::Topics, "id: newsletter", "id: news");
        assert_eq!(nameless, ["nurture/faro-leads.yaml M302"]);
        let renamed = after(Kind::Team, "id: discovery", "id: discover");
        assert_eq!(renamed, ["webinar-recording.yaml S510", "welcome.yaml S510"]);
    }
}
