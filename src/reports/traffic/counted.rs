//! Answers from the counts of days and hours.

use std::collections::{HashMap, HashSet};

use super::{Interval, Question, Rank, Sum, day_number, rank_of};
use crate::base::sketch::{Sketch, Union};
use crate::base::time::HOUR_MS;
use crate::sessions::store::{self, Listed, OTHERS, Packing, Span};
use crate::sessions::{Dimension, Key, Map, Measures};
use crate::storage::db::{Db, Queries, Row};
use crate::storage::{Error, Result};
use crate::{params, sql};

pub(super) async fn summary(
    db: &Db,
    site: i64,
    question: &Question<'_>,
    interval: Interval,
) -> Result<(Sum, HashMap<i64, Sum>)> {
    let counts = Counts::read(db, site, question, Dimension::Total, Part::Largest).await?;
    let (mut total, mut visitors) = (Measures::default(), Union::of(Sketch::new(14)));
    let mut points: HashMap<i64, Sum> = HashMap::new();
    for (day, packing) in counts.packed()? {
        for listed in packing.listed() {
            let Listed { measures, sketch: span, .. } = listed?;
            let bytes = packing.visitors(span).ok_or_else(no_sketch)?;
            total += measures;
            visitors.add(bytes).map_err(|_| no_sketch())?;
            if let Some(slot) = interval.of_day(day) {
                let point = points.entry(slot).or_insert_with(|| Sum::new(14));
                point.measures += measures;
                point.visitors.join(&sketch(bytes)?);
            }
        }
    }
    let mut visitors = visitors.joined();
    for (key, count) in store::days(db, counts.open.iter().map(|(key, _)| *key)).await? {
        total += count.measures;
        visitors.join(&count.visitors);
        if let Some(slot) = interval.of_day(key.day) {
            let point = points.entry(slot).or_insert_with(|| Sum::new(14));
            point.measures += count.measures;
            point.visitors.join(&count.visitors);
        }
    }
    if interval == Interval::Hour {
        points = hours(db, site, question).await?;
    }
    Ok((Sum { measures: total, visitors }, points))
}

async fn hours(db: &Db, site: i64, question: &Question<'_>) -> Result<HashMap<i64, Sum>> {
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
    let sum = |row: &Row| {
        let visitors = sketch(row.bytes(7)?.unwrap_or_default())?;
        Ok((row.at(0)?, Sum { measures: measures(row, 1)?, visitors }))
    };
    rows.iter().map(sum).collect()
}

pub(super) async fn by(
    db: &Db,
    site: i64,
    question: &Question<'_>,
    dimension: Dimension,
    most: usize,
) -> Result<Vec<(i64, Sum)>> {
    let mut counts = Counts::read(db, site, question, dimension, Part::Largest).await?;
    let mut told = counts.largest(most)?;
    if told.is_none() {
        // On some day one of them is not among the first.
        counts = Counts::read(db, site, question, dimension, Part::All).await?;
        told = counts.largest(most)?;
    }
    let mut told = told.ok_or_else(no_sketch)?;
    let values: HashSet<i64> = told.iter().map(|(value, _)| *value).collect();
    let keys = counts.open.iter().map(|(key, _)| *key).filter(|key| values.contains(&key.value));
    for (key, count) in store::days(db, keys).await? {
        if let Some((_, sum)) = told.iter_mut().find(|(value, _)| *value == key.value) {
            sum.visitors.join(&count.visitors);
        }
    }
    Ok(told)
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
    let mut take = |day, found, measures| {
        if found == value {
            sums += measures;
            listed.insert(day);
        } else if found == OTHERS {
            hidden.insert(day);
        }
    };
    let counts = Counts::read(db, site, question, dimension, Part::Largest).await?;
    for (day, packing) in counts.packed()? {
        for found in packing.listed() {
            let Listed { value, measures, .. } = found?;
            take(day, value, measures);
        }
    }
    for (key, measures) in counts.open {
        take(key.day, key.value, measures);
    }
    Ok(hidden.is_subset(&listed).then_some(sums))
}

/// Which sketches of a packed day are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Largest,
    All,
}

/// The counts of one dimension in the days of a question.
struct Counts {
    /// Days that rest or are closed: their number and their packing.
    packed: Vec<Row>,
    /// What was counted since the days were packed, if they ever were.
    open: Vec<(Key, Measures)>,
}

