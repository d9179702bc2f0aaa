//! Webinars as `webinars.yaml` says them.

use std::sync::Arc;

use crate::base::diagnostic::Report;
use crate::base::language::Language;
use crate::base::localized::Localized;
use crate::base::time::{HOUR_MS, MINUTE_MS, Timestamp, zone};
use crate::base::yaml::{self, Map, View};
use crate::gates::content::{file_names, is_file_name};
use crate::scoring::tags::{self, Tag, Tags};
use crate::stages;

/// The webinars of one deployment.
#[derive(Debug, Clone, Default)]
pub struct Definition {
    /// The webinars, in the order of the file.
    pub webinars: Vec<Webinar>,
}

/// One webinar.
#[derive(Debug, Clone)]
pub struct Webinar {
    /// Its name in addresses.
    pub id: String,
    /// Its title.
    pub title: Localized,
    /// What it is about.
    pub description: Localized,
    /// When it begins.
    pub starts_at: Timestamp,
    /// The zone it was announced in (IANA name).
    pub zone: String,
    /// How long it lasts.
    pub duration_ms: i64,
    /// How long after the end attendance may still come in.
    pub grace_ms: i64,
    /// Who speaks.
    pub host: Localized,
    /// The form that registers for it.
    pub form: String,
    /// How long before the start to remind.
    pub remind_ms: Vec<i64>,
    /// Where it takes place.
    pub join_url: Option<String>,
    /// The share of it, in percent, that one has to be there for.
    pub attended_percent: f64,
    /// What can be watched afterwards: the whole, a short version, or both.
    pub recordings: Vec<Recording>,
    /// What it is about.
    pub tag: Arc<Tag>,
}

/// A recording.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Its name.
    pub id: String,
    /// Its title.
    pub title: Localized,
    /// The file's name in the content folder, by language.
    pub file: Localized,
    /// Its length in seconds.
    pub duration_s: f64,
    /// Whether it is the short version.
    pub is_condensed: bool,
    /// Caption files (WebVTT) in the content folder.
    pub captions: Vec<(Language, String)>,
    /// A still image in the content folder.
    pub poster: Option<String>,
    /// What it is about.
    pub tag: Arc<Tag>,
    /// The stages that it is meant for; empty means all.
    pub stages: Vec<String>,
}

impl Recording {
    /// Whether it is meant for somebody in a stage.
    pub fn suits(&self, stage: &str) -> bool {
        self.stages.is_empty() || self.stages.iter().any(|known| known == stage)
    }
}

impl Webinar {
    /// When it ends.
    pub fn ends_at(&self) -> Timestamp {
        self.starts_at.plus_ms(self.duration_ms)
    }

    /// The recording that is offered first: the short version, if there is one.
    pub fn recording(&self) -> Option<&Recording> {
        self.recordings.iter().find(|recording| recording.is_condensed).or(self.recordings.first())
    }

    /// As [`recording`](Self::recording), of those that are meant for somebody in a stage.
    pub fn recording_for(&self, stage: &str) -> Option<&Recording> {
        let suited = || self.recordings.iter().filter(|recording| recording.suits(stage));
        suited().find(|recording| recording.is_condensed).or_else(|| suited().next())
    }

    /// Whether so many minutes are enough to have been there. A list that does not say for how long is believed.
    pub fn is_enough(&self, minutes: Option<i64>) -> bool {
        #[allow(clippy::cast_precision_loss, reason = "minutes of a webinar are few")]
        minutes.is_none_or(|minutes| {
            (minutes * MINUTE_MS) as f64 * 100.0 >= self.attended_percent * self.duration_ms as f64
        })
    }

    /// From when on whoever did not attend has missed it.
    pub fn closes_at(&self) -> Timestamp {
        self.ends_at().plus_ms(self.grace_ms)
    }
}

impl Definition {
    /// Reads and checks the webinars; everything that is wrong goes to the report.
    pub fn parse(path: &str, text: &str, report: &Report) -> Option<Self> {
        let doc = yaml::parse(path, text, report)?;
        let mut map = doc.view(report).map()?;
        let mut webinars: Vec<Webinar> = Vec::new();
        let mut recordings = Vec::new();
        for view in map.required("webinars").and_then(View::list).unwrap_or_default() {
            let Some(webinar) = read(view, &mut recordings) else { continue };
            if !webinar.id.is_empty() && webinars.iter().any(|known| known.id == webinar.id) {
                view.error("W101", format!("the webinar \"{}\" stands twice", webinar.id)).done();
            }
            webinars.push(webinar);
        }
        map.finish();
        (!report.has_errors()).then_some(Self { webinars })
    }

    /// The webinar of this name.
    pub fn find(&self, id: &str) -> Option<&Webinar> {
        self.webinars.iter().find(|webinar| webinar.id == id)
    }

    /// Adds what webinars and recordings are about to the tags of files and pages.
    pub fn add_tags(&self, tags: &mut Tags) {
        for webinar in &self.webinars {
            tags.tag_subject("webinar", &webinar.id, webinar.tag.clone());
            for recording in &webinar.recordings {
                tags.tag_subject("recording", &recording.id, recording.tag.clone());
            }
        }
    }

