//! The tables of what stands for whom in a CRM, and of how the connections do.

use serde::Serialize;

use super::Thing;
use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::{Db, Queries, Row, Tx};
use crate::storage::personal::Personal;
use crate::{params, sql};

/// What these tables hold about people.
pub const PERSONAL: &[Personal] = &[Personal {
    table: "crm_links",
    export: Some(sql!(
        "select crm, kind, remote_id, sent_at from crm_links
         where contact_id in (select own_id from contact_ids where contact_id = $1) and remote_id is not null
         order by created_at"
    )),
    erase: Some(sql!(
        "delete from crm_links where contact_id in (select own_id from contact_ids where contact_id = $1)"
    )),
    because: "what stands in the CRM itself is told in the audit",
}];

/// What stands for something of ours in a CRM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub own_id: String,
    pub remote_id: Option<String>,
    pub contact: Option<ContactId>,
    pub sent: Option<String>,
    pub pushed: Option<String>,
    pub seen: Option<String>,
    pub tried_at: Option<Timestamp>,
}

fn link_of(row: &Row) -> Result<Link> {
    Ok(Link {
        own_id: row.get("own_id")?,
        remote_id: row.get("remote_id")?,
        contact: row.get("contact_id")?,
        sent: row.get("sent")?,
        pushed: row.get("pushed")?,
        seen: row.get("seen")?,
        tried_at: row.get("tried_at")?,
    })
}

pub(super) async fn link(q: &mut impl Queries, crm: &str, thing: Thing, own: &str) -> Result<Option<Link>> {
    let row = q
        .query_opt(
            sql!(
                "select own_id, remote_id, contact_id, sent, pushed, seen, tried_at from crm_links
                 where crm = $1 and kind = $2 and own_id = $3"
            ),
            params![crm, thing.word(), own],
        )
        .await?;
    row.as_ref().map(link_of).transpose()
}

/// The link of a contact, or of somebody who was merged into her.
pub(super) async fn of_contact(q: &mut impl Queries, crm: &str, contact: ContactId) -> Result<Option<Link>> {
    let row = q
        .query_opt(
            sql!(
                "select own_id, remote_id, contact_id, sent, pushed, seen, tried_at from crm_links
                 where crm = $1 and kind = 'contact'
                     and own_id in (select own_id from contact_ids where contact_id = $2)
                 order by case when remote_id is null then 1 else 0 end,
                     case when own_id = $2 then 0 else 1 end, created_at limit 1"
            ),
            params![crm, contact],
        )
        .await?;
    row.as_ref().map(link_of).transpose()
}

/// Whatever has this id over there.
pub(super) async fn of_remote(
    q: &mut impl Queries,
    crm: &str,
    thing: Thing,
    remote: &str,
) -> Result<Option<Link>> {
    let row = q
        .query_opt(
            sql!(
                "select own_id, remote_id, contact_id, sent, pushed, seen, tried_at from crm_links
                 where crm = $1 and kind = $2 and remote_id = $3 order by created_at limit 1"
            ),
            params![crm, thing.word(), remote],
        )
        .await?;
    row.as_ref().map(link_of).transpose()
}

/// Takes the right to make something, unless somebody else has it: then until when.
pub(super) async fn claim(
    tx: &mut Tx,
    (crm, thing, own): (&str, Thing, &str),
    contact: Option<ContactId>,
    by: &str,
    until: Timestamp,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let touched = tx
        .execute(
            sql!(
                "insert into crm_links (crm, kind, own_id, contact_id, claimed_by, claimed_until, created_at)
                 values ($1, $2, $3, $4, $5, $6, $7)
                 on conflict (crm, kind, own_id) do update
                 set claimed_by = excluded.claimed_by, claimed_until = excluded.claimed_until
                 where crm_links.claimed_until is null or crm_links.claimed_until <= $7
                     or crm_links.claimed_by = $5"
            ),
            params![crm, thing.word(), own, contact, by, until, now],
        )
        .await?;
    if touched > 0 {
        return Ok(None);
    }
    let row = tx
        .query_opt(
            sql!("select claimed_until from crm_links where crm = $1 and kind = $2 and own_id = $3"),
            params![crm, thing.word(), own],
        )
        .await?;
    Ok(Some(row.map_or(Ok(None), |row| row.get("claimed_until"))?.unwrap_or(now)))
}

/// Lets the right go, and notes whether somebody may have made it meanwhile.
pub(super) async fn release(
    db: &Db,
    crm: &str,
    thing: Thing,
    own: &str,
    tried_at: Option<Timestamp>,
) -> Result<()> {
    db.execute(
        sql!(
            "update crm_links set claimed_by = null, claimed_until = null, tried_at = $4
             where crm = $1 and kind = $2 and own_id = $3"
        ),
        params![crm, thing.word(), own, tried_at],
    )
    .await?;
    Ok(())
}

/// Notes that it is about to be made: whoever comes after a crash has to look for it first.
pub(super) async fn trying(db: &Db, crm: &str, thing: Thing, own: &str, now: Timestamp) -> Result<()> {
    db.execute(
        sql!("update crm_links set tried_at = $4 where crm = $1 and kind = $2 and own_id = $3"),
        params![crm, thing.word(), own, now],
    )
    .await?;
    Ok(())
}

