//! What a definition would have done with one contact: every move at its moment, worked out from what happened.
//!
//! Nothing is asked but when something changed: when something happened that a rule reads, when a fact was learnt, and at
//! the moments that time alone brings about.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Case;
use crate::base::expr::Context;
use crate::base::time::Timestamp;
use crate::scoring::condition::{Bands, Condition, LEVEL};
use crate::scoring::definition::Trigger;
use crate::scoring::facts::Company;
use crate::scoring::tags;
use crate::scoring::{Activity, Facts, Grade, History, Level, Scorer};
use crate::stages::definition::{Definition, Stage};
use crate::stages::due::cools_down_at;
use crate::stages::rules::{Position, Sight, disqualifier, steps_seen};

/// More moves than any honest life has; a definition that goes in circles ends here.
const MOST_MOVES: usize = 10_000;

/// One move that a definition would have made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Move {
    /// When.
    pub at: Timestamp,
    /// From which stage.
    pub from: String,
    /// To which.
    pub to: String,
    /// By which clause or way back.
    pub rule: String,
}

/// A definition, ready to be asked about many contacts.
#[derive(Debug, Clone)]
pub struct Model {
    /// The definition.
    pub definition: Definition,
    /// The kinds of activities that any rule reads.
    kinds: BTreeSet<String>,
    /// Whether any of them is made by tags.
    reads_tags: bool,
    /// Whether any rule may come to hold by waiting alone.
    waits: bool,
}

impl Model {
    /// Looks through the rules once.
    pub fn new(definition: Definition) -> Self {
        let kinds: BTreeSet<String> = conditions(&definition)
            .flat_map(|condition| condition.calls().map(|call| call.kind.clone()))
            .chain(definition.scoring.engagement.rules.iter().filter_map(|rule| match &rule.trigger {
                Trigger::On { kind, .. } => Some(kind.clone()),
                Trigger::When(_) => None,
            }))
            .collect();
        let waits = moving(&definition).any(Condition::may_come_to_hold);
        let reads_level = conditions(&definition).any(|condition| condition.reads(LEVEL));
        let reads_tags = reads_level || kinds.iter().any(|kind| tags::is_made(kind));
        Self { definition, kinds, reads_tags, waits }
    }

    /// Whether any rule reads activities of a kind.
    pub fn reads(&self, kind: &str) -> bool {
        self.kinds.contains(kind) || (self.reads_tags && self.definition.scoring.tags.may_tag(kind))
    }

    /// The moves of a contact's whole life up to `until`.
    pub fn replay(&self, case: &Case, history: &History, until: Timestamp) -> Vec<Move> {
        let begin = Position {
            stage: self.definition.first().id.clone(),
            entered_at: case.identified_at,
            back_at: None,
        };
        let is_read = |activity: &&Activity| {
            self.kinds.contains(&activity.kind) || (self.reads_tags && activity.tag.is_some())
        };
        let times = history.iter().filter(is_read);
        let mut times: Vec<Timestamp> = times.map(|activity| activity.at).collect();
        times.extend(case.fields.iter().map(|field| field.at));
        times.push(case.identified_at);
        times.retain(|at| *at >= case.identified_at && *at <= until);
        times.sort_unstable();
        times.dedup();
        self.run(case, history, begin, &times, until)
    }

    /// The moves that time alone will bring about from where somebody stands at `now`.
    pub fn wait(
        &self,
        case: &Case,
        history: &History,
        position: Position,
        now: Timestamp,
        until: Timestamp,
    ) -> Vec<Move> {
        self.run(case, history, position, &[now], until)
    }

