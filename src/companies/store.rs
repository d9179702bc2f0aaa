//! The tables of companies.

use std::collections::BTreeSet;

use super::{Company, Field, Name, Told, head_count};
use crate::base::ids::CompanyId;
use crate::base::time::Timestamp;
use crate::base::trust::Trust;
use crate::storage::db::{Queries, Row, Tx};
use crate::storage::{Error, Result};
use crate::{params, sql};

fn company_of(row: &Row) -> Result<Company> {
    Ok(Company {
        id: row.get("id")?,
        domain: row.get("domain")?,
        name: row.get("name")?,
        kind: row.get("kind")?,
        employees: row.get("employees")?,
        industry: row.get("industry")?,
        country: row.get("country")?,
        revenue: row.get("revenue")?,
        created_at: row.get("created_at")?,
    })
}

/// The company of this id.
///
/// # Errors
/// As the store says.
pub async fn find(q: &mut impl Queries, id: CompanyId) -> Result<Option<Company>> {
    let row = q
        .query_opt(
            sql!(
                "select id, domain, name, kind, employees, industry, country, revenue, created_at
                 from companies where id = $1"
            ),
            params![id],
        )
        .await?;
    row.as_ref().map(company_of).transpose()
}

/// Companies whose name or domain holds a text, by name.
///
/// # Errors
/// As the store says.
pub async fn list(q: &mut impl Queries, text: &str, from: i64, most: i64) -> Result<Vec<Company>> {
    let plain = text.to_lowercase().replace(['%', '_', '\\'], "");
    let rows = q
        .query(
            sql!(
                "select id, domain, name, kind, employees, industry, country, revenue, created_at
                 from companies where lower(name) like $1 or domain like $1
                 order by lower(name), id limit $2 offset $3"
            ),
            params![format!("%{plain}%"), most, from],
        )
        .await?;
    rows.iter().map(company_of).collect()
}

/// Finds or makes the company of a domain.
///
/// # Errors
/// As the store says.
pub async fn of_domain(tx: &mut Tx, domain: &str, now: Timestamp) -> Result<CompanyId> {
    let (id, name) = (CompanyId::new(), super::name_guessed(domain));
    let made = tx
        .execute(
            sql!(
                "insert into companies (id, domain, name, created_at) values ($1, $2, $3, $4)
                 on conflict (domain) do nothing"
            ),
            params![id, domain, name, now],
        )
        .await?;
    if made > 0 {
        super::words::index(tx, id).await?;
        return Ok(id);
    }
    let row = tx.query_opt(sql!("select id from companies where domain = $1"), params![domain]).await?;
    row.ok_or_else(|| Error::Engine("a company vanished while it was made".to_owned()))?.get("id")
}

pub(super) async fn unindexed(q: &mut impl Queries, most: i64) -> Result<Vec<CompanyId>> {
    let rows = q
        .query(sql!("select id from companies where is_indexed = 0 order by id limit $1"), params![most])
        .await?;
    rows.iter().map(|row| row.get("id")).collect()
}

/// Writes down what has changed and nothing else.
pub(super) async fn write_words(
    tx: &mut Tx,
    company: CompanyId,
    sort_name: &str,
    words: &BTreeSet<String>,
) -> Result<()> {
    let rows =
        tx.query(sql!("select word from company_words where company_id = $1"), params![company]).await?;
    let known: BTreeSet<String> = rows.iter().map(|row| row.get("word")).collect::<Result<_>>()?;
    for gone in known.difference(words) {
        tx.execute(
            sql!("delete from company_words where company_id = $1 and word = $2"),
            params![company, gone],
        )
        .await?;
    }
    for word in words.difference(&known) {
        tx.execute(
            sql!("insert into company_words (company_id, word) values ($1, $2) on conflict do nothing"),
            params![company, word],
        )
        .await?;
    }
    tx.execute(
        sql!("update companies set sort_name = $2, is_indexed = 1 where id = $1"),
        params![company, sort_name],
    )
    .await?;
    Ok(())
}

fn field_of(row: &Row) -> Result<Field> {
    Ok(Field {
        name: row.get("name")?,
        value: row.get("value")?,
        source: row.get("source")?,
        trust: Trust::of_level(row.get("trust")?),
        contact: row.get("contact_id")?,
        at: row.get("at")?,
    })
}

/// Every fact about a company.
///
/// # Errors
/// As the store says.
pub async fn fields(q: &mut impl Queries, company: CompanyId) -> Result<Vec<Field>> {
    let rows = q
        .query(
            sql!(
                "select name, value, source, trust, contact_id, at from company_fields
                 where company_id = $1 order by name"
            ),
            params![company],
        )
        .await?;
    rows.iter().map(field_of).collect()
}

pub(super) async fn field(q: &mut impl Queries, company: CompanyId, name: Name) -> Result<Option<Field>> {
    let row = q
        .query_opt(
            sql!(
                "select name, value, source, trust, contact_id, at from company_fields
                 where company_id = $1 and name = $2"
            ),
            params![company, name.word()],
        )
        .await?;
    row.as_ref().map(field_of).transpose()
}

