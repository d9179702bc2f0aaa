//! Days that are over, packed: one row for each site, dimension and day in the place of one for each value.
//!
//! A day that is over rests for two days with all its values, because hits may still come late; then it is closed, and only
//! its largest values are told one by one. A packing has three parts, so that nobody reads what is not asked for: the list
//! of values with their measures, the sketches of the first of them, and the sketches of the rest.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Measures;
use crate::base::sketch::{Sketch, Union};
use crate::sessions::tally::Map;
use crate::storage::db::bulk::{Bulk, Column, Kind, Rows};
use crate::storage::db::{Db, Queries, Row, Tx};
use crate::storage::{Error, Result};
use crate::{params, sql};

const COLUMNS: &[Column] = &[
    Column("site", Kind::Int),
    Column("dimension", Kind::Int),
    Column("day", Kind::Int),
    Column("body", Kind::Bytes),
    Column("largest", Kind::Bytes),
    Column("rest", Kind::Bytes),
];

const CLOSED: Bulk = Bulk { table: "traffic_closed", columns: COLUMNS, key: "site, dimension, day" };

const RESTING: Bulk = Bulk { table: "traffic_resting", columns: COLUMNS, key: "site, dimension, day" };

/// The value that holds what a closed day does not list.
pub const OTHERS: i64 = -1;
/// Values that a closed day lists for each dimension.
pub const CLOSED_MOST: usize = 500;
/// Days after those that are closed of which hardly a hit is still to come.
const RESTING_DAYS: i64 = 2;
/// How a list begins that is followed by [`Line`]s.
const FORMAT: u8 = 1;
/// So many sketches are always in the second part: a dashboard tells ten values of a month, and those are among the
/// first of most of its days.
const LARGEST: usize = 24;
/// And more of them, as long as they are no more bytes than this.
const LARGEST_BYTES: usize = 24 << 10;

/// A value in a list.
#[derive(Serialize, Deserialize)]
struct Line {
    value: i64,
    measures: [i64; 6],
    /// The bytes of its sketch; the sketches stand in the order of the list.
    sketch: u32,
}

/// A value as a closed day listed it before sketches were kept apart: until such a day is counted again it is read as it is.
#[derive(Deserialize)]
struct FormerLine<'a> {
    value: i64,
    measures: [i64; 6],
    #[serde(borrow)]
    visitors: &'a [u8],
}

/// A value, what it counts, and who was there.
struct Entry<'a> {
    value: i64,
    measures: Measures,
    visitors: Cow<'a, [u8]>,
}

/// A day of one dimension, packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packing<'a> {
    list: Cow<'a, [u8]>,
    largest: Cow<'a, [u8]>,
    /// Empty if it was not read.
    rest: Cow<'a, [u8]>,
}

/// A value of a packed day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    pub value: i64,
    pub measures: Measures,
    pub sketch: Span,
}

/// Where in its day's packing a sketch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    from: u32,
    to: u32,
}

impl<'a> Packing<'a> {
    /// A row's packing, with the list in the column `first`, the sketches of the largest in the next one, and the rest, if
    /// that was asked for, in the one after.
    ///
    /// # Errors
    /// [`Error::Shape`] if it is none.
    pub fn of_row(row: &'a Row, first: usize) -> Result<Self> {
        let list = row.bytes(first)?.unwrap_or_default();
        match row.bytes(first + 1)? {
            Some(largest) => Ok(Self {
                list: list.into(),
                largest: largest.into(),
                rest: row.bytes(first + 2).ok().flatten().unwrap_or_default().into(),
            }),
            None => Self::of_former(list),
        }
    }

    fn of_former(body: &'a [u8]) -> Result<Self> {
        let lines: Vec<FormerLine<'a>> = postcard::from_bytes(body).map_err(|_| unreadable())?;
        let entries = lines.into_iter().map(|line| Entry {
            value: line.value,
            measures: measures_of(line.measures),
            visitors: line.visitors.into(),
        });
        Packing::of(&entries.collect::<Vec<_>>())
    }

