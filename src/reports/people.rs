//! The list of contacts: searched, filtered, sorted, in pages that begin where the one before ended.
//!
//! A search that few answer to is read whole by its rarest word and sorted here; everything else walks along an index and
//! stops when the page is full (docs/decisions/0026). Each statement takes the same conditions under the same numbers; who
//! was merged and when somebody was seen is asked so that SQLite takes the index of the order, and not one of those.

use std::cmp::Ordering;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::name_of;
use crate::base::ids::{CompanyId, ContactId};
use crate::base::time::Timestamp;
use crate::contacts::words::{Sought, WORDS_MOST};
use crate::storage::Result;
use crate::storage::db::{Queries, Row, Value};
use crate::subscriptions::State;
use crate::{params, sql};

/// Rows on one page.
pub const PAGE: usize = 50;
/// Nobody is counted beyond this: it is "more than".
pub const COUNTED_MOST: i64 = 10_000;
/// The same where each has to be looked at to be counted.
const LOOKED_AT_MOST: i64 = 1_000;
/// What one word finds is read whole, if it stands in no more rows. Somebody has several words that begin alike.
const READ_WHOLE_MOST: i64 = 20_000;
/// What stands for nobody as an owner.
pub const NO_OWNER: &str = "-";

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The most recently seen first.
    #[default]
    Seen,
    /// The latest to become known first.
    Created,
    /// By name.
    Name,
}

impl Order {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Seen, Self::Created, Self::Name];

    /// The word in an address.
    pub fn word(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Created => "created",
            Self::Name => "name",
        }
    }

    /// What a word means.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|order| order.word() == word)
    }

    /// What stands before everybody.
    fn start(self) -> Place {
        match self {
            Self::Seen | Self::Created => Place { key: Key::Time(i64::MAX), id: String::new() },
            Self::Name => Place { key: Key::Name(String::new()), id: String::new() },
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    Time(i64),
    Name(String),
}

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    key: Key,
    id: String,
}

impl Place {
    /// Reads what [`text`](Self::text) wrote for this order; nothing for anything else.
    pub fn read(order: Order, text: &str) -> Option<Self> {
        let (id, key) = text.split_once('~')?;
        let id = ContactId::parse(id).ok()?.to_string();
        let key = match order {
            Order::Seen | Order::Created => Key::Time(key.parse().ok()?),
            Order::Name => Key::Name(key.to_owned()),
        };
        Some(Self { key, id })
    }

    /// As it stands in an address.
    pub fn text(&self) -> String {
        match &self.key {
            Key::Time(at) => format!("{}~{at}", self.id),
            Key::Name(name) => format!("{}~{name}", self.id),
        }
    }

    fn binds(&self) -> [Value; 2] {
        let key = match &self.key {
            Key::Time(at) => Value::Int(*at),
            Key::Name(name) => Value::Text(name.clone()),
        };
        [key, Value::Text(self.id.clone())]
    }
}

/// What to look for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// Words of the name, the addresses, the telephone, the company, and of what was said about the need; none: everybody.
    pub text: Option<Sought>,
    pub stage: Option<String>,
    /// An account's id, or [`NO_OWNER`].
    pub owner: Option<String>,
    pub segment: Option<String>,
    pub company: Option<CompanyId>,
    /// ISO 3166-1 alpha-2: hers, or her company's.
    pub country: Option<String>,
    /// Letters, and how she stands to them.
    pub topic: Option<(String, State)>,
    /// A visit of hers came from there.
    pub source: Option<String>,
    pub campaign: Option<String>,
    /// Last seen from this moment on, and before that one.
    pub seen: (Timestamp, Timestamp),
}

impl Default for Search {
    fn default() -> Self {
        Self {
            text: None,
            stage: None,
            owner: None,
            segment: None,
            company: None,
            country: None,
            topic: None,
            source: None,
            campaign: None,
            seen: (Timestamp(0), Timestamp(i64::MAX)),
        }
    }
}

impl Search {
    /// Whether everybody is meant.
    pub fn is_everybody(&self) -> bool {
        *self == Self::default()
    }

