//! `config/nurture/*.yaml`: one sequence of letters a file.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::base::diagnostic::Report;
use crate::base::localized::Localized;
use crate::base::yaml::{self, Doc, View};
use crate::scoring::condition::{Condition, Symbols};
use crate::scoring::tags::Tags;
use crate::scoring::titles::Titles;
use crate::stages;

/// Where somebody has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a stage of the lifecycle.
    Stage(String),
    /// In a segment.
    Segment(String),
    /// In a state after the sale.
    Customer(String),
}

/// How often somebody may enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Once {
    /// Once in a lifetime.
    PerContact,
    /// Once in each journey through the lifecycle.
    PerJourney,
}

/// One letter.
#[derive(Debug, Clone)]
pub struct Step {
    /// Counted from the step before, or from entering.
    pub wait_ms: i64,
    /// Only whoever it holds for gets the letter; the others go on to the next.
    pub condition: Option<Condition>,
    /// Which letter.
    pub mail: String,
    /// Whether it counts as an attempt to win somebody back.
    pub is_attempt: bool,
}

/// A sequence.
#[derive(Debug, Clone)]
pub struct Sequence {
    pub id: String,
    pub name: Localized,
    /// Nobody gets a letter who does not get those of this topic.
    pub topic: String,
    pub enter: Place,
    /// Entering one of them ends it; without any, it ends when its own place is left.
    pub leave: Vec<Place>,
    pub once: Once,
    /// What it is for: once it holds, no further letter is needed.
    pub goal: Option<Condition>,
    /// Whether a booked call ends it.
    pub ends_when_booked: bool,
    /// Whether an answer to one of its letters ends it.
    pub ends_when_replied: bool,
    pub steps: Vec<Step>,
    /// What pages and files are about, for its conditions.
    pub tags: Arc<Tags>,
    /// What job titles mean.
    pub titles: Arc<Titles>,
}

/// All sequences.
#[derive(Debug, Clone, Default)]
pub struct Sequences(Vec<Sequence>);

/// Names that other files declare. Of a file that cannot be read nothing is known, and nothing is held against it.
#[derive(Debug, Clone, Default)]
pub struct Known {
    pub topics: Option<BTreeSet<String>>,
    pub stages: Option<BTreeSet<String>>,
    pub segments: Option<BTreeSet<String>>,
    /// States after the sale.
    pub states: Option<BTreeSet<String>>,
    pub mails: Option<BTreeSet<String>>,
}

impl Sequences {
    /// Reads and checks sequences, each given as its path and text. They are taken all or not at all.
    pub fn read(files: &[(String, String)], known: &Known, report: &Report) -> Option<Self> {
        let own = Report::new();
        let mut all: Vec<Sequence> = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        for (path, text) in files {
            let Some(doc) = yaml::parse(path, text, &own) else { continue };
            if let Some(id) = name_of(&doc).filter(|id| seen.contains(id)) {
                let message = format!("the sequence \"{id}\" stands in another file, too");
                own.error(&doc.root.at, "M301", message).hint("give one of them another name");
            }
            seen.extend(name_of(&doc));
            all.extend(sequence(&doc, known, &own));
        }
        let is_sound = !own.has_errors();
        report.absorb(own);
        is_sound.then_some(Self(all))
    }

    /// Takes what the lifecycle knows: which stage an alias stands for, and what pages and files are about.
    pub fn know(&mut self, lifecycle: &stages::Definition) {
        for sequence in &mut self.0 {
            for place in std::iter::once(&mut sequence.enter).chain(&mut sequence.leave) {
                if let Place::Stage(stage) = place {
                    lifecycle.named(stage);
                }
            }
            sequence.tags = lifecycle.scoring.tags.clone();
            sequence.titles = lifecycle.scoring.facts.titles.clone();
        }
    }

    /// The sequence of this name.
    pub fn find(&self, id: &str) -> Option<&Sequence> {
        self.0.iter().find(|sequence| sequence.id == id)
    }

    /// Every sequence, in the order of the files' names.
    pub fn all(&self) -> &[Sequence] {
        &self.0
    }

