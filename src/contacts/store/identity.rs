//! Further addresses, the sites' user ids, one-time codes, and who looks like whom.

use crate::base::email::Email;
use crate::base::ids::{CompanyId, ContactId, VisitorId, new_key};
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::contacts::Contact;
use crate::contacts::codes::Code;
use crate::storage::Result;
use crate::storage::db::{Queries, Row, Tx};
use crate::{params, sql};

/// A further address of a contact.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Alias {
    pub email: String,
    /// `host` or `person`; `merge` for the address of a contact that was merged into this one.
    pub source: String,
    pub at: Timestamp,
}

/// How a site calls a contact.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct HostId {
    pub site: String,
    pub host_id: String,
    #[serde(skip)]
    pub contact: ContactId,
    /// Another user of the site has the address already: a person decides.
    pub is_contested: bool,
    pub at: Timestamp,
}

/// A contact's further addresses, those of contacts that were merged into it among them.
///
/// # Errors
/// As the store says.
pub async fn addresses(q: &mut impl Queries, contact: ContactId) -> Result<Vec<Alias>> {
    let rows = q
        .query(
            sql!(
                "select email, source, at from contact_emails
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                 union all
                 select email, 'merge', updated_at from contacts where merged_into = $1
                 order by 1"
            ),
            params![contact],
        )
        .await?;
    rows.iter()
        .map(|row| Ok(Alias { email: row.get("email")?, source: row.get("source")?, at: row.get("at")? }))
        .collect()
}

pub(in crate::contacts) async fn add_address(
    tx: &mut Tx,
    contact: ContactId,
    email: &Email,
    source: &str,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!("insert into contact_emails (email, contact_id, source, at) values ($1, $2, $3, $4)"),
        params![email.as_str(), contact, source, now],
    )
    .await?;
    Ok(())
}

fn host_id_of(row: &Row) -> Result<HostId> {
    Ok(HostId {
        site: row.get("site")?,
        host_id: row.get("host_id")?,
        contact: row.get("contact_id")?,
        is_contested: row.get::<String>("state")? == "contested",
        at: row.get("at")?,
    })
}

/// How the sites call a contact.
///
/// # Errors
/// As the store says.
pub async fn host_ids(q: &mut impl Queries, contact: ContactId) -> Result<Vec<HostId>> {
    let rows = q
        .query(
            sql!(
                "select site, host_id, contact_id, state, at from contact_host_ids
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                 order by site, host_id"
            ),
            params![contact],
        )
        .await?;
    rows.iter().map(host_id_of).collect()
}

pub(in crate::contacts) async fn host_id(
    q: &mut impl Queries,
    site: &str,
    host_id: &str,
) -> Result<Option<HostId>> {
    let row = q
        .query_opt(
            sql!(
                "select site, host_id, contact_id, state, at from contact_host_ids
                 where site = $1 and host_id = $2"
            ),
            params![site, host_id],
        )
        .await?;
    row.as_ref().map(host_id_of).transpose()
}

/// Whether a contact is bound to any user id of a site.
pub(in crate::contacts) async fn is_user_of(
    q: &mut impl Queries,
    contact: ContactId,
    site: &str,
) -> Result<bool> {
    let row = q
        .query_opt(
            sql!(
                "select host_id from contact_host_ids
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                     and site = $2 and state = 'bound' limit 1"
            ),
            params![contact, site],
        )
        .await?;
    Ok(row.is_some())
}

pub(in crate::contacts) async fn put_host_id(
    tx: &mut Tx,
    site: &str,
    host_id: &str,
    contact: ContactId,
    state: &str,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into contact_host_ids (site, host_id, contact_id, state, at) values ($1, $2, $3, $4, $5)
             on conflict (site, host_id) do update set state = excluded.state, at = excluded.at"
        ),
        params![site, host_id, contact, state, now],
    )
    .await?;
    Ok(())
}

