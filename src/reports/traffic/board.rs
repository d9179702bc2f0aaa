//! Everything that one page shows, asked at once: with filters in a single walk through the visits.

use futures_util::future::try_join_all;

use super::{
    Filter, Goal, Interval, Question, Sum, Summary, Value, by, goals, named, number_of, percent, scan,
    summary, told,
};
use crate::sessions::Dimension;
use crate::storage::Result;
use crate::storage::db::Db;

/// What a page wants to know.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub interval: Interval,
    pub dimensions: &'a [Dimension],
    pub goals: &'a [Filter],
    /// Values of each dimension.
    pub most: usize,
}

/// What it is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Board {
    pub summary: Summary,
    /// In the order of the dimensions.
    pub values: Vec<Vec<Value>>,
    pub goals: Vec<Goal>,
}

/// Everything that a page wants to know.
///
/// # Errors
/// As the store says.
pub async fn board(db: &Db, question: &Question<'_>, wanted: &Wanted<'_>) -> Result<Board> {
    if question.filters.is_empty() {
        let values = wanted.dimensions.iter().map(|of| by(db, question, *of, wanted.most));
        let (summary, values, goals) = tokio::try_join!(
            summary(db, question, wanted.interval),
            try_join_all(values),
            goals(db, question, wanted.goals),
        )?;
        return Ok(Board { summary, values, goals });
    }
    let mut found = match number_of(db, &question.site.key).await? {
        Some(site) => scan::board(db, site, question, wanted).await?,
        None => scan::Found {
            total: Sum::new(12),
            points: std::collections::HashMap::new(),
            values: vec![Vec::new(); wanted.dimensions.len()],
            goals: vec![0; wanted.goals.len()],
        },
    };
    let summary = told(question, wanted.interval, &found.total, &mut found.points);
    let mut values = Vec::with_capacity(found.values.len());
    for of_dimension in found.values {
        values.push(named(db, of_dimension).await?);
    }
    let all = summary.total.visits;
    let goals = wanted.goals.iter().zip(found.goals);
    let goals = goals.map(|(goal, visits)| Goal { goal: goal.text(), visits, rate: percent(visits, all) });
    Ok(Board { summary, values, goals: goals.collect() })
}