    /// Each letter with the sequence that sends it; of several the last one.
    pub fn letters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .flat_map(|sequence| sequence.steps.iter().map(|step| (step.mail.as_str(), sequence.id.as_str())))
    }
}

/// The name of a sequence, whatever else is wrong with it.
fn name_of(doc: &Doc) -> Option<String> {
    let quiet = Report::new();
    doc.view(&quiet).map()?.optional("sequence")?.str().filter(|id| yaml::is_name(id))
}

fn sequence(doc: &Doc, known: &Known, report: &Report) -> Option<Sequence> {
    let mut map = doc.view(report).map()?;
    let id = map.required("sequence").and_then(|view| {
        let id = view.str()?;
        if yaml::is_name(&id) { Some(id) } else { view.wrong("a name of small letters, digits, `-` and `_`") }
    });
    let name = map.required("name").and_then(Localized::read);
    let topic = map.required("topic").and_then(|view| named(view, "M302", "topic", known.topics.as_ref()));
    let enter = map.required("enter").and_then(|view| place(view, known));
    let leave = map.optional("leave").map(|view| {
        view.one_or_more().into_iter().map(|view| place(view, known)).collect::<Option<Vec<_>>>()
    });
    let once = map.optional("once").map_or(Some("contact"), |view| view.one_of(&["contact", "journey"]));
    let goal = map.optional("goal").map(|view| Condition::read(view, Symbols::Facts));
    let stop = map.optional("stop").map(|view| {
        view.one_or_more()
            .into_iter()
            .map(|view| view.one_of(&["booked", "replied"]))
            .collect::<Option<Vec<_>>>()
    });
    let list = map.required("steps");
    map.finish();
    let views = list.and_then(View::list).unwrap_or_default();
    if let Some(list) = list.filter(|list| list.is_list() && views.is_empty()) {
        list.error("M306", "a sequence without a step sends nothing").hint("- {wait: 1d, mail: NAME}");
        return None;
    }
    let count = views.len();
    let steps: Vec<Step> = views.into_iter().filter_map(|view| step(view, known)).collect();
    let leave = leave.unwrap_or_else(|| Some(Vec::new()));
    let goal = match goal {
        Some(goal) => Some(goal?),
        None => None,
    };
    let stop = stop.unwrap_or_else(|| Some(vec!["booked", "replied"]))?;
    let sequence = Sequence {
        id: id?,
        name: name?,
        topic: topic?,
        enter: enter?,
        leave: leave?,
        once: if once? == "journey" { Once::PerJourney } else { Once::PerContact },
        goal,
        ends_when_booked: stop.contains(&"booked"),
        ends_when_replied: stop.contains(&"replied"),
        steps,
        tags: Arc::default(),
        titles: Arc::default(),
    };
    if sequence.leave.contains(&sequence.enter) {
        doc.view(report)
            .error("M305", "whoever enters would leave at once")
            .hint("`leave` must name other places than `enter`");
        return None;
    }
    (sequence.steps.len() == count).then_some(sequence)
}

fn place(view: View<'_>, known: &Known) -> Option<Place> {
    let mut map = view.map()?;
    let stage = map.optional("stage");
    let segment = map.optional("segment");
    let customer = map.optional("customer");
    map.finish();
    match (stage, segment, customer) {
        (Some(stage), None, None) => named(stage, "M303", "stage", known.stages.as_ref()).map(Place::Stage),
        (None, Some(segment), None) => {
            named(segment, "M304", "segment", known.segments.as_ref()).map(Place::Segment)
        }
        (None, None, Some(state)) => {
            named(state, "M309", "state after the sale", known.states.as_ref()).map(Place::Customer)
        }
        _ => {
            view.error("M307", "a place is one stage, one segment or one state after the sale")
                .hint("{stage: lead}, {segment: NAME} or {customer: churned}");
            None
        }
    }
}

