//! How many reached a goal, and how many got how far on a way of several steps.

use std::collections::HashMap;

use serde::Serialize;

use super::filter::Meant;
use super::{Filter, Question, Unreadable, counted, known, number_of, percent, scan};
use crate::base::ids::{ContactId, VisitorId};
use crate::base::time::Timestamp;
use crate::sessions::{Dimension, Known, Measures, Visit};
use crate::storage::Result;
use crate::storage::db::{Db, Queries};
use crate::{params, sql};

/// A goal and how often it was reached.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Goal {
    /// `page:/thanks`, `event:signup`, ….
    pub goal: String,
    /// Visits in which it was reached.
    pub visits: i64,
    /// Of all visits of the question, in percent.
    pub rate: f64,
}

/// A step of a funnel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stage {
    pub step: String,
    /// Who got here, having taken all steps before in this order, in one visit or several of the period.
    pub visitors: i64,
    /// Of those at the first step, in percent.
    pub of_first: f64,
    /// Of those at the step before, in percent.
    pub of_previous: f64,
}

/// In how many visits each goal was reached.
///
/// # Errors
/// As the store says.
pub async fn goals(db: &Db, question: &Question<'_>, goals: &[Filter]) -> Result<Vec<Goal>> {
    if goals.is_empty() {
        return Ok(Vec::new());
    }
    let Some(site) = number_of(db, &question.site.key).await? else { return Ok(Vec::new()) };
    let (visits, all) = match counted_goals(db, site, question, goals).await? {
        Some(counted) => counted,
        None => scanned_goals(db, site, question, goals).await?,
    };
    let told = goals.iter().zip(visits);
    Ok(told.map(|(goal, visits)| Goal { goal: goal.text(), visits, rate: percent(visits, all) }).collect())
}

/// Where each goal is one value of one dimension and nothing is filtered, somebody has counted already.
async fn counted_goals(
    db: &Db,
    site: i64,
    question: &Question<'_>,
    goals: &[Filter],
) -> Result<Option<(Vec<i64>, i64)>> {
    if !question.filters.is_empty() {
        return Ok(None);
    }
    let mut visits = Vec::with_capacity(goals.len());
    for goal in goals {
        let Some(text) = goal.exact() else { return Ok(None) };
        let reached = match number_of(db, text).await? {
            Some(number) => counted::of_value(db, site, question, goal.dimension, number).await?,
            None => Some(Measures::default()),
        };
        let Some(reached) = reached else { return Ok(None) };
        visits.push(reached.visits);
    }
    let all = counted::summary(db, site, question, super::Interval::Day).await?.0.measures.visits;
    Ok(Some((visits, all)))
}

async fn scanned_goals(
    db: &Db,
    site: i64,
    question: &Question<'_>,
    goals: &[Filter],
) -> Result<(Vec<i64>, i64)> {
    let (mut visits, mut all) = (vec![0; goals.len()], 0);
    let (known, meant) = (known(db).await?, meant(db, goals).await?);
    scan::each(db, site, question, &known, |visit| {
        all += i64::from(visit.pages + visit.events > 0);
        for (goal, visits) in meant.iter().zip(&mut visits) {
            *visits += i64::from(goal.holds(visit, &known));
        }
    })
    .await?;
    Ok((visits, all))
}

async fn meant(db: &Db, filters: &[Filter]) -> Result<Vec<Meant>> {
    let mut meant = Vec::with_capacity(filters.len());
    for filter in filters {
        meant.push(Meant::of(db, filter).await?);
    }
    Ok(meant)
}

/// A step of a way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A page that was seen, or an event that happened.
    Seen(Filter),
    /// A stage of the lifecycle that was reached, or one behind it.
    Reached(String),
}