    /// The values, the largest first and [`OTHERS`] last.
    pub fn listed(&self) -> impl Iterator<Item = Result<Listed>> {
        let mut lines = match self.list.split_first() {
            Some((&FORMAT, lines)) => Ok(lines),
            _ => Err(unreadable()),
        };
        let mut from = 0;
        std::iter::from_fn(move || {
            let here = match &lines {
                Ok([]) => return None,
                Ok(here) => *here,
                Err(_) => return std::mem::replace(&mut lines, Ok(&[])).err().map(Err),
            };
            let Ok((line, after)) = postcard::take_from_bytes::<Line>(here) else {
                lines = Ok(&[]);
                return Some(Err(unreadable()));
            };
            lines = Ok(after);
            let sketch = Span { from, to: from.saturating_add(line.sketch) };
            from = sketch.to;
            Some(Ok(Listed { value: line.value, measures: measures_of(line.measures), sketch }))
        })
    }

    /// Who was there, as the bytes of a [`Sketch`]; nothing if that is in the part that was not read.
    pub fn visitors(&self, sketch: Span) -> Option<&[u8]> {
        let (from, to) = (usize::try_from(sketch.from).ok()?, usize::try_from(sketch.to).ok()?);
        let largest = self.largest.len();
        match from.checked_sub(largest) {
            None => self.largest.get(from..to),
            Some(from) => self.rest.get(from..to - largest),
        }
    }