    fn ranges(&self) -> Vec<(String, String)> {
        self.text.as_ref().map(Sought::ranges).unwrap_or_default()
    }

    /// The conditions that every statement takes as `$1` to `$19`.
    fn binds(&self) -> Vec<Value> {
        let (topic, state) = self.topic.as_ref().map(|(topic, state)| (topic, state.word())).unzip();
        let mut binds = params![
            self.stage.as_ref(),
            self.owner.as_ref(),
            self.segment.as_ref(),
            self.company,
            self.country.as_ref(),
            topic,
            state,
            self.source.as_ref(),
            self.campaign.as_ref(),
            self.seen.0,
            self.seen.1,
        ]
        .to_vec();
        let mut ranges = self.ranges().into_iter();
        for _ in 0..WORDS_MOST {
            match ranges.next() {
                Some((from, to)) => binds.extend([Value::Text(from), Value::Text(to)]),
                None => binds.extend([Value::Null, Value::Null]),
            }
        }
        binds
    }
}

/// How many are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Count {
    pub n: i64,
    /// There are more than that.
    pub is_more: bool,
}

impl Count {
    /// The number to hold another count of the same against: one more than was counted if there are more.
    pub fn ceiling(self) -> i64 {
        self.n.saturating_add(i64::from(self.is_more))
    }
}

/// One page of those who are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub ids: Vec<ContactId>,
    /// Where the next page begins, if somebody follows.
    pub next: Option<Place>,
    /// How many are found, where that is known without counting.
    count: Option<Count>,
}

/// One of those who are found, with what lists sort by.
struct Entry {
    id: ContactId,
    seen: i64,
    created: i64,
    name: String,
}

impl Entry {
    fn of(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            seen: row.get("last_seen_at")?,
            created: row.get("created_at")?,
            name: row.get("sort_name")?,
        })
    }

    fn place(&self, order: Order) -> Place {
        let key = match order {
            Order::Seen => Key::Time(self.seen),
            Order::Created => Key::Time(self.created),
            Order::Name => Key::Name(self.name.clone()),
        };
        Place { key, id: self.id.to_string() }
    }

    fn compare(&self, other: &Self, order: Order) -> Ordering {
        match order {
            Order::Seen => (other.seen, other.id).cmp(&(self.seen, self.id)),
            Order::Created => (other.created, other.id).cmp(&(self.created, self.id)),
            Order::Name => (&self.name, self.id).cmp(&(&other.name, other.id)),
        }
    }

    /// Whether the entry stands after a place.
    fn is_after(&self, place: &Place, order: Order) -> bool {
        let own = self.place(order);
        match (&own.key, &place.key) {
            (Key::Time(own_at), Key::Time(at)) => (*own_at, &own.id) < (*at, &place.id),
            (Key::Name(own_name), Key::Name(name)) => (own_name, &own.id) > (name, &place.id),
            _ => false,
        }
    }
}

/// One page of the people who are found, of at most so many.
///
/// # Errors
/// As the store says.
pub async fn find(
    q: &mut impl Queries,
    search: &Search,
    order: Order,
    after: Option<&Place>,
    most: usize,
) -> Result<Found> {
    if search.text.as_ref().is_some_and(Sought::is_empty) {
        // Something was typed in which there is no word: nobody is called that.
        return Ok(Found { ids: Vec::new(), next: None, count: Some(Count { n: 0, is_more: false }) });
    }
    let (mut entries, count) = match rarest(q, search).await? {
        Some(by) => {
            let mut all = read_whole(q, search, &by).await?;
            let n = i64::try_from(all.len()).unwrap_or(i64::MAX);
            all.sort_by(|a, b| a.compare(b, order));
            let from = after.map_or(0, |place| all.partition_point(|entry| !entry.is_after(place, order)));
            let page: Vec<Entry> = all.into_iter().skip(from).take(most + 1).collect();
            (page, Some(Count { n, is_more: false }))
        }
        None => {
            let start = order.start();
            let mut binds = search.binds();
            binds.extend(after.unwrap_or(&start).binds());
            binds.push(Value::Int(i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1)));
            let rows = match order {
                Order::Seen => walk_by_seen(q, &binds).await?,
                Order::Created => walk_by_created(q, &binds).await?,
                Order::Name => walk_by_name(q, &binds).await?,
            };
            (rows.iter().map(Entry::of).collect::<Result<Vec<_>>>()?, None)
        }
    };
    let follows = entries.len() > most;
    entries.truncate(most);
    let next = entries.last().filter(|_| follows).map(|last| last.place(order));
    Ok(Found { ids: entries.into_iter().map(|entry| entry.id).collect(), next, count })
}