/// When codes were sent to a contact since a moment, the latest first.
pub(in crate::contacts) async fn codes_since(
    q: &mut impl Queries,
    contact: ContactId,
    since: Timestamp,
) -> Result<Vec<Timestamp>> {
    let rows = q
        .query(
            sql!(
                "select asked_at from identity_codes where contact_id = $1 and asked_at > $2
                 order by asked_at desc"
            ),
            params![contact, since],
        )
        .await?;
    rows.iter().map(|row| row.get("asked_at")).collect()
}

pub(in crate::contacts) async fn insert_code(
    tx: &mut Tx,
    contact: ContactId,
    visitor: VisitorId,
    language: Language,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<String> {
    let id = new_key();
    tx.execute(
        sql!(
            "insert into identity_codes (id, contact_id, visitor_id, language, asked_at, expires_at)
             values ($1, $2, $3, $4, $5, $6)"
        ),
        params![&id, contact, visitor, language, now, expires_at],
    )
    .await?;
    Ok(id)
}

fn code_of(row: &Row) -> Result<Code> {
    Ok(Code {
        id: row.get("id")?,
        contact: row.get("contact_id")?,
        language: row.get("language")?,
        expires_at: row.get("expires_at")?,
        tries: row.get("tries")?,
        used_at: row.get("used_at")?,
    })
}

/// The last code that a device asked for.
pub(in crate::contacts) async fn latest_code(
    q: &mut impl Queries,
    contact: ContactId,
    visitor: VisitorId,
) -> Result<Option<Code>> {
    let row = q
        .query_opt(
            sql!(
                "select id, contact_id, language, expires_at, tries, used_at from identity_codes
                 where contact_id = $1 and visitor_id = $2
                 order by asked_at desc, id desc limit 1"
            ),
            params![contact, visitor],
        )
        .await?;
    row.as_ref().map(code_of).transpose()
}

pub(in crate::contacts) async fn code(q: &mut impl Queries, id: &str) -> Result<Option<Code>> {
    let row = q
        .query_opt(
            sql!(
                "select id, contact_id, language, expires_at, tries, used_at from identity_codes
                 where id = $1"
            ),
            params![id],
        )
        .await?;
    row.as_ref().map(code_of).transpose()
}

pub(in crate::contacts) async fn count_try(tx: &mut Tx, id: &str) -> Result<()> {
    tx.execute(sql!("update identity_codes set tries = tries + 1 where id = $1"), params![id]).await?;
    Ok(())
}

pub(in crate::contacts) async fn use_code(tx: &mut Tx, id: &str, now: Timestamp) -> Result<()> {
    tx.execute(sql!("update identity_codes set used_at = $2 where id = $1"), params![id, now]).await?;
    Ok(())
}

/// Forgets the codes that ran out before a moment.
pub(in crate::contacts) async fn forget_codes(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    tx.execute(sql!("delete from identity_codes where expires_at < $1"), params![before]).await
}

/// Contacts whose addresses differ from this one's only in a plus tag or in dots.
pub(in crate::contacts) async fn alike(
    q: &mut impl Queries,
    but: ContactId,
    likeness: &str,
) -> Result<Vec<Contact>> {
    let rows = q
        .query(
            sql!(
                "select id, email, first_name, last_name, company_id, language, time_zone, owner_id, stage,
                     stage_since, created_at, last_seen_at
                 from contacts where likeness = $2 and id <> $1 and merged_into is null
                 order by created_at limit 10"
            ),
            params![but, likeness],
        )
        .await?;
    rows.iter().map(super::contact_of).collect()
}

/// Contacts with the same name at the same company.
pub(in crate::contacts) async fn namesakes(
    q: &mut impl Queries,
    but: ContactId,
    company: CompanyId,
    first_name: &str,
    last_name: &str,
) -> Result<Vec<Contact>> {
    let rows = q
        .query(
            sql!(
                "select id, email, first_name, last_name, company_id, language, time_zone, owner_id, stage,
                     stage_since, created_at, last_seen_at
                 from contacts
                 where company_id = $2 and lower(first_name) = $3 and lower(last_name) = $4
                     and id <> $1 and merged_into is null
                 order by created_at limit 10"
            ),
            params![but, company, first_name.to_lowercase(), last_name.to_lowercase()],
        )
        .await?;
    rows.iter().map(super::contact_of).collect()
}