    /// Calls the stages of recordings by their names where the file has aliases.
    pub fn know_stages(&mut self, lifecycle: &stages::Definition) {
        let recordings = self.webinars.iter_mut().flat_map(|webinar| webinar.recordings.iter_mut());
        for stage in recordings.flat_map(|recording| recording.stages.iter_mut()) {
            lifecycle.named(stage);
        }
    }

    /// The recording of this name, and the webinar it is of.
    pub fn recording(&self, id: &str) -> Option<(&Webinar, &Recording)> {
        self.webinars.iter().find_map(|webinar| {
            let recording = webinar.recordings.iter().find(|recording| recording.id == id)?;
            Some((webinar, recording))
        })
    }
}

/// Reads one webinar. `taken` are the recordings of those before it: links and players know a recording by its name alone.
fn read(view: View<'_>, taken: &mut Vec<String>) -> Option<Webinar> {
    let mut map = view.map()?;
    let id = map.required("id").and_then(name);
    let title = map.required("title").and_then(Localized::read);
    let description = map.required("description").and_then(Localized::read);
    let zone_name = map.required("zone").and_then(|view| {
        let name = view.str()?;
        if zone(&name).is_none() {
            return view.wrong("a time zone such as Europe/Madrid");
        }
        Some(name)
    });
    let starts_at = map.required("starts_at").and_then(|view| starts_at(view, zone_name.as_deref()));
    let duration_ms = map.required("duration_m").and_then(minutes);
    let grace_ms = map.optional("grace_m").and_then(minutes);
    let host = map.required("host").and_then(Localized::read);
    let form = map.required("form").and_then(name);
    let remind_ms = map.optional("remind_m").map(View::one_or_more).unwrap_or_default();
    let remind_ms = remind_ms.into_iter().filter_map(minutes).collect();
    let join_url = map.optional("join_url").and_then(|view| {
        view.parsed("an https address", |text| text.starts_with("https://").then(|| text.to_owned()))
    });
    let attended_percent = map.optional("attended_from").and_then(View::percent);
    let tag = Arc::new(tag(&mut map));
    let one = map.optional("recording").into_iter();
    let several = map.optional("recordings").and_then(View::list).unwrap_or_default();
    let mut recordings: Vec<Recording> = Vec::new();
    for view in one.chain(several) {
        let Some(recording) = read_recording(view) else { continue };
        if taken.contains(&recording.id) {
            view.error("W104", format!("the recording \"{}\" stands twice", recording.id))
                .hint("two webinars cannot share one: give this one another id");
        }
        taken.extend(Some(recording.id.clone()).filter(|id| !id.is_empty()));
        recordings.push(recording);
    }
    map.finish();
    // A webinar with a mistake stays in the list by its name; nothing comes of a file with mistakes.
    Some(Webinar {
        id: id.unwrap_or_default(),
        title: title.unwrap_or_default(),
        description: description.unwrap_or_default(),
        starts_at: starts_at.unwrap_or(Timestamp(0)),
        zone: zone_name.unwrap_or_default(),
        duration_ms: duration_ms.unwrap_or_default(),
        grace_ms: grace_ms.unwrap_or(HOUR_MS / 2),
        host: host.unwrap_or_default(),
        form: form.unwrap_or_default(),
        remind_ms,
        join_url,
        attended_percent: attended_percent.unwrap_or(0.0),
        recordings,
        tag,
    })
}

/// What a webinar or a recording is about; its topics and kinds are those of `content.yaml`.
fn tag(map: &mut Map<'_>) -> Tag {
    let kind = map.optional("kind").and_then(name);
    tags::read(map, kind, &tags::Words::new())
}

fn read_recording(view: View<'_>) -> Option<Recording> {
    let mut map = view.map()?;
    let id = map.required("id").and_then(name);
    let title = map.required("title").and_then(Localized::read);
    let file = map.required("file").and_then(file_names);
    let duration_s = map.required("duration_s").and_then(|view| {
        view.parsed("a number of seconds above 0", |text| {
            text.parse().ok().filter(|s: &f64| *s > 0.0 && s.is_finite())
        })
    });
    let is_condensed = map.optional("condensed").and_then(View::bool).unwrap_or(false);
    let mut captions = Vec::new();
    if let Some(list) = map.optional("captions").and_then(View::map) {
        for (language, file) in list.entries() {
            match (Language::of_tag(&language.value), file.str().filter(|name| is_file_name(name))) {
                (Some(language), Some(file)) => captions.push((language, file)),
                (None, _) | (_, None) => {
                    file.wrong::<()>("a caption file such as `es: talk.es.vtt`");
                }
            }
        }
    }
    let poster = map.optional("poster").and_then(|view| {
        view.parsed("the name of a file", |text| is_file_name(text).then(|| text.to_owned()))
    });
    let tag = Arc::new(tag(&mut map));
    let stages = map.optional("stages").map(View::strings).unwrap_or_default();
    map.finish();
    Some(Recording {
        id: id.unwrap_or_default(),
        title: title.unwrap_or_default(),
        file: file.unwrap_or_default(),
        duration_s: duration_s.unwrap_or_default(),
        is_condensed,
        captions,
        poster,
        tag,
        stages,
    })
}