impl Step {
    /// Reads `page:/prices`, `event:signup` or `stage:mql`.
    ///
    /// # Errors
    /// [`Unreadable`], also for what cannot be a step.
    pub fn read(text: &str) -> std::result::Result<Self, Unreadable> {
        if let Some(stage) = text.strip_prefix("stage:") {
            let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
            let is_stage = !stage.is_empty() && stage.len() <= 64 && stage.chars().all(is_name);
            return if is_stage { Ok(Self::Reached(stage.to_owned())) } else { Err(Unreadable::new(text)) };
        }
        let filter = Filter::read(text)?;
        let is_step = matches!(filter.dimension, Dimension::Page | Dimension::Event) && !filter.is_not;
        if is_step { Ok(Self::Seen(filter)) } else { Err(Unreadable::new(text)) }
    }

    /// The step as it was written.
    pub fn text(&self) -> String {
        match self {
            Self::Seen(filter) => filter.text(),
            Self::Reached(stage) => format!("stage:{stage}"),
        }
    }
}

/// How many people took the steps of each way one after the other.
///
/// A person is a visitor; where a way has stages, the visitors of one contact are one. `stages` are the lifecycle's, from
/// the first to the last: who skips one has got there, too.
///
/// # Errors
/// As the stores say.
pub async fn funnels(
    db: &Db,
    hits: &Db,
    question: &Question<'_>,
    ways: &[Vec<Step>],
    stages: &[&str],
) -> Result<Vec<Vec<Stage>>> {
    let mut walks = Vec::with_capacity(ways.len());
    for way in ways {
        walks.push(Walk { steps: meant_steps(hits, way, stages).await?, reached: HashMap::new() });
    }
    let changes = match walks.iter().any(Walk::has_stages) {
        true => Changes::read(db, question, stages).await?,
        false => Changes::default(),
    };
    if let Some(site) = number_of(hits, &question.site.key).await? {
        let known = known(hits).await?;
        scan::each(hits, site, question, &known, |visit| {
            walks.iter_mut().for_each(|walk| walk.take(visit, &known, &changes));
        })
        .await?;
    }
    Ok(walks.into_iter().zip(ways).map(|(walk, way)| walk.told(way, &changes)).collect())
}

async fn meant_steps(hits: &Db, way: &[Step], stages: &[&str]) -> Result<Vec<MeantStep>> {
    let mut meant = Vec::with_capacity(way.len());
    for step in way {
        meant.push(match step {
            Step::Seen(filter) => MeantStep::Seen(Meant::of(hits, filter).await?),
            Step::Reached(stage) => MeantStep::Reached(stages.iter().position(|known| known == stage)),
        });
    }
    Ok(meant)
}

/// A step with what it means in numbers.
enum MeantStep {
    Seen(Meant),
    /// The stage's place; none if the lifecycle has no such stage any more.
    Reached(Option<usize>),
}

/// Which contacts came into which stages within the period.
#[derive(Default)]
struct Changes {
    /// Whose visitors these are.
    contacts: HashMap<u128, u128>,
    /// When they came into the stages of these places, the earliest first.
    stages: HashMap<u128, Vec<(Timestamp, usize)>>,
}

impl Changes {
    async fn read(db: &Db, question: &Question<'_>, stages: &[&str]) -> Result<Self> {
        let (from, to) = question.period.instants(&question.site.zone());
        let rows = db
            .read()
            .query(
                sql!(
                    "select v.id, v.contact_id, i.stage, i.entered_at
                     from stage_intervals i join visitors v on v.contact_id = i.contact_id
                     where i.entered_at >= $1 and i.entered_at < $2 and v.site = $3
                     order by i.entered_at, i.id"
                ),
                params![from, to, &question.site.key],
            )
            .await?;
        let mut changes = Self::default();
        for row in &rows {
            let visitor: VisitorId = row.at(0)?;
            let contact: ContactId = row.at(1)?;
            let (stage, at): (String, Timestamp) = (row.at(2)?, row.at(3)?);
            changes.contacts.insert(visitor.as_u128(), contact.as_u128());
            if let Some(place) = stages.iter().position(|known| *known == stage) {
                let of_contact = changes.stages.entry(contact.as_u128()).or_default();
                // A contact with several devices comes once for each.
                if of_contact.last() != Some(&(at, place)) {
                    of_contact.push((at, place));
                }
            }
        }
        Ok(changes)
    }

