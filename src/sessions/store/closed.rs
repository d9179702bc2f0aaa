//! Days that are over, packed: one row for each site, dimension and day in the place of one for each value.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Count, Measures, day_of, sketch_of};
use crate::base::sketch::Sketch;
use crate::storage::db::bulk::{Bulk, Column, Kind, Rows};
use crate::storage::db::{Db, Queries, Tx};
use crate::storage::{Error, Result};
use crate::{params, sql};

const CLOSED: Bulk = Bulk {
    table: "traffic_closed",
    columns: &[
        Column("site", Kind::Int),
        Column("dimension", Kind::Int),
        Column("day", Kind::Int),
        Column("body", Kind::Bytes),
    ],
    key: "site, dimension, day",
};

/// A value of a closed day as it is packed.
#[derive(Serialize, Deserialize)]
struct Packing<'a> {
    value: i64,
    measures: [i64; 6],
    #[serde(borrow)]
    visitors: &'a [u8],
}

/// The value that holds what a closed day does not list.
pub const OTHERS: i64 = -1;
/// Values that a closed day lists for each dimension.
pub const CLOSED_MOST: usize = 500;

/// Packs every open day up to and with `day`: the largest values of each dimension stay, the rest becomes [`OTHERS`].
/// What was packed before and has grown since is joined.
///
/// # Errors
/// As the store says.
pub async fn close_days(tx: &mut Tx, db: &Db, day: i64) -> Result<()> {
    let rows = tx
        .query(
            sql!(
                "select site, dimension, day, value, views, visits, bounces, engaged_ms, events, scroll, visitors
                 from traffic_days where day <= $1"
            ),
            params![day],
        )
        .await?;
    let mut groups: HashMap<(i64, i64, i64), Vec<(i64, Count)>> = HashMap::new();
    for row in &rows {
        let (key, count) = day_of(row)?;
        groups.entry((key.site, key.dimension.number(), key.day)).or_default().push((key.value, count));
    }
    let keys =
        groups.keys().map(|(site, dimension, day)| vec![(*site).into(), (*dimension).into(), (*day).into()]);
    for row in &db.pick(&CLOSED, keys.collect()).await? {
        let body: Vec<u8> = row.at(3)?;
        let group = groups.entry((row.at(0)?, row.at(1)?, row.at(2)?)).or_default();
        for closed in unpacked(&body)? {
            group.push((closed.value, Count { measures: closed.measures, visitors: closed.visitors()? }));
        }
    }
    let mut packed = Rows::new();
    for ((site, dimension, day), values) in groups {
        let body = pack(values).map_err(Error::Engine)?;
        packed.push(vec![site.into(), dimension.into(), day.into(), body.into()]);
    }
    tx.put(&CLOSED, packed).await?;
    tx.execute(sql!("delete from traffic_days where day <= $1"), params![day]).await?;
    Ok(())
}

fn pack(values: Vec<(i64, Count)>) -> std::result::Result<Vec<u8>, String> {
    let mut joined: HashMap<i64, Count> = HashMap::new();
    for (value, count) in values {
        join(&mut joined, value, count);
    }
    let mut listed: Vec<(i64, Count)> =
        joined.into_iter().filter(|(_, count)| !count.measures.is_nothing()).collect();
    // The rest is last however large it is; equals stand in the order of their numbers, so that the same day is the same.
    listed.sort_by_key(|(value, count)| {
        let sums = &count.measures;
        (*value == OTHERS, std::cmp::Reverse((sums.visits.max(sums.events), sums.views)), *value)
    });
    let mut rest = HashMap::new();
    while listed.len() > CLOSED_MOST
        || (rest.is_empty() && listed.last().is_some_and(|last| last.0 == OTHERS))
    {
        let Some((_, count)) = listed.pop() else { break };
        join(&mut rest, OTHERS, count);
    }
    listed.extend(rest);
    let visitors: Vec<Vec<u8>> = listed.iter().map(|(_, count)| count.visitors.to_bytes()).collect();
    let packing: Vec<Packing<'_>> = listed
        .iter()
        .zip(&visitors)
        .map(|((value, Count { measures: sums, .. }), visitors)| Packing {
            value: *value,
            measures: [sums.views, sums.visits, sums.bounces, sums.engaged_ms, sums.events, sums.scroll],
            visitors,
        })
        .collect();
    postcard::to_allocvec(&packing).map_err(|error| error.to_string())
}

fn join(counts: &mut HashMap<i64, Count>, value: i64, count: Count) {
    match counts.entry(value) {
        std::collections::hash_map::Entry::Occupied(known) => {
            let known = known.into_mut();
            known.measures += count.measures;
            known.visitors.join(&count.visitors);
        }
        std::collections::hash_map::Entry::Vacant(place) => drop(place.insert(count)),
    }
}

/// A value of a closed day; its sketch is still bytes, because most are never asked for.
#[derive(Debug, Clone, Copy)]
pub struct Closed<'a> {
    pub value: i64,
    pub measures: Measures,
    visitors: &'a [u8],
}

impl<'a> Closed<'a> {
    /// A value of a day that is still open, as the same.
    pub fn of(value: i64, measures: Measures, visitors: &'a [u8]) -> Self {
        Self { value, measures, visitors }
    }

    /// Who was there.
    ///
    /// # Errors
    /// [`Error::Shape`] if that cannot be read.
    pub fn visitors(&self) -> Result<Sketch> {
        sketch_of(self.visitors)
    }
}

/// The values of a closed day, the largest first and [`OTHERS`] last.
///
/// # Errors
/// [`Error::Shape`] if it is none.
pub fn unpacked(body: &[u8]) -> Result<Vec<Closed<'_>>> {
    let packing: Vec<Packing<'_>> = postcard::from_bytes(body)
        .map_err(|_| Error::Shape { column: "body".to_owned(), wanted: "a closed day" })?;
    let closed = packing.into_iter().map(|Packing { value, measures, visitors }| {
        let [views, visits, bounces, engaged_ms, events, scroll] = measures;
        Closed { value, measures: Measures { views, visits, bounces, engaged_ms, events, scroll }, visitors }
    });
    Ok(closed.collect())
}
