//! The rows of the hit log: numbers instead of repeated texts, so that a row is small and quick to write and to scan.

pub mod retention;
pub mod unlink;

use std::collections::{BTreeSet, HashMap};
use std::ops::RangeInclusive;

use super::words::Map;
use super::{Recorded, Words};
use crate::base::consent::Consent;
use crate::base::ids::{HitId, SessionId, VisitorId};
use crate::base::time::{DAY_MS, Timestamp};
use crate::storage::db::bulk::{Bulk, Column, Kind};
use crate::storage::db::{Db, Packed, Queries, Row, Tx, Value};
use crate::storage::{Error, Result};
use crate::{params, sql};

/// A client's clock may be so far behind ours, or a hit may have waited so long, before its id's own time is not believed.
const LATE_MOST_MS: i64 = 7 * DAY_MS;
/// And so far ahead.
const EARLY_MOST_MS: i64 = DAY_MS;
/// The day of hits whose id tells no time that can be believed.
const NO_DAY: i64 = -1;

const HITS: Bulk = Bulk {
    table: "hits",
    columns: &[
        Column("day", Kind::Int),
        Column("id", Kind::Bytes),
        Column("site", Kind::Int),
        Column("at", Kind::Int),
        Column("received_at", Kind::Int),
        Column("visitor", Kind::Bytes),
        Column("session", Kind::Bytes),
        Column("name", Kind::Int),
        Column("host", Kind::Int),
        Column("path", Kind::Int),
        Column("title", Kind::Int),
        Column("referrer", Kind::Int),
        Column("channel", Kind::Int),
        Column("source", Kind::Int),
        Column("medium", Kind::Int),
        Column("campaign", Kind::Int),
        Column("term", Kind::Int),
        Column("content", Kind::Int),
        Column("country", Kind::Int),
        Column("region", Kind::Int),
        Column("city", Kind::Int),
        Column("network", Kind::Int),
        Column("device", Kind::Int),
        Column("browser", Kind::Int),
        Column("os", Kind::Int),
        Column("language", Kind::Int),
        Column("consent", Kind::Int),
        Column("bot", Kind::Int),
        Column("engaged_ms", Kind::Int),
        Column("scroll", Kind::Int),
        Column("props", Kind::Text),
    ],
    key: "day, id",
};

/// Writes hits into the rows and moves the cursor of the log that they come from, in one transaction. A hit whose id is
/// there already is passed over: what is sent twice stands once.
///
/// # Errors
/// As the store says; then nothing of it is true.
pub async fn store<T: AsRef<str>>(
    db: &Db,
    words: &Words,
    log: &str,
    through: i64,
    hits: &[Recorded<T>],
) -> Result<()> {
    let lines = lines_of(db, words, hits).await?;
    let mut tx = db.begin().await?;
    append(&mut tx, lines).await?;
    move_cursor(&mut tx, log, through).await?;
    tx.commit().await
}

/// The rows of hits, still without their places. Texts that are new are written down, in a transaction of their own.
///
/// # Errors
/// As the store says.
pub async fn lines_of<T: AsRef<str>>(db: &Db, words: &Words, hits: &[Recorded<T>]) -> Result<Vec<Line>> {
    let mut numbers: Map<&str, i64> = Map::default();
    loop {
        let mut missing: Vec<&str> = Vec::new();
        let lines = {
            let mut number = |text| match numbers.get(text) {
                Some(number) => *number,
                None => {
                    let known = words.known(text);
                    match known {
                        Some(number) => drop(numbers.insert(text, number)),
                        None => missing.push(text),
                    }
                    known.unwrap_or_default()
                }
            };
            hits.iter().map(|hit| line_of(hit, &mut number)).collect()
        };
        if missing.is_empty() {
            return Ok(lines);
        }
        numbers.extend(words.numbers(db, missing.into_iter()).await?);
    }
}

