//! Who is on the site now: the few that Today shows, all of them page by page, and one of them with her whole way.

use std::collections::HashMap;

use serde::Serialize;

use super::name_of;
use crate::base::ids::{AccountId, ContactId, ConversationId, SessionId, VisitorId};
use crate::base::time::{MINUTE_MS, Timestamp};
use crate::base::trust::Trust;
use crate::hits;
use crate::sessions::{self, IDLE_MS};
use crate::storage::Result;
use crate::storage::db::{Db, Queries, Row};
use crate::{params, sql};

/// Seen within this time is "now".
pub const NOW_MS: i64 = 5 * MINUTE_MS;
/// Trust from which on it is taken for certain who she is: an address that was only typed may be anybody's.
pub const CERTAIN: Trust = Trust::Clicked;

/// A visit that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Here {
    pub contact_id: Option<ContactId>,
    /// Empty for a visitor nobody knows.
    pub name: String,
    pub stage: Option<String>,
    pub page: String,
    pub country: Option<String>,
    pub last_at: Timestamp,
}

/// The visitors of the last minutes, people first and the latest first, and how many there are in all.
///
/// # Errors
/// As the store says.
pub async fn live(q: &mut impl Queries, now: Timestamp, most: i64) -> Result<(Vec<Here>, i64)> {
    let since = now.plus_ms(-NOW_MS);
    let count = q
        .query_opt(
            sql!("select count(*) as n from visits where last_at >= $1 and bot is null"),
            params![since],
        )
        .await?
        .map_or(Ok(0), |row| row.get("n"))?;
    // Apart, so that of all the others only the last few are looked at: the index gives them in order.
    let people = q
        .query(
            sql!(
                "select c.id as contact_id, c.email, c.first_name, c.last_name, c.stage, p.text as page,
                     k.text as country, v.last_at
                 from visits v
                 join visitors d on d.id = v.visitor
                 join contacts c on c.id = d.contact_id
                 left join words p on p.id = v.exit
                 left join words k on k.id = v.country
                 where v.last_at >= $1 and v.bot is null and v.consent > 0
                 order by v.last_at desc
                 limit $2"
            ),
            params![since, most],
        )
        .await?;
    let mut here = people
        .iter()
        .map(|row| {
            let name = name_of(row)?;
            here_of(row, row.get("contact_id")?, name, row.get("stage")?)
        })
        .collect::<Result<Vec<Here>>>()?;
    let places = most - i64::try_from(here.len()).unwrap_or(most);
    if places > 0 {
        let strangers = q
            .query(
                sql!(
                    "select p.text as page, k.text as country, v.last_at
                     from visits v
                     left join visitors d on d.id = v.visitor and v.consent > 0
                     left join words p on p.id = v.exit
                     left join words k on k.id = v.country
                     where v.last_at >= $1 and v.bot is null and d.contact_id is null
                     order by v.last_at desc
                     limit $2"
                ),
                params![since, places],
            )
            .await?;
        for row in &strangers {
            here.push(here_of(row, None, String::new(), None)?);
        }
    }
    Ok((here, count))
}

fn here_of(row: &Row, contact_id: Option<ContactId>, name: String, stage: Option<String>) -> Result<Here> {
    Ok(Here {
        contact_id,
        name,
        stage,
        page: row.get::<Option<String>>("page")?.unwrap_or_default(),
        country: row.get("country")?,
        last_at: row.get("last_at")?,
    })
}

/// Which of them are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    All,
    /// Those who have an address.
    Known,
    /// Those with a conversation open.
    Talking,
}

impl Who {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::All, Self::Known, Self::Talking];

    /// The word in addresses and texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Known => "known",
            Self::Talking => "talking",
        }
    }

    /// What a word means.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|who| who.word() == word)
    }
}

/// How many there are of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub all: i64,
    pub known: i64,
    pub talking: i64,
}

impl Counts {
    /// How many there are of these.
    pub fn of(&self, who: Who) -> i64 {
        match who {
            Who::All => self.all,
            Who::Known => self.known,
            Who::Talking => self.talking,
        }
    }
}

