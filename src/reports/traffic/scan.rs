//! Answers from the visits of a period, one by one, for questions that no count was kept for.

use std::collections::{HashMap, HashSet};

use super::filter::Meant;
use super::{Interval, Question, Sum, known, rank};
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

pub(super) async fn summary(
    db: &Db,
    site: i64,
    question: &Question<'_>,
    interval: Interval,
) -> Result<(Sum, HashMap<i64, Sum>)> {
    let (known, zone) = (known(db).await?, question.site.zone());
    let (mut total, mut points) = (Sum::new(14), HashMap::new());
    let slot = |at: Timestamp| match interval {
        Interval::Day => day_in(Some(&zone), at),
        Interval::Hour => hour_of(at),
    };
    each(db, site, question, &known, |visit| {
        let hash = hash_of_id(visit.visitor.as_u128());
        let has_begun = visit.pages + visit.events > 0;
        let whole = Measures {
            visits: i64::from(has_begun),
            bounces: i64::from(has_begun && visit.is_bounce()),
            engaged_ms: visit.engaged_ms,
            ..Measures::default()
        };
        total.measures += whole;
        points.entry(slot(visit.started_at)).or_insert_with(|| Sum::new(12)).measures += whole;
        for step in &visit.trail.steps {
            let is_page = step.name == known.page;
            let one =
                Measures { views: i64::from(is_page), events: i64::from(!is_page), ..Measures::default() };
            let point = points.entry(slot(step.at)).or_insert_with(|| Sum::new(12));
            point.measures += one;
            point.visitors.insert(hash);
            total.measures += one;
            total.visitors.insert(hash);
        }
    })
    .await?;
    Ok((total, points))
}

pub(super) async fn by(
    db: &Db,
    site: i64,
    question: &Question<'_>,
    dimension: Dimension,
    most: usize,
) -> Result<Vec<(i64, Sum)>> {
    let known = known(db).await?;
    let mut sums: HashMap<i64, Sum> = HashMap::new();
    each(db, site, question, &known, |visit| {
        let hash = hash_of_id(visit.visitor.as_u128());
        let mut add = |value: i64, measures: Measures, has_visitor: bool| {
            let sum = sums.entry(value).or_insert_with(|| Sum::new(12));
            sum.measures += measures;
            if has_visitor {
                sum.visitors.insert(hash);
            }
        };
        match dimension {
            Dimension::Page | Dimension::Event => {
                for (value, measures) in steps(visit, dimension, &known) {
                    add(value, measures, true);
                }
            }
            dimension => counts(visit)
                .filter(|(of, ..)| *of == dimension)
                .for_each(|(_, value, measures)| add(value, measures, dimension != Dimension::Exit)),
        }
    })
    .await?;
    let mut ranked: Vec<(i64, Measures)> = sums.iter().map(|(value, sum)| (*value, sum.measures)).collect();
    rank(&mut ranked);
    ranked.truncate(most);
    Ok(ranked.into_iter().filter_map(|(value, _)| sums.remove_entry(&value)).collect())
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