/// Writes rows. Where the engine tells, those that are new come back with their places.
///
/// # Errors
/// As the store says.
pub async fn append(tx: &mut Tx, lines: Vec<Line>) -> Result<Option<Vec<Line>>> {
    // The lock makes the order of the numbers the order of the commits, so that no reader passes over a late one.
    tx.lock("hits").await?;
    for day in lines.iter().map(day).filter(|day| *day != NO_DAY).collect::<BTreeSet<_>>() {
        tx.partition("hits", day).await?;
    }
    let new = tx.append(&HITS, lines, binds).await?;
    Ok(new.map(|new| new.into_iter().map(|(seq, line)| Line { seq, ..line }).collect()))
}

/// Notes how far a log has been carried, or how far the rows have been read by whoever follows them.
///
/// # Errors
/// As the store says.
pub async fn move_cursor(tx: &mut Tx, log: &str, through: i64) -> Result<()> {
    tx.execute(
        sql!(
            "insert into log_cursors (name, position) values ($1, $2)
             on conflict (name) do update set position = excluded.position
             where excluded.position > log_cursors.position"
        ),
        params![log, through],
    )
    .await?;
    Ok(())
}

/// The number of a text, which is written down if it is new.
pub(super) async fn word_number(tx: &mut Tx, text: &str) -> Result<i64> {
    tx.execute(sql!("insert into words (text) values ($1) on conflict (text) do nothing"), params![text])
        .await?;
    let row = tx.query_opt(sql!("select id from words where text = $1"), params![text]).await?;
    row.ok_or_else(|| Error::Engine("a word is not there".to_owned()))?.get("id")
}

/// The text of a number.
pub(super) async fn word_text(db: &Db, number: i64) -> Result<String> {
    let row = db.read().query_opt(sql!("select text from words where id = $1"), params![number]).await?;
    row.ok_or_else(|| Error::Engine(format!("there is no word {number}")))?.get("text")
}

/// How far a log has been carried into the rows; 0 if not at all.
///
/// # Errors
/// As the store says.
pub async fn cursor(db: &Db, log: &str) -> Result<i64> {
    cursor_in(&mut db.read(), log).await
}

/// As [`cursor`], perhaps in a transaction.
///
/// # Errors
/// As the store says.
pub async fn cursor_in(q: &mut impl Queries, log: &str) -> Result<i64> {
    let row = q.query_opt(sql!("select position from log_cursors where name = $1"), params![log]).await?;
    row.map_or(Ok(0), |row| row.get("position"))
}

/// The number of the last row; 0 if there is none.
///
/// # Errors
/// As the store says.
pub async fn last(db: &Db) -> Result<i64> {
    last_in(&mut db.read()).await
}

/// As [`last`], perhaps in a transaction.
///
/// # Errors
/// As the store says.
pub async fn last_in(q: &mut impl Queries) -> Result<i64> {
    let row = q.query_opt(sql!("select max(seq) as seq from hits"), params![]).await?;
    Ok(row.map_or(Ok(None), |row| row.get::<Option<i64>>("seq"))?.unwrap_or_default())
}

/// Puts a cursor back to the beginning.
///
/// # Errors
/// As the store says.
pub async fn forget_cursor(tx: &mut Tx, log: &str) -> Result<()> {
    tx.execute(sql!("delete from log_cursors where name = $1"), params![log]).await?;
    Ok(())
}

/// Takes away every row of a site whose id was drawn on these days (UTC, since the epoch), or on none that can be told.
///
/// # Errors
/// As the store says; then some may be gone, and it can be done again.
pub async fn forget_site(db: &Db, site: i64, days: RangeInclusive<i64>) -> Result<()> {
    for day in days.chain(std::iter::once(NO_DAY)) {
        db.execute(sql!("delete from hits where day = $1 and site = $2"), params![day, site]).await?;
    }
    Ok(())
}

/// The day (UTC, since the epoch) that a hit's id was drawn on. The same for every repetition of the hit, whenever it comes,
/// because the id is the same: rows are unique by day and id.
fn day(line: &Line) -> i64 {
    let drawn = line.id.drawn_at_ms().map(Timestamp);
    let is_likely = |drawn: &Timestamp| {
        let waited = line.received_at.since_ms(*drawn);
        (-EARLY_MOST_MS..=LATE_MOST_MS).contains(&waited)
    };
    drawn.filter(is_likely).map_or(NO_DAY, |drawn| drawn.as_ms().div_euclid(DAY_MS))
}

