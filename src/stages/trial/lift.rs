//! Which rules tell the won from the others.

use serde::Serialize;

use super::compare::share;
use super::leaks::is_leak;
use super::{Case, Leak, Model, Question, without_leaks};
use crate::base::localized::Localized;
use crate::base::time::Timestamp;
use crate::scoring::{Grade, Level, Scorer};
use crate::stages::definition::Definition;

/// Fewer contacts say nothing.
const LEAST: usize = 30;

/// The answer: every rule of both axes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lift {
    /// Contacts known since then.
    pub since: Timestamp,
    /// Up to now.
    pub until: Timestamp,
    /// The stages that are a win.
    pub outcome: Vec<String>,
    /// How many were won.
    pub won: usize,
    /// How many were not, or not yet.
    pub not_won: usize,
    /// The rules, in the order of the file, fit first.
    pub rules: Vec<RuleLift>,
    /// The bands: the grades of fit, then the levels of engagement, the best first.
    pub bands: Vec<BandLift>,
}

/// One band of an axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BandLift {
    /// `fit` or `engagement`.
    pub axis: &'static str,
    /// `A` to `D`, or `1` to `4`.
    pub band: String,
    /// Contacts in it.
    pub n: usize,
    /// Share of the won in it.
    pub of_won: Option<f64>,
    /// Share of the others in it.
    pub of_not_won: Option<f64>,
    /// The first divided by the second; none where there is nothing to divide by, or too few.
    pub lift: Option<f64>,
    /// Whether `n` is too small to say anything.
    pub is_insufficient: bool,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleLift {
    /// Its name.
    pub rule: String,
    /// Its words.
    pub label: Localized,
    /// Its points.
    pub points: f64,
    /// Contacts with it.
    pub n: usize,
    /// Share of the won with it.
    pub of_won: Option<f64>,
    /// Share of the others with it.
    pub of_not_won: Option<f64>,
    /// The first divided by the second; none where there is nothing to divide by, or too few.
    pub lift: Option<f64>,
    /// Whether `n` is too small to say anything.
    pub is_insufficient: bool,
    /// Whether it can only hold once sales talks: no evidence for an MQL.
    pub looks_ahead: bool,
}

/// A count on its way.
pub struct Lifter {
    model: Model,
    outcome: Vec<String>,
    since: Timestamp,
    until: Timestamp,
    totals: [usize; 2],
    /// For each rule, how many of the others and of the won have it; fit first.
    counts: Vec<[usize; 2]>,
    /// Likewise for the four grades and the four levels.
    bands: [[usize; 2]; 8],
    leaks: Vec<Leak>,
}

impl Lifter {
    /// Prepares the count; nothing if the definition has no stage of the name.
    pub fn new(
        definition: Definition,
        outcome: &str,
        (since, until): (Timestamp, Timestamp),
    ) -> Option<Self> {
        let first = definition.order(&definition.stage(outcome)?.id)?;
        let outcome = definition.stages.iter().skip(first).map(|stage| stage.id.clone()).collect();
        let last = definition.stages.last().map(|stage| stage.id.clone()).unwrap_or_default();
        let leaks = without_leaks(&definition, &last).1;
        let rules = definition.scoring.fit.rules.len() + definition.scoring.engagement.rules.len();
        Some(Self {
            model: Model::new(definition),
            outcome,
            since,
            until,
            totals: [0, 0],
            counts: vec![[0, 0]; rules],
            bands: [[0, 0]; 8],
            leaks,
        })
    }

