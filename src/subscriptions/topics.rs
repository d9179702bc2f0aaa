//! `config/topics.yaml`: what people can subscribe to, and the manners in which letters go out.

use crate::base::diagnostic::Report;
use crate::base::language::Language;
use crate::base::localized::Localized;
use crate::base::time::{DAY_MS, near_zone, zone};
use crate::base::yaml::{self, View};

/// Letters that somebody can ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name in forms, sequences and the ledger.
    pub id: String,
    /// What people read.
    pub name: Localized,
    /// What comes.
    pub description: Localized,
    /// How often, in words.
    pub frequency: Localized,
    /// Whether the address has to be proved by a mail first.
    pub double_opt_in: bool,
}

/// When letters may go out. Answers to something that somebody did a moment ago do not wait for any of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sending {
    /// The zone of people whose own is not known.
    pub time_zone: String,
    /// Minutes after midnight between which nothing goes out; over midnight if the first is the later.
    pub quiet: Option<(u16, u16)>,
    /// Whether letters go out on Saturdays and Sundays.
    pub on_weekends: bool,
    /// At most so many letters …
    pub most: i64,
    /// … in so many milliseconds.
    pub within_ms: i64,
    /// What could not go out for so long does not go out any more.
    pub expires_ms: i64,
    /// Who sends the letters and where they are: the law of most countries wants a postal address in them.
    pub postal: Localized,
}

impl Default for Sending {
    fn default() -> Self {
        Self {
            time_zone: "UTC".to_owned(),
            quiet: Some((20 * 60, 8 * 60)),
            on_weekends: false,
            most: 2,
            within_ms: 7 * DAY_MS,
            expires_ms: 14 * DAY_MS,
            postal: Localized::default(),
        }
    }
}

/// The file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topics {
    /// The topics, in the order of the file.
    pub topics: Vec<Topic>,
    /// When letters may go out.
    pub sending: Sending,
}

impl Topics {
    /// Reads the file; everything that is wrong goes to the report.
    pub fn parse(path: &str, text: &str, report: &Report) -> Option<Self> {
        let doc = yaml::parse(path, text, report)?;
        let mut map = doc.view(report).map()?;
        let mut topics: Vec<Topic> = Vec::new();
        for view in map.required("topics").and_then(View::list).unwrap_or_default() {
            let Some(topic) = topic(view) else { continue };
            if topics.iter().any(|known| known.id == topic.id) {
                view.error("M101", format!("the topic \"{}\" stands twice", topic.id))
                    .hint("give one of them another id");
            }
            topics.push(topic);
        }
        let sending = map.optional("sending");
        map.finish();
        let sending = sending.map_or_else(|| Some(Sending::default()), sending_of);
        if sending.as_ref().is_some_and(|sending| sending.postal == Localized::default())
            && !topics.is_empty()
        {
            report
                .warning(&doc.root.at, "M103", "letters have no postal address in their foot")
                .hint("sending: {postal_address: \"Company, street, city\"}; most countries demand one");
        }
        (!report.has_errors()).then_some(Self { topics, sending: sending? })
    }

    /// The topic of this name.
    pub fn find(&self, id: &str) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.id == id)
    }

    /// What people call a topic; its id if it stands in the file no more.
    pub fn name<'a>(&'a self, id: &'a str, language: Language) -> &'a str {
        self.find(id).map_or(id, |topic| topic.name.get(language))
    }
}

fn topic(view: View<'_>) -> Option<Topic> {
    let mut map = view.map()?;
    let id = map.required("id").and_then(|view| {
        let id = view.str()?;
        match id.as_str() {
            // Words that mean more than one topic in the table of addresses that are not written to.
            "all" | "marketing" | "invitations" | "calls" | "analytics" | "profiling" => {
                view.error("M102", format!("\"{id}\" cannot be a topic"))
                    .hint("it means something else already");
                None
            }
            _ if yaml::is_name(&id) => Some(id),
            _ => view.wrong("a name of small letters, digits, `-` and `_`"),
        }
    });
    let name = map.required("name").and_then(Localized::read);
    let description = map.required("description").and_then(Localized::read);
    let frequency = map.required("frequency").and_then(Localized::read);
    let double_opt_in = map.optional("double_opt_in").map_or(Some(true), View::bool);
    map.finish();
    Some(Topic {
        id: id?,
        name: name?,
        description: description?,
        frequency: frequency?,
        double_opt_in: double_opt_in?,
    })
}

