//! Follows the rows and keeps visits and counts in step with them.
//!
//! The cursor moves in the transaction that writes what was worked out, so every row counts once. Everything is a function
//! of the rows in their order: what is thrown away can be made again, and comes out the same.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use crate::base::ids::{HitId, SessionId};
use crate::base::sketch::Sketch;
use crate::base::time::{DAY_MS, MINUTE_MS, Timestamp};
use crate::hits::{self, Line, Words};
use crate::sessions::store::{self, Count};
use crate::sessions::{Delta, Dimension, Key, Known, Map, Measures, Visit, Zones, tally};
use crate::sites::Sites;
use crate::storage::db::{Db, Tx};
use crate::storage::{Error, Result};

/// The cursor's name.
pub(super) const CURSOR: &str = "traffic";
/// The last UTC day of which a row was counted.
const DAY: &str = "traffic.day";
/// Rows in one transaction.
pub(super) const BATCH: i64 = 20_000;
/// A day is closed when rows of the third day after it come: a hit waits for a day at most, and no zone is further from
/// UTC than one.
const OPEN_DAYS: i64 = 3;
/// Visits that are remembered between batches, less than half a kilobyte each,
const RECENT_MOST: usize = 20_000;
/// and the steps of their trails, 72 bytes each.
const RECENT_STEPS_MOST: usize = 500_000;
/// And since when, if there are more.
const RECENT_MS: i64 = 5 * MINUTE_MS;
/// Two to the power of it registers for the visitors of a whole day; see [`Sketch::new`].
const FINE: u8 = 14;
/// And for those of an hour, or of one value.
const COARSE: u8 = 12;

/// Counts what is new; returns how many rows that were. Call again while it is not 0.
///
/// # Errors
/// As the store says; then nothing of the batch took effect.
pub async fn count(db: &Db, words: &Words, sites: &Sites) -> Result<usize> {
    let position = hits::cursor(db, CURSOR).await?;
    let lines = hits::lines_after(db, position, BATCH).await?;
    count_lines(db, words, sites, position, &lines, &mut Recent::default()).await
}

/// The visits of the last batches, so that those that go on need not be read again. They are right as long as nobody else
/// has counted since.
#[derive(Default)]
pub(super) struct Recent {
    /// The cursor after the last batch.
    position: i64,
    visits: Map<SessionId, Visit>,
}

impl Recent {
    /// The visits of these ids, as far as there are any.
    async fn take(
        &mut self,
        db: &Db,
        position: i64,
        ids: &BTreeSet<SessionId>,
    ) -> Result<Map<SessionId, Visit>> {
        if self.position != position {
            self.visits.clear();
        }
        let mut found: Map<SessionId, Visit> = Map::default();
        let mut missing = Vec::new();
        for id in ids {
            match self.visits.remove(id) {
                Some(visit) => drop(found.insert(*id, visit)),
                None => missing.push(*id),
            }
        }
        found.extend(store::visits(db, missing.into_iter()).await?);
        Ok(found)
    }

    /// Keeps what was written; the oldest go when there are too many.
    fn keep(&mut self, position: i64, written: Map<SessionId, Visit>) {
        self.position = position;
        self.visits.extend(written);
        if self.is_full() {
            let newest = self.visits.values().map(|visit| visit.last_at).max().unwrap_or_default();
            self.visits.retain(|_, visit| newest.since_ms(visit.last_at) < RECENT_MS);
        }
        if self.is_full() {
            self.visits.clear();
        }
    }

    fn is_full(&self) -> bool {
        let steps = self.visits.values().map(|visit| visit.trail.steps.len());
        self.visits.len() > RECENT_MOST || steps.sum::<usize>() > RECENT_STEPS_MOST
    }
}

/// As [`count`], with rows that follow `position` and were read already.
pub(super) async fn count_lines(
    db: &Db,
    words: &Words,
    sites: &Sites,
    position: i64,
    lines: &[Line],
    recent: &mut Recent,
) -> Result<usize> {
    let Some(first) = lines.first() else { return Ok(0) };
    let last_day = hits::cursor(db, DAY).await?;
    if utc_day(first.received_at) > last_day {
        return turn_to(db, utc_day(first.received_at), position).await.map(|()| 1);
    }
    // Where a day begins, days before it may be closed: that always happens between the same two rows.
    let ends = lines.iter().position(|line| utc_day(line.received_at) > last_day).unwrap_or(lines.len());
    let lines = lines.get(..ends).unwrap_or_default();
    let Some(through) = lines.last().map(|line| line.seq) else { return Ok(0) };
    let meaning = Meaning::of(db, words, sites, lines).await?;
    let counted = work_out(db, &meaning, position, lines, recent).await?;
    let Some(mut tx) = begin_at(db, position).await? else { return Ok(lines.len()) };
    // Should this fail, the visits that were taken are read again.
    recent.position = 0;
    counted.write(&mut tx, through).await?;
    tx.commit().await?;
    recent.keep(through, counted.visits);
    Ok(lines.len())
}

