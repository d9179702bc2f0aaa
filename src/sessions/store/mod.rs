//! The tables of visits, of what is counted by hour and day, and of salts.

mod salts;

pub(super) use salts::{find, find_or_draw, forget_before};

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::tally::{Dimension, Key, Map, Measures};
use super::visit::{Origin, Place, Trail, Visit};
use crate::base::ids::SessionId;
use crate::base::sketch::Sketch;
use crate::storage::db::bulk::{AT_ONCE, Bulk, Column, Kind, Rows};
use crate::storage::db::{Db, Packed, Queries, Row, Tx, Value};
use crate::storage::{Error, Result};
use crate::{params, sql};

const VISITS: Bulk = Bulk {
    table: "visits",
    columns: &[
        Column("id", Kind::Bytes),
        Column("site", Kind::Int),
        Column("visitor", Kind::Text),
        Column("consent", Kind::Int),
        Column("bot", Kind::Int),
        Column("started_at", Kind::Int),
        Column("last_at", Kind::Int),
        Column("hits", Kind::Int),
        Column("pages", Kind::Int),
        Column("events", Kind::Int),
        Column("engaged_ms", Kind::Int),
        Column("scroll", Kind::Int),
        Column("host", Kind::Int),
        Column("entry", Kind::Int),
        Column("exit", Kind::Int),
        Column("channel", Kind::Int),
        Column("source", Kind::Int),
        Column("medium", Kind::Int),
        Column("campaign", Kind::Int),
        Column("term", Kind::Int),
        Column("content", Kind::Int),
        Column("referrer", Kind::Int),
        Column("country", Kind::Int),
        Column("region", Kind::Int),
        Column("city", Kind::Int),
        Column("network", Kind::Int),
        Column("device", Kind::Int),
        Column("browser", Kind::Int),
        Column("os", Kind::Int),
        Column("language", Kind::Int),
        Column("trail", Kind::Bytes),
    ],
    key: "id",
};

const DAYS: Bulk = Bulk {
    table: "traffic_days",
    columns: &[
        Column("site", Kind::Int),
        Column("dimension", Kind::Int),
        Column("day", Kind::Int),
        Column("value", Kind::Int),
        Column("views", Kind::Int),
        Column("visits", Kind::Int),
        Column("bounces", Kind::Int),
        Column("engaged_ms", Kind::Int),
        Column("events", Kind::Int),
        Column("scroll", Kind::Int),
        Column("visitors", Kind::Bytes),
    ],
    key: "site, dimension, day, value",
};

const HOURS: Bulk = Bulk {
    table: "traffic_hours",
    columns: &[
        Column("site", Kind::Int),
        Column("hour", Kind::Int),
        Column("views", Kind::Int),
        Column("visits", Kind::Int),
        Column("bounces", Kind::Int),
        Column("engaged_ms", Kind::Int),
        Column("events", Kind::Int),
        Column("scroll", Kind::Int),
        Column("visitors", Kind::Bytes),
    ],
    key: "site, hour",
};

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

/// A count and who was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    pub measures: Measures,
    pub visitors: Sketch,
}

/// A value of a closed day as it is packed.
#[derive(Serialize, Deserialize)]
struct Packing<'a> {
    value: i64,
    measures: [i64; 6],
    #[serde(borrow)]
    visitors: &'a [u8],
}

/// The visits of these ids, as far as there are any.
///
/// # Errors
/// As the store says.
pub async fn visits(db: &Db, ids: impl Iterator<Item = SessionId>) -> Result<Map<SessionId, Visit>> {
    let keys: Rows = ids.map(|id| vec![Packed(id).into()]).collect();
    let mut visits = Map::default();
    for some in keys.chunks(AT_ONCE) {
        for row in &db.pick(&VISITS, some.to_vec()).await? {
            let visit = visit_of(row)?;
            visits.insert(visit.id, visit);
        }
    }
    Ok(visits)
}

