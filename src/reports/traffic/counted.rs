//! Answers from the counts of days and hours.

use std::collections::{HashMap, HashSet};

use super::{Interval, Question, Sum, day_number, rank};
use crate::base::sketch::Sketch;
use crate::base::time::HOUR_MS;
use crate::sessions::store::{Closed, OTHERS, unpacked};
use crate::sessions::{Dimension, Measures};
use crate::storage::db::{Db, Queries, Row};
use crate::storage::{Error, Result};
use crate::{params, sql};

pub(super) async fn summary(
    db: &Db,
    site: i64,
    question: &Question<'_>,
    interval: Interval,
) -> Result<(Sum, HashMap<i64, Sum>)> {
    let counts = Counts::read(db, site, question, Dimension::Total).await?;
    let mut total = Sum::new(14);
    let mut points: HashMap<i64, Sum> = HashMap::new();
    counts.each(|day, value| {
        total.measures += value.measures;
        let visitors = value.visitors()?;
        total.visitors.join(&visitors);
        if interval == Interval::Day {
            let point = points.entry(day).or_insert_with(|| Sum::new(14));
            point.measures += value.measures;
            point.visitors.join(&visitors);
        }
        Ok(())
    })?;
    if interval == Interval::Hour {
        let (from, to) = question.period.instants(&question.site.zone());
        let rows = db
            .read()
            .query(
                sql!(
                    "select hour, views, visits, bounces, engaged_ms, events, scroll, visitors from traffic_hours
                     where site = $1 and hour >= $2 and hour < $3"
                ),
                params![site, from.as_ms().div_euclid(HOUR_MS), to.as_ms().div_euclid(HOUR_MS)],
            )
            .await?;
        for row in &rows {
            let visitors: Vec<u8> = row.at(7)?;
            points.insert(row.at(0)?, Sum { measures: measures(row, 1)?, visitors: sketch(&visitors)? });
        }
    }
    Ok((total, points))
}

pub(super) async fn by(
    db: &Db,
    site: i64,
    question: &Question<'_>,
    dimension: Dimension,
    most: usize,
) -> Result<Vec<(i64, Sum)>> {
    let counts = Counts::read(db, site, question, dimension).await?;
    let mut sums: HashMap<i64, Measures> = HashMap::new();
    counts.each(|_, value| {
        *sums.entry(value.value).or_default() += value.measures;
        Ok(())
    })?;
    let mut ranked: Vec<(i64, Measures)> = sums.into_iter().filter(|(_, sums)| !sums.is_nothing()).collect();
    rank(&mut ranked);
    ranked.truncate(most);
    // Only of those that are told is it asked who they were.
    let mut told: HashMap<i64, Sketch> = ranked.iter().map(|(value, _)| (*value, Sketch::new(12))).collect();
    counts.each(|_, value| {
        if let Some(visitors) = told.get_mut(&value.value) {
            visitors.join(&value.visitors()?);
        }
        Ok(())
    })?;
    let sum = |(value, measures): (i64, Measures)| {
        let visitors = told.remove(&value).unwrap_or_else(|| Sketch::new(12));
        (value, Sum { measures, visitors })
    };
    Ok(ranked.into_iter().map(sum).collect())
}

/// What one value of a dimension counts in the whole period; nothing if a closed day may hold it among its others.
pub(super) async fn of_value(
    db: &Db,
    site: i64,
    question: &Question<'_>,
    dimension: Dimension,
    value: i64,
) -> Result<Option<Measures>> {
    let (mut sums, mut listed, mut hidden) = (Measures::default(), HashSet::new(), HashSet::new());
    Counts::read(db, site, question, dimension).await?.each(|day, found| {
        if found.value == value {
            sums += found.measures;
            listed.insert(day);
        } else if found.value == OTHERS {
            hidden.insert(day);
        }
        Ok(())
    })?;
    Ok(hidden.is_subset(&listed).then_some(sums))
}

/// The counts of one dimension in the days of a question: rows of open days, packed bodies of closed ones.
struct Counts {
    open: Vec<(i64, i64, Measures, Vec<u8>)>,
    closed: Vec<(i64, Vec<u8>)>,
}

impl Counts {
    async fn read(db: &Db, site: i64, question: &Question<'_>, dimension: Dimension) -> Result<Self> {
        let binds = params![
            site,
            dimension.number(),
            day_number(question.period.from),
            day_number(question.period.to)
        ];
        // Closed days first: one that is closed between the two reads is missing once, never there twice.
        let closed = db
            .read()
            .query(
                sql!(
                    "select day, body from traffic_closed
                     where site = $1 and dimension = $2 and day between $3 and $4"
                ),
                binds,
            )
            .await?;
        let open = db
            .read()
            .query(
                sql!(
                    "select day, value, views, visits, bounces, engaged_ms, events, scroll, visitors
                     from traffic_days where site = $1 and dimension = $2 and day between $3 and $4"
                ),
                binds,
            )
            .await?;
        Ok(Self {
            open: open
                .iter()
                .map(|row| Ok((row.at(0)?, row.at(1)?, measures(row, 2)?, row.at(8)?)))
                .collect::<Result<_>>()?,
            closed: closed.iter().map(|row| Ok((row.at(0)?, row.at(1)?))).collect::<Result<_>>()?,
        })
    }

    /// Calls `take` with every day and value.
    fn each(&self, mut take: impl FnMut(i64, &Closed<'_>) -> Result<()>) -> Result<()> {
        for (day, value, measures, visitors) in &self.open {
            take(*day, &Closed::of(*value, *measures, visitors))?;
        }
        for (day, body) in &self.closed {
            for value in unpacked(body)? {
                take(*day, &value)?;
            }
        }
        Ok(())
    }
}

fn measures(row: &Row, first: usize) -> Result<Measures> {
    Ok(Measures {
        views: row.at(first)?,
        visits: row.at(first + 1)?,
        bounces: row.at(first + 2)?,
        engaged_ms: row.at(first + 3)?,
        events: row.at(first + 4)?,
        scroll: row.at(first + 5)?,
    })
}

fn sketch(bytes: &[u8]) -> Result<Sketch> {
    Sketch::of_bytes(bytes).map_err(|_| Error::Shape { column: "visitors".to_owned(), wanted: "a sketch" })
}
