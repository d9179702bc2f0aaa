//! How many reached a goal, and how many got how far on a way of several steps.

use std::collections::HashMap;

use serde::Serialize;

use super::filter::Meant;
use super::{Filter, Question, counted, known, number_of, percent, scan};
use crate::sessions::Measures;
use crate::storage::Result;
use crate::storage::db::Db;

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

/// How many visitors took these steps one after the other; each a page or an event.
///
/// # Errors
/// As the store says.
pub async fn funnel(db: &Db, question: &Question<'_>, steps: &[Filter]) -> Result<Vec<Stage>> {
    let Some(site) = number_of(db, &question.site.key).await? else { return Ok(Vec::new()) };
    let known = known(db).await?;
    let meant = meant(db, steps).await?;
    let mut reached: HashMap<u128, usize> = HashMap::new();
    scan::each(db, site, question, &known, |visit| {
        let at = reached.entry(visit.visitor.as_u128()).or_default();
        for step in &visit.trail.steps {
            if meant.get(*at).is_some_and(|next| next.is_step(step.name, step.path, &known)) {
                *at += 1;
            }
        }
    })
    .await?;
    let got_to = |step: usize| {
        i64::try_from(reached.values().filter(|reached| **reached > step).count()).unwrap_or(i64::MAX)
    };
    let first = got_to(0);
    let mut before = first;
    let told = steps.iter().enumerate().map(|(at, step)| {
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
    Ok(told.collect())
}
