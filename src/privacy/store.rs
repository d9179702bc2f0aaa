//! What outlives an erasure, and who did what.

use serde_json::Value as Json;

use super::audit::{Entry, Filter, KEY};
use super::erase::InCrm;
use crate::base::ids::{ContactId, ConversationId, VisitorId, new_key};
use crate::base::time::Timestamp;
use crate::config;
use crate::storage::Result;
use crate::storage::db::{Queries, Row, Sql, Tx};
use crate::storage::personal::Personal;
use crate::{params, sql};

/// What these tables hold about people.
pub const PERSONAL: &[Personal] = &[
    Personal {
        table: "kept_refusals",
        export: None,
        erase: None,
        because: "a keyed digest of the address of whoever said no, so that the no outlives the erasure",
    },
    Personal {
        table: "audit",
        export: Some(sql!(
            "select at, action from audit
             where contact_id in (select own_id from contact_ids where contact_id = $1)
             order by at"
        )),
        erase: None,
        because: "the proof of who saw and erased whom; of an erased person it holds only an id that leads nowhere",
    },
    Personal {
        table: "consent_texts",
        export: None,
        erase: None,
        because: "the company's own texts, exported with each consent",
    },
    Personal { table: "companies", export: None, erase: None, because: "a company is not a person" },
    Personal {
        table: "idempotency_keys",
        export: None,
        erase: None,
        because: "answers that are given again for a day, then forgotten",
    },
    Personal { table: "accounts", export: None, erase: None, because: "the company's own people" },
    Personal { table: "account_sessions", export: None, erase: None, because: "the company's own people" },
    Personal {
        table: "account_recovery_codes",
        export: None,
        erase: None,
        because: "the company's own people",
    },
    Personal { table: "api_keys", export: None, erase: None, because: "the company's own programs" },
];

/// A kind of rows with a life of its own.
pub(super) struct Kind {
    pub name: &'static str,
    pub days: fn(&config::Retention) -> i64,
    /// Counts what is from before `$1`.
    pub count: Sql,
    /// Deletes it, step by step.
    pub delete: &'static [Sql],
}

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "transcripts",
        days: |settings| settings.transcript_days,
        count: sql!("select count(*) as n from conversations where mode = 'closed' and updated_at < $1"),
        delete: &[
            sql!(
                "delete from chat_offers where conversation_id in
                     (select id from conversations where mode = 'closed' and updated_at < $1)"
            ),
            sql!(
                "delete from chat_notes where conversation_id in
                     (select id from conversations where mode = 'closed' and updated_at < $1)"
            ),
            sql!(
                "delete from chat_ratings where conversation_id in
                     (select id from conversations where mode = 'closed' and updated_at < $1)"
            ),
            sql!(
                "delete from approaches where conversation_id in
                     (select id from conversations where mode = 'closed' and updated_at < $1)"
            ),
            sql!(
                "delete from chat_left where conversation_id in
                     (select id from conversations where mode = 'closed' and updated_at < $1)"
            ),
            sql!(
                "delete from messages where conversation_id in
                     (select id from conversations where mode = 'closed' and updated_at < $1)"
            ),
            sql!("delete from conversations where mode = 'closed' and updated_at < $1"),
        ],
    },
    Kind {
        name: "activities",
        days: |settings| settings.activity_days,
        count: sql!("select count(*) as n from activities where at < $1"),
        delete: &[sql!("delete from activities where at < $1")],
    },
    Kind {
        name: "mails",
        days: |settings| settings.mail_days,
        count: sql!("select count(*) as n from mails where sent_at < $1"),
        delete: &[sql!("delete from mails where sent_at < $1")],
    },
    Kind {
        name: "audit",
        days: |settings| settings.audit_days,
        count: sql!("select count(*) as n from audit where at < $1"),
        delete: &[sql!("delete from audit where at < $1")],
    },
];

/// Runs one of the lists' reads.
pub(super) async fn rows(q: &mut impl Queries, read: Sql, contact: ContactId) -> Result<Vec<Row>> {
    q.query(read, params![contact]).await
}

