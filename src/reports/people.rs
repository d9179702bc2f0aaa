//! The list of contacts: searched, filtered by stage or company, in pages.

use serde::Serialize;

use super::{name_of, pattern};
use crate::base::ids::{CompanyId, ContactId};
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

/// Rows on one page.
pub const PAGE: i64 = 50;

/// What to look for.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// A part of the name, the address, the company or its domain, or of what hurts, is needed, wanted and valued, and which
    /// competitors are looked at.
    pub text: Option<String>,
    pub stage: Option<String>,
    pub company: Option<CompanyId>,
    /// From 1.
    pub page: i64,
}

impl Search {
    fn pattern(&self) -> Option<String> {
        self.text.as_deref().map(pattern)
    }
}

/// One row of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    pub id: ContactId,
    pub name: String,
    pub email: String,
    pub company: Option<String>,
    pub stage: String,
    pub stage_since: Timestamp,
    pub owner: Option<String>,
    pub last_seen_at: Timestamp,
}

/// One page of the people who are found, the most recently seen first.
///
/// # Errors
/// As the store says.
pub async fn people(q: &mut impl Queries, search: &Search) -> Result<Vec<Person>> {
    let rows = q
        .query(
            sql!(
                "select c.id, c.email, c.first_name, c.last_name, c.stage, c.stage_since, c.last_seen_at,
                     co.name as company, a.name as owner
                 from contacts c
                 left join companies co on co.id = c.company_id
                 left join accounts a on a.id = c.owner_id
                 where c.merged_into is null
                     and (cast($1 as text) is null or lower(c.email) like $1 escape '!'
                         or lower(coalesce(c.first_name, '') || ' ' || coalesce(c.last_name, '')) like $1 escape '!'
                         or lower(coalesce(co.name, '')) like $1 escape '!'
                         or coalesce(co.domain, '') like $1 escape '!'
                         or exists (select 1 from contact_fields f
                             where f.contact_id = c.id and f.status = 'current'
                                 and f.name in ('need', 'pain', 'competitors', 'want', 'value')
                                 and lower(f.value) like $1 escape '!'))
                     and (cast($2 as text) is null or c.stage = $2)
                     and (cast($3 as text) is null or c.company_id = $3)
                 order by c.last_seen_at desc, c.id desc limit $4 offset $5"
            ),
            params![
                search.pattern(),
                search.stage.as_ref(),
                search.company,
                PAGE,
                (search.page.max(1) - 1).saturating_mul(PAGE),
            ],
        )
        .await?;
    let people = rows.iter().map(|row| {
        Ok(Person {
            id: row.get("id")?,
            name: name_of(row)?,
            email: row.get("email")?,
            company: row.get("company")?,
            stage: row.get("stage")?,
            stage_since: row.get("stage_since")?,
            owner: row.get("owner")?,
            last_seen_at: row.get("last_seen_at")?,
        })
    });
    people.collect()
}

/// How many of the people who are found stand in each stage; the stage of the search itself is left out of account.
///
/// # Errors
/// As the store says.
pub async fn by_stage(q: &mut impl Queries, search: &Search) -> Result<Vec<(String, i64)>> {
    let rows = q
        .query(
            sql!(
                "select c.stage, count(*) as n
                 from contacts c
                 left join companies co on co.id = c.company_id
                 where c.merged_into is null
                     and (cast($1 as text) is null or lower(c.email) like $1 escape '!'
                         or lower(coalesce(c.first_name, '') || ' ' || coalesce(c.last_name, '')) like $1 escape '!'
                         or lower(coalesce(co.name, '')) like $1 escape '!'
                         or coalesce(co.domain, '') like $1 escape '!'
                         or exists (select 1 from contact_fields f
                             where f.contact_id = c.id and f.status = 'current'
                                 and f.name in ('need', 'pain', 'competitors', 'want', 'value')
                                 and lower(f.value) like $1 escape '!'))
                     and (cast($2 as text) is null or c.company_id = $2)
                 group by c.stage"
            ),
            params![search.pattern(), search.company],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get("stage")?, row.get("n")?))).collect()
}