/// A visit from a row with the columns `id, site, visitor, consent, bot, started_at, last_at, hits, pages, events,
/// engaged_ms, scroll, host, entry, exit, channel, source, medium, campaign, term, content, referrer, country, region,
/// city, network, device, browser, os, language, trail`, in this order.
///
/// # Errors
/// [`Error::Shape`] if a column holds something else.
pub fn visit_of(row: &Row) -> Result<Visit> {
    let trail: Vec<u8> = row.at(30)?;
    Ok(Visit {
        id: row.at(0)?,
        site: row.at(1)?,
        visitor: row.at(2)?,
        consent: row.at(3)?,
        bot: row.at(4)?,
        started_at: row.at(5)?,
        last_at: row.at(6)?,
        hits: row.at(7)?,
        pages: row.at(8)?,
        events: row.at(9)?,
        engaged_ms: row.at(10)?,
        scroll: row.at(11)?,
        host: row.at(12)?,
        entry: row.at(13)?,
        exit: row.at(14)?,
        origin: Origin {
            channel: row.at(15)?,
            source: row.at(16)?,
            medium: row.at(17)?,
            campaign: row.at(18)?,
            term: row.at(19)?,
            content: row.at(20)?,
            referrer: row.at(21)?,
        },
        place: Place { country: row.at(22)?, region: row.at(23)?, city: row.at(24)?, network: row.at(25)? },
        device: row.at(26)?,
        browser: row.at(27)?,
        os: row.at(28)?,
        language: row.at(29)?,
        trail: postcard::from_bytes::<Trail>(&trail)
            .map_err(|_| Error::Shape { column: "trail".to_owned(), wanted: "a trail" })?,
    })
}

fn binds_of(visit: &Visit) -> Vec<Value> {
    let trail = postcard::to_allocvec(&visit.trail).expect("a vector takes every number");
    vec![
        Packed(visit.id).into(),
        visit.site.into(),
        visit.visitor.into(),
        visit.consent.into(),
        visit.bot.into(),
        visit.started_at.into(),
        visit.last_at.into(),
        visit.hits.into(),
        visit.pages.into(),
        visit.events.into(),
        visit.engaged_ms.into(),
        visit.scroll.into(),
        visit.host.into(),
        visit.entry.into(),
        visit.exit.into(),
        visit.origin.channel.into(),
        visit.origin.source.into(),
        visit.origin.medium.into(),
        visit.origin.campaign.into(),
        visit.origin.term.into(),
        visit.origin.content.into(),
        visit.origin.referrer.into(),
        visit.place.country.into(),
        visit.place.region.into(),
        visit.place.city.into(),
        visit.place.network.into(),
        visit.device.into(),
        visit.browser.into(),
        visit.os.into(),
        visit.language.into(),
        trail.into(),
    ]
}

/// Writes visits in the place of what stood under their ids.
///
/// # Errors
/// As the store says.
pub async fn put_visits<'v>(tx: &mut Tx, mut visits: impl Iterator<Item = &'v Visit>) -> Result<()> {
    loop {
        let rows: Rows = visits.by_ref().take(AT_ONCE).map(binds_of).collect();
        if rows.is_empty() {
            return Ok(());
        }
        tx.put(&VISITS, rows).await?;
    }
}

/// The counts of open days under these keys, as far as there are any.
///
/// # Errors
/// As the store says.
pub async fn days(db: &Db, keys: impl Iterator<Item = Key>) -> Result<Map<Key, Count>> {
    let keys: Rows = keys.map(|key| key_binds(&key).to_vec()).collect();
    let rows = db.pick(&DAYS, keys).await?;
    rows.iter().map(day_of).collect()
}

fn key_binds(key: &Key) -> [Value; 4] {
    [key.site.into(), key.dimension.number().into(), key.day.into(), key.value.into()]
}