pub(super) async fn put_field(
    tx: &mut Tx,
    company: CompanyId,
    told: &Told<'_>,
    now: Timestamp,
) -> Result<()> {
    let Told { name, value, source, trust, contact } = *told;
    tx.execute(
        sql!(
            "insert into company_fields (company_id, name, value, source, trust, contact_id, at)
             values ($1, $2, $3, $4, $5, $6, $7)
             on conflict (company_id, name) do update set
                 value = excluded.value, source = excluded.source, trust = excluded.trust,
                 contact_id = excluded.contact_id, at = excluded.at"
        ),
        params![company, name.word(), value, source, trust.level(), contact, now],
    )
    .await?;
    Ok(())
}

/// What waits for a person, beside what counts.
///
/// # Errors
/// As the store says.
pub async fn suggestions(q: &mut impl Queries, company: CompanyId) -> Result<Vec<Field>> {
    let rows = q
        .query(
            sql!(
                "select name, value, source, trust, contact_id, at from company_suggestions
                 where company_id = $1 order by name"
            ),
            params![company],
        )
        .await?;
    rows.iter().map(field_of).collect()
}

/// One of them.
///
/// # Errors
/// As the store says.
pub async fn suggestion(q: &mut impl Queries, company: CompanyId, name: Name) -> Result<Option<Field>> {
    let row = q
        .query_opt(
            sql!(
                "select name, value, source, trust, contact_id, at from company_suggestions
                 where company_id = $1 and name = $2"
            ),
            params![company, name.word()],
        )
        .await?;
    row.as_ref().map(field_of).transpose()
}

/// Lets a value wait; one that is believed more goes on waiting.
pub(super) async fn suggest(tx: &mut Tx, company: CompanyId, told: &Told<'_>, now: Timestamp) -> Result<()> {
    let Told { name, value, source, trust, contact } = *told;
    tx.execute(
        sql!(
            "insert into company_suggestions (company_id, name, value, source, trust, contact_id, at)
             values ($1, $2, $3, $4, $5, $6, $7)
             on conflict (company_id, name) do update set
                 value = excluded.value, source = excluded.source, trust = excluded.trust,
                 contact_id = excluded.contact_id, at = excluded.at
             where company_suggestions.trust <= excluded.trust"
        ),
        params![company, name.word(), value, source, trust.level(), contact, now],
    )
    .await?;
    Ok(())
}

pub(super) async fn drop_suggestion(tx: &mut Tx, company: CompanyId, name: Name) -> Result<bool> {
    let gone = tx
        .execute(
            sql!("delete from company_suggestions where company_id = $1 and name = $2"),
            params![company, name.word()],
        )
        .await?;
    Ok(gone > 0)
}

/// Keeps the columns that lists and rules read in step with the facts.
pub(super) async fn mirror(tx: &mut Tx, company: CompanyId, name: Name, value: &str) -> Result<()> {
    match name {
        Name::Name => {
            tx.execute(sql!("update companies set name = $2 where id = $1"), params![company, value]).await?
        }
        Name::Kind => {
            let kind = value.to_lowercase();
            tx.execute(sql!("update companies set kind = $2 where id = $1"), params![company, kind]).await?
        }
        Name::Employees => {
            let count = Some(head_count(value)).filter(|count| *count > 0);
            tx.execute(sql!("update companies set employees = $2 where id = $1"), params![company, count])
                .await?
        }
        Name::Industry => {
            let industry = value.to_lowercase();
            tx.execute(sql!("update companies set industry = $2 where id = $1"), params![company, industry])
                .await?
        }
        Name::Country => {
            let country = value.to_uppercase();
            tx.execute(sql!("update companies set country = $2 where id = $1"), params![company, country])
                .await?
        }
        Name::Revenue => {
            tx.execute(sql!("update companies set revenue = $2 where id = $1"), params![company, value])
                .await?
        }
    };
    Ok(())
}

/// Takes a company away in which nobody works and that has no deal; returns whether it was there.
pub(super) async fn forget_empty(tx: &mut Tx, domain: &str) -> Result<bool> {
    let row = tx
        .query_opt(
            sql!(
                "select c.id from companies c
                 where c.domain = $1
                     and not exists (select 1 from contacts p where p.company_id = c.id)
                     and not exists (select 1 from deals d where d.company_id = c.id)"
            ),
            params![domain],
        )
        .await?;
    let Some(row) = row else { return Ok(false) };
    let id: CompanyId = row.get("id")?;
    for text in [
        sql!("delete from company_words where company_id = $1"),
        sql!("delete from company_suggestions where company_id = $1"),
        sql!("delete from company_fields where company_id = $1"),
        sql!("delete from companies where id = $1"),
    ] {
        tx.execute(text, params![id]).await?;
    }
    Ok(true)
}
