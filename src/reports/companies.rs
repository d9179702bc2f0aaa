//! The list of companies: searched by the words of name and domain, by name, in pages that begin where the one before ended.

use serde::Serialize;

use super::people::{COUNTED_MOST, Count};
use crate::base::ids::CompanyId;
use crate::base::time::Timestamp;
use crate::contacts::words::{Sought, WORDS_MOST};
use crate::sql;
use crate::storage::Result;
use crate::storage::db::{Queries, Row, Value};

/// Rows on one page.
pub const PAGE: usize = 50;

/// One row of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Company {
    pub id: CompanyId,
    pub name: String,
    pub domain: String,
    pub industry: Option<String>,
    pub employees: Option<i64>,
    pub country: Option<String>,
    /// How many of its people are known.
    pub people: i64,
    /// How many deals with it are open.
    pub deals: i64,
    /// When one of its people was last seen.
    pub last_seen_at: Option<Timestamp>,
    #[serde(skip)]
    sort_name: String,
}

/// Where a page ended: the name that is sorted by, and the id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    name: String,
    id: String,
}

impl Place {
    /// Reads what [`text`](Self::text) wrote.
    pub fn read(text: &str) -> Option<Self> {
        let (id, name) = text.split_once('~')?;
        Some(Self { name: name.to_owned(), id: CompanyId::parse(id).ok()?.to_string() })
    }

    /// As it stands in an address.
    pub fn text(&self) -> String {
        format!("{}~{}", self.id, self.name)
    }
}

fn binds(text: Option<&Sought>) -> Vec<Value> {
    let mut ranges = text.map(Sought::ranges).unwrap_or_default().into_iter();
    let mut binds = Vec::with_capacity(2 * WORDS_MOST + 3);
    for _ in 0..WORDS_MOST {
        match ranges.next() {
            Some((from, to)) => binds.extend([Value::Text(from), Value::Text(to)]),
            None => binds.extend([Value::Null, Value::Null]),
        }
    }
    binds
}

fn company_of(row: &Row) -> Result<Company> {
    Ok(Company {
        id: row.get("id")?,
        name: row.get("name")?,
        domain: row.get("domain")?,
        industry: row.get("industry")?,
        employees: row.get("employees")?,
        country: row.get("country")?,
        people: row.get("people")?,
        deals: row.get("deals")?,
        last_seen_at: row.get("last_seen_at")?,
        sort_name: row.get("sort_name")?,
    })
}

/// One page of the companies that are found, by name, and where the next begins.
///
/// # Errors
/// As the store says.
pub async fn find(
    q: &mut impl Queries,
    text: Option<&Sought>,
    after: Option<&Place>,
) -> Result<(Vec<Company>, Option<Place>)> {
    if text.is_some_and(Sought::is_empty) {
        return Ok((Vec::new(), None));
    }
    let mut binds = binds(text);
    let after = after.cloned().unwrap_or_default();
    binds.extend([
        after.name.into(),
        after.id.into(),
        Value::Int(i64::try_from(PAGE + 1).unwrap_or(i64::MAX)),
    ]);
    let rows = q
        .query(
            sql!(
                "select k.id, k.name, k.domain, k.industry, k.employees, k.country, k.sort_name,
                     (select count(*) from contacts c where c.company_id = k.id and c.merged_into is null) as people,
                     (select count(*) from deals d where d.company_id = k.id and d.status = 'open') as deals,
                     (select max(c.last_seen_at) from contacts c where c.company_id = k.id) as last_seen_at
                 from companies k
                 where (cast($1 as text) is null or exists (
                         select 1 from company_words w where w.company_id = k.id and w.word >= $1 and w.word < $2))
                     and (cast($3 as text) is null or exists (
                         select 1 from company_words w where w.company_id = k.id and w.word >= $3 and w.word < $4))
                     and (cast($5 as text) is null or exists (
                         select 1 from company_words w where w.company_id = k.id and w.word >= $5 and w.word < $6))
                     and (cast($7 as text) is null or exists (
                         select 1 from company_words w where w.company_id = k.id and w.word >= $7 and w.word < $8))
                     and k.sort_name >= $9 and (k.sort_name > $9 or k.id > $10)
                 order by k.sort_name, k.id limit $11"
            ),
            &binds,
        )
        .await?;
    let mut found = rows.iter().map(company_of).collect::<Result<Vec<_>>>()?;
    let follows = found.len() > PAGE;
    found.truncate(PAGE);
    let last = found.last().filter(|_| follows);
    let next = last.map(|last| Place { name: last.sort_name.clone(), id: last.id.to_string() });
    Ok((found, next))
}

/// How many are found, as far as anybody counts.
///
/// # Errors
/// As the store says.
pub async fn count(q: &mut impl Queries, text: Option<&Sought>) -> Result<Count> {
    if text.is_some_and(Sought::is_empty) {
        return Ok(Count { n: 0, is_more: false });
    }
    let mut binds = binds(text);
    binds.push(Value::Int(COUNTED_MOST + 1));
    let row = q
        .query_opt(
            sql!(
                "select count(*) as n from (
                     select k.id
                     from companies k
                 where (cast($1 as text) is null or exists (
                         select 1 from company_words w where w.company_id = k.id and w.word >= $1 and w.word < $2))
                     and (cast($3 as text) is null or exists (
                         select 1 from company_words w where w.company_id = k.id and w.word >= $3 and w.word < $4))
                     and (cast($5 as text) is null or exists (
                         select 1 from company_words w where w.company_id = k.id and w.word >= $5 and w.word < $6))
                     and (cast($7 as text) is null or exists (
                         select 1 from company_words w where w.company_id = k.id and w.word >= $7 and w.word < $8))
                     limit $9) as found"
            ),
            &binds,
        )
        .await?;
    let n: i64 = row.map_or(Ok(0), |row| row.get("n"))?;
    Ok(Count { n: n.min(COUNTED_MOST), is_more: n > COUNTED_MOST })
}