fn line_of<'h, T: AsRef<str>>(hit: &'h Recorded<T>, number: &mut impl FnMut(&'h str) -> i64) -> Line {
    let mut word = |text: &'h T| number(text.as_ref());
    Line {
        seq: 0,
        id: hit.id,
        site: word(&hit.site),
        at: hit.at,
        received_at: hit.received_at,
        visitor: hit.visitor,
        session: hit.session,
        name: word(&hit.name),
        host: word(&hit.host),
        path: word(&hit.path),
        title: hit.title.as_ref().map(&mut word),
        referrer: hit.referrer.as_ref().map(&mut word),
        source: hit.source.source.as_ref().map(&mut word),
        medium: hit.source.medium.as_ref().map(&mut word),
        campaign: hit.source.campaign.as_ref().map(&mut word),
        term: hit.source.term.as_ref().map(&mut word),
        content: hit.source.content.as_ref().map(&mut word),
        country: hit.country.as_ref().map(&mut word),
        region: hit.region.as_ref().map(&mut word),
        city: hit.city.as_ref().map(&mut word),
        network: hit.network.as_ref().map(&mut word),
        device: word(&hit.agent.device),
        browser: word(&hit.agent.browser),
        os: word(&hit.agent.os),
        language: hit.language.as_ref().map(&mut word),
        bot: hit.bot_reason.as_ref().map(&mut word),
        channel: number(hit.source.channel.word()),
        consent: consent_number(hit.consent),
        engaged_ms: hit.engaged_ms,
        scroll: hit.scroll,
        props: hit.props.as_ref().map(|props| props.as_ref().to_owned()),
    }
}

fn binds(line: &Line, row: &mut Vec<Value>) {
    row.extend([
        day(line).into(),
        Packed(line.id).into(),
        line.site.into(),
        line.at.into(),
        line.received_at.into(),
        Packed(line.visitor).into(),
        Packed(line.session).into(),
        line.name.into(),
        line.host.into(),
        line.path.into(),
        line.title.into(),
        line.referrer.into(),
        line.channel.into(),
        line.source.into(),
        line.medium.into(),
        line.campaign.into(),
        line.term.into(),
        line.content.into(),
        line.country.into(),
        line.region.into(),
        line.city.into(),
        line.network.into(),
        line.device.into(),
        line.browser.into(),
        line.os.into(),
        line.language.into(),
        line.consent.into(),
        line.bot.into(),
        line.engaged_ms.into(),
        line.scroll.into(),
        line.props.clone().into(),
    ]);
}

fn consent_number(consent: Consent) -> i64 {
    match consent {
        Consent::None => 0,
        Consent::Analytics => 1,
        Consent::Full => 2,
    }
}

/// A row of the log: texts are the numbers of their words, 0 or nothing where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its place among the rows.
    pub seq: i64,
    pub id: HitId,
    pub site: i64,
    pub at: Timestamp,
    pub received_at: Timestamp,
    pub visitor: VisitorId,
    pub session: SessionId,
    pub name: i64,
    pub host: i64,
    pub path: i64,
    pub title: Option<i64>,
    pub referrer: Option<i64>,
    pub channel: i64,
    pub source: Option<i64>,
    pub medium: Option<i64>,
    pub campaign: Option<i64>,
    pub term: Option<i64>,
    pub content: Option<i64>,
    pub country: Option<i64>,
    pub region: Option<i64>,
    pub city: Option<i64>,
    pub network: Option<i64>,
    pub device: i64,
    pub browser: i64,
    pub os: i64,
    pub language: Option<i64>,
    /// 0 none, 1 analytics, 2 full.
    pub consent: i64,
    pub bot: Option<i64>,
    pub engaged_ms: i64,
    pub scroll: i64,
    /// A JSON object.
    pub props: Option<String>,
}

/// The rows after `seq`, in order, at most `most`.
///
/// # Errors
/// As the store says.
pub async fn lines_after(db: &Db, seq: i64, most: i64) -> Result<Vec<Line>> {
    let rows = db
        .read()
        .query(
            sql!(
                "select seq, id, site, at, received_at, visitor, session, name, host, path, title, referrer,
                     channel, source, medium, campaign, term, content, country, region, city, network, device,
                     browser, os, language, consent, bot, engaged_ms, scroll, props
                 from hits where seq > $1 order by seq limit $2"
            ),
            params![seq, most],
        )
        .await?;
    rows.iter().map(line).collect()
}