/// Rows that can be counted in the transaction that writes them: everything before them is counted, and no day begins.
pub(super) struct AtOnce {
    position: i64,
    meaning: Meaning,
}

impl AtOnce {
    /// What has to be known beforehand; nothing if these rows have to be counted later.
    pub(super) async fn plan(db: &Db, words: &Words, sites: &Sites, lines: &[Line]) -> Result<Option<Self>> {
        let position = hits::cursor(db, CURSOR).await?;
        if hits::last(db).await? != position {
            return Ok(None);
        }
        let Some(first) = lines.first().map(|line| utc_day(line.received_at)) else { return Ok(None) };
        let last_day = hits::cursor(db, DAY).await?;
        if lines.iter().any(|line| utc_day(line.received_at) > last_day.max(first)) {
            return Ok(None);
        }
        if first > last_day {
            turn_to(db, first, position).await?;
        }
        Ok(Some(Self { position, meaning: Meaning::of(db, words, sites, lines).await? }))
    }

    /// Where the counts stood before these rows.
    pub(super) fn position(&self) -> i64 {
        self.position
    }

    /// Whether nobody has written or counted since.
    pub(super) async fn still_holds(&self, tx: &mut Tx) -> Result<bool> {
        Ok(hits::cursor_in(tx, CURSOR).await? == self.position && hits::last_in(tx).await? == self.position)
    }

    /// Counts `lines`, which `tx` has just written. [`Recent::keep`] takes the result when `tx` is committed.
    pub(super) async fn count(
        &self,
        tx: &mut Tx,
        db: &Db,
        lines: &[Line],
        recent: &mut Recent,
    ) -> Result<Kept> {
        let through = lines.last().map_or(self.position, |line| line.seq);
        let counted = work_out(db, &self.meaning, self.position, lines, recent).await?;
        recent.position = 0;
        counted.write(tx, through).await?;
        Ok(Kept { through, visits: counted.visits })
    }
}

/// Visits that are to be remembered when what they were written with is committed.
pub(super) struct Kept {
    through: i64,
    visits: Map<SessionId, Visit>,
}

impl Kept {
    pub(super) fn keep(self, recent: &mut Recent) {
        recent.keep(self.through, self.visits);
    }
}

/// What has to be known of rows before they are counted.
struct Meaning {
    known: Known,
    zones: Zones,
    properties: Map<HitId, Vec<i64>>,
}

impl Meaning {
    async fn of(db: &Db, words: &Words, sites: &Sites, lines: &[Line]) -> Result<Self> {
        let known = known(db, words).await?;
        let zones = zones(db, words, sites, lines).await?;
        let properties = properties(db, words, lines, &known).await?;
        Ok(Self { known, zones, properties })
    }
}

/// Visits and counts as they are after some rows.
struct Counted {
    visits: Map<SessionId, Visit>,
    days: Map<Key, Count>,
    hours: Map<(i64, i64), Count>,
}

async fn work_out(
    db: &Db,
    meaning: &Meaning,
    position: i64,
    lines: &[Line],
    recent: &mut Recent,
) -> Result<Counted> {
    let ids: BTreeSet<_> = lines.iter().map(|line| line.session).collect();
    let mut visits = recent.take(db, position, &ids).await?;
    let mut tally = tally(lines, &mut visits, &meaning.properties, &meaning.known, &meaning.zones);
    for site in meaning.zones.keys() {
        // Of days whose rows are gone the counts stand; what is left of their rows must not be added again.
        let floor = hits::cursor(db, &floor_name(*site)).await?;
        tally.days.retain(|key, _| key.site != *site || key.day > floor);
        tally.hours.retain(|(of, hour), _| of != site || hour.div_euclid(24) > floor);
    }
    let mut days = store::days(db, tally.days.keys().copied()).await?;
    for (key, delta) in tally.days {
        let precision = if key.dimension == Dimension::Total { FINE } else { COARSE };
        add(days.entry(key).or_insert_with(|| empty(precision)), delta);
    }
    let mut hours = store::hours(db, tally.hours.keys().copied()).await?;
    for (key, delta) in tally.hours {
        add(hours.entry(key).or_insert_with(|| empty(COARSE)), delta);
    }
    Ok(Counted { visits, days, hours })
}