fn sending_of(view: View<'_>) -> Option<Sending> {
    let usual = Sending::default();
    let mut map = view.map()?;
    let time_zone = map.optional("time_zone").map_or(Some(usual.time_zone), |view| {
        let name = view.str()?;
        if zone(&name).is_some() {
            return Some(name);
        }
        let noted = view.error("M104", format!("there is no time zone \"{name}\""));
        match near_zone(&name) {
            Some(near) => noted.hint(format!("did you mean \"{near}\"?")),
            None => noted.hint("write it as Europe/Madrid"),
        }
        None
    });
    let quiet = map.optional("quiet_hours").map_or(Some(usual.quiet), |view| {
        let mut map = view.map()?;
        let from = map.required("from").and_then(minute);
        let to = map.required("to").and_then(minute);
        map.finish();
        let (from, to) = (from?, to?);
        if from == to {
            view.error("M105", "quiet hours that begin and end at once are none")
                .hint("leave quiet_hours out for 20:00 to 08:00");
            return None;
        }
        Some(Some((from, to)))
    });
    let on_weekends = map.optional("weekends").map_or(Some(usual.on_weekends), View::bool);
    let most = map.optional("at_most").map_or(Some((usual.most, usual.within_ms)), |view| {
        let mut map = view.map()?;
        let letters = map.required("letters").and_then(|view| {
            view.parsed("1 to 100 letters", |text| text.parse().ok().filter(|n| (1..=100).contains(n)))
        });
        let within = map.required("in").and_then(View::duration_ms);
        map.finish();
        Some((letters?, within?))
    });
    let expires_ms = map.optional("expires_after").map_or(Some(usual.expires_ms), View::duration_ms);
    let postal = map.optional("postal_address").map_or_else(|| Some(Localized::default()), Localized::read);
    map.finish();
    let (most, within_ms) = most?;
    Some(Sending {
        time_zone: time_zone?,
        quiet: quiet?,
        on_weekends: on_weekends?,
        most,
        within_ms,
        expires_ms: expires_ms?,
        postal: postal?,
    })
}

/// `20:30` as minutes after midnight.
fn minute(view: View<'_>) -> Option<u16> {
    view.parsed("a time of day like 20:30", |text| {
        let (hour, minute) = text.split_once(':')?;
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_file_is_valid() {
        let report = Report::new();
        let text = include_str!("../../config/topics.yaml");
        let topics = Topics::parse("topics.yaml", text, &report).expect("valid");
        assert!(report.is_clean(), "{}", report.text());
        assert!(topics.find("newsletter").is_some_and(|topic| topic.double_opt_in));
    }

    #[test]
    fn mistakes_are_told_all_at_once_with_their_places() {
        let report = Report::new();
        let text = "\
topics:
  - id: all
    name: {en: Letter, es: Carta}
    description: {en: Ideas}
    frequency: monthly
sending:
  time_zone: Europe/Madird
  quiet_hours: {from: \"25:00\", to: \"08:00\"}
  at_most: {letters: 0, in: 7d}
";
        assert!(Topics::parse("topics.yaml", text, &report).is_none());
        let found: Vec<_> = report.diagnostics().iter().map(|d| (d.line, d.code)).collect();
        assert_eq!(
            found,
            [(2, "M102"), (4, "Y005"), (7, "M104"), (8, "Y004"), (9, "Y004")],
            "{}",
            report.text()
        );
        assert!(report.text().contains("Europe/Madrid"), "{}", report.text());
    }
}
