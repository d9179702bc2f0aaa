//! Back-test and diff: two definitions over the same lives.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Case, Leak, Model, Move, Question, without_leaks};
use crate::base::email::Email;
use crate::base::ids::ContactId;
use crate::base::time::{DAY_MS, Timestamp};
use crate::scoring::History;
use crate::stages::definition::Definition;

/// How well a definition foretold who would be won, and how much work it would have made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Qualified before the outcome, and there was one.
    pub true_positives: usize,
    /// Qualified, and nothing came of it.
    pub false_positives: usize,
    /// Not qualified, or only when it was decided anyway.
    pub false_negatives: usize,
    /// Rightly left alone.
    pub true_negatives: usize,
    /// Of the false negatives, those who were qualified once it was decided.
    pub late: usize,
    /// Share of the qualified of whom something came; none if nobody was qualified.
    pub precision: Option<f64>,
    /// Share of those of whom something came that were qualified before; none if nothing came of anybody.
    pub recall: Option<f64>,
    /// Contacts that were qualified in each week, by the day its Monday is (UTC); weeks without any are left out.
    pub per_week: BTreeMap<String, usize>,
    /// The mean of them over all weeks of the period.
    pub mean_per_week: f64,
    /// Days from being qualified to the outcome, at the median.
    pub median_lead_days: Option<f64>,
}

/// The answer of a back-test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backtest {
    /// The period.
    pub since: Timestamp,
    /// Its end.
    pub until: Timestamp,
    /// The stage that is foretold with.
    pub qualified: String,
    /// The stages that are foretold: one of them was reached.
    pub outcome: Vec<String>,
    /// The contacts that were looked at: known in the period, and not decided before it.
    pub contacts: usize,
    /// The model's figures.
    pub model: Figures,
    /// Those of the definition that runs.
    pub running: Figures,
    /// Whom the model would have qualified and the running definition would not.
    pub entering: Vec<Email>,
    /// Whom the running definition would have qualified and the model would not.
    pub leaving: Vec<Email>,
    /// The contacts of `entering` and of `leaving`, in the same order.
    #[serde(skip)]
    pub contacts_moved: [Vec<ContactId>; 2],
    /// What the model names as evidence that can only be there after sales has begun to talk: it counted nothing.
    pub refused: Vec<Leak>,
}

/// A back-test on its way.
pub struct Backtester {
    models: [Model; 2],
    tallies: [Tally; 2],
    qualified: String,
    outcome: Vec<String>,
    since: Timestamp,
    until: Timestamp,
    contacts: usize,
    entering: Vec<Email>,
    leaving: Vec<Email>,
    contacts_moved: [Vec<ContactId>; 2],
    refused: Vec<Leak>,
}

#[derive(Default)]
struct Tally {
    figures: Figures,
    weeks: BTreeMap<i64, usize>,
    leads: Vec<i64>,
}

impl Backtester {
    /// Prepares both definitions: what leaks is taken out of both. Stages are named as in the model; nothing if it has no
    /// stage of the name, or none from `outcome` on.
    pub fn new(
        model: &Definition,
        running: &Definition,
        qualified: &str,
        outcome: &str,
        (since, until): (Timestamp, Timestamp),
    ) -> Option<Self> {
        let qualified = model.stage(qualified)?.id.clone();
        let first = model.order(&model.stage(outcome)?.id)?;
        let outcome = model.stages.iter().skip(first).map(|stage| stage.id.clone()).collect();
        let (model, refused) = without_leaks(model, &qualified);
        let (running, _) = without_leaks(running, &qualified);
        Some(Self {
            models: [Model::new(model), Model::new(running)],
            tallies: [Tally::default(), Tally::default()],
            qualified,
            outcome,
            since,
            until,
            contacts: 0,
            entering: Vec::new(),
            leaving: Vec::new(),
            contacts_moved: Default::default(),
            refused,
        })
    }