/// Somebody who is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Present {
    /// The device, if it may be recognised.
    pub visitor: Option<VisitorId>,
    /// The site's key.
    pub site: String,
    pub person: Option<Person>,
    pub talk: Option<Talk>,
    /// Pages in order, as far as the visit lists them.
    pub trail: Vec<Step>,
    /// Pages that were opened in all.
    pub pages: i64,
    pub started_at: Timestamp,
    pub last_at: Timestamp,
    pub engaged_ms: i64,
    pub channel: String,
    pub source: Option<String>,
    pub campaign: Option<String>,
    pub country: Option<String>,
    pub device: String,
    /// The browser's language, as a tag.
    pub language: Option<String>,
    #[serde(skip)]
    pub host: String,
    #[serde(skip)]
    pub consent: i64,
}

/// Who the device belongs to, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    pub id: ContactId,
    pub name: String,
    pub company: Option<String>,
    pub stage: String,
    pub owner: Option<AccountId>,
    pub owner_name: Option<String>,
    /// Whether it is certain that it is she; else somebody has typed her address.
    pub is_certain: bool,
}

/// The conversation that she has open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Talk {
    pub id: ConversationId,
    /// `bot`, `waiting`, `human`.
    pub mode: String,
    pub agent: Option<String>,
    /// Somebody has spoken to her first, and she has not seen it yet.
    pub waits: bool,
}

/// One page of the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    pub path: String,
    pub title: String,
    pub at: Timestamp,
    pub engaged_ms: i64,
}

/// How many are there now.
///
/// # Errors
/// As the store says.
pub async fn counts(q: &mut impl Queries, now: Timestamp) -> Result<Counts> {
    let row = q
        .query_opt(
            sql!(
                "select count(*) as everybody, count(d.contact_id) as known,
                     coalesce(sum(case when exists (select 1 from conversations t
                         where t.visitor_id = v.visitor and t.mode <> 'closed') then 1 else 0 end), 0) as talking
                 from visits v left join visitors d on d.id = v.visitor and v.consent > 0
                 where v.last_at >= $1 and v.bot is null"
            ),
            params![now.plus_ms(-NOW_MS)],
        )
        .await?;
    row.map_or(Ok(Counts::default()), |row| {
        Ok(Counts {
            all: row.get("everybody")?,
            known: row.get("known")?,
            talking: row.get::<i64>("talking")?,
        })
    })
}

/// Those who are there: people first, then whoever came or moved last. `hits` is where visits are kept, `known` how many
/// have an address ([`counts`]).
///
/// # Errors
/// As the store says.
pub async fn present(
    q: &mut impl Queries,
    hits: &Db,
    (who, contact): (Who, Option<ContactId>),
    known: i64,
    (skip, most): (i64, i64),
    now: Timestamp,
) -> Result<Vec<Present>> {
    let rows = match (who, contact) {
        (Who::All, None) => {
            // Apart, so that nobody sorts all the others: the index gives them in order.
            let mut rows = if skip < known { people(q, skip, most, now).await? } else { Vec::new() };
            let places = most - i64::try_from(rows.len()).unwrap_or(most);
            if places > 0 {
                rows.extend(strangers(q, (skip - known).max(0), places, now).await?);
            }
            rows
        }
        (Who::Known, None) => people(q, skip, most, now).await?,
        _ => some(q, who, contact, (skip, most), now).await?,
    };
    told(q, hits, &rows).await
}

/// The visits of those who have an address, the latest first.
async fn people(q: &mut impl Queries, skip: i64, most: i64, now: Timestamp) -> Result<Vec<Row>> {
    q.query(
        sql!(
            "select v.id as visit, d.trust, c.id as contact_id, c.email, c.first_name, c.last_name, c.stage,
                 c.owner_id, a.name as owner_name, o.name as company
             from visits v
             join visitors d on d.id = v.visitor
             join contacts m on m.id = d.contact_id
             join contacts c on c.id = coalesce(m.merged_into, m.id)
             left join companies o on o.id = c.company_id
             left join accounts a on a.id = c.owner_id
             where v.last_at >= $1 and v.bot is null and v.consent > 0
             order by v.last_at desc, v.id
             limit $2 offset $3"
        ),
        params![now.plus_ms(-NOW_MS), most, skip],
    )
    .await
}