    fn run(
        &self,
        case: &Case,
        history: &History,
        mut position: Position,
        times: &[Timestamp],
        until: Timestamp,
    ) -> Vec<Move> {
        let mut moves = Vec::new();
        let mut known = Known::default();
        let mut scorer: Option<(usize, Scorer<'_>)> = None;
        let epochs = case.epochs(&self.definition, times);
        for (index, at) in times.iter().enumerate() {
            let next = times.get(index + 1).copied().unwrap_or(until.plus_ms(1));
            let epoch = epochs.partition_point(|epoch| epoch.from <= *at).saturating_sub(1);
            let Some(facts) = epochs.get(epoch) else { continue };
            if scorer.as_ref().is_none_or(|(of, _)| *of != epoch) {
                let scoring = &self.definition.scoring;
                scorer = Some(match scorer.take() {
                    Some((_, scorer)) => (epoch, scorer.with_values(&facts.values)),
                    None => (epoch, Scorer::new(scoring, &facts.values, history)),
                });
                known = Known::default();
            }
            let Some((_, scorer)) = &scorer else { continue };
            let mut now = *at;
            loop {
                self.step(facts, history, scorer, &mut position, now, &mut moves, &mut known);
                if moves.len() > MOST_MOVES {
                    return moves;
                }
                match self.wakes(scorer, &position, now, next) {
                    Some(wakes) if wakes > now && wakes < next => now = wakes,
                    _ => break,
                }
            }
        }
        moves
    }

    /// Asks the rules at one moment and makes the moves.
    #[allow(clippy::too_many_arguments, reason = "the state of a walk through one life")]
    fn step(
        &self,
        facts: &Epoch,
        history: &History,
        scorer: &Scorer<'_>,
        position: &mut Position,
        now: Timestamp,
        moves: &mut Vec<Move>,
        known: &mut Known,
    ) {
        let bands = Lazy { scorer, now, fit: Cell::new(known.fit), engagement: Cell::new(None) };
        let is_cold = |stage: &Stage| {
            stage.leave_below.as_ref().is_some_and(|leave| {
                let from = now.plus_ms(-leave.after_ms);
                Bands::engagement(&bands).1 < leave.engagement_points
                    && scorer
                        .below_since(leave.engagement_points, from, now)
                        .is_some_and(|since| since <= from)
            })
        };
        let sight = Sight {
            values: &facts.values,
            history,
            bands: &bands,
            bant_positive: facts.bant_positive,
            profiling_off: facts.profiling_off,
            is_disqualified: disqualifier(&self.definition, &facts.values, history, now).is_some(),
            is_cold: &is_cold,
            pretended: &[],
            now,
        };
        for step in steps_seen(&self.definition, &sight, position) {
            moves.push(Move { at: now, from: position.stage.clone(), to: step.to.clone(), rule: step.rule });
            let back_at = if step.back { Some(now) } else { position.back_at };
            *position = Position { stage: step.to, entered_at: now, back_at };
        }
        if self.is_fit_fixed() {
            known.fit = bands.fit.get();
        }
    }

    /// Whether fit asks for nothing that happens: then it changes with the facts only.
    fn is_fit_fixed(&self) -> bool {
        let asks = |condition: &Condition| condition.calls().next().is_some() || condition.reads(LEVEL);
        !self.definition.scoring.fit.rules.iter().any(|rule| asks(&rule.condition))
    }

    /// The next moment before `next` at which time alone may move somebody.
    fn wakes(
        &self,
        scorer: &Scorer<'_>,
        position: &Position,
        now: Timestamp,
        next: Timestamp,
    ) -> Option<Timestamp> {
        let stage = self.definition.stage(&position.stage)?;
        let cold =
            stage.leave_below.as_ref().filter(|leave| next.since_ms(position.entered_at) > leave.after_ms);
        let cold = cold.and_then(|_| cools_down_at(stage, scorer, position.entered_at, now, next));
        let rules = if self.waits { self.changes(scorer, now, next) } else { None };
        cold.into_iter().chain(rules).filter(|at| *at > now).min()
    }

    fn changes(&self, scorer: &Scorer<'_>, now: Timestamp, next: Timestamp) -> Option<Timestamp> {
        let waiting = moving(&self.definition).filter(|condition| condition.may_come_to_hold());
        waiting.filter_map(|condition| scorer.changes_at(condition, now, next)).min()
    }
}

/// What stays as it is from one moment to the next.
#[derive(Default)]
struct Known {
    fit: Option<(Grade, f64)>,
}

/// Both axes, worked out when somebody asks.
struct Lazy<'a> {
    scorer: &'a Scorer<'a>,
    now: Timestamp,
    fit: Cell<Option<(Grade, f64)>>,
    engagement: Cell<Option<(Level, f64)>>,
}

impl Bands for Lazy<'_> {
    fn fit(&self) -> (Grade, f64) {
        let fit = self.fit.get().unwrap_or_else(|| self.scorer.fit(self.now));
        self.fit.set(Some(fit));
        fit
    }

    fn engagement(&self) -> (Level, f64) {
        let engagement = self.engagement.get().unwrap_or_else(|| self.scorer.engagement(self.now));
        self.engagement.set(Some(engagement));
        engagement
    }
}