impl Counted {
    async fn write(&self, tx: &mut Tx, through: i64) -> Result<()> {
        store::put_visits(tx, self.visits.values()).await?;
        store::put_days(tx, &self.days).await?;
        store::put_hours(tx, self.hours.iter()).await?;
        hits::move_cursor(tx, CURSOR, through).await
    }
}

/// The cursor that holds the last day of a site whose counts are final.
fn floor_name(site: i64) -> String {
    format!("traffic.floor.{site}")
}

/// Makes the counts of a site final up to and with `day`: its rows may go.
///
/// # Errors
/// As the store says.
pub(super) async fn raise_floor(db: &Db, site: i64, day: i64) -> Result<()> {
    let mut tx = db.begin().await?;
    tx.lock(CURSOR).await?;
    hits::move_cursor(&mut tx, &floor_name(site), day).await?;
    tx.commit().await
}

/// Throws visits and counts away, so that the next calls of [`count`] make them again from the rows. Counts of days whose
/// rows were let go stay.
///
/// # Errors
/// As the store says.
pub async fn start_over(db: &Db, words: &Words, sites: &Sites) -> Result<()> {
    let mut floors = Vec::new();
    for site in sites.all() {
        let number = words.numbers(db, std::iter::once(site.key.as_str())).await?;
        let number = number.get(site.key.as_str()).copied().unwrap_or_default();
        floors.push((number, hits::cursor(db, &floor_name(number)).await?));
    }
    let mut tx = db.begin().await?;
    tx.lock(CURSOR).await?;
    store::forget_counts(&mut tx, &floors).await?;
    hits::forget_cursor(&mut tx, CURSOR).await?;
    hits::forget_cursor(&mut tx, DAY).await?;
    tx.commit().await
}

fn utc_day(at: Timestamp) -> i64 {
    at.as_ms().div_euclid(DAY_MS)
}

/// A transaction in which nobody else counts; nothing if somebody has gone on from `position` meanwhile.
async fn begin_at(db: &Db, position: i64) -> Result<Option<Tx>> {
    let mut tx = db.begin().await?;
    tx.lock(CURSOR).await?;
    let now = hits::cursor_in(&mut tx, CURSOR).await?;
    Ok((now == position).then_some(tx))
}

async fn turn_to(db: &Db, day: i64, position: i64) -> Result<()> {
    let Some(mut tx) = begin_at(db, position).await? else { return Ok(()) };
    store::close_days(&mut tx, db, day - OPEN_DAYS).await?;
    hits::move_cursor(&mut tx, DAY, day).await?;
    tx.commit().await
}

fn empty(precision: u8) -> Count {
    Count { measures: Measures::default(), visitors: Sketch::new(precision) }
}

fn add(count: &mut Count, delta: Delta) {
    count.measures += delta.measures;
    count.visitors.extend(delta.visitors);
}

async fn known(db: &Db, words: &Words) -> Result<Known> {
    let numbers = words.numbers(db, Known::WORDS.into_iter()).await?;
    let number = |word: &str| numbers.get(word).copied().unwrap_or_default();
    Ok(Known::of_numbers(Known::WORDS.map(number)))
}

/// The zone of every site that has rows here.
async fn zones(db: &Db, words: &Words, sites: &Sites, lines: &[Line]) -> Result<Zones> {
    let mut zones = Zones::default();
    for site in lines.iter().map(|line| line.site).collect::<BTreeSet<_>>() {
        let key = words.text(db, site).await?;
        // Rows of a site that is not configured any more are still counted.
        let zone = sites.find(&key).map_or(TimeZone::UTC, |site| site.zone());
        zones.insert(site, zone);
    }
    Ok(zones)
}

/// The words of the properties of events, by the hits' ids.
async fn properties(db: &Db, words: &Words, lines: &[Line], known: &Known) -> Result<Map<HitId, Vec<i64>>> {
    let mut texts: Vec<(HitId, String)> = Vec::new();
    let mut seen = BTreeSet::new();
    for line in lines.iter().filter(|line| known.kind(line.name) == crate::sessions::Kind::Event) {
        let Some(props) = &line.props else { continue };
        // Of those that come twice only the first becomes a row.
        if !seen.insert(line.id) {
            continue;
        }
        let props: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(props).map_err(|error| Error::Engine(error.to_string()))?;
        let name = words.text(db, line.name).await?;
        for (property, value) in props {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            texts.push((line.id, format!("{name}\t{property}\t{value}")));
        }
    }
    let numbers = words.numbers(db, texts.iter().map(|(_, text)| text.as_str())).await?;
    let mut properties: Map<HitId, Vec<i64>> = Map::default();
    for (id, text) in &texts {
        properties.entry(*id).or_default().extend(numbers.get(text.as_str()));
    }
    Ok(properties)
}