/// By what those who are found are read whole.
enum By {
    Word(String, String),
    Company(CompanyId),
}

/// The condition that fewest answer to, if they are few enough to be read whole.
async fn rarest(q: &mut impl Queries, search: &Search) -> Result<Option<By>> {
    if let Some(company) = search.company {
        return Ok(Some(By::Company(company)));
    }
    let mut rarest: Option<(i64, By)> = None;
    for (from, to) in search.ranges() {
        let row = q
            .query_opt(
                sql!(
                    "select (select count(*) from (
                             select 1 as one from contact_words where word >= $1 and word < $2 limit $3) as a)
                         + (select count(*) from (
                             select 1 as one from company_words w join contacts c on c.company_id = w.company_id
                             where w.word >= $1 and w.word < $2 limit $3) as b) as n"
                ),
                params![&from, &to, READ_WHOLE_MOST + 1],
            )
            .await?;
        let n: i64 = row.map_or(Ok(0), |row| row.get("n"))?;
        if n <= READ_WHOLE_MOST && rarest.as_ref().is_none_or(|(least, _)| n < *least) {
            rarest = Some((n, By::Word(from, to)));
        }
    }
    Ok(rarest.map(|(_, by)| by))
}

/// Everybody who is found, in no order.
async fn read_whole(q: &mut impl Queries, search: &Search, by: &By) -> Result<Vec<Entry>> {
    let mut binds = search.binds();
    match by {
        By::Word(from, to) => binds.extend([from.into(), to.into(), Value::Null]),
        By::Company(company) => binds.extend(["".into(), "".into(), Value::from(*company)]),
    }
    let rows = q
        .query(
            sql!(
                "select c.id, c.last_seen_at, c.created_at, c.sort_name
                 from (select contact_id as id from contact_words where word >= $20 and word < $21
                     union
                     select k.id from company_words w join contacts k on k.company_id = w.company_id
                     where w.word >= $20 and w.word < $21
                     union
                     select k.id from contacts k where k.company_id = $22) as n
                 join contacts c on c.id = n.id
                 where coalesce(c.merged_into, '') = ''
                     and (cast($1 as text) is null or c.stage = $1)
                     and (cast($2 as text) is null or coalesce(c.owner_id, '-') = $2)
                     and (cast($3 as text) is null or exists (
                         select 1 from segment_states s
                         where s.contact_id = c.id and s.segment = $3 and s.is_member = 1))
                     and (cast($4 as text) is null or c.company_id = $4)
                     and (cast($5 as text) is null
                         or exists (select 1 from contact_fields f
                             where f.contact_id = c.id and f.name = 'country' and f.status = 'current'
                                 and upper(f.value) = $5)
                         or exists (select 1 from companies k where k.id = c.company_id and k.country = $5))
                     and (cast($6 as text) is null or exists (
                         select 1 from subscriptions t
                         where t.contact_id = c.id and t.topic = $6 and t.state = $7))
                     and (cast($8 as text) is null or c.id in (
                         select d.contact_id from words w join visits s on s.source = w.id
                             join visitors d on d.id = s.visitor
                         where w.text = $8 and s.consent > 0))
                     and (cast($9 as text) is null or c.id in (
                         select d.contact_id from words w join visits s on s.campaign = w.id
                             join visitors d on d.id = s.visitor
                         where w.text = $9 and s.consent > 0))
                     and c.last_seen_at + 0 >= $10 and c.last_seen_at + 0 < $11
                     and (cast($12 as text) is null
                         or exists (select 1 from contact_words w
                             where w.contact_id = c.id and w.word >= $12 and w.word < $13)
                         or exists (select 1 from company_words w
                             where w.company_id = c.company_id and w.word >= $12 and w.word < $13))
                     and (cast($14 as text) is null
                         or exists (select 1 from contact_words w
                             where w.contact_id = c.id and w.word >= $14 and w.word < $15)
                         or exists (select 1 from company_words w
                             where w.company_id = c.company_id and w.word >= $14 and w.word < $15))
                     and (cast($16 as text) is null
                         or exists (select 1 from contact_words w
                             where w.contact_id = c.id and w.word >= $16 and w.word < $17)
                         or exists (select 1 from company_words w
                             where w.company_id = c.company_id and w.word >= $16 and w.word < $17))
                     and (cast($18 as text) is null
                         or exists (select 1 from contact_words w
                             where w.contact_id = c.id and w.word >= $18 and w.word < $19)
                         or exists (select 1 from company_words w
                             where w.company_id = c.company_id and w.word >= $18 and w.word < $19))"
            ),
            &binds,
        )
        .await?;
    rows.iter().map(Entry::of).collect()
}

