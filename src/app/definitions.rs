//! The files that a company writes, read together: each for itself, then whatever one names in another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::references::{self, Docs};
use crate::base::diagnostic::{Diagnostic, Mark, Report};
use crate::base::yaml;
use crate::bookings::team::Team;
use crate::chat::Flows;
use crate::chat::check::Lock;
use crate::chat::live::replies::Replies;
use crate::config::Config;
use crate::crm::Connections;
use crate::gates::Catalog;
use crate::notify::{Rules, Wording};
use crate::nurture::{self, Sequences};
use crate::privacy::Notice;
use crate::render::Templates;
use crate::stages::text;
use crate::subscriptions::Topics;
use crate::{offers, segments, stages, webinars};

/// What a file is about. Flows are apart: there are many of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    Crm,
    Privacy,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
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
        Self::Crm,
        Self::Privacy,
    ];

    pub(super) fn path(self, config: &Config) -> &Path {
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
            Self::Crm => &files.crm,
            Self::Privacy => &files.privacy,
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
            Self::Crm => "connections: []",
            Self::Privacy => include_str!("../../config/privacy.yaml"),
        }
    }
}

/// The texts of the files, before anything is known to be right.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Sources {
    files: BTreeMap<Kind, (String, String)>,
    /// What job titles mean, where the lifecycle names a file that says it: the file's name and text.
    #[serde(default)]
    titles: Option<(String, String)>,
    /// Flows as path and text.
    pub flows: Vec<(String, String)>,
    /// The company's letters as path and text.
    pub mails: Vec<(String, String)>,
    /// Sequences of letters as path and text.
    pub nurture: Vec<(String, String)>,
    /// What the texts of flows were when somebody last looked at their translations.
    pub lock: Option<Lock>,
    /// How many of the files are really there, and not what stands for a missing one.
    #[serde(skip)]
    pub found: usize,
    /// The names of what lies in the content folder; nothing if there is none.
    #[serde(skip)]
    pub content: Option<BTreeSet<String>>,
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
        sources.find_titles(config);
        let folder = config.path_of(&config.definitions.flows);
        sources.lock = locked(&folder.join(LOCK), report);
        sources.flows = Flows::files(&folder, report);
        sources.mails = Flows::files(&config.path_of(&config.definitions.mails), report);
        sources.nurture = Flows::files(&config.path_of(&config.definitions.nurture), report);
        sources.content = names_in(&config.path_of(&config.definitions.assets));
        sources.found += sources.flows.len() + sources.mails.len() + sources.nurture.len();
        sources
    }

    /// What the lifecycle's file declares, whether or not all of it is right.
    pub fn names(&self) -> stages::Names {
        let quiet = Report::new();
        let doc = self.files.get(&Kind::Lifecycle).and_then(|(path, text)| yaml::parse(path, text, &quiet));
        doc.as_ref().map(stages::Names::read).unwrap_or_default()
    }

    /// Lets a file stand in the place of the one of its kind. A lifecycle may bring its titles along.
    pub fn put(&mut self, kind: Kind, path: String, text: String) {
        let parts = text::parts(&text);
        match (kind, parts.titles) {
            (Kind::Lifecycle, Some((name, titles))) => {
                self.titles = Some((name.to_owned(), titles.to_owned()));
                let own = parts.own.to_owned();
                self.files.insert(kind, (path, own));
            }
            _ => {
                self.files.insert(kind, (path, text));
            }
        }
    }

    /// Lets a file of titles stand in the place of the one that the lifecycle names.
    pub fn put_titles(&mut self, name: String, text: String) {
        self.titles = Some((name, text));
    }

    /// Reads the file of titles that the lifecycle names, unless it is at hand. What cannot be read is missed where it is
    /// named.
    pub fn find_titles(&mut self, config: &Config) {
        let named = self.files.get(&Kind::Lifecycle).and_then(|(_, own)| text::names_titles(own));
        let Some(name) = named else { return };
        if self.titles.as_ref().is_some_and(|(known, _)| *known == name) {
            return;
        }
        let path = config.path_of(Kind::Lifecycle.path(config)).with_file_name(&name);
        self.titles = std::fs::read_to_string(path).ok().map(|text| (name, text));
    }

    /// The lifecycle's whole text: with the titles, if it names them and they are at hand.
    fn lifecycle(&self) -> Option<(&str, String)> {
        let (path, own) = self.files.get(&Kind::Lifecycle)?;
        let whole = match (&self.titles, text::names_titles(own)) {
            (Some((name, titles)), Some(named)) if *name == named => text::joined(own, name, titles),
            _ => own.clone(),
        };
        Some((path.as_str(), whole))
    }
}

