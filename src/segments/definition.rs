//! Segments as `segments.yaml` says them.

use std::collections::BTreeSet;

use crate::base::diagnostic::Report;
use crate::base::expr::Type;
use crate::base::localized::Localized;
use crate::base::signing::sha256_hex;
use crate::base::yaml::{self, View};
use crate::scoring::condition::{Concerns, Condition, STAGE};
use crate::scoring::definition::Trigger;
use crate::scoring::tags;
use crate::stages::{self, Names};

/// The segments of one deployment.
#[derive(Debug, Clone, Default)]
pub struct Definition {
    /// The segments, in the order of the file.
    pub segments: Vec<Segment>,
    /// Kinds of activities and facts that move the scores.
    scored: Scored,
}

/// One segment.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Its name.
    pub id: String,
    /// Its name for people.
    pub label: Localized,
    /// Who belongs to it.
    pub condition: Condition,
    /// What its condition depends on.
    pub concerns: Concerns,
    /// What its condition means, hashed: whoever changes it is asked about everybody once more.
    pub hash: String,
}

/// What the scores of the lifecycle depend on.
#[derive(Debug, Clone, Default)]
struct Scored {
    kinds: BTreeSet<String>,
    any_kind: bool,
    hash: String,
}

/// What happened to somebody since she was looked at last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    kinds: BTreeSet<String>,
    everything: bool,
}

impl Changed {
    /// Anything may have happened.
    pub fn everything() -> Self {
        Self { kinds: BTreeSet::new(), everything: true }
    }

    /// What marks say: kinds of activities, and [`FACTS`](crate::contacts::marks::FACTS) and its like.
    pub fn of_marks(marks: &str) -> Self {
        let kinds: BTreeSet<String> = marks.split_whitespace().map(str::to_owned).collect();
        let everything = kinds.contains(crate::contacts::marks::EVERYTHING);
        Self { kinds, everything }
    }

    /// Whether a kind of activity, or of change, is among them.
    pub fn has(&self, kind: &str) -> bool {
        self.everything || self.kinds.contains(kind)
    }

    /// Whether something of the site happened, which the lifecycle was not asked about when it did.
    pub fn is_of_hits(&self) -> bool {
        self.everything || self.kinds.contains(crate::contacts::marks::HITS)
    }
}

impl Definition {
    /// Reads and checks the segments; everything that is wrong goes to the report. Stages and states are checked by name
    /// where they are known. What their conditions depend on is known after [`know`](Self::know).
    pub fn parse(path: &str, text: &str, names: &Names, report: &Report) -> Option<Self> {
        let doc = yaml::parse(path, text, report)?;
        let mut map = doc.view(report).map()?;
        let stage = names.words().map_or(Type::String, Type::one_of);
        let states = names.states.as_ref().filter(|states| !states.is_empty());
        let state = match states {
            Some(states) => Type::one_of(states.iter().map(String::as_str).chain([""])),
            None => Type::String,
        };
        let symbols = STAGE.clone().field("stage", stage).field("customer_state", state);
        let list = map.required("segments").and_then(View::list).unwrap_or_default();
        let mut seen: Vec<String> = Vec::new();
        let mut segments: Vec<Segment> = Vec::new();
        for view in list {
            let Some(mut one) = view.map() else { continue };
            let id = one.required("id").and_then(|view| {
                let id = view.str()?;
                if !yaml::is_name(&id) {
                    return view.wrong("a name of small letters, digits, `_` and `-`");
                }
                if seen.contains(&id) {
                    view.error("G101", format!("the segment \"{id}\" stands twice")).done();
                }
                seen.push(id.clone());
                Some(id)
            });
            let label = one.required("label").and_then(Localized::read);
            let condition = one.required("if");
            let condition = condition
                .and_then(|view| Condition::read_about(view, &symbols, &names.lists, &names.aliases));
            one.finish();
            if let (Some(id), Some(label), Some(condition)) = (id, label, condition) {
                let concerns = condition.concerns();
                segments.push(Segment { id, label, condition, concerns, hash: String::new() });
            }
        }
        map.finish();
        (!report.has_errors()).then_some(Self { segments, scored: Scored::default() })
    }

    /// Takes what the lifecycle knows: what scores depend on, and which kinds may carry a tag.
    pub fn know(&mut self, lifecycle: &stages::Definition) {
        self.scored = Scored::of(lifecycle);
        for segment in &mut self.segments {
            segment.hash = self.scored.hash_of(&segment.condition, &segment.concerns);
        }
    }

    /// The segment of this name.
    pub fn find(&self, id: &str) -> Option<&Segment> {
        self.segments.iter().find(|segment| segment.id == id)
    }

    /// The segments whose answer may be another after what happened.
    pub fn concerned<'a>(&'a self, changed: &'a Changed) -> impl Iterator<Item = &'a Segment> {
        self.segments.iter().filter(move |segment| self.is_concerned(&segment.concerns, changed))
    }