    /// The shares of all contacts that were asked.
    pub fn finish(self) -> Lift {
        let [not_won, won] = self.totals;
        let scoring = &self.model.definition.scoring;
        let fit = scoring.fit.rules.iter().map(|rule| (&rule.id, &rule.label, rule.points));
        let engagement = scoring.engagement.rules.iter().map(|rule| (&rule.id, &rule.label, rule.points));
        let rules = fit.chain(engagement).zip(&self.counts).map(|((id, label, points), [without, with])| {
            let Shares { n, of_won, of_not_won, lift, is_insufficient } =
                Shares::of([*without, *with], [not_won, won]);
            RuleLift {
                rule: id.clone(),
                label: label.clone(),
                points,
                n,
                of_won,
                of_not_won,
                lift,
                is_insufficient,
                looks_ahead: is_leak(&self.leaks, id),
            }
        });
        let grades = Grade::ALL.iter().map(|grade| ("fit", grade.letter().to_owned()));
        let levels = Level::ALL.iter().map(|level| ("engagement", level.0.to_string()));
        let bands = grades.chain(levels).zip(self.bands).map(|((axis, band), counts)| {
            let Shares { n, of_won, of_not_won, lift, is_insufficient } = Shares::of(counts, [not_won, won]);
            BandLift { axis, band, n, of_won, of_not_won, lift, is_insufficient }
        });
        let bands = bands.collect();
        Lift {
            since: self.since,
            until: self.until,
            won,
            not_won,
            rules: rules.collect(),
            bands,
            outcome: self.outcome,
        }
    }
}

/// How many have something, as shares of the won and of the others.
struct Shares {
    n: usize,
    of_won: Option<f64>,
    of_not_won: Option<f64>,
    lift: Option<f64>,
    is_insufficient: bool,
}

impl Shares {
    /// Of the others and of the won: how many have it, and how many there are.
    fn of([without, with]: [usize; 2], [not_won, won]: [usize; 2]) -> Self {
        let n = without + with;
        let (of_won, of_not_won) = (share(with, won), share(without, not_won));
        let is_insufficient = n < LEAST;
        let both = of_won.zip(of_not_won).filter(|(_, others)| *others > 0.0 && !is_insufficient);
        let lift = both.map(|(won, others)| (won / others * 100.0).round() / 100.0);
        Self { n, of_won, of_not_won, lift, is_insufficient }
    }
}

impl Question for Lifter {
    fn reads(&self, kind: &str) -> bool {
        self.model.reads(kind)
    }

    fn ask(&mut self, case: Case) {
        let outcome: Vec<&str> = self.outcome.iter().map(String::as_str).collect();
        let won_at = case.first_in(&outcome).filter(|at| *at <= self.until);
        if case.identified_at > self.until || won_at.is_some_and(|at| at < self.since) {
            return;
        }
        // Only what was so before it was decided can have had a part in it.
        let cutoff = won_at.map_or(self.until, |at| at.plus_ms(-1));
        let definition = &self.model.definition;
        let facts = case.facts(definition, cutoff);
        let values = facts.values();
        let history = definition.scoring.history(case.activities);
        let scorer = Scorer::new(&definition.scoring, &values, &history);
        let side = usize::from(won_at.is_some());
        if let Some(total) = self.totals.get_mut(side) {
            *total += 1;
        }
        let (grade, level) = (scorer.fit(cutoff).0, scorer.engagement(cutoff).0);
        let band_of_fit = Grade::ALL.iter().position(|known| *known == grade);
        let band_of_engagement = Level::ALL.iter().position(|known| *known == level).map(|index| index + 4);
        for band in [band_of_fit, band_of_engagement].into_iter().flatten() {
            if let Some(count) = self.bands.get_mut(band).and_then(|counts| counts.get_mut(side)) {
                *count += 1;
            }
        }
        let fitting: Vec<&str> = scorer.fitting(cutoff).map(|rule| rule.id.as_str()).collect();
        let engaging: Vec<&str> = scorer.engaging(cutoff).map(|rule| rule.id.as_str()).collect();
        let fit = definition.scoring.fit.rules.iter().map(|rule| fitting.contains(&rule.id.as_str()));
        let engagement = definition.scoring.engagement.rules.iter();
        let engagement = engagement.map(|rule| engaging.contains(&rule.id.as_str()));
        for (has, counts) in fit.chain(engagement).zip(&mut self.counts) {
            if let Some(count) = counts.get_mut(side).filter(|_| has) {
                *count += 1;
            }
        }
    }
}
