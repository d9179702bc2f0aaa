//! Answers from the visits of a period, one by one, for questions that no count was kept for.

use std::collections::{HashMap, HashSet};

use jiff::tz::TimeZone;

use super::filter::Meant;
use super::{Interval, Question, Sum, Wanted, known, rank};
use crate::base::sketch::hash_of_id;
use crate::base::time::Timestamp;
use crate::sessions::store::visit_of;
use crate::sessions::{Dimension, Known, Measures, Visit, counts, day_in, hour_of};
use crate::sql;
use crate::storage::Result;
use crate::storage::db::{Db, Packed, Queries};

/// Visits that are read at once.
const BATCH: i64 = 10_000;

/// Calls `take` with every visit of people that began in the period and that all filters hold for, in the order in which
/// they began.
pub(super) async fn each(
    db: &Db,
    site: i64,
    question: &Question<'_>,
    known: &Known,
    mut take: impl FnMut(&Visit),
) -> Result<()> {
    let mut filters = Vec::with_capacity(question.filters.len());
    for filter in question.filters {
        filters.push(Meant::of(db, filter).await?);
    }
    let (from, to) = question.period.instants(&question.site.zone());
    let (mut after, mut last) =
        (from, Packed(crate::base::ids::SessionId::from_uuid(uuid::Uuid::nil())).into());
    loop {
        let rows = db
            .read()
            .query(
                sql!(
                    "select id, site, visitor, consent, bot, started_at, last_at, hits, pages, events, engaged_ms,
                         scroll, host, entry, exit, channel, source, medium, campaign, term, content, referrer,
                         country, region, city, network, device, browser, os, language, trail
                     from visits
                     where site = $1 and bot is null and started_at >= $2 and started_at < $3
                         and (started_at > $2 or id > $4)
                     order by started_at, id limit $5"
                ),
                &[site.into(), after.into(), to.into(), last, BATCH.into()],
            )
            .await?;
        for row in &rows {
            let visit = visit_of(row)?;
            after = visit.started_at;
            if filters.iter().all(|filter| filter.holds(&visit, known)) {
                take(&visit);
            }
        }
        match rows.last() {
            Some(row) if i64::try_from(rows.len()).is_ok_and(|rows| rows == BATCH) => {
                last = Packed(row.at::<crate::base::ids::SessionId>(0)?).into();
            }
            _ => return Ok(()),
        }
    }
}

/// A whole and its curve, visit by visit.
struct Curve<'a> {
    zone: &'a TimeZone,
    interval: Interval,
    total: Sum,
    points: HashMap<i64, Sum>,
}

impl<'a> Curve<'a> {
    fn new(zone: &'a TimeZone, interval: Interval) -> Self {
        Self { zone, interval, total: Sum::new(14), points: HashMap::new() }
    }

    fn point(&mut self, at: Timestamp) -> &mut Sum {
        let slot = self.interval.of_day(day_in(Some(self.zone), at)).unwrap_or_else(|| hour_of(at));
        self.points.entry(slot).or_insert_with(|| Sum::new(12))
    }

    fn take(&mut self, visit: &Visit, known: &Known) {
        let hash = hash_of_id(visit.visitor.as_u128());
        let has_begun = visit.pages + visit.events > 0;
        let whole = Measures {
            visits: i64::from(has_begun),
            bounces: i64::from(has_begun && visit.is_bounce()),
            engaged_ms: visit.engaged_ms,
            ..Measures::default()
        };
        self.total.measures += whole;
        self.point(visit.started_at).measures += whole;
        for step in &visit.trail.steps {
            let is_page = step.name == known.page;
            let one =
                Measures { views: i64::from(is_page), events: i64::from(!is_page), ..Measures::default() };
            let point = self.point(step.at);
            point.measures += one;
            point.visitors.insert(hash);
            self.total.measures += one;
            self.total.visitors.insert(hash);
        }
    }
}

/// What the values of a dimension count, visit by visit.
struct Values {
    dimension: Dimension,
    sums: HashMap<i64, Sum>,
}

impl Values {
    fn new(dimension: Dimension) -> Self {
        Self { dimension, sums: HashMap::new() }
    }