fn line(row: &Row) -> Result<Line> {
    Ok(Line {
        seq: row.at(0)?,
        id: row.at(1)?,
        site: row.at(2)?,
        at: row.at(3)?,
        received_at: row.at(4)?,
        visitor: row.at(5)?,
        session: row.at(6)?,
        name: row.at(7)?,
        host: row.at(8)?,
        path: row.at(9)?,
        title: row.at(10)?,
        referrer: row.at(11)?,
        channel: row.at(12)?,
        source: row.at(13)?,
        medium: row.at(14)?,
        campaign: row.at(15)?,
        term: row.at(16)?,
        content: row.at(17)?,
        country: row.at(18)?,
        region: row.at(19)?,
        city: row.at(20)?,
        network: row.at(21)?,
        device: row.at(22)?,
        browser: row.at(23)?,
        os: row.at(24)?,
        language: row.at(25)?,
        consent: row.at(26)?,
        bot: row.at(27)?,
        engaged_ms: row.at(28)?,
        scroll: row.at(29)?,
        props: row.at(30)?,
    })
}

/// The texts of numbers, as far as there are any; on SQLite `q` has to see the log's tables.
///
/// # Errors
/// As the store says.
pub async fn texts_of(
    q: &mut impl Queries,
    numbers: impl IntoIterator<Item = i64>,
) -> Result<HashMap<i64, String>> {
    let numbers: BTreeSet<i64> = numbers.into_iter().collect();
    let numbers: Vec<i64> = numbers.into_iter().collect();
    let mut texts = HashMap::with_capacity(numbers.len());
    for some in numbers.chunks(16) {
        // One statement for any number of words: what is left over asks for the last one again.
        let bind = |at: usize| Value::Int(*some.get(at).or(some.last()).unwrap_or(&0));
        let binds: Vec<Value> = (0..16).map(bind).collect();
        let rows = q
            .query(
                sql!(
                    "select id, text from words
                     where id in ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
                ),
                &binds,
            )
            .await?;
        for row in &rows {
            texts.insert(row.at(0)?, row.at(1)?);
        }
    }
    Ok(texts)
}

/// A visit that had hits of late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenVisit {
    pub site: String,
    pub visitor: VisitorId,
    pub session: SessionId,
    pub hits: i64,
    pub last_at: Timestamp,
}

/// The visits that had a hit since then.
///
/// # Errors
/// As the store says.
pub async fn visits_since(db: &Db, words: &Words, since: Timestamp) -> Result<Vec<OpenVisit>> {
    // Rows are numbered in the order in which they were received: everything after the last older one is recent.
    let older = db
        .read()
        .query_opt(
            sql!("select seq from hits where received_at < $1 order by seq desc limit 1"),
            params![since],
        )
        .await?;
    let after: i64 = older.map_or(Ok(0), |row| row.get("seq"))?;
    let rows = db
        .read()
        .query(
            sql!(
                "select site, visitor, session, count(*) as hits, max(at) as last_at from hits
                 where seq > $1 group by site, visitor, session"
            ),
            params![after],
        )
        .await?;
    let mut visits = Vec::with_capacity(rows.len());
    for row in &rows {
        visits.push(OpenVisit {
            site: words.text(db, row.at(0)?).await?.to_string(),
            visitor: row.at(1)?,
            session: row.at(2)?,
            hits: row.at(3)?,
            last_at: row.at(4)?,
        });
    }
    Ok(visits)
}

/// When the newest hit of a site was received, if there is one.
///
/// # Errors
/// As the store says.
pub async fn newest(db: &Db, site: &str) -> Result<Option<Timestamp>> {
    let row = db
        .read()
        .query_opt(
            sql!(
                "select received_at from hits where site = (select id from words where text = $1)
                 order by seq desc limit 1"
            ),
            params![site],
        )
        .await?;
    row.map(|row| row.get("received_at")).transpose()
}