/// The most recently seen first.
async fn walk_by_seen(q: &mut impl Queries, binds: &[Value]) -> Result<Vec<Row>> {
    q.query(
        sql!(
            "select c.id, c.last_seen_at, c.created_at, c.sort_name
                 from contacts c
                 where coalesce(c.merged_into, '') = ''
                     and (cast($1 as text) is null or c.stage = $1)
                     and (cast($2 as text) is null or coalesce(c.owner_id, '-') = $2)
                     and (cast($3 as text) is null or exists (
                         select 1 from segment_states s
                         where s.contact_id = c.id and s.segment = $3 and s.is_member = 1))
                     and (cast($4 as text) is null or c.company_id = $4)
                     and (cast($5 as text) is null
                         or exists (select 1 from contact_fields f
                             where f.contact_id = c.id and f.name = 'country' and f.status = 'current'
                                 and upper(f.value) = $5)
                         or exists (select 1 from companies k where k.id = c.company_id and k.country = $5))
                     and (cast($6 as text) is null or exists (
                         select 1 from subscriptions t
                         where t.contact_id = c.id and t.topic = $6 and t.state = $7))
                     and (cast($8 as text) is null or c.id in (
                         select d.contact_id from words w join visits s on s.source = w.id
                             join visitors d on d.id = s.visitor
                         where w.text = $8 and s.consent > 0))
                     and (cast($9 as text) is null or c.id in (
                         select d.contact_id from words w join visits s on s.campaign = w.id
                             join visitors d on d.id = s.visitor
                         where w.text = $9 and s.consent > 0))
                     and c.last_seen_at + 0 >= $10 and c.last_seen_at + 0 < $11
                     and (cast($12 as text) is null
                         or exists (select 1 from contact_words w
                             where w.contact_id = c.id and w.word >= $12 and w.word < $13)
                         or exists (select 1 from company_words w
                             where w.company_id = c.company_id and w.word >= $12 and w.word < $13))
                     and (cast($14 as text) is null
                         or exists (select 1 from contact_words w
                             where w.contact_id = c.id and w.word >= $14 and w.word < $15)
                         or exists (select 1 from company_words w
                             where w.company_id = c.company_id and w.word >= $14 and w.word < $15))
                     and (cast($16 as text) is null
                         or exists (select 1 from contact_words w
                             where w.contact_id = c.id and w.word >= $16 and w.word < $17)
                         or exists (select 1 from company_words w
                             where w.company_id = c.company_id and w.word >= $16 and w.word < $17))
                     and (cast($18 as text) is null
                         or exists (select 1 from contact_words w
                             where w.contact_id = c.id and w.word >= $18 and w.word < $19)
                         or exists (select 1 from company_words w
                             where w.company_id = c.company_id and w.word >= $18 and w.word < $19))
                     and c.last_seen_at <= $20 and (c.last_seen_at < $20 or c.id < $21)
                 order by c.last_seen_at desc, c.id desc limit $22"
        ),
        binds,
    )
    .await
}