impl Counts {
    async fn read(
        db: &Db,
        site: i64,
        question: &Question<'_>,
        dimension: Dimension,
        part: Part,
    ) -> Result<Self> {
        let (from, to) = (day_number(question.period.from), day_number(question.period.to));
        let binds = params![site, dimension.number(), from, to];
        let packed = match part {
            Part::Largest => sql!(
                "select day, body, largest from traffic_closed
                 where site = $1 and dimension = $2 and day between $3 and $4
                 union all
                 select day, body, largest from traffic_resting
                 where site = $1 and dimension = $2 and day between $3 and $4"
            ),
            Part::All => sql!(
                "select day, body, largest, rest from traffic_closed
                 where site = $1 and dimension = $2 and day between $3 and $4
                 union all
                 select day, body, largest, rest from traffic_resting
                 where site = $1 and dimension = $2 and day between $3 and $4"
            ),
        };
        // Packed days first: one that is packed between the two reads is missing once, never there twice.
        let packed = db.read().query(packed, binds).await?;
        let open = db
            .read()
            .query(
                sql!(
                    "select day, value, views, visits, bounces, engaged_ms, events, scroll
                     from traffic_days where site = $1 and dimension = $2 and day between $3 and $4"
                ),
                binds,
            )
            .await?;
        let open = open.iter().map(|row| {
            let key = Key { site, dimension, day: row.at(0)?, value: row.at(1)? };
            Ok((key, measures(row, 2)?))
        });
        Ok(Self { open: open.collect::<Result<_>>()?, packed })
    }

    /// The packed days.
    fn packed(&self) -> Result<Vec<(i64, Packing<'_>)>> {
        self.packed.iter().map(|row| Ok((row.at(0)?, Packing::of_row(row, 1)?))).collect()
    }

    /// The largest values in order, without who was there on open days; nothing if that takes sketches that were not read.
    fn largest(&self, most: usize) -> Result<Option<Vec<(i64, Sum)>>> {
        let days = self.packed()?;
        let mut sums = Sums::default();
        // Who was where, told by numbers: most of it is never looked at.
        let mut seen: Vec<(usize, usize, Span)> = Vec::new();
        for (day, (_, packing)) in days.iter().enumerate() {
            for listed in packing.listed() {
                let Listed { value, measures, sketch } = listed?;
                seen.push((sums.add(value, measures), day, sketch));
            }
        }
        for (key, measures) in &self.open {
            sums.add(key.value, *measures);
        }
        let largest = sums.largest(most);
        let mut ranks = vec![None; sums.0.len()];
        for (rank, at) in largest.iter().enumerate() {
            if let Some(place) = ranks.get_mut(*at) {
                *place = Some(rank);
            }
        }
        let mut visitors = vec![Union::of(Sketch::new(12)); largest.len()];
        for (at, day, sketch) in seen {
            let rank = ranks.get(at).copied().flatten();
            let (Some(union), Some((_, packing))) =
                (rank.and_then(|rank| visitors.get_mut(rank)), days.get(day))
            else {
                continue;
            };
            let Some(bytes) = packing.visitors(sketch) else { return Ok(None) };
            union.add(bytes).map_err(|_| no_sketch())?;
        }
        let told = largest.into_iter().zip(visitors).filter_map(|(at, visitors)| {
            let (value, measures) = *sums.0.get(at)?;
            Some((value, Sum { measures, visitors: visitors.joined() }))
        });
        Ok(Some(told.collect()))
    }
}

/// What values count, each at a place of its own.
#[derive(Default)]
struct Sums(Vec<(i64, Measures)>, Map<i64, usize>);

impl Sums {
    /// Adds to a value, and returns its place.
    fn add(&mut self, value: i64, measures: Measures) -> usize {
        let at = *self.1.entry(value).or_insert(self.0.len());
        match self.0.get_mut(at) {
            Some((_, sum)) => *sum += measures,
            None => self.0.push((value, measures)),
        }
        at
    }

    /// The places of the largest that count anything, in order.
    fn largest(&self, most: usize) -> Vec<usize> {
        let mut ranked: Vec<(Rank, usize)> = (self.0.iter().zip(0..))
            .filter(|((_, sums), _)| !sums.is_nothing())
            .map(|((value, sums), at)| (rank_of(*value, sums), at))
            .collect();
        if ranked.len() > most {
            ranked.select_nth_unstable(most);
            ranked.truncate(most);
        }
        ranked.sort_unstable();
        ranked.into_iter().map(|(_, at)| at).collect()
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
    Sketch::of_bytes(bytes).map_err(|_| no_sketch())
}

fn no_sketch() -> Error {
    Error::Shape { column: "visitors".to_owned(), wanted: "a sketch" }
}