/// Runs one of the lists' erasures.
pub(super) async fn forget(tx: &mut Tx, erase: Sql, contact: ContactId) -> Result<u64> {
    tx.execute(erase, params![contact]).await
}

/// The devices of a contact.
pub(super) async fn devices(q: &mut impl Queries, contact: ContactId) -> Result<Vec<VisitorId>> {
    let rows = q
        .query(
            sql!(
                "select id from visitors
                 where contact_id in (select own_id from contact_ids where contact_id = $1) order by id"
            ),
            params![contact],
        )
        .await?;
    rows.iter().map(|row| row.get("id")).collect()
}

/// The addresses of a contact, those behind it included.
pub(super) async fn addresses(q: &mut impl Queries, contact: ContactId) -> Result<Vec<String>> {
    let rows = q
        .query(
            sql!(
                "select email from contacts
                 where id in (select own_id from contact_ids where contact_id = $1)
                 union
                 select email from contact_emails
                 where contact_id in (select own_id from contact_ids where contact_id = $1)"
            ),
            params![contact],
        )
        .await?;
    rows.iter().map(|row| row.get("email")).collect()
}

/// Her conversations, oldest first.
pub(super) async fn conversations(
    q: &mut impl Queries,
    contact: ContactId,
) -> Result<Vec<(ConversationId, Timestamp)>> {
    let rows = q
        .query(
            sql!(
                "select id, opened_at from conversations
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                     or (contact_id is null and visitor_id in (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1)))
                 order by opened_at, id"
            ),
            params![contact],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get("id")?, row.get("opened_at")?))).collect()
}

/// What stands for a contact in CRMs.
pub(super) async fn in_crms(q: &mut impl Queries, contact: ContactId) -> Result<Vec<InCrm>> {
    let rows = q
        .query(
            sql!(
                "select crm, kind, remote_id from crm_links
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                     and remote_id is not null
                 order by crm, kind, remote_id"
            ),
            params![contact],
        )
        .await?;
    rows.iter()
        .map(|row| Ok(InCrm { crm: row.get("crm")?, kind: row.get("kind")?, id: row.get("remote_id")? }))
        .collect()
}

pub(super) async fn keep_refusal(tx: &mut Tx, digest: &str, purpose: &str, at: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "insert into kept_refusals (digest, purpose, at) values ($1, $2, $3)
             on conflict (digest, purpose) do nothing"
        ),
        params![digest, purpose, at],
    )
    .await?;
    Ok(())
}

pub(super) async fn is_kept(q: &mut impl Queries, digest: &str, purpose: &str) -> Result<bool> {
    let row = q
        .query_opt(
            sql!("select at from kept_refusals where digest = $1 and purpose = $2"),
            params![digest, purpose],
        )
        .await?;
    Ok(row.is_some())
}

pub(super) async fn insert_audit(
    tx: &mut Tx,
    actor: &str,
    action: &str,
    contact: Option<ContactId>,
    details: &Json,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into audit (id, at, actor, action, contact_id, details) values ($1, $2, $3, $4, $5, $6)"
        ),
        params![new_key(), now, actor, action, contact, details],
    )
    .await?;
    Ok(())
}

/// Whether an actor did so within the time: to a contact, or of nobody with these details.
pub(super) async fn has_since(
    q: &mut impl Queries,
    actor: &str,
    action: &str,
    contact: Option<ContactId>,
    details: &Json,
    since: Timestamp,
) -> Result<bool> {
    let row = match contact {
        Some(contact) => {
            q.query_opt(
                sql!(
                    "select id from audit
                     where contact_id = $1 and actor = $2 and action = $3 and details = $5 and at > $4 limit 1"
                ),
                params![contact, actor, action, since, details],
            )
            .await?
        }
        None => {
            q.query_opt(
                sql!(
                    "select id from audit
                     where actor = $2 and at > $1 and action = $3 and contact_id is null and details = $4 limit 1"
                ),
                params![since, actor, action, details],
            )
            .await?
        }
    };
    Ok(row.is_some())
}