/// The facts from one moment on.
pub(super) struct Epoch {
    pub from: Timestamp,
    pub values: Context,
    pub bant_positive: usize,
    pub profiling_off: bool,
}

impl Case {
    /// The facts as they were known in the course of time: a field counts from the moment it was written, and until it is
    /// stale. The country of a visit counts from the first one of `times` after it.
    pub(super) fn epochs(&self, definition: &Definition, times: &[Timestamp]) -> Vec<Epoch> {
        let stale = &definition.scoring.facts.stale_after_ms;
        let first = times.first().copied().unwrap_or_default();
        let mut begins: BTreeSet<Timestamp> = [first].into();
        for field in &self.fields {
            begins.insert(field.at);
            begins.extend(stale.get(&field.name).map(|after| field.at.plus_ms(*after)));
        }
        begins.extend(self.profiling_off_at);
        begins.extend(self.company.as_ref().and_then(|place| place.bought_at));
        if !self.fields.iter().any(|field| field.name == "country") {
            begins.extend(self.countries.iter().map(|(at, _)| *at));
        }
        if !self.fields.iter().any(|field| field.name == "region") {
            begins.extend(self.regions.iter().map(|(at, _)| *at));
        }
        let last_before = begins.range(..=first).next_back().copied().unwrap_or(first);
        let mut epochs: Vec<Epoch> = Vec::new();
        let mut former: Option<Facts> = None;
        for from in begins.range(last_before..).copied() {
            let facts = self.facts(definition, from.max(first));
            if former.as_ref() != Some(&facts) {
                epochs.push(Epoch {
                    from,
                    values: facts.values(),
                    bant_positive: facts.bant_positive(),
                    profiling_off: facts.profiling_off,
                });
                former = Some(facts);
            }
        }
        epochs
    }

    /// The facts as of a moment.
    pub fn facts(&self, definition: &Definition, now: Timestamp) -> Facts {
        let stale = &definition.scoring.facts.stale_after_ms;
        let is_fresh =
            |name: &str, at: Timestamp| stale.get(name).is_none_or(|after| now.since_ms(at) < *after);
        let known = self.fields.iter().filter(|field| field.at <= now && is_fresh(&field.name, field.at));
        let fields: BTreeMap<String, String> =
            known.map(|field| (field.name.clone(), field.value.clone())).collect();
        let mut facts = Facts::read(&self.email, &self.language, &fields, &definition.scoring.facts.titles);
        if let Some(place) = &self.company {
            let is_customer = place.bought_at.is_some_and(|bought_at| bought_at <= now);
            facts = facts.works_for(Company { is_customer, ..place.company.clone() });
        }
        facts.profiling_off = self.profiling_off_at.is_some_and(|since| since <= now);
        let latest = |places: &[(Timestamp, String)]| {
            places.iter().rev().find(|(at, _)| *at <= now).map(|(_, place)| place.clone()).unwrap_or_default()
        };
        if facts.country.is_empty() {
            facts.country = latest(&self.countries).to_uppercase();
        }
        if facts.region.is_empty() {
            facts.region = latest(&self.regions);
        }
        facts
    }
}

/// Every condition of a definition that reads activities.
fn conditions(definition: &Definition) -> impl Iterator<Item = &Condition> {
    let scoring = &definition.scoring;
    let fit = scoring.fit.rules.iter().map(|rule| &rule.condition);
    let when = scoring.engagement.rules.iter().filter_map(|rule| match &rule.trigger {
        Trigger::When(condition) => Some(condition),
        Trigger::On { .. } => None,
    });
    let stops = definition.disqualify.iter().map(|rule| &rule.condition);
    fit.chain(when).chain(stops).chain(moving(definition))
}

/// The conditions that move people.
fn moving(definition: &Definition) -> impl Iterator<Item = &Condition> {
    let clauses = definition
        .stages
        .iter()
        .flat_map(|stage| stage.clauses.iter().chain(stage.again.iter().flat_map(|again| &again.clauses)));
    let clauses = clauses.map(|clause| &clause.condition);
    clauses.chain(definition.back.iter().map(|back| &back.condition))
}