/// What was sent, and how it stands over there since.
#[derive(Debug, Clone, Copy)]
pub(super) struct Put<'a> {
    pub remote: &'a str,
    pub sent: Option<&'a str>,
    pub pushed: Option<&'a str>,
    pub seen: Option<&'a str>,
}

/// Notes what stands for it over there; returns whether there is still anything of ours that it stands for.
pub(super) async fn put(
    tx: &mut Tx,
    crm: &str,
    thing: Thing,
    own: &str,
    put: &Put<'_>,
    now: Timestamp,
) -> Result<bool> {
    let touched = tx
        .execute(
            sql!(
                "update crm_links set remote_id = $4, sent = $5, pushed = $6, seen = $7, sent_at = $8,
                     claimed_by = null, claimed_until = null, tried_at = null
                 where crm = $1 and kind = $2 and own_id = $3"
            ),
            params![crm, thing.word(), own, put.remote, put.sent, put.pushed, put.seen, now],
        )
        .await?;
    Ok(touched > 0)
}

/// Forgets what stood for it over there: it is gone.
pub(super) async fn forget(db: &Db, crm: &str, thing: Thing, own: &str) -> Result<()> {
    db.execute(
        sql!(
            "update crm_links set remote_id = null, sent = null, pushed = null, seen = null, tried_at = null
             where crm = $1 and kind = $2 and own_id = $3"
        ),
        params![crm, thing.word(), own],
    )
    .await?;
    Ok(())
}

/// Notes how something stands over there.
pub(super) async fn saw(
    tx: &mut Tx,
    crm: &str,
    own: &str,
    seen: &str,
    pushed: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "update crm_links set seen = $3, pushed = coalesce($4, pushed), sent_at = $5
             where crm = $1 and kind = 'deal' and own_id = $2"
        ),
        params![crm, own, seen, pushed, now],
    )
    .await?;
    Ok(())
}

/// How a connection does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct State {
    /// When something was last taken.
    pub sent_at: Option<Timestamp>,
    /// When we were last told something.
    pub heard_at: Option<Timestamp>,
    /// Since when nothing is taken.
    pub failing_since: Option<Timestamp>,
    /// What went wrong last, and when.
    pub error: Option<String>,
    pub error_at: Option<Timestamp>,
    /// Until when it wants no more calls.
    pub resume_at: Option<Timestamp>,
    /// How often we were told of something that we do not know, and the latest of it.
    pub unknown: i64,
    pub unknown_id: Option<String>,
}

/// How a connection does; one that was never used does well.
///
/// # Errors
/// As the store says.
pub async fn state(q: &mut impl Queries, crm: &str) -> Result<State> {
    let row = q
        .query_opt(
            sql!(
                "select sent_at, heard_at, failing_since, error, error_at, resume_at, unknown, unknown_id
                 from crm_states where crm = $1"
            ),
            params![crm],
        )
        .await?;
    let Some(row) = row else { return Ok(State::default()) };
    Ok(State {
        sent_at: row.get("sent_at")?,
        heard_at: row.get("heard_at")?,
        failing_since: row.get("failing_since")?,
        error: row.get("error")?,
        error_at: row.get("error_at")?,
        resume_at: row.get("resume_at")?,
        unknown: row.get("unknown")?,
        unknown_id: row.get("unknown_id")?,
    })
}

/// How many things of ours stand in a CRM, by their kind.
///
/// # Errors
/// As the store says.
pub async fn counts(q: &mut impl Queries, crm: &str) -> Result<Vec<(String, i64)>> {
    let rows = q
        .query(
            sql!(
                "select kind, count(*) as n from crm_links
                 where crm = $1 and remote_id is not null group by kind order by kind"
            ),
            params![crm],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get("kind")?, row.get("n")?))).collect()
}

/// Notes that something was taken.
pub(super) async fn took(db: &Db, crm: &str, now: Timestamp) -> Result<()> {
    db.execute(
        sql!(
            "insert into crm_states (crm, sent_at) values ($1, $2)
             on conflict (crm) do update set sent_at = excluded.sent_at, failing_since = null, resume_at = null"
        ),
        params![crm, now],
    )
    .await?;
    Ok(())
}

/// Notes that something was not taken, and until when nothing is to be tried.
pub(super) async fn failed(
    db: &Db,
    crm: &str,
    why: &str,
    resume_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<()> {
    db.execute(
        sql!(
            "insert into crm_states (crm, failing_since, error, error_at, resume_at) values ($1, $2, $3, $2, $4)
             on conflict (crm) do update
             set failing_since = coalesce(crm_states.failing_since, excluded.failing_since),
                 error = excluded.error, error_at = excluded.error_at,
                 resume_at = coalesce(excluded.resume_at, crm_states.resume_at)"
        ),
        params![crm, now, why, resume_at],
    )
    .await?;
    Ok(())
}

/// Notes that we were told something; of what we do not know, its id.
pub(super) async fn heard(tx: &mut Tx, crm: &str, unknown: Option<&str>, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "insert into crm_states (crm, heard_at, unknown, unknown_id) values ($1, $2, $3, $4)
             on conflict (crm) do update
             set heard_at = excluded.heard_at, unknown = crm_states.unknown + excluded.unknown,
                 unknown_id = coalesce(excluded.unknown_id, crm_states.unknown_id)"
        ),
        params![crm, now, i64::from(unknown.is_some()), unknown],
    )
    .await?;
    Ok(())
}