pub(super) async fn audit(q: &mut impl Queries, filter: &Filter, most: i64) -> Result<Vec<Entry>> {
    let rows = q
        .query(
            sql!(
                "select u.id, u.at, u.actor, coalesce(a.name, k.name) as name, o.name as owner, o.id as owner_id,
                     u.action, u.contact_id, c.email, u.details
                 from audit u
                 left join accounts a on u.actor = 'account:' || a.id
                 left join api_keys k on u.actor = 'key:' || k.id
                 left join accounts o on o.id = k.created_by
                 left join contacts c on c.id = u.contact_id
                 where (cast($1 as text) is null or u.contact_id = $1) and u.at < $2 and u.at >= $4
                     and (cast($5 as text) is null or u.actor = $5 or 'account:' || o.id = $5
                         or ($5 = 'api' and u.actor like 'key:%'))
                     and (cast($6 as text) is null or u.action = $6)
                 order by u.at desc, u.id desc limit $3"
            ),
            params![
                filter.contact,
                filter.before,
                most,
                filter.from,
                filter.actor.as_deref(),
                filter.action.as_deref(),
            ],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let (actor, name): (String, Option<String>) = (row.get("actor")?, row.get("name")?);
            Ok(Entry {
                id: row.get("id")?,
                at: row.get("at")?,
                name: name.or_else(|| actor.strip_prefix(KEY).map(str::to_owned)),
                actor,
                owner: row.get("owner")?,
                owner_id: row.get("owner_id")?,
                action: row.get("action")?,
                contact: row.get("contact_id")?,
                email: row.get("email")?,
                details: row.json("details")?,
            })
        })
        .collect()
}

/// How many rows of a kind are from before a moment.
pub(super) async fn outdated(q: &mut impl Queries, count: Sql, before: Timestamp) -> Result<i64> {
    let row = q.query_opt(count, params![before]).await?;
    row.map_or(Ok(0), |row| row.get("n"))
}

/// Deletes the rows of a kind that are from before a moment.
pub(super) async fn forget_outdated(tx: &mut Tx, delete: Sql, before: Timestamp) -> Result<u64> {
    tx.execute(delete, params![before]).await
}

/// People of whom nothing was seen since a moment, neither they nor their devices nor anything that was noted of them; who
/// never reached the stage `last`, stand in none of `kept`, and have no part in a deal that is open.
pub(super) async fn unconverted(
    q: &mut impl Queries,
    last: &str,
    kept: &[&str],
    before: Timestamp,
    most: i64,
) -> Result<Vec<ContactId>> {
    let kept: String = kept.iter().map(|stage| format!(",{stage},")).collect();
    let rows = q
        .query(
            sql!(
                "select c.id from contacts c
                 where c.merged_into is null and c.last_seen_at < $2
                     and not exists (select 1 from contacts m where m.merged_into = c.id and m.last_seen_at >= $2)
                     and not exists (select 1 from stage_intervals i where i.stage = $1
                         and i.contact_id in (select own_id from contact_ids where contact_id = c.id))
                     and replace(cast($4 as text), ',' || c.stage || ',', '') = cast($4 as text)
                     and not exists (select 1 from visitors v where v.last_seen_at >= $2
                         and v.contact_id in (select own_id from contact_ids where contact_id = c.id))
                     and not exists (select 1 from activities a where a.at >= $2
                         and a.contact_id in (select own_id from contact_ids where contact_id = c.id))
                     and not exists (select 1 from deal_people p join deals d on d.id = p.deal_id
                         where d.status = 'open'
                             and p.contact_id in (select own_id from contact_ids where contact_id = c.id))
                 order by c.last_seen_at, c.id limit $3"
            ),
            params![last, before, most, kept],
        )
        .await?;
    rows.iter().map(|row| row.get("id")).collect()
}