    fn is_concerned(&self, concerns: &Concerns, changed: &Changed) -> bool {
        use crate::contacts::marks::{FACTS, STAGE};
        if changed.everything {
            return true;
        }
        let any = |kinds: &BTreeSet<String>| changed.kinds.iter().any(|kind| kinds.contains(kind));
        (concerns.any_kind && !changed.kinds.is_empty())
            || any(&concerns.kinds)
            || (concerns.facts && changed.has(FACTS))
            || (concerns.stage && changed.has(STAGE))
            || (concerns.scores
                && (changed.has(FACTS)
                    || any(&self.scored.kinds)
                    || (self.scored.any_kind && !changed.kinds.is_empty())))
    }
}

impl Scored {
    fn of(lifecycle: &stages::Definition) -> Self {
        let mut scored = Self { hash: lifecycle.hash.clone(), ..Self::default() };
        let conditions = lifecycle.scoring.fit.rules.iter().map(|rule| &rule.condition);
        let when = lifecycle.scoring.engagement.rules.iter().filter_map(|rule| match &rule.trigger {
            Trigger::When(condition) => Some(condition),
            Trigger::On { .. } => None,
        });
        for condition in conditions.chain(when) {
            let concerns = condition.concerns();
            scored.kinds.extend(concerns.kinds);
            scored.any_kind |= concerns.any_kind;
        }
        for rule in &lifecycle.scoring.engagement.rules {
            if let Trigger::On { kind, .. } = &rule.trigger {
                scored.kinds.insert(kind.clone());
                if tags::is_made(kind) {
                    let taggable = lifecycle.scoring.tags.taggable();
                    scored.kinds.extend(taggable.map(str::to_owned));
                }
            }
        }
        // Where nobody said a country, the latest visit's is taken.
        scored.kinds.insert("visit".to_owned());
        scored
    }

    /// A condition that reads the scores means another thing when the scores do.
    fn hash_of(&self, condition: &Condition, concerns: &Concerns) -> String {
        let of_scores = if concerns.scores || concerns.stage { self.hash.as_str() } else { "" };
        sha256_hex(format!("{}\n{of_scores}", condition.text()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifecycle() -> stages::Definition {
        let report = Report::new();
        let text = include_str!("../../config/lifecycle.yaml");
        stages::Definition::parse("lifecycle.yaml", text, &report).expect("valid")
    }

    fn read(text: &str) -> (Option<Definition>, Vec<String>) {
        let report = Report::new();
        let lifecycle = lifecycle();
        let mut definition = Definition::parse("segments.yaml", text, &lifecycle.names(), &report);
        definition.iter_mut().for_each(|definition| definition.know(&lifecycle));
        let found = report.diagnostics().into_iter().map(|d| format!("{}:{} {}", d.line, d.col, d.code));
        (definition, found.collect())
    }

    fn ids(definition: &Definition, marks: &str) -> Vec<String> {
        let changed = Changed::of_marks(marks);
        definition.concerned(&changed).map(|segment| segment.id.clone()).collect()
    }

    #[test]
    fn the_shipped_segments_are_sound() {
        let (definition, found) = read(include_str!("../../config/segments.yaml"));
        assert_eq!(found, Vec::<String>::new());
        assert!(definition.is_some_and(|d| d.find("missed_webinar").is_some()));
    }

    #[test]
    fn every_mistake_has_its_place() {
        let (definition, found) = read(
            "\
segments:
  - {id: a, label: x, if: stage == \"mlq\"}
  - {id: a, label: x, if: identified}
  - {id: b, label: {en: only}, if: contact.senority == \"vp\"}
  - {id: c, label: x, if: identified, wen: 3}
",
        );
        assert!(definition.is_none());
        assert_eq!(found, ["2:36 E105", "3:10 G101", "4:20 Y005", "4:36 E102", "5:39 Y003"]);
    }

    #[test]
    fn only_segments_that_a_change_can_concern_are_asked() {
        let (definition, found) = read(
            "\
segments:
  - {id: watched, label: x, if: 'event(\"recording.watched\", \"30d\")'}
  - {id: regular, label: x, if: 'count(\"visit\", \"7d\") >= 3'}
  - {id: vips, label: x, if: contact.seniority == \"vp\"}
  - {id: hot, label: x, if: engagement <= 2}
  - {id: leads, label: x, if: stage == \"lead\"}
",
        );
        assert_eq!(found, Vec::<String>::new());
        let definition = definition.expect("valid");
        assert_eq!(ids(&definition, "recording.watched"), ["watched", "hot"]);
        assert_eq!(ids(&definition, "visit page #hits"), ["regular", "hot"]);
        assert_eq!(ids(&definition, "#facts"), ["vips", "hot"]);
        assert_eq!(ids(&definition, "#stage"), ["leads"]);
        assert_eq!(ids(&definition, "newsletter.opened"), Vec::<String>::new());
        assert_eq!(ids(&definition, "#everything").len(), 5);
    }
}