    fn of(&self, person: u128) -> &[(Timestamp, usize)] {
        self.stages.get(&person).map_or(&[], Vec::as_slice)
    }
}

/// How far somebody has got.
#[derive(Default)]
struct Reached {
    steps: usize,
    /// Changes of her stage that were looked at.
    changes: usize,
}

/// A way, and who has got how far on it.
struct Walk {
    steps: Vec<MeantStep>,
    reached: HashMap<u128, Reached>,
}

impl Walk {
    fn has_stages(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, MeantStep::Reached(_)))
    }

    fn take(&mut self, visit: &Visit, known: &Known, changes: &Changes) {
        let visitor = visit.visitor.as_u128();
        let person = match self.has_stages() {
            true => changes.contacts.get(&visitor).copied().unwrap_or(visitor),
            false => visitor,
        };
        let changes = changes.of(person);
        let reached = self.reached.entry(person).or_default();
        for step in &visit.trail.steps {
            reached.rise(&self.steps, changes, Some(step.at));
            if let Some(MeantStep::Seen(next)) = self.steps.get(reached.steps)
                && next.is_step(step.name, step.path, known)
            {
                reached.steps += 1;
            }
        }
    }

    fn told(mut self, way: &[Step], changes: &Changes) -> Vec<Stage> {
        for (person, reached) in &mut self.reached {
            reached.rise(&self.steps, changes.of(*person), None);
        }
        let got_to = |step: usize| {
            i64::try_from(self.reached.values().filter(|reached| reached.steps > step).count())
                .unwrap_or(i64::MAX)
        };
        let first = got_to(0);
        let mut before = first;
        let told = way.iter().enumerate().map(|(at, step)| {
            let visitors = got_to(at);
            let stage = Stage {
                step: step.text(),
                visitors,
                of_first: percent(visitors, first),
                of_previous: percent(visitors, before),
            };
            before = visitors;
            stage
        });
        told.collect()
    }
}

impl Reached {
    /// Takes the stages that somebody had come into by a moment, or ever after.
    fn rise(&mut self, steps: &[MeantStep], changes: &[(Timestamp, usize)], until: Option<Timestamp>) {
        while let Some((at, stage)) = changes.get(self.changes) {
            if until.is_some_and(|until| *at > until) {
                return;
            }
            // One change may stand for several steps: who skips a stage has got there, too.
            while let Some(MeantStep::Reached(Some(wanted))) = steps.get(self.steps)
                && stage >= wanted
            {
                self.steps += 1;
            }
            self.changes += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_and_written_the_same() {
        for text in ["page:/", "event:signup", "stage:mql", "page:/blog/*"] {
            assert_eq!(Step::read(text).expect(text).text(), text);
        }
        for text in ["", "stage:", "stage:A b", "country:ES", "!page:/", "page:"] {
            assert!(Step::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn stages_count_only_after_the_step_before_and_who_skips_one_has_got_there() {
        let steps = [MeantStep::Reached(Some(1)), MeantStep::Reached(Some(2)), MeantStep::Reached(None)];
        let changes = [(Timestamp(5), 0), (Timestamp(9), 2)];
        let mut reached = Reached::default();
        reached.rise(&steps, &changes, Some(Timestamp(8)));
        assert_eq!(reached.steps, 0, "a lead is no MQL");
        reached.rise(&steps, &changes, None);
        assert_eq!(reached.steps, 2, "from lead to SQL at once; a stage that is gone is reached by nobody");
        let late = [MeantStep::Reached(Some(2))];
        let mut behind = Reached { steps: 0, changes: 2 };
        behind.rise(&late, &changes, None);
        assert_eq!(behind.steps, 0, "what happened before the step does not count");
    }
}