/// Local time in the webinar's zone (`2026-12-03T16:00`), or an instant (`2026-12-03T15:00:00Z`).
fn starts_at(view: View<'_>, zone_name: Option<&str>) -> Option<Timestamp> {
    view.parsed("a local time like 2026-12-03T16:00", |text| {
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            return Some(Timestamp::from_jiff(instant));
        }
        let local: jiff::civil::DateTime = text.parse().ok()?;
        // With an unknown zone the mistake was reported there already.
        let zone = zone(zone_name.unwrap_or("UTC"))?;
        let instant = local.to_zoned(zone).ok()?.timestamp();
        Some(Timestamp::from_jiff(instant))
    })
}

fn minutes(view: View<'_>) -> Option<i64> {
    view.parsed("a number of minutes", |text| {
        text.parse()
            .ok()
            .filter(|minutes| (0..=100_000).contains(minutes))
            .map(|minutes: i64| minutes * MINUTE_MS)
    })
}

fn name(view: View<'_>) -> Option<String> {
    let text = view.str()?;
    if yaml::is_name(&text) { Some(text) } else { view.wrong("a name of small letters, digits, `-` and `_`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "\
webinars:
  - id: reading
    title: Reading
    description: Reading together
    starts_at: 2026-12-03T16:00
    zone: Europe/Madrid
    duration_m: 45
    host: Lucía Ferrer
    form: webinar
    recording: {id: short, title: Short, file: short.mp4, duration_s: 84}
";

    #[test]
    fn a_local_time_is_read_in_the_webinars_zone() {
        let report = Report::new();
        let webinars = Definition::parse("w.yaml", ONE, &report).expect("right");
        // 16:00 in Madrid in December is 15:00 UTC.
        assert_eq!(webinars.webinars[0].starts_at.to_string(), "2026-12-03T15:00:00Z");
        assert!(webinars.recording("short").is_some());
        let both = ONE.replace(
            "recording: {id: short, title: Short, file: short.mp4, duration_s: 84}",
            "attended_from: 50%\n    recordings:\n      - {id: whole, title: Whole, file: whole.mp4, duration_s: 2700}\n      - {id: short, title: Short, file: short.mp4, duration_s: 84, condensed: true}",
        );
        let webinars = Definition::parse("w.yaml", &both, &report).expect("right");
        let webinar = &webinars.webinars[0];
        assert_eq!(webinar.recording().map(|recording| recording.id.as_str()), Some("short"));
        assert!(webinars.recording("whole").is_some());
        assert!(webinar.is_enough(Some(23)) && !webinar.is_enough(Some(22)) && webinar.is_enough(None));
        let summer = ONE.replace("2026-12-03T16:00", "2026-07-03T16:00");
        let webinars = Definition::parse("w.yaml", &summer, &report).expect("right");
        assert_eq!(webinars.webinars[0].starts_at.to_string(), "2026-07-03T14:00:00Z");
    }

    #[test]
    fn mistakes_are_found_with_their_places() {
        let report = Report::new();
        let text = ONE
            .replace("Europe/Madrid", "Europe/Madird")
            .replace("form: webinar", "form: Web inar")
            .replace("short.mp4", "../short.mp4");
        assert!(Definition::parse("w.yaml", &text, &report).is_none());
        let codes: Vec<&str> = report.diagnostics().iter().map(|found| found.code).collect();
        for code in ["Y004", "C104"] {
            assert!(codes.contains(&code), "{code} is missing:\n{}", report.text());
        }
    }

    #[test]
    fn a_recording_is_offered_in_the_stages_that_it_is_meant_for() {
        let report = Report::new();
        let mut webinars = Definition::parse("w.yaml", ONE, &report).expect("right");
        let recording = Recording {
            id: "short".to_owned(),
            title: Localized::new("x", "x"),
            file: Localized::new("x.mp4", "x.mp4"),
            duration_s: 60.0,
            is_condensed: true,
            captions: Vec::new(),
            poster: None,
            tag: Arc::default(),
            stages: vec!["lead".to_owned(), "mql".to_owned()],
        };
        let whole = Recording {
            id: "whole".to_owned(),
            is_condensed: false,
            stages: Vec::new(),
            ..recording.clone()
        };
        webinars.webinars[0].recordings = vec![recording, whole];
        let offered = |stage: &str| webinars.webinars[0].recording_for(stage).map(|one| one.id.as_str());
        assert_eq!((offered("mql"), offered("sql")), (Some("short"), Some("whole")));
        webinars.webinars[0].recordings.pop();
        assert_eq!(webinars.webinars[0].recording_for("sql").map(|one| one.id.as_str()), None);
    }
}