/// The visits of all others, the latest first.
async fn strangers(q: &mut impl Queries, skip: i64, most: i64, now: Timestamp) -> Result<Vec<Row>> {
    q.query(
        sql!(
            "select v.id as visit, d.contact_id
             from visits v
             left join visitors d on d.id = v.visitor and v.consent > 0
             where v.last_at >= $1 and v.bot is null and d.contact_id is null
             order by v.last_at desc, v.id
             limit $2 offset $3"
        ),
        params![now.plus_ms(-NOW_MS), most, skip],
    )
    .await
}

/// The visits of some, people first and the latest first.
async fn some(
    q: &mut impl Queries,
    who: Who,
    contact: Option<ContactId>,
    (skip, most): (i64, i64),
    now: Timestamp,
) -> Result<Vec<Row>> {
    q.query(
        sql!(
            "select v.id as visit, d.trust, c.id as contact_id, c.email, c.first_name, c.last_name, c.stage,
                     c.owner_id, a.name as owner_name, o.name as company
                 from visits v
                 left join visitors d on d.id = v.visitor and v.consent > 0
                 left join contacts m on m.id = d.contact_id
                 left join contacts c on c.id = coalesce(m.merged_into, m.id)
                 left join companies o on o.id = c.company_id
                 left join accounts a on a.id = c.owner_id
                 where v.last_at >= $1 and v.bot is null
                     and (cast($2 as bigint) = 0 or c.id is not null)
                     and (cast($3 as bigint) = 0 or exists (select 1 from conversations t
                         where t.visitor_id = v.visitor and t.mode <> 'closed'))
                     and (cast($4 as text) is null or c.id = $4)
                 order by case when c.id is null then 1 else 0 end, v.last_at desc, v.id
                 limit $5 offset $6"
        ),
        params![
            now.plus_ms(-NOW_MS),
            i64::from(who == Who::Known),
            i64::from(who == Who::Talking),
            contact,
            most,
            skip
        ],
    )
    .await
}

/// The visit that goes on, or went on last, on a device that may be recognised; none if it was longer ago than a visit
/// lasts without a sign.
///
/// # Errors
/// As the store says.
pub async fn of_device(
    q: &mut impl Queries,
    hits: &Db,
    visitor: VisitorId,
    now: Timestamp,
) -> Result<Option<Present>> {
    let rows = q
        .query(
            sql!(
                "select v.id as visit, d.trust, c.id as contact_id, c.email, c.first_name, c.last_name, c.stage,
                     c.owner_id, a.name as owner_name, o.name as company
                 from visits v
                 left join visitors d on d.id = v.visitor
                 left join contacts m on m.id = d.contact_id
                 left join contacts c on c.id = coalesce(m.merged_into, m.id)
                 left join companies o on o.id = c.company_id
                 left join accounts a on a.id = c.owner_id
                 where v.visitor = $1 and v.consent > 0 and v.bot is null and v.last_at >= $2
                 order by v.last_at desc limit 1"
            ),
            params![visitor, now.plus_ms(-IDLE_MS)],
        )
        .await?;
    Ok(told(q, hits, &rows).await?.pop())
}