/// What is to be said of the files of these kinds and of the sequences of letters, as they are now; paths as people name
/// them: the folder and the file.
pub fn look_over(config: &Config, kinds: &[Kind]) -> Vec<Diagnostic> {
    let report = Report::new();
    let mut sources = Sources::of(config, &report);
    // Nothing here names a flow, and there may be hundreds of them.
    sources.flows.clear();
    let of_kinds = sources.files.iter().filter(|(kind, _)| kinds.contains(kind)).map(|(_, (path, _))| path);
    let wanted: BTreeSet<String> =
        of_kinds.chain(sources.nurture.iter().map(|(path, _)| path)).cloned().collect();
    Definitions::read(&sources, &report);
    let mut found = report.diagnostics();
    found.retain(|one| wanted.contains(&one.path));
    for one in &mut found {
        let parts: Vec<&str> = one.path.rsplit('/').take(2).collect();
        one.path = parts.into_iter().rev().collect::<Vec<_>>().join("/");
    }
    found
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
    pub crm: Option<Connections>,
    pub sequences: Option<Sequences>,
    pub notice: Option<Notice>,
}

impl Definitions {
    /// Reads the files and checks what they name of one another. A mistake in one makes no finding in another.
    pub fn read(sources: &Sources, report: &Report) -> Self {
        let quiet = Report::new();
        let docs = Docs::new(
            sources
                .files
                .iter()
                .filter_map(|(kind, (path, text))| Some((*kind, yaml::parse(path, text, &quiet)?))),
        );
        let names = sources.names();
        let letters = references::letters(&sources.mails);
        let known = docs.known(&names, letters, sources.lock.clone());
        let segment_ids = docs.declared(Kind::Segments, references::SEGMENTS);
        let file = |kind: Kind| sources.files.get(&kind).map(|(path, text)| (path.as_str(), text.as_str()));
        let one = |kind: Kind| file(kind).unwrap_or(("", kind.missing()));
        let lifecycle = sources
            .lifecycle()
            .and_then(|(path, text)| apart(report, |report| stages::Definition::parse(path, &text, report)));
        let (path, text) = one(Kind::Segments);
        let segments = apart(report, |report| segments::Definition::parse(path, text, &names, report));
        let (path, text) = one(Kind::Offers);
        let offers = apart(report, |report| {
            offers::Definition::parse(path, text, &names, segment_ids.as_ref(), report)
        });
        let topics = file(Kind::Topics)
            .and_then(|(path, text)| apart(report, |report| Topics::parse(path, text, report)));
        let templates = Templates::embedded();
        let wording = match &templates {
            Ok(templates) => Wording::read(&sources.mails, templates, report),
            Err(_) => None,
        };
        let of_sequences = nurture::Known {
            topics: docs.declared(Kind::Topics, references::TOPICS),
            stages: known.stages.clone(),
            segments: segment_ids,
            states: names.states.clone().map(|states| states.into_iter().collect()),
            mails: Some(references::letters(&sources.mails)),
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
            crm: {
                let (path, text) = one(Kind::Crm);
                apart(report, |report| Connections::parse(path, text, &names, report))
            },
            notice: {
                let (path, text) = one(Kind::Privacy);
                apart(report, |report| Notice::parse(path, text, report))
            },
            replies: file(Kind::Replies)
                .and_then(|(path, text)| apart(report, |report| Replies::parse(path, text, report))),
        };
        read.know_each_other();
        if let Some(team) = &read.team {
            read.lifecycle = read.lifecycle.map(|lifecycle| lifecycle.with_hours(team.working_hours()));
        }
        docs.check(sources, &names, report);
        read
    }

