//! The tables of people, devices, facts and consents.

pub(super) mod acts;
pub(super) mod arrivals;
pub(super) mod identity;
pub(super) mod imports;
pub(super) mod merges;
pub(super) mod views;
pub(super) mod words;

use std::collections::{BTreeSet, HashMap};

use serde_json::Value as Json;

use super::{
    Activity, Consent, ConsentEntry, ConsentRecord, Contact, Field, Identification, Step, Trust, Visit,
    Visitor,
};
use crate::base::email::Email;
use crate::base::ids::{ActivityId, CompanyId, ContactId, VisitorId};
use crate::base::language::Language;
use crate::base::signing::sha256_hex;
use crate::base::time::Timestamp;
use crate::hits;
use crate::sessions;
use crate::storage::db::bulk::{Bulk, Column, Kind};
use crate::storage::db::{Db, Queries, Row, Tx};
use crate::storage::personal::Personal;
use crate::storage::{Error, Result};
use crate::{params, sql};

/// What these tables hold about people.
pub const PERSONAL: &[Personal] = &[
    Personal {
        table: "arrivals",
        export: None,
        erase: Some(sql!(
            "delete from arrivals where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "when she was on a site is exported with her visits",
    },
    Personal {
        table: "contact_marks",
        export: None,
        erase: Some(sql!(
            "delete from contact_marks where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "a mark only says that she is to be looked at again",
    },
    Personal {
        table: "activities",
        export: Some(sql!(
            "select kind, subject, props, at from activities
             where contact_id in (select own_id from contact_ids where contact_id = $1)
                 or (contact_id is null and visitor_id in (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1)))
             order by at"
        )),
        erase: Some(sql!(
            "delete from activities
             where contact_id in (select own_id from contact_ids where contact_id = $1)
                 or (contact_id is null and visitor_id in (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1)))"
        )),
        because: "",
    },
    Personal {
        table: "consents",
        export: Some(sql!(
            "select c.purpose, c.action, t.text_id, t.version, t.body_hash, t.language, t.body, c.form, c.page, c.mail_id,
                 c.network, c.user_agent, c.at
             from consents c left join consent_texts t on t.hash = c.text_hash
             where c.contact_id in (select own_id from contact_ids where contact_id = $1)
                 or (c.contact_id is null and c.visitor_id in (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1)))
             order by c.at"
        )),
        erase: Some(sql!(
            "delete from consents
             where contact_id in (select own_id from contact_ids where contact_id = $1)
                 or (contact_id is null and visitor_id in (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1)))"
        )),
        because: "what she refused is kept as a keyed digest in kept_refusals",
    },
    Personal {
        table: "identity_codes",
        export: None,
        erase: Some(sql!(
            "delete from identity_codes where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "a code is good for ten minutes and says nothing of her",
    },
    Personal {
        table: "contact_emails",
        export: Some(sql!(
            "select email, source, at from contact_emails
             where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        erase: Some(sql!(
            "delete from contact_emails where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "",
    },
    Personal {
        table: "contact_host_ids",
        export: Some(sql!(
            "select site, host_id, state, at from contact_host_ids
             where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        erase: Some(sql!(
            "delete from contact_host_ids where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "",
    },
    Personal {
        table: "contact_merges",
        export: Some(sql!(
            "select survivor_id, merged_id, at, undone_at from contact_merges
             where survivor_id in (select own_id from contact_ids where contact_id = $1)
                 or merged_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        erase: Some(sql!(
            "delete from contact_merges
             where survivor_id in (select own_id from contact_ids where contact_id = $1)
                 or merged_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "",
    },
    Personal {
        table: "contact_fields",
        export: Some(sql!(
            "select name, status, value, source, trust, at from contact_fields
             where contact_id in (select own_id from contact_ids where contact_id = $1)
             order by name, status"
        )),
        erase: Some(sql!(
            "delete from contact_fields where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "",
    },
    Personal {
        table: "company_fields",
        export: Some(sql!(
            "select c.domain, f.name, f.value, f.source, f.trust, f.at
             from company_fields f join companies c on c.id = f.company_id
             where f.contact_id in (select own_id from contact_ids where contact_id = $1)
             order by f.name"
        )),
        erase: Some(sql!(
            "update company_fields set contact_id = null
             where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "a company is not a person; that she said it is taken out",
    },
    Personal {
        table: "company_suggestions",
        export: Some(sql!(
            "select c.domain, f.name, f.value, f.source, f.trust, f.at
             from company_suggestions f join companies c on c.id = f.company_id
             where f.contact_id in (select own_id from contact_ids where contact_id = $1)
             order by f.name"
        )),
        erase: Some(sql!(
            "delete from company_suggestions
             where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "",
    },
    Personal {
        table: "visitors",
        export: Some(sql!(
            "select id, site, trust, consent, first_touch, first_seen_at, last_seen_at from visitors
             where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        erase: Some(sql!(
            "delete from visitors where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "",
    },
    Personal {
        table: "contact_act_people",
        export: None,
        erase: Some(sql!(
            "delete from contact_act_people
             where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "who looked after her before, for as long as it can be undone",
    },
    Personal {
        table: "contact_import_lines",
        export: None,
        erase: Some(sql!(
            "delete from contact_import_lines where email in (
                 select email from contacts where id in (select own_id from contact_ids where contact_id = $1)
                 union
                 select email from contact_emails
                 where contact_id in (select own_id from contact_ids where contact_id = $1))"
        )),
        because: "lines of a list that waits to be read; what was read of it is exported as facts",
    },
    Personal {
        table: "contact_imports",
        export: None,
        erase: None,
        because: "what a list's columns are called, and how many stood in it",
    },
    Personal {
        table: "contact_views",
        export: None,
        erase: None,
        because: "ways of the company's own people to look at the list",
    },
    Personal {
        table: "contact_words",
        export: None,
        erase: Some(sql!(
            "delete from contact_words where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "the words of what is exported elsewhere",
    },
    Personal {
        table: "contacts",
        export: Some(sql!(
            "select id, email, first_name, last_name, language, time_zone, stage, stage_since, created_at,
                 updated_at, last_seen_at, profiling_off_at
             from contacts where id in (select own_id from contact_ids where contact_id = $1)"
        )),
        erase: Some(sql!(
            "delete from contacts where id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "",
    },
];

fn contact_of(row: &Row) -> Result<Contact> {
    let email: String = row.get("email")?;
    Ok(Contact {
        id: row.get("id")?,
        email: Email::parse(&email)
            .map_err(|_| Error::Shape { column: "email".to_owned(), wanted: "an e-mail address" })?,
        first_name: row.get("first_name")?,
        last_name: row.get("last_name")?,
        company: row.get("company_id")?,
        language: row.get("language")?,
        time_zone: row.get("time_zone")?,
        owner: row.get("owner_id")?,
        stage: row.get("stage")?,
        stage_since: row.get("stage_since")?,
        created_at: row.get("created_at")?,
        last_seen_at: row.get("last_seen_at")?,
    })
}

/// The contact of this id.
///
/// # Errors
/// As the store says.
pub async fn find(q: &mut impl Queries, id: ContactId) -> Result<Option<Contact>> {
    let row = q
        .query_opt(
            sql!(
                "select id, email, first_name, last_name, company_id, language, time_zone, owner_id, stage,
                     stage_since, created_at, last_seen_at
                 from contacts where id = coalesce((select merged_into from contacts where id = $1), $1)"
            ),
            params![id],
        )
        .await?;
    row.as_ref().map(contact_of).transpose()
}

/// Whether somebody is one of the people of the sample data. Their addresses end in a domain that nobody can have
/// (RFC 2606), so that nobody real is ever taken for one of them.
///
/// # Errors
/// As the store says.
pub async fn is_made_up(q: &mut impl Queries, contact: ContactId) -> Result<bool> {
    let row = q
        .query_opt(
            sql!("select 1 as found from contacts where id = $1 and email like '%@sample-%.example'"),
            params![contact],
        )
        .await?;
    Ok(row.is_some())
}

/// The contact of this address.
///
/// # Errors
/// As the store says.
pub async fn find_by_email(q: &mut impl Queries, email: &Email) -> Result<Option<Contact>> {
    let row = q
        .query_opt(
            sql!(
                "select id, email, first_name, last_name, company_id, language, time_zone, owner_id, stage,
                     stage_since, created_at, last_seen_at
                 from contacts where id = (
                     select coalesce(merged_into, id) from contacts where email = $1
                     union all
                     select coalesce(k.merged_into, k.id) from contact_emails e
                         join contacts k on k.id = e.contact_id where e.email = $1
                     limit 1)"
            ),
            params![email.as_str()],
        )
        .await?;
    row.as_ref().map(contact_of).transpose()
}

pub(super) async fn insert(
    tx: &mut Tx,
    who: &Identification<'_>,
    company: Option<CompanyId>,
    now: Timestamp,
) -> Result<Contact> {
    let id = ContactId::new();
    tx.execute(
        sql!(
            "insert into contacts (id, email, company_id, language, time_zone, stage, stage_since, created_at,
                 updated_at, last_seen_at, likeness)
             values ($1, $2, $3, $4, $5, 'visitor', $6, $6, $6, $6, $7)"
        ),
        params![
            id,
            who.email.as_str(),
            company,
            who.language,
            who.time_zone,
            now,
            super::duplicates::likeness(who.email)
        ],
    )
    .await?;
    Ok(Contact {
        id,
        email: who.email.clone(),
        first_name: None,
        last_name: None,
        company,
        language: who.language,
        time_zone: who.time_zone.map(str::to_owned),
        owner: None,
        stage: "visitor".to_owned(),
        stage_since: now,
        created_at: now,
        last_seen_at: now,
    })
}

pub(super) async fn touch(tx: &mut Tx, id: ContactId, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!("update contacts set last_seen_at = $2, updated_at = $2 where id = $1 and last_seen_at < $2"),
        params![id, now],
    )
    .await?;
    Ok(())
}

/// Notes when a contact was last seen by what she did; `stale` is how old what is noted must be for it to be worth it.
pub(super) async fn saw(tx: &mut Tx, id: ContactId, at: Timestamp, stale: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "update contacts set last_seen_at = $2
             where id = coalesce((select merged_into from contacts where id = $1), $1) and last_seen_at <= $3"
        ),
        params![id, at, stale],
    )
    .await?;
    Ok(())
}

/// The other people of a company, the most recently seen first.
///
/// # Errors
/// As the store says.
pub async fn company_colleagues(
    q: &mut impl Queries,
    company: CompanyId,
    but: ContactId,
) -> Result<Vec<Contact>> {
    let rows = q
        .query(
            sql!(
                "select id, email, first_name, last_name, company_id, language, time_zone, owner_id, stage,
                     stage_since, created_at, last_seen_at
                 from contacts where company_id = $1 and id <> $2 and merged_into is null
                 order by last_seen_at desc limit 50"
            ),
            params![company, but],
        )
        .await?;
    rows.iter().map(contact_of).collect()
}

fn visitor_of(row: &Row) -> Result<Visitor> {
    Ok(Visitor {
        id: row.get("id")?,
        site: row.get("site")?,
        contact: row.get("contact_id")?,
        trust: Trust::of_level(row.get("trust")?),
        consent: Consent::of_word(&row.get::<String>("consent")?),
        first_seen_at: row.get("first_seen_at")?,
        last_seen_at: row.get("last_seen_at")?,
    })
}

/// The device epoch of this id.
///
/// # Errors
/// As the store says.
pub async fn visitor(q: &mut impl Queries, id: VisitorId) -> Result<Option<Visitor>> {
    let row = q
        .query_opt(
            sql!(
                "select id, site, contact_id, trust, consent, first_seen_at, last_seen_at
                 from visitors where id = $1"
            ),
            params![id],
        )
        .await?;
    row.as_ref().map(visitor_of).transpose()
}

/// The device epoch on which a contact was seen last.
///
/// # Errors
/// As the store says.
pub async fn latest_visitor(q: &mut impl Queries, contact: ContactId) -> Result<Option<Visitor>> {
    let row = q
        .query_opt(
            sql!(
                "select id, site, contact_id, trust, consent, first_seen_at, last_seen_at
                 from visitors where contact_id in (select own_id from contact_ids where contact_id = $1)
                 order by last_seen_at desc limit 1"
            ),
            params![contact],
        )
        .await?;
    row.as_ref().map(visitor_of).transpose()
}

/// Notes that a device was seen, and what it consents to now; a new one is written down.
///
/// # Errors
/// As the store says.
pub async fn see_visitor(
    tx: &mut Tx,
    id: VisitorId,
    site: &str,
    consent: Consent,
    at: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into visitors (id, site, trust, consent, first_seen_at, last_seen_at)
             values ($1, $2, 0, $3, $4, $4)
             on conflict (id) do update set
                 consent = excluded.consent,
                 first_seen_at = case when excluded.first_seen_at < visitors.first_seen_at
                     then excluded.first_seen_at else visitors.first_seen_at end,
                 last_seen_at = case when excluded.last_seen_at > visitors.last_seen_at
                     then excluded.last_seen_at else visitors.last_seen_at end"
        ),
        params![id, site, consent.word(), at],
    )
    .await?;
    Ok(())
}

const VISITORS: Bulk = Bulk {
    table: "visitors",
    columns: &[Column("id", Kind::Text), Column("contact_id", Kind::Text)],
    key: "id",
};

/// Which of these devices are known here, and who holds them.
///
/// # Errors
/// As the store says.
pub async fn known_visitors(
    db: &Db,
    ids: impl Iterator<Item = VisitorId>,
) -> Result<HashMap<VisitorId, Option<ContactId>>> {
    let ids: BTreeSet<VisitorId> = ids.collect();
    let rows = db.pick(&VISITORS, ids.into_iter().map(|id| vec![id.into()]).collect()).await?;
    rows.iter().map(|row| Ok((row.at(0)?, row.at(1)?))).collect()
}

/// Notes that a known device was seen, and what it consents to now.
///
/// # Errors
/// As the store says.
pub async fn saw_visitor(tx: &mut Tx, id: VisitorId, consent: Consent, at: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "update visitors set consent = $2,
                 last_seen_at = case when last_seen_at < $3 then $3 else last_seen_at end
             where id = $1"
        ),
        params![id, consent.word(), at],
    )
    .await?;
    Ok(())
}

pub(super) async fn bind_visitor(
    tx: &mut Tx,
    id: VisitorId,
    who: &Identification<'_>,
    contact: ContactId,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into visitors (id, site, contact_id, trust, consent, first_seen_at, last_seen_at)
             values ($1, $2, $3, $4, $5, $6, $6)
             on conflict (id) do update set
                 contact_id = excluded.contact_id,
                 trust = case when excluded.trust > visitors.trust then excluded.trust else visitors.trust end,
                 last_seen_at = excluded.last_seen_at"
        ),
        params![id, who.site, contact, who.trust.level(), who.consent.word(), now],
    )
    .await?;
    Ok(())
}

pub(super) async fn set_trust(tx: &mut Tx, id: VisitorId, trust: Trust, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!("update visitors set trust = $2, last_seen_at = $3 where id = $1"),
        params![id, trust.level(), now],
    )
    .await?;
    Ok(())
}

/// Marks a contact. What is marked already comes to stand beside it, as long as that is short.
pub(super) async fn mark(tx: &mut Tx, contact: ContactId, what: &str, at: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "insert into contact_marks (contact_id, what, at) values ($1, $2, $3)
             on conflict (contact_id) do update set
                 what = case when length(contact_marks.what) > 500 then '#everything'
                     else contact_marks.what || ' ' || excluded.what end,
                 at = case when excluded.at < contact_marks.at then excluded.at else contact_marks.at end"
        ),
        params![contact, what, at],
    )
    .await?;
    Ok(())
}

/// Marks everybody who works for a company.
pub(super) async fn mark_people_of(tx: &mut Tx, company: CompanyId, what: &str, at: Timestamp) -> Result<()> {
    let rows =
        tx.query(sql!("select id from contacts where company_id = $1 order by id"), params![company]).await?;
    for row in &rows {
        mark(tx, row.get("id")?, what, at).await?;
    }
    Ok(())
}

/// Contacts whose marks are to be looked at by now, the longest waiting first.
///
/// # Errors
/// As the store says.
pub async fn marked(q: &mut impl Queries, now: Timestamp, most: i64) -> Result<Vec<ContactId>> {
    let rows = q
        .query(
            sql!("select contact_id from contact_marks where at <= $1 order by at, contact_id limit $2"),
            params![now, most],
        )
        .await?;
    rows.iter().map(|row| row.get("contact_id")).collect()
}

/// Takes a contact's mark away; nothing if there is none.
///
/// # Errors
/// As the store says.
pub async fn take_mark(tx: &mut Tx, contact: ContactId) -> Result<Option<String>> {
    let row =
        tx.query_opt(sql!("select what from contact_marks where contact_id = $1"), params![contact]).await?;
    let Some(row) = row else { return Ok(None) };
    tx.execute(sql!("delete from contact_marks where contact_id = $1"), params![contact]).await?;
    row.get("what").map(Some)
}

fn field_of(row: &Row) -> Result<Field> {
    Ok(Field {
        name: row.get("name")?,
        value: row.get("value")?,
        source: row.get("source")?,
        trust: Trust::of_level(row.get("trust")?),
        at: row.get("at")?,
        is_suggestion: row.get::<String>("status")? == "suggested",
    })
}

/// Every fact about a person, suggestions after what is current.
///
/// # Errors
/// As the store says.
pub async fn fields(q: &mut impl Queries, contact: ContactId) -> Result<Vec<Field>> {
    let rows = q
        .query(
            sql!(
                "select name, status, value, source, trust, at from contact_fields
                 where contact_id = $1 order by status, name"
            ),
            params![contact],
        )
        .await?;
    rows.iter().map(field_of).collect()
}

pub(super) async fn field(q: &mut impl Queries, contact: ContactId, name: &str) -> Result<Option<Field>> {
    let row = q
        .query_opt(
            sql!(
                "select name, status, value, source, trust, at from contact_fields
                 where contact_id = $1 and name = $2 and status = 'current'"
            ),
            params![contact, name],
        )
        .await?;
    row.as_ref().map(field_of).transpose()
}

/// The value of a fact that waits for a person.
pub(super) async fn suggestion(
    q: &mut impl Queries,
    contact: ContactId,
    name: &str,
) -> Result<Option<Field>> {
    let row = q
        .query_opt(
            sql!(
                "select name, status, value, source, trust, at from contact_fields
                 where contact_id = $1 and name = $2 and status = 'suggested'"
            ),
            params![contact, name],
        )
        .await?;
    row.as_ref().map(field_of).transpose()
}

pub(super) async fn drop_suggestion(tx: &mut Tx, contact: ContactId, name: &str) -> Result<bool> {
    let gone = tx
        .execute(
            sql!("delete from contact_fields where contact_id = $1 and name = $2 and status = 'suggested'"),
            params![contact, name],
        )
        .await?;
    Ok(gone > 0)
}

#[allow(clippy::too_many_arguments, reason = "a fact has these columns")]
pub(super) async fn put_field(
    tx: &mut Tx,
    contact: ContactId,
    name: &str,
    value: &str,
    source: &str,
    trust: Trust,
    is_current: bool,
    now: Timestamp,
) -> Result<()> {
    let status = if is_current { "current" } else { "suggested" };
    tx.execute(
        sql!(
            "insert into contact_fields (contact_id, name, status, value, source, trust, at)
             values ($1, $2, $3, $4, $5, $6, $7)
             on conflict (contact_id, name, status) do update set
                 value = excluded.value, source = excluded.source, trust = excluded.trust, at = excluded.at"
        ),
        params![contact, name, status, value, source, trust.level(), now],
    )
    .await?;
    Ok(())
}

/// Keeps the columns that lists sort and search by in step with the facts.
pub(super) async fn mirror_field(
    tx: &mut Tx,
    contact: ContactId,
    name: &str,
    value: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    let statement = match name {
        "first_name" => sql!("update contacts set first_name = $2, updated_at = $3 where id = $1"),
        "last_name" => sql!("update contacts set last_name = $2, updated_at = $3 where id = $1"),
        // She always has one: without a value it stays what it was.
        "language" => {
            sql!("update contacts set language = coalesce($2, language), updated_at = $3 where id = $1")
        }
        "time_zone" => sql!("update contacts set time_zone = $2, updated_at = $3 where id = $1"),
        _ => return Ok(()),
    };
    tx.execute(statement, params![contact, value, now]).await?;
    Ok(())
}

pub(super) async fn insert_activity(
    tx: &mut Tx,
    contact: Option<ContactId>,
    visitor: Option<VisitorId>,
    kind: &str,
    subject: Option<&str>,
    props: &Json,
    at: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into activities (id, contact_id, visitor_id, kind, subject, props, at)
             values ($1, $2, $3, $4, $5, $6, $7)"
        ),
        params![ActivityId::new(), contact, visitor, kind, subject, props, at],
    )
    .await?;
    Ok(())
}

pub(super) async fn take_activity_back(
    tx: &mut Tx,
    contact: ContactId,
    (kind, subject): (&str, &str),
    at: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "delete from activities
             where contact_id in (select own_id from contact_ids where contact_id = $1)
                 and kind = $2 and subject = $3 and at = $4"
        ),
        params![contact, kind, subject, at],
    )
    .await?;
    Ok(())
}

/// Writes what was told under an id of its own; returns whether it was not there.
pub(super) async fn insert_told(tx: &mut Tx, contact: ContactId, told: &super::Told<'_>) -> Result<bool> {
    let written = tx
        .execute(
            sql!(
                "insert into activities (id, contact_id, visitor_id, kind, subject, props, at)
                 values ($1, $2, null, $3, $4, $5, $6) on conflict (id) do nothing"
            ),
            params![told.id, contact, told.kind, told.subject, told.props, told.at],
        )
        .await?;
    Ok(written > 0)
}

pub(super) async fn told_as(
    q: &mut impl Queries,
    id: ActivityId,
) -> Result<Option<(Option<ContactId>, String)>> {
    let row = q.query_opt(sql!("select contact_id, kind from activities where id = $1"), params![id]).await?;
    row.map(|row| Ok((row.get("contact_id")?, row.get("kind")?))).transpose()
}

/// What a person did, on any device and before they were known, the latest first.
///
/// # Errors
/// As the store says.
pub async fn activities(q: &mut impl Queries, contact: ContactId, most: i64) -> Result<Vec<Activity>> {
    let rows = q
        .query(
            sql!(
                "select kind, subject, props, at from activities
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                    or (contact_id is null and visitor_id in (select id from visitors where contact_id in (select own_id from contact_ids where contact_id = $1)))
                 order by at desc, id desc limit $2"
            ),
            params![contact, most],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Activity {
                kind: row.get("kind")?,
                subject: row.get("subject")?,
                props: row.json("props")?,
                at: row.get("at")?,
            })
        })
        .collect()
}

/// A person's visits that they consented to and that began before `before`, the latest first.
///
/// # Errors
/// As the store says.
pub async fn visits(
    q: &mut impl Queries,
    contact: ContactId,
    before: Timestamp,
    most: i64,
) -> Result<Vec<Visit>> {
    let rows = q
        .query(
            sql!(
                "select id, site, visitor, consent, bot, started_at, last_at, hits, pages, events, engaged_ms,
                     scroll, host, entry, exit, channel, source, medium, campaign, term, content, referrer, country,
                     region, city, network, device, browser, os, language, trail
                 from visits
                 where visitor in (select id from visitors where contact_id in (select own_id from contact_ids where contact_id = $1)) and consent > 0
                     and started_at < $2
                 order by started_at desc limit $3"
            ),
            params![contact, before, most],
        )
        .await?;
    let visits = rows.iter().map(sessions::store::visit_of).collect::<Result<Vec<_>>>()?;
    let numbers = visits.iter().flat_map(words_of);
    let texts = hits::texts_of(q, numbers).await?;
    Ok(visits.iter().map(|visit| told(visit, &texts)).collect())
}

/// A device's visits that were consented to, the latest first.
///
/// # Errors
/// As the store says.
pub async fn visits_of_device(q: &mut impl Queries, visitor: VisitorId, most: i64) -> Result<Vec<Visit>> {
    let rows = q
        .query(
            sql!(
                "select id, site, visitor, consent, bot, started_at, last_at, hits, pages, events, engaged_ms,
                     scroll, host, entry, exit, channel, source, medium, campaign, term, content, referrer, country,
                     region, city, network, device, browser, os, language, trail
                 from visits where visitor = $1 and consent > 0 order by started_at desc limit $2"
            ),
            params![visitor, most],
        )
        .await?;
    let visits = rows.iter().map(sessions::store::visit_of).collect::<Result<Vec<_>>>()?;
    let texts = hits::texts_of(q, visits.iter().flat_map(words_of)).await?;
    Ok(visits.iter().map(|visit| told(visit, &texts)).collect())
}

/// The words of visits that were read so far, by their numbers.
#[derive(Default)]
pub struct Texts(HashMap<i64, String>);

/// The visits since `from` that contacts consented to, of all contacts after the first up to the second, in no order.
///
/// # Errors
/// As the store says.
pub async fn visits_between(
    q: &mut impl Queries,
    (after, last): (ContactId, ContactId),
    from: Timestamp,
    known: &mut Texts,
    mut each: impl FnMut(ContactId, Visit),
) -> Result<()> {
    let rows = q
        .query(
            sql!(
                "select s.id, s.site, s.visitor, s.consent, s.bot, s.started_at, s.last_at, s.hits, s.pages, s.events,
                     s.engaged_ms, s.scroll, s.host, s.entry, s.exit, s.channel, s.source, s.medium, s.campaign, s.term,
                     s.content, s.referrer, s.country, s.region, s.city, s.network, s.device, s.browser, s.os,
                     s.language, s.trail, v.contact_id
                 from visitors v join visits s on s.visitor = v.id
                 where v.contact_id > $1 and v.contact_id <= $2 and s.consent > 0 and s.started_at > $3"
            ),
            params![after, last, from],
        )
        .await?;
    let visits = rows
        .iter()
        .map(|row| Ok((row.at::<ContactId>(31)?, sessions::store::visit_of(row)?)))
        .collect::<Result<Vec<_>>>()?;
    let unknown =
        visits.iter().flat_map(|(_, visit)| words_of(visit)).filter(|word| !known.0.contains_key(word));
    let texts = hits::texts_of(q, unknown).await?;
    known.0.extend(texts);
    for (contact, visit) in &visits {
        each(*contact, told(visit, &known.0));
    }
    Ok(())
}

/// The numbers of every word that is told of a visit.
fn words_of(visit: &sessions::Visit) -> impl Iterator<Item = i64> {
    let origin = &visit.origin;
    let steps = visit.trail.steps.iter().flat_map(|step| [Some(step.name), Some(step.path), step.title]);
    [Some(origin.channel), origin.source, origin.campaign, visit.place.country, visit.place.region]
        .into_iter()
        .chain([Some(visit.device)])
        .chain([Some(visit.browser), visit.entry, visit.exit])
        .chain(steps)
        .flatten()
}

fn told(visit: &sessions::Visit, texts: &HashMap<i64, String>) -> Visit {
    let text = |number: i64| texts.get(&number).cloned().unwrap_or_default();
    let perhaps = |number: Option<i64>| number.and_then(|number| texts.get(&number).cloned());
    let is_page = |step: &&sessions::Step| texts.get(&step.name).is_some_and(|name| name == hits::PAGE);
    Visit {
        id: visit.id,
        is_bot: visit.bot.is_some(),
        started_at: visit.started_at,
        last_at: visit.last_at,
        pages: visit.pages,
        engaged_ms: visit.engaged_ms,
        entry_path: perhaps(visit.entry).unwrap_or_default(),
        exit_path: perhaps(visit.exit).unwrap_or_default(),
        trail: visit
            .trail
            .steps
            .iter()
            .filter(is_page)
            .map(|step| Step {
                path: text(step.path),
                title: perhaps(step.title).unwrap_or_default(),
                at: step.at,
                seq: step.seq,
            })
            .collect(),
        channel: text(visit.origin.channel),
        source: perhaps(visit.origin.source),
        campaign: perhaps(visit.origin.campaign),
        country: perhaps(visit.place.country),
        region: perhaps(visit.place.region),
        device: Some(text(visit.device)),
        browser: Some(text(visit.browser)),
    }
}

/// The key of a text that was shown: the row that it has already, or a new version of its id.
async fn consent_text(
    tx: &mut Tx,
    (id, language, body): (&str, Language, &str),
    now: Timestamp,
) -> Result<String> {
    tx.lock(&format!("consent-text:{id}")).await?;
    let digest = sha256_hex(body);
    let known = tx
        .query_opt(
            sql!(
                "select hash from consent_texts
                 where text_id = $1 and language = $2 and body_hash = $3"
            ),
            params![id, language, &digest],
        )
        .await?;
    if let Some(known) = known {
        return known.get("hash");
    }
    let key = sha256_hex(format!("{id}\n{}\n{body}", language.code()));
    tx.execute(
        sql!(
            "insert into consent_texts (hash, text_id, language, body, body_hash, version, first_used_at)
             select $1, $2, $3, $4, $5, coalesce(max(version), 0) + 1, cast($6 as bigint) from consent_texts
             where text_id = $2 and language = $3"
        ),
        params![&key, id, language, body, &digest, now],
    )
    .await?;
    Ok(key)
}

/// Under an id that stands there already nothing is written.
pub(super) async fn insert_consent(
    tx: &mut Tx,
    id: &str,
    contact: Option<ContactId>,
    visitor: Option<VisitorId>,
    entry: &ConsentEntry<'_>,
    now: Timestamp,
) -> Result<()> {
    let text = match entry.text {
        Some(text) => Some(consent_text(tx, text, now).await?),
        None => None,
    };
    tx.execute(
        sql!(
            "insert into consents (id, contact_id, visitor_id, purpose, action, text_hash, form, page, mail_id, network,
                 user_agent, at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
             on conflict (id) do nothing"
        ),
        params![
            id,
            contact,
            visitor,
            entry.purpose,
            entry.action,
            text,
            entry.form,
            entry.page,
            entry.mail,
            entry.seen.map(|seen| seen.network.as_str()),
            entry.seen.and_then(|seen| seen.user_agent.as_deref()),
            now
        ],
    )
    .await?;
    Ok(())
}

/// Since when a contact objects to being profiled, if she does.
pub(super) async fn profiling_off(q: &mut impl Queries, contact: ContactId) -> Result<Option<Timestamp>> {
    let row = q
        .query_opt(
            sql!(
                "select max(profiling_off_at) as off_at from contacts
                 where id in (select own_id from contact_ids where contact_id = $1)"
            ),
            params![contact],
        )
        .await?;
    row.map_or(Ok(None), |row| row.get("off_at"))
}

pub(super) async fn set_profiling_off(
    tx: &mut Tx,
    contact: ContactId,
    since: Option<Timestamp>,
) -> Result<()> {
    tx.execute(
        sql!(
            "update contacts set profiling_off_at = $2
             where id in (select own_id from contact_ids where contact_id = $1)"
        ),
        params![contact, since],
    )
    .await?;
    Ok(())
}

/// A person's entries in the consent ledger, the latest first.
///
/// # Errors
/// As the store says.
pub async fn consents(q: &mut impl Queries, contact: ContactId) -> Result<Vec<ConsentRecord>> {
    let rows = q
        .query(
            sql!(
                "select c.purpose, c.action, t.body, t.text_id, t.version, t.body_hash, t.language, c.form, c.page,
                     c.mail_id, c.network, c.user_agent, c.at
                 from consents c left join consent_texts t on t.hash = c.text_hash
                 where c.contact_id in (select own_id from contact_ids where contact_id = $1)
                    or (c.contact_id is null and c.visitor_id in (select id from visitors where contact_id in (select own_id from contact_ids where contact_id = $1)))
                 order by c.at desc, c.id desc"
            ),
            params![contact],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(ConsentRecord {
                purpose: row.get("purpose")?,
                action: row.get("action")?,
                text: row.get("body")?,
                text_id: row.get("text_id")?,
                version: row.get("version")?,
                hash: row.get("body_hash")?,
                language: row.get("language")?,
                form: row.get("form")?,
                page: row.get("page")?,
                mail: row.get("mail_id")?,
                network: row.get("network")?,
                user_agent: row.get("user_agent")?,
                at: row.get("at")?,
            })
        })
        .collect()
}