fn day_of(row: &Row) -> Result<(Key, Count)> {
    let dimension = Dimension::of_number(row.at(1)?)
        .ok_or_else(|| Error::Shape { column: "dimension".to_owned(), wanted: "a dimension" })?;
    let key = Key { site: row.at(0)?, dimension, day: row.at(2)?, value: row.at(3)? };
    Ok((key, count_of(row, 4)?))
}

/// The measures and the sketch of a row, from the column `first` on.
fn count_of(row: &Row, first: usize) -> Result<Count> {
    let visitors: Vec<u8> = row.at(first + 6)?;
    Ok(Count {
        measures: Measures {
            views: row.at(first)?,
            visits: row.at(first + 1)?,
            bounces: row.at(first + 2)?,
            engaged_ms: row.at(first + 3)?,
            events: row.at(first + 4)?,
            scroll: row.at(first + 5)?,
        },
        visitors: sketch_of(&visitors)?,
    })
}

fn sketch_of(bytes: &[u8]) -> Result<Sketch> {
    Sketch::of_bytes(bytes).map_err(|_| Error::Shape { column: "visitors".to_owned(), wanted: "a sketch" })
}

fn count_binds(count: &Count) -> [Value; 7] {
    let measures = &count.measures;
    [
        measures.views.into(),
        measures.visits.into(),
        measures.bounces.into(),
        measures.engaged_ms.into(),
        measures.events.into(),
        measures.scroll.into(),
        count.visitors.to_bytes().into(),
    ]
}

/// Writes counts of open days.
///
/// # Errors
/// As the store says.
pub async fn put_days(tx: &mut Tx, counts: impl Iterator<Item = (&Key, &Count)>) -> Result<()> {
    let rows = counts.map(|(key, count)| key_binds(key).into_iter().chain(count_binds(count)).collect());
    tx.put(&DAYS, rows.collect()).await
}

/// The counts of these sites' hours, as far as there are any.
///
/// # Errors
/// As the store says.
pub async fn hours(db: &Db, keys: impl Iterator<Item = (i64, i64)>) -> Result<Map<(i64, i64), Count>> {
    let keys: Rows = keys.map(|(site, hour)| vec![site.into(), hour.into()]).collect();
    let rows = db.pick(&HOURS, keys).await?;
    rows.iter().map(|row| Ok(((row.at(0)?, row.at(1)?), count_of(row, 2)?))).collect()
}

/// Writes counts of hours.
///
/// # Errors
/// As the store says.
pub async fn put_hours(tx: &mut Tx, counts: impl Iterator<Item = (&(i64, i64), &Count)>) -> Result<()> {
    let rows = counts.map(|((site, hour), count)| {
        [Value::Int(*site), Value::Int(*hour)].into_iter().chain(count_binds(count)).collect()
    });
    tx.put(&HOURS, rows.collect()).await
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

/// Forgets every visit, and the counts after the last final day of each site (its word's number, and that day; 0 is none).
/// Sites that are not named lose all.
///
/// # Errors
/// As the store says.
pub async fn forget_counts(tx: &mut Tx, floors: &[(i64, i64)]) -> Result<()> {
    tx.execute(sql!("delete from visits"), params![]).await?;
    let sites = tx
        .query(
            sql!(
                "select site from traffic_hours union select site from traffic_days
                 union select site from traffic_closed"
            ),
            params![],
        )
        .await?;
    for row in &sites {
        let site: i64 = row.at(0)?;
        let floor = floors.iter().find(|(of, _)| *of == site).map_or(0, |(_, day)| *day);
        let binds = params![site, floor];
        tx.execute(sql!("delete from traffic_days where site = $1 and day > $2"), binds).await?;
        tx.execute(sql!("delete from traffic_closed where site = $1 and day > $2"), binds).await?;
        tx.execute(sql!("delete from traffic_hours where site = $1 and hour > $2 * 24 + 23"), binds).await?;
    }
    Ok(())
}