    fn take(&mut self, visit: &Visit, known: &Known) {
        let hash = hash_of_id(visit.visitor.as_u128());
        let mut add = |value: i64, measures: Measures, has_visitor: bool| {
            let sum = self.sums.entry(value).or_insert_with(|| Sum::new(12));
            sum.measures += measures;
            if has_visitor {
                sum.visitors.insert(hash);
            }
        };
        match self.dimension {
            Dimension::Page | Dimension::Event => {
                for (value, measures) in steps(visit, self.dimension, known) {
                    add(value, measures, true);
                }
            }
            dimension => counts(visit)
                .filter(|(of, ..)| *of == dimension)
                .for_each(|(_, value, measures)| add(value, measures, dimension != Dimension::Exit)),
        }
    }

    fn largest(mut self, most: usize) -> Vec<(i64, Sum)> {
        let mut ranked: Vec<(i64, Measures)> =
            self.sums.iter().map(|(value, sum)| (*value, sum.measures)).collect();
        rank(&mut ranked);
        ranked.truncate(most);
        ranked.into_iter().filter_map(|(value, _)| self.sums.remove_entry(&value)).collect()
    }
}

pub(super) async fn summary(
    db: &Db,
    site: i64,
    question: &Question<'_>,
    interval: Interval,
) -> Result<(Sum, HashMap<i64, Sum>)> {
    let (known, zone) = (known(db).await?, question.site.zone());
    let mut curve = Curve::new(&zone, interval);
    each(db, site, question, &known, |visit| curve.take(visit, &known)).await?;
    Ok((curve.total, curve.points))
}

pub(super) async fn by(
    db: &Db,
    site: i64,
    question: &Question<'_>,
    dimension: Dimension,
    most: usize,
) -> Result<Vec<(i64, Sum)>> {
    let known = known(db).await?;
    let mut values = Values::new(dimension);
    each(db, site, question, &known, |visit| values.take(visit, &known)).await?;
    Ok(values.largest(most))
}

/// Everything that a page asks, in one walk through the visits.
pub(super) struct Found {
    pub(super) total: Sum,
    pub(super) points: HashMap<i64, Sum>,
    /// In the order of the dimensions that were asked for.
    pub(super) values: Vec<Vec<(i64, Sum)>>,
    /// Visits that reached each goal.
    pub(super) goals: Vec<i64>,
}

pub(super) async fn board(db: &Db, site: i64, question: &Question<'_>, wanted: &Wanted<'_>) -> Result<Found> {
    let (known, zone) = (known(db).await?, question.site.zone());
    let mut meant = Vec::with_capacity(wanted.goals.len());
    for goal in wanted.goals {
        meant.push(Meant::of(db, goal).await?);
    }
    let mut curve = Curve::new(&zone, wanted.interval);
    let mut values: Vec<Values> = wanted.dimensions.iter().map(|of| Values::new(*of)).collect();
    let mut goals = vec![0; meant.len()];
    each(db, site, question, &known, |visit| {
        curve.take(visit, &known);
        values.iter_mut().for_each(|values| values.take(visit, &known));
        for (goal, reached) in meant.iter().zip(&mut goals) {
            *reached += i64::from(goal.holds(visit, &known));
        }
    })
    .await?;
    let values = values.into_iter().map(|values| values.largest(wanted.most)).collect();
    Ok(Found { total: curve.total, points: curve.points, values, goals })
}

/// What a visit counts for each of its pages, or of its events.
fn steps(visit: &Visit, dimension: Dimension, known: &Known) -> Vec<(i64, Measures)> {
    let mut seen = HashSet::new();
    let own =
        visit.trail.steps.iter().filter(|step| (step.name == known.page) == (dimension == Dimension::Page));
    own.map(|step| {
        let value = if dimension == Dimension::Page { step.path } else { step.name };
        let first = i64::from(seen.insert(value));
        let measures = match dimension {
            Dimension::Page => Measures {
                views: 1,
                visits: first,
                engaged_ms: step.engaged_ms,
                scroll: step.scroll,
                ..Measures::default()
            },
            _ => Measures { events: 1, visits: first, ..Measures::default() },
        };
        (value, measures)
    })
    .collect()
}