/// The visits of rows, in their order, in words.
async fn told(q: &mut impl Queries, hits: &Db, rows: &[Row]) -> Result<Vec<Present>> {
    let ids = rows.iter().map(|row| row.get("visit")).collect::<Result<Vec<SessionId>>>()?;
    let visits = sessions::store::visits(hits, ids.iter().copied()).await?;
    let texts = hits::texts_of(&mut hits.read(), visits.values().flat_map(words_of)).await?;
    let devices: Vec<String> = visits.values().map(|visit| visit.visitor.to_string()).collect();
    let talks = talks(q, &devices).await?;
    let mut present = Vec::with_capacity(rows.len());
    for (row, id) in rows.iter().zip(&ids) {
        // It may have gone since.
        let Some(visit) = visits.get(id) else { continue };
        let mut here = of_visit(visit, &texts);
        here.person = person(row)?;
        here.talk = talks.get(&(visit.visitor, here.site.clone())).cloned();
        present.push(here);
    }
    Ok(present)
}

fn person(row: &Row) -> Result<Option<Person>> {
    let Some(id) = row.get::<Option<ContactId>>("contact_id")? else { return Ok(None) };
    let trust: Option<i64> = row.get("trust")?;
    Ok(Some(Person {
        id,
        name: name_of(row)?,
        company: row.get("company")?,
        stage: row.get("stage")?,
        owner: row.get("owner_id")?,
        owner_name: row.get("owner_name")?,
        is_certain: trust.is_some_and(|level| Trust::of_level(level) >= CERTAIN),
    }))
}

/// The conversations that these devices have open, the latest of each on each site.
async fn talks(q: &mut impl Queries, devices: &[String]) -> Result<HashMap<(VisitorId, String), Talk>> {
    if devices.is_empty() {
        return Ok(HashMap::new());
    }
    let devices = serde_json::to_string(devices).unwrap_or_default();
    let rows = q
        .query(
            sql!(
                "select t.id, t.visitor_id, t.site, t.mode, a.name as agent,
                     case when p.conversation_id is not null and p.reached_at is null then 1 else 0 end as waits
                 from conversations t
                 left join accounts a on a.id = t.assigned_to
                 left join approaches p on p.conversation_id = t.id
                 where t.visitor_id in (select value from {each $1}) and t.mode <> 'closed'
                 order by t.opened_at"
            ),
            params![devices],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let talk = Talk {
                id: row.get("id")?,
                mode: row.get("mode")?,
                agent: row.get("agent")?,
                waits: row.get::<i64>("waits")? == 1,
            };
            Ok(((row.get("visitor_id")?, row.get("site")?), talk))
        })
        .collect()
}

/// The numbers of every word that is told of a visit.
fn words_of(visit: &sessions::Visit) -> impl Iterator<Item = i64> {
    let steps = visit.trail.steps.iter().flat_map(|step| [Some(step.name), Some(step.path), step.title]);
    let origin = &visit.origin;
    [Some(visit.site), Some(visit.host), Some(origin.channel), origin.source, origin.campaign]
        .into_iter()
        .chain([visit.place.country, Some(visit.device), visit.language, visit.exit])
        .chain(steps)
        .flatten()
}

fn of_visit(visit: &sessions::Visit, texts: &HashMap<i64, String>) -> Present {
    let text = |number: i64| texts.get(&number).cloned().unwrap_or_default();
    let perhaps = |number: Option<i64>| number.and_then(|number| texts.get(&number).cloned());
    let is_page = |step: &&sessions::Step| texts.get(&step.name).is_some_and(|name| name == hits::PAGE);
    Present {
        visitor: (visit.consent > 0).then_some(visit.visitor),
        site: text(visit.site),
        person: None,
        talk: None,
        trail: visit
            .trail
            .steps
            .iter()
            .filter(is_page)
            .map(|step| Step {
                path: text(step.path),
                title: perhaps(step.title).unwrap_or_default(),
                at: step.at,
                engaged_ms: step.engaged_ms,
            })
            .collect(),
        pages: visit.pages,
        started_at: visit.started_at,
        last_at: visit.last_at,
        engaged_ms: visit.engaged_ms,
        channel: text(visit.origin.channel),
        source: perhaps(visit.origin.source),
        campaign: perhaps(visit.origin.campaign),
        country: perhaps(visit.place.country),
        device: text(visit.device),
        language: perhaps(visit.language),
        host: text(visit.host),
        consent: visit.consent,
    }
}