    /// Tells the lifecycle what content is about, and content which stages there are.
    fn know_each_other(&mut self) {
        let Some(lifecycle) = &mut self.lifecycle else { return };
        let mut tags = self.catalog.as_ref().map(|catalog| catalog.tags.clone()).unwrap_or_default();
        if let Some(webinars) = &mut self.webinars {
            webinars.know_stages(lifecycle);
            webinars.add_tags(&mut tags);
        }
        if let Some(catalog) = &mut self.catalog {
            catalog.know_stages(lifecycle);
        }
        if let Some(wording) = &mut self.wording {
            wording.know_stages(lifecycle);
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

/// The names of the files in a folder.
fn names_in(folder: &Path) -> Option<BTreeSet<String>> {
    let entries = std::fs::read_dir(folder).ok()?;
    Some(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
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

/// Reads with a report of its own, so that an earlier file's mistake does not count as this one's.
fn apart<T>(report: &Report, read: impl FnOnce(&Report) -> T) -> T {
    let own = Report::new();
    let outcome = read(&own);
    report.absorb(own);
    outcome
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
            (Kind::Crm, "crm.yaml", include_str!("../../config/crm.yaml")),
            (Kind::Privacy, "privacy.yaml", include_str!("../../config/privacy.yaml")),
        ] {
            sources.put(kind, path.to_owned(), text.to_owned());
        }
        for (path, text) in [
            ("leave-message.yaml", include_str!("../../bot-flows/leave-message.yaml")),
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

    /// The findings after changes of files, each as `path CODE`.
    fn after_all(changes: &[(Kind, &str, &str)]) -> Vec<String> {
        let report = read_changed(changes);
        report.diagnostics().into_iter().map(|d| format!("{} {}", d.path, d.code)).collect()
    }

    fn after(kind: Kind, from: &str, to: &str) -> Vec<String> {
        after_all(&[(kind, from, to)])
    }

    fn read_changed(changes: &[(Kind, &str, &str)]) -> Report {
        let mut sources = shipped();
        for (kind, from, to) in changes {
            let (path, text) = sources.files.get(kind).cloned().expect("shipped");
            assert!(text.contains(from), "{from} stands in {path}");
            sources.put(*kind, path, text.replacen(from, to, 1));
        }
        let report = Report::new();
        Definitions::read(&sources, &report);
        report
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
        assert!(read.replies.is_some() && read.crm.is_some() && read.notice.is_some());
        let letter = read
            .catalog
            .iter()
            .flat_map(|catalog| &catalog.forms)
            .find_map(|form| form.consents.iter().find(|consent| consent.topic.is_some()));
        assert!(letter.is_some(), "a consent asks for the letters");
    }

    #[test]
    fn a_mistake_in_one_file_makes_no_finding_in_another() {
        assert_eq!(after(Kind::Team, "duration:", "duratoin:"), ["team.yaml Y003"]);
        assert_eq!(after(Kind::Team, "Europe/Madrid", "Europe/Madird"), ["team.yaml B102"]);
        assert_eq!(after(Kind::Forms, "button:", "buton:"), ["forms.yaml Y003"]);
        assert_eq!(after(Kind::Webinars, "duration_s:", "duratoin_s:").len(), 1);
        // A file that is no YAML at all says nothing about what it declares.
        assert_eq!(after(Kind::Team, "\nreps:", "\nreps: ["), ["team.yaml Y001"]);
    }

    #[test]
    fn a_name_that_is_nowhere_declared_is_found_where_it_stands() {
        assert_eq!(after(Kind::Forms, "registers: ", "registers: x"), ["forms.yaml W102"]);
        assert_eq!(after(Kind::Forms, "delivers: ", "delivers: x"), ["forms.yaml C105"]);
        assert_eq!(after(Kind::Webinars, "form: ", "form: x"), ["webinars.yaml W103"]);
        assert_eq!(after(Kind::Notify, "webinar: ", "webinar: x"), ["notify.yaml N102"]);
        let nameless = after(Kind::Topics, "id: newsletter", "id: news");
        assert_eq!(nameless, ["forms.yaml C128", "forms.yaml C128", "nurture/faro-leads.yaml M302"]);
        let renamed = after(Kind::Team, "id: discovery", "id: discover");
        assert_eq!(renamed, ["webinar-recording.yaml S510", "welcome.yaml S510"]);
    }

    #[test]
    fn what_a_flow_has_done_by_names_of_other_files_is_looked_up_there() {
        let flow = "flow: errand\ntitle: An errand\nlanguages: [en]\ntrigger: {when: api}\ndefaults: {timeout: {after: 5m, goto: bye}, exhausted: bye}\nevents: {human_requested: bye, stop_requested: bye}\nsteps:\n  \
                    a: {do: mail.send, with: {letter: LETTER, topic: TOPIC}, outcomes: {error: b}}\n  \
                    b: {do: task.give, with: {title: Call, team: TEAM}, outcomes: {error: c}}\n  \
                    c: {do: team.notify, with: {rule: RULE}, outcomes: {error: d}}\n  \
                    d: {do: webhook.send, with: {hook: HOOK, name: ran}, outcomes: {error: e}}\n  \
                    e: {switch: [{if: 'is_online(\"CROWD\")', goto: hi}, {else: bye}]}\n  \
                    hi: {say: Hi., goto: bye}\n  \
                    bye: {say: Bye., end: done}\n";
        let right = [
            ("LETTER", "faro-lead-idea"),
            ("TOPIC", "newsletter"),
            ("TEAM", "sdr"),
            ("RULE", "errands"),
            ("HOOK", "crm"),
            ("CROWD", "sdr"),
        ];
        let found = |wrong: Option<&str>| {
            let mut sources = shipped();
            let notify = "hooks:\n  - {name: crm, kind: webhook, url: 'https://crm.example/x', secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}\n  - {name: room, url: 'https://room.example/x'}\nrules:\n  - {name: errands, to: [theirs], by: [mail]}\n  - {on: [task_given], to: [theirs], by: [mail]}\n";
            sources.put(Kind::Notify, "notify.yaml".to_owned(), notify.to_owned());
            let flow = right.iter().fold(flow.to_owned(), |flow, (hole, name)| {
                let name = if wrong == Some(*hole) { format!("{name}s") } else { (*name).to_owned() };
                flow.replace(hole, &name)
            });
            sources.flows.push(("errand.yaml".to_owned(), flow));
            let report = Report::new();
            Definitions::read(&sources, &report);
            let told = |d: &crate::base::diagnostic::Diagnostic| {
                format!("{} {} {}", d.path, d.code, d.hint.clone().unwrap_or_default())
            };
            report.diagnostics().iter().map(told).collect::<Vec<_>>()
        };
        assert_eq!(found(None), Vec::<String>::new());
        for (hole, name) in right {
            let told = found(Some(hole));
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].starts_with("errand.yaml S510"), "{told:?}");
            assert!(told[0].contains(name), "a hint: {told:?}");
        }
    }

    #[test]
    fn a_broken_file_hides_no_mistake_in_the_files_that_name_something_in_it() {
        let broken_stages = (Kind::Lifecycle, "owner: sdr", "owner: nobody");
        let found = after_all(&[
            broken_stages,
            (Kind::Segments, "stage ==", "stage == \"leed\" || stage =="),
            (Kind::Offers, "stages: [sql, sal]", "stages: [sql, leed]"),
            (Kind::Content, "deliver: both", "deliver: email\n    stages: [leed]"),
            (Kind::Forms, "type: email", "type: emial"),
            (Kind::Notify, "webinar: ", "webinar: x"),
        ]);
        let expected = [
            "content.yaml C124",
            "forms.yaml Y004",
            "lifecycle.yaml Y004",
            "notify.yaml N102",
            "offers.yaml O102",
            "segments.yaml E105",
        ];
        assert_eq!(found, expected);
        let mut sources = shipped();
        let (path, text) = sources.files.get(&Kind::Segments).cloned().expect("shipped");
        sources.put(Kind::Segments, path, text.replacen("label:", "labell:", 1));
        let (path, text) = sources.nurture.pop().expect("shipped");
        sources.nurture.push((path, text.replacen("steps:", "leave: [{segment: nope}]\nsteps:", 1)));
        let (path, text) = sources.mails.pop().expect("shipped");
        sources.mails.push((path, text.replacen("subject:", "sbject:", 1)));
        let report = Report::new();
        Definitions::read(&sources, &report);
        let told = report.text();
        assert!(told.contains("M304 there is no segment \"nope\""), "{told}");
        assert!(!told.contains("M308"), "a letter with a mistake is one all the same: {told}");
    }

    #[test]
    fn a_name_that_cannot_be_read_may_be_the_one_that_is_meant() {
        assert_eq!(after(Kind::Lifecycle, "- id: mql\n", "- id: M Q L\n"), ["lifecycle.yaml Y004"]);
        assert_eq!(after(Kind::Topics, "- id: newsletter", "- id: News Letter"), ["topics.yaml Y004"]);
        assert_eq!(
            after(Kind::Webinars, "- id: reading-culture-live", "- id: Live!"),
            ["webinars.yaml Y004"]
        );
    }

    #[test]
    fn slips_that_work_and_mean_nothing_are_told() {
        let one = |kind: Kind, from: &str, to: &str| {
            let report = read_changed(&[(kind, from, to)]);
            let found = report.diagnostics();
            let told: Vec<String> =
                found.iter().map(|d| format!("{} {}", d.code, d.hint.clone().unwrap_or_default())).collect();
            assert!(found.iter().all(|d| d.line > 1 && d.col > 1), "{}", report.text());
            told
        };
        let meant = |code: &str, name: &str| vec![format!("{code} did you mean \"{name}\"?")];
        assert_eq!(
            one(Kind::Lifecycle, "on: recording.watched", "on: recording.wached"),
            meant("L106", "recording.watched")
        );
        assert_eq!(one(Kind::Lifecycle, "props.percent", "props.precent"), meant("E102", "props.percent"));
        assert_eq!(
            one(Kind::Lifecycle, "engagement_points: 15", "engagement_points: 35"),
            Vec::<String>::new()
        );
        for flapping in ["engagement_points: 36", "engagement_points: 95"] {
            let found = one(Kind::Lifecycle, "engagement_points: 15", flapping);
            assert!(found.len() == 1 && found[0].starts_with("L210 "), "{found:?}");
        }
        let unused = "  groups:\n    idle: {cap: 9, label: {en: Idle, es: Nada}}";
        let found = one(Kind::Lifecycle, "  groups:", unused);
        assert!(found.len() == 1 && found[0].starts_with("L111 "), "{found:?}");
        let found = one(Kind::Lifecycle, "aliases: [prospect]", "aliases: [suspect]");
        assert!(found.iter().any(|told| told.starts_with("L201")), "{found:?}");

        let found = one(Kind::Forms, "id: newsletter", "id: newsleter");
        assert_eq!(found, meant("C128", "newsletter"));
        let found = one(Kind::Forms, "reading ideas", "other ideas");
        assert!(!found.is_empty() && found.iter().all(|told| told.starts_with("C126 the first one is at")));
        let empty = "choices: []\n        was:";
        let found = one(Kind::Forms, "choices:", empty);
        assert!(found.iter().any(|told| told.starts_with("C114")), "{found:?}");

        let twin = one(Kind::Webinars, "id: reading-at-work-short", "id: reading-culture-short");
        assert!(twin.iter().any(|told| told.starts_with("W104 two webinars")), "{twin:?}");
        let found = one(Kind::Webinars, "id: reading-at-work-short", "id: reading-guide");
        assert_eq!(found, ["W106 give the recording another id"]);
    }

    #[test]
    fn files_that_are_not_in_the_content_folder_are_told_in_every_language() {
        let mut sources = shipped();
        let report = Report::new();
        Definitions::read(&sources, &report);
        assert!(report.is_clean(), "without a folder nothing is held against the files");
        let there = ["white-paper-en.pdf", "recording-en.mp4", "recording-es.mp4", "recording-en.vtt"];
        sources.content = Some(there.map(str::to_owned).into());
        Definitions::read(&sources, &report);
        let found: Vec<String> =
            report.diagnostics().into_iter().map(|d| format!("{} {}", d.code, d.message)).collect();
        let missing =
            |code: &str, name: &str| format!("{code} there is no file \"{name}\" in the content folder");
        assert_eq!(found.len(), 5, "{}", report.text());
        for told in [
            missing("C127", "white-paper-es.pdf"),
            missing("W105", "recording-es.vtt"),
            missing("W105", "recording-en.jpg"),
        ] {
            assert!(found.contains(&told), "{told}: {}", report.text());
        }
        assert!(report.text().contains("did you mean \"white-paper-en.pdf\"?") && !report.has_errors());
    }

    #[test]
    fn a_lifecycle_reads_the_titles_that_lie_beside_it_and_both_are_one_version() {
        let facts = "facts:\n  seniority: {from: job_title, map: titles.yaml}";
        let read = |titles: Option<&str>, facts: &str| {
            let mut sources = shipped();
            let (path, text) = sources.files.get(&Kind::Lifecycle).cloned().expect("shipped");
            sources.put(Kind::Lifecycle, path, text.replacen("facts:", facts, 1));
            if let Some(titles) = titles {
                sources.put_titles("titles.yaml".to_owned(), titles.to_owned());
            }
            let report = Report::new();
            let read = Definitions::read(&sources, &report).lifecycle;
            let told: Vec<String> = report
                .diagnostics()
                .iter()
                .map(|d| format!("{}:{}:{} {}", d.path, d.line, d.col, d.code))
                .collect();
            (read, told)
        };
        let (deans, told) = read(Some("seniority: {c_level: [decana]}\n"), facts);
        assert_eq!(told, Vec::<String>::new());
        let deans = deans.expect("read");
        let word = |of: &stages::Definition, title: &str| {
            of.scoring.facts.titles.seniority(title).map(crate::scoring::titles::Seniority::word)
        };
        assert_eq!(word(&deans, "Decana"), Some("c_level"));
        // Another word in the other file is another text, and the old one comes back whole from what is kept of it.
        let (rectors, _) = read(Some("seniority: {c_level: [rectora]}\n"), facts);
        let rectors = rectors.expect("read");
        assert_ne!(deans.hash, rectors.hash);
        assert_eq!(word(&rectors, "Decana"), Some("staff"));
        let again = stages::Definition::parse("lifecycle.yaml", &deans.body, &Report::new()).expect("read");
        assert_eq!((again.hash.as_str(), word(&again, "Decana")), (deans.hash.as_str(), Some("c_level")));
        // Who proposes the lifecycle's own text alone means the titles that run.
        let own = text::parts(&rectors.body).own.replace("version: 1\n", "version: 2\n");
        let next = stages::Definition::parse("lifecycle.yaml", &rectors.complete(&own), &Report::new());
        assert_eq!(word(&next.expect("read"), "Rectora"), Some("c_level"));
        // Mistakes stand where they are: in the one file or in the other.
        let (none, told) = read(None, facts);
        assert!(none.is_none());
        let line = 1 + shipped()
            .files
            .get(&Kind::Lifecycle)
            .and_then(|(_, text)| text.lines().position(|line| line == "facts:"))
            .expect("there");
        assert_eq!(told, [format!("lifecycle.yaml:{}:37 L115", line + 1)]);
        let (_, told) = read(Some("seniority: {c_levl: [decana]}\n"), facts);
        assert_eq!(told, ["titles.yaml:1:13 L113".to_owned()]);
        let of_region = "facts:\n  region: {from: job_title, map: titles.yaml}";
        let (_, told) = read(Some("seniority: {vp: [decana]}\n"), of_region);
        assert_eq!(told, [format!("lifecycle.yaml:{}:3 L112", line + 1)]);
        let of_department = "facts:\n  department: {from: job_title, map: titles.yaml}";
        let (_, told) = read(Some("seniority: {vp: [decana]}\n"), of_department);
        assert_eq!(told, [format!("lifecycle.yaml:{}:38 L116", line + 1)]);
    }
}