    /// The figures of all contacts that were asked.
    pub fn finish(self) -> Backtest {
        let weeks = weeks(self.until.since_ms(self.since));
        let [model, running] = self.tallies.map(|tally| tally.figures(weeks));
        Backtest {
            since: self.since,
            until: self.until,
            qualified: self.qualified,
            outcome: self.outcome,
            contacts: self.contacts,
            model,
            running,
            entering: self.entering,
            leaving: self.leaving,
            contacts_moved: self.contacts_moved,
            refused: self.refused,
        }
    }

    /// The stretches in which a model had somebody qualified.
    fn stretches(&self, moves: &[Move]) -> Vec<(Timestamp, Timestamp)> {
        let mut stretches: Vec<(Timestamp, Timestamp)> = Vec::new();
        for step in moves {
            if step.to == self.qualified {
                stretches.push((step.at, Timestamp(i64::MAX)));
            } else if step.from == self.qualified
                && let Some(last) = stretches.last_mut()
            {
                last.1 = step.at;
            }
        }
        stretches
    }
}

impl Question for Backtester {
    fn reads(&self, kind: &str) -> bool {
        self.models.iter().any(|model| model.reads(kind))
    }

    fn ask(&mut self, mut case: Case) {
        let outcome: Vec<&str> = self.outcome.iter().map(String::as_str).collect();
        let decided_at = case.first_in(&outcome).filter(|at| *at <= self.until);
        if case.identified_at > self.until || decided_at.is_some_and(|at| at < self.since) {
            return;
        }
        self.contacts += 1;
        let histories = Histories::new(&mut case, &self.models);
        let mut qualified = [false, false];
        for side in [0, 1] {
            let (Some(model), Some(history)) = (self.models.get(side), histories.get(side)) else { continue };
            let moves = model.replay(&case, history, self.until);
            let stretches = self.stretches(&moves);
            let in_period =
                |stretch: &&(Timestamp, Timestamp)| stretch.1 > self.since && stretch.0 <= self.until;
            let before = |at: Timestamp| at < decided_at.unwrap_or(Timestamp(i64::MAX));
            let first = stretches.iter().filter(in_period).find(|stretch| before(stretch.0));
            let last = stretches.iter().filter(in_period).rev().find(|stretch| before(stretch.0));
            if let Some(is) = qualified.get_mut(side) {
                *is = first.is_some();
            }
            let Some(tally) = self.tallies.get_mut(side) else { continue };
            match (last, decided_at) {
                (Some((entered_at, _)), Some(decided_at)) => {
                    tally.figures.true_positives += 1;
                    tally.leads.push(decided_at.since_ms(*entered_at));
                }
                (Some(_), None) => tally.figures.false_positives += 1,
                (None, Some(_)) => {
                    tally.figures.false_negatives += 1;
                    tally.figures.late += usize::from(!stretches.is_empty());
                }
                (None, None) => tally.figures.true_negatives += 1,
            }
            let entries = stretches.iter().map(|stretch| stretch.0).filter(|at| before(*at));
            for at in entries.filter(|at| *at >= self.since && *at <= self.until) {
                *tally.weeks.entry(week_of(at)).or_default() += 1;
            }
        }
        match qualified {
            [true, false] => {
                self.entering.push(case.email);
                self.contacts_moved[0].push(case.contact);
            }
            [false, true] => {
                self.leaving.push(case.email);
                self.contacts_moved[1].push(case.contact);
            }
            [true, true] | [false, false] => {}
        }
    }
}

impl Tally {
    fn figures(mut self, weeks: f64) -> Figures {
        let mut figures = self.figures;
        let positives = figures.true_positives + figures.false_positives;
        let outcomes = figures.true_positives + figures.false_negatives;
        figures.precision = share(figures.true_positives, positives);
        figures.recall = share(figures.true_positives, outcomes);
        let entries: usize = self.weeks.values().sum();
        figures.mean_per_week = rounded(real(entries) / weeks.max(1.0));
        figures.per_week = self.weeks.into_iter().map(|(week, count)| (monday(week), count)).collect();
        self.leads.sort_unstable();
        let median = match (self.leads.len(), self.leads.len() / 2) {
            (0, _) => None,
            (odd, middle) if odd % 2 == 1 => self.leads.get(middle).map(|ms| days(*ms)),
            (_, middle) => match (self.leads.get(middle - 1), self.leads.get(middle)) {
                (Some(a), Some(b)) => Some((days(*a) + days(*b)) / 2.0),
                _ => None,
            },
        };
        figures.median_lead_days = median.map(rounded);
        figures
    }
}