/// The latest to become known first.
async fn walk_by_created(q: &mut impl Queries, binds: &[Value]) -> Result<Vec<Row>> {
    q.query(
        sql!(
            "select c.id, c.last_seen_at, c.created_at, c.sort_name
                 from contacts c
                 where coalesce(c.merged_into, '') = ''
                     and (cast($1 as text) is null or c.stage = $1)
                     and (cast($2 as text) is null or coalesce(c.owner_id, '-') = $2)
                     and (cast($3 as text) is null or exists (
                         select 1 from segment_states s
                         where s.contact_id = c.id and s.segment = $3 and s.is_member = 1))
                     and (cast($4 as text) is null or c.company_id = $4)
                     and (cast($5 as text) is null
                         or exists (select 1 from contact_fields f
                             where f.contact_id = c.id and f.name = 'country' and f.status = 'current'
                                 and upper(f.value) = $5)
                         or exists (select 1 from companies k where k.id = c.company_id and k.country = $5))
                     and (cast($6 as text) is null or exists (
                         select 1 from subscriptions t
                         where t.contact_id = c.id and t.topic = $6 and t.state = $7))
                     and (cast($8 as text) is null or c.id in (
                         select d.contact_id from words w join visits s on s.source = w.id
                             join visitors d on d.id = s.visitor
                         where w.text = $8 and s.consent > 0))
                     and (cast($9 as text) is null or c.id in (
                         select d.contact_id from words w join visits s on s.campaign = w.id
                             join visitors d on d.id = s.visitor
                         where w.text = $9 and s.consent > 0))
                     and c.last_seen_at + 0 >= $10 and c.last_seen_at + 0 < $11
                     and (cast($12 as text) is null
                         or exists (select 1 from contact_words w
                             where w.contact_id = c.id and w.word >= $12 and w.word < $13)
                         or exists (select 1 from company_words w
                             where w.company_id = c.company_id and w.word >= $12 and w.word < $13))
                     and (cast($14 as text) is null
                         or exists (select 1 from contact_words w
                             where w.contact_id = c.id and w.word >= $14 and w.word < $15)
                         or exists (select 1 from company_words w
                             where w.company_id = c.company_id and w.word >= $14 and w.word < $15))
                     and (cast($16 as text) is null
                         or exists (select 1 from contact_words w
                             where w.contact_id = c.id and w.word >= $16 and w.word < $17)
                         or exists (select 1 from company_words w
                             where w.company_id = c.company_id and w.word >= $16 and w.word < $17))
                     and (cast($18 as text) is null
                         or exists (select 1 from contact_words w
                             where w.contact_id = c.id and w.word >= $18 and w.word < $19)
                         or exists (select 1 from company_words w
                             where w.company_id = c.company_id and w.word >= $18 and w.word < $19))
                     and c.created_at <= $20 and (c.created_at < $20 or c.id < $21)
                 order by c.created_at desc, c.id desc limit $22"
        ),
        binds,
    )
    .await
}

