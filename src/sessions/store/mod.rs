//! The tables of visits, of what is counted by hour and day, and of salts.

mod closed;
mod salts;

pub use closed::{CLOSED_MOST, Listed, OTHERS, Packing, Span, close_days};
pub(super) use salts::{find, find_or_draw, forget_before};

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

/// A count and who was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    pub measures: Measures,
    pub visitors: Sketch,
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

/// Writes counts of open days. One that came to nothing (somebody went on from what was the last page) goes, as if it had
/// never been.
///
/// # Errors
/// As the store says.
pub async fn put_days(tx: &mut Tx, counts: &Map<Key, Count>) -> Result<()> {
    let is_nothing = |count: &Count| count.measures.is_nothing() && count.visitors.count() == 0;
    let rows = counts
        .iter()
        .filter(|(_, count)| !is_nothing(count))
        .map(|(key, count)| key_binds(key).into_iter().chain(count_binds(count)).collect());
    tx.put(&DAYS, rows.collect()).await?;
    for (key, _) in counts.iter().filter(|(_, count)| is_nothing(count)) {
        let gone =
            sql!("delete from traffic_days where site = $1 and dimension = $2 and day = $3 and value = $4");
        tx.execute(gone, &key_binds(key)).await?;
    }
    Ok(())
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

/// Takes away every visit of a site and all that was counted of it.
///
/// # Errors
/// As the store says.
pub async fn forget_site(tx: &mut Tx, site: i64) -> Result<()> {
    for text in [
        sql!("delete from visits where site = $1"),
        sql!("delete from traffic_days where site = $1"),
        sql!("delete from traffic_closed where site = $1"),
        sql!("delete from traffic_resting where site = $1"),
        sql!("delete from traffic_hours where site = $1"),
    ] {
        tx.execute(text, params![site]).await?;
    }
    Ok(())
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
                 union select site from traffic_closed union select site from traffic_resting"
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
        tx.execute(sql!("delete from traffic_resting where site = $1 and day > $2"), binds).await?;
        tx.execute(sql!("delete from traffic_hours where site = $1 and hour > $2 * 24 + 23"), binds).await?;
    }
    Ok(())
}