/// The activities for both models; the same where both count machines alike.
enum Histories {
    One(History),
    Two([History; 2]),
}

impl Histories {
    fn new(case: &mut Case, models: &[Model; 2]) -> Self {
        let activities = std::mem::take(&mut case.activities);
        let [first, second] = models;
        let human = |model: &Model| model.definition.scoring.engagement.human_only;
        if human(first) == human(second) {
            return Self::One(first.definition.scoring.history(activities));
        }
        let other = second.definition.scoring.history(activities.clone());
        Self::Two([first.definition.scoring.history(activities), other])
    }

    fn get(&self, side: usize) -> Option<&History> {
        match self {
            Self::One(history) => Some(history),
            Self::Two(histories) => histories.get(side),
        }
    }
}

/// A contact who would stand elsewhere under another definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Who.
    #[serde(skip)]
    pub contact: ContactId,
    /// Her address.
    pub email: Email,
    /// The stage under the old definition, and the rule that led there.
    pub from: String,
    /// The rule.
    pub from_rule: String,
    /// The stage under the new one.
    pub to: String,
    /// The rule.
    pub to_rule: String,
}

/// A comparison on its way: where everybody would stand had each of two definitions held all the time.
pub struct Differ {
    models: [Model; 2],
    until: Timestamp,
    /// Contacts that were looked at.
    pub contacts: usize,
    /// Those who stand elsewhere, in the order of their ids.
    pub changes: Vec<Change>,
}

impl Differ {
    /// Prepares both definitions.
    pub fn new(old: Definition, new: Definition, until: Timestamp) -> Self {
        Self { models: [Model::new(old), Model::new(new)], until, contacts: 0, changes: Vec::new() }
    }
}

impl Question for Differ {
    fn reads(&self, kind: &str) -> bool {
        self.models.iter().any(|model| model.reads(kind))
    }

    fn ask(&mut self, mut case: Case) {
        if case.identified_at > self.until {
            return;
        }
        self.contacts += 1;
        let histories = Histories::new(&mut case, &self.models);
        let stands = |side: usize| {
            let (model, history) = (self.models.get(side)?, histories.get(side)?);
            let last = model.replay(&case, history, self.until).pop();
            Some(match last {
                Some(step) => (step.to, step.rule),
                None => (model.definition.first().id.clone(), "start".to_owned()),
            })
        };
        if let (Some((from, from_rule)), Some((to, to_rule))) = (stands(0), stands(1))
            && from != to
        {
            self.changes.push(Change {
                contact: case.contact,
                email: case.email,
                from,
                from_rule,
                to,
                to_rule,
            });
        }
    }
}

pub(super) fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| (real(part) / real(whole) * 10_000.0).round() / 10_000.0)
}

/// Counts of contacts are exact in a double.
#[allow(clippy::cast_precision_loss, reason = "counts of contacts are far below 2^53")]
pub(super) fn real(count: usize) -> f64 {
    count as f64
}

fn rounded(n: f64) -> f64 {
    (n * 100.0).round() / 100.0
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of some years are far below 2^53")]
fn days(ms: i64) -> f64 {
    ms as f64 / DAY_MS as f64
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of some years are far below 2^53")]
fn weeks(ms: i64) -> f64 {
    ms as f64 / (7 * DAY_MS) as f64
}

/// The week of a moment; 1970-01-01 was a Thursday.
fn week_of(at: Timestamp) -> i64 {
    (at.0.div_euclid(DAY_MS) + 3).div_euclid(7)
}

fn monday(week: i64) -> String {
    let at = Timestamp((week * 7 - 3) * DAY_MS);
    at.to_jiff().strftime("%Y-%m-%d").to_string()
}