/// By name.
async fn walk_by_name(q: &mut impl Queries, binds: &[Value]) -> Result<Vec<Row>> {
    q.query(
        sql!(
            "select c.id, c.last_seen_at, c.created_at, c.sort_name
                 from contacts c
                 where coalesce(c.merged_into, '') = ''
                     and (cast($1 as text) is null or c.stage = $1)
                     and (cast($2 as text) is null or coalesce(c.owner_id, '-') = $2)
                     and (cast($3 as text) is null or exists (
                         select 1 from segment_states s
                         where s.contact_id = c.id and s.segment = $3 and s.is_member = 1))
                     and (cast($4 as text) is null or c.company_id = $4)
                     and (cast($5 as text) is null
                         or exists (select 1 from contact_fields f
                             where f.contact_id = c.id and f.name = 'country' and f.status = 'current'
                                 and upper(f.value) = $5)
                         or exists (select 1 from companies k where k.id = c.company_id and k.country = $5))
                     and (cast($6 as text) is null or exists (
                         select 1 from subscriptions t
                         where t.contact_id = c.id and t.topic = $6 and t.state = $7))
                     and (cast($8 as text) is null or c.id in (
                         select d.contact_id from words w join visits s on s.source = w.id
                             join visitors d on d.id = s.visitor
                         where w.text = $8 and s.consent > 0))
                     and (cast($9 as text) is null or c.id in (
                         select d.contact_id from words w join visits s on s.campaign = w.id
                             join visitors d on d.id = s.visitor
                         where w.text = $9 and s.consent > 0))
                     and c.last_seen_at + 0 >= $10 and c.last_seen_at + 0 < $11
                     and (cast($12 as text) is null
                         or exists (select 1 from contact_words w
                             where w.contact_id = c.id and w.word >= $12 and w.word < $13)
                         or exists (select 1 from company_words w
                             where w.company_id = c.company_id and w.word >= $12 and w.word < $13))
                     and (cast($14 as text) is null
                         or exists (select 1 from contact_words w
                             where w.contact_id = c.id and w.word >= $14 and w.word < $15)
                         or exists (select 1 from company_words w
                             where w.company_id = c.company_id and w.word >= $14 and w.word < $15))
                     and (cast($16 as text) is null
                         or exists (select 1 from contact_words w
                             where w.contact_id = c.id and w.word >= $16 and w.word < $17)
                         or exists (select 1 from company_words w
                             where w.company_id = c.company_id and w.word >= $16 and w.word < $17))
                     and (cast($18 as text) is null
                         or exists (select 1 from contact_words w
                             where w.contact_id = c.id and w.word >= $18 and w.word < $19)
                         or exists (select 1 from company_words w
                             where w.company_id = c.company_id and w.word >= $18 and w.word < $19))
                     and c.sort_name >= $20 and (c.sort_name > $20 or c.id > $21)
                 order by c.sort_name asc, c.id asc limit $22"
        ),
        binds,
    )
    .await
}

/// How many are found; [`COUNTED_MOST`] is as far as anybody counts, and less far where that takes long.
///
/// # Errors
/// As the store says.
pub async fn count(q: &mut impl Queries, search: &Search, found: &Found) -> Result<Count> {
    if let Some(count) = found.count {
        return Ok(count);
    }
    let most = if search.is_everybody() { COUNTED_MOST } else { LOOKED_AT_MOST };
    let mut binds = search.binds();
    binds.push(Value::Int(most + 1));
    let row = q
        .query_opt(
            sql!(
                "select count(*) as n from (
                     select c.id
                     from contacts c
                 where coalesce(c.merged_into, '') = ''
                     and (cast($1 as text) is null or c.stage = $1)
                     and (cast($2 as text) is null or coalesce(c.owner_id, '-') = $2)
                     and (cast($3 as text) is null or exists (
                         select 1 from segment_states s
                         where s.contact_id = c.id and s.segment = $3 and s.is_member = 1))
                     and (cast($4 as text) is null or c.company_id = $4)
                     and (cast($5 as text) is null
                         or exists (select 1 from contact_fields f
                             where f.contact_id = c.id and f.name = 'country' and f.status = 'current'
                                 and upper(f.value) = $5)
                         or exists (select 1 from companies k where k.id = c.company_id and k.country = $5))
                     and (cast($6 as text) is null or exists (
                         select 1 from subscriptions t
                         where t.contact_id = c.id and t.topic = $6 and t.state = $7))
                     and (cast($8 as text) is null or c.id in (
                         select d.contact_id from words w join visits s on s.source = w.id
                             join visitors d on d.id = s.visitor
                         where w.text = $8 and s.consent > 0))
                     and (cast($9 as text) is null or c.id in (
                         select d.contact_id from words w join visits s on s.campaign = w.id
                             join visitors d on d.id = s.visitor
                         where w.text = $9 and s.consent > 0))
                     and c.last_seen_at + 0 >= $10 and c.last_seen_at + 0 < $11
                     and (cast($12 as text) is null
                         or exists (select 1 from contact_words w
                             where w.contact_id = c.id and w.word >= $12 and w.word < $13)
                         or exists (select 1 from company_words w
                             where w.company_id = c.company_id and w.word >= $12 and w.word < $13))
                     and (cast($14 as text) is null
                         or exists (select 1 from contact_words w
                             where w.contact_id = c.id and w.word >= $14 and w.word < $15)
                         or exists (select 1 from company_words w
                             where w.company_id = c.company_id and w.word >= $14 and w.word < $15))
                     and (cast($16 as text) is null
                         or exists (select 1 from contact_words w
                             where w.contact_id = c.id and w.word >= $16 and w.word < $17)
                         or exists (select 1 from company_words w
                             where w.company_id = c.company_id and w.word >= $16 and w.word < $17))
                     and (cast($18 as text) is null
                         or exists (select 1 from contact_words w
                             where w.contact_id = c.id and w.word >= $18 and w.word < $19)
                         or exists (select 1 from company_words w
                             where w.company_id = c.company_id and w.word >= $18 and w.word < $19))
                     limit $20) as found"
            ),
            &binds,
        )
        .await?;
    let n: i64 = row.map_or(Ok(0), |row| row.get("n"))?;
    Ok(Count { n: n.min(most), is_more: n > most })
}