fn step(view: View<'_>, known: &Known) -> Option<Step> {
    let mut map = view.map()?;
    let wait_ms = map.required("wait").and_then(View::duration_ms);
    let condition = map.optional("if").map(|view| Condition::read(view, Symbols::Facts));
    let mail = map.required("mail").and_then(|view| named(view, "M308", "letter", known.mails.as_ref()));
    let is_attempt = map.optional("attempt").and_then(View::bool).unwrap_or(false);
    map.finish();
    let condition = match condition {
        Some(condition) => Some(condition?),
        None => None,
    };
    Some(Step { wait_ms: wait_ms?, condition, mail: mail?, is_attempt })
}

/// A name that has to be declared elsewhere.
fn named(view: View<'_>, code: &'static str, what: &str, known: Option<&BTreeSet<String>>) -> Option<String> {
    let name = view.str()?;
    if let Some(known) = known.filter(|known| !known.contains(&name)) {
        let noted = view.error(code, format!("there is no {what} \"{name}\""));
        if known.is_empty() {
            noted.hint(format!("no {what} is declared anywhere yet"));
        } else {
            noted.did_you_mean(&name, known.iter().map(String::as_str));
        }
        return None;
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let set = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        Known {
            topics: set(&["newsletter"]),
            stages: set(&["lead", "mql"]),
            segments: None,
            states: None,
            mails: set(&["first-idea"]),
        }
    }

    fn read(text: &str) -> (Option<Sequences>, Report) {
        let report = Report::new();
        let files = [("s.yaml".to_owned(), text.to_owned())];
        (Sequences::read(&files, &known(), &report), report)
    }

    const RIGHT: &str = "\
sequence: leads
name: {en: Ideas, es: Ideas}
topic: newsletter
enter: {stage: lead}
goal: event(\"booking.confirmed\")
steps:
  - {wait: 1d, mail: first-idea}
";

    #[test]
    fn a_sequence_ends_with_a_booked_call_or_an_answer_unless_it_says_otherwise() {
        let (read_, report) = read(RIGHT);
        let sequences = read_.expect("valid");
        assert!(report.is_clean(), "{}", report.text());
        let sequence = sequences.find("leads").expect("there");
        assert!(sequence.ends_when_booked && sequence.ends_when_replied && sequence.leave.is_empty());
        let (stubborn, _) = read(&RIGHT.replace("steps:", "stop: replied\nsteps:"));
        assert!(!stubborn.expect("valid").find("leads").expect("there").ends_when_booked);
    }

    #[test]
    fn every_mistake_is_told_at_its_place_with_a_hint() {
        let (none, report) = read(
            "\
sequence: leads
name: {en: Ideas}
topic: newsleter
enter: {stage: leed}
goal: contact.senority == 'vp'
steps:
  - {wait: soon, mail: first-idea}
  - {wait: 1d, mail: first-ideas, if: bant_known > 'two'}
",
        );
        assert!(none.is_none());
        let found: Vec<_> = report.diagnostics().iter().map(|d| (d.line, d.code)).collect();
        let lines: Vec<u32> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 7, 8, 8], "{}", report.text());
        for code in ["Y005", "M302", "M303", "M308"] {
            assert!(found.iter().any(|(_, found)| *found == code), "{code}: {}", report.text());
        }
        for hint in ["newsletter", "lead", "first-idea", "contact.seniority"] {
            assert!(report.text().contains(&format!("did you mean \"{hint}\"")), "{hint}: {}", report.text());
        }
    }

    #[test]
    fn a_place_is_one_and_whoever_enters_does_not_leave_at_once() {
        let codes = |text: &str| read(text).1.diagnostics().iter().map(|d| d.code).collect::<Vec<_>>();
        assert_eq!(codes(&RIGHT.replace("{stage: lead}", "{stage: lead, segment: x}")), ["M307"]);
        assert_eq!(codes(&RIGHT.replace("goal:", "leave: {stage: lead}\ngoal:")), ["M305"]);
        assert_eq!(codes(&RIGHT.replace("\n  - {wait: 1d, mail: first-idea}", " []")), ["M306"]);
        let twice = [("a.yaml".to_owned(), RIGHT.to_owned()), ("b.yaml".to_owned(), RIGHT.to_owned())];
        let report = Report::new();
        assert!(Sequences::read(&twice, &known(), &report).is_none());
        assert_eq!(report.diagnostics()[0].code, "M301");
    }
}