    fn of(entries: &[Entry<'_>]) -> Result<Packing<'static>> {
        let failed = |error: postcard::Error| Error::Engine(error.to_string());
        let (mut list, mut largest, mut rest) = (vec![FORMAT], Vec::new(), Vec::new());
        for (at, entry) in entries.iter().enumerate() {
            let Measures { views, visits, bounces, engaged_ms, events, scroll } = entry.measures;
            let sketch = u32::try_from(entry.visitors.len()).map_err(|_| unreadable())?;
            let measures = [views, visits, bounces, engaged_ms, events, scroll];
            list =
                postcard::to_extend(&Line { value: entry.value, measures, sketch }, list).map_err(failed)?;
            // The parts follow each other: after one that went to the rest all others do.
            let is_large = at < LARGEST || largest.len() + entry.visitors.len() <= LARGEST_BYTES;
            if is_large && rest.is_empty() {
                largest.extend_from_slice(&entry.visitors);
            } else {
                rest.extend_from_slice(&entry.visitors);
            }
        }
        Ok(Packing { list: list.into(), largest: largest.into(), rest: rest.into() })
    }

    fn entries(&self) -> impl Iterator<Item = Result<Entry<'_>>> {
        self.listed().map(|listed| {
            let Listed { value, measures, sketch } = listed?;
            let visitors = self.visitors(sketch).ok_or_else(unreadable)?.into();
            Ok(Entry { value, measures, visitors })
        })
    }
}

fn unreadable() -> Error {
    Error::Shape { column: "body".to_owned(), wanted: "a packed day" }
}

fn measures_of([views, visits, bounces, engaged_ms, events, scroll]: [i64; 6]) -> Measures {
    Measures { views, visits, bounces, engaged_ms, events, scroll }
}

/// Site, dimension and day.
type Group = (i64, i64, i64);

/// Closes every day up to and with `day`: the largest values of each dimension stay, the rest becomes [`OTHERS`]. The days
/// just after it are packed as they are. What was packed before and has grown since is joined.
///
/// # Errors
/// As the store says.
pub async fn close_days(tx: &mut Tx, db: &Db, day: i64) -> Result<()> {
    let last = day + RESTING_DAYS;
    let open = tx
        .query(
            sql!(
                "select site, dimension, day, value, views, visits, bounces, engaged_ms, events, scroll, visitors
                 from traffic_days where day <= $1"
            ),
            params![last],
        )
        .await?;
    let mut groups: Map<Group, Vec<Entry<'_>>> = Map::default();
    for row in &open {
        let measures = measures_of([row.at(4)?, row.at(5)?, row.at(6)?, row.at(7)?, row.at(8)?, row.at(9)?]);
        let visitors = row.bytes(10)?.unwrap_or_default().into();
        let group = groups.entry((row.at(0)?, row.at(1)?, row.at(2)?)).or_default();
        group.push(Entry { value: row.at(3)?, measures, visitors });
    }
    let resting = tx
        .query(
            sql!("select site, dimension, day, body, largest, rest from traffic_resting where day <= $1"),
            params![last],
        )
        .await?;
    let resting = packings(&resting)?;
    for (group, packing) in &resting {
        // One that goes on resting and has not grown stays as it is.
        if group.2 <= day || groups.contains_key(group) {
            let entries = groups.entry(*group).or_default();
            packing.entries().try_for_each(|entry| entry.map(|entry| entries.push(entry)))?;
        }
    }
    let keys = groups.keys().filter(|group| group.2 <= day);
    let keys = keys.map(|(site, dimension, day)| vec![(*site).into(), (*dimension).into(), (*day).into()]);
    let closed = db.pick(&CLOSED, keys.collect()).await?;
    let closed = packings(&closed)?;
    for (group, packing) in &closed {
        let entries = groups.entry(*group).or_default();
        packing.entries().try_for_each(|entry| entry.map(|entry| entries.push(entry)))?;
    }
    let (mut to_close, mut to_rest) = (Rows::new(), Rows::new());
    for ((site, dimension, of), entries) in groups {
        let (rows, most) = if of <= day { (&mut to_close, CLOSED_MOST) } else { (&mut to_rest, usize::MAX) };
        let Packing { list, largest, rest } = pack(entries, most)?;
        let parts = [list, largest, rest].map(|part| part.into_owned().into());
        rows.push([site.into(), dimension.into(), of.into()].into_iter().chain(parts).collect());
    }
    tx.put(&CLOSED, to_close).await?;
    tx.put(&RESTING, to_rest).await?;
    tx.execute(sql!("delete from traffic_resting where day <= $1"), params![day]).await?;
    tx.execute(sql!("delete from traffic_days where day <= $1"), params![last]).await?;
    Ok(())
}

/// Rows with the columns of [`COLUMNS`].
fn packings(rows: &[Row]) -> Result<Vec<(Group, Packing<'_>)>> {
    rows.iter().map(|row| Ok(((row.at(0)?, row.at(1)?, row.at(2)?), Packing::of_row(row, 3)?))).collect()
}

/// Packs the entries of a day, of which several may be of one value; of more than `most` values the smallest are joined.
fn pack(entries: Vec<Entry<'_>>, most: usize) -> Result<Packing<'static>> {
    let mut listed = joined(entries)?;
    listed.retain(|entry| !entry.measures.is_nothing());
    // The rest is last however large it is; equals stand in the order of their numbers, so that the same day is the same.
    listed.sort_unstable_by_key(|Entry { value, measures: sums, .. }| {
        (*value == OTHERS, std::cmp::Reverse((sums.visits.max(sums.events), sums.views)), *value)
    });
    if listed.len() > most {
        let mut rest = listed.split_off(most);
        rest.iter_mut().for_each(|entry| entry.value = OTHERS);
        listed.extend(joined(rest)?);
    }
    Packing::of(&listed)
}

/// One entry for each value.
fn joined(mut entries: Vec<Entry<'_>>) -> Result<Vec<Entry<'_>>> {
    entries.sort_by_key(|entry| entry.value);
    let mut joined = Vec::with_capacity(entries.len());
    for same in entries.chunk_by_mut(|one, next| one.value == next.value) {
        let Some((first, others)) = same.split_first_mut() else { continue };
        let mut visitors = std::mem::take(&mut first.visitors);
        let mut measures = first.measures;
        if !others.is_empty() {
            let mut union = Union::of(Sketch::of_bytes(&visitors).map_err(|_| unreadable())?);
            for other in others {
                measures += other.measures;
                union.add(&other.visitors).map_err(|_| unreadable())?;
            }
            visitors = union.joined().to_bytes().into();
        }
        joined.push(Entry { value: first.value, measures, visitors });
    }
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::sketch::hash_of_id;

    /// A value with so many visits, each of another visitor.
    fn entry(value: i64, visits: u32) -> Entry<'static> {
        let mut visitors = Sketch::new(12);
        visitors
            .extend((0..visits).map(|who| {
                hash_of_id((u128::try_from(value + 1).expect("a value") << 64) | u128::from(who))
            }));
        let measures = Measures { visits: visits.into(), views: 2, scroll: -1, ..Measures::default() };
        Entry { value, measures, visitors: visitors.to_bytes().into() }
    }

    /// Every value with its visits, and how many visitors its sketch says there were.
    fn told(packing: &Packing<'_>) -> Vec<(i64, i64, i64)> {
        let entries = packing.entries().map(|entry| {
            let Entry { value, measures, visitors } = entry.expect("a value");
            (value, measures.visits, Sketch::of_bytes(&visitors).expect("a sketch").count())
        });
        entries.collect()
    }

    #[test]
    fn the_largest_come_first_and_the_smallest_are_joined_at_the_end() {
        let days = (0..6).map(|value| entry(value, u32::try_from(value).expect("small") * 10));
        let packing = pack(days.chain([entry(OTHERS, 90)]).collect(), 3).expect("packed");
        assert_eq!(told(&packing), [(5, 50, 50), (4, 40, 40), (3, 30, 30), (OTHERS, 120, 120)]);
        let again = pack(packing.entries().collect::<Result<_>>().expect("entries"), 3).expect("packed");
        assert_eq!(again, packing, "packed again it stays what it is");
    }

    #[test]
    fn what_comes_late_is_joined_with_what_was_packed() {
        let packing = pack(vec![entry(1, 20), entry(2, 30)], 9).expect("packed");
        let late = packing.entries().chain([Ok(entry(1, 25))]).collect::<Result<_>>().expect("entries");
        assert_eq!(told(&pack(late, 9).expect("packed")), [(1, 45, 25), (2, 30, 30)]);
    }

    #[test]
    fn the_sketches_of_many_or_large_values_are_in_the_rest() {
        let packing = pack((0..100).map(|value| entry(value, 200)).collect(), 500).expect("packed");
        assert_eq!(packing.largest.len(), LARGEST * (1 + 200 * 8));
        let without = Packing { rest: Cow::Borrowed(&[]), ..packing.clone() };
        for (at, listed) in packing.listed().map(|listed| listed.expect("a value")).enumerate() {
            assert!(packing.visitors(listed.sketch).is_some());
            assert_eq!(without.visitors(listed.sketch).is_some(), at < LARGEST, "{at}");
        }
        let small = pack((0..100).map(|value| entry(value, 20)).collect(), 500).expect("packed");
        assert!(small.rest.is_empty(), "small ones are all read at once");
    }

    #[test]
    fn a_day_that_was_closed_before_sketches_were_kept_apart_is_read_as_it_was() {
        let (one, two) = (entry(7, 600), entry(OTHERS, 3));
        let lines = [&one, &two].map(|entry| {
            (entry.value, [entry.measures.views, entry.measures.visits, 0, 0, 0, -1_i64], &*entry.visitors)
        });
        let body = postcard::to_allocvec(&lines.to_vec()).expect("packed");
        let packing = Packing::of_former(&body).expect("read");
        assert_eq!(packing, Packing::of(&[one, two]).expect("packed"));
        assert!(Packing::of_former(&[9, 9]).is_err());
    }

    #[test]
    fn what_is_no_packing_is_refused() {
        for list in [&[][..], &[9], &[FORMAT, 1, 2], &[FORMAT, 0xff]] {
            let packing = Packing { list: list.into(), largest: Cow::default(), rest: Cow::default() };
            assert!(packing.listed().any(|listed| listed.is_err()), "{list:?}");
        }
    }
}