/// One row of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    pub id: ContactId,
    pub name: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub email: String,
    pub company: Option<String>,
    pub stage: String,
    pub stage_since: Timestamp,
    pub owner: Option<String>,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub country: Option<String>,
    pub phone: Option<String>,
    pub job_title: Option<String>,
    pub language: String,
}

/// What the list shows of these people, in their order.
///
/// # Errors
/// As the store says.
pub async fn rows(q: &mut impl Queries, ids: &[ContactId]) -> Result<Vec<Person>> {
    let rows = q
        .query(
            sql!(
                "select c.id, c.email, c.first_name, c.last_name, c.stage, c.stage_since, c.created_at,
                     c.last_seen_at, c.language, co.name as company, a.name as owner,
                     coalesce((select upper(f.value) from contact_fields f
                         where f.contact_id = c.id and f.name = 'country' and f.status = 'current'), co.country)
                         as country,
                     (select f.value from contact_fields f
                         where f.contact_id = c.id and f.name = 'phone' and f.status = 'current') as phone,
                     (select f.value from contact_fields f
                         where f.contact_id = c.id and f.name = 'job_title' and f.status = 'current') as job_title
                 from contacts c
                 left join companies co on co.id = c.company_id
                 left join accounts a on a.id = c.owner_id
                 where c.id in (select value from {each $1})"
            ),
            params![json!(ids)],
        )
        .await?;
    let mut found: HashMap<ContactId, Person> = HashMap::with_capacity(rows.len());
    for row in &rows {
        let person = Person {
            id: row.get("id")?,
            name: name_of(row)?,
            first_name: row.get("first_name")?,
            last_name: row.get("last_name")?,
            email: row.get("email")?,
            company: row.get("company")?,
            stage: row.get("stage")?,
            stage_since: row.get("stage_since")?,
            owner: row.get("owner")?,
            created_at: row.get("created_at")?,
            last_seen_at: row.get("last_seen_at")?,
            country: row.get("country")?,
            phone: row.get("phone")?,
            job_title: row.get("job_title")?,
            language: row.get("language")?,
        };
        found.insert(person.id, person);
    }
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}

/// How many of all people stand in each stage.
///
/// # Errors
/// As the store says.
pub async fn by_stage(q: &mut impl Queries) -> Result<Vec<(String, i64)>> {
    let rows = q
        .query(
            sql!("select stage, count(*) as n from contacts where coalesce(merged_into, '') = '' group by stage"),
            params![],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get("stage")?, row.get("n")?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let id = ContactId::new().to_string();
        let seen = Place { key: Key::Time(42), id: id.clone() };
        assert_eq!(Place::read(Order::Seen, &seen.text()), Some(seen));
        let name = Place { key: Key::Name("ana ~ruiz".to_owned()), id };
        assert_eq!(Place::read(Order::Name, &name.text()), Some(name.clone()));
        assert_eq!(Place::read(Order::Seen, &name.text()), None, "a name is no moment");
        for nonsense in ["", "~", "x~1", "0197a2b4-0000-7000-8000-000000000001", "'; drop table contacts"] {
            assert_eq!(Place::read(Order::Seen, nonsense), None, "{nonsense}");
        }
    }
}
